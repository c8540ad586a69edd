package simulator

import (
	"fmt"
	"strings"

	"plateau/internal/telemetry"
)

// Plant is one outlet with its logger, ready to be played: which quantity is
// read from which series, and how its frames are written.
type Plant struct {
	Outlet  telemetry.Outlet
	Device  telemetry.Device
	Version int    // 2005, 2017 or 2025: what the logger speaks
	Quirk   string // a habit of installed loggers, see region/outlets.csv

	prof    *profile
	seed    uint64
	index   int // place in the world
	factors []plantFactor
	o2      int // index of the oxygen factor; -1 = none
	flow    int // index of the flow factor; -1 = none
	limited []int
	load    Series // 0.55..1.05, GENERATED: drives velocity, oxygen, temperature
}

type plantFactor struct {
	factorSpec
	wire   string // code as sent
	series Series
	origin Origin
	pow    float64 // 10^dec
	base   float64 // typical value of generated quantities
}

// newPlant builds the plant of an outlet. real may be nil.
func newPlant(o telemetry.Outlet, d telemetry.Device, profileName string, version int, quirk string, real *Real) (*Plant, error) {
	prof := profiles[profileName]
	if prof == nil {
		return nil, fmt.Errorf("outlet %d: no profile %q", o.ID, profileName)
	}
	p := &Plant{Outlet: o, Device: d, Version: version, Quirk: quirk, prof: prof, seed: mix(uint64(o.ID) ^ 0x706c616e74), o2: -1, flow: -1}
	if prof.medium == telemetry.Gas {
		p.load = &generated{e: loadEstimate, seed: p.seed ^ 0x10ad, scale: 1, bias: 1}
		if c := real.Column("gt/TEY"); c != nil {
			// The turbine's energy yield stands for the load of every stack.
			p.load = &played{c: c, offset: p.offset(c), scale: 0.85 / estimates["gt/TEY"].Median}
		}
	}
	for _, spec := range prof.factors {
		if version == 2005 && spec.old == "" {
			continue // not in the 2005 table: such a logger cannot send it
		}
		f := plantFactor{factorSpec: spec, wire: spec.code, pow: 1}
		if version == 2005 {
			f.wire = spec.old
		}
		for range spec.dec {
			f.pow *= 10
		}
		p.bind(&f, real)
		switch spec.q {
		case oxygen:
			p.o2 = len(p.factors)
		case gasFlow, waterFlow:
			p.flow = len(p.factors)
		case conc:
			if spec.limit > 0 {
				p.limited = append(p.limited, len(p.factors))
			}
		default: // no special place
		}
		p.factors = append(p.factors, f)
	}
	return p, nil
}

// loadEstimate is the turbine's energy yield as a share of its capacity.
var loadEstimate = func() Estimate {
	e := estimates["gt/TEY"]
	k := 0.85 / e.Median
	e.Median, e.SD, e.DayAmp = 0.85, e.SD*k, e.DayAmp*k
	return e
}()

// bind gives a factor its series: the real one when it is at hand, else one
// generated from the estimate of the same name.
func (p *Plant) bind(f *plantFactor, real *Real) {
	h := mix(p.seed ^ hashText(f.code))
	vary := 0.9 + 0.2*unit(h) // outlets of one kind differ by a tenth
	switch f.q {
	case oxygen:
		f.base = p.prof.o2 * (0.97 + 0.06*unit(h))
	case velocity:
		f.base = 12 * vary
	case stackTemp:
		f.base = p.prof.temp * vary
	case pressure:
		f.base = -0.25 * vary
	case humidity:
		f.base = p.prof.moist * vary
	case gasFlow:
		f.base = p.prof.area * vary
	case waterTemp:
		f.base = 12 * vary
	default: // a series, below
	}
	if len(f.refs) == 0 {
		return
	}
	ref := f.refs[int(p.Outlet.ID)%len(f.refs)]
	if p.prof.medium == telemetry.Surface && p.Outlet.Name.Zh == "米瑞断面" {
		ref = strings.Replace(ref, "caina/", "mirui/", 1)
	}
	e, ok := estimates[ref]
	if !ok {
		panic("no estimate for " + ref) // the table and the profiles are both ours
	}
	scale := 1.0
	switch {
	case f.q == waterFlow:
		scale = p.prof.size * (0.5 + unit(mix(h))) / e.Median
	case f.limit > 0:
		scale = 0.97 * f.limit / e.Q995
	case f.scale > 0:
		scale = f.scale
	}
	c := real.Column(ref)
	if !f.borrowed {
		f.origin = Origin{Source: e.Source, Real: c != nil, Scaled: scale != 1}
	}
	if c != nil {
		f.series = &played{c: c, offset: p.offset(c), scale: scale, lo: f.detect}
	} else {
		f.series = &generated{e: e, seed: h, scale: scale, bias: 1, lo: f.detect}
	}
	if e.Step >= 24 && f.daily > 0 {
		f.series = cycle{Series: f.series, amp: f.daily, peak: 12 + 8*unit(h)}
	}
}

// offset starts each outlet on another day of a column.
func (p *Plant) offset(c *Column) int64 {
	days := int64(float64(len(c.Values))*c.Step) / 24
	if days < 30 {
		return 0 // short series stay as they are
	}
	return int64(mix(p.seed^0x0ff)%uint64(days)) * 24
}

func hashText(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}
