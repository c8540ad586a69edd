package accountweb

import (
	"encoding/csv"
	"fmt"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/audit"
)

// TestLooks: people see who looked at their data, by post, with the reason and on
// whose behalf; not what they did themselves, and not what concerns others.
func TestLooks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.signedIn(t, "officer")
	officer, enterprise := r.idOf(t, "officer"), r.idOf(t, "enterprise")
	b.page("/en/account/looks", "by post") // the account was made by the program
	r.pass(time.Minute)
	operator := r.signedIn(t, "operator")
	operator.page("/en/accounts/" + officer)
	r.pass(time.Minute)
	auditor, _ := r.auditor(t)
	auditor.post("/en/audit/check", "/en/audit", "why", "=complaint about an alarm", "reference", "2026-17")
	auditor.page("/en/audit")
	r.pass(time.Minute)
	deputy := audit.Entry{At: r.now(), Who: enterprise, Post: "代理（示例）", OnBehalfOf: r.idOf(t, "operator"), System: "platform", Act: "account.view", Kind: "account", Ref: officer, Subjects: []string{officer}}
	if err := audit.Look(t.Context(), r.db, deputy); err != nil {
		t.Fatal(err)
	}
	body := b.page("/en/account/looks", "系统管理员（示例）", "account looked at", "Keeping of accounts", "审计员（示例）", "=complaint about an alarm (reference 2026-17)", "record of acts looked at", "代理（示例）", "Operator (sample)", "2026-11-24 16:31:00")
	for _, hidden := range []string{"signed in", "192.0.2.", enterprise, ">operator<", ">auditor<"} {
		if strings.Contains(body, hidden) {
			t.Errorf("the page shows %q", hidden)
		}
	}
	w := b.ask("GET", "/en/account/looks.csv")
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(w.Body.String(), "\ufeff"))).ReadAll()
	if err != nil || len(rows) != 2+4 || rows[2][1] != "代理（示例）" || rows[2][5] != "Operator (sample)" || rows[3][4] != "'=complaint about an alarm (reference 2026-17)" || rows[4][2] != "account.view" || rows[5][2] != "account.create" {
		t.Errorf("%v: %q", err, rows)
	}
	if body := r.signedIn(t, "enterprise").page("/en/account/looks"); strings.Contains(body, "account looked at") {
		t.Error("what concerns somebody else")
	}
	for range 60 {
		r.pass(time.Second)
		deputy.At = r.now()
		if err := audit.Look(t.Context(), r.db, deputy); err != nil {
			t.Fatal(err)
		}
	}
	body = b.page("/en/account/looks", "Older")
	if n := strings.Count(body, "<tr role=\"row\"><th scope=\"row\""); n != recordPage {
		t.Errorf("%d rows", n)
	}
	last := r.entries(t, audit.Filter{Subject: officer, Act: "account.view"})
	cursor := last[len(last)-recordPage].Cursor()
	b.page(fmt.Sprintf("/en/account/looks?before=%s", cursor), "Newest", "2026-17")
}

// TestPersonal: anybody reads which personal data is kept, and the foot of each
// page leads there.
func TestPersonal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.browser(t).page("/en/personal-data", "184 days", "users.*", "audit_details.address", "个人信息保护法 13(1)(3)", "not compared with the text", `<a href="/en/personal-data">Personal data</a>`)
	r.signedIn(t, "officer").page("/en/account", `<a href="/en/personal-data">`)
}
