package telemetry

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"plateau/internal/platform/errs"
	"plateau/internal/testkit"
)

// TestOutletAt keeps what the registry said between changes and asks for it
// afterwards.
func TestOutletAt(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, database.URL(t))
			type moment struct {
				at   time.Time
				want *Outlet
			}
			var moments []moment
			look := func() {
				f.pass(time.Minute)
				moments = append(moments, moment{f.now(), f.Snapshot().Outlets[2]})
				f.pass(time.Minute)
			}
			edit := func(fn func(o *Outlet)) {
				if err := f.EditOutlet(t.Context(), 2, officer, func(o *Outlet) error { fn(o); return nil }); err != nil {
					t.Fatal(err)
				}
				look()
			}
			look() // before the load
			f.load(t)
			look()
			edit(func(o *Outlet) { o.Limits[0].Hi = new(35.0) })
			edit(func(o *Outlet) {
				o.Stops = []Stop{{From: f.now().Truncate(time.Minute), Reason: "overhaul", By: "u1"}}
			})
			edit(func(o *Outlet) { o.Factors = o.Factors[:1] })
			edit(func(o *Outlet) {
				o.Intervals = append(o.Intervals, Interval{From: f.now().Add(time.Hour).Truncate(time.Minute), Realtime: 10, Minute: 5})
			})
			for i, m := range moments {
				got, err := f.OutletAt(t.Context(), 2, m.at)
				if m.want == nil {
					if !errs.Is(err, errs.NotFound) {
						t.Errorf("moment %d: %v, %v", i, got, err)
					}
					continue
				}
				if d := cmp.Diff(m.want, got, cmpopts.EquateEmpty()); err != nil || d != "" {
					t.Errorf("moment %d (%v):\n%s", i, err, d)
				}
			}
			if _, err := f.OutletAt(t.Context(), 9, f.now()); !errs.Is(err, errs.NotFound) {
				t.Errorf("no such outlet: %v", err)
			}
			last, ok, err := f.LastChange(t.Context(), 2)
			if err != nil || !ok || last.Action != "update" || last.By != officer.ID {
				t.Errorf("last change %+v, %v, %v", last, ok, err)
			}
			if _, ok, err := f.LastChange(t.Context(), 9); ok || err != nil {
				t.Errorf("last change of none: %v, %v", ok, err)
			}
		})
	}
}

func TestDevicesAt(t *testing.T) {
	t.Parallel()
	f := newFixture(t, testkit.Databases()[0].URL(t))
	f.load(t)
	f.pass(time.Hour)
	before := f.now()
	f.pass(time.Hour)
	if _, err := f.Adopt(t.Context(), "MN-NEW", AdoptInput{Outlet: 2}, officer); err != nil {
		t.Fatal(err)
	}
	f.pass(time.Hour)
	names := func(at time.Time) (out []string) {
		for _, d := range f.Snapshot().DevicesAt(2, at) {
			name := d.MN
			if !d.To.IsZero() {
				name += " ended"
			}
			out = append(out, name)
		}
		return out
	}
	if d := cmp.Diff([]string{"MN-TWO"}, names(before)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"MN-NEW", "MN-TWO ended"}, names(f.now())); d != "" {
		t.Error(d)
	}
}
