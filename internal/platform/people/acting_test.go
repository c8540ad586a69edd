package people_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/people"
)

// user makes an account that can sign in.
func (f *fixture) user(login string, role auth.Role) auth.User {
	f.t.Helper()
	u, err := f.auth.CreateUser(f.t.Context(), auth.User{Login: login, Post: auth.Post{Zh: login + "本人"}, Role: role}, "river stone under ice")
	if err != nil {
		f.t.Fatal(err)
	}
	f.account[login] = u.ID
	return u
}

func (f *fixture) signIn(login string) (secret string) {
	f.t.Helper()
	secret, _, err := f.auth.SignIn(f.t.Context(), login, "river stone under ice", auth.Client{Address: "192.0.2.1"})
	if err != nil {
		f.t.Fatal(err)
	}
	return secret
}

// acts is "post kind area holder" of whom a session or a token makes one; "refused"
// when it opens nothing.
func (f *fixture) acts(secret string) string {
	f.t.Helper()
	p, _, err := f.auth.Session(f.t.Context(), secret)
	if len(secret) > 4 && secret[:4] == "plt_" {
		p, err = f.auth.Bearer(f.t.Context(), secret)
	}
	if errs.Is(err, errs.Unauthenticated) {
		return "refused"
	}
	if err != nil {
		f.t.Fatal(err)
	}
	holder := ""
	for login, id := range f.account {
		if id == p.OnBehalfOf {
			holder = " for " + login
		}
	}
	return p.Post.Zh + " " + string(p.Role) + " " + p.Area + holder
}

func (f *fixture) want(what, secret, want string) {
	f.t.Helper()
	if got := f.acts(secret); got != want {
		f.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// choose lets a session act in something of its account.
func (f *fixture) choose(secret, choice string) error {
	f.t.Helper()
	p, session, err := f.auth.Session(f.t.Context(), secret)
	if err != nil {
		f.t.Fatal(err)
	}
	return f.auth.SetActing(f.t.Context(), p.ID, session, choice)
}

// token makes one as a session acts now.
func (f *fixture) token(secret string) string {
	f.t.Helper()
	p, _, err := f.auth.Session(f.t.Context(), secret)
	if err != nil {
		f.t.Fatal(err)
	}
	token, _, err := f.auth.CreateToken(auth.With(f.t.Context(), p), p.ID, "x", "", time.Time{})
	if err != nil {
		f.t.Fatal(err)
	}
	return token
}

func TestActing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		t.Helper()
		ctx := t.Context()
		f.user("kept", auth.Officer)
		f.user("moved", auth.Officer)
		county := f.post(people.Post{Kind: "supervisor_county", Area: "540121", Title: auth.Post{Zh: "县岗"}})
		city := f.post(people.Post{Kind: "supervisor_city", Area: "540100", Title: auth.Post{Zh: "市岗"}})
		kept, moved := f.signIn("kept"), f.signIn("moved")
		byKind, _, err := f.auth.CreateToken(ctx, f.account["moved"], "before", "", time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		f.want("without appointments", kept, "kept本人 officer ")
		f.want("its token", byKind, "moved本人 officer ")

		first := f.appoint(county, "moved", time.Time{}, time.Time{})
		second := f.appoint(city, "moved", f.now().Add(time.Hour), f.now().Add(48*time.Hour))
		f.want("appointed", moved, "县岗 supervisor_county 540121")
		f.want("a token of before", byKind, "县岗 supervisor_county 540121")
		f.want("somebody else", kept, "kept本人 officer ")
		if err := f.choose(moved, second.ID); !errs.Is(err, errs.NotFound) {
			t.Errorf("a post that is not held yet: %v", err)
		}
		f.pass(2 * time.Hour)
		if err := f.choose(kept, second.ID); !errs.Is(err, errs.NotFound) {
			t.Errorf("the post of somebody else: %v", err)
		}
		f.want("the first is the default", moved, "县岗 supervisor_county 540121")
		if err := f.choose(moved, second.ID); err != nil {
			t.Fatal(err)
		}
		other := f.signIn("moved")
		f.want("switched", moved, "市岗 supervisor_city 540100")
		f.want("another session", other, "县岗 supervisor_county 540121")
		bound := f.token(moved)
		f.want("a token made in it", bound, "市岗 supervisor_city 540100")

		// Ended: at once, with what it opened; the other post stays.
		if err := f.End(ctx, second.ID, time.Time{}, auth.System); err != nil {
			t.Fatal(err)
		}
		f.want("the post of the session is over", moved, "县岗 supervisor_county 540121")
		f.want("the token made in it", bound, "refused")
		f.want("the token of the account", byKind, "县岗 supervisor_county 540121")

		// The last one ends by itself: the kind of the account does not come back.
		bound = f.token(moved)
		if err := f.End(ctx, first.ID, f.now().Add(500*time.Millisecond), auth.System); err != nil {
			t.Fatal(err)
		}
		f.want("until then", bound, "县岗 supervisor_county 540121")
		f.pass(500 * time.Millisecond)
		f.want("no post any more", moved, "moved本人 person ")
		f.want("the token made in it", bound, "refused")
		f.want("the token of the account", byKind, "moved本人 person ")
		f.want("somebody else still", kept, "kept本人 officer ")

		// What was taken back before it began changes nothing.
		future := f.appoint(city, "kept", f.now().Add(time.Hour), time.Time{})
		if err := f.End(ctx, future.ID, time.Time{}, auth.System); err != nil {
			t.Fatal(err)
		}
		f.pass(2 * time.Hour)
		f.want("never in force", kept, "kept本人 officer ")
	})
}

func TestDelegation(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		t.Helper()
		ctx := t.Context()
		holder, deputy := f.user("holder", "person"), f.user("deputy", auth.Officer)
		post := f.post(people.Post{Kind: "administrator", Area: "540100", Title: auth.Post{Zh: "管理岗"}})
		held := f.appoint(post, "holder", time.Time{}, f.now().Add(240*time.Hour))
		plain := f.post(people.Post{Kind: "officer", Area: "540121", Title: auth.Post{Zh: "值班岗"}})
		owner := auth.Principal{ID: holder.ID, Role: "administrator", Area: "540100"}
		over := auth.Principal{ID: deputy.ID, Role: auth.Officer}
		give := func(to string, until time.Time, by auth.Principal) error {
			_, err := f.Delegate(ctx, people.Delegation{Appointment: held.ID, Account: f.account[to], To: until}, by)
			return err
		}
		soon := f.now().Add(48 * time.Hour)
		for _, tt := range []struct {
			name string
			err  error
			want string
		}{
			{"for ever", give("deputy", time.Time{}, owner), "to err.people.until"},
			{"until the past", give("deputy", f.now().Add(-time.Hour), owner), "to err.field.after"},
			{"beyond the appointment", give("deputy", f.now().Add(241*time.Hour), owner), "to err.people.beyond"},
			{"to the holder", give("holder", soon, owner), "account err.people.to_self"},
			{"to nobody", give("zz", soon, owner), "account err.people.account"},
			{"by somebody else", give("deputy", soon, over), "err.not_found"},
			{"by nobody", give("deputy", soon, auth.Principal{}), "err.not_found"},
		} {
			if got := field(tt.err); got != tt.want {
				t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
			}
		}
		d, err := f.Delegate(ctx, people.Delegation{Appointment: held.ID, Account: deputy.ID, To: soon}, owner)
		if err != nil {
			t.Fatal(err)
		}
		if err := give("deputy", soon, owner); field(err) != "account err.people.delegated" {
			t.Errorf("twice: %v", err)
		}
		s := f.signIn("deputy")
		f.want("not before it is chosen", s, "deputy本人 officer ")
		if err := f.choose(s, d.ID); err != nil {
			t.Fatal(err)
		}
		f.want("chosen", s, "管理岗 administrator 540100 for holder")
		token := f.token(s)
		f.want("its token", token, "管理岗 administrator 540100 for holder")

		// They act with all of the post, but pass nothing on, and not for the holder.
		acting, _, err := f.auth.Session(ctx, s)
		if err != nil {
			t.Fatal(err)
		}
		if err := give("a", soon, acting); field(err) != "err.not_found" {
			t.Errorf("passed on: %v", err)
		}
		for _, login := range []string{"holder", "deputy"} {
			if _, err := f.Appoint(ctx, people.Appointment{Post: plain.ID, Account: f.account[login]}, acting); field(err) != "err.people.self" {
				t.Errorf("appoints %s: %v", login, err)
			}
		}
		if _, err := f.Appoint(ctx, people.Appointment{Post: plain.ID, Account: f.account["a"]}, acting); err != nil {
			t.Fatal(err)
		}
		n := 0
		if err := audit.List(ctx, f.db, audit.Filter{Who: deputy.ID, Act: "appointment."}, func(e *audit.Entry) bool {
			n++
			if e.OnBehalfOf != holder.ID || e.Post != "管理岗" || e.Act != "appointment.make" {
				t.Errorf("%+v", e)
			}
			return true
		}); err != nil || n != 1 {
			t.Errorf("%d entries: %v", n, err)
		}
		q, _ := people.Question{Post: post.ID}.OnDay("2026-11-24")
		answered, err := f.On(ctx, q)
		if err != nil || len(answered) != 1 || answered[0].Login != "holder" || len(answered[0].Deputies) != 1 || answered[0].Deputies[0].Login != "deputy" {
			t.Errorf("%+v %v", answered, err)
		}
		q, _ = people.Question{Post: post.ID}.OnDay("2026-11-28")
		if answered, err = f.On(ctx, q); err != nil || len(answered) != 1 || len(answered[0].Deputies) != 0 {
			t.Errorf("after its end: %+v %v", answered, err)
		}
		if list, err := f.DelegationsOf(ctx, deputy.ID); err != nil || len(list) != 1 || list[0].HolderLogin != "holder" || !list[0].Ends().Equal(d.To) {
			t.Errorf("%+v %v", list, err)
		}

		// Withdrawn by either, by who may appoint, and by nobody else.
		if err := f.Withdraw(ctx, d.ID, auth.Principal{ID: f.account["a"], Role: auth.Officer}); !errs.Is(err, errs.NotFound) {
			t.Errorf("withdrawn by anybody: %v", err)
		}
		if err := f.Withdraw(ctx, d.ID, owner); err != nil {
			t.Fatal(err)
		}
		f.want("withdrawn", s, "deputy本人 officer ")
		f.want("its token", token, "refused")
		if err := f.Withdraw(ctx, d.ID, over); !errs.Is(err, errs.Conflict) {
			t.Errorf("withdrawn twice: %v", err)
		}
		for _, by := range []auth.Principal{over, auth.System} {
			if d, err = f.Delegate(ctx, people.Delegation{Appointment: held.ID, Account: deputy.ID, To: soon}, owner); err != nil {
				t.Fatal(err)
			}
			if err := f.Withdraw(ctx, d.ID, by); err != nil {
				t.Error(err)
			}
		}

		// It ends with its day, with the appointment, and with the holder's account.
		again := func() {
			t.Helper()
			d, err := f.Delegate(ctx, people.Delegation{Appointment: held.ID, Account: deputy.ID, To: f.now().Add(time.Hour)}, owner)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.choose(s, d.ID); err != nil {
				t.Fatal(err)
			}
			f.want("again", s, "管理岗 administrator 540100 for holder")
		}
		again()
		f.pass(time.Hour)
		f.want("its hour is over", s, "deputy本人 officer ")
		again()
		if err := f.auth.SetDisabled(ctx, holder.ID, true); err != nil {
			t.Fatal(err)
		}
		f.want("the holder's account is closed", s, "deputy本人 officer ")
		if err := f.auth.SetDisabled(ctx, holder.ID, false); err != nil {
			t.Fatal(err)
		}
		f.want("open again", s, "管理岗 administrator 540100 for holder")
		if err := f.End(ctx, held.ID, time.Time{}, auth.System); err != nil {
			t.Fatal(err)
		}
		f.want("the appointment is over", s, "deputy本人 officer ")
		if err := give("deputy", f.now().Add(time.Hour), owner); field(err) != "to err.people.not_held" {
			t.Errorf("of an appointment that is over: %v", err)
		}
		acts := map[string]int{}
		if err := audit.List(ctx, f.db, audit.Filter{Act: "delegation.", Subject: deputy.ID}, func(e *audit.Entry) bool { acts[e.Act]++; return true }); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(map[string]int{"delegation.make": 5, "delegation.withdraw": 3}, acts); d != "" {
			t.Error(d)
		}
	})
}
