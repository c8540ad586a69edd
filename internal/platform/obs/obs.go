package obs

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/pprof" // its routes on the default mux are served nowhere
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// NewLogger returns a logger that writes to w; level is debug, info, warn or
// error, format text or json.
func NewLogger(w io.Writer, level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("log level: %w", err)
	}
	o := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return nil, fmt.Errorf("log format %q: write text or json", format)
}

// NewMetrics returns a registry with the process and Go runtime metrics and one
// series that names the version.
func NewMetrics(version string) *prometheus.Registry {
	r := prometheus.NewRegistry()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "plateau_build_info", Help: "Always 1; the label names the version.",
		ConstLabels: prometheus.Labels{"version": version},
	})
	info.Set(1)
	r.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// MetricsHandler serves /metrics. A collector that fails does not hide the others.
func MetricsHandler(r *prometheus.Registry) http.Handler {
	// Compression is the edge's business.
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, DisableCompression: true})
}

// Profiles serves /debug/pprof/: where processor time and memory of the running
// program go. It asks nobody to sign in.
func Profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// Readiness is why the program is not ready. The zero value has no reason, so it
// is ready. It is safe for concurrent use.
type Readiness struct {
	mu      sync.Mutex
	reasons map[string]string
	checks  map[string]func() error
}

// Hold says that part is not ready and why; a part holds one reason at a time.
func (r *Readiness) Hold(part, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reasons == nil {
		r.reasons = map[string]string{}
	}
	r.reasons[part] = reason
}

// Release says that part is ready.
func (r *Readiness) Release(part string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.reasons, part)
}

// Check adds a question asked every time, such as whether frames can be made
// durable. It must answer at once.
func (r *Readiness) Check(part string, check func() error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.checks == nil {
		r.checks = map[string]func() error{}
	}
	r.checks[part] = check
}

// Reasons returns what the program waits for, by part; empty means ready.
func (r *Readiness) Reasons() map[string]string {
	r.mu.Lock()
	reasons, checks := maps.Clone(r.reasons), maps.Clone(r.checks)
	r.mu.Unlock()
	if reasons == nil {
		reasons = map[string]string{}
	}
	for part, check := range checks {
		if err := check(); err != nil {
			reasons[part] = err.Error()
		}
	}
	return reasons
}

// ServeHTTP serves /readyz: 200 when ready, else 503 with the reasons.
func (r *Readiness) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	type waiting struct {
		Part   string `json:"part"`
		Reason string `json:"reason"`
	}
	answer := struct {
		Ready   bool      `json:"ready"`
		Waiting []waiting `json:"waiting,omitempty"`
	}{Ready: true}
	reasons := r.Reasons()
	for _, part := range slices.Sorted(maps.Keys(reasons)) {
		answer.Ready = false
		answer.Waiting = append(answer.Waiting, waiting{part, reasons[part]})
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	if !answer.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(answer) // the asker may be gone
}

// Healthy serves /healthz: the process answers. It asks nothing else, so that a
// supervisor does not kill a program only because its disk is full.
func Healthy(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "ok\n")
}
