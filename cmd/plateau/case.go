package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"plateau/hj212"
	"plateau/internal/app"
	"plateau/internal/platform/casework"
)

const caseHelp = `Usage: plateau case check|types|diff|preview|move …

  case check FILE…           check files of case types, as docs/case-types.md describes them
  case types [--date DAY] [--data DIR]
                             list the case types in force on a day: those of the program,
                             with DIR also those in its folder casetypes
  case diff OLD NEW          what one file of a case type has otherwise than another
  case preview --data DIR --from N [--state OLD=NEW]… FILE
                             what would become of the open cases of version N with FILE
  case move --data DIR --kind KIND --from N --to M [--state OLD=NEW]…
                             let the open cases of version N go on with version M

DAY is YYYY-MM-DD, Beijing time; default today. With a configuration file, preview
and move take --config FILE.

case check names file, line and remedy of every fault on standard output; the
exit code is 1 when something is wrong. A file that is in order has one line.

case diff tells what is gone first: an open case that stands in a state that is
gone needs a state of the new version. Words in the three languages are passed
over.

Cases stay on the version they were opened with until they are moved. preview shows
by state how many there are, where they would go on, which deadlines would end and
begin; it changes nothing, and its exit code is 1 when some could not go on. move
does it, all or none, with an event in the history of each.

Example:

  plateau case check casetypes/river_case.1.yaml
`

func cmdCase(args []string, std stdio) int {
	if len(args) > 0 && (args[0] == "-h" || args[0] == "--help" || args[0] == "-help") {
		fmt.Fprint(std.Out, caseHelp)
		return 0
	}
	commands := map[string]func([]string, stdio) int{
		"check": cmdCaseCheck, "types": cmdCaseTypes, "diff": cmdCaseDiff, "preview": cmdCasePreview, "move": cmdCaseMove,
	}
	if len(args) == 0 || commands[args[0]] == nil {
		fmt.Fprint(std.Err, "plateau case: say what to do: check, types, diff, preview or move\n\n"+caseHelp)
		return 2
	}
	return commands[args[0]](args[1:], std)
}

// caseArgs reads the files that a command about case types names.
func caseArgs(name string, args []string, std stdio, least, most int) (files []string, code int, done bool) {
	fs := newFlags(std, "case "+name, "", "", "")
	fs.Usage = func() { fmt.Fprint(fs.Output(), caseHelp) }
	if code, done = parse(fs, args, std, most); done {
		return nil, code, true
	}
	if fs.NArg() < least {
		fmt.Fprintf(std.Err, "plateau case %s: a file is missing; see plateau case --help\n", name)
		return nil, 2, true
	}
	return fs.Args(), 0, false
}

// readCaseType reads a file and prints what is wrong with it; nil when something is.
func readCaseType(name, file string, std stdio) (x *casework.Type, faults int) {
	text, err := os.ReadFile(file)
	if err != nil {
		fail(std, name, err)
		return nil, 1
	}
	x, list := casework.Parse(file, text)
	for _, f := range list {
		fmt.Fprintln(std.Out, f)
	}
	return x, len(list)
}

func cmdCaseCheck(args []string, std stdio) int {
	files, code, done := caseArgs("check", args, std, 1, len(args))
	if done {
		return code
	}
	faults := 0
	for _, file := range files {
		x, n := readCaseType("case check", file, std)
		if faults += n; x != nil {
			fmt.Fprintf(std.Out, "%s: ok: kind %s version %d, %d states, %d actions\n", file, x.Kind, x.Version, len(x.States), len(x.Actions))
		}
	}
	if faults > 0 {
		return fail(std, "case check", fmt.Errorf("faults found: %d", faults))
	}
	return 0
}

func cmdCaseTypes(args []string, std stdio) int {
	fs := newFlags(std, "case types", "", "", "")
	fs.Usage = func() { fmt.Fprint(fs.Output(), caseHelp) }
	date := fs.String("date", "", "")
	data := fs.String("data", "", "")
	if code, done := parse(fs, args, std, 0); done {
		return code
	}
	types := casework.Default()
	if *data != "" {
		var err error
		if types, err = app.CaseTypes(app.Options{Env: os.Environ(), Flags: map[string]string{"data": *data}}); err != nil {
			return fail(std, "case types", err)
		}
	}
	if *date == "" {
		*date = time.Now().In(hj212.Zone).Format(time.DateOnly)
	} else if _, err := time.Parse(time.DateOnly, *date); err != nil {
		fmt.Fprintf(std.Err, "plateau case types: --date wants a day as YYYY-MM-DD, not %q\n", *date)
		return 2
	}
	w := tabwriter.NewWriter(std.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KIND\tVERSION\tFROM\tTO\tSYSTEM\tSTATES\tACTIONS\tNAME")
	for _, kind := range types.Kinds() {
		if x, ok := types.InForce(kind, *date); ok {
			fmt.Fprintf(w, "%s\tv%d\t%s\t%s\t%s\t%d\t%d\t%s\n", kind, x.Version, cmp.Or(x.From, "-"), cmp.Or(x.To, "-"), x.System, len(x.States), len(x.Actions), cmp.Or(x.Name.En, x.Name.Zh))
		}
	}
	return flushed(w, std, "case types")
}

func cmdCaseDiff(args []string, std stdio) int {
	files, code, done := caseArgs("diff", args, std, 2, 2)
	if done {
		return code
	}
	before, faults := readCaseType("case diff", files[0], std)
	next, more := readCaseType("case diff", files[1], std)
	if before == nil || next == nil {
		return fail(std, "case diff", fmt.Errorf("faults found: %d", faults+more))
	}
	if before.Kind != next.Kind {
		return fail(std, "case diff", fmt.Errorf("%s holds kind %s and %s kind %s; name two versions of one kind", files[0], before.Kind, files[1], next.Kind))
	}
	for _, c := range casework.Diff(before, next) {
		switch {
		case c.New == "" && strings.HasPrefix(c.What, "state "):
			fmt.Fprintf(std.Out, "gone: %s (%s); open cases in it need another one\n", c.What, c.Old)
		case c.New == "":
			fmt.Fprintf(std.Out, "gone: %s (%s)\n", c.What, c.Old)
		case c.Old == "":
			fmt.Fprintf(std.Out, "new: %s (%s)\n", c.What, c.New)
		default:
			fmt.Fprintf(std.Out, "changed: %s\n  was %s\n  is  %s\n", c.What, c.Old, c.New)
		}
	}
	return 0
}

// moveFlags are those of commands that move cases.
type moveFlags struct {
	order   app.MoveOrder
	options app.Options
}

func readMove(name string, args []string, std stdio, most int) (m moveFlags, rest []string, code int, done bool) {
	fs := newFlags(std, "case "+name, "", "", "")
	fs.Usage = func() { fmt.Fprint(fs.Output(), caseHelp) }
	data, file := fs.String("data", "", ""), fs.String("config", "", "")
	m.order.States = map[string]string{}
	fs.StringVar(&m.order.Kind, "kind", "", "")
	fs.IntVar(&m.order.From, "from", 0, "")
	fs.IntVar(&m.order.To, "to", 0, "")
	fs.Func("state", "", func(s string) error {
		from, to, ok := strings.Cut(s, "=")
		if !ok || from == "" || to == "" {
			return errors.New("write OLD=NEW")
		}
		m.order.States[from] = to
		return nil
	})
	if code, done = parse(fs, args, std, most); done {
		return m, nil, code, true
	}
	if *data == "" {
		return m, nil, fail(std, "case "+name, errNeed("--data DIR", "the folder of the server")), true
	}
	if m.order.From == 0 {
		return m, nil, fail(std, "case "+name, errNeed("--from N", "the version that the cases stand on")), true
	}
	m.options = app.Options{ConfigFile: *file, Env: os.Environ(), Flags: map[string]string{"data": *data}}
	return m, fs.Args(), 0, false
}

func cmdCasePreview(args []string, std stdio) int {
	m, files, code, done := readMove("preview", args, std, 1)
	if done {
		return code
	}
	if len(files) == 0 {
		return fail(std, "case preview", errNeed("FILE", "the new version"))
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		return fail(std, "case preview", err)
	}
	x, faults := readCaseType("case preview", files[0], std)
	if x == nil {
		return fail(std, "case preview", fmt.Errorf("faults found: %d", faults))
	}
	m.order.Kind, m.order.To, m.order.File = x.Kind, 0, string(text)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	out, err := app.PreviewMove(ctx, m.options, m.order)
	if err != nil {
		return fail(std, "case preview", err)
	}
	return printMoved(m.order.From, out, std, "case preview")
}

func cmdCaseMove(args []string, std stdio) int {
	m, _, code, done := readMove("move", args, std, 0)
	if done {
		return code
	}
	if m.order.Kind == "" || m.order.To == 0 {
		return fail(std, "case move", errNeed("--kind KIND and --to M", "where the cases go on"))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	out, err := app.MoveCases(ctx, m.options, m.order)
	if err != nil {
		return fail(std, "case move", err)
	}
	if code := printMoved(m.order.From, out, std, "case move"); code != 0 {
		return code
	}
	fmt.Fprintf(std.Out, "cases moved from version %d to version %d: %d\n", m.order.From, out.To, out.Cases)
	return 0
}

// printMoved shows by state what becomes of cases.
func printMoved(from int, out app.MoveAnswer, std stdio, name string) int {
	if len(out.Moved) == 0 {
		fmt.Fprintf(std.Out, "no open case stands on version %d\n", from)
		return 0
	}
	stuck := 0
	w := tabwriter.NewWriter(std.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "STATE\tCASES\tGOES ON IN\tDEADLINES THAT END\tTHAT BEGIN\tIN THE WAY")
	for _, x := range out.Moved {
		if x.Stuck != "" {
			stuck++
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\n", x.State, x.Cases, cmp.Or(x.To, "-"), cmp.Or(strings.Join(x.Dropped, " "), "-"), cmp.Or(strings.Join(x.Started, " "), "-"), cmp.Or(x.Stuck, "-"))
	}
	if code := flushed(w, std, name); code != 0 {
		return code
	}
	if stuck > 0 {
		return fail(std, name, fmt.Errorf("cases in %d of the states cannot go on; name a state for each with --state OLD=NEW, or give the new version what is missing", stuck))
	}
	return 0
}
