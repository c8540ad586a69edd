package app

import (
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
)

// TestAccounts: commands change accounts of a running server through its socket,
// and those of a stopped one by themselves.
func TestAccounts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, end := serving(t, dir)
	defer end()
	o, ctx := Options{Flags: map[string]string{"data": dir}}, t.Context()
	here := auth.Client{Address: "192.0.2.1"}
	do := func(order AccountsOrder) AccountsAnswer {
		t.Helper()
		out, err := Accounts(ctx, o, order)
		if err != nil {
			t.Fatalf("%+v: %v", order, err)
		}
		return out
	}
	refused := func(want string, order AccountsOrder) {
		t.Helper()
		if _, err := Accounts(ctx, o, order); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", order, err, want)
		}
	}
	file, err := os.ReadFile(filepath.Join(dir, auth.FirstLinkFile))
	if err != nil || !strings.Contains(string(file), "http://"+a.httpAddr+auth.LinkPath) {
		t.Fatalf("%q, %v", file, err)
	}
	_, first, _ := strings.Cut(strings.TrimSpace(string(file)), auth.LinkPath)
	if err := a.auth.SpendLink(ctx, first, "river stone under ice"); err != nil {
		t.Errorf("the first operator's link: %v", err)
	}

	made := do(AccountsOrder{Act: "add", Login: "Duty1", Post: "值班员", Role: "officer"})
	base, key, _ := strings.Cut(made.Link, auth.LinkPath)
	if base != "http://"+a.httpAddr {
		t.Errorf("link %s", made.Link)
	}
	if err := a.auth.SpendLink(ctx, key, "another good phrase"); err != nil {
		t.Error(err)
	}
	if users := do(AccountsOrder{Act: "list"}).Users; len(users) != 2 || users[0].Login != "admin" || users[1].Login != "duty1" || users[1].Role != auth.Officer {
		t.Errorf("%+v", users)
	}
	token := do(AccountsOrder{Act: "make-token", Login: "duty1", Label: "export", Days: 3, Only: "telemetry.view,read"}).Token
	if p, err := a.auth.Bearer(ctx, token); err != nil || p.Only != "read telemetry.view" {
		t.Errorf("%+v, %v", p, err)
	}
	tokens := do(AccountsOrder{Act: "tokens", Login: "duty1"}).Tokens
	// The start itself made one for the operator, because unknown loggers are registered.
	if all := do(AccountsOrder{Act: "tokens"}).Tokens; len(tokens) != 1 || tokens[0].Login != "duty1" || len(all) != 2 {
		t.Errorf("%+v of %+v", tokens, all)
	}
	do(AccountsOrder{Act: "revoke-token", ID: tokens[0].ID})
	// The record says who gave the command: as the system tells the server.
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	said := func(act string, want int) {
		t.Helper()
		n := 0
		if err := ListAudit(ctx, o, audit.Filter{Act: act}, func(e *audit.Entry) error {
			if e.Who == "system" && strings.Contains(e.Detail, `"shell":"`+me.Username+`"`) {
				n++
			}
			return nil
		}); err != nil || n != want {
			t.Errorf("%d entries of %s by %s, want %d; %v", n, act, me.Username, want, err)
		}
	}
	said("account.token_revoke", 1)
	if _, err := a.auth.Bearer(ctx, token); err == nil {
		t.Error("a revoked token opens")
	}
	do(AccountsOrder{Act: "disable", Login: "duty1"})
	if _, _, err := a.auth.SignIn(ctx, "duty1", "another good phrase", here); !errs.Is(err, errs.Unauthenticated) {
		t.Errorf("a disabled account: %v", err)
	}
	refused("is disabled; enable it first", AccountsOrder{Act: "link", Login: "duty1"})
	do(AccountsOrder{Act: "enable", Login: "duty1"})
	if _, _, err := a.auth.SignIn(ctx, "duty1", "another good phrase", here); err != nil {
		t.Error(err)
	}
	refused("is taken", AccountsOrder{Act: "add", Login: "duty1", Post: "x", Role: "officer"})
	refused("role: Choose one of", AccountsOrder{Act: "add", Login: "new", Post: "x", Role: "king"})
	refused(`there is no account "nobody"`, AccountsOrder{Act: "link", Login: "nobody"})
	refused("has no second factor", AccountsOrder{Act: "remove-factor", Login: "duty1"})
	refused("needs a purpose", AccountsOrder{Act: "make-token", Login: "duty1"})
	refused(`"see" is no permission`, AccountsOrder{Act: "make-token", Login: "duty1", Label: "x", Days: 3, Only: "see"})
	refused("A token lives 365 days at most", AccountsOrder{Act: "make-token", Login: "duty1", Label: "x", Days: 400})
	refused("unknown order", AccountsOrder{Act: "burn", Login: "duty1"})

	end() // the same on the data folder
	if users := do(AccountsOrder{Act: "list"}).Users; len(users) != 2 {
		t.Errorf("%+v", users)
	}
	do(AccountsOrder{Act: "make-token", Login: "duty1", Label: "here", Days: 1})
	said("account.token_make", 2)
	o.Flags["http.addr"] = ":8123"
	if l := do(AccountsOrder{Act: "link", Login: "duty1"}).Link; !strings.HasPrefix(l, "http://127.0.0.1:8123"+auth.LinkPath) {
		t.Errorf("link %s", l)
	}
	o.Flags["http.url"] = "https://plateau.example/"
	if l := do(AccountsOrder{Act: "link", Login: "duty1"}).Link; !strings.HasPrefix(l, "https://plateau.example"+auth.LinkPath) {
		t.Errorf("link %s", l)
	}
	again, end := serving(t, dir)
	defer end()
	if again.firstKey != "" {
		t.Error("a link for the first operator, who has a password")
	}
}
