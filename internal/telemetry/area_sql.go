package telemetry

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"strings"

	"plateau/internal/platform/db"
)

const areaColumns = `code, parent, level, name_zh, name_bo, name_en, effective_from, effective_to, replaces`

func (s *Snapshot) loadAreas(ctx context.Context, tx *db.Tx) error {
	for _, table := range []string{"area_past", "areas"} {
		if err := each(ctx, tx, `SELECT `+areaColumns+` FROM `+table, func(rows *sql.Rows) error {
			var a Area
			err := rows.Scan(&a.Code, &a.Parent, &a.Level, &a.Name.Zh, &a.Name.Bo, &a.Name.En, &a.From, &a.To, &a.Replaces)
			s.areas[a.Code] = append(s.areas[a.Code], a)
			return err
		}); err != nil {
			return err
		}
	}
	for _, list := range s.areas {
		slices.SortFunc(list, func(a, b Area) int { return strings.Compare(a.From, b.From) })
	}
	return nil
}

func areaRow(a *Area) []any {
	return []any{a.Code, a.Parent, a.Level, a.Name.Zh, a.Name.Bo, a.Name.En, a.From, a.To, a.Replaces}
}

// writeAreas puts the versions of areas that differ into the database: the last
// one of a code into areas, those before it into area_past.
func (c *change) writeAreas(ctx context.Context, tx *db.Tx) error {
	const set = `SET parent = excluded.parent, level = excluded.level, name_zh = excluded.name_zh, name_bo = excluded.name_bo,
		name_en = excluded.name_en, effective_to = excluded.effective_to, replaces = excluded.replaces`
	for _, code := range slices.Sorted(maps.Keys(c.areas)) {
		was, list := c.last.Versions(code), c.snapshot().areas[code]
		if len(list) == 0 {
			for _, table := range []string{"areas", "area_past"} {
				if _, err := tx.Exec(ctx, `DELETE FROM `+table+` WHERE code = $1`, code); err != nil {
					return err
				}
			}
			continue
		}
		for i := range list {
			a, table, key, more := &list[i], "area_past", "code, effective_from", ""
			if i == len(list)-1 {
				table, key, more = "areas", "code", ", effective_from = excluded.effective_from"
			} else if i < len(was)-1 && was[i] == *a {
				continue
			}
			if _, err := tx.Exec(ctx, `INSERT INTO `+table+` (`+areaColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
				ON CONFLICT (`+key+`) DO UPDATE `+set+more, areaRow(a)...); err != nil {
				return err
			}
		}
	}
	return nil
}
