package lead

import (
	"math"
	"slices"

	"plateau/internal/telemetry/quality"
)

// nearLimit: figures piled up in a narrow band below the limit, hardly any above
// it, and far fewer in the band below. A distribution that nobody holds back is
// about as dense on both sides of the band, wherever the limit happens to lie.
func nearLimit(in *Input, p *params) (hits []Hit, looked bool) {
	band := p.get("band_percent") / 100
	for _, code := range in.pollutants() {
		var in0, below, over, n int
		var spans []Span
		limit := quality.Opt{}
		for i := range in.Hours {
			f := in.Hours[i].Factor(code)
			s := share(f)
			if s == 0 {
				continue
			}
			n++
			limit = f.Limit.Hi
			switch {
			case s > 1 && s <= 1+band:
				over++
			case s <= 1 && s > 1-band:
				in0++
				spans = append(spans, hour(in.Hours[i].At))
			case s <= 1-band && s > 1-2*band:
				below++
			}
		}
		if float64(n) < p.get("min_values") {
			continue
		}
		looked = true
		times := float64(in0) / float64(below+1)
		if float64(in0) < p.get("min_hours") || times < p.get("min_times") || float64(over) > p.get("max_over_percent")/100*float64(in0) {
			continue
		}
		hits = append(hits, Hit{Factor: code, Spans: spans, Score: strength(float64(in0)/p.get("min_hours"), times/p.get("min_times")), Figures: []Figure{
			{Key: "limit", Value: limit.V, Unit: "unit"},
			{Key: "in_band", Value: float64(in0), Unit: "h", Op: ">=", Against: p.get("min_hours")},
			{Key: "below_band", Value: float64(below), Unit: "h"},
			{Key: "times_denser", Value: times, Op: ">=", Against: p.get("min_times")},
			{Key: "above_limit", Value: float64(over), Unit: "h", Op: "<=", Against: p.get("max_over_percent") / 100 * float64(in0)},
			{Key: "hours", Value: float64(n), Unit: "h"},
		}})
	}
	return hits, looked
}

// lowVariation: hour means that hardly move, measured by the analyser's range and
// by their own level, while the load of the source does. Spread is from the 5th to
// the 95th percentile, so that one spike does not hide a flat month.
func lowVariation(in *Input, p *params) (hits []Hit, looked bool) {
	load := spreadOfLoad(in)
	for _, code := range in.pollutants() {
		lo, hi, ok := in.span(code)
		ps := in.above(code)
		if !ok || float64(len(ps)) < p.get("min_hours") {
			continue
		}
		looked = true
		values := floats(ps)
		wide, level := spread(values), median(values)
		ofRange, ofLevel := 100*wide/(hi-lo), 100*wide/level
		if ofRange >= p.get("max_range_percent") || ofLevel >= p.get("max_level_percent") || !math.IsNaN(load) && load < p.get("min_load_percent") {
			continue
		}
		h := Hit{Factor: code, Spans: spansOf(ps), Figures: []Figure{
			{Key: "spread_of_range", Value: ofRange, Unit: "%", Op: "<", Against: p.get("max_range_percent")},
			{Key: "spread_of_level", Value: ofLevel, Unit: "%", Op: "<", Against: p.get("max_level_percent")},
			{Key: "median", Value: level, Unit: "unit"},
			{Key: "hours", Value: float64(len(ps)), Unit: "h", Op: ">=", Against: p.get("min_hours")},
		}}
		if !math.IsNaN(load) {
			h.Figures = append(h.Figures, Figure{Key: "spread_of_load", Value: load, Unit: "%", Op: ">=", Against: p.get("min_load_percent")})
		}
		h.Score = strength(p.get("max_range_percent")/max(ofRange, 1e-3), p.get("max_level_percent")/max(ofLevel, 1e-3))
		hits = append(hits, h)
	}
	return hits, looked
}

// spreadOfLoad is how much the load moves, in percent of its median; NaN unknown.
func spreadOfLoad(in *Input) float64 {
	var values []float64
	for _, v := range in.loads() {
		values = append(values, v)
	}
	if len(values) == 0 {
		return math.NaN()
	}
	return 100 * spread(values) / median(values)
}

func spansOf(ps []point) []Span {
	out := make([]Span, len(ps))
	for i := range ps {
		out[i] = hour(ps[i].at)
	}
	return out
}

// flatTop: values piled up at one upper end, as a range that is locked low or a
// value that is cut off leaves them: many at the end, hardly any just below it. The
// end is that of the measuring range where values reach it, else the largest value.
func flatTop(in *Input, p *params) (hits []Hit, looked bool) {
	for _, code := range in.pollutants() {
		ps := in.above(code)
		if float64(len(ps)) < p.get("min_values") {
			continue
		}
		looked = true
		end := ps[0].v
		for _, x := range ps {
			end = max(end, x.v)
		}
		if _, hi, ok := in.span(code); ok && end >= hi*(1-p.get("band_percent")/100) {
			end = hi
		}
		band := p.get("band_percent") / 100 * end
		var top, below int
		var spans []Span
		for _, x := range ps {
			switch {
			case x.v >= end-band:
				top++
				spans = append(spans, hour(x.at))
			case x.v >= end-3*band: // twice as wide
				below++
			}
		}
		times := float64(top) / (float64(below)/2 + 1)
		level := median(floats(ps))
		reached := 0
		for i := range spans {
			if i == 0 || spans[i].From != spans[i-1].To {
				reached++
			}
		}
		if float64(top) < p.get("min_hours") || float64(reached) < p.get("min_runs") || times < p.get("min_times") || level > p.get("max_median_percent")/100*end {
			continue
		}
		hits = append(hits, Hit{Factor: code, Spans: spans, Score: strength(float64(top)/p.get("min_hours"), times/p.get("min_times")), Figures: []Figure{
			{Key: "end", Value: end, Unit: "unit"},
			{Key: "at_end", Value: float64(top), Unit: "h", Op: ">=", Against: p.get("min_hours")},
			{Key: "runs", Value: float64(reached), Op: ">=", Against: p.get("min_runs")},
			{Key: "below_end", Value: float64(below), Unit: "h"},
			{Key: "times_denser", Value: times, Op: ">=", Against: p.get("min_times")},
			{Key: "median", Value: level, Unit: "unit"},
			{Key: "hours", Value: float64(len(ps)), Unit: "h"},
		}})
	}
	return hits, looked
}

// jumpThenFlat: a step away from the median of the hours before, behind which the
// value stands still. Before the step it must have moved, else it was flat already.
func jumpThenFlat(in *Input, p *params) (hits []Hit, looked bool) {
	before, flat := int(p.get("hours_before")), int(p.get("min_flat_hours"))
	for _, code := range in.pollutants() {
		ps := in.values(code)
		if len(ps) < before+flat {
			continue
		}
		looked = true
		floor, fine := in.floor(code), resolution(ps)
		best, bestLen := Hit{}, 0
		for i := before; i+flat <= len(ps); i++ {
			level := ps[i].v
			if level <= floor || 100*fine > p.get("max_resolution_percent")*level || ps[i].at-ps[i-before].at > int64(before+2)*hourSeconds {
				continue
			}
			was := floats(ps[i-before : i])
			from := median(was)
			if from <= floor {
				continue
			}
			step := 100 * math.Abs(level-from) / from
			if step < p.get("min_step_percent") || 100*(slices.Max(was)-slices.Min(was))/from < p.get("max_flat_percent") {
				continue
			}
			n, lo, hi := 1, level, level
			for ; i+n < len(ps) && ps[i+n].at == ps[i].at+int64(n)*hourSeconds; n++ {
				l, h := min(lo, ps[i+n].v), max(hi, ps[i+n].v)
				if 100*(h-l)/level > p.get("max_flat_percent") {
					break
				}
				lo, hi = l, h
			}
			if n < flat || n <= bestLen {
				continue
			}
			bestLen = n
			best = Hit{Factor: code, Spans: []Span{{ps[i].at, ps[i].at + int64(n)*hourSeconds}}, Score: strength(float64(n)/float64(flat), step/p.get("min_step_percent")), Figures: []Figure{
				{Key: "before", Value: from, Unit: "unit"},
				{Key: "after", Value: level, Unit: "unit"},
				{Key: "step", Value: step, Unit: "%", Op: ">=", Against: p.get("min_step_percent")},
				{Key: "flat_hours", Value: float64(n), Unit: "h", Op: ">=", Against: float64(flat)},
				{Key: "flat_spread", Value: 100 * (hi - lo) / level, Unit: "%", Op: "<=", Against: p.get("max_flat_percent")},
			}}
		}
		if bestLen > 0 {
			hits = append(hits, best)
		}
	}
	return hits, looked
}

// tooSmooth: changes of the change, held against the changes themselves. Noise and
// a random walk have about 1.7 and 1.4; a drawn curve or a straight line between two
// values has next to nothing. A ratio of means of absolute values needs no model and
// is not upset by single spikes.
func tooSmooth(in *Input, p *params) (hits []Hit, looked bool) {
	for _, code := range in.pollutants() {
		ps := in.above(code)
		var first, second float64
		var n int
		var spans []Span
		for i := 2; i < len(ps); i++ {
			if ps[i].at-ps[i-2].at != 2*hourSeconds {
				continue
			}
			d1, d2 := ps[i-1].v-ps[i-2].v, ps[i].v-ps[i-1].v
			if d1 == 0 && d2 == 0 {
				continue // standing still is another matter
			}
			n++
			first += (math.Abs(d1) + math.Abs(d2)) / 2
			second += math.Abs(d2 - d1)
			spans = append(spans, Span{ps[i-2].at, ps[i].at + hourSeconds})
		}
		if float64(n) < p.get("min_hours") || first == 0 {
			continue
		}
		looked = true
		rough := second / first
		if rough >= p.get("max_roughness") {
			continue
		}
		hits = append(hits, Hit{Factor: code, Spans: spans, Score: strength(p.get("max_roughness") / max(rough, 1e-3)), Figures: []Figure{
			{Key: "roughness", Value: rough, Op: "<", Against: p.get("max_roughness")},
			{Key: "step_mean", Value: first / float64(n), Unit: "unit"},
			{Key: "hours", Value: float64(n), Unit: "h", Op: ">=", Against: p.get("min_hours")},
		}})
	}
	return hits, looked
}

// periodic: the changes from hour to hour come again after a fixed number of hours.
// Changes are taken, not values, because a slow drift makes all values alike; a
// daily rhythm of people and plants leaves far more of them to chance.
func periodic(in *Input, p *params) (hits []Hit, looked bool) {
	first, last := int(p.get("first_lag")), int(p.get("last_lag"))
	for _, code := range in.pollutants() {
		ds := steps(in.above(code))
		if float64(len(ds)) < p.get("min_pairs") {
			continue
		}
		// On a grid of hours, so that a lag is an index.
		grid := make([]float64, (in.To-in.From)/hourSeconds)
		for i := range grid {
			grid[i] = math.NaN()
		}
		for _, d := range ds {
			if k := (d.at - in.From) / hourSeconds; k >= 0 && k < int64(len(grid)) {
				grid[k] = d.v
			}
		}
		bestLag, best, pairs := 0, math.NaN(), 0
		for lag := first; lag <= last; lag++ {
			r, n := autocorrelation(grid, lag)
			// What comes again after a day does so after two: the shortest one counts.
			if float64(n) >= p.get("min_pairs") && !math.IsNaN(r) && (math.IsNaN(best) || r > best+0.02) {
				bestLag, best, pairs = lag, r, n
			}
		}
		if bestLag == 0 {
			continue
		}
		looked = true
		if best < p.get("min_correlation") {
			continue
		}
		// From the threshold to 1 there is little room: how much of what is left to
		// chance is gone tells the strength.
		hits = append(hits, Hit{Factor: code, Spans: []Span{{ds[0].at - hourSeconds, ds[len(ds)-1].at + hourSeconds}}, Score: strength((1 - p.get("min_correlation")) / max(1-best, 1e-3)), Figures: []Figure{
			{Key: "period", Value: float64(bestLag), Unit: "h"},
			{Key: "correlation", Value: best, Op: ">=", Against: p.get("min_correlation")},
			{Key: "pairs", Value: float64(pairs), Op: ">=", Against: p.get("min_pairs")},
		}})
	}
	return hits, looked
}

// autocorrelation of the pairs that are lag steps apart and both there.
func autocorrelation(grid []float64, lag int) (r float64, n int) {
	var sx, sy, xx, yy, xy float64
	for i := lag; i < len(grid); i++ {
		x, y := grid[i-lag], grid[i]
		if x != x || y != y { // NaN
			continue
		}
		n++
		sx, sy, xx, yy, xy = sx+x, sy+y, xx+x*x, yy+y*y, xy+x*y
	}
	if n < 2 {
		return math.NaN(), n
	}
	k := float64(n)
	vx, vy := xx-sx*sx/k, yy-sy*sy/k
	if vx <= 1e-12*xx || vy <= 1e-12*yy {
		return math.NaN(), n
	}
	return min(1, (xy-sx*sy/k)/math.Sqrt(vx*vy)), n
}

// copiedHours: runs of hour means that come again digit by digit. A few equal
// values happen; a run with several different ones does not.
func copiedHours(in *Input, p *params) (hits []Hit, looked bool) {
	run, distinct := int(p.get("run_hours")), int(p.get("min_distinct"))
	for _, code := range in.pollutants() {
		ps := in.above(code)
		if float64(len(ps)) < p.get("min_values") || spread(floats(ps))/resolution(ps) < p.get("min_steps") {
			continue
		}
		looked = true
		type seen struct{ at int64 }
		first := map[uint64]seen{}
		copied := map[int64]bool{}
		for i := 0; i+run <= len(ps); i++ {
			if ps[i+run-1].at-ps[i].at != int64(run-1)*hourSeconds {
				continue
			}
			sum, kinds := uint64(14695981039346656037), map[float64]bool{}
			for _, x := range ps[i : i+run] {
				sum = (sum ^ math.Float64bits(x.v)) * 1099511628211
				sum ^= sum >> 29
				kinds[x.v] = true
			}
			if len(kinds) < distinct {
				continue
			}
			if at, there := first[sum]; !there {
				first[sum] = seen{ps[i].at}
			} else if ps[i].at >= at.at+int64(run)*hourSeconds && sameRun(ps, at.at, i, run) {
				for _, x := range ps[i : i+run] {
					copied[x.at] = true
				}
			}
		}
		if float64(len(copied)) < p.get("min_hours") {
			continue
		}
		h := Hit{Factor: code, Score: strength(1 + float64(len(copied))/p.get("min_hours")), Figures: []Figure{
			{Key: "copied", Value: float64(len(copied)), Unit: "h", Op: ">=", Against: p.get("min_hours")},
			{Key: "run", Value: float64(run), Unit: "h"},
			{Key: "distinct", Value: float64(distinct), Op: ">=", Against: float64(distinct)},
			{Key: "hours", Value: float64(len(ps)), Unit: "h"},
		}}
		for at := range copied {
			h.Spans = append(h.Spans, hour(at))
		}
		hits = append(hits, h)
	}
	return hits, looked
}

// sameRun holds the values themselves against each other, since sums may agree by
// chance.
func sameRun(ps []point, at int64, i, run int) bool {
	k, ok := slices.BinarySearchFunc(ps, at, func(x point, at int64) int { return int(x.at - at) })
	if !ok || k+run > len(ps) {
		return false
	}
	for n := range run {
		if ps[k+n].v != ps[i+n].v {
			return false
		}
	}
	return true
}

// dayNight: day after day the concentration by night differs from that by day in the
// same direction, while the load is the same. Each day is one vote, so that a few
// odd days make no lead.
func dayNight(in *Input, p *params) (hits []Hit, looked bool) {
	load := in.loads()
	if load == nil {
		return nil, false
	}
	for _, code := range in.pollutants() {
		type half struct{ night, day, nightLoad, dayLoad []float64 }
		days := map[int64]*half{}
		for _, x := range in.above(code) {
			l, ok := load[x.at]
			if !ok {
				continue
			}
			// The night belongs to the day on which it ends.
			at, h := dayStart(x.at+2*hourSeconds), clockHour(x.at)
			d := days[at]
			if d == nil {
				d = &half{}
				days[at] = d
			}
			switch {
			case h >= 22 || h < 6:
				d.night, d.nightLoad = append(d.night, x.v), append(d.nightLoad, l)
			case h >= 8 && h < 20:
				d.day, d.dayLoad = append(d.day, x.v), append(d.dayLoad, l)
			}
		}
		var ratios, loads []float64
		var spans []Span
		for at, d := range days {
			if len(d.night) < 6 || len(d.day) < 6 {
				continue
			}
			ratios = append(ratios, median(d.night)/median(d.day))
			loads = append(loads, median(d.nightLoad)/median(d.dayLoad))
			spans = append(spans, Span{at - 2*hourSeconds, at + 6*hourSeconds})
		}
		if float64(len(ratios)) < p.get("min_days") {
			continue
		}
		looked = true
		ratio, loadRatio := median(ratios), median(loads)
		same := 0
		for _, r := range ratios {
			if (r > 1) == (ratio > 1) {
				same++
			}
		}
		times := max(ratio, 1/ratio)
		agree := 100 * float64(same) / float64(len(ratios))
		if times < p.get("min_times") || agree < p.get("min_agree_percent") || 100*math.Abs(loadRatio-1) > p.get("max_load_percent") {
			continue
		}
		hits = append(hits, Hit{Factor: code, Spans: spans, Score: strength(times / p.get("min_times")), Figures: []Figure{
			{Key: "night_to_day", Value: ratio},
			{Key: "times_apart", Value: times, Op: ">=", Against: p.get("min_times")},
			{Key: "agree", Value: agree, Unit: "%", Op: ">=", Against: p.get("min_agree_percent")},
			{Key: "load_night_to_day", Value: 100 * (loadRatio - 1), Unit: "%", Op: "<=", Against: p.get("max_load_percent")},
			{Key: "days", Value: float64(len(ratios)), Unit: "d", Op: ">=", Against: p.get("min_days")},
		}})
	}
	return hits, looked
}
