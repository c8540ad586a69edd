package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"
	"time"

	"plateau/internal/app"
)

const relayHelp = `Usage: plateau relay list|test NAME --data DIR

Platforms that received frames go on to (docs/relay.md), as the running server
knows them; they are set on the page "Relay".

  relay list        how each does: frames waiting, for how long, refused ones
  relay test NAME   make one connection to the platform with a name or id, with TLS
                    where that is set, and send nothing

Flags: --data DIR, the data folder of the server; --config FILE, its configuration
file, where the folder is named there.

Example:

  plateau relay list --data /var/lib/plateau
`

func cmdRelay(args []string, std stdio) int {
	for _, a := range args {
		if a == "-h" || a == "--help" || a == "-help" {
			fmt.Fprint(std.Out, relayHelp)
			return 0
		}
	}
	if len(args) == 0 || args[0] != "list" && args[0] != "test" {
		fmt.Fprintf(std.Err, "plateau relay: say what to do: list or test\n\n%s", relayHelp)
		return 2
	}
	fs := flag.NewFlagSet("relay "+args[0], flag.ContinueOnError)
	fs.SetOutput(std.Err)
	fs.Usage = func() { fmt.Fprint(std.Err, relayHelp) }
	data, file := fs.String("data", "", ""), fs.String("config", "", "")
	order := app.RelayOrder{Act: args[0]}
	name, code, done := positional(fs, args[1:], std)
	switch {
	case done:
		return code
	case order.Act == "list" && name != "":
		fmt.Fprintf(std.Err, "plateau relay list: unexpected %q; see plateau relay --help\n", name)
		return 2
	case order.Act == "test" && name == "":
		return fail(std, fs.Name(), errNeed("NAME", "the platform to be reached"))
	case *data == "":
		return fail(std, fs.Name(), errNeed("--data DIR", "the folder of the server"))
	}
	order.Name = name
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	out, err := app.Relay(ctx, app.Options{ConfigFile: *file, Env: os.Environ(), Flags: map[string]string{"data": *data}}, order)
	if err != nil {
		return fail(std, fs.Name(), err)
	}
	if order.Act == "test" {
		fmt.Fprintf(std.Out, "reached in %s\n", out.Took.Round(time.Millisecond))
		return 0
	}
	w := tabwriter.NewWriter(std.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "name\taddress\tstate\twaiting\tfor\tacknowledged\trefused\tlast acknowledgement\tfault")
	for i := range out.List {
		l := &out.List[i]
		last := "-"
		if !l.LastAck.IsZero() {
			last = l.LastAck.Local().Format(time.DateTime)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%d\t%d\t%s\t%s\n", l.Name, l.Address, l.State, l.Waiting, l.Lag, l.Acked, l.Kept, last, cmp.Or(l.Fault, "-"))
	}
	_ = w.Flush()
	return 0
}
