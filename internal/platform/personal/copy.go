package personal

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"plateau/internal/platform/db"
)

// Held are rows of a table that are of a person: those whose column By holds the
// account's id. Columns go into the copy.
type Held struct {
	Table, By string
	Columns   []string
}

// Rows are what a table holds of a person: texts, numbers, and instants as
// RFC 3339 in UTC; nil for what is empty.
type Rows struct {
	Table   string   `json:"table"`
	By      string   `json:"by"`
	Columns []string `json:"columns"`
	Rows    [][]any  `json:"rows"`
}

// Copy reads all that the tables hold of an account, but for the record of acts.
// Tables without a row of it are there, too, so that it is told that there is none.
func (r *Register) Copy(ctx context.Context, q db.Querier, userID string) ([]Rows, error) {
	var out []Rows
	for _, h := range r.Held {
		x, err := h.rows(ctx, q, userID)
		if err != nil {
			return nil, fmt.Errorf("copy of %s: %w", h.Table, err)
		}
		out = append(out, x)
	}
	return out, nil
}

func (h Held) rows(ctx context.Context, q db.Querier, userID string) (Rows, error) {
	x := Rows{Table: h.Table, By: h.By, Columns: h.Columns, Rows: [][]any{}}
	list := strings.Join(h.Columns, ", ")
	rows, err := q.Query(ctx, "SELECT "+list+" FROM "+h.Table+" WHERE "+h.By+" = $1 ORDER BY "+list, userID) // all from the register, which is embedded
	if err != nil {
		return x, err
	}
	defer rows.Close()
	for rows.Next() {
		line, targets := make([]any, len(h.Columns)), make([]any, len(h.Columns))
		for i := range line {
			targets[i] = &line[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return x, err
		}
		for i, name := range h.Columns {
			switch v := line[i].(type) {
			case []byte:
				line[i] = string(v)
			case int64:
				if instant(name) {
					line[i] = db.Time(v).Format(time.RFC3339)
				}
			}
		}
		x.Rows = append(x.Rows, line)
	}
	return x, rows.Err()
}

// instant reports whether a column holds an instant, by its name.
func instant(column string) bool {
	return column == "at" || strings.HasSuffix(column, "_at") || slices.Contains([]string{"started", "ended", "shift"}, column)
}
