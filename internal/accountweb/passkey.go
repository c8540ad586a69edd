package accountweb

import (
	"errors"
	"net/http"
	"net/url"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
	"plateau/internal/web"
)

// PasskeyPath is the page that takes a passkey instead of login and password.
const PasskeyPath = "/sign-in/passkey"

// passkeyForm asks a device: a script hands the question to the browser and
// sends what the device answers.
type passkeyForm struct {
	auth.Ceremony
	Kind   string // "create" or "get", of navigator.credentials
	Action string // address without the language
	Next   string
	Button string
	Label  *web.Field // nil: nothing is named
	Field  web.Field  // carries what is wrong
}

// passkeyForm makes the form of a question. Where passkeys cannot be used it
// returns the sentence that says why.
func (h *Handler) passkeyForm(c *call, action, button string, ask func(auth.RelyingParty) (auth.Ceremony, error)) (form *passkeyForm, why string, err error) {
	rp, err := h.Auth.RelyingParty(c.R)
	if e, ok := errors.AsType[*errs.Error](err); ok {
		return nil, c.L.T(e.Key, e.Args...), nil
	} else if err != nil {
		return nil, "", err
	}
	question, err := ask(rp)
	if err != nil {
		return nil, "", err
	}
	return &passkeyForm{Ceremony: question, Kind: "get", Action: action, Next: c.Next(), Button: button, Field: web.Field{Name: "passkey"}}, "", nil
}

// field is where an error about the passkey is shown.
func (f *passkeyForm) field() *web.Field {
	if f == nil {
		return &web.Field{Name: "passkey"}
	}
	return &f.Field
}

// scripts of a page with this form.
func (f *passkeyForm) scripts() []string {
	if f == nil {
		return nil
	}
	return []string{"passkey"}
}

type passkeyRow struct {
	auth.Passkey
	Elsewhere bool // made for another name of this host
}

type passkeysView struct {
	Tabs   []web.Tab
	Rows   []passkeyRow
	Factor auth.Factor
	Why    string // passkeys cannot be made here; "" = they can
}

func (h *Handler) passkeys(c *call) error {
	list, err := h.Auth.Passkeys(c.Ctx(), c.Who.ID)
	if err != nil {
		return err
	}
	v := &passkeysView{Tabs: c.tabs("passkeys")}
	if v.Factor, err = h.Auth.Factor(c.Ctx(), c.Who.ID); err != nil {
		return err
	}
	rp, err := h.Auth.RelyingParty(c.R)
	if e, ok := errors.AsType[*errs.Error](err); ok {
		v.Why = c.L.T(e.Key, e.Args...)
	} else if err != nil {
		return err
	}
	for _, k := range list {
		v.Rows = append(v.Rows, passkeyRow{k, k.Host != rp.ID})
	}
	return c.Render(http.StatusOK, "account_passkeys.html", &web.Page{Title: c.L.T("account.passkeys_title"), Crumbs: c.crumbs(), Data: v})
}

type passkeyView struct {
	Tabs []web.Tab
	Form *passkeyForm
	Why  string // there is no form; "" = there is
}

func (h *Handler) newPasskeyForm(c *call) error { return h.newPasskeyPage(c, nil) }

func (h *Handler) newPasskeyPage(c *call, wrong error) error {
	v := &passkeyView{Tabs: c.tabs("passkeys")}
	var err error
	v.Form, v.Why, err = h.passkeyForm(c, "/account/passkeys/new", c.L.T("account.passkey_make_button"), func(rp auth.RelyingParty) (auth.Ceremony, error) {
		return h.Auth.AskNewPasskey(c.Ctx(), rp, c.Who, c.Session)
	})
	if err != nil {
		return err
	}
	if v.Form != nil {
		v.Form.Kind = "create"
		v.Form.Label = &web.Field{Name: "label", Label: c.L.T("account.passkey_label"), Hint: c.L.T("account.passkey_label_hint"), Optional: true, Width: "medium", Value: c.form("label")}
	}
	p := &web.Page{Title: c.L.T("account.passkey_make"), Crumbs: c.crumbs(), Private: true, Scripts: v.Form.scripts(), Data: v}
	status, err := c.faults(wrong, p, v.Form.field())
	if err != nil {
		return err
	}
	return c.Render(status, "account_passkey_new.html", p)
}

func (h *Handler) newPasskey(c *call) error {
	rp, err := h.Auth.RelyingParty(c.R)
	if err != nil {
		return err
	}
	label := c.form("label")
	if label == "" {
		label = c.from.Browser
	}
	cookie, codes, err := h.Auth.AddPasskey(c.Ctx(), rp, c.Who, c.Session, c.form("waiting"), c.form("answer"), label)
	if err != nil {
		return h.newPasskeyPage(c, err)
	}
	h.Auth.SetCookie(c.W, c.R, cookie)
	if len(codes) > 0 {
		return h.codesPage(c, codes)
	}
	return c.Done("/account/passkeys", "passkey_made")
}

func (h *Handler) removePasskey(c *call) error {
	if err := h.Auth.RemovePasskey(c.Ctx(), c.Who, c.form("id")); err != nil && !errs.Is(err, errs.NotFound) {
		return err
	}
	return c.Done("/account/passkeys", "passkey_removed")
}

func (h *Handler) signInPasskeyForm(c *call) error { return h.signInPasskeyPage(c, nil) }

func (h *Handler) signInPasskeyPage(c *call, wrong error) error {
	v := &passkeyView{}
	var err error
	if v.Form, v.Why, err = h.passkeyForm(c, PasskeyPath, c.L.T("account.passkey_use"), h.Auth.AskPasskey); err != nil {
		return err
	}
	p := &web.Page{Title: c.L.T("account.passkey_sign_in"), Private: true, Scripts: v.Form.scripts(), Data: v}
	status, err := c.faults(wrong, p, v.Form.field())
	if err != nil {
		return err
	}
	return c.Render(status, "login_passkey.html", p)
}

func (h *Handler) signInPasskey(c *call) error {
	rp, err := h.Auth.RelyingParty(c.R)
	if err != nil {
		return h.signInPasskeyPage(c, nil)
	}
	secret, _, err := h.Auth.SignInPasskey(c.Ctx(), rp, c.form("waiting"), c.form("answer"), c.from)
	if err != nil {
		return h.signInPasskeyPage(c, err)
	}
	if err := h.Auth.Enter(c.W, c.R, secret); err != nil {
		return err
	}
	return c.Return(c.Next(), "/")
}

// stepPasskeyForm is the passkey as second step; nil where the account has none
// that is good here.
func (h *Handler) stepPasskeyForm(c *call) (*passkeyForm, string, error) {
	form, why, err := h.passkeyForm(c, CodePath+"/passkey", c.L.T("account.passkey_use"), func(rp auth.RelyingParty) (auth.Ceremony, error) {
		return h.Auth.AskStepPasskey(c.Ctx(), rp, auth.StepSecret(c.R))
	})
	if errs.Is(err, errs.NotFound) {
		return nil, "", nil
	}
	return form, why, err
}

func (h *Handler) stepPasskey(c *call) error {
	rp, err := h.Auth.RelyingParty(c.R)
	if err != nil {
		return err
	}
	secret, _, err := h.Auth.SignInStepPasskey(c.Ctx(), rp, auth.StepSecret(c.R), c.form("waiting"), c.form("answer"), c.from)
	return h.stepDone(c, secret, err)
}

// stepDone ends the second step of a sign-in.
func (h *Handler) stepDone(c *call, secret string, err error) error {
	if errs.Is(err, errs.Unauthenticated) {
		auth.SetStepCookie(c.W, c.R, "")
		return c.See("/login?" + url.Values{"next": {c.Next()}}.Encode())
	}
	if err != nil {
		return h.codePage(c, err)
	}
	auth.SetStepCookie(c.W, c.R, "")
	if err := h.Auth.Enter(c.W, c.R, secret); err != nil {
		return err
	}
	return c.Return(c.Next(), "/")
}

// proofPasskeyForm is the passkey instead of password and code, for acts that
// want to know that it is still the same person; nil where the account has none.
func (h *Handler) proofPasskeyForm(c *call) (*passkeyForm, error) {
	form, _, err := h.passkeyForm(c, "/account/confirm/passkey", c.L.T("account.passkey_use"), func(rp auth.RelyingParty) (auth.Ceremony, error) {
		return h.Auth.AskProofPasskey(c.Ctx(), rp, c.Who, c.Session)
	})
	if errs.Is(err, errs.NotFound) {
		return nil, nil
	}
	return form, err
}

func (h *Handler) confirmPasskey(c *call) error {
	rp, err := h.Auth.RelyingParty(c.R)
	if err != nil {
		return err
	}
	secret, err := h.Auth.ProvePasskey(c.Ctx(), rp, c.Who, c.Session, c.form("waiting"), c.form("answer"), c.from)
	if err != nil {
		return h.confirmPage(c, err)
	}
	h.Auth.SetCookie(c.W, c.R, secret)
	return c.Return(c.Next(), "/account")
}
