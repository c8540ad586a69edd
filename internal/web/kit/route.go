package kit

import (
	"net/http"
	"strings"

	"plateau/internal/platform/access"
	"plateau/internal/platform/httpd"
	"plateau/internal/platform/i18n"
	"plateau/internal/web"
)

// Address is a method and a pattern below the language, with whom it serves. A
// pattern of GET with a dot is a file.
type Address struct {
	Method, Path string
	May          access.Permission
	Person       bool // people who signed in: a token is refused, whatever it may
	Fresh        bool // with Person: who proved within auth.ProofLife who they are
	Passing      bool // leads elsewhere instead of showing a page
	// Bytes that a form which brings files (multipart) may send; its handler reads it.
	// 0 = such forms are not taken.
	Bytes int64
}

// Route is an address of a module whose handler is H and whose call is C.
type Route[H, C any] struct {
	Address
	Serve func(H, C) error
}

// Get is a page.
func Get[H, C any](path string, may access.Permission, serve func(H, C) error) Route[H, C] {
	return Route[H, C]{Address{Method: http.MethodGet, Path: path, May: may}, serve}
}

// Post takes a form. It stands on the page of the same path, else on the nearest
// above it.
func Post[H, C any](path string, may access.Permission, serve func(H, C) error) Route[H, C] {
	return Route[H, C]{Address{Method: http.MethodPost, Path: path, May: may}, serve}
}

// Fresh is rt for people who proved not long ago who they are.
func (rt Route[H, C]) Fresh() Route[H, C] {
	rt.Person, rt.Address.Fresh = true, true
	return rt
}

// Taking is rt for a form that may bring files, of so many bytes in all.
func (rt Route[H, C]) Taking(bytes int64) Route[H, C] {
	rt.Bytes = bytes
	return rt
}

// Declared lists the addresses with what opens them.
func Declared[H, C any](routes []Route[H, C]) []access.Route {
	var out []access.Route
	for _, rt := range routes {
		out = append(out, access.Route{Method: rt.Method, Path: "/{lang}" + rt.Path, May: rt.May})
	}
	return out
}

// Pages lists the patterns that answer GET with a page, below the language.
func Pages[H, C any](routes []Route[H, C]) []string {
	var out []string
	for _, rt := range routes {
		if rt.Method == http.MethodGet && !rt.Passing && !strings.Contains(rt.Path, ".") {
			out = append(out, rt.Path)
		}
	}
	return out
}

// Register adds all routes: below each language, and those of GET without one, too
// (303 to the reader's). own makes the module's call of the common one. It panics
// on a route that does not say what opens it.
func Register[H, C any](mux *http.ServeMux, m Module, h H, routes []Route[H, C], own func(*Call) C) {
	m.pages = Pages(routes)
	for _, rt := range routes {
		access.Default().Declared(rt.Method, rt.Path, rt.May)
		page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c := m.call(w, r)
			on, err := c.admit(&rt.Address)
			if on {
				err = rt.Serve(h, own(c))
			}
			if err != nil {
				httpd.Problem(w, r, err)
			}
		})
		for _, lang := range i18n.Langs() {
			mux.Handle(rt.Method+" /"+string(lang)+rt.Path, page)
		}
		if rt.Method == http.MethodGet {
			mux.HandleFunc("GET "+rt.Path, web.RedirectLang)
		}
	}
}
