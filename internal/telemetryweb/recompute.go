package telemetryweb

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/internal/web"
)

// recomputeRoutes are the page that tells what is and was judged anew, and asks
// for it.
func recomputeRoutes() []route {
	return []route{
		{"GET", "/recompute", ReadList, (*Handler).recompute},
		{"POST", "/recompute", EditList, (*Handler).recomputeAsk},
	}
}

// recomputeLine is a recompute in words.
type recomputeLine struct {
	Asked    time.Time
	Cause    string
	By       string
	Why      string
	Whom     string
	Href     string
	Range    string
	Status   string
	Duration string
	Rows     string
	Running  *web.Progress
}

type failedLine struct {
	Name  word
	Href  string
	When  string
	Fault string
}

type recomputeView struct {
	Tabs   []web.Tab
	Lines  []recomputeLine
	Active bool
	Failed []failedLine
	May    bool
	Outlet web.Field
	From   web.Field
	To     web.Field
	Why    web.Field
}

// shownRecomputes is how many the page lists, and shownFailed how many hours
// that cannot be judged.
const (
	shownRecomputes = 100
	shownFailed     = 200
)

func (h *Handler) recompute(c *call) error {
	return h.recomputePage(c, http.StatusOK, nil)
}

// recomputePage draws the page; wrong are the fields to mend, by name.
func (h *Handler) recomputePage(c *call, status int, wrong map[string]string) error {
	v := &recomputeView{Tabs: c.registryTabs("recompute"), May: c.actor.May(EditList)}
	list, err := h.Quality.Recomputes(shownRecomputes)
	if err != nil {
		return err
	}
	for i := range list {
		if !c.seesAny(list[i].Outlets) {
			continue
		}
		line := c.recomputeLine(&list[i])
		v.Active = v.Active || list[i].Ended == 0
		v.Lines = append(v.Lines, line)
	}
	scope := c.scope(ReadList)
	failed := slices.DeleteFunc(slices.Clone(h.Quality.Failed()), func(f quality.Failed) bool { return !scope.Contains(ObjectOf(c.snap.Outlets[f.Outlet])) })
	for _, f := range failed[:min(len(failed), shownFailed)] {
		at := time.Unix(f.At, 0)
		line := failedLine{Fault: f.Fault, When: i18n.Short(at)}
		if f.Level == quality.LevelHour {
			line.When += " " + i18n.Hours(at, at.Add(time.Hour))
		}
		if o := c.snap.Outlets[f.Outlet]; o != nil {
			line.Name, line.Href = c.outletName(o), c.path(outletPath(o.ID)+"/"+i18n.Short(at))
		}
		v.Failed = append(v.Failed, line)
	}
	value := func(name string) string {
		if c.r.Method == http.MethodPost {
			return strings.TrimSpace(c.r.PostForm.Get(name))
		}
		return c.query(name)
	}
	v.Outlet = web.Field{Name: "outlet", Kind: "select", Label: c.l.T("recompute.outlet"), Error: wrong["outlet"]}
	v.Outlet.Options = append([]web.Option{{Value: "", Text: c.l.T("recompute.all"), Selected: value("outlet") == ""}}, h.outletOptions(c, value("outlet"))...)
	v.From = web.Field{Name: "from", Label: c.l.T("recompute.from"), Hint: c.l.T("recompute.date_hint"), Value: value("from"), Error: wrong["from"], Width: "medium", Optional: true}
	v.To = web.Field{Name: "to", Label: c.l.T("recompute.to"), Value: value("to"), Error: wrong["to"], Width: "medium", Optional: true}
	v.Why = web.Field{Name: "why", Label: c.l.T("recompute.why"), Value: value("why"), Error: wrong["why"]}
	p := &web.Page{Title: c.l.T("recompute.title"), Module: "registry", Crumbs: []web.Crumb{{Text: c.l.T("nav.registry"), Path: "/registry"}}, Data: v}
	for _, name := range []string{"outlet", "from", "to", "why"} {
		if wrong[name] != "" {
			p.Errors = append(p.Errors, web.FieldError{Field: name, Text: wrong[name]})
		}
	}
	return h.render(c, status, "recompute.html", p)
}

// seesAny reports whether one of some outlets is the actor's to read of.
func (c *call) seesAny(list []telemetry.OutletID) bool {
	scope := c.scope(ReadList)
	return scope.All() || slices.ContainsFunc(list, func(id telemetry.OutletID) bool { return scope.Contains(ObjectOf(c.snap.Outlets[id])) })
}

// outletOptions are the outlets to choose from.
func (h *Handler) outletOptions(c *call, chosen string) []web.Option {
	out := make([]web.Option, 0, len(c.snap.Order))
	scope := c.scope(EditList)
	for _, id := range c.snap.Order {
		if o := c.snap.Outlets[id]; o != nil && scope.Contains(ObjectOf(o)) {
			text := strconv.Itoa(int(id))
			out = append(out, web.Option{Value: text, Text: c.outletName(o).Text, Selected: text == chosen})
		}
	}
	return out
}

func (c *call) recomputeLine(r *quality.Recompute) recomputeLine {
	line := recomputeLine{
		Asked: time.UnixMicro(r.ID), Cause: c.l.T("recompute.cause_" + r.Cause), By: r.By, Why: r.Why, Whom: c.l.T("recompute.outlets", "n", len(r.Outlets)),
		Range: c.l.T("recompute.all_days"), Rows: c.l.T("recompute.rows", "rows", r.Rows, "changed", r.Changed),
	}
	if r.Cause == quality.CauseRegistry {
		if key := "registry.action_" + r.Why; c.l.Has(key) {
			line.Why = c.l.T(key)
		}
	}
	if len(r.Outlets) == 1 {
		if o := c.snap.Outlets[r.Outlets[0]]; o != nil {
			line.Whom, line.Href = c.outletName(o).Text, c.path(outletPath(o.ID)+"/history")
		}
	}
	if r.From != 0 || r.To != 0 {
		from, to := "…", "…"
		if r.From != 0 {
			from = i18n.Short(time.Unix(r.From, 0))
		}
		if r.To != 0 {
			to = i18n.Short(time.Unix(r.To-1, 0))
		}
		line.Range = from + " – " + to
	}
	switch {
	case r.Ended != 0 && r.Left:
		line.Status, line.Duration = c.l.T("recompute.left"), c.l.Duration(r.Duration())
	case r.Ended != 0:
		line.Status, line.Duration = c.l.T("recompute.ended"), c.l.Duration(r.Duration())
	case r.Started == 0:
		line.Status = c.l.T("recompute.waiting")
	default:
		line.Status = c.l.T("recompute.running", "percent", 100*r.Done/max(r.Hours, 1))
		line.Running = &web.Progress{Text: line.Status, Done: r.Done, Total: max(r.Hours, 1)}
		if left, ok := r.Remaining(c.now); ok {
			line.Duration = c.l.T("recompute.remaining", "span", c.l.Duration(left))
		}
	}
	return line
}

// maxWhy is the longest reason, in characters.
const maxWhy = 500

func (h *Handler) recomputeAsk(c *call) error {
	form := func(name string) string { return strings.TrimSpace(c.r.PostForm.Get(name)) }
	wrong := map[string]string{}
	req := quality.RecomputeRequest{By: c.actor.Post, Why: form("why")}
	switch {
	case req.Why == "":
		wrong["why"] = c.l.T("recompute.why_wrong")
	case utf8.RuneCountInString(req.Why) > maxWhy:
		wrong["why"] = c.l.T("err.field.long", "max", maxWhy)
	}
	date := func(name string) (at time.Time) {
		if form(name) == "" {
			return at
		}
		at, ok := i18n.ParseStamp(form(name))
		if !ok {
			wrong[name] = c.l.T("recompute.date_wrong")
		}
		return at
	}
	req.From = date("from")
	if req.To = date("to"); !req.To.IsZero() {
		req.To = req.To.AddDate(0, 0, 1) // the day named is in it
	}
	if !req.From.IsZero() && !req.To.IsZero() && !req.To.After(req.From) {
		wrong["to"] = c.l.T("recompute.order_wrong")
	}
	if s := form("outlet"); s != "" {
		id, ok := parseOutletID(s)
		if !ok || c.snap.Outlets[id] == nil {
			return notFound()
		}
		req.Outlets = []telemetry.OutletID{id}
	}
	var of *telemetry.Outlet
	if req.Outlets != nil {
		of = c.snap.Outlets[req.Outlets[0]]
	}
	if err := c.must(EditList, of); err != nil {
		return err
	}
	if len(wrong) > 0 {
		return h.recomputePage(c, http.StatusUnprocessableEntity, wrong)
	}
	r, err := h.Quality.Recompute(req)
	if errors.Is(err, quality.ErrNothing) {
		return h.recomputePage(c, http.StatusUnprocessableEntity, map[string]string{"from": c.l.T("recompute.nothing")})
	}
	if err != nil {
		return err
	}
	return c.done("/recompute", "recompute", "n", len(r.Outlets), "days", r.Hours/24)
}
