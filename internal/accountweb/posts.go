package accountweb

import (
	"cmp"

	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/platform/people"
	"plateau/internal/web"
	"plateau/internal/web/kit"
)

// actingLine is something the account may act in.
type actingLine struct {
	ID, Title string
	Holder    string // login of whom it acts for; "" = it holds the post
	Until     string
	Now       bool // the session acts in it
}

// delegationLine is a delegation given or received.
type delegationLine struct {
	ID, Title     string
	Login, Holder string
	From, Until   string
	Given         bool
}

type postsView struct {
	Tabs        []web.Tab
	Options     []actingLine
	Delegations []delegationLine
	Form        []web.Field // of delegating; nil = the account holds no post
}

func (h *Handler) posts(c *call) error { return h.postsPage(c, nil) }

func (h *Handler) postsPage(c *call, wrong error) error {
	options, err := h.People.Options(c.Ctx(), c.Who.ID)
	if err != nil {
		return err
	}
	given, err := h.People.DelegationsOf(c.Ctx(), c.Who.ID)
	if err != nil {
		return err
	}
	lang := string(c.Lang)
	v := &postsView{Tabs: c.tabs("posts")}
	holders := map[string]string{}
	for i := range given {
		d := &given[i]
		holders[d.Holder] = d.HolderLogin
		v.Delegations = append(v.Delegations, delegationLine{
			ID: d.ID, Title: d.Of.Title.In(lang), Login: d.Login, Holder: d.HolderLogin, From: i18n.Stamp(d.From), Until: i18n.LastDay(d.Ends()), Given: d.Holder == c.Who.ID,
		})
	}
	mine := []web.Option{}
	for _, a := range options {
		v.Options = append(v.Options, actingLine{ID: a.ID, Title: a.Post.In(lang), Holder: holders[a.OnBehalfOf], Until: cmp.Or(i18n.LastDay(a.Until), c.L.T("people.open")), Now: a.ID == c.Who.Acting})
		if a.OnBehalfOf == "" {
			mine = append(mine, web.Option{Value: a.ID, Text: a.Post.In(lang), Selected: a.ID == c.form("post")})
		}
	}
	if _, byKind, err := h.People.Acting(c.Ctx(), c.Who.ID, "", c.Now); err != nil {
		return err
	} else if byKind && len(mine) == 0 { // never appointed: back to what the account is by itself
		u, err := h.Auth.UserByLogin(c.Ctx(), c.Who.Login)
		if err != nil {
			return err
		}
		v.Options = append([]actingLine{{Title: u.Post.In(lang), Until: c.L.T("people.open"), Now: c.Who.Acting == ""}}, v.Options...)
	}
	if len(mine) > 0 {
		v.Form = []web.Field{
			{Name: "post", Kind: "select", Label: c.L.T("people.field_post"), Options: mine, Width: "medium"},
			{Name: "account", Label: c.L.T("people.delegate_to"), Hint: c.L.T("people.hint_account"), Value: c.form("account"), Width: "medium"},
			{Name: "to", Label: c.L.T("people.field_to"), Hint: c.L.T("people.hint_day"), Value: c.form("to"), Width: "medium"},
		}
	}
	p := &web.Page{Title: c.L.T("people.own_title"), Crumbs: c.crumbs(), Data: v}
	status, err := c.faults(wrong, p, kit.Pointers(v.Form)...)
	if err != nil {
		return err
	}
	return c.Render(status, "account_posts.html", p)
}

// actIn lets the session act in another post of the account.
func (h *Handler) actIn(c *call) error {
	err := h.Auth.SetActing(c.Ctx(), c.Who.ID, c.Session, c.form("id"))
	if errs.Is(err, errs.NotFound) { // it ended while the page was open
		web.SetDone(c.W, "acting_over")
		return c.See("/account/posts")
	}
	if err != nil {
		return err
	}
	return c.Done("/account/posts", "acting")
}

// delegate gives a post of the account to somebody else until a day.
func (h *Handler) delegate(c *call) error {
	d := people.Delegation{Appointment: c.form("post")}
	err := func() error {
		if s := c.form("to"); s != "" {
			day, ok := i18n.ParseStamp(s)
			if !ok {
				return errs.InvalidField("to", "err.field.date")
			}
			last, _ := people.Day(i18n.Short(day)) // its own form
			d.To = last.AddDate(0, 0, 1)
		}
		u, err := h.Auth.UserByLogin(c.Ctx(), c.form("account"))
		if err != nil && !errs.Is(err, errs.NotFound) {
			return err
		}
		d.Account = u.ID // "" is refused with the other checks
		_, err = h.People.Delegate(c.Ctx(), d, c.Who)
		return err
	}()
	if err != nil {
		return h.postsPage(c, err)
	}
	return c.Done("/account/posts", "delegated")
}

func (h *Handler) withdraw(c *call) error {
	// One that is over meanwhile is what was asked for.
	if err := h.People.Withdraw(c.Ctx(), c.form("id"), c.Who); err != nil && !errs.Is(err, errs.Conflict) {
		return err
	}
	return c.Done("/account/posts", "withdrawn")
}
