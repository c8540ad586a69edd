package lead

import (
	"math"
	"slices"

	"plateau/internal/telemetry/quality"
)

// jointJump: several pollutants change by a large factor in the same hour and the
// same direction while the load stays. Different substances come from different
// chemistry; what moves them all at once sits before the analysers: a valve, a leak,
// a diluted sample.
func jointJump(in *Input, p *params) (hits []Hit, looked bool) {
	load := in.loads()
	codes := in.pollutants()
	if load == nil || float64(len(codes)) < p.get("min_factors") {
		return nil, false
	}
	before := int(p.get("hours_before"))
	ratios := map[int64][]float64{}
	for _, code := range codes {
		ps := in.above(code)
		for i := before; i < len(ps); i++ {
			if ps[i].at-ps[i-1].at != hourSeconds || ps[i].at-ps[i-before].at > int64(before+2)*hourSeconds {
				continue
			}
			ratios[ps[i].at] = append(ratios[ps[i].at], ps[i].v/median(floats(ps[i-before:i])))
		}
	}
	var spans []Span
	var sizes, shifts []float64
	most := 0
	for at, rs := range ratios {
		if float64(len(rs)) < p.get("min_factors") {
			continue
		}
		was := make([]float64, 0, before)
		for b := 1; b <= before; b++ {
			if l, ok := load[at-int64(b)*hourSeconds]; ok {
				was = append(was, l)
			}
		}
		now, ok := load[at]
		if !ok || len(was) < before/2 {
			continue
		}
		looked = true
		shift := 100 * math.Abs(now/median(was)-1)
		up, down := 0, 0
		for _, r := range rs {
			if r >= p.get("min_ratio") {
				up++
			}
			if r <= 1/p.get("min_ratio") {
				down++
			}
		}
		n := max(up, down)
		if float64(n) < p.get("min_factors") || float64(n) < p.get("min_part_percent")/100*float64(len(rs)) || shift > p.get("max_load_percent") {
			continue
		}
		for i, r := range rs {
			rs[i] = max(r, 1/r)
		}
		most = max(most, n)
		spans, sizes, shifts = append(spans, hour(at)), append(sizes, median(rs)), append(shifts, shift)
	}
	if float64(len(spans)) < p.get("min_events") {
		return nil, looked
	}
	return []Hit{{Factor: codes[0], Other: codes[1], Spans: spans, Score: strength(1+float64(len(spans))/p.get("min_events"), median(sizes)/p.get("min_ratio")), Figures: []Figure{
		{Key: "events", Value: float64(len(spans)), Op: ">=", Against: p.get("min_events")},
		{Key: "factors", Value: float64(most), Op: ">=", Against: p.get("min_factors")},
		{Key: "times_apart", Value: median(sizes), Op: ">=", Against: p.get("min_ratio")},
		{Key: "load_shift", Value: median(shifts), Unit: "%", Op: "<=", Against: p.get("max_load_percent")},
	}}}, looked
}

// oxygenStopped: oxygen says that the furnace stands still, while at least two other
// things say that it runs as usual. What is usual is the median of hours in which
// oxygen says so, too.
func oxygenStopped(in *Input, p *params) (hits []Hit, looked bool) {
	witnesses := append([]string{velocityCode, tempCode}, in.pollutants()...)
	usual := map[string][]float64{}
	still := 0
	for i := range in.Hours {
		row := &in.Hours[i]
		o2 := row.Factor(oxygenCode)
		if o2 == nil || !o2.Valid || !o2.Mean.OK || row.Stopped {
			continue
		}
		if o2.Mean.V >= p.get("stopped_oxygen") {
			still++
			continue
		}
		for _, code := range witnesses {
			if f := row.Factor(code); f != nil && f.Valid && f.Mean.OK {
				usual[code] = append(usual[code], f.Mean.V)
			}
		}
	}
	level := map[string]float64{}
	for code, vs := range usual {
		if float64(len(vs)) >= p.get("min_running_hours") {
			level[code] = median(vs)
		}
	}
	if len(level) < 2 {
		return nil, false
	}
	var spans []Span
	most := 0
	for i := range in.Hours {
		row := &in.Hours[i]
		o2 := row.Factor(oxygenCode)
		if o2 == nil || !o2.Valid || !o2.Mean.OK || o2.Mean.V < p.get("stopped_oxygen") || row.Stopped {
			continue
		}
		say := 0
		for code, l := range level {
			if f := row.Factor(code); f != nil && f.Valid && f.Mean.OK && l > in.floor(code) && f.Mean.V >= p.get("usual_percent")/100*l {
				say++
			}
		}
		if float64(say) >= p.get("min_witnesses") {
			most = max(most, say)
			spans = append(spans, hour(row.At))
		}
	}
	if float64(len(spans)) < p.get("min_hours") {
		return nil, true
	}
	return []Hit{{Factor: oxygenCode, Spans: spans, Score: strength(float64(len(spans))/p.get("min_hours"), float64(most)), Figures: []Figure{
		{Key: "oxygen", Value: p.get("stopped_oxygen"), Unit: "%"},
		{Key: "odd_hours", Value: float64(len(spans)), Unit: "h", Op: ">=", Against: p.get("min_hours")},
		{Key: "witnesses", Value: float64(most), Op: ">=", Against: p.get("min_witnesses")},
		{Key: "still_hours", Value: float64(still), Unit: "h"},
	}}}, true
}

// slowGas: the gas is slower than a part of the meter's range in hours in which
// oxygen says that the source runs: at that end a differential-pressure meter
// measures mostly its own error, and the emission comes out too small.
func slowGas(in *Input, p *params) (hits []Hit, looked bool) {
	_, hi, ok := in.span(velocityCode)
	if !ok {
		return nil, false
	}
	var spans []Span
	var slow []float64
	n := 0
	for i := range in.Hours {
		row := &in.Hours[i]
		f := row.Factor(velocityCode)
		if f == nil || !f.Valid || !f.Mean.OK || row.Factor(oxygenCode) == nil || !running(row, p.get("running_oxygen")) {
			continue
		}
		n++
		if f.Mean.V < p.get("range_percent")/100*hi {
			spans, slow = append(spans, hour(row.At)), append(slow, f.Mean.V)
		}
	}
	if float64(n) < p.get("min_running_hours") {
		return nil, false
	}
	part := 100 * float64(len(slow)) / float64(n)
	if float64(len(slow)) < p.get("min_hours") || part < p.get("min_part_percent") {
		return nil, true
	}
	return []Hit{{Factor: velocityCode, Spans: spans, Score: strength(float64(len(slow))/p.get("min_hours"), part/p.get("min_part_percent")), Figures: []Figure{
		{Key: "odd_hours", Value: float64(len(slow)), Unit: "h", Op: ">=", Against: p.get("min_hours")},
		{Key: "part", Value: part, Unit: "%", Op: ">=", Against: p.get("min_part_percent")},
		{Key: "velocity", Value: median(slow), Unit: "m/s", Op: "<", Against: p.get("range_percent") / 100 * hi},
		{Key: "running_hours", Value: float64(n), Unit: "h"},
	}}}, true
}

// noFlow: pollutants are measured as usual, but the flow is zero or has no value
// though nothing was marked: the emission of such hours is nothing.
func noFlow(in *Input, p *params) (hits []Hit, looked bool) {
	code := gasFlowCode
	if in.registered(code) == nil {
		if code = velocityCode; in.registered(code) == nil {
			return nil, false
		}
	}
	pollutants := in.pollutants()
	var spans []Span
	flowing := 0
	for i := range in.Hours {
		row := &in.Hours[i]
		if !running(row, p.get("running_oxygen")) {
			continue
		}
		if row.Flow.OK && row.Flow.V > 0 {
			flowing++
			continue
		}
		f := row.Factor(code)
		if f != nil && f.Flag != "N" && f.Flag != "Md" { // somebody said why
			continue
		}
		if !slices.ContainsFunc(pollutants, func(c string) bool {
			x := row.Factor(c)
			return x != nil && x.Valid && x.Mean.OK && x.Mean.V > in.floor(c)
		}) {
			continue
		}
		spans = append(spans, hour(row.At))
	}
	if float64(flowing) < p.get("min_flowing_hours") {
		return nil, false
	}
	if float64(len(spans)) < p.get("min_hours") {
		return nil, true
	}
	return []Hit{{Factor: code, Spans: spans, Score: strength(float64(len(spans)) / p.get("min_hours")), Figures: []Figure{
		{Key: "odd_hours", Value: float64(len(spans)), Unit: "h", Op: ">=", Against: p.get("min_hours")},
		{Key: "flowing_hours", Value: float64(flowing), Unit: "h"},
	}}}, true
}

// nh3OverTN: ammonia nitrogen is a part of total nitrogen.
func nh3OverTN(in *Input, p *params) ([]Hit, bool) { return partOverWhole(in, p, nh3Code, tnCode) }

// codUnderBOD: what bacteria can take up is a part of what can be oxidised.
func codUnderBOD(in *Input, p *params) ([]Hit, bool) { return partOverWhole(in, p, bodCode, codCode) }

// partOverWhole counts hours in which a part is larger than its whole by more than
// the tolerance of the two analysers; days where there are no hours of both.
func partOverWhole(in *Input, p *params, part, whole string) ([]Hit, bool) {
	type pair struct {
		s    Span
		a, b float64
	}
	var pairs []pair
	for i := range in.Hours {
		a, b := in.Hours[i].Factor(part), in.Hours[i].Factor(whole)
		if a != nil && b != nil && a.Valid && b.Valid && a.Mean.OK && b.Mean.OK {
			pairs = append(pairs, pair{hour(in.Hours[i].At), a.Mean.V, b.Mean.V})
		}
	}
	unit, least := "h", p.get("min_hours")
	if len(pairs) == 0 {
		unit, least = "d", p.get("min_days")
		for i := range in.Days {
			a, b := in.Days[i].Factor(part), in.Days[i].Factor(whole)
			if a != nil && b != nil && a.Valid && b.Valid && a.Mean.OK && b.Mean.OK {
				pairs = append(pairs, pair{Span{in.Days[i].At, in.Days[i].At + daySeconds}, a.Mean.V, b.Mean.V})
			}
		}
	}
	if float64(len(pairs)) < least {
		return nil, false
	}
	h := Hit{Factor: part, Other: whole}
	var excess []float64
	for _, x := range pairs {
		if x.a > in.floor(part) && x.a > x.b*(1+p.get("tolerance_percent")/100) && x.b >= 0 {
			h.Spans = append(h.Spans, x.s)
			excess = append(excess, 100*(x.a/max(x.b, 1e-9)-1))
		}
	}
	ofAll := 100 * float64(len(excess)) / float64(len(pairs))
	if float64(len(excess)) < least || ofAll < p.get("min_part_percent") {
		return nil, true
	}
	h.Score = strength(float64(len(excess))/least, ofAll/p.get("min_part_percent"), 1+median(excess)/p.get("tolerance_percent"))
	h.Figures = []Figure{
		{Key: "odd_times", Value: float64(len(excess)), Unit: unit, Op: ">=", Against: least},
		{Key: "part", Value: ofAll, Unit: "%", Op: ">=", Against: p.get("min_part_percent")},
		{Key: "excess", Value: min(median(excess), 9999), Unit: "%", Op: ">", Against: p.get("tolerance_percent")},
		{Key: "pairs", Value: float64(len(pairs)), Unit: unit},
	}
	return []Hit{h}, true
}

// movingTogether: the changes from hour to hour are those of another outlet of the
// same enterprise. Two stacks of one plant follow one load, but not its noise. The
// lead stands at the outlet with the smaller number, once for each pair and factor.
func movingTogether(in *Input, p *params) (hits []Hit, looked bool) {
	for _, code := range in.pollutants() {
		own := steps(in.above(code))
		if float64(len(own)) < p.get("min_pairs") {
			continue
		}
		by := make(map[int64]float64, len(own))
		for _, d := range own {
			by[d.at] = d.v
		}
		for _, peer := range in.Peers {
			if peer.Outlet.ID <= in.Outlet.ID {
				continue
			}
			peer.aside = in.aside
			var x, y []float64
			var from, to int64
			for _, d := range steps(peer.above(code)) {
				if v, ok := by[d.at]; ok {
					if len(x) == 0 {
						from = d.at
					}
					to = d.at + hourSeconds
					x, y = append(x, v), append(y, d.v)
				}
			}
			if float64(len(x)) < p.get("min_pairs") {
				continue
			}
			looked = true
			r := correlation(x, y)
			if math.IsNaN(r) || r < p.get("min_correlation") {
				continue
			}
			hits = append(hits, Hit{Factor: code, Peer: peer.Outlet.ID, Spans: []Span{{from, to}}, Score: strength((1 - p.get("min_correlation")) / max(1-r, 1e-3)), Figures: []Figure{
				{Key: "correlation", Value: r, Op: ">=", Against: p.get("min_correlation")},
				{Key: "pairs", Value: float64(len(x)), Op: ">=", Against: p.get("min_pairs")},
			}})
		}
	}
	return hits, looked
}

// clockOff: the logger's clock was off by more than a bound, again and again. A
// clock that is wrong moves values out of the hour they belong to.
func clockOff(in *Input, p *params) ([]Hit, bool) {
	if float64(len(in.Clock)) < p.get("min_looks") {
		return nil, false
	}
	h := Hit{}
	var off []float64
	for i, c := range in.Clock {
		if math.Abs(c.Seconds) <= p.get("max_seconds") {
			continue
		}
		off = append(off, math.Abs(c.Seconds))
		to := c.At + hourSeconds
		if i+1 < len(in.Clock) {
			to = min(in.Clock[i+1].At, c.At+daySeconds)
		}
		h.Spans = append(h.Spans, Span{c.At, max(to, c.At+60)})
	}
	part := 100 * float64(len(off)) / float64(len(in.Clock))
	if float64(len(off)) < p.get("min_looks") || part < p.get("min_part_percent") {
		return nil, true
	}
	h.Score = strength(median(off)/p.get("max_seconds"), part/p.get("min_part_percent"))
	h.Figures = []Figure{
		{Key: "clock_off", Value: median(off), Unit: "s", Op: ">", Against: p.get("max_seconds")},
		{Key: "looks", Value: float64(len(off)), Op: ">=", Against: p.get("min_looks")},
		{Key: "part", Value: part, Unit: "%", Op: ">=", Against: p.get("min_part_percent")},
	}
	return []Hit{h}, true
}

// folding: what the logger folded differs from the same mean folded anew.
func folding(in *Input, p *params) ([]Hit, bool) {
	return differs(in, p, func(f *quality.FactorHour) (said, own quality.Opt) {
		return f.Reported.ZsAvg, f.Folded
	})
}

// reported: the hour mean of the logger differs from that of its own minutes.
func reported(in *Input, p *params) ([]Hit, bool) {
	return differs(in, p, func(f *quality.FactorHour) (said, own quality.Opt) {
		return f.Reported.Avg, f.Mean
	})
}

// differs counts the valid hours of minutes in which what was said is away from
// what follows from the minutes, and how often the difference goes one way: errors
// scatter, a hand does not.
func differs(in *Input, p *params, of func(f *quality.FactorHour) (said, own quality.Opt)) (hits []Hit, looked bool) {
	for _, code := range in.pollutants() {
		h := Hit{Factor: code}
		var diffs []float64
		n, low, saved := 0, 0, 0
		for i := range in.Hours {
			f := in.Hours[i].Factor(code)
			if f == nil || !f.Valid || in.Hours[i].Source != quality.SourceMinute || !f.Reported.There {
				continue
			}
			said, own := of(f)
			if !said.OK || !own.OK || math.Abs(own.V) <= in.floor(code) {
				continue
			}
			n++
			d := 100 * (said.V - own.V) / math.Abs(own.V)
			if math.Abs(d) <= p.get("tolerance_percent") {
				continue
			}
			diffs = append(diffs, math.Abs(d))
			h.Spans = append(h.Spans, hour(in.Hours[i].At))
			if d < 0 {
				low++
			}
			if l := f.Limit; l.Op == "<=" && l.Hi.OK && own.V > l.Hi.V && said.V <= l.Hi.V {
				saved++
			}
		}
		if float64(n) < p.get("min_values") {
			continue
		}
		looked = true
		part := 100 * float64(len(diffs)) / float64(n)
		if float64(len(diffs)) < p.get("min_hours") || part < p.get("min_part_percent") {
			continue
		}
		h.Score = strength(float64(len(diffs))/p.get("min_hours"), part/p.get("min_part_percent"), median(diffs)/p.get("tolerance_percent"))
		h.Figures = []Figure{
			{Key: "odd_hours", Value: float64(len(diffs)), Unit: "h", Op: ">=", Against: p.get("min_hours")},
			{Key: "part", Value: part, Unit: "%", Op: ">=", Against: p.get("min_part_percent")},
			{Key: "difference", Value: median(diffs), Unit: "%", Op: ">", Against: p.get("tolerance_percent")},
			{Key: "said_less", Value: float64(low), Unit: "h"},
			{Key: "under_limit_by_it", Value: float64(saved), Unit: "h"},
			{Key: "hours", Value: float64(n), Unit: "h"},
		}
		hits = append(hits, h)
	}
	return hits, looked
}

// thinMeans: the logger published an hour mean with mark N, though fewer minutes
// came than a valid hour needs. Minutes are lost for all factors of an outlet at
// once, so the hours of all are one lead, drawn by the factor with most of them.
func thinMeans(in *Input, p *params) ([]Hit, bool) {
	h := Hit{}
	var had []float64
	n := 0
	by := map[string]int{}
	codes := in.pollutants()
	for i := range in.Hours {
		row := &in.Hours[i]
		if row.Source != quality.SourceMinute {
			continue
		}
		told, thin := false, 0
		for _, code := range codes {
			f := row.Factor(code)
			if f == nil || !f.Reported.There || f.NExpected == 0 {
				continue
			}
			told = true
			if f.Valid || f.NValid == 0 || f.Reported.Flag != "N" || !f.Reported.Avg.OK || float64(f.NValid) >= p.get("min_minutes") {
				continue
			}
			if by[code]++; thin == 0 || f.NValid < thin {
				thin = f.NValid
			}
		}
		if told {
			n++
		}
		if thin > 0 {
			had = append(had, float64(thin))
			h.Spans = append(h.Spans, hour(row.At))
		}
	}
	if float64(n) < p.get("min_values") {
		return nil, false
	}
	part := 100 * float64(len(had)) / float64(n)
	if float64(len(had)) < p.get("min_hours") || part < p.get("min_part_percent") {
		return nil, true
	}
	for _, code := range codes {
		if h.Factor == "" || by[code] > by[h.Factor] {
			h.Factor = code
		}
	}
	h.Score = strength(float64(len(had))/p.get("min_hours"), part/p.get("min_part_percent"))
	h.Figures = []Figure{
		{Key: "odd_hours", Value: float64(len(had)), Unit: "h", Op: ">=", Against: p.get("min_hours")},
		{Key: "part", Value: part, Unit: "%", Op: ">=", Against: p.get("min_part_percent")},
		{Key: "minutes", Value: median(had), Unit: "min", Op: "<", Against: p.get("min_minutes")},
		{Key: "hours", Value: float64(n), Unit: "h"},
	}
	return []Hit{h}, true
}
