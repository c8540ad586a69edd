package casework_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/platform/casework"
)

// folder makes files of the small type: name to version and dates.
func folder(files map[string][3]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, f := range files {
		head := "kind: small\nversion: " + f[0] + "\n"
		if f[1] != "" {
			head += "effective_from: " + f[1] + "\n"
		}
		if f[2] != "" {
			head += "effective_to: " + f[2] + "\n"
		}
		out[name] = &fstest.MapFile{Data: []byte(head + `start: new
states: {new: {open: true}, done: {open: false}}
actions: {close: {from: [new], to: done, roles: [office_clerk]}}
`)}
	}
	return out
}

func TestInForce(t *testing.T) {
	t.Parallel()
	types, err := casework.Load(folder(map[string][3]string{
		"small.1.yaml": {"1", "", "2025-12-31"}, "small.2.yaml": {"2", "2026-01-01", "2026-06-30"}, "small.10.yaml": {"10", "2026-08-01", ""},
	}), nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if k := types.Kinds(); !slices.Equal(k, []string{"small"}) {
		t.Error(k)
	}
	for day, want := range map[string]int{"1999-01-01": 1, "2025-12-31": 1, "2026-01-01": 2, "2026-06-30": 2, "2026-07-01": 0, "2026-08-01": 10, "2100-01-01": 10} {
		x, ok := types.InForce("small", day)
		if ok != (want > 0) || ok && x.Version != want {
			t.Errorf("%s: %+v", day, x)
		}
	}
	if x, ok := types.Version("small", 2); !ok || x.To != "2026-06-30" {
		t.Errorf("%+v", x)
	}
	if _, ok := types.Version("small", 3); ok {
		t.Error("a version that there is not")
	}
	if _, ok := types.InForce("large", "2026-01-01"); ok {
		t.Error("a kind that there is not")
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	bad := folder(map[string][3]string{"small.1.yaml": {"1", "", ""}})
	bad["small.1.yaml"].Data = append(bad["small.1.yaml"].Data, "colour: red\n"...)
	bad["worse.1.yaml"] = &fstest.MapFile{Data: []byte("kind: ]\n")}
	for name, tt := range map[string]struct {
		files fstest.MapFS
		want  string
	}{
		"together":         {folder(map[string][3]string{"small.1.yaml": {"1", "", "2026-01-01"}, "small.2.yaml": {"2", "2026-01-01", ""}}), "small.2.yaml:1: versions 1 and 2 are in force together; end version 1 (effective_to) before version 2 begins (effective_from)"},
		"without end":      {folder(map[string][3]string{"small.1.yaml": {"1", "2025-01-01", ""}, "small.2.yaml": {"2", "2026-01-01", ""}}), "small.2.yaml:1: versions 1 and 2 are in force together; end version 1 (effective_to) before version 2 begins (effective_from)"},
		"without begin":    {folder(map[string][3]string{"small.1.yaml": {"1", "", "2026-01-01"}, "small.2.yaml": {"2", "", ""}}), "small.2.yaml:1: versions 1 and 2 are in force together; end version 1 (effective_to) before version 2 begins (effective_from)"},
		"the wrong way":    {folder(map[string][3]string{"small.1.yaml": {"1", "2026-01-01", "2026-12-31"}, "small.2.yaml": {"2", "2025-01-01", "2025-12-31"}}), "small.2.yaml:1: versions 1 and 2 are in force together; end version 1 (effective_to) before version 2 begins (effective_from)"},
		"named otherwise":  {folder(map[string][3]string{"other.1.yaml": {"1", "", ""}}), "other.1.yaml:1: holds kind small version 1; name the file small.1.yaml"},
		"faults of a file": {bad, "small.1.yaml:6: the type: colour is no key here; write one of kind, version, system, effective_from, effective_to, name, source, basis, start, severities, categories, states, actions, clocks, forms, ladder, take_back\nworse.1.yaml:1: is no YAML: did not find expected node content"},
	} {
		_, err := casework.Load(tt.files, nil, "")
		if !errors.Is(err, casework.ErrInvalid) || err.Error() != "invalid case type:\n"+tt.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLabels: each text of the types that come with the program is there in the
// three languages.
func TestLabels(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, kind := range casework.Default().Kinds() {
		x, ok := casework.Default().InForce(kind, "2026-11-28")
		if !ok {
			t.Errorf("%s is not in force", kind)
			continue
		}
		texts(reflect.ValueOf(x), kind, func(path string, text casework.Text) {
			seen++
			if text.Zh == "" || text.Bo == "" || text.En == "" {
				t.Errorf("%s: %+v", path, text)
			}
			if strings.ContainsAny(text.Bo, "abcdefghijklmnopqrstuvwxyz") || !strings.ContainsFunc(text.Bo, func(c rune) bool { return c >= 0x0f00 && c <= 0x0fff }) {
				t.Errorf("%s is not Tibetan: %s", path, text.Bo)
			}
		})
	}
	if seen < 100 {
		t.Errorf("only %d texts seen", seen)
	}
}

// texts walks through a type and calls f for each text in three languages.
func texts(v reflect.Value, path string, f func(path string, text casework.Text)) {
	if text, ok := reflect.TypeAssert[casework.Text](v); ok {
		f(path, text)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		texts(v.Elem(), path, f)
	case reflect.Slice:
		for i := range v.Len() {
			texts(v.Index(i), fmt.Sprintf("%s.%d", path, i), f)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			texts(v.Field(i), path+"."+v.Type().Field(i).Name, f)
		}
	default:
	}
}

// way is a line for each state from which an action leads.
func way(x *casework.Type) (out []string) {
	for _, a := range x.Actions {
		for _, from := range append([]string{}, a.From...) {
			to := a.To
			if to == "" {
				to = "same"
			}
			out = append(out, from+" "+a.Name+" "+to)
		}
		if len(a.From) == 0 {
			out = append(out, "- "+a.Name+" "+a.To)
		}
	}
	slices.Sort(out)
	return out
}

// TestRiverCase: the way of a river case, and its times.
func TestRiverCase(t *testing.T) {
	t.Parallel()
	x, ok := casework.Default().InForce("river_case", "2026-11-28")
	if !ok || x.System != "rivers" || len(x.Categories) != 17 || len(x.States) != 12 {
		t.Fatalf("%+v", x)
	}
	want := strings.Split(strings.TrimSpace(`
- fix_on_spot verifying
- report new
any_open escalate same
any_open supervise same
appeal reopen new
appeal uphold closed
assigned accept handling
assigned decline new
closed appeal appeal
handling ask_extension handling
handling grant_extension handling
handling pause paused
handling progress handling
handling refuse_extension handling
handling report_done verifying
new hand_out assigned
new merge merged
new need_info waiting_reporter
new reject rejected
new ruling same
new transfer_out transferred
paused resume handling
rejected appeal appeal
resolved close closed
resolved rate resolved
resolved reopen handling
verifying verify_fail handling
verifying verify_ok resolved
waiting_reporter answer new
waiting_reporter no_answer closed`), "\n")
	if d := cmp.Diff(want, way(x)); d != "" {
		t.Error(d)
	}
	times := map[string]string{}
	for _, c := range x.Clocks {
		for _, level := range []int{1, 2, 3, 4} {
			if s, ok := c.Spans[level]; ok {
				times[c.Name] += fmt.Sprintf(" %d%s", s.N, s.Unit)
			}
		}
	}
	if d := cmp.Diff(map[string]string{
		"triage": " 2h 4wh 1wd 2wd", "accept": " 1h 4wh 1wd 2wd", "first_answer": " 4h 1wd 2wd 3wd", "first_control": " 24h",
		"handle": " 10wd 5wd 15wd 20wd", "verify": " 1wd 3wd 5wd 5wd", "answer": " 10wd 10wd 10wd 10wd",
		"extension": " 2wd 2wd 2wd 2wd", "supervise": " 10wd 10wd 10wd 10wd", "close": " 15d 15d 15d 15d", "appeal": " 10wd 10wd 10wd 10wd",
	}, times); d != "" {
		t.Error(d)
	}
}

// TestSupervision: the way of a supervision; the enterprise acts as the unit, who
// works for an authority never for it.
func TestSupervision(t *testing.T) {
	t.Parallel()
	x, ok := casework.Default().InForce("supervision", "2026-11-28")
	if !ok || x.System != "telemetry" {
		t.Fatalf("%+v", x)
	}
	want := strings.Split(strings.TrimSpace(`
- dispatch issued
- raise raised
acknowledged answer answered
acknowledged give_cause same
answered accept verified
answered return returned
closed audit same
closed reopen reopened
issued acknowledge acknowledged
raised issue issued
reopened answer answered
returned answer answered
verified audit same
verified close closed
verified reopen reopened`), "\n")
	if d := cmp.Diff(want, way(x)); d != "" {
		t.Error(d)
	}
	for _, a := range x.Actions {
		if slices.Contains(a.Roles, casework.RoleUnit) && len(a.Roles) > 1 {
			t.Errorf("%s is taken by %v", a.Name, a.Roles)
		}
	}
}
