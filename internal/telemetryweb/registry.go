package telemetryweb

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/hj212"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/web"
)

// listKinds are the lists of the registry, in the order of the page.
var listKinds = []string{"enterprises", "outlets", "factors", "limits"}

type registryCard struct {
	Title, Text, Href string
	N                 int
}

type registryHomeView struct {
	Cards   []registryCard
	Changes []changeLine
	Edit    bool
}

type changeLine struct {
	At                          time.Time
	By, Kind, ID, Action, Delta string
}

func (h *Handler) registryHome(c *call) error {
	v := &registryHomeView{Edit: h.mayEdit(c)}
	n := map[string]int{"enterprises": len(c.snap.Enterprises), "outlets": len(c.snap.Outlets), "factors": len(hj212.Factors()), "limits": len(h.limits(c))}
	for _, k := range listKinds {
		v.Cards = append(v.Cards, registryCard{Title: c.l.T("registry." + k), Text: c.l.T("registry." + k + "_text"), Href: c.path("/registry/" + k), N: n[k]})
	}
	var err error
	if v.Changes, err = h.changes(c, 10); err != nil {
		return err
	}
	return h.render(c, http.StatusOK, "registry.html", &web.Page{Title: c.l.T("registry.title"), Module: "registry", Data: v})
}

func (h *Handler) mayEdit(c *call) bool { return h.Editor != nil && c.actor.May(EditList) }

func (h *Handler) changes(c *call, limit int) ([]changeLine, error) {
	if h.Editor == nil {
		return nil, nil
	}
	list, err := h.Editor.Changes(c.ctx(), limit)
	if err != nil {
		return nil, err
	}
	out := make([]changeLine, 0, len(list))
	for _, x := range list {
		kind, action := x.Kind, x.Action
		if key := "registry.kind_" + kind; c.l.Has(key) {
			kind = c.l.T(key)
		}
		if key := "registry.action_" + action; c.l.Has(key) {
			action = c.l.T(key)
		}
		out = append(out, changeLine{At: x.At, By: x.By, Kind: kind, ID: x.ID, Action: action, Delta: x.Details})
	}
	return out, nil
}

func (h *Handler) registryChanges(c *call) error {
	list, err := h.changes(c, 200)
	if err != nil {
		return err
	}
	return h.render(c, http.StatusOK, "registry_changes.html", &web.Page{
		Title: c.l.T("registry.changes"), Module: "registry", Crumbs: registryCrumbs(c, ""), Data: list,
	})
}

func registryCrumbs(c *call, kind string) []web.Crumb {
	out := []web.Crumb{{Text: c.l.T("nav.registry"), Path: "/registry"}}
	if kind != "" {
		out = append(out, web.Crumb{Text: c.l.T("registry." + kind), Path: "/registry/" + kind})
	}
	return out
}

// limits are those of the standards and the outlets' own.
func (h *Handler) limits(c *call) []telemetry.Limit {
	out := slices.Clone(c.snap.Limits)
	for _, id := range c.snap.Order {
		if o := c.snap.Outlets[id]; o != nil {
			out = append(out, o.Limits...)
		}
	}
	return out
}

// listRow is an entry of a list: the first cell links to it.
type listRow struct {
	Href  string
	Cells []word
}

type registryListView struct {
	Kind   string
	Heads  []string
	Rows   []listRow
	Search web.Field
	Query  string
	Pager  web.Pager
	Edit   bool
	Add    bool
	Base   string
}

func (h *Handler) registryList(c *call) error {
	kind, format := cutFormat(c.r.PathValue("kind"))
	if !slices.Contains(listKinds, kind) {
		return notFound()
	}
	if format == "csv" && h.Editor != nil && c.query("q") == "" && kind != "factors" {
		var b bytes.Buffer
		if err := h.Editor.Export(c.ctx(), kind, &b); err != nil {
			return err
		}
		c.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		c.w.Header().Set("Content-Disposition", `attachment; filename="`+kind+`.csv"`)
		_, _ = b.WriteTo(c.w) // the reader went away: nothing to do about it
		return nil
	}
	v := &registryListView{Kind: kind, Edit: h.mayEdit(c), Base: c.path("/registry/" + kind), Query: c.r.URL.RawQuery}
	v.Add = v.Edit && kind != "factors"
	cols, rows := h.listRows(c, kind)
	q := strings.ToLower(c.query("q"))
	if q != "" {
		rows = slices.DeleteFunc(rows, func(r listRow) bool {
			return !slices.ContainsFunc(r.Cells, func(w word) bool { return strings.Contains(strings.ToLower(w.Text), q) })
		})
	}
	if format != "" {
		e := export{Name: kind, About: h.about(c, c.query("q")), Codes: cols}
		for _, col := range cols {
			e.Words = append(e.Words, c.l.T("field."+col))
		}
		for _, r := range rows {
			cells := make([]any, len(r.Cells))
			for i, w := range r.Cells {
				cells[i] = w.Text
			}
			e.add(cells...)
		}
		return e.send(c, format)
	}
	for _, col := range cols {
		v.Heads = append(v.Heads, c.l.T("field."+col))
	}
	table := web.Table{Path: v.Base, Query: c.r.URL.Query(), Swap: "registry-list"}
	from, to, pager := table.Cut(len(rows), 50)
	v.Rows, v.Pager = rows[from:to], pager
	v.Search = web.Field{Name: "q", Kind: "search", Label: c.l.T("registry.search"), Value: c.query("q")}
	return h.render(c, http.StatusOK, "registry_list.html", &web.Page{
		Title: c.l.T("registry." + kind), Module: "registry", Wide: true, Crumbs: registryCrumbs(c, ""), Data: v,
	})
}

func (h *Handler) listRows(c *call, kind string) (cols []string, rows []listRow) {
	text := func(s string) word { return word{s, string(c.lang)} }
	href := func(id string) string { return c.path("/registry/" + kind + "/" + url.PathEscape(id)) }
	switch kind {
	case "enterprises":
		cols = []string{"name", "id", "area", "permit", "outlets"}
		n := map[string]int{}
		for _, o := range c.snap.Outlets {
			n[o.Enterprise]++
		}
		for _, id := range sortedKeys(c.snap.Enterprises) {
			e := c.snap.Enterprises[id]
			rows = append(rows, listRow{href(id), []word{c.name(e.Name), text(id), c.area(e.Area), text(e.Permit), text(strconv.Itoa(n[id]))}})
		}
	case "outlets":
		cols = []string{"name", "id", "enterprise", "medium", "source_type", "area", "mn"}
		for _, id := range c.snap.Order {
			o := c.snap.Outlets[id]
			if o == nil {
				continue
			}
			var owner word
			if e := c.snap.Enterprises[o.Enterprise]; e != nil {
				owner = c.name(e.Name)
			}
			mn := ""
			if d := c.snap.DeviceOf(id); d != nil {
				mn = d.MN
			}
			rows = append(rows, listRow{href(strconv.Itoa(int(id))), []word{c.name(o.Name), text(strconv.Itoa(int(id))), owner, text(c.l.T("medium." + string(o.Medium))), {o.SourceType, "en"}, c.area(o.Area), text(mn)}})
		}
	case "factors":
		cols = []string{"name", "code", "old_code", "unit", "name_en", "decimals"}
		all := hj212.Factors()
		for _, code := range sortedKeys(all) {
			f := all[code]
			rows = append(rows, listRow{"", []word{{f.NameZh, "zh"}, text(f.Code), text(f.Old), text(unit(f.Unit)), {f.NameEn, "en"}, text(strconv.Itoa(f.Decimals))}})
		}
	case "limits":
		cols = []string{"id", "standard", "source_type", "condition", "level", "factor", "statistic", "limit", "unit", "ref_o2", "from", "to"}
		for _, l := range h.limits(c) {
			num := func(p *float64) string {
				if p == nil {
					return ""
				}
				return strconv.FormatFloat(*p, 'f', -1, 64)
			}
			limit := strings.Trim(num(l.Lo)+"–"+num(l.Hi), "–")
			stat := l.Statistic
			if key := "statistic." + stat; c.l.Has(key) {
				stat = c.l.T(key)
			}
			rows = append(rows, listRow{href(l.ID), []word{text(l.ID), text(l.Standard), {l.SourceType, "en"}, {l.Condition, "en"}, text(l.Level), c.factor(l.Factor), text(stat), text(l.Op + " " + limit), text(unit(l.Unit)), text(num(l.RefO2)), text(l.EffectiveFrom), text(l.EffectiveTo)}})
		}
	}
	return cols, rows
}

// registryFormView is the form of an entry.
type registryFormView struct {
	Kind   string
	ID     string
	New    bool
	Edit   bool
	Fields []web.Field
	Action string
	Back   string
	Factor []word // of an outlet
}

// registryEntry shows an entry; "new" is an empty form.
func (h *Handler) registryEntry(c *call) error { return h.entryPage(c, http.StatusOK, nil) }

func (h *Handler) entryPage(c *call, status int, problems []web.FieldError) error {
	kind, id := c.r.PathValue("kind"), c.r.PathValue("id")
	v := &registryFormView{Kind: kind, ID: id, New: id == "new", Edit: h.mayEdit(c), Action: c.path("/registry/" + kind + "/" + url.PathEscape(id)), Back: c.path("/registry/" + kind)}
	if v.New && !v.Edit {
		return refused(c.l, EditList)
	}
	var title string
	switch kind {
	case "enterprises":
		e := c.snap.Enterprises[id]
		if e == nil {
			if !v.New {
				return notFound()
			}
			e = &telemetry.Enterprise{}
		}
		title = c.name(e.Name).Text
		v.Fields = []web.Field{
			{Name: "id", Value: e.ID},
			{Name: "name_zh", Value: e.Name.Zh, Lang: "zh-Hans"},
			{Name: "name_bo", Value: e.Name.Bo, Lang: "bo", Optional: true},
			{Name: "name_en", Value: e.Name.En, Lang: "en", Optional: true},
			c.countyField(e.Area),
			{Name: "permit", Value: e.Permit, Optional: true},
		}
		if !v.New {
			v.Fields = v.Fields[1:]
		}
	case "outlets":
		n, _ := parseOutletID(id)
		o := c.snap.Outlets[n]
		if o == nil {
			if !v.New {
				return notFound()
			}
			o = &telemetry.Outlet{Medium: telemetry.Gas}
		}
		title = c.name(o.Name).Text
		v.Fields = h.outletFields(c, o)
	case "limits":
		var l *telemetry.Limit
		for _, x := range h.limits(c) {
			if x.ID == id {
				l = &x
			}
		}
		if l == nil {
			if !v.New {
				return notFound()
			}
			l = &telemetry.Limit{Op: "<=", Statistic: "hour", EffectiveFrom: i18n.Short(c.now)}
		}
		title = l.ID
		v.Fields = limitFields(c, l)
		if !v.New {
			v.Fields = v.Fields[1:]
		}
	default:
		return notFound()
	}
	if v.New {
		title = c.l.T("registry.new_" + kind)
	}
	for i := range v.Fields {
		f := &v.Fields[i]
		f.Label = cmp.Or(f.Label, c.l.T("field."+f.Name))
		if key := "field_hint." + f.Name; f.Hint == "" && c.l.Has(key) {
			f.Hint = c.l.T(key)
		}
		f.Width = cmp.Or(f.Width, "medium")
		if c.r.Method == http.MethodPost {
			f.Value = c.r.PostFormValue(f.Name)
			for j := range f.Options {
				f.Options[j].Selected = f.Options[j].Value == f.Value
			}
		}
		for _, p := range problems {
			if p.Field == f.Name {
				f.Error = p.Text
			}
		}
	}
	return h.render(c, status, "registry_form.html", &web.Page{Title: title, Module: "registry", Crumbs: registryCrumbs(c, kind), Errors: problems, Data: v})
}

func (c *call) countyField(current string) web.Field {
	f := web.Field{Name: "area", Kind: "select", Options: []web.Option{{Text: "—", Selected: current == ""}}}
	for _, code := range sortedKeys(c.snap.Areas) {
		if a := c.snap.Areas[code]; a.Level == "county" || code == current {
			f.Options = append(f.Options, web.Option{Value: code, Text: c.area(c.prefecture(code)).Text + " " + c.name(a.Name).Text, Selected: code == current})
		}
	}
	return f
}

func (h *Handler) outletFields(c *call, o *telemetry.Outlet) []web.Field {
	owner := web.Field{Name: "enterprise", Kind: "select", Options: []web.Option{{Text: "—", Selected: o.Enterprise == ""}}}
	for _, id := range sortedKeys(c.snap.Enterprises) {
		owner.Options = append(owner.Options, web.Option{Value: id, Text: c.name(c.snap.Enterprises[id].Name).Text, Selected: id == o.Enterprise})
	}
	iv := o.IntervalAt(c.now)
	codes := make([]string, 0, len(o.Factors))
	for _, f := range o.Factors {
		codes = append(codes, f.Code)
	}
	source := web.Field{Name: "source_type", Kind: "select", Options: []web.Option{{Text: "—", Selected: o.SourceType == ""}}}
	types := map[string]bool{}
	for _, l := range c.snap.Limits {
		types[l.SourceType] = true
	}
	if o.SourceType != "" {
		types[o.SourceType] = true
	}
	for _, t := range sortedKeys(types) {
		if t != "" {
			source.Options = append(source.Options, web.Option{Value: t, Text: t, Selected: t == o.SourceType})
		}
	}
	return []web.Field{
		{Name: "name_zh", Value: o.Name.Zh, Lang: "zh-Hans"},
		{Name: "name_bo", Value: o.Name.Bo, Lang: "bo", Optional: true},
		{Name: "name_en", Value: o.Name.En, Lang: "en", Optional: true},
		owner,
		{Name: "medium", Kind: "select", Options: c.mediumOptions(string(o.Medium))[1:]},
		source,
		{Name: "condition", Value: o.Condition, Optional: true},
		{Name: "level", Value: o.Level, Optional: true},
		c.countyField(o.Area),
		{Name: "lon", Value: coordinate(o.Lon), Input: "decimal"},
		{Name: "lat", Value: coordinate(o.Lat), Input: "decimal"},
		{Name: "realtime", Value: strconv.Itoa(iv.Realtime), Input: "numeric"},
		{Name: "minute", Value: strconv.Itoa(iv.Minute), Input: "numeric"},
		{Name: "factors", Kind: "textarea", Rows: 3, Value: strings.Join(codes, " ")},
	}
}

func coordinate(v float64) string {
	if v == 0 {
		return ""
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

func limitFields(c *call, l *telemetry.Limit) []web.Field {
	num := func(p *float64) string {
		if p == nil {
			return ""
		}
		return strconv.FormatFloat(*p, 'f', -1, 64)
	}
	stat := web.Field{Name: "statistic", Kind: "select"}
	for _, s := range []string{"hour", "day", "instantaneous", "month", "year"} {
		stat.Options = append(stat.Options, web.Option{Value: s, Text: c.l.T("statistic." + s), Selected: s == l.Statistic})
	}
	op := web.Field{Name: "op", Kind: "select"}
	for _, s := range []string{"<=", ">=", "range"} {
		op.Options = append(op.Options, web.Option{Value: s, Text: s, Selected: s == l.Op})
	}
	return []web.Field{
		{Name: "id", Value: l.ID},
		{Name: "standard", Value: l.Standard},
		{Name: "source_type", Value: l.SourceType},
		{Name: "condition", Value: l.Condition, Optional: true},
		{Name: "level", Value: l.Level, Optional: true},
		{Name: "factor", Value: l.Factor},
		stat, op,
		{Name: "lo", Value: num(l.Lo), Input: "decimal", Optional: true},
		{Name: "hi", Value: num(l.Hi), Input: "decimal", Optional: true},
		{Name: "unit", Value: l.Unit},
		{Name: "ref_o2", Value: num(l.RefO2), Input: "decimal", Optional: true},
		{Name: "effective_from", Value: l.EffectiveFrom},
		{Name: "effective_to", Value: l.EffectiveTo, Optional: true},
		{Name: "note", Value: l.Note, Optional: true},
	}
}

// form reads the fields of a form and gathers what has to be mended.
type form struct {
	c        *call
	problems []web.FieldError
}

func (f *form) text(name string) string { return strings.TrimSpace(f.c.r.PostFormValue(name)) }

func (f *form) wrong(name string) {
	key := "field_error." + name
	if !f.c.l.Has(key) {
		key = "field_error.any"
	}
	f.problems = append(f.problems, web.FieldError{Field: name, Text: f.c.l.T(key, "label", f.c.l.T("field."+name))})
}

func (f *form) need(name string) string {
	s := f.text(name)
	if s == "" {
		f.wrong(name)
	}
	return s
}

func (f *form) number(name string) *float64 {
	s := f.text(name)
	if s == "" {
		return nil
	}
	plain, ok := i18n.ParseNumber(s)
	v, err := strconv.ParseFloat(plain, 64)
	if !ok || err != nil {
		f.wrong(name)
		return nil
	}
	return &v
}

func (f *form) whole(name string, lo, hi int) int {
	n, err := strconv.Atoi(i18n.Digits(f.text(name)))
	if err != nil || n < lo || n > hi {
		f.wrong(name)
	}
	return n
}

func (f *form) date(name string, optional bool) string {
	s := i18n.Digits(f.text(name))
	if s == "" && optional {
		return ""
	}
	if _, err := time.Parse("2006-01-02", s); err != nil {
		f.wrong(name)
	}
	return s
}

func (h *Handler) registrySave(c *call) error {
	if h.Editor == nil {
		return errs.New(errs.Conflict, "problem.conflict")
	}
	kind, id := c.r.PathValue("kind"), c.r.PathValue("id")
	f := &form{c: c}
	var save func() error
	switch kind {
	case "enterprises":
		save = h.saveEnterprise(f, id)
	case "outlets":
		save = h.saveOutlet(f, id)
	case "limits":
		save = h.saveLimit(f, id)
	}
	if save == nil && len(f.problems) == 0 {
		return notFound()
	}
	if len(f.problems) > 0 {
		return h.entryPage(c, http.StatusUnprocessableEntity, f.problems)
	}
	err := save()
	if e, ok := errors.AsType[*errs.Error](err); ok && (e.Kind == errs.Invalid || e.Kind == errs.Conflict) {
		status := http.StatusUnprocessableEntity
		if e.Kind == errs.Conflict {
			status = http.StatusConflict
		}
		return h.entryPage(c, status, c.fieldErrors(e))
	}
	if err != nil {
		return err
	}
	return c.see("/registry/" + kind)
}

func (h *Handler) saveEnterprise(f *form, id string) func() error {
	e := telemetry.Enterprise{ID: id}
	if old := f.c.snap.Enterprises[id]; old != nil {
		e = *old
	} else if id == "new" {
		e.ID = f.need("id")
		if f.c.snap.Enterprises[e.ID] != nil || e.ID == "new" {
			f.wrong("id")
		}
	} else {
		return nil
	}
	e.Name = telemetry.Name{Zh: f.need("name_zh"), Bo: f.text("name_bo"), En: f.text("name_en")}
	e.Area, e.Permit = f.need("area"), f.text("permit")
	return func() error { return h.Editor.SaveEnterprise(f.c.ctx(), e, f.c.actor.Post) }
}

func (h *Handler) saveOutlet(f *form, id string) func() error {
	o := telemetry.Outlet{}
	n, _ := parseOutletID(id)
	if old := f.c.snap.Outlets[n]; old != nil {
		o = *old
	} else if id != "new" {
		return nil
	}
	o.Name = telemetry.Name{Zh: f.need("name_zh"), Bo: f.text("name_bo"), En: f.text("name_en")}
	o.Enterprise, o.Medium, o.SourceType = f.need("enterprise"), telemetry.Medium(f.need("medium")), f.text("source_type")
	o.Condition, o.Level, o.Area = f.text("condition"), f.text("level"), f.need("area")
	o.Lon, o.Lat = 0, 0
	if v := f.number("lon"); v != nil {
		if o.Lon = *v; o.Lon < -180 || o.Lon > 180 {
			f.wrong("lon")
		}
	}
	if v := f.number("lat"); v != nil {
		if o.Lat = *v; o.Lat < -90 || o.Lat > 90 {
			f.wrong("lat")
		}
	}
	iv := telemetry.Interval{From: f.c.now.UTC().Truncate(time.Second), Realtime: f.whole("realtime", 0, 3600), Minute: f.whole("minute", 0, 60)}
	if now := o.IntervalAt(f.c.now); now.Realtime != iv.Realtime || now.Minute != iv.Minute {
		o.Intervals = append(slices.Clone(o.Intervals), iv)
	}
	old := map[string]telemetry.OutletFactor{}
	for _, x := range o.Factors {
		old[x.Code] = x
	}
	o.Factors = nil
	for i, code := range strings.FieldsFunc(f.text("factors"), func(r rune) bool { return strings.ContainsRune(" ,;\n\r\t，；", r) }) {
		if _, ok := hj212.LookupFactor(code); !ok {
			f.wrong("factors")
			break
		}
		x := old[code]
		x.Code, x.Order = code, i+1
		o.Factors = append(o.Factors, x)
	}
	return func() error {
		_, err := h.Editor.SaveOutlet(f.c.ctx(), o, f.c.actor.Post)
		return err
	}
}

func (h *Handler) saveLimit(f *form, id string) func() error {
	l := telemetry.Limit{ID: id}
	if id == "new" {
		l.ID = f.need("id")
	} else if !slices.ContainsFunc(h.limits(f.c), func(x telemetry.Limit) bool { return x.ID == id }) {
		return nil
	}
	l.Standard, l.SourceType, l.Condition, l.Level = f.need("standard"), f.text("source_type"), f.text("condition"), f.text("level")
	l.Factor, l.Statistic, l.Op, l.Unit, l.Note = f.need("factor"), f.need("statistic"), f.need("op"), f.need("unit"), f.text("note")
	l.Lo, l.Hi, l.RefO2 = f.number("lo"), f.number("hi"), f.number("ref_o2")
	l.EffectiveFrom, l.EffectiveTo = f.date("effective_from", false), f.date("effective_to", true)
	if _, ok := hj212.LookupFactor(l.Factor); !ok && l.Factor != "" {
		f.wrong("factor")
	}
	switch {
	case l.Op == "<=" && l.Hi == nil, l.Op == "range" && l.Hi == nil:
		f.wrong("hi")
	case l.Op == ">=" && l.Lo == nil:
		f.wrong("lo")
	}
	return func() error { return h.Editor.SaveLimit(f.c.ctx(), l, f.c.actor.Post) }
}

// registryImportView is the import of a list: first looked through, then saved.
type registryImportView struct {
	Kind   string
	File   web.Field
	Text   web.Field
	Report *ImportReport
	Errors []rowLine
	Dry    bool
	Ready  bool // looked through without a fault: the button saves
	Action string
	Sample string // address of the present list, whose columns are the pattern
}

type rowLine struct {
	Row          int
	Column, Text string
}

func (h *Handler) registryImport(c *call) error {
	kind := c.r.PathValue("kind")
	if !slices.Contains(listKinds, kind) || kind == "factors" || h.Editor == nil {
		return notFound()
	}
	v := &registryImportView{
		Kind: kind, Action: c.path("/registry/" + kind + "/import"), Sample: c.path("/registry/" + kind + ".csv"),
		File: web.Field{Name: "file", Kind: "file", Label: c.l.T("registry.import_file"), Hint: c.l.T("registry.import_hint"), Accept: ".csv,text/csv", Optional: true},
		Text: web.Field{Name: "text", Kind: "textarea", Rows: 8, Label: c.l.T("registry.import_text"), Optional: true},
	}
	p := &web.Page{Title: c.l.T("registry.import_title", "list", c.l.T("registry."+kind)), Module: "registry", Crumbs: registryCrumbs(c, kind), Data: v}
	if c.r.Method != http.MethodPost {
		return h.render(c, http.StatusOK, "registry_import.html", p)
	}
	text, err := uploaded(c.r)
	if err != nil {
		return err
	}
	v.Text.Value = text
	if strings.TrimSpace(text) == "" {
		v.Text.Error = c.l.T("registry.import_empty")
		p.Errors = []web.FieldError{{Field: "text", Text: v.Text.Error}}
		return h.render(c, http.StatusUnprocessableEntity, "registry_import.html", p)
	}
	v.Dry = c.r.PostFormValue("save") == ""
	report, err := h.Editor.Import(c.ctx(), kind, strings.NewReader(text), v.Dry, c.actor.Post)
	if err != nil && !errs.Is(err, errs.Invalid) {
		return err
	}
	v.Report = &report
	for _, e := range report.Errors {
		v.Errors = append(v.Errors, rowLine{e.Row, e.Column, c.l.T(e.Key, e.Args...)})
	}
	if e, ok := errors.AsType[*errs.Error](err); ok && len(v.Errors) == 0 {
		p.Errors = c.fieldErrors(e)
	}
	if len(v.Errors) > 0 {
		v.Text.Error = c.l.T("registry.import_errors", "n", len(v.Errors))
		p.Errors = []web.FieldError{{Field: "text", Text: v.Text.Error}}
	}
	if len(p.Errors) > 0 {
		return h.render(c, http.StatusUnprocessableEntity, "registry_import.html", p)
	}
	v.Ready = v.Dry
	if !v.Dry {
		return c.see("/registry/" + kind)
	}
	return h.render(c, http.StatusOK, "registry_import.html", p)
}

// uploaded is the list sent, as a file or as text. Spreadsheets save in UTF-8
// with a mark or in GBK; both are read.
func uploaded(r *http.Request) (string, error) {
	raw := []byte(r.PostFormValue("text"))
	if r.MultipartForm != nil {
		if v := r.MultipartForm.Value["text"]; len(v) > 0 {
			raw = []byte(v[0])
		}
		if files := r.MultipartForm.File["file"]; len(files) > 0 && files[0].Size > 0 {
			f, err := files[0].Open()
			if err != nil {
				return "", fmt.Errorf("open upload: %w", err)
			}
			defer f.Close()
			if raw, err = io.ReadAll(f); err != nil {
				return "", fmt.Errorf("read upload: %w", err)
			}
		}
	}
	text, ok := hj212.TextOK(raw)
	if !ok {
		return "", errs.New(errs.Malformed, "registry.import_encoding")
	}
	return strings.TrimPrefix(text, "\ufeff"), nil
}
