package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"
	"time"

	"plateau/internal/app"
)

const userHelp = `Usage: plateau user list|add|disable|enable|link|remove-factor --data DIR …

  user list                           accounts with role, post and second factor
  user add LOGIN --role ROLE --post POST [--area CODE] [--enterprise ID]
                                      an account, and the link by which its owner sets a password;
                                      the role is a kind of account of the policy, which the page
                                      "Who may do what" explains; without --area it reaches all areas;
                                      one of a service, such as platform, gets no link but a key
                                      (plateau token key)
  user disable LOGIN                  close an account; its sessions and tokens end at once
  user enable LOGIN                   open it again
  user link LOGIN                     a new link that sets the password, good for a day and for once
  user remove-factor LOGIN            take lost second factors away: codes, recovery codes, passkeys

The server may be running or not: a running one does it itself. Give a link only
to whom the account belongs; who opens it first sets the password.

Flags: --data DIR, the data folder of the server; --config FILE, its configuration
file, where the database or the address is named there.

Example:

  plateau user add duty1 --role officer --post 值班员 --area 540100 --data /var/lib/plateau
`

const tokenHelp = `Usage: plateau token list|make|key|revoke --data DIR …

  token list [LOGIN]                  valid tokens and keys, of one account where it is named
  token make LOGIN --label TEXT [--days N] [--only WORDS]
                                      a token with which a program may do what the account may, or
                                      of that only what WORDS name: "read", a system (telemetry) or
                                      permissions (telemetry.view,telemetry.alarms), with commas;
                                      it is printed once (default 90 days, at most a year)
  token key LOGIN --file FILE --label TEXT [--days N] [--only WORDS]
                                      let a service ask with a key of its own at services.addr: FILE is
                                      its certificate or its public key in PEM, never the private one;
                                      good as long as the certificate, at most a year. Several keys may
                                      be good at once, so that a new one can take over
  token revoke ID                     end a token or a key at once

The server may be running or not: a running one does it itself.

Flags: --data DIR, the data folder of the server; --config FILE, its configuration
file, where the database is named there.

Example:

  plateau token make admin --label export --days 30 --data /var/lib/plateau
  plateau token key province --file province.crt --label "key of 2026" --data /var/lib/plateau
`

// accountFlags are what commands about accounts take.
type accountFlags struct {
	data, file string
	key        string // file of it
	order      app.AccountsOrder
}

func cmdUser(args []string, std stdio) int {
	acts := map[string]string{"list": "list", "add": "add", "disable": "disable", "enable": "enable", "link": "link", "remove-factor": "remove-factor"}
	return cmdAccounts("user", userHelp, "list, add, disable, enable, link or remove-factor", acts, args, std)
}

func cmdToken(args []string, std stdio) int {
	acts := map[string]string{"list": "tokens", "make": "make-token", "key": "add-key", "revoke": "revoke-token"}
	return cmdAccounts("token", tokenHelp, "list, make, key or revoke", acts, args, std)
}

func cmdAccounts(name, help, choices string, acts map[string]string, args []string, std stdio) int {
	for _, a := range args {
		if a == "-h" || a == "--help" || a == "-help" {
			fmt.Fprint(std.Out, help)
			return 0
		}
	}
	if len(args) == 0 || acts[args[0]] == "" {
		fmt.Fprintf(std.Err, "plateau %s: say what to do: %s\n\n%s", name, choices, help)
		return 2
	}
	verb := args[0]
	var f accountFlags
	f.order.Act = acts[verb]
	fs := flag.NewFlagSet(name+" "+verb, flag.ContinueOnError)
	fs.SetOutput(std.Err)
	fs.Usage = func() { fmt.Fprint(std.Err, help) }
	fs.StringVar(&f.data, "data", "", "")
	fs.StringVar(&f.file, "config", "", "")
	switch f.order.Act {
	case "add":
		fs.StringVar(&f.order.Role, "role", "", "")
		fs.StringVar(&f.order.Post, "post", "", "")
		fs.StringVar(&f.order.Enterprise, "enterprise", "", "")
		fs.StringVar(&f.order.Area, "area", "", "")
	case "make-token":
		fs.StringVar(&f.order.Label, "label", "", "")
		fs.IntVar(&f.order.Days, "days", 90, "")
		fs.StringVar(&f.order.Only, "only", "", "")
	case "add-key":
		fs.StringVar(&f.key, "file", "", "")
		fs.StringVar(&f.order.Label, "label", "", "")
		fs.IntVar(&f.order.Days, "days", 0, "")
		fs.StringVar(&f.order.Only, "only", "", "")
	}
	about, code, done := positional(fs, args[1:], std)
	if done {
		return code
	}
	f.order.Login = about
	need := "LOGIN"
	switch f.order.Act {
	case "list":
		if about != "" {
			fmt.Fprintf(std.Err, "plateau %s %s: unexpected %q; see plateau %s --help\n", name, verb, about, name)
			return 2
		}
		need = ""
	case "tokens":
		need = ""
	case "revoke-token":
		f.order.Login, f.order.ID, need = "", about, "ID"
	}
	switch {
	case need != "" && about == "":
		return fail(std, fs.Name(), errNeed(need, "see plateau "+name+" --help"))
	case f.data == "":
		return fail(std, fs.Name(), errNeed("--data DIR", "the folder of the server"))
	case f.order.Act == "add-key" && f.key == "":
		return fail(std, fs.Name(), errNeed("--file FILE", "the service's certificate or public key, in PEM"))
	}
	if f.key != "" {
		text, err := readKey(f.key)
		if err != nil {
			return fail(std, fs.Name(), err)
		}
		f.order.Key = text
	}
	return f.run(fs.Name(), std)
}

func (f *accountFlags) run(name string, std stdio) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	out, err := app.Accounts(ctx, app.Options{ConfigFile: f.file, Env: os.Environ(), Flags: map[string]string{"data": f.data}}, f.order)
	if err != nil {
		return fail(std, name, err)
	}
	w := tabwriter.NewWriter(std.Out, 0, 0, 2, ' ', 0)
	defer func() { _ = w.Flush() }()
	switch f.order.Act {
	case "list":
		fmt.Fprintln(w, "login\trole\tpost\tarea\tenterprise\tsecond factor\tstate\tid")
		for _, u := range out.Users {
			factor, state := "no", "open"
			if u.Factor {
				factor = "yes"
			}
			if u.Disabled {
				state = "disabled"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", u.Login, u.Role, u.Post.Zh, cmp.Or(u.Area, "all"), cmp.Or(u.Enterprise, "-"), factor, state, u.ID)
		}
	case "tokens":
		fmt.Fprintln(w, "id\tlogin\tpurpose\tonly\tuntil\tlast used\tkey")
		for _, t := range out.Tokens {
			until, used := "-", "never"
			if !t.Expires.IsZero() {
				until = t.Expires.Format(time.RFC3339)
			}
			if !t.Used.IsZero() {
				used = t.Used.Format(time.RFC3339)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.Login, t.Label, cmp.Or(string(t.Only), "all"), until, used, cmp.Or(t.Key, "-"))
		}
	case "add", "link":
		if out.Link == "" {
			fmt.Fprintf(w, "ok: a service; give it a key with plateau token key %s\n", f.order.Login)
			break
		}
		fmt.Fprintf(w, "link: %s\n", out.Link)
	case "add-key":
		fmt.Fprintf(w, "key: %s\n", out.ID)
	case "make-token":
		fmt.Fprintf(w, "token: %s\n", out.Token)
	default:
		fmt.Fprintln(w, "ok")
	}
	return 0
}

// maxKey bounds the file of a key; a certificate chain is some kilobytes.
const maxKey = 64 << 10

func readKey(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKey+1))
	if err == nil && len(text) > maxKey {
		err = fmt.Errorf("%s is too large for a certificate or a public key in PEM", name)
	}
	return string(text), err
}
