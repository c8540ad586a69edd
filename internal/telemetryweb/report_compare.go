package telemetryweb

import (
	"cmp"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"

	"plateau/hj212"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/report"
	"plateau/internal/web"
	"plateau/internal/web/chart"
)

type compareLine struct {
	Rank   string
	Name   word
	Href   string
	Mean   string
	Max    string
	Valid  string
	Share  string
	Over   int
	Total  string
	Limit  string
	Folded bool

	rank int
}

// chosenOutlet is an outlet the reader compares, or may.
type chosenOutlet struct {
	ID      string
	Name    word
	Checked bool
}

type compareView struct {
	exported
	Period      report.Period
	Factor      word
	Unit        string
	Panels      chart.Panels
	Lines       []compareLine
	Chosen      []chosenOutlet
	More        web.Field
	FactorField web.Field
	LevelField  web.Field
	DateField   web.Field
	Most        int
	Amounts     bool
	Skipped     int // chosen, but without the factor
	Previous    string
	Next        string
}

// compare sets outlets side by side; everything chosen is in the address.
func (h *Handler) compare(c *call) error {
	size, err := report.ReadSize(h.ruleSet(), i18n.Short(c.now))
	if err != nil {
		return err
	}
	q := c.r.URL.Query()
	level := c.query("level")
	if !slices.Contains(report.Levels, level) {
		level = quality.LevelDay
	}
	p := report.PeriodAt(level, c.now)
	if date := i18n.Digits(c.query("date")); date != "" {
		at, ok := dateIn(date)
		if p = report.PeriodAt(level, at); !ok || p.From.After(c.now) {
			return notFound()
		}
	}
	var outlets []*telemetry.Outlet
	for _, id := range q["o"] {
		if id == "" {
			continue
		}
		o, err := h.find(c, id)
		if err != nil {
			return err
		}
		if !slices.Contains(outlets, o) && len(outlets) < size.CompareOutlets {
			outlets = append(outlets, o)
		}
	}
	factor := c.query("factor")
	if len(outlets) == 0 {
		if factor, outlets, err = h.defaultCompare(c, factor); err != nil {
			return err
		}
	}
	if factor == "" && len(outlets) > 0 {
		factor = firstPollutant(outlets[0])
	}
	list, err := h.maker(c).Compare(c.ctx(), outlets, factor, p)
	if err != nil {
		return err
	}
	if _, format := cutFormat(path.Base(c.r.URL.Path)); format != "" {
		return h.exportCompare(c, list, factor, p).send(c, format)
	}
	v := &compareView{Period: p, Factor: c.factor(factor), Most: size.CompareOutlets, Skipped: len(outlets) - len(list)}
	h.compareForm(c, v, outlets, factor, level, p)
	h.compareResult(c, v, list, factor, p)
	return h.render(c, http.StatusOK, "compare.html", &web.Page{
		Title: c.l.T("report.compare_title", "factor", v.Factor.Text, "date", p.Date()), Module: "reports", Wide: true,
		Crumbs: []web.Crumb{{Text: c.l.T("nav.reports"), Path: "/reports"}}, Data: v,
	})
}

// firstPollutant is an outlet's first factor that is emitted.
func firstPollutant(o *telemetry.Outlet) string {
	for i := range o.Factors {
		if f, ok := hj212.LookupFactor(o.Factors[i].Code); ok && f.EmissionUnit == "kg" {
			return f.Code
		}
	}
	if len(o.Factors) > 0 {
		return o.Factors[0].Code
	}
	return ""
}

// defaultCompared is how many outlets are compared when none is chosen.
const defaultCompared = 4

// defaultCompare chooses for the reader: what needs somebody most, and others
// of the same kind beside it.
func (h *Handler) defaultCompare(c *call, factor string) (string, []*telemetry.Outlet, error) {
	states, err := h.states(c, filter{})
	if err != nil || len(states) == 0 {
		return factor, nil, err
	}
	states = slices.Clone(states)
	slices.SortStableFunc(states, byUrgency)
	if factor == "" {
		for _, s := range states {
			if s.Factor != "" {
				factor = s.Factor
				break
			}
		}
	}
	if factor == "" {
		factor = firstPollutant(c.snap.Outlets[states[0].Outlet])
	}
	var out []*telemetry.Outlet
	for _, s := range states {
		o := c.snap.Outlets[s.Outlet]
		if !slices.ContainsFunc(o.Factors, func(f telemetry.OutletFactor) bool { return f.Code == factor }) || len(out) > 0 && o.SourceType != out[0].SourceType {
			continue
		}
		if out = append(out, o); len(out) == defaultCompared {
			break
		}
	}
	return factor, out, nil
}

func (h *Handler) compareForm(c *call, v *compareView, outlets []*telemetry.Outlet, factor, level string, p report.Period) {
	query := url.Values{"factor": {factor}, "level": {level}, "date": {p.Date()}}
	for _, o := range outlets {
		id := strconv.Itoa(int(o.ID))
		query.Add("o", id)
		v.Chosen = append(v.Chosen, chosenOutlet{ID: id, Name: c.outletName(o), Checked: true})
	}
	v.exported = exported{c.path("/compare"), query.Encode()}
	step := func(p report.Period) string {
		query.Set("date", p.Date())
		return c.path("/compare") + "?" + query.Encode()
	}
	v.Previous = step(p.Previous())
	if n := p.Next(); n.From.Before(c.now) {
		v.Next = step(n)
	}
	v.More = web.Field{Name: "o", Kind: "select", Label: c.l.T("report.compare_add"), Options: []web.Option{{Text: c.l.T("report.compare_none")}}}
	factors := map[string]bool{}
	for _, id := range c.snap.Order {
		o := c.snap.Outlets[id]
		if o == nil || !c.sees(o) {
			continue
		}
		has := false
		for i := range o.Factors {
			factors[o.Factors[i].Code] = true
			has = has || o.Factors[i].Code == factor
		}
		if has && !slices.Contains(outlets, o) && len(v.More.Options) < maxChoices {
			v.More.Options = append(v.More.Options, web.Option{Value: strconv.Itoa(int(id)), Text: c.outletName(o).Text})
		}
	}
	v.FactorField = web.Field{Name: "factor", Kind: "select", Label: c.l.T("outlets.col_factor")}
	for _, code := range sortedKeys(factors) {
		v.FactorField.Options = append(v.FactorField.Options, web.Option{Value: code, Text: c.factor(code).Text, Selected: code == factor})
	}
	v.LevelField = web.Field{Name: "level", Kind: "select", Label: c.l.T("report.period")}
	for _, l := range report.Levels {
		v.LevelField.Options = append(v.LevelField.Options, web.Option{Value: l, Text: c.l.T("report.over_" + l), Selected: l == level})
	}
	v.DateField = web.Field{Name: "date", Label: c.l.T("report.date"), Value: p.Date(), Input: "numeric"}
}

func (h *Handler) compareResult(c *call, v *compareView, list []report.Compared, factor string, p report.Period) {
	v.Panels = chart.Panels{Decimals: decimals(factor)}
	switch p.Level {
	case quality.LevelDay:
		v.Panels.First, v.Panels.Last = "00:00", "24:00"
	case quality.LevelMonth:
		v.Panels.First, v.Panels.Last = i18n.Short(p.From), i18n.Short(p.To.AddDate(0, 0, -1))
	default:
		v.Panels.First, v.Panels.Last = p.From.In(i18n.Zone).Format("2006-01"), p.To.AddDate(0, 0, -1).In(i18n.Zone).Format("2006-01")
	}
	for i := range list {
		x := &list[i]
		o := c.snap.Outlets[x.Outlet]
		name := c.outletName(o)
		v.Unit, v.Panels.Unit = unit(x.Unit), unit(x.Unit)
		panel := chart.Panel{Name: name.Text, Lang: name.Lang, Href: c.path(reportPath(report.ScopeOutlet, strconv.Itoa(int(x.Outlet)), p)), Limit: upper(x.Limit), Lower: float(x.Limit.Lo)}
		for _, pt := range x.Points {
			panel.Values = append(panel.Values, float(pt.V))
			panel.Weak = append(panel.Weak, !pt.Valid)
			panel.Over = append(panel.Over, pt.Over)
		}
		v.Panels.Series = append(v.Panels.Series, panel)
		line := compareLine{
			Rank: i18n.Missing, Name: name, Href: panel.Href, Mean: fixed(x.Mean, decimals(factor), quality.LimitRef{}), Max: fixed(x.Max, decimals(factor), quality.LimitRef{}),
			Valid: strconv.Itoa(x.N) + "/" + strconv.Itoa(x.Of), Share: i18n.Missing, Over: x.Over, Limit: limitText(x.Limit), Folded: x.Folded, Total: amountText(x.Total),
		}
		if x.Rank > 0 {
			line.Rank = strconv.Itoa(x.Rank)
		}
		if x.Of > 0 {
			line.Share = i18n.Number(100*float64(x.N)/float64(x.Of), 1) + "%"
		}
		v.Amounts = v.Amounts || x.Total.OK
		line.rank = x.Rank
		v.Lines = append(v.Lines, line)
	}
	slices.SortStableFunc(v.Lines, func(a, b compareLine) int { return cmp.Compare(uint(a.rank-1), uint(b.rank-1)) }) // without a mean last
}

// exportCompare is the comparison for other programs: what each outlet has
// together first, then its figures.
func (h *Handler) exportCompare(c *call, list []report.Compared, factor string, p report.Period) *export {
	e := &export{
		Name: "compare-" + slug(factor) + "-" + p.Date(), About: h.about(c, c.factor(factor).Text+" "+p.Date()), Decimals: map[int]int{5: decimals(factor), 7: decimals(factor)},
		Codes: []string{"row", "outlet", "name", "factor", "at", "mean", "unit", "max", "valid", "over", "valid_n", "due_n", "rank", "measured_kg", "total_kg", "limit_lo", "limit_hi", "folded_by"},
	}
	e.words(c)
	for i := range list {
		x := &list[i]
		name := c.outletName(c.snap.Outlets[x.Outlet]).Text
		e.add("outlet", int(x.Outlet), name, factor, isoOf(p.From), plain(x.Mean), unit(x.Unit), plain(x.Max), nil, x.Over, x.N, x.Of, x.Rank, plain(x.Measured), plain(x.Total), plain(x.Limit.Lo), plain(x.Limit.Hi), x.Folded)
	}
	for i := range list {
		x := &list[i]
		name := c.outletName(c.snap.Outlets[x.Outlet]).Text
		for _, pt := range x.Points {
			e.add("point", int(x.Outlet), name, factor, isoOf(pt.From), plain(pt.V), unit(x.Unit), nil, pt.Valid, pt.Over, nil, nil, nil, nil, nil, nil, nil, x.Folded)
		}
	}
	return e
}
