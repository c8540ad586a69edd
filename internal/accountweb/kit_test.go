package accountweb

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"plateau/internal/platform/access"
	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/httpd"
	"plateau/internal/platform/i18n"
	"plateau/internal/platform/notify"
	"plateau/internal/platform/people"
	"plateau/internal/web"
)

var testEngine = sync.OnceValues(func() (*web.Engine, error) {
	return web.New(web.Options{Templates: []fs.FS{Templates()}, Version: "test"})
})

// nowhere has no areas and no enterprises.
type nowhere struct{}

func (nowhere) Within(string, string) bool { return false }
func (nowhere) AreaLevel(string) string    { return "" }
func (nowhere) HasEnterprise(string) bool  { return false }

// rig is the pages over real accounts behind the real edge, at a clock of its own.
type rig struct {
	*auth.Service
	people  *people.Service
	edge    http.Handler
	tell    *notify.Service
	out     *outbox
	senders map[notify.Channel]notify.Sender
	db      *db.DB
	logs    *strings.Builder

	changed []Change // what acts on the registry did
	mu      sync.Mutex
	at      time.Time
}

func (r *rig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at
}

func (r *rig) changes(context.Context, string) ([]Change, error) { return r.changed, nil }

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = r.at.Add(d)
}

func newRig(t *testing.T) *rig {
	t.Helper()
	return newRigOn(t, filepath.Join(t.TempDir(), "plateau.db"), nil)
}

// newRigOn is newRig over a database, with an identity provider.
func newRigOn(t *testing.T, url string, p *Provider) *rig {
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
	r := &rig{at: time.Date(2026, 11, 24, 8, 30, 0, 0, time.UTC), db: d, logs: &strings.Builder{}}
	r.people = people.New(d, r.now, nowhere{}, func() { r.Forget() })
	r.Service = auth.New(d, r.now, auth.Options{Cost: auth.Cost{Time: 1, MemoryKiB: 64, Threads: 1}, Posts: r.people})
	if _, err := r.EnsureSamples(t.Context(), "E1", "", ""); err != nil {
		t.Fatal(err)
	}
	r.out = &outbox{}
	r.senders = map[notify.Channel]notify.Sender{notify.Mail: r.out, notify.SMS: r.out, notify.Webhook: r.out}
	if r.tell, err = notify.New(notify.Options{
		DB: d, Kinds: []notify.Kind{{Name: "alarm_raised", Permission: "telemetry.view"}, {Name: "alarm_warning", Permission: "telemetry.view"}}, Accounts: accounts,
		Areas: func() access.Areas { return nil }, Now: r.now, Private: true, Collect: -1, Poll: 5 * time.Millisecond,
		Senders: r.senders,
	}); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	New(Deps{Engine: engine, Auth: r.Service, DB: d, People: r.people, Notify: r.tell, Changes: r.changes, Now: r.now, Provider: p}).Register(mux)
	edge := &httpd.Edge{Translate: func(r *http.Request) func(string, ...any) string { return i18n.Default().For(web.RequestLang(r)).T }}
	r.edge = httpd.Wrap(audit.Middleware(func(q *http.Request) string { return r.Client(q).Address }, r.Middleware(httpd.Mux(mux))), edge, slog.New(slog.NewTextHandler(r.logs, &slog.HandlerOptions{Level: slog.LevelDebug})), r.now)
	return r
}

// browser is one with its cookies.
type browser struct {
	*rig
	t       *testing.T
	cookies map[string]string
}

func (r *rig) browser(t *testing.T) *browser {
	t.Helper()
	return &browser{r, t, map[string]string{}}
}

// signedIn is a browser of an account, in which a sign-in has just happened.
func (r *rig) signedIn(t *testing.T, login string) *browser {
	t.Helper()
	secret, _, err := r.SignIn(t.Context(), login, login+"-sample", auth.Client{Address: "192.0.2.1", Browser: "Firefox"})
	if err != nil {
		t.Fatal(err)
	}
	b := r.browser(t)
	b.cookies[auth.CookieName] = secret
	return b
}

// waiting is a browser in which a right password was just given, for an account
// with a second factor.
func (r *rig) waiting(t *testing.T, login, password string) *browser {
	t.Helper()
	_, _, err := r.SignIn(t.Context(), login, password, auth.Client{Address: "192.0.2.1"})
	step, ok := errors.AsType[*auth.StepNeeded](err)
	if !ok {
		t.Fatalf("no code is asked for: %v", err)
	}
	b := r.browser(t)
	b.cookies[auth.StepCookie] = step.Secret
	return b
}

// linkOf makes the key of a link that sets the password of an account.
func (r *rig) linkOf(t *testing.T, login string) string {
	t.Helper()
	u, err := r.UserByLogin(t.Context(), login)
	if err != nil {
		t.Fatal(err)
	}
	key, err := r.MakeLink(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// setUp puts a second factor in force through the pages. It returns its key and
// the recovery codes.
func (b *browser) setUp() (key string, codes []string) {
	b.t.Helper()
	b.post("/en/account/second-factor/begin", "/en/account/second-factor/set-up")
	m := regexp.MustCompile(`<pre tabindex="0">([A-Z2-7 ]+)</pre>`).FindStringSubmatch(b.page("/en/account/second-factor/set-up"))
	if m == nil {
		b.t.Fatal("the page shows no key")
	}
	key = strings.ReplaceAll(m[1], " ", "")
	w := b.ask("POST", "/en/account/second-factor/set-up", "code", b.codeOf(key))
	for _, m := range regexp.MustCompile(`<li><code>([a-z2-7-]{19})</code></li>`).FindAllStringSubmatch(w.Body.String(), -1) {
		codes = append(codes, m[1])
	}
	if w.Code != http.StatusOK || len(codes) != 10 || w.Header().Get("Cache-Control") != "no-store" {
		b.t.Fatalf("%d %v, %d codes: %s", w.Code, w.Header(), len(codes), w.Body)
	}
	b.pass(time.Minute)
	return key, codes
}

// codeOf is what a device with a key shows now.
func (b *browser) codeOf(key string) string {
	b.t.Helper()
	code, err := totp.GenerateCode(key, b.now())
	if err != nil {
		b.t.Fatal(err)
	}
	return code
}

// ask sends a request as the browser does, with form fields when it is a POST.
func (b *browser) ask(method, target string, fields ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequestWithContext(b.t.Context(), method, target, body)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	return b.send(r)
}

func (b *browser) send(r *http.Request) *httptest.ResponseRecorder {
	r.Header.Set("Accept", "text/html")
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	b.edge.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
			continue
		}
		b.cookies[c.Name] = c.Value
	}
	return w
}

// page asks for a page and wants it to say what is given.
func (b *browser) page(target string, says ...string) string {
	b.t.Helper()
	w := b.ask(http.MethodGet, target)
	if w.Code != http.StatusOK {
		b.t.Fatalf("GET %s: %d to %q: %s", target, w.Code, w.Header().Get("Location"), w.Body)
	}
	b.says(w, says...)
	return w.Body.String()
}

func (b *browser) says(w *httptest.ResponseRecorder, says ...string) {
	b.t.Helper()
	for _, s := range says {
		if !strings.Contains(w.Body.String(), s) {
			b.t.Errorf("the page does not say %q: %s", s, w.Body)
		}
	}
}

// post sends a form and wants to be sent on to a page.
func (b *browser) post(target, to string, fields ...string) {
	b.t.Helper()
	w := b.ask(http.MethodPost, target, fields...)
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != to {
		b.t.Fatalf("POST %s: %d to %q, want 303 to %q: %.3000s", target, w.Code, w.Header().Get("Location"), to, w.Body)
	}
}

// refused sends a form and wants it back with a sentence.
func (b *browser) refused(status int, target, says string, fields ...string) {
	b.t.Helper()
	w := b.ask(http.MethodPost, target, fields...)
	if w.Code != status || !strings.Contains(w.Body.String(), says) {
		b.t.Errorf("POST %s: %d, want %d with %q: %.3000s", target, w.Code, status, says, w.Body)
	}
}
