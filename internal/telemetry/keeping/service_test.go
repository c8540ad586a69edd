package keeping

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"plateau/internal/platform/db"
	"plateau/internal/telemetry/archive"
	"plateau/internal/telemetry/store"
	"plateau/internal/testkit"
)

var errTest = errors.New("the place is gone")

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

// TestStatus notes samples over days and forecasts from them, on both databases.
func TestStatus(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			d, err := db.Open(t.Context(), database.URL(t))
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			dir := t.TempDir()
			st, err := store.Open(filepath.Join(dir, "telemetry"), store.Options{NoSync: true})
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
			reports := filepath.Join(dir, "reports")
			if err := os.MkdirAll(reports, 0o750); err != nil {
				t.Fatal(err)
			}
			s := New(Options{
				Store: st, DB: d, Data: dir, Folders: map[string]string{"reports": reports, "sensorthings": filepath.Join(dir, "none")},
				Place: archive.Folder(filepath.Join(dir, "archive")), Stage: filepath.Join(dir, "sealing"), Now: func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler),
			})
			for h := range 6 * 24 {
				if err := os.WriteFile(filepath.Join(reports, "r"), make([]byte, 1000*(h+1)), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := s.sample(t.Context()); err != nil {
					t.Fatal(err)
				}
				now = now.Add(time.Hour)
			}
			if err := NoteBackup(dir, Backup{At: now, Bytes: 5, To: "/mnt/b"}); err != nil {
				t.Fatal(err)
			}
			got, err := s.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			r := got.Kinds[slices.IndexFunc(got.Kinds, func(k KindSize) bool { return k.Kind == "reports" })]
			if r.Kind != "reports" || r.Bytes != 144_000 || !r.Known || r.PerDay < 23_000 || r.PerDay > 25_000 {
				t.Errorf("%+v", r)
			}
			if got.Kinds[0].Years != 5 || got.Backup.To != "/mnt/b" || got.Free <= 0 || !got.Known {
				t.Errorf("%+v", got)
			}
			past, err := s.samples(t.Context())
			if n := len(past["reports"]); err != nil || n != 72+1+3 { // three days of hours, one a day before
				t.Errorf("%d samples, %v", n, err)
			}
		})
	}
}
