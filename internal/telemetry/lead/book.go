package lead

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"plateau/internal/platform/access"
	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/telemetry"
)

// See is the permission to read leads and to say what came of them.
const See access.Permission = "telemetry.leads"

// States of a lead: what people said of it last.
const (
	Fresh     = ""
	Looking   = "looking"
	Helpful   = "helpful"
	Unhelpful = "unhelpful"
)

// Reasons for which a lead may be not helpful.
var Reasons = []string{"innocent", "known", "data", "setting", "threshold", "other"}

// Lead is what a detector found in a month of an outlet, and what became of it.
type Lead struct {
	ID       string
	Detector string
	Version  int // of its rule
	Hash     string
	Outlet   telemetry.OutletID
	Month    string // YYYY-MM
	Hit
	Found, Changed time.Time
	Vanished       time.Time // when it was no longer found; zero = it is
	State          string
	StateAt        time.Time
	Case, CaseNo   string // opened from it; "" = none
	// Rank is the score with what was said of the detector at this outlet taken off.
	Rank float64
	// Quiet is what leaves it out of the list; nil = nothing.
	Quiet *Quiet
}

// Note is what somebody said of a lead.
type Note struct {
	At           time.Time
	ByID         string
	Post         auth.Post
	Action       string
	Reason, Text string
}

// Quiet leaves leads out of the list for a while.
type Quiet struct {
	ID       string
	Detector string             // "" = all
	Outlet   telemetry.OutletID // 0 = all of the area
	Area     string
	Reason   string
	From     time.Time
	Until    time.Time
	Ended    time.Time // earlier, by somebody; zero = not
	ByID     string
	Post     auth.Post
}

// Active reports whether it holds at an instant.
func (q *Quiet) Active(at time.Time) bool { return q.Ended.IsZero() && at.Before(q.Until) }

// covers reports whether a lead is left out by it.
func (q *Quiet) covers(l *Lead, area string, areas access.Areas) bool {
	return (q.Detector == "" || q.Detector == l.Detector) && (q.Outlet == l.Outlet || q.Outlet == 0 && areas.Within(area, q.Area))
}

const columns = `SELECT id, detector, version, hash, outlet, month, factor, other, peer, from_at, to_at, score, figures, spans, found_at, changed_at, vanished_at, state, state_at, case_id, case_no FROM leads `

func query(ctx context.Context, q db.Querier, where string, args ...any) ([]Lead, error) {
	rows, err := q.Query(ctx, columns+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Lead
	for rows.Next() {
		l, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, rows.Err()
}

func scan(row interface{ Scan(...any) error }) (l Lead, err error) {
	var outlet, peer, from, to, found, changed int64
	var vanished, said sql.NullInt64
	var figures, spans string
	if err := row.Scan(&l.ID, &l.Detector, &l.Version, &l.Hash, &outlet, &l.Month, &l.Factor, &l.Other, &peer, &from, &to, &l.Score, &figures, &spans, &found, &changed, &vanished, &l.State, &said, &l.Case, &l.CaseNo); err != nil {
		return l, err
	}
	l.Outlet, l.Peer = telemetry.OutletID(outlet), telemetry.OutletID(peer)
	l.From, l.To = from/1_000_000, to/1_000_000
	l.Found, l.Changed, l.Vanished, l.StateAt = db.Time(found), db.Time(changed), db.TimeOrZero(vanished), db.TimeOrZero(said)
	l.Rank = l.Score
	if err := json.Unmarshal([]byte(figures), &l.Figures); err != nil {
		return l, err
	}
	return l, json.Unmarshal([]byte(spans), &l.Spans)
}

// Filter chooses leads; the zero value is all that are open.
type Filter struct {
	Outlets  func(o *telemetry.Outlet) bool // those that who asks may see; nil = all
	Outlet   telemetry.OutletID             // 0 = all
	Area     string                         // with all below; "" = all
	Detector string                         // "" = all
	State    string                         // open (or ""), new, looking, helpful, unhelpful, quiet, vanished, all
}

// ListStates are the states that a list may be narrowed to, the first by default.
var ListStates = []string{"open", "new", Looking, Helpful, Unhelpful, "quiet", "vanished", "all"}

// List returns leads in the order of their rank, the strongest evidence first.
func (s *Service) List(ctx context.Context, f Filter) ([]Lead, error) {
	all, err := query(ctx, s.o.DB, `WHERE (CAST($1 AS TEXT) = '' OR detector = $1) AND (CAST($2 AS BIGINT) = 0 OR outlet = $2)`, f.Detector, int64(f.Outlet))
	if err != nil {
		return nil, err
	}
	quiets, err := s.Quiets(ctx)
	if err != nil {
		return nil, err
	}
	weights, err := s.weights(ctx)
	if err != nil {
		return nil, err
	}
	snap, now := s.o.Registry.Snapshot(), s.o.Now()
	drop := s.book.common(dateOf(now.Unix())).Drop
	out := all[:0]
	for _, l := range all {
		o := snap.Outlets[l.Outlet]
		if o == nil || f.Outlets != nil && !f.Outlets(o) || f.Area != "" && !snap.Within(o.Area, f.Area) {
			continue
		}
		s.weigh(&l, o, quiets, weights, drop, snap, now)
		if l.in(f.State) {
			out = append(out, l)
		}
	}
	slices.SortFunc(out, func(a, b Lead) int {
		return cmp.Or(cmp.Compare(b.Rank, a.Rank), cmp.Compare(b.To, a.To), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

func (l *Lead) in(state string) bool {
	switch state {
	case "all":
		return true
	case "vanished":
		return !l.Vanished.IsZero()
	case "quiet":
		return l.Vanished.IsZero() && l.Quiet != nil
	}
	if !l.Vanished.IsZero() || l.Quiet != nil {
		return false
	}
	switch state {
	case "", "open":
		return l.State != Unhelpful
	case "new":
		return l.State == Fresh
	}
	return l.State == state
}

type weightKey struct {
	detector string
	outlet   telemetry.OutletID
}

// weights are how many leads of a detector at an outlet were not helpful, less those
// that were.
func (s *Service) weights(ctx context.Context) (map[weightKey]int, error) {
	rows, err := s.o.DB.Query(ctx, `SELECT detector, outlet, state, count(*) FROM leads WHERE state IN ('helpful', 'unhelpful') GROUP BY detector, outlet, state`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[weightKey]int{}
	for rows.Next() {
		var k weightKey
		var outlet int64
		var state string
		var n int
		if err := rows.Scan(&k.detector, &outlet, &state, &n); err != nil {
			return nil, err
		}
		k.outlet = telemetry.OutletID(outlet)
		if state == Helpful {
			n = -n
		}
		out[k] += n
	}
	return out, rows.Err()
}

func (s *Service) weigh(l *Lead, o *telemetry.Outlet, quiets []Quiet, weights map[weightKey]int, drop float64, areas access.Areas, now time.Time) {
	l.Rank = l.Score / (1 + drop*float64(max(0, weights[weightKey{l.Detector, l.Outlet}])))
	for i := range quiets {
		if q := &quiets[i]; q.Active(now) && q.covers(l, o.Area, areas) {
			l.Quiet = q
			return
		}
	}
}

// Get returns a lead with what was said of it, the newest last; errs.NotFound.
func (s *Service) Get(ctx context.Context, id string) (Lead, []Note, error) {
	l, err := scan(s.o.DB.QueryRow(ctx, columns+`WHERE id = $1`, id))
	if err != nil {
		return l, nil, db.NotFound(err)
	}
	quiets, err := s.Quiets(ctx)
	if err != nil {
		return l, nil, err
	}
	weights, err := s.weights(ctx)
	if err != nil {
		return l, nil, err
	}
	snap, now := s.o.Registry.Snapshot(), s.o.Now()
	if o := snap.Outlets[l.Outlet]; o != nil {
		s.weigh(&l, o, quiets, weights, s.book.common(dateOf(now.Unix())).Drop, snap, now)
	}
	rows, err := s.o.DB.Query(ctx, `SELECT at, by_id, by_post, action, reason, note FROM lead_log WHERE lead = $1 ORDER BY id`, id)
	if err != nil {
		return l, nil, err
	}
	defer rows.Close()
	var notes []Note
	for rows.Next() {
		var n Note
		var at int64
		var post string
		if err := rows.Scan(&at, &n.ByID, &post, &n.Action, &n.Reason, &n.Text); err != nil {
			return l, nil, err
		}
		n.At = db.Time(at)
		if err := json.Unmarshal([]byte(post), &n.Post); err != nil {
			return l, nil, err
		}
		notes = append(notes, n)
	}
	return l, notes, rows.Err()
}

// Counts are how many leads of a detector there are, and what was said of them.
type Counts struct{ Found, Vanished, Looking, Helpful, Unhelpful, Cases int }

// Counts tells it by detector, of all outlets that see lets through.
func (s *Service) Counts(ctx context.Context, see func(o *telemetry.Outlet) bool) (map[string]Counts, error) {
	rows, err := s.o.DB.Query(ctx, `SELECT detector, outlet, state, case_id <> '', vanished_at IS NOT NULL FROM leads`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	snap, out := s.o.Registry.Snapshot(), map[string]Counts{}
	for rows.Next() {
		var detector, state string
		var outlet int64
		var hasCase, vanished bool
		if err := rows.Scan(&detector, &outlet, &state, &hasCase, &vanished); err != nil {
			return nil, err
		}
		o := snap.Outlets[telemetry.OutletID(outlet)]
		if o == nil || !see(o) {
			continue
		}
		c := out[detector]
		c.Found++
		for _, x := range []struct {
			is bool
			n  *int
		}{{vanished, &c.Vanished}, {state == Looking, &c.Looking}, {state == Helpful, &c.Helpful}, {state == Unhelpful, &c.Unhelpful}, {hasCase, &c.Cases}} {
			if x.is {
				*x.n++
			}
		}
		out[detector] = c
	}
	return out, rows.Err()
}

// maxNote is the longest note, in characters.
const maxNote = 1000

// Say notes what somebody makes of a lead: looking, helpful, unhelpful. A lead that
// is not helpful needs a reason, and a text where the reason is "other". Errors:
// errs.NotFound, errs.Invalid about "say", "reason" or "note", errs.Conflict when
// that was said already.
func (s *Service) Say(ctx context.Context, id, say, reason, note string, by auth.Principal) error {
	note = strings.TrimSpace(note)
	if say != Unhelpful {
		reason = ""
	}
	var c errs.Checks
	c.Require(say == Looking || say == Helpful || say == Unhelpful, "say", "lead.err.say")
	c.Require(say != Unhelpful || slices.Contains(Reasons, reason), "reason", "lead.err.reason")
	c.Require(reason != "other" || note != "", "note", "lead.err.note")
	c.Require(utf8.RuneCountInString(note) <= maxNote, "note", "err.field.long", "max", maxNote)
	if err := c.Err(); err != nil {
		return err
	}
	return s.act(ctx, id, say, reason, note, by, func(l *Lead) error {
		if l.State == say && note == "" {
			return errs.New(errs.Conflict, "lead.err.said")
		}
		l.State = say
		return nil
	})
}

// Opened notes the case that somebody opened from a lead.
func (s *Service) Opened(ctx context.Context, id, caseID, number string, by auth.Principal) error {
	return s.act(ctx, id, "case", "", number, by, func(l *Lead) error {
		l.Case, l.CaseNo = caseID, number
		if l.State == Fresh {
			l.State = Looking
		}
		return nil
	})
}

func (s *Service) act(ctx context.Context, id, action, reason, note string, by auth.Principal, change func(l *Lead) error) error {
	s.writing.Lock() // a look meanwhile must not lose it
	defer s.writing.Unlock()
	post, err := json.Marshal(by.Post)
	if err != nil {
		return err
	}
	return s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		l, err := scan(tx.QueryRow(ctx, columns+`WHERE id = $1`, id))
		if err != nil {
			return db.NotFound(err)
		}
		at := s.o.Now().UTC()
		if err := change(&l); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE leads SET state = $2, state_at = $3, case_id = $4, case_no = $5 WHERE id = $1`, id, l.State, db.Micros(at), l.Case, l.CaseNo); err != nil {
			return err
		}
		if err := tx.Insert(ctx, "lead_log", []string{"id", "lead", "at", "by_id", "by_post", "action", "reason", "note"},
			[][]any{{uuid.Must(uuid.NewV7()).String(), id, db.Micros(at), by.ID, string(post), action, reason, note}}); err != nil {
			return err
		}
		entry := by.Entry(at, "telemetry", "lead."+action, "lead", id)
		if reason != "" || note != "" {
			detail, err := json.Marshal(map[string]string{"reason": reason, "note": note})
			if err != nil {
				return err
			}
			entry.Detail = string(detail)
		}
		return audit.Append(ctx, tx, entry)
	})
}

// maxQuiet is the longest time for which leads may be left out at once.
const maxQuiet = 366 * 24 * time.Hour

// Quieten leaves leads out of the list until an instant. Errors: errs.Invalid about
// "quiet_reason", "until" or "detector".
func (s *Service) Quieten(ctx context.Context, q Quiet, by auth.Principal) error {
	now := s.o.Now().UTC()
	q.Reason = strings.TrimSpace(q.Reason)
	var c errs.Checks
	c.Require(q.Reason != "", "quiet_reason", "err.field.required")
	c.Require(utf8.RuneCountInString(q.Reason) <= maxNote, "quiet_reason", "err.field.long", "max", maxNote)
	c.Require(q.Until.After(now) && q.Until.Sub(now) <= maxQuiet, "until", "lead.err.until")
	c.Require(q.Detector == "" || ByID(q.Detector) != nil, "detector", "lead.err.detector")
	if err := c.Err(); err != nil {
		return err
	}
	post, err := json.Marshal(by.Post)
	if err != nil {
		return err
	}
	q.ID = uuid.Must(uuid.NewV7()).String()
	return s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		if err := tx.Insert(ctx, "lead_quiets", []string{"id", "detector", "outlet", "area", "reason", "from_at", "until_at", "by_id", "by_post"},
			[][]any{{q.ID, q.Detector, int64(q.Outlet), q.Area, q.Reason, db.Micros(now), db.Micros(q.Until), by.ID, string(post)}}); err != nil {
			return err
		}
		return audit.Append(ctx, tx, by.Entry(now, "telemetry", "lead.quiet", "lead_quiet", q.ID))
	})
}

// Quiets lists what leaves or left leads out, the newest first.
func (s *Service) Quiets(ctx context.Context) ([]Quiet, error) {
	rows, err := s.o.DB.Query(ctx, `SELECT id, detector, outlet, area, reason, from_at, until_at, ended_at, by_id, by_post FROM lead_quiets ORDER BY id DESC`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Quiet
	for rows.Next() {
		var q Quiet
		var outlet, from, until int64
		var ended sql.NullInt64
		var post string
		if err := rows.Scan(&q.ID, &q.Detector, &outlet, &q.Area, &q.Reason, &from, &until, &ended, &q.ByID, &post); err != nil {
			return nil, err
		}
		q.Outlet = telemetry.OutletID(outlet)
		q.From, q.Until, q.Ended = db.Time(from), db.Time(until), db.TimeOrZero(ended)
		if err := json.Unmarshal([]byte(post), &q.Post); err != nil {
			return nil, err
		}
		out = append(out, q)
	}
	return out, rows.Err()
}

// Unquieten ends what left leads out. Errors: errs.NotFound, errs.Conflict when it has
// ended.
func (s *Service) Unquieten(ctx context.Context, id string, by auth.Principal) error {
	return s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		now := s.o.Now().UTC()
		var until int64
		var ended sql.NullInt64
		if err := tx.QueryRow(ctx, `SELECT until_at, ended_at FROM lead_quiets WHERE id = $1`, id).Scan(&until, &ended); err != nil {
			return db.NotFound(err)
		}
		if ended.Valid || !now.Before(db.Time(until)) {
			return errs.New(errs.Conflict, "lead.err.over")
		}
		if _, err := tx.Exec(ctx, `UPDATE lead_quiets SET ended_at = $2 WHERE id = $1`, id, db.Micros(now)); err != nil {
			return err
		}
		return audit.Append(ctx, tx, by.Entry(now, "telemetry", "lead.unquiet", "lead_quiet", id))
	})
}

// Looked is when a month of an outlet was looked at last and up to which instant its
// days were in it; false when it never was.
func (s *Service) Looked(ctx context.Context, outlet telemetry.OutletID, month string) (at, until time.Time, ok bool, err error) {
	var a, u int64
	err = db.NotFound(s.o.DB.QueryRow(ctx, `SELECT looked_at, until_at FROM lead_looks WHERE outlet = $1 AND month = $2`, int64(outlet), month).Scan(&a, &u))
	if errs.Is(err, errs.NotFound) {
		return at, until, false, nil
	}
	return db.Time(a), db.Time(u), err == nil, err
}

// Progress tells how many outlets were looked at and when the last one was.
func (s *Service) Progress(ctx context.Context) (outlets int, last time.Time, err error) {
	var at int64
	err = s.o.DB.QueryRow(ctx, `SELECT count(DISTINCT outlet), coalesce(max(looked_at), 0) FROM lead_looks`).Scan(&outlets, &at)
	return outlets, db.Time(at), err
}

// CaseKind is the type of the cases that people open from leads, and the kind of
// their subject is "lead".
const CaseKind = "lead_check"
