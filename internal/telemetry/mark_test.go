package telemetry

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/testkit"
)

func TestPutMark(t *testing.T) {
	t.Parallel()
	at := func(hour int) time.Time { return time.Date(2026, 11, 20, hour, 0, 0, 0, beijing) }
	mark := func(number, group, code string, from, to int, factors ...string) Mark {
		return Mark{Number: number, Group: group, Code: code, From: at(from), To: at(to), Factors: factors}
	}
	for _, c := range []struct {
		name       string
		m          Mark
		field, key string // "" = it is taken
	}{
		{"beside the operating state", mark("M9", "device", "fault", 3, 4), "", ""},
		{"right behind", mark("M9", "operating", "fault", 8, 9), "", ""},
		{"two operating states", mark("M9", "operating", "fault", 5, 9), "from", "err.field.mark_there"},
		{"into the next", mark("M9", "operating", "fault", 1, 3), "to", "err.field.mark_next"},
		{"the same code on another factor", mark("M9", "device", "calibration", 10, 12, "a21026"), "", ""},
		{"the same code on the same factor", mark("M9", "device", "calibration", 11, 13, "a21002", "a21026"), "from", "err.field.mark_there"},
		{"the same code on all", mark("M9", "device", "calibration", 9, 11), "to", "err.field.mark_next"},
		{"another code on the same factor", mark("M9", "device", "fault", 10, 12, "a21002"), "", ""},
		{"itself", mark("M1", "operating", "startup", 3, 9), "", ""},
		{"no time", mark("M9", "device", "fault", 4, 4), "to", "err.field.after"},
	} {
		o := Outlet{Marks: []Mark{mark("M1", "operating", "startup", 2, 8), mark("M2", "device", "calibration", 10, 12, "a21002")}}
		err := o.PutMark(c.m)
		if c.key == "" {
			if err != nil || !slices.ContainsFunc(o.Marks, func(m Mark) bool { return m.Number == c.m.Number && m.To.Equal(c.m.To) }) {
				t.Errorf("%s: %v, %+v", c.name, err, o.Marks)
			}
			continue
		}
		e, ok := errors.AsType[*errs.Error](err)
		if !ok || len(e.Fields) != 1 || e.Fields[0].Name != c.field || e.Fields[0].Key != c.key {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestHalts(t *testing.T) {
	t.Parallel()
	at := func(hour int) time.Time { return time.Date(2026, 11, 20, hour, 0, 0, 0, beijing) }
	stops := []Stop{{From: at(2), To: at(4)}, {From: at(10), To: at(12)}}
	o := Outlet{Stops: stops, Marks: []Mark{{Effect: "invalid", From: at(1), To: at(20)}}}
	if d := cmp.Diff(stops, o.Halts()); d != "" {
		t.Error(d)
	}
	o.Marks = append(o.Marks, Mark{Number: "M1", Effect: "stopped", From: at(3), To: at(6)}, Mark{Number: "M2", Effect: "stopped", From: at(15), To: at(16)})
	want := []Stop{{From: at(2), To: at(6)}, {From: at(10), To: at(12)}, {From: at(15), To: at(16), Reason: "M2"}}
	if d := cmp.Diff(want, o.Halts()); d != "" {
		t.Error(d)
	}
	o.Stops = append(slices.Clone(stops), Stop{From: at(15)})
	if h := o.Halts(); len(h) != 3 || !h[2].To.IsZero() {
		t.Errorf("%+v", h)
	}
}

// TestMarksInTheRegistry: marks and corrections are stored with their outlet, an
// edit of it leaves them alone, the log has them, and what is written beside
// them is written with them or not at all.
func TestMarksInTheRegistry(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, database.URL(t))
			at := func(hour int) time.Time { return time.Date(2026, 11, 20, hour, 0, 0, 0, time.UTC) }
			if _, err := f.CreateEnterprise(t.Context(), Enterprise{ID: "e1", Name: Name{Zh: "示例企业"}}, officer); err != nil {
				t.Fatal(err)
			}
			id, err := f.CreateOutlet(t.Context(), Outlet{Enterprise: "e1", Name: Name{Zh: "示例排放口"}, Medium: Gas, Factors: []OutletFactor{{Code: "a21002"}}}, officer)
			if err != nil {
				t.Fatal(err)
			}
			beside := errors.New("refused")
			put := func(with func(context.Context, *db.Tx) error) error {
				return f.EditOutletWith(t.Context(), id, officer, func(o *Outlet) error {
					if err := o.PutCorrection(Correction{Number: "K1", Factor: "a21002", From: at(1), To: at(3), Value: 12.5}); err != nil {
						return err
					}
					return o.PutMark(Mark{Number: "M1", Rule: "mark.device", Version: 1, Code: "fault", Group: "device", Effect: "invalid", Flag: "D", Kind: "other", Factors: []string{"a21002"}, From: at(2), To: at(4)})
				}, with)
			}
			if err := put(func(context.Context, *db.Tx) error { return beside }); !errors.Is(err, beside) {
				t.Fatalf("the refusal is not told: %v", err)
			}
			if o := f.Snapshot().Outlets[id]; o.Marks != nil || o.Corrections != nil {
				t.Fatalf("refused and there: %+v", o)
			}
			before := f.now()
			f.pass(time.Minute)
			if err := put(func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, `UPDATE counters SET value = value WHERE name = 'outlet'`)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			o := *f.Snapshot().Outlets[id]
			if len(o.Marks) != 1 || len(o.Corrections) != 1 {
				t.Fatalf("%+v", o)
			}
			o.Marks, o.Corrections, o.Level = nil, nil, "new"
			if err := f.UpdateOutlet(t.Context(), o, officer); err != nil {
				t.Fatal(err)
			}
			was := f.Snapshot().Outlets[id]
			if len(was.Marks) != 1 || was.Level != "new" {
				t.Errorf("edited: %+v", was)
			}
			if err := f.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(was, f.Snapshot().Outlets[id]); d != "" {
				t.Errorf("read again:\n%s", d)
			}
			log, err := f.Log(t.Context(), "outlet", id.ref(), 2)
			if err != nil || len(log) != 2 || log[1].Action != "update" {
				t.Errorf("log %+v, %v", log, err)
			}
			if then, err := f.OutletAt(t.Context(), id, before); err != nil || then.Marks != nil {
				t.Errorf("as known before: %+v, %v", then, err)
			}
			stayed := false
			if err := f.EditOutletWith(t.Context(), id, auth.Principal{ID: "u2", Role: auth.Officer}, func(*Outlet) error { return nil }, func(context.Context, *db.Tx) error {
				stayed = true
				return nil
			}); err != nil || !stayed {
				t.Errorf("what is beside an outlet that stays: %v", err)
			}
		})
	}
}
