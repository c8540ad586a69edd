package simulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"plateau/internal/telemetry"
)

// Options are those of "plateau simulate".
type Options struct {
	To       string        // HJ 212 address of the host
	Outlets  int           // loggers to run; default 10
	Interval time.Duration // simulated time between 2011 frames of a logger; default 30 s
	Speed    float64       // simulated seconds in a real one; default 1 (with CSV: as fast as the host acks)
	CSV      io.Reader     // playlist to send instead of generated series; nil = none
	Real     *Real         // real series for the loggers; nil = generated
	Password string        // default 123456
	Faults   bool          // faults of lines and loggers

	Progress io.Writer        // progress and summary; nil = none
	Every    time.Duration    // between progress lines; default 5 s
	Now      func() time.Time // wall clock; needed
	OverTime time.Duration    // wait for an ack before sending again; default 5 s
}

// ErrUnacked is returned by Simulate when frames stayed without an ack.
var ErrUnacked = errors.New("frames stayed without an ack")

// Simulate runs loggers against a host: with a CSV until all its frames are
// acked, else until ctx ends. A host that answers nothing ends it with
// ErrUnacked. Faults of the CSV are reported before anything is sent.
//
// Faster than real time, the simulated clock starts 30 days before now, so
// that it stays clear of the future for long.
func Simulate(ctx context.Context, o Options) error {
	if o.Interval == 0 {
		o.Interval = 30 * time.Second
	}
	if o.Outlets <= 0 {
		o.Outlets = 10
	}
	if o.Password == "" {
		o.Password = "123456"
	}
	if o.Every <= 0 {
		o.Every = 5 * time.Second
	}
	if o.OverTime <= 0 {
		o.OverTime = 5 * time.Second
	}
	if _, _, err := net.SplitHostPort(o.To); err != nil {
		return fmt.Errorf("address %q: %w; write HOST:PORT, such as 127.0.0.1:9212", o.To, err)
	}
	if o.Interval < time.Second {
		return fmt.Errorf("interval %v: frames carry whole seconds, so at least 1s; for more frames use a higher speed or more outlets", o.Interval)
	}
	if o.Speed < 0 {
		return fmt.Errorf("speed %g: must be above 0", o.Speed)
	}
	var (
		w       *World
		loggers []LoggerOptions
		err     error
	)
	base := LoggerOptions{Addr: o.To, Now: o.Now, Speed: o.Speed, Faults: o.Faults, KeepRealtime: true, OverTime: o.OverTime, Drain: 2 * o.OverTime, GiveUp: 3}
	if o.CSV != nil {
		w, loggers, err = playlistWorld(o, base)
	} else {
		w, loggers, err = generatedWorld(o, base)
	}
	if err != nil {
		return err
	}
	stats := &Stats{}
	start := o.Now()
	stop := make(chan struct{})
	var report sync.WaitGroup
	report.Go(func() { progress(o, stats, start, stop) })
	var wg sync.WaitGroup
	for i := range w.Plants {
		l := w.Logger(i, loggers[i], stats)
		wg.Go(func() { _ = l.Run(ctx) }) // Run reports through stats
	}
	wg.Wait()
	close(stop)
	report.Wait()
	summary(o, "done", stats, start)
	if n := stats.Unacked.Load(); n > 0 {
		return fmt.Errorf("%d %w: is the logger known to %s, with this password?", n, ErrUnacked, o.To)
	}
	if stats.Sent.Load() > 0 && stats.Acked.Load() == 0 {
		return fmt.Errorf("all %w: does a host listen at %s?", ErrUnacked, o.To)
	}
	if stats.Connects.Load() == 0 {
		return fmt.Errorf("no connection to %s: does a host listen there?", o.To)
	}
	return nil
}

func progress(o Options, s *Stats, start time.Time, stop <-chan struct{}) {
	t := time.NewTicker(o.Every)
	defer t.Stop()
	for {
		select {
		case <-stop:
			return
		case <-t.C:
			summary(o, "running", s, start)
		}
	}
}

func summary(o Options, what string, s *Stats, start time.Time) {
	if o.Progress == nil {
		return
	}
	d := o.Now().Sub(start)
	fmt.Fprintf(o.Progress, "simulate: %s, %s: %d frames sent, %d acked, %d re-sent, %d links", what, d.Round(100*time.Millisecond),
		s.Sent.Load(), s.Acked.Load(), s.Resent.Load(), s.Connects.Load())
	if n := s.Unacked.Load(); n > 0 {
		fmt.Fprintf(o.Progress, ", %d unacked", n)
	}
	fmt.Fprintln(o.Progress)
}

// playlistWorld makes one logger for each MN of the CSV.
func playlistWorld(o Options, base LoggerOptions) (*World, []LoggerOptions, error) {
	list, err := readPlaylist(o.CSV)
	if err != nil {
		return nil, nil, err
	}
	first := slices.MinFunc(list.mns, func(a, b string) int { return list.frames[a][0].at.Compare(list.frames[b][0].at) })
	w := &World{}
	var opts []LoggerOptions
	for i, mn := range list.mns {
		p, err := newPlant(telemetry.Outlet{ID: telemetry.OutletID(i + 1)}, telemetry.Device{MN: mn, Password: o.Password}, "playlist", 2017, "", nil)
		if err != nil {
			return nil, nil, err
		}
		w.add(p)
		lo := base
		lo.Epoch = list.frames[first][0].at
		if lo.script, err = list.uploads(mn, o.Password, o.Now()); err != nil {
			return nil, nil, err
		}
		if o.Speed == 0 {
			lo.Speed = 1
			for _, u := range lo.script {
				u.at = 0 // due at once
			}
		}
		opts = append(opts, lo)
	}
	w.schedule(0, true)
	return w, opts, nil
}

// simulated lists the kinds of outlets that generated loggers stand for.
var simulated = []string{"gas-boiler", "sewage-1b", "coal-boiler", "sewage-1a", "turbine", "cement-kiln", "industrial-1", "incinerator"}

// generatedWorld makes o.Outlets loggers with MNs of their own.
func generatedWorld(o Options, base LoggerOptions) (*World, []LoggerOptions, error) {
	w := &World{}
	var opts []LoggerOptions
	for i := range o.Outlets {
		out := telemetry.Outlet{ID: telemetry.OutletID(i + 1), Intervals: []telemetry.Interval{{Realtime: int(o.Interval.Seconds()), Minute: 10}}}
		p, err := newPlant(out, telemetry.Device{MN: SimulatedMN(i), Password: o.Password}, simulated[i%len(simulated)], 2017, "", o.Real)
		if err != nil {
			return nil, nil, err
		}
		w.add(p)
		lo := base
		lo.Realtime, lo.Epoch = o.Interval, o.Now()
		if o.Speed > 1 {
			lo.Epoch = lo.Epoch.AddDate(0, 0, -30)
		}
		opts = append(opts, lo)
	}
	w.schedule(0, true)
	return w, opts, nil
}

// SimulatedMN is the MN of the i-th generated logger, 24 hexadecimal digits.
func SimulatedMN(i int) string { return fmt.Sprintf("51AA00000000%012X", i+1) }
