package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"plateau/hj212"
	"plateau/internal/telemetry/ruleeval"
	"plateau/rules"
)

const rulesHelp = `Usage: plateau rules eval [--date YYYY-MM-DD]

Applies rules to inputs from standard input, one JSON object a line with id,
rule and input, and prints one for each: {"id":…,"result":{…}}, or
{"id":…,"error":"…"} with what does not fit and what is expected. Further fields
of a line are passed over, empty lines have no answer. The exit code is 1 when
a line could not be answered; the others are.

Flags:
  --date YYYY-MM-DD  apply the versions in force on this day (default today, Beijing time)

Example:

  echo '{"id":"1","rule":"cems.fold_o2","input":{"conc":28,"o2_pct":8.5,"ref_o2_pct":6}}' | plateau rules eval
`

func cmdRules(args []string, std stdio) int {
	if len(args) > 0 && (args[0] == "-h" || args[0] == "--help" || args[0] == "-help") {
		fmt.Fprint(std.Out, rulesHelp)
		return 0
	}
	if len(args) == 0 || args[0] != "eval" {
		fmt.Fprint(std.Err, "plateau rules: say what to do: eval\n\n"+rulesHelp)
		return 2
	}
	return cmdRulesEval(args[1:], std)
}

func cmdRulesEval(args []string, std stdio) int {
	fs := newFlags(std, "rules eval", "", "", "")
	fs.Usage = func() { fmt.Fprint(fs.Output(), rulesHelp) }
	date := fs.String("date", "", "")
	if code, done := parse(fs, args, std, 0); done {
		return code
	}
	if *date == "" {
		*date = time.Now().In(hj212.Zone).Format(time.DateOnly)
	} else if _, err := time.Parse(time.DateOnly, *date); err != nil {
		fmt.Fprintf(std.Err, "plateau rules eval: --date wants a day as YYYY-MM-DD, not %q\n", *date)
		return 2
	}
	e, err := ruleeval.New(rules.Default(), *date)
	if err != nil {
		return fail(std, "rules eval", fmt.Errorf("rules in force on %s: %w", *date, err))
	}
	out := bufio.NewWriter(std.Out)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	lines, failed := 0, 0
	err = eachLine(std.In, out, func(_ int, line []byte) error {
		if len(bytes.TrimSpace(line)) == 0 {
			return nil
		}
		lines++
		answer, ok := e.Line(line)
		if !ok {
			failed++
		}
		return enc.Encode(answer)
	})
	if lost := out.Flush(); err == nil { // what was answered before a fault is printed too
		err = lost
	}
	switch {
	case err != nil:
		return fail(std, "rules eval", err)
	case failed > 0:
		return fail(std, "rules eval", fmt.Errorf(`%d of %d lines could not be answered; the field "error" of each says why`, failed, lines))
	}
	return 0
}
