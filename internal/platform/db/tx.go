package db

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
)

// Tx is a running transaction.
type Tx struct {
	tx      *sql.Tx
	Dialect Dialect
}

// Querier is what reads on a DB and inside a Tx alike.
type Querier interface {
	Query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRow(ctx context.Context, query string, args ...any) *sql.Row
}

// Tx runs fn in a writing transaction: committed when fn returns nil, else
// rolled back. After an error inside, return it: PostgreSQL refuses every
// further statement. fn must not use the DB itself (SQLite has one writer).
func (d *DB) Tx(ctx context.Context, fn func(tx *Tx) error) error {
	tx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return classify(fmt.Errorf("begin transaction: %w", err))
	}
	defer func() { _ = tx.Rollback() }() // says ErrTxDone after a commit
	if err := fn(&Tx{tx: tx, Dialect: d.Dialect}); err != nil {
		return classify(err)
	}
	if err := tx.Commit(); err != nil {
		return classify(fmt.Errorf("commit: %w", err))
	}
	return nil
}

// View runs fn in a reading transaction, so that its statements see one state.
func (d *DB) View(ctx context.Context, fn func(tx *Tx) error) error {
	opts := &sql.TxOptions{ReadOnly: true}
	if d.Dialect == Postgres {
		opts.Isolation = sql.LevelRepeatableRead
	}
	tx, err := d.read.BeginTx(ctx, opts)
	if err != nil {
		return classify(fmt.Errorf("begin reading: %w", err))
	}
	defer func() { _ = tx.Rollback() }()
	return classify(fn(&Tx{tx: tx, Dialect: d.Dialect}))
}

// Exec runs a writing statement.
func (t *Tx) Exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := storable(args); err != nil {
		return nil, err
	}
	res, err := t.tx.ExecContext(ctx, query, args...)
	return res, classify(err)
}

// Query runs a reading statement; its rows must be closed before the next one.
func (t *Tx) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := t.tx.QueryContext(ctx, query, sought(args)...)
	return rows, classify(err)
}

// QueryRow runs a statement of at most one row.
func (t *Tx) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	return t.tx.QueryRowContext(ctx, query, sought(args)...)
}

// bulkSizes are the rows of one INSERT on PostgreSQL. A few fixed sizes keep
// the number of prepared statements small; 65,535 parameters are the most.
var bulkSizes = []int{512, 32, 1}

// Insert adds many rows. SQLite is fastest with one prepared statement for
// single rows; PostgreSQL with many rows in a statement.
func (t *Tx) Insert(ctx context.Context, table string, columns []string, rows [][]any) error {
	sizes := bulkSizes
	if t.Dialect == SQLite {
		sizes = []int{1}
	}
	for _, size := range sizes {
		if len(rows) < size {
			continue
		}
		rest, err := t.insertBy(ctx, size, table, columns, rows)
		if err != nil {
			return classify(fmt.Errorf("insert into %s: %w", table, err))
		}
		rows = rest
	}
	return nil
}

// insertBy adds as many whole chunks of size rows as there are and returns the rest.
func (t *Tx) insertBy(ctx context.Context, size int, table string, columns []string, rows [][]any) ([][]any, error) {
	stmt, err := t.tx.PrepareContext(ctx, insertText(table, columns, size))
	if err != nil {
		return nil, err
	}
	defer func() { _ = stmt.Close() }()
	args := make([]any, 0, size*len(columns))
	for len(rows) >= size {
		args = args[:0]
		for _, r := range rows[:size] {
			args = append(args, r...)
		}
		if err := storable(args); err != nil {
			return nil, err
		}
		if _, err := stmt.ExecContext(ctx, args...); err != nil {
			return nil, err
		}
		rows = rows[size:]
	}
	return rows, nil
}

func insertText(table string, columns []string, rows int) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES ")
	n := 0
	for r := range rows {
		if r > 0 {
			b.WriteByte(',')
		}
		for c := range columns {
			if c == 0 {
				b.WriteByte('(')
			} else {
				b.WriteByte(',')
			}
			n++
			b.WriteString("$" + strconv.Itoa(n))
		}
		b.WriteByte(')')
	}
	return b.String()
}
