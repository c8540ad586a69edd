package report

import (
	"context"
	"time"

	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
)

// Share is how much of what was due in an hour or a day came.
type Share struct {
	From     time.Time
	Seen     int
	Expected int // 0 = nothing was due
}

// Percent is Seen of Expected; missing where nothing was due.
func (s Share) Percent() quality.Opt {
	if s.Expected == 0 {
		return quality.Opt{}
	}
	return quality.Some(100 * float64(s.Seen) / float64(s.Expected))
}

// Completeness tells how complete the reports of an outlet were in each hour of
// a day, or on each day of a longer period: factor minutes (of a day: factor
// hours) that came, of those due. Hours that are not over are left out.
func (m *Maker) Completeness(ctx context.Context, o *telemetry.Outlet, p Period) ([]Share, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if p.Level == quality.LevelDay {
		return m.completeHours(o, p)
	}
	days, err := m.Rows.Days(o.ID, p.From, p.To)
	if err != nil {
		return nil, err
	}
	byDay := map[int64]*quality.DayRow{}
	for i := range days {
		byDay[days[i].At] = &days[i]
	}
	var out []Share
	for t := p.From; t.Before(p.To); t = t.AddDate(0, 0, 1) {
		s := Share{From: t}
		due := m.hoursDue(o, t)
		d := byDay[t.Unix()]
		for i := range o.Factors {
			var f *quality.FactorDay
			if d != nil {
				f = d.Factor(o.Factors[i].Code)
			}
			s.Expected += due
			if f != nil {
				s.Seen += min(f.NSeen, due)
			}
		}
		out = append(out, s)
	}
	return out, nil
}

// hoursDue is how many closed hours of a day an outlet had to report.
func (m *Maker) hoursDue(o *telemetry.Outlet, day time.Time) int {
	n := 0
	for t := day; t.Before(day.AddDate(0, 0, 1)); t = t.Add(time.Hour) {
		if due(o, t, m.Now) {
			n++
		}
	}
	return n
}

// due reports whether the hour is over and had to be reported.
func due(o *telemetry.Outlet, hour, now time.Time) bool {
	if hour.Add(time.Hour).After(now) || !o.Since.IsZero() && hour.Before(o.Since) {
		return false
	}
	halts := o.Halts()
	for i := range halts {
		if s := &halts[i]; !s.From.After(hour) && (s.To.IsZero() || !s.To.Before(hour.Add(time.Hour))) {
			return false
		}
	}
	return true
}

func (m *Maker) completeHours(o *telemetry.Outlet, p Period) ([]Share, error) {
	hours, err := m.Rows.Hours(o.ID, p.From, p.To)
	if err != nil {
		return nil, err
	}
	byHour := map[int64]*quality.HourRow{}
	for i := range hours {
		byHour[hours[i].At] = &hours[i]
	}
	var out []Share
	for t := p.From; t.Before(p.To); t = t.Add(time.Hour) {
		s := Share{From: t.In(i18n.Zone)}
		if due(o, t, m.Now) {
			row := byHour[t.Unix()]
			for i := range o.Factors {
				s.Expected += 60
				if row == nil {
					continue
				}
				if f := row.Factor(o.Factors[i].Code); f != nil {
					s.Seen += min(f.NSeen, 60)
				}
			}
		}
		out = append(out, s)
	}
	return out, nil
}
