package publicweb

import (
	"strconv"
	"time"

	"plateau/hj212"
	"plateau/internal/platform/csvcell"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/figures"
	"plateau/internal/telemetry/quality"
)

// Record is a row of the published files: one factor of one outlet in one hour
// or day. Columns are only ever added; their meaning is in columns and, in
// words, on the page of the data.
type Record struct {
	Level          string    `parquet:"level,dict"`
	Start          time.Time `parquet:"start,timestamp(millisecond)"`
	Outlet         int64     `parquet:"outlet"`
	OutletName     string    `parquet:"outlet_name,dict"`
	Enterprise     string    `parquet:"enterprise_name,dict"`
	County         string    `parquet:"county,dict"`
	Medium         string    `parquet:"medium,dict"`
	Factor         string    `parquet:"factor,dict"`
	FactorName     string    `parquet:"factor_name,dict"`
	Unit           string    `parquet:"unit,dict"`
	Value          *float64  `parquet:"value,optional"`
	Basis          string    `parquet:"basis,dict"`
	Valid          bool      `parquet:"valid"`
	PartsValid     int64     `parquet:"parts_valid"`
	PartsDue       int64     `parquet:"parts_due"`
	Mark           string    `parquet:"mark,dict"`
	LimitLow       *float64  `parquet:"limit_low,optional"`
	LimitHigh      *float64  `parquet:"limit_high,optional"`
	LimitStatistic string    `parquet:"limit_statistic,dict"`
	LimitStandard  string    `parquet:"limit_standard,dict"`
	Over           bool      `parquet:"over"`
	Finding        bool      `parquet:"finding"`
	TimesOver      *float64  `parquet:"times_over,optional"`
	Revised        bool      `parquet:"revised"`
	Sample         bool      `parquet:"sample"`
}

// column describes a column of the published files.
type column struct {
	Name string
	Type string // of CSVW: string, dateTime, integer, double, boolean
	Unit string // "" = none; "unit" = that of the row's column unit
	Null bool   // may be empty
	text func(*Record) string
}

func columns() []column {
	text := func(f func(*Record) string) func(*Record) string {
		return func(r *Record) string { return csvcell.Safe(f(r)) }
	}
	return []column{
		{"level", "string", "", false, func(r *Record) string { return r.Level }},
		{"start", "dateTime", "", false, func(r *Record) string { return r.Start.In(i18n.Zone).Format(time.RFC3339) }},
		{"outlet", "integer", "", false, func(r *Record) string { return strconv.FormatInt(r.Outlet, 10) }},
		{"outlet_name", "string", "", false, text(func(r *Record) string { return r.OutletName })},
		{"enterprise_name", "string", "", true, text(func(r *Record) string { return r.Enterprise })},
		{"county", "string", "", true, text(func(r *Record) string { return r.County })},
		{"medium", "string", "", false, func(r *Record) string { return r.Medium }},
		{"factor", "string", "", false, text(func(r *Record) string { return r.Factor })},
		{"factor_name", "string", "", true, text(func(r *Record) string { return r.FactorName })},
		{"unit", "string", "", true, text(func(r *Record) string { return r.Unit })},
		{"value", "double", "unit", true, func(r *Record) string { return number(r.Value) }},
		{"basis", "string", "", true, func(r *Record) string { return r.Basis }},
		{"valid", "boolean", "", false, func(r *Record) string { return strconv.FormatBool(r.Valid) }},
		{"parts_valid", "integer", "", false, func(r *Record) string { return strconv.FormatInt(r.PartsValid, 10) }},
		{"parts_due", "integer", "", false, func(r *Record) string { return strconv.FormatInt(r.PartsDue, 10) }},
		{"mark", "string", "", true, text(func(r *Record) string { return r.Mark })},
		{"limit_low", "double", "unit", true, func(r *Record) string { return number(r.LimitLow) }},
		{"limit_high", "double", "unit", true, func(r *Record) string { return number(r.LimitHigh) }},
		{"limit_statistic", "string", "", true, func(r *Record) string { return r.LimitStatistic }},
		{"limit_standard", "string", "", true, text(func(r *Record) string { return r.LimitStandard })},
		{"over", "boolean", "", false, func(r *Record) string { return strconv.FormatBool(r.Over) }},
		{"finding", "boolean", "", false, func(r *Record) string { return strconv.FormatBool(r.Finding) }},
		{"times_over", "double", "1", true, func(r *Record) string { return number(r.TimesOver) }},
		{"revised", "boolean", "", false, func(r *Record) string { return strconv.FormatBool(r.Revised) }},
		{"sample", "boolean", "", false, func(r *Record) string { return strconv.FormatBool(r.Sample) }},
	}
}

// number writes every digit that tells a value from its neighbours.
func number(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'f', -1, 64)
}

func ptr(v quality.Opt) *float64 {
	if !v.OK {
		return nil
	}
	return &v.V
}

// base is what all records of an outlet have in common.
func (c *call) base(o *telemetry.Outlet) Record {
	r := Record{Outlet: int64(o.ID), OutletName: o.Name.Zh, County: o.Area, Medium: string(o.Medium), Sample: o.Sample}
	if e := c.snap.Enterprises[o.Enterprise]; e != nil {
		r.Enterprise = e.Name.Zh
	}
	return r
}

func (c *call) of(o *telemetry.Outlet, r Record, code string, l quality.LimitRef) Record {
	r.Factor, r.Unit = code, figures.RawUnit(o, code)
	if f, ok := hj212.LookupFactor(code); ok {
		r.FactorName = f.NameZh
	}
	r.LimitLow, r.LimitHigh, r.LimitStatistic = ptr(l.Lo), ptr(l.Hi), l.Statistic
	if full := c.limitByID(o, l.ID); full != nil {
		r.LimitStandard = full.Standard
	}
	return r
}

// hourRecords writes the published factors of an hour.
func (c *call) hourRecords(o *telemetry.Outlet, base Record, row *quality.HourRow, write func(*Record) error) error {
	base.Level, base.Start, base.Revised = quality.LevelHour, unix(row.At).UTC(), row.Revised
	for i := range row.Factors {
		f := &row.Factors[i]
		if !c.shows(o, f.Code, f.Limit) {
			continue
		}
		r := c.of(o, base, f.Code, f.Limit)
		r.Valid, r.PartsValid, r.PartsDue, r.Mark = f.Valid, int64(f.NValid), int64(f.NExpected), f.Flag
		if f.Valid {
			value, basis := shown(f)
			r.Value, r.Basis, r.Over, r.Finding, r.TimesOver = ptr(value), string(basis), f.Over, f.Over && f.Evidence, ptr(f.Times)
		}
		if err := write(&r); err != nil {
			return err
		}
	}
	return nil
}

// dayRecords writes the published factors of a day.
func (c *call) dayRecords(o *telemetry.Outlet, base Record, row *quality.DayRow, write func(*Record) error) error {
	base.Level, base.Start, base.Revised = quality.LevelDay, unix(row.At).UTC(), row.Revised
	for i := range row.Factors {
		f := &row.Factors[i]
		if !c.shows(o, f.Code, f.Limit) {
			continue
		}
		r := c.of(o, base, f.Code, f.Limit)
		r.Valid, r.PartsValid, r.PartsDue = f.Valid, int64(f.NValid), int64(f.NExpected)
		if f.Valid {
			value, basis := shownDay(f)
			r.Value, r.Basis, r.Over, r.Finding, r.TimesOver = ptr(value), string(basis), f.Over, f.Over && f.Evidence, ptr(f.Times)
		}
		if err := write(&r); err != nil {
			return err
		}
	}
	return nil
}

// shown is the published mean of a valid hour: the figure held against the
// limit, else the recomputed mean.
func shown(f *quality.FactorHour) (quality.Opt, quality.Basis) {
	if f.Judged.OK {
		return f.Judged, f.Basis
	}
	return f.Mean, quality.BasisMean
}

// shownDay is the same of a day.
func shownDay(f *quality.FactorDay) (quality.Opt, quality.Basis) {
	if f.Judged.OK {
		return f.Judged, f.Basis
	}
	return f.Mean, quality.BasisMean
}
