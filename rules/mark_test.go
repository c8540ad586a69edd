package rules

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestMarksFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		medium, source, date string
		want                 string // refs of operating-state marks, in order
		device               int
	}{
		{"gas", "municipal waste incinerator", "2026-11-24", "accident baking cooling_down fault shutdown startup stopped", 10},
		{"gas", "municipal waste incinerator", "2021-05-01", "accident baking cooling_down fault shutdown startup stopped", 0},
		{"gas", "municipal waste incinerator", "2019-12-31", "", 0},
		{"gas", "natural-gas turbine", "2026-11-24", "connection disconnection fault stopped", 10},
		{"gas", "cement kiln and kiln-tail waste-heat system", "2026-11-24", "fault kiln_firing kiln_stopping stopped", 10},
		{"water", "pulp and paper mill waste water", "2026-11-24", "fault stopped", 10},
		{"water", "municipal sewage works outlet", "2026-11-24", "", 10},
		{"surface", "surface water", "2026-11-24", "", 0},
	} {
		list, err := Default().MarksFor(c.medium, c.source, c.date)
		if err != nil {
			t.Fatal(err)
		}
		var operating []string
		device := 0
		for _, m := range list {
			switch m.Group {
			case MarkOperating:
				operating = append(operating, m.Code)
			case MarkDevice:
				device++
			}
		}
		if got := strings.Join(operating, " "); got != c.want || device != c.device {
			t.Errorf("%s, %s on %s: %q and %d of the device", c.medium, c.source, c.date, got, device)
		}
	}
}

// TestCheckMarks: a fault of a mark names its own line, not that of another
// mark's key of the same name, and what to write.
func TestCheckMarks(t *testing.T) {
	t.Parallel()
	text, err := files.ReadFile("mark.mswi.toml")
	if err != nil {
		t.Fatal(err)
	}
	good := string(text)
	section := func(code, old, with string) string {
		head, rest, ok := strings.Cut(good, "[params.codes."+code+"]")
		if !ok || !strings.Contains(rest, old) {
			t.Fatalf("%s no longer holds %q", code, old)
		}
		return head + "[params.codes." + code + "]" + strings.Replace(rest, old, with, 1)
	}
	line := func(code string, after int) int {
		head, _, _ := strings.Cut(good, "[params.codes."+code+"]")
		return 1 + strings.Count(head, "\n") + after
	}
	for _, c := range []struct {
		name, text, want string
		line             int
	}{
		{"none", good, "", 0},
		{"effect", section("fault", `effect = "exempt"`, `effect = "void"`), `codes.fault.effect is "void"; write one of invalid, exempt, stopped, none`, line("fault", 5)},
		{"operating and invalid", section("startup", `effect = "exempt"`, `effect = "invalid"`), "values stay valid then: write exempt, stopped or none", line("startup", 5)},
		{"no name", section("stopped", `bo = "`, `#bo = "`), "codes.stopped.bo is missing; write the name of the mark in this language", line("stopped", 0)},
		{"quota", section("baking", "mswi.quota700", "mswi.quota70"), `codes.baking.quota is "mswi.quota70"; write the id of a rule`, line("baking", 6)},
		{"nobody", section("accident", `by = ["enterprise", "regulator"]`, `by = ["neighbour"]`), `codes.accident.by is "neighbour"; write one of device, enterprise, regulator`, line("accident", 7)},
		{"misspelt", section("accident", "evidence =", "evidense ="), "codes.accident.evidense is no part of a mark", line("accident", 8)},
		{"effect of another group", section("thermocouple", `effect = "none"`, `effect = "stopped"`), "which only marks of the operating state have; write invalid or none", line("thermocouple", 5)},
		{"deadline", strings.Replace(good, "due_hour = 12", "due_hour = 25", 1), "due_hour is 25; write a whole number from 0 to 24", 11},
	} {
		faults, err := Check(fstest.MapFS{"mark.mswi.toml": {Data: []byte(c.text)}})
		if err != nil {
			t.Fatal(err)
		}
		found := c.want == "" && len(faults) == 0
		for _, f := range faults {
			found = found || c.want != "" && strings.Contains(f.Text, c.want) && f.Line == c.line
		}
		if !found {
			t.Errorf("%s: %v, want %q in line %d", c.name, faults, c.want, c.line)
		}
	}
}

// TestLoadRefusesMarks: a set with a faulty mark is not used.
func TestLoadRefusesMarks(t *testing.T) {
	t.Parallel()
	text, err := files.ReadFile("mark.power.toml")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := LoadOver(fstest.MapFS{"mark.power.toml": {Data: []byte(strings.Replace(string(text), `effect = "none"`, `effect = "some"`, 1))}}); err == nil || !strings.Contains(err.Error(), "codes.") {
		t.Errorf("loaded: %v", err)
	}
}
