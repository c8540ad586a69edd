package telemetryweb

import (
	"cmp"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/web"
	"plateau/rules"
)

type limitsStandard struct {
	Name      string
	Href      string // its limits in the registry; "" for those who may not read it
	N, Unsure int
	Sources   []word
	From      string
	Ends      string // the last day of those that end first
}

type limitsChange struct {
	Standard         string
	Source           word
	Condition, Level word
	Factor           word
	Statistic        string
	Old, New, Unit   string
	Certainty        string
}

type limitsDay struct {
	Date    string
	Href    string
	N       int
	Current bool
	Future  bool
}

type limitsView struct {
	On        string
	Tabs      []web.Tab
	DateField web.Field
	Standards []limitsStandard
	Days      []limitsDay
	Day       string // whose changes are listed
	Changes   []limitsChange
	Pager     web.Pager
	exported
}

// ruleLimits tells which limits of standards are in force on a day, and what
// changes when.
func (h *Handler) ruleLimits(c *call) error {
	_, format := cutFormat(path.Base(c.r.URL.Path))
	v := &limitsView{Tabs: c.registryTabs("limits"), exported: exported{c.path("/rules/limits"), c.r.URL.RawQuery}}
	v.On, v.DateField = c.onDate()
	all := h.ruleSet().Limits().All()
	var order []string
	byName := map[string]*limitsStandard{}
	for i := range all {
		l := &all[i]
		if !rules.InForce(l, v.On) {
			continue
		}
		s := byName[l.Standard]
		if s == nil {
			s = &limitsStandard{Name: l.Standard, From: l.EffectiveFrom}
			if c.actor.May(ReadList) {
				s.Href = c.path("/registry/standards?" + url.Values{"q": {l.Standard}}.Encode())
			}
			byName[l.Standard], order = s, append(order, l.Standard)
		}
		s.N++
		if l.Certainty != "verified" && l.Certainty != "certain" {
			s.Unsure++
		}
		s.From = min(s.From, l.EffectiveFrom)
		if l.EffectiveTo != "" && (s.Ends == "" || l.EffectiveTo < s.Ends) {
			s.Ends = l.EffectiveTo
		}
		if w := c.source(l.SourceType); !slices.Contains(s.Sources, w) {
			s.Sources = append(s.Sources, w)
		}
	}
	for _, name := range order {
		v.Standards = append(v.Standards, *byName[name])
	}
	byDate := map[string][]rules.LimitChange{}
	for _, x := range h.ruleSet().Limits().Changes() {
		byDate[x.Date] = append(byDate[x.Date], x)
	}
	dates := sortedKeys(byDate)
	slices.Reverse(dates)
	today := c.now.In(i18n.Zone).Format(time.DateOnly)
	if v.Day = c.query("change"); byDate[v.Day] == nil {
		v.Day = dates[0] // the newest or, mostly, a future one
	}
	for _, d := range dates {
		q := url.Values{"change": {d}}
		if on := c.query("on"); on != "" {
			q.Set("on", on)
		}
		v.Days = append(v.Days, limitsDay{Date: d, N: len(byDate[d]), Current: d == v.Day, Future: d > today, Href: c.path("/rules/limits?"+q.Encode()) + "#changes-h"})
	}
	for _, x := range byDate[v.Day] {
		v.Changes = append(v.Changes, c.limitsChange(x))
	}
	if format != "" {
		e := export{Name: "limits-" + v.Day, About: h.about(c, v.Day), Codes: []string{"standard", "source_type", "condition", "level", "factor", "statistic", "old_limit", "new_limit", "unit", "certainty"}}
		words := map[string]string{"old_limit": "rules.before", "new_limit": "rules.after"} // as the page says it
		for _, col := range e.Codes {
			e.Words = append(e.Words, c.l.T(cmp.Or(words[col], "rules.col_"+col)))
		}
		for _, x := range v.Changes {
			e.add(x.Standard, x.Source.Text, x.Condition.Text, x.Level.Text, x.Factor.Text, x.Statistic, x.Old, x.New, x.Unit, x.Certainty)
		}
		return e.send(c, format)
	}
	table := web.Table{Path: c.path("/rules/limits"), Query: c.r.URL.Query(), Swap: "limit-changes"}
	from, to, pager := table.Cut(len(v.Changes), 50)
	v.Changes, v.Pager = v.Changes[from:to], pager
	p := &web.Page{Title: c.l.T("rules.limits"), Module: "registry", Wide: true, Crumbs: c.ruleCrumbs(), Data: v}
	return h.renderDated(c, "rule_limits.html", p, v.DateField)
}

func (c *call) limitsChange(x rules.LimitChange) limitsChange {
	l := cmp.Or(x.New, x.Old)
	out := limitsChange{
		Standard: l.Standard, Source: c.source(l.SourceType), Condition: c.limitCondition(l.Condition), Level: c.limitLevel(l.Level), Factor: c.factor(l.Factor),
		Statistic: c.statistic(l.Statistic), Unit: unit(l.Unit),
	}
	figure := func(l *telemetry.Limit) string {
		if l == nil {
			return ""
		}
		return rangeText(l)
	}
	out.Old, out.New = figure(x.Old), figure(x.New)
	if key := "certainty." + strings.ReplaceAll(l.Certainty, "-", "_"); c.l.Has(key) {
		out.Certainty = c.l.T(key)
	}
	return out
}
