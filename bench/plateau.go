package main

import (
	"path/filepath"
	"sync"
	"time"

	"plateau/internal/platform/disk"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/store"
)

// plateauStore keeps each frame in the journal, byte for byte, and its values as
// a row, in one synced commit.
type plateauStore struct {
	dir string
	s   *store.Store
	wg  sync.WaitGroup

	mu  sync.Mutex
	err error
}

func openPlateau(s settings) (peer, error) {
	p := &plateauStore{dir: filepath.Join(s.Dir, "plateau")}
	var err error
	p.s, err = store.Open(p.dir, store.Options{})
	return p, err
}

func (p *plateauStore) version() string { return "" }

func (p *plateauStore) durable() string { return "all that was acknowledged" }

func (p *plateauStore) done(r store.Result) {
	if r.Err != nil {
		p.mu.Lock()
		p.err = r.Err
		p.mu.Unlock()
	}
	p.wg.Done()
}

func (p *plateauStore) write(_ int, group []frame) error {
	fs := make([]*store.Frame, len(group))
	now := time.Now()
	for i := range group {
		g := &group[i]
		fs[i] = &store.Frame{
			MN: g.mn, Outlet: telemetry.OutletID(g.outlet), Kind: g.kind, At: g.at, Received: now, Raw: g.raw,
			Verdict: telemetry.Stored, Values: g.values, Done: p.done,
		}
	}
	p.wg.Add(len(fs))
	return p.s.SubmitBatch(background, fs)
}

func (p *plateauStore) sync() error {
	p.wg.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

func (p *plateauStore) settle() (int64, error) {
	if err := p.s.Compact(background); err != nil {
		return 0, err
	}
	for range 2 { // opened once more, it holds no log kept for its next use
		if err := p.s.Close(); err != nil {
			return 0, err
		}
		var err error
		if p.s, err = store.Open(p.dir, store.Options{}); err != nil {
			return 0, err
		}
	}
	return disk.Size(p.dir)
}

func (p *plateauStore) day(outlet int, from, to int64) (n int, err error) {
	err = p.s.Records(telemetry.OutletID(outlet), telemetry.KindRealtime, from, to, func(r *telemetry.Record) bool {
		n += len(r.Values)
		return true
	})
	return n, err
}

func (p *plateauStore) latest() (n int, err error) {
	p.s.EachLatest(telemetry.KindRealtime, func(r *telemetry.Record) bool {
		n += len(r.Values)
		return true
	})
	return n, nil
}

func (p *plateauStore) close() (float64, error) { return 0, p.s.Close() }
