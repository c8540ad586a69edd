package publicweb

import (
	"net/http"
	"testing"

	"plateau/internal/platform/access"
)

// TestUndeclaredPageDoesNotStart: being open has to be said, too.
func TestUndeclaredPageDoesNotStart(t *testing.T) {
	t.Parallel()
	for _, may := range []access.Permission{"", "public"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a page with permission %q was mounted", may)
				}
			}()
			(&Handler{}).register(http.NewServeMux(), []route{{path: "/public/forgotten", may: may}})
		}()
	}
}
