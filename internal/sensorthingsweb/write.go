package sensorthingsweb

import (
	"net/http"

	"plateau/internal/sensorthings/query"
)

// write answers the methods that change something; path is escaped and begins
// behind the service root.
func (h *Handler) write(w http.ResponseWriter, r *http.Request, _ string) {
	h.fault(w, r, &query.Error{Status: http.StatusNotImplemented, At: -1, Message: r.Method + " is not offered"})
}
