package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"plateau/internal/platform/db"
	"plateau/internal/testkit"
)

func TestCaseCheck(t *testing.T) {
	t.Parallel()
	river := filepath.Join(testkit.Root(), "casetypes", "river_case.1.yaml")
	text, err := os.ReadFile(river)
	if err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	changed := strings.NewReplacer("form: reject,", "form: rejekt,", "to: waiting_reporter,", "to: waitin_reporter,").Replace(string(text))
	if err := os.WriteFile(broken, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	ok := river + ": ok: kind river_case version 1, 12 states, 29 actions\n"
	code, out, errOut := call("case", "check", river)
	if code != 0 || out != ok || errOut != "" {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
	want := broken + ":" + lineWith(t, changed, "to: waitin_reporter") + ": actions.need_info.to: there is no state waitin_reporter; write waiting_reporter, or add it to states\n" +
		broken + ":" + lineWith(t, changed, "form: rejekt") + ": actions.reject.form: there is no form rejekt; write reject, or add it to forms\n"
	code, out, errOut = call("case", "check", broken, river)
	if code != 1 || out != want+ok || errOut != "plateau case check: faults found: 2\n" {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
	code, out, errOut = call("case", "check", "/nonexistent.yaml", river)
	if code != 1 || out != ok || !strings.Contains(errOut, "/nonexistent.yaml: no such file") {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
}

func TestCaseTypes(t *testing.T) {
	t.Parallel()
	code, out, errOut := call("case", "types", "--date", "2026-11-28")
	want := `KIND           VERSION  FROM        TO  SYSTEM     STATES  ACTIONS  NAME
investigation  v1       2026-01-01  -   telemetry  5       7        investigation
lead_check     v1       2026-01-01  -   telemetry  3       5        looking into a lead
river_case     v1       2026-01-01  -   rivers     12      29       river or lake problem
supervision    v1       2026-01-01  -   telemetry  8       11       electronic supervision
`
	if code != 0 || out != want || errOut != "" {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
	if code, out, _ := call("case", "types", "--date", "2025-12-31"); code != 0 || strings.Count(out, "\n") != 1 {
		t.Errorf("before there were any: exit %d: %s", code, out)
	}
	if code, out, _ := call("case", "types"); code != 0 || !strings.Contains(out, "river_case") {
		t.Errorf("today: exit %d: %s", code, out)
	}
}

func TestCaseDiff(t *testing.T) {
	t.Parallel()
	river := filepath.Join(testkit.Root(), "casetypes", "river_case.1.yaml")
	text, err := os.ReadFile(river)
	if err != nil {
		t.Fatal(err)
	}
	next := filepath.Join(t.TempDir(), "next.yaml")
	changed := strings.NewReplacer("version: 1\n", "version: 2\n", "{all: 15d,", "{all: 30d,", "transferred", "moved").Replace(string(text))
	if err := os.WriteFile(next, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errOut := call("case", "diff", river, next)
	want := `gone: state transferred (not open, public transferred); open cases in it need another one
new: state moved (not open, public moved)
changed: action transfer_out from new
  was to transferred, by office_clerk, form transfer_out, effects stop_clock:first_answer notify:reporter
  is  to moved, by office_clerk, form transfer_out, effects stop_clock:first_answer notify:reporter
changed: clock close
  was 1 15d, 2 15d, 3 15d, 4 15d
  is  1 30d, 2 30d, 3 30d, 4 30d
`
	if code != 0 || out != want || errOut != "" {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
	if code, out, _ := call("case", "diff", river, river); code != 0 || out != "" {
		t.Errorf("nothing changed: exit %d: %s", code, out)
	}
	other := filepath.Join(testkit.Root(), "casetypes", "supervision.1.yaml")
	if code, _, errOut := call("case", "diff", river, other); code != 1 || !strings.Contains(errOut, "name two versions of one kind") {
		t.Errorf("two kinds: exit %d: %s", code, errOut)
	}
	if code, _, errOut := call("case", "diff", river, "/nonexistent.yaml"); code != 1 || !strings.Contains(errOut, "faults found: 1") {
		t.Errorf("one of them missing: exit %d: %s", code, errOut)
	}
}

// lineWith is the number of the line in which a word first stands.
func lineWith(t *testing.T, text, word string) string {
	t.Helper()
	before, _, ok := strings.Cut(text, word)
	if !ok {
		t.Fatalf("there is no %q", word)
	}
	return strconv.Itoa(1 + strings.Count(before, "\n"))
}

// TestCaseMove: an installation brings a version of its own; what it would make of
// open cases is shown first.
func TestCaseMove(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	own := filepath.Join(dir, "casetypes")
	if err := os.Mkdir(own, 0o700); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(testkit.Root(), "casetypes", "supervision.1.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	next := filepath.Join(own, "supervision.2.yaml")
	second := strings.NewReplacer("version: 1", "version: 2", "effective_from: 2026-01-01", "effective_from: 2027-01-01").Replace(string(text))
	for file, text := range map[string]string{next: second, filepath.Join(own, "supervision.1.yaml"): strings.Replace(string(text), "effective_from: 2026-01-01", "effective_from: 2026-01-01\neffective_to: 2026-12-31", 1)} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for day, want := range map[string]string{"2026-12-31": "supervision v1 2026-01-01 2026-12-31", "2027-01-01": "supervision v2 2027-01-01 -"} {
		if code, out, errOut := call("case", "types", "--data", dir, "--date", day); code != 0 || !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("exit %d: %s%s", code, out, errOut)
		}
	}
	if code, _, errOut := call("case", "preview", "--data", dir, "--from", "1", next); code != 1 || !strings.Contains(errOut, "holds no cases") {
		t.Errorf("without a database: exit %d: %s", code, errOut)
	}
	d, err := db.Open(t.Context(), filepath.Join(dir, "plateau.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"preview", "--data", dir, "--from", "1", next}, {"move", "--data", dir, "--kind", "supervision", "--from", "1", "--to", "2"}} {
		code, out, errOut := call(append([]string{"case"}, args...)...)
		if code != 0 || errOut != "" || !strings.HasPrefix(out, "no open case stands on version 1\n") {
			t.Errorf("%v: exit %d: %s%s", args, code, out, errOut)
		}
	}
	for want, args := range map[string][]string{
		"--data DIR":                    {"preview", "--from", "1", next},
		"--from N":                      {"move", "--data", dir},
		"FILE":                          {"preview", "--data", dir, "--from", "1"},
		"--kind KIND":                   {"move", "--data", dir, "--from", "1"},
		"no version 5":                  {"move", "--data", dir, "--kind", "supervision", "--from", "1", "--to", "5"},
		"has no state gone":             {"preview", "--data", dir, "--from", "1", "--state", "gone=raised", next},
		"write OLD=NEW":                 {"preview", "--data", dir, "--from", "1", "--state", "gone", next},
		"name another version of kind ": {"move", "--data", dir, "--kind", "supervision", "--from", "2", "--to", "2"},
	} {
		if code, _, errOut := call(append([]string{"case"}, args...)...); code == 0 || !strings.Contains(errOut, want) {
			t.Errorf("%v: exit %d: %s, want %s", args, code, errOut, want)
		}
	}
}
