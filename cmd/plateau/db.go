package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"plateau/internal/app"
	"plateau/internal/platform/db"
)

func cmdDB(args []string, std stdio) int {
	fs := newFlags(std, "db", "db status|migrate|copy --data DIR [--config FILE] [--down] [--to URL]",
		`Looks after the relational database of a server: registry, accounts, alarms, reports.
  status   which database it is, the version of its tables, rows and a sum of each table
  migrate  brings the tables to this program's version, as serve does at its start;
           with --down takes the last version back, and what it added with it
  copy     moves everything from the SQLite file of the data folder to the empty PostgreSQL
           database --to, in one transaction, and proves it: the sums of all rows are
           compared before anything is kept. Afterwards name the URL as database.url in
           the configuration. The SQLite file stays as it is.
migrate and copy want the server stopped. An URL with a password is better put into
PLATEAU_COPY_TO than on the command line, where others on the machine can see it.`,
		"plateau db copy --data /var/lib/plateau --to postgres://plateau@db.example.org/plateau")
	data := fs.String("data", "", "data folder of the server")
	file := fs.String("config", "", "the server's configuration file, where its database is named there")
	down := fs.Bool("down", false, "take the last version back (migrate)")
	to := fs.String("to", "", "PostgreSQL database to copy to (copy); without it PLATEAU_COPY_TO")
	what := ""
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		what, args = args[0], args[1:]
	}
	if code, done := parse(fs, args, std, 0); done {
		return code
	}
	if *to == "" { // not as the flag's default, which --help would print
		*to = os.Getenv("PLATEAU_COPY_TO")
	}
	if what != "status" && what != "migrate" && what != "copy" {
		fmt.Fprintln(std.Err, "plateau db: say what to do: status, migrate or copy")
		return 2
	}
	switch {
	case *down && what != "migrate":
		return fail(std, "db "+what, fmt.Errorf("--down belongs to migrate"))
	case *data == "":
		return fail(std, "db "+what, errNeed("--data DIR", "the folder of the server"))
	case what == "copy" && *to == "":
		return fail(std, "db copy", errNeed("--to URL", "the PostgreSQL database, as postgres://USER@HOST/NAME"))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o := app.Options{ConfigFile: *file, Env: os.Environ(), Flags: map[string]string{"data": *data}}
	var err error
	switch what {
	case "status":
		err = dbStatus(ctx, o, std)
	case "migrate":
		err = dbMigrate(ctx, o, *down, std)
	case "copy":
		err = dbCopy(ctx, o, *to, std)
	}
	if err != nil {
		return fail(std, "db "+what, err)
	}
	return 0
}

func dbStatus(ctx context.Context, o app.Options, std stdio) error {
	v, where, err := app.InspectDatabase(ctx, o)
	if err != nil {
		return err
	}
	fmt.Fprintf(std.Out, "database: %s, %s\nversion: %d\n", v.Dialect, where, v.Version)
	switch n := v.Pending(); {
	case n > 0:
		fmt.Fprintf(std.Out, "pending: this program brings it to version %d\n", v.Newest)
	case n < 0:
		fmt.Fprintf(std.Out, "newer: this program knows version %d only\n", v.Newest)
	}
	for _, t := range v.Tables {
		fmt.Fprintf(std.Out, "%-24s %10d rows  %s\n", t.Name, t.Rows, t.Sum)
	}
	fmt.Fprintf(std.Out, "%-24s %10d rows\n", "in all", v.Rows())
	return nil
}

func dbMigrate(ctx context.Context, o app.Options, down bool, std stdio) error {
	before, after, err := app.MigrateDatabase(ctx, o, down)
	if err != nil {
		return err
	}
	if before == after {
		fmt.Fprintf(std.Out, "version: %d, nothing to do\n", after)
		return nil
	}
	fmt.Fprintf(std.Out, "version: %d, before %d\n", after, before)
	return nil
}

func dbCopy(ctx context.Context, o app.Options, to string, std stdio) error {
	v, err := app.CopyDatabase(ctx, o, to, func(t db.Table) {
		fmt.Fprintf(std.Err, "%-24s %10d rows  %s\n", t.Name, t.Rows, t.Sum)
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(std.Out, "tables: %d\nrows: %d, read back and found equal\nversion: %d\nok; now set database.url (or PLATEAU_DATABASE_URL) to that database and start the server\n", len(v.Tables), v.Rows(), v.Version)
	return nil
}
