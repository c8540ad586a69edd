package telemetryweb

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"plateau/hj212"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
)

// scenario is one request and what must come of it.
type scenario struct {
	name, actor, method, target string
	form                        url.Values
	status                      int
	location                    string
	contains, lacks             []string
}

func (s scenario) run(t *testing.T, r *rig) {
	t.Helper()
	method, body := "GET", strings.NewReader("")
	if s.form != nil {
		method, body = "POST", strings.NewReader(s.form.Encode())
	}
	if s.method != "" {
		method = s.method
	}
	w := r.ask(s.actor, method, s.target, body)
	if w.Code != s.status {
		t.Fatalf("status %d, want %d: %s", w.Code, s.status, w.Body)
	}
	if s.location != "" && w.Header().Get("Location") != s.location {
		t.Errorf("location %q, want %q", w.Header().Get("Location"), s.location)
	}
	for _, want := range s.contains {
		if !strings.Contains(html.UnescapeString(w.Body.String()), want) {
			t.Errorf("body lacks %q", want)
		}
	}
	for _, no := range s.lacks {
		if strings.Contains(w.Body.String(), no) {
			t.Errorf("body has %q", no)
		}
	}
}

func formOf(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

func TestScenarios(t *testing.T) {
	t.Parallel()
	tests := []scenario{
		{name: "nobody is sent to sign in", target: "/zh/outlets?state=exceed", status: 303, location: "/zh/login?next=%2Fzh%2Foutlets%3Fstate%3Dexceed"},
		{name: "without a language", actor: "officer", target: "/outlets?state=warn", status: 303, location: "/zh/outlets?state=warn"},
		{name: "overview counts", actor: "officer", target: "/zh/", status: 200, contains: []string{"早班交接", "需要处理 27", "超标 — 需要立即核实 · 5", "比昨日 +2", "62.4", "示例"}},
		{name: "overview in english", actor: "officer", target: "/en/", status: 200, contains: []string{"Morning handover", "Needs action: 27", "+2 since yesterday"}},
		{name: "overview filtered to nothing", actor: "officer", target: "/zh/?q=nowhere", status: 200, contains: []string{"按此条件没有结果：“nowhere”", "清除筛选"}},
		{name: "enterprise sees its own", actor: "enterprise", target: "/zh/outlets", status: 200, contains: []string{"燃气电厂 1 号机组排口", "共 2 行"}, lacks: []string{"燃气电厂 3 号机组排口"}},
		{name: "enterprise at another's outlet", actor: "enterprise", target: "/zh/outlets/9", status: 403, contains: []string{"查看其他企业或辖区的排放口", "管理员"}, lacks: []string{"燃气电厂 9"}},
		{name: "enterprise at another's value", actor: "enterprise", target: "/zh/values/9-a21002-hour-2026112307", status: 403},
		{name: "enterprise at loggers", actor: "enterprise", target: "/zh/devices", status: 403, contains: []string{"管理数采仪"}},
		{name: "enterprise at a stranger's frame", actor: "enterprise", target: "/zh/frames/10-0", status: 403},
		{name: "officer may not change the registry", actor: "officer", target: "/zh/registry/enterprises/new", status: 403, contains: []string{"修改名录"}},
		{name: "officer's post is refused", actor: "officer", target: "/zh/registry/enterprises/ent-1", form: formOf("name_zh", "x"), status: 403},
		{name: "no such outlet", actor: "officer", target: "/zh/outlets/99999", status: 404, contains: []string{"没有这一页"}},
		{name: "outlet that is no number", actor: "officer", target: "/zh/outlets/abc", status: 404},
		{name: "no such day", actor: "officer", target: "/zh/outlets/1/2026-13-01", status: 404},
		{name: "list by state", actor: "officer", target: "/zh/outlets?state=suspect", status: 200, contains: []string{"共 6 行", "SO₂：恒为 9.1，已 6 小时"}},
		{name: "export of a filtered list keeps the filter", actor: "officer", target: "/zh/outlets?state=suspect&q=a", status: 200, contains: []string{`href="/zh/outlets.csv?state=suspect&q=a"`, `href="/zh/outlets.xlsx?state=suspect&q=a"`}},
		{name: "and of the overview", actor: "officer", target: "/zh/?state=suspect&q=a", status: 200, contains: []string{`href="/zh/overview.csv?state=suspect&q=a"`}},
		{name: "and of the registry", actor: "officer", target: "/zh/registry/outlets?q=a&page=2", status: 200, contains: []string{`href="/zh/registry/outlets.csv?q=a&page=2"`}},
		{name: "second page", actor: "officer", target: "/zh/outlets?page=2", status: 200, contains: []string{"第 2 页，共 2 页"}},
		{name: "all rows", actor: "officer", target: "/zh/outlets?page=all", status: 200, contains: []string{"燃气电厂 60 号机组排口"}},
		{name: "outlet page", actor: "officer", target: "/zh/outlets/1", status: 200, contains: []string{
			"燃气电厂 1 号机组排口", "小时均值超过限值", "NOx 折算", "这个数怎么来的", "66.1 × (21 − 15) ÷ (21 − 14.64) = 62.36", "<mark>a21002-Avg=66.1</mark>", "PW=······", "HJ 212-2017", "今日",
		}, lacks: []string{"secret1"}},
		{name: "outlet table view", actor: "officer", target: "/zh/outlets/1?view=table", status: 200, contains: []string{"小时数值表", "/zh/values/1-a21002-hour-2026112307"}},
		{name: "outlet of a day and hour", actor: "officer", target: "/zh/outlets/1/2026-11-22?factor=a21002&amp;hour=05", status: 200, contains: []string{"前一天", "校准"}},
		{name: "explained value", actor: "enterprise", target: "/zh/values/1-a21002-hour-2026112307", status: 200, contains: []string{"超标 0.25 倍", "cems.fold_o2 v2", "judge.exceed v3", "/zh/frames/7-0", "<mark>DataTime=20261123070000</mark>"}, lacks: []string{"secret1"}},
		{name: "value that is none", actor: "officer", target: "/zh/values/1-x-hour-2026112307", status: 404},
		{name: "value id of another form", actor: "officer", target: "/zh/values/1-a21002-hour-20261123", status: 404},
		{name: "frame", actor: "officer", target: "/zh/frames/7-0", status: 200, contains: []string{"小时数据", "数采仪唯一标识", "折算均值"}, lacks: []string{"secret1"}},
		{name: "frame that is not there", actor: "officer", target: "/zh/frames/999-0", status: 404},
		{name: "devices", actor: "officer", target: "/zh/devices", status: 200, contains: []string{knockMN, "MN 未登记", "接纳 " + knockMN, "快 5 分"}, lacks: []string{"secret1"}},
		{name: "device page", actor: "operator", target: "/zh/devices/" + testMN, status: 200, contains: []string{"校时", "补要历史数据", "结束 " + testMN + " 的服务"}},
		{name: "unknown device", actor: "operator", target: "/zh/devices/NOBODY", status: 404},
		{
			name: "command with a wrong time", actor: "operator", target: "/zh/devices/" + testMN + "/commands", form: formOf("act", "history", "from", "yesterday", "to", "2026-11-23 08:00", "records", "2051"),
			status: 422, contains: []string{"有误：", "请按 2026-11-23 07:00 的格式填写时间", `value="yesterday"`, `aria-invalid="true"`},
		},
		{
			name: "command with a wrong interval", actor: "operator", target: "/zh/devices/" + testMN + "/commands", form: formOf("act", "set_minute_interval", "minutes", "7"),
			status: 422, contains: []string{"整除 60"},
		},
		{
			name: "inspector", actor: "enterprise", target: "/zh/inspect", form: formOf("frames", strings.TrimSpace(string(hj212.AppendFrame(nil, []byte(testSeg))))),
			status: 200, contains: []string{"报文正确", "大气环境污染源", "折算均值", "NOx", "mg/m³"},
		},
		{name: "inspector names a wrong CRC", actor: "officer", target: "/en/inspect", form: formOf("frames", "##0136QN=1;CP=&&&&0000"), status: 200, contains: []string{"length is wrong", "CRC is wrong"}},
		{name: "inspector wants something", actor: "officer", target: "/zh/inspect", form: formOf("frames", " "), status: 422, contains: []string{"请粘贴至少一帧"}},
		{name: "inspector keeps input", actor: "officer", target: "/zh/inspect", form: formOf("frames", "##kept", "key", "zz"), status: 422, contains: []string{"##kept", "密钥须为 32 位十六进制"}},
		{name: "sign in", target: "/zh/login", form: formOf("name", "officer", "password", "officer-sample", "next", "/zh/devices"), status: 303, location: "/zh/devices"},
		{name: "sign in and away is refused", target: "/zh/login", form: formOf("name", "officer", "password", "officer-sample", "next", "//evil.example"), status: 303, location: "/zh/"},
		{name: "wrong password", target: "/zh/login", form: formOf("name", "officer", "password", "x"), status: 422, contains: []string{"登录名或口令不正确", `value="officer"`}, lacks: []string{`value="x"`}},
		{name: "sign-in page offers posts", target: "/en/login", status: 200, contains: []string{"Duty officer (sample)"}},
		{
			name: "limit with faults", actor: "operator", target: "/zh/registry/limits/new", form: formOf("factor", "nope", "statistic", "hour", "op", "<=", "hi", "fifty", "effective_from", "2026"),
			status: 422, contains: []string{"有误：新增限值", `<a href="#outlet">请选一个排放口</a>`, "请填上限，例如 50", `value="fifty"`, "请填编码表中的因子", "请按 2026-01-01 的格式填日期"},
		},
		{name: "limit without its bound", actor: "operator", target: "/en/registry/limits/new", form: formOf("outlet", "1", "factor", "a21002", "statistic", "hour", "op", "range", "hi", "9", "effective_from", "2026-01-01"), status: 422, contains: []string{"Error: New limit", "Enter the lower limit"}, lacks: []string{"Enter the upper limit"}},
		{name: "measuring point with faults", actor: "operator", target: "/zh/registry/setups/new", form: formOf("outlet", "1", "effective_from", "2026", "wet", "a21002 nope"), status: 422, contains: []string{`href="#effective_from"`, `href="#wet"`, "nope"}},
		{name: "measuring point saved", actor: "operator", target: "/en/registry/setups/new", form: formOf("outlet", "1", "effective_from", "2026-1-5", "area_m2", "３.２", "kv", "0.98", "ambient_pa", "65,000", "wet", "A21002，a21026"), status: 303, location: "/en/registry/setups"},
		{name: "new measuring point", actor: "operator", target: "/en/registry/setups/new?outlet=1", status: 200, contains: []string{"Velocity field coefficient", "HJ 75-2017", "the rules in force"}},
		{name: "limit saved, digits of any kind", actor: "operator", target: "/zh/registry/limits/new", form: formOf("outlet", "1", "factor", "Ａ２１００２", "statistic", "hour", "op", "<=", "hi", "༤༥.５", "effective_from", "２０２６年1月5日"), status: 303, location: "/zh/registry/limits"},
		{name: "fault found by the registry", actor: "operator", target: "/zh/registry/limits/new", form: formOf("outlet", "1", "id", "taken", "factor", "a21002", "statistic", "hour", "op", "<=", "hi", "5", "effective_from", "2026-01-01"), status: 422, contains: []string{`<a href="#id">请填一个还没有用过的编号`}},
		{name: "officer may not add a limit", actor: "officer", target: "/zh/registry/limits/new", form: formOf("outlet", "1"), status: 403},
		{name: "limit of a standard is only read", actor: "operator", target: "/zh/registry/standards/gb.001", status: 200, contains: []string{"国家标准的限值随程序发布", "燃气轮机组", "小时均值"}, lacks: []string{`<form class="card"`}},
		{name: "limit of a standard cannot be written", actor: "operator", target: "/zh/registry/standards/gb.001", form: formOf("hi", "1"), status: 404},
		{name: "factor codes are only read", actor: "operator", target: "/zh/registry/codes?q=a21002", status: 200, contains: []string{"共 1 行"}, lacks: []string{"/registry/codes/new", "/registry/codes/import"}},
		{name: "factors of outlets", actor: "operator", target: "/zh/registry/factors", status: 200, contains: []string{"/zh/registry/factors/1:a21002", "/zh/registry/factors/import", "NOx"}},
		{name: "factor with faults", actor: "operator", target: "/zh/registry/factors/1:a21002", form: formOf("range_lo", "low", "range_hi", "300"), status: 422, contains: []string{`<a href="#range_lo">请填数字，例如 0</a>`, `value="300"`}},
		{name: "factor that is there", actor: "operator", target: "/zh/registry/factors/new", form: formOf("outlet", "1", "code", "a21002"), status: 422, contains: []string{"a21002 已存在"}},
		{name: "factor saved", actor: "operator", target: "/zh/registry/factors/1:a21002", form: formOf("range_hi", "３００", "detection_limit", "0.5"), status: 303, location: "/zh/registry/factors"},
		{name: "officer may not change a factor", actor: "officer", target: "/zh/registry/factors/1:a21002", form: formOf("range_hi", "3"), status: 403},
		{name: "no such factor", actor: "operator", target: "/zh/registry/factors/1:a99999", status: 404},
		{name: "totals of the month", actor: "officer", target: "/zh/outlets/1/totals", status: 200, contains: []string{"2026-11", "1,052", "105.2%", "T6-720", "10（全段 30）", "97.0%", "截至", "/zh/outlets/1/totals.csv?date=2026-11&level=month", "date=2026-10&level=month"}},
		{name: "totals of the quarter, by months", actor: "officer", target: "/en/outlets/1/totals?level=quarter&date=2026-Q4", status: 200, contains: []string{"2026-Q4", "52.5 of it substituted", "date=2026-11&level=month"}, lacks: []string{"date=2026-12"}},
		{name: "totals as CSV", actor: "officer", target: "/zh/outlets/1/totals.csv?level=year", status: 200, contains: []string{"level,at,outlet", "year,2026,1,", "1052.5", "fedcba9876543210"}},
		{name: "substitution as JSON", actor: "officer", target: "/zh/outlets/1/totals.json?list=substitution", status: 200, contains: []string{`"method":"T6-720"`, `"source_hours":720`}},
		{name: "totals of the future", actor: "officer", target: "/zh/outlets/1/totals?date=2030-01", status: 404},
		{name: "totals of no such period", actor: "officer", target: "/zh/outlets/1/totals?level=week", status: 404},
		{name: "declared stops", actor: "officer", target: "/zh/registry/stops?q=检修", status: 200, contains: []string{"共 1 行", "/zh/registry/stops/3:2026-11-20T08:00", "2026-11-20 08:00"}, lacks: []string{"计划停产", "/registry/stops/new"}},
		{name: "declared stops as CSV", actor: "officer", target: "/zh/registry/stops.csv?q=检修", status: 200, contains: []string{"outlet,from,to,reason", "# 排放口,开始,结束,原因", "3,2026-11-20T08:00,,检修"}, lacks: []string{"计划停产"}},
		{name: "officer reads a stop", actor: "officer", target: "/zh/registry/stops/3:2026-11-20T08:00", status: 200, contains: []string{"燃气电厂 3 号机组排口 2026-11-20 08:00 起停产", "检修"}, lacks: []string{"撤销这条停产申报", "<button class=\"primary\""}},
		{name: "operator may take it back", actor: "operator", target: "/zh/registry/stops/3:2026-11-20T08:00", status: 200, contains: []string{`action="/zh/registry/stops/3:2026-11-20T08:00/delete"`, "撤销这条停产申报", "请填结束时间，不要撤销"}},
		{name: "new stop of an outlet", actor: "operator", target: "/zh/registry/stops/new?outlet=2", status: 200, contains: []string{`<option value="2" selected>`, "只填日期为当天 00:00"}, lacks: []string{"撤销这条停产申报"}},
		{name: "outlet's links to its stops", actor: "operator", target: "/zh/registry/outlets/2", status: 200, contains: []string{"/zh/registry/stops?q=", "/zh/registry/stops/new?outlet=2"}},
		{name: "outlet's links, officer", actor: "officer", target: "/zh/registry/outlets/2", status: 200, contains: []string{"/zh/registry/stops?q="}, lacks: []string{"/registry/stops/new"}},
		{name: "outlet's page declares a stop", actor: "operator", target: "/zh/outlets/2", status: 200, contains: []string{"/zh/registry/stops/new?outlet=2"}},
		{name: "outlet's page leads to the stop in force", actor: "officer", target: "/zh/outlets/3/devices", status: 200, contains: []string{"/zh/registry/stops/3:2026-11-20T08:00"}, lacks: []string{"/registry/stops/new"}},
		{name: "outlet's page of the officer, no stop", actor: "officer", target: "/zh/outlets/2", status: 200, lacks: []string{"/registry/stops/"}},
		{name: "outlet's page of the enterprise", actor: "enterprise", target: "/zh/outlets/2", status: 200, lacks: []string{"/registry/"}},
		{
			name: "stop with faults", actor: "operator", target: "/zh/registry/stops/new", form: formOf("from", "today", "to", "Ａ", "reason", " "),
			status: 422, contains: []string{"有误：申报停产", `<a href="#outlet">请选一个排放口</a>`, `<a href="#from">请按 2026-11-20 08:00 的格式填写开始时间</a>`, `<a href="#to">请按 2026-11-25 08:00`, `<a href="#reason">请填写停产原因`, `value="today"`},
		},
		{name: "stop that ends before it begins", actor: "operator", target: "/en/registry/stops/new", form: formOf("outlet", "1", "from", "2026/11/20 08:00", "to", "2026-11-20", "reason", "x"), status: 422, contains: []string{`<a href="#to">Enter an end that is after the start</a>`}},
		{name: "stop within an open one", actor: "operator", target: "/zh/registry/stops/new", form: formOf("outlet", "3", "from", "2026-11-22", "reason", "检修"), status: 422, contains: []string{`<a href="#from">2026-11-20 08:00 起的停产还没有结束；请先填写它的结束时间</a>`}},
		{name: "stop that runs into the next", actor: "operator", target: "/zh/registry/stops/new", form: formOf("outlet", "3", "from", "2026-11-10", "reason", "检修"), status: 422, contains: []string{`<a href="#to">下一次停产从 2026-11-20 08:00 开始；请填不晚于此的结束时间</a>`}},
		{name: "stop moved into an earlier one", actor: "operator", target: "/zh/registry/stops/3:2026-11-20T08:00", form: formOf("from", "2026-11-04", "reason", "检修"), status: 422, contains: []string{`<a href="#from">2026-11-01 00:00 至 2026-11-05 00:00 已申报停产`}},
		{name: "stop saved, digits of any kind", actor: "operator", target: "/zh/registry/stops/new", form: formOf("outlet", "1", "from", "２０２６/１１/２０　０８：００", "to", "༢༠༢༦-༡༡-༢༥", "reason", "检修"), status: 303, location: "/zh/registry/stops"},
		{name: "open stop ended", actor: "operator", target: "/zh/registry/stops/3:2026-11-20T08:00", form: formOf("from", "2026-11-20 08:00", "to", "2026-11-23 08:00", "reason", "检修"), status: 303, location: "/zh/registry/stops"},
		{name: "stop taken back", actor: "operator", target: "/zh/registry/stops/3:2026-11-20T08:00/delete", form: formOf(), status: 303, location: "/zh/registry/stops"},
		{name: "stop that is not there", actor: "operator", target: "/zh/registry/stops/3:2026-11-20T08:01/delete", form: formOf(), status: 404},
		{name: "stop is not taken back by its address", actor: "operator", target: "/zh/registry/stops/3:2026-11-20T08:00/delete", status: 405},
		{name: "no such stop", actor: "operator", target: "/zh/registry/stops/3:2026-11-20T08:01", status: 404},
		{name: "officer may not declare a stop", actor: "officer", target: "/zh/registry/stops/new", form: formOf("outlet", "1"), status: 403},
		{name: "officer may not take one back", actor: "officer", target: "/zh/registry/stops/3:2026-11-20T08:00/delete", form: formOf(), status: 403},
		{name: "outlet with an unknown factor", actor: "operator", target: "/zh/registry/outlets/1", form: formOf("name_zh", "x", "enterprise", "ent-1", "medium", "gas", "area", "541101", "realtime", "60", "minute", "7", "factors", "a21002, zz9"), status: 422, contains: []string{"编码表中没有 zz9", `<a href="#minute">`}},
		{name: "change log in words", actor: "officer", target: "/zh/registry/changes", status: 200, contains: []string{"修改排放口", ">燃气电厂1（示例） 燃气电厂 1 号机组排口</a>", "经度", "90 → 91.5", "中文名称", "旧名 → 新名", "因子编码 a21002 量程上限", "100 → 300", "停产 2026-11-20 08:00 原因</span> 检修"}, lacks: []string{"old", "{\"", "u1", "0001"}},
		{name: "overview of the enterprise", actor: "enterprise", target: "/zh/", status: 200, contains: []string{"<h1>总览</h1>"}, lacks: []string{"早班交接"}},
		{name: "settings of a logger", actor: "operator", target: "/zh/devices/" + testMN, status: 200, contains: []string{"准入设置", "核对口令"}, lacks: []string{"secret1"}},
		{name: "settings are the operator's", actor: "officer", target: "/zh/devices/" + testMN, status: 200, lacks: []string{"准入设置"}},
		{name: "officer may not change settings", actor: "officer", target: "/zh/devices/" + testMN + "/settings", form: formOf("action", "settings", "no_password", "1"), status: 403},
		{name: "settings with faults", actor: "operator", target: "/zh/devices/" + testMN + "/settings", form: formOf("action", "settings", "networks", "10.8", "sm4_keys", "abc"), status: 422, contains: []string{`<a href="#networks">请填写地址范围`, `<a href="#sm4_keys">请填写 SM4 密钥`, `value="10.8"`}},
		{name: "settings saved", actor: "operator", target: "/zh/devices/" + testMN + "/settings", form: formOf("action", "settings", "networks", "10.8.0.0/16", "accept_bad_crc", "1"), status: 303, location: "/zh/devices/" + testMN},
		{name: "outlet's form", actor: "officer", target: "/zh/registry/outlets/1", status: 200, lacks: []string{"<button class=\"primary\""}},
		{name: "api wants a token", target: "/api/v1/outlets", status: 401, contains: []string{`"status":401`}},
		{name: "api refuses the enterprise frames", actor: "enterprise", target: "/api/v1/devices/" + testMN + "/frames", status: 403},
		{name: "api outlets of the enterprise", actor: "enterprise", target: "/api/v1/outlets", status: 200, contains: []string{`"id":1`, `"id":2`}, lacks: []string{`"id":3`}},
		{name: "api hours", actor: "officer", target: "/api/v1/outlets/1/hours?from=2026-11-23T07:00:00%2B08:00&to=2026-11-23T08:00:00%2B08:00", status: 200, contains: []string{`"judged":62.36`}},
		{name: "api hours with a bad time", actor: "officer", target: "/api/v1/outlets/1/hours?from=7", status: 400, contains: []string{"RFC 3339"}},
		{name: "wrong method", actor: "officer", method: "POST", target: "/zh/outlets", status: 405, contains: []string{"不接受这种请求", "GET, HEAD", `href="/zh/registry"`}},
		{name: "no such address", actor: "officer", target: "/en/nothing/here", status: 404, contains: []string{"No such page", `href="/zh/nothing/here"`, "Number "}},
		{name: "no such address, nobody signed in", target: "/bo/nothing", status: 404, contains: []string{`<html lang="bo"`}},
		{name: "api without such an address", actor: "officer", target: "/api/v1/nothing", status: 404, contains: []string{`"status":404`, `"instance":"urn:uuid:`}},
	}
	for _, s := range tests {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.run(t, newRig(t, 60))
		})
	}
}

func TestAdoptionInTwoClicks(t *testing.T) {
	t.Parallel()
	r := newRig(t, 4)
	page := r.ask("officer", "GET", "/zh/devices", nil).Body.String()
	link := "/zh/devices/" + knockMN + "/adopt"
	if !strings.Contains(page, `href="`+link+`"`) {
		t.Fatal("no link to adopt")
	}
	page = r.ask("officer", "GET", link, nil).Body.String()
	if !strings.Contains(page, "确认接纳 "+knockMN) || !strings.Contains(page, `value="new" selected`) {
		t.Fatal("the page does not propose a new outlet, as every outlet has its logger")
	}
	// The second click sends the form as it stands.
	w := r.ask("officer", "POST", link, strings.NewReader(formOf("outlet", "new", "name", "新排放口 00K001", "area", "541101", "medium", "gas", "enterprise", "ent-1").Encode()))
	if w.Code != http.StatusSeeOther {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	if diff := cmp.Diff([]string{knockMN + " 5 值班员（示例）"}, r.editor.adopted); diff != "" {
		t.Fatal(diff)
	}
	o, ok := r.editor.saved[0].(telemetry.Outlet)
	if !ok || len(o.Factors) != 2 || o.Factors[0].Code != "a21002" || o.Medium != telemetry.Gas {
		t.Fatalf("new outlet: %+v", r.editor.saved[0])
	}
	if w = r.ask("officer", "POST", "/zh/devices/"+knockMN+"/release", nil); w.Code != http.StatusSeeOther {
		t.Fatalf("undo: status %d", w.Code)
	}
	if r.registry.Snapshot().Devices[knockMN] != nil {
		t.Fatal("adoption was not undone")
	}
	if page = r.ask("officer", "GET", "/zh/devices/"+knockMN, nil).Body.String(); !strings.Contains(page, `href="`+link+`"`) {
		t.Error("once undone, the logger cannot be adopted from its page")
	}
	bad := r.ask("officer", "POST", link, strings.NewReader(formOf("outlet", "new", "name", " ", "area", "").Encode()))
	if bad.Code != http.StatusUnprocessableEntity || !strings.Contains(bad.Body.String(), "请填写名称") {
		t.Fatalf("status %d: %s", bad.Code, bad.Body)
	}
}

func TestImport(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	send := func(text, button string, file bool) *httptest.ResponseRecorder {
		var b bytes.Buffer
		m := multipart.NewWriter(&b)
		if file {
			part, err := m.CreateFormFile("file", "list.csv")
			if err != nil {
				t.Fatal(err)
			}
			_, _ = part.Write([]byte(text))
		} else {
			_ = m.WriteField("text", text)
		}
		_ = m.WriteField(button, "1")
		_ = m.Close()
		return r.ask("operator", "POST", "/zh/registry/enterprises/import", &b, "Content-Type", m.FormDataContentType())
	}
	w := send("id,name_zh\nbad,x\n", "dry", true)
	if w.Code != 422 || !strings.Contains(w.Body.String(), "还没有用过的编号") || !strings.Contains(w.Body.String(), "bad,x") {
		t.Fatalf("row with a fault: %d", w.Code)
	}
	w = send("\xef\xbb\xbfid,name_zh\nent-9,\xd6\xd0\n", "dry", true)
	if w.Code != 422 && w.Code != 400 && r.editor.imported != 0 {
		t.Fatal("a dry run saved something")
	}
	w = send("id,name_zh\nent-9,\xd6\xd0\xce\xc4\n", "dry", true)
	if w.Code != 200 || !strings.Contains(w.Body.String(), "检查通过") || !strings.Contains(w.Body.String(), "ent-9,中文") || r.editor.imported != 0 {
		t.Fatalf("dry run of GBK: %d, saved %d", w.Code, r.editor.imported)
	}
	if w = send("id,name_zh\n", "save", false); w.Code != 422 || !strings.Contains(w.Body.String(), "第一行以下没有内容行") {
		t.Fatalf("a head without rows: %d", w.Code)
	}
	// What is large is carried along unseen, and saved from there.
	large := "id,name_zh\n" + strings.Repeat("ent-9,企业\n", largeText/10)
	w = send(large, "dry", true)
	if _, kept, _ := strings.Cut(w.Body.String(), `name="kept" value="`); w.Code != 200 || !strings.HasPrefix(kept, "id,name_zh\nent-9,企业\n") || strings.Contains(kept, "ent-9,企业\n</textarea>") {
		t.Fatalf("dry run of a large list: %d", w.Code)
	}
	if w = r.ask("operator", "POST", "/zh/registry/enterprises/import", strings.NewReader(formOf("kept", large, "text", "", "save", "1").Encode())); w.Code != 303 || r.editor.imported != largeText/10 {
		t.Fatalf("save of a large list: %d, %d rows", w.Code, r.editor.imported)
	}
	r.editor.imported = 0
	if w = r.ask("officer", "POST", "/zh/registry/enterprises/import", strings.NewReader(formOf("text", "id,name_zh\nent-9,x\n", "save", "1").Encode())); w.Code != 403 || r.editor.imported != 0 {
		t.Fatalf("an officer's import: %d", w.Code)
	}
	if w = send("id,name_zh\nent-9,x\n", "save", false); w.Code != 303 || r.editor.imported != 1 {
		t.Fatalf("save: %d, saved %d", w.Code, r.editor.imported)
	}
}

func TestFramesInterface(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	base := "/api/v1/devices/" + testMN + "/frames"
	w := r.ask("", "GET", base, nil, "Authorization", "Bearer operator")
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/x-ndjson" || w.Header().Get("Next-Cursor") != "" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines", len(lines))
	}
	if !strings.Contains(lines[1], `"raw":"##0136QN=中文;CP=&&a<b>&&0000"`) || !strings.Contains(lines[1], `"verdict":"refused:crc_mismatch"`) {
		t.Errorf("GBK frame: %s", lines[1])
	}
	var odd struct {
		Seq      uint64
		Index    *int
		Received time.Time
		Raw      map[string]string
	}
	if err := json.Unmarshal([]byte(lines[2]), &odd); err != nil || odd.Raw["hex"] != "2323FFFE80" || odd.Index == nil || odd.Seq != 9 {
		t.Errorf("binary frame: %v %+v", err, odd)
	}
	w = r.ask("operator", "GET", base+"?limit=2", nil)
	cursor := w.Header().Get("Next-Cursor")
	if strings.Count(w.Body.String(), "\n") != 2 || cursor == "" {
		t.Fatalf("first page: cursor %q, %s", cursor, w.Body)
	}
	w = r.ask("operator", "GET", base+"?limit=2&cursor="+cursor, nil)
	if strings.Count(w.Body.String(), "\n") != 1 || w.Header().Get("Next-Cursor") != "" {
		t.Fatalf("second page: %s", w.Body)
	}
	for _, tc := range []struct {
		query  string
		status int
		lines  int
	}{
		{"?limit=999999999999", 200, 3},
		{"?limit=0", 400, -1},
		{"?limit=x", 400, -1},
		{"?cursor=no", 400, -1},
		{"?from=yesterday", 400, -1},
		{"?from=2026-11-23T00:30:01Z", 200, 2},
		{"?to=2026-11-23T08:30:01%2B08:00", 200, 1},
		{"?to=2026-11-23T08:30:01+08:00", 200, 1}, // the plus was not escaped
		{"?to=2026-11-23t00:30:01.000z", 200, 1},
		{"?from=2030-01-01T00:00:00Z", 200, 0},
	} {
		w := r.ask("operator", "GET", base+tc.query, nil)
		if w.Code != tc.status || tc.lines >= 0 && strings.Count(w.Body.String(), "\n") != tc.lines {
			t.Errorf("%s: %d %s", tc.query, w.Code, w.Body)
		}
		if tc.status != 200 && w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %s", tc.query, w.Header().Get("Content-Type"))
		}
	}
	if w := r.ask("operator", "GET", "/api/v1/devices/NOBODY/frames", nil); w.Code != 200 || w.Body.Len() != 0 {
		t.Errorf("a logger that never sent: %d %s", w.Code, w.Body)
	}
}

func TestExports(t *testing.T) {
	t.Parallel()
	r := newRig(t, 60)
	w := r.ask("officer", "GET", "/zh/outlets.csv?state=exceed", nil)
	lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
	if w.Code != 200 || len(lines) != 2+5 || !strings.HasPrefix(lines[0], "\ufeffoutlet,name,") || !strings.Contains(lines[2], ",exceed,2026-11-23T07:00:00+08:00,a21002,") {
		t.Fatalf("%d, %d lines: %s", w.Code, len(lines), w.Body)
	}
	w = r.ask("officer", "GET", "/zh/outlets.json?page=2", nil)
	var list struct{ Rows []map[string]any }
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || len(list.Rows) != 60 {
		t.Fatalf("%v, %d rows: the export is the filtered view, not its page", err, len(list.Rows))
	}
	for _, target := range []string{"/zh/outlets.xlsx", "/zh/overview.xlsx", "/zh/outlets/1/2026-11-22.xlsx", "/zh/outlets/1.xlsx"} {
		w = r.ask("officer", "GET", target, nil)
		f, err := excelize.OpenReader(w.Body)
		if err != nil {
			t.Fatalf("%s: %v", target, err)
		}
		if diff := cmp.Diff([]string{"data", "about"}, f.GetSheetList()); diff != "" {
			t.Error(diff)
		}
		if rows, _ := f.GetRows("data"); len(rows) < 3 {
			t.Errorf("%s: %d rows", target, len(rows))
		}
	}
	w = r.ask("officer", "GET", "/zh/outlets/1/2026-11-23/series?factor=a21002", nil)
	var z struct {
		From, Step int64
		Series     []struct {
			Code string
			D    []*int64
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &z); err != nil || z.Step != 60 || len(z.Series) != 1 || len(z.Series[0].D) != 1440 {
		t.Fatalf("%v %s", err, w.Body)
	}
	if got := cellText("=1+1"); got != "'=1+1" {
		t.Errorf("formula in a cell: %s", got)
	}
}

func TestParseDump(t *testing.T) {
	t.Parallel()
	want := "##0050QN=20261123080012000;CN=9014;MN=A;CP=&&&&ABCD"
	hexOf := func(from, to int) string {
		var b strings.Builder
		for i := from; i < to; i++ {
			b.WriteString(hexShort([]byte{want[i]}))
			if i+1 < to {
				b.WriteByte(' ')
			}
		}
		return b.String()
	}
	xxd := "00000000: 2323 3030 3530 514e 3d32 3032 3631 3132  ##0050QN=2026112\n00000010: 3330 3830 3031 3230 3030 3b43 4e3d 3930  30800 12000;CN=90\n"
	for _, tc := range []struct {
		name, in, out string
		ok            bool
	}{
		{"pairs", hexOf(0, len(want)), want, true},
		{"plain", strings.ReplaceAll(hexOf(0, len(want)), " ", ""), want, true},
		{"xxd", xxd, want[:32], true},
		{"hexdump -C", "00000000  " + hexOf(0, 8) + "  " + hexOf(8, 16) + "  |" + want[:16] + "|\n00000010\n", want[:16], true},
		{"wireshark", "0000   " + hexOf(0, 16) + "   " + want[:16] + "\n0010   " + hexOf(16, 20) + "   " + want[16:20], want[:20], true},
		{"text that looks like hex behind a full line", "0000  " + hexOf(0, 16) + "  ab cd ef 01\n", want[:16], true},
		{"frames", want, "", false},
		{"words", "hello there", "", false},
		{"empty", "", "", false},
	} {
		got, ok := parseDump(tc.in)
		if ok != tc.ok || string(got) != tc.out {
			t.Errorf("%s: %q, %v; want %q", tc.name, got, ok, tc.out)
		}
	}
}

func FuzzParseValueID(f *testing.F) {
	f.Add("1-a21002-hour-2026112307")
	f.Add("4294967295-w01018-day-20260101")
	f.Add("0-a-hour-x")
	f.Fuzz(func(t *testing.T, s string) {
		o, factor, level, at, ok := parseValueID(s)
		if !ok {
			return
		}
		o2, factor2, level2, at2, ok2 := parseValueID(valueID(o, factor, level, at))
		if !ok2 || o != o2 || factor != factor2 || level != level2 || !at.Equal(at2) {
			t.Fatalf("%q: %v %s %s %v", s, o2, factor2, level2, at2)
		}
	})
}

func FuzzParseDump(f *testing.F) {
	f.Add("0000  23 23 30 |##0|")
	f.Add("2323")
	f.Fuzz(func(t *testing.T, s string) {
		if b, ok := parseDump(s); ok && len(b) > len(s) {
			t.Fatalf("%d bytes out of %d characters", len(b), len(s))
		}
	})
}

func TestMaskPassword(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"##0010PW=123456;MN=A":            "##0010PW=······;MN=A",
		"QN=1;PW=ab;CP=&&NewPW=longer7&&": "QN=1;PW=··;CP=&&NewPW=······&&",
		"a;xPW=1":                         "a;xPW=1",
		"PW=":                             "PW=",
	} {
		if got := maskPassword(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestUnreadableForm: a form that did not arrive whole is refused as such; its
// fields are not taken for empty ones.
func TestUnreadableForm(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body   string
		status int
		says   string
	}{
		"too large": {"frames=" + strings.Repeat("1", maxBody), 413, "Too large"},
		"broken":    {"frames=%zz", 400, "The request cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newRig(t, 1).ask("officer", "POST", "/en/inspect", strings.NewReader(tc.body))
			if w.Code != tc.status || !strings.Contains(w.Body.String(), tc.says) {
				t.Errorf("status %d, want %d and %q: %s", w.Code, tc.status, tc.says, w.Body)
			}
		})
	}
}

// TestCrossOriginPost: a form on another site does nothing here, and a person
// gets a page that says so.
func TestCrossOriginPost(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	w := r.ask("operator", "POST", "/en/devices/"+testMN+"/release", nil, "Origin", "https://elsewhere.example", "Sec-Fetch-Site", "cross-site")
	if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "sent from another site") || !strings.Contains(w.Body.String(), "<h1>Not allowed</h1>") {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	if r.registry.Snapshot().Devices[testMN] == nil {
		t.Error("the form was carried out")
	}
}

// TestInspectorInput: what people paste.
func TestInspectorInput(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	line := strings.TrimSpace(string(hj212.AppendFrame(nil, []byte(testSeg))))
	named := strings.TrimSpace(string(hj212.AppendFrame(nil, []byte("QN=20261123080012000;ST=31;CN=3020;PW=secret1;MN="+testMN+";Flag=5;CP=&&PolId=i12001;i12001-Info=\xc0\xad\xc8\xf8&&"))))
	unicode, _ := hj212.TextOK([]byte(named))
	frame := func(seg string) string { return strings.TrimSpace(string(hj212.AppendFrame(nil, []byte(seg)))) }
	answer := frame("QN=20261123080012000;ST=91;CN=9012;PW=secret1;MN=" + testMN + ";Flag=4;CP=&&ExeRtn=100&&")
	state := frame("QN=20261123080012000;ST=31;CN=2021;PW=secret1;MN=" + testMN + ";Flag=5;CP=&&DataTime=20261123080000;SB1-RS=2&&")
	modbus := func(seg string) string { // the usual CRC-16, not the one of the standard
		crc := uint16(0xFFFF)
		for _, b := range []byte(seg) {
			crc ^= uint16(b)
			for range 8 {
				if crc&1 != 0 {
					crc = crc>>1 ^ 0xA001
				} else {
					crc >>= 1
				}
			}
		}
		return fmt.Sprintf("%04X", crc)
	}
	dump := func(group int, offset string) string {
		var b strings.Builder
		raw := []byte(line + "\r\n")
		for at := 0; at < len(raw); at += 16 {
			part := raw[at:min(len(raw), at+16)]
			fmt.Fprintf(&b, offset, at)
			for i, c := range part {
				if i > 0 && i%group == 0 {
					b.WriteByte(' ')
				}
				fmt.Fprintf(&b, "%02x", c)
			}
			b.WriteString("  ")
			for _, c := range part {
				b.WriteByte(max(c, '.'))
			}
			b.WriteByte('\n')
		}
		return b.String()
	}
	for name, tc := range map[string]struct {
		text     string
		contains []string
		lacks    []string
	}{
		"log line":          {"2026-11-23 08:00:12 RX <- \"" + line + `\r\n"`, []string{"Found: 1", "The frame is right", "NOx", "hour data"}, []string{"secret1\"", "The frame is wrong"}},
		"two in one line":   {line + line, []string{"Found: 2", "Part 1"}, []string{"The frame is wrong"}},
		"several lines":     {line + "\n\n" + line + "\r\n" + line, []string{"Found: 3"}, []string{"The frame is wrong"}},
		"Chinese from GBK":  {unicode, []string{"Found: 1", "The frame is right", "拉萨"}, nil},
		"xxd":               {dump(2, "%08x: "), []string{"Found: 1", "from a hex dump of", "The frame is right"}, nil},
		"hexdump -C":        {dump(1, "%08x  "), []string{"Found: 1", "The frame is right"}, nil},
		"Wireshark":         {dump(1, "%04x   "), []string{"Found: 1", "The frame is right"}, nil},
		"plain hexadecimal": {fmt.Sprintf("%X", line+"\r\n"), []string{"Found: 1", "The frame is right"}, nil},
		"wrong CRC":         {line[:len(line)-4] + "0000", []string{"the CRC sent is 0000, the right one is " + line[len(line)-4:], "shown all the same", "NOx"}, []string{"The frame is right"}},
		"plain MODBUS":      {line[:len(line)-4] + modbus(line[6:len(line)-4]), []string{"it is plain CRC-16/MODBUS: the logger uses the wrong algorithm"}, []string{"equals plain"}},
		"answer":            {answer, []string{"result of a request", "system interaction", "result code: no data"}, nil},
		"equipment":         {state, []string{"treatment equipment 1", "running state", "2 calibrating"}, []string{"not in the code table"}},
		"wrong length":      {"##0001" + line[6:], []string{"the length sent is 0001, the real one is"}, []string{"The frame is right"}},
		"bytes of no text":  {fmt.Sprintf("%x", "##0016\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f0000\r\n"), []string{"Found:"}, []string{"The frame is right"}},
		"no frame at all":   {"hello", []string{"The frame is wrong", "does not begin with ##"}, nil},
		"markup":            {"##<script>alert(1)</script>", []string{"&lt;script&gt;"}, []string{"<script>alert"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := r.ask("enterprise", "POST", "/en/inspect", strings.NewReader(formOf("frames", tc.text).Encode()))
			if w.Code != http.StatusOK {
				t.Fatalf("status %d: %s", w.Code, w.Body)
			}
			_, found, _ := strings.Cut(w.Body.String(), "<h2>")
			for _, want := range tc.contains {
				if !strings.Contains(found, want) {
					t.Errorf("lacks %q:\n%.3000s", want, tags.ReplaceAllString(found, " "))
				}
			}
			for _, no := range tc.lacks {
				if strings.Contains(found, no) {
					t.Errorf("has %q", no)
				}
			}
		})
	}
}

// TestInspectorBounds: a megabyte of anything is answered with what can be read.
func TestInspectorBounds(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	line := strings.TrimSpace(string(hj212.AppendFrame(nil, []byte(testSeg))))
	for name, text := range map[string]string{
		"frames":      strings.Repeat(line+"\n", 1<<20/len(line)),
		"one line":    strings.Repeat("x", 1<<20),
		"hexadecimal": strings.Repeat("41", 1<<19),
		"open frame":  "##9999" + strings.Repeat("y", 1<<20),
	} {
		w := r.ask("officer", "POST", "/en/inspect", strings.NewReader(formOf("frames", text).Encode()))
		_, found, _ := strings.Cut(w.Body.String(), "<h2>")
		if w.Code != http.StatusOK || len(found) > 1<<20 || name == "frames" && !strings.Contains(found, "Only the first 50") {
			t.Errorf("%s: status %d, %d bytes of answer", name, w.Code, len(found))
		}
	}
}

// TestProtocolInWords: every command, system code and return code of the
// standards is explained, in every language.
func TestProtocolInWords(t *testing.T) {
	t.Parallel()
	for table, codes := range map[string]string{
		"cn": "1000 1001 1002 1011 1012 1013 1014 1021 1022 1031 1032 1041 1042 1061 1062 1063 1064 1072 2011 2012 2013 2021 2022 2031 2041 2051 2052 2061 2062 2071 2072 2081 2111 " +
			"3011 3012 3013 3014 3015 3016 3017 3018 3019 3020 3021 3022 3024 9011 9012 9013 9014 9015",
		"st":     "21 22 23 24 25 26 27 31 32 33 34 35 36 37 38 39 41 44 45 51 52 91",
		"qnrtn":  "1 2 3 4 5 6 7 8 9 100",
		"exertn": "1 2 3 4 5 6 100",
		"rs":     "0 1 2 3 4 5",
	} {
		for code := range strings.FieldsSeq(codes) {
			for _, lang := range i18n.Langs() {
				if !i18n.Default().Has(lang, table+"."+code) {
					t.Errorf("%s: no words for %s %s", lang, table, code)
				}
			}
		}
	}
}
