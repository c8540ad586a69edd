package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"

	"plateau/internal/app"
)

func cmdArea(args []string, std stdio) int {
	fs := newFlags(std, "area", "area list|import|export --data DIR [--config FILE] …",
		`Administrative divisions with the days from and to which their codes are in force. The server may
run: a running one does it itself.
  list    those in force --on DAY (today), within --under CODE
  import  a CSV of --file FILE (- = standard input) with the columns code, name_zh, name_bo, name_en,
          level (1 region, 2 prefecture, 3 county, 4 township, 5 village, 6 group), parent,
          effective_from, effective_to (last day), replaces (former codes, separated by spaces).
          A row with a later first day is another version of its code; what it replaces ends the day
          before. All rows are taken, or none; --dry-run says what would be
  export  everything in the form that import reads, to standard output`,
		"plateau area import --file areas.csv --dry-run --data /var/lib/plateau")
	data := fs.String("data", "", "data folder of the server")
	file := fs.String("config", "", "the server's configuration file, where its database is named there")
	var order app.AreasOrder
	fs.StringVar(&order.Day, "on", "", "day as YYYY-MM-DD (list)")
	fs.StringVar(&order.Under, "under", "", "code of an area (list)")
	from := fs.String("file", "", "CSV file (import)")
	fs.BoolVar(&order.DryRun, "dry-run", false, "say what would be, change nothing (import)")
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		order.Act, args = args[0], args[1:]
	}
	if code, done := parse(fs, args, std, 0); done {
		return code
	}
	if order.Act != "list" && order.Act != "import" && order.Act != "export" {
		fmt.Fprintln(std.Err, "plateau area: say what to do: list, import or export")
		return 2
	}
	name := "area " + order.Act
	if *data == "" {
		return fail(std, name, errNeed("--data DIR", "the folder of the server"))
	}
	if order.Act == "import" {
		if *from == "" {
			return fail(std, name, errNeed("--file FILE", "the list to bring in; - is standard input"))
		}
		text, err := readList(*from, std.In)
		if err != nil {
			return fail(std, name, err)
		}
		order.CSV = text
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	out, err := app.Areas(ctx, app.Options{ConfigFile: *file, Env: os.Environ(), Flags: map[string]string{"data": *data}}, order)
	if err != nil {
		return fail(std, name, err)
	}
	switch order.Act {
	case "export":
		fmt.Fprint(std.Out, out.CSV)
	case "list":
		w := tabwriter.NewWriter(std.Out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "code\tlevel\tparent\tname\tfrom\tto\treplaces")
		for i := range out.Areas {
			a := &out.Areas[i]
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%s\n", a.Code, a.Number(), cmp.Or(a.Parent, "-"), a.Name.Zh, cmp.Or(a.From, "-"), cmp.Or(a.To, "-"), cmp.Or(a.Replaces, "-"))
		}
		_ = w.Flush()
	default:
		return areaReport(&out.Report, std)
	}
	return 0
}

func readList(file string, in io.Reader) (string, error) {
	if file != "-" {
		b, err := os.ReadFile(file)
		return string(b), err
	}
	b, err := io.ReadAll(in)
	return string(b), err
}

func areaReport(r *app.AreasReport, std stdio) int {
	for i := range r.News {
		n := &r.News[i]
		fmt.Fprintf(std.Out, "%s: %s %s", n.What, n.Area.Code, n.Area.Name.Zh)
		for _, x := range []struct{ word, text string }{{"formerly", n.Was.Zh}, {"from", n.Area.From}, {"last day", n.Area.To}} {
			if x.text != "" {
				fmt.Fprintf(std.Out, ", %s %s", x.word, x.text)
			}
		}
		fmt.Fprintln(std.Out)
	}
	fmt.Fprintf(std.Out, "rows: %d, added %d, changed %d, same %d\n", r.Rows, r.Added, r.Changed, r.Same)
	if len(r.Faults) > 0 {
		if r.More > 0 {
			r.Faults = append(r.Faults, fmt.Sprintf("and %d more", r.More))
		}
		return fail(std, "area import", errors.New("nothing was changed\n"+strings.Join(r.Faults, "\n")))
	}
	if !r.Applied {
		fmt.Fprintln(std.Out, "dry run: nothing was changed")
	}
	return 0
}
