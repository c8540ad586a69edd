package ruleeval

import (
	"math/big"
	"slices"
)

// fillOf is what stands in for something missing, as results have it.
func fillOf(v *big.Rat) object {
	if v == nil {
		return object{"value": nil, "status": "no_rule"}
	}
	return object{"value": f(v), "status": "ok"}
}

func larger(a, b *big.Rat) *big.Rat {
	if a == nil || b != nil && b.Cmp(a) > 0 {
		return b
	}
	return a
}

// independentProfiles are the profiles for comparison, and the day total of
// waste water, once more.
var independentProfiles = map[string]func(dice) (object, object){
	"wpms.substitute_total": func(d dice) (object, object) {
		day := 40 + d.Int64N(60)
		from := day - 30
		in := object{"day": day}
		if d.IntN(2) == 0 {
			from = d.Int64N(day)
			in["since_day"] = from
		}
		var best *big.Rat
		history := []object{}
		for at := range int64(100) {
			if d.IntN(4) > 0 {
				continue
			}
			kg, valid := d.dec(0, 500), d.IntN(3) > 0
			history = append(history, object{"day": at, "valid": valid, "kg": kg})
			if valid && at >= from && at < day {
				best = larger(best, kg.rat)
			}
		}
		in["history"] = history
		return in, fillOf(best)
	},
	"hjt75.substitute": func(d dice) (object, object) {
		n, before, after := d.IntN(48), d.opt(0, 90), d.opt(0, 90)
		var v *big.Rat
		if n <= 24 && before != nil && after != nil {
			v = mul(add(before.rat, after.rat), rat(1, 2))
		}
		return object{"consecutive_h": n, "before_kg_h": before, "after_kg_h": after}, fillOf(v)
	},
	"hjt356.substitute": func(d dice) (object, object) {
		factor := []string{"w01018", "w01001"}[d.IntN(2)]
		values, sum := []dec{}, rat(0, 1)
		for range d.IntN(9) {
			x := d.dec(0, 14)
			values, sum = append(values, x), add(sum, x.rat)
		}
		var v *big.Rat
		if n := len(values); n > 0 {
			v = quo(sum, rat(int64(n), 1))
			if factor == "w01001" {
				sorted := slices.SortedFunc(slices.Values(values), func(a, b dec) int { return a.rat.Cmp(b.rat) })
				v = sorted[n/2].rat
				if n%2 == 0 {
					v = mul(add(v, sorted[n/2-1].rat), rat(1, 2))
				}
			}
		}
		return object{"factor": factor, "values": values}, fillOf(v)
	},
	"part75.hour": func(d dice) (object, object) {
		var quarters []object
		valid, due := 0, 0
		for range 4 {
			minutes, stopped := d.IntN(4)*5, 0
			if d.IntN(4) == 0 {
				minutes, stopped = 0, 15
			}
			quarters = append(quarters, object{"valid_min": minutes, "stopped_min": stopped})
			if stopped < 15 {
				due++
				if minutes > 0 {
					valid++
				}
			}
		}
		service := d.IntN(2) == 0
		ok := due > 0 && (valid == due || service && valid >= 2)
		return object{"quarters": quarters, "service": service}, object{"valid": ok, "n_valid": float64(valid), "n_due": float64(due)}
	},
	"part75.substitute": func(d dice) (object, object) {
		pma, n, window := d.dec(70, 100, "95", "90", "80", "94.9999", "89.9999", "79.9999"), 1+d.IntN(40), 1+d.IntN(30)
		before, after, potential := d.opt(0, 90), d.opt(0, 90), d.opt(100, 900)
		there := window
		if d.IntN(4) == 0 {
			there = d.IntN(window)
		}
		rates := []dec{}
		for range there {
			rates = append(rates, d.dec(0, 90))
		}
		sorted := slices.SortedFunc(slices.Values(rates), func(a, b dec) int { return a.rat.Cmp(b.rat) })
		rank := func(percent int) *big.Rat { return sorted[(percent*len(sorted)+99)/100-1].rat }
		var mean, v *big.Rat
		if before != nil && after != nil {
			mean = mul(add(before.rat, after.rat), rat(1, 2))
		}
		at := func(percent int64) bool { return pma.rat.Cmp(rat(percent, 1)) >= 0 }
		beyond := func(percent int) *big.Rat {
			if mean == nil {
				return nil
			}
			return larger(rank(percent), mean)
		}
		code := "12"
		switch {
		case there < window:
			v, code = mean, "07"
		case at(95) && n <= 24, !at(95) && at(90) && n <= 8:
			v, code = mean, "06"
		case at(95):
			v, code = beyond(90), "08"
		case at(90):
			v, code = beyond(95), "09"
		case at(80):
			v, code = sorted[len(sorted)-1].rat, "10"
		case potential != nil:
			v = potential.rat
		}
		want := fillOf(v)
		want["modc"] = code
		return object{
			"availability_pct": pma, "consecutive_h": n, "before_kg_h": before, "after_kg_h": after, "rates": rates, "window": window, "potential_kg_h": potential,
		}, want
	},
	"ied.average": func(d dice) (object, object) {
		confidence := d.opt(0, 20)
		var hours []object
		lost, n, sum := 0, int64(0), rat(0, 1)
		for range 24 {
			valid, due := int64(2), int64(2)
			if d.IntN(6) == 0 {
				due = d.Int64N(3)
				valid = d.Int64N(due + 1)
			}
			value := d.dec(-2, 100)
			hours = append(hours, object{"value": value, "valid": valid, "due": due})
			lost += int(due - valid)
			v := value.rat
			if confidence != nil {
				if v = sub(v, confidence.rat); v.Sign() < 0 {
					v = rat(0, 1)
				}
			}
			n, sum = n+valid, add(sum, mul(v, rat(valid, 1)))
		}
		want := object{"valid": n > 0 && lost <= 5, "lost": float64(lost), "mean": nil}
		if n > 0 && lost <= 5 {
			want["mean"] = f(quo(sum, rat(n, 1)))
		}
		return object{"hours": hours, "confidence": confidence}, want
	},
}
