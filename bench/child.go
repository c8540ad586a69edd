package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"plateau/hj212"
)

// peer is a store under measurement.
type peer interface {
	// write keeps a group of frames; part tells which of the two writers calls.
	write(part int, group []frame) error
	// sync returns when all that was written is as durable as the peer makes it.
	sync() error
	// settle packs what is stored as tightly as the peer does in time, opens it
	// anew, and returns its size on disk.
	settle() (bytes int64, err error)
	// day reads the values of one outlet in [from, to) and returns how many.
	day(outlet int, from, to int64) (int, error)
	// latest reads the latest values of all outlets and returns how many.
	latest() (int, error)
	// close ends it and returns the peak memory of processes beside this one, MB.
	close() (float64, error)
	version() string
	durable() string
}

var errUnknown = errors.New("no such peer: plateau, postgresql, prometheus, victoriametrics")

func openPeer(name string, s settings, last int64) (peer, error) {
	switch name {
	case "plateau":
		return openPlateau(s)
	case "postgresql":
		return openPostgres(s)
	case "prometheus":
		return openPrometheus(s)
	case "victoriametrics":
		return openVictoria(s, last)
	}
	return nil, errUnknown
}

const writers = 2

// runChild measures one peer and prints its figures as JSON. The frames are made
// before; decoding them is part of what is measured, for everyone alike.
func runChild(name string, s settings) error {
	raws, first, last := makeFrames(s)
	p, err := openPeer(name, s, last)
	if err != nil {
		return err
	}
	f := figures{Version: p.version(), Durable: p.durable()}
	began := time.Now()
	if err := feed(p, s, raws); err != nil {
		return err
	}
	if err := p.sync(); err != nil {
		return err
	}
	f.FramesPerSecond = float64(len(raws)) / time.Since(began).Seconds()
	size, err := p.settle()
	if err != nil {
		return err
	}
	f.BytesPerReading = float64(size) / float64(len(raws)*len(codes))
	day := int64(24 * time.Hour / time.Second)
	from := max(first, last+1-day)
	if f.DayMillis, f.DayReadings, err = median(func(i int) (int, error) { return p.day(i*7%s.Outlets+1, from, last+1) }); err != nil {
		return err
	}
	if f.LatestMillis, f.LatestReadings, err = median(func(int) (int, error) { return p.latest() }); err != nil {
		return err
	}
	if want := min(int(day/30), s.Frames/s.Outlets) * len(codes); f.DayReadings < want-len(codes) {
		return fmt.Errorf("a day has %d readings, want %d", f.DayReadings, want)
	}
	if want := s.Outlets * len(codes); f.LatestReadings != want {
		return fmt.Errorf("there are %d latest readings, want %d", f.LatestReadings, want)
	}
	if f.PeakMB, err = p.close(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(f)
}

// lead is how many frames a writer may be ahead of the other, less than an hour
// of all outlets: frames come as time goes by, and Prometheus takes none that are
// an hour older than the newest.
const lead = 20_000

// feed decodes and writes all frames, the two writers taking the odd and the
// even outlets, so that each outlet's times rise.
func feed(p peer, s settings, raws [][]byte) error {
	errs := make([]error, writers)
	var wg sync.WaitGroup
	var at [writers]atomic.Int64
	for part := range writers {
		wg.Go(func() {
			defer at[part].Store(math.MaxInt64)
			var packet hj212.Packet
			group := make([]frame, 0, s.Group)
			for i := part; i < len(raws) && errs[part] == nil; i += writers {
				f, err := decode(&packet, i, s, raws[i])
				if err != nil {
					errs[part] = err
					return
				}
				if group = append(group, f); len(group) == s.Group {
					at[part].Store(int64(i))
					for int64(i)-lead > at[1-part].Load() {
						time.Sleep(time.Millisecond)
					}
					errs[part] = p.write(part, group)
					group = group[:0]
				}
			}
			if len(group) > 0 && errs[part] == nil {
				errs[part] = p.write(part, group)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// median runs fn some twenty times, the first not counted.
func median(fn func(i int) (int, error)) (millis float64, n int, err error) {
	var took []float64
	for i := range 21 {
		began := time.Now()
		if n, err = fn(i); err != nil {
			return 0, 0, err
		}
		if i > 0 {
			took = append(took, float64(time.Since(began).Microseconds())/1000)
		}
	}
	slices.Sort(took)
	return took[len(took)/2], n, nil
}

// moduleVersion is the version of a module that is built in.
func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range info.Deps {
		if strings.HasPrefix(m.Path, path) {
			return m.Version
		}
	}
	return ""
}
