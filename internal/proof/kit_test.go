package proof

import (
	"context"
	"database/sql"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"plateau/hj212"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/gateway"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/store"
	"plateau/internal/testkit"
)

// item is one value of an upload, as text; an empty text is sent as a mark alone.
type item struct{ factor, suffix, text, flag string }

// upload is one record of a logger.
type upload struct {
	outlet telemetry.OutletID
	cn     int
	at     time.Time
	items  []item
	rf     bool // marked as sent again
}

var beijing = time.FixedZone("", 8*3600)

// world is a program without pages: store, gateway and judgement, and beside
// it the plain database.
type world struct {
	t      *testing.T
	clock  atomic.Int64 // Unix seconds
	snap   *telemetry.Snapshot
	store  *store.Store
	engine *quality.Engine
	db     *sql.DB
	addr   string
	sent   int
}

func (w *world) Snapshot() *telemetry.Snapshot { return w.snap }

func (w *world) AdoptUnknown(context.Context, string, string, []string) error {
	return errors.New("every logger is known")
}

func mnOf(id telemetry.OutletID) string { return fmt.Sprintf("PROOF%019d", id) }

// notUnderRace leaves a test out where the race detector is on: what runs side
// by side here, the packages' own tests watch.
func notUnderRace(t *testing.T) {
	t.Helper()
	if testkit.Race {
		t.Skip("SQLite in Go is a hundred times slower under the race detector; make unit runs these tests without it too")
	}
}

func newWorld(t *testing.T, now time.Time, outlets ...*telemetry.Outlet) *world {
	t.Helper()
	notUnderRace(t)
	w := &world{t: t, snap: &telemetry.Snapshot{Version: 1, Outlets: map[telemetry.OutletID]*telemetry.Outlet{}, Devices: map[string]*telemetry.Device{}}}
	for _, o := range outlets {
		w.snap.Outlets[o.ID] = o
		w.snap.Order = append(w.snap.Order, o.ID)
		w.snap.Devices[mnOf(o.ID)] = &telemetry.Device{MN: mnOf(o.ID), Outlet: o.ID}
	}
	w.clock.Store(now.Unix())
	clock := func() time.Time { return time.Unix(w.clock.Load(), 0) }
	var err error
	if w.store, err = store.Open(t.TempDir(), store.Options{Now: clock, NoSync: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.store.Close() })
	if w.engine, err = quality.New(quality.Options{Store: w.store, Registry: w, Now: clock}); err != nil {
		t.Fatal(err)
	}
	g, err := gateway.New(gateway.Options{Addr: "127.0.0.1:0", Store: w.store, Registry: w, Now: clock, AdoptUnknown: true})
	if err != nil {
		t.Fatal(err)
	}
	if w.addr, err = g.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan struct{})
	go func() { defer close(served); _ = g.Serve(ctx) }()
	t.Cleanup(func() { cancel(); <-served })
	if w.db, err = sql.Open("sqlite", filepath.Join(t.TempDir(), "plain.db")+"?_pragma=synchronous(off)&_pragma=journal_mode(memory)"); err != nil {
		t.Fatal(err)
	}
	w.db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = w.db.Close() })
	w.exec(`CREATE TABLE reading(outlet INT, cn INT, at INT, factor TEXT, suffix TEXT, v REAL, flag TEXT, PRIMARY KEY(outlet, cn, at, factor, suffix)) WITHOUT ROWID`)
	return w
}

func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	if _, err := w.db.ExecContext(w.t.Context(), query, args...); err != nil {
		w.t.Fatalf("%v in %.200s", err, query)
	}
}

// load files uploads in the plain database. An item that comes again for the
// same time stands in for the one before.
func (w *world) load(ups []upload) {
	w.t.Helper()
	tx, err := w.db.BeginTx(w.t.Context(), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	st, err := tx.PrepareContext(w.t.Context(), `INSERT OR REPLACE INTO reading VALUES(?,?,?,?,?,CAST(NULLIF(?,'') AS REAL),?)`)
	if err != nil {
		w.t.Fatal(err)
	}
	defer st.Close()
	for _, u := range ups {
		for _, it := range u.items {
			if _, err := st.ExecContext(w.t.Context(), u.outlet, u.cn, u.at.Unix(), it.factor, it.suffix, it.text, it.flag); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	if err := tx.Commit(); err != nil {
		w.t.Fatal(err)
	}
}

// frame writes an upload as a logger does.
func frame(u *upload, seq int) []byte {
	st := "31"
	if u.items[0].factor[0] == 'w' {
		st = "32"
	}
	seg := fmt.Appendf(nil, "QN=20260101000000%03d;ST=%s;CN=%d;PW=123456;MN=%s;Flag=5;%sCP=&&DataTime=%s", seq%1000, st, u.cn, mnOf(u.outlet), map[bool]string{true: "RF=1;"}[u.rf], u.at.In(beijing).Format("20060102150405"))
	last := ""
	for _, it := range u.items {
		sep := ","
		if it.factor != last {
			sep, last = ";", it.factor
		}
		if it.text != "" {
			seg = fmt.Appendf(seg, "%s%s-%s=%s", sep, it.factor, it.suffix, it.text)
			sep = ","
		}
		if it.flag != "" {
			seg = fmt.Appendf(seg, "%s%s-Flag=%s", sep, it.factor, it.flag)
		}
	}
	return hj212.AppendFrame(nil, append(seg, "&&"...))
}

// send has the loggers send uploads over sockets, in the order given for each
// logger, and waits until every one is acknowledged.
func (w *world) send(ups []upload) {
	w.t.Helper()
	const conns = 4
	var lanes [conns][]upload
	for _, u := range ups {
		lanes[u.outlet%conns] = append(lanes[u.outlet%conns], u)
	}
	var wg sync.WaitGroup
	errs := make(chan error, conns)
	for _, lane := range lanes {
		wg.Go(func() { errs <- sendOver(w.addr, lane) })
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			w.t.Fatal(err)
		}
	}
	w.sent += len(ups)
}

func sendOver(addr string, ups []upload) error {
	if len(ups) == 0 {
		return nil
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	go func() {
		for i := range ups {
			if _, err := c.Write(frame(&ups[i], i)); err != nil {
				return
			}
		}
	}()
	in := hj212.NewScanner(hj212.ScanOptions{})
	var p hj212.Packet
	for got := 0; got < len(ups); {
		ev, ok := in.Next()
		if !ok {
			if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				return err
			}
			if _, err := in.Fill(c); err != nil {
				return fmt.Errorf("%d of %d acknowledged: %w", got, len(ups), err)
			}
			continue
		}
		if ev.Err != nil || p.Parse(ev.Seg) != nil || p.Command() != hj212.CNDataAck {
			return fmt.Errorf("answer %q", ev.Raw)
		}
		got++
	}
	return nil
}

// judge judges all that was sent.
func (w *world) judge() {
	w.t.Helper()
	if err := w.engine.CatchUp(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	b := w.engine.Backlog()
	if !b.Done() || b.Frames == 0 {
		w.t.Fatalf("not everything is judged: %+v", b)
	}
}

// hours are the judged hours of an outlet by start.
func (w *world) hours(id telemetry.OutletID) map[int64]*quality.HourRow {
	w.t.Helper()
	rows, err := w.engine.Hours(id, time.Unix(0, 0), time.Unix(1<<36, 0))
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[int64]*quality.HourRow{}
	for i := range rows {
		out[rows[i].At] = &rows[i]
	}
	return out
}

func (w *world) days(id telemetry.OutletID) map[int64]*quality.DayRow {
	w.t.Helper()
	rows, err := w.engine.Days(id, time.Unix(0, 0), time.Unix(1<<36, 0))
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[int64]*quality.DayRow{}
	for i := range rows {
		out[rows[i].At] = &rows[i]
	}
	return out
}

// shuffled gives uploads in an order that keeps those of one record in line:
// the later value of a record must also come later.
func shuffled(ups []upload, seed uint64) []upload {
	out := append([]upload(nil), ups...)
	rnd := rand.New(rand.NewPCG(seed, 1))
	rnd.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	type key struct {
		o  telemetry.OutletID
		cn int
		at int64
	}
	place := map[key][]int{}
	for i, u := range out {
		k := key{u.outlet, u.cn, u.at.Unix()}
		place[k] = append(place[k], i)
	}
	next := map[key]int{}
	for _, u := range ups {
		k := key{u.outlet, u.cn, u.at.Unix()}
		out[place[k][next[k]]] = u
		next[k]++
	}
	return out
}

// csvFile reads a file of the shared data into maps by column.
func csvFile(t *testing.T, path string) []map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join(testkit.Shared(t), "data", path))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]map[string]string, 0, len(all)-1)
	for _, rec := range all[1:] {
		m := make(map[string]string, len(rec))
		for i, h := range all[0] {
			m[h] = rec[i]
		}
		rows = append(rows, m)
	}
	return rows
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// tolerance is how far two sums of the same numbers may lie apart, as a part
// of their size.
const tolerance = 1e-9

// same compares a figure of the program with one of the plain database.
func same(got quality.Opt, want sql.NullFloat64) bool {
	if got.OK != want.Valid {
		return false
	}
	return !got.OK || math.Abs(got.V-want.Float64) <= tolerance*max(1e-3, math.Abs(want.Float64))
}

// tally counts comparisons by what was compared.
type tally struct {
	t     *testing.T
	n     map[string]int
	wrong int
}

func newTally(t *testing.T) *tally {
	t.Helper()
	return &tally{t: t, n: map[string]int{}}
}

func (c *tally) check(what string, ok bool, format string, args ...any) {
	c.t.Helper()
	c.n[what]++
	if ok {
		return
	}
	if c.wrong++; c.wrong <= 20 {
		c.t.Errorf("%s: "+format, append([]any{what}, args...)...)
	}
}

// done reports the counts; least is how many of each there must be.
func (c *tally) done(least map[string]int) {
	c.t.Helper()
	for what := range c.n {
		if _, ok := least[what]; !ok {
			c.t.Errorf("%q was compared, but nobody says how often it must be", what)
		}
	}
	for what, n := range least {
		if c.n[what] < n {
			c.t.Errorf("compared %d %s, the source holds at least %d", c.n[what], what, n)
		}
		c.t.Logf("compared %d %s", c.n[what], what)
	}
	if c.wrong > 0 {
		c.t.Errorf("%d comparisons failed", c.wrong)
	}
}
