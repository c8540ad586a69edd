package chart

import (
	"html/template"
	"math"
	"strconv"

	"plateau/internal/platform/i18n"
)

// Bars sets two counts side by side for each of some months, days or the like: the
// first filled, the second an outline, so that they can be told without colours.
type Bars struct {
	Label  string // what the drawing shows, for who does not see it
	Names  [2]string
	Groups []BarGroup
}

// BarGroup is one month.
type BarGroup struct {
	Name   string
	Values [2]int
}

const (
	barsWide, barsHigh = 680.0, 170.0
	barsLeft           = 40.0
	barsTop, barsFoot  = 8.0, 22.0
)

// SVG draws the bars over a common scale from 0.
func (x Bars) SVG(*i18n.Localizer) template.HTML {
	var b builder
	top := 1
	for _, g := range x.Groups {
		top = max(top, g.Values[0], g.Values[1])
	}
	y := newScale(0, float64(top), barsTop, barsHigh-barsFoot)
	b.raw(`<figure><svg class="bars" viewBox="0 0 680 170" width="680" style="max-width:100%;height:auto" role="img"`)
	b.attr("aria-label", x.Label)
	b.raw(`>`)
	for _, t := range y.ticks() {
		if t != math.Trunc(t) {
			continue // half a case is none
		}
		b.raw(`<path class="grid" d="M40 `, px(y.y(t)), `H676"/><text x="36"`)
		b.at("y", y.y(t)+3.5)
		b.raw(` text-anchor="end">`, strconv.Itoa(int(t)), `</text>`)
	}
	step := (barsWide - barsLeft - 4) / math.Max(1, float64(len(x.Groups)))
	every := int(math.Ceil(52 / step)) // a name is about as wide
	for i, g := range x.Groups {
		left := barsLeft + step*float64(i)
		bar := math.Min(18, step*0.36)
		for k, v := range g.Values {
			if v == 0 {
				continue
			}
			b.raw(`<rect class="i-maint"`)
			b.at("x", left+step/2-bar+float64(k)*bar)
			b.at("y", y.y(float64(v)))
			b.at("width", bar-1.5)
			b.at("height", y.y(0)-y.y(float64(v)))
			b.raw([]string{` fill="currentColor"/>`, ` fill="none" stroke="currentColor" stroke-width="1.5"/>`}[k])
		}
		if i%every == 0 {
			b.raw(`<text text-anchor="middle" y="163"`)
			b.at("x", left+step/2)
			b.raw(`>`)
			b.text(g.Name)
			b.raw(`</text>`)
		}
	}
	b.raw(`</svg><figcaption><ul class="legend">`)
	for k, name := range x.Names {
		b.raw(`<li><svg class="i i-maint" viewBox="0 0 14 14" aria-hidden="true"><path d="M1.5 1.5h11v11h-11z"`, []string{` fill="currentColor"`, ` fill="none" stroke="currentColor" stroke-width="1.5"`}[k], `/></svg>`)
		b.text(name)
		b.raw(`</li>`)
	}
	b.raw(`</ul></figcaption></figure>`)
	return b.html()
}

// Share is a count beside others of a list, and the part of it that is loud.
type Share struct {
	Value, Part int
	Most        int // the largest count of the list
}

// SVG draws a bar of 64 × 14 units; the table beside it has the figures.
func (s Share) SVG() template.HTML {
	if s.Most <= 0 {
		return ""
	}
	const w = 64.0
	var b builder
	part, rest := float64(s.Part)/float64(s.Most)*w, float64(s.Value-s.Part)/float64(s.Most)*w
	b.raw(`<svg class="bar" viewBox="0 0 64 14" aria-hidden="true"><path class="over" d="M0 4h`, px(part), `v6H0z"/><path class="under" d="M`, px(part), ` 4h`, px(rest), `v6h-`, px(rest), `z"/></svg>`)
	return b.html()
}
