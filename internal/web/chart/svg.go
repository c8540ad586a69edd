package chart

import (
	"html/template"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// builder collects markup. Text is escaped by text and attr only.
type builder struct{ strings.Builder }

// raw writes markup as it is.
func (b *builder) raw(parts ...string) {
	for _, p := range parts {
		b.WriteString(p)
	}
}

// text writes escaped character data; it is safe inside a quoted attribute too.
func (b *builder) text(s string) { b.WriteString(template.HTMLEscapeString(s)) }

// attr writes a quoted attribute.
func (b *builder) attr(name, value string) {
	b.raw(" ", name, `="`)
	b.text(value)
	b.raw(`"`)
}

// at writes an attribute with a coordinate.
func (b *builder) at(name string, v float64) { b.raw(" ", name, `="`, px(v), `"`) }

// textWidth estimates a text: Chinese is as wide as high, the other scripts a
// little more than half of it; signs above and below take no width.
func textWidth(s string, size float64) float64 {
	w := 0.0
	for _, r := range s {
		switch {
		case unicode.Is(unicode.Mn, r):
		case r >= 0x2e80:
			w += size
		default:
			w += 0.55 * size
		}
	}
	return w
}

func (b *builder) html() template.HTML {
	return template.HTML(b.String()) //nolint:gosec // every text went through text or attr
}

// px writes a coordinate with at most one decimal.
func px(v float64) string { return tenths(int(math.Round(v * 10))) }

func tenths(n int) string {
	s := strconv.FormatFloat(float64(n)/10, 'f', -1, 64)
	switch {
	case strings.HasPrefix(s, "0."):
		return s[1:]
	case strings.HasPrefix(s, "-0."):
		return "-" + s[2:]
	}
	return s
}

// pen writes a path in relative moves of tenths, which compresses to a third
// of absolute coordinates. Rounding never adds up: each move starts from the
// rounded point.
type pen struct {
	b    strings.Builder
	x, y int
	down bool
}

func (p *pen) lift() { p.down = false }

func (p *pen) to(x, y float64) {
	xi, yi := int(math.Round(x*10)), int(math.Round(y*10))
	if !p.down {
		p.b.WriteString("M" + tenths(xi) + " " + tenths(yi))
	} else {
		dx, dy := tenths(xi-p.x), tenths(yi-p.y)
		switch {
		case yi == p.y:
			p.b.WriteString("h" + dx)
		case xi == p.x:
			p.b.WriteString("v" + dy)
		default:
			p.b.WriteString("l" + dx)
			if dy[0] != '-' {
				p.b.WriteByte(' ')
			}
			p.b.WriteString(dy)
		}
	}
	p.x, p.y, p.down = xi, yi, true
}

func (p *pen) String() string { return p.b.String() }

// scale is a linear map of values to the y axis with its grid.
type scale struct {
	lo, hi      float64
	step        float64
	top, bottom float64
}

// newScale covers lo..hi with at most five steps of 1, 2, 2.5 or 5 × 10^k.
// lo is 0 unless the caller cut the axis or a value lies below 0.
func newScale(lo, hi, top, bottom float64) scale {
	if !(hi > lo) {
		hi = lo + 1
	}
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/5)))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		if (hi-lo)/(step*m) <= 5 {
			step *= m
			break
		}
	}
	return scale{lo: math.Floor(lo/step) * step, hi: math.Ceil(hi/step) * step, step: step, top: top, bottom: bottom}
}

func (s scale) y(v float64) float64 {
	v = math.Min(math.Max(v, s.lo), s.hi)
	return s.bottom - (v-s.lo)/(s.hi-s.lo)*(s.bottom-s.top)
}

func (s scale) ticks() []float64 {
	var t []float64
	for i := 0; ; i++ {
		v := s.lo + float64(i)*s.step
		if v > s.hi+s.step/1e6 {
			return t
		}
		t = append(t, v)
	}
}

// label writes a tick with the decimals its step needs.
func (s scale) label(v float64) string {
	d := 0
	for step := s.step; d < 6 && math.Abs(step-math.Round(step)) > 1e-9; d++ {
		step *= 10
	}
	return strconv.FormatFloat(v, 'f', d, 64)
}

func num(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
