//go:build e2e

package e2e

import (
	"context"
	"strings"
	"testing"
	"time"
)

// relayPlaces are the pages of a platform that refuses some frames, and of one
// that is paused.
func relayPlaces(ctx context.Context, t *testing.T) (out []string) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Second) {
		open(ctx, t, "/zh/relay")
		if eval[int](ctx, t, `document.querySelectorAll("main table tbody tr").length`) >= 2 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the demonstration has no platforms that frames go on to")
		}
	}
	var list []string
	for _, href := range eval[[]string](ctx, t, `[...document.querySelectorAll("main table tbody th a")].map(a => a.getAttribute("href"))`) {
		list = append(list, strings.TrimPrefix(href, "/zh"))
	}
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Second) {
		open(ctx, t, "/zh"+list[0])
		if eval[bool](ctx, t, `document.querySelector("input[name=frame]") !== null`) {
			return list
		}
		if time.Now().After(end) {
			t.Fatal("the sample platform refused nothing")
		}
	}
}
