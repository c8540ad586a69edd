package alarm

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plateau/internal/telemetry/quality"
	"plateau/rules"
)

// randomHistory writes a history of some days with all that can befall hours.
func randomHistory(t *rapid.T) string {
	words := []string{"40", "40", "40", "40", "55", "70", "=20", "=20", "C", "M", "D", "F", "x", "-", "40#20", "-3", "T", "120", "20/30"}
	var b strings.Builder
	b.WriteString("limit a21002 hour <= 50\nrange a21002 0 100\n")
	if rapid.Bool().Draw(t, "stopped") {
		from := rapid.IntRange(0, 90).Draw(t, "stop")
		fmt.Fprintf(&b, "stop %d %d\n", from, from+rapid.IntRange(1, 30).Draw(t, "stop for"))
	}
	if rapid.Bool().Draw(t, "down") {
		from := rapid.IntRange(0, 90).Draw(t, "down from")
		fmt.Fprintf(&b, "down %d %d\n", from, from+rapid.IntRange(1, 10).Draw(t, "down for"))
	}
	n := rapid.IntRange(1, 96).Draw(t, "hours")
	for _, code := range []string{"a21002", "a21026"} {
		b.WriteString(code)
		for range n {
			b.WriteString(" " + rapid.SampledFrom(words).Draw(t, "word"))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// TestOrderAndRepetition: hours and days in another order, or twice, give the
// same episodes.
func TestOrderAndRepetition(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := readScene(randomHistory(t)).in
		slices.SortFunc(in.Hours, func(a, b quality.HourRow) int { return int(a.At - b.At) })
		in.Exam = quality.NewExaminer(rules.Default(), nil, in.Outlet, in.Hours)
		want := Derive(in)
		again := in
		again.Hours = slices.Clone(in.Hours)
		for range rapid.IntRange(0, 5).Draw(t, "twice") {
			if len(in.Hours) > 0 {
				again.Hours = append(again.Hours, rapid.SampledFrom(in.Hours).Draw(t, "repeated"))
			}
		}
		again.Hours = rapid.Permutation(again.Hours).Draw(t, "order")
		again.Exam = quality.NewExaminer(rules.Default(), nil, in.Outlet, again.Hours)
		if d := cmp.Diff(lines(want), lines(Derive(again))); d != "" || !cmp.Equal(want, Derive(again)) {
			t.Errorf("in another order:\n%s", d)
		}
	})
}

// TestEpisodesHoldTogether: what must be true of any list of episodes.
func TestEpisodesHoldTogether(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := randomHistory(t)
		in := readScene(text).in
		all := Derive(in)
		fail := func(e *Episode, why string) { t.Errorf("%s\n%s%s", why, text, lines([]Episode{*e})) }
		byID := map[string]*Episode{}
		for i := range all {
			e := &all[i]
			if byID[e.ID] != nil {
				fail(e, "two of one ID")
			}
			byID[e.ID] = e
		}
		last := map[string]*Episode{}
		for i := range all {
			e := &all[i]
			r := in.Rules.at(e.Start.Unix())[e.Kind]
			switch {
			case e.Last.Before(e.Start) || e.Opened.Before(e.Start) || e.Last.After(in.Now):
				fail(e, "its times are not in order")
			case !e.Open() && e.EndedBy == "" || e.Open() && e.EndedBy != "":
				fail(e, "an end without a reason, or the reverse")
			case len(e.Factors) == 0 && e.Count < r.open:
				fail(e, "fewer values than open it")
			case e.Parent != "" && byID[e.Parent] == nil:
				fail(e, "part of nothing")
			case e.Parent != "" && byID[e.Parent].Parent == e.ID:
				fail(e, "part of its own part")
			case e.Quiet != "" && !r.quietBy(e.Quiet):
				fail(e, "kept quiet by what does not")
			case e.Quiet == "" && e.Kind == Over && !quality.JudgeExceed(e.Max.V, e.Limit).Exceeds:
				fail(e, "its worst value keeps the limit")
			}
			if len(e.Factors) > 0 {
				continue
			}
			// Hysteresis: between two of the same thing lie as many good hours as
			// end one, or a stop.
			key := fmt.Sprint(e.Kind, e.Factor, e.Statistic, e.Quiet)
			if b := last[key]; b != nil {
				gap := int(e.Start.Sub(b.Last).Hours())
				if b.Open() || gap < 0 || e.Kind != Constant && b.EndedBy == EndGood && gap < r.close {
					fail(e, "flaps, or begins before the one before ended")
				}
			}
			last[key] = e
		}
	})
}

// TestMissingDataEndNothing: taking hours away from behind an exceedance never
// ends it, and never begins one.
func TestMissingDataEndNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		gone := []string{"-", "x", "40#20", "90#10", "D", "C"}
		n := rapid.IntRange(1, 60).Draw(t, "hours")
		text := "limit a21002 hour <= 50\na21002 40 55"
		for range n {
			text += " " + rapid.SampledFrom(gone).Draw(t, "word")
		}
		text += "\na21026 " + fmt.Sprintf("%d*40\n", n+2)
		n = 0
		for _, e := range Derive(readScene(text).in) {
			if e.Kind == Over {
				n++
				if !e.Open() || e.Count != 1 {
					t.Errorf("%s%s", text, lines([]Episode{e}))
				}
			}
		}
		if n != 1 {
			t.Errorf("%d exceedances in\n%s", n, text)
		}
	})
}
