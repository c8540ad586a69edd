package telemetry

import (
	"testing"
	"time"

	"plateau/internal/platform/errs"
)

func TestPutStop(t *testing.T) {
	t.Parallel()
	at := func(day int) time.Time { return time.Date(2026, 11, day, 0, 0, 0, 0, beijing) }
	for _, tt := range []struct {
		name       string
		was        time.Time
		stop       Stop
		field, key string // "" = it is taken
	}{
		{"before all", time.Time{}, Stop{From: at(1), To: at(5)}, "", ""},
		{"between", time.Time{}, Stop{From: at(10), To: at(20)}, "", ""},
		{"over all", time.Time{}, Stop{From: at(1)}, "to", "err.field.stop_next"},
		{"same beginning", time.Time{}, Stop{From: at(5), To: at(6)}, "from", "err.field.stop_there"},
		{"within the open one", time.Time{}, Stop{From: at(25), To: at(26)}, "from", "err.field.stop_open"},
		{"the open one ends", at(20), Stop{From: at(20), To: at(22)}, "", ""},
		{"the open one begins earlier", at(20), Stop{From: at(10)}, "", ""},
		{"and too early", at(20), Stop{From: at(9)}, "from", "err.field.stop_there"},
		{"the ended one goes on", at(5), Stop{From: at(5), To: at(20)}, "", ""},
		{"and on", at(5), Stop{From: at(5)}, "to", "err.field.stop_next"},
		{"less than a minute", at(5), Stop{From: at(5), To: at(5).Add(59 * time.Second)}, "to", "err.field.after"},
		{"never", time.Time{}, Stop{To: at(5)}, "from", "err.field.time"},
	} {
		o := Outlet{Stops: []Stop{{From: at(5), To: at(10)}, {From: at(20)}}}
		tt.stop.Reason = "overhaul"
		err := o.PutStop(tt.was, tt.stop)
		if tt.key == "" {
			if normalise(&o); err != nil || o.stopFrom(tt.stop.From) < 0 {
				t.Errorf("%s: %v, %+v", tt.name, err, o.Stops)
			}
			var c errs.Checks
			if checkStops(&c, o.Stops); c.Err() != nil {
				t.Errorf("%s: the registry refuses what was taken: %v", tt.name, c.Err())
			}
			continue
		}
		e, ok := err.(*errs.Error) //nolint:errorlint // it is not wrapped
		if !ok || e.Kind != errs.Invalid || e.Fields[0].Name != tt.field || e.Fields[0].Key != tt.key {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	o := Outlet{Stops: []Stop{{From: at(5), To: at(10)}}}
	for _, err := range []error{o.PutStop(at(6), Stop{From: at(6), Reason: "x"}), o.DropStop(at(6))} {
		if !errs.Is(err, errs.NotFound) {
			t.Errorf("a stop that is not there: %v", err)
		}
	}
	if err := o.DropStop(at(5)); err != nil || len(o.Stops) != 0 {
		t.Errorf("%v, %+v", err, o.Stops)
	}
}
