package publicweb

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"
	"time"

	"plateau/hj212"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/figures"
)

// word is a text with the language it is in.
type word struct{ Text, Lang string }

func encode(q map[string][]string) string { return url.Values(q).Encode() }

func (c *call) name(n telemetry.Name) word {
	text, used := n.In(string(c.lang))
	return word{text, used}
}

// area names a division; its code where nobody knows it.
func (c *call) area(code string) word {
	if a := c.snap.Areas[code]; a != nil {
		return c.name(a.Name)
	}
	return word{code, string(c.lang)}
}

// outletName names an outlet together with its enterprise.
func (c *call) outletName(o *telemetry.Outlet) word {
	text, lang := figures.OutletName(c.l, c.snap, o)
	return word{text, lang}
}

// symbols stand behind the words, never alone where there are words.
var symbols = map[string]string{
	"a21002": "NOx", "a21026": "SO₂", "a19001": "O₂", "a21024": "HCl", "a21005": "CO", "w01018": "COD", "w01017": "BOD₅", "w01019": "CODMn",
	"w21003": "NH₃-N", "w21011": "TP", "w21001": "TN",
}

// factor names a factor in whole words, with the symbol people meet elsewhere.
// Where a language has no words of its own for it the symbol stands, and only
// where there is none the Chinese name.
func (c *call) factor(code string) word {
	symbol, name := symbols[code], ""
	f, known := hj212.LookupFactor(code)
	switch key := "factor." + code; {
	case known && c.lang == i18n.En && f.NameEn != "": // the catalogue's are as brief as officers want them
		name = f.NameEn
	case c.l.Catalogue().Has(c.lang, key):
		name = c.l.T(key)
	case known && c.lang == i18n.Zh:
		name = f.NameZh
	}
	switch {
	case name != "" && symbol != "" && !strings.HasSuffix(name, ")"):
		return word{c.l.T("public.factor", "name", name, "symbol", symbol), string(c.lang)}
	case name != "" || symbol != "":
		return word{cmp.Or(name, symbol), string(c.lang)}
	}
	return word{cmp.Or(f.NameZh, code), "zh"}
}

// when says an instant: the clock alone on the day of the page, else with the
// date.
func (c *call) when(t time.Time) string {
	if i18n.Short(t) == i18n.Short(c.cut) {
		return c.l.T("public.today_at", "clock", i18n.Clock(t))
	}
	return i18n.Stamp(t)
}

func outletPath(id telemetry.OutletID) string {
	return Home + "/outlets/" + strconv.FormatUint(uint64(id), 10)
}

func countyPath(code string) string { return Home + "/counties/" + url.PathEscape(code) }

// find returns the outlet of an address.
func (c *call) find(id string) (*telemetry.Outlet, error) {
	n, err := strconv.ParseUint(id, 10, 32)
	o := c.snap.Outlets[telemetry.OutletID(n)]
	if err != nil || o == nil || !c.placed(o) {
		return nil, notFound()
	}
	return o, nil
}

// placed reports whether the registry says which county an outlet is in. One
// that was only just let in may be in none: nobody could find it, so it is not
// published yet.
func (c *call) placed(o *telemetry.Outlet) bool { return c.snap.Areas[o.Area] != nil }

func start(day time.Time) time.Time {
	y, m, d := day.In(i18n.Zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, i18n.Zone)
}

func unix(s int64) time.Time { return time.Unix(s, 0).In(i18n.Zone) }
