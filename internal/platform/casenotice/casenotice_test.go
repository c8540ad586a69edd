package casenotice_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"plateau/internal/platform/access"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/casenotice"
	"plateau/internal/platform/casework"
	"plateau/internal/platform/db"
	"plateau/internal/platform/i18n"
	"plateau/internal/platform/notify"
	"plateau/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

var parents = map[string]string{"540121": "540100", "540100": "540000", "540122": "540100"}

// places are a region, a prefecture and its counties.
type places struct{}

func (places) Within(code, above string) bool {
	for ; code != ""; code = parents[code] {
		if code == above {
			return true
		}
	}
	return above == ""
}
func (places) HasArea(code string) bool      { return code == "540000" || parents[code] != "" }
func (places) Codes() []string               { return []string{"540000", "540100", "540121", "540122"} }
func (places) Unit(id string) (string, bool) { return "540121", id == "water" || id == "E1" }

// hours count every day as a working one.
type hours struct{}

func (hours) Due(at time.Time, s casework.Span) (time.Time, bool) {
	return at.Add(time.Duration(s.N) * time.Hour), false
}
func (hours) WorkingDays(from, to time.Time) int { return int(to.Sub(from).Hours() / 24) }

// sent keeps what went out.
type sent struct {
	mu   sync.Mutex
	list []notify.Parcel
}

func (s *sent) Send(_ context.Context, p *notify.Parcel) notify.Outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, *p)
	return notify.Outcome{}
}

func (s *sent) all() []notify.Parcel {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.list)
}

type rig struct {
	t       *testing.T
	db      *db.DB
	cases   *casework.Service
	notify  *notify.Service
	holders []casenotice.Holder
	ids     map[string]string // of accounts, by login
	sms     *sent

	mu sync.Mutex
	at time.Time
}

func (r *rig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = r.at.Add(d)
}

func newRig(t *testing.T, url string) *rig {
	t.Helper()
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	r := &rig{t: t, db: d, at: time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC), ids: map[string]string{}, sms: &sent{}}
	accounts := auth.New(d, r.now, auth.Options{})
	for _, x := range []struct{ login, kind, area, organisation, enterprise string }{
		{"clerk", "office_clerk", "540121", "", ""},
		{"clerk2", "office_clerk", "540121", "", ""},
		{"city", "office_clerk", "540100", "", ""},
		{"top", "office_clerk", "", "", ""},
		{"chief", "chief", "540100", "", ""},
		{"beside", "office_clerk", "540122", "", ""},
		{"handler", "person", "", "water", ""},
		{"citizen", "person", "", "", ""},
		{"county", "supervisor_county", "540121", "", ""},
		{"region", "supervisor_region", "", "", ""},
		{"plant", "enterprise", "", "", "E1"},
		{"plant2", "enterprise", "", "", "E2"},
	} {
		u, err := accounts.AddUser(t.Context(), auth.User{Login: x.login, Post: auth.Post{Zh: x.login}, Role: auth.Role(x.kind), Area: x.area, Enterprise: x.enterprise})
		if err != nil {
			t.Fatal(err)
		}
		r.ids[x.login] = u.ID
		r.holders = append(r.holders, casenotice.Holder{Account: u.ID, Organisation: x.organisation, Enterprise: x.enterprise, Grants: access.Default().Account(x.kind, x.area, x.enterprise)})
	}
	if r.notify, err = notify.New(notify.Options{
		DB: d, Kinds: casenotice.Kinds(), Areas: func() access.Areas { return places{} }, Now: r.now, Senders: map[notify.Channel]notify.Sender{notify.SMS: r.sms}, BaseURL: "https://monitor.example.org", Poll: 2 * time.Millisecond, Collect: -1,
		Accounts: func(ctx context.Context, q db.Querier) (out []notify.Account, err error) {
			list, err := auth.OpenAccounts(ctx, q)
			for i := range list {
				out = append(out, notify.Account{ID: list[i].ID, Grants: list[i].Grants()})
			}
			return out, err
		},
	}); err != nil {
		t.Fatal(err)
	}
	tells, err := casenotice.New(casenotice.Options{
		Notify: r.notify, Now: r.now, Parent: func(a string) string { return parents[a] },
		Holders: func(context.Context, db.Querier) ([]casenotice.Holder, error) { return r.holders, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.cases, err = casework.New(t.Context(), casework.Options{
		DB: d, Types: casework.Default(), Places: places{}, Now: r.now, Calendars: func(string) casework.Calendar { return hours{} }, Added: tells.Added,
		Units: func(_ context.Context, p auth.Principal) ([]string, error) {
			return map[string][]string{r.ids["handler"]: {"water"}, r.ids["plant"]: {"E1"}}[p.ID], nil
		},
	}); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) who(login string) auth.Principal {
	kind, area := map[string]string{"clerk": "office_clerk", "city": "office_clerk", "county": "supervisor_county", "plant": "enterprise"}[login], map[string]string{"clerk": "540121", "city": "540100", "county": "540121"}[login]
	if kind == "" {
		kind = "person"
	}
	return auth.Principal{ID: r.ids[login], Login: login, Role: auth.Role(kind), Area: area}
}

// told are the kinds of what each account was told since the last time, by login.
func (r *rig) told() string {
	r.t.Helper()
	var out []string
	for login, id := range r.ids {
		list, _, err := r.notify.Inbox(r.t.Context(), id, i18n.Zh, notify.Filter{Limit: 100, Unread: true})
		if err != nil {
			r.t.Fatal(err)
		}
		for _, n := range list {
			out = append(out, login+" "+n.Kind)
			if strings.Contains(n.Text, "citizen") || strings.Contains(n.Text, "扎西") {
				r.t.Errorf("it says who reported, or what: %s", n.Text)
			}
			if err := r.notify.Read(r.t.Context(), id, n.ID); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func (r *rig) acts(login string, c *casework.Case, action string, form map[string]string, files ...string) {
	r.t.Helper()
	if _, _, err := r.cases.Act(r.t.Context(), c.ID, action, casework.Input{Form: form, Attachments: files}, r.who(login), casework.Request{}); err != nil {
		r.t.Fatalf("%s: %v", action, err)
	}
}

func (r *rig) want(what, want string) {
	r.t.Helper()
	if got := r.told(); got != want {
		r.t.Errorf("%s: told %q, want %q", what, got, want)
	}
}

func each(t *testing.T, fn func(t *testing.T, r *rig)) {
	t.Helper()
	for _, d := range testkit.Databases() {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			fn(t, newRig(t, d.URL(t)))
		})
	}
}

func (r *rig) reported(severity int) *casework.Case {
	r.t.Helper()
	c, _, err := r.cases.Open(r.t.Context(), casework.Opening{
		Kind: "river_case", Category: "litter", Severity: severity, Title: "扎西家门口的垃圾", Source: "resident", Location: casework.Location{Area: "540121"},
	}, casework.Input{}, r.who("citizen"), casework.Request{})
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// TestWhoIsTold: the office nearest to the case, the unit, a level above when a time was
// missed, who reported; nobody twice, not who did it, not who reported to anybody.
func TestWhoIsTold(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		c := r.reported(3)
		r.want("reported", "clerk case_task, clerk2 case_task")
		r.acts("clerk", c, "hand_out", map[string]string{"unit": "water"})
		r.want("handed out", "citizen case_news, handler case_task")
		r.acts("city", c, "supervise", map[string]string{"letter_no": "1", "due": "2026-11-24"})
		r.want("supervised", "clerk case_task, clerk2 case_task, handler case_task")
		r.pass(200 * time.Hour)
		if _, err := r.cases.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := r.told()
		for _, who := range []string{"handler case_late", "city case_late", "chief case_late", "top case_late"} {
			if !strings.Contains(got, who) {
				t.Errorf("late: told %q, not %s", got, who)
			}
		}
		if strings.Contains(got, "beside") || strings.Contains(got, "county") || strings.Contains(got, "citizen") {
			t.Errorf("late: told %q", got)
		}

		s, _, err := r.cases.Open(t.Context(), casework.Opening{Kind: "supervision", Action: "dispatch", Title: "超标", Source: "alarm", Unit: "E1", Location: casework.Location{Area: "540121"}},
			casework.Input{Form: map[string]string{"outlet": "甲厂一号", "factor": "NOx", "statistic": "小时均值", "value": "81.5", "limit": "50", "times_over": "0.63", "days_over": "3", "link": "https://x/alarms/1"}}, auth.System, casework.Request{})
		if err != nil {
			t.Fatal(err)
		}
		list, _, err := r.notify.Inbox(t.Context(), r.ids["plant"], i18n.Zh, notify.Filter{Limit: 1})
		if err != nil || len(list) != 1 || list[0].Path != "/cases/"+s.TrackingNo || !list[0].Urgent {
			t.Fatalf("%+v, %v", list, err)
		}
		for _, part := range []string{"甲厂一号", "NOx", "小时均值", "81.5", "50", "0.63", "3", "https://x/alarms/1", casework.Written(s.TrackingNo)} {
			if !strings.Contains(list[0].Text, part) {
				t.Errorf("the message lacks %q: %s", part, list[0].Text)
			}
		}
		r.want("put to the enterprise", "county case_task, plant case_task")
	})
}

// TestNothingHalf: what is told and what was done are there together or not at all.
func TestNothingHalf(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		lost := errors.New("lost")
		err := r.db.Tx(t.Context(), func(tx *db.Tx) error {
			if _, err := r.cases.OpenIn(t.Context(), tx, casework.Opening{Kind: "river_case", Category: "litter", Title: "x", Source: "patrol", Location: casework.Location{Area: "540121"}}, casework.Input{}, r.who("clerk")); err != nil {
				return err
			}
			return lost
		})
		if !errors.Is(err, lost) {
			t.Fatal(err)
		}
		r.want("of a case that there is not", "")
		if _, err := r.db.Exec(t.Context(), `DROP TABLE notify_items`); err != nil {
			t.Fatal(err)
		}
		if _, err := r.db.Exec(t.Context(), `DROP TABLE notifications`); err != nil {
			t.Fatal(err)
		}
		if _, _, err := r.cases.Open(t.Context(), casework.Opening{Kind: "river_case", Category: "litter", Title: "x", Source: "patrol", Location: casework.Location{Area: "540121"}}, casework.Input{}, r.who("citizen"), casework.Request{}); err == nil {
			t.Error("a case of which nobody could be told")
		}
		var n int
		if err := r.db.QueryRow(t.Context(), `SELECT count(*) FROM cases`).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d cases, %v", n, err)
		}
	})
}

// TestOncePerHour: of one case one short message an hour goes out, within its length,
// and says how it stands by then; what is most urgent goes out at once.
func TestOncePerHour(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		who := auth.Principal{ID: r.ids["clerk"]}
		if _, err := r.db.Exec(t.Context(), `INSERT INTO notify_addresses (user_id, channel, address, secret, code, code_until, code_tries, confirmed_at) VALUES ($1, 'sms', '13800000000', '', '', NULL, 0, 1)`, who.ID); err != nil {
			t.Fatal(err)
		}
		set, err := r.notify.Settings(t.Context(), who.ID)
		if err != nil {
			t.Fatal(err)
		}
		set.Modes[notify.Choice{Kind: casenotice.Task, Channel: notify.SMS}] = notify.Now
		if err := r.notify.SaveSettings(t.Context(), who, set); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = r.notify.Run(ctx) }()
		out := func(n int) []notify.Parcel {
			t.Helper()
			for end := time.Now().Add(10 * time.Second); len(r.sms.all()) < n && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			}
			time.Sleep(100 * time.Millisecond)
			return r.sms.all()
		}
		for _, tt := range []struct {
			severity int
			want     []int // gone out: opened, supervised, supervised again, hours later
		}{{3, []int{1, 1, 1, 2}}, {1, []int{1, 2, 3, 3}}} {
			before := len(r.sms.all())
			c := r.reported(tt.severity)
			for step, n := range tt.want {
				switch step {
				case 1, 2:
					r.pass(time.Minute)
					r.acts("city", c, "supervise", map[string]string{"letter_no": "1", "due": "2026-11-30"})
				case 3:
					r.pass(2 * time.Hour)
				}
				if got := len(out(before+n)) - before; got != n {
					t.Errorf("severity %d, step %d: %d went out, want %d", tt.severity, step, got, n)
				}
			}
		}
		for _, p := range r.sms.all() {
			if n := len(utf16.Encode([]rune(p.Short))); n > notify.MaxShort {
				t.Errorf("%d: %s", n, p.Short)
			}
		}
	})
}
