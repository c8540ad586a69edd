package telemetryweb

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry/quality"
)

func TestFigureFor(t *testing.T) {
	t.Parallel()
	hi := func(v float64) quality.LimitRef { return quality.LimitRef{Op: "<=", Hi: quality.Some(v)} }
	for _, tc := range []struct {
		value float64
		code  string
		limit quality.LimitRef
		want  string
	}{
		{62.36, "a21002", hi(50), "62.4"},
		{50.0004, "a21002", hi(50), "50.0004"}, // never shown as what would comply
		{49.9996, "a21002", hi(50), "50.0"},    // equality complies
		{49, "a21002", hi(50), "49"},           // digits nobody sent are not made up
		{5.98125, "w01009", quality.LimitRef{Op: ">=", Lo: quality.Some(6)}, "5.98"},
		{266.88042511321976, "a21002", hi(200), "266.9"},
		{1234.5678, "w00000", quality.LimitRef{}, "1,235"},
	} {
		if got := figureFor(quality.Some(tc.value), tc.code, tc.limit); got != tc.want {
			t.Errorf("%v of %s beside %v: %s, want %s", tc.value, tc.code, limitText(tc.limit), got, tc.want)
		}
	}
}

// words is a call whose texts are in Chinese.
func (r *rig) words() *call {
	return &call{lang: i18n.Zh, l: i18n.Default().For(i18n.Zh), now: testNow, snap: r.Registry.Snapshot()}
}

func TestWhyNamesTheSide(t *testing.T) {
	t.Parallel()
	c := newRig(t, 1).words()
	s := quality.StateResult{
		State: quality.Warn, Factor: "w01009", Value: quality.Some(5.98), Limit: quality.LimitRef{Op: ">=", Lo: quality.Some(6)},
		Reason: quality.Text{Key: "reason.warn_running_day"},
	}
	if got := c.why(s); got != "当日暂算均值低于限值" {
		t.Errorf("below a lower limit: %s", got)
	}
	s.Limit, s.Value = quality.LimitRef{Op: "<=", Hi: quality.Some(5)}, quality.Some(5.98)
	if got := c.why(s); got != "当日暂算均值高于限值" {
		t.Errorf("above an upper limit: %s", got)
	}
	jump := quality.Text{Key: "reason.jump", Args: map[string]string{"factor": "a21026", "value": "252.3532", "median": "42.6428"}}
	if got := c.why(quality.StateResult{State: quality.Suspect, Factor: "a21026", Reason: jump}); got != "SO₂：突变至 252.4，中位数 42.64" {
		t.Errorf("a jump: %s", got)
	}
	if jump.Args["value"] != "252.3532" {
		t.Error("the judgement's own text was changed")
	}
	if got := c.why(quality.StateResult{State: quality.Normal, Reason: quality.Text{Key: "reason.normal"}}); got != "" {
		t.Errorf("a normal outlet needs no reason: %s", got)
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	hour := func(back int, factors ...quality.FactorHour) quality.HourRow {
		return quality.HourRow{At: testNow.Truncate(time.Hour).Add(time.Duration(-back) * time.Hour).Unix(), Factors: factors}
	}
	over := func(v float64) quality.FactorHour {
		return quality.FactorHour{Code: "a21002", Flag: "N", NSeen: 60, NValid: 60, NExpected: 60, Valid: true, Judged: quality.Some(v), Limit: testLimit, Over: true, Evidence: true}
	}
	lost := func(code, flag string, valid int) quality.FactorHour {
		return quality.FactorHour{Code: code, Flag: flag, NSeen: 60, NValid: valid, NExpected: 60, Limit: testLimit}
	}
	got := r.events(r.words(), []quality.HourRow{
		hour(5, quality.FactorHour{Code: "a21002", Flag: "F"}, quality.FactorHour{Code: "a21026", Flag: "F"}),
		hour(3, lost("a21002", "B", 0), lost("a21026", "B", 0)),
		hour(2, over(60)), hour(1, over(72)), hour(0, over(55)),
	})
	overnight := r.events(r.words(), []quality.HourRow{hour(9, lost("a21002", "B", 0)), hour(8, lost("a21002", "B", 0))})
	if len(overnight) != 1 || overnight[0].Time != "2026-11-22 23:00 – 2026-11-23 01:00" {
		t.Errorf("a run over midnight: %+v", overnight)
	}
	if len(got) != 3 {
		t.Fatalf("%d events: %+v", len(got), got)
	}
	// The running hour belongs to the run up to now, but is not counted yet.
	if e := got[0]; e.State != "exceed" || e.Text != "NOx：最高 72，限值 50" || e.Effect != "2 小时" || !e.To.Equal(testNow) || e.Basis != "GB 13223-2011" {
		t.Errorf("over the limit: %+v", e)
	}
	if e := got[1]; e.State != "offline" || !strings.HasPrefix(e.Text, "NOx、SO₂：") || e.Effect != "失效 1 小时" || e.Basis != "B 通讯异常" {
		t.Errorf("lost by two factors: %+v", e)
	}
	if e := got[2]; e.State != "stopped" || e.Basis != "F 停运" || e.Time != "03:00–04:00" {
		t.Errorf("stopped by mark: %+v", e)
	}
}

// TestStepsAreInWords: nothing of the machine's own words reaches a reader.
func TestStepsAreInWords(t *testing.T) {
	t.Parallel()
	c := newRig(t, 1).words()
	step := c.step(quality.Step{
		Name: quality.StepLimit, Rule: "limit.select", Version: 1, Clause: "GB 4915-2013", Result: "10", Inputs: []quality.Input{
			{Name: "limit", Value: "10", Unit: "mg/m3"},
			{Name: "statistic", Value: "hour"},
			{Name: "source_type", Value: "cement kiln and kiln-tail waste-heat system"},
			{Name: "condition", Value: "all"},
			{Name: "level", Value: "general (表1)"},
			{Name: "certainty", Value: "verified"},
		},
	}, "mg/m³")
	var parts []string
	for _, in := range step.Inputs {
		parts = append(parts, in.Name.Text+" "+in.Value.Text+" "+in.Unit)
	}
	if got, want := strings.Join(parts, "; "), "限值 10 mg/m³; 统计 小时均值 ; 适用对象 水泥窑及窑尾余热利用系统 ; 级别 一般（表 1） "; got != want {
		t.Errorf("limit: %s\nwant %s", got, want)
	}
	for _, tc := range []struct {
		step quality.Step
		want string
	}{
		{quality.Step{Name: quality.StepFrame, Result: "61"}, "共用 61 帧"},
		{quality.Step{Name: quality.StepValidity, Result: "C"}, "标志 C 校准"},
		{quality.Step{Name: quality.StepConversion, Formula: "66.1 × (21 − 15) ÷ (21 − 14.64) = 62.36", Result: "62.36"}, ""},
		{quality.Step{Name: quality.StepConversion, Result: "not_required"}, ""},
		{quality.Step{Name: quality.StepVerdict, Result: "exceeds"}, "超标"},
		{quality.Step{Name: quality.StepVerdict, Result: "not_judged", Notes: []quality.Text{{Key: "reason.not_judged"}}}, ""},
	} {
		if got := c.step(tc.step, "").Result; got != tc.want {
			t.Errorf("%s %s: %q, want %q", tc.step.Name, tc.step.Result, got, tc.want)
		}
	}
	clause := quality.Step{Name: quality.StepValidity, Rule: "cems.hour_mean", Version: 1, Clause: "HJ 76-2017 annex B", ClauseZh: "HJ 76-2017 附录 B"}
	if got := c.step(clause, "").Clause; got != (word{"HJ 76-2017 附录 B", "zh"}) {
		t.Errorf("source of a rule: %+v", got)
	}
}

func TestBrief(t *testing.T) {
	t.Parallel()
	frame := "##0321QN=20261123080012000;ST=31;CN=2061;PW=123456;MN=1;Flag=5;CP=&&DataTime=20261123070000;a21026-Min=1,a21026-Avg=2,a21026-Max=3;a21002-Avg=66.1;a01011-Avg=18.3,a01011-Flag=N&&5280"
	var b strings.Builder
	for _, p := range brief(pieces([]byte(frame), []string{"a21002"})) {
		b.WriteString(p.Text)
	}
	want := "##0321QN=20261123080012000;ST=31;CN=2061;PW=······;MN=1;Flag=5;CP=&&DataTime=20261123070000;…;a21002-Avg=66.1;…&&5280"
	if b.String() != want {
		t.Errorf("got %s\nwant %s", b.String(), want)
	}
}

// TestHistoryExport: the days of the page's table, one row a day and factor.
func TestHistoryExport(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3)
	w := r.ask("officer", "GET", "/zh/outlets/1/history.csv", nil)
	lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
	if w.Code != http.StatusOK || len(lines) != 2+historyDays || !strings.Contains(lines[0], "valid_hours") || !strings.Contains(lines[2], "43.21") {
		t.Fatalf("status %d, %d lines: %.600s", w.Code, len(lines), w.Body)
	}
	if w := r.ask("enterprise", "GET", "/zh/outlets/3/history.xlsx", nil); w.Code != http.StatusForbidden {
		t.Errorf("another's history: status %d", w.Code)
	}
}

// TestHeadIsLive: what may change while the page is open is in the fragment
// that is fetched again, and the fragment can say that it is stale.
func TestHeadIsLive(t *testing.T) {
	t.Parallel()
	r := newRig(t, 40)
	for path, id := range map[string]string{"/zh/": "live-overview", "/zh/outlets/1": "live-outlet"} {
		body := r.ask("officer", "GET", path, nil, "Plateau-Fragment", id).Body.String()
		if !strings.HasPrefix(strings.TrimSpace(body), `<div id="`+id+`"`) || !strings.Contains(body, "<h1>") || !strings.Contains(body, `class="notice warn stale"`) {
			t.Errorf("%s: %.400s", path, body)
		}
	}
}
