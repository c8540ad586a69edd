package telemetryweb

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"html"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry/handover"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/report"
	"plateau/internal/telemetry/reportjob"
	"plateau/rules"
)

// fakeJobs keeps jobs in memory and finishes none by itself.
type fakeJobs struct {
	mu   sync.Mutex
	jobs []reportjob.Job
	list *report.List
}

func (f *fakeJobs) Request(_ context.Context, sub reportjob.Subject, by, post string) (reportjob.Job, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if slices.ContainsFunc(f.jobs, func(j reportjob.Job) bool { return j.By == by && j.State.Open() }) {
		return reportjob.Job{}, errs.New(errs.Conflict, "report.job_open")
	}
	j := reportjob.Job{ID: "job-" + strconv.Itoa(len(f.jobs)+1), Subject: sub, By: by, Post: post, Created: testNow, State: reportjob.Running, Done: 3, Total: 60}
	f.jobs = append(f.jobs, j)
	return j, nil
}

func (f *fakeJobs) find(ok func(j *reportjob.Job) bool) *reportjob.Job {
	for i := range slices.Backward(f.jobs) {
		if ok(&f.jobs[i]) {
			return &f.jobs[i]
		}
	}
	return nil
}

func (f *fakeJobs) Get(_ context.Context, id string) (reportjob.Job, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if j := f.find(func(j *reportjob.Job) bool { return j.ID == id }); j != nil {
		return *j, nil
	}
	return reportjob.Job{}, errs.New(errs.NotFound, "err.not_found")
}

func (f *fakeJobs) Last(_ context.Context, sub reportjob.Subject) (reportjob.Job, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if j := f.find(func(j *reportjob.Job) bool { return j.Subject == sub }); j != nil {
		return *j, true, nil
	}
	return reportjob.Job{}, false, nil
}

func (f *fakeJobs) List(context.Context, int) ([]reportjob.Job, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.jobs), nil
}

func (f *fakeJobs) Cancel(_ context.Context, id, by string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	j := f.find(func(j *reportjob.Job) bool { return j.ID == id })
	if j.By != by {
		return errs.New(errs.Forbidden, "err.forbidden")
	}
	j.State = reportjob.Cancelled
	return nil
}

func (f *fakeJobs) Result(*reportjob.Job) (*report.List, error) { return f.list, nil }

// fakeHandovers keeps entries in memory.
type fakeHandovers struct{ entries []handover.Entry }

func (f *fakeHandovers) Add(_ context.Context, e handover.Entry) error {
	if e.Action == handover.Note && strings.TrimSpace(e.Text) == "" {
		return errs.InvalidField("text", "handover.text_error")
	}
	e.At = testNow
	f.entries = append(f.entries, e)
	return nil
}

func (f *fakeHandovers) Of(_ context.Context, s handover.Shift) (out []handover.Entry, err error) {
	for _, e := range f.entries {
		if e.Shift.From.Equal(s.From) {
			out = append(out, e)
		}
	}
	return out, nil
}

func (f *fakeHandovers) Last(context.Context, int) (out []handover.Entry, err error) {
	for _, e := range slices.Backward(f.entries) {
		if e.Action == handover.Give {
			out = append(out, e)
		}
	}
	return out, nil
}

func newReportRig(tb testing.TB, outlets int) (*rig, *fakeJobs, *fakeHandovers) {
	tb.Helper()
	r := newRig(tb, outlets)
	jobs, records := &fakeJobs{}, &fakeHandovers{}
	r.Jobs, r.Handover = jobs, records
	return r, jobs, records
}

func TestReportScenarios(t *testing.T) {
	t.Parallel()
	for _, tt := range []scenario{
		{name: "choose", actor: "officer", target: "/zh/reports", status: 200, contains: []string{"选择报表", "燃气电厂 60 号机组排口", "交接班记录", "县区"}},
		{name: "choose opens", actor: "officer", target: "/zh/reports?scope=county&id=541101&level=month&date=2026-10-05", status: 303, location: "/zh/reports/county/541101/month/2026-10"},
		{name: "choose with Tibetan digits", actor: "officer", target: "/zh/reports?scope=outlet&id=1&level=year&date=%E0%BC%A2%E0%BC%A0%E0%BC%A2%E0%BC%A6", status: 303, location: "/zh/reports/outlet/1/year/2026"},
		{name: "a date to come", actor: "officer", target: "/zh/reports?scope=outlet&id=1&level=day&date=2027-01-01", status: 422, contains: []string{"请填不晚于今天的日期"}},
		{name: "staff choose their own", actor: "enterprise", target: "/zh/reports", status: 200, contains: []string{"燃气电厂 1 号机组排口"}, lacks: []string{"燃气电厂 60 号机组排口", "交接班记录", "scope=county"}},
		{name: "day", actor: "officer", target: "/zh/reports/outlet/1/day/2026-11-23", status: 200, contains: []string{"日报 2026-11-23", "62.4", "66.1", "暂算：截至 2026-11-23 08:30", "平均值", "排放总量", "report.layout v1"}},
		{name: "month", actor: "officer", target: "/zh/reports/outlet/1/month/2026-10", status: 200, contains: []string{"所在季度结束前", "1.0525 <span", "0.0525 <span", "T6-720", "98.2%", "97.0%", "维护"}},
		{name: "year", actor: "officer", target: "/en/reports/outlet/1/year/2026", status: 200, contains: []string{"Substituted", "2026-11", "capture"[1:]}},
		{name: "no such outlet", actor: "officer", target: "/zh/reports/outlet/9999/day/2026-11-22", status: 404},
		{name: "no such day", actor: "officer", target: "/zh/reports/outlet/1/day/2026-11-31", status: 404},
		{name: "a day to come", actor: "officer", target: "/zh/reports/outlet/1/day/2026-11-24", status: 404},
		{name: "no such scope", actor: "officer", target: "/zh/reports/planet/1/day/2026-11-22", status: 404},
		{name: "another's outlet", actor: "enterprise", target: "/zh/reports/outlet/9/day/2026-11-22", status: 403, lacks: []string{"燃气电厂 9"}},
		{name: "own outlet", actor: "enterprise", target: "/zh/reports/outlet/1/day/2026-11-22", status: 200},
		{name: "where to go on", actor: "enterprise", target: "/zh/reports/outlet/1/month/2026-10", status: 200, contains: []string{`href="/zh/outlets/1/totals?date=2026-10&level=month"`, `href="/zh/outlets/1/alarms"`, `href="/zh/gaps?outlet=1"`, "以上报值判定的"}},
		{name: "another enterprise", actor: "enterprise", target: "/zh/reports/enterprise/ent-2/day/2026-11-22", status: 403},
		{name: "own enterprise", actor: "enterprise", target: "/zh/reports/enterprise/ent-1/month/2026-10", status: 200, contains: []string{"燃气电厂 1 号机组排口", "合计"}, lacks: []string{"燃气电厂 3 号"}},
		{name: "staff and a county", actor: "enterprise", target: "/zh/reports/county/541101/day/2026-11-22", status: 403},
		{name: "staff and a job", actor: "enterprise", method: "POST", target: "/zh/reports/region/540000/year/2026", status: 403},
		{name: "county", actor: "officer", target: "/zh/reports/county/541101/day/2026-11-22", status: 200, contains: []string{"各排放口", "NOx"}},
		{name: "region is large", actor: "officer", target: "/zh/reports/region/540000/year/2026", status: 200, contains: []string{"后台生成", "开始生成"}, lacks: []string{"各排放口</h2>"}},
		{name: "large and not made", actor: "officer", target: "/zh/reports/region/540000/year/2026.csv", status: 409},
		{name: "completeness", actor: "officer", target: "/zh/completeness?area=540000&date=2026-11-22", status: 200, contains: []string{"上报完整率 2026-11-22", "第 1 页"}},
		{name: "completeness of nowhere", actor: "officer", target: "/zh/completeness?area=999999", status: 404},
		{name: "staff see their own completeness", actor: "enterprise", target: "/zh/completeness", status: 200, contains: []string{"1 号机组"}, lacks: []string{"3 号机组"}},
		{name: "compare by default", actor: "officer", target: "/zh/compare", status: 200, contains: []string{"排名", "NOx", "最高"}},
		{name: "compare what is chosen", actor: "officer", target: "/zh/compare?o=1&o=2&factor=a21002&level=month&date=2026-10", status: 200, contains: []string{"2026-10", "43.2"}},
		{name: "compare another's", actor: "enterprise", target: "/zh/compare?o=9", status: 403},
		{name: "handover", actor: "officer", target: "/zh/handover", status: 200, contains: []string{"交接班 2026-11-23 08:30–20:30", "状态变化", "签字交班"}},
		{name: "staff hand nothing over", actor: "enterprise", target: "/zh/handover", status: 403, contains: []string{"交接班记录"}},
		{name: "staff sign nothing", actor: "enterprise", target: "/zh/handover/2026-11-22T2030", form: formOf("action", "give"), status: 403},
		{name: "a shift to come", actor: "officer", target: "/zh/handover/2026-11-23T2030", status: 404},
		{name: "no shift begins then", actor: "officer", target: "/zh/handover/2026-11-23T0900", status: 404},
		{name: "nothing written", actor: "officer", target: "/zh/handover/2026-11-22T2030", form: formOf("action", "note", "text", " "), status: 422, contains: []string{"请填写说明"}},
		{name: "no such act", actor: "officer", target: "/zh/handover/2026-11-22T2030", form: formOf("action", "erase"), status: 400},
		{name: "nobody", target: "/zh/reports/outlet/1/day/2026-11-22", status: 303},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, _, _ := newReportRig(t, 60)
			tt.run(t, r)
		})
	}
}

// TestReportInBackground: asked for, under way, cancelled; asked for again, made,
// read.
func TestReportInBackground(t *testing.T) {
	t.Parallel()
	r, jobs, _ := newReportRig(t, 60)
	const page = "/zh/reports/region/540000/year/2026"
	ask := func(want int, method, target string) string {
		t.Helper()
		w := r.ask("officer", method, target, strings.NewReader(""))
		if w.Code != want {
			t.Fatalf("%s %s: %d: %s", method, target, w.Code, w.Body)
		}
		return html.UnescapeString(w.Body.String())
	}
	ask(303, "POST", page)
	ask(409, "POST", page)
	if body := ask(200, "GET", "/zh/reports/jobs/job-1"); !strings.Contains(body, "已完成 3 / 60 个排放口") || !strings.Contains(body, `data-live="5"`) {
		t.Errorf("the job's page does not show its progress:\n%s", body)
	}
	if body := ask(200, "GET", page); !strings.Contains(body, "正在生成：5%") {
		t.Error("the report does not say that it is being made")
	}
	if w := r.ask("operator", "POST", "/zh/reports/jobs/job-1/cancel", strings.NewReader("")); w.Code != 303 && w.Code != 403 {
		t.Errorf("cancelled by another post: %d", w.Code)
	}
	ask(303, "POST", "/zh/reports/jobs/job-1/cancel")
	jobs.jobs[0].State = reportjob.Cancelled
	ask(303, "POST", page)
	outlets, _ := report.Outlets(r.registry.Snapshot(), report.ScopeRegion, "540000")
	p, _ := report.ParsePeriod(quality.LevelYear, "2026")
	list, err := (&report.Maker{Rows: r.quality, Rules: rules.Default(), Now: testNow}).List(t.Context(), outlets, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	jobs.list, jobs.jobs[1].State, jobs.jobs[1].Finished = list, reportjob.Done, testNow
	body := ask(200, "GET", page)
	for _, want := range []string{"63.1500", "重新生成", "第 1 页，共 3 页", "值班员（示例）"} { // 60 × 1052.5 kg
		if !strings.Contains(body, want) {
			t.Errorf("the made report lacks %q", want)
		}
	}
	if !strings.Contains(ask(200, "GET", page+".csv"), "63150") {
		t.Error("the sum is not in the CSV")
	}
	if body := ask(200, "GET", "/zh/reports?scope=region"); !strings.Contains(body, "已生成") {
		t.Error("the made report is not listed")
	}
	if w := r.ask("enterprise", "GET", "/zh/reports/jobs/job-2", nil); w.Code != 403 {
		t.Errorf("staff at a job of the region: %d", w.Code)
	}
}

// TestHandoverSigned: noted, handed over, taken over; what was handed over stays
// as it was.
func TestHandoverSigned(t *testing.T) {
	t.Parallel()
	r, _, records := newReportRig(t, 40)
	const shift = "/zh/handover/2026-11-22T2030"
	for _, form := range []string{"action=note&text=2+%E5%8F%B7%E6%9C%BA", "action=give&text="} {
		if w := r.ask("officer", "POST", shift, strings.NewReader(form)); w.Code != 303 {
			t.Fatalf("%s: %d %s", form, w.Code, w.Body)
		}
	}
	if records.entries[1].Facts == "" || records.entries[0].Facts != "" {
		t.Fatal("the facts are not kept with the signature")
	}
	r.quality.snap = region(0) // the outlets change: what was signed does not
	body := html.UnescapeString(r.ask("officer", "GET", shift, nil).Body.String())
	for _, want := range []string{"2 号机", "已交班，待接班", "签字接班", "NOx：超标 1 小时", "值班员（示例）"} {
		if !strings.Contains(body, want) {
			t.Errorf("the handed-over shift lacks %q", want)
		}
	}
	if body := r.ask("officer", "GET", "/zh/handover", nil).Body.String(); !strings.Contains(body, "上一班") || !strings.Contains(body, "查看并接班") {
		t.Error("the next shift does not say that the one before waits")
	}
	if w := r.ask("operator", "POST", shift, strings.NewReader("action=take")); w.Code != 303 {
		t.Fatalf("taken over: %d", w.Code)
	}
	if body := r.ask("officer", "GET", shift, nil).Body.String(); !strings.Contains(body, "已交班并接班") || strings.Contains(body, "签字接班") {
		t.Error("the shift that was taken over can be signed again")
	}
}

var cellText2 = regexp.MustCompile(`(?s)<t[hd][^>]*>(.*?)</t[hd]>`)

// figuresOf are the figures of the page's table, row by row, without marks.
func figuresOf(t *testing.T, page string) [][]string {
	t.Helper()
	_, table, ok := strings.Cut(page, `<table class="list sheet">`)
	if !ok {
		t.Fatal("the page has no table")
	}
	table, _, _ = strings.Cut(table, "</table>")
	var out [][]string
	for _, row := range strings.Split(table, "<tr")[3:] { // two rows of the head
		var cells []string
		for _, m := range cellText2.FindAllStringSubmatch(row, -1) {
			text := regexp.MustCompile(`(?s)<small>.*?</small>|<svg.*?</svg>|<span class="unit">.*?</span>`).ReplaceAllString(m[1], "")
			cells = append(cells, strings.TrimSpace(html.UnescapeString(tags.ReplaceAllString(text, ""))))
		}
		out = append(out, cells)
	}
	return out
}

// TestExportsEqualPage reads XLSX, CSV and JSON back: each figure, rounded as the
// page does, is the page's, in the same order.
func TestExportsEqualPage(t *testing.T) {
	t.Parallel()
	r, _, _ := newReportRig(t, 4)
	for _, address := range []string{"/zh/reports/outlet/1/day/2026-11-22", "/zh/reports/outlet/1/month/2026-10", "/zh/reports/outlet/1/quarter/2026-Q4", "/zh/reports/outlet/1/year/2026"} {
		page := figuresOf(t, r.ask("officer", "GET", address, nil).Body.String())
		get := func(format string) []byte {
			w := r.ask("officer", "GET", address+"."+format, nil)
			if w.Code != http.StatusOK {
				t.Fatalf("%s.%s: %d", address, format, w.Code)
			}
			return w.Body.Bytes()
		}
		text := get("csv")
		if !bytes.HasPrefix(text, []byte("\xef\xbb\xbf")) {
			t.Error("the CSV has no byte order mark")
		}
		table, err := csv.NewReader(bytes.NewReader(text[3:])).ReadAll()
		if err != nil || len(table) != len(page)+2 {
			t.Fatalf("%s: %d rows in the CSV, %d on the page, %v", address, len(table)-2, len(page), err)
		}
		book, err := excelize.OpenReader(bytes.NewReader(get("xlsx")))
		if err != nil {
			t.Fatal(err)
		}
		sheet, err := book.GetRows("data", excelize.Options{RawCellValue: true})
		if err != nil {
			t.Fatal(err)
		}
		var doc struct{ Rows []map[string]any }
		if err := json.Unmarshal(get("json"), &doc); err != nil || len(doc.Rows) != len(page) {
			t.Fatalf("%s: JSON %v", address, err)
		}
		checked := 0
		for i, row := range page {
			for k := 1; k < len(row)-1; k++ { // the row's name, the remarks
				code, want := table[0][k+2], row[k]
				got := table[i+2][k+2]
				if k+2 < len(sheet[i+2]) && !sameNumber(sheet[i+2][k+2], got) || k+2 >= len(sheet[i+2]) && got != "" {
					t.Errorf("%s row %d %s: XLSX differs from CSV %q", address, i, code, got)
				}
				if v := doc.Rows[i][code]; (v == nil) != (got == "") {
					t.Errorf("%s row %d %s: JSON %v, CSV %q", address, i, code, v, got)
				}
				if want == i18n.Missing || want == "" {
					if got != "" {
						t.Errorf("%s row %d %s: %q in the CSV, nothing on the page", address, i, code, got)
					}
					continue
				}
				v, err := strconv.ParseFloat(got, 64)
				if err != nil {
					t.Errorf("%s row %d %s: %q is no number", address, i, code, got)
					continue
				}
				if kind := table[i+2][0]; strings.HasSuffix(code, "_amount") && strings.Contains(address, "/day/") && slices.Contains(totals, kind) {
					v /= 1000 // the total of a day stands in t on the page, in the column's kg here
				}
				_, frac, _ := strings.Cut(want, ".")
				if shown := i18n.Number(v, len(frac)); shown != want {
					t.Errorf("%s row %d (%s) %s: %s in the CSV is %s, %s on the page", address, i, table[i+2][0], code, got, shown, want)
				}
				checked++
			}
		}
		if checked < 15 {
			t.Errorf("%s: only %d figures compared", address, checked)
		}
	}
}

var totals = []string{report.SumMeasured, report.SumSubstituted, report.SumTotal}

// sameNumber compares as spreadsheets keep numbers, with 15 digits.
func sameNumber(a, b string) bool {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	if errX != nil || errY != nil {
		return a == b
	}
	return x == y || math.Abs(x-y) <= 1e-14*math.Abs(x)
}

// TestHandoverShapes: an alarm has the mark of the list of alarms, as of the end
// of the shift.
func TestHandoverShapes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		alarm shiftAlarm
		want  string
	}{
		{shiftAlarm{Kind: "over", Severity: "act"}, "exceed"},
		{shiftAlarm{Kind: "over", Severity: "warn"}, "warn"},
		{shiftAlarm{Kind: "link", Severity: "warn"}, "offline"},
		{shiftAlarm{Kind: "constant", Severity: "act"}, "suspect"},
		{shiftAlarm{Kind: "over", Severity: "act", Quiet: "stop"}, "stopped"},
		{shiftAlarm{Kind: "over", Severity: "act", False: true}, "normal"},
		{shiftAlarm{Kind: "over", Severity: "act", End: testNow}, "normal"},
		{shiftAlarm{Kind: "over", Severity: "act", End: testNow.Add(time.Minute)}, "exceed"},
	} {
		if got := c.alarm.shape(testNow); got != c.want {
			t.Errorf("%+v: %q, want %q", c.alarm, got, c.want)
		}
	}
}

// TestReportOverAPI: the interface gives the rows of the page's export, to whom
// the page is shown.
func TestReportOverAPI(t *testing.T) {
	t.Parallel()
	r, _, _ := newReportRig(t, 9)
	for page, period := range map[string]string{"day/2026-11-22": "2026-11-22", "month/2026-10": "2026-10", "quarter/2026-Q4": "2026-Q4", "year/2026": "2026"} {
		var want, got struct {
			Rows   []map[string]any
			Level  string
			Period string
		}
		if err := json.Unmarshal(r.ask("officer", "GET", "/zh/reports/outlet/1/"+page+".json", nil).Body.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		w := r.ask("officer", "GET", "/api/v1/outlets/1/reports/"+period, nil)
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK || w.Header().Get("ETag") == "" {
			t.Fatalf("%s: %v, %d %s", period, err, w.Code, w.Body)
		}
		if d := cmp.Diff(want.Rows, got.Rows); d != "" || len(got.Rows) == 0 || got.Level+"/"+got.Period != page {
			t.Errorf("%s as %s/%s, %d rows: %s", page, got.Level, got.Period, len(got.Rows), d)
		}
	}
	r.answers(t, []answer{
		{"officer", "/1/reports/2026-10?fields=row,note", 200, `"rows":[{"note":`},
		{"officer", "/1/reports/2026-10?fields=row,rwo", 400, "rwo"},
		{"officer", "/1/reports/2026-1", 400, "2026-11-22, 2026-11, 2026-Q4"},
		{"officer", "/1/reports/2026-11-24", 404, ""},
		{"officer", "/9999/reports/2026", 404, ""},
		{"enterprise", "/1/reports/2026-10", 200, ""},
		{"enterprise", "/9/reports/2026-10", 403, ""},
		{"", "/1/reports/2026-10", 401, ""},
	})
}
