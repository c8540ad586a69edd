package quality

import (
	"math"
	"strings"

	"plateau/internal/telemetry"
)

// grams are the mass concentrations that limits and loggers use, in powers of
// ten of g/m3.
var grams = map[string]int{
	"g/m3": 0, "mg/m3": -3, "ug/m3": -6, "ng/m3": -9,
	"g/L": 3, "mg/L": 0, "ug/L": -3, "ng/L": -6,
}

// perHour are the flows that loggers use, in m3/h.
var perHour = map[string]float64{"L/s": 3.6, "m3/s": 3600, "m3/h": 1, "m3/d": 1.0 / 24, "t/h": 1}

var plainUnit = strings.NewReplacer("³", "3", "µ", "u", "μ", "u", "Nm³", "m3", "Nm3", "m3", "l", "L", " ", "")

// ratio tells by what a mass concentration in one unit is multiplied to be in
// another; units that are no mass concentrations have none.
func ratio(from, to string) (float64, bool) {
	a, ok := grams[plainUnit.Replace(from)]
	b, ok2 := grams[plainUnit.Replace(to)]
	if !ok || !ok2 {
		return 0, false
	}
	return math.Pow10(a - b), true
}

// inUnit gives the bounds of a limit in the unit the logger sends: metals in
// water come in ug/L, their limits stand in mg/L; gases in ppm (toMg is what of
// them makes mg/m3), their limits in mg/m3. A unit without ratio is taken for
// another name of the same one.
func (l LimitRef) inUnit(of *telemetry.Limit, unit string, toMg float64) LimitRef {
	k, ok := ratio(of.Unit, unit)
	if mass, is := ratio(of.Unit, "mg/m3"); !ok && is && toMg > 0 {
		k, ok = mass/toMg, true
	}
	if !ok || k == 1 {
		return l
	}
	l.Lo.V, l.Hi.V = l.Lo.V*k, l.Hi.V*k
	return l
}
