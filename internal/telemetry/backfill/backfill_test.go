package backfill

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/errs"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/dialogue"
	"plateau/internal/testkit"
)

// TestGapIsFetched: from a record that did not come to the records that were
// asked for, on both databases.
func TestGapIsFetched(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]func(t *testing.T) string{
		"sqlite":   func(t *testing.T) string { t.Helper(); return filepath.Join(t.TempDir(), "p.db") },
		"postgres": func(t *testing.T) string { t.Helper(); return testkit.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, url(t))
			lost := func(at time.Time) bool { return at.Before(t0.Add(5*time.Minute)) || !at.Before(t0.Add(8*time.Minute)) }
			s.run(10, lost)
			if list := s.ledger(); len(list) != 0 {
				t.Fatalf("missed within the grace time: %+v", list)
			}
			s.answer = func(from, to time.Time) string { // one of the three it has not
				if !from.Equal(t0.Add(5*time.Minute)) || !to.Equal(t0.Add(7*time.Minute)) {
					t.Errorf("asked for %s to %s", from, to)
				}
				s.minute(from)
				s.minute(from.Add(time.Minute))
				return dialogue.Done
			}
			s.run(2, lost)
			g := s.one()
			if g.Cause != Logger || g.State != Open || g.Due != 2 || g.Missing != 2 || !g.From.Equal(t0.Add(5*time.Minute)) || !g.Charged() {
				t.Fatalf("%+v", g)
			}
			s.run(2, always)
			if g = s.one(); !g.To.Equal(t0.Add(8*time.Minute)) || g.State != Open || g.Missing != 1 || g.Requests != 1 || g.Fails != 0 {
				t.Fatalf("after a part came: %+v", g)
			}
			s.answer = func(from, to time.Time) string {
				if !from.Equal(to) || !from.Equal(t0.Add(7*time.Minute)) {
					t.Errorf("asked again for %s to %s", from, to)
				}
				s.minute(from)
				return dialogue.Done
			}
			s.run(15, always)
			g, asked, err := s.Get(t.Context(), s.one().ID)
			if err != nil || g.State != Closed || g.How != ByRequest || g.Missing != 0 || len(asked) != 2 || asked[0].Gained != 2 || asked[1].Gained != 1 {
				t.Fatalf("%+v %+v %v", g, asked, err)
			}
		})
	}
}

func TestWhoLostIt(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		lose func(s *site)
		want Cause
	}{
		"the logger": {func(s *site) { s.run(3, never) }, Logger},
		"the link": {func(s *site) {
			s.connected = false
			s.run(8, never)
			s.connected = true
		}, Link},
		"the door": {func(s *site) {
			for range 3 {
				s.pass(time.Minute)
				s.frame(telemetry.KindMinute, s.now().Add(-time.Minute), telemetry.Quarantined)
				s.look()
			}
		}, Refuse},
		"we": {func(s *site) {
			s.connected = false
			s.pass(20 * time.Minute)
			s.start()
			s.connected = true
		}, Platform},
		"we, with a full disk": {func(s *site) {
			s.connected = false
			s.pass(20 * time.Minute) // no look succeeded
			s.connected = true
		}, Platform},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "")
			s.run(2, always)
			tc.lose(s)
			s.run(8, always)
			var most Gap
			for _, g := range s.ledger() {
				if g.Due > most.Due {
					most = g
				}
			}
			if most.Cause != tc.want || most.Charged() != (tc.want != Platform) {
				t.Errorf("lost by %s, want %s: %+v", most.Cause, tc.want, s.ledger())
			}
		})
	}
}

// TestComesBySelf: what a logger sends late closes its gap, in any order.
func TestComesBySelf(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.connected = false
	s.run(10, never)
	if g := s.one(); g.Missing != 5 || g.Cause != Link {
		t.Fatalf("%+v", g)
	}
	s.connected, s.since = true, s.now()
	for _, i := range []int{3, 0, 9, 4, 1, 2, 7, 5, 8, 6} {
		s.minute(t0.Add(time.Duration(i) * time.Minute))
	}
	s.run(1, always)
	if g := s.one(); g.State != Closed || g.How != BySelf || g.Requests != 0 {
		t.Errorf("%+v", g)
	}
}

func TestStops(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.run(10, never)
	if g := s.one(); g.Missing != 5 {
		t.Fatalf("%+v", g)
	}
	s.edit(func(o *telemetry.Outlet) { o.Stops = []telemetry.Stop{{From: t0.Add(-time.Hour), Reason: "repair"}} })
	s.run(5, never)
	g := s.one()
	if g.State != Closed || g.How != ByStop || g.Charged() {
		t.Fatalf("a declared stop does not cover it: %+v", g)
	}
	s.edit(func(o *telemetry.Outlet) { o.Stops = nil })
	s.run(1, always)
	open, err := s.List(t.Context(), Filter{State: Open})
	if err != nil || len(open) != 1 || !open[0].From.Equal(t0) || open[0].Missing != 11 {
		t.Errorf("after it was taken back: %+v, %v", open, err)
	}
}

func TestPoliteness(t *testing.T) {
	t.Parallel()
	t.Run("silent loggers are left alone", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, "")
		s.run(1, never)
		s.run(5*60, always)
		p := s.Params()
		if n := len(s.asks); n != p.UnableAfter {
			t.Errorf("asked %d times, then it is known not to answer", n)
		}
		if until, ok := s.UnableUntil(testMN); !ok || until.Sub(s.now()) < 18*time.Hour {
			t.Errorf("left alone until %s, %t", until, ok)
		}
		s.start() // and that is known after a restart
		s.run(10, always)
		if len(s.asks) != p.UnableAfter {
			t.Errorf("asked again after a restart")
		}
		s.pass(24 * time.Hour)
		s.run(1, always)
		if len(s.asks) != p.UnableAfter+1 {
			t.Errorf("not asked again after a day: %d", len(s.asks))
		}
	})
	t.Run("a logger without the data is not pressed", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, "")
		s.answer = func(time.Time, time.Time) string { return dialogue.NoData }
		s.run(1, never)
		s.run(120, always)
		if g := s.one(); g.State != GivenUp || g.How != NoData || g.Requests != s.Params().NoDataTimes {
			t.Errorf("%+v", g)
		}
		s.minute(t0)
		s.run(1, always)
		if g := s.one(); g.State != Closed || g.How != BySelf {
			t.Errorf("given up, and it came all the same: %+v", g)
		}
	})
	t.Run("while another dialogue runs", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, "")
		s.busy = true
		s.run(1, never)
		s.run(30, always)
		if len(s.asks) != 0 {
			t.Error("asked in between")
		}
		if err := s.RequestNow(t.Context(), s.one().ID); !errs.Is(err, errs.Conflict) {
			t.Errorf("%v", err)
		}
	})
	t.Run("a long gap is asked for in parts", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, "")
		s.connected = false
		s.run(8*60, never)
		s.connected = true
		var ranges []time.Duration
		s.answer = func(from, to time.Time) string {
			ranges = append(ranges, to.Sub(from))
			for at := from; !at.After(to); at = at.Add(time.Minute) {
				s.minute(at)
			}
			return dialogue.Done
		}
		s.run(20, always)
		if g := s.ledger()[len(s.ledger())-1]; g.State != Closed || g.How != ByRequest || ranges[0] != 6*time.Hour-time.Minute || len(ranges) < 2 {
			t.Errorf("%v %+v", ranges, g)
		}
	})
}

// TestStopBreaksOff: a request that a person asked for outlives the answer to
// them, but does not hold up the end of the program, behind which none begins.
func TestStopBreaksOff(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.busy = true
	s.run(1, never)
	s.run(30, always)
	s.busy, s.hold = false, make(chan struct{}, 2)
	id := s.one().ID
	asked, answered := context.WithCancel(t.Context())
	if err := s.RequestNow(asked, id); err != nil {
		t.Fatal(err)
	}
	<-s.hold
	answered()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	select {
	case <-ended: //nolint:errcheck // it must not have ended at all
		t.Fatal("ended before it was told to")
	case <-time.After(20 * time.Millisecond):
	}
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the request goes on")
	}
	if g := s.one(); g.Requests != 1 || g.State != Open {
		t.Errorf("%+v", g)
	}
	if err := s.RequestNow(t.Context(), id); !errors.Is(err, context.Canceled) {
		t.Errorf("a request after the end: %v", err)
	}
}

func TestGiveUpAndWindow(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.run(10, never)
	id := s.one().ID
	if err := s.GiveUp(t.Context(), id, "officer", " "); !errs.Is(err, errs.Invalid) {
		t.Errorf("without a reason: %v", err)
	}
	if err := s.GiveUp(t.Context(), id, "officer", strings.Repeat("长", 501)); !errs.Is(err, errs.Invalid) {
		t.Errorf("a reason that is too long: %v", err)
	}
	if err := s.GiveUp(t.Context(), id, "officer", "analyser was stolen"); err != nil {
		t.Fatal(err)
	}
	if g := s.one(); g.State != GivenUp || g.How != ByPerson || g.ByPost != "officer" || g.Reason != "analyser was stolen" {
		t.Errorf("%+v", g)
	}
	if err := s.GiveUp(t.Context(), id, "officer", "again"); !errs.Is(err, errs.Conflict) {
		t.Errorf("twice: %v", err)
	}
	if err := s.GiveUp(t.Context(), "none", "officer", "x"); !errs.Is(err, errs.NotFound) {
		t.Errorf("none: %v", err)
	}
	s.start()
	s.run(6, always) // the records of 10..14 were never sent: a second gap
	s.connected = false
	s.pass(11 * 24 * time.Hour)
	s.look()
	list := s.ledger()
	late := slices.ContainsFunc(list, func(g Gap) bool { return g.How == Late && g.State == GivenUp })
	if !late {
		t.Errorf("nothing was given up after the window: %+v", list)
	}
	if g, _, err := s.Get(t.Context(), id); err != nil || g.How != ByPerson {
		t.Errorf("who gave up first is forgotten: %+v, %v", g, err)
	}
}

// TestIntervals: how many records are due follows the outlet's intervals, and a
// kind without an interval is not due.
func TestIntervals(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 24, 3, 20, 0, 0, time.UTC)
	o := &telemetry.Outlet{ID: 1, Intervals: []telemetry.Interval{{Minute: 10}, {From: at, Minute: 1}, {From: at.Add(2 * time.Hour)}}}
	snap := &telemetry.Snapshot{Devices: map[string]*telemetry.Device{testMN: {MN: testMN, Outlet: 1}}}
	count := func(k telemetry.Kind, from, to time.Time) (n int) {
		eachDue(snap, o, k, from.Unix(), to.Unix(), func(slot, string) { n++ })
		return n
	}
	h := at.Truncate(time.Hour)
	for i, want := range []int{6, 60, 60, 0} {
		if n := count(telemetry.KindMinute, h.Add(time.Duration(i)*time.Hour), h.Add(time.Duration(i+1)*time.Hour)); n != want {
			t.Errorf("hour %d: %d records due, want %d", i, n, want)
		}
	}
	if n := count(telemetry.KindHour, h, h.Add(48*time.Hour)); n != 48 {
		t.Errorf("%d hours due", n)
	}
	midnight := time.Date(2026, 11, 24, 16, 0, 0, 0, time.UTC)
	if n := count(telemetry.KindDay, midnight, midnight.Add(72*time.Hour)); n != 3 {
		t.Errorf("%d days due", n)
	}
}
