package backfill

import (
	"context"
	"slices"
	"sort"
	"time"

	"github.com/google/uuid"

	"plateau/internal/telemetry"
)

// Look finds what has become overdue by now, counts the gaps again that changed,
// and writes the ledger together with the platform's sign of life.
func (s *Service) Look(ctx context.Context, now time.Time) error {
	if err := s.o.Store.Health(); err != nil {
		return err // no sign of life: what is not stored is lost by us
	}
	if err := s.readRule(now); err != nil {
		return err
	}
	s.alive(now)
	snap := s.o.Registry.Snapshot()
	s.recheck(snap, now)
	for _, id := range snap.Order {
		o := snap.Outlets[id]
		if o == nil || ctx.Err() != nil {
			continue
		}
		for k := range kinds {
			if err := s.lookAt(snap, o, k, now); err != nil {
				return err
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.recount(snap, now); err != nil {
		return err
	}
	return s.save(ctx, now)
}

// longestSilence is how late a sign of life may come: three looks, at least a
// minute. After more, the platform counts as down in between.
func (s *Service) longestSilence() time.Duration { return max(3*s.o.Every, time.Minute) }

// alive begins another run after a time without a sign of life, such as a full
// disk or a machine that slept.
func (s *Service) alive(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.runs[len(s.runs)-1]
	if now.Sub(last.seen) > s.longestSilence() {
		s.runs = append(s.runs, run{now, now})
	}
}

// lookAt takes what has become overdue in one series.
func (s *Service) lookAt(snap *telemetry.Snapshot, o *telemetry.Outlet, k telemetry.Kind, now time.Time) error {
	p := s.Params()
	sr := key{o.ID, k}
	s.mu.Lock()
	mark, ok := s.marks[sr]
	if !ok {
		// Everything due before was looked at in an earlier run.
		from := s.checked
		if late := now.Add(-p.Window); late.After(from) {
			from = late
		}
		mark = s.markAt(o, k, from.Add(-p.Grace[k]))
		s.marks[sr] = mark
	}
	s.mu.Unlock()
	limit := now.Add(-p.Grace[k]).Unix() // periods that end by then are overdue
	sl, _ := slotAt(o, k, mark)
	if sl.to > limit {
		return nil
	}
	end := mark
	for sl, _ = slotAt(o, k, end); sl.to <= limit; sl, _ = slotAt(o, k, end) {
		end = sl.to
	}
	missing, err := s.missing(snap, o, k, mark, end)
	if err != nil {
		return err
	}
	found, err := s.classify(o, k, missing)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.marks[sr] = max(s.marks[sr], end)
	for _, l := range found {
		s.add(o.ID, k, l, now)
	}
	return nil
}

// markAt is the start of the first period that ends after t and began in the
// platform's time; s.mu is held.
func (s *Service) markAt(o *telemetry.Outlet, k telemetry.Kind, t time.Time) int64 {
	first := s.runs[0].from
	sl, _ := slotAt(o, k, max(t.Unix(), first.Unix()))
	if sl.from < first.Unix() {
		return sl.to
	}
	return sl.from
}

// due is a period whose record has not come.
type due struct {
	slot
	mn string
}

// missing lists the periods in [from, to) whose records are due and not there.
func (s *Service) missing(snap *telemetry.Snapshot, o *telemetry.Outlet, k telemetry.Kind, from, to int64) ([]due, error) {
	var all []due
	eachDue(snap, o, k, from, to, func(sl slot, mn string) { all = append(all, due{sl, mn}) })
	if len(all) == 0 {
		return nil, nil
	}
	there := map[int64]bool{}
	err := s.o.Store.Records(o.ID, k, from, to, func(r *telemetry.Record) bool {
		there[r.At] = true
		return true
	})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(d due) bool { return there[d.from] }), nil
}

// lost is a missing record with who lost it.
type lost struct {
	due
	cause Cause
}

// maxSigns bounds the frames read to find out who lost something.
const maxSigns = 20_000

// sign is a frame of a logger: something came, if perhaps not what was due.
type sign struct {
	received int64 // Unix seconds
	at       int64 // DataTime; 0 = none
	kind     telemetry.Kind
	bad      bool
	damaged  bool
}

// classify finds out who lost each missing record.
func (s *Service) classify(o *telemetry.Outlet, k telemetry.Kind, missing []due) ([]lost, error) {
	p := s.Params()
	grace, send := int64(p.Grace[k]/time.Second), int64(p.Send/time.Second)
	out := make([]lost, 0, len(missing))
	var signs []sign
	complete := true // signs holds everything
	var mn string
	upTo := int64(0)
	for i, m := range missing {
		if s.down(m.to, m.to+send) {
			out = append(out, lost{m, Platform})
			continue
		}
		if m.to <= s.ran.Unix() {
			cause, err := s.causeBefore(o, m.slot)
			if err != nil {
				return nil, err
			}
			out = append(out, lost{m, cause})
			continue
		}
		if m.mn != mn || m.to+grace > upTo {
			last := m
			for _, n := range missing[i:] {
				if n.mn != m.mn {
					break
				}
				last = n
			}
			mn, upTo = m.mn, last.to+grace
			var err error
			if signs, complete, err = s.signs(mn, m.from-hour, upTo); err != nil {
				return nil, err
			}
		}
		// Who sends real-time data every five minutes is silent for a minute.
		quiet := min(int64(o.IntervalAt(time.Unix(m.from, 0)).Realtime), hour)
		heard := slot{min(m.from, m.to+send-quiet), m.to + send}
		out = append(out, lost{m, causeOf(signs, complete, k, m.slot, heard, m.to+grace)})
	}
	return out, nil
}

// causeBefore tells who lost a record of the time before the platform ran, see
// LookBack, when nothing tells what came when: other records of about that time
// mean that the logger was there.
func (s *Service) causeBefore(o *telemetry.Outlet, sl slot) (Cause, error) {
	const about = 15 * 60
	cause := Link
	err := s.o.Store.Records(o.ID, telemetry.KindMinute, sl.from-about, sl.to+about, func(*telemetry.Record) bool {
		cause = Logger
		return false
	})
	return cause, err
}

// causeOf tells who lost the record of sl by what came from the logger: nothing
// at all in heard is a lost link; up to late a refused record is looked for.
func causeOf(signs []sign, complete bool, k telemetry.Kind, sl, heard slot, late int64) Cause {
	cause := Link
	if !complete && (len(signs) == 0 || signs[len(signs)-1].received < heard.to) {
		cause = Logger // so much came that it was not all read
	}
	i := sort.Search(len(signs), func(i int) bool { return signs[i].received >= heard.from })
	for ; i < len(signs) && signs[i].received < late; i++ {
		sg := &signs[i]
		if sg.bad && (sg.kind == k && sg.at == sl.from || sg.damaged && sg.received >= sl.to && sg.received < heard.to) {
			return Refuse
		}
		if sg.received < heard.to {
			cause = Logger
		}
	}
	return cause
}

// signs reads what came from a logger in [from, to) of receipt.
func (s *Service) signs(mn string, from, to int64) (out []sign, complete bool, err error) {
	cursor := ""
	for {
		page, next, err := s.o.Store.Frames(mn, time.Unix(from, 0), time.Unix(to, 0), cursor, 1000)
		if err != nil {
			return nil, false, err
		}
		for i := range page {
			f := &page[i]
			out = append(out, sign{
				received: f.Received.Unix(), at: f.At, kind: f.Kind, damaged: f.Verdict == telemetry.Refused,
				bad: f.Verdict == telemetry.Refused || f.Verdict == telemetry.Quarantined,
			})
		}
		if next == "" {
			complete = true
			break
		}
		if len(out) >= maxSigns {
			break
		}
		cursor = next
	}
	sort.Slice(out, func(i, j int) bool { return out[i].received < out[j].received })
	return out, complete, nil
}

// down reports that the platform did not run at some moment of [from, to],
// Unix seconds, since its first run. The present run lasts until now.
func (s *Service) down(from, to int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := 1; i < len(s.runs); i++ {
		if s.runs[i-1].seen.Unix() < to && from < s.runs[i].from.Unix() {
			return true
		}
	}
	return false
}

// add puts a missing record into the ledger: into the gap that ends where it
// begins, when the same cause has lost that, else into a new one. A record that
// a gap holds already adds nothing. s.mu is held.
func (s *Service) add(o telemetry.OutletID, k telemetry.Kind, l lost, now time.Time) {
	sr := key{o, k}
	for _, g := range s.live[sr] {
		if g.holds(l.from) {
			return
		}
		if g.State == Open && g.To.Unix() == l.from && g.Cause == l.cause && g.MN == l.mn && l.to-g.From.Unix() <= int64(s.Params().Window/time.Second) {
			g.To = time.Unix(l.to, 0).UTC()
			g.Due++
			g.Missing++
			g.Changed = now
			s.unsaved[g.ID] = g
			return
		}
	}
	g := &Gap{
		ID: uuid.Must(uuid.NewV7()).String(), Outlet: o, MN: l.mn, Kind: k, From: time.Unix(l.from, 0).UTC(), To: time.Unix(l.to, 0).UTC(),
		Cause: l.cause, Due: 1, Missing: 1, Detected: now, Changed: now, State: Open, Next: now.Add(s.Params().Wait),
	}
	s.keep(g)
	s.unsaved[g.ID] = g
}

// keep holds a gap in memory, in order; s.mu is held.
func (s *Service) keep(g *Gap) {
	list := s.live[g.key()]
	i := sort.Search(len(list), func(i int) bool { return list[i].From.After(g.From) })
	s.live[g.key()] = slices.Insert(list, i, g)
	s.byID[g.ID] = g
}

// drop forgets a gap that needs no more watching; s.mu is held.
func (s *Service) drop(g *Gap) {
	k := g.key()
	s.live[k] = slices.DeleteFunc(s.live[k], func(x *Gap) bool { return x == g })
	if len(s.live[k]) == 0 {
		delete(s.live, k)
	}
	delete(s.byID, g.ID)
}

// recount counts the gaps of dirty series again and closes or gives up those
// that have come to their end.
func (s *Service) recount(snap *telemetry.Snapshot, now time.Time) error {
	s.mu.Lock()
	dirty := s.dirty
	s.dirty = map[key]bool{}
	late := now.Add(-s.Params().Window)
	var gaps []*Gap
	for k, list := range s.live {
		for _, g := range slices.Clone(list) { // drop takes from it
			switch {
			case g.To.Before(late):
				s.finish(g, GivenUp, Late, now)
				s.drop(g)
			case dirty[k]:
				gaps = append(gaps, g)
			}
		}
	}
	s.mu.Unlock()
	for _, g := range gaps {
		if err := s.count(snap, g, now); err != nil {
			s.mu.Lock()
			for k := range dirty {
				s.dirty[k] = true
			}
			s.mu.Unlock()
			return err
		}
	}
	return nil
}

// count looks how much of a gap is still missing.
func (s *Service) count(snap *telemetry.Snapshot, g *Gap, now time.Time) error {
	o := snap.Outlets[g.Outlet]
	if o == nil {
		return nil
	}
	s.mu.Lock()
	from, to := g.From.Unix(), g.To.Unix()
	s.mu.Unlock()
	n := 0
	eachDue(snap, o, g.Kind, from, to, func(slot, string) { n++ })
	missing, err := s.missing(snap, o, g.Kind, from, to)
	if err != nil {
		return err
	}
	how := ByStop
	if len(missing) == 0 && n > 0 {
		if how, err = s.cameBy(g); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if g.To.Unix() != to || g.State == Closed { // it grew meanwhile; the next look counts it
		s.dirty[g.key()] = g.State != Closed
		return nil
	}
	if g.Due != n || g.Missing != len(missing) {
		if n > 0 {
			g.Due = n
		}
		g.Missing, g.Changed = len(missing), now
		s.unsaved[g.ID] = g
	}
	if len(missing) == 0 {
		s.finish(g, Closed, how, now)
		s.drop(g)
	}
	return nil
}

// cameBy tells whether the record that came last was asked for.
func (s *Service) cameBy(g *Gap) (string, error) {
	s.mu.Lock()
	asked := slices.Clone(s.asked[g.ID])
	s.mu.Unlock()
	if len(asked) == 0 {
		return BySelf, nil
	}
	last := int64(0)
	err := s.o.Store.Records(g.Outlet, g.Kind, g.From.Unix(), g.To.Unix(), func(r *telemetry.Record) bool {
		last = max(last, r.Received)
		return true
	})
	if err != nil {
		return "", err
	}
	for _, a := range asked {
		if at := last / 1e6; at >= a.from.Unix() && at <= a.seen.Unix() { // rows keep whole seconds
			return ByRequest, nil
		}
	}
	return BySelf, nil
}

// finish ends a gap; s.mu is held.
func (s *Service) finish(g *Gap, state State, how string, now time.Time) {
	if g.State == state && state == GivenUp {
		return
	}
	g.State, g.How, g.Closed, g.Changed = state, how, now, now
	s.unsaved[g.ID] = g
	if state == Closed {
		delete(s.asked, g.ID)
	}
}

// recheck looks again at what changed in the registry: a stop that was declared
// closes gaps; one that was taken back, or that became shorter, may open some.
func (s *Service) recheck(snap *telemetry.Snapshot, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if snap.Version == s.version {
		return
	}
	first := s.version == 0
	s.version = snap.Version
	stops := make(map[telemetry.OutletID]int64, len(snap.Outlets))
	for id, o := range snap.Outlets {
		halts := o.Halts()
		h := int64(len(halts))
		for i := range halts {
			h = h*31 + halts[i].From.Unix()
			h = h*31 + halts[i].To.Unix()
		}
		stops[id] = h
		if first || s.stops[id] == h {
			continue
		}
		for k := range kinds {
			sr := key{id, k}
			if len(s.live[sr]) > 0 {
				s.dirty[sr] = true
			}
			if _, ok := s.marks[sr]; ok { // what it covered is looked at again
				s.marks[sr] = min(s.marks[sr], s.markAt(o, k, now.Add(-s.Params().Window)))
			}
		}
	}
	s.stops = stops
	for k := range s.marks {
		if snap.Outlets[k.outlet] == nil {
			delete(s.marks, k)
		}
	}
}
