package accountweb

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
)

// idOf is the id of an account.
func (r *rig) idOf(t *testing.T, login string) string {
	t.Helper()
	u, err := r.UserByLogin(t.Context(), login)
	if err != nil {
		t.Fatal(err)
	}
	return u.ID
}

// entries are those of a filter, the oldest first.
func (r *rig) entries(t *testing.T, f audit.Filter) (out []audit.Entry) {
	t.Helper()
	if err := audit.List(t.Context(), r.db, f, func(e *audit.Entry) bool { out = append(out, *e); return true }); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(out)
	return out
}

// TestAccountsOfOthers: an operator sees accounts, closes and opens them and gives
// links; each look is an entry with those who were looked at.
func TestAccountsOfOthers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	officer, operator := r.idOf(t, "officer"), r.idOf(t, "operator")
	theirs := r.signedIn(t, "officer")
	r.pass(time.Minute)
	b := r.signedIn(t, "operator")
	body := b.page("/en/accounts", "Duty officer (sample)", ">officer</a>", "enterprise E1", "2026-11-24 16:30", "never", "5 rows")
	if !strings.Contains(body, "/accounts/"+officer) {
		t.Error("no way to the account")
	}
	looks := r.entries(t, audit.Filter{Act: "account.list"})
	if len(looks) != 1 || looks[0].Who != operator || len(looks[0].Subjects) != 4 || slices.Contains(looks[0].Subjects, operator) || looks[0].Address != "192.0.2.1" {
		t.Errorf("%+v", looks)
	}
	if body := b.page("/en/accounts?kind=enterprise"); strings.Contains(body, ">officer</a>") || !strings.Contains(body, ">enterprise</a>") {
		t.Error("the filter does not choose")
	}
	if looks := r.entries(t, audit.Filter{Act: "account.list", Subject: officer}); len(looks) != 1 {
		t.Errorf("who was not on the page was looked at: %+v", looks)
	}
	b.page("/en/accounts?state=closed", "No account is like that.")
	b.page("/en/accounts/"+officer, "Account officer", "duty officer", "1 open session", "2026-11-24 16:30")
	b.page("/en/accounts/" + officer)
	if looks := r.entries(t, audit.Filter{Act: "account.view", Subject: officer}); len(looks) != 2 || looks[1].Ref != officer {
		t.Errorf("each look is an entry: %+v", looks)
	}
	b.page("/en/accounts/"+operator, "This is your own account")
	if looks := r.entries(t, audit.Filter{Act: "account.view", Subject: operator}); len(looks) != 0 {
		t.Errorf("a look at oneself: %+v", looks)
	}

	b.post("/en/accounts/"+officer+"/close", "/en/accounts/"+officer)
	b.page("/en/accounts/"+officer, "The account is closed; its sessions have ended.", ">closed", "Open the account again")
	if w := theirs.ask("GET", "/en/account"); w.Code != http.StatusSeeOther {
		t.Errorf("the closed account: %d", w.Code)
	}
	b.refused(http.StatusConflict, "/en/accounts/"+officer+"/link", "")
	b.post("/en/accounts/"+officer+"/open", "/en/accounts/"+officer)
	b.refused(http.StatusConflict, "/en/accounts/"+operator+"/close", "")
	if _, err := r.Bearer(t.Context(), "x"); !errs.Is(err, errs.Unauthenticated) {
		t.Error(err)
	}
	w := b.ask("POST", "/en/accounts/"+officer+"/link")
	m := regexp.MustCompile(`<pre tabindex="0">http://example.com` + regexp.QuoteMeta(auth.LinkPath) + `([a-z0-9]+)</pre>`).FindStringSubmatch(w.Body.String())
	if w.Code != http.StatusOK || m == nil || w.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	if err := r.SpendLink(t.Context(), m[1], "river stone under ice"); err != nil {
		t.Error(err)
	}
	for _, act := range []string{"account.close", "account.open", "account.link"} {
		if e := r.entries(t, audit.Filter{Act: act, Ref: officer}); len(e) != 1 || e[0].Who != operator || strings.Contains(e[0].Detail, m[1]) {
			t.Errorf("%s: %+v", act, e)
		}
	}
	b.refused(http.StatusNotFound, "/en/accounts/none/close", "")
	// What cannot be recorded is not shown.
	if _, err := r.db.Exec(t.Context(), `ALTER TABLE audit_subjects RENAME TO gone`); err != nil {
		t.Fatal(err)
	}
	if w := b.ask("GET", "/en/accounts"); w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "officer") {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
}
