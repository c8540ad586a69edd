package chart

import (
	"cmp"
	"html/template"
	"math"
	"strconv"
	"time"

	"plateau/internal/platform/i18n"
)

// Day is one factor over a stretch of hours, as a rule 24.
type Day struct {
	ID     string // unique on the page; pattern names are made from it
	Factor string // short name, "NOx"
	Unit   string
	// Decimals of the values in words; the axis chooses its own.
	Decimals int
	From     time.Time // start of the first clock hour
	To       time.Time // end of the last one
	Step     time.Duration
	Minutes  []float64 // one value per Step from From; NaN keeps a gap
	Hours    []Hour
	Limits   []Limit // pieces in order of time; a changed limit breaks the line
	Bands    []Band
	Now      time.Time // zero: none
	// AxisFrom cuts the axis (pH); 0 is the rule.
	AxisFrom float64
	Label    string // replaces the finding that is read out; "" = made from the data
	Data     string // address of the values for the zoomable chart; "" = none
	// Each is how long a step of Hours lasts; 0 is an hour. With steps of a day
	// the axis names days and months, and Label has to say the finding.
	Each time.Duration
}

// Hour is an hour mean drawn as a flat step.
type Hour struct {
	From        time.Time
	Mean        float64 // NaN: none
	Provisional bool    // the hour is not closed
	Over        bool    // judged over its limit
	Weak        bool    // closed with too few valid minutes: shown, but judged by nobody
	Selected    bool
}

// Limit is a piece of a limit line.
type Limit struct {
	From, To time.Time
	Value    float64
	Lower    bool // a lower bound (pH): values must stay above
}

// Band is a stretch with a data mark (C, M, B, D, F, T).
type Band struct {
	From, To time.Time
	Flag     string
}

// geometry of one variant.
type frame struct {
	w, h, left, right, top, bottom float64
	tickHours                      int
	class, suffix                  string
}

var (
	wideFrame   = frame{w: 880, h: 300, left: 44, right: 12, top: 26, bottom: 44, tickHours: 3, class: "wide", suffix: "w"}
	narrowFrame = frame{w: 330, h: 236, left: 32, right: 10, top: 24, bottom: 42, tickHours: 6, class: "narrow", suffix: "n"}
)

// SVG draws the wide and the narrow variant; the style sheet shows one of them.
func (d Day) SVG(l *i18n.Localizer) template.HTML {
	var b builder
	b.raw(`<div class="chart"`)
	if d.Data != "" {
		b.attr("data-zoom", d.Data)
		b.attr("data-zoom-label", l.T("common.zoom"))
		b.attr("data-unzoom-label", l.T("common.unzoom"))
	}
	b.raw(`>`)
	d.draw(&b, l, wideFrame)
	d.draw(&b, l, narrowFrame)
	b.raw(`</div>`)
	return b.html()
}

func (d Day) draw(b *builder, l *i18n.Localizer, f frame) {
	x := d.xAxis(f)
	s := d.yAxis(f)
	b.raw(`<svg class="day `, f.class, `" viewBox="0 0 `, px(f.w), ` `, px(f.h), `" role="img"`)
	b.attr("aria-label", d.finding(l))
	b.raw(`>`)
	d.patterns(b, f)
	d.grid(b, l, f, x, s)
	d.bands(b, f, x)
	d.minutes(b, x, s)
	d.limits(b, l, f, x, s)
	d.steps(b, f, x, s)
	d.now(b, f, x)
	b.raw(`</svg>`)
}

func (d Day) xAxis(f frame) func(time.Time) float64 {
	span := d.To.Sub(d.From).Seconds()
	if span <= 0 {
		span = 24 * 3600
	}
	return func(t time.Time) float64 {
		p := t.Sub(d.From).Seconds() / span
		return f.left + math.Min(math.Max(p, 0), 1)*(f.w-f.left-f.right)
	}
}

func (d Day) yAxis(f frame) scale {
	lo, hi := d.AxisFrom, math.Inf(-1)
	see := func(v float64) {
		if num(v) {
			hi, lo = math.Max(hi, v), math.Min(lo, v)
		}
	}
	for _, v := range d.Minutes {
		see(v)
	}
	for _, h := range d.Hours {
		see(h.Mean)
	}
	for _, m := range d.Limits {
		// Room above the line, so that its words and a value over it are seen.
		see(m.Value + 0.2*math.Abs(m.Value-d.AxisFrom))
	}
	if math.IsInf(hi, -1) {
		hi = lo + 1
	}
	return newScale(lo, hi, f.top, f.h-f.bottom)
}

// finding is what the chart says, for those who do not see it.
func (d Day) finding(l *i18n.Localizer) string {
	if d.Label != "" {
		return d.Label
	}
	best, over := -1, 0
	for i, h := range d.Hours {
		if !num(h.Mean) {
			continue
		}
		if h.Over {
			over++
		}
		if best < 0 || h.Mean > d.Hours[best].Mean {
			best = i
		}
	}
	if best < 0 {
		return l.T("chart.day_finding_none", "factor", d.Factor)
	}
	h := d.Hours[best]
	args := []any{"factor", d.Factor, "n", over, "max", i18n.Number(h.Mean, d.Decimals) + " " + d.Unit, "hours", i18n.Hours(h.From, h.From.Add(time.Hour))}
	if over > 0 {
		return l.T("chart.day_finding_over", args...)
	}
	return l.T("chart.day_finding", args...)
}

func (d Day) pattern(flag string, f frame) string { return d.ID + "-" + flag + f.suffix }

// patterns defines a texture for each mark in use, so that a band is told by
// texture and letter, not by colour.
func (d Day) patterns(b *builder, f frame) {
	seen := map[string]bool{}
	for _, band := range d.Bands {
		if seen[band.Flag] {
			continue
		}
		seen[band.Flag] = true
		b.raw(`<pattern`)
		b.attr("id", d.pattern(band.Flag, f))
		b.raw(` class="pat" width="6" height="6" patternUnits="userSpaceOnUse"`)
		switch band.Flag {
		case "C":
			b.raw(` patternTransform="rotate(45)"><path class="bg" d="M0 0h6v6H0z"/><path d="M0 0v6"/>`)
		case "M":
			b.raw(`><path class="bg" d="M0 0h6v6H0z"/><path d="M0 3h6"/>`)
		case "B":
			b.raw(`><path class="bg" d="M0 0h6v6H0z"/><circle cx="3" cy="3" r="1.1"/>`)
		case "D":
			b.raw(`><path class="bg" d="M0 0h6v6H0z"/><path d="M0 0l6 6M6 0 0 6"/>`)
		case "T":
			b.raw(`><path class="bg" d="M0 0h6v6H0z"/><path d="M0 1 3 4l3-3"/>`)
		default: // F and what has no texture of its own: blank grey
			b.raw(`><path class="bg" d="M0 0h6v6H0z"/>`)
		}
		b.raw(`</pattern>`)
	}
}

func (d Day) grid(b *builder, l *i18n.Localizer, f frame, x func(time.Time) float64, s scale) {
	var p pen
	for _, v := range s.ticks() {
		p.lift()
		p.to(f.left, s.y(v))
		p.to(f.w-f.right, s.y(v))
	}
	var dates builder
	if d.Each >= dayLong {
		d.dates(&p, &dates, f, x)
		d.frame(b, l, f, s, &p, &dates)
		return
	}
	label := func(t time.Time, below float64, anchor, text string) {
		dates.raw(`<text`)
		dates.at("x", x(t))
		dates.at("y", f.h-f.bottom+below)
		dates.attr("text-anchor", anchor)
		dates.raw(`>`)
		dates.text(text)
		dates.raw(`</text>`)
	}
	day := func(t time.Time, anchor string) { label(t, 34, anchor, l.DayMonth(t)) }
	for t := d.From; !t.After(d.To); t = t.Add(time.Hour) {
		local := t.In(i18n.Zone)
		midnight := local.Hour() == 0
		if midnight {
			p.lift()
			p.to(x(t), f.top)
			p.to(x(t), f.h-f.bottom)
		}
		// Ticks stand at the round hours of the clock.
		if local.Hour()%f.tickHours == 0 && local.Minute() == 0 {
			anchor := "middle"
			switch {
			case t.Equal(d.From):
				anchor = "start"
			case t.Equal(d.To):
				anchor = "end"
			}
			label(t, 17, anchor, i18n.Clock(t))
			// The date stands under midnight where it does not touch that of the
			// left edge.
			if midnight && x(t)-f.left > textWidth(l.DayMonth(d.From), 12)+textWidth(l.DayMonth(t), 12)/2+8 && f.w-x(t) > textWidth(l.DayMonth(t), 12)/2 {
				day(t, anchor)
			}
		}
	}
	day(d.From, "start")
	d.frame(b, l, f, s, &p, &dates)
}

const dayLong = 24 * time.Hour

// dates labels an axis of days: every fifth day of some months, every month of
// a longer stretch.
func (d Day) dates(p *pen, dates *builder, f frame, x func(time.Time) float64) {
	long := d.To.Sub(d.From) > 62*dayLong
	put := func(t time.Time, below float64, text string) {
		at, anchor := x(t), "middle"
		if t.Equal(d.From) {
			anchor = "start"
		}
		dates.raw(`<text`)
		dates.at("x", at)
		dates.at("y", f.h-f.bottom+below)
		dates.attr("text-anchor", anchor)
		dates.raw(`>`)
		dates.text(text)
		dates.raw(`</text>`)
	}
	for t := d.From; t.Before(d.To); t = t.AddDate(0, 0, 1) {
		local := t.In(i18n.Zone)
		first := local.Day() == 1
		if first {
			p.lift()
			p.to(x(t), f.top)
			p.to(x(t), f.h-f.bottom)
		}
		room := x(d.To)-x(t) > textWidth("0000-00", 12)/2
		switch {
		case long && first && (f.suffix == wideFrame.suffix || local.Month()%3 == 1):
			put(t, 17, strconv.Itoa(int(local.Month())))
		case !long && (first || local.Day()%5 == 0 && local.Day() < 30):
			put(t, 17, strconv.Itoa(local.Day()))
		}
		switch {
		case t.Equal(d.From), first && !long && room, long && first && local.Month() == 1 && room:
			put(t, 34, local.Format(map[bool]string{true: "2006", false: "2006-01"}[long]))
		}
	}
}

// frame draws grid, axes and their words.
func (d Day) frame(b *builder, l *i18n.Localizer, f frame, s scale, p *pen, dates *builder) {
	b.raw(`<path class="grid" d="`, p.String(), `"/><g class="axis">`)
	for _, v := range s.ticks() {
		b.raw(`<text text-anchor="end"`)
		b.at("x", f.left-7)
		b.at("y", s.y(v)+4)
		b.raw(`>`, s.label(v), `</text>`)
	}
	if s.lo > 0 {
		b.raw(`<text class="cut"`)
		b.at("x", f.left)
		b.at("y", f.h-f.bottom-5)
		b.raw(`>`)
		b.text(l.T("chart.axis_cut"))
		b.raw(`</text>`)
	}
	b.raw(dates.String(), `</g>`)
}

func (d Day) bands(b *builder, f frame, x func(time.Time) float64) {
	last := math.Inf(-1)
	for _, band := range d.Bands {
		x0, x1 := x(band.From), x(band.To)
		if x1-x0 < 2 {
			x1 = x0 + 2 // a mark of one minute is still seen
		}
		b.raw(`<rect class="band"`)
		b.at("x", x0)
		b.at("y", f.top)
		b.at("width", x1-x0)
		b.at("height", f.h-f.bottom-f.top)
		b.raw(` fill="url(#`)
		b.text(d.pattern(band.Flag, f))
		b.raw(`)"/>`)
		mid := (x0 + x1) / 2
		if now := x(d.Now); d.showsNow() && math.Abs(mid-now) < 26 {
			mid = now - 26 // beside the clock, not under it
		}
		if mid-last > 11 {
			b.raw(`<text class="letter" text-anchor="middle"`)
			b.at("x", mid)
			b.at("y", f.top-8)
			b.raw(`>`)
			b.text(band.Flag)
			b.raw(`</text>`)
			last = mid
		}
	}
}

func (d Day) minutes(b *builder, x func(time.Time) float64, s scale) {
	if len(d.Minutes) == 0 || d.Step <= 0 {
		return
	}
	var p pen
	for i, v := range d.Minutes {
		if !num(v) {
			p.lift()
			continue
		}
		at := x(d.From.Add(time.Duration(i)*d.Step + d.Step/2))
		alone := !p.down && (i+1 == len(d.Minutes) || !num(d.Minutes[i+1]))
		p.to(at, s.y(v))
		if alone {
			p.to(at+0.6, s.y(v)) // a single value between two gaps is a dot
		}
	}
	b.raw(`<path class="minute" d="`, p.String(), `"/>`)
}

func (d Day) limits(b *builder, l *i18n.Localizer, f frame, x func(time.Time) float64, s scale) {
	for _, m := range d.Limits {
		x0, x1 := x(m.From), x(m.To)
		if x1 <= x0 {
			continue
		}
		var p pen
		p.to(x0, s.y(m.Value))
		p.to(x1, s.y(m.Value))
		b.raw(`<path class="limit" d="`, p.String(), `"/>`)
		y := s.y(m.Value) - 6
		if m.Lower {
			y = s.y(m.Value) + 15
		}
		b.raw(`<text class="limit-text"`)
		b.at("x", math.Min(x0+6, f.w-f.right-70))
		b.at("y", y)
		b.raw(`>`)
		b.text(l.T("chart.limit", "value", plain(m.Value)))
		b.raw(`</text>`)
	}
}

func (d Day) steps(b *builder, f frame, x func(time.Time) float64, s scale) {
	var firm, weak, open pen
	each := cmp.Or(d.Each, time.Hour)
	for _, h := range d.Hours {
		x0, x1 := x(h.From), x(h.From.Add(each))
		if h.Selected {
			b.raw(`<rect class="selected" rx="2"`)
			b.at("x", x0)
			b.at("y", f.top+1)
			b.at("width", x1-x0)
			b.at("height", f.h-f.bottom-f.top-1)
			b.raw(`/>`)
		}
		if !num(h.Mean) {
			continue
		}
		p := &firm
		switch {
		case h.Provisional:
			p = &open
		case h.Weak:
			p = &weak
		}
		p.lift()
		p.to(x0, s.y(h.Mean))
		p.to(x1, s.y(h.Mean))
	}
	if weak.b.Len() > 0 {
		b.raw(`<path class="hour weak" d="`, weak.String(), `"/>`)
	}
	b.raw(`<path class="hour" d="`, firm.String(), `"/>`)
	if open.b.Len() > 0 {
		b.raw(`<path class="hour open" d="`, open.String(), `"/>`)
	}
}

func (d Day) showsNow() bool {
	return !d.Now.IsZero() && !d.Now.Before(d.From) && !d.Now.After(d.To)
}

func (d Day) now(b *builder, f frame, x func(time.Time) float64) {
	if !d.showsNow() {
		return
	}
	var p pen
	p.to(x(d.Now), f.top)
	p.to(x(d.Now), f.h-f.bottom)
	b.raw(`<path class="now" d="`, p.String(), `"/><text class="now-text"`)
	b.at("x", math.Min(math.Max(x(d.Now), f.left+16), f.w-18))
	b.at("y", f.top-8)
	b.raw(` text-anchor="middle">`)
	b.text(i18n.Clock(d.Now))
	b.raw(`</text>`)
}

// Marks lists the marks of the bands in order of first use, for the legend.
func (d Day) Marks() []string {
	var marks []string
	seen := map[string]bool{}
	for _, band := range d.Bands {
		if !seen[band.Flag] {
			seen[band.Flag] = true
			marks = append(marks, band.Flag)
		}
	}
	return marks
}
