package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os/signal"
	"syscall"
	"time"

	"plateau/internal/telemetry/devicecheck"
)

const checkDeviceHelp = `Usage: plateau hj212 check-device [--listen ADDR] [--for TIME] [--wait TIME] [--password PW] [--lang zh|en] [--json]

Plays the host against the first logger that dials ADDR, for TIME at most, and
prints clause by clause of HJ 212 what held, what did not hold (with the frame
that shows it) and what was not tried. The logger's clock, timeouts and
intervals are set to the present ones; its password is not changed.

Flags:
  --listen ADDR  address that the logger dials (default :9212)
  --for TIME     longest run (default 3m)
  --wait TIME    longest wait for the logger (default 5m)
  --password PW  password that the logger must use; default: what it sends
  --overtime T   wait for each answer (default 10s)
  --lang L       language of the clauses: en or zh (default en)
  --json         print one JSON object

Exit code: 0 all that was tried held, 1 something did not hold, 2 wrong use or
no logger came.
`

func cmdCheckDevice(args []string, std stdio) int {
	fs := newFlags(std, "hj212 check-device", "", "", "")
	fs.Usage = func() { fmt.Fprint(fs.Output(), checkDeviceHelp) }
	listen := fs.String("listen", ":9212", "")
	span := fs.Duration("for", 3*time.Minute, "")
	wait := fs.Duration("wait", 5*time.Minute, "")
	over := fs.Duration("overtime", 10*time.Second, "")
	password := fs.String("password", "", "")
	lang := fs.String("lang", "en", "")
	asJSON := fs.Bool("json", false, "")
	if code, done := parse(fs, args, std, 0); done {
		return code
	}
	if *lang != "en" && *lang != "zh" || *span <= 0 || *wait <= 0 || *over <= 0 {
		fmt.Fprintln(std.Err, "plateau hj212 check-device: --lang is en or zh, times are above 0")
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", *listen)
	if err != nil {
		return fail(std, "hj212 check-device", err)
	}
	defer func() { _ = l.Close() }()
	fmt.Fprintf(std.Err, "hj212: %s\n", l.Addr())
	rep, err := devicecheck.Run(ctx, devicecheck.Options{Listener: l, Password: *password, For: *span, Wait: *wait, OverTime: *over, ReCount: 3, Now: time.Now})
	if err != nil {
		fmt.Fprintln(std.Err, "plateau hj212 check-device:", err)
		return 2
	}
	if *asJSON {
		enc := json.NewEncoder(std.Out)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(rep); err != nil {
			return fail(std, "hj212 check-device", err)
		}
	} else {
		printReport(std, &rep, *lang)
	}
	if rep.Failed > 0 {
		return 1
	}
	return 0
}

func printReport(std stdio, rep *devicecheck.Report, lang string) {
	words := map[devicecheck.Status]string{devicecheck.Held: "held", devicecheck.Failed: "NOT HELD", devicecheck.Untried: "not tried"}
	sum := "%d held, %d not held, %d not tried; %d frames\n"
	if lang == "zh" {
		words = map[devicecheck.Status]string{devicecheck.Held: "符合", devicecheck.Failed: "不符合", devicecheck.Untried: "未检"}
		sum = "符合 %d，不符合 %d，未检 %d；报文 %d 帧\n"
	}
	fmt.Fprintf(std.Out, "MN %s  HJ 212-%s\n", rep.MN, rep.Version)
	for _, c := range rep.Clauses {
		name := c.En
		if lang == "zh" {
			name = c.Zh
		}
		fmt.Fprintf(std.Out, "%-10s %s", words[c.Status], name)
		if c.Detail != "" {
			fmt.Fprintf(std.Out, ": %s", c.Detail)
		}
		fmt.Fprintln(std.Out)
		if c.Frame != "" {
			fmt.Fprintf(std.Out, "           %s\n", c.Frame)
		}
	}
	fmt.Fprintf(std.Out, sum, rep.Held, rep.Failed, rep.Untried, rep.Frames)
}
