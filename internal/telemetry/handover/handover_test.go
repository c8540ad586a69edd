package handover_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry/handover"
	"plateau/internal/testkit"
	"plateau/rules"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

func at(hour, minute int) time.Time { return time.Date(2026, 11, 23, hour, minute, 0, 0, i18n.Zone) }

func TestShifts(t *testing.T) {
	t.Parallel()
	set := rules.Default()
	for _, tt := range []struct {
		at   time.Time
		want string
	}{
		{at(8, 29), "2026-11-22T2030"}, {at(8, 30), "2026-11-23T0830"}, {at(20, 29), "2026-11-23T0830"}, {at(23, 59), "2026-11-23T2030"}, {at(0, 0), "2026-11-22T2030"},
	} {
		s, err := handover.At(set, tt.at)
		if err != nil || s.ID() != tt.want || s.To.Sub(s.From) != 12*time.Hour {
			t.Errorf("%s: shift %s of %s, %v; want %s", tt.at, s.ID(), s.To.Sub(s.From), err, tt.want)
		}
		if again, ok := handover.Parse(set, s.ID()); !ok || !again.From.Equal(s.From) {
			t.Errorf("%s is not read back", s.ID())
		}
		next, _ := s.Next(set)
		if back, _ := next.Previous(set); !back.From.Equal(s.From) || !next.From.Equal(s.To) {
			t.Errorf("shifts around %s do not meet", s.ID())
		}
	}
	for _, id := range []string{"2026-11-23T0900", "", "2026-11-23", "x"} {
		if _, ok := handover.Parse(set, id); ok {
			t.Errorf("%q is taken for a shift", id)
		}
	}
}

func TestRecord(t *testing.T) {
	t.Parallel()
	for _, d := range testkit.Databases() {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			base, err := db.Open(t.Context(), d.URL(t))
			if err != nil {
				t.Fatal(err)
			}
			defer base.Close()
			now := at(20, 0)
			s := handover.New(base, func() time.Time { now = now.Add(time.Second); return now })
			shift, _ := handover.At(rules.Default(), at(10, 0))
			add := func(a handover.Action, by, text, facts string) error {
				return s.Add(t.Context(), handover.Entry{Shift: shift, Action: a, By: by, Post: "值班员（示例）", Text: text, Facts: facts})
			}
			wantKind := func(err error, k errs.Kind) {
				t.Helper()
				if !errs.Is(err, k) {
					t.Errorf("got %v, want kind %s", err, k)
				}
			}
			wantKind(add(handover.Note, "", "x", ""), errs.Unauthenticated)
			wantKind(add(handover.Note, "u1", "  ", ""), errs.Invalid)
			wantKind(add(handover.Note, "u1", strings.Repeat("字", 4001), ""), errs.Invalid)
			wantKind(add(handover.Take, "u2", "", ""), errs.Conflict)
			for _, step := range []struct {
				a    handover.Action
				by   string
				text string
			}{{handover.Note, "u1", "2 号机组电话告知检修"}, {handover.Give, "u1", ""}, {handover.Note, "u1", "补充"}, {handover.Take, "u2", "已核对"}} {
				if err := add(step.a, step.by, step.text, `{"n":1}`); err != nil {
					t.Fatal(err)
				}
			}
			wantKind(add(handover.Give, "u1", "", ""), errs.Conflict)
			wantKind(add(handover.Note, "u1", "zu spät", ""), errs.Conflict)
			list, err := s.Of(t.Context(), shift)
			if err != nil || len(list) != 4 || list[0].Text != "2 号机组电话告知检修" || list[1].Facts != `{"n":1}` || list[3].Action != handover.Take || list[0].Facts != "" {
				t.Errorf("entries %+v, %v", list, err)
			}
			last, err := s.Last(t.Context(), 10)
			if err != nil || len(last) != 1 || !last[0].Shift.From.Equal(shift.From) || !last[0].Shift.To.Equal(shift.To) {
				t.Errorf("past ones %+v, %v", last, err)
			}
			if _, err := base.Exec(t.Context(), `UPDATE handovers SET text = 'other'`); err == nil {
				t.Error("an entry could be changed")
			}
			if _, err := base.Exec(t.Context(), `DELETE FROM handovers`); err == nil {
				t.Error("an entry could be removed")
			}
		})
	}
}
