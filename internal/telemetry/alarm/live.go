package alarm

import (
	"context"
	"math"
	"slices"
	"strconv"
	"time"

	"plateau/internal/platform/db"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/gateway"
	"plateau/internal/telemetry/quality"
)

// LiveEngine is what the live alarms need of the judgement besides.
type LiveEngine interface {
	States(asOf time.Time) ([]quality.StateResult, error)
	Now(outlet telemetry.OutletID, asOf time.Time) (quality.View, error)
	Newest(outlet telemetry.OutletID, asOf time.Time) ([]quality.StateResult, error)
	Period(ctx context.Context, outlet telemetry.OutletID, level string, at time.Time) (quality.PeriodRow, error)
}

// Loggers knows the live loggers; *gateway.Gateway is one.
type Loggers interface{ Devices() []gateway.DeviceStatus }

// liveKey names what is watched live.
type liveKey struct {
	outlet            telemetry.OutletID
	kind              Kind
	factor, statistic string
}

// condition is something that holds now.
type condition struct {
	liveKey
	start    time.Time // zero = now
	period   time.Time // of what it is about: another one is another alarm; zero = of nothing that ends
	seen     int64     // what it was seen by: the same counts once; 0 = every look counts
	severity Severity
	value    quality.Opt
	folded   bool
	limit    quality.LimitRef
	times    quality.Opt
	cause    quality.Text
}

// liveState follows one key from look to look.
type liveState struct {
	bad, good int
	seen      int64
	period    time.Time
	open      *Episode
	dirty     bool
	written   time.Time
}

// rewrite is how often what goes on is written down at most.
const rewrite = time.Minute

// watchLive looks at everything once and writes what began, changed or ended.
func (s *Service) watchLive(ctx context.Context) error {
	now := s.o.Now().UTC()
	found, err := s.conditions(ctx, now)
	if err != nil {
		return err
	}
	var write []Episode
	held := map[liveKey]bool{}
	for i := range found {
		c := &found[i]
		held[c.liveKey] = true
		write = append(write, s.holds(c, now)...)
	}
	for key, st := range s.live {
		if !held[key] {
			write = append(write, s.lacks(key, st, now)...)
		}
		if st.open != nil && st.dirty && now.Sub(st.written) >= rewrite {
			st.dirty, st.written = false, now
			write = append(write, *st.open)
		}
		if st.open == nil && !held[key] {
			delete(s.live, key)
		}
	}
	if len(write) == 0 {
		return nil
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		for i := range write {
			if err := keepNotes(ctx, tx, &write[i]); err != nil {
				return err
			}
		}
		return s.store(ctx, tx, write, nil)
	})
}

// keepNotes takes over what people said of an episode since it was last written.
func keepNotes(ctx context.Context, tx *db.Tx, e *Episode) error {
	list, err := query(ctx, tx, "WHERE id = $1", e.ID)
	if err == nil && len(list) == 1 {
		e.Ack, e.False = list[0].Ack, list[0].False
	}
	return err
}

// holds counts a condition that holds.
func (s *Service) holds(c *condition, now time.Time) (write []Episode) {
	st := s.live[c.liveKey]
	if st == nil {
		st = &liveState{}
		s.live[c.liveKey] = st
	}
	if st.open != nil && !st.period.Equal(c.period) {
		write = append(write, st.end(EndPeriod))
	}
	st.period, st.good = c.period, 0
	if c.seen != 0 && c.seen == st.seen {
		return write
	}
	st.seen = c.seen
	st.bad++
	r := s.book.at(now.Unix())[c.kind]
	if st.open == nil {
		if st.bad < r.open {
			return write
		}
		start := c.start
		if start.IsZero() {
			start = now.Truncate(time.Second)
		}
		st.open = &Episode{
			Outlet: c.outlet, Kind: c.kind, Factor: c.factor, Statistic: c.statistic, Start: start.UTC(), Opened: now, Live: true,
			Rule: r.ref.ID, Version: r.ref.Version, MaxAt: start.UTC(),
		}
		st.open.ID = st.open.identity()
		st.take(c, now)
		st.written = now
		return append(write, *st.open)
	}
	before := st.open.Severity
	st.take(c, now)
	if st.dirty = true; st.open.Severity != before {
		st.dirty, st.written = false, now
		write = append(write, *st.open)
	}
	return write
}

// take brings an open alarm up to date: a forecast shows how things stand now,
// a clock its largest error.
func (st *liveState) take(c *condition, now time.Time) {
	e := st.open
	e.Last, e.Severity = now, c.severity
	e.Count++
	if c.kind == Clock && e.Max.OK && math.Abs(e.Max.V) >= math.Abs(c.value.V) {
		return
	}
	e.Max, e.Folded, e.Limit, e.Times, e.Cause = c.value, c.folded, c.limit, c.times, c.cause
	if c.kind != Link {
		e.MaxAt = now
	}
}

// end closes what is open.
func (st *liveState) end(by string) Episode {
	st.open.End, st.open.EndedBy = st.open.Last, by
	e := *st.open
	*st = liveState{}
	return e
}

// lacks counts a look at which a condition did not hold.
func (s *Service) lacks(key liveKey, st *liveState, now time.Time) []Episode {
	st.bad = 0
	if st.open == nil {
		return nil
	}
	r := s.book.at(now.Unix())[key.kind]
	if st.good++; st.good < r.close {
		return nil
	}
	by := EndGood
	if end := periodEnd(key.kind, st.period); !end.IsZero() && !now.Before(end) {
		by = EndPeriod
	}
	e := st.end(by)
	if key.kind == Link { // the hours in it are told by it now
		s.wait(key.outlet, e.Start.Unix()-hourSeconds)
	}
	return []Episode{e}
}

// periodEnd is the end of what a forecast is about.
func periodEnd(k Kind, start time.Time) time.Time {
	switch {
	case start.IsZero():
	case k == WillExceed || k == LoseHour:
		return start.Add(time.Hour)
	case k == LoseDay:
		return start.Add(24 * time.Hour)
	}
	return time.Time{}
}

// conditions finds all that holds now.
func (s *Service) conditions(ctx context.Context, now time.Time) ([]condition, error) {
	e := s.o.Live
	snap := s.o.Registry.Snapshot()
	states, err := e.States(now)
	if err != nil {
		return nil, err
	}
	out := s.clocks(snap, now)
	for i := range states {
		st := &states[i]
		switch st.State {
		case quality.Stopped:
			continue
		case quality.Offline:
			if st.Seen > 0 && !now.Before(s.settleUntil) {
				out = append(out, condition{
					liveKey: liveKey{st.Outlet, Link, "", ""}, start: instant(st.Seen), severity: s.linkSeverity(now, st.Seen), cause: quality.Text{Key: "alarm.cause.nothing"},
				})
			}
			continue
		default:
		}
		v, err := e.Now(st.Outlet, now)
		if err != nil {
			return nil, err
		}
		out = append(out, s.forecasts(&v, now)...)
		newest, err := e.Newest(st.Outlet, now)
		if err != nil {
			return nil, err
		}
		for k := range newest {
			n := &newest[k]
			out = append(out, condition{
				liveKey: liveKey{n.Outlet, Minute, n.Factor, "minute"}, start: n.At, seen: n.At.Unix(), severity: s.severity(Minute, now), value: n.Value,
				folded: n.Folded, limit: n.Limit, times: n.Times, cause: quality.Text{Key: "alarm.cause.minute"},
			})
		}
	}
	return append(out, s.permits(ctx, snap, now)...), nil
}

func (s *Service) severity(k Kind, now time.Time) Severity { return s.book.at(now.Unix())[k].severity }

func (s *Service) linkSeverity(now time.Time, seen int64) Severity {
	r := s.book.at(now.Unix())[Link]
	if r.escalate > 0 && now.Sub(instant(seen)) >= r.escalate {
		return r.escalated
	}
	return r.severity
}

// clocks looks at the loggers' clocks, as far as they can be told.
func (s *Service) clocks(snap *telemetry.Snapshot, now time.Time) (out []condition) {
	if s.o.Loggers == nil {
		return nil
	}
	r := s.book.at(now.Unix())[Clock]
	for _, d := range s.o.Loggers.Devices() {
		dev := snap.Devices[d.MN]
		if dev == nil || !d.Present(now) || !d.ClockKnown || math.Abs(d.ClockOffset.Seconds()) < r.most {
			continue
		}
		out = append(out, condition{
			liveKey: liveKey{dev.Outlet, Clock, "", ""}, severity: r.severity, value: quality.Some(math.Round(d.ClockOffset.Seconds())),
			cause: quality.Text{Key: "alarm.cause.clock", Args: map[string]string{"mn": d.MN, "allowed": quality.Num(r.most)}},
		})
	}
	return out
}

// forecasts looks ahead to the end of the running hour and day.
func (s *Service) forecasts(v *quality.View, now time.Time) (out []condition) {
	rs := s.book.at(now.Unix())
	hour := instant(hourStart(now.Unix()))
	var worst *quality.Forecast
	for i := range v.Forecasts {
		f := &v.Forecasts[i]
		if !f.Lost && !f.AtRisk {
			if c, ok := s.willExceed(v, f, rs[WillExceed], hour); ok {
				out = append(out, c)
			}
			continue
		}
		if worst == nil || f.Possible-f.Missing < worst.Possible-worst.Missing {
			worst = f
		}
	}
	if worst != nil {
		key := "alarm.cause.hour_at_risk"
		if worst.Lost {
			key = "alarm.cause.hour_lost"
		}
		out = append(out, condition{
			liveKey: liveKey{v.Outlet, LoseHour, worst.Code, "hour"}, start: hour, period: hour, severity: rs[LoseHour].severity, value: quality.Some(float64(worst.NValid)),
			cause: quality.Text{Key: key, Args: map[string]string{"missing": strconv.Itoa(worst.Missing), "left": strconv.Itoa(worst.Possible)}},
		})
	}
	day := dayStart(now.Unix())
	left := int((day + daySeconds - hour.Unix()) / hourSeconds)
	if worst != nil && worst.Lost {
		left-- // the running hour does not count any more
	}
	if v.Day == nil || v.HoursNeed <= 0 || left-v.HoursNeed > rs[LoseDay].spare {
		return out
	}
	key := "alarm.cause.day_at_risk"
	if v.HoursNeed > left {
		key = "alarm.cause.day_lost"
	}
	return append(out, condition{
		liveKey: liveKey{v.Outlet, LoseDay, "", "day"}, start: instant(day), period: instant(day), severity: rs[LoseDay].severity,
		cause: quality.Text{Key: key, Args: map[string]string{"missing": strconv.Itoa(v.HoursNeed), "left": strconv.Itoa(left)}},
	})
}

// willExceed: the mean so far is over the limit, and the minutes to come would
// have to stay under X for the hour to end within it. For a folded value the
// oxygen is taken to stay as it is.
func (s *Service) willExceed(v *quality.View, f *quality.Forecast, r *rule, hour time.Time) (condition, bool) {
	if v.Hour == nil || v.Hour.Stopped || f.Possible < r.left {
		return condition{}, false
	}
	x := v.Hour.Factor(f.Code)
	i := slices.IndexFunc(v.Tiles, func(t quality.Tile) bool { return t.Code == f.Code })
	// Whether enough minutes are there to warn by is the rule of states.
	if x == nil || i < 0 || v.Tiles[i].State != quality.Warn && v.Tiles[i].State != quality.Exceed || x.Limit.Op != "<=" || x.NExpected == 0 || x.NValid == 0 {
		return condition{}, false
	}
	mean, folded := x.Mean, false
	switch {
	case x.Folded.OK:
		mean, folded = x.Folded, true
	case x.Fold != quality.FoldNotRequired && x.Fold != "":
		return condition{}, false
	}
	if !mean.OK || !quality.JudgeExceed(mean.V, x.Limit).Exceeds {
		return condition{}, false
	}
	n, p, limit := float64(x.NValid), float64(f.Possible), x.Limit.Hi.V
	under := (limit*(n+p) - n*mean.V) / p
	c := condition{
		liveKey: liveKey{v.Outlet, WillExceed, f.Code, "hour"}, start: hour, period: hour, severity: r.severity, value: mean, folded: folded, limit: x.Limit,
		times: quality.JudgeExceed(mean.V, x.Limit).Times,
	}
	c.cause = quality.Text{Key: "alarm.cause.will_exceed", Args: map[string]string{"left": strconv.Itoa(f.Possible), "under": strconv.FormatFloat(under, 'f', -1, 64)}}
	if under <= 0 {
		c.cause = quality.Text{Key: "alarm.cause.will_exceed_surely", Args: map[string]string{"left": strconv.Itoa(f.Possible)}}
	}
	return c, true
}

// permits looks at the running totals of outlets whose permit names an amount,
// once an hour; between they stand as they were.
func (s *Service) permits(ctx context.Context, snap *telemetry.Snapshot, now time.Time) []condition {
	if hour := hourStart(now.Unix()); hour == s.permitsAt {
		return s.permitsNow
	}
	var out []condition
	for _, id := range snap.Order {
		o := snap.Outlets[id]
		if o == nil {
			continue
		}
		for _, level := range []string{quality.LevelMonth, quality.LevelYear} {
			if !slices.ContainsFunc(o.Limits, func(l telemetry.Limit) bool { return l.Statistic == level }) {
				continue
			}
			row, err := s.o.Live.Period(ctx, id, level, now)
			if err != nil {
				continue // not enough is judged to tell; the next hour tries again
			}
			out = append(out, s.permit(&row, now)...)
		}
	}
	s.permitsAt, s.permitsNow = hourStart(now.Unix()), out
	return out
}

// permit holds the totals of a period against the permit's amounts.
func (s *Service) permit(row *quality.PeriodRow, now time.Time) (out []condition) {
	r := s.book.at(now.Unix())[Permit]
	for i := range row.Factors {
		f := &row.Factors[i]
		if f.Limit.IsZero() || !f.Limit.Hi.OK || f.Limit.Hi.V <= 0 || !f.Total.OK {
			continue
		}
		share := 100 * f.Total.V / f.Limit.Hi.V
		reached := 0.0
		for _, p := range r.percents {
			if share >= p {
				reached = max(reached, p)
			}
		}
		c := condition{
			liveKey: liveKey{row.Outlet, Permit, f.Code, row.Level}, period: instant(row.From), severity: r.severity, value: f.Total, limit: f.Limit,
		}
		args := map[string]string{"percent": quality.Num(share), "amount": quality.Num(f.Limit.Hi.V)}
		if share >= 100 {
			c.severity, c.times = r.escalated, quality.Some(share/100-1)
		}
		date := usedUp(row, f, r.days)
		switch {
		case share >= 100:
			c.cause = quality.Text{Key: "alarm.cause.permit_over", Args: args}
		case !date.IsZero():
			args["date"] = dateOf(date.Unix())
			c.cause = quality.Text{Key: "alarm.cause.permit_date", Args: args}
		case reached > 0:
			c.cause = quality.Text{Key: "alarm.cause.permit", Args: args}
		default:
			continue
		}
		out = append(out, c)
	}
	return out
}

// usedUp is the day on which an amount will be used up at the mean rate of the
// days measured so far; zero when that is behind the period, or too few days
// were measured to say.
func usedUp(row *quality.PeriodRow, f *quality.PeriodFactor, minDays int) time.Time {
	measured := float64(f.HoursValid+f.SubstHours) / 24
	if f.DaysDue > 0 && f.HoursValid == 0 {
		measured = float64(f.DaysValid)
	}
	if measured < float64(minDays) || f.Total.V <= 0 {
		return time.Time{}
	}
	days := (f.Limit.Hi.V - f.Total.V) / (f.Total.V / measured)
	at := row.Until + int64(days*daySeconds)
	if days < 0 || at >= row.To {
		return time.Time{}
	}
	return instant(at)
}
