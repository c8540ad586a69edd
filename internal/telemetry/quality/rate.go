package quality

import "plateau/internal/telemetry"

// moistureOf is the water of a valid hour as a fraction of the volume; missing
// where it was not measured or cannot be.
func moistureOf(fp *factorPlan, mean Opt) Opt {
	if !mean.OK || mean.V < 0 || mean.V >= 100 || plainUnit.Replace(fp.unit) != "%" {
		return Opt{}
	}
	return Some(mean.V / 100)
}

// toDry converts an hour measured in wet gas. Without moisture there is no dry
// value, and so no valid hour.
func (f *FactorHour) toDry(xsw Opt) {
	f.Wet = f.Mean
	if !f.Mean.OK {
		return
	}
	if !xsw.OK {
		f.Mean, f.Min, f.Max, f.Valid = Opt{}, Opt{}, Opt{}, false
		return
	}
	for _, o := range []*Opt{&f.Mean, &f.Min, &f.Max} {
		if o.OK {
			o.V = WetToDry(o.V, xsw.V)
		}
	}
}

// noxPlace is where nitrogen oxides stand in the plan when they are to be
// computed from NO and NO2; -1 where they are reported, or one of the two is not.
func (w *hourWork) noxPlace(b *builder) int {
	pl := w.plan
	if pl.outlet.Medium != telemetry.Gas || !w.has(pl.p.nox.NO) || !w.has(pl.p.nox.NO2) || w.has(pl.p.nox.NOx) {
		return -1
	}
	i, ok := pl.index[pl.p.nox.NOx]
	switch {
	case !ok:
		i = pl.add(b.limit, pl.p.nox.NOx, nil)
	case pl.factors[i].required: // it is due by itself, and did not come
		return -1
	}
	for len(w.acc) <= i {
		w.acc, w.cou = append(w.acc, hourAcc{}), append(w.cou, Opt{})
		w.reported, w.inTime = append(w.reported, Reported{}), append(w.inTime, false)
	}
	return i
}

func (w *hourWork) has(code string) bool {
	i, ok := w.plan.index[code]
	return ok && i < len(w.acc) && (w.acc[i].seen() || w.reported[i].There)
}

// noxResult computes nitrogen oxides as NO2 from the hours of NO and NO2: valid
// when both are, with the mark of the one that is not.
func (w *hourWork) noxResult(i int) HourResult {
	pl := w.plan
	a, b := pl.index[pl.p.nox.NO], pl.index[pl.p.nox.NO2]
	no, no2 := w.acc[a].result(pl.hourRule), w.acc[b].result(pl.hourRule)
	r := HourResult{Valid: no.Valid && no2.Valid, Flag: no.Flag, NValid: min(no.NValid, no2.NValid), NSeen: min(no.NSeen, no2.NSeen)}
	if no.Valid {
		r.Flag = no2.Flag
	}
	if no.Mean.OK && no2.Mean.OK {
		r.Mean = pl.noxAsNO2(no.Mean.V, no2.Mean.V)
	}
	w.inTime[i] = w.inTime[a] && w.inTime[b]
	return r
}

// noxAsNO2 sums NO and NO2 in the unit of NOx; missing where the loggers' units
// are neither ppm nor masses.
func (pl *plan) noxAsNO2(no, no2 float64) Opt {
	p := &pl.p.nox
	a, b := &pl.factors[pl.index[p.NO]], &pl.factors[pl.index[p.NO2]]
	x, okA := p.ppm(a, no, p.MolarMassNO)
	y, okB := p.ppm(b, no2, p.MolarMass)
	if !okA || !okB {
		return Opt{}
	}
	return Some(NOxAsNO2(p, x, y) / pl.factors[pl.index[p.NOx]].toMg)
}

// ppm brings a reading in ppm or a mass concentration to ppm.
func (r *NOxRule) ppm(fp *factorPlan, v, molarMass float64) (float64, bool) {
	switch {
	case fp.unit == "ppm" || fp.unit == "umol/mol":
		return v, true
	case fp.toMg > 0:
		return v * fp.toMg * r.MolarVolume / molarMass, true
	}
	return 0, false
}

// zeroDrift gives the figure that counts for totals: a negative one within the
// drift of the zero point counts as 0; a larger one is an anomaly and has none.
func (pl *plan) zeroDrift(fp *factorPlan, v float64) Opt {
	switch {
	case v >= 0:
		return Some(v)
	case fp.rangeHi.OK && -v <= pl.p.negative.driftPercent/100*fp.rangeHi.V:
		return Some(0)
	}
	return Opt{}
}

// rate is the emission of the hour, kg/h. In hours of a declared stop nothing
// is due, and nothing is counted.
func (w *hourWork) rate(fp *factorPlan, f *FactorHour) Opt {
	if !f.Valid || !f.Mean.OK || !w.row.Flow.OK || w.row.Stopped || fp.toMg == 0 || w.plan.outlet.Medium != telemetry.Gas {
		return Opt{}
	}
	c := w.plan.zeroDrift(fp, f.Mean.V)
	if !c.OK {
		return Opt{}
	}
	return Some(EmissionRate(&w.plan.p.emission, c.V*fp.toMg, w.row.Flow.V))
}

// flow is what left the outlet in the hour, m3: water as it flowed, gas dry at
// standard state, as reported, else computed from what the duct's sensors show.
func (w *hourWork) flow() (Opt, FlowSource) {
	pl := w.plan
	i := pl.flow
	there := i >= 0 && i < len(w.acc)
	if pl.outlet.Medium != telemetry.Gas {
		if !there {
			return Opt{}, FlowNone
		}
		if amount := w.amount(i); amount.OK {
			return amount, FlowAmount
		}
		if m := w.acc[i].result(pl.hourRule).Mean; m.OK && pl.factors[i].toHour > 0 {
			return Some(m.V * pl.factors[i].toHour), FlowReported
		}
		return Opt{}, FlowNone
	}
	if there {
		r := w.acc[i].result(pl.hourRule)
		if q := pl.reportedFlow(Opt{r.Mean.V, r.Valid && r.Mean.OK}, w.moisture); q.OK {
			return q, FlowReported
		}
	}
	mean := func(i int) Opt {
		if i >= len(w.acc) {
			return Opt{}
		}
		r := w.acc[i].result(pl.hourRule)
		return Opt{r.Mean.V, r.Valid && r.Mean.OK}
	}
	if d, ok := pl.duct(mean, w.moisture); ok {
		if q := FlowStdDry(&pl.p.flow, d).Qsn; q >= 0 {
			return Some(q), FlowComputed
		}
	}
	return Opt{}, FlowNone
}

// reportedFlow is the dry flow at standard state in m3/h of what the logger
// reports; a flow of wet gas loses its water.
func (pl *plan) reportedFlow(mean, xsw Opt) Opt {
	fp := &pl.factors[pl.flow]
	if !mean.OK || fp.toHour == 0 || fp.wet && !xsw.OK {
		return Opt{}
	}
	q := pl.zeroDrift(fp, mean.V)
	if fp.wet {
		q.V *= 1 - xsw.V
	}
	q.V *= fp.toHour
	return q
}

// pascals are the units of pressure that loggers use.
var pascals = map[string]float64{"Pa": 1, "kPa": 1000, "hPa": 100}

// duct gathers what the flow of an hour is computed from; mean gives the valid
// mean of a factor by its place in the plan.
func (pl *plan) duct(mean func(i int) Opt, xsw Opt) (Duct, bool) {
	s, r := pl.setup, &pl.p.flow
	vi, okV := pl.index[r.Velocity]
	ti, okT := pl.index[r.Temperature]
	pi, okP := pl.index[r.Pressure]
	if !s.HasDuct() || !xsw.OK || !okV || !okT || !okP {
		return Duct{}, false
	}
	v, t, ps := mean(vi), mean(ti), mean(pi)
	k := pascals[plainUnit.Replace(pl.factors[pi].unit)]
	if !v.OK || !t.OK || !ps.OK || k == 0 || plainUnit.Replace(pl.factors[vi].unit) != "m/s" || t.V <= -r.Kelvin {
		return Duct{}, false
	}
	if v = pl.zeroDrift(&pl.factors[vi], v.V); !v.OK {
		return Duct{}, false
	}
	return Duct{AreaM2: *s.AreaM2, Kv: *s.Kv, VpMS: v.V, TsC: t.V, BaPa: *s.AmbientPa, PsPa: ps.V * k, Xsw: xsw.V}, true
}
