package chart

import (
	"html/template"
	"math"
	"time"
)

// Clock is how a logger's clock stood against ours over time.
type Clock struct {
	From, To time.Time
	Points   []ClockPoint // in order of time
	Limit    time.Duration
	Text     string // says it in words, for who does not see it
}

// ClockPoint is one of its measurements; positive is fast.
type ClockPoint struct {
	At     time.Time
	Offset time.Duration
}

// SVG draws a stepped line of 480 × 72 units: the middle line is no difference,
// the others are the limits.
func (c Clock) SVG() template.HTML {
	const w, h = 480.0, 72.0
	most := c.Limit.Seconds()
	for _, p := range c.Points {
		most = math.Max(most, math.Abs(p.Offset.Seconds()))
	}
	most = math.Max(most*1.15, 1)
	y := func(seconds float64) float64 { return h/2 - seconds/most*(h/2-2) }
	span := math.Max(c.To.Sub(c.From).Seconds(), 1)
	x := func(t time.Time) float64 {
		return math.Min(math.Max(t.Sub(c.From).Seconds()/span, 0), 1) * w
	}
	var b builder
	b.raw(`<svg class="clock" viewBox="0 0 480 72" role="img"`)
	b.attr("aria-label", c.Text)
	b.raw(`><path class="zero" d="M0 36h480"/>`)
	if s := c.Limit.Seconds(); s > 0 {
		b.raw(`<path class="limit" d="M0 `, px(y(s)), `h480M0 `, px(y(-s)), `h480"/>`)
	}
	var p pen
	last := 0.0
	for i, q := range c.Points {
		at := y(q.Offset.Seconds())
		if i > 0 {
			p.to(x(q.At), last)
		}
		p.to(x(q.At), at)
		last = at
	}
	if len(c.Points) > 0 {
		p.to(w, last)
		b.raw(`<path class="line" d="`, p.b.String(), `"/>`)
	}
	b.raw(`</svg>`)
	return b.html()
}
