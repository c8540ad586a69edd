package personal_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"plateau/internal/platform/access"
	"plateau/internal/platform/db"
	"plateau/internal/platform/i18n"
	"plateau/internal/platform/personal"
	"plateau/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

// TestEveryColumnIsDeclared: a column of the schema that is neither of a kind of
// personal data nor declared as not personal fails; so does a declaration of one
// that there is not.
func TestEveryColumnIsDeclared(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			d, err := db.Open(t.Context(), database.URL(t))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = d.Close() }()
			query := `SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name <> 'goose_db_version'`
			if d.Dialect == db.SQLite {
				query = `SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> 'goose_db_version'`
			}
			rows, err := d.Query(t.Context(), query)
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			r, there := personal.Default(), map[string]bool{}
			for rows.Next() {
				var table, column string
				if err := rows.Scan(&table, &column); err != nil {
					t.Fatal(err)
				}
				there[table+"."+column], there[table+".*"] = true, true
				if _, declared := r.Of(table, column); !declared {
					t.Errorf("%s.%s is not in personal.toml: say of which kind of personal data it is, or put it under [none]", table, column)
				}
			}
			if err := rows.Err(); err != nil || len(there) < 200 {
				t.Fatalf("%d columns found: the query of this test is wrong; %v", len(there), err)
			}
			for _, k := range r.Kinds {
				for _, c := range k.Columns {
					if !there[c] {
						t.Errorf("kind %s: there is no column %s", k.ID, c)
					}
				}
			}
			for _, h := range r.Held {
				for _, c := range append([]string{h.By}, h.Columns...) {
					if !there[h.Table+"."+c] {
						t.Errorf("[[held]]: there is no column %s.%s", h.Table, c)
					}
					if c == "hash" || c == "secret" || c == "password" {
						t.Errorf("[[held]]: %s.%s is a secret", h.Table, c)
					}
				}
			}
			for c := range there { // whose rows name an account
				table, column, _ := strings.Cut(c, ".")
				if (column == "by_id" || column == "user_id") && !slices.ContainsFunc(r.Held, func(h personal.Held) bool { return h.Table == table && h.By == column }) {
					t.Errorf("%s is of an account, and no [[held]] puts it into the copy for the person", c)
				}
			}
			for table, columns := range r.None {
				for _, c := range columns {
					if !there[table+"."+c] {
						t.Errorf("[none]: there is no column %s.%s", table, c)
					}
				}
			}
		})
	}
}

// TestRegister: what the register names is there: permissions, words in three
// languages.
func TestRegister(t *testing.T) {
	t.Parallel()
	r := personal.Default()
	for _, k := range r.Kinds {
		for _, s := range k.SeenBy {
			if s != "self" && s != "nobody" && !access.Default().Known(access.Permission(s)) {
				t.Errorf("kind %s: %s is no permission", k.ID, s)
			}
		}
		for _, lang := range i18n.Langs() {
			for _, key := range []string{"personal." + k.ID, "personal." + k.ID + "_purpose", "personal." + k.ID + "_keep"} {
				if !i18n.Default().Has(lang, key) {
					t.Errorf("%s: no words for %s", lang, key)
				}
			}
		}
		for _, b := range k.Basis {
			if !i18n.Default().Has(i18n.Zh, "personal.basis_"+b) {
				t.Errorf("no words for basis %s", b)
			}
		}
	}
	// Logs of a network have to be kept for six months.
	if days := r.Life("address").Hours() / 24; days < 184 {
		t.Errorf("addresses are erased after %v days", days)
	}
}

// TestCopy: a person gets the rows of their account, all tables are told of, and no
// row is of somebody else.
func TestCopy(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			d, err := db.Open(t.Context(), database.URL(t))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = d.Close() }()
			for _, id := range []string{"u1", "u2"} {
				for _, x := range []string{
					`INSERT INTO users (id, login, post_zh, post_bo, post_en, role, area, enterprise, password, sample, disabled, created_at) VALUES ($1, $1, '值班员', '', '', 'officer', '', '', 'hash of ' || $1, 0, 0, 1763971200000000)`,
					`INSERT INTO handovers (id, shift, until, action, at, by_id, by_post, text) VALUES ('h' || $1, 1763971200000000, 1763971200000001, 'note', 1763971200000002, $1, '值班员', 'note of ' || $1)`,
				} {
					if _, err := d.Exec(t.Context(), strings.ReplaceAll(x, "$1", "CAST($1 AS TEXT)"), id); err != nil {
						t.Fatal(err)
					}
				}
			}
			all, err := personal.Default().Copy(t.Context(), d, "u1")
			if err != nil || len(all) != len(personal.Default().Held) {
				t.Fatalf("%d tables, %v", len(all), err)
			}
			n := 0
			for _, x := range all {
				n += len(x.Rows)
				switch x.Table {
				case "users":
					if len(x.Rows) != 1 || x.Rows[0][1] != "u1" || x.Rows[0][10] != "2025-11-24T08:00:00Z" {
						t.Errorf("%+v", x)
					}
				case "handovers":
					if len(x.Rows) != 1 || x.Rows[0][4] != "note of u1" {
						t.Errorf("%+v", x)
					}
				}
			}
			if n != 2 {
				t.Errorf("%d rows", n)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const good = "looked_through = \"2026-11-28\"\n[basis]\nb = { law = \"l\", article = \"1\" }\n[[kind]]\nid = \"k\"\nbasis = [\"b\"]\nseen_by = [\"self\"]\ncolumns = [\"t.a\"]\n"
	if _, err := personal.Parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"is not under [basis]": strings.Replace(good, `["b"]`, `["c"]`, 1),
		"must be there":        strings.Replace(good, `["self"]`, `[]`, 1),
		"means nothing":        good + "extra = 1\n",
		"and not personal":     good + "[none]\nt = [\"a\"]\n",
		"looked_through":       strings.Replace(good, "2026-11-28", "today", 1),
		"is of k and of k":     strings.Replace(good, `["t.a"]`, `["t.a", "t.a"]`, 1),
	} {
		if _, err := personal.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
