//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestRuleOfAValue goes from a judged value to the rule it cites, and asks what
// another figure would have changed.
func TestRuleOfAValue(t *testing.T) {
	t.Parallel()
	ctx := tab(t)
	signIn(ctx, t, "operator")
	open(ctx, t, "/zh/")
	open(ctx, t, follow(ctx, t, "main table", `^/zh/outlets/\d+`))
	open(ctx, t, follow(ctx, t, "main", `^/zh/values/`))
	rule := follow(ctx, t, ".why", `^/zh/rules/judge\.exceed`)
	open(ctx, t, rule)
	if got := text(ctx, t, "h1"); got != "超标判定" {
		t.Errorf("%s leads to %q", rule, got)
	}
	if body := text(ctx, t, "main"); !strings.Contains(body, "相符") || strings.Contains(body, "不符") {
		t.Error("the worked cases of the rule do not agree")
	}
	open(ctx, t, "/zh/rules/cems.hour_mean")
	open(ctx, t, follow(ctx, t, "main", `^/zh/rules/cems\.hour_mean/effect`))
	if err := chromedp.Do(ctx, chromedp.SetValue(`[name="p.min_valid_minutes"]`, "60")); err != nil {
		t.Fatal(err)
	}
	press(ctx, t, "main form .primary")
	until(ctx, t, `document.querySelector("main .card table") !== null && document.querySelector("main progress") === null`)
	if body := text(ctx, t, "main"); !strings.Contains(body, "有效小时所需的有效分钟数 45 → 60") {
		t.Errorf("the page does not say what was tried: %.400s", body)
	}
}
