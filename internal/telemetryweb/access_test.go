package telemetryweb

import (
	"net/http"
	"testing"

	"plateau/internal/platform/openapi"
	"plateau/internal/telemetry"
)

// TestUndeclaredRouteDoesNotStart: a route that does not say who may use it is
// nobody's, and the program does not start with it.
func TestUndeclaredRouteDoesNotStart(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	forgotten := []route{{method: "GET", path: "/forgotten", serve: (*Handler).overview}}
	for name, mount := range map[string]func(){
		"page": func() { r.register(http.NewServeMux(), forgotten, nil) },
		"interface": func() {
			r.register(http.NewServeMux(), nil, []op{{Op: openapi.Op{Method: "GET", Path: "/forgotten"}, serve: (*Handler).apiOutlets}})
		},
	} {
		func() {
			defer func() {
				if v := recover(); v == nil {
					t.Errorf("%s: a route without permission was mounted", name)
				}
			}()
			mount()
		}()
	}
	for _, role := range []Role{"", Officer, EnterpriseStaff, Operator} {
		if (Actor{Role: role}).May("") {
			t.Errorf("role %q may what nobody declared", role)
		}
	}
}

func TestWhoSeesAnOutlet(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		actor Actor
		owner string
		want  bool
	}{
		{"nobody", Actor{}, "E1", false},
		{"a role that is none", Actor{Role: "king", Enterprise: "E1"}, "E1", false},
		{"own enterprise", Actor{Role: EnterpriseStaff, Enterprise: "E1"}, "E1", true},
		{"another enterprise", Actor{Role: EnterpriseStaff, Enterprise: "E1"}, "E2", false},
		{"no enterprise at all", Actor{Role: EnterpriseStaff}, "", false},
		{"an officer sees all", Actor{Role: Officer}, "E2", true},
	} {
		if got := tt.actor.Sees(&telemetry.Outlet{Enterprise: tt.owner}); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
