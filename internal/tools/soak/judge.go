package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"plateau/internal/tools/server"
)

// sample is what the server holds at an instant.
type sample struct {
	at                  time.Duration // since the start
	rss, stores, heap   float64       // MB; stores is what their trees hold by design: caches and memory tables
	goroutines, handles float64
	used                float64 // seconds of processor time since the start
	cores               float64 // used since the last sample
}

// figure is one of what must not grow.
type figure struct {
	name, unit string
	of         func(sample) float64
	part, much float64 // growth beyond this part of the mean and beyond this much is a leak; 0 = only told
}

var figures = []figure{
	{"resident memory", "MB", func(s sample) float64 { return s.rss }, 0, 0},
	{"caches and memory tables", "MB", func(s sample) float64 { return s.stores }, 0, 0},
	{"resident memory beside them", "MB", func(s sample) float64 { return s.rss - s.stores }, 0.10, 24},
	{"processor", "cores", func(s sample) float64 { return s.cores }, 0, 0},
	{"heap after collection", "MB", func(s sample) float64 { return s.heap }, 0.10, 12},
	{"goroutines", "", func(s sample) float64 { return s.goroutines }, 0.05, 10},
	{"open files", "", func(s sample) float64 { return s.handles }, 0.05, 10},
}

// watch samples until ctx ends.
func watch(ctx context.Context, s *server.Server, every time.Duration) (out []sample) {
	began := time.Now()
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return out
		case <-t.C:
			if one, ok := look(ctx, s); ok {
				one.at = time.Since(began)
				if one.cores = one.used / one.at.Seconds(); len(out) > 0 {
					last := out[len(out)-1]
					one.cores = (one.used - last.used) / (one.at - last.at).Seconds()
				}
				out = append(out, one)
			}
		}
	}
}

// look takes one sample: the process's own metrics, and the system's view of it.
func look(ctx context.Context, s *server.Server) (one sample, ok bool) {
	body, status, err := s.Get(ctx, "/metrics")
	if err != nil || status != http.StatusOK {
		return one, false
	}
	// The heap that was live when it was collected last: what is garbage now
	// says nothing.
	for name, to := range map[string]*float64{
		"go_goroutines": &one.goroutines, "go_memstats_next_gc_bytes": &one.heap, "process_cpu_seconds_total": &one.used,
	} {
		if *to, ok = metric(body, name); !ok {
			return one, false
		}
	}
	one.heap /= 2e6 // the next collection is due at twice what was live
	for _, name := range []string{"plateau_store_cache_bytes", "plateau_store_memtable_bytes"} {
		for _, store := range []string{"telemetry", "sensorthings"} {
			v, ok := metric(body, fmt.Sprintf("%s{store=%q}", name, store))
			if !ok {
				return one, false
			}
			one.stores += v / 1e6
		}
	}
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.PID()))
	if err != nil {
		return one, false
	}
	f := strings.Fields(string(statm))
	if len(f) < 2 {
		return one, false
	}
	pages, err := strconv.ParseFloat(f[1], 64)
	if err != nil {
		return one, false
	}
	one.rss = pages * float64(os.Getpagesize()) / 1e6
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.PID()))
	one.handles = float64(len(files))
	return one, err == nil
}

// metric finds one by name; ok is false when it is not there.
func metric(body []byte, name string) (v float64, ok bool) {
	for in := bufio.NewScanner(bytes.NewReader(body)); in.Scan(); {
		if v, ok := strings.CutPrefix(in.Text(), name+" "); ok {
			f, err := strconv.ParseFloat(v, 64)
			return f, err == nil
		}
	}
	return 0, false
}

// growth is how one figure went after the warm-up.
type growth struct {
	Mean     float64 `json:"mean"`
	First    float64 `json:"first"` // by the fitted line
	Last     float64 `json:"last"`
	PerHour  float64 `json:"per_hour"`
	Unit     string  `json:"unit,omitempty"`
	Growing  bool    `json:"growing"`
	Smallest float64 `json:"smallest"`
	Largest  float64 `json:"largest"`
}

type result struct {
	Seconds      float64           `json:"seconds"`
	WarmUp       float64           `json:"warm_up_seconds"`
	Samples      int               `json:"samples"`
	Frames       int64             `json:"frames_acknowledged"`
	Connections  int64             `json:"connections"`
	Requests     int64             `json:"requests"`
	Observations int64             `json:"observations"`
	Figures      map[string]growth `json:"figures"`
}

// judge fits a line to each figure after the first third.
func judge(taken []sample, span time.Duration) result {
	r := result{Seconds: span.Seconds(), WarmUp: span.Seconds() / 3, Figures: map[string]growth{}}
	for len(taken) > 0 && taken[0].at < span/3 {
		taken = taken[1:]
	}
	r.Samples = len(taken)
	if len(taken) < 3 {
		return r
	}
	for _, f := range figures {
		r.Figures[f.name] = f.fit(taken)
	}
	return r
}

func meanOf(f figure, taken []sample) float64 {
	sum := 0.0
	for _, s := range taken {
		sum += f.of(s)
	}
	return sum / float64(max(1, len(taken)))
}

// fit is the line of least squares.
func (f figure) fit(taken []sample) growth {
	g := growth{Mean: meanOf(f, taken), Unit: f.unit, Smallest: f.of(taken[0]), Largest: f.of(taken[0])}
	mid := 0.0
	for _, s := range taken {
		mid += s.at.Hours() / float64(len(taken))
	}
	xy, xx := 0.0, 0.0
	for _, s := range taken {
		x := s.at.Hours() - mid
		xy += x * (f.of(s) - g.Mean)
		xx += x * x
		g.Smallest, g.Largest = min(g.Smallest, f.of(s)), max(g.Largest, f.of(s))
	}
	g.PerHour = xy / xx
	g.First = g.Mean + g.PerHour*(taken[0].at.Hours()-mid)
	g.Last = g.Mean + g.PerHour*(taken[len(taken)-1].at.Hours()-mid)
	g.Growing = f.part > 0 && g.Last-g.First > f.part*g.Mean && g.Last-g.First > f.much
	return g
}

func (r result) verdict() error {
	if r.Samples < 3 {
		return fmt.Errorf("only %d samples after the warm-up; run for longer", r.Samples)
	}
	for _, f := range figures {
		if g := r.Figures[f.name]; g.Growing {
			return fmt.Errorf("%s grows: %.0f to %.0f %s in %.0f minutes", f.name, g.First, g.Last, f.unit, (r.Seconds-r.WarmUp)/60)
		}
	}
	return nil
}
