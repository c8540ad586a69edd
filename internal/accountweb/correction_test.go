package accountweb

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
)

// TestCorrection: somebody asks to have something put right, who keeps accounts
// answers, both see it, and the record has every step; nobody answers their own.
func TestCorrection(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b, o := r.signedIn(t, "officer"), r.signedIn(t, "operator")
	b.refused(422, "/en/account/data", "Enter a text of at most 2,000 characters", "text", " ")
	b.refused(422, "/en/account/data", "Enter a text of at most 2,000 characters", "text", strings.Repeat("x", 2001))
	b.post("/en/account/data", "/en/account/data", "text", "The post is <b>wrong</b>")
	b.page("/en/account/data", "The post is &lt;b&gt;wrong&lt;/b&gt;", "waits for an answer")
	list, err := r.Corrections(t.Context(), "")
	if err != nil || len(list) != 1 || list[0].Login != "officer" {
		t.Fatalf("%+v, %v", list, err)
	}
	id := list[0].ID
	o.page("/en/corrections", "The post is &lt;b&gt;wrong&lt;/b&gt;", "officer")
	o.refused(422, "/en/corrections", "Enter a text of at most", "id", id, auth.AnswerField(id), "")
	o.post("/en/corrections", "/en/corrections", "id", id, auth.AnswerField(id), "It is put right")
	o.refused(409, "/en/corrections", "was answered already", "id", id, auth.AnswerField(id), "Again")
	o.refused(404, "/en/corrections", "", "id", "none", auth.AnswerField("none"), "x")
	b.page("/en/account/data", "answered", "It is put right")
	o.page("/en/corrections", "No request waits", "It is put right")

	// One's own waits for somebody else.
	o.post("/en/account/data", "/en/account/data", "text", "mine")
	mine, err := r.Corrections(t.Context(), r.idOf(t, "operator"))
	if err != nil || len(mine) != 1 {
		t.Fatalf("%+v, %v", mine, err)
	}
	o.page("/en/corrections", "another operator has to answer it")
	o.refused(403, "/en/corrections", "another operator", "id", mine[0].ID, auth.AnswerField(mine[0].ID), "x")
	for range 19 {
		o.post("/en/account/data", "/en/account/data", "text", "more")
	}
	o.refused(409, "/en/account/data", "20 of your requests wait", "text", "one more")

	// An officer opens no request of others, and the look of the operator is known.
	if w := b.ask("GET", "/en/corrections"); w.Code != http.StatusForbidden {
		t.Errorf("an officer reads them: %d", w.Code)
	}
	acts := map[string]int{}
	for _, e := range r.entries(t, audit.Filter{Subject: r.idOf(t, "officer")}) {
		acts[e.Act]++
		if strings.Contains(e.Detail, "wrong") || strings.Contains(e.Detail, "put right") {
			t.Errorf("the record holds the text: %s", e.Detail)
		}
	}
	if acts["account.correction_ask"] != 1 || acts["account.correction_answer"] != 1 {
		t.Errorf("%v", acts)
	}
	b.page("/en/account/looks", "requests for correction looked at", "request for correction answered")
	r.pass(auth.ProofLife + time.Second)
	if w := o.ask("POST", "/en/corrections", "id", mine[0].ID); w.Code != http.StatusSeeOther || !strings.Contains(w.Header().Get("Location"), "/en/account/confirm") {
		t.Errorf("without a fresh proof: %d to %q", w.Code, w.Header().Get("Location"))
	}
}
