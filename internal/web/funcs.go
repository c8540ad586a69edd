package web

import (
	"errors"
	"fmt"
	"html/template"
	"strings"
	"time"

	"plateau/internal/platform/i18n"
	"plateau/internal/web/chart"
)

// funcs are the functions of templates in one language; see the package
// comment for the list.
func (e *Engine) funcs(lang i18n.Lang) template.FuncMap {
	l := e.o.Catalogue.For(lang)
	text := func(key string, args ...any) any {
		s, used := l.Text(key, args...)
		return marked(s, used, lang)
	}
	return template.FuncMap{
		"t": text, "td": text,
		"num":      i18n.Number,
		"dur":      l.Duration,
		"ago":      l.Ago,
		"date":     l.Date,
		"datetime": l.DateTime,
		"short":    i18n.Short,
		"clock":    i18n.Clock,
		"seconds":  i18n.Seconds,
		"stamp":    i18n.Stamp,
		"iso":      func(t time.Time) string { return t.In(i18n.Zone).Format(time.RFC3339) },
		"hours":    i18n.Hours,
		"path":     func(p string) string { return Path(lang, p) },
		"asset":    func(name string) string { return e.o.Assets.Path(name) },
		"inline":   func(name string) template.URL { return e.o.Assets.Inline(name) },
		"icon":     func(state string) template.HTML { return Icon(state, l.T("state."+state)) },
		"shape":    func(state string) template.HTML { return Icon(state, "") },
		"state": func(state string) template.HTML {
			return template.HTML(`<span class="st st-` + template.HTMLEscapeString(state) + `">` + //nolint:gosec // built from escaped parts
				string(Icon(state, "")) + template.HTMLEscapeString(l.T("state."+state)) + `</span>`)
		},
		"in":      func(s, used string) any { return marked(s, i18n.Lang(used), lang) },
		"lang":    func() string { return string(lang) },
		"langtag": func() string { return lang.Tag() },
		"wordbo":  func() template.HTML { return wordBo },
		"dict":    dict,

		"daychart":  func(d chart.Day) template.HTML { return d.SVG(l) },
		"extent":    chart.Extent.HTML,
		"minutes":   func(m chart.Minutes) template.HTML { return m.HTML(l) },
		"sparkline": func(s chart.Spark) template.HTML { return s.SVG(l) },
		"bars":      func(x chart.Bars) template.HTML { return x.SVG(l) },
		"share":     chart.Share.SVG,
		"bar":       func(b chart.Bar) template.HTML { return b.SVG(l) },
		"heatmap":   func(h chart.Heat) template.HTML { return h.HTML(l) },
		"panels":    func(p chart.Panels) template.HTML { return p.HTML(l) },
		"map": func(m chart.Map) template.HTML {
			if m.Base == "" {
				m.Base = e.o.Assets.Path("basemap.svg")
			}
			return m.SVG(l)
		},
		"spot": func(s chart.Spot) template.HTML {
			if s.Base == "" {
				s.Base = e.o.Assets.Path("basemap.svg")
			}
			return s.SVG()
		},
	}
}

// Path returns the address of a page in a language.
func Path(lang i18n.Lang, path string) string {
	return "/" + string(lang) + "/" + strings.TrimLeft(path, "/")
}

// marked wraps words that are not in the page's language, so that a reader's
// voice, the font and line breaking follow (WCAG 2.2, 3.1.2).
func marked(s string, used, lang i18n.Lang) any {
	if used == lang || used == "" {
		return s
	}
	return template.HTML(`<span lang="` + template.HTMLEscapeString(used.Tag()) + `">` + template.HTMLEscapeString(s) + `</span>`) //nolint:gosec // both parts are escaped
}

func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, errors.New("dict: a key has no value")
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		k, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is no key", pairs[i])
		}
		m[k] = pairs[i+1]
	}
	return m, nil
}
