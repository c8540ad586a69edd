package outlets

import (
	"bytes"
	"cmp"
	"encoding/json"

	"plateau/hj212"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/figures"
)

// langs are the languages of names, the first being that of the property name.
var langs = []i18n.Lang{i18n.Zh, i18n.Bo, i18n.En}

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON implements json.Marshaler; members without a value are left out.
func (o object) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for _, m := range o {
		if m.value == nil || m.value == "" {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(appendText(b, m.name), ':')
		v, err := plain(m.value)
		if err != nil {
			return nil, err
		}
		b = append(b, v...)
	}
	return append(b, '}'), nil
}

// plain is JSON without the escapes that only HTML needs.
func plain(v any) (json.RawMessage, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimRight(buf.Bytes(), "\n"), err
}

// raw is plain of what can always be written.
func raw(v any) json.RawMessage {
	b, err := plain(v)
	if err != nil {
		panic("outlets: " + err.Error())
	}
	return b
}

// named is a name in the languages it is there in.
func named(n telemetry.Name) object {
	return object{{"zh", n.Zh}, {"bo", n.Bo}, {"en", n.En}}
}

// factorName is a factor's name in three languages: the catalogue's, else that
// of the national table.
func factorName(code string) telemetry.Name {
	f, _ := hj212.LookupFactor(code)
	n := telemetry.Name{Zh: cmp.Or(f.NameZh, code), En: f.NameEn}
	key := "factor." + code
	if l := i18n.Default().For(i18n.Bo); l.Has(key) {
		if text, used := l.Text(key); used == i18n.Bo {
			n.Bo = text
		}
	}
	return n
}

// levelName is what a Datastream's figures are, in three languages.
func levelName(k *key) telemetry.Name {
	id := "level." + k.level.String()
	if k.suffix == suffixFolded {
		id += "_folded"
	}
	var n telemetry.Name
	for i, to := range []*string{&n.Zh, &n.Bo, &n.En} {
		if text, used := i18n.Default().For(langs[i]).Text(id); used == langs[i] {
			*to = text
		}
	}
	return n
}

// ucum are the units of the factor table by their codes in UCUM, with a name.
var ucum = map[string][2]string{
	"mg/m3": {"mg/m3", "milligram per cubic metre"}, "ug/m3": {"ug/m3", "microgram per cubic metre"}, "ng/m3": {"ng/m3", "nanogram per cubic metre"},
	"mg/L": {"mg/L", "milligram per litre"}, "ug/L": {"ug/L", "microgram per litre"}, "ng/L": {"ng/L", "nanogram per litre"},
	"L/s": {"L/s", "litre per second"}, "m3/s": {"m3/s", "cubic metre per second"}, "m3/h": {"m3/h", "cubic metre per hour"}, "m/s": {"m/s", "metre per second"},
	"degC": {"Cel", "degree Celsius"}, "%": {"%", "percent"}, "kPa": {"kPa", "kilopascal"}, "MPa": {"MPa", "megapascal"}, "Pa": {"Pa", "pascal"},
	"uS/cm": {"uS/cm", "microsiemens per centimetre"}, "dB": {"dB", "decibel"}, "m": {"m", "metre"}, "m3": {"m3", "cubic metre"}, "t": {"t", "tonne"}, "kg": {"kg", "kilogram"},
	"A": {"A", "ampere"}, "mV": {"mV", "millivolt"}, "deg": {"deg", "degree of angle"}, "min": {"min", "minute"}, "s": {"s", "second"}, "m2": {"m2", "square metre"}, "kWh": {"kW.h", "kilowatt hour"}, "Bq/L": {"Bq/L", "becquerel per litre"},
	"NTU": {"[NTU'U]", "nephelometric turbidity unit"}, "1": {"1", "one"},
}

// unitOf is unitOfMeasurement of a factor (clause 8.2.4, table 12). A unit that
// UCUM has no code for has no definition.
func unitOf(o *telemetry.Outlet, code string) object {
	u := figures.RawUnit(o, code)
	d := ucum[u]
	var definition any
	if d[0] != "" {
		definition = "ucum:" + d[0]
	}
	return object{{"name", cmp.Or(d[1], u, "one")}, {"symbol", cmp.Or(figures.Unit(u), "1")}, {"definition", orNull(definition)}}
}

// orNull is a member that is there also when it says nothing.
func orNull(v any) any {
	if v == nil {
		return json.RawMessage("null")
	}
	return v
}
