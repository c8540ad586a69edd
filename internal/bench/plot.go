package bench

import (
	"bytes"
	"cmp"
	"fmt"
	"html"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Plot is a line plot for the documentation.
type Plot struct {
	Title, X, Y string // words of the plot and its axes, with units
	LogX        bool
	Lines       []Line
}

// Line is one line of a plot; X ascends.
type Line struct {
	Name string
	X, Y []float64
}

// Geometry of a plot in SVG units.
const (
	plotW, plotH                         = 640.0, 320.0
	plotLeft, plotRight, plotTop, plotBo = 64.0, 150.0, 40.0, 46.0
)

// SVG draws the plot. The vertical axis starts at 0: a ratio can be read off.
// Lines differ in colour, in dash and by the name at their end.
func (p Plot) SVG() []byte {
	lo, hi, top := math.Inf(1), math.Inf(-1), 0.0
	for _, l := range p.Lines {
		lo, hi, top = min(lo, slices.Min(l.X)), max(hi, slices.Max(l.X)), max(top, slices.Max(l.Y))
	}
	if lo == hi { // one place only
		hi = lo + 1
	}
	step := niceStep(top / 5)
	top = math.Ceil(top/step) * step
	px := func(x float64) float64 {
		f := (x - lo) / (hi - lo)
		if p.LogX {
			f = math.Log(x/lo) / math.Log(hi/lo)
		}
		return plotLeft + f*(plotW-plotLeft-plotRight)
	}
	py := func(y float64) float64 { return plotH - plotBo - y/top*(plotH-plotTop-plotBo) }
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" font-family="sans-serif" font-size="12" role="img">`+"\n<title>%s</title>\n", plotW, plotH, html.EscapeString(p.Title))
	fmt.Fprintf(&b, `<rect width="%g" height="%g" fill="#fff"/><text x="%g" y="20" font-size="14" font-weight="600">%s</text>`+"\n", plotW, plotH, plotLeft, html.EscapeString(p.Title))
	for y := 0.0; y <= top+step/2; y += step {
		fmt.Fprintf(&b, `<path d="M%g %.1fH%g" stroke="#ddd"/><text x="%g" y="%.1f" text-anchor="end" fill="#333">%s</text>`+"\n", plotLeft, py(y), plotW-plotRight, plotLeft-6, py(y)+4, tickText(y))
	}
	for _, x := range p.ticks(lo, hi) {
		fmt.Fprintf(&b, `<path d="M%.1f %gv4" stroke="#333"/><text x="%.1f" y="%g" text-anchor="middle" fill="#333">%s</text>`+"\n", px(x), plotH-plotBo, px(x), plotH-plotBo+17, tickText(x))
	}
	fmt.Fprintf(&b, `<text x="%g" y="%g" text-anchor="middle">%s</text><text transform="translate(14 %g) rotate(-90)" text-anchor="middle">%s</text>`+"\n",
		(plotLeft+plotW-plotRight)/2, plotH-8, html.EscapeString(p.X), (plotTop+plotH-plotBo)/2, html.EscapeString(p.Y))
	colours, dashes := []string{"#0b5fa5", "#a33c00", "#2f6b2f", "#6b2f6b"}, []string{"", "6 3", "2 3", "8 3 2 3"}
	for i, l := range p.Lines {
		var d strings.Builder
		for k := range l.X {
			fmt.Fprintf(&d, "%c%.1f %.1f", "LM"[btoi(k == 0)], px(l.X[k]), py(l.Y[k]))
		}
		fmt.Fprintf(&b, `<path d="%s" fill="none" stroke="%s" stroke-width="2" stroke-dasharray="%s"/>`, d.String(), colours[i%4], dashes[i%4])
		if len(l.X) <= 20 {
			for k := range l.X {
				fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`, px(l.X[k]), py(l.Y[k]), colours[i%4])
			}
		}
		b.WriteByte('\n')
	}
	// Names at the ends of the lines, pushed apart where they would cover each other.
	order := make([]int, len(p.Lines))
	for i := range order {
		order[i] = i
	}
	last := func(i int) float64 { return py(p.Lines[i].Y[len(p.Lines[i].Y)-1]) }
	slices.SortFunc(order, func(a, c int) int { return cmp.Compare(last(a), last(c)) })
	at := math.Inf(-1)
	for _, i := range order {
		at = max(last(i)+4, at+15)
		fmt.Fprintf(&b, `<text x="%g" y="%.1f" fill="%s">%s</text>`+"\n", plotW-plotRight+8, at, colours[i%4], html.EscapeString(p.Lines[i].Name))
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// ticks are the measured places when they are few, else round numbers.
func (p Plot) ticks(lo, hi float64) []float64 {
	if x := p.Lines[0].X; len(x) <= 8 {
		return x
	}
	var out []float64
	step := niceStep((hi - lo) / 6)
	for x := math.Ceil(lo/step) * step; x <= hi; x += step {
		out = append(out, x)
	}
	return out
}

// niceStep is 1, 2 or 5 times a power of ten, at least v.
func niceStep(v float64) float64 {
	if v <= 0 {
		return 1
	}
	base := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*base >= v {
			return m * base
		}
	}
	return 10 * base
}

func tickText(v float64) string {
	if v >= 10_000 {
		return strconv.FormatFloat(v/1000, 'f', -1, 64) + "k"
	}
	return strconv.FormatFloat(math.Round(v*1e6)/1e6, 'g', 4, 64)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
