package report

import (
	"context"
	"fmt"
	"slices"
	"time"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/rules"
)

// Rows gives the judged rows that reports are made of.
type Rows interface {
	Hours(outlet telemetry.OutletID, from, to time.Time) ([]quality.HourRow, error)
	Days(outlet telemetry.OutletID, from, to time.Time) ([]quality.DayRow, error)
	// Period is the month, quarter or year (by level) that holds at.
	Period(ctx context.Context, outlet telemetry.OutletID, level string, at time.Time) (quality.PeriodRow, error)
}

// Cell is a figure with what it is worth.
type Cell struct {
	V        quality.Opt
	Valid    bool // of a whole period; a figure that is not valid is shown, but counts nowhere
	N, Of    int  // minutes (of an hour), hours (of a day), days (of a longer period) with valid data, and due
	Flag     string
	Over     bool
	Evidence bool
	Limit    quality.LimitRef
	Method   string // code of the substitution the figure was put in by; "" = measured
	Unit     string // of V where it is not the column's: totals
}

// In gives a total in the unit of its column.
func (c *Cell) In(unit string) quality.Opt {
	v := c.V
	if v.OK && c.Unit != "" {
		v.V = v.V * unitOf[c.Unit] / unitOf[unit]
	}
	return v
}

// Row is an hour, a day, a month, or a sum over the rows above.
type Row struct {
	Kind     string // hour, day, month; or the name of the sum
	From, To time.Time
	Running  bool // not over yet
	Stopped  bool // by a declared stop, all of it
	Revised  bool
	Marks    []string // marks of the instrument and the source other than N, each once
	Cells    []Cell   // one for each column
}

// Limit is a limit that was used in the report.
type Limit struct {
	Factor   string
	Ref      quality.LimitRef
	Over     int // hours, days or months over it that count
	Warnings int // and that only warn
}

// Sheet is the report of one outlet.
type Sheet struct {
	Outlet       telemetry.OutletID
	Period       Period
	Until        time.Time // end of what has gone by
	Provisional  bool      // can still change by itself
	Columns      []Column
	Rows         []Row
	Sums         []Row
	Limits       []Limit
	Whole        *quality.PeriodRow // of a month and longer
	Substitution []quality.Substitution
	Digests      []string // of the rules the rows were judged by, oldest first
	Layout       Ref
}

// Maker makes reports. Rules are the dated rules; Now is the instant up to
// which periods have gone by.
type Maker struct {
	Rows  Rows
	Rules *rules.Set
	Now   time.Time
}

// Outlet makes the report of an outlet.
func (m *Maker) Outlet(ctx context.Context, o *telemetry.Outlet, p Period) (*Sheet, error) {
	s := &sheet{Sheet: Sheet{Outlet: o.ID, Period: p, Until: p.Until(m.Now)}, o: o, now: m.Now}
	s.Provisional = s.Until.Before(p.To)
	var err error
	if s.layout, err = ReadLayout(m.Rules, o.Medium, p); err != nil {
		return nil, err
	}
	s.Layout = s.layout.Ref
	switch p.Level {
	case quality.LevelDay:
		err = s.day(ctx, m)
	case quality.LevelMonth:
		err = s.month(ctx, m)
	default:
		err = s.months(ctx, m)
	}
	if err != nil {
		return nil, fmt.Errorf("%s report of outlet %d: %w", p.Level, o.ID, err)
	}
	return &s.Sheet, nil
}

// sheet is a report in the making.
type sheet struct {
	Sheet
	o      *telemetry.Outlet
	now    time.Time
	layout *Layout
}

func (s *sheet) day(ctx context.Context, m *Maker) error {
	hours, err := m.Rows.Hours(s.o.ID, s.Period.From, s.Period.To)
	if err != nil {
		return err
	}
	days, err := m.Rows.Days(s.o.ID, s.Period.From, s.Period.To)
	if err != nil {
		return err
	}
	month, err := m.Rows.Period(ctx, s.o.ID, quality.LevelMonth, s.Period.From)
	if err != nil {
		return err
	}
	s.take(month.Substitution)
	s.Columns = s.layout.columns(s.o, s.Period.Level, func(code string) bool {
		return slices.ContainsFunc(hours, func(h quality.HourRow) bool {
			f := h.Factor(code)
			return f != nil && f.Fold != "" && f.Fold != quality.FoldNotRequired
		})
	})
	for t := s.Period.From; t.Before(s.Until); t = t.Add(time.Hour) {
		row := s.newRow(quality.LevelHour, t, t.Add(time.Hour))
		if i := slices.IndexFunc(hours, func(h quality.HourRow) bool { return h.At == t.Unix() }); i >= 0 {
			s.hour(&row, &hours[i])
		}
		s.fill(&row)
		s.Rows = append(s.Rows, row)
	}
	s.sum()
	if len(days) > 0 {
		s.dayMeans(&days[0])
	}
	return nil
}

func (s *sheet) newRow(kind string, from, to time.Time) Row {
	return Row{Kind: kind, From: from, To: to, Running: to.After(s.now), Cells: make([]Cell, len(s.Columns))}
}

// take keeps the substitutions that touch the period.
func (s *sheet) take(all []quality.Substitution) {
	for _, x := range all {
		if x.From < s.Period.To.Unix() && x.To > s.Period.From.Unix() {
			s.Substitution = append(s.Substitution, x)
		}
	}
}

// fill puts the substituted amounts into an hour that has none measured.
func (s *sheet) fill(row *Row) {
	for i := range s.Columns {
		c, x := &s.Columns[i], &row.Cells[i]
		if c.Quantity != Amount || x.V.OK || row.Running {
			continue
		}
		for k := range s.Substitution {
			f := &s.Substitution[k]
			if f.Factor == c.Factor && f.Rate.OK && f.From <= row.From.Unix() && row.From.Unix() < f.To && f.SourceHours > 0 && s.o.Medium == telemetry.Gas {
				x.V, x.Method = In(f.Rate, c.Unit), f.Method
			}
		}
	}
}

// month makes a row of each day.
func (s *sheet) month(ctx context.Context, m *Maker) error {
	days, err := m.Rows.Days(s.o.ID, s.Period.From, s.Period.To)
	if err != nil {
		return err
	}
	if err := s.whole(ctx, m); err != nil {
		return err
	}
	s.Columns = s.layout.columns(s.o, s.Period.Level, func(code string) bool {
		return slices.ContainsFunc(days, func(d quality.DayRow) bool { f := d.Factor(code); return f != nil && f.Folded.OK })
	})
	for t := s.Period.From; t.Before(s.Until); t = t.AddDate(0, 0, 1) {
		row := s.newRow(quality.LevelDay, t, t.AddDate(0, 0, 1))
		if i := slices.IndexFunc(days, func(d quality.DayRow) bool { return d.At == t.Unix() }); i >= 0 {
			s.oneDay(&row, &days[i])
		}
		if row.Running {
			if err := s.soFar(m, &row); err != nil {
				return err
			}
		}
		s.Rows = append(s.Rows, row)
	}
	s.sum()
	s.wholeMeans()
	return nil
}

// soFar gives the running day the amounts of its closed hours: the period holds
// no others. Water has an amount only once the day is over.
func (s *sheet) soFar(m *Maker, row *Row) error {
	hours, err := m.Rows.Hours(s.o.ID, row.From, s.now.Truncate(time.Hour))
	if err != nil {
		return err
	}
	for i := range s.Columns {
		c := &s.Columns[i]
		if c.Quantity != Amount && c.Quantity != Flow {
			continue
		}
		var sum quality.Opt
		for k := range hours {
			v := hours[k].Flow
			if c.Quantity == Amount {
				v = quality.Opt{}
				if f := hours[k].Factor(c.Factor); f != nil {
					v = f.Rate
				}
			}
			sum = addIf(sum, v)
		}
		x := &row.Cells[i]
		x.V, x.Valid = In(sum, c.Unit), sum.OK
	}
	return nil
}

// oneDay fills the cells of a day.
func (s *sheet) oneDay(row *Row, d *quality.DayRow) {
	row.Revised = d.Revised
	s.digest(d.Rules)
	judged := map[string]bool{}
	for i := range s.Columns {
		c := &s.Columns[i]
		if c.Quantity == Flow {
			row.Cells[i] = flowCell(d.Flow, c.Unit)
			continue
		}
		f := d.Factor(c.Factor)
		if f == nil {
			continue
		}
		x := Cell{Valid: f.Valid && !row.Running, N: f.NValid, Of: f.NExpected, Limit: f.Limit}
		mean, foldedMean := f.Shown()
		folded := f.Basis == quality.BasisFolded || f.Basis == quality.BasisReportedFolded
		switch c.Quantity {
		case Folded:
			x.V = foldedMean
		case Amount:
			x.V, x.Limit = In(f.Total, c.Unit), quality.LimitRef{}
			x.Valid = x.V.OK // also of a day whose mean is not valid: the hours it has were emitted
		default:
			x.V = mean
		}
		if c.Quantity != Amount && folded == (c.Quantity == Folded) {
			x.Over, x.Evidence = f.Over, f.Evidence
		}
		row.Cells[i] = x
		if !judged[c.Factor] && !f.Limit.IsZero() {
			judged[c.Factor] = true
			s.limit(c.Factor, f.Limit, f.Over, f.Evidence)
		}
	}
}

func flowCell(v quality.Opt, unit string) Cell { return Cell{V: In(v, unit), Valid: v.OK} }

// whole reads the period as a whole.
func (s *sheet) whole(ctx context.Context, m *Maker) error {
	row, err := m.Rows.Period(ctx, s.o.ID, s.Period.Level, s.Period.From)
	if err != nil {
		return err
	}
	s.Whole, s.Provisional = &row, s.Provisional || row.Provisional
	s.Substitution = row.Substitution
	s.digest(row.Rules)
	return nil
}

// months makes a row of each month of a quarter or year.
func (s *sheet) months(ctx context.Context, m *Maker) error {
	if err := s.whole(ctx, m); err != nil {
		return err
	}
	var rows []quality.PeriodRow
	for _, month := range s.Period.Months() {
		if !month.From.Before(s.Until) {
			break
		}
		row, err := m.Rows.Period(ctx, s.o.ID, quality.LevelMonth, month.From)
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	s.Columns = s.layout.columns(s.o, s.Period.Level, func(code string) bool {
		return slices.ContainsFunc(rows, func(r quality.PeriodRow) bool { f := periodFactor(&r, code); return f != nil && f.Folded.OK })
	})
	for i := range rows {
		row := s.newRow(quality.LevelMonth, time.Unix(rows[i].From, 0), time.Unix(rows[i].To, 0))
		s.digest(rows[i].Rules)
		for k := range s.Columns {
			row.Cells[k] = s.periodCell(&s.Columns[k], &rows[i], row.Running)
		}
		s.Rows = append(s.Rows, row)
	}
	s.sum()
	s.wholeMeans()
	return nil
}

func periodFactor(r *quality.PeriodRow, code string) *quality.PeriodFactor {
	if r != nil {
		for i := range r.Factors {
			if r.Factors[i].Code == code {
				return &r.Factors[i]
			}
		}
	}
	return nil
}

// periodCell is a cell of a month.
func (s *sheet) periodCell(c *Column, r *quality.PeriodRow, running bool) Cell {
	if c.Quantity == Flow {
		return flowCell(r.Flow, c.Unit)
	}
	f := periodFactor(r, c.Factor)
	if f == nil {
		return Cell{}
	}
	x := Cell{Valid: f.Valid && !running, N: f.DaysValid, Of: f.DaysDue}
	switch c.Quantity {
	case Folded:
		x.V = f.Folded
	case Amount:
		x.V = In(f.Measured, c.Unit)
		x.Valid = x.V.OK
	default:
		x.V = f.Mean
	}
	return x
}

// wholeMeans puts what was judged of the whole period into the sums.
func (s *sheet) wholeMeans() {
	if s.Whole == nil {
		return
	}
	for i := range s.Columns {
		c := &s.Columns[i]
		f := periodFactor(s.Whole, c.Factor)
		for k := range s.Sums {
			row := &s.Sums[k]
			switch {
			case c.Quantity == Flow && row.Kind == SumMeasured:
				row.Cells[i] = Cell{V: In(s.Whole.Flow, s.layout.Flow[SumTotal]), Unit: s.layout.Flow[SumTotal], Valid: s.Whole.Flow.OK}
			case f == nil:
			case row.Kind == SumMean && c.Quantity != Amount && c.Quantity != Flow:
				row.Cells[i] = s.periodCell(c, s.Whole, false)
			case c.Quantity == Amount && (row.Kind == SumMeasured || row.Kind == SumSubstituted || row.Kind == SumTotal):
				v := map[string]quality.Opt{SumMeasured: f.Measured, SumSubstituted: f.Substituted, SumTotal: f.Total}[row.Kind]
				unit := s.layout.Amount[SumTotal]
				row.Cells[i] = Cell{V: In(v, unit), Unit: unit, Valid: v.OK, Limit: f.Limit, Over: row.Kind == SumTotal && f.Over, Evidence: true}
				if f.Limit.Op != "" { // permit amounts are in kg
					row.Cells[i].Limit = quality.LimitRef{}
				}
			}
		}
	}
}

func (s *sheet) digest(d string) {
	if d != "" && !slices.Contains(s.Digests, d) {
		s.Digests = append(s.Digests, d)
	}
}

// hour fills the cells of an hour.
func (s *sheet) hour(row *Row, h *quality.HourRow) {
	row.Stopped, row.Revised = h.Stopped, h.Revised
	s.digest(h.Rules)
	for i := range h.Factors {
		if f := h.Factors[i].Flag; f != "" && f != "N" && !slices.Contains(row.Marks, f) {
			row.Marks = append(row.Marks, f)
		}
	}
	slices.Sort(row.Marks)
	judged := map[string]bool{}
	for i := range s.Columns {
		c := &s.Columns[i]
		f := h.Factor(c.Factor)
		if f == nil {
			continue
		}
		x := Cell{Valid: f.Valid && !row.Running, N: f.NValid, Of: f.NExpected, Flag: f.Flag, Limit: f.Limit}
		mean, folded := f.Shown()
		switch c.Quantity {
		case Folded:
			x.V, x.Over, x.Evidence = folded, f.Over, f.Evidence
		case Amount:
			x.V = In(f.Rate, c.Unit) // of one hour: kg/h are kg
			x.Valid = x.Valid && x.V.OK
		case Flow:
			x.V = In(h.Flow, c.Unit)
			x.Valid = x.V.OK && !row.Running
		default:
			x.V = mean
			if f.Basis != quality.BasisFolded && f.Basis != quality.BasisReportedFolded {
				x.Over, x.Evidence = f.Over, f.Evidence
			}
		}
		row.Cells[i] = x
		if !judged[c.Factor] && !f.Limit.IsZero() {
			judged[c.Factor] = true
			s.limit(c.Factor, f.Limit, f.Over, f.Evidence)
		}
	}
}

func (s *sheet) limit(factor string, l quality.LimitRef, over, evidence bool) {
	i := slices.IndexFunc(s.Limits, func(x Limit) bool { return x.Factor == factor && x.Ref == l })
	if i < 0 {
		i = len(s.Limits)
		s.Limits = append(s.Limits, Limit{Factor: factor, Ref: l})
	}
	switch {
	case over && evidence:
		s.Limits[i].Over++
	case over:
		s.Limits[i].Warnings++
	}
}

// sum adds the rows that sum up, in the order of the layout. Mean, max, min
// and number are of the valid figures; totals are of amounts and flows.
func (s *sheet) sum() {
	var kinds []string
	for _, kind := range s.layout.Summary {
		if kind == SumTotal {
			kinds = append(kinds, SumMeasured, SumSubstituted)
		}
		kinds = append(kinds, kind)
	}
	for _, kind := range kinds {
		row := Row{Kind: kind, From: s.Period.From, To: s.Period.To, Cells: make([]Cell, len(s.Columns))}
		for i := range s.Columns {
			row.Cells[i] = s.sumCell(kind, i)
		}
		s.Sums = append(s.Sums, row)
	}
}

func (s *sheet) sumCell(kind string, col int) Cell {
	c := &s.Columns[col]
	if c.Quantity == Load || c.Quantity == Note {
		return Cell{}
	}
	var n int
	var whole float64
	var lo, hi, measured, put quality.Opt
	for i := range s.Rows {
		x := &s.Rows[i].Cells[col]
		switch {
		case !x.V.OK:
		case x.Method != "":
			put = quality.Some(put.V + x.V.V)
		case x.Valid:
			measured = quality.Some(measured.V + x.V.V)
			if s.Rows[i].Running { // adds to the total, but is no whole period
				continue
			}
			n++
			whole += x.V.V
			if !lo.OK || x.V.V < lo.V {
				lo = x.V
			}
			if !hi.OK || x.V.V > hi.V {
				hi = x.V
			}
		}
	}
	amount := c.Quantity == Amount || c.Quantity == Flow
	out := Cell{N: n, Of: len(s.Rows), Valid: true}
	switch {
	case kind == SumN:
		out.V = quality.Some(float64(n))
	case kind == SumMax:
		out.V = hi
	case kind == SumMin:
		out.V = lo
	case kind == SumMean && n > 0 && c.Factor != phFactor && (s.o.Medium == telemetry.Gas || amount): // the judged day and period have the others
		if out.V = lo; lo != hi { // a constant value stays free of rounding by the division
			out.V = quality.Some(whole / float64(n))
		}
	case c.Quantity == Flow && kind == SumMeasured:
		out.Unit = s.layout.Flow[SumTotal]
		out.V = In(times(measured, unitOf[c.Unit]), out.Unit)
	case c.Quantity == Amount && (kind == SumMeasured || kind == SumSubstituted || kind == SumTotal):
		out.Unit = s.layout.Amount[SumTotal]
		v := map[string]quality.Opt{SumMeasured: measured, SumSubstituted: put, SumTotal: add(measured, put)}[kind]
		out.V = In(times(v, unitOf[c.Unit]), out.Unit)
	}
	if !out.V.OK {
		return Cell{Of: out.Of}
	}
	return out
}

func times(v quality.Opt, k float64) quality.Opt {
	v.V *= k
	return v
}

// add sums what is there.
func add(a, b quality.Opt) quality.Opt { return quality.Opt{V: a.V + b.V, OK: a.OK || b.OK} }

// phFactor has no arithmetic mean.
const phFactor = "w01001"

// dayMeans puts what was judged of the day into the sums: the means, and of
// water the amount, which is the mean times all that flowed.
func (s *sheet) dayMeans(d *quality.DayRow) {
	s.digest(d.Rules)
	for i := range s.Columns {
		c := &s.Columns[i]
		f := d.Factor(c.Factor)
		if f == nil || c.Quantity == Flow {
			continue
		}
		for k := range s.Sums {
			kind := s.Sums[k].Kind
			switch {
			case c.Quantity == Amount:
				if s.o.Medium == telemetry.Water && (kind == SumMeasured || kind == SumTotal) {
					unit := s.layout.Amount[SumTotal]
					s.Sums[k].Cells[i] = Cell{V: In(f.Total, unit), Unit: unit, Valid: f.Total.OK}
				}
			case kind == SumMean:
				mean, foldedMean := f.Shown()
				x := Cell{V: mean, Valid: f.Valid, N: f.NValid, Of: f.NExpected, Limit: f.Limit}
				folded := f.Basis == quality.BasisFolded || f.Basis == quality.BasisReportedFolded
				if c.Quantity == Folded {
					x.V = foldedMean
				}
				if folded == (c.Quantity == Folded) {
					x.Over, x.Evidence = f.Over, f.Evidence
				}
				s.Sums[k].Cells[i] = x
			}
		}
	}
}
