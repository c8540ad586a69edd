package caseweb

import (
	"context"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/casework"
	"plateau/internal/platform/db"
	"plateau/internal/platform/evidence"
	"plateau/internal/platform/httpd"
	"plateau/internal/platform/i18n"
	"plateau/internal/testkit"
	"plateau/internal/web"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

var testEngine = sync.OnceValues(func() (*web.Engine, error) {
	return web.New(web.Options{Templates: []fs.FS{Templates()}, Version: "test"})
})

// region is a region with a prefecture and a county, and organisations there.
type region struct{}

var (
	parents = map[string]string{"540121": "540100", "540100": "540000", "540000": ""}
	bureaus = map[string]string{"water": "540121", "police": "540121", "far": "540200"}
)

func (region) Within(code, above string) bool {
	for ; code != ""; code = parents[code] {
		if code == above {
			return true
		}
	}
	return false
}

func (region) HasArea(code string) bool { _, ok := parents[code]; return ok }

func (region) Codes() []string { return slices.Sorted(maps.Keys(parents)) }

func (region) Unit(id string) (string, bool) { area, ok := bureaus[id]; return area, ok }

// week counts Mondays to Fridays, to 18:00.
type week struct{}

func (week) Due(start time.Time, span casework.Span) (time.Time, bool) {
	local := start.In(i18n.Zone)
	switch span.Unit {
	case casework.Hours, casework.WorkingHours:
		return local.Add(time.Duration(span.N) * time.Hour), false
	case casework.Days:
		return local.AddDate(0, 0, span.N), false
	case casework.WorkingDays:
	}
	for n := 0; n < span.N; {
		if local = local.AddDate(0, 0, 1); works(local) {
			n++
		}
	}
	return time.Date(local.Year(), local.Month(), local.Day(), 18, 0, 0, 0, i18n.Zone), true
}

func works(d time.Time) bool { return d.Weekday() != time.Saturday && d.Weekday() != time.Sunday }

func (week) WorkingDays(from, to time.Time) (n int) {
	last := to.In(i18n.Zone).Format(time.DateOnly)
	for d := from.In(i18n.Zone); d.Format(time.DateOnly) < last; {
		if d = d.AddDate(0, 0, 1); works(d) {
			n++
		}
	}
	return n
}

// rig is the pages over real cases and accounts behind the real edge.
type rig struct {
	t      *testing.T
	db     *db.DB
	cases  *casework.Service
	files  *evidence.Service
	auth   *auth.Service
	edge   http.Handler
	tokens map[string]string // by login
	ids    map[string]string // of accounts, by login
	now    time.Time
}

func newRig(t *testing.T, url string) *rig {
	t.Helper()
	engine, err := testEngine()
	if err != nil {
		t.Fatal(err)
	}
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	r := &rig{t: t, db: d, tokens: map[string]string{}, ids: map[string]string{}, now: time.Date(2026, 6, 1, 10, 0, 0, 0, i18n.Zone)}
	now := func() time.Time { return r.now }
	r.auth = auth.New(d, now, auth.Options{Cost: auth.Cost{Time: 1, MemoryKiB: 64, Threads: 1}})
	for _, u := range []auth.User{
		{Login: "clerk", Role: "office_clerk", Area: "540121"},
		{Login: "chief", Role: "general_chief", Area: "540100"},
		{Login: "warden", Role: "warden", Area: "540121"},
		{Login: "officer", Role: "officer", Area: "540121"},
		{Login: "water", Role: "person"},
		{Login: "citizen", Role: "person"},
		{Login: "stranger", Role: "person"},
	} {
		u.Post = auth.Post{Zh: u.Login + "岗"}
		if u, err = r.auth.AddUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		r.ids[u.Login] = u.ID
		if r.tokens[u.Login], _, err = r.auth.CreateToken(t.Context(), u.ID, "x", "", time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	if r.cases, err = casework.New(t.Context(), casework.Options{
		DB: d, Types: casework.Default(), Calendars: func(string) casework.Calendar { return week{} }, Places: region{}, Now: now, PostSees: func(_ context.Context, _ *casework.Case, post string) bool { return post == "p1" },
		Units: func(_ context.Context, p auth.Principal) ([]string, error) {
			if _, ok := bureaus[p.Login]; ok {
				return []string{p.Login}, nil
			}
			return nil, nil
		},
	}); err != nil {
		t.Fatal(err)
	}
	if r.files, err = evidence.New(evidence.Options{
		DB: d, Data: t.TempDir(), Unused: time.Hour, Unfinished: time.Hour, Now: now, Logger: slog.New(slog.DiscardHandler),
		Limits: func() (evidence.Limits, error) {
			const all = 1 << 20
			return evidence.Limits{Photo: all, Audio: all, Video: all, PDF: all, Track: all, Other: all, Pixels: 1e6, Decoded: 64 << 20, PerEvent: 3, Account: 10 << 20, Reserve: 1}, nil
		},
	}); err != nil {
		t.Fatal(err)
	}
	uploads, err := r.files.Uploads(UploadPath)
	if err != nil {
		t.Fatal(err)
	}
	name := func(s string) casework.Text { return casework.Text{Zh: s + "局", En: s + " bureau"} }
	mux := http.NewServeMux()
	New(Deps{
		Engine: engine, Cases: r.cases, Files: r.files, Uploads: uploads, Auth: r.auth, Now: now, From: func(*http.Request) string { return "192.0.2.1" },
		UnitName: func(id string) (casework.Text, bool) { _, ok := bureaus[id]; return name(id), ok },
		AreaName: func(code string) (casework.Text, bool) {
			return casework.Text{Zh: "区划" + code, En: "area " + code}, region{}.HasArea(code)
		},
		Areas: region{}.Codes, ContactDays: 30,
		PostsOn: func(context.Context, *casework.Case) ([]Choice, error) { return []Choice{{"p1", name("post p1")}}, nil },
		PostName: func(_ context.Context, id string) (casework.Text, bool) {
			return casework.Text{Zh: id, En: "the post " + id}, id == "p1"
		},
		UnitsIn: func(_ context.Context, area string) (out []Choice, err error) {
			for _, id := range []string{"police", "water"} {
				if (region{}).Within(area, bureaus[id]) {
					out = append(out, Choice{id, name(id)})
				}
			}
			return out, nil
		},
	}).Register(mux)
	edge := &httpd.Edge{Translate: func(r *http.Request) func(string, ...any) string { return i18n.Default().For(web.RequestLang(r)).T }}
	r.edge = httpd.Wrap(r.auth.Middleware(httpd.Mux(mux)), edge, slog.New(slog.DiscardHandler), now)
	return r
}

func eachDatabase(t *testing.T, fn func(t *testing.T, r *rig)) {
	t.Helper()
	for _, d := range testkit.Databases() {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			fn(t, newRig(t, d.URL(t)))
		})
	}
}

// as is who somebody is to the service.
func (r *rig) as(login string) auth.Principal {
	r.t.Helper()
	a, err := r.auth.Account(r.t.Context(), r.ids[login])
	if err != nil {
		r.t.Fatal(err)
	}
	return auth.Principal{ID: a.ID, Login: login, Post: a.Post, Role: a.Role, Area: a.Area}
}

// nobody is who has no account.
func (r *rig) nobody() (p auth.Principal) { return p }

// ask sends a request as somebody; "" is nobody.
func (r *rig) ask(login, method, target string, fields ...string) *httptest.ResponseRecorder {
	r.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(form.Encode())
	}
	req := httptest.NewRequestWithContext(r.t.Context(), method, target, body)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "text/html")
	if login != "" {
		req.Header.Set("Authorization", "Bearer "+r.tokens[login])
	}
	w := httptest.NewRecorder()
	r.edge.ServeHTTP(w, req)
	return w
}

// page is a page that must be there, say some words and lack others (which begin with
// a minus).
func (r *rig) page(login, target string, says ...string) string {
	r.t.Helper()
	w := r.ask(login, http.MethodGet, target)
	if w.Code != http.StatusOK {
		r.t.Fatalf("GET %s as %s: %d: %.2000s", target, login, w.Code, w.Body)
	}
	r.says(target+" as "+login, w.Body.String(), says...)
	return w.Body.String()
}

var markup = regexp.MustCompile(`<[^>]*>`)

func (r *rig) says(where, body string, says ...string) {
	r.t.Helper()
	text := strings.Join(strings.Fields(markup.ReplaceAllString(body, " ")), " ")
	for _, s := range says {
		want := !strings.HasPrefix(s, "-")
		if s = strings.TrimPrefix(s, "-"); (strings.Contains(text, s) || strings.Contains(body, s)) != want {
			r.t.Errorf("%s: %q is there: %t; %s", where, s, !want, text)
		}
	}
}

// post sends a form that must be taken, and returns where it leads.
func (r *rig) post(login, target string, fields ...string) string {
	r.t.Helper()
	w := r.ask(login, http.MethodPost, target, fields...)
	if w.Code != http.StatusSeeOther {
		r.t.Fatalf("POST %s as %s: %d: %.3000s", target, login, w.Code, markup.ReplaceAllString(w.Body.String(), " "))
	}
	return w.Header().Get("Location")
}

// refused sends a form that must not be taken.
func (r *rig) refused(login, target string, status int, fields ...string) string {
	r.t.Helper()
	w := r.ask(login, http.MethodPost, target, fields...)
	if w.Code != status {
		r.t.Fatalf("POST %s as %s: %d, want %d: %.3000s", target, login, w.Code, status, markup.ReplaceAllString(w.Body.String(), " "))
	}
	return w.Body.String()
}

// report is a case that the citizen reported.
func (r *rig) report() *casework.Case {
	r.t.Helper()
	c, _, err := r.cases.Open(r.t.Context(), casework.Opening{
		Kind: "river_case", Category: "litter", Severity: 3, Title: "岸边垃圾", Text: "桥下有垃圾", Source: "resident",
		Location: casework.Location{Area: "540121", Lat: 29.65, Lon: 91.1, Address: "大桥"},
	}, casework.Input{}, r.as("citizen"), casework.Request{})
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

func (r *rig) act(login, id, action string, form map[string]string) *casework.Case {
	r.t.Helper()
	c, _, err := r.cases.Act(r.t.Context(), id, action, casework.Input{Form: form}, r.as(login), casework.Request{})
	if err != nil {
		r.t.Fatalf("%s by %s: %v", action, login, err)
	}
	return c
}
