package proof

import (
	"bufio"
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plateau/internal/testkit"
	"plateau/rules"
)

// proved is one statement of the reference of emission-data rules and what
// holds the program to it: "package Test", "case RULE" (worked cases) or
// "episode HEADING" (sequences of hours and the alarms they give). open says why
// there is none yet.
type proved struct {
	section, statement string
	by                 []string
	open               string
}

// coverage lists sections 2 to 6, 8, 9, 9.1, 11, 12 and 14.
var coverage = []proved{
	{section: "2.1", statement: "only a number with mark N makes a mean; every other mark does not", by: []string{"quality TestUnusableMinutes", "quality TestMarksOfHours"}},
	{section: "2.1", statement: "F is a source at rest: nothing is due", by: []string{"quality TestShortRunning", "quality TestWaterDaysDue", "proof TestGasTurbine", "proof TestWasteWater"}},
	{section: "2.1", statement: "T raises an over-range alarm", by: []string{"episode beyond the range, by mark and by value"}},
	{section: "2.1", statement: "a missing mark is N only where the whole outlet is set so", by: []string{"quality TestHourMarksAndSources"}},
	{section: "2.1", statement: "version bits of Flag; RF of what is sent again", by: []string{"hj212 TestParseOddities", "proof TestAnyArrival"}},
	{section: "2.2", statement: "mark of an hour by its minutes, five steps with their order among equals", by: []string{"quality TestMarksOfHours", "case cems.hour_mean", "proof TestGasTurbine"}},
	{section: "2.2", statement: "only marks of the instrument lower the capture rate", by: []string{"proof TestPeriods"}},
	{section: "3", statement: "valid hour, 45 minutes", by: []string{"proof TestGasTurbine", "quality TestHoursByInterval", "case cems.hour_mean"}},
	{section: "3", statement: "valid day, 20 hours, arithmetic mean of hours, gas never weighed by flow", by: []string{"quality TestExactDays", "proof TestGasTurbine", "proof TestAirAnalysers", "case cems.day_mean"}},
	{section: "3", statement: "valid month, 25 days, February 23", by: []string{"quality TestMonthsOfYear", "proof TestPeriods", "case cems.month_valid"}},
	{section: "3", statement: "an hour is named by its start, a day is Beijing's", by: []string{"quality TestDaysAreBeijing", "quality TestPeriodBounds"}},
	{section: "3", statement: "six of six hours are no valid day, and the row says why", by: []string{"quality TestShortRunning"}},
	{section: "4", statement: "velocity, wet flow, dry flow at standard state", by: []string{"quality TestExactGas", "quality TestComputedFlow", "case cems.flow_std_dry"}},
	{section: "4", statement: "wet to dry", by: []string{"quality TestExactGas", "quality TestWetGas", "case cems.wet_to_dry"}},
	{section: "4", statement: "ppm to mg/m3", by: []string{"case cems.ppm", "quality TestLimitInPPM"}},
	{section: "4", statement: "NOx as NO2", by: []string{"quality TestExactGas", "quality TestComputedNOx", "case cems.nox_as_no2"}},
	{section: "4", statement: "excess air, folding to reference oxygen or to a stated alpha", by: []string{"quality TestExactGas", "proof TestGasTurbine", "case cems.fold_o2", "case cems.fold_alpha"}},
	{section: "4", statement: "emission rate of the concentration that is not folded", by: []string{"quality TestExactGas", "quality TestHourRate", "proof TestPeriods", "case cems.emission_rate"}},
	{section: "4", statement: "day, month and year totals", by: []string{"quality TestDayTotals", "quality TestMonthOfGas", "proof TestPeriods"}},
	{section: "4", statement: "no folding from 20.5 % oxygen on, of missing or negative oxygen", by: []string{"quality TestExactGas", "quality TestUnfoldableDay", "proof TestGasTurbine"}},
	{section: "4", statement: "fold of means against the reported one, 2 %; judged by the reported", by: []string{"proof TestGasTurbine", "episode one hour of difference is not yet an alarm, two are"}},
	{section: "4", statement: "drift below zero counts as 0 for totals, more is an anomaly", by: []string{"quality TestHourRate", "episode below zero, and the calm that ends it"}},
	{section: "4", statement: "full precision inside, half to even outside", by: []string{"quality TestDisplay", "quality TestFullValueInTrace"}},
	{section: "5", statement: "capture rate of the quarter", by: []string{"quality TestExactRates", "proof TestPeriods", "case cems.capture_rate"}},
	{section: "5", statement: "windows of 180, 720, 2160 valid hours, walked back over gaps; below 75 % no rule", by: []string{"quality TestSubstituteWindow", "proof TestPeriods", "case cems.substitute_rate"}},
	{section: "5", statement: "out of control: nothing behind the last check that passed is used", by: []string{"case cems.substitute_rate"}},
	{section: "5", statement: "the whole run decides, also across the end of a month or quarter", by: []string{"quality TestRunOverTheBounds", "proof TestPeriods"}},
	{section: "5", statement: "provisional until the quarter is closed", by: []string{"quality TestSubstitutionByTable6", "quality TestRunOverTheBounds"}},
	{section: "5", statement: "the older practice of HJ/T 75-2007, as a labelled profile", by: []string{"quality TestProfilesOfGas", "quality TestNeighbourMean"}},
	{section: "5.1", statement: "limits of calibration and drift; out of control since the last check that passed", open: "needs the register of checks, which people keep"},
	{section: "6.1", statement: "maintenance, fault, calibration, no flow: invalid", by: []string{"quality TestNoWater", "quality TestUnusableMinutes", "proof TestWasteWater"}},
	{section: "6.1", statement: "a sudden jump or a value that stands still needs a check", by: []string{"quality TestStates", "episode one value for four hours"}},
	{section: "6.1", statement: "instrument, logger and platform differ; failed comparison", open: "needs what the instrument itself shows, and the register of checks"},
	{section: "6.2", statement: "limits of standard samples and comparisons", open: "needs the register of checks, which people keep"},
	{section: "6.3", statement: "day mean by flow, 75 % of the periods with water", by: []string{"quality TestExactDays", "quality TestWaterDaysDue", "proof TestWasteWater", "case wpms.day"}},
	{section: "6.3", statement: "month mean of valid days, 75 % of the days due", by: []string{"quality TestMonthOfWater", "proof TestWasteWater"}},
	{section: "6.3", statement: "day total of all measured flow; totaliser unless it went back", by: []string{"quality TestExactDays", "quality TestDayTotals", "proof TestWasteWater"}},
	{section: "6.3", statement: "pH by the hydrogen ion, with least and most", by: []string{"quality TestPHOfDay", "proof TestWasteWater", "proof TestSurfaceWater", "case wpms.ph_mean"}},
	{section: "6.4", statement: "the largest valid day total stands in; flow zero leaves nothing to replace", by: []string{"quality TestMonthOfWater", "proof TestWasteWater"}},
	{section: "6.4", statement: "the older HJ/T 356-2007, as a labelled profile", by: []string{"quality TestPreceding", "quality TestPrecedingDays"}},
	{section: "8", statement: "transmission rate × valid rate; nothing due, no rate; running hours only", by: []string{"quality TestExactRates", "proof TestPeriods", "case net.tx_valid_rate"}},
	{section: "8", statement: "what is sent again counts inside its window", by: []string{"quality TestInTime", "proof TestPeriods"}},
	{section: "9", statement: "full value, equality complies, times over", by: []string{"quality TestExactVerdict", "quality TestFullValueInTrace", "proof TestGasTurbine", "case judge.exceed"}},
	{section: "9", statement: "which statistic is evidence, which warns", by: []string{"quality TestDays", "quality TestStates", "episode days of water are evidence, its hours only a warning and part of it"}},
	{section: "9", statement: "pH and colour of sewage works by the single value since 2026-03-01", by: []string{"quality TestAmendedSewageWorks"}},
	{section: "9", statement: "evidence by the type of source; ultra-low limits", by: []string{"quality TestEvidenceBySource"}},
	{section: "9", statement: "permit, local, industry, general standard; of equal rank the stricter", by: []string{"quality TestLimitRanks", "quality TestOwnLimitGoesFirst"}},
	{section: "9", statement: "an episode joins exceeding values", by: []string{"episode hours over the limit in a row are one episode", "episode missing hours do not end it, and count as blank; it is still open"}},
	{section: "9", statement: "ammonia by the water's temperature", by: []string{"proof TestWasteWater", "case limit.nh3_by_temperature"}},
	{section: "9", statement: "permit total", by: []string{"quality TestMonthOfGas"}},
	{section: "9.1", statement: "missing minutes, missing hour, still missing after 168 h, link fault", by: []string{"episode one factor short of minutes", "episode still missing after a week", "episode nothing at all: the link, with the half hours at its ends"}},
	{section: "9.1", statement: "constant for 4 h; less than 5 % over half a month; not zeros, not the detection limit", by: []string{"episode one value for four hours", "episode half a month without variation", "episode zeros and values at the detection limit are no sign"}},
	{section: "9.1", statement: "negative; above range; device fault", by: []string{"episode below zero, and the calm that ends it", "episode beyond the range, by mark and by value", "episode calibration and maintenance are kept quiet, a fault is not"}},
	{section: "11", statement: "individual air quality index, 2012 and 2026, rounded up once", by: []string{"case air.iaqi", "proof TestAirAnalysers"}},
	{section: "11", statement: "class of surface water, multiples over class III", by: []string{"case water.class", "proof TestSurfaceWater"}},
	{section: "11", statement: "air quality index: the largest, six levels, primary pollutant above 50", by: []string{"case air.aqi", "ruleeval TestIndependent"}},
	{section: "11", statement: "valid hour, eight hours, day, month and year of ambient air", by: []string{"case air.valid", "ruleeval TestIndependent"}},
	{section: "11", statement: "oxygen of class I by 90 % of saturation", by: []string{"case water.class", "case water.section", "case water.do_saturation"}},
	{section: "11", statement: "grade of a section, three main pollutants, total nitrogen of lakes beside the class", by: []string{"case water.section", "indices TestMainPollutants"}},
	{section: "11", statement: "rivers by the shares of their sections, few sections by their means", by: []string{"case water.river"}},
	{section: "11", statement: "trophic index of lakes", by: []string{"case water.tli", "indices TestTrophicLevels", "ruleeval TestIndependent"}},
	{section: "12", statement: "limit values", by: []string{"rules TestLimitsAgainstReference"}},
	{section: "14", statement: "every rule answers its worked cases", by: []string{"ruleeval TestCases", "ruleeval TestSharedCases", "ruleeval TestIndependent"}},
	{section: "7", statement: "sixty hours of incinerators, seven hundred of baking and cooling down", by: []string{"quality TestQuotaIsKept", "case mswi.quota60", "case mswi.quota700"}},
	{section: "7", statement: "1 + N, groups and effects of marks", by: []string{"rules TestMarksFor", "rules TestCheckMarks"}},
	{section: "7", statement: "marks of the device take values out, those of the operating state exempt hours and days, a stop expects nothing", by: []string{"quality TestMarksChangeTheRightHours", "quality TestExemptHours", "quality TestMarksInPeriods", "episode an hour exempt by a mark opens nothing and ends nothing"}},
	{section: "7", statement: "a corrected value beside what was measured", by: []string{"quality TestCorrection"}},
	{section: "7", statement: "marks by the enterprise: in time at once, late after the review, false ones out; overlaps refused", by: []string{"mark TestInTimeAndReviewed", "mark TestLateMark", "mark TestMarkRefused"}},
	{section: "7", statement: "a correction within ten days, its document by the tenth, else restored", by: []string{"mark TestCorrectionTimers"}},
}

// packages of the list.
var packages = map[string]string{
	"quality": "internal/telemetry/quality", "proof": "internal/proof", "ruleeval": "internal/telemetry/ruleeval", "indices": "internal/telemetry/indices", "rules": "rules", "mark": "internal/telemetry/mark", "hj212": "hj212",
}

// TestCoverage wants of every statement of the reference a test that is there,
// or the reason why there is none.
func TestCoverage(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{}
	for name, dir := range packages {
		for _, f := range testFunctions(t, filepath.Join(testkit.Root(), dir)) {
			tests[name+" "+f] = true
		}
	}
	cases, episodes := caseRules(t), headings(t)
	held, open := 0, 0
	for _, p := range coverage {
		if (len(p.by) == 0) == (p.open == "") {
			t.Errorf("%s %s: wants tests or a reason", p.section, p.statement)
		}
		for _, by := range p.by {
			kind, what, _ := strings.Cut(by, " ")
			if kind == "case" && cases[what] == 0 || kind == "episode" && !episodes[what] || kind != "case" && kind != "episode" && !tests[by] {
				t.Errorf("%s %s: there is no %q", p.section, p.statement, by)
			}
			held++
		}
		if p.open != "" {
			open++
			t.Logf("open: %s %s: %s", p.section, p.statement, p.open)
		}
	}
	t.Logf("%d statements, %d references to tests, %d open", len(coverage), held, open)
}

// TestEveryRuleHasCases: a rule that can be applied by itself has worked cases.
func TestEveryRuleHasCases(t *testing.T) {
	t.Parallel()
	cases := caseRules(t)
	ids := rules.Default().IDs()
	for rule := range cases {
		if !slices.Contains(ids, rule) {
			t.Errorf("there are cases of %s, but no such rule", rule)
		}
	}
	for _, id := range ids {
		if family, _, _ := strings.Cut(id, "."); slices.Contains([]string{"cems", "air", "water", "mswi", "net"}, family) && cases[id] == 0 {
			t.Errorf("rule %s has no worked case", id)
		}
	}
}

// testFunctions lists the tests of a package folder.
func testFunctions(t *testing.T, dir string) (out []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests in %s: %v", dir, err)
	}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				out = append(out, fn.Name.Name)
			}
		}
	}
	return out
}

// caseRules counts the worked cases by rule.
func caseRules(t *testing.T) map[string]int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testkit.Root(), "rules", "testdata", "cases.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	n := map[string]int{}
	for sc := bufio.NewScanner(bytes.NewReader(text)); sc.Scan(); {
		var c struct {
			Rule string `json:"rule"`
		}
		if err := json.Unmarshal(sc.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		n[c.Rule]++
	}
	return n
}

// headings are the sequences of the alarm tests.
func headings(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(testkit.Root(), "internal/telemetry/alarm/testdata/*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no sequences of alarms: %v", err)
	}
	out := map[string]bool{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if h, ok := strings.CutPrefix(line, "== "); ok {
				out[strings.TrimSpace(h)] = true
			}
		}
	}
	return out
}
