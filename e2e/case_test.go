//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"plateau/internal/testkit"
)

// openedCase is a case as the interface answers when it is opened.
type openedCase struct {
	Number string `json:"tracking_no"`
	Link   string `json:"link"`
}

// sampleCase is a case that the operator reported.
var sampleCase = sync.OnceValues(func() (c openedCase, err error) {
	req, err := http.NewRequest(http.MethodPost, demo.http+"/api/v1/cases", strings.NewReader(`{"kind": "river_case", "category": "bank_dump", "title": "岸边倾倒（示例）",
		"description": "大桥下游有建筑垃圾（示例）", "source": "inspection", "location": {"area": "540102", "point": {"lat": 29.65, "long": 91.1}, "address_text": "大桥（示例）"}}`))
	if err != nil {
		return c, err
	}
	req.Header.Set("Authorization", "Bearer "+demo.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return c, err
	}
	defer resp.Body.Close()
	return c, json.NewDecoder(resp.Body).Decode(&c)
})

// casePlaces are addresses of that case.
func casePlaces(t *testing.T, pattern string) []string {
	t.Helper()
	c, err := sampleCase()
	if err != nil || c.Number == "" || c.Link == "" {
		t.Fatalf("no case: %+v, %v", c, err)
	}
	page := "/cases/" + c.Number
	switch pattern {
	case "/cases/new":
		return []string{pattern, pattern + "?kind=river_case&action=report"}
	case "/report/done":
		return []string{pattern + "?number=" + c.Number + "&key=" + c.Link}
	case "/cases/{number}/actions/{action}":
		return []string{page + "/actions/comment"}
	}
	return []string{strings.Replace(pattern, "/cases/{number}", page, 1)}
}

// TestReportOfResident is a resident's way at 390 px: what, in words, where, no
// contact, the answers to check, and then the number, the PIN and the link that shows it.
// On each page axe finds nothing and nothing scrolls sideways.
func TestReportOfResident(t *testing.T) {
	t.Parallel()
	axe, err := os.ReadFile(filepath.Join(testkit.Root(), "web", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatalf("axe-core is not installed (make assets): %v", err)
	}
	ctx := tab(t)
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(390, 844)); err != nil {
		t.Fatal(err)
	}
	open(ctx, t, "/zh/report")
	seen := func(says string) {
		t.Helper()
		if h1 := text(ctx, t, "h1"); h1 != says {
			t.Fatalf("at %q, want %q: %s", h1, says, text(ctx, t, "main"))
		}
		look(ctx, t, "zh")
		var found []fault
		if err := json.Unmarshal([]byte(eval[string](ctx, t, string(axe)+";"+runAxe)), &found); err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			t.Errorf("%s: axe %s (%s): %s", says, f.ID, f.Help, strings.Join(f.Nodes[:min(2, len(f.Nodes))], "\n  "))
		}
	}
	const next = `main button[value=next]`
	set := func(field, value string) {
		t.Helper()
		eval[bool](ctx, t, fmt.Sprintf(`(() => { document.getElementById(%q).value = %q; return true })()`, field, value))
	}
	seen("您看到了什么问题？")
	press(ctx, t, next)
	if !strings.Contains(text(ctx, t, ".errors"), "请选择最接近的问题类别") {
		t.Errorf("nothing says what is missing: %s", text(ctx, t, "main"))
	}
	set("category", "litter")
	press(ctx, t, next)
	seen("请说明情况")
	set("description", "大桥下游右岸有垃圾（示例）")
	press(ctx, t, next)
	seen("问题在哪里？")
	set("area", "540102")
	press(ctx, t, next)
	seen("怎样联系您？")
	press(ctx, t, next)
	seen("请核对后提交")
	press(ctx, t, `button[value="edit:text"]`)
	seen("请说明情况")
	set("description", "大桥下游左岸有垃圾（示例）")
	for range 3 { // where, contact and the check have their answers
		press(ctx, t, next)
	}
	seen("请核对后提交")
	press(ctx, t, next)
	seen("已收到您的反映")
	if got := text(ctx, t, "main"); !regexp.MustCompile(`\d\d \d{4} \d{4} \d\d \d\d\s+密码\s+\d{6}`).MatchString(got) {
		t.Errorf("no number or PIN: %s", got)
	}
	follow(ctx, t, "main", `^/zh/track\?number=\d{14}&key=`)
	if got := text(ctx, t, "main"); !strings.Contains(got, "大桥下游左岸有垃圾") || !strings.Contains(got, "待受理") {
		t.Errorf("the link does not show the report: %s", got)
	}
	signIn(ctx, t, "operator")
	for _, page := range casePlaces(t, "/cases/new") {
		open(ctx, t, "/zh"+page)
		seen(text(ctx, t, "h1"))
	}
}
