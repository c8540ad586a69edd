package lead

import (
	"math"
	"slices"
	"time"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
)

// Factor codes of HJ 212 that detectors know by their meaning.
const (
	oxygenCode   = "a19001"
	velocityCode = "a01011"
	tempCode     = "a01012"
	gasFlowCode  = "a00000"
	codCode      = "w01018"
	bodCode      = "w01017"
	nh3Code      = "w21003"
	tnCode       = "w21001"
)

// point is a valid hour mean.
type point struct {
	at int64
	v  float64
}

// values are the valid hour means of a factor in order of time.
func (in *Input) values(code string) []point {
	if got, ok := in.byCode[code]; ok {
		return got
	}
	out := make([]point, 0, len(in.Hours))
	for i := range in.Hours {
		if f := in.Hours[i].Factor(code); f != nil && f.Valid && f.Mean.OK && !in.Hours[i].Stopped {
			out = append(out, point{in.Hours[i].At, f.Mean.V})
		}
	}
	if in.byCode == nil {
		in.byCode = map[string][]point{}
	}
	in.byCode[code] = out
	return out
}

// pollutants are the codes with hours in the window that are no parameters of gas
// or water, which may rest or swing by themselves.
func (in *Input) pollutants() []string {
	var out []string
	for i := range in.Hours {
		for k := range in.Hours[i].Factors {
			code := in.Hours[i].Factors[k].Code
			if !slices.Contains(in.aside, code) && !slices.Contains(out, code) {
				out = append(out, code)
			}
		}
	}
	slices.Sort(out)
	return out
}

// registered is what the registry has of a factor, nil when nothing.
func (in *Input) registered(code string) *telemetry.OutletFactor {
	for i := range in.Outlet.Factors {
		if in.Outlet.Factors[i].Code == code {
			return &in.Outlet.Factors[i]
		}
	}
	return nil
}

// floor is the value up to which a factor says nothing: its detection limit, or 0.
func (in *Input) floor(code string) float64 {
	if f := in.registered(code); f != nil && f.DetectionLimit != nil {
		return max(0, *f.DetectionLimit)
	}
	return 0
}

// span is the measuring range of the registry; ok is false without one.
func (in *Input) span(code string) (lo, hi float64, ok bool) {
	f := in.registered(code)
	if f == nil || f.RangeHi == nil {
		return 0, 0, false
	}
	if f.RangeLo != nil {
		lo = *f.RangeLo
	}
	return lo, *f.RangeHi, *f.RangeHi > lo
}

// above are the values above the floor.
func (in *Input) above(code string) []point {
	floor := in.floor(code)
	all := in.values(code)
	out := make([]point, 0, len(all))
	for _, p := range all {
		if p.v > floor {
			out = append(out, p)
		}
	}
	return out
}

// loads are what tells how much the source produces, by hour: the flow, else the
// velocity of the gas; nil where neither is known.
func (in *Input) loads() map[int64]float64 {
	if in.loaded {
		return in.load
	}
	in.loaded = true
	m := map[int64]float64{}
	for i := range in.Hours {
		if f := in.Hours[i].Flow; f.OK && f.V > 0 {
			m[in.Hours[i].At] = f.V
		}
	}
	if len(m) == 0 {
		for _, p := range in.values(velocityCode) {
			if p.v > 0 {
				m[p.at] = p.v
			}
		}
	}
	if len(m) > 0 {
		in.load = m
	}
	return in.load
}

func floats(ps []point) []float64 {
	out := make([]float64, len(ps))
	for i := range ps {
		out[i] = ps[i].v
	}
	return out
}

// quantile of values in any order, by the nearest rank; NaN for none.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(values))
	return s[min(len(s)-1, int(q*float64(len(s))))]
}

func median(values []float64) float64 { return quantile(values, 0.5) }

// spread is the distance from the 5th to the 95th percentile: a spike of an hour
// does not make a flat line lively.
func spread(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(values))
	at := func(q float64) float64 { return s[min(len(s)-1, int(q*float64(len(s))))] }
	return at(0.95) - at(0.05)
}

// resolution is the smallest difference between two values: what an analyser rounds
// to. Values that are coarse for their level are flat, or alike, by rounding alone.
func resolution(ps []point) float64 {
	s := slices.Sorted(slices.Values(floats(ps)))
	best := math.Inf(1)
	for i := 1; i < len(s); i++ {
		if d := s[i] - s[i-1]; d > 0 && d < best {
			best = d
		}
	}
	return best
}

// steps are the changes from an hour to the next one, by the later hour.
func steps(ps []point) []point {
	out := make([]point, 0, len(ps))
	for i := 1; i < len(ps); i++ {
		if ps[i].at-ps[i-1].at == hourSeconds {
			out = append(out, point{ps[i].at, ps[i].v - ps[i-1].v})
		}
	}
	return out
}

// correlation is Pearson's, NaN where one side does not vary.
func correlation(x, y []float64) float64 {
	n := float64(len(x))
	var sx, sy float64
	for i := range x {
		sx, sy = sx+x[i], sy+y[i]
	}
	mx, my := sx/n, sy/n
	var xx, yy, xy float64
	for i := range x {
		dx, dy := x[i]-mx, y[i]-my
		xx, yy, xy = xx+dx*dx, yy+dy*dy, xy+dx*dy
	}
	if xx == 0 || yy == 0 {
		return math.NaN()
	}
	return min(1, xy/math.Sqrt(xx*yy)) // rounding
}

// clockHour is the hour of the day in Beijing time.
func clockHour(at int64) int { return int((at + beijing) % daySeconds / hourSeconds) }

func dayStart(at int64) int64 { return at - (at+beijing)%daySeconds }

func dateOf(at int64) string {
	return time.Unix(at+beijing, 0).UTC().Format(time.DateOnly)
}

// share of a valid hour's figure in the upper limit it is held against; 0 where
// there is no such limit.
func share(f *quality.FactorHour) float64 {
	if f == nil || !f.Valid || !f.Judged.OK || f.Limit.Op != "<=" || !f.Limit.Hi.OK || f.Limit.Hi.V <= 0 {
		return 0
	}
	return f.Judged.V / f.Limit.Hi.V
}

// running reports whether the gas itself says that the source runs: oxygen below
// that of air, where oxygen is measured at all.
func running(row *quality.HourRow, most float64) bool {
	if row.Stopped {
		return false
	}
	o2 := row.Factor(oxygenCode)
	return o2 == nil || o2.Valid && o2.Mean.OK && o2.Mean.V < most
}
