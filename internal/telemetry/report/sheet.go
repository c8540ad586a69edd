package report

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/rules"
)

// Rows gives the judged rows that reports are made of.
type Rows interface {
	Hours(outlet telemetry.OutletID, from, to time.Time) ([]quality.HourRow, error)
	Days(outlet telemetry.OutletID, from, to time.Time) ([]quality.DayRow, error)
}

// Periods gives the month, quarter or year (by level) of an outlet that holds at.
type Periods interface {
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
	Rows    Rows
	Periods Periods
	Rules   *rules.Set
	Now     time.Time
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
	r, err := quality.ReadRules(m.Rules, i18n.Short(p.From))
	if err != nil {
		return nil, err
	}
	s.emission = &r.Emission
	if p.Level != quality.LevelDay {
		return nil, fmt.Errorf("report of a %s: %w", p.Level, errors.ErrUnsupported)
	}
	return s.day(m)
}

// sheet is a report in the making.
type sheet struct {
	Sheet
	o        *telemetry.Outlet
	now      time.Time
	layout   *Layout
	emission *quality.EmissionRule
}

func (s *sheet) day(m *Maker) (*Sheet, error) {
	hours, err := m.Rows.Hours(s.o.ID, s.Period.From, s.Period.To)
	if err != nil {
		return nil, fmt.Errorf("hours of outlet %d: %w", s.o.ID, err)
	}
	days, err := m.Rows.Days(s.o.ID, s.Period.From, s.Period.To)
	if err != nil {
		return nil, fmt.Errorf("day of outlet %d: %w", s.o.ID, err)
	}
	s.Columns = s.layout.columns(s.o, s.Period.Level, func(code string) bool {
		return slices.ContainsFunc(hours, func(h quality.HourRow) bool {
			f := h.Factor(code)
			return f != nil && f.Fold != "" && f.Fold != quality.FoldNotRequired
		})
	})
	for t := s.Period.From; t.Before(s.Until); t = t.Add(time.Hour) {
		row := Row{Kind: quality.LevelHour, From: t, To: t.Add(time.Hour), Running: t.Add(time.Hour).After(s.now), Cells: make([]Cell, len(s.Columns))}
		if i := slices.IndexFunc(hours, func(h quality.HourRow) bool { return h.At == t.Unix() }); i >= 0 {
			s.hour(&row, &hours[i])
		}
		s.Rows = append(s.Rows, row)
	}
	s.sum()
	if len(days) > 0 {
		s.dayMeans(&days[0])
	}
	return &s.Sheet, nil
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
		switch c.Quantity {
		case Folded:
			x.V, x.Over, x.Evidence = f.Folded, f.Over, f.Evidence
		case Amount:
			x.V = In(hourAmount(s.emission, s.o, h, f), c.Unit)
			x.Valid = x.Valid && x.V.OK
		case Flow:
			x.V = In(hourFlow(s.o, h), c.Unit)
			x.Valid = x.Valid && x.V.OK
		default:
			x.V = f.Mean
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
	for _, kind := range s.layout.Summary {
		row := Row{Kind: kind, From: s.Period.From, To: s.Period.To, Cells: make([]Cell, len(s.Columns))}
		for i := range s.Columns {
			row.Cells[i] = s.sumCell(kind, i)
		}
		s.Sums = append(s.Sums, row)
	}
}

func (s *sheet) sumCell(kind string, col int) Cell {
	c := &s.Columns[col]
	var r quality.MeanResult
	sum := 0.0
	for i := range s.Rows {
		x := &s.Rows[i].Cells[col]
		if !x.Valid || !x.V.OK || x.Method != "" {
			continue
		}
		r.NValid++
		sum += x.V.V
		if !r.Min.OK || x.V.V < r.Min.V {
			r.Min = x.V
		}
		if !r.Max.OK || x.V.V > r.Max.V {
			r.Max = x.V
		}
	}
	out := Cell{N: r.NValid, Of: len(s.Rows), Valid: true}
	if c.Quantity == Load || c.Quantity == Note {
		return Cell{}
	}
	if kind == SumN {
		out.V = quality.Some(float64(r.NValid))
		return out
	}
	if r.NValid == 0 {
		return Cell{Of: out.Of}
	}
	amount := c.Quantity == Amount || c.Quantity == Flow
	switch kind {
	case SumMax:
		out.V = r.Max
	case SumMin:
		out.V = r.Min
	case SumMean:
		if c.Factor != phFactor && (s.o.Medium == telemetry.Gas || amount) { // water is weighted by flow: see dayMeans
			out.V = quality.Some(sum / float64(r.NValid))
		}
	case SumTotal:
		if amount {
			out.Unit = s.layout.Amount[SumTotal]
			if c.Quantity == Flow {
				out.Unit = s.layout.Flow[SumTotal]
			}
			out.V = In(quality.Some(sum*unitOf[c.Unit]), out.Unit)
		}
	}
	return out
}

// phFactor has no arithmetic mean.
const phFactor = "w01001"

// dayMeans puts the means of the judged day into the row of means.
func (s *sheet) dayMeans(d *quality.DayRow) {
	s.digest(d.Rules)
	k := slices.IndexFunc(s.Sums, func(r Row) bool { return r.Kind == SumMean })
	if k < 0 {
		return
	}
	for i := range s.Columns {
		c := &s.Columns[i]
		f := d.Factor(c.Factor)
		if f == nil || c.Quantity == Amount || c.Quantity == Flow {
			continue
		}
		x := Cell{V: f.Mean, Valid: f.Valid, N: f.NValid, Of: f.NExpected, Limit: f.Limit}
		folded := f.Basis == quality.BasisFolded || f.Basis == quality.BasisReportedFolded
		if c.Quantity == Folded {
			x.V = f.Folded
		}
		if folded == (c.Quantity == Folded) {
			x.Over, x.Evidence = f.Over, f.Evidence
		}
		s.Sums[k].Cells[i] = x
	}
}
