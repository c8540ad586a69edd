package db

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// Table is one table of a database as it stands. Sum does not depend on the
// order of the rows or on the dialect: two tables with the same sum and number of
// rows hold the same.
type Table struct {
	Name string
	Rows int64
	Sum  Sum
}

// Sum is the sum of the SHA-256 of all rows, modulo 2^256.
type Sum [4]uint64

// add takes one row in.
func (s *Sum) add(row [sha256.Size]byte) {
	var carry uint64
	for i := range s {
		s[i], carry = bits.Add64(s[i], binary.LittleEndian.Uint64(row[8*i:]), carry)
	}
}

// String returns the first 16 hexadecimal digits, enough to compare by eye.
func (s Sum) String() string { return fmt.Sprintf("%016x", s[3]) }

// Inventory is what a database holds.
type Inventory struct {
	Dialect Dialect
	Version int64   // of the schema; 0 = it has none
	Newest  int64   // version that this program brings it to
	Tables  []Table // of the schema; those that others refer to come first
}

// Pending is how many versions the schema lies behind this program; negative
// when a newer program has made it.
func (v *Inventory) Pending() int64 { return v.Newest - v.Version }

// Rows is the number of rows of all tables.
func (v *Inventory) Rows() (n int64) {
	for i := range v.Tables {
		n += v.Tables[i].Rows
	}
	return n
}

// Inspect reads the whole database at url in one transaction; nothing is made or
// migrated.
func Inspect(ctx context.Context, url string) (v Inventory, err error) {
	d, err := openPresent(ctx, url)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if v, err = d.versions(ctx); err != nil || v.Version == 0 {
		return v, err
	}
	err = d.View(ctx, func(tx *Tx) error {
		names, err := tables(ctx, tx)
		if err != nil {
			return err
		}
		for _, name := range names {
			t, err := inspect(ctx, tx, name, nil)
			if err != nil {
				return err
			}
			v.Tables = append(v.Tables, t)
		}
		return nil
	})
	return v, err
}

// openPresent opens a database that must be there, as it is.
func openPresent(ctx context.Context, url string) (*DB, error) {
	if !IsPostgres(url) {
		if _, err := os.Stat(url); err != nil {
			return nil, fmt.Errorf("there is no database: %w", err)
		}
	}
	d, err := open(url)
	if err != nil {
		return nil, err
	}
	if err := d.write.PingContext(ctx); err != nil {
		_ = d.Close()
		return nil, fmt.Errorf("open database %s: %w", Redact(url), err)
	}
	return d, nil
}

// OpenCurrent opens a database that is there and has this program's version;
// unlike Open it neither makes nor migrates one, so that a command changes nothing
// under a server of another version.
func OpenCurrent(ctx context.Context, url string) (*DB, error) {
	d, err := openPresent(ctx, url)
	if err != nil {
		return nil, err
	}
	v, err := d.versions(ctx)
	if err == nil && v.Pending() != 0 {
		err = fmt.Errorf("the tables have version %d, this program those of %d: take the program that made them, or run plateau db migrate", v.Version, v.Newest)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// versions tells dialect and versions.
func (d *DB) versions(ctx context.Context) (v Inventory, err error) {
	v.Dialect = d.Dialect
	p, err := d.provider()
	if err != nil {
		return v, err
	}
	list := p.ListSources()
	v.Newest = list[len(list)-1].Version
	there := `SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = 'goose_db_version'`
	if d.Dialect == SQLite {
		there = `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'goose_db_version'`
	}
	var n int
	if err := d.QueryRow(ctx, there).Scan(&n); err != nil {
		return v, fmt.Errorf("read the schema's version: %w", err)
	}
	if n > 0 { // the migrator's own look would make the table
		v.Version, err = p.GetDBVersion(ctx)
	}
	return v, err
}

// tables lists the tables of the schema, those that others refer to first.
func tables(ctx context.Context, tx *Tx) ([]string, error) {
	names, links := `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'`,
		`SELECT c.conrelid::regclass::text, c.confrelid::regclass::text FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace
		WHERE c.contype = 'f' AND n.nspname = current_schema()`
	if tx.Dialect == SQLite {
		names, links = `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`,
			`SELECT m.name, f."table" FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`
	}
	pairs := func(query string, columns int, fn func(a, b string)) error {
		rows, err := tx.Query(ctx, query)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var s [2]string
			if err := rows.Scan([]any{&s[0], &s[1]}[:columns]...); err != nil {
				return err
			}
			fn(s[0], s[1])
		}
		return rows.Err()
	}
	var all []string
	if err := pairs(names, 1, func(name, _ string) {
		if name != "goose_db_version" {
			all = append(all, name)
		}
	}); err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	slices.Sort(all)
	needs := map[string][]string{}
	if err := pairs(links, 2, func(child, parent string) {
		if child != parent {
			needs[child] = append(needs[child], parent)
		}
	}); err != nil {
		return nil, fmt.Errorf("list references between tables: %w", err)
	}
	var out []string
	seen := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		for _, n := range needs[name] {
			visit(n)
		}
		out = append(out, name)
	}
	for _, name := range all {
		visit(name)
	}
	return out, nil
}

// inspect reads a table; each is given its columns and rows, 512 at most at once.
func inspect(ctx context.Context, tx *Tx, name string, each func(columns []string, rows [][]any) error) (t Table, err error) {
	t.Name = name
	rows, err := tx.Query(ctx, `SELECT * FROM `+name)
	if err != nil {
		return t, fmt.Errorf("read table %s: %w", name, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return t, err
	}
	order := make([]int, len(columns)) // by name: a column that was added later stands elsewhere
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(columns[a], columns[b]) })
	var batch [][]any
	give := func() error {
		if each == nil || len(batch) == 0 {
			return nil
		}
		err := each(columns, batch)
		batch = nil
		return err
	}
	var buf []byte
	for rows.Next() {
		values, targets := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return t, fmt.Errorf("read table %s: %w", name, err)
		}
		buf = buf[:0]
		for _, i := range order {
			if buf, err = encode(buf, values[i]); err != nil {
				return t, fmt.Errorf("table %s, row that begins %v, column %s: %w", name, values[0], columns[i], err)
			}
		}
		t.Rows++
		t.Sum.add(sha256.Sum256(buf))
		if each != nil {
			if batch = append(batch, values); len(batch) == bulkSizes[0] {
				if err := give(); err != nil {
					return t, err
				}
			}
		}
	}
	if err := rows.Err(); err != nil {
		return t, fmt.Errorf("read table %s: %w", name, err)
	}
	return t, give()
}

// encode appends a value in a form that is the same from both databases. Texts
// that PostgreSQL refuses are refused here, where the place can be named.
func encode(b []byte, v any) ([]byte, error) {
	long := func(kind byte, s string) []byte {
		return append(binary.AppendUvarint(append(b, kind), uint64(len(s))), s...)
	}
	switch v := v.(type) {
	case nil:
		return append(b, 0), nil
	case int64:
		return binary.BigEndian.AppendUint64(append(b, 1), uint64(v)), nil
	case float64:
		return binary.BigEndian.AppendUint64(append(b, 2), math.Float64bits(v)), nil
	case string:
		if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
			return nil, errors.New("the text holds a zero byte or is not UTF-8, which PostgreSQL does not keep; correct it first")
		}
		return long(3, v), nil
	case []byte:
		return long(4, string(v)), nil
	}
	return nil, fmt.Errorf("a value of type %T is not expected", v)
}

// Copy moves what the SQLite file at from holds, as it is at one instant, into
// the PostgreSQL database at to, all of it or nothing: it is read back there and
// its sums are compared before the transaction ends. The file's schema must be
// up to date and the other database empty, but for what migrations put there.
// progress is told each table when it is done.
func Copy(ctx context.Context, from, to string, progress func(t Table)) (v Inventory, err error) {
	if IsPostgres(from) || !IsPostgres(to) {
		return v, errors.New("a copy goes from an SQLite file to PostgreSQL: give a URL that begins with postgres://")
	}
	source, err := openPresent(ctx, from)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	if v, err = source.versions(ctx); err != nil {
		return v, err
	}
	if v.Pending() != 0 {
		return v, fmt.Errorf("%s has tables of version %d, this program those of %d: run plateau db migrate first, or take the program that made it", from, v.Version, v.Newest)
	}
	fresh, err := asNew(ctx)
	if err != nil {
		return v, err
	}
	target, err := Open(ctx, to)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	v.Dialect = Postgres
	err = source.View(ctx, func(src *Tx) error {
		return target.Tx(ctx, func(dst *Tx) error {
			names, err := tables(ctx, src)
			if err != nil {
				return err
			}
			if err := unused(ctx, dst, fresh); err != nil {
				return err
			}
			for _, name := range names {
				t, err := move(ctx, src, dst, name)
				if err != nil {
					return err
				}
				v.Tables = append(v.Tables, t)
				progress(t)
			}
			return nil
		})
	})
	return v, err
}

// asNew is what a database holds that was only just migrated.
func asNew(ctx context.Context) (_ map[string]Table, err error) {
	dir, err := os.MkdirTemp("", "plateau-db-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "new.db")
	d, err := Open(ctx, path)
	if err != nil {
		return nil, err
	}
	if err := d.Close(); err != nil {
		return nil, err
	}
	v, err := Inspect(ctx, path)
	out := map[string]Table{}
	for _, t := range v.Tables {
		out[t.Name] = t
	}
	return out, err
}

// unused fails where somebody has written already, and empties the tables that
// migrations filled.
func unused(ctx context.Context, tx *Tx, fresh map[string]Table) error {
	names, err := tables(ctx, tx)
	if err != nil {
		return err
	}
	slices.Reverse(names) // those that refer to others are emptied first
	for _, name := range names {
		t, err := inspect(ctx, tx, name, nil)
		if err != nil {
			return err
		}
		if t != fresh[name] {
			return fmt.Errorf("the database to copy to is in use: its table %s holds %d rows; give an empty database or schema", name, t.Rows)
		}
		if t.Rows == 0 {
			continue
		}
		if _, err := tx.Exec(ctx, `DELETE FROM `+name); err != nil {
			return fmt.Errorf("empty table %s: %w", name, err)
		}
	}
	return nil
}

// move copies one table and reads it back.
func move(ctx context.Context, src, dst *Tx, name string) (Table, error) {
	t, err := inspect(ctx, src, name, func(columns []string, rows [][]any) error { return dst.Insert(ctx, name, columns, rows) })
	if err != nil {
		return t, err
	}
	back, err := inspect(ctx, dst, name, nil)
	if err != nil {
		return t, err
	}
	if back != t {
		return t, fmt.Errorf("table %s came out differently: %d rows with sum %s were read, %d with sum %s are there; nothing was kept", name, t.Rows, t.Sum, back.Rows, back.Sum)
	}
	return t, nil
}

// Migrate brings the database at url up to date, or takes its last migration
// back where down is set, and returns the version before and after.
func Migrate(ctx context.Context, url string, down bool) (before, after int64, err error) {
	d, err := openPresent(ctx, url)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	v, err := d.versions(ctx)
	if err != nil {
		return 0, 0, err
	}
	before = v.Version
	if v.Pending() < 0 {
		return before, before, fmt.Errorf("the tables have version %d, which a newer program made; this one knows %d", v.Version, v.Newest)
	}
	if !down {
		err = d.migrate(ctx)
	} else {
		err = d.stepBack(ctx)
	}
	if err != nil {
		return before, before, err
	}
	v, err = d.versions(ctx)
	return before, v.Version, err
}
