package telemetryweb

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"plateau/internal/web"
)

// TestSaysWhatWasDone: the page behind an act says once, in the reader's words,
// that it was done.
func TestSaysWhatWasDone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, target string
		form         url.Values
		says         string
	}{
		{"stop declared", "/zh/registry/stops/new", formOf("outlet", "1", "from", "2026-11-20 08:00", "to", "2026-11-25", "reason", "检修"), "已保存：燃气电厂1（示例） 燃气电厂 1 号机组排口 2026-11-20 08:00"},
		{"stop taken back", "/zh/registry/stops/3:2026-11-20T08:00/delete", formOf(), "已撤销停产申报：燃气电厂2（示例） 燃气电厂 3 号机组排口 2026-11-20 08:00"},
		{"limit added", "/en/registry/limits/new", formOf("outlet", "1", "factor", "a21002", "statistic", "hour", "op", "<=", "hi", "45", "effective_from", "2026-01-05"), "Saved: 燃气电厂1（示例） 燃气电厂 1 号机组排口 NOx"},
		{"factor changed", "/zh/registry/factors/1:a21002", formOf("range_hi", "300"), "已保存：燃气电厂1（示例） 燃气电厂 1 号机组排口 NOx"},
		{"enterprise changed", "/zh/registry/enterprises/ent-1", formOf("name_zh", "电厂; \"甲\" <b>", "area", "541101"), "已保存：电厂; &#34;甲&#34; &lt;b&gt;"},
		{"settings saved", "/zh/devices/" + testMN + "/settings", formOf("action", "settings", "networks", "10.8.0.0/16"), "准入设置已保存。"},
		{"list imported", "/zh/registry/enterprises/import", formOf("text", "id,name_zh\nent-9,x\n", "save", "1"), "导入已保存：新增 1 行"},
		{"service ended", "/zh/devices/" + testMN + "/release", formOf(), "已结束 " + testMN + " 的服务"},
		{"adopted", "/zh/devices/" + knockMN + "/adopt", formOf("outlet", "1"), "已接纳 " + knockMN},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 4)
			w := r.ask("operator", "POST", tt.target, strings.NewReader(tt.form.Encode()))
			if w.Code != http.StatusSeeOther {
				t.Fatalf("status %d: %s", w.Code, w.Body)
			}
			next, cookie := w.Header().Get("Location"), w.Header().Get("Set-Cookie")
			cookie, _, _ = strings.Cut(cookie, ";")
			w = r.ask("operator", "GET", next, nil, "Cookie", cookie)
			if body := w.Body.String(); !strings.Contains(body, `<p class="notice ok" role="status">`+tt.says) {
				t.Errorf("%s does not say %q:\n%.1200s", next, tt.says, body[strings.Index(body, "<main"):])
			}
			if again := w.Header().Get("Set-Cookie"); !strings.Contains(again, web.DoneCookie+"=;") || !strings.Contains(again, "Max-Age=0") {
				t.Errorf("the fact is not forgotten: %q", again)
			}
		})
	}
	r := newRig(t, 4)
	for _, forged := range []string{"=no_such_key", "%zz", "=saved&what=%3Cscript%3E"} {
		w := r.ask("operator", "GET", "/zh/registry/stops", nil, "Cookie", web.DoneCookie+"="+forged)
		if w.Code != http.StatusOK || strings.Contains(w.Body.String(), "<script>") {
			t.Errorf("%s: status %d", forged, w.Code)
		}
	}
}

// TestStandardsInWords: what a limit holds of and its grade are in the reader's
// language, also in the list.
func TestStandardsInWords(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	l := &r.registry.snap.Limits[0]
	for _, tt := range []struct{ condition, level, path, want string }{
		{"all", "1A", "/zh/registry/standards", "全部|一级 A"},
		{"existing", "general (表1)", "/zh/registry/standards", "现有|一般（表 1）"},
		{"existing", "表4", "/en/registry/standards", "existing|table 4"},
		{"W-type flame", "5", "/zh/registry/standards/gb.001", "W-type flame|5"},
	} {
		l.Condition, l.Level = tt.condition, tt.level
		page := r.ask("officer", "GET", tt.path, nil).Body.String()
		for want := range strings.SplitSeq(tt.want, "|") {
			if !strings.Contains(page, want) {
				t.Errorf("%s lacks %q", tt.path, want)
			}
		}
	}
	if page := r.ask("officer", "GET", "/zh/registry/stops", nil).Body.String(); strings.Contains(page, "未恢复生产") {
		t.Error("no stop is open here")
	}
	r = newRig(t, 3)
	if page := r.ask("officer", "GET", "/zh/registry/stops", nil).Body.String(); !strings.Contains(page, "未恢复生产") {
		t.Error("a stop without an end is not told as going on")
	}
}

// TestChangesInWords: the log of changes shows no codes where there are words,
// and tells a browser which words are Tibetan.
func TestChangesInWords(t *testing.T) {
	t.Parallel()
	c := newRig(t, 2).words()
	got := map[string]delta{}
	for _, d := range c.deltas(`{}`, `{"Name":{"Bo":"བོ"},"Enterprise":"ent-1","Medium":"water","Area":"541101","Limits":[{"ID":"p1","Factor":"a21002","Op":"<=","Statistic":"day","Standard":"permit"}]}`) {
		got[d.Label] = d
	}
	for label, want := range map[string]string{
		"企业": "燃气电厂1（示例）", "类型": "废水", "县区": "示例县11",
		"限值 p1 因子": "NOx", "限值 p1 比较": "不高于上限", "限值 p1 统计类型": "日均值", "限值 p1 标准": "许可",
	} {
		if got[label].To != want {
			t.Errorf("%s: %q, want %q", label, got[label].To, want)
		}
	}
	if d := got["藏文名称"]; d.Lang != "bo" || d.To == "" {
		t.Errorf("Tibetan name: %+v", d)
	}
}
