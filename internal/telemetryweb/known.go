package telemetryweb

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/figures"
	"plateau/internal/telemetry/quality"
	"plateau/internal/web"
)

// knownParam names the instant a page or an export is asked for "as known on".
const knownParam = "known"

// asKnown reads that instant; a date alone means its end. ok is false without
// one. errs.Invalid says how to write it.
func (c *call) asKnown() (at time.Time, ok bool, err error) {
	arg := i18n.Digits(c.query(knownParam))
	if arg == "" {
		return at, false, nil
	}
	day, midnight := strings.CutSuffix(strings.TrimRight(arg, " "), "24:00")
	if at, err = time.Parse(time.RFC3339, strings.ToUpper(strings.ReplaceAll(arg, " ", "+"))); err == nil {
		return at, true, nil
	}
	at, ok = i18n.ParseStamp(strings.TrimRight(day, "T "))
	if !ok {
		return at, false, errs.New(errs.Invalid, "known.wrong", "value", c.query(knownParam))
	}
	if midnight || !strings.Contains(arg, ":") {
		at = at.AddDate(0, 0, 1)
	}
	return at, true, nil
}

// knownStamp writes the instant; midnight is the end of a day.
func knownStamp(at time.Time) string {
	if i18n.Clock(at) == "00:00" {
		return i18n.Short(at.Add(-time.Second)) + " 24:00"
	}
	return i18n.Stamp(at)
}

// knownArgument is the instant as addresses carry it.
func knownArgument(at time.Time) string {
	if i18n.Clock(at) == "00:00" {
		return i18n.Short(at.Add(-time.Second))
	}
	return at.In(i18n.Zone).Format("2006-01-02T15:04")
}

// sight is what a page about an outlet looks at: what is known now, or what was
// known at an instant.
type sight struct {
	h  *Handler
	c  *call
	id telemetry.OutletID
	o  *quality.KnownOutlet // nil: now
}

// look finds the outlet of an address as find does. Where the address asks for
// what was known at an instant, the outlet is as the registry had it, and now of
// the call is that instant.
func (h *Handler) look(c *call, id string) (*telemetry.Outlet, *sight, error) {
	o, err := h.find(c, id)
	if err != nil {
		return nil, nil, err
	}
	s := &sight{h: h, c: c, id: o.ID}
	at, ok, err := c.asKnown()
	if err != nil || !ok {
		return o, s, err
	}
	k, err := h.Quality.AsKnown(at)
	if errors.Is(err, quality.ErrFuture) {
		if strings.HasPrefix(c.r.URL.Path, "/api/") {
			return nil, nil, errs.New(errs.Invalid, "known.future_api")
		}
		c.notes = append(c.notes, web.Notice{Kind: "warn", Text: c.l.T("known.future", "at", knownStamp(at))})
		return o, s, nil
	}
	if err != nil {
		return nil, nil, err
	}
	s.o, err = k.Outlet(c.ctx(), o.ID)
	if missing(err) {
		return nil, nil, errs.New(errs.Invalid, "known.no_outlet", "at", knownStamp(at))
	}
	if err != nil {
		return nil, nil, err
	}
	c.knownAt, c.now = at, at
	return s.o.Outlet, s, nil
}

// Hours are the judged hours of [from, to).
func (s *sight) Hours(from, to time.Time) ([]quality.HourRow, error) {
	if s.o != nil {
		return s.o.Hours(from, to)
	}
	return s.h.Quality.Hours(s.id, from, to)
}

// Days are the judged days of [from, to).
func (s *sight) Days(from, to time.Time) ([]quality.DayRow, error) {
	if s.o != nil {
		return s.o.Days(from, to)
	}
	return s.h.Quality.Days(s.id, from, to)
}

// Explain is everything behind a value.
func (s *sight) Explain(factor, level string, at time.Time) (quality.Explanation, error) {
	if s.o != nil {
		return s.o.Explain(factor, level, at)
	}
	return s.h.Quality.Explain(s.id, factor, level, at)
}

// Period is the month, quarter or year that holds at.
func (s *sight) Period(ctx context.Context, level string, at time.Time) (quality.PeriodRow, error) {
	if s.o != nil {
		return s.o.Period(level, at)
	}
	return s.h.Quality.Period(ctx, s.id, level, at)
}

// sightRows are the rows of the one outlet that is looked at, for reports.
type sightRows struct{ s *sight }

func (r sightRows) Hours(_ telemetry.OutletID, from, to time.Time) ([]quality.HourRow, error) {
	return r.s.Hours(from, to)
}

func (r sightRows) Days(_ telemetry.OutletID, from, to time.Time) ([]quality.DayRow, error) {
	return r.s.Days(from, to)
}

func (r sightRows) Period(ctx context.Context, _ telemetry.OutletID, level string, at time.Time) (quality.PeriodRow, error) {
	return r.s.Period(ctx, level, at)
}

// Records are the records of [from, to), Unix seconds.
func (s *sight) Records(kind telemetry.Kind, from, to int64, fn func(*telemetry.Record) bool) error {
	if s.o != nil {
		return s.o.Records(kind, time.Unix(from, 0), time.Unix(to, 0), fn)
	}
	return s.h.Journal.Records(s.id, kind, from, to, fn)
}

// now is what is known of an outlet now: its state, tiles and forecasts. As
// known at an instant there is no state, and the tiles show the last hour that
// had come.
func (s *sight) now(o *telemetry.Outlet, rows []quality.HourRow) (quality.View, error) {
	if s.o == nil {
		return s.h.Quality.Now(s.id, s.c.now)
	}
	v := quality.View{Outlet: s.id, Now: s.c.now}
	for i := range o.Factors {
		t := quality.Tile{Code: o.Factors[i].Code, Unit: o.Factors[i].Unit, State: quality.Offline}
		for k := range rows {
			f := rows[k].Factor(t.Code)
			if f == nil || !f.Mean.OK {
				continue
			}
			t.Level, t.At, t.Value, t.Folded, t.Flag, t.Limit, t.State = quality.LevelHour, rows[k].At, shown(f), f.Folded.OK, f.Flag, f.Limit, quality.Normal
			switch figures.Broken(f.Over, f.Evidence) {
			case quality.Exceed.String():
				t.State = quality.Exceed
			case quality.Warn.String():
				t.State = quality.Warn
			}
		}
		v.Tiles = append(v.Tiles, t)
	}
	return v, nil
}

// keep adds the instant to an address of the same outlet, so that the reader
// stays there.
func (c *call) keep(href string) string {
	if c.knownAt.IsZero() || href == "" {
		return href
	}
	base, fragment, has := strings.Cut(href, "#")
	sep := "?"
	if strings.Contains(base, "?") {
		sep = "&"
	}
	base += sep + knownParam + "=" + url.QueryEscape(knownArgument(c.knownAt))
	if has {
		base += "#" + fragment
	}
	return base
}

// keepQuery is the same for the query of an export.
func (c *call) keepQuery() string { return strings.TrimLeft(c.keep("?"), "?&") }

// knownView is what a page says of the instant, and the form that asks for one.
type knownView struct {
	At     string // "" = now
	Back   string // the same page now
	Action string
	Hidden [][2]string
	Field  web.Field
}

// knownForm asks for the page of the call at another instant.
func (c *call) knownForm() *knownView {
	q := c.r.URL.Query()
	v := &knownView{Action: c.r.URL.Path}
	v.Field = web.Field{Name: knownParam, Label: c.l.T("known.label"), Hint: c.l.T("known.hint"), Width: "medium", Value: q.Get(knownParam)}
	if !c.knownAt.IsZero() {
		v.At = knownStamp(c.knownAt)
	}
	q.Del(knownParam)
	for _, name := range sortedKeys(q) {
		for _, value := range q[name] {
			v.Hidden = append(v.Hidden, [2]string{name, value})
		}
	}
	v.Back = v.Action
	if len(q) > 0 {
		v.Back += "?" + q.Encode()
	}
	return v
}
