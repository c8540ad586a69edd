package entitystore

import (
	"bytes"
	"context"
	"errors"
	"math"

	"github.com/cockroachdb/pebble/v2"

	"plateau/internal/sensorthings"
)

var errOrder = errors.New("entitystore: an order by time is of one Datastream")

func (v *view) observations(ctx context.Context, sc sensorthings.Scan, fn func(*sensorthings.Observation) bool) error {
	if sc.From >= sc.To {
		return nil
	}
	switch sc.Order {
	case sensorthings.ByTime, sensorthings.ByTimeDesc:
		if sc.Datastream == 0 {
			return errOrder
		}
		return v.byTime(ctx, sc, fn)
	default:
		return v.byID(ctx, sc, fn)
	}
}

// bounds are the first key of a scan by time and the first behind it.
func bounds(sc *sensorthings.Scan) (lower, upper []byte) {
	lower = prefix(nil, kRow, sc.Datastream)
	upper = after(lower)
	if sc.To < math.MaxInt64 {
		upper = appendTime(bytes.Clone(lower), sc.To)
	}
	if sc.From > math.MinInt64 {
		lower = appendTime(lower, sc.From)
	}
	if sc.After == nil {
		return lower, upper
	}
	mark := timed(nil, kRow, sc.Datastream, sc.After.Start, max(sc.After.ID, 0))
	if sc.Order == sensorthings.ByTime {
		mark = append(mark, 0)
		if bytes.Compare(mark, lower) > 0 {
			lower = mark
		}
	} else if bytes.Compare(mark, upper) < 0 {
		upper = mark
	}
	return lower, upper
}

// byTime reads one Datastream in the order of its rows.
func (v *view) byTime(ctx context.Context, sc sensorthings.Scan, fn func(*sensorthings.Observation) bool) error {
	sum, err := v.summary(sc.Datastream)
	if err != nil || sum == nil || sum.count == 0 {
		return err
	}
	lower, upper := bounds(&sc)
	if bytes.Compare(lower, upper) >= 0 {
		return nil
	}
	desc := sc.Order == sensorthings.ByTimeDesc
	var (
		o    sensorthings.Observation
		text []byte
	)
	if l := sum.latest; desc && l.key != nil && sc.Feature == 0 && bytes.Compare(l.key, lower) >= 0 && bytes.Compare(l.key, upper) < 0 {
		if text, err = parseRow(&o, l.key, l.value, text, sum.feature); err != nil || !fn(&o) {
			return err
		}
		upper = l.key
	}
	it, err := v.r.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return err
	}
	defer it.Close()
	start, next := it.First, it.Next
	if desc {
		start, next = it.Last, it.Prev
	}
	meter := sensorthings.MeterFrom(ctx)
	for ok := start(); ok; ok = next() {
		if text, err = parseRow(&o, it.Key(), it.Value(), text, sum.feature); err != nil {
			return err
		}
		if sc.Feature != 0 && o.Feature != sc.Feature {
			if err := meter.Read(1); err != nil {
				return err
			}
			continue
		}
		if !fn(&o) {
			return nil
		}
	}
	return it.Error()
}
