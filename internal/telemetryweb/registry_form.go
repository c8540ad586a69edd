package telemetryweb

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"plateau/hj212"
	"plateau/internal/platform/access"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/web"
)

// registryFormView is the form of an entry.
type registryFormView struct {
	Kind   string
	ID     string
	New    bool
	Edit   bool
	Note   string
	Fields []web.Field
	Action string
	Back   string
	Links  []web.Link // Key is the text; what belongs to the entry
	Delete string     // address that takes the entry back; "" = it stays
}

// mustEntry fails unless the actor holds a permission for an entry of a list.
// What is not there, or is a national table, is nobody's.
func (c *call) mustEntry(p Permission, kind, id string) error {
	var o access.Object
	switch e := c.snap.Enterprises[id]; {
	case kind == "enterprises" && e != nil:
		o = objectOfEnterprise(e)
	case slices.Contains(editedKinds, kind):
		number, _, _ := strings.Cut(id, ":")
		n, _ := parseOutletID(number)
		if c.snap.Outlets[n] == nil {
			return nil
		}
		o = ObjectOf(c.snap.Outlets[n])
	default:
		return nil
	}
	if !c.scope(p).Contains(o) {
		return refused(c.l, allOutlets)
	}
	return nil
}

// registryEntry shows an entry; "new" is an empty form.
func (h *Handler) registryEntry(c *call) error { return h.entryPage(c, http.StatusOK, nil) }

func (h *Handler) entryPage(c *call, status int, problems []web.FieldError) error {
	kind, id := c.r.PathValue("kind"), c.r.PathValue("id")
	v := &registryFormView{Kind: kind, ID: id, New: id == "new", Edit: h.mayEdit(c, kind), Action: c.path("/registry/" + kind + "/" + url.PathEscape(id)), Back: c.path("/registry/" + kind)}
	if v.New && !v.Edit {
		if !slices.Contains(editedKinds, kind) {
			return notFound()
		}
		return refused(c.l, EditList)
	}
	if err := c.mustEntry(ReadList, kind, id); err != nil {
		return err
	}
	title, ok := h.entryFields(c, v)
	if !ok {
		return notFound()
	}
	if v.New {
		title = c.l.T("registry.new_" + kind)
	}
	if key := "registry." + kind + "_note"; c.l.Has(key) {
		v.Note = c.l.T(key)
	}
	problems = onForm(problems, v.Fields)
	for i := range v.Fields {
		f := &v.Fields[i]
		f.Label = cmp.Or(f.Label, c.l.T("field."+f.Name))
		if key := "field_hint." + f.Name; f.Hint == "" && c.l.Has(key) {
			f.Hint = c.l.T(key)
		}
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

// onForm puts what the registry found wrong on the fields of the form: it names
// a part such as factors.2.code, of which the form may show "code" or "factors".
func onForm(problems []web.FieldError, fields []web.Field) []web.FieldError {
	has := func(name string) bool {
		return slices.ContainsFunc(fields, func(f web.Field) bool { return f.Name == name })
	}
	out := slices.Clone(problems)
	for i, p := range out {
		parts := strings.Split(p.Field, ".")
		switch last := parts[len(parts)-1]; {
		case has(p.Field):
		case has(last):
			out[i].Field = last
		case has(parts[0]):
			out[i].Field = parts[0]
		default:
			out[i].Field = ""
		}
	}
	return out
}

// entryFields fills in the form of what the address names; false when there is
// no such entry.
func (h *Handler) entryFields(c *call, v *registryFormView) (title string, ok bool) {
	switch v.Kind {
	case "enterprises":
		e := c.snap.Enterprises[v.ID]
		if e == nil {
			if !v.New {
				return "", false
			}
			e = &telemetry.Enterprise{}
		}
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
			v.Links = append(v.Links, web.Link{Key: c.l.T("registry.its_outlets"), Path: "/registry/outlets?q=" + url.QueryEscape(c.name(e.Name).Text)})
		}
		return c.name(e.Name).Text, true
	case "outlets":
		n, _ := parseOutletID(v.ID)
		o := c.snap.Outlets[n]
		if o == nil {
			if !v.New {
				return "", false
			}
			o = &telemetry.Outlet{Medium: telemetry.Gas}
		}
		v.Fields = h.outletFields(c, o)
		if !v.Edit { // to be read, not to be typed
			for i := range v.Fields {
				switch f := &v.Fields[i]; f.Name {
				case "condition":
					f.Value = c.limitCondition(o.Condition).Text
				case "level":
					f.Value = c.limitLevel(o.Level).Text
				}
			}
		}
		if !v.New {
			q := url.QueryEscape(c.outletName(o).Text)
			v.Links = append(v.Links, web.Link{Key: c.l.T("registry.open_outlet"), Path: outletPath(o.ID)},
				web.Link{Key: c.l.T("registry.its_factors"), Path: "/registry/factors?q=" + q}, web.Link{Key: c.l.T("registry.its_limits"), Path: "/registry/limits?q=" + q}, web.Link{Key: c.l.T("registry.its_setups"), Path: "/registry/setups?q=" + q}, web.Link{Key: c.l.T("registry.its_stops"), Path: "/registry/stops?q=" + q})
			if v.Edit {
				v.Links = append(v.Links, c.declareStop(o.ID))
			}
		}
		return c.outletName(o).Text, true
	case "factors":
		o, f := c.outletFactor(v.ID)
		if f == nil {
			if !v.New {
				return "", false
			}
			f = &telemetry.OutletFactor{}
		}
		v.Fields = factorFields(f)
		if v.New {
			v.Fields = append([]web.Field{c.outletField(), {Name: "code", Value: f.Code}}, v.Fields...)
			return "", true
		}
		return c.l.T("registry.factor_of", "factor", c.factor(f.Code).Text, "outlet", c.outletName(o).Text), true
	case "limits":
		o, l := c.outletLimit(v.ID)
		if l == nil {
			if !v.New {
				return "", false
			}
			l = &telemetry.Limit{Op: "<=", Statistic: "hour", Standard: "permit", EffectiveFrom: i18n.Short(c.now)}
		}
		v.Fields = limitFields(c, l)
		if v.New {
			v.Fields = append([]web.Field{c.outletField()}, v.Fields...)
			return "", true
		}
		return c.l.T("registry.limit_of", "limit", l.ID, "outlet", c.outletName(o).Text), true
	case "setups":
		o, s := c.outletSetup(v.ID)
		if s == nil {
			if !v.New {
				return "", false
			}
			s = &telemetry.Setup{From: i18n.Short(c.now)}
		}
		v.Fields = c.setupFields(o, s)
		if v.New {
			v.Fields = append([]web.Field{c.outletField()}, v.Fields...)
			return "", true
		}
		return c.l.T("registry.setup_of", "outlet", c.outletName(o).Text, "from", s.From), true
	case "stops":
		o, s := c.outletStop(v.ID)
		if s == nil {
			if !v.New {
				return "", false
			}
			s = &telemetry.Stop{}
		}
		v.Fields = []web.Field{
			{Name: "from", Value: stampText(s.From), Width: "medium"},
			{Name: "to", Value: stampText(s.To), Width: "medium", Optional: true},
			{Name: "reason", Value: s.Reason},
		}
		if v.New {
			v.Fields = append([]web.Field{c.outletField()}, v.Fields...)
			return "", true
		}
		if v.Links = append(v.Links, web.Link{Key: c.l.T("registry.open_outlet"), Path: outletPath(o.ID)}); v.Edit {
			v.Delete = v.Action + "/delete"
		}
		return c.l.T("registry.stop_of", "outlet", c.outletName(o).Text, "from", stampText(s.From)), true
	case "standards":
		i := slices.IndexFunc(c.snap.Limits, func(l telemetry.Limit) bool { return l.ID == v.ID })
		if i < 0 {
			return "", false
		}
		l := &c.snap.Limits[i]
		v.Fields = append([]web.Field{
			{Name: "source_type", Value: c.source(l.SourceType).Text},
			{Name: "condition", Value: c.limitCondition(l.Condition).Text},
			{Name: "level", Value: c.limitLevel(l.Level).Text},
		}, limitFields(c, l)...)
		for i := range v.Fields {
			switch f := &v.Fields[i]; f.Name { // to be read, not to be typed
			case "factor":
				f.Value = c.factor(l.Factor).Text + " (" + l.Factor + ")"
			case "unit":
				f.Value = unit(l.Unit)
			}
		}
		return l.ID, true
	}
	return "", false
}

// partOf finds a part of an outlet by the id of its row, outlet:part.
func partOf[T any](c *call, id string, list func(*telemetry.Outlet) []T, named func(T) string) (*telemetry.Outlet, *T) {
	outlet, part, _ := strings.Cut(id, ":")
	n, _ := parseOutletID(outlet)
	o := c.snap.Outlets[n]
	if o == nil {
		return nil, nil
	}
	all := list(o)
	i := slices.IndexFunc(all, func(x T) bool { return named(x) == part })
	if i < 0 {
		return nil, nil
	}
	return o, &all[i]
}

func (c *call) outletFactor(id string) (*telemetry.Outlet, *telemetry.OutletFactor) {
	return partOf(c, id, func(o *telemetry.Outlet) []telemetry.OutletFactor { return o.Factors }, func(f telemetry.OutletFactor) string { return f.Code })
}

func (c *call) outletLimit(id string) (*telemetry.Outlet, *telemetry.Limit) {
	return partOf(c, id, func(o *telemetry.Outlet) []telemetry.Limit { return o.Limits }, func(l telemetry.Limit) string { return l.ID })
}

func (c *call) outletSetup(id string) (*telemetry.Outlet, *telemetry.Setup) {
	return partOf(c, id, func(o *telemetry.Outlet) []telemetry.Setup { return o.Setups }, func(s telemetry.Setup) string { return s.From })
}

// setupFields asks for a setup; a new one may be of any medium.
func (c *call) setupFields(o *telemetry.Outlet, s *telemetry.Setup) []web.Field {
	profile := web.Field{Name: "profile", Kind: "select", Options: []web.Option{{Text: c.l.T("registry.profile_in_force"), Selected: s.Profile == ""}}}
	for _, m := range []telemetry.Medium{telemetry.Gas, telemetry.Water} {
		if o != nil && (o.Medium == telemetry.Gas) != (m == telemetry.Gas) {
			continue
		}
		for _, p := range telemetry.Profiles(m) {
			profile.Options = append(profile.Options, web.Option{Value: p, Text: c.profile(m, p), Selected: p == s.Profile})
		}
	}
	return []web.Field{
		{Name: "effective_from", Value: s.From},
		profile,
		{Name: "area_m2", Value: numberText(s.AreaM2), Input: "decimal", Optional: true},
		{Name: "kv", Value: numberText(s.Kv), Input: "decimal", Optional: true},
		{Name: "ambient_pa", Value: numberText(s.AmbientPa), Input: "decimal", Optional: true},
		{Name: "wet", Value: strings.Join(s.Wet, " "), Optional: true},
	}
}

// outletStop finds a declared stop by the id of its row.
func (c *call) outletStop(id string) (*telemetry.Outlet, *telemetry.Stop) {
	outlet, from, _ := strings.Cut(id, ":")
	n, _ := parseOutletID(outlet)
	o := c.snap.Outlets[n]
	if o == nil {
		return nil, nil
	}
	i := slices.IndexFunc(o.Stops, func(s telemetry.Stop) bool { return s.Ref() == from })
	if i < 0 {
		return nil, nil
	}
	return o, &o.Stops[i]
}

// declareStop leads to the form of a new stop of an outlet.
func (c *call) declareStop(o telemetry.OutletID) web.Link {
	return web.Link{Key: c.l.T("registry.declare_stop"), Path: "/registry/stops/new?outlet=" + strconv.FormatUint(uint64(o), 10)}
}

func (c *call) countyField(current string) web.Field {
	f := web.Field{Name: "area", Kind: "select", Options: []web.Option{{Text: "—", Selected: current == ""}}}
	for _, code := range sortedKeys(c.snap.Areas) {
		if a := c.snap.Areas[code]; a.Level == "county" && c.snap.Current(a) || code == current {
			f.Options = append(f.Options, web.Option{Value: code, Text: c.area(c.snap.Prefecture(code)).Text + " " + c.name(a.Name).Text, Selected: code == current})
		}
	}
	return f
}

// outletField chooses the outlet of a new part; an address may propose one.
func (c *call) outletField() web.Field {
	f := web.Field{Name: "outlet", Kind: "select", Options: []web.Option{{Text: "—"}}}
	scope := c.scope(EditList)
	for _, id := range c.snap.Order {
		if o := c.snap.Outlets[id]; o != nil && scope.Contains(ObjectOf(o)) {
			value := strconv.Itoa(int(id))
			f.Options = append(f.Options, web.Option{Value: value, Text: c.outletName(o).Text, Selected: value == c.query("outlet")})
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
	source := web.Field{Name: "source_type", Kind: "select", Options: []web.Option{{Text: "—", Selected: o.SourceType == ""}}, Optional: true}
	types := map[string]bool{o.SourceType: true}
	for i := range c.snap.Limits {
		types[c.snap.Limits[i].SourceType] = true
	}
	for _, t := range sortedKeys(types) {
		if t != "" {
			source.Options = append(source.Options, web.Option{Value: t, Text: c.source(t).Text, Selected: t == o.SourceType})
		}
	}
	return []web.Field{
		{Name: "name_zh", Value: o.Name.Zh, Lang: "zh-Hans"},
		{Name: "name_bo", Value: o.Name.Bo, Lang: "bo", Optional: true},
		{Name: "name_en", Value: o.Name.En, Lang: "en", Optional: true},
		owner,
		c.countyField(o.Area),
		{Name: "medium", Kind: "select", Options: c.mediumOptions(string(o.Medium))[1:]},
		source,
		{Name: "condition", Value: o.Condition, Optional: true},
		{Name: "level", Value: o.Level, Optional: true},
		{Name: "lon", Value: coordinate(o.Lon), Input: "decimal", Optional: true},
		{Name: "lat", Value: coordinate(o.Lat), Input: "decimal", Optional: true},
		{Name: "realtime", Value: strconv.Itoa(iv.Realtime), Input: "numeric"},
		{Name: "minute", Value: strconv.Itoa(iv.Minute), Input: "numeric"},
		{Name: "factors", Kind: "textarea", Rows: 3, Value: strings.Join(codes, " "), Optional: true},
	}
}

func coordinate(v float64) string {
	if v == 0 {
		return ""
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

func factorFields(f *telemetry.OutletFactor) []web.Field {
	return []web.Field{
		{Name: "unit", Value: f.Unit, Optional: true},
		{Name: "range_lo", Value: numberText(f.RangeLo), Input: "decimal", Optional: true},
		{Name: "range_hi", Value: numberText(f.RangeHi), Input: "decimal", Optional: true},
		{Name: "detection_limit", Value: numberText(f.DetectionLimit), Input: "decimal", Optional: true},
	}
}

func limitFields(c *call, l *telemetry.Limit) []web.Field {
	stat := web.Field{Name: "statistic", Kind: "select"}
	for _, s := range []string{"hour", "day", "instantaneous", "month", "year"} {
		stat.Options = append(stat.Options, web.Option{Value: s, Text: c.statistic(s), Selected: s == l.Statistic})
	}
	op := web.Field{Name: "op", Kind: "select"}
	for _, s := range []string{"<=", ">=", "range"} {
		op.Options = append(op.Options, web.Option{Value: s, Text: c.l.T("op." + opWords[s]), Selected: s == l.Op})
	}
	return []web.Field{
		{Name: "factor", Value: l.Factor},
		stat, op,
		{Name: "lo", Value: numberText(l.Lo), Input: "decimal", Optional: true},
		{Name: "hi", Value: numberText(l.Hi), Input: "decimal", Optional: true},
		{Name: "unit", Value: l.Unit, Optional: true},
		{Name: "ref_o2", Value: numberText(l.RefO2), Input: "decimal", Optional: true},
		{Name: "effective_from", Value: l.EffectiveFrom},
		{Name: "effective_to", Value: l.EffectiveTo, Optional: true},
		{Name: "id", Value: l.ID, Optional: true, Hint: c.l.T("field_hint.limit_id")},
		{Name: "standard", Value: l.Standard, Optional: true},
		{Name: "note", Value: l.Note, Optional: true},
	}
}

var opWords = map[string]string{"<=": "most", ">=": "least", "range": "range"}

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

// date reads a day as people write it: 2026-1-5, 2026/01/05, 2026年1月5日.
func (f *form) date(name string, optional bool) string {
	s := i18n.Digits(f.text(name))
	if s == "" && optional {
		return ""
	}
	s = strings.TrimSuffix(strings.NewReplacer("年", "-", "月", "-", "日", "", "/", "-", ".", "-", " ", "").Replace(s), "-")
	t, err := time.Parse("2006-1-2", s)
	if err != nil {
		f.wrong(name)
		return s
	}
	return t.Format("2006-01-02")
}

// stamp reads a time as people write it.
func (f *form) stamp(name string, optional bool) time.Time {
	s := f.text(name)
	if s == "" && optional {
		return time.Time{}
	}
	t, ok := i18n.ParseStamp(s)
	if !ok {
		f.wrong(name)
	}
	return t
}

// codeOf is a factor code however it was typed: capitals, full-width letters.
func codeOf(s string) string { return strings.ToLower(norm.NFKC.String(i18n.Digits(s))) }

// codes reads a list of factor codes, separated as people separate them.
func (f *form) codes(name string) []string {
	list := strings.FieldsFunc(f.text(name), func(r rune) bool { return strings.ContainsRune(" ,;\n\r\t，；、　", r) })
	for i := range list {
		list[i] = codeOf(list[i])
	}
	return list
}

// factor reads a code of the national table.
func (f *form) factor(name string) string {
	code := codeOf(f.text(name))
	if _, ok := hj212.LookupFactor(code); !ok {
		f.wrong(name)
	}
	return code
}

func (h *Handler) registrySave(c *call) error {
	if h.Editor == nil {
		return readOnly()
	}
	kind, id := c.r.PathValue("kind"), c.r.PathValue("id")
	if err := c.mustEntry(EditList, kind, id); err != nil {
		return err
	}
	f := &form{c: c}
	var save func() error
	switch kind {
	case "enterprises":
		save = h.saveEnterprise(f, id)
	case "outlets":
		save = h.saveOutlet(f, id)
	case "factors":
		save = h.saveFactor(f, id)
	case "limits":
		save = h.saveLimit(f, id)
	case "setups":
		save = h.saveSetup(f, id)
	case "stops":
		save = h.saveStop(f, id)
	}
	if save == nil {
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
	return c.done("/registry/"+kind, "saved", "what", c.whatSaved(kind, f))
}

// whatSaved names the entry of a form that was saved.
func (c *call) whatSaved(kind string, f *form) string {
	id := c.r.PathValue("id")
	outlet, part, _ := strings.Cut(id, ":")
	if id == "new" {
		outlet, part = f.text("outlet"), ""
	}
	switch kind {
	case "enterprises", "outlets":
		return f.text("name_zh")
	case "factors":
		return c.outletNumber(outlet) + " " + c.factor(cmp.Or(part, codeOf(f.text("code")))).Text
	case "limits":
		return c.outletNumber(outlet) + " " + c.factor(codeOf(f.text("factor"))).Text
	}
	if kind == "setups" {
		return c.outletNumber(outlet) + " " + f.date("effective_from", false)
	}
	return c.outletNumber(outlet) + " " + stampText(f.stamp("from", false))
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
	return func() error {
		if !f.c.scope(EditList).Contains(objectOfEnterprise(&e)) {
			return refused(f.c.l, allOutlets)
		}
		return h.Editor.SaveEnterprise(f.c.ctx(), e, f.c.actor.Post)
	}
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
	o.Lon, o.Lat = f.coordinate("lon", 180), f.coordinate("lat", 90)
	iv := telemetry.Interval{From: f.c.now.UTC().Truncate(time.Second), Realtime: f.whole("realtime", 0, 3600), Minute: f.whole("minute", 0, 60)}
	if iv.Minute > 0 && 60%iv.Minute != 0 {
		f.wrong("minute")
	}
	if now := o.IntervalAt(f.c.now); now.Realtime != iv.Realtime || now.Minute != iv.Minute {
		o.Intervals = append(slices.Clone(o.Intervals), iv)
	}
	old := map[string]telemetry.OutletFactor{}
	for _, x := range o.Factors {
		old[x.Code] = x
	}
	o.Factors = nil
	for i, code := range f.codes("factors") {
		x, has := old[code]
		if _, known := hj212.LookupFactor(code); !known && !has {
			f.problems = append(f.problems, web.FieldError{Field: "factors", Text: f.c.l.T("registry.no_factor", "code", code)})
			break
		}
		if slices.ContainsFunc(o.Factors, func(y telemetry.OutletFactor) bool { return y.Code == code }) {
			continue // written twice: meant once
		}
		x.Code, x.Order = code, i+1
		o.Factors = append(o.Factors, x)
	}
	return func() error {
		if err := f.c.must(EditList, &o); err != nil {
			return err
		}
		_, err := h.Editor.SaveOutlet(f.c.ctx(), o, f.c.actor.Post)
		return err
	}
}

func (f *form) coordinate(name string, most float64) float64 {
	v := f.number(name)
	if v == nil {
		return 0
	}
	if *v < -most || *v > most {
		f.wrong(name)
	}
	return *v
}

// outlet reads which outlet a new part belongs to.
func (f *form) outlet() telemetry.OutletID {
	n, _ := parseOutletID(f.text("outlet"))
	if o := f.c.snap.Outlets[n]; o == nil || !f.c.may(EditList, o) {
		f.wrong("outlet")
	}
	return n
}

func (h *Handler) saveFactor(f *form, id string) func() error {
	var x telemetry.OutletFactor
	var outlet telemetry.OutletID
	switch o, old := f.c.outletFactor(id); {
	case old != nil:
		outlet, x = o.ID, *old
	case id == "new":
		outlet, x.Code = f.outlet(), f.factor("code")
		if _, taken := f.c.outletFactor(partID(outlet, x.Code)); taken != nil {
			f.problems = append(f.problems, web.FieldError{Field: "code", Text: f.c.l.T("err.field.taken", "value", x.Code)})
		}
		if o := f.c.snap.Outlets[outlet]; o != nil {
			x.Order = len(o.Factors) + 1
		}
	default:
		return nil
	}
	x.Unit, x.RangeLo, x.RangeHi, x.DetectionLimit = f.text("unit"), f.number("range_lo"), f.number("range_hi"), f.number("detection_limit")
	return func() error { return h.Editor.SaveFactor(f.c.ctx(), outlet, x, f.c.actor.Post) }
}

func (h *Handler) saveLimit(f *form, id string) func() error {
	var l telemetry.Limit
	var outlet telemetry.OutletID
	was := ""
	switch o, old := f.c.outletLimit(id); {
	case old != nil:
		outlet, l, was = o.ID, *old, old.ID
	case id == "new":
		outlet = f.outlet()
	default:
		return nil
	}
	l.ID, l.Standard, l.Unit, l.Note = f.text("id"), f.text("standard"), f.text("unit"), f.text("note")
	l.Factor, l.Statistic, l.Op = f.factor("factor"), f.need("statistic"), f.need("op")
	l.Lo, l.Hi, l.RefO2 = f.number("lo"), f.number("hi"), f.number("ref_o2")
	l.EffectiveFrom, l.EffectiveTo = f.date("effective_from", false), f.date("effective_to", true)
	sent := func(name string) bool { return f.text(name) != "" } // what is no number is told already
	if l.Op != ">=" && !sent("hi") {
		f.wrong("hi")
	}
	if l.Op != "<=" && !sent("lo") {
		f.wrong("lo")
	}
	switch l.Op { // the other bound of an earlier choice says nothing
	case "<=":
		l.Lo = nil
	case ">=":
		l.Hi = nil
	}
	if l.Unit == "" {
		l.Unit = telemetry.FactorUnit(l.Factor)
	}
	return func() error { return h.Editor.SaveLimit(f.c.ctx(), outlet, was, l, f.c.actor.Post) }
}

func (h *Handler) saveSetup(f *form, id string) func() error {
	var s telemetry.Setup
	var outlet telemetry.OutletID
	switch o, old := f.c.outletSetup(id); {
	case old != nil:
		outlet, s = o.ID, *old
	case id == "new":
		outlet = f.outlet()
	default:
		return nil
	}
	was := s.From
	s.From, s.Profile = f.date("effective_from", false), f.text("profile")
	s.AreaM2, s.Kv, s.AmbientPa = f.number("area_m2"), f.number("kv"), f.number("ambient_pa")
	s.Wet = nil
	for _, code := range f.codes("wet") {
		if _, known := hj212.LookupFactor(code); !known {
			f.problems = append(f.problems, web.FieldError{Field: "wet", Text: f.c.l.T("registry.no_factor", "code", code)})
			break
		}
		s.Wet = append(s.Wet, code)
	}
	return func() error { return h.Editor.SaveSetup(f.c.ctx(), outlet, was, s, f.c.actor.Post) }
}

func (h *Handler) saveStop(f *form, id string) func() error {
	var s telemetry.Stop
	var outlet telemetry.OutletID
	switch o, old := f.c.outletStop(id); {
	case old != nil:
		outlet, s = o.ID, *old
	case id == "new":
		outlet = f.outlet()
	default:
		return nil
	}
	was := s.From
	s.From, s.To, s.Reason = f.stamp("from", false), f.stamp("to", true), f.need("reason")
	return func() error { return h.Editor.SaveStop(f.c.ctx(), outlet, was, s, f.c.actor.Post) }
}

// stopDelete takes back a stop that should not have been declared.
func (h *Handler) stopDelete(c *call) error {
	if h.Editor == nil {
		return readOnly()
	}
	o, s := c.outletStop(c.r.PathValue("id"))
	if s == nil {
		return notFound()
	}
	if err := c.must(EditList, o); err != nil {
		return err
	}
	if err := h.Editor.DropStop(c.ctx(), o.ID, s.From, c.actor.Post); err != nil {
		return err
	}
	return c.done("/registry/stops", "stop_dropped", "what", c.outletName(o).Text+" "+stampText(s.From))
}
