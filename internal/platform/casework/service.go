package casework

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
)

var zone = i18n.Zone

// Places is the tree of areas.
type Places interface {
	access.Areas
	HasArea(code string) bool
	// Codes are all areas there are.
	Codes() []string
	// Unit returns the area of an organisation that cases can be handed to.
	Unit(id string) (area string, exists bool)
}

// Options are what the service stands on.
type Options struct {
	DB        *db.DB
	Types     *Types
	Calendars func(area string) Calendar // that counts in an area
	Places    Places
	// Units are the organisations that somebody acts for.
	Units func(ctx context.Context, p auth.Principal) ([]string, error)
	// Posts are the posts in which somebody acts; nil: nobody is assigned to any.
	Posts func(ctx context.Context, p auth.Principal) ([]string, error)
	// PostSees reports whether whoever holds a post sees a case; nil: posts cannot be named.
	PostSees func(ctx context.Context, c *Case, post string) bool
	Files    Files // nil: attachments are taken as they are named
	Now      func() time.Time
	// Added is told of every event, in the transaction that adds it: what it writes
	// there is kept or lost together with the event. nil = nobody.
	Added func(ctx context.Context, tx *db.Tx, t *Type, c *Case, e *Event) error
}

// Files are what attachments name.
type Files interface {
	// Attach makes a case refer to files that who acts has brought, by their SHA-256, in
	// the transaction of the act; errs.Invalid about "attachments" for others.
	Attach(ctx context.Context, tx *db.Tx, id string, sums []string, by auth.Principal) error
}

// Service keeps cases. It is safe for concurrent use.
type Service struct {
	Options
	key    []byte
	number func(at time.Time) string // tracking numbers
}

// New returns the service over a migrated database.
func New(ctx context.Context, o Options) (*Service, error) {
	s := &Service{Options: o, number: Tracking}
	err := o.DB.Tx(ctx, func(tx *db.Tx) error {
		fresh := make([]byte, 32)
		_, _ = rand.Read(fresh)
		if _, err := tx.Exec(ctx, `INSERT INTO case_keys (id, key) VALUES (1, $1) ON CONFLICT (id) DO NOTHING`, hex.EncodeToString(fresh)); err != nil {
			return err
		}
		var text string
		if err := tx.QueryRow(ctx, `SELECT key FROM case_keys WHERE id = 1`).Scan(&text); err != nil {
			return err
		}
		var err error
		s.key, err = hex.DecodeString(text)
		return err
	})
	if err == nil {
		err = s.project(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("open cases: %w", err)
	}
	return s, nil
}

func salt() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

func (s *Service) mac(what, id string) []byte {
	m := hmac.New(sha256.New, s.key)
	m.Write([]byte(what + "\x00" + id))
	return m.Sum(nil)
}

// PIN is the six digits that go with a tracking number, for who reported.
func (s *Service) PIN(c *Case) string {
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(s.mac("pin", c.ID))%1_000_000)
}

// Link is the secret of the address that opens a case for who reported it; nobody
// can lock them out of it.
func (s *Service) Link(c *Case) string {
	return base64.RawURLEncoding.EncodeToString(s.mac("link", c.ID)[:18])
}

// IsPIN reports whether six digits are those of a case, in constant time.
func (s *Service) IsPIN(c *Case, pin string) bool { return equal(s.PIN(c), pin) }

// IsLink reports whether a secret is that of a case's address, in constant time.
func (s *Service) IsLink(c *Case, link string) bool { return equal(s.Link(c), link) }

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// Actor is who asks, as far as it matters to a case.
func (s *Service) Actor(ctx context.Context, p auth.Principal, c *Case) (*Actor, error) {
	if !p.Known() {
		return &Actor{}, nil
	}
	units, err := s.Units(ctx, p)
	return s.actor(p, units, c), err
}

func (s *Service) actor(p auth.Principal, units []string, c *Case) *Actor {
	a := &Actor{ID: p.ID, Post: p.Post.Zh, OnBehalfOf: p.OnBehalfOf, Units: units, Reporter: c.Reporter != "" && c.Reporter == p.ID}
	a.hold(p.Grants(), c.System, c.Location.Area, s.Places)
	return a
}

// SeenFrom reports whether a case is seen from a post of a kind, for an area, of an
// organisation and, where it is for one, an enterprise.
func (s *Service) SeenFrom(c *Case, kind, area, enterprise, organisation string) bool {
	a := &Actor{}
	for _, u := range []string{organisation, enterprise} {
		if u != "" {
			a.Units = append(a.Units, u)
		}
	}
	a.hold(access.Default().Account(kind, area, enterprise), c.System, c.Location.Area, s.Places)
	return a.sees(c)
}

// CanTakeBack reports whether somebody may take back now what happened last on a case.
func (s *Service) CanTakeBack(c *Case, events []Event, by auth.Principal) bool {
	t := s.TypeOf(c)
	return t != nil && len(events) > 1 && t.Undone(&events[len(events)-1], actorOf(by), s.Now()) == ""
}

// sees reports whether an actor may read a case: with a role of its system where it
// is, as one of the organisation that must act, or as who reported it.
func (a *Actor) sees(c *Case) bool { return len(a.Roles) > 0 || a.of(c) || a.Reporter }

// Request is how an act was sent.
type Request struct {
	Key      string    // Idempotency-Key; "" = none
	Sum      string    // SHA-256 of what was sent, to tell a repetition from another request
	Occurred time.Time // by the clock of who acts; zero = now
	Version  int       // of the case that who acts has seen; 0 = any
}

// StaleError is an act on a case that has changed since it was looked at.
type StaleError struct {
	Version int      // now
	State   string   // now
	Allowed []string // actions that who asked may take now
}

func (e *StaleError) Error() string {
	return fmt.Sprintf("the case is at version %d by now", e.Version)
}

// unguessed is how long the key of a stranger must be to count: as a form makes them.
const unguessed = 26

// Open opens a case for who asks. With a key that was there before it returns that
// case, when what was sent is the same, and errs.Conflict "err.case.key_reused" when
// not.
func (s *Service) Open(ctx context.Context, o Opening, in Input, by auth.Principal, r Request) (c *Case, again bool, err error) {
	err = s.DB.Tx(ctx, func(tx *db.Tx) error {
		c, again, err = s.openIn(ctx, tx, o, in, by, r)
		return err
	})
	return c, again, err
}

func (s *Service) openIn(ctx context.Context, tx *db.Tx, o Opening, in Input, by auth.Principal, r Request) (c *Case, again bool, err error) {
	if !by.Known() && len(r.Key) < unguessed {
		r.Key = "" // strangers cannot be told apart but by a key that nobody guesses
	}
	actor := actorOf(by)
	if c, err = s.repeated(ctx, tx, actor, r, ""); c != nil || err != nil {
		return c, c != nil, err
	}
	now := s.Now()
	t, ok := s.Types.InForce(o.Kind, now.In(zone).Format(time.DateOnly))
	if !ok {
		return nil, false, errs.InvalidField("kind", "err.field.choice", "choices", strings.Join(s.Types.Kinds(), ", "))
	}
	if err := o.check(t, s.Places); err != nil {
		return nil, false, err
	}
	if o.Parent != "" {
		if _, _, err := s.Get(ctx, o.Parent, by); errs.Is(err, errs.NotFound) {
			return nil, false, errs.InvalidField("parent", "err.case.no_parent")
		} else if err != nil {
			return nil, false, err
		}
	}
	if o.Reporter == "" && by.Known() && by.ID != auth.System.ID {
		o.Reporter = by.ID
	}
	a, err := s.Actor(ctx, by, &Case{System: t.System, Location: o.Location})
	if err != nil {
		return nil, false, err
	}
	a.Timer = by.ID == auth.System.ID
	x, err := t.opens(o.Action, a)
	if err != nil {
		return nil, false, err
	}
	var e Event
	// Ten random digits in a year: among 200,000 cases two numbers meet by chance.
	for taken := true; taken; {
		if c, e, err = t.begin(o, x, a, in, now, s.env(ctx, tx, o.Location.Area, a)); err != nil {
			return nil, false, err
		}
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM cases WHERE tracking_no = $1)`, c.TrackingNo).Scan(&taken); err != nil {
			return nil, false, fmt.Errorf("look for the tracking number: %w", err)
		}
	}
	s.from(&e, by, r, now)
	c.apply(&e)
	if err := e.seal(genesis); err != nil {
		return nil, false, err
	}
	if err := s.attach(ctx, tx, c.ID, in, by); err != nil {
		return nil, false, err
	}
	if err := s.insert(ctx, tx, c); err != nil {
		return nil, false, err
	}
	if err := s.index(ctx, tx, c.ID, terms(c.opened()...)); err != nil {
		return nil, false, err
	}
	if err := s.change(ctx, tx, t, c, &e); err != nil {
		return nil, false, err
	}
	return c, false, s.add(ctx, tx, t, c, &e, r, by)
}

// How events name who has no account.
const (
	actorReporter = "reporter"
	actorProgram  = "service"
)

func (s *Service) attach(ctx context.Context, tx *db.Tx, id string, in Input, by auth.Principal) error {
	if s.Files == nil || len(in.Attachments) == 0 {
		return nil
	}
	return s.Files.Attach(ctx, tx, id, in.Attachments, by)
}

func actorOf(p auth.Principal) string {
	switch p.ID {
	case "":
		return actorReporter
	case auth.System.ID:
		return actorProgram
	}
	return "user:" + p.ID
}

// from fills in who sent an event, and when.
func (s *Service) from(e *Event, by auth.Principal, r Request, now time.Time) {
	e.At = now.UTC().Truncate(time.Second)
	e.Occurred = e.At
	if !r.Occurred.IsZero() && r.Occurred.Before(e.At) {
		e.Occurred = r.Occurred.UTC()
	}
	e.Actor, e.Post, e.OnBehalfOf, e.Key = actorOf(by), by.Post.Zh, by.OnBehalfOf, r.Key
}

// repeated is the case that a request with this key has acted on before; nil when
// there is none. about is the case that the request names, "" = it opens one.
func (s *Service) repeated(ctx context.Context, tx *db.Tx, actor string, r Request, about string) (*Case, error) {
	if r.Key == "" {
		return nil, nil //nolint:nilnil // it is a request without a key
	}
	var id, sum string
	err := db.NotFound(tx.QueryRow(ctx, `SELECT case_id, request_sum FROM case_events WHERE actor = $1 AND request_key = $2`, actor, r.Key).Scan(&id, &sum))
	switch {
	case errs.Is(err, errs.NotFound):
		return nil, nil //nolint:nilnil // it is new
	case err != nil:
		return nil, fmt.Errorf("look for a repeated request: %w", err)
	case sum != r.Sum || about != "" && about != id:
		return nil, errs.New(errs.Conflict, "err.case.key_reused")
	}
	return s.load(ctx, tx, `id = $1`, id)
}

// Act takes an action on a case. Errors are those of Type.Next, *StaleError when the case
// has changed since r.Version, errs.NotFound for who may not see it.
func (s *Service) Act(ctx context.Context, id, action string, in Input, by auth.Principal, r Request) (c *Case, again bool, err error) {
	err = s.DB.Tx(ctx, func(tx *db.Tx) error {
		c, again, err = s.actIn(ctx, tx, id, action, in, by, r, nil)
		return err
	})
	return c, again, err
}

func (s *Service) actIn(ctx context.Context, tx *db.Tx, id, action string, in Input, by auth.Principal, r Request, as *Actor) (c *Case, again bool, err error) {
	if c, err = s.repeated(ctx, tx, actorOf(by), r, id); c != nil || err != nil {
		return c, c != nil, err
	}
	// Whoever writes the row first goes on; others wait here and then see what
	// happened.
	if _, err := tx.Exec(ctx, `UPDATE cases SET events = events WHERE id = $1`, id); err != nil {
		return nil, false, err
	}
	if c, err = s.load(ctx, tx, `id = $1`, id); err != nil {
		return nil, false, err
	}
	a := as
	if a == nil {
		if a, err = s.Actor(ctx, by, c); err != nil {
			return nil, false, err
		}
	}
	if !a.Timer && !a.sees(c) {
		return nil, false, errs.New(errs.NotFound, "err.not_found")
	}
	t := s.TypeOf(c)
	if t == nil {
		return nil, false, fmt.Errorf("case %s is of %s version %d, which this program does not have", c.ID, c.Kind, c.Version)
	}
	if r.Version != 0 && r.Version != c.Events {
		return nil, false, t.stale(c, a)
	}
	now := s.Now()
	env := s.env(ctx, tx, c.Location.Area, a)
	env.By = actorOf(by)
	var last *Event
	var before *Case
	if action == TakeBack {
		if last, before, err = s.last(ctx, tx, c.ID); err != nil {
			return nil, false, err
		}
		env.Last = func() (*Event, *Case) { return last, before }
	}
	to, ch, told, err := t.Next(c, a, action, in, now.UTC().Truncate(time.Second), env)
	if err != nil {
		return nil, false, err
	}
	seen := t.visibility(action, c.State, a)
	switch action {
	case Comment:
		seen = t.CommentVisibility(c, a, in.Form)
	case TakeBack:
		seen = last.Visibility
	}
	e := Event{Case: c.ID, Seq: c.Events + 1, Action: action, From: c.State, To: to, Visibility: seen, Body: Body{Salt: salt(), Form: in.Form, Attachments: in.Attachments, Tell: told, Changes: ch}}
	if before != nil {
		c = before
		c.Events = e.Seq - 1 // the step that is taken back stays in the chain
	}
	if err := s.attach(ctx, tx, c.ID, in, by); err != nil {
		return nil, false, err
	}
	return c, false, s.follow(ctx, tx, t, c, &e, by, r, now)
}

// last is what happened last on a case, and the case before it.
func (s *Service) last(ctx context.Context, tx *db.Tx, id string) (*Event, *Case, error) {
	events, err := s.events(ctx, tx, id)
	if err != nil || len(events) < 2 {
		return nil, nil, err
	}
	n := len(events) - 1
	before, err := Fold(events[:n])
	return &events[n], before, err
}

// follow adds an event to those of a case and makes of the case what comes of it.
func (s *Service) follow(ctx context.Context, tx *db.Tx, t *Type, c *Case, e *Event, by auth.Principal, r Request, now time.Time) error {
	s.from(e, by, r, now)
	var prev string
	if err := tx.QueryRow(ctx, `SELECT hash FROM case_events WHERE case_id = $1 AND seq = $2`, c.ID, c.Events).Scan(&prev); err != nil {
		return fmt.Errorf("last event of case %s: %w", c.ID, err)
	}
	if e.Body.Changes.TakesBack != 0 {
		c.restore(c, e) // it is what it was before the step already
	} else {
		c.apply(e)
	}
	if err := e.seal(prev); err != nil {
		return err
	}
	if err := s.update(ctx, tx, t, c); err != nil {
		return err
	}
	if ch := &e.Body.Changes; ch.OwnerUnit != nil || ch.CoUnits != nil || ch.TakesBack != 0 {
		if err := s.units(ctx, tx, c); err != nil {
			return err
		}
	}
	if err := s.index(ctx, tx, c.ID, terms(t.said(e)...)); err != nil {
		return err
	}
	if err := s.change(ctx, tx, t, c, e); err != nil {
		return err
	}
	return s.add(ctx, tx, t, c, e, r, by)
}

// env is what an action on a case in an area is worked out in.
func (s *Service) env(ctx context.Context, tx *db.Tx, area string, a *Actor) Env {
	return Env{
		Calendar: s.Calendars(area), Areas: s.Places,
		Look: func(id string) *Case {
			x, err := s.load(ctx, tx, `id = $1`, id)
			if err != nil || !a.sees(x) {
				return nil
			}
			return x
		},
		Unit: s.Places.Unit, Number: s.number,
		Post: func(c *Case, id string) bool { return s.PostSees != nil && s.PostSees(ctx, c, id) },
	}
}

// stale says how a case stands now, to who saw it otherwise.
func (t *Type) stale(c *Case, a *Actor) *StaleError {
	out := &StaleError{Version: c.Events, State: c.State}
	for _, x := range t.Allowed(c, a) {
		out.Allowed = append(out.Allowed, x.Name)
	}
	return out
}

// visibility is who may read an event: what who reported did themselves tells who it
// was.
func (t *Type) visibility(action, state string, a *Actor) Visibility {
	if a.Reporter && len(a.Roles) == 0 {
		return Restricted
	}
	if x := t.ActionIn(action, state); x != nil && x.To != "" {
		return ToReporter
	}
	return Staff
}

// add stores an event of a case as it is after it, with its entry in the record of
// acts, and tells of it.
func (s *Service) add(ctx context.Context, tx *db.Tx, t *Type, c *Case, e *Event, r Request, by auth.Principal) error {
	_, err := tx.Exec(ctx, `INSERT INTO case_events (case_id, seq, at, occurred_at, actor, post, on_behalf_of, action, from_state, to_state, visibility, payload, request_key, request_sum, prev, hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
		e.Case, e.Seq, db.Micros(e.At), db.Micros(e.Occurred), e.Actor, e.Post, e.OnBehalfOf, e.Action, e.From, e.To, string(e.Visibility), string(e.Payload), e.Key, r.Sum, e.Prev, e.Hash)
	if errs.Is(err, errs.Conflict) {
		return errs.Wrap(err, errs.Conflict, "err.case.key_reused")
	}
	if err != nil {
		return fmt.Errorf("store event: %w", err)
	}
	act := "case.act"
	if e.Seq == 1 {
		act = "case.open"
	}
	entry := by.Entry(s.Now(), "cases", act, "case", e.Case)
	if !by.Known() { // who reports without an account is not told by their address either
		entry, ctx = auth.System.Entry(s.Now(), "cases", act, "case", e.Case), audit.WithAddress(ctx, "")
	}
	detail, err := json.Marshal(map[string]any{"action": e.Action, "from": e.From, "to": e.To, "hash": e.Hash})
	entry.Detail = string(detail)
	if err != nil {
		return err
	}
	if err := audit.Append(ctx, tx, entry); err != nil || s.Added == nil {
		return err
	}
	return s.Added(ctx, tx, t, c, e)
}

// look is the earliest time at which the program has to look at a case again: when
// the next rung of the ladder is reached or a timer of its type may act.
func (t *Type) look(c *Case, cal Calendar) sql.NullInt64 {
	st := t.State(c.State)
	if st == nil {
		return sql.NullInt64{}
	}
	var next time.Time
	if !st.Paused {
		if step, _, at := t.rung(c, cal); step != nil {
			next = at
		}
	}
	if x := t.timer(c.State); x != nil {
		if at := t.timerAt(c, st); !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	if next.IsZero() {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: db.Micros(next), Valid: true}
}

type querier interface {
	Query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRow(ctx context.Context, query string, args ...any) *sql.Row
}

func (s *Service) load(ctx context.Context, q querier, where string, args ...any) (*Case, error) {
	var body string
	if err := db.NotFound(q.QueryRow(ctx, `SELECT body FROM cases WHERE `+where, args...).Scan(&body)); err != nil {
		return nil, err
	}
	return parse(body)
}

func parse(body string) (*Case, error) {
	c := &Case{}
	if err := json.Unmarshal([]byte(body), c); err != nil {
		return nil, fmt.Errorf("read case: %w", err)
	}
	return c, nil
}

// Get returns a case to who may see it, with how they stand to it; errs.NotFound
// when there is none for them.
func (s *Service) Get(ctx context.Context, id string, by auth.Principal) (*Case, *Actor, error) {
	c, err := s.load(ctx, s.DB, `id = $1`, id)
	if err != nil {
		return nil, nil, err
	}
	return s.seen(ctx, c, by)
}

// Find returns the case of a tracking number, in any form of writing, to who may see it,
// with how they stand to it; errs.NotFound when there is none for them.
func (s *Service) Find(ctx context.Context, number string, by auth.Principal) (*Case, *Actor, error) {
	n, err := ParseTracking(number)
	if err != nil {
		return nil, nil, errs.New(errs.NotFound, "err.not_found")
	}
	c, err := s.ByTracking(ctx, n)
	if err != nil {
		return nil, nil, err
	}
	return s.seen(ctx, c, by)
}

// seen is a case with how who asks stands to it, if they may see it.
func (s *Service) seen(ctx context.Context, c *Case, by auth.Principal) (*Case, *Actor, error) {
	a, err := s.Actor(ctx, by, c)
	if err != nil {
		return nil, nil, err
	}
	if !a.sees(c) {
		return nil, nil, errs.New(errs.NotFound, "err.not_found")
	}
	return c, a, nil
}

// ByTracking returns the case of a tracking number, as ParseTracking gives it, to
// anybody: what is shown of it is for the caller to choose. errs.NotFound.
func (s *Service) ByTracking(ctx context.Context, number string) (*Case, error) {
	return s.load(ctx, s.DB, `tracking_no = $1`, number)
}

// TypeOf is the type that a case is of; nil when this program lacks it.
func (s *Service) TypeOf(c *Case) *Type {
	t, _ := s.Types.Version(c.Kind, c.Version)
	return t
}

// Events returns the events of a case in their order.
func (s *Service) Events(ctx context.Context, id string) ([]Event, error) {
	return s.events(ctx, s.DB, id)
}

func (s *Service) events(ctx context.Context, q querier, id string) ([]Event, error) {
	rows, err := q.Query(ctx, `SELECT seq, at, occurred_at, actor, post, on_behalf_of, action, from_state, to_state, visibility, payload, request_key, prev, hash FROM case_events WHERE case_id = $1 ORDER BY seq`, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Event
	for rows.Next() {
		e := Event{Case: id}
		var at, occurred int64
		var payload string
		if err := rows.Scan(&e.Seq, &at, &occurred, &e.Actor, &e.Post, &e.OnBehalfOf, &e.Action, &e.From, &e.To, (*string)(&e.Visibility), &payload, &e.Key, &e.Prev, &e.Hash); err != nil {
			return nil, err
		}
		e.At, e.Occurred, e.Payload = db.Time(at), db.Time(occurred), []byte(payload)
		if err := json.Unmarshal(e.Payload, &e.Body); err != nil {
			return nil, fmt.Errorf("event %d of case %s: %w", e.Seq, id, err)
		}
		all = append(all, e)
	}
	return all, rows.Err()
}

// Rebuild makes a case anew from its events and reports whether the stored row is
// the same. An error names the first event that does not follow from the one before.
func (s *Service) Rebuild(ctx context.Context, id string) (same bool, err error) {
	err = s.DB.Tx(ctx, func(tx *db.Tx) error {
		var body string
		if err := db.NotFound(tx.QueryRow(ctx, `SELECT body FROM cases WHERE id = $1`, id).Scan(&body)); err != nil {
			return err
		}
		events, err := s.events(ctx, tx, id)
		if err != nil {
			return err
		}
		c, err := Fold(events)
		if err != nil {
			return err
		}
		text, err := json.Marshal(c)
		same = string(text) == body
		return err
	})
	return same, err
}

// IsStale returns what a *StaleError says, when err is one.
func IsStale(err error) (*StaleError, bool) { return errors.AsType[*StaleError](err) }
