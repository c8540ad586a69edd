package publicweb

import (
	"cmp"
	"math"
	"net/url"
	"slices"
	"strconv"
	"time"

	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/figures"
	"plateau/internal/telemetry/quality"
	"plateau/internal/web"
	"plateau/internal/web/chart"
)

// historyLine is an hour or a day of the table.
type historyLine struct {
	When  string
	Until string // of weeks without data: the last day
	Href  string // of a day, with the language; "" = none
	Value string
	Limit string
	State string // exceed or warn where the value breaks its limit
	Why   string // why there is no value: too few parts, stopped, nothing
	Parts string // valid of due
	Over  string // hours over the limit on a day
}

// empty reports whether nothing is known of the line's time.
func (l historyLine) empty() bool { return l.Value == "" && l.Parts == "" && l.Over == "" }

type historyView struct {
	Name     word
	Back     string
	Sample   bool
	Factors  []web.Tab
	Spans    []web.Tab
	Factor   word
	Unit     string
	Period   string
	Earlier  string
	Later    string // "" where nothing is published yet
	Chart    chart.Day
	Finding  string
	Hours    bool // lines are hours, else days
	HasOver  bool
	Lines    []historyLine
	Files    []fileLink
	Licence  string
	Dict     string
	NoFactor bool
}

// span is the stretch a history shows, whole days.
type span struct{ from, to time.Time } // half-open

func (s span) days() int { return int(s.to.Sub(s.from) / (24 * time.Hour)) }

// maxSpan is the longest stretch of a page, in days.
const maxSpan = 366

// monthSpan is the longest stretch whose hours are counted too.
const monthSpan = 62

func monthOf(t time.Time) span {
	local := t.In(i18n.Zone)
	from := time.Date(local.Year(), local.Month(), 1, 0, 0, 0, 0, i18n.Zone)
	return span{from, from.AddDate(0, 1, 0)}
}

func yearOf(t time.Time) span {
	from := time.Date(t.In(i18n.Zone).Year(), 1, 1, 0, 0, 0, 0, i18n.Zone)
	return span{from, from.AddDate(1, 0, 0)}
}

func dayOf(t time.Time) span { d := start(t); return span{d, d.AddDate(0, 0, 1)} }

// span reads from and to of the address, both days included; without them it is
// the month of what is published last.
func (c *call) span() (span, error) {
	q := c.r.URL.Query()
	if q.Get("from") == "" && q.Get("to") == "" {
		return monthOf(c.cut), nil
	}
	from, ok1 := day(cmp.Or(q.Get("from"), q.Get("to")))
	to, ok2 := day(cmp.Or(q.Get("to"), q.Get("from")))
	s := span{from, to.AddDate(0, 0, 1)}
	if !ok1 || !ok2 || s.days() < 1 || s.days() > maxSpan {
		return s, errs.New(errs.Malformed, "public.err_span", "days", maxSpan)
	}
	return s, nil
}

// day reads a date as people write it.
func day(s string) (time.Time, bool) {
	t, ok := i18n.ParseStamp(s)
	return start(t), ok && t.Year() >= 2000 && t.Year() < 2200
}

// shift is the stretch before (-1) or after (1): of months a month, of years a
// year, else as many days.
func (s span) shift(n int) span {
	switch s {
	case monthOf(s.from):
		return monthOf(s.from.AddDate(0, n, 0))
	case yearOf(s.from):
		return yearOf(s.from.AddDate(n, 0, 0))
	}
	return span{s.from.AddDate(0, 0, n*s.days()), s.to.AddDate(0, 0, n*s.days())}
}

// words are the stretch as people name it: a day, a month, a year, else both
// ends.
func (s span) words(c *call) string {
	switch {
	case s.days() == 1:
		return c.l.Date(s.from)
	case s == monthOf(s.from):
		return s.from.Format("2006-01")
	case s == yearOf(s.from):
		return s.from.Format("2006")
	}
	return i18n.Short(s.from) + " – " + i18n.Short(s.to.AddDate(0, 0, -1))
}

func (c *call) historyHref(o *telemetry.Outlet, s span, factor string) string {
	return web.Path(c.lang, outletPath(o.ID)+"/history") + "?" + historyQuery(s, factor)
}

func historyQuery(s span, factor string) string {
	q := url.Values{"from": {i18n.Short(s.from)}, "to": {i18n.Short(s.to.AddDate(0, 0, -1))}}
	if factor != "" {
		q.Set("factor", factor)
	}
	return q.Encode()
}

func (h *Handler) history(c *call) (*document, error) {
	o, err := c.find(c.r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	s, err := c.span()
	if err != nil {
		return nil, err
	}
	var hours []quality.HourRow
	if s.days() <= monthSpan {
		if hours, err = h.Quality.Hours(o.ID, s.from, s.to); err != nil {
			return nil, err
		}
		hours = c.hours(hours)
	}
	days, err := h.Quality.Days(o.ID, s.from, s.to)
	if err != nil {
		return nil, err
	}
	days = c.days(days)
	name := c.outletName(o)
	v := &historyView{
		Name: name, Back: outletPath(o.ID), Sample: o.Sample, Period: s.words(c), Hours: s.days() == 1,
		Files: c.files("outlet", c.r.PathValue("id"), s.from), Licence: h.Licence, Dict: dictionaryPath,
	}
	code := h.chooseFactor(c, v, o, s, hours, days)
	v.NoFactor = code == ""
	if c.query != "" { // the other languages are asked for what is shown, whatever this address said
		c.query = historyQuery(s, code)
	}
	v.Factor, v.Unit = c.factor(code), figures.UnitOf(o, code)
	v.Earlier = c.historyHref(o, s.shift(-1), code)
	if next := s.shift(1); !next.from.After(c.cut) {
		v.Later = c.historyHref(o, next, code)
	}
	anchor := s.to.Add(-time.Second)
	if anchor.After(c.cut) {
		anchor = c.cut
	}
	if s.days() == 1 {
		anchor = s.from
	}
	for _, x := range []struct {
		key string
		of  span
	}{{"day", dayOf(anchor)}, {"month", monthOf(anchor)}, {"year", yearOf(anchor)}} {
		v.Spans = append(v.Spans, web.Tab{Text: c.l.T("public.span." + x.key), Href: c.historyHref(o, x.of, code), Current: s == x.of})
	}
	if !v.NoFactor {
		if v.Hours {
			c.hourLines(v, code, s, hours)
		} else {
			c.dayLines(v, o, code, s, hours, days)
		}
	}
	crumbs := []web.Crumb{{Text: c.l.T("public.home"), Path: Home}, {Text: c.area(c.snap.Present(o.Area)).Text, Path: countyPath(c.snap.Present(o.Area))}, {Text: name.Text, Path: outletPath(o.ID)}}
	return h.render(c, "public_history.html", &web.Page{Title: c.l.T("public.history_title", "name", name.Text, "period", v.Period), Module: "public", Crumbs: crumbs, Data: v})
}

// chooseFactor lists the published factors as links and takes that of the
// address, else the first that has a limit.
func (h *Handler) chooseFactor(c *call, v *historyView, o *telemetry.Outlet, s span, hours []quality.HourRow, days []quality.DayRow) string {
	limited, found := map[string]bool{}, map[string]bool{}
	note := func(code string, l quality.LimitRef) {
		found[code] = found[code] || c.shows(o, code, l)
		limited[code] = limited[code] || !l.IsZero()
	}
	for i := range hours {
		for j := range hours[i].Factors {
			note(hours[i].Factors[j].Code, hours[i].Factors[j].Limit)
		}
	}
	for i := range days {
		for j := range days[i].Factors {
			note(days[i].Factors[j].Code, days[i].Factors[j].Limit)
		}
	}
	var codes []string
	for _, f := range o.Factors {
		if found[f.Code] {
			codes = append(codes, f.Code)
		}
	}
	slices.SortStableFunc(codes, func(a, b string) int { return boolInt(limited[b]) - boolInt(limited[a]) })
	chosen := c.r.URL.Query().Get("factor")
	if !slices.Contains(codes, chosen) {
		chosen = ""
		if len(codes) > 0 {
			chosen = codes[0]
		}
	}
	for _, code := range codes {
		v.Factors = append(v.Factors, web.Tab{Text: c.factor(code).Text, Href: c.historyHref(o, s, code), Current: code == chosen})
	}
	return chosen
}

func (c *call) newChart(v *historyView, code string, s span) {
	v.Chart = chart.Day{ID: "h", Factor: v.Factor.Text, Unit: v.Unit, Decimals: figures.Decimals(code), From: s.from, To: s.to}
}

func (c *call) hourLines(v *historyView, code string, s span, hours []quality.HourRow) {
	c.newChart(v, code, s)
	over := 0
	rows := map[int64]*quality.HourRow{}
	for i := range hours {
		rows[hours[i].At] = &hours[i]
	}
	for t := s.from; t.Before(s.to); t = t.Add(time.Hour) {
		line := historyLine{When: i18n.Hours(t, t.Add(time.Hour)), Why: c.l.T("public.day.none")}
		step := chart.Hour{From: t, Mean: math.NaN()}
		if t.Add(time.Hour).After(c.cut) {
			line.Why = c.l.T("public.not_yet")
		}
		if row := rows[t.Unix()]; row != nil {
			if row.Stopped {
				line.Why = c.l.T("public.state.stopped")
			}
			if f := row.Factor(code); f != nil {
				line.Limit = figures.Limit(f.Limit)
				line.Parts = parts(f.NValid, f.NExpected)
				v.Chart.Limits = addLimit(v.Chart.Limits, t, time.Hour, f.Limit)
				switch x, _ := shown(f); {
				case f.Valid && x.OK:
					line.Value, line.Why, line.State = figures.Beside(x, code, f.Limit), "", figures.Broken(f.Over, f.Evidence)
					step.Mean, step.Over = x.V, f.Over
				case f.NExpected > 0 && f.NSeen > 0:
					line.Why = c.mark(f.Flag)
				}
				if f.Valid && f.Over {
					over++
				}
			}
		}
		v.Chart.Hours = append(v.Chart.Hours, step)
		v.Lines = append(v.Lines, line)
	}
	v.Finding = c.l.T("public.finding_hours", "factor", v.Factor.Text, "n", over)
	v.Chart.Label = v.Finding
}

// parts are the valid parts of those due, "" where none was due.
func parts(valid, due int) string {
	if due == 0 {
		return ""
	}
	return strconv.Itoa(valid) + " / " + strconv.Itoa(due)
}

// mark says why an hour has too few valid minutes, by its data mark.
func (c *call) mark(flag string) string {
	if key := "flag." + flag; flag != "N" && c.l.Has(key) {
		return c.l.T("public.short_mark", "mark", c.l.T(key))
	}
	return c.l.T("public.day.short")
}

func (c *call) dayLines(v *historyView, o *telemetry.Outlet, code string, s span, hours []quality.HourRow, days []quality.DayRow) {
	c.newChart(v, code, s)
	v.Chart.Each = 24 * time.Hour
	v.HasOver = s.days() <= monthSpan && c.policy.publishes(quality.LevelHour)
	rows := map[int64]*quality.DayRow{}
	for i := range days {
		rows[days[i].At] = &days[i]
	}
	overHours := map[int64]int{}
	for i := range hours {
		if f := hours[i].Factor(code); f != nil && f.Over && f.Valid {
			overHours[start(unix(hours[i].At)).Unix()]++
		}
	}
	over := 0
	for t := s.from; t.Before(s.to) && !t.After(c.cut); t = t.AddDate(0, 0, 1) {
		line := historyLine{When: i18n.Short(t), Why: c.l.T("public.day.none")}
		switch { // a year of links would be half of the page
		case s.days() <= monthSpan:
			line.Href = c.historyHref(o, dayOf(t), code)
		case t.Day() == 1:
			line.Href = c.historyHref(o, monthOf(t), code)
		}
		step := chart.Hour{From: t, Mean: math.NaN()}
		if t.AddDate(0, 0, 1).After(c.cut) {
			line.Why = c.l.T("public.not_yet")
		}
		if row := rows[t.Unix()]; row != nil {
			if f := row.Factor(code); f != nil {
				line.Limit = figures.Limit(f.Limit)
				line.Parts = parts(f.NValid, f.NExpected)
				v.Chart.Limits = addLimit(v.Chart.Limits, t, 24*time.Hour, f.Limit)
				switch x, _ := shownDay(f); {
				case f.Valid && x.OK:
					line.Value, line.Why, line.State = figures.Beside(x, code, f.Limit), "", figures.Broken(f.Over, f.Evidence)
					step.Mean, step.Over = x.V, f.Over
				case f.NExpected == 0:
					line.Why = c.l.T("public.state.stopped")
				case f.NSeen > 0:
					line.Why = c.l.T("public.day.short")
				}
			}
		}
		if n := overHours[t.Unix()]; n > 0 {
			line.Over = c.l.T("public.day.exceed_hours", "n", n)
		}
		if line.State != "" || line.Over != "" {
			over++
		}
		v.Chart.Hours = append(v.Chart.Hours, step)
		if last := len(v.Lines) - 1; s.days() > monthSpan && last >= 0 && line.empty() && v.Lines[last].empty() && v.Lines[last].Why == line.Why {
			v.Lines[last].Until = line.When // weeks of nothing are one line of a year
			continue
		}
		v.Lines = append(v.Lines, line)
	}
	slices.Reverse(v.Lines)
	v.Finding = c.l.T("public.finding_days", "factor", v.Factor.Text, "n", over)
	v.Chart.Label = v.Finding
}

// addLimit lengthens the last piece of the limit line or begins a new one where
// the limit changed or was not known in between.
func addLimit(list []chart.Limit, t time.Time, step time.Duration, l quality.LimitRef) []chart.Limit {
	add := func(value float64, lower bool) {
		for i := range list {
			if p := &list[i]; p.Value == value && p.Lower == lower && p.To.Equal(t) {
				p.To = t.Add(step)
				return
			}
		}
		list = append(list, chart.Limit{From: t, To: t.Add(step), Value: value, Lower: lower})
	}
	if l.Hi.OK {
		add(l.Hi.V, false)
	}
	if l.Lo.OK {
		add(l.Lo.V, true)
	}
	return list
}
