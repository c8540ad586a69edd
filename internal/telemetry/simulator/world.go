package simulator

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"plateau/internal/telemetry"
)

// World is a set of plants with one schedule of what happens to them.
type World struct {
	Plants []*Plant
	// Gaps leaves minute records out at the end of the history, of the loggers
	// that go on to do so with Faults.
	Gaps  bool
	sched *schedule
}

// WorldOptions chooses how the sample region is played.
type WorldOptions struct {
	// Region is what is played; the outlets' intervals count. Zero: Region().
	Region *RegionData
	// Real series to play; nil: all series are generated from estimates.csv.
	Real *Real
	// Seed shifts the schedule of roles; 0 is a good choice.
	Seed uint64
	// Calm leaves everything in its normal state: no roles, no incidents.
	Calm bool
}

// NewWorld prepares the sample region for playing. It fails when the region
// given is not the package's own (profiles are found by outlet ID).
func NewWorld(o WorldOptions) (*World, error) {
	if o.Region == nil {
		r := Region()
		o.Region = &r
	}
	rows := map[telemetry.OutletID]map[string]string{}
	for _, r := range table(outletsCSV) {
		rows[telemetry.OutletID(number(r["id"]))] = r
	}
	devices := map[telemetry.OutletID]telemetry.Device{}
	for _, d := range o.Region.Devices {
		devices[d.Outlet] = d
	}
	w := &World{}
	for _, out := range o.Region.Outlets {
		r, ok := rows[out.ID]
		if !ok {
			return nil, fmt.Errorf("outlet %d is not of the sample region", out.ID)
		}
		version, err := strconv.Atoi(r["hj212"])
		if err != nil {
			return nil, fmt.Errorf("outlet %d: version %q: %w", out.ID, r["hj212"], err)
		}
		p, err := newPlant(out, devices[out.ID], r["profile"], version, r["quirk"], o.Real)
		if err != nil {
			return nil, err
		}
		w.add(p)
	}
	w.schedule(o.Seed, o.Calm)
	return w, nil
}

func (w *World) add(p *Plant) {
	p.index = len(w.Plants)
	w.Plants = append(w.Plants, p)
}

func (w *World) schedule(seed uint64, calm bool) {
	w.sched = &schedule{plants: w.Plants, seed: seed, off: calm, days: map[int64][][]episode{}}
}

// Origin tells where the values of a factor come from. The zero Origin: they
// are made up, since no real series holds the quantity.
type Origin struct {
	Source string // who published the real series
	Real   bool   // it is played; else values are generated from figures estimated from it
	Scaled bool   // multiplied by a constant, to the outlet's size or limit
}

// Origin returns the origin of a factor's values, by the code of the registry.
func (w *World) Origin(o telemetry.OutletID, code string) (from Origin, ok bool) {
	for _, p := range w.Plants {
		if p.Outlet.ID != o {
			continue
		}
		for i := range p.factors {
			if p.factors[i].code == code {
				return p.factors[i].origin, true
			}
		}
	}
	return Origin{}, false
}

// Run plays all loggers of the world until ctx ends.
func (w *World) Run(ctx context.Context, o LoggerOptions, stats *Stats) {
	var wg sync.WaitGroup
	for i := range w.Plants {
		l := w.Logger(i, o, stats)
		wg.Go(func() { _ = l.Run(ctx) }) // Run reports through stats
	}
	wg.Wait()
}

// Part is what an outlet plays for a while.
type Part struct {
	Outlet telemetry.OutletID
	// State is what the outlet should be found in: over, warning, suspect,
	// offline, maintenance, stopped. How: the way it comes about, e.g. "misfold".
	State, How string
	Factor     string // code of the factor it shows in; "" = all
	From, To   time.Time
}

var parts = map[role][2]string{
	overHour: {"over", "hour mean"}, overPH: {"over", "pH"}, overDay: {"warning", "day mean, over tomorrow"},
	warnHour: {"warning", "running hour"}, warnDay: {"warning", "running day"},
	stuck: {"suspect", "constant"}, negative: {"suspect", "negative"}, jumpy: {"suspect", "jumps"}, misfold: {"suspect", "misfold"},
	linkDown: {"offline", "link"}, powerOff: {"offline", "power"}, maintenance: {"maintenance", "C, then M"}, stopped: {"stopped", "F"},
}

// Playing lists what the outlets with a part play at t. Outlets without one
// are normal, save for what their series and small incidents bring.
func (w *World) Playing(t time.Time) []Part {
	var out []Part
	for i, p := range w.Plants {
		e, _ := w.sched.at(i, floorDiv(t.Unix(), 60))
		if e.role == normal {
			continue
		}
		part := Part{Outlet: p.Outlet.ID, State: parts[e.role][0], How: parts[e.role][1], From: time.Unix(e.from*60, 0).UTC(), To: time.Unix(e.to*60, 0).UTC()}
		switch e.role {
		case overPH:
			part.Factor = "w01001"
		case overHour, overDay, warnHour, warnDay, negative, jumpy:
			part.Factor = p.factors[p.target(e)].code
		default: // all factors
		}
		out = append(out, part)
	}
	return out
}

// StrangerMN is the MN of the logger of Stranger.
const StrangerMN = "5401232017A00000000100E0"

// Stranger returns a world of one logger that no registry knows: it dials,
// knocks, is never acked, and dials again, until an officer adopts it.
func Stranger(real *Real) (*World, error) {
	o := telemetry.Outlet{ID: 1 << 20, Intervals: []telemetry.Interval{{Realtime: 60, Minute: 10}}}
	p, err := newPlant(o, telemetry.Device{MN: StrangerMN, Password: "123456"}, "sewage-1b", 2017, "", real)
	if err != nil {
		return nil, err
	}
	w := &World{}
	w.add(p)
	w.schedule(0, true)
	return w, nil
}
