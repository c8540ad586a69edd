package telemetry

import (
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/errs"
)

// Table names a part of the registry that is imported and exported as CSV.
type Table string

// The tables.
const (
	AreaTable       Table = "areas"
	EnterpriseTable Table = "enterprises"
	OutletTable     Table = "outlets"
	FactorTable     Table = "factors"
	LimitTable      Table = "limits"
	StopTable       Table = "stops"
	SetupTable      Table = "setups"
	DeviceTable     Table = "devices"
)

// table describes one: its columns, the key columns first, how its rows are
// read from the registry and how one is put into a change.
type table struct {
	keys    int // of the columns, those a row cannot do without
	columns []string
	rows    func(s *Snapshot) [][]string
	put     func(c *change, r *csvRow) error
}

var tables = map[Table]table{
	AreaTable: {1, []string{
		"code", "name_zh", "name_bo", "name_en", "level", "parent", "effective_from", "effective_to", "replaces",
	}, areaRows, putAreaRow},
	EnterpriseTable: {1, []string{"id", "name_zh", "name_bo", "name_en", "area", "permit"}, enterpriseRows, putEnterpriseRow},
	OutletTable: {1, []string{
		"id", "enterprise", "name_zh", "name_bo", "name_en", "medium", "source_type", "condition", "level",
		"area", "lon", "lat", "since", "missing_flag_is_n",
	}, outletRowsOf, putOutletRow},
	FactorTable: {2, []string{"outlet", "code", "unit", "range_lo", "range_hi", "detection_limit", "order"}, factorRows, putFactorRow},
	LimitTable: {2, []string{
		"outlet", "id", "standard", "effective_from", "effective_to", "factor", "statistic", "op", "lo", "hi", "unit", "ref_o2", "note",
	}, limitRows, putLimitRow},
	SetupTable: {2, []string{"outlet", "effective_from", "profile", "area_m2", "kv", "ambient_pa", "wet"}, setupRows, putSetupRow},
	StopTable:  {2, []string{"outlet", "from", "to", "reason"}, stopRows, putStopRow},
	DeviceTable: {2, []string{
		"mn", "outlet", "password", "networks", "keys", "accept_bad_crc", "accept_bad_length", "from", "to",
	}, deviceRows, putDeviceRow},
}

func float(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'f', -1, 64)
}

func flag(b bool) string { return strconv.FormatBool(b) }

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(beijing).Format(time.RFC3339Nano)
}

// beijing is the clock of times without a zone: UTC+8 all year.
var beijing = time.FixedZone("UTC+8", 8*3600)

func enterpriseRows(s *Snapshot) [][]string {
	var rows [][]string
	for _, e := range s.Enterprises {
		rows = append(rows, []string{e.ID, e.Name.Zh, e.Name.Bo, e.Name.En, e.Area, e.Permit})
	}
	slices.SortFunc(rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	return rows
}

// outletRowsOf goes by number, so that an import into an empty registry can
// take the numbers over.
func outletRowsOf(s *Snapshot) [][]string {
	var rows [][]string
	for _, id := range slices.Sorted(maps.Keys(s.Outlets)) {
		o := s.Outlets[id]
		rows = append(rows, []string{
			id.ref(), o.Enterprise, o.Name.Zh, o.Name.Bo, o.Name.En, string(o.Medium), o.SourceType, o.Condition, o.Level,
			o.Area, float(&o.Lon), float(&o.Lat), stamp(o.Since), flag(o.MissingFlagIsN),
		})
	}
	return rows
}

func factorRows(s *Snapshot) [][]string {
	var rows [][]string
	for _, id := range s.Order {
		for _, f := range s.Outlets[id].Factors {
			rows = append(rows, []string{id.ref(), f.Code, f.Unit, float(f.RangeLo), float(f.RangeHi), float(f.DetectionLimit), strconv.Itoa(f.Order)})
		}
	}
	return rows
}

func limitRows(s *Snapshot) [][]string {
	var rows [][]string
	for _, id := range s.Order {
		for _, l := range s.Outlets[id].Limits {
			rows = append(rows, []string{
				id.ref(), l.ID, l.Standard, l.EffectiveFrom, l.EffectiveTo, l.Factor, l.Statistic, l.Op,
				float(l.Lo), float(l.Hi), l.Unit, float(l.RefO2), l.Note,
			})
		}
	}
	return rows
}

func setupRows(s *Snapshot) [][]string {
	var rows [][]string
	for _, id := range s.Order {
		for _, x := range s.Outlets[id].Setups {
			rows = append(rows, []string{id.ref(), x.From, x.Profile, float(x.AreaM2), float(x.Kv), float(x.AmbientPa), strings.Join(x.Wet, " ")})
		}
	}
	return rows
}

func stopRows(s *Snapshot) [][]string {
	var rows [][]string
	for _, id := range s.Order {
		for _, st := range s.Outlets[id].Stops {
			to := ""
			if !st.To.IsZero() {
				to = st.To.In(beijing).Format(stopForm)
			}
			rows = append(rows, []string{id.ref(), st.Ref(), to, st.Reason})
		}
	}
	return rows
}

// deviceRows leaves passwords and keys out: an export travels by mail. An
// import that leaves them empty keeps those that are set.
func deviceRows(s *Snapshot) [][]string {
	var rows [][]string
	for _, id := range s.Order {
		for _, d := range s.DevicesOf(id) {
			rows = append(rows, []string{d.MN, id.ref(), "", NetworksText(d.Networks), "", flag(d.AcceptBadCRC), flag(d.AcceptBadLength), stamp(d.From), stamp(d.To)})
		}
	}
	return rows
}

func putEnterpriseRow(c *change, r *csvRow) error {
	e := Enterprise{ID: r.text("id")}
	if old := c.snapshot().Enterprises[e.ID]; old != nil {
		e = *old
	}
	r.into("name_zh", &e.Name.Zh)
	r.into("name_bo", &e.Name.Bo)
	r.into("name_en", &e.Name.En)
	r.into("area", &e.Area)
	r.into("permit", &e.Permit)
	if r.bad() {
		return nil
	}
	return c.putEnterprise(e)
}

func putOutletRow(c *change, r *csvRow) error {
	var o Outlet
	if r.text("id") != "" {
		o.ID = r.outletID("id")
		if r.bad() {
			return nil
		}
	}
	old := c.snapshot().Outlets[o.ID]
	if old != nil {
		o = copyOutlet(old)
	}
	r.into("enterprise", &o.Enterprise)
	r.into("name_zh", &o.Name.Zh)
	r.into("name_bo", &o.Name.Bo)
	r.into("name_en", &o.Name.En)
	r.into("medium", (*string)(&o.Medium))
	r.into("source_type", &o.SourceType)
	r.into("condition", &o.Condition)
	r.into("level", &o.Level)
	r.into("area", &o.Area)
	r.float("lon", &o.Lon)
	r.float("lat", &o.Lat)
	r.time("since", &o.Since)
	r.flag("missing_flag_is_n", &o.MissingFlagIsN)
	if r.bad() {
		return nil
	}
	if old == nil {
		_, err := c.createOutlet(o)
		return err
	}
	return c.updateOutlet(o)
}

// outletOf returns a copy of the outlet that a row names, noting a fault when
// there is none.
func (r *csvRow) outletOf(c *change) (o Outlet, ok bool) {
	id := r.outletID("outlet")
	if r.bad() {
		return o, false
	}
	old := c.snapshot().Outlets[id]
	if old == nil {
		r.fault("outlet", "err.field.unknown", "value", id.ref())
		return o, false
	}
	return copyOutlet(old), true
}

func putFactorRow(c *change, r *csvRow) error {
	o, ok := r.outletOf(c)
	if !ok {
		return nil
	}
	code := r.text("code")
	i := slices.IndexFunc(o.Factors, func(f OutletFactor) bool { return f.Code == code })
	if i < 0 {
		i = len(o.Factors)
		o.Factors = append(o.Factors, OutletFactor{Code: code, Order: i + 1})
	}
	f := &o.Factors[i]
	r.into("unit", &f.Unit)
	r.floatPtr("range_lo", &f.RangeLo)
	r.floatPtr("range_hi", &f.RangeHi)
	r.floatPtr("detection_limit", &f.DetectionLimit)
	r.int("order", &f.Order)
	if r.bad() {
		return nil
	}
	return c.updateOutlet(o)
}

func putLimitRow(c *change, r *csvRow) error {
	o, ok := r.outletOf(c)
	if !ok {
		return nil
	}
	id := r.text("id")
	i := slices.IndexFunc(o.Limits, func(l Limit) bool { return l.ID == id })
	if i < 0 {
		i = len(o.Limits)
		o.Limits = append(o.Limits, Limit{ID: id, Op: "<="})
	}
	l := &o.Limits[i]
	r.into("standard", &l.Standard)
	r.into("effective_from", &l.EffectiveFrom)
	r.into("effective_to", &l.EffectiveTo)
	r.into("factor", &l.Factor)
	r.into("statistic", &l.Statistic)
	r.into("op", &l.Op)
	r.floatPtr("lo", &l.Lo)
	r.floatPtr("hi", &l.Hi)
	r.into("unit", &l.Unit)
	r.floatPtr("ref_o2", &l.RefO2)
	r.into("note", &l.Note)
	if r.bad() {
		return nil
	}
	return c.updateOutlet(o)
}

// putSetupRow adds a setup, or changes the one that begins then.
func putSetupRow(c *change, r *csvRow) error {
	o, ok := r.outletOf(c)
	if !ok {
		return nil
	}
	x := Setup{From: r.text("effective_from")}
	i := slices.IndexFunc(o.Setups, func(y Setup) bool { return y.From == x.From })
	if i >= 0 {
		x = o.Setups[i]
	}
	r.into("profile", &x.Profile)
	r.floatPtr("area_m2", &x.AreaM2)
	r.floatPtr("kv", &x.Kv)
	r.floatPtr("ambient_pa", &x.AmbientPa)
	if r.has("wet") {
		x.Wet = strings.Fields(r.text("wet"))
	}
	if r.bad() {
		return nil
	}
	o.PutSetup(x.From, x)
	return c.updateOutlet(o)
}

// putStopRow declares a stop, or changes the one that begins then.
func putStopRow(c *change, r *csvRow) error {
	o, ok := r.outletOf(c)
	if !ok {
		return nil
	}
	s := Stop{By: c.by.ID}
	r.time("from", &s.From)
	if r.bad() {
		return nil
	}
	var was time.Time
	if i := o.stopFrom(s.From); i >= 0 {
		s, was = o.Stops[i], o.Stops[i].From
	}
	r.time("to", &s.To)
	r.into("reason", &s.Reason)
	if r.bad() {
		return nil
	}
	if err := o.PutStop(was, s); err != nil {
		return err
	}
	return c.updateOutlet(o)
}

func putDeviceRow(c *change, r *csvRow) error {
	id := r.outletID("outlet")
	d := Device{MN: r.text("mn"), Outlet: id, AdoptedBy: c.by.ID, From: c.at}
	if r.text("to") != "" {
		return r.pastDevice(c, d)
	}
	old := c.snapshot().Devices[d.MN]
	if old != nil {
		d = *old
	}
	r.secret("password", &d.Password)
	if r.has("networks") {
		networks, err := ParseNetworks(r.text("networks"))
		r.note(err)
		d.Networks = networks
	}
	if keys := r.text("keys"); keys != "" {
		parsed, err := ParseKeys(keys)
		r.note(err)
		d.Keys = parsed
	}
	r.flag("accept_bad_crc", &d.AcceptBadCRC)
	r.flag("accept_bad_length", &d.AcceptBadLength)
	former := c.snapshot().DeviceOf(id)
	if old == nil && (r.text("from") != "" || former == nil) {
		r.time("from", &d.From) // empty: since ever; without the column: since now
	}
	if r.bad() {
		return nil
	}
	if old != nil && old.Outlet == id {
		return c.updateDevice(d)
	}
	if former != nil && old == nil {
		if err := c.stopDevice(former.MN); err != nil {
			return err
		}
	}
	d.Outlet = id
	return c.startDevice(d)
}

// pastDevice accepts a row about an ended period that is known, so that an
// export can be imported again, and refuses to invent history.
func (r *csvRow) pastDevice(c *change, d Device) error {
	var to time.Time
	r.time("to", &to)
	if r.bad() {
		return nil
	}
	for _, p := range c.snapshot().Past {
		if p.MN == d.MN && p.Outlet == d.Outlet && p.To.Equal(instant(to)) {
			return nil
		}
	}
	r.fault("to", "err.field.past_device")
	return nil
}

// ParseKeys reads SM4 keys separated by spaces or commas, each as 16 characters
// or 32 hexadecimal digits. The error is errs.Invalid for field "keys".
func ParseKeys(s string) ([][]byte, error) {
	var keys [][]byte
	for _, f := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' || r == ';' }) {
		k := []byte(f)
		if len(f) == 32 {
			var err error
			if k, err = hex.DecodeString(f); err != nil {
				return nil, errs.InvalidField("keys", "err.field.key")
			}
		}
		if len(k) != 16 {
			return nil, errs.InvalidField("keys", "err.field.key")
		}
		keys = append(keys, k)
	}
	return keys, nil
}
