package reportjob

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/google/uuid"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/telemetry/report"
)

// State of a job.
type State string

// The states. Waiting and Running jobs are open.
const (
	Waiting   State = "waiting"
	Running   State = "running"
	Done      State = "done"
	Failed    State = "failed"
	Cancelled State = "cancelled"
	Expired   State = "expired" // was done; its file is gone
)

// Open reports whether something is still to come.
func (s State) Open() bool { return s == Waiting || s == Running }

// Subject is what a report is about.
type Subject struct {
	Scope, Ref string
	Level      string
	Period     string    // as report.Period.Date writes it
	Known      time.Time // as known then, to the minute; zero = as known now
}

// Job is a report that is made in the background.
type Job struct {
	ID string
	Subject
	By, Post                   string
	Created, Started, Finished time.Time
	State                      State
	Done, Total                int    // outlets
	Failure                    string // catalogue key; "" = none
	Bytes                      int64
}

const columns = `id, scope, ref, level, period, known, by_id, by_post, created_at, started_at, finished_at, state, done, total, failure, bytes`

func scan(row interface{ Scan(dest ...any) error }) (Job, error) {
	var j Job
	var created, known int64
	var started, finished sql.NullInt64
	err := row.Scan(&j.ID, &j.Scope, &j.Ref, &j.Level, &j.Period, &known, &j.By, &j.Post, &created, &started, &finished,
		(*string)(&j.State), &j.Done, &j.Total, &j.Failure, &j.Bytes)
	j.Known = db.Time(known)
	j.Created, j.Started, j.Finished = db.Time(created), db.TimeOrZero(started), db.TimeOrZero(finished)
	return j, err
}

// Request asks for a report. errs.Conflict when by has a job that is open.
func (s *Service) Request(ctx context.Context, sub Subject, by, post string) (Job, error) {
	if by == "" {
		return Job{}, errs.New(errs.Unauthenticated, "err.unauthenticated")
	}
	if _, ok := report.ParsePeriod(sub.Level, sub.Period); !ok {
		return Job{}, errs.New(errs.NotFound, "err.not_found")
	}
	outlets, ok := report.Outlets(s.o.Registry(), sub.Scope, sub.Ref)
	if !ok {
		return Job{}, errs.New(errs.NotFound, "err.not_found")
	}
	j := Job{ID: uuid.Must(uuid.NewV7()).String(), Subject: sub, By: by, Post: post, Created: s.o.Now(), State: Waiting, Total: len(outlets)}
	_, err := s.o.DB.Exec(ctx, `INSERT INTO report_jobs (`+columns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, NULL, NULL, $10, 0, $11, '', 0)`,
		j.ID, j.Scope, j.Ref, j.Level, j.Period, db.Micros(j.Known), j.By, j.Post, db.Micros(j.Created), string(j.State), j.Total)
	if errs.Is(err, errs.Conflict) {
		return Job{}, errs.Wrap(err, errs.Conflict, "report.job_open")
	}
	if err != nil {
		return Job{}, err
	}
	s.wake()
	return j, nil
}

// Get returns a job; errs.NotFound when there is none.
func (s *Service) Get(ctx context.Context, id string) (Job, error) {
	j, err := scan(s.o.DB.QueryRow(ctx, `SELECT `+columns+` FROM report_jobs WHERE id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return j, errs.New(errs.NotFound, "err.not_found")
	}
	return j, err
}

// Last returns the latest job about a subject; ok is false when there is none.
func (s *Service) Last(ctx context.Context, sub Subject) (j Job, ok bool, err error) {
	j, err = scan(s.o.DB.QueryRow(ctx, `SELECT `+columns+` FROM report_jobs WHERE scope = $1 AND ref = $2 AND level = $3 AND period = $4 AND known = $5
		ORDER BY id DESC LIMIT 1`, sub.Scope, sub.Ref, sub.Level, sub.Period, db.Micros(sub.Known)))
	if errors.Is(err, sql.ErrNoRows) {
		return j, false, nil
	}
	return j, err == nil, err
}

// List returns the latest jobs, newest first.
func (s *Service) List(ctx context.Context, limit int) ([]Job, error) {
	return s.jobs(ctx, `SELECT `+columns+` FROM report_jobs ORDER BY id DESC LIMIT $1`, limit)
}

func (s *Service) jobs(ctx context.Context, query string, args ...any) ([]Job, error) {
	rows, err := s.o.DB.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Job
	for rows.Next() {
		j, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, j)
	}
	return out, rows.Err()
}

// Cancel ends an open job; errs.Conflict when it is over already, errs.Forbidden
// when it is somebody else's.
func (s *Service) Cancel(ctx context.Context, id, by string) error {
	j, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	if j.By != by {
		return errs.New(errs.Forbidden, "err.forbidden")
	}
	res, err := s.o.DB.Exec(ctx, `UPDATE report_jobs SET state = 'cancelled', finished_at = $2 WHERE id = $1 AND state IN ('waiting', 'running')`, id, db.Micros(s.o.Now()))
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, errs.New(errs.Conflict, "report.job_over"))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == id {
		s.stop()
	}
	return nil
}
