package quality

import (
	"context"
	"errors"
	"fmt"
	"time"

	"plateau/internal/platform/errs"
	"plateau/internal/telemetry"
)

// ErrFuture is returned for an instant that has not come yet.
var ErrFuture = errors.New("an instant in the future")

// Known is what was known at an instant: the journal up to the last group
// received by then, and the registry as it was. Later frames, corrections and
// changes of the registry are not in it; rules and limits of the standards are
// those in force at the date of the data, as ever.
type Known struct {
	At  time.Time
	Seq uint64 // of the last journal group known; 0 = nothing had come
	e   *Engine
}

// AsKnown finds what was known at an instant. ErrFuture for one to come.
func (e *Engine) AsKnown(at time.Time) (*Known, error) {
	if at.After(e.o.Now()) {
		return nil, ErrFuture
	}
	seq, err := e.o.Store.SequenceAt(at)
	if err != nil {
		return nil, fmt.Errorf("find what was received by %s: %w", at.UTC().Format(time.RFC3339), err)
	}
	return &Known{At: at, Seq: seq, e: e}, nil
}

// KnownOutlet answers for one outlet as known at an instant. Everything is
// judged from the records when it is asked for; the rows have the very bytes
// that the engine kept then. It is for one goroutine.
type KnownOutlet struct {
	*Known
	Outlet *telemetry.Outlet // as the registry had it
	b      *builder
}

// Outlet is an outlet as known; ErrNotFound when the registry had none.
func (k *Known) Outlet(ctx context.Context, id telemetry.OutletID) (*KnownOutlet, error) {
	snap := k.e.o.Registry.Snapshot()
	o := snap.Outlets[id]
	if h := k.e.o.History; h != nil {
		var err error
		o, err = h.OutletAt(ctx, id, k.At)
		if errs.Is(err, errs.NotFound) {
			o, err = nil, nil
		}
		if err != nil {
			return nil, err
		}
	}
	if o == nil {
		return nil, fmt.Errorf("outlet %d at %s: %w", id, k.At.UTC().Format(time.RFC3339), ErrNotFound)
	}
	b := newBuilder(upTo{k.e.o.Store, k.Seq}, k.e.limitSource(snap), k.e.paramsAt, o)
	return &KnownOutlet{Known: k, Outlet: o, b: b}, nil
}

// upTo reads the series as they were when a group was the last.
type upTo struct {
	s   Store
	seq uint64
}

func (u upTo) Records(o telemetry.OutletID, k telemetry.Kind, from, to int64, fn func(*telemetry.Record) bool) error {
	return u.s.RecordsAt(u.seq, o, k, from, to, fn)
}

// Records are the merged records of [from, to) as known, in order of time. The
// record is reused between calls.
func (o *KnownOutlet) Records(kind telemetry.Kind, from, to time.Time, fn func(*telemetry.Record) bool) error {
	return o.b.src.Records(o.Outlet.ID, kind, from.Unix(), to.Unix(), fn)
}

// Hours are the judged hours of [from, to) as known, oldest first; hours without
// any record have no row.
func (o *KnownOutlet) Hours(from, to time.Time) ([]HourRow, error) {
	first := hourStart(from.Unix() + hourSeconds - 1)
	var out []HourRow
	for at := first; at < to.Unix(); at += whatIfStretch * daySeconds {
		end := hourStart(min(at+whatIfStretch*daySeconds, to.Unix()) + hourSeconds - 1)
		rows, err := o.b.hours(at, end, end)
		if err != nil {
			return nil, fmt.Errorf("judge hours of outlet %d: %w", o.Outlet.ID, err)
		}
		for i := range rows {
			if rows[i].Source != SourceNone {
				out = append(out, rows[i])
			}
		}
	}
	return out, nil
}

// Days are the judged days that begin in [from, to) as known, oldest first; days
// without any record have no row.
func (o *KnownOutlet) Days(from, to time.Time) ([]DayRow, error) {
	first := dayStart(from.Unix() + daySeconds - 1)
	var out []DayRow
	for at := first; at < to.Unix(); at += whatIfStretch * daySeconds {
		end := dayStart(min(at+whatIfStretch*daySeconds, to.Unix()) + daySeconds - 1)
		s, err := o.b.stretch(at, end)
		if err != nil {
			return nil, err
		}
		for i := range s.days {
			if s.there[i] {
				out = append(out, s.days[i])
			}
		}
	}
	return out, nil
}

// Explain joins everything behind one value as known; see Engine.Explain.
func (o *KnownOutlet) Explain(factor, level string, at time.Time) (Explanation, error) {
	if at.After(o.At) {
		return Explanation{}, fmt.Errorf("a value of %s: %w", at.UTC().Format(time.RFC3339), ErrNotFound)
	}
	x := &explainer{
		b: o.b, o: o.Outlet, factor: factor, now: o.At,
		parts: func(id telemetry.OutletID, kind telemetry.Kind, at int64) ([]telemetry.Record, error) {
			return o.e.o.Store.PartsAt(o.Seq, id, kind, at)
		},
	}
	return x.explain(level, at)
}

// Period is the month, quarter or year that at falls in, as far as it had gone
// by and as known; see Engine.Period.
func (o *KnownOutlet) Period(level string, at time.Time) (PeriodRow, error) {
	return computePeriod(periodInput{
		outlet: o.Outlet, level: level, at: at.Unix(), now: o.At.Unix(), rows: knownRows{o}, plans: o.b.plans,
	})
}

// knownRows are the rows of an outlet as known.
type knownRows struct{ o *KnownOutlet }

func (r knownRows) Hours(from, to int64) ([]HourRow, error) { return r.o.Hours(unix(from), unix(to)) }

func (r knownRows) Days(from, to int64) ([]DayRow, error) { return r.o.Days(unix(from), unix(to)) }

// First looks for the earliest record that makes an hour.
func (r knownRows) First() (first int64, ok bool, err error) {
	for _, k := range []telemetry.Kind{telemetry.KindHour, telemetry.KindMinute, telemetry.KindRealtime} {
		err := r.o.b.src.Records(r.o.Outlet.ID, k, firstTime, lastTime, func(rec *telemetry.Record) bool {
			if at := hourStart(rec.At); !ok || at < first {
				first, ok = at, true
			}
			return false
		})
		if err != nil {
			return 0, false, fmt.Errorf("look for the first record of outlet %d: %w", r.o.Outlet.ID, err)
		}
	}
	return first, ok, nil
}
