package httpd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/gzhttp"

	"plateau/internal/platform/errs"
)

// policy lets a page load from this server only, and nothing run that stands in
// the page itself. data: is for the small pictures inside the style sheet.
const policy = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// Wrap puts the edge around a handler: log, recovery, headers, the check for
// cross-origin writes, compression. Writes that a browser sends from another
// site are refused (net/http.CrossOriginProtection), which together with
// SameSite cookies stands in for tokens in forms.
func Wrap(next http.Handler, e *Edge, log *slog.Logger, now func() time.Time) http.Handler {
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		Problem(w, r, errs.New(errs.Forbidden, "err.cross_origin"))
	}))
	h := compress(cross.Handler(texts(next)))
	h = headers(h)
	h = recovered(h, log)
	h = logged(h, log, now)
	return withEdge(h, e)
}

// texts refuses addresses that decode to something that is no text: nothing has
// such a name.
func texts(next http.Handler) http.Handler {
	isText := func(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, err := url.QueryUnescape(r.URL.RawQuery)
		if !isText(r.URL.Path) || err == nil && !isText(query) { // what cannot be decoded is the handler's to refuse
			Problem(w, r, errs.New(errs.Malformed, "err.not_text"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func withEdge(next http.Handler, e *Edge) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(WithEdge(r.Context(), e)))
	})
}

func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		if r.TLS != nil { // where a proxy ends TLS, it says so itself
			h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
		}
		next.ServeHTTP(w, r)
	})
}

// compressed are the types worth compressing. Everything else is sent as it is:
// fonts and pictures are compressed already.
var compressed = []string{
	"text/html", "text/css", "text/plain", "text/csv", "text/javascript", "application/javascript",
	"application/json", "application/problem+json", "application/x-ndjson", "application/geo+json", "image/svg+xml", "application/atom+xml",
	"application/openmetrics-text",
}

func compress(next http.Handler) http.Handler {
	wrap, err := gzhttp.NewWrapper(gzhttp.MinSize(1024), gzhttp.ContentTypes(compressed))
	if err != nil {
		panic(err) // the options above are constant
	}
	return wrap(next)
}

// recovered answers for a handler that panicked. http.ErrAbortHandler is how a
// handler breaks off on purpose and goes on to the server.
func recovered(next http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v)
			}
			log.ErrorContext(r.Context(), "handler panicked", slog.String("panic", fmt.Sprint(v)), slog.String("stack", string(debug.Stack())))
			if rec, ok := w.(*recorder); ok && rec.status != 0 {
				panic(http.ErrAbortHandler) // too late for an answer: break off, so that the client sees it
			}
			Problem(w, r, fmt.Errorf("panic: %v", v))
		}()
		next.ServeHTTP(w, r)
	})
}

// logged writes one line for each request when it is over. It names the path,
// never the query (a form may have put personal data there) and never who asked.
func logged(next http.Handler, log *slog.Logger, now func() time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := now()
		rec := &recorder{ResponseWriter: w}
		notes := &notes{}
		defer func() {
			if rec.status == 0 {
				rec.status = http.StatusOK
			}
			lvl := level(r, rec.status)
			if notes.routine.Load() && rec.status < http.StatusBadRequest {
				lvl = slog.LevelDebug
			}
			if !log.Enabled(r.Context(), lvl) {
				return
			}
			attrs := []slog.Attr{
				slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", rec.status),
				slog.Int64("bytes", rec.bytes), slog.Duration("took", now().Sub(begin)),
			}
			log.LogAttrs(r.Context(), lvl, "request", append(attrs, notes.all()...)...)
		}()
		next.ServeHTTP(rec, r.WithContext(context.WithValue(r.Context(), notesKey{}, notes)))
	})
}

// level keeps the log readable: pages poll, so what went well is for debugging.
func level(r *http.Request, status int) slog.Level {
	switch {
	case status >= 500 && r.URL.Path != "/readyz": // 503 is what /readyz is there to say
		return slog.LevelError
	case status >= 400, r.Method != http.MethodGet && r.Method != http.MethodHead:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

type notesKey struct{}

// notes are attributes that handlers add to the request's log line.
type notes struct {
	mu      sync.Mutex
	attrs   []slog.Attr
	routine atomic.Bool
}

// Routine tells that a request is one of very many: when it went well, its line
// in the log is for debugging, whatever its method. The handler counts it.
func Routine(ctx context.Context) {
	if n, ok := ctx.Value(notesKey{}).(*notes); ok {
		n.routine.Store(true)
	}
}

func (n *notes) all() []slog.Attr {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.attrs
}

func note(ctx context.Context, attrs ...slog.Attr) {
	if n, ok := ctx.Value(notesKey{}).(*notes); ok {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.attrs = append(n.attrs, attrs...)
	}
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(p)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Flush lets handlers send what they have (NDJSON, fragments).
func (r *recorder) Flush() {
	if f, ok := r.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

// Mux answers 404 and 405 of a ServeMux through Problem as well.
func Mux(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r) // not h: only this sets the path values
			return
		}
		probe := &probe{header: http.Header{}}
		h.ServeHTTP(probe, r)
		if probe.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", probe.header.Get("Allow"))
			problem(w, r, errs.New(errs.Malformed, "err.method", "allow", probe.header.Get("Allow")), http.StatusMethodNotAllowed)
			return
		}
		Problem(w, r, errs.New(errs.NotFound, "err.not_found"))
	})
}

// probe takes the mux's own answer only to see its status.
type probe struct {
	header http.Header
	status int
}

func (p *probe) Header() http.Header         { return p.header }
func (p *probe) Write(b []byte) (int, error) { return len(b), nil }
func (p *probe) WriteHeader(status int)      { p.status = status }

// NotModified sets the entity tag of a response and reports whether the client
// has it already; 304 is then written and the handler is done (RFC 9110 section
// 13.1.2). tag is any text that changes with the content; it is compared weakly,
// because the same content travels compressed and plain.
func NotModified(w http.ResponseWriter, r *http.Request, tag string) bool {
	etag := `W/"` + strings.Map(etagRune, tag) + `"`
	w.Header().Set("ETag", etag)
	if w.Header().Get("Cache-Control") == "" {
		w.Header().Set("Cache-Control", "private, no-cache")
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	for have := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		have = strings.TrimSpace(have)
		if have == "*" || strings.TrimPrefix(have, "W/") == strings.TrimPrefix(etag, "W/") {
			w.WriteHeader(http.StatusNotModified)
			return true
		}
	}
	return false
}

// etagRune leaves the characters of an entity tag (RFC 9110 section 8.8.3)
// except the comma, which the list above is cut at.
func etagRune(r rune) rune {
	if r > 0x20 && r < 0x7f && r != '"' && r != ',' {
		return r
	}
	return '_'
}
