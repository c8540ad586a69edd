package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"plateau/internal/telemetry/simulator"
)

func cmdSimulate(args []string, std stdio) int {
	o := simulator.Options{Progress: std.Err, Now: time.Now}
	fs := newFlags(std, "simulate", "simulate --to ADDR [--outlets N] [--interval D] [--speed X] [--from CSV] [--faults] [--for D] [--password P]",
		`Runs loggers that speak HJ 212 to a host: they upload, wait for acknowledgements, send
again and answer commands. With --from they send a playlist, columns
time,mn,factor,value,flag with RFC 3339 times, one 2011 frame for each mn and time.
It ends with an error when frames stay without an acknowledgement.`,
		"plateau simulate --to 127.0.0.1:9212 --outlets 20 --interval 30s --speed 60")
	fs.StringVar(&o.To, "to", "", "HJ 212 address of the host")
	fs.IntVar(&o.Outlets, "outlets", 10, "number of loggers")
	fs.DurationVar(&o.Interval, "interval", 30*time.Second, "time between real-time frames of a logger")
	fs.Float64Var(&o.Speed, "speed", 0, "simulated seconds in a real one (default 1; with --from as fast as the host acknowledges)")
	fs.StringVar(&o.Password, "password", "", "password of the loggers (default 123456)")
	fs.BoolVar(&o.Faults, "faults", false, "with the faults of installed loggers now and then")
	from := fs.String("from", "", "playlist to send instead of generated series")
	span := fs.Duration("for", 0, "end after this time (default: when told to)")
	if code, done := parse(fs, args, std, 0); done {
		return code
	}
	if o.To == "" {
		return fail(std, "simulate", errNeed("--to ADDR", "the address of the host, such as 127.0.0.1:9212"))
	}
	if o.Outlets < 1 {
		return fail(std, "simulate", errNeed("--outlets N", "at least 1"))
	}
	if o.Interval <= 0 {
		return fail(std, "simulate", errNeed("--interval D", "at least 1s"))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *span > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, *span)
		defer cancel()
	}
	if *from != "" {
		f, err := os.Open(*from)
		if err != nil {
			return fail(std, "simulate", err)
		}
		defer f.Close()
		o.CSV = f
	}
	if err := simulator.Simulate(ctx, o); err != nil {
		return fail(std, "simulate", err)
	}
	return 0
}
