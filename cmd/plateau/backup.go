package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"plateau/internal/app"
)

func cmdBackup(args []string, std stdio) int {
	fs := newFlags(std, "backup", "backup --data DIR [--config FILE] TO",
		`Copies everything a server keeps to the folder TO, which must not exist yet: journal, series,
judgement, database, reports, archives, files of cases. A running server makes the copy itself and goes on
receiving; whatever it acknowledged before the backup began is in it. TO has a manifest with the
size and SHA-256 of every file, written last: a backup that was broken off is TO.partial, and
none. With PostgreSQL the database is left to pg_dump, run after this command has ended. A file of
a case that has changed on the disk is named, with exit code 1; the backup is made all the same.`,
		"plateau backup --data /var/lib/plateau /mnt/backup/2026-11-27")
	data := fs.String("data", "", "data folder of the server")
	file := fs.String("config", "", "the server's configuration file, where its database is named there")
	to, code, done := positional(fs, args, std)
	if done {
		return code
	}
	switch {
	case *data == "":
		return fail(std, "backup", errNeed("--data DIR", "the folder of the server"))
	case to == "":
		return fail(std, "backup", errNeed("TO", "the folder of the backup"))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o := app.Options{ConfigFile: *file, Env: os.Environ(), Flags: map[string]string{"data": *data}, Version: version}
	p := meter{std: std, what: "copied", began: time.Now()}
	m, err := app.Backup(ctx, o, to, p.tell)
	if err != nil {
		return fail(std, "backup", err)
	}
	how := "stopped server"
	if m.Running {
		how = "running server"
	}
	fmt.Fprintf(std.Out, "from: %s\nto: %s\nfiles: %d\n%s\njournal: to group %d, %s\n", how, to, len(m.Files), rate(m.Bytes, time.Since(p.began)), m.Journal.Sequence, m.Journal.Hash)
	if m.Database == "postgres" {
		fmt.Fprintf(std.Out, "database: not in it. Run pg_dump now (not before: the journal must name nothing the dump lacks);\n          the tables have version %d. Keep the dump beside this folder.\n", m.Schema)
	}
	if damaged := app.DamagedEvidence(&m); len(damaged) > 0 {
		for _, f := range damaged {
			fmt.Fprintln(std.Out, "fault:", f)
		}
		return 1
	}
	fmt.Fprintln(std.Out, "ok")
	return 0
}

func cmdRestore(args []string, std stdio) int {
	fs := newFlags(std, "restore", "restore FROM --data DIR [--config FILE]",
		`Fills the data folder DIR, which must be empty or not there, from a backup. Every file is held
against its SHA-256, and damaged ones are named. Then what was written is opened: the journal's
hash chain is followed from its first group to the one that the backup names, and what was found
is printed. "plateau verify" proves series and judgement as well. Exit code 0 means nothing was
found. With PostgreSQL restore the dump first.`,
		"plateau restore /mnt/backup/2026-11-27 --data /var/lib/plateau")
	data := fs.String("data", "", "data folder to be filled")
	file := fs.String("config", "", "the server's configuration file, where its database is named there")
	from, code, done := positional(fs, args, std)
	if done {
		return code
	}
	switch {
	case from == "":
		return fail(std, "restore", errNeed("FROM", "the folder of a backup"))
	case *data == "":
		return fail(std, "restore", errNeed("--data DIR", "the folder to be filled"))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o := app.Options{ConfigFile: *file, Env: os.Environ(), Flags: map[string]string{"data": *data}}
	p := meter{std: std, what: "copied and checked", began: time.Now()}
	r, err := app.Restore(ctx, o, from, p.tell, func(groups, bytes int64) { fmt.Fprintf(std.Err, "read %d groups, %d MB\n", groups, bytes>>20) })
	if err != nil {
		return fail(std, "restore", err)
	}
	fmt.Fprintf(std.Out, "backup of: %s\nfiles: %d\n%s\n", r.Manifest.Began.Format(time.RFC3339), len(r.Manifest.Files), rate(r.Manifest.Bytes, r.Copied))
	fmt.Fprintf(std.Out, "groups: %d\nframes: %d\nhead: %x\n", r.Journal.Groups, r.Journal.Frames, r.Journal.Head)
	if r.Manifest.Database == "postgres" {
		fmt.Fprintf(std.Out, "database: not in it; the dump that belongs to it has tables of version %d\n", r.Manifest.Schema)
	} else {
		fmt.Fprintf(std.Out, "outlets: %d\nloggers: %d\n", r.Outlets, r.Loggers)
	}
	for _, f := range append(r.Journal.Faults, r.Faults...) {
		fmt.Fprintln(std.Out, "fault:", f)
	}
	if !r.OK() {
		return 1
	}
	fmt.Fprintln(std.Out, "ok")
	return 0
}

// positional parses a call with one argument, before the flags, among them or
// behind them.
func positional(fs *flag.FlagSet, args []string, std stdio) (arg string, code int, done bool) {
	if code, done = parse(fs, args, std, len(args)); done || fs.NArg() == 0 {
		return "", code, done
	}
	rest := fs.Args()
	code, done = parse(fs, rest[1:], std, 0)
	return rest[0], code, done
}

// meter tells how long work goes on.
type meter struct {
	std   stdio
	what  string
	began time.Time
	mu    sync.Mutex
	told  time.Time
}

// tell prints how far it is, every two seconds.
func (m *meter) tell(done, total int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if m.told.IsZero() {
		m.told = m.began
	}
	if now.Sub(m.told) < 2*time.Second || total == 0 {
		return
	}
	m.told = now
	fmt.Fprintf(m.std.Err, "%s: %d of %d MB (%d%%), %.0f MB/s\n", m.what, done>>20, total>>20, done*100/total, float64(done)/1e6/now.Sub(m.began).Seconds())
}

// rate is the line that tells how fast it went.
func rate(bytes int64, took time.Duration) string {
	return fmt.Sprintf("bytes: %d in %.1f s, %.0f MB/s", bytes, took.Seconds(), float64(bytes)/1e6/max(took.Seconds(), 1e-3))
}
