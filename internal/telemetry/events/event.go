package events

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
)

// Schema is the JSON form of an event as a JSON Schema (2020-12).
//
//go:embed event.schema.json
var Schema []byte

// Kind is what happened.
type Kind string

// The kinds. New ones may be added; readers leave out what they do not know.
const (
	AlarmRaised         Kind = "alarm.raised"
	AlarmChanged        Kind = "alarm.changed" // its severity did
	AlarmAcknowledged   Kind = "alarm.acknowledged"
	AlarmUnacknowledged Kind = "alarm.unacknowledged"
	AlarmCalledFalse    Kind = "alarm.called_false"
	AlarmCalledTrue     Kind = "alarm.called_true"
	AlarmEnded          Kind = "alarm.ended"
	AlarmReopened       Kind = "alarm.reopened"
	AlarmWithdrawn      Kind = "alarm.withdrawn" // later data or another alarm took its place
	OutletState         Kind = "outlet.state"
)

// Kinds lists all kinds.
func Kinds() []Kind {
	return []Kind{
		AlarmRaised, AlarmChanged, AlarmAcknowledged, AlarmUnacknowledged, AlarmCalledFalse, AlarmCalledTrue, AlarmEnded, AlarmReopened, AlarmWithdrawn, OutletState,
	}
}

// Valid reports whether k is one of the kinds.
func (k Kind) Valid() bool { return slices.Contains(Kinds(), k) }

// Event is one thing that happened. Texts are Chinese, Tibetan and English.
type Event struct {
	Seq        int64              `json:"-"`      // cursor; the log gives it
	ID         string             `json:"id"`     // UUIDv7; the log gives it
	Time       time.Time          `json:"time"`   // when it was noted
	Kind       Kind               `json:"kind"`   //
	Outlet     telemetry.OutletID `json:"outlet"` // 0 = of no outlet
	OutletName *Name              `json:"outlet_name,omitempty"`
	Enterprise string             `json:"enterprise,omitempty"`
	Area       string             `json:"area,omitempty"`
	Path       string             `json:"path"` // of the page, below a language or the address of the installation
	Alarm      *Alarm             `json:"alarm,omitempty"`
	State      *State             `json:"state,omitempty"`
}

// Name is a text in three languages.
type Name struct {
	Zh string `json:"zh"`
	Bo string `json:"bo,omitempty"`
	En string `json:"en,omitempty"`
}

// Alarm is an alarm as it was after the event.
type Alarm struct {
	ID        string     `json:"id"`
	Kind      string     `json:"kind"`
	Factor    string     `json:"factor,omitempty"`
	Factors   []string   `json:"factors,omitempty"`
	Statistic string     `json:"statistic,omitempty"`
	Severity  string     `json:"severity"`
	Before    string     `json:"severity_before,omitempty"` // of alarm.changed
	Start     time.Time  `json:"start"`
	Opened    time.Time  `json:"opened"`
	End       *time.Time `json:"end,omitempty"`
	EndedBy   string     `json:"ended_by,omitempty"`
	Worst     *float64   `json:"worst,omitempty"`
	TimesOver *float64   `json:"times_over,omitempty"`
	Limit     *Limit     `json:"limit,omitempty"`
	Rule      string     `json:"rule,omitempty"`
	Version   int        `json:"rule_version,omitempty"`
	Note      string     `json:"note,omitempty"` // of who acknowledged it or called it false
	By        *Name      `json:"by,omitempty"`   // post
}

// Limit is the limit a figure was held against.
type Limit struct {
	ID string   `json:"id,omitempty"`
	Op string   `json:"op"`
	Lo *float64 `json:"lo,omitempty"`
	Hi *float64 `json:"hi,omitempty"`
}

// State is a change of an outlet's state; the words are those of the interface.
type State struct {
	From   string     `json:"from"`
	To     string     `json:"to"`
	Since  *time.Time `json:"since,omitempty"`
	Factor string     `json:"factor,omitempty"`
	Value  *float64   `json:"value,omitempty"`
	Limit  *Limit     `json:"limit,omitempty"`
	Reason string     `json:"reason,omitempty"` // catalogue key
}

// StateEvent tells of the state of an outlet; from is the one before, "" where
// nothing changed. The time is left to whoever hands it on.
func StateEvent(snap *telemetry.Snapshot, r *quality.StateResult, from string) Event {
	e := Event{Kind: OutletState, Path: "/outlets/" + strconv.FormatUint(uint64(r.Outlet), 10), State: &State{
		From: from, To: r.State.String(), Since: when(r.Since), Factor: r.Factor, Value: number(r.Value), Limit: limitOf(r.Limit), Reason: r.Reason.Key,
	}}
	e.of(snap, r.Outlet)
	return e
}

// JSON is the event as programs get it. base is the address of the installation,
// such as https://example.org; "" leaves link a path.
func (e *Event) JSON(base string) json.RawMessage {
	type plain Event
	b, err := json.Marshal(struct {
		*plain
		Cursor string `json:"cursor"`
		Link   string `json:"link"`
	}{(*plain)(e), Cursor(e.Seq), strings.TrimSuffix(base, "/") + e.Path})
	if err != nil {
		panic(err) // every part can be written
	}
	return b
}

// Cursor writes a cursor; ParseCursor reads it, "" is the beginning.
func Cursor(seq int64) string { return strconv.FormatInt(seq, 10) }

// ParseCursor reads a cursor.
func ParseCursor(s string) (seq int64, ok bool) {
	if s == "" {
		return 0, true
	}
	seq, err := strconv.ParseInt(s, 10, 64)
	return seq, err == nil && seq >= 0
}

func nameOf(n telemetry.Name) *Name { return &Name{n.Zh, n.Bo, n.En} }

func number(v quality.Opt) *float64 {
	if !v.OK {
		return nil
	}
	return &v.V
}

func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func limitOf(l quality.LimitRef) *Limit {
	if l.IsZero() {
		return nil
	}
	return &Limit{ID: l.ID, Op: l.Op, Lo: number(l.Lo), Hi: number(l.Hi)}
}
