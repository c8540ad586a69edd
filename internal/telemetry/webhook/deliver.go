package webhook

import (
	"context"

	"plateau/internal/platform/outbound"
)

// post sends one body.
func (s *Service) post(ctx context.Context, h *Hook, id string, body []byte) outbound.Answer {
	req, err := outbound.Signed(ctx, h.URL, h.Secret, id, s.o.Now(), body)
	if err != nil {
		return outbound.Answer{Err: err}
	}
	return outbound.Do(s.client, req, s.o.Now)
}
