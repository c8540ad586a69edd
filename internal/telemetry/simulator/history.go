package simulator

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"plateau/internal/telemetry"
)

// EmitFunc takes one frame of the history, without its CR LF, in the order the
// host would have received them. The frame may be kept. sentAt is the instant
// of the upload. An error ends History.
type EmitFunc func(frame []byte, mn string, sentAt time.Time) error

// History writes the frames that all outlets of the world uploaded in
// (from, to], in order of sentAt: minute, hour and day records (2051, 2061,
// 2031) and hours run (2041), with outages, late re-sends and marks. A Logger that runs with
// Since: to goes on exactly where it ends.
func (w *World) History(ctx context.Context, from, to time.Time, emit EmitFunc) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	chunks := make(chan []histItem, 1) // one day ahead of the consumer
	go func() {
		defer close(chunks)
		w.produce(ctx, from, to, chunks)
	}()
	for chunk := range chunks {
		for i := range chunk {
			it := &chunk[i]
			if err := emit(it.frame, w.Plants[it.plant].Device.MN, time.UnixMilli(it.at).UTC()); err != nil {
				return fmt.Errorf("history: %w", err)
			}
		}
	}
	return ctx.Err()
}

// Expected estimates how many records History sends, for a measure of progress:
// minutes and hours, as if nobody had an outage or sent in parts.
func (w *World) Expected(from, to time.Time) int64 {
	n := int64(0)
	for _, p := range w.Plants {
		for h := from; h.Before(to); h = h.Add(time.Hour) {
			n++
			if every := p.minuteInterval(h.Unix() / 60); every > 0 {
				n += int64(60 / every)
			}
		}
	}
	return n
}

type histItem struct {
	at    int64 // ms
	plant int32
	frame []byte
}

// produce makes one local day after another for all plants, each day sorted
// by time. What is delivered after a day's end waits for the next one.
func (w *World) produce(ctx context.Context, from, to time.Time, out chan<- []histItem) {
	// The day before is walked too: its last records arrive after midnight.
	first := floorDiv(from.Unix()+zone*3600, 86400) - 1
	last := floorDiv(to.Unix()+zone*3600, 86400)
	gens := make([]*histGen, len(w.Plants))
	for i, p := range w.Plants {
		gens[i] = &histGen{
			f: newFramer(p), walk: newWalker(p, w.sched, first*1440-zone*60),
			deliver: delivery{p: p, sched: w.sched}, from: from.UnixMilli(), to: to.UnixMilli(), gaps: w.Gaps,
		}
	}
	var carry []histItem
	for day := first; day <= last && ctx.Err() == nil; day++ {
		end := (day+1)*1440 - zone*60
		w.eachPlant(func(i int) { gens[i].run(min(end, floorDiv(to.Unix(), 60)+1)) })
		items := carry
		carry = nil
		for _, g := range gens {
			items = append(items, g.items...)
			g.items = nil
		}
		slices.SortStableFunc(items, func(a, b histItem) int {
			if a.at != b.at {
				if a.at < b.at {
					return -1
				}
				return 1
			}
			return int(a.plant - b.plant)
		})
		if day < last {
			cut, _ := slices.BinarySearchFunc(items, end*60_000, func(a histItem, t int64) int {
				if a.at < t {
					return -1
				}
				return 1
			})
			carry = slices.Clone(items[cut:])
			items = items[:cut]
		}
		select {
		case out <- items:
		case <-ctx.Done():
		}
	}
}

// eachPlant runs f for every plant on all processors.
func (w *World) eachPlant(f func(i int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range w.Plants {
		next <- i
	}
	close(next)
	wg.Wait()
}

// histGen makes the history of one plant.
type histGen struct {
	f        *framer
	walk     *walker
	deliver  delivery
	from, to int64 // ms
	gaps     bool
	arena    []byte
	items    []histItem
}

// arenaSize is the piece of memory frames are written to; it is kept as long
// as one of its frames.
const arenaSize = 256 << 10

func (g *histGen) run(toMinute int64) {
	p := g.f.p
	g.walk.advance(toMinute, func(k telemetry.Kind, start, end int64, w *window) {
		at, late := g.deliver.at(p.due(k, end))
		if at <= g.from || at > g.to || g.skips(k, start) {
			return
		}
		if cap(g.arena)-len(g.arena) < 4096 {
			g.arena = make([]byte, 0, arenaSize)
		}
		var frames []outFrame
		g.arena, frames = g.f.record(g.arena, k, start, at, late, w)
		g.add(at, frames)
		if k == telemetry.KindDay && p.prof.equipment > 0 {
			g.arena, frames = g.f.runTimes(g.arena, g.deliver.sched, start, at+afterRecord, late)
			g.add(at, frames)
		}
	})
}

// skips leaves out the last minute records before the history ends, where a
// logger skips uploads: whoever looks then finds a gap at once.
func (g *histGen) skips(k telemetry.Kind, start int64) bool {
	end := floorDiv(g.to, 60_000)
	minute := floorDiv(start, 60)
	return g.gaps && k == telemetry.KindMinute && minute >= end-skipLength && g.deliver.sched.skipping(g.f.p.index, minute, end-skipLength)
}

func (g *histGen) add(at int64, frames []outFrame) {
	for _, f := range frames {
		g.items = append(g.items, histItem{at, int32(g.f.p.index), f.raw})
	}
}
