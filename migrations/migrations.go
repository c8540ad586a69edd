// Package migrations holds the relational schema as numbered SQL files, one
// folder for SQLite and one for PostgreSQL with the same numbers; a test in
// package db migrates both and compares tables, columns and nullability.
//
// Rules (docs/decisions/0002-relational-side.md): a file that was released is
// never changed; a migration adds first and removes a release later, so that
// the program before it still runs. Instants are microseconds since 1970 in
// UTC. Booleans are 0 and 1, because SQLite's STRICT tables know no other.
package migrations

import (
	"embed"
	"io/fs"
)

//go:embed sqlite/*.sql postgres/*.sql
var files embed.FS

// SQLite returns the migrations for SQLite.
func SQLite() fs.FS { return sub("sqlite") }

// Postgres returns the migrations for PostgreSQL.
func Postgres() fs.FS { return sub("postgres") }

func sub(dir string) fs.FS {
	f, err := fs.Sub(files, dir)
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return f
}
