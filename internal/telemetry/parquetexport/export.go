package parquetexport

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"plateau/internal/platform/disk"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
)

// Store is what is read of the store.
type Store interface {
	Records(o telemetry.OutletID, k telemetry.Kind, from, to int64, fn func(*telemetry.Record) bool) error
	Parts(o telemetry.OutletID, k telemetry.Kind, at int64) ([]telemetry.Record, error)
	LastAt(o telemetry.OutletID, k telemetry.Kind) (int64, bool)
	Derived(table byte, o telemetry.OutletID, from, to int64, fn func(at int64, v []byte) bool) error
	DerivedNewest(table byte, o telemetry.OutletID, from, to int64, fn func(at int64, v []byte) bool) error
}

// Judgement is what is read of the judgement.
type Judgement interface {
	Hours(o telemetry.OutletID, from, to time.Time) ([]quality.HourRow, error)
	Days(o telemetry.OutletID, from, to time.Time) ([]quality.DayRow, error)
	ValidityRule(o *telemetry.Outlet, level string, at int64) (quality.RuleRef, error)
}

// Options say what is exported.
type Options struct {
	Store    Store
	Judged   Judgement
	Registry *telemetry.Snapshot
	To       string    // folder; it may hold an earlier export
	From     time.Time // [From, Until) of DataTime, days of Beijing time; zero = open
	Until    time.Time
	Kinds    []string // of Kinds; none = all
	Version  string   // of the program
	Progress func(done, total int64)
}

// Table tells what was written of one table.
type Table struct {
	Name  string // its folder: records/kind=hour
	Files int
	Rows  int64
	Bytes int64
}

// Report tells what was written, table by table; those without rows are left out.
type Report struct{ Tables []Table }

const (
	fileName = "part-0.parquet"
	suffix   = ".partial" // not *.parquet: readers of the folder pass it over
	dirMode  = 0o700      // raw records are not for everybody
	fileMode = 0o600
)

// stretch is how much of an outlet is read at one time: it bounds memory, and
// how long an export goes on after its end was asked for.
const stretch = 4 * 24 * time.Hour

// span is the time of an outlet in a table.
type span struct {
	outlet      *outlet
	first, last int64
}

// job is one table with the months it has.
type job struct {
	table
	spans  []span
	months []time.Time // their starts
}

// Write exports. Each file is written beside its place and put there when it is
// complete: an export that ends early leaves whole files only. Months that are
// there already are replaced; where From or Until cut a month that is there
// already, nothing is written and that is the error.
func Write(ctx context.Context, o Options) (Report, error) {
	var report Report
	chosen, err := choose(o.Kinds)
	if err != nil {
		return report, err
	}
	if !o.From.IsZero() && !o.Until.IsZero() && !o.From.Before(o.Until) {
		return report, errors.New("the time to be exported ends before it begins")
	}
	jobs, total, err := o.plan(ctx, chosen)
	if err != nil {
		return report, err
	}
	done := int64(0)
	for i := range jobs {
		t := Table{Name: jobs[i].folder}
		for _, m := range jobs[i].months {
			rows, bytes, err := o.month(ctx, &jobs[i], m, func() {
				done++
				if o.Progress != nil {
					o.Progress(done, total)
				}
			})
			if err != nil {
				return report, fmt.Errorf("export %s of %s: %w", jobs[i].folder, m.Format("2006-01"), err)
			}
			if rows > 0 {
				t.Files, t.Rows, t.Bytes = t.Files+1, t.Rows+rows, t.Bytes+bytes
			}
		}
		if t.Files > 0 {
			report.Tables = append(report.Tables, t)
		}
	}
	return report, nil
}

func monthOf(t time.Time) time.Time {
	t = t.In(i18n.Zone)
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, i18n.Zone)
}

// plan finds what there is; total counts the months of all outlets and tables.
func (o *Options) plan(ctx context.Context, chosen []table) (jobs []job, total int64, err error) {
	outlets := make([]*outlet, 0, len(o.Registry.Outlets))
	for _, id := range o.Registry.Order {
		if x := o.Registry.Outlets[id]; x != nil {
			outlets = append(outlets, &outlet{x, o.Registry.DevicesOf(id), map[string]string{}})
		}
	}
	for _, t := range chosen {
		j, seen := job{table: t}, map[time.Time]bool{}
		for _, x := range outlets {
			if err := ctx.Err(); err != nil {
				return nil, 0, err
			}
			first, last, ok, err := o.span(&t, x.ID)
			if err != nil {
				return nil, 0, err
			}
			if !o.From.IsZero() {
				first = max(first, o.From.Unix())
			}
			if !o.Until.IsZero() {
				last = min(last, o.Until.Unix()-1)
			}
			if !ok || last < first {
				continue
			}
			j.spans = append(j.spans, span{x, first, last})
			for m := monthOf(time.Unix(first, 0)); m.Unix() <= last; m = m.AddDate(0, 1, 0) {
				seen[m] = true
				total++
			}
		}
		for m := range seen {
			j.months = append(j.months, m)
		}
		slices.SortFunc(j.months, time.Time.Compare)
		for _, m := range j.months {
			if err := o.cuts(&j, m); err != nil {
				return nil, 0, err
			}
		}
		jobs = append(jobs, j)
	}
	return jobs, total, nil
}

func (o *Options) place(t *table, month time.Time) string {
	return filepath.Join(o.To, filepath.FromSlash(t.folder), "month="+month.Format("2006-01"), fileName)
}

// cuts refuses to put a part of a month where a file is already.
func (o *Options) cuts(j *job, month time.Time) error {
	if !o.From.After(month) && (o.Until.IsZero() || !o.Until.Before(month.AddDate(0, 1, 0))) {
		return nil
	}
	place := o.place(&j.table, month)
	if _, err := os.Stat(place); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	return fmt.Errorf("%s is there already, and only a part of that month was asked for; ask for whole months or name another folder", place)
}

// month writes one file; a month without rows has none.
func (o *Options) month(ctx context.Context, j *job, month time.Time, piece func()) (rows, bytes int64, err error) {
	place := o.place(&j.table, month)
	dir := filepath.Dir(place)
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return 0, 0, err
	}
	f, err := os.OpenFile(place+suffix, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, fileMode)
	if err != nil {
		return 0, 0, err
	}
	defer func() {
		if err != nil || rows == 0 {
			_ = os.Remove(f.Name())
			_ = os.Remove(dir) // when nothing else is in it
		}
	}()
	s := o.sheet(&j.table, f, &rows)
	err = o.pieces(ctx, j, month, s, piece)
	if err = errors.Join(err, s.close()); err == nil {
		err = f.Sync()
	}
	info, statErr := f.Stat()
	if err = errors.Join(err, statErr, f.Close()); err != nil || rows == 0 {
		return 0, 0, err
	}
	if err = os.Rename(f.Name(), place); err != nil {
		return 0, 0, err
	}
	return rows, info.Size(), disk.SyncDir(dir)
}

// pieces writes what the outlets have in a month, in order of outlet and time.
func (o *Options) pieces(ctx context.Context, j *job, month time.Time, s sheet, piece func()) error {
	end := month.AddDate(0, 1, 0)
	for i := range j.spans {
		x := &j.spans[i]
		// A judged day begins at midnight, so cutting at the first and last second keeps it whole.
		from, to := max(month.Unix(), x.first), min(end.Unix(), x.last+1)
		if to <= from {
			continue
		}
		for at := from; at < to; at += int64(stretch / time.Second) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := s.add(x.outlet, time.Unix(at, 0), time.Unix(min(to, at+int64(stretch/time.Second)), 0)); err != nil {
				return fmt.Errorf("outlet %d: %w", x.outlet.ID, err)
			}
		}
		piece()
	}
	return nil
}
