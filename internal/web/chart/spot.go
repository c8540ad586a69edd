package chart

import (
	"html/template"
	"math"
)

// Spot is the part of the overview map around one point.
type Spot struct {
	Base     string // address of the base file; "" = the built one
	Lon, Lat float64
	Name     string // what a reader who does not see it is told
}

// spotZoom is how much larger than the overview it is drawn.
const spotZoom = 4.0

// SVG draws it; nothing where the point is off the map.
func (s Spot) SVG() template.HTML {
	x, y := Project(s.Lon, s.Lat)
	if !(x >= 0 && x <= MapWidth && y >= 0 && y <= MapHeight) {
		return ""
	}
	w, h := MapWidth/spotZoom, MapHeight/spotZoom
	left, top := math.Min(math.Max(x-w/2, 0), MapWidth-w), math.Min(math.Max(y-h/2, 0), MapHeight-h)
	var b builder
	b.raw(`<svg class="map spot" viewBox="`, px(left), ` `, px(top), ` `, px(w), ` `, px(h), `" role="img"`)
	b.attr("aria-label", s.Name)
	b.raw(`><image`)
	b.attr("href", s.Base)
	b.raw(` width="`, px(MapWidth), `" height="`, px(MapHeight), `"/><circle`)
	b.at("cx", x)
	b.at("cy", y)
	b.raw(` r="3"/></svg>`)
	return b.html()
}
