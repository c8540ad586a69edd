package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"plateau/internal/platform/casework"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/alarm"
	"plateau/rules"
)

// The kinds of case, and the kind of their subject.
const (
	Supervision   = "supervision"
	Investigation = "investigation"
	Subject       = "alarm"
)

// Registry gives the outlets; *telemetry.Registry is one.
type Registry interface{ Snapshot() *telemetry.Snapshot }

// Alarms reads episodes; *alarm.Service is one.
type Alarms interface {
	Get(ctx context.Context, id string) (alarm.Episode, error)
	List(ctx context.Context, f alarm.Filter) ([]alarm.Episode, error)
}

// Options of a Service.
type Options struct {
	DB       *db.DB
	Cases    *casework.Service
	Registry Registry
	Rules    *rules.Set       // nil = the embedded ones
	Now      func() time.Time // must be given
	Logger   *slog.Logger     // nil = discard
	BaseURL  string           // before the paths of links; "" = they are paths
	// Evidence keeps what an episode stands on as a file and returns its SHA-256; nil:
	// cases are opened without.
	Evidence func(ctx context.Context, e *alarm.Episode) (sum string, err error)
	Every    time.Duration // between two looks; 0 = 5 s
}

// Service makes cases of alarms. All methods may be called from any goroutine.
type Service struct{ o Options }

// New makes a service; nothing is opened before Run.
func New(o Options) (*Service, error) {
	if o.DB == nil || o.Cases == nil || o.Registry == nil || o.Now == nil {
		return nil, errors.New("supervise: database, cases, registry and clock must be given")
	}
	if o.Rules == nil {
		o.Rules = rules.Default()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Every <= 0 {
		o.Every = 5 * time.Second
	}
	_, err := readClasses(o.Rules, o.Now())
	return &Service{o}, err
}

// class is that of an episode, by the rule of the day it was opened.
func (s *Service) class(e *alarm.Episode) (Class, *classes, error) {
	c, err := readClasses(s.o.Rules, e.Opened)
	if err != nil {
		return None, nil, err
	}
	return c.class(e), c, nil
}

// Alarms notes which alarms are to be looked at, inside the transaction that changes
// them; it is for alarm.Options.Changed.
func (s *Service) Alarms(ctx context.Context, tx *db.Tx, changes []alarm.Change) error {
	for _, c := range changes {
		e := c.After
		if e == nil {
			e = c.Before
		}
		opens, err := s.opens(c.After)
		if err != nil {
			return err
		}
		if opens {
			if err := noted(ctx, tx, e); err != nil {
				return err
			}
			continue
		}
		if _, err := tx.Exec(ctx, `UPDATE supervised SET look = 1 WHERE alarm = $1`, e.ID); err != nil {
			return fmt.Errorf("note a changed alarm: %w", err)
		}
	}
	return nil
}

// opens reports whether an episode opens a case by itself.
func (s *Service) opens(e *alarm.Episode) (bool, error) {
	if !e.Shown() || e.False.Done() {
		return false, nil
	}
	class, c, err := s.class(e)
	return err == nil && class == During && (e.Open() || !e.End.Before(s.o.Now().Add(-c.late))), err
}

// noted makes the row of an episode, or has it looked at again.
func noted(ctx context.Context, tx *db.Tx, e *alarm.Episode) error {
	_, err := tx.Exec(ctx, `INSERT INTO supervised (alarm, outlet, about, from_at, to_at, case_ref, inquiry_ref, said, look) VALUES ($1, $2, $3, $4, $5, '', '', '', 1)
		ON CONFLICT (alarm) DO UPDATE SET look = 1`, e.ID, int64(e.Outlet), about(e), db.Micros(e.Start), db.Micros(e.Last))
	if err != nil {
		return fmt.Errorf("note an alarm for a case: %w", err)
	}
	return nil
}

// about is what two episodes that can be joined have in common.
func about(e *alarm.Episode) string {
	return string(e.Kind) + " " + e.Factor + " " + e.Statistic
}

// Added has the alarm of a case looked at again when something was done on the case; it
// is for casework.Options.Added.
func (s *Service) Added(ctx context.Context, tx *db.Tx, _ *casework.Type, c *casework.Case, e *casework.Event) error {
	if c.Kind != Supervision || e.Seq == 1 || e.From == e.To {
		return nil
	}
	_, err := tx.Exec(ctx, `UPDATE supervised SET look = 1 WHERE case_ref = $1`, c.ID)
	return err
}

// Run opens cases and tells them of their alarms until ctx ends; it returns nil then.
// Faults are logged and tried again.
func (s *Service) Run(ctx context.Context, alarms Alarms) error {
	tick := time.NewTicker(s.o.Every)
	defer tick.Stop()
	said, begun := "", false
	for {
		var err error
		if !begun {
			err = s.survey(ctx, alarms)
			begun = err == nil
		}
		if err == nil {
			err = s.look(ctx, alarms)
		}
		switch {
		case err == nil:
			said = ""
		case ctx.Err() == nil && err.Error() != said:
			said = err.Error()
			s.o.Logger.ErrorContext(ctx, "cases of alarms", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// survey notes the open alarms that nobody noted: those from before there were cases,
// and those of a history that was filled in.
func (s *Service) survey(ctx context.Context, alarms Alarms) error {
	open := true
	list, err := alarms.List(ctx, alarm.Filter{Open: &open, Kinds: []alarm.Kind{alarm.Over, alarm.Range}})
	if err != nil {
		return err
	}
	return s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		for i := range list {
			if opens, err := s.opens(&list[i]); err != nil {
				return err
			} else if opens {
				if err := noted(ctx, tx, &list[i]); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// most alarms that one look takes; what is left is taken by the next.
const most = 200

// look takes the alarms that have changed since they were last looked at. One that
// cannot be taken holds the others not up.
func (s *Service) look(ctx context.Context, alarms Alarms) error {
	ids, err := s.waiting(ctx)
	if err != nil {
		return err
	}
	var faults []error
	for _, id := range ids {
		files := s.files(ctx, alarms, id)
		if err := s.o.DB.Tx(ctx, func(tx *db.Tx) error { return s.one(ctx, tx, alarms, id, files) }); err != nil {
			faults = append(faults, fmt.Errorf("alarm %s: %w", id, err))
		}
	}
	return errors.Join(faults...)
}

// files keeps what an alarm without a case stands on, before the transaction that may
// open one. An exceedance waits for no file: without one the case is opened, too.
func (s *Service) files(ctx context.Context, alarms Alarms, id string) []string {
	if s.o.Evidence == nil {
		return nil
	}
	list, err := read(ctx, s.o.DB, `alarm = $1 AND case_ref = ''`, id)
	if err != nil || len(list) == 0 {
		return nil // the transaction meets the fault again
	}
	e, err := get(ctx, alarms, id)
	if err != nil || e == nil {
		return nil
	}
	return s.file(ctx, e)
}

func (s *Service) file(ctx context.Context, e *alarm.Episode) []string {
	if s.o.Evidence == nil {
		return nil
	}
	sum, err := s.o.Evidence(ctx, e)
	if err != nil {
		s.o.Logger.WarnContext(ctx, "a case is opened without what its alarm stands on", slog.String("alarm", e.ID), slog.Any("error", err))
		return nil
	}
	return []string{sum}
}

func (s *Service) waiting(ctx context.Context) (ids []string, err error) {
	rows, err := s.o.DB.Query(ctx, `SELECT alarm FROM supervised WHERE look = 1 ORDER BY alarm`+fmt.Sprintf(" LIMIT %d", most))
	if err != nil {
		return nil, fmt.Errorf("look for alarms with a case: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// row is one of table supervised.
type row struct {
	Alarm    string
	Outlet   telemetry.OutletID
	About    string
	From, To int64
	Case     string
	Inquiry  string
	Said     string
}

const columns = `alarm, outlet, about, from_at, to_at, case_ref, inquiry_ref, said`

func read(ctx context.Context, q db.Querier, where string, args ...any) (out []row, err error) {
	rows, err := q.Query(ctx, `SELECT `+columns+` FROM supervised WHERE `+where+` ORDER BY from_at, alarm`, args...)
	if err != nil {
		return nil, fmt.Errorf("read which alarms have cases: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r row
		var outlet int64
		if err := rows.Scan(&r.Alarm, &outlet, &r.About, &r.From, &r.To, &r.Case, &r.Inquiry, &r.Said); err != nil {
			return nil, err
		}
		r.Outlet = telemetry.OutletID(outlet)
		out = append(out, r)
	}
	return out, rows.Err()
}

// one looks at an alarm: the first of those who come at the same time, here or in
// another process, takes it, and the others see that it was taken.
func (s *Service) one(ctx context.Context, tx *db.Tx, alarms Alarms, id string, files []string) error {
	res, err := tx.Exec(ctx, `UPDATE supervised SET look = 0 WHERE alarm = $1 AND look = 1`, id)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	list, err := read(ctx, tx, `alarm = $1`, id)
	if err != nil || len(list) == 0 {
		return err
	}
	r := &list[0]
	// Read behind the row: what changes from here on marks it again.
	e, err := get(ctx, alarms, id)
	if err != nil {
		return err
	}
	if r.Case == "" {
		opens, err := s.opens(e)
		if err != nil {
			return err
		}
		if !opens {
			_, err := tx.Exec(ctx, `DELETE FROM supervised WHERE alarm = $1`, id)
			return err
		}
		if r.Case, err = s.inherited(ctx, tx, alarms, r, e); err != nil {
			return err
		}
		if r.Case == "" {
			c, err := s.open(ctx, tx, alarms, e, "", files, nobody)
			if err != nil {
				return err
			}
			r.Case = c.ID
		}
	}
	if err := s.follow(ctx, tx, alarms, r, e); err != nil {
		return err
	}
	if err := s.after(ctx, tx, r); err != nil {
		return err
	}
	return r.store(ctx, tx, e)
}

func (r *row) store(ctx context.Context, tx *db.Tx, e *alarm.Episode) error {
	if e != nil {
		r.About, r.From, r.To = about(e), db.Micros(e.Start), db.Micros(e.Last)
	}
	_, err := tx.Exec(ctx, `UPDATE supervised SET about = $2, from_at = $3, to_at = $4, case_ref = $5, inquiry_ref = $6, said = $7 WHERE alarm = $1`,
		r.Alarm, r.About, r.From, r.To, r.Case, r.Inquiry, r.Said)
	if err != nil {
		return fmt.Errorf("note the case of an alarm: %w", err)
	}
	return nil
}

// get is an episode, nil when there is none any more.
func get(ctx context.Context, alarms Alarms, id string) (*alarm.Episode, error) {
	e, err := alarms.Get(ctx, id)
	if errs.Is(err, errs.NotFound) {
		return nil, nil //nolint:nilnil // it is gone
	}
	return &e, err
}

// inherited is the case of an episode that this one took the place of: one of the same
// outlet and matter that it touches and that is no more. "" when there is none.
func (s *Service) inherited(ctx context.Context, tx *db.Tx, alarms Alarms, r *row, e *alarm.Episode) (string, error) {
	list, err := read(ctx, tx, `outlet = $1 AND about = $2 AND alarm <> $3 AND case_ref <> '' AND from_at <= $4 AND to_at >= $5`,
		int64(e.Outlet), about(e), r.Alarm, db.Micros(e.Last), db.Micros(e.Start))
	if err != nil {
		return "", err
	}
	for i := range list {
		old, err := get(ctx, alarms, list[i].Alarm)
		if err != nil {
			return "", err
		}
		if old == nil || !old.Withdrawn.IsZero() || old.Parent == e.ID {
			return list[i].Case, nil
		}
	}
	return "", nil
}
