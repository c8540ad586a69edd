package rules

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
)

// TestOwnFiles: nothing is wrong with the files of the program.
func TestOwnFiles(t *testing.T) {
	t.Parallel()
	faults, err := Check(files)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		t.Error(f)
	}
}

func TestCheckNamesLineAndRemedy(t *testing.T) {
	t.Parallel()
	text, err := files.ReadFile("cems.hour_mean.toml")
	if err != nil {
		t.Fatal(err)
	}
	good := string(text)
	replace := func(old, with string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("the rule no longer holds %q", old)
		}
		return strings.Replace(good, old, with, 1)
	}
	for _, c := range []struct{ name, file, text, want string }{
		{"none", "cems.hour_mean.toml", good, ""},
		{"no TOML", "cems.hour_mean.toml", replace("version = 1", "version = "), "cems.hour_mean.toml:2: is no TOML"},
		{"misspelt key", "cems.hour_mean.toml", replace("certainty", "certanty"), "cems.hour_mean.toml:7: certanty is no key of a rule"},
		{"bad id", "cems.hour_mean.toml", replace(`"cems.hour_mean"`, `"CEMS"`), `cems.hour_mean.toml:1: id is "CEMS"; write words`},
		{"bad date", "cems.hour_mean.toml", replace("2018-03-01", "2018-13-01"), "cems.hour_mean.toml:3: effective_from is \"2018-13-01\"; write a day as YYYY-MM-DD"},
		{"other file", "cems.day_mean.toml", good, "cems.day_mean.toml:1: id is cems.hour_mean, but the file is named after cems.day_mean; name it cems.hour_mean.toml"},
		{"text for a number", "cems.hour_mean.toml", replace("min_valid_minutes = 45", `min_valid_minutes = "45"`), "cems.hour_mean.toml:10: min_valid_minutes is 45; write a number from 0 to 60"},
		{"out of bounds", "cems.hour_mean.toml", replace("min_valid_minutes = 45", "min_valid_minutes = 61"), "min_valid_minutes is 61; write a number from 0 to 60"},
		{"missing parameter", "cems.hour_mean.toml", replace("device_minutes = 15", ""), "device_minutes is missing; write device_minutes = a number from 0 to 60"},
		{"unknown parameter", "cems.hour_mean.toml", good + "extra = 1\n", "extra is no parameter of cems.hour_mean; it has device_marks"},
		{"wrong list", "cems.hour_mean.toml", replace(`["D", "M", "C"]`, `["D", 3]`), `device_marks[1] is 3; write a text in "quotes"`},
		{"two at once", "cems.hour_mean@2.toml", replace("version = 1", "version = 2"), "versions 1 and 2 are in force together; end version 1"},
		{"rule without a shape", "x.y.toml", head + "[params]\nn = 1\n", `x.y has no entry in schema.toml; add ["x.y"]`},
		{"shapes", schemaFile, "[x]\nsubject = \"nothing\"\n", "schema.toml: schema.toml: x needs a subject: validity"},
		{"limits", limitFile, "a,b\n", "limits.csv: limits: first row must name the columns"},
		{"cases", caseFile, "{}\n", `cases.jsonl: cases, line 1: "" needs an id`},
	} {
		faults, err := Check(fstest.MapFS{c.file: {Data: []byte(c.text)}})
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, f := range faults {
			all = append(all, f.String())
		}
		if got := strings.Join(all, "\n"); (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s:\n%s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestParseSchemaRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no TOML": "[", "unknown key": "[a]\nsubject = \"means\"\nbo = \"x\"\nz = 1\n",
		"odd kind":      "[a]\nsubject = \"means\"\nbo = \"x\"\nparams.p = {kind = \"date\", zh = \"x\", en = \"x\"}\n",
		"no words":      "[a]\nsubject = \"means\"\nbo = \"x\"\nparams.p = {kind = \"number\", zh = \"x\"}\n",
		"of in a list":  "[a]\nsubject = \"means\"\nbo = \"x\"\nparams.p = {kind = \"numbers\", of = \"number\", zh = \"x\", en = \"x\"}\n",
		"no such theme": "[a]\nsubject = \"weather\"\nbo = \"x\"\n",
	} {
		if _, err := ParseSchema([]byte(text)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: accepted (%v)", name, err)
		}
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	v := Default().Versions("air.iaqi")
	got := []string{}
	for _, d := range Diff(v[0], v[1]) {
		from, to := "-", "-"
		if d.From != nil {
			from = d.From.Text()
		}
		if d.To != nil {
			to = d.To.Text()
		}
		got = append(got, strings.Join(d.Keys, "/")+": "+from+" → "+to)
	}
	want := []string{
		"above/O3_8h: - → 300", "above/SO2_1h: - → 200",
		"breakpoints/PM10_1h: - → 0, 50, 120, 250, 350, 420, 500, 600",
		"breakpoints/PM10_24h: 0, 50, 150, 250, 350, 420, 500, 600 → 0, 50, 120, 250, 350, 420, 500, 600",
		"breakpoints/PM2.5_1h: - → 0, 35, 60, 115, 150, 250, 350, 500",
		"breakpoints/PM2.5_24h: 0, 35, 75, 115, 150, 250, 350, 500 → 0, 35, 60, 115, 150, 250, 350, 500",
		"edition: 2012 → 2026",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if d := Diff(v[0], v[0]); d != nil {
		t.Errorf("a version differs from itself: %v", d)
	}
}

func TestNextChange(t *testing.T) {
	t.Parallel()
	for date, want := range map[string]string{"2010-01-01": "2016-01-01", "2016-01-01": "2026-03-01", "2026-02-28": "2026-03-01", "2026-03-01": ""} {
		if got := Default().NextChange("air.iaqi", date); got != want {
			t.Errorf("after %s: %q, want %q", date, got, want)
		}
	}
	if _, ok := Default().InForce("air.iaqi", "2010-01-01"); ok {
		t.Error("a rule is in force before its first version")
	}
}

// TestLimitChanges: every limit begins once, and every one that ends either has
// a successor or just ends.
func TestLimitChanges(t *testing.T) {
	t.Parallel()
	all := Default().Limits().All()
	began, ended, byDate := 0, 0, map[string]int{}
	for _, c := range Default().Limits().Changes() {
		if c.New != nil {
			began++
		}
		if c.Old != nil {
			ended++
			if nextDay(c.Old.EffectiveTo) != c.Date || c.New != nil && c.New.Factor != c.Old.Factor {
				t.Errorf("%s: %+v is followed by %+v", c.Date, c.Old, c.New)
			}
		}
		byDate[c.Date]++
	}
	open := 0
	for i := range all {
		if all[i].EffectiveTo == "" {
			open++
		}
	}
	if began != len(all) || ended != len(all)-open {
		t.Errorf("%d begin, %d end; the table has %d, %d of them open", began, ended, len(all), open)
	}
	if byDate["2031-01-01"] == 0 || byDate["2026-03-01"] == 0 {
		t.Errorf("changes by date: %v", byDate)
	}
}
