package sensorthingsweb

import (
	"log/slog"
	"net/http"
	"strings"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/httpd"
	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/read"
	"plateau/internal/sensorthings/write"
)

// Root is where the service root is.
const Root = "/sta/v1.1"

// Deps are what the handler works with.
type Deps struct {
	// Reader is what the sender of a request may see.
	Reader func(r *http.Request) sensorthings.Reader
	// ExternalURL is the address under which clients reach the program, such as
	// https://example.org/plateau; "" = what the request says.
	ExternalURL string
	// Conformance lists requirements beyond those of reading, relative to
	// read.Requirements.
	Conformance []string
	// MQTT returns the endpoints of the broker; nil or empty = none.
	MQTT func() []string
	// Write changes what clients made; nil = nothing can be changed.
	Write *write.Writer
	// Open lets everybody read and write, see access.go.
	Open bool
	// Rate is how many writes a second one account may do; 0 = any number.
	Rate int
	// Limits of reading; the zero value is usable.
	Limits read.Limits
	Now    func() time.Time
	Logger *slog.Logger
}

// Handler answers everything under /sta. It must be asked before a ServeMux.
type Handler struct {
	d       Deps
	routes  []access.Route
	read    *read.Service
	limiter *httpd.Limiter // nil = any number
	count   counters
}

// New makes a handler.
func New(d Deps) *Handler {
	if d.Now == nil {
		d.Now = time.Now //nolint:forbidigo // the program's clock, where nobody gave another
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	return &Handler{d: d, routes: declared(routes()), read: read.New(d.Limits, d.Now), limiter: httpd.NewLimiter(d.Rate, d.Rate, d.Now)}
}

// ServeHTTP answers a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	Cross(w, r)
	rest, ok := strings.CutPrefix(r.URL.EscapedPath(), Root)
	if !ok || rest != "" && rest[0] != '/' {
		h.fault(w, r, notHere())
		return
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		if err := h.may(r, needs(h.routes, r.Method, false)); err != nil {
			h.fault(w, r, err)
			return
		}
		h.get(w, r, rest)
	case http.MethodOptions:
		w.Header().Set("Allow", methods)
		w.WriteHeader(http.StatusNoContent)
	default:
		h.write(w, r, rest)
	}
}

// methods that are answered somewhere under the service root.
const methods = "GET, HEAD, OPTIONS, POST, PATCH, PUT, DELETE"

// Cross lets scripts of other sites read: what they get is what anybody without
// cookies gets, because credentials are not allowed along with "*". A token in
// Authorization works.
func Cross(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "Location, ETag, Retry-After")
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", methods)
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Accept, If-Match, If-None-Match")
		h.Set("Access-Control-Max-Age", "3600")
	}
}
