package relay

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"sync"
	"time"

	"github.com/google/uuid"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/outbound"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/store"
)

// Journal is what was received; *store.Store is one.
type Journal interface {
	Tail() uint64
	Wait(ctx context.Context, seq uint64) error
	Read(ctx context.Context, seq, last uint64, most int) ([]store.Group, error)
	Groups(seq uint64, fn func(store.GroupMeta) bool) error
	SequenceAt(t time.Time) (uint64, error)
	FrameAt(l telemetry.Locator) (store.StoredFrame, error)
}

// Registry tells where outlets lie.
type Registry interface {
	Snapshot() *telemetry.Snapshot
}

// Sealer encrypts what the database keeps; *auth.Sealer is one.
type Sealer interface {
	Seal(text, owner string) string
	Open(sealed, owner string) (string, error)
}

// Options of a Service. Every zero value but of the first five stands for the
// default given.
type Options struct {
	DB       *db.DB
	Journal  Journal
	Registry Registry
	Sealer   Sealer
	Now      func() time.Time

	Logger  *slog.Logger   // discard
	Private bool           // addresses of this machine and of private networks may be targets
	Roots   *x509.CertPool // that vouch for targets over TLS; nil = those of the system

	OverTime  time.Duration // until a frame is sent again, twice as long each time; 10 s (HJ 212 section 6.6)
	ReCount   int           // times it is sent again; 3
	Connect   time.Duration // for one connection; 10 s
	WriteWait time.Duration // a target that takes nothing for so long is left; 30 s
	First     time.Duration // before the second connection; 1 s
	Longest   time.Duration // between connections; 5 min
	LiveAge   time.Duration // what waits for longer when a connection is made is the past; 2 min
	SaveEvery time.Duration // between writes of how far a target has come; 100 ms
	Look      time.Duration // between looks at what is set in the database; 5 s
	MaxKept   int           // refused frames of one target, then it is held; 100,000

	dial func(ctx context.Context, t *Target) (net.Conn, error) // tests
}

// Service keeps targets and sends to them. All methods may be called from any
// goroutine.
type Service struct {
	o     Options
	began time.Time
	wake  chan struct{}

	work sync.Mutex // held while targets are begun, ended or changed

	mu      sync.Mutex
	running map[string]*running
	before  map[string]State // of targets that were begun anew: what was counted
}

// running is a target at work.
type running struct {
	*runner
	edition int64
	stop    context.CancelFunc
	ended   chan struct{}
}

// wallClock is the clock of socket deadlines and of waits, which must not jump
// with the program's.
var wallClock = time.Now //nolint:forbidigo // see above

// New makes a service; nothing is sent before Run.
func New(o Options) (*Service, error) {
	if o.DB == nil || o.Journal == nil || o.Registry == nil || o.Sealer == nil || o.Now == nil {
		return nil, errors.New("relay: database, journal, registry, sealer and clock must be given")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	dur := func(p *time.Duration, def time.Duration) {
		if *p <= 0 {
			*p = def
		}
	}
	dur(&o.OverTime, 10*time.Second)
	dur(&o.Connect, 10*time.Second)
	dur(&o.WriteWait, 30*time.Second)
	dur(&o.First, time.Second)
	dur(&o.Longest, 5*time.Minute)
	dur(&o.LiveAge, 2*time.Minute)
	dur(&o.SaveEvery, 100*time.Millisecond)
	dur(&o.Look, 5*time.Second)
	if o.ReCount <= 0 {
		o.ReCount = 3
	}
	if o.MaxKept <= 0 {
		o.MaxKept = 100_000
	}
	s := &Service{o: o, began: wallClock(), wake: make(chan struct{}, 1), running: map[string]*running{}, before: map[string]State{}}
	if o.dial == nil {
		s.o.dial = s.dialTCP
	}
	return s, nil
}

// tick is the time since the start. Timeouts and rates go by it and not by the
// program's clock, which may be set.
func (s *Service) tick() time.Duration { return time.Since(s.began) }

func (s *Service) dial(ctx context.Context, t *Target) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.Connect)
	defer cancel()
	conn, err := s.o.dial(ctx, t)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("no connection within %s: %w", s.o.Connect, err)
	}
	return conn, err
}

func (s *Service) dialTCP(ctx context.Context, t *Target) (net.Conn, error) {
	d := outbound.Dialer(outbound.Options{Timeout: s.o.Connect, Private: s.o.Private || t.Sample, Setting: "relay.allow_private"})
	conn, err := d.DialContext(ctx, "tcp", t.Addr())
	if err != nil || !t.TLS {
		return conn, err
	}
	secure := tls.Client(conn, &tls.Config{ServerName: t.Host, RootCAs: s.o.Roots, MinVersion: tls.VersionTLS12})
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secure, nil
}

// Run sends until ctx ends; it returns nil then, when how far each target came is
// written down. Faults are logged and tried again.
func (s *Service) Run(ctx context.Context) error {
	defer s.stopAll()
	every := time.NewTicker(s.o.Look)
	defer every.Stop()
	said := ""
	hour := s.o.Now()
	for {
		switch err := s.settle(ctx); {
		case err == nil:
			said = ""
		case ctx.Err() == nil && err.Error() != said:
			said = err.Error()
			s.o.Logger.ErrorContext(ctx, "relay targets are not looked for", slog.Any("error", err))
		}
		if now := s.o.Now(); now.Sub(hour) >= sampleEvery || now.Before(hour) {
			hour = now
			if err := s.sample(ctx); err != nil && ctx.Err() == nil {
				s.o.Logger.WarnContext(ctx, "how relay targets do is not kept", slog.Any("error", err))
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-every.C:
		}
	}
}

// settle has the targets at work that are set.
func (s *Service) settle(ctx context.Context) error {
	s.work.Lock()
	defer s.work.Unlock()
	targets, err := s.List(ctx)
	if err != nil {
		return err
	}
	set := map[string]*Target{}
	for i := range targets {
		if !targets[i].Paused {
			set[targets[i].ID] = &targets[i]
		}
	}
	s.mu.Lock()
	var over []*running
	for id, r := range s.running {
		if t := set[id]; t == nil || t.Edition != r.edition {
			delete(s.running, id)
			over = append(over, r)
		}
	}
	s.mu.Unlock()
	for _, r := range over {
		r.stop()
	}
	for _, r := range over {
		<-r.ended
		s.remember(r)
	}
	for id, t := range set {
		s.mu.Lock()
		at := s.running[id]
		s.mu.Unlock()
		if at != nil {
			continue
		}
		if err := s.start(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) start(ctx context.Context, t *Target) error {
	full, names, p, err := s.load(ctx, t.ID)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	r := &running{runner: s.newRunner(&full, names, p), edition: full.Edition, stop: stop, ended: make(chan struct{})}
	s.mu.Lock()
	r.goOn(s.before[t.ID])
	s.running[t.ID] = r
	s.mu.Unlock()
	go func() {
		defer close(r.ended)
		defer stop()
		r.run(ctx)
	}()
	return nil
}

// remember keeps what a target counted for when it is begun anew.
func (s *Service) remember(r *running) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before[r.t.ID] = r.State()
}

func (s *Service) stopAll() {
	s.work.Lock()
	defer s.work.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.running {
		r.stop()
	}
	for id, r := range s.running {
		<-r.ended
		delete(s.running, id)
	}
}

// kick has Run look at what is set.
func (s *Service) kick() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// State returns how a target does; false when it is not at work, with what was
// counted before.
func (s *Service) State(id string) (State, bool) {
	s.mu.Lock()
	r, was := s.running[id], s.before[id]
	s.mu.Unlock()
	if r == nil {
		return State{LastAck: was.LastAck, Acked: was.Acked, Refused: was.Refused, Resent: was.Resent, Asked: was.Asked, AskedLast: was.AskedLast}, false
	}
	return r.State(), true
}

// Add makes a target that begins with what was received since t.From; zero = with
// what is received from now on. Errors: errs.Invalid by field, errs.Conflict when
// there are too many.
func (s *Service) Add(ctx context.Context, t Target) (Target, error) {
	now := s.o.Now().UTC()
	if err := t.check(s.o.Registry.Snapshot(), s.o.Private || t.Sample); err != nil {
		return t, err
	}
	if t.From.After(now) {
		return t, errs.InvalidField("from", "relay.err.from")
	}
	tail := s.o.Journal.Tail()
	p := begin(tail, tail)
	if !t.From.IsZero() {
		seq, err := s.o.Journal.SequenceAt(t.From)
		if err != nil {
			return t, err
		}
		p = begin(seq, tail)
	} else {
		t.From = now
	}
	t.ID, t.Edition, t.Created, t.Updated = uuid.Must(uuid.NewV7()).String(), 1, now, now
	err := s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		var n int
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM relay_targets`).Scan(&n); err != nil {
			return err
		}
		if n >= maxTargets {
			return errs.New(errs.Conflict, "relay.err.many", "most", maxTargets)
		}
		if err := s.insert(ctx, tx, &t, &p); err != nil {
			return err
		}
		return s.audit(ctx, tx, "create", &t, nil)
	})
	s.kick()
	return t, err
}

// Change edits what people set of a target; an empty PW or Key of the edited one
// means none, what edit leaves alone stays. edition is the one that was read;
// another one, unless 0, is errs.Conflict. Where it began stays. What it chooses
// holds for what was not sent yet.
func (s *Service) Change(ctx context.Context, id string, edition int64, edit func(t *Target)) (t Target, err error) {
	return s.change(ctx, id, edition, "update", edit)
}

// Pause stops sending; nothing is lost.
func (s *Service) Pause(ctx context.Context, id, byPost string) error {
	_, err := s.change(ctx, id, 0, "pause", func(t *Target) { t.Paused, t.ByPost = true, byPost })
	return err
}

// Resume goes on where it was paused.
func (s *Service) Resume(ctx context.Context, id, byPost string) error {
	_, err := s.change(ctx, id, 0, "resume", func(t *Target) { t.Paused, t.Held, t.ByPost = false, "", byPost })
	return err
}

func (s *Service) change(ctx context.Context, id string, edition int64, act string, edit func(t *Target)) (t Target, err error) {
	s.work.Lock()
	defer s.work.Unlock()
	if err := s.halt(ctx, id); err != nil {
		return t, err
	}
	err = s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		if t, err = s.get(ctx, tx, id); err != nil {
			return err
		}
		if edition != 0 && edition != t.Edition {
			return errs.New(errs.Conflict, "relay.err.changed")
		}
		was := t
		edit(&t)
		t.ID, t.From, t.Sample, t.Created = was.ID, was.From, was.Sample, was.Created
		if err := t.check(s.o.Registry.Snapshot(), s.o.Private || t.Sample); err != nil {
			return err
		}
		t.Edition, t.Updated = was.Edition+1, s.o.Now().UTC()
		if err := s.update(ctx, tx, &t, !sameChoice(&was, &t)); err != nil {
			return err
		}
		return s.audit(ctx, tx, act, &t, nil)
	})
	s.kick()
	return t, err
}

// halt ends the work of a target for a change, so that what it writes down last
// does not come after the change. Run begins it anew once work is free.
func (s *Service) halt(ctx context.Context, id string) error {
	s.mu.Lock()
	r := s.running[id]
	s.mu.Unlock()
	if r == nil {
		return nil
	}
	r.stop()
	select {
	case <-r.ended:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.mu.Lock()
	delete(s.running, id)
	s.mu.Unlock()
	s.remember(r)
	return nil
}

// SetMapping writes in whose name the frames of a logger or outlet go on. An empty
// PW or Key leaves the one that is there.
func (s *Service) SetMapping(ctx context.Context, id string, m Mapping) error {
	if err := m.check(s.o.Registry.Snapshot()); err != nil {
		return err
	}
	return s.mapping(ctx, id, m.Of(), "map", func(tx *db.Tx) error { return s.putMapping(ctx, tx, id, &m) })
}

// DropMapping ends one; its frames go on in the name of the target's defaults.
func (s *Service) DropMapping(ctx context.Context, id, of string) error {
	return s.mapping(ctx, id, of, "unmap", func(tx *db.Tx) error {
		res, err := tx.Exec(ctx, `DELETE FROM relay_names WHERE target = $1 AND of = $2`, id, of)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, errs.New(errs.NotFound, ""))
		}
		return nil
	})
}

func (s *Service) mapping(ctx context.Context, id, of, act string, do func(tx *db.Tx) error) error {
	err := s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		t, err := s.get(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := do(tx); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE relay_targets SET edition = edition + 1 WHERE id = $1`, id); err != nil {
			return err
		}
		return s.audit(ctx, tx, act, &t, map[string]any{"logger": of})
	})
	s.kick()
	return err
}

// Delete ends a target with its refused frames; the frames themselves stay in the
// journal.
func (s *Service) Delete(ctx context.Context, id string) error {
	s.work.Lock()
	defer s.work.Unlock()
	if err := s.halt(ctx, id); err != nil {
		return err
	}
	err := s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		t, err := s.get(ctx, tx, id)
		if err != nil {
			return err
		}
		for _, table := range []string{"relay_refused", "relay_names", "relay_hours"} {
			if _, err := tx.Exec(ctx, `DELETE FROM `+table+` WHERE target = $1`, id); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, `DELETE FROM relay_targets WHERE id = $1`, id); err != nil {
			return err
		}
		return s.audit(ctx, tx, "delete", &t, nil)
	})
	s.kick()
	return err
}

// Again has refused frames of a target sent once more: those named, or all. It
// returns how many.
func (s *Service) Again(ctx context.Context, id string, all bool, which ...telemetry.Locator) (n int64, err error) {
	err = s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		t, err := s.get(ctx, tx, id)
		if err != nil {
			return err
		}
		add := func(query string, args ...any) error {
			res, err := tx.Exec(ctx, query, args...)
			if err != nil {
				return err
			}
			k, err := res.RowsAffected()
			n += k
			return err
		}
		if all {
			err = add(`UPDATE relay_refused SET again = 1 WHERE target = $1 AND again = 0`, id)
		}
		for _, l := range which {
			if err == nil {
				err = add(`UPDATE relay_refused SET again = 1 WHERE target = $1 AND seq = $2 AND idx = $3 AND again = 0`, id, int64(l.Seq), int64(l.Index))
			}
		}
		if err != nil || n == 0 {
			return err
		}
		return s.audit(ctx, tx, "again", &t, map[string]any{"frames": n})
	})
	s.mu.Lock()
	if r := s.running[id]; r != nil {
		r.call()
	}
	s.mu.Unlock()
	return n, err
}

// Test makes one connection to a target, with TLS where that is set, and sends
// nothing. It returns how long that took.
func (s *Service) Test(ctx context.Context, id string) (time.Duration, error) {
	t, err := s.Get(ctx, id)
	if err != nil {
		return 0, err
	}
	began := s.tick()
	conn, err := s.dial(ctx, &t)
	if err != nil {
		return s.tick() - began, fmt.Errorf("%w: %w", ErrUnreached, err)
	}
	_ = conn.Close()
	return s.tick() - began, nil
}

// ErrUnreached wraps why Test got no connection.
var ErrUnreached = errors.New("the target cannot be reached")

// audit notes what was done to a target, without its secrets.
func (s *Service) audit(ctx context.Context, tx *db.Tx, act string, t *Target, more map[string]any) error {
	by := auth.From(ctx)
	if !by.Known() {
		by = auth.System
	}
	detail := map[string]any{"name": t.Name, "address": t.Addr(), "edition": t.Edition, "paused": t.Paused}
	maps.Copy(detail, more)
	text, err := json.Marshal(detail)
	if err != nil {
		return err
	}
	e := by.Entry(s.o.Now(), "telemetry", "relay."+act, "relay", t.ID)
	e.Detail = string(text)
	return audit.Append(ctx, tx, e)
}
