package main

import (
	"math"
	"strings"
	"testing"
	"time"
)

// TestVerdict: what stays or swings passes, what climbs fails by its name, and a
// store that fills its cache is no leak.
func TestVerdict(t *testing.T) {
	t.Parallel()
	run := func(change func(s *sample, minute float64)) error {
		var taken []sample
		for n := range 360 {
			s := sample{at: time.Duration(n) * 5 * time.Second, rss: 400, stores: 100, heap: 90, goroutines: 660, handles: 350}
			change(&s, s.at.Minutes())
			taken = append(taken, s)
		}
		return judge(taken, 30*time.Minute).verdict()
	}
	for name, tt := range map[string]struct {
		change func(s *sample, minute float64)
		want   string // "" = passes
	}{
		"still":        {func(*sample, float64) {}, ""},
		"swings":       {func(s *sample, m float64) { s.rss += 80 * math.Sin(m); s.goroutines += 100 * math.Cos(m) }, ""},
		"warms up":     {func(s *sample, m float64) { s.rss += 20 * min(m, 9) }, ""},
		"cache fills":  {func(s *sample, m float64) { s.rss += 4 * m; s.stores += 4 * m }, ""},
		"memory leaks": {func(s *sample, m float64) { s.rss += 3 * m }, "resident memory beside them grows"},
		"heap leaks":   {func(s *sample, m float64) { s.heap += m }, "heap after collection grows"},
		"goroutines":   {func(s *sample, m float64) { s.goroutines += 3 * m }, "goroutines grows"},
		"files":        {func(s *sample, m float64) { s.handles += m }, "open files grows"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			switch err := run(tt.change); {
			case err == nil && tt.want != "":
				t.Error("passes")
			case err != nil && (tt.want == "" || !strings.HasPrefix(err.Error(), tt.want)):
				t.Error(err)
			}
		})
	}
}
