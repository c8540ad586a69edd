package audit

import (
	"cmp"
	"context"
	"maps"
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

// Persons are the accounts that an entry names.
func (e *Entry) Persons() []string {
	return slices.DeleteFunc(append([]string{e.Who, e.OnBehalfOf}, e.Subjects...), func(id string) bool { return id == "" || id == "system" })
}

// Read gives the entries of a filter to fn, newest first, in one state of the
// database, after the look at all whom they name was recorded; look is filled with
// who, post, time, system and act.
func Read(ctx context.Context, d *db.DB, f Filter, look Entry, fn func(e *Entry) error) error {
	return d.View(ctx, func(tx *db.Tx) error {
		seen := map[string]bool{}
		if err := List(ctx, tx, f, func(e *Entry) bool {
			for _, id := range e.Persons() {
				seen[id] = true
			}
			return true
		}); err != nil {
			return err
		}
		look.Subjects = slices.Collect(maps.Keys(seen))
		if err := Look(ctx, d, look); err != nil {
			return err
		}
		var broken error
		err := List(ctx, tx, f, func(e *Entry) bool {
			broken = fn(e)
			return broken == nil
		})
		return cmp.Or(broken, err)
	})
}
