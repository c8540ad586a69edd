package bench

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/store"
)

// registry is a registry that can be exchanged.
type registry struct {
	snap atomic.Pointer[telemetry.Snapshot]
}

func (r *registry) Snapshot() *telemetry.Snapshot { return r.snap.Load() }

// judgeRun is what one run of Judge measured.
type judgeRun struct {
	capacity, perMillion, cores, behind, behindMost, ack, ackJudging float64
}

// Judge measures whether the judgement keeps up: minute records of ten factors
// are received at an even rate, at first while nothing is judged, then that
// backlog is judged by one worker, then both go on together.
func Judge(ctx context.Context, c Config) (Report, error) {
	c.defaults()
	r := newReport("judge")
	var all []judgeRun
	for range c.Runs {
		x, err := judgeOnce(ctx, &c)
		if err != nil {
			return r, err
		}
		all = append(all, x)
	}
	of := func(get func(*judgeRun) float64) (out []float64) {
		for i := range all {
			out = append(out, get(&all[i]))
		}
		return out
	}
	r.Figures["judged_alone"] = figure("frames/s", "", of(func(x *judgeRun) float64 { return x.capacity }))
	r.Figures["cpu_per_million_frames"] = figure("s", "<= 50", of(func(x *judgeRun) float64 { return x.perMillion }))
	r.Figures["cores_for_judging_beside"] = figure("cores", "<= 1", of(func(x *judgeRun) float64 { return x.cores }))
	r.Figures["behind_beside"] = figure("s", "", of(func(x *judgeRun) float64 { return x.behind }))
	r.Figures["behind_beside_most"] = figure("s", "< 5", of(func(x *judgeRun) float64 { return x.behindMost }))
	r.Figures["acknowledged_p99"] = figure("ms", "", of(func(x *judgeRun) float64 { return x.ack }))
	r.Figures["acknowledged_p99_beside"] = figure("ms", "", of(func(x *judgeRun) float64 { return x.ackJudging }))
	r.Notes = append(r.Notes,
		fmt.Sprintf("%d frames/s of %d outlets for %d s and again for %d s; a frame is a minute record of ten factors, decoded, filed and synced; each logger's data run faster than the clock", c.Rate, c.Outlets, c.Seconds, c.Seconds),
		"the judgement has one worker; its cost is the processor time of the whole process: alone while it judges the backlog of the first stretch, beside as the difference of the two stretches, so collection of garbage and writing of rows are in it",
		"behind: how long ago the last frame that is judged was acknowledged, ten times a second")
	return r, nil
}

func judgeOnce(ctx context.Context, c *Config) (x judgeRun, err error) {
	dir, remove, err := c.tempDir()
	if err != nil {
		return x, err
	}
	defer remove()
	s, err := store.Open(dir, store.Options{Now: c.Now})
	if err != nil {
		return x, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	reg := &registry{}
	reg.snap.Store(stacks(c.Outlets))
	span := time.Duration(c.Seconds) * time.Second
	turns := 2*c.Seconds*c.Rate/c.Outlets + 2
	f := newSteady(c, s, c.Now().Add(-time.Duration(turns)*recordStep).Truncate(time.Hour))

	cpu := cpuSeconds()
	waits, err := f.run(ctx, span)
	if err != nil {
		return x, err
	}
	receiving := cpuSeconds() - cpu
	x.ack = quantile(waits, 0.99)

	e, err := quality.New(quality.Options{Store: s, Registry: reg, Now: c.Now, Workers: 1})
	if err != nil {
		return x, err
	}
	cpu, began := cpuSeconds(), c.Now()
	if err := e.CatchUp(ctx); err != nil {
		return x, err
	}
	frames := float64(f.received())
	x.capacity = frames / c.Now().Sub(began).Seconds()
	x.perMillion = (cpuSeconds() - cpu) / frames * 1e6

	run, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- e.Run(run) }()
	watched := make(chan []float64, 1)
	go func() { watched <- watch(run, f, e) }()
	cpu = cpuSeconds()
	waits, err = f.run(ctx, span)
	x.cores = (cpuSeconds() - cpu - receiving) / span.Seconds()
	x.ackJudging = quantile(waits, 0.99)
	cancel()
	behind := <-watched
	x.behind, x.behindMost = quantile(behind, 0.5), quantile(behind, 1)
	return x, errors.Join(err, <-ended)
}

// watch notes how far the judgement is behind, until ctx ends.
func watch(ctx context.Context, f *steady, e *quality.Engine) (behind []float64) {
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return behind
		case <-t.C:
			behind = append(behind, f.lag(e.Backlog().Frames))
		}
	}
}
