package notice

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"plateau/hj212"
	"plateau/internal/platform/access"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/platform/notify"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/alarm"
	"plateau/internal/telemetry/figures"
	"plateau/rules"
)

// What people are told.
const (
	Raised  = "alarm_raised"  // an alarm that needs somebody, or became one
	Unacked = "alarm_unacked" // nobody has taken note of it
	Ended   = "alarm_ended"   // an alarm that needed somebody
	Warning = "alarm_warning" // an early warning
)

// Kinds lists them, the most pressing first.
func Kinds() []notify.Kind {
	const view access.Permission = "telemetry.view"
	return []notify.Kind{{Name: Raised, Permission: view}, {Name: Unacked, Permission: view}, {Name: Ended, Permission: view}, {Name: Warning, Permission: view, Optional: true}}
}

// Registry gives the outlets; *telemetry.Registry is one.
type Registry interface{ Snapshot() *telemetry.Snapshot }

// Alarms finds an alarm; *alarm.Service is one.
type Alarms interface {
	Get(ctx context.Context, id string) (alarm.Episode, error)
}

// Options of a Service.
type Options struct {
	DB       *db.DB
	Notify   *notify.Service
	Registry Registry
	Rules    *rules.Set       // nil = the embedded ones
	Now      func() time.Time // must be given
	Logger   *slog.Logger     // nil = discard
	Every    time.Duration    // between two looks for reminders; 0 = 15 s
}

// Service tells of alarms.
type Service struct{ o Options }

// New makes a service.
func New(o Options) (*Service, error) {
	if o.DB == nil || o.Notify == nil || o.Registry == nil || o.Now == nil {
		return nil, errors.New("notice: database, notifications, registry and clock must be given")
	}
	if o.Rules == nil {
		o.Rules = rules.Default()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Every <= 0 {
		o.Every = 15 * time.Second
	}
	s := &Service{o}
	_, _, err := s.times(o.Now())
	return s, err
}

// times reads the rule in force.
func (s *Service) times(now time.Time) (remind, late time.Duration, err error) {
	rule, ok := s.o.Rules.At("notify.alarm", i18n.Short(now))
	if !ok {
		return 0, 0, fmt.Errorf("rule notify.alarm is missing: %w", rules.ErrInvalid)
	}
	m, err := rule.Float("remind_minutes")
	if err != nil {
		return 0, 0, err
	}
	h, err := rule.Float("late_hours")
	return time.Duration(m * float64(time.Minute)), time.Duration(h * float64(time.Hour)), err
}

// Alarms tells of changes inside the transaction that writes them; it is for
// alarm.Options.Changed.
func (s *Service) Alarms(ctx context.Context, tx *db.Tx, changes []alarm.Change) error {
	now := s.o.Now()
	remind, late, err := s.times(now)
	if err != nil {
		return err
	}
	snap := s.o.Registry.Snapshot()
	var list []notify.Message
	for _, c := range changes {
		m, again := message(c, now.Add(-late))
		if m == nil {
			continue
		}
		e := c.After
		if e == nil {
			e = c.Before
		}
		s.address(m, snap, e)
		if !c.After.Shown() { // told to those only who were told of it
			m.Follows = m.Path
			if c.After == nil {
				m.Path = "/alarms" // its own page is gone
			}
		}
		list = append(list, *m)
		if !again {
			continue
		}
		if _, err := tx.Exec(ctx, `INSERT INTO alarm_reminders (alarm, due_at) VALUES ($1, $2) ON CONFLICT (alarm) DO UPDATE SET due_at = excluded.due_at`, e.ID, db.Micros(now.Add(remind))); err != nil {
			return fmt.Errorf("note a reminder: %w", err)
		}
	}
	return s.o.Notify.Tell(ctx, tx, list)
}

// message is what a change is told as, nil when nobody is told; what was over
// before recent is old. again: it is told once more unless somebody takes note.
func message(c alarm.Change, recent time.Time) (m *notify.Message, again bool) {
	was, is := c.Before.Shown(), c.After.Shown()
	b, a := c.Before, c.After
	switch {
	case !was && !is:
		return nil, false
	case !is: // it is taken back: later data show that it never was
		if !b.Open() || b.Severity != alarm.Act {
			return nil, false
		}
		return &notify.Message{Kind: Ended, Key: "withdrawn:" + b.ID, Text: notify.Word{Key: "notify.text.alarm_withdrawn"}}, false
	case !was && !a.Open() && a.End.Before(recent):
		return nil, false
	case !was && !a.Open():
		m = &notify.Message{Kind: Raised, Key: "raised:" + a.ID, Text: notify.Word{Key: "notify.text.alarm_was"}}
	case !was:
		m, again = &notify.Message{Kind: Raised, Key: "raised:" + a.ID, Text: notify.Word{Key: "notify.text.alarm_raised"}}, true
	case b.Open() && !a.Open():
		if a.Severity != alarm.Act || a.End.Before(recent) {
			return nil, false
		}
		return &notify.Message{Kind: Ended, Key: "ended:" + a.ID + ":" + strconv.FormatInt(a.End.Unix(), 10), Text: notify.Word{Key: "notify.text.alarm_ended"}}, false
	case !b.Open() && a.Open():
		m, again = &notify.Message{Kind: Raised, Key: "reopened:" + a.ID + ":" + strconv.FormatInt(b.End.Unix(), 10), Text: notify.Word{Key: "notify.text.alarm_reopened"}}, true
	case b.Severity != alarm.Act && a.Severity == alarm.Act && a.Open():
		m, again = &notify.Message{Kind: Raised, Key: "act:" + a.ID, Text: notify.Word{Key: "notify.text.alarm_raised"}}, true
	default:
		return nil, false
	}
	if a.Severity != alarm.Act {
		m.Kind, again = Warning, false
		return m, again
	}
	m.Urgent = again
	return m, again && !a.Ack.Done() && !a.False.Done()
}

// address says which alarm a message is about, and of which outlet.
func (s *Service) address(m *notify.Message, snap *telemetry.Snapshot, e *alarm.Episode) {
	m.Path = "/alarms/" + e.ID
	what := notify.Word{Key: "alarm.kind." + string(e.Kind)}
	if f := e.Factor; f != "" {
		what = notify.Word{Key: "alarm.one", Words: map[string]notify.Word{"kind": what, "factor": factor(f)}}
	}
	outlet := notify.Word{Text: strconv.FormatUint(uint64(e.Outlet), 10)}
	if o := snap.Outlets[e.Outlet]; o != nil {
		m.About = access.Object{Area: o.Area, Organisation: o.Enterprise}
		outlet = name(o.Name)
		if owner := snap.Enterprises[o.Enterprise]; owner != nil {
			outlet = notify.Word{Key: "outlet.full", Words: map[string]notify.Word{"enterprise": name(owner.Name), "outlet": outlet}}
		}
	}
	m.Text.Words = map[string]notify.Word{"what": what, "outlet": outlet, "since": {At: e.Start.Unix()}}
	if !e.End.IsZero() {
		m.Text.Words["until"] = notify.Word{At: e.End.Unix()}
	}
}

func name(n telemetry.Name) notify.Word { return notify.Word{Zh: n.Zh, Bo: n.Bo, En: n.En} }

// factor names a factor; one that the table of factors does not have is its code.
func factor(code string) notify.Word {
	if symbol := figures.Symbol(code); symbol != "" {
		return notify.Word{Text: symbol}
	}
	if key := "factor." + code; i18n.Default().Has(i18n.Zh, key) {
		return notify.Word{Key: key}
	}
	f, ok := hj212.LookupFactor(code)
	if !ok {
		return notify.Word{Text: code}
	}
	return notify.Word{Zh: f.NameZh, En: f.NameEn}
}

// Run tells again of alarms that nobody has taken note of, until ctx ends; it
// returns nil then. Faults are logged and tried again.
func (s *Service) Run(ctx context.Context, alarms Alarms) error {
	tick := time.NewTicker(s.o.Every)
	defer tick.Stop()
	said := ""
	for {
		err := s.remind(ctx, alarms)
		switch {
		case err == nil:
			said = ""
		case ctx.Err() == nil && err.Error() != said:
			said = err.Error()
			s.o.Logger.ErrorContext(ctx, "reminders of alarms failed", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// reminder is an alarm to be looked at.
type reminder struct {
	alarm string
	due   int64
}

// remind looks at the alarms whose time has come.
func (s *Service) remind(ctx context.Context, alarms Alarms) error {
	now := s.o.Now()
	due, err := s.due(ctx, now)
	if err != nil {
		return err
	}
	for _, r := range due {
		e, err := alarms.Get(ctx, r.alarm)
		if err != nil && !errs.Is(err, errs.NotFound) {
			return err
		}
		var list []notify.Message
		if err == nil && e.Shown() && e.Open() && !e.Ack.Done() && !e.False.Done() {
			m := notify.Message{Kind: Unacked, Key: "unacked:" + e.ID + ":" + strconv.FormatInt(r.due, 10), Urgent: true, Text: notify.Word{Key: "notify.text.alarm_unacked"}}
			s.address(&m, s.o.Registry.Snapshot(), &e)
			list = append(list, m)
		}
		if err := s.o.DB.Tx(ctx, func(tx *db.Tx) error {
			res, err := tx.Exec(ctx, `DELETE FROM alarm_reminders WHERE alarm = $1 AND due_at = $2`, r.alarm, r.due)
			if err != nil {
				return err
			}
			if n, err := res.RowsAffected(); err != nil || n == 0 {
				return err // another server has told it, or the alarm was raised anew
			}
			return s.o.Notify.Tell(ctx, tx, list)
		}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) due(ctx context.Context, now time.Time) (out []reminder, err error) {
	rows, err := s.o.DB.Query(ctx, `SELECT alarm, due_at FROM alarm_reminders WHERE due_at <= $1 ORDER BY due_at, alarm LIMIT 200`, db.Micros(now))
	if err != nil {
		return nil, fmt.Errorf("look for reminders: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r reminder
		if err := rows.Scan(&r.alarm, &r.due); err != nil {
			return nil, fmt.Errorf("look for reminders: %w", err)
		}
		out = append(out, r)
	}
	return out, rows.Err()
}
