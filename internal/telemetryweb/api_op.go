package telemetryweb

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"

	"plateau/internal/platform/errs"
	"plateau/internal/platform/httpd"
	"plateau/internal/platform/openapi"
)

// op is one operation of the interface: what is served and, by the same
// declaration, what the document says of it.
type op struct {
	openapi.Op
	may   Permission
	serve func(*Handler, *call) error
	items string // member of the answer that is a list: fields are those of its items
}

// operation serves one operation: who asks, whether it is not too often, what
// comes of it.
func (h *Handler) operation(o *op) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := h.call(w, r)
		c.op = o
		who, in := h.Sessions.Actor(r)
		c.asks(who)
		w.Header().Add("Vary", "Authorization, Accept, Accept-Language")
		var err error
		switch {
		case !in && o.may != Open:
			w.Header().Set("WWW-Authenticate", `Bearer realm="plateau"`)
			err = errs.New(errs.Unauthenticated, "problem.unauthenticated")
		case !who.May(o.may):
			err = refused(c.l, o.may)
		default:
			if err = h.notTooOften(c); err == nil {
				err = o.serve(h, c)
			}
		}
		if err != nil {
			httpd.Problem(w, r, err)
		}
	})
}

// notTooOften counts the request against the bucket of its token and says in
// RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-10) what
// is left of it.
func (h *Handler) notTooOften(c *call) error {
	if h.Limiter == nil {
		return nil
	}
	key := c.actor.ID
	if token := c.r.Header.Get("Authorization"); token != "" {
		sum := sha256.Sum256([]byte(token))
		key += " " + hex.EncodeToString(sum[:8])
	} else if key == "" {
		key = "nobody"
	}
	left, wait, ok := h.Limiter.Take(key)
	rate, burst := h.Limiter.Policy()
	window := max(burst/rate, 1)
	head := c.w.Header()
	head.Set("RateLimit-Policy", fmt.Sprintf(`"token";q=%d;w=%d`, burst, window))
	head.Set("RateLimit", fmt.Sprintf(`"token";r=%d;t=%d`, left, seconds(wait)))
	if ok {
		return nil
	}
	head.Set("Retry-After", fmt.Sprint(max(seconds(wait), 1)))
	return errs.New(errs.Busy, httpd.TooOften, "seconds", max(seconds(wait), 1))
}

func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// strong answers with an ETag that If-Match may name, for what can be changed.
// It is not compressed, so that the tag stands for the very bytes.
func (c *call) strong(tag string) {
	c.w.Header().Set("No-Gzip-Compression", "1")
	c.tag = tag
}

// match checks the header If-Match of a change; is tells whether a tag names
// what is there now.
func (c *call) match(is func(tag string) bool) error {
	head := c.r.Header.Values("If-Match")
	if len(head) == 0 {
		return nil
	}
	for have := range strings.SplitSeq(strings.Join(head, ","), ",") {
		have = strings.TrimSpace(have)
		if tag, ok := strings.CutPrefix(have, `"`); have == "*" || ok && is(strings.TrimSuffix(tag, `"`)) {
			return nil
		}
	}
	return errs.New(errs.Conflict, httpd.Precondition)
}
