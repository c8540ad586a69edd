package web

import (
	"net/http"
	"slices"
	"strings"

	"plateau/internal/platform/i18n"
)

// Page is what the layout shows, with the page's own view in Data.
type Page struct {
	Title  string  // equal to the start of <title> and to the only h1
	Module string  // key of the module link that is marked as current
	Crumbs []Crumb // one level up and above
	User   *User   // nil: nobody is signed in
	// Plain chooses the large density for residents; officers get the dense one.
	Plain    bool
	Wide     bool         // no limit on the width (overview)
	Scripts  []string     // bundles beyond the shell's own, such as "chart"
	Progress *Progress    // work that goes on behind the page
	Notices  []Notice     // facts above the content, such as what was just saved
	Errors   []FieldError // error summary; not empty means status 422 and "Error:" in the title
	Home     string       // where the mark leads to, without the language; "" = "/"
	Private  bool         // shows a secret: no cache keeps the page
	Feed     *Crumb       // a feed of the page's subject, for readers to find; nil = none
	Data     any

	// Filled by the engine.
	Lang    i18n.Lang
	Path    string // without the language, "/outlets/7"
	Query   string // raw query
	Links   []Link
	Version string
	Adopt   bool // --adopt-unknown is on; the footer says so
	Inbox   bool // the top bar leads to the notifications
	Unread  int  // those that the reader has not read
}

// Crumb is one step of the breadcrumb; an empty Path is text.
type Crumb struct{ Text, Path string }

// User is who is signed in, by post; Name may be empty.
type User struct{ Post, Name string }

// Link is a module link of the top bar. Key is the module and the name of its
// text, nav.KEY.
type Link struct{ Key, Path string }

// Progress is a line such as "filling history: 12 of 30 days".
type Progress struct {
	Text        string
	Done, Total int
}

// Notice is a fact above the content. Kind is "ok", "warn" or "exceed".
type Notice struct{ Kind, Text string }

// FieldError is one line of the error summary, linked to the field.
type FieldError struct{ Field, Text string }

// In returns the address of the same page and query in another language.
func (p *Page) In(lang i18n.Lang) string {
	to := "/" + string(lang) + p.Path
	if p.Path == "/" || p.Path == "" {
		to = "/" + string(lang) + "/"
	}
	if p.Query != "" {
		to += "?" + p.Query
	}
	return to
}

// Langs lists the languages of the switch.
func (p *Page) Langs() []i18n.Lang { return i18n.Langs() }

// Script reports whether the page asked for a bundle.
func (p *Page) Script(name string) bool {
	return slices.Contains(p.Scripts, name)
}

// ManyUnread reports whether there are more unread notifications than are counted.
func (p *Page) ManyUnread() bool { return p.Unread >= MostUnread }

// SplitLang cuts the language off a path: "/zh/outlets" is zh, "/outlets".
func SplitLang(path string) (lang i18n.Lang, rest string, ok bool) {
	first, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	lang, ok = i18n.ParseLang(first)
	if !ok {
		return i18n.Zh, path, false
	}
	return lang, "/" + rest, true
}

// LangCookie keeps the chosen language.
const LangCookie = "lang"

// RequestLang is the language of a request: its path, else the cookie, else
// Accept-Language.
func RequestLang(r *http.Request) i18n.Lang {
	if lang, _, ok := SplitLang(r.URL.Path); ok {
		return lang
	}
	cookie := ""
	if c, err := r.Cookie(LangCookie); err == nil {
		cookie = c.Value
	}
	return i18n.Negotiate(cookie, r.Header.Get("Accept-Language"))
}

// RedirectLang answers a request without a language in its path: 303 to the
// same path and query in the negotiated one.
func RedirectLang(w http.ResponseWriter, r *http.Request) {
	p := Page{Path: r.URL.Path, Query: r.URL.RawQuery}
	// Two slashes at the start would name another host.
	p.Path = "/" + strings.TrimLeft(p.Path, "/\\")
	w.Header().Set("Vary", "Accept-Language, Cookie")
	http.Redirect(w, r, p.In(RequestLang(r)), http.StatusSeeOther) //nolint:gosec // begins with "/" and one of three languages
}
