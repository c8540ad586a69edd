package telemetryweb

import (
	"net/http"
	"strings"
	"testing"

	"plateau/internal/platform/i18n"
	"plateau/rules"
)

func TestRuleScenarios(t *testing.T) {
	t.Parallel()
	for _, s := range []scenario{
		{name: "list today", actor: "officer", target: "/zh/rules", status: 200, contains: []string{"烟气小时均值", "cems.hour_mean", "数据有效性", "未核实", "空气质量分指数（2026）", "/zh/rules/air.iaqi", "名录"}, lacks: []string{"空气质量分指数（2012）"}},
		{name: "list on a day before a change", actor: "officer", target: "/zh/rules?on=2025-06-01", status: 200, contains: []string{"空气质量分指数（2012）", "下一次变动：2026-03-01", "/zh/rules/air.iaqi?on=2025-06-01"}},
		{name: "list before there were rules", actor: "officer", target: "/en/rules?on=2010-01-01", status: 200, contains: []string{"not yet in force"}},
		{name: "list by a word", actor: "officer", target: "/en/rules?q=oxygen", status: 200, contains: []string{"Folding to reference oxygen"}, lacks: []string{"cems.hour_mean"}},
		{name: "list by nothing", actor: "officer", target: "/zh/rules?q=nowhere", status: 200, contains: []string{"按此条件没有结果：nowhere", "清除筛选"}},
		{name: "no date", actor: "officer", target: "/zh/rules?on=2026-02-30", status: 422, contains: []string{"请按 2026-11-23 的格式填写日期", `aria-invalid="true"`}},
		{name: "enterprises read the rules too", actor: "enterprise", target: "/zh/rules", status: 200, contains: []string{"烟气小时均值"}, lacks: []string{"/zh/registry"}},
		{name: "nobody", target: "/zh/rules", status: 303},
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
			s.run(t, newRig(t, 40))
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
