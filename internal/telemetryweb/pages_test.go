package telemetryweb

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"html"
	"io/fs"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry/dialogue"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/reportjob"
	"plateau/internal/web"
)

// examples gives an address for each pattern of Pages.
var examples = map[string]string{
	"/{$}": "/", "/outlets/{id}": "/outlets/1", "/outlets/{id}/{date}": "/outlets/1/2026-11-22?factor=a21002&hour=07", "/outlets/{id}/history": "/outlets/1/history", "/outlets/{id}/totals": "/outlets/1/totals",
	"/reports/{scope}/{id}/{level}/{date}": "/reports/outlet/1/day/2026-11-22", "/reports/jobs/{id}": "/reports/jobs/job-1", "/handover/{shift}": "/handover/2026-11-22T2030",
	"/outlets/{id}/devices": "/outlets/1/devices", "/values/{id}": "/values/1-a21002-hour-2026112307", "/frames/{locator}": "/frames/7-0", "/devices/{mn}": "/devices/" + testMN,
	"/devices/{mn}/adopt": "/devices/" + knockMN + "/adopt", "/registry/{kind}": "/registry/limits", "/registry/{kind}/import": "/registry/outlets/import", "/registry/{kind}/{id}": "/registry/outlets/1",
	"/rules/{id}": "/rules/air.iaqi", "/rules/{id}/diff": "/rules/air.iaqi/diff?a=1&b=2", "/rules/{id}/effect": "/rules/cems.hour_mean/effect",
	"/things/{id}": "/things/1000000001", "/policy/{permission}": "/policy/telemetry.view", "/outlets/{id}/access": "/outlets/1/access",
	"/api": "/api", "/webhooks/{id}": "/webhooks/" + testHook, "/gaps/{id}": "/gaps/" + testGap, "/devices/{mn}/commands": "/devices/" + testMN + "/commands?act=set_parameter", "/devices/{mn}/dialogues/{id}": "/devices/" + testMN + "/dialogues/" + testDialogue,
}

var (
	h1    = regexp.MustCompile(`(?s)<h1>(.*?)</h1>`)
	title = regexp.MustCompile(`(?s)<title>(.*?)</title>`)
	tags  = regexp.MustCompile(`<[^>]*>`)
	ids   = regexp.MustCompile(` id="([^"]*)"`)
	// ruleIDs are shown as the codes they are.
	ruleIDs = regexp.MustCompile(`<code lang="en">[^<]*</code>`)
	// rawKey is a catalogue key that was shown instead of its words.
	rawKey = regexp.MustCompile(`>[^<]*\b(overview|outlets|outlet|value|step|reason|devices|adopt|command|inspect|registry|rules|field|column|kind|verdict|level|state|gaps|dialogue|webhook|api_doc|things|policy|who|permission|role)\.[a-z_]+[^<]*<`)
)

func TestEveryPageInThreeLanguages(t *testing.T) {
	t.Parallel()
	r, jobs, _ := newReportRig(t, 40)
	jobs.jobs = []reportjob.Job{{ID: "job-1", Subject: reportjob.Subject{Scope: "region", Ref: "540000", Level: "year", Period: "2026"}, State: reportjob.Running, Created: testNow, Done: 3, Total: 60}}
	r.dialogues.list = []dialogue.Record{{ID: testDialogue, MN: testMN, Act: "get_clock", CN: 1011, Origin: dialogue.FromBackfill, Started: testNow, Outcome: dialogue.Done}}
	for _, pattern := range Pages() {
		path := examples[pattern]
		if path == "" {
			path = pattern
		}
		if pattern == "/overview" {
			continue // leads on to "/"
		}
		for _, lang := range i18n.Langs() {
			t.Run(string(lang)+path, func(t *testing.T) {
				w := r.ask("operator", "GET", "/"+string(lang)+path, nil)
				body := w.Body.String()
				if w.Code != http.StatusOK {
					t.Fatalf("status %d: %s", w.Code, body)
				}
				heads := h1.FindAllStringSubmatch(body, -1)
				if len(heads) != 1 {
					t.Fatalf("%d h1", len(heads))
				}
				if m := title.FindStringSubmatch(body); m == nil || !strings.HasPrefix(m[1], tags.ReplaceAllString(heads[0][1], "")) {
					t.Errorf("title %q does not begin with h1 %q", m, heads[0][1])
				}
				if !strings.Contains(body, `<html lang="`+lang.Tag()+`"`) {
					t.Error("lang of the page is wrong")
				}
				if m := rawKey.FindString(ruleIDs.ReplaceAllString(body, "")); m != "" {
					t.Errorf("untranslated: %s", m)
				}
				seen := map[string]bool{}
				for _, m := range ids.FindAllStringSubmatch(body, -1) {
					if seen[m[1]] {
						t.Errorf("id %s stands twice", m[1])
					}
					seen[m[1]] = true
				}
				if strings.Contains(body, "secret1") {
					t.Error("a password is shown")
				}
				for _, m := range tables.FindAllStringSubmatch(body, -1) {
					checkTable(t, r, html.UnescapeString(m[1]))
				}
			})
		}
	}
}

// tables are the links to a page's table for other programs.
var tables = regexp.MustCompile(`href="(/[a-z]{2}/[^"]*\.csv(?:\?[^"]*)?)"`)

// checkTable follows a link to a table: its query is one, and its second row
// holds words, not keys.
func checkTable(t *testing.T, r *rig, link string) {
	t.Helper()
	w := r.ask("operator", "GET", link, nil)
	if w.Code != http.StatusOK {
		t.Fatalf("%s: status %d", link, w.Code)
	}
	if _, query, has := strings.Cut(link, "?"); has && (!strings.Contains(query, "=") || strings.HasPrefix(query, "?")) {
		t.Errorf("%s: the filter of the page is lost", link)
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(w.Body.String(), "\ufeff"))).ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatalf("%s: %v, %d rows", link, err, len(rows))
	}
	for _, word := range rows[1] {
		if regexp.MustCompile(`^[a-z]+\.[a-z_.]+$`).MatchString(word) {
			t.Errorf("%s: untranslated column %s", link, word)
		}
	}
}

func TestKeysOfTemplatesAndRules(t *testing.T) {
	t.Parallel()
	engine, err := web.New(web.Options{Templates: []fs.FS{Templates()}})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range engine.MissingKeys() {
		t.Errorf("missing: %s", k)
	}
	for _, lang := range i18n.Langs() {
		for _, k := range quality.ReasonKeys {
			if !i18n.Default().Has(lang, k) {
				t.Errorf("missing: %s %s", lang, k)
			}
		}
	}
}

// zipped is the size of a page as the middleware sends it to a browser.
func zipped(tb testing.TB, page []byte) int {
	tb.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(page); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Len()
}

// TestOverviewBudget: with 300 outlets the page, its styles, script and map stay
// below 70 KB gzip, and the page below 2,500 elements.
func TestOverviewBudget(t *testing.T) {
	t.Parallel()
	r := newRig(t, 300)
	body := r.ask("officer", "GET", "/zh/", nil).Body.String()
	n := zipped(t, []byte(body))
	elements := len(regexp.MustCompile(`<[a-z]`).FindAllString(body, -1))
	t.Logf("page %d bytes gzip, %d bytes plain, %d elements", n, len(body), elements)
	if n > 30<<10 {
		t.Errorf("page alone is %d bytes gzip, more than the 30 KB of a repeated visit", n)
	}
	if elements > 2500 {
		t.Errorf("%d elements, more than 2,500", elements)
	}
	assets, err := web.LoadAssets()
	if err != nil {
		t.Skipf("files of the browser are not built: %v", err)
	}
	sum := n
	for _, name := range []string{"app.css", "app.js", "mark.svg", "basemap.svg"} {
		sum += assets.Size(name)
	}
	t.Logf("first visit %d bytes gzip", sum)
	if sum > 70<<10 {
		t.Errorf("first visit is %d bytes gzip, more than 70 KB", sum)
	}
}

func BenchmarkOverview(b *testing.B) {
	r := newRig(b, 300)
	for b.Loop() {
		if w := r.ask("officer", "GET", "/zh/", nil); w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
	}
}

func TestOverviewFragment(t *testing.T) {
	t.Parallel()
	r := newRig(t, 40)
	w := r.ask("officer", "GET", "/zh/", nil, web.FragmentHeader, "live-overview")
	body := w.Body.String()
	if !strings.HasPrefix(strings.TrimSpace(body), `<div id="live-overview"`) || strings.Contains(body, "<html") {
		t.Fatalf("not the fragment: %.200s", body)
	}
	again := r.ask("officer", "GET", "/zh/", nil, web.FragmentHeader, "live-overview", "If-None-Match", w.Header().Get("ETag"))
	if again.Code != http.StatusNotModified || again.Body.Len() != 0 {
		t.Fatalf("unchanged fragment: status %d, %d bytes", again.Code, again.Body.Len())
	}
}
