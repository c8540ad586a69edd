package auth_test

import (
	"cmp"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/httpd"
	"plateau/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

type fixture struct {
	*auth.Service
	db *db.DB
	mu sync.Mutex
	at time.Time
}

func (f *fixture) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at
}

func (f *fixture) pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = f.at.Add(d)
}

// here is where the tests sign in from.
var here = auth.Client{Address: "192.0.2.1", Browser: "Firefox"}

// cheap is a password cost for tests only.
var cheap = auth.Options{Cost: auth.Cost{Time: 1, MemoryKiB: 64, Threads: 1}}

func newFixture(t *testing.T, url string) *fixture {
	t.Helper()
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	f := &fixture{db: d, at: time.Date(2026, 11, 24, 8, 30, 0, 0, time.UTC)}
	f.Service = auth.New(d, f.now, cheap)
	if _, err := f.EnsureSamples(t.Context(), "E1", "", ""); err != nil {
		t.Fatal(err)
	}
	return f
}

func lite(t *testing.T) *fixture {
	t.Helper()
	return newFixture(t, filepath.Join(t.TempDir(), "plateau.db"))
}

func (f *fixture) signIn(t *testing.T, login string) string {
	t.Helper()
	secret, _, err := f.SignIn(t.Context(), login, login+"-sample", here)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func TestSessionLife(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			url := database.URL(t)
			f, ctx := newFixture(t, url), t.Context()
			secret, p, err := f.SignIn(ctx, "  OFFICER ", "officer-sample", here)
			if err != nil {
				t.Fatal(err)
			}
			if p.Role != auth.Officer || p.Post.In("en") != "Duty officer (sample)" || p.Post.In("bo") != "值班员（示例）" || p.Token {
				t.Errorf("%+v", p)
			}
			alive := func() bool {
				_, _, err := f.Session(ctx, secret)
				if err != nil && !errs.Is(err, errs.Unauthenticated) {
					t.Fatal(err)
				}
				return err == nil
			}
			for range 10 { // used all the time
				f.pass(11 * time.Hour)
				if !alive() {
					t.Fatal("a session in use ended")
				}
			}
			f.pass(13 * time.Hour)
			if alive() {
				t.Error("an idle session lives on")
			}
			secret = f.signIn(t, "officer")
			for range 17 {
				f.pass(10 * time.Hour)
				alive()
			}
			if alive() {
				t.Error("a session lives longer than a week")
			}
			secret = f.signIn(t, "officer")
			if err := f.SignOut(ctx, secret); err != nil || alive() {
				t.Errorf("after signing out: %v", err)
			}
			secret = f.signIn(t, "officer")
			if err := f.SetPassword(ctx, p.ID, "another-password"); err != nil || alive() {
				t.Errorf("after a new password: %v", err)
			}
			if _, _, err := f.SignIn(ctx, "officer", "officer-sample", here); !errs.Is(err, errs.Unauthenticated) {
				t.Errorf("old password: %v", err)
			}
			if secret, _, err = f.SignIn(ctx, "officer", "another-password", here); err != nil {
				t.Fatal(err)
			}
			if err := f.SetDisabled(ctx, p.ID, true); err != nil || alive() {
				t.Errorf("after closing the account: %v", err)
			}
			if _, _, err := f.SignIn(ctx, "officer", "another-password", here); !errs.Is(err, errs.Unauthenticated) {
				t.Errorf("closed account: %v", err)
			}
			// What the database holds opens nothing.
			secret = f.signIn(t, "operator")
			var hash string
			if err := f.db.QueryRow(ctx, `SELECT hash FROM sessions ORDER BY created_at DESC LIMIT 1`).Scan(&hash); err != nil || hash == secret {
				t.Errorf("stored as it is: %v", err)
			}
			if _, _, err := f.Session(ctx, hash); !errs.Is(err, errs.Unauthenticated) {
				t.Errorf("a stored hash opens a session: %v", err)
			}
		})
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			url := database.URL(t)
			f, ctx := newFixture(t, url), t.Context()
			users, err := f.Users(ctx)
			users = slices.DeleteFunc(users, func(u auth.User) bool {
				return u.Login != "enterprise" && u.Login != "officer" && u.Login != "operator"
			})
			if err != nil || len(users) != 3 || users[0].Login != "enterprise" || !users[0].Sample || users[0].Enterprise != "E1" {
				t.Fatalf("%+v, %v", users, err)
			}
			token, _, err := f.CreateToken(ctx, users[0].ID, "export", "", f.now().Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			p, err := f.Bearer(ctx, token)
			if err != nil || !p.Token || p.Role != auth.Business {
				t.Errorf("%+v, %v", p, err)
			}
			if _, err := f.Bearer(ctx, token+"x"); !errs.Is(err, errs.Unauthenticated) {
				t.Errorf("altered token: %v", err)
			}
			f.pass(2 * time.Hour)
			if _, err := f.Bearer(ctx, token); !errs.Is(err, errs.Unauthenticated) {
				t.Errorf("expired token: %v", err)
			}
			token, id, err := f.CreateToken(ctx, users[0].ID, "export", "", time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Bearer(ctx, token); err != nil { // found, and remembered for a moment
				t.Fatal(err)
			}
			if err := f.RevokeToken(ctx, id); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Bearer(ctx, token); !errs.Is(err, errs.Unauthenticated) {
				t.Errorf("revoked token: %v", err)
			}
			if err := f.RevokeToken(ctx, id); !errs.Is(err, errs.NotFound) {
				t.Errorf("revoked twice: %v", err)
			}
			op, err := f.OperatorToken(ctx, "start", time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			p, err = f.Bearer(ctx, op)
			if err != nil || p.Role != auth.Operator {
				t.Errorf("%+v, %v", p, err)
			}
			if err := f.SetDisabled(ctx, p.ID, true); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Bearer(ctx, op); !errs.Is(err, errs.Unauthenticated) {
				t.Errorf("token of a closed account: %v", err)
			}
		})
	}
}

func TestSignInIsLimited(t *testing.T) {
	t.Parallel()
	f, ctx := lite(t), t.Context()
	try := func(login, password, from string) error {
		_, _, err := f.SignIn(ctx, login, password, auth.Client{Address: from})
		return err
	}
	for range 5 {
		if err := try("officer", "wrong", "192.0.2.1"); !errs.Is(err, errs.Unauthenticated) {
			t.Fatal(err)
		}
	}
	err := try("officer", "officer-sample", "192.0.2.1")
	if !errs.Is(err, errs.Busy) || httpd.Status(err) != http.StatusTooManyRequests {
		t.Errorf("the sixth try, and right: %v", err)
	}
	if err := try("officer", "officer-sample", "192.0.2.7"); err != nil {
		t.Errorf("the owner, from elsewhere: %v", err)
	}
	if err := try("operator", "operator-sample", "192.0.2.1"); err != nil {
		t.Errorf("another account: %v", err)
	}
	f.pass(16 * time.Minute)
	if err := try("officer", "officer-sample", "192.0.2.1"); err != nil {
		t.Errorf("a quarter of an hour later: %v", err)
	}
	for i := range 50 { // one address, many names
		_ = try("guess"+string(rune('a'+i%26))+string(rune('a'+i/26)), "x", "203.0.113.9")
	}
	if err := try("operator", "operator-sample", "203.0.113.9"); !errs.Is(err, errs.Busy) {
		t.Errorf("an address that guesses: %v", err)
	}
	if err := try("nobody", "x", "192.0.2.1"); !errs.Is(err, errs.Unauthenticated) || !strings.Contains(err.Error(), "err.auth.wrong") {
		t.Errorf("an unknown name must look like a wrong password: %v", err)
	}
}

func TestCreateUserRefusals(t *testing.T) {
	t.Parallel()
	f, ctx := lite(t), t.Context()
	good := auth.User{Login: "new", Post: auth.Post{Zh: "值班员"}, Role: auth.Officer}
	for name, tt := range map[string]struct {
		change   func(u *auth.User)
		password string
		kind     errs.Kind
	}{
		"no login":        {func(u *auth.User) { u.Login = " " }, "long enough", errs.Invalid},
		"no post":         {func(u *auth.User) { u.Post = auth.Post{} }, "long enough", errs.Invalid},
		"unknown role":    {func(u *auth.User) { u.Role = "king" }, "long enough", errs.Invalid},
		"no enterprise":   {func(u *auth.User) { u.Role = auth.Business }, "long enough", errs.Invalid},
		"short password":  {func(*auth.User) {}, "九个字不够长的啊", errs.Invalid},
		"known password":  {func(*auth.User) {}, "Password123!", errs.Invalid},
		"login is taken":  {func(u *auth.User) { u.Login = "Officer" }, "long enough", errs.Conflict},
		"full width name": {func(u *auth.User) { u.Login = "ｏｆｆｉｃｅｒ" }, "long enough", errs.Conflict},
	} {
		u := good
		tt.change(&u)
		if _, err := f.CreateUser(ctx, u, tt.password); !errs.Is(err, tt.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := f.CreateUser(ctx, good, "long enough"); err != nil {
		t.Error(err)
	}
	if err := f.SetPassword(ctx, mustUser(t, f), "short"); !errs.Is(err, errs.Invalid) {
		t.Errorf("short new password: %v", err)
	}
	if err := f.SetPassword(ctx, "x", "long enough"); !errs.Is(err, errs.NotFound) {
		t.Errorf("unknown account: %v", err)
	}
}

// TestFirstOperator: the first start makes an account without a password; a link
// sets one, and while nobody has one each start gives a fresh link.
func TestFirstOperator(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			d, err := db.Open(t.Context(), database.URL(t))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = d.Close() }()
			s, ctx := auth.New(d, time.Now, auth.Options{}), t.Context() // the real cost, once
			first, err := s.EnsureOperator(ctx)
			if err != nil || first == "" {
				t.Fatal(err)
			}
			for _, guess := range []string{"", "admin", first} {
				if _, _, err := s.SignIn(ctx, "admin", guess, here); !errs.Is(err, errs.Unauthenticated) {
					t.Errorf("without a password %q signs in: %v", guess, err)
				}
			}
			second, err := s.EnsureOperator(ctx)
			if err != nil || second == "" || second == first {
				t.Fatalf("%q, %v", second, err)
			}
			if err := s.SpendLink(ctx, first, "river stone under ice"); !errs.Is(err, errs.NotFound) {
				t.Errorf("the link of an earlier start: %v", err)
			}
			if err := s.SpendLink(ctx, second, "river stone under ice"); err != nil {
				t.Fatal(err)
			}
			if _, p, err := s.SignIn(ctx, "admin", "river stone under ice", here); err != nil || p.Role != auth.Operator {
				t.Errorf("%+v, %v", p, err)
			}
			if again, err := s.EnsureOperator(ctx); err != nil || again != "" {
				t.Errorf("made twice: %q, %v", again, err)
			}
		})
	}
	dir := t.TempDir()
	path, err := auth.WriteFirstLink(dir, "http://127.0.0.1:8080/set-password?key=x")
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || filepath.Base(path) != auth.FirstLinkFile {
		t.Errorf("%v, %v", info, err)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestMiddleware is the table of requests, who they are found to come from, and
// answers.
func TestMiddleware(t *testing.T) {
	t.Parallel()
	f := lite(t)
	mux := http.NewServeMux()
	hello := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "hello "+auth.From(r.Context()).Login+".")
	}
	mux.HandleFunc("GET /here", hello)
	mux.HandleFunc("POST /here", hello)
	handler := httpd.Wrap(f.Middleware(httpd.Mux(mux)), &httpd.Edge{}, slog.New(slog.DiscardHandler), time.Now)

	cookies := map[string]string{"officer": f.signIn(t, "officer"), "enterprise": f.signIn(t, "enterprise"), "operator": f.signIn(t, "operator"), "forged": "abcdef"}
	token, err := f.OperatorToken(t.Context(), "test", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, method, path, who, bearer string
		header                          [2]string
		status                          int
		body                            string
	}{
		{name: "nobody", status: 200, body: "hello ."},
		{name: "cookie", who: "officer", status: 200, body: "hello officer."},
		{name: "another's cookie", who: "enterprise", status: 200, body: "hello enterprise."},
		{name: "forged cookie", who: "forged", status: 200, body: "hello ."},
		{name: "token", bearer: token, status: 200, body: "hello operator."},
		{name: "token before cookie", who: "officer", bearer: token, status: 200, body: "hello operator."},
		{name: "bad token", bearer: "plt_no", status: 401, body: "err.auth.token"},
		{name: "bad token, good cookie", who: "officer", bearer: "plt_no", status: 401, body: "err.auth.token"},
		{name: "basic", header: [2]string{"Authorization", "Basic b3A6b3A="}, status: 401, body: "err.auth.token"},
		{name: "write from here", method: "POST", who: "officer", header: [2]string{"Sec-Fetch-Site", "same-origin"}, status: 200, body: "hello officer."},
		{name: "write from elsewhere", method: "POST", who: "officer", header: [2]string{"Sec-Fetch-Site", "cross-site"}, status: 403, body: "err.cross_origin"},
		{name: "write by a program", method: "POST", bearer: token, status: 200, body: "hello operator."},
		{name: "no route", path: "/nowhere", who: "operator", status: 404, body: "err.not_found"},
		{name: "wrong method", method: "DELETE", who: "operator", status: 405, body: "err.method"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), cmp.Or(tt.method, http.MethodGet), cmp.Or(tt.path, "/here"), nil)
			if tt.who != "" {
				r.AddCookie(&http.Cookie{Name: auth.CookieName, Value: cookies[tt.who]})
			}
			if tt.bearer != "" {
				r.Header.Set("Authorization", "Bearer "+tt.bearer)
			}
			if tt.header[0] != "" {
				r.Header.Set(tt.header[0], tt.header[1])
			}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.body) {
				t.Errorf("%d %s, want %d %q", w.Code, w.Body, tt.status, tt.body)
			}
			if w.Code == http.StatusMethodNotAllowed && !strings.Contains(w.Header().Get("Allow"), "POST") {
				t.Errorf("Allow: %s", w.Header().Get("Allow"))
			}
		})
	}
}

func TestCookie(t *testing.T) {
	t.Parallel()
	s := lite(t)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	w := httptest.NewRecorder()
	s.SetCookie(w, r, "s3cret")
	c := w.Result().Cookies()[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Secure {
		t.Errorf("%+v", c)
	}
	r.Header.Set("X-Forwarded-Proto", "https")
	w = httptest.NewRecorder()
	auth.ClearCookie(w, r)
	if c := w.Result().Cookies()[0]; !c.Secure || c.MaxAge >= 0 || c.Value != "" || c.Name != "__Host-"+auth.CookieName || c.Path != "/" || c.Domain != "" {
		t.Errorf("%+v", c)
	}
	if got := w.Header().Get("Clear-Site-Data"); !strings.Contains(got, `"cache"`) {
		t.Errorf("what the browser keeps stays: %q", got)
	}
	// Over https one that plain HTTP or a neighbouring host could have planted is nobody's.
	r.AddCookie(&http.Cookie{Name: auth.CookieName, Value: "planted"})
	if got := auth.Secret(r); got != "" {
		t.Errorf("%s", got)
	}
	r.AddCookie(&http.Cookie{Name: "__Host-" + auth.CookieName, Value: "s3cret"})
	if got := auth.Secret(r); got != "s3cret" {
		t.Errorf("%s", got)
	}
	r.Header.Del("X-Forwarded-Proto")
	if got := auth.Secret(r); got != "planted" {
		t.Errorf("over plain http %s", got)
	}
}

// TestSessionOnFullDisk: who is signed in goes on reading when nothing can be
// written, and the use of the session is noted as soon as it can.
func TestSessionOnFullDisk(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t, filepath.Join(t.TempDir(), "auth.db")), t.Context()
	secret := f.signIn(t, "officer")
	exec := func(text string) {
		t.Helper()
		if _, err := f.db.Exec(ctx, text); err != nil {
			t.Fatal(err)
		}
	}
	seen := func() (at int64) {
		t.Helper()
		if err := f.db.QueryRow(ctx, `SELECT seen_at FROM sessions`).Scan(&at); err != nil {
			t.Fatal(err)
		}
		return at
	}
	before := seen()
	f.pass(time.Hour)
	exec(`PRAGMA query_only = 1`) // refuses what a full disk refuses
	if p, _, err := f.Session(ctx, secret); err != nil || p.Role != auth.Officer || seen() != before {
		t.Errorf("%+v, %v", p, err)
	}
	exec(`PRAGMA query_only = 0`)
	if _, _, err := f.Session(ctx, secret); err != nil || seen() == before {
		t.Errorf("with room again: %v", err)
	}
}
