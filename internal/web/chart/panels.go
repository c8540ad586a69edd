package chart

import (
	"html/template"
	"math"
	"strconv"

	"plateau/internal/platform/i18n"
)

// Panels sets series side by side in small drawings with one scale, so that
// they can be compared without colours.
type Panels struct {
	Unit     string
	Decimals int
	First    string // below the left end, such as "00:00"
	Last     string // below the right end
	Series   []Panel
}

// Panel is one series.
type Panel struct {
	Name   string
	Lang   string // of Name
	Href   string
	Values []float64 // in order; NaN keeps a gap
	Weak   []bool    // shown, but valid nowhere
	Over   []bool
	Limit  float64 // NaN: none
	Lower  float64 // NaN: none
}

// HTML writes a list of drawings.
func (p Panels) HTML(l *i18n.Localizer) template.HTML {
	var b builder
	lo, hi := 0.0, math.Inf(-1)
	for i := range p.Series {
		s := &p.Series[i]
		for _, v := range s.Values {
			if num(v) {
				lo, hi = math.Min(lo, v), math.Max(hi, v)
			}
		}
		for _, v := range []float64{s.Limit, s.Lower} {
			if num(v) {
				hi = math.Max(hi, v)
			}
		}
	}
	b.raw(`<ul class="panels">`)
	for i := range p.Series {
		p.draw(&b, l, &p.Series[i], lo, hi)
	}
	b.raw(`</ul>`)
	return b.html()
}

const (
	panelWide, panelHigh = 340.0, 128.0
	panelLeft            = 40.0
	panelTop, panelFoot  = 8.0, 20.0
)

func (p *Panels) draw(b *builder, l *i18n.Localizer, s *Panel, lo, hi float64) {
	if !num(hi) {
		hi = lo + 1
	}
	y := newScale(lo, hi, panelTop, panelHigh-panelFoot)
	n := math.Max(1, float64(len(s.Values)))
	x := func(i float64) float64 { return panelLeft + i/n*(panelWide-panelLeft-4) }
	b.raw(`<li><h3`)
	if s.Lang != "" && s.Lang != string(l.Lang()) {
		b.attr("lang", i18n.Lang(s.Lang).Tag())
	}
	b.raw(`><a`)
	b.attr("href", s.Href)
	b.raw(`>`)
	b.text(s.Name)
	b.raw(`</a></h3><svg class="panel" viewBox="0 0 340 128" role="img"`)
	b.attr("aria-label", p.finding(l, s))
	b.raw(`>`)
	for _, t := range y.ticks() {
		b.raw(`<path class="grid" d="M40 `, px(y.y(t)), `H336"/><text x="36"`)
		b.at("y", y.y(t)+3.5)
		b.raw(` text-anchor="end">`)
		b.text(y.label(t))
		b.raw(`</text>`)
	}
	for _, v := range []float64{s.Limit, s.Lower} {
		if num(v) {
			b.raw(`<path class="limit" d="M40 `, px(y.y(v)), `H336"/><text class="limit-t" x="336"`)
			b.at("y", y.y(v)-3)
			b.raw(` text-anchor="end">`)
			b.text(plain(v))
			b.raw(`</text>`)
		}
	}
	var line, weak pen
	for i, v := range s.Values {
		w := i < len(s.Weak) && s.Weak[i]
		if !num(v) {
			line.lift()
			weak.lift()
			continue
		}
		to := &line
		if w {
			to = &weak
			line.lift()
		} else {
			weak.lift()
		}
		to.to(x(float64(i)), y.y(v))
		to.to(x(float64(i)+1), y.y(v))
	}
	b.raw(`<path class="line" d="`, line.String(), `"/>`)
	if w := weak.String(); w != "" {
		b.raw(`<path class="line weak" d="`, w, `"/>`)
	}
	for i, v := range s.Values {
		if num(v) && i < len(s.Over) && s.Over[i] { // the shape of what exceeds
			cx, cy := x(float64(i)+0.5), y.y(v)-4
			b.raw(`<path class="over" d="M`, px(cx), ` `, px(cy-6), `l4.5 7h-9z"/>`)
		}
	}
	b.raw(`<text x="40" y="123">`)
	b.text(p.First)
	b.raw(`</text><text x="336" y="123" text-anchor="end">`)
	b.text(p.Last)
	b.raw(`</text></svg></li>`)
}

// finding says what the drawing shows.
func (p *Panels) finding(l *i18n.Localizer, s *Panel) string {
	top, over := math.Inf(-1), 0
	for i, v := range s.Values {
		if num(v) {
			top = math.Max(top, v)
		}
		if i < len(s.Over) && s.Over[i] {
			over++
		}
	}
	if !num(top) {
		return l.T("chart.panel_none", "name", s.Name)
	}
	return l.T("chart.panel", "name", s.Name, "max", i18n.Number(top, p.Decimals), "unit", p.Unit, "over", strconv.Itoa(over))
}
