package indices

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/telemetry/quality"
	"plateau/rules"
)

// AQIRule is one edition of air.aqi with the individual indices it stands on.
type AQIRule struct {
	rule           *rules.Rule
	Edition        string
	PrimaryAbove   int
	DayItems       []string // of the index of a day
	upTo           []float64
	words, colours []string
	air            *AirRule
}

// readAQI reads an edition of air.aqi with air.iaqi of the same edition; faults
// wrap rules.ErrInvalid.
func readAQI(set *rules.Set, rule *rules.Rule) (*AQIRule, error) {
	q := &AQIRule{rule: rule}
	var err error
	if q.Edition, err = rule.Text("edition"); err != nil {
		return nil, err
	}
	primary, err := rule.Float("primary_above")
	if err != nil {
		return nil, err
	}
	q.PrimaryAbove = int(primary)
	if q.upTo, err = rule.TableFloats(rule.Params, "up_to"); err != nil {
		return nil, err
	}
	for name, to := range map[string]*[]string{"words": &q.words, "colours": &q.colours, "day_items": &q.DayItems} {
		if *to, err = rule.Texts(name); err != nil {
			return nil, err
		}
	}
	if len(q.words) != len(q.upTo)+1 || len(q.colours) != len(q.words) || !slices.IsSorted(q.upTo) {
		return nil, fmt.Errorf("rule %s: levels, words and colours do not fit each other: %w", rule.ID, rules.ErrInvalid)
	}
	for _, v := range set.Versions("air.iaqi") {
		a, err := ReadAir(v)
		if err != nil {
			return nil, err
		}
		if a.Edition == q.Edition {
			q.air = a
		}
	}
	if q.air == nil {
		return nil, fmt.Errorf("rule %s: air.iaqi has no edition %s: %w", rule.ID, q.Edition, rules.ErrInvalid)
	}
	return q, nil
}

// AllAQI reads every edition of air.aqi, by edition.
func AllAQI(set *rules.Set) (map[string]*AQIRule, error) {
	out := map[string]*AQIRule{}
	for _, v := range set.Versions("air.aqi") {
		q, err := readAQI(set, v)
		if err != nil {
			return nil, err
		}
		out[q.Edition] = q
	}
	return out, nil
}

// Items lists what the edition has individual indices for.
func (q *AQIRule) Items() []string { return q.air.Items() }

// AQIResult is an air quality index.
type AQIResult struct {
	OK      bool // false: no item has an index
	AQI     int
	Level   int    // from 1
	Word    string // excellent, good, light, moderate, heavy, severe
	Colour  string
	Primary []string       // pollutants with the largest index where it is above 50; PM2.5, O3
	PerItem map[string]int // items that have an index
}

// AQI is the air quality index of concentrations (ug/m3, CO mg/m3) by item:
// air.aqi (HJ 633), the largest individual index. An item the edition has no
// index for at its concentration does not count; sulfur dioxide of an hour above
// 800 was judged by its day mean until 2026.
func AQI(q *AQIRule, conc map[string]*big.Rat) AQIResult {
	r := AQIResult{PerItem: map[string]int{}}
	for item, c := range conc {
		if iaqi, ok := q.air.IAQI(item, c); ok {
			r.PerItem[item] = iaqi
			r.AQI, r.OK = max(r.AQI, iaqi), true
		}
	}
	if !r.OK {
		return r
	}
	r.Level = 1
	for r.Level <= len(q.upTo) && float64(r.AQI) > q.upTo[r.Level-1] {
		r.Level++
	}
	r.Word, r.Colour = q.words[r.Level-1], q.colours[r.Level-1]
	if r.AQI > q.PrimaryAbove {
		for item, iaqi := range r.PerItem {
			if pollutant, _, _ := strings.Cut(item, "_"); iaqi == r.AQI && !slices.Contains(r.Primary, pollutant) {
				r.Primary = append(r.Primary, pollutant)
			}
		}
		slices.Sort(r.Primary)
	}
	return r
}

// Step writes the index down for a person.
func (r AQIResult) Step(q *AQIRule, conc map[string]*big.Rat) quality.Step {
	s := quality.StepBy(q.rule, quality.StepVerdict)
	var parts []string
	for _, item := range slices.Sorted(maps.Keys(conc)) {
		c, _ := conc[item].Float64()
		s.Inputs = append(s.Inputs, quality.Input{Name: item, Value: quality.Num(c)})
		if iaqi, ok := r.PerItem[item]; ok {
			parts = append(parts, item+" "+strconv.Itoa(iaqi))
		}
	}
	if r.OK {
		s.Formula = "max(" + strings.Join(parts, ", ") + ") = " + strconv.Itoa(r.AQI)
		s.Result = strconv.Itoa(r.AQI)
	}
	return s
}

// AirValidRule is air.valid in force.
type AirValidRule struct {
	rule                                                   *rules.Rule
	minutes, eightHours, hours, days, februaryDays, inYear int
}

// ReadAirValid reads air.valid in force on date; faults wrap rules.ErrInvalid.
func ReadAirValid(set *rules.Set, date string) (*AirValidRule, error) {
	rule, ok := set.At("air.valid", date)
	if !ok {
		return nil, fmt.Errorf("rule air.valid is missing: %w", rules.ErrInvalid)
	}
	a := &AirValidRule{rule: rule}
	for name, to := range map[string]*int{
		"hour_min_minutes": &a.minutes, "eight_hours_min_hours": &a.eightHours, "day_min_hours": &a.hours,
		"month_min_days": &a.days, "february_min_days": &a.februaryDays, "year_min_days": &a.inYear,
	} {
		v, err := rule.Float(name)
		if err != nil {
			return nil, err
		}
		*to = int(v)
	}
	return a, nil
}

// Hour asks for 45 valid minutes, EightHours for 6 valid hours, Day for 20.
func (a *AirValidRule) Hour(minutes int) AirValid {
	return AirValid{minutes >= a.minutes, minutes, a.minutes}
}

func (a *AirValidRule) EightHours(hours int) AirValid {
	return AirValid{hours >= a.eightHours, hours, a.eightHours}
}

// Day is valid with 20 valid hours.
func (a *AirValidRule) Day(hours int) AirValid { return AirValid{hours >= a.hours, hours, a.hours} }

// Month is valid with 27 valid days, February with 25.
func (a *AirValidRule) Month(m time.Month, days int) AirValid {
	need := a.days
	if m == time.February {
		need = a.februaryDays
	}
	return AirValid{days >= need, days, need}
}

// Year is valid with 324 valid days and every month valid by itself; days are
// those of January to December.
func (a *AirValidRule) Year(days [12]int) AirValid {
	v := AirValid{Valid: true, Need: a.inYear}
	for i, n := range days {
		v.N += n
		v.Valid = v.Valid && a.Month(time.Month(i+1), n).Valid
	}
	v.Valid = v.Valid && v.N >= a.inYear
	return v
}

// AirValid tells whether a mean of ambient air is valid: air.valid (GB 3095).
type AirValid struct {
	Valid   bool
	N, Need int
}

// Step writes the comparison down for a person.
func (v AirValid) Step(a *AirValidRule) quality.Step {
	s := quality.StepBy(a.rule, quality.StepValidity)
	s.Inputs = []quality.Input{{Name: "n_valid", Value: strconv.Itoa(v.N)}}
	sign := " < "
	if v.N >= v.Need {
		sign = " ≥ "
	}
	s.Formula = "n = " + strconv.Itoa(v.N) + sign + strconv.Itoa(v.Need)
	s.Result = map[bool]string{true: "valid", false: "not_valid"}[v.Valid]
	return s
}
