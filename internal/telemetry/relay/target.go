package relay

import (
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"plateau/hj212"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/outbound"
	"plateau/internal/telemetry"
)

// Secret is a password or a key of a target. It is kept out of logs.
type Secret string

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue("(secret)") }

// Target is a platform that frames go on to.
type Target struct {
	ID   string
	Name string
	Host string // name or address
	Port int
	TLS  bool

	// Version is the year whose bits stand in Flag: "2005", "2017", "2025"; "" =
	// those the logger sent.
	Version string
	// Ack has the target acknowledge every frame. Without it only frames whose
	// logger asked for it are waited for; the others are done once they are sent.
	Ack bool
	ST  string // of all frames; "" = as the logger sent it
	PW  Secret // of all loggers; "" = as the logger sent it
	Key Secret // SM4 key of 16 characters or 32 hexadecimal digits; "" = not encrypted

	Areas       []string // division codes with all below them
	Enterprises []string
	Outlets     []telemetry.OutletID // all three empty = every outlet
	Kinds       []int                // command numbers; none = all of Commands
	From        time.Time            // where it began: frames received before are not sent
	Rate        float64              // frames a second of the past, 0.1 to 100,000
	Window      int                  // frames that may wait for their acknowledgement, 1 to 8,192

	Sample  bool // of the demonstration
	Paused  bool
	Held    string // why it was paused by itself: HeldRefused; "" = by people, or not at all
	Edition int64  // counts the changes people made
	Created time.Time
	Updated time.Time
	ByPost  string
}

// Addr is host and port, as they are dialled.
func (t *Target) Addr() string { return net.JoinHostPort(t.Host, strconv.Itoa(t.Port)) }

// Mapping is in whose name the frames of one logger go on. What is "" is that of
// the target, or as the logger sent it.
type Mapping struct {
	MN     string             // of our logger; "" = by Outlet
	Outlet telemetry.OutletID // of our outlet, whichever logger serves it; 0 = by MN
	Theirs string             // MN at the target
	ST     string
	PW     Secret
	Key    Secret
}

// Of is the name a mapping is entered and found by: an MN, or # and an outlet.
func (m *Mapping) Of() string {
	if m.MN != "" {
		return m.MN
	}
	return "#" + strconv.FormatUint(uint64(m.Outlet), 10)
}

// command is an upload that can go on, with the kind its frames are stored under.
type command struct {
	cn   int
	kind telemetry.Kind
}

// commands lists them; a kind of several commands is chosen by its first.
var commands = []command{
	{2011, telemetry.KindRealtime},
	{2051, telemetry.KindMinute},
	{2061, telemetry.KindHour},
	{2031, telemetry.KindDay},
	{2021, telemetry.KindState},
	{2041, telemetry.KindRunTime},
	{2081, telemetry.KindPowerOn},
	{2071, telemetry.KindAlarm},
	{3020, telemetry.KindInfo},
	{2013, telemetry.KindPeriodic},
	{2062, telemetry.KindCheck},
	{2111, telemetry.KindFurnace},
	{2052, telemetry.KindNoise},
}

// Commands are the uploads to choose from, by their number.
func Commands() []int {
	var out []int
	for _, c := range commands {
		out = append(out, c.cn)
	}
	return out
}

// Versions to choose from; "" leaves the logger's.
func Versions() []string {
	return []string{"", hj212.V2005.String(), hj212.V2017.String(), hj212.V2025.String()}
}

func (t *Target) version() (v hj212.Version, convert bool) {
	switch t.Version {
	case "2005":
		return hj212.V2005, true
	case "2017":
		return hj212.V2017, true
	case "2025":
		return hj212.V2025, true
	}
	return 0, false
}

// Bounds.
const (
	maxName    = 80
	maxList    = 2000
	maxTargets = 50
	maxMN      = 64
	maxWindow  = 8192
	maxRate    = 100_000
)

// check reports what is wrong with a target, by the names of its fields.
func (t *Target) check(snap *telemetry.Snapshot, private bool) error {
	var c errs.Checks
	if n := utf8.RuneCountInString(t.Name); n == 0 {
		c.Add("name", "err.field.required")
	} else if n > maxName {
		c.Add("name", "err.field.long", "max", maxName)
	}
	switch ip, err := netip.ParseAddr(t.Host); {
	case t.Host == "" || len(t.Host) > 253 || strings.ContainsAny(t.Host, "/:@?# \t") && err != nil:
		c.Add("host", "relay.err.host")
	case err == nil && !private && !outbound.Public(ip):
		c.Add("host", "relay.err.private")
	}
	c.Require(t.Port > 0 && t.Port < 65536, "port", "relay.err.port")
	c.Require(slices.Contains(Versions(), t.Version), "version", "relay.err.version")
	c.Require(plainHeader(t.ST, 4), "st", "relay.err.header")
	c.Require(plainHeader(string(t.PW), 32), "pw", "relay.err.header")
	c.Require(keyOK(t.Key), "key", "relay.err.key")
	for _, a := range t.Areas {
		if snap.Areas[a] == nil {
			c.Add("areas", "relay.err.area", "value", a)
		}
	}
	for _, e := range t.Enterprises {
		if snap.Enterprises[e] == nil {
			c.Add("enterprises", "relay.err.enterprise", "value", e)
		}
	}
	for _, o := range t.Outlets {
		if snap.Outlets[o] == nil {
			c.Add("outlets", "relay.err.outlet", "value", int(o))
		}
	}
	if len(t.Areas) > maxList || len(t.Enterprises) > maxList || len(t.Outlets) > maxList {
		c.Add("outlets", "relay.err.list", "most", maxList)
	}
	for _, k := range t.Kinds {
		if !slices.Contains(Commands(), k) {
			c.Add("kinds", "relay.err.kind", "value", k)
		}
	}
	c.Require(t.Rate >= 0.1 && t.Rate <= maxRate, "rate", "relay.err.rate", "most", maxRate)
	c.Require(t.Window >= 1 && t.Window <= maxWindow, "window", "relay.err.window", "most", maxWindow)
	return c.Err()
}

// plainHeader reports whether s can stand in the header of a frame.
func plainHeader(s string, most int) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || strings.IndexByte(";,&=#", c) >= 0 {
			return false
		}
	}
	return len(s) <= most
}

func keyOK(k Secret) bool {
	keys, err := telemetry.ParseKeys(string(k))
	return err == nil && len(keys) <= 1
}

// key is the SM4 key as bytes; nil = none.
func (k Secret) key() []byte {
	if keys, err := telemetry.ParseKeys(string(k)); err == nil && len(keys) == 1 {
		return keys[0]
	}
	return nil
}

// check reports what is wrong with a mapping.
func (m *Mapping) check(snap *telemetry.Snapshot) error {
	var c errs.Checks
	switch {
	case m.Outlet != 0 && snap.Outlets[m.Outlet] == nil:
		c.Add("of", "relay.err.outlet", "value", int(m.Outlet))
	case m.Outlet == 0 && m.MN == "":
		c.Add("of", "err.field.required")
	case !plainHeader(m.MN, maxMN):
		c.Add("of", "relay.err.mn")
	}
	c.Require(plainHeader(m.Theirs, maxMN), "theirs", "relay.err.mn")
	c.Require(plainHeader(m.ST, 4), "map_st", "relay.err.header")
	c.Require(plainHeader(string(m.PW), 32), "map_pw", "relay.err.header")
	c.Require(keyOK(m.Key), "map_key", "relay.err.key")
	return c.Err()
}

// matcher decides which frames of the journal go to a target. It is not safe for
// concurrent use.
type matcher struct {
	t     *Target
	snap  *telemetry.Snapshot
	kinds [256]bool
	known map[telemetry.OutletID]bool // under snap
}

func newMatcher(t *Target) *matcher {
	m := &matcher{t: t}
	for _, c := range commands {
		m.kinds[c.kind] = len(t.Kinds) == 0 || slices.Contains(t.Kinds, c.cn)
	}
	return m
}

// see has the matcher go by the registry as it is now.
func (m *matcher) see(snap *telemetry.Snapshot) {
	if m.snap == nil || m.snap.Version != snap.Version {
		m.known = map[telemetry.OutletID]bool{}
	}
	m.snap = snap
}

// wants reports whether a frame goes on.
func (m *matcher) wants(o telemetry.OutletID, k telemetry.Kind, v telemetry.Verdict) bool {
	if o == 0 || !m.kinds[k] || v != telemetry.Stored && v != telemetry.Revision {
		return false
	}
	wanted, ok := m.known[o]
	if !ok {
		wanted = m.outlet(o)
		m.known[o] = wanted
	}
	return wanted
}

func (m *matcher) outlet(id telemetry.OutletID) bool {
	t := m.t
	if len(t.Areas)+len(t.Enterprises)+len(t.Outlets) == 0 || slices.Contains(t.Outlets, id) {
		return true
	}
	o := m.snap.Outlets[id]
	return o != nil && (slices.Contains(t.Enterprises, o.Enterprise) ||
		slices.ContainsFunc(t.Areas, func(a string) bool { return m.snap.Within(o.Area, a) }))
}
