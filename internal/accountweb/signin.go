package accountweb

import (
	"net/url"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
	"plateau/internal/web"
)

type codeView struct {
	Code    *web.Field
	Next    string
	Factor  auth.Factor
	Passkey *passkeyForm // nil: there is none for here
	Why     string       // no passkey can be used here
}

func (h *Handler) codeForm(c *call) error {
	if !h.Auth.StepOpen(auth.StepSecret(c.R)) { // no password was given in this browser, or too long ago
		return c.See("/login?" + url.Values{"next": {c.Next()}}.Encode())
	}
	return h.codePage(c, nil)
}

func (h *Handler) codePage(c *call, wrong error) error {
	v := &codeView{Code: c.codeField(), Next: c.Next()}
	var err error
	if v.Factor, err = h.Auth.StepFactor(c.Ctx(), auth.StepSecret(c.R)); err != nil {
		return err
	}
	if v.Factor.Passkeys > 0 {
		if v.Passkey, v.Why, err = h.stepPasskeyForm(c); err != nil {
			return err
		}
	}
	p := &web.Page{Title: c.L.T("account.code_title"), Private: true, Scripts: v.Passkey.scripts(), Data: v}
	status, err := c.faults(wrong, p, v.Code, v.Passkey.field())
	if err != nil {
		return err
	}
	return c.Render(status, "login_code.html", p)
}

// code is the second step of a sign-in, in the browser in which the first was.
func (h *Handler) code(c *call) error {
	secret, _, err := h.Auth.SignInCode(c.Ctx(), auth.StepSecret(c.R), c.form("code"), c.from)
	return h.stepDone(c, secret, err)
}

type linkView struct {
	Fresh, Again web.Field
	Key, Login   string
}

func (h *Handler) linkForm(c *call) error { return h.linkPage(c, nil) }

// linkPage shows the form of a link that sets a password. Looking at it spends
// nothing: programs look at links too.
func (h *Handler) linkPage(c *call, wrong error) error {
	key := c.R.FormValue("key")
	u, err := h.Auth.LinkUser(c.Ctx(), key)
	if err != nil {
		return err
	}
	v := &linkView{Key: key, Login: u.Login}
	v.Fresh, v.Again = c.freshFields()
	p := &web.Page{Title: c.L.T("account.link_title"), Private: true, Data: v}
	status, err := c.faults(wrong, p, &v.Fresh, &v.Again)
	if err != nil {
		return err
	}
	return c.Render(status, "account_link.html", p)
}

// link sets the password; signing in with it comes next, and with the code of a
// second factor where there is one.
func (h *Handler) link(c *call) error {
	err := error(errs.InvalidField("again", "err.auth.not_the_same"))
	if c.form("fresh") == c.form("again") {
		err = h.Auth.SpendLink(c.Ctx(), c.form("key"), c.form("fresh"))
	}
	if errs.Is(err, errs.Invalid) {
		return h.linkPage(c, err)
	}
	if err != nil {
		return err
	}
	return c.Done("/login", "password_set")
}
