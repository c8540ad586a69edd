package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"plateau/hj212"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/gateway"
	"plateau/internal/telemetry/relay"
	"plateau/internal/telemetry/store"
)

// Relay measures frames that go on to one other instance over TCP: read from the
// journal, written in another password, stored there, acknowledged after the sync,
// and how far it came written down; both instances on the same cores.
func Relay(ctx context.Context, c Config) (Report, error) {
	c.defaults()
	r := newReport("relay")
	var rate, repeats []float64
	for range c.Runs {
		a, b, err := relayOnce(ctx, &c)
		if err != nil {
			return r, err
		}
		rate, repeats = append(rate, a), append(repeats, b)
	}
	r.Figures["relayed_and_acknowledged"] = figure("frames/s", ">= 20000", rate)
	r.Figures["came_twice"] = figure("frames", "0", repeats)
	r.Notes = append(r.Notes, fmt.Sprintf("%d ten-factor frames of %d outlets a run, to one target over one connection; a frame of each logger under way at a time, 8,192 in all", c.Frames, c.Outlets))
	return r, nil
}

// relayOnce returns frames/s, and how many came more than once.
func relayOnce(ctx context.Context, c *Config) (rate, repeats float64, err error) {
	dir, remove, err := c.tempDir()
	if err != nil {
		return 0, 0, err
	}
	defer remove()
	here, err := store.Open(filepath.Join(dir, "here"), store.Options{Now: c.Now})
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = here.Close() }()
	there, err := store.Open(filepath.Join(dir, "there"), store.Options{Now: c.Now})
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = there.Close() }()
	reg := &fixed{telemetry.Snapshot{Version: 1, Outlets: map[telemetry.OutletID]*telemetry.Outlet{}, Devices: map[string]*telemetry.Device{}}}
	for i := range c.Outlets {
		id, mn := telemetry.OutletID(i+1), newLogger(i).mn
		reg.snap.Outlets[id] = &telemetry.Outlet{ID: id}
		reg.snap.Devices[mn] = &telemetry.Device{MN: mn, Outlet: id, Password: "654321"}
	}
	unbounded := gateway.Rate{PerSecond: -1}
	g, err := gateway.New(gateway.Options{Addr: "127.0.0.1:0", Store: there, Registry: reg, Now: c.Now, ConnRate: unbounded, MNRate: unbounded})
	if err != nil {
		return 0, 0, err
	}
	addr, err := g.Listen()
	if err != nil {
		return 0, 0, err
	}
	base, err := db.Open(ctx, filepath.Join(dir, "relay.db"))
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = base.Close() }()
	sealer, err := auth.OpenSealer(filepath.Join(dir, auth.KeyFile))
	if err != nil {
		return 0, 0, err
	}
	// What waits is what has just arrived, however long making it took.
	s, err := relay.New(relay.Options{DB: base, Journal: here, Registry: reg, Sealer: sealer, Now: c.Now, Private: true, LiveAge: 24 * time.Hour})
	if err != nil {
		return 0, 0, err
	}
	t := relay.Target{Name: "bench", Host: "127.0.0.1", Ack: true, PW: "654321", Rate: 1, Window: 8192}
	if _, err := fmt.Sscanf(addr, "127.0.0.1:%d", &t.Port); err != nil {
		return 0, 0, err
	}
	if t, err = s.Add(ctx, t); err != nil {
		return 0, 0, err
	}
	if err := fillJournal(ctx, c, here); err != nil {
		return 0, 0, err
	}
	ctx, cancel := context.WithCancel(ctx)
	served, ran := make(chan error, 1), make(chan error, 1)
	go func() { served <- g.Serve(ctx) }()
	began := c.Now()
	go func() { ran <- s.Run(ctx) }()
	for {
		st, _ := s.State(t.ID)
		if st.Acked+st.Refused >= int64(c.Frames) {
			rate = float64(st.Acked) / c.Now().Sub(began).Seconds()
			break
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			cancel()
			return 0, 0, errors.Join(context.Cause(ctx), <-ran, <-served)
		}
	}
	cancel()
	if err := errors.Join(<-ran, <-served); err != nil && !errors.Is(err, context.Canceled) {
		return 0, 0, err
	}
	got := g.Stats()
	if got.Stored != int64(c.Frames) {
		return 0, 0, fmt.Errorf("%d of %d frames arrived", got.Stored, c.Frames)
	}
	return rate, float64(got.Repeats), nil
}

// fillJournal stores the frames of a run.
func fillJournal(ctx context.Context, c *Config, s *store.Store) error {
	raws, got := makeFrames(c), receipts{s: s}
	var p hj212.Packet
	batch := make([]*store.Frame, 0, 256)
	for i := range raws.len() {
		f, err := decode(&p, telemetry.OutletID(i%c.Outlets+1), raws.at(i), make([]telemetry.Value, 0, len(codes)), c.Now())
		if err != nil {
			return err
		}
		if batch = append(batch, f); len(batch) == cap(batch) || i == raws.len()-1 {
			if err := got.submit(ctx, batch...); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return got.wait()
}
