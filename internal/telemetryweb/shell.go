package telemetryweb

import (
	"net/http"

	"plateau/internal/web"
)

// LinksFor returns the module links that who sends r may open, for pages of
// other packages.
func (h *Handler) LinksFor(r *http.Request) []web.Link {
	c := h.call(nil, r)
	c.actor, _ = h.Sessions.Actor(r)
	return c.links()
}
