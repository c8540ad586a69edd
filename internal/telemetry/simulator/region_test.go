package simulator

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"plateau/hj212"
	"plateau/internal/telemetry"
	"plateau/internal/testkit"
)

func TestRegion(t *testing.T) {
	t.Parallel()
	r := RegionAt(testNow)
	levels := map[string]int{}
	areas := map[string]telemetry.Area{}
	for _, a := range r.Areas {
		levels[a.Level]++
		areas[a.Code] = a
		if a.Name.Zh == "" || a.Name.En == "" {
			t.Errorf("area %s has no name", a.Code)
		}
		if a.Parent != "" && areas[a.Parent].Code == "" {
			t.Errorf("area %s stands before its parent %s", a.Code, a.Parent)
		}
		if p := r.Seats[a.Code]; p.Lon < 78 || p.Lon > 99.5 || p.Lat < 26.5 || p.Lat > 36.5 {
			t.Errorf("seat of %s at %v", a.Code, p)
		}
	}
	if levels["province"] != 1 || levels["prefecture"] != 7 || levels["county"] != 74 {
		t.Errorf("areas: %v", levels)
	}
	for old, now := range map[string]string{"540422": "540481", "540530": "540581", "542400": "540600"} {
		if r.FormerCodes[old] != now {
			t.Errorf("former code %s -> %q, want %s", old, r.FormerCodes[old], now)
		}
	}
	if len(r.Outlets) < 64 || len(r.Devices) != len(r.Outlets) {
		t.Fatalf("%d outlets, %d devices", len(r.Outlets), len(r.Devices))
	}
	ents := map[string]telemetry.Enterprise{}
	for _, e := range r.Enterprises {
		ents[e.ID] = e
		if !e.Sample || !strings.Contains(e.Name.Zh, "示例") || !strings.Contains(e.Name.En, "sample") {
			t.Errorf("enterprise not labelled a sample: %+v", e)
		}
		if areas[e.Area].Level != "county" {
			t.Errorf("enterprise %s in %s", e.ID, e.Area)
		}
	}
	mns := map[string]bool{}
	counties := map[string]bool{}
	for i, o := range r.Outlets {
		d := r.Devices[i]
		if int(o.ID) != i+1 || d.Outlet != o.ID || ents[o.Enterprise].ID == "" || !o.Sample {
			t.Errorf("outlet %d: device %d, enterprise %q", o.ID, d.Outlet, o.Enterprise)
		}
		if n := len(d.MN); n != 24 && n != 14 || mns[d.MN] || len(d.Password) != 6 {
			t.Errorf("outlet %d: MN %q, PW %q", o.ID, d.MN, d.Password)
		}
		mns[d.MN], counties[o.Area] = true, true
		seat := r.Seats[o.Area]
		if o.Lon-seat.Lon > 0.3 || seat.Lon-o.Lon > 0.3 || o.Lat-seat.Lat > 0.3 || seat.Lat-o.Lat > 0.3 {
			t.Errorf("outlet %d lies at %.3f %.3f, its county seat at %v", o.ID, o.Lon, o.Lat, seat)
		}
		for _, f := range o.Factors {
			if _, ok := hj212.LookupFactor(f.Code); !ok {
				t.Errorf("outlet %d: factor %s is not in the table", o.ID, f.Code)
			}
		}
		if o.Medium == telemetry.Gas && (len(o.Intervals) != 2 || o.IntervalAt(testNow).Minute != 1 || o.IntervalAt(testNow.AddDate(0, 0, -3)).Minute != 10) {
			t.Errorf("outlet %d: intervals %+v", o.ID, o.Intervals)
		}
	}
	if len(counties) < 30 {
		t.Errorf("outlets in %d counties only", len(counties))
	}
}

// TestProfilesFollowLimits holds the profiles against the limits table: source
// type, condition and level exist there, and the limits the series are scaled
// to are its limits.
func TestProfilesFollowLimits(t *testing.T) {
	t.Parallel()
	f, err := os.Open(filepath.Join(testkit.Shared(t), "reference", "limits.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	col := map[string]int{}
	for i, h := range rows[0] {
		col[h] = i
	}
	for name, p := range profiles {
		if name == "playlist" {
			continue
		}
		seen := map[string]bool{}
		for _, r := range rows[1:] {
			get := func(c string) string { return r[col[c]] }
			if get("source_type") != p.sourceType || get("condition") != p.condition || get("level") != p.level {
				continue
			}
			seen[""] = true
			seen[get("factor_code")+"/"+get("statistic")+"/"+get("limit")] = true
			if o2 := get("ref_o2_pct"); o2 != "" {
				if v, _ := strconv.ParseFloat(o2, 64); v != p.refO2 {
					t.Errorf("%s: reference oxygen %g, the table has %s", name, p.refO2, o2)
				}
			}
		}
		if !seen[""] {
			t.Errorf("%s: no limits for %q, %q, %q", name, p.sourceType, p.condition, p.level)
		}
		for _, s := range p.factors {
			if s.limit > 0 && !seen[s.code+"/"+s.stat+"/"+strconv.FormatFloat(s.limit, 'f', -1, 64)] {
				t.Errorf("%s: %s: %s limit %g is not in the table", name, s.code, s.stat, s.limit)
			}
		}
	}
}

func TestWaters(t *testing.T) {
	t.Parallel()
	var w struct {
		Note, Source string
		Features     []struct {
			ID, Kind, Zh, En string
			Points           [][2]float64
		}
	}
	if err := json.Unmarshal(Waters(), &w); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range w.Features {
		names[f.Zh] = true
		if f.En == "" || f.Kind != "river" && f.Kind != "lake" || len(f.Points) < 6 || len(f.Points) > 40 {
			t.Errorf("%s: %q, %d points", f.ID, f.Kind, len(f.Points))
		}
		if f.Kind == "lake" && f.Points[0] != f.Points[len(f.Points)-1] {
			t.Errorf("%s: ring not closed", f.ID)
		}
	}
	for _, n := range []string{"雅鲁藏布江", "拉萨河", "尼洋河", "年楚河", "澜沧江", "金沙江", "纳木错", "色林错", "羊卓雍错", "玛旁雍错", "班公错"} {
		if !names[n] {
			t.Errorf("%s is missing", n)
		}
	}
}

// TestScheduleHasEverything: at any time of a month some outlets are in each
// state, and not too many.
func TestScheduleHasEverything(t *testing.T) {
	t.Parallel()
	w := testWorld(t, WorldOptions{})
	group := map[role]string{
		overHour: "over", overPH: "over", overDay: "over", warnHour: "warning", warnDay: "warning",
		stuck: "suspect", negative: "suspect", jumpy: "suspect", misfold: "suspect",
		linkDown: "offline", powerOff: "offline", maintenance: "maintenance", stopped: "stopped", normal: "normal",
	}
	want := map[string][2]int{
		"over": {5, 7}, "warning": {3, 5}, "suspect": {4, 4}, "offline": {5, 5}, "maintenance": {4, 4}, "stopped": {5, 5}, "normal": {36, 44},
	}
	was := map[int]map[role]bool{}
	for m := testNow.Unix()/60 - 30*1440; m < testNow.Unix()/60; m += 47 {
		n := map[string]int{}
		for i := range w.Plants {
			e, until := w.sched.at(i, m)
			if until <= m {
				t.Fatalf("answer for %d holds until %d", m, until)
			}
			n[group[e.role]]++
			if was[i] == nil {
				was[i] = map[role]bool{}
			}
			was[i][e.role] = true
		}
		for g, lim := range want {
			if n[g] < lim[0] || n[g] > lim[1] {
				t.Fatalf("minute %d: %d outlets are %s, want %v; all: %v", m, n[g], g, lim, n)
			}
		}
	}
	for i, roles := range was {
		if w.Plants[i].prof.medium != telemetry.Surface && len(roles) < 4 {
			t.Errorf("outlet %d had only %d roles in a month", w.Plants[i].Outlet.ID, len(roles))
		}
	}
}

// TestRolesShow: what an episode asks for is in the values.
func TestRolesShow(t *testing.T) {
	t.Parallel()
	w := testWorld(t, WorldOptions{})
	checked := map[role]int{}
	for day := range int64(20) {
		for i, p := range w.Plants {
			for _, e := range w.sched.day(i, floorDiv(testNow.Unix()+zone*3600, 86400)-day) {
				if e.to-e.from < 60 {
					continue
				}
				hour := (e.from + 59) / 60 * 60 // a whole hour within
				if hour+60 > e.to {
					continue
				}
				checkRole(t, w, p, e, hour, checked)
			}
		}
	}
	for r := overHour; r <= stopped; r++ {
		if checked[r] == 0 {
			t.Errorf("role %d never came up", r)
		}
	}
}

func checkRole(t *testing.T, w *World, p *Plant, e episode, hour int64, checked map[role]int) {
	t.Helper()
	c := newCursor(p, w.sched)
	var win window
	var s sample
	for m := hour; m < hour+60; m++ {
		c.at(m, &s)
		win.add(p, &s)
	}
	checked[e.role]++
	k := p.target(e)
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf("outlet %d (%s), role %d: "+format, append([]any{p.Outlet.ID, p.prof.sourceType, e.role}, args...)...)
	}
	switch e.role {
	case overHour, warnHour:
		r := win.read(p, k)
		avg := float64(r.zavg) / p.factors[k].pow
		if r.flag != 'N' { // the weekly calibration may cost an hour
			return
		}
		if over := avg > p.factors[k].limit; over != (e.role == overHour) {
			fail("%s folded hour mean %.2f, limit %.2f", p.factors[k].code, avg, p.factors[k].limit)
		}
	case overDay:
		if avg := float64(win.read(p, k).avg) / p.factors[k].pow; avg <= p.factors[k].limit {
			fail("%s %.2f, limit %.2f", p.factors[k].code, avg, p.factors[k].limit)
		}
	case overPH:
		if r := win.read(p, 0); r.min <= 900 {
			fail("pH × 100 = %d", r.min)
		}
	case stuck:
		if r := win.read(p, p.limited[0]); r.min != r.max {
			fail("%d to %d", r.min, r.max)
		}
	case negative:
		if r := win.read(p, k); r.flag == 'N' && r.avg >= 0 {
			fail("mean %d", r.avg)
		}
	case powerOff:
		if win.minutes != 0 {
			fail("%d minutes", win.minutes)
		}
	case stopped, maintenance:
		if r := win.read(p, k); r.flag == 'N' {
			fail("mark N")
		}
	default: // covered by other tests
	}
}

func TestPlaying(t *testing.T) {
	t.Parallel()
	w := testWorld(t, WorldOptions{})
	states := map[string]int{}
	for _, p := range w.Playing(testNow) {
		states[p.State]++
		if p.Outlet == 0 || p.How == "" || p.From.After(testNow) || !p.To.After(testNow) {
			t.Errorf("%+v", p)
		}
	}
	for _, s := range []string{"over", "warning", "suspect", "offline", "maintenance", "stopped"} {
		if states[s] == 0 {
			t.Errorf("nobody is %s: %v", s, states)
		}
	}
}

// TestWorldRuns plays the whole region against a host for a moment: everybody
// who has a link and power must be heard.
func TestWorldRuns(t *testing.T) {
	t.Parallel()
	w := testWorld(t, WorldOptions{})
	h := newTestHost(t)
	quiet := map[string]bool{}
	for _, p := range w.Playing(testNow) {
		quiet[w.Plants[p.Outlet-1].Device.MN] = p.State == "offline"
	}
	for _, p := range w.Plants {
		if len(p.Device.Keys) > 0 {
			h.keys[p.Device.MN] = p.Device.Keys[0]
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		w.Run(ctx, LoggerOptions{Addr: h.addr(), Now: time.Now, Epoch: testNow, Since: testNow.Add(-time.Minute)}, &Stats{})
	})
	stranger, err := Stranger(nil)
	if err != nil {
		t.Fatal(err)
	}
	wg.Go(func() { stranger.Run(ctx, LoggerOptions{Addr: h.addr(), Now: time.Now}, &Stats{}) })
	defer wg.Wait()
	defer cancel()
	h.wait("all that are online, and the stranger", func(fs []hostFrame) bool {
		heard := map[string]bool{}
		for _, f := range fs {
			_, after, _ := strings.Cut(f.seg, ";MN=")
			mn, _, _ := strings.Cut(after, ";")
			heard[mn] = true
		}
		for _, p := range w.Plants {
			if mn := p.Device.MN; heard[mn] == quiet[mn] {
				if quiet[mn] {
					t.Errorf("outlet %d speaks in an outage", p.Outlet.ID)
				}
				return quiet[mn]
			}
		}
		return heard[StrangerMN]
	})
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	w := testWorld(t, WorldOptions{})
	i := plantOf(t, w, func(p *Plant) bool { return p.prof.sourceType == "municipal waste incinerator" })
	o := w.Plants[i].Outlet.ID
	for _, code := range []string{"a19001", "a01011", "a01014", "a00000", "a21024"} { // no real series holds them
		if from, ok := w.Origin(o, code); !ok || from != (Origin{}) {
			t.Errorf("%s: %+v, %v", code, from, ok)
		}
	}
	if from, ok := w.Origin(o, "a21026"); !ok || from.Real || !from.Scaled || from.Source == "" {
		t.Errorf("SO2 without real series: %+v, %v", from, ok)
	}
	if _, ok := w.Origin(o, "w01018"); ok {
		t.Error("a stack has COD")
	}
	r, err := OpenReal(testkit.Shared(t))
	if err != nil {
		t.Fatal(err)
	}
	w = testWorld(t, WorldOptions{Real: r})
	if from, _ := w.Origin(o, "a21026"); !from.Real {
		t.Errorf("SO2 with real series: %+v", from)
	}
	i = plantOf(t, w, func(p *Plant) bool { return p.Outlet.Name.Zh == "才纳断面" })
	if from, _ := w.Origin(w.Plants[i].Outlet.ID, "w01009"); !from.Real || from.Scaled {
		t.Errorf("oxygen of the Lhasa River: %+v", from)
	}
}
