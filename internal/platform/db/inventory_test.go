package db_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/platform/db"
	"plateau/internal/testkit"
)

// filled makes an SQLite file with rows of every kind of value: whole and broken
// numbers, texts of three scripts, NULLs, tables that refer to others, more rows
// than one statement takes, and a log that lets no row go.
func filled(t *testing.T) string {
	t.Helper()
	path, ctx := filepath.Join(t.TempDir(), "plateau.db"), t.Context()
	d, err := db.Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Tx(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE counters SET value = 1200 WHERE name = 'outlet'`); err != nil {
			return err
		}
		if err := tx.Insert(ctx, "enterprises", []string{"id", "name_zh", "name_bo", "name_en", "area", "permit", "sample"},
			[][]any{{"E1", "样例企业", "དཔེ་མཚོན།", "sample", "540102", "", 1}}); err != nil {
			return err
		}
		var rows [][]any
		for i := range int64(1200) {
			var since any
			if i%2 == 0 {
				since = i * 1_000_003
			}
			rows = append(rows, []any{i + 1, "E1", fmt.Sprintf("排口%d", i), "", "", "gas", "", "", "", "540102", 94.36 + float64(i)/7, -0.5, since, 0, 0})
		}
		if err := tx.Insert(ctx, "outlets", []string{"id", "enterprise", "name_zh", "name_bo", "name_en", "medium", "source_type", "source_condition", "source_level", "area", "lon", "lat", "since", "sample", "missing_flag_is_n"}, rows); err != nil {
			return err
		}
		return tx.Insert(ctx, "registry_log", []string{"id", "at", "by_id", "by_post", "action", "kind", "ref", "old", "new"},
			[][]any{{"1", 1, "system", "系统", "load", "area", "540102", nil, `{"a":1}`}, {"2", 2, "system", "", "delete", "area", "540102", "", nil}})
	}); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func inventory(t *testing.T, url string) db.Inventory {
	t.Helper()
	v, err := db.Inspect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func none(db.Table) {}

// TestCopy: what an SQLite file holds is in PostgreSQL afterwards, table by table
// with the same sums, once and not a second time.
func TestCopy(t *testing.T) {
	t.Parallel()
	path, server := filled(t), testkit.Postgres(t)
	told := 0
	v, err := db.Copy(t.Context(), path, server, func(db.Table) { told++ })
	if err != nil {
		t.Fatal(err)
	}
	here, there := inventory(t, path), inventory(t, server)
	if here.Dialect != db.SQLite || there.Dialect != db.Postgres || here.Version != there.Version || there.Pending() != 0 || told != len(here.Tables) {
		t.Errorf("%s %d, %s %d, told of %d tables", here.Dialect, here.Version, there.Dialect, there.Version, told)
	}
	byName := func(v db.Inventory) map[string]db.Table {
		m := map[string]db.Table{}
		for _, t := range v.Tables {
			m[t.Name] = t
		}
		return m
	}
	if d := cmp.Diff(byName(here), byName(there)); d != "" {
		t.Errorf("SQLite (-) and PostgreSQL (+) differ:\n%s", d)
	}
	if d := cmp.Diff(here.Tables, v.Tables); d != "" || here.Rows() < 1200+1+2+1 {
		t.Errorf("%d rows, reported:\n%s", here.Rows(), d)
	}
	if _, err := db.Copy(t.Context(), path, server, none); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("copied again: %v", err)
	}
	if d := cmp.Diff(there, inventory(t, server)); d != "" {
		t.Errorf("a refused copy changed something:\n%s", d)
	}
}

// TestCopyIsProved: when the other database keeps something else than it was
// given, the copy says where and leaves nothing behind.
func TestCopyIsProved(t *testing.T) {
	t.Parallel()
	path, server, ctx := filled(t), testkit.Postgres(t), t.Context()
	d, err := db.Open(ctx, server)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	before := inventory(t, server)
	for _, statement := range []string{
		`CREATE FUNCTION bend() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id = 1199 THEN NEW.lon := NEW.lon + 1e-9; END IF; RETURN NEW; END $$`,
		`CREATE TRIGGER bend BEFORE INSERT ON outlets FOR EACH ROW EXECUTE FUNCTION bend()`,
	} {
		if _, err := d.Exec(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Copy(ctx, path, server, none); err == nil || !strings.Contains(err.Error(), "table outlets came out differently") {
		t.Errorf("not noticed: %v", err)
	}
	if d := cmp.Diff(before, inventory(t, server)); d != "" {
		t.Errorf("something was kept:\n%s", d)
	}
	if _, err := d.Exec(ctx, `DROP TRIGGER bend ON outlets`); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Copy(ctx, path, server, none); err != nil {
		t.Errorf("then: %v", err)
	}
}

// TestCopyRefuses: wrong directions, a file that is not there, one of another
// version, and a text that PostgreSQL cannot hold, with its place.
func TestCopyRefuses(t *testing.T) {
	t.Parallel()
	path, ctx := filled(t), t.Context()
	const nowhere = "postgres://nobody@127.0.0.1:1/none?connect_timeout=2"
	for name, c := range map[string]struct{ from, to, want string }{
		"from PostgreSQL": {nowhere, nowhere, "from an SQLite file to PostgreSQL"},
		"to SQLite":       {path, path + ".copy", "from an SQLite file to PostgreSQL"},
		"no file":         {path + ".none", nowhere, "there is no database"},
		"no server":       {path, nowhere, "open database postgres://nobody@127.0.0.1:1"},
	} {
		if _, err := db.Copy(ctx, c.from, c.to, none); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	d, err := db.Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Exec(ctx, `UPDATE enterprises SET permit = 'a' || char(0) || 'b'`); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	server := testkit.Postgres(t)
	if _, err := db.Copy(ctx, path, server, none); err == nil || !strings.Contains(err.Error(), "table enterprises, row that begins E1, column permit") {
		t.Errorf("a zero byte: %v", err)
	}
	if before, after, err := db.Migrate(ctx, path, true); err != nil || after >= before {
		t.Fatalf("%d %d %v", before, after, err)
	}
	if _, err := db.Copy(ctx, path, server, none); err == nil || !strings.Contains(err.Error(), "run plateau db migrate first") {
		t.Errorf("an older version: %v", err)
	}
}

// TestMigrateBack: every version can be taken back and brought in again, one
// after the other, down to the first and up to the last, with the same tables.
func TestMigrateBack(t *testing.T) {
	t.Parallel()
	for _, k := range testkit.Databases() {
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			url, ctx := k.URL(t), t.Context()
			open(t, url)
			all := inventory(t, url)
			for v := all.Version; v > 0; {
				before, after, err := db.Migrate(ctx, url, true)
				if err != nil || before != v || after >= v {
					t.Fatalf("from %d to %d: %v", before, after, err)
				}
				v = after
			}
			if got := inventory(t, url); got.Version != 0 || got.Pending() != all.Version {
				t.Errorf("in the end: %+v", got)
			}
			if _, after, err := db.Migrate(ctx, url, false); err != nil || after != all.Version {
				t.Fatalf("up again to %d: %v", after, err)
			}
			if d := cmp.Diff(all, inventory(t, url)); d != "" {
				t.Errorf("down and up again:\n%s", d)
			}
			if before, after, err := db.Migrate(ctx, url, false); err != nil || before != after {
				t.Errorf("nothing to do: %d %d %v", before, after, err)
			}
		})
	}
}
