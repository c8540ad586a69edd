// Command soak runs the server for long under a mixed load and fails when its
// memory or its handles grow: loggers over TCP that come and go, pages, the
// interface and SensorThings. It prints the samples'
// summary as JSON and draws them.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"plateau/internal/bench"
	"plateau/internal/tools/server"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run() error {
	bin := flag.String("bin", "bin/plateau", "the program")
	span := flag.Duration("for", 30*time.Minute, "how long; the first third is warm-up")
	every := flag.Duration("every", 5*time.Second, "time between two samples")
	loggers := flag.Int("loggers", 1000, "loggers connected; each sends every 30 s, which is what its records say")
	svg := flag.String("svg", "", "file for the plot")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp("", "plateau-soak-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	s, err := server.Start(ctx, *bin, filepath.Join(dir, "data"))
	if err != nil {
		return err
	}
	if _, err := s.Ready(ctx, time.Minute); err != nil {
		return err
	}
	w := work{s: s, loggers: *loggers, rate: float64(*loggers) / 30}
	load, cancel := context.WithTimeout(ctx, *span)
	defer cancel()
	samples := make(chan []sample, 1)
	go func() { samples <- watch(load, s, *every) }()
	loadErr := w.run(load)
	taken := <-samples
	failed := errors.Join(loadErr, ctx.Err(), s.Stop())
	if failed != nil { // what was seen until then is told all the same
		failed = fmt.Errorf("%w; the server's log ends with: %s", failed, s.Log())
	}
	if len(taken) == 0 {
		return errors.Join(failed, errors.New("no samples"))
	}
	r := judge(taken, *span)
	r.Frames, r.Requests, r.Observations, r.Connections = w.frames.Load(), w.requests.Load(), w.observations.Load(), w.connections.Load()
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", "  ")
	if err := enc.Encode(r); err != nil {
		return err
	}
	if *svg != "" {
		if err := os.WriteFile(*svg, plot(taken).SVG(), 0o600); err != nil {
			return err
		}
	}
	return errors.Join(failed, r.verdict())
}

// plot draws every figure as a ratio to its mean after warm-up.
func plot(taken []sample) bench.Plot {
	p := bench.Plot{Title: "Soak: memory and handles under a steady mixed load", X: "minutes", Y: "part of the mean after warm-up"}
	for _, f := range figures {
		l := bench.Line{Name: f.name}
		mean := meanOf(f, taken[len(taken)/3:])
		for _, s := range taken {
			l.X, l.Y = append(l.X, s.at.Minutes()), append(l.Y, f.of(s)/max(mean, 1))
		}
		p.Lines = append(p.Lines, l)
	}
	return p
}
