package telemetry

import "plateau/hj212"

// FactorUnit is the unit a factor is sent in where the registry names none:
// that of the national table. HJ 212-2017 prints ng/m3 for ammonia; its limits
// (GB 4915-2013) and the loggers use mg/m3.
func FactorUnit(code string) string {
	if code == "a21001" {
		return "mg/m3"
	}
	f, _ := hj212.LookupFactor(code)
	return f.Unit
}
