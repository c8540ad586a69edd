package caseweb

import (
	"net/http"

	"plateau/internal/platform/access"
	"plateau/internal/platform/httpd"
)

// UploadPath is where files are uploaded in parts (tus 1.0).
const UploadPath = "/uploads/"

// uploadRoutes are the operations of the protocol.
func uploadRoutes() []access.Route {
	return []access.Route{
		{Method: http.MethodPost, Path: UploadPath + "{$}", May: Open},
		{Method: http.MethodHead, Path: UploadPath + "{upload}", May: Open},
		{Method: http.MethodPatch, Path: UploadPath + "{upload}", May: Open},
		{Method: http.MethodDelete, Path: UploadPath + "{upload}", May: Open},
	}
}

func (h *Handler) registerUploads(mux *http.ServeMux) {
	for _, rt := range uploadRoutes() {
		access.Default().Declared(rt.Method, rt.Path, rt.May)
		mux.HandleFunc(rt.Method+" "+rt.Path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Add("Vary", "Authorization, Cookie")
			if _, err := h.admitted(w, r, "uploads"); err != nil {
				httpd.Problem(w, r, err)
				return
			}
			h.Uploads.ServeHTTP(w, r)
		})
	}
}
