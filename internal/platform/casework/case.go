package casework

import "time"

// Case is what the events of a case make of it.
type Case struct {
	ID         string // UUIDv7
	TrackingNo string // 14 digits, see Tracking
	System     string
	Kind       string
	Version    int // of the case type
	State      string
	StateSince time.Time
	Severity   int
	Category   string // "" = none
	Title      string
	Text       string // as it was reported, in Lang
	Lang       string // zh, bo or en
	Location   Location
	Source     string // where the report came from; never changes
	Subject    Subject
	Reporter   string // account; "" = nobody who is known

	OwnerUnit string   // organisation that must act; "" = the office of the area
	Assignee  string   // post; "" = any of the unit
	CoUnits   []string // that act beside it
	Handler   string   // organisation that last reported the work done

	Deadlines  []Deadline
	Paused     time.Time // since when the clocks stand still; zero = they run
	PausedTo   string    // day by which they run on, YYYY-MM-DD
	Supervise  int       // how often an upper level took it up
	Escalation int       // rungs of the ladder that are behind it
	Parent     string
	MergedInto string
	Counts     map[string]int // how often what the type counts has happened
	Data       map[string]string
	Summary    Text // public, of what came of it

	Events  int // how many there are; the version that If-Match names
	Created time.Time
	Updated time.Time
}

// Location is where something is. Area is always there; the point may be.
type Location struct {
	Area      string  `json:"area"`
	Lat       float64 `json:"lat,omitempty"`
	Lon       float64 `json:"long,omitempty"`
	HasPoint  bool    `json:"has_point,omitempty"`
	AccuracyM float64 `json:"accuracy_m,omitempty"`
	Address   string  `json:"address_text,omitempty"`
	Reach     string  `json:"reach,omitempty"`
}

// Subject is what a case is about; the core does not know what it means.
type Subject struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

// Deadline is by when something is to be done.
type Deadline struct {
	Clock       string    `json:"clock"`
	Span        string    `json:"span"` // as the type says it
	Started     time.Time `json:"started"`
	Due         time.Time `json:"due"`
	Original    time.Time `json:"original"` // before pauses and extensions
	Provisional bool      `json:"provisional,omitempty"`
	Met         time.Time `json:"met,omitzero"` // zero = it runs, unless Dropped
	Dropped     bool      `json:"dropped,omitempty"`
}

// Running reports whether it has still to be met.
func (d *Deadline) Running() bool { return d.Met.IsZero() && !d.Dropped }

// Due is the running deadline that ends first; nil when none runs.
func (c *Case) Due() *Deadline {
	var first *Deadline
	for i := range c.Deadlines {
		if d := &c.Deadlines[i]; d.Running() && (first == nil || d.Due.Before(first.Due)) {
			first = d
		}
	}
	return first
}

// Deadline is the one of a clock; nil when it was never set.
func (c *Case) Deadline(clock string) *Deadline {
	for i := range c.Deadlines {
		if c.Deadlines[i].Clock == clock {
			return &c.Deadlines[i]
		}
	}
	return nil
}

// runs reports whether the deadline of a clock has still to be met.
func (c *Case) runs(clock string) bool {
	d := c.Deadline(clock)
	return d != nil && d.Running()
}

// Changes are what an event does to a case. Together with the state they lead to
// they are all there is: a case can be made anew from them, whatever calendars and
// types say by then.
type Changes struct {
	Version    *int              `json:"kind_version,omitempty"`
	Severity   *int              `json:"severity,omitempty"`
	Category   *string           `json:"category,omitempty"`
	OwnerUnit  *string           `json:"owner_unit,omitempty"`
	Assignee   *string           `json:"assignee_post,omitempty"`
	CoUnits    []string          `json:"co_units,omitempty"`
	Handler    *string           `json:"handler,omitempty"`
	Deadlines  []Deadline        `json:"deadlines,omitempty"` // each takes the place of that of its clock
	Paused     *time.Time        `json:"paused,omitempty"`
	PausedTo   *string           `json:"paused_until,omitempty"`
	Supervise  *int              `json:"supervise_level,omitempty"`
	Escalation *int              `json:"escalation_level,omitempty"`
	MergedInto *string           `json:"merged_into,omitempty"`
	Counts     map[string]int    `json:"counts,omitempty"`
	Data       map[string]string `json:"data,omitempty"`
	Summary    *Text             `json:"public_summary,omitempty"`
	TakesBack  int               `json:"takes_back,omitempty"` // the event before, by its number: the case is what it was ahead of that
}

// apply makes what comes of a case by an event.
func (c *Case) apply(e *Event) {
	ch := &e.Body.Changes
	set(&c.Version, ch.Version)
	set(&c.Severity, ch.Severity)
	set(&c.Category, ch.Category)
	set(&c.OwnerUnit, ch.OwnerUnit)
	set(&c.Assignee, ch.Assignee)
	set(&c.Handler, ch.Handler)
	set(&c.Paused, ch.Paused)
	set(&c.PausedTo, ch.PausedTo)
	set(&c.Supervise, ch.Supervise)
	set(&c.Escalation, ch.Escalation)
	set(&c.MergedInto, ch.MergedInto)
	set(&c.Summary, ch.Summary)
	if ch.CoUnits != nil {
		c.CoUnits = ch.CoUnits
	}
	for _, d := range ch.Deadlines {
		if have := c.Deadline(d.Clock); have != nil {
			*have = d
		} else {
			c.Deadlines = append(c.Deadlines, d)
		}
	}
	for k, n := range ch.Counts {
		if c.Counts == nil {
			c.Counts = map[string]int{}
		}
		c.Counts[k] = n
	}
	for k, v := range ch.Data {
		if c.Data == nil {
			c.Data = map[string]string{}
		}
		c.Data[k] = v
	}
	if e.To != c.State {
		c.State, c.StateSince = e.To, e.At
	}
	c.Events, c.Updated = e.Seq, e.At
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// Standing is how a deadline stands at a time; it is never stored.
type Standing struct {
	State       string // ok, soon (a fifth of the time or one working day is left), overdue, paused, met, dropped
	RemainingWD int
	OverdueWD   int
}

// Standing works out how a deadline of a case stands.
func (d *Deadline) Standing(c *Case, now time.Time, cal Calendar) Standing {
	switch {
	case d.Dropped:
		return Standing{State: "dropped"}
	case !d.Met.IsZero():
		return Standing{State: "met", OverdueWD: cal.WorkingDays(d.Due, d.Met)}
	case !c.Paused.IsZero():
		return Standing{State: "paused", RemainingWD: cal.WorkingDays(c.Paused, d.Due)}
	case now.After(d.Due):
		return Standing{State: "overdue", OverdueWD: cal.WorkingDays(d.Due, now)}
	}
	s := Standing{State: "ok", RemainingWD: cal.WorkingDays(now, d.Due)}
	if left := d.Due.Sub(now); left*5 <= d.Due.Sub(d.Started) || s.RemainingWD <= 1 {
		s.State = "soon"
	}
	return s
}
