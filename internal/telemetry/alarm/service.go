package alarm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"time"

	"plateau/internal/platform/db"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/rules"
)

// Engine is what the service needs of the judgement; *quality.Engine is one.
type Engine interface {
	Watch() *quality.Watch
	Ready() bool
	Backlog() quality.Backlog
	First(outlet telemetry.OutletID) (at int64, ok bool, err error)
	Hours(outlet telemetry.OutletID, from, to time.Time) ([]quality.HourRow, error)
	Days(outlet telemetry.OutletID, from, to time.Time) ([]quality.DayRow, error)
	Examiner(snap *telemetry.Snapshot, o *telemetry.Outlet, rows []quality.HourRow) *quality.Examiner
}

// Registry gives the outlets; *telemetry.Registry is one.
type Registry interface{ Snapshot() *telemetry.Snapshot }

// Options of a Service.
type Options struct {
	DB       *db.DB
	Engine   Engine
	Registry Registry
	Live     LiveEngine       // nil = nothing is watched live
	Loggers  Loggers          // nil = clocks are not watched
	Rules    *rules.Set       // nil = the embedded ones
	Now      func() time.Time // must be given
	Logger   *slog.Logger     // nil = discard
	Every    time.Duration    // between two looks; 0 = one second
	// Changed is told of every change of an episode inside the transaction that
	// writes it; what it writes there is kept or lost together with the change.
	Changed func(ctx context.Context, tx *db.Tx, changes []Change) error
}

// Service keeps the alarms. All methods may be called from any goroutine.
type Service struct {
	o     Options
	book  *Rulebook
	watch *quality.Watch

	writing sync.Mutex // held while alarms are written

	// Of Run only.
	waiting map[telemetry.OutletID]int64 // outlets to derive anew, from when on (Unix seconds)
	behind  time.Time                    // since when they wait for the judgement
	settled int64                        // end of the last hour that was looked at
	beat    time.Time
	down    []Span

	live        map[liveKey]*liveState
	liveAt      time.Time // last look
	settleUntil time.Time // after a standstill loggers get time to come back
	permitsAt   int64     // hour of permitsNow
	permitsNow  []condition
}

// New checks the rules and begins to watch the judgement: what it judges from
// now on is seen when Run runs.
func New(o Options) (*Service, error) {
	if o.DB == nil || o.Engine == nil || o.Registry == nil || o.Now == nil {
		return nil, errors.New("alarm: database, engine, registry and clock must be given")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Every == 0 {
		o.Every = time.Second
	}
	book, err := NewRulebook(o.Rules)
	if err != nil {
		return nil, err
	}
	return &Service{o: o, book: book, watch: o.Engine.Watch(), waiting: map[telemetry.OutletID]int64{}, live: map[liveKey]*liveState{}}, nil
}

// Judging goes first: while it is behind, alarms wait, at most so long.
const patience = 2 * time.Minute

// beatEvery is how often it is noted that the program runs; gaps of more than
// twice that are times in which it did not.
const beatEvery = time.Minute

// Run derives alarms until ctx ends; it returns nil then. A fault is logged and
// tried again.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(s.o.Every)
	defer tick.Stop()
	said, begun := "", false
	for {
		var err error
		if !begun {
			if err = s.begin(ctx); err == nil {
				begun = true
			}
		}
		if begun {
			err = s.look(ctx)
		}
		switch {
		case err == nil:
			said = ""
		case ctx.Err() == nil && err.Error() != said:
			said = err.Error()
			s.o.Logger.ErrorContext(ctx, "deriving alarms failed", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// CatchUp derives the alarms of all that is judged by now, without rest, for
// programs that do not run on. Nothing is watched live.
func (s *Service) CatchUp(ctx context.Context) error {
	for _, id := range s.o.Registry.Snapshot().Order {
		if _, err := s.derive(ctx, id, 0); err != nil {
			return fmt.Errorf("outlet %d: %w", id, err)
		}
	}
	return nil
}

// begin finds out how long the program did not run, and derives everything anew
// unless the last run had finished with all that is judged.
func (s *Service) begin(ctx context.Context) error {
	beat, err := s.mark(ctx, "beat")
	if err != nil {
		return err
	}
	now := s.o.Now()
	if last := db.Time(beat); beat != 0 && now.Sub(last) > 2*beatEvery {
		if _, err := s.o.DB.Exec(ctx, `INSERT INTO alarm_down (from_at, to_at) VALUES ($1, $2) ON CONFLICT (from_at) DO UPDATE SET to_at = excluded.to_at`,
			beat, db.Micros(now)); err != nil {
			return err
		}
		s.settleUntil = now.Add(s.book.at(now.Unix())[Link].settle)
	}
	open, err := query(ctx, s.o.DB, "WHERE live = 1 AND end_at IS NULL")
	if err != nil {
		return err
	}
	for i := range open {
		e := &open[i]
		s.live[liveKey{e.Outlet, e.Kind, e.Factor, e.Statistic}] = &liveState{open: e, period: periodOf(e)}
	}
	if s.down, err = s.loadDown(ctx); err != nil {
		return err
	}
	for _, id := range s.o.Registry.Snapshot().Order {
		s.waiting[id] = 0
	}
	return nil
}

// periodOf is what an open live alarm is about, by when it began.
func periodOf(e *Episode) time.Time {
	switch e.Kind {
	case WillExceed, LoseHour, LoseDay:
		return e.Start
	case Permit:
		if from, _, err := quality.PeriodBounds(e.Statistic, e.Start.Unix()); err == nil {
			return instant(from)
		}
	default:
	}
	return time.Time{}
}

// liveEvery is how often the live alarms are looked at; their rules count looks.
const liveEvery = 15 * time.Second

// behindJudging reports whether the judgement has so much to do that alarms
// would only tell of that.
func (s *Service) behindJudging() bool {
	b := s.o.Engine.Backlog()
	return !s.o.Engine.Ready() || b.Dirty > 500 || b.Tail > b.Cursor+200
}

// look does what is to be done now.
func (s *Service) look(ctx context.Context) error {
	if err := s.note(ctx); err != nil {
		return err
	}
	now := s.o.Now()
	if s.o.Live != nil && now.Sub(s.liveAt) >= liveEvery && !s.behindJudging() {
		s.liveAt = now
		if err := s.watchLive(ctx); err != nil {
			return err
		}
	}
	for id, at := range s.watch.Take() {
		s.wait(id, at)
	}
	edge := s.edge(now)
	if edge > s.settled {
		for _, id := range s.o.Registry.Snapshot().Order {
			s.wait(id, edge-hourSeconds)
		}
		s.settled = edge
	}
	due := s.due(edge)
	if len(due) == 0 {
		s.behind = time.Time{}
		return nil
	}
	if s.behindJudging() {
		if s.behind.IsZero() {
			s.behind = now
		}
		if !s.o.Engine.Ready() || now.Sub(s.behind) < patience {
			return nil
		}
	}
	s.behind = time.Time{}
	return s.deriveAll(ctx, due)
}

// note says that the program runs.
func (s *Service) note(ctx context.Context) error {
	now := s.o.Now()
	if now.Sub(s.beat) < beatEvery {
		return nil
	}
	s.beat = now
	return s.o.DB.Tx(ctx, func(tx *db.Tx) error { return setMark(ctx, tx, "beat", db.Micros(now)) })
}

func (s *Service) wait(id telemetry.OutletID, at int64) {
	if old, ok := s.waiting[id]; !ok || at < old {
		s.waiting[id] = at
	}
}

// edge is the end of the last hour that is left to late records no longer.
func (s *Service) edge(now time.Time) int64 {
	return hourStart(now.Unix() - seconds(s.book.at(now.Unix())[Missing].grace))
}

// due lists the outlets of which closed hours changed. Those whose running hour
// changed only wait for its end.
func (s *Service) due(edge int64) []telemetry.OutletID {
	var out []telemetry.OutletID
	for id, at := range s.waiting {
		if at < edge {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// deriveAll derives the episodes of outlets one after the other, with as much
// rest as work between, so that it takes at most half of a core.
func (s *Service) deriveAll(ctx context.Context, due []telemetry.OutletID) error {
	began, n := s.o.Now(), 0
	for _, id := range due {
		from := s.waiting[id]
		start := s.o.Now()
		changed, err := s.derive(ctx, id, from)
		if err != nil {
			return fmt.Errorf("outlet %d: %w", id, err)
		}
		delete(s.waiting, id)
		n += changed
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(max(0, s.o.Now().Sub(start))):
		}
	}
	s.o.Logger.DebugContext(ctx, "alarms derived", slog.Int("outlets", len(due)), slog.Int("changed", n), slog.Duration("took", s.o.Now().Sub(began)))
	return nil
}

// margin is how near episodes may be to an instant at which none was open,
// before they may have something to do with those behind it (join_hours).
const margin = 48 * time.Hour

// derive derives the episodes of an outlet anew that hours from an instant on
// may have changed, and writes the differences; it returns how many there were.
func (s *Service) derive(ctx context.Context, id telemetry.OutletID, from int64) (int, error) {
	snap := s.o.Registry.Snapshot()
	o := snap.Outlets[id]
	if o == nil {
		return 0, nil
	}
	first, ok, err := s.o.Engine.First(id)
	if err != nil || !ok {
		return 0, err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	stored, err := query(ctx, s.o.DB, "WHERE outlet = $1 AND live = 0 ORDER BY start_at, id", int64(id))
	if err != nil {
		return 0, err
	}
	cut := quietPoint(stored, instant(from))
	in := Input{Outlet: o, Rules: s.book, First: instant(first), Now: s.o.Now(), Down: s.down, Served: served(snap, id)}
	if from > 0 {
		in.From = cut.Add(-s.book.warmUp())
	} else {
		cut, in.From = time.Time{}, instant(0)
	}
	outages, err := query(ctx, s.o.DB, "WHERE outlet = $1 AND live = 1 AND kind = $2", int64(id), string(Link))
	if err != nil {
		return 0, err
	}
	for i := range outages {
		in.Links = append(in.Links, Outage{ID: outages[i].ID, Span: Span{outages[i].Start, outages[i].End}})
	}
	if in.Hours, err = s.o.Engine.Hours(id, in.From, in.Now); err != nil {
		return 0, err
	}
	if in.Days, err = s.o.Engine.Days(id, in.From, in.Now); err != nil {
		return 0, err
	}
	in.Exam = s.o.Engine.Examiner(snap, o, in.Hours)
	found := Derive(in)
	if err := in.Exam.Err(); err != nil {
		return 0, err
	}
	isOld := func(e Episode) bool { return !e.Opened.After(cut) }
	found = slices.DeleteFunc(found, isOld)
	write, drop := merge(slices.DeleteFunc(slices.Clone(stored), isOld), found, stored, s.o.Now().UTC())
	if len(write)+len(drop) == 0 {
		return 0, nil
	}
	return len(write) + len(drop), s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		return s.store(ctx, tx, write, drop)
	})
}

// quietPoint is the last instant not behind at, at which no stored episode was
// open or near.
func quietPoint(stored []Episode, at time.Time) time.Time {
	for again := true; again; {
		again = false
		for i := range stored {
			e := &stored[i]
			if !e.Withdrawn.IsZero() {
				continue
			}
			start := e.Start
			if e.Opened.Before(start) {
				start = e.Opened
			}
			if start = start.Add(-margin); start.Before(at) && (e.Open() || e.Last.Add(margin).After(at)) {
				at, again = start, true
			}
		}
	}
	return at
}

// served lists when loggers served an outlet.
func served(snap *telemetry.Snapshot, id telemetry.OutletID) []Span {
	var out []Span
	for _, d := range snap.DevicesOf(id) {
		out = append(out, Span{d.From, d.To})
	}
	return out
}

// merge finds what is to be written and what to be dropped, so that the stored
// episodes of an outlet become those that were found. An episode keeps its ID
// and what people said of it when its bounds move; one that is no longer there
// is kept, withdrawn, when somebody acted on it. all are the outlet's stored
// episodes, whose IDs are taken.
func merge(old, found, all []Episode, now time.Time) (write []Episode, drop []string) {
	taken := map[string]bool{}
	for i := range all {
		taken[all[i].ID] = true
	}
	byID := map[string]*Episode{}
	for i := range old {
		byID[old[i].ID] = &old[i]
	}
	used, renamed := map[string]bool{}, map[string]string{}
	pairs := make([]*Episode, len(found)) // the stored one that each was
	for i := range found {
		if o := byID[found[i].ID]; o != nil && same(o, &found[i]) {
			pairs[i] = o
			used[o.ID] = true
		}
	}
	for i := range found {
		f := &found[i]
		if pairs[i] != nil {
			continue
		}
		for k := range old {
			if o := &old[k]; !used[o.ID] && o.Withdrawn.IsZero() && same(o, f) && overlap(o, f) {
				pairs[i] = o
				used[o.ID] = true
				break
			}
		}
	}
	for i := range found {
		f := &found[i]
		was := f.ID
		if pairs[i] != nil {
			f.ID = pairs[i].ID
		}
		for n := 2; pairs[i] == nil && taken[f.ID]; n++ {
			f.ID = identity(was, fmt.Sprint(n))
		}
		taken[f.ID] = true
		renamed[was] = f.ID
	}
	for i := range found {
		f := &found[i]
		if f.Parent != "" {
			if id, ok := renamed[f.Parent]; ok { // else it is one seen live
				f.Parent = id
			}
		}
		if o := pairs[i]; o != nil {
			f.Ack, f.False = o.Ack, o.False
		}
		for k := range old { // one that swallowed an acknowledged one is known too
			o := &old[k]
			if !used[o.ID] && same(o, f) && overlap(o, f) {
				if o.Ack.Done() && !f.Ack.Done() {
					f.Ack = o.Ack
				}
				if o.False.Done() && !f.False.Done() {
					f.False = o.False
				}
			}
		}
		if pairs[i] == nil || !reflect.DeepEqual(*pairs[i], *f) {
			write = append(write, *f)
		}
	}
	for i := range old {
		o := old[i]
		switch {
		case used[o.ID] || !o.Withdrawn.IsZero():
		case o.Ack.Done() || o.False.Done():
			o.Withdrawn = now
			write = append(write, o)
		default:
			drop = append(drop, o.ID)
		}
	}
	return write, drop
}

// same reports whether two episodes are about the same thing.
func same(a, b *Episode) bool {
	return a.Kind == b.Kind && a.Factor == b.Factor && a.Statistic == b.Statistic && a.Quiet == b.Quiet
}

func overlap(a, b *Episode) bool { return a.Start.Before(endOf(b)) && b.Start.Before(endOf(a)) }
