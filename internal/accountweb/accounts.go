package accountweb

import (
	"net/http"
	"slices"
	"strings"

	"plateau/internal/platform/access"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
	"plateau/internal/web"
)

// accountsRoutes are the pages of the accounts of all, for those who keep them.
func accountsRoutes() []route {
	return []route{
		{"GET", "/accounts", keepsAccounts, (*Handler).accounts},
		{"GET", "/accounts/{id}", keepsAccounts, (*Handler).accountOf},
		{"POST", "/accounts/{id}/close", keepsAccountsFresh, (*Handler).closeAccount},
		{"POST", "/accounts/{id}/open", keepsAccountsFresh, (*Handler).openAccount},
		{"POST", "/accounts/{id}/link", keepsAccountsFresh, (*Handler).linkAccount},
	}
}

type accountsView struct {
	Kind  web.Field
	State web.Field
	Path  string
	Any   bool // something is filtered
	Rows  []auth.Account
	Pager web.Pager
}

// accounts lists accounts. The list is a look at each of those on the page.
func (h *Handler) accounts(c *call) error {
	all, err := h.Auth.Accounts(c.Ctx())
	if err != nil {
		return err
	}
	q := c.R.URL.Query()
	kind, state := q.Get("kind"), q.Get("state") // no search by name: an address holds nothing personal
	all = slices.DeleteFunc(all, func(a auth.Account) bool {
		return state == "open" && a.Disabled || state == "closed" && !a.Disabled || kind != "" && kind != string(a.Role)
	})
	table := web.Table{Path: c.Path("/accounts"), Query: q}
	from, to, pager := table.Cut(len(all), 0)
	v := &accountsView{
		Path: table.Path, Rows: all[from:to], Pager: pager, Any: kind != "" || state != "",
		Kind: web.Field{Name: "kind", Kind: "select", Label: c.L.T("accounts.kind"), Width: "medium", Options: []web.Option{{Text: c.L.T("accounts.state_all")}}},
		State: web.Field{Name: "state", Kind: "select", Label: c.L.T("accounts.state"), Width: "short", Options: []web.Option{
			{Value: "", Text: c.L.T("accounts.state_all"), Selected: state == ""},
			{Value: "open", Text: c.L.T("accounts.state_open"), Selected: state == "open"},
			{Value: "closed", Text: c.L.T("accounts.state_closed"), Selected: state == "closed"},
		}},
	}
	for _, k := range access.Default().Accounts() {
		v.Kind.Options = append(v.Kind.Options, web.Option{Value: k, Text: k, Selected: k == kind})
	}
	var seen []string
	for _, a := range v.Rows {
		seen = append(seen, a.ID)
	}
	if err := h.Auth.Look(c.Ctx(), "account.list", "account", "", seen, ""); err != nil {
		return err
	}
	return c.Render(http.StatusOK, "accounts.html", &web.Page{Title: c.L.T("accounts.title"), Crumbs: c.crumbs(), Data: v})
}

type accountOfView struct {
	auth.Account
	Own  bool
	Link string // that sets the password; shown once
	Mine []string
	Keys []tokenRow // of a service
}

func (h *Handler) accountOf(c *call) error { return h.accountPage(c, "") }

// accountPage shows one account, and a link that was just made for it.
func (h *Handler) accountPage(c *call, link string) error {
	a, err := h.Auth.Account(c.Ctx(), c.R.PathValue("id"))
	if err != nil {
		return err
	}
	if err := h.Auth.Look(c.Ctx(), "account.view", "account", a.ID, []string{a.ID}, ""); err != nil {
		return err
	}
	v := &accountOfView{Account: a, Own: a.ID == c.Who.ID, Link: link}
	for _, g := range access.Default().Account(string(a.Role), "", "") {
		v.Mine = append(v.Mine, c.L.T("role."+g.Role))
	}
	if !a.ForPerson() {
		keys, err := h.Auth.Tokens(c.Ctx(), a.ID)
		if err != nil {
			return err
		}
		for _, k := range keys {
			v.Keys = append(v.Keys, tokenRow{k, c.words(k.Only)})
		}
	}
	p := &web.Page{
		Title: c.L.T("accounts.one_title", "login", a.Login), Private: link != "", Data: v,
		Crumbs: c.crumbs("accounts.title", "/accounts"),
	}
	return c.Render(http.StatusOK, "accounts_one.html", p)
}

func (h *Handler) closeAccount(c *call) error { return h.setAccount(c, true, "account_closed") }

func (h *Handler) openAccount(c *call) error { return h.setAccount(c, false, "account_opened") }

func (h *Handler) setAccount(c *call, closed bool, done string) error {
	id := c.R.PathValue("id")
	if err := h.Auth.CloseOther(c.Ctx(), c.Who, id, closed); err != nil {
		return err
	}
	return c.Done("/accounts/"+id, done)
}

// linkAccount answers with the page itself and not with a redirect: the link is
// shown once, and is kept nowhere from where a second request could take it.
func (h *Handler) linkAccount(c *call) error {
	a, err := h.Auth.Account(c.Ctx(), c.R.PathValue("id"))
	if err != nil {
		return err
	}
	if a.Disabled {
		return errs.New(errs.Conflict, "err.accounts.closed")
	}
	key, err := h.Auth.MakeLink(c.Ctx(), a.ID)
	if err != nil {
		return err
	}
	return h.accountPage(c, h.base(c)+auth.LinkPath+key)
}

// base is where people reach the program, for links.
func (h *Handler) base(c *call) string {
	if h.BaseURL != "" {
		return strings.TrimSuffix(h.BaseURL, "/")
	}
	scheme := "http"
	if c.R.TLS != nil || c.R.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return scheme + "://" + c.R.Host
}

// more lists the pages beyond one's own account that who asks may open.
func (c *call) more() []web.Link {
	var out []web.Link
	for _, l := range []struct {
		may access.Permission
		web.Link
	}{
		{"platform.accounts", web.Link{Key: "accounts.title", Path: "/accounts"}},
		{"platform.accounts", web.Link{Key: "corrections.title", Path: "/corrections"}},
		{"platform.record", web.Link{Key: "record.title", Path: "/audit"}},
	} {
		if c.Holds(l.may) {
			out = append(out, l.Link)
		}
	}
	return append(out, web.Link{Key: "personal.title", Path: PersonalPath})
}
