package main

import (
	"fmt"
	"os"
	"time"

	"plateau/internal/telemetry/lead"
)

func cmdLeads(args []string, std stdio) int {
	fs := newFlags(std, "leads", "leads rate --data FOLDER",
		`How often the detectors of leads find something in real series that, as far as is known, nobody
tampered with. FOLDER holds cems, wastewater and surface-water; none of it is part of the program.
Writes CSV: detector, series, windows it could look at, windows it found something in.`,
		"plateau leads rate --data FOLDER")
	data := fs.String("data", "", "folder with the real series")
	on := fs.String("on", time.Now().Format(time.DateOnly), "day of the measurement as YYYY-MM-DD")
	act := ""
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		act, args = args[0], args[1:]
	}
	if code, done := parse(fs, args, std, 0); done {
		return code
	}
	if act != "rate" {
		fmt.Fprintln(std.Err, "plateau leads: say what to do: rate")
		return 2
	}
	if *data == "" {
		return fail(std, "leads rate", errNeed("--data FOLDER", "the folder with the real series"))
	}
	book, err := lead.NewRulebook(nil)
	if err != nil {
		return fail(std, "leads rate", err)
	}
	list, err := lead.Measure(book, os.DirFS(*data), *on)
	if err != nil {
		return fail(std, "leads rate", err)
	}
	if err := lead.WriteRates(std.Out, list); err != nil {
		return fail(std, "leads rate", err)
	}
	return 0
}
