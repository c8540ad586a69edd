package simulator

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"plateau/hj212"
	"plateau/internal/testkit"

	"github.com/google/go-cmp/cmp"
)

// testNow is 10:30 local on the day the tests play.
var testNow = time.Date(2026, 11, 24, 2, 30, 0, 0, time.UTC)

func testWorld(tb testing.TB, o WorldOptions) *World {
	tb.Helper()
	if o.Region == nil {
		r := RegionAt(testNow)
		o.Region = &r
	}
	w, err := NewWorld(o)
	if err != nil {
		tb.Fatal(err)
	}
	return w
}

type sent struct {
	at    time.Time
	mn    string
	frame string
}

func collect(t *testing.T, w *World, from, to time.Time) []sent {
	t.Helper()
	var out []sent
	err := w.History(context.Background(), from, to, func(f []byte, mn string, at time.Time) error {
		out = append(out, sent{at, mn, string(f)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestHistoryIsInOrderAndValid(t *testing.T) {
	t.Parallel()
	if testkit.Race {
		t.Skip("one goroutine computes for long; this test runs without the race detector")
	}
	w := testWorld(t, WorldOptions{})
	keys := map[string][][]byte{}
	for _, p := range w.Plants {
		keys[p.Device.MN] = p.Device.Keys
	}
	from, to := testNow.Add(-26*time.Hour), testNow
	seen := map[string]int{}
	marks := map[byte]int{}
	resent := 0
	var last time.Time
	sc := hj212.NewScanner(hj212.ScanOptions{Keys: func(mn []byte) [][]byte { return keys[string(mn)] }})
	var p hj212.Packet
	for _, s := range collect(t, w, from, to) {
		if s.at.Before(last) || !s.at.After(from) || s.at.After(to) {
			t.Fatalf("frame at %v after one at %v, asked for (%v, %v]", s.at, last, from, to)
		}
		last = s.at
		sc.Feed([]byte(s.frame + "\r\n"))
		ev, ok := sc.Next()
		if !ok || ev.Err != nil {
			t.Fatalf("frame refused (%v): %s", ev.Err, s.frame)
		}
		if err := p.Parse(ev.Seg); err != nil {
			t.Fatalf("%v: %s", err, ev.Seg)
		}
		at, err := p.DataTime()
		if err != nil {
			t.Fatal(err)
		}
		pno, _ := p.Part()
		key := strings.Join([]string{s.mn, string(p.Bytes(p.CN)), at.String(), string(rune('0' + max(pno, 0)))}, "|")
		if seen[key]++; seen[key] > 1 {
			t.Errorf("twice: %s", key)
		}
		if string(p.Bytes(p.MN)) != s.mn {
			t.Errorf("frame of %s handed out for %s", p.Bytes(p.MN), s.mn)
		}
		if p.Resent() {
			resent++
		}
		for _, it := range p.Items {
			if string(p.Bytes(it.Suffix)) == "Flag" {
				marks[p.Bytes(it.Value)[0]]++
			}
		}
	}
	for _, m := range []byte("NFMCDB") {
		if marks[m] == 0 {
			t.Errorf("no value marked %c in 26 hours of history: %v", m, marks)
		}
	}
	if resent == 0 {
		t.Error("no record re-sent with RF=1")
	}
}

func TestHistoryIsDeterministic(t *testing.T) {
	t.Parallel()
	if testkit.Race {
		t.Skip("one goroutine computes for long; this test runs without the race detector")
	}
	from, to := testNow.Add(-9*time.Hour), testNow.Add(-3*time.Hour)
	a := collect(t, testWorld(t, WorldOptions{}), from, to)
	b := collect(t, testWorld(t, WorldOptions{}), from, to)
	if len(a) < 5000 {
		t.Fatalf("%d frames in six hours", len(a))
	}
	if d := cmp.Diff(a, b, cmp.AllowUnexported(sent{})); d != "" {
		t.Error(d)
	}
	// Cut anywhere, the parts are the whole.
	cut := testNow.Add(-5*time.Hour - 123*time.Second)
	w := testWorld(t, WorldOptions{})
	if d := cmp.Diff(a, append(collect(t, w, from, cut), collect(t, w, cut, to)...), cmp.AllowUnexported(sent{})); d != "" {
		t.Error(d)
	}
}

// TestHistoryJoinsLive: what loggers would send after History's end is what
// History would have gone on with, byte for byte, in outages too.
func TestHistoryJoinsLive(t *testing.T) {
	t.Parallel()
	if testkit.Race {
		t.Skip("one goroutine computes for long; this test runs without the race detector")
	}
	w := testWorld(t, WorldOptions{})
	from, to := testNow.Add(-7*time.Hour), testNow
	want := map[string][]string{}
	for _, s := range collect(t, w, from, to) {
		want[s.mn] = append(want[s.mn], s.frame)
	}
	late := 0
	for i, p := range w.Plants {
		l := w.Logger(i, LoggerOptions{Now: func() time.Time { return to }, Since: from}, &Stats{})
		l.begin()
		l.booted, l.realtimeOn, l.stateOn = true, false, false
		l.collect(to.UnixMilli())
		var got []string
		for _, u := range l.queue {
			if u.at > to.UnixMilli() {
				continue
			}
			if u.resend {
				late++
			}
			raw, err := l.wire(u)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(raw))
		}
		if d := cmp.Diff(want[p.Device.MN], got); d != "" {
			t.Fatalf("outlet %d (%s): history and live differ (-history +live):\n%s", p.Outlet.ID, p.prof.sourceType, d)
		}
	}
	if late == 0 {
		t.Error("no late record was compared")
	}
}

func TestHistoryStops(t *testing.T) {
	t.Parallel()
	w := testWorld(t, WorldOptions{})
	boom := errors.New("disk full")
	if err := w.History(context.Background(), testNow.Add(-time.Hour), testNow, func([]byte, string, time.Time) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("error of emit: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	err := w.History(ctx, testNow.AddDate(0, 0, -30), testNow, func([]byte, string, time.Time) error {
		if n++; n == 10 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled history: %v", err)
	}
}

// TestRealSeries plays the real series: values must be those of the data,
// scaled, and their gaps must be marked.
func TestRealSeries(t *testing.T) {
	t.Parallel()
	r, err := OpenReal(testkit.Shared(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range realSets {
		for _, c := range s.columns {
			if r.Column(s.set+"/"+c) == nil {
				t.Errorf("%s/%s was not read", s.set, c)
			}
		}
	}
	w := testWorld(t, WorldOptions{Real: r, Calm: true})
	i := plantOf(t, w, func(p *Plant) bool { return p.Outlet.Name.Zh == "才纳断面" })
	p := w.Plants[i]
	cur := newCursor(p, w.sched)
	var s sample
	// The Lhasa River at Caina: 3 April 2021, 12:00 local, is the 15th of the
	// 18 four-hourly places and comes round every three days.
	noon := time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC).Unix() / 60
	for noon/1440%3 != (time.Date(2021, 4, 3, 4, 0, 0, 0, time.UTC).Unix()/86400-time.Date(2021, 4, 1, 0, 0, 0, 0, time.UTC).Unix()/86400)%3 {
		noon += 1440
	}
	cur.at(noon, &s)
	for k, f := range p.factors {
		if f.code == "w01014" {
			if v := float64(s.v[k]) / f.pow; v < 227*0.99 || v > 232*1.01 {
				t.Errorf("conductivity %.1f, the section has 226.5 to 231.6", v)
			}
		}
	}
	// The street analyser of UCI 360 is missing a fifth of its hours.
	i = plantOf(t, w, func(p *Plant) bool {
		return slices.ContainsFunc(p.factors, func(f plantFactor) bool { pl, ok := f.series.(*played); return ok && pl.c == r.Column("airq/NOx_GT") })
	})
	p = w.Plants[i]
	cur = newCursor(p, w.sched)
	marks := map[byte]int{}
	for h := range int64(24 * 60) {
		cur.at(testNow.Unix()/60-h*60, &s)
		marks[s.flag[2]]++
	}
	if marks['D'] < 60 || marks['B'] == 0 {
		t.Errorf("gaps of the real series do not show: %v", marks)
	}
	frames := collect(t, w, testNow.Add(-3*time.Hour), testNow)
	if len(frames) < 2000 {
		t.Errorf("%d frames in three hours of real series", len(frames))
	}
}

// TestHoursAreTheSeries: what loggers report of an hour is the series' own
// value, scaled, to the rounding of the minutes; of daily series the day's mean
// is. No minute leaps away from its neighbours or below zero.
func TestHoursAreTheSeries(t *testing.T) {
	t.Parallel()
	r, err := OpenReal(testkit.Shared(t))
	if err != nil {
		t.Fatal(err)
	}
	w := testWorld(t, WorldOptions{Real: r, Calm: true})
	from := (testNow.Unix()/86400-3)*1440 - zone*60
	compared := 0
	for _, p := range w.Plants {
		c := newCursor(p, w.sched)
		var s sample
		for h := from / 60; h < from/60+48; h++ {
			var win window
			for m := h * 60; m < h*60+60; m++ {
				c.at(m, &s)
				win.add(p, &s)
			}
			for i := range p.factors {
				f := &p.factors[i]
				if f.series == nil {
					continue
				}
				want, gap := f.series.At(h)
				got := win.read(p, i)
				if gap > 0 || !got.has {
					continue
				}
				avg := float64(got.avg) / f.pow
				if got.folded {
					avg = float64(got.zavg) / f.pow
				}
				if math.Abs(avg-want) > 1/f.pow+want*1e-4 {
					t.Errorf("outlet %d %s hour %d: reported %.4f, the series has %.4f", p.Outlet.ID, f.code, h, avg, want)
				}
				if got.min < 0 {
					t.Errorf("outlet %d %s hour %d: down to %d", p.Outlet.ID, f.code, h, got.min)
				}
				compared++
			}
		}
	}
	if compared < 5000 {
		t.Errorf("compared %d hours", compared)
	}
	for _, ref := range []string{"barcelona/DQO-S", "melbourne/Ammonia"} {
		col := r.Column(ref)
		for day := range int64(300) {
			sum := 0.0
			for h := range int64(24) {
				v, _ := col.at(day*24 + h)
				sum += v
			}
			if mean := sum / 24; math.Abs(mean-col.Values[day]) > 1e-6 {
				t.Fatalf("%s day %d: mean %.4f, the series has %.4f", ref, day, mean, col.Values[day])
			}
		}
	}
}

func TestNewWorldRefusesForeignOutlets(t *testing.T) {
	t.Parallel()
	r := Region()
	r.Outlets[0].ID = 999
	if _, err := NewWorld(WorldOptions{Region: &r}); err == nil || !strings.Contains(err.Error(), "999") {
		t.Errorf("foreign outlet: %v", err)
	}
}

func BenchmarkHistory(b *testing.B) {
	w := testWorld(b, WorldOptions{})
	n := 0
	for b.Loop() {
		_ = w.History(context.Background(), testNow.AddDate(0, 0, -30), testNow, func(f []byte, _ string, _ time.Time) error {
			n += bytes.Count(f[:2], []byte("#")) / 2
			return nil
		})
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/frame")
}
