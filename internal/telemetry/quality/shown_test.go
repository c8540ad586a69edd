package quality

import "testing"

// TestShown: every page reads the figure that was judged.
func TestShown(t *testing.T) {
	t.Parallel()
	mean, folded, judged := Some(66.8), Some(70.2), Some(66.5)
	for basis, want := range map[Basis][2]Opt{
		BasisNone:           {mean, folded},
		BasisMean:           {mean, folded},
		BasisFolded:         {mean, folded},
		BasisReported:       {judged, folded},
		BasisReportedFolded: {mean, judged},
	} {
		h := FactorHour{Mean: mean, Folded: folded, Judged: judged, Basis: basis}
		d := FactorDay{Mean: mean, Folded: folded, Judged: judged, Basis: basis}
		if m, f := h.Shown(); m != want[0] || f != want[1] {
			t.Errorf("hour judged by %q shows %v, %v", basis, m, f)
		}
		if m, f := d.Shown(); m != want[0] || f != want[1] {
			t.Errorf("day judged by %q shows %v, %v", basis, m, f)
		}
	}
}
