package caseweb

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/casework"
)

// TestCasePage: who has to do with a case sees whose turn it is and what they may do;
// others see none.
func TestCasePage(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, r *rig) {
		t.Helper()
		c := r.report()
		at := "/en/cases/" + c.TrackingNo
		r.page("clerk", at, "岸边垃圾", "桥下有垃圾", "Now it is your turn: new", "hand out", "1 working day", "provisional", "Map around", "大桥", "National rule", "river_case 1", "-citizen岗",
			casework.Written(c.TrackingNo), "The public page shows to who has the number: new", "Show who reported it", "Only added to; the chain of hashes holds", "What is not possible now", "-&lt;")
		r.page("warden", at, "Now it is the turn of clerk of a river-chief office, area 540121", "There is nothing you can do on it now")
		r.page("citizen", at, "you", "-Show who reported it", "-told:")
		r.page("clerk", "/zh/cases/"+c.TrackingNo, "现在由您处理：待受理", "交办")
		r.page("clerk", "/bo/cases/"+c.TrackingNo, "འགན་སྤྲོད།")
		for _, who := range []string{"stranger", "water"} {
			for _, path := range []string{at, at + "/actions/hand_out", at + "/reporter"} {
				if w := r.ask(who, http.MethodGet, path); w.Code != http.StatusNotFound {
					t.Errorf("%s of %s: %d", path, who, w.Code)
				}
			}
		}
		for path, want := range map[string]int{"/en/cases/26012345678939": http.StatusNotFound, "/en/cases/1": http.StatusNotFound, at + "/actions/accept": http.StatusConflict, at + "/actions/fly": http.StatusNotFound, at + "/actions/supervise": http.StatusConflict} {
			if w := r.ask("clerk", http.MethodGet, path); w.Code != want {
				t.Errorf("%s: %d, want %d", path, w.Code, want)
			}
		}
		if w := r.ask("warden", http.MethodGet, at+"/actions/hand_out"); w.Code != http.StatusForbidden {
			t.Errorf("an action of others: %d", w.Code)
		}
		if w := r.ask("clerk", http.MethodGet, at); w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("the page may be kept: %q", w.Header().Get("Cache-Control"))
		}
		r.now = r.now.AddDate(0, 0, 7)
		r.page("clerk", at, "late by 4 working days", "late")
	})
}

// TestReporterIsRecorded: who reported is told to the office alone, and each look is in
// the record of who was looked at.
func TestReporterIsRecorded(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, r *rig) {
		t.Helper()
		c := r.report()
		r.act("clerk", c.ID, "need_info", map[string]string{"question": "哪一座桥？"})
		r.act("citizen", c.ID, "answer", map[string]string{"answer": "我家门口"})
		r.act("clerk", c.ID, "hand_out", map[string]string{"unit": "water", "co_units": "police"})
		at := "/en/cases/" + c.TrackingNo
		looks := func() (n int) {
			if err := r.db.QueryRow(t.Context(), `SELECT count(*) FROM audit_entries e JOIN audit_subjects s ON s.chain = e.chain AND s.seq = e.seq WHERE e.act = 'case.reporter' AND s.subject = $1`, r.ids["citizen"]).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		r.page("clerk", at, "我家门口", "water bureau", "police bureau", "-citizen岗")
		r.page("water", at, "-我家门口", "-citizen", "What was entered is kept back", "Now it is your turn: handed out", "not shown", "clerk岗")
		r.page("citizen", at, "我家门口", "-clerk岗", "哪一座桥")
		if w := r.ask("water", http.MethodGet, at+"/reporter"); w.Code != http.StatusNotFound {
			t.Errorf("the unit learns who reported: %d", w.Code)
		}
		if n := looks(); n != 0 {
			t.Errorf("%d looks before any", n)
		}
		r.page("clerk", at+"/reporter", "citizen岗", "This look is in the record")
		r.page("citizen", at+"/reporter", "citizen岗") // one's own is none
		if n := looks(); n != 1 {
			t.Errorf("%d looks, want 1", n)
		}
	})
}

var hidden = regexp.MustCompile(`name="(key|version)" value="([^"]+)"`)

// form are the hidden fields of the form of an action.
func (r *rig) form(login, target string) (out []string) {
	r.t.Helper()
	for _, m := range hidden.FindAllStringSubmatch(r.page(login, target), 2) {
		out = append(out, m[1], m[2])
	}
	if len(out) != 4 {
		r.t.Fatalf("%s has the hidden fields %q", target, out)
	}
	return out
}

// TestActs: forms ask by the type, tell what is wrong and keep what was entered; twice
// is once; a stale one shows what happened in between.
func TestActs(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, r *rig) {
		t.Helper()
		c := r.report()
		at := "/en/cases/" + c.TrackingNo
		out := at + "/actions/hand_out"
		r.page("clerk", out, "lead unit", "units beside it", "water bureau", `name="f_co_units" value="police"`)
		old, other := r.form("clerk", out), r.form("clerk", at+"/actions/reject")
		body := r.refused("clerk", out, http.StatusUnprocessableEntity, append(old, "f_note", "请尽快", "f_co_units", "police")...)
		r.says("no unit", body, `href="#f_unit"`, "请尽快", `value="police" checked`)
		body = r.refused("clerk", out, http.StatusUnprocessableEntity, append(old, "f_unit", "far")...)
		r.says("a unit from elsewhere", body, `href="#action"`, "There is no such organisation")
		sent := append(old, "f_unit", "water", "f_co_units", "police", "f_note", "请尽快")
		for range 2 {
			if to := r.post("clerk", out, sent...); to != at {
				t.Errorf("leads to %s", to)
			}
		}
		events, err := r.cases.Events(t.Context(), c.ID)
		if err != nil || len(events) != 2 || events[1].Body.Form["co_units"] != "police" {
			t.Fatalf("%d events, %v", len(events), err)
		}
		r.says("the key for something else", r.refused("clerk", out, http.StatusConflict, append(old, "f_unit", "police")...), "Idempotency-Key")
		body = r.refused("clerk", at+"/actions/reject", http.StatusConflict, append(other, "f_reason", "not_ours", "f_note", "不归我们")...)
		r.says("stale and gone", body, "The case has changed", "请尽快", "It is handed out now; reject is not possible any more", "不归我们", "not ours", `-name="version"`)

		// Pressed on the page, for it asks for nothing.
		accept := hidden.FindAllStringSubmatch(r.page("water", at, "accept", "decline"), 2)
		r.post("water", at+"/actions/accept", "key", accept[0][2], "version", accept[1][2])
		r.page("water", at, "Now it is your turn: being handled", "report done", "ask for more time")
		progress := r.form("water", at+"/actions/progress")
		r.act("clerk", c.ID, "pause", map[string]string{"reason": "season", "until": "2026-07-01"})
		r.act("clerk", c.ID, "resume", nil)
		body = r.refused("water", at+"/actions/progress", http.StatusConflict, append(progress, "f_note", "已清理一半")...)
		r.says("stale", body, "pause", "season or ice", "已清理一半", `name="version" value="5"`)
		r.post("water", at+"/actions/progress", "key", "again", "version", "5", "f_note", "已清理一半")
		r.says("evidence", r.refused("water", at+"/actions/report_done", http.StatusUnprocessableEntity, "key", "done", "version", "6", "f_note", "已清理"), "Attach a photo")
		r.post("water", at+"/actions/report_done", "key", "done", "version", "6", "f_note", "已清理", "attachment", strings.Repeat("ab", 32))
		r.page("clerk", at, "已清理一半", "file 1", at+"/files/"+strings.Repeat("ab", 32), "Now it is your turn: being verified")
		w := r.ask("clerk", http.MethodPost, at+"/actions/verify_ok", "key", "ok", "version", strconv.Itoa(7), "f_summary", "垃圾已清理")
		if w.Code != http.StatusSeeOther || !strings.Contains(w.Header().Get("Set-Cookie"), "case_act") {
			t.Errorf("%d %v", w.Code, w.Header())
		}
		r.page("citizen", at, "垃圾已清理", "resolved: nobody has to act now", "rate")
		r.now = r.now.Add(16 * 24 * time.Hour)
		r.page("citizen", at, "What is not possible now", "It was resolved more than 15 days ago")
		if w := r.ask("clerk", http.MethodPost, at+"/actions/close", "key", "x"); w.Code != http.StatusBadRequest {
			t.Errorf("without a version: %d", w.Code)
		}
		if same, err := r.cases.Rebuild(t.Context(), c.ID); err != nil || !same {
			t.Errorf("%t, %v", same, err)
		}
	})
}

// TestCommentsOnThePage: a note is added on the page of the case, names whom it tells, and
// is read by whom it is for; the last step of one's own can be taken back there.
func TestCommentsOnThePage(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, r *rig) {
		t.Helper()
		c := r.report()
		at := "/en/cases/" + c.TrackingNo
		add := at + "/actions/comment"
		r.page("clerk", at, "Add the comment", "who works on the case", "everybody with the number", `name="f_mention" value="post:p1"`, "the office of the level above", "-Take this step back")
		r.page("citizen", at, "Add the comment", "-everybody with the number", "-f_mention")
		r.page("warden", add, "comment", "who reads it")
		r.post("clerk", add, "key", "1", "version", "1", "f_text", "内部说明", "f_mention", "upper_office", "f_mention", "post:p1")
		r.post("clerk", add, "key", "2", "version", "1", "f_text", "请问在哪", "f_visibility", "reporter") // not stale: it is only added
		r.post("clerk", add, "key", "3", "version", "1", "f_text", "本周清理", "f_visibility", "public")
		r.post("citizen", add, "key", "4", "version", "1", "f_text", "我家旁边")
		r.says("no text", r.refused("clerk", add, http.StatusUnprocessableEntity, "key", "5", "version", "1", "f_mention", "unit:x", "f_text", "写了一半"), "Choose posts or organisations that see the case", "写了一半", `href="#f_mention"`)
		r.page("clerk", at, "内部说明", "请问在哪", "我家旁边", "told: the office of the level above, the post p1", "-Take this step back")
		r.page("citizen", at, "-内部说明", "请问在哪", "本周清理", "我家旁边", "-the office of the level above", "Take this step back")
		public := r.page("", "/en/track?number="+c.TrackingNo, "本周清理", "-请问在哪", "-我家旁边", "Notes for everybody")
		r.says("track", public, "-桥下有垃圾")
		r.page("", "/en/track?number="+c.TrackingNo+"&key="+r.cases.Link(c), "本周清理", "请问在哪", "我家旁边", "-内部说明")

		out := at + "/actions/hand_out"
		r.post("clerk", out, "key", "6", "version", "5", "f_unit", "water")
		r.page("water", at, "内部说明", "请问在哪", "-我家旁边")
		r.page("clerk", at, "Take this step back")
		r.page("chief", at, "-Take this step back")
		back := r.form("clerk", at+"/actions/take_back")
		if w := r.ask("chief", http.MethodGet, at+"/actions/take_back"); w.Code != http.StatusConflict {
			t.Errorf("somebody else's step: %d", w.Code)
		}
		r.post("clerk", at+"/actions/take_back", append(back, "f_reason", "选错了")...)
		r.post("clerk", at+"/actions/take_back", append(back, "f_reason", "选错了")...) // pressed twice
		r.page("clerk", at, "Now it is your turn: new", "taken back", "选错了", "take back → new")
		if w := r.ask("water", http.MethodGet, at); w.Code != http.StatusNotFound {
			t.Errorf("the unit of the step that was taken back: %d", w.Code)
		}
		r.post("clerk", add, "key", "7", "version", "7", "f_text", "写错了", "f_visibility", "public")
		r.post("clerk", at+"/actions/take_back", "key", "8", "version", "8")
		r.page("", "/en/track?number="+c.TrackingNo, "-写错了")
		r.page("", "/en/track?number="+c.TrackingNo+"&key="+r.cases.Link(c), "-写错了", "hand out (taken back)")
		r.act("clerk", c.ID, "reject", map[string]string{"reason": "not_ours"})
		body := r.refused("clerk", add, http.StatusConflict, "key", "9", "version", "9", "f_text", "太晚了")
		r.says("a comment on what is closed", body, "太晚了", "comment is not possible any more")
	})
}
