package telemetryweb

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/report"
	"plateau/internal/web"
)

func totalsRoutes() []route {
	return []route{{"GET", "/outlets/{id}/totals", View, (*Handler).totals}}
}

// totalsLevels are the periods the page can show.
var totalsLevels = []string{quality.LevelMonth, quality.LevelQuarter, quality.LevelYear}

// totalsPath is the address of an outlet's totals in a period, without language.
func totalsPath(o telemetry.OutletID, p report.Period) string {
	q := url.Values{"level": {p.Level}, "date": {p.Date()}}
	return outletPath(o) + "/totals?" + q.Encode()
}

// factorTotals is a factor of the period.
type factorTotals struct {
	Factor      word
	Unit        string
	Mean        string
	NotValid    bool   // over, with too few valid days
	Days        string // valid ÷ due
	Hours       string
	Capture     string
	Measured    string // kg
	Substituted string
	Total       string
	NoRule      string
	Limit       string // permit amount, kg
	Share       string // of the permit amount, percent
	Over        bool
	OverHours   int
	OverDays    int
}

// totalsLine is a day of a month, or a month of a longer period.
type totalsLine struct {
	Name    string
	Href    string
	Running bool
	Flow    string
	Cells   []totalsCell
}

type totalsCell struct {
	Kg, Href string
	Note     string // the mean, or what was substituted
	Filled   bool   // part of it was substituted
}

// substitutionLine is an amount that was put in.
type substitutionLine struct {
	Factor      word
	From, To    time.Time
	Hours       string
	Kind        string
	Method      string
	Window      string
	Source      string
	Alpha       string
	Rate        string
	Kg          string
	None        bool // no rule fills it
	Provisional bool
	Rule        string
}

type totalsView struct {
	Head         outletHead
	Levels       []web.Tab
	Period       string
	Previous     string
	Next         string
	Row          quality.PeriodRow
	Until        time.Time
	Profile      string
	Flow         string
	Transmission string
	ValidShare   string
	TxValid      string
	Gas          bool
	Months       bool // lines are months
	Factors      []factorTotals
	Masses       []word // heads of the lines
	Lines        []totalsLine
	Substitution []substitutionLine
	SubstExport  string // address of the list without the ending
}

// totalsPeriod reads which period an address asks for; without one the month of
// now.
func (c *call) totalsPeriod() (report.Period, bool) {
	level := cmp.Or(c.query("level"), quality.LevelMonth)
	if !slices.Contains(totalsLevels, level) {
		return report.Period{}, false
	}
	date := c.query("date")
	if date == "" {
		return report.PeriodAt(level, c.now), true
	}
	p, ok := report.ParsePeriod(level, date)
	return p, ok && p.From.Before(c.now)
}

// totals shows what an outlet emitted in a month, quarter or year.
func (h *Handler) totals(c *call) error {
	o, s, err := h.look(c, c.r.PathValue("id"))
	if err != nil {
		return err
	}
	return h.totalsOf(c, o, s, "")
}

// totalsOf serves the page, or with a format its table.
func (h *Handler) totalsOf(c *call, o *telemetry.Outlet, s *sight, format string) error {
	p, ok := c.totalsPeriod()
	if !ok {
		return notFound()
	}
	row, err := s.Period(c.ctx(), p.Level, p.From)
	if err != nil {
		return err
	}
	if format != "" && c.query("list") == "substitution" {
		return h.exportSubstitution(c, o, p, row).send(c, format)
	}
	days, months, err := s.partsOf(c, p)
	if err != nil {
		return err
	}
	if format != "" {
		return h.exportTotals(c, o, p, row, days, months).send(c, format)
	}
	v := &totalsView{
		Period: p.Date(), Row: row, Until: time.Unix(row.Until, 0), Profile: c.profile(o.Medium, row.Profile), Gas: o.Medium == telemetry.Gas,
		Flow: amount(row.Flow), Transmission: percent(row.Transmission.Transmission), ValidShare: percent(row.Transmission.Valid), TxValid: percent(row.Transmission.TxValid),
		Previous: c.keep(c.path(totalsPath(o.ID, p.Previous()))), Months: p.Level != quality.LevelMonth,
	}
	if v.Head, err = h.head(c, o, "totals"); err != nil {
		return err
	}
	q := url.Values{"level": {p.Level}, "date": {p.Date()}}
	if !c.knownAt.IsZero() {
		q.Set(knownParam, knownArgument(c.knownAt))
	}
	v.Head.exported = exported{c.path(outletPath(o.ID) + "/totals"), q.Encode()}
	v.SubstExport = v.Head.ExportAs("csv") + "&list=substitution"
	if n := p.Next(); n.From.Before(c.now) {
		v.Next = c.keep(c.path(totalsPath(o.ID, n)))
	}
	for _, level := range totalsLevels {
		at := p.From
		if !p.To.Before(c.now) { // the running period leads to the running ones
			at = c.now
		}
		v.Levels = append(v.Levels, web.Tab{Text: c.l.T("totals.level_" + level), Href: c.keep(c.path(totalsPath(o.ID, report.PeriodAt(level, at)))), Current: level == p.Level})
	}
	var masses []string
	for i := range row.Factors {
		f := &row.Factors[i]
		v.Factors = append(v.Factors, c.factorTotals(o, f, row.Until < row.To))
		if f.Total.OK || f.NoRule > 0 {
			masses = append(masses, f.Code)
			v.Masses = append(v.Masses, c.factor(f.Code))
		}
	}
	for i := range days {
		v.Lines = append(v.Lines, c.dayTotals(o, &days[i], masses))
	}
	for i := range months {
		v.Lines = append(v.Lines, c.monthTotals(o, &months[i], masses))
	}
	for i := range row.Substitution {
		v.Substitution = append(v.Substitution, c.substitutionLine(o, &row.Substitution[i]))
	}
	return h.render(c, http.StatusOK, "outlet_totals.html", &web.Page{
		Title: c.l.T("totals.title", "name", v.Head.Name.Text, "period", p.Date()), Module: "outlets", Wide: true,
		Crumbs: append(h.crumbs(c, o), web.Crumb{Text: v.Head.Name.Text, Path: outletPath(o.ID)}), Data: v,
	})
}

// partsOf reads the days of a month, or the months of a longer period.
func (s *sight) partsOf(c *call, p report.Period) ([]quality.DayRow, []quality.PeriodRow, error) {
	if p.Level == quality.LevelMonth {
		days, err := s.Days(p.From, p.To)
		return days, nil, err
	}
	var months []quality.PeriodRow
	for m := report.PeriodAt(quality.LevelMonth, p.From); m.From.Before(p.To) && m.From.Before(c.now); m = m.Next() {
		row, err := s.Period(c.ctx(), quality.LevelMonth, m.From)
		if err != nil {
			return nil, nil, err
		}
		months = append(months, row)
	}
	return nil, months, nil
}

func (c *call) factorTotals(o *telemetry.Outlet, f *quality.PeriodFactor, running bool) factorTotals {
	mean := f.Mean
	if f.Folded.OK {
		mean = f.Folded
	}
	t := factorTotals{
		Factor: c.factor(f.Code), Unit: unitOf(o, f.Code), Mean: figure(mean, f.Code), NotValid: !f.Valid && !running,
		Days: share(f.DaysValid, f.DaysDue), Hours: share(f.HoursValid, f.HoursDue), Capture: percent(f.Capture),
		Measured: mass(f.Measured), Substituted: mass(f.Substituted), Total: mass(f.Total), Over: f.Over, OverHours: f.OverHours, OverDays: f.OverDays,
	}
	if f.NoRule > 0 {
		key := "totals.no_rule_hours"
		if o.Medium != telemetry.Gas {
			key = "totals.no_rule_days"
		}
		t.NoRule = c.l.T(key, "n", f.NoRule)
	}
	if !f.Limit.IsZero() {
		t.Limit = mass(f.Limit.Hi)
		if f.Total.OK {
			t.Share = percent(quality.Some(100 * f.Total.V / f.Limit.Hi.V))
		}
	}
	return t
}

func (c *call) dayTotals(o *telemetry.Outlet, d *quality.DayRow, masses []string) totalsLine {
	at := time.Unix(d.At, 0)
	line := totalsLine{Name: i18n.Short(at), Href: c.keep(c.path(outletPath(o.ID) + "/" + i18n.Short(at))), Running: at.AddDate(0, 0, 1).After(c.now), Flow: amount(d.Flow)}
	for _, code := range masses {
		cell := totalsCell{Kg: i18n.Missing}
		if f := d.Factor(code); f != nil {
			if cell.Kg = mass(f.Total); f.Total.OK {
				cell.Href = c.keep(c.path("/values/" + valueID(o.ID, code, quality.LevelDay, at)))
			}
			if mean, _ := f.Shown(); mean.OK && f.Valid {
				cell.Note = figure(mean, code) + " " + unitOf(o, code)
			} else if !line.Running {
				cell.Note = c.l.T("outlet.valid_hours", "n", f.NValid)
			}
		}
		line.Cells = append(line.Cells, cell)
	}
	return line
}

func (c *call) monthTotals(o *telemetry.Outlet, m *quality.PeriodRow, masses []string) totalsLine {
	p := report.PeriodAt(quality.LevelMonth, time.Unix(m.From, 0))
	line := totalsLine{Name: p.Date(), Href: c.keep(c.path(totalsPath(o.ID, p))), Running: m.Until < m.To, Flow: amount(m.Flow)}
	for _, code := range masses {
		cell := totalsCell{Kg: i18n.Missing}
		if i := slices.IndexFunc(m.Factors, func(f quality.PeriodFactor) bool { return f.Code == code }); i >= 0 {
			f := &m.Factors[i]
			if cell.Kg = mass(f.Total); f.Substituted.OK {
				cell.Filled, cell.Note = true, c.l.T("totals.of_it_substituted", "kg", mass(f.Substituted))
			}
		}
		line.Cells = append(line.Cells, cell)
	}
	return line
}

func (c *call) substitutionLine(o *telemetry.Outlet, s *quality.Substitution) substitutionLine {
	l := substitutionLine{
		Factor: c.factor(s.Factor), From: time.Unix(s.From, 0), To: time.Unix(s.To, 0), Hours: strconv.Itoa(s.Hours), Kind: c.kindOfGap(s.Kind), Method: s.Method,
		Alpha: percent(s.Alpha), Rate: mass(s.Rate), Kg: mass(s.Kg), None: s.Status != string(quality.SubstituteOK), Provisional: s.Provisional,
		Rule: s.Rule + " v" + strconv.Itoa(s.Version),
	}
	if s.RunHours != s.Hours {
		l.Hours = c.l.T("totals.of_run", "n", s.Hours, "run", s.RunHours)
	}
	if l.None {
		return l
	}
	key, from, to := "totals.window_hours", i18n.Stamp(time.Unix(s.SourceFrom, 0)), i18n.Stamp(time.Unix(s.SourceTo, 0))
	if o.Medium != telemetry.Gas {
		key, from, to = "totals.window_days", i18n.Short(time.Unix(s.SourceFrom, 0)), i18n.Short(time.Unix(s.SourceTo, 0))
	}
	l.Window = c.l.T(key, "n", s.SourceHours, "window", s.Window)
	l.Source = from + " – " + to
	return l
}

// kindOfGap words the kind of an invalid run.
func (c *call) kindOfGap(kind string) string {
	if key := "totals.kind_" + kind; c.l.Has(key) {
		return c.l.T(key)
	}
	return kind
}

// mass writes kilograms, the more digits the less there is.
func mass(v quality.Opt) string {
	if !v.OK {
		return i18n.Missing
	}
	d := 4
	switch {
	case v.V >= 1000:
		d = 0
	case v.V >= 100:
		d = 1
	case v.V >= 10:
		d = 2
	case v.V >= 1:
		d = 3
	}
	return trimmed(v.V, d)
}

// amount writes cubic metres.
func amount(v quality.Opt) string {
	if !v.OK {
		return i18n.Missing
	}
	return i18n.Number(v.V, 0)
}

// percent writes a share.
func percent(v quality.Opt) string {
	if !v.OK {
		return i18n.Missing
	}
	return trimmed(v.V, 1) + "%"
}

func share(n, of int) string { return strconv.Itoa(n) + "/" + strconv.Itoa(of) }

// exportTotals is the table of the period's days or months, and of itself last.
func (h *Handler) exportTotals(c *call, o *telemetry.Outlet, p report.Period, row quality.PeriodRow, days []quality.DayRow, months []quality.PeriodRow) *export {
	e := &export{Name: "outlet-" + strconv.Itoa(int(o.ID)) + "-totals-" + p.Date(), About: h.about(c, p.Date()), Codes: []string{
		"level", "at", "outlet", "name", "factor", "valid", "days_valid", "days_due", "hours_valid", "hours_due", "mean", "folded", "unit", "capture_pct",
		"measured_kg", "substituted_kg", "total_kg", "no_rule", "limit_kg", "over", "flow_m3", "tx_valid_pct", "profile", "rules", "inputs",
	}}
	e.words(c)
	name := c.outletName(o).Text
	for i := range days {
		for j := range days[i].Factors {
			f := &days[i].Factors[j]
			mean, folded := f.Shown()
			e.add(quality.LevelDay, i18n.Short(time.Unix(days[i].At, 0)), int(o.ID), name, f.Code, f.Valid, nil, nil, f.NValid, f.NExpected, plain(mean), plain(folded), unitOf(o, f.Code), nil,
				plain(f.Total), nil, plain(f.Total), nil, nil, nil, plain(days[i].Flow), nil, nil, days[i].Rules, nil)
		}
	}
	period := func(r *quality.PeriodRow) {
		at := report.PeriodAt(r.Level, time.Unix(r.From, 0)).Date()
		for j := range r.Factors {
			f := &r.Factors[j]
			e.add(r.Level, at, int(o.ID), name, f.Code, f.Valid, f.DaysValid, f.DaysDue, f.HoursValid, f.HoursDue, plain(f.Mean), plain(f.Folded), unitOf(o, f.Code), plain(f.Capture),
				plain(f.Measured), plain(f.Substituted), plain(f.Total), f.NoRule, plain(f.Limit.Hi), f.Over, plain(r.Flow), plain(r.Transmission.TxValid), r.Profile, r.Rules, r.Inputs)
		}
	}
	for i := range months {
		period(&months[i])
	}
	period(&row)
	return e
}

// exportSubstitution is the list of what was put in.
func (h *Handler) exportSubstitution(c *call, o *telemetry.Outlet, p report.Period, row quality.PeriodRow) *export {
	e := &export{Name: "outlet-" + strconv.Itoa(int(o.ID)) + "-substitution-" + p.Date(), About: h.about(c, p.Date()), Codes: []string{
		"outlet", "name", "factor", "from", "to", "hours", "run_hours", "kind", "method", "window", "source_from", "source_to", "source_hours", "alpha_pct", "rate_kg", "kg", "status", "provisional", "rule",
	}}
	e.words(c)
	stampOf := func(at int64) any {
		if at == 0 {
			return nil
		}
		return isoOf(time.Unix(at, 0))
	}
	for i := range row.Substitution {
		s := &row.Substitution[i]
		e.add(int(o.ID), c.outletName(o).Text, s.Factor, stampOf(s.From), stampOf(s.To), s.Hours, s.RunHours, s.Kind, s.Method, s.Window, stampOf(s.SourceFrom), stampOf(s.SourceTo), s.SourceHours,
			plain(s.Alpha), plain(s.Rate), plain(s.Kg), s.Status, s.Provisional, s.Rule+" v"+strconv.Itoa(s.Version))
	}
	return e
}
