package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"plateau/internal/app"
)

func cmdJournal(args []string, std stdio) int {
	fs := newFlags(std, "journal", "journal verify --data DIR",
		`Reads the whole journal of a server that is not running: recomputes the hash chain, makes
every series row again from its frame and compares. Exit code 0 means nothing was found.`,
		"plateau journal verify --data /var/lib/plateau")
	data := fs.String("data", "", "data folder of the server")
	what := ""
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		what, args = args[0], args[1:]
	}
	if code, done := parse(fs, args, std, 0); done {
		return code
	}
	if what != "verify" {
		fmt.Fprintln(std.Err, "plateau journal: say what to do: verify")
		return 2
	}
	if *data == "" {
		return fail(std, "journal", errNeed("--data DIR", "the folder of the server to be verified"))
	}
	if _, err := os.Stat(filepath.Join(*data, app.TelemetryDir)); err != nil {
		return fail(std, "journal", fmt.Errorf("%s holds no journal: %w", *data, err))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r, err := app.Verify(ctx, *data)
	if err != nil {
		return fail(std, "journal verify", err)
	}
	fmt.Fprintf(std.Out, "groups: %d\nframes: %d\nrows: %d\nhead: %x\n", r.Groups, r.Frames, r.Rows, r.Head)
	for _, f := range r.Faults {
		fmt.Fprintln(std.Out, "fault:", f)
	}
	if !r.OK() {
		return 1
	}
	fmt.Fprintln(std.Out, "ok")
	return 0
}

// errNeed is the error of a call that lacks something.
func errNeed(flag, what string) error { return fmt.Errorf("%s is needed: %s", flag, what) }
