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
	if len(args) > 0 && args[0] == bench.PartCommand {
		app.RaiseFileLimit()
		if err := bench.ConnectionsPart(context.Background(), args[1:], std.In, std.Out); err != nil {
			return fail(std, "bench", err)
		}
		return 0
	}
	var c bench.Config
	fs := newFlags(std, "bench", "bench parse|ingest|query|judge|recompute|growth|connections|sta|start|cases|relay [--runs N] [--table] [--dir DIR] …",
		`Measures the program on this machine and prints one JSON object with the median, minimum
and maximum of several runs, or a table.

  parse      decoding with the CRC on one core, beside a plain Go parser
  ingest     frames to journal and series in synced commits, without and with sockets
  query      a day of one outlet, the latest of 50,000 outlets
  judge      whether one worker's judgement keeps up with 20,000 frames/s while they are
             received, and what it costs (about 2 minutes a run)
  recompute  judging anew: a month of one outlet, a year of 300 outlets, with records
             received beside (about 15 minutes in all, 3 GB of disk meanwhile)
  growth     how cost grows with outlets, history and readers (about 3 minutes with --runs 3)
  connections  50,000 loggers connected at once that send as all of China's do: wait for the
             acknowledgement, memory and processor time of the server (about 3 minutes)
  start      a year of 300 outlets stored and judged: start of the program until it is ready,
             backup and restore beside a plain copy (some minutes, 5 GB of disk meanwhile)
  cases      200,000 cases: inbox, counts, search, statistics, an action, the sweep of what is
             due, on SQLite and with --database on PostgreSQL, too (some minutes, 5 GB of disk
             meanwhile)
  sta        SensorThings over HTTP with a server in a process of its own: single
             Observations over 32 connections, data arrays of 1,000 and 10,000 rows, reading
             out of a Datastream with a million (about 3 minutes)
  relay      frames that go on to one other instance over TCP with acknowledgements`,
		"plateau bench judge --runs 3 --seconds 10 --table")
	fs.IntVar(&c.Runs, "runs", 5, "runs of each measurement")
	table := fs.Bool("table", false, "print a table instead of JSON")
	fs.IntVar(&c.Frames, "frames", 1_000_000, "frames in one run of ingest and relay")
	fs.IntVar(&c.Outlets, "outlets", 0, "outlets (default: 1,000, of recompute and start 300)")
	fs.IntVar(&c.Rate, "rate", 0, "frames/s received beside (default: of judge 20,000, of recompute 1,000, of connections 1,765)")
	fs.IntVar(&c.Seconds, "seconds", 0, "length of each stretch of steady receiving of judge, recompute and connections (default 30) or of posting of sta (default 10)")
	fs.IntVar(&c.Conns, "conns", 50_000, "loggers connected at once of connections")
	fs.IntVar(&c.History, "history", 1_000_000, "observations in the Datastream that sta reads")
	fs.IntVar(&c.Days, "days", 365, "days of history of recompute, growth and start")
	fs.IntVar(&c.Cases, "cases", 200_000, "how many cases")
	fs.StringVar(&c.Database, "database", "", "postgres:// address of an empty database for cases")
	fs.StringVar(&c.Plots, "plots", "", "folder for the plots of growth (SVG)")
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
	case "judge":
		r, err = bench.Judge(ctx, c)
	case "recompute":
		r, err = bench.Recompute(ctx, c)
	case "growth":
		r, err = bench.Growth(ctx, c)
	case "connections":
		app.RaiseFileLimit()
		r, err = bench.Connections(ctx, c)
	case "sta":
		app.RaiseFileLimit()
		if c.Program, err = os.Executable(); err == nil {
			r, err = bench.STA(ctx, c)
		}
	case "cases":
		c.Log = std.Err
		r, err = bench.Cases(ctx, c)
	case "start":
		c.Log = std.Err
		if c.Program, err = os.Executable(); err == nil {
			r, err = bench.Start(ctx, c)
		}
	case "relay":
		r, err = bench.Relay(ctx, c)
	default:
		fmt.Fprintln(std.Err, "plateau bench: say what to measure: parse, ingest, query, judge, recompute, growth, connections, sta, start, cases or relay")
		return 2
	}
	if err != nil {
		return fail(std, "bench "+what, err)
	}
	if *table {
		if err := r.Table(std.Out); err != nil {
			return fail(std, "bench", err)
		}
		return 0
	}
	enc := json.NewEncoder(std.Out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(r); err != nil {
		return fail(std, "bench", err)
	}
	return 0
}
