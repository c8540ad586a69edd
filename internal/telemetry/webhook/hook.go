package webhook

import (
	"slices"
	"time"
	"unicode/utf8"

	"plateau/internal/platform/errs"
	"plateau/internal/platform/outbound"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/events"
)

// Hook is a subscription.
type Hook struct {
	ID      string
	URL     string
	Kinds   []events.Kind        // nil = all
	Areas   []string             // division codes with all below them; nil = all
	Outlets []telemetry.OutletID // nil = all
	Note    string
	Secret  outbound.Secret
	Paused  bool
	Version int64 // counts the changes people made
	Created time.Time
	Updated time.Time
	ByPost  string

	// How far it has come.
	Next     int64     // cursor of the last event that is done with
	Tries    int       // of the event behind it
	FirstTry time.Time // of that event
	NextTry  time.Time // zero = at once
	GivenUp  int       // events given up since the last success
}

// Delivery is one attempt.
type Delivery struct {
	ID      string
	Event   string // "" = a test
	Kind    string
	At      time.Time
	Try     int
	Status  int // of the answer; 0 = there was none
	Took    time.Duration
	Outcome string // Done, Retry, GaveUp
	Fault   string // what went wrong, in English; "" = nothing
}

// Outcomes of a delivery.
const (
	Done   = "done"
	Retry  = "retry"
	GaveUp = "given_up"
)

// Bounds of a subscription.
const (
	maxNote = 200
	maxList = 500
	maxHook = 100 // subscriptions
)

// check reports what is wrong with a subscription, by the names of its fields.
func (h *Hook) check(snap *telemetry.Snapshot, private bool) error {
	var c errs.Checks
	if key := outbound.CheckURL(h.URL, private); key != "" {
		c.Add("url", key)
	}
	for _, k := range h.Kinds {
		if !k.Valid() {
			c.Add("kinds", "webhook.err.kind", "value", string(k))
		}
	}
	for _, a := range h.Areas {
		if snap.Areas[a] == nil {
			c.Add("areas", "webhook.err.area", "value", a)
		}
	}
	for _, o := range h.Outlets {
		if snap.Outlets[o] == nil {
			c.Add("outlets", "webhook.err.outlet", "value", int(o))
		}
	}
	if len(h.Areas) > maxList || len(h.Outlets) > maxList {
		c.Add("outlets", "err.field.long", "max", maxList)
	}
	if utf8.RuneCountInString(h.Note) > maxNote {
		c.Add("note", "err.field.long", "max", maxNote)
	}
	if !h.Secret.Valid() {
		c.Add("secret", "webhook.err.secret")
	}
	return c.Err()
}

// wants reports whether a subscription is to be told of an event. An outlet
// that is named is enough, as is an area it lies in.
func (h *Hook) wants(e *events.Event, snap *telemetry.Snapshot) bool {
	if len(h.Kinds) > 0 && !slices.Contains(h.Kinds, e.Kind) {
		return false
	}
	if len(h.Areas)+len(h.Outlets) == 0 || slices.Contains(h.Outlets, e.Outlet) {
		return true
	}
	return slices.ContainsFunc(h.Areas, func(a string) bool { return snap.Within(e.Area, a) })
}
