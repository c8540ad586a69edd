package casework

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/errs"
)

// Actor is who acts on a case.
type Actor struct {
	ID         string // account; "" = the program, or a reporter without an account
	Post       string
	OnBehalfOf string
	Units      []string // organisations they act for
	Roles      []string // of the case's system, that reach its area
	Areas      []string // for which they hold those; "" = all
	Reporter   bool     // reported this case, or came with its PIN
	Timer      bool     // the program itself
}

// takes reports whether the actor may take an action of a case.
func (a *Actor) takes(c *Case, x *Action) bool { return a.Acts(c, x.Roles) }

// Acts reports whether the actor has one of some roles towards a case.
func (a *Actor) Acts(c *Case, roles []string) bool {
	return slices.ContainsFunc(roles, func(role string) bool {
		switch role {
		case RoleReporter:
			return a.Reporter
		case RoleTimer:
			return a.Timer
		case RoleUnit:
			return a.of(c)
		case roleParticipant:
			return a.sees(c)
		}
		return slices.Contains(a.Roles, role)
	})
}

// of reports whether the actor acts for an organisation that must act on the case.
func (a *Actor) of(c *Case) bool {
	return slices.ContainsFunc(a.Units, func(u string) bool {
		return u != "" && (u == c.OwnerUnit || slices.Contains(c.CoUnits, u))
	})
}

// hold gives an actor the roles of a system that reach an area.
func (a *Actor) hold(g access.Grants, system, area string, areas access.Areas) {
	for _, x := range g {
		role, ok := strings.CutPrefix(x.Role, system+".")
		if ok && x.Organisation == "" && (x.Area == "" || areas.Within(area, x.Area)) {
			a.Roles, a.Areas = append(a.Roles, role), append(a.Areas, x.Area)
		}
	}
}

// from reports whether an action can be taken in a state.
func (t *Type) from(x *Action, state string) bool {
	if slices.Contains(x.From, AnyOpen) {
		s := t.State(state)
		return s != nil && s.Open
	}
	return slices.Contains(x.From, state)
}

// State is the state of a name; nil when there is none.
func (t *Type) State(name string) *State {
	if i := slices.IndexFunc(t.States, func(s *State) bool { return s.Name == name }); i >= 0 {
		return t.States[i]
	}
	return nil
}

// ActionIn is the action of a name that a case in a state can take; nil when there
// is none.
func (t *Type) ActionIn(name, state string) *Action {
	if i := slices.IndexFunc(t.Actions, func(x *Action) bool { return x.Name == name && t.from(x, state) }); i >= 0 {
		return t.Actions[i]
	}
	if x := Core(name); x != nil && t.from(x, state) {
		return x
	}
	return nil
}

// hasAction reports whether there is an action of a name in any state.
func (t *Type) hasAction(name string) bool {
	return Core(name) != nil || slices.ContainsFunc(t.Actions, func(x *Action) bool { return x.Name == name })
}

// stops reports whether an action in a state meets the deadline of a clock: in one
// that is not open such a deadline still runs, for what is asked of somebody then.
func (t *Type) stops(state, clock string) bool {
	return slices.ContainsFunc(t.Actions, func(x *Action) bool {
		return slices.Contains(x.From, state) && slices.Contains(x.Effects, Effect{"stop_clock", clock})
	})
}

// Opens is the action of a name that opens a case; nil when there is none.
func (t *Type) Opens(name string) *Action {
	if i := slices.IndexFunc(t.Actions, func(x *Action) bool { return x.Name == name && len(x.From) == 0 }); i >= 0 {
		return t.Actions[i]
	}
	return nil
}

// Clock is the clock of a name; nil when there is none.
func (t *Type) Clock(name string) *Clock {
	if i := slices.IndexFunc(t.Clocks, func(c *Clock) bool { return c.Name == name }); i >= 0 {
		return t.Clocks[i]
	}
	return nil
}

// Form is the form of a name; nil when there is none.
func (t *Type) Form(name string) *Form {
	if i := slices.IndexFunc(t.Forms, func(f *Form) bool { return f.Name == name }); i >= 0 {
		return t.Forms[i]
	}
	for _, f := range coreForms {
		if f.Name == name && name != "" {
			return f
		}
	}
	return nil
}

// Allowed are the actions that an actor may take on a case as it stands, guards
// left aside, in the order of the type, and comments where the case is open. Whether
// a step can be taken back is not asked here: see Undone.
func (t *Type) Allowed(c *Case, a *Actor) (out []*Action) {
	for _, x := range t.Actions {
		if len(x.From) > 0 && t.from(x, c.State) && a.takes(c, x) {
			out = append(out, x)
		}
	}
	if t.from(comment, c.State) && a.takes(c, comment) {
		out = append(out, comment)
	}
	return out
}

// Input is what comes with an action.
type Input struct {
	Form        map[string]string
	Attachments []string // SHA-256 of uploaded evidence
}

// Env is what an action is worked out in.
type Env struct {
	Calendar Calendar
	Areas    access.Areas
	Look     func(id string) *Case                      // another case; nil when who acts may not see it
	Unit     func(id string) (area string, exists bool) // an organisation
	Number   func(at time.Time) string                  // a tracking number for a new case
	Post     func(c *Case, id string) bool              // whether a post sees a case; nil: none does
	Last     func() (step *Event, before *Case)         // what happened last, and the case before it; nil at the beginning
	By       string                                     // who acts, as events name them
}

// step is one action while it is worked out.
type step struct {
	t   *Type
	x   *Action
	c   *Case
	a   *Actor
	in  Input
	now time.Time
	Env

	out  Changes
	told []string // whom to tell
}

// Next works out what an action makes of a case, and whom to tell of it. It changes
// nothing. Errors: errs.NotFound for an action that the type lacks, errs.Conflict
// for one that the state does not allow, errs.Forbidden for who may not, errs.Invalid
// about a field of the form, or about "action" for a guard.
func (t *Type) Next(c *Case, a *Actor, name string, in Input, now time.Time, env Env) (to string, ch Changes, tell []string, err error) {
	x := t.ActionIn(name, c.State)
	switch {
	case x == nil && !t.hasAction(name):
		return "", ch, nil, errs.New(errs.NotFound, "err.case.action", "action", name)
	case x == nil:
		return "", ch, nil, errs.New(errs.Conflict, "err.case.state", "action", name, "state", c.State)
	case !a.takes(c, x):
		return "", ch, nil, errs.New(errs.Forbidden, "err.case.role", "action", name)
	}
	s := &step{t: t, x: x, c: c, a: a, in: in, now: now, Env: env}
	if err := s.allowed(); err != nil {
		return "", ch, nil, err
	}
	switch x {
	case comment:
		if err := s.comments(); err != nil {
			return "", ch, nil, err
		}
	case takeBack:
		return s.back()
	}
	to = x.To
	if to == "" {
		to = c.State
	}
	s.move(to)
	s.effects()
	return to, s.out, s.told, nil
}

// back takes back what happened last: the case is again what it was before. Whoever was told
// of the step is told of this.
func (s *step) back() (to string, ch Changes, tell []string, err error) {
	last, before := s.Last()
	key := "err.case.guard.take_back"
	if last != nil && before != nil {
		key = s.t.Undone(last, s.By, s.now)
	}
	if key != "" {
		return "", ch, nil, errs.InvalidField("action", key)
	}
	ch.TakesBack = last.Seq
	return before.State, ch, last.Body.Tell, nil
}

// allowed checks the form and the guards.
func (s *step) allowed() error {
	if err := s.form(); err != nil {
		return err
	}
	for _, g := range s.x.Guards {
		if code := guards[g](s); code != "" {
			return errs.InvalidField("action", "err.case.guard."+code)
		}
	}
	return nil
}

func (s *step) effects() {
	s.count(s.x.Name)
	if s.x.Name == "reopen" && s.a.byReporter() {
		s.count("reopened_by_reporter")
	}
	for _, e := range s.x.Effects {
		effects[e.Name](s, e.Arg)
	}
}

// form checks what was entered.
func (s *step) form() error {
	f := s.t.Form(s.x.Form)
	var checks errs.Checks
	for name := range s.in.Form {
		checks.Require(f != nil && slices.ContainsFunc(f.Fields, func(x Field) bool { return x.Name == name }), name, "err.case.no_field")
	}
	if f != nil {
		for i := range f.Fields {
			f.Fields[i].check(&checks, s.in.Form[f.Fields[i].Name])
		}
	}
	checks.Require(len(s.in.Attachments) <= maxAttachments, "attachments", "err.case.attachments", "max", maxAttachments)
	for _, a := range s.in.Attachments {
		sum, err := hex.DecodeString(a)
		checks.Require(err == nil && len(sum) == sha256.Size && hex.EncodeToString(sum) == a, "attachments", "err.case.attachment")
	}
	return checks.Err()
}

// maxAttachments bounds what a request may name; how many files one act may bring,
// Files says.
const maxAttachments = 100

// maxText bounds a text where its field does not.
const maxText = 4000

// maxUnits bounds the organisations of a field.
const maxUnits = 10

// UnitList are the organisations that a field of the type "units" holds, by their ids.
func UnitList(v string) []string {
	return strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' || r == '，' || r == '、' })
}

func (f *Field) check(c *errs.Checks, v string) {
	if strings.TrimSpace(v) == "" {
		c.Require(!f.Required, f.Name, "err.field.required")
		return
	}
	most := f.Max
	if most == 0 {
		most = maxText
	}
	c.Require(len([]rune(v)) <= most, f.Name, "err.field.long", "max", most)
	switch f.Type {
	case "choice", VisibilityField:
		var values []string
		for _, o := range f.Options {
			values = append(values, o.Value)
		}
		c.Require(slices.Contains(values, v), f.Name, "err.field.choice", "choices", strings.Join(values, ", "))
	case "date":
		_, err := time.Parse(time.DateOnly, v)
		c.Require(err == nil, f.Name, "err.field.date")
	case "number":
		c.Require(isNumber(v), f.Name, "err.field.number")
	case "units", WhomField:
		c.Require(len(UnitList(v)) <= maxUnits, f.Name, "err.case.units", "max", maxUnits)
	case "yes":
		c.Require(v == "yes" || v == "no", f.Name, "err.field.choice", "choices", "yes, no")
	}
}

// move stops and starts clocks as the states of the type say.
func (s *step) move(to string) {
	was, is := s.t.State(s.c.State), s.t.State(to)
	if was == nil || is == nil {
		return
	}
	if was.Paused && !is.Paused {
		s.resume()
	}
	if to != s.c.State {
		if was.Clock != "" && was.Clock != is.Clock {
			s.meet(was.Clock)
		}
		if is.Clock != "" && was.Clock != is.Clock {
			s.start(is.Clock)
		}
		if !is.Open {
			for _, d := range s.c.Deadlines {
				if d.Running() && d.Clock != is.Clock && !s.t.stops(to, d.Clock) {
					s.meet(d.Clock)
				}
			}
		}
	}
	if is.Paused && !was.Paused && s.c.Paused.IsZero() {
		now := s.now
		s.out.Paused = &now
	}
}

// deadline is the present one of a clock, with what this step has made of it.
func (s *step) deadline(clock string) (d Deadline, ok bool) {
	for i := range s.out.Deadlines {
		if s.out.Deadlines[i].Clock == clock {
			return s.out.Deadlines[i], true
		}
	}
	if have := s.c.Deadline(clock); have != nil {
		return *have, true
	}
	return Deadline{}, false
}

func (s *step) put(d Deadline) {
	i := slices.IndexFunc(s.out.Deadlines, func(x Deadline) bool { return x.Clock == d.Clock })
	if i < 0 {
		s.out.Deadlines = append(s.out.Deadlines, d)
		return
	}
	s.out.Deadlines[i] = d
}

// severity is that of the case after this step.
func (s *step) severity() int {
	if s.out.Severity != nil {
		return *s.out.Severity
	}
	return s.c.Severity
}

// start sets the deadline of a clock from now on.
func (s *step) start(clock string) {
	c := s.t.Clock(clock)
	if c == nil {
		return
	}
	span, ok := c.Spans[s.severity()]
	if !ok {
		return
	}
	s.startSpan(clock, span)
}

func (s *step) startSpan(clock string, span Span) {
	due, provisional := s.Calendar.Due(s.now, span)
	s.put(Deadline{Clock: clock, Span: span.String(), Started: s.now, Due: due, Original: due, Provisional: provisional})
}

func (s *step) meet(clock string) {
	if d, ok := s.deadline(clock); ok && d.Running() {
		d.Met = s.now
		s.put(d)
	}
}

// resume lets the clocks run on: what is counted in working days is moved by those
// of the pause, what is counted in hours by its length.
func (s *step) resume() {
	since := s.c.Paused
	var none time.Time
	empty := ""
	s.out.Paused, s.out.PausedTo = &none, &empty
	if since.IsZero() {
		return
	}
	for _, d := range s.c.Deadlines {
		if !d.Running() {
			continue
		}
		span, err := ParseSpan(d.Span)
		if err != nil {
			continue
		}
		switch span.Unit {
		case WorkingDays, WorkingHours:
			if n := s.Calendar.WorkingDays(since, s.now); n > 0 {
				var p bool
				d.Due, p = s.Calendar.Due(d.Due, Span{N: n, Unit: WorkingDays})
				d.Provisional = d.Provisional || p
			}
		case Hours, Days:
			d.Due = d.Due.Add(s.now.Sub(since))
		}
		s.put(d)
	}
}

// count adds one, however often a step counts the same.
func (s *step) count(name string) {
	if s.out.Counts == nil {
		s.out.Counts = map[string]int{}
	}
	s.out.Counts[name] = s.c.Counts[name] + 1
}

// lateReopening is how long who reported may have a case opened again.
const lateReopening = 15 * 24 * time.Hour

// mostDeclines is how often a case may be declined before the upper office decides.
const mostDeclines = 2

// byReporter reports whether who acts does so only as who reported it.
func (a *Actor) byReporter() bool { return a.Reporter && len(a.Roles) == 0 }

// guards look at facts alone and return the code of what is wrong, "" when nothing.
var guards = map[string]func(s *step) string{
	// who reports work done does not verify it
	"four_eyes": func(s *step) string {
		return unless(s.c.Handler == "" || !slices.Contains(s.a.Units, s.c.Handler), "four_eyes")
	},
	"evidence":         func(s *step) string { return unless(len(s.in.Attachments) > 0, "evidence") },
	"before_and_after": func(s *step) string { return unless(len(s.in.Attachments) > 1, "before_and_after") },
	"has_end_date": func(s *step) string {
		day, err := time.ParseInLocation(time.DateOnly, s.in.Form["until"], zone)
		return unless(err == nil && day.AddDate(0, 0, 1).After(s.now), "end_date")
	},
	"due_ahead": func(s *step) string {
		day, err := time.ParseInLocation(time.DateOnly, s.in.Form["due"], zone)
		return unless(s.in.Form["due"] == "" || err == nil && day.AddDate(0, 0, 1).After(s.now), "due_ahead")
	},
	"least_urgent": func(s *step) string {
		return unless(len(s.t.Severities) == 0 || s.c.Severity == s.t.Severities[len(s.t.Severities)-1].Level, "least_urgent")
	},
	"not_merged":  func(s *step) string { return unless(s.c.MergedInto == "", "merged") },
	"target_open": func(s *step) string { return unless(s.target(), "target") },
	"declines_left": func(s *step) string {
		return unless(s.c.Counts["decline"] < mostDeclines, "ruling")
	},
	// after two refusals the upper office says who
	"ruled": func(s *step) string {
		return unless(s.c.Counts["decline"] < mostDeclines || s.c.Counts["ruling"] > 0, "ruling")
	},
	"before_due": func(s *step) string {
		d := s.c.Due()
		return unless(d == nil || !s.now.After(d.Due), "overdue")
	},
	"once": func(s *step) string { return unless(s.c.Counts[s.x.Name] == 0, "once") },
	"extension_asked": func(s *step) string {
		return unless(s.c.Counts["ask_extension"] > s.c.Counts["grant_extension"]+s.c.Counts["refuse_extension"], "not_asked")
	},
	"reporter_once": func(s *step) string {
		return unless(!s.a.byReporter() || s.c.Counts["reopened_by_reporter"] == 0, "once")
	},
	"within_15_days": func(s *step) string {
		return unless(!s.a.byReporter() || s.now.Sub(s.c.StateSince) <= lateReopening, "too_late")
	},
	"unit_in_scope": func(s *step) string {
		for _, id := range append(UnitList(s.in.Form["co_units"]), s.in.Form["unit"]) {
			area, ok := s.Unit(id)
			here := s.c.Location.Area
			if !ok || area != "" && !s.within(here, area) && !s.within(area, here) {
				return "unit"
			}
		}
		return ""
	},
	// hands out to one's own level and below, never above
	"level_own_or_below": func(s *step) string {
		area, ok := s.Unit(s.in.Form["unit"])
		return unless(ok && slices.ContainsFunc(s.a.Areas, func(own string) bool { return s.within(area, own) }), "level")
	},
	// is for who answers for more than where the case is
	"level_above": func(s *step) string {
		here := s.c.Location.Area
		return unless(slices.ContainsFunc(s.a.Areas, func(own string) bool { return own == "" || own != here && s.within(here, own) }), "level")
	},
}

func unless(ok bool, code string) string {
	if ok {
		return ""
	}
	return code
}

func (s *step) within(code, above string) bool {
	return above == "" || code == above || code != "" && s.Areas.Within(code, above)
}

// target reports whether the case can be merged into the one of the form.
func (s *step) target() bool {
	id := s.in.Form["target"]
	if id == "" || id == s.c.ID {
		return false
	}
	x := s.Look(id)
	if x == nil || x.Kind != s.c.Kind || x.MergedInto != "" {
		return false
	}
	st := s.t.State(x.State)
	return st != nil && st.Open
}

// effects of an action beside the change of the state. What a form holds is taken
// from its fields by their names.
var effects = map[string]func(s *step, arg string){
	"set_deadline": func(s *step, arg string) { s.start(arg) },
	"stop_clock":   func(s *step, arg string) { s.meet(arg) },
	"drop_clock": func(s *step, arg string) {
		if d, ok := s.deadline(arg); ok && d.Running() {
			d.Dropped = true
			s.put(d)
		}
	},
	"count":  func(s *step, arg string) { s.count(arg) },
	"notify": func(s *step, arg string) { s.told = append(s.told, arg) },
	"owner": func(s *step, arg string) { // unit is that of the form; any other hands it back to an office
		unit := ""
		if arg == "unit" {
			unit = s.in.Form["unit"]
			if co, ok := s.in.Form["co_units"]; ok {
				s.out.CoUnits = UnitList(co)
			}
		}
		s.out.OwnerUnit = &unit
	},
	"handler": func(s *step, _ string) {
		unit := s.c.OwnerUnit
		for _, u := range s.a.Units {
			if u == s.c.OwnerUnit || slices.Contains(s.c.CoUnits, u) {
				unit = u
			}
		}
		s.out.Handler = &unit
	},
	"pause": func(s *step, _ string) {
		until := s.in.Form["until"]
		s.out.PausedTo = &until
	},
	"merge": func(s *step, _ string) {
		id := s.in.Form["target"]
		s.out.MergedInto = &id
	},
	"supervise": func(s *step, _ string) {
		n := s.c.Supervise + 1
		s.out.Supervise = &n
	},
	"escalate": func(s *step, _ string) {
		n := s.c.Escalation + 1
		s.out.Escalation = &n
	},
	"public_summary": func(s *step, _ string) {
		s.out.Summary = &Text{Zh: s.in.Form["summary"], Bo: s.in.Form["summary_bo"], En: s.in.Form["summary_en"]}
	},
	"resume": func(s *step, _ string) {
		if !s.c.Paused.IsZero() && s.out.Paused == nil {
			s.resume()
		}
	},
	"review_task": func(s *step, _ string) { // who is not content is asked why
		if r := s.in.Form["rating"]; r == "1" || r == "2" {
			s.count("review_task")
		}
	},
	// So many of a hundred are looked at; the random digits of the tracking number say
	// which, so that nobody chooses.
	"sample": func(s *step, arg string) {
		percent, _ := strconv.Atoi(arg)
		drawn := "no"
		if n, err := strconv.Atoi(s.c.TrackingNo[max(0, len(s.c.TrackingNo)-4):max(0, len(s.c.TrackingNo)-2)]); err == nil && n < percent {
			drawn = "yes"
		}
		if s.out.Data == nil {
			s.out.Data = map[string]string{}
		}
		s.out.Data["sample"] = drawn
	},
	"drawn": func(s *step, arg string) {
		if s.out.Data["sample"] == "yes" {
			s.start(arg)
			s.told = append(s.told, "upper_office")
		}
	},
	// An upper level names its own day; without one the time of the clock stands in.
	"due": func(s *step, arg string) {
		s.start(arg)
		day, err := time.ParseInLocation(time.DateOnly, s.in.Form["due"], zone)
		if err != nil {
			return
		}
		due := day.AddDate(0, 0, 1).Add(-time.Second)
		s.put(Deadline{Clock: arg, Span: Span{N: max(1, int(due.Sub(s.now).Hours()/24)+1), Unit: Days}.String(), Started: s.now, Due: due, Original: due})
	},
	// Work that did not hold has half of the time again, five working days at most.
	"rework": func(s *step, arg string) {
		n := 5
		if c := s.t.Clock(arg); c != nil {
			if span, ok := c.Spans[s.severity()]; ok && span.Unit == WorkingDays {
				n = max(1, min(n, span.N/2))
			}
		}
		s.startSpan(arg, Span{N: n, Unit: WorkingDays})
		s.count("rework")
	},
	"extend": func(s *step, arg string) {
		if d, ok := s.deadline(arg); ok && d.Running() {
			n := 0
			for _, r := range s.in.Form["days"] {
				if r >= '0' && r <= '9' && n < 1000 {
					n = n*10 + int(r-'0')
				}
			}
			var p bool
			d.Due, p = s.Calendar.Due(d.Due, Span{N: n, Unit: WorkingDays})
			d.Provisional = d.Provisional || p
			s.put(d)
		}
	},
}

// Works reports whether an actor works on a case for the authority: with a role of its
// system, and not for the organisation that must act.
func (a *Actor) Works(c *Case) bool { return len(a.Roles) > 0 && !a.of(c) }

// Reads reports whether an actor may read all of an event. Who reported stands in
// restricted ones: they are for those who work on the case and do not belong to the
// organisation that must act, and for who reported it, who does not read those of the
// staff.
func (a *Actor) Reads(c *Case, e *Event) bool {
	switch e.Visibility {
	case Restricted:
		return a.Reporter || a.Works(c)
	case Staff:
		return len(a.Roles) > 0 || a.of(c)
	case ToReporter, Public:
	}
	return true
}

// standing are the guards that ask nothing of what comes with an action: where one of
// them holds it back there is no use in entering anything.
var standing = []string{"before_due", "declines_left", "extension_asked", "four_eyes", "least_urgent", "level_above", "not_merged", "once", "reporter_once", "ruled", "within_15_days"}

// Refusal is the key of the sentence that says why a case as it stands does not let an
// actor take an action of its type, whatever they enter; "" when nothing is against it.
func (s *Service) Refusal(c *Case, a *Actor, x *Action) string {
	now := &step{t: s.TypeOf(c), x: x, c: c, a: a, now: s.Now().UTC().Truncate(time.Second), Env: Env{Calendar: s.Calendars(c.Location.Area), Areas: s.Places}}
	for _, g := range x.Guards {
		if slices.Contains(standing, g) {
			if code := guards[g](now); code != "" {
				return "err.case.guard." + code
			}
		}
	}
	return ""
}
