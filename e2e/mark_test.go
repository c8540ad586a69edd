//go:build e2e

package e2e

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// markForm is the address of marking a period of an outlet, with what it would
// change.
func markForm(outlet, code string, from, to time.Time, factors ...string) string {
	q := url.Values{"check": {"1"}, "code": {code}, "from": {stamp(from)}, "to": {stamp(to)}, "cause": {"检查（示例）"}, "evidence": {"检查单（示例）"}}
	for _, f := range factors {
		q.Set("factor_"+f, "1")
	}
	return "/zh/outlets/" + outlet + "/marks/new?" + q.Encode()
}

func stamp(t time.Time) string {
	return t.In(time.FixedZone("", 8*3600)).Format("2006-01-02 15:04")
}

// send declares and submits the mark of the page, and returns the page it leads to.
func send(ctx context.Context, t *testing.T) string {
	t.Helper()
	eval[bool](ctx, t, `(() => { document.querySelector("input[name=declared]").checked = true; return true })()`)
	press(ctx, t, `form[method=post] button.primary`)
	at := eval[string](ctx, t, `location.pathname`)
	if !strings.HasPrefix(at, "/zh/marks/M") {
		t.Fatalf("the mark leads to %s: %s", at, eval[string](ctx, t, `document.querySelector("main").innerText`))
	}
	return strings.TrimPrefix(at, "/zh")
}

// TestMarkAndReview: a mark of the device makes hours invalid, the page says so
// before it is sent; sent back by the review they are valid again.
func TestMarkAndReview(t *testing.T) {
	ctx := tab(t)
	signIn(ctx, t, "officer")
	open(ctx, t, "/zh/")
	href := follow(ctx, t, "main table", `^/zh/outlets/\d+`)
	outlet, _, _ := strings.Cut(strings.TrimPrefix(href, "/zh/outlets/"), "?")
	outlet, _, _ = strings.Cut(outlet, "/")
	to := time.Now().Add(-26 * time.Hour).Truncate(time.Hour)
	from := to.Add(-2 * time.Hour)
	valid := func() (n int) {
		var h struct{ Rows []struct{ Valid bool } }
		ask(t, "/api/v1/outlets/"+outlet+"/hours?from="+url.QueryEscape(from.UTC().Format(time.RFC3339))+"&to="+url.QueryEscape(to.UTC().Format(time.RFC3339)), &h)
		for _, x := range h.Rows {
			if x.Valid {
				n++
			}
		}
		return n
	}
	before := valid()
	if before == 0 {
		t.Fatalf("no valid hour of outlet %s between %s and %s", outlet, from, to)
	}
	wait := func(what string, want int) {
		t.Helper()
		for end := time.Now().Add(time.Minute); valid() != want; time.Sleep(200 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: %d valid values, want %d", what, valid(), want)
			}
		}
	}
	open(ctx, t, markForm(outlet, "mark.device/commissioning", from, to))
	if text := eval[string](ctx, t, `document.querySelector("main").innerText`); !strings.Contains(text, "不再有效的小时值："+strconv.Itoa(before)) {
		t.Fatalf("the page does not say that %d values are no longer valid: %s", before, text)
	}
	mark := send(ctx, t)
	wait("marked", 0)
	eval[bool](ctx, t, `(() => { document.querySelector("select[name=decision]").value = "false"; document.querySelector("textarea[name=note]").value = "并无调试（示例）"; return true })()`)
	press(ctx, t, `form[action$="/review"] button`)
	if text := eval[string](ctx, t, `document.querySelector("main").innerText`); !strings.Contains(text, "虚假标记") {
		t.Fatalf("%s after the review: %s", mark, text)
	}
	wait("called false", before)
}
