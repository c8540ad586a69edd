package keeping

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// line makes hourly samples that grow by bytes a day.
func line(hours int, perDay float64) []Sample {
	out := make([]Sample, hours)
	for i := range out {
		out[i] = Sample{int64(i) * 3600, 1e9 + int64(perDay*float64(i)/24)}
	}
	return out
}

func TestGrowth(t *testing.T) {
	t.Parallel()
	near := func(name string, s []Sample, want float64) {
		t.Helper()
		if got, ok := Growth(s); !ok || math.Abs(got-want) > math.Abs(want)/20+1 {
			t.Errorf("%s: %.0f (%t), want about %.0f", name, got, ok, want)
		}
	}
	near("steady", line(100, 24e6), 24e6)
	near("two samples a day apart", []Sample{{0, 100}, {86400, 300}}, 200)
	sealed := line(200, 24e6)
	for i := 150; i < 200; i++ {
		sealed[i].Bytes -= 2e8 // groups went to another disk
	}
	near("a step down", sealed, 24e6)
	spiky := line(200, 24e6)
	for i := 7; i < 200; i += 9 {
		spiky[i].Bytes += 1e9 // a report comes and goes
	}
	near("spikes", spiky, 24e6)
	old := append(line(24, 1e12), line(100, 24e6)...)
	for i := 24; i < len(old); i++ {
		old[i].At += 40 * 86400
	}
	near("what is long past", old, 24e6)
	for name, s := range map[string][]Sample{"none": nil, "one": line(1, 1), "half a day": line(12, 1e6)} {
		if g, ok := Growth(s); ok {
			t.Errorf("%s: %.0f", name, g)
		}
	}
	if d, ok := DaysLeft(1e9, 1e7); !ok || d != 100 {
		t.Errorf("%f %t", d, ok)
	}
	for _, perDay := range []float64{0, -5, 1e-3} {
		if d, ok := DaysLeft(1e9, perDay); ok {
			t.Errorf("growth of %f: %f days", perDay, d)
		}
	}
}

// TestGrowthBends: no quarter of wild samples moves the fit of the others out of
// what these say.
func TestGrowthBends(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := line(80, 24e6)
		for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, 79), 0, 8, rapid.ID).Draw(t, "wild") {
			s[i].Bytes += rapid.Int64Range(-1e12, 1e12).Draw(t, "by")
		}
		if !slices.IsSortedFunc(s, func(a, b Sample) int { return int(a.At - b.At) }) {
			t.Fatal("not in order")
		}
		if g, ok := Growth(s); !ok || math.Abs(g-24e6) > 12e6 {
			t.Fatalf("%.0f", g)
		}
	})
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	r := Retention{WarnDays: 90, BackupDays: 7, FreePercent: 10}
	for name, c := range map[string]struct {
		st   Status
		want []string
	}{
		"all well":   {Status{Free: 50, Used: 50, Backup: Backup{At: now.Add(-time.Hour)}}, nil},
		"no backup":  {Status{Free: 50, Used: 50}, []string{"no_backup"}},
		"everything": {Status{Free: 5, Used: 95, Fills: true, Days: 89, Backup: Backup{At: now.AddDate(0, 0, -8)}, Fault: errTest}, []string{"disk_soon", "disk_low", "old_backup", "not_sealed"}},
	} {
		c.st.At, c.st.Retention = now, r
		c.st.warn()
		if !slices.Equal(c.st.Warnings, c.want) {
			t.Errorf("%s: %v", name, c.st.Warnings)
		}
	}
}
