package telemetry

import (
	"cmp"
	"slices"
	"time"

	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
)

// Groups and effects of marks in force; package rules says what they mean.
const (
	markOperating = "operating"
	markStopped   = "stopped"
)

// Mark is a mark in force (标记): what people or the program accepted of those
// that package mark keeps. It carries what its rule said of its code on the day
// that it is of, so that an accepted mark keeps its effect.
type Mark struct {
	Number  string // of the mark, such as M000012
	Rule    string // rule that knows its code, such as mark.device
	Version int
	Code    string
	Group   string // device, operating, other
	Effect  string // invalid, exempt, stopped, none
	Flag    string // of effect invalid: letter that its minutes are counted by
	Kind    string // of effect invalid: of the period, for substitution
	Quota   string // of effect exempt: rule that bounds the exempt hours; "" = none
	// Factors it is of, by the codes of the registry, sorted; none = all of the outlet.
	Factors  []string
	From, To time.Time // half-open, to the minute
}

// Of reports whether the mark is of a factor.
func (m *Mark) Of(code string) bool { return len(m.Factors) == 0 || slices.Contains(m.Factors, code) }

// Stops reports whether nothing is expected under the mark.
func (m *Mark) Stops() bool { return m.Effect == markStopped }

func (m *Mark) sharesFactor(x *Mark) bool {
	return len(m.Factors) == 0 || len(x.Factors) == 0 || slices.ContainsFunc(m.Factors, x.Of)
}

// Correction puts a value in the place of that of whole hours of a factor; what
// was measured stays as it came.
type Correction struct {
	Number   string
	Factor   string    // code of the registry
	From, To time.Time // whole hours, half-open
	Value    float64   // in the unit of the factor
}

// PutMark puts a mark into force; one with its number is replaced. Where it
// overlaps another one that cannot be beside it, the error names that one and
// says which end to move where: there is one operating-state mark at a minute,
// and one mark of the same code for a factor.
func (o *Outlet) PutMark(m Mark) error {
	m.From, m.To = minute(m.From), minute(m.To)
	var c errs.Checks
	c.Require(!m.From.IsZero(), "from", "err.field.time")
	c.Require(m.To.After(m.From), "to", "err.field.after")
	if err := c.Err(); err != nil {
		return err
	}
	for i := range o.Marks {
		x := &o.Marks[i]
		both := x.Group == markOperating && m.Group == markOperating || x.Group == m.Group && x.Code == m.Code && m.sharesFactor(x)
		switch {
		case x.Number == m.Number, !both, !x.To.After(m.From), !m.To.After(x.From):
		case x.From.After(m.From):
			return errs.InvalidField("to", "err.field.mark_next", "number", x.Number, "from", i18n.Stamp(x.From))
		default:
			return errs.InvalidField("from", "err.field.mark_there", "number", x.Number, "from", i18n.Stamp(x.From), "to", i18n.Stamp(x.To))
		}
	}
	o.DropMark(m.Number)
	o.Marks = append(o.Marks, m)
	return nil
}

// DropMark takes a mark out of force; false when it was not.
func (o *Outlet) DropMark(number string) bool {
	n := len(o.Marks)
	o.Marks = slices.DeleteFunc(o.Marks, func(m Mark) bool { return m.Number == number })
	return len(o.Marks) < n
}

// PutCorrection puts a correction into force; one with its number is replaced.
// An hour of a factor has one.
func (o *Outlet) PutCorrection(k Correction) error {
	var c errs.Checks
	c.Require(!k.From.IsZero() && k.From.Equal(k.From.Truncate(time.Hour)), "from", "err.field.hour")
	c.Require(k.To.After(k.From) && k.To.Equal(k.To.Truncate(time.Hour)), "to", "err.field.hour_after")
	c.Require(slices.ContainsFunc(o.Factors, func(f OutletFactor) bool { return f.Code == k.Factor }), "factor", "err.field.unknown", "value", k.Factor)
	if err := c.Err(); err != nil {
		return err
	}
	for i := range o.Corrections {
		x := &o.Corrections[i]
		switch {
		case x.Number == k.Number, x.Factor != k.Factor, !x.To.After(k.From), !k.To.After(x.From):
		case x.From.After(k.From):
			return errs.InvalidField("to", "err.field.mark_next", "number", x.Number, "from", i18n.Stamp(x.From))
		default:
			return errs.InvalidField("from", "err.field.mark_there", "number", x.Number, "from", i18n.Stamp(x.From), "to", i18n.Stamp(x.To))
		}
	}
	o.DropCorrection(k.Number)
	o.Corrections = append(o.Corrections, k)
	return nil
}

// DropCorrection takes a correction out of force; false when it was not.
func (o *Outlet) DropCorrection(number string) bool {
	n := len(o.Corrections)
	o.Corrections = slices.DeleteFunc(o.Corrections, func(k Correction) bool { return k.Number == number })
	return len(o.Corrections) < n
}

// Halts are the stretches in which the source stands still: declared stops and
// marks that say so, joined where they meet, the earliest first.
func (o *Outlet) Halts() []Stop {
	if !slices.ContainsFunc(o.Marks, func(m Mark) bool { return m.Stops() }) {
		return o.Stops
	}
	all := slices.Clone(o.Stops)
	for i := range o.Marks {
		if m := &o.Marks[i]; m.Stops() {
			all = append(all, Stop{From: m.From, To: m.To, Reason: m.Number})
		}
	}
	slices.SortStableFunc(all, func(a, b Stop) int { return a.From.Compare(b.From) })
	out := all[:1]
	for _, s := range all[1:] {
		last := &out[len(out)-1]
		switch {
		case !last.To.IsZero() && s.From.After(last.To):
			out = append(out, s)
		case s.To.IsZero() || !last.To.IsZero() && s.To.After(last.To):
			last.To = s.To
		}
	}
	return out
}

func checkMarks(c *errs.Checks, o *Outlet) {
	var seen Outlet
	for i := range o.Marks {
		m := &o.Marks[i]
		c.Require(m.Number != "" && !slices.ContainsFunc(seen.Marks, func(x Mark) bool { return x.Number == m.Number }), part("marks", i, "number"), "err.field.taken", "value", m.Number)
		c.Require(seen.PutMark(*m) == nil, part("marks", i, "from"), "err.field.overlap")
	}
	seen.Factors = o.Factors
	for i := range o.Corrections {
		k := &o.Corrections[i]
		at := part("corrections", i, "from")
		c.Require(k.Number != "", part("corrections", i, "number"), "err.field.required")
		number(c, part("corrections", i, "value"), &k.Value)
		if !slices.ContainsFunc(o.Factors, func(f OutletFactor) bool { return f.Code == k.Factor }) {
			continue // the factor is no longer asked for; what was corrected stays history
		}
		c.Require(seen.PutCorrection(*k) == nil, at, "err.field.overlap")
	}
}

func normaliseMarks(o *Outlet) {
	for i := range o.Marks {
		m := &o.Marks[i]
		m.From, m.To = minute(m.From), minute(m.To)
		slices.Sort(m.Factors)
		m.Factors = orNil(slices.Compact(m.Factors))
	}
	slices.SortStableFunc(o.Marks, func(a, b Mark) int { return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.Number, b.Number)) })
	for i := range o.Corrections {
		k := &o.Corrections[i]
		k.From, k.To = minute(k.From), minute(k.To)
	}
	slices.SortStableFunc(o.Corrections, func(a, b Correction) int {
		return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.Number, b.Number))
	})
	o.Marks, o.Corrections = orNil(o.Marks), orNil(o.Corrections)
}
