package casework

import (
	"time"
)

// Text is a text in the three languages; Zh is always there.
type Text struct{ Zh, Bo, En string }

// Type is one version of a case type. What is in force is chosen by the day a case
// is opened, and the case stays on it.
type Type struct {
	System  string // whose roles take its actions, such as "rivers"
	Kind    string
	Version int
	From    string // first day, YYYY-MM-DD, on which cases are opened with it; "" = ever since
	To      string // last day; "" = open
	Name    Text
	Source  string // where its rules are from
	Basis   Basis
	Start   string // state of a new case

	Severities []Severity // the most urgent first
	Categories []Category
	States     []*State
	Actions    []*Action
	Clocks     []*Clock
	Forms      []*Form
	Ladder     []Step // escalation of what is overdue, in order

	TakeBack time.Duration // how long one's own last step can be taken back; 0 = ten minutes, less = never
}

// Basis says which of a type's rules bind everywhere and which somebody may set.
type Basis struct {
	National Text // what is a rule of the state
	Default  Text // what is a default of this program
	Region   Text // what the region has to set
}

// Severity is how urgent a case is; 1 is the most.
type Severity struct {
	Level int
	Name  Text
}

// Category is what a case is about.
type Category struct {
	Code     string
	Name     Text
	Severity int  // where the report names none
	Public   bool // shown on public pages
}

// State is where a case stands.
type State struct {
	Name   string
	Open   bool
	Public string // what outsiders read: reported, handed_out, handling, resolved, rejected, …
	Clock  string // name of the clock that runs in it; "" = none
	Paused bool   // the clocks of the case stand still, except that of the state
	Label  Text
}

// Action leads from states to a state. A state and an action determine the next
// state.
type Action struct {
	Name    string
	From    []string // states; "any_open" alone = each open one; empty: it opens a case
	To      string   // "" = the state stays
	Roles   []string // of the system, or reporter, unit, timer
	Form    string   // name; "" = nothing is asked for
	Guards  []string
	Effects []Effect
	Label   Text
}

// Effect is what an action does beside the change of the state, such as
// set_deadline:handle.
type Effect struct{ Name, Arg string }

// Clock is by when something is to be done. A severity without a span has no
// deadline.
type Clock struct {
	Name  string
	Label Text
	Spans map[int]Span // by severity
}

// Span is a length of time in the unit it is counted in.
type Span struct {
	N    int
	Unit Unit
}

// Unit is how a span is counted.
type Unit string

// The units of spans.
const (
	Hours        Unit = "h"  // of the clock
	WorkingHours Unit = "wh" // office hours of the unit that must act
	WorkingDays  Unit = "wd" // to the end of office hours of that day
	Days         Unit = "d"  // of the calendar
)

// Form is what an action asks for.
type Form struct {
	Name   string
	Fields []Field
}

// Field is one question of a form.
type Field struct {
	Name     string
	Type     string // text, long, choice, date, number, unit, units, case, yes
	Required bool
	Options  []Option // of a choice
	Max      int      // characters of a text; 0 = 4,000
	Reporter bool     // shown to who reported
	Public   bool     // shown to everybody
	Label    Text
}

// Option is one answer of a choice.
type Option struct {
	Value string
	Label Text
}

// Step is one rung of the escalation ladder.
type Step struct {
	Percent int    // of the clock's time; 0 = After counts from the due time
	After   Span   // past the due time
	Tell    string // WHOM of effects, such as upper_office
	Level   int    // added to the supervision level
}

// Calendar counts working days where a case is.
type Calendar interface {
	// Due is start + span; provisional where a year is not loaded.
	Due(start time.Time, span Span) (due time.Time, provisional bool)
	// WorkingDays is how many working days lie after the day of from, up to that of to.
	WorkingDays(from, to time.Time) int
}
