package publicweb

import (
	"bytes"
	"compress/gzip"
	"context"
	"html"
	"io/fs"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"plateau/internal/platform/casework"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/alarm"
	"plateau/internal/web"
)

// examples gives an address for each pattern of Pages.
var examples = map[string]string{
	"/public/counties/{code}": "/public/counties/540124", "/public/outlets/{id}": "/public/outlets/1",
	"/public/outlets/{id}/history": "/public/outlets/1/history?from=2026-11-01&to=2026-11-30&factor=a21002",
}

func example(pattern string) string {
	if to := examples[pattern]; to != "" {
		return to
	}
	return pattern
}

var (
	h1     = regexp.MustCompile(`(?s)<h1>(.*?)</h1>`)
	title  = regexp.MustCompile(`(?s)<title>(.*?)</title>`)
	tags   = regexp.MustCompile(`<[^>]*>`)
	ids    = regexp.MustCompile(` id="([^"]*)"`)
	rawKey = regexp.MustCompile(`>[^<]*\b(public|nav|state|level|statistic)\.[a-z_]+[^<]*<`)
)

func TestEveryPageInThreeLanguages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, pattern := range Pages() {
		path := example(pattern)
		if strings.Contains(path, "{") {
			t.Errorf("no example for %s", pattern)
			continue
		}
		for _, lang := range i18n.Langs() {
			t.Run(string(lang)+path, func(t *testing.T) {
				w := r.ask("/" + string(lang) + path)
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
				if !strings.Contains(body, `<html lang="`+lang.Tag()+`" class="plain"`) {
					t.Error("language or density of the page is wrong")
				}
				if strings.Contains(body, "<script") {
					t.Error("the page loads a script")
				}
				if m := rawKey.FindString(strings.ReplaceAll(body, "public.publish", "")); m != "" {
					t.Errorf("untranslated: %s", m)
				}
				seen := map[string]bool{}
				for _, m := range ids.FindAllStringSubmatch(body, -1) {
					if seen[m[1]] {
						t.Errorf("id %s stands twice", m[1])
					}
					seen[m[1]] = true
				}
				lacksSecrets(t, path, body)
				if c := w.Header().Get("Cache-Control"); c != maxAge {
					t.Errorf("Cache-Control %q", c)
				}
				for _, h := range []string{"Set-Cookie"} {
					if w.Header().Get(h) != "" {
						t.Errorf("the answer has %s", h)
					}
				}
				again := r.ask("/"+string(lang)+path, "If-None-Match", w.Header().Get("ETag"))
				if again.Code != http.StatusNotModified || again.Body.Len() > 0 {
					t.Errorf("unchanged page: status %d, %d bytes", again.Code, again.Body.Len())
				}
			})
		}
	}
}

func TestKeysOfTemplates(t *testing.T) {
	t.Parallel()
	engine, err := web.New(web.Options{Templates: []fs.FS{Templates()}})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range engine.MissingKeys() {
		t.Errorf("missing: %s", k)
	}
	for _, lang := range i18n.Langs() { // made from states
		for _, s := range order {
			for _, k := range []string{"public.state." + s, "public.sum." + s} {
				if s == "normal" && strings.HasPrefix(k, "public.sum.") {
					k = "public.sum.within"
				}
				if !i18n.Default().Has(lang, k) {
					t.Errorf("missing: %s %s", lang, k)
				}
			}
		}
	}
}

func TestScenarios(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, target    string
		status          int
		contains, lacks []string
	}{
		{"home", "/zh/public", 200, []string{"截至今天 08:15，4 个监测点中有 1 个在限值以内。", "1 个超标", "曲水县", "4 个监测点，1 个超标"}, []string{"墨竹工卡县"}},
		{"home in english", "/en/public", 200, []string{"As of today 08:15, 1 of 4 monitored places are within their limits.", "1 is over the limit since today 07:00.", "Sign in for staff"}, nil},
		{"county", "/zh/public/counties/540124", 200, []string{
			"今天，曲水县的排放", "今天 07:00 起：氮氧化物（NOx）小时均值（折算） 62.4 mg/m³，限值 50。", "本时段到目前为止的均值高于限值", "今天 06:45 起没有数据", "水质 I 类", "示例",
			"没有经过人工核实", "不说水能不能喝",
		}, nil},
		{"county in tibetan", "/bo/public/counties/540124", 200, []string{"ཆུ་ཤུར་རྫོང་།", "ཚད་བརྒལ།", "ཆུའི་སྤུས་ཀ་རིགས་ I"}, nil},
		{"county without outlets", "/zh/public/counties/540127", 200, []string{"本系统在这里没有监测点"}, []string{"个在限值以内"}},
		{"no such county", "/zh/public/counties/999999", 404, []string{"没有这一页"}, nil},
		{"outlet over", "/zh/public/outlets/1", 200, []string{"超标", "62.4 mg/m³", "限值 50", "GB 13223-2011", "2012-01-01 起执行", "2026-11-20：3 小时超标", "本系统里还没有工作人员确认过"}, nil},
		{"outlet within, day over", "/zh/public/outlets/2", 200, []string{"2026-11-19：超标", "2026-11-18：数据不足", "2026-11-23：未结束", "6–9 · 日均值"}, nil},
		{"silent outlet", "/en/public/outlets/3", 200, []string{"No data since today 06:45.", "2026-11-20: no data"}, []string{"within its limits"}},
		{"no such outlet", "/zh/public/outlets/77", 404, nil, nil},
		{"no number", "/zh/public/outlets/1x", 404, nil, nil},
		{"robots", "/robots.txt", 200, []string{"Allow: /bo/public", "Disallow: /"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newRig(t).ask(tc.target)
			body := strings.ReplaceAll(html.UnescapeString(w.Body.String()), "\u00a0", " ")
			if w.Code != tc.status {
				t.Fatalf("status %d: %s", w.Code, body)
			}
			for _, want := range tc.contains {
				if !strings.Contains(body, want) {
					t.Errorf("lacks %q", want)
				}
			}
			for _, no := range tc.lacks {
				if strings.Contains(body, no) {
					t.Errorf("has %q", no)
				}
			}
			lacksSecrets(t, tc.target, body)
			if t.Failed() {
				t.Log(tags.ReplaceAllString(body, ""))
			}
		})
	}
}

func TestWithoutLanguage(t *testing.T) {
	t.Parallel()
	w := newRig(t).ask("/public/outlets/1", "Accept-Language", "bo")
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/bo/public/outlets/1" {
		t.Errorf("status %d to %q", w.Code, w.Header().Get("Location"))
	}
}

// TestManyReadersOneDrawing: readers of one minute share one answer; the next
// minute has a new one.
func TestManyReadersOneDrawing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() { r.ask("/zh/public") })
	}
	wg.Wait()
	if n := r.quality.asked.Load(); n != 1 {
		t.Errorf("states asked %d times for 200 readers", n)
	}
	r.now = r.now.Add(time.Minute)
	if !strings.Contains(r.page(t, "/zh/public"), "08:16") {
		t.Error("the next minute shows the old page")
	}
	if n := r.quality.asked.Load(); n != 2 {
		t.Errorf("states asked %d times in two minutes", n)
	}
}

// TestFailureIsNotKept: an answer that failed is tried again.
func TestFailureIsNotKept(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.quality.failed = true
	w := r.ask("/zh/public")
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), errFake.Error()) {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	r.quality.failed = false
	if w := r.ask("/zh/public"); w.Code != http.StatusOK {
		t.Errorf("status %d after the fault was over", w.Code)
	}
}

// fakeAlarms are what officers said of outlet 1's alarm.
type fakeAlarms []alarm.Episode

func (f fakeAlarms) List(_ context.Context, q alarm.Filter) (out []alarm.Episode, err error) {
	for _, e := range f {
		if slices.Contains(q.Outlets, e.Outlet) && slices.Contains(q.Kinds, e.Kind) && *q.Open == e.Open() {
			out = append(out, e)
		}
	}
	return out, nil
}

// TestWhatIsBeingDone: that an officer has taken note is told, who it was is not.
func TestWhatIsBeingDone(t *testing.T) {
	t.Parallel()
	note := alarm.Note{By: "account-77", Post: telemetry.Name{Zh: "值班员甲"}, At: testNow.Add(-20 * time.Minute), Text: "remark-77"}
	open := alarm.Episode{Outlet: 1, Factor: "a21002", Kind: alarm.Over, Start: testNow.Add(-time.Hour)}
	seen, wrong, other, over := open, open, open, open
	seen.Ack, wrong.False, wrong.Ack, other.Ack, other.Factor, over.Ack, over.End = note, note, note, note, "a21026", note, testNow
	for _, tc := range []struct {
		name   string
		alarms Alarms
		want   string
	}{
		{"no alarms", nil, "还没有工作人员确认过"},
		{"open", fakeAlarms{open}, "还没有工作人员确认过"},
		{"of another factor, or over", fakeAlarms{other, over}, "还没有工作人员确认过"},
		{"seen", fakeAlarms{other, seen}, "工作人员已在 今天 08:10 确认知道这件事"},
		{"false", fakeAlarms{wrong}, "认为这是误报"},
	} {
		r := newRig(t)
		r.Alarms = tc.alarms
		body := r.page(t, "/zh/public/outlets/1")
		if !strings.Contains(body, tc.want) {
			t.Errorf("%s: lacks %q", tc.name, tc.want)
		}
		for _, no := range []string{"account-77", "值班员甲", "remark-77"} {
			if strings.Contains(body, no) {
				t.Errorf("%s: tells who: %s", tc.name, no)
			}
		}
	}
}

// fakeCases are what there is of outlet 1.
type fakeCases []Case

func (f fakeCases) OfOutlet(_ context.Context, outlet telemetry.OutletID, since time.Time) (out []Case, err error) {
	for _, c := range f {
		if outlet == 1 && (c.Open || !c.Since.Before(since)) {
			out = append(out, c)
		}
	}
	return out, nil
}

// TestWhatCameOfIt: the case of an exceedance is told with its state and what came of it,
// once its first mean is published; of single values, and too early, nothing is.
func TestWhatCameOfIt(t *testing.T) {
	t.Parallel()
	state := casework.Text{Zh: "已下发", En: "issued"}
	open := Case{
		Number: "26 0123 4567 89 39", Href: "/track?number=26012345678939", State: state, Opened: testNow.Add(-3 * time.Hour), Since: testNow.Add(-3 * time.Hour), Open: true,
		Kind: alarm.Over, Factor: "a21002", Level: "hour", From: testNow.Add(-4 * time.Hour),
	}
	closed, early, single, old := open, open, open, open
	closed.Open, closed.State, closed.To, closed.Summary = false, casework.Text{Zh: "已办结", En: "closed"}, testNow.Add(-2*time.Hour), casework.Text{Zh: "已更换喷嘴", En: "the nozzle was replaced"}
	early.From = testNow.Add(-time.Hour)
	early.Opened = testNow
	single.Level = "instantaneous"
	old.Open, old.Since = false, testNow.AddDate(-1, 0, 0)
	for _, tc := range []struct {
		name  string
		cases Cases
		want  []string
		lacks string
	}{
		{"open", fakeCases{open}, []string{"26 0123 4567 89 39", "/en/track?number=26012345678939", "issued", "NOx", "to now"}, "What came of it"},
		{"closed", fakeCases{closed}, []string{"closed", "the nozzle was replaced"}, "to now"},
		{"none", fakeCases{}, nil, "What is being done</h2><p>Put"},
		{"not published yet", fakeCases{early}, nil, "26 0123"},
		{"of single values", fakeCases{single}, nil, "26 0123"},
		{"closed long ago", fakeCases{old}, nil, "26 0123"},
		{"no casework", nil, nil, "26 0123"},
	} {
		r := newRig(t)
		r.Cases = tc.cases
		body := r.page(t, "/en/public/outlets/1")
		for _, s := range tc.want {
			if !strings.Contains(body, s) {
				t.Errorf("%s: lacks %q", tc.name, s)
			}
		}
		if strings.Contains(body, tc.lacks) {
			t.Errorf("%s: has %q", tc.name, tc.lacks)
		}
	}
}

// TestPageBytes: a page alone stays within what a repeated visit may take.
func TestPageBytes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, lang := range i18n.Langs() {
		for _, pattern := range append(Pages(), "/public/outlets/1/history?from=2026-01-01&to=2026-12-31", "/public/outlets/1/history?from=2026-11-20&to=2026-11-20") {
			to := "/" + string(lang) + example(pattern)
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			if _, err := z.Write(r.ask(to).Body.Bytes()); err != nil || z.Close() != nil {
				t.Fatal(err)
			}
			t.Logf("%s: %d bytes gzip", to, b.Len())
			if b.Len() > 8_000 {
				t.Errorf("%s: %d bytes gzip, more than the 8 KB of a repeated visit", to, b.Len())
			}
		}
	}
}

// TestEmptyRegistry: nothing is said to be within limits where nothing is
// monitored.
func TestEmptyRegistry(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.snap.Outlets, r.snap.Order = nil, nil
	if body := r.page(t, "/zh/public"); !strings.Contains(body, "本系统在这里没有监测点") || strings.Contains(body, "个在限值以内") {
		t.Error(tags.ReplaceAllString(body, ""))
	}
}

// TestOutletWithoutCounty: an outlet that the registry has put in no county yet,
// or in one that it does not know, is on no page and in no file; the others are.
func TestOutletWithoutCounty(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.snap.Outlets[1].Area = ""
	body := r.page(t, "/zh/public")
	if !strings.Contains(body, "3 个监测点") || strings.Contains(body, `/public/counties/"`) {
		t.Error(tags.ReplaceAllString(body, ""))
	}
	r.snap.Outlets[1].Area = "549999" // taken from the registry: its answers are not kept from before
	for _, path := range []string{"/zh/public/outlets/1", "/zh/public/counties/549999", "/public/files/outlet-1-hours-2026-11.csv", "/public/files/county-549999-hours-2026-11.csv"} {
		if w := r.ask(path); w.Code != http.StatusNotFound {
			t.Errorf("%s: status %d", path, w.Code)
		}
	}
}
