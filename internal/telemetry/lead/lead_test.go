package lead

import (
	"fmt"
	"math"
	"testing"

	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
)

const seeds = 6

// twin is a second outlet of the same enterprise.
func twin(seed uint64) *Input {
	in := stack(seed).in
	o := *in.Outlet
	o.ID = 9
	in.Outlet = &o
	return in
}

// steadyClock is a clock that was looked at every six hours.
func steadyClock(p *plant) {
	for at := p.in.From; at < p.in.To; at += 6 * hourSeconds {
		p.in.Clock = append(p.in.Clock, Offset{at, 8 * p.rnd.NormFloat64()})
	}
}

// TestHonestMonths: in months that nobody tampered with no detector finds anything,
// and every detector had what it needs to look.
func TestHonestMonths(t *testing.T) {
	t.Parallel()
	b := book(t)
	looked := map[string]bool{}
	for seed := range uint64(seeds) {
		for _, p := range []*plant{stack(seed), works(seed)} {
			steadyClock(p)
			p.in.Peers = []*Input{twin(seed + 1000)}
			for _, f := range b.Look(p.in) {
				looked[f.Detector.ID] = looked[f.Detector.ID] || f.Looked
				for _, h := range f.Hits {
					t.Errorf("seed %d, %s: %s: %+v", seed, p.in.Outlet.Medium, f.Detector.ID, h)
				}
			}
		}
	}
	for _, d := range Detectors() {
		if !looked[d.ID] && d.ID != "oxygen_stopped" && d.ID != "slow_gas" && d.ID != "no_flow" {
			t.Errorf("%s never looked", d.ID)
		}
	}
	if len(Detectors()) < 15 {
		t.Errorf("%d detectors", len(Detectors()))
	}
}

// tampering is a month that somebody tampered with, and the figure that must tell
// of it.
type tampering struct {
	id, factor string
	make       func(seed uint64) *plant
	figure     string
	from, to   float64 // bounds of that figure
}

func gas(change func(p *plant)) func(seed uint64) *plant {
	return func(seed uint64) *plant { p := stack(seed); change(p); return p }
}

func wet(change func(p *plant)) func(seed uint64) *plant {
	return func(seed uint64) *plant { p := works(seed); change(p); return p }
}

var tamperings = []tampering{
	{"near_limit", "a21002", gas(func(p *plant) { // whatever would be over is held just below
		p.each("a21002", func(_ int, f *quality.FactorHour) {
			if v := f.Mean.V * 1.9; v > 190 {
				set(f, 191+9*p.rnd.Float64())
			}
		})
	}), "in_band", 24, 744},
	{"marks_over", "a21026", gas(func(p *plant) { // maintenance whenever the value rises
		for k := range 8 {
			i := 40 + 80*k
			set(p.in.Hours[i].Factor("a21026"), 190)
			set(p.in.Hours[i+1].Factor("a21026"), 195)
			mark(p.in.Hours[i+2].Factor("a21026"), "M")
			mark(p.in.Hours[i+3].Factor("a21026"), "M")
		}
	}), "marks_beside", 8, 8},
	{"gaps_over", "a21026", gas(func(p *plant) {
		gone := map[int]bool{}
		for k := range 8 {
			i := 40 + 80*k
			set(p.in.Hours[i].Factor("a21026"), 195)
			gone[i+1], gone[i+2] = true, true
		}
		p.drop(func(i int) bool { return gone[i] })
	}), "gaps_beside", 8, 8},
	{"calibration_night", "a34013", gas(func(p *plant) {
		p.drop(func(i int) bool { return p.in.Hours[i].Factors[0].Flag == "C" })
		for k := range 10 {
			for i := 24 * 3 * k; i < len(p.in.Hours); i++ {
				if p.local(i) == (22+k%8)%24 {
					mark(&p.in.Hours[i].Factors[0], "C")
					break
				}
			}
		}
	}), "part", 99, 100},
	{"folding", "a21002", gas(func(p *plant) { // folded by an oxygen that is not the measured one
		p.each("a21002", func(i int, f *quality.FactorHour) {
			if i%5 == 0 {
				f.Reported.ZsAvg = quality.Some(0.9 * f.Folded.V)
			}
		})
	}), "difference", 9.9, 10.1},
	{"reported", "a21002", gas(func(p *plant) {
		p.each("a21002", func(i int, f *quality.FactorHour) {
			if i%6 == 0 {
				f.Reported.Avg = quality.Some(0.85 * f.Mean.V)
			}
		})
	}), "difference", 14.9, 15.1},
	{"thin_means", "a21002", gas(func(p *plant) {
		p.each("a21002", func(i int, f *quality.FactorHour) {
			if i%6 == 0 {
				f.NValid, f.NSeen, f.Valid, f.Judged = 20, 20, false, quality.Opt{}
			}
		})
	}), "minutes", 20, 20},
	{"low_variation", "a21026", gas(func(p *plant) {
		p.each("a21026", func(_ int, f *quality.FactorHour) { set(f, 60+0.3*p.rnd.NormFloat64()) })
	}), "spread_of_range", 0, 1},
	{"flat_top", "a21002", gas(func(p *plant) { // the range is locked low
		p.each("a21002", func(_ int, f *quality.FactorHour) {
			if f.Mean.V > 140 {
				set(f, 140)
			}
		})
	}), "at_end", 6, 744},
	{"jump_then_flat", "a21026", gas(func(p *plant) {
		for i := 300; i < 360; i++ {
			if f := p.in.Hours[i].Factor("a21026"); f.Valid {
				set(f, 20+0.01*p.rnd.NormFloat64())
			}
		}
	}), "flat_hours", 12, 60},
	{"too_smooth", "a21026", gas(func(p *plant) { // drawn, not measured
		p.each("a21026", func(i int, f *quality.FactorHour) { set(f, 80+30*math.Sin(float64(i)/17)) })
	}), "roughness", 0, 0.2},
	{"periodic", "a21026", gas(func(p *plant) { // one day, played again with a little noise
		day := map[int]float64{}
		p.each("a21026", func(i int, f *quality.FactorHour) {
			if _, ok := day[p.local(i)]; !ok {
				day[p.local(i)] = f.Mean.V
			}
			set(f, day[p.local(i)]*(1+0.01*p.rnd.NormFloat64()))
		})
	}), "period", 24, 24},
	{"copied_hours", "a21002", gas(func(p *plant) {
		for i := range 30 {
			if a, b := p.in.Hours[100+i].Factor("a21002"), p.in.Hours[400+i].Factor("a21002"); a.Valid && b.Valid {
				set(b, a.Mean.V)
			}
		}
	}), "copied", 6, 30},
	{"joint_jump", "a21002", gas(func(p *plant) { // air into the sample
		for k := range 5 {
			for i := 60 + 100*k; i < 64+100*k; i++ {
				for c := range 3 {
					if f := &p.in.Hours[i].Factors[c]; f.Valid {
						set(f, 0.15*f.Mean.V)
					}
				}
			}
		}
	}), "events", 2, 40},
	{"day_night", "a21026", gas(func(p *plant) { // treatment is off by night
		p.each("a21026", func(i int, f *quality.FactorHour) {
			if h := p.local(i); h >= 22 || h < 6 {
				set(f, 3*f.Mean.V)
			}
		})
	}), "times_apart", 2, 4},
	{"moving_together", "a21026", gas(func(p *plant) {
		peer := twin(77)
		for i := range peer.Hours {
			if f := peer.Hours[i].Factor("a21026"); f.Valid {
				for k := range p.in.Hours {
					if g := p.in.Hours[k].Factor("a21026"); p.in.Hours[k].At == peer.Hours[i].At && g.Valid {
						set(f, 0.7*g.Mean.V)
					}
				}
			}
		}
		p.in.Peers = []*Input{peer}
	}), "correlation", 0.98, 1},
	{"oxygen_stopped", oxygenCode, gas(func(p *plant) {
		for i := 200; i < 230; i++ {
			set(p.in.Hours[i].Factor(oxygenCode), 20.8)
		}
	}), "odd_hours", 30, 30},
	{"slow_gas", velocityCode, gas(func(p *plant) {
		p.each(velocityCode, func(i int, f *quality.FactorHour) {
			if i%3 == 0 {
				set(f, 2.5)
			}
		})
	}), "velocity", 2.5, 2.5},
	{"no_flow", gasFlowCode, gas(func(p *plant) {
		for i := 200; i < 220; i++ {
			p.in.Hours[i].Flow = quality.Some(0)
			set(p.in.Hours[i].Factor(gasFlowCode), 0)
		}
	}), "odd_hours", 18, 20},
	{"nh3_over_tn", nh3Code, wet(func(p *plant) {
		p.each(nh3Code, func(i int, f *quality.FactorHour) {
			if i%8 == 0 {
				set(f, 1.5*p.in.Hours[i].Factor(tnCode).Mean.V)
			}
		})
	}), "excess", 49, 51},
	{"cod_under_bod", bodCode, wet(func(p *plant) {
		p.each(codCode, func(i int, f *quality.FactorHour) {
			if i%8 == 0 {
				set(f, 5)
			}
		})
	}), "odd_times", 6, 744},
	{"clock", "", gas(func(p *plant) {
		for at := p.in.From; at < p.in.To; at += 6 * hourSeconds {
			p.in.Clock = append(p.in.Clock, Offset{at, -240})
		}
	}), "clock_off", 240, 240},
}

// TestTampering: each detector finds what it is made for, with a figure that tells
// of it, for every seed.
func TestTampering(t *testing.T) {
	t.Parallel()
	b := book(t)
	have := map[string]bool{}
	for _, x := range tamperings {
		have[x.id] = true
		t.Run(x.id, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(seeds) {
				p := x.make(seed)
				hits := found(b, p.in)
				if len(hits[x.id]) == 0 {
					t.Fatalf("seed %d: nothing found; others: %v", seed, names(hits))
				}
				var h *Hit
				for i := range hits[x.id] {
					if k := &hits[x.id][i]; k.Factor == x.factor || x.id == "joint_jump" {
						h = k
					}
				}
				if h == nil {
					t.Fatalf("seed %d: not of %s: %+v", seed, x.factor, hits[x.id])
				}
				f, ok := h.Figure(x.figure)
				if !ok || f.Value < x.from || f.Value > x.to {
					t.Errorf("seed %d: %s is %+v, want %v to %v", seed, x.figure, f, x.from, x.to)
				}
				for _, lang := range i18n.Langs() { // the sentence has all it speaks of
					for _, hole := range i18n.Default().Holes(lang, "lead.detector."+x.id+"_found") {
						if _, ok := h.Figure(hole); !ok && hole != "factor" {
							t.Errorf("%s: no figure %s", lang, hole)
						}
					}
					for _, f := range h.Figures {
						if !i18n.Default().Has(lang, "lead.figure."+f.Key) {
							t.Errorf("%s: no words for %s", lang, f.Key)
						}
					}
				}
				if h.Score < 0 || h.Score >= 1 || len(h.Spans) == 0 || h.From < p.in.From || h.To > p.in.To+hourSeconds || h.From >= h.To || len(h.Spans) > maxSpans {
					t.Errorf("seed %d: score %v, %d spans, %d to %d", seed, h.Score, len(h.Spans), h.From, h.To)
				}
			}
		})
	}
	for _, d := range Detectors() {
		if !have[d.ID] {
			t.Errorf("%s has no tampering that it must find", d.ID)
		}
	}
}

func names(hits map[string][]Hit) (out []string) {
	for id := range hits {
		out = append(out, id)
	}
	return out
}

// TestDays: where only days are known, the chemistry is looked at in them.
func TestDays(t *testing.T) {
	t.Parallel()
	in := &Input{Outlet: &telemetry.Outlet{ID: 3, Medium: telemetry.Surface}, From: october, To: october + 31*daySeconds}
	for i := range int64(20) {
		tn := 2.0
		if i%4 == 0 {
			tn = 0.5
		}
		in.Days = append(in.Days, quality.DayRow{At: october + i*daySeconds, Factors: []quality.FactorDay{
			{Code: nh3Code, Valid: true, Mean: quality.Some(1)}, {Code: tnCode, Valid: true, Mean: quality.Some(tn)},
		}})
	}
	hits := found(book(t), in)["nh3_over_tn"]
	if len(hits) != 1 || len(hits[0].Spans) != 5 {
		t.Fatalf("%+v", hits)
	}
	if f, _ := hits[0].Figure("excess"); math.Abs(f.Value-100) > 1e-9 || hits[0].Spans[0] != (Span{october, october + daySeconds}) {
		t.Errorf("%+v", hits[0])
	}
}

// TestSteadyLoad: a value that rests because the source rests is no lead; nor is a
// calibration that comes every night at one hour.
func TestInnocent(t *testing.T) {
	t.Parallel()
	b := book(t)
	p := stack(3)
	p.each("a21026", func(_ int, f *quality.FactorHour) { set(f, 60+0.3*p.rnd.NormFloat64()) })
	for i := range p.in.Hours {
		p.in.Hours[i].Flow = quality.Some(120000 + 100*p.rnd.NormFloat64())
	}
	if hits := found(b, p.in); len(hits["low_variation"]) > 0 {
		t.Errorf("a steady source: %+v", hits["low_variation"])
	}
	p = stack(4)
	for i := range p.in.Hours {
		if p.local(i) == 2 {
			mark(&p.in.Hours[i].Factors[0], "C")
		}
	}
	if hits := found(b, p.in); len(hits["calibration_night"]) > 0 {
		t.Errorf("a schedule: %+v", hits["calibration_night"])
	}
	p = works(5)
	p.each(nh3Code, func(i int, f *quality.FactorHour) { set(f, 1.1*p.in.Hours[i].Factor(tnCode).Mean.V) })
	if hits := found(b, p.in); len(hits["nh3_over_tn"]) > 0 {
		t.Errorf("within the tolerance of two analysers: %+v", hits["nh3_over_tn"])
	}
}

// TestEmpty: windows that hold nothing, or hardly anything, say nothing.
func TestEmpty(t *testing.T) {
	t.Parallel()
	b := book(t)
	for _, m := range []telemetry.Medium{telemetry.Gas, telemetry.Water, telemetry.Surface} {
		in := &Input{Outlet: &telemetry.Outlet{ID: 1, Medium: m}, From: october, To: october + 31*daySeconds}
		for _, f := range b.Look(in) {
			if f.Looked || len(f.Hits) > 0 {
				t.Errorf("%s: %s of nothing: %+v", m, f.Detector.ID, f)
			}
		}
	}
	p := stack(1)
	p.in.Hours = p.in.Hours[:3]
	if hits := found(b, p.in); len(hits) > 0 {
		t.Errorf("of three hours: %+v", hits)
	}
}

func TestStrength(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		ratios []float64
		want   float64
	}{{[]float64{1}, 0}, {[]float64{2, 9}, 0.5}, {[]float64{5}, 0.8}, {[]float64{0.5, 3}, 0}} {
		if got := strength(x.ratios...); math.Abs(got-x.want) > 1e-12 {
			t.Errorf("%v: %v, want %v", x.ratios, got, x.want)
		}
	}
	h := Hit{}
	for i := range int64(200) {
		h.Spans = append(h.Spans, Span{10 * i, 10*i + 1 + i%3})
	}
	h.bound()
	if len(h.Spans) != maxSpans || h.From != 0 || h.To != 1990+1+199%3 || h.Spans[0].From > h.Spans[1].From {
		t.Errorf("%d spans, %d to %d", len(h.Spans), h.From, h.To)
	}
}

func Example_strength() {
	fmt.Println(strength(4, 10)) // the weakest condition decides
	// Output: 0.75
}
