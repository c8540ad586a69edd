// Package web is the shell of the pages: layout, components, templates engine,
// assets, and (in chart) the charts and the map that the server draws.
//
// It owns how a page looks and is sent, and knows nothing of stations or
// judgements: pages give it finished words, numbers and chart inputs. It
// refuses at start what would only fail in front of a reader: a template that
// does not parse, that calls an undeclared template, or two pages of one name.
//
// # Writing a page
//
// What a module of pages needs beside its templates is in package kit.
//
// A module gives the engine a file system of templates. Every *.html file is a
// page of that name, except files that start with "_", whose blocks all pages
// share (embed them with all:, go:embed leaves such files out otherwise). A page defines "content" and any fragments it updates by itself:
//
//	{{define "content"}}
//	<h1>{{.Title}}</h1>
//	{{template "live-list" .}}
//	{{end}}
//	{{define "live-list"}}
//	<section id="live-list" data-live="60">…{{range .Data.Rows}}…{{end}}</section>
//	{{end}}
//
// The dot of "content" and of every fragment is the *Page; the page's own view
// struct is .Data. The handler calls
//
//	engine.Serve(w, r, http.StatusOK, "overview.html", &web.Page{Title: …, Module: "overview", Data: view})
//
// for the whole page and for its fragments: a request with the header
// Plateau-Fragment: live-list is answered with that block alone, with an ETag,
// and 304 when nothing changed. A fragment's id equals its block name, and
// data-live gives the seconds between two looks (the script stops while the
// page is hidden). Links and forms with data-swap="live-list" replace only that
// fragment and put the address into the history; without scripts they load the
// page.
//
// # Functions in templates
//
//	t "key" "hole" value …     text of the catalogue; the key must be a literal
//	td key "hole" value …      the same for a key known only when the page is drawn
//	num v decimals             number, half to even, grouped; nil and NaN are —
//	dur d, ago t now           durations
//	date t, datetime t         long date; short t, clock t, seconds t, stamp t, hours from to
//	path "/outlets/7"          address in the page's language
//	asset "app.css"            hashed address of a built file
//	inline "mark.svg"          a small built file as an address that holds it
//	icon "exceed"              shape with its word as title; state "exceed": shape and word
//	in text "bo"               words in another language, marked with lang where it differs
//	lang, langtag              zh / zh-Hans
//	dict "k" v …               small map for a component
//	daychart, extent, sparkline, bar, bars, share, minutes, heatmap, panels, map, spot   draw the inputs of package chart
//
// Components are blocks of _components.html: "field", "errors", "pager",
// "sorthead", "empty", "tile", "notice", "tabs". Their inputs are the types of
// component.go.
package web
