package quality

import (
	"time"

	"plateau/internal/telemetry"
)

// Opt is a number that may be missing; the zero Opt is missing.
type Opt struct {
	V  float64
	OK bool
}

// Some is a number that is there.
func Some(v float64) Opt { return Opt{v, true} }

// Text is a message to translate: a key of the catalogues and its arguments,
// already formatted (numbers as decimal text, factors as codes under "factor").
type Text struct {
	Key  string
	Args map[string]string
}

// Input is one number a step used.
type Input struct {
	Name  string // of the formula, such as "C", "O2", "n_valid"
	Value string
	Unit  string
}

// The steps of an explanation, in order. There are several conversions where
// a value was computed of others before it was folded.
const (
	StepFrame      = "frame"
	StepValidity   = "validity"
	StepConversion = "conversion"
	StepLimit      = "limit"
	StepVerdict    = "verdict"
	StepFlow       = "flow"     // and
	StepEmission   = "emission" // follow where a mass is known
)

// Step is one step of a computation, written so that a person can check it.
type Step struct {
	Name    string // frame, validity, conversion, limit, verdict; catalogue key "step."+Name
	Rule    string // rule id, such as cems.fold_o2; "" for the frame step
	Version int
	Hash    string // of the rule file, 12 hex digits
	Clause  string // source: standard, year, clause
	// ClauseZh is the same in Chinese; "" where Clause is of no language.
	ClauseZh string
	Formula  string // with the numbers put in, such as "66.1 × (21 − 15) ÷ (21 − 14.64) = 62.36"
	Inputs   []Input
	Result   string // the step's outcome as text: "N", "62.36", "exceeds"
	Notes    []Text
}

// Trace is the list of steps a result came about by.
type Trace []Step

// FoldStatus tells what came of folding to reference oxygen.
type FoldStatus string

// Fold statuses, by the rule cems.fold_o2.
const (
	FoldOK          FoldStatus = "ok"
	FoldNotRequired FoldStatus = "not_required"
	FoldO2Missing   FoldStatus = "o2_missing"
	FoldO2Range     FoldStatus = "o2_out_of_range"
)

// Basis names the figure that was compared with the limit.
type Basis string

// Bases of a judged value.
const (
	BasisNone           Basis = ""
	BasisMean           Basis = "mean"            // recomputed mean
	BasisFolded         Basis = "folded"          // recomputed mean, folded
	BasisReported       Basis = "reported"        // Avg as reported
	BasisReportedFolded Basis = "reported_folded" // ZsAvg as reported
	BasisValidated      Basis = "validated"       // confidence interval taken off
)

// LimitRef is the limit a value was held against.
type LimitRef struct {
	ID        string
	Op        string // <=, >=, range; "" = no limit
	Lo, Hi    Opt
	Statistic string // hour, day, instantaneous, evaluation
}

// IsZero reports whether there was no limit.
func (l LimitRef) IsZero() bool { return l.Op == "" }

// Source tells what an hour was computed from.
type Source uint8

// Sources of an hour.
const (
	SourceNone     Source = 0 // nothing arrived
	SourceMinute   Source = 1 // 2051 records
	SourceRealtime Source = 2 // 2011 records stand in
	SourceReported Source = 3 // taken as reported in 2061
)

// FactorHour is one factor in one clock hour.
type FactorHour struct {
	Code      string
	Flag      string // mark of the hour by its minutes: N, F, M, C, D, T, B, S, Md, …; ? = mark missing
	NSeen     int    // minutes covered by any record
	NValid    int    // minutes with mark N and a value
	NExpected int    // 60; 0 where the source was stopped
	Valid     bool
	Mean      Opt // of the valid minutes, also while the hour is not valid ("so far")
	Min, Max  Opt // of the valid minute values
	Cou       Opt // flow factors: amount of the hour, m3
	Folded    Opt // Mean folded to reference oxygen
	Fold      FoldStatus
	Wet       Opt  // the mean as measured in wet gas, where Mean was converted to dry
	Rate      Opt  // gas: kg/h, of the unfolded mean; only when Valid and the flow is known
	Parts     int  // valid quarters or half-hours, where the profile asks for them
	InTime    bool // came within the time in which data may be sent again
	Reported  Reported
	Judged    Opt // the figure compared; only when Valid
	Basis     Basis
	Limit     LimitRef
	Over      bool // Judged breaks Limit
	Evidence  bool // and the hour is the statistic that counts for this source; else it only warns
	Times     Opt  // times over the limit: value/limit − 1; only when Over and Op is <= (or above a range)
	DiffPct   Opt  // reported against recomputed, percent of the recomputed
	Mismatch  bool // DiffPct beyond what judge.reported allows
	Reasons   []string
}

// Reported is what the logger itself sent for the period.
type Reported struct {
	Avg, ZsAvg, Min, Max, Cou Opt
	Flag                      string // "" = no such record
	There                     bool
}

// FlowSource tells where the flow of an hour or a day comes from.
type FlowSource uint8

// Sources of a flow.
const (
	FlowNone      FlowSource = 0
	FlowReported  FlowSource = 1 // the logger's flow factor
	FlowComputed  FlowSource = 2 // from velocity, temperature, pressure and moisture
	FlowAmount    FlowSource = 3 // water: amounts as the logger counted them
	FlowTotaliser FlowSource = 4 // water, a day: difference of the totaliser
)

// Shown are the means as pages and reports show them: where the reported figure
// was judged, it stands in for the recomputed one, so that the same number is
// read everywhere. An explanation has both.
func (f *FactorHour) Shown() (mean, folded Opt) {
	return shownMeans(f.Mean, f.Folded, f.Judged, f.Basis)
}

// Shown is what FactorHour.Shown is, of a day.
func (f *FactorDay) Shown() (mean, folded Opt) {
	return shownMeans(f.Mean, f.Folded, f.Judged, f.Basis)
}

func shownMeans(mean, folded, judged Opt, basis Basis) (Opt, Opt) {
	switch basis {
	case BasisReported:
		mean = judged
	case BasisReportedFolded:
		folded = judged
	case BasisNone, BasisMean, BasisFolded, BasisValidated: // as recomputed
	}
	return mean, folded
}

// HourRow is a derived clock hour of an outlet.
type HourRow struct {
	Outlet  telemetry.OutletID
	At      int64 // start of the hour, Unix seconds UTC
	Source  Source
	Stopped bool   // declared stop covers the hour
	Revised bool   // some record of the hour was revised
	Rules   string // digest of the rule set in force, 16 hex digits
	Flow    Opt    // m3 of the hour: dry gas at standard state, or water
	FlowBy  FlowSource
	Factors []FactorHour
}

// Factor finds a factor by code.
func (r *HourRow) Factor(code string) *FactorHour {
	for i := range r.Factors {
		if r.Factors[i].Code == code {
			return &r.Factors[i]
		}
	}
	return nil
}

// FactorDay is one factor in one day of Beijing time.
type FactorDay struct {
	Code      string
	NValid    int // valid hours
	NExpected int // hours due: 24 less stops; water: hours with flow or of unknown flow
	NSeen     int // hours with any data
	Valid     bool
	Mean      Opt // gas: arithmetic; water: weighted by flow; pH: by -log10. Also while not valid ("so far")
	Min, Max  Opt // of the hours' Min and Max
	Folded    Opt // gas: mean of the valid folded hours
	Flow      Opt // water: flow of the day, m3
	Total     Opt // kg; gas: of the hours that have a rate; water: of all its flow, only when Valid
	Reported  Reported
	Judged    Opt
	Basis     Basis
	Limit     LimitRef
	Over      bool
	Evidence  bool
	Times     Opt
	DiffPct   Opt
	Mismatch  bool
	Reasons   []string
}

// DayRow is a derived day (00:00 to 24:00 Beijing time) of an outlet.
type DayRow struct {
	Outlet  telemetry.OutletID
	At      int64 // start of the day
	Revised bool
	Rules   string
	Flow    Opt // m3 of the day: dry gas at standard state, or water
	FlowBy  FlowSource
	Factors []FactorDay
}

// Factor finds a factor by code.
func (r *DayRow) Factor(code string) *FactorDay {
	for i := range r.Factors {
		if r.Factors[i].Code == code {
			return &r.Factors[i]
		}
	}
	return nil
}

// State is what an outlet is in now; the numbers are the order of precedence
// of the rule state.order.
type State uint8

// States, first that holds wins.
const (
	Stopped State = 1 + iota
	Offline
	Exceed
	Warn
	Suspect
	Maintenance
	Normal
)

// AllStates lists the states in the order the overview shows them.
var AllStates = []State{Exceed, Warn, Suspect, Offline, Maintenance, Stopped, Normal}

// String gives the name used in addresses and catalogue keys ("state."+name).
func (s State) String() string {
	switch s {
	case Stopped:
		return "stopped"
	case Offline:
		return "offline"
	case Exceed:
		return "exceed"
	case Warn:
		return "warn"
	case Suspect:
		return "suspect"
	case Maintenance:
		return "maint"
	case Normal:
		return "normal"
	}
	return "unknown"
}

// ParseState is the reverse of String.
func ParseState(s string) (State, bool) {
	for _, x := range AllStates {
		if x.String() == s {
			return x, true
		}
	}
	return 0, false
}

// StateResult is an outlet's state and why.
type StateResult struct {
	Outlet  telemetry.OutletID
	State   State
	Since   time.Time // start of the unbroken period as far as known (at most 24 h of hours are looked through); zero = unknown
	Factor  string    // factor that decides; "" for stopped, offline, normal
	Level   string    // hour, day, realtime: what the value is of; "" = no value
	At      time.Time // start of the hour or day, or instant of the record, the value belongs to
	Value   Opt       // deciding value; for a normal outlet its main factor's last figure
	Folded  bool      // Value is folded to reference oxygen
	Limit   LimitRef
	Times   Opt
	Reason  Text // key "reason.…"
	Rule    string
	Version int
	Latest  int64 // DataTime of the latest record, Unix seconds; 0 = none
	Seen    int64 // receive time or DataTime of the last sign of life, Unix seconds; 0 = none
}

// Counts are the outlets in each state.
type Counts map[State]int

// Tile is one factor of an outlet as the outlet page shows it.
type Tile struct {
	Code   string
	Level  string // hour (running or last closed), realtime
	At     int64
	Value  Opt
	Folded bool
	Unit   string // of the registry or the factor table
	Flag   string
	State  State // Exceed, Warn, Suspect, Maintenance, Stopped, Offline or Normal of this factor alone
	Limit  LimitRef
	NValid int // valid minutes of the running hour
}

// Forecast tells whether an hour can still become valid.
type Forecast struct {
	Outlet   telemetry.OutletID
	Code     string
	Hour     int64
	NValid   int  // valid minutes so far
	Elapsed  int  // minutes of the hour gone by
	Possible int  // minutes still to come
	Missing  int  // minutes still needed to reach the minimum
	Lost     bool // Missing > Possible: can no longer be reached
	AtRisk   bool // not lost yet, but fewer spare minutes than already lost ones
}

// View is the running hour and day of an outlet.
type View struct {
	Outlet    telemetry.OutletID
	Now       time.Time
	Hour      *HourRow // running hour; nil = nothing yet
	Last      *HourRow // last closed hour
	Day       *DayRow  // running day
	Yesterday *DayRow
	Tiles     []Tile
	Forecasts []Forecast // one a factor
	HoursOK   map[string]int
	HoursNeed int // valid hours a valid day still needs at least: "4 more valid hours needed today"
}

// FrameRef points to a frame that a value came in.
type FrameRef struct {
	Locator  telemetry.Locator
	Kind     telemetry.Kind
	At       int64 // DataTime
	Received int64 // Unix microseconds; 0 = unknown
	RF       bool
	Revised  bool
	Items    []telemetry.Value // the explained factor's items in this frame
}

// Explanation is everything behind one value.
type Explanation struct {
	Outlet   telemetry.OutletID
	Factor   string
	Level    string // hour, day, minute, realtime
	From, To time.Time
	Unit     string
	Value    Opt // the judged value; the mean so far while not valid
	Basis    Basis
	Valid    bool
	Flag     string
	Limit    LimitRef
	Standard string // of the limit, with its own words of scope
	Over     bool
	Evidence bool
	Times    Opt
	Exempt   bool // over the limit, but exempt by a mark: Over is false
	Running  bool // the period is not over yet
	// Frames: reported frames first (the 2061 or 2031 of the period), then the
	// minute or real-time frames in order of time.
	Frames     []FrameRef
	Revisions  []FrameRef // every part and revision of revised records, in order of arrival
	Reported   Reported
	Recomputed Opt // figure to compare Reported with (folded where folded)
	DiffPct    Opt
	Mismatch   bool
	Steps      Trace        // in order
	Hours      []FactorHour // for a day: its 24 hours (missing ones with Flag Md)
	HourStarts []int64
	Inputs     Inputs
}

// Inputs tells what a value was derived from, so that anybody who has the same
// records and rules can tell that they are the same.
type Inputs struct {
	Records  int    // merged records of the period it was derived from
	Seen     int    // minutes covered by any record (of a day: hours)
	Valid    int    // those of them that count
	Expected int    // minutes (hours) due
	Rules    string // digest of the rule set in force, 16 hex digits
	Outlet   string // hash of what the registry says of the outlet that judging looks at, 16 hex digits
	Hash     string // hash of the records, 16 hex digits; see layers.go
}

// Level names.
const (
	LevelHour     = "hour"
	LevelDay      = "day"
	LevelMinute   = "minute"
	LevelRealtime = "realtime"
)

// Cell is one hour of the completeness heatmap.
type Cell struct {
	Hour     int64
	Seen     int // factor minutes received
	Expected int // factor minutes due; 0 = nothing due
}

// Percent is Seen of Expected, missing when nothing is due.
func (c Cell) Percent() Opt {
	if c.Expected == 0 {
		return Opt{}
	}
	return Some(100 * float64(c.Seen) / float64(c.Expected))
}

// Spark is the last 24 hours of an outlet's most important factor.
type Spark struct {
	Factor string
	Folded bool
	From   int64
	Values [24]Opt // valid or running means; missing ones are gaps
	Limit  LimitRef
	Valid  int // valid hours among the closed ones
	Due    int // hours due among the closed ones
}

// Backlog is how far the judgement is behind the journal.
type Backlog struct {
	Cursor, Tail uint64 // journal sequences
	Dirty        int    // hours waiting
	Failed       int    // hours and days whose records cannot be read
	Frames       int64  // records judged since the start
}

// Done reports whether everything received is judged.
func (b Backlog) Done() bool { return b.Cursor >= b.Tail && b.Dirty == 0 }
