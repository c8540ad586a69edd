package watch_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"plateau/internal/sensorthings/watch"
)

var begin = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func TestParseRule(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		``:                       "- - 0s",
		`{"owner":"city"}`:       "- - 0s",
		`{"alarm":null}`:         "- - 0s",
		`{"alarm":{"above":35}}`: "35 - 0s",
		`{"alarm":{"above":35.5,"below":-5,"silentAfter":"PT2H"}}`: "35.5 -5 2h0m0s",
		`{"alarm":{"silentAfter":"P1D","note":"x"}}`:               "- - 24h0m0s",
		`{"alarm":"hot"}`:                          "- - 0s not an object",
		`{"alarm":{"above":"35","below":5}}`:       "- 5 0s above is not a number",
		`{"alarm":{"above":5,"below":35}}`:         "- - 0s below is not under above",
		`{"alarm":{"silentAfter":"2h","above":1}}`: "1 - 0s silentAfter is not",
		`{"alarm":{"silentAfter":7200}}`:           "- - 0s silentAfter is not",
		`{"alarm":{"silentAfter":"-PT1H"}}`:        "- - 0s silentAfter is not",
		`[1]`:                                      "- - 0s",
	} {
		r, err := watch.ParseRule(json.RawMessage(in))
		text := func(f *float64) string {
			if f == nil {
				return "-"
			}
			return fmt.Sprint(*f)
		}
		got := fmt.Sprint(text(r.Above), " ", text(r.Below), " ", r.SilentAfter)
		says := strings.SplitN(want, " ", 4)
		if got != strings.Join(says[:3], " ") || (err != nil) != (len(says) == 4) || err != nil && (!strings.Contains(err.Error(), says[3]) || !errors.Is(err, watch.ErrMalformed)) {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
}

func TestEpisodes(t *testing.T) {
	t.Parallel()
	rule := watch.Rule{Above: new(35.0), Below: new(5.0), SilentAfter: 2 * time.Hour}
	var values []watch.Value
	for i, v := range []float64{20, 36, 41, 38, 35, 4, 3, 5, 40} {
		values = append(values, watch.Value{At: begin.Add(time.Duration(i) * time.Hour), Value: v})
	}
	values = append(values, watch.Value{At: begin.Add(14 * time.Hour), Other: true})
	var got []string
	for _, e := range watch.Episodes(rule, values, begin.Add(20*time.Hour)) {
		end := "open"
		if !e.Open() {
			end = fmt.Sprint(e.End.Sub(begin).Hours())
		}
		got = append(got, fmt.Sprint(e.Kind, " ", e.Begin.Sub(begin).Hours(), "-", end, " ", e.Extreme, " ", e.N))
	}
	want := "silent 14-open 0 0|above 8-open 40 1|silent 8-14 0 0|below 5-7 3 2|above 1-4 41 3"
	if strings.Join(got, "|") != want {
		t.Errorf("got %s", strings.Join(got, "|"))
	}
	if e := watch.Episodes(rule, values, begin.Add(90*time.Minute)); len(e) != 1 || !e[0].Open() || e[0].Extreme != 36 {
		t.Errorf("as of an earlier instant: %v", e)
	}
	if e := watch.Episodes(watch.Rule{}, values, begin.Add(20*time.Hour)); e != nil {
		t.Errorf("without a rule: %v", e)
	}
}

// Every value beyond a bound lies in exactly one episode of its kind, no other does.
func TestEpisodesCoverWhatIsBeyond(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rule := watch.Rule{Above: new(7.0), Below: new(2.0)}
		var values []watch.Value
		at := begin
		for range rapid.IntRange(0, 30).Draw(t, "n") {
			at = at.Add(time.Duration(rapid.IntRange(1, 9).Draw(t, "gap")) * time.Hour)
			values = append(values, watch.Value{At: at, Value: float64(rapid.IntRange(0, 9).Draw(t, "value"))})
		}
		episodes := watch.Episodes(rule, values, at)
		for _, v := range values {
			n := map[watch.Kind]int{}
			for _, e := range episodes {
				if !v.At.Before(e.Begin) && (e.Open() || v.At.Before(e.End)) {
					n[e.Kind]++
				}
			}
			if (n[watch.Above] == 1) != (v.Value > 7) || (n[watch.Below] == 1) != (v.Value < 2) || n[watch.Above] > 1 || n[watch.Below] > 1 {
				t.Fatalf("%v at %v: %v", v.Value, v.At, episodes)
			}
		}
	})
}
