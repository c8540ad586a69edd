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
	AdoptHref                 string
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
	v := &devicesView{Now: c.now, CanAdopt: h.Editor != nil}
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
		Frames: s.Frames, Refused: s.Refused + s.Quarantined, Auto: d.AutoAdopted, LastError: s.LastError,
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
		Reason: c.l.T("knock." + reasonKey(k.Reason)), AdoptHref: c.path("/devices/" + k.MN + "/adopt"), Href: c.path("/devices/" + k.MN),
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
			Text: maskPassword(hj212.Text(f.Raw)),
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
	Run       *runView
	From, To  web.Field
	Kind      web.Field
	Realtime  web.Field
	Minute    web.Field
	CanChange bool
	Tolerance []string
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
	v.Row = deviceRow{MN: mn}
	if v.Device != nil {
		var s gateway.DeviceStatus
		if v.Status != nil {
			s = *v.Status
		}
		v.Row = h.deviceRow(c, v.Device, s)
		if v.Device.AcceptBadCRC {
			v.Tolerance = append(v.Tolerance, c.l.T("devices.accept_bad_crc"))
		}
		if v.Device.AcceptBadLength {
			v.Tolerance = append(v.Tolerance, c.l.T("devices.accept_bad_length"))
		}
	}
	for _, d := range c.snap.Past {
		if d.MN == mn {
			v.Past = append(v.Past, served{MN: mn, From: d.From, To: d.To})
		}
	}
	v.Run = h.run(c, mn)
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
	by      string
	started time.Time
	events  []gateway.Event
	ended   bool
	err     error
	result  gateway.Dialogue
}

type runView struct {
	Title   string
	Started time.Time
	Ended   bool
	Outcome string
	Good    bool
	Steps   []runStep
	Values  [][2]string
	Data    int
}

type runStep struct {
	At   time.Time
	Text string
	Href string
}

// command starts a dialogue with a logger; the page then follows it.
func (h *Handler) command(c *call) error {
	mn := c.r.PathValue("mn")
	if c.snap.Devices[mn] == nil {
		return notFound()
	}
	cmds, title, problems := h.commands(c, mn)
	if len(problems) > 0 {
		return h.devicePage(c, http.StatusUnprocessableEntity, problems)
	}
	h.mu.Lock()
	if old := h.runs[mn]; old != nil && !old.ended {
		h.mu.Unlock()
		return errs.New(errs.Conflict, "command.busy")
	}
	run := &dialogueRun{title: title, by: c.actor.Post, started: c.now}
	if len(h.runs) > 1000 {
		h.dropRuns()
	}
	h.runs[mn] = run
	h.mu.Unlock()
	h.wait.Go(func() { h.follow(mn, run, cmds) })
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
func (h *Handler) follow(mn string, run *dialogueRun, cmds []hj212.Command) {
	ctx, cancel := context.WithTimeout(h.ctx, 5*time.Minute)
	defer cancel()
	var err error
	var d gateway.Dialogue
	for _, cmd := range cmds {
		d, err = h.Gateway.Request(ctx, mn, cmd, func(e gateway.Event) {
			h.mu.Lock()
			if len(run.events) < 100 {
				run.events = append(run.events, e)
			}
			h.mu.Unlock()
		})
		if err != nil {
			break
		}
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
	v := &runView{Title: c.l.T(r.title), Started: r.started, Ended: r.ended, Data: r.result.Data}
	for _, e := range r.events {
		s := runStep{At: e.At, Text: c.l.T("dialogue."+string(e.Step), "code", strconv.Itoa(e.Code))}
		if e.Step == gateway.StepData && !e.DataTime.IsZero() {
			s.Text = c.l.T("dialogue.data_of", "time", i18n.Stamp(e.DataTime))
		}
		if !e.Locator.IsZero() {
			s.Href = c.path("/frames/" + e.Locator.String())
		}
		v.Steps = append(v.Steps, s)
	}
	if !r.ended {
		v.Outcome = c.l.T("dialogue.running")
		return v
	}
	v.Good = r.err == nil
	v.Outcome = c.l.T("dialogue.outcome_" + outcome(r.err))
	for _, k := range sortedKeys(r.result.Values) {
		v.Values = append(v.Values, [2]string{k, r.result.Values[k]})
	}
	return v
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
func (h *Handler) commands(c *call, mn string) (cmds []hj212.Command, title string, problems []web.FieldError) {
	wrong := func(field, key string) { problems = append(problems, web.FieldError{Field: field, Text: c.l.T(key)}) }
	version := hj212.V2017
	for _, s := range h.Gateway.Devices() {
		if s.MN == mn && s.Version == hj212.V2005.String() {
			version = hj212.V2005
		}
	}
	switch c.r.PostFormValue("action") {
	case "set_clock":
		return []hj212.Command{hj212.SetClock("", c.now)}, "command.set_clock", nil
	case "get_clock":
		return []hj212.Command{hj212.GetClock("")}, "command.get_clock", nil
	case "history":
		from, ok1 := parseStamp(c.r.PostFormValue("from"))
		to, ok2 := parseStamp(c.r.PostFormValue("to"))
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
			return nil, "", problems
		}
		return []hj212.Command{hj212.History(version, cn, from, to)}, "command.history", nil
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
			return nil, "", problems
		}
		cmds = []hj212.Command{hj212.SetRealtimeInterval(rt)}
		if version != hj212.V2005 {
			cmds = append(cmds, hj212.SetMinuteInterval(minute))
		}
		return cmds, "command.intervals", nil
	}
	wrong("", "command.unknown")
	return nil, "", problems
}

// parseStamp reads a local time as a person types it.
func parseStamp(s string) (time.Time, bool) {
	s = strings.TrimSpace(i18n.Digits(s))
	for _, form := range []string{"2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.ParseInLocation(form, s, i18n.Zone); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
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
	medium := mediumOf(knock)
	chosen := posted("outlet", h.propose(c, medium))
	v.Outlet = web.Field{
		Name: "outlet", Kind: "select", Label: c.l.T("adopt.outlet"), Hint: c.l.T("adopt.outlet_hint"),
		Options: []web.Option{{Value: "new", Text: c.l.T("adopt.new_outlet"), Selected: chosen == "new"}},
	}
	for _, id := range c.snap.Order {
		o := c.snap.Outlets[id]
		if o == nil || !c.actor.Sees(o) {
			continue
		}
		value := strconv.Itoa(int(id))
		v.Outlet.Options = append(v.Outlet.Options, web.Option{Value: value, Text: c.outletName(o).Text + " · " + c.place(o).Text, Selected: value == chosen})
	}
	v.Name = web.Field{Name: "name", Label: c.l.T("adopt.name"), Value: posted("name", c.l.T("adopt.name_default", "mn", mn[max(0, len(mn)-6):])), Width: "medium"}
	v.Medium = web.Field{Name: "medium", Kind: "select", Label: c.l.T("outlets.medium"), Options: c.mediumOptions(posted("medium", string(medium)))[1:]}
	area := posted("area", areaOf(c, mn))
	v.Area = web.Field{Name: "area", Kind: "select", Label: c.l.T("outlets.area")}
	for _, code := range sortedKeys(c.snap.Areas) {
		if a := c.snap.Areas[code]; a.Level == "county" {
			v.Area.Options = append(v.Area.Options, web.Option{Value: code, Text: c.area(c.prefecture(code)).Text + " " + c.name(a.Name).Text, Selected: code == area})
		}
	}
	owner := posted("enterprise", "")
	v.Owner = web.Field{Name: "enterprise", Kind: "select", Label: c.l.T("adopt.enterprise")}
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

// propose chooses the outlet that most likely got a new logger: one of the same
// medium whose own logger is silent, or that has none; else a new outlet.
func (h *Handler) propose(c *call, medium telemetry.Medium) string {
	has := map[telemetry.OutletID]bool{}
	for _, d := range c.snap.Devices {
		has[d.Outlet] = true
	}
	for _, id := range c.snap.Order {
		if o := c.snap.Outlets[id]; o != nil && !has[id] && o.Medium == medium && c.actor.Sees(o) {
			return strconv.Itoa(int(id))
		}
	}
	return "new"
}

// mediumOf guesses the medium by the system code (HJ 212 annex, ST) and the
// factor codes.
func mediumOf(k gateway.Knock) telemetry.Medium {
	switch k.ST {
	case "31":
		return telemetry.Gas
	case "32":
		return telemetry.Water
	case "21":
		return telemetry.Surface
	}
	for _, code := range k.Codes {
		if strings.HasPrefix(code, "a") {
			return telemetry.Gas
		}
	}
	return telemetry.Water
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
		return errs.New(errs.Conflict, "problem.conflict")
	}
	if c.snap.Devices[mn] != nil {
		return c.see("/devices/" + mn)
	}
	var outlet telemetry.OutletID
	if choice := c.r.PostFormValue("outlet"); choice != "new" {
		o, err := h.find(c, choice)
		if err != nil {
			return h.adoptPage(c, http.StatusUnprocessableEntity, []web.FieldError{{Field: "outlet", Text: c.l.T("adopt.outlet_error")}})
		}
		outlet = o.ID
	} else {
		id, problems, err := h.newOutlet(c, mn)
		if err != nil {
			return err
		}
		if len(problems) > 0 {
			return h.adoptPage(c, http.StatusUnprocessableEntity, problems)
		}
		outlet = id
	}
	if err := h.Editor.Adopt(c.ctx(), mn, outlet, c.actor.Post); err != nil {
		return err
	}
	return c.see("/devices/" + mn)
}

// newOutlet makes the outlet a knocking logger shall serve, with the factors it
// was seen to send.
func (h *Handler) newOutlet(c *call, mn string) (telemetry.OutletID, []web.FieldError, error) {
	o := telemetry.Outlet{
		Name: telemetry.Name{Zh: strings.TrimSpace(c.r.PostFormValue("name"))}, Medium: telemetry.Medium(c.r.PostFormValue("medium")),
		Area: c.r.PostFormValue("area"), Enterprise: c.r.PostFormValue("enterprise"), Since: c.now,
	}
	var problems []web.FieldError
	if o.Name.Zh == "" {
		problems = append(problems, web.FieldError{Field: "name", Text: c.l.T("adopt.name_error")})
	}
	if c.snap.Areas[o.Area] == nil {
		problems = append(problems, web.FieldError{Field: "area", Text: c.l.T("adopt.area_error")})
	}
	if len(problems) > 0 {
		return 0, problems, nil
	}
	for _, k := range h.Gateway.Knocking() {
		if k.MN != mn {
			continue
		}
		for i, code := range k.Codes {
			o.Factors = append(o.Factors, telemetry.OutletFactor{Code: code, Order: i + 1})
		}
	}
	id, err := h.Editor.SaveOutlet(c.ctx(), o, c.actor.Post)
	if e, ok := errors.AsType[*errs.Error](err); ok && e.Kind == errs.Invalid {
		return 0, c.fieldErrors(e), nil
	}
	return id, nil, err
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

func (h *Handler) release(c *call) error {
	mn := c.r.PathValue("mn")
	if h.Editor == nil || c.snap.Devices[mn] == nil {
		return notFound()
	}
	if err := h.Editor.Release(c.ctx(), mn, c.actor.Post); err != nil {
		return err
	}
	return c.see("/devices/" + mn)
}
