package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"plateau/internal/app"
	"plateau/internal/platform/notify"
)

const notifyHelp = `Usage: plateau notify test --to ACCOUNT [--channel CHANNEL] --data DIR

  notify test   send a test to an account at once, and tell how it went

CHANNEL is mail (default), sms, webhook or page; but for the page the account has
to have a confirmed address for it. The test stands among the deliveries, too.

The server may be running or not: a running one does it itself.

Flags: --data DIR, the data folder of the server; --config FILE, its configuration
file, where mail server or gateway are named there.

Example:

  plateau notify test --to admin --channel mail --data /var/lib/plateau
`

func cmdNotify(args []string, std stdio) int {
	for _, a := range args {
		if a == "-h" || a == "--help" || a == "-help" {
			fmt.Fprint(std.Out, notifyHelp)
			return 0
		}
	}
	if len(args) == 0 || args[0] != "test" {
		fmt.Fprintf(std.Err, "plateau notify: say what to do: test\n\n%s", notifyHelp)
		return 2
	}
	fs := flag.NewFlagSet("notify test", flag.ContinueOnError)
	fs.SetOutput(std.Err)
	fs.Usage = func() { fmt.Fprint(std.Err, notifyHelp) }
	var data, file string
	var order app.NotifyOrder
	fs.StringVar(&data, "data", "", "")
	fs.StringVar(&file, "config", "", "")
	fs.StringVar(&order.To, "to", "", "")
	fs.StringVar(&order.Channel, "channel", string(notify.Mail), "")
	about, code, done := positional(fs, args[1:], std)
	switch {
	case done:
		return code
	case about != "":
		fmt.Fprintf(std.Err, "plateau notify test: unexpected %q; see plateau notify --help\n", about)
		return 2
	case order.To == "":
		return fail(std, fs.Name(), errNeed("--to ACCOUNT", "whom to send the test"))
	case data == "":
		return fail(std, fs.Name(), errNeed("--data DIR", "the folder of the server"))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	d, err := app.NotifyTest(ctx, app.Options{ConfigFile: file, Env: os.Environ(), Flags: map[string]string{"data": data}}, order)
	if err != nil {
		return fail(std, fs.Name(), err)
	}
	switch d.State {
	case notify.Sent:
		fmt.Fprintf(std.Out, "sent: %s\n", d.ID)
		return 0
	case notify.Waiting:
		fmt.Fprintf(std.Err, "not sent yet, it is tried again while the server runs: %s\n", d.Fault)
	default:
		fmt.Fprintf(std.Err, "not sent: %s\n", d.Fault)
	}
	return 1
}
