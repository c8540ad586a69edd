package chart

import (
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"

	"plateau/internal/platform/i18n"
)

// The frame of the overview map: an equirectangular sketch in WGS-84, true to
// scale at the middle parallel. The base file and the symbols share it.
const (
	MapWidth  = 620.0
	MapHeight = 344.0
	mapWest   = 78.0
	mapEast   = 99.5
	mapNorth  = 36.75
	midLat    = 31.6
)

// Project returns the place of a WGS-84 point on the map.
func Project(lon, lat float64) (x, y float64) {
	k := MapWidth / (mapEast - mapWest)
	return (lon - mapWest) * k, (mapNorth - lat) * k / math.Cos(midLat*math.Pi/180)
}

// Map is the overview map: the cached base file and the symbols on it.
type Map struct {
	Base    string // address of the base file; "" = the built one
	Symbols []Symbol
	Labels  []MapLabel
	// Crowd is the number of symbols that need action above which counts by
	// county are drawn instead; 0 = 30.
	Crowd int
}

// Symbol is one outlet on the map.
type Symbol struct {
	Lon, Lat float64
	State    string
	Name     string
	Href     string
	Area     string // county; symbols of one county are counted together in a crowd
	AreaName string
	AreaHref string
}

// MapLabel is a place name, with a count where one belongs to it.
type MapLabel struct {
	Lon, Lat float64
	Text     string
	Lang     string
	Count    string
}

type placed struct {
	Symbol
	x, y float64
}

// symbolGap is the least distance between the middles of two symbols.
const symbolGap = 12.0

// SVG draws the map. Quiet dots come first, then what needs action with a halo,
// the most pressing on top; overlapping ones are moved apart.
func (m Map) SVG(l *i18n.Localizer) template.HTML {
	var quiet, action []placed
	for _, s := range m.Symbols {
		p := placed{Symbol: s}
		p.x, p.y = Project(s.Lon, s.Lat)
		if needsAction(s.State) {
			action = append(action, p)
		} else {
			quiet = append(quiet, p)
		}
	}
	crowd := m.Crowd
	if crowd == 0 {
		crowd = 30
	}
	var b builder
	b.raw(`<svg class="map" viewBox="0 0 `, px(MapWidth), ` `, px(MapHeight), `" role="group"`)
	b.attr("aria-label", l.T("map.label"))
	b.raw(`><image`)
	b.attr("href", m.Base)
	b.raw(` width="`, px(MapWidth), `" height="`, px(MapHeight), `"/>`)
	crowded := len(action) > crowd
	taken := slices.Clone(quiet)
	if !crowded {
		action = nudge(action)
		taken = append(taken, action...)
	}
	for _, lab := range place(m.Labels, taken) {
		x, y := lab.x, lab.y
		b.raw(`<text class="place" text-anchor="middle"`)
		b.at("x", x)
		b.at("y", y)
		if lab.Lang != "" && lab.Lang != string(l.Lang()) {
			b.attr("lang", i18n.Lang(lab.Lang).Tag())
		}
		b.raw(`>`)
		b.text(lab.Text)
		if lab.Count != "" {
			b.raw(` <tspan class="count">`)
			b.text(lab.Count)
			b.raw(`</tspan>`)
		}
		b.raw(`</text>`)
	}
	for _, p := range quiet {
		p.draw(&b, l, 8, true)
	}
	if crowded {
		counties(&b, l, action)
	} else {
		for _, p := range action {
			p.draw(&b, l, 13, false)
		}
	}
	b.raw(`</svg>`)
	return b.html()
}

// draw writes a symbol of the given size as a link with its name and state as
// title. Quiet ones are left out of the tab order: the list beside holds them.
func (p placed) draw(b *builder, l *i18n.Localizer, size float64, quiet bool) {
	title := l.T("map.symbol", "name", p.Name, "state", l.T("state."+p.State))
	b.raw(`<a`)
	b.attr("href", p.Href)
	if quiet {
		b.raw(` tabindex="-1"`)
	}
	b.raw(` class="i-`)
	b.text(p.State)
	if !quiet {
		b.raw(` halo`)
	}
	b.raw(`"><title>`)
	b.text(title)
	b.raw(`</title><g transform="translate(`, px(p.x-size/2), ` `, px(p.y-size/2), `)scale(`, strconv.FormatFloat(size/14, 'f', 2, 64), `)">`)
	b.raw(Shape(p.State), `</g></a>`)
}

// nudge moves symbols apart that would cover each other: each goes to the free
// place nearest to its own on a growing ring. The most pressing keep their
// place and are drawn last. The result depends on the input only.
func nudge(in []placed) []placed {
	order := slices.Clone(in)
	rank := func(s string) int { return slices.Index(States(), s) }
	slices.SortStableFunc(order, func(a, b placed) int { return rank(a.State) - rank(b.State) })
	for i := range order {
		x0, y0 := order[i].x, order[i].y
	search:
		for ring := range 12 {
			for k := range 8 {
				if ring == 0 && k > 0 {
					continue search
				}
				angle := float64(k)*math.Pi/4 + float64(ring)*0.4
				r := float64(ring) * symbolGap / 2
				x, y := x0+r*math.Cos(angle), y0+r*math.Sin(angle)
				free := true
				for _, o := range order[:i] {
					if math.Hypot(o.x-x, o.y-y) < symbolGap {
						free = false
						break
					}
				}
				if free {
					order[i].x, order[i].y = x, y
					break search
				}
			}
		}
	}
	slices.Reverse(order)
	return order
}

type placedLabel struct {
	MapLabel
	x, y float64 // middle of the base line
}

// labelHeight of a place name, and how far it lies above its base line.
const (
	labelHeight = 13.0
	labelAscent = 10.0
)

// width of a name at a size of 13: small screens write larger than wide ones.
func (l MapLabel) width() float64 { return textWidth(l.Text+" "+l.Count, 13) }

// place moves names off symbols and off each other: each takes the free place
// nearest to its own, or the one that covers least where none is free.
func place(labels []MapLabel, symbols []placed) []placedLabel {
	out := make([]placedLabel, 0, len(labels))
	for _, lab := range labels {
		w := lab.width()
		x0, y0 := Project(lab.Lon, lab.Lat)
		best, least := placedLabel{lab, x0, y0}, math.Inf(1)
		for ring := range 10 {
			for k := range 12 {
				if ring == 0 && k > 0 {
					break
				}
				angle := float64(k) * math.Pi / 6
				p := placedLabel{lab, x0 + float64(ring)*9*math.Cos(angle), y0 + float64(ring)*6*math.Sin(angle)}
				left, right, top, bottom := p.x-w/2, p.x+w/2, p.y-labelAscent, p.y-labelAscent+labelHeight
				if left < 2 || right > MapWidth-2 || top < 2 || bottom > MapHeight-2 {
					continue
				}
				cost := float64(ring*ring) / 2
				for _, s := range symbols {
					if s.x > left-symbolGap*2/3 && s.x < right+symbolGap*2/3 && s.y > top-symbolGap*2/3 && s.y < bottom+symbolGap*2/3 {
						switch {
						case needsAction(s.State):
							cost += 20
						case s.State == "normal":
							cost += 3
						default:
							cost += 10
						}
					}
				}
				for _, o := range out {
					if half := (w + o.width()) / 2; math.Abs(o.x-p.x) < half+4 && math.Abs(o.y-p.y) < labelHeight {
						cost += 60
					}
				}
				if cost < least {
					best, least = p, cost
				}
			}
		}
		out = append(out, best)
	}
	return out
}

// counties draws one circle with a number for each county, in the colour of
// its most pressing state.
func counties(b *builder, l *i18n.Localizer, action []placed) {
	type group struct {
		placed
		n int
	}
	var groups []*group
	by := map[string]*group{}
	for _, p := range action {
		g := by[p.Area]
		if g == nil {
			g = &group{placed: p}
			g.x, g.y = 0, 0
			by[p.Area] = g
			groups = append(groups, g)
		}
		g.x, g.y, g.n = g.x+p.x, g.y+p.y, g.n+1
		if slices.Index(States(), p.State) < slices.Index(States(), g.State) {
			g.State = p.State
		}
	}
	slices.SortStableFunc(groups, func(a, b *group) int { return strings.Compare(a.Area, b.Area) })
	for _, g := range groups {
		x, y := g.x/float64(g.n), g.y/float64(g.n)
		b.raw(`<a`)
		b.attr("href", g.AreaHref)
		b.raw(` class="i-`)
		b.text(g.State)
		b.raw(` crowd"><title>`)
		b.text(l.T("map.county_count", "area", g.AreaName, "n", g.n))
		b.raw(`</title><circle r="10"`)
		b.at("cx", x)
		b.at("cy", y)
		b.raw(`/><text text-anchor="middle"`)
		b.at("x", x)
		b.at("y", y+4)
		b.raw(`>`, strconv.Itoa(g.n), `</text></a>`)
	}
}
