package sensorthingsweb

import (
	"net/http"
	"testing"

	"plateau/internal/platform/access"
	"plateau/internal/sensorthings"
)

func TestUndeclaredMethodDoesNotStart(t *testing.T) {
	t.Parallel()
	for _, may := range []access.Permission{"", "telemetry.everything"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a method with permission %q was taken", may)
				}
			}()
			declared([]access.Route{{Method: http.MethodGet, Path: Root, May: may}})
		}()
	}
	for _, tt := range []struct {
		method string
		batch  bool
		want   access.Permission
	}{
		{http.MethodGet, false, sensorthings.MayRead},
		{http.MethodPost, true, sensorthings.MayRead}, // each request inside of it asks again
		{http.MethodPost, false, sensorthings.MayWrite},
		{http.MethodOptions, false, access.Open},
		{"BREW", false, sensorthings.MayWrite},
	} {
		if got := needs(routes(), tt.method, tt.batch); got != tt.want {
			t.Errorf("%s needs %s", tt.method, got)
		}
	}
}
