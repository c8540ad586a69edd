package app

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
)

// TestDeclaredStop declares a stop on the pages and takes it back: the outlet's
// state and its past hours follow, and the log tells both.
func TestDeclaredStop(t *testing.T) {
	t.Parallel()
	a, err := New(t.Context(), demoOptions(t.TempDir(), io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	a.history = 4 * time.Hour
	defer serveUntilReady(t, a)()
	secret, _, err := a.auth.SignIn(t.Context(), "operator", "operator-sample", auth.Client{Address: "192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	var id telemetry.OutletID
	states, err := a.engine.States(a.now())
	if err != nil {
		t.Fatal(err)
	}
	for i := range states {
		if states[i].State == quality.Normal {
			id = states[i].Outlet
			break
		}
	}
	from := a.now().Truncate(time.Hour).Add(-2 * time.Hour)
	post := func(path string, form url.Values) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+a.httpAddr+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.AddCookie(&http.Cookie{Name: auth.CookieName, Value: secret})
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/zh/registry/stops" {
			t.Fatalf("%s: %s to %q: %s", path, res.Status, res.Header.Get("Location"), body)
		}
	}
	// follow waits until the first hour of the stop is judged as one or not.
	follow := func(stopped bool, want quality.State) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			rows, err := a.engine.Hours(id, from, from.Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			s, err := a.engine.State(id, a.now())
			if err != nil {
				t.Fatal(err)
			}
			if len(rows) == 1 && rows[0].Stopped == stopped && s.State == want {
				if stopped && (s.Reason.Key != "reason.stopped_declared" || s.Reason.Args["reason"] != "检修" || !s.Since.Equal(from)) {
					t.Errorf("%+v", s)
				}
				return
			}
			if time.Now().After(end) {
				t.Fatalf("outlet %d: state %s, want %s; hours %+v", id, s.State, want, rows)
			}
		}
	}
	follow(false, quality.Normal)
	post("/zh/registry/stops/new", url.Values{"outlet": {fmt.Sprint(id)}, "from": {i18n.Stamp(from)}, "reason": {"检修"}})
	follow(true, quality.Stopped)
	ref := a.registry.Snapshot().Outlets[id].Stops[0].Ref()
	post(fmt.Sprintf("/zh/registry/stops/%d:%s/delete", id, ref), nil)
	follow(false, quality.Normal)
	log, err := a.registry.Log(t.Context(), "outlet", fmt.Sprint(id), 2)
	if err != nil || len(log) != 2 || !strings.Contains(log[0].Old, "检修") || strings.Contains(log[0].New, "检修") || log[1].New != log[0].Old || log[0].By == "" {
		t.Errorf("%+v, %v", log, err)
	}
}
