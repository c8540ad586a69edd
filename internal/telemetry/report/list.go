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

// Line is one factor of an outlet in a list.
type Line struct {
	Factor       string
	Unit         string
	Mean         Cell        // valid of due: hours of a day, days of a longer period
	Max          quality.Opt // of hours
	OverHours    int         // hours over the limit, evidence or warning
	OverDays     int
	Amounts      bool        // the factor has an amount
	Measured     quality.Opt // kg
	Substituted  quality.Opt
	Total        quality.Opt
	SubstHours   int
	NoRule       int // hours (water: days) that no rule fills
	Capture      quality.Opt
	Limit        quality.LimitRef // permit amount, kg
	OverLimit    bool
	HoursStopped int
}

// Entry is one outlet of a list.
type Entry struct {
	Outlet       telemetry.OutletID
	Medium       telemetry.Medium
	Flow         quality.Opt // m3
	Transmission quality.TransmissionResult
	Provisional  bool
	Rules        []string
	Lines        []Line
}

// Sum is what all outlets of a medium have of one factor together. Sums never
// mix media, and hold amounts only: there is no mean over outlets.
type Sum struct {
	Medium      telemetry.Medium
	Factor      string // "" = what flowed: Total in m3
	Outlets     int    // with this factor
	Valid       int    // of these, with a valid mean
	OverHours   int
	OverDays    int
	Amounts     bool
	Measured    quality.Opt // kg
	Substituted quality.Opt
	Total       quality.Opt
	SubstHours  int
	NoRule      int
}

// List is the report of an enterprise, a county or a region: its outlets with
// their factors, and the sums.
type List struct {
	Period      Period
	Until       time.Time
	Provisional bool
	Entries     []Entry
	Sums        []Sum
	Digests     []string
	Layouts     []Ref
}

// Entry makes the entry of one outlet.
func (m *Maker) Entry(ctx context.Context, o *telemetry.Outlet, p Period) (Entry, Ref, error) {
	l, err := ReadLayout(m.Rules, o.Medium, p)
	if err != nil {
		return Entry{}, Ref{}, err
	}
	e := Entry{Outlet: o.ID, Medium: o.Medium, Provisional: p.Until(m.Now).Before(p.To)}
	if p.Level == quality.LevelDay {
		err = m.dayEntry(&e, o, l, p)
	} else {
		err = m.periodEntry(ctx, &e, o, l, p)
	}
	if err != nil {
		return e, l.Ref, fmt.Errorf("%s of outlet %d: %w", p.Level, o.ID, err)
	}
	return e, l.Ref, nil
}

// listed are the factors of an outlet that a list shows: those with a limit and
// the pollutants, in the order of the layout.
func (l *Layout) listed(o *telemetry.Outlet, limited func(code string) bool) []string {
	var out []string
	for i := range o.Factors {
		if c := o.Factors[i].Code; slices.Contains(l.Pollutants, c) || limited(c) {
			out = append(out, c)
		}
	}
	place := func(c string) int {
		if i := slices.Index(l.Columns, c); i >= 0 {
			return i
		}
		return slices.Index(l.Columns, "*")
	}
	slices.SortStableFunc(out, func(a, b string) int { return cmp.Compare(place(a), place(b)) })
	return out
}

func (m *Maker) dayEntry(e *Entry, o *telemetry.Outlet, l *Layout, p Period) error {
	hours, err := m.Rows.Hours(o.ID, p.From, p.To)
	if err != nil {
		return err
	}
	days, err := m.Rows.Days(o.ID, p.From, p.To)
	if err != nil {
		return err
	}
	var day quality.DayRow
	if len(days) > 0 {
		day = days[0]
		e.Flow, e.Rules = day.Flow, []string{day.Rules}
	}
	for _, code := range l.listed(o, func(c string) bool { f := day.Factor(c); return f != nil && !f.Limit.IsZero() }) {
		line := Line{Factor: code, Unit: Unit(o, code), Amounts: slices.Contains(l.Pollutants, code)}
		if f := day.Factor(code); f != nil {
			line.Mean = Cell{V: f.Mean, Valid: f.Valid, N: f.NValid, Of: f.NExpected, Limit: f.Limit, Over: f.Over, Evidence: f.Evidence}
			if f.Judged.OK {
				line.Mean.V = f.Judged
			}
			line.Max, line.Measured, line.Total = f.Max, f.Total, f.Total
			if f.Over {
				line.OverDays = 1
			}
		}
		for i := range hours {
			if f := hours[i].Factor(code); f != nil && f.Over {
				line.OverHours++
			}
			if hours[i].Stopped {
				line.HoursStopped++
			}
		}
		e.Lines = append(e.Lines, line)
	}
	return nil
}

func (m *Maker) periodEntry(ctx context.Context, e *Entry, o *telemetry.Outlet, l *Layout, p Period) error {
	row, err := m.Rows.Period(ctx, o.ID, p.Level, p.From)
	if err != nil {
		return err
	}
	e.Flow, e.Transmission, e.Provisional, e.Rules = row.Flow, row.Transmission, row.Provisional, []string{row.Rules}
	for _, code := range l.listed(o, func(c string) bool { f := periodFactor(&row, c); return f != nil && f.OverHours+f.OverDays > 0 }) {
		line := Line{Factor: code, Unit: Unit(o, code), Amounts: slices.Contains(l.Pollutants, code)}
		if f := periodFactor(&row, code); f != nil {
			line.Mean = Cell{V: f.Mean, Valid: f.Valid, N: f.DaysValid, Of: f.DaysDue}
			if f.Folded.OK {
				line.Mean.V = f.Folded
			}
			line.Max, line.OverHours, line.OverDays = f.Max, f.OverHours, f.OverDays
			line.Measured, line.Substituted, line.Total = f.Measured, f.Substituted, f.Total
			line.SubstHours, line.NoRule, line.Capture = f.SubstHours, f.NoRule, f.Capture
			line.Limit, line.OverLimit, line.HoursStopped = f.Limit, f.Over, f.HoursStopped
		}
		e.Lines = append(e.Lines, line)
	}
	return nil
}

// List makes the report of several outlets. progress, where given, is told
// after each outlet how many are done; an error of it ends the work.
func (m *Maker) List(ctx context.Context, outlets []*telemetry.Outlet, p Period, progress func(done int) error) (*List, error) {
	l := &List{Period: p, Until: p.Until(m.Now)}
	l.Provisional = l.Until.Before(p.To)
	for i, o := range outlets {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		e, layout, err := m.Entry(ctx, o, p)
		if err != nil {
			return nil, err
		}
		l.Entries = append(l.Entries, e)
		l.Provisional = l.Provisional || e.Provisional
		for _, d := range e.Rules {
			if d != "" && !slices.Contains(l.Digests, d) {
				l.Digests = append(l.Digests, d)
			}
		}
		if !slices.Contains(l.Layouts, layout) {
			l.Layouts = append(l.Layouts, layout)
		}
		if progress != nil {
			if err := progress(i + 1); err != nil {
				return nil, err
			}
		}
	}
	l.Sums = Sums(l.Entries)
	return l, nil
}

// Sums adds up entries by medium and factor, in the order in which they stand.
func Sums(entries []Entry) []Sum {
	var out []Sum
	find := func(m telemetry.Medium, factor string) *Sum {
		i := slices.IndexFunc(out, func(s Sum) bool { return s.Medium == m && s.Factor == factor })
		if i < 0 {
			i = len(out)
			out = append(out, Sum{Medium: m, Factor: factor})
		}
		return &out[i]
	}
	for i := range entries {
		e := &entries[i]
		for k := range e.Lines {
			x := &e.Lines[k]
			s := find(e.Medium, x.Factor)
			s.Outlets++
			if x.Mean.Valid {
				s.Valid++
			}
			s.OverHours, s.OverDays = s.OverHours+x.OverHours, s.OverDays+x.OverDays
			s.Amounts = s.Amounts || x.Amounts
			s.Measured, s.Substituted, s.Total = addIf(s.Measured, x.Measured), addIf(s.Substituted, x.Substituted), addIf(s.Total, x.Total)
			s.SubstHours, s.NoRule = s.SubstHours+x.SubstHours, s.NoRule+x.NoRule
		}
		if e.Flow.OK {
			s := find(e.Medium, "")
			s.Outlets++
			s.Total = addIf(s.Total, e.Flow)
		}
	}
	slices.SortStableFunc(out, func(a, b Sum) int { return cmp.Compare(mediumOrder[a.Medium], mediumOrder[b.Medium]) })
	return out
}

var mediumOrder = map[telemetry.Medium]int{telemetry.Gas: 0, telemetry.Water: 1, telemetry.Surface: 2}

// addIf adds what is there and keeps a sum that nothing was added to missing.
func addIf(a, b quality.Opt) quality.Opt {
	if !b.OK {
		return a
	}
	return quality.Some(a.V + b.V)
}
