package gateway

import (
	"testing"
	"time"

	"plateau/internal/telemetry/simulator"
	"plateau/internal/telemetry/store"
)

// BenchmarkTCP is the way from the socket to the durable ack: 1,000 loggers
// with 32 frames of ten factors under way each, the load on the same machine.
// It reports frames a second.
func BenchmarkTCP(b *testing.B) {
	s := newSite(b, newRegistry(), func(o *Options, so *store.Options) {
		o.AdoptUnknown, o.Now, so.Now = true, time.Now, time.Now
		so.CacheMB = 64
	})
	warm := simulator.LoadOptions{Addr: s.addr, Conns: 1000, Frames: 32_000, Now: time.Now}
	if _, err := simulator.Load(b.Context(), warm); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	res, err := simulator.Load(b.Context(), simulator.LoadOptions{Addr: s.addr, Conns: 1000, Frames: int64(max(b.N, 1000)), Start: time.Now().Add(-6 * time.Hour), Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(res.PerSecond, "frames/s")
	b.ReportMetric(float64(res.P50.Milliseconds()), "p50-ms")
	b.ReportMetric(float64(res.P99.Milliseconds()), "p99-ms")
	if st := s.g.Stats(); st.Unstored > 0 || st.Stored < res.Acked {
		b.Fatalf("stored %d of %d acknowledged, %d failed", st.Stored, res.Acked, st.Unstored)
	}
}
