package app

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"plateau/internal/platform/auth"
)

// reader is somebody signed in to the demonstration.
type reader struct {
	t    *testing.T
	base string
	http *http.Client
	jar  map[string]string
}

func signedInTo(t *testing.T, a *App, login string) *reader {
	t.Helper()
	secret, _, err := a.auth.SignIn(t.Context(), login, login+"-sample", auth.Client{Address: "192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	return &reader{t, "http://" + a.httpAddr, &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, map[string]string{auth.CookieName: secret}}
}

// ask sends a request and follows a 303 once, as browsers do.
func (b *reader) ask(method, path string, form url.Values) (status int, body string, h http.Header) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, v := range b.jar {
		req.AddCookie(&http.Cookie{Name: name, Value: v})
	}
	res, err := b.http.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	for _, c := range res.Cookies() {
		if b.jar[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.jar, c.Name)
		}
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if res.StatusCode == http.StatusSeeOther {
		return b.ask(http.MethodGet, res.Header.Get("Location"), nil)
	}
	return res.StatusCode, string(text), res.Header
}

// TestCaseLists: the pages of lists over the sample cases of the demonstration:
// queues, filters, search, saved filters, actions on several, exports.
func TestCaseLists(t *testing.T) {
	t.Parallel()
	a := running(t, demoOptions(t.TempDir(), io.Discard))
	clerk, water, officer := signedInTo(t, a, "clerk"), signedInTo(t, a, "water"), signedInTo(t, a, "officer")
	const litter, sewage, sign, sand = "桥下岸边垃圾（示例）", "排水口污水直排（示例）", "公示牌字迹不清（示例）", "岸线堆放砂石（示例）"
	holds := func(b *reader, path string, status int, has []string, lacks ...string) string {
		t.Helper()
		got, body, _ := b.ask(http.MethodGet, path, nil)
		if got != status {
			t.Errorf("%s: %d %s", path, got, body)
		}
		for _, s := range has {
			if !strings.Contains(body, s) {
				t.Errorf("%s lacks %q", path, s)
			}
		}
		for _, s := range lacks {
			if strings.Contains(body, s) {
				t.Errorf("%s has %q", path, s)
			}
		}
		return body
	}
	holds(clerk, "/zh/cases", 200, []string{"等您办理 2 件，没有超期的", litter, sand, "河长办工作人员", "剩 "}, sewage, sign)
	holds(clerk, "/en/cases?queue=open", 200, []string{litter, sewage, sign, sand, "Water bureau (sample)", "who reported it", "being handled"})
	holds(clerk, "/bo/cases?queue=returned", 200, []string{sand}, litter, sewage, sign)
	holds(clerk, "/zh/cases?queue=open&q=污水", 200, []string{sewage}, litter, sand)
	holds(clerk, "/zh/cases?queue=open&state=waiting_reporter&kind=river_case&severity=4", 200, []string{sign}, litter, sand)
	holds(clerk, "/zh/cases?queue=open&q=没有这个", 200, []string{"没有符合筛选的事项"})
	holds(clerk, "/zh/cases?queue=overdue", 200, []string{"没有超期的事项", "查看未办结的（4）"})
	holds(clerk, "/zh/cases?queue=x", 422, nil)
	holds(water, "/zh/cases", 200, []string{sewage}, litter, sign)
	holds(officer, "/zh/cases?queue=all", 200, []string{"还没有与您有关的事项"}, litter)
	holds(&reader{t, "http://" + a.httpAddr, clerk.http, map[string]string{}}, "/zh/cases", 200, []string{"/zh/login"}, litter)

	// a filter that is kept, renamed, and dropped; nobody else's
	status, body, _ := clerk.ask(http.MethodPost, "/zh/cases/filters", url.Values{"name": {"水域 污水"}, "query": {"queue=open&q=污水&after=1.x"}})
	if status != 200 || !strings.Contains(body, "筛选“水域 污水”已保存") || !strings.Contains(body, sewage) || strings.Contains(body, litter) {
		t.Errorf("kept: %d %s", status, body)
	}
	holds(clerk, "/zh/cases", 200, []string{"水域 污水"})
	holds(water, "/zh/cases/filters", 200, []string{"还没有已存筛选"}, "水域 污水")
	path := regexp.MustCompile(`/zh/cases/filters/[0-9a-f-]+`).FindString(holds(clerk, "/zh/cases/filters", 200, []string{"水域 污水"}))
	for _, x := range []struct {
		by   *reader
		form url.Values
		want int
		has  string
	}{
		{water, url.Values{"act": {"drop"}}, 404, ""},
		{water, url.Values{"act": {"rename"}, "name": {"x"}}, 404, ""},
		{clerk, url.Values{"act": {"rename"}, "name": {" "}}, 422, "水域 污水"},
		{clerk, url.Values{"act": {"rename"}, "name": {"污水"}}, 200, "已改名"},
		{clerk, url.Values{"act": {"drop"}}, 200, "已删除"},
	} {
		if status, body, _ := x.by.ask(http.MethodPost, path, x.form); status != x.want || !strings.Contains(body, x.has) {
			t.Errorf("%v: %d %s", x.form, status, body)
		}
	}

	// one action on two cases, of which one can take it
	body = holds(clerk, "/zh/cases?queue=open", 200, nil)
	picks := regexp.MustCompile(`name="pick" value="([^"]+)"`).FindAllStringSubmatch(body, -1)
	if len(picks) != 4 {
		t.Fatalf("%d cases can be chosen", len(picks))
	}
	form := url.Values{"action": {"river_case.reject"}}
	for _, p := range picks {
		form.Add("pick", p[1])
	}
	if status, body, _ := clerk.ask(http.MethodPost, "/zh/cases/act", url.Values{"action": {"river_case.reject"}}); status != 422 || !strings.Contains(body, "请先选择事项") {
		t.Errorf("nothing chosen: %d %s", status, body)
	}
	status, body, _ = clerk.ask(http.MethodPost, "/zh/cases/act?queue=open", form)
	key := regexp.MustCompile(`name="key" value="([^"]+)"`).FindStringSubmatch(body)
	if status != 200 || key == nil || !strings.Contains(body, litter) || !strings.Contains(body, `name="f.reason"`) {
		t.Fatalf("what the action needs: %d %s", status, body)
	}
	form.Set("step", "do")
	form.Set("key", key[1])
	if status, body, _ := clerk.ask(http.MethodPost, "/zh/cases/act?queue=open", form); status != 422 || !strings.Contains(body, "f.reason") {
		t.Errorf("without a reason: %d %s", status, body)
	}
	form.Set("f.reason", "not_ours")
	for range 2 { // sent twice it is done once
		status, body, _ = clerk.ask(http.MethodPost, "/zh/cases/act?queue=open", form)
		if status != 200 || !strings.Contains(body, "4 件中办理了 2 件") || strings.Count(body, "未办理") != 2 || !strings.Contains(body, "当前状态") || !strings.Contains(body, "不予受理") {
			t.Errorf("what became of each: %d %s", status, body)
		}
	}
	holds(clerk, "/zh/cases?queue=all&state=rejected", 200, []string{litter, sand}, sewage)
	holds(clerk, "/zh/cases?queue=open", 200, []string{sewage, sign}, litter)

	// exports hold the same list
	_, body, h := clerk.ask(http.MethodGet, "/zh/cases.csv?queue=all", nil)
	table, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(body, "\ufeff"))).ReadAll()
	if err != nil || !strings.HasPrefix(body, "\ufeff") || len(table) != 6 || table[0][0] != "number" || !strings.Contains(h.Get("Content-Disposition"), ".csv") {
		t.Errorf("%v %v", table, err)
	}
	_, body, _ = clerk.ask(http.MethodGet, "/zh/cases.xlsx?queue=all", nil)
	book, err := excelize.OpenReader(bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := book.GetRows("data")
	if err != nil || len(rows) != len(table) {
		t.Errorf("%v %v", rows, err)
	}
	for i := range rows {
		if i < len(table) && (rows[i][0] != table[i][0] || rows[i][1] != table[i][1]) {
			t.Errorf("row %d: %v, %v in the CSV", i, rows[i], table[i])
		}
	}
	_, body, h = clerk.ask(http.MethodGet, "/zh/cases.geojson?queue=all", nil)
	var geo struct {
		Type     string
		Features []struct {
			Geometry   struct{ Coordinates []float64 }
			Properties map[string]any
		}
		Without int `json:"without_point"`
	}
	if err := json.Unmarshal([]byte(body), &geo); err != nil || len(geo.Features) != 3 || geo.Without != 1 || geo.Features[0].Geometry.Coordinates[0] < 90 || h.Get("Content-Type") != "application/geo+json" {
		t.Errorf("%s %v", body, err)
	}
	// statistics count the same cases
	holds(clerk, "/zh/cases/statistics", 200, []string{"到各状态所需时间", "登记 4 件，办结 2 件", "<rect", "不予受理", "巴宜区", "0 小时"})
	holds(clerk, "/en/cases/statistics?kind=river_case&area=540400&from=2026-01&to=2026-01", 200, []string{"Statistics of cases", "By month: 0 opened, 0 closed"})
	holds(clerk, "/bo/cases/statistics?area=540100", 200, []string{"འདེམས་ཚུལ་དང་མཐུན་པ་མེད།"})
	holds(clerk, "/zh/cases/statistics?from=x", 422, []string{"请填写月份"})
	holds(officer, "/zh/cases/statistics", 200, []string{"这段时间没有您能看到的事项"})
	_, body, _ = clerk.ask(http.MethodGet, "/zh/cases/statistics.csv", nil)
	table, err = csv.NewReader(strings.NewReader(strings.TrimPrefix(body, "\ufeff"))).ReadAll()
	if err != nil || len(table) < 16 || !strings.Contains(body, "area,540402,巴宜区,2,0,4,2,0,") || !strings.Contains(body, "time,river_case.rejected,不予受理,,,,,,2,") {
		t.Errorf("%s %v", body, err)
	}
	holds(water, "/zh/cases.csv?queue=all", 200, []string{sewage}, "operator")
}
