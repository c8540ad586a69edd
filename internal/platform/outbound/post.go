package outbound

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Answer is how an attempt went.
type Answer struct {
	Status int           // of the answer; 0 = there was none
	Took   time.Duration //
	Wait   time.Duration // asked for by Retry-After, an hour at most
	Body   []byte        // the beginning of the answer, 64 KiB at most
	Err    error         // nil = taken
}

// Gone reports whether the receiver wants nothing more (410).
func (a *Answer) Gone() bool { return a.Status == http.StatusGone }

// Fault is what went wrong, in English; "" = nothing.
func (a *Answer) Fault() string {
	if a.Err == nil {
		return ""
	}
	return a.Err.Error()
}

// Signed is a request in the manner of Standard Webhooks, ready for Do.
func Signed(ctx context.Context, address string, secret Secret, id string, at time.Time, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Plateau-Webhook/1")
	req.Header.Set("Webhook-Id", id)
	req.Header.Set("Webhook-Timestamp", strconv.FormatInt(at.Unix(), 10))
	req.Header.Set("Webhook-Signature", Sign(secret, id, at, body))
	return req, nil
}

// Do sends a request and says how it went; every answer but a 2xx is an error.
func Do(client *http.Client, req *http.Request, now func() time.Time) (a Answer) {
	began := now()
	defer func() { a.Took = now().Sub(began) }()
	resp, err := client.Do(req) //nolint:gosec // the client guards where it connects to
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok { // without the address, which may hold a secret
			err = u.Err
		}
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("no answer within %s", client.Timeout)
		}
		a.Err = err
		return a
	}
	a.Body, _ = io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // a body that breaks off changes nothing about the status
	_ = resp.Body.Close()
	a.Status = resp.StatusCode
	switch {
	case resp.StatusCode >= 200 && resp.StatusCode < 300:
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		a.Err = fmt.Errorf("answered %s; redirects are not followed, enter the new address", resp.Status)
	default:
		a.Err = fmt.Errorf("answered %s", resp.Status)
		a.Wait = retryAfter(resp.Header.Get("Retry-After"), began)
	}
	return a
}

// retryAfter reads seconds or a date (RFC 9110 section 10.2.3).
func retryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(strings.TrimSpace(s)); err == nil && n > 0 {
		return min(time.Duration(min(n, 1<<20))*time.Second, Longest)
	}
	if t, err := http.ParseTime(s); err == nil && t.After(now) {
		return min(t.Sub(now), Longest)
	}
	return 0
}

// Between tries of the same thing.
const (
	Shortest = 5 * time.Second
	Longest  = time.Hour
)

// Backoff is how long to wait after so many failed tries: twice as long each
// time, of which chance takes away up to a half, so that receivers that come
// back are not met by everybody at once.
func Backoff(first time.Duration, tries int) time.Duration {
	return backoff(first, tries, rand.Float64()) //nolint:gosec // spreads load, keeps no secret
}

// chance is in [0, 1).
func backoff(first time.Duration, tries int, chance float64) time.Duration {
	d := float64(Longest)
	if tries < 40 {
		d = min(d, float64(first)*math.Pow(2, float64(max(tries-1, 0))))
	}
	return time.Duration(d * (1 - chance/2))
}
