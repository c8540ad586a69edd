// Package chart draws what the pages show as SVG and HTML: the day of one
// factor, sparklines, value against limit, counts by month, valid minutes, completeness, and the
// overview map. The drawing is the form without scripts, on paper and in mail;
// a script may lay a zoomable chart over it.
//
// It owns geometry and the words that belong to a drawing (through i18n), and
// refuses to bridge what is missing: a gap stays a gap, NaN is never drawn as a
// number. Colours come from the style sheet's classes only.
//
// All times are instants; they are labelled on the one clock of the pages
// (UTC+8). Values are float64 in the unit given; NaN is "no value".
package chart
