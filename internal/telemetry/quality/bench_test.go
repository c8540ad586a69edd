package quality

import (
	"fmt"
	"testing"
	"time"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/store"
)

// realStore is the embedded store without syncing, filled with days of
// ten-minute records of n turbines that end at the hour end.
func realStore(tb testing.TB, n, days int, end int64) (*store.Store, fixed) {
	tb.Helper()
	s, err := store.Open(tb.TempDir(), store.Options{Now: func() time.Time { return unix(end) }, NoSync: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	var outlets []*telemetry.Outlet
	codes := []string{"a34013", "a21026", "a21002", "a19001", "a01011", "a01012", "a01013", "a01014", "a00000"}
	for id := 1; id <= n; id++ {
		o := turbine(telemetry.OutletID(id))
		o.Factors = nil
		for _, c := range codes {
			o.Factors = append(o.Factors, telemetry.OutletFactor{Code: c})
		}
		outlets = append(outlets, o)
	}
	var batch []*store.Frame
	done := make(chan store.Result, 4096)
	flush := func() {
		if err := s.SubmitBatch(tb.Context(), batch); err != nil {
			tb.Fatal(err)
		}
		for range batch {
			if r := <-done; r.Err != nil {
				tb.Fatal(r.Err)
			}
		}
		batch = batch[:0]
	}
	for at := end - int64(days)*daySeconds; at < end; at += 600 {
		for _, o := range outlets {
			f := &store.Frame{
				MN: fmt.Sprintf("MN%d", o.ID), Outlet: o.ID, Kind: telemetry.KindMinute, At: at, Received: unix(at + 600),
				Raw: []byte("##0000"), Verdict: telemetry.Stored, Done: func(r store.Result) { done <- r },
			}
			for i, c := range codes {
				d := telemetry.Decimal{Coef: 1500 + (at/600*int64(i+3))%97, Scale: 2}
				f.Values = append(f.Values, telemetry.Value{Code: c, Suffix: "Avg", Dec: d, IsNum: true, Flag: "N"})
			}
			if batch = append(batch, f); len(batch) == 2000 {
				flush()
			}
		}
	}
	flush()
	return s, registry(outlets...)
}

// TestRealStore holds the cascade against the embedded store, from a first
// pass, a restart and a rebuild.
func TestRealStore(t *testing.T) {
	t.Parallel()
	end := at(23, 8, 0)
	s, reg := realStore(t, 2, 2, end)
	e := newEngine(t, s, reg, end+60)
	catchUp(t, e)
	hours, err := e.Hours(1, unix(end-daySeconds), unix(end))
	if err != nil || len(hours) != 24 || !hours[3].Factor("a21002").Valid {
		t.Fatalf("%d hours, %v", len(hours), err)
	}
	read := func() map[string]string {
		out := map[string]string{}
		for _, table := range []byte{TableHour, TableDay} {
			for _, id := range reg.s.Order {
				if err := s.Derived(table, id, 0, end+daySeconds, func(at int64, v []byte) bool {
					out[derivedKey(table, id, at)] = string(v)
					return true
				}); err != nil {
					t.Fatal(err)
				}
			}
		}
		return out
	}
	first := read()
	if len(first) != 2*(48+3) {
		t.Errorf("%d derived rows", len(first))
	}
	again := newEngine(t, s, reg, end+60)
	if !again.Backlog().Done() {
		t.Error("the cursor was not kept")
	}
	again.MarkDirty(1, unix(end-2*daySeconds), unix(end))
	catchUp(t, again)
	for k, v := range read() {
		if first[k] != v {
			t.Errorf("row %x has other bytes after a rebuild", k)
		}
	}
	if st, err := again.State(2, unix(end+60)); err != nil || st.State == Offline || st.Latest != end-600 {
		t.Errorf("state after a restart: %+v, %v", st, err)
	}
}

// BenchmarkCatchUp judges the history of a demonstration's size.
func BenchmarkCatchUp(b *testing.B) {
	end := at(23, 8, 0)
	s, reg := realStore(b, 64, 6, end)
	frames := 64 * 6 * 144
	for b.Loop() {
		e := newEngine(b, s, reg, end)
		e.cursor = 0
		catchUp(b, e)
	}
	b.ReportMetric(float64(frames)*float64(b.N)/b.Elapsed().Seconds(), "frames/s")
}

func BenchmarkStates300(b *testing.B) {
	end := at(23, 8, 0)
	s, reg := realStore(b, 300, 2, end)
	e := newEngine(b, s, reg, end+90)
	catchUp(b, e)
	for i := 0; b.Loop(); i++ {
		e.change++ // a new frame came in
		if _, err := e.States(unix(end + 90)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStatesBefore300(b *testing.B) {
	end := at(23, 8, 0)
	s, reg := realStore(b, 300, 2, end)
	e := newEngine(b, s, reg, end+90)
	catchUp(b, e)
	for b.Loop() {
		if _, err := e.States(unix(end - 3600)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExplain(b *testing.B) {
	end := at(23, 8, 0)
	s, reg := realStore(b, 1, 2, end)
	e := newEngine(b, s, reg, end+90)
	catchUp(b, e)
	for b.Loop() {
		if _, err := e.Explain(1, "a21002", LevelHour, unix(end-3600)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRecompute judges a month of one outlet anew, as a change of its limit
// does.
func BenchmarkRecompute(b *testing.B) {
	end := at(23, 0, 0)
	s, reg := realStore(b, 1, 31, end)
	e := newEngine(b, s, reg, end)
	catchUp(b, e)
	for b.Loop() {
		if _, err := e.Recompute(RecomputeRequest{}); err != nil {
			b.Fatal(err)
		}
		catchUp(b, e)
	}
	b.ReportMetric(float64(31*24)*float64(b.N)/b.Elapsed().Seconds(), "hours/s")
}

// BenchmarkPeriodYear computes a year of one outlet from its hours.
func BenchmarkPeriodYear(b *testing.B) {
	rows := gasYear(on(1, 1, 0), on(13, 1, 0), func(h int64, f *FactorHour) bool { return h/hourSeconds%97 > 3 })
	extra := []string{"a34013", "a21026", "a01011", "a01012", "a01013", "a01014", "a00000"}
	o := periodOutlet()
	for _, c := range extra {
		o.Factors = append(o.Factors, telemetry.OutletFactor{Code: c})
	}
	stored := storedBytes{days: rows.days, hours: map[int64][]byte{}}
	for h, r := range rows.hours {
		for _, c := range extra {
			f := r.Factors[0]
			f.Code = c
			r.Factors = append(r.Factors, f)
		}
		stored.hours[h] = AppendHour(nil, &r)
	}
	for b.Loop() {
		if p := periodOf(b, o, LevelYear, on(6, 1, 0), on(13, 2, 0), stored, nil); len(p.Substitution) == 0 {
			b.Fatal("nothing substituted")
		}
	}
}

// storedBytes reads hours as the store keeps them.
type storedBytes struct {
	hours map[int64][]byte
	days  map[int64]DayRow
}

func (s storedBytes) Hours(from, to int64) (out []HourRow, err error) {
	for h := from; h < to; h += hourSeconds {
		if v, ok := s.hours[h]; ok {
			r, err := ReadHour(1, h, v)
			if err != nil {
				return nil, err
			}
			out = append(out, r)
		}
	}
	return out, nil
}

func (s storedBytes) Days(from, to int64) ([]DayRow, error) {
	return (&memRows{days: s.days}).Days(from, to)
}

func (s storedBytes) First() (int64, bool, error) { return on(1, 1, 4), true, nil }
