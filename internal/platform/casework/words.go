package casework

import (
	"maps"
	"slices"
)

// AnyOpen in the From of an action stands for every open state.
const AnyOpen = "any_open"

// The roles that follow from the case and not from a post.
const (
	RoleReporter = "reporter" // who reported it
	RoleUnit     = "unit"     // somebody of the organisation that must act, or acts beside it
	RoleTimer    = "timer"    // the program, when a time has come
)

// Guards are the names that case types may use, in the order of the alphabet.
// docs/case-types.md says what each wants.
func Guards() []string { return slices.Clone(guardNames) }

var guardNames = []string{
	"before_and_after", "before_due", "declines_left", "due_ahead", "evidence", "extension_asked", "four_eyes", "has_end_date",
	"least_urgent", "level_above", "level_own_or_below", "not_merged", "once", "reporter_once", "ruled", "target_open",
	"unit_in_scope", "within_15_days",
}

// Effects are the names that case types may use, without what stands behind the
// colon, in the order of the alphabet. docs/case-types.md says what each does.
func Effects() []string { return slices.Sorted(maps.Keys(effectArgs)) }

// argument is what an effect wants behind its colon.
type argument int

const (
	noArg argument = iota
	clockArg
	whomArg
	nameArg    // of a counter
	percentArg // 1 to 100
)

var effectArgs = map[string]argument{
	"count":          nameArg,
	"drawn":          clockArg,
	"drop_clock":     clockArg,
	"due":            clockArg,
	"escalate":       noArg,
	"extend":         clockArg,
	"handler":        noArg,
	"merge":          noArg,
	"notify":         whomArg,
	"owner":          whomArg,
	"pause":          noArg,
	"public_summary": noArg,
	"resume":         noArg,
	"review_task":    noArg,
	"rework":         clockArg,
	"sample":         percentArg,
	"set_deadline":   clockArg,
	"stop_clock":     clockArg,
	"supervise":      noArg,
}

// reserved are the names of events that no action of a type makes: a case that the
// program opens, a step of the ladder, a move to another version, news of what the case
// is about, and what every type has.
var reserved = []string{"create", Escalation, Move, News, Comment, TakeBack}

// starting are the effects that start a clock: one that nothing starts is of no use.
var starting = []string{"set_deadline", "rework", "drawn", "due"}

// whoms are whom an effect or a step of the ladder can name.
var whoms = []string{"assignee", "co_units", "followers", "office", "reporter", "top_office", "unit", "unit_head", "upper_chief", "upper_office"}

// fieldTypes are the kinds of answers that a form asks for.
var fieldTypes = []string{"text", "long", "choice", "date", "number", "unit", "units", "case", "yes"}
