package lead

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
)

// october is the month of the constructed rows.
var october = time.Date(2026, 10, 1, 0, 0, 0, 0, time.FixedZone("", 8*3600)).Unix()

const monthHours = 31 * 24

// walk is a value that remembers the hour before: levels of plants drift and
// scatter, so honest hours are neither smooth nor independent.
type walk struct {
	rnd  *rand.Rand
	v    float64
	keep float64
}

func (w *walk) next() float64 {
	w.v = w.keep*w.v + math.Sqrt(1-w.keep*w.keep)*w.rnd.NormFloat64()
	return w.v
}

// plant is an honest month of hours that tests tamper with.
type plant struct {
	in  *Input
	rnd *rand.Rand
}

// stack is a boiler with three pollutants that have limits, gas parameters, a load
// with a daily rhythm, calibrations at one o'clock and a few short gaps.
func stack(seed uint64) *plant {
	rnd := rand.New(rand.NewPCG(seed, 7))
	o := &telemetry.Outlet{ID: 1, Enterprise: "E1", Medium: telemetry.Gas, Factors: []telemetry.OutletFactor{
		{Code: "a34013", RangeHi: new(100.0), DetectionLimit: new(0.3)},
		{Code: "a21026", RangeHi: new(600.0), DetectionLimit: new(1.0)},
		{Code: "a21002", RangeHi: new(600.0), DetectionLimit: new(1.0)},
		{Code: "a19001", RangeHi: new(25.0)},
		{Code: "a01011", RangeHi: new(30.0)},
		{Code: "a01012", RangeHi: new(300.0)},
		{Code: "a01014", RangeHi: new(40.0)},
		{Code: "a00000"},
	}}
	p := &plant{&Input{Outlet: o, From: october, To: october + monthHours*hourSeconds}, rnd}
	load := walk{rnd, 0, 0.9}
	levels := []walk{{rnd, 0, 0.8}, {rnd, 0, 0.85}, {rnd, 0, 0.85}}
	for i := range monthHours {
		at := october + int64(i)*hourSeconds
		l := 1 + 0.08*math.Sin(float64(i)*math.Pi/12) + 0.06*load.next()
		row := quality.HourRow{Outlet: 1, At: at, Source: quality.SourceMinute, Flow: quality.Some(120000 * l), FlowBy: quality.FlowReported}
		for k, f := range []struct {
			code        string
			mean, limit float64
		}{{"a34013", 12, 30}, {"a21026", 80, 200}, {"a21002", 110, 200}} {
			v := f.mean * math.Exp(0.25*levels[k].next()) * (0.6 + 0.4*l)
			row.Factors = append(row.Factors, honest(f.code, v, f.limit, rnd))
		}
		for _, f := range []struct {
			code string
			mean float64
		}{{"a19001", 9 - 2*l}, {"a01011", 12 * l}, {"a01012", 100 + 20*l}, {"a01014", 9}, {"a00000", 120000 * l}} {
			row.Factors = append(row.Factors, honest(f.code, f.mean*(1+0.02*rnd.NormFloat64()), 0, rnd))
		}
		switch {
		case i%168 == 1: // calibration, by schedule
			for k := range 3 {
				mark(&row.Factors[k], "C")
			}
		case i%211 == 50: // nothing came
			continue
		}
		p.in.Hours = append(p.in.Hours, row)
	}
	return p
}

// works is a sewage works with its outflow.
func works(seed uint64) *plant {
	rnd := rand.New(rand.NewPCG(seed, 9))
	o := &telemetry.Outlet{ID: 2, Enterprise: "E2", Medium: telemetry.Water, Factors: []telemetry.OutletFactor{
		{Code: codCode, RangeHi: new(200.0), DetectionLimit: new(4.0)}, {Code: bodCode, RangeHi: new(100.0)}, {Code: nh3Code, RangeHi: new(30.0), DetectionLimit: new(0.02)}, {Code: tnCode, RangeHi: new(60.0), DetectionLimit: new(0.1)}, {Code: "w00000"},
	}}
	p := &plant{&Input{Outlet: o, From: october, To: october + monthHours*hourSeconds}, rnd}
	flow := walk{rnd, 0, 0.9}
	levels := []walk{{rnd, 0, 0.9}, {rnd, 0, 0.9}, {rnd, 0, 0.9}}
	for i := range monthHours {
		q := 1000 * (1 + 0.2*math.Sin(float64(i)*math.Pi/12) + 0.05*flow.next())
		cod := 28 * math.Exp(0.2*levels[0].next())
		tn := 9 * math.Exp(0.15*levels[1].next())
		nh3 := tn * 0.2 * math.Exp(0.3*levels[2].next())
		row := quality.HourRow{Outlet: 2, At: october + int64(i)*hourSeconds, Source: quality.SourceMinute, Flow: quality.Some(q), FlowBy: quality.FlowAmount}
		row.Factors = append(row.Factors, honest(codCode, cod, 50, rnd), honest(bodCode, cod*0.35*(1+0.05*rnd.NormFloat64()), 10, rnd), honest(nh3Code, nh3, 5, rnd), honest(tnCode, tn, 15, rnd), honest("w00000", q, 0, rnd))
		p.in.Hours = append(p.in.Hours, row)
	}
	return p
}

// honest is a valid hour of a factor whose logger says what its minutes say, within
// its own rounding.
func honest(code string, v, limit float64, rnd *rand.Rand) quality.FactorHour {
	v = max(v, 0.01)
	f := quality.FactorHour{
		Code: code, Flag: "N", NSeen: 60, NValid: 60, NExpected: 60, Valid: true, Mean: quality.Some(v), Min: quality.Some(0.95 * v), Max: quality.Some(1.05 * v), Fold: quality.FoldNotRequired,
		Judged: quality.Some(v), Basis: quality.BasisMean,
		Reported: quality.Reported{There: true, Flag: "N", Avg: quality.Some(v * (1 + 0.002*rnd.NormFloat64()))},
	}
	if limit > 0 {
		f.Limit = quality.LimitRef{ID: "test", Op: "<=", Hi: quality.Some(limit), Statistic: "hour"}
		f.Folded = quality.Some(v * 1.1)
		f.Reported.ZsAvg = quality.Some(v * 1.1 * (1 + 0.002*rnd.NormFloat64()))
		f.Over = v > limit
	}
	return f
}

// set gives an hour's factor another mean, and all that follows from it.
func set(f *quality.FactorHour, v float64) {
	f.Mean, f.Judged, f.Reported.Avg = quality.Some(v), quality.Some(v), quality.Some(v)
	f.Min, f.Max = quality.Some(v), quality.Some(v)
	if f.Folded.OK {
		f.Folded, f.Reported.ZsAvg = quality.Some(1.1*v), quality.Some(1.1*v)
	}
	f.Over = f.Limit.Hi.OK && v > f.Limit.Hi.V
}

// mark takes an hour's factor out of the judgement.
func mark(f *quality.FactorHour, flag string) {
	f.Flag, f.Valid, f.NValid, f.Judged, f.Over = flag, false, 0, quality.Opt{}, false
	f.Mean, f.Reported = quality.Opt{}, quality.Reported{}
}

// each calls fn with a factor's valid hours.
func (p *plant) each(code string, fn func(i int, f *quality.FactorHour)) {
	for i := range p.in.Hours {
		if f := p.in.Hours[i].Factor(code); f != nil && f.Valid {
			fn(i, f)
		}
	}
}

// drop takes the hours away for which is holds.
func (p *plant) drop(is func(i int) bool) {
	kept := p.in.Hours[:0:0]
	for i := range p.in.Hours {
		if !is(i) {
			kept = append(kept, p.in.Hours[i])
		}
	}
	p.in.Hours = kept
}

// local is the hour of the day of a row.
func (p *plant) local(i int) int { return clockHour(p.in.Hours[i].At) }

func book(tb testing.TB) *Rulebook {
	tb.Helper()
	b, err := NewRulebook(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// found are the hits by detector.
func found(b *Rulebook, in *Input) map[string][]Hit {
	out := map[string][]Hit{}
	for _, f := range b.Look(in) {
		if len(f.Hits) > 0 {
			out[f.Detector.ID] = f.Hits
		}
	}
	return out
}
