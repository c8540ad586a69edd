package proof

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plateau/hj212"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/store"
	"plateau/internal/testkit"
)

// orderNow is when everything is judged; the records lie in the two days before.
var orderNow = time.Date(2026, 11, 24, 2, 0, 0, 0, beijing)

// version is one sending of a record: the first, or a later one with other
// values, which makes it a revision.
type version struct {
	record int // versions of one record keep their order
	up     upload
	rf     bool
}

// snapOf is a registry that holds outlets.
type snapOf struct{ s *telemetry.Snapshot }

func (s snapOf) Snapshot() *telemetry.Snapshot { return s.s }

func orderRegistry() snapOf {
	gas := turbines()[0]
	gas.Factors = gas.Factors[:1:1]
	gas.Factors = append(gas.Factors, telemetry.OutletFactor{Code: "a19001"})
	gas.Stops = []telemetry.Stop{{From: orderNow.Add(-9 * time.Hour), To: orderNow.Add(-7 * time.Hour)}}
	water := &telemetry.Outlet{
		ID: 2, Medium: telemetry.Water, SourceType: "municipal sewage works outlet", Level: "1A", MissingFlagIsN: true,
		Intervals: []telemetry.Interval{{Realtime: 60, Minute: 10}},
		Factors:   []telemetry.OutletFactor{{Code: "w01001"}, {Code: "w21003"}, {Code: "w00000"}, {Code: "w01010"}},
	}
	sampler := &telemetry.Outlet{
		ID: 3, Medium: telemetry.Water, SourceType: "municipal sewage works outlet", Level: "1B",
		Intervals: []telemetry.Interval{{Realtime: 7200}},
		Factors:   []telemetry.OutletFactor{{Code: "w01018"}, {Code: "w00000"}},
	}
	s := &telemetry.Snapshot{Version: 1, Outlets: map[telemetry.OutletID]*telemetry.Outlet{}}
	for _, o := range []*telemetry.Outlet{gas, water, sampler} {
		s.Outlets[o.ID], s.Order = o, append(s.Order, o.ID)
	}
	return snapOf{s}
}

var orderCodes = map[telemetry.OutletID][]string{
	1: {"a21002", "a19001", "a21005"}, // carbon monoxide is not registered
	2: {"w01001", "w21003", "w00000", "w01010"},
	3: {"w01018", "w00000"},
}

// drawVersions makes up what the loggers of three outlets have to say.
func drawVersions(t *rapid.T) (out []version) {
	n := rapid.IntRange(8, 60).Draw(t, "records")
	taken := map[[3]int64]bool{}
	for r := range n {
		id := telemetry.OutletID(rapid.IntRange(1, 3).Draw(t, "outlet"))
		cn := rapid.SampledFrom([]int{2051, 2051, 2051, 2011, 2011, 2061, 2031}).Draw(t, "command")
		at := orderNow.Add(-time.Duration(rapid.IntRange(1, 80).Draw(t, "ten minutes ago")) * 10 * time.Minute)
		suffix := "Avg"
		switch cn {
		case 2011:
			suffix, at = "Rtd", at.Add(time.Duration(rapid.IntRange(0, 599).Draw(t, "second"))*time.Second)
		case 2061:
			at = at.Truncate(time.Hour)
		case 2031:
			at = time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, beijing)
		}
		if k := [3]int64{int64(id), int64(cn), at.Unix()}; taken[k] {
			continue
		} else {
			taken[k] = true
		}
		value := rapid.IntRange(0, 900).Draw(t, "value")
		for v := range rapid.SampledFrom([]int{1, 1, 1, 2, 3}).Draw(t, "versions") {
			u := upload{outlet: id, cn: cn, at: at}
			for i, code := range orderCodes[id] {
				if v > 0 && i > 0 && rapid.Bool().Draw(t, "left out") {
					continue // a revision may hold some of the factors only
				}
				mark := rapid.SampledFrom([]string{"N", "N", "N", "N", "N", "F", "C", "M", "D", "T", ""}).Draw(t, "mark")
				text := fmt.Sprintf("%d.%d", (value+37*i)%120, v) // no version of a record says what one before said
				if suffix == "Avg" && code == "w00000" && rapid.Bool().Draw(t, "amount") {
					u.items = append(u.items, item{code, "Cou", text, mark})
					continue
				}
				u.items = append(u.items, item{code, suffix, text, mark})
				if cn == 2061 && code == "a21002" {
					u.items = append(u.items, item{code, "ZsAvg", text, mark})
				}
			}
			out = append(out, version{r, u, rapid.Bool().Draw(t, "sent again later")})
		}
	}
	return out
}

// message is a version as a logger writes it.
func (v *version) message(qn string) hj212.Message {
	u := &v.up
	m := hj212.Message{QN: qn, ST: "31", CN: fmt.Sprint(u.cn), PW: "123456", MN: mnOf(u.outlet), Flag: 5, RF: v.rf}
	if u.outlet > 1 {
		m.ST = "32"
	}
	m.CP = []hj212.Group{{{Name: "DataTime", Value: u.at.In(beijing).Format("20060102150405")}}}
	for i := 0; i < len(u.items); {
		var g hj212.Group
		code := u.items[i].factor
		for ; i < len(u.items) && u.items[i].factor == code; i++ {
			g = append(g, hj212.KV{Name: code + "-" + u.items[i].suffix, Value: u.items[i].text})
		}
		if f := u.items[i-1].flag; f != "" {
			g = append(g, hj212.KV{Name: code + "-Flag", Value: f})
		}
		m.CP = append(m.CP, g)
	}
	return m
}

// drawArrival draws one way the versions can come in: cut into packets or
// whole, in any order that keeps the versions of a record in theirs, with frames
// sent more than once and heartbeats in between.
func drawArrival(t *rapid.T, versions []version) [][]byte {
	type piece struct {
		record int
		raw    []byte
	}
	var in []piece
	for i := range versions {
		v := &versions[i]
		limit := rapid.SampledFrom([]int{1024, 1024, 190}).Draw(t, "packet")
		qn := func(part int) string { return fmt.Sprintf("20261124%09d", i*10+part) }
		m := v.message(qn(0))
		for _, part := range m.Split(limit, qn) {
			raw, err := part.AppendTo(nil)
			if err != nil {
				t.Fatal(err)
			}
			in = append(in, piece{v.record, raw})
		}
	}
	order := make([]int, len(in))
	for i := range order {
		order[i] = i
	}
	next := map[int][]piece{} // by record, in its own order
	for _, p := range in {
		next[p.record] = append(next[p.record], p)
	}
	var out [][]byte
	for _, i := range rapid.Permutation(order).Draw(t, "order") {
		r := in[i].record
		out = append(out, next[r][0].raw)
		next[r] = next[r][1:]
	}
	for range rapid.IntRange(0, 6).Draw(t, "sent again") {
		i := rapid.IntRange(0, len(out)-1).Draw(t, "which")
		j := rapid.IntRange(i+1, len(out)).Draw(t, "where")
		out = slices.Insert(out, j, out[i])
	}
	for range rapid.IntRange(0, 3).Draw(t, "heartbeats") {
		beat := hj212.AppendFrame(nil, []byte("QN=20261124000000000;ST=91;CN=9015;PW=123456;MN="+mnOf(1)+";Flag=5;CP=&&&&"))
		out = slices.Insert(out, rapid.IntRange(0, len(out)).Draw(t, "beat"), beat)
	}
	return out
}

// stored makes a frame of the store as the gateway does.
func stored(t fatal, raw []byte, done func(store.Result)) *store.Frame {
	raw = bytes.TrimSuffix(raw, []byte("\r\n"))
	seg, err := hj212.Segment(raw)
	if err != nil {
		t.Fatal(err)
	}
	var p hj212.Packet
	if err := p.Parse(seg); err != nil {
		t.Fatal(err)
	}
	var id telemetry.OutletID
	for o := range telemetry.OutletID(4) {
		if mnOf(o) == string(p.Bytes(p.MN)) {
			id = o
		}
	}
	f := &store.Frame{MN: mnOf(id), Outlet: id, Kind: telemetry.KindOf(p.Command()), RF: p.Resent(), Received: orderNow, Raw: raw, Verdict: telemetry.Stored, Done: done}
	if f.Kind == telemetry.KindMessage {
		f.Key = string(raw)
		return f
	}
	at, err := p.DataTime()
	if err != nil {
		t.Fatal(err)
	}
	f.At, f.Values = at.Unix(), telemetry.ValuesOf(&p, nil)
	return f
}

type fatal interface {
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// errCut is what a pass meets when the program dies while it writes.
var errCut = errors.New("killed")

// mortal is a store whose user may be killed at the moment it writes rows.
type mortal struct {
	*store.Store
	die bool
}

func (m *mortal) PutDerived(rows []store.Derived, cursor string, seq uint64) error {
	if m.die {
		return errCut
	}
	return m.Store.PutDerived(rows, cursor, seq)
}

// live runs a program through an arrival: frames in groups, judged now and then
// by engines of different make that are stopped, killed and started again.
func live(t *rapid.T, reg snapOf, frames [][]byte) *store.Store {
	s, err := store.Open("proof", store.Options{FS: vfs.NewMem(), NoSync: true, MemMB: 1, Now: func() time.Time { return orderNow }})
	if err != nil {
		t.Fatal(err)
	}
	m := &mortal{Store: s}
	start := func() *quality.Engine {
		e, err := quality.New(quality.Options{
			Store: m, Registry: reg, Now: func() time.Time { return orderNow },
			Workers: rapid.IntRange(1, 4).Draw(t, "workers"), Batch: rapid.SampledFrom([]int{1, 3, 1000}).Draw(t, "batch"),
		})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	e := start()
	for len(frames) > 0 {
		n := min(rapid.IntRange(1, 25).Draw(t, "group"), len(frames))
		submit(t, s, frames[:n])
		frames = frames[n:]
		switch rapid.SampledFrom([]string{"judge", "judge", "wait", "restart", "kill", "anew"}).Draw(t, "then") {
		case "judge":
			if err := e.CatchUp(context.Background()); err != nil {
				t.Fatal(err)
			}
		case "restart":
			e = start()
		case "kill":
			m.die = true
			if err := e.CatchUp(context.Background()); err != nil && !errors.Is(err, errCut) {
				t.Fatal(err)
			}
			m.die = false
			e = start()
		case "anew":
			e.MarkDirty(1, orderNow.Add(-6*time.Hour), orderNow.Add(-2*time.Hour))
		}
	}
	if err := start().CatchUp(context.Background()); err != nil {
		t.Fatal(err)
	}
	r, err := start().Check(context.Background(), nil)
	if err != nil || !r.OK() || r.Waiting+r.Pending > 0 {
		t.Fatalf("computed again: %v %+v", err, r)
	}
	return s
}

func submit(t fatal, s *store.Store, frames [][]byte) {
	done := make(chan store.Result, len(frames))
	batch := make([]*store.Frame, 0, len(frames))
	for _, raw := range frames {
		batch = append(batch, stored(t, raw, func(r store.Result) { done <- r }))
	}
	if err := s.SubmitBatch(context.Background(), batch); err != nil {
		t.Fatal(err)
	}
	for range frames {
		if r := <-done; r.Err != nil {
			t.Fatal(r.Err)
		}
	}
}

// derived reads all rows of the judgement, by table, outlet and time.
func derived(t fatal, s quality.Store, reg snapOf) map[string]string {
	out := map[string]string{}
	for _, table := range []byte{quality.TableHour, quality.TableDay} {
		for _, id := range reg.s.Order {
			if err := s.Derived(table, id, 0, 1<<40, func(at int64, v []byte) bool {
				out[fmt.Sprintf("%c %d %s", table, id, time.Unix(at, 0).In(beijing).Format("01-02 15"))] = string(v)
				return true
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return out
}

// anew is a store on which nothing has been judged yet: the journal and the
// series are those of another, the rows its own.
type anew struct {
	*store.Store
	rows map[string]store.Derived
	seq  uint64
}

func (a *anew) Cursor(string) (uint64, error) { return a.seq, nil }

func (a *anew) PutDerived(rows []store.Derived, _ string, seq uint64) error {
	for _, r := range rows {
		k := fmt.Sprintf("%c %08d %016d", r.Table, r.Outlet, r.At)
		if delete(a.rows, k); r.Value != nil {
			a.rows[k] = r
		}
	}
	a.seq = seq
	return nil
}

func (a *anew) Derived(table byte, o telemetry.OutletID, from, to int64, fn func(int64, []byte) bool) error {
	var keys []string
	for k, r := range a.rows {
		if strings.HasPrefix(k, fmt.Sprintf("%c %08d ", table, o)) && r.At >= from && r.At < to {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		if !fn(a.rows[k].At, a.rows[k].Value) {
			break
		}
	}
	return nil
}

// periods are the months that the rows of a store give.
func periods(t fatal, s *store.Store, reg snapOf) (out []quality.PeriodRow) {
	e, err := quality.New(quality.Options{Store: s, Registry: reg, Now: func() time.Time { return orderNow }})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range reg.s.Order {
		p, err := e.Period(context.Background(), id, quality.LevelMonth, orderNow)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// TestAnyArrival: the judged rows, and the months made of them, are a function of the records and of the order
// of the versions of each record (the later value is the one that counts), and of
// nothing else: not of the order in which records arrive, of their packets, of
// repeats (also of a value that was revised since), of how frames fall into
// groups, of when and by how many workers they are judged, nor of restarts and
// kills. Judging the journal anew gives the same bytes.
func TestAnyArrival(t *testing.T) {
	t.Parallel()
	reg := orderRegistry()
	frames, rows, runs := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		if testkit.Race && runs >= 15 {
			return
		}
		versions := drawVersions(t)
		a, b := drawArrival(t, versions), drawArrival(t, versions)
		one, two := live(t, reg, a), live(t, reg, b)
		defer one.Close()
		defer two.Close()
		first := derived(t, one, reg)
		if d := gocmp.Diff(first, derived(t, two, reg)); d != "" {
			t.Fatalf("another arrival gives other bytes:\n%s", d)
		}
		if d := gocmp.Diff(periods(t, one, reg), periods(t, two, reg)); d != "" {
			t.Fatalf("another arrival gives other months:\n%s", d)
		}
		fresh := &anew{Store: one, rows: map[string]store.Derived{}}
		e, err := quality.New(quality.Options{Store: fresh, Registry: reg, Now: func() time.Time { return orderNow }})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.CatchUp(context.Background()); err != nil {
			t.Fatal(err)
		}
		if d := gocmp.Diff(derived(t, fresh, reg), first); d != "" {
			t.Fatalf("the journal judged anew gives other bytes (-anew +kept):\n%s", d)
		}
		frames, rows, runs = frames+len(a)+len(b), rows+len(first), runs+1
	})
	t.Logf("%d pairs of arrivals, %d frames, %d rows equal byte for byte", runs, frames, rows)
	if rows < 5*runs {
		t.Errorf("only %d rows were compared", rows)
	}
}
