package app

import (
	"io"
	"path/filepath"
	"strings"
	"testing"

	"plateau/internal/platform/db"
	"plateau/internal/testkit"
)

// TestDatabaseMoved moves the relational side of a stopped server to PostgreSQL:
// the server goes on there with the same accounts and registry. While it runs,
// nothing is moved or migrated.
func TestDatabaseMoved(t *testing.T) {
	t.Parallel()
	server := testkit.Postgres(t)
	dir, ctx := filepath.Join(t.TempDir(), "data"), t.Context()
	o := demoOptions(dir, io.Discard)
	a, err := New(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	token, err := a.operatorToken(ctx)
	if err != nil {
		t.Fatal(err)
	}
	outlets := len(a.registry.Snapshot().Outlets)
	none := func(db.Table) {}
	if _, err := CopyDatabase(ctx, o, server, none); err == nil || !strings.Contains(err.Error(), "stop the server first") {
		t.Errorf("copied from under a running server: %v", err)
	}
	if _, _, err := MigrateDatabase(ctx, o, true); err == nil || !strings.Contains(err.Error(), "stop the server first") {
		t.Errorf("migrated under a running server: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	v, err := CopyDatabase(ctx, o, server, none)
	if err != nil || v.Rows() == 0 {
		t.Fatal(v, err)
	}
	o.Flags["database.url"] = server
	if there, where, err := InspectDatabase(ctx, o); err != nil || there.Dialect != db.Postgres || there.Rows() != v.Rows() || !strings.HasPrefix(where, "postgres://") {
		t.Errorf("%v %s %v", there, where, err)
	}
	if a, err = New(ctx, o); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()
	if p, err := a.auth.Bearer(ctx, token); err != nil || !p.Known() {
		t.Errorf("the token of before: %+v, %v", p, err)
	}
	if n := len(a.registry.Snapshot().Outlets); n != outlets || n == 0 {
		t.Errorf("%d outlets, before %d", n, outlets)
	}
	if _, err := CopyDatabase(ctx, o, server, none); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("copied from PostgreSQL: %v", err)
	}
}
