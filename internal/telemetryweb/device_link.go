package telemetryweb

import (
	"time"

	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry/gateway"
)

// datagramSilence is after what time a logger that has no connection to lose,
// because it sends over UDP, counts as silent.
const datagramSilence = 15 * time.Minute

// speaking tells whether a logger is connected or, over UDP, was heard of lately.
func speaking(s *gateway.DeviceStatus, at time.Time) bool {
	return s.Connected || s.Datagrams && at.Sub(s.Last) < datagramSilence
}

// deviceLink is how a logger hangs on the platform, in words.
type deviceLink struct {
	State string // shape in front
	Text  string
}

// deviceLink tells of a connection, or of the last frame where a logger sends
// over UDP and so has none.
func (c *call) deviceLink(s *gateway.DeviceStatus) deviceLink {
	l := deviceLink{State: "offline", Text: c.l.T("devices.not_connected")}
	if speaking(s, c.now) {
		l.State = "normal"
	}
	switch {
	case s.Connected:
		l.Text = c.l.T("devices.connected")
	case s.Datagrams:
		l.Text = c.l.T("devices.datagrams", "time", i18n.Stamp(s.Last))
	}
	return l
}
