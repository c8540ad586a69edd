package backfill

import (
	"context"
	"errors"
	"log/slog"
	"sort"
	"time"

	"plateau/hj212"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/dialogue"
)

// logger is what is known of one logger's answers to requests for history.
type logger struct {
	read   bool // the log of dialogues was looked at
	asked  []time.Time
	silent int       // requests in a row without an answer
	since  time.Time // of the last of them
	busy   bool
}

// ask begins the requests that are due, one for a logger at a time.
func (s *Service) ask(ctx context.Context, now time.Time) {
	if s.o.Dialogues == nil {
		return
	}
	p := s.Params()
	s.mu.Lock()
	busy := 0
	for _, l := range s.loggers {
		if l.busy {
			busy++
		}
	}
	var due []*Gap
	for _, g := range s.byID {
		if g.State == Open && g.saved && !g.busy && g.Missing > 0 && !now.Before(g.Next) {
			due = append(due, g)
		}
	}
	s.mu.Unlock()
	// The oldest first: they are the nearest to the end of the window.
	sort.Slice(due, func(i, j int) bool {
		return due[i].From.Before(due[j].From) || due[i].From.Equal(due[j].From) && due[i].ID < due[j].ID
	})
	for _, g := range due {
		if busy >= p.AtOnce || ctx.Err() != nil {
			return
		}
		if s.start(ctx, g, now, false) == nil {
			busy++
		}
	}
}

// RequestNow asks for the missing records of a gap without waiting for its
// time. errs.NotFound without such a gap; errs.Conflict when it is not open,
// when the logger is not connected, or a dialogue with it is under way.
func (s *Service) RequestNow(ctx context.Context, id string) error {
	s.mu.Lock()
	g := s.byID[id]
	open := g != nil && g.State == Open && g.saved
	s.mu.Unlock()
	if !open || s.o.Dialogues == nil {
		if _, _, err := s.Get(ctx, id); err != nil {
			return err
		}
		return errs.New(errs.Conflict, "gaps.not_open")
	}
	return s.start(context.WithoutCancel(ctx), g, s.o.Now(), true)
}

// start begins a request for a gap unless something speaks against it.
func (s *Service) start(ctx context.Context, g *Gap, now time.Time, byPerson bool) error {
	p := s.Params()
	st, ok := s.o.Gateway.Device(g.MN)
	switch {
	case !ok || !st.Connected || s.o.Registry.Snapshot().Devices[g.MN] == nil:
		return errs.New(errs.Conflict, "gaps.not_connected")
	case st.InDialogue:
		return errs.New(errs.Conflict, "command.busy")
	case !byPerson && now.Sub(st.Since) < p.Wait:
		return errs.New(errs.Conflict, "command.busy") // what it kept may be on its way
	}
	l, err := s.logger(ctx, g.MN, now)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ending.Err() != nil:
		return s.ending.Err()
	case l.busy || g.busy:
		return errs.New(errs.Conflict, "command.busy")
	case !byPerson && len(l.asked) >= p.PerHour:
		return errs.New(errs.Conflict, "command.busy")
	case !byPerson && s.unable(l, now, p):
		return errs.New(errs.Conflict, "gaps.unable")
	}
	l.busy, g.busy = true, true
	l.asked = append(l.asked, now)
	by := auth.From(ctx)
	if !byPerson || !by.Known() {
		by = auth.System
	}
	s.wait.Go(func() {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(s.ending, cancel)()
		defer func() {
			s.mu.Lock()
			l.busy, g.busy = false, false
			s.mu.Unlock()
		}()
		if err := s.request(ctx, g, by); err != nil && ctx.Err() == nil {
			s.o.Logger.WarnContext(ctx, "request for missing records", slog.String("mn", g.MN), slog.String("error", err.Error()))
		}
	})
	return nil
}

// logger returns what is known of a logger, from the log of dialogues the first
// time.
func (s *Service) logger(ctx context.Context, mn string, now time.Time) (*logger, error) {
	s.mu.Lock()
	l := s.loggers[mn]
	if l == nil {
		l = &logger{}
		s.loggers[mn] = l
	}
	read := l.read
	hour := now.Add(-time.Hour)
	for len(l.asked) > 0 && l.asked[0].Before(hour) {
		l.asked = l.asked[1:]
	}
	s.mu.Unlock()
	if read {
		return l, nil
	}
	past, err := s.o.Dialogues.List(ctx, mn, 50)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.read {
		return l, nil
	}
	l.read = true
	for i := len(past) - 1; i >= 0; i-- { // oldest first
		if r := &past[i]; r.Origin == dialogue.FromBackfill {
			if r.Started.After(hour) {
				l.asked = append(l.asked, r.Started)
			}
			l.answered(r)
		}
	}
	return l, nil
}

// answered takes in how a request ended.
func (l *logger) answered(r *dialogue.Record) {
	switch r.Outcome {
	case dialogue.NoAnswer, dialogue.Refused:
		l.silent++
		l.since = r.Started
	case dialogue.Done, dialogue.NoData, dialogue.Failed, dialogue.Unfinished:
		l.silent = 0
	}
}

func (s *Service) unable(l *logger, now time.Time, p Params) bool {
	return l.silent >= p.UnableAfter && now.Sub(l.since) < p.UnableFor
}

// UnableUntil tells until when a logger is not asked because it did not answer
// requests for history; false when it is asked.
func (s *Service) UnableUntil(mn string) (time.Time, bool) {
	p := s.Params()
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.loggers[mn]
	if l == nil || !s.unable(l, s.o.Now(), p) {
		return time.Time{}, false
	}
	return l.since.Add(p.UnableFor), true
}

// request asks for the missing records of a gap and notes what came of it.
func (s *Service) request(ctx context.Context, g *Gap, by auth.Principal) error {
	snap := s.o.Registry.Snapshot()
	o := snap.Outlets[g.Outlet]
	if o == nil {
		return nil
	}
	p := s.Params()
	s.mu.Lock()
	from, to, id := g.From.Unix(), g.To.Unix(), g.ID
	s.mu.Unlock()
	missing, err := s.missing(snap, o, g.Kind, from, to)
	if err != nil || len(missing) == 0 {
		return errors.Join(err, s.countNow(ctx, snap, g))
	}
	first, last := missing[0].from, missing[0].from
	for _, m := range missing {
		if m.from-first < int64(p.Range[g.Kind]/time.Second) {
			last = m.from
		}
	}
	st, _ := s.o.Gateway.Device(g.MN)
	version := hj212.V2017
	if st.Version == hj212.V2005.String() {
		version = hj212.V2005
	}
	begin, end := time.Unix(first, 0).UTC(), time.Unix(last, 0).UTC()
	asked := s.o.Now()
	s.mu.Lock()
	s.asked[id] = append(s.asked[id], run{asked, asked.Add(time.Hour)}) // until it is over
	s.mu.Unlock()
	rec, err := s.o.Dialogues.Do(ctx, dialogue.Order{
		MN: g.MN, Act: "history", Command: hj212.History(version, commandOf[g.Kind], begin, end), Origin: dialogue.FromBackfill, By: by,
		Params: map[string]string{"gap": id, "from": begin.Format(time.RFC3339), "to": end.Format(time.RFC3339)},
	})
	if rec.ID == "" { // it was not even begun
		s.mu.Lock()
		s.asked[id] = s.asked[id][:len(s.asked[id])-1]
		g.Next = s.o.Now().Add(30 * time.Second)
		s.mu.Unlock()
		if errs.Is(err, errs.Conflict) {
			return nil
		}
		return err
	}
	return s.noteRequest(context.WithoutCancel(ctx), g, &rec, asked, begin, end, missing)
}

var commandOf = map[telemetry.Kind]int{telemetry.KindMinute: 2051, telemetry.KindHour: 2061, telemetry.KindDay: 2031}

// noteRequest writes down what a request brought, and when the next one may
// follow.
func (s *Service) noteRequest(ctx context.Context, g *Gap, rec *dialogue.Record, asked, begin, end time.Time, missing []due) error {
	p := s.Params()
	now := s.o.Now()
	snap := s.o.Registry.Snapshot()
	still := map[int64]bool{}
	if o := snap.Outlets[g.Outlet]; o != nil {
		list, err := s.missing(snap, o, g.Kind, begin.Unix(), end.Unix()+day)
		if err != nil {
			return err
		}
		for _, m := range list {
			still[m.from] = true
		}
	}
	gained := 0
	whole := true // all that is missing was asked for
	for _, m := range missing {
		inside := m.from >= begin.Unix() && m.from <= end.Unix()
		whole = whole && inside
		if inside && !still[m.from] {
			gained++
		}
	}
	s.mu.Lock()
	if l := s.loggers[g.MN]; l != nil {
		l.answered(rec)
	}
	spans := s.asked[g.ID]
	if n := len(spans); n > 0 {
		spans[n-1].seen = now
	}
	sent := rec.Attempts > 0
	if sent {
		g.Requests++
		g.Fails++
	}
	if gained > 0 {
		g.Fails = 0
	}
	pause := min(p.Pause<<min(max(g.Fails-1, 0), 16), p.PauseMax)
	switch {
	case gained > 0 && !whole, !sent:
		pause = min(pause, 30*time.Second)
	}
	g.Next, g.Changed = now.Add(pause), now
	if g.State == Open {
		switch {
		case gained > 0:
		case rec.Outcome == dialogue.NoData && g.Fails >= p.NoDataTimes:
			s.finish(g, GivenUp, NoData, now)
		case g.Fails >= p.Retries:
			s.finish(g, GivenUp, Unable, now)
		}
	}
	s.unsaved[g.ID] = g
	id := g.ID
	s.mu.Unlock()
	_, err := s.o.DB.Exec(ctx, `INSERT INTO gap_requests (gap, dialogue, at, ended, from_at, to_at, outcome, gained) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		id, rec.ID, db.Micros(asked), db.Micros(now), db.Micros(begin), db.Micros(end), rec.Outcome, gained)
	return errors.Join(err, s.countNow(ctx, snap, g))
}

// countNow counts one gap and writes it.
func (s *Service) countNow(ctx context.Context, snap *telemetry.Snapshot, g *Gap) error {
	if err := s.count(snap, g, s.o.Now()); err != nil {
		return err
	}
	s.mu.Lock()
	row := *g
	s.mu.Unlock()
	return s.o.DB.Tx(ctx, func(tx *db.Tx) error { return write(ctx, tx, []Gap{row}) })
}
