package accountweb

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/auth"
)

// TestData: people get a copy of what is held on them, without secrets and without
// what is of others; the file asks for the credential again.
func TestData(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.signedIn(t, "officer")
	officer, operator := r.idOf(t, "officer"), r.idOf(t, "operator")
	if _, _, err := r.CreateToken(t.Context(), officer, "export", "", time.Time{}); err != nil {
		t.Fatal(err)
	}
	r.pass(time.Minute)
	o := r.signedIn(t, "operator")
	o.page("/en/accounts")
	b.page("/en/account/data", "users.id", "Duty officer (sample)", "192.0.2.1", "Firefox", "export", "signed in", "list of accounts looked at", "Nothing is kept of these")
	w := b.ask("GET", "/en/account/data.json")
	var out heldCopy
	if err := json.Unmarshal(w.Body.Bytes(), &out); w.Code != http.StatusOK || err != nil || out.Account != officer || w.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("%d, %v: %.500s", w.Code, err, w.Body)
	}
	own, others := 0, 0
	for _, a := range out.Record {
		if a.Own {
			own++
		} else {
			others++
			if a.Address != "" || a.Detail != nil {
				t.Errorf("%+v", a)
			}
		}
	}
	if own != 1 || others != 3 { // signed in; made, token made by the program, looked at
		t.Errorf("%d own acts, %d of others: %+v", own, others, out.Record)
	}
	for _, hidden := range []string{operator, `"hash"`, `"secret"`, "argon2id", b.cookies[auth.CookieName], "enterprise-sample"} {
		if strings.Contains(w.Body.String(), hidden) {
			t.Errorf("the file holds %q", hidden)
		}
	}
	// Whoever was looked at is not told to whoever looked.
	if w := o.ask("GET", "/en/account/data.json"); strings.Contains(w.Body.String(), officer) {
		t.Error("the copy holds whom its owner looked at")
	}
	r.pass(auth.ProofLife + time.Second)
	if w := b.ask("GET", "/en/account/data.json"); w.Code != http.StatusSeeOther || !strings.HasPrefix(w.Header().Get("Location"), "/en/account/confirm?next=%2Fen%2Faccount%2Fdata") {
		t.Errorf("%d to %q", w.Code, w.Header().Get("Location"))
	}
}
