package lead

import (
	"slices"

	"plateau/internal/telemetry/quality"
)

// stretch is a run of hours of one kind.
type stretch struct{ from, to int64 }

// runs joins the hours of the window for which is holds.
func runs(in *Input, is func(at int64, row *quality.HourRow) bool) (out []stretch) {
	rows := make(map[int64]*quality.HourRow, len(in.Hours))
	for i := range in.Hours {
		rows[in.Hours[i].At] = &in.Hours[i]
	}
	for at := in.From; at < in.To; at += hourSeconds {
		if !is(at, rows[at]) {
			continue
		}
		if n := len(out); n > 0 && out[n-1].to == at {
			out[n-1].to += hourSeconds
		} else {
			out = append(out, stretch{at, at + hourSeconds})
		}
	}
	return out
}

// instrument are the marks that take hours out of the judgement for the sake of the
// instrument, not of the source.
var instrument = []string{"M", "C", "D", "B"}

// marksOver: hours marked for the instrument's sake begin or end where the figure is
// near its limit or over it, far more often than any hour of the month does.
func marksOver(in *Input, p *params) (hits []Hit, looked bool) {
	for _, code := range in.pollutants() {
		list := runs(in, func(_ int64, row *quality.HourRow) bool {
			if row == nil {
				return false
			}
			f := row.Factor(code)
			return f != nil && !f.Valid && slices.Contains(instrument, f.Flag)
		})
		h, ok := besideLimit(in, p, code, list, "marks")
		looked = looked || ok
		if h != nil {
			hits = append(hits, *h)
		}
	}
	return hits, looked
}

// gapsOver: the same for hours of which nothing came.
func gapsOver(in *Input, p *params) (hits []Hit, looked bool) {
	if len(in.Hours) == 0 {
		return nil, false
	}
	first, last := in.Hours[0].At, in.Hours[len(in.Hours)-1].At
	for _, code := range in.pollutants() {
		list := runs(in, func(at int64, row *quality.HourRow) bool {
			if at < first || at > last || row != nil && row.Stopped {
				return false
			}
			if row == nil {
				return true
			}
			f := row.Factor(code)
			return f == nil || f.NSeen == 0 && f.NExpected > 0
		})
		h, ok := besideLimit(in, p, code, list, "gaps")
		looked = looked || ok
		if h != nil {
			hits = append(hits, *h)
		}
	}
	return hits, looked
}

// besideLimit counts the runs that have a figure near the limit or over it as their
// last hour before or their first one after. By chance a run has one on either side
// as often as two hours of the month do; the lead is how many times more often that
// is.
func besideLimit(in *Input, p *params, code string, list []stretch, key string) (*Hit, bool) {
	near := map[int64]bool{}
	n, high := 0, 0
	for i := range in.Hours {
		s := share(in.Hours[i].Factor(code))
		if s == 0 {
			continue
		}
		n++
		if s >= p.get("near_percent")/100 {
			high++
			near[in.Hours[i].At] = true
		}
	}
	if n == 0 || float64(len(list)) < p.get("min_runs") {
		return nil, n > 0
	}
	h := &Hit{Factor: code}
	for _, r := range list {
		if near[r.from-hourSeconds] || near[r.to] {
			h.Spans = append(h.Spans, Span{r.from, r.to})
		}
	}
	base := float64(high) / float64(n)
	chance := max(1-(1-base)*(1-base), 1/float64(n))
	part := float64(len(h.Spans)) / float64(len(list))
	if float64(len(h.Spans)) < p.get("min_runs") || 100*part < p.get("min_part_percent") || part/chance < p.get("min_times") {
		return nil, true
	}
	h.Score = strength(part/chance/p.get("min_times"), float64(len(h.Spans))/p.get("min_runs"))
	h.Figures = []Figure{
		{Key: key, Value: float64(len(list))},
		{Key: key + "_beside", Value: float64(len(h.Spans)), Op: ">=", Against: p.get("min_runs")},
		{Key: "part", Value: 100 * part, Unit: "%", Op: ">=", Against: p.get("min_part_percent")},
		{Key: "chance", Value: 100 * chance, Unit: "%"},
		{Key: "times_chance", Value: part / chance, Op: ">=", Against: p.get("min_times")},
		{Key: "near_limit", Value: p.get("near_percent"), Unit: "%"},
	}
	return h, true
}

// calibrationNight: calibrations nearly all begin by night, at changing hours. An
// analyser that calibrates itself does so at one hour: that is a schedule and no
// lead.
func calibrationNight(in *Input, p *params) ([]Hit, bool) {
	list := runs(in, func(_ int64, row *quality.HourRow) bool {
		return row != nil && slices.ContainsFunc(row.Factors, func(f quality.FactorHour) bool { return f.Flag == "C" })
	})
	if float64(len(list)) < p.get("min_runs") {
		return nil, len(list) > 0
	}
	h := Hit{}
	var at [24]int
	for _, r := range list {
		c := clockHour(r.from)
		at[c]++
		if c >= 22 || c < 6 {
			h.Spans = append(h.Spans, Span{r.from, r.to})
		}
	}
	n := float64(len(list))
	part := 100 * float64(len(h.Spans)) / n
	usual := 100 * float64(slices.Max(at[:])) / n
	if part < p.get("min_part_percent") || usual > p.get("max_same_hour_percent") {
		return nil, true
	}
	h.Score = strength(float64(len(h.Spans))/p.get("min_runs"), 1+part/p.get("min_part_percent"))
	h.Figures = []Figure{
		{Key: "calibrations", Value: n, Op: ">=", Against: p.get("min_runs")},
		{Key: "part", Value: part, Unit: "%", Op: ">=", Against: p.get("min_part_percent")},
		{Key: "chance", Value: 100.0 / 3, Unit: "%"},
		{Key: "same_hour", Value: usual, Unit: "%", Op: "<=", Against: p.get("max_same_hour_percent")},
	}
	for i := range in.Hours { // the first factor that was calibrated, to draw
		for k := range in.Hours[i].Factors {
			if f := &in.Hours[i].Factors[k]; f.Flag == "C" && h.Factor == "" && slices.Contains(in.pollutants(), f.Code) {
				h.Factor = f.Code
			}
		}
	}
	return []Hit{h}, true
}
