package mark

import (
	"slices"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/telemetry"
)

// Permissions.
const (
	Set    = access.Permission("telemetry.mark")   // marks and corrections of outlets
	Review = access.Permission("telemetry.review") // deciding about them
)

// State is what became of a mark or a correction.
type State string

// States. In force are Accepted and Final.
const (
	Draft     State = "draft"
	Submitted State = "submitted" // waits for the regulator, without effect
	Accepted  State = "accepted"  // by the program, because it came in time; the regulator may still look
	Returned  State = "returned"  // to be mended and submitted again
	Rejected  State = "rejected"
	False     State = "false" // the regulator calls it false: data fraud (Order 820, art. 25)
	Withdrawn State = "withdrawn"
	Restored  State = "restored" // a correction whose document did not come: what was measured holds again
	Final     State = "final"
)

// States lists them in the order in which they come about.
var States = []State{Draft, Submitted, Accepted, Returned, Final, Rejected, False, Withdrawn, Restored}

// InForce reports whether the judgement follows it.
func (s State) InForce() bool { return s == Accepted || s == Final }

// Sorts of papers.
const (
	SortMark       = "mark"
	SortCorrection = "correction"
)

// Who set a mark.
const (
	ByEnterprise = "enterprise"
	ByRegulator  = "regulator"
)

// Act is what somebody, or the program, does with a paper.
type Act string

// Acts.
const (
	ActDraft    Act = "draft"
	ActSubmit   Act = "submit"
	ActAccept   Act = "accept"
	ActReturn   Act = "return"
	ActReject   Act = "reject"
	ActFalse    Act = "false"
	ActWithdraw Act = "withdraw"
	ActDocument Act = "document"
	ActRestore  Act = "restore"
)

// step is what an act makes of a state.
type step struct {
	from   []State
	to     State
	review bool // by who reviews; else by who marks
	note   bool // a reason must be given
}

var steps = map[Act]step{
	ActAccept:   {[]State{Submitted, Accepted}, Final, true, false},
	ActReturn:   {[]State{Submitted, Accepted}, Returned, true, true},
	ActReject:   {[]State{Submitted, Accepted}, Rejected, true, true},
	ActFalse:    {[]State{Submitted, Accepted, Final}, False, true, true},
	ActWithdraw: {[]State{Draft, Submitted, Accepted, Returned}, Withdrawn, false, false},
	ActRestore:  {[]State{Accepted, Final}, Restored, false, false},
}

// Paper is a mark or a correction with what became of it.
type Paper struct {
	Number   string // M000012, K000013
	Sort     string // SortMark, SortCorrection
	Outlet   telemetry.OutletID
	Rule     string // that knows the code, of the day on which it begins
	Version  int
	Code     string   // "" of a correction
	Factors  []string // none = all of the outlet; of a correction one
	From, To time.Time
	Value    float64 // of a correction, in the unit of the factor
	Cause    string  // in words
	Evidence string  // what shows it; of a correction the document
	State    State
	Late     bool   // submitted after the deadline
	Source   string // ByEnterprise, ByRegulator

	Author, AuthorPost string
	Created, Submitted time.Time // zero = not yet
	Decided            time.Time // by the regulator
	DocumentDue        time.Time // of a correction
	DocumentAt         time.Time // the document was given
}

// May reports whether an act can follow now; who may do it is asked elsewhere.
func (p *Paper) May(a Act) bool {
	switch a {
	case ActSubmit:
		return p.State == Draft || p.State == Returned
	case ActDocument:
		return p.Sort == SortCorrection && (p.State == Accepted || p.State == Final || p.State == Submitted) && p.DocumentAt.IsZero()
	default:
		s, ok := steps[a]
		return ok && slices.Contains(s.from, p.State)
	}
}

// Event is one act; events are added only.
type Event struct {
	Number   string
	Seq      int
	At       time.Time
	Act      Act
	From, To State
	By, Post string // account and post; of the program its own
	Note     string
}

// Input is what a person gives for a mark or a correction.
type Input struct {
	Outlet   telemetry.OutletID
	Ref      string // of a mark: rule/code; "" = a correction
	Factors  []string
	From, To time.Time
	Value    *float64 // of a correction
	Cause    string
	Evidence string
	Declared bool // who marks declares that it is true
}
