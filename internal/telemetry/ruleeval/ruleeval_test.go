package ruleeval

import (
	"encoding/json"
	"strings"
	"testing"

	"plateau/rules"
)

func TestLine(t *testing.T) {
	t.Parallel()
	e := evaluatorAt(t, "2026-11-24")
	for _, c := range []struct{ line, want string }{
		{`{"id":"a","rule":"cems.wet_to_dry","input":{"conc_wet":20,"xsw":0.5}}`, `{"id":"a","result":{"dry":40}}`},
		{"\uFEFF" + `{"id":7,"rule":"cems.wet_to_dry","input":{"xsw":0,"conc_wet":2e1}, "expected":{"dry":3},"tol":1}`, `{"id":7,"result":{"dry":20}}`},
		{`{"rule":"cems.wet_to_dry","input":{"conc_wet":20,"xsw":0}}`, `{"id":null,"result":{"dry":20}}`},
		{`{"id":{"n":[1]},"rule":"cems.capture_rate","input":{"period_h":1,"invalid_h":0,"stopped_h":1}}`, `{"id":{"n":[1]},"result":{"alpha_pct":null}}`},
		{"{\"id\":\"\xff\",\"rule\":\"cems.wet_to_dry\",\"input\":{\"conc_wet\":20,\"xsw\":0}}", `{"id":"` + "\uFFFD" + `","result":{"dry":20}}`},
		{`{"id":"a","rule":"water.class","input":{"waterbody":"river","values":{}}}`, `{"id":"a","result":{"cls":null,"per_factor":{},"over_class3":{}}}`},
		{`{"id":"a","rule":"air.iaqi","input":{"version":"2012","item":"SO2_1h","conc":801}}`, `{"id":"a","result":{"iaqi":null}}`},
		{`{"id":"a","rule":"air.iaqi","input":{"item":"SO2_1h","conc":801}}`, `{"id":"a","result":{"iaqi":200}}`},
	} {
		a, ok := e.Line([]byte(c.line))
		got, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if !ok || string(got) != c.want {
			t.Errorf("%s\ngives %s\nwant  %s", c.line, got, c.want)
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	e := evaluatorAt(t, "2026-11-24")
	for _, c := range []struct{ rule, input, want string }{
		{"cems.hour_man", `{}`, `no rule "cems.hour_man"; there are air.aqi, air.iaqi, air.valid, cems.capture_rate`},
		{"cems.wet_to_dry", ``, "input: missing; expected an object"},
		{"cems.wet_to_dry", `null`, "input: expected an object, got null"},
		{"cems.wet_to_dry", `[1]`, "input: expected an object, got [1]"},
		{"cems.wet_to_dry", `{"xsw":0.1}`, "conc_wet: missing; expected a number"},
		{"cems.wet_to_dry", `{"conc_wet":"20","xsw":0.1}`, `conc_wet: expected a number, got "20"`},
		{"cems.wet_to_dry", `{"conc_wet":20,"xsw":1}`, "xsw: expected a fraction of 0 or more and below 1, got 1"},
		{"cems.wet_to_dry", `{"conc_wet":null,"xsw":0}`, "conc_wet: expected a number, got null"},
		{"cems.wet_to_dry", `{"conc_wet":1e999,"xsw":0}`, "conc_wet: expected a number, got 1e999"},
		{"cems.wet_to_dry", `{"conc_wet":1e-99999999999,"xsw":0}`, "conc_wet: expected a number, got 1e-99999999999"},
		{"cems.emission_rate", `{"conc_std_dry":1e300,"qsn_m3_h":1e300}`, "the result is no finite number"},
		{"cems.fold_o2", `{"conc":1,"o2":8}`, "o2: no such field; expected conc, o2_pct, ref_o2_pct"},
		{"cems.fold_o2", `{"conc":1,"o2_pct":8,"ref_o2_pct":21}`, "ref_o2_pct: expected a number of 0 or more and below 21 or null, got 21"},
		{"cems.flow_std_dry", `{"area_m2":1,"kv":1,"vp_m_s":1,"ts_c":-273,"ba_pa":1,"ps_pa":0,"xsw":0}`, "ts_c: expected a number above -273, got -273"},
		{"cems.hour_mean", `{"runs":{}}`, "runs: expected a list of {flag, minutes, value}, got {}"},
		{"cems.hour_mean", `{"runs":[{"flag":"N","minutes":1},7]}`, "runs[1]: expected an object, got 7"},
		{"cems.hour_mean", `{"runs":[{"flag":"N","minutes":1},{"flag":"N","minutes":"2"}]}`, `runs[1].minutes: expected a number from 0 to 60, got "2"`},
		{"cems.hour_mean", `{"runs":[{"flag":"N","minutes":40},{"flag":"C","minutes":21}]}`, "runs: expected at most 60 minutes in all, got 61"},
		{"cems.hour_mean", `{"runs":[{"flag":"N","minutes":40,"val":3}]}`, "runs[0].val: no such field; expected flag, minutes, value"},
		{"cems.hour_mean", `{"runs":[{"minutes":40}]}`, "runs[0].flag: missing; expected a text"},
		{"cems.day_mean", `{"hours":[1,2]}`, "hours: expected a list of 24 numbers or null, got 2"},
		{"cems.day_mean", `{"hours":[` + strings.Repeat("1,", 23) + `true]}`, "hours[23]: expected a number or null, got true"},
		{"cems.month_valid", `{"month":13,"valid_days":25}`, `month: expected a month: a number from 1 to 12, or "2026-02", got 13`},
		{"cems.month_valid", `{"month":"2026-13","valid_days":25}`, "month: expected a month"},
		{"cems.month_valid", `{"month":2,"valid_days":22.5}`, "valid_days: expected a whole number from 0 to 31, got 22.5"},
		{"cems.capture_rate", `{"period_h":10,"invalid_h":8,"stopped_h":3}`, "invalid_h: expected at most period_h less stopped_h, 7, got 8"},
		{"cems.capture_rate", `{"period_h":10,"invalid_h":0,"stopped_h":11}`, "stopped_h: expected at most period_h, 10, got 11"},
		{"cems.substitute_rate", `{"kind":"drift"}`, "kind: expected out_of_control, overdue_calibration, maintenance, calibration or other, got \"drift\""},
		{"cems.substitute_rate", `{"kind":"other","alpha_pct":101}`, "alpha_pct: expected a number from 0 to 100, got 101"},
		{"cems.substitute_rate", `{"kind":"other","alpha_pct":90,"consecutive_h":1,"anchor_h":9,"history":[{"from_h":3,"to_h":2,"valid":true,"kg_h":1}]}`, "history[0].to_h: expected an hour not before from_h, got 2"},
		{"cems.substitute_rate", `{"kind":"other","alpha_pct":90,"consecutive_h":1,"anchor_h":9,"history":[{"h":3,"valid":true,"kg_h":null}]}`, "history[0].kg_h: expected a number, got null"},
		{"cems.substitute_rate", `{"kind":"other","alpha_pct":90,"consecutive_h":1,"anchor_h":9,"history":[{"h":3,"valid":1}]}`, "history[0].valid: expected true or false, got 1"},
		{"wpms.day", `{"rows":[{"c":1,"q_m3":1}]}`, "rows[0].valid: missing; expected true or false"},
		{"wpms.day", `{"rows":[{"c":1,"q_m3":-1,"valid":true}]}`, "rows[0].q_m3: expected a number of 0 or more or null, got -1"},
		{"wpms.day", `{"rows":[{"q_m3":1,"valid":true}]}`, "rows[0].c: missing; expected a number or null"},
		{"net.tx_valid_rate", `{"hours":5,"stopped_h":6,"factors":1,"received_values":1,"valid_groups":1}`, "stopped_h: expected at most hours, 5, got 6"},
		{"limit.nh3_by_temperature", `{"level":"3","water_temp_c":9}`, `level: expected 1A, 1B or 2, got "3"`},
		{"judge.exceed", `{"value":1,"limit":` + strings.Repeat("9", 500) + `,"statistic":"day"}`, "limit: expected a number, got 999"},
		{"water.class", `{"waterbody":"sea","values":{}}`, `waterbody: expected lake or river, got "sea"`},
		{"water.class", `{"waterbody":"lake","values":{"w01001":"7"}}`, `values.w01001: expected a number or null, got "7"`},
		{"water.class", `{"waterbody":"lake"}`, "values: missing; expected an object"},
		{"water.tli", `{"chla_mg_m3":0}`, "chla_mg_m3: expected a number above 0 or null, got 0"},
		{"air.iaqi", `{"version":2019,"item":"O3_8h","conc":1}`, "version: expected an edition of HJ 633: 2012 or 2026, got 2019"},
		{"air.iaqi", `{"version":2012,"item":"PM2.5_1h","conc":1}`, `item: expected CO_1h, CO_24h`},
		{"air.iaqi", `{"version":2012,"item":"O3_8h","conc":-1}`, "conc: expected a number of 0 or more, got -1"},
		{"mswi.quota60", `{"marks":[{"mark":"holiday","hours":1,"pm_hour_max":1}],"this":{}}`, "marks[0].mark: expected startup, shutdown, fault, accident, baking, cooling_down or stopped"},
		{"mswi.quota60", `{"marks":[],"this":{"mark":"fault","hours":-1}}`, "this.hours: expected a number of 0 or more, got -1"},
		{"mswi.quota60", `{"marks":[]}`, "this: missing; expected an object"},
	} {
		result, _, err := e.Eval(c.rule, json.RawMessage(c.input))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s\ngives %s %v\nwant  %s", c.rule, c.input, result, err, c.want)
		}
	}
	for line, want := range map[string]string{
		`hello`:                   `{"id":null,"error":"the line is not a JSON object: invalid character 'h' looking for beginning of value, at byte 1"}`,
		`{"id":1} {}`:             "after top-level value",
		`null`:                    `{"id":null,"error":"the line is not a JSON object; expected`,
		`[]`:                      `{"id":null,"error":"the line is not a JSON object; expected`,
		`{"id":"x"}`:              `{"id":"x","error":"rule: expected the name of a rule: air.aqi`,
		`{"id":"x","rule":3}`:     `{"id":"x","error":"rule: expected the name of a rule: air.aqi`,
		`{"id":"x","rule":"a.b"}`: `{"id":"x","error":"no rule \"a.b\"`,
		`{"id":"x","RULE":"a.b"}`: `{"id":"x","error":"rule: expected`,
		`{"id":"x","rule":"water.tli","input":"y"}`: `{"id":"x","error":"input: expected an object, got \"y\""}`,
	} {
		a, ok := e.Line([]byte(line))
		got, err := json.Marshal(a)
		if ok || err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s gives %s, want %s", line, got, want)
		}
	}
}

// TestSteps: a formula can be followed with a pocket calculator.
func TestSteps(t *testing.T) {
	t.Parallel()
	e := evaluatorAt(t, "2026-11-24")
	for _, c := range []struct{ rule, input, formula, result string }{
		{"cems.hour_mean", `{"runs":[{"flag":"N","minutes":50,"value":2}]}`, "n(N) = 50 ≥ 45", "N"},
		{"cems.fold_o2", `{"conc":28,"o2_pct":8.5,"ref_o2_pct":6}`, "28 × (21 − 6) ÷ (21 − 8.5) = 33.6", "33.6"},
		{
			"cems.flow_std_dry", `{"area_m2":12.5,"kv":0.84,"vp_m_s":15,"ts_c":120,"ba_pa":101000,"ps_pa":-800,"xsw":0.08}`,
			"3600 × 12.5 × 0.84 × 15 = 567000; 567000 × 273 ÷ (273 + 120) × (101000 + (-800)) ÷ 101325 × (1 − 0.08) = 358337.3619", "358337.3619",
		},
		{"cems.emission_rate", `{"conc_std_dry":35,"qsn_m3_h":520000}`, "35 × 520000 × 1e-06 = 18.2", "18.2"},
		{"cems.nox_as_no2", `{"no_ppm":60,"no2_ppm":-3}`, "(60 + (-3)) × 46 ÷ 22.4 = 117.0536", "117.0536"},
		{"cems.wet_to_dry", `{"conc_wet":20,"xsw":0.12}`, "20 ÷ (1 − 0.12) = 22.7273", "22.7273"},
		{"cems.month_valid", `{"month":2,"valid_days":22}`, "n = 22 < 23", "not_valid"},
		{"cems.capture_rate", `{"period_h":2160,"invalid_h":960,"stopped_h":200}`, "(2160 − 960 − 200) ÷ (2160 − 200) × 100 % = 51.0204 % < 75 %", "51.0204"},
		{"cems.capture_rate", `{"period_h":5,"invalid_h":0,"stopped_h":5}`, "", "—"},
		{"cems.substitute_rate", `{"kind":"other","alpha_pct":90,"consecutive_h":1,"anchor_h":9,"history":[{"from_h":3,"to_h":5,"valid":true,"kg_h":1.5}]}`, "max G(3 h) = 1.5", "1.5"},
		{"cems.substitute_rate", `{"kind":"other","alpha_pct":9,"consecutive_h":1,"anchor_h":9,"history":[]}`, "", "no_rule"},
		{"net.tx_valid_rate", `{"hours":720,"stopped_h":48,"factors":5,"received_values":3300,"valid_groups":640}`, "3300 ÷ (672 × 5) × 640 ÷ 672 × 100 % = 93.5374 % ≥ 90 %", "93.5374"},
		{"judge.exceed", `{"value":81.5,"limit":50,"statistic":"day"}`, "81.5 ÷ 50 − 1 = 0.63", "exceeds"},
		{"water.class", `{"waterbody":"river","values":{"w01018":30,"w01009":6}}`, "w01009 II; w01018 IV: 30 ÷ 20 − 1 = 0.5", "IV"},
		{"air.iaqi", `{"version":2012,"item":"PM2.5_24h","conc":70}`, "⌈(100 − 50) ÷ (75 − 35) × (70 − 35) + 50⌉ = 94", "94"},
		{"air.iaqi", `{"version":2012,"item":"PM2.5_24h","conc":700}`, "", "500"},
		{"mswi.quota60", `{"marks":[{"mark":"startup","hours":55,"pm_hour_max":9}],"this":{"mark":"fault","hours":8,"pm_hour_max":9}}`, "min(8, 60 − 55) = 5", "5"},
		{
			"water.tli", `{"chla_mg_m3":10,"tp_mg_l":0.05,"tn_mg_l":1,"sd_m":1,"codmn_mg_l":4}`,
			"0.2663 × 50.0061 + 0.1879 × 45.7093 + 0.179 × 54.53 + 0.1834 × 51.18 + 0.1834 × 37.9793 = 48.0181", "48.0181",
		},
	} {
		_, trace, err := e.Eval(c.rule, json.RawMessage(c.input))
		if err != nil || len(trace) != 1 || trace[0].Formula != c.formula || trace[0].Result != c.result {
			t.Errorf("%s: %+v, %v; want %s, %s", c.rule, trace, err, c.formula, c.result)
		}
	}
}

// TestByDate: the rules are those of the day.
func TestByDate(t *testing.T) {
	t.Parallel()
	for date, want := range map[string]string{"2026-02-28": `{"iaqi":null}`, "2026-03-01": `{"iaqi":300}`, "1999-01-01": `{"iaqi":null}`} {
		got, trace, err := evaluatorAt(t, date).Eval("air.iaqi", json.RawMessage(`{"item":"O3_8h","conc":900}`))
		if err != nil || string(got) != want {
			t.Errorf("%s: %s, %v, want %s", date, got, err, want)
		}
		if want := map[bool]int{false: 1, true: 2}[date >= "2026-03-01"]; trace[0].Version != want {
			t.Errorf("%s: version %d, want %d", date, trace[0].Version, want)
		}
	}
	old := evaluatorAt(t, "2001-01-01") // before there were limits
	for rule, want := range map[string]string{
		"limit.nh3_by_temperature": `{"limit":null}`,
		"water.class":              `{"cls":null,"per_factor":{},"over_class3":{}}`,
	} {
		input := map[string]string{"limit.nh3_by_temperature": `{"level":"2","water_temp_c":9}`, "water.class": `{"waterbody":"lake","values":{"w01018":9}}`}
		if got, _, err := old.Eval(rule, json.RawMessage(input[rule])); err != nil || string(got) != want {
			t.Errorf("%s in 2001: %s, %v", rule, got, err)
		}
	}
}

// FuzzLine: whatever comes, there is one answer that is JSON.
func FuzzLine(f *testing.F) {
	e, err := New(rules.Default(), "2026-11-24")
	if err != nil {
		f.Fatal(err)
	}
	seeded := map[string]int{}
	for _, c := range rules.Cases() {
		if seeded[c.Rule]++; seeded[c.Rule] > 4 {
			continue
		}
		line, err := json.Marshal(map[string]any{"id": c.ID, "rule": c.Rule, "input": c.Input})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(line)
	}
	f.Add([]byte(`{"id":"\ud800","rule":"cems.hour_mean","input":{"runs":[{"flag":null,"minutes":-0}]}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		a, ok := e.Line(line)
		if out, err := json.Marshal(a); err != nil || !json.Valid(out) || ok != (a.Error == "") || ok != (a.Result != nil) {
			t.Errorf("%q gives %+v, %v", line, a, err)
		}
	})
}

// TestLabels: an edition and a level are names, however their digits are written.
func TestLabels(t *testing.T) {
	t.Parallel()
	e := evaluatorAt(t, "2026-11-24")
	for input, want := range map[string]string{
		`{"version":2012,"item":"SO2_1h","conc":801}`:      `{"iaqi":null}`,
		`{"version":2012.0,"item":"SO2_1h","conc":801}`:    `{"iaqi":null}`,
		`{"version":"2012","item":"SO2_1h","conc":8.01e2}`: `{"iaqi":null}`,
		`{"version":2.026e3,"item":"SO2_1h","conc":801.0}`: `{"iaqi":200}`,
		`{"item":"SO2_1h","conc":801}`:                     `{"iaqi":200}`,
		`{"version":2013,"item":"SO2_1h","conc":801}`:      "",
		`{"version":true,"item":"SO2_1h","conc":801}`:      "",
	} {
		got, _, err := e.Eval("air.iaqi", json.RawMessage(input))
		if string(got) != want || (err != nil) != (want == "") {
			t.Errorf("%s: %s, %v", input, got, err)
		}
	}
	for input, want := range map[string]string{
		`{"level":2,"water_temp_c":12.0}`:       `{"limit":30}`,
		`{"level":"2","water_temp_c":12.0001}`:  `{"limit":25}`,
		`{"level":"3","water_temp_c":1}`:        "",
		`{"level":null,"water_temp_c":1}`:       "",
		`{"level":["1A"],"water_temp_c":1.0e1}`: "",
	} {
		got, _, err := e.Eval("limit.nh3_by_temperature", json.RawMessage(input))
		if string(got) != want || (err != nil) != (want == "") {
			t.Errorf("%s: %s, %v", input, got, err)
		}
	}
}
