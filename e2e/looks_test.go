//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// TestWhoLooked: staff open a page with somebody's name on it, and that person reads
// on the own page who did, in which post; without scripts, too.
func TestWhoLooked(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, looker, list, pattern, person, post, what string
		scripts                                         bool
	}{
		{"post", "operator", "/zh/posts", `^/zh/posts/[0-9a-f-]+$`, "officer", "系统管理员（示例）", "查看岗位", true},
		{"account", "operator", "/zh/accounts?kind=enterprise", `^/zh/accounts/[0-9a-f-]+$`, "enterprise", "系统管理员（示例）", "查看账号", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			looker, person := tab(t), tab(t)
			if err := chromedp.Do(person, call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !tt.scripts})); err != nil {
				t.Fatal(err)
			}
			signIn(person, t, tt.person)
			open(person, t, "/zh/account/looks")
			const count = `[...document.querySelectorAll("main table tbody tr")].filter(r => r.innerText.includes(%WHAT%)).length`
			looks := strings.ReplaceAll(count, "%WHAT%", `"`+tt.what+`"`)
			before := eval[int](person, t, looks)

			signIn(looker, t, tt.looker)
			open(looker, t, tt.list)
			follow(looker, t, "main table", tt.pattern)

			open(person, t, "/zh/account/looks")
			if after := eval[int](person, t, looks); after <= before {
				t.Errorf("%d looks of the kind before, %d after:\n%.2000s", before, after, text(person, t, "main"))
			}
			if first := text(person, t, "main table tbody tr"); !strings.Contains(first, tt.post) {
				t.Errorf("the newest look is not by %s: %q", tt.post, first)
			}
		})
	}
}
