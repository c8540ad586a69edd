package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"plateau/hj212"
	"plateau/internal/telemetry/ruleeval"
	"plateau/rules"
)

const rulesHelp = `Usage: plateau rules eval|list|show|diff|check …

  rules eval [--date DAY]            apply rules to inputs from standard input
  rules list [--date DAY]            list the rules in force on a day
  rules show ID [--date DAY]         show a rule: dates, source, parameters
  rules diff ID [A B]                what two versions have differently (default the last two)
  rules check DIR                    check rule files, as docs/rules.md describes them

DAY is YYYY-MM-DD, Beijing time; default today.

rules eval takes one JSON object a line with id, rule and input, and prints one
for each: {"id":…,"result":{…}}, or {"id":…,"error":"…"} with what does not fit
and what is expected. Further fields of a line are passed over, empty lines have
no answer. The exit code is 1 when a line could not be answered; the others are.

rules check names file, line and remedy of every fault, and runs the worked
cases; the exit code is 1 when something is wrong. What DIR lacks is taken from
the rules of the program, so that one new file can be checked alone.

Example:

  echo '{"id":"1","rule":"cems.fold_o2","input":{"conc":28,"o2_pct":8.5,"ref_o2_pct":6}}' | plateau rules eval
`

func cmdRules(args []string, std stdio) int {
	if len(args) > 0 && (args[0] == "-h" || args[0] == "--help" || args[0] == "-help") {
		fmt.Fprint(std.Out, rulesHelp)
		return 0
	}
	commands := map[string]func([]string, stdio) int{
		"eval": cmdRulesEval, "list": cmdRulesList, "show": cmdRulesShow, "diff": cmdRulesDiff, "check": cmdRulesCheck,
	}
	if len(args) == 0 || commands[args[0]] == nil {
		fmt.Fprint(std.Err, "plateau rules: say what to do: eval, list, show, diff or check\n\n"+rulesHelp)
		return 2
	}
	return commands[args[0]](args[1:], std)
}

// ruleArgs reads the flags of a command about rules and the day it is asked for;
// flags may stand after the words too.
func ruleArgs(name string, args []string, std stdio, minWords, maxWords int, dated bool) (words []string, date string, code int, done bool) {
	fs := newFlags(std, "rules "+name, "", "", "")
	fs.Usage = func() { fmt.Fprint(fs.Output(), rulesHelp) }
	if dated {
		fs.StringVar(&date, "date", "", "")
	}
	for len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		words, args = append(words, args[0]), args[1:]
	}
	if code, done = parse(fs, args, std, max(0, maxWords-len(words))); done {
		return nil, "", code, true
	}
	words = append(words, fs.Args()...)
	if len(words) > maxWords {
		fmt.Fprintf(std.Err, "plateau rules %s: unexpected %q; see plateau rules --help\n", name, words[maxWords])
		return nil, "", 2, true
	}
	if len(words) < minWords {
		fmt.Fprintf(std.Err, "plateau rules %s: something is missing; see plateau rules --help\n", name)
		return nil, "", 2, true
	}
	if date == "" {
		date = time.Now().In(hj212.Zone).Format(time.DateOnly)
	} else if _, err := time.Parse(time.DateOnly, date); err != nil {
		fmt.Fprintf(std.Err, "plateau rules %s: --date wants a day as YYYY-MM-DD, not %q\n", name, date)
		return nil, "", 2, true
	}
	return words, date, 0, false
}

func cmdRulesEval(args []string, std stdio) int {
	_, date, code, done := ruleArgs("eval", args, std, 0, 0, true)
	if done {
		return code
	}
	e, err := ruleeval.New(rules.Default(), date)
	if err != nil {
		return fail(std, "rules eval", fmt.Errorf("rules in force on %s: %w", date, err))
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

func cmdRulesList(args []string, std stdio) int {
	_, date, code, done := ruleArgs("list", args, std, 0, 0, true)
	if done {
		return code
	}
	set := rules.Default()
	w := tabwriter.NewWriter(std.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RULE\tVERSION\tFROM\tCHANGES ON\tHOW SURE\tTITLE")
	for _, id := range set.IDs() {
		if r, ok := set.InForce(id, date); ok {
			fmt.Fprintf(w, "%s\tv%d\t%s\t%s\t%s\t%s\n", id, r.Version, r.EffectiveFrom, cmp.Or(set.NextChange(id, date), "-"), r.Certainty, r.Title["en"])
		}
	}
	return flushed(w, std, "rules list")
}

func flushed(w *tabwriter.Writer, std stdio, name string) int {
	if err := w.Flush(); err != nil {
		return fail(std, name, err)
	}
	return 0
}

func cmdRulesShow(args []string, std stdio) int {
	words, date, code, done := ruleArgs("show", args, std, 1, 1, true)
	if done {
		return code
	}
	set, id := rules.Default(), words[0]
	if len(set.Versions(id)) == 0 {
		return fail(std, "rules show", fmt.Errorf("no rule %q; plateau rules list names them", id))
	}
	r, ok := set.InForce(id, date)
	if !ok {
		return fail(std, "rules show", fmt.Errorf("%s is not in force on %s; its first version is from %s", id, date, set.Versions(id)[0].EffectiveFrom))
	}
	w := tabwriter.NewWriter(std.Out, 0, 0, 2, ' ', 0)
	for _, line := range [][2]string{
		{"rule", id},
		{"title", r.Title["en"]},
		{"version", strconv.Itoa(r.Version)},
		{"effective_from", r.EffectiveFrom},
		{"effective_to", cmp.Or(r.EffectiveTo, "-")},
		{"changes on", cmp.Or(set.NextChange(id, date), "-")},
		{"certainty", r.Certainty},
		{"source", r.Source},
		{"hash", r.Hash},
	} {
		fmt.Fprintf(w, "%s\t%s\n", line[0], line[1])
	}
	fmt.Fprintln(w)
	for _, v := range r.Values() {
		p := set.Shape(id).Params[v.Keys[0]]
		fmt.Fprintf(w, "%s\t%s %s\t%s\n", v.Path(), v.Text(), p.Unit, p.En)
	}
	return flushed(w, std, "rules show")
}

func cmdRulesDiff(args []string, std stdio) int {
	words, _, code, done := ruleArgs("diff", args, std, 1, 3, false)
	if done {
		return code
	}
	versions := rules.Default().Versions(words[0])
	if len(versions) == 0 {
		return fail(std, "rules diff", fmt.Errorf("no rule %q; plateau rules list names them", words[0]))
	}
	pair := [2]*rules.Rule{versions[max(len(versions)-2, 0)], versions[len(versions)-1]}
	for i, word := range words[1:] {
		pair[i] = nil
		for _, r := range versions {
			if strconv.Itoa(r.Version) == word {
				pair[i] = r
			}
		}
		if pair[i] == nil {
			return fail(std, "rules diff", fmt.Errorf("%s has no version %q", words[0], word))
		}
	}
	w := tabwriter.NewWriter(std.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "PARAMETER\tv%d from %s\tv%d from %s\n", pair[0].Version, pair[0].EffectiveFrom, pair[1].Version, pair[1].EffectiveFrom)
	for _, d := range rules.Diff(pair[0], pair[1]) {
		side := func(v *rules.Value) string {
			if v == nil {
				return "-"
			}
			return v.Text()
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", strings.Join(d.Keys, "/"), side(d.From), side(d.To))
	}
	return flushed(w, std, "rules diff")
}

func cmdRulesCheck(args []string, std stdio) int {
	words, _, code, done := ruleArgs("check", args, std, 1, 1, false)
	if done {
		return code
	}
	if info, err := os.Stat(words[0]); err != nil || !info.IsDir() {
		return fail(std, "rules check", fmt.Errorf("%s is no folder; name the one that holds the rule files", words[0]))
	}
	folder := os.DirFS(words[0])
	faults, err := rules.Check(folder)
	if err != nil {
		return fail(std, "rules check", err)
	}
	for _, f := range faults {
		fmt.Fprintln(std.Out, f)
	}
	if len(faults) > 0 {
		return fail(std, "rules check", fmt.Errorf("faults found: %d", len(faults)))
	}
	set, cases, err := rules.LoadOver(folder)
	if err != nil {
		return fail(std, "rules check", err)
	}
	bad := 0
	evaluators := map[string]*ruleeval.Evaluator{}
	for _, c := range cases {
		date := cmp.Or(c.Date, time.Now().In(hj212.Zone).Format(time.DateOnly))
		if evaluators[date] == nil {
			if evaluators[date], err = ruleeval.New(set, date); err != nil {
				return fail(std, "rules check", fmt.Errorf("rules in force on %s: %w", date, err))
			}
		}
		result, ok, err := evaluators[date].Try(c)
		if err != nil {
			result = []byte(err.Error())
		}
		if !ok {
			bad++
			fmt.Fprintf(std.Out, "case %s of %s gives %s\n", c.ID, c.Rule, result)
		}
	}
	if bad > 0 {
		return fail(std, "rules check", fmt.Errorf("%d of %d worked cases give something else than expected", bad, len(cases)))
	}
	fmt.Fprintf(std.Out, "%d rules and %d limits are well formed, %d worked cases agree\n", len(set.IDs()), len(set.Limits().All()), len(cases))
	return 0
}
