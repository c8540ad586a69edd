package alarm

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
)

// Input is all that the episodes of one outlet follow from.
type Input struct {
	Outlet *telemetry.Outlet
	Rules  *Rulebook
	Exam   *quality.Examiner // of Hours
	Hours  []quality.HourRow // judged hours, in any order
	Days   []quality.DayRow
	First  time.Time // start of the first hour the outlet ever had data of; zero = of Hours
	From   time.Time // hours before are not looked at; zero = from First
	Now    time.Time
	Down   []Span   // the platform itself was down
	Links  []Outage // of the link, seen live
	Served []Span   // a logger served the outlet; empty = always
}

// Outage of a link that was seen live, with the ID of its alarm.
type Outage struct {
	ID string
	Span
}

// Derive finds the episodes of an outlet, by start. Those that began before
// From may be cut short: a caller who looks at a part of the history drops what
// opened before the part that interests him (see warmUp). IDs are made of
// outlet, kind, factor, statistic, reason of quiet, and start.
func Derive(in Input) []Episode {
	d := &deriver{Input: in, tracks: map[trackKey]*track{}}
	hours := map[int64]*quality.HourRow{}
	first := int64(1) << 60
	for i := range in.Hours {
		r := &in.Hours[i]
		if r.Source == quality.SourceNone {
			continue
		}
		hours[r.At] = r
		first = min(first, r.At)
	}
	if !in.First.IsZero() {
		first = in.First.Unix()
	}
	if len(hours) == 0 && in.First.IsZero() {
		return nil // nothing was ever received: nothing can be said
	}
	first = hourStart(max(first, in.From.Unix()))
	days := map[int64]*quality.DayRow{}
	for i := range in.Days {
		days[in.Days[i].At] = &in.Days[i]
	}
	now := in.Now.Unix()
	d.last = first
	for h := first; h+hourSeconds+d.grace(h) <= now; h += hourSeconds {
		d.hour(h, hours[h])
		d.last = h
		if end := h + hourSeconds; dayStart(end) == end {
			day := end - daySeconds
			d.day(day, days[day])
			d.flat(day, first)
		}
	}
	return d.finish()
}

// warmUp is how far before an instant Derive must begin so that what it finds
// behind the instant does not depend on where it began, given that no episode
// was open at that instant: the window of alarm.flat, and a day for runs that
// are too short to have opened anything.
func (b *Rulebook) warmUp() time.Duration {
	days := 0
	for _, rs := range b.byPeriod {
		days = max(days, rs[Flat].days)
	}
	return time.Duration(days+2) * 24 * time.Hour
}

type deriver struct {
	Input
	tracks map[trackKey]*track
	done   []Episode
	last   int64 // hour looked at last
}

// trackKey names what is followed through time. quiet is the reason for which
// the values of the track are not raised.
type trackKey struct {
	kind              Kind
	factor, statistic string
	quiet             string
}

// grace is how long after its end an hour is left to late records.
func (d *deriver) grace(at int64) int64 { return seconds(d.Rules.at(at)[Missing].grace) }

// verdict of a period.
type verdict uint8

const (
	none verdict = iota // nothing can be said: ends nothing
	good
	bad
	stop // the source stands still: what was open ends
)

// cell is one period of a track.
type cell struct {
	from, to int64
	verdict  verdict
	quiet    string // bad only: why it is not raised
	since    int64  // bad only: where what it tells of began; 0 = from
	value    quality.Opt
	weight   float64 // of several values the heaviest is Max
	folded   bool
	limit    quality.LimitRef
	times    quality.Opt
	severity Severity
	cause    quality.Text
	flag     string
}

// track is the state of one trackKey.
type track struct {
	key     trackKey
	rule    *rule
	pending []cell
	open    *Episode
	weight  float64
	goods   int
}

// put feeds a period to the track of a kind. A value that is kept quiet goes to
// a track of its own, so that it can be seen why it was not raised.
func (d *deriver) put(k Kind, factor, statistic string, c cell) {
	rs := d.Rules.at(c.from)
	key := trackKey{k, factor, statistic, ""}
	if c.verdict == bad && c.quiet != "" && !rs[k].quietBy(c.quiet) {
		c.quiet = ""
	}
	loud := c
	if c.verdict == bad && c.quiet != "" {
		loud.verdict = none
		if c.quiet == QuietStop {
			loud.verdict = stop
		}
	}
	d.step(key, rs[k], loud)
	for _, q := range []string{QuietStop, QuietMaintenance, QuietPlatform} {
		key.quiet = q
		switch {
		case c.verdict == bad && c.quiet == q:
			d.step(key, rs[k], c)
		case d.tracks[key] != nil: // what was quiet ends with its reason
			d.step(key, rs[k], cell{from: c.from, to: c.to, verdict: stop})
		}
	}
}

func (d *deriver) step(key trackKey, r *rule, c cell) {
	t := d.tracks[key]
	if t == nil {
		if c.verdict != bad {
			return
		}
		t = &track{key: key}
		d.tracks[key] = t
	}
	t.step(d, r, c)
}

func (t *track) step(d *deriver, r *rule, c cell) {
	switch c.verdict {
	case none:
		t.pending = nil // only values in a row open an episode
		if t.open != nil {
			t.open.Blank++
		}
	case good:
		t.pending = nil
		if t.open == nil {
			return
		}
		if t.goods++; t.goods >= r.close {
			t.end(d, EndGood)
		}
	case stop:
		t.pending = nil
		if t.open != nil {
			t.end(d, EndStop)
		}
	case bad:
		t.goods = 0
		if t.open != nil {
			t.extend(c)
			return
		}
		if t.pending = append(t.pending, c); len(t.pending) >= r.open {
			t.begin(d, r)
		}
	}
}

func (t *track) begin(d *deriver, r *rule) {
	c := t.pending[0]
	t.rule, t.weight = r, -1
	t.open = &Episode{
		Outlet: d.Outlet.ID, Kind: t.key.kind, Factor: t.key.factor, Statistic: t.key.statistic, Quiet: t.key.quiet,
		Start: instant(cmp.Or(c.since, c.from)), Opened: instant(t.pending[len(t.pending)-1].to),
		Rule: r.ref.ID, Version: r.ref.Version, Severity: Warn,
	}
	for _, c := range t.pending {
		t.extend(c)
	}
	t.pending = nil
}

func (t *track) extend(c cell) {
	e := t.open
	e.Count++
	e.Last = instant(c.to)
	if c.severity == Act {
		e.Severity = Act
	}
	if c.flag != "" && c.flag != "N" && !slices.Contains(e.Flags, c.flag) {
		e.Flags = append(e.Flags, c.flag)
		slices.Sort(e.Flags)
	}
	if c.weight > t.weight {
		t.weight = c.weight
		e.Max, e.MaxAt, e.Folded, e.Times, e.Limit, e.Cause = c.value, instant(c.from), c.folded, c.times, c.limit, c.cause
	}
}

func (t *track) end(d *deriver, by string) {
	t.open.End, t.open.EndedBy = t.open.Last, by
	d.done = append(d.done, *t.open)
	t.open, t.goods = nil, 0
}

// finish closes the books: what is open stays open, groups are made, urgency
// and IDs are set.
func (d *deriver) finish() []Episode {
	bounds := d.Exam.Bounds(d.last)
	for _, key := range slices.SortedFunc(maps.Keys(d.tracks), compareKeys) {
		t := d.tracks[key]
		if t.open == nil {
			continue
		}
		if by := gone(key, bounds); by != "" {
			t.end(d, by)
			continue
		}
		d.done = append(d.done, *t.open)
	}
	slices.SortStableFunc(d.done, compareEpisodes)
	for i := range d.done {
		e := &d.done[i]
		d.escalate(e)
		d.stops(e)
		e.ID = e.identity()
	}
	d.group()
	slices.SortStableFunc(d.done, compareEpisodes)
	return d.done
}

// gone tells why nothing can be said of an open track any more: the factor was
// taken out of the registry, or its limit.
func gone(key trackKey, bounds []quality.Bound) string {
	if key.factor == "" {
		return ""
	}
	i := slices.IndexFunc(bounds, func(b quality.Bound) bool { return b.Code == key.factor })
	if i < 0 {
		return EndRegistry
	}
	if key.kind != Over && key.kind != Range {
		return ""
	}
	b := &bounds[i]
	limit := map[string]quality.LimitRef{"hour": b.Hour, "day": b.Day, "instantaneous": b.Instant}[key.statistic]
	if limit.IsZero() {
		return EndLimit
	}
	return ""
}

func compareKeys(a, b trackKey) int {
	return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.factor, b.factor), cmp.Compare(a.statistic, b.statistic), cmp.Compare(a.quiet, b.quiet))
}

func compareEpisodes(a, b Episode) int {
	return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Factor, b.Factor), cmp.Compare(a.Statistic, b.Statistic),
		cmp.Compare(a.Quiet, b.Quiet))
}

// escalate raises what has lasted too long.
func (d *deriver) escalate(e *Episode) {
	r := d.Rules.at(e.Start.Unix())[e.Kind]
	if r.escalate > 0 && e.Last.Sub(e.Start) >= r.escalate {
		e.Severity = r.escalated
	}
}

// stops notes the declared and marked stops that touch the episode.
func (d *deriver) stops(e *Episode) {
	for _, s := range d.Outlet.Halts() {
		if x := (Span{s.From.UTC(), utc(s.To)}); x.touches(e.Start.Unix(), e.Last.Unix()+1) {
			e.Stops = append(e.Stops, x)
		}
	}
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}

// identity makes an ID of what an episode is about.
func (e *Episode) identity() string {
	return identity(fmt.Sprint(e.Outlet), string(e.Kind), e.Factor, e.Statistic, e.Quiet, fmt.Sprint(e.Start.Unix()))
}

func identity(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "|")))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:10]))
}
