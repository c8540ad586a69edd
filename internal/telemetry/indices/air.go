package indices

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"

	"plateau/internal/telemetry/quality"
	"plateau/rules"
)

// AirRule is one edition of air.iaqi.
type AirRule struct {
	rule    *rules.Rule
	Edition string // year of HJ 633
	index   []int64
	items   map[string][]*big.Rat
	above   map[string]int64
}

// ReadAir reads one version of air.iaqi; faults wrap rules.ErrInvalid.
func ReadAir(rule *rules.Rule) (*AirRule, error) {
	a := &AirRule{rule: rule, items: map[string][]*big.Rat{}, above: map[string]int64{}}
	var err error
	if a.Edition, err = rule.Text("edition"); err != nil {
		return nil, err
	}
	index, err := rule.TableFloats(rule.Params, "index")
	if err != nil {
		return nil, err
	}
	for _, i := range index {
		a.index = append(a.index, int64(i))
	}
	table := rule.Table("breakpoints")
	for item := range table {
		points, err := rule.TableFloats(table, item)
		if err != nil {
			return nil, err
		}
		if len(points) < 2 || len(points) > len(a.index) {
			return nil, fmt.Errorf("rule %s: %s has %d breakpoints, not 2 to %d: %w", rule.ID, item, len(points), len(a.index), rules.ErrInvalid)
		}
		for i, p := range points {
			if i > 0 && p <= points[i-1] {
				return nil, fmt.Errorf("rule %s: breakpoints of %s do not rise: %w", rule.ID, item, rules.ErrInvalid)
			}
			a.items[item] = append(a.items[item], quality.Exact(p))
		}
	}
	above := rule.Table("above")
	for item := range above {
		v, err := rule.TableFloat(above, item)
		if err != nil {
			return nil, err
		}
		a.above[item] = int64(v)
	}
	return a, nil
}

// Items lists what the edition has breakpoints for, such as PM2.5_24h.
func (a *AirRule) Items() []string { return slices.Sorted(maps.Keys(a.items)) }

// IAQI is the individual air quality index of a concentration of 0 or more
// (ug/m3, CO mg/m3): air.iaqi, linear between two breakpoints and rounded up;
// a whole number stays itself, so conc is exact. ok is false where the edition
// has none: for an item it does not know, and above a list that ends early.
func (a *AirRule) IAQI(item string, conc *big.Rat) (iaqi int, ok bool) {
	points := a.items[item]
	if points == nil || conc.Sign() < 0 {
		return 0, false
	}
	i := 1
	for i < len(points) && conc.Cmp(points[i]) > 0 {
		i++
	}
	if i == len(points) { // above the last breakpoint
		if len(points) == len(a.index) {
			return int(a.index[i-1]), true
		}
		v, ok := a.above[item]
		return int(v), ok
	}
	v := new(big.Rat).Sub(conc, points[i-1])
	v.Mul(v, big.NewRat(a.index[i]-a.index[i-1], 1))
	v.Quo(v, new(big.Rat).Sub(points[i], points[i-1]))
	v.Add(v, big.NewRat(a.index[i-1], 1))
	up := new(big.Int).Add(v.Num(), v.Denom())
	up.Sub(up, big.NewInt(1))
	return int(up.Quo(up, v.Denom()).Int64()), true
}

// Step writes the index down for a person.
func (a *AirRule) Step(item string, conc *big.Rat) quality.Step {
	s := quality.StepBy(a.rule, quality.StepConversion)
	c, _ := conc.Float64()
	s.Inputs = []quality.Input{{Name: item, Value: quality.Num(c)}}
	iaqi, ok := a.IAQI(item, conc)
	if !ok {
		return s
	}
	s.Result = strconv.Itoa(iaqi)
	points := a.items[item]
	for i := 1; i < len(points); i++ {
		if conc.Cmp(points[i]) <= 0 {
			lo, _ := points[i-1].Float64()
			hi, _ := points[i].Float64()
			s.Formula = fmt.Sprintf("⌈(%d − %d) ÷ (%s − %s) × (%s − %s) + %d⌉ = %d", a.index[i], a.index[i-1],
				quality.Num(hi), quality.Num(lo), quality.Num(c), quality.Num(lo), a.index[i-1], iaqi)
			break
		}
	}
	return s
}
