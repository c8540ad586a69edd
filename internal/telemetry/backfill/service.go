package backfill

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"plateau/internal/platform/db"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/dialogue"
	"plateau/internal/telemetry/gateway"
	"plateau/internal/telemetry/store"
	"plateau/rules"
)

// Store is what the service reads of journal and series.
type Store interface {
	Records(o telemetry.OutletID, k telemetry.Kind, from, to int64, fn func(*telemetry.Record) bool) error
	Frames(mn string, from, to time.Time, cursor string, limit int) ([]store.StoredFrame, string, error)
	Groups(seq uint64, fn func(store.GroupMeta) bool) error
	Wait(ctx context.Context, seq uint64) error
	Tail() uint64
	Health() error
}

// Registry gives the present registry.
type Registry interface{ Snapshot() *telemetry.Snapshot }

// Gateway tells how a logger stands.
type Gateway interface {
	Device(mn string) (gateway.DeviceStatus, bool)
}

// Dialogues asks loggers.
type Dialogues interface {
	Do(ctx context.Context, o dialogue.Order) (dialogue.Record, error)
	List(ctx context.Context, mn string, limit int) ([]dialogue.Record, error)
}

// Options are what a Service needs.
type Options struct {
	DB        *db.DB
	Store     Store
	Registry  Registry
	Gateway   Gateway
	Dialogues Dialogues // nil: gaps are found, nothing is asked
	Rules     *rules.Set
	Now       func() time.Time
	Logger    *slog.Logger
	Every     time.Duration // between looks; 0 = 10 s
	// LookBack is from how long before its very first run the platform expects
	// records: for a demonstration, whose history came as if it had run.
	LookBack time.Duration
	// Adjust changes the rule's parameters, for demonstrations and tests; nil = none.
	Adjust func(*Params)
}

// Service finds gaps, keeps the ledger and asks loggers for what is missing. It
// is safe for concurrent use.
type Service struct {
	o      Options
	params atomic.Pointer[Params]

	mu      sync.Mutex
	marks   map[key]int64                // start of the first period not yet accounted for
	live    map[key][]*Gap               // open, or given up within the window; by From
	byID    map[string]*Gap              // the same
	dirty   map[key]bool                 // to be counted again
	unsaved map[string]*Gap              // changed since the last save
	asked   map[string][]run             // when the records of a gap were asked for
	runs    []run                        // of the platform, the last one is this
	stops   map[telemetry.OutletID]int64 // see recheck
	version uint64                       // of the registry looked at last
	checked time.Time                    // everything overdue then was looked at
	ran     time.Time                    // when the platform first ran; zero after a restart
	loggers map[string]*logger
	wait    sync.WaitGroup
	ending  context.Context //nolint:containedctx // of requests, whoever asked for them; ends with Run
	end     context.CancelFunc
}

// run is a stretch of time: in which the platform ran and could store, or in
// which records were asked for.
type run struct{ from, seen time.Time }

// New reads the ledger. Nothing is looked for until Run.
func New(ctx context.Context, o Options) (*Service, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Every <= 0 {
		o.Every = 10 * time.Second
	}
	s := &Service{
		o: o, marks: map[key]int64{}, live: map[key][]*Gap{}, byID: map[string]*Gap{}, dirty: map[key]bool{}, unsaved: map[string]*Gap{},
		asked: map[string][]run{}, loggers: map[string]*logger{},
	}
	s.ending, s.end = context.WithCancel(context.WithoutCancel(ctx))
	if err := s.readRule(o.Now()); err != nil {
		return nil, err
	}
	if err := s.load(ctx); err != nil {
		return nil, fmt.Errorf("read the ledger of gaps: %w", err)
	}
	return s, nil
}

func (s *Service) readRule(now time.Time) error {
	p, err := ParamsAt(s.o.Rules, now)
	if err != nil {
		return fmt.Errorf("rule %s: %w", RuleID, err)
	}
	if s.o.Adjust != nil {
		s.o.Adjust(&p)
	}
	s.params.Store(&p)
	return nil
}

// Params returns the parameters in force.
func (s *Service) Params() Params { return *s.params.Load() }

// Run looks, asks and keeps the ledger until ctx ends. Then it breaks off the
// requests under way, those that people asked for too, and waits until that is
// written down.
func (s *Service) Run(ctx context.Context) error {
	seq := s.o.Store.Tail() // what came before is read from the series
	s.begin(s.o.Now())
	var follower sync.WaitGroup
	follower.Go(func() { s.follow(ctx, seq) })
	tick := time.NewTicker(s.o.Every)
	defer tick.Stop()
	for {
		now := s.o.Now()
		if err := s.Look(ctx, now); err != nil && ctx.Err() == nil {
			s.o.Logger.WarnContext(ctx, "gaps could not be looked for", slog.String("error", err.Error()))
		}
		s.ask(ctx, now)
		select {
		case <-ctx.Done():
			s.mu.Lock() // nobody may begin a request behind it
			s.end()
			s.mu.Unlock()
			follower.Wait()
			s.wait.Wait()
			return nil
		case <-tick.C:
		}
	}
}

// begin starts a run of the platform.
func (s *Service) begin(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.runs) == 0 {
		s.checked = now.Add(-s.o.LookBack)
		s.runs, s.ran = []run{{s.checked, now}}, now
	} else {
		s.checked = s.runs[len(s.runs)-1].seen
		s.runs = append(s.runs, run{now, now})
	}
	for k := range s.live {
		s.dirty[k] = true
	}
}

// follow takes the arrivals of the journal behind seq.
func (s *Service) follow(ctx context.Context, seq uint64) {
	for {
		err := s.o.Store.Groups(seq, func(m store.GroupMeta) bool {
			s.arrived(m.Entries)
			seq = m.Seq
			return ctx.Err() == nil
		})
		if err != nil {
			s.o.Logger.WarnContext(ctx, "journal could not be followed", slog.String("error", err.Error()))
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Second):
				continue
			}
		}
		if s.o.Store.Wait(ctx, seq) != nil {
			return
		}
	}
}

// arrived moves the marks of series on, and remembers which gaps may have
// become smaller.
func (s *Service) arrived(entries []store.EntryMeta) {
	s.mu.Lock()
	defer s.mu.Unlock()
	snap := s.o.Registry.Snapshot()
	for i := range entries {
		e := &entries[i]
		if kinds[e.Kind] == "" || e.Verdict != telemetry.Stored && e.Verdict != telemetry.Revision {
			continue
		}
		k := key{e.Outlet, e.Kind}
		mark, ok := s.marks[k]
		switch {
		case !ok:
		case e.At == mark:
			if o := snap.Outlets[e.Outlet]; o != nil {
				if sl, due := slotAt(o, e.Kind, e.At); due && sl.from == e.At {
					s.marks[k] = sl.to
				}
			}
		case e.At < mark && len(s.live[k]) > 0:
			s.dirty[k] = true
		}
	}
}
