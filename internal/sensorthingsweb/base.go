package sensorthingsweb

import (
	"net/http"
	"strings"
)

// base is the address of the service root as the sender of r reaches it: the
// configured one, else what the proxies before us say, else Host.
func (h *Handler) base(r *http.Request) string {
	if u := strings.TrimRight(h.d.ExternalURL, "/"); u != "" {
		return u + Root
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	if p := forwarded(r, "X-Forwarded-Proto"); p == "http" || p == "https" {
		scheme = p
	}
	host := r.Host
	if f := forwarded(r, "X-Forwarded-Host"); hostLike(f) {
		host = f
	}
	prefix := strings.TrimRight(forwarded(r, "X-Forwarded-Prefix"), "/")
	if !strings.HasPrefix(prefix, "/") || strings.HasPrefix(prefix, "//") || strings.ContainsAny(prefix, " ?#\\\"<>") {
		prefix = ""
	}
	return scheme + "://" + host + prefix + Root
}

// forwarded is what the outermost proxy wrote.
func forwarded(r *http.Request, name string) string {
	first, _, _ := strings.Cut(r.Header.Get(name), ",")
	return strings.TrimSpace(first)
}

func hostLike(s string) bool { return s != "" && !strings.ContainsAny(s, " /?#@\\\"<>") }
