package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"

	"plateau/internal/app"
	"plateau/internal/doctor"
)

func cmdDoctor(args []string, std stdio) int {
	fs := newFlags(std, "doctor", "doctor --data DIR [--config FILE] [--chains] [--json]",
		`Looks at an installation, running or not, and says what is in order and what is not, each
with its remedy: configuration, data folder, room, server, clock, database, accounts, https,
addresses, backups, archive. It changes nothing. Run it as the user who runs the server, with
the same configuration. Exit code 0 means that no fault was found (there may be warnings).
plateau verify proves what the folder holds; this does not.`,
		"plateau doctor --config /etc/plateau.toml --data /var/lib/plateau")
	data := fs.String("data", "", "data folder of the server, where the configuration does not name it")
	file := fs.String("config", "", "the server's configuration file")
	chains := fs.Bool("chains", false, "prove the record of acts as well")
	asJSON := fs.Bool("json", false, "one JSON object a check")
	if code, done := parse(fs, args, std, 0); done {
		return code
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o := app.Options{ConfigFile: *file, Env: os.Environ(), Version: version, Flags: map[string]string{}}
	if *data != "" {
		o.Flags["data"] = *data
	}
	found, err := app.Doctor(ctx, o, *chains)
	if err != nil {
		return fail(std, "doctor", err)
	}
	if *asJSON {
		enc := json.NewEncoder(std.Out)
		for _, f := range found {
			if err := enc.Encode(f); err != nil {
				return fail(std, "doctor", err)
			}
		}
	} else if err := printFindings(std, found); err != nil {
		return fail(std, "doctor", err)
	}
	for _, f := range found {
		if f.State == doctor.Fault {
			return 1
		}
	}
	return 0
}

func printFindings(std stdio, found []doctor.Finding) error {
	w := tabwriter.NewWriter(std.Out, 0, 0, 2, ' ', 0)
	n := map[doctor.State]int{}
	for _, f := range found {
		n[f.State]++
		fmt.Fprintf(w, "%s\t%s\t%s\n", f.State, f.Check, f.Found)
		if f.Remedy != "" {
			fmt.Fprintf(w, "\t\t→ %s\n", f.Remedy)
		}
	}
	fmt.Fprintf(w, "\nin order: %d, warnings: %d, faults: %d\n", n[doctor.OK], n[doctor.Warning], n[doctor.Fault])
	return w.Flush()
}
