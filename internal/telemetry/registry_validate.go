package telemetry

import (
	"cmp"
	"crypto/rand"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"plateau/internal/platform/errs"
)

func notFound() error { return errs.New(errs.NotFound, "err.not_found") }

func taken(field, value string) error {
	return &errs.Error{
		Kind: errs.Conflict, Key: "err.taken",
		Fields: []errs.Field{{Name: field, Key: "err.field.taken", Args: []any{"value", value}}},
	}
}

var (
	enterpriseID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`) // stands in addresses
	areaCode     = regexp.MustCompile(`^[0-9]{6}([0-9]{3}){0,3}$`)         // GB/T 2260; townships, villages and groups have 9, 12 and 15
	factorCode   = regexp.MustCompile(`^[A-Za-z0-9]{1,16}$`)
	isoDate      = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)
)

func newEnterpriseID() string { return "e" + strings.ToLower(rand.Text()[:10]) }

// Bounds of texts in characters.
const (
	maxName = 120
	maxText = 400
	maxMN   = 64 // HJ 212-2017 gives 24; installed loggers send what they like
)

// text notes a text that is too long or holds what the databases refuse.
func text(c *errs.Checks, field, s string, most int) {
	c.Require(utf8.RuneCountInString(s) <= most, field, "err.field.long", "max", most)
	c.Require(utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl), field, "err.field.text")
}

func name(c *errs.Checks, n Name) {
	c.Require(strings.TrimSpace(n.Zh) != "", "name_zh", "err.field.required")
	text(c, "name_zh", n.Zh, maxName)
	text(c, "name_bo", n.Bo, maxName)
	text(c, "name_en", n.En, maxName)
}

func choice(c *errs.Checks, field, value string, choices ...string) {
	c.Require(slices.Contains(choices, value), field, "err.field.choice", "value", value, "choices", strings.Join(choices, ", "))
}

func number(c *errs.Checks, field string, v *float64) {
	c.Require(v == nil || !math.IsNaN(*v) && !math.IsInf(*v, 0), field, "err.field.number")
}

// place notes an area code that is not in the registry, or below a county: what
// is monitored is counted by county. Empty is "not known".
func (s *Snapshot) place(c *errs.Checks, field, code string) {
	a := s.Areas[code]
	c.Require(code == "" || a != nil, field, "err.field.unknown", "value", code)
	c.Require(a == nil || a.Number() <= 3, field, "err.field.county", "value", code)
}

func (s *Snapshot) checkEnterprise(e Enterprise) error {
	var c errs.Checks
	c.Require(enterpriseID.MatchString(e.ID), "id", "err.field.id")
	name(&c, e.Name)
	s.place(&c, "area", e.Area)
	text(&c, "permit", e.Permit, maxText)
	return c.Err()
}

func (s *Snapshot) checkOutlet(o *Outlet) error {
	var c errs.Checks
	c.Require(s.Enterprises[o.Enterprise] != nil, "enterprise", "err.field.unknown", "value", o.Enterprise)
	name(&c, o.Name)
	choice(&c, "medium", string(o.Medium), string(Gas), string(Water), string(Surface))
	s.place(&c, "area", o.Area)
	text(&c, "source_type", o.SourceType, maxText)
	text(&c, "condition", o.Condition, maxText)
	text(&c, "level", o.Level, maxText)
	c.Require(o.Lon >= -180 && o.Lon <= 180, "lon", "err.field.between", "lo", -180, "hi", 180)
	c.Require(o.Lat >= -90 && o.Lat <= 90, "lat", "err.field.between", "lo", -90, "hi", 90)
	checkFactors(&c, o.Factors)
	checkIntervals(&c, o.Intervals)
	checkSetups(&c, o)
	checkStops(&c, o.Stops)
	checkMarks(&c, o)
	checkLimits(&c, o.Limits)
	return c.Err()
}

// part names a field of a list's element, such as factors.2.code.
func part(list string, i int, field string) string { return list + "." + strconv.Itoa(i) + "." + field }

func checkFactors(c *errs.Checks, fs []OutletFactor) {
	seen := map[string]bool{}
	for i, f := range fs {
		at := func(field string) string { return part("factors", i, field) }
		c.Require(factorCode.MatchString(f.Code), at("code"), "err.field.factor")
		c.Require(!seen[f.Code], at("code"), "err.field.taken", "value", f.Code)
		seen[f.Code] = true
		text(c, at("unit"), f.Unit, 32)
		number(c, at("range_lo"), f.RangeLo)
		number(c, at("range_hi"), f.RangeHi)
		number(c, at("detection_limit"), f.DetectionLimit)
		c.Require(f.RangeLo == nil || f.RangeHi == nil || *f.RangeLo < *f.RangeHi, at("range_hi"), "err.field.above")
		c.Require(f.DetectionLimit == nil || *f.DetectionLimit >= 0, at("detection_limit"), "err.field.positive")
	}
}

func checkIntervals(c *errs.Checks, ivs []Interval) {
	for i, iv := range ivs {
		at := func(field string) string { return part("intervals", i, field) }
		// HJ 212-2017 table 9: real-time 30 to 3600 s; 1 s is what load tests send.
		c.Require(iv.Realtime >= 0 && iv.Realtime <= 86400, at("realtime"), "err.field.between", "lo", 0, "hi", 86400)
		c.Require(iv.Minute >= 0 && iv.Minute <= 60 && (iv.Minute == 0 || 60%iv.Minute == 0), at("minute"), "err.field.minute")
		c.Require(i == 0 || !iv.From.Equal(ivs[i-1].From), at("from"), "err.field.taken", "value", iv.From.Format(time.RFC3339))
	}
}

func checkSetups(c *errs.Checks, o *Outlet) {
	for i, s := range o.Setups {
		at := func(field string) string { return part("setups", i, field) }
		c.Require(date(s.From), at("effective_from"), "err.field.date")
		c.Require(i == 0 || s.From != o.Setups[i-1].From, at("effective_from"), "err.field.taken", "value", s.From)
		for _, f := range []struct {
			name   string
			v      *float64
			lo, hi float64
		}{{"area_m2", s.AreaM2, 0, 1000}, {"kv", s.Kv, 0, 10}, {"ambient_pa", s.AmbientPa, 30_000, 120_000}} { // air is at 33 kPa on the highest summit
			number(c, at(f.name), f.v)
			c.Require(f.v == nil || *f.v > f.lo && *f.v <= f.hi, at(f.name), "err.field.between", "lo", f.lo, "hi", f.hi)
		}
		for _, code := range s.Wet {
			c.Require(factorCode.MatchString(code), at("wet"), "err.field.factor")
		}
		if s.Profile != "" {
			choice(c, at("profile"), s.Profile, Profiles(o.Medium)...)
		}
	}
}

func checkStops(c *errs.Checks, stops []Stop) {
	for i, s := range stops {
		at := func(field string) string { return part("stops", i, field) }
		c.Require(!s.From.IsZero(), at("from"), "err.field.time")
		c.Require(s.To.IsZero() || s.To.After(s.From), at("to"), "err.field.after")
		c.Require(i == 0 || !stops[i-1].To.IsZero() && !s.From.Before(stops[i-1].To), at("from"), "err.field.overlap")
		text(c, at("reason"), s.Reason, maxText)
	}
}

func checkLimits(c *errs.Checks, limits []Limit) {
	seen := map[string]bool{}
	for i, l := range limits {
		at := func(field string) string { return part("limits", i, field) }
		c.Require(!seen[l.ID], at("id"), "err.field.taken", "value", l.ID)
		seen[l.ID] = true
		text(c, at("id"), l.ID, maxName)
		c.Require(factorCode.MatchString(l.Factor), at("factor"), "err.field.factor")
		choice(c, at("statistic"), l.Statistic, "instantaneous", "hour", "day", "month", "year")
		choice(c, at("op"), l.Op, "<=", ">=", "range")
		c.Require(date(l.EffectiveFrom), at("effective_from"), "err.field.date")
		c.Require(l.EffectiveTo == "" || date(l.EffectiveTo), at("effective_to"), "err.field.date")
		c.Require(l.EffectiveTo == "" || l.EffectiveTo >= l.EffectiveFrom, at("effective_to"), "err.field.after")
		c.Require(l.Op == ">=" || l.Hi != nil, at("hi"), "err.field.required")
		c.Require(l.Op == "<=" || l.Lo != nil, at("lo"), "err.field.required")
		c.Require(l.Op != "range" || l.Lo == nil || l.Hi == nil || *l.Lo <= *l.Hi, at("hi"), "err.field.above")
		number(c, at("lo"), l.Lo)
		number(c, at("hi"), l.Hi)
		// Dry air holds 21 % oxygen; the folding formula divides by 21 - O2.
		c.Require(l.RefO2 == nil || *l.RefO2 > 0 && *l.RefO2 < 21, at("ref_o2"), "err.field.between", "lo", 0, "hi", 21)
		text(c, at("standard"), l.Standard, maxName)
		text(c, at("unit"), l.Unit, 32)
		text(c, at("note"), l.Note, maxText)
	}
}

func date(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil && isoDate.MatchString(s)
}

func (s *Snapshot) checkDevice(d *Device) error {
	var c errs.Checks
	c.Require(validMN(d.MN), "mn", "err.field.mn", "max", maxMN)
	c.Require(s.Outlets[d.Outlet] != nil, "outlet", "err.field.unknown", "value", strconv.Itoa(int(d.Outlet)))
	text(&c, "password", d.Password, 64)
	for _, k := range d.Keys {
		c.Require(len(k) == 16, "keys", "err.field.key")
	}
	for _, p := range d.Networks {
		c.Require(p.IsValid(), "networks", "err.field.network", "value", p.String())
	}
	return c.Err()
}

func validMN(mn string) bool {
	return mn != "" && len(mn) <= maxMN && !strings.ContainsFunc(mn, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// ParseNetworks reads address ranges separated by spaces or commas; a single
// address stands for itself. The error is errs.Invalid for field "networks".
func ParseNetworks(s string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, f := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ';' || unicode.IsSpace(r) }) {
		p, err := netip.ParsePrefix(f)
		if err != nil {
			a, addrErr := netip.ParseAddr(f)
			if addrErr != nil {
				return nil, errs.InvalidField("networks", "err.field.network", "value", f)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// normalise brings an outlet into the one form that the database gives back:
// lists sorted, empty lists nil, times in UTC to the microsecond, texts without
// spaces around.
func normalise(o *Outlet) {
	trim(&o.Name.Zh, &o.Name.Bo, &o.Name.En, &o.SourceType, &o.Condition, &o.Level, &o.Area, &o.Enterprise)
	o.Since = instant(o.Since)
	slices.SortStableFunc(o.Factors, compareFactors)
	for i := range o.Intervals {
		o.Intervals[i].From = instant(o.Intervals[i].From)
	}
	slices.SortStableFunc(o.Intervals, func(a, b Interval) int { return a.From.Compare(b.From) })
	for i := range o.Setups {
		s := &o.Setups[i]
		trim(&s.From, &s.Profile)
		slices.Sort(s.Wet)
		s.Wet = orNil(slices.Compact(s.Wet))
	}
	slices.SortStableFunc(o.Setups, func(a, b Setup) int { return cmp.Compare(a.From, b.From) })
	for i := range o.Stops {
		s := &o.Stops[i]
		s.From, s.To = minute(s.From), minute(s.To)
		trim(&s.Reason)
	}
	slices.SortStableFunc(o.Stops, func(a, b Stop) int { return a.From.Compare(b.From) })
	normaliseMarks(o)
	for i := range o.Limits {
		l := &o.Limits[i]
		l.SourceType, l.Condition, l.Level = "", "", "" // they are of this outlet
		if l.Standard == "" {
			l.Standard = "permit"
		}
		if l.ID == "" {
			l.ID = strings.Join([]string{o.ID.ref(), l.Standard, l.Factor, l.Statistic, l.EffectiveFrom}, "-")
		}
	}
	slices.SortStableFunc(o.Limits, func(a, b Limit) int { return cmp.Compare(a.ID, b.ID) })
	o.Factors, o.Intervals = orNil(o.Factors), orNil(o.Intervals)
	o.Stops, o.Limits, o.Setups = orNil(o.Stops), orNil(o.Limits), orNil(o.Setups)
}

func compareFactors(a, b OutletFactor) int {
	return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.Code, b.Code))
}

func orNil[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return s
}

func trim(texts ...*string) {
	for _, t := range texts {
		*t = strings.TrimSpace(*t)
	}
}

// copyOutlet returns a copy whose lists are its own.
func copyOutlet(o *Outlet) Outlet {
	c := *o
	c.Factors, c.Intervals = slices.Clone(o.Factors), slices.Clone(o.Intervals)
	c.Stops, c.Limits = slices.Clone(o.Stops), slices.Clone(o.Limits)
	c.Setups = slices.Clone(o.Setups)
	c.Marks, c.Corrections = slices.Clone(o.Marks), slices.Clone(o.Corrections)
	for i := range c.Marks {
		c.Marks[i].Factors = slices.Clone(c.Marks[i].Factors)
	}
	for i := range c.Setups {
		c.Setups[i].Wet = slices.Clone(c.Setups[i].Wet)
	}
	return c
}
