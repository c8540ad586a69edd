package simulator

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"plateau/internal/testkit"
)

var update = flag.Bool("update", false, "rewrite estimates.csv from the shared data")

// sources says where each set comes from; it goes into the file.
var sources = map[string]string{
	"gt":        "UCI data set 551 (Kaya 2019, doi 10.3906/elk-1807-87): flue gas of a gas turbine, CC BY 4.0",
	"beijing":   "UCI data set 501 (Chen 2019): ambient air, Beijing, CC BY 4.0",
	"airq":      "UCI data set 360 (De Vito 2008): street analysers with outages, CC BY 4.0",
	"barcelona": "UCI data set 106 (Bejar 1993): urban sewage works, daily, CC BY 4.0",
	"melbourne": "Bagherzadeh 2021 (Mendeley Data): Eastern Treatment Plant inlet, daily, CC BY 4.0",
	"caina":     "CNEMC real-time page (public disclosure), Lhasa River at Caina, April 2021",
	"mirui":     "CNEMC real-time page (public disclosure), Yarlung Tsangpo at Mirui, November 2025",
}

// linear lists quantities that are not concentrations: their figures are of
// the value, not of its logarithm.
func linear(ref string) bool {
	return strings.HasSuffix(ref, "/ph") || strings.HasSuffix(ref, "/PH-S") || strings.HasSuffix(ref, "temp_c") || strings.HasSuffix(ref, "/TEY")
}

func estimateAll(r *Real) []Estimate {
	var out []Estimate
	for ref, c := range r.cols {
		e := EstimateColumn(ref, c, !linear(ref))
		for k, s := range sources {
			if strings.HasPrefix(ref, k) {
				e.Source = s
			}
		}
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b Estimate) int { return strings.Compare(a.Ref, b.Ref) })
	return out
}

func writeEstimates(es []Estimate) []byte {
	var b bytes.Buffer
	b.WriteString(`# Figures estimated from real series by EstimateColumn (estimate.go); "go test -run TestEstimates -update" rewrites this file.
# form log: sd and day_amp are of the natural logarithm. step_h, gap_mean_h, gap_max_h and peak_hour (local) in hours.
# Daily sets: days without a sample are bridged in a straight line and counted.
# median and q995 (99.5th percentile) in the source's unit. ac1: autocorrelation from one value to the next.
ref,form,step_h,n,median,q995,sd,ac1,day_amp,peak_hour,gap_share,gap_mean_h,gap_max_h,source
`)
	for _, e := range es {
		form := "log"
		if !e.Log {
			form = "lin"
		}
		fmt.Fprintf(&b, "%s,%s,%g,%d,%.4g,%.4g,%.4g,%.3f,%.4f,%.1f,%.4f,%.2f,%g,\"%s\"\n",
			e.Ref, form, e.Step, e.N, e.Median, e.Q995, e.SD, e.AC1, e.DayAmp, e.PeakHour, e.GapShare, e.GapMean, e.GapMax, e.Source)
	}
	return b.Bytes()
}

// TestEstimates holds estimates.csv against the real series it was made from.
func TestEstimates(t *testing.T) {
	t.Parallel()
	r, err := OpenReal(testkit.Shared(t))
	if err != nil {
		t.Fatal(err)
	}
	got := writeEstimates(estimateAll(r))
	if *update {
		if err := os.WriteFile("estimates.csv", got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(got, estimatesCSV) {
		t.Errorf("estimates.csv does not follow from the data; run: go test -run TestEstimates -update\n%s", got)
	}
}

// TestGeneratedLikeEstimate generates two years of a series and estimates them
// again: level, spread, daily cycle and gaps must come back.
func TestGeneratedLikeEstimate(t *testing.T) {
	t.Parallel()
	for _, ref := range []string{"gt/NOX", "beijing-gucheng/NO2", "airq/NO2_GT"} {
		e := estimates[ref]
		g := &generated{e: e, seed: 5, scale: 1, bias: 1}
		v := make([]float64, 24*730)
		for i := range v {
			x, gap := g.At(int64(i) - zone)
			if v[i] = x; gap > 0 {
				v[i] = math.NaN()
			}
		}
		got := EstimateColumn(ref, newColumn(v, 1), true)
		near := func(what string, got, want, tol float64) {
			t.Helper()
			if math.Abs(got-want) > tol {
				t.Errorf("%s: %s = %.3f, the estimate says %.3f (± %.3f)", ref, what, got, want, tol)
			}
		}
		near("ln median", math.Log(got.Median), math.Log(e.Median), 0.25)
		near("sd", got.SD, e.SD, 0.3*e.SD+0.02)
		near("day amplitude", got.DayAmp, e.DayAmp, 0.08)
		near("gap share", got.GapShare, e.GapShare, 0.3*e.GapShare+0.01)
		if got.Q995 > 1.6*e.Q995 {
			t.Errorf("%s: 99.5th percentile %.3g, the estimate says %.3g", ref, got.Q995, e.Q995)
		}
	}
}
