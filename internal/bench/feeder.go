package bench

import (
	"context"
	"time"

	"plateau/hj212"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/store"
)

// feeder stores real-time records of many loggers in turns.
type feeder struct {
	s       *store.Store
	loggers []*logger
	next    int
	round   int
}

// raws makes the next n frames, thirty seconds a round later than the last.
func (f *feeder) raws(n int, now time.Time) *rawFrames {
	out := &rawFrames{ends: make([]int, n)}
	for i := range out.ends {
		out.bytes = f.loggers[f.next].frame(out.bytes, now.Add(time.Duration(f.round)*30*time.Second))
		out.ends[i] = len(out.bytes)
		if f.next++; f.next == len(f.loggers) {
			f.next, f.round = 0, f.round+1
		}
	}
	return out
}

// submit decodes frames and waits until they are durable.
func (f *feeder) submit(ctx context.Context, raws *rawFrames, now time.Time) error {
	var p hj212.Packet
	got := receipts{s: f.s}
	first := f.next - raws.len()
	for first < 0 {
		first += len(f.loggers)
	}
	batch := make([]*store.Frame, 0, raws.len())
	for i := range raws.len() {
		x, err := decode(&p, telemetry.OutletID((first+i)%len(f.loggers)+1), raws.at(i), make([]telemetry.Value, 0, len(codes)), now)
		if err != nil {
			return err
		}
		batch = append(batch, x)
	}
	if err := got.submit(ctx, batch...); err != nil {
		return err
	}
	return got.wait()
}
