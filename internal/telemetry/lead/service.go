package lead

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
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
	Hours(outlet telemetry.OutletID, from, to time.Time) ([]quality.HourRow, error)
	Days(outlet telemetry.OutletID, from, to time.Time) ([]quality.DayRow, error)
}

// Registry gives the outlets; *telemetry.Registry is one.
type Registry interface{ Snapshot() *telemetry.Snapshot }

// Options of a Service.
type Options struct {
	DB       *db.DB
	Engine   Engine
	Registry Registry
	// Clock tells how the clocks of an outlet's loggers stood; nil = not known.
	Clock  func(ctx context.Context, outlet telemetry.OutletID, from, to time.Time) ([]Offset, error)
	Rules  *rules.Set       // nil = the embedded ones
	Now    func() time.Time // must be given
	Logger *slog.Logger     // nil = discard
	Every  time.Duration    // between two looks at what is due; 0 = ten seconds
}

// Service keeps the leads. All methods may be called from any goroutine.
type Service struct {
	o     Options
	book  *Rulebook
	watch *quality.Watch

	writing sync.Mutex // held while leads are written

	// Of Run only.
	due   map[window]bool
	last  map[window]time.Time // when it was looked at last
	edge  int64                // end of the last day that is looked at
	since time.Time            // the judgement has been behind
	rows  map[telemetry.OutletID]*Input
	of    string // enterprise and month that rows are of
}

// window is a calendar month of an outlet.
type window struct {
	outlet telemetry.OutletID
	from   int64 // first second of the month
}

// New checks the rules and begins to watch the judgement.
func New(o Options) (*Service, error) {
	if o.DB == nil || o.Engine == nil || o.Registry == nil || o.Now == nil {
		return nil, errors.New("lead: database, engine, registry and clock must be given")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Every == 0 {
		o.Every = 10 * time.Second
	}
	book, err := NewRulebook(o.Rules)
	if err != nil {
		return nil, err
	}
	return &Service{o: o, book: book, watch: o.Engine.Watch(), due: map[window]bool{}, last: map[window]time.Time{}}, nil
}

// Book is the rulebook that the service looks by.
func (s *Service) Book() *Rulebook { return s.book }

// patience is how long leads wait for a judgement that does not catch up.
const patience = 30 * time.Minute

// Run looks at what is due until ctx ends; it returns nil then. After a start the
// last months of all outlets are due: what was judged and not looked at before the
// program ended is not known. A fault is logged and tried again.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(s.o.Every)
	defer tick.Stop()
	said := ""
	for {
		err := s.tick(ctx)
		switch {
		case err == nil:
			said = ""
		case ctx.Err() == nil && err.Error() != said:
			said = err.Error()
			s.o.Logger.ErrorContext(ctx, "looking for leads failed", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// tick looks at what is due now.
func (s *Service) tick(ctx context.Context) error {
	now := s.o.Now()
	common := s.book.common(dateOf(now.Unix()))
	edge := dayStart(now.Add(-common.Settle).Unix())
	for id, at := range s.watch.Take() {
		if at < edge { // else only its running day changed
			s.changed(id, at, edge)
		}
	}
	if edge != s.edge {
		from := edge - 1
		if s.edge == 0 { // the first look
			for range common.Months - 1 {
				_, first, _ := monthOf(from)
				from = first - 1
			}
		}
		for _, id := range s.o.Registry.Snapshot().Order {
			s.add(id, from, edge)
		}
		s.edge = edge
	}
	if len(s.due) == 0 {
		return nil
	}
	if b := s.o.Engine.Backlog(); !s.o.Engine.Ready() || b.Dirty > 500 || b.Tail > b.Cursor+200 {
		if s.since.IsZero() {
			s.since = now
		}
		if !s.o.Engine.Ready() || now.Sub(s.since) < patience {
			return nil
		}
	}
	s.since = time.Time{}
	return s.lookAll(ctx, now, common)
}

// changed makes the months due that hours from an instant on were judged anew in.
// Outlets of the same enterprise that are compared with it are due, too.
func (s *Service) changed(id telemetry.OutletID, at, edge int64) {
	s.add(id, at, edge)
	snap := s.o.Registry.Snapshot()
	if o := snap.Outlets[id]; o != nil && o.Enterprise != "" {
		for _, other := range snap.Order {
			if x := snap.Outlets[other]; other < id && x != nil && x.Enterprise == o.Enterprise {
				s.add(other, at, edge)
			}
		}
	}
}

// add makes the months from the one of an instant to the running one due.
func (s *Service) add(id telemetry.OutletID, at, edge int64) {
	for at < edge {
		_, from, to := monthOf(at)
		s.due[window{id, from}] = true
		at = to
	}
}

// lookAll looks at the windows that are due, one enterprise after the other, with as
// much rest as work between, so that it takes at most half of a core.
func (s *Service) lookAll(ctx context.Context, now time.Time, common Common) error {
	snap := s.o.Registry.Snapshot()
	var list []window
	for w := range s.due {
		switch {
		case snap.Outlets[w.outlet] == nil:
			delete(s.due, w)
		case s.last[w].IsZero() || now.Sub(s.last[w]) >= common.Again:
			list = append(list, w)
		}
	}
	slices.SortFunc(list, func(a, b window) int {
		return cmp.Or(cmp.Compare(b.from, a.from), cmp.Compare(snap.Outlets[a.outlet].Enterprise, snap.Outlets[b.outlet].Enterprise), cmp.Compare(a.outlet, b.outlet))
	})
	defer func() { s.rows, s.of = nil, "" }()
	began, hits := s.o.Now(), 0
	for _, w := range list {
		start := s.o.Now()
		n, err := s.look(ctx, snap, w)
		if err != nil {
			return fmt.Errorf("outlet %d: %w", w.outlet, err)
		}
		delete(s.due, w)
		s.last[w] = now
		hits += n
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(max(0, s.o.Now().Sub(start))):
		}
	}
	if len(list) > 0 {
		s.o.Logger.DebugContext(ctx, "leads looked for", slog.Int("months", len(list)), slog.Int("hits", hits), slog.Duration("took", s.o.Now().Sub(began)))
	}
	return nil
}

// CatchUp looks at the last months of all outlets without rest, for programs that do
// not run on.
func (s *Service) CatchUp(ctx context.Context) error {
	s.watch.Take()
	snap, common := s.o.Registry.Snapshot(), s.book.common(dateOf(s.o.Now().Unix()))
	s.edge = dayStart(s.o.Now().Add(-common.Settle).Unix())
	from := s.edge - 1
	for range common.Months - 1 {
		_, first, _ := monthOf(from)
		from = first - 1
	}
	for _, id := range snap.Order {
		for at := from; at < s.edge; {
			_, first, next := monthOf(at)
			if _, err := s.look(ctx, snap, window{id, first}); err != nil {
				return fmt.Errorf("outlet %d: %w", id, err)
			}
			at = next
		}
	}
	s.rows, s.of = nil, ""
	return nil
}

// look runs the detectors over a window's closed days and writes what changed; it
// returns how many leads there are.
func (s *Service) look(ctx context.Context, snap *telemetry.Snapshot, w window) (int, error) {
	o := snap.Outlets[w.outlet]
	month, from, to := monthOf(w.from)
	if to = min(to, s.edge); to <= from || o == nil {
		return 0, nil
	}
	in, err := s.input(ctx, snap, o, month, from, to)
	if err != nil {
		return 0, err
	}
	var leads []Lead
	for _, f := range s.book.Look(in) {
		for i := range f.Hits {
			l := Lead{Detector: f.Detector.ID, Version: f.Version, Hash: f.Hash, Outlet: o.ID, Month: month, Hit: f.Hits[i]}
			l.ID = identity(&l)
			leads = append(leads, l)
		}
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	return len(leads), s.put(ctx, o.ID, month, to, leads)
}

// identity of a lead: what is found again, by whatever version of the rule and with
// whatever evidence, is the same lead.
func identity(l *Lead) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%d\n%s\n%s\n%d", l.Detector, l.Outlet, l.Month, l.Factor, l.Peer))
	return hex.EncodeToString(sum[:10])
}

// input reads what the detectors look at. The hours of an enterprise's outlets are
// kept until another one's turn, since they are compared with each other.
func (s *Service) input(ctx context.Context, snap *telemetry.Snapshot, o *telemetry.Outlet, month string, from, to int64) (*Input, error) {
	if of := o.Enterprise + "\n" + month; s.rows == nil || s.of != of || o.Enterprise == "" {
		s.rows, s.of = map[telemetry.OutletID]*Input{}, of
	}
	read := func(x *telemetry.Outlet) (*Input, error) {
		if in := s.rows[x.ID]; in != nil {
			return in, nil
		}
		in := &Input{Outlet: x, From: from, To: to}
		var err error
		if in.Hours, err = s.o.Engine.Hours(x.ID, time.Unix(from, 0), time.Unix(to, 0)); err == nil {
			in.Days, err = s.o.Engine.Days(x.ID, time.Unix(from, 0), time.Unix(to, 0))
		}
		s.rows[x.ID] = in
		return in, err
	}
	in, err := read(o)
	if err != nil {
		return nil, err
	}
	in.Peers = nil
	if o.Enterprise != "" && o.Medium != telemetry.Surface {
		for _, id := range snap.Order {
			if x := snap.Outlets[id]; id > o.ID && x != nil && x.Enterprise == o.Enterprise && x.Medium == o.Medium {
				peer, err := read(x)
				if err != nil {
					return nil, err
				}
				in.Peers = append(in.Peers, peer)
			}
		}
	}
	if s.o.Clock != nil {
		if in.Clock, err = s.o.Clock(ctx, o.ID, time.Unix(from, 0), time.Unix(to, 0)); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// put makes the stored leads of a month those that were found.
func (s *Service) put(ctx context.Context, outlet telemetry.OutletID, month string, until int64, found []Lead) error {
	now := s.o.Now().UTC()
	return s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		stored, err := query(ctx, tx, `WHERE outlet = $1 AND month = $2`, int64(outlet), month)
		if err != nil {
			return err
		}
		by := map[string]*Lead{}
		for i := range stored {
			by[stored[i].ID] = &stored[i]
		}
		for i := range found {
			l := &found[i]
			figures, spans, err := l.evidence()
			if err != nil {
				return err
			}
			was := by[l.ID]
			delete(by, l.ID)
			if was == nil {
				if err := tx.Insert(ctx, "leads", []string{
					"id", "detector", "version", "hash", "outlet", "month", "factor", "other", "peer", "from_at", "to_at", "score", "figures", "spans", "found_at", "changed_at", "state", "case_id", "case_no",
				}, [][]any{{
					l.ID, l.Detector, l.Version, l.Hash, int64(outlet), month, l.Factor, l.Other, int64(l.Peer), micros(l.From), micros(l.To), l.Score, figures, spans, db.Micros(now), db.Micros(now), "", "", "",
				}}); err != nil {
					return err
				}
				continue
			}
			oldFigures, oldSpans, err := was.evidence()
			if err != nil {
				return err
			}
			if oldFigures == figures && oldSpans == spans && was.Vanished.IsZero() && was.Hash == l.Hash {
				continue
			}
			if _, err := tx.Exec(ctx, `UPDATE leads SET version = $2, hash = $3, other = $4, from_at = $5, to_at = $6, score = $7, figures = $8, spans = $9, changed_at = $10, vanished_at = NULL WHERE id = $1`,
				l.ID, l.Version, l.Hash, l.Other, micros(l.From), micros(l.To), l.Score, figures, spans, db.Micros(now)); err != nil {
				return err
			}
		}
		for _, l := range by { // no longer found
			if !l.Vanished.IsZero() {
				continue
			}
			if _, err := tx.Exec(ctx, `UPDATE leads SET vanished_at = $2 WHERE id = $1`, l.ID, db.Micros(now)); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, `INSERT INTO lead_looks (outlet, month, until_at, looked_at, hits) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (outlet, month) DO UPDATE SET until_at = excluded.until_at, looked_at = excluded.looked_at, hits = excluded.hits`, int64(outlet), month, micros(until), db.Micros(now), len(found))
		return err
	})
}

func micros(seconds int64) int64 { return seconds * 1_000_000 }

// evidence is what is stored of a hit.
func (h *Hit) evidence() (figures, spans string, err error) {
	a, err := json.Marshal(h.Figures)
	if err != nil {
		return "", "", err
	}
	b, err := json.Marshal(h.Spans)
	return string(a), string(b), err
}
