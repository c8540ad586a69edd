package app

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/casework"
)

// TestTrack: whoever has a number sees where the case stands and nothing of what was
// reported; with the PIN, or the link, who reported it reads that and what they were
// told. Guessing is slowed down and locks nobody out of the link.
func TestTrack(t *testing.T) {
	t.Parallel()
	a := running(t, demoOptions(t.TempDir(), io.Discard))
	c, _, err := a.cases.Open(t.Context(), casework.Opening{
		Kind: "river_case", Category: "litter", Title: "岸边垃圾", Text: "桥下有垃圾", Source: "resident", Location: casework.Location{Area: "540102"},
	}, casework.Input{}, auth.System, casework.Request{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.cases.Act(t.Context(), c.ID, "need_info", casework.Input{Form: map[string]string{"question": "在哪一座桥？"}},
		auth.Principal{ID: "clerk", Role: "office_clerk", Post: auth.Post{Zh: "河长办"}}, casework.Request{}); err != nil {
		t.Fatal(err)
	}
	page := "http://" + a.httpAddr + "/en/track"
	get := func(query string) reply {
		t.Helper()
		return ask(t, http.DefaultClient, http.MethodGet, page+query, "", "Accept", "text/html")
	}
	pin := func(number, pin string) reply {
		t.Helper()
		return ask(t, http.DefaultClient, http.MethodPost, page, url.Values{"number": {number}, "pin": {pin}}.Encode(), "Accept", "text/html")
	}
	if got := get(""); got.status != http.StatusOK || strings.Contains(got.body, "case-h") {
		t.Errorf("the empty form: %d", got.status)
	}
	written := casework.Written(c.TrackingNo)
	got := get("?" + url.Values{"number": {written}}.Encode())
	if got.status != http.StatusOK || !strings.Contains(got.body, "river problem") && !strings.Contains(got.body, "litter") || !strings.Contains(got.body, written) {
		t.Errorf("by number: %d", got.status)
	}
	for _, hidden := range []string{"岸边垃圾", "桥下有垃圾", "在哪一座桥", "河长办", c.ID} {
		if strings.Contains(got.body, hidden) {
			t.Errorf("the number alone shows %q", hidden)
		}
	}
	if got := get("?number=26012345678938"); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, "mistyped") {
		t.Errorf("a mistyped number: %d", got.status)
	}
	if got := get("?number=26012345678939"); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, "no case of this number") {
		t.Errorf("a number of nothing: %d", got.status)
	}
	right := a.cases.PIN(c)
	if got := pin(written, right); got.status != http.StatusOK || !strings.Contains(got.body, "桥下有垃圾") || !strings.Contains(got.body, "在哪一座桥") || strings.Contains(got.body, "河长办") || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("with the PIN: %d %q", got.status, got.header.Get("Cache-Control"))
	}
	wrong := "000000"
	if wrong == right {
		wrong = "000001"
	}
	for range 5 {
		if got := pin(written, wrong); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, "PIN is wrong") {
			t.Fatalf("a wrong PIN: %d", got.status)
		}
	}
	if got := pin(written, right); got.status != http.StatusUnprocessableEntity || strings.Contains(got.body, "桥下有垃圾") {
		t.Errorf("after five wrong ones: %d", got.status)
	}
	if got := get("?" + url.Values{"number": {c.TrackingNo}, "key": {a.cases.Link(c)}}.Encode()); got.status != http.StatusOK || !strings.Contains(got.body, "桥下有垃圾") {
		t.Errorf("by the link: %d", got.status)
	}
	if got := get("?" + url.Values{"number": {c.TrackingNo}, "key": {"x"}}.Encode()); got.status != http.StatusOK || strings.Contains(got.body, "桥下有垃圾") {
		t.Errorf("by a wrong link: %d", got.status)
	}
	for range 40 {
		got = get("?number=26012345678939")
	}
	if !strings.Contains(got.body, "Too many look-ups") {
		t.Error("numbers can be tried for ever")
	}
}
