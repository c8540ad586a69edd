package accountweb

import (
	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
	"plateau/internal/web"
)

type confirmView struct {
	Password web.Field
	Code     *web.Field // nil: there is no second factor
	Passkey  *passkeyForm
	Next     string
	Login    string
}

func (h *Handler) confirmForm(c *call) error { return h.confirmPage(c, nil) }

func (h *Handler) confirmPage(c *call, wrong error) error {
	v := &confirmView{
		Password: web.Field{Name: "password", Kind: "password", Label: c.L.T("account.present_password"), Auto: "current-password", Width: "medium"},
		Next:     c.Next(), Login: c.Who.Login,
	}
	fields := []*web.Field{&v.Password}
	factor, err := h.Auth.Factor(c.Ctx(), c.Who.ID)
	if err != nil {
		return err
	}
	if factor.Needed() {
		v.Code = c.codeField()
		fields = append(fields, v.Code)
	}
	if factor.Passkeys > 0 {
		if v.Passkey, err = h.proofPasskeyForm(c); err != nil {
			return err
		}
		fields = append(fields, v.Passkey.field())
	}
	p := &web.Page{Title: c.L.T("account.confirm_title"), Crumbs: c.crumbs(), Private: v.Passkey != nil, Scripts: v.Passkey.scripts(), Data: v}
	status, err := c.faults(wrong, p, fields...)
	if err != nil {
		return err
	}
	return c.Render(status, "account_confirm.html", p)
}

// confirm takes the credential again, for pages that want to know that it is
// still the same person.
func (h *Handler) confirm(c *call) error {
	secret, err := h.Auth.Prove(c.Ctx(), c.Who, c.Session, c.form("password"), c.form("code"), c.from)
	if err != nil {
		return h.confirmPage(c, err)
	}
	h.Auth.SetCookie(c.W, c.R, secret)
	return c.Return(c.Next(), "/account")
}

type passwordView struct {
	Tabs                  []web.Tab
	Current, Fresh, Again web.Field
	Login                 string
}

func (h *Handler) passwordForm(c *call) error { return h.passwordPage(c, nil) }

func (h *Handler) passwordPage(c *call, wrong error) error {
	v := &passwordView{
		Tabs:    c.tabs("password"),
		Login:   c.Who.Login,
		Current: web.Field{Name: "current", Kind: "password", Label: c.L.T("account.present_password"), Auto: "current-password", Width: "medium"},
	}
	v.Fresh, v.Again = c.freshFields()
	p := &web.Page{Title: c.L.T("account.password_title"), Crumbs: c.crumbs(), Data: v}
	status, err := c.faults(wrong, p, &v.Current, &v.Fresh, &v.Again)
	if err != nil {
		return err
	}
	return c.Render(status, "account_password.html", p)
}

func (h *Handler) password(c *call) error {
	if c.form("fresh") != c.form("again") {
		return h.passwordPage(c, errs.InvalidField("again", "err.auth.not_the_same"))
	}
	secret, err := h.Auth.ChangePassword(c.Ctx(), c.Who, c.Session, c.form("current"), c.form("fresh"), c.from)
	if err != nil {
		return h.passwordPage(c, err)
	}
	h.Auth.SetCookie(c.W, c.R, secret)
	return c.Done("/account", "password_changed")
}

// freshFields take a new password, twice.
func (c *call) freshFields() (fresh, again web.Field) {
	return web.Field{Name: "fresh", Kind: "password", Label: c.L.T("account.new_password"), Hint: c.L.T("account.password_hint", "min", auth.MinPassword), Auto: "new-password", Width: "medium"},
		web.Field{Name: "again", Kind: "password", Label: c.L.T("account.new_again"), Auto: "new-password", Width: "medium"}
}
