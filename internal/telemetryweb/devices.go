package telemetryweb

import (
	"cmp"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"plateau/hj212"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/backfill"
	"plateau/internal/telemetry/dialogue"
	"plateau/internal/telemetry/gateway"
	"plateau/internal/telemetry/store"
	"plateau/internal/web"
	"plateau/rules"
)

// deviceRow is a registered logger with its live state.
type deviceRow struct {
	MN        string
	Href      string
	Outlet    word
	OutletURL string
	Online    bool // connected, or heard of lately over UDP
	Link      deviceLink
	Seen      bool
	Last      time.Time
	Version   string
	Frames    int64
	Refused   int64
	Clock     string
	ClockBad  bool
	Auto      bool
	LastError string
}

// knockRow is a logger that knocks.
type knockRow struct {
	MN, Reason, Peer, Version string
	ST                        string
	First, Last               time.Time
	Count                     int64
	Factors                   []word
	AdoptHref                 string // "" when the logger is registered, or sends no MN
	Href                      string
	Frames                    []frameLine
}

// frameLine is a received frame in a list.
type frameLine struct {
	Href     string
	Received time.Time
	At       time.Time
	Kind     string
	Verdict  string
	Bad      bool
	Text     string
}

type devicesView struct {
	Tabs     []web.Tab
	Rows     []deviceRow
	Knocking []knockRow
	Total    int
	Online   int
	Pager    web.Pager
	Search   web.Field
	Now      time.Time
	CanAdopt bool
}

// badClock reports a clock that is off by as much as the rule points out.
func badClock(now time.Time, offset time.Duration) bool {
	p, err := dialogue.ClockParamsAt(rules.Default(), now)
	return err == nil && offset.Abs() >= p.PointOut
}

func (h *Handler) devices(c *call) error {
	v := &devicesView{Tabs: h.deviceTabs(c, "/devices"), Now: c.now, CanAdopt: h.Editor != nil}
	live := map[string]gateway.DeviceStatus{}
	for _, d := range h.Gateway.Devices() {
		live[d.MN] = d
	}
	q := strings.ToLower(c.query("q"))
	v.Search = web.Field{Name: "q", Kind: "search", Label: c.l.T("devices.search"), Value: c.query("q")}
	var rows []deviceRow
	scope := c.scope(Devices)
	for _, mn := range sortedKeys(c.snap.Devices) {
		if !scope.Contains(c.logger(mn)) {
			continue
		}
		r := h.deviceRow(c, c.snap.Devices[mn], live[mn])
		if r.Online {
			v.Online++
		}
		v.Total++
		if q == "" || strings.Contains(strings.ToLower(mn+" "+r.Outlet.Text), q) {
			rows = append(rows, r)
		}
	}
	table := web.Table{Path: c.path("/devices"), Query: c.r.URL.Query(), Swap: "device-list"}
	from, to, pager := table.Cut(len(rows), 50)
	v.Rows, v.Pager = rows[from:to], pager
	for _, k := range h.Gateway.Knocking() {
		if len(v.Knocking) == 20 {
			break
		}
		if !scope.Contains(c.logger(k.MN)) {
			continue
		}
		v.Knocking = append(v.Knocking, h.knockRow(c, k, 2))
	}
	return h.render(c, http.StatusOK, "devices.html", &web.Page{Title: c.l.T("devices.title"), Module: "devices", Wide: true, Data: v})
}

func (h *Handler) deviceRow(c *call, d *telemetry.Device, s gateway.DeviceStatus) deviceRow {
	r := deviceRow{
		MN: d.MN, Href: c.path("/devices/" + d.MN), Online: speaking(&s, c.now), Link: c.deviceLink(&s), Seen: !s.Last.IsZero(), Last: s.Last, Version: s.Version,
		Frames: s.Frames, Refused: s.Refused + s.Quarantined, Auto: d.AutoAdopted,
	}
	if s.LastError != "" {
		r.LastError = c.fault(s.LastError)
	}
	if o := c.snap.Outlets[d.Outlet]; o != nil {
		r.Outlet, r.OutletURL = c.outletName(o), c.path(outletPath(o.ID))
	}
	if s.ClockKnown {
		r.Clock, r.ClockBad = c.offset(s.ClockOffset), badClock(c.now, s.ClockOffset)
	}
	return r
}

// offset writes a clock difference: "fast by 3 min".
func (c *call) offset(d time.Duration) string {
	switch {
	case d.Abs() < time.Second:
		return c.l.T("devices.clock_right")
	case d > 0:
		return c.l.T("devices.clock_fast", "span", c.l.Duration(d))
	}
	return c.l.T("devices.clock_slow", "span", c.l.Duration(d))
}

func (h *Handler) knockRow(c *call, k gateway.Knock, frames int) knockRow {
	r := knockRow{
		MN: k.MN, Peer: k.Peer, Version: k.Version, ST: k.ST, First: k.First, Last: k.Last, Count: k.Count,
		Reason: c.l.T("knock." + reasonKey(k.Reason)),
	}
	switch {
	case k.MN == "":
		return r
	case c.snap.Devices[k.MN] != nil: // its password or network has changed
		r.Href = c.path("/devices/" + k.MN + "#settings")
	default:
		r.AdoptHref, r.Href = c.path("/devices/"+k.MN+"/adopt"), c.path("/devices/"+k.MN)
	}
	if key := "st." + k.ST; k.ST != "" && c.l.Has(key) {
		r.ST = k.ST + " " + c.l.T(key)
	}
	for _, code := range k.Codes[:min(len(k.Codes), 12)] {
		r.Factors = append(r.Factors, c.factor(code))
	}
	list, err := h.Journal.LastFrames(k.MN, frames)
	if err == nil {
		r.Frames = c.frameLines(list)
	}
	return r
}

// reasonKey turns the gateway's reason into a catalogue key.
func reasonKey(reason string) string {
	switch reason {
	case gateway.ReasonPassword:
		return "password"
	case gateway.ReasonNetwork:
		return "network"
	}
	return "unknown"
}

func (c *call) frameLines(list []store.StoredFrame) []frameLine {
	out := make([]frameLine, 0, len(list))
	for i := range list {
		f := &list[i]
		l := frameLine{
			Href: c.path("/frames/" + f.String()), Received: f.Received, Kind: c.l.T("kind." + strconv.Itoa(int(f.Kind))),
			Verdict: c.verdictText(f.Verdict, f.Reason), Bad: f.Verdict == telemetry.Quarantined || f.Verdict == telemetry.Refused,
			Text: maskPassword(hj212.Text(opened(f.Raw, c.keyOf(f)))),
		}
		if f.At != 0 {
			l.At = time.Unix(f.At, 0)
		}
		out = append(out, l)
	}
	return out
}

type deviceView struct {
	Row       deviceRow
	Device    *telemetry.Device
	Status    *gateway.DeviceStatus
	Knock     *knockRow
	Frames    []frameLine
	Past      []served
	Gaps      []gapRow
	Unable    time.Time // it is not asked for history until then
	Run       *runView
	Log       []dialogueLine
	Commands  bool // the reader may ask the logger
	From, To  web.Field
	Kind      web.Field
	Clock     *clockView
	CanChange bool
	AdoptHref string      // of a logger that serves nothing and has not knocked again
	Undo      string      // "undo" soon after the adoption, "end" later: key of the words
	Entry     []string    // how it is let in, in words
	Settings  []web.Field // nil: the reader may not change them
}

func (h *Handler) device(c *call) error { return h.devicePage(c, http.StatusOK, nil) }

func (h *Handler) devicePage(c *call, status int, problems []web.FieldError) error {
	mn := c.r.PathValue("mn")
	if err := c.mustLogger(Devices, mn); err != nil {
		return err
	}
	v := &deviceView{Device: c.snap.Devices[mn], CanChange: h.Editor != nil}
	s, heard := h.Gateway.Device(mn)
	if heard {
		v.Status = &s
	}
	for _, k := range h.Gateway.Knocking() {
		if k.MN == mn {
			r := h.knockRow(c, k, 0)
			v.Knock = &r
		}
	}
	list, err := h.Journal.LastFrames(mn, 20)
	if err != nil {
		return err
	}
	if v.Device == nil && v.Knock == nil && len(list) == 0 && !c.known(mn) {
		return notFound()
	}
	v.Frames = c.frameLines(list)
	if v.Device == nil && v.Knock == nil && len(list) > 0 && h.Editor != nil {
		v.AdoptHref = c.path("/devices/" + mn + "/adopt")
	}
	v.Row = deviceRow{MN: mn, Link: c.deviceLink(&s)}
	if v.Device != nil {
		v.Row = h.deviceRow(c, v.Device, s)
		v.Entry = c.entryWords(v.Device)
		v.Undo = c.undoing(v.Device)
		if h.Editor != nil && c.scope(EditList).Contains(c.logger(mn)) {
			v.Settings = h.settingFields(c, v.Device, problems)
		}
	}
	for _, d := range c.snap.Past {
		if d.MN == mn {
			v.Past = append(v.Past, served{MN: mn, From: d.From, To: d.To})
		}
	}
	if err := h.dialogueLog(c, v, mn); err != nil {
		return err
	}
	if v.Clock, err = h.clock(c, mn); err != nil {
		return err
	}
	if v.Gaps, err = h.lastGaps(c, backfill.Filter{MN: mn}); err != nil {
		return err
	}
	if h.Gaps != nil {
		v.Unable, _ = h.Gaps.UnableUntil(mn)
	}
	v.From, v.To, v.Kind = h.historyFields(c)
	return h.render(c, status, "device.html", &web.Page{
		Title: c.l.T("devices.one", "mn", mn), Module: "devices", Crumbs: []web.Crumb{{Text: c.l.T("nav.devices"), Path: "/devices"}}, Errors: problems, Data: v,
	})
}

// returnCode writes a code with its meaning; a logger may leave it out.
func (c *call) returnCode(table string, code int) string {
	text := strconv.Itoa(code)
	if code < 0 {
		text = i18n.Missing
	}
	if key := table + text; c.l.Has(key) {
		text += " " + c.l.T(key)
	}
	return text
}

// adoptView is the page that adopts a knocking logger; the button on it is the
// second click.
type adoptView struct {
	Knock    knockRow
	Outlet   web.Field
	Existing bool
	Name     web.Field
	Area     web.Field
	Medium   web.Field
	Owner    web.Field
	Codes    string
	Former   string // MN that serves the proposed outlet now
	Button   string
}

func (h *Handler) adoptForm(c *call) error { return h.adoptPage(c, http.StatusOK, nil) }

func (h *Handler) adoptPage(c *call, status int, problems []web.FieldError) error {
	mn := c.r.PathValue("mn")
	if d := c.snap.Devices[mn]; d != nil {
		return c.see("/devices/" + mn)
	}
	if err := c.mustLogger(Devices, mn); err != nil {
		return err
	}
	v := &adoptView{Knock: knockRow{MN: mn}}
	var knock gateway.Knock
	found := false
	for _, k := range h.Gateway.Knocking() {
		if k.MN == mn {
			knock, found = k, true
			v.Knock = h.knockRow(c, k, 3)
		}
	}
	if !found {
		list, err := h.Journal.LastFrames(mn, 3)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return notFound()
		}
		v.Knock.Frames = c.frameLines(list)
	}
	posted := func(name, otherwise string) string {
		return cmp.Or(strings.TrimSpace(c.r.PostFormValue(name)), otherwise)
	}
	medium := telemetry.MediumOf(knock.ST, knock.Codes)
	chosen := posted("outlet", h.propose(c, mn, medium))
	v.Outlet = web.Field{
		Name: "outlet", Kind: "select", Label: c.l.T("adopt.outlet"), Hint: c.l.T("adopt.outlet_hint"),
		Options: []web.Option{{Value: "new", Text: c.l.T("adopt.new_outlet"), Selected: chosen == "new"}},
	}
	v.Outlet.Options = append(v.Outlet.Options, h.outletsToServe(c, chosen)...)
	v.Name = web.Field{Name: "name", Label: c.l.T("adopt.name"), Value: posted("name", c.l.T("adopt.name_default", "mn", mn[max(0, len(mn)-6):])), Width: "medium"}
	v.Medium = web.Field{Name: "medium", Kind: "select", Label: c.l.T("outlets.medium"), Options: c.mediumOptions(posted("medium", string(medium)))[1:]}
	area := posted("area", areaOf(c, mn))
	v.Area = c.countyField(area)
	v.Area.Label, v.Area.Optional = c.l.T("field.area"), true
	owner := posted("enterprise", c.ownerIn(area))
	v.Owner = web.Field{Name: "enterprise", Kind: "select", Label: c.l.T("adopt.enterprise"), Hint: c.l.T("adopt.enterprise_hint"), Optional: true, Options: []web.Option{{Text: "—", Selected: owner == ""}}}
	for _, id := range sortedKeys(c.snap.Enterprises) {
		v.Owner.Options = append(v.Owner.Options, web.Option{Value: id, Text: c.name(c.snap.Enterprises[id].Name).Text, Selected: id == owner})
	}
	v.Codes = strings.Join(knock.Codes, ",")
	v.Button = c.l.T("adopt.button", "mn", mn)
	for _, p := range problems {
		for _, f := range []*web.Field{&v.Outlet, &v.Name, &v.Area, &v.Medium, &v.Owner} {
			if f.Name == p.Field {
				f.Error = p.Text
			}
		}
	}
	return h.render(c, status, "adopt.html", &web.Page{
		Title: c.l.T("adopt.title", "mn", mn), Module: "devices", Crumbs: []web.Crumb{{Text: c.l.T("nav.devices"), Path: "/devices"}}, Errors: problems, Data: v,
	})
}

// outletsToServe lists the outlets a new logger may serve: those that have none
// or whose own is silent stand first, because such a one was replaced.
func (h *Handler) outletsToServe(c *call, chosen string) []web.Option {
	live := map[string]gateway.DeviceStatus{}
	for _, d := range h.Gateway.Devices() {
		live[d.MN] = d
	}
	var idle, busy []web.Option
	h.eachOutlet(c, Devices, func(o *telemetry.Outlet) {
		option := web.Option{Value: strconv.Itoa(int(o.ID)), Text: c.outletName(o).Text + " · " + c.place(o).Text}
		option.Selected = option.Value == chosen
		d := c.snap.DeviceOf(o.ID)
		if d == nil {
			option.Text = c.l.T("adopt.without_logger", "outlet", option.Text)
			idle = append(idle, option)
			return
		}
		if s := live[d.MN]; !speaking(&s, c.now) {
			option.Text = c.l.T("adopt.silent_logger", "outlet", option.Text, "mn", d.MN, "link", c.deviceLink(&s).Text)
			idle = append(idle, option)
			return
		}
		busy = append(busy, option)
	})
	return append(idle, busy...)
}

// propose chooses the outlet that most likely got a new logger: one of the same
// medium and place that has none; else a new outlet. Frames in a wrong outlet's
// history would be worse than an outlet too many.
func (h *Handler) propose(c *call, mn string, medium telemetry.Medium) string {
	area := areaOf(c, mn)
	scope := c.scope(Devices)
	for _, id := range c.snap.Order {
		if o := c.snap.Outlets[id]; o != nil && scope.Contains(ObjectOf(o)) && c.snap.DeviceOf(id) == nil && o.Medium == medium && (area == "" || o.Area == area) {
			return strconv.Itoa(int(id))
		}
	}
	return "new"
}

// ownerIn proposes the enterprise when a county has only one.
func (c *call) ownerIn(area string) (id string) {
	for k, e := range c.snap.Enterprises {
		if e.Area == area && area != "" {
			if id != "" {
				return ""
			}
			id = k
		}
	}
	return id
}

// areaOf reads the division out of an MN that begins with one, as many do.
func areaOf(c *call, mn string) string {
	if len(mn) >= 6 && c.snap.Areas[mn[:6]] != nil {
		return mn[:6]
	}
	return ""
}

func (h *Handler) adopt(c *call) error {
	mn := c.r.PathValue("mn")
	if h.Editor == nil {
		return readOnly()
	}
	if c.snap.Devices[mn] != nil {
		return c.see("/devices/" + mn)
	}
	if err := c.mustLogger(Devices, mn); err != nil {
		return err
	}
	var outlet telemetry.OutletID
	var fresh *telemetry.Outlet
	if choice := c.r.PostFormValue("outlet"); choice != "new" {
		o, err := h.find(c, choice)
		if err != nil {
			return h.adoptPage(c, http.StatusUnprocessableEntity, []web.FieldError{{Field: "outlet", Text: c.l.T("adopt.outlet_error")}})
		}
		if err := c.must(Devices, o); err != nil {
			return err
		}
		outlet = o.ID
	} else {
		var problems []web.FieldError
		if fresh, problems = h.newOutlet(c, mn); len(problems) > 0 {
			return h.adoptPage(c, http.StatusUnprocessableEntity, problems)
		}
		if err := c.must(Devices, fresh); err != nil {
			return err
		}
	}
	err := h.Editor.Adopt(c.ctx(), mn, outlet, fresh, c.actor.Post)
	if e, ok := errors.AsType[*errs.Error](err); ok && e.Kind == errs.Invalid {
		problems := c.fieldErrors(e)
		for i := range problems {
			problems[i].Field = strings.TrimSuffix(problems[i].Field, "_zh")
		}
		return h.adoptPage(c, http.StatusUnprocessableEntity, problems)
	}
	if err != nil {
		return err
	}
	return c.done("/devices/"+mn, "adopted", "mn", mn)
}

// newOutlet reads the outlet a knocking logger shall serve, with the factors it
// was seen to send.
func (h *Handler) newOutlet(c *call, mn string) (*telemetry.Outlet, []web.FieldError) {
	o := &telemetry.Outlet{
		Name: telemetry.Name{Zh: strings.TrimSpace(c.r.PostFormValue("name"))}, Medium: telemetry.Medium(c.r.PostFormValue("medium")),
		Area: c.r.PostFormValue("area"), Enterprise: c.r.PostFormValue("enterprise"),
	}
	var problems []web.FieldError
	if o.Name.Zh == "" {
		problems = append(problems, web.FieldError{Field: "name", Text: c.l.T("adopt.name_error")})
	}
	for _, k := range h.Gateway.Knocking() {
		if k.MN != mn {
			continue
		}
		for _, code := range k.Codes {
			// What is no factor, such as the state of a pump, is not judged.
			if _, ok := hj212.LookupFactor(code); ok {
				o.Factors = append(o.Factors, telemetry.OutletFactor{Code: code, Order: len(o.Factors) + 1})
			}
		}
	}
	return o, problems
}

// fieldErrors turns the fields of an error into lines of the summary.
func (c *call) fieldErrors(e *errs.Error) []web.FieldError {
	var out []web.FieldError
	for _, f := range e.Fields {
		out = append(out, web.FieldError{Field: f.Name, Text: c.l.T(f.Key, f.Args...)})
	}
	if len(out) == 0 {
		key := e.Key
		if key == "" || !c.l.Has(key) {
			key = "problem.invalid"
		}
		out = append(out, web.FieldError{Text: c.l.T(key, e.Args...)})
	}
	return out
}

// undoing is what taking a logger out of service means: "undo" soon after its
// adoption, "end" later.
func (c *call) undoing(d *telemetry.Device) string {
	if c.now.Sub(d.From) <= telemetry.UndoWindow {
		return "undo"
	}
	return "end"
}

func (h *Handler) release(c *call) error {
	mn := c.r.PathValue("mn")
	d := c.snap.Devices[mn]
	if h.Editor == nil || d == nil {
		return notFound()
	}
	if err := c.mustLogger(Devices, mn); err != nil {
		return err
	}
	if err := h.Editor.Release(c.ctx(), mn, c.actor.Post); err != nil {
		return err
	}
	return c.done("/devices/"+mn, c.undoing(d), "mn", mn)
}

// entryWords tells how a logger is let in.
func (c *call) entryWords(d *telemetry.Device) []string {
	var out []string
	say := func(when bool, key string, args ...any) {
		if when {
			out = append(out, c.l.T(key, args...))
		}
	}
	say(d.Password != "", "devices.password_checked")
	say(d.Password == "", "devices.password_open")
	say(d.PasswordOther != "", "devices.two_passwords", "time", i18n.Stamp(d.PasswordSince))
	say(len(d.Networks) > 0, "devices.networks_only", "networks", telemetry.NetworksText(d.Networks))
	say(len(d.Keys) > 0, "devices.keys_set", "n", len(d.Keys))
	say(d.AcceptBadCRC, "devices.accept_bad_crc")
	say(d.AcceptBadLength, "devices.accept_bad_length")
	return out
}

// settingFields are the form of how a logger is let in. Password and keys are
// never shown: left empty, they stay.
func (h *Handler) settingFields(c *call, d *telemetry.Device, problems []web.FieldError) []web.Field {
	sent := c.r.PostFormValue("action") == "settings"
	fields := []web.Field{
		{Name: "password", Auto: "off"},
		{Name: "no_password", Kind: "checkbox", Checked: d.Password == ""},
		{Name: "networks", Value: telemetry.NetworksText(d.Networks), Optional: true},
		{Name: "sm4_keys", Auto: "off"},
		{Name: "no_keys", Kind: "checkbox", Checked: len(d.Keys) == 0},
		{Name: "accept_bad_crc", Kind: "checkbox", Checked: d.AcceptBadCRC},
		{Name: "accept_bad_length", Kind: "checkbox", Checked: d.AcceptBadLength},
	}
	for i := range fields {
		f := &fields[i]
		f.Label = c.l.T("devices.set_" + f.Name)
		if key := "devices.hint_" + f.Name; c.l.Has(key) {
			f.Hint = c.l.T(key)
		}
		if sent {
			f.Value, f.Checked = c.r.PostFormValue(f.Name), c.r.PostFormValue(f.Name) != ""
		}
		for _, p := range problems {
			if p.Field == f.Name {
				f.Error = p.Text
			}
		}
	}
	return fields
}

// settings saves how a logger is let in.
func (h *Handler) settings(c *call) error {
	mn := c.r.PathValue("mn")
	old := c.snap.Devices[mn]
	if old == nil {
		return notFound()
	}
	if h.Editor == nil {
		return readOnly()
	}
	if err := c.mustLogger(EditList, mn); err != nil {
		return err
	}
	d := *old
	text := func(name string) string { return strings.TrimSpace(c.r.PostFormValue(name)) }
	on := func(name string) bool { return c.r.PostFormValue(name) != "" }
	var problems []web.FieldError
	wrong := func(err error) {
		if e, ok := errors.AsType[*errs.Error](err); ok {
			for _, p := range c.fieldErrors(e) {
				if p.Field == "keys" {
					p.Field = "sm4_keys" // the dialogue of single keys has that name on the page
				}
				problems = append(problems, p)
			}
		}
	}
	switch {
	case text("password") != "":
		d.Password, d.PasswordOther, d.PasswordSince = text("password"), "", time.Time{}
	case on("no_password"):
		d.Password, d.PasswordOther, d.PasswordSince = "", "", time.Time{}
	case d.Password == "":
		problems = append(problems, web.FieldError{Field: "password", Text: c.l.T("devices.password_error")})
	}
	var err error
	if d.Networks, err = telemetry.ParseNetworks(i18n.Digits(text("networks"))); err != nil {
		wrong(err)
	}
	switch {
	case text("sm4_keys") != "":
		if d.Keys, err = telemetry.ParseKeys(text("sm4_keys")); err != nil {
			wrong(err)
		}
	case on("no_keys"):
		d.Keys = nil
	}
	d.AcceptBadCRC, d.AcceptBadLength = on("accept_bad_crc"), on("accept_bad_length")
	if len(problems) == 0 {
		err = h.Editor.SaveDevice(c.ctx(), d, c.actor.Post)
		if e, ok := errors.AsType[*errs.Error](err); ok && e.Kind == errs.Invalid {
			wrong(e)
		} else if err != nil {
			return err
		}
	}
	if len(problems) > 0 {
		return h.devicePage(c, http.StatusUnprocessableEntity, problems)
	}
	return c.done("/devices/"+mn, "settings")
}
