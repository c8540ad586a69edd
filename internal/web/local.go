package web

import (
	"net/url"
	"strings"
)

// Local returns to where it is an address of this host, as a path with a query,
// and "" otherwise. Where a reader is sent on after signing in stands in an
// address that anybody may have written.
func Local(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\t\r\n") {
		return ""
	}
	return to
}
