package accountweb

import (
	"net/http"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
	"plateau/internal/web"
)

// codeField takes a code of a second factor.
func (c *call) codeField() *web.Field {
	return &web.Field{Name: "code", Label: c.L.T("account.code"), Hint: c.L.T("account.code_hint"), Auto: "one-time-code", Width: "medium"}
}

type factorView struct {
	Tabs   []web.Tab
	Factor auth.Factor
}

func (h *Handler) factor(c *call) error {
	f, err := h.Auth.Factor(c.Ctx(), c.Who.ID)
	if err != nil {
		return err
	}
	p := &web.Page{Title: c.L.T("account.factor_title"), Crumbs: c.crumbs(), Data: &factorView{c.tabs("second-factor"), f}}
	return c.Render(http.StatusOK, "account_factor.html", p)
}

func (h *Handler) beginFactor(c *call) error {
	if err := h.Auth.BeginFactor(c.Ctx(), c.Who.ID); err != nil {
		return err
	}
	return c.See("/account/second-factor/set-up")
}

type setUpView struct {
	Tabs    []web.Tab
	Picture picture
	Key     string // in groups of four, for typing
	Code    *web.Field
}

func (h *Handler) setUpForm(c *call) error { return h.setUpPage(c, nil) }

// setUpPage shows the secret as a picture and as text, until a code that it gave
// has confirmed it.
func (h *Handler) setUpPage(c *call, wrong error) error {
	secret, err := h.Auth.PendingFactor(c.Ctx(), c.Who.ID)
	if errs.Is(err, errs.NotFound) { // confirmed meanwhile, or never begun
		return c.See("/account/second-factor")
	}
	if err != nil {
		return err
	}
	uri, err := auth.FactorURI(secret, c.Who.Login)
	if err != nil {
		return err
	}
	v := &setUpView{Tabs: c.tabs("second-factor"), Code: c.codeField()}
	v.Code.Hint = ""
	for i := 0; i < len(secret); i += 4 {
		v.Key += secret[i:min(i+4, len(secret))] + " "
	}
	if v.Picture, err = draw(uri, c.L.T("account.factor_picture")); err != nil {
		return err
	}
	p := &web.Page{Title: c.L.T("account.factor_set_up"), Crumbs: c.crumbs(), Private: true, Data: v}
	status, err := c.faults(wrong, p, v.Code)
	if err != nil {
		return err
	}
	return c.Render(status, "account_factor_setup.html", p)
}

type codesView struct {
	Tabs  []web.Tab
	Codes []string
	Login string
}

func (h *Handler) setUp(c *call) error {
	cookie, codes, err := h.Auth.ConfirmFactor(c.Ctx(), c.Who, c.Session, c.form("code"), c.from)
	if err != nil {
		return h.setUpPage(c, err)
	}
	h.Auth.SetCookie(c.W, c.R, cookie)
	return h.codesPage(c, codes)
}

func (h *Handler) newCodes(c *call) error {
	f, err := h.Auth.Factor(c.Ctx(), c.Who.ID)
	if err != nil {
		return err
	}
	if !f.Needed() {
		return c.See("/account/second-factor")
	}
	codes, err := h.Auth.NewRecoveryCodes(c.Ctx(), c.Who.ID)
	if err != nil {
		return err
	}
	return h.codesPage(c, codes)
}

// codesPage answers the form itself, not with a redirect: the codes are shown
// once, and are kept nowhere from where a second request could take them.
func (h *Handler) codesPage(c *call, codes []string) error {
	p := &web.Page{Title: c.L.T("account.codes_title"), Crumbs: c.crumbs(), Private: true, Data: &codesView{c.tabs("second-factor"), codes, c.Who.Login}}
	return c.Render(http.StatusOK, "account_codes.html", p)
}

func (h *Handler) removeFactor(c *call) error {
	if err := h.Auth.RemoveFactor(c.Ctx(), c.Who.ID); err != nil && !errs.Is(err, errs.NotFound) {
		return err
	}
	return c.Done("/account/second-factor", "factor_removed")
}
