package gateway

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"plateau/hj212"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/simulator"
	"plateau/internal/telemetry/store"
)

// TestSimulatedLoggers holds dialogues with loggers of every version, with the
// faults of lines and loggers switched on, and loses nothing that it answered.
func TestSimulatedLoggers(t *testing.T) {
	t.Parallel()
	region := simulator.RegionAt(t0)
	world, err := simulator.NewWorld(simulator.WorldOptions{Region: &region, Calm: true})
	if err != nil {
		t.Fatal(err)
	}
	reg := newRegistry()
	began := time.Now()
	s := newSite(t, reg, func(o *Options, _ *store.Options) {
		o.Now = func() time.Time { return t0.Add(time.Since(began)) }
	})
	byVersion := map[int]int{}
	for i, p := range world.Plants {
		if _, ok := byVersion[p.Version]; !ok {
			byVersion[p.Version] = i
		}
	}
	if len(byVersion) != 3 {
		t.Fatalf("the region speaks %v", byVersion)
	}
	ctx, cancel := context.WithCancel(t.Context())
	running := make(chan struct{}, len(byVersion))
	stats := &simulator.Stats{}
	for _, i := range byVersion {
		p := world.Plants[i]
		reg.put(&p.Device)
		l := world.Logger(i, simulator.LoggerOptions{
			Addr: s.addr, Now: time.Now, Epoch: t0, Realtime: 50 * time.Millisecond, Faults: true, KeepRealtime: true,
			OverTime: 300 * time.Millisecond, Drain: 5 * time.Second,
		}, stats)
		go func() {
			_ = l.Run(ctx)
			running <- struct{}{}
		}()
	}
	for version, i := range byVersion {
		mn := world.Plants[i].Device.MN
		ask := func(cmd hj212.Command) Dialogue {
			t.Helper()
			var d Dialogue
			var err error
			s.until(fmt.Sprintf("%d: %d", version, cmd.CN), func() bool { // links drop now and then
				d, err = s.g.Request(ctx, mn, cmd, nil)
				return err == nil || !errors.Is(err, ErrNotConnected) && !errors.Is(err, ErrNoAnswer) && !errors.Is(err, ErrUnfinished)
			})
			if err != nil {
				t.Errorf("%d: command %d: %v", version, cmd.CN, err)
			}
			return d
		}
		if d := ask(hj212.GetClock("")); len(d.Values["SystemTime"]) != 14 {
			t.Errorf("%d: clock %v", version, d.Values)
		}
		v := hj212.V2017
		if version == 2005 {
			v = hj212.V2005
		}
		d := ask(hj212.History(v, 2061, t0.Add(-26*time.Hour), t0.Add(-24*time.Hour)))
		if d.Data < 3 {
			t.Errorf("%d: %d frames of 3 hours", version, d.Data)
		}
		n := 0
		if err := s.store.Records(world.Plants[i].Outlet.ID, telemetry.KindHour, t0.Add(-26*time.Hour).Unix(), t0.Add(-24*time.Hour).Unix()+1,
			func(*telemetry.Record) bool { n++; return true }); err != nil || n != 3 {
			t.Errorf("%d: %d hours stored, %v", version, n, err)
		}
	}
	s.until("acknowledged uploads", func() bool { return stats.Acked.Load() > 60 })
	cancel()
	for range byVersion {
		<-running
	}
	if st := s.g.Stats(); st.Quarantined != 0 || st.Unstored != 0 || st.Stored+st.Repeats+st.Revisions < stats.Acked.Load() {
		t.Errorf("acked %d; %+v", stats.Acked.Load(), st)
	}
}
