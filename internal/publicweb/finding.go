package publicweb

import (
	"slices"
	"time"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/figures"
	"plateau/internal/telemetry/quality"
)

// unknown is the state of an outlet that reports, but nothing that could be
// held against a limit. It is drawn like one without data.
const unknown = "unknown"

// finding is what residents are told of an outlet.
type finding struct {
	Outlet *telemetry.Outlet
	Name   word
	Href   string // without the language
	State  string // exceed, warn, suspect, offline, maint, stopped, normal or unknown
	Text   string // one whole sentence
	Sample bool
	Since  time.Time // zero = not known
}

// Shape is the drawing that goes with the state.
func (f finding) Shape() string {
	if f.State == unknown {
		return quality.Offline.String()
	}
	return f.State
}

// finding puts a state into words. Values of hours and days that are over are
// given, single values and hours that still run are not: they are not checked.
func (c *call) finding(s quality.StateResult) finding {
	o := c.snap.Outlets[s.Outlet]
	f := finding{Outlet: o, Name: c.outletName(o), Href: outletPath(o.ID), State: s.State.String(), Sample: o.Sample, Since: s.Since}
	since := c.l.T("public.not_known")
	if !s.Since.IsZero() {
		since = c.when(s.Since)
	}
	switch s.State {
	case quality.Exceed, quality.Warn:
		key := "public.say." + f.State
		if !c.closed(s) {
			f.Text = c.l.T(key+"_hidden", "since", since)
			break
		}
		if figures.Below(s.Value, s.Limit) {
			key += "_low"
		}
		f.Text = c.l.T(key, "since", since, "factor", c.factor(s.Factor).Text, "level", c.level(s.Level, s.Folded),
			"value", withUnit(figures.Beside(s.Value, s.Factor, s.Limit), figures.UnitOf(o, s.Factor)), "limit", figures.Limit(s.Limit))
	case quality.Offline:
		if key := "public.say.offline"; s.Since.IsZero() {
			f.Text = c.l.T(key + "_never")
		} else {
			f.Text = c.l.T(key, "since", since)
		}
	case quality.Normal:
		if !s.Value.OK || s.Limit.IsZero() {
			f.State = unknown
		}
		f.Text = c.l.T("public.say." + f.State)
	default:
		f.Text = c.l.T("public.say." + f.State)
	}
	return f
}

// closed reports whether the value of a state is the mean of a published hour
// or day.
func (c *call) closed(s quality.StateResult) bool {
	span := map[string]time.Duration{quality.LevelHour: time.Hour, quality.LevelDay: 24 * time.Hour}[s.Level]
	return span > 0 && c.policy.publishes(s.Level) && s.Value.OK && !s.At.Add(span).After(c.cut)
}

func (c *call) level(level string, folded bool) string {
	if folded {
		return c.l.T("level." + level + "_folded")
	}
	return c.l.T("level." + level)
}

func withUnit(value, unit string) string {
	if unit == "" {
		return value
	}
	return value + "\u00a0" + unit
}

// order of the states on a page: what matters first.
var order = []string{"exceed", "warn", "suspect", "offline", unknown, "maint", "stopped", "normal"}

func byUrgency(a, b finding) int { return slices.Index(order, a.State) - slices.Index(order, b.State) }

// summary is a county or the region in sentences.
type summary struct {
	State  string // of the most pressing outlet
	Lead   string
	More   []string
	All, N int // outlets, and those within their limits
	Sample bool
}

// sum says how many outlets are in which state. Every state that somebody is
// in has its sentence, so that the numbers add up.
func (c *call) sum(list []finding) summary {
	s := summary{All: len(list), State: "normal"}
	n := map[string]int{}
	var since time.Time
	for _, f := range list {
		n[f.State]++
		s.Sample = s.Sample || f.Sample
		if f.State == "exceed" && !f.Since.IsZero() && (since.IsZero() || f.Since.Before(since)) {
			since = f.Since
		}
		if slices.Index(order, f.State) < slices.Index(order, s.State) {
			s.State = f.State
		}
	}
	s.N = n["normal"]
	s.Lead = c.l.T("public.sum.within", "clock", c.when(c.cut), "n", s.N, "all", s.All)
	for _, state := range order[:len(order)-1] {
		switch {
		case n[state] == 0:
		case state == "exceed" && !since.IsZero():
			s.More = append(s.More, c.l.T("public.sum.exceed_since", "n", n[state], "since", c.when(since)))
		default:
			s.More = append(s.More, c.l.T("public.sum."+state, "n", n[state]))
		}
	}
	return s
}

// Box is the look of the sentence.
func (s summary) Box() string { return box(s.State) }

// Box is the look of the sentence.
func (f finding) Box() string { return box(f.State) }

// box is the look of a sentence about a state: loud when something is over a
// limit, never green where something is not known, and plain where an
// instrument is in maintenance or a source stands still: that is no warning.
func box(state string) string {
	switch state {
	case "exceed":
		return "exceed"
	case "normal":
		return "ok"
	case "maint", "stopped":
		return ""
	}
	return "warn"
}
