// Command bench compares Plateau's telemetry store with PostgreSQL, Prometheus
// TSDB and the storage of VictoriaMetrics on the same frames, in turns, on one
// machine. It is a module of its own, so that none of its dependencies is one of
// the program. docs/performance.md tells the method.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
)

// settings are those of a run; a child gets them as JSON.
type settings struct {
	Frames, Outlets, Group int
	Dir                    string
}

// figures are what one peer's process measured once.
type figures struct {
	Version         string  `json:"version"`
	Durable         string  `json:"durable"` // what is there after a kill
	FramesPerSecond float64 `json:"frames_per_second"`
	BytesPerReading float64 `json:"bytes_per_reading"`
	DayMillis       float64 `json:"day_of_one_outlet_ms"` // median
	DayReadings     int     `json:"day_readings"`
	LatestMillis    float64 `json:"latest_of_all_ms"` // median
	LatestReadings  int     `json:"latest_readings"`
	PeakMB          float64 `json:"peak_rss_mb"`
}

func main() {
	var s settings
	runs := flag.Int("runs", 5, "runs of each")
	only := flag.String("only", "", "names of peers, separated by commas; all when empty")
	out := flag.String("out", "bench.json", "file for the figures of all runs")
	child := flag.String("child", "", "measure one peer and print its figures (used by bench itself)")
	given := flag.String("settings", "", "settings of the child")
	flag.IntVar(&s.Frames, "frames", 1_440_000, "ten-factor frames a run, 30 s apart for each outlet")
	flag.IntVar(&s.Outlets, "outlets", 0, "outlets; as many as have a day each when 0")
	flag.IntVar(&s.Group, "group", 1000, "frames in a commit")
	flag.StringVar(&s.Dir, "dir", "", "where to write; the temporary folder when empty")
	flag.Parse()
	if s.Outlets <= 0 {
		s.Outlets = max(2, s.Frames/2880&^1)
	}
	s.Outlets += s.Outlets & 1 // the two writers take the odd and the even ones
	var err error
	if *child != "" {
		if err = json.Unmarshal([]byte(*given), &s); err == nil {
			err = runChild(*child, s)
		}
	} else {
		err = compare(s, *runs, *only, *out, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// report is the JSON of a comparison.
type report struct {
	Frames, Outlets, Group, Runs int
	Peers                        map[string][]figures
}

// compare runs each peer in a process of its own, in turns, so that what the
// machine does meanwhile meets all of them.
func compare(s settings, runs int, only, out string, w io.Writer) error {
	names := []string{"plateau", "postgresql", "prometheus", "victoriametrics"}
	if only != "" {
		names = strings.Split(only, ",")
	}
	r := report{s.Frames, s.Outlets, s.Group, runs, map[string][]figures{}}
	for run := range runs {
		for i := range names {
			name := names[(i+run)%len(names)] // nobody is always first
			f, err := spawn(name, s)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			fmt.Fprintf(os.Stderr, "run %d %s: %.0f frames/s, %.2f bytes/reading\n", run+1, name, f.FramesPerSecond, f.BytesPerReading)
			r.Peers[name] = append(r.Peers[name], f)
		}
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(out, append(text, '\n'), 0o600); err != nil {
		return err
	}
	table(w, &r, names)
	return nil
}

func spawn(name string, s settings) (f figures, err error) {
	dir, err := os.MkdirTemp(s.Dir, "plateau-bench-")
	if err != nil {
		return f, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // PostgreSQL runs as another account
		return f, err
	}
	s.Dir = dir
	text, err := json.Marshal(s)
	if err != nil {
		return f, err
	}
	cmd := exec.Command(os.Args[0], "-child", name, "-settings", string(text))
	cmd.Stderr = os.Stderr
	answer, err := cmd.Output()
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(answer, &f); err != nil {
		return f, err
	}
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		f.PeakMB += float64(u.Maxrss) / 1024 // KB on Linux
	}
	return f, nil
}

// table prints medians with the least and the greatest of all runs.
func table(w io.Writer, r *report, names []string) {
	fmt.Fprintf(w, "%d ten-factor frames of %d outlets, %d in a commit, %d runs in turns: median (least to greatest)\n\n", r.Frames, r.Outlets, r.Group, r.Runs)
	fmt.Fprintln(w, "| | frames/s | bytes a reading | 24 h of one outlet, ms | latest of all, ms | peak memory, MB | after a kill |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|")
	for _, name := range names {
		list := r.Peers[name]
		cell := func(format string, of func(*figures) float64) string {
			var vs []float64
			for i := range list {
				vs = append(vs, of(&list[i]))
			}
			slices.Sort(vs)
			return fmt.Sprintf(format+" ("+format+" to "+format+")", vs[len(vs)/2], vs[0], vs[len(vs)-1])
		}
		fmt.Fprintf(w, "| %s %s | %s | %s | %s | %s | %s | %s |\n", name, list[0].Version,
			cell("%.0f", func(f *figures) float64 { return f.FramesPerSecond }), cell("%.2f", func(f *figures) float64 { return f.BytesPerReading }),
			cell("%.2f", func(f *figures) float64 { return f.DayMillis }), cell("%.2f", func(f *figures) float64 { return f.LatestMillis }),
			cell("%.0f", func(f *figures) float64 { return f.PeakMB }), list[0].Durable)
	}
}

var background = context.Background()
