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

func cmdArchive(args []string, std stdio) int {
	fs := newFlags(std, "archive", "archive --data DIR [--older-than AGE] [--partial] [--config FILE]",
		`Moves old groups of the journal into archive files, as the server does by itself every hour:
to keeping.archive of the configuration, by default the folder "archive" in DIR. A group leaves
the journal after its file was read back. Frames, explanations and "plateau journal verify"
reach archived groups as before. The server may be running or not.`,
		"plateau archive --data /var/lib/plateau --older-than 720h")
	data := fs.String("data", "", "data folder of the server")
	file := fs.String("config", "", "the server's configuration file")
	age := fs.Duration("older-than", 0, "age of the groups (default keeping.seal_after)")
	partial := fs.Bool("partial", false, "make a file also of groups that do not fill one")
	if code, done := parse(fs, args, std, 0); done {
		return code
	}
	if *data == "" {
		return fail(std, "archive", errNeed("--data DIR", "the folder of the server"))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	files, err := app.Archive(ctx, app.Options{ConfigFile: *file, Env: os.Environ(), Flags: map[string]string{"data": *data}}, *age, *partial)
	for _, f := range files {
		fmt.Fprintf(std.Out, "%s: groups %d to %d, received %s to %s, %d bytes\n", f.Name, f.First, f.Last, f.From.Format(time.RFC3339), f.To.Format(time.RFC3339), f.Size)
	}
	if err != nil {
		return fail(std, "archive", err)
	}
	fmt.Fprintf(std.Out, "files: %d\nok\n", len(files))
	return 0
}
