package telemetryweb

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/hj212"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/backfill"
	"plateau/internal/telemetry/gateway"
	"plateau/internal/telemetry/store"
	"plateau/internal/web"
)

// deviceRow is a registered logger with its live state.
type deviceRow struct {
	MN        string
	Href      string
	Outlet    word
	OutletURL string
	Connected bool
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

// badClock is the offset from which a logger's clock is pointed out.
const badClock = 2 * time.Minute

func (h *Handler) devices(c *call) error {
	v := &devicesView{Tabs: h.deviceTabs(c, "/devices"), Now: c.now, CanAdopt: h.Editor != nil}
	live := map[string]gateway.DeviceStatus{}
	for _, d := range h.Gateway.Devices() {
		live[d.MN] = d
	}
	q := strings.ToLower(c.query("q"))
	v.Search = web.Field{Name: "q", Kind: "search", Label: c.l.T("devices.search"), Value: c.query("q")}
	var rows []deviceRow
	for _, mn := range sortedKeys(c.snap.Devices) {
		r := h.deviceRow(c, c.snap.Devices[mn], live[mn])
		if r.Connected {
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
		v.Knocking = append(v.Knocking, h.knockRow(c, k, 2))
	}
	return h.render(c, http.StatusOK, "devices.html", &web.Page{Title: c.l.T("devices.title"), Module: "devices", Wide: true, Data: v})
}

func (h *Handler) deviceRow(c *call, d *telemetry.Device, s gateway.DeviceStatus) deviceRow {
	r := deviceRow{
		MN: d.MN, Href: c.path("/devices/" + d.MN), Connected: s.Connected, Seen: !s.Last.IsZero(), Last: s.Last, Version: s.Version,
		Frames: s.Frames, Refused: s.Refused + s.Quarantined, Auto: d.AutoAdopted,
	}
	if s.LastError != "" {
		r.LastError = c.fault(s.LastError)
	}
	if o := c.snap.Outlets[d.Outlet]; o != nil {
		r.Outlet, r.OutletURL = c.outletName(o), c.path(outletPath(o.ID))
	}
	if s.ClockKnown {
		r.Clock, r.ClockBad = c.offset(s.ClockOffset), s.ClockOffset.Abs() >= badClock
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
	From, To  web.Field
	Kind      web.Field
	Realtime  web.Field
	Minute    web.Field
	CanChange bool
	AdoptHref string      // of a logger that serves nothing and has not knocked again
	Undo      string      // "undo" soon after the adoption, "end" later: key of the words
	Entry     []string    // how it is let in, in words
	Settings  []web.Field // nil: the reader may not change them
}

func (h *Handler) device(c *call) error { return h.devicePage(c, http.StatusOK, nil) }

func (h *Handler) devicePage(c *call, status int, problems []web.FieldError) error {
	mn := c.r.PathValue("mn")
	v := &deviceView{Device: c.snap.Devices[mn], CanChange: h.Editor != nil}
	for _, s := range h.Gateway.Devices() {
		if s.MN == mn {
			v.Status = &s
		}
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
	v.Row = deviceRow{MN: mn}
	if v.Device != nil {
		var s gateway.DeviceStatus
		if v.Status != nil {
			s = *v.Status
		}
		v.Row = h.deviceRow(c, v.Device, s)
		v.Entry = c.entryWords(v.Device)
		v.Undo = c.undoing(v.Device)
		if h.Editor != nil && c.actor.May(EditList) {
			v.Settings = h.settingFields(c, v.Device, problems)
		}
	}
	for _, d := range c.snap.Past {
		if d.MN == mn {
			v.Past = append(v.Past, served{MN: mn, From: d.From, To: d.To})
		}
	}
	v.Run = h.run(c, mn)
	if v.Gaps, err = h.lastGaps(c, backfill.Filter{MN: mn}); err != nil {
		return err
	}
	if h.Gaps != nil {
		v.Unable, _ = h.Gaps.UnableUntil(mn)
	}
	h.commandFields(c, v, problems)
	return h.render(c, status, "device.html", &web.Page{
		Title: c.l.T("devices.one", "mn", mn), Module: "devices", Crumbs: []web.Crumb{{Text: c.l.T("nav.devices"), Path: "/devices"}}, Errors: problems, Data: v,
	})
}

func (h *Handler) commandFields(c *call, v *deviceView, problems []web.FieldError) {
	value := func(name, otherwise string) string {
		return cmp.Or(strings.TrimSpace(c.r.PostFormValue(name)), otherwise)
	}
	hour := c.now.In(i18n.Zone).Truncate(time.Hour)
	iv := telemetry.Interval{Realtime: 60, Minute: 10}
	if v.Device != nil {
		if o := c.snap.Outlets[v.Device.Outlet]; o != nil {
			iv = o.IntervalAt(c.now)
		}
	}
	v.From = web.Field{Name: "from", Label: c.l.T("command.from"), Hint: c.l.T("command.time_hint"), Value: value("from", i18n.Stamp(hour.Add(-2*time.Hour)))}
	v.To = web.Field{Name: "to", Label: c.l.T("command.to"), Value: value("to", i18n.Stamp(hour))}
	v.Kind = web.Field{Name: "cn", Kind: "select", Label: c.l.T("command.records"), Options: []web.Option{
		{Value: "2051", Text: c.l.T("kind.5")}, {Value: "2061", Text: c.l.T("kind.6")}, {Value: "2031", Text: c.l.T("kind.3")},
	}}
	for i := range v.Kind.Options {
		v.Kind.Options[i].Selected = v.Kind.Options[i].Value == c.r.PostFormValue("cn")
	}
	v.Realtime = web.Field{Name: "realtime", Label: c.l.T("command.realtime"), Hint: c.l.T("command.realtime_hint"), Input: "numeric", Width: "short", Value: value("realtime", strconv.Itoa(iv.Realtime))}
	v.Minute = web.Field{Name: "minute", Label: c.l.T("command.minute"), Hint: c.l.T("command.minute_hint"), Input: "numeric", Width: "short", Value: value("minute", strconv.Itoa(iv.Minute))}
	for _, p := range problems {
		for _, f := range []*web.Field{&v.From, &v.To, &v.Realtime, &v.Minute} {
			if f.Name == p.Field {
				f.Error = p.Text
			}
		}
	}
}

// dialogueRun is a command under way or done; the last one of each logger is kept.
type dialogueRun struct {
	title   string // catalogue key
	started time.Time
	steps   []dialogueStep
	ended   bool
	err     error
	result  gateway.Dialogue
	// done is carried out when the logger has done all that it was told.
	done func(context.Context) error
}

// dialogueStep is a step, or a run of data that came one frame after the other.
type dialogueStep struct {
	gateway.Event
	n    int
	last gateway.Event // of a run
}

// maxSteps bounds the steps kept of a dialogue: a logger may send on for ever.
const maxSteps = 100

// note adds an event; the handler's lock is held.
func (r *dialogueRun) note(e gateway.Event) {
	if n := len(r.steps); n > 0 && e.Step == gateway.StepData && r.steps[n-1].Step == gateway.StepData {
		r.steps[n-1].n++
		r.steps[n-1].last = e
	} else if n < maxSteps {
		r.steps = append(r.steps, dialogueStep{Event: e, n: 1, last: e})
	}
}

type runView struct {
	Title   string
	Started time.Time
	Ended   bool
	Outcome string
	Good    bool
	Steps   []runStep
	Values  []runValue
}

type runStep struct {
	At   time.Time
	Text string
	Href string
}

// runValue is a setting that the logger told.
type runValue struct{ Name, Word, Value string }

// command starts a dialogue with a logger; the page then follows it.
func (h *Handler) command(c *call) error {
	mn := c.r.PathValue("mn")
	d := c.snap.Devices[mn]
	if d == nil {
		return notFound()
	}
	run := &dialogueRun{started: c.now}
	cmds, problems := h.commands(c, d, run)
	if len(problems) > 0 {
		return h.devicePage(c, http.StatusUnprocessableEntity, problems)
	}
	h.mu.Lock()
	if old := h.runs[mn]; old != nil && !old.ended {
		h.mu.Unlock()
		return errs.New(errs.Conflict, "command.busy")
	}
	if len(h.runs) > 1000 {
		h.dropRuns()
	}
	h.runs[mn] = run
	h.mu.Unlock()
	ctx := context.WithoutCancel(c.ctx()) // it goes on when the page has been sent
	h.wait.Go(func() { h.follow(ctx, mn, run, cmds) })
	return c.see("/devices/" + mn + "#dialogue")
}

// dropRuns forgets dialogues that are over; h.mu is held.
func (h *Handler) dropRuns() {
	for mn, r := range h.runs {
		if r.ended {
			delete(h.runs, mn)
		}
	}
}

// follow carries the commands out, one after the other, and keeps their steps.
func (h *Handler) follow(ctx context.Context, mn string, run *dialogueRun, cmds []hj212.Command) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	defer context.AfterFunc(h.ctx, cancel)()
	var err error
	var d gateway.Dialogue
	for _, cmd := range cmds {
		d, err = h.Gateway.Request(ctx, mn, cmd, func(e gateway.Event) {
			h.mu.Lock()
			defer h.mu.Unlock()
			run.note(e)
		})
		if err != nil {
			break
		}
	}
	if err == nil && run.done != nil {
		err = run.done(ctx)
	}
	h.mu.Lock()
	run.ended, run.err, run.result = true, err, d
	h.mu.Unlock()
	if err != nil {
		h.Logger.InfoContext(ctx, "dialogue with logger ended", slog.String("mn", mn), slog.String("error", err.Error()))
	}
}

// run shows the last dialogue with a logger, nil when there was none.
func (h *Handler) run(c *call, mn string) *runView {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.runs[mn]
	if r == nil {
		return nil
	}
	v := &runView{Title: c.l.T(r.title), Started: r.started, Ended: r.ended}
	for i := range r.steps {
		v.Steps = append(v.Steps, c.runStep(&r.steps[i]))
	}
	if !r.ended {
		v.Outcome = c.l.T("dialogue.running")
		return v
	}
	v.Good = r.err == nil
	v.Outcome = c.l.T("dialogue.outcome_" + outcome(r.err))
	for _, k := range sortedKeys(r.result.Values) {
		x := runValue{Name: k, Value: r.result.Values[k]}
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

func (c *call) runStep(e *dialogueStep) runStep {
	s := runStep{At: e.At}
	switch {
	case e.Step == gateway.StepAccepted && e.Code != 1:
		s.Text = c.l.T("dialogue.not_accepted", "code", c.returnCode("qnrtn.", e.Code))
	case e.Step == gateway.StepDone && e.Code != 1:
		s.Text = c.l.T("dialogue.not_done", "code", c.returnCode("exertn.", e.Code))
	case e.Step != gateway.StepData:
		s.Text = c.l.T("dialogue."+string(e.Step), "code", strconv.Itoa(e.Code))
	case e.n > 1 && !e.DataTime.IsZero():
		s.Text = c.l.T("dialogue.data_run", "n", e.n, "from", i18n.Stamp(e.DataTime), "to", i18n.Stamp(e.last.DataTime))
	case e.n > 1:
		s.Text = c.l.T("dialogue.data", "n", e.n)
	case !e.DataTime.IsZero():
		s.Text = c.l.T("dialogue.data_of", "time", i18n.Stamp(e.DataTime))
	default:
		s.Text = c.l.T("dialogue.settings")
	}
	if !e.Locator.IsZero() && e.n == 1 {
		s.Href = c.path("/frames/" + e.Locator.String())
	}
	return s
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

func outcome(err error) string {
	switch {
	case err == nil:
		return "done"
	case errors.Is(err, gateway.ErrNotConnected):
		return "not_connected"
	case errors.Is(err, gateway.ErrBusy):
		return "busy"
	case errors.Is(err, gateway.ErrNoAnswer):
		return "no_answer"
	case errors.Is(err, gateway.ErrUnfinished):
		return "unfinished"
	case errors.Is(err, gateway.ErrRefused):
		return "refused"
	case errors.Is(err, gateway.ErrNoData):
		return "no_data"
	}
	return "failed"
}

// commands reads the form: which commands to send, or what to mend.
func (h *Handler) commands(c *call, d *telemetry.Device, run *dialogueRun) (cmds []hj212.Command, problems []web.FieldError) {
	wrong := func(field, key string) { problems = append(problems, web.FieldError{Field: field, Text: c.l.T(key)}) }
	version := hj212.V2017
	for _, s := range h.Gateway.Devices() {
		if s.MN == d.MN && s.Version == hj212.V2005.String() {
			version = hj212.V2005
		}
	}
	action := c.r.PostFormValue("action")
	run.title = "command." + action
	switch action {
	case "set_clock":
		return []hj212.Command{hj212.SetClock("", c.now)}, nil
	case "get_clock":
		return []hj212.Command{hj212.GetClock("")}, nil
	case "history":
		from, ok1 := i18n.ParseStamp(c.r.PostFormValue("from"))
		to, ok2 := i18n.ParseStamp(c.r.PostFormValue("to"))
		if !ok1 {
			wrong("from", "command.time_error")
		}
		if !ok2 {
			wrong("to", "command.time_error")
		}
		if ok1 && ok2 && (!from.Before(to) || to.Sub(from) > 32*24*time.Hour) {
			wrong("to", "command.range_error")
		}
		cn, err := strconv.Atoi(c.r.PostFormValue("cn"))
		if err != nil || !slices.Contains([]int{2031, 2051, 2061}, cn) {
			wrong("cn", "command.records_error")
		}
		if len(problems) > 0 {
			return nil, problems
		}
		return []hj212.Command{hj212.History(version, cn, from, to)}, nil
	case "intervals":
		rt, err := strconv.Atoi(i18n.Digits(strings.TrimSpace(c.r.PostFormValue("realtime"))))
		if err != nil || rt < 30 || rt > 3600 {
			wrong("realtime", "command.realtime_error")
		}
		minute, err := strconv.Atoi(i18n.Digits(strings.TrimSpace(c.r.PostFormValue("minute"))))
		if err != nil || minute < 1 || minute > 30 || 60%minute != 0 {
			wrong("minute", "command.minute_error")
		}
		if len(problems) > 0 {
			return nil, problems
		}
		cmds = []hj212.Command{hj212.SetRealtimeInterval(rt)}
		if version != hj212.V2005 {
			cmds = append(cmds, hj212.SetMinuteInterval(minute))
		}
		// From then on this is what is expected of it: silence is told by it.
		if h.Editor != nil {
			run.done = func(ctx context.Context) error {
				return h.Editor.SetIntervals(ctx, d.Outlet, telemetry.Interval{From: h.Now().UTC().Truncate(time.Second), Realtime: rt, Minute: minute}, c.actor.Post)
			}
		}
		return cmds, nil
	}
	wrong("", "command.unknown")
	return nil, problems
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
	connected := map[string]bool{}
	for _, d := range h.Gateway.Devices() {
		connected[d.MN] = d.Connected
	}
	var idle, busy []web.Option
	h.eachOutlet(c, func(o *telemetry.Outlet) {
		option := web.Option{Value: strconv.Itoa(int(o.ID)), Text: c.outletName(o).Text + " · " + c.place(o).Text}
		option.Selected = option.Value == chosen
		switch d := c.snap.DeviceOf(o.ID); {
		case d == nil:
			option.Text = c.l.T("adopt.without_logger", "outlet", option.Text)
			idle = append(idle, option)
		case !connected[d.MN]:
			option.Text = c.l.T("adopt.silent_logger", "outlet", option.Text, "mn", d.MN)
			idle = append(idle, option)
		default:
			busy = append(busy, option)
		}
	})
	return append(idle, busy...)
}

// propose chooses the outlet that most likely got a new logger: one of the same
// medium and place that has none; else a new outlet. Frames in a wrong outlet's
// history would be worse than an outlet too many.
func (h *Handler) propose(c *call, mn string, medium telemetry.Medium) string {
	area := areaOf(c, mn)
	for _, id := range c.snap.Order {
		if o := c.snap.Outlets[id]; o != nil && c.snap.DeviceOf(id) == nil && o.Medium == medium && (area == "" || o.Area == area) {
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
	var outlet telemetry.OutletID
	var fresh *telemetry.Outlet
	if choice := c.r.PostFormValue("outlet"); choice != "new" {
		o, err := h.find(c, choice)
		if err != nil {
			return h.adoptPage(c, http.StatusUnprocessableEntity, []web.FieldError{{Field: "outlet", Text: c.l.T("adopt.outlet_error")}})
		}
		outlet = o.ID
	} else {
		var problems []web.FieldError
		if fresh, problems = h.newOutlet(c, mn); len(problems) > 0 {
			return h.adoptPage(c, http.StatusUnprocessableEntity, problems)
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
		d.Password = text("password")
	case on("no_password"):
		d.Password = ""
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
