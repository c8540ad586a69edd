package audit

import (
	"context"
	"slices"

	"plateau/internal/platform/db"
)

// Look records that somebody looks at personal data of e.Subjects, in one entry
// however many they are; looking at one's own is none. Call it before anything is
// shown: what cannot be recorded must not be seen. Each look is an entry: two that
// were folded into one would hide that somebody came back.
func Look(ctx context.Context, d *db.DB, e Entry) error {
	others := slices.DeleteFunc(slices.Clone(e.Subjects), func(s string) bool { return s == e.Who || s == "" })
	if len(others) == 0 {
		return nil
	}
	e.Subjects = others
	return d.Tx(ctx, func(tx *db.Tx) error { return Append(ctx, tx, e) })
}
