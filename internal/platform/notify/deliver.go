package notify

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"plateau/internal/platform/db"
	"plateau/internal/platform/outbound"
)

// Sender hands a parcel over to a channel.
type Sender interface {
	// Send tries once and returns within less than Options.Lease.
	Send(ctx context.Context, p *Parcel) Outcome
}

// Outcome is how a try went.
type Outcome struct {
	Status int           // of the answer; 0 = there was none
	Fault  string        // what went wrong, in English; "" = it was taken
	Final  bool          // a further try would be refused, too
	Wait   time.Duration // not to be tried before; 0 = as usual
}

// States of a delivery.
const (
	Waiting = "waiting"
	Sent    = "sent"
	Failed  = "failed"
	GivenUp = "given_up"
)

// Purposes of a delivery.
const (
	purposeTold = "told"
	purposeCode = "code"
	purposeTest = "test"
)

// fewest is how often a delivery is tried before it is given up, whatever the
// clock says: one that jumps must not end what was hardly tried.
const fewest = 5

// farthest is further than any delivery is put off; one due later was written
// while the clock was wrong.
const farthest = 49 * time.Hour

// delivery is a row.
type delivery struct {
	ID       string
	User     string
	Channel  Channel
	batch    string
	Purpose  string
	Created  time.Time
	Due      time.Time
	tries    int
	firstTry time.Time
}

func isNone(err error) bool { return errors.Is(err, sql.ErrNoRows) }

// Run delivers until ctx ends; it returns nil then, when what is under way is
// over. Faults are logged and tried again.
func (s *Service) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, s.o.Workers)
	tick := time.NewTicker(s.o.Poll)
	defer tick.Stop()
	said := ""
	var dropped time.Time
	for {
		due, err := s.due(ctx)
		if now := s.o.Now(); err == nil && (now.Sub(dropped) >= time.Hour || now.Before(dropped)) {
			dropped = now
			err = s.drop(ctx)
		}
		switch {
		case err == nil:
			said = ""
		case ctx.Err() == nil && err.Error() != said:
			said = err.Error()
			s.o.Logger.ErrorContext(ctx, "deliveries are not looked for", slog.Any("error", err))
		}
		for i, id := range due {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				for _, rest := range due[i:] { // taken, and not begun
					s.release(rest)
				}
				return nil
			}
			wg.Go(func() {
				defer func() { s.release(id); <-slots }()
				if err := s.deliver(ctx, id); err != nil && ctx.Err() == nil {
					s.o.Logger.ErrorContext(ctx, "delivery failed", slog.String("delivery", id), slog.Any("error", err))
				}
			})
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// eligible is when a waiting delivery may be tried: $1 is now, $2 and $3 the
// farthest that due_at and next_try can lie ahead of a right clock.
const eligible = `state = 'waiting' AND (due_at <= $1 OR due_at > $2) AND (next_try <= $1 OR next_try > $3)`

func (s *Service) bounds() (now, due, try int64) {
	t := s.o.Now()
	return db.Micros(t), db.Micros(t.Add(farthest)), db.Micros(t.Add(max(outbound.Longest, s.o.Lease) + time.Minute))
}

// due lists deliveries to be tried, the oldest first, and takes them in this
// process.
func (s *Service) due(ctx context.Context) ([]string, error) {
	now, far, try := s.bounds()
	rows, err := s.o.DB.Query(ctx, `SELECT id FROM notify_deliveries WHERE `+eligible+` ORDER BY due_at, id LIMIT 100`, now, far, try)
	if err != nil {
		return nil, fmt.Errorf("look for deliveries: %w", err)
	}
	defer rows.Close()
	var found []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("look for deliveries: %w", err)
		}
		found = append(found, id)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found = slices.DeleteFunc(found, func(id string) bool { return s.busy[id] })
	for _, id := range found {
		s.busy[id] = true
	}
	return found, nil
}

func (s *Service) release(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.busy, id)
}

// deliver tries one delivery and writes down how it went. Nothing is sent that
// could not be taken in the database before; taken by somebody else it is left.
func (s *Service) deliver(ctx context.Context, id string) error {
	d, ok, err := s.take(ctx, id)
	if err != nil || !ok {
		return err
	}
	s.mu.Lock()
	o, again := s.unnoted[id]
	s.mu.Unlock()
	if !again { // else it went out before, and only that could not be written down
		p, why, err := s.parcel(ctx, &d)
		switch {
		case err != nil:
			return errors.Join(err, s.putBack(context.WithoutCancel(ctx), &d))
		case why != "":
			o = Outcome{Fault: why, Final: true}
		default:
			// What has begun goes on to its end, though the program stops: a message
			// that breaks off may have been taken.
			o = s.o.Senders[d.Channel].Send(context.WithoutCancel(ctx), p)
			o.Fault = redact(o.Fault, p.To)
		}
	}
	if err := s.noted(context.WithoutCancel(ctx), &d, o); err != nil {
		s.mu.Lock()
		s.unnoted[id] = o
		s.mu.Unlock()
		return err
	}
	s.mu.Lock()
	delete(s.unnoted, id)
	s.mu.Unlock()
	return nil
}

// take gets the lease of a delivery; ok is false when somebody else has it, or
// it is not to be tried now.
func (s *Service) take(ctx context.Context, id string) (d delivery, ok bool, err error) {
	now, far, try := s.bounds()
	err = s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		var created, first int64
		err := tx.QueryRow(ctx, `UPDATE notify_deliveries SET lease = $4, next_try = $5, tries = tries + 1, first_try = COALESCE(first_try, $1)
			WHERE id = $6 AND `+eligible+` RETURNING user_id, channel, purpose, created_at, tries, first_try`,
			now, far, try, s.id, now+s.o.Lease.Microseconds(), id).Scan(&d.User, &d.Channel, &d.Purpose, &created, &d.tries, &first)
		if isNone(err) {
			return nil
		}
		d.ID, d.Created, d.firstTry, ok = id, db.Time(created), db.Time(first), err == nil
		return err
	})
	return d, ok, err
}

// putBack undoes take.
func (s *Service) putBack(ctx context.Context, d *delivery) error {
	_, err := s.o.DB.Exec(ctx, `UPDATE notify_deliveries SET lease = '', next_try = $3, tries = tries - 1 WHERE id = $1 AND lease = $2 AND state = 'waiting'`,
		d.ID, s.id, db.Micros(s.o.Now().Add(s.o.First)))
	return err
}

// noted writes down how a try went, unless the lease ran out and somebody else
// has it.
func (s *Service) noted(ctx context.Context, d *delivery, o Outcome) error {
	now := s.o.Now()
	state, next, ended := Waiting, now, now
	switch {
	case o.Fault == "":
		state = Sent
	case o.Final:
		state = Failed
	case d.tries >= fewest && now.Sub(d.firstTry) >= s.o.GiveUp:
		state = GivenUp
	default:
		next, ended = now.Add(max(o.Wait, outbound.Backoff(s.o.First, d.tries))), time.Time{}
	}
	fault := o.Fault
	if len(fault) > 500 {
		fault = strings.ToValidUTF8(fault[:500], "")
	}
	err := s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE notify_deliveries SET state = $3, lease = '', next_try = $4, ended_at = $5, status = $6, fault = $7 WHERE id = $1 AND lease = $2 AND state = 'waiting'`,
			d.ID, s.id, state, db.Micros(next), db.MicrosOrNull(ended), o.Status, fault)
		return err
	})
	if err != nil {
		return fmt.Errorf("note a delivery: %w", err)
	}
	s.count.took(state)
	return nil
}

// redact takes an address out of what a server said: whole, and the parts by
// which somebody could be told.
func redact(fault, address string) string {
	fault = oneLine(fault)
	parts := []string{address}
	if local, _, ok := strings.Cut(address, "@"); ok {
		parts = append(parts, local)
	}
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		parts = append(parts, u.Host, u.Hostname())
	}
	for _, part := range parts {
		if len(part) < 3 {
			continue
		}
		fault = regexp.MustCompile("(?i)"+regexp.QuoteMeta(part)).ReplaceAllLiteralString(fault, "…")
	}
	return fault
}

// drop removes what is older than Options.Keep. It goes by the clock, but no
// further than a day behind the newest notification, so that a clock that jumps
// ahead takes nothing along; and what still waits to be told stays.
func (s *Service) drop(ctx context.Context) error {
	return s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		var newest sql.NullInt64
		if err := tx.QueryRow(ctx, `SELECT max(at) FROM notifications`).Scan(&newest); err != nil || !newest.Valid {
			return err
		}
		now := s.o.Now()
		if last := db.Time(newest.Int64).Add(24 * time.Hour); last.Before(now) {
			now = last
		}
		before := db.Micros(now.Add(-s.o.Keep))
		if _, err := tx.Exec(ctx, `DELETE FROM notify_deliveries WHERE created_at < $1 AND state <> 'waiting'`, before); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM notifications WHERE at < $1 AND id NOT IN (SELECT i.notification FROM notify_items i JOIN notify_deliveries d ON d.id = i.delivery WHERE d.state = 'waiting')`, before)
		return err
	})
}

// counters of outcomes since the start.
type counters struct{ sent, failed, givenUp, retried atomic.Int64 }

func (c *counters) took(state string) {
	switch state {
	case Sent:
		c.sent.Add(1)
	case Failed:
		c.failed.Add(1)
	case GivenUp:
		c.givenUp.Add(1)
	default:
		c.retried.Add(1)
	}
}

// Stats are counters since the start, and what waits now.
type Stats struct {
	Sent, Failed, GivenUp, Retried int64
	Waiting                        int64 // deliveries whose time has come
}

// Stats returns the counters.
func (s *Service) Stats(ctx context.Context) (out Stats, err error) {
	out = Stats{Sent: s.count.sent.Load(), Failed: s.count.failed.Load(), GivenUp: s.count.givenUp.Load(), Retried: s.count.retried.Load()}
	err = s.o.DB.QueryRow(ctx, `SELECT count(*) FROM notify_deliveries WHERE state = 'waiting' AND due_at <= $1`, db.Micros(s.o.Now())).Scan(&out.Waiting)
	return out, err
}
