package simulator

import (
	"cmp"
	_ "embed"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"plateau/hj212"
	"plateau/internal/telemetry"
)

//go:embed region/areas.csv
var areasCSV []byte

//go:embed region/outlets.csv
var outletsCSV []byte

//go:embed region/waters.json
var watersJSON []byte

// RegionData is the sample region: what a fresh demonstration puts into the
// registry. Everything but the areas is marked as a sample.
type RegionData struct {
	Areas       []telemetry.Area // province first, then each prefecture with its counties
	Enterprises []telemetry.Enterprise
	Outlets     []telemetry.Outlet // by ID, from 1
	Devices     []telemetry.Device // one each, serving since the beginning
	Seats       map[string]Place   // area code -> seat, WGS-84
	FormerCodes map[string]string  // codes before 2018 and 2023 -> codes now
}

// Place is a point in WGS-84 degrees.
type Place struct{ Lon, Lat float64 }

// Waters returns the sketch of main rivers and lakes: JSON with "features",
// each {id, kind: river|lake, rank, zh, bo, en, points: [[lon, lat], …]} in
// WGS-84. Lakes are closed rings.
func Waters() []byte { return watersJSON }

// SampleKey is the SM4 key of the sample region's encrypting logger
// (HJ 212-2025: 16 characters).
const SampleKey = "PlateauSample212"

// MinuteSwitch is the hour from which the sample's stack outlets report every
// minute instead of every ten: about 30 hours before now, so that a fresh
// demonstration has fine detail for "yesterday" and little to fill before it.
func MinuteSwitch(now time.Time) time.Time {
	return now.Truncate(time.Hour).Add(-29 * time.Hour)
}

// Region returns the sample region. Stack outlets report ten-minute records;
// see RegionAt for the change to one-minute records.
func Region() RegionData { return RegionAt(time.Time{}) }

// RegionAt returns the sample region as of now: stack outlets report one-minute
// records from MinuteSwitch(now) on, ten-minute records before.
func RegionAt(now time.Time) RegionData {
	d := RegionData{Seats: map[string]Place{}, FormerCodes: map[string]string{}}
	for _, r := range table(areasCSV) {
		d.Areas = append(d.Areas, telemetry.Area{
			Code: r["code"], Parent: r["parent"], Level: r["level"],
			Name: telemetry.Name{Zh: r["zh"], Bo: r["bo"], En: r["en"]},
		})
		d.Seats[r["code"]] = Place{number(r["lon"]), number(r["lat"])}
		if f := r["former_code"]; f != "" {
			d.FormerCodes[f] = r["code"]
		}
	}
	perEnterprise := map[string]int{}
	for _, r := range table(outletsCSV) {
		d.addOutlet(r, perEnterprise, now)
	}
	return d
}

func (d *RegionData) addOutlet(r map[string]string, seen map[string]int, now time.Time) {
	id := telemetry.OutletID(number(r["id"]))
	prof := profiles[r["profile"]]
	if prof == nil {
		panic(fmt.Sprintf("region/outlets.csv: outlet %d: no profile %q", id, r["profile"]))
	}
	ent := r["enterprise"]
	if seen[ent]++; seen[ent] == 1 {
		d.Enterprises = append(d.Enterprises, telemetry.Enterprise{
			ID: ent, Area: r["county"], Sample: true,
			Name:   telemetry.Name{Zh: r["enterprise_zh"], Bo: r["enterprise_bo"], En: r["enterprise_en"]},
			Permit: "SAMPLE" + r["county"] + ent[len(ent)-2:] + "001V",
		})
	}
	at := d.Seats[r["county"]]
	if p, ok := sectionPlaces[r["profile"]+"/"+r["county"]]; ok {
		at = p
	} else {
		at = scatter(at, id, seen[ent])
	}
	o := telemetry.Outlet{
		ID: id, Enterprise: ent, Area: r["county"], Sample: true, Lon: at.Lon, Lat: at.Lat,
		Name:   telemetry.Name{Zh: r["outlet_zh"], Bo: r["outlet_bo"], En: r["outlet_en"]},
		Medium: prof.medium, SourceType: prof.sourceType, Condition: prof.condition, Level: prof.level,
		Intervals: []telemetry.Interval{{Realtime: prof.realtime, Minute: prof.minuteBefore}},
	}
	if prof.minute != prof.minuteBefore && !now.IsZero() {
		o.Intervals = append(o.Intervals, telemetry.Interval{From: MinuteSwitch(now), Realtime: prof.realtime, Minute: prof.minute})
	}
	for i, f := range prof.factors {
		if r["hj212"] == "2005" && !follows(f.code, f.old) {
			continue // nobody can ask a logger of 2005 for it
		}
		of := telemetry.OutletFactor{Code: f.code, Order: i + 1}
		if f.hi > f.lo {
			lo, hi := f.lo, f.hi
			of.RangeLo, of.RangeHi = &lo, &hi
		}
		if f.detect > 0 {
			dl := f.detect
			of.DetectionLimit = &dl
		}
		o.Factors = append(o.Factors, of)
	}
	o.Limits = permitAmounts(r["permit"])
	d.Outlets = append(d.Outlets, o)
	dev := telemetry.Device{MN: sampleMN(r["county"], id, r["hj212"]), Outlet: id, Password: samplePassword(id)}
	if r["quirk"] == "encrypted" {
		dev.Keys = [][]byte{[]byte(SampleKey)}
	}
	d.Devices = append(d.Devices, dev)
}

// permitAmounts reads "a21002:150 a21002/month:13": tonnes a year or a month.
func permitAmounts(list string) []telemetry.Limit {
	var out []telemetry.Limit
	for f := range strings.FieldsSeq(list) {
		what, amount, _ := strings.Cut(f, ":")
		code, statistic, _ := strings.Cut(what, "/")
		t := number(amount)
		out = append(out, telemetry.Limit{
			Standard: "permit", Factor: code, Statistic: cmp.Or(statistic, "year"), Op: "<=", Hi: &t, Unit: "t", EffectiveFrom: "2025-01-01", Note: "sample",
		})
	}
	return out
}

// follows reports whether the code tables name a code as the successor of one of
// 2005; without that, what a logger of 2005 sends is not taken for it.
func follows(code, old string) bool {
	f, ok := hj212.LookupFactor(old)
	return ok && f.Note == "successor "+code
}

// sectionPlaces holds the surface-water sections, which do not lie at a county
// seat; approximate, from the river's course near the named township.
var sectionPlaces = map[string]Place{
	"surface-ii/540124": {90.90, 29.50}, // Caina township, Lhasa River
	"surface-ii/540402": {94.55, 29.45}, // Mirui township, Yarlung Tsangpo
}

// scatter moves an enterprise some kilometres away from the county seat, the
// same way every time, so that markers of one county do not cover each other.
func scatter(at Place, id telemetry.OutletID, nth int) Place {
	h := mix(uint64(id) * 77)
	angle := float64(h%360) * math.Pi / 180
	dist := 0.012 + 0.02*float64(h>>32&0xff)/255 + 0.004*float64(nth)
	return Place{
		Lon: math.Round((at.Lon+dist*math.Cos(angle))*1e4) / 1e4,
		Lat: math.Round((at.Lat+dist*math.Sin(angle))*1e4) / 1e4,
	}
}

// sampleMN makes a device identity: 14 characters for a 2005 logger, else 24
// hexadecimal digits (reference: HJ 212-2017 section 6.3, field MN).
func sampleMN(county string, id telemetry.OutletID, version string) string {
	if version == "2005" {
		return fmt.Sprintf("%s5%07d", county, id)
	}
	return fmt.Sprintf("%s%sA0%012X", county, version, uint64(id)<<8|0xE0)
}

func samplePassword(id telemetry.OutletID) string {
	return strconv.FormatUint(100000+mix(uint64(id)^0x70617373)%900000, 10)
}
