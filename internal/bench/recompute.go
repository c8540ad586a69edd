package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"plateau/internal/platform/disk"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/store"
)

// Recompute measures judging history anew: a month of one outlet, and all
// history of all outlets, after their limits have changed, while records are
// received and judged beside. The history is filled in and judged once; the runs
// follow each other on it.
func Recompute(ctx context.Context, c Config) (r Report, err error) {
	if c.Outlets <= 0 {
		c.Outlets = 300
	}
	if c.Rate <= 0 {
		c.Rate = 1000
	}
	c.defaults()
	r = newReport("recompute")
	dir, remove, err := c.tempDir()
	if err != nil {
		return r, err
	}
	defer remove()
	s, err := store.Open(dir, store.Options{Now: c.Now, CacheMB: 256})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	reg := &registry{}
	snap := stacks(c.Outlets)
	reg.snap.Store(snap)
	// What is received beside comes after the history.
	room := time.Duration((c.Runs+1)*2*max(c.Seconds, 300)*c.Rate/c.Outlets) * recordStep
	end := c.Now().Add(-room).Truncate(24 * time.Hour)
	from := end.AddDate(0, 0, -c.Days)
	began := c.Now()
	if err := fillMinutes(ctx, s, c.Outlets, from, end, nil); err != nil {
		return r, err
	}
	records := float64(c.Outlets) * float64(c.Days) * float64(24*time.Hour/recordStep)
	r.Figures["filled"] = figure("records/s", "", []float64{records / c.Now().Sub(began).Seconds()})

	e, err := quality.New(quality.Options{Store: s, Registry: reg, Now: c.Now})
	if err != nil {
		return r, err
	}
	began = c.Now()
	if err := e.CatchUp(ctx); err != nil {
		return r, err
	}
	r.Figures["judged_first"] = figure("s", "", []float64{c.Now().Sub(began).Seconds()})

	var month []float64
	for k := range max(c.Runs, 9) {
		e.MarkDirty(telemetry.OutletID(k%c.Outlets+1), end.AddDate(0, 0, -min(31, c.Days)), end)
		began := c.Now()
		if err := e.CatchUp(ctx); err != nil {
			return r, err
		}
		month = append(month, c.Now().Sub(began).Seconds())
	}
	r.Figures["month_of_one_outlet"] = figure("s", "< 1", month)

	run, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- e.Run(run) }()
	defer func() {
		cancel()
		err = errors.Join(err, <-ended)
	}()
	x := recomputeRuns{c: &c, e: e, reg: reg, f: newSteady(&c, s, end)}
	for range c.Runs {
		if err := x.once(ctx); err != nil {
			return r, err
		}
	}
	r.Figures["all_outlets"] = figure("s", "< 300", x.took)
	r.Figures["acknowledged_p50"] = figure("ms", "", x.calm50)
	r.Figures["acknowledged_p99"] = figure("ms", "", x.calm99)
	r.Figures["acknowledged_p50_beside"] = figure("ms", "", x.busy50)
	r.Figures["acknowledged_p99_beside"] = figure("ms", "", x.busy99)
	r.Figures["new_frames_behind_most"] = figure("s", "", x.behind)
	size, err := disk.Size(dir)
	if err != nil {
		return r, err
	}
	r.Figures["disk"] = figure("MB", "", []float64{float64(size) / 1e6})
	r.Notes = append(r.Notes,
		fmt.Sprintf("%d outlets with %d days of ten-minute records of ten factors: %.0f records, %d rows of hours and days judged anew a run", c.Outlets, c.Days, records, c.Outlets*c.Days*25),
		fmt.Sprintf("every outlet's limit of nitrogen oxides changes; beside it %d frames/s are received, decoded, synced and judged; without it they are for %d s", c.Rate, c.Seconds),
		"acknowledged: from handing a batch of some frames over to its acknowledgement after the sync; behind: how long ago the last new frame that is judged was acknowledged, while history is judged anew",
		"the history is filled in without raw frames (a few bytes stand for each), so the disk it takes is less than that of received history")
	return r, nil
}

type recomputeRuns struct {
	c   *Config
	e   *quality.Engine
	reg *registry
	f   *steady
	n   int

	took, calm50, calm99, busy50, busy99, behind []float64
}

// once receives for a while, then goes on receiving while everything is judged anew.
func (x *recomputeRuns) once(ctx context.Context) error {
	waits, err := x.f.run(ctx, time.Duration(x.c.Seconds)*time.Second)
	if err != nil {
		return err
	}
	x.calm50, x.calm99 = append(x.calm50, quantile(waits, 0.5)), append(x.calm99, quantile(waits, 0.99))
	if err := x.settle(ctx); err != nil {
		return err
	}
	// While history is judged anew the counter of frames judged starts from here.
	side, stop := context.WithCancel(ctx)
	defer stop()
	busy := make(chan []float64, 1)
	fault := make(chan error, 1)
	go func() {
		w, err := x.f.run(side, time.Hour)
		if errors.Is(err, context.Canceled) {
			err = nil
		}
		busy <- w
		fault <- err
	}()
	behind := make(chan float64, 1)
	base := x.e.Backlog().Frames - x.f.received()
	var watching sync.WaitGroup
	watching.Go(func() {
		most := 0.0
		for side.Err() == nil {
			most = max(most, x.f.lag(x.e.Backlog().Frames-base))
			time.Sleep(50 * time.Millisecond)
		}
		behind <- most
	})
	x.n++
	next := stacks(x.c.Outlets)
	next.Version = uint64(x.n + 1)
	hi := 50 + float64(x.n)
	for _, o := range next.Outlets {
		o.Limits = []telemetry.Limit{{ID: "own", Standard: "permit", EffectiveFrom: "2000-01-01", Factor: "a21002", Statistic: "hour", Op: "<=", Hi: &hi, Unit: "mg/m3"}}
	}
	began := x.c.Now()
	x.reg.snap.Store(next)
	for seen := false; ; time.Sleep(5 * time.Millisecond) {
		if err := ctx.Err(); err != nil {
			return err
		}
		p := x.e.Backlog().Dirty // outlets that wait to be judged anew
		if seen = seen || p > 0; seen && p == 0 {
			break
		}
	}
	x.took = append(x.took, x.c.Now().Sub(began).Seconds())
	stop()
	w := <-busy
	x.busy50, x.busy99 = append(x.busy50, quantile(w, 0.5)), append(x.busy99, quantile(w, 0.99))
	watching.Wait()
	x.behind = append(x.behind, <-behind)
	return errors.Join(<-fault, x.settle(ctx))
}

// settle waits until everything is judged.
func (x *recomputeRuns) settle(ctx context.Context) error {
	for !x.e.Backlog().Done() {
		if err := ctx.Err(); err != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil
}

// fillMinutes stores minute records of n outlets over [from, to) as fast as the
// store takes them; tell, when given, hears every thirty days how far it is.
func fillMinutes(ctx context.Context, s *store.Store, n int, from, to time.Time, tell func(at time.Time)) error {
	got := receipts{s: s}
	raw := []byte("##0000")
	names := make([]string, n)
	loggers := make([]*logger, n)
	for i := range n {
		loggers[i] = newLogger(i)
		names[i] = loggers[i].mn
	}
	batch := make([]*store.Frame, 0, 2000)
	flush := func() error {
		err := got.submit(ctx, batch...)
		batch = make([]*store.Frame, 0, 2000)
		return err
	}
	for at := from; at.Before(to); at = at.Add(recordStep) {
		if tell != nil && at.Sub(from)%(30*24*time.Hour) == 0 {
			tell(at)
		}
		for i, l := range loggers {
			f := &store.Frame{
				MN: names[i], Outlet: telemetry.OutletID(i + 1), Kind: telemetry.KindMinute, At: at.Unix(), Received: at.Add(recordStep),
				Raw: raw, Verdict: telemetry.Stored, Values: make([]telemetry.Value, len(codes)),
			}
			for k, c := range codes {
				l.values[k] *= 1 + 0.01*(l.rnd.Float64()-0.5)
				f.Values[k] = telemetry.Value{Code: c, Suffix: "Avg", Flag: "N", IsNum: true, Dec: telemetry.Decimal{Coef: int64(l.values[k] * 100), Scale: 2}}
			}
			if batch = append(batch, f); len(batch) == cap(batch) {
				if err := flush(); err != nil {
					return err
				}
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	return got.wait()
}
