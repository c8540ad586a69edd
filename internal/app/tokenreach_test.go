package app

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"plateau/internal/platform/access"
)

// TestTokenReach: what a token is for holds on every interface of the whole
// program: JSON, SensorThings and MQTT, and its account's other rights do not.
func TestTokenReach(t *testing.T) {
	t.Parallel()
	o := victimOptions(t.TempDir())
	o.Stdout, o.Stderr = io.Discard, io.Discard
	o.Flags["mqtt.addr"] = "127.0.0.1:0"
	a, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Serve(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()
	u, err := a.auth.UserByLogin(ctx, "admin")
	if err != nil {
		t.Fatal(err)
	}
	const thing = `{"name":"gauge","description":"d"}`
	for _, tt := range []struct {
		only                           access.Only
		outlets, hooks, things, writes int // answers of four addresses
		mqtt                           bool
	}{
		{"", 200, 200, 200, 201, true},
		{"telemetry", 200, 200, 200, 201, true},
		{"read", 200, 403, 200, 403, true},
		{"telemetry.view", 200, 403, 403, 403, false},
		{"telemetry.webhooks", 403, 200, 403, 403, false},
		{"telemetry.read telemetry.write", 403, 403, 200, 201, true},
		{"platform", 403, 403, 403, 403, false},
	} {
		token, _, err := a.auth.CreateToken(ctx, u.ID, "x", tt.only, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		ask := func(method, path, body string) int {
			t.Helper()
			r, err := http.NewRequestWithContext(ctx, method, "http://"+a.httpAddr+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set("Content-Type", "application/json")
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			return resp.StatusCode
		}
		for _, x := range []struct {
			method, path, body string
			want               int
		}{
			{"GET", "/api/v1/outlets", "", tt.outlets},
			{"GET", "/api/v1/webhooks", "", tt.hooks},
			{"GET", "/sta/v1.1/Things", "", tt.things},
			{"POST", "/sta/v1.1/Things", thing, tt.writes},
		} {
			if got := ask(x.method, x.path, x.body); got != x.want {
				t.Errorf("only %q: %s %s is %d, want %d", tt.only, x.method, x.path, got, x.want)
			}
		}
		c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + a.mqttAddr).SetClientID("reach").SetPassword(token).SetUsername("x").SetAutoReconnect(false).SetConnectRetry(false))
		tok := c.Connect()
		if !tok.WaitTimeout(30*time.Second) || (tok.Error() == nil) != tt.mqtt {
			t.Errorf("only %q: MQTT: %v", tt.only, tok.Error())
		}
		c.Disconnect(0)
	}
}
