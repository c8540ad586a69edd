package app

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/people"
)

// TestCases: a case over the interface, from the report to the answer of who handled
// it, with the answers to what is repeated, late, not allowed and not there.
func TestCases(t *testing.T) {
	t.Parallel()
	o := demoOptions(t.TempDir(), io.Discard)
	o.Flags["api.rate"] = "0"
	a := running(t, o)
	ctx := t.Context()
	office, err := a.people.PutOrganisation(ctx, people.Organisation{Kind: "authority", Name: auth.Post{Zh: "水利局（示例）"}, Area: "540100"}, auth.System)
	if err != nil {
		t.Fatal(err)
	}
	token := func(kind, area, unit string) string {
		t.Helper()
		u, err := a.auth.AddUser(ctx, auth.User{Login: kind + area, Post: auth.Post{Zh: kind}, Role: auth.Role(kind), Area: area})
		if err != nil {
			t.Fatal(err)
		}
		if unit != "" {
			p, err := a.people.AddPost(ctx, people.Post{Organisation: unit, Kind: kind, Area: area, Title: auth.Post{Zh: "岗"}}, auth.System)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := a.people.Appoint(ctx, people.Appointment{Post: p.ID, Account: u.ID}, auth.System); err != nil {
				t.Fatal(err)
			}
		}
		text, _, err := a.auth.CreateToken(ctx, u.ID, "x", "", time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	warden, clerk, department, stranger := token("warden", "540100", ""), token("office_clerk", "540100", ""), token("dept_handler", "540100", office.ID), token("person", "", "")
	type got struct {
		reply
		Case struct {
			ID, State, Code, PIN string
			Tracking             string   `json:"tracking_no"`
			Allowed              []string `json:"allowed_actions"`
			Version              int
			Reporter             string `json:"reporter_id"`
			Deadline             []struct{ Clock, State, Due string }
			Errors               []struct{ Field, Detail string }
		}
	}
	send := func(method, path, token, body string, header ...string) (g got) {
		t.Helper()
		g.reply = ask(t, http.DefaultClient, method, "http://"+a.httpAddr+"/api/v1/cases"+path, body, append([]string{"Authorization", "Bearer " + token, "Content-Type", "application/json"}, header...)...)
		if err := json.Unmarshal([]byte(g.body), &g.Case); err != nil {
			t.Fatalf("%s %s: %d %s", method, path, g.status, g.body)
		}
		return g
	}
	const report = `{"kind":"river_case","category":"litter","title":"岸边垃圾","description":"桥下","source":"patrol","location":{"area":"540102","point":{"lat":29.65,"long":91.1}}}`
	c := send("POST", "", warden, report, "Idempotency-Key", "k1")
	if c.status != http.StatusCreated || c.Case.State != "new" || len(c.Case.PIN) != 6 || len(c.Case.Tracking) != 14 || c.header.Get("ETag") != `"1"` || c.header.Get("Location") != "/api/v1/cases/"+c.Case.ID || len(c.Case.Deadline) == 0 {
		t.Fatalf("opened: %d %s", c.status, c.body)
	}
	id := c.Case.ID
	if g := send("POST", "", warden, report, "Idempotency-Key", "k1"); g.status != http.StatusOK || g.Case.ID != id || g.Case.PIN != c.Case.PIN {
		t.Errorf("the same again: %d %s", g.status, g.body)
	}
	if g := send("POST", "", warden, strings.Replace(report, "桥下", "桥上", 1), "Idempotency-Key", "k1"); g.status != http.StatusConflict || g.Case.Code != "key_reused" {
		t.Errorf("another report with the key: %d %s", g.status, g.body)
	}
	for body, field := range map[string]string{
		strings.Replace(report, "540102", "999999", 1): "location.area", strings.Replace(report, "litter", "king", 1): "category",
		strings.Replace(report, "岸边垃圾", "", 1): "title", strings.Replace(report, "patrol", "rumour", 1): "source", strings.Replace(report, "river_case", "x", 1): "kind",
	} {
		if g := send("POST", "", warden, body); g.status != http.StatusUnprocessableEntity || len(g.Case.Errors) != 1 || g.Case.Errors[0].Field != field || strings.HasPrefix(g.Case.Errors[0].Detail, "err.") {
			t.Errorf("%s: %d %s", field, g.status, g.body)
		}
	}
	if g := send("POST", "", warden, `{"king":1}`); g.status != http.StatusBadRequest {
		t.Errorf("a member that there is not: %d", g.status)
	}

	act := "/" + id + "/actions/hand_out"
	out := `{"payload":{"unit":` + strconv.Quote(office.ID) + `}}`
	if g := send("POST", act, clerk, out); g.status != http.StatusPreconditionRequired {
		t.Errorf("without If-Match: %d", g.status)
	}
	if g := send("POST", act, clerk, out, "If-Match", `"7"`); g.status != http.StatusPreconditionFailed || g.Case.Code != "stale" || g.Case.Version != 1 || g.Case.State != "new" || len(g.Case.Allowed) == 0 {
		t.Errorf("another version: %d %s", g.status, g.body)
	}
	if g := send("POST", act, warden, out, "If-Match", `"1"`); g.status != http.StatusForbidden || g.Case.Code != "role" {
		t.Errorf("by a warden: %d %s", g.status, g.body)
	}
	if g := send("POST", act, stranger, out, "If-Match", `"1"`); g.status != http.StatusNotFound {
		t.Errorf("by somebody who does not see it: %d", g.status)
	}
	if g := send("POST", "/"+id+"/actions/accept", clerk, "{}", "If-Match", `"1"`); g.status != http.StatusConflict || g.Case.Code != "state" {
		t.Errorf("too early: %d %s", g.status, g.body)
	}
	if g := send("POST", act, clerk, `{"payload":{"unit":"x"}}`, "If-Match", `"1"`); g.status != http.StatusUnprocessableEntity || len(g.Case.Errors) != 1 {
		t.Errorf("to nobody: %d %s", g.status, g.body)
	}
	if g := send("POST", act, clerk, out, "If-Match", `"1"`); g.status != http.StatusOK || g.Case.State != "assigned" || g.header.Get("ETag") != `"2"` || g.Case.Reporter != "" {
		t.Fatalf("handed out: %d %s", g.status, g.body)
	}
	if g := send("POST", "/"+id+"/actions/accept", department, "{}", "If-Match", `"2"`); g.status != http.StatusOK || g.Case.State != "handling" {
		t.Fatalf("accepted: %d %s", g.status, g.body)
	}
	// Work is reported done with a file that who reports it has uploaded, and no other.
	done := func(sum string) got {
		t.Helper()
		return send("POST", "/"+id+"/actions/report_done", department, `{"payload":{"note":"已清理"},"attachments":["`+sum+`"]}`, "If-Match", `"3"`)
	}
	handled, err := a.auth.Users(ctx)
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]auth.Principal{}
	for _, u := range handled {
		by[u.Login] = auth.Principal{ID: u.ID}
	}
	theirs, err := a.evidence.Put(ctx, by["warden540100"], "a.txt", strings.NewReader("before"))
	if err != nil {
		t.Fatal(err)
	}
	for _, sum := range []string{strings.Repeat("a", 64), theirs.SHA256, "x"} {
		if g := done(sum); g.status != http.StatusUnprocessableEntity || len(g.Case.Errors) != 1 || g.Case.Errors[0].Field != "attachments" || strings.HasPrefix(g.Case.Errors[0].Detail, "err.") {
			t.Errorf("with %s: %d %s", sum, g.status, g.body)
		}
	}
	own, err := a.evidence.Put(ctx, by["dept_handler540100"], "b.txt", strings.NewReader("after"))
	if err != nil {
		t.Fatal(err)
	}
	if g := done(own.SHA256); g.status != http.StatusOK || g.Case.State != "verifying" {
		t.Errorf("done: %d %s", g.status, g.body)
	}
	if all, err := a.evidence.OfCase(ctx, id); err != nil || all[own.SHA256].Name != "b.txt" || len(all) != 1 {
		t.Errorf("%+v, %v", all, err)
	}
	if g := send("GET", "/"+id, warden, ""); g.status != http.StatusOK || g.Case.State != "verifying" || g.Case.Reporter == "" || g.Case.PIN != "" {
		t.Errorf("the reporter's view: %d %s", g.status, g.body)
	}
	if g := send("GET", "/"+id, stranger, ""); g.status != http.StatusNotFound {
		t.Errorf("a stranger's view: %d", g.status)
	}
	var events struct {
		Events []struct{ Action, Actor, Hash, Prev string }
	}
	g := send("GET", "/"+id+"/events", department, "")
	if err := json.Unmarshal([]byte(g.body), &events); err != nil || len(events.Events) != 4 || events.Events[0].Actor != "" || events.Events[1].Actor == "" || len(events.Events[2].Hash) != 64 {
		t.Errorf("%s, %v", g.body, err)
	}
	var list struct {
		Cases []struct{ ID string }
		Next  string
	}
	g = send("GET", "?open=true&system=rivers", department, "")
	if err := json.Unmarshal([]byte(g.body), &list); err != nil || len(list.Cases) != 1 || list.Cases[0].ID != id {
		t.Errorf("%s, %v", g.body, err)
	}
	if same, err := a.cases.Rebuild(ctx, id); err != nil || !same {
		t.Errorf("%t, %v", same, err)
	}
}
