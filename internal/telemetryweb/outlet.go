package telemetryweb

import (
	"cmp"
	"errors"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/backfill"
	"plateau/internal/telemetry/figures"
	"plateau/internal/telemetry/quality"
	"plateau/internal/web"
	"plateau/internal/web/chart"
)

// outletHead is what all pages of an outlet begin with.
type outletHead struct {
	Outlet     *telemetry.Outlet
	Name       word
	Place      word
	Enterprise word
	Permit     string
	Sample     bool
	State      string
	Why        string
	Since      time.Time
	SinceFor   string
	MNs        []string
	Version    string
	Standard   string
	Last       time.Time
	Tabs       []web.Tab
	Devices    bool     // the reader may open the loggers
	Stop       web.Link // Key is the text: the declared stop in force, or the form that declares one
	Now        time.Time
	exported
	Known *knownView

	result quality.StateResult
}

// hourLine is an hour of the table form of the chart.
type hourLine struct {
	From    time.Time
	To      time.Time
	Href    string
	Value   string
	Raw     string // the mean before it was folded
	Min     string
	Max     string
	Limit   string
	Valid   int
	Flag    string
	Short   bool
	State   string // exceed or warn where the value breaks its limit
	Revised bool
}

// event is something of the day that somebody should know.
type event struct {
	From, To time.Time
	Time     string
	State    string
	Text     string
	Effect   string
	Basis    string
}

// outletView is the page of one outlet and day.
type outletView struct {
	Head      outletHead
	Tiles     []web.Tile
	Factor    word
	Code      string
	Unit      string
	Folded    bool
	Origin    *Origin          // of a demonstration's values
	limit     quality.LimitRef // of the factor now
	Chart     chart.Day
	Marks     []string
	Minutes   chart.Minutes
	Explain   *explainView
	Events    []event
	Date      string
	Table     bool
	Hours     []hourLine
	TableHref string
	ChartHref string
	Previous  string
	Next      string
	Today     bool
	// What the legend of the chart has to name.
	HasMinutes, HasRunning, HasWeak bool
}

func (h *Handler) head(c *call, o *telemetry.Outlet, tab string) (hd outletHead, err error) {
	if !c.knownAt.IsZero() {
		return h.knownHead(c, o, tab), nil
	}
	st, err := h.Quality.State(o.ID, c.now)
	if err != nil {
		return outletHead{}, err
	}
	hd = outletHead{
		Outlet: o, Name: c.outletName(o), Place: c.place(o), Sample: o.Sample, State: st.State.String(), Why: c.why(st),
		Since: st.Since, Devices: c.may(Devices, o), Now: c.now, result: st,
	}
	if !st.Since.IsZero() {
		hd.SinceFor = c.l.Duration(c.now.Sub(st.Since))
	}
	if e := c.snap.Enterprises[o.Enterprise]; e != nil {
		hd.Enterprise, hd.Permit = c.name(e.Name), e.Permit
	}
	for mn, d := range c.snap.Devices {
		if d.Outlet == o.ID {
			hd.MNs = append(hd.MNs, mn)
		}
	}
	slices.Sort(hd.MNs)
	for _, d := range h.Gateway.Devices() {
		if slices.Contains(hd.MNs, d.MN) && d.Last.After(hd.Last) {
			hd.Last, hd.Version = d.Last, d.Version
		}
	}
	if st.Seen > hd.Last.Unix() {
		hd.Last = time.Unix(st.Seen, 0)
	}
	if o.SourceType != "" {
		for _, l := range c.snap.Limits {
			if l.SourceType == o.SourceType {
				hd.Standard = l.Standard
				break
			}
		}
	}
	hd.Stop = h.stopLink(c, o)
	hd.tabs(c, tab)
	return hd, nil
}

// knownHead is the head of a page as known at an instant: what the registry
// said then, and no state.
func (h *Handler) knownHead(c *call, o *telemetry.Outlet, tab string) outletHead {
	hd := outletHead{Outlet: o, Name: c.outletName(o), Place: c.place(o), Sample: o.Sample, Devices: c.may(Devices, o), Now: c.now}
	if e := c.snap.Enterprises[o.Enterprise]; e != nil {
		hd.Enterprise, hd.Permit = c.name(e.Name), e.Permit
	}
	for _, d := range c.snap.DevicesAt(o.ID, c.knownAt) {
		if d.To.IsZero() {
			hd.MNs = append(hd.MNs, d.MN)
		}
	}
	hd.tabs(c, tab)
	return hd
}

func (hd *outletHead) tabs(c *call, tab string) {
	base := c.path(outletPath(hd.Outlet.ID))
	hd.Tabs = []web.Tab{
		{Text: c.l.T("outlet.today"), Href: c.keep(base), Current: tab == "today"},
		{Text: c.l.T("outlet.history"), Href: c.keep(base + "/history"), Current: tab == "history"},
		{Text: c.l.T("totals.tab"), Href: c.keep(base + "/totals"), Current: tab == "totals"},
		{Text: c.l.T("nav.alarms"), Href: base + "/alarms", Current: tab == "alarms"},
		{Text: c.l.T("marks.tab"), Href: base + "/marks?day=" + i18n.Short(c.now)},
		{Text: c.l.T("outlet.devices"), Href: base + "/devices", Current: tab == "devices"},
		{Text: c.l.T("nav.reports"), Href: c.path("/reports/outlet/" + strconv.Itoa(int(hd.Outlet.ID)) + "/day/" + i18n.Short(c.now))},
	}
	if c.knownAt.IsZero() {
		hd.Tabs = append(hd.Tabs, web.Tab{Text: c.l.T("who.tab"), Href: base + "/access", Current: tab == "access"})
	}
	if tab != "devices" && tab != "alarms" && tab != "access" {
		hd.Known = c.knownForm()
	}
}

// stopLink leads to the stop that is in force, else whoever may to declaring one.
func (h *Handler) stopLink(c *call, o *telemetry.Outlet) web.Link {
	for i := range o.Stops {
		s := &o.Stops[i]
		if c.may(ReadList, o) && !s.From.After(c.now) && (s.To.IsZero() || c.now.Before(s.To)) {
			return web.Link{Key: i18n.Stamp(s.From) + " – " + cmp.Or(stampText(s.To), c.l.T("registry.stop_open")), Path: "/registry/stops/" + partID(o.ID, s.Ref())}
		}
	}
	if h.mayEdit(c, "stops") && c.may(EditList, o) {
		return c.declareStop(o.ID)
	}
	return web.Link{}
}

func (h *Handler) crumbs(c *call, o *telemetry.Outlet) []web.Crumb {
	pref := c.snap.Prefecture(o.Area)
	out := []web.Crumb{{Text: c.l.T("nav.outlets"), Path: "/outlets"}, {Text: c.area(pref).Text, Path: "/outlets?area=" + url.QueryEscape(pref)}}
	if pref != o.Area {
		out = append(out, web.Crumb{Text: c.area(o.Area).Text, Path: "/outlets?area=" + url.QueryEscape(o.Area)})
	}
	return out
}

// find returns the outlet of the address, if the actor may see it.
func (h *Handler) find(c *call, id string) (*telemetry.Outlet, error) {
	n, ok := parseOutletID(id)
	o := c.snap.Outlets[n]
	if !ok || o == nil {
		return nil, notFound()
	}
	if !c.sees(o) {
		return nil, refused(c.l, allOutlets)
	}
	return o, nil
}

// day is the stretch a page shows: the last 24 clock hours, or a named date.
func (c *call) day(date string) (from, to time.Time, named bool, err error) {
	if date == "" {
		to = c.now.Truncate(time.Hour).Add(time.Hour)
		return to.Add(-24 * time.Hour), to, false, nil
	}
	from, err = time.ParseInLocation("2006-01-02", date, i18n.Zone)
	if err != nil {
		return from, to, false, notFound()
	}
	return from, from.Add(24 * time.Hour), true, nil
}

func (h *Handler) outlet(c *call) error {
	id, date := c.r.PathValue("id"), c.r.PathValue("date")
	var format string
	if date == "" {
		id, format = cutFormat(id)
	} else {
		date, format = cutFormat(date)
	}
	o, s, err := h.look(c, id)
	if err != nil {
		return err
	}
	if date == "history" && format != "" { // the mux knows no endings
		e, err := h.exportDays(c, o, s)
		if err != nil {
			return err
		}
		return e.send(c, format)
	}
	if date == "totals" && format != "" {
		return h.totalsOf(c, o, s, format)
	}
	from, to, named, err := c.day(date)
	if err != nil {
		return err
	}
	rows, err := s.Hours(from, to)
	if err != nil {
		return err
	}
	if format != "" {
		e := h.exportHours(c, o, rows)
		return e.send(c, format)
	}
	view, err := s.now(o, rows)
	if err != nil {
		return err
	}
	v := &outletView{Today: !named && c.knownAt.IsZero(), Date: i18n.Short(from)}
	if v.Head, err = h.head(c, o, "today"); err != nil {
		return err
	}
	v.Code = h.chooseFactor(c, o, view, rows)
	v.Factor, v.Unit = c.factor(v.Code), unitOf(o, v.Code)
	base := outletPath(o.ID)
	if named {
		base += "/" + date
		v.Next = c.keep(c.path(outletPath(o.ID)+"/"+i18n.Short(to)) + "?factor=" + url.QueryEscape(v.Code))
		if to.After(c.now) {
			v.Next = ""
		}
		v.Previous = c.keep(c.path(outletPath(o.ID)+"/"+i18n.Short(from.Add(-time.Hour))) + "?factor=" + url.QueryEscape(v.Code))
	} else {
		v.Previous = c.keep(c.path(outletPath(o.ID)+"/"+i18n.Short(c.now)) + "?factor=" + url.QueryEscape(v.Code))
	}
	v.Origin = h.origin(o, v.Code)
	h.tiles(c, v, o, view, base)
	level, selected := h.selected(c, v, rows, from, to)
	v.Table = c.query("view") == "table"
	link := c.keep(c.path(base) + "?factor=" + url.QueryEscape(v.Code))
	v.TableHref, v.ChartHref, v.Head.exported = link+"&view=table", link, exported{c.path(base), c.r.URL.RawQuery}
	marked := selected
	if level != quality.LevelHour {
		marked = time.Time{}
	}
	h.dayChart(c, s, v, o, rows, from, to, marked, link)
	v.Events = h.events(c, rows)
	if !selected.IsZero() {
		x, err := s.Explain(v.Code, level, selected)
		switch {
		case err == nil:
			v.Explain = h.explain(c, o, x)
			if f := v.Explain.Frame; f != nil {
				f.Pieces = brief(f.Pieces)
			}
		case !missing(err):
			return err
		}
	}
	return h.render(c, http.StatusOK, "outlet.html", &web.Page{
		Title: v.Head.Name.Text, Module: "outlets", Wide: true, Crumbs: h.crumbs(c, o), Scripts: []string{"chart"}, Data: v,
	})
}

// missing tells a value that is not there from a fault.
func missing(err error) bool {
	return errors.Is(err, quality.ErrNotFound) || errs.Is(err, errs.NotFound)
}

// chooseFactor takes the factor of the address, else the one that decides the
// state, else the first with a limit.
func (h *Handler) chooseFactor(c *call, o *telemetry.Outlet, view quality.View, rows []quality.HourRow) string {
	want := c.query("factor")
	has := func(code string) bool {
		return slices.ContainsFunc(view.Tiles, func(t quality.Tile) bool { return t.Code == code }) ||
			slices.ContainsFunc(rows, func(r quality.HourRow) bool { return r.Factor(code) != nil })
	}
	if want != "" && has(want) {
		return want
	}
	if c.knownAt.IsZero() { // else there is no state
		if st, err := h.Quality.State(o.ID, c.now); err == nil && st.Factor != "" && has(st.Factor) {
			return st.Factor
		}
	}
	for _, t := range view.Tiles {
		if !t.Limit.IsZero() {
			return t.Code
		}
	}
	if len(view.Tiles) > 0 {
		return view.Tiles[0].Code
	}
	if len(o.Factors) > 0 {
		return o.Factors[0].Code
	}
	return ""
}

func (h *Handler) tiles(c *call, v *outletView, o *telemetry.Outlet, view quality.View, base string) {
	for _, t := range view.Tiles {
		label := c.factor(t.Code).Text
		if t.Folded {
			label = c.l.T("outlet.folded_name", "factor", label)
		}
		tile := web.Tile{
			State: t.State.String(), Label: label, Value: figureFor(t.Value, t.Code, t.Limit), Unit: cmp.Or(unit(t.Unit), unitOf(o, t.Code)),
			Href: c.keep(c.path(base) + "?factor=" + url.QueryEscape(t.Code)), Current: t.Code == v.Code,
		}
		if l := limitText(t.Limit); l != "" { // the chart names the unit
			tile.Unit = "/ " + l
		}
		if h.generated(o, t.Code) {
			tile.Note = c.l.T("origin.tag")
		}
		if t.State == quality.Normal && !t.Value.OK {
			tile.State = quality.Offline.String()
		}
		if tile.Current {
			v.limit = t.Limit
		}
		v.Tiles = append(v.Tiles, tile)
	}
}

// selected is the value the page explains: the hour of the address (00 to 23),
// else what decides the state, else the last hour that breaks a limit, else the
// last closed one with a mean.
func (h *Handler) selected(c *call, v *outletView, rows []quality.HourRow, from, to time.Time) (level string, at time.Time) {
	if n, err := strconv.Atoi(c.query("hour")); err == nil && n >= 0 && n < 24 {
		for t := from; t.Before(to); t = t.Add(time.Hour) {
			if t.In(i18n.Zone).Hour() == n {
				return quality.LevelHour, t
			}
		}
	}
	if st := &v.Head.result; v.Today && st.Factor == v.Code && st.Level != "" && needsSomebody(st.State) && st.State != quality.Offline {
		return st.Level, st.At
	}
	var last, over time.Time
	for i := range rows {
		at := time.Unix(rows[i].At, 0)
		if f := rows[i].Factor(v.Code); f != nil && f.Mean.OK && !at.Add(time.Hour).After(c.now) {
			last = at
			if f.Over {
				over = at
			}
		}
	}
	if !over.IsZero() {
		return quality.LevelHour, over
	}
	return quality.LevelHour, last
}

// shown is the figure of an hour that is drawn: folded where the limit is.
func shown(f *quality.FactorHour) quality.Opt {
	if f.Folded.OK {
		return f.Folded
	}
	return f.Mean
}

func (h *Handler) dayChart(c *call, s *sight, v *outletView, o *telemetry.Outlet, rows []quality.HourRow, from, to, selected time.Time, link string) {
	d := chart.Day{
		ID: "d", Factor: v.Factor.Text, Unit: v.Unit, Decimals: decimals(v.Code), From: from, To: to, Now: c.now,
		Data: c.keep(c.path(outletPath(o.ID)+"/"+dateArg(from, to)+"/series") + "?factor=" + url.QueryEscape(v.Code)),
	}
	if c.now.After(to) {
		d.Now = time.Time{}
	}
	m := chart.Minutes{Need: 45}
	limit := v.limit
	if i := slices.IndexFunc(rows, func(r quality.HourRow) bool { f := r.Factor(v.Code); return f != nil && !f.Limit.IsZero() }); i >= 0 {
		limit = rows[i].Factor(v.Code).Limit
	}
	byHour := map[int64]*quality.HourRow{}
	for i := range rows {
		byHour[rows[i].At] = &rows[i]
		if f := rows[i].Factor(v.Code); f != nil && f.Folded.OK {
			v.Folded = true
		}
	}
	for t := from; t.Before(to); t = t.Add(time.Hour) {
		running := t.Add(time.Hour).After(c.now)
		cell := chart.MinuteCell{From: t, Missing: true, Selected: t.Equal(selected), Href: link + "&hour=" + t.In(i18n.Zone).Format("15") + "#why"}
		hour := chart.Hour{From: t, Mean: math.NaN(), Provisional: running, Selected: t.Equal(selected)}
		line := hourLine{From: t, To: t.Add(time.Hour), Value: i18n.Missing, Raw: i18n.Missing, Min: i18n.Missing, Max: i18n.Missing}
		// What should have come and did not is as loud as what came and was not valid.
		cell.Missing = running || t.Before(o.Since)
		cell.Short = !cell.Missing
		if r := byHour[t.Unix()]; r != nil {
			cell.Missing = cell.Missing || r.Stopped
			cell.Short = cell.Short && !r.Stopped
			if f := r.Factor(v.Code); f != nil {
				if !f.Limit.IsZero() {
					limit = f.Limit
				}
				x := shown(f)
				hour.Mean, hour.Over = float(x), f.Over
				cell.Missing, cell.Valid, cell.Over = f.NExpected == 0, f.NValid, f.Over
				cell.Short = !running && f.NExpected > 0 && !f.Valid
				hour.Weak = cell.Short
				v.HasRunning = v.HasRunning || running && f.Mean.OK
				v.HasWeak = v.HasWeak || hour.Weak && f.Mean.OK
				line = hourLine{
					From: t, To: line.To, Value: figureFor(x, v.Code, f.Limit), Raw: figure(f.Mean, v.Code), Min: figure(f.Min, v.Code), Max: figure(f.Max, v.Code),
					Limit: limitText(f.Limit), Valid: f.NValid, Flag: f.Flag, Short: cell.Short, State: figures.Broken(f.Over, f.Evidence), Revised: r.Revised,
				}
				if f.Mean.OK {
					line.Href = c.keep(c.path("/values/" + valueID(o.ID, v.Code, quality.LevelHour, t)))
				}
			}
		}
		d.Limits = addLimit(d.Limits, t, limit) // it goes on where nothing was measured
		d.Hours = append(d.Hours, hour)
		m.Hours = append(m.Hours, cell)
		if !t.After(c.now) {
			v.Hours = append(v.Hours, line)
		}
	}
	d.Minutes, d.Step, d.Bands = s.minutes(o, v.Code, v.Folded, from, to)
	v.HasMinutes = slices.ContainsFunc(d.Minutes, func(x float64) bool { return !math.IsNaN(x) })
	v.Chart, v.Minutes, v.Marks = d, m, d.Marks()
}

func dateArg(from, to time.Time) string {
	if local := from.In(i18n.Zone); local.Hour() == 0 {
		return i18n.Short(from)
	}
	return i18n.Short(to) + "T" + to.In(i18n.Zone).Format("15")
}

// addLimit lengthens the last piece of the limit line or begins a new one where
// the limit changed.
func addLimit(list []chart.Limit, t time.Time, l quality.LimitRef) []chart.Limit {
	add := func(value float64, lower bool) {
		for i := range list {
			if p := &list[i]; p.Value == value && p.Lower == lower && p.To.Equal(t) {
				p.To = t.Add(time.Hour)
				return
			}
		}
		list = append(list, chart.Limit{From: t, To: t.Add(time.Hour), Value: value, Lower: lower})
	}
	if l.Hi.OK {
		add(l.Hi.V, false)
	}
	if l.Lo.OK {
		add(l.Lo.V, true)
	}
	return list
}

// minutes reads the minute values of a factor, or the real-time ones where no
// minutes are sent; values with a mark other than N become bands, not a line.
func (s *sight) minutes(o *telemetry.Outlet, code string, folded bool, from, to time.Time) (values []float64, step time.Duration, bands []chart.Band) {
	iv := o.IntervalAt(from)
	kind, step, suffix := telemetry.KindMinute, time.Duration(max(1, iv.Minute))*time.Minute, "Avg"
	any := false
	_ = s.Records(kind, from.Unix(), to.Unix(), func(*telemetry.Record) bool { any = true; return false })
	if !any || iv.Minute > 5 {
		kind, step, suffix = telemetry.KindRealtime, time.Minute, "Rtd"
	}
	if folded {
		suffix = "Zs" + suffix
	}
	values = make([]float64, int(to.Sub(from)/step))
	for i := range values {
		values[i] = math.NaN()
	}
	_ = s.Records(kind, from.Unix(), to.Unix(), func(r *telemetry.Record) bool {
		val, ok := r.Find(code, suffix)
		if !ok {
			return true
		}
		at := time.Unix(r.At, 0)
		if val.Flag != "" && val.Flag != "N" {
			if n := len(bands); n > 0 && bands[n-1].Flag == val.Flag && at.Sub(bands[n-1].To) <= 2*step {
				bands[n-1].To = at.Add(step)
			} else {
				bands = append(bands, chart.Band{From: at, To: at.Add(step), Flag: val.Flag})
			}
			return true
		}
		if i := int(at.Sub(from) / step); val.IsNum && i >= 0 && i < len(values) {
			values[i] = val.Dec.Float()
		}
		return true
	})
	return values, step, bands
}

// series sends the day to the zoomable chart.
func (h *Handler) series(c *call) error {
	o, s, err := h.look(c, c.r.PathValue("id"))
	if err != nil {
		return err
	}
	arg := c.r.PathValue("date")
	from, err := time.ParseInLocation("2006-01-02", arg, i18n.Zone)
	to := from.Add(24 * time.Hour)
	if err != nil {
		if to, err = time.ParseInLocation("2006-01-02T15", arg, i18n.Zone); err != nil {
			return notFound()
		}
		from = to.Add(-24 * time.Hour)
	}
	code := c.query("factor")
	rows, err := s.Hours(from, to)
	if err != nil {
		return err
	}
	limit, folded := math.NaN(), false
	for i := range rows {
		if f := rows[i].Factor(code); f != nil {
			limit, folded = upper(f.Limit), folded || f.Folded.OK
		}
	}
	values, step, _ := s.minutes(o, code, folded, from, to)
	z := chart.Zoom{From: from, Step: step, Series: []chart.ZoomSeries{{
		Code: code, Label: c.factor(code).Text, Unit: unitOf(o, code), Decimals: decimals(code), Values: values, Limit: limit,
	}}}
	body, err := z.MarshalJSON()
	if err != nil {
		return err
	}
	return c.json(body)
}

// run is a stretch of hours with one finding about one or more factors.
type run struct {
	event
	kind    string // over, lost, or the mark that made hours invalid
	factors []string
	closed  int         // hours that are over
	worst   quality.Opt // of kind over: the figure farthest off
	limit   quality.LimitRef
	minutes int // of the others: the fewest minutes of an hour
}

// markState is the state a mark of the instrument is shown as.
func markState(flag string) quality.State {
	switch flag {
	case "C", "M":
		return quality.Maintenance
	case "F":
		return quality.Stopped
	case "B":
		return quality.Offline
	}
	return quality.Suspect
}

// events are runs of hours over a limit, hours lost and stops, latest first.
// Factors that lost the same hours for the same reason share a line.
func (h *Handler) events(c *call, rows []quality.HourRow) []event {
	var runs []*run
	open := map[string]*run{}
	note := func(kind, code string, state quality.State, at int64) *run {
		from := time.Unix(at, 0)
		r := open[kind+" "+code]
		if r == nil || !r.To.Equal(from) || r.State != state.String() {
			r = &run{kind: kind, event: event{From: from, State: state.String()}, minutes: 60}
			if code != "" {
				r.factors = []string{code}
			}
			open[kind+" "+code] = r
			runs = append(runs, r)
		}
		if r.To = from.Add(time.Hour); r.To.After(c.now) {
			r.To = c.now
		} else {
			r.closed++
		}
		return r
	}
	for i := range rows {
		row := &rows[i]
		if row.Stopped {
			note("stopped", "", quality.Stopped, row.At)
			continue
		}
		if len(row.Factors) > 0 && !slices.ContainsFunc(row.Factors, func(f quality.FactorHour) bool { return f.NExpected > 0 }) {
			note("F", "", quality.Stopped, row.At)
			continue
		}
		running := row.At+3600 > c.now.Unix()
		for j := range row.Factors {
			f := &row.Factors[j]
			switch {
			case f.Over:
				state := quality.Warn
				if f.Evidence {
					state = quality.Exceed
				}
				r := note("over", f.Code, state, row.At)
				if r.limit = f.Limit; !r.worst.OK || figures.Below(f.Judged, f.Limit) == (f.Judged.V < r.worst.V) {
					r.worst = f.Judged
				}
			case f.Limit.IsZero() || f.NExpected == 0 || f.Valid || running:
			case f.NSeen < 45:
				r := note("lost", f.Code, quality.Offline, row.At)
				r.minutes = min(r.minutes, f.NSeen)
			default:
				r := note(f.Flag, f.Code, markState(f.Flag), row.At)
				r.minutes = min(r.minutes, f.NValid)
			}
		}
	}
	runs = together(runs)
	slices.SortStableFunc(runs, func(a, b *run) int { return b.To.Compare(a.To) })
	out := make([]event, 0, min(len(runs), 20))
	for _, r := range runs[:min(len(runs), 20)] {
		out = append(out, c.event(r))
	}
	return out
}

// together joins runs that tell of the same hours and the same loss.
func together(runs []*run) []*run {
	out := runs[:0]
	for _, r := range runs {
		i := slices.IndexFunc(out, func(x *run) bool {
			return r.kind != "over" && x.kind == r.kind && x.From.Equal(r.From) && x.To.Equal(r.To)
		})
		if i < 0 {
			out = append(out, r)
			continue
		}
		out[i].factors = append(out[i].factors, r.factors...)
		out[i].minutes = min(out[i].minutes, r.minutes)
	}
	return out
}

// event puts a run into words.
func (c *call) event(r *run) event {
	e := r.event
	names := make([]string, len(r.factors))
	for i, code := range r.factors {
		names[i] = c.factor(code).Text
	}
	if i18n.Short(e.From) == i18n.Short(e.To.Add(-time.Second)) {
		e.Time = i18n.Hours(e.From, e.To)
	} else {
		e.Time = i18n.Stamp(e.From) + " – " + i18n.Stamp(e.To)
	}
	factor := strings.Join(names, c.l.T("common.list_comma"))
	e.Effect = c.l.T("event.hours_lost", "n", r.closed)
	switch r.kind {
	case "stopped":
		e.Text, e.Basis, e.Effect = c.l.T("reason.source_stopped"), c.l.T("event.declared"), c.stoppedFor(r)
	case "F":
		e.Text, e.Basis, e.Effect = c.l.T("reason.source_stopped"), "F "+c.l.T("flag.F"), c.stoppedFor(r)
	case "over":
		key := "event.over"
		if figures.Below(r.worst, r.limit) {
			key = "event.under"
		}
		e.Text = c.l.T(key, "factor", factor, "value", figureFor(r.worst, r.factors[0], r.limit), "limit", limitText(r.limit))
		e.Basis = c.standard(r.limit.ID)
		if e.Effect = c.l.T("event.hours_over", "n", r.closed); r.closed == 0 {
			e.Effect = c.l.T("event.running")
		}
	case "lost":
		e.Text, e.Basis = c.l.T("event.lost", "factor", factor, "n", r.minutes), c.l.T("event.need", "n", 45)
	default:
		e.Text, e.Basis = c.l.T("event.not_valid", "factor", factor, "n", r.minutes), r.kind
		if key := "flag." + r.kind; c.l.Has(key) {
			e.Basis += " " + c.l.T(key)
		}
	}
	return e
}

// stoppedFor is how long a source stood still, once that is a whole hour.
func (c *call) stoppedFor(r *run) string {
	if r.closed == 0 {
		return c.l.T("event.ongoing")
	}
	return c.l.T("event.hours", "n", r.closed)
}

// standard names where a limit stands, by its id.
func (c *call) standard(id string) string {
	for i := range c.snap.Limits {
		if c.snap.Limits[i].ID == id {
			return cmp.Or(c.snap.Limits[i].Standard, id)
		}
	}
	return id
}

// exportHours is the table of an outlet's hours.
func (h *Handler) exportHours(c *call, o *telemetry.Outlet, rows []quality.HourRow) export {
	code := c.query("factor")
	e := export{Name: "outlet-" + strconv.Itoa(int(o.ID)), About: h.about(c, c.factorFilter(code)), Codes: []string{
		"at", "outlet", "name", "factor", "flag", "valid_minutes", "seen_minutes", "valid", "mean", "folded", "reported", "judged", "basis", "limit_lo", "limit_hi", "over", "times_over", "unit", "rules",
	}}
	e.words(c)
	for i := range rows {
		for j := range rows[i].Factors {
			f := &rows[i].Factors[j]
			if code != "" && f.Code != code {
				continue
			}
			rep := f.Reported.Avg
			if f.Basis == quality.BasisReportedFolded {
				rep = f.Reported.ZsAvg
			}
			e.add(isoOf(time.Unix(rows[i].At, 0)), int(o.ID), c.outletName(o).Text, f.Code, f.Flag, f.NValid, f.NSeen, f.Valid, plain(f.Mean), plain(f.Folded), plain(rep),
				plain(f.Judged), string(f.Basis), plain(f.Limit.Lo), plain(f.Limit.Hi), f.Over, plain(f.Times), unitOf(o, f.Code), rows[i].Rules)
		}
	}
	return e
}

func (c *call) factorFilter(code string) string {
	if code == "" {
		return ""
	}
	return c.factor(code).Text
}

// dayLine is a day of the history.
type dayLine struct {
	Date    time.Time
	Href    string
	Running bool
	Cells   []dayCell
}

type dayCell struct {
	Text, Href string
	State      string // exceed or warn where the value breaks its limit
	NValid     int
	Valid      bool
}

type historyView struct {
	Head    outletHead
	Factors []word
	Units   []string
	Lines   []dayLine

	Recompute string // address of the form that has the history judged anew; "" = not for the reader
}

// historyDays is how far the history page looks back.
const historyDays = 30

func (s *sight) lastDays(c *call) ([]quality.DayRow, error) {
	local := c.now.In(i18n.Zone)
	today := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, i18n.Zone)
	return s.Days(today.AddDate(0, 0, 1-historyDays), today.AddDate(0, 0, 1))
}

// exportDays is the table of an outlet's last days.
func (h *Handler) exportDays(c *call, o *telemetry.Outlet, s *sight) (export, error) {
	e := export{Name: "outlet-" + strconv.Itoa(int(o.ID)) + "-days", About: h.about(c, ""), Codes: []string{
		"at", "outlet", "name", "factor", "valid_hours", "valid", "mean", "folded", "judged", "basis", "limit_lo", "limit_hi", "over", "times_over", "unit", "rules",
	}}
	e.words(c)
	days, err := s.lastDays(c)
	for i := range days {
		for j := range days[i].Factors {
			f := &days[i].Factors[j]
			e.add(i18n.Short(time.Unix(days[i].At, 0)), int(o.ID), c.outletName(o).Text, f.Code, f.NValid, f.Valid, plain(f.Mean), plain(f.Folded), plain(f.Judged), string(f.Basis),
				plain(f.Limit.Lo), plain(f.Limit.Hi), f.Over, plain(f.Times), unitOf(o, f.Code), days[i].Rules)
		}
	}
	return e, err
}

func (h *Handler) history(c *call) error {
	o, s, err := h.look(c, c.r.PathValue("id"))
	if err != nil {
		return err
	}
	v := &historyView{}
	if v.Head, err = h.head(c, o, "history"); err != nil {
		return err
	}
	v.Head.exported = exported{c.path(outletPath(o.ID) + "/history"), c.keepQuery()}
	if c.may(EditList, o) && c.knownAt.IsZero() {
		v.Recompute = c.path("/recompute") + "?outlet=" + strconv.Itoa(int(o.ID))
	}
	days, err := s.lastDays(c)
	if err != nil {
		return err
	}
	var codes []string
	for i := range days {
		for j := range days[i].Factors {
			if code := days[i].Factors[j].Code; !slices.Contains(codes, code) {
				codes = append(codes, code)
			}
		}
	}
	order := func(code string) int {
		return slices.IndexFunc(o.Factors, func(f telemetry.OutletFactor) bool { return f.Code == code })
	}
	slices.SortStableFunc(codes, func(a, b string) int { return cmp.Compare(uint(order(a)), uint(order(b))) })
	codes = codes[:min(len(codes), 10)]
	for _, code := range codes {
		v.Factors = append(v.Factors, c.factor(code))
		v.Units = append(v.Units, unitOf(o, code))
	}
	for i := range slices.Backward(days) {
		at := time.Unix(days[i].At, 0)
		line := dayLine{Date: at, Href: c.keep(c.path(outletPath(o.ID) + "/" + i18n.Short(at))), Running: at.AddDate(0, 0, 1).After(c.now)}
		for _, code := range codes {
			f := days[i].Factor(code)
			if f == nil {
				line.Cells = append(line.Cells, dayCell{Text: i18n.Missing})
				continue
			}
			x := f.Mean
			if f.Judged.OK {
				x = f.Judged
			} else if f.Folded.OK {
				x = f.Folded
			}
			cell := dayCell{Text: figureFor(x, code, f.Limit), State: figures.Broken(f.Over, f.Evidence), NValid: f.NValid, Valid: f.Valid}
			if x.OK {
				cell.Href = c.keep(c.path("/values/" + valueID(o.ID, code, quality.LevelDay, at)))
			}
			line.Cells = append(line.Cells, cell)
		}
		v.Lines = append(v.Lines, line)
	}
	return h.render(c, http.StatusOK, "outlet_history.html", &web.Page{
		Title: c.l.T("outlet.history_of", "name", v.Head.Name.Text), Module: "outlets", Wide: true, Crumbs: append(h.crumbs(c, o), web.Crumb{Text: v.Head.Name.Text, Path: outletPath(o.ID)}), Data: v,
	})
}

// served is a period in which a logger served an outlet.
type served struct {
	MN       string
	From, To time.Time
	Now      bool
	Link     deviceLink // empty before it sends
}

type outletDevicesView struct {
	Head    outletHead
	ID      telemetry.OutletID
	Gaps    []gapRow
	Periods []served
}

func (h *Handler) outletDevices(c *call) error {
	o, err := h.find(c, c.r.PathValue("id"))
	if err != nil {
		return err
	}
	v := &outletDevicesView{ID: o.ID}
	if v.Gaps, err = h.lastGaps(c, backfill.Filter{Outlets: []telemetry.OutletID{o.ID}}); err != nil {
		return err
	}
	if v.Head, err = h.head(c, o, "devices"); err != nil {
		return err
	}
	for mn, d := range c.snap.Devices {
		if d.Outlet != o.ID {
			continue
		}
		s := served{MN: mn, From: d.From, Now: true}
		if status, heard := h.Gateway.Device(mn); heard {
			s.Link = c.deviceLink(&status)
		}
		v.Periods = append(v.Periods, s)
	}
	for _, d := range c.snap.Past {
		if d.Outlet == o.ID {
			v.Periods = append(v.Periods, served{MN: d.MN, From: d.From, To: d.To})
		}
	}
	slices.SortFunc(v.Periods, func(a, b served) int { return cmp.Or(b.From.Compare(a.From), cmp.Compare(a.MN, b.MN)) })
	return h.render(c, http.StatusOK, "outlet_devices.html", &web.Page{
		Title: c.l.T("outlet.devices_of", "name", v.Head.Name.Text), Module: "outlets", Crumbs: append(h.crumbs(c, o), web.Crumb{Text: v.Head.Name.Text, Path: outletPath(o.ID)}), Data: v,
	})
}
