package httpd_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/platform/errs"
	"plateau/internal/platform/httpd"
)

// edge words keys as "WORDS key" and draws pages that say so.
func edge() *httpd.Edge {
	return &httpd.Edge{
		Translate: func(*http.Request) func(string, ...any) string {
			return func(key string, _ ...any) string { return "WORDS " + key }
		},
		Page: func(w http.ResponseWriter, _ *http.Request, p httpd.Details) bool {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(p.Status)
			_, _ = io.WriteString(w, "<p>"+p.Detail+" "+p.Instance)
			return true
		},
	}
}

func serve(t *testing.T, h http.Handler, log io.Writer, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	logger := slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/x?name=private", nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	httpd.Wrap(h, edge(), logger, time.Now).ServeHTTP(w, r)
	return w
}

func TestProblem(t *testing.T) {
	t.Parallel()
	invalid := errs.InvalidField("lon", "err.field.between", "lo", 1)
	tests := []struct {
		name   string
		err    error
		status int
		detail string
	}{
		{"invalid", invalid, 422, "WORDS err.invalid"},
		{"not found", errs.New(errs.NotFound, "err.custom"), 404, "WORDS err.custom"},
		{"conflict", errs.New(errs.Conflict, ""), 409, "WORDS err.conflict"},
		{"forbidden", errs.New(errs.Forbidden, ""), 403, "WORDS err.forbidden"},
		{"unauthenticated", errs.New(errs.Unauthenticated, ""), 401, "WORDS err.unauthenticated"},
		{"too large", &http.MaxBytesError{Limit: 1}, 413, "WORDS err.too_large"},
		{"busy", errs.New(errs.Busy, ""), 503, "WORDS err.busy"},
		{"too often", errs.New(errs.Busy, "err.auth.too_many"), 429, "WORDS err.auth.too_many"},
		{"malformed", errs.New(errs.Malformed, ""), 400, "WORDS err.malformed"},
		{"unclassified", errors.New("password=hunter2"), 500, "WORDS err.internal"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			w := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { httpd.Problem(w, r, tt.err) }), &log)
			var d httpd.Details
			if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil {
				t.Fatal(err)
			}
			if w.Code != tt.status || d.Status != tt.status || d.Detail != tt.detail || w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("%d %+v", w.Code, d)
			}
			if strings.Contains(w.Body.String(), "hunter2") {
				t.Error("the cause is shown")
			}
			if !strings.Contains(log.String(), d.Instance) || strings.Count(log.String(), "\n") != 1 || strings.Contains(log.String(), "private") {
				t.Errorf("log: %s", log.String())
			}
			// A person gets a page instead.
			w = serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { httpd.Problem(w, r, tt.err) }), io.Discard, "Accept", "text/html,*/*")
			if w.Code != tt.status || !strings.Contains(w.Body.String(), "<p>"+tt.detail+" urn:uuid:") {
				t.Errorf("page: %d %s", w.Code, w.Body)
			}
		})
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	w := httptest.NewRecorder()
	httpd.Problem(w, r, invalid) // without an edge: keys instead of words
	var details httpd.Details
	if err := json.Unmarshal(w.Body.Bytes(), &details); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]httpd.FieldError{{Field: "lon", Code: "between", Message: "err.field.between", Detail: "err.field.between"}}, details.Errors); d != "" {
		t.Error(d)
	}
	r = httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/x", nil)
	r.Header.Set("Accept", "text/html")
	if httpd.WantsPage(r) {
		t.Error("the API draws pages")
	}
}

func TestPanicIsAnswered(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	w := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oh no, secret") }), &log)
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "secret") || !strings.Contains(log.String(), "oh no") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	// Half an answer is broken off, so that it is not taken for a whole one.
	defer func() {
		if v := recover(); v != http.ErrAbortHandler { //nolint:errorlint // panics carry the value itself
			t.Errorf("panic %v", v)
		}
	}()
	serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte("half"), 1000))
		panic("late")
	}), io.Discard)
}

func TestEdgeHeaders(t *testing.T) {
	t.Parallel()
	w := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), io.Discard)
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'self'", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
	} {
		if got := w.Header().Get(name); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	if csp := w.Header().Get("Content-Security-Policy"); strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") {
		t.Error(csp)
	}
}

func TestCompression(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("上游 12.5 mg/m3\n", 500)
	send := func(kind, body string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", kind)
			if httpd.NotModified(w, r, "v1") {
				return
			}
			_, _ = io.WriteString(w, body)
		})
	}
	for _, tt := range []struct {
		kind, body, accept string
		want               bool
	}{
		{"text/html; charset=utf-8", text, "gzip", true},
		{"application/x-ndjson", text, "gzip, br", true},
		{"image/svg+xml", text, "gzip", true},
		{"text/html", "short", "gzip", false},
		{"text/html", text, "", false},
		{"font/woff2", text, "gzip", false},
		{"image/png", text, "gzip", false},
	} {
		w := serve(t, send(tt.kind, tt.body), io.Discard, "Accept-Encoding", tt.accept)
		got := w.Header().Get("Content-Encoding") == "gzip"
		if got != tt.want {
			t.Errorf("%s %d bytes, %q: compressed %v", tt.kind, len(tt.body), tt.accept, got)
		}
		body := io.Reader(w.Body)
		if got {
			var err error
			if body, err = gzip.NewReader(w.Body); err != nil {
				t.Fatal(err)
			}
		}
		if all, err := io.ReadAll(body); err != nil || string(all) != tt.body {
			t.Errorf("%s: the body is another one, %v", tt.kind, err)
		}
		if tag := w.Header().Get("ETag"); tag != `W/"v1"` {
			t.Errorf("ETag %s", tag)
		}
	}
	w := serve(t, send("text/html", text), io.Discard, "If-None-Match", `"v0", W/"v1"`, "Accept-Encoding", "gzip")
	if w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("known content: %d, %d bytes", w.Code, w.Body.Len())
	}
	w = serve(t, send("text/html", text), io.Discard, "If-None-Match", `W/"v0"`)
	if w.Code != http.StatusOK {
		t.Errorf("new content: %d", w.Code)
	}
}

func TestGracefulStop(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		_, _ = io.WriteString(w, "done")
	})
	s := httpd.New(httpd.Options{Addr: "127.0.0.1:0", Handler: mux})
	if err := s.Serve(t.Context()); err == nil {
		t.Error("served without a port")
	}
	addr, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	type answer struct {
		body string
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/slow", nil)
		if err != nil {
			answered <- answer{"", err}
			return
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			answered <- answer{"", err}
			return
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		answered <- answer{string(b), err}
	}()
	<-entered
	stop()
	close(release)
	if a := <-answered; a.err != nil || a.body != "done" {
		t.Errorf("a running request was cut: %+v", a)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, err := httpd.New(httpd.Options{Addr: "256.0.0.1:0"}).Listen(); err == nil {
		t.Error("listens nowhere")
	}
}

// TestLogIsOneLineEach: what a visitor sends makes no line of its own in the log,
// in either format, and names no values of the query.
func TestLogIsOneLineEach(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		var out bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		if format == "json" {
			logger = slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/x%0d%0alevel=ERROR%20msg=forged%1b%5b2J?password=secret%0aforged", nil)
		r.Header.Set("User-Agent", "forged\nlevel=ERROR")
		httpd.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			httpd.Problem(w, r, fmt.Errorf("handler met %q and %s", r.URL.Path, r.URL.Path))
		}), edge(), logger, time.Now).ServeHTTP(httptest.NewRecorder(), r)
		text := out.String()
		if n := strings.Count(text, "\n"); n == 0 || strings.Count(text, "forged") > 6*n || strings.Contains(text, "\nlevel=ERROR") || strings.ContainsAny(text, "\r\x1b") || strings.Contains(text, "secret") {
			t.Errorf("%s:\n%q", format, text)
		}
		for line := range strings.Lines(text) {
			if format == "json" && !json.Valid([]byte(line)) || format == "text" && !strings.HasPrefix(line, "time=") {
				t.Errorf("%s: a line of its own: %q", format, line)
			}
		}
	}
}
