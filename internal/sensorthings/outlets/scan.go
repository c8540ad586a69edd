package outlets

import (
	"context"
	"math"
	"slices"

	"plateau/internal/sensorthings"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/store"
)

// Observation implements sensorthings.Reader.
func (r *reader) Observation(ctx context.Context, id sensorthings.ID) (*sensorthings.Observation, error) {
	v, err := r.view()
	if err != nil {
		return nil, err
	}
	se, o := v.series(id >> 32)
	if se == nil {
		return nil, sensorthings.ErrNotFound
	}
	var out *sensorthings.Observation
	at := id & math.MaxUint32
	err = r.s.scan(ctx, se, o, at, at+1, false, func(ob *sensorthings.Observation) bool {
		out = ob
		return false
	})
	if err == nil && out == nil {
		err = sensorthings.ErrNotFound
	}
	return out, err
}

// Observations implements sensorthings.Reader. Within a Datastream the orders by
// time and by identifier are the same, because the identifier holds the time.
func (r *reader) Observations(ctx context.Context, sc sensorthings.Scan, fn func(*sensorthings.Observation) bool) error {
	v, err := r.view()
	if err != nil {
		return err
	}
	desc := sc.Order == sensorthings.ByIDDesc || sc.Order == sensorthings.ByTimeDesc
	list := v.list.all
	if sc.Datastream != 0 {
		list = nil
		if se := v.list.byID[sc.Datastream]; se != nil {
			list = []*series{se}
		}
	} else if sc.Feature != 0 {
		list = v.list.byOutlet[telemetry.OutletID(max(0, min(sc.Feature, math.MaxUint32)))]
	}
	more := true
	one := func(se *series) error {
		o := v.outlet(sensorthings.ID(se.outlet))
		if o == nil || sc.Feature != 0 && (sc.Feature != sensorthings.ID(o.ID) || !placed(o)) {
			return nil
		}
		from, to := window(sc, se, desc)
		return r.s.scan(ctx, se, o, from, to, desc, func(ob *sensorthings.Observation) bool {
			more = fn(ob)
			return more
		})
	}
	if desc {
		for _, se := range slices.Backward(list) {
			if err := one(se); err != nil || !more {
				return err
			}
		}
		return nil
	}
	for _, se := range list {
		if err := one(se); err != nil || !more {
			return err
		}
	}
	return nil
}

// window is the part of a Datastream that a scan has yet to read, in Unix
// seconds. Every observation begins on a full second.
func window(sc sensorthings.Scan, se *series, desc bool) (from, to int64) {
	from, to = ceilSeconds(sc.From), ceilSeconds(sc.To)
	from, to = max(from, 0), min(to, 1<<32)
	m := sc.After
	if m == nil {
		return from, to
	}
	if sc.Order == sensorthings.ByTime || sc.Order == sensorthings.ByTimeDesc {
		at := ceilSeconds(m.Start)
		id := idOf(se.id, at)
		whole := at*micro == m.Start
		if desc {
			if whole && id < m.ID { // the same time, before in the order
				at++
			}
			return from, min(to, at)
		}
		if whole && id <= m.ID {
			at++
		}
		return max(from, at), to
	}
	ds, at := m.ID>>32, m.ID&math.MaxUint32
	switch {
	case desc && ds < se.id, !desc && ds > se.id:
		return 0, 0
	case ds != se.id:
		return from, to
	case desc:
		return from, min(to, at)
	}
	return max(from, at+1), to
}

// ceilSeconds is the first full second at or after a time in microseconds.
func ceilSeconds(us int64) int64 {
	s := us / micro
	if us > 0 && us%micro != 0 {
		s++
	}
	return s
}

// scan calls fn with the observations of a Datastream that begin in [from, to),
// Unix seconds, until it returns false.
func (s *Source) scan(ctx context.Context, se *series, o *telemetry.Outlet, from, to int64, desc bool, fn func(*sensorthings.Observation) bool) error {
	if from >= to {
		return nil
	}
	w := s.writer(se, o)
	meter := sensorthings.MeterFrom(ctx)
	rows := 0
	var bad error
	// take hands an observation on; it returns false at the end.
	take := func(ob *sensorthings.Observation, err error) bool {
		if rows++; rows&0xFF == 0 && ctx.Err() != nil {
			err = ctx.Err()
		}
		switch {
		case err != nil:
			bad = err
			return false
		case ob == nil:
			bad = meter.Read(1)
			return bad == nil
		}
		return fn(ob)
	}
	err := s.rows(w, from, to, desc, take)
	if bad != nil {
		return bad
	}
	return err
}

func (s *Source) rows(w *writer, from, to int64, desc bool, take func(*sensorthings.Observation, error) bool) error {
	se := w.se
	if !se.level.judged() {
		code := se.code
		return s.o.Store.Factor(store.FactorScan{
			Outlet: se.outlet, Kind: se.level.kind(), From: from, To: to, Newest: desc,
			Match: func(c string) bool { return c == code || quality.Code2017(c) == code },
		}, func(r *telemetry.Record) bool { return take(w.record(r)) })
	}
	c := quality.Column{Outlet: se.outlet, Code: se.code, From: from, To: min(to, s.closed(se.level)), Newest: desc}
	if se.level == hour {
		return s.o.Quality.FactorHours(c, func(at int64, row *quality.HourRow, f *quality.FactorHour) bool { return take(w.hour(at, row, f)) })
	}
	return s.o.Quality.FactorDays(c, func(at int64, row *quality.DayRow, f *quality.FactorDay) bool { return take(w.day(at, row, f)) })
}

// closed is the instant before which hours or days must begin to be over: what
// is still running is no observation yet.
func (s *Source) closed(l level) int64 {
	now := s.o.Now().Unix()
	if l == day {
		return now - daySeconds + 1
	}
	return now - hourSeconds + 1
}
