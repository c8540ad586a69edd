package telemetryweb

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/hj212"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/dialogue"
	"plateau/internal/telemetry/gateway"
	"plateau/internal/web"
	"plateau/internal/web/chart"
	"plateau/rules"
)

// Dialogues carries commands out and keeps their log.
type Dialogues interface {
	// Start begins a dialogue and returns at once; again is true when the key of
	// the order was seen before.
	Start(ctx context.Context, o dialogue.Order) (rec dialogue.Record, again bool, err error)
	Get(ctx context.Context, id string) (dialogue.Record, error)
	List(ctx context.Context, mn string, limit int) ([]dialogue.Record, error)
	// Offsets tells how a logger's clock stood since an instant.
	Offsets(ctx context.Context, mn string, since time.Time) ([]dialogue.Offset, error)
	// ClockSet is when a logger's clock was last set with success, zero for never.
	ClockSet(ctx context.Context, mn string) (time.Time, error)
}

func commandRoutes() []route {
	return []route{
		{"GET", "/devices/{mn}/commands", Devices, (*Handler).commandForm},
		{"POST", "/devices/{mn}/commands", Devices, (*Handler).command},
		{"GET", "/devices/{mn}/dialogues/{id}", Devices, (*Handler).dialogue},
	}
}

// speaks is the version of the protocol that a logger uses, 2017 when it has
// not said so.
func (h *Handler) speaks(mn string) hj212.Version {
	for _, s := range h.Gateway.Devices() {
		if s.MN != mn {
			continue
		}
		for _, v := range []hj212.Version{hj212.V2005, hj212.V2025} {
			if s.Version == v.String() {
				return v
			}
		}
	}
	return hj212.V2017
}

// actGroup is what belongs together on the page of commands.
type actGroup struct {
	Title string
	Acts  []actLink
}

type actLink struct {
	Text, Href string
	CN         int
	Current    bool
	Danger     bool
}

type commandsView struct {
	MN        string
	Version   string
	Outlet    word
	OutletURL string
	Link      deviceLink
	Groups    []actGroup
	Act       string // chosen
	Title     string
	Effect    string
	Fields    []web.Field
	Confirm   bool        // ask before it is sent
	Asked     [][2]string // name and value of what was filled in
	Hidden    [][2]string
}

func (h *Handler) commandForm(c *call) error {
	return h.commandPage(c, http.StatusOK, c.query("act"), false, nil)
}

// commandPage shows what can be asked of a logger, with the form of one act or,
// with confirm, the question whether to send it.
func (h *Handler) commandPage(c *call, status int, name string, confirm bool, problems []web.FieldError) error {
	mn := c.r.PathValue("mn")
	d := c.snap.Devices[mn]
	if d == nil || h.Dialogues == nil {
		return notFound()
	}
	if err := c.mustLogger(Devices, mn); err != nil {
		return err
	}
	version := h.speaks(mn)
	s, _ := h.Gateway.Device(mn) // all is zero before it sends
	v := &commandsView{MN: mn, Version: version.String(), Confirm: confirm, Link: c.deviceLink(&s)}
	o := c.snap.Outlets[d.Outlet]
	if o != nil {
		v.Outlet, v.OutletURL = c.outletName(o), c.path(outletPath(o.ID))
	}
	for _, a := range dialogue.Acts(version) {
		if n := len(v.Groups); n == 0 || v.Groups[n-1].Title != c.l.T("command.group_"+a.Group()) {
			v.Groups = append(v.Groups, actGroup{Title: c.l.T("command.group_" + a.Group())})
		}
		g := &v.Groups[len(v.Groups)-1]
		g.Acts = append(g.Acts, actLink{Text: c.l.T("command.act_" + a.Name), CN: a.CN, Href: c.path("/devices/"+mn+"/commands") + "?act=" + a.Name + "#act", Current: a.Name == name, Danger: a.Danger})
	}
	title := c.l.T("command.page", "mn", mn)
	if a, ok := dialogue.Find(name, version); ok {
		v.Act, v.Title = a.Name, c.l.T("command.act_"+a.Name)
		if a.Danger {
			v.Effect = c.l.T("command.effect_" + a.Name)
		}
		v.Fields = h.actFields(c, &a, o, version, problems)
		if confirm {
			title = c.l.T("command.confirm", "act", v.Title, "mn", mn)
			for _, f := range v.Fields {
				value := c.r.PostFormValue(f.Name)
				v.Hidden = append(v.Hidden, [2]string{f.Name, value})
				if f.Kind == "password" {
					value = "******"
				}
				if value != "" {
					v.Asked = append(v.Asked, [2]string{f.Label, value})
				}
			}
		}
	}
	return h.render(c, status, "commands.html", &web.Page{
		Title: title, Module: "devices", Errors: problems, Data: v,
		Crumbs: []web.Crumb{{Text: c.l.T("nav.devices"), Path: "/devices"}, {Text: mn, Path: "/devices/" + mn}},
	})
}

// actFields are the controls of an act, with what was sent before.
func (h *Handler) actFields(c *call, a *dialogue.Act, o *telemetry.Outlet, v hj212.Version, problems []web.FieldError) []web.Field {
	var out []web.Field
	for _, name := range a.Fields {
		f := web.Field{Name: name, Value: strings.TrimSpace(c.r.PostFormValue(name)), Width: "medium"}
		switch name {
		case "analyser", "analyser_or_none":
			f = analyserField(c, o, v, name == "analyser_or_none")
		case "records":
			_, _, f = h.historyFields(c)
		case "from", "to":
			from, to, _ := h.historyFields(c)
			if f = from; name == "to" {
				f = to
			}
		case "point":
			f.Kind = "select"
			for _, p := range []string{"zero", "span"} {
				f.Options = append(f.Options, web.Option{Value: p, Text: c.l.T("command.point_" + p), Selected: f.Value == p})
			}
		case "new_password", "new_key":
			f.Kind, f.Auto, f.Value = "password", "off", ""
		case "seconds", "minutes", "over_time", "resends", "hours", "warn_time":
			f.Input, f.Width = "numeric", "short"
			f.Value = cmp.Or(f.Value, presetOf(c, o, name))
		}
		f.Label = cmp.Or(f.Label, c.l.T("command.f_"+f.Name))
		if key := "command.hint_" + name; f.Hint == "" && c.l.Has(key) {
			f.Hint = c.l.T(key)
		}
		for _, p := range problems {
			if p.Field == f.Name {
				f.Error = p.Text
			}
		}
		out = append(out, f)
	}
	return out
}

// presetOf is what the registry knows of a setting.
func presetOf(c *call, o *telemetry.Outlet, name string) string {
	if o == nil {
		return ""
	}
	iv := o.IntervalAt(c.now)
	switch name {
	case "seconds":
		return strconv.Itoa(iv.Realtime)
	case "minutes":
		return strconv.Itoa(iv.Minute)
	}
	return ""
}

// analyserField chooses an analyser by the code of what it measures, as the
// logger's version writes it.
func analyserField(c *call, o *telemetry.Outlet, v hj212.Version, none bool) web.Field {
	f := web.Field{Name: "analyser", Kind: "select"}
	now := c.r.PostFormValue("analyser")
	if none {
		f.Options = append(f.Options, web.Option{Text: c.l.T("command.logger_itself"), Selected: now == ""})
	}
	if o == nil {
		return f
	}
	for _, x := range o.Factors {
		code := x.Code
		if v == hj212.V2005 {
			if known, ok := hj212.LookupFactor(code); ok && known.Old != "" {
				code = known.Old
			}
		}
		f.Options = append(f.Options, web.Option{Value: code, Text: c.factor(x.Code).Text + " · " + code, Selected: now == code})
	}
	return f
}

// historyFields choose records and their range.
func (h *Handler) historyFields(c *call) (from, to, records web.Field) {
	value := func(name, otherwise string) string {
		return cmp.Or(strings.TrimSpace(c.r.PostFormValue(name)), otherwise)
	}
	hour := c.now.In(i18n.Zone).Truncate(time.Hour)
	from = web.Field{Name: "from", Label: c.l.T("command.from"), Hint: c.l.T("command.time_hint"), Value: value("from", i18n.Stamp(hour.Add(-2*time.Hour)))}
	to = web.Field{Name: "to", Label: c.l.T("command.to"), Value: value("to", i18n.Stamp(hour))}
	records = web.Field{Name: "records", Kind: "select", Label: c.l.T("command.records"), Options: []web.Option{
		{Value: "2051", Text: c.l.T("kind.5")}, {Value: "2061", Text: c.l.T("kind.6")}, {Value: "2031", Text: c.l.T("kind.3")},
	}}
	for i := range records.Options {
		records.Options[i].Selected = records.Options[i].Value == c.r.PostFormValue("records")
	}
	return from, to, records
}

// command begins a dialogue with a logger, after a question where it matters;
// the page behind follows it.
func (h *Handler) command(c *call) error {
	mn := c.r.PathValue("mn")
	if c.snap.Devices[mn] == nil || h.Dialogues == nil {
		return notFound()
	}
	if err := c.mustLogger(Devices, mn); err != nil {
		return err
	}
	version := h.speaks(mn)
	act, ok := dialogue.Find(c.r.PostFormValue("act"), version)
	if !ok {
		return h.commandPage(c, http.StatusUnprocessableEntity, "", false, []web.FieldError{{Text: c.l.T("command.unknown")}})
	}
	text := func(name string) string { return i18n.Digits(strings.TrimSpace(c.r.PostFormValue(name))) }
	ask, wrong := act.Read(version, c.now, text, func(name string) (time.Time, bool) { return i18n.ParseStamp(c.r.PostFormValue(name)) })
	if len(wrong) > 0 {
		var problems []web.FieldError
		for _, p := range wrong {
			problems = append(problems, web.FieldError{Field: p.Field, Text: c.l.T(p.Key)})
		}
		return h.commandPage(c, http.StatusUnprocessableEntity, act.Name, false, problems)
	}
	if act.Danger && c.r.PostFormValue("confirm") == "" {
		return h.commandPage(c, http.StatusOK, act.Name, true, nil)
	}
	rec, _, err := h.Dialogues.Start(c.ctx(), dialogue.Order{MN: mn, Act: act.Name, Command: ask.Command, Params: ask.Params, Secret: ask.Secret, Origin: dialogue.FromPage})
	if err != nil {
		return err
	}
	return c.see("/devices/" + mn + "/dialogues/" + rec.ID)
}

// runView is a dialogue, step by step.
type runView struct {
	ID, MN  string
	Href    string
	Title   string
	CN      int
	Started time.Time
	By      string
	Ended   bool
	Outcome string
	Good    bool
	Detail  string // what to do about it
	Asked   [][2]string
	Steps   []runStep
	Values  []runValue
	Sent    string // our frame
}

type runStep struct {
	At   time.Time
	Text string
	Href string
}

// runValue is a setting that the logger told.
type runValue struct{ Name, Word, Value string }

// dialogueLine is a dialogue in the log.
type dialogueLine struct {
	Href    string
	Started time.Time
	Title   string
	CN      int
	By      string
	Outcome string
	Good    bool
	Running bool
	Data    int
}

func (c *call) actTitle(r *dialogue.Record) string {
	if key := "command.act_" + r.Act; c.l.Has(key) {
		return c.l.T(key)
	}
	return c.command(strconv.Itoa(r.CN))
}

// askedBy is the post, or the reason why the program asked by itself.
func (c *call) askedBy(r *dialogue.Record) string {
	if key := "dialogue.from_" + r.Origin; c.l.Has(key) {
		return c.l.T(key)
	}
	return r.By
}

// dialogueLog puts the last dialogues on a logger's page, the newest with its
// steps.
func (h *Handler) dialogueLog(c *call, v *deviceView, mn string) error {
	if h.Dialogues == nil || v.Device == nil {
		return nil
	}
	v.Commands = true
	list, err := h.Dialogues.List(c.ctx(), mn, 20)
	if err != nil {
		return err
	}
	for i := range list {
		r := &list[i]
		if i == 0 {
			v.Run = c.runView(r)
		}
		v.Log = append(v.Log, dialogueLine{
			Href: c.path("/devices/" + mn + "/dialogues/" + r.ID), Started: r.Started, Title: c.actTitle(r), CN: r.CN, By: c.askedBy(r),
			Outcome: c.l.T("dialogue.outcome_" + r.Outcome), Good: r.Outcome == dialogue.Done, Running: !r.Over(), Data: r.Data,
		})
	}
	return nil
}

// clockView is how a logger's clock stood.
type clockView struct {
	Chart         chart.Clock
	Rule, RuleURL string
}

// clockDays is how far back the curve of a clock reaches.
const clockDays = 30

// clock draws how a logger's clock stood; nil when nothing was measured.
func (h *Handler) clock(c *call, mn string) (*clockView, error) {
	if h.Dialogues == nil {
		return nil, nil //nolint:nilnil // nothing was measured
	}
	from := c.now.AddDate(0, 0, -clockDays)
	list, err := h.Dialogues.Offsets(c.ctx(), mn, from)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	p, err := dialogue.ClockParamsAt(rules.Default(), c.now)
	if err != nil {
		return nil, err
	}
	set, err := h.Dialogues.ClockSet(c.ctx(), mn)
	if err != nil {
		return nil, err
	}
	v := &clockView{Chart: chart.Clock{From: from, To: c.now, Limit: p.PointOut}, RuleURL: c.path("/rules/" + dialogue.ClockRuleID)}
	if first := list[0].At; first.After(from) {
		v.Chart.From = first
	}
	most := time.Duration(0)
	for _, o := range list {
		v.Chart.Points = append(v.Chart.Points, chart.ClockPoint{At: o.At, Offset: o.Offset})
		if o.Offset.Abs() > most.Abs() {
			most = o.Offset
		}
	}
	v.Chart.Text = c.l.T("devices.clock_curve_text", "days", clockDays, "most", c.offset(most))
	last := c.l.T("devices.clock_never")
	if !set.IsZero() {
		last = i18n.Stamp(set)
	}
	v.Rule = c.l.T("devices.clock_rule", "point", c.l.Duration(p.PointOut), "set", c.l.Duration(p.Set), "last", last)
	return v, nil
}

func (h *Handler) dialogue(c *call) error {
	if h.Dialogues == nil {
		return notFound()
	}
	r, err := h.Dialogues.Get(c.ctx(), c.r.PathValue("id"))
	if err != nil {
		return err
	}
	mn := c.r.PathValue("mn")
	if r.MN != mn {
		return notFound()
	}
	if err := c.mustLogger(Devices, mn); err != nil {
		return err
	}
	v := c.runView(&r)
	return h.render(c, http.StatusOK, "dialogue.html", &web.Page{
		Title: v.Title, Module: "devices", Data: v,
		Crumbs: []web.Crumb{{Text: c.l.T("nav.devices"), Path: "/devices"}, {Text: mn, Path: "/devices/" + mn}},
	})
}

func (c *call) runView(r *dialogue.Record) *runView {
	v := &runView{
		ID: r.ID, MN: r.MN, Href: "/devices/" + r.MN + "/dialogues/" + r.ID, Title: c.actTitle(r), CN: r.CN, Started: r.Started, By: c.askedBy(r), Ended: r.Over(),
		Good: r.Outcome == dialogue.Done, Outcome: c.l.T("dialogue.outcome_" + r.Outcome),
	}
	if !v.Ended {
		v.Outcome = c.l.T("dialogue.running")
	}
	if r.Act == "set_password" && v.Ended && !slices.Contains([]string{dialogue.Done, dialogue.Refused, dialogue.Failed, dialogue.NotConnected, dialogue.Busy}, r.Outcome) {
		v.Detail = c.l.T("dialogue.password_unknown")
	}
	for _, name := range sortedKeys(r.Params) {
		if value := r.Params[name]; value != "" && name != "gap" {
			label := name
			if key := "command.f_" + name; c.l.Has(key) {
				label = c.l.T(key)
			}
			if t, err := time.Parse(time.RFC3339, value); err == nil {
				value = i18n.Stamp(t)
			}
			v.Asked = append(v.Asked, [2]string{label, value})
		}
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		v.Steps = append(v.Steps, c.runStep(s))
		if v.Sent == "" {
			v.Sent = s.Sent
		}
	}
	for _, k := range sortedKeys(r.Values) {
		x := runValue{Name: k, Value: r.Values[k]}
		if key := "param." + k; c.l.Has(key) {
			x.Word = c.l.T(key)
		}
		if t, err := hj212.ParseTime([]byte(x.Value)); err == nil && k == "SystemTime" {
			x.Value = i18n.Short(t) + " " + i18n.Seconds(t)
		}
		v.Values = append(v.Values, x)
	}
	return v
}

func (c *call) runStep(e *dialogue.Step) runStep {
	s := runStep{At: e.At}
	switch {
	case e.Step == gateway.StepAccepted && e.Code != 1:
		s.Text = c.l.T("dialogue.not_accepted", "code", c.returnCode("qnrtn.", e.Code))
	case e.Step == gateway.StepDone && e.Code != 1:
		s.Text = c.l.T("dialogue.not_done", "code", c.returnCode("exertn.", e.Code))
	case e.Step != gateway.StepData:
		s.Text = c.l.T("dialogue."+string(e.Step), "code", strconv.Itoa(e.Code))
	case e.N > 1 && !e.DataTime.IsZero():
		s.Text = c.l.T("dialogue.data_run", "n", e.N, "from", i18n.Stamp(e.DataTime), "to", i18n.Stamp(e.Last))
	case e.N > 1:
		s.Text = c.l.T("dialogue.data", "n", e.N)
	case !e.DataTime.IsZero():
		s.Text = c.l.T("dialogue.data_of", "time", i18n.Stamp(e.DataTime))
	default:
		s.Text = c.l.T("dialogue.settings")
	}
	if e.Frame != "" {
		s.Href = c.path("/frames/" + e.Frame)
	}
	return s
}
