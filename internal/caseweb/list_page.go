package caseweb

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/casework"
	"plateau/internal/platform/i18n"
	"plateau/internal/web"
	"plateau/internal/web/kit"
)

// listPages are the lists of cases that people work from.
func listPages() []kit.Route[*Handler, *call] {
	return []kit.Route[*Handler, *call]{
		kit.Get("/cases", Open, (*Handler).cases),
		kit.Get("/cases.csv", Open, (*Handler).casesCSV),
		kit.Get("/cases.xlsx", Open, (*Handler).casesXLSX),
		kit.Get("/cases.geojson", Open, (*Handler).casesGeoJSON),
		kit.Post("/cases/act", Open, (*Handler).actOnMany),
		kit.Get("/cases/filters", Open, (*Handler).savedFilters),
		kit.Post("/cases/filters", Open, (*Handler).saveFilter),
		kit.Post("/cases/filters/{id}", Open, (*Handler).changeFilter),
	}
}

// shown is how many cases a page of a list has.
const pageSize = 50

// allCases is the tab that holds closed ones, too; it is no queue.
const allCases = "all"

// narrowed are the parameters of a list that narrow it beside its queue.
var narrowed = []string{"q", "system", "kind", "state", "area", "unit", "severity"}

// caseFilter is what the address of a list asks for.
func (c *call) caseFilter() casework.Filter {
	f := casework.Filter{
		Query: c.Query("q"), System: c.Query("system"), Kind: c.Query("kind"), State: c.Query("state"), Area: c.Query("area"), Unit: c.Query("unit"),
		Queue: casework.Queue(cmp.Or(c.Query("queue"), string(casework.Mine))), Order: casework.ByDue, After: c.Query("after"), N: pageSize,
	}
	if n, err := strconv.Atoi(c.Query("severity")); err == nil {
		f.Severity = n
	}
	if f.Queue == allCases {
		f.Queue, f.Order = "", casework.ByChange
	}
	return f
}

// isNarrowed reports whether a list leaves anything out of its queue.
func (c *call) isNarrowed() bool {
	return slices.ContainsFunc(narrowed, func(name string) bool { return c.Query(name) != "" })
}

// caseRow is a line of a list of cases.
type caseRow struct {
	ID, Number, Href string
	Title, Lang      string
	Kind, Severity   string
	Shape, State     string
	Turn             string // who acts next
	Due              time.Time
	DueText          string
	Late             bool
	Place            string
	Version          int
	Actions          []string // that the reader may take now
}

// listAction is an action that can be taken on several cases of a list.
type listAction struct{ Value, Text string }

type casesView struct {
	Answer      string
	Tabs        []web.Tab
	Saved       []web.Tab
	Fields      []web.Field
	Hidden      [][2]string
	Rows        []caseRow
	Actions     []listAction
	Narrowed    bool
	Empty       web.Empty
	First, Next string // addresses; "" = none
	Clear       string
	Export      string // query of the exports, with its "?"
	Query       string // as it would be kept
	Act         string // address that chosen cases are sent to
	Name        web.Field
}

func (h *Handler) cases(c *call) error { return h.casesPage(c, nil) }

// casesPage shows the list that the address asks for; wrong is about what was chosen
// from it.
func (h *Handler) casesPage(c *call, wrong error) error {
	list, next, err := h.Cases.List(c.Ctx(), c.caseFilter(), c.Who)
	if err != nil {
		return err
	}
	counts, err := h.Cases.Counts(c.Ctx(), c.Who, casework.Queues()...)
	if err != nil {
		return err
	}
	saved, err := h.Cases.Saved(c.Ctx(), c.Who)
	if err != nil {
		return err
	}
	q := c.R.URL.Query()
	queue := cmp.Or(c.Query("queue"), string(casework.Mine))
	v := &casesView{Narrowed: c.isNarrowed(), Answer: h.answerOf(c, counts)}
	for _, name := range casework.Queues() {
		text := c.L.T("caselist.queue_"+string(name)) + " " + counted(counts[name])
		v.Tabs = append(v.Tabs, web.Tab{Text: text, Href: c.address(q, "queue", string(name)), Current: queue == string(name)})
	}
	v.Tabs = append(v.Tabs, web.Tab{Text: c.L.T("caselist.queue_all"), Href: c.address(q, "queue", allCases), Current: queue == allCases})
	for _, s := range saved {
		v.Saved = append(v.Saved, web.Tab{Text: s.Name, Href: c.Path("/cases") + "?" + s.Query, Current: s.Query == kept(q)})
	}
	for _, x := range list {
		v.Rows = append(v.Rows, h.caseRow(c, x))
	}
	v.Actions = h.actionsOf(c, list)
	if v.Fields, err = h.narrowing(c); err != nil {
		return err
	}
	v.Hidden = [][2]string{{"queue", queue}}
	v.Clear = c.Path("/cases") + "?" + url.Values{"queue": {queue}}.Encode()
	if c.Query("after") != "" {
		v.First = c.address(q, "after", "")
	}
	if next != "" {
		v.Next = c.address(q, "after", next)
	}
	if v.Query = kept(q); v.Query != "" {
		v.Export = "?" + v.Query
	}
	v.Act = c.Path("/cases/act") + v.Export
	v.Name = c.Field("name", "", false)
	v.Empty = h.noCases(c, queue, counts, v)
	p := &web.Page{Title: c.L.T("caselist.title"), Wide: true, Data: v}
	status, err := c.Faults(wrong, p)
	if err != nil {
		return err
	}
	return c.Render(status, "cases.html", p)
}

// noCases says why a list is empty, and what to look at instead.
func (h *Handler) noCases(c *call, queue string, counts map[casework.Queue]int, v *casesView) web.Empty {
	open := c.Path("/cases") + "?queue=" + string(casework.AllOpen)
	switch {
	case v.Narrowed:
		return web.Empty{Text: c.L.T("caselist.none_narrowed"), Href: v.Clear, Action: c.L.T("common.clear")}
	case queue != allCases && queue != string(casework.AllOpen) && counts[casework.AllOpen] > 0:
		return web.Empty{Text: c.L.T("caselist.none_" + queue), Href: open, Action: c.L.T("caselist.see_open", "n", counted(counts[casework.AllOpen]))}
	case queue != allCases:
		return web.Empty{Text: c.L.T("caselist.none_open"), Href: c.Path("/cases") + "?queue=" + allCases, Action: c.L.T("caselist.see_all")}
	}
	return web.Empty{Text: c.L.T("caselist.none_all")}
}

// kept is the query of a list without what only turns its pages.
func kept(q url.Values) string {
	out := url.Values{}
	for _, name := range append([]string{"queue"}, narrowed...) {
		if v := strings.TrimSpace(q.Get(name)); v != "" {
			out.Set(name, v)
		}
	}
	return out.Encode()
}

// address is that of the list with one parameter changed; pages begin anew.
func (c *call) address(q url.Values, name, value string) string {
	out, err := url.ParseQuery(kept(q))
	if err != nil {
		out = url.Values{}
	}
	out.Set(name, value)
	if value == "" {
		out.Del(name)
	}
	return c.Path("/cases") + "?" + out.Encode()
}

// counted writes how many there are, as far as they were counted.
func counted(n int) string {
	if n > casework.MostCounted {
		return strconv.Itoa(casework.MostCounted) + "+"
	}
	return strconv.Itoa(n)
}

// answerOf is the sentence somebody comes for.
func (h *Handler) answerOf(c *call, counts map[casework.Queue]int) string {
	mine, late := counts[casework.Mine], counts[casework.Overdue]
	switch {
	case mine == 0 && late == 0:
		return c.L.T("caselist.answer_none")
	case late == 0:
		return c.L.T("caselist.answer_mine", "n", counted(mine))
	}
	return c.L.T("caselist.answer_late", "n", counted(mine), "late", counted(late))
}

func (c *call) options(none, current string, list []web.Option) []web.Option {
	out := []web.Option{{Text: c.L.T(none), Selected: current == ""}}
	seen := current == ""
	for _, o := range list {
		o.Selected = o.Value == current
		seen = seen || o.Selected
		out = append(out, o)
	}
	if !seen {
		out = append(out, web.Option{Value: current, Text: current, Selected: true})
	}
	return out
}

// narrowing are the fields that narrow a list.
func (h *Handler) narrowing(c *call) ([]web.Field, error) {
	var systems, kinds, states, severities []web.Option
	once := map[string]bool{}
	add := func(to *[]web.Option, what, value, text string) {
		if key := what + "\x00" + value; !once[key] {
			once[key] = true
			*to = append(*to, web.Option{Value: value, Text: text})
		}
	}
	for _, kind := range h.Cases.Types.Kinds() {
		t, ok := h.Cases.Types.InForce(kind, i18n.Short(c.Now))
		if !ok {
			continue
		}
		add(&systems, "system", t.System, c.L.T("policy.system_"+t.System))
		add(&kinds, "kind", kind, in(t.Name, c.Lang))
		if k := c.Query("kind"); k != "" && k != kind {
			continue
		}
		for _, s := range t.States {
			add(&states, "state", s.Name, in(s.Label, c.Lang))
		}
		for _, s := range t.Severities {
			add(&severities, "severity", strconv.Itoa(s.Level), in(s.Name, c.Lang))
		}
	}
	slices.SortFunc(severities, func(a, b web.Option) int { return cmp.Compare(a.Value, b.Value) })
	search := c.Field("q", c.Query("q"), false)
	search.Kind, search.Label, search.Hint, search.Width = "search", c.L.T("caselist.by_q"), "", ""
	fields := []web.Field{search}
	choose := func(name string, list []web.Option) {
		if len(list) > 1 || c.Query(name) != "" {
			fields = append(fields, web.Field{Name: name, Kind: "select", Label: c.L.T("caselist.by_" + name), Options: c.options("caselist.any_"+name, c.Query(name), list)})
		}
	}
	choose("system", systems)
	choose("kind", kinds)
	choose("state", states)
	choose("severity", severities)
	if h.Choices != nil {
		choices, err := h.Choices(c.Ctx())
		if err != nil {
			return nil, err
		}
		choose("area", named(choices.Areas, c.Lang))
		choose("unit", named(choices.Units, c.Lang))
	}
	return fields, nil
}

func named(list []Choice, lang i18n.Lang) (out []web.Option) {
	for _, x := range list {
		out = append(out, web.Option{Value: x.ID, Text: cmp.Or(in(x.Name, lang), x.ID)})
	}
	return out
}

func (h *Handler) place(code string, lang i18n.Lang) string {
	if h.AreaName != nil {
		if name, ok := h.AreaName(code); ok {
			return in(name, lang)
		}
	}
	return code
}

func (h *Handler) unit(id string, lang i18n.Lang) string {
	if h.UnitName != nil {
		if name, ok := h.UnitName(id); ok {
			return in(name, lang)
		}
	}
	return id
}

// turnOf is who acts next on a case, in words.
func (h *Handler) turnOf(c *call, t *casework.Type, x *casework.Case) string {
	var out []string
	for _, role := range t.Turn(x.State) {
		switch role {
		case casework.RoleUnit:
			if x.OwnerUnit != "" {
				out = append(out, h.unit(x.OwnerUnit, c.Lang))
			} else {
				out = append(out, c.L.T("caselist.turn_office"))
			}
		case casework.RoleReporter:
			out = append(out, c.L.T("caselist.turn_reporter"))
		default:
			out = append(out, c.L.T("role."+t.System+"."+role))
		}
	}
	return strings.Join(out, c.L.T("common.list_comma"))
}

// caseRow makes the line of a case.
func (h *Handler) caseRow(c *call, x casework.Listed) caseRow {
	r := caseRow{
		ID: x.ID, Number: casework.Written(x.TrackingNo), Href: c.Path("/cases/" + x.TrackingNo), Title: x.Title, Lang: htmlLang(x.Lang), State: x.State, Shape: "normal",
		Place: h.place(x.Location.Area, c.Lang), Version: x.Events,
	}
	t := h.Cases.TypeOf(x.Case)
	if t == nil {
		return r
	}
	r.Kind, r.Turn = in(t.Name, c.Lang), h.turnOf(c, t, x.Case)
	for _, k := range t.Categories {
		if k.Code == x.Category {
			r.Kind += " · " + in(k.Name, c.Lang)
		}
	}
	for _, s := range t.Severities {
		if s.Level == x.Severity {
			r.Severity = in(s.Name, c.Lang)
		}
	}
	st := t.State(x.State)
	if st != nil {
		r.State = in(st.Label, c.Lang)
	}
	for _, a := range t.Allowed(x.Case, x.Actor) {
		r.Actions = append(r.Actions, a.Name)
	}
	d := x.Due()
	switch {
	case st == nil || !st.Open:
		r.Shape = "stopped"
		return r
	case !x.Paused.IsZero():
		r.Shape, r.DueText = "maint", c.L.T("caselist.paused")
		return r
	case d == nil:
		return r
	}
	r.Due = d.Due
	s := d.Standing(x.Case, c.Now, h.Cases.Calendars(x.Location.Area))
	switch s.State {
	case "overdue":
		r.Shape, r.Late, r.DueText = "exceed", true, c.L.T("caselist.late", "n", s.OverdueWD)
		if s.OverdueWD == 0 {
			r.DueText = c.L.T("caselist.late_today")
		}
	case "soon":
		r.Shape, r.DueText = "warn", c.L.T("caselist.left", "n", s.RemainingWD)
	default:
		r.DueText = c.L.T("caselist.left", "n", s.RemainingWD)
	}
	return r
}

// htmlLang is the language that a text was written in, as pages name it.
func htmlLang(lang string) string {
	if lang == "zh" {
		return "zh-Hans"
	}
	return lang
}

// actionsOf are the actions that the reader may take on some case of a list, in the
// order of the types.
func (h *Handler) actionsOf(c *call, list []casework.Listed) (out []listAction) {
	once := map[string]bool{}
	for _, x := range list {
		t := h.Cases.TypeOf(x.Case)
		if t == nil {
			continue
		}
		for _, a := range t.Allowed(x.Case, x.Actor) {
			value := t.Kind + "." + a.Name
			if !once[value] && forMany(t, a) {
				once[value] = true
				out = append(out, listAction{value, in(a.Label, c.Lang) + " · " + in(t.Name, c.Lang)})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b listAction) int { return cmp.Compare(a.Value, b.Value) })
	return out
}

// forMany reports whether an action can be taken on several cases at once: one of the
// type itself, which neither names another case nor wants files.
func forMany(t *casework.Type, a *casework.Action) bool {
	if !slices.Contains(t.Actions, a) || asksFiles(a) {
		return false
	}
	f := t.Form(a.Form)
	return f == nil || !slices.ContainsFunc(f.Fields, func(q casework.Field) bool { return q.Type == "case" })
}
