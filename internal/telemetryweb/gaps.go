package telemetryweb

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/backfill"
	"plateau/internal/telemetry/dialogue"
	"plateau/internal/web"
)

// Gaps is the ledger of missing records.
type Gaps interface {
	List(ctx context.Context, f backfill.Filter) ([]backfill.Gap, error)
	Get(ctx context.Context, id string) (backfill.Gap, []backfill.Request, error)
	RequestNow(ctx context.Context, id string) error
	GiveUp(ctx context.Context, id, post, reason string) error
	// UnableUntil tells until when a logger that does not answer is left alone.
	UnableUntil(mn string) (time.Time, bool)
	Params() backfill.Params
}

// gapRoutes are the pages of the ledger; enterprises see the gaps of their own
// outlets, with who lost what.
func gapRoutes() []route {
	return []route{
		{"GET", "/gaps", View, (*Handler).gaps},
		{"GET", "/gaps.csv", View, (*Handler).gaps},
		{"GET", "/gaps.json", View, (*Handler).gaps},
		{"GET", "/gaps.xlsx", View, (*Handler).gaps},
		{"GET", "/gaps/{id}", View, (*Handler).gap},
		{"POST", "/gaps/{id}/request", Devices, (*Handler).gapRequest},
		{"POST", "/gaps/{id}/give-up", Devices, (*Handler).gapGiveUp},
	}
}

// deviceTabs are the pages about loggers.
func (h *Handler) deviceTabs(c *call, current string) []web.Tab {
	var out []web.Tab
	add := func(when bool, key, path string) {
		if when {
			out = append(out, web.Tab{Text: c.l.T(key), Href: c.path(path), Current: path == current})
		}
	}
	add(c.actor.May(Devices), "devices.title", "/devices")
	add(h.Gaps != nil, "gaps.title", "/gaps")
	return out
}

// gapRow is a line of the ledger.
type gapRow struct {
	ID, Href    string
	Outlet      word
	OutletURL   string
	MN          string
	Kind        string
	From, To    time.Time
	Due         int
	Missing     int
	Cause       string
	Charged     bool
	Open        bool
	Shape       string
	State       string
	Detected    time.Time
	Ended       time.Time
	Requests    int
	Long        bool // missing for longer than the rule bears
	By, Reason  string
	CauseDetail string
}

func (h *Handler) gapRow(c *call, g *backfill.Gap) gapRow {
	r := gapRow{
		ID: g.ID, Href: c.path("/gaps/" + g.ID), MN: g.MN, Kind: c.l.T("kind." + strconv.Itoa(int(g.Kind))), From: g.From, To: g.To, Due: g.Due, Missing: g.Missing,
		Cause: c.l.T("gaps.cause_" + string(g.Cause)), CauseDetail: c.l.T("gaps.cause_" + string(g.Cause) + "_text"), Charged: g.Charged(),
		Open: g.State == backfill.Open, Detected: g.Detected, Ended: g.Closed, Requests: g.Requests, By: g.ByPost, Reason: g.Reason,
	}
	if o := c.snap.Outlets[g.Outlet]; o != nil {
		r.Outlet, r.OutletURL = c.outletName(o), c.path(outletPath(o.ID))
	}
	switch g.State {
	case backfill.Open:
		r.Shape, r.State = "suspect", c.l.T("gaps.state_open")
		r.Long = c.now.Sub(g.From) > h.Gaps.Params().LongMissing
	case backfill.Closed:
		r.Shape, r.State = "normal", c.l.T("gaps.how_"+g.How)
	default:
		r.Shape, r.State = "stopped", c.l.T("gaps.how_"+g.How)
	}
	return r
}

// gapFilter is what the query of the ledger asks for.
type gapFilter struct {
	State, Cause, Kind, Outlet, MN, Area, Text string
}

func (c *call) gapFilter() gapFilter {
	return gapFilter{c.query("state"), c.query("cause"), c.query("kind"), c.query("outlet"), c.query("mn"), c.query("area"), c.query("q")}
}

// chosen turns the filter into one of the ledger; outlets that the actor may
// not see are left out.
func (h *Handler) chosen(c *call, q gapFilter) (backfill.Filter, error) {
	f := backfill.Filter{State: backfill.State(q.State), Cause: backfill.Cause(q.Cause), MN: q.MN}
	if q.Kind != "" {
		f.Kind = recordKinds[q.Kind]
		if f.Kind == 0 {
			return f, errs.New(errs.Malformed, "gaps.bad_kind")
		}
	}
	if q.State != "" && !slices.Contains([]backfill.State{backfill.Open, backfill.Closed, backfill.GivenUp}, f.State) ||
		q.Cause != "" && !slices.Contains(backfill.Causes(), f.Cause) {
		return f, errs.New(errs.Malformed, "gaps.bad_filter")
	}
	switch {
	case q.Outlet != "":
		o, err := h.find(c, q.Outlet)
		if err != nil {
			return f, err
		}
		f.Outlets = []telemetry.OutletID{o.ID}
	case q.Text != "" || q.Area != "" || !c.seen.All():
		f.Outlets = []telemetry.OutletID{}
		some := filter{Area: q.Area, Text: q.Text}
		h.eachOutlet(c, View, func(o *telemetry.Outlet) {
			if some.matches(c, o) {
				f.Outlets = append(f.Outlets, o.ID)
			}
		})
	}
	return f, nil
}

type gapsView struct {
	Tabs   []web.Tab
	Fields []web.Field
	Rows   []gapRow
	Pager  web.Pager
	Any    bool // a filter is set
	exported
	Open    int
	Off     bool
	Act     bool // the reader may ask and give up
	Now     time.Time
	Outlet  word
	Rule    string
	Explain string
}

// shownGaps bounds what one page or export holds.
const shownGaps = 20_000

func (h *Handler) gaps(c *call) error {
	base, format := cutFormat(path.Base(c.r.URL.Path))
	v := &gapsView{Tabs: h.deviceTabs(c, "/gaps"), Now: c.now, Off: h.Gaps == nil, Act: c.actor.May(Devices), exported: exported{c.path("/gaps"), c.r.URL.RawQuery}}
	q := c.gapFilter()
	v.Any = q != gapFilter{}
	if !v.Off {
		f, err := h.chosen(c, q)
		if err != nil {
			return err
		}
		f.Limit = shownGaps
		list, err := h.Gaps.List(c.ctx(), f)
		if err != nil {
			return err
		}
		if format != "" {
			return h.exportGaps(c, list, q).send(c, format)
		}
		for i := range list {
			if list[i].State == backfill.Open {
				v.Open++
			}
		}
		table := web.Table{Path: c.path("/" + base), Query: c.r.URL.Query(), Swap: "gap-list"}
		from, to, pager := table.Cut(len(list), 50)
		v.Pager = pager
		for i := range list[from:to] {
			v.Rows = append(v.Rows, h.gapRow(c, &list[from+i]))
		}
		p := h.Gaps.Params()
		v.Explain = c.l.T("gaps.explain", "minute", c.l.Duration(p.Grace[telemetry.KindMinute]), "hour", c.l.Duration(p.Grace[telemetry.KindHour]),
			"day", c.l.Duration(p.Grace[telemetry.KindDay]), "window", c.l.Duration(p.Window))
	}
	v.Fields = h.gapFields(c, q)
	return h.render(c, http.StatusOK, "gaps.html", &web.Page{Title: c.l.T("gaps.title"), Module: "devices", Wide: true, Data: v})
}

func (h *Handler) gapFields(c *call, q gapFilter) []web.Field {
	choice := func(name, current, all string, values []string, word func(string) string) web.Field {
		f := web.Field{Name: name, Kind: "select", Label: c.l.T("gaps.f_" + name), Options: []web.Option{{Text: c.l.T(all), Selected: current == ""}}}
		for _, v := range values {
			f.Options = append(f.Options, web.Option{Value: v, Text: word(v), Selected: v == current})
		}
		return f
	}
	var causes []string
	for _, x := range backfill.Causes() {
		causes = append(causes, string(x))
	}
	return []web.Field{
		{Name: "q", Kind: "search", Label: c.l.T("outlets.search"), Value: cmp.Or(q.Text, q.MN)},
		choice("state", q.State, "outlets.all_states", []string{"open", "closed", "given_up"}, func(s string) string { return c.l.T("gaps.state_" + s) }),
		choice("cause", q.Cause, "gaps.all_causes", causes, func(s string) string { return c.l.T("gaps.cause_" + s) }),
		choice("kind", q.Kind, "gaps.all_kinds", []string{"minute", "hour", "day"}, func(s string) string { return c.l.T("kind." + strconv.Itoa(int(recordKinds[s]))) }),
		{Name: "area", Kind: "select", Label: c.l.T("outlets.area"), Options: c.areaOptions(q.Area)},
	}
}

func (h *Handler) exportGaps(c *call, list []backfill.Gap, q gapFilter) *export {
	e := &export{Name: "gaps", Codes: []string{
		"id", "outlet", "name", "mn", "kind", "from", "to", "due", "missing", "cause", "charged", "state", "how", "detected", "closed", "requests", "by", "reason",
	}}
	for _, code := range e.Codes {
		e.Words = append(e.Words, c.l.T("gap_column."+code))
	}
	for i := range list {
		g := &list[i]
		name := ""
		if o := c.snap.Outlets[g.Outlet]; o != nil {
			name = c.outletName(o).Text
		}
		e.add(g.ID, int(g.Outlet), name, g.MN, kindName(g.Kind), isoOf(g.From), isoOf(g.To), g.Due, g.Missing, string(g.Cause), g.Charged(), string(g.State), g.How,
			isoOf(g.Detected), isoOf(g.Closed), g.Requests, g.ByPost, g.Reason)
	}
	var text []string
	for _, f := range h.gapFields(c, q) {
		for _, o := range f.Options {
			if o.Selected && o.Value != "" {
				text = append(text, o.Text)
			}
		}
	}
	if q.Text != "" {
		text = append(text, q.Text)
	}
	e.About = h.about(c, strings.Join(text, " "))
	return e
}

// kindName is a record kind in the interface.
func kindName(k telemetry.Kind) string {
	for name, x := range recordKinds {
		if x == k {
			return name
		}
	}
	return ""
}

type gapView struct {
	Row      gapRow
	Asked    []gapAsk
	Act      bool
	Next     time.Time // of the next request; zero = none is planned
	Unable   time.Time // the logger is left alone until then
	Reason   web.Field
	Device   string // address of the logger; "" = not for this reader
	DayHref  string // the records on the outlet's page of that day
	Hours    int
	Connects bool
}

// gapAsk is a request for a gap's records.
type gapAsk struct {
	At, From, To time.Time
	Outcome      string
	Good         bool
	Gained       int
	Href         string
}

func (h *Handler) gap(c *call) error { return h.gapPage(c, http.StatusOK, nil) }

// seenGap reads a gap of an outlet that the actor may see.
func (h *Handler) seenGap(c *call) (backfill.Gap, []backfill.Request, error) {
	if h.Gaps == nil {
		return backfill.Gap{}, nil, notFound()
	}
	g, asked, err := h.Gaps.Get(c.ctx(), c.r.PathValue("id"))
	if err != nil {
		return g, nil, err
	}
	o := c.snap.Outlets[g.Outlet]
	switch {
	case o == nil && !c.seen.All():
		return g, nil, notFound()
	case o != nil && !c.sees(o):
		return g, nil, refused(c.l, allOutlets)
	}
	return g, asked, nil
}

func (h *Handler) gapPage(c *call, status int, problems []web.FieldError) error {
	g, asked, err := h.seenGap(c)
	if err != nil {
		return err
	}
	mayAct := c.may(Devices, c.snap.Outlets[g.Outlet])
	v := &gapView{Row: h.gapRow(c, &g), Act: mayAct && g.State == backfill.Open}
	for _, a := range asked {
		x := gapAsk{At: a.At, From: a.From, To: a.To, Outcome: c.l.T("dialogue.outcome_" + a.Outcome), Good: a.Outcome == dialogue.Done, Gained: a.Gained}
		if mayAct {
			x.Href = c.path("/devices/" + g.MN + "/dialogues/" + a.Dialogue)
		}
		v.Asked = append(v.Asked, x)
	}
	if v.Row.Open {
		v.Next = g.Next
		v.Unable, _ = h.Gaps.UnableUntil(g.MN)
	}
	if mayAct {
		v.Device = c.path("/devices/" + g.MN)
	}
	if c.snap.Outlets[g.Outlet] != nil {
		v.DayHref = c.path(outletPath(g.Outlet) + "/" + g.From.In(i18n.Zone).Format(time.DateOnly))
	}
	v.Reason = web.Field{Name: "reason", Label: c.l.T("gaps.reason"), Value: c.r.PostFormValue("reason")}
	for _, p := range problems {
		if p.Field == "reason" {
			v.Reason.Error = p.Text
		}
	}
	return h.render(c, status, "gap.html", &web.Page{
		Title: c.l.T("gaps.one", "outlet", v.Row.Outlet.Text, "kind", v.Row.Kind), Module: "devices", Crumbs: []web.Crumb{{Text: c.l.T("gaps.title"), Path: "/gaps"}}, Errors: problems, Data: v,
	})
}

func (h *Handler) gapRequest(c *call) error {
	g, _, err := h.seenGap(c)
	if err == nil {
		err = c.must(Devices, c.snap.Outlets[g.Outlet])
	}
	if err != nil {
		return err
	}
	if err := h.Gaps.RequestNow(c.ctx(), g.ID); err != nil {
		return err
	}
	return c.done("/gaps/"+g.ID, "gap_asked")
}

func (h *Handler) gapGiveUp(c *call) error {
	g, _, err := h.seenGap(c)
	if err == nil {
		err = c.must(Devices, c.snap.Outlets[g.Outlet])
	}
	if err != nil {
		return err
	}
	err = h.Gaps.GiveUp(c.ctx(), g.ID, c.actor.Post, c.r.PostFormValue("reason"))
	if fault, ok := errors.AsType[*errs.Error](err); ok && len(fault.Fields) > 0 {
		return h.gapPage(c, http.StatusUnprocessableEntity, c.fieldErrors(fault))
	}
	if err != nil {
		return err
	}
	return c.done("/gaps/"+g.ID, "gap_given_up")
}

// lastGaps are the newest gaps of an outlet or a logger, for their pages.
func (h *Handler) lastGaps(c *call, f backfill.Filter) ([]gapRow, error) {
	if h.Gaps == nil {
		return nil, nil
	}
	f.Limit = 10
	list, err := h.Gaps.List(c.ctx(), f)
	if err != nil {
		return nil, err
	}
	var out []gapRow
	for i := range list {
		out = append(out, h.gapRow(c, &list[i]))
	}
	return out, nil
}

// apiGap is a gap in the interface.
type apiGap struct {
	ID       string             `json:"id"`
	Outlet   telemetry.OutletID `json:"outlet"`
	MN       string             `json:"mn"`
	Kind     string             `json:"kind"`
	From     any                `json:"from" api:"time?"`
	To       any                `json:"to" api:"time?"`
	Due      int                `json:"due"`
	Missing  int                `json:"missing"`
	Cause    string             `json:"cause"`
	Charged  bool               `json:"charged"` // it counts against the enterprise
	State    string             `json:"state"`
	How      string             `json:"how,omitempty"`
	Detected any                `json:"detected" api:"time?"`
	Closed   any                `json:"closed" api:"time?"`
	By       string             `json:"by,omitempty"`
	Reason   string             `json:"reason,omitempty"`
	Requests int                `json:"requests"`
	Asked    []apiAsk           `json:"asked,omitempty"`
}

type apiAsk struct {
	Dialogue string `json:"dialogue"`
	At       any    `json:"at" api:"time?"`
	From     any    `json:"from" api:"time?"` // first and last DataTime
	To       any    `json:"to" api:"time?"`
	Outcome  string `json:"outcome"`
	Gained   int    `json:"gained"`
}

func toAPIGap(g *backfill.Gap) apiGap {
	return apiGap{
		ID: g.ID, Outlet: g.Outlet, MN: g.MN, Kind: kindName(g.Kind), From: isoOf(g.From), To: isoOf(g.To), Due: g.Due, Missing: g.Missing, Cause: string(g.Cause),
		Charged: g.Charged(), State: string(g.State), How: g.How, Detected: isoOf(g.Detected), Closed: isoOf(g.Closed), By: g.ByPost, Reason: g.Reason, Requests: g.Requests,
	}
}

// apiGaps lists gaps, the latest found first; "after" leads to the next page.
func (h *Handler) apiGaps(c *call) error {
	if h.Gaps == nil {
		return notFound()
	}
	f, err := h.chosen(c, c.gapFilter())
	if err != nil {
		return err
	}
	if f.From, err = c.instant("from", time.Time{}); err != nil {
		return err
	}
	if f.To, err = c.instant("to", time.Time{}); err != nil {
		return err
	}
	f.After = cmp.Or(c.query("cursor"), c.query("after"))
	if f.Limit, err = c.limit(defaultPage, maxPage); err != nil {
		return err
	}
	list, err := h.Gaps.List(c.ctx(), f)
	if err != nil {
		return err
	}
	out := apiGaps{Gaps: make([]apiGap, 0, len(list))}
	for i := range list {
		out.Gaps = append(out.Gaps, toAPIGap(&list[i]))
	}
	if len(list) == f.Limit {
		out.Next = list[len(list)-1].ID
		c.link(out.Next)
	}
	return c.answer(out)
}

func (h *Handler) apiGap(c *call) error {
	g, asked, err := h.seenGap(c)
	if err != nil {
		return err
	}
	out := toAPIGap(&g)
	for _, a := range asked {
		out.Asked = append(out.Asked, apiAsk{Dialogue: a.Dialogue, At: isoOf(a.At), From: isoOf(a.From), To: isoOf(a.To), Outcome: a.Outcome, Gained: a.Gained})
	}
	return c.answer(out)
}
