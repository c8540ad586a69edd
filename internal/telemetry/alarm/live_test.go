package alarm

import (
	"context"
	"errors"
	"testing"
	"time"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/gateway"
	"plateau/internal/telemetry/quality"
)

// fakeLive answers what a test sets.
type fakeLive struct {
	state  quality.StateResult
	view   quality.View
	newest []quality.StateResult
	period quality.PeriodRow
}

func (f *fakeLive) States(time.Time) ([]quality.StateResult, error) {
	f.state.Outlet = 7
	return []quality.StateResult{f.state}, nil
}
func (f *fakeLive) Now(telemetry.OutletID, time.Time) (quality.View, error) { return f.view, nil }
func (f *fakeLive) Newest(telemetry.OutletID, time.Time) ([]quality.StateResult, error) {
	return f.newest, nil
}

func (f *fakeLive) Period(_ context.Context, _ telemetry.OutletID, level string, _ time.Time) (quality.PeriodRow, error) {
	if f.period.Level != level {
		return quality.PeriodRow{}, errors.New("none")
	}
	return f.period, nil
}

type fakeLoggers []gateway.DeviceStatus

func (f fakeLoggers) Devices() []gateway.DeviceStatus { return f }

// liveBench watches one outlet; look looks n times, a quarter of a minute apart.
func liveBench(t *testing.T) (*testBench, *fakeLive, func(n int)) {
	t.Helper()
	b := newBench(t, sqlite(t), "a21002 40")
	live := &fakeLive{state: quality.StateResult{State: quality.Normal}, view: quality.View{Outlet: 7}}
	b.o.Live = live
	b.now = begin.Add(10*time.Hour + 20*time.Minute)
	return b, live, func(n int) {
		t.Helper()
		for range n {
			b.now = b.now.Add(15 * time.Second)
			if err := b.watchLive(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func only(t *testing.T, b *testBench) Episode {
	t.Helper()
	list := b.all(t)
	if len(list) != 1 {
		t.Fatalf("%d alarms: %s", len(list), lines(list))
	}
	return list[0]
}

// TestLiveLink: an outage begins when the last frame came, is not told twice
// over a restart, escalates, and ends when frames come again.
func TestLiveLink(t *testing.T) {
	t.Parallel()
	b, live, look := liveBench(t)
	gone := b.now.Add(-12 * time.Minute)
	live.state = quality.StateResult{State: quality.Offline, Seen: gone.Unix()}
	look(1)
	e := only(t, b)
	if e.Kind != Link || !e.Start.Equal(gone.Truncate(time.Second)) || !e.Open() || e.Severity != Warn {
		t.Errorf("begun: %+v", e)
	}
	if err := b.Acknowledge(t.Context(), e.ID, "", officer); err != nil {
		t.Fatal(err)
	}
	b.live = map[liveKey]*liveState{}
	if err := b.begin(t.Context()); err != nil { // the program was started again
		t.Fatal(err)
	}
	b.now = b.now.Add(4 * time.Hour)
	look(1)
	if e := only(t, b); e.Severity != Act || !e.Ack.Done() {
		t.Errorf("after four hours: %+v", e)
	}
	live.state = quality.StateResult{State: quality.Normal}
	look(1)
	if e := only(t, b); e.Open() || e.EndedBy != EndGood || !e.Ack.Done() {
		t.Errorf("back: %+v", e)
	}
	if len(b.waiting) != 1 {
		t.Error("the hours of the outage are not looked at again")
	}
}

// TestLiveHysteresis: what comes and goes between looks neither opens nor ends
// anything before its rule says so.
func TestLiveHysteresis(t *testing.T) {
	t.Parallel()
	b, _, look := liveBench(t)
	b.Service.registrySnapshot().Devices = map[string]*telemetry.Device{"MN1": {MN: "MN1", Outlet: 7}}
	off := func(d time.Duration) {
		b.o.Loggers = fakeLoggers{{MN: "MN1", Connected: true, ClockKnown: true, ClockOffset: d}}
	}
	off(90 * time.Second)
	look(3)
	off(time.Second)
	look(1)
	off(90 * time.Second)
	look(3)
	if n := len(b.all(t)); n != 0 {
		t.Fatalf("%d alarms after three looks in a row", n)
	}
	look(1)
	off(-300 * time.Second)
	look(5)
	off(time.Second)
	look(3)
	off(61 * time.Second)
	look(1)
	if e := only(t, b); !e.Open() || e.Kind != Clock {
		t.Errorf("flapped: %+v", e)
	}
	off(time.Second)
	look(4)
	if e := only(t, b); e.Open() || e.Max.V != -300 || e.Cause.Args["allowed"] != "60" {
		t.Errorf("in the end: %+v", e)
	}
}

// TestClockOfDatagrams: a logger that sends over UDP has no connection; its clock
// counts as long as it is heard.
func TestClockOfDatagrams(t *testing.T) {
	t.Parallel()
	b, _, look := liveBench(t)
	b.Service.registrySnapshot().Devices = map[string]*telemetry.Device{"MN1": {MN: "MN1", Outlet: 7}}
	heard := func(last time.Time) {
		b.o.Loggers = fakeLoggers{{MN: "MN1", Datagrams: true, Last: last, ClockKnown: true, ClockOffset: 90 * time.Second}}
	}
	heard(b.now.Add(-time.Hour))
	look(5)
	if n := len(b.all(t)); n != 0 {
		t.Fatalf("%d alarms by a logger that was not heard for an hour", n)
	}
	heard(b.now)
	look(5)
	if e := only(t, b); !e.Open() || e.Kind != Clock || e.Max.V != 90 {
		t.Errorf("heard: %+v", e)
	}
}

func (s *Service) registrySnapshot() *telemetry.Snapshot { return s.o.Registry.Snapshot() }

// TestForecastOfExceedance: the bound for the minutes left is that at which the
// hour's mean equals the limit.
func TestForecastOfExceedance(t *testing.T) {
	t.Parallel()
	b, live, look := liveBench(t)
	limit := quality.LimitRef{ID: "l", Op: "<=", Hi: quality.Some(50), Statistic: "hour"}
	set := func(mean float64, n, possible int) {
		live.view.Hour = &quality.HourRow{Outlet: 7, Factors: []quality.FactorHour{{Code: "a21002", NValid: n, NExpected: 60, Mean: quality.Some(mean), Fold: quality.FoldNotRequired, Limit: limit}}}
		live.view.Tiles = []quality.Tile{{Code: "a21002", State: quality.Warn}}
		live.view.Forecasts = []quality.Forecast{{Outlet: 7, Code: "a21002", NValid: n, Possible: possible}}
	}
	set(60, 20, 40)
	look(4)
	e := only(t, b)
	if e.Kind != WillExceed || e.Cause.Key != "alarm.cause.will_exceed" || e.Cause.Args["under"] != "45" || !e.Start.Equal(begin.Add(10*time.Hour)) {
		t.Errorf("20 minutes of 60 and 40 to come: %+v", e)
	}
	set(160, 40, 20)
	look(1)
	b.now = b.now.Add(time.Minute)
	look(1)
	if e := only(t, b); e.Cause.Key != "alarm.cause.will_exceed_surely" {
		t.Errorf("nothing can help: %+v", e.Cause)
	}
	set(160, 40, 4) // too late to do anything
	look(4)
	if e := only(t, b); e.Open() || e.EndedBy != EndGood {
		t.Errorf("with four minutes left: %+v", e)
	}
}

// TestForecastEndsWithItsHour: the next hour's forecast is another alarm.
func TestForecastEndsWithItsHour(t *testing.T) {
	t.Parallel()
	b, live, look := liveBench(t)
	live.view.Forecasts = []quality.Forecast{{Outlet: 7, Code: "a21002", NValid: 10, Missing: 35, Possible: 30, Lost: true}, {Outlet: 7, Code: "a21026", NValid: 18, Missing: 27, Possible: 30, AtRisk: true}}
	look(4)
	if e := only(t, b); e.Kind != LoseHour || e.Factor != "a21002" || e.Cause.Key != "alarm.cause.hour_lost" || e.Cause.Args["missing"] != "35" {
		t.Errorf("%+v", e)
	}
	b.now = begin.Add(11 * time.Hour)
	look(4)
	list := b.all(t)
	if len(list) != 2 || list[0].EndedBy != EndPeriod || !list[1].Open() {
		t.Errorf("over the hour:\n%s", lines(list))
	}
}

func TestForecastOfDay(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		need int
		key  string
	}{
		"plenty of hours":  {12, ""}, // 14 are left with the running one
		"one to spare":     {13, "alarm.cause.day_at_risk"},
		"none to spare":    {14, "alarm.cause.day_at_risk"},
		"one more than is": {15, "alarm.cause.day_lost"},
	} {
		b, live, look := liveBench(t)
		live.view.Day, live.view.HoursNeed = &quality.DayRow{}, tt.need
		look(4)
		list := b.all(t)
		if (tt.key == "") != (len(list) == 0) || len(list) == 1 && list[0].Cause.Key != tt.key {
			t.Errorf("%s: %s", name, lines(list))
		}
	}
}

// TestMinuteCountsRecords: looking at the same record again counts once.
func TestMinuteCountsRecords(t *testing.T) {
	t.Parallel()
	b, live, look := liveBench(t)
	set := func(minute int) {
		live.newest = []quality.StateResult{{Outlet: 7, Factor: "a21002", At: begin.Add(time.Duration(minute) * time.Minute), Value: quality.Some(60), Limit: quality.LimitRef{ID: "l", Op: "<=", Hi: quality.Some(50)}, Times: quality.Some(0.2)}}
	}
	set(1)
	look(9)
	set(2)
	look(3)
	if n := len(b.all(t)); n != 0 {
		t.Fatalf("%d alarms after two records", n)
	}
	set(3)
	look(1)
	if e := only(t, b); e.Kind != Minute || e.Statistic != "minute" || !e.Open() {
		t.Errorf("%+v", e)
	}
}

// TestPermit: shares of the amount, the day it will be used up, and the excess.
func TestPermit(t *testing.T) {
	t.Parallel()
	year, end := time.Date(2026, 1, 1, 0, 0, 0, 0, begin.Location()), time.Date(2027, 1, 1, 0, 0, 0, 0, begin.Location())
	for name, tt := range map[string]struct {
		kg    float64
		hours int
		key   string
		date  string
		sev   Severity
	}{
		"half of it, as planned":         {1000, 273 * 24, "", "", ""},
		"81 %, nine of twelve months":    {1620, 273 * 24, "alarm.cause.permit_date", "2026-12-04", Warn},
		"81 %, and it stands still":      {1620, 100, "alarm.cause.permit", "", Warn},
		"half of it, in a third of time": {1200, 100 * 24, "alarm.cause.permit_date", "2026-12-06", Warn},
		"more than all":                  {2100, 273 * 24, "alarm.cause.permit_over", "", Act},
	} {
		b, live, look := liveBench(t)
		b.scene.out.Limits = []telemetry.Limit{{ID: "p", Statistic: "year"}}
		live.period = quality.PeriodRow{Outlet: 7, Level: quality.LevelYear, From: year.Unix(), To: end.Unix(), Until: begin.Unix(), Factors: []quality.PeriodFactor{{
			Code: "a21002", HoursValid: tt.hours, Total: quality.Some(tt.kg), Limit: quality.LimitRef{ID: "p", Op: "<=", Hi: quality.Some(2000), Statistic: "year"},
		}}}
		look(1)
		list := b.all(t)
		if tt.key == "" {
			if len(list) != 0 {
				t.Errorf("%s: %s", name, lines(list))
			}
			continue
		}
		if len(list) != 1 || list[0].Cause.Key != tt.key || list[0].Cause.Args["date"] != tt.date || list[0].Severity != tt.sev {
			t.Errorf("%s: %s %v", name, lines(list), list)
		}
	}
}

// TestDown: a standstill of the program is noted at its next start, and its
// loggers get time to come back.
func TestDown(t *testing.T) {
	t.Parallel()
	b, live, look := liveBench(t)
	if err := b.note(t.Context()); err != nil {
		t.Fatal(err)
	}
	stopped := b.now
	b.now = b.now.Add(2 * time.Hour)
	if err := b.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(b.down) != 1 || !b.down[0].From.Equal(stopped.Truncate(time.Microsecond)) || !b.down[0].To.Equal(b.now) {
		t.Errorf("down %v, stopped at %s", b.down, stopped)
	}
	live.state = quality.StateResult{State: quality.Offline, Seen: stopped.Unix()}
	look(10)
	if n := len(b.all(t)); n != 0 {
		t.Errorf("%d alarms while loggers come back", n)
	}
	b.now = b.now.Add(15 * time.Minute)
	look(1)
	if e := only(t, b); e.Kind != Link {
		t.Errorf("%+v", e)
	}
}
