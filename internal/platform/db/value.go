package db

import (
	"database/sql"
	"time"
)

// Instants are stored as microseconds since 1970 in UTC, because both databases
// sort and compare whole numbers alike.

// Micros returns t as stored; the zero time is 0.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// MicrosOrNull is Micros with NULL for the zero time.
func MicrosOrNull(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: Micros(t), Valid: !t.IsZero()}
}

// Time returns a stored instant, in UTC; 0 is the zero time.
func Time(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// TimeOrZero is Time with the zero time for NULL.
func TimeOrZero(micros sql.NullInt64) time.Time { return Time(micros.Int64) }

// Bool returns b as stored, because SQLite's STRICT tables know no booleans.
// Scan a stored one into a bool.
func Bool(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
