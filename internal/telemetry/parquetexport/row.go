package parquetexport

import (
	"time"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/figures"
	"plateau/internal/telemetry/quality"
)

// Reported is a row of records/: one value as a logger sent it. Columns are
// only ever added.
type Reported struct {
	Outlet     int64     `parquet:"outlet"`
	OutletName string    `parquet:"outlet_name,dict"`
	MN         string    `parquet:"mn,dict"` // by the registry, on receipt
	Instant    time.Time `parquet:"instant,timestamp(millisecond)"`
	Factor     string    `parquet:"factor,dict"`
	Suffix     string    `parquet:"suffix,dict"`
	Value      *float64  `parquet:"value,optional"` // nil where the text is no number
	Text       string    `parquet:"text"`           // exactly as sent
	Flag       string    `parquet:"flag,dict"`
	Unit       string    `parquet:"unit,dict"`
	Received   time.Time `parquet:"received,timestamp(microsecond)"`
	Frame      string    `parquet:"frame"`   // locator of the frame that gave the value
	Resent     bool      `parquet:"resent"`  // by the logger's own mark, of that frame
	Revised    bool      `parquet:"revised"` // some value of the record was replaced by a later frame
}

// Judged is a row of judged/: one factor in one hour or day. Columns are only
// ever added.
type Judged struct {
	Outlet         int64     `parquet:"outlet"`
	OutletName     string    `parquet:"outlet_name,dict"`
	Start          time.Time `parquet:"start,timestamp(millisecond)"`
	Factor         string    `parquet:"factor,dict"`
	Unit           string    `parquet:"unit,dict"`
	Mean           *float64  `parquet:"mean,optional"`
	Folded         *float64  `parquet:"folded,optional"`
	Min            *float64  `parquet:"min,optional"`
	Max            *float64  `parquet:"max,optional"`
	PartsSeen      int64     `parquet:"parts_seen"` // minutes of an hour, hours of a day
	PartsValid     int64     `parquet:"parts_valid"`
	PartsDue       int64     `parquet:"parts_due"`
	Valid          bool      `parquet:"valid"`
	Mark           string    `parquet:"mark,dict"`     // hours only
	Rate           *float64  `parquet:"rate,optional"` // kg/h; hours only
	Mass           *float64  `parquet:"mass,optional"` // kg; days only
	Flow           *float64  `parquet:"flow,optional"` // m3 of the outlet in the period
	Value          *float64  `parquet:"judged,optional"`
	Basis          string    `parquet:"basis,dict"`
	LimitID        string    `parquet:"limit_id,dict"`
	LimitOp        string    `parquet:"limit_op,dict"`
	LimitLow       *float64  `parquet:"limit_low,optional"`
	LimitHigh      *float64  `parquet:"limit_high,optional"`
	LimitStatistic string    `parquet:"limit_statistic,dict"`
	Over           bool      `parquet:"over"`
	Finding        bool      `parquet:"finding"`
	TimesOver      *float64  `parquet:"times_over,optional"`
	Stopped        bool      `parquet:"stopped"` // hours only
	Revised        bool      `parquet:"revised"`
	Rule           string    `parquet:"rule,dict"` // of validity, in force on the day
	RuleVersion    int64     `parquet:"rule_version"`
	Rules          string    `parquet:"rules,dict"` // digest of all rules the row was judged by
}

func ptr(v quality.Opt) *float64 {
	if !v.OK {
		return nil
	}
	return &v.V
}

// origin is where a value of a record comes from.
type origin struct {
	value    telemetry.Value
	frame    telemetry.Locator
	received int64 // Unix microseconds
	resent   bool
}

// origins finds the frame of each value of a record that is made of several:
// the first one since which the value is what it is.
func origins(parts []telemetry.Record, all []origin) []origin {
	all = all[:0]
	for i := range parts {
		p := &parts[i]
	values:
		for _, v := range p.Values {
			next := origin{v, p.Parts[0], p.Received, p.RF}
			for j := range all {
				if old := &all[j]; old.value.Code == v.Code && old.value.Suffix == v.Suffix {
					if old.value != v {
						*old = next
					}
					continue values
				}
			}
			all = append(all, next)
		}
	}
	return all
}

// outlet is what the rows of an outlet have in common.
type outlet struct {
	*telemetry.Outlet
	loggers []telemetry.Device
	units   map[string]string
}

func (o *outlet) unit(code string) string {
	u, ok := o.units[code]
	if !ok {
		u = figures.RawUnit(o.Outlet, code)
		o.units[code] = u
	}
	return u
}

// mn is the logger that served the outlet at an instant, "" when none is known.
func (o *outlet) mn(at time.Time) string {
	for i := range o.loggers {
		if d := &o.loggers[i]; !at.Before(d.From) && (d.To.IsZero() || at.Before(d.To)) {
			return d.MN
		}
	}
	return ""
}

func (o *outlet) reported(r *telemetry.Record, from *origin) Reported {
	v := &from.value
	row := Reported{
		Outlet: int64(o.ID), OutletName: o.Name.Zh, Instant: time.Unix(r.At, 0).UTC(), Factor: v.Code, Suffix: v.Suffix, Text: v.Source(), Flag: v.Flag, Unit: o.unit(v.Code),
		Received: time.UnixMicro(from.received).UTC(), Frame: from.frame.String(), Resent: from.resent, Revised: r.Revised,
	}
	row.MN = o.mn(row.Received)
	if v.IsNum {
		f := v.Dec.Float()
		row.Value = &f
	}
	return row
}

func (o *outlet) judged(start int64, code string, l *quality.LimitRef, rule quality.RuleRef) Judged {
	return Judged{
		Outlet: int64(o.ID), OutletName: o.Name.Zh, Start: time.Unix(start, 0).UTC(), Factor: code, Unit: o.unit(code),
		LimitID: l.ID, LimitOp: l.Op, LimitLow: ptr(l.Lo), LimitHigh: ptr(l.Hi), LimitStatistic: l.Statistic, Rule: rule.ID, RuleVersion: int64(rule.Version),
	}
}

func (o *outlet) hour(h *quality.HourRow, f *quality.FactorHour, rule quality.RuleRef) Judged {
	r := o.judged(h.At, f.Code, &f.Limit, rule)
	r.Mean, r.Folded, r.Min, r.Max, r.Rate, r.Flow = ptr(f.Mean), ptr(f.Folded), ptr(f.Min), ptr(f.Max), ptr(f.Rate), ptr(h.Flow)
	r.PartsSeen, r.PartsValid, r.PartsDue, r.Valid, r.Mark = int64(f.NSeen), int64(f.NValid), int64(f.NExpected), f.Valid, f.Flag
	r.Value, r.Basis, r.Over, r.Finding, r.TimesOver = ptr(f.Judged), string(f.Basis), f.Over, f.Over && f.Evidence, ptr(f.Times)
	r.Stopped, r.Revised, r.Rules = h.Stopped, h.Revised, h.Rules
	return r
}

func (o *outlet) day(d *quality.DayRow, f *quality.FactorDay, rule quality.RuleRef) Judged {
	r := o.judged(d.At, f.Code, &f.Limit, rule)
	r.Mean, r.Folded, r.Min, r.Max, r.Mass, r.Flow = ptr(f.Mean), ptr(f.Folded), ptr(f.Min), ptr(f.Max), ptr(f.Total), ptr(d.Flow)
	r.PartsSeen, r.PartsValid, r.PartsDue, r.Valid = int64(f.NSeen), int64(f.NValid), int64(f.NExpected), f.Valid
	r.Value, r.Basis, r.Over, r.Finding, r.TimesOver = ptr(f.Judged), string(f.Basis), f.Over, f.Over && f.Evidence, ptr(f.Times)
	r.Revised, r.Rules = d.Revised, d.Rules
	return r
}
