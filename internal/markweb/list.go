package markweb

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/csvcell"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/mark"
	"plateau/internal/telemetry/quality"
	"plateau/internal/web"
	"plateau/internal/web/kit"
	"plateau/rules"
)

// listDays are the days up to the one asked for that the list holds.
const listDays = 31

type listView struct {
	Outlet                                     word
	OutletHref, NewMark, NewCorrection, Export string
	Queue                                      string
	Action                                     string
	Day                                        web.Field
	Rows                                       []row
	Hours                                      []int
	Legend                                     []mark1
	Quotas                                     []quotaLine
	Papers                                     []line
	Empty                                      web.Empty
}

// row is a factor of the day: its valid minutes, and the marks over them.
type row struct {
	Factor word
	Words  string // of the row, for who does not see it
	Cells  []cell
	Bars   []bar
	Height int
}

// cell is an hour: X and width in minutes of the day.
type cell struct {
	X, Valid int
	Title    string
	Class    string
}

// bar is a mark of the day.
type bar struct {
	X, Y, Width int
	Href, Title string
}

// mark1 is a mark in words below the day.
type mark1 struct{ Number, Href, Name, From, To, Factors string }

type quotaLine struct{ Name, Used, Marks, Href, Class string }

// list shows an outlet's marks, its day and its quotas.
func (h *Handler) list(c *call) error {
	o, err := h.outlet(c)
	if err != nil {
		return err
	}
	day := dayOf(c.Query("day"), c.Now)
	papers, err := h.Marks.OfOutlet(c.Ctx(), o.ID, day.AddDate(0, 0, 1-listDays), day.AddDate(0, 0, 1))
	if err != nil {
		return err
	}
	v := &listView{
		Outlet: c.named(o.Name), OutletHref: c.Path(base(o)), Export: c.Path(base(o) + "/marks.csv?day=" + i18n.Short(day)), Action: c.Path(base(o) + "/marks"),
		Day: c.Field("day", i18n.Short(day), false), Empty: web.Empty{Text: c.L.T("marks.none")},
	}
	v.Day.Width = "short"
	if h.Marks.MaySet(c.Who, o) {
		v.NewMark, v.NewCorrection = c.Path(base(o)+"/marks/new"), c.Path(base(o)+"/corrections/new")
		v.Empty.Href, v.Empty.Action = v.NewMark, c.L.T("marks.new")
	}
	if h.Marks.MayReview(c.Who, o) {
		v.Queue = c.Path("/marks")
	}
	for i := range papers {
		v.Papers = append(v.Papers, h.line(c, &papers[i]))
	}
	if err := h.day(c, o, day, papers, v); err != nil {
		return err
	}
	if v.Quotas, err = h.quotas(c, o, day); err != nil {
		return err
	}
	return c.Render(http.StatusOK, "marks.html", &web.Page{Title: c.L.T("marks.of", "outlet", v.Outlet.Text), Wide: true, Crumbs: h.crumbs(c, o), Data: v})
}

func (h *Handler) crumbs(c *call, o *telemetry.Outlet) []web.Crumb {
	return append(c.Crumbs("nav.outlets", "/outlets"), web.Crumb{Text: c.named(o.Name).Text, Path: base(o)})
}

// day draws the marks that are in force over the valid minutes of the hours.
func (h *Handler) day(c *call, o *telemetry.Outlet, day time.Time, papers []mark.Paper, v *listView) error {
	end := day.AddDate(0, 0, 1)
	hours, err := h.Hours.Hours(o.ID, day, end)
	if err != nil {
		return fmt.Errorf("hours of the day: %w", err)
	}
	for k := range 9 {
		v.Hours = append(v.Hours, 3*k)
	}
	minute := func(t time.Time) int { return int(max(0, min(t.Sub(day), end.Sub(day))) / time.Minute) }
	for i := range papers {
		p := &papers[i]
		if p.State.InForce() && p.From.Before(end) && p.To.After(day) {
			v.Legend = append(v.Legend, mark1{p.Number, c.Path("/marks/" + p.Number), h.codeName(c, p), i18n.Stamp(p.From), i18n.Stamp(p.To), c.factors(p.Factors)})
		}
	}
	for i := range o.Factors {
		code := o.Factors[i].Code
		r := row{Factor: c.factor(code), Height: 22}
		valid := 0
		for k := range hours {
			f := hours[k].Factor(code)
			if f == nil {
				continue
			}
			from := time.Unix(hours[k].At, 0)
			x := cell{X: minute(from), Valid: f.NValid, Title: i18n.Hours(from, from.Add(time.Hour)) + " " + c.L.T("marks.minutes", "n", f.NValid), Class: "ok"}
			switch {
			case hours[k].Stopped || f.NExpected == 0:
				x.Class = "stopped"
			case !f.Valid:
				x.Class = "short"
			default:
				valid++
			}
			r.Cells = append(r.Cells, x)
		}
		for i := range papers {
			p := &papers[i]
			if m := (telemetry.Mark{Factors: p.Factors}); !p.State.InForce() || !m.Of(code) || !p.From.Before(end) || !p.To.After(day) {
				continue
			}
			x := minute(p.From)
			r.Bars = append(r.Bars, bar{X: x, Y: r.Height, Width: max(4, minute(p.To)-x), Href: c.Path("/marks/" + p.Number), Title: p.Number + " " + h.codeName(c, p)})
			r.Height += 12
		}
		r.Words = c.L.T("marks.row", "factor", r.Factor.Text, "n", valid, "marks", len(r.Bars))
		if len(r.Cells)+len(r.Bars) > 0 {
			v.Rows = append(v.Rows, r)
		}
	}
	return nil
}

// quotas tells what of the quotas is used.
func (h *Handler) quotas(c *call, o *telemetry.Outlet, at time.Time) ([]quotaLine, error) {
	list, err := h.Marks.Counters(o, at)
	if err != nil {
		return nil, err
	}
	codes, err := h.Marks.Codes(o, at)
	if err != nil {
		return nil, err
	}
	var out []quotaLine
	for _, x := range list {
		key, names := "marks.quota_year", ""
		if x.Quarter {
			key = "marks.quota_quarter"
		}
		for _, m := range codes {
			if m.Quota == x.Rule || x.Quarter && m.Rule.ID == x.Rule && slices.Contains(x.Marks, m.Code) {
				if names != "" {
					names += " · "
				}
				names += m.Name[string(c.Lang)]
			}
		}
		l := quotaLine{Name: names, Used: c.L.T(key, "used", quality.Num(x.Used), "hours", quality.Num(x.Hours)), Href: c.Path("/rules/" + x.Rule)}
		if x.Used >= x.Hours {
			l.Class = "bad"
		}
		out = append(out, l)
	}
	return out, nil
}

// csv is the list for spreadsheets.
func (h *Handler) csv(c *call) error {
	o, err := h.outlet(c)
	if err != nil {
		return err
	}
	day := dayOf(c.Query("day"), c.Now)
	papers, err := h.Marks.OfOutlet(c.Ctx(), o.ID, day.AddDate(0, 0, 1-listDays), day.AddDate(0, 0, 1))
	if err != nil {
		return err
	}
	head := []string{"number", "sort", "outlet", "rule", "code", "name", "factors", "from", "to", "value", "cause", "evidence", "state", "late", "source", "post", "submitted", "decided"}
	table := [][]string{head}
	for i := range papers {
		p := &papers[i]
		value := ""
		if p.Sort == mark.SortCorrection {
			value = strconv.FormatFloat(p.Value, 'f', -1, 64)
		}
		factors := strings.Join(p.Factors, " ")
		line := []string{
			p.Number, p.Sort, strconv.Itoa(int(p.Outlet)), p.Rule + "@" + strconv.Itoa(p.Version), p.Code, h.codeName(c, p), factors, i18n.Stamp(p.From), i18n.Stamp(p.To),
			value, p.Cause, p.Evidence, string(p.State), strconv.FormatBool(p.Late), p.Source, p.AuthorPost, stamp(p.Submitted), stamp(p.Decided),
		}
		for k := range line {
			line[k] = csvcell.Safe(line[k])
		}
		table = append(table, line)
	}
	var b bytes.Buffer
	b.WriteString("\ufeff")
	if err := csv.NewWriter(&b).WriteAll(table); err != nil {
		return err
	}
	c.W.Header().Set("Content-Type", "text/csv; charset=utf-8")
	c.W.Header().Set("Content-Disposition", `attachment; filename="marks-`+strconv.Itoa(int(o.ID))+`.csv"`)
	_, err = c.W.Write(b.Bytes())
	return err
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return i18n.Stamp(t)
}

// queueMost are the papers that the queue shows at once.
const queueMost = 200

type queueView struct {
	Tabs   []web.Tab
	Papers []line
	Empty  web.Empty
}

// queue lists what waits for the regulator, or is in another state.
func (h *Handler) queue(c *call) error {
	state := mark.State(c.Query("state"))
	v := &queueView{Empty: web.Empty{Text: c.L.T("marks.queue_empty")}}
	known := false
	for _, s := range mark.States {
		known = known || s == state
	}
	if !known {
		state = mark.Submitted
	}
	for _, s := range mark.States {
		if s != mark.Draft {
			v.Tabs = append(v.Tabs, web.Tab{Text: c.L.T("marks.state_" + string(s)), Href: c.Path("/marks?state=" + string(s)), Current: s == state})
		}
	}
	papers, err := h.Marks.InState(c.Ctx(), state, queueMost)
	if err != nil {
		return err
	}
	snap := h.Registry.Snapshot()
	for i := range papers {
		if o := snap.Outlets[papers[i].Outlet]; o != nil && h.Marks.MayReview(c.Who, o) {
			v.Papers = append(v.Papers, h.line(c, &papers[i]))
		}
	}
	return c.Render(http.StatusOK, "marks_queue.html", &web.Page{Title: c.L.T("marks.queue"), Wide: true, Data: v})
}

type paperView struct {
	line
	Effect, Value, Cause, Evidence, Due, DocumentDue string
	Rule, RuleHref                                   string
	Source                                           string
	Events                                           []eventLine
	Review, Resubmit, Document                       []web.Field
	MayWithdraw                                      bool
	ReviewAction, WithdrawAction, ResubmitAction     string
	DocumentAction                                   string
}

type eventLine struct{ At, Act, State, Post, Note string }

func (h *Handler) paper(c *call) error { return h.paperPage(c, "", nil) }

// paperPage shows a mark; form is the one that was sent, with what was wrong.
func (h *Handler) paperPage(c *call, form string, wrong error) error {
	p, err := h.Marks.Paper(c.Ctx(), c.R.PathValue("number"))
	if err != nil {
		return err
	}
	o := h.Registry.Snapshot().Outlets[p.Outlet]
	if o == nil {
		return fmt.Errorf("mark %s: its outlet is gone", p.Number)
	}
	if err := h.seen(c, o); err != nil {
		return err
	}
	events, err := h.Marks.Events(c.Ctx(), p.Number)
	if err != nil {
		return err
	}
	at := "/marks/" + p.Number
	v := &paperView{
		line: h.line(c, p), Cause: p.Cause, Evidence: p.Evidence, Rule: p.Rule + " v" + strconv.Itoa(p.Version), RuleHref: c.Path("/rules/" + p.Rule + "?version=" + strconv.Itoa(p.Version)),
		Source: c.L.T("marks.by_" + p.Source), ReviewAction: c.Path(at + "/review"), WithdrawAction: c.Path(at + "/withdraw"), ResubmitAction: c.Path(at + "/submit"), DocumentAction: c.Path(at + "/document"),
	}
	if due, err := h.Marks.Deadline(p); err == nil {
		v.Due = i18n.Stamp(due)
	}
	if p.Sort == mark.SortCorrection {
		v.Effect, v.Value, v.DocumentDue = c.L.T("marks.effect_correction"), quality.Num(p.Value)+" "+unit(o, p.Factors[0]), i18n.LastDay(p.DocumentDue)
	} else if m, ok := h.Marks.Code(p); ok {
		v.Effect = effect(c, m)
	}
	for i := range events {
		e := &events[i]
		v.Events = append(v.Events, eventLine{i18n.Stamp(e.At), c.L.T("marks.act_" + string(e.Act)), c.L.T("marks.state_" + string(e.To)), e.Post, e.Note})
	}
	note := func() web.Field {
		f := c.Field("note", c.Form("note"), true)
		f.Kind, f.Rows = "textarea", 3
		return f
	}
	if h.Marks.MayReview(c.Who, o) {
		var options []web.Option
		for _, a := range []mark.Act{mark.ActAccept, mark.ActReturn, mark.ActReject, mark.ActFalse} {
			if p.May(a) {
				options = append(options, web.Option{Value: string(a), Text: c.L.T("marks.decide_" + string(a))})
			}
		}
		if len(options) > 0 {
			v.Review = []web.Field{c.Choose("decision", c.Form("decision"), options...), note()}
		}
	}
	if h.Marks.MaySet(c.Who, o) {
		v.MayWithdraw = p.May(mark.ActWithdraw)
		if p.State == mark.Returned {
			cause, evidence := c.Field("cause", p.Cause, true), c.Field("evidence", p.Evidence, true)
			cause.Width, evidence.Width = "", ""
			v.Resubmit = []web.Field{cause, evidence}
		}
		if p.May(mark.ActDocument) {
			v.Document = []web.Field{c.Field("evidence", "", false)}
		}
	}
	page := &web.Page{Title: p.Number + " " + v.Name, Crumbs: append(h.crumbs(c, o), web.Crumb{Text: c.L.T("marks.title"), Path: base(o) + "/marks?day=" + i18n.Short(p.From)}), Data: v}
	var fields []*web.Field
	for name, list := range map[string][]web.Field{"review": v.Review, "submit": v.Resubmit, "document": v.Document} {
		if name == form {
			fields = kit.Pointers(list)
		}
	}
	status, err := c.Faults(wrong, page, fields...)
	if err != nil {
		return err
	}
	return c.Render(status, "mark.html", page)
}

// effect puts the effect of a mark into words.
func effect(c *call, m rules.MarkCode) string {
	if m.Effect == rules.EffectExempt && m.Quota != "" {
		return c.L.T("marks.effect_quota")
	}
	return c.L.T("marks.effect_" + m.Effect)
}

// unit is that of a factor of an outlet.
func unit(o *telemetry.Outlet, code string) string {
	for i := range o.Factors {
		if f := &o.Factors[i]; f.Code == code && f.Unit != "" {
			return f.Unit
		}
	}
	return telemetry.FactorUnit(code)
}

func (h *Handler) decide(c *call) error {
	number := c.R.PathValue("number")
	act := mark.Act(c.Form("decision"))
	if err := h.Marks.Decide(c.Ctx(), number, act, c.Form("note"), c.Who); err != nil {
		return h.paperPage(c, "review", err)
	}
	return c.Done("/marks/"+number, "mark_"+string(act))
}

func (h *Handler) withdraw(c *call) error {
	number := c.R.PathValue("number")
	if err := h.Marks.Withdraw(c.Ctx(), number, "", c.Who); err != nil {
		return h.paperPage(c, "withdraw", err)
	}
	return c.Done("/marks/"+number, "mark_withdrawn")
}

func (h *Handler) document(c *call) error {
	number := c.R.PathValue("number")
	if err := h.Marks.Document(c.Ctx(), number, c.Form("evidence"), c.Who); err != nil {
		return h.paperPage(c, "document", err)
	}
	return c.Done("/marks/"+number, "mark_document")
}

func (h *Handler) resubmit(c *call) error {
	number := c.R.PathValue("number")
	if err := h.Marks.Resubmit(c.Ctx(), number, c.Form("cause"), c.Form("evidence"), "", c.Who); err != nil {
		return h.paperPage(c, "submit", err)
	}
	return c.Done("/marks/"+number, "mark_waits")
}
