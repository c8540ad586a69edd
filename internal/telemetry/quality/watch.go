package quality

import (
	"maps"
	"sync"

	"plateau/internal/telemetry"
)

// Watch collects what is judged, for a reader that follows the judgement
// without slowing it.
type Watch struct {
	mu    sync.Mutex
	since map[telemetry.OutletID]int64
}

// Watch begins to collect. What a Watch has collected costs an entry an outlet,
// however long nobody looks.
func (e *Engine) Watch() *Watch {
	w := &Watch{since: map[telemetry.OutletID]int64{}}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.watches = append(e.watches, w)
	return w
}

// Take returns the outlets judged since the last call, with the start (Unix
// seconds) of the earliest hour among what was judged, or of the earliest day
// where no hour was, and forgets them.
func (w *Watch) Take() map[telemetry.OutletID]int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := maps.Clone(w.since)
	clear(w.since)
	return out
}

func (w *Watch) note(done []judgedOutlet) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range done {
		j := &done[i]
		hour, day := int64(lastTime), int64(lastTime)
		for k := range j.rows {
			switch d := &j.rows[k]; {
			case d.Table == TableHour:
				hour = min(hour, d.At)
			case d.Value != nil:
				day = min(day, d.At)
			}
		}
		at := hour
		if at == lastTime {
			at = day
		}
		if at == lastTime {
			continue
		}
		if old, ok := w.since[j.outlet]; !ok || at < old {
			w.since[j.outlet] = at
		}
	}
}
