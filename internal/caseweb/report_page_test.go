package caseweb

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/casework"
)

// whole is a report with all its answers, on the page that sends it.
func whole(key string) []string {
	return []string{
		"step", "check", "go", "next", "key", key, "category", "sewage", "description", "桥下有污水", "area", "540121", "address_text", "大桥下游", "lat", "29.65", "long", "91.1", "contact", "138 0000 0000",
	}
}

// with are the fields of a form with another answer in place of one.
func with(fields []string, old, answer string) []string {
	out := slices.Clone(fields)
	out[slices.Index(out, old)] = answer
	return out
}

const reportKey = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// TestReport: whoever sees a problem answers one question a page, checks the answers, and
// has number, PIN and link; sent twice is once. How they can be reached is for the office.
func TestReport(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, r *rig) {
		t.Helper()
		r.page("", "/en/report", "What is the problem?", "Step 1 of 5", "You need no account", `<option value="sewage">`, `-<option value="border_water">`)
		step := func(says string, fields ...string) string {
			w := r.ask("", http.MethodPost, "/en/report", fields...)
			if w.Code != http.StatusOK {
				t.Fatalf("%v: %d: %s", fields, w.Code, markup.ReplaceAllString(w.Body.String(), " "))
			}
			r.says("after "+fields[1], w.Body.String(), says)
			return w.Body.String()
		}
		refused := func(field, says string, fields ...string) {
			r.says(field, r.refused("", "/en/report", http.StatusUnprocessableEntity, fields...), says, `href="#`+field+`"`)
		}
		refused("category", "Choose what comes nearest", "step", "what", "go", "next", "category", "border_water")
		body := step("What did you see?", "step", "what", "go", "next", "category", "drinking_source")
		r.says("urgent", body, "call 110 or 119 first", `name="category" value="drinking_source"`)
		refused("description", "Write what you saw", "step", "text", "go", "next", "category", "sewage")
		refused("description", "at most", "step", "text", "go", "next", "category", "sewage", "description", strings.Repeat("水", 2001))
		step("Where is it?", "step", "text", "go", "next", "category", "sewage", "description", "桥下有污水")
		refused("area", "Choose the county", "step", "where", "go", "next", "area", "999999")
		refused("lat", "", "step", "where", "go", "next", "area", "540121", "lat", "x", "long", "91.1")
		step("erased 30 days after the case ended", "step", "where", "go", "next", "category", "sewage", "description", "桥下有污水", "area", "540121")
		body = step("Check your answers", "step", "contact", "go", "next", "category", "sewage", "description", "桥下有污水", "area", "540121", "contact", "138")
		r.says("answers", body, "sewage", "桥下有污水", "area 540121", "138", `value="edit:where"`)
		step("Where is it?", "step", "check", "go", "edit:where", "category", "sewage", "area", "540121")
		refused("category", "Choose what comes nearest", "step", "check", "go", "next") // without the pages before
		for _, bad := range [][]string{{"step", "x"}, {"step", "what", "go", "edit:x"}} {
			r.refused("", "/en/report", http.StatusBadRequest, bad...)
		}

		to := r.post("", "/en/report", whole(reportKey)...)
		if again := r.post("", "/en/report", whole(reportKey)...); again != to || !strings.HasPrefix(to, "/en/report/done?number=") {
			t.Errorf("%s, the second time %s", to, again)
		}
		r.refused("", "/en/report", http.StatusConflict, with(whole(reportKey), "桥下有污水", "x")...)
		u, err := url.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		c, err := r.cases.ByTracking(t.Context(), u.Query().Get("number"))
		if err != nil || c.Category != "sewage" || c.Title != "sewage, area 540121" || c.Text != "桥下有污水" || c.Reporter != "" || c.Source != "resident" || !c.Location.HasPoint || c.State != "new" {
			t.Fatalf("%+v, %v", c, err)
		}
		done := r.page("", to, casework.Written(c.TrackingNo), r.cases.PIN(c), "Your report is received")
		link := regexp.MustCompile(`href="([^"]*/track\?[^"]+)"`).FindStringSubmatch(done)
		r.page("", strings.ReplaceAll(link[1], "&amp;", "&"), "桥下有污水")
		if w := r.ask("", http.MethodGet, "/en/report/done?number="+c.TrackingNo+"&key=x"); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/en/track" {
			t.Errorf("without the link: %d %s", w.Code, w.Header().Get("Location"))
		}

		// Nothing tells who it was but what they left, and that is for the office.
		r.act("clerk", c.ID, "hand_out", map[string]string{"unit": "water"})
		at := "/en/cases/" + c.TrackingNo
		r.page("clerk", at, "-138 0000 0000")
		r.page("clerk", at+"/reporter", "138 0000 0000", "Who reported has no account")
		r.page("water", at, "-138 0000 0000")
		if w := r.ask("water", http.MethodGet, at+"/reporter"); w.Code != http.StatusNotFound {
			t.Errorf("the unit learns how to reach them: %d", w.Code)
		}
		var looks, told int
		if err := r.db.QueryRow(t.Context(), `SELECT count(*) FROM audit_entries WHERE act = 'case.contact' AND ref = $1`, c.ID).Scan(&looks); err != nil || looks != 1 {
			t.Errorf("%d looks, %v", looks, err)
		}
		if err := r.db.QueryRow(t.Context(), `SELECT count(*) FROM audit_entries e JOIN audit_details d ON d.chain = e.chain AND d.seq = e.seq WHERE e.act = 'case.open' AND d.address <> ''`).Scan(&told); err != nil || told != 0 {
			t.Errorf("the record has the address of who reported: %d, %v", told, err)
		}
		if n, err := r.cases.ExpireContacts(t.Context(), r.now.Add(time.Hour)); err != nil || n != 0 {
			t.Errorf("the contact of an open case is gone: %d, %v", n, err)
		}
		r.act("water", c.ID, "decline", map[string]string{"reason": "x"})
		r.act("clerk", c.ID, "reject", map[string]string{"reason": "not_ours"})
		if n, err := r.cases.ExpireContacts(t.Context(), r.now); err != nil || n != 0 {
			t.Errorf("gone at once: %d, %v", n, err)
		}
		if n, err := r.cases.ExpireContacts(t.Context(), r.now.Add(time.Second)); err != nil || n != 1 {
			t.Errorf("kept: %d, %v", n, err)
		}
		r.page("clerk", at+"/reporter", "-138 0000 0000")
	})
}

// TestReportsAreBounded: one connection cannot fill the office's desk.
func TestReportsAreBounded(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, r *rig) {
		t.Helper()
		for range 10 {
			r.post("", "/en/report", whole("")...)
		}
		r.says("the eleventh", r.refused("", "/en/report", http.StatusUnprocessableEntity, whole("")...), "Too many reports", "桥下有污水")
		r.now = r.now.Add(time.Hour)
		r.post("", "/en/report", whole("")...)
		var n int
		if err := r.db.QueryRow(t.Context(), `SELECT count(*) FROM cases`).Scan(&n); err != nil || n != 11 {
			t.Errorf("%d cases, %v", n, err)
		}
	})
}

// TestNewCase: who works opens a case where their post reaches, with what the type asks for.
func TestNewCase(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, r *rig) {
		t.Helper()
		r.page("warden", "/en/cases/new", "river or lake problem · report", "-fix on the spot", "-electronic supervision")
		const form = "/en/cases/new?kind=river_case&action=report"
		r.page("warden", form, "Category", `<option value="540121" selected>`, "water across a border", "that of the category", "-Unit that must act")
		r.page("citizen", form, "Category")
		r.page("officer", "/en/cases/new?kind=supervision&action=raise", "Unit that must act", "times over")
		key := hidden.FindStringSubmatch(r.page("warden", form))[2]
		fill := func(fields ...string) []string {
			return append([]string{"key", key, "kind", "river_case", "action", "report", "category", "litter", "title", "岸边垃圾", "description", "桥下", "area", "540121", "source", "patrol"}, fields...)
		}
		body := r.refused("warden", "/en/cases/new", http.StatusUnprocessableEntity, "key", key, "kind", "river_case", "action", "report", "description", "桥下", "lat", "29", "long", "1000", "area", "540121")
		r.says("faults", body, `href="#title"`, `href="#category"`, `href="#source"`, `href="#long"`, "桥下")
		to := r.post("warden", "/en/cases/new", fill("lat", "29.65", "long", "91.1")...)
		if again := r.post("warden", "/en/cases/new", fill("lat", "29.65", "long", "91.1")...); again != to {
			t.Errorf("%s and %s", to, again)
		}
		r.page("warden", to, "岸边垃圾", "found on patrol", "minor", "you")
		r.page("clerk", to, "Now it is your turn: new")
		r.refused("warden", "/en/cases/new", http.StatusBadRequest, "kind", "river_case", "action", "fix_on_spot")

		raise := []string{
			"key", "r", "kind", "supervision", "action", "raise", "title", "超标（示例）", "area", "540121", "source", "alarm", "f_outlet", "1", "f_factor", "NOx", "f_statistic", "hour",
			"f_value", "62.4", "f_limit", "50", "f_times_over", "0.25", "f_days_over", "1", "f_link", "/alarms/1",
		}
		r.says("no unit", r.refused("officer", "/en/cases/new", http.StatusUnprocessableEntity, raise...), `href="#owner_unit"`, "62.4")
		r.says("elsewhere", r.refused("officer", "/en/cases/new", http.StatusUnprocessableEntity, with(append(raise, "owner_unit", "water"), "540121", "540000")...), "62.4")
		at := r.post("officer", "/en/cases/new", append(raise, "owner_unit", "water")...)
		r.page("officer", at, "Now it is your turn: raised", "water bureau", "62.4")
		r.page("water", at, "62.4", "officer岗") // an official act, which is told to whom it is about
	})
}

// TestReportLeavesNoAddress: the context of the request has one, and the record not.
func TestReportLeavesNoAddress(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, r *rig) {
		t.Helper()
		ctx := audit.WithAddress(context.WithoutCancel(t.Context()), "192.0.2.77")
		if _, _, err := r.cases.Report(ctx, casework.Opening{Kind: "river_case", Category: "litter", Title: "x", Source: "resident", Location: casework.Location{Area: "540121"}}, "", r.nobody(), casework.Request{}); err != nil {
			t.Fatal(err)
		}
		var n int
		if err := r.db.QueryRow(t.Context(), `SELECT count(*) FROM audit_details WHERE address = '192.0.2.77'`).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d, %v", n, err)
		}
	})
}
