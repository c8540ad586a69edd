package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"plateau/internal/app"
)

func cmdVerify(args []string, std stdio) int {
	fs := newFlags(std, "verify", "verify --data DIR [--config FILE]",
		`Proves what a server that is not running holds: first its journal, as "plateau journal verify"
does, then the judgement. Every hour and every day of every outlet is computed again from the
series, by the registry and the rules of today, and compared byte for byte with what is stored;
nothing is written. Then what SensorThings clients made: every relation has to lead somewhere, and
every index and count to be right. Then the files that came with cases: each must have the bytes that
its name, their SHA-256, speaks of. What was received but not judged when the server stopped, and outlets whose
registry entry changed since, are counted as waiting. Exit code 0 means nothing was found.`,
		"plateau verify --data /var/lib/plateau")
	data := fs.String("data", "", "data folder of the server")
	file := fs.String("config", "", "the server's configuration file, where its database is named there")
	if code, done := parse(fs, args, std, 0); done {
		return code
	}
	if *data == "" {
		return fail(std, "verify", errNeed("--data DIR", "the folder of the server to be verified"))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o := app.Options{ConfigFile: *file, Env: os.Environ(), Flags: map[string]string{"data": *data}}
	journal, err := app.Verify(ctx, o)
	if err != nil {
		return fail(std, "verify", err)
	}
	printJournal(std, journal)
	last := time.Now()
	judged, err := app.VerifyJudgement(ctx, o, func(done, total int) {
		if now := time.Now(); now.Sub(last) >= 5*time.Second {
			fmt.Fprintf(std.Err, "judged again: %d of %d outlets\n", done, total)
			last = now
		}
	})
	if err != nil {
		return fail(std, "verify", err)
	}
	fmt.Fprintf(std.Out, "outlets: %d\nhours judged again: %d\ndays judged again: %d\n", judged.Outlets, judged.Hours, judged.Days)
	if judged.Waiting > 0 {
		fmt.Fprintf(std.Out, "waiting: %d hours and days of frames that were not judged yet\n", judged.Waiting)
	}
	if judged.Pending > 0 {
		fmt.Fprintf(std.Out, "waiting: %d outlets whose registry entry or rules changed since\n", judged.Pending)
	}
	for _, f := range judged.Faults {
		fmt.Fprintln(std.Out, "fault:", f)
	}
	if n := judged.FaultCount - int64(len(judged.Faults)); n > 0 {
		fmt.Fprintf(std.Out, "fault: %d more\n", n)
	}
	made, err := app.VerifyEntities(ctx, o)
	if err != nil {
		return fail(std, "verify", err)
	}
	fmt.Fprintf(std.Out, "sensorthings entities: %d\nsensorthings observations: %d\n", made.Entities, made.Observations)
	for _, f := range made.Faults {
		fmt.Fprintln(std.Out, "fault:", f)
	}
	files, err := app.VerifyEvidence(ctx, o)
	if err != nil {
		return fail(std, "verify", err)
	}
	fmt.Fprintf(std.Out, "files of cases: %d\n", files.Files)
	for _, f := range files.Faults {
		fmt.Fprintln(std.Out, "fault:", f)
	}
	if n := files.Bad - len(files.Faults); n > 0 {
		fmt.Fprintf(std.Out, "fault: %d more\n", n)
	}
	if !journal.OK() || !judged.OK() || !made.OK() || files.Bad > 0 {
		return 1
	}
	fmt.Fprintln(std.Out, "ok")
	return 0
}
