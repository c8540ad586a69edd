package leadweb

import (
	"context"
	"encoding/csv"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/httpd"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/lead"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/store"
	"plateau/internal/testkit"
	"plateau/internal/web"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

var testEngine = sync.OnceValues(func() (*web.Engine, error) {
	return web.New(web.Options{Templates: []fs.FS{Templates()}, Version: "test"})
})

// rig is the pages over real accounts behind the real edge, with two outlets in two
// counties of which each has a value that repeats itself.
type rig struct {
	*quality.Engine
	t      *testing.T
	snap   *telemetry.Snapshot
	rows   map[telemetry.OutletID][]quality.HourRow
	leads  *lead.Service
	edge   http.Handler
	tokens map[string]string
	now    time.Time
	opened []string // titles of cases
}

func (r *rig) Snapshot() *telemetry.Snapshot { return r.snap }
func (r *rig) Ready() bool                   { return true }

func (r *rig) Hours(o telemetry.OutletID, from, to time.Time) (out []quality.HourRow, _ error) {
	for _, row := range r.rows[o] {
		if row.At >= from.Unix() && row.At < to.Unix() {
			out = append(out, row)
		}
	}
	return out, nil
}

func (r *rig) Days(o telemetry.OutletID, from, to time.Time) (out []quality.DayRow, _ error) {
	for at := from.Unix(); at < to.Unix(); at += 86400 {
		out = append(out, quality.DayRow{Outlet: o, At: at, Factors: []quality.FactorDay{{Code: "w21003", Valid: true, Mean: quality.Some(3)}}})
	}
	return out, nil
}

// MayOpen and Open stand in for cases.
func (r *rig) MayOpen(who auth.Principal, _ *telemetry.Outlet) bool { return who.Login == "officer" }

func (r *rig) Open(_ context.Context, _ *lead.Lead, _ *telemetry.Outlet, title, text, _ string, _ auth.Principal) (id, number string, err error) {
	if title == "x" {
		return "", "", errs.InvalidField("title", "err.field.required")
	}
	r.opened = append(r.opened, title+"\n"+text)
	return "case-1", "26012345678939", nil
}

func newRig(t *testing.T, url string) *rig {
	t.Helper()
	engine, err := testEngine()
	if err != nil {
		t.Fatal(err)
	}
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	r := &rig{t: t, tokens: map[string]string{}, rows: map[telemetry.OutletID][]quality.HourRow{}, now: time.Date(2026, 11, 3, 8, 30, 0, 0, i18n.Zone)}
	now := func() time.Time { return r.now }
	area := func(code, parent string) *telemetry.Area {
		return &telemetry.Area{Code: code, Parent: parent, Name: telemetry.Name{Zh: "区划" + code, En: "area " + code}}
	}
	r.snap = &telemetry.Snapshot{
		Version: 1, Outlets: map[telemetry.OutletID]*telemetry.Outlet{}, Areas: map[string]*telemetry.Area{"540100": area("540100", ""), "540121": area("540121", "540100"), "540221": area("540221", "")},
		Enterprises: map[string]*telemetry.Enterprise{"E1": {ID: "E1", Name: telemetry.Name{Zh: "示例厂", En: "Sample works"}, Area: "540121"}},
	}
	start := time.Date(2026, 10, 1, 0, 0, 0, 0, i18n.Zone).Unix()
	for id, code := range map[telemetry.OutletID]string{1: "540121", 2: "540221"} {
		o := &telemetry.Outlet{ID: id, Medium: telemetry.Water, Area: code, Name: telemetry.Name{Zh: "总排口", En: "main outlet"}}
		if id == 1 {
			o.Enterprise = "E1"
		}
		r.snap.Outlets[id] = o
		for i := range int64(31 * 24) {
			nh3 := 1 + 0.3*float64(i*7%11)/11
			if i%8 == 0 {
				nh3 = 6
			}
			row := quality.HourRow{Outlet: id, At: start + i*3600, Source: quality.SourceMinute}
			for _, f := range []struct {
				code string
				v    float64
			}{{"w21003", nh3}, {"w21001", 4 + float64(i*5%13)/13}} {
				row.Factors = append(row.Factors, quality.FactorHour{Code: f.code, Flag: "N", Valid: true, NValid: 60, NExpected: 60, Mean: quality.Some(f.v), Judged: quality.Some(f.v), Limit: quality.LimitRef{Op: "<=", Hi: quality.Some(5)}})
			}
			r.rows[id] = append(r.rows[id], row)
		}
	}
	r.snap.Order = []telemetry.OutletID{1, 2}
	s, err := store.Open(t.TempDir(), store.Options{Now: now, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if r.Engine, err = quality.New(quality.Options{Store: s, Registry: r, Now: now}); err != nil {
		t.Fatal(err)
	}
	if r.leads, err = lead.New(lead.Options{DB: d, Engine: r, Registry: r, Now: now}); err != nil {
		t.Fatal(err)
	}
	accounts := auth.New(d, now, auth.Options{Cost: auth.Cost{Time: 1, MemoryKiB: 64, Threads: 1}})
	for _, u := range []auth.User{
		{Login: "officer", Role: "officer"}, {Login: "county", Role: "supervisor_county", Area: "540121"}, {Login: "company", Role: "enterprise", Enterprise: "E1"}, {Login: "auditor", Role: "auditor"},
	} {
		u.Post = auth.Post{Zh: u.Login + "岗"}
		if u, err = accounts.AddUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		if r.tokens[u.Login], _, err = accounts.CreateToken(t.Context(), u.ID, "x", "", time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	mux := http.NewServeMux()
	New(Deps{Engine: engine, Leads: r.leads, Rows: r, Registry: r, Cases: r, Now: now}).Register(mux)
	edge := &httpd.Edge{Translate: func(r *http.Request) func(string, ...any) string { return i18n.Default().For(web.RequestLang(r)).T }}
	r.edge = httpd.Wrap(accounts.Middleware(httpd.Mux(mux)), edge, slog.New(slog.DiscardHandler), now)
	return r
}

func (r *rig) ask(login, method, target string, fields ...string) *httptest.ResponseRecorder {
	r.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	req := httptest.NewRequestWithContext(r.t.Context(), method, target, strings.NewReader(form.Encode()))
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("Accept", "text/html")
	if login != "" {
		req.Header.Set("Authorization", "Bearer "+r.tokens[login])
	}
	w := httptest.NewRecorder()
	r.edge.ServeHTTP(w, req)
	return w
}

func (r *rig) page(login, target string, says ...string) string {
	r.t.Helper()
	w := r.ask(login, http.MethodGet, target)
	if w.Code != http.StatusOK {
		r.t.Fatalf("GET %s: %d: %.2000s", target, w.Code, w.Body)
	}
	for _, s := range says {
		if !strings.Contains(w.Body.String(), s) {
			r.t.Errorf("GET %s does not say %q: %s", target, s, w.Body)
		}
	}
	return w.Body.String()
}

func (r *rig) answers(login, target string, status int, says string, fields ...string) {
	r.t.Helper()
	w := r.ask(login, http.MethodPost, target, fields...)
	if w.Code != status || !strings.Contains(w.Body.String()+w.Header().Get("Location"), says) {
		r.t.Errorf("POST %s as %s: %d to %q, want %d with %q: %.3000s", target, login, w.Code, w.Header().Get("Location"), status, says, w.Body)
	}
}

var href = regexp.MustCompile(`href="/en/leads/([0-9a-f]{20})"`)

// ids are the leads on a page.
func ids(body string) (out []string) {
	for _, m := range href.FindAllStringSubmatch(body, -1) {
		out = append(out, m[1])
	}
	return out
}

func TestPages(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, database.URL(t))
			r.page("officer", "/en/leads", "There are no leads.", "0 outlets have been looked at")
			if err := r.leads.CatchUp(t.Context()); err != nil {
				t.Fatal(err)
			}
			all := ids(r.page("officer", "/en/leads?detector=nh3_over_tn", "2 leads to look at", "Ammonia nitrogen above total nitrogen", "In 93 of 744 values"))
			mine := ids(r.page("county", "/en/leads?detector=nh3_over_tn", "1 leads to look at", "Sample works"))
			if len(all) != 2 || len(mine) != 1 {
				t.Fatalf("%v %v", all, mine)
			}
			other := all[0]
			if other == mine[0] {
				other = all[1]
			}
			lead := "/en/leads/" + mine[0]
			r.page("county", lead, "In 93 of 744 values", "93", "≥ 6", "the two analysers sample at different times", "lead-days", "lead-hours", "lead.nh3_over_tn, version 1", "is no verdict", "Nobody has said anything yet")
			if body := r.page("county", lead); strings.Contains(body, "Open the case") {
				t.Error("a form for a case to somebody who may not open one")
			}
			r.page("officer", lead, "Open the case", "Sample works")
			r.page("officer", "/en/leads?area=540221", "area 540221")
			r.page("officer", "/en/leads?state=helpful", "Nothing matches: helpful")

			// What people say.
			r.answers("county", lead, 422, "Choose what you make of it")
			r.answers("county", lead, 422, "Choose why it is not helpful", "say", "unhelpful", "note", "kept text")
			r.answers("county", lead, 422, "kept text", "say", "unhelpful", "note", "kept text")
			r.answers("county", lead, 303, lead, "say", "looking", "note", "asked the works")
			r.page("county", lead, "being looked at", "asked the works", "county岗")
			r.answers("county", lead, 303, lead, "say", "unhelpful", "reason", "known")
			r.page("county", lead, "it is known already", "It ranks lower")
			r.page("county", "/en/leads?detector=nh3_over_tn", "Nothing matches")
			r.page("county", "/en/leads/detectors/nh3_over_tn", "<dt>not helpful</dt><dd>1</dd>", "tolerance of the two analysers", "15%", "1576", "476")

			// A case, by hand.
			r.answers("county", lead+"/case", 403, "", "case_title", "t", "case_text", "e")
			r.answers("officer", lead+"/case", 422, "Enter a value", "case_title", "x", "case_text", "e")
			r.answers("officer", lead+"/case", 303, lead, "case_title", "Look into it", "case_text", "the evidence")
			r.answers("officer", lead+"/case", 409, "", "case_title", "again", "case_text", "e")
			r.page("officer", lead, `<a href="/en/cases/26012345678939">case 26012345678939</a>`, "opened case 26012345678939")
			if len(r.opened) != 1 || r.opened[0] != "Look into it\nthe evidence" {
				t.Errorf("%q", r.opened)
			}

			// Left out for a while.
			r.answers("county", lead+"/quiet", 422, "Choose what is left out", "quiet_reason", "x", "until", "2026-12-01")
			r.answers("county", lead+"/quiet", 422, "Enter a day within a year", "scope", "lead", "quiet_reason", "x", "until", "soon")
			r.page("county", "/en/leads/quiet", "Nothing is left out")
			r.answers("county", lead+"/quiet", 303, lead, "scope", "outlet", "quiet_reason", "analyser is replaced", "until", "2026年12月1日")
			r.page("county", lead, "Left out of the list until 2026-12-01: analyser is replaced")
			body := r.page("county", "/en/leads/quiet", "analyser is replaced", "2026-12-01", "End now")
			end := regexp.MustCompile(`/en/leads/quiet/[0-9a-f-]+/end`).FindString(body)
			r.page("county", "/en/leads?state=quiet", mine[0])
			r.answers("county", end, 303, "/en/leads/quiet")
			r.answers("county", end, 409, "")
			r.page("county", "/en/leads/quiet", "ended 2026-11-03")

			// The file.
			w := r.ask("officer", http.MethodGet, "/en/leads.csv?state=all&detector=nh3_over_tn")
			rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(w.Body.String(), "\ufeff"))).ReadAll()
			if err != nil || len(rows) != 3 || len(rows[1]) != len(rows[0]) || rows[1][1] != "nh3_over_tn" {
				t.Errorf("%v %v", err, rows)
			}

			// Whose leads they are not.
			for _, target := range []string{"/en/leads/" + other, "/en/leads/none", "/en/leads/detectors/none"} {
				if w := r.ask("county", http.MethodGet, target); w.Code != http.StatusNotFound {
					t.Errorf("GET %s: %d", target, w.Code)
				}
			}
			r.answers("county", "/en/leads/"+other, 404, "", "say", "looking")
			r.answers("county", "/en/leads/"+other+"/quiet", 404, "", "scope", "lead", "quiet_reason", "x", "until", "2026-12-01")
			r.answers("county", "/en/leads/quiet/none/end", 404, "")
			for login, want := range map[string]int{"company": 403, "auditor": 403, "": 303} {
				for _, target := range []string{"/en/leads", lead, "/en/leads/detectors", "/en/leads.csv"} {
					if w := r.ask(login, http.MethodGet, target); w.Code != want {
						t.Errorf("%s as %q: %d", target, login, w.Code)
					}
				}
			}
		})
	}
}

var (
	h1     = regexp.MustCompile(`(?s)<h1>(.*?)</h1>`)
	rawKey = regexp.MustCompile(`>[^<]*\b(lead|common|done|err|factor)\.[a-z_]+\.?[a-z_]*[^<]*<`)
	idAttr = regexp.MustCompile(` id="([^"]*)"`)
)

// TestEveryPageInThreeLanguages draws each page and each detector in each language:
// all has words, and ids are given once.
func TestEveryPageInThreeLanguages(t *testing.T) {
	t.Parallel()
	r := newRig(t, testkit.Databases()[0].URL(t))
	if err := r.leads.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	engine, err := testEngine()
	if err != nil {
		t.Fatal(err)
	}
	if missing := engine.MissingKeys(); len(missing) > 0 {
		t.Errorf("keys without words: %v", missing)
	}
	id := ids(r.page("officer", "/en/leads"))[0]
	r.answers("officer", "/en/leads/"+id+"/quiet", 303, "", "scope", "area", "quiet_reason", "x", "until", "2026-12-01")
	paths := []string{"/leads", "/leads?state=all", "/leads/" + id, "/leads/quiet", "/leads/detectors"}
	for _, d := range lead.Detectors() {
		paths = append(paths, "/leads/detectors/"+d.ID)
	}
	for _, lang := range i18n.Langs() {
		for _, p := range paths {
			body := r.page("officer", "/"+string(lang)+p)
			if n := len(h1.FindAllString(body, -1)); n != 1 {
				t.Errorf("%s %s: %d h1", lang, p, n)
			}
			for _, d := range lead.Detectors() { // names of rules are no keys
				body = strings.ReplaceAll(body, d.Rule(), "")
			}
			if m := rawKey.FindString(body); m != "" {
				t.Errorf("%s %s: untranslated %s", lang, p, m)
			}
			seen := map[string]bool{}
			for _, m := range idAttr.FindAllStringSubmatch(body, -1) {
				if seen[m[1]] {
					t.Errorf("%s %s: id %s twice", lang, p, m[1])
				}
				seen[m[1]] = true
			}
		}
	}
}

// TestWords: everything a lead can say has words in all three languages.
func TestWords(t *testing.T) {
	t.Parallel()
	c := i18n.Default()
	for _, lang := range i18n.Langs() {
		for _, d := range lead.Detectors() {
			keys := []string{"title", "found", "sees", "tested"}
			for i, k := range keys {
				keys[i] = "lead.detector." + d.ID + "_" + k
			}
			for _, k := range d.Why {
				keys = append(keys, "lead.why."+k)
			}
			for _, k := range d.Next {
				keys = append(keys, "lead.next."+k)
			}
			for _, k := range keys {
				if !c.Has(lang, k) {
					t.Errorf("%s has no %s", lang, k)
				}
			}
		}
		for _, s := range lead.ListStates {
			if !c.Has(lang, "lead.state_"+s) {
				t.Errorf("%s has no state %s", lang, s)
			}
		}
		for _, s := range lead.Reasons {
			if !c.Has(lang, "lead.reason_"+s) {
				t.Errorf("%s has no reason %s", lang, s)
			}
		}
	}
}
