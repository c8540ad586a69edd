package telemetryweb

import (
	"strings"
	"testing"
	"time"

	"plateau/internal/telemetry/gateway"
)

// oneLogger is a gateway that knows one logger; without an MN it knows none.
type oneLogger struct {
	fakeGateway
	status gateway.DeviceStatus
}

func (g *oneLogger) Devices() []gateway.DeviceStatus { return []gateway.DeviceStatus{g.status} }

func (g *oneLogger) Device(mn string) (gateway.DeviceStatus, bool) {
	return g.status, mn == g.status.MN
}

// overUDP is a gateway whose logger sends over UDP and was heard of last then.
func overUDP(last time.Time) *oneLogger {
	return &oneLogger{status: gateway.DeviceStatus{MN: testMN, Datagrams: true, Last: last}}
}

// TestDatagramLink: a logger that sends over UDP has no connection to lose.
func TestDatagramLink(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		ago   time.Duration
		state string
	}{"speaks": {time.Minute, "normal"}, "silent": {datagramSilence, "offline"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 2)
			g := overUDP(testNow.Add(-tc.ago))
			r.Gateway = g
			at := g.status.Last.In(testNow.Location())
			for lang, want := range map[string]string{"zh": "UDP，最近一帧 ", "en": "UDP, last frame at ", "bo": "UDP · "} {
				for _, path := range []string{"/devices", "/devices/" + testMN, "/devices/" + testMN + "/commands", "/outlets/1/devices"} {
					w := r.ask("operator", "GET", "/"+lang+path, nil)
					body := w.Body.String()
					if w.Code != 200 || !strings.Contains(body, want) || !strings.Contains(body, at.Format("15:04")) {
						t.Errorf("%s%s: %d, no %q", lang, path, w.Code, want)
					}
					if path != "/devices" && lang == "en" && strings.Contains(body, "not connected") {
						t.Errorf("%s: %q stands there", path, "not connected")
					}
				}
			}
			c := &call{now: testNow, l: r.Engine.Localizer("en")}
			s, _ := g.Device(testMN)
			if got := c.deviceLink(&s); got.State != tc.state {
				t.Errorf("%+v, not %s", got, tc.state)
			}
		})
	}
}

// TestTransportOfLoggers: the interface calls no logger unconnected that has no
// connection to lose, and says how each one sends.
func TestTransportOfLoggers(t *testing.T) {
	t.Parallel()
	last := testNow.Add(-time.Minute)
	for name, tc := range map[string]struct {
		status gateway.DeviceStatus
		want   string
	}{
		"over UDP":    {gateway.DeviceStatus{MN: testMN, Datagrams: true, Last: last}, `"connected":null,"last":"2026-11-23T08:29:00+08:00","mn":"` + testMN + `","transport":"udp"`},
		"over TCP":    {gateway.DeviceStatus{MN: testMN, Connected: true, Last: last}, `"connected":true,"last":"2026-11-23T08:29:00+08:00","mn":"` + testMN + `","transport":"tcp"`},
		"hung up":     {gateway.DeviceStatus{MN: testMN, Last: last}, `"connected":false,"last":"2026-11-23T08:29:00+08:00","mn":"` + testMN + `","transport":"tcp"`},
		"not yet one": {gateway.DeviceStatus{}, `"connected":false,"last":null,"mn":"` + testMN + `"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 1)
			r.Gateway = &oneLogger{status: tc.status}
			for _, path := range []string{"/api/v1/devices", "/api/v1/devices/" + testMN} {
				w := r.ask("operator", "GET", path+"?fields=mn,transport,connected,last", nil)
				if body := w.Body.String(); w.Code != 200 || !strings.Contains(body, tc.want) {
					t.Errorf("%s: %d %s, not %s", path, w.Code, body, tc.want)
				}
			}
		})
	}
}

// TestOnlineOverUDP: a logger heard of over UDP counts as online, and its outlet
// is not proposed for a new one.
func TestOnlineOverUDP(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		ago           time.Duration
		online, adopt string
	}{
		"speaks": {time.Minute, "1 of 1 online", ""},
		"silent": {time.Hour, "0 of 1 online", testMN + " UDP, last frame at "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 1)
			r.Gateway = overUDP(testNow.Add(-tc.ago))
			if body := r.ask("operator", "GET", "/en/devices", nil).Body.String(); !strings.Contains(body, tc.online) {
				t.Errorf("no %q on the page of loggers", tc.online)
			}
			body := r.ask("operator", "GET", "/en/devices/"+knockMN+"/adopt", nil).Body.String()
			if strings.Contains(body, testMN) != (tc.adopt != "") || !strings.Contains(body, tc.adopt) {
				t.Errorf("no %q on the page that adopts", tc.adopt)
			}
		})
	}
}
