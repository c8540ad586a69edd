package store

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plateau/hj212"
	"plateau/internal/telemetry"
	"plateau/internal/testkit"
)

var t0 = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

// frameOf makes a frame as the gateway would, from items "code-Suffix=value".
func frameOf(tb testing.TB, outlet telemetry.OutletID, cn int, at time.Time, items ...string) *Frame {
	tb.Helper()
	seg := fmt.Appendf(nil, "QN=20261123000000000;ST=31;CN=%d;PW=1;MN=M%d;Flag=5;CP=&&DataTime=%s", cn, outlet, hj212.AppendTime(nil, at))
	for _, it := range items {
		seg = append(append(seg, ';'), it...)
	}
	raw := hj212.AppendFrame(nil, append(seg, "&&"...))
	raw = raw[:len(raw)-2]
	var p hj212.Packet
	if err := p.Parse(raw[6 : len(raw)-4]); err != nil {
		tb.Fatal(err)
	}
	return &Frame{
		MN: fmt.Sprintf("M%d", outlet), Outlet: outlet, Kind: telemetry.KindOf(cn), At: at.Unix(), Received: at.Add(2 * time.Second),
		Raw: raw, Verdict: telemetry.Stored, Values: telemetry.ValuesOf(&p, nil),
	}
}

// put submits frames and waits for their results.
func put(tb testing.TB, s *Store, frames ...*Frame) []Result {
	tb.Helper()
	out := make([]Result, len(frames))
	var wg sync.WaitGroup
	wg.Add(len(frames))
	for i, f := range frames {
		f.Done = func(r Result) { out[i] = r; wg.Done() }
	}
	if err := s.SubmitBatch(tb.Context(), frames); err != nil {
		tb.Fatal(err)
	}
	wg.Wait()
	return out
}

func open(tb testing.TB, dir string, o Options) *Store {
	tb.Helper()
	s, err := Open(dir, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func verified(tb testing.TB, s *Store) Report {
	tb.Helper()
	r, err := s.Verify(context.Background(), Decoder(nil))
	if err != nil || !r.OK() {
		tb.Fatalf("verify: %v %v", err, r.Faults)
	}
	return r
}

func verdicts(rs []Result) (out []string) {
	for _, r := range rs {
		v := r.Verdict.Text("")
		if r.Repeat {
			v = "repeat"
		}
		if r.Err != nil {
			v = "error"
		}
		out = append(out, v)
	}
	return out
}

func TestRepeatsAndRevisions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, Options{})
	mk := func(items ...string) *Frame { return frameOf(t, 7, 2051, t0, items...) }
	rs := put(t, s,
		mk("a-Avg=1.50,a-Flag=N"),             // new
		mk("a-Avg=1.50,a-Flag=N"),             // the same in the same group
		mk("b-Avg=2,b-Flag=N"),                // another part of the same time
		mk("a-Avg=1.5,a-Flag=N"),              // other precision: another text
		frameOf(t, 7, 2061, t0, "a-Avg=1.50"), // another kind
		frameOf(t, 8, 2051, t0, "a-Avg=1.50,a-Flag=N"))
	rs = append(rs, put(t, s, mk("a-Avg=1.5,a-Flag=N"), mk("a-Avg=1.5,a-Flag=D"), mk("b-Avg=2,b-Flag=N"),
		mk("a-Avg=1.50,a-Flag=N"), mk("a-Avg=1.5,a-Flag=N"))...) // the first two frames of a once more
	want := []string{"stored", "repeat", "stored", "revision", "stored", "stored", "repeat", "revision", "repeat", "repeat", "repeat"}
	if rs[9].Locator != rs[0].Locator || rs[10].Locator != rs[3].Locator {
		t.Errorf("repeats of %v and %v", rs[9].Locator, rs[10].Locator)
	}
	if diff := cmp.Diff(want, verdicts(rs)); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
	var got []telemetry.Record
	if err := s.Records(7, telemetry.KindMinute, t0.Unix(), t0.Unix()+1, func(r *telemetry.Record) bool { got = append(got, *r); return true }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || !got[0].Revised || len(got[0].Parts) != 4 || len(got[0].Values) != 2 || got[0].Values[0].Flag != "D" || got[0].Values[0].Source() != "1.5" {
		t.Errorf("merged record %+v", got)
	}
	parts, err := s.Parts(7, telemetry.KindMinute, t0.Unix())
	if err != nil || len(parts) != 4 || parts[0].Values[0].Source() != "1.50" {
		t.Errorf("parts %+v, %v", parts, err)
	}
	page, next, err := s.Frames("M7", time.Time{}, time.Time{}, "", 3)
	if err != nil || len(page) != 3 || next == "" {
		t.Fatalf("%d frames, next %q, %v", len(page), next, err)
	}
	rest, next, err := s.Frames("M7", time.Time{}, time.Time{}, next, 100)
	if err != nil || len(rest) != 2 || next != "" {
		t.Errorf("%d more frames, next %q, %v", len(rest), next, err)
	}
	f, err := s.FrameAt(rs[0].Locator)
	if err != nil || string(f.Raw) != string(mk("a-Avg=1.50,a-Flag=N").Raw) || !f.Received.Equal(t0.Add(2*time.Second)) {
		t.Errorf("frame %+v, %v", f, err)
	}
	if r := verified(t, s); r.Frames != 6 || r.Rows != 6 {
		t.Errorf("verified %+v", r)
	}
}

// TestBackToAFormerValue: 5, 6 and the first frame once more leave 6 in force, as
// that is a late copy; 5 in a frame with a number of its own is meant.
func TestBackToAFormerValue(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), Options{NoSync: true})
	five, six := frameOf(t, 7, 2061, t0, "a-Avg=5,a-Flag=N"), frameOf(t, 7, 2061, t0, "a-Avg=6,a-Flag=N")
	anew := *five
	anew.Raw = bytes.Replace(five.Raw, []byte("QN=20261123000000000"), []byte("QN=20261123000500000"), 1)
	inForce := func() (text string) {
		if err := s.Records(7, telemetry.KindHour, t0.Unix(), t0.Unix()+1, func(r *telemetry.Record) bool {
			text = r.Values[0].Source()
			return true
		}); err != nil {
			t.Fatal(err)
		}
		return text
	}
	for i, c := range []struct {
		f             *Frame
		verdict, then string
	}{{five, "stored", "5"}, {six, "revision", "6"}, {five, "repeat", "6"}, {&anew, "revision", "5"}, {&anew, "repeat", "5"}, {six, "repeat", "5"}} {
		if got := verdicts(put(t, s, c.f))[0]; got != c.verdict || inForce() != c.then {
			t.Errorf("frame %d: %s, %s in force; want %s, %s", i, got, inForce(), c.verdict, c.then)
		}
	}
}

// TestClockStandsStill: of a record with very many revisions, the last ones and
// the first ones sent once more are repeats; every other is kept.
func TestClockStandsStill(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), Options{NoSync: true})
	const n = 3 * maxSought
	mk := func(i int) *Frame { return frameOf(t, 7, 2011, t0, fmt.Sprintf("a-Rtd=%d,a-Flag=N", i)) }
	var sent []Result
	for i := range n {
		sent = append(sent, put(t, s, mk(i))...)
	}
	again := put(t, s, mk(0), mk(n-2), mk(n/2), mk(n/2))
	if diff := cmp.Diff([]string{"repeat", "repeat", "revision", "repeat"}, verdicts(again)); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
	if again[0].Locator != sent[0].Locator || again[1].Locator != sent[n-2].Locator {
		t.Errorf("repeats of %v and %v", again[0].Locator, again[1].Locator)
	}
	rec, ok := s.Latest(7, telemetry.KindRealtime)
	if !ok || len(rec.Parts) != n+1 || rec.Values[0].Source() != fmt.Sprint(n/2) {
		t.Errorf("latest record %+v", rec)
	}
}

func TestMessagesAndRefusals(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), Options{})
	msg := func(key string, v telemetry.Verdict) *Frame {
		return &Frame{MN: "M1", Received: t0, Raw: []byte("##" + key), Verdict: v, Reason: "crc_mismatch", Key: key}
	}
	rs := put(t, s, msg("a", telemetry.Stored), msg("a", telemetry.Stored), msg("b", telemetry.Quarantined), msg("", telemetry.Refused), msg("", telemetry.Refused))
	rs = append(rs, put(t, s, msg("a", telemetry.Stored), msg("b", telemetry.Quarantined))...)
	if diff := cmp.Diff([]string{"stored", "repeat", "quarantined", "refused:", "refused:", "repeat", "repeat"}, verdicts(rs)); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
	last, err := s.LastFrames("M1", 2)
	if err != nil || len(last) != 2 || last[0].Verdict != telemetry.Refused || last[0].Reason != "crc_mismatch" {
		t.Errorf("last frames %+v, %v", last, err)
	}
}

// TestValuesKeepTheirText: what a logger sent is printed again byte for byte.
func TestValuesKeepTheirText(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), Options{})
	at := t0
	for _, text := range []string{"0", "12.30", "-0.5", "-0.0", "+1", "007", "NaN", "", "1,5", "123456789012345678", "1234567890123456789", "0.0000000001", "1e5", "20261123083000", "高原"} {
		at = at.Add(time.Minute)
		f := frameOf(t, 3, 2011, at)
		f.Values = []telemetry.Value{telemetry.NewValue("a", "Rtd", []byte(text))}
		put(t, s, f)
		rec, ok := s.Latest(3, telemetry.KindRealtime)
		if !ok || len(rec.Values) != 1 || rec.Values[0].Source() != text {
			t.Errorf("%q was read as %+v", text, rec.Values)
		}
	}
}

// TestAgainstModel drives the store with random uploads, repeats, revisions,
// late data and restarts, and compares it with a plain map.
func TestAgainstModel(t *testing.T) {
	t.Parallel()
	if testkit.Race {
		t.Skip("one goroutine goes through many histories; this test runs without the race detector")
	}
	rapid.Check(t, func(rt *rapid.T) {
		dir := filepath.Join(t.TempDir(), "s")
		s, err := Open(dir, Options{MaxBatch: rapid.IntRange(1, 8).Draw(rt, "batch"), NoSync: true})
		if err != nil {
			rt.Fatal(err)
		}
		defer func() {
			if s != nil { // nil when a restart failed
				_ = s.Close()
			}
		}()
		type key struct {
			outlet telemetry.OutletID
			at     int64
			code   string
		}
		model := map[key]string{}
		sent := map[string]bool{}
		lines := 0
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			if rapid.IntRange(0, 5).Draw(rt, "restart") == 0 {
				if err := s.Close(); err != nil {
					rt.Fatal(err)
				}
				if s, err = Open(dir, Options{NoSync: true}); err != nil {
					rt.Fatal(err)
				}
			}
			var frames []*Frame
			var want []string
			for range rapid.IntRange(1, 6).Draw(rt, "frames") {
				o := telemetry.OutletID(rapid.IntRange(1, 2).Draw(rt, "outlet"))
				at := t0.Add(time.Duration(rapid.IntRange(0, 4).Draw(rt, "minute")) * time.Minute)
				qn := rapid.IntRange(0, 3).Draw(rt, "qn")
				var items []string
				values := map[key]string{}
				for _, code := range rapid.SampledFrom([][]string{{"a"}, {"b"}, {"a", "b"}}).Draw(rt, "codes") {
					v := rapid.SampledFrom([]string{"1", "2.0", "x"}).Draw(rt, "value")
					items = append(items, code+"-Rtd="+v)
					values[key{o, at.Unix(), code}] = v
				}
				f := frameOf(t, o, 2011, at, items...)
				seg := bytes.Clone(f.Raw[6 : len(f.Raw)-4])
				seg[len("QN=20261123000000000")-1] += byte(qn)
				f.Raw = bytes.TrimSpace(hj212.AppendFrame(nil, seg))
				verdict, fresh := "stored", false
				for k, v := range values {
					old, ok := model[k]
					fresh = fresh || !ok || old != v
					if ok && old != v {
						verdict = "revision"
					}
				}
				switch {
				case !fresh, verdict == "revision" && sent[string(f.Raw)]:
					verdict = "repeat"
				default:
					maps.Copy(model, values)
					lines++
					sent[string(f.Raw)] = true
				}
				frames, want = append(frames, f), append(want, verdict)
			}
			if diff := cmp.Diff(want, verdicts(put(t, s, frames...))); diff != "" {
				rt.Fatalf("verdicts (-want +got):\n%s", diff)
			}
		}
		got := map[key]string{}
		for o := telemetry.OutletID(1); o <= 2; o++ {
			if err := s.Records(o, telemetry.KindRealtime, 0, 1<<40, func(r *telemetry.Record) bool {
				for i := range r.Values {
					got[key{o, r.At, r.Values[i].Code}] = r.Values[i].Source()
				}
				return true
			}); err != nil {
				rt.Fatal(err)
			}
		}
		if diff := cmp.Diff(model, got); diff != "" {
			rt.Fatalf("records (-model +store):\n%s", diff)
		}
		if r := verified(t, s); int(r.Frames) != lines {
			rt.Fatalf("%d lines in the journal, want %d", r.Frames, lines)
		}
	})
}

func TestDerivedAndCursors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, Options{})
	put(t, s, frameOf(t, 1, 2011, t0, "a-Rtd=1"))
	if err := s.PutDerived([]Derived{{'h', 1, 10, []byte("x")}, {'h', 1, 20, []byte("y")}, {'h', 2, 15, []byte("z")}}, "reader", 1); err != nil {
		t.Fatal(err)
	}
	var got []int64
	if err := s.Derived('h', 1, 0, 21, func(at int64, _ []byte) bool { got = append(got, at); return true }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int64{10, 20}, got); diff != "" {
		t.Error(diff)
	}
	if n, err := s.Cursor("reader"); n != 1 || err != nil {
		t.Errorf("cursor %d, %v", n, err)
	}
	n := 0
	if err := s.Groups(0, func(m GroupMeta) bool { n += len(m.Entries); return true }); err != nil || n != 1 {
		t.Errorf("%d entries, %v", n, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Wait(ctx, 0); err != nil {
		t.Error(err)
	}
	if err := s.Wait(ctx, 1); err == nil {
		t.Error("waited for a group that does not exist")
	}
}

func TestOnlyOneProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, dir, Options{})
	if s, err := Open(dir, Options{}); err == nil {
		_ = s.Close()
		t.Fatal("the folder was opened twice")
	}
}

func TestVerifyFindsChange(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), Options{})
	for i := range 5 {
		put(t, s, frameOf(t, 1, 2011, t0.Add(time.Duration(i)*time.Minute), "a-Rtd=1"))
	}
	verified(t, s)
	db := s.engine.Load().DB
	v, closer, err := db.Get(journalKey(nil, 3))
	if err != nil {
		t.Fatal(err)
	}
	changed := append([]byte(nil), v...)
	_ = closer.Close()
	changed[len(changed)-10] ^= 1
	if err := db.Set(journalKey(nil, 3), changed, nil); err != nil {
		t.Fatal(err)
	}
	r, err := s.Verify(t.Context(), Decoder(nil))
	if err != nil || r.OK() {
		t.Errorf("a changed frame was not found: %+v, %v", r, err)
	}
}
