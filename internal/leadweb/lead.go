package leadweb

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/figures"
	"plateau/internal/telemetry/lead"
	"plateau/internal/telemetry/quality"
	"plateau/internal/web"
	"plateau/internal/web/chart"
)

// figureRow is a line of the table of figures.
type figureRow struct{ Name, Value, Against string }

type noteRow struct {
	At   time.Time
	Post word
	What string
	Text string
}

type leadView struct {
	Tabs                   []web.Tab
	Sentence, Strength     string
	Lowered                bool
	Vanished, Quiet, Found string
	Outlet, Area, Peer     word
	OutletHref, PeerHref   string
	DetectorHref, Detector string
	RuleHref, Rule         string
	Month, State, Looked   string
	CaseNo, CaseHref       string
	Days, Near             *chart.Day
	Figures                []figureRow
	Spans                  []string
	MoreSpans              string
	Why, Next              []string
	Say                    []web.Field
	Case                   []web.Field
	QuietForm              []web.Field
	Notes                  []noteRow
	Action                 string
}

func (h *Handler) lead(c *call) error { return h.leadPage(c, nil) }

// leadPage shows a lead, also when a form comes back with what was wrong in it.
func (h *Handler) leadPage(c *call, wrong error) error {
	l, o, notes, err := h.find(c)
	if err != nil {
		return err
	}
	d := lead.ByID(l.Detector)
	if d == nil {
		return errs.New(errs.NotFound, "err.not_found")
	}
	v := &leadView{
		Sentence: c.sentence(l, o), Strength: c.L.T("lead.strength_text", "percent", percent(l.Score)), Lowered: l.Rank < l.Score,
		Found:  c.L.T("lead.found_on", "found", i18n.Stamp(l.Found), "changed", i18n.Stamp(l.Changed)),
		Outlet: c.outlet(o), Area: c.area(o.Area), OutletHref: c.Path("/outlets/" + strconv.Itoa(int(o.ID))),
		DetectorHref: c.Path("/leads/detectors/" + d.ID), Detector: c.title(d.ID),
		RuleHref: c.Path("/rules/" + d.Rule() + "?version=" + strconv.Itoa(l.Version)), Rule: c.L.T("lead.rule_version", "rule", d.Rule(), "version", l.Version),
		Month: l.Month, State: c.L.T("lead.state_" + state(l)), CaseNo: l.CaseNo, Why: c.words("lead.why.", d.Why), Next: c.words("lead.next.", d.Next), Action: c.Path("/leads/" + l.ID),
	}
	if l.CaseNo != "" {
		v.CaseHref = c.Path("/cases/" + l.CaseNo)
	}
	if !l.Vanished.IsZero() {
		v.Vanished = c.L.T("lead.vanished", "at", i18n.Stamp(l.Vanished))
	}
	if l.Quiet != nil {
		v.Quiet = c.L.T("lead.is_quiet", "until", i18n.LastDay(l.Quiet.Until), "reason", l.Quiet.Reason)
	}
	if x := c.snap.Outlets[l.Peer]; x != nil && c.sees(x) {
		v.Peer, v.PeerHref = c.outlet(x), c.Path("/outlets/"+strconv.Itoa(int(x.ID)))
	}
	if _, until, ok, err := h.Leads.Looked(c.Ctx(), o.ID, l.Month); err != nil {
		return err
	} else if ok {
		v.Looked = i18n.Stamp(until)
	}
	for _, f := range l.Figures {
		against := ""
		if f.Op != "" {
			against = map[string]string{">=": "≥ ", "<=": "≤ ", "<": "< ", ">": "> "}[f.Op] + c.value(o, l.Factor, f.Against, f.Unit)
		}
		v.Figures = append(v.Figures, figureRow{c.L.T("lead.figure." + f.Key), c.value(o, l.Factor, f.Value, f.Unit), against})
	}
	const shown = 12
	for _, s := range longest(l.Spans, shown) {
		v.Spans = append(v.Spans, c.span(s.From, s.To))
	}
	if len(l.Spans) > shown {
		v.MoreSpans = c.L.T("lead.spans_more", "n", shown)
	}
	if err := h.charts(c, l, o, v); err != nil {
		return err
	}
	for _, n := range notes {
		r := noteRow{At: n.At, Post: word{n.Post.In(string(c.Lang)), "zh"}, Text: n.Text}
		if n.Action == "case" {
			r.What, r.Text = c.L.T("lead.note_case", "number", n.Text), ""
		} else {
			r.What = c.L.T("lead.say_" + n.Action)
		}
		if n.Reason != "" {
			r.What += ": " + c.L.T("lead.reason_"+n.Reason)
		}
		v.Notes = append(v.Notes, r)
	}
	h.forms(c, l, o, v)
	p := &web.Page{Title: c.title(l.Detector), Crumbs: c.Crumbs("lead.title", "/leads"), Data: v}
	var all []*web.Field
	for _, list := range [][]web.Field{v.Say, v.Case, v.QuietForm} {
		for i := range list {
			all = append(all, &list[i])
		}
	}
	status, err := c.Faults(wrong, p, all...)
	if err != nil {
		return err
	}
	return c.Render(status, "lead.html", p)
}

// forms are what may be done with a lead, as they were sent or empty.
func (h *Handler) forms(c *call, l *lead.Lead, o *telemetry.Outlet, v *leadView) {
	says := []web.Option{{}}
	for _, s := range []string{lead.Looking, lead.Helpful, lead.Unhelpful} {
		says = append(says, web.Option{Value: s, Text: c.L.T("lead.say_" + s)})
	}
	says[0].Text = "—"
	reasons := []web.Option{{Text: c.L.T("lead.no_reason")}}
	for _, r := range lead.Reasons {
		reasons = append(reasons, web.Option{Value: r, Text: c.L.T("lead.reason_" + r)})
	}
	note := c.Field("note", c.Form("note"), true)
	note.Kind, note.Rows = "textarea", 3
	v.Say = []web.Field{c.Choose("say", c.Form("say"), says...), c.Choose("reason", c.Form("reason"), reasons...), note}
	if h.Cases != nil && l.Case == "" && h.Cases.MayOpen(c.Who, o) {
		title, text := c.Form("case_title"), c.Form("case_text")
		if title == "" {
			title = c.title(l.Detector) + " · " + v.Outlet.Text
		}
		if text == "" {
			text = h.evidence(c, l, v)
		}
		body := c.Field("case_text", text, false)
		body.Kind, body.Rows, body.Width = "textarea", 10, ""
		head := c.Field("case_title", title, false)
		head.Width = ""
		v.Case = []web.Field{head, body}
	}
	scopes := []web.Option{{Value: "lead", Text: c.L.T("lead.scope_lead")}, {Value: "outlet", Text: c.L.T("lead.scope_outlet")}, {Value: "area", Text: c.L.T("lead.scope_area")}}
	reason := c.Field("quiet_reason", c.Form("quiet_reason"), false)
	until := c.Form("until")
	if until == "" {
		until = i18n.Short(c.Now.AddDate(0, 1, 0))
	}
	v.QuietForm = []web.Field{c.Choose("scope", c.Form("scope"), scopes...), reason, c.Field("until", until, false)}
	v.QuietForm[2].Width = "short"
}

// evidence is what goes into a case: the sentence, the figures, the hours, what would
// explain it.
func (h *Handler) evidence(c *call, l *lead.Lead, v *leadView) string {
	var b strings.Builder
	b.WriteString(v.Sentence + "\n" + c.span(l.From, l.To) + "\n\n" + c.L.T("lead.figures") + "\n")
	for _, f := range v.Figures {
		b.WriteString("- " + f.Name + ": " + f.Value)
		if f.Against != "" {
			b.WriteString(" (" + f.Against + ")")
		}
		b.WriteString("\n")
	}
	b.WriteString("\n" + c.L.T("lead.why_title") + "\n- " + strings.Join(v.Why, "\n- ") + "\n\n" + v.Rule + " · " + v.Action + "\n" + c.L.T("lead.no_verdict"))
	return b.String()
}

// longest are the n longest spans in order of time.
func longest(spans []lead.Span, n int) []lead.Span {
	if len(spans) <= n {
		return spans
	}
	lengths := make([]int64, len(spans))
	for i, s := range spans {
		lengths[i] = s.To - s.From
	}
	least := slices.Sorted(slices.Values(lengths))[len(spans)-n]
	var out []lead.Span
	for i, s := range spans {
		if lengths[i] >= least && len(out) < n {
			out = append(out, s)
		}
	}
	return out
}

// charts draws the month's day means and the hours around the longest stretch.
func (h *Handler) charts(c *call, l *lead.Lead, o *telemetry.Outlet, v *leadView) error {
	if l.Factor == "" || len(l.Spans) == 0 {
		return nil
	}
	first, err := time.ParseInLocation("2006-01", l.Month, i18n.Zone)
	if err != nil {
		return err
	}
	last := first.AddDate(0, 1, 0)
	days, err := h.Rows.Days(l.Outlet, first, last)
	if err != nil {
		return err
	}
	name, unit := c.factor(l.Factor), figures.UnitOf(o, l.Factor)
	label := c.L.T("lead.chart_of", "factor", name, "n", len(l.Spans), "from", i18n.Stamp(time.Unix(l.From, 0)), "to", i18n.Stamp(time.Unix(l.To, 0)))
	var bands []chart.Band
	for _, s := range l.Spans {
		bands = append(bands, chart.Band{From: time.Unix(s.From, 0), To: time.Unix(s.To, 0), Flag: "?"})
	}
	month := chart.Day{ID: "lead-days", Factor: name, Unit: unit, Decimals: figures.Decimals(l.Factor), From: first, To: last, Each: 24 * time.Hour, Bands: bands, Label: label}
	for i := range days {
		f := days[i].Factor(l.Factor)
		if f != nil && f.Mean.OK {
			month.Hours = append(month.Hours, chart.Hour{From: time.Unix(days[i].At, 0), Mean: f.Mean.V, Weak: !f.Valid})
		}
	}
	if len(month.Hours) > 0 {
		v.Days = &month
	}
	// Three days around the middle of the longest stretch.
	long := longest(l.Spans, 1)[0]
	mid := time.Unix((long.From+min(long.To, long.From+3*86400))/2, 0).In(i18n.Zone)
	from := time.Date(mid.Year(), mid.Month(), mid.Day()-1, 0, 0, 0, 0, i18n.Zone)
	to := from.AddDate(0, 0, 3)
	hours, err := h.Rows.Hours(l.Outlet, from, to)
	if err != nil {
		return err
	}
	near := chart.Day{ID: "lead-hours", Factor: name, Unit: unit, Decimals: figures.Decimals(l.Factor), From: from, To: to, Label: label}
	for _, b := range bands {
		if b.From.Before(to) && b.To.After(from) {
			near.Bands = append(near.Bands, b)
		}
	}
	limit := quality.Opt{}
	for i := range hours {
		f := hours[i].Factor(l.Factor)
		if f == nil || !f.Mean.OK || math.IsNaN(f.Mean.V) {
			continue
		}
		near.Hours = append(near.Hours, chart.Hour{From: time.Unix(hours[i].At, 0), Mean: f.Mean.V, Over: f.Over, Weak: !f.Valid})
		if f.Limit.Op == "<=" && f.Judged == f.Mean { // a folded figure has another scale
			limit = f.Limit.Hi
		}
	}
	if limit.OK {
		near.Limits = []chart.Limit{{From: from, To: to, Value: limit.V}}
	}
	if len(near.Hours) > 0 {
		v.Near = &near
	}
	return nil
}

// say keeps what somebody makes of a lead.
func (h *Handler) say(c *call) error {
	l, _, _, err := h.find(c)
	if err != nil {
		return err
	}
	if err := h.Leads.Say(c.Ctx(), l.ID, c.Form("say"), c.Form("reason"), c.Form("note"), c.Who); err != nil {
		return h.leadPage(c, err)
	}
	return c.Done("/leads/"+l.ID, "lead_said")
}

// openCase opens a case with the evidence as it was edited.
func (h *Handler) openCase(c *call) error {
	l, o, _, err := h.find(c)
	if err != nil {
		return err
	}
	switch {
	case h.Cases == nil || !h.Cases.MayOpen(c.Who, o):
		return errs.New(errs.Forbidden, "err.case.open", "kind", lead.CaseKind)
	case l.Case != "":
		return errs.New(errs.Conflict, "lead.err.case_there")
	}
	id, number, err := h.Cases.Open(c.Ctx(), l, o, c.Form("case_title"), c.Form("case_text"), string(c.Lang), c.Who)
	if err != nil {
		return h.leadPage(c, errs.Renamed(err, func(field string) string {
			return map[string]string{"title": "case_title", "description": "case_text"}[field]
		}))
	}
	if err := h.Leads.Opened(c.Ctx(), l.ID, id, number, c.Who); err != nil {
		return err
	}
	web.SetDone(c.W, "lead_case", "number", number)
	return c.See("/leads/" + l.ID)
}

// quieten leaves leads out for a while.
func (h *Handler) quieten(c *call) error {
	l, o, _, err := h.find(c)
	if err != nil {
		return err
	}
	q := lead.Quiet{Area: o.Area, Reason: c.Form("quiet_reason")}
	if t, ok := i18n.ParseStamp(c.Form("until")); ok {
		day := t.In(i18n.Zone)
		q.Until = time.Date(day.Year(), day.Month(), day.Day()+1, 0, 0, 0, 0, i18n.Zone)
	}
	switch c.Form("scope") {
	case "lead":
		q.Detector, q.Outlet = l.Detector, l.Outlet
	case "outlet":
		q.Outlet = l.Outlet
	case "area":
		q.Detector = l.Detector
	default:
		return h.leadPage(c, errs.InvalidField("scope", "lead.err.scope"))
	}
	if err := h.Leads.Quieten(c.Ctx(), q, c.Who); err != nil {
		return h.leadPage(c, err)
	}
	return c.Done("/leads/"+l.ID, "lead_quiet")
}
