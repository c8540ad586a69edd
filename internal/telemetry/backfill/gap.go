package backfill

import (
	"time"

	"plateau/internal/telemetry"
)

// Cause is who lost the records of a gap.
type Cause string

// Causes, in the order they are looked for.
const (
	Platform Cause = "platform" // we were not running, or could not store
	Link     Cause = "link"     // nothing at all came from the logger
	Refuse   Cause = "refused"  // it came, but damaged or not let in
	Logger   Cause = "logger"   // the logger sent other frames, not this record
)

// Causes lists all of them.
func Causes() []Cause { return []Cause{Platform, Link, Logger, Refuse} }

// State is how far a gap has come.
type State string

// States.
const (
	Open    State = "open"
	Closed  State = "closed"   // nothing is missing any more
	GivenUp State = "given_up" // nobody asks any more; it closes all the same when the records come
)

// How a gap was closed or given up.
const (
	BySelf    = "self"    // the records came by themselves
	ByRequest = "request" // they came when asked for
	ByStop    = "stop"    // a stop that was declared since covers them
	NoData    = "no_data" // the logger says that it has none
	Unable    = "unable"  // the logger does not answer such requests
	Late      = "late"    // the correction window has passed
	ByPerson  = "person"  // somebody gave it up, see Reason
)

// Gap is a stretch of one outlet's records of one kind that had not come after
// the grace time and that the same cause has lost.
type Gap struct {
	ID       string
	Outlet   telemetry.OutletID
	MN       string // logger that served then
	Kind     telemetry.Kind
	From, To time.Time // start of the first record's period, end of the last one's
	Cause    Cause
	Due      int // records expected in it
	Missing  int // of these, not there now
	Detected time.Time
	Changed  time.Time
	State    State
	How      string // "" while open
	Closed   time.Time
	ByPost   string // who gave it up
	Reason   string
	Requests int
	Fails    int       // requests in a row that brought nothing
	Next     time.Time // no request before

	saved, busy bool
}

// Charged reports whether the gap counts against the enterprise: what the
// platform itself has lost does not, nor what a declared stop covers.
func (g *Gap) Charged() bool { return g.Cause != Platform && g.How != ByStop }

// Request is a request for the records of a gap.
type Request struct {
	Dialogue string // id
	At       time.Time
	From, To time.Time // first and last DataTime asked for
	Outcome  string    // as of the dialogue
	Gained   int       // records that closed a part of the gap
}

// key names a series: an outlet's records of one kind.
type key struct {
	outlet telemetry.OutletID
	kind   telemetry.Kind
}

func (g *Gap) key() key { return key{g.Outlet, g.Kind} }

func (g *Gap) holds(at int64) bool { return at >= g.From.Unix() && at < g.To.Unix() }
