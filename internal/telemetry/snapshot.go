package telemetry

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// DeviceOf returns the logger that serves an outlet now, nil when there is none.
func (s *Snapshot) DeviceOf(id OutletID) *Device {
	if s.serving != nil {
		return s.serving[id]
	}
	for _, d := range s.Devices {
		if d.Outlet == id {
			return d
		}
	}
	return nil
}

// DevicesOf returns every period of an outlet's loggers, newest first.
func (s *Snapshot) DevicesOf(id OutletID) []Device {
	var all []Device
	if d := s.DeviceOf(id); d != nil {
		all = append(all, *d)
	}
	for i := range s.Past {
		if s.Past[i].Outlet == id {
			all = append(all, s.Past[i])
		}
	}
	slices.SortStableFunc(all, func(a, b Device) int { return b.From.Compare(a.From) })
	return all
}

// editor makes the next snapshot from the last one. Only what a change touches
// is copied, because with many outlets a full copy for each change would be the
// cost of the change.
type editor struct {
	s                                       Snapshot
	at                                      time.Time // of the change
	areas, enterprises, outlets, devs, past bool      // already copied
	reorder                                 bool
	added                                   []OutletID // new outlets, not in Order yet
}

func edit(last *Snapshot, at time.Time) *editor {
	e := &editor{s: *last, at: at}
	e.s.Version++
	return e
}

func own[K comparable, V any](done *bool, m *map[K]V) {
	if !*done {
		if *m = maps.Clone(*m); *m == nil {
			*m = map[K]V{}
		}
		*done = true
	}
}

func (e *editor) putEnterprise(x Enterprise) {
	own(&e.enterprises, &e.s.Enterprises)
	e.s.Enterprises[x.ID] = &x
}

func (e *editor) dropEnterprise(id string) {
	own(&e.enterprises, &e.s.Enterprises)
	delete(e.s.Enterprises, id)
}

// putOutlet adds or replaces an outlet. The order of the others stays right
// when it is new; a change of name, area or enterprise sorts again.
func (e *editor) putOutlet(o *Outlet) {
	own(&e.outlets, &e.s.Outlets)
	old := e.s.Outlets[o.ID]
	e.s.Outlets[o.ID] = o
	switch {
	case old == nil:
		e.added = append(e.added, o.ID)
	case old.Area != o.Area || old.Enterprise != o.Enterprise || old.Name.Zh != o.Name.Zh:
		e.reorder = true
	}
}

func (e *editor) dropOutlet(id OutletID) {
	own(&e.outlets, &e.s.Outlets)
	delete(e.s.Outlets, id)
	e.reorder = true
}

func (e *editor) ownDevices() {
	if !e.devs {
		if e.s.serving == nil {
			e.s.serving = map[OutletID]*Device{}
			for _, d := range e.s.Devices {
				e.s.serving[d.Outlet] = d
			}
		}
		var serving bool
		own(&serving, &e.s.serving)
		own(&e.devs, &e.s.Devices)
	}
}

// putDevice adds or replaces a serving logger.
func (e *editor) putDevice(d Device) {
	e.ownDevices()
	e.s.Devices[d.MN] = &d
	e.s.serving[d.Outlet] = &d
}

// endDevice moves a serving logger to the past.
func (e *editor) endDevice(mn string, at time.Time) {
	d := e.s.Devices[mn]
	if d == nil {
		return
	}
	e.dropServing(mn)
	ended := *d
	ended.To = at
	e.ownPast()
	e.s.Past = append(e.s.Past, ended)
}

// dropServing takes a logger out of the serving ones without trace in the past.
func (e *editor) dropServing(mn string) {
	e.ownDevices()
	if d := e.s.Devices[mn]; d != nil {
		delete(e.s.Devices, mn)
		if s := e.s.serving[d.Outlet]; s != nil && s.MN == mn {
			delete(e.s.serving, d.Outlet)
		}
	}
}

// dropPast takes the periods of an outlet that was removed out of the past.
func (e *editor) dropPast(id OutletID) {
	e.ownPast()
	e.s.Past = slices.DeleteFunc(e.s.Past, func(d Device) bool { return d.Outlet == id })
}

func (e *editor) ownPast() {
	if !e.past {
		e.s.Past = slices.Clone(e.s.Past)
		e.past = true
	}
}

// done finishes the snapshot.
func (e *editor) done() *Snapshot {
	if e.areas || e.s.turns(e.at) {
		e.s.indexAreas(e.at)
	}
	less := func(a, b OutletID) int { return compareOutlets(e.s.Outlets[a], e.s.Outlets[b]) }
	switch {
	case e.reorder || len(e.s.Order) == 0:
		e.s.Order = slices.SortedFunc(maps.Keys(e.s.Outlets), less)
	case len(e.added) > 0:
		slices.SortFunc(e.added, less)
		e.s.Order = merge(e.s.Order, e.added, less)
	}
	return &e.s
}

// merge unites two sorted lists in a new one.
func merge[T any](a, b []T, less func(a, b T) int) []T {
	out := make([]T, 0, len(a)+len(b))
	for len(b) > 0 {
		n, _ := slices.BinarySearchFunc(a, b[0], less)
		out = append(append(out, a[:n]...), b[0])
		a, b = a[n:], b[1:]
	}
	return append(out, a...)
}

// compareOutlets orders by area, enterprise, name; the number last, so that the
// order is the same every time.
func compareOutlets(a, b *Outlet) int {
	return cmp.Or(cmp.Compare(a.Area, b.Area), cmp.Compare(a.Enterprise, b.Enterprise),
		cmp.Compare(a.Name.Zh, b.Name.Zh), cmp.Compare(a.ID, b.ID))
}
