package casework_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/platform/casework"
)

// changedType parses a file of testdata with words replaced.
func changedType(t *testing.T, file string, pairs ...string) *casework.Type {
	t.Helper()
	text := string(readFile(t, "testdata/"+file))
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("%s has no %s", file, pairs[i])
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	x, faults := casework.Parse(file, []byte(text))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return x
}

func TestDiff(t *testing.T) {
	t.Parallel()
	before := changedType(t, "small.1.yaml")
	if d := casework.Diff(before, changedType(t, "small.1.yaml", "version: 1", "version: 2\nname: {zh: 小}")); len(d) > 0 {
		t.Errorf("other words are a change: %v", d)
	}
	next := changedType(t, "small.1.yaml", "resolved: {open: false, public: resolved}", "finished: {open: false}", "to: resolved", "to: finished",
		"notify:unit, notify:reporter", "notify:unit", "roles: [unit]}", "roles: [unit, chief]}\n  look: {from: [any_open], roles: [inspector], guards: [once]}",
		"all: 10wd", "spans: {1: 24h, 2: 5wd}", "clocks:", "ladder: [{percent: 80, tell: assignee}]\ncategories: {litter: {public: true}}\nclocks:")
	want := []casework.Change{
		{What: "state resolved", Old: "not open, public resolved"},
		{What: "state finished", New: "not open"},
		{What: "action look from any_open", New: "to the same, by inspector, guards once"},
		{What: "category litter", New: "severity 4, public"},
		{What: "step 1 of the ladder", New: "at 80 %, tell assignee"},
		{
			What: "action hand_out from new",
			Old:  "to assigned, by office_clerk chief, form hand_out_v1, guards unit_in_scope not_merged, effects set_deadline:handle notify:unit notify:reporter",
			New:  "to assigned, by office_clerk chief, form hand_out_v1, guards unit_in_scope not_merged, effects set_deadline:handle notify:unit",
		},
		{What: "action done from assigned", Old: "to resolved, by unit", New: "to finished, by unit chief"},
		{What: "clock handle", Old: "1 10wd, 2 10wd, 3 10wd, 4 10wd", New: "1 24h, 2 5wd"},
	}
	if d := cmp.Diff(want, casework.Diff(before, next)); d != "" {
		t.Error(d)
	}
	full := changedType(t, "full.2.yaml")
	want = []casework.Change{
		{What: "severity 2", Old: "there"},
		{What: "clock first", Old: "1 2h, 2 3d", New: "1 2h"},
		{What: "field ask.note", Old: "text, at most 200, public", New: "text, at most 100"},
		{What: "category two", Old: "severity 2", New: "severity 1"},
		{What: "step 3 of the ladder", Old: "after 2wd, tell upper_office, level +1", New: "after 2wd, tell upper_office, level +2"},
	}
	less := changedType(t, "full.2.yaml", "  2: {label: {zh: 慢, en: slow}}\n", "", "{2: 5wd}", "{1: 5wd}", "max: 200, public: true", "max: 100", "level: 1}", "level: 2}")
	got := casework.Diff(full, less)
	want = append(want[:2:2], append([]casework.Change{{What: "clock second", Old: "2 5wd", New: "1 5wd"}}, want[2:]...)...)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
