package ruleeval

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The rules once more, written apart from the program and from the rule files:
// figures are those of the standards, arithmetic is exact, and lists are walked
// plainly. Random inputs must give the same.

// dice makes random inputs.
type dice struct{ *rand.Rand }

// dec is a decimal as JSON has it, with its exact value.
type dec struct {
	text string
	rat  *big.Rat
}

func (d dec) MarshalJSON() ([]byte, error) { return []byte(d.text), nil }

func exactly(text string) dec {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		panic("no number: " + text)
	}
	return dec{text, r}
}

// dec draws a decimal from lo to hi with up to four places; every sixth is one
// of the edges.
func (d dice) dec(lo, hi float64, edges ...string) dec {
	if len(edges) > 0 && d.IntN(6) == 0 {
		return exactly(edges[d.IntN(len(edges))])
	}
	places := d.IntN(5)
	scale := math.Pow10(places)
	return exactly(strconv.FormatFloat(math.Round((lo+(hi-lo)*d.Float64())*scale)/scale, 'f', places, 64))
}

// opt is null every fifth time.
func (d dice) opt(lo, hi float64, edges ...string) *dec {
	if d.IntN(5) == 0 {
		return nil
	}
	x := d.dec(lo, hi, edges...)
	return &x
}

func f(r *big.Rat) any {
	if r == nil {
		return nil
	}
	v, _ := r.Float64()
	return v
}

func rat(a, b int64) *big.Rat { return big.NewRat(a, b) }

func mul(xs ...*big.Rat) *big.Rat {
	out := rat(1, 1)
	for _, x := range xs {
		out.Mul(out, x)
	}
	return out
}

func quo(a, b *big.Rat) *big.Rat { return new(big.Rat).Quo(a, b) }
func add(a, b *big.Rat) *big.Rat { return new(big.Rat).Add(a, b) }
func sub(a, b *big.Rat) *big.Rat { return new(big.Rat).Sub(a, b) }

type object = map[string]any

// halfEven rounds decimal text to one place by its digits.
func halfEven(x *big.Rat) string {
	tenths := new(big.Int)
	rest := new(big.Int)
	n := new(big.Int).Abs(new(big.Int).Mul(x.Num(), big.NewInt(10)))
	tenths.DivMod(n, x.Denom(), rest)
	switch twice := new(big.Int).Lsh(rest, 1).Cmp(x.Denom()); {
	case twice > 0, twice == 0 && tenths.Bit(0) == 1:
		tenths.Add(tenths, big.NewInt(1))
	}
	s := fmt.Sprintf("%s.%d", new(big.Int).Div(tenths, big.NewInt(10)), new(big.Int).Mod(tenths, big.NewInt(10)))
	if x.Sign() < 0 && tenths.Sign() != 0 {
		s = "-" + s
	}
	return s
}

// surface are the limits of classes I to V, rivers; text of GB 3838-2002 as the
// reference arranges it.
var surface = map[string][5]string{
	"w01019": {"2", "4", "6", "10", "15"}, "w01018": {"15", "15", "20", "30", "40"}, "w01017": {"3", "3", "4", "6", "10"},
	"w21003": {"0.15", "0.5", "1.0", "1.5", "2.0"}, "w21011": {"0.02", "0.1", "0.2", "0.3", "0.4"},
	"w20138": {"0.01", "1.0", "1.0", "1.0", "1.0"}, "w20139": {"0.05", "1.0", "1.0", "2.0", "2.0"}, "w21017": {"1.0", "1.0", "1.0", "1.5", "1.5"},
	"w20140": {"0.01", "0.01", "0.01", "0.02", "0.02"}, "w20141": {"0.05", "0.05", "0.05", "0.1", "0.1"},
	"w20142": {"0.00005", "0.00005", "0.0001", "0.001", "0.001"}, "w20143": {"0.001", "0.005", "0.005", "0.005", "0.01"},
	"w20117": {"0.01", "0.05", "0.05", "0.05", "0.1"}, "w20144": {"0.01", "0.01", "0.05", "0.05", "0.1"},
	"w21016": {"0.005", "0.05", "0.2", "0.2", "0.2"}, "w23002": {"0.002", "0.002", "0.005", "0.01", "0.1"},
	"w22001": {"0.05", "0.05", "0.05", "0.5", "1.0"}, "w19002": {"0.2", "0.2", "0.2", "0.3", "0.3"}, "w21019": {"0.05", "0.1", "0.2", "0.5", "1.0"},
}

var lakePhosphorus = [5]string{"0.01", "0.025", "0.05", "0.1", "0.2"}

var (
	classNames = [...]string{"I", "II", "III", "IV", "V", "worse_than_V"}
	iaqiIndex  = []int64{0, 50, 100, 150, 200, 300, 400, 500}
	iaqiPoints = map[string]map[string][]int64{
		"2012": {
			"PM2.5_24h": {0, 35, 75, 115, 150, 250, 350, 500}, "PM10_24h": {0, 50, 150, 250, 350, 420, 500, 600}, "SO2_24h": {0, 50, 150, 475, 800, 1600, 2100, 2620},
			"SO2_1h": {0, 150, 500, 650, 800}, "NO2_24h": {0, 40, 80, 180, 280, 565, 750, 940}, "NO2_1h": {0, 100, 200, 700, 1200, 2340, 3090, 3840},
			"CO_24h": {0, 2, 4, 14, 24, 36, 48, 60}, "CO_1h": {0, 5, 10, 35, 60, 90, 120, 150}, "O3_1h": {0, 160, 200, 300, 400, 800, 1000, 1200}, "O3_8h": {0, 100, 160, 215, 265, 800},
		},
		"2026": {
			"PM2.5_24h": {0, 35, 60, 115, 150, 250, 350, 500}, "PM2.5_1h": {0, 35, 60, 115, 150, 250, 350, 500},
			"PM10_24h": {0, 50, 120, 250, 350, 420, 500, 600}, "PM10_1h": {0, 50, 120, 250, 350, 420, 500, 600}, "SO2_24h": {0, 50, 150, 475, 800, 1600, 2100, 2620},
			"SO2_1h": {0, 150, 500, 650, 800}, "NO2_24h": {0, 40, 80, 180, 280, 565, 750, 940}, "NO2_1h": {0, 100, 200, 700, 1200, 2340, 3090, 3840},
			"CO_24h": {0, 2, 4, 14, 24, 36, 48, 60}, "CO_1h": {0, 5, 10, 35, 60, 90, 120, 150}, "O3_1h": {0, 160, 200, 300, 400, 800, 1000, 1200}, "O3_8h": {0, 100, 160, 215, 265, 800},
		},
	}
)

// plainIAQI is the index, -1 for none.
func plainIAQI(edition, item string, c *big.Rat) int64 {
	points := iaqiPoints[edition][item]
	for i := 1; i < len(points); i++ {
		if c.Cmp(rat(points[i], 1)) <= 0 {
			v := add(mul(rat(iaqiIndex[i]-iaqiIndex[i-1], points[i]-points[i-1]), sub(c, rat(points[i-1], 1))), rat(iaqiIndex[i-1], 1))
			n := new(big.Int).Quo(v.Num(), v.Denom()).Int64()
			if !v.IsInt() {
				n++
			}
			return n
		}
	}
	switch {
	case len(points) == 8:
		return 500
	case edition == "2026" && item == "SO2_1h":
		return 200
	case edition == "2026" && item == "O3_8h":
		return 300
	}
	return -1
}

func orNil(n int64) any {
	if n < 0 {
		return nil
	}
	return float64(n)
}

// independent gives for each rule a random input and what it must come to.
var independent = map[string]func(dice) (in, want object){
	"cems.hour_mean": func(d dice) (object, object) {
		flags := []string{"N", "N", "N", "F", "St", "Sd", "B", "C", "M", "Md", "T", "D"}
		minutes := map[string]int64{}
		var runs []object
		sum, weight := rat(0, 1), int64(0)
		for left := int64(60); left > 0 && len(runs) < 6; {
			n := min(left, 1+d.Int64N(46))
			flag := flags[d.IntN(len(flags))]
			run := object{"flag": flag, "minutes": n}
			if v := d.opt(-5, 400); v != nil {
				run["value"] = *v
				if flag == "N" {
					sum, weight = add(sum, mul(v.rat, rat(n, 1))), weight+n
				}
			}
			runs, left = append(runs, run), left-n
			minutes[flag] += n
		}
		d.Shuffle(len(runs), func(i, j int) { runs[i], runs[j] = runs[j], runs[i] })
		flag := func() string {
			for _, s := range []string{"N", "F", "St", "Sd", "B"} {
				if minutes[s] >= 45 {
					return s
				}
			}
			best, most := "", int64(15)
			for _, s := range []string{"D", "M", "C"} {
				if minutes[s] > most {
					best, most = s, minutes[s]
				}
			}
			if best != "" {
				return best
			}
			most = 0
			for _, s := range []string{"D", "M", "C", "T", "B", "Sd", "St", "F"} {
				if minutes[s] > most {
					best, most = s, minutes[s]
				}
			}
			if best != "" {
				return best
			}
			return "Md"
		}()
		want := object{"valid": minutes["N"] >= 45, "flag": flag, "n_valid": float64(minutes["N"]), "mean": nil}
		if minutes["N"] >= 45 && weight > 0 {
			want["mean"] = f(quo(sum, rat(weight, 1)))
		}
		return object{"runs": runs}, want
	},
	"cems.fold_o2": func(d dice) (object, object) {
		c, o2, ref := d.dec(-10, 900), d.opt(-1, 21.5, "20.5", "20.4999", "0", "-0.0001"), d.opt(0, 16, "6", "0")
		in, status := object{"conc": c, "o2_pct": o2, "ref_o2_pct": ref}, "ok"
		limit := rat(205, 10)
		switch {
		case ref == nil:
			status = "not_required"
		case o2 == nil || o2.rat.Sign() < 0:
			status = "o2_missing"
		case o2.rat.Cmp(limit) >= 0:
			status = "o2_out_of_range"
		}
		want := object{"folded": nil, "status": status}
		if status == "ok" {
			want["folded"] = f(quo(mul(c.rat, sub(rat(21, 1), ref.rat)), sub(rat(21, 1), o2.rat)))
		}
		return in, want
	},
	"cems.fold_alpha": func(d dice) (object, object) {
		c, o2, a := d.dec(-10, 900), d.opt(-1, 21.5, "20.5", "0"), d.dec(1, 3, "1.8", "1.2")
		in, want := object{"conc": c, "o2_pct": o2, "alpha_s": a}, object{"alpha": nil, "folded": nil, "status": "ok"}
		switch {
		case o2 == nil || o2.rat.Sign() < 0:
			want["status"] = "o2_missing"
		case o2.rat.Cmp(rat(205, 10)) >= 0:
			want["status"] = "o2_out_of_range"
		default:
			alpha := quo(rat(21, 1), sub(rat(21, 1), o2.rat))
			want["alpha"], want["folded"] = f(alpha), f(quo(mul(c.rat, alpha), a.rat))
		}
		return in, want
	},
	"cems.flow_std_dry": func(d dice) (object, object) {
		a, kv, vp, ts := d.dec(0.1, 60), d.dec(0.5, 1.2), d.dec(0, 40), d.dec(-20, 400)
		ba, ps, x := d.dec(50000, 104000), d.dec(-3000, 500), d.dec(0, 0.4)
		qs := mul(rat(3600, 1), a.rat, kv.rat, vp.rat)
		qsn := mul(qs, quo(rat(273, 1), add(rat(273, 1), ts.rat)), quo(add(ba.rat, ps.rat), rat(101325, 1)), sub(rat(1, 1), x.rat))
		return object{"area_m2": a, "kv": kv, "vp_m_s": vp, "ts_c": ts, "ba_pa": ba, "ps_pa": ps, "xsw": x}, object{"qs_m3_h": f(qs), "qsn_m3_h": f(qsn)}
	},
	"cems.emission_rate": func(d dice) (object, object) {
		c, q := d.dec(0, 500), d.dec(0, 2e6)
		return object{"conc_std_dry": c, "qsn_m3_h": q}, object{"kg_h": f(mul(c.rat, q.rat, rat(1, 1_000_000)))}
	},
	"cems.nox_as_no2": func(d dice) (object, object) {
		a, b := d.dec(0, 500), d.dec(-2, 90)
		return object{"no_ppm": a, "no2_ppm": b}, object{"mg_m3": f(mul(add(a.rat, b.rat), rat(460, 224)))}
	},
	"cems.ppm": func(d dice) (object, object) {
		masses := map[string]*big.Rat{"a21026": rat(64, 1), "a21003": rat(30, 1), "a21004": rat(46, 1), "a21005": rat(28, 1), "a21024": rat(73, 2), "a21001": rat(17, 1)}
		codes := slices.Sorted(maps.Keys(masses))
		code, c := codes[d.IntN(len(codes))], d.dec(-3, 500)
		return object{"factor": code, "ppm": c}, object{"mg_m3": f(mul(c.rat, masses[code], rat(10, 224)))}
	},
	"cems.wet_to_dry": func(d dice) (object, object) {
		c, x := d.dec(0, 500), d.dec(0, 0.4)
		return object{"conc_wet": c, "xsw": x}, object{"dry": f(quo(c.rat, sub(rat(1, 1), x.rat)))}
	},
	"cems.day_mean": func(d dice) (object, object) {
		hours := make([]*dec, 24)
		missing := d.IntN(8)
		sum, n := rat(0, 1), int64(0)
		for i := range hours {
			if i < missing {
				continue
			}
			v := d.dec(-2, 300)
			hours[i], sum, n = &v, add(sum, v.rat), n+1
		}
		d.Shuffle(24, func(i, j int) { hours[i], hours[j] = hours[j], hours[i] })
		want := object{"valid": n >= 20, "n_valid": float64(n), "mean": nil}
		if n >= 20 {
			want["mean"] = f(quo(sum, rat(n, 1)))
		}
		return object{"hours": hours}, want
	},
	"cems.month_valid": func(d dice) (object, object) {
		m, n := 1+d.IntN(12), 20+d.IntN(10)
		return object{"month": m, "valid_days": n}, object{"valid": n >= 25 || m == 2 && n >= 23}
	},
	"cems.capture_rate": func(d dice) (object, object) {
		h := 1 + d.Int64N(2208)
		stopped := d.Int64N(h + 1)
		invalid := d.Int64N(h - stopped + 1)
		want := object{"alpha_pct": nil}
		if h > stopped {
			want["alpha_pct"] = f(rat(100*(h-stopped-invalid), h-stopped))
		}
		return object{"period_h": h, "invalid_h": invalid, "stopped_h": stopped}, want
	},
	"cems.substitute_rate": func(d dice) (object, object) {
		kinds := []string{"out_of_control", "overdue_calibration", "maintenance", "calibration", "other"}
		alpha, n := d.dec(70, 100, "90", "75", "89.9999", "74.9999"), 1+d.Int64N(60)
		if d.IntN(5) == 0 {
			n = 24 + d.Int64N(2)
		}
		anchor := 1 + d.Int64N(3000)
		rates := map[int64]dec{}
		var history []object
		for from := int64(1); from < 3000; {
			to := from + d.Int64N(400)
			if d.IntN(4) == 0 {
				to = from
			}
			kg, valid := d.dec(0, 50), d.IntN(5) > 0
			if from == to {
				history = append(history, object{"h": from, "valid": valid, "kg_h": kg})
			} else {
				history = append(history, object{"from_h": from, "to_h": to, "valid": valid, "kg_h": kg})
			}
			for h := from; h <= to && valid; h++ {
				rates[h] = kg
			}
			from = to + 1 + d.Int64N(3)*d.Int64N(50)
		}
		d.Shuffle(len(history), func(i, j int) { history[i], history[j] = history[j], history[i] })
		window := 180
		switch {
		case alpha.rat.Cmp(rat(75, 1)) < 0:
			window = 0
		case alpha.rat.Cmp(rat(90, 1)) < 0:
			window = 2160
		case n > 24:
			window = 720
		}
		var most *big.Rat
		for h, left := anchor-1, window; h > 0 && left > 0; h-- {
			if kg, ok := rates[h]; ok {
				left--
				if most == nil || kg.rat.Cmp(most) > 0 {
					most = kg.rat
				}
			}
		}
		want := object{"window": nil, "value": nil, "status": "no_rule"}
		if most != nil {
			want = object{"window": float64(window), "value": f(most), "status": "ok"}
		}
		return object{"kind": kinds[d.IntN(5)], "alpha_pct": alpha, "consecutive_h": n, "anchor_h": anchor, "history": history}, want
	},
	"wpms.day": func(d dice) (object, object) {
		rows := make([]object, d.IntN(25))
		expected, valid := int64(0), int64(0)
		flow, sum, weight := rat(0, 1), rat(0, 1), rat(0, 1)
		bad := d.IntN(4)
		for i := range rows {
			c, q, ok := d.dec(0, 90), d.dec(0, 300, "0"), d.IntN(12) >= bad
			rows[i] = object{"c": c, "q_m3": q, "valid": ok}
			flow = add(flow, q.rat)
			if q.rat.Sign() > 0 {
				expected++
				if ok {
					valid, sum, weight = valid+1, add(sum, mul(c.rat, q.rat)), add(weight, q.rat)
				}
			}
		}
		want := object{"valid": false, "expected": float64(expected), "n_valid": float64(valid), "mean": nil, "flow_m3": f(flow), "total_kg": nil}
		if expected > 0 && 100*valid >= 75*expected {
			mean := quo(sum, weight)
			want["valid"], want["mean"], want["total_kg"] = true, f(mean), f(mul(mean, flow, rat(1, 1000)))
		}
		return object{"rows": rows}, want
	},
	"wpms.ph_mean": func(d dice) (object, object) {
		rows := make([]object, 1+d.IntN(24))
		ions, weight, lo, hi := 0.0, 0.0, 99.0, -99.0
		for i := range rows {
			ph, q := d.dec(4, 11), d.dec(1, 300)
			rows[i] = object{"ph": ph, "q_m3": q}
			p, w := f(ph.rat).(float64), f(q.rat).(float64)
			ions, weight, lo, hi = ions+w*math.Exp(-p*math.Ln10), weight+w, min(lo, p), max(hi, p)
		}
		return object{"rows": rows}, object{"ph": -math.Log(ions/weight) / math.Ln10, "min": lo, "max": hi}
	},
	"net.tx_valid_rate": func(d dice) (object, object) {
		h := d.Int64N(745)
		stopped, factors := d.Int64N(h+1), 1+d.Int64N(8)
		due := h - stopped
		values, groups := d.Int64N(due*factors+1), d.Int64N(due+1)
		want := object{"transmission_pct": nil, "valid_pct": nil, "tx_valid_pct": nil}
		if due > 0 {
			tx, ok := rat(100*values, due*factors), rat(100*groups, due)
			want = object{"transmission_pct": f(tx), "valid_pct": f(ok), "tx_valid_pct": f(mul(tx, ok, rat(1, 100)))}
		}
		return object{"hours": h, "stopped_h": stopped, "factors": factors, "received_values": values, "valid_groups": groups}, want
	},
	"judge.exceed": func(d dice) (object, object) {
		limit := d.dec(1, 300, "35", "50", "0.5")
		v := d.dec(0, 400, "35.04", "35.05", "35.15", "35.25", "0.05", "0.15", "35.0000000000000000001", "34.9999999999999999999", "1e2", "2.5e-1", limit.text)
		over := v.rat.Cmp(limit.rat) > 0
		want := object{"exceeds": over, "times": 0.0, "display": halfEven(v.rat)}
		if over {
			want["times"] = f(sub(quo(v.rat, limit.rat), rat(1, 1)))
		}
		return object{"value": v, "limit": limit, "statistic": "hour"}, want
	},
	"limit.nh3_by_temperature": func(d dice) (object, object) {
		levels := map[string][2]float64{"1A": {5, 8}, "1B": {8, 15}, "2": {25, 30}}
		level, t := []string{"1A", "1B", "2"}[d.IntN(3)], d.dec(0, 30, "12", "12.0001", "11.9999")
		limit := levels[level][0]
		if t.rat.Cmp(rat(12, 1)) <= 0 {
			limit = levels[level][1]
		}
		return object{"level": level, "water_temp_c": t}, object{"limit": limit}
	},
	"water.class": func(d dice) (object, object) {
		body := []string{"river", "lake"}[d.IntN(2)]
		values, per, over := object{"w01010": d.dec(0, 30), "w21001": d.dec(0, 9), "w02003": 90000, "w99999": 5}, object{}, object{}
		worst := -1
		judge := func(code string, class int) {
			per[code] = classNames[class]
			worst = max(worst, class)
		}
		for code, limits := range surface {
			if d.IntN(3) > 0 {
				continue
			}
			if body == "lake" && code == "w21011" {
				limits = lakePhosphorus
			}
			top := f(exactly(limits[4]).rat).(float64)
			v := d.dec(0, 2*top, limits[:]...)
			class := 0
			for class < 5 && v.rat.Cmp(exactly(limits[class]).rat) > 0 {
				class++
			}
			values[code] = v
			judge(code, class)
			if third := exactly(limits[2]).rat; v.rat.Cmp(third) > 0 {
				over[code] = f(sub(quo(v.rat, third), rat(1, 1)))
			}
		}
		if d.IntN(2) == 0 {
			v := d.dec(0, 12, "7.5", "6", "5", "3", "2")
			class := 5
			for i, bound := range []string{"2", "3", "5", "6", "7.5"} {
				if v.rat.Cmp(exactly(bound).rat) >= 0 {
					class = 4 - i
				}
			}
			values["w01009"] = v
			judge("w01009", class)
		}
		if d.IntN(2) == 0 {
			v := d.dec(4, 11, "6", "9", "5.9999", "9.0001")
			values["w01001"] = v
			if v.rat.Cmp(rat(6, 1)) >= 0 && v.rat.Cmp(rat(9, 1)) <= 0 {
				judge("w01001", 0)
			} else {
				judge("w01001", 5)
			}
		}
		want := object{"cls": nil, "per_factor": per, "over_class3": over}
		if worst >= 0 {
			want["cls"] = classNames[worst]
		}
		return object{"waterbody": body, "values": values}, want
	},
	"water.tli": func(d dice) (object, object) {
		chla, tp, tn, sd, mn := d.dec(0.6, 90), d.dec(0.6, 2), d.dec(0.6, 4), d.dec(0.6, 6), d.dec(0.6, 12)
		log := func(x dec) float64 { return math.Log(f(x.rat).(float64)) }
		parts := object{
			"chla": 10 * (2.5 + 1.086*log(chla)), "tp": 10 * (9.436 + 1.624*log(tp)), "tn": 10 * (5.453 + 1.694*log(tn)),
			"sd": 10 * (5.118 - 1.94*log(sd)), "codmn": 10 * (0.109 + 2.661*log(mn)),
		}
		weights := 1 + .84*.84 + .82*.82 + .83*.83 + .83*.83
		sum := 0.0
		for name, r := range map[string]float64{"chla": 1, "tp": .84, "tn": .82, "sd": .83, "codmn": .83} {
			sum += r * r / weights * parts[name].(float64)
		}
		level := "heavy_eutrophic"
		switch {
		case sum < 30:
			level = "oligotrophic"
		case sum <= 50:
			level = "mesotrophic"
		case sum <= 60:
			level = "light_eutrophic"
		case sum <= 70:
			level = "moderate_eutrophic"
		}
		return object{"chla_mg_m3": chla, "tp_mg_l": tp, "tn_mg_l": tn, "sd_m": sd, "codmn_mg_l": mn}, object{"tli": sum, "level": level, "status": "ok", "parts": parts}
	},
	"air.iaqi": func(d dice) (object, object) {
		edition := []string{"2012", "2026"}[d.IntN(2)]
		items := slices.Sorted(maps.Keys(iaqiPoints[edition]))
		item := items[d.IntN(len(items))]
		points := iaqiPoints[edition][item]
		var edges []string
		for _, p := range points {
			s := strconv.FormatInt(p, 10)
			edges = append(edges, s, s+".00000000000000000001")
		}
		c := d.dec(0, 1.2*float64(points[len(points)-1]), edges...)
		year, _ := strconv.Atoi(edition)
		return object{"version": year, "item": item, "conc": c}, object{"iaqi": orNil(plainIAQI(edition, item, c.rat))}
	},
	"air.aqi": func(d dice) (object, object) {
		edition := []string{"2012", "2026"}[d.IntN(2)]
		values, per, most := object{}, object{}, int64(-1)
		for _, item := range []string{"PM2.5_24h", "PM10_24h", "SO2_24h", "NO2_24h", "CO_24h", "O3_8h", "SO2_1h"} {
			points := iaqiPoints[edition][item]
			c := d.opt(0, 1.1*float64(points[1+d.IntN(len(points)-1)]))
			values[item] = c
			if c == nil {
				continue
			}
			if n := plainIAQI(edition, item, c.rat); n >= 0 {
				per[item], most = float64(n), max(most, n)
			}
		}
		want := object{"aqi": orNil(most), "level": nil, "word": nil, "colour": nil, "primary": []any{}, "per_item": per}
		if most >= 0 {
			level := 0
			for _, end := range []int64{50, 100, 150, 200, 300} {
				if most > end {
					level++
				}
			}
			want["level"], want["word"] = float64(level+1), []string{"excellent", "good", "light", "moderate", "heavy", "severe"}[level]
			want["colour"] = []string{"green", "yellow", "orange", "red", "purple", "maroon"}[level]
			primary := []any{}
			for _, pollutant := range []string{"CO", "NO2", "O3", "PM10", "PM2.5", "SO2"} {
				for _, item := range slices.Sorted(maps.Keys(per)) {
					if first, _, _ := strings.Cut(item, "_"); most > 50 && first == pollutant && per[item] == float64(most) {
						primary = append(primary, pollutant)
						break
					}
				}
			}
			want["primary"] = primary
		}
		year, _ := strconv.Atoi(edition)
		return object{"version": year, "values": values}, want
	},
	"air.valid": func(d dice) (object, object) {
		days := make([]int, 12)
		sum, all := 0, true
		for i := range days {
			days[i] = 25 + d.IntN(4)
			if d.IntN(3) > 0 {
				days[i] = 28
			}
			sum += days[i]
			all = all && (days[i] >= 27 || i == 1 && days[i] >= 25)
		}
		return object{"period": "year", "days": days}, object{"valid": all && sum >= 324, "n": float64(sum), "need": 324.0}
	},
	"mswi.quota60":  func(d dice) (object, object) { return quotaDice(d, 60, "startup shutdown fault accident", true) },
	"mswi.quota700": func(d dice) (object, object) { return quotaDice(d, 700, "baking cooling_down", false) },
}

// quotaDice spends a quota that some marks share; limited where particulate
// matter above 150 keeps an hour from it.
func quotaDice(d dice, quota int64, shared string, limited bool) (object, object) {
	kinds := []string{"startup", "shutdown", "fault", "accident", "baking", "cooling_down", "stopped"}
	mark := func() (object, *big.Rat) {
		kind, h, pm := d.IntN(len(kinds)), d.dec(0, float64(quota)/3), d.dec(0, 200, "150", "150.0001")
		counts := h.rat
		if !slices.Contains(strings.Fields(shared), kinds[kind]) || limited && pm.rat.Cmp(rat(150, 1)) > 0 {
			counts = rat(0, 1)
		}
		return object{"mark": kinds[kind], "hours": h, "pm_hour_max": pm}, counts
	}
	used := rat(0, 1)
	spend := func(h *big.Rat) *big.Rat {
		if left := sub(rat(quota, 1), used); h.Cmp(left) > 0 {
			h = left
		}
		used = add(used, h)
		return h
	}
	marks := []object{}
	for range d.IntN(9) {
		m, h := mark()
		marks = append(marks, m)
		spend(h)
	}
	before := used
	this, h := mark()
	return object{"marks": marks, "this": this}, object{"used_before_h": f(before), "exempt_h": f(spend(h))}
}

// TestIndependent: the program and a second, plain implementation agree on
// random inputs.
func TestIndependent(t *testing.T) {
	t.Parallel()
	e := evaluatorAt(t, "2026-11-24")
	elsewhere := map[string]string{
		"water.section": "worked cases and TestClassWorsens", "water.river": "worked cases", "water.do_saturation": "worked cases",
	}
	for _, rule := range Rules() {
		draw := independent[rule]
		if draw == nil {
			draw = independentProfiles[rule]
		}
		if draw == nil {
			if elsewhere[rule] == "" {
				t.Errorf("%s has no second implementation", rule)
			}
			continue
		}
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			d := dice{rand.New(rand.NewPCG(7, uint64(len(rule))))}
			for range 500 {
				in, want := draw(d)
				text, err := json.Marshal(in)
				if err != nil {
					t.Fatal(err)
				}
				result, _, err := e.Eval(rule, text)
				if err != nil {
					t.Fatalf("%s: %v", text, err)
				}
				var got any
				if err := json.Unmarshal(result, &got); err != nil {
					t.Fatal(err)
				}
				if !closeTo(got, want) {
					wanted, _ := json.Marshal(want)
					t.Fatalf("%s\ngives %s\nwant  %s", text, result, wanted)
				}
			}
		})
	}
}

// closeTo is Same with a tolerance that grows with the figure.
func closeTo(got, want any) bool {
	switch w := want.(type) {
	case object:
		g, ok := got.(object)
		if !ok || len(g) != len(w) {
			return false
		}
		for k, x := range w {
			if y, there := g[k]; !there || !closeTo(y, x) {
				return false
			}
		}
		return true
	case float64:
		return Same(got, want, 1e-9*max(1, math.Abs(w)))
	}
	return Same(got, want, 0)
}
