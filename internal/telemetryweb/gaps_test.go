package telemetryweb

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"plateau/internal/platform/errs"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/backfill"
	"plateau/rules"
)

const testGap = "0193f6a0-0000-7000-8000-000000000001"

// fakeGaps is a ledger of three gaps: of the first outlet (ent-1) two, of the
// third (ent-2) one.
type fakeGaps struct {
	mu    sync.Mutex
	asked []string
	given []string
	list  []backfill.Gap
}

func newGaps() *fakeGaps {
	at := testNow.Add(-time.Hour).Truncate(time.Hour)
	gap := func(id string, o telemetry.OutletID, cause backfill.Cause, state backfill.State, how string) backfill.Gap {
		return backfill.Gap{
			ID: id, Outlet: o, MN: testMN, Kind: telemetry.KindMinute, From: at, To: at.Add(10 * time.Minute), Cause: cause, Due: 10, Missing: 4,
			Detected: at.Add(15 * time.Minute), State: state, How: how, Requests: 1, Next: testNow.Add(time.Minute),
		}
	}
	return &fakeGaps{list: []backfill.Gap{
		gap("0193f6a0-0000-7000-8000-000000000003", 3, backfill.Link, backfill.Open, ""),
		gap("0193f6a0-0000-7000-8000-000000000002", 1, backfill.Platform, backfill.Closed, backfill.BySelf),
		gap(testGap, 1, backfill.Logger, backfill.Open, ""),
	}}
}

func (f *fakeGaps) List(_ context.Context, q backfill.Filter) ([]backfill.Gap, error) {
	var out []backfill.Gap
	for _, g := range f.list {
		ok := q.Outlets == nil
		for _, o := range q.Outlets {
			ok = ok || o == g.Outlet
		}
		if ok && (q.State == "" || q.State == g.State) && (q.Cause == "" || q.Cause == g.Cause) && (q.Kind == 0 || q.Kind == g.Kind) && (q.MN == "" || q.MN == g.MN) {
			out = append(out, g)
		}
	}
	return out, nil
}

func (f *fakeGaps) Get(_ context.Context, id string) (backfill.Gap, []backfill.Request, error) {
	for _, g := range f.list {
		if g.ID == id {
			return g, []backfill.Request{{Dialogue: "d1", At: testNow, From: g.From, To: g.To, Outcome: "no_answer"}}, nil
		}
	}
	return backfill.Gap{}, nil, errs.New(errs.NotFound, "err.not_found")
}

func (f *fakeGaps) RequestNow(_ context.Context, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, id)
	return nil
}

func (f *fakeGaps) GiveUp(_ context.Context, id, post, reason string) error {
	if reason == "" {
		return errs.InvalidField("reason", "gaps.reason_error")
	}
	f.given = append(f.given, id+" "+post+" "+reason)
	return nil
}

func (f *fakeGaps) UnableUntil(string) (time.Time, bool) { return time.Time{}, false }

func (f *fakeGaps) Params() backfill.Params {
	p, err := backfill.ParamsAt(rules.Default(), testNow)
	if err != nil {
		panic(err)
	}
	return p
}

func TestGaps(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, role, method, target, form string
		status                           int
		has, hasNot                      string
	}{
		{name: "all of them", role: "officer", target: "/en/gaps", status: 200, has: "not sent by the logger", hasNot: "gaps.cause"},
		{name: "by cause", role: "officer", target: "/en/gaps?cause=platform", status: 200, has: "not charged", hasNot: "not sent by the logger</td>"},
		{name: "an unknown cause", role: "officer", target: "/en/gaps?cause=weather", status: 400},
		{name: "an unknown kind", role: "officer", target: "/api/v1/gaps?kind=year", status: 400},
		{name: "none like that", role: "officer", target: "/en/gaps?state=given_up", status: 200, has: "No gaps like that"},
		{name: "an enterprise sees its own", role: "enterprise", target: "/en/gaps", status: 200, has: "platform down", hasNot: "link lost</td>"},
		{name: "and not others'", role: "enterprise", target: "/en/gaps/0193f6a0-0000-7000-8000-000000000003", status: 403},
		{name: "nor asks", role: "enterprise", method: "POST", target: "/en/gaps/" + testGap + "/request", status: 403},
		{name: "nor gives up", role: "enterprise", method: "POST", target: "/en/gaps/" + testGap + "/give-up", form: "reason=x", status: 403},
		{name: "nobody is sent to sign in", method: "POST", target: "/en/gaps/" + testGap + "/request", status: 303},
		{name: "nobody by the interface", target: "/api/v1/gaps", status: 401},
		{name: "one gap", role: "officer", target: "/en/gaps/" + testGap, status: 200, has: "Request now"},
		{name: "one that is closed", role: "officer", target: "/en/gaps/0193f6a0-0000-7000-8000-000000000002", status: 200, has: "came by itself", hasNot: "Request now"},
		{name: "none", role: "officer", target: "/en/gaps/x", status: 404},
		{name: "ask now", role: "officer", method: "POST", target: "/en/gaps/" + testGap + "/request", status: 303},
		{name: "give up without a reason", role: "officer", method: "POST", target: "/en/gaps/" + testGap + "/give-up", status: 422, has: "Say why"},
		{name: "give up", role: "officer", method: "POST", target: "/en/gaps/" + testGap + "/give-up", form: "reason=sensor+stolen", status: 303},
		{name: "as CSV", role: "officer", target: "/zh/gaps.csv", status: 200, has: "谁丢的"},
		{name: "as JSON", role: "officer", target: "/zh/gaps.json", status: 200, has: `"cause":"link"`},
		{name: "on the logger's page", role: "officer", target: "/en/devices/" + testMN, status: 200, has: "Latest gaps"},
		{name: "on the outlet's page", role: "enterprise", target: "/en/outlets/1/devices", status: 200, has: "Latest gaps"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 4)
			method := tc.method
			if method == "" {
				method = http.MethodGet
			}
			w := r.ask(tc.role, method, tc.target, strings.NewReader(tc.form))
			if w.Code != tc.status {
				t.Fatalf("status %d, want %d: %s", w.Code, tc.status, w.Body)
			}
			if tc.has != "" && !strings.Contains(w.Body.String(), tc.has) {
				t.Errorf("the answer lacks %q", tc.has)
			}
			if tc.hasNot != "" && strings.Contains(w.Body.String(), tc.hasNot) {
				t.Errorf("the answer holds %q", tc.hasNot)
			}
		})
	}
}

func TestGapsInterface(t *testing.T) {
	t.Parallel()
	r := newRig(t, 4)
	w := r.ask("", http.MethodGet, "/api/v1/gaps?outlet=1&state=open", nil, "Authorization", "Bearer officer")
	var got struct {
		Gaps []struct {
			ID, Cause, Kind string
			Charged         bool
			Missing         int
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
		t.Fatalf("status %d: %v: %s", w.Code, err, w.Body)
	}
	if len(got.Gaps) != 1 || got.Gaps[0].ID != testGap || !got.Gaps[0].Charged || got.Gaps[0].Kind != "minute" || got.Gaps[0].Missing != 4 {
		t.Errorf("%+v", got)
	}
	if w := r.ask("", http.MethodGet, "/api/v1/gaps/"+testGap, nil, "Authorization", "Bearer officer"); !strings.Contains(w.Body.String(), `"outcome":"no_answer"`) {
		t.Errorf("the requests are missing: %s", w.Body)
	}
}
