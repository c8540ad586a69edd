// Command plateau is the one program of the Plateau project: the server, its
// demonstration, and the tools around HJ 212. See README.md.
package main

import (
	"fmt"
	"io"
	"os"
)

// stdio is what a command reads from and writes to; tests give their own.
type stdio struct {
	In       io.Reader
	Out, Err io.Writer
}

// command is one subcommand: what it does in a line, and its main.
// A main returns the exit code: 0 done, 1 failed, 2 called wrongly.
type command struct {
	name, summary string
	run           func(args []string, std stdio) int
}

func commands() []command {
	return []command{
		{"serve", "run the server", cmdServe},
		{"demo", "run the server with a sample region and simulated loggers", cmdDemo},
		{"simulate", "run loggers that speak HJ 212 to a host", cmdSimulate},
		{"hj212", "decode HJ 212 frames and byte streams", cmdHJ212},
		{"rules", "apply, list, compare and check the rules", cmdRules},
		{"case", "check, list and compare case types", cmdCase},
		{"leads", "measure on real series how often detectors find something", cmdLeads},
		{"verify", "prove what a server that is not running holds: journal and judgement", cmdVerify},
		{"journal", "verify the journal of a server that is not running", cmdJournal},
		{"backup", "copy everything a server keeps, also while it runs", cmdBackup},
		{"restore", "fill a data folder from a backup and prove it", cmdRestore},
		{"archive", "move old groups of the journal into archive files", cmdArchive},
		{"db", "look after the relational database: status, migrations, move to PostgreSQL", cmdDB},
		{"export", "write records and judgement as Parquet files", cmdExport},
		{"user", "list, add and close accounts, reset passwords", cmdUser},
		{"area", "list, import and export administrative divisions", cmdArea},
		{"calendar", "count working days, check and list calendars", cmdCalendar},
		{"role", "who holds and held which post; appoint, end, delegate", cmdRole},
		{"token", "list, make and revoke access tokens", cmdToken},
		{"relay", "how platforms that frames go on to do, and whether they can be reached", cmdRelay},
		{"notify", "send a test of the notifications to an account", cmdNotify},
		{"doctor", "say what is in order in an installation and what is not", cmdDoctor},
		{"config", "check the configuration", cmdConfig},
		{"audit", "who did what: prove the record, list it, erase what is personal", cmdAudit},
		{"bench", "measure this machine", cmdBench},
		{"version", "print the version", cmdVersion},
	}
}

func main() {
	os.Exit(run(os.Args[1:], stdio{os.Stdin, os.Stdout, os.Stderr}))
}

func run(args []string, std stdio) int {
	if len(args) == 0 {
		usage(std.Err)
		return 2
	}
	switch args[0] {
	case "help", "-h", "--help", "-help":
		if len(args) > 1 && args[0] == "help" { // "help serve" is "serve --help"
			return run([]string{args[1], "--help"}, std)
		}
		usage(std.Out)
		return 0
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return c.run(args[1:], std)
		}
	}
	fmt.Fprintf(std.Err, "plateau: no command %q; \"plateau help\" lists them\n", args[0])
	return 2
}

func usage(w io.Writer) {
	fmt.Fprint(w, "Plateau: public-service software for regions with long distances and weak links.\n\nUsage:\n\n  plateau COMMAND [arguments]\n\nCommands:\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-10s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, "\n\"plateau COMMAND --help\" explains one.\n\nExample:\n\n  plateau demo\n")
}
