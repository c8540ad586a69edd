package parquetexport

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"plateau/internal/platform/parquetfile"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
)

// table is one of the tables: the records of a kind, or a level of judgement.
type table struct {
	name   string // as chosen: hour, judged-hour
	folder string // records/kind=hour
	kind   telemetry.Kind
	level  string // "" = records
}

// tables are all there are, in the order in which they are written.
var tables = func() (all []table) {
	for _, k := range []struct {
		name string
		kind telemetry.Kind
	}{
		{"realtime", telemetry.KindRealtime},
		{"minute", telemetry.KindMinute},
		{"hour", telemetry.KindHour},
		{"day", telemetry.KindDay},
		{"state", telemetry.KindState},
		{"runtime", telemetry.KindRunTime},
		{"alarm", telemetry.KindAlarm},
		{"poweron", telemetry.KindPowerOn},
		{"periodic", telemetry.KindPeriodic},
		{"check", telemetry.KindCheck},
		{"furnace", telemetry.KindFurnace},
		{"noise", telemetry.KindNoise},
		{"info", telemetry.KindInfo},
	} {
		all = append(all, table{name: k.name, folder: "records/kind=" + k.name, kind: k.kind})
	}
	for _, l := range []string{quality.LevelHour, quality.LevelDay} {
		all = append(all, table{name: "judged-" + l, folder: "judged/level=" + l, level: l})
	}
	return all
}()

// Kinds are the names of the tables.
func Kinds() (names []string) {
	for i := range tables {
		names = append(names, tables[i].name)
	}
	return names
}

// choose finds tables by name; none named is all.
func choose(names []string) (out []table, err error) {
	if len(names) == 0 {
		return tables, nil
	}
	for _, n := range names {
		if !slices.Contains(Kinds(), n) {
			return nil, fmt.Errorf("there is no kind %q; kinds are %s", n, strings.Join(Kinds(), ", "))
		}
	}
	for i := range tables {
		if slices.Contains(names, tables[i].name) {
			out = append(out, tables[i])
		}
	}
	return out, nil
}

// span tells the first and the last time of an outlet in a table, Unix seconds.
func (o *Options) span(t *table, id telemetry.OutletID) (first, last int64, ok bool, err error) {
	if t.level == "" {
		err = o.Store.Records(id, t.kind, math.MinInt64, math.MaxInt64, func(r *telemetry.Record) bool {
			first, ok = r.At, true
			return false
		})
		last, _ = o.Store.LastAt(id, t.kind)
		return first, last, ok, err
	}
	which := quality.TableHour
	if t.level == quality.LevelDay {
		which = quality.TableDay
	}
	err = o.Store.Derived(which, id, math.MinInt64, math.MaxInt64, func(at int64, _ []byte) bool {
		first, ok = at, true
		return false
	})
	if err != nil || !ok {
		return first, last, ok, err
	}
	err = o.Store.DerivedNewest(which, id, math.MinInt64, math.MaxInt64, func(at int64, _ []byte) bool {
		last = at
		return false
	})
	return first, last, ok, err
}

// sheet writes rows of one file.
type sheet interface {
	// add writes what an outlet has in [from, to).
	add(o *outlet, from, to time.Time) error
	close() error
}

func (o *Options) sheet(t *table, w io.Writer, rows *int64) sheet {
	about := map[string]string{"about": "docs/parquet.md", "table": t.folder, "months": "UTC+8"}
	if t.level == "" {
		return &reportedSheet{Writer: parquetfile.New[Reported](w, o.Version, "export", about), o: o, kind: t.kind, rows: rows}
	}
	return &judgedSheet{Writer: parquetfile.New[Judged](w, o.Version, "export", about), o: o, level: t.level, rows: rows}
}

type reportedSheet struct {
	*parquetfile.Writer[Reported]
	o    *Options
	kind telemetry.Kind
	rows *int64
	from []origin
}

func (s *reportedSheet) close() error { return s.Close() }

func (s *reportedSheet) add(o *outlet, from, to time.Time) error {
	var fault error
	err := s.o.Store.Records(o.ID, s.kind, from.Unix(), to.Unix(), func(r *telemetry.Record) bool {
		fault = s.record(o, r)
		return fault == nil
	})
	if fault != nil {
		return fault
	}
	return err
}

func (s *reportedSheet) record(o *outlet, r *telemetry.Record) error {
	if len(r.Parts) == 1 {
		s.from = s.from[:0]
		for _, v := range r.Values {
			s.from = append(s.from, origin{v, r.Parts[0], r.Received, r.RF})
		}
	} else {
		parts, err := s.o.Store.Parts(r.Outlet, r.Kind, r.At)
		if err != nil {
			return err
		}
		s.from = origins(parts, s.from)
	}
	for i := range s.from {
		row := o.reported(r, &s.from[i])
		if err := s.Write(&row); err != nil {
			return err
		}
		*s.rows++
	}
	return nil
}

type judgedSheet struct {
	*parquetfile.Writer[Judged]
	o     *Options
	level string
	rows  *int64
}

func (s *judgedSheet) close() error { return s.Close() }

func (s *judgedSheet) add(o *outlet, from, to time.Time) error {
	if s.level == quality.LevelDay {
		days, err := s.o.Judged.Days(o.ID, from, to)
		for i := 0; i < len(days) && err == nil; i++ {
			d := &days[i]
			err = s.row(o, d.At, len(d.Factors), func(k int, rule quality.RuleRef) Judged { return o.day(d, &d.Factors[k], rule) })
		}
		return err
	}
	hours, err := s.o.Judged.Hours(o.ID, from, to)
	for i := 0; i < len(hours) && err == nil; i++ {
		h := &hours[i]
		err = s.row(o, h.At, len(h.Factors), func(k int, rule quality.RuleRef) Judged { return o.hour(h, &h.Factors[k], rule) })
	}
	return err
}

// row writes the n factors of a judged hour or day.
func (s *judgedSheet) row(o *outlet, at int64, n int, judged func(k int, rule quality.RuleRef) Judged) error {
	rule, err := s.o.Judged.ValidityRule(o.Outlet, s.level, at)
	if err != nil {
		return err
	}
	for k := range n {
		r := judged(k, rule)
		*s.rows++
		if err := s.Write(&r); err != nil {
			return err
		}
	}
	return nil
}
