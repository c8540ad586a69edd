package telemetryweb

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/internal/web/chart"
)

// row is an outlet with its state, as lists show it.
type row struct {
	Outlet     *telemetry.Outlet
	State      quality.StateResult
	Name       word
	Place      word
	Enterprise word
	Sample     bool
	Href       string
	Factor     word
	Value      string
	Limit      string
	Unit       string
	Level      string
	ValueHref  string
	Bar        chart.Bar
	Spark      chart.Spark
	Percent    string // valid hours of the last 24
	Since      string
	Why        string
}

// filter is what the query of overview and list asks for.
type filter struct {
	State, Area, Medium, Text string
}

func (c *call) filter() filter {
	return filter{c.query("state"), c.query("area"), c.query("medium"), c.query("q")}
}

// Any reports whether the filter leaves anything out.
func (f filter) Any() bool { return f != filter{} }

// words says the filter as a sentence part.
func (f filter) words(c *call) string {
	var parts []string
	if s, ok := quality.ParseState(f.State); ok {
		parts = append(parts, c.l.T("state."+s.String()))
	}
	if f.Area != "" {
		parts = append(parts, c.area(f.Area).Text)
	}
	if f.Medium != "" {
		parts = append(parts, c.l.T("medium."+f.Medium))
	}
	if f.Text != "" {
		parts = append(parts, "“"+f.Text+"”")
	}
	return strings.Join(parts, "，")
}

func (f filter) matches(c *call, o *telemetry.Outlet) bool {
	if f.Medium != "" && string(o.Medium) != f.Medium {
		return false
	}
	if f.Area != "" && !c.snap.Within(o.Area, f.Area) {
		return false
	}
	if f.Text == "" {
		return true
	}
	hay := []string{o.Name.Zh, o.Name.Bo, o.Name.En}
	if e := c.snap.Enterprises[o.Enterprise]; e != nil {
		hay = append(hay, e.Name.Zh, e.Name.Bo, e.Name.En, e.Permit)
	}
	for mn, d := range c.snap.Devices {
		if d.Outlet == o.ID {
			hay = append(hay, mn)
		}
	}
	want := strings.ToLower(f.Text)
	return slices.ContainsFunc(hay, func(s string) bool { return strings.Contains(strings.ToLower(s), want) })
}

// states lists what the actor may see and the filter keeps, but for the state.
func (h *Handler) states(c *call, f filter) ([]quality.StateResult, error) {
	all, err := h.Quality.States(c.now)
	if err != nil {
		return nil, err
	}
	out := make([]quality.StateResult, 0, len(all))
	for _, s := range all {
		if o := c.snap.Outlets[s.Outlet]; o != nil && c.sees(o) && f.matches(c, o) {
			out = append(out, s)
		}
	}
	return out, nil
}

// row makes a list row. The sparkline is left out where it is not shown.
func (h *Handler) row(c *call, s quality.StateResult, spark bool) row {
	o := c.snap.Outlets[s.Outlet]
	r := row{
		Outlet: o, State: s, Name: c.outletName(o), Place: c.place(o), Sample: o.Sample, Href: c.path(outletPath(o.ID)),
		Limit: limitText(s.Limit), Value: figureFor(s.Value, s.Factor, s.Limit), Level: c.levelText(s.Level, s.Folded), Why: c.why(s),
		Bar: chart.Bar{Value: float(s.Value), Limit: upper(s.Limit)},
	}
	if e := c.snap.Enterprises[o.Enterprise]; e != nil {
		r.Enterprise = c.name(e.Name)
	}
	factor := s.Factor
	if spark {
		sp := h.Quality.Spark(o.ID, s.Factor, c.now)
		factor = cmp.Or(factor, sp.Factor)
		limit := sp.Limit
		if limit.IsZero() && s.Factor == factor { // single values have limits too
			limit = s.Limit
		}
		r.Spark = chart.Spark{Values: make([]float64, len(sp.Values)), Limit: upper(limit), Decimals: decimals(factor)}
		for i, v := range sp.Values {
			r.Spark.Values[i] = float(v)
		}
		if r.Limit == "" {
			r.Limit = limitText(sp.Limit)
		}
		r.Percent = i18n.Missing
		if sp.Due > 0 {
			r.Percent = i18n.Number(100*float64(sp.Valid)/float64(sp.Due), 0) + "%"
		}
	}
	if factor != "" {
		r.Factor, r.Unit = c.factor(factor), unitOf(o, factor)
	}
	if s.Level != "" && s.Factor != "" && s.Value.OK {
		if id := valueID(o.ID, s.Factor, s.Level, s.At); id != "" {
			r.ValueHref = c.path("/values/" + id)
		}
	}
	if !s.Since.IsZero() {
		r.Since = c.l.Duration(c.now.Sub(s.Since))
	}
	return r
}

// byUrgency orders by times over the limit, then by how long it lasts.
func byUrgency(a, b quality.StateResult) int {
	return cmp.Or(cmp.Compare(times(b), times(a)), a.Since.Compare(b.Since), cmp.Compare(a.Outlet, b.Outlet))
}

// times over the limit; −1 where there is no value, so that it comes last.
func times(s quality.StateResult) float64 {
	if s.Times.OK {
		return s.Times.V
	}
	if s.Value.OK && s.Limit.Hi.OK && s.Limit.Hi.V > 0 {
		return s.Value.V/s.Limit.Hi.V - 1
	}
	return math.Inf(-1)
}

// counts of states in a list.
func countsOf(list []quality.StateResult) quality.Counts {
	n := quality.Counts{}
	for _, s := range list {
		n[s.State]++
	}
	return n
}

// exportRows is the table of outlets for other programs.
func (h *Handler) exportRows(c *call, list []quality.StateResult, f filter) export {
	e := export{
		Name: "outlets", About: h.about(c, f.words(c)),
		Codes: []string{"outlet", "name", "enterprise", "area", "medium", "state", "since", "factor", "level", "at", "value", "unit", "limit_lo", "limit_hi", "times_over", "reason"},
	}
	e.words(c)
	for _, s := range list {
		r := h.row(c, s, false)
		e.add(int(s.Outlet), r.Name.Text, r.Enterprise.Text, r.Outlet.Area, string(r.Outlet.Medium), s.State.String(), isoOf(s.Since), s.Factor, s.Level, isoOf(s.At),
			plain(s.Value), r.Unit, plain(s.Limit.Lo), plain(s.Limit.Hi), plain(s.Times), cmp.Or(r.Why, c.reason(s.Reason)))
	}
	return e
}

func isoOf(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.In(i18n.Zone).Format(time.RFC3339)
}
