package telemetryweb

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"plateau/hj212"
	"plateau/internal/platform/access"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/httpd"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/gateway"
	"plateau/internal/telemetry/keeping"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/store"
	"plateau/internal/web"
)

// testNow is the instant of every test: 08:30 on the clock of the pages.
var testNow = time.Date(2026, 11, 23, 8, 30, 0, 0, i18n.Zone)

const (
	testMN  = "54010320261100000000A217"
	knockMN = "54010320261100000000K001"
)

// rig is a handler on fakes, which tests change before they ask.
type rig struct {
	*Handler
	mux       *http.ServeMux
	edge      http.Handler
	quality   *fakeQuality
	journal   *fakeJournal
	gateway   *fakeGateway
	editor    *fakeEditor
	gaps      *fakeGaps
	dialogues *fakeDialogues
	registry  *fakeRegistry
	alarms    *fakeAlarms
}

// testEngine is one for all tests: pages in three languages take a second and
// 50 MB to read, and nothing changes them afterwards.
var testEngine = sync.OnceValues(func() (*web.Engine, error) {
	return web.New(web.Options{Templates: []fs.FS{Templates()}, Links: Links(), Version: "test"})
})

func newRig(tb testing.TB, outlets int) *rig {
	tb.Helper()
	engine, err := testEngine()
	if err != nil {
		tb.Fatal(err)
	}
	r := &rig{mux: http.NewServeMux(), registry: &fakeRegistry{snap: region(outlets)}}
	r.quality = &fakeQuality{snap: r.registry.snap}
	r.journal = newJournal()
	r.gateway = &fakeGateway{}
	r.editor = &fakeEditor{registry: r.registry}
	r.alarms = newAlarms()
	r.gaps, r.dialogues = newGaps(), &fakeDialogues{}
	r.Handler = New(Deps{
		Engine: engine, Registry: r.registry, Editor: r.editor, Quality: r.quality, Alarms: r.alarms, Journal: r.journal, Gateway: r.gateway, Gaps: r.gaps, Dialogues: r.dialogues, Webhooks: newWebhooks(), Keeping: fakeKeeping{}, Things: newThings(), Sessions: fakeSessions{}, Addresses: Routes(), Public: true,
		SampleUsers: []SampleUser{{"officer", "officer-sample", telemetry.Name{Zh: "值班员（示例）", En: "Duty officer (sample)"}}}, Now: func() time.Time { return testNow },
		Logger: slog.New(slog.DiscardHandler),
	})
	tb.Cleanup(r.Close)
	r.Register(r.mux)
	edge := &httpd.Edge{
		Translate: func(r *http.Request) func(string, ...any) string { return i18n.Default().For(web.RequestLang(r)).T },
		Page:      r.ProblemPage,
	}
	r.edge = httpd.Wrap(httpd.Mux(r.mux), edge, slog.New(slog.DiscardHandler), func() time.Time { return testNow })
	return r
}

// fakeKeeping tells of a disk that is nearly full.
type fakeKeeping struct{}

func (fakeKeeping) Status(context.Context) (keeping.Status, error) {
	return keeping.Status{
		At: testNow, Kinds: []keeping.KindSize{{Kind: "frames", Bytes: 12_345_678, PerDay: 1_500_000, Known: true, Years: 5}, {Kind: "archive", Bytes: 999}},
		Used: 95e9, Free: 5e9, PerDay: 1e8, Known: true, Days: 50, Fills: true, Place: "s3://journal/a", Files: 2, Sealed: 99, SealedTo: testNow.AddDate(0, -3, 0),
		SealAfter: 90 * 24 * time.Hour, Fault: errors.New("connection refused"), Warnings: []string{"disk_soon", "disk_low", "no_backup", "old_backup", "not_sealed"},
	}, nil
}

// ask sends a request as a role ("" = nobody).
func (r *rig) ask(role, method, target string, body io.Reader, header ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, target, body)
	if role != "" {
		req.Header.Set("X-Role", role)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("Accept", "text/html,*/*")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	r.edge.ServeHTTP(w, req)
	return w
}

// region is a made-up part of a region: two prefectures with two counties each.
func region(n int) *telemetry.Snapshot {
	s := &telemetry.Snapshot{
		Version: 1, Areas: map[string]*telemetry.Area{}, Enterprises: map[string]*telemetry.Enterprise{},
		Outlets: map[telemetry.OutletID]*telemetry.Outlet{}, Devices: map[string]*telemetry.Device{},
	}
	add := func(code, parent, level, zh, bo, en string) {
		s.Areas[code] = &telemetry.Area{Code: code, Parent: parent, Level: level, Name: telemetry.Name{Zh: zh, Bo: bo, En: en}}
	}
	add("540000", "", "province", "西藏自治区", "བོད་རང་སྐྱོང་ལྗོངས།", "Xizang")
	var counties []string
	for p := range 7 {
		pref := "54" + strconv.Itoa(10 + p)[0:1] + strconv.Itoa(p+1) + "00"
		add(pref, "540000", "prefecture", "第"+strconv.Itoa(p+1)+"市（示例）", "", "Prefecture "+strconv.Itoa(p+1))
		for k := range 4 {
			county := pref[:4] + "0" + strconv.Itoa(k+1)
			add(county, pref, "county", "示例县"+strconv.Itoa(p+1)+strconv.Itoa(k+1), "", "County "+strconv.Itoa(p+1)+"-"+strconv.Itoa(k+1))
			counties = append(counties, county)
		}
	}
	hi, o2 := 50.0, 15.0
	s.Limits = []telemetry.Limit{{ID: "gb.001", Standard: "GB 13223-2011", SourceType: "gas turbine", Factor: "a21002", Statistic: "hour", Op: "<=", Hi: &hi, RefO2: &o2, Unit: "mg/m3", EffectiveFrom: "2012-01-01"}}
	for i := range n {
		id := telemetry.OutletID(i + 1)
		ent := "ent-" + strconv.Itoa(i/2+1)
		s.Enterprises[ent] = &telemetry.Enterprise{ID: ent, Name: telemetry.Name{Zh: "燃气电厂" + strconv.Itoa(i/2+1) + "（示例）"}, Area: counties[i%len(counties)], Permit: "91540000X" + strconv.Itoa(i), Sample: true}
		s.Outlets[id] = &telemetry.Outlet{
			ID: id, Enterprise: ent, Name: telemetry.Name{Zh: "燃气电厂 " + strconv.Itoa(i+1) + " 号机组排口", En: "Unit " + strconv.Itoa(i+1)}, Medium: telemetry.Gas, SourceType: "gas turbine",
			Area: counties[i%len(counties)], Lon: 80 + float64(i*37%170)/10, Lat: 28.5 + float64(i*13%60)/10, Sample: true,
			Factors: []telemetry.OutletFactor{{Code: "a21002", Order: 1}, {Code: "a21026", Order: 2}, {Code: "a19001", Order: 3}},
		}
		if id == 3 {
			s.Outlets[id].Stops = []telemetry.Stop{
				{From: time.Date(2026, 11, 1, 0, 0, 0, 0, i18n.Zone), To: time.Date(2026, 11, 5, 0, 0, 0, 0, i18n.Zone), Reason: "计划停产"},
				{From: time.Date(2026, 11, 20, 8, 0, 0, 0, i18n.Zone), Reason: "检修"},
			}
		}
		s.Order = append(s.Order, id)
		mn := testMN
		if i > 0 {
			mn = "5401032026110000" + strconv.Itoa(10000000+i)
		}
		s.Devices[mn] = &telemetry.Device{MN: mn, Outlet: id, Password: "secret1", From: testNow.AddDate(0, -1, 0)}
	}
	return s
}

type fakeRegistry struct {
	mu   sync.Mutex
	snap *telemetry.Snapshot
}

func (f *fakeRegistry) Snapshot() *telemetry.Snapshot {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.snap
}

// change replaces the snapshot by an edited copy, as the registry does.
func (f *fakeRegistry) change(edit func(*telemetry.Snapshot)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := *f.snap
	c.Devices = maps.Clone(f.snap.Devices)
	edit(&c)
	f.snap = &c
}

// fakeSessions takes who asks from a header: a kind of account, with its area
// behind @ where it is not for all.
type fakeSessions struct{}

func (fakeSessions) Actor(r *http.Request) (Actor, bool) {
	role := cmp.Or(r.Header.Get("X-Role"), strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	kind, area, _ := strings.Cut(role, "@")
	if !access.Default().HasAccount(kind) {
		return Actor{}, false
	}
	a := Actor{ID: "u-" + kind, Post: kind}
	switch kind {
	case "officer":
		a.Post = "值班员（示例）"
	case "enterprise":
		a.ID, a.Post = "u-staff", "环保专员（示例）"
	case "operator":
		a.Post = "系统管理员（示例）"
	}
	organisation := ""
	if access.Default().NeedsOrganisation(kind) {
		organisation = "ent-1"
	}
	a.Grants = access.Default().Account(kind, area, organisation)
	return a, true
}

func (fakeSessions) SignIn(w http.ResponseWriter, _ *http.Request, name, password string) (next string, err error) {
	if name != "officer" || password != "officer-sample" {
		return "", errs.New(errs.Unauthenticated, "err.auth.wrong")
	}
	w.Header().Set("Set-Cookie", "s=1")
	return "", nil
}

func (fakeSessions) SignOut(http.ResponseWriter, *http.Request) error { return nil }

// fakeQuality: the first outlets exceed, warn, are suspect, silent; the rest is
// normal.
type fakeQuality struct {
	quality.Queries
	snap *telemetry.Snapshot
}

var testLimit = quality.LimitRef{ID: "gb.001", Op: "<=", Hi: quality.Some(50), Statistic: "hour"}

func (f *fakeQuality) State(id telemetry.OutletID, _ time.Time) (quality.StateResult, error) {
	r := quality.StateResult{Outlet: id, State: quality.Normal, Reason: quality.Text{Key: "reason.normal"}, Seen: testNow.Unix() - 8, Rule: "state.order", Version: 1}
	hour := testNow.Truncate(time.Hour).Add(-time.Hour)
	switch {
	case id <= 5:
		r.State, r.Factor, r.Level, r.At, r.Value, r.Limit, r.Times = quality.Exceed, "a21002", quality.LevelHour, hour, quality.Some(62.4), testLimit, quality.Some(0.248)
		r.Reason, r.Folded, r.Since = quality.Text{Key: "reason.over_hour"}, true, hour
	case id <= 12:
		r.State, r.Factor, r.Level, r.At, r.Value, r.Limit = quality.Warn, "a21002", quality.LevelHour, hour.Add(time.Hour), quality.Some(57), testLimit
		r.Reason, r.Since = quality.Text{Key: "reason.warn_running_hour"}, testNow.Add(-12*time.Minute)
	case id <= 18:
		r.State, r.Factor = quality.Suspect, "a21026"
		r.Reason, r.Since = quality.Text{Key: "reason.constant", Args: map[string]string{"factor": "a21026", "value": "9.1", "hours": "6"}}, testNow.Add(-6*time.Hour)
	case id <= 27:
		r.State, r.Reason, r.Since = quality.Offline, quality.Text{Key: "reason.offline", Args: map[string]string{"minutes": "90", "allowed": "10"}}, testNow.Add(-90*time.Minute)
	}
	return r, nil
}

func (f *fakeQuality) States(at time.Time) ([]quality.StateResult, error) {
	var out []quality.StateResult
	for _, id := range f.snap.Order {
		s, _ := f.State(id, at)
		out = append(out, s)
	}
	return out, nil
}

func (f *fakeQuality) Recomputing() (quality.Recompute, bool) { return quality.Recompute{}, false }

func (f *fakeQuality) Recomputes(int) ([]quality.Recompute, error) { return nil, nil }

func (f *fakeQuality) Failed() []quality.Failed { return nil }

func (f *fakeQuality) CountsBefore(time.Time) (quality.Counts, bool) {
	return quality.Counts{quality.Exceed: 3, quality.Normal: 280}, true
}

func (f *fakeQuality) Forecasts(time.Time) ([]quality.Forecast, error) {
	return []quality.Forecast{{Outlet: 1, Code: "a21002", NValid: 18, Elapsed: 30, Possible: 30, Missing: 34, Lost: true}, {Outlet: 2, Code: "a21002", NValid: 18, Elapsed: 30, Possible: 30, Missing: 27, AtRisk: true}}, nil
}

func (f *fakeQuality) Completeness(time.Time) map[string][]quality.Cell {
	out := map[string][]quality.Cell{}
	from := testNow.Truncate(time.Hour).Add(-23 * time.Hour)
	for code, a := range f.snap.Areas {
		if a.Level != "county" {
			continue
		}
		for i := range 24 {
			out[code] = append(out[code], quality.Cell{Hour: from.Add(time.Duration(i) * time.Hour).Unix(), Seen: 60 - i%7*8, Expected: 60})
		}
	}
	return out
}

func (f *fakeQuality) Spark(telemetry.OutletID, string, time.Time) quality.Spark {
	s := quality.Spark{Factor: "a21002", From: testNow.Add(-24 * time.Hour).Unix(), Limit: testLimit, Valid: 23, Due: 24}
	for i := range s.Values {
		s.Values[i] = quality.Some(40 + float64(i*i%23))
	}
	s.Values[7] = quality.Opt{}
	return s
}

func testHour(at time.Time) quality.HourRow {
	over := at.Equal(testNow.Truncate(time.Hour).Add(-time.Hour))
	f := quality.FactorHour{Code: "a21002", Flag: "N", NSeen: 60, NValid: 60, NExpected: 60, Valid: true, Mean: quality.Some(40), Folded: quality.Some(42.5), Fold: quality.FoldOK, Judged: quality.Some(42.5), Basis: quality.BasisFolded, Limit: testLimit}
	if over {
		f.Mean, f.Folded, f.Judged, f.Over, f.Evidence, f.Times = quality.Some(66.1), quality.Some(62.36), quality.Some(62.36), true, true, quality.Some(0.2472)
	}
	if at.Hour() == 20 {
		f.NValid, f.NSeen, f.Valid, f.Over, f.Flag = 38, 60, false, false, "C"
	}
	return quality.HourRow{Outlet: 1, At: at.Unix(), Rules: "0123456789abcdef", Factors: []quality.FactorHour{f, {Code: "a19001", Flag: "N", NSeen: 60, NValid: 60, NExpected: 60, Valid: true, Mean: quality.Some(14.64)}}}
}

func (f *fakeQuality) Hours(_ telemetry.OutletID, from, to time.Time) ([]quality.HourRow, error) {
	var out []quality.HourRow
	for t := from; t.Before(to) && !t.After(testNow); t = t.Add(time.Hour) {
		out = append(out, testHour(t.In(i18n.Zone)))
	}
	return out, nil
}

func (f *fakeQuality) Days(_ telemetry.OutletID, from, to time.Time) ([]quality.DayRow, error) {
	var out []quality.DayRow
	for t := from; t.Before(to); t = t.AddDate(0, 0, 1) {
		out = append(out, quality.DayRow{Outlet: 1, At: t.Unix(), Factors: []quality.FactorDay{{Code: "a21002", NValid: 24, NExpected: 24, Valid: true, Mean: quality.Some(43.21), Judged: quality.Some(43.21), Limit: testLimit}}})
	}
	return out, nil
}

func (f *fakeQuality) Period(_ context.Context, id telemetry.OutletID, level string, at time.Time) (quality.PeriodRow, error) {
	from, to, err := quality.PeriodBounds(level, at.Unix())
	if err != nil {
		return quality.PeriodRow{}, err
	}
	s := quality.Substitution{
		Factor: "a21002", From: from, To: from + 36000, Hours: 10, RunHours: 30, Kind: "maintenance", Method: "T6-720", Window: 720, SourceFrom: from - 720*3600, SourceTo: from - 3600,
		SourceHours: 720, Alpha: quality.Some(97.5), Rate: quality.Some(5.25), Kg: quality.Some(52.5), Status: "ok", Provisional: true, Rule: "cems.substitute_rate", Version: 1,
	}
	return quality.PeriodRow{
		Outlet: id, Level: level, From: from, To: to, Until: min(to, testNow.Unix()), Provisional: true, Profile: telemetry.ProfileHJ75, Flow: quality.Some(123456),
		Factors: []quality.PeriodFactor{{
			Code: "a21002", Unit: "mg/m3", DaysValid: 22, DaysDue: 23, HoursValid: 540, HoursDue: 550, Mean: quality.Some(43.21), Capture: quality.Some(98.2), SubstHours: 10,
			Measured: quality.Some(1000), Substituted: quality.Some(52.5), Total: quality.Some(1052.5), Over: true, Limit: quality.LimitRef{ID: "p", Op: "<=", Hi: quality.Some(1000)},
		}},
		Substitution: []quality.Substitution{s}, Rules: "0123456789abcdef", Inputs: "fedcba9876543210",
		Transmission: quality.TransmissionResult{Transmission: quality.Some(99), Valid: quality.Some(98), TxValid: quality.Some(97.02)},
	}, nil
}

func (f *fakeQuality) Now(id telemetry.OutletID, at time.Time) (quality.View, error) {
	return quality.View{Outlet: id, Now: at, Tiles: []quality.Tile{
		{Code: "a21002", Level: quality.LevelHour, Value: quality.Some(62.4), Folded: true, State: quality.Exceed, Limit: testLimit, NValid: 30},
		{Code: "a19001", Level: quality.LevelHour, Value: quality.Some(14.64), State: quality.Normal},
	}}, nil
}

func (f *fakeQuality) Explain(id telemetry.OutletID, factor, level string, at time.Time) (quality.Explanation, error) {
	if factor != "a21002" {
		return quality.Explanation{}, quality.ErrNotFound
	}
	return quality.Explanation{
		Outlet: id, Factor: factor, Level: level, From: at, To: at.Add(time.Hour), Unit: "mg/m3", Value: quality.Some(62.36), Basis: quality.BasisFolded, Valid: true, Flag: "N",
		Limit: testLimit, Standard: "GB 13223-2011", Over: true, Evidence: true, Times: quality.Some(0.2472),
		Frames: []quality.FrameRef{{Locator: telemetry.Locator{Seq: 7}, Kind: telemetry.KindHour, At: at.Unix(), Received: testNow.UnixMicro(), Items: []telemetry.Value{telemetry.NewValue("a21002", "Avg", []byte("66.1"))}}},
		Steps: quality.Trace{
			{Name: quality.StepFrame},
			{Name: quality.StepValidity, Rule: "cems.hour_mean", Version: 1, Clause: "HJ 76-2017", Result: "N", Notes: []quality.Text{{Key: "reason.hour_not_valid", Args: map[string]string{"n": "60", "need": "45"}}}},
			{Name: quality.StepConversion, Rule: "cems.fold_o2", Version: 2, Formula: "66.1 × (21 − 15) ÷ (21 − 14.64) = 62.36", Inputs: []quality.Input{{Name: "C", Value: "66.1", Unit: "mg/m3"}}},
			{Name: quality.StepLimit, Clause: "GB 13223-2011"},
			{Name: quality.StepVerdict, Rule: "judge.exceed", Version: 3, Formula: "62.36 ÷ 50 − 1 = 0.25", Result: "exceeds"},
		},
	}, nil
}

// fakeJournal holds a few frames by locator.
type fakeJournal struct{ frames []store.StoredFrame }

const testSeg = "QN=20261123080012000;ST=31;CN=2061;PW=secret1;MN=" + testMN + ";Flag=5;CP=&&DataTime=20261123070000;a21002-Avg=66.1,a21002-ZsAvg=62.4,a21002-Flag=N;a19001-Avg=14.64,a19001-Flag=N&&"

func newJournal() *fakeJournal {
	raw := func(seg string) []byte { return []byte(strings.TrimSpace(string(hj212.AppendFrame(nil, []byte(seg))))) }
	j := &fakeJournal{}
	add := func(mn string, raw []byte, v telemetry.Verdict, reason string) {
		j.frames = append(j.frames, store.StoredFrame{
			Locator: telemetry.Locator{Seq: uint64(7 + len(j.frames))}, MN: mn, Outlet: 1, Kind: telemetry.KindHour, At: testNow.Add(-90 * time.Minute).Unix(),
			Received: testNow.Add(time.Duration(len(j.frames)) * time.Second), Verdict: v, Reason: reason, Raw: raw,
		})
	}
	add(testMN, raw(testSeg), telemetry.Stored, "")
	add(testMN, []byte("##0136QN=\xd6\xd0\xce\xc4;CP=&&a<b>&&0000"), telemetry.Refused, hj212.CRCMismatch) // GBK text
	add(testMN, []byte{'#', '#', 0xff, 0xfe, 0x80}, telemetry.Refused, hj212.Malformed)
	add(knockMN, raw(strings.Replace(testSeg, testMN, knockMN, 1)), telemetry.Quarantined, "unknown")
	j.frames[3].Outlet = 0
	return j
}

func (j *fakeJournal) FrameAt(l telemetry.Locator) (store.StoredFrame, error) {
	for _, f := range j.frames {
		if f.Locator == l {
			return f, nil
		}
	}
	return store.StoredFrame{}, store.ErrNotFound
}

func (j *fakeJournal) Frames(mn string, from, to time.Time, cursor string, limit int) ([]store.StoredFrame, string, error) {
	var out []store.StoredFrame
	after, _ := store.ParseLocator(cursor)
	for _, f := range j.frames {
		if f.MN != mn || cursor != "" && f.Seq <= after.Seq || !from.IsZero() && f.Received.Before(from) || !to.IsZero() && !f.Received.Before(to) {
			continue
		}
		if len(out) == limit {
			return out, out[limit-1].String(), nil
		}
		out = append(out, f)
	}
	return out, "", nil
}

func (j *fakeJournal) LastFrames(mn string, n int) ([]store.StoredFrame, error) {
	list, _, err := j.Frames(mn, time.Time{}, time.Time{}, "", max(n, 1))
	return list, err
}

func (j *fakeJournal) Records(outlet telemetry.OutletID, kind telemetry.Kind, from, to int64, fn func(*telemetry.Record) bool) error {
	if kind != telemetry.KindRealtime {
		return nil
	}
	for at := from; at < to && at <= testNow.Unix(); at += 60 {
		v := telemetry.NewValue("a21002", "ZsRtd", strconv.AppendInt(nil, 40+at/60%9, 10))
		v.Flag = "N"
		if at/3600%11 == 0 {
			v.Flag = "C"
		}
		if !fn(&telemetry.Record{Outlet: outlet, Kind: kind, At: at, Values: []telemetry.Value{v}}) {
			return nil
		}
	}
	return nil
}

type fakeGateway struct{}

func (g *fakeGateway) Devices() []gateway.DeviceStatus {
	return []gateway.DeviceStatus{{MN: testMN, Connected: true, Peer: "192.0.2.7:4001", Last: testNow.Add(-8 * time.Second), Version: "2017", Frames: 120, ClockOffset: 5 * time.Minute, ClockKnown: true}}
}

func (g *fakeGateway) Device(mn string) (gateway.DeviceStatus, bool) {
	d := g.Devices()[0]
	if d.MN != mn {
		return gateway.DeviceStatus{}, false
	}
	return d, true
}

func (g *fakeGateway) Knocking() []gateway.Knock {
	return []gateway.Knock{{MN: knockMN, Reason: gateway.ReasonUnknown, ST: "31", Version: "2017", Peer: "192.0.2.9:4100", First: testNow.Add(-time.Hour), Last: testNow, Count: 12, Kept: 3, Codes: []string{"a21002", "a19001"}}}
}

type fakeEditor struct {
	registry *fakeRegistry
	adopted  []string
	saved    []any
	imported int
}

func (e *fakeEditor) Adopt(_ context.Context, mn string, id telemetry.OutletID, fresh *telemetry.Outlet, by string) error {
	if fresh != nil {
		e.saved = append(e.saved, *fresh)
		id = telemetry.OutletID(len(e.registry.Snapshot().Outlets) + 1)
	}
	e.adopted = append(e.adopted, mn+" "+strconv.Itoa(int(id))+" "+by)
	e.registry.change(func(s *telemetry.Snapshot) { s.Devices[mn] = &telemetry.Device{MN: mn, Outlet: id, From: testNow} })
	return nil
}

func (e *fakeEditor) SaveDevice(_ context.Context, d telemetry.Device, _ string) error {
	e.saved = append(e.saved, d)
	return nil
}

func (e *fakeEditor) Release(_ context.Context, mn, _ string) error {
	e.registry.change(func(s *telemetry.Snapshot) { delete(s.Devices, mn) })
	return nil
}

func (e *fakeEditor) SaveEnterprise(_ context.Context, x telemetry.Enterprise, _ string) error {
	e.saved = append(e.saved, x)
	return nil
}

func (e *fakeEditor) SaveOutlet(_ context.Context, o telemetry.Outlet, _ string) (telemetry.OutletID, error) {
	e.saved = append(e.saved, o)
	if o.ID == 0 {
		o.ID = telemetry.OutletID(len(e.registry.Snapshot().Outlets) + 1)
	}
	return o.ID, nil
}

func (e *fakeEditor) SetIntervals(_ context.Context, id telemetry.OutletID, iv telemetry.Interval, by string) error {
	e.adopted = append(e.adopted, fmt.Sprintf("intervals %d %d %d %s", id, iv.Realtime, iv.Minute, by))
	return nil
}

func (e *fakeEditor) SaveFactor(_ context.Context, id telemetry.OutletID, f telemetry.OutletFactor, _ string) error {
	e.saved = append(e.saved, partID(id, f.Code), f)
	return nil
}

func (e *fakeEditor) SaveLimit(_ context.Context, id telemetry.OutletID, was string, l telemetry.Limit, _ string) error {
	if l.ID == "taken" {
		return errs.InvalidField("limits.3.id", "field_error.id")
	}
	e.saved = append(e.saved, partID(id, was), l)
	return nil
}

func (e *fakeEditor) SaveSetup(_ context.Context, id telemetry.OutletID, was string, s telemetry.Setup, _ string) error {
	e.saved = append(e.saved, partID(id, was), s)
	return nil
}

// stops edits an outlet's stops as the registry does, on a copy.
func (e *fakeEditor) stops(id telemetry.OutletID, edit func(*telemetry.Outlet) error) error {
	o := *e.registry.Snapshot().Outlets[id]
	o.Stops = slices.Clone(o.Stops)
	err := edit(&o)
	if err == nil {
		e.registry.change(func(s *telemetry.Snapshot) {
			s.Outlets = maps.Clone(s.Outlets)
			s.Outlets[id] = &o
		})
	}
	return err
}

func (e *fakeEditor) SaveStop(_ context.Context, id telemetry.OutletID, was time.Time, s telemetry.Stop, _ string) error {
	return e.stops(id, func(o *telemetry.Outlet) error { return o.PutStop(was, s) })
}

func (e *fakeEditor) DropStop(_ context.Context, id telemetry.OutletID, from time.Time, _ string) error {
	return e.stops(id, func(o *telemetry.Outlet) error { return o.DropStop(from) })
}

func (e *fakeEditor) Import(_ context.Context, _ string, r io.Reader, dry bool, _ string) (ImportReport, error) {
	rows, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return ImportReport{}, errs.Wrap(err, errs.Invalid, "err.invalid")
	}
	rep := ImportReport{Rows: len(rows) - 1, Added: len(rows) - 1}
	for i, row := range rows[1:] {
		if row[0] == "bad" {
			rep.Errors = append(rep.Errors, RowError{Row: i + 2, Column: "id", Key: "field_error.id"})
		}
	}
	if len(rep.Errors) == 0 && !dry {
		e.imported += rep.Rows
	}
	return rep, nil
}

func (e *fakeEditor) Export(_ context.Context, kind string, w io.Writer, words func(string) string, keep func(string) bool) error {
	return e.registry.Snapshot().Export(w, telemetry.Table(kind), words, keep)
}

func (e *fakeEditor) Changes(context.Context, int) ([]Change, error) {
	return []Change{{
		At: testNow, By: "系统管理员（示例）", Kind: "outlet", ID: "1", Action: "update",
		Old: `{"ID":1,"Lon":90,"Name":{"Zh":"旧名","En":"old"},"Factors":[{"Code":"a21002","RangeHi":100,"Order":1}]}`,
		New: `{"ID":1,"Lon":91.5,"Name":{"Zh":"新名","En":"old"},"Factors":[{"Code":"a19001","Order":1},{"Code":"a21002","RangeHi":300,"Order":2}]}`,
	}, {
		At: testNow, By: "系统管理员（示例）", Kind: "outlet", ID: "1", Action: "update", Old: `{"ID":1}`,
		New: `{"ID":1,"Stops":[{"From":"2026-11-20T00:00:00Z","To":"0001-01-01T00:00:00Z","Reason":"检修","By":"u1"}]}`,
	}}, nil
}
