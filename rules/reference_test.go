package rules

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"plateau/internal/testkit"
)

// TestLimitsAgainstReference holds the embedded table against the collection it
// was made from, figure by figure. Both have the same order.
func TestLimitsAgainstReference(t *testing.T) {
	t.Parallel()
	f, err := os.Open(filepath.Join(testkit.Shared(t), "reference", "limits.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	col := map[string]int{}
	for i, name := range rows[0] {
		col[name] = i
	}
	rows = rows[1:]
	all := Default().Limits().All()
	if len(rows) != len(all) {
		t.Fatalf("%d limits, the reference has %d", len(all), len(rows))
	}
	statistics := map[string]string{"instant": "instantaneous", "evaluation period mean": "evaluation"}
	number := func(p *float64) string {
		if p == nil {
			return ""
		}
		return strconv.FormatFloat(*p, 'g', -1, 64)
	}
	same := func(a, b string) bool {
		if a == b {
			return true
		}
		x, err1 := strconv.ParseFloat(a, 64)
		y, err2 := strconv.ParseFloat(b, 64)
		return err1 == nil && err2 == nil && x == y
	}
	for i, r := range rows {
		l, ref := all[i], func(name string) string { return r[col[name]] }
		statistic := ref("statistic")
		if s, ok := statistics[statistic]; ok {
			statistic = s
		}
		lo, hi := "", ref("limit")
		switch ref("op") {
		case ">=":
			lo, hi = hi, ""
		case "range":
			lo, hi, _ = strings.Cut(hi, "-")
		case "text":
			hi = ""
		}
		for _, c := range []struct{ name, got, want string }{
			{"effective_from", l.EffectiveFrom, ref("effective_from")},
			{"effective_to", l.EffectiveTo, ref("effective_to")},
			{"source_type", l.SourceType, ref("source_type")},
			{"level", l.Level, ref("level")},
			{"factor", l.Factor, ref("factor_code")},
			{"statistic", l.Statistic, statistic},
			{"op", l.Op, ref("op")},
			{"lo", number(l.Lo), lo},
			{"hi", number(l.Hi), hi},
			{"unit", l.Unit, ref("unit")},
			{"ref_o2", number(l.RefO2), ref("ref_o2_pct")},
			{"certainty", l.Certainty, ref("certainty")},
		} {
			if !same(c.got, c.want) {
				t.Errorf("%s: %s is %q, the reference has %q", l.ID, c.name, c.got, c.want)
			}
		}
		// What the reference tells apart in its notes is a condition here.
		if want := ref("condition"); l.Condition != want && (want != "" || !strings.Contains(ref("note"), l.Condition)) {
			t.Errorf("%s: condition is %q, the reference has %q", l.ID, l.Condition, want)
		}
		if !strings.HasPrefix(ref("standard"), strings.Fields(l.Standard)[0]) && !strings.Contains(ref("standard"), l.Standard) {
			t.Errorf("%s: standard is %q, the reference has %q", l.ID, l.Standard, ref("standard"))
		}
	}
}
