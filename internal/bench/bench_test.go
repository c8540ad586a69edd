package bench

import (
	"testing"
)

func TestIngestSmall(t *testing.T) {
	t.Parallel()
	r, err := Ingest(t.Context(), Config{Dir: t.TempDir(), Runs: 1, Frames: 20_000, Outlets: 100}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Figures["journal_and_series"].Median <= 0 || r.Figures["disk_per_reading"].Median <= 0 {
		t.Errorf("%+v", r)
	}
}

func BenchmarkIngest(b *testing.B) {
	for b.Loop() {
		r, err := Ingest(b.Context(), Config{Dir: b.TempDir(), Runs: 1, Frames: 500_000}, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(r.Figures["journal_and_series"].Median, "frames/s")
		b.ReportMetric(r.Figures["disk_per_reading"].Median, "B/reading")
	}
}
