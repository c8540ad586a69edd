package quality

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"time"

	"plateau/internal/telemetry"
	"plateau/rules"
)

// PeriodRows gives the judged rows of one outlet that a period is computed
// from: as they are now, or as they were known on some day.
type PeriodRows interface {
	Hours(from, to int64) ([]HourRow, error) // of [from, to), oldest first
	Days(from, to int64) ([]DayRow, error)
	First() (at int64, ok bool, err error) // start of the earliest hour
}

// Checks tells of a run of invalid hours that begins at run whether the
// instrument was out of control then, or overdue for calibration: its kind (of
// table 5) and the hour of the last check that passed. ok is false where nothing
// of that sort is known.
type Checks func(factor string, run int64) (kind string, passed int64, ok bool)

// periodInput is all that a period is computed from.
type periodInput struct {
	outlet *telemetry.Outlet
	level  string
	at     int64 // any instant of the period
	now    int64
	rows   PeriodRows
	plans  func(day int64) *plan
	checks Checks // nil = none known
}

// PeriodBounds are the bounds of the month, quarter or year of Beijing time
// that at falls in, Unix seconds; ErrNotFound for another level.
func PeriodBounds(level string, at int64) (from, to int64, err error) {
	t := time.Unix(at, 0).In(chinaTime)
	y, m := t.Year(), t.Month()
	months := 1
	switch level {
	case LevelMonth:
	case LevelQuarter:
		m, months = (m-1)/3*3+1, 3
	case LevelYear:
		m, months = time.January, 12
	default:
		return 0, 0, fmt.Errorf("level %q: %w", level, ErrNotFound)
	}
	return time.Date(y, m, 1, 0, 0, 0, 0, chinaTime).Unix(), time.Date(y, m+time.Month(months), 1, 0, 0, 0, 0, chinaTime).Unix(), nil
}

var chinaTime = time.FixedZone("UTC+8", beijing)

func quarterOf(at int64) (from, to int64) {
	from, to, _ = PeriodBounds(LevelQuarter, at)
	return from, to
}

// periodCalc is a period under computation.
type periodCalc struct {
	periodInput
	row    PeriodRow
	pl     *plan
	tl     *timeline
	days   []DayRow // closed days of the period and those looked back to
	byDay  map[int64]*DayRow
	alphas map[codeAt]Opt // capture rates by quarter
	first  int64          // first hour that has a row
	begin  int64          // first hour that is due
	until  int64          // end of the last hour that is due
	sum    hash.Hash
	buf    []byte
}

// codeAt names a factor in the quarter that begins at at.
type codeAt struct {
	code string
	at   int64
}

// computePeriod is a period of an outlet as its rows tell. It reads nothing but
// its input: equal rows give equal periods.
func computePeriod(in periodInput) (PeriodRow, error) {
	from, to, err := PeriodBounds(in.level, in.at)
	if err != nil {
		return PeriodRow{}, err
	}
	c := &periodCalc{periodInput: in, sum: sha256.New()}
	c.until = max(from, min(to, hourStart(in.now)))
	c.pl = in.plans(dayStart(max(from, c.until-1))) // what is announced for later does not hold yet
	c.row = PeriodRow{
		Outlet: in.outlet.ID, Level: in.level, From: from, To: to, Until: c.until,
		Profile: c.pl.profile(), Rules: c.pl.p.digest,
	}
	c.row.Provisional = c.until < to
	first, ok, err := in.rows.First()
	if err != nil {
		return c.row, fmt.Errorf("first hour: %w", err)
	}
	if c.first = hourStart(first); !ok {
		c.first = c.until
	}
	switch {
	case !in.outlet.Since.IsZero():
		c.begin = hourStart(in.outlet.Since.Unix())
	case ok:
		c.begin = c.first
	default:
		c.begin = c.until // nothing ever came, and nobody says since when it should
	}
	if err := c.load(from, to); err != nil {
		return c.row, err
	}
	for i := range c.pl.factors {
		if c.pl.factors[i].required {
			if err := c.factor(&c.pl.factors[i]); err != nil {
				return c.row, err
			}
		}
	}
	if fp := c.computedNOx(); fp != nil {
		if err := c.factor(fp); err != nil {
			return c.row, err
		}
	}
	c.flow()
	c.row.Transmission = TxValidRate(&c.pl.p.tx, c.received())
	c.row.Inputs = hex.EncodeToString(c.sum.Sum(nil)[:8])
	return c.row, nil
}

// params are the rules in force at an instant: those of the data, also in a
// period that outlives them.
func (c *periodCalc) params(at int64) *params { return c.plans(dayStart(at)).p }

// load reads the hours of all quarters that the period touches, because capture
// rates are those of quarters, and its closed days.
func (c *periodCalc) load(from, to int64) error {
	qFrom, _ := quarterOf(from)
	_, qTo := quarterOf(to - 1)
	end := min(qTo, hourStart(c.now))
	if c.outlet.Medium != telemetry.Gas {
		qFrom, end = from, c.until // water knows no capture rate
	} else if end < qTo {
		c.row.Provisional = true
	}
	c.tl = &timeline{c: c, from: qFrom, to: qFrom, first: min(c.begin, qFrom), last: hourStart(c.now)}
	if err := c.tl.ahead(max(end, qFrom)); err != nil {
		return err
	}
	back := int64(0)
	if c.outlet.Medium != telemetry.Gas {
		back = int64(max(c.pl.p.waterFill.Days, c.params(from).waterFill.Days)) * daySeconds
		if c.row.Profile == telemetry.ProfileHJ356Old { // a gap of the whole period looks as far back
			back = c.row.To - c.row.From
		}
	}
	days, err := c.rows.Days(from-back, min(to, dayStart(c.until)))
	if err != nil {
		return fmt.Errorf("days of the period: %w", err)
	}
	c.days, c.byDay = days, make(map[int64]*DayRow, len(days))
	for i := range days {
		c.byDay[days[i].At] = &days[i]
		c.buf = AppendDay(binary.BigEndian.AppendUint64(c.buf[:0], uint64(days[i].At)), &days[i])
		c.sum.Write(c.buf)
	}
	return nil
}

// timeline holds hours by their place, and reads more of them when asked to.
type timeline struct {
	c           *periodCalc
	from, to    int64
	first, last int64 // no hour that matters lies outside
	hours       []*HourRow
}

// lookback is how much is read at once: the windows of substitution count valid
// hours, so that nobody knows beforehand how far back they reach.
const lookback = 30 * daySeconds

func (t *timeline) read(from, to int64) ([]*HourRow, error) {
	rows, err := t.c.rows.Hours(from, to)
	if err != nil {
		return nil, fmt.Errorf("hours of the period: %w", err)
	}
	out := make([]*HourRow, (to-from)/hourSeconds)
	for i := range rows {
		r := &rows[i]
		out[(r.At-from)/hourSeconds] = r
		t.c.buf = AppendHour(binary.BigEndian.AppendUint64(t.c.buf[:0], uint64(r.At)), r)
		t.c.sum.Write(t.c.buf)
	}
	return out, nil
}

// ahead reads on to the hour to.
func (t *timeline) ahead(to int64) error {
	if to <= t.to {
		return nil
	}
	more, err := t.read(t.to, to)
	t.hours, t.to = append(t.hours, more...), to
	return err
}

// back reads what lies before; false when there is nothing.
func (t *timeline) back() (bool, error) {
	if t.from <= t.first {
		return false, nil
	}
	from := max(t.from-lookback, t.first)
	more, err := t.read(from, t.from)
	t.hours, t.from = append(more, t.hours...), from
	return true, err
}

// at is the row of an hour that was read; nil where nothing came.
func (t *timeline) at(h int64) *HourRow {
	if h < t.from || h >= t.to {
		return nil
	}
	return t.hours[(h-t.from)/hourSeconds]
}

// hourState is what an hour of a factor is for capture rates.
type hourState uint8

const (
	hourOutside hourState = iota // before the outlet was there
	hourStopped                  // the source did not run, no water flowed
	hourSource                   // starting up or shutting down: not the instrument's doing
	hourInvalid
	hourValid
)

// state classifies an hour of a factor; f is nil where nothing came.
func (c *periodCalc) state(code string, h int64) (hourState, *FactorHour) {
	if h < c.begin {
		return hourOutside, nil
	}
	r := c.tl.at(h)
	if r == nil {
		if stopped(c.outlet, h) {
			return hourStopped, nil
		}
		return hourInvalid, nil
	}
	f := r.Factor(code)
	switch {
	case r.Stopped || f != nil && f.NExpected == 0:
		return hourStopped, f
	case f == nil:
		return hourInvalid, nil
	case f.Valid:
		return hourValid, f
	case c.outlet.Medium == telemetry.Gas && slices.Contains(c.pl.p.capture.SourceMarks, f.Flag):
		return hourSource, f
	}
	return hourInvalid, f
}

// counts are the hours of a stretch by state.
type counts struct {
	due, valid, invalid, stopped int
	source                       int
}

func (c *periodCalc) count(code string, from, to int64) (n counts) {
	for h := max(from, c.begin); h < to; h += hourSeconds {
		switch s, _ := c.state(code, h); s {
		case hourStopped:
			n.stopped++
		case hourSource:
			n.source++
		case hourInvalid:
			n.invalid++
		case hourValid:
			n.valid++
		case hourOutside:
		}
	}
	n.due = n.valid + n.invalid + n.source
	return n
}

func (c *periodCalc) capture(n counts) CaptureResult {
	return CaptureRate(&c.pl.p.capture, float64(n.due+n.stopped), float64(n.invalid), float64(n.stopped))
}

// factor completes one factor of the period.
func (c *periodCalc) factor(fp *factorPlan) error {
	f := PeriodFactor{Code: fp.code, Unit: fp.unit, Limit: c.permit(fp.role)}
	n := c.count(fp.code, c.row.From, c.until)
	f.HoursValid, f.HoursDue, f.HoursStopped = n.valid, n.due, n.stopped
	for h := c.row.From; h < c.until; h += hourSeconds {
		if r := c.tl.at(h); r != nil {
			if x := r.Factor(fp.code); x != nil && x.Over {
				f.OverHours++
			}
		}
	}
	if c.outlet.Medium == telemetry.Gas {
		f.Capture = c.capture(n).Alpha
	}
	c.means(fp, &f)
	if fp.toMg > 0 {
		var err error
		if c.outlet.Medium == telemetry.Gas {
			err = c.gasTotals(fp, &f)
		} else if fp.role != c.pl.p.phFactor && c.weighed() {
			c.waterTotals(fp, &f)
		}
		if err != nil {
			return err
		}
	}
	if f.Measured.OK || f.Substituted.OK {
		f.Total = Some(f.Measured.V + f.Substituted.V)
		f.Over = !f.Limit.IsZero() && JudgeExceed(f.Total.V, f.Limit).Exceeds
	}
	c.row.Factors = append(c.row.Factors, f)
	return nil
}

// monthDays are the days of one month of the period.
type monthDays struct{ due, valid int }

// means takes means, extremes and validity from the closed days.
func (c *periodCalc) means(fp *factorPlan, f *PeriodFactor) {
	months := map[int64]*monthDays{}
	var mean, folded MeanResult
	for day := c.row.From; day+daySeconds <= c.until; day += daySeconds {
		if day+daySeconds <= c.begin {
			continue
		}
		start, _, _ := PeriodBounds(LevelMonth, day)
		m := months[start]
		if m == nil {
			m = &monthDays{}
			months[start] = m
		}
		var d *FactorDay
		if r := c.byDay[day]; r != nil {
			d = r.Factor(fp.code)
		}
		if d == nil && len(dueHours(c.outlet, day, day+daySeconds)) == 0 || d != nil && d.NExpected == 0 {
			continue // nothing ran
		}
		m.due++
		if d == nil {
			continue
		}
		if d.Over {
			f.OverDays++
		}
		if !d.Valid {
			continue
		}
		m.valid++
		mean.take(d.Mean)
		folded.take(d.Folded)
		if fp.role == c.pl.p.phFactor { // the limit is a range for single values
			mean.Min, mean.Max = least(f.Min, d.Min), most(f.Max, d.Max)
		}
		f.Min, f.Max = mean.Min, mean.Max
	}
	f.Mean, f.Folded = mean.Mean, folded.Mean
	f.Valid = len(months) > 0
	for start, m := range months {
		f.DaysDue, f.DaysValid = f.DaysDue+m.due, f.DaysValid+m.valid
		if !c.monthValid(start, m) {
			f.Valid = false
		}
	}
	if c.row.Profile == telemetry.ProfileIED && f.DaysDue-f.DaysValid > c.pl.p.shortTerm.MaxLostDays {
		f.Valid = false
	}
	if !f.Valid {
		f.Reasons = append(f.Reasons, "reason.period_not_valid")
	}
}

func (c *periodCalc) monthValid(start int64, m *monthDays) bool {
	if c.row.Profile == telemetry.ProfileIED {
		return m.due > 0
	}
	_, end, _ := PeriodBounds(LevelMonth, start)
	p := c.params(min(end, c.until) - 1)
	if c.outlet.Medium == telemetry.Gas {
		return MonthValid(&p.month, time.Unix(start, 0).In(chinaTime).Month(), m.valid)
	}
	return m.due > 0 && float64(100*m.valid) >= p.waterFill.MonthPercent*float64(m.due)
}

// take adds a day to an arithmetic mean.
func (r *MeanResult) take(v Opt) {
	if !v.OK {
		return
	}
	r.Sum, r.Weight = r.Sum+v.V, r.Weight+1
	r.spread(v.V)
	r.Mean = Some(r.Sum / r.Weight)
	r.exact()
}

func least(a, b Opt) Opt {
	if !a.OK || b.OK && b.V < a.V {
		return b
	}
	return a
}

func most(a, b Opt) Opt {
	if !a.OK || b.OK && b.V > a.V {
		return b
	}
	return a
}

// permit finds the amount that the permit allows for the period, in kg.
func (c *periodCalc) permit(role string) LimitRef {
	date := dateOf(c.row.To - 1)
	var own *telemetry.Limit
	for i := range c.outlet.Limits {
		l := &c.outlet.Limits[i]
		if canon(l.Factor) != role || l.Statistic != c.level || l.Op != "<=" || l.Hi == nil || kilograms[l.Unit] == 0 || !rules.InForce(l, date) {
			continue
		}
		if own == nil || rules.Before(l, own, c.pl.p.rank) {
			own = l
		}
	}
	if own == nil {
		return LimitRef{}
	}
	r := limitRef(own)
	r.Hi.V *= kilograms[own.Unit]
	return r
}

// kilograms are the units of permit amounts.
var kilograms = map[string]float64{"t": 1000, "kg": 1}

// flow sums what left the outlet.
func (c *periodCalc) flow() {
	add := func(q Opt) {
		if q.OK {
			c.row.Flow = Some(c.row.Flow.V + q.V)
		}
	}
	for i := range c.days {
		if c.days[i].At >= c.row.From {
			add(c.days[i].Flow)
		}
	}
	for h := max(dayStart(c.until), c.row.From); h < c.until; h += hourSeconds {
		if r := c.tl.at(h); r != nil && (!r.Stopped || c.outlet.Medium != telemetry.Gas) {
			add(r.Flow)
		}
	}
}

// received counts what came of what was due: groups of all factors at one time,
// an hour each; of water sampled more seldom, a sampling period each.
func (c *periodCalc) received() Received {
	var in Received
	var due []*factorPlan
	for i := range c.pl.factors {
		if c.pl.factors[i].required {
			due = append(due, &c.pl.factors[i])
		}
	}
	in.Factors = float64(len(due))
	there, valid := make([]bool, len(due)), make([]bool, len(due))
	for h := max(c.row.From, c.begin); h < c.until; {
		end := h + hourSeconds
		if c.outlet.Medium != telemetry.Gas {
			end = min(sampleEnd(c.outlet, h), c.until)
		}
		clear(there)
		clear(valid)
		ran := false
		for ; h < end; h += hourSeconds {
			r := c.tl.at(h)
			ran = ran || c.ran(r, h, due)
			for i := range due {
				if r == nil {
					break
				}
				f := r.Factor(due[i].code)
				if f == nil || !f.InTime {
					continue
				}
				there[i] = true
				valid[i] = valid[i] || f.Valid
			}
		}
		in.Hours++
		if !ran {
			in.Stopped++
			continue
		}
		all := len(due) > 0
		for i := range due {
			if there[i] {
				in.Values++
			}
			all = all && valid[i]
		}
		if all {
			in.Groups++
		}
	}
	return in
}

// ran reports whether the source ran in an hour, as far as the rows tell.
func (c *periodCalc) ran(r *HourRow, h int64, due []*factorPlan) bool {
	if r == nil {
		return !stopped(c.outlet, h)
	}
	if r.Stopped {
		return false
	}
	for _, fp := range due {
		if f := r.Factor(fp.code); (f == nil || f.NExpected > 0) && fp.role != c.pl.p.waterDay.FlowFactor && fp.role != c.pl.p.nh3.temperature {
			return true
		}
	}
	return false
}

// computedNOx is the plan of nitrogen oxides where they were computed from NO
// and NO2; nil where the registry asks for them, or no hour has them.
func (c *periodCalc) computedNOx() *factorPlan {
	code := c.pl.p.nox.NOx
	if i, ok := c.pl.index[code]; c.outlet.Medium != telemetry.Gas || ok && c.pl.factors[i].required {
		return nil
	}
	for h := c.row.From; h < c.until; h += hourSeconds {
		if r := c.tl.at(h); r != nil && r.Factor(code) != nil {
			unit := telemetry.FactorUnit(code)
			k, _ := ratio(unit, "mg/m3")
			return &factorPlan{code: code, role: code, unit: unit, toMg: k}
		}
	}
	return nil
}
