package telemetryweb

import (
	"strings"
	"testing"
	"time"

	"plateau/internal/telemetry/gateway"
)

// datagramGateway has one logger, which sends over UDP.
type datagramGateway struct {
	fakeGateway
	last time.Time
}

func (g *datagramGateway) Devices() []gateway.DeviceStatus {
	s, _ := g.Device(testMN)
	return []gateway.DeviceStatus{s}
}

func (g *datagramGateway) Device(mn string) (gateway.DeviceStatus, bool) {
	return gateway.DeviceStatus{MN: testMN, Datagrams: true, Last: g.last}, mn == testMN
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
			g := &datagramGateway{last: testNow.Add(-tc.ago)}
			r.Gateway = g
			at := g.last.In(testNow.Location())
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
