package quality

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/store"
)

// tableFailed marks hours and days (by their start, days plus dayOnly) that
// could not be judged because a record of theirs is damaged on the disk. It is
// written with the pass that met the damage, so that no hour is forgotten when
// the program ends. Their rows stay as they were.
const tableFailed byte = 'q'

// retryAfter is how long a damaged hour is left alone, in seconds; a new frame,
// a recompute or a restart tries it at once.
const retryAfter = 600

// Failed is an hour or day that cannot be judged.
type Failed struct {
	Outlet telemetry.OutletID
	Level  string // LevelHour or LevelDay
	At     int64  // its start
	Fault  string
}

// Failed lists the hours and days whose records cannot be read, by outlet and
// time.
func (e *Engine) Failed() []Failed {
	e.mu.RLock()
	defer e.mu.RUnlock()
	var out []Failed
	for _, id := range slices.Sorted(maps.Keys(e.failed)) {
		for _, at := range slices.Sorted(maps.Keys(e.failed[id])) {
			f := Failed{Outlet: id, Level: LevelHour, At: at, Fault: e.failed[id][at]}
			if mod(at, hourSeconds) == dayOnly {
				f.Level, f.At = LevelDay, at-dayOnly
			}
			out = append(out, f)
		}
	}
	return out
}

// failures notes what a pass could not read and what it could read again.
func (e *Engine) failures(done []judgedOutlet) (rows []store.Derived) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range done {
		j := &done[i]
		days := map[int64]bool{} // a day is judged with every hour of it
		if len(e.failed[j.outlet]) > 0 {
			for at := range j.dirty {
				days[dayStart(at)+dayOnly] = true
			}
		}
		for at := range e.failed[j.outlet] {
			_, tried := j.dirty[at]
			tried = tried || days[at]
			if _, still := j.failed[at]; tried && !still {
				delete(e.failed[j.outlet], at)
				rows = append(rows, store.Derived{Table: tableFailed, Outlet: j.outlet, At: at})
			}
		}
		for at, fault := range j.failed {
			hours := e.failed[j.outlet]
			if hours == nil {
				hours = map[int64]string{}
				e.failed[j.outlet] = hours
			}
			if hours[at] == "" {
				e.o.Logger.Error("an hour cannot be judged, its records are damaged", slog.Uint64("outlet", uint64(j.outlet)), slog.Int64("at", at), slog.Any("error", fault))
			}
			hours[at], e.retried = fault.Error(), e.o.Now().Unix()
			rows = append(rows, store.Derived{Table: tableFailed, Outlet: j.outlet, At: at, Value: []byte(fault.Error())})
		}
		if len(e.failed[j.outlet]) == 0 {
			delete(e.failed, j.outlet)
		}
	}
	return rows
}

// retry has damaged hours tried again now and then.
func (e *Engine) retry() {
	now := e.o.Now().Unix()
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.failed) == 0 || now-e.retried < retryAfter {
		return
	}
	e.retried = now
	for id, hours := range e.failed {
		for at := range hours {
			e.dirty.add(id, at)
		}
	}
}

// loadFailed reads the marks of an outlet.
func (e *Engine) loadFailed(id telemetry.OutletID) error {
	hours := map[int64]string{}
	err := e.o.Store.Derived(tableFailed, id, firstTime, lastTime, func(at int64, v []byte) bool {
		hours[at] = string(v)
		return true
	})
	if err != nil {
		return fmt.Errorf("load damaged hours of outlet %d: %w", id, err)
	}
	if len(hours) > 0 {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.failed[id] = hours
	}
	return nil
}
