package publicweb

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"time"

	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/alarm"
	"plateau/internal/telemetry/figures"
	"plateau/internal/telemetry/quality"
	"plateau/internal/web"
)

// dayMark is a day of the strip.
type dayMark struct {
	Date  time.Time
	Day   string
	State string // exceed, warn, normal, short, stopped, none, running
	Text  string
}

// Shape is the drawing that goes with the day; a day without data has none.
func (d dayMark) Shape() string {
	switch d.State {
	case "short":
		return quality.Offline.String()
	case "none", "running":
		return ""
	}
	return d.State
}

// latest is the newest published hour mean of a factor.
type latest struct {
	Factor  word
	Value   string
	Limit   string
	Hours   string
	State   string // exceed or warn where the value breaks its limit
	Missing bool   // the hour is not valid

	code string
}

// limitLine is a limit with where it stands and since when it binds.
type limitLine struct {
	Factor    word
	Limit     string
	Statistic string
	Standard  word
	Since     string
	Counts    string // whether a value over it is a finding or a warning
}

type outletView struct {
	finding
	County    word
	CountyRef string
	Medium    string
	Source    string
	Cut       time.Time
	Done      string // what officers have said of it; "" where nothing is over
	Cases     []caseLine
	Strip     []dayMark
	StripText string
	Latest    []latest
	Limits    []limitLine
	History   string
	Files     []fileLink
	Licence   string
	Publisher string
}

// hours keeps the hours that are over long enough.
func (c *call) hours(rows []quality.HourRow) []quality.HourRow {
	if !c.policy.publishes(quality.LevelHour) {
		return nil
	}
	end := c.cut.Unix()
	return slices.DeleteFunc(rows, func(r quality.HourRow) bool { return r.At+3600 > end })
}

// days keeps the days that are over long enough.
func (c *call) days(rows []quality.DayRow) []quality.DayRow {
	if !c.policy.publishes(quality.LevelDay) {
		return nil
	}
	end := c.cut.Unix()
	return slices.DeleteFunc(rows, func(r quality.DayRow) bool { return r.At+24*3600 > end })
}

func (h *Handler) outlet(c *call) (*document, error) {
	o, err := c.find(c.r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	states, err := h.statesAt(c)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(states, func(s quality.StateResult) bool { return s.Outlet == o.ID })
	if i < 0 {
		return nil, notFound()
	}
	v := &outletView{finding: c.finding(states[i]), County: c.area(c.snap.Present(o.Area)), CountyRef: countyPath(c.snap.Present(o.Area)), Cut: c.cut, Publisher: h.Publisher}
	v.Medium = c.l.T("medium." + string(o.Medium))
	if v.State == "exceed" || v.State == "warn" {
		if v.Done, err = h.done(c, states[i]); err != nil {
			return nil, err
		}
	}
	if v.Cases, err = h.cases(c, o); err != nil {
		return nil, err
	}
	to := start(c.cut).AddDate(0, 0, 1)
	from := to.AddDate(0, 0, -c.policy.strip)
	hours, err := h.Quality.Hours(o.ID, from, to)
	if err != nil {
		return nil, err
	}
	days, err := h.Quality.Days(o.ID, from, to)
	if err != nil {
		return nil, err
	}
	hours, days = c.hours(hours), c.days(days)
	c.strip(v, o, from, to, hours, days)
	c.latest(v, o, hours)
	now, err := h.Quality.Now(o.ID, c.cut)
	if err != nil {
		return nil, err
	}
	c.limitLines(v, o, hours, days, now.Tiles)
	v.History = outletPath(o.ID) + "/history"
	if f := states[i].Factor; f != "" && slices.ContainsFunc(v.Latest, func(l latest) bool { return l.code == f }) {
		v.History += "?factor=" + url.QueryEscape(f) // what the reader has just read about
	}
	v.Files, v.Licence = c.files("outlet", c.r.PathValue("id"), c.cut), h.Licence
	crumbs := []web.Crumb{{Text: c.l.T("public.home"), Path: Home}, {Text: v.County.Text, Path: v.CountyRef}}
	return h.render(c, "public_outlet.html", &web.Page{Title: v.Name.Text, Module: "public", Crumbs: crumbs, Feed: feedOf(c, c.snap.Present(o.Area)), Data: v})
}

// done says what is in the system of what is being done: whether an officer has
// taken note of the alarm, never who.
func (h *Handler) done(c *call, s quality.StateResult) (string, error) {
	unseen := c.l.T("public.done_unseen")
	if h.Alarms == nil {
		return unseen, nil
	}
	running := true
	list, err := h.Alarms.List(context.WithoutCancel(c.r.Context()), alarm.Filter{
		Outlets: []telemetry.OutletID{s.Outlet}, Kinds: []alarm.Kind{alarm.Over, alarm.Range}, Open: &running,
	})
	if err != nil {
		return "", err
	}
	for i := range list {
		e := &list[i]
		switch {
		case e.Factor != s.Factor && !slices.Contains(e.Factors, s.Factor):
		case e.False.Done():
			return c.l.T("public.done_false", "since", c.when(e.False.At)), nil
		case e.Ack.Done():
			return c.l.T("public.done_seen", "since", c.when(e.Ack.At)), nil
		}
	}
	return unseen, nil
}

// strip marks each day by what was found on it.
func (c *call) strip(v *outletView, o *telemetry.Outlet, from, to time.Time, hours []quality.HourRow, days []quality.DayRow) {
	n := map[string]int{}
	for d := from; d.Before(to); d = d.AddDate(0, 0, 1) {
		state, over := c.verdict(o, d, hours, days)
		m := dayMark{Date: d, Day: strconv.Itoa(d.Day()), State: state}
		word := c.l.T("public.day." + state)
		if state == "exceed" && over > 0 {
			word = c.l.T("public.day.exceed_hours", "n", over)
		}
		m.Text = c.l.T("public.day.cell", "date", i18n.Short(d), "state", word)
		v.Strip = append(v.Strip, m)
		n[state]++
	}
	v.StripText = c.l.T("public.strip", "days", len(v.Strip)-n["running"], "over", n["exceed"], "warn", n["warn"], "within", n["normal"],
		"stopped", n["stopped"], "gaps", n["short"]+n["none"])
}

// verdict is what was found on a day: its hours and its mean against the
// limits. A day whose figures are too few is no good day.
func (c *call) verdict(o *telemetry.Outlet, day time.Time, hours []quality.HourRow, days []quality.DayRow) (state string, over int) {
	next := day.AddDate(0, 0, 1).Unix()
	warn, due, seen, stopped, valid, short := false, false, false, false, false, false
	for i := range hours {
		row := &hours[i]
		if row.At < day.Unix() || row.At >= next {
			continue
		}
		stopped = stopped || row.Stopped
		broke := false
		for j := range row.Factors {
			f := &row.Factors[j]
			if f.Limit.IsZero() {
				continue
			}
			stopped = stopped || f.NExpected == 0
			due, seen, valid = due || f.NExpected > 0, seen || f.NSeen > 0, valid || f.Valid
			broke, warn = broke || f.Over && f.Evidence, warn || f.Over
		}
		if broke {
			over++
		}
	}
	mean := false
	for i := range days {
		if days[i].At != day.Unix() {
			continue
		}
		for j := range days[i].Factors {
			f := &days[i].Factors[j]
			if f.Limit.IsZero() && !c.limits(o, f.Code) { // of stacks the hours have limits, the days none
				continue
			}
			due, seen, valid = due || f.NExpected > 0, seen || f.NSeen > 0, valid || f.Valid
			mean, warn = mean || f.Over && f.Evidence, warn || f.Over
			short = short || f.NExpected > 0 && !f.Valid
		}
	}
	switch {
	case over > 0 || mean:
		return "exceed", over
	case warn:
		return "warn", 0
	case next > c.cut.Unix():
		return "running", 0 // nothing is said of a day before it is over
	case !due && stopped:
		return "stopped", 0
	case !seen:
		return "none", 0
	case short || !valid:
		return "short", 0
	}
	return "normal", 0
}

// latest are the newest published means, of factors with a limit first.
func (c *call) latest(v *outletView, o *telemetry.Outlet, hours []quality.HourRow) {
	if len(hours) == 0 {
		return
	}
	row := &hours[len(hours)-1]
	if c.cut.Sub(unix(row.At)) > c.policy.latest {
		return // an old figure says nothing of now; the state tells since when nothing comes
	}
	for _, of := range o.Factors {
		f := row.Factor(of.Code)
		if f == nil || !c.shows(o, f.Code, f.Limit) {
			continue
		}
		value, _ := shown(f)
		l := latest{code: f.Code, Factor: c.factor(f.Code), Limit: figures.Limit(f.Limit), Hours: i18n.Hours(unix(row.At), unix(row.At+3600)), Missing: !f.Valid}
		if f.Valid {
			l.Value = withUnit(figures.Beside(value, f.Code, f.Limit), figures.UnitOf(o, f.Code))
			l.State = figures.Broken(f.Over, f.Evidence)
		}
		v.Latest = append(v.Latest, l)
	}
	slices.SortStableFunc(v.Latest, func(a, b latest) int { return boolInt(a.Limit == "") - boolInt(b.Limit == "") })
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// limitLines lists what the newest hours and days were held against, and the
// limits of factors that single values are judged by.
func (c *call) limitLines(v *outletView, o *telemetry.Outlet, hours []quality.HourRow, days []quality.DayRow, tiles []quality.Tile) {
	seen, listed := map[string]bool{}, map[string]bool{}
	add := func(code string, l quality.LimitRef) {
		if l.IsZero() || seen[code+l.ID+l.Statistic] {
			return
		}
		seen[code+l.ID+l.Statistic], listed[code] = true, true
		line := limitLine{Factor: c.factor(code), Limit: withUnit(figures.Limit(l), figures.UnitOf(o, code)), Statistic: c.l.T("statistic." + l.Statistic)}
		if full := c.limitByID(o, l.ID); full != nil {
			line.Standard, line.Since = word{full.Standard, "zh"}, full.EffectiveFrom
			if isASCII(full.Standard) { // GB 13223-2011 is the same in every language
				line.Standard.Lang = string(c.lang)
			}
		}
		v.Limits = append(v.Limits, line)
	}
	for _, of := range o.Factors {
		if n := len(hours); n > 0 {
			if f := hours[n-1].Factor(of.Code); f != nil {
				add(f.Code, f.Limit)
			}
		}
		if n := len(days); n > 0 {
			if f := days[n-1].Factor(of.Code); f != nil {
				add(f.Code, f.Limit)
			}
		}
		for i := range tiles {
			if tiles[i].Code == of.Code && !listed[of.Code] {
				add(of.Code, tiles[i].Limit)
			}
		}
	}
}

// limitByID finds a limit: the outlet's own, or one of the standards.
func (c *call) limitByID(o *telemetry.Outlet, id string) *telemetry.Limit {
	for i := range o.Limits {
		if o.Limits[i].ID == id {
			return &o.Limits[i]
		}
	}
	if c.standards == nil {
		c.standards = make(map[string]*telemetry.Limit, len(c.snap.Limits))
		for i := range c.snap.Limits {
			c.standards[c.snap.Limits[i].ID] = &c.snap.Limits[i]
		}
	}
	return c.standards[id]
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
