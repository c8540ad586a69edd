package events_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/alarm"
	"plateau/internal/telemetry/events"
	"plateau/internal/telemetry/quality"
	"plateau/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

var start = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

type fixed struct{}

func (fixed) Snapshot() *telemetry.Snapshot {
	return &telemetry.Snapshot{Outlets: map[telemetry.OutletID]*telemetry.Outlet{
		7: {ID: 7, Name: telemetry.Name{Zh: "一号排口", En: "No. 1"}, Enterprise: "e1", Area: "540102"},
	}}
}

func open(t *testing.T, url string, now func() time.Time, keep time.Duration) (*events.Log, *db.DB) {
	t.Helper()
	base, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = base.Close() })
	l, err := events.New(events.Options{DB: base, Registry: fixed{}, Now: now, Keep: keep, Poll: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return l, base
}

func kinds(list []events.Event) (out []events.Kind) {
	for i := range list {
		out = append(out, list[i].Kind)
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

func TestAlarmChangesBecomeEvents(t *testing.T) {
	t.Parallel()
	note := alarm.Note{By: "u1", Post: alarm.Post{Zh: "值班员"}, At: start, Text: "已通知"}
	raised := alarm.Episode{ID: "a1", Outlet: 7, Kind: alarm.Over, Factor: "a21002", Severity: alarm.Warn, Start: start, Opened: start.Add(time.Hour), Limit: quality.LimitRef{ID: "l", Op: "<=", Hi: quality.Some(50)}, Max: quality.Some(62.4)}
	with := func(fn func(e *alarm.Episode)) *alarm.Episode { e := raised; fn(&e); return &e }
	quiet := with(func(e *alarm.Episode) { e.Quiet = alarm.QuietStop })
	ended := with(func(e *alarm.Episode) { e.End = start.Add(2 * time.Hour); e.EndedBy = alarm.EndGood })
	tests := []struct {
		name          string
		before, after *alarm.Episode
		want          []events.Kind
	}{
		{"new", nil, &raised, []events.Kind{events.AlarmRaised}},
		{"new and over", nil, ended, []events.Kind{events.AlarmRaised, events.AlarmEnded}},
		{"new, kept quiet", nil, quiet, nil},
		{"new, part of another", nil, with(func(e *alarm.Episode) { e.Parent = "a0" }), nil},
		{"severity", &raised, with(func(e *alarm.Episode) { e.Severity = alarm.Act }), []events.Kind{events.AlarmChanged}},
		{"figure only", &raised, with(func(e *alarm.Episode) { e.Max = quality.Some(70) }), nil},
		{"acknowledged", &raised, with(func(e *alarm.Episode) { e.Ack = note }), []events.Kind{events.AlarmAcknowledged}},
		{"taken back", with(func(e *alarm.Episode) { e.Ack = note }), &raised, []events.Kind{events.AlarmUnacknowledged}},
		{"called false", &raised, with(func(e *alarm.Episode) { e.False = note }), []events.Kind{events.AlarmCalledFalse}},
		{"called true", with(func(e *alarm.Episode) { e.False = note }), &raised, []events.Kind{events.AlarmCalledTrue}},
		{"ended", &raised, ended, []events.Kind{events.AlarmEnded}},
		{"reopened", ended, &raised, []events.Kind{events.AlarmReopened}},
		{"gone", &raised, nil, []events.Kind{events.AlarmWithdrawn}},
		{"now quiet", &raised, quiet, []events.Kind{events.AlarmWithdrawn}},
		{"quiet no more", quiet, &raised, []events.Kind{events.AlarmRaised}},
		{"quiet and gone", quiet, nil, nil},
	}
	each(t, func(t *testing.T, url string) {
		t.Helper()
		l, base := open(t, url, func() time.Time { return start }, 0)
		var cursor int64
		for _, tt := range tests {
			err := base.Tx(t.Context(), func(tx *db.Tx) error {
				return l.Alarms(t.Context(), tx, []alarm.Change{{Before: tt.before, After: tt.after}})
			})
			if err != nil {
				t.Fatal(err)
			}
			list, next, err := l.Since(t.Context(), cursor, 10)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, kinds(list)); d != "" {
				t.Errorf("%s: %s", tt.name, d)
			}
			for i := range list {
				if e := &list[i]; e.Alarm == nil || e.Alarm.ID != "a1" || e.OutletName.En != "No. 1" || e.Area != "540102" || e.Enterprise != "e1" {
					t.Errorf("%s: %s", tt.name, e.JSON(""))
				}
			}
			cursor = next
		}
	})
}

// TestNothingOfAFailedTransaction: an event is there if and only if what it
// tells of is.
func TestNothingOfAFailedTransaction(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, url string) {
		t.Helper()
		l, base := open(t, url, func() time.Time { return start }, 0)
		broken := errors.New("broken")
		err := base.Tx(t.Context(), func(tx *db.Tx) error {
			if err := l.Append(t.Context(), tx, []events.Event{{Kind: events.OutletState}}); err != nil {
				return err
			}
			return broken
		})
		if !errors.Is(err, broken) {
			t.Fatal(err)
		}
		if list, _, err := l.Since(t.Context(), 0, 10); err != nil || len(list) != 0 {
			t.Errorf("%d events, %v", len(list), err)
		}
	})
}

// TestFollowersMissNothing lets many write at once while one reads on: every
// event is seen once, in order.
func TestFollowersMissNothing(t *testing.T) {
	t.Parallel()
	const writers, rounds = 4, 12
	each(t, func(t *testing.T, url string) {
		t.Helper()
		l, base := open(t, url, func() time.Time { return start }, 0)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				for i := range rounds {
					if err := base.Tx(ctx, func(tx *db.Tx) error {
						return l.Append(ctx, tx, make([]events.Event, 1+i%3))
					}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		want := 0
		for i := range rounds {
			want += writers * (1 + i%3)
		}
		seen, last := map[string]bool{}, int64(0)
		err := l.Subscribe(ctx, 0, func(list []events.Event) error {
			for i := range list {
				if list[i].Seq != last+1 || seen[list[i].ID] {
					t.Errorf("cursor %d after %d", list[i].Seq, last)
				}
				last, seen[list[i].ID] = list[i].Seq, true
			}
			if len(seen) == want {
				stop()
			}
			return nil
		})
		if !errors.Is(err, context.Canceled) || len(seen) != want {
			t.Errorf("%d of %d, %v", len(seen), want, err)
		}
		wg.Wait()
	})
}

// A follower outlives a database that cannot be read, and passes over what was
// dropped before it came to it.
func TestFollowersOutliveFaults(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, url string) {
		t.Helper()
		var now atomic.Int64
		now.Store(start.Unix())
		l, base := open(t, url, func() time.Time { return time.Unix(now.Load(), 0) }, 24*time.Hour)
		add := func() {
			t.Helper()
			if err := base.Tx(t.Context(), func(tx *db.Tx) error { return l.Append(t.Context(), tx, make([]events.Event, 1)) }); err != nil {
				t.Fatal(err)
			}
		}
		exec := func(statement string) {
			t.Helper()
			if _, err := base.Exec(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		heard, done := make(chan int64, 10), make(chan error, 1)
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		follow := func(cursor int64) {
			done <- l.Subscribe(ctx, cursor, func(list []events.Event) error {
				for i := range list {
					heard <- list[i].Seq
				}
				return nil
			})
		}
		want := func(seq int64) {
			t.Helper()
			select {
			case got := <-heard:
				if got != seq {
					t.Fatalf("heard %d, want %d", got, seq)
				}
			case err := <-done:
				t.Fatalf("ended: %v", err)
			case <-ctx.Done():
				t.Fatalf("did not hear %d", seq)
			}
		}
		add()
		add()
		now.Add(25 * 3600)
		add()
		if err := l.Drop(t.Context()); err != nil {
			t.Fatal(err)
		}
		go follow(1) // the second was dropped
		want(3)
		exec(`ALTER TABLE events RENAME TO events_away`)
		time.Sleep(50 * time.Millisecond)
		exec(`ALTER TABLE events_away RENAME TO events`)
		add()
		want(4)
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		// Who follows from now on waits for the database too.
		exec(`ALTER TABLE event_marks RENAME TO marks_away`)
		ctx, stop = context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		go follow(events.Latest)
		time.Sleep(50 * time.Millisecond)
		exec(`ALTER TABLE marks_away RENAME TO event_marks`)
		for n := int64(5); ; n++ { // which is the first to be heard depends on when it looks again
			add()
			select {
			case got := <-heard:
				if got < 5 || got > n {
					t.Fatalf("heard %d of 5 to %d", got, n)
				}
				return
			case err := <-done:
				t.Fatalf("ended: %v", err)
			case <-ctx.Done():
				t.Fatal("heard nothing more")
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
}

func TestOldEventsAreDropped(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, url string) {
		t.Helper()
		now := start
		l, base := open(t, url, func() time.Time { return now }, 24*time.Hour)
		add := func() {
			if err := base.Tx(t.Context(), func(tx *db.Tx) error { return l.Append(t.Context(), tx, make([]events.Event, 2)) }); err != nil {
				t.Fatal(err)
			}
		}
		add()
		now = now.Add(25 * time.Hour)
		add()
		if err := l.Drop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if first, last, err := l.Bounds(t.Context()); first != 2 || last != 4 || err != nil {
			t.Errorf("bounds %d %d %v", first, last, err)
		}
		if list, next, err := l.Since(t.Context(), 0, 10); len(list) != 2 || next != 4 || err != nil {
			t.Errorf("from the beginning: %d, %d, %v", len(list), next, err)
		}
		if _, _, err := l.Since(t.Context(), 1, 10); !errs.Is(err, errs.Conflict) {
			t.Errorf("a reader that was too slow is not told: %v", err)
		}
		if list, _, err := l.Since(t.Context(), 2, 10); len(list) != 2 || err != nil {
			t.Errorf("behind what was dropped: %d, %v", len(list), err)
		}
	})
}

type states struct {
	mu   sync.Mutex
	list []quality.StateResult
	busy bool
}

func (s *states) Ready() bool              { s.mu.Lock(); defer s.mu.Unlock(); return !s.busy }
func (s *states) Backlog() quality.Backlog { return quality.Backlog{} }
func (s *states) States(time.Time) ([]quality.StateResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.list), nil
}

func (s *states) set(busy bool, list ...quality.StateResult) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy, s.list = busy, list
}

func TestStatesAcrossARestart(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, url string) {
		t.Helper()
		s := &states{}
		s.set(false, quality.StateResult{Outlet: 7, State: quality.Normal})
		_, base := open(t, url, func() time.Time { return start }, 0)
		run := func(until int) []events.Event { // a new log each time, as after a restart
			l, err := events.New(events.Options{DB: base, Registry: fixed{}, Now: func() time.Time { return start }})
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithTimeout(t.Context(), time.Minute)
			defer stop()
			done := make(chan error, 1)
			go func() { done <- l.Follow(ctx, s, 2*time.Millisecond) }()
			var list []events.Event
			for {
				var err error
				if list, _, err = l.Since(ctx, 0, 10); err != nil {
					t.Fatal(err)
				}
				if len(list) >= until && until > 0 {
					break
				}
				var known int
				if err := base.QueryRow(ctx, `SELECT count(*) FROM event_states`).Scan(&known); err != nil {
					t.Fatal(err)
				}
				if until == 0 && known > 0 { // it has looked, before the restart if not now
					time.Sleep(50 * time.Millisecond)
					break
				}
				time.Sleep(2 * time.Millisecond)
			}
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
			return list
		}
		if list := run(0); len(list) != 0 {
			t.Errorf("the first look made events: %v", kinds(list))
		}
		s.set(true, quality.StateResult{Outlet: 7, State: quality.Offline})
		if list := run(0); len(list) != 0 {
			t.Errorf("events while the judgement is behind: %v", kinds(list))
		}
		// Changed while the program did not run.
		s.set(false, quality.StateResult{Outlet: 7, State: quality.Exceed, Factor: "a21002", Value: quality.Some(62.4), Since: start})
		list := run(1)
		if len(list) != 1 || list[0].Kind != events.OutletState || list[0].State.From != "normal" || list[0].State.To != "exceed" || list[0].Path != "/outlets/7" {
			t.Fatalf("%+v", list)
		}
		var got map[string]any
		if err := json.Unmarshal(list[0].JSON("https://example.org/"), &got); err != nil || got["link"] != "https://example.org/outlets/7" || got["cursor"] != "1" {
			t.Errorf("%v, %v", got, err)
		}
		if list := run(0); len(list) != 1 {
			t.Errorf("told again: %v", kinds(list))
		}
	})
}
