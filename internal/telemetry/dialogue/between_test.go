package dialogue_test

import (
	"log/slog"
	"testing"
	"time"

	"plateau/internal/platform/db"
	"plateau/internal/telemetry/dialogue"
	"plateau/internal/testkit"
)

func TestBetween(t *testing.T) {
	t.Parallel()
	for _, k := range testkit.Databases() {
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			d, err := db.Open(t.Context(), k.URL(t))
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			s, err := dialogue.New(t.Context(), dialogue.Options{DB: d, Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			begin := time.Date(2026, 11, 23, 0, 30, 0, 0, time.UTC)
			for i, at := range []time.Time{begin.Add(-time.Second), begin, begin.Add(time.Hour), begin.Add(12 * time.Hour)} {
				if _, err := d.Exec(t.Context(), `INSERT INTO dialogues (id, mn, outlet, act, cn, params, origin, by_id, by_post, started, ended, outcome, qn, attempts, qn_rtn, exe_rtn, frames, detail)
					VALUES ($1, 'MN1', 1, 'get_clock', 1011, '{}', 'page', 'u1', '值班员（示例）', $2, $2, 'done', '', 1, 1, 1, 0, '{}')`, string(rune('a'+i)), db.Micros(at)); err != nil {
					t.Fatal(err)
				}
			}
			list, err := s.Between(t.Context(), begin, begin.Add(12*time.Hour), 10)
			if err != nil || len(list) != 2 || list[0].ID != "c" || list[1].ID != "b" || list[1].CN != 1011 {
				t.Errorf("between: %+v, %v", list, err)
			}
			if list, err := s.Between(t.Context(), begin, begin.Add(12*time.Hour), 1); err != nil || len(list) != 1 {
				t.Errorf("bounded: %+v, %v", list, err)
			}
		})
	}
}
