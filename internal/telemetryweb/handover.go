package telemetryweb

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/alarm"
	"plateau/internal/telemetry/backfill"
	"plateau/internal/telemetry/figures"
	"plateau/internal/telemetry/handover"
	"plateau/internal/telemetry/quality"
	"plateau/internal/web"
)

// shiftFacts is what happened in a shift, in codes: it is kept with the
// signature and put into words whenever somebody looks.
type shiftFacts struct {
	Until    time.Time
	Before   map[string]int `json:",omitempty"` // outlets by state at the beginning
	After    map[string]int `json:",omitempty"` // and at Until
	Changes  []shiftChange  `json:",omitempty"`
	Hours    []shiftHours   `json:",omitempty"`
	Alarms   []shiftAlarm   `json:",omitempty"`
	Gaps     []shiftGap     `json:",omitempty"`
	Commands []shiftCommand `json:",omitempty"`
	Loggers  []shiftLogger  `json:",omitempty"`
	Registry []shiftEdit    `json:",omitempty"`
	Cut      bool           `json:",omitempty"` // there was more than is kept
}

// shiftChange is an outlet whose state is another one than at the beginning.
type shiftChange struct {
	Outlet  telemetry.OutletID
	Was, Is string
	Factor  string `json:",omitempty"`
}

// shiftHours are hours of the shift that were over a limit or lost.
type shiftHours struct {
	Outlet  telemetry.OutletID
	Kind    string // over, lost
	Factors []string
	N       int         // hours, of the factor with the most
	Worst   quality.Opt // over: the figure farthest off, of the first factor
	Limit   quality.LimitRef
}

// shiftAlarm is an alarm that touched the shift.
type shiftAlarm struct {
	ID         string
	Outlet     telemetry.OutletID
	Kind       string
	Factors    []string
	Start, End time.Time // a zero End: still open at the end of the shift
	Severity   string
	Quiet      string
	Acked      bool
	False      bool
}

// shape is the mark of the alarm as the list of alarms showed it then.
func (x *shiftAlarm) shape(until time.Time) string {
	e := alarm.Episode{Kind: alarm.Kind(x.Kind), Severity: alarm.Severity(x.Severity), Quiet: x.Quiet}
	if !x.End.IsZero() && !x.End.After(until) {
		e.End = x.End
	}
	if x.False {
		e.False.At = until
	}
	return alarmShape(&e)
}

// shiftGap is a stretch of records that did not come.
type shiftGap struct {
	ID           string
	Outlet       telemetry.OutletID
	Kind         telemetry.Kind
	From, To     time.Time
	Cause, State string
	Due, Missing int
}

// shiftCommand is a command that somebody gave a logger.
type shiftCommand struct {
	At                 time.Time
	MN, Act            string
	CN                 int
	Post, Origin, Done string
}

// shiftLogger is something a logger did.
type shiftLogger struct {
	At     time.Time
	MN     string
	Kind   string // knock, silent, refused
	Outlet telemetry.OutletID
	Text   string // reason or name of the fault
	N      int64
}

// shiftEdit is one change of the registry, or several alike in a row.
type shiftEdit struct {
	At           time.Time // of the latest
	Post         string
	Kind, Action string
	IDs          []string // the first of them
	N            int
}

// shownIDs is how many objects of changes alike are named.
const shownIDs = 5

// edited adds a change; changes alike that follow each other are one.
func (f *shiftFacts) edited(x *Change) {
	if n := len(f.Registry); n > 0 {
		if e := &f.Registry[n-1]; e.Post == x.By && e.Kind == x.Kind && e.Action == x.Action {
			if e.N++; len(e.IDs) < shownIDs {
				e.IDs = append(e.IDs, x.ID)
			}
			return
		}
	}
	f.Registry = append(f.Registry, shiftEdit{At: x.At, Post: x.By, Kind: x.Kind, Action: x.Action, IDs: []string{x.ID}, N: 1})
}

// maxFacts bounds each list of facts.
const maxFacts = 200

// shiftSoFar is the end of the closed hours of a shift.
func shiftSoFar(s handover.Shift, now time.Time) time.Time {
	if now.Before(s.To) {
		return now
	}
	return s.To
}

// draft gathers what happened in a shift.
func (h *Handler) draft(c *call, s handover.Shift) (*shiftFacts, error) {
	f := &shiftFacts{Until: shiftSoFar(s, c.now)}
	before, err := h.Quality.States(s.From)
	if err != nil {
		return nil, err
	}
	after, err := h.Quality.States(f.Until)
	if err != nil {
		return nil, err
	}
	f.states(c, before, after)
	if err := h.shiftHours(c, f, s); err != nil {
		return nil, err
	}
	if err := h.shiftLedgers(c, f, s); err != nil {
		return nil, err
	}
	h.shiftLoggers(c, f, s)
	if h.Editor != nil {
		changes, err := h.Editor.Changes(c.ctx(), 5*maxFacts)
		if err != nil {
			return nil, err
		}
		for i := range changes {
			if x := &changes[i]; !x.At.Before(s.From) && x.At.Before(f.Until) {
				f.edited(x)
			}
		}
	}
	f.cut()
	return f, nil
}

// cut keeps each list within bounds.
func (f *shiftFacts) cut() {
	bound(f, &f.Changes)
	bound(f, &f.Hours)
	bound(f, &f.Alarms)
	bound(f, &f.Gaps)
	bound(f, &f.Commands)
	bound(f, &f.Loggers)
	bound(f, &f.Registry)
}

func bound[T any](f *shiftFacts, list *[]T) {
	if len(*list) > maxFacts {
		f.Cut, *list = true, (*list)[:maxFacts]
	}
}

// shiftLedgers takes what other records hold of the shift: alarms, gaps,
// commands.
func (h *Handler) shiftLedgers(c *call, f *shiftFacts, s handover.Shift) error {
	if h.Alarms != nil {
		list, err := h.Alarms.List(c.ctx(), alarm.Filter{From: s.From, To: f.Until, Limit: maxFacts + 1})
		if err != nil {
			return err
		}
		for i := range list {
			e := &list[i]
			x := shiftAlarm{ID: e.ID, Outlet: e.Outlet, Kind: string(e.Kind), Factors: e.Factors, Start: e.Start, End: e.End, Severity: string(e.Severity), Quiet: e.Quiet, Acked: !e.Ack.At.IsZero(), False: !e.False.At.IsZero()}
			if e.Factor != "" {
				x.Factors = []string{e.Factor}
			}
			f.Alarms = append(f.Alarms, x)
		}
	}
	if h.Gaps != nil {
		list, err := h.Gaps.List(c.ctx(), backfill.Filter{From: s.From, To: f.Until, Limit: maxFacts + 1})
		if err != nil {
			return err
		}
		for i := range list {
			g := &list[i]
			f.Gaps = append(f.Gaps, shiftGap{ID: g.ID, Outlet: g.Outlet, Kind: g.Kind, From: g.From, To: g.To, Cause: string(g.Cause), State: string(g.State), Due: g.Due, Missing: g.Missing})
		}
	}
	if h.Commands == nil {
		return nil
	}
	list, err := h.Commands.Between(c.ctx(), s.From, f.Until, maxFacts+1)
	for i := range list {
		r := &list[i]
		f.Commands = append(f.Commands, shiftCommand{At: r.Started, MN: r.MN, Act: r.Act, CN: r.CN, Post: r.By, Origin: r.Origin, Done: r.Outcome})
	}
	return err
}

// states compares the outlets' states; the most pressing changes first.
func (f *shiftFacts) states(c *call, before, after []quality.StateResult) {
	f.Before, f.After = map[string]int{}, map[string]int{}
	was := map[telemetry.OutletID]quality.State{}
	for _, s := range before {
		was[s.Outlet] = s.State
		f.Before[s.State.String()]++
	}
	type change struct {
		shiftChange
		is quality.State
	}
	var list []change
	for _, s := range after {
		f.After[s.State.String()]++
		if old, ok := was[s.Outlet]; ok && old != s.State && c.snap.Outlets[s.Outlet] != nil {
			list = append(list, change{shiftChange{s.Outlet, old.String(), s.State.String(), s.Factor}, s.State})
		}
	}
	order := func(s quality.State) int { return slices.Index(quality.AllStates, s) }
	slices.SortStableFunc(list, func(a, b change) int { return cmp.Compare(order(a.is), order(b.is)) })
	for _, x := range list {
		f.Changes = append(f.Changes, x.shiftChange)
	}
}

// shiftHours finds hours over a limit and hours lost, of every outlet.
func (h *Handler) shiftHours(c *call, f *shiftFacts, s handover.Shift) error {
	from, until := s.From.Truncate(time.Hour), f.Until.Truncate(time.Hour)
	for _, id := range c.snap.Order {
		o := c.snap.Outlets[id]
		if o == nil || !c.sees(o) {
			continue
		}
		rows, err := h.Quality.Hours(id, from, until)
		if err != nil {
			return err
		}
		over, lost := &shiftHours{Outlet: id, Kind: "over"}, &shiftHours{Outlet: id, Kind: "lost"}
		n := map[*shiftHours]map[string]int{over: {}, lost: {}}
		for i := range rows {
			for k := range rows[i].Factors {
				x := &rows[i].Factors[k]
				switch {
				case x.Limit.IsZero():
				case x.Over && x.Evidence:
					over.add(n[over], x.Code)
					if code := over.Factors[0]; code == x.Code && (!over.Worst.OK || figures.Below(x.Judged, x.Limit) == (x.Judged.V < over.Worst.V)) {
						over.Worst, over.Limit = x.Judged, x.Limit
					}
				case x.NExpected > 0 && !x.Valid && !rows[i].Stopped:
					lost.add(n[lost], x.Code)
				}
			}
		}
		for _, x := range []*shiftHours{over, lost} {
			if x.N > 0 {
				f.Hours = append(f.Hours, *x)
			}
		}
	}
	slices.SortStableFunc(f.Hours, func(a, b shiftHours) int { return cmp.Or(cmp.Compare(b.Kind, a.Kind), cmp.Compare(b.N, a.N)) })
	return nil
}

func (x *shiftHours) add(n map[string]int, code string) {
	if !slices.Contains(x.Factors, code) {
		x.Factors = append(x.Factors, code)
	}
	n[code]++
	x.N = max(x.N, n[code])
}

// shiftLoggers lists strangers that knocked, loggers that fell silent and those
// whose frames were refused.
func (h *Handler) shiftLoggers(c *call, f *shiftFacts, s handover.Shift) {
	within := func(t time.Time) bool { return !t.Before(s.From) && t.Before(f.Until) }
	for _, k := range h.Gateway.Knocking() {
		if within(k.First) || within(k.Last) {
			f.Loggers = append(f.Loggers, shiftLogger{At: k.Last, MN: k.MN, Kind: "knock", Text: k.Reason, N: k.Count})
		}
	}
	for _, d := range h.Gateway.Devices() {
		var outlet telemetry.OutletID
		if x := c.snap.Devices[d.MN]; x != nil {
			outlet = x.Outlet
		}
		if !speaking(&d, f.Until) && within(d.Last) {
			f.Loggers = append(f.Loggers, shiftLogger{At: d.Last, MN: d.MN, Kind: "silent", Outlet: outlet})
		}
		if d.LastError != "" && within(d.LastErrorAt) {
			f.Loggers = append(f.Loggers, shiftLogger{At: d.LastErrorAt, MN: d.MN, Kind: "refused", Outlet: outlet, Text: d.LastError, N: d.Refused + d.Quarantined})
		}
	}
	slices.SortStableFunc(f.Loggers, func(a, b shiftLogger) int { return b.At.Compare(a.At) })
}

// shiftLine is a fact in words.
type shiftLine struct {
	Time  string
	State string // shape in front; "" = none
	Name  word
	Href  string
	Text  string
}

type shiftPart struct {
	ID    string
	Title string
	Lines []shiftLine
	None  string
}

type shiftCount struct {
	State         string
	Before, After int
}

type entryLine struct {
	Time string
	Post string
	Did  string
	Text string
}

type pastShift struct {
	Name, Href, Post, Time string
}

type handoverView struct {
	Shift    handover.Shift
	Name     string
	Running  bool
	Until    time.Time
	Counts   []shiftCount
	Parts    []shiftPart
	Cut      bool
	Entries  []entryLine
	Given    bool
	Taken    bool
	CanSign  bool
	TextArea web.Field
	Action   string
	Previous string
	Next     string
	Past     []pastShift
	Waiting  *pastShift // the shift before, handed over and not taken over yet
	Foot     reportFrame
}

// shiftName writes a shift: date and hours.
func shiftName(s handover.Shift) string {
	return i18n.Short(s.From) + " " + i18n.Hours(s.From, s.To)
}

func (h *Handler) handovers(c *call) error {
	s, err := handover.At(h.ruleSet(), c.now)
	if err != nil {
		return err
	}
	return h.showShift(c, s, http.StatusOK, nil)
}

// shift reads the shift of the address; one to come is not found.
func (h *Handler) shift(c *call) (handover.Shift, error) {
	s, ok := handover.Parse(h.ruleSet(), c.r.PathValue("shift"))
	if !ok || s.From.After(c.now) {
		return s, notFound()
	}
	return s, nil
}

func (h *Handler) handoverPage(c *call) error {
	s, err := h.shift(c)
	if err != nil {
		return err
	}
	return h.showShift(c, s, http.StatusOK, nil)
}

func (h *Handler) showShift(c *call, s handover.Shift, status int, wrong []web.FieldError) error {
	v := &handoverView{Shift: s, Name: shiftName(s), Running: c.now.Before(s.To), CanSign: h.Handover != nil, Action: c.path("/handover/" + s.ID())}
	facts, err := h.shiftEntries(c, v)
	if err != nil {
		return err
	}
	if facts == nil {
		if facts, err = h.draft(c, s); err != nil {
			return err
		}
	}
	v.Until, v.Cut = facts.Until, facts.Cut
	c.shiftParts(v, facts)
	if err := h.shiftLinks(c, v, s); err != nil {
		return err
	}
	v.TextArea = web.Field{Name: "text", Kind: "textarea", Label: c.l.T("handover.text"), Hint: c.l.T("handover.text_hint"), Rows: 3, Optional: true}
	if len(wrong) > 0 {
		v.TextArea.Error, v.TextArea.Value = wrong[0].Text, c.r.PostFormValue("text")
	}
	v.Foot = reportFrame{Made: c.now, By: c.actor.Post, URL: c.r.Host + c.r.URL.RequestURI()}
	return h.render(c, status, "handover.html", &web.Page{
		Title: c.l.T("handover.title", "shift", v.Name), Module: "reports", Wide: true, Crumbs: []web.Crumb{{Text: c.l.T("nav.reports"), Path: "/reports"}}, Errors: wrong, Data: v,
	})
}

// shiftEntries shows what was written, and returns what was handed over, nil
// while nothing was.
func (h *Handler) shiftEntries(c *call, v *handoverView) (facts *shiftFacts, err error) {
	if h.Handover == nil {
		return nil, nil
	}
	entries, err := h.Handover.Of(c.ctx(), v.Shift)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		v.Entries = append(v.Entries, entryLine{Time: i18n.Stamp(e.At), Post: e.Post, Did: c.l.T("handover.did_" + string(e.Action)), Text: e.Text})
		switch e.Action {
		case handover.Give:
			v.Given = true
			facts = &shiftFacts{}
			if err := json.Unmarshal([]byte(e.Facts), facts); err != nil {
				return nil, fmt.Errorf("facts of shift %s: %w", v.Shift.ID(), err)
			}
		case handover.Take:
			v.Taken = true
		case handover.Note:
		}
	}
	return facts, nil
}

func (h *Handler) shiftLinks(c *call, v *handoverView, s handover.Shift) error {
	before, err := s.Previous(h.ruleSet())
	if err != nil {
		return err
	}
	v.Previous = c.path("/handover/" + before.ID())
	if next, err := s.Next(h.ruleSet()); err != nil {
		return err
	} else if !next.From.After(c.now) {
		v.Next = c.path("/handover/" + next.ID())
	}
	if h.Handover == nil {
		return nil
	}
	past, err := h.Handover.Last(c.ctx(), 60)
	if err != nil {
		return err
	}
	for _, e := range past {
		v.Past = append(v.Past, pastShift{Name: shiftName(e.Shift), Href: c.path("/handover/" + e.Shift.ID()), Post: e.Post, Time: i18n.Stamp(e.At)})
	}
	if len(past) == 0 || !v.Running || !past[0].Shift.To.Equal(s.From) {
		return nil
	}
	entries, err := h.Handover.Of(c.ctx(), past[0].Shift)
	if err == nil && !slices.ContainsFunc(entries, func(e handover.Entry) bool { return e.Action == handover.Take }) {
		v.Waiting = &v.Past[0]
	}
	return err
}

// shiftParts puts the facts into words.
func (c *call) shiftParts(v *handoverView, f *shiftFacts) {
	for _, s := range quality.AllStates {
		v.Counts = append(v.Counts, shiftCount{s.String(), f.Before[s.String()], f.After[s.String()]})
	}
	outlet := func(id telemetry.OutletID) (word, string) {
		o := c.snap.Outlets[id]
		if o == nil {
			return word{strconv.Itoa(int(id)), string(c.lang)}, ""
		}
		return c.outletName(o), c.path(outletPath(id))
	}
	part := func(id string) *shiftPart {
		v.Parts = append(v.Parts, shiftPart{ID: id, Title: c.l.T("handover.part_" + id), None: c.l.T("handover.none_" + id)})
		return &v.Parts[len(v.Parts)-1]
	}
	changes := part("changes")
	for _, x := range f.Changes {
		l := shiftLine{State: x.Is, Text: c.l.T("handover.changed", "was", c.l.T("state."+x.Was), "is", c.l.T("state."+x.Is))}
		if x.Factor != "" {
			l.Text += " · " + c.factor(x.Factor).Text
		}
		l.Name, l.Href = outlet(x.Outlet)
		changes.Lines = append(changes.Lines, l)
	}
	c.ledgerParts(part, outlet, f)
	hours := part("hours")
	for i := range f.Hours {
		x := &f.Hours[i]
		names := make([]string, len(x.Factors))
		for k, code := range x.Factors {
			names[k] = c.factor(code).Text
		}
		l := shiftLine{State: "offline", Text: c.l.T("handover.hours_lost", "factors", strings.Join(names, c.l.T("common.list_comma")), "n", x.N)}
		if x.Kind == "over" {
			l.State = "exceed"
			l.Text = c.l.T("handover.hours_over", "factors", strings.Join(names, c.l.T("common.list_comma")), "n", x.N, "value", figureFor(x.Worst, x.Factors[0], x.Limit), "limit", limitText(x.Limit))
		}
		l.Name, l.Href = outlet(x.Outlet)
		hours.Lines = append(hours.Lines, l)
	}
	loggers := part("loggers")
	for _, x := range f.Loggers {
		l := shiftLine{Time: i18n.Stamp(x.At), Name: word{x.MN, ""}, Href: c.path("/devices/" + x.MN), Text: c.l.T("handover.logger_"+x.Kind, "n", x.N)}
		if x.Text != "" {
			for _, key := range []string{"knock." + x.Text, "fault." + x.Text} {
				if c.l.Has(key) {
					l.Text += " · " + c.l.T(key)
					break
				}
			}
		}
		if x.MN == "" {
			l.Name, l.Href = word{c.l.T("handover.no_mn"), string(c.lang)}, ""
		}
		loggers.Lines = append(loggers.Lines, l)
	}
	edits := part("registry")
	for _, x := range f.Registry {
		names := make([]string, len(x.IDs))
		for i, id := range x.IDs {
			names[i] = c.edited(x.Kind, id)
		}
		text := c.l.T("handover.edited", "post", x.Post, "kind", c.word("registry.kind_", x.Kind), "action", c.word("registry.action_", x.Action)) + " · " + strings.Join(names, c.l.T("common.list_comma"))
		if more := x.N - len(x.IDs); more > 0 {
			text += " " + c.l.T("registry.more_changes", "n", more)
		}
		edits.Lines = append(edits.Lines, shiftLine{Time: i18n.Stamp(x.At), Text: text})
	}
}

// ledgerParts puts alarms, gaps and commands into words.
func (c *call) ledgerParts(part func(string) *shiftPart, outlet func(telemetry.OutletID) (word, string), f *shiftFacts) {
	alarms := part("alarms")
	for i := range f.Alarms {
		x := &f.Alarms[i]
		names := make([]string, len(x.Factors))
		for k, code := range x.Factors {
			names[k] = c.factor(code).Text
		}
		l := shiftLine{State: x.shape(f.Until), Time: i18n.Stamp(x.Start), Href: c.path("/alarms/" + x.ID)}
		l.Name, _ = outlet(x.Outlet)
		l.Text = c.word("alarm.kind.", x.Kind)
		if len(names) > 0 {
			l.Text = c.l.T("alarm.one", "kind", l.Text, "factor", strings.Join(names, c.l.T("common.list_comma")))
		}
		key := "handover.alarm_open"
		if !x.End.IsZero() && !x.End.After(f.Until) {
			key = "handover.alarm_closed"
		}
		l.Text += " · " + c.l.T(key, "time", i18n.Stamp(x.End))
		switch {
		case x.False:
			l.Text += " · " + c.l.T("handover.alarm_false")
		case x.Acked:
			l.Text += " · " + c.l.T("handover.alarm_acked")
		}
		alarms.Lines = append(alarms.Lines, l)
	}
	gaps := part("gaps")
	for i := range f.Gaps {
		g := &f.Gaps[i]
		l := shiftLine{Time: i18n.Stamp(g.From) + " – " + i18n.Stamp(g.To), Href: c.path("/gaps/" + g.ID)}
		l.Name, _ = outlet(g.Outlet)
		l.Text = c.l.T("handover.gap", "kind", c.l.T("kind."+strconv.Itoa(int(g.Kind))), "n", g.Missing, "all", g.Due, "cause", c.word("gaps.cause_", g.Cause), "state", c.word("gaps.state_", g.State))
		gaps.Lines = append(gaps.Lines, l)
	}
	commands := part("commands")
	for i := range f.Commands {
		x := &f.Commands[i]
		l := shiftLine{Time: i18n.Stamp(x.At), Name: word{x.MN, ""}, Href: c.path("/devices/" + x.MN)}
		l.Text = c.l.T("handover.command", "post", x.Post, "command", c.word("cn.", strconv.Itoa(x.CN)), "outcome", c.word("dialogue.outcome_", x.Done))
		commands.Lines = append(commands.Lines, l)
	}
}

// edited names an object of the registry.
func (c *call) edited(kind, id string) string {
	switch kind {
	case "outlet":
		if n, ok := parseOutletID(id); ok && c.snap.Outlets[n] != nil {
			return c.outletName(c.snap.Outlets[n]).Text
		}
	case "enterprise":
		if e := c.snap.Enterprises[id]; e != nil {
			return c.name(e.Name).Text
		}
	case "area":
		return c.area(id).Text
	}
	return id
}

// word is the text of a key made of a code; the code itself where there is none.
func (c *call) word(prefix, code string) string {
	if key := prefix + code; c.l.Has(key) {
		return c.l.T(key)
	}
	return code
}

// handoverSign adds a note, hands the shift over, or takes it over.
func (h *Handler) handoverSign(c *call) error {
	s, err := h.shift(c)
	if err != nil {
		return err
	}
	e := handover.Entry{Shift: s, Action: handover.Action(c.r.PostFormValue("action")), By: c.actor.ID, Post: c.actor.Post, Text: c.r.PostFormValue("text")}
	switch {
	case h.Handover == nil, e.Action != handover.Note && e.Action != handover.Give && e.Action != handover.Take:
		return errs.New(errs.Malformed, "")
	case e.Action == handover.Give:
		facts, err := h.draft(c, s)
		if err != nil {
			return err
		}
		body, err := json.Marshal(facts)
		if err != nil {
			return err
		}
		e.Facts = string(body)
	}
	err = h.Handover.Add(c.ctx(), e)
	if x, ok := errors.AsType[*errs.Error](err); ok && x.Kind == errs.Invalid {
		return h.showShift(c, s, http.StatusUnprocessableEntity, c.fieldErrors(x))
	}
	if err != nil {
		return err
	}
	return c.done("/handover/"+s.ID(), "handover_"+string(e.Action))
}
