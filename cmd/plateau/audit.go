package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"plateau/internal/app"
	"plateau/internal/platform/audit"
)

func cmdAudit(args []string, std stdio) int {
	fs := newFlags(std, "audit", "audit verify|list|looks|erase --data DIR [--config FILE] [filters]",
		`Reads the record of who did what: changes of the registry, acknowledged alarms, commands to
loggers, webhooks, shifts, acts on accounts, sign-ins. The server may run.
  verify  computes every hash anew and prints the head of each chain; note the heads
          elsewhere: with them a chain that was cut off at its end can be told. Exit code 0
          means nothing was found
  list    prints entries, newest first; with --json one object a line, for export
  looks   prints for a person without a sign-in who looked at their data: time, post, what,
          why, on whose behalf, for the account --subject; this is recorded, too
  erase   drops address and detail of --entry CHAIN/SEQ for the reason --why; an entry of
          its own says so, and the chain still verifies`,
		"plateau audit list --data /var/lib/plateau --act registry. --from 2026-11-01 --json")
	data := fs.String("data", "", "data folder of the server")
	file := fs.String("config", "", "the server's configuration file, where its database is named there")
	var f audit.Filter
	day := func(to *time.Time) func(string) error {
		return func(s string) (err error) {
			if *to, err = time.ParseInLocation(time.DateOnly, s, time.Local); err != nil {
				return errors.New("a day is wanted as YYYY-MM-DD")
			}
			return nil
		}
	}
	fs.Func("from", "first day (list)", day(&f.From))
	fs.Func("to", "day after the last (list)", day(&f.To))
	fs.StringVar(&f.Who, "who", "", "account id (list)")
	fs.StringVar(&f.Act, "act", "", "act, or with a dot at its end all that begin so (list)")
	fs.StringVar(&f.Kind, "kind", "", "kind of object, such as outlet (list)")
	fs.StringVar(&f.Ref, "ref", "", "id of the object (list)")
	fs.StringVar(&f.Subject, "subject", "", "account whose data was looked at or changed (list, looks)")
	most := fs.Int("most", 50, "entries at the most; 0 = all (list)")
	asJSON := fs.Bool("json", false, "one JSON object a line, all entries (list, looks)")
	entry := fs.String("entry", "", "CHAIN/SEQ as list prints it (erase)")
	why := fs.String("why", "", "the reason, which is kept (erase)")
	what := ""
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		what, args = args[0], args[1:]
	}
	if code, done := parse(fs, args, std, 0); done {
		return code
	}
	if what != "verify" && what != "list" && what != "looks" && what != "erase" {
		fmt.Fprintln(std.Err, "plateau audit: say what to do: verify, list, looks or erase")
		return 2
	}
	if wrong := foreign(fs, what); wrong != "" {
		return fail(std, "audit "+what, fmt.Errorf("--%s does not belong here; see plateau audit --help", wrong))
	}
	if *data == "" {
		return fail(std, "audit "+what, errNeed("--data DIR", "the folder of the server"))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o := app.Options{ConfigFile: *file, Env: os.Environ(), Flags: map[string]string{"data": *data}}
	switch what {
	case "verify":
		return auditVerify(ctx, o, std)
	case "looks":
		if f.Subject == "" {
			return fail(std, "audit looks", errNeed("--subject ID", "the account whose data it is about; plateau user list shows ids"))
		}
		if err := auditLooks(ctx, o, f.Subject, *asJSON, std); err != nil {
			return fail(std, "audit looks", err)
		}
		return 0
	case "erase":
		chain, n, _ := strings.Cut(*entry, "/")
		seq, err := strconv.ParseInt(n, 10, 64)
		switch {
		case err != nil || chain == "":
			return fail(std, "audit erase", errNeed("--entry CHAIN/SEQ", "the entry, as plateau audit list prints it"))
		case strings.TrimSpace(*why) == "":
			return fail(std, "audit erase", errNeed("--why TEXT", "the reason, which is kept"))
		}
		if err := app.EraseAudit(ctx, o, chain, seq, *why); err != nil {
			return fail(std, "audit erase", err)
		}
		fmt.Fprintln(std.Out, "erased; an entry says so")
		return 0
	}
	if err := auditList(ctx, o, f, *most, *asJSON, std); err != nil {
		return fail(std, "audit list", err)
	}
	return 0
}

// foreign names a flag that was given and belongs to another action.
func foreign(fs *flag.FlagSet, what string) (wrong string) {
	fs.Visit(func(f *flag.Flag) {
		of := "list"
		switch f.Name {
		case "data", "config":
			return
		case "entry", "why":
			of = "erase"
		case "subject", "json":
			if what == "looks" {
				return
			}
		}
		if of != what {
			wrong = f.Name
		}
	})
	return wrong
}

func auditVerify(ctx context.Context, o app.Options, std stdio) int {
	r, err := app.VerifyAudit(ctx, o)
	if err != nil {
		return fail(std, "audit verify", err)
	}
	for _, c := range r.Chains {
		fmt.Fprintf(std.Out, "chain: %s, began %s, %d entries, head %s\n", c.ID, c.Began.Format(time.RFC3339), c.Entries, c.Head)
	}
	fmt.Fprintf(std.Out, "erased: %d\n", r.Erased)
	for _, f := range r.Faults {
		fmt.Fprintln(std.Out, "fault:", f)
	}
	if !r.OK() {
		return 1
	}
	fmt.Fprintln(std.Out, "ok")
	return 0
}

// lookLine is what somebody did with a person's data, as JSON: by post.
type lookLine struct {
	At         time.Time `json:"at"`
	Post       string    `json:"post"`
	Act        string    `json:"act"`
	Why        string    `json:"why,omitempty"`
	Reference  string    `json:"reference,omitempty"`
	OnBehalfOf string    `json:"on_behalf_of,omitempty"`
}

func auditLooks(ctx context.Context, o app.Options, subject string, asJSON bool, std stdio) error {
	out := json.NewEncoder(std.Out)
	out.SetEscapeHTML(false)
	if !asJSON {
		fmt.Fprintf(std.Out, "Who looked at the data of account %s or changed it, newest first, by post:\n", subject)
	}
	n := 0
	err := app.ListLooks(ctx, o, subject, func(e *audit.Entry) error {
		n++
		r := e.Reason()
		if asJSON {
			return out.Encode(lookLine{e.At, e.Post, e.Act, r.Why, r.Reference, e.OnBehalfOf})
		}
		fmt.Fprintf(std.Out, "%s  %s  %s", e.At.Local().Format(time.DateTime), e.Post, app.Did(e.Act))
		if r.Why != "" {
			fmt.Fprintf(std.Out, "  why: %s", r.Why)
		}
		if r.Reference != "" {
			fmt.Fprintf(std.Out, " (reference %s)", r.Reference)
		}
		if e.OnBehalfOf != "" {
			fmt.Fprintf(std.Out, "  on behalf of %s", e.OnBehalfOf)
		}
		fmt.Fprintln(std.Out)
		return nil
	})
	if err == nil && n == 0 && !asJSON {
		fmt.Fprintln(std.Out, "nobody did")
	}
	return err
}

// auditLine is an entry as JSON.
type auditLine struct {
	Entry      string          `json:"entry"`
	At         time.Time       `json:"at"`
	Who        string          `json:"who"`
	Post       string          `json:"post"`
	OnBehalfOf string          `json:"on_behalf_of,omitempty"`
	Address    string          `json:"address,omitempty"`
	System     string          `json:"system"`
	Act        string          `json:"act"`
	Kind       string          `json:"kind,omitempty"`
	Ref        string          `json:"ref,omitempty"`
	Subjects   []string        `json:"subjects,omitempty"`
	Detail     json.RawMessage `json:"detail,omitempty"`
	Erased     bool            `json:"erased,omitempty"`
	Hash       string          `json:"hash"`
}

func auditList(ctx context.Context, o app.Options, f audit.Filter, most int, asJSON bool, std stdio) error {
	out := json.NewEncoder(std.Out)
	out.SetEscapeHTML(false)
	n := 0
	if !asJSON && most > 0 {
		f.Most = most + 1
	}
	err := app.ListAudit(ctx, o, f, func(e *audit.Entry) error {
		n++
		place := fmt.Sprintf("%s/%d", e.Chain, e.Seq)
		if asJSON {
			l := auditLine{place, e.At, e.Who, e.Post, e.OnBehalfOf, e.Address, e.System, e.Act, e.Kind, e.Ref, e.Subjects, nil, e.Erased, e.Hash}
			if json.Valid([]byte(e.Detail)) {
				l.Detail = json.RawMessage(e.Detail)
			}
			return out.Encode(l)
		}
		if most > 0 && n > most {
			fmt.Fprintf(std.Err, "and older ones; --most %d shows more, --json all\n", 10*most)
			return nil
		}
		detail := e.Detail
		if e.Erased {
			detail = "(erased)"
		}
		fmt.Fprintf(std.Out, "%s  %s (%s)  %s  %s %s  %s  %s\n  %s\n", e.At.Local().Format(time.DateTime), e.Post, e.Who, e.Act, e.Kind, e.Ref, e.Address, detail, place)
		return nil
	})
	if n == 0 && !asJSON && err == nil {
		fmt.Fprintln(std.Err, "no entries like that")
	}
	return err
}
