package publicweb

import (
	"errors"
	"html"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"plateau/internal/platform/httpd"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/internal/web"
	"plateau/rules"
)

// testNow is the instant of every test; what is published reaches up to 08:15.
var testNow = time.Date(2026, 11, 23, 8, 30, 0, 0, i18n.Zone)

// What no answer to a resident may hold.
const (
	secretMN       = "54010320261100000000A217"
	secretPassword = "pw-9f3k"
	minuteValue    = 987.654321
)

var minuteText = "987.65"

// rig is a handler on fakes.
type rig struct {
	*Handler
	edge    http.Handler
	snap    *telemetry.Snapshot
	quality *fakeQuality
	now     time.Time
}

func newRig(tb testing.TB) *rig {
	tb.Helper()
	engine, err := web.New(web.Options{Templates: []fs.FS{Templates()}, Version: "test"})
	if err != nil {
		tb.Fatal(err)
	}
	r := &rig{snap: region(), now: testNow}
	r.quality = &fakeQuality{rig: r}
	r.Handler = New(Deps{
		Engine: engine, Registry: r, Quality: r.quality, Rules: rules.Default(), Now: func() time.Time { return r.now }, Logger: slog.New(slog.DiscardHandler),
		Licence: "CC BY 4.0", LicenceURL: "https://creativecommons.org/licenses/by/4.0/",
	})
	mux := http.NewServeMux()
	r.Register(mux)
	edge := &httpd.Edge{
		Translate: func(r *http.Request) func(string, ...any) string { return i18n.Default().For(web.RequestLang(r)).T },
		Page:      r.ProblemPage,
	}
	r.edge = httpd.Wrap(httpd.Mux(mux), edge, slog.New(slog.DiscardHandler), func() time.Time { return testNow })
	return r
}

// Snapshot implements Registry.
func (r *rig) Snapshot() *telemetry.Snapshot { return r.snap }

// ask sends a request without cookie or token.
func (r *rig) ask(target string, header ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodGet, target, nil)
	req.Header.Set("Accept", "text/html,*/*")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	r.edge.ServeHTTP(w, req)
	return w
}

// page is the text of a page that must be there.
func (r *rig) page(tb testing.TB, target string) string {
	tb.Helper()
	w := r.ask(target)
	if w.Code != http.StatusOK {
		tb.Fatalf("%s: status %d: %s", target, w.Code, w.Body)
	}
	return html.UnescapeString(w.Body.String())
}

// region is a made-up county with a stack (1, over its limit), a sewage works
// (2, within), a silent one (3), a river section (4), and a county without
// outlets.
func region() *telemetry.Snapshot {
	s := &telemetry.Snapshot{
		Version: 1, Areas: map[string]*telemetry.Area{}, Enterprises: map[string]*telemetry.Enterprise{}, Outlets: map[telemetry.OutletID]*telemetry.Outlet{}, Devices: map[string]*telemetry.Device{},
	}
	for _, a := range []telemetry.Area{
		{Code: "540000", Level: "province", Name: telemetry.Name{Zh: "西藏自治区", Bo: "བོད་རང་སྐྱོང་ལྗོངས།", En: "Xizang"}},
		{Code: "540100", Parent: "540000", Level: "prefecture", Name: telemetry.Name{Zh: "拉萨市", Bo: "ལྷ་ས་གྲོང་ཁྱེར།", En: "Lhasa"}},
		{Code: "540124", Parent: "540100", Level: "county", Name: telemetry.Name{Zh: "曲水县", Bo: "ཆུ་ཤུར་རྫོང་།", En: "Quxu"}},
		{Code: "540127", Parent: "540100", Level: "county", Name: telemetry.Name{Zh: "墨竹工卡县", Bo: "མལ་གྲོ་གུང་དཀར་རྫོང་།", En: "Maizhokunggar"}},
	} {
		s.Areas[a.Code] = &a
	}
	hi, day, o2, lo, pH := 50.0, 60.0, 15.0, 6.0, 9.0
	s.Limits = []telemetry.Limit{
		{ID: "gb.001", Standard: "GB 13223-2011", SourceType: "gas turbine", Factor: "a21002", Statistic: "hour", Op: "<=", Hi: &hi, RefO2: &o2, Unit: "mg/m3", EffectiveFrom: "2012-01-01"},
		{ID: "gb.002", Standard: "GB 18918-2002", Factor: "w01018", Statistic: "day", Op: "<=", Hi: &day, Unit: "mg/L", EffectiveFrom: "2003-07-01"},
		{ID: "gb.003", Standard: "GB 18918-2002", Factor: "w01001", Statistic: "day", Op: "range", Lo: &lo, Hi: &pH, EffectiveFrom: "2003-07-01"},
	}
	ent := func(id, zh, bo, en string) {
		s.Enterprises[id] = &telemetry.Enterprise{ID: id, Name: telemetry.Name{Zh: zh, Bo: bo, En: en}, Area: "540124", Permit: "91540000X-permit", Sample: true}
	}
	ent("e1", "示例电厂", "དཔེ་མཚོན་གློག་ཁང་།", "Sample power station")
	ent("e2", "示例污水处理厂", "", "Sample sewage works")
	add := func(id telemetry.OutletID, e, zh, bo, en string, m telemetry.Medium, factors ...string) {
		o := &telemetry.Outlet{ID: id, Enterprise: e, Name: telemetry.Name{Zh: zh, Bo: bo, En: en}, Medium: m, Area: "540124", Lon: 90.7 + float64(id)/50, Lat: 29.4, Sample: true}
		if m == telemetry.Gas {
			o.SourceType = "gas turbine"
		}
		for i, code := range factors {
			o.Factors = append(o.Factors, telemetry.OutletFactor{Code: code, Order: i + 1})
		}
		s.Outlets[id] = o
		s.Order = append(s.Order, id)
	}
	add(1, "e1", "1 号机组排口", "འཕྲུལ་ཆས་ 1", "Unit 1", telemetry.Gas, "a21002", "a19001", "a01012")
	add(2, "e2", "=总排口", "", "Main outlet", telemetry.Water, "w01018", "w01001", "w00000")
	add(3, "e1", "2 号机组排口", "འཕྲུལ་ཆས་ 2", "Unit 2", telemetry.Gas, "a21002")
	add(4, "e2", "才纳断面", "", "Caina section", telemetry.Surface, "w01009", "w01018", "w01001")
	for id := range s.Outlets {
		mn := secretMN
		if id > 1 {
			mn = secretMN[:23] + string(rune('0'+id))
		}
		s.Devices[mn] = &telemetry.Device{MN: mn, Outlet: id, Password: secretPassword}
	}
	return s
}

// fakeQuality judges the region above. What it makes of minutes that are not
// over is minuteValue, which must never be seen.
type fakeQuality struct {
	rig    *rig
	asked  atomic.Int64
	failed bool
}

var (
	hourLimit = quality.LimitRef{ID: "gb.001", Op: "<=", Hi: quality.Some(50), Statistic: "hour"}
	dayLimit  = quality.LimitRef{ID: "gb.002", Op: "<=", Hi: quality.Some(60), Statistic: "day"}
	phLimit   = quality.LimitRef{ID: "gb.003", Op: "range", Lo: quality.Some(6), Hi: quality.Some(9), Statistic: "day"}
)

var errFake = errors.New("the store is gone")

func (f *fakeQuality) States(at time.Time) ([]quality.StateResult, error) {
	f.asked.Add(1)
	if f.failed {
		return nil, errFake
	}
	hour := at.Truncate(time.Hour).Add(-time.Hour)
	return []quality.StateResult{
		{Outlet: 1, State: quality.Exceed, Factor: "a21002", Level: quality.LevelHour, At: hour, Since: hour, Value: quality.Some(62.36), Folded: true, Limit: hourLimit, Times: quality.Some(0.2472)},
		{Outlet: 2, State: quality.Warn, Factor: "w01018", Level: quality.LevelHour, At: at.Truncate(time.Hour), Since: at.Truncate(time.Hour), Value: quality.Some(minuteValue), Limit: dayLimit},
		{Outlet: 3, State: quality.Offline, Since: at.Add(-90 * time.Minute)},
		{Outlet: 4, State: quality.Normal, Value: quality.Some(7.8), Limit: quality.LimitRef{ID: "x", Op: ">=", Lo: quality.Some(6)}},
	}, nil
}

// Hours: outlet 1 breaks its limit from 2026-11-20 05:00 to 08:00 and in the
// last published hour; from 10:00 to 12:00 of 11-21 too few minutes came.
func (f *fakeQuality) Hours(id telemetry.OutletID, from, to time.Time) ([]quality.HourRow, error) {
	if f.failed {
		return nil, errFake
	}
	var out []quality.HourRow
	for t := from; t.Before(to) && !t.After(f.rig.now); t = t.Add(time.Hour) {
		running := t.Add(time.Hour).After(f.rig.now.Add(-15 * time.Minute))
		row := quality.HourRow{Outlet: id, At: t.Unix(), Rules: "0123456789abcdef"}
		local := t.In(i18n.Zone)
		switch id {
		case 1:
			x := quality.FactorHour{Code: "a21002", Flag: "N", NSeen: 60, NValid: 60, NExpected: 60, Valid: true, Mean: quality.Some(40.125), Folded: quality.Some(42.5), Judged: quality.Some(42.5), Basis: quality.BasisFolded, Limit: hourLimit}
			over := local.Day() == 20 && local.Hour() >= 5 && local.Hour() < 8 || t.Equal(testNow.Truncate(time.Hour).Add(-time.Hour))
			switch {
			case running:
				x.Mean, x.Folded, x.Judged, x.Min, x.Max = quality.Some(minuteValue), quality.Some(minuteValue), quality.Some(minuteValue), quality.Some(minuteValue), quality.Some(minuteValue)
			case over:
				x.Mean, x.Folded, x.Judged, x.Over, x.Evidence, x.Times = quality.Some(66.1), quality.Some(62.36), quality.Some(62.36), true, true, quality.Some(0.2472)
			case local.Day() == 21 && local.Hour() >= 10 && local.Hour() < 12:
				x.Valid, x.NValid, x.Judged, x.Flag, x.Mean = false, 20, quality.Opt{}, "C", quality.Some(minuteValue)
			}
			row.Factors = []quality.FactorHour{
				x,
				{Code: "a19001", Flag: "N", NSeen: 60, NValid: 60, NExpected: 60, Valid: true, Mean: quality.Some(14.64)},
				{Code: "a01012", Flag: "N", NSeen: 60, NValid: 60, NExpected: 60, Valid: true, Mean: quality.Some(minuteValue)},
			}
		case 2:
			x := quality.FactorHour{Code: "w01018", Flag: "N", NSeen: 60, NValid: 60, NExpected: 60, Valid: true, Mean: quality.Some(31.4), Judged: quality.Some(31.4), Basis: quality.BasisMean, Limit: dayLimit}
			if running {
				x.Mean, x.Judged = quality.Some(minuteValue), quality.Some(minuteValue)
			}
			row.Factors = []quality.FactorHour{x, {Code: "w01001", Flag: "N", NSeen: 60, NValid: 60, NExpected: 60, Valid: true, Mean: quality.Some(7.2), Judged: quality.Some(7.2), Basis: quality.BasisMean}}
		default:
			continue
		}
		out = append(out, row)
	}
	return out, nil
}

func (f *fakeQuality) Days(id telemetry.OutletID, from, to time.Time) ([]quality.DayRow, error) {
	if f.failed {
		return nil, errFake
	}
	var out []quality.DayRow
	for t := from; t.Before(to) && !t.After(f.rig.now); t = t.AddDate(0, 0, 1) {
		running := t.AddDate(0, 0, 1).After(f.rig.now)
		row := quality.DayRow{Outlet: id, At: t.Unix(), Rules: "0123456789abcdef"}
		switch id {
		case 1:
			row.Factors = []quality.FactorDay{{Code: "a21002", NValid: 24, NExpected: 24, NSeen: 24, Valid: true, Mean: quality.Some(41.2), Folded: quality.Some(43.21), Judged: quality.Some(43.21), Basis: quality.BasisFolded}}
		case 2:
			row.Factors = []quality.FactorDay{{Code: "w01018", NValid: 24, NExpected: 24, NSeen: 24, Valid: true, Mean: quality.Some(31.4), Judged: quality.Some(31.4), Basis: quality.BasisMean, Limit: dayLimit, Flow: quality.Some(812), Total: quality.Some(25.5)}}
			if d := t.In(i18n.Zone).Day(); d == 19 {
				x := &row.Factors[0]
				x.Mean, x.Judged, x.Over, x.Evidence, x.Times = quality.Some(75), quality.Some(75), true, true, quality.Some(0.25)
			} else if d == 18 {
				row.Factors[0].Valid, row.Factors[0].NValid, row.Factors[0].Judged = false, 9, quality.Opt{}
			}
		case 4:
			row.Factors = []quality.FactorDay{
				{Code: "w01009", NValid: 6, NExpected: 6, NSeen: 6, Valid: true, Mean: quality.Some(7.8)},
				{Code: "w01018", NValid: 6, NExpected: 6, NSeen: 6, Valid: true, Mean: quality.Some(12)},
			}
		default:
			continue
		}
		if running {
			for i := range row.Factors {
				row.Factors[i].Mean, row.Factors[i].Judged = quality.Some(minuteValue), quality.Some(minuteValue)
			}
		}
		out = append(out, row)
	}
	return out, nil
}

// Now: outlet 2's pH is judged by single values, whose limit no mean shows.
func (f *fakeQuality) Now(id telemetry.OutletID, _ time.Time) (quality.View, error) {
	v := quality.View{Outlet: id}
	if id == 2 {
		v.Tiles = []quality.Tile{{Code: "w01001", Value: quality.Some(minuteValue), Limit: phLimit}}
	}
	return v, nil
}

// secrets are what no answer may hold.
func secrets() []string {
	return []string{secretMN, secretMN[:20], secretPassword, minuteText, "91540000X", "QN=", "0123456789abcdef"}
}

func lacksSecrets(tb testing.TB, target, body string) {
	tb.Helper()
	for _, s := range secrets() {
		if strings.Contains(body, s) {
			tb.Errorf("%s holds %q", target, s)
		}
	}
}
