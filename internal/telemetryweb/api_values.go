package telemetryweb

import (
	"slices"
	"time"

	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/indices"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/report"
)

// maxBulkSpan bounds a stream: a year and a day.
const maxBulkSpan = 367 * 24 * time.Hour

// chosenSpan reads from and to; most is the longest stretch of one answer.
func (c *call) chosenSpan(most time.Duration) (from, to time.Time, err error) {
	if from, to, err = c.span(24 * time.Hour); err != nil {
		return from, to, err
	}
	if c.wantsLines() {
		most = maxBulkSpan
	}
	if to.Sub(from) > most {
		return from, to, errs.New(errs.Malformed, "api.long_span", "days", int(most/(24*time.Hour)))
	}
	return from, to, nil
}

// hourLines makes the lines of judged hours.
func (c *call) hourLines(o *telemetry.Outlet, rows []quality.HourRow, emit func(v any) error) error {
	only, name := c.query("factor"), c.outletName(o).Text
	for i := range rows {
		at := isoOf(time.Unix(rows[i].At, 0))
		for j := range rows[i].Factors {
			f := &rows[i].Factors[j]
			if only != "" && f.Code != only {
				continue
			}
			reported := f.Reported.Avg
			if f.Basis == quality.BasisReportedFolded {
				reported = f.Reported.ZsAvg
			}
			if err := emit(apiHour{
				At: at, Outlet: o.ID, Name: name, Factor: f.Code, Flag: f.Flag, ValidMinutes: f.NValid, SeenMinutes: f.NSeen, Valid: f.Valid, Mean: plain(f.Mean), Folded: plain(f.Folded),
				Reported: plain(reported), Judged: plain(f.Judged), Basis: string(f.Basis), LimitLo: plain(f.Limit.Lo), LimitHi: plain(f.Limit.Hi), Over: f.Over, TimesOver: plain(f.Times),
				Unit: unitOf(o, f.Code), Rules: rows[i].Rules,
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *call) dayLines(o *telemetry.Outlet, rows []quality.DayRow, emit func(v any) error) error {
	only, name := c.query("factor"), c.outletName(o).Text
	for i := range rows {
		for j := range rows[i].Factors {
			f := &rows[i].Factors[j]
			if only != "" && f.Code != only {
				continue
			}
			if err := emit(apiDay{
				At: time.Unix(rows[i].At, 0).In(i18n.Zone).Format(time.DateOnly), Outlet: o.ID, Name: name, Factor: f.Code, ValidHours: f.NValid, HoursDue: f.NExpected, Valid: f.Valid,
				Mean: plain(f.Mean), Folded: plain(f.Folded), Judged: plain(f.Judged), Basis: string(f.Basis), Total: plain(f.Total), LimitLo: plain(f.Limit.Lo), LimitHi: plain(f.Limit.Hi),
				Over: f.Over, TimesOver: plain(f.Times), Unit: unitOf(o, f.Code), Rules: rows[i].Rules,
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

// slice is how much of a history is read at once for a stream.
const slice = 10 * 24 * time.Hour

// eachSlice calls fn for one part of [from, to) after the other.
func eachSlice(from, to time.Time, fn func(from, to time.Time) error) error {
	for from.Before(to) {
		end := from.Add(slice)
		if end.After(to) {
			end = to
		}
		if err := fn(from, end); err != nil {
			return err
		}
		from = end
	}
	return nil
}

// rowsAnswer answers with rows that are made by fn, as a list or as lines.
func (c *call) rowsAnswer(fn func(emit func(v any) error) error) error {
	if c.wantsLines() {
		return c.stream(fn)
	}
	rows := []any{}
	if err := fn(func(v any) error { rows = append(rows, v); return nil }); err != nil {
		return err
	}
	out := map[string]any{"rows": rows}
	if !c.knownAt.IsZero() {
		out["known"] = isoOf(c.knownAt)
	}
	return c.answer(out)
}

func (h *Handler) apiHours(c *call) error {
	o, s, err := h.look(c, c.r.PathValue("id"))
	if err != nil {
		return err
	}
	from, to, err := c.chosenSpan(maxRecordsSpan)
	if err != nil {
		return err
	}
	return c.rowsAnswer(func(emit func(v any) error) error {
		return eachSlice(from, to, func(from, to time.Time) error {
			rows, err := s.Hours(from, to)
			if err != nil {
				return err
			}
			return c.hourLines(o, rows, emit)
		})
	})
}

func (h *Handler) apiDays(c *call) error {
	o, s, err := h.look(c, c.r.PathValue("id"))
	if err != nil {
		return err
	}
	from, to, err := c.chosenSpan(maxBulkSpan)
	if err != nil {
		return err
	}
	return c.rowsAnswer(func(emit func(v any) error) error {
		rows, err := s.Days(from, to)
		if err != nil {
			return err
		}
		return c.dayLines(o, rows, emit)
	})
}

// bulk streams something of every outlet that the query chooses, by number.
func (h *Handler) bulk(c *call, fn func(o *telemetry.Outlet, from, to time.Time, emit func(v any) error) error) error {
	from, to, err := c.chosenSpan(maxBulkSpan)
	if err != nil {
		return err
	}
	f, enterprise := c.filter(), c.query("enterprise")
	return c.stream(func(emit func(v any) error) error {
		for _, id := range c.outletIDs() {
			o := c.snap.Outlets[id]
			if !c.sees(o) || !f.matches(c, o) || enterprise != "" && o.Enterprise != enterprise {
				continue
			}
			if err := c.ctx().Err(); err != nil {
				return err
			}
			if err := eachSlice(from, to, func(from, to time.Time) error { return fn(o, from, to, emit) }); err != nil {
				return err
			}
		}
		return nil
	})
}

func (h *Handler) apiBulkHours(c *call) error {
	return h.bulk(c, func(o *telemetry.Outlet, from, to time.Time, emit func(v any) error) error {
		rows, err := h.Quality.Hours(o.ID, from, to)
		if err != nil {
			return err
		}
		return c.hourLines(o, rows, emit)
	})
}

func (h *Handler) apiBulkDays(c *call) error {
	return h.bulk(c, func(o *telemetry.Outlet, from, to time.Time, emit func(v any) error) error {
		rows, err := h.Quality.Days(o.ID, from, to)
		if err != nil {
			return err
		}
		return c.dayLines(o, rows, emit)
	})
}

// apiIndices gives the class of a section, day by day. An outlet of waste gas or
// waste water has limits to keep and no class.
func (h *Handler) apiIndices(c *call) error {
	o, s, err := h.look(c, c.r.PathValue("id"))
	if err != nil {
		return err
	}
	if o.Medium != telemetry.Surface {
		return errs.New(errs.Invalid, "api.no_index", "outlet", int(o.ID))
	}
	from, to, err := c.chosenSpan(maxBulkSpan)
	if err != nil {
		return err
	}
	return c.rowsAnswer(func(emit func(v any) error) error {
		days, err := s.Days(from, to)
		if err != nil {
			return err
		}
		name := c.outletName(o).Text
		for i := range days {
			at := i18n.Short(time.Unix(days[i].At, 0))
			rule, err := indices.ReadClass(h.ruleSet(), at)
			if err != nil {
				return err
			}
			r := rule.Day(o, &days[i])
			row := apiIndex{At: at, Outlet: o.ID, Name: name, Factors: r.PerFactor, Over: r.OverClass3, Main: r.Main, Rule: "water.class", Version: rule.Version()}
			if r.Class != "" {
				row.Class = r.Class
			}
			if row.Main == nil {
				row.Main = []string{}
			}
			if err := emit(row); err != nil {
				return err
			}
		}
		return nil
	})
}

// apiReport gives what the report's JSON export gives, and what it is of.
func (h *Handler) apiReport(c *call) error {
	var p report.Period
	ok := false
	for _, level := range report.Levels { // the form of the date tells
		if p, ok = report.ParsePeriod(level, c.r.PathValue("period")); ok {
			break
		}
	}
	if !ok {
		return errs.New(errs.Malformed, "api.bad_report")
	}
	if p.From.After(c.now) {
		return notFound()
	}
	o, s, err := h.sheet(c, c.r.PathValue("id"), p)
	if err != nil {
		return err
	}
	e := h.exportSheet(c, o, s)
	chosen, err := c.pick()
	if err != nil {
		return err
	}
	for name := range chosen { // columns differ from report to report, so no type tells them
		if !slices.Contains(e.Codes, name) {
			return errs.New(errs.Malformed, "api.field", "field", name)
		}
	}
	out := apiReport{
		Outlet: o.ID, Level: p.Level, Period: p.Date(), From: isoOf(p.From), To: isoOf(p.To), Until: isoOf(s.Until), Provisional: s.Provisional, Rules: sheetRules(s), Rows: []apiReportRow{},
		Known: isoOf(c.knownAt),
	}
	for _, row := range e.objects() {
		out.Rows = append(out.Rows, row)
	}
	for i, code := range e.Codes {
		out.Columns = append(out.Columns, apiColumn{code, e.Words[i]})
	}
	return c.answer(out)
}

// apiPeriod is a month, quarter or year of an outlet.
func (h *Handler) apiPeriod(c *call) error {
	_, s, err := h.look(c, c.r.PathValue("id"))
	if err != nil {
		return err
	}
	level := c.query("level")
	if level == "" {
		level = quality.LevelMonth
	}
	if level != quality.LevelMonth && level != quality.LevelQuarter && level != quality.LevelYear {
		return errs.New(errs.Malformed, "api.bad_level")
	}
	p := report.PeriodAt(level, c.now)
	if date := c.query("date"); date != "" {
		var ok bool
		if p, ok = report.ParsePeriod(level, date); !ok {
			return errs.New(errs.Malformed, "api.bad_period")
		}
	}
	row, err := s.Period(c.ctx(), level, p.From)
	if missing(err) {
		return notFound()
	}
	if err != nil {
		return err
	}
	return c.answer(toAPIPeriod(&row))
}
