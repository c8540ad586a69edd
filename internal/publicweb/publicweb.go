package publicweb

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/casework"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/httpd"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/alarm"
	"plateau/internal/telemetry/quality"
	"plateau/internal/web"
	"plateau/rules"
)

//go:embed all:templates
var templates embed.FS

// Templates returns the page templates for web.Options.
func Templates() fs.FS { return web.Sub(templates, "templates") }

// Home is the address of the first page, below the language.
const Home = "/public"

// Registry gives the present registry, with the limits of the standards.
type Registry interface{ Snapshot() *telemetry.Snapshot }

// Judgements are what residents are told of: states, judged hours and days.
type Judgements interface {
	States(asOf time.Time) ([]quality.StateResult, error)
	Hours(outlet telemetry.OutletID, from, to time.Time) ([]quality.HourRow, error)
	Days(outlet telemetry.OutletID, from, to time.Time) ([]quality.DayRow, error)
	Now(outlet telemetry.OutletID, asOf time.Time) (quality.View, error) // for the limits in force only
}

// Alarms tell what officers have said of open alarms; *alarm.Service is one.
type Alarms interface {
	List(ctx context.Context, f alarm.Filter) ([]alarm.Episode, error)
}

// Case is what residents are told of the case of an exceedance.
type Case struct {
	Number, Href  string        // of the tracking page, below the language
	State         casework.Text // in the words for the public
	Summary       casework.Text // what came of it; empty until somebody said
	Opened, Since time.Time     // since when it stands as it does
	Open          bool
	Kind          alarm.Kind
	Factor, Level string    // hour or day
	From, To      time.Time // of the exceedance; zero To = it goes on
}

// Cases tells of the cases of an outlet's exceedances, the latest first: those that are
// open, and those that were closed since an instant.
type Cases interface {
	OfOutlet(ctx context.Context, outlet telemetry.OutletID, since time.Time) ([]Case, error)
}

// Deps are what the pages need of the rest of the program.
type Deps struct {
	Engine   *web.Engine // made with Templates() among its templates
	Registry Registry
	Quality  Judgements
	Rules    *rules.Set
	Alarms   Alarms // nil: there are none
	Cases    Cases  // nil: there are none
	// Publisher names the authority that publishes; "" = not named.
	Publisher string
	// Licence and LicenceURL are the terms under which the data may be used.
	Licence, LicenceURL string
	Version             string           // of the program, as Parquet files name it
	Now                 func() time.Time // nil: the system clock
	Logger              *slog.Logger     // nil: slog.Default
}

// Handler serves the pages. Make it with New.
type Handler struct {
	Deps
	pages  cache
	states stateCache
	// building bounds how many answers are made at one time: reading months of
	// hours must leave processors to what comes in.
	building  chan struct{}
	downloads chan struct{}
	stamps    stamps
}

// atOnce is how many answers are made at one time.
const atOnce = 2

// New makes a handler.
func New(d Deps) *Handler {
	if d.Now == nil {
		d.Now = time.Now //nolint:forbidigo // stands in where nobody gave a clock
	}
	if d.Logger == nil {
		d.Logger = slog.Default()
	}
	return &Handler{Deps: d, building: make(chan struct{}, atOnce), downloads: make(chan struct{}, maxDownloads)}
}

// route is one page: pattern below the language, who may, the parts of the query
// that count, and what makes it.
type route struct {
	path  string
	may   access.Permission
	query []string
	serve func(*Handler, *call) (*document, error)
}

func routes() []route {
	return []route{
		{"/public", access.Open, nil, (*Handler).home},
		{"/public/counties/{code}", access.Open, nil, (*Handler).county},
		{"/public/counties/{code}/feed.atom", access.Open, nil, (*Handler).feed},
		{"/public/feed.atom", access.Open, nil, (*Handler).feed},
		{"/public/outlets/{id}", access.Open, nil, (*Handler).outlet},
		{"/public/outlets/{id}/history", access.Open, []string{"from", "to", "factor"}, (*Handler).history},
		{dictionaryPath, access.Open, nil, (*Handler).data},
	}
}

// Pages lists the patterns that answer with a page, below the language; browser
// tests walk them.
func Pages() []string {
	var out []string
	for _, r := range routes() {
		if !strings.Contains(r.path, ".") {
			out = append(out, r.path)
		}
	}
	return out
}

// Register adds the pages below each language and, without one, a redirect to
// the reader's.
func (h *Handler) Register(mux *http.ServeMux) { h.register(mux, routes()) }

// register panics on a page that does not say who may see it: the program does
// not start with one.
func (h *Handler) register(mux *http.ServeMux, pages []route) {
	for _, rt := range pages {
		access.Default().Declared(http.MethodGet, rt.path, rt.may)
	}
	for _, rt := range files() {
		access.Default().Declared(rt.Method, rt.Path, rt.May)
	}
	for _, rt := range pages {
		for _, lang := range i18n.Langs() {
			mux.Handle("GET /"+string(lang)+rt.path, h.page(rt))
		}
		mux.HandleFunc("GET "+rt.path, web.RedirectLang)
	}
	// The same in every language.
	mux.Handle("GET "+dictionaryPath+".json", h.page(route{dictionaryPath + ".json", access.Open, nil, (*Handler).dictionary}))
	mux.HandleFunc("GET "+FilesPath+"{file}", h.file)
	mux.HandleFunc("GET /robots.txt", robots)
}

// files are the addresses that are the same in every language.
func files() []access.Route {
	return []access.Route{
		{Method: http.MethodGet, Path: dictionaryPath + ".json", May: access.Open},
		{Method: http.MethodGet, Path: FilesPath + "{file}", May: access.Open},
		{Method: http.MethodGet, Path: "/robots.txt", May: access.Open},
	}
}

// Routes lists all addresses with the permission that opens them; pages stand
// below a language.
func Routes() []access.Route {
	var out []access.Route
	for _, rt := range routes() {
		out = append(out, access.Route{Method: http.MethodGet, Path: "/{lang}" + rt.path, May: rt.may})
	}
	return append(out, files()...)
}

// robots lets search engines read the pages for residents and nothing else.
func robots(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=86400")
	var b strings.Builder
	b.WriteString("User-agent: *\n")
	for _, lang := range i18n.Langs() {
		b.WriteString("Allow: /" + string(lang) + Home + "\n")
	}
	b.WriteString("Allow: /assets/\nDisallow: /\n")
	_, _ = w.Write([]byte(b.String())) // the reader went away: nothing to do about it
}

// call is one request with what every page needs of it.
type call struct {
	r      *http.Request
	path   string // without the language
	query  string // the parts that count, in a fixed order
	lang   i18n.Lang
	l      *i18n.Localizer
	now    time.Time
	cut    time.Time // end of what is published
	policy *policy
	snap   *telemetry.Snapshot

	standards map[string]*telemetry.Limit // by ID, when first asked for
	limited   map[telemetry.OutletID]map[string]bool
}

var errUnfinished = errors.New("a page was not finished")

// maxAge is how long a reader's browser and the caches between keep an answer.
const maxAge = "public, max-age=60"

func (h *Handler) page(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h.answer(w, r, rt); err != nil {
			httpd.Problem(w, r, err)
		}
	})
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request, rt route) error {
	c, err := h.call(r, rt.query)
	if err != nil {
		return err
	}
	key := string(c.lang) + c.path + "?" + c.query
	doc, err := h.pages.get(key, slot{c.cut.Unix(), c.snap.Version}, func() (*document, error) {
		h.building <- struct{}{}
		defer func() { <-h.building }()
		return rt.serve(h, c)
	})
	if err != nil {
		return err
	}
	head := w.Header()
	head.Set("Cache-Control", maxAge)
	head.Set("Content-Type", doc.kind)
	if doc.lang != "" {
		head.Set("Content-Language", doc.lang)
	}
	if httpd.NotModified(w, r, doc.tag) {
		return nil
	}
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(doc.body) // the reader went away: nothing to do about it
	}
	return nil
}

func (h *Handler) call(r *http.Request, query []string) (*call, error) {
	lang, path, ok := web.SplitLang(r.URL.Path)
	if !ok {
		lang = web.RequestLang(r)
	}
	now := h.Now()
	p, err := readPolicy(h.Rules, now)
	if err != nil {
		return nil, err
	}
	given, kept := r.URL.Query(), make(map[string][]string)
	for _, name := range query {
		if v := strings.TrimSpace(given.Get(name)); v != "" {
			kept[name] = []string{v}
		}
	}
	return &call{
		r: r, path: path, query: encode(kept), lang: lang, l: h.Engine.Localizer(lang), now: now, cut: p.cut(now), policy: p, snap: h.Registry.Snapshot(),
	}, nil
}

func newDocument(kind, lang string, body []byte) *document {
	sum := sha256.Sum256(body)
	return &document{kind: kind, lang: lang, body: body, tag: base64.RawURLEncoding.EncodeToString(sum[:12])}
}

// links are those of the bar: nothing of the staff's pages.
func links() []web.Link {
	return []web.Link{{Key: "public", Path: Home}, {Key: "public_data", Path: dictionaryPath}}
}

// render draws a page.
func (h *Handler) render(c *call, name string, p *web.Page) (*document, error) {
	p.Plain, p.Links, p.Home = true, links(), Home
	p.Lang, p.Path, p.Query = c.lang, c.path, c.query
	var b bytes.Buffer
	if err := h.Engine.Render(&b, name, "", p); err != nil {
		return nil, err
	}
	return newDocument("text/html; charset=utf-8", c.lang.Tag(), b.Bytes()), nil
}

// ProblemPage shows an error to a resident; it is for the addresses below Home.
func (h *Handler) ProblemPage(w http.ResponseWriter, r *http.Request, d httpd.Details) bool {
	lang, path, _ := web.SplitLang(r.URL.Path)
	l := h.Engine.Localizer(lang)
	view := web.ProblemView{Text: d.Detail, Instance: strings.TrimPrefix(d.Instance, "urn:uuid:")}
	p := &web.Page{Title: l.T("problem_title." + d.Kind), Plain: true, Links: links(), Home: Home, Lang: lang, Path: path, Data: view}
	var b bytes.Buffer
	if err := h.Engine.Render(&b, web.ProblemPage, "", p); err != nil {
		h.Logger.ErrorContext(r.Context(), "problem page not drawn", slog.String("error", err.Error()))
		return false
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(d.Status)
	_, _ = w.Write(b.Bytes()) // the reader went away: nothing to do about it
	return true
}

// Owns reports whether an address is one of the pages for residents.
func Owns(path string) bool {
	_, rest, _ := web.SplitLang(path)
	return rest == Home || strings.HasPrefix(rest, Home+"/")
}

func notFound() error { return errs.New(errs.NotFound, "problem.not_found") }

// stateCache holds the states of the published instant.
type stateCache struct {
	mu   sync.Mutex
	slot slot
	list []quality.StateResult
}

// statesAt returns the states of all outlets at the published instant.
func (h *Handler) statesAt(c *call) ([]quality.StateResult, error) {
	now := slot{c.cut.Unix(), c.snap.Version}
	h.states.mu.Lock()
	defer h.states.mu.Unlock()
	if h.states.slot == now && h.states.list != nil {
		return h.states.list, nil
	}
	list, err := h.Quality.States(c.cut)
	if err == nil {
		h.states.slot, h.states.list = now, list
	}
	return list, err
}
