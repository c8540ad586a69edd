package telemetryweb

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/platform/errs"
	"plateau/internal/telemetry/dialogue"
	"plateau/internal/telemetry/gateway"
)

// fakeDialogues carries every order out at once.
type fakeDialogues struct {
	mu      sync.Mutex
	orders  []dialogue.Order
	list    []dialogue.Record
	outcome string // of the next ones; "" = done
}

const testDialogue = "dialogue-1"

func (f *fakeDialogues) Start(_ context.Context, o dialogue.Order) (dialogue.Record, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, x := range f.orders {
		if o.Key != "" && x.Key == o.Key {
			return f.list[i], true, nil
		}
	}
	if f.outcome == dialogue.Busy {
		return dialogue.Record{}, false, errs.New(errs.Conflict, "command.busy")
	}
	r := dialogue.Record{
		ID: "dialogue-" + strconv.Itoa(len(f.list)+1), MN: o.MN, Act: o.Act, CN: o.Command.CN, Params: o.Params, Origin: o.Origin, By: "值班员（示例）", Started: testNow, Ended: testNow,
		Outcome: dialogue.Done, QnRtn: 1, ExeRtn: 1, Attempts: 1, Values: map[string]string{"SystemTime": "20261123083000"},
		Steps: []dialogue.Step{{Step: gateway.StepSent, At: testNow, Code: -1, N: 1, Sent: "##…PW=******…"}, {Step: gateway.StepDone, At: testNow, Code: 1, N: 1}},
	}
	if f.outcome != "" {
		r.Outcome = f.outcome
	}
	f.orders, f.list = append(f.orders, o), append(f.list, r)
	return r, false, nil
}

func (f *fakeDialogues) Get(_ context.Context, id string) (dialogue.Record, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.list {
		if r.ID == id {
			return r, nil
		}
	}
	return dialogue.Record{}, errs.New(errs.NotFound, "err.not_found")
}

func (f *fakeDialogues) List(_ context.Context, mn string, _ int) (out []dialogue.Record, _ error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range slices.Backward(f.list) {
		if r.MN == mn {
			out = append(out, r)
		}
	}
	return out, nil
}

func (f *fakeDialogues) Offsets(context.Context, string, time.Time) ([]dialogue.Offset, error) {
	return []dialogue.Offset{{At: testNow.AddDate(0, 0, -3), Offset: 90 * time.Second}, {At: testNow.AddDate(0, 0, -1), Offset: -2 * time.Second}}, nil
}

func (f *fakeDialogues) ClockSet(context.Context, string) (time.Time, error) {
	return testNow.AddDate(0, 0, -1), nil
}

const commandsPath = "/zh/devices/" + testMN + "/commands"

func TestCommandShowsItsDialogue(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		form    []string
		outcome string
		cn      int
		want    string
	}{
		"clock, confirmed":   {[]string{"act", "set_clock", "confirm", "1"}, "", 1012, "完成"},
		"history":            {[]string{"act", "history", "from", "2026-11-23 06:00", "to", "2026-11-23 08:00", "records", "2061"}, dialogue.NoData, 2061, "数采仪没有这些数据"},
		"interval":           {[]string{"act", "set_realtime_interval", "seconds", "༦༠"}, "", 1062, "完成"},
		"no connection":      {[]string{"act", "get_clock"}, dialogue.NotConnected, 1011, "数采仪没有连接"},
		"password, no reply": {[]string{"act", "set_password", "new_password", "654321", "confirm", "1"}, dialogue.NoAnswer, 1072, "新旧密码都接受"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 2)
			r.dialogues.outcome = tc.outcome
			w := r.ask("officer", "POST", commandsPath, strings.NewReader(formOf(tc.form...).Encode()))
			to := w.Header().Get("Location")
			if w.Code != http.StatusSeeOther || to != "/zh/devices/"+testMN+"/dialogues/"+testDialogue {
				t.Fatalf("status %d to %s: %s", w.Code, to, w.Body)
			}
			page := r.ask("officer", "GET", to, nil).Body.String()
			log := r.ask("officer", "GET", "/zh/devices/"+testMN, nil).Body.String()
			for _, want := range []string{tc.want, "已发出请求", "PW=******"} {
				if !strings.Contains(page, want) || !strings.Contains(log, want) {
					t.Errorf("the dialogue does not show %q", want)
				}
			}
			if strings.Contains(page, "654321") || strings.Contains(log, "654321") {
				t.Error("the new password is shown")
			}
			if o := r.dialogues.orders[0]; o.Command.CN != tc.cn || o.Origin != dialogue.FromPage {
				t.Errorf("ordered %+v", o)
			}
		})
	}
}

// TestCommandsAreConfirmed: an act that changes something is asked about first,
// naming logger, act and effect; what needs no question is sent at once.
func TestCommandsAreConfirmed(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	for _, a := range dialogue.Acts(r.speaks(testMN)) {
		form := []string{
			"act", a.Name, "analyser", "a21002", "info", "i13004", "value", "168.0", "new_password", "654321", "seconds", "60", "minutes", "10", "over_time", "5", "resends", "3",
			"from", "2026-11-23 06:00", "to", "2026-11-23 08:00", "records", "2051", "start", "000000", "hours", "2",
		}
		before := len(r.dialogues.orders)
		w := r.ask("officer", "POST", commandsPath, strings.NewReader(formOf(form...).Encode()))
		switch {
		case !a.Danger && (w.Code != http.StatusSeeOther || len(r.dialogues.orders) != before+1):
			t.Errorf("%s: status %d, %d orders", a.Name, w.Code, len(r.dialogues.orders)-before)
		case a.Danger && (w.Code != http.StatusOK || len(r.dialogues.orders) != before || !strings.Contains(w.Body.String(), testMN+" 发出") || !strings.Contains(w.Body.String(), `name="confirm"`)):
			t.Errorf("%s was not asked about: status %d", a.Name, w.Code)
		case a.Danger:
			if w := r.ask("officer", "POST", commandsPath, strings.NewReader(formOf(append(form, "confirm", "1")...).Encode())); w.Code != http.StatusSeeOther || len(r.dialogues.orders) != before+1 {
				t.Errorf("%s, confirmed: status %d", a.Name, w.Code)
			}
		}
	}
}

func TestCommandInterface(t *testing.T) {
	t.Parallel()
	const path = "/api/v1/devices/" + testMN + "/commands"
	for _, tc := range []struct {
		name, role, path, body string
		status                 int
		has                    string
	}{
		{"read the clock", "operator", path, `{"act":"get_clock"}`, 200, `"outcome":"done"`},
		{"history", "operator", path, `{"act":"history","params":{"records":"2051","from":"2026-11-23T06:00:00+08:00","to":"2026-11-23T07:00:00+08:00"}}`, 200, `"cn":2051`},
		{"a dangerous act", "operator", path, `{"act":"set_clock"}`, 422, "confirm"},
		{"a dangerous act, confirmed", "operator", path, `{"act":"set_clock","confirm":true}`, 200, `"origin":"api"`},
		{"a field that is wrong", "operator", path, `{"act":"set_realtime_interval","params":{"seconds":"5"}}`, 422, "seconds"},
		{"an act of another version", "operator", path, `{"act":"get_limits","params":{"analyser":"a21002"}}`, 422, "act"},
		{"no JSON", "operator", path, `act=get_clock`, 400, ""},
		{"a field too many", "operator", path, `{"act":"get_clock","force":true}`, 400, ""},
		{"an unknown logger", "operator", "/api/v1/devices/none/commands", `{"act":"get_clock"}`, 404, ""},
		{"a wait beyond bounds", "operator", path + "?wait=9999", `{"act":"get_clock"}`, 400, ""},
		{"an enterprise", "enterprise", path, `{"act":"get_clock"}`, 403, ""},
		{"nobody", "", path, `{"act":"get_clock"}`, 401, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 2)
			w := r.ask("", "POST", tc.path, strings.NewReader(tc.body), "Authorization", "Bearer "+tc.role, "Content-Type", "application/json", "Accept", "application/json")
			if w.Code != tc.status || !strings.Contains(w.Body.String(), tc.has) {
				t.Errorf("status %d, want %d with %q: %s", w.Code, tc.status, tc.has, w.Body)
			}
			if tc.status != 200 && len(r.dialogues.orders) > 0 {
				t.Error("something was sent")
			}
		})
	}
}

// TestCommandOnce: the same key sends once, and answers with the first dialogue.
func TestCommandOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	var ids []string
	for range 2 {
		w := r.ask("", "POST", "/api/v1/devices/"+testMN+"/commands", strings.NewReader(`{"act":"get_clock"}`), "Authorization", "Bearer operator", "Idempotency-Key", "k1")
		var got struct{ ID string }
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, got.ID)
	}
	if len(r.dialogues.orders) != 1 || ids[0] != ids[1] {
		t.Errorf("%d orders, %v", len(r.dialogues.orders), ids)
	}
	long := r.ask("", "POST", "/api/v1/devices/"+testMN+"/commands", strings.NewReader(`{"act":"get_clock"}`), "Authorization", "Bearer operator", "Idempotency-Key", strings.Repeat("k", 201))
	if long.Code != http.StatusBadRequest || len(r.dialogues.orders) != 1 {
		t.Errorf("a key that is too long: status %d, %d orders", long.Code, len(r.dialogues.orders))
	}
	w := r.ask("", "GET", "/api/v1/dialogues/"+ids[0], nil, "Authorization", "Bearer operator")
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"step":"sent"`) {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	if w := r.ask("", "GET", "/api/v1/dialogues/"+ids[0], nil, "Authorization", "Bearer enterprise"); w.Code != http.StatusForbidden {
		t.Errorf("an enterprise: status %d", w.Code)
	}
}

// TestDialogueOfManyFrames: a run of data is one line, however long it is, and
// the page follows it until it ends.
func TestDialogueOfManyFrames(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	r.dialogues.list = []dialogue.Record{{ID: testDialogue, MN: testMN, Act: "history", CN: 2051, Started: testNow, Outcome: dialogue.Running, Steps: []dialogue.Step{
		{Step: gateway.StepSent, At: testNow, Code: -1, N: 1},
		{Step: gateway.StepAccepted, At: testNow, Code: 1, N: 1},
		{Step: gateway.StepData, At: testNow, N: 500, DataTime: testNow, Last: testNow.Add(499 * time.Minute)},
		{Step: gateway.StepAccepted, At: testNow, Code: 3, N: 1},
		{Step: gateway.StepDone, At: testNow, Code: -1, N: 1},
	}}}
	page := r.ask("officer", "GET", "/en/devices/"+testMN+"/dialogues/"+testDialogue, nil).Body.String()
	for _, want := range []string{
		"500 frames of data, 2026-11-23 08:30 to 2026-11-23 16:49", `data-live="1"`, "not accepted (9011, code 3 wrong password)", "not carried out (9012, code —)", "Look again</a></p></noscript>",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if w := r.ask("officer", "GET", "/en/devices/"+knockMN+"/dialogues/"+testDialogue, nil); w.Code != http.StatusNotFound {
		t.Errorf("at another logger: status %d", w.Code)
	}
	if diff := cmp.Diff(1, strings.Count(page, "frames of data")); diff != "" {
		t.Error(diff)
	}
}
