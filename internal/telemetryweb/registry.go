package telemetryweb

import (
	"bytes"
	"cmp"
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

// Lists of the registry, in the order of the page. Areas come from an official
// list only; the last two are national tables that come with the program and are
// only read.
var (
	editedKinds   = []string{"enterprises", "outlets", "factors", "limits", "setups", "stops"}
	importedKinds = append(slices.Clone(editedKinds), "areas")
	listKinds     = append(slices.Clone(importedKinds), "standards", "codes")
)

type registryCard struct {
	Title, Text, Href string
	N                 int
}

type registryHomeView struct {
	Tabs    []web.Tab
	Cards   []registryCard
	Changes []changeLine
}

func (h *Handler) registryHome(c *call) error {
	v := &registryHomeView{Tabs: c.registryTabs("lists")}
	for _, k := range listKinds {
		_, rows := h.listRows(c, k)
		v.Cards = append(v.Cards, registryCard{Title: c.l.T("registry." + k), Text: c.l.T("registry." + k + "_text"), Href: c.path("/registry/" + k), N: len(rows)})
	}
	var err error
	if v.Changes, err = h.changes(c, 10); err != nil {
		return err
	}
	return h.render(c, http.StatusOK, "registry.html", &web.Page{Title: c.l.T("registry.title"), Module: "registry", Data: v})
}

func (h *Handler) mayEdit(c *call, kind string) bool {
	return h.Editor != nil && c.actor.May(EditList) && slices.Contains(editedKinds, kind)
}

// mayImport reports whether the actor may bring a whole list in: it may name any
// object.
func (h *Handler) mayImport(c *call, kind string) bool {
	return h.Editor != nil && c.may(EditList, nil) && slices.Contains(importedKinds, kind)
}

func registryCrumbs(c *call, kind string) []web.Crumb {
	out := []web.Crumb{{Text: c.l.T("nav.registry"), Path: "/registry"}}
	if kind != "" {
		out = append(out, web.Crumb{Text: c.l.T("registry." + kind), Path: "/registry/" + kind})
	}
	return out
}

// listRow is an entry of a list: the first cell links to it.
type listRow struct {
	ID    string // in addresses, and the key of exports
	Href  string
	Cells []word
}

type registryListView struct {
	Kind   string
	Note   string // where a list that is only read comes from
	Heads  []string
	Rows   []listRow
	Search web.Field
	exported
	Pager  web.Pager
	Edit   bool
	Import bool
	Base   string
	Clear  string // address without the search, when it found nothing
}

func (h *Handler) registryList(c *call) error {
	kind, format := cutFormat(c.r.PathValue("kind"))
	if !slices.Contains(listKinds, kind) {
		return notFound()
	}
	cols, rows := h.listRows(c, kind)
	if q := strings.ToLower(c.query("q")); q != "" {
		rows = slices.DeleteFunc(rows, func(r listRow) bool {
			return !slices.ContainsFunc(r.Cells, func(w word) bool { return strings.Contains(strings.ToLower(w.Text), q) })
		})
	}
	if format == "csv" && h.Editor != nil && slices.Contains(importedKinds, kind) {
		return h.registryCSV(c, kind, rows)
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
	v := &registryListView{Kind: kind, Edit: h.mayEdit(c, kind), Import: h.mayImport(c, kind), Base: c.path("/registry/" + kind), exported: exported{c.path("/registry/" + kind), c.r.URL.RawQuery}}
	if key := "registry." + kind + "_note"; c.l.Has(key) {
		v.Note = c.l.T(key)
	}
	for _, col := range cols {
		v.Heads = append(v.Heads, c.l.T("field."+col))
	}
	table := web.Table{Path: v.Base, Query: c.r.URL.Query(), Swap: "registry-list"}
	from, to, pager := table.Cut(len(rows), 50)
	v.Rows, v.Pager = rows[from:to], pager
	v.Search = web.Field{Name: "q", Kind: "search", Label: c.l.T("registry.search"), Value: c.query("q")}
	if v.Search.Value != "" {
		v.Clear = v.Base
	}
	return h.render(c, http.StatusOK, "registry_list.html", &web.Page{
		Title: c.l.T("registry." + kind), Module: "registry", Wide: true, Crumbs: registryCrumbs(c, ""), Data: v,
	})
}

// registryCSV sends the entries of the rows shown in the form that Import reads.
func (h *Handler) registryCSV(c *call, kind string, rows []listRow) error {
	shown := map[string]bool{}
	for _, r := range rows {
		shown[r.ID] = true
	}
	words := func(column string) string {
		if kind == "areas" && column == "level" { // of an area, not of a limit
			column = "area_level"
		}
		return c.l.T("field." + column)
	}
	var b bytes.Buffer
	if err := h.Editor.Export(c.ctx(), kind, &b, words, func(id string) bool { return shown[id] }); err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	c.w.Header().Set("Cache-Control", "private, no-cache")
	c.w.Header().Set("Content-Disposition", `attachment; filename="`+kind+"-"+c.now.In(i18n.Zone).Format("20060102-1504")+`.csv"`)
	_, _ = b.WriteTo(c.w) // the reader went away: nothing to do about it
	return nil
}

// partID names a part of an outlet, as exports do: 12:a21026.
func partID(outlet telemetry.OutletID, part string) string {
	return strconv.FormatUint(uint64(outlet), 10) + ":" + part
}

// source words a source type; those of the national tables have words.
func (c *call) source(s string) word {
	if key := "source." + s; s != "" && c.l.Has(key) {
		text, used := c.l.Text(key)
		return word{text, string(used)}
	}
	return word{s, "en"}
}

// limitCondition says of what a limit of a standard holds; rules keep it in
// English, as few standards say the same.
func (c *call) limitCondition(s string) word {
	if key := "limit_condition." + s; s != "" && c.l.Has(key) {
		text, used := c.l.Text(key)
		return word{text, string(used)}
	}
	return word{s, "en"}
}

// limitLevel names the grade of a limit, keeping the table it stands in: 一级 A,
// 一般（表1）.
func (c *call) limitLevel(s string) word {
	if n, only := strings.CutPrefix(s, "表"); only {
		return word{c.l.T("limit_level.table", "n", n), string(c.lang)}
	}
	first, table, _ := strings.Cut(s, " (表")
	key := "limit_level." + slug(first)
	if s == "" || !c.l.Has(key) {
		return word{s, "en"}
	}
	text, used := c.l.Text(key)
	if n := strings.TrimSuffix(table, ")"); n != "" {
		text = c.l.T("limit_level.in_table", "level", text, "n", n)
	}
	return word{text, string(used)}
}

func (c *call) statistic(s string) string {
	if key := "statistic." + slug(s); c.l.Has(key) {
		return c.l.T(key)
	}
	return s
}

// numberText writes a figure of the registry with the digits it was given.
func numberText(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'f', -1, 64)
}

// stampText writes a time of the registry; what is open has none.
func stampText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return i18n.Stamp(t)
}

// rangeText writes a limit: ≤ 50, ≥ 5, 6–9.
func rangeText(l *telemetry.Limit) string {
	switch {
	case l.Op == "range" && l.Lo != nil && l.Hi != nil:
		return numberText(l.Lo) + "–" + numberText(l.Hi)
	case l.Op == ">=":
		return "≥ " + numberText(l.Lo)
	case l.Hi != nil:
		return "≤ " + numberText(l.Hi)
	}
	return l.Note
}

func (h *Handler) listRows(c *call, kind string) (cols []string, rows []listRow) {
	text := func(s string) word { return word{s, string(c.lang)} }
	add := func(id string, cells ...word) {
		r := listRow{ID: id, Cells: cells}
		if kind != "codes" && kind != "areas" {
			r.Href = c.path("/registry/" + kind + "/" + url.PathEscape(id))
		}
		rows = append(rows, r)
	}
	switch kind {
	case "enterprises":
		cols = []string{"name", "id", "area", "permit", "outlets"}
		scope, n := c.scope(ReadList), map[string]int{}
		for _, o := range c.snap.Outlets {
			if scope.Contains(ObjectOf(o)) {
				n[o.Enterprise]++
			}
		}
		for _, id := range sortedKeys(c.snap.Enterprises) {
			e := c.snap.Enterprises[id]
			if !scope.Contains(objectOfEnterprise(e)) {
				continue
			}
			add(id, c.name(e.Name), text(id), c.area(e.Area), text(e.Permit), text(strconv.Itoa(n[id])))
		}
	case "outlets":
		cols = []string{"name", "id", "enterprise", "medium", "source_type", "area", "mn"}
		h.eachOutlet(c, ReadList, func(o *telemetry.Outlet) {
			var owner word
			if e := c.snap.Enterprises[o.Enterprise]; e != nil {
				owner = c.name(e.Name)
			}
			mn := ""
			if d := c.snap.DeviceOf(o.ID); d != nil {
				mn = d.MN
			}
			id := strconv.FormatUint(uint64(o.ID), 10)
			add(id, c.name(o.Name), text(id), owner, text(c.l.T("medium."+string(o.Medium))), c.source(o.SourceType), c.area(o.Area), text(mn))
		})
	case "factors":
		cols = []string{"factor", "code", "outlet", "unit", "range_lo", "range_hi", "detection_limit"}
		h.eachOutlet(c, ReadList, func(o *telemetry.Outlet) {
			for _, f := range o.Factors {
				add(partID(o.ID, f.Code), c.factor(f.Code), text(f.Code), c.outletName(o), text(unitOf(o, f.Code)), text(numberText(f.RangeLo)), text(numberText(f.RangeHi)), text(numberText(f.DetectionLimit)))
			}
		})
	case "limits":
		cols = []string{"id", "outlet", "factor", "statistic", "limit", "unit", "ref_o2", "effective_from", "effective_to", "standard"}
		h.eachOutlet(c, ReadList, func(o *telemetry.Outlet) {
			for i := range o.Limits {
				l := &o.Limits[i]
				add(partID(o.ID, l.ID), text(l.ID), c.outletName(o), c.factor(l.Factor), text(c.statistic(l.Statistic)), text(rangeText(l)), text(unit(l.Unit)), text(numberText(l.RefO2)), text(l.EffectiveFrom), text(l.EffectiveTo), c.restsOn(l.Standard))
			}
		})
	case "setups":
		cols = []string{"outlet", "effective_from", "profile", "area_m2", "kv", "ambient_pa", "wet"}
		h.eachOutlet(c, ReadList, func(o *telemetry.Outlet) {
			for i := range o.Setups {
				s := &o.Setups[i]
				add(partID(o.ID, s.From), c.outletName(o), text(s.From), text(c.profile(o.Medium, s.Profile)), text(numberText(s.AreaM2)), text(numberText(s.Kv)), text(numberText(s.AmbientPa)), text(strings.Join(s.Wet, " ")))
			}
		})
	case "stops":
		cols = []string{"outlet", "from", "to", "reason"}
		h.eachOutlet(c, ReadList, func(o *telemetry.Outlet) {
			for i := range o.Stops {
				s := &o.Stops[i]
				add(partID(o.ID, s.Ref()), c.outletName(o), text(i18n.Stamp(s.From)), text(cmp.Or(stampText(s.To), c.l.T("registry.stop_open"))), text(s.Reason))
			}
		})
	case "areas":
		cols = []string{"name", "code", "area_level", "parent", "effective_from", "effective_to", "replaces"}
		for _, code := range sortedKeys(c.snap.Areas) {
			for _, a := range c.snap.Versions(code) {
				var above word
				if a.Parent != "" {
					above = c.area(a.Parent)
				}
				add(a.Code, c.name(a.Name), text(a.Code), text(c.l.T("area_level."+a.Level)), above, text(a.From), text(a.To), text(a.Replaces))
			}
		}
	case "standards":
		cols = []string{"id", "standard", "source_type", "condition", "level", "factor", "statistic", "limit", "unit", "ref_o2", "effective_from", "effective_to"}
		for i := range c.snap.Limits {
			l := &c.snap.Limits[i]
			add(l.ID, text(l.ID), text(l.Standard), c.source(l.SourceType), c.limitCondition(l.Condition), c.limitLevel(l.Level), c.factor(l.Factor), text(c.statistic(l.Statistic)), text(rangeText(l)), text(unit(l.Unit)), text(numberText(l.RefO2)), text(l.EffectiveFrom), text(l.EffectiveTo))
		}
	case "codes":
		cols = []string{"name_zh", "code", "old_code", "unit", "name_en", "decimals"}
		all := hj212.Factors()
		for _, code := range sortedKeys(all) {
			f := all[code]
			add(code, word{f.NameZh, "zh"}, text(f.Code), text(f.Old), text(unit(f.Unit)), word{f.NameEn, "en"}, text(strconv.Itoa(f.Decimals)))
		}
	}
	return cols, rows
}

// profile names the rules by which an outlet's hours are valid and its gaps are
// filled; "" are those in force.
func (c *call) profile(m telemetry.Medium, s string) string {
	s = cmp.Or(s, telemetry.Profiles(m)[0])
	if key := "profile." + slug(s); c.l.Has(key) {
		return c.l.T(key)
	}
	return s
}

// restsOn names what a limit rests on: the outlet's permit or a standard.
func (c *call) restsOn(s string) word {
	if s == "permit" {
		return word{c.l.T("registry.permit"), string(c.lang)}
	}
	return word{s, "zh"}
}

// eachOutlet calls fn for the outlets that the actor holds a permission for.
func (h *Handler) eachOutlet(c *call, p Permission, fn func(*telemetry.Outlet)) {
	scope := c.scope(p)
	for _, id := range c.snap.Order {
		if o := c.snap.Outlets[id]; o != nil && scope.Contains(ObjectOf(o)) {
			fn(o)
		}
	}
}

// readOnly is the error where the registry cannot be changed at all.
func readOnly() error { return errs.New(errs.Forbidden, "registry.read_only") }
