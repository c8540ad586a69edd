package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"plateau/internal/platform/i18n"
	"plateau/internal/testkit"
)

// browser starts a headless Chromium; without one, or without built assets, the
// test is skipped, and fails where CI=true.
func browser(t *testing.T) context.Context {
	t.Helper()
	give := func(why string) {
		if os.Getenv("CI") == "true" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	if testing.Short() {
		t.Skip("a browser takes seconds")
	}
	if _, err := LoadAssets(); errors.Is(err, ErrNotBuilt) {
		give("the browser files are not built: make assets")
	}
	path := ""
	for _, name := range []string{"chromium", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		give("no Chromium: apt-get install chromium")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	ctx, stop = context.WithTimeout(ctx, 90*time.Second)
	t.Cleanup(stop)
	return ctx
}

// site serves the gallery and counts how the live fragment is asked for.
type site struct {
	url                     string
	asked, unchanged, pages atomic.Int64
	value                   atomic.Int64
}

const livePage = `{{define "content"}}<h1>{{.Title}}</h1>{{template "live" .}}
<form method="get" action="/zh/live" data-swap="list"><input type="search" name="q" id="q" aria-label="q"><button>go</button></form>{{template "list" .}}{{end}}
{{define "live"}}<section id="live" data-live="1"><p id="v">{{.Data.V}}</p><a id="l" href="#x">a</a></section>{{end}}
{{define "list"}}<div id="list"><p id="filter">{{.Data.Q}}</p><table class="list"><tbody><tr><td><a id="r1" href="#1">1</a></td></tr><tr><td><a id="r2" href="#2">2</a></td></tr></tbody></table></div>{{end}}`

func newSite(t *testing.T) *site {
	t.Helper()
	raw, err := os.ReadFile("testdata/gallery.html")
	if err != nil {
		t.Fatal(err)
	}
	a, err := LoadAssets()
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(Options{
		Assets: a, Templates: append(engineFiles(raw), files(map[string]string{"live.html": livePage})),
		Links: []Link{{"overview", "/"}, {"outlets", "/outlets"}, {"devices", "/devices"}, {"frames", "/frames"}, {"registry", "/registry"}}, Version: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{}
	mux := http.NewServeMux()
	mux.Handle("GET "+AssetPath, a)
	gallery := func(w http.ResponseWriter, r *http.Request) {
		page := sampleGallery(e.Localizer(RequestLang(r)))
		if err := e.Serve(w, r, http.StatusOK, "gallery.html", page); err != nil {
			t.Error(err)
		}
	}
	for _, lang := range i18n.Langs() {
		mux.HandleFunc("GET "+Path(lang, "/{$}"), gallery)
	}
	mux.HandleFunc("GET /zh/live", func(w http.ResponseWriter, r *http.Request) {
		rec := &statusWriter{ResponseWriter: w}
		err := e.Serve(rec, r, http.StatusOK, "live.html", &Page{Title: "live", Data: struct{ V, Q any }{s.value.Load(), r.URL.Query().Get("q")}})
		if err != nil {
			t.Error(err)
		}
		switch {
		case r.Header.Get(FragmentHeader) == "":
			s.pages.Add(1)
		case r.Header.Get(FragmentHeader) == "live":
			s.asked.Add(1)
			if rec.status == http.StatusNotModified {
				s.unchanged.Add(1)
			}
		}
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func eval[T any](ctx context.Context, t *testing.T, js string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%.80s: %v", js, err)
	}
	return v
}

// within waits until the page says so; a wait with a limit, not a sleep.
func within(ctx context.Context, t *testing.T, condition string) {
	t.Helper()
	js := fmt.Sprintf(`new Promise(done=>{const end=Date.now()+10000;(function look(){(%s)||Date.now()>end?done(Boolean(%s)):setTimeout(look,20)})()})`, condition, condition)
	if !eval[bool](ctx, t, js) {
		t.Fatalf("not within 10 s: %s", condition)
	}
}

func TestLiveFragment(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	s := newSite(t)
	s.value.Store(1)
	if err := chromedp.Do(ctx, chromedp.Navigate(s.url+"/zh/live")); err != nil {
		t.Fatal(err)
	}
	eval[bool](ctx, t, `document.getElementById("l").focus(),true`)
	s.value.Store(2)
	within(ctx, t, `document.getElementById("v").textContent==="2"`)
	if id := eval[string](ctx, t, `document.activeElement.id`); id != "l" {
		t.Errorf("after the update the focus is on %q, want the same link", id)
	}
	before := s.unchanged.Load()
	deadline := time.Now().Add(10 * time.Second)
	for s.unchanged.Load() == before && time.Now().Before(deadline) {
		eval[bool](ctx, t, `new Promise(d=>setTimeout(()=>d(true),100))`)
	}
	if s.unchanged.Load() == before {
		t.Error("unchanged content was never answered with 304")
	}

	// A form replaces its list only, and the address can be shared and gone back from.
	eval[bool](ctx, t, `document.getElementById("q").value="abc",document.querySelector("form[data-swap]").requestSubmit(),true`)
	within(ctx, t, `document.getElementById("filter").textContent==="abc" && location.search==="?q=abc"`)
	eval[bool](ctx, t, `history.back(),true`)
	within(ctx, t, `document.getElementById("filter")?.textContent==="" && location.search===""`)

	// Single keys.
	eval[bool](ctx, t, `document.activeElement.blur(),true`)
	key := func(k string) {
		eval[bool](ctx, t, `document.dispatchEvent(new KeyboardEvent("keydown",{key:"`+k+`",bubbles:true})),true`)
	}
	key("j")
	key("j")
	if id := eval[string](ctx, t, `document.activeElement.id`); id != "r2" {
		t.Errorf("j j leads to %q, want the second row", id)
	}
	key("k")
	key("/")
	if id := eval[string](ctx, t, `document.activeElement.id`); id != "q" {
		t.Errorf("/ leads to %q, want the search field", id)
	}
}

// TestGalleryInBrowser looks at every component: accessible (axe, WCAG 2.2 AA
// and best practice), no sideways scroll, nothing loaded from elsewhere, and the
// Tibetan font only where Tibetan stands.
func TestGalleryInBrowser(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	s := newSite(t)
	axe, err := os.ReadFile(filepath.Join(testkit.Root(), "web", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Skip("axe-core is not installed: make assets")
	}
	// Tibetan comes last: the browser counts a font it has in memory as loaded.
	for _, lang := range []i18n.Lang{i18n.Zh, i18n.En, i18n.Bo} {
		for _, width := range []int64{1440, 390, 320} {
			for _, scheme := range []string{"light", "dark"} {
				name := fmt.Sprintf("%s %d %s", lang, width, scheme)
				media := func(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
					_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
					return chromedp.Void{}, err
				}
				if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 900), media, chromedp.Navigate(s.url+"/"+string(lang)+"/")); err != nil {
					t.Fatal(err)
				}
				if wide := eval[int](ctx, t, `document.fonts.ready.then(()=>document.documentElement.scrollWidth-document.documentElement.clientWidth)`); wide > 0 {
					t.Errorf("%s: the page scrolls sideways by %d px", name, wide)
				}
				loaded := eval[string](ctx, t, `performance.getEntriesByType("resource").map(r=>r.name).join(" ")`)
				for u := range strings.FieldsSeq(loaded) {
					if !strings.HasPrefix(u, s.url) {
						t.Errorf("%s: loads %s", name, u)
					}
				}
				if font := strings.Contains(loaded, ".woff2"); font != (lang == i18n.Bo) {
					t.Errorf("%s: Tibetan font loaded: %t", name, font)
				}
				if width == 320 || lang == i18n.En && scheme == "dark" {
					continue // the same rules on the same colours and boxes
				}
				eval[bool](ctx, t, string(axe)+";true")
				faults := eval[string](ctx, t, `axe.run(document,{runOnly:["wcag2a","wcag2aa","wcag21a","wcag21aa","wcag22aa","best-practice"]}).then(r=>r.violations.map(v=>v.id+": "+v.help+" "+v.nodes.slice(0,3).map(n=>n.html.slice(0,160)).join(" | ")).join("\n"))`)
				if faults != "" {
					t.Errorf("%s: %s", name, faults)
				}
			}
		}
	}
}
