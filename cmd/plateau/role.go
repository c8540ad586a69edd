package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"plateau/internal/app"
	"plateau/internal/platform/people"
)

// roleFlags are the flags of each action besides --data and --config.
var roleFlags = map[string][]string{"list": {"area"}, "who": {"post", "area", "on"}, "appoint": {"post", "account", "from", "to"}, "end": {"id", "to"}, "delegate": {"id", "account", "to"}, "withdraw": {"id"}}

func cmdRole(args []string, std stdio) int {
	fs := newFlags(std, "role", "role list|who|appoint|end|delegate|withdraw --data DIR [--config FILE] …",
		`Posts and who holds them. The server may run: a running one does it itself. Organisations and posts
are added on the page "Posts" of the registry. Each act is an entry in the record (plateau audit).
  list     posts in force with their ids and who holds them now, within and above --area CODE
  who      who held which post --on DAY, of one --post ID or for an --area CODE
  appoint  lets --account LOGIN hold --post ID, --from DAY (now) --to DAY (its last day)
  end      ends the appointment --id ID, after the day --to DAY or now
  delegate lets --account LOGIN act in the post of the appointment --id ID until --to DAY
  withdraw ends the delegation --id ID now`,
		"plateau role who --area 540102 --on 2026-11-20 --data /var/lib/plateau")
	data := fs.String("data", "", "data folder of the server")
	file := fs.String("config", "", "the server's configuration file, where its database is named there")
	var order app.RoleOrder
	fs.StringVar(&order.Post, "post", "", "id of a post (who, appoint)")
	fs.StringVar(&order.Area, "area", "", "code of an area (list, who)")
	fs.StringVar(&order.Day, "on", "", "day as YYYY-MM-DD (who)")
	fs.StringVar(&order.Login, "account", "", "name with which the person signs in (appoint, delegate)")
	fs.StringVar(&order.From, "from", "", "first day (appoint)")
	fs.StringVar(&order.To, "to", "", "last day (appoint, end, delegate)")
	fs.StringVar(&order.ID, "id", "", "id of an appointment or delegation, as list and who print it (end, delegate, withdraw)")
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		order.Act, args = args[0], args[1:]
	}
	if code, done := parse(fs, args, std, 0); done {
		return code
	}
	own := roleFlags[order.Act]
	if own == nil {
		fmt.Fprintln(std.Err, "plateau role: say what to do: list, who, appoint, end, delegate or withdraw")
		return 2
	}
	name := "role " + order.Act
	wrong := ""
	fs.Visit(func(f *flag.Flag) {
		if f.Name != "data" && f.Name != "config" && !slices.Contains(own, f.Name) {
			wrong = f.Name
		}
	})
	switch {
	case wrong != "":
		return fail(std, name, fmt.Errorf("--%s does not belong here; see plateau role --help", wrong))
	case *data == "":
		return fail(std, name, errNeed("--data DIR", "the folder of the server"))
	case order.Act == "who" && order.Day == "":
		return fail(std, name, errNeed("--on DAY", "the day as YYYY-MM-DD"))
	case order.Act == "appoint" && order.Post == "":
		return fail(std, name, errNeed("--post ID", "as plateau role list prints it"))
	case (order.Act == "appoint" || order.Act == "delegate") && order.Login == "":
		return fail(std, name, errNeed("--account LOGIN", "as plateau user list prints it"))
	case slices.Contains(own, "id") && order.ID == "":
		return fail(std, name, errNeed("--id ID", "as plateau role who prints it"))
	case order.Act == "delegate" && order.To == "":
		return fail(std, name, errNeed("--to DAY", "the last day as YYYY-MM-DD"))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	out, err := app.Roles(ctx, app.Options{ConfigFile: *file, Env: os.Environ(), Flags: map[string]string{"data": *data}}, order)
	if err != nil {
		return fail(std, name, err)
	}
	switch order.Act {
	case "appoint":
		fmt.Fprintf(std.Out, "appointment: %s\n", out.ID)
	case "delegate":
		fmt.Fprintf(std.Out, "delegation: %s\n", out.ID)
	case "end", "withdraw":
		fmt.Fprintln(std.Out, "ok")
	case "list":
		rolePosts(&out, std)
	default:
		roleHoldings(out.Holdings, std)
	}
	return 0
}

func rolePosts(out *app.RoleAnswer, std stdio) {
	held := map[string][]string{}
	for i := range out.Holdings {
		h := &out.Holdings[i]
		held[h.Post] = append(held[h.Post], h.Login+" ("+h.ID+")")
	}
	w := tabwriter.NewWriter(std.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "post\ttitle\torganisation\tkind\tarea\tholders (appointment)")
	for i := range out.Posts {
		p := &out.Posts[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", p.ID, p.Title.Zh, out.Organisations[p.Organisation], p.Kind, cmp.Or(p.Area, "all"), cmp.Or(strings.Join(held[p.ID], ", "), "-"))
	}
	_ = w.Flush()
}

func roleHoldings(list []people.Holding, std stdio) {
	w := tabwriter.NewWriter(std.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "account\ttitle\tkind\tarea\tfrom\tto\tpost\tappointment")
	for i := range list {
		h := &list[i]
		to := "-"
		if !h.To.IsZero() {
			to = h.To.Local().Format(time.DateTime)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", h.Login, h.Of.Title.Zh, h.Of.Kind, cmp.Or(h.Of.Area, "all"), h.From.Local().Format(time.DateTime), to, h.Of.ID, h.ID)
		for j := range h.Deputies {
			d := &h.Deputies[j]
			fmt.Fprintf(w, "  for them %s\t\t\t\t%s\t%s\t\t%s\n", d.Login, d.From.Local().Format(time.DateTime), d.Ends().Local().Format(time.DateTime), d.ID)
		}
	}
	_ = w.Flush()
}
