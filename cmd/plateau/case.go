package main

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"plateau/hj212"
	"plateau/internal/platform/casework"
)

const caseHelp = `Usage: plateau case check|types|diff …

  case check FILE…           check files of case types, as docs/case-types.md describes them
  case types [--date DAY]    list the case types in force on a day
  case diff OLD NEW          what one file of a case type has otherwise than another

DAY is YYYY-MM-DD, Beijing time; default today.

case check names file, line and remedy of every fault on standard output; the
exit code is 1 when something is wrong. A file that is in order has one line.

case diff tells what is gone first: an open case that stands in a state that is
gone needs a state of the new version. Words in the three languages are passed
over.

Example:

  plateau case check casetypes/river_case.1.yaml
`

func cmdCase(args []string, std stdio) int {
	if len(args) > 0 && (args[0] == "-h" || args[0] == "--help" || args[0] == "-help") {
		fmt.Fprint(std.Out, caseHelp)
		return 0
	}
	commands := map[string]func([]string, stdio) int{"check": cmdCaseCheck, "types": cmdCaseTypes, "diff": cmdCaseDiff}
	if len(args) == 0 || commands[args[0]] == nil {
		fmt.Fprint(std.Err, "plateau case: say what to do: check, types or diff\n\n"+caseHelp)
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
	if code, done := parse(fs, args, std, 0); done {
		return code
	}
	if *date == "" {
		*date = time.Now().In(hj212.Zone).Format(time.DateOnly)
	} else if _, err := time.Parse(time.DateOnly, *date); err != nil {
		fmt.Fprintf(std.Err, "plateau case types: --date wants a day as YYYY-MM-DD, not %q\n", *date)
		return 2
	}
	w := tabwriter.NewWriter(std.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KIND\tVERSION\tFROM\tTO\tSYSTEM\tSTATES\tACTIONS\tNAME")
	for _, kind := range casework.Default().Kinds() {
		if x, ok := casework.Default().InForce(kind, *date); ok {
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
