package bench

import (
	"context"
	"slices"
	"sync"
	"syscall"
	"time"

	"plateau/hj212"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/store"
)

// recordStep is the time between two minute records of a logger.
const recordStep = 10 * time.Minute

// steady receives minute records at an even rate, decoded and durable as the
// gateway's are. The loggers take turns; their data run faster than the clock.
type steady struct {
	c       *Config
	s       *store.Store
	loggers []*logger
	next    int       // logger whose turn it is
	at      time.Time // DataTime of this turn
	raw     []byte

	mu    sync.Mutex
	waits []float64 // ms from handing a batch over to its last acknowledgement
	acked int64
	fault error
	marks []mark
}

// mark says how many frames were acknowledged at an instant.
type mark struct {
	at    time.Time
	acked int64
}

func newSteady(c *Config, s *store.Store, first time.Time) *steady {
	f := &steady{c: c, s: s, at: first}
	for i := range c.Outlets {
		f.loggers = append(f.loggers, newLogger(i))
	}
	return f
}

// tick is the time between two batches.
const tick = 10 * time.Millisecond

// run receives for a while and returns the waits for acknowledgements in ms. It
// keeps the rate over the whole stretch: what a slow moment left undone is made
// up for.
func (f *steady) run(ctx context.Context, span time.Duration) ([]float64, error) {
	f.mu.Lock()
	f.waits = nil
	f.mu.Unlock()
	began := f.c.Now()
	done := 0
	var open sync.WaitGroup
	for {
		gone := f.c.Now().Sub(began)
		if gone >= span || ctx.Err() != nil {
			break
		}
		for due := int(gone.Seconds() * float64(f.c.Rate)); done < due; {
			n := min(due-done, 2000)
			batch, err := f.batch(n)
			if err != nil {
				return nil, err
			}
			f.hand(batch, &open)
			if err := f.s.SubmitBatch(ctx, batch); err != nil {
				return nil, err
			}
			done += n
		}
		time.Sleep(tick - f.c.Now().Sub(began)%tick)
	}
	open.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.waits, f.fault
}

// hand makes a batch tell when it is durable.
func (f *steady) hand(batch []*store.Frame, open *sync.WaitGroup) {
	left := len(batch)
	handed := f.c.Now()
	open.Add(1)
	done := func(r store.Result) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if r.Err != nil {
			f.fault = r.Err
		}
		if left--; left == 0 {
			now := f.c.Now()
			f.acked += int64(len(batch))
			f.waits = append(f.waits, float64(now.Sub(handed).Microseconds())/1000)
			f.marks = append(f.marks, mark{now, f.acked})
			open.Done()
		}
	}
	for _, x := range batch {
		x.Done = done
	}
}

func (f *steady) batch(n int) ([]*store.Frame, error) {
	var p hj212.Packet
	now := f.c.Now()
	out := make([]*store.Frame, 0, n)
	for range n {
		f.raw = f.loggers[f.next].minute(f.raw[:0], f.at)
		x, err := decode(&p, telemetry.OutletID(f.next+1), slices.Clone(f.raw), make([]telemetry.Value, 0, len(codes)), now)
		if err != nil {
			return nil, err
		}
		out = append(out, x)
		if f.next++; f.next == len(f.loggers) {
			f.next, f.at = 0, f.at.Add(recordStep)
		}
	}
	return out, nil
}

// lag is how long ago the last judged frame was acknowledged, in seconds.
func (f *steady) lag(judged int64) float64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.marks) > 0 && f.marks[0].acked <= judged {
		f.marks = f.marks[1:]
	}
	if len(f.marks) == 0 {
		return 0
	}
	return f.c.Now().Sub(f.marks[0].at).Seconds()
}

func (f *steady) received() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.acked
}

// cpuSeconds is what the process has used of all cores.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

// quantile of values, 0 to 1.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	return s[min(int(q*float64(len(s))), len(s)-1)]
}

// stacks are n gas turbines with the ten factors of the frames.
func stacks(n int) *telemetry.Snapshot {
	s := &telemetry.Snapshot{Version: 1, Outlets: map[telemetry.OutletID]*telemetry.Outlet{}}
	for i := range n {
		o := &telemetry.Outlet{
			ID: telemetry.OutletID(i + 1), Medium: telemetry.Gas, SourceType: "natural-gas turbine", Condition: "all", Level: "general (表1)",
			Intervals: []telemetry.Interval{{Realtime: 30, Minute: int(recordStep.Minutes())}},
		}
		for _, c := range codes {
			o.Factors = append(o.Factors, telemetry.OutletFactor{Code: c})
		}
		s.Outlets[o.ID], s.Order = o, append(s.Order, o.ID)
	}
	return s
}
