package telemetryweb

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/figures"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/report"
	"plateau/internal/telemetry/reportjob"
	"plateau/internal/web"
)

// rateLine is a factor of a whole period: how much of it is valid, and why not.
type rateLine struct {
	Factor     word
	Days       string
	Hours      string
	Capture    string
	Stopped    int
	OverHours  int
	OverDays   int
	SubstHours int
	NoRule     int
	Permit     string // kg of the permit
	OverPermit bool
}

// putLine is a substituted amount.
type putLine struct {
	Factor      word
	Period      string
	Hours       string
	Kind        string
	Method      string
	Source      string
	Alpha       string
	Rate        string
	Kg          string
	NoRule      bool
	Provisional bool
	Rule        string
}

// wholeView puts the rates of a whole period into words.
func (h *Handler) wholeView(c *call, v *sheetView, s *report.Sheet) {
	r := s.Whole
	for i := range r.Factors {
		f := &r.Factors[i]
		if !slices.ContainsFunc(s.Columns, func(col report.Column) bool { return col.Factor == f.Code && col.Quantity == report.Measured }) {
			continue
		}
		line := rateLine{
			Factor: c.factor(f.Code), Days: strconv.Itoa(f.DaysValid) + "/" + strconv.Itoa(f.DaysDue), Hours: strconv.Itoa(f.HoursValid) + "/" + strconv.Itoa(f.HoursDue),
			Capture: percent(f.Capture), Stopped: f.HoursStopped, OverHours: f.OverHours, OverDays: f.OverDays, SubstHours: f.SubstHours, NoRule: f.NoRule, OverPermit: f.Over,
		}
		if !f.Limit.IsZero() {
			line.Permit = limitText(f.Limit) + " kg"
		}
		v.Rates = append(v.Rates, line)
	}
	if r.Transmission.TxValid.OK {
		v.Facts = append(v.Facts,
			[2]string{c.l.T("report.transmission"), percent(r.Transmission.Transmission)}, [2]string{c.l.T("report.valid_rate"), percent(r.Transmission.Valid)},
			[2]string{c.l.T("report.tx_valid"), percent(r.Transmission.TxValid)})
	}
	if key := "report.profile_" + slug(r.Profile); r.Profile != "" {
		text := r.Profile
		if c.l.Has(key) {
			text = c.l.T(key)
		}
		v.Facts = append(v.Facts, [2]string{c.l.T("report.profile"), text})
	}
}

func (c *call) putLine(s *quality.Substitution) putLine {
	l := putLine{
		Factor: c.factor(s.Factor), Period: i18n.Stamp(time.Unix(s.From, 0)) + " – " + i18n.Stamp(time.Unix(s.To, 0)), Hours: strconv.Itoa(s.Hours) + "/" + strconv.Itoa(s.RunHours),
		Method: s.Method, Alpha: percent(s.Alpha), Rate: fixed(s.Rate, quantityDecimals["kg"], quality.LimitRef{}), Kg: fixed(s.Kg, quantityDecimals["kg"], quality.LimitRef{}),
		NoRule: s.Status == string(quality.SubstituteNoRule), Provisional: s.Provisional, Rule: s.Rule + " v" + strconv.Itoa(s.Version), Kind: s.Kind,
	}
	if key := "report.kind_" + s.Kind; c.l.Has(key) {
		l.Kind = c.l.T(key)
	}
	if s.SourceHours > 0 {
		l.Source = strconv.Itoa(s.SourceHours) + "/" + strconv.Itoa(s.Window) + " · " + i18n.Stamp(time.Unix(s.SourceFrom, 0)) + " – " + i18n.Stamp(time.Unix(s.SourceTo, 0))
	}
	return l
}

// listEntry is an outlet of a list with its factors.
type listEntry struct {
	Name  word
	Place word
	Href  string
	Facts string // flow and rates of the outlet
	Lines []listLine
}

type listLine struct {
	Factor      word
	Mean        sheetCell
	Unit        string
	Valid       string
	Max         string
	OverHours   int
	OverDays    int
	Measured    string
	Substituted string
	Total       string
	Method      string // hours or days that were substituted, or that no rule fills
	Capture     string
	OverLimit   bool
}

type sumLine struct {
	Medium      string
	Factor      word
	Unit        string
	Outlets     int
	Valid       string
	OverHours   int
	OverDays    int
	Measured    string
	Substituted string
	Total       string
	NoRule      int
	Flow        bool
}

type areaLine struct {
	Name    word
	Href    string
	Outlets int
}

type listView struct {
	reportFrame
	Name    word
	Outlets int
	Sums    []sumLine
	Entries []listEntry
	Pager   web.Pager
	Areas   []areaLine
	Job     *jobLine // the result, or what is under way
	Large   bool     // it is made in the background
	Result  bool     // there is a result
	Days    int
	Make    string // address that asks for it
	Heat    string // completeness of the same area
}

// subjectName names whom a report is about.
func (c *call) subjectName(scope, id string) word {
	switch scope {
	case report.ScopeEnterprise:
		if e := c.snap.Enterprises[id]; e != nil {
			return c.name(e.Name)
		}
	case report.ScopeOutlet:
		if n, ok := parseOutletID(id); ok && c.snap.Outlets[n] != nil {
			return c.outletName(c.snap.Outlets[n])
		}
	default:
		return c.area(id)
	}
	return word{id, string(c.lang)}
}

// list makes the report of several outlets, or takes the one that was made in
// the background; nil without an error when that is still to be done.
func (h *Handler) list(c *call, scope, id string, p report.Period, outlets []*telemetry.Outlet) (*report.List, *reportjob.Job, bool, error) {
	size, err := report.ReadSize(h.ruleSet(), i18n.Short(c.now))
	if err != nil {
		return nil, nil, false, err
	}
	if h.Jobs == nil || !size.Large(len(outlets), p) {
		m, outlets, err := h.makerOf(c, outlets)
		if err != nil {
			return nil, nil, false, err
		}
		l, err := m.List(c.ctx(), outlets, p, nil)
		return l, nil, false, err
	}
	sub, err := h.jobSubject(c, scope, id, p)
	if err != nil {
		return nil, nil, true, err
	}
	j, ok, err := h.Jobs.Last(c.ctx(), sub)
	if err != nil || !ok {
		return nil, nil, true, err
	}
	if j.State != reportjob.Done {
		return nil, &j, true, nil
	}
	l, err := h.Jobs.Result(&j)
	if errs.Is(err, errs.NotFound) { // the file is gone: make it again
		return nil, nil, true, nil
	}
	return l, &j, true, err
}

// jobSubject is what a job is about; as known at an instant where the address
// asks for one that has come.
func (h *Handler) jobSubject(c *call, scope, id string, p report.Period) (reportjob.Subject, error) {
	sub := reportjob.Subject{Scope: scope, Ref: id, Level: p.Level, Period: p.Date()}
	at, ok, err := c.asKnown()
	if ok && !at.After(c.now) {
		sub.Known, c.knownAt = at.UTC(), at
	}
	return sub, err
}

func (h *Handler) listReport(c *call, scope, id string, p report.Period, outlets []*telemetry.Outlet, format string) error {
	l, job, large, err := h.list(c, scope, id, p, outlets)
	if err != nil {
		return err
	}
	if format != "" {
		if l == nil {
			return errs.New(errs.Conflict, "report.not_made")
		}
		return h.exportList(c, scope, id, l).send(c, format)
	}
	name := c.subjectName(scope, id)
	v := &listView{
		reportFrame: h.around(c, scope, id, p), Name: name, Outlets: len(outlets), Large: large, Result: l != nil, Days: p.Days(),
		Make: c.keep(c.path(reportPath(scope, id, p))),
	}
	if scope == report.ScopeCounty || scope == report.ScopeRegion {
		v.Heat = c.path("/completeness") + "?area=" + id + "&date=" + heatDate(p)
	}
	if job != nil {
		line := c.jobLine(job)
		v.Job = &line
	}
	v.Known = c.knownForm()
	if l != nil {
		h.fillList(c, v, l, job)
	}
	if scope == report.ScopeRegion {
		v.Areas = h.areasBelow(c, id, p)
	}
	return h.render(c, http.StatusOK, "report_list.html", &web.Page{
		Title: c.l.T("report.title_"+p.Level, "name", name.Text, "date", p.Date()), Module: "reports", Wide: true,
		Crumbs: []web.Crumb{{Text: c.l.T("nav.reports"), Path: "/reports?scope=" + scope}}, Data: v,
	})
}

// listPage is how many outlets a page of a list shows.
const listPage = 25

func (h *Handler) fillList(c *call, v *listView, l *report.List, job *reportjob.Job) {
	v.Provisional, v.Until = l.Provisional, l.Until
	if job != nil {
		v.Made, v.By = job.Finished, job.Post
	}
	for _, r := range l.Layouts {
		v.Rules = append(v.Rules, r.ID+" v"+strconv.Itoa(r.Version)+" "+r.Hash)
		v.Unverified = v.Unverified || r.Certainty == "unverified"
	}
	v.Rules = append(v.Rules, l.Digests...)
	for i := range l.Sums {
		v.Sums = append(v.Sums, c.sumOf(&l.Sums[i]))
	}
	t := web.Table{Path: v.Export, Query: c.r.URL.Query()}
	from, to, pager := t.Cut(len(l.Entries), listPage)
	v.Pager = pager
	for i := from; i < to; i++ {
		v.Entries = append(v.Entries, h.listEntry(c, &l.Entries[i], l.Period))
	}
}

// listAmount is the unit of amounts in lists; that of flows stands beside each.
const (
	listAmount = "t"
	listFlow   = "1e4m3"
)

func amountText(v quality.Opt) string {
	return fixed(report.In(v, listAmount), quantityDecimals[listAmount], quality.LimitRef{})
}

func (c *call) sumOf(s *report.Sum) sumLine {
	out := sumLine{Medium: c.l.T("medium." + string(s.Medium)), Outlets: s.Outlets}
	if s.Factor == "" {
		out.Flow, out.Factor, out.Unit = true, word{c.l.T("report.quantity_flow"), string(c.lang)}, c.amountUnit(listFlow)
		out.Total = fixed(report.In(s.Total, listFlow), quantityDecimals[listFlow], quality.LimitRef{})
		return out
	}
	out.Factor, out.Valid, out.OverHours, out.OverDays, out.NoRule = c.factor(s.Factor), strconv.Itoa(s.Valid)+"/"+strconv.Itoa(s.Outlets), s.OverHours, s.OverDays, s.NoRule
	if s.Amounts {
		out.Unit, out.Measured, out.Substituted, out.Total = listAmount, amountText(s.Measured), amountText(s.Substituted), amountText(s.Total)
	}
	return out
}

func (h *Handler) listEntry(c *call, e *report.Entry, p report.Period) listEntry {
	out := listEntry{Name: word{strconv.Itoa(int(e.Outlet)), string(c.lang)}, Href: c.keep(c.path(reportPath(report.ScopeOutlet, strconv.Itoa(int(e.Outlet)), p)))}
	o := c.snap.Outlets[e.Outlet]
	if o != nil {
		out.Name, out.Place = c.outletName(o), c.place(o)
	}
	var facts []string
	if e.Flow.OK {
		facts = append(facts, c.l.T("report.flow_of", "flow", fixed(report.In(e.Flow, listFlow), quantityDecimals[listFlow], quality.LimitRef{})+" "+c.amountUnit(listFlow)))
	}
	if e.Transmission.TxValid.OK {
		facts = append(facts, c.l.T("report.tx_valid_of", "percent", percent(e.Transmission.TxValid)))
	}
	out.Facts = strings.Join(facts, " · ")
	for i := range e.Lines {
		x := &e.Lines[i]
		line := listLine{
			Factor: c.factor(x.Factor), Unit: unit(x.Unit), Valid: strconv.Itoa(x.Mean.N) + "/" + strconv.Itoa(x.Mean.Of), Max: fixed(x.Max, decimals(x.Factor), quality.LimitRef{}),
			OverHours: x.OverHours, OverDays: x.OverDays, Capture: percent(x.Capture), OverLimit: x.OverLimit,
			Mean: sheetCell{Text: fixed(x.Mean.V, decimals(x.Factor), x.Mean.Limit), State: figures.Broken(x.Mean.Over, x.Mean.Evidence), Weak: x.Mean.V.OK && !x.Mean.Valid, Num: true},
		}
		if p.Level == quality.LevelDay && x.Mean.V.OK {
			line.Mean.Href = c.path("/values/" + valueID(e.Outlet, x.Factor, quality.LevelDay, p.From))
		}
		if x.Amounts {
			line.Measured, line.Substituted, line.Total = amountText(x.Measured), amountText(x.Substituted), amountText(x.Total)
		}
		if x.NoRule > 0 {
			line.Method = c.l.T("report.no_rule_n", "n", x.NoRule)
		}
		out.Lines = append(out.Lines, line)
	}
	return out
}

// areasBelow lists the areas that lie directly in a region.
func (h *Handler) areasBelow(c *call, ref string, p report.Period) []areaLine {
	var out []areaLine
	for _, code := range sortedKeys(c.snap.Areas) {
		a := c.snap.Areas[code]
		if a.Parent != ref || a.Number() > 3 || !c.snap.Current(a) {
			continue
		}
		scope := report.ScopeRegion
		if a.Level == "county" {
			scope = report.ScopeCounty
		}
		if list, ok := report.Outlets(c.snap, scope, code); ok && len(list) > 0 {
			out = append(out, areaLine{Name: c.name(a.Name), Href: c.path(reportPath(scope, code, p)), Outlets: len(list)})
		}
	}
	return out
}

// exportList is the report of several outlets for other programs: a row for
// each outlet and factor, then the sums; amounts in kg, flows in m3.
func (h *Handler) exportList(c *call, scope, id string, l *report.List) *export {
	e := &export{
		Name: "report-" + scope + "-" + slug(id) + "-" + l.Period.Level + "-" + l.Period.Date(), About: h.about(c, ""), Decimals: map[int]int{},
		Codes: []string{
			"row", "outlet", "name", "area", "medium", "factor", "unit", "mean", "valid_n", "due_n", "valid", "max", "over_hours", "over_days", "measured_kg", "substituted_kg", "total_kg",
			"substituted_n", "no_rule_n", "capture_pct", "transmission_pct", "valid_pct", "tx_valid_pct", "flow_m3",
		},
	}
	e.words(c)
	for i, code := range e.Codes {
		switch {
		case strings.HasSuffix(code, "_kg"):
			e.Decimals[i] = quantityDecimals["kg"]
		case strings.HasSuffix(code, "_pct"):
			e.Decimals[i] = 1
		}
	}
	for i := range l.Entries {
		x := &l.Entries[i]
		name, area := "", ""
		if o := c.snap.Outlets[x.Outlet]; o != nil {
			name, area = c.outletName(o).Text, o.Area
		}
		flow := plain(x.Flow) // once for each outlet, so that the column can be summed
		for k := range x.Lines {
			f := &x.Lines[k]
			e.add("outlet", int(x.Outlet), name, area, string(x.Medium), f.Factor, f.Unit, plain(f.Mean.V), f.Mean.N, f.Mean.Of, f.Mean.Valid, plain(f.Max), f.OverHours, f.OverDays,
				plain(f.Measured), plain(f.Substituted), plain(f.Total), f.SubstHours, f.NoRule, plain(f.Capture),
				plain(x.Transmission.Transmission), plain(x.Transmission.Valid), plain(x.Transmission.TxValid), flow)
			flow = nil
		}
	}
	for i := range l.Sums {
		s := &l.Sums[i]
		if s.Factor == "" {
			e.add("sum", nil, nil, nil, string(s.Medium), nil, "m3", nil, s.Outlets, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, plain(s.Total))
			continue
		}
		e.add("sum", nil, nil, nil, string(s.Medium), s.Factor, "kg", nil, s.Valid, s.Outlets, nil, nil, s.OverHours, s.OverDays,
			plain(s.Measured), plain(s.Substituted), plain(s.Total), s.SubstHours, s.NoRule, nil, nil, nil, nil, nil)
	}
	e.About = append(e.About, [2]string{c.l.T("report.scope_" + scope), c.subjectName(scope, id).Text},
		[2]string{c.l.T("report.period"), l.Period.Date()}, [2]string{c.l.T("report.until"), i18n.Stamp(l.Until)},
		[2]string{c.l.T("report.provisional"), c.l.T(map[bool]string{true: "common.yes", false: "common.no"}[l.Provisional])},
		[2]string{c.l.T("report.rules"), strings.Join(append(refTexts(l.Layouts), l.Digests...), ", ")})
	return e
}

func refTexts(list []report.Ref) []string {
	var out []string
	for _, r := range list {
		out = append(out, r.ID+" v"+strconv.Itoa(r.Version)+" "+r.Hash)
	}
	return out
}

// jobLine is a report that is made in the background.
type jobLine struct {
	ID          string
	Href        string
	Title       string
	State       string
	StateText   string
	Open        bool
	Done, Total int
	Percent     int
	By          string
	Time        string
	Failure     string
	Mine        bool
	Report      string // address of the result
	Query       string // behind it
	CanCancel   bool
}

func (c *call) jobLine(j *reportjob.Job) jobLine {
	l := jobLine{
		ID: j.ID, Href: c.path("/reports/jobs/" + j.ID), State: string(j.State), StateText: c.l.T("report.state_" + string(j.State)), Open: j.State.Open(),
		Done: j.Done, Total: j.Total, By: j.Post, Time: i18n.Stamp(cmp.Or(j.Finished, j.Started, j.Created)), Mine: j.By == c.actor.ID,
		Title: c.l.T("report.title_"+j.Level, "name", c.subjectName(j.Scope, j.Ref).Text, "date", j.Period),
	}
	if j.Total > 0 {
		l.Percent = 100 * j.Done / j.Total
	}
	if j.Failure != "" {
		l.Failure = c.l.T(j.Failure)
	}
	if p, ok := report.ParsePeriod(j.Level, j.Period); ok {
		l.Report = c.path(reportPath(j.Scope, j.Ref, p))
		if !j.Known.IsZero() {
			l.Query = "?" + knownParam + "=" + url.QueryEscape(knownArgument(j.Known))
			l.Title += " " + c.l.T("known.banner", "at", knownStamp(j.Known))
		}
	}
	l.CanCancel = l.Open && l.Mine
	return l
}

// The page of reports lists the last jobs of what the reader may see, looked
// for among the last of all; their files are kept a week.
const (
	shownJobs = 20
	readJobs  = 500
)

func (h *Handler) jobLines(c *call) ([]jobLine, error) {
	if h.Jobs == nil {
		return nil, nil
	}
	list, err := h.Jobs.List(c.ctx(), readJobs)
	var out []jobLine
	for i := range list {
		if len(out) == shownJobs {
			break
		}
		if _, e := h.outletsOf(c, list[i].Scope, list[i].Ref); e == nil {
			out = append(out, c.jobLine(&list[i]))
		}
	}
	return out, err
}

// reportMake asks for a report in the background.
func (h *Handler) reportMake(c *call) error {
	scope, id, p, outlets, _, err := h.subject(c)
	if err != nil {
		return err
	}
	if h.Jobs == nil || outlets == nil {
		return c.see(reportPath(scope, id, p))
	}
	sub, err := h.jobSubject(c, scope, id, p)
	if err != nil {
		return err
	}
	j, err := h.Jobs.Request(c.ctx(), sub, c.actor.ID, c.actor.Post)
	if err != nil {
		return err
	}
	return c.done("/reports/jobs/"+j.ID, "report_asked")
}

// job returns the job of the address, if the actor may have its report.
func (h *Handler) job(c *call) (reportjob.Job, error) {
	if h.Jobs == nil {
		return reportjob.Job{}, notFound()
	}
	j, err := h.Jobs.Get(c.ctx(), c.r.PathValue("id"))
	if err == nil {
		_, err = h.outletsOf(c, j.Scope, j.Ref)
	}
	return j, err
}

func (h *Handler) reportJob(c *call) error {
	j, err := h.job(c)
	if err != nil {
		return err
	}
	line := c.jobLine(&j)
	return h.render(c, http.StatusOK, "report_job.html", &web.Page{
		Title: c.l.T("report.job_title", "report", line.Title), Module: "reports", Crumbs: []web.Crumb{{Text: c.l.T("nav.reports"), Path: "/reports"}}, Data: line,
	})
}

func (h *Handler) reportCancel(c *call) error {
	j, err := h.job(c)
	if err != nil {
		return err
	}
	if err := h.Jobs.Cancel(c.ctx(), j.ID, c.actor.ID); err != nil {
		return err
	}
	return c.done("/reports/jobs/"+j.ID, "report_cancelled")
}
