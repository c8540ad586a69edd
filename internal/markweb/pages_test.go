package markweb

import (
	"context"
	"encoding/csv"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/httpd"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/mark"
	"plateau/internal/telemetry/quality"
	"plateau/internal/testkit"
	"plateau/internal/web"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

var testEngine = sync.OnceValues(func() (*web.Engine, error) {
	return web.New(web.Options{Templates: []fs.FS{Templates()}, Version: "test"})
})

// judge says of every mark that it takes seven hours and an exceedance away.
type judge struct{}

func (judge) WhatIf(_ context.Context, w quality.WhatIf) (*quality.Difference, error) {
	var o telemetry.Outlet
	o.Factors = []telemetry.OutletFactor{{Code: "a21005"}}
	w.Trial.Outlet(&o)
	sum := quality.Changes{HoursNotValid: 7, HoursNotOver: 1}
	return &quality.Difference{Sum: sum, Changed: []quality.OutletChanges{{Changes: sum, Examples: []quality.Change{
		{Factor: "a21005", Level: quality.LevelHour, At: w.From.Unix(), What: quality.ChangeOver, Old: quality.Some(120.5)},
	}, Totals: []quality.TotalChange{{Factor: "a21005", Old: 30, New: 21}}}}}, nil
}

func (judge) QuotaUse(telemetry.OutletID, string, time.Time) (quality.QuotaUse, error) {
	return quality.QuotaUse{Used: 60, Hours: 60}, nil
}

func (judge) Hours(_ telemetry.OutletID, from, _ time.Time) ([]quality.HourRow, error) {
	return []quality.HourRow{{At: from.Unix(), Source: quality.SourceMinute, Factors: []quality.FactorHour{{Code: "a21005", NValid: 30, NExpected: 60}}}}, nil
}

type rig struct {
	t      *testing.T
	edge   http.Handler
	tokens map[string]string
	reg    *telemetry.Registry
}

var now = time.Date(2026, 11, 24, 8, 30, 0, 0, i18n.Zone)

func newRig(t *testing.T) *rig {
	t.Helper()
	engine, err := testEngine()
	if err != nil {
		t.Fatal(err)
	}
	d, err := db.Open(t.Context(), testkit.Databases()[0].URL(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	r := &rig{t: t, tokens: map[string]string{}}
	clock := func() time.Time { return now }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	r.reg, err = telemetry.Open(t.Context(), d, clock)
	must(err)
	t.Cleanup(r.reg.Close)
	must(r.reg.PutArea(t.Context(), telemetry.Area{Code: "540000", Level: "province", Name: telemetry.Name{Zh: "西藏"}}, auth.System))
	must(r.reg.PutArea(t.Context(), telemetry.Area{Code: "540100", Parent: "540000", Level: "prefecture", Name: telemetry.Name{Zh: "拉萨"}}, auth.System))
	for _, e := range []string{"e1", "e2"} {
		_, err = r.reg.CreateEnterprise(t.Context(), telemetry.Enterprise{ID: e, Name: telemetry.Name{Zh: "示例企业" + e}}, auth.System)
		must(err)
		_, err = r.reg.CreateOutlet(t.Context(), telemetry.Outlet{
			Enterprise: e, Name: telemetry.Name{Zh: "示例炉" + e, En: "Sample furnace " + e}, Medium: telemetry.Gas, SourceType: "municipal waste incinerator", Area: "540100",
			Factors: []telemetry.OutletFactor{{Code: "a21005"}, {Code: "a34013"}},
		}, auth.System)
		must(err)
	}
	accounts := auth.New(d, clock, auth.Options{Cost: auth.Cost{Time: 1, MemoryKiB: 64, Threads: 1}})
	for _, u := range []auth.User{{Login: "officer", Role: "officer", Area: "540100"}, {Login: "company", Role: "enterprise", Enterprise: "e1"}} {
		u.Post = auth.Post{Zh: u.Login + "岗（示例）"}
		u, err = accounts.AddUser(t.Context(), u)
		must(err)
		r.tokens[u.Login], _, err = accounts.CreateToken(t.Context(), u.ID, "x", "", time.Time{})
		must(err)
	}
	mux := http.NewServeMux()
	New(Deps{Engine: engine, Marks: mark.New(mark.Options{DB: d, Registry: r.reg, Judge: judge{}, Now: clock}), Registry: r.reg, Hours: judge{}, Now: clock}).Register(mux)
	edge := &httpd.Edge{Translate: func(r *http.Request) func(string, ...any) string { return i18n.Default().For(web.RequestLang(r)).T }}
	r.edge = httpd.Wrap(accounts.Middleware(httpd.Mux(mux)), edge, slog.New(slog.DiscardHandler), clock)
	return r
}

func (r *rig) ask(login, target string, form url.Values) *httptest.ResponseRecorder {
	r.t.Helper()
	method, body := http.MethodGet, io.Reader(nil)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	req := httptest.NewRequestWithContext(r.t.Context(), method, target, body)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "text/html")
	req.Header.Set("Authorization", "Bearer "+r.tokens[login])
	w := httptest.NewRecorder()
	r.edge.ServeHTTP(w, req)
	return w
}

func (r *rig) says(login, target string, form url.Values, status int, says ...string) string {
	r.t.Helper()
	w := r.ask(login, target, form)
	if w.Code != status {
		r.t.Fatalf("%s as %s: %d, want %d: %.3000s", target, login, w.Code, status, w.Body)
	}
	for _, s := range says {
		if !strings.Contains(w.Body.String(), s) {
			r.t.Errorf("%s as %s does not say %q: %.6000s", target, login, s, w.Body)
		}
	}
	return w.Body.String()
}

// posts sends a form and returns where it leads.
func (r *rig) posts(login, target string, form url.Values) string {
	r.t.Helper()
	w := r.ask(login, target, form)
	if w.Code != http.StatusSeeOther {
		r.t.Fatalf("POST %s as %s: %d: %.3000s", target, login, w.Code, w.Body)
	}
	return w.Header().Get("Location")
}

// TestMarkPages: the enterprise sees what a mark would change, declares it and has
// it in force; the regulator finds it and calls it false; only who may can.
func TestMarkPages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.says("company", "/en/outlets/1/marks", nil, 200, "No marks or corrections in this time.", "60 of 60 h used this year", "0 of 30 h used this quarter", "/en/outlets/1/marks/new", "30")
	r.says("company", "/en/outlets/2/marks", nil, 403)
	r.says("company", "/en/outlets/2/marks/new", nil, 403)
	r.says("company", "/en/marks", nil, 403)
	r.says("company", "/en/outlets/9/marks", nil, 404)
	r.says("company", "/bo/outlets/1/marks/new", nil, 200, "དུས་ལ་རྟགས་རྒྱག་པ།")
	form := url.Values{"code": {"mark.device/calibration"}, "from": {"2026-11-23 08:00"}, "to": {"2026-11-23 15:00"}, "factor_a21005": {"1"}, "cause": {"<b>monthly</b>"}}
	asked := "/en/outlets/1/marks/new?check=1&" + form.Encode()
	body := r.says("company", asked, nil, 200, "Hour values that are no longer valid: 7", "Hour values no longer over their limit: 1", "is no exceedance any more", "120.50", "30.00 → 21.00 kg", `name="factor_a21005" value="1"`, "data fraud")
	if strings.Contains(body, "<b>monthly") {
		t.Error("a cause is not escaped")
	}
	r.says("company", "/en/outlets/1/marks/new?check=1&from=2026-11-23", nil, 422, "choose a mark from the list")
	r.says("company", "/en/outlets/1/marks/new", form, 422, "tick the declaration", "no longer valid: 7")
	if r.reg.Snapshot().Outlets[1].Marks != nil {
		t.Fatal("in force without a declaration")
	}
	form.Set("declared", "1")
	to := r.posts("company", "/en/outlets/1/marks/new", form)
	if to != "/en/marks/M000001" || len(r.reg.Snapshot().Outlets[1].Marks) != 1 {
		t.Fatalf("leads to %q", to)
	}
	r.says("company", to, nil, 200, "accepted, in time", "values not valid", "2026-11-24 12:00", "Take back")
	r.says("company", "/en/outlets/1/marks?day=2026-11-23", nil, 200, "M000001", "calibration", "valid hours 0, marks 1")
	r.says("company", "/en/outlets/1/marks/new", form, 422, "Mark M000001 covers 2026-11-23 08:00 to 2026-11-23 15:00")
	r.says("company", to+"/review", url.Values{"decision": {"accept"}}, 403)
	r.says("officer", "/zh/marks?state=accepted", nil, 200, "M000001", "设备校准", "示例炉e1")
	r.says("officer", "/en/marks", nil, 200, "Nothing is in this state.")
	r.says("officer", to, nil, 200, "call it false")
	r.says("officer", to+"/review", url.Values{"decision": {"false"}}, 422, `id="note-error"`)
	if at := r.posts("officer", to+"/review", url.Values{"decision": {"false"}, "note": {"no record of it"}}); at != to || r.reg.Snapshot().Outlets[1].Marks != nil {
		t.Errorf("leads to %q, %+v", at, r.reg.Snapshot().Outlets[1].Marks)
	}
	r.says("company", to, nil, 200, "false mark", "no record of it", "called false")
	r.says("company", to+"/withdraw", url.Values{}, 409)
	w := r.ask("company", "/en/outlets/1/marks.csv?day=2026-11-24", nil)
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(w.Body.String(), "\ufeff"))).ReadAll()
	if err != nil || len(rows) != 2 || rows[1][0] != "M000001" || rows[1][3] != "mark.device@1" || rows[1][12] != "false" {
		t.Errorf("%v, %v", rows, err)
	}
}

// TestLateAndReturned: a late mark is in the queue; returned it is mended by the
// enterprise and accepted.
func TestLateAndReturned(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	to := r.posts("company", "/en/outlets/1/marks/new", url.Values{"code": {"mark.mswi/startup"}, "from": {"2026-11-20 08:00"}, "to": {"2026-11-20 12:00"}, "declared": {"1"}})
	r.says("company", to, nil, 200, "waits for review", "late", "excess exempt within a quota")
	r.says("officer", "/en/marks", nil, 200, "M000001", "Sample furnace e1")
	r.posts("officer", to+"/review", url.Values{"decision": {"return"}, "note": {"say why"}})
	r.says("company", to, nil, 200, "sent back", "Mend and submit again")
	r.posts("company", to+"/submit", url.Values{"cause": {"after the overhaul"}})
	r.posts("officer", to+"/review", url.Values{"decision": {"accept"}})
	r.says("company", to, nil, 200, "accepted by review", "after the overhaul")
	if m := r.reg.Snapshot().Outlets[1].Marks; len(m) != 1 || m[0].Effect != "exempt" {
		t.Errorf("%+v", m)
	}
	to = r.posts("company", "/en/outlets/1/marks/new", url.Values{"code": {"mark.device/maintenance"}, "from": {"2026-11-23 08:00"}, "to": {"2026-11-23 09:00"}, "declared": {"1"}})
	if r.posts("company", to+"/withdraw", url.Values{}); len(r.reg.Snapshot().Outlets[1].Marks) != 1 {
		t.Error("taken back, and in force")
	}
}

// TestCorrectionPages: a value is corrected, and its document comes later.
func TestCorrectionPages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	form := url.Values{"factor": {"a21005"}, "from": {"2026-11-23 08:00"}, "to": {"2026-11-23 10:00"}, "value": {"many"}, "cause": {"reference method"}}
	r.says("company", "/en/outlets/1/corrections/new?check=1&"+form.Encode(), nil, 422, `id="value-error"`)
	form.Set("value", "１２.５")
	r.says("company", "/en/outlets/1/corrections/new?check=1&"+form.Encode(), nil, 200, "Hour values that are no longer valid: 7", "Declare and submit the correction")
	form.Set("declared", "1")
	to := r.posts("company", "/en/outlets/1/corrections/new", form)
	r.says("company", to, nil, 200, "12.5 mg/m3", "2026-12-10", "judged by the corrected value", "Give the document")
	r.says("company", to+"/document", url.Values{"evidence": {""}}, 422, `id="evidence-error"`)
	r.posts("company", to+"/document", url.Values{"evidence": {"report 7 (sample)"}})
	r.says("company", to, nil, 200, "report 7 (sample)", "document given")
	if k := r.reg.Snapshot().Outlets[1].Corrections; len(k) != 1 || k[0].Value != 12.5 {
		t.Errorf("%+v", k)
	}
}
