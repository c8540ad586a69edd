package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/gateway"
	"plateau/internal/telemetry/simulator"
	"plateau/internal/telemetry/store"
)

// fixed is a registry that knows the load generator's loggers.
type fixed struct{ snap telemetry.Snapshot }

func (f *fixed) Snapshot() *telemetry.Snapshot { return &f.snap }

func (f *fixed) AdoptUnknown(context.Context, string, string, []string) error {
	return errors.New("bench: every logger is known")
}

func newFixed(n int) *fixed {
	f := &fixed{telemetry.Snapshot{Version: 1, Outlets: map[telemetry.OutletID]*telemetry.Outlet{}, Devices: map[string]*telemetry.Device{}}}
	for i := range n {
		id := telemetry.OutletID(i + 1)
		f.snap.Outlets[id] = &telemetry.Outlet{ID: id}
		f.snap.Order = append(f.snap.Order, id)
		f.snap.Devices[simulator.LoadMN(i)] = &telemetry.Device{MN: simulator.LoadMN(i), Outlet: id}
	}
	return f
}

// TCPConns is the number of loggers connected at once in TCP.
const TCPConns = 1000

// TCP measures frames through sockets: from the logger's write to the
// acknowledgement after the sync, gateway, store and load generator on the same
// cores. It returns acknowledged frames a second.
func TCP(ctx context.Context, c Config, dir string) (rate float64, err error) {
	c.defaults()
	s, err := store.Open(dir, store.Options{Now: c.Now})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	g, err := gateway.New(gateway.Options{Addr: "127.0.0.1:0", Store: s, Registry: newFixed(TCPConns), Now: c.Now, AdoptUnknown: true})
	if err != nil {
		return 0, err
	}
	addr, err := g.Listen()
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- g.Serve(ctx) }()
	res, err := simulator.Load(ctx, simulator.LoadOptions{Addr: addr, Conns: TCPConns, Frames: int64(c.Frames), Now: c.Now})
	cancel()
	if err := <-served; err != nil && !errors.Is(err, context.Canceled) {
		return 0, fmt.Errorf("gateway: %w", err)
	}
	if err != nil {
		return 0, err
	}
	if res.Acked != res.Sent {
		return 0, fmt.Errorf("%d of %d frames were acknowledged", res.Acked, res.Sent)
	}
	return res.PerSecond, nil
}

// Parse measures decoding with the CRC on one core.
func Parse(_ context.Context, c Config) (Report, error) {
	c.defaults()
	r := newReport("parse")
	var rate, plain []float64
	l := newLogger(0)
	frames := make([][]byte, 256)
	size := 0
	at := c.Now().Truncate(time.Second)
	for i := range frames {
		frames[i] = l.frame(nil, at.Add(time.Duration(i)*30*time.Second))
		size += len(frames[i])
	}
	for range c.Runs { // interleaved, so that both see the same machine
		a, err := parseOnce(&c, frames, size, parseFrame)
		if err != nil {
			return r, err
		}
		b, err := parseOnce(&c, frames, size, parsePlain)
		if err != nil {
			return r, err
		}
		rate, plain = append(rate, a), append(plain, b)
	}
	r.Figures["decode"] = figure("GB/s", ">= 1.2", rate)
	r.Figures["plain_go_parser"] = figure("GB/s", "", plain)
	r.Notes = append(r.Notes, "one core; CRC, header and every item split into code, suffix and value; the plain parser uses a CRC table and bytes.Cut")
	return r, nil
}
