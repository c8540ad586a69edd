//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"plateau/hj212"
	"plateau/internal/telemetryweb"
	"plateau/internal/testkit"
)

// tab opens a browser tab of its own with its own cookies.
func tab(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	ctx, cancelTime := context.WithTimeout(ctx, 4*time.Minute)
	t.Cleanup(cancelTime)
	if err := chromedp.Run(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

func do(t *testing.T, ctx context.Context, actions ...chromedp.Action) { //nolint:revive // t first, as in all helpers
	t.Helper()
	if err := chromedp.Run(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// signIn signs in with the sample account whose button carries login.
func signIn(t *testing.T, ctx context.Context, login string) { //nolint:revive // t first, as in all helpers
	t.Helper()
	do(t, ctx,
		chromedp.Navigate(demo.http+"/zh/login"),
		chromedp.WaitVisible(`form button`),
		chromedp.Click(fmt.Sprintf(`button[value=%q], form[data-login=%q] button`, login, login), chromedp.ByQuery),
		chromedp.WaitVisible(`form.who`),
	)
}

// follow clicks the first visible link of the main part whose address matches
// and waits for the page behind it.
func follow(t *testing.T, ctx context.Context, within, pattern string) string { //nolint:revive // t first, as in all helpers
	t.Helper()
	var href string
	do(t, ctx, chromedp.Evaluate(fmt.Sprintf(`(() => {
		const re = new RegExp(%q);
		const a = [...document.querySelectorAll(%q + " a[href]")].find(a => re.test(a.getAttribute("href")) && a.getClientRects().length > 0);
		return a ? a.href : "";
	})()`, pattern, within), &href))
	if href == "" {
		var html string
		do(t, ctx, chromedp.OuterHTML("main", &html))
		t.Fatalf("no link to %s in %s of:\n%.3000s", pattern, within, html)
	}
	do(t, ctx, chromedp.Navigate(href), chromedp.WaitReady("h1"))
	return href
}

func text(t *testing.T, ctx context.Context, sel string) string { //nolint:revive // t first, as in all helpers
	t.Helper()
	var s string
	do(t, ctx, chromedp.Text(sel, &s, chromedp.ByQuery))
	return s
}

// TestExceedToFrame is the duty officer's way: an outlet exceeds, the overview
// shows it, its page, how the number came about, the very frame.
func TestExceedToFrame(t *testing.T) {
	for _, scripts := range []bool{true, false} {
		t.Run(fmt.Sprintf("scripts=%v", scripts), func(t *testing.T) {
			ctx := tab(t)
			do(t, ctx, emulation.SetScriptExecutionDisabled(!scripts))
			signIn(t, ctx, "officer")
			do(t, ctx, chromedp.Navigate(demo.http+"/zh/outlets?state=exceed"), chromedp.WaitReady("h1"))
			listed := text(t, ctx, "main")
			do(t, ctx, chromedp.Navigate(demo.http+"/zh/"), chromedp.WaitReady("h1"))
			if !strings.Contains(text(t, ctx, "main"), "超标") {
				t.Fatal("the overview shows nothing over its limit")
			}
			follow(t, ctx, "main table", `^/zh/outlets/\d+`)
			name := text(t, ctx, "h1")
			if !strings.Contains(listed, strings.TrimSpace(name)) {
				t.Errorf("the first outlet of the overview, %q, is not among those over their limit", name)
			}
			if !strings.Contains(text(t, ctx, "main"), "超标") {
				t.Error("the outlet's page does not say that it is over its limit")
			}
			follow(t, ctx, "main", `^/zh/values/`)
			if why := text(t, ctx, "main"); !strings.Contains(why, "限值") {
				t.Errorf("the explanation names no limit:\n%s", why)
			}
			follow(t, ctx, "main", `^/zh/frames/\d+-\d+`)
			frame := text(t, ctx, "main")
			if !strings.Contains(frame, "##") || !strings.Contains(frame, "DataTime=") {
				t.Errorf("the frame's page shows no frame:\n%.2000s", frame)
			}
			if regexp.MustCompile(`PW=[0-9A-Za-z]`).MatchString(frame) {
				t.Error("the frame's page shows the password")
			}
		})
	}
}

// knock sends a frame as an unknown logger and returns what comes back in a second.
func knock(t *testing.T, mn, value string) string {
	t.Helper()
	conn, err := net.DialTimeout("tcp", demo.hj212, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	now := time.Now()
	m := hj212.Message{
		QN: string(hj212.AppendQN(nil, now)), ST: "32", CN: "2011", PW: "654321", MN: mn, Flag: 5,
		CP: []hj212.Group{{{Name: "DataTime", Value: string(hj212.AppendTime(nil, now))}}, {{Name: "w01018-Rtd", Value: value}, {Name: "w01018-Flag", Value: "N"}}},
	}
	frame, err := m.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(frame); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	line, _ := bufio.NewReader(conn).ReadString('\n')
	return line
}

// frames asks the interface what came from a logger.
func frames(t *testing.T, mn string) (verdicts []string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, demo.http+"/api/v1/devices/"+mn+"/frames?limit=100", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+demo.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("frames of %s: %s", mn, resp.Status)
	}
	for sc := bufio.NewScanner(resp.Body); sc.Scan(); {
		var line struct{ Verdict string }
		if err := json.Unmarshal(sc.Bytes(), &line); err != nil {
			t.Fatalf("%v: %s", err, sc.Text())
		}
		verdicts = append(verdicts, line.Verdict)
	}
	return verdicts
}

// TestAdopt: an unknown logger knocks, is kept but not acknowledged, and after
// two clicks is stored.
func TestAdopt(t *testing.T) {
	const mn = "E2E0000000000000000000A1"
	if answer := knock(t, mn, "12.5"); answer != "" {
		t.Fatalf("an unknown logger was answered: %q", answer)
	}
	ctx := tab(t)
	signIn(t, ctx, "operator")
	do(t, ctx, chromedp.Navigate(demo.http+"/zh/devices"), chromedp.WaitReady("h1"))
	follow(t, ctx, "main", `^/zh/devices/`+mn+`/adopt`)
	do(t, ctx,
		chromedp.Evaluate(`document.querySelector("main form[method=post] button[type=submit], main form[method=post] button:not([type])").click()`, nil),
		chromedp.Sleep(time.Second), chromedp.WaitReady("h1"))
	var where string
	do(t, ctx, chromedp.Location(&where))
	if strings.HasSuffix(where, "/adopt") { // a confirmation page of its own
		do(t, ctx,
			chromedp.Evaluate(`document.querySelector("main form[method=post] button[type=submit], main form[method=post] button:not([type])").click()`, nil),
			chromedp.Sleep(time.Second), chromedp.WaitReady("h1"))
	}
	answer := knock(t, mn, "13.5")
	if !strings.Contains(answer, "CN=9014") {
		t.Errorf("the adopted logger was not acknowledged: %q", answer)
	}
	if got := frames(t, mn); !slices.Equal(got, []string{"quarantined", "stored"}) {
		t.Errorf("verdicts %v", got)
	}
}

// places fills the patterns of pages with what exists.
func places(t *testing.T, ctx context.Context) []string { //nolint:revive // t first, as in all helpers
	t.Helper()
	do(t, ctx, chromedp.Navigate(demo.http+"/zh/"), chromedp.WaitReady("h1"))
	outlet := strings.TrimPrefix(follow(t, ctx, "main table", `^/zh/outlets/\d+`), demo.http+"/zh")
	outlet, _, _ = strings.Cut(outlet, "?")
	value := strings.TrimPrefix(follow(t, ctx, "main", `^/zh/values/`), demo.http+"/zh")
	frame := strings.TrimPrefix(follow(t, ctx, "main", `^/zh/frames/`), demo.http+"/zh")
	do(t, ctx, chromedp.Navigate(demo.http+"/zh/devices"), chromedp.WaitReady("h1"))
	device := strings.TrimPrefix(follow(t, ctx, "main", `^/zh/devices/[^/]+$`), demo.http+"/zh")
	id := strings.Split(strings.TrimPrefix(outlet, "/outlets/"), "/")[0]
	var out []string
	for _, p := range telemetryweb.Pages() {
		switch {
		case p == "/{$}":
			p = "/"
		case strings.HasPrefix(p, "/outlets/{id}/{date}"):
			p = "/outlets/" + id + "/" + time.Now().In(hj212.Zone).Format("2006-01-02")
		case strings.HasPrefix(p, "/values/"):
			p = value
		case strings.HasPrefix(p, "/frames/"):
			p = frame
		case strings.HasPrefix(p, "/devices/{mn}"):
			p = strings.Replace(p, "/devices/{mn}", device, 1)
		case strings.HasPrefix(p, "/outlets/{id}"):
			p = strings.Replace(p, "{id}", id, 1)
		case strings.HasPrefix(p, "/registry/{kind}/{id}"):
			p = "/registry/outlets/" + id
		case strings.HasPrefix(p, "/registry/{kind}"):
			p = strings.Replace(p, "{kind}", "outlets", 1)
		case p == "/overview": // sends on to /
			continue
		}
		out = append(out, p)
	}
	return out
}

// axeScript is the source of axe-core, from the locked npm packages.
func axeScript(t *testing.T) string {
	t.Helper()
	src, err := os.ReadFile(filepath.Join(testkit.Root(), "web", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatalf("axe-core is not installed (make assets): %v", err)
	}
	return string(src)
}

type violation struct {
	ID, Help string
	Nodes    []struct{ HTML, FailureSummary string }
}

// TestPages opens every page in three languages and two widths: axe finds
// nothing, nothing is loaded from elsewhere, no script fails, the page does not
// scroll sideways, its title begins with its only h1. The pictures go to e2e/out.
func TestPages(t *testing.T) {
	axe := axeScript(t)
	out := filepath.Join(testkit.Root(), "e2e", "out")
	if err := os.MkdirAll(out, 0o750); err != nil {
		t.Fatal(err)
	}
	ctx := tab(t)
	var mu sync.Mutex
	var foreign, failed []string
	chromedp.ListenTarget(ctx, func(ev any) {
		mu.Lock()
		defer mu.Unlock()
		switch ev := ev.(type) {
		case *network.EventRequestWillBeSent:
			if u := ev.Request.URL; !strings.HasPrefix(u, demo.http+"/") && !strings.HasPrefix(u, "data:") && !strings.HasPrefix(u, "about:") {
				foreign = append(foreign, u)
			}
		case *runtime.EventExceptionThrown:
			failed = append(failed, ev.ExceptionDetails.Error())
		}
	})
	do(t, ctx, network.Enable())
	signIn(t, ctx, "operator")
	pages := append(places(t, ctx), "/login")
	for _, width := range []int64{1440, 390} {
		height := int64(900)
		if width < 640 {
			height = 844
		}
		do(t, ctx, chromedp.EmulateViewport(width, height))
		for _, lang := range []string{"zh", "bo", "en"} {
			for _, page := range pages {
				t.Run(fmt.Sprintf("%s%s/%d", lang, page, width), func(t *testing.T) {
					var (
						title, h1, language string
						headings, overflow  int
						found               []violation
						picture             []byte
						raw                 string
					)
					do(t, ctx,
						chromedp.Navigate(demo.http+"/"+lang+page), chromedp.WaitReady("h1"),
						chromedp.Evaluate(`document.fonts.ready.then(() => true)`, nil, awaitPromise),
						chromedp.Title(&title), chromedp.TextContent("h1", &h1, chromedp.ByQuery),
						chromedp.Evaluate(`document.querySelectorAll("h1").length`, &headings),
						chromedp.Evaluate(`document.documentElement.lang`, &language),
						chromedp.Evaluate(`document.documentElement.scrollWidth - document.documentElement.clientWidth`, &overflow),
						chromedp.FullScreenshot(&picture, 90),
						chromedp.Evaluate(axe+";true", nil),
						chromedp.Evaluate(`axe.run({runOnly: ["wcag2a","wcag2aa","wcag21a","wcag21aa","wcag22aa","best-practice"]}).then(r => JSON.stringify(r.violations))`, &raw, awaitPromise),
					)
					name := strings.Trim(strings.NewReplacer("/", "-", "?", "-").Replace(page), "-")
					if name == "" {
						name = "overview"
					}
					if len(name) > 60 {
						name = name[:60]
					}
					if err := os.WriteFile(filepath.Join(out, fmt.Sprintf("%s-%s-%d.jpg", name, lang, width)), picture, 0o600); err != nil {
						t.Error(err)
					}
					if err := json.Unmarshal([]byte(raw), &found); err != nil {
						t.Fatal(err)
					}
					for _, v := range found {
						var nodes []string
						for i, n := range v.Nodes {
							if i < 3 {
								nodes = append(nodes, fmt.Sprintf("%.300s", n.HTML))
							}
						}
						t.Errorf("axe %s (%s), %d places:\n  %s", v.ID, v.Help, len(v.Nodes), strings.Join(nodes, "\n  "))
					}
					clean := strings.Join(strings.Fields(h1), " ")
					if headings != 1 || clean == "" || !strings.HasPrefix(title, clean) {
						t.Errorf("title %q, %d h1 %q", title, headings, clean)
					}
					if want := map[string]string{"zh": "zh-Hans", "bo": "bo", "en": "en"}[lang]; language != want {
						t.Errorf("lang %q", language)
					}
					if overflow > 0 {
						t.Errorf("the page scrolls %d px sideways", overflow)
					}
				})
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(foreign) > 0 {
		t.Errorf("loaded from elsewhere: %v", foreign)
	}
	if len(failed) > 0 {
		t.Errorf("scripts failed: %v", failed)
	}
}

func awaitPromise(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }

// TestReadyEndpoints: what supervision asks.
func TestReadyEndpoints(t *testing.T) {
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, demo.http+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		_, _ = body.ReadFrom(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s %s", path, resp.Status, body.String())
		}
		if path == "/metrics" && !strings.Contains(body.String(), `plateau_hj212_frames_total{verdict="stored"}`) {
			t.Error("/metrics does not count stored frames")
		}
	}
}
