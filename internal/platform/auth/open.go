package auth

import (
	"context"
	"fmt"

	"plateau/internal/platform/db"
)

// OpenAccounts lists who may sign in, inside a transaction or not.
func OpenAccounts(ctx context.Context, q db.Querier) ([]Principal, error) {
	rows, err := q.Query(ctx, `SELECT `+userColumns+` FROM users u WHERE u.disabled = 0 ORDER BY u.id`)
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	defer rows.Close()
	var out []Principal
	for rows.Next() {
		var u User
		if err := rows.Scan(u.targets()...); err != nil {
			return nil, fmt.Errorf("list accounts: %w", err)
		}
		out = append(out, u.principal())
	}
	return out, rows.Err()
}
