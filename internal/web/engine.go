package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"

	"plateau/internal/platform/httpd"
	"plateau/internal/platform/i18n"
)

//go:embed all:templates
var shell embed.FS

// FragmentHeader names the block a request wants instead of the whole page.
const FragmentHeader = "Plateau-Fragment"

// Options of an engine.
type Options struct {
	Catalogue *i18n.Catalogue  // nil: the embedded one
	Templates []fs.FS          // pages of the modules, *.html at their roots
	Assets    *Assets          // nil in tests: plain names
	Links     []Link           // module links, at most 6
	Funcs     template.FuncMap // further functions
	Version   string
	Adopt     bool
	// Unread counts the notifications that who sends a request has not read; nil:
	// there are none. From MostUnread on it may stop counting.
	Unread func(r *http.Request) int
}

// MostUnread is the count from which the top bar only says "more".
const MostUnread = 100

// Engine holds all pages in all languages. It is safe for concurrent use.
type Engine struct {
	o     Options
	sets  map[i18n.Lang]map[string]pageSet
	keys  []string
	pages []string
}

// pageSet makes the templates of a page in a language when they are first asked for:
// each page needs a copy of what all share, and most are never opened in most
// languages.
type pageSet func() (*template.Template, error)

// New reads every page. The error names each template that does not parse or calls
// one that is nowhere declared.
func New(o Options) (*Engine, error) {
	if o.Catalogue == nil {
		o.Catalogue = i18n.Default()
	}
	shared, pages, err := collect(append([]fs.FS{Sub(shell, "templates")}, o.Templates...))
	if err != nil {
		return nil, err
	}
	e := &Engine{o: o, sets: map[i18n.Lang]map[string]pageSet{}}
	for name := range pages {
		e.pages = append(e.pages, name)
	}
	slices.Sort(e.pages)
	if err := e.check(shared, pages); err != nil {
		return nil, err
	}
	for _, lang := range i18n.Langs() {
		base := template.New("").Option("missingkey=error").Funcs(e.funcs(lang)).Funcs(o.Funcs)
		for _, s := range shared {
			if _, err := base.New(s.name).Parse(s.text); err != nil {
				return nil, fmt.Errorf("template %s: %w", s.name, err)
			}
		}
		e.sets[lang] = map[string]pageSet{}
		for name, text := range pages {
			e.sets[lang][name] = sync.OnceValues(func() (*template.Template, error) {
				set, err := base.Clone()
				if err != nil {
					return nil, err
				}
				return set.New(name).Parse(text)
			})
		}
	}
	return e, nil
}

// check reads each template once, whatever the language, and notes the words that
// they use.
func (e *Engine) check(shared []source, pages map[string]string) error {
	funcs := e.funcs(i18n.Zh)
	maps.Copy(funcs, e.o.Funcs)
	var errs []error
	all := newFound()
	for _, s := range shared {
		if err := all.add(s.name, s.text, funcs); err != nil {
			errs = append(errs, err)
		}
	}
	for _, name := range e.pages {
		own := newFound()
		if err := own.add(name, pages[name], funcs); err != nil {
			errs = append(errs, err)
			continue
		}
		for _, u := range undeclared(all, own) {
			errs = append(errs, fmt.Errorf("template %s: calls %q, which is not declared", name, u))
		}
		e.keys = append(e.keys, own.keys...)
	}
	e.keys = append(e.keys, all.keys...)
	slices.Sort(e.keys)
	e.keys = slices.Compact(e.keys)
	return errors.Join(errs...)
}

// set returns the templates of a page; nil where there is none.
func (e *Engine) set(lang i18n.Lang, name string) (*template.Template, error) {
	of := e.sets[lang][name]
	if of == nil {
		return nil, nil //nolint:nilnil // the caller knows what is missing
	}
	return of()
}

type source struct{ name, text string }

func collect(systems []fs.FS) (shared []source, pages map[string]string, err error) {
	pages = map[string]string{}
	for _, fsys := range systems {
		names, err := fs.Glob(fsys, "*.html")
		if err != nil {
			return nil, nil, fmt.Errorf("list templates: %w", err)
		}
		for _, name := range names {
			raw, err := fs.ReadFile(fsys, name)
			if err != nil {
				return nil, nil, fmt.Errorf("read template: %w", err)
			}
			if strings.HasPrefix(path.Base(name), "_") {
				shared = append(shared, source{name, string(raw)})
				continue
			}
			if _, twice := pages[name]; twice {
				return nil, nil, fmt.Errorf("template %s: two modules have a page of this name", name)
			}
			pages[name] = string(raw)
		}
	}
	return shared, pages, nil
}

// Sub is a folder of an embedded file system, such as the templates of a module.
func Sub(fsys embed.FS, dir string) fs.FS {
	sub, err := fs.Sub(fsys, dir)
	if err != nil {
		panic(err) // the folder is embedded
	}
	return sub
}

// Pages lists the names of all pages, sorted.
func (e *Engine) Pages() []string { return slices.Clone(e.pages) }

// MissingKeys lists "lang key" for every literal key of a template that a
// language lacks; tests want it empty.
func (e *Engine) MissingKeys() []string {
	var missing []string
	for _, lang := range i18n.Langs() {
		for _, k := range e.keys {
			if !e.o.Catalogue.Has(lang, k) {
				missing = append(missing, string(lang)+" "+k)
			}
		}
	}
	return missing
}

// Localizer returns the localizer of a language.
func (e *Engine) Localizer(lang i18n.Lang) *i18n.Localizer { return e.o.Catalogue.For(lang) }

// Assets returns the built files the engine links to.
func (e *Engine) Assets() *Assets { return e.o.Assets }

// Render writes the whole page, or with block only that block of it. p.Lang
// chooses the language.
func (e *Engine) Render(w io.Writer, name, block string, p *Page) error {
	if p.Lang == "" {
		p.Lang = i18n.Zh
	}
	set, err := e.set(p.Lang, name)
	if err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	if set == nil {
		return fmt.Errorf("render %s in %q: no such page", name, p.Lang)
	}
	if p.Links == nil {
		p.Links = e.o.Links
	}
	if p.Home == "" {
		p.Home = "/"
	}
	p.Version, p.Adopt = e.o.Version, e.o.Adopt
	if block == "" {
		block = "layout"
	}
	if set.Lookup(block) == nil {
		return fmt.Errorf("render %s: no block %q", name, block)
	}
	if err := set.ExecuteTemplate(w, block, p); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	return nil
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Serve renders a page or, when the request names one, a fragment of it, and
// sends it with an ETag (304 when the reader has it). The edge compresses. Nothing is sent before the page is complete, so an error
// can still be answered with a proper page by the caller.
func (e *Engine) Serve(w http.ResponseWriter, r *http.Request, status int, name string, p *Page) error {
	lang, rest, ok := SplitLang(r.URL.Path)
	if !ok {
		lang = RequestLang(r)
	}
	if p.Lang == "" {
		p.Lang = lang
	}
	if p.Path == "" {
		p.Path, p.Query = rest, r.URL.RawQuery
	}
	fragment := r.Header.Get(FragmentHeader)
	if fragment != "" {
		if set, err := e.set(p.Lang, name); err != nil || set == nil || set.Lookup(fragment) == nil {
			fragment = "" // an old script after an update gets the whole page and finds its part in it
		}
	}
	if p.User != nil && e.o.Unread != nil && fragment == "" {
		p.Inbox, p.Unread = true, e.o.Unread(r)
	}
	buf, _ := buffers.Get().(*bytes.Buffer)
	buf.Reset()
	defer buffers.Put(buf)
	if err := e.Render(buf, name, fragment, p); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", p.Lang.Tag())
	h.Add("Vary", "Cookie, "+FragmentHeader)
	h.Set("Cache-Control", "private, no-cache")
	if p.Private {
		h.Set("Cache-Control", "no-store")
	} else if status == http.StatusOK {
		sum := sha256.Sum256(buf.Bytes())
		if httpd.NotModified(w, r, base64.RawURLEncoding.EncodeToString(sum[:12])) {
			return nil
		}
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(buf.Bytes()) // the reader went away: nothing to do about it
	}
	return nil
}
