package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/db"
)

// ActExpire is the act of an entry that says that addresses were erased because
// their time was over; its Ref is CHAIN/FIRST-LAST.
const ActExpire = "audit.expire"

// Expire erases the addresses of entries before an instant, and appends an entry
// for each chain it touches, which by begins (who, post, time). It returns of how
// many. Details stay; where address and detail were bound as one, both go.
func Expire(ctx context.Context, d *db.DB, before time.Time, by Entry) (n int64, err error) {
	const which = `address <> '' AND EXISTS (SELECT 1 FROM audit_entries e WHERE e.chain = audit_details.chain AND e.seq = audit_details.seq AND e.at < $1)`
	err = d.Tx(ctx, func(tx *db.Tx) error {
		rows, err := tx.Query(ctx, `SELECT chain, min(seq), max(seq), count(*) FROM audit_details WHERE `+which+` GROUP BY chain ORDER BY chain`, db.Micros(before))
		if err != nil {
			return fmt.Errorf("find addresses whose time is over: %w", err)
		}
		defer rows.Close()
		var entries []Entry
		for rows.Next() {
			var chain string
			var first, last, count int64
			if err := rows.Scan(&chain, &first, &last, &count); err != nil {
				return err
			}
			detail, err := json.Marshal(map[string]any{"before": before.UTC(), "n": count})
			if err != nil {
				return err
			}
			e := by
			e.System, e.Act, e.Kind, e.Ref, e.Detail = "platform", ActExpire, "audit_entry", fmt.Sprintf("%s/%d-%d", chain, first, last), string(detail)
			entries, n = append(entries, e), n+count
		}
		if err := rows.Err(); err != nil || len(entries) == 0 {
			return err
		}
		rows.Close() // before the next statement
		for _, text := range []string{`DELETE FROM audit_details WHERE address_sum = '' AND `, `UPDATE audit_details SET address = '', address_salt = '' WHERE `} {
			if _, err := tx.Exec(ctx, text+which, db.Micros(before)); err != nil {
				return fmt.Errorf("erase addresses: %w", err)
			}
		}
		for _, e := range entries {
			if err := Append(ctx, tx, e); err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
}

// ranges are the parts of chains whose addresses were erased in time, by chain.
type ranges map[string][][2]int64

func (r ranges) add(ref string) {
	chain, part, _ := strings.Cut(ref, "/")
	from, to, _ := strings.Cut(part, "-")
	first, err1 := strconv.ParseInt(from, 10, 64)
	last, err2 := strconv.ParseInt(to, 10, 64)
	if err1 == nil && err2 == nil {
		r[chain] = append(r[chain], [2]int64{first, last})
	}
}

// hold reports whether an entry, CHAIN/SEQ, lies in one.
func (r ranges) hold(place string) bool {
	chain, n, _ := strings.Cut(place, "/")
	seq, err := strconv.ParseInt(n, 10, 64)
	if err != nil {
		return false
	}
	for _, x := range r[chain] {
		if x[0] <= seq && seq <= x[1] {
			return true
		}
	}
	return false
}
