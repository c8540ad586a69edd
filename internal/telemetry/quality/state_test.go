package quality

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"plateau/internal/telemetry"
)

// history feeds the hours [from, to) of the 23rd (Beijing time; negative =
// the day before), items made by the hour and the ten minutes.
func history(m *memStore, o telemetry.OutletID, from, to int, items func(hour, ten int) []string) {
	for h := from; h < to; h++ {
		var rs []telemetry.Record
		for ten := range 6 {
			if it := items(h, ten); it != nil {
				rs = append(rs, rec(o, telemetry.KindMinute, at(23, 0, 0)+int64(h)*hourSeconds+int64(ten)*600, it...))
			}
		}
		m.add(rs...)
	}
}

// running adds the last real-time record, 20 s before the instant of the test.
func running(m *memStore, o telemetry.OutletID, items ...string) {
	m.add(rec(o, telemetry.KindRealtime, at(23, 8, 30)-20, items...))
}

// gas gives stack gas at 15 % oxygen, so that folding changes nothing; the
// small wave keeps it from being constant.
func gas(nox func(hour, ten int) float64) func(int, int) []string {
	return func(h, ten int) []string {
		wave := float64(ten%3) * 0.1
		return []string{fmt.Sprintf("a21002-Avg=%.1f:N", nox(h, ten)+wave), fmt.Sprintf("a19001-Avg=%.2f:N", 15+wave/10), fmt.Sprintf("a01012-Avg=%.1f:N", 90+wave)}
	}
}

func steadyGas() func(int, int) []string {
	return gas(func(int, int) float64 { return 20 })
}

const until = 9 // the running hour 08:00 gets three of its six records

func until830(f func(int, int) []string) func(int, int) []string {
	return func(h, ten int) []string {
		if h == 8 && ten >= 3 {
			return nil
		}
		return f(h, ten)
	}
}

func TestStates(t *testing.T) {
	t.Parallel()
	now := at(23, 8, 30)
	normal := []string{"a21002-Rtd=20.3:N", "a19001-Rtd=15.1:N", "a01012-Rtd=90:N"}
	over7 := gas(func(h, _ int) float64 {
		if h == 7 {
			return 60
		}
		return 20
	})
	sewage := func(h, ten int) []string {
		w := float64(ten) * 0.1
		return []string{
			fmt.Sprintf("w01018-Avg=%.1f:N", 20+w), fmt.Sprintf("w21003-Avg=%.2f:N", 1+w), fmt.Sprintf("w01001-Avg=%.2f:N", 7+w),
			fmt.Sprintf("w00000-Avg=%.1f:N", 100+w), fmt.Sprintf("w01010-Avg=%.1f:N", 8+w),
		}
	}
	for _, c := range []struct {
		name   string
		outlet func() *telemetry.Outlet
		feed   func(m *memStore)
		want   State
		reason string
		factor string
		since  int64 // 0 = not looked at
	}{
		{"normal", nil, func(m *memStore) { history(m, 1, -20, until, until830(steadyGas())); running(m, 1, normal...) }, Normal, "reason.normal", "a21002", 0},
		{"declared stop", func() *telemetry.Outlet {
			o := turbine(1)
			o.Stops = []telemetry.Stop{{From: unix(at(22, 0, 0)), Reason: "turnaround"}}
			return o
		}, func(*memStore) {}, Stopped, "reason.stopped_declared", "", at(22, 0, 0)},
		{"stop declared, but over", func() *telemetry.Outlet {
			o := turbine(1)
			o.Stops = []telemetry.Stop{{From: unix(at(23, 8, 0))}}
			return o
		}, func(m *memStore) { history(m, 1, -20, 8, over7); running(m, 1, normal...) }, Stopped, "reason.stopped_declared", "", 0},
		{"stop is over", func() *telemetry.Outlet {
			o := turbine(1)
			o.Stops = []telemetry.Stop{{From: unix(at(22, 0, 0)), To: unix(at(22, 12, 0))}}
			return o
		}, func(m *memStore) { history(m, 1, -10, until, until830(steadyGas())); running(m, 1, normal...) }, Normal, "reason.normal", "a21002", 0},
		{"F in the latest record", nil, func(m *memStore) {
			history(m, 1, 0, 6, over7)
			history(m, 1, 6, until, until830(func(int, int) []string { return []string{"a21002-Avg=0:F", "a19001-Avg=20.9:F"} }))
			running(m, 1, "a21002-Rtd=0:F", "a19001-Rtd=20.9:F")
		}, Stopped, "reason.stopped_mark", "", at(23, 6, 0)},
		{"never seen", nil, func(*memStore) {}, Offline, "reason.never_seen", "", 0},
		{"silent for eleven minutes", nil, func(m *memStore) {
			history(m, 1, -20, 8, over7)
			m.add(rec(1, telemetry.KindRealtime, now-660, normal...))
		}, Offline, "reason.offline", "a21002", now - 660},
		{"silent for nine minutes", nil, func(m *memStore) {
			history(m, 1, -20, 8, steadyGas())
			m.add(rec(1, telemetry.KindRealtime, now-540, normal...))
		}, Normal, "reason.normal", "a21002", 0},
		{"last hour over", nil, func(m *memStore) { history(m, 1, -20, until, until830(over7)); running(m, 1, normal...) }, Exceed, "reason.over_hour", "a21002", at(23, 7, 0)},
		{"three hours over", nil, func(m *memStore) {
			history(m, 1, -20, until, until830(gas(func(h, _ int) float64 {
				if h >= 5 && h < 8 {
					return 55 + float64(h)
				}
				return 20
			})))
			running(m, 1, normal...)
		}, Exceed, "reason.over_hour", "a21002", at(23, 5, 0)},
		{"over, but not valid", nil, func(m *memStore) {
			history(m, 1, -20, until, until830(func(h, ten int) []string {
				if h == 7 && ten < 3 {
					return nil
				}
				return over7(h, ten)
			}))
			running(m, 1, normal...)
		}, Normal, "reason.normal", "a21002", 0},
		{"running mean over", nil, func(m *memStore) {
			history(m, 1, -20, until, until830(gas(func(h, _ int) float64 {
				if h == 8 {
					return 60
				}
				return 20
			})))
			running(m, 1, normal...)
		}, Warn, "reason.warn_running_hour", "a21002", at(23, 8, 0)},
		{"over goes before a warning", nil, func(m *memStore) {
			history(m, 1, -20, until, until830(gas(func(h, _ int) float64 {
				if h >= 7 {
					return 60
				}
				return 20
			})))
			running(m, 1, normal...)
		}, Exceed, "reason.over_hour", "a21002", 0},
		{"hour of an incinerator over", func() *telemetry.Outlet {
			o := turbine(1)
			o.SourceType, o.Condition, o.Level = "municipal waste incinerator", "existing plants from 2016-01-01", "表4"
			return o
		}, func(m *memStore) {
			history(m, 1, 0, until, until830(func(h, ten int) []string {
				v := 100
				if h == 7 {
					v = 330
				}
				return []string{fmt.Sprintf("a21002-Avg=%d:N", v+ten), "a19001-Avg=11:N"}
			}))
			running(m, 1, normal...)
		}, Warn, "reason.warn_hour", "a21002", at(23, 7, 0)},
		{"pH single value", func() *telemetry.Outlet { return works(1) }, func(m *memStore) {
			history(m, 1, -20, until, until830(sewage))
			running(m, 1, "w01001-Rtd=9.20:N", "w01018-Rtd=20:N")
		}, Exceed, "reason.over_instant", "w01001", at(23, 8, 30) - 20},
		{"pH single values for hours", func() *telemetry.Outlet { return works(1) }, func(m *memStore) {
			history(m, 1, -20, until, until830(func(h, ten int) []string {
				it := sewage(h, ten)
				if h >= 6 {
					it[2] = fmt.Sprintf("w01001-Avg=9.%d:N", ten+1)
				}
				return it
			}))
			running(m, 1, "w01001-Rtd=9.20:N", "w01018-Rtd=20:N")
		}, Exceed, "reason.over_instant", "w01001", at(23, 6, 0)},
		{"pH single value with mark C", func() *telemetry.Outlet { return works(1) }, func(m *memStore) {
			history(m, 1, -20, until, until830(sewage))
			running(m, 1, "w01001-Rtd=9.20:C", "w01018-Rtd=20:N")
		}, Maintenance, "reason.calibration", "w01001", 0},
		{"day of water over", func() *telemetry.Outlet { return works(1) }, func(m *memStore) {
			history(m, 1, -24, until, until830(func(h, ten int) []string {
				it := sewage(h, ten)
				if h < 0 {
					it[0] = fmt.Sprintf("w01018-Avg=%.1f:N", 70+float64(ten)*0.1)
				}
				return it
			}))
			running(m, 1, "w01001-Rtd=7:N")
		}, Exceed, "reason.over_day", "w01018", at(22, 0, 0)},
		{"running day of water over", func() *telemetry.Outlet { return works(1) }, func(m *memStore) {
			history(m, 1, -24, until, until830(func(h, ten int) []string {
				it := sewage(h, ten)
				if h >= 0 && h < 6 {
					it[0] = fmt.Sprintf("w01018-Avg=%.1f:N", 90+float64(ten)*0.1)
				}
				return it
			}))
			running(m, 1, "w01001-Rtd=7:N")
		}, Warn, "reason.warn_running_day", "w01018", at(23, 0, 0)},
		{"constant for four hours", nil, func(m *memStore) {
			history(m, 1, -20, until, until830(func(h, ten int) []string {
				it := steadyGas()(h, ten)
				if h >= 4 {
					it[0] = "a21002-Avg=21.5:N"
				}
				return it
			}))
			running(m, 1, normal...)
		}, Suspect, "reason.constant", "a21002", at(23, 4, 0)},
		{"constant for three hours", nil, func(m *memStore) {
			history(m, 1, -20, until, until830(func(h, ten int) []string {
				it := steadyGas()(h, ten)
				if h >= 5 {
					it[0] = "a21002-Avg=21.5:N"
				}
				return it
			}))
			running(m, 1, normal...)
		}, Normal, "reason.normal", "a21002", 0},
		{"constant at the detection limit", nil, func(m *memStore) {
			history(m, 1, -20, until, until830(func(h, ten int) []string {
				it := steadyGas()(h, ten)
				it[0] = "a21002-Avg=1:N"
				return it
			}))
			running(m, 1, normal...)
		}, Normal, "reason.normal", "a21002", 0},
		{"constant zero", nil, func(m *memStore) {
			history(m, 1, -20, until, until830(func(h, ten int) []string {
				it := steadyGas()(h, ten)
				it[0] = "a21002-Avg=0:N"
				return it
			}))
			running(m, 1, normal...)
		}, Normal, "reason.normal", "a21002", 0},
		{"negative", nil, func(m *memStore) {
			history(m, 1, -20, until, until830(func(h, ten int) []string {
				it := steadyGas()(h, ten)
				if h == 7 && ten == 2 {
					it[0] = "a21002-Avg=-16:N"
				}
				return it
			}))
			running(m, 1, normal...)
		}, Suspect, "reason.negative", "a21002", at(23, 7, 0)},
		{"negative within the zero drift", nil, func(m *memStore) {
			history(m, 1, -20, until, until830(func(h, ten int) []string {
				it := steadyGas()(h, ten)
				if h == 7 && ten == 2 {
					it[0] = "a21002-Avg=-14:N"
				}
				return it
			}))
			running(m, 1, normal...)
		}, Normal, "reason.normal", "a21002", 0},
		{"below zero for two hours", nil, func(m *memStore) {
			history(m, 1, -20, until, until830(func(h, ten int) []string {
				it := steadyGas()(h, ten)
				if h >= 6 {
					it[0] = fmt.Sprintf("a21002-Avg=-0.%d:N", ten+1)
				}
				return it
			}))
			running(m, 1, normal...)
		}, Suspect, "reason.negative", "a21002", at(23, 6, 0)},
		{"steps within the hour", nil, func(m *memStore) {
			history(m, 1, -20, until, until830(gas(func(h, ten int) float64 {
				if h >= 6 && ten > 3 {
					return 40
				}
				return 5
			})))
			running(m, 1, normal...)
		}, Suspect, "reason.jump", "a21002", at(23, 6, 0)},
		{"fall", nil, func(m *memStore) {
			history(m, 1, -20, until, until830(gas(func(h, _ int) float64 {
				if h >= 7 {
					return 3
				}
				return 45
			})))
			running(m, 1, normal...)
		}, Normal, "reason.normal", "a21002", 0},
		{"jump", nil, func(m *memStore) {
			history(m, 1, -20, until, until830(gas(func(h, _ int) float64 {
				if h == 7 {
					return 45
				}
				return 5
			})))
			running(m, 1, normal...)
		}, Suspect, "reason.jump", "a21002", at(23, 7, 0)},
		{"reported against recomputed", nil, func(m *memStore) {
			history(m, 1, -20, until, until830(steadyGas()))
			m.add(rec(1, telemetry.KindHour, at(23, 7, 0), "a21002-Avg=20.1:N", "a21002-ZsAvg=24:N", "a19001-Avg=15:N"))
			running(m, 1, normal...)
		}, Suspect, "reason.mismatch", "a21002", at(23, 7, 0)},
		{"maintenance", nil, func(m *memStore) {
			history(m, 1, -20, until, until830(steadyGas()))
			running(m, 1, "a21002-Rtd=3:M", "a19001-Rtd=15:N")
		}, Maintenance, "reason.maintenance", "a21002", 0},
		{"suspect goes before maintenance", nil, func(m *memStore) {
			history(m, 1, -20, until, until830(steadyGas()))
			m.add(rec(1, telemetry.KindHour, at(23, 7, 0), "a21002-Avg=20.1:N", "a21002-ZsAvg=24:N"))
			running(m, 1, "a21002-Rtd=3:M", "a19001-Rtd=15:N")
		}, Suspect, "reason.mismatch", "a21002", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := turbine(1)
			if c.outlet != nil {
				o = c.outlet()
			}
			m := newMemStore()
			c.feed(m)
			e := newEngine(t, m, registry(o), now)
			catchUp(t, e)
			live, err := e.State(1, unix(now))
			if err != nil {
				t.Fatal(err)
			}
			if live.State != c.want || live.Reason.Key != c.reason || c.factor != "" && live.Factor != c.factor {
				t.Errorf("state %s because of %s %v (%s), want %s, %s (%s)", live.State, live.Reason.Key, live.Reason.Args, live.Factor, c.want, c.reason, c.factor)
			}
			if c.since != 0 && live.Since.Unix() != c.since {
				t.Errorf("since %s, want %s", live.Since, unix(c.since))
			}
			if !slices.Contains(ReasonKeys, live.Reason.Key) || live.Rule == "" {
				t.Errorf("reason %q of rule %q is not declared", live.Reason.Key, live.Rule)
			}
			// A day later the same instant gives the same state, from the store.
			e.o.Now = func() time.Time { return unix(now + daySeconds) }
			past, err := e.State(1, unix(now))
			if err != nil || past.State != live.State || past.Reason.Key != live.Reason.Key || past.Factor != live.Factor {
				t.Errorf("looked at from the next day: %s because of %s, %v", past.State, past.Reason.Key, err)
			}
			if err := e.RefreshBefore(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n, ok := e.CountsBefore(unix(now + daySeconds)); !ok || n[c.want] != 1 {
				t.Errorf("counts of yesterday: %v, %v", n, ok)
			}
		})
	}
}

// brief is a context that ends after so many looks at it.
type brief struct {
	context.Context
	left int
}

func (b *brief) Err() error {
	if b.left--; b.left < 0 {
		return context.Canceled
	}
	return nil
}

// The states of yesterday do not hold up the end of the program.
func TestCountingYesterdayIsBrokenOff(t *testing.T) {
	t.Parallel()
	e := newEngine(t, newMemStore(), registry(turbine(1), turbine(2), turbine(3)), at(23, 8, 0))
	catchUp(t, e)
	if err := e.RefreshBefore(&brief{t.Context(), 2}); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
	if n, ok := e.CountsBefore(unix(at(23, 8, 0))); ok {
		t.Errorf("counts of a part: %v", n)
	}
}

func TestStateOfUnknownOutlet(t *testing.T) {
	t.Parallel()
	e := newEngine(t, newMemStore(), registry(turbine(1)), at(23, 8, 0))
	catchUp(t, e)
	if _, err := e.State(9, unix(at(23, 8, 0))); !errors.Is(err, ErrNotFound) {
		t.Errorf("error = %v", err)
	}
	if _, err := e.Explain(9, "a21002", LevelHour, unix(at(23, 8, 0))); !errors.Is(err, ErrNotFound) {
		t.Errorf("error = %v", err)
	}
}

func TestViews(t *testing.T) {
	t.Parallel()
	now := at(23, 8, 30)
	m := newMemStore()
	history(m, 1, -20, until, until830(steadyGas()))
	running(m, 1, "a21002-Rtd=20.3:N", "a19001-Rtd=15.1:N", "a01012-Rtd=90:N")
	// Outlet 2 lost the first twenty minutes of the hour to calibration.
	history(m, 2, -20, until, until830(func(h, ten int) []string {
		it := steadyGas()(h, ten)
		if h == 8 && ten < 2 {
			it[0] = "a21002-Avg=20:C"
		}
		return it
	}))
	running(m, 2, "a21002-Rtd=20.3:N")
	e := newEngine(t, m, registry(turbine(1), turbine(2), turbine(3)), now)
	catchUp(t, e)
	list, err := e.States(unix(now))
	if err != nil || len(list) != 3 || list[0].State != Normal || list[2].State != Offline {
		t.Fatalf("states %+v, %v", list, err)
	}
	fs, err := e.Forecasts(unix(now))
	if err != nil || len(fs) != 1 || fs[0].Outlet != 2 || !fs[0].Lost || fs[0].NValid != 10 || fs[0].Possible != 30 || fs[0].Missing != 35 {
		t.Errorf("forecasts %+v, %v", fs, err)
	}
	v, err := e.Now(1, unix(now))
	if err != nil || v.Hour == nil || v.Last == nil || len(v.Tiles) != 3 || v.HoursNeed != 12 {
		t.Fatalf("view %+v, %v", v, err)
	}
	if tile := v.Tiles[0]; tile.Code != "a21002" || tile.State != Normal || !tile.Folded || tile.NValid != 30 || tile.Limit.Hi.V != 50 {
		t.Errorf("tile %+v", tile)
	}
	cells := e.Completeness(unix(now))["540103"]
	if len(cells) != 24 || cells[22].Seen != 2*3*60 || cells[22].Expected != 3*3*60 {
		t.Errorf("cells %+v", cells)
	}
	sp := e.Spark(1, "", unix(now))
	if sp.Factor != "a21002" || sp.Due != 23 || sp.Valid != 23 || !sp.Values[23].OK || !sp.Values[0].OK || sp.Limit.Hi.V != 50 {
		t.Errorf("spark %+v", sp)
	}
}

// TestExplainDayWithStop: the sum shown is the one of the figure, of which the
// hours of a declared stop are no part even where the logger went on measuring.
func TestExplainDayWithStop(t *testing.T) {
	t.Parallel()
	d := at(23, 0, 0)
	m := newMemStore()
	for h := range int64(24) {
		value := "a21002-Avg=30:N"
		if h == 5 {
			value = "a21002-Avg=130:N"
		}
		m.add(hourOf(1, d+h*hourSeconds, value, "a19001-Avg=15:N")...)
	}
	o := turbine(1)
	o.Stops = []telemetry.Stop{{From: unix(d + 5*hourSeconds), To: unix(d + 6*hourSeconds), Reason: "x"}}
	e := newEngine(t, m, registry(o), d+daySeconds+60)
	catchUp(t, e)
	x, err := e.Explain(1, "a21002", LevelDay, unix(d))
	if err != nil || !near(x.Recomputed, 30) {
		t.Fatalf("explanation %+v, %v", x, err)
	}
	if got := x.Steps[2].Formula; got != "Σ Cf ÷ n = 690 ÷ 23 = 30" {
		t.Errorf("formula %q", got)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	h := at(23, 7, 0)
	m := newMemStore()
	m.add(hourOf(1, h, "a21002-Avg=66.1:N", "a19001-Avg=14.64:N")...)
	m.add(rec(1, telemetry.KindHour, h, "a21002-Avg=66.1:N", "a21002-ZsAvg=62:N", "a19001-Avg=14.64:N"))
	m.add(rec(1, telemetry.KindHour, h, "a21002-Avg=66.1:N", "a21002-ZsAvg=62.4:N", "a19001-Avg=14.64:N"))
	m.add(rec(1, telemetry.KindRealtime, h+30, "a21002-Rtd=65:N"))
	e := newEngine(t, m, registry(turbine(1)), h+4000)
	catchUp(t, e)
	x, err := e.Explain(1, "a21002", LevelHour, unix(h+1800))
	if err != nil {
		t.Fatal(err)
	}
	if !x.Valid || !x.Over || !x.Evidence || !near(x.Value, 62.4) || x.Standard != "GB 13223-2011" || x.Running {
		t.Errorf("explanation %+v", x)
	}
	var names []string
	for _, s := range x.Steps {
		names = append(names, s.Name)
	}
	if want := []string{StepFrame, StepValidity, StepConversion, StepLimit, StepVerdict}; !slices.Equal(names, want) {
		t.Errorf("steps %v", names)
	}
	for i, want := range []string{"", "n(N) = 60 ≥ 45", "66.1 × (21 − 15) ÷ (21 − 14.64) = 62.3585", "", "62.4 ÷ 50 − 1 = 0.248"} {
		if x.Steps[i].Formula != want {
			t.Errorf("step %d: %q, want %q", i+1, x.Steps[i].Formula, want)
		}
		if i > 0 && (x.Steps[i].Hash == "" || x.Steps[i].Clause == "") {
			t.Errorf("step %d cites nothing: %+v", i+1, x.Steps[i])
		}
		for _, n := range x.Steps[i].Notes {
			if !slices.Contains(ReasonKeys, n.Key) {
				t.Errorf("note %q is not declared", n.Key)
			}
		}
	}
	if len(x.Frames) != 7 || x.Frames[0].Kind != telemetry.KindHour || x.Frames[0].Locator.Seq != 3 || len(x.Revisions) != 2 || x.Revisions[1].Revised == false {
		t.Errorf("%d frames, %d revisions: %+v", len(x.Frames), len(x.Revisions), x.Frames[0])
	}
	if y, err := e.Explain(1, "a21002", LevelRealtime, unix(h+30)); err != nil || !y.Valid || !near(y.Value, 65) || len(y.Steps) != 5 {
		t.Errorf("real-time: %+v, %v", y, err)
	}
	d, err := e.Explain(1, "a21002", LevelDay, unix(h))
	if err != nil || d.Valid || len(d.Hours) != 24 || len(d.Steps) != 5 || d.Steps[1].Formula != "n = 1 < 20" {
		t.Errorf("day: %+v, %v", d, err)
	}
	for _, bad := range []struct{ factor, level string }{{"a99999", LevelHour}, {"a21002", "week"}, {"a21002", LevelMinute}} {
		when := h
		if bad.level == LevelMinute {
			when = h + 1
		}
		if _, err := e.Explain(1, bad.factor, bad.level, unix(when)); !errors.Is(err, ErrNotFound) {
			t.Errorf("%v: error = %v", bad, err)
		}
	}
}
