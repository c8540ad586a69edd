package simulator

import "math"

// sample is what the analysers of one outlet gave in one minute.
type sample struct {
	on   bool                // false: the logger recorded nothing
	v    [maxFactors]int64   // value × 10^decimals
	zs   [maxFactors]int64   // folded value × 10^decimals
	flag [maxFactors]byte    // HJ 212 mark
	none [maxFactors]bool    // no value came (mark B)
	fold bool                // zs is there for concentrations
	flow float64             // m3 in this minute
	mass [maxFactors]float64 // kg in this minute
}

// cursor evaluates a plant minute by minute. It keeps the means of three hours
// and the episode in force, so walking forward is cheap; any order is right.
type cursor struct {
	p     *Plant
	sched *schedule

	hour             int64
	loaded           bool
	last, this, next [maxFactors]mean // of the hour before, the hour, the hour after
	la, lb           float64          // load at the hour and at the next

	ep     episode
	epTo   int64
	epFrom int64
}

// mean is what a series gives for an hour.
type mean struct {
	v   float64
	gap int // length of the gap the hour lies in; 0 = none
}

// near is the mean of an hour beside one of mean v, which stands in for a gap.
func (a mean) near(v float64) float64 {
	if a.gap > 0 {
		return v
	}
	return a.v
}

func newCursor(p *Plant, s *schedule) *cursor {
	return &cursor{p: p, sched: s, epFrom: 1, epTo: 0}
}

func (c *cursor) episode(minute int64) episode {
	if minute >= c.epTo || minute < c.epFrom {
		c.ep, c.epTo = c.sched.at(c.p.index, minute)
		c.epFrom = minute
	}
	return c.ep
}

// load gets the means around an hour.
func (c *cursor) load(hour int64) {
	if c.loaded && hour == c.hour {
		return
	}
	forward := c.loaded && hour == c.hour+1
	for i := range c.p.factors {
		s := c.p.factors[i].series
		if s == nil {
			continue
		}
		if forward {
			c.last[i], c.this[i] = c.this[i], c.next[i]
		} else {
			c.last[i].v, c.last[i].gap = s.At(hour - 1)
			c.this[i].v, c.this[i].gap = s.At(hour)
		}
		c.next[i].v, c.next[i].gap = s.At(hour + 1)
	}
	if c.p.load != nil {
		c.la, _ = c.p.load.At(hour)
		c.lb, _ = c.p.load.At(hour + 1)
	}
	c.hour, c.loaded = hour, true
}

// at fills s with minute m (minutes since 1970).
func (c *cursor) at(m int64, s *sample) {
	p := c.p
	ep := c.episode(m)
	var ev incident
	if ep.role != stuck { // a hung analyser does not calibrate either
		ev = c.incident(m)
	}
	*s = sample{on: ep.role != powerOff && ev.kind != incidentGap}
	if !s.on {
		return
	}
	c.load(floorDiv(m, 60))
	minute := m - c.hour*60
	frac := (float64(minute) + 0.5) / 60
	load := clamp(c.la+(c.lb-c.la)*frac, 0.5, 1.1)
	// Uniform in [-1, 1]; minutes as far from the hour's start as from its end
	// are opposite, so that the noise leaves the hour's mean alone.
	pair, sign := minute, 1.0
	if minute >= 30 {
		pair, sign = 59-minute, -1
	}
	r := mix(p.seed ^ uint64(c.hour*60+pair)*0x2545f4914f6cdd1d)
	jitter := func(i int) float64 {
		return sign * (float64(mix(r+uint64(i)*0x9e37)>>40)/(1<<23) - 1)
	}
	fold := 1.0 // measured = folded × fold
	if p.o2 >= 0 {
		o2 := p.oxygenAt(load, jitter(p.o2), ep.role)
		s.v[p.o2] = scaled(o2, p.factors[p.o2].pow)
		o2 = float64(s.v[p.o2]) / p.factors[p.o2].pow // fold with what is sent
		if p.prof.refO2 > 0 && o2 < 20.5 {
			fold = (21 - o2) / (21 - p.prof.refO2)
			s.fold = true
		}
	}
	var temp, moist, press, vel float64
	for i := range p.factors {
		f := &p.factors[i]
		s.flag[i] = 'N'
		n := 1 + f.noise*jitter(i)
		x := 0.0
		switch f.q {
		case conc, plain, waterFlow:
			h := c.this[i]
			x = h.v * n
			if h.gap == 0 {
				x = within(c.last[i].near(h.v), h.v, c.next[i].near(h.v), frac) + h.v*(n-1)
				if h.v >= 0 {
					x = math.Max(x, 0)
				}
			}
			if f.q == conc {
				x = p.playRole(i, x, ep, m, n) * fold
			} else if ep.role == overPH && f.code == "w01001" {
				x = 9.25 + 0.3*float64(ep.pick&0xff)/255 + 0.05*jitter(i)
			}
			if h.gap > 2 {
				s.flag[i] = 'D'
			} else if h.gap > 0 {
				s.flag[i], s.none[i] = 'B', true
			}
		case oxygen:
			continue
		case velocity:
			x = f.base * load * n
			vel = x
		case stackTemp:
			x = f.base * (0.8 + 0.2*load) * n
			temp = x
		case pressure:
			x = f.base * n
			press = x
		case humidity:
			x = f.base * n
			moist = x
		case gasFlow: // computed below
		case waterTemp:
			x = f.base * (1 + 0.25*math.Sin(2*math.Pi*(float64(m)/1440-110)/365.25)) * n
		}
		s.v[i] = scaled(x, f.pow)
	}
	c.applyMarks(m, s, ep, ev, jitter)
	if p.flow >= 0 {
		p.flowAndMass(s, vel, temp, press, moist, ep.role == stopped)
	}
	if s.fold {
		p.foldAll(s, ep)
	}
}

// oxygenAt generates stack oxygen: less load, more air.
func (p *Plant) oxygenAt(load, jitter float64, r role) float64 {
	f := &p.factors[p.o2]
	if r == stuck {
		return f.base
	}
	if r == stopped {
		return 20.85 + 0.05*jitter
	}
	return clamp(f.base+(0.85-load)*2.5, 0.5, 20) * (1 + f.noise*jitter)
}

// target picks the limited factor that a role plays with.
func (p *Plant) target(ep episode) int {
	if len(p.limited) == 0 {
		return -1
	}
	return p.limited[ep.pick>>8%uint64(len(p.limited))]
}

// playRole changes the folded (gas) or plain (water) concentration x of factor
// i as the episode asks; texture is the minute's own relative noise.
func (p *Plant) playRole(i int, x float64, ep episode, m int64, texture float64) float64 {
	f := &p.factors[i]
	if ep.role == stuck { // all that the hung analyser measures stands still
		return math.Max(f.limit, f.hi/50) * (0.2 + 0.25*unit(mix(ep.pick+uint64(i))))
	}
	if ep.role == normal || i != p.target(ep) {
		return x
	}
	own := float64(ep.pick&0xff) / 255
	switch ep.role {
	case overHour:
		return f.limit * (1.15 + 0.35*own) * (1 + 0.04*math.Sin(float64(m)/17)) * texture
	case overDay:
		return f.limit * (1.18 + 0.3*own) * (1 + 0.05*math.Sin(float64(m)/190)) * texture
	case warnHour:
		if m%60 < 30 {
			return f.limit * 1.4 * texture
		}
		return f.limit * 0.5 * texture
	case warnDay:
		if floorDiv(m+zone*60, 60)%24 < 13 {
			return f.limit * 1.25 * texture
		}
		return f.limit * 0.5 * texture
	case negative:
		return -f.hi * (0.004 + 0.01*own) * texture
	case jumpy:
		if k := (m + int64(ep.pick>>16%60)) % 60; k < 20 {
			return f.limit * 0.9 * texture
		}
		return f.limit * 0.08 * texture
	default: // the other roles show elsewhere
		return x
	}
}

// applyMarks sets the marks and the values that go with them.
func (c *cursor) applyMarks(m int64, s *sample, ep episode, ev incident, jitter func(int) float64) {
	p := c.p
	for i := range p.factors {
		f := &p.factors[i]
		analyser := f.q == conc || f.q == oxygen
		switch {
		case ep.role == stopped:
			s.flag[i], s.none[i] = 'F', false
			s.v[i] = p.idleValue(f, jitter(i))
		case ep.role == maintenance && (analyser || f.q == plain):
			s.flag[i], s.none[i] = 'M', false
			if m-ep.from < 60 {
				s.flag[i] = 'C'
				s.v[i] = calibrationValue(f, m-ep.from, 60)
			}
		case analyser && ev.kind == incidentCalibration:
			s.flag[i], s.none[i] = 'C', false
			s.v[i] = calibrationValue(f, ev.minute, ev.length)
		case f.q == conc && i == ev.factor && s.flag[i] == 'N':
			switch ev.kind {
			case incidentOverRange:
				s.flag[i], s.v[i] = 'T', scaled(f.hi, f.pow)
			case incidentNoLink:
				s.flag[i], s.none[i] = 'B', true
			case incidentFault:
				s.flag[i] = 'D'
			case incidentSpike:
				if f.limit > 0 && ep.role == normal {
					fold := 1.0
					if s.fold {
						fold = (21 - float64(s.v[p.o2])/p.factors[p.o2].pow) / (21 - p.prof.refO2)
					}
					s.v[i] = scaled(f.limit*1.12*fold, f.pow)
				}
			default: // dealt with above
			}
		}
	}
	if ep.role == stopped {
		s.fold = false
	}
}

// idleValue is what an instrument reads on a cold stack or a dry channel.
func (p *Plant) idleValue(f *plantFactor, jitter float64) int64 {
	switch f.q {
	case oxygen:
		return scaled(20.85+0.05*jitter, f.pow)
	case stackTemp:
		return scaled(9+jitter, f.pow)
	case humidity:
		return scaled(0.6+0.1*jitter, f.pow)
	case plain:
		return scaled(7+0.01*jitter, f.pow)
	case waterTemp:
		return scaled(8+0.1*jitter, f.pow)
	default: // nothing flows
		return 0
	}
}

// calibrationValue: zero gas for the first half, then span gas at 80 % of the range.
func calibrationValue(f *plantFactor, minute, length int64) int64 {
	if minute*2 < length {
		return 0
	}
	if f.q == oxygen {
		return scaled(20.9, f.pow)
	}
	return scaled(0.8*f.hi, f.pow)
}

// flowAndMass computes the flow and, from the measured (unfolded) values, the
// masses of the minute (HJ 212-2017 annex D; HJ 75-2017 calculation annex).
func (p *Plant) flowAndMass(s *sample, vel, temp, press, moist float64, idle bool) {
	f := &p.factors[p.flow]
	if f.q == gasFlow && !idle {
		// Q = A·V · 273/(273+t) · (Ba+Ps)/101.325 · (1-Xsw), with the air pressure of 3,600 m, about 65 kPa.
		q := f.base * vel * 273 / (273 + temp) * (65 + press) / 101.325 * (1 - moist/100)
		s.v[p.flow] = scaled(q, f.pow)
	}
	perSecond := float64(s.v[p.flow]) / f.pow
	if f.q == waterFlow {
		perSecond /= 1000 // L/s
	}
	s.flow = perSecond * 60
	k := 1e-3 // mg/L × m3 = g
	if f.q == gasFlow {
		k = 1e-6 // mg/m3 × m3 = mg
	}
	for i := range p.factors {
		if p.factors[i].q == conc && !s.none[i] {
			s.mass[i] = math.Max(0, float64(s.v[i])/p.factors[i].pow) * s.flow * k
		}
	}
}

// foldAll folds the concentrations to the reference oxygen with the values
// that are sent, so that a recomputation agrees.
func (p *Plant) foldAll(s *sample, ep episode) {
	o2 := float64(s.v[p.o2]) / p.factors[p.o2].pow
	if o2 >= 20.5 {
		s.fold = false
		return
	}
	k := (21 - p.prof.refO2) / (21 - o2)
	if ep.role == misfold {
		k *= 0.86 // somebody left an old reference oxygen in the logger
	}
	for i := range p.factors {
		if p.factors[i].q == conc {
			s.zs[i] = int64(math.RoundToEven(float64(s.v[i]) * k))
		}
	}
}

func scaled(x, pow float64) int64 { return int64(math.RoundToEven(x * pow)) }

type incidentKind uint8

const (
	noIncident incidentKind = iota
	incidentCalibration
	incidentOverRange
	incidentNoLink
	incidentFault
	incidentGap
	incidentSpike
)

// incident is a small event of daily life, outside the schedule of roles.
type incident struct {
	kind           incidentKind
	factor         int
	minute, length int64 // minute of the incident, and its length
}

// incident tells what happens at minute m: the daily calibration of a stack's
// analysers (HJ 75-2017 chapter 11: every 24 h; the weekly one is long enough
// to cost the hour), and now and then an over-range peak, a lost link, a
// fault, a gap, or a short exceedance.
func (c *cursor) incident(m int64) incident {
	p := c.p
	if c.sched.off {
		return incident{}
	}
	if isGas(p) {
		local := m + zone*60
		length := int64(11)
		if floorDiv(local, 1440)%7 == int64(p.seed%7) {
			length = 26
		}
		if k := wrap(local-int64(p.seed>>8%1400), 1440); k < length {
			return incident{kind: incidentCalibration, minute: k, length: length}
		}
		const block = 30
		if h := mix(p.seed ^ 0x591e ^ uint64(floorDiv(m, block))*131); h%8 == 0 {
			if k := m - floorDiv(m, block)*block - int64(h>>16%(block-3)); k >= 0 && k < 3 {
				return incident{kind: incidentSpike, factor: int(h >> 32 % 3), minute: k, length: 3}
			}
		}
	}
	const block = 360
	b := floorDiv(m, block)
	h := mix(p.seed ^ 0x1c1d ^ uint64(b)*977)
	if h%9 != 0 {
		return incident{}
	}
	e := incident{factor: int(h >> 40 % 3)}
	switch h >> 8 % 4 {
	case 0:
		e.kind, e.length = incidentOverRange, 4
	case 1:
		e.kind, e.length = incidentNoLink, 9
	case 2:
		e.kind, e.length = incidentFault, 85
	case 3:
		e.kind, e.length = incidentGap, 14
	}
	if !isGas(p) && e.kind == incidentOverRange {
		e.kind = incidentNoLink
	}
	e.minute = m - b*block - int64(h>>16%uint64(block-e.length))
	if e.minute < 0 || e.minute >= e.length {
		return incident{}
	}
	return e
}
