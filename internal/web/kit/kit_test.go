package kit

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/httpd"
	"plateau/internal/platform/i18n"
	"plateau/internal/web"
)

var testEngine = sync.OnceValues(func() (*web.Engine, error) {
	return web.New(web.Options{Version: "test", Templates: []fs.FS{fstest.MapFS{
		"note.html": {Data: []byte(`{{define "content"}}<h1>{{.Title}}</h1>{{range .Data}}{{template "field" .}}{{end}}{{end}}`)},
	}}})
})

var at = time.Date(2026, 11, 24, 8, 30, 0, 0, time.UTC)

// notes is the handler of a module for tests; it keeps what was sent.
type notes struct{ kept []string }

// noteCall is a call of its own.
type noteCall struct{ *Call }

func (n *notes) show(c *noteCall) error { return n.page(c, nil) }

func (n *notes) page(c *noteCall, wrong error) error {
	fields := []web.Field{c.Field("day", c.Form("day"), false), c.Choose("post", c.Form("post"), web.Option{Value: "a", Text: "A"}, web.Option{Value: "b", Text: "B"})}
	p := &web.Page{Title: "Notes", Crumbs: c.Crumbs("people.title", "/posts", "people.organisations", "/organisations"), Data: fields}
	status, err := c.Faults(wrong, p, Pointers(fields)...)
	if err != nil {
		return err
	}
	return c.Render(status, "note.html", p)
}

func (n *notes) add(c *noteCall) error {
	day := c.Form("day")
	var bad errs.Checks
	bad.Require(day != "", "day", "err.field.required")
	bad.Require(c.Form("post") != "", "elsewhere", "err.field.date")
	if err := bad.Err(); err != nil {
		return n.page(c, err)
	}
	switch day {
	case "gone":
		return n.page(c, errs.New(errs.NotFound, "err.not_found"))
	case "taken":
		return n.page(c, &errs.Error{Kind: errs.Conflict, Fields: []errs.Field{{Name: "day", Key: "err.field.date"}}})
	}
	n.kept = append(n.kept, day)
	return c.Done("/notes", "delegated")
}

func (n *notes) file(c *noteCall) error {
	_, err := io.WriteString(c.W, "a,b")
	return err
}

const may = access.Permission("platform.posts")

func noteRoutes() []Route[*notes, *noteCall] {
	return []Route[*notes, *noteCall]{
		Get("/notes", may, (*notes).show),
		Post("/notes", may, (*notes).add),
		Get("/notes.csv", may, (*notes).file),
		Post("/notes/{id}/erase", may, (*notes).add),
		Get("/open", access.Open, (*notes).show),
		{Address: Address{Method: "GET", Path: "/away", May: access.Open, Passing: true}, Serve: (*notes).show},
	}
}

// rig is the module behind an edge that words errors.
type rig struct {
	notes
	t   *testing.T
	mux *http.ServeMux
	m   Module
}

func newRig(t *testing.T) *rig {
	t.Helper()
	engine, err := testEngine()
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, mux: http.NewServeMux(), m: Module{
		Engine: engine, Link: "registry", Words: "people", Now: func() time.Time { return at },
		Links: func(*http.Request) []web.Link {
			return []web.Link{{Key: "overview", Path: "/"}, {Key: "registry", Path: "/posts"}}
		},
	}}
	Register(r.mux, r.m, &r.notes, noteRoutes(), func(c *Call) *noteCall { return &noteCall{c} })
	return r
}

var edge = &httpd.Edge{Translate: func(r *http.Request) func(string, ...any) string { return i18n.Default().For(web.RequestLang(r)).T }}

func request(t *testing.T, who auth.Principal, method, target string, form url.Values) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(auth.With(httpd.WithEdge(t.Context(), edge), who), method, target, strings.NewReader(form.Encode()))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

func (r *rig) ask(who auth.Principal, method, target string, form url.Values) *httptest.ResponseRecorder {
	r.t.Helper()
	w := httptest.NewRecorder()
	r.mux.ServeHTTP(w, request(r.t, who, method, target, form))
	return w
}

var (
	nobody  auth.Principal
	auditor = auth.Principal{ID: "u1", Role: "auditor", Post: auth.Post{Zh: "审计岗", En: "Auditor"}}
	program = auth.Principal{ID: "u1", Role: "auditor", Token: true}
	person  = auth.Principal{ID: "u2", Role: "person"} // holds nothing here
)

// TestWhomRoutesServe: who must sign in or prove who they are is led there with the
// way back, who may not is told which permission is missing, and nothing is served.
func TestWhomRoutesServe(t *testing.T) {
	t.Parallel()
	engine, err := testEngine()
	if err != nil {
		t.Fatal(err)
	}
	m := Module{Engine: engine, Now: func() time.Time { return at }, pages: []string{"/notes", "/notes/{id}"}}
	plain, inPerson, fresh := Address{May: may}, Address{May: may, Person: true}, Address{May: may, Person: true, Fresh: true}
	old, young := auth.Session{ID: "s", Proved: at.Add(-auth.ProofLife)}, auth.Session{ID: "s", Proved: at.Add(time.Second - auth.ProofLife)}
	login := func(back string) string { return "303 /bo/login?next=" + url.QueryEscape(back) }
	confirm := func(back string) string { return "303 /bo/account/confirm?next=" + url.QueryEscape(back) }
	for name, tt := range map[string]struct {
		route        Address
		method, path string // of the route
		who          auth.Principal
		session      auth.Session
		want         string
	}{
		"nobody":                            {plain, "GET", "/notes", nobody, auth.Session{}, login("/bo/notes?day=1&b=%2F")},
		"nobody with a form":                {plain, "POST", "/notes/{id}/erase", nobody, auth.Session{}, "303 /bo/login?"},
		"nobody where all may":              {Address{May: access.Open}, "GET", "/notes", nobody, auth.Session{}, "served"},
		"a program":                         {plain, "POST", "/notes", program, auth.Session{}, "served"},
		"without the permission":            {plain, "GET", "/notes", person, auth.Session{}, "403 problem.forbidden"},
		"a token where people are meant":    {inPerson, "GET", "/notes", program, auth.Session{}, "403 err.auth.person_only"},
		"a token before its permission":     {fresh, "POST", "/notes", auth.Principal{ID: "u2", Role: "person", Token: true}, auth.Session{}, "403 err.auth.person_only"},
		"nobody where people are meant":     {inPerson, "GET", "/notes", nobody, auth.Session{}, login("/bo/notes?day=1&b=%2F")},
		"nobody with a person's form":       {inPerson, "POST", "/notes/{id}/erase", nobody, auth.Session{}, login("/bo/notes/a%2Fb")},
		"neither a session nor a token":     {inPerson, "POST", "/notes", auditor, auth.Session{}, login("/bo/notes")},
		"a form on the page of its path":    {inPerson, "POST", "/notes/{id}", nobody, auth.Session{}, login("/bo/notes/a%2Fb")},
		"a form two steps below its page":   {inPerson, "POST", "/notes/x/y", nobody, auth.Session{}, login("/bo/notes")},
		"a form without a page above it":    {inPerson, "POST", "/elsewhere/x", nobody, auth.Session{}, login("/bo/")},
		"a person":                          {inPerson, "GET", "/notes", auditor, old, "served"},
		"a person without the permission":   {fresh, "GET", "/notes", person, old, "403 problem.forbidden"},
		"proved too long ago":               {fresh, "GET", "/notes", auditor, old, confirm("/bo/notes?day=1&b=%2F")},
		"proved too long ago, with a form":  {fresh, "POST", "/notes/{id}/erase", auditor, old, confirm("/bo/notes/a%2Fb")},
		"proved just now":                   {fresh, "POST", "/notes/{id}/erase", auditor, young, "served"},
		"proved just now, no permission":    {fresh, "POST", "/notes/{id}/erase", person, young, "403 problem.forbidden"},
		"a form to a page that only passes": {fresh, "POST", "/notes/{id}/away", auditor, old, confirm("/bo/notes/a%2Fb")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.route.Method, tt.route.Path = tt.method, tt.path
			w := httptest.NewRecorder()
			c := m.call(w, request(t, tt.who, tt.method, "/bo"+strings.ReplaceAll(tt.path, "{id}", "a%2Fb")+"?day=1&b=%2F", nil))
			c.Session = tt.session
			on, err := c.admit(&tt.route)
			got := "served"
			switch {
			case err != nil:
				got = fmt.Sprint(httpd.Status(err), " ", strings.Fields(err.Error())[1])
			case !on:
				got = fmt.Sprint(w.Code, " ", w.Header().Get("Location"))
			}
			if got != tt.want || on != (tt.want == "served") {
				t.Errorf("%s, want %s", got, tt.want)
			}
			if strings.Contains(got, "/login") != (w.Header().Get("Vary") == "Cookie") {
				t.Errorf("%s varies by %q", got, w.Header().Get("Vary"))
			}
		})
	}
}

// TestReturn: a detour leads back, on this host only.
func TestReturn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for next, want := range map[string]string{
		"/en/notes?day=1": "/en/notes?day=1", "": "/en/account", "https://evil.example/": "/en/account", "//evil.example": "/en/account", `/\evil.example`: "/en/account",
	} {
		w := httptest.NewRecorder()
		c := r.m.call(w, request(t, auditor, "GET", "/en/x?"+url.Values{"next": {next}}.Encode(), nil))
		if err := c.Return(c.Next(), "/account"); err != nil || w.Code != http.StatusSeeOther || w.Header().Get("Location") != want {
			t.Errorf("from %q: %d to %q, want %q: %v", next, w.Code, w.Header().Get("Location"), want, err)
		}
	}
}

// TestRefusalWords: who lacks a permission reads which in the language of the page.
func TestRefusalWords(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, lang := range i18n.Langs() {
		w := r.ask(person, "GET", "/"+string(lang)+"/notes", nil)
		var d httpd.Details
		if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil || w.Code != http.StatusForbidden {
			t.Fatalf("%s: %d %s: %v", lang, w.Code, w.Body, err)
		}
		if l := i18n.Default().For(lang); d.Detail != l.T("problem.forbidden", "permission", l.T("permission."+string(may))) {
			t.Errorf("%s: %s", lang, d.Detail)
		}
	}
}

// TestAddresses: pages stand below each language; without one they lead to the
// reader's, forms do not.
func TestAddresses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, lang := range i18n.Langs() {
		if w := r.ask(auditor, "GET", "/"+string(lang)+"/notes", nil); w.Code != http.StatusOK || w.Header().Get("Content-Language") != lang.Tag() {
			t.Errorf("%s: %d in %q", lang, w.Code, w.Header().Get("Content-Language"))
		}
	}
	req := request(t, nobody, "GET", "/notes?day=1", nil)
	req.Header.Set("Accept-Language", "bo")
	w := httptest.NewRecorder()
	r.mux.ServeHTTP(w, req)
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/bo/notes?day=1" {
		t.Errorf("without a language: %d to %q", w.Code, w.Header().Get("Location"))
	}
	if w := r.ask(auditor, "POST", "/notes", url.Values{"day": {"x"}, "post": {"a"}}); w.Code != http.StatusMethodNotAllowed || r.kept != nil {
		t.Errorf("a form without a language: %d, kept %q", w.Code, r.kept)
	}
	if got, want := Pages(noteRoutes()), []string{"/notes", "/open"}; !slices.Equal(got, want) {
		t.Errorf("pages %q, want %q", got, want)
	}
	if got := Declared(noteRoutes()); len(got) != 6 || got[3] != (access.Route{Method: "POST", Path: "/{lang}/notes/{id}/erase", May: may}) {
		t.Errorf("declared %v", got)
	}
	if rt := noteRoutes()[3].Fresh(); !rt.Person || !rt.Address.Fresh {
		t.Errorf("fresh is %+v", rt.Address)
	}
	defer func() {
		if recover() == nil {
			t.Error("a route that does not say what opens it was mounted")
		}
	}()
	Register(http.NewServeMux(), r.m, &r.notes, []Route[*notes, *noteCall]{Get("/x", "", (*notes).show)}, func(c *Call) *noteCall { return &noteCall{c} })
}

// TestForm: a form that is right is kept and told of once, one that is wrong comes
// back with what is wrong beside its fields, and one too long is not read.
func TestForm(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w := r.ask(auditor, "POST", "/en/notes", url.Values{"day": {" 1 "}, "post": {"a"}})
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/en/notes" || !slices.Equal(r.kept, []string{"1"}) {
		t.Fatalf("right: %d to %q, kept %q", w.Code, w.Header().Get("Location"), r.kept)
	}
	done := i18n.Default().For(i18n.En).T("done.delegated")
	req := request(t, auditor, "GET", "/en/notes", nil)
	req.AddCookie(w.Result().Cookies()[0])
	w = httptest.NewRecorder()
	r.mux.ServeHTTP(w, req)
	if !strings.Contains(w.Body.String(), done) || w.Result().Cookies()[0].MaxAge >= 0 {
		t.Errorf("the page behind does not say %q once: %s", done, w.Body)
	}

	w = r.ask(auditor, "POST", "/en/notes", url.Values{"day": {" "}})
	l := i18n.Default().For(i18n.En)
	for _, want := range []string{
		`<a href="#day">` + l.T("err.field.required"), `<a href="#elsewhere">` + l.T("err.field.date"), `id="day-error"`, l.T("people.field_day"), l.T("people.hint_day"), l.T("people.field_post"),
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("wrong: the page does not have %q: %s", want, w.Body)
		}
	}
	if w.Code != http.StatusUnprocessableEntity || strings.Contains(w.Body.String(), `id="elsewhere-error"`) || strings.Contains(w.Body.String(), `id="post-error"`) {
		t.Errorf("wrong: %d: %s", w.Code, w.Body)
	}
	if w := r.ask(auditor, "POST", "/en/notes", url.Values{"post": {"b"}}); !strings.Contains(w.Body.String(), `<option value="b" selected>`) {
		t.Errorf("what was chosen is lost: %s", w.Body)
	}
	for day, want := range map[string]int{"gone": http.StatusNotFound, "taken": http.StatusConflict} {
		if w := r.ask(auditor, "POST", "/en/notes", url.Values{"day": {day}, "post": {"b"}}); w.Code != want {
			t.Errorf("nothing to mend in the form: %d, want %d", w.Code, want)
		}
	}

	if w := r.ask(auditor, "POST", "/en/notes", url.Values{"day": {strings.Repeat("x", maxBody-20)}, "post": {"a"}}); w.Code != http.StatusSeeOther {
		t.Errorf("as long as allowed: %d", w.Code)
	}
	r.kept = nil
	if w := r.ask(auditor, "POST", "/en/notes", url.Values{"day": {strings.Repeat("x", maxBody)}, "post": {"a"}}); w.Code != http.StatusRequestEntityTooLarge || r.kept != nil {
		t.Errorf("too long: %d, kept %d", w.Code, len(r.kept))
	}
	if w := r.ask(nobody, "POST", "/en/notes", url.Values{"day": {"1"}, "post": {"a"}}); w.Code != http.StatusSeeOther || r.kept != nil {
		t.Errorf("nobody's: %d, kept %q", w.Code, r.kept)
	}
	broken := request(t, auditor, "POST", "/en/notes", nil)
	broken.Body = io.NopCloser(strings.NewReader("day=%zz"))
	w = httptest.NewRecorder()
	if r.mux.ServeHTTP(w, broken); w.Code != http.StatusBadRequest {
		t.Errorf("broken: %d", w.Code)
	}
}

// TestRender: a page shows who is signed in, their modules with its own marked, and
// what they must do first.
func TestRender(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	unsettled := person
	unsettled.Unsettled = true
	l := i18n.Default().For(i18n.En)
	for name, tt := range map[string]struct {
		who       auth.Principal
		has, none []string
	}{
		"an auditor":           {auditor, []string{"Auditor", `href="/en/posts" aria-current="page"`, l.T("people.organisations")}, []string{l.T("account.factor_first")}},
		"nobody":               {nobody, []string{l.T("nav.registry")}, []string{"Auditor"}},
		"without their factor": {unsettled, []string{l.T("account.factor_first")}, nil},
	} {
		w := r.ask(tt.who, "GET", "/en/open", nil)
		for _, s := range tt.has {
			if !strings.Contains(w.Body.String(), s) {
				t.Errorf("%s: the page lacks %q: %s", name, s, w.Body)
			}
		}
		for _, s := range tt.none {
			if strings.Contains(w.Body.String(), s) {
				t.Errorf("%s: the page has %q", name, s)
			}
		}
	}
	r.m.Links = nil
	w := httptest.NewRecorder()
	c := r.m.call(w, request(t, auditor, "GET", "/en/open", nil))
	if err := c.Render(http.StatusOK, "note.html", &web.Page{Title: "Notes", Data: []web.Field{}}); err != nil || strings.Contains(w.Body.String(), l.T("nav.registry")) {
		t.Errorf("without modules: %v: %s", err, w.Body)
	}
}
