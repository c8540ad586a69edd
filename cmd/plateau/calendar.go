package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"plateau/internal/app"
	"plateau/internal/platform/calendar"
)

const calendarHelp = `Usage: plateau calendar due|check|list …

  calendar due --calendar FILE --from T --working-days N
                          the day N working days after T (a date, or an instant as RFC 3339)
  calendar check FILE     whether a calendar file is well formed
  calendar list --data DIR [--config FILE]
                          the calendars in force, by area

Which days are off is read from CSV files and never computed; docs/calendars.md
has their form.

due prints a date, of Beijing, such as 2026-03-03, and nothing else, but
"provisional" after it when a day on the way lies in a year that the file is not
complete for. The day of T is day 0; N is from 0 to 10000.

check names file, line and remedy of every fault on standard error; the exit code
is 1 when there is one. Else it prints the years, and how many days the file says
are off and are worked on.

list shows what a running server loaded at its start, else what the next start
would load from the folder calendars in DIR and the program's own files. Years
with ? are known in part.

Example:

  plateau calendar due --calendar calendars/540100.csv --from 2026-02-13 --working-days 5
`

func cmdCalendar(args []string, std stdio) int {
	if len(args) > 0 && (args[0] == "-h" || args[0] == "--help" || args[0] == "-help") {
		fmt.Fprint(std.Out, calendarHelp)
		return 0
	}
	commands := map[string]func([]string, stdio) int{"due": cmdCalendarDue, "check": cmdCalendarCheck, "list": cmdCalendarList}
	if len(args) == 0 || commands[args[0]] == nil {
		fmt.Fprint(std.Err, "plateau calendar: say what to do: due, check or list\n\n"+calendarHelp)
		return 2
	}
	return commands[args[0]](args[1:], std)
}

func cmdCalendarDue(args []string, std stdio) int {
	fs := newFlags(std, "calendar due", "", "", "")
	fs.Usage = func() { fmt.Fprint(fs.Output(), calendarHelp) }
	file := fs.String("calendar", "", "")
	from := fs.String("from", "", "")
	n := fs.Int("working-days", -1, "")
	if code, done := parse(fs, args, std, 0); done {
		return code
	}
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	const name = "calendar due"
	switch {
	case *file == "":
		return fail(std, name, errNeed("--calendar FILE", "the calendar to count by"))
	case *from == "":
		return fail(std, name, errNeed("--from T", "the day of the event, as YYYY-MM-DD or RFC 3339"))
	case !given["working-days"]:
		return fail(std, name, errNeed("--working-days N", "how many working days to count"))
	case *n < 0 || *n > calendar.MaxCount:
		return fail(std, name, fmt.Errorf("--working-days wants a number from 0 to %d, not %d", calendar.MaxCount, *n))
	}
	start, err := time.ParseInLocation(time.DateOnly, *from, calendar.Zone)
	if err != nil {
		if start, err = time.Parse(time.RFC3339, *from); err != nil {
			return fail(std, name, fmt.Errorf("--from wants a day as YYYY-MM-DD or an instant as RFC 3339 (2026-02-13T17:30:00+08:00), not %q", *from))
		}
	}
	c, code := readCalendar(*file, name, std)
	if c == nil {
		return code
	}
	due, provisional := c.AddWorkingDays(start, *n)
	text := due.Format(time.DateOnly)
	if provisional {
		text += " provisional"
	}
	fmt.Fprintln(std.Out, text)
	return 0
}

// readCalendar reads a calendar file; when it is nil, what is wrong was printed,
// faults of the file in the form FILE:LINE: TEXT.
func readCalendar(file, name string, std stdio) (c *calendar.Calendar, code int) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fail(std, name, err)
	}
	defer f.Close()
	c, err = calendar.Parse(file, f)
	if faults, ok := errors.AsType[*calendar.FaultsError](err); ok {
		fmt.Fprintln(std.Err, faults)
		return nil, 1
	}
	if err != nil {
		return nil, fail(std, name, err)
	}
	return c, 0
}

func cmdCalendarCheck(args []string, std stdio) int {
	fs := newFlags(std, "calendar check", "", "", "")
	fs.Usage = func() { fmt.Fprint(fs.Output(), calendarHelp) }
	if code, done := parse(fs, args, std, 1); done {
		return code
	}
	const name = "calendar check"
	if fs.NArg() == 0 {
		return fail(std, name, errNeed("FILE", "the calendar to check"))
	}
	c, code := readCalendar(fs.Arg(0), name, std)
	if c == nil {
		return code
	}
	off, work := c.Counts()
	fmt.Fprintf(std.Out, "%s: years %s; days off %d, worked %d; hours %s\n", fs.Arg(0), yearsText(c.Years()), off, work, c.Hours())
	return 0
}

// yearsText lists years in order, those known in part with ?.
func yearsText(complete, partial []int) string {
	var all []string
	for _, y := range complete {
		all = append(all, strconv.Itoa(y))
	}
	for _, y := range partial {
		all = append(all, strconv.Itoa(y)+"?")
	}
	slices.Sort(all)
	return strings.Join(all, ",")
}

func cmdCalendarList(args []string, std stdio) int {
	fs := newFlags(std, "calendar list", "", "", "")
	fs.Usage = func() { fmt.Fprint(fs.Output(), calendarHelp) }
	data := fs.String("data", "", "")
	file := fs.String("config", "", "")
	if code, done := parse(fs, args, std, 0); done {
		return code
	}
	const name = "calendar list"
	if *data == "" {
		return fail(std, name, errNeed("--data DIR", "the folder of the server"))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	list, err := app.Calendars(ctx, app.Options{ConfigFile: *file, Env: os.Environ(), Flags: map[string]string{"data": *data}})
	if err != nil {
		return fail(std, name, err)
	}
	w := tabwriter.NewWriter(std.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "area\tyears\toff\tworked\thours\tfrom")
	for _, c := range list {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%s\n", c.Area, yearsText(c.Complete, c.Partial), c.Off, c.Work, c.Hours, c.From)
	}
	return flushed(w, std, name)
}
