package web

import (
	_ "embed"
	"html/template"

	"plateau/internal/web/chart"
)

// wordBo is the Tibetan word for Tibetan as an outline, so that a Chinese page
// need not load the Tibetan font for its language switch.
//
//go:embed fonts/word-bo.svg
var wordBoRaw string

var wordBo = template.HTML(wordBoRaw) //nolint:gosec // our own file

// Icon returns the shape of a state in a 14-unit box. With a title the shape
// speaks for itself; without, it stands beside its word and is hidden from
// readers.
func Icon(state, title string) template.HTML {
	class := ` class="i i-` + template.HTMLEscapeString(state) + `" viewBox="0 0 14 14"`
	if title == "" {
		return template.HTML(`<svg` + class + ` aria-hidden="true">` + chart.Shape(state) + `</svg>`) //nolint:gosec // fixed shapes
	}
	t := template.HTMLEscapeString(title)
	return template.HTML(`<svg` + class + ` role="img" aria-label="` + t + `"><title>` + t + `</title>` + chart.Shape(state) + `</svg>`) //nolint:gosec // fixed shapes, escaped title
}
