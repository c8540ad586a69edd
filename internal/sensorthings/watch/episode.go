package watch

import (
	"cmp"
	"slices"
	"time"
)

// Kind is why an episode is one.
type Kind string

// Kinds of episodes.
const (
	Above  Kind = "above"
	Below  Kind = "below"
	Silent Kind = "silent"
)

// Value is an observation with a number as its result.
type Value struct {
	At    time.Time // start of the phenomenon
	Value float64
	Other bool // the result is no number: it breaks silence and says nothing of bounds
}

// Episode is a stretch of time with one thing to tell.
type Episode struct {
	Kind    Kind
	Begin   time.Time // first value beyond the bound; of silence the last value before it
	End     time.Time // first value within again; zero while it lasts
	Extreme float64   // farthest value; 0 of silence
	At      time.Time // of the extreme
	N       int       // values beyond the bound; 0 of silence
}

// Open reports that the episode lasts.
func (e Episode) Open() bool { return e.End.IsZero() }

// Episodes derives episodes out of values in order of time, as of now, newest
// first. Later values are left out: clocks of clients run ahead. A gap does not
// end an episode above or below: only a value within the bound does.
func Episodes(r Rule, values []Value, now time.Time) []Episode {
	var out []Episode
	above, below := track{kind: Above, bound: r.Above, sign: 1}, track{kind: Below, bound: r.Below, sign: -1}
	var last time.Time
	for _, v := range values {
		if v.At.After(now) {
			break
		}
		if r.SilentAfter > 0 && !last.IsZero() && v.At.Sub(last) > r.SilentAfter {
			out = append(out, Episode{Kind: Silent, Begin: last, End: v.At})
		}
		last = v.At
		if !v.Other {
			out = above.add(out, v)
			out = below.add(out, v)
		}
	}
	if r.SilentAfter > 0 && !last.IsZero() && now.Sub(last) > r.SilentAfter {
		out = append(out, Episode{Kind: Silent, Begin: last})
	}
	for _, t := range []track{above, below} {
		if t.open {
			out = append(out, t.now)
		}
	}
	slices.SortStableFunc(out, func(a, b Episode) int { return cmp.Or(b.Begin.Compare(a.Begin), cmp.Compare(a.Kind, b.Kind)) })
	return out
}

// track follows the values against one bound.
type track struct {
	kind  Kind
	bound *float64
	sign  float64 // 1: beyond is more, -1: beyond is less
	open  bool
	now   Episode
}

func (t *track) add(out []Episode, v Value) []Episode {
	if t.bound == nil {
		return out
	}
	beyond := t.sign*v.Value > t.sign**t.bound
	switch {
	case beyond && !t.open:
		t.open = true
		t.now = Episode{Kind: t.kind, Begin: v.At, Extreme: v.Value, At: v.At, N: 1}
	case beyond:
		t.now.N++
		if t.sign*v.Value > t.sign*t.now.Extreme {
			t.now.Extreme, t.now.At = v.Value, v.At
		}
	case t.open:
		t.open = false
		t.now.End = v.At
		out = append(out, t.now)
	}
	return out
}
