package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Sign is the header webhook-signature of a body: v1 and the HMAC-SHA256 over
// "id.timestamp.body" in base64; "" for a secret that is none.
func Sign(s Secret, id string, at time.Time, body []byte) string {
	key, ok := s.key()
	if !ok {
		return ""
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.", id, at.Unix())
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// answer is how an attempt went.
type answer struct {
	status int
	took   time.Duration
	wait   time.Duration // asked for by Retry-After
	err    error         // nil = taken
}

// gone reports whether the receiver wants nothing more (410).
func (a *answer) gone() bool { return a.status == http.StatusGone }

func (a *answer) fault() string {
	if a.err == nil {
		return ""
	}
	return a.err.Error()
}

// post sends one body.
func (s *Service) post(ctx context.Context, h *Hook, id string, body []byte) (a answer) {
	began := s.o.Now()
	defer func() { a.took = s.o.Now().Sub(began) }()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		a.err = err
		return a
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Plateau-Webhook/1")
	req.Header.Set("Webhook-Id", id)
	req.Header.Set("Webhook-Timestamp", strconv.FormatInt(began.Unix(), 10))
	req.Header.Set("Webhook-Signature", Sign(h.Secret, id, began, body))
	resp, err := s.client.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok { // without the address, which may hold a secret
			err = u.Err
		}
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("no answer within %s", s.o.Timeout)
		}
		a.err = err
		return a
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	_ = resp.Body.Close()
	a.status = resp.StatusCode
	switch {
	case resp.StatusCode >= 200 && resp.StatusCode < 300:
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		a.err = fmt.Errorf("answered %s; redirects are not followed, enter the new address", resp.Status)
	default:
		a.err = fmt.Errorf("answered %s", resp.Status)
		a.wait = retryAfter(resp.Header.Get("Retry-After"), began)
	}
	return a
}

// retryAfter reads seconds or a date (RFC 9110 section 10.2.3).
func retryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(strings.TrimSpace(s)); err == nil && n > 0 {
		return min(time.Duration(min(n, 1<<20))*time.Second, longest)
	}
	if t, err := http.ParseTime(s); err == nil && t.After(now) {
		return min(t.Sub(now), longest)
	}
	return 0
}

// Between tries of one event.
const (
	shortest = 5 * time.Second
	longest  = time.Hour
)

// backoff is how long to wait after so many failed tries: twice as long each
// time, of which chance takes away up to a half, so that receivers that come
// back are not met by everybody at once. chance is in [0, 1).
func backoff(first time.Duration, tries int, chance float64) time.Duration {
	d := float64(longest)
	if tries < 40 {
		d = min(d, float64(first)*math.Pow(2, float64(max(tries-1, 0))))
	}
	return time.Duration(d * (1 - chance/2))
}
