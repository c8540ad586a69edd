//go:build e2e

package e2e

import (
	"context"
	"strings"
	"testing"
)

// webhookPlace is the page of a webhook that is made and paused, so that nothing
// is sent.
func webhookPlace(ctx context.Context, t *testing.T) string {
	t.Helper()
	open(ctx, t, "/zh/webhooks")
	eval[bool](ctx, t, `(document.getElementById("url").value = "https://example.org/hook", true)`)
	press(ctx, t, `main form[action$="/webhooks"] button.primary`)
	press(ctx, t, `main button[value=pause]`)
	return strings.TrimPrefix(eval[string](ctx, t, `location.pathname`), "/zh")
}
