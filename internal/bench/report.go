package bench

import (
	"runtime"
	"slices"
)

// Figure is one measured quantity over several runs.
type Figure struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Runs   int     `json:"runs"`
	Unit   string  `json:"unit"`
	Target string  `json:"target,omitempty"`
}

func figure(unit, target string, values []float64) Figure {
	s := slices.Sorted(slices.Values(values))
	return Figure{Median: s[len(s)/2], Min: s[0], Max: s[len(s)-1], Runs: len(s), Unit: unit, Target: target}
}

// Report is what a benchmark prints.
type Report struct {
	Bench   string            `json:"bench"`
	Figures map[string]Figure `json:"figures"`
	CPUs    int               `json:"cpus"`
	Go      string            `json:"go"`
	Notes   []string          `json:"notes,omitempty"`
}

func newReport(name string) Report {
	return Report{Bench: name, Figures: map[string]Figure{}, CPUs: runtime.GOMAXPROCS(0), Go: runtime.Version()}
}
