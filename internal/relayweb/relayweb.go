package relayweb

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"html/template"
	"io/fs"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/relay"
	"plateau/internal/telemetry/store"
	"plateau/internal/web"
	"plateau/internal/web/chart"
	"plateau/internal/web/kit"
)

//go:embed all:templates
var templates embed.FS

// Templates returns the page templates for web.Options.
func Templates() fs.FS { return web.Sub(templates, "templates") }

// Relays keeps targets; *relay.Service is one. Errors are of the kinds it names.
type Relays interface {
	List(ctx context.Context) ([]relay.Target, error)
	Get(ctx context.Context, id string) (relay.Target, error)
	State(id string) (relay.State, bool)
	Add(ctx context.Context, t relay.Target) (relay.Target, error)
	Change(ctx context.Context, id string, edition int64, edit func(t *relay.Target)) (relay.Target, error)
	Pause(ctx context.Context, id, byPost string) error
	Resume(ctx context.Context, id, byPost string) error
	Delete(ctx context.Context, id string) error
	Test(ctx context.Context, id string) (time.Duration, error)
	Mappings(ctx context.Context, id string) ([]relay.Mapping, error)
	SetMapping(ctx context.Context, id string, m relay.Mapping) error
	DropMapping(ctx context.Context, id, of string) error
	Refused(ctx context.Context, id string, limit int) ([]relay.Refused, int, error)
	Again(ctx context.Context, id string, all bool, which ...telemetry.Locator) (int64, error)
	Hours(ctx context.Context, id string, since time.Time) ([]relay.Hour, error)
}

// Registry names outlets and areas; *telemetry.Registry is one.
type Registry interface {
	Snapshot() *telemetry.Snapshot
}

// Deps are what the pages need of the rest of the program.
type Deps struct {
	Engine   *web.Engine // made with Templates() among its templates
	Relays   Relays
	Registry Registry
	Links    func(r *http.Request) []web.Link // modules that who asks may open; nil: none
	Now      func() time.Time
}

// Handler serves the pages. Make it with New.
type Handler struct{ Deps }

// New returns the handler of all pages of targets.
func New(d Deps) *Handler { return &Handler{d} }

// Keep is the permission that opens the pages.
const Keep = access.Permission("telemetry.relay")

func routes() []kit.Route[*Handler, *call] {
	return []kit.Route[*Handler, *call]{
		kit.Get("/relay", Keep, (*Handler).list),
		kit.Get("/relay/new", Keep, (*Handler).newTarget),
		kit.Post("/relay/new", Keep, (*Handler).add),
		kit.Get("/relay/{id}", Keep, (*Handler).target),
		kit.Post("/relay/{id}", Keep, (*Handler).save),
		kit.Post("/relay/{id}/pause", Keep, (*Handler).pause),
		kit.Post("/relay/{id}/resume", Keep, (*Handler).resume),
		kit.Post("/relay/{id}/test", Keep, (*Handler).test),
		kit.Post("/relay/{id}/again", Keep, (*Handler).again),
		kit.Post("/relay/{id}/name", Keep, (*Handler).setName),
		kit.Post("/relay/{id}/name/drop", Keep, (*Handler).dropName),
		kit.Post("/relay/{id}/delete", Keep, (*Handler).remove),
	}
}

// Routes lists the addresses with what opens them.
func Routes() []access.Route { return kit.Declared(routes()) }

// Pages lists the patterns that answer GET with a page, below the language.
func Pages() []string { return kit.Pages(routes()) }

// Register adds all routes: pages below each language, and the same addresses
// without one (303 to the reader's).
func (h *Handler) Register(mux *http.ServeMux) {
	m := kit.Module{Engine: h.Engine, Link: "registry", Words: "relay", Links: h.Links, Now: h.Now}
	kit.Register(mux, m, h, routes(), func(c *kit.Call) *call { return &call{c} })
}

// call is one request with what the pages of targets need of it.
type call struct{ *kit.Call }

// standing is how a target does, in words.
type standing struct {
	Shape, Word string
	Behind      string
	Lag         string // how long the first frame has waited; "" = nothing waits
	LastAck     time.Time
	Fault       string
	Next        time.Time
}

type row struct {
	standing
	Href, Name, Address, What string
	Sample                    bool
}

func (h *Handler) standing(c *call, t *relay.Target) standing {
	st, on := h.Relays.State(t.ID)
	out := standing{Behind: i18n.Number(float64(st.Behind), 0), LastAck: st.LastAck, Fault: st.Fault, Next: st.Next}
	if st.Counting {
		out.Behind = c.L.T("relay.counting")
	}
	if !st.Oldest.IsZero() && st.Behind > 0 {
		out.Lag = c.L.Duration(max(c.Now.Sub(st.Oldest), 0))
	}
	switch {
	case t.Held != "":
		out.Shape, out.Word = "exceed", c.L.T("relay.state_held")
	case t.Paused:
		out.Shape, out.Word, out.Behind = "stopped", c.L.T("relay.state_paused"), ""
	case !on:
		out.Shape, out.Word = "maint", c.L.T("relay.state_starting")
	case st.Connected && st.Fault != "":
		out.Shape, out.Word = "exceed", c.L.T("relay.state_stuck")
	case !st.Connected:
		out.Shape, out.Word = "offline", c.L.T("relay.state_down")
	case st.Catching:
		out.Shape, out.Word = "warn", c.L.T("relay.state_catching")
	default:
		out.Shape, out.Word = "normal", c.L.T("relay.state_ok")
	}
	return out
}

func (h *Handler) what(c *call, t *relay.Target) string {
	snap := h.Registry.Snapshot()
	var out []string
	for _, a := range t.Areas {
		out = append(out, h.area(c, snap, a))
	}
	for _, e := range t.Enterprises {
		text := e
		if x := snap.Enterprises[e]; x != nil {
			text, _ = x.Name.In(string(c.Lang))
		}
		out = append(out, text)
	}
	for _, o := range t.Outlets {
		out = append(out, h.outlet(c, snap, o))
	}
	if len(out) == 0 {
		out = append(out, c.L.T("relay.everything"))
	}
	if len(out) > 6 {
		out = append(out[:6], "…")
	}
	if len(t.Kinds) > 0 {
		var cns []string
		for _, k := range t.Kinds {
			cns = append(cns, strconv.Itoa(k))
		}
		out = append(out, strings.Join(cns, " "))
	}
	return strings.Join(out, " · ")
}

func (*Handler) area(c *call, snap *telemetry.Snapshot, code string) string {
	if a := snap.Areas[code]; a != nil {
		text, _ := a.Name.In(string(c.Lang))
		return text
	}
	return code
}

func (*Handler) outlet(c *call, snap *telemetry.Snapshot, id telemetry.OutletID) string {
	if o := snap.Outlets[id]; o != nil {
		text, _ := o.Name.In(string(c.Lang))
		return text
	}
	return "#" + strconv.FormatUint(uint64(id), 10)
}

func (h *Handler) list(c *call) error {
	targets, err := h.Relays.List(c.Ctx())
	if err != nil {
		return err
	}
	var rows []row
	for i := range targets {
		t := &targets[i]
		rows = append(rows, row{standing: h.standing(c, t), Href: c.Path("/relay/" + t.ID), Name: t.Name, Address: t.Addr(), What: h.what(c, t), Sample: t.Sample})
	}
	return c.Render(http.StatusOK, "relays.html", &web.Page{Title: c.L.T("relay.title"), Wide: true, Crumbs: c.Crumbs("nav.registry", "/registry"), Data: rows})
}

// form is the fields of a target.
type form struct {
	Action     string
	Edition    int64 // 0 = a new one
	Where, In  []web.Field
	Which, How []web.Field
	Kinds      []web.Option
	KindsError string
	Cancel     string
}

func (f *form) fields() []*web.Field {
	return slices.Concat(kit.Pointers(f.Where), kit.Pointers(f.In), kit.Pointers(f.Which), kit.Pointers(f.How))
}

// form makes the fields of t; sent says that they stand as they were typed.
func (h *Handler) form(c *call, t *relay.Target, sent bool) *form {
	box := func(name string, on bool) web.Field {
		f := c.Field(name, "", true)
		f.Kind, f.Checked, f.Optional = "checkbox", on, false
		if sent {
			f.Checked = c.Form(name) != ""
		}
		return f
	}
	text := func(name, value string, optional bool) web.Field {
		if sent {
			value = c.Form(name)
		}
		return c.Field(name, value, optional)
	}
	secret := func(name string, has bool) []web.Field {
		f := c.Field(name, "", true)
		f.Kind, f.Auto = "password", "new-password"
		if !has {
			return []web.Field{f}
		}
		f.Hint = c.L.T("relay.hint_secret_kept")
		return []web.Field{f, box(name+"_clear", false)}
	}
	var versions []web.Option
	for _, v := range relay.Versions() {
		o := web.Option{Value: v, Text: "HJ 212-" + v}
		if v == "" {
			o.Text = c.L.T("relay.version_same")
		}
		versions = append(versions, o)
	}
	version := t.Version
	if sent {
		version = c.Form("version")
	}
	port := ""
	if t.Port > 0 {
		port = strconv.Itoa(t.Port)
	}
	var outlets []string
	for _, o := range t.Outlets {
		outlets = append(outlets, strconv.FormatUint(uint64(o), 10))
	}
	f := &form{Edition: t.Edition, Action: c.Path("/relay/new"), Cancel: c.Path("/relay")}
	f.Where = []web.Field{text("name", t.Name, false), text("host", t.Host, false), text("port", port, false), box("tls", t.TLS)}
	f.Where[2].Width, f.Where[2].Input = "short", "numeric"
	f.In = append([]web.Field{c.Choose("version", version, versions...), box("ack", t.Ack), text("st", t.ST, true)}, append(secret("pw", t.PW != ""), secret("key", t.Key != "")...)...)
	f.In[2].Width = "short"
	f.Which = []web.Field{text("areas", strings.Join(t.Areas, " "), true), text("enterprises", strings.Join(t.Enterprises, " "), true), text("outlets", strings.Join(outlets, " "), true)}
	f.How = []web.Field{text("rate", strconv.FormatFloat(t.Rate, 'f', -1, 64), false), text("window", strconv.Itoa(t.Window), false)}
	for i := range f.How {
		f.How[i].Width, f.How[i].Input = "short", "decimal"
	}
	if t.Edition == 0 {
		f.How = append([]web.Field{text("from", "", true)}, f.How...)
	} else {
		f.Action, f.Cancel = c.Path("/relay/"+t.ID), ""
	}
	for _, k := range relay.Commands() {
		f.Kinds = append(f.Kinds, web.Option{Value: strconv.Itoa(k), Text: strconv.Itoa(k) + " " + c.L.T("relay.kind_"+strconv.Itoa(k)), Selected: len(t.Kinds) == 0 || slices.Contains(t.Kinds, k)})
	}
	return f
}

// read takes what a form says into t.
func (c *call) read(t *relay.Target) error {
	var bad errs.Checks
	t.Name, t.Host, t.TLS, t.Version, t.Ack, t.ST = c.Form("name"), c.Form("host"), c.Form("tls") != "", c.Form("version"), c.Form("ack") != "", c.Form("st")
	t.Port, _ = strconv.Atoi(i18n.Digits(c.Form("port"))) // 0 is no port
	for _, s := range []struct {
		name string
		to   *relay.Secret
	}{{"pw", &t.PW}, {"key", &t.Key}} {
		switch {
		case c.Form(s.name+"_clear") != "":
			*s.to = ""
		case c.Form(s.name) != "":
			*s.to = relay.Secret(c.Form(s.name))
		}
	}
	t.Areas, t.Enterprises, t.Outlets = listed(i18n.Digits(c.Form("areas"))), listed(c.Form("enterprises")), nil
	for _, s := range listed(i18n.Digits(c.Form("outlets"))) {
		n, err := strconv.ParseUint(strings.TrimPrefix(s, "#"), 10, 32)
		if err != nil {
			bad.Add("outlets", "relay.err.outlet", "value", s)
			continue
		}
		t.Outlets = append(t.Outlets, telemetry.OutletID(n))
	}
	t.Kinds = nil
	for _, k := range c.R.PostForm["kinds"] {
		n, err := strconv.Atoi(k)
		if err != nil {
			bad.Add("kinds", "relay.err.kind", "value", k)
		}
		t.Kinds = append(t.Kinds, n)
	}
	if len(t.Kinds) == len(relay.Commands()) { // all, later ones too
		t.Kinds = nil
	} else if len(t.Kinds) == 0 {
		bad.Add("kinds", "relay.err.no_kind")
	}
	var err error
	if t.Rate, err = strconv.ParseFloat(i18n.Digits(c.Form("rate")), 64); err != nil || math.IsNaN(t.Rate) {
		t.Rate = 0 // which is refused in the order of the other checks
	}
	t.Window, _ = strconv.Atoi(i18n.Digits(c.Form("window")))
	t.ByPost = c.Who.Post.Zh
	return bad.Err()
}

// listed reads entries with blanks, commas or new lines between them.
func listed(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" ,，、;；\t\r\n", r) })
}

// Defaults of a new target.
const (
	defaultRate   = 50
	defaultWindow = 512
)

func (h *Handler) newTarget(c *call) error { return h.newForm(c, nil) }

func (h *Handler) newForm(c *call, wrong error) error {
	t := relay.Target{Ack: true, Rate: defaultRate, Window: defaultWindow}
	if wrong != nil {
		_ = c.read(&t) // wrong has what could not be read
		t.Edition = 0
	}
	f := h.form(c, &t, wrong != nil)
	p := &web.Page{Title: c.L.T("relay.new"), Crumbs: c.Crumbs("nav.registry", "/registry", "relay.title", "/relay"), Data: f}
	status, err := h.faults(c, wrong, p, f)
	if err != nil {
		return err
	}
	return c.Render(status, "relay_form.html", p)
}

func (h *Handler) faults(c *call, wrong error, p *web.Page, f *form) (int, error) {
	status, err := c.Faults(wrong, p, f.fields()...)
	for _, e := range p.Errors {
		if e.Field == "kinds" {
			f.KindsError = e.Text
		}
	}
	return status, err
}

func (h *Handler) add(c *call) error {
	var t relay.Target
	err := c.read(&t)
	if s := c.Form("from"); s != "" && err == nil {
		from, ok := i18n.ParseStamp(s)
		if !ok {
			err = errs.InvalidField("from", "err.field.date")
		}
		t.From = from
	}
	if err == nil {
		t, err = h.Relays.Add(c.Ctx(), t)
	}
	if err != nil {
		return h.newForm(c, err)
	}
	return c.Done("/relay/"+t.ID, "relay_added")
}

type nameRow struct {
	Of, Our, Theirs, ST string
	PW, Key             bool
}

type refusedRow struct {
	Locator, Frame string
	MN, Outlet     string
	OutletHref     string
	CN             int
	At, Refused    time.Time
	Reason         string
	Tries          int
	Again          bool
}

type targetView struct {
	standing
	T           *relay.Target
	Base        string
	What        string
	Version     string
	Caught      string
	Flight      string
	Counts      string
	Asked       string
	Picture     template.HTML
	Days        template.HTML
	Names       []nameRow
	Name        []web.Field
	Refused     []refusedRow
	RefusedAll  int
	Form        *form
	Sure        web.Field
	FormOpen    bool
	SureOpen    bool
	NameOpen    bool
	Secret, Key bool
}

// shown is how many refused frames a page lists.
const shown = 100

func (h *Handler) target(c *call) error { return h.page(c, "", nil) }

// page shows a target; which is the form that was sent, with what was wrong in it.
func (h *Handler) page(c *call, which string, wrong error) error {
	t, err := h.Relays.Get(c.Ctx(), c.R.PathValue("id"))
	if err != nil {
		return err
	}
	v := &targetView{standing: h.standing(c, &t), T: &t, Base: c.Path("/relay/" + t.ID), What: h.what(c, &t), Version: cmp.Or(t.Version, c.L.T("relay.version_same")), Secret: t.PW != "", Key: t.Key != ""}
	st, _ := h.Relays.State(t.ID)
	v.Flight = strconv.Itoa(st.Flight)
	v.Counts = c.L.T("relay.counts", "acked", i18n.Number(float64(st.Acked), 0), "resent", i18n.Number(float64(st.Resent), 0))
	if st.Asked > 0 {
		v.Asked = c.L.T("relay.asked", "n", st.Asked, "cn", st.AskedLast)
	}
	snap := h.Registry.Snapshot()
	if err := h.pictures(c, v); err != nil {
		return err
	}
	if err := h.names(c, v, snap); err != nil {
		return err
	}
	list, n, err := h.Relays.Refused(c.Ctx(), t.ID, shown)
	if err != nil {
		return err
	}
	v.RefusedAll = n
	for i := range list {
		x := &list[i]
		r := refusedRow{
			Locator: x.String(), Frame: c.Path("/frames/" + x.String()), MN: x.MN, Outlet: h.outlet(c, snap, x.Outlet), OutletHref: c.Path("/outlets/" + strconv.FormatUint(uint64(x.Outlet), 10)),
			CN: x.CN, Refused: x.RefusedAt, Reason: c.reason(x.Reason), Tries: x.Tries, Again: x.Again,
		}
		if x.At != 0 {
			r.At = time.Unix(x.At, 0)
		}
		v.Refused = append(v.Refused, r)
	}
	edited := t
	if which == "edit" {
		_ = c.read(&edited) // wrong has what could not be read
		edited.PW, edited.Key = t.PW, t.Key
	}
	v.Form, v.FormOpen, v.NameOpen = h.form(c, &edited, which == "edit"), which == "edit", which == "name"
	p := &web.Page{Title: t.Name, Wide: true, Crumbs: c.Crumbs("nav.registry", "/registry", "relay.title", "/relay"), Data: v}
	v.Sure, v.SureOpen = c.Field("sure", "", false), which == "delete"
	v.Sure.Kind = "checkbox"
	var status int
	switch which {
	case "name":
		status, err = c.Faults(wrong, p, kit.Pointers(v.Name)...)
	case "delete":
		status, err = c.Faults(wrong, p, &v.Sure)
	default:
		status, err = h.faults(c, wrong, p, v.Form)
	}
	if err != nil {
		return err
	}
	return c.Render(status, "relay.html", p)
}

// reason words why a frame was refused.
func (c *call) reason(code string) string {
	if key := "relay.reason_" + code; c.L.Has(key) {
		return c.L.T(key)
	}
	name, n, _ := strings.Cut(code, "_")
	return c.L.T("relay.reason_other", "name", map[string]string{"qn": "QnRtn", "exe": "ExeRtn"}[name], "n", n)
}

func (h *Handler) names(c *call, v *targetView, snap *telemetry.Snapshot) error {
	list, err := h.Relays.Mappings(c.Ctx(), v.T.ID)
	if err != nil {
		return err
	}
	for i := range list {
		m := &list[i]
		r := nameRow{Of: m.Of(), Our: m.Of(), Theirs: m.Theirs, ST: m.ST, PW: m.PW != "", Key: m.Key != ""}
		if m.Outlet != 0 {
			r.Our = m.Of() + " " + h.outlet(c, snap, m.Outlet)
		}
		v.Names = append(v.Names, r)
	}
	v.Name = []web.Field{c.Field("of", c.Form("of"), false), c.Field("theirs", c.Form("theirs"), true), c.Field("map_st", c.Form("map_st"), true), c.Field("map_pw", "", true), c.Field("map_key", "", true)}
	v.Name[2].Width = "short"
	for _, i := range []int{3, 4} {
		v.Name[i].Kind, v.Name[i].Auto = "password", "new-password"
	}
	return nil
}

// pictured is how far back the picture of a target goes.
const pictured = 7 * 24 * time.Hour

// stripDays is how many days the strip has.
const stripDays = 30

func (h *Handler) pictures(c *call, v *targetView) error {
	to := c.Now.Truncate(time.Hour).Add(time.Hour)
	hours, err := h.Relays.Hours(c.Ctx(), v.T.ID, c.Now.AddDate(0, 0, -stripDays))
	if err != nil || len(hours) == 0 {
		return err
	}
	e := chart.Extent{From: to.Add(-pictured), To: to, Step: time.Hour, Lo: math.NaN(), Hi: math.NaN(), Unit: c.L.T("relay.frames")}
	most, at := int64(0), map[int64]*relay.Hour{}
	for i := range hours {
		at[hours[i].At.Unix()] = &hours[i]
	}
	for t := e.From; t.Before(to); t = t.Add(time.Hour) {
		value := math.NaN()
		if x := at[t.Unix()]; x != nil {
			value = float64(x.Behind)
			most = max(most, x.Behind)
		}
		e.Values = append(e.Values, chart.ExtentValue{At: t, Value: value})
	}
	e.Label = c.L.T("relay.picture_label", "most", i18n.Number(float64(most), 0))
	v.Picture = e.HTML()

	first, _ := i18n.ParseStamp(i18n.Short(c.Now.AddDate(0, 0, 1-stripDays)))
	heat := chart.Heat{Caption: c.L.T("relay.days_caption"), From: first, Print: 100}
	line := chart.HeatRow{Name: c.L.T("relay.linked"), Lang: string(c.Lang)}
	for i := range stripDays {
		day := first.AddDate(0, 0, i)
		heat.Heads = append(heat.Heads, chart.HeatHead{Text: c.L.DayMonth(day), Quiet: i%5 != 0})
		seen, linked := 0, 0
		for t := day; t.Before(day.AddDate(0, 0, 1)); t = t.Add(time.Hour) {
			if x := at[t.Unix()]; x != nil {
				seen, linked = seen+x.Seen, linked+x.Linked
			}
		}
		percent := math.NaN()
		if seen > 0 {
			percent = 100 * float64(linked) / float64(seen)
		}
		line.Percent = append(line.Percent, percent)
	}
	heat.Rows = []chart.HeatRow{line}
	v.Days = heat.HTML(c.L)
	return nil
}

func (h *Handler) save(c *call) error {
	edition, err := strconv.ParseInt("0"+c.Form("edition"), 10, 64)
	if err != nil {
		return errs.Wrap(err, errs.Malformed, "")
	}
	id := c.R.PathValue("id")
	var t relay.Target
	if err = c.read(&t); err == nil {
		_, err = h.Relays.Change(c.Ctx(), id, edition, func(t *relay.Target) { _ = c.read(t) }) // it could be read
	}
	if errs.Is(err, errs.Invalid) {
		return h.page(c, "edit", err)
	}
	if err != nil {
		return err
	}
	return c.Done("/relay/"+id, "relay_saved")
}

func (h *Handler) pause(c *call) error {
	if err := h.Relays.Pause(c.Ctx(), c.R.PathValue("id"), c.Who.Post.Zh); err != nil {
		return err
	}
	return c.Done("/relay/"+c.R.PathValue("id"), "relay_paused")
}

func (h *Handler) resume(c *call) error {
	if err := h.Relays.Resume(c.Ctx(), c.R.PathValue("id"), c.Who.Post.Zh); err != nil {
		return err
	}
	return c.Done("/relay/"+c.R.PathValue("id"), "relay_resumed")
}

// test tells whether the target can be reached; the page then says how it went.
func (h *Handler) test(c *call) error {
	_, err := h.Relays.Test(c.Ctx(), c.R.PathValue("id"))
	switch {
	case errors.Is(err, relay.ErrUnreached):
		web.SetDone(c.W, "relay_unreached", "fault", err.Error())
	case err != nil:
		return err
	default:
		web.SetDone(c.W, "relay_reached")
	}
	return c.See("/relay/" + c.R.PathValue("id"))
}

func (h *Handler) again(c *call) error {
	var which []telemetry.Locator
	for _, text := range c.R.PostForm["frame"] {
		l, err := store.ParseLocator(text)
		if err != nil {
			return errs.Wrap(err, errs.Malformed, "")
		}
		which = append(which, l)
	}
	n, err := h.Relays.Again(c.Ctx(), c.R.PathValue("id"), c.Form("all") != "", which...)
	if err != nil {
		return err
	}
	web.SetDone(c.W, "relay_again", "n", n)
	return c.See("/relay/" + c.R.PathValue("id"))
}

func (h *Handler) setName(c *call) error {
	m := relay.Mapping{Theirs: c.Form("theirs"), ST: c.Form("map_st"), PW: relay.Secret(c.Form("map_pw")), Key: relay.Secret(c.Form("map_key"))}
	m.MN, m.Outlet = relay.ParseOf(c.Form("of"))
	err := h.Relays.SetMapping(c.Ctx(), c.R.PathValue("id"), m)
	if errs.Is(err, errs.Invalid) {
		return h.page(c, "name", err)
	}
	if err != nil {
		return err
	}
	return c.Done("/relay/"+c.R.PathValue("id"), "relay_named")
}

func (h *Handler) dropName(c *call) error {
	if err := h.Relays.DropMapping(c.Ctx(), c.R.PathValue("id"), c.Form("of")); err != nil {
		return err
	}
	return c.Done("/relay/"+c.R.PathValue("id"), "relay_unnamed")
}

func (h *Handler) remove(c *call) error {
	if c.Form("sure") == "" {
		return h.page(c, "delete", errs.InvalidField("sure", "relay.err.sure"))
	}
	if err := h.Relays.Delete(c.Ctx(), c.R.PathValue("id")); err != nil {
		return err
	}
	return c.Done("/relay", "relay_deleted")
}
