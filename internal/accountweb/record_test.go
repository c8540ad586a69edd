package accountweb

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
)

// auditor is a browser of an auditor.
func (r *rig) auditor(t *testing.T) (b *browser, id string) {
	t.Helper()
	const password = "river stone under ice"
	u, err := r.CreateUser(t.Context(), auth.User{Login: "auditor", Post: auth.Post{Zh: "审计员（示例）", En: "Auditor (sample)"}, Role: "auditor"}, password)
	if err != nil {
		t.Fatal(err)
	}
	secret, _, err := r.SignIn(t.Context(), "auditor", password, auth.Client{Address: "192.0.2.9"})
	if err != nil {
		t.Fatal(err)
	}
	b = r.browser(t)
	b.cookies[auth.CookieName] = secret
	return b, u.ID
}

// write appends entries of an account.
func (r *rig) write(t *testing.T, entries ...audit.Entry) {
	t.Helper()
	for _, e := range entries {
		if err := r.db.Tx(t.Context(), func(tx *db.Tx) error { return audit.Append(audit.WithAddress(t.Context(), "203.0.113.7"), tx, e) }); err != nil {
			t.Fatal(err)
		}
	}
}

func (r *rig) act(n int, who string) audit.Entry {
	return audit.Entry{At: r.now().Add(time.Duration(n) * time.Second), Who: who, Post: "值班员（示例）", System: "telemetry", Act: "alarm.ack", Kind: "alarm", Ref: fmt.Sprintf("A%03d", n), Detail: `{"note":"=cmd"}`}
}

// TestRecord: an operator reads the record; pages are stable while entries come,
// filters choose, exports hold all of the filter and no formula; each look is an
// entry with those whom it showed.
func TestRecord(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	officer, operator := r.idOf(t, "officer"), r.idOf(t, "operator")
	for n := range 120 {
		r.write(t, r.act(n, officer))
	}
	r.pass(time.Hour)
	b := r.signedIn(t, "operator")
	body := b.page("/en/audit?act=alarm.ack", "A119", "A070", "2026-11-24 16:31:59", "note on an alarm", "203.0.113.7", "值班员（示例）", "Older")
	if strings.Contains(body, "A069") {
		t.Error("the page has more than fifty entries")
	}
	looks := r.entries(t, audit.Filter{Act: "record.list"})
	if len(looks) != 1 || looks[0].Who != operator || len(looks[0].Subjects) != 1 || looks[0].Subjects[0] != officer {
		t.Errorf("%+v", looks)
	}
	older := regexp.MustCompile(`<a rel="next" href="([^"]+)"`).FindStringSubmatch(body)
	if older == nil {
		t.Fatal("no way to older entries")
	}
	next := strings.ReplaceAll(older[1], "&amp;", "&")
	r.write(t, r.act(5000, officer)) // meanwhile
	body = b.page(next, "A069", "A020", "Newest")
	if strings.Contains(body, "A070") || strings.Contains(body, "A019") {
		t.Error("the second page shifted")
	}
	b.page("/en/audit?act=alarm.&from=2026-11-24&to=2026-11-24&ref=A007", "A007")
	b.page("/en/audit?act=alarm.&from=2026-11-25", "No entry is like that.")
	b.page("/en/audit?kind=account&system=platform&who="+operator, "signed in")
	b.page("/en/audit?subject=" + officer)
	w := b.ask("GET", "/en/audit?from=yesterday")
	if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "Enter a day as 2026-11-28") || strings.Contains(w.Body.String(), "A119") {
		t.Errorf("%d", w.Code)
	}

	w = b.ask("GET", "/en/audit.csv?act=alarm.ack")
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(w.Body.String(), "\ufeff"))).ReadAll()
	if w.Code != http.StatusOK || err != nil || len(rows) != 2+121 || rows[0][0] != "entry" || rows[1][2] != "Account" || rows[3][9] != "A119" {
		t.Fatalf("%d, %v, %d rows: %.500s", w.Code, err, len(rows), w.Body)
	}
	var out struct{ Entries []recordEntry }
	w = b.ask("GET", "/en/audit.json?act=alarm.ack")
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || len(out.Entries) != 121 || out.Entries[1].Who != officer || string(out.Entries[1].Detail) != `{"note":"=cmd"}` {
		t.Errorf("%v, %d, %+v", err, len(out.Entries), out.Entries[:2])
	}
	if looks := r.entries(t, audit.Filter{Act: "record.export", Subject: officer}); len(looks) != 2 {
		t.Errorf("%+v", looks)
	}

	e := r.entries(t, audit.Filter{Ref: "A007"})[0]
	place := fmt.Sprintf("%s/%d", e.Chain, e.Seq)
	b.page("/en/audit/entries/"+place, "203.0.113.7", "=cmd", officer, e.Hash)
	if looks := r.entries(t, audit.Filter{Act: "record.view", Subject: officer}); len(looks) != 1 || looks[0].Ref != place {
		t.Errorf("%+v", looks)
	}
	b.refused(http.StatusNotFound, "/en/audit/check/none", "")
	if w := b.ask("GET", "/en/audit/entries/none/1"); w.Code != http.StatusNotFound {
		t.Errorf("%d", w.Code)
	}
	change := r.act(1, officer)
	change.Act, change.Ref = "registry.update", "R1"
	r.write(t, change)
	r.changed = []Change{{"outlet", "7", `{"Lon":91.1}`, `{"Lon":91.2}`}}
	e = r.entries(t, audit.Filter{Ref: "R1"})[0]
	b.page(fmt.Sprintf("/en/audit/entries/%s/%d", e.Chain, e.Seq), "91.1", "91.2", "Before", "change of the registry")

	b.page("/en/audit/chains", "nothing was altered", e.Chain)
	if _, err := r.db.Exec(t.Context(), `DROP TRIGGER audit_entries_keep_update`); err != nil {
		t.Fatal(err)
	}
	if _, err := r.db.Exec(t.Context(), `UPDATE audit_entries SET ref = 'other' WHERE ref = 'A007'`); err != nil {
		t.Fatal(err)
	}
	b.page("/en/audit/chains", "not as it was written", "/"+strings.Split(place, "/")[1]+": it, or the one before")
}

// TestNamedCheck: an auditor sees nothing personal without a check; with one they
// see it, and each look says why to those concerned.
func TestNamedCheck(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	officer := r.idOf(t, "officer")
	r.write(t, r.act(7, officer))
	r.pass(time.Hour)
	b, auditor := r.auditor(t)
	e := r.entries(t, audit.Filter{Ref: "A007"})[0]
	entry := fmt.Sprintf("/en/audit/entries/%s/%d", e.Chain, e.Seq)
	all := []string{"/en/audit", "/en/audit?subject=" + officer, "/en/audit?ref=A007", entry, "/en/audit.csv", "/en/audit.json"}
	hidden := func(when string) {
		t.Helper()
		for _, page := range all {
			w := b.ask("GET", page)
			for _, s := range []string{officer + "<", "203.0.113.7", "=cmd", "值班员（示例）", r.idOf(t, "operator")} {
				if w.Code != http.StatusOK || strings.Contains(w.Body.String(), s) {
					t.Errorf("%s: %s shows %q (%d)", when, page, s, w.Code)
				}
			}
			if page != "/en/audit.csv" && !strings.Contains(w.Body.String(), "alarm") {
				t.Errorf("%s: %s shows nothing at all: %s", when, page, w.Body)
			}
		}
		for _, act := range []string{"record.list", "record.view", "record.export"} {
			if looks := r.entries(t, audit.Filter{Act: act, From: r.now()}); len(looks) != 0 {
				t.Errorf("%s: what showed nobody is a look: %+v", when, looks)
			}
		}
	}
	hidden("without a check")
	// The filter must not tell by what it leaves out.
	if n, m := len(b.page("/en/audit?who="+officer)), len(b.page("/en/audit?who="+auditor)); n != m {
		t.Error("filtering by account tells whose entries these are")
	}
	b.refused(422, "/en/audit/check", "at least ten characters", "why", "short", "reference", "2026-17")
	b.refused(422, "/en/audit/check", "Enter a value", "why", "complaint about an alarm", "reference", " ")
	b.post("/en/audit/check", "/en/audit", "why", "complaint about an alarm", "reference", "2026-17")
	b.page("/en/audit", "The check is open", "Named check 2026-17", "complaint about an alarm", "203.0.113.7")
	b.page(entry, "203.0.113.7", "=cmd")
	looks := r.entries(t, audit.Filter{Subject: officer, Act: "record."})
	if len(looks) != 2 {
		t.Fatalf("%+v", looks)
	}
	for _, l := range looks {
		if reason := l.Reason(); l.Who != auditor || reason.Why != "complaint about an alarm" || reason.Reference != "2026-17" || reason.Check == "" {
			t.Errorf("%+v", l)
		}
	}
	r.pass(time.Minute)
	b.post("/en/audit/check/end", "/en/audit")
	r.pass(time.Minute)
	hidden("after its end")
	b.post("/en/audit/check", "/en/audit", "why", "complaint about an alarm", "reference", "2026-18")
	r.pass(audit.CheckLife + time.Second)
	hidden("after its time")
	if opened := r.entries(t, audit.Filter{Act: "check."}); len(opened) != 3 || opened[0].Kind != "audit_check" {
		t.Errorf("%+v", opened)
	}
	if w := r.signedIn(t, "officer").ask("GET", "/en/audit"); w.Code != http.StatusForbidden {
		t.Errorf("an officer: %d", w.Code)
	}
	b.post("/en/audit/check", "/en/audit", "why", "a reason that is erased later", "reference", "2026-19")
	last := r.entries(t, audit.Filter{Act: "check.open"})[2]
	if err := audit.Erase(t.Context(), r.db, last.Chain, last.Seq, "test", audit.Entry{Who: "system", At: r.now()}); err != nil {
		t.Fatal(err)
	}
	r.pass(time.Minute)
	hidden("after its reason was erased")
}
