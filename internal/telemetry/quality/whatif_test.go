package quality

import (
	"context"
	"errors"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plateau/internal/telemetry"
	"plateau/rules"
)

// TestWhatIfRule: a version that asks for 55 valid minutes takes the hours of
// fifty, and with them an exceedance; nothing is written.
func TestWhatIfRule(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	m.add(fiveOfSix(1, at(22, 7, 0))...)
	m.add(hourOf(1, at(22, 8, 0), "a21002-Avg=20:N", "a19001-Avg=15:N")...)
	m.add(hourOf(1, at(22, 9, 0), "a21002-Avg=60:N", "a19001-Avg=15:N")[:5]...)
	m.add(fiveOfSix(2, at(22, 9, 0))...)
	e := newEngine(t, m, registry(turbine(1), turbine(2)), at(24, 8, 0))
	catchUp(t, e)
	before := bytesOf(m)
	m.puts = nil
	next := twoVersions(t, "2026-12-01", "2026-11-30").Versions("cems.hour_mean")[1]
	steps := 0
	d, err := e.WhatIf(t.Context(), WhatIf{
		Trial: Trial{Rules: rules.Default().With(next)}, From: unix(at(22, 5, 0)), To: unix(at(23, 0, 0)),
		Progress: func(done, total int) {
			if steps++; done != steps || total != 2 {
				t.Errorf("progress %d of %d", done, total)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Changes{HoursNotValid: 6, HoursNotOver: 1} // two factors of three hours
	if d.Sum != want || d.Hours != 4 || d.Days != 2 || d.Outlets != 2 || len(d.Changed) != 2 || d.Old == d.New {
		t.Fatalf("difference %+v", d)
	}
	if x := d.Changed[0].Examples; len(x) != 5 || x[0].What != ChangeOver || x[0].Appears || x[0].At != at(22, 9, 0) || x[0].Factor != "a21002" || !x[0].Old.OK || x[0].New.OK {
		t.Errorf("examples %+v", x)
	}
	if steps != 2 || len(m.puts) != 0 || gocmp.Diff(before, bytesOf(m)) != "" {
		t.Errorf("%d steps; rows written: %v", steps, m.puts)
	}
}

// TestWhatIfLimit: a stricter limit of a permit, and a day total that a stop
// would take away.
func TestWhatIfLimit(t *testing.T) {
	t.Parallel()
	m := newMemStore()
	for h := range 24 {
		m.add(hourOf(2, at(22, h, 0), "w01018-Avg=30:N", "w00000-Avg=10:N")...)
	}
	e := newEngine(t, m, registry(turbine(1), works(2)), at(24, 8, 0))
	catchUp(t, e)
	ask := func(change func(*telemetry.Outlet)) *Difference {
		d, err := e.WhatIf(t.Context(), WhatIf{Trial: Trial{Outlet: change}, Outlets: []telemetry.OutletID{2}, From: unix(at(22, 0, 0)), To: unix(at(23, 0, 0))})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := ask(func(o *telemetry.Outlet) {
		o.Limits = append(o.Limits, telemetry.Limit{ID: "own", Standard: "permit", EffectiveFrom: "2026-11-01", Factor: "w01018", Statistic: "day", Op: "<=", Hi: new(20.0)})
	})
	if d.Sum.DaysOver != 1 || d.Sum.DaysNotOver != 0 || len(d.Changed) != 1 || d.Old != d.New {
		t.Errorf("a stricter limit: %+v", d)
	}
	if x := d.Changed[0].Examples[0]; x.What != ChangeOver || !x.Appears || x.NewLimit.ID != "own" || x.OldLimit.ID == "own" {
		t.Errorf("example %+v", x)
	}
	d = ask(func(o *telemetry.Outlet) {
		o.Stops = []telemetry.Stop{{From: unix(at(21, 0, 0)), To: unix(at(24, 0, 0))}}
	})
	if len(d.Changed) != 1 || len(d.Changed[0].Totals) == 0 || d.Changed[0].Totals[0].Old <= 0 || d.Changed[0].Totals[0].New != 0 {
		t.Errorf("a stop: %+v", d.Changed)
	}
	if o := e.o.Registry.Snapshot().Outlets[2]; len(o.Limits) != 0 || len(o.Stops) != 0 {
		t.Error("the trial changed the registry")
	}
	if d = ask(nil); !d.Sum.None() || d.Changed != nil {
		t.Errorf("no trial: %+v", d)
	}
}

func TestWhatIfRefuses(t *testing.T) {
	t.Parallel()
	e := newEngine(t, newMemStore(), registry(turbine(1)), at(24, 8, 0))
	if _, err := e.WhatIf(t.Context(), WhatIf{From: unix(0), To: unix(at(24, 0, 0))}); !errors.Is(err, ErrTooMuch) {
		t.Errorf("56 years: %v", err)
	}
	if _, err := e.WhatIf(t.Context(), WhatIf{Outlets: []telemetry.OutletID{7}}); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such outlet: %v", err)
	}
	bad := *rules.Default().Versions("cems.hour_mean")[0]
	bad.Params = map[string]any{"min_valid_minutes": "many"}
	if _, err := e.WhatIf(t.Context(), WhatIf{Trial: Trial{Rules: rules.Default().With(&bad)}}); !errors.Is(err, rules.ErrInvalid) {
		t.Errorf("a rule that cannot be read: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.WhatIf(ctx, WhatIf{From: unix(at(22, 0, 0)), To: unix(at(23, 0, 0))}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestWhatIfIsTheOtherEngine: a trial counts what an engine with the changed
// registry writes differently.
func TestWhatIfIsTheOtherEngine(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := newMemStore()
		for h := range 5 {
			n := rapid.IntRange(3, 6).Draw(rt, "records")
			v := rapid.SampledFrom([]string{"10", "38", "44", "52"}).Draw(rt, "value")
			m.add(hourOf(1, at(22, h, 0), "a21002-Avg="+v+":N", "a19001-Avg=15:N")[:n]...)
		}
		change := func(o *telemetry.Outlet) {
			o.Limits = []telemetry.Limit{{ID: "own", Standard: "permit", EffectiveFrom: "2026-11-01", Factor: "a21002", Statistic: "hour", Op: "<=", Hi: new(40.0)}}
		}
		e := newEngine(t, m, registry(turbine(1)), at(24, 8, 0))
		catchUp(t, e)
		o := turbine(1)
		change(o)
		m2 := newMemStore()
		m2.groups, m2.recs = m.groups, m.recs
		other := newEngine(t, m2, registry(o), at(24, 8, 0))
		catchUp(t, other)
		rows := func(e *Engine) (over int) {
			hs, err := e.Hours(1, unix(at(22, 0, 0)), unix(at(23, 0, 0)))
			if err != nil {
				rt.Fatal(err)
			}
			for i := range hs {
				for _, f := range hs[i].Factors {
					if f.Over && f.Evidence {
						over++
					}
				}
			}
			return over
		}
		d, err := e.WhatIf(t.Context(), WhatIf{Trial: Trial{Outlet: change}, From: unix(at(22, 0, 0)), To: unix(at(23, 0, 0))})
		if err != nil {
			rt.Fatal(err)
		}
		if got, want := d.Sum.HoursOver-d.Sum.HoursNotOver, rows(other)-rows(e); got != want {
			rt.Errorf("%d more hours exceed, an engine says %d", got, want)
		}
	})
}
