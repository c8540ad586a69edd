package telemetryweb

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"plateau/internal/platform/db"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry/dialogue"
	"plateau/internal/telemetry/events"
)

func loadDocument(t *testing.T, text []byte) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestDocumentIsValid(t *testing.T) {
	t.Parallel()
	doc := loadDocument(t, Document())
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.0" || !bytes.Equal(Document(), Document()) {
		t.Error("the document is another one each time, or of another version")
	}
	for _, l := range i18n.Langs() {
		for _, o := range operations() {
			if !i18n.Default().For(l).Has("api_doc.op_" + o.ID) {
				t.Errorf("%s: operation %s has no words", l, o.ID)
			}
		}
	}
}

// TestDocumentAndRoutesAgree: what is described is mounted, and what is mounted
// below /api/v1 is described.
func TestDocumentAndRoutesAgree(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	doc := loadDocument(t, Document())
	described := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method, o := range item.Operations() {
			described[method+" "+path] = true
			req := httptest.NewRequestWithContext(t.Context(), method, strings.NewReplacer("{id}", "1", "{mn}", "M").Replace(path), nil)
			if _, pattern := r.mux.Handler(req); pattern != method+" "+path {
				t.Errorf("%s (%s) is described and served by %q", path, o.OperationID, pattern)
			}
		}
	}
	for _, o := range operations() {
		if !described[o.Method+" "+o.Path] {
			t.Errorf("%s %s is not described", o.Method, o.Path)
		}
		delete(described, o.Method+" "+o.Path)
	}
	if len(described) > 0 {
		t.Errorf("not declared: %v", described)
	}
	for _, rt := range routes() {
		if strings.HasPrefix(rt.path, "/api/") {
			t.Errorf("%s is served as a page", rt.path)
		}
	}
}

// apiRig is a rig with everything behind the interface and a log of events.
func apiRig(t *testing.T, outlets int) *rig {
	t.Helper()
	r := newRig(t, outlets)
	base, err := db.Open(t.Context(), t.TempDir()+"/events.db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = base.Close() })
	log, err := events.New(events.Options{DB: base, Registry: r.registry, Now: func() time.Time { return testNow }, Poll: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	value := 62.4
	if err := base.Tx(t.Context(), func(tx *db.Tx) error {
		return log.Append(t.Context(), tx, []events.Event{
			{Kind: events.AlarmRaised, Outlet: 1, OutletName: &events.Name{Zh: "一号"}, Area: "541101", Path: "/alarms/over1", Alarm: &events.Alarm{ID: "over1", Kind: "over", Severity: "act", Start: testNow, Opened: testNow, Limit: &events.Limit{Op: "<=", Hi: &value}}},
			{Kind: events.OutletState, Outlet: 3, Path: "/outlets/3", State: &events.State{From: "normal", To: "exceed", Value: &value}},
			{Kind: events.OutletState, Outlet: 1, Path: "/outlets/1", State: &events.State{From: "exceed", To: "normal"}},
		})
	}); err != nil {
		t.Fatal(err)
	}
	r.Events = log
	r.dialogues.list = []dialogue.Record{{
		ID: testDialogue, MN: testMN, Act: "get_clock", CN: 1011, Origin: dialogue.FromAPI, Started: testNow, Ended: testNow, Outcome: dialogue.Done, QnRtn: 1, ExeRtn: -1,
		Values: map[string]string{"SystemTime": "20261123083000"}, Steps: []dialogue.Step{{At: testNow, Code: 1, N: 1}},
	}}
	return r
}

// apiCalls are requests that answer with success, at least one for each
// operation.
var apiCalls = []struct{ id, target, body, accept string }{
	{id: "getDocument", target: "/api/v1/openapi.json"},
	{id: "listAreas", target: "/api/v1/areas"},
	{id: "listAreas", target: "/api/v1/areas?limit=2"},
	{id: "listEnterprises", target: "/api/v1/enterprises"},
	{id: "getEnterprise", target: "/api/v1/enterprises/ent-1"},
	{id: "listOutlets", target: "/api/v1/outlets"},
	{id: "listOutlets", target: "/api/v1/outlets?area=540000&medium=gas", accept: "application/x-ndjson"},
	{id: "getOutlet", target: "/api/v1/outlets/3"},
	{id: "listFactors", target: "/api/v1/factors"},
	{id: "listRules", target: "/api/v1/rules"},
	{id: "getRule", target: "/api/v1/rules/cems.hour_mean"},
	{id: "listLimits", target: "/api/v1/limits"},
	{id: "listStates", target: "/api/v1/states"},
	{id: "listStates", target: "/api/v1/states", accept: "application/x-ndjson"},
	{id: "listHours", target: "/api/v1/outlets/1/hours"},
	{id: "listHours", target: "/api/v1/outlets/1/hours", accept: "application/x-ndjson"},
	{id: "listDays", target: "/api/v1/outlets/1/days?from=2026-11-20T00:00:00%2B08:00"},
	{id: "getPeriod", target: "/api/v1/outlets/1/periods?level=month&date=2026-11"},
	{id: "listIndices", target: "/api/v1/outlets/6/indices?from=2026-11-01T00:00:00%2B08:00"},
	{id: "listIndices", target: "/api/v1/outlets/6/indices?from=2026-11-01T00:00:00%2B08:00", accept: "application/x-ndjson"},
	{id: "getReport", target: "/api/v1/outlets/1/reports/2026-11-22"},
	{id: "getReport", target: "/api/v1/outlets/1/reports/2026-10?fields=row,from,note"},
	{id: "listRecords", target: "/api/v1/outlets/1/records"},
	{id: "streamHours", target: "/api/v1/hours?from=2026-11-23T06:00:00%2B08:00"},
	{id: "streamDays", target: "/api/v1/days?from=2026-11-20T00:00:00%2B08:00&enterprise=ent-1"},
	{id: "listAlarms", target: "/api/v1/alarms"},
	{id: "listAlarms", target: "/api/v1/alarms?limit=1"},
	{id: "listAlarms", target: "/api/v1/alarms", accept: "application/x-ndjson"},
	{id: "getAlarm", target: "/api/v1/alarms/over1"},
	{id: "acknowledgeAlarm", target: "/api/v1/alarms/over1/acknowledgement", body: `{"note":"x"}`},
	{id: "unacknowledgeAlarm", target: "/api/v1/alarms/over1/acknowledgement"},
	{id: "callAlarmFalse", target: "/api/v1/alarms/warn4/false", body: `{"note":"calibration gas"}`},
	{id: "callAlarmTrue", target: "/api/v1/alarms/warn4/false"},
	{id: "listDevices", target: "/api/v1/devices"},
	{id: "getDevice", target: "/api/v1/devices/" + testMN},
	{id: "listFrames", target: "/api/v1/devices/" + testMN + "/frames"},
	{id: "sendCommand", target: "/api/v1/devices/" + testMN + "/commands", body: `{"act":"get_clock"}`},
	{id: "listDialogues", target: "/api/v1/devices/" + testMN + "/dialogues"},
	{id: "getDialogue", target: "/api/v1/dialogues/" + testDialogue},
	{id: "listGaps", target: "/api/v1/gaps"},
	{id: "getGap", target: "/api/v1/gaps/" + testGap},
	{id: "listEvents", target: "/api/v1/events"},
	{id: "listEvents", target: "/api/v1/events?cursor=last"},
	{id: "listWebhooks", target: "/api/v1/webhooks"},
	{id: "addWebhook", target: "/api/v1/webhooks", body: `{"url":"https://example.org/2","kinds":["alarm.raised"],"outlets":[1]}`},
	{id: "getWebhook", target: "/api/v1/webhooks/" + testHook},
	{id: "changeWebhook", target: "/api/v1/webhooks/" + testHook, body: `{"paused":true}`},
	{id: "testWebhook", target: "/api/v1/webhooks/" + testHook + "/test"},
	{id: "listDeliveries", target: "/api/v1/webhooks/" + testHook + "/deliveries"},
	{id: "deleteWebhook", target: "/api/v1/webhooks/" + testHook},
}

// TestAnswersFitTheDocument validates real answers against their schemas, with
// members that are not declared refused.
func TestAnswersFitTheDocument(t *testing.T) {
	t.Parallel()
	r := apiRig(t, 6)
	r.registry.change(section(6))
	r.Quality = &waters{r.quality}
	doc := loadDocument(t, describe(true))
	left := map[string]op{}
	for _, o := range operations() {
		left[o.ID] = o
	}
	all := map[string]op{}
	maps.Copy(all, left)
	for _, call := range apiCalls {
		o := all[call.id]
		accept := call.accept
		if accept == "" {
			accept = "application/json"
		}
		w := r.ask("operator", o.Method, call.target, strings.NewReader(call.body), "Accept", accept, "Content-Type", "application/json")
		if w.Code < 200 || w.Code > 299 {
			t.Errorf("%s %s: %d %s", o.Method, call.target, w.Code, w.Body)
			continue
		}
		delete(left, call.id)
		operation := doc.Paths.Value(o.Path).GetOperation(o.Method)
		answer := operation.Responses.Status(w.Code)
		if answer == nil {
			t.Errorf("%s: %d is not described", call.id, w.Code)
			continue
		}
		if w.Code == http.StatusNoContent {
			continue
		}
		kind := w.Header().Get("Content-Type")
		media := answer.Value.Content[kind]
		if media == nil {
			t.Errorf("%s: %s is not described", call.id, kind)
			continue
		}
		docs := [][]byte{w.Body.Bytes()}
		if kind == "application/x-ndjson" {
			docs = bytes.Split(bytes.TrimSpace(w.Body.Bytes()), []byte("\n"))
		}
		for _, text := range docs {
			var v any
			if err := json.Unmarshal(text, &v); err != nil {
				t.Fatalf("%s: %v in %s", call.id, err, text)
			}
			if err := media.Schema.Value.VisitJSON(v, openapi3.EnableJSONSchema2020()); err != nil {
				t.Errorf("%s: %v\n%s", call.target, err, text[:min(len(text), 400)])
				break
			}
		}
		if o.Tagged && w.Header().Get("ETag") == "" && kind == "application/json" {
			t.Errorf("%s has no ETag", call.target)
		}
	}
	if len(left) > 0 {
		t.Errorf("operations that nobody asked: %v", slices.Sorted(keys(left)))
	}
	// Errors too.
	w := r.ask("", "GET", "/api/v1/outlets", nil)
	problem := doc.Components.Responses["Problem"].Value.Content["application/problem+json"]
	var v any
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil || w.Code != http.StatusUnauthorized {
		t.Fatalf("%d %v", w.Code, err)
	}
	if err := problem.Schema.Value.VisitJSON(v, openapi3.EnableJSONSchema2020()); err != nil {
		t.Error(err)
	}
	// The strict schemas do refuse.
	outlet := doc.Components.Schemas["Outlet"].Value
	if outlet.VisitJSON(map[string]any{"id": 1.0}, openapi3.EnableJSONSchema2020()) == nil {
		t.Error("an outlet without its fields is taken")
	}
}

func keys(m map[string]op) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}
