package audit

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
)

// Filter says which entries are wanted; zero values choose nothing.
type Filter struct {
	From, To time.Time // To is exclusive
	Who      string
	Act      string // with a dot at its end all that begin so: "registry."
	Kind     string
	Ref      string
	System   string
	Subject  string // whose data was looked at or changed
	Others   bool   // with a Subject: what others than they themselves did
	Before   Cursor // entries behind this one in the list
	Most     int    // at the most; 0 = all
}

// Cursor is the place of an entry in a list: pages that go on from one do not
// shift when entries are added. The zero value is the beginning.
type Cursor struct {
	At    time.Time
	Chain string
	Seq   int64
}

// Cursor is the place of e.
func (e *Entry) Cursor() Cursor { return Cursor{e.At, e.Chain, e.Seq} }

// String is the cursor as an address holds it; ParseCursor reads it.
func (c Cursor) String() string { return fmt.Sprintf("%d.%s.%d", db.Micros(c.At), c.Chain, c.Seq) }

// ParseCursor reads a cursor; false when it is none.
func ParseCursor(s string) (c Cursor, ok bool) {
	at, rest, _ := strings.Cut(s, ".")
	chain, seq, _ := strings.Cut(rest, ".")
	micros, err1 := strconv.ParseInt(at, 10, 64)
	n, err2 := strconv.ParseInt(seq, 10, 64)
	return Cursor{db.Time(micros), chain, n}, err1 == nil && err2 == nil && micros > 0
}

const columns = `e.chain, e.seq, e.at, e.who, e.post, e.on_behalf_of, e.system, e.act, e.kind, e.ref, e.subjects, e.commitment, e.hash, d.salt, d.address, d.address_salt, d.address_sum, d.detail`

const from = ` FROM audit_entries e LEFT JOIN audit_details d ON d.chain = e.chain AND d.seq = e.seq`

// row is an entry with what its hash was made of.
type row struct {
	Entry
	commitment, salt        string
	addressSalt, addressSum string
}

// holds reports whether address and detail are those that the entry was bound to,
// as far as they are there.
func (r *row) holds() bool {
	if r.addressSum == "" {
		return commitFirst(r.salt, r.Address, r.Detail) == r.commitment
	}
	there := r.AddressErased && r.Address == "" || digest(r.addressSalt, r.Address) == r.addressSum
	return there && commitTo(r.addressSum, r.salt, r.Detail) == r.commitment
}

func scan(rows *sql.Rows) (r row, err error) {
	var at int64
	var subjects string
	var salt, address, addressSalt, addressSum, detail sql.NullString
	if err := rows.Scan(&r.Chain, &r.Seq, &at, &r.Who, &r.Post, &r.OnBehalfOf, &r.System, &r.Act, &r.Kind, &r.Ref, &subjects, &r.commitment, &r.Hash, &salt, &address, &addressSalt, &addressSum, &detail); err != nil {
		return r, err
	}
	r.At, r.Erased = db.Time(at), !salt.Valid
	r.salt, r.Address, r.Detail = salt.String, address.String, detail.String
	r.addressSalt, r.addressSum = addressSalt.String, addressSum.String
	r.AddressErased = r.addressSum != "" && r.addressSalt == ""
	if err := json.Unmarshal([]byte(subjects), &r.Subjects); err != nil {
		return r, fmt.Errorf("subjects of audit entry %s/%d: %w", r.Chain, r.Seq, err)
	}
	return r, nil
}

// List calls fn with the entries of a filter, newest first, until it returns false.
func List(ctx context.Context, q db.Querier, f Filter, fn func(e *Entry) bool) error {
	act, prefix := f.Act, ""
	if strings.HasSuffix(act, ".") {
		act, prefix = "", act
	}
	query := `SELECT ` + columns + from
	if f.Subject != "" {
		query += ` JOIN audit_subjects s ON s.chain = e.chain AND s.seq = e.seq AND s.subject = $9`
	}
	query += ` WHERE (CAST($1 AS BIGINT) = 0 OR e.at >= CAST($1 AS BIGINT)) AND (CAST($2 AS BIGINT) = 0 OR e.at < CAST($2 AS BIGINT)) AND ($3 = '' OR e.who = $3) AND ($4 = '' OR e.act = $4)
		AND substr(e.act, 1, length(CAST($5 AS TEXT))) = CAST($5 AS TEXT) AND ($6 = '' OR e.kind = $6) AND ($7 = '' OR e.ref = $7) AND ($8 = '' OR e.system = $8)`
	args := []any{db.Micros(f.From), db.Micros(f.To), f.Who, act, prefix, f.Kind, f.Ref, f.System}
	if f.Subject != "" {
		args = append(args, f.Subject)
	}
	if f.Others && f.Subject != "" {
		query += ` AND e.who <> $9`
	}
	if f.Before != (Cursor{}) {
		n := len(args)
		query += fmt.Sprintf(` AND (e.at, e.chain, e.seq) < ($%d, $%d, $%d)`, n+1, n+2, n+3)
		args = append(args, db.Micros(f.Before.At), f.Before.Chain, f.Before.Seq)
	}
	query += ` ORDER BY e.at DESC, e.chain DESC, e.seq DESC`
	if f.Most > 0 {
		query += ` LIMIT ` + strconv.Itoa(f.Most)
	}
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("list audit entries: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return err
		}
		if !fn(&r.Entry) {
			return nil
		}
	}
	return rows.Err()
}

// Find returns one entry; errs.NotFound when there is none.
func Find(ctx context.Context, q db.Querier, chain string, seq int64) (Entry, error) {
	rows, err := q.Query(ctx, `SELECT `+columns+from+` WHERE e.chain = $1 AND e.seq = $2`, chain, seq)
	if err != nil {
		return Entry{}, fmt.Errorf("find audit entry: %w", err)
	}
	defer rows.Close()
	if rows.Next() {
		r, err := scan(rows)
		return r.Entry, err
	}
	return Entry{}, errors.Join(rows.Err(), errs.New(errs.NotFound, "err.not_found"))
}

// Chain is the entries of one process as they were found.
type Chain struct {
	ID      string
	Began   time.Time
	Entries int64
	Head    string // hash of the last one
}

// Report is the outcome of Verify.
type Report struct {
	Chains []Chain
	Erased int64    // entries whose address and detail were dropped, as an entry says
	Faults []string // what does not hold, with its place
}

// OK reports whether nothing was found.
func (r *Report) OK() bool { return len(r.Faults) == 0 }

// most is how many faults are told.
const most = 20

// Verify computes every hash anew, in one transaction: entries that were changed,
// left out, put in, or cut off before the head, addresses and details that are
// not those committed to, or that are gone without an entry saying so. A chain
// whose end was cut off together with its head is found only by who has noted the
// head elsewhere.
func Verify(ctx context.Context, d *db.DB) (r Report, err error) {
	err = d.View(ctx, func(tx *db.Tx) error { return verify(ctx, tx, &r) })
	return r, err
}

func verify(ctx context.Context, tx *db.Tx, r *Report) error {
	fault := func(format string, args ...any) {
		if len(r.Faults) < most {
			r.Faults = append(r.Faults, fmt.Sprintf(format, args...))
		}
	}
	ends, order, err := heads(ctx, tx)
	if err != nil {
		return err
	}
	subjects, err := subjectsOf(ctx, tx)
	if err != nil {
		return err
	}
	rows, err := tx.Query(ctx, `SELECT `+columns+from+` ORDER BY e.chain, e.seq`)
	if err != nil {
		return err
	}
	defer rows.Close()
	var chain, before string
	var seq int64
	gone, lost := map[string]bool{}, map[string]bool{} // all; the address alone
	told, expired := map[string]bool{}, ranges{}
	for rows.Next() {
		e, err := scan(rows)
		if err != nil {
			return err
		}
		if e.Chain != chain {
			chain, before, seq = e.Chain, "", 0
			if ends[chain] == nil {
				fault("chain %s: it has no head", chain)
				ends[chain] = &end{Chain: Chain{ID: chain}, seq: -1}
				order = append(order, chain)
			}
		}
		place := fmt.Sprintf("%s/%d", e.Chain, e.Seq)
		if seq++; e.Seq != seq {
			fault("chain %s: entry %d is missing", chain, seq)
			seq = e.Seq
		}
		if e.chained(before, e.commitment) != e.Hash {
			fault("entry %s: it, or the one before, is not as it was written", place)
		}
		if !slices.Equal(subjects[place], e.Subjects) {
			fault("entry %s: it is found under other subjects than its own", place)
		}
		switch {
		case e.Erased:
			gone[place] = true
		case !e.holds():
			fault("entry %s: its address or detail is not as it was written", place)
		}
		if e.AddressErased {
			lost[place] = true
		}
		switch e.Act {
		case ActErase:
			told[e.Ref] = true
		case ActExpire:
			expired.add(e.Ref)
		}
		before = e.Hash
		ends[chain].Entries++
		if c := ends[chain]; e.Seq == c.seq && e.Hash != c.Head {
			fault("chain %s: its head is not the hash of its last entry", chain)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for place := range lost {
		if !told[place] && !expired.hold(place) {
			fault("entry %s: its address is gone, and no entry says that its time was over", place)
		}
	}
	for place := range gone {
		if !told[place] && !expired.hold(place) {
			fault("entry %s: its address and detail are gone, and no entry says who erased them", place)
		}
	}
	r.Erased = int64(len(gone))
	for _, id := range order {
		c := ends[id]
		if c.seq >= 0 && c.Entries < c.seq {
			fault("chain %s: %d entries of %d are there", id, c.Entries, c.seq)
		} else if c.seq >= 0 && c.Entries > c.seq {
			fault("chain %s: %d entries, its head knows %d", id, c.Entries, c.seq)
		}
		r.Chains = append(r.Chains, c.Chain)
	}
	return nil
}

// end is a chain as its head tells.
type end struct {
	Chain
	seq int64 // of the last entry; -1 = there is no head
}

// heads reads the ends of all chains, and their ids in the order they began.
func heads(ctx context.Context, tx *db.Tx) (map[string]*end, []string, error) {
	rows, err := tx.Query(ctx, `SELECT id, began_at, seq, head FROM audit_chains ORDER BY began_at, id`)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	ends, order := map[string]*end{}, []string(nil)
	for rows.Next() {
		var e end
		var began int64
		if err := rows.Scan(&e.ID, &began, &e.seq, &e.Head); err != nil {
			return nil, nil, err
		}
		e.Began = db.Time(began)
		ends[e.ID], order = &e, append(order, e.ID)
	}
	return ends, order, rows.Err()
}

// subjectsOf is what entries are found by in the name of a subject, by CHAIN/SEQ.
func subjectsOf(ctx context.Context, tx *db.Tx) (map[string][]string, error) {
	rows, err := tx.Query(ctx, `SELECT chain, seq, subject FROM audit_subjects`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string][]string{}
	for rows.Next() {
		var chain, subject string
		var seq int64
		if err := rows.Scan(&chain, &seq, &subject); err != nil {
			return nil, err
		}
		place := fmt.Sprintf("%s/%d", chain, seq)
		out[place] = append(out[place], subject)
	}
	for _, s := range out {
		slices.Sort(s)
	}
	return out, rows.Err()
}

// ActErase is the act of an entry that says another one's address and detail were
// erased; its Ref is CHAIN/SEQ.
const ActErase = "audit.erase"

// Erase drops address and detail of an entry and appends one that says so: by is
// filled with who, post and time; its detail becomes the reason.
func Erase(ctx context.Context, d *db.DB, chain string, seq int64, why string, by Entry) error {
	if strings.TrimSpace(why) == "" {
		return errs.InvalidField("why", "err.field.required")
	}
	said := map[string]string{"why": why}
	if shell := Shell(ctx); shell != "" {
		said["shell"] = shell
	}
	reason, err := json.Marshal(said)
	if err != nil {
		return err
	}
	by.System, by.Act, by.Kind, by.Ref, by.Detail = "platform", ActErase, "audit_entry", fmt.Sprintf("%s/%d", chain, seq), string(reason)
	return d.Tx(ctx, func(tx *db.Tx) error {
		res, err := tx.Exec(ctx, `DELETE FROM audit_details WHERE chain = $1 AND seq = $2`, chain, seq)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, errs.New(errs.NotFound, "err.not_found"))
		}
		return Append(ctx, tx, by)
	})
}
