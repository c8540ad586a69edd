package audit_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

var noon = time.Date(2026, 11, 28, 4, 0, 0, 0, time.UTC)

// both runs a test on each database.
func both(t *testing.T, fn func(t *testing.T, d *db.DB)) {
	t.Helper()
	t.Parallel()
	for _, k := range testkit.Databases() {
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			d, err := db.Open(t.Context(), k.URL(t))
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			fn(t, d)
		})
	}
}

func entry(n int) audit.Entry {
	return audit.Entry{
		At: noon.Add(time.Duration(n) * time.Minute), Who: fmt.Sprintf("u%d", n%3), Post: "值班员", System: "telemetry", Act: "registry.update",
		Kind: "outlet", Ref: fmt.Sprint(n), Subjects: []string{"p2", "p1", "p2"}, Detail: fmt.Sprintf(`{"n":%d}`, n),
	}
}

func write(ctx context.Context, t *testing.T, d *db.DB, entries ...audit.Entry) {
	t.Helper()
	for _, e := range entries {
		if err := d.Tx(ctx, func(tx *db.Tx) error { return audit.Append(ctx, tx, e) }); err != nil {
			t.Fatal(err)
		}
	}
}

func list(t *testing.T, d *db.DB, f audit.Filter) (out []audit.Entry) {
	t.Helper()
	if err := audit.List(t.Context(), d, f, func(e *audit.Entry) bool { out = append(out, *e); return true }); err != nil {
		t.Fatal(err)
	}
	return out
}

func verified(t *testing.T, d *db.DB) audit.Report {
	t.Helper()
	r, err := audit.Verify(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestAppend: an entry is there if its act is, with the address of the request
// and subjects once each; filters choose.
func TestAppend(t *testing.T) {
	both(t, func(t *testing.T, d *db.DB) {
		t.Helper()
		undone := errors.New("undone")
		if err := d.Tx(t.Context(), func(tx *db.Tx) error {
			return errors.Join(audit.Append(t.Context(), tx, entry(0)), undone)
		}); !errors.Is(err, undone) {
			t.Fatal(err)
		}
		if got := list(t, d, audit.Filter{}); len(got) != 0 {
			t.Fatalf("an act that was undone has an entry: %+v", got)
		}
		audit.Middleware(func(*http.Request) string { return "192.0.2.7" }, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			write(r.Context(), t, d, entry(1))
		})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", nil))
		odd := entry(2)
		odd.Act, odd.Detail, odd.Subjects = "alarm.false", "a\x00b\xff", nil
		write(t.Context(), t, d, odd)
		all := list(t, d, audit.Filter{})
		if len(all) != 2 || all[1].Address != "192.0.2.7" || all[1].Seq != 1 || strings.Join(all[1].Subjects, " ") != "p1 p2" || !all[1].At.Equal(noon.Add(time.Minute)) || all[0].Detail != "a\uFFFDb\uFFFD" {
			t.Fatalf("%+v", all)
		}
		for _, c := range []struct {
			f    audit.Filter
			want string
		}{
			{audit.Filter{Act: "registry."}, "1"},
			{audit.Filter{Act: "registry"}, ""},
			{audit.Filter{Act: "alarm.false"}, "2"},
			{audit.Filter{Subject: "p1"}, "1"},
			{audit.Filter{Subject: "u1"}, ""},
			{audit.Filter{Who: "u2"}, "2"},
			{audit.Filter{Kind: "outlet", Ref: "1"}, "1"},
			{audit.Filter{From: noon.Add(2 * time.Minute)}, "2"},
			{audit.Filter{To: noon.Add(2 * time.Minute)}, "1"},
		} {
			got := ""
			for _, e := range list(t, d, c.f) {
				got += e.Ref
			}
			if got != c.want {
				t.Errorf("%+v: %q, want %q", c.f, got, c.want)
			}
		}
		if err := d.Tx(t.Context(), func(tx *db.Tx) error { return audit.Append(t.Context(), tx, audit.Entry{Who: "u"}) }); err == nil {
			t.Error("an entry without an act was taken")
		}
		if r := verified(t, d); !r.OK() || len(r.Chains) != 1 || r.Chains[0].Entries != 2 || r.Chains[0].Head != all[0].Hash {
			t.Errorf("%+v", r)
		}
	})
}

// TestAtOnce: acts side by side make one chain without gaps.
func TestAtOnce(t *testing.T) {
	both(t, func(t *testing.T, d *db.DB) {
		t.Helper()
		var wg sync.WaitGroup
		for n := range 40 {
			wg.Go(func() {
				if err := d.Tx(t.Context(), func(tx *db.Tx) error { return audit.Append(t.Context(), tx, entry(n)) }); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if r := verified(t, d); !r.OK() || len(r.Chains) != 1 || r.Chains[0].Entries != 40 {
			t.Errorf("%+v", r)
		}
	})
}

// TestTampered: whatever is changed past the program is found, with its place.
func TestTampered(t *testing.T) {
	both(t, func(t *testing.T, d *db.DB) {
		t.Helper()
		write(t.Context(), t, d, entry(1), entry(2), entry(3), entry(4))
		exec := func(statement string) error {
			_, err := d.Exec(t.Context(), statement)
			return err
		}
		for _, s := range []string{`UPDATE audit_entries SET ref = '9'`, `DELETE FROM audit_entries`} {
			if err := exec(s); err == nil {
				t.Errorf("%s: the table let it happen", s)
			}
		}
		triggers := []string{`DROP TRIGGER audit_entries_keep ON audit_entries`}
		if d.Dialect == db.SQLite {
			triggers = []string{`DROP TRIGGER audit_entries_keep_update`, `DROP TRIGGER audit_entries_keep_delete`}
		}
		for _, s := range triggers {
			if err := exec(s); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct{ name, do, undo, want string }{
			{"changed", `UPDATE audit_entries SET ref = '9' WHERE seq = 2`, `UPDATE audit_entries SET ref = '2' WHERE seq = 2`, "/2: it, or the one before"},
			{"time", `UPDATE audit_entries SET at = at + 1 WHERE seq = 1`, `UPDATE audit_entries SET at = at - 1 WHERE seq = 1`, "/1: it, or the one before"},
			{"subject", `UPDATE audit_entries SET subjects = '["p1"]' WHERE seq = 3`, `UPDATE audit_entries SET subjects = '["p1","p2"]' WHERE seq = 3`, "/3: it, or"},
			{"detail", `UPDATE audit_details SET detail = '{"n":5}' WHERE seq = 4`, `UPDATE audit_details SET detail = '{"n":4}' WHERE seq = 4`, "/4: its address or detail"},
			{"head", `UPDATE audit_chains SET head = 'x'`, `UPDATE audit_chains SET head = (SELECT hash FROM audit_entries WHERE seq = 4)`, "its head is not the hash"},
			{"more", `UPDATE audit_chains SET seq = 3`, `UPDATE audit_chains SET seq = 4`, "4 entries, its head knows 3"},
			{"fewer", `UPDATE audit_chains SET seq = 5`, `UPDATE audit_chains SET seq = 4`, "4 entries of 5 are there"},
			{"hidden from the person", `UPDATE audit_subjects SET subject = 'p3' WHERE seq = 2 AND subject = 'p1'`, `UPDATE audit_subjects SET subject = 'p1' WHERE seq = 2 AND subject = 'p3'`, "/2: it is found under other subjects"},
		} {
			if err := exec(c.do); err != nil {
				t.Fatal(c.name, err)
			}
			r := verified(t, d)
			if !strings.Contains(strings.Join(r.Faults, "\n"), c.want) {
				t.Errorf("%s: %q, want %q", c.name, r.Faults, c.want)
			}
			if err := exec(c.undo); err != nil {
				t.Fatal(c.name, err)
			}
			if r := verified(t, d); !r.OK() {
				t.Fatalf("%s was undone: %q", c.name, r.Faults)
			}
		}
		for _, s := range []string{`DELETE FROM audit_details WHERE seq = 2`, `DELETE FROM audit_subjects WHERE seq = 2`} {
			if err := exec(s); err != nil {
				t.Fatal(err)
			}
		}
		if r := verified(t, d); !strings.Contains(strings.Join(r.Faults, "\n"), "/2: its address and detail are gone, and no entry says") {
			t.Errorf("a detail that somebody dropped: %q", r.Faults)
		}
		if err := exec(`DELETE FROM audit_entries WHERE seq = 2`); err != nil {
			t.Fatal(err)
		}
		r := verified(t, d)
		for _, want := range []string{"entry 2 is missing", "/3: it, or the one before", "3 entries of 4 are there"} {
			if !strings.Contains(strings.Join(r.Faults, "\n"), want) {
				t.Errorf("left out: %q, want %q", r.Faults, want)
			}
		}
	})
}

// TestErase: address and detail go, the chain verifies, an entry says who and why.
func TestErase(t *testing.T) {
	both(t, func(t *testing.T, d *db.DB) {
		t.Helper()
		write(t.Context(), t, d, entry(1), entry(2))
		chain := list(t, d, audit.Filter{})[0].Chain
		by := audit.Entry{Who: "operator", At: noon.Add(time.Hour)}
		if err := audit.Erase(t.Context(), d, chain, 1, " ", by); !errs.Is(err, errs.Invalid) {
			t.Errorf("without a reason: %v", err)
		}
		if err := audit.Erase(t.Context(), d, chain, 1, "request of the person", by); err != nil {
			t.Fatal(err)
		}
		for _, seq := range []int64{1, 99} {
			if err := audit.Erase(t.Context(), d, chain, seq, "again", by); !errs.Is(err, errs.NotFound) {
				t.Errorf("entry %d: %v", seq, err)
			}
		}
		all := list(t, d, audit.Filter{})
		if len(all) != 3 || all[0].Act != audit.ActErase || all[0].Ref != chain+"/1" || !strings.Contains(all[0].Detail, "request of the person") || !all[2].Erased || all[2].Detail != "" || all[1].Erased {
			t.Errorf("%+v", all)
		}
		if r := verified(t, d); !r.OK() || r.Erased != 1 {
			t.Errorf("%+v", r)
		}
	})
}

// TestLook: one entry for all who were looked at, none for a look at oneself.
func TestLook(t *testing.T) {
	both(t, func(t *testing.T, d *db.DB) {
		t.Helper()
		look := audit.Entry{At: noon, Who: "u1", System: "platform", Act: "account.list", Subjects: []string{"u1", "p1", "p2", ""}}
		if err := audit.Look(t.Context(), d, look); err != nil {
			t.Fatal(err)
		}
		look.Subjects = []string{"u1"}
		if err := audit.Look(t.Context(), d, look); err != nil {
			t.Fatal(err)
		}
		if got := list(t, d, audit.Filter{}); len(got) != 1 || strings.Join(got[0].Subjects, " ") != "p1 p2" {
			t.Errorf("%+v", got)
		}
		if got := list(t, d, audit.Filter{Subject: "p2"}); len(got) != 1 {
			t.Errorf("%+v", got)
		}
	})
}

// TestPages: a list goes on from a cursor without shifting, and chooses by system;
// Read records whom it shows.
func TestPages(t *testing.T) {
	both(t, func(t *testing.T, d *db.DB) {
		t.Helper()
		for n := range 9 {
			e := entry(n / 3) // three each have the same time
			e.Ref = fmt.Sprint(n)
			if n == 4 {
				e.System = "platform"
			}
			write(t.Context(), t, d, e)
		}
		var got string
		f := audit.Filter{Most: 2}
		for range 5 {
			page := list(t, d, f)
			for _, e := range page {
				got += e.Ref
			}
			last, ok := audit.ParseCursor(page[len(page)-1].Cursor().String())
			if !ok {
				t.Fatal("a cursor is not read back")
			}
			f.Before = last
			write(t.Context(), t, d, entry(100))
		}
		if got != "876543210" {
			t.Errorf("pages hold %s", got)
		}
		if got := list(t, d, audit.Filter{System: "platform", Subject: "p1"}); len(got) != 1 || got[0].Ref != "4" {
			t.Errorf("%+v", got)
		}
		if e, err := audit.Find(t.Context(), d, f.Before.Chain, 5); err != nil || e.Ref != "4" {
			t.Errorf("%+v, %v", e, err)
		}
		if _, err := audit.Find(t.Context(), d, "none", 5); !errs.Is(err, errs.NotFound) {
			t.Error(err)
		}
		for _, bad := range []string{"", "x", "1.y", "x.y.1", "0.c.1"} {
			if _, ok := audit.ParseCursor(bad); ok {
				t.Errorf("%q is a cursor", bad)
			}
		}
		n := 0
		look := audit.Entry{At: noon.Add(time.Hour), Who: "u0", System: "platform", Act: "record.list"}
		if err := audit.Read(t.Context(), d, audit.Filter{System: "telemetry"}, look, func(*audit.Entry) error { n++; return nil }); err != nil || n != 13 {
			t.Errorf("%d, %v", n, err)
		}
		if got := list(t, d, audit.Filter{Act: "record.list"}); len(got) != 1 || strings.Join(got[0].Subjects, " ") != "p1 p2 u1 u2" {
			t.Errorf("%+v", got)
		}
	})
}
