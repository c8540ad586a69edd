package bench

import (
	"os"
	"runtime"
	"slices"
	"strings"
)

// Figure is one measured quantity over several runs.
type Figure struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Spread float64 `json:"spread"` // (max - min) / median
	Runs   int     `json:"runs"`
	Unit   string  `json:"unit"`
	Target string  `json:"target,omitempty"`
}

func figure(unit, target string, values []float64) Figure {
	s := slices.Sorted(slices.Values(values))
	f := Figure{Median: (s[(len(s)-1)/2] + s[len(s)/2]) / 2, Min: s[0], Max: s[len(s)-1], Runs: len(s), Unit: unit, Target: target}
	if f.Median != 0 {
		f.Spread = (f.Max - f.Min) / f.Median
	}
	return f
}

// Report is what a benchmark prints.
type Report struct {
	Bench   string            `json:"bench"`
	Figures map[string]Figure `json:"figures"`
	CPUs    int               `json:"cpus"`
	CPU     string            `json:"cpu,omitempty"`
	OS      string            `json:"os"`
	Go      string            `json:"go"`
	Notes   []string          `json:"notes,omitempty"`
}

func newReport(name string) Report {
	return Report{Bench: name, Figures: map[string]Figure{}, CPUs: runtime.GOMAXPROCS(0), CPU: cpuName(), OS: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version()}
}

// cpuName is the processor's name as Linux tells it; "" elsewhere.
func cpuName() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(b), "model name")
	line, _, _ := strings.Cut(rest, "\n")
	_, name, _ := strings.Cut(line, ":")
	return strings.TrimSpace(name)
}
