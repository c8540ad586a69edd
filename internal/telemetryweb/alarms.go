package telemetryweb

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/alarm"
	"plateau/internal/telemetry/quality"
	"plateau/internal/web"
)

// Alarms are the episodes and what people did with them; who acts is in the
// context of the request. Errors are of the kinds that alarm.Service names.
type Alarms interface {
	List(ctx context.Context, f alarm.Filter) ([]alarm.Episode, error)
	Get(ctx context.Context, id string) (alarm.Episode, error)
	Parts(ctx context.Context, id string) ([]alarm.Episode, error)
	History(ctx context.Context, id string) ([]alarm.Entry, error)
	Acknowledge(ctx context.Context, id, note string) error
	TakeBack(ctx context.Context, id string) error
	CallFalse(ctx context.Context, id, reason string) error
	CallTrue(ctx context.Context, id string) error
}

func alarmRoutes() []route {
	return []route{
		{"GET", "/alarms", View, (*Handler).alarms},
		{"GET", "/alarms.csv", View, (*Handler).alarms},
		{"GET", "/alarms.json", View, (*Handler).alarms},
		{"GET", "/alarms.xlsx", View, (*Handler).alarms},
		{"GET", "/alarms/{id}", View, (*Handler).alarm},
		{"POST", "/alarms/{id}", AckAlarms, (*Handler).alarmAct},
		{"GET", "/outlets/{id}/alarms", View, (*Handler).outletAlarms},
	}
}

// alarmFilter is what the query of the list asks for.
type alarmFilter struct {
	State    string // open (also ""), closed, all, suppressed
	Kind     alarm.Kind
	Severity string
	Area     string
	Outlet   string
	Acked    string // yes, no
	From, To string // dates
	Text     string
}

func (c *call) alarmFilter() alarmFilter {
	return alarmFilter{
		State: c.query("state"), Kind: alarm.Kind(c.query("kind")), Severity: c.query("severity"), Area: c.query("area"), Outlet: c.query("outlet"),
		Acked: c.query("acked"), From: i18n.Digits(c.query("from")), To: i18n.Digits(c.query("to")), Text: c.query("q"),
	}
}

// Any reports whether the filter leaves out anything but by its state.
func (f alarmFilter) Any() bool {
	f.State = ""
	return f != alarmFilter{}
}

func (f alarmFilter) words(c *call) string {
	parts := []string{c.l.T("alarm.state_" + cmp.Or(f.State, "open"))}
	if slices.Contains(alarm.Kinds(), f.Kind) {
		parts = append(parts, c.l.T("alarm.kind."+string(f.Kind)))
	}
	if f.Severity != "" {
		parts = append(parts, c.l.T("alarm.severity_"+f.Severity))
	}
	if f.Area != "" {
		parts = append(parts, c.area(f.Area).Text)
	}
	if id, ok := parseOutletID(f.Outlet); ok && c.snap.Outlets[id] != nil {
		parts = append(parts, c.outletName(c.snap.Outlets[id]).Text)
	}
	if f.Acked != "" {
		parts = append(parts, c.l.T("alarm.acked_"+f.Acked))
	}
	if f.From != "" {
		parts = append(parts, "≥ "+f.From)
	}
	if f.To != "" {
		parts = append(parts, "≤ "+f.To)
	}
	if f.Text != "" {
		parts = append(parts, "“"+f.Text+"”")
	}
	return strings.Join(parts, "，")
}

// query makes the filter of the alarms; a date or word that is none is
// errs.Malformed.
func (f alarmFilter) query(c *call) (alarm.Filter, error) {
	q := alarm.Filter{Severity: alarm.Severity(f.Severity)}
	yes, no := true, false
	oneOf := func(v string, list ...string) error {
		if v != "" && !slices.Contains(list, v) {
			return errs.New(errs.Malformed, "alarm.err.filter", "value", v)
		}
		return nil
	}
	for _, err := range []error{
		oneOf(f.State, "open", "closed", "all", "suppressed"), oneOf(f.Severity, string(alarm.Act), string(alarm.Warn)), oneOf(f.Acked, "yes", "no"),
	} {
		if err != nil {
			return q, err
		}
	}
	switch f.State {
	case "", "open":
		q.Open = &yes
	case "closed":
		q.Open = &no
	case "suppressed":
		q.Quiet, q.Parts = true, false
	}
	switch f.Acked {
	case "yes":
		q.Acked = &yes
	case "no":
		q.Acked = &no
	}
	if f.Kind != "" {
		if !slices.Contains(alarm.Kinds(), f.Kind) {
			return q, errs.New(errs.Malformed, "alarm.err.filter", "value", string(f.Kind))
		}
		q.Kinds = []alarm.Kind{f.Kind}
	}
	for _, d := range []struct {
		text string
		into *time.Time
		days int
	}{{f.From, &q.From, 0}, {f.To, &q.To, 1}} {
		if d.text == "" {
			continue
		}
		t, err := time.ParseInLocation(time.DateOnly, d.text, i18n.Zone)
		if err != nil {
			return q, errs.Wrap(err, errs.Malformed, "alarm.err.date")
		}
		*d.into = t.AddDate(0, 0, d.days)
	}
	of := filter{Area: f.Area, Text: f.Text}
	only, one := parseOutletID(f.Outlet)
	if f.Outlet != "" && !one {
		return q, errs.New(errs.Malformed, "alarm.err.filter", "value", f.Outlet)
	}
	if one {
		q.Outlets = []telemetry.OutletID{only}
	}
	q.Sees = func(id telemetry.OutletID) bool {
		o := c.snap.Outlets[id]
		return o != nil && c.sees(o) && of.matches(c, o)
	}
	return q, nil
}

// alarmRow is a line of a list of alarms.
type alarmRow struct {
	alarm.Episode
	Href   string
	Name   word
	Place  word
	Kind   string
	Shape  string // state shape of the urgency
	Text   string
	Value  string
	Unit   string
	Limit  string
	Over   string // times over, two decimals
	Since  string
	Span   string
	State  string
	Kept   string // why it was kept quiet
	Sample bool
}

type alarmGroup struct {
	Title string
	Rows  []alarmRow
}

type alarmsView struct {
	Now    time.Time
	Answer string
	Counts alarm.Counts
	Tabs   []web.Tab
	Kinds  []web.Tab
	Filter alarmFilter
	Words  string
	Hidden [][2]string // state and kind, kept by the form
	Fields []web.Field
	Heads  []web.SortHead
	Groups []alarmGroup
	Pager  web.Pager
	exported
	Path      string
	ClearHref string
	Quiet     bool
	Things    bool // there are pages of what clients made
	Leads     bool // the reader may see leads
}

// alarmShapes are the shapes of urgency: as those of states, so that an officer
// learns one set of signs.
func alarmShape(e *alarm.Episode) string {
	switch {
	case e.Quiet != "":
		return quality.Stopped.String()
	case !e.Open() || e.False.Done():
		return quality.Normal.String()
	case e.Kind == alarm.Link || e.Kind == alarm.Missing:
		return quality.Offline.String()
	case e.Kind != alarm.Over && e.Kind != alarm.Range && e.Kind != alarm.Permit && e.Severity == alarm.Act:
		return quality.Suspect.String()
	case e.Severity == alarm.Act:
		return quality.Exceed.String()
	}
	return quality.Warn.String()
}

func (h *Handler) alarms(c *call) error {
	f := c.alarmFilter()
	q, err := f.query(c)
	if err != nil {
		return err
	}
	list, err := h.Alarms.List(c.ctx(), q)
	if err != nil {
		return err
	}
	base, format := cutFormat(path.Base(c.r.URL.Path))
	table := web.Table{Path: c.path("/" + base), Query: c.r.URL.Query(), Default: "urgency", Swap: "live-alarms"}
	list = h.sortAlarms(c, list, table)
	if format != "" {
		e := h.exportAlarms(c, list, f)
		return e.send(c, format)
	}
	open, err := h.openAlarms(c)
	if err != nil {
		return err
	}
	v := &alarmsView{
		Things: h.hasThings(c), Leads: c.actor.May(SeeLeads),
		Now: c.now, Filter: f, Words: f.words(c), exported: exported{c.path("/alarms"), c.r.URL.RawQuery}, Path: c.path("/alarms"), ClearHref: c.path("/alarms"),
		Counts: open, Quiet: f.State == "suppressed",
	}
	v.Answer = c.alarmAnswer(v.Counts)
	h.alarmControls(c, v, table)
	from, to, pager := table.Cut(len(list), 50)
	v.Pager = pager
	v.Groups = h.alarmGroups(c, list[from:to], table)
	return h.render(c, http.StatusOK, "alarms.html", &web.Page{Title: c.l.T("alarm.title"), Module: "alarms", Wide: true, Data: v})
}

// openAlarms counts the open alarms that the actor may see.
func (h *Handler) openAlarms(c *call) (alarm.Counts, error) {
	list, err := h.Alarms.List(c.ctx(), alarm.Filter{Open: new(true), Sees: func(id telemetry.OutletID) bool {
		o := c.snap.Outlets[id]
		return o != nil && c.sees(o)
	}})
	return alarm.CountOf(list), err
}

// alarmAnswer is the sentence somebody comes for.
func (c *call) alarmAnswer(n alarm.Counts) string {
	switch {
	case n.Open == 0:
		return c.l.T("alarm.answer_none")
	case n.Act == 0:
		return c.l.T("alarm.answer_warn", "n", n.Warn)
	case n.Warn == 0:
		return c.l.T("alarm.answer_act", "n", n.Act)
	}
	return c.l.T("alarm.answer_both", "n", n.Act, "warn", n.Warn)
}

// alarmControls makes the links and fields above the list.
func (h *Handler) alarmControls(c *call, v *alarmsView, t web.Table) {
	link := func(name, value string) string {
		q := url.Values{}
		for k, vs := range t.Query {
			if k != "page" && k != name {
				q[k] = vs
			}
		}
		if value != "" {
			q.Set(name, value)
		}
		if len(q) == 0 {
			return t.Path
		}
		return t.Path + "?" + q.Encode()
	}
	for _, s := range []string{"open", "closed", "all", "suppressed"} {
		value := s
		if s == "open" {
			value = ""
		}
		v.Tabs = append(v.Tabs, web.Tab{Text: c.l.T("alarm.state_" + s), Href: link("state", value), Current: cmp.Or(v.Filter.State, "open") == s})
	}
	v.Kinds = append(v.Kinds, web.Tab{Text: c.l.T("alarm.all_kinds"), Href: link("kind", ""), Current: v.Filter.Kind == ""})
	for _, k := range alarm.Kinds() {
		text := c.l.T("alarm.kind." + string(k))
		if cmp.Or(v.Filter.State, "open") == "open" {
			n := v.Counts.OpenByKind[k]
			if n == 0 && v.Filter.Kind != k {
				continue // a link that leads to nothing
			}
			text += " " + strconv.Itoa(n)
		}
		v.Kinds = append(v.Kinds, web.Tab{Text: text, Href: link("kind", string(k)), Current: v.Filter.Kind == k})
	}
	for _, name := range []string{"state", "kind", "outlet", "sort"} {
		if s := c.query(name); s != "" {
			v.Hidden = append(v.Hidden, [2]string{name, s})
		}
	}
	choice := func(name, all string, current string, values ...string) web.Field {
		f := web.Field{Name: name, Kind: "select", Label: c.l.T("alarm.by_" + name), Options: []web.Option{{Text: c.l.T(all), Selected: current == ""}}}
		for _, x := range values {
			f.Options = append(f.Options, web.Option{Value: x, Text: c.l.T("alarm." + name + "_" + x), Selected: x == current})
		}
		return f
	}
	v.Fields = []web.Field{
		{Name: "q", Kind: "search", Label: c.l.T("outlets.search"), Value: v.Filter.Text},
		{Name: "area", Kind: "select", Label: c.l.T("outlets.area"), Options: c.areaOptions(v.Filter.Area)},
		choice("severity", "alarm.all_severities", v.Filter.Severity, "act", "warn"),
		choice("acked", "alarm.all_acked", v.Filter.Acked, "no", "yes"),
		{Name: "from", Label: c.l.T("alarm.by_from"), Value: v.Filter.From, Input: "numeric", Width: "short"},
		{Name: "to", Label: c.l.T("alarm.by_to"), Value: v.Filter.To, Input: "numeric", Width: "short"},
	}
	for _, col := range []struct{ key, class string }{{"urgency", ""}, {"outlet", ""}, {"times", "num"}, {"start", ""}} {
		v.Heads = append(v.Heads, t.Head(col.key, c.l.T("alarm.col_"+col.key), col.class))
	}
}

// sortAlarms orders by the column of the address; by urgency those come first
// that somebody has to act on and nobody has taken note of.
func (h *Handler) sortAlarms(c *call, list []alarm.Episode, t web.Table) []alarm.Episode {
	key, desc := t.Sort()
	names := map[telemetry.OutletID]string{}
	name := func(id telemetry.OutletID) string {
		if _, ok := names[id]; !ok && c.snap.Outlets[id] != nil {
			names[id] = c.outletName(c.snap.Outlets[id]).Text
		}
		return names[id]
	}
	compare := func(a, b *alarm.Episode) int {
		switch key {
		case "outlet":
			return cmp.Compare(name(a.Outlet), name(b.Outlet))
		case "times":
			return cmp.Compare(a.Times.V, b.Times.V)
		case "start":
			return a.Start.Compare(b.Start)
		}
		return cmp.Or(cmp.Compare(urgency(a), urgency(b)), cmp.Compare(slices.Index(alarm.Kinds(), a.Kind), slices.Index(alarm.Kinds(), b.Kind)),
			cmp.Compare(b.Times.V, a.Times.V), b.Start.Compare(a.Start))
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b alarm.Episode) int {
		if desc {
			return compare(&b, &a)
		}
		return compare(&a, &b)
	})
	return list
}

// urgency orders alarms: act before warn before what is over.
func urgency(e *alarm.Episode) int {
	switch {
	case !e.Open():
		return 3
	case e.Severity != alarm.Act:
		return 2
	case e.Ack.Done() || e.False.Done():
		return 1
	}
	return 0
}

// alarmGroups puts heads between urgencies and kinds where the list is in that
// order.
func (h *Handler) alarmGroups(c *call, list []alarm.Episode, t web.Table) []alarmGroup {
	key, _ := t.Sort()
	var out []alarmGroup
	for i := range list {
		e := &list[i]
		title := ""
		if key == "urgency" {
			title = c.l.T("alarm.group", "urgency", c.l.T("alarm.urgency_"+strconv.Itoa(urgency(e))), "kind", c.l.T("alarm.kind."+string(e.Kind)))
		}
		if n := len(out); n == 0 || out[n-1].Title != title {
			out = append(out, alarmGroup{Title: title})
		}
		g := &out[len(out)-1]
		g.Rows = append(g.Rows, h.alarmRow(c, e))
	}
	return out
}

// countsParts are the kinds whose worst value counts minutes, hours or seconds
// or is an amount: the factor's unit is not theirs.
var countsParts = map[alarm.Kind]bool{alarm.Missing: true, alarm.Link: true, alarm.LoseHour: true, alarm.LoseDay: true, alarm.Clock: true, alarm.Permit: true}

// hasFigure are the kinds whose worst value stands against a limit.
var hasFigure = map[alarm.Kind]bool{alarm.Over: true, alarm.Range: true, alarm.WillExceed: true, alarm.Minute: true}

func (h *Handler) alarmRow(c *call, e *alarm.Episode) alarmRow {
	r := alarmRow{
		Episode: *e, Href: c.path("/alarms/" + e.ID), Kind: c.l.T("alarm.kind." + string(e.Kind)), Shape: alarmShape(e), Text: c.alarmText(e),
		Since: i18n.Stamp(e.Start), State: c.alarmState(e),
	}
	if o := c.snap.Outlets[e.Outlet]; o != nil {
		r.Name, r.Place, r.Sample = c.outletName(o), c.place(o), o.Sample
		r.Unit = unitOf(o, e.Factor)
	}
	if !e.Limit.IsZero() && hasFigure[e.Kind] {
		r.Value, r.Limit = figureFor(e.Max, e.Factor, e.Limit), limitText(e.Limit)
		if e.Times.OK {
			r.Over = i18n.Number(e.Times.V, 2)
		}
	}
	end := c.now
	if !e.Open() {
		end = e.End
	}
	r.Span = c.l.Duration(end.Sub(e.Start))
	if e.Quiet != "" {
		r.Kept = c.l.T("alarm.quiet." + e.Quiet)
	}
	return r
}

// alarmState says whether it goes on and who has taken note.
func (c *call) alarmState(e *alarm.Episode) string {
	switch {
	case !e.Withdrawn.IsZero():
		return c.l.T("alarm.withdrawn")
	case e.False.Done():
		return c.l.T("alarm.is_false", "post", c.name(e.False.Post).Text)
	case e.Ack.Done():
		return c.l.T("alarm.is_acked", "post", c.name(e.Ack.Post).Text)
	case e.Open():
		return c.l.T("alarm.is_open")
	}
	return c.l.T("alarm.is_closed", "time", i18n.Stamp(e.End))
}

// alarmFactors names the factors of an alarm.
func (c *call) alarmFactors(e *alarm.Episode) string {
	codes := e.Factors
	if e.Factor != "" {
		codes = []string{e.Factor}
	}
	var names []string
	for _, code := range codes {
		names = append(names, c.factor(code).Text)
	}
	return strings.Join(names, c.l.T("alarm.and"))
}

// alarmText says in one sentence part what an alarm is about.
func (c *call) alarmText(e *alarm.Episode) string {
	args := []any{
		"factor", c.alarmFactors(e), "statistic", c.l.T("statistic." + cmp.Or(e.Statistic, "hour")), "limit", limitText(e.Limit),
		"value", figureFor(e.Max, e.Factor, e.Limit), "times", i18n.Missing, "unit", unitOf(c.snap.Outlets[e.Outlet], e.Factor),
		"n", int(e.Max.V), "count", e.Count,
	}
	if e.Times.OK {
		args[9] = i18n.Number(e.Times.V, 2)
	}
	for _, k := range sortedKeys(e.Cause.Args) {
		v := e.Cause.Args[k]
		switch k {
		case "factor":
			continue
		case "flag":
			if key := "flag." + v; c.l.Has(key) {
				v = c.l.T(key)
			}
		case "value", "lo", "hi", "drift", "reported", "recomputed", "range", "under", "amount":
			if x, err := strconv.ParseFloat(v, 64); err == nil {
				v = figureFor(quality.Some(x), e.Factor, e.Limit)
			}
			if k == "value" {
				args[7] = v
				continue
			}
		case "percent":
			if x, err := strconv.ParseFloat(v, 64); err == nil {
				v = i18n.Number(x, 2)
			}
		}
		args = append(args, k, v)
	}
	key := e.Cause.Key
	if e.Kind == alarm.Over && !e.Times.OK {
		key += "_only" // nothing is a multiple of zero
	}
	return withoutUnit.Replace(c.l.T(key, args...))
}

// withoutUnit closes the hole that a pure number's unit leaves in a sentence.
var withoutUnit = strings.NewReplacer(" ，", "，", " ；", "；", " ,", ",", " ;", ";", "  ", " ")

// exportAlarms is the table of alarms for other programs.
func (h *Handler) exportAlarms(c *call, list []alarm.Episode, f alarmFilter) export {
	e := export{
		Name: "alarms", About: h.about(c, f.words(c)),
		Codes: []string{
			"alarm", "outlet", "name", "area", "alarm_kind", "severity", "factor", "level", "start", "end", "count", "value", "at", "unit",
			"limit_lo", "limit_hi", "times_over", "reason", "quiet", "parent", "rule", "rule_version", "acknowledged", "acknowledged_by", "false_alarm", "note",
		},
	}
	e.words(c)
	for i := range list {
		a := &list[i]
		r := h.alarmRow(c, a)
		area := ""
		if o := c.snap.Outlets[a.Outlet]; o != nil {
			area = o.Area
		}
		by := ""
		if a.Ack.Done() {
			by = c.name(a.Ack.Post).Text
		}
		if countsParts[a.Kind] {
			r.Unit = ""
		}
		e.add(a.ID, int(a.Outlet), r.Name.Text, area, string(a.Kind), string(a.Severity), cmp.Or(a.Factor, strings.Join(a.Factors, " ")), a.Statistic,
			isoOf(a.Start), isoOf(a.End), a.Count, plain(a.Max), isoOf(a.MaxAt), r.Unit, plain(a.Limit.Lo), plain(a.Limit.Hi), plain(a.Times), r.Text,
			a.Quiet, a.Parent, a.Rule, a.Version, isoOf(a.Ack.At), by, isoOf(a.False.At), cmp.Or(a.False.Text, a.Ack.Text))
	}
	return e
}
