package telemetryweb

import (
	"math"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"time"

	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/report"
	"plateau/internal/web"
	"plateau/internal/web/chart"
)

// heatDate is what of a period the completeness shows: its day, else its last
// month.
func heatDate(p report.Period) string {
	if p.Level == quality.LevelDay || p.Level == quality.LevelMonth {
		return p.Date()
	}
	return report.PeriodAt(quality.LevelMonth, p.To.Add(-time.Hour)).Date()
}

type completeView struct {
	exported
	Name      word
	Period    report.Period
	Heat      chart.Heat
	Pager     web.Pager
	AreaField web.Field
	DateField web.Field
	Previous  string
	Next      string
	Below     float64
	Total     int
}

// topArea is the area completeness begins with: the province, or what there is.
func (h *Handler) topArea(c *call) string {
	for _, code := range sortedKeys(c.snap.Areas) {
		if a := c.snap.Areas[code]; a.Parent == "" && c.snap.Current(a) {
			return code
		}
	}
	return ""
}

// areaChoices lists the areas that hold an outlet the actor sees.
func (h *Handler) areaChoices(c *call, current string) []web.Option {
	var out []web.Option
	for _, code := range sortedKeys(c.snap.Areas) {
		if a := c.snap.Areas[code]; c.snap.Current(a) && len(h.seenIn(c, code)) > 0 {
			out = append(out, web.Option{Value: code, Text: c.area(code).Text, Selected: code == current})
		}
	}
	return out
}

// seenIn lists the outlets of an area that the actor sees.
func (h *Handler) seenIn(c *call, area string) []*telemetry.Outlet {
	scope := report.ScopeRegion
	if a := c.snap.Areas[area]; a != nil && a.Level == "county" {
		scope = report.ScopeCounty
	}
	all, _ := report.Outlets(c.snap, scope, area)
	out := all[:0:0]
	for _, o := range all {
		if c.sees(o) {
			out = append(out, o)
		}
	}
	return out
}

// completeness shows outlets by days of a month, or by hours of a day.
func (h *Handler) completeness(c *call) error {
	area := c.query("area")
	if area == "" {
		area = h.topArea(c)
	}
	p := report.PeriodAt(quality.LevelMonth, c.now)
	if date := i18n.Digits(c.query("date")); date != "" {
		level := quality.LevelMonth
		if len(date) > len("2006-01") {
			level = quality.LevelDay
		}
		var ok bool
		if p, ok = report.ParsePeriod(level, date); !ok || p.From.After(c.now) {
			return notFound()
		}
	}
	if c.snap.Areas[area] == nil {
		return notFound()
	}
	outlets := h.seenIn(c, area)
	if _, format := cutFormat(path.Base(c.r.URL.Path)); format != "" {
		return h.exportCompleteness(c, area, outlets, p, format)
	}
	size, err := report.ReadSize(h.ruleSet(), i18n.Short(c.now))
	if err != nil {
		return err
	}
	v := &completeView{Name: c.area(area), Period: p, Below: size.ShownBelow, Total: len(outlets)}
	t := web.Table{Path: c.path("/completeness"), Query: c.r.URL.Query()}
	from, to, pager := t.Cut(len(outlets), listPage)
	v.Pager = pager
	link := func(p report.Period) string {
		return c.path("/completeness") + "?" + url.Values{"area": {area}, "date": {p.Date()}}.Encode()
	}
	v.Previous = link(p.Previous())
	if n := p.Next(); n.From.Before(c.now) {
		v.Next = link(n)
	}
	v.exported = exported{c.path("/completeness"), url.Values{"area": {area}, "date": {p.Date()}}.Encode()}
	v.AreaField = web.Field{Name: "area", Kind: "select", Label: c.l.T("outlets.area"), Options: h.areaChoices(c, area)}
	v.DateField = web.Field{Name: "date", Label: c.l.T("report.month_or_day"), Value: p.Date(), Input: "numeric"}
	if v.Heat, err = h.heatOf(c, outlets[from:to], p, size.ShownBelow, link); err != nil {
		return err
	}
	return h.render(c, http.StatusOK, "completeness.html", &web.Page{
		Title: c.l.T("report.complete_title", "name", v.Name.Text, "date", p.Date()), Module: "reports", Wide: true,
		Crumbs: []web.Crumb{{Text: c.l.T("nav.reports"), Path: "/reports"}}, Data: v,
	})
}

// heatOf makes the table of some outlets. A cell leads to the day or the hour.
func (h *Handler) heatOf(c *call, outlets []*telemetry.Outlet, p report.Period, below float64, link func(report.Period) string) (chart.Heat, error) {
	heat := chart.Heat{Caption: c.l.T("report.complete_caption"), Print: below}
	m := h.maker(c)
	for i, o := range outlets {
		shares, err := m.Completeness(c.ctx(), o, p)
		if err != nil {
			return heat, err
		}
		name := c.outletName(o)
		row := chart.HeatRow{Name: name.Text, Lang: name.Lang, Href: c.path(reportPath(report.ScopeOutlet, strconv.Itoa(int(o.ID)), p))}
		for k, s := range shares {
			if i == 0 {
				heat.Heads = append(heat.Heads, c.heatHead(p, s.From, k, link))
			}
			row.Percent = append(row.Percent, float(s.Percent()))
			if math.IsNaN(row.Percent[k]) {
				row.Hrefs = append(row.Hrefs, "")
				continue
			}
			href := c.path(reportPath(report.ScopeOutlet, strconv.Itoa(int(o.ID)), report.PeriodAt(quality.LevelDay, s.From)))
			if p.Level == quality.LevelDay {
				href = c.path(outletPath(o.ID)+"/"+p.Date()) + "?hour=" + s.From.In(i18n.Zone).Format("15") + "#why"
			}
			row.Hrefs = append(row.Hrefs, href)
		}
		heat.Rows = append(heat.Rows, row)
	}
	return heat, nil
}

func (c *call) heatHead(p report.Period, at time.Time, i int, link func(report.Period) string) chart.HeatHead {
	if p.Level == quality.LevelDay {
		return chart.HeatHead{Text: at.In(i18n.Zone).Format("15"), Quiet: i%3 != 0}
	}
	head := chart.HeatHead{Text: strconv.Itoa(at.In(i18n.Zone).Day())}
	if !at.After(c.now) {
		head.Href = link(report.PeriodAt(quality.LevelDay, at))
	}
	return head
}

func (h *Handler) exportCompleteness(c *call, area string, outlets []*telemetry.Outlet, p report.Period, format string) error {
	e := &export{
		Name: "completeness-" + area + "-" + p.Date(), About: h.about(c, c.area(area).Text+" "+p.Date()), Codes: []string{"outlet", "name", "area", "at", "seen_n", "due_n", "complete_pct"},
		Decimals: map[int]int{6: 1},
	}
	e.words(c)
	m := h.maker(c)
	for _, o := range outlets {
		shares, err := m.Completeness(c.ctx(), o, p)
		if err != nil {
			return err
		}
		for _, s := range shares {
			e.add(int(o.ID), c.outletName(o).Text, o.Area, isoOf(s.From), s.Seen, s.Expected, plain(s.Percent()))
		}
	}
	return e.send(c, format)
}
