package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"plateau/internal/telemetry/relay"
)

// relayMetrics shows to Prometheus how frames go on to higher platforms.
type relayMetrics struct {
	relays *relay.Service
	clock  clock
}

var (
	mRelayFrames    = counter("relay_frames_total", "Frames for higher platforms since the start, by what became of them.", "id", "target", "outcome")
	mRelayWaiting   = gauge("relay_waiting_frames", "Frames that wait to go on.", "id", "target")
	mRelayLag       = gauge("relay_lag_seconds", "Time since the first frame that waits was received; 0 when none does.", "id", "target")
	mRelayConnected = gauge("relay_connected", "1 while there is a connection; absent while paused.", "id", "target")
	mRelayPaused    = gauge("relay_paused", "1 while sending is paused.", "id", "target")
)

// Describe implements prometheus.Collector.
func (*relayMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range []metric{mRelayFrames, mRelayWaiting, mRelayLag, mRelayConnected, mRelayPaused} {
		ch <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (c *relayMetrics) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	list, err := c.relays.List(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(mRelayFrames.desc, err)
		return
	}
	for i := range list {
		t := &list[i]
		put := func(m metric, v float64, more ...string) {
			ch <- prometheus.MustNewConstMetric(m.desc, m.kind, v, append([]string{t.ID, t.Name}, more...)...)
		}
		paused := 0.0
		if t.Paused {
			paused = 1
		}
		put(mRelayPaused, paused)
		st, on := c.relays.State(t.ID)
		put(mRelayFrames, float64(st.Acked), "acknowledged")
		put(mRelayFrames, float64(st.Refused), "refused")
		put(mRelayFrames, float64(st.Resent), "repeated")
		if !on {
			continue
		}
		put(mRelayWaiting, float64(st.Behind))
		lag, connected := 0.0, 0.0
		if !st.Oldest.IsZero() {
			lag = max(c.clock().Sub(st.Oldest).Seconds(), 0)
		}
		if st.Connected {
			connected = 1
		}
		put(mRelayLag, lag)
		put(mRelayConnected, connected)
	}
}
