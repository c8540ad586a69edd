package telemetryweb

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/rules"
)

// fakeWhatIf: one hour of outlet 1 goes over where minutes are changed.
type fakeWhatIf struct {
	gate  chan struct{} // nil: answers at once
	mu    sync.Mutex
	asked []quality.WhatIf
}

func (f *fakeWhatIf) WhatIf(ctx context.Context, w quality.WhatIf) (*quality.Difference, error) {
	f.mu.Lock()
	f.asked = append(f.asked, w)
	f.mu.Unlock()
	w.Progress(1, 4)
	if f.gate != nil {
		select {
		case <-f.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if days := int(w.To.Sub(w.From) / (24 * time.Hour)); days*len(w.Outlets) > quality.WhatIfMost {
		return nil, fmt.Errorf("%w", quality.ErrTooMuch)
	}
	d := &quality.Difference{From: w.From, To: w.To, Outlets: len(w.Outlets), Hours: 960, Days: 40}
	if r, ok := w.Trial.Rules.At("cems.hour_mean", "2026-11-20"); ok && r.Hash != rules.Default().Versions("cems.hour_mean")[0].Hash {
		d.Sum = quality.Changes{HoursOver: 1, HoursNotValid: 2}
		hour := testNow.Truncate(time.Hour).Add(-2 * time.Hour).Unix()
		d.Changed = []quality.OutletChanges{{
			Outlet: 1, Changes: d.Sum, Totals: []quality.TotalChange{{Factor: "a21002", Old: 10, New: 12.5}},
			Examples: []quality.Change{{Outlet: telemetry.OutletID(1), Factor: "a21002", Level: quality.LevelHour, At: hour, What: quality.ChangeOver, Appears: true, Old: quality.Some(49), New: quality.Some(51), OldLimit: testLimit, NewLimit: testLimit}},
		}}
	}
	return d, nil
}

func TestRuleEffect(t *testing.T) {
	t.Parallel()
	const days = "from=2026-11-16&to=2026-11-22"
	r := newRig(t, 40)
	r.WhatIf = &fakeWhatIf{}
	for _, s := range []scenario{
		{name: "the form", actor: "officer", target: "/zh/rules/cems.hour_mean/effect", status: 200, contains: []string{"会改变什么", "2026-11-16", "2026-11-23", `name="p.min_valid_minutes"`, `value="45"`}, lacks: []string{"比较了"}},
		{name: "nothing changes", actor: "officer", target: "/zh/rules/cems.hour_mean/effect?version=1&" + days, status: 200, contains: []string{"没有任何改变", "比较了 40 个排放口、960 个小时、40 个日"}},
		{name: "another figure", actor: "officer", target: "/en/rules/cems.hour_mean/effect?version=1&" + days + "&p.min_valid_minutes=50", status: 200, contains: []string{
			"goes over the limit", "/en/values/1-a21002-hour-2026112306", "10 → 12.5 kg", "hours over the limit", "49", "51", "<mark>45</mark> → <mark>50</mark>", `value="50"`,
		}},
		{name: "a figure that cannot be", actor: "officer", target: "/zh/rules/cems.hour_mean/effect?" + days + "&p.min_valid_minutes=99", status: 422, contains: []string{"有效小时所需的有效分钟数", "不合规定", `aria-invalid="true"`}, lacks: []string{"比较了"}},
		{name: "the wrong way round", actor: "officer", target: "/zh/rules/cems.hour_mean/effect?from=2026-11-20&to=2026-11-01", status: 422, contains: []string{"截止日期不能早于开始日期"}},
		{name: "no date", actor: "officer", target: "/zh/rules/cems.hour_mean/effect?from=x&to=2026-11-01", status: 422, contains: []string{"请按 2026-11-23 的格式填写日期"}},
		{name: "too much", actor: "officer", target: "/zh/rules/cems.hour_mean/effect?from=2020-01-01&to=2026-11-01", status: 422, contains: []string{"数据太多，请缩短日期范围"}},
		{name: "version that is none", actor: "officer", target: "/zh/rules/cems.hour_mean/effect?version=7", status: 404},
		{name: "rule that judges no hours", actor: "officer", target: "/zh/rules/air.iaqi/effect?" + days, status: 200, contains: []string{"不会改变已存数据的判定结果"}, lacks: []string{"比较了"}},
		{name: "not for enterprises", actor: "enterprise", target: "/zh/rules/cems.hour_mean/effect", status: 403},
		{name: "as CSV", actor: "officer", target: "/en/rules/cems.hour_mean/effect.csv?" + days + "&p.min_valid_minutes=50", status: 200, contains: []string{"hours over the limit", "goes over the limit,NOx,2026-11-23 06:00–07:00,49,51,50,50"}},
		{name: "CSV of nothing asked", actor: "officer", target: "/en/rules/cems.hour_mean/effect.csv", status: 422},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.run(t, r)
		})
	}
}

// TestRuleEffectProgress: the answer is waited for with a bar, once for all who
// ask the same.
func TestRuleEffectProgress(t *testing.T) {
	t.Parallel()
	r := newRig(t, 4)
	f := &fakeWhatIf{gate: make(chan struct{})}
	r.WhatIf = f
	const at = "/zh/rules/cems.day_mean/effect?version=1&from=2026-11-16&to=2026-11-22"
	w := r.ask("officer", "GET", at, nil)
	if body := w.Body.String(); w.Code != 200 || w.Header().Get("Refresh") == "" || !strings.Contains(body, "已完成 1 / 4") || !strings.Contains(body, `value="25"`) {
		t.Fatalf("%d, %v: %s", w.Code, w.Header(), body)
	}
	close(f.gate)
	for range 2 {
		if w := r.ask("operator", "GET", at, nil); !strings.Contains(w.Body.String(), "没有任何改变") || w.Header().Get("Refresh") != "" {
			t.Fatalf("%d: %s", w.Code, w.Body)
		}
	}
	if len(f.asked) != 1 {
		t.Errorf("computed %d times", len(f.asked))
	}
}

func TestRuleScenarios(t *testing.T) {
	t.Parallel()
	r := newRig(t, 40) // the pages only read
	for _, s := range []scenario{
		{name: "list today", actor: "officer", target: "/zh/rules", status: 200, contains: []string{"烟气小时均值", "cems.hour_mean", "数据有效性", "未核实", "空气质量分指数（2026）", "/zh/rules/air.iaqi", "名录"}, lacks: []string{"空气质量分指数（2012）"}},
		{name: "list on a day before a change", actor: "officer", target: "/zh/rules?on=2025-06-01", status: 200, contains: []string{"空气质量分指数（2012）", "下一次变动：2026-01-01", "/zh/rules/air.iaqi?on=2025-06-01"}},
		{name: "list before there were rules", actor: "officer", target: "/en/rules?on=2010-01-01", status: 200, contains: []string{"not yet in force"}},
		{name: "list by a word", actor: "officer", target: "/en/rules?q=oxygen", status: 200, contains: []string{"Folding to reference oxygen"}, lacks: []string{"cems.hour_mean"}},
		{name: "list by nothing", actor: "officer", target: "/zh/rules?q=nowhere", status: 200, contains: []string{"按此条件没有结果：nowhere", "清除筛选"}},
		{name: "no date", actor: "officer", target: "/zh/rules?on=2026-02-30", status: 422, contains: []string{"请按 2026-11-23 的格式填写日期", `aria-invalid="true"`}},
		{name: "enterprises read the rules too", actor: "enterprise", target: "/zh/rules", status: 200, contains: []string{"烟气小时均值"}, lacks: []string{`"/zh/registry"`}},
		{name: "nobody", target: "/zh/rules", status: 303},
		{name: "limits by date", actor: "officer", target: "/en/rules/limits", status: 200, contains: []string{"in force on 2026-11-23", "GB 3095-2026", "What changes on 2031-01-01", "to come", "/en/registry/standards?q=GB+3095-2026"}, lacks: []string{"GB 3095-2012</a>"}},
		{name: "limits of ozone", actor: "officer", target: "/zh/rules/limits", status: 200, contains: []string{"日最大 8 小时平均"}, lacks: []string{"daily max"}},
		{name: "limits before a change", actor: "officer", target: "/zh/rules/limits?on=2025-01-01&change=2026-03-01", status: 200, contains: []string{"GB 3095-2012", "2026-03-01 的变动", "终止"}},
		{name: "limits before all", actor: "enterprise", target: "/zh/rules/limits?on=1980-01-01", status: 200, contains: []string{"没有有效的标准限值"}},
		{name: "limits on no date", actor: "officer", target: "/zh/rules/limits?on=soon", status: 422},
		{name: "limits as CSV", actor: "officer", target: "/en/rules/limits.csv?change=2031-01-01", status: 200, contains: []string{"standard,source_type", "GB 3095-2026"}},
		{name: "as CSV", actor: "officer", target: "/zh/rules.csv?on=2026-11-23", status: 200, contains: []string{"subject,rule,title,version", "cems.hour_mean,烟气小时均值,1,2018-03-01,,已核实"}},
		{name: "as JSON", actor: "officer", target: "/en/rules.json", status: 200, contains: []string{`"rule":"air.iaqi"`, `"version":2`}},
		{name: "rule", actor: "officer", target: "/zh/rules/cems.hour_mean", status: 200, contains: []string{"烟气小时均值", "有效小时所需的有效分钟数", "HJ 76-2017 附录 B", "适用于", "40 个排放口", "相符", "D 故障", rules.Default().Versions("cems.hour_mean")[0].Hash}, lacks: []string{"不符"}},
		{name: "rule on a day", actor: "officer", target: "/en/rules/air.iaqi?on=2020-05-05", status: 200, contains: []string{"was or will be in force on 2020-05-05", "(2012)", `href="?on=2026-03-01"`}},
		{name: "rule by its version", actor: "officer", target: "/en/rules/air.iaqi?version=1", status: 200, contains: []string{"(2012)"}},
		{name: "version that is none", actor: "officer", target: "/en/rules/air.iaqi?version=9", status: 404},
		{name: "rule before its first version", actor: "officer", target: "/en/rules/cems.hour_mean?on=2010-01-01", status: 200, contains: []string{"No version is in force on 2010-01-01 yet"}},
		{name: "a figure less sure than its rule", actor: "officer", target: "/en/rules/net.tx_valid_rate", status: 200, contains: []string{"not verified"}},
		{name: "rule that is none", actor: "officer", target: "/zh/rules/cems.nothing", status: 404},
		{name: "rule as CSV", actor: "officer", target: "/zh/rules/cems.hour_mean.csv", status: 200, contains: []string{"min_valid_minutes,有效小时所需的有效分钟数,45,min"}},
		{name: "difference", actor: "officer", target: "/zh/rules/air.iaqi/diff?a=1&b=2", status: 200, contains: []string{"<mark>75</mark>", "<mark>60</mark>", "新增", "PM2.5_1h", "版本 1（2016-01-01 起）"}, lacks: []string{"删除"}},
		{name: "difference the other way", actor: "officer", target: "/en/rules/air.iaqi/diff?a=2&b=1", status: 200, contains: []string{"removed"}, lacks: []string{">added<"}},
		{name: "difference of one version", actor: "officer", target: "/en/rules/cems.hour_mean/diff", status: 200, contains: []string{"Both sides are the same version"}},
		{name: "difference to nothing", actor: "officer", target: "/en/rules/air.iaqi/diff?b=7", status: 404},
		{name: "explanation leads to the rule", actor: "officer", target: "/zh/values/1-a21002-hour-2026112307", status: 200, contains: []string{`href="/zh/rules/judge.exceed?version=3"`}},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.run(t, r)
		})
	}
}

// TestEveryRulePage: each rule has a page in each language on which all worked
// cases agree and all parameters have words.
func TestEveryRulePage(t *testing.T) {
	t.Parallel()
	r := newRig(t, 4)
	for _, id := range rules.Default().IDs() {
		for _, lang := range i18n.Langs() {
			w := r.ask("officer", "GET", "/"+string(lang)+"/rules/"+id, nil)
			body := w.Body.String()
			if w.Code != http.StatusOK || strings.Contains(body, "over-text") {
				t.Errorf("%s in %s: status %d, or a case differs", id, lang, w.Code)
			}
			if m := rawKey.FindString(ruleIDs.ReplaceAllString(body, "")); m != "" {
				t.Errorf("%s in %s: untranslated %s", id, lang, m)
			}
		}
	}
}

// TestEffectsDroppedAreBrokenOff: who tries many figures keeps the last ones
// running, and what was dropped computes no longer.
func TestEffectsDroppedAreBrokenOff(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	broken := make(chan error, effectKept+1)
	begun := make(chan struct{})
	start := func(ctx context.Context, _ func(done, total int)) (*quality.Difference, error) {
		close(begun) // only the first one gets its turn
		<-ctx.Done()
		broken <- ctx.Err()
		return nil, ctx.Err()
	}
	r.effect("0", testNow, start)
	<-begun
	done := func(context.Context, func(done, total int)) (*quality.Difference, error) {
		return &quality.Difference{}, nil
	}
	var last *effectRun
	for i := range effectKept {
		last = r.effect(strconv.Itoa(i+1), testNow, done)
	}
	if err := <-broken; !errors.Is(err, context.Canceled) {
		t.Errorf("the first ended with %v", err)
	}
	<-last.done
}
