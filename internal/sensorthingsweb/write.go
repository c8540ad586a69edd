package sensorthingsweb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"plateau/internal/platform/httpd"
	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
	"plateau/internal/sensorthings/read"
	"plateau/internal/sensorthings/write"
)

// Longest bodies, in bytes. One entity with all that stands inside of it is
// rarely more than some kilobytes; data arrays and batches are there for much.
const (
	maxEntity = 4 << 20
	maxBulk   = 64 << 20
)

// Stats count what was written since the start.
type Stats struct {
	Requests     int64 // that changed something
	Observations int64 // created
	Refused      int64 // writes that were refused, by us or by the rules
}

type counters struct{ requests, observations, refused atomic.Int64 }

// Stats returns the counters.
func (h *Handler) Stats() Stats {
	return Stats{h.count.requests.Load(), h.count.observations.Load(), h.count.refused.Load()}
}

// write answers the methods that change something; rest is the escaped path
// behind the service root.
func (h *Handler) write(w http.ResponseWriter, r *http.Request, rest string) {
	rest = strings.TrimSuffix(rest, "/")
	if rest == batchPath || strings.EqualFold(rest, "/%24batch") {
		h.batch(w, r)
		return
	}
	if err := h.ready(w, r, 1); err != nil {
		h.refuse(w, r, err)
		return
	}
	limit := int64(maxEntity)
	if rest == createObservations {
		limit = maxBulk
	}
	var body []byte
	if r.Method != http.MethodDelete {
		var err error
		if body, err = readBody(w, r, limit); err != nil {
			h.refuse(w, r, err)
			return
		}
	}
	h.act(w, r, rest, body)
}

const createObservations = "/CreateObservations"

// ready fails unless the sender of r may do n writes now.
func (h *Handler) ready(w http.ResponseWriter, r *http.Request, n int) error {
	if h.d.Write == nil {
		return refusal(http.StatusNotImplemented, "writing is not offered here")
	}
	if err := h.may(r, needs(h.routes, r.Method, false)); err != nil {
		return err
	}
	if wait, ok := h.turn(r, n); !ok {
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int((wait+time.Second-1)/time.Second))))
		return refusal(http.StatusTooManyRequests, fmt.Sprintf("more than %d writes a second with one token; wait, or send many observations at once to CreateObservations", h.d.Rate))
	}
	return nil
}

func refusal(status int, message string) error {
	return &query.Error{Status: status, At: -1, Message: message}
}

func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	h.count.refused.Add(1)
	h.fault(w, r, err)
}

// readBody reads a body at once; 413 beyond limit.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	tooLong := refusal(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is longer than %d MiB; send it in parts", limit>>20))
	if r.ContentLength > limit {
		return nil, tooLong
	}
	if n := r.ContentLength; n >= 0 {
		b := make([]byte, n)
		if _, err := io.ReadFull(r.Body, b); err != nil {
			return nil, refusal(http.StatusBadRequest, "the body is shorter than Content-Length says")
		}
		return b, nil
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if _, big := errors.AsType[*http.MaxBytesError](err); big {
		return nil, tooLong
	}
	if err != nil {
		return nil, refusal(http.StatusBadRequest, "the body could not be read to its end")
	}
	return b, nil
}

// mediaType is the type of a body without its parameters; none is JSON.
func mediaType(header string) string {
	if header == "" || header == "application/json" {
		return "application/json"
	}
	t, _, err := mime.ParseMediaType(header)
	if err != nil {
		t, _, _ = strings.Cut(header, ";")
		t = strings.ToLower(strings.TrimSpace(t))
	}
	return t
}

const jsonPatch = "application/json-patch+json"

// checkType refuses bodies of another type than the method takes.
func checkType(method, header string) error {
	switch t := mediaType(header); {
	case method == http.MethodDelete, t == "application/json", method == http.MethodPatch && (t == jsonPatch || t == "application/merge-patch+json"):
		return nil
	case method == http.MethodPatch:
		return refusal(http.StatusUnsupportedMediaType, "send application/json, or application/json-patch+json for a JSON Patch, not "+strconv.Quote(t))
	default:
		return refusal(http.StatusUnsupportedMediaType, "send application/json, not "+strconv.Quote(t))
	}
}

// act carries out one write in a transaction of its own and answers it.
func (h *Handler) act(w http.ResponseWriter, r *http.Request, rest string, body []byte) {
	err := checkType(r.Method, r.Header.Get("Content-Type"))
	if err == nil {
		err = h.carryOut(w, r, rest, body)
	}
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	h.count.requests.Add(1)
	httpd.Routine(r.Context())
}

func (h *Handler) carryOut(w http.ResponseWriter, r *http.Request, rest string, body []byte) error {
	ctx := r.Context()
	if rest == createObservations {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", "POST")
			return refusal(http.StatusMethodNotAllowed, "data arrays are created with POST")
		}
		rows, err := h.d.Write.CreateObservations(ctx, body)
		if err != nil {
			return err
		}
		h.count.observations.Add(h.sendRows(w, h.base(r), rows))
		return nil
	}
	path, err := query.ParsePath(rest)
	if err != nil {
		return err
	}
	m := write.Made{}
	switch r.Method {
	case http.MethodPost:
		m, err = h.d.Write.Post(ctx, path, body)
	case http.MethodPatch:
		if mediaType(r.Header.Get("Content-Type")) == jsonPatch {
			m.Ref, err = h.d.Write.JSONPatch(ctx, path, body)
		} else {
			m.Ref, err = h.d.Write.Patch(ctx, path, body)
		}
	case http.MethodPut:
		m.Ref, err = h.d.Write.Put(ctx, path, body)
	case http.MethodDelete:
		return h.remove(w, r, path)
	default:
		err = refusal(http.StatusMethodNotAllowed, r.Method+" is not offered; use GET, POST, PATCH, PUT or DELETE")
	}
	if err != nil {
		allow(w, path, err)
		return err
	}
	return h.sendMade(ctx, w, r, m)
}

// allow names the methods that a 405 owes its reader (RFC 9110 section 15.5.6).
func allow(w http.ResponseWriter, path *query.Path, err error) {
	if write.StatusOf(err) != http.StatusMethodNotAllowed {
		return
	}
	methods := "GET, HEAD"
	if n := len(path.Steps); n > 0 && !path.Value && !path.Ref && len(path.Property) == 0 {
		methods = "GET, HEAD, PATCH, PUT, DELETE"
		if last := path.Steps[n-1]; last.Many && !last.Keyed {
			methods = "GET, HEAD, POST, DELETE"
		}
	}
	w.Header().Set("Allow", methods)
}

// sendMade answers a write with the entity as it is now.
func (h *Handler) sendMade(ctx context.Context, w http.ResponseWriter, r *http.Request, m write.Made) error {
	base := h.base(r)
	var b []byte
	switch {
	case m.Observation != nil:
		b = read.AppendObservation(nil, base, m.Observation, nil)
	case m.Set == sensorthings.Observations:
		o, err := h.d.Reader(r).Observation(ctx, m.ID)
		if err != nil {
			return gone(err)
		}
		b = read.AppendObservation(nil, base, o, nil)
	default:
		e, err := h.d.Reader(r).Entity(ctx, m.Set, m.ID)
		if err != nil {
			return gone(err)
		}
		b = read.AppendEntity(nil, base, e, nil)
	}
	head := w.Header()
	head.Set("Content-Type", "application/json")
	status := http.StatusOK
	if r.Method == http.MethodPost {
		status = http.StatusCreated
		head.Set("Location", string(appendAddress(nil, base, m.Ref)))
		if m.Set == sensorthings.Observations {
			h.count.observations.Add(1)
		}
	}
	w.WriteHeader(status)
	_, _ = w.Write(b) // the client may be gone
	return nil
}

// gone words that somebody deleted what was just written.
func gone(err error) error {
	if errors.Is(err, sensorthings.ErrNotFound) {
		return refusal(http.StatusGone, "it was written, and deleted by somebody since")
	}
	return err
}

func appendAddress(b []byte, base string, r write.Ref) []byte {
	b = append(append(append(b, base...), '/'), r.Set.String()...)
	b = strconv.AppendInt(append(b, '('), r.ID, 10)
	return append(b, ')')
}

// sendRows answers a data array: the address of each Observation, or why it was
// not stored. It returns how many were.
func (h *Handler) sendRows(w http.ResponseWriter, base string, rows []write.Row) (stored int64) {
	b := make([]byte, 0, 2+len(rows)*(len(base)+32))
	b = append(b, '[')
	for i := range rows {
		if i > 0 {
			b = append(b, ',')
		}
		if rows[i].Fault != "" {
			b = read.AppendString(b, "error: "+rows[i].Fault)
			continue
		}
		stored++
		b = append(b, '"')
		b = appendAddress(b, base, write.Ref{Set: sensorthings.Observations, ID: rows[i].ID})
		b = append(b, '"')
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(append(b, ']')) //nolint:gosec // JSON by its type, every text in it escaped; the client may be gone
	return stored
}
