package quality

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// marks are the marks that minutes are counted by; everything else counts as "?".
// N, F, M, S, D, C, T, B are those of HJ 212; St, Sd and Md those of HJ 75-2017.
var marks = [...]string{"N", "F", "St", "Sd", "B", "C", "M", "Md", "T", "D", "S", "?"}

const (
	markN       = 0
	markMissing = 7
	markUnknown = len(marks) - 1
)

func markIndex(s string) int {
	switch s { // the frequent ones first
	case "N":
		return markN
	case "":
		return markUnknown
	}
	for i, m := range marks {
		if m == s {
			return i
		}
	}
	return markUnknown
}

func (h *HourRule) index() {
	list := func(names []string) []int8 {
		var out []int8
		for _, n := range names {
			out = append(out, int8(markIndex(n)))
		}
		return out
	}
	h.stateIndexes, h.devIndexes, h.tieIndexes = list(h.StateMarks), list(h.DeviceMarks), list(h.TieOrder)
	for i := range marks { // marks outside the tie order come last
		if i != markN && i != markMissing && !slices.Contains(h.tieIndexes, int8(i)) {
			h.tieIndexes = append(h.tieIndexes, int8(i))
		}
	}
}

// Run is a stretch of minutes with one mark; Value is its mean. Mark "Md" are
// minutes that never came.
type Run struct {
	Flag    string
	Minutes float64
	Value   Opt
}

// HourResult is the validity and mean of an hour.
type HourResult struct {
	Valid  bool
	Flag   string
	NValid float64 // minutes with mark N
	NSeen  float64 // minutes with any mark but Md
	Parts  int     // valid quarters or half-hours, where the rule asks for them
	Mean   Opt     // of the valid minutes that have a value, also when not Valid
	Min    Opt
	Max    Opt
}

// hourAcc sums the minutes of one factor. It counts in seconds: thirds of a
// minute would not sum to whole ones.
type hourAcc struct {
	seconds  [len(marks)]float64
	sum, w   float64
	min, max Opt
	parts    *partAcc // nil where the rule does not ask for parts
}

func (a *hourAcc) add(mark int, seconds float64, v Opt) {
	a.seconds[mark] += seconds
	if mark != markN || !v.OK {
		return
	}
	a.sum += v.V * seconds
	a.w += seconds
	if !a.min.OK || v.V < a.min.V {
		a.min = v
	}
	if !a.max.OK || v.V > a.max.V {
		a.max = v
	}
}

func (a *hourAcc) result(h *HourRule) HourResult {
	r := HourResult{NValid: a.seconds[markN] / 60, Min: a.min, Max: a.max}
	seen := 0.0
	for i, s := range a.seconds {
		if i != markMissing {
			seen += s
		}
	}
	r.NSeen = seen / 60
	if a.w > 0 {
		r.Mean = Some(a.sum / a.w)
		if a.min.V == a.max.V { // the division must not blur an exact value
			r.Mean = a.min
		}
	}
	r.Valid = a.seconds[markN] >= 60*h.MinValid
	r.Flag = a.flag(h)
	if h.part != nil && a.parts != nil {
		a.parts.apply(h.part, a, &r)
	}
	return r
}

// flag names the hour by its minutes (HJ 75-2017, record marks).
func (a *hourAcc) flag(h *HourRule) string {
	if a.seconds[markN] >= 60*h.MinValid {
		return marks[markN]
	}
	for _, i := range h.stateIndexes {
		if a.seconds[i] >= 60*h.MinValid {
			return marks[i]
		}
	}
	best := int8(-1)
	for _, i := range h.devIndexes {
		if a.seconds[i] > 60*h.DeviceAbove && (best < 0 || a.seconds[i] > a.seconds[best]) {
			best = i
		}
	}
	if best >= 0 {
		return marks[best]
	}
	for _, i := range h.tieIndexes {
		if a.seconds[i] > 0 && (best < 0 || a.seconds[i] > a.seconds[best]) {
			best = i
		}
	}
	if best >= 0 {
		return marks[best]
	}
	return h.MissingMark
}

// HourMean judges an hour by its minutes: cems.hour_mean (HJ 76-2017 annex B).
// The order of runs does not matter; they may sum to less than 60 minutes.
func HourMean(h *HourRule, runs []Run) HourResult {
	var a hourAcc
	for _, r := range runs {
		a.add(markIndex(r.Flag), 60*r.Minutes, r.Value)
	}
	return a.result(h)
}

// Step writes the result down for a person.
func (r HourResult) Step(h *HourRule, runs []Run) Step {
	s := h.step(StepValidity)
	n := map[string]float64{}
	var order []string
	for _, x := range runs {
		if _, ok := n[x.Flag]; !ok {
			order = append(order, x.Flag)
		}
		n[x.Flag] += x.Minutes
	}
	slices.Sort(order)
	for _, f := range order {
		s.Inputs = append(s.Inputs, Input{Name: "minutes " + orUnknown(f), Value: num(n[f]), Unit: "min"})
	}
	s.Formula = "n(N) = " + num(r.NValid) + sign(r.NValid >= h.MinValid) + num(h.MinValid)
	if h.part != nil {
		s.Formula = strconv.Itoa(r.Parts) + " / " + strconv.Itoa(h.part.N) + " × " + num(60/float64(h.part.N)) + " min"
	}
	s.Result = r.Flag
	return s
}

// FoldResult is a folded concentration.
type FoldResult struct {
	Folded Opt
	Status FoldStatus
}

// FoldO2 folds a concentration to the reference oxygen: cems.fold_o2,
// C × (21 − O2ref) ÷ (21 − O2), oxygen in percent of dry gas. Without a
// reference nothing is folded; a missing or negative oxygen and one at or
// above the rule's maximum give no value.
func FoldO2(f *FoldRule, c float64, o2, refO2 Opt) FoldResult {
	switch {
	case !refO2.OK:
		return FoldResult{Status: FoldNotRequired}
	case !o2.OK || o2.V < 0:
		return FoldResult{Status: FoldO2Missing}
	case o2.V >= f.Max:
		return FoldResult{Status: FoldO2Range}
	}
	return FoldResult{Some(c * (f.Air - refO2.V) / (f.Air - o2.V)), FoldOK}
}

// Step writes the folding down for a person.
func (r FoldResult) Step(f *FoldRule, c float64, o2, refO2 Opt) Step {
	s := f.step(StepConversion)
	s.Result = string(r.Status)
	s.Inputs = []Input{{Name: "C", Value: num(c)}}
	if refO2.OK {
		s.Inputs = append(s.Inputs, Input{"O2ref", num(refO2.V), "%"})
	}
	if o2.OK {
		s.Inputs = append(s.Inputs, Input{"O2", num(o2.V), "%"})
	}
	if r.Status == FoldOK {
		air := num(f.Air)
		s.Formula = num(c) + " × (" + air + " − " + num(refO2.V) + ") ÷ (" + air + " − " + num(o2.V) + ") = " + num(r.Folded.V)
		s.Result = num(r.Folded.V)
	} else {
		s.Notes = append(s.Notes, Text{Key: "reason.fold_" + string(r.Status), Args: map[string]string{"o2": optText(o2)}})
	}
	return s
}

// MeanResult is a mean over hours.
type MeanResult struct {
	Valid    bool
	NValid   int
	Expected int // water: rows with flow
	Mean     Opt // also when not Valid
	Min, Max Opt
	Flow     Opt // water: all measured flow, m3
	Total    Opt // water: kg, only when Valid
	// Numerator and denominator of Mean: values and their number, or weighed by
	// flow and the flow of the valid rows.
	Sum, Weight float64
}

// DayMean is the day mean of stack gas: cems.day_mean, the arithmetic mean of
// the valid hours, of which there must be 20 (HJ 76-2017 annex B).
func DayMean(d *DayRule, hours []Opt) MeanResult {
	var r MeanResult
	sum := 0.0
	for _, h := range hours {
		if h.OK {
			r.NValid++
			sum += h.V
			r.spread(h.V)
		}
	}
	if r.NValid > 0 {
		r.Sum, r.Weight = sum, float64(r.NValid)
		r.Mean = Some(sum / r.Weight)
		r.exact()
	}
	r.Valid = r.NValid >= d.MinHours
	return r
}

func (r *MeanResult) spread(v float64) {
	if !r.Min.OK || v < r.Min.V {
		r.Min = Some(v)
	}
	if !r.Max.OK || v > r.Max.V {
		r.Max = Some(v)
	}
}

// exact keeps a constant value free of rounding by the division.
func (r *MeanResult) exact() {
	if r.Min.V == r.Max.V {
		r.Mean = r.Min
	}
}

// WaterRow is one period (an hour) of waste water.
type WaterRow struct {
	C        Opt // concentration, mg/L; or pH
	Q        float64
	Valid    bool
	QUnknown bool // flow not measured: the period is due, but cannot be weighed
}

// WaterDay is the day mean of waste water: wpms.day (HJ 356-2019 chapter 7),
// sum(C×Q) ÷ sum(Q) over the valid rows, valid when these are 75 % of the rows
// with flow. Where no row at all has a measured flow every valid row weighs
// the same and there is no total. Total = mean × flow of all rows ÷ 1000, kg.
func WaterDay(d *WaterDayRule, rows []WaterRow) MeanResult {
	return waterMean(d, rows, func(c float64) float64 { return c }, func(m float64) float64 { return m })
}

// PHMean is the day mean of pH: wpms.ph_mean, −log10 of the mean hydrogen-ion
// concentration weighed by flow; with minimum and maximum, because the limit
// is a range for single values.
func PHMean(d *WaterDayRule, rows []WaterRow) MeanResult {
	r := waterMean(d, rows, func(c float64) float64 { return math.Pow(10, -c) }, func(m float64) float64 { return -math.Log10(m) })
	r.Total = Opt{}
	return r
}

// WaterTotal is the mass in kg of a mean in mg/L and all water that flowed, m3:
// HJ 356-2019 chapter 7.
func WaterTotal(mean, flow float64) float64 { return mean * flow / 1000 }

func waterMean(d *WaterDayRule, rows []WaterRow, to, from func(float64) float64) MeanResult {
	var r MeanResult
	known := slices.ContainsFunc(rows, func(w WaterRow) bool { return !w.QUnknown })
	var sum, weight, flow float64
	for _, w := range rows {
		q := w.Q
		if !known {
			q = 1
		} else if w.QUnknown {
			q = 0
			r.Expected++
		}
		flow += q
		if q <= 0 {
			continue
		}
		r.Expected++
		if w.Valid && w.C.OK {
			r.NValid++
			sum += to(w.C.V) * q
			weight += q
			r.spread(w.C.V)
		}
	}
	r.Sum, r.Weight = sum, weight
	if weight > 0 {
		r.Mean = Some(from(sum / weight))
		r.exact()
	}
	r.Valid = r.Expected > 0 && float64(r.NValid)*100 >= d.MinPercent*float64(r.Expected)
	if known {
		r.Flow = Some(flow)
		if r.Valid && r.Mean.OK {
			r.Total = Some(WaterTotal(r.Mean.V, flow))
		}
	}
	return r
}

func num(v float64) string {
	a := math.Abs(v)
	switch {
	case v == math.Trunc(v) && a < 1e15:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case a >= 0.01 && a < 1e9:
		return trimZeros(strconv.FormatFloat(v, 'f', 4, 64))
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}

func trimZeros(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

func optText(o Opt) string {
	if !o.OK {
		return "—"
	}
	return num(o.V)
}

func orUnknown(flag string) string {
	if flag == "" {
		return "?"
	}
	return flag
}
