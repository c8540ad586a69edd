package quality

import (
	"math"
	"testing"

	"plateau/internal/telemetry"
	"plateau/rules"
)

func planOf(t *testing.T, o *telemetry.Outlet, date string) *plan {
	t.Helper()
	p, err := readParams(rules.Default(), date)
	if err != nil {
		t.Fatal(err)
	}
	return newPlan(p, limitSource{rules.Default().Limits()}, o, date)
}

func factors(codes ...string) (out []telemetry.OutletFactor) {
	for _, c := range codes {
		out = append(out, telemetry.OutletFactor{Code: c})
	}
	return out
}

// TestAmendedSewageWorks: pH, colour and faecal coliform were judged by the day
// until 2026-02-28; since then by the single value, and by the day no more.
// Figures that the amendment changed and that were not found are not made up.
func TestAmendedSewageWorks(t *testing.T) {
	t.Parallel()
	o := &telemetry.Outlet{Medium: telemetry.Water, SourceType: "municipal sewage works outlet", Level: "1A", Factors: factors("w01001", "w01002", "w02003", "w01018", "w21003")}
	old, now := planOf(t, o, "2026-02-28"), planOf(t, o, "2026-03-01")
	for _, c := range []struct {
		code                           string
		oldDay, newDay, oldOne, newOne bool // has a limit of the statistic
	}{
		{"w01001", true, false, true, true}, // ranges are always judged by single values too
		{"w01002", true, false, false, true},
		{"w02003", true, false, false, false},
		{"w01018", true, true, false, false},
		{"w21003", true, true, false, false},
	} {
		a, b := &old.factors[old.index[c.code]], &now.factors[now.index[c.code]]
		for name, x := range map[string][2]bool{
			"day until 2026-02": {!a.day.IsZero(), c.oldDay}, "day since": {!b.day.IsZero(), c.newDay},
			"single value until 2026-02": {!a.instant.IsZero(), c.oldOne}, "single value since": {!b.instant.IsZero(), c.newOne},
		} {
			if x[0] != x[1] {
				t.Errorf("%s, %s: limit is there: %v, want %v", c.code, name, x[0], x[1])
			}
		}
		if !b.instant.IsZero() && !b.instant.evidence {
			t.Errorf("%s: a single value over the limit is no evidence", c.code)
		}
	}
	if f := now.factors[now.index["w01001"]].instant; f.Lo != Some(6) || f.Hi != Some(9) {
		t.Errorf("pH is judged against %+v", f)
	}
}

// TestEvidenceBySource: the hour of a stack is evidence, that of a waste
// incinerator only a warning; of waste water it is the day.
func TestEvidenceBySource(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		outlet       telemetry.Outlet
		code         string
		hour, day    bool // counts as evidence
		limit, ofDay float64
	}{
		{"boiler", telemetry.Outlet{Medium: telemetry.Gas, SourceType: "coal-fired boiler (<= 65 t/h)", Condition: "new"}, "a21026", true, false, 300, 0},
		{"incinerator", telemetry.Outlet{Medium: telemetry.Gas, SourceType: "municipal waste incinerator"}, "a21026", false, true, 100, 80},
		{"sewage works", telemetry.Outlet{Medium: telemetry.Water, SourceType: "municipal sewage works outlet", Level: "1B"}, "w01018", false, true, 60, 60},
		{"ultra-low", telemetry.Outlet{Medium: telemetry.Gas, SourceType: "coal-fired power boiler", Condition: "ultra-low emission plan"}, "a21002", true, false, 50, 0},
		{"power boiler", telemetry.Outlet{Medium: telemetry.Gas, SourceType: "coal-fired power boiler", Condition: "new"}, "a21002", true, false, 100, 0},
	} {
		c.outlet.Factors = factors(c.code)
		pl := planOf(t, &c.outlet, "2026-11-24")
		f := &pl.factors[0]
		if f.hour.Hi != Some(c.limit) || f.hour.evidence != c.hour || c.ofDay > 0 && (f.day.Hi != Some(c.ofDay) || f.day.evidence != c.day) {
			t.Errorf("%s: hour %+v, day %+v", c.name, f.hour, f.day)
		}
	}
}

// TestLimitInPPM: a logger that sends ppm is held against the limit in ppm, and
// its readings make the same mass.
func TestLimitInPPM(t *testing.T) {
	t.Parallel()
	o := &telemetry.Outlet{
		Medium: telemetry.Gas, SourceType: "coal-fired power boiler", Condition: "new",
		Factors: []telemetry.OutletFactor{{Code: "a21026", Unit: "ppm"}, {Code: "a21002", Unit: "mg/m3"}, {Code: "a34013", Unit: "ppm"}},
	}
	pl := planOf(t, o, "2026-11-24")
	so2, nox := &pl.factors[0], &pl.factors[1]
	if d := so2.hour.Hi.V - 100*22.4/64; math.Abs(d) > 1e-9 || math.Abs(so2.toMg-64/22.4) > 1e-12 {
		t.Errorf("SO2 in ppm: limit %+v, %v mg/m3 a ppm", so2.hour, so2.toMg)
	}
	if nox.hour.Hi != Some(100) || nox.toMg != 1 {
		t.Errorf("NOx in mg/m3: limit %+v, %v", nox.hour, nox.toMg)
	}
	if dust := &pl.factors[2]; dust.toMg != 0 {
		t.Errorf("dust has no molar mass, yet %v mg/m3 a ppm", dust.toMg)
	}
}
