package dialogue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"plateau/hj212"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry/gateway"
	"plateau/rules"
)

// ClockRuleID names the rule that holds the parameters of the clock watch.
const ClockRuleID = "clock.drift"

// ClockParams are the parameters of rule clock.drift.
type ClockParams struct {
	PointOut time.Duration // pointed out from there on
	Set      time.Duration // set by itself beyond this
	Again    time.Duration // not again before
	Note     time.Duration // a change that is worth a point of the curve
	NoteAt   time.Duration // a point at least so often
	Keep     time.Duration
}

// ClockParamsAt reads the rule in force at an instant.
func ClockParamsAt(set *rules.Set, at time.Time) (ClockParams, error) {
	rule, ok := set.At(ClockRuleID, at.In(i18n.Zone).Format(time.DateOnly))
	if !ok {
		return ClockParams{}, fmt.Errorf("rule %s is missing: %w", ClockRuleID, rules.ErrInvalid)
	}
	var err error
	span := func(name string, unit time.Duration) time.Duration {
		v, e := rule.Float(name)
		err = errors.Join(err, e)
		return time.Duration(v * float64(unit))
	}
	p := ClockParams{
		PointOut: span("point_out_seconds", time.Second), Set: span("set_seconds", time.Second), Again: span("again_hours", time.Hour),
		Note: span("note_seconds", time.Second), NoteAt: span("note_hours", time.Hour), Keep: span("keep_days", 24*time.Hour),
	}
	return p, err
}

// Clocks watches the clocks of the loggers. Make it with NewClocks.
type Clocks struct {
	asks  *Service
	rules *rules.Set
	live  interface{ Devices() []gateway.DeviceStatus }
	auto  bool
	last  map[string]Offset    // noted last, by MN
	set   map[string]time.Time // asked to be set last
	swept time.Time
}

// Offset is how a logger's clock stood; positive is fast.
type Offset struct {
	At     time.Time
	Offset time.Duration
}

// NewClocks returns a watch; auto sets clocks that are off beyond the rule.
func NewClocks(asks *Service, live interface{ Devices() []gateway.DeviceStatus }, set *rules.Set, auto bool) *Clocks {
	return &Clocks{asks: asks, rules: set, live: live, auto: auto, last: map[string]Offset{}, set: map[string]time.Time{}}
}

// Run watches until ctx ends.
func (c *Clocks) Run(ctx context.Context, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := c.Look(ctx); err != nil && ctx.Err() == nil {
			c.asks.o.Logger.WarnContext(ctx, "clocks of loggers not watched", slog.String("error", err.Error()))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Look notes how the clocks stand now and sets those that are too far off.
func (c *Clocks) Look(ctx context.Context) error {
	now := c.asks.o.Now()
	p, err := ClockParamsAt(c.rules, now)
	if err != nil {
		return err
	}
	var rows [][]any
	for _, d := range c.live.Devices() {
		if !d.ClockKnown || !d.Present(now) {
			continue
		}
		last, seen := c.last[d.MN]
		if !seen || (d.ClockOffset-last.Offset).Abs() >= p.Note || now.Sub(last.At) >= p.NoteAt {
			c.last[d.MN] = Offset{now, d.ClockOffset}
			rows = append(rows, []any{d.MN, db.Micros(now), d.ClockOffset.Milliseconds()})
		}
		if c.auto && d.Connected && d.ClockOffset.Abs() > p.Set && !d.InDialogue {
			if err := c.setClock(ctx, d.MN, now, p); err != nil {
				return err
			}
		}
	}
	if len(rows) > 0 {
		if err := c.asks.o.DB.Tx(ctx, func(tx *db.Tx) error {
			return tx.Insert(ctx, "clock_offsets", []string{"mn", "at", "offset_ms"}, rows)
		}); err != nil {
			return err
		}
	}
	if now.Sub(c.swept) >= 24*time.Hour {
		c.swept = now
		_, err := c.asks.o.DB.Exec(ctx, `DELETE FROM clock_offsets WHERE at < $1`, db.Micros(now.Add(-p.Keep)))
		return err
	}
	return nil
}

// setClock sets a clock unless that was tried not long ago, in this run or an
// earlier one.
func (c *Clocks) setClock(ctx context.Context, mn string, now time.Time, p ClockParams) error {
	if at, ok := c.set[mn]; ok && now.Sub(at) < p.Again {
		return nil
	}
	last, err := c.asks.lastOf(ctx, mn, "set_clock")
	if err != nil {
		return err
	}
	if c.set[mn] = last; now.Sub(last) < p.Again {
		return nil
	}
	c.set[mn] = now
	_, _, err = c.asks.Start(ctx, Order{MN: mn, Act: "set_clock", Command: hj212.SetClock("", now), Origin: FromClock, By: auth.System})
	if err != nil {
		c.asks.o.Logger.InfoContext(ctx, "clock of a logger not set", slog.String("mn", mn), slog.String("error", err.Error()))
	}
	return nil
}

// lastOf is when a logger was last asked an act of it, zero for never.
func (s *Service) lastOf(ctx context.Context, mn, act string) (time.Time, error) {
	var at int64
	err := s.o.DB.QueryRow(ctx, `SELECT coalesce(max(started), 0) FROM dialogues WHERE mn = $1 AND act = $2`, mn, act).Scan(&at)
	return db.Time(at), err
}

// ClockSet is when a logger's clock was last set with success, zero for never.
func (s *Service) ClockSet(ctx context.Context, mn string) (time.Time, error) {
	var at int64
	err := s.o.DB.QueryRow(ctx, `SELECT coalesce(max(started), 0) FROM dialogues WHERE mn = $1 AND act = 'set_clock' AND outcome = $2`, mn, Done).Scan(&at)
	return db.Time(at), err
}

// Offsets returns how a logger's clock stood since an instant, with the last
// measurement before it, in order of time.
func (s *Service) Offsets(ctx context.Context, mn string, since time.Time) ([]Offset, error) {
	rows, err := s.o.DB.Query(ctx, `SELECT at, offset_ms FROM clock_offsets WHERE mn = $1
		AND at >= (SELECT coalesce(max(at), 0) FROM clock_offsets WHERE mn = $1 AND at <= $2) ORDER BY at`, mn, db.Micros(since))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Offset
	for rows.Next() {
		var at, ms int64
		if err := rows.Scan(&at, &ms); err != nil {
			return nil, err
		}
		out = append(out, Offset{db.Time(at), time.Duration(ms) * time.Millisecond})
	}
	return out, rows.Err()
}
