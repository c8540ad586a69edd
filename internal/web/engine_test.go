package web

import (
	"bytes"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"plateau/internal/platform/i18n"
)

func engine(t *testing.T, pages map[string]string) *Engine {
	t.Helper()
	e, err := New(Options{Templates: []fs.FS{files(pages)}, Links: []Link{{"overview", "/"}, {"outlets", "/outlets"}}, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func engineFiles(gallery []byte) []fs.FS {
	return []fs.FS{files(map[string]string{"gallery.html": string(gallery)})}
}

func files(pages map[string]string) fs.FS {
	m := fstest.MapFS{}
	for name, text := range pages {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

func TestEngineRefusesAtStart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, page, want string }{
		{"undeclared", `{{define "content"}}{{template "nowhere" .}}{{end}}`, `calls "nowhere"`},
		{"undeclared inside a branch", `{{define "content"}}{{if .Title}}{{else}}{{range .Crumbs}}{{template "gone" .}}{{end}}{{end}}{{end}}`, `calls "gone"`},
		{"no content", `{{define "other"}}x{{end}}`, `calls "content"`},
		{"syntax", `{{define "content"}}{{if}}{{end}}`, "template a.html"},
		{"unknown function", `{{define "content"}}{{nofunc 1}}{{end}}`, "nofunc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := New(Options{Templates: []fs.FS{files(map[string]string{"a.html": c.page})}})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want one about %q", err, c.want)
			}
		})
	}
	_, err := New(Options{Templates: []fs.FS{
		files(map[string]string{"a.html": `{{define "content"}}{{end}}`}),
		files(map[string]string{"a.html": `{{define "content"}}{{end}}`}),
	}})
	if err == nil || !strings.Contains(err.Error(), "two modules") {
		t.Errorf("two pages of one name: %v", err)
	}
}

const samplePage = `{{define "content"}}<h1>{{.Title}}</h1>{{template "live" .}}{{end}}{{define "live"}}<section id="live">{{t "state.exceed"}} {{.Data}}</section>{{end}}`

func TestServe(t *testing.T) {
	t.Parallel()
	e := engine(t, map[string]string{"a.html": samplePage})
	get := func(path string, header ...string) *httptest.ResponseRecorder {
		t.Helper()
		r := httptest.NewRequest(http.MethodGet, path, nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		if err := e.Serve(w, r, http.StatusOK, "a.html", &Page{Title: "标题 & co", Module: "outlets", Data: "<b>"}); err != nil {
			t.Fatal(err)
		}
		return w
	}
	w := get("/zh/outlets?state=exceed")
	body := w.Body.String()
	for _, want := range []string{
		`<html lang="zh-Hans"`, "<title>标题 &amp; co – ", "超标 &lt;b&gt;", `href="/bo/outlets?state=exceed"`,
		`<a href="/zh/outlets" aria-current="page">`, `class="skip" href="#main"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("page lacks %q", want)
		}
	}
	if strings.Contains(body, `class="draft"`) {
		t.Error("a Chinese page carries the mark of the Tibetan draft")
	}
	if bo := get("/bo/outlets").Body.String(); !strings.Contains(bo, `class="draft"`) || !strings.Contains(bo, `<html lang="bo"`) {
		t.Error("the Tibetan page does not say that it is a draft")
	}
	frag := get("/en/outlets", FragmentHeader, "live")
	if got, want := frag.Body.String(), `<section id="live">over limit &lt;b&gt;</section>`; got != want {
		t.Errorf("fragment %q, want %q", got, want)
	}
	tag := frag.Header().Get("ETag")
	if again := get("/en/outlets", FragmentHeader, "live", "If-None-Match", tag); again.Code != http.StatusNotModified || again.Body.Len() != 0 {
		t.Errorf("same fragment again: %d with %d bytes, want 304 with none", again.Code, again.Body.Len())
	}
	if other := get("/zh/outlets", FragmentHeader, "live", "If-None-Match", tag); other.Code != http.StatusOK {
		t.Errorf("other content: %d, want 200", other.Code)
	}
	if unknown := get("/zh/outlets", FragmentHeader, "old-name"); !strings.Contains(unknown.Body.String(), "<html") {
		t.Error("an unknown fragment is not answered with the whole page")
	}
}

func TestRedirectLang(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ path, cookie, accept, want string }{
		{"/", "", "", "/zh/"},
		{"/", "", "en-GB,en;q=0.9,zh;q=0.8", "/en/"},
		{"/outlets?sort=-ratio", "bo", "en", "/bo/outlets?sort=-ratio"},
		{"/outlets", "xx", "fr, bo;q=0.3, zh;q=0.1", "/bo/outlets"},
		{"//evil.example/x", "", "", "/zh/evil.example/x"},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://host"+c.path, nil)
		if c.cookie != "" {
			r.AddCookie(&http.Cookie{Name: LangCookie, Value: c.cookie})
		}
		r.Header.Set("Accept-Language", c.accept)
		w := httptest.NewRecorder()
		RedirectLang(w, r)
		if got := w.Header().Get("Location"); got != c.want || w.Code != http.StatusSeeOther {
			t.Errorf("%s (cookie %q, accept %q) goes to %s with %d, want %s", c.path, c.cookie, c.accept, got, w.Code, c.want)
		}
	}
}

func TestKeysOfShell(t *testing.T) {
	t.Parallel()
	e := engine(t, nil)
	if missing := e.MissingKeys(); len(missing) > 0 {
		t.Errorf("keys used in templates and missing: %v", missing)
	}
	if len(e.keys) < 20 {
		t.Errorf("only %d keys found in the templates; does the walk still see them?", len(e.keys))
	}
	e = engine(t, map[string]string{"a.html": `{{define "content"}}{{with .Title}}{{printf "%s" (t "no.such.key")}}{{end}}{{end}}`})
	if missing := strings.Join(e.MissingKeys(), ","); missing != "zh no.such.key,bo no.such.key,en no.such.key" {
		t.Errorf("a planted missing key is not found: %q", missing)
	}
}

func TestProblemRenders(t *testing.T) {
	t.Parallel()
	e := engine(t, nil)
	for _, lang := range i18n.Langs() {
		var b bytes.Buffer
		l := e.Localizer(lang)
		err := e.Render(&b, ProblemPage, "", &Page{Lang: lang, Title: l.T("problem.heading"), Data: ProblemView{Text: l.T("err.internal"), Instance: "ab12"}})
		if err != nil || !strings.Contains(b.String(), "ab12") {
			t.Errorf("%s: %v", lang, err)
		}
	}
}
