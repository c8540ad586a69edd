package peopleweb

import (
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/httpd"
	"plateau/internal/platform/i18n"
	"plateau/internal/platform/people"
	"plateau/internal/testkit"
	"plateau/internal/web"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

var testEngine = sync.OnceValues(func() (*web.Engine, error) {
	return web.New(web.Options{Templates: []fs.FS{Templates()}, Version: "test"})
})

// region is two prefectures with a county each, and one enterprise.
type region struct{}

var parents = map[string]string{"540121": "540100", "540221": "540200", "540100": "540000", "540200": "540000", "540000": ""}

func (region) Within(code, above string) bool {
	for ; code != ""; code = parents[code] {
		if code == above {
			return true
		}
	}
	return false
}

func (region) AreaLevel(code string) string {
	if _, ok := parents[code]; ok {
		return "county"
	}
	return ""
}
func (region) HasEnterprise(id string) bool { return id == "E1" }

func (region) AreaName(code string) (auth.Post, bool) {
	_, ok := parents[code]
	return auth.Post{Zh: "区划" + code}, ok
}
func (region) Areas() []string { return []string{"540000", "540100", "540121"} }

func (region) EnterpriseName(id string) (auth.Post, bool) {
	return auth.Post{Zh: "示例厂"}, id == "E1"
}

// rig is the pages over real accounts behind the real edge.
type rig struct {
	t      *testing.T
	people *people.Service
	auth   *auth.Service
	db     *db.DB
	edge   http.Handler
	tokens map[string]string // by login
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
	r := &rig{t: t, db: d, tokens: map[string]string{}, now: time.Date(2026, 11, 24, 8, 30, 0, 0, i18n.Zone)}
	now := func() time.Time { return r.now }
	r.auth = auth.New(d, now, auth.Options{Cost: auth.Cost{Time: 1, MemoryKiB: 64, Threads: 1}})
	r.people = people.New(d, now, region{}, nil)
	for _, u := range []auth.User{
		{Login: "operator", Role: "operator"},
		{Login: "admin1", Role: "administrator", Area: "540100"},
		{Login: "officer", Role: "officer", Area: "540121"},
		{Login: "company", Role: "enterprise", Enterprise: "E1"},
		{Login: "somebody", Role: "person"},
	} {
		u.Post = auth.Post{Zh: u.Login + "岗"}
		if u, err = r.auth.AddUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		if r.tokens[u.Login], _, err = r.auth.CreateToken(t.Context(), u.ID, "x", "", time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	mux := http.NewServeMux()
	New(Deps{Engine: engine, People: r.people, Auth: r.auth, Names: region{}, Now: now}).Register(mux)
	edge := &httpd.Edge{Translate: func(r *http.Request) func(string, ...any) string { return i18n.Default().For(web.RequestLang(r)).T }}
	r.edge = httpd.Wrap(r.auth.Middleware(httpd.Mux(mux)), edge, slog.New(slog.DiscardHandler), now)
	return r
}

// ask sends a request as somebody; "" is nobody.
func (r *rig) ask(login, method, target string, fields ...string) *httptest.ResponseRecorder {
	r.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
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

func (r *rig) page(login, target string, says ...string) string {
	r.t.Helper()
	w := r.ask(login, http.MethodGet, target)
	if w.Code != http.StatusOK {
		r.t.Fatalf("GET %s: %d: %.2000s", target, w.Code, w.Body)
	}
	for _, s := range says {
		if !strings.Contains(w.Body.String(), s) {
			r.t.Errorf("GET %s does not say %q: %s", target, s, w.Body)
		}
	}
	return w.Body.String()
}

// post sends a form and returns the id of the page it leads to.
func (r *rig) post(login, target, to string, fields ...string) string {
	r.t.Helper()
	w := r.ask(login, http.MethodPost, target, fields...)
	m := regexp.MustCompile("^" + to + "$").FindStringSubmatch(w.Header().Get("Location"))
	if w.Code != http.StatusSeeOther || m == nil {
		r.t.Fatalf("POST %s: %d to %q, want 303 to %q: %.4000s", target, w.Code, w.Header().Get("Location"), to, w.Body)
	}
	return m[len(m)-1]
}

func (r *rig) refused(login string, status int, target, says string, fields ...string) {
	r.t.Helper()
	w := r.ask(login, http.MethodPost, target, fields...)
	if w.Code != status || !strings.Contains(w.Body.String(), says) {
		r.t.Errorf("POST %s as %q: %d, want %d with %q: %.3000s", target, login, w.Code, status, says, w.Body)
	}
}

const someID = `([0-9a-f-]{36})`

// filled makes an organisation and a post with a holder through the pages.
func (r *rig) filled() (organisation, post string) {
	r.t.Helper()
	organisation = r.post("operator", "/en/organisations/new", "/en/organisations/"+someID, "kind", "authority", "name_zh", "示例局", "name_en", "Sample office", "area", "５４０１２１", "code", "11540121MB0X12345A")
	post = r.post("operator", "/en/posts/new", "/en/posts/"+someID, "organisation", organisation, "kind", "officer", "area", "540121", "title_zh", "值班岗", "title_bo", "ལས་གནས།", "title_en", "Duty post", "phone", "0891-1234567")
	r.post("operator", "/en/posts/"+post+"/appoint", "/en/posts/"+post, "account", "Somebody", "from", "2026年1月5日", "to", "2026-12-31")
	return organisation, post
}

func TestPages(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, database.URL(t))
			r.page("operator", "/en/posts", "No posts yet.")
			r.page("operator", "/en/posts/new", "add one first")
			organisation, post := r.filled()
			r.page("operator", "/en/posts", "Duty post", "Sample office", "0891-1234567", "somebody")
			r.page("officer", "/en/posts?day=2026-01-05&area=540121", "On 2026-01-05", "somebody", "2026-12-31")
			r.page("officer", "/en/posts?day=2026-01-04&area=540121", "Nobody held such a post then.")
			r.page("officer", "/en/posts?day=2026-01-05&area=540221", "Nobody held such a post then.")
			r.page("officer", "/en/posts?day=2026-01-05&post="+post, "somebody")
			if w := r.ask("officer", "GET", "/en/posts?day=monday"); w.Code != 422 || !strings.Contains(w.Body.String(), "Enter a date, for example") {
				t.Errorf("no day: %d", w.Code)
			}
			r.page("operator", "/en/organisations", "Sample office", "11540121MB0X12345A", "authority")
			r.page("operator", "/en/organisations/"+organisation, "Duty post", `name="name_zh"`)
			r.page("operator", "/en/posts/"+post, "somebody", "operator岗", "End now", "Appoint")

			// Mistakes come back with the form as it was sent.
			r.refused("operator", 422, "/en/posts/"+post+"/appoint", "is held in that time", "account", "officer", "from", "2026-06-01")
			r.refused("operator", 422, "/en/posts/"+post+"/appoint", `value="nobody"`, "account", "nobody", "from", "2027-06-01")
			r.refused("operator", 422, "/en/posts/"+post+"/appoint", "Enter a date", "account", "officer", "from", "soon")
			r.refused("operator", 422, "/en/posts/"+post+"/end", "what was stays as it was", "end_to", "2026-01-01")
			r.refused("operator", 422, "/en/posts/"+post+"/end", `id="end_to-error"`, "end_to", "")
			r.refused("operator", 422, "/en/posts/"+post, "Enter a phone number", "title_zh", "x", "phone", "none")
			r.refused("operator", 422, "/en/posts/new", "is not in the registry", "organisation", organisation, "kind", "officer", "title_zh", "x", "area", "999999")
			r.refused("operator", 422, "/en/organisations/new", "Enter a value", "kind", "authority")
			r.refused("operator", 404, "/en/posts/none/appoint", "", "account", "officer")
			r.refused("operator", 404, "/en/posts/"+post+"/end-appointment", "", "id", "none")

			// End, correct, end the post.
			m := regexp.MustCompile(`name="id" value="` + someID + `"`).FindStringSubmatch(r.page("operator", "/en/posts/"+post))
			if m == nil {
				t.Fatal("no form ends the appointment")
			}
			r.post("operator", "/en/posts/"+post+"/end-appointment", "/en/posts/"+post, "id", m[1])
			r.page("operator", "/en/posts/"+post, "2026-11-24 08:30")
			r.post("operator", "/en/posts/"+post+"/end-appointment", "/en/posts/"+post, "id", m[1]) // twice is once
			r.post("operator", "/en/posts/"+post, "/en/posts/"+post, "title_zh", "新名", "several", "1")
			r.page("operator", "/zh/posts/"+post, "新名", "可由多人同时担任")
			r.post("operator", "/en/posts/"+post+"/end", "/en/posts/"+post, "end_to", "2026-11-30")
			r.page("operator", "/en/posts/"+post, "2026-11-30")
			r.post("operator", "/en/organisations/"+organisation, "/en/organisations/"+organisation, "kind", "other", "name_zh", "另局", "area", "540121")
			acts := map[string]int{}
			if err := audit.List(t.Context(), r.db, audit.Filter{}, func(e *audit.Entry) bool {
				acts[e.Act]++
				if e.Who != "system" && e.Post != "operator岗" && (e.Act != "post.list" || e.Post == "") {
					t.Errorf("entry without the post it was done in: %+v", e)
				}
				return true
			}); err != nil {
				t.Fatal(err)
			}
			for _, act := range []string{"organisation.add", "organisation.change", "post.add", "post.change", "post.end", "appointment.make", "appointment.end"} {
				if acts[act] != 1 {
					t.Errorf("%d entries of %s: %v", acts[act], act, acts)
				}
			}
			if acts["post.list"] == 0 || acts["post.view"] == 0 { // whose logins are shown learns of it
				t.Errorf("looks at who holds the posts: %v", acts)
			}
		})
	}
}

// TestAcrossAreas: an administrator of one prefecture reaches nothing of another
// one, whatever address is guessed.
func TestAcrossAreas(t *testing.T) {
	t.Parallel()
	r := newRig(t, testkit.Databases()[0].URL(t))
	mine, _ := r.filled()
	other := r.post("operator", "/en/organisations/new", "/en/organisations/"+someID, "kind", "authority", "name_zh", "别局", "area", "540221")
	theirs := r.post("operator", "/en/posts/new", "/en/posts/"+someID, "organisation", other, "kind", "officer", "area", "540221", "title_zh", "别岗")
	whole := r.post("operator", "/en/posts/new", "/en/posts/"+someID, "organisation", other, "kind", "officer", "title_zh", "全区岗")
	high := r.post("operator", "/en/posts/new", "/en/posts/"+someID, "organisation", mine, "kind", "auditor", "area", "540121", "title_zh", "审计岗")
	r.post("operator", "/en/posts/"+theirs+"/appoint", "/en/posts/"+theirs, "account", "somebody")
	m := regexp.MustCompile(`name="id" value="` + someID + `"`).FindStringSubmatch(r.page("operator", "/en/posts/"+theirs))

	const area, kind = "outside of what your post may appoint for", "may not appoint to posts of the kind"
	for _, post := range []string{theirs, whole} {
		if body := r.page("admin1", "/en/posts/"+post); regexp.MustCompile(`method="post" action="/en/(posts|organisations)`).MatchString(body) {
			t.Error("forms for a post that is not theirs")
		}
		r.refused("admin1", 403, "/en/posts/"+post+"/appoint", area, "account", "officer")
		r.refused("admin1", 403, "/en/posts/"+post, area, "title_zh", "x")
		r.refused("admin1", 403, "/en/posts/"+post+"/end", area, "end_to", "2026-12-31")
	}
	r.refused("admin1", 403, "/en/posts/"+theirs+"/end-appointment", area, "id", m[1])
	r.refused("admin1", 404, "/en/posts/"+high+"/end-appointment", "", "id", m[1]) // by the address of another post
	r.refused("admin1", 403, "/en/organisations/"+other, area, "kind", "other", "name_zh", "x", "area", "540121")
	r.refused("admin1", 403, "/en/organisations/"+mine, area, "kind", "other", "name_zh", "x", "area", "540221")
	r.refused("admin1", 403, "/en/posts/new", area, "organisation", other, "kind", "officer", "area", "540221", "title_zh", "x")
	r.refused("admin1", 403, "/en/posts/"+high+"/appoint", kind, "account", "officer")
	r.refused("admin1", 403, "/en/posts/new", kind, "organisation", mine, "kind", "operator", "area", "540121", "title_zh", "x")
	own := r.post("admin1", "/en/posts/new", "/en/posts/"+someID, "organisation", mine, "kind", "officer", "area", "540121", "title_zh", "本岗")
	r.refused("admin1", 403, "/en/posts/"+own+"/appoint", "Nobody appoints themselves", "account", "admin1")
	r.post("admin1", "/en/posts/"+own+"/appoint", "/en/posts/"+own, "account", "officer")

	// Who may only look finds no form, and who may not look finds nothing.
	for _, path := range []string{"/en/posts/" + own, "/en/organisations/" + mine} {
		if body := r.page("officer", path); regexp.MustCompile(`method="post" action="/en/(posts|organisations)`).MatchString(body) {
			t.Errorf("%s has a form for somebody who may not", path)
		}
		for login, want := range map[string]int{"company": 403, "somebody": 403, "": 303} {
			if w := r.ask(login, "GET", path); w.Code != want {
				t.Errorf("%s as %q: %d, want %d", path, login, w.Code, want)
			}
		}
	}
	r.refused("officer", 403, "/en/posts/"+own+"/appoint", "", "account", "somebody")
}

var (
	h1     = regexp.MustCompile(`(?s)<h1>(.*?)</h1>`)
	titles = regexp.MustCompile(`(?s)<title>(.*?)</title>`)
	ids    = regexp.MustCompile(` id="([^"]*)"`)
	rawKey = regexp.MustCompile(`>[^<]*\b(people|account|common|done|err)\.[a-z_]+[^<]*<`)
)

// TestEveryPageInThreeLanguages draws each page in each language; the texts are
// those of the catalogue and ids are given once.
func TestEveryPageInThreeLanguages(t *testing.T) {
	t.Parallel()
	r := newRig(t, testkit.Databases()[0].URL(t))
	engine, err := testEngine()
	if err != nil {
		t.Fatal(err)
	}
	if missing := engine.MissingKeys(); len(missing) > 0 {
		t.Errorf("keys without words: %v", missing)
	}
	organisation, post := r.filled()
	for _, pattern := range Pages() {
		for _, lang := range i18n.Langs() {
			path := "/" + string(lang) + strings.NewReplacer("/posts/{id}", "/posts/"+post, "/organisations/{id}", "/organisations/"+organisation).Replace(pattern)
			for _, login := range []string{"operator", "officer"} {
				if login == "officer" && strings.HasSuffix(pattern, "/new") {
					continue
				}
				body := r.page(login, path)
				heads := h1.FindAllStringSubmatch(body, -1)
				if m := titles.FindStringSubmatch(body); len(heads) != 1 || m == nil || !strings.HasPrefix(m[1], heads[0][1]) {
					t.Errorf("%s: %d h1 %v, title %v", path, len(heads), heads, m)
				}
				if m := rawKey.FindString(body); m != "" {
					t.Errorf("%s: untranslated %s", path, m)
				}
				seen := map[string]bool{}
				for _, m := range ids.FindAllStringSubmatch(body, -1) {
					if seen[m[1]] {
						t.Errorf("%s: id %s twice", path, m[1])
					}
					seen[m[1]] = true
				}
				if strings.Contains(body, "<script>") || strings.Contains(body, " style=") || strings.Contains(body, " onclick=") {
					t.Errorf("%s: the content security policy keeps that from working", path)
				}
			}
		}
	}
}
