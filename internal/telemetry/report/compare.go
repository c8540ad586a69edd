package report

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
)

// Point is one figure of a compared outlet.
type Point struct {
	From  time.Time
	V     quality.Opt
	Valid bool
	Over  bool
}

// Compared is an outlet beside others, for one factor.
type Compared struct {
	Outlet   telemetry.OutletID
	Unit     string
	Folded   bool // the figures are folded to reference oxygen
	Points   []Point
	Limit    quality.LimitRef
	Mean     quality.Opt // of the valid figures
	Max      quality.Opt
	N, Of    int // valid and due figures
	Over     int
	Measured quality.Opt // kg
	Total    quality.Opt // with what was substituted
	Rank     int         // by mean, the highest first; 0 = no mean
}

// Compare sets outlets side by side: hours of a day, days of a month, months of
// a longer period. Outlets without the factor are left out.
func (m *Maker) Compare(ctx context.Context, outlets []*telemetry.Outlet, factor string, p Period) ([]Compared, error) {
	var out []Compared
	for _, o := range outlets {
		if !slices.ContainsFunc(o.Factors, func(f telemetry.OutletFactor) bool { return f.Code == factor }) {
			continue
		}
		c := Compared{Outlet: o.ID, Unit: Unit(o, factor)}
		var err error
		switch p.Level {
		case quality.LevelDay:
			err = m.compareHours(o, factor, p, &c)
		case quality.LevelMonth:
			err = m.compareDays(ctx, o, factor, p, &c)
		default:
			err = m.compareMonths(ctx, o, factor, p, &c)
		}
		if err != nil {
			return nil, fmt.Errorf("%s of outlet %d: %w", p.Level, o.ID, err)
		}
		c.sum()
		out = append(out, c)
	}
	rank(out)
	return out, nil
}

func rank(list []Compared) {
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(list[b].Mean.V, list[a].Mean.V) })
	n := 0
	for _, i := range order {
		if list[i].Mean.OK {
			n++
			list[i].Rank = n
		}
	}
}

// sum counts over the figures; means that the rules judged were put in before.
func (c *Compared) sum() {
	sum := 0.0
	for _, p := range c.Points {
		if p.Over {
			c.Over++
		}
		if !p.Valid || !p.V.OK {
			continue
		}
		c.N++
		sum += p.V.V
		if !c.Max.OK || p.V.V > c.Max.V {
			c.Max = p.V
		}
	}
	if !c.Mean.OK && c.N > 0 {
		c.Mean = quality.Some(sum / float64(c.N))
	}
}

func (m *Maker) compareHours(o *telemetry.Outlet, factor string, p Period, c *Compared) error {
	hours, err := m.Rows.Hours(o.ID, p.From, p.To)
	if err != nil {
		return err
	}
	byHour := map[int64]*quality.FactorHour{}
	for i := range hours {
		if f := hours[i].Factor(factor); f != nil {
			byHour[hours[i].At] = f
		}
	}
	for t := p.From; t.Before(p.To); t = t.Add(time.Hour) {
		pt := Point{From: t}
		if f := byHour[t.Unix()]; f != nil && !t.Add(time.Hour).After(m.Now) {
			mean, folded := f.Shown()
			pt.V, pt.Valid, pt.Over = mean, f.Valid, f.Over
			if folded.OK {
				pt.V, c.Folded = folded, true
			}
			if f.NExpected > 0 {
				c.Of++
			}
			if !f.Limit.IsZero() {
				c.Limit = f.Limit
			}
		} else if due(o, t, m.Now) {
			c.Of++
		}
		c.Points = append(c.Points, pt)
	}
	days, err := m.Rows.Days(o.ID, p.From, p.To)
	if err != nil || len(days) == 0 {
		return err
	}
	if f := days[0].Factor(factor); f != nil {
		mean, folded := f.Shown()
		c.Measured, c.Total, c.Mean = f.Total, f.Total, mean
		if c.Folded {
			c.Mean = folded
		}
	}
	return nil
}

func (m *Maker) compareDays(ctx context.Context, o *telemetry.Outlet, factor string, p Period, c *Compared) error {
	days, err := m.Rows.Days(o.ID, p.From, p.To)
	if err != nil {
		return err
	}
	byDay := map[int64]*quality.FactorDay{}
	for i := range days {
		if f := days[i].Factor(factor); f != nil {
			byDay[days[i].At] = f
		}
	}
	for t := p.From; t.Before(p.To); t = t.AddDate(0, 0, 1) {
		pt := Point{From: t}
		if f := byDay[t.Unix()]; f != nil && !t.AddDate(0, 0, 1).After(m.Now) {
			mean, folded := f.Shown()
			pt.V, pt.Valid, pt.Over = mean, f.Valid, f.Over
			if folded.OK {
				pt.V, c.Folded = folded, true
			}
			if !f.Limit.IsZero() {
				c.Limit = f.Limit
			}
		}
		c.Points = append(c.Points, pt)
	}
	return m.compareWhole(ctx, o, factor, p, c)
}

func (m *Maker) compareMonths(ctx context.Context, o *telemetry.Outlet, factor string, p Period, c *Compared) error {
	for _, month := range p.Months() {
		pt := Point{From: month.From}
		if month.From.Before(m.Now) {
			row, err := m.Rows.Period(ctx, o.ID, quality.LevelMonth, month.From)
			if err != nil {
				return err
			}
			if f := periodFactor(&row, factor); f != nil {
				pt.V, pt.Valid, pt.Over = f.Mean, f.Valid, f.OverDays > 0
				if f.Folded.OK {
					pt.V, c.Folded = f.Folded, true
				}
			}
		}
		c.Points = append(c.Points, pt)
	}
	return m.compareWhole(ctx, o, factor, p, c)
}

// compareWhole takes mean and amounts of the whole period as it was judged.
func (m *Maker) compareWhole(ctx context.Context, o *telemetry.Outlet, factor string, p Period, c *Compared) error {
	row, err := m.Rows.Period(ctx, o.ID, p.Level, p.From)
	if err != nil {
		return err
	}
	f := periodFactor(&row, factor)
	if f == nil {
		return nil
	}
	c.Measured, c.Total, c.Of = f.Measured, f.Total, f.DaysDue
	if c.Mean = f.Mean; c.Folded {
		c.Mean = f.Folded
	}
	if p.Level != quality.LevelMonth {
		c.Of = 0
		for _, month := range p.Months() {
			if !month.To.After(m.Now) {
				c.Of++
			}
		}
	}
	return nil
}
