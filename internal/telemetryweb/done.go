package telemetryweb

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"plateau/internal/web"
)

// doneCookie carries what was just done over the redirect to the page that says
// so. Not the address: a link sent to a colleague must not claim it again.
const doneCookie = "plateau_done"

// done sends the reader on after a change; the page behind says once, in the
// words of the key "done."+key, what was done.
func (c *call) done(path, key string, args ...any) error {
	said := url.Values{"": {key}}
	for i := 0; i+1 < len(args); i += 2 {
		said.Set(fmt.Sprint(args[i]), fmt.Sprint(args[i+1]))
	}
	c.setDone(said.Encode(), 60)
	return c.see(path)
}

// takeDone returns what was done before this page was asked for, and forgets it.
func (c *call) takeDone() []web.Notice {
	cookie, err := c.r.Cookie(doneCookie)
	if err != nil || c.r.Method != http.MethodGet {
		return nil
	}
	c.setDone("", -1)
	said, err := url.ParseQuery(cookie.Value)
	key := "done." + said.Get("")
	if err != nil || !c.l.Has(key) {
		return nil
	}
	var args []any
	for name, values := range said {
		args = append(args, name, values[0])
	}
	return []web.Notice{{Kind: "ok", Text: strings.TrimSpace(c.l.T(key, args...))}}
}

func (c *call) setDone(value string, age int) {
	http.SetCookie(c.w, &http.Cookie{ //nolint:gosec // says nothing secret; Secure would lose it without TLS
		Name: doneCookie, Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
