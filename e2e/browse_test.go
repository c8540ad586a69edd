//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"plateau/hj212"
)

// tab opens a browser tab of its own with its own cookies.
func tab(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	ctx, cancelTime := context.WithTimeout(ctx, 20*time.Minute)
	t.Cleanup(cancelTime)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

func eval[T any](ctx context.Context, t *testing.T, js string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%.80s: %v", js, err)
	}
	return v
}

// call makes an action of a command of the browser's protocol.
func call[P, R any](cmd cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, cmd, params)
		return chromedp.Void{}, err
	}
}

// until asks from outside, so that it works on pages without scripts; what
// fails while the page changes is asked again.
func until(ctx context.Context, t *testing.T, condition string) {
	t.Helper()
	var err error
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); {
		var ok bool
		if ok, err = chromedp.Run(ctx, chromedp.Evaluate[bool](condition)); err == nil && ok {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal(ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	where, _ := chromedp.Run(ctx, chromedp.Location())
	t.Fatalf("not within 15 s: %s; at %s; %v", condition, where, err)
}

func open(ctx context.Context, t *testing.T, path string) {
	t.Helper()
	if err := chromedp.Do(ctx, chromedp.Navigate(demo.http+path)); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// signIn signs in with the button of a sample post.
func signIn(ctx context.Context, t *testing.T, login string) {
	t.Helper()
	open(ctx, t, "/zh/login")
	press(ctx, t, fmt.Sprintf(`form:has(input[type=hidden][name=name][value=%q]) button`, login))
	until(ctx, t, `!location.pathname.endsWith("/login") && document.querySelector("form[action$='sign-out'], form[action$='logout']") !== null`)
}

// press clicks what selector finds first and waits for the page behind it.
func press(ctx context.Context, t *testing.T, selector string) {
	t.Helper()
	q := strconv.Quote(selector)
	if !eval[bool](ctx, t, `(() => { const e = document.querySelector(`+q+`); if (!e) return false; globalThis.left = false; e.click(); return true })()`) {
		t.Fatalf("nothing to press: %s in\n%.3000s", selector, eval[string](ctx, t, `document.querySelector("main").innerHTML`))
	}
	until(ctx, t, `typeof globalThis.left === "undefined" && document.readyState === "complete" && document.querySelector("h1") !== null`)
}

// follow clicks the first visible link within an element whose address matches,
// waits for the page behind it and returns its path.
func follow(ctx context.Context, t *testing.T, within, pattern string) string {
	t.Helper()
	href := eval[string](ctx, t, fmt.Sprintf(`(() => {
		const re = new RegExp(%q);
		const a = [...document.querySelectorAll(%q + " a[href]")].find(a => re.test(a.getAttribute("href")) && a.getClientRects().length > 0);
		if (a) a.dataset.e2e = "next";
		return a ? a.getAttribute("href") : "";
	})()`, pattern, within))
	if href == "" {
		where, _ := chromedp.Run(ctx, chromedp.Location())
		t.Fatalf("no link to %s within %s of %s:\n%.3000s", pattern, within, where, eval[string](ctx, t, `document.querySelector("main").innerText`))
	}
	press(ctx, t, `a[data-e2e=next]`)
	return href
}

func text(ctx context.Context, t *testing.T, selector string) string {
	t.Helper()
	return strings.TrimSpace(eval[string](ctx, t, `document.querySelector(`+strconv.Quote(selector)+`).innerText`))
}

// TestExceedToFrame is the duty officer's way: an outlet exceeds, the overview
// shows it, its page, how the number came about, the very frame.
func TestExceedToFrame(t *testing.T) {
	t.Parallel()
	for _, scripts := range []bool{true, false} {
		t.Run(fmt.Sprintf("scripts=%t", scripts), func(t *testing.T) {
			ctx := tab(t)
			if err := chromedp.Do(ctx, call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !scripts})); err != nil {
				t.Fatal(err)
			}
			signIn(ctx, t, "officer")
			open(ctx, t, "/zh/outlets?state=exceed")
			listed := text(ctx, t, "main")
			open(ctx, t, "/zh/")
			if group := text(ctx, t, "main table tbody tr.group"); !strings.Contains(group, "超标") {
				t.Fatalf("the first group of the overview is %q, want what is over its limit", group)
			}
			follow(ctx, t, "main table", `^/zh/outlets/\d+`)
			name := text(ctx, t, "h1")
			if !strings.Contains(listed, name) {
				t.Errorf("the first outlet of the overview, %q, is not among those over their limit:\n%s", name, listed)
			}
			if !strings.Contains(text(ctx, t, "main"), "超标") {
				t.Error("the outlet's page does not say that it is over its limit")
			}
			follow(ctx, t, "main", `^/zh/values/`)
			if why := text(ctx, t, "main"); !strings.Contains(why, "限值") || !strings.Contains(why, "超标") {
				t.Errorf("the explanation does not say which limit is exceeded:\n%s", why)
			}
			follow(ctx, t, "main", `^/zh/frames/\d+-\d+`)
			frame := text(ctx, t, "main pre.frame")
			if !strings.Contains(frame, "##") || !strings.Contains(frame, "DataTime=") || !strings.Contains(frame, "PW=") {
				t.Errorf("the frame's page shows no frame:\n%.2000s", frame)
			}
			if html := eval[string](ctx, t, `document.documentElement.outerHTML`); regexp.MustCompile(`PW=[0-9A-Za-z]`).MatchString(html) {
				t.Error("the frame's page holds the password")
			}
		})
	}
}

// knock sends a frame as a logger and returns the line that comes back, empty
// when none comes within wait.
func knock(t *testing.T, mn, value string, wait time.Duration) string {
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
	if err := conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return line
}

// verdicts asks the interface what came from a logger.
func verdicts(t *testing.T, mn string) (out []string) {
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
	sc := bufio.NewScanner(resp.Body)
	for sc.Scan() {
		var line struct{ Verdict string }
		if err := json.Unmarshal(sc.Bytes(), &line); err != nil {
			t.Fatalf("%v: %s", err, sc.Text())
		}
		out = append(out, line.Verdict)
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestAdopt: an unknown logger knocks, is kept but not acknowledged, and is
// stored after two clicks of the operator.
func TestAdopt(t *testing.T) {
	t.Parallel()
	const mn = "E2E0000000000000000000A1"
	if answer := knock(t, mn, "12.5", time.Second); answer != "" {
		t.Fatalf("an unknown logger was answered: %q", answer)
	}
	ctx := tab(t)
	signIn(ctx, t, "operator")
	open(ctx, t, "/zh/devices")
	follow(ctx, t, "main", `^/zh/devices/`+mn+`/adopt$`)
	press(ctx, t, `main form[action$="/adopt"] button.primary`)
	if at := eval[string](ctx, t, `location.pathname`); strings.HasSuffix(at, "/adopt") {
		t.Fatalf("the second click did not adopt:\n%s", text(ctx, t, "main"))
	}
	if answer := knock(t, mn, "13.5", 10*time.Second); !strings.Contains(answer, "CN=9014") {
		t.Errorf("the adopted logger was not acknowledged: %q", answer)
	}
	if got := verdicts(t, mn); !slices.Equal(got, []string{"quarantined", "stored"}) {
		t.Errorf("verdicts %v, want the first frame quarantined, the second stored", got)
	}
}

// TestSupervision: what supervision asks.
func TestSupervision(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{"/healthz": "", "/readyz": `"ready":true`, "/metrics": `plateau_hj212_frames_total{verdict="stored"}`} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, demo.http+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %s, %v, want %s in\n%.2000s", path, resp.Status, err, want, body)
		}
	}
}
