package kit

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/web"
)

// Module is what the pages of a module have in common.
type Module struct {
	Engine *web.Engine                      // made with the module's templates among its own
	Link   string                           // key of the top bar's link that is current on its pages; "" = none
	Words  string                           // what the catalogue keys of its fields begin with, such as "people"
	Links  func(r *http.Request) []web.Link // modules that who asks may open; nil: none
	Now    func() time.Time
	pages  []string
}

// Call is one request with what every page needs of it.
type Call struct {
	W       http.ResponseWriter
	R       *http.Request
	Lang    i18n.Lang
	L       *i18n.Localizer
	Who     auth.Principal // the zero value is nobody
	Session auth.Session   // the zero value with a token and for nobody
	Now     time.Time
	m       *Module
}

func (m *Module) call(w http.ResponseWriter, r *http.Request) *Call {
	lang, ctx := web.RequestLang(r), r.Context()
	return &Call{W: w, R: r, Lang: lang, L: m.Engine.Localizer(lang), Who: auth.From(ctx), Session: auth.SessionFrom(ctx), Now: m.Now(), m: m}
}

// Pages that lead back to where the reader was.
const (
	signInPath  = "/login"
	confirmPath = "/account/confirm"
)

// maxBody bounds what a form may send, in bytes.
const maxBody = 64 << 10

// admit reports whether an address serves who asks, and reads the form that was
// sent. Where it does not they were sent on, or err says why.
func (c *Call) admit(a *Address) (on bool, err error) {
	switch {
	case a.May == access.Open:
	case a.Person && c.Who.Token:
		return false, errs.New(errs.Forbidden, "err.auth.person_only")
	case a.Person && c.Session.ID == "", !c.Who.Known():
		c.W.Header().Add("Vary", "Cookie")
		return false, c.detour(a, signInPath)
	case !c.Holds(a.May):
		return false, errs.New(errs.Forbidden, "problem.forbidden", "permission", c.L.T("permission."+string(a.May)))
	case a.Fresh && !c.Session.Fresh(c.Now):
		return false, c.detour(a, confirmPath)
	}
	if a.Method == http.MethodPost {
		most := int64(maxBody)
		if a.Bytes > 0 && strings.HasPrefix(c.R.Header.Get("Content-Type"), "multipart/form-data") {
			most = a.Bytes // ParseForm leaves its body unread
		}
		c.R.Body = http.MaxBytesReader(c.W, c.R.Body, most)
		if err := c.R.ParseForm(); err != nil {
			return false, errs.Wrap(err, errs.Malformed, "")
		}
	}
	return true, nil
}

// detour sends the reader to a page first that leads back here. A form that was
// sent is not sent again from there: a person comes back to the page it stands on.
func (c *Call) detour(a *Address, path string) error {
	to, back := url.Values{}, c.R.URL.RequestURI()
	if a.Method == http.MethodPost {
		at := a.Path
		for back = c.R.URL.EscapedPath(); at != "" && !slices.Contains(c.m.pages, at); at = above(at) {
			back = above(back)
		}
		if at == "" { // no page stands above the form: the first one of the program
			back += "/"
		}
	}
	if a.Person || a.Method != http.MethodPost {
		to.Set("next", back)
	}
	return c.See(path + "?" + to.Encode())
}

// above is a path without its last part.
func above(path string) string { return path[:strings.LastIndexByte(path, '/')] }

// Ctx is the context of the request.
func (c *Call) Ctx() context.Context { return c.R.Context() }

// Path is an address of the program in the reader's language.
func (c *Call) Path(p string) string { return web.Path(c.Lang, p) }

// Query is a parameter of the address, without spaces around it.
func (c *Call) Query(name string) string { return strings.TrimSpace(c.R.URL.Query().Get(name)) }

// Form is what was entered in a field, without spaces around it.
func (c *Call) Form(name string) string { return strings.TrimSpace(c.R.PostFormValue(name)) }

// Holds reports whether who asks holds a permission at all.
func (c *Call) Holds(p access.Permission) bool { return access.Default().Opens(c.Who.Grants(), p) }

// See sends the reader on to a page of the program; back then always works.
func (c *Call) See(path string) error {
	http.Redirect(c.W, c.R, c.Path(path), http.StatusSeeOther) //nolint:gosec // begins with "/" and one of three languages
	return nil
}

// Done is See to a page that says once, in the words of the key "done."+key, what
// was done.
func (c *Call) Done(path, key string) error {
	web.SetDone(c.W, key)
	return c.See(path)
}

// Next is where the reader was before a detour: an address of this host, or "".
func (c *Call) Next() string { return web.Local(c.R.FormValue("next")) }

// Return ends a detour: the reader goes back to next where that is an address of
// this host, else to a page of the program.
func (c *Call) Return(next, path string) error {
	if web.Local(next) == "" {
		return c.See(path)
	}
	http.Redirect(c.W, c.R, web.Local(next), http.StatusSeeOther)
	return nil
}

// Render serves a page with what all pages have: who is signed in, the modules they
// may open, what was just done.
func (c *Call) Render(status int, name string, p *web.Page) error {
	if c.Who.Known() {
		p.User = &web.User{Post: c.Who.Post.In(string(c.Lang))}
	}
	p.Notices = append(web.TakeDone(c.W, c.R, c.L), p.Notices...)
	if c.Who.Unsettled {
		p.Notices = append(p.Notices, web.Notice{Kind: "warn", Text: c.L.T("account.factor_first")})
	}
	p.Module, p.Links = c.m.Link, []web.Link{}
	if c.m.Links != nil {
		p.Links = c.m.Links(c.R)
	}
	return c.m.Engine.Serve(c.W, c.R, status, name, p)
}
