package caseweb

import (
	"embed"
	"io/fs"
	"slices"

	"plateau/internal/web"
	"plateau/internal/web/kit"
)

//go:embed all:templates
var templates embed.FS

// Templates returns the page templates for web.Options.
func Templates() fs.FS { return web.Sub(templates, "templates") }

type call struct{ *kit.Call }

// pages are all addresses of pages, each list beside its handlers.
func pages() []kit.Route[*Handler, *call] {
	return slices.Concat(
		trackPages(),
		filePages(),
		casePages(),
		listPages(),
		statsPages(),
		openPages(),
		reportPages(),
	)
}

// Pages lists the patterns that answer GET with a page, below the language.
func Pages() []string { return kit.Pages(pages()) }
