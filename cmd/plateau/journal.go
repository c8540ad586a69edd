package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"plateau/internal/app"
	"plateau/internal/telemetry/store"
)

func cmdJournal(args []string, std stdio) int {
	fs := newFlags(std, "journal", "journal verify --data DIR [--config FILE]",
		`Reads the whole journal of a server that is not running: recomputes the hash chain, makes
every series row again from its frame and compares. Encrypted frames need their logger's key
in the registry. Exit code 0 means nothing was found.`,
		"plateau journal verify --data /var/lib/plateau")
	data := fs.String("data", "", "data folder of the server")
	file := fs.String("config", "", "the server's configuration file, where its database is named there")
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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r, err := app.Verify(ctx, app.Options{ConfigFile: *file, Env: os.Environ(), Flags: map[string]string{"data": *data}})
	if err != nil {
		return fail(std, "journal verify", err)
	}
	printJournal(std, r)
	if !r.OK() {
		return 1
	}
	fmt.Fprintln(std.Out, "ok")
	return 0
}

func printJournal(std stdio, r store.Report) {
	fmt.Fprintf(std.Out, "groups: %d\nframes: %d\nrows: %d\nhead: %x\n", r.Groups, r.Frames, r.Rows, r.Head)
	if r.Unread > 0 {
		fmt.Fprintf(std.Out, "unread: %d (encrypted; the registry has no key that opens them)\n", r.Unread)
	}
	for _, f := range r.Faults {
		fmt.Fprintln(std.Out, "fault:", f)
	}
}

// errNeed is the error of a call that lacks something.
func errNeed(flag, what string) error { return fmt.Errorf("%s is needed: %s", flag, what) }
