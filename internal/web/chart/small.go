package chart

import (
	"html/template"
	"math"
	"strconv"
	"time"

	"plateau/internal/platform/i18n"
)

// plain writes a value with the digits it has.
func plain(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// Spark is a line of the last hours beside a row, with the limit as reference.
type Spark struct {
	Values   []float64 // in order of time; NaN keeps a gap
	Limit    float64   // NaN: none
	Decimals int
}

// SVG draws a line of 92 × 24 units without axes.
func (s Spark) SVG(l *i18n.Localizer) template.HTML {
	const w, h = 92.0, 24.0
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range s.Values {
		if num(v) {
			lo, hi = math.Min(lo, v), math.Max(hi, v)
		}
	}
	var b builder
	b.raw(`<svg class="spark" viewBox="0 0 92 24" role="img"`)
	if math.IsInf(lo, 1) {
		b.attr("aria-label", l.T("chart.spark_none"))
		b.raw(`></svg>`)
		return b.html()
	}
	b.attr("aria-label", l.T("chart.spark", "min", i18n.Number(lo, s.Decimals), "max", i18n.Number(hi, s.Decimals)))
	b.raw(`>`)
	top, bottom := hi, math.Min(lo, 0)
	if num(s.Limit) {
		top = math.Max(top, s.Limit*1.1)
	}
	if top <= bottom {
		top = bottom + 1
	}
	y := func(v float64) float64 { return h - 1.5 - (v-bottom)/(top-bottom)*(h-3) }
	if num(s.Limit) {
		b.raw(`<path class="limit" d="M0 `, px(y(s.Limit)), `h92"/>`)
	}
	var p pen
	for i, v := range s.Values {
		if !num(v) {
			p.lift()
			continue
		}
		x := float64(i) / math.Max(1, float64(len(s.Values)-1)) * w
		fresh := !p.down
		p.to(x, y(v))
		if fresh && (i+1 == len(s.Values) || !num(s.Values[i+1])) {
			p.to(x+0.8, y(v))
		}
	}
	b.raw(`<path class="line" d="`, p.String(), `"/></svg>`)
	return b.html()
}

// Bar sets a value against its limit: the bar up to the limit is quiet, what
// goes over it is loud. NaN in either draws nothing.
type Bar struct{ Value, Limit float64 }

// SVG draws a bar of 76 × 14 units; the limit stands at two thirds.
func (r Bar) SVG(l *i18n.Localizer) template.HTML {
	const w, mark = 76.0, 46.0
	var b builder
	if !num(r.Value) || !num(r.Limit) || r.Limit <= 0 {
		return ""
	}
	ratio := math.Max(0, r.Value/r.Limit)
	b.raw(`<svg class="bar" viewBox="0 0 76 14" role="img"`)
	b.attr("aria-label", l.T("chart.ratio", "percent", i18n.Number(ratio*100, 0)))
	b.raw(`><path class="under" d="M0 4h`, px(math.Min(ratio, 1)*mark), `v6H0z"/>`)
	if ratio > 1 {
		b.raw(`<path class="over" d="M46 4h`, px(math.Min((ratio-1)*mark, w-mark)), `v6H46z"/>`)
	}
	b.raw(`<path class="mark" d="M46 1v12"/></svg>`)
	return b.html()
}

// Minutes is the strip under a day chart: valid minutes of each hour, each a
// link to how the hour came about.
type Minutes struct {
	Need  int // valid minutes an hour must have
	Hours []MinuteCell
}

// MinuteCell is one hour of the strip.
type MinuteCell struct {
	From     time.Time
	Valid    int
	Short    bool // closed with too few
	Over     bool // judged over its limit
	Selected bool
	Missing  bool // nothing is known yet
	Href     string
}

// HTML writes the strip as a list of links.
func (m Minutes) HTML(l *i18n.Localizer) template.HTML {
	var b builder
	b.raw(`<p class="note">`)
	b.text(l.T("chart.valid_minutes", "n", m.Need))
	b.raw(`</p><ol class="minutes">`)
	for _, c := range m.Hours {
		b.raw(`<li><a`)
		class := ""
		if c.Short {
			class += " short"
		}
		if c.Over {
			class += " over"
		}
		if c.Missing {
			class += " none"
		}
		if class != "" {
			b.attr("class", class[1:])
		}
		if c.Selected {
			b.raw(` aria-current="true"`)
		}
		key := "chart.valid_cell"
		switch {
		case c.Missing:
			key = "chart.valid_cell_none"
		case c.Short:
			key = "chart.valid_cell_short"
		}
		label := l.T(key, "hours", i18n.Hours(c.From, c.From.Add(time.Hour)), "n", c.Valid)
		b.attr("href", c.Href)
		b.attr("title", label)
		b.raw(`><span class="vh">`)
		b.text(label)
		b.raw(`</span><span aria-hidden="true">`)
		if c.Missing {
			b.raw(`·`)
		} else {
			b.raw(strconv.Itoa(c.Valid))
		}
		b.raw(`</span></a></li>`)
	}
	b.raw(`</ol>`)
	return b.html()
}

// Heat is the completeness of reports: rows are areas or outlets, columns are
// hours from From, or what Heads names.
type Heat struct {
	Caption string // "" = the catalogue's
	From    time.Time
	Heads   []HeatHead
	Rows    []HeatRow
	Print   float64 // percent below which a number is printed; 0 = 90
}

// HeatHead is the head of a column that is no hour.
type HeatHead struct {
	Text, Href string
	Quiet      bool // read out, not shown
}

// HeatRow holds one area or outlet; percent by column, NaN = nothing due.
type HeatRow struct {
	Name    string
	Lang    string // language of Name
	Href    string
	Percent []float64
	Hrefs   []string // of the cells; nil = they are no links
}

// Marks of the heat table: what is complete stays silent.
const (
	heatPrint = 90 // percent below which a number is printed
	heatBad   = 75 // percent below which the cell is loud
)

// HTML writes a table; only numbers under 90 are printed.
func (h Heat) HTML(l *i18n.Localizer) template.HTML {
	var b builder
	caption := h.Caption
	if caption == "" {
		caption = l.T("chart.complete_table")
	}
	cols := 0
	for _, r := range h.Rows {
		cols = max(cols, len(r.Percent))
	}
	b.raw(`<table class="heat`)
	if len(h.Heads) > 0 {
		b.raw(` linked`)
	}
	b.raw(`"><caption class="vh">`)
	b.text(caption)
	b.raw(`</caption><thead><tr><td></td>`)
	for i := range cols {
		b.raw(`<th scope="col">`)
		h.head(&b, i)
		b.raw(`</th>`)
	}
	b.raw(`</tr></thead><tbody>`)
	for _, r := range h.Rows {
		b.raw(`<tr><th scope="row"`)
		if r.Lang != "" && r.Lang != string(l.Lang()) {
			b.attr("lang", i18n.Lang(r.Lang).Tag())
		}
		b.raw(`>`)
		if r.Href != "" {
			b.raw(`<a`)
			b.attr("href", r.Href)
			b.raw(`>`)
			b.text(r.Name)
			b.raw(`</a>`)
		} else {
			b.text(r.Name)
		}
		b.raw(`</th>`)
		for i, p := range r.Percent {
			href := ""
			if i < len(r.Hrefs) {
				href = r.Hrefs[i]
			}
			h.cell(&b, p, href)
		}
		b.raw(`</tr>`)
	}
	b.raw(`</tbody></table>`)
	return b.html()
}

// head writes the head of a column: every third hour, or what Heads says.
func (h *Heat) head(b *builder, i int) {
	if i >= len(h.Heads) {
		if hour := h.From.Add(time.Duration(i) * time.Hour).In(i18n.Zone).Hour(); hour%3 == 0 {
			b.raw(strconv.Itoa(hour))
		} else {
			b.raw(`<span class="vh">`, strconv.Itoa(hour), `</span>`)
		}
		return
	}
	x := &h.Heads[i]
	switch {
	case x.Href != "":
		b.raw(`<a`)
		b.attr("href", x.Href)
		b.raw(`>`)
		b.text(x.Text)
		b.raw(`</a>`)
	case x.Quiet:
		b.raw(`<span class="vh">`)
		b.text(x.Text)
		b.raw(`</span>`)
	default:
		b.text(x.Text)
	}
}

// cell writes a share; what is complete stays silent, but a link has a name.
func (h *Heat) cell(b *builder, p float64, href string) {
	limit := h.Print
	if limit == 0 {
		limit = heatPrint
	}
	if !num(p) {
		b.raw(`<td class="na"></td>`)
		return
	}
	class := ""
	switch {
	case p < min(heatBad, limit):
		class = ` class="bad"`
	case p < limit:
		class = ` class="low"`
	}
	b.raw(`<td`, class, `>`)
	text := i18n.Number(p, 0)
	if p < limit && text == i18n.Number(limit, 0) { // 89.6 is not 90
		text = i18n.Number(p, 1)
	}
	if href != "" {
		b.raw(`<a`)
		b.attr("href", href)
		b.raw(`>`)
	}
	switch {
	case p < limit:
		b.raw(text)
	case href != "":
		b.raw(`<span class="vh">`, text, `</span>`)
	}
	if href != "" {
		b.raw(`</a>`)
	}
	b.raw(`</td>`)
}
