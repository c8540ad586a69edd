package httpd

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"plateau/internal/platform/errs"
)

// Edge is how errors are worded and, for people, drawn. The zero value words
// them by their keys and draws no pages.
type Edge struct {
	// Translate returns the words for a request, in its language.
	Translate func(r *http.Request) func(key string, args ...any) string
	// Answer, when set, writes problems in the form of an interface that has one
	// of its own, or returns false. It must write p.Status.
	Answer func(w http.ResponseWriter, r *http.Request, p Details) bool
	// Page draws a problem for a person, or returns false to leave it to
	// problem+json. It must write p.Status (401 may become a redirect to the
	// sign-in).
	Page func(w http.ResponseWriter, r *http.Request, p Details) bool
}

// Details is a problem worded for its reader (RFC 9457 section 3.1).
type Details struct {
	Type     string       `json:"type"`
	Title    string       `json:"title"`
	Status   int          `json:"status"`
	Detail   string       `json:"detail"`
	Instance string       `json:"instance"`       // also in the log
	Kind     string       `json:"kind"`           // name of the errs.Kind
	Code     string       `json:"code,omitempty"` // what it is about, for programs
	Errors   []FieldError `json:"errors,omitempty"`
}

// FieldError tells what to do about one field.
type FieldError struct {
	Field   string `json:"field"`
	Code    string `json:"code" doc:"what is wrong, in every language the same, such as required"`
	Message string `json:"message" doc:"what to do, in the language of the request"`
	Detail  string `json:"detail" doc:"the same as message"`
}

// Status returns the HTTP status of an error: by its kind, 413 for a body that
// was cut by http.MaxBytesReader, 429 for a person who tried too often.
func Status(err error) int {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return http.StatusRequestEntityTooLarge
	}
	switch errs.KindOf(err) {
	case errs.Internal:
		return http.StatusInternalServerError
	case errs.Invalid:
		return http.StatusUnprocessableEntity
	case errs.NotFound:
		return http.StatusNotFound
	case errs.Conflict:
		switch keyOf(err) {
		case Precondition:
			return http.StatusPreconditionFailed
		case PreconditionNeeded:
			return http.StatusPreconditionRequired
		}
		return http.StatusConflict
	case errs.Forbidden:
		return http.StatusForbidden
	case errs.Unauthenticated:
		return http.StatusUnauthorized
	case errs.TooLarge:
		return http.StatusRequestEntityTooLarge
	case errs.Busy:
		switch keyOf(err) {
		case "err.auth.too_many", TooOften:
			return http.StatusTooManyRequests
		case NoRoom:
			return http.StatusInsufficientStorage
		}
		return http.StatusServiceUnavailable
	case errs.Malformed:
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}

// Keys of errors that have a status of their own.
const (
	TooOften           = "err.too_often"           // Busy: 429
	NoRoom             = "err.no_room"             // Busy: 507
	Precondition       = "err.precondition"        // Conflict: 412
	PreconditionNeeded = "err.precondition_needed" // Conflict: 428
)

func keyOf(err error) string {
	if e, ok := errors.AsType[*errs.Error](err); ok {
		return e.Key
	}
	return ""
}

// Describe words an error for the reader of a request, for answers that have
// begun already; it is noted in the log as Problem does.
func Describe(r *http.Request, err error) Details {
	d := describe(r, err, Status(err))
	note(r.Context(), slog.String("instance", d.Instance), slog.String("error", err.Error()))
	return d
}

// kindKeys are the sentences of errors that bring none.
var kindKeys = map[int]string{
	http.StatusUnprocessableEntity:   "err.invalid",
	http.StatusNotFound:              "err.not_found",
	http.StatusMethodNotAllowed:      "err.method",
	http.StatusConflict:              "err.conflict",
	http.StatusPreconditionFailed:    Precondition,
	http.StatusForbidden:             "err.forbidden",
	http.StatusUnauthorized:          "err.unauthenticated",
	http.StatusRequestEntityTooLarge: "err.too_large",
	http.StatusServiceUnavailable:    "err.busy",
	http.StatusTooManyRequests:       "err.busy",
	http.StatusInsufficientStorage:   NoRoom,
	http.StatusBadRequest:            "err.malformed",
	http.StatusInternalServerError:   "err.internal",
}

// describe words an error for the reader of r.
func describe(r *http.Request, err error, status int) Details {
	say := Words(r)
	kind := errs.KindOf(err)
	if status == http.StatusRequestEntityTooLarge {
		kind = errs.TooLarge // a body that was cut is told by its status only
	}
	d := Details{
		Type: "about:blank", Title: http.StatusText(status), Status: status,
		Instance: "urn:uuid:" + uuid.NewString(), Kind: kind.String(),
	}
	d.Detail = say(kindKeys[status])
	// An internal error's own sentence is shown only when somebody gave it one.
	if e, ok := errors.AsType[*errs.Error](err); ok && e.Key != "" {
		d.Detail = say(e.Key, e.Args...)
		d.Code = e.Key[strings.LastIndexByte(e.Key, '.')+1:]
		for _, f := range e.Fields {
			text := say(f.Key, f.Args...)
			d.Errors = append(d.Errors, FieldError{f.Name, f.Key[strings.LastIndexByte(f.Key, '.')+1:], text, text})
		}
	}
	return d
}

// Words returns the wording function for a request: that of the server's Edge,
// or one that gives keys back.
func Words(r *http.Request) func(key string, args ...any) string {
	if e := edgeOf(r.Context()); e != nil && e.Translate != nil {
		return e.Translate(r)
	}
	return func(key string, _ ...any) string { return key }
}

// Problem answers a request with an error. A request that the client gave up
// gets no answer.
func Problem(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return
	}
	problem(w, r, err, Status(err))
}

func problem(w http.ResponseWriter, r *http.Request, err error, status int) {
	d := describe(r, err, status)
	note(r.Context(), slog.String("instance", d.Instance), slog.String("error", err.Error()))
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Del("ETag")
	h.Del("Content-Encoding")
	h.Del("Content-Length")
	h.Del("Content-Disposition")
	switch d.Status {
	case http.StatusUnauthorized:
		// A challenge of another scheme would make browsers open their own dialogue.
		h.Set("WWW-Authenticate", `Bearer realm="plateau"`)
	case http.StatusInsufficientStorage:
		h.Set("Retry-After", strconv.Itoa(int((10 * time.Minute).Seconds())))
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", strconv.Itoa(int((10 * time.Second).Seconds())))
	}
	if e := edgeOf(r.Context()); e != nil && e.Answer != nil && e.Answer(w, r, d) {
		return
	}
	if e := edgeOf(r.Context()); e != nil && e.Page != nil && WantsPage(r) && e.Page(w, r, d) {
		return
	}
	h.Set("Content-Type", "application/problem+json")
	w.WriteHeader(d.Status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(d) // the client may be gone
}

// WantsPage reports whether a person's browser asks: not the API, and HTML is
// acceptable.
func WantsPage(r *http.Request) bool {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		return false
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

type edgeKey struct{}

func edgeOf(ctx context.Context) *Edge {
	e, _ := ctx.Value(edgeKey{}).(*Edge)
	return e
}

// WithEdge returns ctx in which errors are worded by e; the server does this
// for every request.
func WithEdge(ctx context.Context, e *Edge) context.Context {
	return context.WithValue(ctx, edgeKey{}, e)
}
