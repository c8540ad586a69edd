package telemetryweb

import (
	"log/slog"
	"net/http"
	"strings"

	"plateau/internal/platform/httpd"
	"plateau/internal/web"
)

// ProblemPage shows an error to a person; it is the Page of httpd.Edge, which
// words every error of the program, those of addresses that do not exist
// included.
func (h *Handler) ProblemPage(w http.ResponseWriter, r *http.Request, d httpd.Details) bool {
	c := h.call(w, r)
	c.actor, _ = h.Sessions.Actor(r)
	kind := d.Kind
	if d.Status == http.StatusMethodNotAllowed {
		kind = "method"
	}
	view := web.ProblemView{Text: d.Detail, Instance: strings.TrimPrefix(d.Instance, "urn:uuid:")}
	if key := "problem_hint." + kind; c.l.Has(key) {
		view.Hint = c.l.T(key)
	}
	if err := h.render(c, d.Status, web.ProblemPage, &web.Page{Title: c.l.T("problem_title." + kind), Data: view}); err != nil {
		h.Logger.ErrorContext(c.ctx(), "problem page not drawn", slog.String("error", err.Error()))
		return false
	}
	return true
}
