package telemetryweb

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry/ruleeval"
	"plateau/internal/web"
	"plateau/rules"
)

// ruleRoutes are the pages of the dated rules.
func ruleRoutes() []route {
	return []route{
		{"GET", "/rules", ReadRules, (*Handler).ruleList},
		{"GET", "/rules.csv", ReadRules, (*Handler).ruleList},
		{"GET", "/rules.json", ReadRules, (*Handler).ruleList},
		{"GET", "/rules.xlsx", ReadRules, (*Handler).ruleList},
		{"GET", "/rules/limits", ReadRules, (*Handler).ruleLimits},
		{"GET", "/rules/limits.csv", ReadRules, (*Handler).ruleLimits},
		{"GET", "/rules/limits.json", ReadRules, (*Handler).ruleLimits},
		{"GET", "/rules/limits.xlsx", ReadRules, (*Handler).ruleLimits},
		{"GET", "/rules/{id}", ReadRules, (*Handler).rulePage},
		{"GET", "/rules/{id}/diff", ReadRules, (*Handler).ruleDiff},
		{"GET", "/rules/{id}/effect", ReadList, (*Handler).ruleEffect},
		{"GET", "/rules/{id}/effect.csv", ReadList, (*Handler).ruleEffect},
		{"GET", "/rules/{id}/effect.json", ReadList, (*Handler).ruleEffect},
		{"GET", "/rules/{id}/effect.xlsx", ReadList, (*Handler).ruleEffect},
	}
}

// rules gives the rules the pages show.
func (h *Handler) ruleSet() *rules.Set {
	if h.Rules == nil {
		return rules.Default()
	}
	return h.Rules
}

// certainty is how sure a rule or figure is, in words.
type certainty struct{ Key, Text, Sentence, Icon string }

func (c *call) certainty(key string) certainty {
	x := certainty{Key: key, Text: c.l.T("rule_certainty." + key), Sentence: c.l.T("rule_certainty." + key + "_text")}
	if key == "unverified" {
		x.Icon = "suspect"
	}
	return x
}

// ruleTitle is the title of a version; Tibetan titles belong to the rule.
func (c *call) ruleTitle(r *rules.Rule, shape rules.Shape) word {
	if t := r.Title[string(c.lang)]; t != "" {
		return word{t, string(c.lang)}
	}
	if c.lang == i18n.Bo && shape.Bo != "" {
		return word{shape.Bo, "bo"}
	}
	return word{r.Title["zh"], "zh"}
}

func (c *call) ruleSource(r *rules.Rule) word {
	if c.lang == i18n.En {
		return word{r.Source, "en"}
	}
	return word{r.SourceZh, "zh"}
}

// Status of a rule on a day.
const (
	ruleInForce = "in_force"
	ruleNotYet  = "not_yet" // the first version stands in for older data
	ruleEnded   = "ended"
)

// ruleLine is a rule as it is on a day.
type ruleLine struct {
	ID        string
	Href      string
	Title     word
	Version   int
	From      string
	Changes   string // the next day on which it changes
	Status    string
	Certainty certainty
	Source    word
	Outlets   int
}

type ruleGroup struct {
	Title string
	Lines []ruleLine
}

type rulesView struct {
	On         string
	Today      bool
	Tabs       []web.Tab
	DateField  web.Field
	Search     web.Field
	Groups     []ruleGroup
	N          int
	Unverified int
	Next       string // the first day after On on which any rule changes
	NextHref   string
	exported
	Clear string
}

// onDate reads the day a page is asked for, today without one.
func (c *call) onDate() (date string, field web.Field) {
	today := c.now.In(i18n.Zone).Format(time.DateOnly)
	field = web.Field{Name: "on", Label: c.l.T("rules.on"), Value: i18n.Digits(c.query("on")), Input: "numeric", Width: "short"}
	if field.Value == "" {
		field.Value = today
	}
	if _, err := time.Parse(time.DateOnly, field.Value); err != nil {
		field.Error = c.l.T("rules.date_wrong")
		return today, field
	}
	return field.Value, field
}

func (h *Handler) ruleList(c *call) error {
	_, format := cutFormat(path.Base(c.r.URL.Path))
	v := &rulesView{exported: exported{c.path("/rules"), c.r.URL.RawQuery}, Tabs: c.registryTabs("rules")}
	v.On, v.DateField = c.onDate()
	v.Today = v.On == c.now.In(i18n.Zone).Format(time.DateOnly)
	v.Search = web.Field{Name: "q", Kind: "search", Label: c.l.T("registry.search"), Value: c.query("q")}
	if v.Search.Value != "" {
		v.Clear = c.path("/rules")
	}
	set := h.ruleSet()
	bySubject := map[string][]ruleLine{}
	for _, id := range set.IDs() {
		line, r := h.ruleLine(c, id, v.On)
		if next := set.NextChange(id, v.On); next != "" && (v.Next == "" || next < v.Next) {
			v.Next = next
		}
		if !line.matches(v.Search.Value, r) {
			continue
		}
		v.N++
		if line.Certainty.Key == "unverified" {
			v.Unverified++
		}
		bySubject[cmp.Or(set.Shape(id).Subject, "other")] = append(bySubject[cmp.Or(set.Shape(id).Subject, "other")], line)
	}
	if v.Next != "" {
		v.NextHref = c.path("/rules?on=" + v.Next)
	}
	for _, s := range append(slices.Clone(rules.Subjects), "other") {
		if lines := bySubject[s]; len(lines) > 0 {
			v.Groups = append(v.Groups, ruleGroup{c.l.T("rule_subject." + s), lines})
		}
	}
	if format != "" {
		e := export{Name: "rules-" + v.On, About: h.about(c, v.On), Codes: []string{"subject", "rule", "title", "version", "effective_from", "changes_on", "certainty", "source", "outlets"}}
		for _, col := range e.Codes {
			e.Words = append(e.Words, c.l.T("rules.col_"+col))
		}
		for _, g := range v.Groups {
			for _, l := range g.Lines {
				e.add(g.Title, l.ID, l.Title.Text, l.Version, l.From, l.Changes, l.Certainty.Text, l.Source.Text, l.Outlets)
			}
		}
		return e.send(c, format)
	}
	p := &web.Page{Title: c.l.T("rules.title"), Module: "registry", Wide: true, Data: v}
	return h.renderDated(c, "rules.html", p, v.DateField)
}

// renderDated serves a page that was asked for a day; one that is none is an
// error of the form.
func (h *Handler) renderDated(c *call, name string, p *web.Page, day web.Field) error {
	status := http.StatusOK
	if day.Error != "" {
		status, p.Errors = http.StatusUnprocessableEntity, []web.FieldError{{Field: day.Name, Text: day.Error}}
	}
	return h.render(c, status, name, p)
}

func (l ruleLine) matches(q string, r *rules.Rule) bool {
	q = strings.ToLower(q)
	for _, text := range []string{l.ID, l.Title.Text, r.Title["zh"], r.Title["en"], r.Source, r.SourceZh} {
		if strings.Contains(strings.ToLower(text), q) {
			return true
		}
	}
	return false
}

// ruleLine tells a rule as it is on a day: the version in force or, where none
// is, the next one that stands in for it.
func (h *Handler) ruleLine(c *call, id, on string) (ruleLine, *rules.Rule) {
	set := h.ruleSet()
	shape := set.Shape(id)
	r, status := set.Versions(id)[0], ruleNotYet
	if now, ok := set.InForce(id, on); ok {
		r, status = now, ruleInForce
	} else if _, ok := set.At(id, on); !ok {
		versions := set.Versions(id)
		r, status = versions[len(versions)-1], ruleEnded
	}
	l := ruleLine{
		ID: id, Title: c.ruleTitle(r, shape), Version: r.Version, From: r.EffectiveFrom, Changes: set.NextChange(id, on),
		Status: status, Certainty: c.certainty(r.Certainty), Source: c.ruleSource(r), Href: c.path("/rules/" + id),
	}
	if c.query("on") != "" {
		l.Href += "?on=" + on
	}
	l.Outlets = h.appliesTo(c, shape)
	return l, r
}

// appliesTo counts the outlets of the reader that a rule is applied to.
func (h *Handler) appliesTo(c *call, shape rules.Shape) (n int) {
	for _, o := range c.snap.Outlets {
		if c.sees(o) && shape.Applies(string(o.Medium), o.SourceType) {
			n++
		}
	}
	return n
}

// registryTabs lead from the lists of the registry to the rules and back.
func (c *call) registryTabs(current string) []web.Tab {
	var tabs []web.Tab
	if c.actor.May(ReadRules) {
		tabs = []web.Tab{
			{Text: c.l.T("rules.title"), Href: c.path("/rules"), Current: current == "rules"},
			{Text: c.l.T("rules.limits"), Href: c.path("/rules/limits"), Current: current == "limits"},
		}
	}
	if c.actor.May(ReadList) {
		tabs = append([]web.Tab{{Text: c.l.T("rules.tab_lists"), Href: c.path("/registry"), Current: current == "lists"}}, tabs...)
		tabs = append(tabs, web.Tab{Text: c.l.T("recompute.title"), Href: c.path("/recompute"), Current: current == "recompute"})
	}
	if c.actor.May(Keeps) {
		tabs = append(tabs, web.Tab{Text: c.l.T("keeping.title"), Href: c.path("/keeping"), Current: current == "keeping"})
	}
	if c.actor.May(ReadPolicy) {
		tabs = append(tabs, web.Tab{Text: c.l.T("policy.title"), Href: c.path("/policy"), Current: current == "policy"})
	}
	if c.actor.May(SeePosts) {
		tabs = append(tabs, web.Tab{Text: c.l.T("people.posts"), Href: c.path("/posts")})
	}
	if c.actor.May(Hooks) {
		tabs = append(tabs, web.Tab{Text: c.l.T("webhook.title"), Href: c.path("/webhooks"), Current: current == "webhooks"})
	}
	if c.actor.May(Relays) {
		tabs = append(tabs, web.Tab{Text: c.l.T("relay.title"), Href: c.path("/relay")})
	}
	return tabs
}

func (c *call) ruleCrumbs(more ...web.Crumb) []web.Crumb {
	out := []web.Crumb{{Text: c.l.T("rules.title"), Path: "/rules"}}
	if c.actor.May(ReadList) {
		out = append([]web.Crumb{{Text: c.l.T("nav.registry"), Path: "/registry"}}, out...)
	}
	return append(out, more...)
}

// paramLine is a figure of a rule.
type paramLine struct {
	Words     word
	Inside    []word // keys inside tables
	Path      string
	Items     []paramItem
	Unit      string
	Certainty certainty // where less sure than the rule
}

// paramItem is a figure or word of a list; Changed where another version has
// another one.
type paramItem struct {
	word
	Changed bool
}

type versionLine struct {
	Version            int
	From, To           string
	Href, Diff, Effect string
	Certainty          certainty
	Source             word
	Hash               string
	Shown              bool
}

type caseLine struct {
	ID, Note, Source        string
	Input, Expected, Result string
	OK                      bool
}

type ruleView struct {
	ruleLine
	On        string
	Today     bool
	To        string
	Hash      string
	DateField web.Field
	Params    []paramLine
	Versions  []versionLine
	Cases     []caseLine
	Passed    int
	MoreCases int
	AllCases  string
	OutletsAt string // address of the list of outlets it applies to
	Doubts    []paramLine
}

// shownCases is how many worked cases a page shows at first.
const shownCases = 8

// findRule gives the id of the path, which may end in a format.
func (h *Handler) findRule(c *call) (id, format string, err error) {
	id, format = cutFormat(c.r.PathValue("id"))
	if len(h.ruleSet().Versions(id)) == 0 {
		return "", "", notFound()
	}
	return id, format, nil
}

func (h *Handler) rulePage(c *call) error {
	id, format, err := h.findRule(c)
	if err != nil {
		return err
	}
	set := h.ruleSet()
	v := &ruleView{}
	v.On, v.DateField = c.onDate()
	if q := c.query("version"); q != "" { // the day on which it came into force
		i := slices.IndexFunc(set.Versions(id), func(r *rules.Rule) bool { return strconv.Itoa(r.Version) == q })
		if i < 0 {
			return notFound()
		}
		if r := set.Versions(id)[i]; r.EffectiveFrom > v.On || r.EffectiveTo != "" && r.EffectiveTo < v.On {
			v.On = r.EffectiveFrom
			v.DateField.Value = v.On
		}
	}
	v.Today = v.On == c.now.In(i18n.Zone).Format(time.DateOnly)
	var r *rules.Rule
	v.ruleLine, r = h.ruleLine(c, id, v.On)
	v.To, v.Hash = r.EffectiveTo, r.Hash
	shape := set.Shape(id)
	for _, x := range r.Values() {
		v.Params = append(v.Params, c.paramLine(shape, x, nil))
	}
	v.Doubts = slices.DeleteFunc(slices.Clone(v.Params), func(p paramLine) bool { return p.Certainty.Key == "" })
	if format != "" {
		e := export{Name: "rule-" + id, About: h.about(c, id+"@"+strconv.Itoa(r.Version)), Codes: []string{"parameter", "words", "value", "unit"}}
		for _, col := range e.Codes {
			e.Words = append(e.Words, c.l.T("rules.col_"+col))
		}
		for i, x := range r.Values() {
			e.add(x.Path(), v.Params[i].Words.Text, x.Text(), v.Params[i].Unit)
		}
		return e.send(c, format)
	}
	v.Versions = h.versionLines(c, id, r)
	if err := h.ruleCases(c, v); err != nil {
		return err
	}
	if len(shape.Media) == 1 && len(shape.Sources) == 0 {
		v.OutletsAt = c.path("/outlets?medium=" + shape.Media[0])
	} else if len(shape.Media) > 0 && len(shape.Sources) == 0 {
		v.OutletsAt = c.path("/outlets")
	}
	p := &web.Page{Title: v.Title.Text, Module: "registry", Crumbs: c.ruleCrumbs(), Data: v}
	return h.renderDated(c, "rule.html", p, v.DateField)
}

// versionLines lists all versions, newest first.
func (h *Handler) versionLines(c *call, id string, shown *rules.Rule) []versionLine {
	var out []versionLine
	for i, r := range h.ruleSet().Versions(id) {
		l := versionLine{
			Version: r.Version, From: r.EffectiveFrom, To: r.EffectiveTo, Certainty: c.certainty(r.Certainty), Source: c.ruleSource(r),
			Hash: r.Hash, Shown: r == shown, Href: c.path("/rules/" + id + "?on=" + r.EffectiveFrom),
		}
		if h.WhatIf != nil && h.ruleSet().Shape(id).Judges && c.actor.May(ReadList) {
			l.Effect = c.effectLink(id, r.Version)
		}
		if i > 0 {
			l.Diff = c.path(fmt.Sprintf("/rules/%s/diff?a=%d&b=%d", id, h.ruleSet().Versions(id)[i-1].Version, r.Version))
		}
		out = append(out, l)
	}
	slices.Reverse(out)
	return out
}

// ruleCases runs the worked cases now.
func (h *Handler) ruleCases(c *call, v *ruleView) error {
	cases := rules.CasesOf(v.ID)
	evaluators := map[string]*ruleeval.Evaluator{}
	for i, x := range cases {
		date := cmp.Or(x.Date, v.On)
		e := evaluators[date]
		if e == nil {
			var err error
			if e, err = ruleeval.New(h.ruleSet(), date); err != nil {
				return fmt.Errorf("rules in force on %s: %w", date, err)
			}
			evaluators[date] = e
		}
		result, ok, err := e.Try(x)
		if ok {
			v.Passed++
		}
		if i >= shownCases && c.query("cases") != "all" && ok {
			v.MoreCases++
			continue
		}
		expected, _ := json.Marshal(x.Expected) // it was read from JSON
		l := caseLine{ID: x.ID, Note: x.Note, Source: x.Source, Input: string(x.Input), Expected: string(expected), Result: string(result), OK: ok}
		if err != nil {
			l.Result = err.Error()
		}
		v.Cases = append(v.Cases, l)
	}
	if v.MoreCases > 0 {
		q := url.Values{"cases": {"all"}}
		if on := c.query("on"); on != "" {
			q.Set("on", on)
		}
		v.AllCases = c.path("/rules/"+v.ID+"?"+q.Encode()) + "#cases-h"
	}
	return nil
}

// paramLine puts a figure into words; other is the same figure of the version it
// is held against.
func (c *call) paramLine(shape rules.Shape, x rules.Value, other *rules.Value) paramLine {
	p, known := shape.Params[x.Keys[0]]
	l := paramLine{Words: word{p.Zh, "zh"}, Path: x.Path(), Unit: unit(p.Unit)}
	switch {
	case !known:
		l.Words = word{x.Keys[0], "en"}
	case c.lang == i18n.En:
		l.Words = word{p.En, "en"}
	}
	if strings.HasSuffix(x.Path(), "/CO_24h") || strings.HasSuffix(x.Path(), "/CO_1h") {
		l.Unit = unit("mg/m3") // of all items of the air only CO is counted in milligrams
	}
	if p.Certainty != "" {
		l.Certainty = c.certainty(p.Certainty)
	}
	for _, key := range x.Keys[1:] {
		l.Inside = append(l.Inside, c.ruleWord(key))
	}
	_, isText := x.Item.(string)
	list, isList := x.Item.([]any)
	items := x.List()
	for i, item := range items {
		w := word{item, ""}
		if isText || isList && len(list) > 0 && isString(list[0]) {
			w = c.ruleWord(item)
		}
		changed := false
		if other != nil {
			theirs := other.List()
			changed = !slices.Contains(theirs, item)
			if len(theirs) == len(items) {
				changed = theirs[i] != item
			}
		}
		l.Items = append(l.Items, paramItem{w, changed})
	}
	return l
}

func isString(v any) bool { _, ok := v.(string); return ok }

var factorCode = regexp.MustCompile(`^[aw]\d{5}$`)

// ruleWord puts a word of a rule file into the page's language where the
// catalogue knows it: a factor, mark, statistic, state, medium or source type.
func (c *call) ruleWord(s string) word {
	if factorCode.MatchString(s) {
		w := c.factor(s)
		w.Text += " " + s
		return w
	}
	for _, prefix := range []string{"rule_word.", "statistic.", "medium.", "state."} {
		if key := prefix + s; c.l.Has(key) {
			return word{c.l.T(key), string(c.lang)}
		}
	}
	if key := "flag." + s; c.l.Has(key) {
		return word{s + " " + c.l.T(key), string(c.lang)}
	}
	if w := c.source(s); w.Text != s {
		return w
	}
	return word{s, "en"}
}

// diffLine is a figure that two versions have differently.
type diffLine struct {
	Words    word
	Inside   []word
	Path     string
	Unit     string
	What     string // added, removed, changed
	From, To []paramItem
}

type ruleDiffView struct {
	ID     string
	Href   string
	A, B   versionLine
	Fields []web.Field
	Lines  []diffLine
	Same   bool // one version was asked for twice
}

func (h *Handler) ruleDiff(c *call) error {
	id, _, err := h.findRule(c)
	if err != nil {
		return err
	}
	versions := h.ruleSet().Versions(id)
	last := len(versions) - 1
	pick := func(name string, otherwise *rules.Rule) (*rules.Rule, error) {
		q := c.query(name)
		if q == "" {
			return otherwise, nil
		}
		for _, r := range versions {
			if strconv.Itoa(r.Version) == q {
				return r, nil
			}
		}
		return nil, notFound()
	}
	a, err := pick("a", versions[max(last-1, 0)])
	if err != nil {
		return err
	}
	b, err := pick("b", versions[last])
	if err != nil {
		return err
	}
	v := &ruleDiffView{ID: id, Href: c.path("/rules/" + id), Same: a == b}
	for _, l := range h.versionLines(c, id, nil) {
		if l.Version == a.Version {
			v.A = l
		}
		if l.Version == b.Version {
			v.B = l
		}
	}
	shape := h.ruleSet().Shape(id)
	for _, d := range rules.Diff(a, b) {
		l := diffLine{What: "changed"}
		var p paramLine
		if d.To != nil {
			p = c.paramLine(shape, *d.To, d.From)
			l.To = p.Items
		} else {
			l.What = "removed"
		}
		if d.From != nil {
			p = c.paramLine(shape, *d.From, d.To)
			l.From = p.Items
		} else {
			l.What = "added"
		}
		l.Words, l.Inside, l.Path, l.Unit = p.Words, p.Inside, p.Path, p.Unit
		v.Lines = append(v.Lines, l)
	}
	for name, chosen := range map[string]*rules.Rule{"a": a, "b": b} {
		f := web.Field{Name: name, Kind: "select", Label: c.l.T("rules.version_" + name)}
		for _, r := range versions {
			f.Options = append(f.Options, web.Option{Value: strconv.Itoa(r.Version), Text: c.l.T("rules.version_from", "n", r.Version, "date", r.EffectiveFrom), Selected: r == chosen})
		}
		v.Fields = append(v.Fields, f)
	}
	slices.SortFunc(v.Fields, func(x, y web.Field) int { return strings.Compare(x.Name, y.Name) })
	title := c.ruleTitle(b, shape)
	return h.render(c, http.StatusOK, "rule_diff.html", &web.Page{
		Title: c.l.T("rules.diff_title", "rule", title.Text, "a", a.Version, "b", b.Version), Module: "registry",
		Crumbs: c.ruleCrumbs(web.Crumb{Text: title.Text, Path: "/rules/" + id}), Data: v,
	})
}
