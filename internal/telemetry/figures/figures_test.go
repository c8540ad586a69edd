package figures

import (
	"testing"

	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
)

// TestOutletName: both parts of a name are in one language, Chinese where the
// two have no other in common.
func TestOutletName(t *testing.T) {
	t.Parallel()
	snap := &telemetry.Snapshot{Enterprises: map[string]*telemetry.Enterprise{
		"e1": {Name: telemetry.Name{Zh: "示例电厂", En: "Sample power station"}},
		"e2": {Name: telemetry.Name{Zh: "示例水厂"}},
	}}
	name := telemetry.Name{Zh: "总排口", En: "main outlet"}
	for _, tc := range []struct {
		lang             i18n.Lang
		enterprise       string
		text, inLanguage string
	}{
		{i18n.En, "e1", "Sample power station main outlet", "en"},
		{i18n.En, "e2", "示例水厂 总排口", "zh"},
		{i18n.En, "gone", "main outlet", "en"},
		{i18n.Zh, "e1", "示例电厂 总排口", "zh"},
	} {
		text, lang := OutletName(i18n.Default().For(tc.lang), snap, &telemetry.Outlet{Enterprise: tc.enterprise, Name: name})
		if text != tc.text || lang != tc.inLanguage {
			t.Errorf("%s, %s: %q in %s", tc.lang, tc.enterprise, text, lang)
		}
	}
}
