package audit_test

import (
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/db"
)

// TestExpire: addresses go when their time is over, details stay, the chain
// verifies, and an entry tells; an address that somebody took away is found.
func TestExpire(t *testing.T) {
	both(t, func(t *testing.T, d *db.DB) {
		t.Helper()
		ctx := audit.WithAddress(t.Context(), "192.0.2.7")
		write(ctx, t, d, entry(0), entry(1))
		write(t.Context(), t, d, entry(2)) // by the program: no address
		write(ctx, t, d, entry(3))
		// An entry of before, bound to address and detail as one.
		old := audit.Entry{Chain: "before", Seq: 1, At: noon, Who: "u1", System: "platform", Act: "account.sign_in", Kind: "account", Ref: "u1"}
		commitment := audit.CommitFirst("salt", "198.51.100.1", "{}")
		hash := old.Chained("", commitment)
		for _, x := range []struct {
			text string
			args []any
		}{
			{`INSERT INTO audit_chains (id, began_at, seq, head) VALUES ('before', $1, 1, $2)`, []any{db.Micros(noon), hash}},
			{`INSERT INTO audit_entries (chain, seq, at, who, post, on_behalf_of, system, act, kind, ref, subjects, commitment, hash) VALUES ('before', 1, $1, 'u1', '', '', 'platform', 'account.sign_in', 'account', 'u1', '[]', $2, $3)`, []any{db.Micros(noon), commitment, hash}},
			{`INSERT INTO audit_details (chain, seq, salt, address, detail) VALUES ('before', 1, 'salt', '198.51.100.1', '{}')`, nil},
		} {
			if _, err := d.Exec(ctx, x.text, x.args...); err != nil {
				t.Fatal(err)
			}
		}
		if r := verified(t, d); !r.OK() || len(r.Chains) != 2 {
			t.Fatalf("%+v", r)
		}
		by := audit.Entry{Who: "system", At: noon.Add(time.Hour)}
		if n, err := audit.Expire(t.Context(), d, noon.Add(2*time.Minute), by); err != nil || n != 3 {
			t.Fatalf("%d, %v", n, err)
		}
		if n, err := audit.Expire(t.Context(), d, noon.Add(2*time.Minute), by); err != nil || n != 0 {
			t.Errorf("again: %d, %v", n, err)
		}
		for _, e := range list(t, d, audit.Filter{System: "telemetry"}) {
			early := e.Ref == "0" || e.Ref == "1"
			if e.AddressErased != early || early && e.Address != "" || e.Ref == "3" && e.Address != "192.0.2.7" || e.Detail == "" || e.Erased {
				t.Errorf("%+v", e)
			}
		}
		told := list(t, d, audit.Filter{Act: audit.ActExpire})
		if len(told) != 2 || told[0].Ref != "before/1-1" && told[1].Ref != "before/1-1" || !strings.Contains(told[0].Ref+told[1].Ref, "/1-2") {
			t.Errorf("%+v", told)
		}
		if r := verified(t, d); !r.OK() || r.Erased != 1 {
			t.Errorf("%+v", r)
		}
		// Whoever takes an address away without its time being over is found, and whoever changes one.
		for _, c := range []struct{ do, want string }{
			{`UPDATE audit_details SET address = '192.0.2.8' WHERE address = '192.0.2.7'`, "/4: its address or detail is not as it was written"},
			{`UPDATE audit_details SET address = '', address_salt = '' WHERE address = '192.0.2.8'`, "/4: its address is gone, and no entry says"},
			{`UPDATE audit_details SET detail = 'x' WHERE seq = 1 AND chain <> 'before'`, "/1: its address or detail is not as it was written"},
			{`UPDATE audit_details SET address = '192.0.2.9' WHERE seq = 2`, "/2: its address or detail is not as it was written"},
		} {
			if _, err := d.Exec(ctx, c.do); err != nil {
				t.Fatal(err)
			}
			if r := verified(t, d); !strings.Contains(strings.Join(r.Faults, "\n"), c.want) {
				t.Errorf("%s: %q", c.do, r.Faults)
			}
		}
	})
}
