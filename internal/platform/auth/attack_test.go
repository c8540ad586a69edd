package auth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/testkit"
)

// mustUser returns the account that the tests sign in with.
func mustUser(t *testing.T, f *fixture) string {
	t.Helper()
	_, p, err := f.SignIn(t.Context(), "officer", "officer-sample", here)
	if err != nil {
		t.Fatal(err)
	}
	return p.ID
}

// TestGuessingLocksNobodyOut: who guesses from a hundred addresses is stopped at
// each of them, and the owner signs in all the while, also from one that was
// never seen before.
func TestGuessingLocksNobodyOut(t *testing.T) {
	t.Parallel()
	f, ctx := lite(t), t.Context()
	stopped := 0
	for i := range 100 {
		from := auth.Client{Address: fmt.Sprintf("203.0.113.%d", i)}
		for k := range 8 {
			switch _, _, err := f.SignIn(ctx, "officer", fmt.Sprint("guess ", k), from); {
			case errs.Is(err, errs.Busy):
				stopped++
			case !errs.Is(err, errs.Unauthenticated):
				t.Fatal(err)
			}
		}
	}
	if stopped != 100*3 {
		t.Errorf("%d guesses were stopped, want the last 3 of 8 at each address", stopped)
	}
	for _, address := range []string{"192.0.2.1", "198.51.100.77"} {
		if _, _, err := f.SignIn(ctx, "officer", "officer-sample", auth.Client{Address: address}); err != nil {
			t.Errorf("the owner at %s: %v", address, err)
		}
	}
}

// TestGuessingAtOnce: many tries at the same time are counted as many, before
// the first of them has failed.
func TestGuessingAtOnce(t *testing.T) {
	t.Parallel()
	f := lite(t)
	before := f.Computed()
	var wg sync.WaitGroup
	var wrong atomic.Int32
	for range 60 {
		wg.Go(func() {
			if _, _, err := f.SignIn(t.Context(), "officer", "x", here); errs.Is(err, errs.Unauthenticated) {
				wrong.Add(1)
			}
		})
	}
	wg.Wait()
	if n := f.Computed() - before; n != 5 || wrong.Load() != 5 {
		t.Errorf("%d passwords were tried, %d told wrong, want 5", n, wrong.Load())
	}
}

// TestOneOwnAccountOpensNoOther: signing in rightly between the guesses does not
// forgive the address its guesses at other accounts.
func TestOneOwnAccountOpensNoOther(t *testing.T) {
	t.Parallel()
	f, ctx := lite(t), t.Context()
	tried := 0
	for i := range 200 {
		if _, _, err := f.SignIn(ctx, fmt.Sprint("person", i), "x", here); errs.Is(err, errs.Unauthenticated) {
			tried++
		}
		_, _, _ = f.SignIn(ctx, "enterprise", "enterprise-sample", here)
	}
	if tried != 50 {
		t.Errorf("%d guesses at an address, want 50", tried)
	}
}

// TestUnknownLoginsCostTheSame: a hash is computed for logins that do not exist,
// for accounts that are closed, and the answer is the same.
func TestUnknownLoginsCostTheSame(t *testing.T) {
	t.Parallel()
	f, ctx := lite(t), t.Context()
	users, err := f.Users(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range users {
		if u.Login == "enterprise" {
			if err := f.SetDisabled(ctx, u.ID, true); err != nil {
				t.Fatal(err)
			}
		}
	}
	answers := map[string]bool{}
	for i, tt := range [][2]string{{"officer", "wrong"}, {"nobody", "wrong"}, {"", ""}, {"enterprise", "enterprise-sample"}, {"enterprise", "wrong"}, {"officer", strings.Repeat("x", 4<<20)}, {"officer' OR 1=1 --", "x"}} {
		before := f.Computed()
		_, _, err := f.SignIn(ctx, tt[0], tt[1], auth.Client{Address: fmt.Sprint("192.0.2.", i)})
		if err == nil {
			t.Fatalf("%.40q signs in", tt)
		}
		answers[err.Error()] = true
		if n := f.Computed() - before; n != 1 {
			t.Errorf("%.40q: %d hashes were computed", tt, n)
		}
	}
	if len(answers) != 1 {
		t.Errorf("answers differ: %v", answers)
	}
}

// TestPasswordsOfAnyKind: spaces, scripts and long ones are taken as they are,
// also when the same characters are typed in other code points; nothing is cut.
func TestPasswordsOfAnyKind(t *testing.T) {
	t.Parallel()
	f, ctx := lite(t), t.Context()
	id := mustUser(t, f)
	long := strings.Repeat("正 ", 100) + "末x"
	for _, tt := range [][2]string{
		{"  two spaces before  ", "  two spaces before  "},
		{"བོད་ཡིག་གི་གསང་ཚིག", "བོད་ཡིག་གི་གསང་ཚིག"},
		{"cre\u0300me br\u00fbl\u00e9e", "cr\u00e8me bru\u0302le\u0301e"},
		{long, long},
		{strings.Repeat("ab cd", 12) + "last", strings.Repeat("ab cd", 12) + "last"},
	} {
		if err := f.SetPassword(ctx, id, tt[0]); err != nil {
			t.Errorf("%q: %v", tt[0], err)
			continue
		}
		if _, _, err := f.SignIn(ctx, "officer", tt[1], here); err != nil {
			t.Errorf("%q: %v", tt[1], err)
		}
		if _, _, err := f.SignIn(ctx, "officer", tt[1][:len(tt[1])-1], auth.Client{Address: "192.0.2.99"}); err == nil {
			t.Errorf("%q without its end signs in", tt[1])
		}
	}
}

func TestGuessablePasswords(t *testing.T) {
	t.Parallel()
	f, ctx := lite(t), t.Context()
	id := mustUser(t, f)
	for _, p := range []string{
		"1234567890", "qwertyuiop", "PASSWORD12", "Dragon2026!!", "!!monkey!!11", "aaaaaaaaaaaaaaaa", "1111112222222", "officer12345", "Officer-2026", "plateau-2026", "short", strings.Repeat("长", 257), "\xff\xfe 0123456789",
	} {
		if err := f.SetPassword(ctx, id, p); !errs.Is(err, errs.Invalid) {
			t.Errorf("%q was taken: %v", p, err)
		}
	}
	for _, p := range []string{"river stone under ice", "officer drinks butter tea", "高原上的牦牛和风雪与经幡", "k8#Vq.0zLw"} {
		if err := f.SetPassword(ctx, id, p); err != nil {
			t.Errorf("%q was refused: %v", p, err)
		}
	}
}

// TestChangePassword: with the present one only; the other sessions end, the own
// one goes on with another secret, tokens stay.
func TestChangePassword(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			f, ctx := newFixture(t, database.URL(t)), t.Context()
			other, own := f.signIn(t, "officer"), f.signIn(t, "officer")
			stranger := f.signIn(t, "operator")
			p, session, err := f.Session(ctx, own)
			if err != nil {
				t.Fatal(err)
			}
			token, _, err := f.CreateToken(ctx, p.ID, "program", "", time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.ChangePassword(ctx, p, session, "wrong one", "river stone under ice", here); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), "current err.auth.own_password") {
				t.Errorf("with a wrong present one: %v", err)
			}
			if _, err := f.ChangePassword(ctx, p, session, "officer-sample", "password1234", here); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), "fresh err.field.password_common") {
				t.Errorf("a known one: %v", err)
			}
			fresh, err := f.ChangePassword(ctx, p, session, "officer-sample", "river stone under ice", here)
			if err != nil {
				t.Fatal(err)
			}
			for name, s := range map[string]struct {
				secret string
				lives  bool
			}{"the other": {other, false}, "the own of before": {own, false}, "the own": {fresh, true}, "somebody else's": {stranger, true}} {
				if _, _, err := f.Session(ctx, s.secret); (err == nil) != s.lives {
					t.Errorf("%s session: %v", name, err)
				}
			}
			if _, err := f.Bearer(ctx, token); err != nil {
				t.Errorf("the token: %v", err)
			}
			if _, _, err := f.SignIn(ctx, "officer", "officer-sample", here); !errs.Is(err, errs.Unauthenticated) {
				t.Errorf("the old password: %v", err)
			}
			if _, err := f.ChangePassword(ctx, p, session, "river stone under ice", "another good phrase", here); err == nil {
				t.Error("a session whose secret was replaced changes the password")
			}
		})
	}
}

// TestOwnSessions: each person sees and ends their own ones only.
func TestOwnSessions(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			f, ctx := newFixture(t, database.URL(t)), t.Context()
			first := f.signIn(t, "officer")
			f.pass(time.Hour)
			second, p, err := f.SignIn(ctx, "officer", "officer-sample", auth.Client{Address: "2001:db8::7", Browser: "Edge"})
			if err != nil {
				t.Fatal(err)
			}
			foreign, q, err := f.SignIn(ctx, "operator", "operator-sample", here)
			if err != nil {
				t.Fatal(err)
			}
			list, err := f.Sessions(ctx, p.ID)
			if err != nil || len(list) != 2 {
				t.Fatalf("%+v, %v", list, err)
			}
			if s := list[0]; s.Browser != "Edge" || s.Address != "2001:db8::7" || !s.Created.Equal(f.now()) || !s.Seen.Equal(f.now()) || !s.Proved.Equal(f.now()) || !s.Ends.Equal(f.now().AddDate(0, 0, 7)) {
				t.Errorf("%+v", s)
			}
			theirs, err := f.Sessions(ctx, q.ID)
			if err != nil || len(theirs) != 1 {
				t.Fatalf("%+v, %v", theirs, err)
			}
			if err := f.EndSession(ctx, p.ID, theirs[0].ID); !errs.Is(err, errs.NotFound) {
				t.Errorf("ending somebody else's: %v", err)
			}
			if err := f.EndSession(ctx, p.ID, list[1].ID); err != nil {
				t.Error(err)
			}
			if _, _, err := f.Session(ctx, first); err == nil {
				t.Error("the ended session lives")
			}
			third := f.signIn(t, "officer")
			if err := f.EndOthers(ctx, p.ID, list[0].ID); err != nil {
				t.Error(err)
			}
			for secret, lives := range map[string]bool{second: true, third: false, foreign: true} {
				if _, _, err := f.Session(ctx, secret); (err == nil) != lives {
					t.Errorf("lives: %v, want %v", err, lives)
				}
			}
		})
	}
}

// TestProve: the credential given again makes a session fresh under another
// secret, and the old one opens nothing (fixation).
func TestProve(t *testing.T) {
	t.Parallel()
	f, ctx := lite(t), t.Context()
	old := f.signIn(t, "officer")
	f.pass(auth.ProofLife + time.Second)
	p, session, err := f.Session(ctx, old)
	if err != nil || session.Fresh(f.now()) {
		t.Fatalf("fresh after %s: %v", auth.ProofLife, err)
	}
	if _, err := f.Prove(ctx, p, session, "wrong", "", here); !errs.Is(err, errs.Invalid) {
		t.Errorf("a wrong password: %v", err)
	}
	fresh, err := f.Prove(ctx, p, session, "officer-sample", "", here)
	if err != nil || fresh == old {
		t.Fatal(err)
	}
	if _, _, err := f.Session(ctx, old); err == nil {
		t.Error("the old secret opens the session")
	}
	_, again, err := f.Session(ctx, fresh)
	if err != nil || !again.Fresh(f.now()) || again.ID != session.ID || !again.Ends.Equal(session.Ends) {
		t.Errorf("%+v, %v", again, err)
	}
	for range 5 {
		_, _ = f.Prove(ctx, p, again, "wrong", "", here)
	}
	if _, err := f.Prove(ctx, p, again, "officer-sample", "", here); !errs.Is(err, errs.Busy) {
		t.Errorf("a stolen session guesses on: %v", err)
	}
	if none := auth.SessionFrom(ctx); none.Fresh(f.now()) {
		t.Error("no session is fresh")
	}
}

func TestSessionLimitsAreSettings(t *testing.T) {
	t.Parallel()
	d, err := db.Open(t.Context(), filepath.Join(t.TempDir(), "plateau.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	f := &fixture{db: d, at: time.Date(2026, 11, 24, 8, 30, 0, 0, time.UTC)}
	o := cheap
	o.Idle, o.Life = 20*time.Minute, time.Hour
	f.Service = auth.New(d, f.now, o)
	if _, err := f.EnsureSamples(t.Context(), "E1", "", ""); err != nil {
		t.Fatal(err)
	}
	secret := f.signIn(t, "officer")
	for range 3 {
		f.pass(19 * time.Minute)
		if _, _, err := f.Session(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
	}
	f.pass(4 * time.Minute)
	if _, _, err := f.Session(t.Context(), secret); err == nil {
		t.Error("a session outlives its life")
	}
	secret = f.signIn(t, "officer")
	f.pass(21 * time.Minute)
	if _, _, err := f.Session(t.Context(), secret); err == nil {
		t.Error("an idle session lives on")
	}
}

// TestClient: a forwarding header counts as far as proxies of the installation
// wrote it, and addresses of one network of IPv6 are one.
func TestClient(t *testing.T) {
	t.Parallel()
	d, err := db.Open(t.Context(), filepath.Join(t.TempDir(), "plateau.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	o := cheap
	o.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8")}
	s := auth.New(d, time.Now, o)
	for _, tt := range []struct{ remote, forwarded, want string }{
		{"192.0.2.1:5", "", "192.0.2.1"},
		{"192.0.2.1:5", "198.51.100.1", "192.0.2.1"},
		{"127.0.0.1:5", "198.51.100.1", "198.51.100.1"},
		{"127.0.0.1:5", "203.0.113.66, 198.51.100.1", "198.51.100.1"},
		{"127.0.0.1:5", "203.0.113.66, 198.51.100.1, 10.1.2.3", "198.51.100.1"},
		{"[::ffff:127.0.0.1]:5", "198.51.100.1", "198.51.100.1"},
		{"127.0.0.1:5", "unknown", "127.0.0.1"},
		{"127.0.0.1:5", "", "127.0.0.1"},
		{"[2001:db8::1]:5", "", "2001:db8::1"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.RemoteAddr = tt.remote
		if tt.forwarded != "" {
			r.Header.Set("X-Forwarded-For", tt.forwarded)
		}
		if got := s.Client(r).Address; got != tt.want {
			t.Errorf("%s for %q is %s, want %s", tt.remote, tt.forwarded, got, tt.want)
		}
	}
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                        "Firefox",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0": "Edge",
		"Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15":                                 "Safari",
		"curl/8.0": "",
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("User-Agent", agent)
		if got := s.Client(r).Browser; got != want {
			t.Errorf("%s is %q, want %q", agent, got, want)
		}
	}
	f := lite(t)
	stopped := false
	for i := range 10 {
		_, _, err := f.SignIn(t.Context(), "officer", "x", auth.Client{Address: fmt.Sprintf("2001:db8:0:1::%x", i+1)})
		stopped = errs.Is(err, errs.Busy)
	}
	if !stopped {
		t.Error("one network of IPv6 guesses ten times")
	}
}

// TestFewPasswordsAtOnce: what waits for its turn is bounded; more are told to
// come again, and those that wait give up with their request.
func TestFewPasswordsAtOnce(t *testing.T) {
	t.Parallel()
	f := lite(t)
	release := f.Occupy()
	var wg sync.WaitGroup
	var busy, told atomic.Int32
	for i := range 300 {
		wg.Go(func() {
			_, _, err := f.SignIn(t.Context(), fmt.Sprint("p", i), "x", auth.Client{Address: fmt.Sprintf("198.51.100.%d", i%250)})
			switch {
			case errs.Is(err, errs.Busy):
				busy.Add(1)
			case errs.Is(err, errs.Unauthenticated):
				told.Add(1)
			}
		})
	}
	for busy.Load() < 300-64 {
		time.Sleep(time.Millisecond)
	}
	release()
	wg.Wait()
	if busy.Load() != 300-64 || told.Load() != 64 {
		t.Errorf("%d told to come again, %d answered, want %d and 64", busy.Load(), told.Load(), 300-64)
	}
}
