package relay

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/telemetry"
)

// Refused is a frame that a target did not take.
type Refused struct {
	telemetry.Locator
	MN        string // ours
	Outlet    telemetry.OutletID
	CN        int
	At        int64 // DataTime, Unix seconds; 0 = none
	Received  time.Time
	Reason    string // qn_3 (QnRtn), exe_2 (ExeRtn), ReasonSilent, ReasonForm, ReasonSealed
	Tries     int    // times it was refused
	RefusedAt time.Time
	Again     bool // it is to be sent again
}

// HeldRefused is why a target holds itself: too many frames are refused.
const HeldRefused = "refused"

var columns = []string{
	"id", "name", "host", "port", "tls", "version", "ack", "st", "pw", "sm4_key", "areas", "enterprises", "outlets", "kinds", "from_at", "rate", "window_frames",
	"sample", "paused", "held", "edition", "created_at", "updated_at", "by_post",
}

func (s *Service) sealed(secret Secret, owner string) string {
	if secret == "" {
		return ""
	}
	return s.o.Sealer.Seal(string(secret), "relay: "+owner)
}

func (s *Service) opened(text, owner string) (Secret, error) {
	if text == "" {
		return "", nil
	}
	secret, err := s.o.Sealer.Open(text, "relay: "+owner)
	return Secret(secret), err
}

func (s *Service) row(t *Target) []any {
	var outlets, kinds []string
	for _, o := range t.Outlets {
		outlets = append(outlets, strconv.FormatUint(uint64(o), 10))
	}
	for _, k := range t.Kinds {
		kinds = append(kinds, strconv.Itoa(k))
	}
	return []any{
		t.ID, t.Name, t.Host, t.Port, db.Bool(t.TLS), t.Version, db.Bool(t.Ack), t.ST, s.sealed(t.PW, t.ID), s.sealed(t.Key, t.ID), strings.Join(t.Areas, " "), strings.Join(t.Enterprises, " "),
		strings.Join(outlets, " "), strings.Join(kinds, " "), db.Micros(t.From), int64(t.Rate*1000 + 0.5), t.Window,
		db.Bool(t.Sample), db.Bool(t.Paused), t.Held, t.Edition, db.Micros(t.Created), db.Micros(t.Updated), t.ByPost,
	}
}

func (s *Service) scan(row interface{ Scan(dst ...any) error }) (t Target, err error) {
	var pw, key, areas, enterprises, outlets, kinds string
	var from, rate, created, updated int64
	if err := row.Scan(&t.ID, &t.Name, &t.Host, &t.Port, &t.TLS, &t.Version, &t.Ack, &t.ST, &pw, &key, &areas, &enterprises, &outlets, &kinds, &from, &rate, &t.Window,
		&t.Sample, &t.Paused, &t.Held, &t.Edition, &created, &updated, &t.ByPost); err != nil {
		return t, err
	}
	if t.PW, err = s.opened(pw, t.ID); err != nil {
		return t, err
	}
	if t.Key, err = s.opened(key, t.ID); err != nil {
		return t, err
	}
	t.Areas, t.Enterprises = fields(areas), fields(enterprises)
	for _, o := range fields(outlets) {
		n, err := strconv.ParseUint(o, 10, 32)
		if err != nil {
			return t, fmt.Errorf("relay target %s: outlet %q", t.ID, o)
		}
		t.Outlets = append(t.Outlets, telemetry.OutletID(n))
	}
	for _, k := range fields(kinds) {
		n, err := strconv.Atoi(k)
		if err != nil {
			return t, fmt.Errorf("relay target %s: command %q", t.ID, k)
		}
		t.Kinds = append(t.Kinds, n)
	}
	t.Rate, t.From, t.Created, t.Updated = float64(rate)/1000, db.Time(from), db.Time(created), db.Time(updated)
	return t, nil
}

func fields(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Fields(s)
}

func (s *Service) list(ctx context.Context, q db.Querier, where string, args ...any) (out []Target, err error) {
	rows, err := q.Query(ctx, "SELECT "+strings.Join(columns, ", ")+" FROM relay_targets "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read relay targets: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		t, err := s.scan(rows)
		if err != nil {
			return nil, fmt.Errorf("read relay targets: %w", err)
		}
		out = append(out, t)
	}
	return out, rows.Err()
}

func (s *Service) get(ctx context.Context, q db.Querier, id string) (Target, error) {
	all, err := s.list(ctx, q, "WHERE id = $1", id)
	if err != nil {
		return Target{}, err
	}
	if len(all) == 0 {
		return Target{}, errs.New(errs.NotFound, "")
	}
	return all[0], nil
}

// List returns all targets, the oldest first.
func (s *Service) List(ctx context.Context) ([]Target, error) {
	return s.list(ctx, s.o.DB, "ORDER BY id")
}

// Get returns one; errs.NotFound when there is none.
func (s *Service) Get(ctx context.Context, id string) (Target, error) { return s.get(ctx, s.o.DB, id) }

func (s *Service) insert(ctx context.Context, tx *db.Tx, t *Target, p *progress) error {
	return tx.Insert(ctx, "relay_targets", append(slices.Clone(columns), "progress"), [][]any{append(s.row(t), p.text())})
}

// update writes what people set. Where other frames are chosen, those that wait
// are counted anew.
func (s *Service) update(ctx context.Context, tx *db.Tx, t *Target, recount bool) error {
	var set []string
	for i, c := range columns[1:] {
		set = append(set, c+" = $"+strconv.Itoa(i+2))
	}
	if _, err := tx.Exec(ctx, `UPDATE relay_targets SET `+strings.Join(set, ", ")+` WHERE id = $1`, s.row(t)...); err != nil {
		return err
	}
	if !recount {
		return nil
	}
	p, err := progressOf(ctx, tx, t.ID)
	if err != nil {
		return err
	}
	p.Counted, p.Behind = 0, 0
	_, err = tx.Exec(ctx, `UPDATE relay_targets SET progress = $2 WHERE id = $1`, t.ID, p.text())
	return err
}

func sameChoice(a, b *Target) bool {
	return slices.Equal(a.Areas, b.Areas) && slices.Equal(a.Enterprises, b.Enterprises) && slices.Equal(a.Outlets, b.Outlets) && slices.Equal(a.Kinds, b.Kinds)
}

func progressOf(ctx context.Context, q db.Querier, id string) (progress, error) {
	var text string
	if err := db.NotFound(q.QueryRow(ctx, `SELECT progress FROM relay_targets WHERE id = $1`, id).Scan(&text)); err != nil {
		return progress{}, err
	}
	p, err := readProgress(text)
	if err != nil {
		return p, fmt.Errorf("relay target %s: progress: %w", id, err)
	}
	return p, nil
}

// load reads all that a runner needs.
func (s *Service) load(ctx context.Context, id string) (t Target, names []Mapping, p progress, err error) {
	err = s.o.DB.View(ctx, func(tx *db.Tx) error {
		if t, err = s.get(ctx, tx, id); err != nil {
			return err
		}
		if names, err = s.mappings(ctx, tx, id); err != nil {
			return err
		}
		p, err = progressOf(ctx, tx, id)
		return err
	})
	return t, names, p, err
}

// Mappings lists in whose name the frames of a target's loggers go on.
func (s *Service) Mappings(ctx context.Context, id string) ([]Mapping, error) {
	return s.mappings(ctx, s.o.DB, id)
}

func (s *Service) mappings(ctx context.Context, q db.Querier, id string) (out []Mapping, err error) {
	rows, err := q.Query(ctx, `SELECT of, theirs, st, pw, sm4_key FROM relay_names WHERE target = $1 ORDER BY of`, id)
	if err != nil {
		return nil, fmt.Errorf("read names at a relay target: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var m Mapping
		var of, pw, key string
		if err := rows.Scan(&of, &m.Theirs, &m.ST, &pw, &key); err != nil {
			return nil, err
		}
		m.MN, m.Outlet = ParseOf(of)
		if m.PW, err = s.opened(pw, id+" "+of); err != nil {
			return nil, err
		}
		if m.Key, err = s.opened(key, id+" "+of); err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, rows.Err()
}

// ParseOf reads what Mapping.Of wrote, and what people enter: an MN, or # and the
// number of an outlet.
func ParseOf(text string) (mn string, outlet telemetry.OutletID) {
	if rest, ok := strings.CutPrefix(text, "#"); ok {
		if n, err := strconv.ParseUint(rest, 10, 32); err == nil {
			return "", telemetry.OutletID(n)
		}
	}
	return text, 0
}

const maxMappings = 20_000

func (s *Service) putMapping(ctx context.Context, tx *db.Tx, id string, m *Mapping) error {
	var n int
	if err := tx.QueryRow(ctx, `SELECT count(*) FROM relay_names WHERE target = $1 AND of <> $2`, id, m.Of()).Scan(&n); err != nil {
		return err
	}
	if n >= maxMappings {
		return errs.InvalidField("of", "relay.err.list", "most", maxMappings)
	}
	_, err := tx.Exec(ctx, `INSERT INTO relay_names (target, of, theirs, st, pw, sm4_key) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (target, of) DO UPDATE SET theirs = excluded.theirs, st = excluded.st,
pw = CASE WHEN excluded.pw = '' THEN relay_names.pw ELSE excluded.pw END, sm4_key = CASE WHEN excluded.sm4_key = '' THEN relay_names.sm4_key ELSE excluded.sm4_key END`,
		id, m.Of(), m.Theirs, m.ST, s.sealed(m.PW, id+" "+m.Of()), s.sealed(m.Key, id+" "+m.Of()))
	return err
}

// save writes how far a target came together with the frames it refused on the
// way: what is behind the progress is sent, or stands among the refused.
func (s *Service) save(ctx context.Context, t *Target, what *saved) error {
	return s.o.DB.Tx(ctx, func(tx *db.Tx) error {
		res, err := tx.Exec(ctx, `UPDATE relay_targets SET progress = $2 WHERE id = $1`, t.ID, what.progress.text())
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 { // the target is gone
			return err
		}
		for i := range what.refused {
			x := &what.refused[i]
			if _, err := tx.Exec(ctx, `INSERT INTO relay_refused (target, seq, idx, mn, outlet, cn, at, received, reason, tries, refused_at, again) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (target, seq, idx) DO UPDATE SET reason = excluded.reason, tries = excluded.tries, refused_at = excluded.refused_at, again = excluded.again`,
				t.ID, int64(x.Seq), int64(x.Index), x.MN, int64(x.Outlet), x.CN, x.At, db.Micros(x.Received), x.Reason, x.Tries, db.Micros(x.RefusedAt), db.Bool(x.Again)); err != nil {
				return err
			}
		}
		for _, l := range what.cleared {
			if _, err := tx.Exec(ctx, `DELETE FROM relay_refused WHERE target = $1 AND seq = $2 AND idx = $3`, t.ID, int64(l.Seq), int64(l.Index)); err != nil {
				return err
			}
		}
		for _, mn := range what.freed {
			if _, err := tx.Exec(ctx, `UPDATE relay_refused SET again = 1 WHERE target = $1 AND mn = $2 AND reason = $3`, t.ID, mn, ReasonSilent); err != nil {
				return err
			}
		}
		if len(what.refused) == 0 {
			return nil
		}
		kept, err := countRefused(ctx, tx, t.ID)
		if err != nil || kept <= s.o.MaxKept {
			return err
		}
		defer s.kick() // Run ends its work
		_, err = tx.Exec(ctx, `UPDATE relay_targets SET paused = 1, held = $2, edition = edition + 1 WHERE id = $1`, t.ID, HeldRefused)
		return err
	})
}

func countRefused(ctx context.Context, q db.Querier, id string) (n int, err error) {
	err = q.QueryRow(ctx, `SELECT count(*) FROM relay_refused WHERE target = $1`, id).Scan(&n)
	return n, err
}

const refusedColumns = `seq, idx, mn, outlet, cn, at, received, reason, tries, refused_at, again`

func refused(ctx context.Context, q db.Querier, where string, args ...any) (out []Refused, err error) {
	rows, err := q.Query(ctx, `SELECT `+refusedColumns+` FROM relay_refused `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read refused frames: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var x Refused
		var seq, idx, outlet, received, at int64
		if err := rows.Scan(&seq, &idx, &x.MN, &outlet, &x.CN, &x.At, &received, &x.Reason, &x.Tries, &at, &x.Again); err != nil {
			return nil, fmt.Errorf("read refused frames: %w", err)
		}
		x.Locator = telemetry.Locator{Seq: uint64(seq), Index: uint16(idx)}
		x.Outlet, x.Received, x.RefusedAt = telemetry.OutletID(outlet), db.Time(received), db.Time(at)
		out = append(out, x)
	}
	return out, rows.Err()
}

// Refused lists frames that a target did not take, the latest first, at most
// limit, and how many there are in all.
func (s *Service) Refused(ctx context.Context, id string, limit int) (list []Refused, n int, err error) {
	if n, err = countRefused(ctx, s.o.DB, id); err != nil || n == 0 {
		return nil, n, err
	}
	list, err = refused(ctx, s.o.DB, `WHERE target = $1 ORDER BY seq DESC, idx DESC LIMIT $2`, id, limit)
	return list, n, err
}

// loadAtOnce is how many frames are sent again at once.
const loadAtOnce = 1000

func (s *Service) waitingAgain(ctx context.Context, id string) ([]Refused, error) {
	return refused(ctx, s.o.DB, `WHERE target = $1 AND again = 1 ORDER BY seq, idx LIMIT $2`, id, loadAtOnce)
}
