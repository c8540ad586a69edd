package chart

import (
	"html/template"
	"math"
	"time"

	"plateau/internal/platform/i18n"
)

// Extent draws how far an episode reaches: the values around it, its limits, and
// the stretch it takes as a pale field.
type Extent struct {
	From, To   time.Time     // shown
	Step       time.Duration // that one value stands for
	Values     []ExtentValue // in order of time
	Begin, End time.Time     // of the episode; zero = none
	Lo, Hi     float64       // limits; NaN: none
	Unit       string
	Decimals   int
	Label      string // the finding, for who does not see it
}

// ExtentValue is one value; NaN keeps a gap.
type ExtentValue struct {
	At    time.Time
	Value float64
	Open  bool // not judged, or provisional: drawn dashed
}

// HTML draws it twice: wide, and for narrow screens.
func (e Extent) HTML() template.HTML {
	var b builder
	b.raw(`<div class="chart">`)
	e.svg(&b, "wide", 1040, 200, 6)
	e.svg(&b, "narrow", 350, 190, 2)
	b.raw(`</div>`)
	return b.html()
}

func (e Extent) svg(b *builder, class string, w, h float64, dates int) {
	const left, right, top, bottom = 46.0, 8.0, 20.0, 22.0
	lo, hi := 0.0, math.Inf(-1)
	for _, v := range append([]ExtentValue{{Value: e.Lo}, {Value: e.Hi}}, e.Values...) {
		if num(v.Value) {
			lo, hi = math.Min(lo, v.Value), math.Max(hi, v.Value)
		}
	}
	if math.IsInf(hi, -1) || !e.To.After(e.From) {
		return
	}
	if hi += (hi - lo) * 0.08; hi <= lo {
		hi = lo + 1
	}
	span := e.To.Sub(e.From).Seconds()
	x := func(t time.Time) float64 {
		return left + math.Min(1, math.Max(0, t.Sub(e.From).Seconds()/span))*(w-left-right)
	}
	y := func(v float64) float64 { return top + (hi-v)/(hi-lo)*(h-top-bottom) }
	text := func(class, anchor string, px, py float64, s string) {
		b.raw(`<text`)
		if class != "" {
			b.attr("class", class)
		}
		b.attr("text-anchor", anchor)
		b.at("x", px)
		b.at("y", py)
		b.raw(`>`)
		b.text(s)
		b.raw(`</text>`)
	}
	b.raw(`<svg class="day `, class, `" viewBox="0 0 `, px(w), ` `, px(h), `" role="img"`)
	b.attr("aria-label", e.Label)
	b.raw(`>`)
	if !e.Begin.IsZero() {
		b.raw(`<rect class="extent"`)
		b.at("x", x(e.Begin))
		b.at("y", top)
		b.at("width", math.Max(2, x(e.End)-x(e.Begin)))
		b.at("height", h-top-bottom)
		b.raw(`/>`)
	}
	var grid pen
	for _, v := range []float64{lo, hi / 1.08} {
		grid.lift()
		grid.to(left, y(v))
		grid.to(w-right, y(v))
		text("", "end", left-6, y(v)+4, i18n.Number(v, e.Decimals))
	}
	for i := range dates {
		at := e.From.Add(time.Duration(float64(i) / float64(dates) * float64(e.To.Sub(e.From)))).Truncate(time.Hour)
		stamp := i18n.Stamp(at)
		text("", "start", x(at), h-6, stamp[len("2006-"):])
		grid.lift()
		grid.to(x(at), h-bottom)
		grid.to(x(at), h-bottom+4)
	}
	b.raw(`<path class="grid" d="`, grid.String(), `"/>`)
	e.line(b, x, y, false)
	e.line(b, x, y, true)
	for _, v := range []float64{e.Lo, e.Hi} {
		if !num(v) {
			continue
		}
		b.raw(`<path class="limit" d="M`, px(left), ` `, px(y(v)), `H`, px(w-right), `"/>`)
		text("limit-text", "end", w-right, y(v)-5, plain(v))
	}
	if e.Unit != "" {
		text("", "start", left, 12, e.Unit)
	}
	b.raw(`</svg>`)
}

// line draws the values as steps; gaps stay gaps.
func (e Extent) line(b *builder, x func(time.Time) float64, y func(float64) float64, open bool) {
	var p pen
	last := time.Time{}
	for _, v := range e.Values {
		if !num(v.Value) || v.Open != open {
			p.lift()
			continue
		}
		if !v.At.Equal(last) {
			p.lift()
		}
		last = v.At.Add(e.Step)
		p.to(x(v.At), y(v.Value))
		p.to(x(last), y(v.Value))
	}
	if s := p.String(); s != "" {
		class := "hour"
		if open {
			class = "hour open"
		}
		b.raw(`<path class="`, class, `" d="`, s, `"/>`)
	}
}
