package telemetryweb

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"plateau/internal/telemetry/quality"
)

// TestRecomputePage asks for history to be judged anew, and looks at what became
// of it.
func TestRecomputePage(t *testing.T) {
	t.Parallel()
	r := judged(t)
	engine, ok := r.Quality.(*quality.Engine)
	if !ok {
		t.Fatal("no engine behind the pages")
	}
	page := func(role, path string, want int, contains ...string) string {
		t.Helper()
		w := r.ask(role, http.MethodGet, path, nil)
		for _, s := range contains {
			if !strings.Contains(w.Body.String(), s) {
				t.Errorf("%s as %s: lacks %q", path, role, s)
			}
		}
		if w.Code != want {
			t.Errorf("%s as %s: status %d", path, role, w.Code)
		}
		return w.Body.String()
	}
	post := func(role string, form url.Values) (int, string) {
		w := r.ask(role, http.MethodPost, "/en/recompute", strings.NewReader(form.Encode()))
		return w.Code, w.Body.String()
	}
	page("enterprise", "/en/recompute", http.StatusForbidden)
	if strings.Contains(page("officer", "/en/recompute", http.StatusOK, "Nothing was judged anew yet"), "<form class=\"pad\"") {
		t.Error("an officer gets the form")
	}
	page("operator", "/en/outlets/1/history", http.StatusOK, `href="/en/recompute?outlet=1"`)
	page("operator", "/en/recompute?outlet=1", http.StatusOK, `<option value="1" selected>`)
	if code, _ := post("officer", url.Values{"why": {"x"}}); code != http.StatusForbidden {
		t.Errorf("an officer asks: status %d", code)
	}
	for says, form := range map[string]url.Values{
		"Say why, in a few words":              {"outlet": {"1"}},
		"Write the date like 2026-11-20.":      {"why": {"x"}, "from": {"soon"}},
		"not before the first":                 {"why": {"x"}, "from": {"2026-11-23"}, "to": {"2026-11-22"}},
		"There is no history in these days":    {"why": {"x"}, "outlet": {"1"}, "to": {"2026-11-20"}},
		"<option value=\"1\" selected>":        {"outlet": {"1"}},
		`value="2026-11-23"`:                   {"from": {"2026-11-23"}},
		"There is no history in these days: c": {"why": {"x"}, "outlet": {"2"}},
		"Enter at most 500 characters":         {"why": {strings.Repeat("长", 501)}},
	} {
		if code, body := post("operator", form); code != http.StatusUnprocessableEntity || !strings.Contains(body, says) {
			t.Errorf("%v: status %d, lacks %q", form, code, says)
		}
	}
	if code, _ := post("operator", url.Values{"why": {"x"}, "outlet": {"99"}}); code != http.StatusNotFound {
		t.Errorf("no such outlet: status %d", code)
	}
	if code, body := post("operator", url.Values{"why": {"盘点"}, "outlet": {"1"}, "from": {"2026-11-23"}, "to": {"2026-11-23"}}); code != http.StatusSeeOther {
		t.Fatalf("asked: status %d, %s", code, body)
	}
	page("officer", "/en/recompute", http.StatusOK, "waiting", "盘点", "系统管理员（示例）", "2026-11-23 – 2026-11-23", `data-live="5"`, "History of 1 outlets is judged anew: 0 %")
	if err := engine.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	body := page("operator", "/zh/recompute", http.StatusOK, "已完成", "判定 2 个，变化 0 个", "人工要求")
	if strings.Contains(body, "data-live=\"5\"") || strings.Contains(body, "正在重新判定") {
		t.Error("a recompute that is done is shown as under way")
	}
}
