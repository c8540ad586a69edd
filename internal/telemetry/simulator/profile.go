package simulator

import "plateau/internal/telemetry"

// quantity tells how a factor's value comes about.
type quantity uint8

const (
	conc      quantity = iota // pollutant concentration: a series, scaled to the limit
	oxygen                    // GENERATED: stack oxygen, falls with load
	velocity                  // GENERATED: gas velocity, rises with load
	stackTemp                 // GENERATED
	pressure                  // GENERATED: static gauge pressure
	humidity                  // GENERATED
	gasFlow                   // COMPUTED: dry standard flow from velocity, temperature, pressure, humidity
	waterFlow                 // a series (inflow of a sewage works), scaled to the size
	plain                     // a series as it is (pH, sections)
	waterTemp                 // GENERATED: yearly and daily cycle of a cold-climate works
)

// factorSpec is one factor of a profile.
type factorSpec struct {
	code, old string // HJ 212-2017 and 2005 codes
	q         quantity
	dec       uint8    // decimals sent
	limit     float64  // limit the series is scaled to: its 99.5th percentile lies just below; 0 = as it is
	stat      string   // statistic of the limit
	refs      []string // series played, one chosen by the outlet; the estimate of the same name stands in
	lo, hi    float64  // measuring range
	detect    float64  // detection limit: smaller values read so
	noise     float64  // relative noise within the hour; an ASSUMPTION, no minute data were at hand
	scale     float64  // where limit is 0: multiplies the series; 0 = 1
	daily     float64  // relative daily cycle given to daily series; an ASSUMPTION
	borrowed  bool     // GENERATED: no series of the quantity is at hand, refs lends its shape
}

// profile is a kind of outlet: what the limits table calls it, and its factors.
// Source types, conditions and levels are those of the limits table; limits
// GB 13223-2011, GB 13271-2014, GB 4915-2013, GB 18485-2014, GB 18918-2002,
// GB 8978-1996, GB 3838-2002.
type profile struct {
	medium                       telemetry.Medium
	sourceType, condition, level string
	st                           string  // HJ 212 system code
	refO2                        float64 // reference oxygen, %; 0 = none
	o2, temp, moist, area        float64 // typical stack oxygen %, temperature degC, humidity %, cross-section m2
	size                         float64 // typical flow of waste water, L/s
	equipment                    int     // SB1..SBn reported in 2021 and 2041
	realtime                     int     // seconds between 2011 frames
	minuteBefore, minute         int     // minutes per 2051 record: in the history before MinuteSwitch, and since
	factors                      []factorSpec
}

var (
	beijingPM  = []string{"beijing-dingling/PM10", "beijing-gucheng/PM10", "beijing-huairou/PM10"}
	beijingSO2 = []string{"beijing-gucheng/SO2", "beijing-dingling/SO2", "beijing-huairou/SO2"}
	beijingNO2 = []string{"beijing-huairou/NO2", "beijing-gucheng/NO2", "beijing-dingling/NO2"}
	beijingCO  = []string{"beijing-dingling/CO", "beijing-huairou/CO", "beijing-gucheng/CO"}
)

func dust(limit float64) factorSpec {
	return factorSpec{code: "a34013", old: "01", dec: 2, limit: limit, stat: "hour", refs: beijingPM, hi: 200, detect: 0.3, noise: 0.02}
}

func so2(limit float64) factorSpec {
	return factorSpec{code: "a21026", old: "02", dec: 2, limit: limit, stat: "hour", refs: beijingSO2, hi: 600, detect: 1, noise: 0.02}
}

func nox(limit float64, refs ...string) factorSpec {
	return factorSpec{code: "a21002", old: "03", dec: 2, limit: limit, stat: "hour", refs: refs, hi: 600, detect: 1, noise: 0.012}
}

// stack adds the parameters that HJ 75-2017 asks of every stack; all GENERATED.
func stack(withO2 bool, f ...factorSpec) []factorSpec {
	if withO2 {
		f = append(f, factorSpec{code: "a19001", old: "S01", q: oxygen, dec: 2, hi: 25, noise: 0.006})
	}
	return append(f,
		factorSpec{code: "a01011", old: "S02", q: velocity, dec: 2, hi: 40, noise: 0.015},
		factorSpec{code: "a01012", old: "S03", q: stackTemp, dec: 1, hi: 300, noise: 0.004},
		factorSpec{code: "a01013", old: "S08", q: pressure, dec: 3, lo: -10, hi: 10, noise: 0.03},
		factorSpec{code: "a01014", old: "S05", q: humidity, dec: 2, hi: 40, noise: 0.01},
		factorSpec{code: "a00000", old: "B02", q: gasFlow, dec: 2, hi: 500})
}

func ph() factorSpec {
	return factorSpec{code: "w01001", old: "001", q: plain, dec: 2, refs: []string{"barcelona/PH-S"}, hi: 14, noise: 0.002}
}

func water(code, old string, dec uint8, limit, hi, detect float64, ref string) factorSpec {
	return factorSpec{code: code, old: old, dec: dec, limit: limit, stat: "day", refs: []string{ref}, hi: hi, detect: detect, noise: 0.008, daily: 0.12}
}

func phosphorus(limit float64) factorSpec {
	f := water("w21011", "101", 3, limit, 5, 0.01, "barcelona/SS-S")
	f.borrowed = true
	return f
}

func outflow() factorSpec {
	return factorSpec{code: "w00000", old: "B01", q: waterFlow, dec: 2, refs: []string{"barcelona/Q-E", "melbourne/Average Outflow"}, hi: 2000, noise: 0.02, daily: 0.22}
}

// sewage lists the factors of a municipal works. Total phosphorus has no real
// series at hand: it takes the shape of suspended solids (GENERATED).
func sewage(cod, nh3, tp, tn float64) []factorSpec {
	return []factorSpec{
		ph(),
		water("w01018", "011", 2, cod, 200, 4, "barcelona/DQO-S"),
		water("w21003", "060", 3, nh3, 30, 0.02, "melbourne/Ammonia"),
		phosphorus(tp),
		water("w21001", "065", 2, tn, 60, 0.1, "melbourne/Total Nitrogen"),
		outflow(),
		{code: "w01010", q: waterTemp, dec: 1, hi: 60, noise: 0.003},
	}
}

func surface(code string, dec uint8, hi float64, column string) factorSpec {
	return factorSpec{code: code, q: plain, dec: dec, hi: hi, refs: []string{"caina/" + column}, noise: 0.004}
}

const general = "general (表1)"

var profiles = map[string]*profile{
	"playlist": {medium: telemetry.Water}, // its frames come from a file
	"turbine": {
		medium: telemetry.Gas, sourceType: "natural-gas turbine", condition: "all", level: general, st: "31",
		refO2: 15, o2: 14.1, temp: 105, moist: 7.5, area: 18, equipment: 2, realtime: 30, minuteBefore: 10, minute: 1,
		factors: stack(true, dust(5), so2(35), nox(50, "gt/NOX"),
			factorSpec{code: "a21005", old: "04", dec: 2, refs: []string{"gt/CO"}, hi: 300, detect: 0.1, noise: 0.02}),
	},
	"gas-boiler": {
		medium: telemetry.Gas, sourceType: "gas-fired boiler (<= 65 t/h)", condition: "new", level: "new (表2)", st: "31",
		refO2: 3.5, o2: 5.2, temp: 92, moist: 14, area: 1.6, equipment: 1, realtime: 30, minuteBefore: 10, minute: 1,
		factors: stack(true, dust(20), so2(50), nox(200, beijingNO2...)),
	},
	"coal-boiler": {
		medium: telemetry.Gas, sourceType: "coal-fired boiler (<= 65 t/h)", condition: "new", level: "new (表2)", st: "31",
		refO2: 9, o2: 10.8, temp: 84, moist: 8.5, area: 2.4, equipment: 2, realtime: 30, minuteBefore: 10, minute: 1,
		factors: stack(true, dust(50), so2(300), nox(300, beijingNO2...)),
	},
	"oil-boiler": {
		medium: telemetry.Gas, sourceType: "oil-fired boiler (<= 65 t/h)", condition: "new", level: "new (表2)", st: "31",
		refO2: 3.5, o2: 5.8, temp: 118, moist: 10, area: 1.2, equipment: 1, realtime: 30, minuteBefore: 10, minute: 1,
		factors: stack(true, dust(30), so2(200), nox(250, beijingNO2...)),
	},
	"cement-kiln": {
		medium: telemetry.Gas, sourceType: "cement kiln and kiln-tail waste-heat system", condition: "all", level: general, st: "31",
		refO2: 10, o2: 11.4, temp: 108, moist: 6.5, area: 11, equipment: 3, realtime: 30, minuteBefore: 10, minute: 1,
		factors: stack(true, dust(30), so2(200), nox(400, beijingNO2...),
			factorSpec{code: "a21001", old: "10", dec: 3, limit: 10, stat: "hour", refs: beijingNO2, hi: 50, detect: 0.2, noise: 0.02, borrowed: true}),
	},
	"clinker-cooler": {
		medium: telemetry.Gas, sourceType: "dryer, drying mill, coal mill, clinker cooler", condition: "all", level: general, st: "31",
		o2: 20.4, temp: 96, moist: 2.2, area: 7, equipment: 1, realtime: 30, minuteBefore: 10, minute: 1,
		factors: stack(false, dust(30)),
	},
	"incinerator": {
		medium: telemetry.Gas, sourceType: "municipal waste incinerator", condition: "existing plants from 2016-01-01", level: "表4", st: "31",
		refO2: 11, o2: 9.6, temp: 148, moist: 19, area: 3.2, equipment: 4, realtime: 30, minuteBefore: 10, minute: 1,
		factors: stack(true, dust(30), so2(100), nox(300, "airq/NOx_GT", "beijing-gucheng/NO2"),
			factorSpec{code: "a21005", old: "04", dec: 2, limit: 100, stat: "hour", refs: beijingCO, hi: 300, detect: 0.5, noise: 0.02},
			// No real hydrogen chloride at hand: the shape of sulfur dioxide (GENERATED).
			factorSpec{code: "a21024", old: "08", dec: 2, limit: 60, stat: "hour", refs: beijingSO2, hi: 200, detect: 0.3, noise: 0.02, borrowed: true}),
	},
	"sewage-1a": {
		medium: telemetry.Water, sourceType: "municipal sewage works outlet", level: "1A", st: "32",
		size: 320, equipment: 2, realtime: 60, minuteBefore: 10, minute: 10, factors: sewage(50, 5, 0.5, 15),
	},
	"sewage-1b": {
		medium: telemetry.Water, sourceType: "municipal sewage works outlet", level: "1B", st: "32",
		size: 34, equipment: 2, realtime: 60, minuteBefore: 10, minute: 10, factors: sewage(60, 8, 1, 20),
	},
	"industrial-1": {
		medium: telemetry.Water, sourceType: "industrial waste water", condition: "other dischargers", level: "1 (表4)", st: "32",
		size: 9, equipment: 1, realtime: 60, minuteBefore: 10, minute: 10,
		factors: []factorSpec{
			ph(),
			water("w01018", "011", 2, 100, 500, 4, "melbourne/Chemical Oxygen Demand"),
			water("w21003", "060", 3, 15, 50, 0.02, "melbourne/Ammonia"),
			outflow(),
		},
	},
	"surface-ii": {
		medium: telemetry.Surface, sourceType: "surface water", level: "II", st: "21",
		realtime: 300,
		factors: []factorSpec{
			surface("w01010", 1, 40, "water_temp_c"), surface("w01001", 2, 14, "ph"), surface("w01009", 2, 20, "do_mg_l"),
			surface("w01014", 1, 2000, "conductivity_us_cm"), surface("w01003", 1, 1000, "turbidity_ntu"), surface("w01019", 2, 20, "codmn_mg_l"),
			surface("w21003", 3, 10, "nh3n_mg_l"), surface("w21011", 3, 5, "tp_mg_l"), surface("w21001", 2, 30, "tn_mg_l"),
		},
	},
}

// maxFactors bounds the factors of one outlet; the incinerator has most.
const maxFactors = 12
