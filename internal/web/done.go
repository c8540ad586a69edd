package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"plateau/internal/platform/i18n"
)

// DoneCookie carries what was just done over the redirect to the page that says
// so. Not the address: a link sent to a colleague must not claim it again.
const DoneCookie = "plateau_done"

// SetDone makes the next page say once, in the words of the key "done."+key,
// what was done.
func SetDone(w http.ResponseWriter, key string, args ...any) {
	said := url.Values{"": {key}}
	for i := 0; i+1 < len(args); i += 2 {
		said.Set(fmt.Sprint(args[i]), fmt.Sprint(args[i+1]))
	}
	setDone(w, said.Encode(), 60)
}

// TakeDone returns what was done before this page was asked for, and forgets it.
func TakeDone(w http.ResponseWriter, r *http.Request, l *i18n.Localizer) []Notice {
	cookie, err := r.Cookie(DoneCookie)
	if err != nil || r.Method != http.MethodGet {
		return nil
	}
	setDone(w, "", -1)
	said, err := url.ParseQuery(cookie.Value)
	key := "done." + said.Get("")
	if err != nil || !l.Has(key) {
		return nil
	}
	var args []any
	for name, values := range said {
		args = append(args, name, values[0])
	}
	return []Notice{{Kind: "ok", Text: strings.TrimSpace(l.T(key, args...))}}
}

func setDone(w http.ResponseWriter, value string, age int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // says nothing secret; Secure would lose it without TLS
		Name: DoneCookie, Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
