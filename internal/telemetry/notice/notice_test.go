package notice_test

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

	"plateau/internal/platform/access"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/platform/notify"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/alarm"
	"plateau/internal/telemetry/notice"
	"plateau/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

var start = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

var snapshot = &telemetry.Snapshot{
	Areas:       map[string]*telemetry.Area{"540000": {Code: "540000"}, "540121": {Code: "540121", Parent: "540000"}, "540221": {Code: "540221", Parent: "540000"}},
	Enterprises: map[string]*telemetry.Enterprise{"E1": {ID: "E1", Name: telemetry.Name{Zh: "甲厂", En: "Plant A"}}},
	Outlets:     map[telemetry.OutletID]*telemetry.Outlet{7: {ID: 7, Area: "540121", Enterprise: "E1", Name: telemetry.Name{Zh: "一号", En: "No. 1"}}},
}

type fixed struct{}

func (fixed) Snapshot() *telemetry.Snapshot { return snapshot }

// book is the alarms as they stand.
type book map[string]alarm.Episode

func (b book) Get(_ context.Context, id string) (alarm.Episode, error) {
	e, ok := b[id]
	if !ok {
		return e, errs.New(errs.NotFound, "")
	}
	return e, nil
}

type rig struct {
	*notice.Service
	t      *testing.T
	db     *db.DB
	notify *notify.Service
	who    string // an officer of the county

	mu sync.Mutex
	at time.Time
}

func (r *rig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at
}

func newRig(t *testing.T, url string) *rig {
	t.Helper()
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	r := &rig{t: t, db: d, at: start.Add(2 * time.Hour)}
	people := func(ctx context.Context, q db.Querier) (out []notify.Account, err error) {
		list, err := auth.OpenAccounts(ctx, q)
		for i := range list {
			out = append(out, notify.Account{ID: list[i].ID, Grants: list[i].Grants()})
		}
		return out, err
	}
	if r.notify, err = notify.New(notify.Options{DB: d, Kinds: notice.Kinds(), Accounts: people, Areas: func() access.Areas { return snapshot }, Now: r.now}); err != nil {
		t.Fatal(err)
	}
	if r.Service, err = notice.New(notice.Options{DB: d, Notify: r.notify, Registry: fixed{}, Now: r.now, Every: 2 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	accounts := auth.New(d, r.now, auth.Options{})
	for _, area := range []string{"540121", "540221"} {
		u, err := accounts.AddUser(t.Context(), auth.User{Login: "officer" + area, Post: auth.Post{Zh: "值班员"}, Role: auth.Officer, Area: area})
		if err != nil {
			t.Fatal(err)
		}
		if area == "540121" {
			r.who = u.ID
		}
		set, err := r.notify.Settings(t.Context(), u.ID)
		if err != nil {
			t.Fatal(err)
		}
		set.Modes[notify.Choice{Kind: notice.Warning, Channel: notify.Page}] = notify.Now
		if err := r.notify.SaveSettings(t.Context(), auth.Principal{ID: u.ID}, set); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *rig) change(list ...alarm.Change) {
	r.t.Helper()
	if err := r.db.Tx(r.t.Context(), func(tx *db.Tx) error { return r.Alarms(r.t.Context(), tx, list) }); err != nil {
		r.t.Fatal(err)
	}
}

// told is what the officer of the county was told, the oldest first.
func (r *rig) told() (out []string) {
	r.t.Helper()
	list, _, err := r.notify.Inbox(r.t.Context(), r.who, i18n.En, notify.Filter{Limit: 100})
	if err != nil {
		r.t.Fatal(err)
	}
	for i := range slices.Backward(list) {
		out = append(out, list[i].Kind+" "+list[i].Text)
	}
	return out
}

func each(t *testing.T, fn func(t *testing.T, url string)) {
	t.Helper()
	for _, d := range testkit.Databases() {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			fn(t, d.URL(t))
		})
	}
}

var raised = alarm.Episode{ID: "a1", Outlet: 7, Kind: alarm.Over, Factor: "a21002", Severity: alarm.Act, Start: start, Opened: start.Add(time.Hour)}

func with(fn func(e *alarm.Episode)) *alarm.Episode {
	e := raised
	fn(&e)
	return &e
}

// TestWhatIsTold: each change of an alarm with what it is told as.
func TestWhatIsTold(t *testing.T) {
	t.Parallel()
	note := alarm.Note{By: "u1", At: start}
	ended := with(func(e *alarm.Episode) { e.End = start.Add(time.Hour) })
	warn := with(func(e *alarm.Episode) { e.Severity = alarm.Warn })
	quiet := with(func(e *alarm.Episode) { e.Quiet = alarm.QuietStop })
	const what = "Over the limit: NOx"
	tests := []struct {
		name          string
		before, after *alarm.Episode
		want          []string
		reminds       bool
		told          bool // the one before was told
	}{
		{"new", nil, &raised, []string{"alarm_raised " + what + ": Plant A No. 1, since 2026-11-23 08:00"}, true, false},
		{"new and over", nil, ended, []string{"alarm_raised " + what + ": Plant A No. 1, from 2026-11-23 08:00 until 2026-11-23 09:00"}, false, false},
		{"new and long over", nil, with(func(e *alarm.Episode) { e.Start, e.End = start.AddDate(0, 0, -9), start.AddDate(0, 0, -8) }), nil, false, false},
		{"new, acknowledged before", nil, with(func(e *alarm.Episode) { e.Ack = note }), []string{"alarm_raised " + what + ": Plant A No. 1, since 2026-11-23 08:00"}, false, false},
		{"kept quiet", nil, quiet, nil, false, false},
		{"part of another", nil, with(func(e *alarm.Episode) { e.Parent = "a0" }), nil, false, false},
		{"warning", nil, warn, []string{"alarm_warning " + what + ": Plant A No. 1, since 2026-11-23 08:00"}, false, false},
		{"worse", warn, &raised, []string{"alarm_raised " + what + ": Plant A No. 1, since 2026-11-23 08:00"}, true, false},
		{"better", &raised, warn, nil, false, false},
		{"figure only", &raised, with(func(e *alarm.Episode) { e.Count = 9 }), nil, false, false},
		{"acknowledged", &raised, with(func(e *alarm.Episode) { e.Ack = note }), nil, false, false},
		{"over", &raised, ended, []string{"alarm_ended Over: " + what + ", Plant A No. 1, from 2026-11-23 08:00 until 2026-11-23 09:00"}, false, false},
		{"warning over", warn, with(func(e *alarm.Episode) { e.Severity, e.End = alarm.Warn, start.Add(time.Hour) }), nil, false, false},
		{"goes on", ended, &raised, []string{"alarm_raised Goes on: " + what + ", Plant A No. 1, since 2026-11-23 08:00"}, true, false},
		{"never was, not told", &raised, nil, nil, false, false},
		{"never was", &raised, nil, []string{"alarm_raised " + what + ": Plant A No. 1, since 2026-11-23 08:00", "alarm_ended Withdrawn, later data show that it was none: " + what + ", Plant A No. 1, 2026-11-23 08:00"}, false, true},
		{"now quiet", &raised, quiet, []string{"alarm_raised " + what + ": Plant A No. 1, since 2026-11-23 08:00", "alarm_ended Withdrawn, later data show that it was none: " + what + ", Plant A No. 1, 2026-11-23 08:00"}, false, true},
		{"never was, and over", ended, nil, nil, false, false},
		{"of a factor without a symbol", nil, with(func(e *alarm.Episode) { e.Factor = "a34013" }), []string{"alarm_raised Over the limit: particulates: Plant A No. 1, since 2026-11-23 08:00"}, true, false},
		{"of an outlet that is gone", nil, with(func(e *alarm.Episode) { e.Outlet = 99 }), nil, true, false},
	}
	r := newRig(t, t.TempDir()+"/x.db")
	for i, tt := range tests {
		id, earlier := fmt.Sprint("a", i), len(r.told())
		for _, e := range []**alarm.Episode{&tt.before, &tt.after} { // each case has an alarm of its own
			if *e != nil {
				own := **e
				own.ID = id
				*e = &own
			}
		}
		if tt.told {
			r.change(alarm.Change{After: tt.before})
			if _, err := r.db.Exec(t.Context(), `DELETE FROM alarm_reminders`); err != nil {
				t.Fatal(err)
			}
		}
		r.change(alarm.Change{Before: tt.before, After: tt.after})
		r.change(alarm.Change{Before: tt.before, After: tt.after}) // derived again after a restart
		if d := cmp.Diff(tt.want, append([]string(nil), r.told()[earlier:]...)); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
		var n int
		if err := r.db.QueryRow(t.Context(), `SELECT count(*) FROM alarm_reminders WHERE alarm = $1`, id).Scan(&n); err != nil || (n == 1) != tt.reminds {
			t.Errorf("%s: %d reminders, %v", tt.name, n, err)
		}
		if n, err := others(r); err != nil || n != 0 {
			t.Errorf("%s: %d told in another county, %v", tt.name, n, err)
		}
	}
}

func others(r *rig) (n int, err error) {
	err = r.db.QueryRow(r.t.Context(), `SELECT count(*) FROM notifications WHERE user_id <> $1`, r.who).Scan(&n)
	return n, err
}

// TestReminder: an alarm of which nobody takes note is told again once, after the
// time of the rule, also across a restart; one that somebody took note of, that is
// over or gone is not.
func TestReminder(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, url string) {
		t.Helper()
		r := newRig(t, url)
		alarms := book{}
		for _, id := range []string{"a1", "acked", "false", "over", "gone"} {
			e := *with(func(e *alarm.Episode) { e.ID = id })
			r.change(alarm.Change{After: &e})
			switch id {
			case "acked":
				e.Ack.At = start
			case "false":
				e.False.At = start
			case "over":
				e.End = start.Add(2 * time.Hour)
			case "gone":
				continue
			}
			alarms[id] = e
		}
		run := func(d time.Duration) {
			t.Helper()
			ctx, stop := context.WithTimeout(t.Context(), d)
			defer stop()
			if err := r.Run(ctx, alarms); err != nil {
				t.Fatal(err)
			}
		}
		left := func() (n int) {
			t.Helper()
			if err := r.db.QueryRow(t.Context(), `SELECT count(*) FROM alarm_reminders`).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		run(50 * time.Millisecond)
		if n := left(); n != 5 {
			t.Fatalf("%d reminders wait before the time", n)
		}
		r.mu.Lock()
		r.at = r.at.Add(time.Hour)
		r.mu.Unlock()
		for i := 0; left() > 0 && i < 200; i++ {
			run(50 * time.Millisecond)
		}
		var reminders []string
		for _, s := range r.told() {
			if strings.HasPrefix(s, "alarm_unacked") {
				reminders = append(reminders, s)
			}
		}
		if d := cmp.Diff([]string{"alarm_unacked Nobody has taken note yet: Over the limit: NOx, Plant A No. 1, since 2026-11-23 08:00"}, reminders); d != "" || left() != 0 {
			t.Errorf("%s, %d left", d, left())
		}
	})
}

// TestNothingOfAFailedTransaction: an alarm that is not written is not told, nor
// is it told again later.
func TestNothingOfAFailedTransaction(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, url string) {
		t.Helper()
		r := newRig(t, url)
		broken := errors.New("broken")
		err := r.db.Tx(t.Context(), func(tx *db.Tx) error {
			if err := r.Alarms(t.Context(), tx, []alarm.Change{{After: &raised}}); err != nil {
				return err
			}
			return broken
		})
		if !errors.Is(err, broken) {
			t.Fatal(err)
		}
		var n int
		if err := r.db.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM notifications) + (SELECT count(*) FROM alarm_reminders)`).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d rows, %v", n, err)
		}
	})
}
