package app

import (
	"net/http"
	"slices"

	"plateau/internal/accountweb"
	"plateau/internal/caseweb"
	"plateau/internal/leadweb"
	"plateau/internal/markweb"
	"plateau/internal/peopleweb"
	"plateau/internal/platform/access"
	"plateau/internal/publicweb"
	"plateau/internal/relayweb"
	"plateau/internal/sensorthingsweb"
	"plateau/internal/telemetryweb"
)

// ownRoutes are the addresses of no module. Nobody is asked who they are there:
// the figures of /metrics name no outlet.
func ownRoutes() []access.Route {
	var out []access.Route
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/assets/"} {
		out = append(out, access.Route{Method: http.MethodGet, Path: path, May: access.Open})
	}
	return out
}

// Routes lists every address of the program with the permission that opens it,
// but for MQTT over WebSocket, which asks for a token in its own way.
func Routes() []access.Route {
	return slices.Concat(ownRoutes(), telemetryweb.Routes(), accountweb.Routes(), peopleweb.Routes(), caseweb.Routes(), markweb.Routes(), leadweb.Routes(), relayweb.Routes(), publicweb.Routes(), sensorthingsweb.Routes())
}
