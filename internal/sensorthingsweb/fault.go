package sensorthingsweb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"

	"plateau/internal/platform/errs"
	"plateau/internal/platform/httpd"
	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
	"plateau/internal/sensorthings/read"
)

func notHere() error {
	return &query.Error{Status: http.StatusNotFound, At: -1, Message: "nothing here; the service root is " + Root}
}

// status and message of an error. What nobody classified is not shown.
func describe(r *http.Request, err error) (status int, message string) {
	if e, ok := errors.AsType[*query.Error](err); ok {
		return e.Status, where(e)
	}
	if e, ok := errors.AsType[*errs.Error](err); ok && e.Key != "" {
		return httpd.Status(err), httpd.Words(r)(e.Key, e.Args...)
	}
	switch {
	case errors.Is(err, sensorthings.ErrNotFound):
		return http.StatusNotFound, "no such entity"
	case errors.Is(err, sensorthings.ErrTooMuch):
		// 400: sent again it would read as much again; what helps is another request.
		return http.StatusBadRequest, read.TooMuch
	case errors.Is(err, read.ErrBusy):
		return http.StatusServiceUnavailable, read.Busy
	}
	status = httpd.Status(err)
	if status == http.StatusInternalServerError {
		return status, "the server failed; its log has the reason"
	}
	return status, http.StatusText(status)
}

// where adds the place to a message: the option and the position in it.
func where(e *query.Error) string {
	switch {
	case e.Option != "" && e.At >= 0:
		return fmt.Sprintf("%s, position %d: %s", e.Option, e.At, e.Message)
	case e.Option != "":
		return e.Option + ": " + e.Message
	}
	return e.Message
}

// fault answers with an error in the form that clients of FROST know.
func (h *Handler) fault(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return
	}
	status, message := describe(r, err)
	if status >= http.StatusInternalServerError && status != http.StatusServiceUnavailable && status != http.StatusNotImplemented {
		h.d.Logger.ErrorContext(r.Context(), "sensorthings request failed", slog.String("path", r.URL.Path), slog.Any("error", err))
	}
	head := w.Header()
	head.Set("Cache-Control", "no-store")
	head.Del("ETag")
	if status == http.StatusServiceUnavailable {
		head.Set("Retry-After", "5")
	}
	if status == http.StatusUnauthorized {
		head.Set("WWW-Authenticate", `Bearer realm="plateau"`)
	}
	Fault(w, status, message)
}

// Fault writes the body of an error.
func Fault(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(faultBody(status, message)) //nolint:gosec // G705: it is JSON, and said to be; the client may be gone
}

// faultBody is an error in the form that clients of FROST know.
func faultBody(status int, message string) []byte {
	b := strconv.AppendInt([]byte(`{"code":`), int64(status), 10)
	b = append(b, `,"type":"error","message":`...)
	return append(read.AppendString(b, message), '}')
}
