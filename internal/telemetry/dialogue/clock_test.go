package dialogue

import (
	"path/filepath"
	"testing"
	"time"

	"plateau/hj212"
	"plateau/internal/telemetry/gateway"
	"plateau/rules"
)

// TestClockIsSet: a clock that is five minutes fast is noted and set once; a
// second look asks nothing more, and after a restart it is still known.
func TestClockIsSet(t *testing.T) {
	t.Parallel()
	s := newSite(t, filepath.Join(t.TempDir(), "p.db"))
	l := s.dial("123456")
	fast := 5 * time.Minute
	l.upload(s.now().Add(fast))
	clocks := NewClocks(s.asks, s.gateway, rules.Default(), true)
	must(t, clocks.Look(t.Context()))
	p := l.request(1012)
	if v, _ := p.Param("SystemTime"); len(v) != 14 {
		t.Fatalf("set to %q", v)
	} else if at, err := hj212.ParseTime(v); err != nil || at.Sub(s.now()).Abs() > 3*time.Second {
		t.Errorf("set to %s, %v", at, err)
	}
	l.answer(p, 9011, "QnRtn=1")
	l.answer(p, 9012, "ExeRtn=1")
	for range 100 {
		if at, err := s.asks.ClockSet(t.Context(), testMN); err != nil || !at.IsZero() {
			must(t, err)
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	log, err := s.asks.List(t.Context(), testMN, 5)
	if err != nil || len(log) != 1 || log[0].Origin != FromClock || log[0].Outcome != Done {
		t.Fatalf("%+v, %v", log, err)
	}
	l.upload(s.now().Add(fast)) // it did not help
	must(t, clocks.Look(t.Context()))
	must(t, NewClocks(s.asks, s.gateway, rules.Default(), true).Look(t.Context()))
	s.ahead.Store(int64(time.Minute))
	l.upload(s.now())
	must(t, clocks.Look(t.Context()))
	if log, err := s.asks.List(t.Context(), testMN, 5); err != nil || len(log) != 1 {
		t.Errorf("set again and again: %+v, %v", log, err)
	}
	curve, err := s.asks.Offsets(t.Context(), testMN, s.now().Add(-time.Hour))
	if err != nil || len(curve) < 2 || curve[0].Offset < fast-3*time.Second || curve[0].Offset > fast+time.Second {
		t.Errorf("%+v, %v", curve, err)
	}
}

// TestClockIsLeftAlone: with the setting off, and within the rule, nothing is asked.
func TestClockIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		auto bool
		off  time.Duration
	}{"switched off": {false, 10 * time.Minute}, "within the rule": {true, 100 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, filepath.Join(t.TempDir(), "p.db"))
			l := s.dial("123456")
			l.upload(s.now().Add(tc.off))
			must(t, NewClocks(s.asks, s.gateway, rules.Default(), tc.auto).Look(t.Context()))
			if log, err := s.asks.List(t.Context(), testMN, 5); err != nil || len(log) != 0 {
				t.Errorf("%+v, %v", log, err)
			}
		})
	}
}

// datagrams are loggers that send over UDP.
type datagrams []gateway.DeviceStatus

func (d datagrams) Devices() []gateway.DeviceStatus { return d }

// TestClockOfDatagrams: it is noted, and nothing is asked of a logger that no
// command can reach.
func TestClockOfDatagrams(t *testing.T) {
	t.Parallel()
	s := newSite(t, filepath.Join(t.TempDir(), "p.db"))
	live := datagrams{{MN: testMN, Datagrams: true, Last: s.now(), ClockKnown: true, ClockOffset: 10 * time.Minute}}
	must(t, NewClocks(s.asks, live, rules.Default(), true).Look(t.Context()))
	if log, err := s.asks.List(t.Context(), testMN, 5); err != nil || len(log) != 0 {
		t.Errorf("%+v, %v", log, err)
	}
	if curve, err := s.asks.Offsets(t.Context(), testMN, s.now().Add(-time.Hour)); err != nil || len(curve) != 1 || curve[0].Offset != 10*time.Minute {
		t.Errorf("%+v, %v", curve, err)
	}
}
