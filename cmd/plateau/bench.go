package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"plateau/internal/app"
	"plateau/internal/bench"
)

func cmdBench(args []string, std stdio) int {
	var c bench.Config
	fs := newFlags(std, "bench", "bench parse|ingest|query [--runs N] [--frames N] [--dir DIR]",
		`Measures the program on this machine and prints one JSON object with the median, minimum
and maximum of several runs.

  parse   decoding with the CRC on one core, beside a plain Go parser
  ingest  frames to journal and series in synced commits, without and with sockets
  query   a day of one outlet, the latest of 50,000 outlets`,
		"plateau bench ingest --runs 5")
	fs.IntVar(&c.Runs, "runs", 5, "runs of each measurement")
	fs.IntVar(&c.Frames, "frames", 1_000_000, "frames in one run of ingest")
	fs.StringVar(&c.Dir, "dir", "", "folder to write to (default: the system's temporary folder)")
	what := ""
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		what, args = args[0], args[1:]
	}
	if code, done := parse(fs, args, std, 0); done {
		return code
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var (
		r   bench.Report
		err error
	)
	switch what {
	case "parse":
		r, err = bench.Parse(ctx, c)
	case "ingest":
		app.RaiseFileLimit()
		r, err = bench.Ingest(ctx, c, func(ctx context.Context, dir string) (float64, error) { return bench.TCP(ctx, c, dir) })
	case "query":
		r, err = bench.Query(ctx, c)
	default:
		fmt.Fprintln(std.Err, "plateau bench: say what to measure: parse, ingest or query")
		return 2
	}
	if err != nil {
		return fail(std, "bench "+what, err)
	}
	enc := json.NewEncoder(std.Out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(r); err != nil {
		return fail(std, "bench", err)
	}
	return 0
}
