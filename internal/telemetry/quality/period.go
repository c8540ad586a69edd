package quality

import "plateau/internal/telemetry"

// Levels of periods longer than a day, in Beijing time.
const (
	LevelMonth   = "month"
	LevelQuarter = "quarter"
	LevelYear    = "year"
)

// PeriodFactor is one factor of an outlet in a month, quarter or year.
type PeriodFactor struct {
	Code string
	Unit string // of Mean, Min, Max and Folded

	DaysValid, DaysDue                 int
	HoursValid, HoursDue, HoursStopped int
	Valid                              bool
	Mean, Min, Max, Folded             Opt // Mean: of valid day means; also while the period is not valid
	Capture                            Opt // capture rate of the period, percent; gas only

	Measured    Opt // kg, of what was measured and valid
	Substituted Opt // kg, put in by substitution
	Total       Opt // kg, the sum of both
	SubstHours  int // hours (water: days) whose amount was substituted
	NoRule      int // hours (water: days) that no rule fills: the regulator decides

	OverHours, OverDays int      // hours and days over the limit, evidence or warning
	Limit               LimitRef // permit amount of the period, kg; zero = none
	Over                bool     // Total is above Limit
	Reasons             []string
}

// PeriodRow is an outlet in a month, quarter or year: totals with what was
// measured and what was substituted kept apart.
type PeriodRow struct {
	Outlet       telemetry.OutletID
	Level        string // LevelMonth, LevelQuarter or LevelYear
	From, To     int64  // Unix seconds, half-open
	Until        int64  // end of what has gone by; = To once the period is over
	Provisional  bool   // can still change by itself: the period, or the quarter its capture rate is of, is not over
	Profile      string // substitution profile applied
	Flow         Opt    // m3: dry flow at standard state, or water
	Factors      []PeriodFactor
	Transmission TransmissionResult
	Substitution []Substitution
	Rules        string // digest of the rule set at the end of the period, of a running one at Until
	Inputs       string // hash of the rows it was computed from, 16 hex digits
}

// Substitution is an amount put in for an unbroken run of hours (gas) or for a
// day (water) without a valid one.
type Substitution struct {
	Factor               string
	From, To             int64  // Unix seconds, half-open
	Hours                int    // hours of the run inside the period
	RunHours             int    // hours of the whole run, which decides the window
	Kind                 string // other, maintenance, calibration, …
	Method               string // code, such as T6-180, T5-720, largest-day
	Window               int    // valid hours looked back
	SourceFrom, SourceTo int64  // first and last hour (day) the value was looked for in
	SourceHours          int    // valid hours found there
	Alpha                Opt    // capture rate the window was chosen by, percent
	Rate                 Opt    // kg/h (water: kg of the day)
	Kg                   Opt    // put in altogether
	Status               string // ok, no_rule
	Provisional          bool
	Rule                 string
	Version              int
}
