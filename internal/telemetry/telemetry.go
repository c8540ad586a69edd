package telemetry

import (
	"fmt"
	"net/netip"
	"time"
)

// OutletID is the small dense number of an outlet (排放口). It never changes
// and is never given again, so series keys stay valid when a logger is replaced.
type OutletID uint32

// Kind tells which upload a record came from; it is part of the series key.
type Kind uint8

// The record kinds, by the command (CN) of HJ 212-2017 section 6.6 they arrive in.
const (
	KindMessage  Kind = 0  // anything without values and DataTime (notices, acks, device information)
	KindRealtime Kind = 1  // 2011
	KindState    Kind = 2  // 2021, equipment state (SBn-RS)
	KindDay      Kind = 3  // 2031
	KindRunTime  Kind = 4  // 2041, equipment running time (SBn-RT)
	KindMinute   Kind = 5  // 2051
	KindHour     Kind = 6  // 2061
	KindAlarm    Kind = 7  // 2071, 2072 (2005)
	KindPowerOn  Kind = 8  // 2081
	KindPeriodic Kind = 9  // 2013 (2025), raw periodic measurement
	KindCheck    Kind = 10 // 2062 (2025), standard check
	KindFurnace  Kind = 11 // 2111 (2025), incinerator furnace temperature, 5-minute mean
	KindNoise    Kind = 12 // 2052 (2025), single noise measurement
	KindInfo     Kind = 13 // 3019, 3020 and other uploads that carry a DataTime
)

// KindOf returns the record kind of a command number; KindMessage when the
// command carries no series.
func KindOf(cn int) Kind {
	switch cn {
	case 2011:
		return KindRealtime
	case 2021:
		return KindState
	case 2031:
		return KindDay
	case 2041:
		return KindRunTime
	case 2051:
		return KindMinute
	case 2061:
		return KindHour
	case 2071, 2072:
		return KindAlarm
	case 2081:
		return KindPowerOn
	case 2013:
		return KindPeriodic
	case 2062:
		return KindCheck
	case 2111:
		return KindFurnace
	case 2052:
		return KindNoise
	case 3019, 3020:
		return KindInfo
	}
	return KindMessage
}

// Locator names a received frame for ever: the journal group it was written in
// and its place there. The zero Locator names nothing (sequences start at 1).
type Locator struct {
	Seq   uint64
	Index uint16
}

// String gives the form used in addresses: "seq-index".
func (l Locator) String() string { return fmt.Sprintf("%d-%d", l.Seq, l.Index) }

// IsZero reports whether l names no frame.
func (l Locator) IsZero() bool { return l.Seq == 0 }

// Verdict is what became of a frame on receipt. It is evidence and never changes.
type Verdict uint8

// Verdicts. A refused frame also has a reason, one of the error names of hj212.
const (
	Stored      Verdict = 1 // accepted
	Revision    Verdict = 2 // accepted; differs from what was stored for the same outlet, kind and time
	Quarantined Verdict = 3 // kept, but not used: unknown logger, wrong password or network, unusable clock
	Refused     Verdict = 4 // damaged; kept with the name of the fault
)

// Text returns "stored", "revision", "quarantined" or "refused:NAME".
func (v Verdict) Text(reason string) string {
	switch v {
	case Stored:
		return "stored"
	case Revision:
		return "revision"
	case Quarantined:
		return "quarantined"
	case Refused:
		return "refused:" + reason
	}
	return "unknown"
}

// Decimal is an exact decimal as sent: Coef × 10^-Scale. Trailing zeros stay
// in the scale, because they show the instrument's precision.
type Decimal struct {
	Coef  int64
	Scale uint8
}

// Value is one item of a record: a factor code, the statistic's suffix
// (Rtd, Avg, Min, Max, Cou, ZsAvg, RS, …), its exact decimal and the mark.
type Value struct {
	Code   string // factor code as sent, such as a21026
	Suffix string // as sent; "" for a bare parameter
	Dec    Decimal
	IsNum  bool   // false: the value was no number, see Text
	Text   string // source text when it is not what Dec would print; "" otherwise
	Flag   string // the factor's data mark of the same frame; "" when absent
}

// Record is what one outlet reported for one kind and time.
type Record struct {
	Outlet   OutletID
	Kind     Kind
	At       int64 // DataTime, Unix seconds, UTC
	RF       bool  // re-sent by the device (RF=1)
	Values   []Value
	Parts    []Locator // frames the record is made of, in order of arrival
	Revised  bool      // a later frame gave another value for the same key
	Received int64     // Unix microseconds of the last part
}

// Medium tells what an outlet discharges or measures.
type Medium string

// Media.
const (
	Gas     Medium = "gas"     // stack gas, HJ 75/76
	Water   Medium = "water"   // waste water, HJ 353-356
	Surface Medium = "surface" // surface-water section
)

// Name holds a name in the three languages; Zh is always there.
type Name struct{ Zh, Bo, En string }

// In returns the name in lang (zh, bo, en) and the language actually used.
func (n Name) In(lang string) (text, used string) {
	switch {
	case lang == "bo" && n.Bo != "":
		return n.Bo, "bo"
	case lang == "en" && n.En != "":
		return n.En, "en"
	}
	return n.Zh, "zh"
}

// Enterprise is a pollutant-discharging unit (排污单位).
type Enterprise struct {
	ID     string
	Name   Name
	Area   string // county code
	Permit string // discharge permit number
	Sample bool   // invented for the demonstration
}

// Outlet is a monitored discharge point or section. Its history outlives the loggers.
type Outlet struct {
	ID         OutletID
	Enterprise string
	Name       Name
	Medium     Medium
	SourceType string // as in the limits table, e.g. "coal-fired power boiler"
	Condition  string // as in the limits table, e.g. "new"
	Level      string // as in the limits table; "" = any
	Area       string // county code
	Lon, Lat   float64
	Since      time.Time // in service since; zero = unknown
	Sample     bool
	// MissingFlagIsN accepts a missing mark as N (emission-data rules 2.1); default is "unknown, not valid".
	MissingFlagIsN bool
	Factors        []OutletFactor // sorted by Order
	Intervals      []Interval     // sorted by From
	Stops          []Stop         // declared stops of the source
	Limits         []Limit        // the outlet's own (permit) limits
	Setups         []Setup        // sorted by From
	Marks          []Mark         `json:",omitempty"` // in force, sorted by From
	Corrections    []Correction   `json:",omitempty"` // in force, sorted by From
}

// OutletFactor is a factor an outlet must report.
type OutletFactor struct {
	Code           string
	Unit           string // unit of the device; "" = factor table
	RangeLo        *float64
	RangeHi        *float64
	DetectionLimit *float64
	Order          int
}

// Interval is a dated reporting setting.
type Interval struct {
	From     time.Time
	Realtime int // seconds between 2011 frames; 0 = none expected
	Minute   int // minutes covered by one 2051 record; 0 = none expected
}

// IntervalAt returns the reporting setting in force at t; a default of 60 s
// and 10 min stands in where the outlet has none.
func (o *Outlet) IntervalAt(t time.Time) Interval {
	iv := Interval{Realtime: 60, Minute: 10}
	for _, c := range o.Intervals {
		if c.From.After(t) {
			break
		}
		iv = c
	}
	return iv
}

// Stop is a declared stop of the source, half-open and to the minute; a zero To
// is open.
type Stop struct {
	From, To time.Time
	Reason   string
	By       string
}

// Limit is a dated limit value, from a standard or a permit.
type Limit struct {
	ID            string
	Standard      string // "GB 13223-2011", "permit"
	EffectiveFrom string // YYYY-MM-DD, inclusive
	EffectiveTo   string // YYYY-MM-DD, inclusive; "" = open
	SourceType    string
	Condition     string
	Level         string
	Factor        string
	Statistic     string // hour, day, instantaneous, month, year
	Op            string // <=, >=, range, text
	Lo, Hi        *float64
	Unit          string
	RefO2         *float64 // reference oxygen, volume percent dry
	Note          string
	Certainty     string
}

// Device is a logger (数采仪) for the period it serves an outlet.
type Device struct {
	MN       string
	Outlet   OutletID
	Password string // "" = not checked
	// PasswordOther is accepted beside Password, since PasswordSince, while the
	// password is changed and a while after; "" = none.
	PasswordOther string
	PasswordSince time.Time
	Networks      []netip.Prefix // empty = any
	From, To      time.Time      // zero To = still serving
	Keys          [][]byte       // SM4 keys, newest first
	// Tolerances for installed loggers that cannot be mended (HJ 212 reference, section 14).
	AcceptBadCRC, AcceptBadLength bool
	AdoptedBy                     string
	AutoAdopted                   bool // by --adopt-unknown
}

// Accepts reports whether a frame with password pw is let in.
func (d *Device) Accepts(pw []byte) bool {
	return d.Password == "" || d.Password == string(pw) || d.PasswordOther != "" && d.PasswordOther == string(pw)
}

// Snapshot is an immutable view of the registry. Readers keep it as long as
// they like; a change makes a new one.
type Snapshot struct {
	Version     uint64
	Areas       map[string]*Area // by code: the version in force, else the last, else the next
	Enterprises map[string]*Enterprise
	Outlets     map[OutletID]*Outlet
	Order       []OutletID         // by area, enterprise, name
	Devices     map[string]*Device // serving now, by MN
	Past        []Device           // no longer serving
	Limits      []Limit            // of the standards

	serving    map[OutletID]*Device // Devices by outlet; see DeviceOf
	lastOutlet OutletID             // highest number ever given

	areas      map[string][]Area   // all versions of a code, the earliest first; nil: Areas is all there is
	above      map[string][]string // by code: itself and the codes it lies in; see Within
	areaDay    string              // on which Areas is what is in force; "" = without dates
	areasUntil time.Time           // from then on other versions are in force; zero = never
}
