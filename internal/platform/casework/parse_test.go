package casework_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/platform/casework"
)

var update = flag.Bool("update", false, "write what broken files are told anew")

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestSmall: what the briefest file says, and what it leaves out.
func TestSmall(t *testing.T) {
	t.Parallel()
	got, faults := casework.Parse("small.1.yaml", readFile(t, "testdata/small.1.yaml"))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	text := func(s string) casework.Text { return casework.Text{Zh: s} }
	levels := got.Severities
	if len(levels) != 4 || levels[0].Level != 1 || levels[3].Level != 4 || levels[0].Name.Bo == "" || levels[3].Name.En != "minor" {
		t.Errorf("severities %+v", levels)
	}
	ten := casework.Span{N: 10, Unit: casework.WorkingDays}
	want := &casework.Type{
		System: "rivers", Kind: "small", Version: 1, Name: text("small"), Start: "new", Severities: levels,
		States: []*casework.State{
			{Name: "new", Open: true, Public: "reported", Clock: "triage", Label: text("new")},
			{Name: "assigned", Open: true, Public: "handed_out", Clock: "handle", Label: text("assigned")},
			{Name: "resolved", Public: "resolved", Label: text("resolved")},
		},
		Actions: []*casework.Action{
			{
				Name: "hand_out", From: []string{"new"}, To: "assigned", Roles: []string{"office_clerk", "chief"}, Form: "hand_out_v1",
				Guards: []string{"unit_in_scope", "not_merged"}, Effects: []casework.Effect{{Name: "set_deadline", Arg: "handle"}, {Name: "notify", Arg: "unit"}, {Name: "notify", Arg: "reporter"}},
				Label: text("hand_out"),
			},
			{Name: "done", From: []string{"assigned"}, To: "resolved", Roles: []string{"unit"}, Label: text("done")},
		},
		Clocks: []*casework.Clock{
			{Name: "triage", Label: text("triage"), Spans: map[int]casework.Span{1: {N: 2, Unit: casework.Hours}, 2: {N: 4, Unit: casework.WorkingHours}, 3: {N: 1, Unit: casework.WorkingDays}, 4: {N: 2, Unit: casework.WorkingDays}}},
			{Name: "handle", Label: text("handle"), Spans: map[int]casework.Span{1: ten, 2: ten, 3: ten, 4: ten}},
		},
		Forms: []*casework.Form{{Name: "hand_out_v1", Fields: []casework.Field{{Name: "note", Type: "long", Label: casework.Text{Zh: "说明", Bo: "འགྲེལ་བཤད།", En: "note"}}}}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestFull: each key is read.
func TestFull(t *testing.T) {
	t.Parallel()
	got, faults := casework.Parse("full.2.yaml", readFile(t, "testdata/full.2.yaml"))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	day := func(n int) casework.Span { return casework.Span{N: n, Unit: casework.Days} }
	zh := func(s string) casework.Text { return casework.Text{Zh: s} }
	want := &casework.Type{
		System: "telemetry", Kind: "full", Version: 2, From: "2026-01-01", To: "2026-12-31",
		Name: casework.Text{Zh: "样例", Bo: "དཔེ།", En: "sample"}, Source: "made up", Start: "new",
		Severities: []casework.Severity{{Level: 1, Name: casework.Text{Zh: "快", En: "fast"}}, {Level: 2, Name: casework.Text{Zh: "慢", En: "slow"}}},
		Categories: []casework.Category{{Code: "one", Name: zh("一"), Severity: 1, Public: true}, {Code: "two", Name: zh("two"), Severity: 2}},
		States: []*casework.State{
			{Name: "new", Open: true, Public: "reported", Clock: "first", Label: zh("新")},
			{Name: "wait", Open: true, Paused: true, Label: zh("wait")},
			{Name: "done", Label: zh("done")},
		},
		Actions: []*casework.Action{
			{Name: "report", To: "new", Roles: []string{"reporter"}, Label: zh("report")},
			{
				Name: "ask", From: []string{casework.AnyOpen}, Roles: []string{"officer", "keeper"}, Form: "ask", Guards: []string{"once"},
				Effects: []casework.Effect{{Name: "count", Arg: "ask"}, {Name: "pause"}, {Name: "set_deadline", Arg: "second"}, {Name: "sample", Arg: "10"}, {Name: "owner", Arg: "office"}},
				Label:   zh("问"),
			},
			{Name: "go", From: []string{"new"}, To: "wait", Roles: []string{"officer"}, Label: zh("go")},
			{Name: "go", From: []string{"wait"}, To: "done", Roles: []string{"timer"}, Label: zh("go")},
		},
		Clocks: []*casework.Clock{
			{Name: "first", Label: zh("首次"), Spans: map[int]casework.Span{1: {N: 2, Unit: casework.Hours}, 2: day(3)}},
			{Name: "second", Label: zh("second"), Spans: map[int]casework.Span{2: {N: 5, Unit: casework.WorkingDays}}},
		},
		Forms: []*casework.Form{{Name: "ask", Fields: []casework.Field{
			{Name: "reason", Type: "choice", Required: true, Reporter: true, Options: []casework.Option{{Value: "no", Label: zh("否")}, {Value: "yes", Label: zh("yes")}}, Label: zh("原因")},
			{Name: "note", Type: "text", Max: 200, Public: true, Label: zh("note")},
		}}},
		Ladder: []casework.Step{{Percent: 80, Tell: "assignee"}, {After: day(0), Tell: "unit_head"}, {After: casework.Span{N: 2, Unit: casework.WorkingDays}, Tell: "upper_office", Level: 1}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestBroken: each file in testdata/broken is refused with the whole text beside
// it. A new check gets a file.
func TestBroken(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/broken/*.yaml")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		name := filepath.Base(path)
		x, faults := casework.Parse(name, readFile(t, path))
		if x != nil || len(faults) == 0 {
			t.Errorf("%s was accepted", name)
		}
		got, golden := faults.String()+"\n", strings.TrimSuffix(path, ".yaml")+".txt"
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if d := cmp.Diff(string(readFile(t, golden)), got); d != "" {
			t.Errorf("%s is told something else than %s:\n%s", name, golden, d)
		}
	}
}

// TestDocumented: the page about the format tells of each guard, effect and key of a
// file, and its example is one.
func TestDocumented(t *testing.T) {
	t.Parallel()
	page := string(readFile(t, "../../../docs/case-types.md"))
	for _, g := range casework.Guards() {
		if !strings.Contains(page, "| `"+g+"` |") {
			t.Errorf("guard %s", g)
		}
	}
	for _, e := range casework.Effects() {
		if !strings.Contains(page, "| `"+e+"` |") && !strings.Contains(page, "| `"+e+":") {
			t.Errorf("effect %s", e)
		}
	}
	for _, key := range []string{"kind", "version", "system", "name", "source", "start", "severities", "categories", "states", "actions", "clocks", "forms", "ladder"} {
		if !strings.Contains(page, "| `"+key+"` |") {
			t.Errorf("key %s", key)
		}
	}
	_, example, _ := strings.Cut(page, "```yaml\n")
	example, _, _ = strings.Cut(example, "```")
	if x, faults := casework.Parse("example", []byte(example)); len(faults) > 0 || len(x.States) != 3 || len(x.Forms[0].Fields) != 2 {
		t.Errorf("the example: %v", faults)
	}
}

// TestTooLarge: a file that nobody can read is not read.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	_, faults := casework.Parse("x.yaml", []byte(strings.Repeat("# a line\n", 40_000)))
	if faults.String() != "x.yaml:1: the file has 360000 bytes; a case type has 262144 at most: split what is in it into several types" {
		t.Error(faults)
	}
}

// TestWords: the known words are in order, and nobody changes them from outside.
func TestWords(t *testing.T) {
	t.Parallel()
	for _, list := range [][]string{casework.Guards(), casework.Effects()} {
		if len(list) < 10 || !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
			t.Error(list)
		}
	}
	casework.Guards()[0] = "x"
	if casework.Guards()[0] == "x" {
		t.Error("the list of guards can be written to")
	}
}

// FuzzParse: no text makes the reader fail, each fault names a line of the text, and
// what is accepted can be walked through: what it names is there.
func FuzzParse(f *testing.F) {
	for _, glob := range []string{"testdata/*.yaml", "testdata/broken/*.yaml", "../../../casetypes/*.yaml"} {
		files, err := filepath.Glob(glob)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range files {
			text, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		x, faults := casework.Parse("x.yaml", text)
		if (x == nil) != (len(faults) > 0) {
			t.Fatalf("%v with %d faults", x, len(faults))
		}
		last := 1
		for _, f := range faults {
			if f.Line < last || f.Line > strings.Count(string(text), "\n")+1 || f.Text == "" || strings.Contains(f.Text, "\n") {
				t.Fatalf("after line %d: %q", last, f)
			}
			last = f.Line
		}
		if x == nil {
			return
		}
		states := []string{"", casework.AnyOpen}
		for _, s := range x.States {
			states = append(states, s.Name)
		}
		for _, a := range x.Actions {
			for _, s := range append(a.From, a.To) {
				if !slices.Contains(states, s) {
					t.Fatalf("%s names the state %q", a.Name, s)
				}
			}
			if len(a.Roles) == 0 || a.Label.Zh == "" {
				t.Fatalf("%+v", a)
			}
		}
		if !slices.Contains(states[2:], x.Start) {
			t.Fatalf("start %q", x.Start)
		}
	})
}
