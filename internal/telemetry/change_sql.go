package telemetry

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/google/uuid"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
)

// write puts the differences between the last and the staged registry into the
// database: what others refer to first, and removals in the opposite order.
func (c *change) write(ctx context.Context, tx *db.Tx) error {
	next := c.snapshot()
	for _, step := range []func(context.Context, *db.Tx) error{
		c.writeAreas, c.writeEnterprises, c.writeOutlets, c.writeDevices, c.removeOutlets, c.removeEnterprises,
	} {
		if err := step(ctx, tx); err != nil {
			return err
		}
	}
	if next.lastOutlet != c.last.lastOutlet {
		// Two programs on one database must not give the same number twice.
		res, err := tx.Exec(ctx, `UPDATE counters SET value = $1 WHERE name = 'outlet' AND value = $2`, next.lastOutlet, c.last.lastOutlet)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n != 1 {
			return cmp.Or(err, error(errs.New(errs.Busy, "err.busy")))
		}
	}
	rows := make([][]any, 0, len(c.log))
	for _, e := range c.log {
		rows = append(rows, []any{e.ID, db.Micros(e.At), e.By, e.Post, e.Action, e.Kind, e.Ref, nullText(e.Old), nullText(e.New)})
	}
	if err := tx.Insert(ctx, "registry_log", []string{"id", "at", "by_id", "by_post", "action", "kind", "ref", "old", "new"}, rows); err != nil {
		return err
	}
	if err := c.together(ctx, tx); err != nil {
		return err
	}
	return audit.Append(ctx, tx, c.entry())
}

// entry is the whole change as one act. Its detail counts the rows of the
// registry's log and holds their hash, so that the chain covers what they say.
func (c *change) entry() audit.Entry {
	first := c.log[0]
	act, kind, ref := first.Action, first.Kind, first.Ref
	h := sha256.New()
	for _, e := range c.log {
		if e.Action != act {
			act = "update"
		}
		if e.Kind != kind {
			kind, ref = "", ""
		}
		if e.Ref != ref {
			ref = ""
		}
		for _, text := range []string{e.ID, e.Action, e.Kind, e.Ref, e.Old, e.New} {
			fmt.Fprintf(h, "%d:%s", len(text), text)
		}
	}
	e := c.by.Entry(c.at, "telemetry", "registry."+act, kind, ref)
	e.Detail = fmt.Sprintf(`{"log":{"first":%q,"last":%q,"rows":%d,"sha256":"%x"}}`, first.ID, c.log[len(c.log)-1].ID, len(c.log), h.Sum(nil))
	return e
}

// together writes what belongs to the change and lies outside of the registry.
func (c *change) together(ctx context.Context, tx *db.Tx) error {
	if c.with == nil {
		return nil
	}
	return c.with(ctx, tx)
}

func nullText(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

func (c *change) writeEnterprises(ctx context.Context, tx *db.Tx) error {
	var fresh [][]any
	for _, id := range slices.Sorted(maps.Keys(c.enterprises)) {
		e := c.snapshot().Enterprises[id]
		if e == nil {
			continue
		}
		row := []any{e.ID, e.Name.Zh, e.Name.Bo, e.Name.En, e.Area, e.Permit, db.Bool(e.Sample)}
		if c.last.Enterprises[id] == nil {
			fresh = append(fresh, row)
			continue
		}
		if _, err := tx.Exec(ctx, `UPDATE enterprises SET name_zh = $2, name_bo = $3, name_en = $4, area = $5, permit = $6, sample = $7
			WHERE id = $1`, row...); err != nil {
			return err
		}
	}
	return tx.Insert(ctx, "enterprises", []string{"id", "name_zh", "name_bo", "name_en", "area", "permit", "sample"}, fresh)
}

func (c *change) removeEnterprises(ctx context.Context, tx *db.Tx) error {
	for _, id := range slices.Sorted(maps.Keys(c.enterprises)) {
		if c.snapshot().Enterprises[id] == nil {
			if _, err := tx.Exec(ctx, `DELETE FROM enterprises WHERE id = $1`, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// outletRows collects rows to insert, so that thousands of new outlets cost a
// few statements.
type outletRows struct{ outlets, factors, intervals, setups, stops, limits, marks, corrections [][]any }

func (c *change) writeOutlets(ctx context.Context, tx *db.Tx) error {
	var rows outletRows
	for _, id := range slices.Sorted(maps.Keys(c.outlets)) {
		o, old := c.snapshot().Outlets[id], c.last.Outlets[id]
		if o == nil {
			continue
		}
		if old == nil {
			rows.outlets = append(rows.outlets, outletRow(o))
			old = &Outlet{}
		} else if _, err := tx.Exec(ctx, `UPDATE outlets SET enterprise = $2, name_zh = $3, name_bo = $4, name_en = $5, medium = $6,
			source_type = $7, source_condition = $8, source_level = $9, area = $10, lon = $11, lat = $12, since = $13, sample = $14,
			missing_flag_is_n = $15 WHERE id = $1`, outletRow(o)...); err != nil {
			return err
		}
		if err := rows.parts(ctx, tx, old, o); err != nil {
			return err
		}
	}
	return rows.insert(ctx, tx)
}

func outletRow(o *Outlet) []any {
	return []any{
		o.ID, o.Enterprise, o.Name.Zh, o.Name.Bo, o.Name.En, string(o.Medium), o.SourceType, o.Condition, o.Level,
		o.Area, o.Lon, o.Lat, db.MicrosOrNull(o.Since), db.Bool(o.Sample), db.Bool(o.MissingFlagIsN),
	}
}

// parts replaces the lists of an outlet that differ.
func (r *outletRows) parts(ctx context.Context, tx *db.Tx, old, o *Outlet) error {
	// clear makes room for a list that is written anew.
	clear := func(had, has any, n int, query string) (bool, error) {
		if reflect.DeepEqual(had, has) {
			return false, nil
		}
		if n == 0 {
			return true, nil
		}
		_, err := tx.Exec(ctx, query, o.ID)
		return true, err
	}
	changed, err := clear(old.Factors, o.Factors, len(old.Factors), `DELETE FROM outlet_factors WHERE outlet = $1`)
	if err != nil {
		return err
	}
	for i := 0; changed && i < len(o.Factors); i++ {
		f := &o.Factors[i]
		r.factors = append(r.factors, []any{o.ID, f.Code, f.Unit, f.RangeLo, f.RangeHi, f.DetectionLimit, f.Order})
	}
	if changed, err = clear(old.Intervals, o.Intervals, len(old.Intervals), `DELETE FROM intervals WHERE outlet = $1`); err != nil {
		return err
	}
	for i := 0; changed && i < len(o.Intervals); i++ {
		iv := &o.Intervals[i]
		r.intervals = append(r.intervals, []any{o.ID, db.Micros(iv.From), iv.Realtime, iv.Minute})
	}
	if changed, err = clear(old.Setups, o.Setups, len(old.Setups), `DELETE FROM setups WHERE outlet = $1`); err != nil {
		return err
	}
	for i := 0; changed && i < len(o.Setups); i++ {
		s := &o.Setups[i]
		r.setups = append(r.setups, []any{o.ID, s.From, s.AreaM2, s.Kv, s.AmbientPa, strings.Join(s.Wet, " "), s.Profile})
	}
	if changed, err = clear(old.Stops, o.Stops, len(old.Stops), `DELETE FROM stops WHERE outlet = $1`); err != nil {
		return err
	}
	for i := 0; changed && i < len(o.Stops); i++ {
		s := &o.Stops[i]
		r.stops = append(r.stops, []any{o.ID, db.Micros(s.From), db.MicrosOrNull(s.To), s.Reason, s.By})
	}
	if changed, err = clear(old.Marks, o.Marks, len(old.Marks), `DELETE FROM outlet_marks WHERE outlet = $1`); err != nil {
		return err
	}
	for i := 0; changed && i < len(o.Marks); i++ {
		m := &o.Marks[i]
		r.marks = append(r.marks, []any{
			o.ID, m.Number, m.Rule, m.Version, m.Code, m.Group, m.Effect, m.Flag, m.Kind, m.Quota,
			strings.Join(m.Factors, " "), db.Micros(m.From), db.Micros(m.To),
		})
	}
	if changed, err = clear(old.Corrections, o.Corrections, len(old.Corrections), `DELETE FROM outlet_corrections WHERE outlet = $1`); err != nil {
		return err
	}
	for i := 0; changed && i < len(o.Corrections); i++ {
		k := &o.Corrections[i]
		r.corrections = append(r.corrections, []any{o.ID, k.Number, k.Factor, db.Micros(k.From), db.Micros(k.To), k.Value})
	}
	if changed, err = clear(old.Limits, o.Limits, len(old.Limits), `DELETE FROM limits WHERE outlet = $1`); err != nil {
		return err
	}
	for i := 0; changed && i < len(o.Limits); i++ {
		l := &o.Limits[i]
		r.limits = append(r.limits, []any{
			l.ID, o.ID, l.Standard, l.EffectiveFrom, l.EffectiveTo, l.Factor, l.Statistic, l.Op, l.Lo, l.Hi, l.Unit, l.RefO2, l.Note, l.Certainty,
		})
	}
	return nil
}

func (r *outletRows) insert(ctx context.Context, tx *db.Tx) error {
	for _, t := range []struct {
		table   string
		columns []string
		rows    [][]any
	}{
		{"outlets", []string{
			"id", "enterprise", "name_zh", "name_bo", "name_en", "medium", "source_type", "source_condition", "source_level",
			"area", "lon", "lat", "since", "sample", "missing_flag_is_n",
		}, r.outlets},
		{"outlet_factors", []string{"outlet", "code", "unit", "range_lo", "range_hi", "detection_limit", "position"}, r.factors},
		{"intervals", []string{"outlet", "from_at", "realtime", "minute"}, r.intervals},
		{"setups", []string{"outlet", "from_date", "area_m2", "kv", "ambient_pa", "wet", "profile"}, r.setups},
		{"stops", []string{"outlet", "from_at", "to_at", "reason", "by_id"}, r.stops},
		{"limits", []string{
			"id", "outlet", "standard", "effective_from", "effective_to", "factor", "statistic", "op", "lo", "hi", "unit", "ref_o2", "note", "certainty",
		}, r.limits},
		{"outlet_marks", []string{
			"outlet", "number", "rule", "rule_version", "code", "mark_group", "effect", "flag", "kind", "quota", "factors", "from_at", "to_at",
		}, r.marks},
		{"outlet_corrections", []string{"outlet", "number", "factor", "from_at", "to_at", "value"}, r.corrections},
	} {
		if err := tx.Insert(ctx, t.table, t.columns, t.rows); err != nil {
			return err
		}
	}
	return nil
}

func (c *change) removeOutlets(ctx context.Context, tx *db.Tx) error {
	for _, id := range slices.Sorted(maps.Keys(c.outlets)) {
		if c.snapshot().Outlets[id] == nil && c.last.Outlets[id] != nil {
			if _, err := tx.Exec(ctx, `DELETE FROM outlets WHERE id = $1`, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeDevices follows the periods step by step; runs of beginnings go in
// together.
func (c *change) writeDevices(ctx context.Context, tx *db.Tx) error {
	var starts [][]any
	flush := func() error {
		err := tx.Insert(ctx, "devices", []string{
			"id", "mn", "outlet", "password", "networks", "sm4_keys", "from_at", "to_at", "accept_bad_crc", "accept_bad_length", "adopted_by", "auto_adopted",
		}, starts)
		starts = nil
		return err
	}
	for i := range c.devices {
		op := &c.devices[i]
		d := &op.new
		if op.op == "start" {
			starts = append(starts, []any{
				uuid.Must(uuid.NewV7()).String(), d.MN, d.Outlet, d.Password, NetworksText(d.Networks), keysText(d),
				db.Micros(d.From), db.MicrosOrNull(d.To), db.Bool(d.AcceptBadCRC), db.Bool(d.AcceptBadLength), d.AdoptedBy, db.Bool(d.AutoAdopted),
			})
			continue
		}
		if err := flush(); err != nil {
			return err
		}
		if err := c.writeDevice(ctx, tx, op); err != nil {
			return err
		}
	}
	return flush()
}

func (c *change) writeDevice(ctx context.Context, tx *db.Tx, op *deviceOp) error {
	d := &op.new
	var err error
	switch op.op {
	case "end":
		_, err = tx.Exec(ctx, `UPDATE devices SET to_at = $2 WHERE mn = $1 AND to_at IS NULL`, d.MN, db.Micros(d.To))
	case "resume":
		_, err = tx.Exec(ctx, `UPDATE devices SET to_at = NULL WHERE mn = $1 AND outlet = $2 AND to_at = $3`, d.MN, d.Outlet, db.Micros(op.old.To))
	case "forget":
		_, err = tx.Exec(ctx, `DELETE FROM devices WHERE outlet = $1`, d.Outlet)
	default:
		_, err = tx.Exec(ctx, `UPDATE devices SET password = $2, networks = $3, sm4_keys = $4, accept_bad_crc = $5, accept_bad_length = $6,
			password_other = $7, password_since = $8 WHERE mn = $1 AND to_at IS NULL`,
			d.MN, d.Password, NetworksText(d.Networks), keysText(d), db.Bool(d.AcceptBadCRC), db.Bool(d.AcceptBadLength), d.PasswordOther, db.Micros(d.PasswordSince))
	}
	return err
}
