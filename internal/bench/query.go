package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"plateau/hj212"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/store"
)

// Query measures what pages ask: a day of one outlet, the latest of all.
func Query(ctx context.Context, c Config) (r Report, err error) {
	c.defaults()
	r = newReport("query")
	dir, remove, err := c.tempDir()
	if err != nil {
		return r, err
	}
	defer remove()
	s, err := store.Open(dir, store.Options{Now: c.Now})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	const outlets, records = 50_000, 2880
	now := c.Now().Truncate(time.Second)
	if err := fillLoggers(ctx, s, 1, records, now); err != nil {
		return r, err
	}
	if err := fillLoggers(ctx, s, outlets, 1, now); err != nil {
		return r, err
	}
	if err := s.Compact(ctx); err != nil { // a day is read from files, not from what is still in memory
		return r, err
	}
	var day, latest []float64
	for range max(c.Runs, 9) {
		began := c.Now()
		n := 0
		err := s.Records(1, telemetry.KindRealtime, now.Add(-24*time.Hour).Unix(), now.Unix()+1, func(rec *telemetry.Record) bool {
			n += len(rec.Values)
			return true
		})
		if err != nil || n < records*len(codes) {
			return r, fmt.Errorf("bench: %d values of a day: %w", n, err)
		}
		day = append(day, float64(c.Now().Sub(began).Microseconds())/1000)

		began = c.Now()
		n = 0
		s.EachLatest(telemetry.KindRealtime, func(rec *telemetry.Record) bool {
			n += len(rec.Values)
			return true
		})
		if n != outlets*len(codes) {
			return r, fmt.Errorf("bench: the latest of all outlets has %d values", n)
		}
		latest = append(latest, float64(c.Now().Sub(began).Microseconds())/1000)
	}
	r.Figures["day_of_one_outlet"] = figure("ms", "< 5", day)
	r.Figures["latest_of_50000_outlets"] = figure("ms", "< 50", latest)
	r.Notes = append(r.Notes, fmt.Sprintf("a day is %d records of %d values from the store, decoded", records, len(codes)))
	return r, pages(ctx, &c, &r)
}

// fillLoggers stores records of n outlets, 30 s apart, the last at now.
func fillLoggers(ctx context.Context, s *store.Store, n, records int, now time.Time) error {
	got := receipts{s: s}
	var p hj212.Packet
	for o := range n {
		l := newLogger(o)
		for k := range records {
			at := now.Add(-time.Duration(records-1-k) * 30 * time.Second)
			f, err := decode(&p, telemetry.OutletID(o+1), l.frame(nil, at), nil, now)
			if err != nil {
				return err
			}
			if err := got.submit(ctx, f); err != nil {
				return err
			}
		}
	}
	return got.wait()
}
