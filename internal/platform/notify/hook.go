package notify

import (
	"context"
	"net/http"
	"time"

	"plateau/internal/platform/outbound"
)

// Hook hands notifications to programs of their recipients, as signed requests
// with the id of the delivery.
type Hook struct {
	client *http.Client
	now    func() time.Time
}

// NewHook makes the channel; private allows addresses of private networks.
func NewHook(timeout time.Duration, private bool, now func() time.Time) *Hook {
	return &Hook{outbound.Client(outbound.Options{Timeout: timeout, Private: private, Setting: "webhooks.allow_private"}), now}
}

// Send implements Sender.
func (h *Hook) Send(ctx context.Context, p *Parcel) Outcome {
	req, err := outbound.Signed(ctx, p.To, p.Secret, p.ID, h.now(), p.JSON)
	if err != nil {
		return Outcome{Fault: err.Error(), Final: true}
	}
	a := outbound.Do(h.client, req, h.now)
	return Outcome{Status: a.Status, Fault: a.Fault(), Final: refused(a.Status), Wait: a.Wait}
}

// refused reports whether an answer says that the same request would never be
// taken: 4xx but for those that ask for patience. Whoever sits before the
// receiver answers 401, 403 and 404 for a while, too, so they are tried again.
func refused(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusGone, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return true
	}
	return false
}
