package telemetryweb

import (
	"net/http"
	"net/url"
	"strings"

	"plateau/internal/platform/errs"
	"plateau/internal/platform/httpd"
	"plateau/internal/web"
)

// loginView is the sign-in page.
type loginView struct {
	Name, Password web.Field
	Next           string
	Samples        []samplePost
	Ways           []web.Crumb
	Public         bool
}

type samplePost struct {
	Name, Password string
	Post           word
}

func (h *Handler) signInForm(c *call) error { return h.loginPage(c, http.StatusOK, nil) }

func (h *Handler) loginPage(c *call, status int, problems []web.FieldError) error {
	v := &loginView{
		Name:     web.Field{Name: "name", Label: c.l.T("login.name"), Auto: "username", Width: "medium", Value: c.r.PostFormValue("name")},
		Password: web.Field{Name: "password", Kind: "password", Label: c.l.T("login.password"), Auto: "current-password", Width: "medium"},
		Next:     c.next(),
		Public:   h.Public,
	}
	if h.SignInWays != nil {
		v.Ways = h.SignInWays(c.l)
	}
	for _, s := range h.SampleUsers {
		v.Samples = append(v.Samples, samplePost{s.Name, s.Password, c.name(s.Post)})
	}
	if len(problems) > 0 {
		v.Password.Error = problems[0].Text
	}
	return h.render(c, status, "login.html", &web.Page{Title: c.l.T("login.title"), Errors: problems, Data: v})
}

// next is where the reader wanted to go: an address of this host only.
func (c *call) next() string { return web.Local(c.r.FormValue("next")) }

func (h *Handler) signIn(c *call) error {
	step, err := h.Sessions.SignIn(c.w, c.r, strings.TrimSpace(c.r.PostFormValue("name")), c.r.PostFormValue("password"))
	switch {
	case errs.Is(err, errs.Unauthenticated):
		return h.loginPage(c, http.StatusUnprocessableEntity, []web.FieldError{{Field: "password", Text: c.l.T("login.wrong")}})
	case httpd.Status(err) == http.StatusTooManyRequests:
		return h.loginPage(c, http.StatusTooManyRequests, []web.FieldError{{Field: "password", Text: c.l.T("login.too_many")}})
	case err != nil:
		return err
	}
	if step != "" {
		return c.see(step + "?" + url.Values{"next": {c.next()}}.Encode())
	}
	if to := c.next(); to != "" {
		http.Redirect(c.w, c.r, to, http.StatusSeeOther) //nolint:gosec // next lets addresses of this host through only
		return nil
	}
	return c.see("/")
}

func (h *Handler) signOut(c *call) error {
	if err := h.Sessions.SignOut(c.w, c.r); err != nil {
		return err
	}
	return c.see("/login")
}
