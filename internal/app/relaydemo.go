package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"

	"plateau/hj212"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/relay"
)

// sampleRelays makes the targets of a demonstration anew: one that is paused, and
// one in the program itself that takes what comes from one prefecture, but from
// one logger, which it does not know. It serves that one until ctx ends.
func (a *App) sampleRelays(ctx context.Context) error {
	list, err := a.relays.List(ctx)
	if err != nil {
		return err
	}
	for i := range list {
		if !list[i].Sample {
			continue
		}
		if err := a.relays.Delete(ctx, list[i].ID); err != nil {
			return err
		}
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	snap := a.registry.Snapshot()
	first := snap.Outlets[snap.Order[0]]
	area := snap.Prefecture(first.Area)
	var known, unknown *telemetry.Device
	for _, id := range snap.Order {
		if d := snap.DeviceOf(id); d != nil && snap.Within(snap.Outlets[id].Area, area) {
			if unknown == nil {
				unknown = d
			} else if known == nil {
				known = d
			}
		}
	}
	here := relay.Target{Name: "上级平台（示例）", Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, Ack: true, PW: "123456", Areas: []string{area}, Rate: 50, Window: 512, Sample: true}
	if here, err = a.relays.Add(ctx, here); err != nil {
		return errors.Join(err, l.Close())
	}
	if known != nil {
		if err := a.relays.SetMapping(ctx, here.ID, relay.Mapping{MN: known.MN, Theirs: "SAMPLE000000000000000001", PW: "654321"}); err != nil {
			return errors.Join(err, l.Close())
		}
	}
	away, err := a.relays.Add(ctx, relay.Target{Name: "国家平台（示例）", Host: "platform.example.org", Port: 9000, Ack: true, Version: "2017", Kinds: []int{2061, 2031}, Rate: 20, Window: 256, Sample: true})
	if err == nil {
		err = a.relays.Pause(ctx, away.ID, "")
	}
	if err != nil {
		return errors.Join(err, l.Close())
	}
	stranger := ""
	if unknown != nil {
		stranger = unknown.MN
	}
	receiveSamples(ctx, l, stranger, a.log)
	return nil
}

// receiveSamples acknowledges what comes, but from a logger that it says it does
// not know, and keeps nothing. It returns when ctx has ended.
func receiveSamples(ctx context.Context, l net.Listener, unknown string, log *slog.Logger) {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		wg.Go(func() {
			stop := context.AfterFunc(ctx, func() { _ = c.Close() })
			defer stop()
			defer c.Close()
			if err := answerSamples(c, unknown); ctx.Err() == nil {
				log.DebugContext(ctx, "sample receiver", slog.Any("error", err))
			}
		})
	}
}

// answerSamples goes on until the connection ends, and says why.
func answerSamples(c net.Conn, unknown string) error {
	s := hj212.NewScanner(hj212.ScanOptions{})
	var p hj212.Packet
	var out []byte
	for {
		if _, err := s.Fill(c); err != nil {
			return err
		}
		out = out[:0]
		for ev, ok := s.Next(); ok; ev, ok = s.Next() {
			if ev.Err != nil || p.Parse(ev.Seg) != nil {
				continue
			}
			if string(p.Bytes(p.MN)) != unknown {
				out, _ = hj212.AppendAck(out, &p) // what asks for nothing gets nothing
				continue
			}
			v, _, _, _ := p.FlagBits()
			m := hj212.Logger{Version: v, PW: string(p.Bytes(p.PW)), MN: unknown}.Ready(&p, hj212.QnBadMN, 0)
			with, err := m.AppendTo(out)
			if err != nil {
				return err
			}
			out = with
		}
		if _, err := c.Write(out); err != nil {
			return err
		}
	}
}
