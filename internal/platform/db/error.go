package db

import (
	"database/sql"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"plateau/internal/platform/errs"
)

// classify gives a database error its kind, once: uniqueness and foreign-key
// violations are Conflict, a lock or a server that cannot be had is Busy.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if _, done := errors.AsType[*errs.Error](err); done {
		return err
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() {
		case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
			return errs.Wrap(err, errs.Conflict, "err.taken")
		case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
			return errs.Wrap(err, errs.Conflict, "err.in_use")
		}
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR:
			return errs.Wrap(err, errs.Busy, "err.busy")
		}
		return err
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return classifyPostgres(e, err)
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return errs.Wrap(err, errs.Busy, "err.busy")
	}
	return err
}

// Codes of PostgreSQL, appendix A "Error Codes".
func classifyPostgres(e *pgconn.PgError, err error) error {
	switch e.Code {
	case "23505": // unique_violation
		return errs.Wrap(err, errs.Conflict, "err.taken")
	case "23503": // foreign_key_violation
		return errs.Wrap(err, errs.Conflict, "err.in_use")
	case "40001", "40P01", "55P03": // serialization_failure, deadlock_detected, lock_not_available
		return errs.Wrap(err, errs.Busy, "err.busy")
	}
	switch e.Code[:2] {
	case "53", "57": // insufficient resources, operator intervention
		return errs.Wrap(err, errs.Busy, "err.busy")
	}
	return err
}

// NotFound turns sql.ErrNoRows into errs.NotFound and leaves other errors as
// they are.
func NotFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return errs.Wrap(err, errs.NotFound, "err.not_found")
	}
	return classify(err)
}
