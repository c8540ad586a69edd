package reportjob

import (
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/report"
	"plateau/rules"
)

// Options of a Service.
type Options struct {
	DB       *db.DB
	Dir      string // of the files; made when missing
	Registry func() *telemetry.Snapshot
	// Rows gives the judged rows of some outlets and the outlets themselves, as
	// known at an instant, or now where that is zero.
	Rows   func(ctx context.Context, known time.Time, outlets []*telemetry.Outlet) (report.Rows, []*telemetry.Outlet, error)
	Rules  *rules.Set
	Now    func() time.Time
	Logger *slog.Logger
	// Sleep rests between two outlets; nil waits on the clock.
	Sleep func(ctx context.Context, d time.Duration)
}

// Service keeps the jobs and works on them. Make it with New; Run works.
type Service struct {
	o    Options
	kick chan struct{}

	mu      sync.Mutex
	current string // job under work
	stop    context.CancelFunc
}

// New makes the folder of the files.
func New(o Options) (*Service, error) {
	if o.Sleep == nil {
		o.Sleep = func(ctx context.Context, d time.Duration) {
			select {
			case <-ctx.Done():
			case <-time.After(d):
			}
		}
	}
	if err := os.MkdirAll(o.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("make the folder of reports: %w", err)
	}
	return &Service{o: o, kick: make(chan struct{}, 1)}, nil
}

func (s *Service) wake() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// sweepEvery is how often files are looked through for those that are too old.
const sweepEvery = time.Hour

// Run works on jobs until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	// What was under way when the program ended begins anew.
	if _, err := s.o.DB.Exec(ctx, `UPDATE report_jobs SET state = 'waiting', started_at = NULL, done = 0 WHERE state = 'running'`); err != nil {
		return err
	}
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			s.o.Logger.ErrorContext(ctx, "old reports not removed", slog.String("error", err.Error()))
		}
		for {
			more, err := s.next(ctx)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				s.o.Logger.ErrorContext(ctx, "report not made", slog.String("error", err.Error()))
			}
			if !more {
				break
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.kick:
		case <-tick.C:
		}
	}
}

// next works on the oldest job that waits.
func (s *Service) next(ctx context.Context) (bool, error) {
	var j Job
	err := s.o.DB.Tx(ctx, func(tx *db.Tx) (err error) {
		j, err = scan(tx.QueryRow(ctx, `UPDATE report_jobs SET state = 'running', started_at = $1 WHERE id =
			(SELECT id FROM report_jobs WHERE state = 'waiting' ORDER BY id LIMIT 1) AND state = 'waiting' RETURNING `+columns, db.Micros(s.o.Now())))
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	work, stop := context.WithCancel(ctx)
	defer stop()
	s.mu.Lock()
	s.current, s.stop = j.ID, stop
	s.mu.Unlock()
	size, err := s.make(work, &j)
	s.mu.Lock()
	s.current, s.stop = "", nil
	s.mu.Unlock()
	switch {
	case ctx.Err() != nil: // the program ends: it begins anew at the next start
		return false, nil
	case work.Err() != nil: // cancelled: the row says so already
		return true, s.drop(s.file(j.ID) + ".part")
	case err != nil:
		_, e := s.o.DB.Exec(ctx, `UPDATE report_jobs SET state = 'failed', failure = 'report.job_failed', finished_at = $2 WHERE id = $1 AND state = 'running'`, j.ID, db.Micros(s.o.Now()))
		return true, errors.Join(err, e)
	}
	_, err = s.o.DB.Exec(ctx, `UPDATE report_jobs SET state = 'done', done = total, bytes = $3, finished_at = $2 WHERE id = $1 AND state = 'running'`, j.ID, db.Micros(s.o.Now()), size)
	return true, err
}

// drop removes a file that may not be there.
func (s *Service) drop(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (s *Service) file(id string) string { return filepath.Join(s.o.Dir, id+".json.gz") }

// make computes the report and writes it to its file: first beside it, so that
// a half-written one is never taken for whole.
func (s *Service) make(ctx context.Context, j *Job) (int64, error) {
	size, err := report.ReadSize(s.o.Rules, i18n.Short(s.o.Now()))
	if err != nil {
		return 0, err
	}
	p, ok := report.ParsePeriod(j.Level, j.Period)
	outlets, found := report.Outlets(s.o.Registry(), j.Scope, j.Ref)
	if !ok || !found {
		return 0, errs.New(errs.NotFound, "err.not_found")
	}
	rows, outlets, err := s.o.Rows(ctx, j.Known, outlets)
	if err != nil {
		return 0, err
	}
	m := &report.Maker{Rows: rows, Rules: s.o.Rules, Now: s.o.Now()}
	if !j.Known.IsZero() {
		m.Now = j.Known
	}
	began := s.o.Now()
	list, err := m.List(ctx, outlets, p, func(done int) error {
		if _, err := s.o.DB.Exec(ctx, `UPDATE report_jobs SET done = $2, total = $3 WHERE id = $1 AND state = 'running'`, j.ID, done, len(outlets)); err != nil {
			return err
		}
		s.o.Sleep(ctx, time.Duration(float64(s.o.Now().Sub(began))*size.RestPercent/(100-size.RestPercent)))
		began = s.o.Now()
		return ctx.Err()
	})
	if err != nil {
		return 0, err
	}
	return s.write(j.ID, list)
}

func (s *Service) write(id string, list *report.List) (n int64, err error) {
	part := s.file(id) + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, fmt.Errorf("write report: %w", err)
	}
	z := gzip.NewWriter(f)
	err = errors.Join(json.NewEncoder(z).Encode(list), z.Close(), f.Sync())
	if info, e := f.Stat(); e == nil {
		n = info.Size()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, fmt.Errorf("write report: %w", err)
	}
	return n, os.Rename(part, s.file(id))
}

// maxResult bounds what a result may unpack to.
const maxResult = 256 << 20

// Result reads what a finished job made; errs.NotFound when its file is gone.
func (s *Service) Result(j *Job) (*report.List, error) {
	f, err := os.Open(s.file(j.ID))
	if errors.Is(err, fs.ErrNotExist) || j.State != Done {
		return nil, errs.New(errs.NotFound, "err.not_found")
	}
	if err != nil {
		return nil, fmt.Errorf("read report: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("read report %s: %w", j.ID, err)
	}
	list := &report.List{}
	if err := json.NewDecoder(io.LimitReader(z, maxResult)).Decode(list); err != nil {
		return nil, fmt.Errorf("read report %s: %w", j.ID, err)
	}
	return list, nil
}

// sweep removes the files that are too old or too many, and those that no job
// knows.
func (s *Service) sweep(ctx context.Context) error {
	size, err := report.ReadSize(s.o.Rules, i18n.Short(s.o.Now()))
	if err != nil {
		return err
	}
	done, err := s.jobs(ctx, `SELECT `+columns+` FROM report_jobs WHERE state = 'done' ORDER BY id DESC`)
	if err != nil {
		return err
	}
	keep := map[string]bool{}
	for i := range done {
		j := &done[i]
		if i < size.KeepFiles && s.o.Now().Sub(j.Finished) < time.Duration(size.KeepDays)*24*time.Hour {
			keep[filepath.Base(s.file(j.ID))] = true
			continue
		}
		if _, err := s.o.DB.Exec(ctx, `UPDATE report_jobs SET state = 'expired' WHERE id = $1`, j.ID); err != nil {
			return err
		}
	}
	files, err := os.ReadDir(s.o.Dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if strings.Contains(f.Name(), ".json.gz") && !keep[f.Name()] {
			err = errors.Join(err, os.Remove(filepath.Join(s.o.Dir, f.Name())))
		}
	}
	return err
}
