package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"plateau/internal/app"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry/parquetexport"
)

func cmdExport(args []string, std stdio) int {
	fs := newFlags(std, "export", "export parquet --data DIR TO [--from DATE] [--to DATE] [--kind KIND,…] [--config FILE]",
		`Writes what outlets reported, value by value, and the judged hours and days as Parquet files to
the folder TO, a file a month: TO/records/kind=hour/month=2026-11/part-0.parquet and
TO/judged/level=day/month=2026-11/part-0.parquet (docs/parquet.md has the columns). Months and
DATEs are of Beijing time; --to is the last day. A running server writes the files itself and goes
on receiving. Each file appears when it is complete; exporting again replaces the months asked for.`,
		"plateau export parquet --data /var/lib/plateau /mnt/lake --from 2026-11-01 --to 2026-11-30 --kind hour,judged-hour")
	data := fs.String("data", "", "data folder of the server")
	file := fs.String("config", "", "the server's configuration file")
	from := fs.String("from", "", "first day, YYYY-MM-DD (default: from the first record)")
	to := fs.String("to", "", "last day, YYYY-MM-DD (default: to the last record)")
	kinds := fs.String("kind", "", "what is written, with commas between (default all): "+strings.Join(parquetexport.Kinds(), ", "))
	if len(args) == 0 || args[0] != "parquet" {
		if code, done := parse(fs, args, std, 0); done {
			return code
		}
		return fail(std, "export", errNeed("parquet", "the format"))
	}
	target, code, done := positional(fs, args[1:], std)
	if done {
		return code
	}
	e := app.Export{To: target}
	var err error
	if e.From, err = day(*from, 0); err == nil {
		e.Until, err = day(*to, 1)
	}
	switch {
	case err != nil:
		return fail(std, "export", err)
	case *data == "":
		return fail(std, "export", errNeed("--data DIR", "the folder of the server"))
	case target == "":
		return fail(std, "export", errNeed("TO", "the folder of the files"))
	case *kinds != "":
		e.Kinds = strings.Split(*kinds, ",")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o := app.Options{ConfigFile: *file, Env: os.Environ(), Flags: map[string]string{"data": *data}, Version: version}
	told := time.Now()
	r, err := app.ExportParquet(ctx, o, e, func(done, total int64) {
		if now := time.Now(); total > 0 && now.Sub(told) >= 2*time.Second {
			fmt.Fprintf(std.Err, "written: %d of %d months of outlets (%d%%)\n", done, total, done*100/total)
			told = now
		}
	})
	if err != nil {
		return fail(std, "export", err)
	}
	how := "stopped server"
	if r.Running {
		how = "running server"
	}
	fmt.Fprintf(std.Out, "from: %s\nto: %s\n", how, target)
	for _, t := range r.Tables {
		fmt.Fprintf(std.Out, "%s: %d files, %d rows, %d bytes\n", t.Name, t.Files, t.Rows, t.Bytes)
	}
	if len(r.Tables) == 0 {
		fmt.Fprintln(std.Out, "nothing to write: no records in that time")
	}
	fmt.Fprintln(std.Out, "ok")
	return 0
}

// day reads the start of a day of Beijing time, days later; "" is the zero time.
func day(text string, later int) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.ParseInLocation(time.DateOnly, text, i18n.Zone)
	if err != nil {
		return t, fmt.Errorf("%q is no day; write it as YYYY-MM-DD", text)
	}
	return t.AddDate(0, 0, later), nil
}
