package telemetryweb

import (
	"errors"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/alarm"
	"plateau/internal/telemetry/figures"
	"plateau/internal/telemetry/quality"
	"plateau/internal/web"
	"plateau/internal/web/chart"
)

// alarmEntry is a line of what people did.
type alarmEntry struct {
	At   time.Time
	Post word
	Did  string
	Note string
}

// alarmValue is one value of the extent.
type alarmValue struct {
	From  time.Time
	Range string
	Href  string
	Value string
	Valid string
	State string
}

type alarmView struct {
	Row        alarmRow
	OutletHref string
	Facts      [][2]string
	Rule       string
	RuleHref   string
	Stops      []web.Link // Key is the text
	Flags      string
	Parent     *alarmRow
	Parts      []alarmRow
	Values     []alarmValue
	Shortened  string // what of the values is left out
	Extent     *chart.Extent
	History    []alarmEntry
	CanAct     bool
	Acked      bool
	OwnAck     bool
	Falsely    bool
	OwnFalse   bool
	Action     string
	AckField   web.Field
	FalseField web.Field
	Cases      *alarmCases // nil: there is no casework
	Now        time.Time
}

// findAlarm returns the alarm of the address, if the actor may see its outlet.
func (h *Handler) findAlarm(c *call) (alarm.Episode, *telemetry.Outlet, error) {
	e, err := h.Alarms.Get(c.ctx(), c.r.PathValue("id"))
	if err != nil {
		return e, nil, err
	}
	o := c.snap.Outlets[e.Outlet]
	switch {
	case o == nil:
		return e, nil, notFound()
	case !c.sees(o):
		return e, nil, refused(c.l, allOutlets)
	}
	return e, o, nil
}

func (h *Handler) alarm(c *call) error {
	e, o, err := h.findAlarm(c)
	if err != nil {
		return err
	}
	return h.alarmPage(c, http.StatusOK, &e, o, "", nil)
}

func (h *Handler) alarmPage(c *call, status int, e *alarm.Episode, o *telemetry.Outlet, typed string, faults []web.FieldError) error {
	v := &alarmView{Row: h.alarmRow(c, e), OutletHref: c.path(outletPath(o.ID)), Now: c.now, Action: c.path("/alarms/" + e.ID)}
	v.Acked, v.Falsely = e.Ack.Done(), e.False.Done()
	v.CanAct = c.may(AckAlarms, o) && e.Withdrawn.IsZero()
	v.OwnAck, v.OwnFalse = e.Ack.By == c.actor.ID, e.False.By == c.actor.ID
	v.AckField = web.Field{Name: "note", Label: c.l.T("alarm.note"), Optional: true}
	v.FalseField = web.Field{Name: "reason", Label: c.l.T("alarm.reason"), Value: typed}
	for _, f := range faults {
		switch f.Field {
		case "reason":
			v.FalseField.Error = f.Text
		case "note":
			v.AckField.Error, v.AckField.Value = f.Text, typed
		}
	}
	parts, err := h.Alarms.Parts(c.ctx(), e.ID)
	if err != nil {
		return err
	}
	for i := range parts {
		v.Parts = append(v.Parts, h.alarmRow(c, &parts[i]))
	}
	if e.Parent != "" {
		switch p, err := h.Alarms.Get(c.ctx(), e.Parent); {
		case err == nil:
			r := h.alarmRow(c, &p)
			v.Parent = &r
		case !errs.Is(err, errs.NotFound):
			return err
		}
	}
	if err := h.alarmHistory(c, v, e); err != nil {
		return err
	}
	if err := h.alarmValues(c, v, e); err != nil {
		return err
	}
	if err := h.alarmExtent(c, v, e); err != nil {
		return err
	}
	h.alarmFacts(c, v, e)
	if err := h.alarmCases(c, v, e, typed, faults); err != nil {
		return err
	}
	title := v.Row.Kind
	if of := c.alarmFactors(e); of != "" {
		title = c.l.T("alarm.one", "kind", title, "factor", of)
	}
	crumbs := []web.Crumb{{Text: c.l.T("nav.alarms"), Path: "/alarms"}}
	return h.render(c, status, "alarm.html", &web.Page{Title: title, Module: "alarms", Crumbs: crumbs, Errors: faults, Data: v})
}

func (h *Handler) alarmHistory(c *call, v *alarmView, e *alarm.Episode) error {
	log, err := h.Alarms.History(c.ctx(), e.ID)
	if err != nil {
		return err
	}
	for _, x := range log {
		v.History = append(v.History, alarmEntry{At: x.At, Post: c.name(x.Post), Did: c.l.T("alarm.did_" + x.Action), Note: x.Note})
	}
	return nil
}

// alarmFacts lists what an alarm message must hold.
func (h *Handler) alarmFacts(c *call, v *alarmView, e *alarm.Episode) {
	fact := func(key, value string) {
		if value != "" {
			v.Facts = append(v.Facts, [2]string{c.l.T("alarm.fact_" + key), value})
		}
	}
	end := c.l.T("alarm.goes_on")
	if !e.Open() {
		end = c.l.T("alarm.ended", "time", i18n.Stamp(e.End), "why", c.l.T("alarm.end_"+e.EndedBy))
	}
	fact("start", i18n.Stamp(e.Start))
	fact("end", end)
	fact("span", v.Row.Span)
	fact("count", c.l.T("alarm.values", "n", e.Count))
	if e.Open() && e.Blank > 0 {
		fact("blank", c.l.T("alarm.blank", "n", e.Blank, "time", i18n.Stamp(e.Last)))
	}
	if v.Row.Value != "" {
		fact("worst", v.Row.Value+" "+v.Row.Unit+" · "+i18n.Stamp(e.MaxAt))
		fact("limit", v.Row.Limit+" "+v.Row.Unit)
		fact("times", v.Row.Over)
		if n, of, err := alarm.DaysOver(c.ctx(), h.Alarms, h.ruleSet(), e, c.now); err == nil {
			fact("days", c.l.T("alarm.days", "n", n, "days", of))
		}
	}
	fact("severity", c.l.T("alarm.severity_"+string(e.Severity)))
	fact("state", v.Row.State)
	fact("quiet", v.Row.Kept)
	for _, f := range e.Flags {
		text := f
		if key := "flag." + f; c.l.Has(key) {
			text += " " + c.l.T(key)
		}
		if v.Flags != "" {
			v.Flags += " · "
		}
		v.Flags += text
	}
	fact("flags", v.Flags)
	v.Rule, v.RuleHref = e.Rule+" v"+strconv.Itoa(e.Version), c.path("/rules/"+e.Rule+"?version="+strconv.Itoa(e.Version))
	for _, s := range e.Stops {
		to := stampText(s.To)
		if to == "" {
			to = c.l.T("registry.stop_open")
		}
		link := web.Link{Key: i18n.Stamp(s.From) + " – " + to}
		o := c.snap.Outlets[e.Outlet]
		switch {
		case o != nil && slices.ContainsFunc(o.Marks, func(m telemetry.Mark) bool { return m.Stops() && m.From.Equal(s.From) }):
			link.Path = outletPath(o.ID) + "/marks?day=" + i18n.Short(s.From)
		case c.actor.May(ReadList):
			link.Path = "/registry/stops/" + partID(e.Outlet, (&telemetry.Stop{From: s.From}).Ref())
		}
		v.Stops = append(v.Stops, link)
	}
}

// maxAlarmValues is how many values of an alarm its page lists.
const maxAlarmValues = 72

// alarmValues lists the values of the extent with the way to their explanation.
func (h *Handler) alarmValues(c *call, v *alarmView, e *alarm.Episode) error {
	if e.Factor == "" {
		return nil
	}
	to := e.Last
	if e.Statistic == "day" {
		days, err := h.Quality.Days(e.Outlet, e.Start, to)
		if err != nil {
			return err
		}
		for i := range days {
			if f := days[i].Factor(e.Factor); f != nil {
				v.Values = append(v.Values, alarmValue{
					From: time.Unix(days[i].At, 0), Range: i18n.Short(time.Unix(days[i].At, 0)), Value: figureFor(f.Judged, e.Factor, f.Limit),
					Href: c.valueHref(e, quality.LevelDay, days[i].At), Valid: c.l.T("alarm.valid_hours", "n", f.NValid), State: figures.Broken(f.Over, f.Evidence),
				})
			}
		}
		return nil
	}
	from := e.Start
	if least := to.Add(-maxAlarmValues * time.Hour); from.Before(least) {
		from = least
		v.Shortened = c.l.T("alarm.shortened", "n", maxAlarmValues)
	}
	hours, err := h.Quality.Hours(e.Outlet, from, to)
	if err != nil {
		return err
	}
	for i := range hours {
		f := hours[i].Factor(e.Factor)
		if f == nil {
			continue
		}
		at := time.Unix(hours[i].At, 0)
		value := f.Judged
		if !value.OK {
			value = f.Mean
		}
		v.Values = append(v.Values, alarmValue{
			From: at, Range: i18n.Short(at) + " " + i18n.Hours(at, at.Add(time.Hour)), Value: figureFor(value, e.Factor, f.Limit),
			Href: c.valueHref(e, quality.LevelHour, hours[i].At), Valid: c.l.T("alarm.valid_minutes", "n", f.NValid), State: figures.Broken(f.Over, f.Evidence),
		})
	}
	return nil
}

// Around an episode as much is drawn as lets one see how it began and ended;
// a long one is drawn from its start as far as a month.
const (
	aroundHours = 12 * time.Hour
	aroundDays  = 7 * 24 * time.Hour
	mostExtent  = 31 * 24 * time.Hour
)

// alarmExtent draws the values around the episode.
func (h *Handler) alarmExtent(c *call, v *alarmView, e *alarm.Episode) error {
	if e.Factor == "" || e.Kind == alarm.Missing || e.Kind == alarm.LoseHour || e.Kind == alarm.Permit {
		return nil
	}
	x := &chart.Extent{
		Begin: e.Start, End: e.Last, Step: time.Hour, Lo: float(e.Limit.Lo), Hi: float(e.Limit.Hi), Unit: v.Row.Unit, Decimals: min(2, decimals(e.Factor)),
		Label: v.Row.Text + " · " + i18n.Stamp(e.Start) + " – " + i18n.Stamp(e.Last),
	}
	around := aroundHours
	if e.Statistic == "day" {
		around, x.Step = aroundDays, 24*time.Hour
	}
	x.From, x.To = e.Start.Add(-around).Truncate(time.Hour), e.Last.Add(around)
	if x.To.After(c.now) {
		x.To = c.now
	}
	if x.To.Sub(x.From) > mostExtent {
		x.To = x.From.Add(mostExtent)
	}
	add := func(at int64, judged, mean quality.Opt) {
		value := judged
		if !value.OK {
			value = mean
		}
		x.Values = append(x.Values, chart.ExtentValue{At: time.Unix(at, 0), Value: float(value), Open: !judged.OK})
	}
	if e.Statistic == "day" {
		days, err := h.Quality.Days(e.Outlet, x.From.Add(-24*time.Hour), x.To)
		if err != nil {
			return err
		}
		for i := range days {
			if f := days[i].Factor(e.Factor); f != nil {
				add(days[i].At, f.Judged, f.Mean)
			}
		}
	} else {
		hours, err := h.Quality.Hours(e.Outlet, x.From, x.To)
		if err != nil {
			return err
		}
		for i := range hours {
			f := hours[i].Factor(e.Factor)
			switch {
			case f == nil:
			case e.Statistic == "instantaneous":
				add(hours[i].At, farther(f, e), quality.Opt{})
			default:
				add(hours[i].At, f.Judged, f.Mean)
			}
		}
	}
	for _, p := range x.Values {
		if !math.IsNaN(p.Value) {
			v.Extent = x
			return nil
		}
	}
	return nil
}

// farther is the single value of an hour that lies nearest to, or farthest
// behind, the limit of an alarm.
func farther(f *quality.FactorHour, e *alarm.Episode) quality.Opt {
	if e.Limit.Lo.OK && f.Min.OK && (f.Min.V < e.Limit.Lo.V || !e.Limit.Hi.OK) {
		return f.Min
	}
	return f.Max
}

func (c *call) valueHref(e *alarm.Episode, level string, at int64) string {
	if id := valueID(e.Outlet, e.Factor, level, time.Unix(at, 0)); id != "" {
		return c.path("/values/" + id)
	}
	return ""
}

// alarmAct is the form of an alarm: acknowledge, take back, call false or not.
func (h *Handler) alarmAct(c *call) error {
	e, o, err := h.findAlarm(c)
	if err != nil {
		return err
	}
	if err := c.must(AckAlarms, o); err != nil {
		return err
	}
	typed := c.r.PostFormValue("note")
	action := c.r.PostFormValue("action")
	switch action {
	case "ack":
		err = h.Alarms.Acknowledge(c.ctx(), e.ID, typed)
	case "unack":
		err = h.Alarms.TakeBack(c.ctx(), e.ID)
	case "false":
		typed = c.r.PostFormValue("reason")
		err = h.Alarms.CallFalse(c.ctx(), e.ID, typed)
	case "unfalse":
		err = h.Alarms.CallTrue(c.ctx(), e.ID)
	case "case", "investigate":
		if typed, err = h.alarmCase(c, action, e.ID); err == nil {
			return c.done("/alarms/"+url.PathEscape(e.ID), "alarm_"+action)
		}
	default:
		return errs.New(errs.Malformed, "alarm.err.filter", "value", action)
	}
	if fault, ok := errors.AsType[*errs.Error](err); ok && len(fault.Fields) > 0 {
		return h.alarmPage(c, http.StatusUnprocessableEntity, &e, o, typed, c.fieldErrors(fault))
	}
	if err != nil {
		return err
	}
	return c.done("/alarms/"+url.PathEscape(e.ID), "alarm_"+action)
}

// outletAlarmsView is the tab of an outlet.
type outletAlarmsView struct {
	Head  outletHead
	Open  []alarmRow
	Past  []alarmRow
	Quiet []alarmRow
	All   string
}

// maxOutletAlarms is how many past alarms an outlet's tab shows.
const maxOutletAlarms = 50

func (h *Handler) outletAlarms(c *call) error {
	o, err := h.find(c, c.r.PathValue("id"))
	if err != nil {
		return err
	}
	v := &outletAlarmsView{All: c.path("/alarms") + "?state=all&outlet=" + strconv.Itoa(int(o.ID))}
	if v.Head, err = h.head(c, o, "alarms"); err != nil {
		return err
	}
	for _, part := range []struct {
		into   *[]alarmRow
		filter alarm.Filter
	}{
		{&v.Open, alarm.Filter{Open: new(true)}},
		{&v.Past, alarm.Filter{Open: new(false), Limit: maxOutletAlarms}},
		{&v.Quiet, alarm.Filter{Quiet: true, Limit: maxOutletAlarms}},
	} {
		part.filter.Outlets = []telemetry.OutletID{o.ID}
		list, err := h.Alarms.List(c.ctx(), part.filter)
		if err != nil {
			return err
		}
		for i := range list {
			*part.into = append(*part.into, h.alarmRow(c, &list[i]))
		}
	}
	return h.render(c, http.StatusOK, "outlet_alarms.html", &web.Page{Title: c.l.T("alarm.of_outlet", "name", v.Head.Name.Text), Module: "outlets", Wide: true, Crumbs: append(h.crumbs(c, o), web.Crumb{Text: v.Head.Name.Text, Path: outletPath(o.ID)}), Data: v})
}
