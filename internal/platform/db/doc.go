// Package db opens the relational database, SQLite by default and PostgreSQL
// when the URL says so, and gives both one face: transactions, migrations, bulk
// inserts and error kinds. One SQL text with $1, $2 serves both.
//
// It owns the pools and their settings. SQLite gets one writer and several
// readers, because SQLite lets one write at a time and waiting in Go is fair.
//
// It refuses to hide SQL: modules write their own statements. Telemetry is not
// kept here (package store). See docs/decisions/0002-relational-side.md.
package db
