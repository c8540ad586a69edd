package bench

import (
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
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

// Table writes the report for a person: a line a figure.
func (r *Report) Table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s\tmedian\tsmallest\tlargest\truns\tunit\tasked\n", r.Bench)
	for _, name := range slices.Sorted(maps.Keys(r.Figures)) {
		f := r.Figures[name]
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", name, short(f.Median), short(f.Min), short(f.Max), f.Runs, f.Unit, f.Target)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d × %s, %s, %s\n%s\n", r.CPUs, r.CPU, r.OS, r.Go, strings.Join(r.Notes, "\n"))
	return err
}

// short writes three digits that count, and all of a large number's.
func short(v float64) string {
	switch a := math.Abs(v); {
	case a == 0 || a >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
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
