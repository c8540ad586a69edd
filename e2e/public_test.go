//go:build e2e

package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"plateau/internal/testkit"
)

// TestPublicTibetan is a resident's way on a phone, in Tibetan, with scripts
// switched off and nobody signed in: choose the county, read its sentence, open
// an outlet. The pages stay within the budgets, load the Tibetan font, and the
// Chinese ones do not.
func TestPublicTibetan(t *testing.T) {
	t.Parallel()
	ctx := tab(t)
	tr := record(ctx, t)
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(390, 844), call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})); err != nil {
		t.Fatal(err)
	}
	open(ctx, t, "/bo/login")
	follow(ctx, t, "main", `^/bo/public$`)
	county := follow(ctx, t, "main .places", `^/bo/public/counties/\d+$`)
	if said := text(ctx, t, "main .says"); !strings.Contains(said, "ཚད་བཅད་ནང་ཡོད།") {
		t.Errorf("the county's sentence does not say what is within its limits: %q", said)
	}
	look(ctx, t, "bo")
	outlet := follow(ctx, t, "main", `^/bo/public/outlets/\d+$`)
	if n := eval[int](ctx, t, `document.querySelectorAll(".days > li").length`); n != 30 {
		t.Errorf("%d days in the strip", n)
	}
	look(ctx, t, "bo")
	history := follow(ctx, t, "main .actions", `/history`)
	if n := eval[int](ctx, t, `document.querySelectorAll("svg.day").length`); n != 2 {
		t.Errorf("%d drawings of the history, want a wide and a narrow one", n)
	}
	look(ctx, t, "bo")

	for _, lang := range []string{"bo", "zh", "en"} {
		first, requests := 25_000, 3
		if lang == "bo" {
			first, requests = 100_000, 4
		}
		for _, page := range []string{"/bo/public", county, outlet, history, "/bo/public/data"} {
			page = strings.Replace(page, "/bo/", "/"+lang+"/", 1)
			if err := chromedp.Do(ctx, call(network.ClearBrowserCache, cdp.Empty{}), chromedp.Navigate("about:blank")); err != nil {
				t.Fatal(err)
			}
			for i, most := range []int{first, 8_000} {
				tr.take()
				open(ctx, t, page)
				eval[bool](ctx, t, `document.fonts.ready.then(() => true)`)
				time.Sleep(200 * time.Millisecond) // the page has no timers, scripts are off
				urls, bytes := tr.take()
				t.Logf("%s, visit %d: %.0f bytes, %d requests", page, i+1, bytes, len(urls))
				if int(bytes) > most || len(urls) > requests {
					t.Errorf("%s, visit %d: %.0f bytes (at most %d), %d requests (at most %d): %v", page, i+1, bytes, most, len(urls), requests, urls)
				}
				if font := strings.Contains(strings.Join(urls, " "), ".woff2"); font && lang != "bo" || i == 0 && font != (lang == "bo") {
					t.Errorf("%s, visit %d: Tibetan font loaded: %t", page, i+1, font)
				}
			}
			if n := eval[int](ctx, t, `document.querySelectorAll("*").length`); n > 2500 {
				t.Errorf("%s: %d elements", page, n)
			}
		}
	}

	axe, err := os.ReadFile(filepath.Join(testkit.Root(), "web", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatalf("axe-core is not installed (make assets): %v", err)
	}
	if err := chromedp.Do(ctx, call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: false})); err != nil {
		t.Fatal(err)
	}
	for _, page := range []string{county, outlet, history} {
		open(ctx, t, page)
		eval[bool](ctx, t, string(axe)+";true")
		var found []fault
		if err := json.Unmarshal([]byte(eval[string](ctx, t, runAxe)), &found); err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			t.Errorf("%s: axe %s (%s):\n  %s", page, f.ID, f.Help, strings.Join(f.Nodes[:min(3, len(f.Nodes))], "\n  "))
		}
	}
	if len(tr.foreign) > 0 {
		t.Errorf("loaded from elsewhere: %v", tr.foreign)
	}
}

// TestPublicFiles takes a county's files and feed as a program would, without a
// token.
func TestPublicFiles(t *testing.T) {
	t.Parallel()
	get := func(path string) (string, http.Header) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, demo.http+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v", path, resp.Status, err)
		}
		return string(body), resp.Header
	}
	home, _ := get("/zh/public")
	_, code, _ := strings.Cut(home, `href="/zh/public/counties/`)
	page, _ := get("/zh/public/counties/" + code[:6])
	for _, part := range strings.Split(page, `href="/public/files/`)[1:] {
		name, _, _ := strings.Cut(part, `"`)
		body, head := get("/public/files/" + name)
		if strings.HasSuffix(name, ".parquet") && (!strings.HasPrefix(body, "PAR1") || !strings.HasSuffix(body, "PAR1")) || strings.HasSuffix(name, ".csv") && !strings.HasPrefix(body, "\ufefflevel,start,outlet,") {
			t.Errorf("%s begins with %.40q", name, body)
		}
		if head.Get("ETag") == "" || head.Get("Last-Modified") == "" || head.Get("Set-Cookie") != "" {
			t.Errorf("%s: %v", name, head)
		}
	}
	if feed, head := get("/zh/public/counties/" + code[:6] + "/feed.atom"); !strings.Contains(feed, "<updated>") || !strings.HasPrefix(head.Get("Content-Type"), "application/atom+xml") {
		t.Errorf("feed: %v %.200s", head, feed)
	}
}
