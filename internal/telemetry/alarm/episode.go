package alarm

import (
	"time"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
)

// Kind is what an alarm is about.
type Kind string

// The kinds. Each has its rule, alarm.NAME, in the folder rules; Over and Range
// share alarm.over.
const (
	Over       Kind = "over"        // above a limit
	Range      Kind = "range"       // outside a range, such as pH, or below a lower limit
	Missing    Kind = "missing"     // an hour of a factor is not valid, though the source ran
	Link       Kind = "link"        // nothing at all received
	Constant   Kind = "constant"    // one value for hours
	Flat       Kind = "flat"        // hardly any variation for half a month
	Negative   Kind = "negative"    // below zero by more than drift
	AboveRange Kind = "above_range" // beyond the measuring range
	Folding    Kind = "folding"     // folded value as reported differs from the recomputed one
	Reported   Kind = "reported"    // reported mean differs from the recomputed one

	// Seen live; the forecasts end with what they were about.
	Minute     Kind = "minute"      // single values over the limit of the hour
	WillExceed Kind = "will_exceed" // the running hour will exceed unless what is left stays low
	LoseHour   Kind = "lose_hour"   // the running hour will not be valid, or may not
	LoseDay    Kind = "lose_day"    // the running day will not be valid, or may not
	Clock      Kind = "clock"       // the logger's clock
	Permit     Kind = "permit"      // running total against the permit's amount of the month or year
)

// Kinds lists all kinds, most pressing first.
func Kinds() []Kind {
	return []Kind{
		Over, Range, AboveRange, Permit, Link, WillExceed, LoseDay, LoseHour, Minute, Missing, Constant, Flat, Negative, Folding, Reported, Clock,
	}
}

// Rule is the id of the rule that raises the kind.
func (k Kind) Rule() string {
	if k == Range {
		k = Over
	}
	return "alarm." + string(k)
}

// Severity is who has to move.
type Severity string

// Severities.
const (
	Act  Severity = "act"  // somebody has to do something
	Warn Severity = "warn" // early warning, it may pass by itself
)

// What an alarm can be kept quiet by.
const (
	QuietStop        = "stop"        // the source was stopped, declared or by mark
	QuietMaintenance = "maintenance" // maintenance or calibration by mark
	QuietPlatform    = "platform"    // the platform itself was down
)

// Why an episode ended.
const (
	EndGood     = "good"     // values within bounds again
	EndStop     = "stop"     // the source stopped
	EndLimit    = "limit"    // the limit is no longer in force
	EndRegistry = "registry" // the factor is no longer registered
	EndPeriod   = "period"   // the hour, day, month or year it was about is over
)

// Episode is one alarm.
type Episode struct {
	ID        string // stable through recomputation
	Outlet    telemetry.OutletID
	Factor    string   // "" = of the whole outlet, or of several factors
	Factors   []string // of a grouped one, in order of code
	Kind      Kind
	Statistic string // hour, day, instantaneous; "" = not of a value
	Severity  Severity
	Start     time.Time
	Opened    time.Time // when it could first be known
	Last      time.Time // end of the last value that belongs to it
	End       time.Time // zero while open
	Count     int       // values
	Blank     int       // periods without a verdict inside it, and behind Last while open
	Max       quality.Opt
	MaxAt     time.Time // start of the period Max is of
	Folded    bool      // Max is folded to reference oxygen
	Times     quality.Opt
	Limit     quality.LimitRef // in force for Max
	Rule      string
	Version   int
	Cause     quality.Text // key "alarm.cause.…"
	EndedBy   string       // one of the reasons above; "" = open
	Parent    string       // ID of the alarm it belongs to; "" = stands for itself
	Quiet     string       // why it was not raised; "" = it was
	Flags     []string     // marks met in it, besides N
	Stops     []Span       // declared stops that touch it
	Live      bool         // seen live, not derived from hours
	Withdrawn time.Time    // later data show it never was; kept because somebody acted on it

	Ack   Note // who has taken note
	False Note // who called it a false alarm, Text is the reason
}

// Open reports whether it has not ended.
func (e *Episode) Open() bool { return e.End.IsZero() }

// Span is a half-open stretch of time; a zero To is open.
type Span struct{ From, To time.Time }

func (s Span) touches(from, to int64) bool {
	return s.From.Unix() < to && (s.To.IsZero() || s.To.Unix() > from)
}

// Note is what somebody said of an alarm, by post.
type Note struct {
	By   string // account id
	Post Post
	At   time.Time
	Text string
}

// Done reports whether the note was made.
func (n Note) Done() bool { return !n.At.IsZero() }

// Post is the name of a post in three languages.
type Post = telemetry.Name
