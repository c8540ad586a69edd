package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/store"
)

// Growth measures how cost grows with the number of outlets, with history and
// with readers. Into c.Plots, when it is set, go three plots.
func Growth(ctx context.Context, c Config) (Report, error) {
	if c.Rate <= 0 {
		c.Rate = 2000
	}
	c.defaults()
	r := newReport("growth")
	var plots []Plot
	for _, part := range []func(context.Context, *Config, *Report) (Plot, error){growOutlets, growHistory, growReaders} {
		p, err := part(ctx, &c, &r)
		if err != nil {
			return r, err
		}
		plots = append(plots, p)
	}
	if c.Plots == "" {
		return r, nil
	}
	for i, name := range []string{"outlets", "history", "readers"} {
		if err := os.WriteFile(filepath.Join(c.Plots, "growth-"+name+".svg"), plots[i].SVG(), 0o644); err != nil {
			return r, err
		}
	}
	return r, nil
}

// growOutlets stores the same number of frames of ever more outlets.
func growOutlets(ctx context.Context, c *Config, r *Report) (Plot, error) {
	p := Plot{Title: "Cost of outlets", X: "outlets", Y: "µs", LogX: true}
	total := c.Frames / 5
	frames, latest := Line{Name: "a frame received"}, Line{Name: "latest of one"}
	for _, n := range []int{min(300, total), 1000, 3000, 10_000, 50_000} {
		if n > total { // each has a record at least
			break
		}
		var cost, heap, look []float64
		for range c.Runs {
			k, h, l, err := growOutletsOnce(ctx, c, n, total)
			if err != nil {
				return p, err
			}
			cost, heap, look = append(cost, k), append(heap, h), append(look, l)
		}
		r.Figures[fmt.Sprintf("outlets_%05d_frame", n)] = figure("µs", "", cost)
		r.Figures[fmt.Sprintf("outlets_%05d_memory", n)] = figure("bytes an outlet", "", heap)
		r.Figures[fmt.Sprintf("outlets_%05d_latest", n)] = figure("µs", "", look)
		frames.X, frames.Y = append(frames.X, float64(n)), append(frames.Y, figure("", "", cost).Median)
		latest.X, latest.Y = append(latest.X, float64(n)), append(latest.Y, figure("", "", look).Median)
	}
	p.Lines = []Line{frames, latest}
	r.Notes = append(r.Notes, fmt.Sprintf("outlets: %d ten-factor frames in all for each number of outlets, in batches of 1,000, decoded, filed and synced; processor time of the whole process; memory is what the store keeps in the heap after a collection", total))
	return p, nil
}

func growOutletsOnce(ctx context.Context, c *Config, n, total int) (cost, heap, look float64, err error) {
	dir, remove, err := c.tempDir()
	if err != nil {
		return 0, 0, 0, err
	}
	defer remove()
	before := liveHeap()
	s, err := store.Open(dir, store.Options{Now: c.Now})
	if err != nil {
		return 0, 0, 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	used := cpuSeconds()
	began := c.Now().Truncate(time.Second)
	made, err := growFill(ctx, s, n, total, began)
	if err != nil {
		return 0, 0, 0, err
	}
	cost = (cpuSeconds() - used - made) / float64(total) * 1e6
	const looks = 10_000
	t := c.Now()
	for i := range looks {
		if _, ok := s.Latest(telemetry.OutletID(i*7919%n+1), telemetry.KindRealtime); !ok {
			return 0, 0, 0, fmt.Errorf("bench: an outlet of %d has no latest record", n)
		}
	}
	look = float64(c.Now().Sub(t).Nanoseconds()) / 1000 / looks
	heap = max(0, liveHeap()-before) / float64(n)
	return cost, heap, look, nil
}

// growFill stores total frames of n outlets and returns the processor time that making
// them took, which is not the store's.
func growFill(ctx context.Context, s *store.Store, n, total int, now time.Time) (made float64, err error) {
	loggers := make([]*logger, n)
	for i := range loggers {
		loggers[i] = newLogger(i)
	}
	f := &feeder{s: s, loggers: loggers}
	for done := 0; done < total; done += 1000 {
		began := cpuSeconds()
		raws := f.raws(1000, now)
		made += cpuSeconds() - began
		if err := f.submit(ctx, raws, now); err != nil {
			return 0, err
		}
	}
	return made, s.Health()
}

func liveHeap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// growHistory asks the same of ever longer histories.
func growHistory(ctx context.Context, c *Config, r *Report) (Plot, error) {
	p := Plot{Title: "Cost of history", X: "days of history of 100 outlets, ten-minute records", Y: "ms"}
	day, open := Line{Name: "day of one outlet"}, Line{Name: "opening the store"}
	for _, days := range []int{min(c.Days, 10), 30, 90, 180, 365} {
		if days > c.Days {
			break
		}
		d, o, err := growHistoryOnce(ctx, c, days)
		if err != nil {
			return p, err
		}
		r.Figures[fmt.Sprintf("history_%03d_day", days)] = figure("ms", "", d)
		r.Figures[fmt.Sprintf("history_%03d_open", days)] = figure("ms", "", o)
		day.X, day.Y = append(day.X, float64(days)), append(day.Y, figure("", "", d).Median)
		open.X, open.Y = append(open.X, float64(days)), append(open.Y, figure("", "", o).Median)
	}
	p.Lines = []Line{day, open}
	r.Notes = append(r.Notes, "history: a day of one outlet is 144 records of ten factors in the middle of the history; opening reads the latest record of every outlet")
	return p, nil
}

func growHistoryOnce(ctx context.Context, c *Config, days int) (day, open []float64, err error) {
	dir, remove, err := c.tempDir()
	if err != nil {
		return nil, nil, err
	}
	defer remove()
	s, err := store.Open(dir, store.Options{Now: c.Now})
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	outlets := min(c.Outlets, 100)
	to := c.Now().Truncate(24 * time.Hour)
	if err := fillMinutes(ctx, s, outlets, to.AddDate(0, 0, -days), to, nil); err != nil {
		return nil, nil, err
	}
	if err := s.Compact(ctx); err != nil {
		return nil, nil, err
	}
	for k := range max(c.Runs, 9) {
		if err := s.Close(); err != nil {
			return nil, nil, err
		}
		began := c.Now()
		if s, err = store.Open(dir, store.Options{Now: c.Now}); err != nil {
			return nil, nil, err
		}
		open = append(open, float64(c.Now().Sub(began).Microseconds())/1000)
		from := to.AddDate(0, 0, -(days+1)/2)
		began = c.Now()
		n := 0
		err := s.Records(telemetry.OutletID(k%outlets+1), telemetry.KindMinute, from.Unix(), from.Add(24*time.Hour).Unix(), func(*telemetry.Record) bool { n++; return true })
		if err != nil || n != 144 {
			return nil, nil, fmt.Errorf("bench: a day has %d records: %w", n, err)
		}
		day = append(day, float64(c.Now().Sub(began).Microseconds())/1000)
	}
	return day, open, nil
}

// growReaders lets ever more readers ask without rest while frames are received.
func growReaders(ctx context.Context, c *Config, r *Report) (Plot, error) {
	p := Plot{Title: "Cost of readers", X: "readers that ask for a day of an outlet without rest", Y: "ms", LogX: true}
	dir, remove, err := c.tempDir()
	if err != nil {
		return p, err
	}
	defer remove()
	s, err := store.Open(dir, store.Options{Now: c.Now})
	if err != nil {
		return p, err
	}
	defer func() { _ = s.Close() }()
	outlets := min(c.Outlets, 300)
	days := min(c.Days, 30)
	to := c.Now().Truncate(24 * time.Hour)
	if err := fillMinutes(ctx, s, outlets, to.AddDate(0, 0, -days), to, nil); err != nil {
		return p, err
	}
	own := *c
	own.Outlets = outlets
	f := newSteady(&own, s, to)
	read, ack := Line{Name: "answer, 95th"}, Line{Name: "receipt, 99th"}
	for _, n := range []int{1, 2, 4, 8, 16, 32} {
		stop := make(chan struct{})
		var (
			wg    sync.WaitGroup
			mu    sync.Mutex
			waits []float64
			fault error
		)
		for g := range n {
			wg.Go(func() {
				var mine []float64
				for k := 0; ; k++ {
					select {
					case <-stop:
						mu.Lock()
						waits = append(waits, mine...)
						mu.Unlock()
						return
					default:
					}
					from := to.AddDate(0, 0, -1-k%days)
					began := c.Now()
					err := s.Records(telemetry.OutletID((g*37+k)%outlets+1), telemetry.KindMinute, from.Unix(), from.Add(24*time.Hour).Unix(), func(*telemetry.Record) bool { return true })
					mine = append(mine, float64(c.Now().Sub(began).Microseconds())/1000)
					if err != nil {
						mu.Lock()
						fault = err
						mu.Unlock()
						return
					}
				}
			})
		}
		acks, err := f.run(ctx, time.Duration(min(c.Seconds, 5))*time.Second)
		close(stop)
		wg.Wait()
		if err = errors.Join(err, fault); err != nil {
			return p, err
		}
		r.Figures[fmt.Sprintf("readers_%02d_answer_p95", n)] = figure("ms", "", []float64{quantile(waits, 0.95)})
		r.Figures[fmt.Sprintf("readers_%02d_ack_p99", n)] = figure("ms", "", []float64{quantile(acks, 0.99)})
		read.X, read.Y = append(read.X, float64(n)), append(read.Y, quantile(waits, 0.95))
		ack.X, ack.Y = append(ack.X, float64(n)), append(ack.Y, quantile(acks, 0.99))
	}
	p.Lines = []Line{read, ack}
	r.Notes = append(r.Notes, fmt.Sprintf("readers: %d outlets with %d days; %d frames/s are received beside", outlets, days, c.Rate))
	return p, nil
}
