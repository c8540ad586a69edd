package backfill

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"plateau/hj212"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/dialogue"
	"plateau/internal/telemetry/gateway"
	"plateau/internal/telemetry/store"
	"plateau/internal/testkit"
	"plateau/rules"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

// t0 is 10:00 in UTC+8.
var t0 = time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)

const testMN = "5401032026110000000000A1"

// site is a ledger over a real store and a real database, with a clock that the
// test moves and a logger that answers as told.
type site struct {
	*Service
	t     testing.TB
	store *store.Store
	db    *db.DB
	mu    sync.Mutex
	at    time.Time
	snap  *telemetry.Snapshot

	connected, busy bool
	since           time.Time
	// answer is what the logger does when asked for [from, to]; its result is the
	// outcome.
	answer func(from, to time.Time) string
	asks   []dialogue.Record
	hold   chan struct{} // not nil: told of a request, which then lasts until it is broken off
}

func (s *site) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

func (s *site) pass(d time.Duration) {
	s.mu.Lock()
	s.at = s.at.Add(d)
	s.mu.Unlock()
}

// Snapshot implements Registry.
func (s *site) Snapshot() *telemetry.Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snap
}

// edit changes the outlet as the registry does.
func (s *site) edit(fn func(o *telemetry.Outlet)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := *s.snap.Outlets[1]
	fn(&o)
	next := *s.snap
	next.Version++
	next.Outlets = map[telemetry.OutletID]*telemetry.Outlet{1: &o}
	s.snap = &next
}

// Device implements Gateway.
func (s *site) Device(mn string) (gateway.DeviceStatus, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return gateway.DeviceStatus{MN: mn, Connected: s.connected, InDialogue: s.busy, Since: s.since, Version: "2017"}, true
}

// asker asks the site's logger.
type asker struct{ *site }

// Do implements Dialogues.
func (s asker) Do(ctx context.Context, o dialogue.Order) (dialogue.Record, error) {
	s.mu.Lock()
	if !s.connected {
		s.mu.Unlock()
		return dialogue.Record{}, errs.New(errs.Conflict, "command.busy")
	}
	r := dialogue.Record{ID: fmt.Sprintf("d%03d", len(s.asks)), MN: o.MN, Act: o.Act, CN: o.Command.CN, Origin: o.Origin, Started: s.at, Attempts: 1, Params: o.Params}
	answer, hold := s.answer, s.hold
	s.mu.Unlock()
	if hold != nil {
		hold <- struct{}{}
		<-ctx.Done()
		r.Outcome = dialogue.Broken
		return r, ctx.Err()
	}
	from, err1 := hj212.ParseTime([]byte(o.Command.CP[0][0].Value))
	to, err2 := hj212.ParseTime([]byte(o.Command.CP[1][0].Value))
	if err1 != nil || err2 != nil {
		s.t.Errorf("range of the request: %v, %v", err1, err2)
	}
	r.Outcome = answer(from, to)
	s.mu.Lock()
	s.asks = append(s.asks, r)
	s.mu.Unlock()
	return r, nil
}

// List implements Dialogues.
func (s asker) List(context.Context, string, int) ([]dialogue.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []dialogue.Record
	for _, r := range slices.Backward(s.asks) {
		out = append(out, r)
	}
	return out, nil
}

// newSite starts a platform at t0 with one outlet that reports every minute.
func newSite(tb testing.TB, url string) *site {
	tb.Helper()
	if url == "" {
		url = filepath.Join(tb.TempDir(), "plateau.db")
	}
	s := &site{t: tb, at: t0, connected: true, since: t0.Add(-time.Hour)}
	o := &telemetry.Outlet{ID: 1, Intervals: []telemetry.Interval{{Realtime: 30, Minute: 1}}}
	s.snap = &telemetry.Snapshot{
		Version: 1, Outlets: map[telemetry.OutletID]*telemetry.Outlet{1: o}, Order: []telemetry.OutletID{1},
		Devices: map[string]*telemetry.Device{testMN: {MN: testMN, Outlet: 1, From: t0.AddDate(0, -1, 0)}},
	}
	s.answer = func(time.Time, time.Time) string { return dialogue.NoAnswer }
	var err error
	if s.db, err = db.Open(tb.Context(), url); err != nil {
		tb.Fatal(err)
	}
	if s.store, err = store.Open(tb.TempDir(), store.Options{Now: s.now, NoSync: true, CacheMB: 1}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.store.Close(); err != nil {
			tb.Error(err)
		}
		if err := s.db.Close(); err != nil {
			tb.Error(err)
		}
	})
	s.start()
	return s
}

// start begins a run of the platform, as after a restart.
func (s *site) start() {
	s.t.Helper()
	var err error
	s.Service, err = New(context.Background(), Options{
		DB: s.db, Store: s.store, Registry: s, Gateway: s, Dialogues: asker{s}, Rules: rules.Default(), Now: s.now,
		Adjust: func(p *Params) {
			p.Grace[telemetry.KindHour], p.Grace[telemetry.KindDay] = 1000*time.Hour, 1000*time.Hour // minutes only
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.begin(s.now())
}

// frame stores a frame of the logger as it comes now, and lets the ledger see it.
func (s *site) frame(kind telemetry.Kind, at time.Time, verdict telemetry.Verdict) {
	s.t.Helper()
	done := make(chan store.Result, 1)
	seq := s.store.Tail()
	f := &store.Frame{
		MN: testMN, Outlet: 1, Kind: kind, At: at.Unix(), Received: s.now(), Raw: fmt.Appendf(nil, "##%d %d %d", kind, at.Unix(), s.now().UnixMicro()), Verdict: verdict,
		Done: func(r store.Result) { done <- r },
	}
	if verdict == telemetry.Stored {
		f.Values = []telemetry.Value{telemetry.NewValue("a21026", "Avg", []byte("1.5"))}
	} else {
		f.Reason = "crc_mismatch"
	}
	if err := s.store.Submit(s.t.Context(), f); err != nil {
		s.t.Fatal(err)
	}
	if r := <-done; r.Err != nil {
		s.t.Fatal(r.Err)
	}
	if err := s.store.Groups(seq, func(m store.GroupMeta) bool { s.arrived(m.Entries); return true }); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) minute(at time.Time) {
	s.t.Helper()
	s.frame(telemetry.KindMinute, at, telemetry.Stored)
}

// look runs one look at the present time, and the requests that follow.
func (s *site) look() {
	s.t.Helper()
	if err := s.Look(s.t.Context(), s.now()); err != nil {
		s.t.Fatal(err)
	}
	s.ask(s.t.Context(), s.now())
	s.wait.Wait()
}

// run lets minutes pass, with a real-time frame in each; sends tells whether
// the record of a minute comes.
func (s *site) run(n int, sends func(at time.Time) bool) {
	s.t.Helper()
	for range n {
		began := s.now().Truncate(time.Minute)
		s.pass(time.Minute)
		if s.connectedNow() {
			s.frame(telemetry.KindRealtime, s.now(), telemetry.Stored)
		}
		if sends(began) {
			s.minute(began)
		}
		s.look()
	}
}

func (s *site) connectedNow() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connected
}

func always(time.Time) bool { return true }
func never(time.Time) bool  { return false }

func (s *site) ledger() []Gap {
	s.t.Helper()
	list, err := s.List(s.t.Context(), Filter{})
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

// one is the only gap.
func (s *site) one() Gap {
	s.t.Helper()
	list := s.ledger()
	if len(list) != 1 {
		s.t.Fatalf("%d gaps, want one: %+v", len(list), list)
	}
	return list[0]
}
