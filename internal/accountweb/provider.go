package accountweb

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/platform/oidc"
	"plateau/internal/web"
)

// ProviderPath is where signing in at an identity provider begins.
const ProviderPath = "/sign-in/provider"

const callbackPath = ProviderPath + "/callback"

// Provider is an identity provider where people sign in, too.
type Provider struct {
	Client                 *oidc.Client
	Issuer                 string
	NameZh, NameBo, NameEn string
}

// Name is how a language calls it.
func (p *Provider) Name(lang i18n.Lang) string {
	switch lang {
	case i18n.Bo:
		return cmp.Or(p.NameBo, p.NameZh)
	case i18n.En:
		return cmp.Or(p.NameEn, p.NameZh)
	default:
		return p.NameZh
	}
}

// Redirect is the address to come back to, for a program reached under base.
func Redirect(base string) string { return strings.TrimSuffix(base, "/") + callbackPath }

// providerCookie holds the attempt of a browser. The provider leads back from
// another site, so it is sent with such requests.
const providerCookie = "plateau_provider"

// attempt is what the cookie holds.
type attempt struct {
	oidc.Attempt
	Next    string
	Session string // which the identity is to be linked with; "" = sign in
}

// configured opens a route only where there is a provider.
func configured(serve func(*Handler, *call) error) func(*Handler, *call) error {
	return func(h *Handler, c *call) error {
		if h.Provider == nil {
			return errs.New(errs.NotFound, "err.not_found")
		}
		return serve(h, c)
	}
}

func setProviderCookie(c *call, text string) {
	age := 300
	if text == "" {
		age = -1
	}
	http.SetCookie(c.W, &http.Cookie{ //nolint:gosec // Secure depends on the connection
		Name: providerCookie, Value: text, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: c.R.TLS != nil || c.R.Header.Get("X-Forwarded-Proto") == "https",
	})
}

// away sends the browser to the provider.
func (h *Handler) away(c *call, a attempt) error {
	to, begun, err := h.Provider.Client.Begin(c.Ctx())
	if err != nil {
		return h.providerFault(c, err)
	}
	a.Attempt = begun
	text, err := h.Auth.Keep(providerCookie, a)
	if err != nil {
		return err
	}
	setProviderCookie(c, text)
	c.W.Header().Set("Cache-Control", "no-store")
	http.Redirect(c.W, c.R, to, http.StatusSeeOther)
	return nil
}

func (h *Handler) toProvider(c *call) error { return h.away(c, attempt{Next: c.Next()}) }

func (h *Handler) toLink(c *call) error { return h.away(c, attempt{Session: c.Session.ID}) }

type providerFaultView struct {
	Text string
	Link bool // the way out is signing in here and linking
}

// providerFault is the page that says why signing in at the provider failed.
func (h *Handler) providerFault(c *call, err error) error {
	v, status := &providerFaultView{}, http.StatusBadGateway
	name := h.Provider.Name(c.Lang)
	refused, isRefused := errors.AsType[*oidc.RefusedError](err)
	switch {
	case errs.Is(err, errs.NotFound):
		v.Text, v.Link, status = c.L.T("err.provider.unknown", "name", name), true, http.StatusForbidden
	case errs.Is(err, errs.Unauthenticated):
		v.Text, status = c.L.T("err.provider.closed"), http.StatusForbidden
	case isRefused && refused.Code == "access_denied":
		v.Text, status = c.L.T("err.provider.cancelled", "name", name), http.StatusForbidden
	case isRefused:
		v.Text = c.L.T("err.provider.refused", "name", name, "code", refused.Code)
	case errors.Is(err, oidc.ErrNotOurs):
		v.Text, status = c.L.T("err.provider.over", "name", name), http.StatusBadRequest
	case errors.Is(err, oidc.ErrToken):
		v.Text = c.L.T("err.provider.token", "name", name)
	case errors.Is(err, oidc.ErrUnreachable):
		v.Text = c.L.T("err.provider.unreachable", "name", name)
	default:
		return err
	}
	if status == http.StatusBadGateway && h.Logger != nil { // the operator's to put right
		h.Logger.WarnContext(c.Ctx(), "signing in at the identity provider failed", slog.Any("error", err))
	}
	p := &web.Page{Title: c.L.T("provider.fault_title", "name", name), Private: true, Data: v}
	return c.Render(status, "provider_fault.html", p)
}

// fromProvider takes the answer that the browser brought back.
func (h *Handler) fromProvider(c *call) error {
	var a attempt
	cookie, err := c.R.Cookie(providerCookie)
	if err != nil || !h.Auth.Kept(providerCookie, cookie.Value, &a) {
		return h.providerFault(c, oidc.ErrNotOurs)
	}
	setProviderCookie(c, "") // an attempt has one answer
	if a.Session != c.Session.ID && a.Session != "" {
		return h.providerFault(c, oidc.ErrNotOurs)
	}
	who, err := h.Provider.Client.Finish(c.Ctx(), a.Attempt, c.R.URL.Query())
	if err != nil {
		return h.providerFault(c, err)
	}
	if a.Session != "" {
		return h.linkPageOf(c, who, nil)
	}
	secret, _, err := h.Auth.SignInIdentity(c.Ctx(), who, c.from)
	if err != nil {
		return h.providerFault(c, err)
	}
	if err := h.Auth.Enter(c.W, c.R, secret); err != nil {
		return err
	}
	return c.Return(a.Next, "/")
}

type linkProviderView struct {
	Tabs              []web.Tab
	Name, Label, Kept string
	Error             string
}

// linkPageOf asks whether it is really this identity: somebody else could have
// brought the browser to the provider, signed in as themselves.
func (h *Handler) linkPageOf(c *call, who oidc.Identity, wrong error) error {
	kept, err := h.Auth.Keep("link "+c.Session.ID, who)
	if err != nil {
		return err
	}
	v := &linkProviderView{Tabs: c.tabs("provider"), Name: h.Provider.Name(c.Lang), Label: who.Label, Kept: kept}
	p := &web.Page{Title: c.L.T("provider.link_title", "name", v.Name), Crumbs: c.crumbs(), Private: true, Data: v}
	status := http.StatusOK
	if e, ok := errors.AsType[*errs.Error](wrong); ok {
		v.Error, status = c.L.T(e.Key, "name", v.Name), http.StatusConflict
		p.Errors = []web.FieldError{{Text: v.Error}}
	}
	return c.Render(status, "provider_link.html", p)
}

func (h *Handler) linkProvider(c *call) error {
	var who oidc.Identity
	if !h.Auth.Kept("link "+c.Session.ID, c.form("kept"), &who) {
		return h.providerFault(c, oidc.ErrNotOurs)
	}
	if err := h.Auth.LinkIdentity(c.Ctx(), c.Who, who); errs.Is(err, errs.Conflict) {
		return h.linkPageOf(c, who, err)
	} else if err != nil {
		return err
	}
	return c.Done("/account/provider", "identity_linked")
}

func (h *Handler) unlinkProvider(c *call) error {
	if err := h.Auth.UnlinkIdentity(c.Ctx(), c.Who, c.form("id")); err != nil && !errs.Is(err, errs.NotFound) {
		return err
	}
	return c.Done("/account/provider", "identity_unlinked")
}

type providerRow struct {
	auth.Identity
	Here bool // of the provider in use
}

type providerView struct {
	Tabs   []web.Tab
	Name   string
	Rows   []providerRow
	Linked bool
}

func (h *Handler) providerPage(c *call) error {
	list, err := h.Auth.Identities(c.Ctx(), c.Who.ID)
	if err != nil {
		return err
	}
	v := &providerView{Tabs: c.tabs("provider"), Name: h.Provider.Name(c.Lang)}
	for _, i := range list {
		here := i.Issuer == h.Provider.Issuer
		v.Rows, v.Linked = append(v.Rows, providerRow{i, here}), v.Linked || here
	}
	return c.Render(http.StatusOK, "account_provider.html", &web.Page{Title: c.L.T("provider.title"), Crumbs: c.crumbs(), Data: v})
}

// Ways are the further ways to sign in, for the sign-in page.
func (h *Handler) Ways(l *i18n.Localizer) []web.Crumb {
	out := []web.Crumb{{Text: l.T("account.passkey_sign_in"), Path: PasskeyPath}}
	if h.Provider != nil {
		out = append(out, web.Crumb{Text: l.T("provider.sign_in", "name", h.Provider.Name(l.Lang())), Path: ProviderPath})
	}
	return out
}
