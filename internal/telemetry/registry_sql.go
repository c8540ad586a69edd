package telemetry

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"plateau/internal/platform/db"
)

// loadSnapshot reads the whole registry in one reading transaction.
func loadSnapshot(ctx context.Context, d *db.DB, at time.Time) (*Snapshot, error) {
	s := &Snapshot{
		areas: map[string][]Area{}, Enterprises: map[string]*Enterprise{}, Outlets: map[OutletID]*Outlet{},
		Devices: map[string]*Device{}, serving: map[OutletID]*Device{},
	}
	err := d.View(ctx, func(tx *db.Tx) error {
		for _, load := range []func(context.Context, *db.Tx) error{
			s.loadAreas, s.loadEnterprises, s.loadOutlets, s.loadFactors, s.loadIntervals, s.loadSetups, s.loadStops, s.loadMarks, s.loadCorrections, s.loadLimits, s.loadDevices,
		} {
			if err := load(ctx, tx); err != nil {
				return err
			}
		}
		return tx.QueryRow(ctx, `SELECT value FROM counters WHERE name = 'outlet'`).Scan(&s.lastOutlet)
	})
	if err != nil {
		return nil, err
	}
	s.indexAreas(at)
	s.Order = slices.SortedFunc(maps.Keys(s.Outlets), func(a, b OutletID) int { return compareOutlets(s.Outlets[a], s.Outlets[b]) })
	return s, nil
}

// each runs fn for every row of a query.
func each(ctx context.Context, tx *db.Tx, query string, fn func(rows *sql.Rows) error) error {
	rows, err := tx.Query(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (s *Snapshot) loadEnterprises(ctx context.Context, tx *db.Tx) error {
	return each(ctx, tx, `SELECT id, name_zh, name_bo, name_en, area, permit, sample FROM enterprises`, func(rows *sql.Rows) error {
		var e Enterprise
		err := rows.Scan(&e.ID, &e.Name.Zh, &e.Name.Bo, &e.Name.En, &e.Area, &e.Permit, &e.Sample)
		s.Enterprises[e.ID] = &e
		return err
	})
}

func (s *Snapshot) loadOutlets(ctx context.Context, tx *db.Tx) error {
	return each(ctx, tx, `SELECT id, enterprise, name_zh, name_bo, name_en, medium, source_type, source_condition, source_level,
		area, lon, lat, since, sample, missing_flag_is_n FROM outlets`, func(rows *sql.Rows) error {
		var o Outlet
		var since sql.NullInt64
		err := rows.Scan(&o.ID, &o.Enterprise, &o.Name.Zh, &o.Name.Bo, &o.Name.En, (*string)(&o.Medium), &o.SourceType, &o.Condition, &o.Level,
			&o.Area, &o.Lon, &o.Lat, &since, &o.Sample, &o.MissingFlagIsN)
		o.Since = db.TimeOrZero(since)
		s.Outlets[o.ID] = &o
		return err
	})
}

// outlet returns the outlet that a row belongs to; the foreign keys guarantee it.
func (s *Snapshot) outlet(id OutletID) (*Outlet, error) {
	if o := s.Outlets[id]; o != nil {
		return o, nil
	}
	return nil, fmt.Errorf("outlet %d is missing", id)
}

func (s *Snapshot) loadFactors(ctx context.Context, tx *db.Tx) error {
	return each(ctx, tx, `SELECT outlet, code, unit, range_lo, range_hi, detection_limit, position
		FROM outlet_factors ORDER BY outlet, position, code`, func(rows *sql.Rows) error {
		var id OutletID
		var f OutletFactor
		if err := rows.Scan(&id, &f.Code, &f.Unit, &f.RangeLo, &f.RangeHi, &f.DetectionLimit, &f.Order); err != nil {
			return err
		}
		o, err := s.outlet(id)
		if err == nil {
			o.Factors = append(o.Factors, f)
		}
		return err
	})
}

func (s *Snapshot) loadIntervals(ctx context.Context, tx *db.Tx) error {
	return each(ctx, tx, `SELECT outlet, from_at, realtime, minute FROM intervals ORDER BY outlet, from_at`, func(rows *sql.Rows) error {
		var id OutletID
		var from int64
		var iv Interval
		if err := rows.Scan(&id, &from, &iv.Realtime, &iv.Minute); err != nil {
			return err
		}
		iv.From = db.Time(from)
		o, err := s.outlet(id)
		if err == nil {
			o.Intervals = append(o.Intervals, iv)
		}
		return err
	})
}

func (s *Snapshot) loadSetups(ctx context.Context, tx *db.Tx) error {
	return each(ctx, tx, `SELECT outlet, from_date, area_m2, kv, ambient_pa, wet, profile FROM setups ORDER BY outlet, from_date`, func(rows *sql.Rows) error {
		var id OutletID
		var st Setup
		var wet string
		if err := rows.Scan(&id, &st.From, &st.AreaM2, &st.Kv, &st.AmbientPa, &wet, &st.Profile); err != nil {
			return err
		}
		st.Wet = orNil(strings.Fields(wet))
		o, err := s.outlet(id)
		if err == nil {
			o.Setups = append(o.Setups, st)
		}
		return err
	})
}

func (s *Snapshot) loadStops(ctx context.Context, tx *db.Tx) error {
	return each(ctx, tx, `SELECT outlet, from_at, to_at, reason, by_id FROM stops ORDER BY outlet, from_at`, func(rows *sql.Rows) error {
		var id OutletID
		var from int64
		var to sql.NullInt64
		var st Stop
		if err := rows.Scan(&id, &from, &to, &st.Reason, &st.By); err != nil {
			return err
		}
		st.From, st.To = db.Time(from), db.TimeOrZero(to)
		o, err := s.outlet(id)
		if err == nil {
			o.Stops = append(o.Stops, st)
		}
		return err
	})
}

func (s *Snapshot) loadMarks(ctx context.Context, tx *db.Tx) error {
	err := each(ctx, tx, `SELECT outlet, number, rule, rule_version, code, mark_group, effect, flag, kind, quota, factors, from_at, to_at
		FROM outlet_marks ORDER BY outlet, from_at`, func(rows *sql.Rows) error {
		var id OutletID
		var factors string
		var from, to int64
		var m Mark
		if err := rows.Scan(&id, &m.Number, &m.Rule, &m.Version, &m.Code, &m.Group, &m.Effect, &m.Flag, &m.Kind, &m.Quota, &factors, &from, &to); err != nil {
			return err
		}
		m.Factors, m.From, m.To = orNil(strings.Fields(factors)), db.Time(from), db.Time(to)
		o, err := s.outlet(id)
		if err == nil {
			o.Marks = append(o.Marks, m)
		}
		return err
	})
	for _, o := range s.Outlets { // the databases order texts by rules of their own
		normaliseMarks(o)
	}
	return err
}

func (s *Snapshot) loadCorrections(ctx context.Context, tx *db.Tx) error {
	err := each(ctx, tx, `SELECT outlet, number, factor, from_at, to_at, value FROM outlet_corrections ORDER BY outlet, from_at`, func(rows *sql.Rows) error {
		var id OutletID
		var from, to int64
		var k Correction
		if err := rows.Scan(&id, &k.Number, &k.Factor, &from, &to, &k.Value); err != nil {
			return err
		}
		k.From, k.To = db.Time(from), db.Time(to)
		o, err := s.outlet(id)
		if err == nil {
			o.Corrections = append(o.Corrections, k)
		}
		return err
	})
	for _, o := range s.Outlets {
		normaliseMarks(o)
	}
	return err
}

func (s *Snapshot) loadLimits(ctx context.Context, tx *db.Tx) error {
	err := each(ctx, tx, `SELECT outlet, id, standard, effective_from, effective_to, factor, statistic, op, lo, hi, unit, ref_o2, note, certainty
		FROM limits`, func(rows *sql.Rows) error {
		var id OutletID
		var l Limit
		if err := rows.Scan(&id, &l.ID, &l.Standard, &l.EffectiveFrom, &l.EffectiveTo, &l.Factor, &l.Statistic, &l.Op, &l.Lo, &l.Hi,
			&l.Unit, &l.RefO2, &l.Note, &l.Certainty); err != nil {
			return err
		}
		o, err := s.outlet(id)
		if err == nil {
			o.Limits = append(o.Limits, l)
		}
		return err
	})
	// Sorted here: the databases order texts by rules of their own.
	for _, o := range s.Outlets {
		slices.SortFunc(o.Limits, func(a, b Limit) int { return strings.Compare(a.ID, b.ID) })
		slices.SortStableFunc(o.Factors, compareFactors)
	}
	return err
}

const deviceColumns = `mn, outlet, password, networks, sm4_keys, from_at, to_at, accept_bad_crc, accept_bad_length, adopted_by, auto_adopted,
	password_other, password_since`

func (s *Snapshot) loadDevices(ctx context.Context, tx *db.Tx) error {
	// Ordered by end, then by id (UUIDv7, so by time): the past reads as it happened.
	return each(ctx, tx, `SELECT `+deviceColumns+` FROM devices ORDER BY to_at NULLS LAST, id`, func(rows *sql.Rows) error {
		var d Device
		var networks, keys string
		var from, since int64
		var to sql.NullInt64
		if err := rows.Scan(&d.MN, &d.Outlet, &d.Password, &networks, &keys, &from, &to,
			&d.AcceptBadCRC, &d.AcceptBadLength, &d.AdoptedBy, &d.AutoAdopted, &d.PasswordOther, &since); err != nil {
			return err
		}
		d.From, d.To, d.PasswordSince = db.Time(from), db.TimeOrZero(to), db.Time(since)
		for f := range strings.FieldsSeq(networks) {
			p, err := netip.ParsePrefix(f)
			if err != nil {
				return fmt.Errorf("networks of %s: %w", d.MN, err)
			}
			d.Networks = append(d.Networks, p)
		}
		for f := range strings.FieldsSeq(keys) {
			k, err := hex.DecodeString(f)
			if err != nil {
				return fmt.Errorf("keys of %s: %w", d.MN, err)
			}
			d.Keys = append(d.Keys, k)
		}
		if to.Valid {
			s.Past = append(s.Past, d)
			return nil
		}
		s.Devices[d.MN] = &d
		s.serving[d.Outlet] = &d
		return nil
	})
}
