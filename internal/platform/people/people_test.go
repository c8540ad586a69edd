package people_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/people"
	"plateau/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

// places is a region of two prefectures.
type places struct{}

var parents = map[string]string{"540121": "540100", "540221": "540200", "540100": "540000", "540200": "540000", "540000": ""}

func (places) Within(code, above string) bool {
	for ; code != ""; code = parents[code] {
		if code == above {
			return true
		}
	}
	return false
}

func (places) AreaLevel(code string) string {
	switch _, ok := parents[code]; {
	case !ok:
		return ""
	case code == "540000":
		return "province"
	case strings.HasSuffix(code, "00"):
		return "prefecture"
	}
	return "county"
}

func (places) HasEnterprise(id string) bool { return id == "E1" }

// fixture is the service over a real database, with a clock and accounts.
type fixture struct {
	*people.Service
	t       *testing.T
	db      *db.DB
	auth    *auth.Service
	mu      sync.Mutex
	at      time.Time
	ended   int
	account map[string]string // id by login
	office  people.Organisation
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

func newFixture(t *testing.T, url string) *fixture {
	t.Helper()
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	f := &fixture{t: t, db: d, at: time.Date(2026, 11, 24, 0, 30, 0, 0, time.UTC), account: map[string]string{}}
	f.Service = people.New(d, f.now, places{}, func() {
		f.ended++
		f.auth.Forget()
	})
	f.auth = auth.New(d, f.now, auth.Options{Cost: auth.Cost{Time: 1, MemoryKiB: 64, Threads: 1}, Posts: f.Service})
	for _, login := range []string{"a", "b", "c"} {
		u, err := f.auth.AddUser(t.Context(), auth.User{Login: login, Post: auth.Post{Zh: login}, Role: "person"})
		if err != nil {
			t.Fatal(err)
		}
		f.account[login] = u.ID
	}
	if f.office, err = f.PutOrganisation(t.Context(), people.Organisation{Kind: "authority", Name: auth.Post{Zh: "示例局"}, Area: "540100"}, auth.System); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) post(p people.Post) people.Post {
	f.t.Helper()
	if p.Organisation == "" {
		p.Organisation = f.office.ID
	}
	if p.Title.Zh == "" {
		p.Title.Zh = "岗位"
	}
	p, err := f.AddPost(f.t.Context(), p, auth.System)
	if err != nil {
		f.t.Fatal(err)
	}
	return p
}

func (f *fixture) appoint(post people.Post, login string, from, to time.Time) people.Appointment {
	f.t.Helper()
	a, err := f.Appoint(f.t.Context(), people.Appointment{Post: post.ID, Account: f.account[login], From: from, To: to}, auth.System)
	if err != nil {
		f.t.Fatal(err)
	}
	return a
}

// on lists "login post-title" of who answered on a day.
func (f *fixture) on(q people.Question, day string) []string {
	f.t.Helper()
	q, err := q.OnDay(day)
	if err != nil {
		f.t.Fatal(err)
	}
	list, err := f.On(f.t.Context(), q)
	if err != nil {
		f.t.Fatal(err)
	}
	var out []string
	for _, h := range list {
		out = append(out, h.Login+" "+h.Of.Title.Zh)
	}
	return out
}

func (f *fixture) same(what string, got []string, want ...string) {
	f.t.Helper()
	if !slices.Equal(got, want) {
		f.t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// day is midnight in Beijing.
func day(s string) time.Time {
	t, ok := people.Day(s)
	if !ok {
		panic(s)
	}
	return t
}

func each(t *testing.T, fn func(t *testing.T, f *fixture)) {
	t.Helper()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			fn(t, newFixture(t, database.URL(t)))
		})
	}
}

func TestWhoAnswered(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		t.Helper()
		county := f.post(people.Post{Kind: "supervisor_county", Area: "540121", Title: auth.Post{Zh: "县"}})
		city := f.post(people.Post{Kind: "supervisor_city", Area: "540100", Title: auth.Post{Zh: "市"}})
		other := f.post(people.Post{Kind: "supervisor_county", Area: "540221", Title: auth.Post{Zh: "别县"}})
		all := f.post(people.Post{Kind: "officer", Title: auth.Post{Zh: "区"}, Several: true})
		f.appoint(county, "a", day("2026-01-01"), day("2026-06-01"))
		f.appoint(county, "b", day("2026-06-01"), time.Time{})
		f.appoint(city, "b", day("2026-03-01"), time.Time{})
		f.appoint(other, "c", day("2026-03-01"), time.Time{})
		f.appoint(all, "a", day("2026-07-01"), time.Time{})
		second := f.appoint(all, "c", day("2026-07-01"), time.Time{})

		f.same("the last day", f.on(people.Question{Post: county.ID}, "2026-05-31"), "a 县")
		f.same("the first day", f.on(people.Question{Post: county.ID}, "2026-06-01"), "b 县")
		f.same("before", f.on(people.Question{Post: county.ID}, "2025-12-31"))
		f.same("an area, with those above", f.on(people.Question{Area: "540121"}, "2026-08-01"), "b 市", "b 县", "a 区", "c 区")
		f.same("an account", f.on(people.Question{Account: f.account["b"]}, "2026-08-01"), "b 市", "b 县")

		// Ended now: from this instant on, and the past stays as it was.
		if err := f.End(t.Context(), second.ID, time.Time{}, auth.System); err != nil {
			t.Fatal(err)
		}
		f.same("the day it was ended", f.on(people.Question{Post: all.ID}, "2026-11-24"), "a 区", "c 区")
		f.same("the day after", f.on(people.Question{Post: all.ID}, "2026-11-25"), "a 区")
		if err := f.End(t.Context(), second.ID, time.Time{}, auth.System); !errs.Is(err, errs.Conflict) {
			t.Errorf("ended twice: %v", err)
		}
		if err := f.End(t.Context(), second.ID, day("2026-01-01"), auth.System); !errs.Is(err, errs.Invalid) {
			t.Errorf("ended in the past: %v", err)
		}
		// One that had not begun was never in force.
		future := f.appoint(all, "b", day("2027-01-01"), time.Time{})
		if err := f.End(t.Context(), future.ID, time.Time{}, auth.System); err != nil {
			t.Fatal(err)
		}
		f.same("never in force", f.on(people.Question{Post: all.ID}, "2027-01-01"), "a 区")

		// A post that ends takes its holders with it.
		if err := f.EndPost(t.Context(), county.ID, "2026-12-31", auth.System); err != nil {
			t.Fatal(err)
		}
		f.same("the last day of the post", f.on(people.Question{Post: county.ID}, "2026-12-31"), "b 县")
		f.same("the day after it", f.on(people.Question{Post: county.ID}, "2027-01-01"))
		if f.ended == 0 {
			t.Error("nobody was told that rights ended")
		}

		// All of it stands in the record, with whom it concerned.
		acts := map[string]int{}
		if err := audit.List(t.Context(), f.db, audit.Filter{Subject: f.account["b"], Act: "appointment."}, func(e *audit.Entry) bool {
			acts[e.Act]++
			return true
		}); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(map[string]int{"appointment.make": 3, "appointment.end": 2}, acts); d != "" {
			t.Error(d)
		}
		if r, err := audit.Verify(t.Context(), f.db); err != nil || !r.OK() {
			t.Errorf("%+v %v", r, err)
		}
	})
}

func field(err error) string {
	if e, ok := errors.AsType[*errs.Error](err); ok && len(e.Fields) > 0 {
		return e.Fields[0].Name + " " + e.Fields[0].Key
	} else if ok {
		return e.Key
	}
	return fmt.Sprint(err)
}

func TestRefused(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		t.Helper()
		ctx := t.Context()
		mine := f.post(people.Post{Kind: "officer", Area: "540121"})
		theirs := f.post(people.Post{Kind: "officer", Area: "540221"})
		high := f.post(people.Post{Kind: "operator", Area: "540121"})
		all := f.post(people.Post{Kind: "officer"})
		shared := f.post(people.Post{Kind: "officer", Several: true, From: "2026-02-01", To: "2026-12-31"})
		held := f.appoint(theirs, "c", day("2026-01-01"), time.Time{})
		f.appoint(mine, "c", day("2026-01-01"), day("2026-03-01"))
		f.appoint(shared, "c", day("2026-02-01"), time.Time{})
		admin := auth.Principal{ID: f.account["a"], Role: "administrator", Area: "540100", Post: auth.Post{Zh: "管理员"}}
		officer := auth.Principal{ID: f.account["a"], Role: "officer"}
		made := func(p people.Post, login string, from, to time.Time, by auth.Principal) error {
			_, err := f.Appoint(ctx, people.Appointment{Post: p.ID, Account: f.account[login], From: from, To: to}, by)
			return err
		}
		add := func(p people.Post, by auth.Principal) error {
			p.Organisation, p.Title.Zh = f.office.ID, "x"
			_, err := f.AddPost(ctx, p, by)
			return err
		}
		organisation := func(o people.Organisation, by auth.Principal) error {
			o.Name.Zh = "x"
			_, err := f.PutOrganisation(ctx, o, by)
			return err
		}
		moved := f.office
		moved.Area = "540200"
		gone := time.Time{}
		for _, tt := range []struct {
			name string
			err  error
			want string
		}{
			{"an officer appoints", made(mine, "b", gone, gone, officer), "err.people.area"},
			{"nobody appoints", made(mine, "b", gone, gone, auth.Principal{}), "err.people.area"},
			{"outside of the area", made(theirs, "b", gone, gone, admin), "err.people.area"},
			{"for all areas", made(all, "b", gone, gone, admin), "err.people.area"},
			{"a kind above", made(high, "b", gone, gone, admin), "err.people.kind"},
			{"themselves", made(mine, "a", gone, gone, admin), "err.people.self"},
			{"ending outside of the area", f.End(ctx, held.ID, gone, admin), "err.people.area"},
			{"ending a post outside of the area", f.EndPost(ctx, theirs.ID, "2026-12-31", admin), "err.people.area"},
			{"changing one", f.ChangePost(ctx, theirs.ID, auth.Post{Zh: "y"}, "", false, admin), "err.people.area"},
			{"a post outside of the area", add(people.Post{Kind: "officer", Area: "540221"}, admin), "err.people.area"},
			{"a post above", add(people.Post{Kind: "administrator", Area: "540121"}, admin), "err.people.kind"},
			{"an organisation outside", organisation(people.Organisation{Kind: "other", Area: "540221"}, admin), "err.people.area"},
			{"one that is moved out", func() error { _, err := f.PutOrganisation(ctx, moved, admin); return err }(), "err.people.area"},
			{"two holders", made(theirs, "b", gone, gone, auth.System), "from err.people.held"},
			{"two holders, later", made(theirs, "b", day("2030-01-01"), gone, auth.System), "from err.people.held"},
			{"two holders, before to open", made(mine, "b", day("2025-01-01"), day("2026-01-02"), auth.System), "from err.people.held"},
			{"the same twice", made(shared, "c", gone, gone, auth.System), "from err.people.held"},
			{"before the post", made(shared, "b", day("2026-01-31"), gone, auth.System), "from err.people.post_begins"},
			{"beyond the post", made(shared, "b", gone, day("2027-01-02"), auth.System), "to err.people.post_ends"},
			{"to before from", made(mine, "b", day("2026-05-01"), day("2026-04-01"), auth.System), "to err.field.after"},
			{"no account", made(mine, "zz", gone, gone, auth.System), "account err.people.account"},
			{"no post", made(people.Post{ID: "x"}, "b", gone, gone, auth.System), "err.not_found"},
			{"no appointment", f.End(ctx, "x", gone, auth.System), "err.not_found"},
			{"no kind", add(people.Post{Kind: "king"}, auth.System), "kind err.field.choice"},
			{"no seat", add(people.Post{Kind: "supervisor_county"}, auth.System), "area policy.seat_county"},
			{"the wrong seat", add(people.Post{Kind: "supervisor_county", Area: "540100"}, auth.System), "area policy.seat_county"},
			{"no area", add(people.Post{Kind: "officer", Area: "1"}, auth.System), "area err.field.unknown"},
			{"no enterprise", add(people.Post{Kind: "maintainer"}, auth.System), "enterprise err.field.required"},
			{"an unknown one", add(people.Post{Kind: "maintainer", Enterprise: "E2"}, auth.System), "enterprise err.field.unknown"},
			{"an officer of one", add(people.Post{Kind: "officer", Enterprise: "E1"}, auth.System), "enterprise err.people.no_enterprise"},
			{"a phone with words", add(people.Post{Kind: "officer", Phone: "call me"}, auth.System), "phone err.people.phone"},
			{"no day", add(people.Post{Kind: "officer", From: "2026-02-30"}, auth.System), "from err.field.date"},
			{"no kind of organisation", organisation(people.Organisation{Kind: "party"}, auth.System), "kind err.field.choice"},
			{"a code with words", organisation(people.Organisation{Kind: "other", Code: "none yet"}, auth.System), "code err.people.code"},
			{"one post ends in the past", f.EndPost(ctx, mine.ID, "2026-11-23", auth.System), "to err.people.past"},
		} {
			if got := field(tt.err); got != tt.want {
				t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
			}
		}
		// What is allowed, in the same place.
		if err := made(mine, "b", gone, gone, admin); err != nil {
			t.Error(err)
		}
		if err := add(people.Post{Kind: "maintainer", Enterprise: "E1", Area: "540121", Phone: "0891-123 4567"}, admin); err != nil {
			t.Error(err)
		}
		if err := organisation(people.Organisation{Kind: "maintenance", Code: "91540000MA6T1UAB2X", Area: "540121"}, admin); err != nil {
			t.Error(err)
		}
		if err := organisation(people.Organisation{Kind: "maintenance", Code: "91540000MA6T1UAB2X", Area: "540121"}, admin); field(err) != "code err.field.taken" {
			t.Errorf("a code twice: %v", err)
		}
		if err := f.ChangePost(ctx, shared.ID, auth.Post{Zh: "另名"}, "", false, auth.System); err != nil {
			t.Error(err)
		}
		if p, err := f.Post(ctx, shared.ID); err != nil || p.Title.Zh != "另名" || p.Several {
			t.Errorf("%+v %v", p, err)
		}
		if err := f.auth.SetDisabled(ctx, f.account["b"], true); err != nil {
			t.Fatal(err)
		}
		if err := made(all, "b", gone, gone, auth.System); field(err) != "account err.people.account" {
			t.Errorf("a closed account: %v", err)
		}
		n := 0
		if err := audit.List(ctx, f.db, audit.Filter{Who: admin.ID}, func(*audit.Entry) bool { n++; return true }); err != nil || n != 3 {
			t.Errorf("%d entries of what the administrator did, 3 are wanted: %v", n, err)
		}
	})
}

// TestOnDayIsAsAModel appoints and ends at random and asks for days, beside a
// plain list that knows nothing of a database.
func TestOnDayIsAsAModel(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, database.URL(t))
			rapid.Check(t, func(rt *rapid.T) { model(t, rt, f) })
		})
	}
}

// held is an appointment of the model.
type held struct {
	people.Appointment
	login string
}

func model(t *testing.T, rt *rapid.T, f *fixture) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	several := rapid.Bool().Draw(rt, "several")
	post := f.post(people.Post{Kind: "officer", Several: several})
	start := day("2030-01-01")
	instants := rapid.Custom(func(rt *rapid.T) time.Time {
		return start.Add(time.Duration(rapid.IntRange(0, 40*4).Draw(rt, "quarter of a day")) * 6 * time.Hour)
	})
	var list []held
	for range rapid.IntRange(1, 12).Draw(rt, "acts") {
		if len(list) > 0 && rapid.IntRange(0, 2).Draw(rt, "act") == 0 {
			i := rapid.IntRange(0, len(list)-1).Draw(rt, "which")
			end := instants.Draw(rt, "end")
			x := &list[i]
			to := end
			if to.Before(x.From) {
				to = x.From
			}
			ends := x.To.IsZero() || to.Before(x.To)
			err := f.End(ctx, x.ID, end, auth.System)
			if ends != (err == nil) {
				rt.Fatalf("end %+v at %s: %v", x, end, err)
			}
			if ends {
				x.To = to
			}
			continue
		}
		login := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "login")
		a := people.Appointment{Post: post.ID, Account: f.account[login], From: instants.Draw(rt, "from")}
		if rapid.Bool().Draw(rt, "has an end") {
			a.To = a.From.Add(time.Duration(rapid.IntRange(1, 60).Draw(rt, "quarters")) * 6 * time.Hour)
		}
		free := !slices.ContainsFunc(list, func(x held) bool {
			empty := !x.To.IsZero() && !x.To.After(x.From)
			overlaps := (a.To.IsZero() || x.From.Before(a.To)) && (x.To.IsZero() || x.To.After(a.From))
			return !empty && overlaps && (!several || x.Account == a.Account)
		})
		made, err := f.Appoint(ctx, a, auth.System)
		if free != (err == nil) {
			rt.Fatalf("appoint %+v beside %+v: %v", a, list, err)
		}
		if free {
			list = append(list, held{made, login})
		}
	}
	for i := range 45 {
		from := start.AddDate(0, 0, i-2)
		to := from.AddDate(0, 0, 1)
		var want []string
		for _, x := range list {
			begins, ends := x.From, x.To
			if ends.IsZero() {
				ends = start.AddDate(9, 0, 0)
			}
			if begins.Before(to) && ends.After(from) && ends.After(begins) {
				want = append(want, x.login)
			}
		}
		holders, err := f.On(ctx, people.Question{Post: post.ID, From: from, To: to})
		if err != nil {
			rt.Fatal(err)
		}
		var got []string
		for _, h := range holders {
			got = append(got, h.Login)
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			rt.Fatalf("on %s: %v, the model says %v", from.Format(time.DateOnly), got, want)
		}
	}
	// One holder at a time: no instant has two.
	if !several {
		for i, x := range list {
			for _, y := range list[i+1:] {
				if x.From.Before(y.From) && !x.To.After(y.From) && !x.To.IsZero() || y.From.Before(x.From) && !y.To.After(x.From) && !y.To.IsZero() || x.To.Equal(x.From) || y.To.Equal(y.From) {
					continue
				}
				rt.Fatalf("%+v and %+v hold it together", x, y)
			}
		}
	}
}
