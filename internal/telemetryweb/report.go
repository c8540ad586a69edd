package telemetryweb

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/figures"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/report"
	"plateau/internal/web"
)

func reportRoutes() []route {
	return []route{
		{"GET", "/reports", View, (*Handler).reports},
		{"GET", "/reports/{scope}/{id}/{level}/{date}", View, (*Handler).report},
		{"POST", "/reports/{scope}/{id}/{level}/{date}", View, (*Handler).reportMake},
		{"GET", "/reports/jobs/{id}", View, (*Handler).reportJob},
		{"POST", "/reports/jobs/{id}/cancel", View, (*Handler).reportCancel},
		{"GET", "/completeness", View, (*Handler).completeness},
		{"GET", "/completeness.csv", View, (*Handler).completeness},
		{"GET", "/completeness.xlsx", View, (*Handler).completeness},
		{"GET", "/compare", View, (*Handler).compare},
		{"GET", "/compare.csv", View, (*Handler).compare},
		{"GET", "/compare.xlsx", View, (*Handler).compare},
		{"GET", "/handover", Shifts, (*Handler).handovers},
		{"GET", "/handover/{shift}", Shifts, (*Handler).handoverPage},
		{"POST", "/handover/{shift}", Shifts, (*Handler).handoverSign},
	}
}

// reportPath is the address of a report without the language.
func reportPath(scope, id string, p report.Period) string {
	return "/reports/" + scope + "/" + url.PathEscape(id) + "/" + p.Level + "/" + p.Date()
}

// maker makes reports as of now.
func (h *Handler) maker(c *call) *report.Maker {
	return &report.Maker{Rows: h.Quality, Rules: h.ruleSet(), Now: c.now}
}

// makerOf makes reports of some outlets: as of now, or as the address asks as
// known at an instant, which is the call's now then. Outlets come back as the
// registry had them; one to come is said and ignored.
func (h *Handler) makerOf(c *call, outlets []*telemetry.Outlet) (*report.Maker, []*telemetry.Outlet, error) {
	at, ok, err := c.asKnown()
	if err != nil || !ok {
		return h.maker(c), outlets, err
	}
	k, err := h.Quality.AsKnown(at)
	if errors.Is(err, quality.ErrFuture) {
		c.notes = append(c.notes, web.Notice{Kind: "warn", Text: c.l.T("known.future", "at", knownStamp(at))})
		return h.maker(c), outlets, nil
	}
	if err != nil {
		return nil, nil, err
	}
	rows, outlets, err := report.AsKnown(c.ctx(), k, outlets)
	c.knownAt, c.now = at, at
	m := h.maker(c)
	m.Rows = rows
	return m, outlets, err
}

// subject reads the address of a report and checks that the actor may have it.
// outlets is nil for the report of one outlet.
func (h *Handler) subject(c *call) (scope, id string, p report.Period, outlets []*telemetry.Outlet, format string, err error) {
	scope, id = c.r.PathValue("scope"), c.r.PathValue("id")
	date, format := cutFormat(c.r.PathValue("date"))
	p, ok := report.ParsePeriod(c.r.PathValue("level"), date)
	if !ok || p.From.After(c.now) {
		return scope, id, p, nil, format, notFound()
	}
	if scope == report.ScopeOutlet {
		return scope, id, p, nil, format, nil
	}
	outlets, err = h.outletsOf(c, scope, id)
	return scope, id, p, outlets, format, err
}

// outletsOf lists the outlets of an enterprise or area, if the actor may see
// all of them.
func (h *Handler) outletsOf(c *call, scope, id string) ([]*telemetry.Outlet, error) {
	outlets, ok := report.Outlets(c.snap, scope, id)
	if !ok {
		return nil, notFound()
	}
	of := access.Object{Area: id}
	if scope == report.ScopeEnterprise {
		of = objectOfEnterprise(c.snap.Enterprises[id])
	}
	if !c.seen.Contains(of) || slices.ContainsFunc(outlets, func(o *telemetry.Outlet) bool { return !c.sees(o) }) {
		return nil, refused(c.l, allOutlets)
	}
	return outlets, nil
}

func (h *Handler) report(c *call) error {
	scope, id, p, outlets, format, err := h.subject(c)
	if err != nil {
		return err
	}
	if scope == report.ScopeOutlet {
		return h.outletReport(c, id, p, format)
	}
	return h.listReport(c, scope, id, p, outlets, format)
}

// sheet makes the report of an outlet, if the actor may see it.
func (h *Handler) sheet(c *call, id string, p report.Period) (*telemetry.Outlet, *report.Sheet, error) {
	o, look, err := h.look(c, id)
	if err != nil {
		return nil, nil, err
	}
	if p.From.After(c.now) {
		return nil, nil, errs.New(errs.Invalid, "known.period_later", "at", knownStamp(c.knownAt))
	}
	m := h.maker(c)
	m.Rows = sightRows{look}
	s, err := m.Outlet(c.ctx(), o, p)
	return o, s, err
}

func (h *Handler) outletReport(c *call, id string, p report.Period, format string) error {
	o, s, err := h.sheet(c, id, p)
	if err != nil {
		return err
	}
	if format != "" {
		return h.exportSheet(c, o, s).send(c, format)
	}
	v := h.sheetView(c, o, s)
	v.Related = c.relatedPages(o, p)
	return h.render(c, http.StatusOK, "report.html", &web.Page{
		Title: c.l.T("report.title_"+p.Level, "name", v.Name.Text, "date", p.Date()), Module: "reports", Wide: true,
		Crumbs: []web.Crumb{{Text: c.l.T("nav.reports"), Path: "/reports"}, {Text: v.Name.Text, Path: outletPath(o.ID)}}, Data: v,
	})
}

// relatedPages are where a reader of the outlet's report goes on.
func (c *call) relatedPages(o *telemetry.Outlet, p report.Period) []web.Tab {
	totals := c.path(outletPath(o.ID) + "/totals")
	if p.Level != quality.LevelDay {
		totals += "?" + url.Values{"level": {p.Level}, "date": {p.Date()}}.Encode()
	}
	return []web.Tab{
		{Text: c.l.T("totals.tab"), Href: c.keep(totals)},
		{Text: c.l.T("nav.alarms"), Href: c.path(outletPath(o.ID) + "/alarms")},
		{Text: c.l.T("gaps.title"), Href: c.path("/gaps") + "?outlet=" + strconv.Itoa(int(o.ID))},
	}
}

// reportFrame is what every report has around its table.
type reportFrame struct {
	Period      report.Period
	Until       time.Time
	Provisional bool
	Levels      []web.Tab
	Previous    string
	Next        string
	Export      string // address without the ending
	By          string // post
	Made        time.Time
	Rules       []string // versions and digests
	Unverified  bool     // the layout is not certain
	URL         string
	Known       *knownView // nil: the report is of now only
	query       string
}

// ExportAs is the address of a format.
func (f *reportFrame) ExportAs(format string) string {
	return exported{f.Export, f.query}.ExportAs(format)
}

// around fills what stands around a report.
func (h *Handler) around(c *call, scope, id string, p report.Period) reportFrame {
	f := reportFrame{
		Period: p, Until: p.Until(c.now), By: c.actor.Post, Made: c.asked, query: c.keepQuery(), URL: c.r.Host + c.r.URL.RequestURI(),
		Previous: c.keep(c.path(reportPath(scope, id, p.Previous()))), Export: c.path(reportPath(scope, id, p)),
	}
	f.Provisional = f.Until.Before(p.To)
	if n := p.Next(); n.From.Before(c.now) {
		f.Next = c.keep(c.path(reportPath(scope, id, n)))
	}
	for _, level := range report.Levels {
		at := p.From
		if p.Level != level && p.To.After(c.now) { // the running year leads to today, not to 1 January
			at = c.now
		}
		f.Levels = append(f.Levels, web.Tab{
			Text: c.l.T("report.level_" + level), Href: c.keep(c.path(reportPath(scope, id, report.PeriodAt(level, at)))), Current: level == p.Level,
		})
	}
	return f
}

// headCell is a head over one or more columns.
type headCell struct {
	Name word
	Unit string
	Span int
	Num  bool
	Tall bool // over both rows of the head: the column stands alone
}

// sheetCell is a figure as the page shows it.
type sheetCell struct {
	Text   string
	Href   string
	State  string // exceed or warn where it breaks its limit
	Mark   string // why it does not count: a mark, or how much of it is there
	Unit   string // where it is not the column's
	Method string // of a substituted figure
	Num    bool
	Weak   bool // shown, counts nowhere
	Open   bool // of a period that is not over
}

type sheetLine struct {
	Name  string
	Href  string
	Open  bool
	Total bool
	Cells []sheetCell
}

type sheetView struct {
	reportFrame
	Outlet     *telemetry.Outlet
	Name       word
	Place      word
	Enterprise word
	Permit     string
	Sample     bool
	Groups     []headCell // first row of the head
	Heads      []headCell // second row
	Lines      []sheetLine
	Sums       []sheetLine
	Fit        bool // few enough columns for a wide window
	Limits     []sheetLimit
	Rates      []rateLine
	Facts      [][2]string
	Put        []putLine // what was substituted
	Related    []web.Tab // the outlet's other pages of the period
}

type sheetLimit struct {
	Factor   word
	Limit    string
	Unit     string
	Standard string
	Level    string
	Over     int
	Warnings int
}

// quantityDecimals are the digits behind the point of amounts and flows.
var quantityDecimals = map[string]int{"kg": 3, "t": 4, "m3": 0, "1e4m3": 4}

// columnDecimals are the digits of a column.
func columnDecimals(col *report.Column) int {
	if d, ok := quantityDecimals[col.Unit]; ok && (col.Quantity == report.Amount || col.Quantity == report.Flow) {
		return d
	}
	return decimals(col.Factor)
}

// fixed writes a figure with the same digits as its column, and more where
// rounding would show it on the other side of its limit.
func fixed(v quality.Opt, d int, l quality.LimitRef) string {
	if !v.OK {
		return i18n.Missing
	}
	for ; d < 6 && !l.IsZero(); d++ {
		shown, err := strconv.ParseFloat(i18n.HalfEven(strconv.FormatFloat(v.V, 'f', -1, 64), d), 64)
		if err != nil || quality.JudgeExceed(shown, l).Exceeds == quality.JudgeExceed(v.V, l).Exceeds {
			break
		}
	}
	return i18n.Number(v.V, d)
}

// amountUnit writes the units of amounts.
func (c *call) amountUnit(u string) string {
	if u == "1e4m3" {
		return "10⁴ m³"
	}
	return unit(u)
}

// columnHead names a column without its factor.
func (c *call) columnHead(col *report.Column, level string) headCell {
	h := headCell{Name: word{c.l.T("report.quantity_" + col.Quantity), string(c.lang)}, Unit: c.amountUnit(col.Unit), Span: 1, Num: col.Quantity != report.Note}
	if level == quality.LevelDay && col.Unit == "kg" { // of an hour
		h.Unit = "kg/h"
	}
	if level == quality.LevelDay && col.Unit == "m3" {
		h.Unit = "m³/h"
	}
	return h
}

// fitColumns is how many columns a wide window shows side by side.
const fitColumns = 16

func (h *Handler) sheetView(c *call, o *telemetry.Outlet, s *report.Sheet) *sheetView {
	v := &sheetView{
		reportFrame: h.around(c, report.ScopeOutlet, strconv.Itoa(int(o.ID)), s.Period), Outlet: o, Name: c.outletName(o), Place: c.place(o), Sample: o.Sample,
	}
	v.Provisional, v.Known = s.Provisional, c.knownForm()
	v.Rules, v.Unverified = sheetRules(s), s.Layout.Certainty == "unverified"
	if e := c.snap.Enterprises[o.Enterprise]; e != nil {
		v.Enterprise, v.Permit = c.name(e.Name), e.Permit
	}
	for i := range s.Columns {
		col := &s.Columns[i]
		name := word{c.l.T("report.quantity_" + col.Quantity), string(c.lang)}
		if col.Factor != "" {
			name = c.factor(col.Factor)
		}
		if n := len(v.Groups); n > 0 && col.Factor != "" && s.Columns[i-1].Factor == col.Factor {
			v.Groups[n-1].Span++
		} else {
			v.Groups = append(v.Groups, headCell{Name: name, Span: 1, Num: col.Quantity != report.Note})
		}
		v.Heads = append(v.Heads, c.columnHead(col, s.Period.Level))
	}
	v.mergeHeads()
	v.Fit = len(s.Columns) <= fitColumns
	for i := range s.Rows {
		v.Lines = append(v.Lines, c.sheetLine(o, s, &s.Rows[i]))
	}
	for i := range s.Sums {
		v.Sums = append(v.Sums, c.sumLine(s, &s.Sums[i]))
	}
	if s.Whole != nil {
		h.wholeView(c, v, s)
	}
	for i := range s.Substitution {
		v.Put = append(v.Put, c.putLine(&s.Substitution[i]))
	}
	for _, l := range s.Limits {
		v.Limits = append(v.Limits, sheetLimit{
			Factor: c.factor(l.Factor), Limit: limitText(l.Ref), Unit: unitOf(o, l.Factor), Standard: c.standard(l.Ref.ID),
			Level: c.l.T("statistic." + l.Ref.Statistic), Over: l.Over, Warnings: l.Warnings,
		})
	}
	return v
}

// mergeHeads lets the head of a column that stands alone take both rows.
func (v *sheetView) mergeHeads() {
	at := 0
	heads := v.Heads[:0:0]
	for i := range v.Groups {
		g := &v.Groups[i]
		if g.Span == 1 {
			g.Tall, g.Unit = true, v.Heads[at].Unit
		} else {
			heads = append(heads, v.Heads[at:at+g.Span]...)
		}
		at += g.Span
	}
	v.Heads = heads
}

// sheetRules lists what the report was made by: the layout and the digests of
// the rules the rows were judged by.
func sheetRules(s *report.Sheet) []string {
	out := []string{s.Layout.ID + " v" + strconv.Itoa(s.Layout.Version) + " " + s.Layout.Hash}
	return append(out, s.Digests...)
}

// rowName writes the period of a row: the hour as a range, the day, the month.
func rowName(r *report.Row) string {
	switch r.Kind {
	case quality.LevelHour:
		return i18n.Hours(r.From, r.To)
	case quality.LevelDay:
		return i18n.Short(r.From)
	}
	return r.From.In(i18n.Zone).Format("2006-01")
}

func (c *call) sheetLine(o *telemetry.Outlet, s *report.Sheet, r *report.Row) sheetLine {
	line := sheetLine{Name: rowName(r), Open: r.Running}
	level := ""
	switch r.Kind {
	case quality.LevelHour:
		level = quality.LevelHour
		line.Href = c.keep(c.path(outletPath(o.ID)+"/"+i18n.Short(r.From)) + "?hour=" + r.From.In(i18n.Zone).Format("15") + "#why")
	case quality.LevelDay:
		level = quality.LevelDay
		line.Href = c.keep(c.path(reportPath(report.ScopeOutlet, strconv.Itoa(int(o.ID)), report.PeriodAt(quality.LevelDay, r.From))))
	default:
		line.Href = c.keep(c.path(reportPath(report.ScopeOutlet, strconv.Itoa(int(o.ID)), report.PeriodAt(quality.LevelMonth, r.From))))
	}
	for i := range s.Columns {
		col, x := &s.Columns[i], &r.Cells[i]
		cell := sheetCell{Num: true}
		switch col.Quantity {
		case report.Load:
			cell.Text = ""
		case report.Note:
			cell.Num, cell.Text = false, c.rowNote(r)
		default:
			cell.Text = fixed(x.V, columnDecimals(col), x.Limit)
			cell.State, cell.Method = figures.Broken(x.Over, x.Evidence), x.Method
			cell.Open = r.Running && x.V.OK
			cell.Weak = x.V.OK && !x.Valid && !r.Running && x.Method == ""
			if x.Of > 0 && !x.Valid && !r.Running && x.Method == "" {
				cell.Mark = strconv.Itoa(x.N) + "/" + strconv.Itoa(x.Of)
			}
			if x.V.OK && level != "" && (col.Quantity == report.Measured || col.Quantity == report.Folded || col.Quantity == report.Value) {
				cell.Href = c.keep(c.path("/values/" + valueID(o.ID, col.Factor, level, r.From)))
			}
		}
		line.Cells = append(line.Cells, cell)
	}
	return line
}

// rowNote puts the remarks of a row into words.
func (c *call) rowNote(r *report.Row) string {
	var parts []string
	if r.Stopped {
		parts = append(parts, c.l.T("state.stopped"))
	}
	for _, m := range r.Marks {
		if key := "flag." + m; c.l.Has(key) {
			m += " " + c.l.T(key)
		}
		parts = append(parts, m)
	}
	if r.Revised {
		parts = append(parts, c.l.T("outlet.revised"))
	}
	return strings.Join(parts, c.l.T("common.list_comma"))
}

func (c *call) sumLine(s *report.Sheet, r *report.Row) sheetLine {
	line := sheetLine{Name: c.l.T("report.sum_" + r.Kind), Total: r.Kind == report.SumTotal}
	for i := range s.Columns {
		col, x := &s.Columns[i], &r.Cells[i]
		cell := sheetCell{Num: col.Quantity != report.Note}
		d := columnDecimals(col)
		switch {
		case !x.V.OK:
		case r.Kind == report.SumN:
			cell.Text = strconv.Itoa(x.N)
		case x.Unit != "":
			cell.Text, cell.Unit = fixed(x.V, quantityDecimals[x.Unit], x.Limit), c.amountUnit(x.Unit)
		default:
			cell.Text, cell.State = fixed(x.V, d, x.Limit), figures.Broken(x.Over, x.Evidence)
			if r.Kind == report.SumMean && !x.Valid && x.Of > 0 {
				cell.Weak, cell.Mark = true, strconv.Itoa(x.N)+"/"+strconv.Itoa(x.Of)
			}
		}
		line.Cells = append(line.Cells, cell)
	}
	return line
}

// exportSheet is the report for other programs: the same columns in the same
// order with every digit, and behind them what each factor's figures are worth.
func (h *Handler) exportSheet(c *call, o *telemetry.Outlet, s *report.Sheet) *export {
	e := &export{
		Name: "report-" + strconv.Itoa(int(o.ID)) + "-" + s.Period.Level + "-" + s.Period.Date(), About: h.about(c, ""),
		Codes: []string{"row", "from", "to"}, Decimals: map[int]int{},
	}
	e.words(c)
	var factors []int // the first column of each factor
	for i := range s.Columns {
		col := &s.Columns[i]
		e.Codes = append(e.Codes, col.ID)
		head := c.columnHead(col, s.Period.Level)
		text := head.Name.Text
		if col.Factor != "" {
			text = c.l.T("report.column", "factor", c.factor(col.Factor).Text, "quantity", text)
			if i == 0 || s.Columns[i-1].Factor != col.Factor {
				factors = append(factors, i)
			}
		}
		if head.Unit != "" {
			text += " (" + head.Unit + ")"
		}
		e.Words = append(e.Words, text)
		if col.Quantity != report.Note {
			e.Decimals[len(e.Codes)-1] = columnDecimals(col)
		}
	}
	for _, i := range factors {
		code := s.Columns[i].Factor
		for _, q := range []string{"mark", "valid", "due"} {
			e.Codes = append(e.Codes, code+"_"+q)
			e.Words = append(e.Words, c.l.T("report.column", "factor", c.factor(code).Text, "quantity", c.l.T("report.column_"+q)))
		}
	}
	add := func(r *report.Row, sum bool) {
		cells := []any{r.Kind, isoOf(r.From), isoOf(r.To)}
		for i := range s.Columns {
			col, x := &s.Columns[i], &r.Cells[i]
			switch {
			case col.Quantity == report.Note && !sum:
				cells = append(cells, c.rowNote(r))
			case col.Quantity == report.Note, col.Quantity == report.Load:
				cells = append(cells, nil)
			case sum && x.Unit != "":
				cells = append(cells, plain(x.In(col.Unit)))
			default:
				cells = append(cells, plain(x.V))
			}
		}
		for _, i := range factors {
			x := &r.Cells[i]
			if sum && r.Kind != report.SumMean {
				cells = append(cells, nil, nil, nil)
				continue
			}
			cells = append(cells, x.Flag, x.N, x.Of)
		}
		e.add(cells...)
	}
	for i := range s.Rows {
		add(&s.Rows[i], false)
	}
	for i := range s.Sums {
		add(&s.Sums[i], true)
	}
	e.About = append(e.About,
		[2]string{c.l.T("report.period"), s.Period.Date()}, [2]string{c.l.T("report.until"), i18n.Stamp(s.Until)},
		[2]string{c.l.T("report.provisional"), c.l.T(map[bool]string{true: "common.yes", false: "common.no"}[s.Provisional])},
		[2]string{c.l.T("report.rules"), strings.Join(sheetRules(s), ", ")})
	for _, l := range s.Limits {
		e.About = append(e.About, [2]string{c.l.T("report.limit_of", "factor", c.factor(l.Factor).Text), limitText(l.Ref) + " " + unitOf(o, l.Factor) + ", " + c.standard(l.Ref.ID)})
	}
	return e
}
