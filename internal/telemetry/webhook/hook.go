package webhook

import (
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"plateau/internal/platform/errs"
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
	Secret  Secret
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

// Secret signs deliveries: whsec_ and 24 to 64 bytes in base64. It is kept out
// of logs.
type Secret string

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue("(secret)") }

const secretPrefix = "whsec_"

// NewSecret makes a secret of 32 random bytes.
func NewSecret() Secret {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return Secret(secretPrefix + base64.StdEncoding.EncodeToString(b))
}

func (s Secret) key() ([]byte, bool) {
	text, ok := strings.CutPrefix(string(s), secretPrefix)
	if !ok {
		return nil, false
	}
	key, err := base64.StdEncoding.DecodeString(text)
	return key, err == nil && len(key) >= 24 && len(key) <= 64
}

// Bounds of a subscription.
const (
	maxURL  = 2000
	maxNote = 200
	maxList = 500
	maxHook = 100 // subscriptions
)

// check reports what is wrong with a subscription, by the names of its fields.
func (h *Hook) check(snap *telemetry.Snapshot, private bool) error {
	var c errs.Checks
	if key := checkURL(h.URL, private); key != "" {
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
	if _, ok := h.Secret.key(); !ok {
		c.Add("secret", "webhook.err.secret")
	}
	return c.Err()
}

// checkURL returns the catalogue key of what is wrong with an address.
func checkURL(s string, private bool) string {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || len(s) > maxURL || u.User != nil || u.Fragment != "":
		return "webhook.err.url"
	case private:
		return ""
	case u.Scheme != "https":
		return "webhook.err.https"
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !Public(ip) {
		return "webhook.err.private"
	}
	return ""
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
