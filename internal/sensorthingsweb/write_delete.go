package sensorthingsweb

import (
	"fmt"
	"net/http"
	"slices"

	"plateau/internal/sensorthings/query"
	"plateau/internal/sensorthings/read"
)

// A filtered deletion takes so many at most, in transactions of so many.
const (
	maxDelete   = 1_000_000
	deleteChunk = 10_000
)

// remove answers DELETE: of an entity, or of what a $filter leaves of a set.
func (h *Handler) remove(w http.ResponseWriter, r *http.Request, path *query.Path) error {
	n := len(path.Steps)
	if n == 0 || path.Value || path.Ref || len(path.Property) > 0 || !path.Steps[n-1].Many || path.Steps[n-1].Keyed {
		if _, err := h.d.Write.Delete(r.Context(), path); err != nil {
			allow(w, path, err)
			return err
		}
		w.WriteHeader(http.StatusOK)
		return nil
	}
	set, ids, err := h.read.Matching(r.Context(), read.Request{Reader: h.d.Reader(r), Base: h.base(r), Path: path, Query: r.URL.RawQuery}, maxDelete)
	if err != nil {
		allow(w, path, err)
		return err
	}
	deleted := 0
	for chunk := range slices.Chunk(ids, deleteChunk) {
		n, err := h.d.Write.DeleteAll(r.Context(), set, chunk)
		deleted += n
		if err != nil {
			return err
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	_, _ = fmt.Fprintf(w, `{"deleted":%d}`, deleted) // the client may be gone
	return nil
}
