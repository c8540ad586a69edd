package telemetryweb

import (
	"net/http"
	"strings"
	"testing"

	"plateau/internal/platform/access"
	"plateau/internal/platform/openapi"
	"plateau/internal/telemetry"
)

// TestUndeclaredRouteDoesNotStart: a route that does not say who may use it, or
// says it in words the policy does not know, is nobody's, and the program does not
// start with it.
func TestUndeclaredRouteDoesNotStart(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	for _, may := range []Permission{"", "telemetry.everything", "view"} {
		forgotten := []route{{method: "GET", path: "/forgotten", may: may, serve: (*Handler).overview}}
		for name, mount := range map[string]func(){
			"page": func() { r.register(http.NewServeMux(), forgotten, nil) },
			"interface": func() {
				r.register(http.NewServeMux(), nil, []op{{Op: openapi.Op{Method: "GET", Path: "/forgotten"}, may: may, serve: (*Handler).apiOutlets}})
			},
		} {
			func() {
				defer func() {
					if v := recover(); v == nil {
						t.Errorf("%s: a route with permission %q was mounted", name, may)
					}
				}()
				mount()
			}()
		}
		for _, kind := range append(access.Default().Accounts(), "") {
			if (Actor{Grants: access.Default().Account(kind, "", "E1")}).May(may) {
				t.Errorf("account %q may what nobody declared", kind)
			}
		}
	}
}

func TestWhoSeesAnOutlet(t *testing.T) {
	t.Parallel()
	snap := region(1)
	const inside, outside = "541101", "541201"
	for _, tt := range []struct {
		name                     string
		kind, area, organisation string
		owner, in                string
		want                     bool
	}{
		{"nobody", "", "", "", "E1", inside, false},
		{"a role that is none", "king", "", "E1", "E1", inside, false},
		{"own enterprise", "enterprise", "", "E1", "E1", inside, true},
		{"another enterprise", "enterprise", "", "E1", "E2", inside, false},
		{"no enterprise at all", "enterprise", "", "", "", inside, false},
		{"own enterprise, beyond the area", "enterprise", "541100", "E1", "E1", outside, false},
		{"an officer of the region", "officer", "", "", "E2", outside, true},
		{"an officer of the prefecture", "officer", "541100", "", "E2", inside, true},
		{"an officer of the county", "officer", inside, "", "E2", inside, true},
		{"an officer of another county", "officer", outside, "", "E2", inside, false},
		{"an outlet in no area", "officer", "541100", "", "E2", "", false},
		{"an outlet in no area, for all", "officer", "", "", "E2", "", true},
		{"a company appointed", "maintainer", "", "E1", "E1", inside, true},
		{"an auditor", "auditor", "", "", "E1", inside, false},
	} {
		g := access.Default().Account(tt.kind, tt.area, tt.organisation)
		if got := Sees(g, &telemetry.Outlet{Enterprise: tt.owner, Area: tt.in}, snap); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// TestAreaIsOneOfMany: what is outside of the area of a post is neither listed
// nor counted, and its addresses answer as those of another enterprise do.
func TestAreaIsOneOfMany(t *testing.T) {
	t.Parallel()
	r := newRig(t, 28)
	county := r.registry.snap.Outlets[1].Area
	name := r.registry.snap.Outlets[9].Name.Zh
	own := r.registry.snap.Outlets[1].Name.Zh
	who := "officer@" + county
	for _, target := range []string{"/zh/outlets", "/zh/outlets.csv", "/zh/devices", "/zh/registry/outlets", "/zh/registry/outlets.json", "/zh/reports?scope=outlet", "/zh/devices/" + knockMN + "/adopt"} {
		w := r.ask(who, http.MethodGet, target, nil)
		if w.Code == http.StatusOK && strings.Contains(w.Body.String(), name) {
			t.Errorf("%s names an outlet of another county", target)
		}
		if w.Code == http.StatusOK && !strings.Contains(w.Body.String(), own) && !strings.Contains(target, "adopt") {
			t.Errorf("%s does not name the outlet of the county", target)
		}
	}
	mn := r.registry.snap.DeviceOf(9).MN
	for _, tt := range []struct {
		method, target string
		want           int
	}{
		{"GET", "/zh/outlets/1", 200},
		{"GET", "/zh/outlets/9", 403},
		{"GET", "/api/v1/outlets/9", 403},
		{"GET", "/zh/devices/" + testMN, 200},
		{"GET", "/zh/devices/" + mn, 403},
		{"POST", "/zh/devices/" + mn + "/release", 403},
		{"GET", "/api/v1/devices/" + mn, 403},
		{"GET", "/api/v1/devices/" + mn + "/frames", 403},
		{"GET", "/zh/registry/outlets/9", 403},
		{"GET", "/zh/reports/county/" + county + "/day/2026-11-22", 200},
		{"GET", "/zh/reports/county/" + r.registry.snap.Outlets[9].Area + "/day/2026-11-22", 403},
		{"GET", "/zh/reports/region/540000/day/2026-11-22", 403},
		{"GET", "/zh/handover", 403}, // one for the whole region
	} {
		if w := r.ask(who, tt.method, tt.target, nil); w.Code != tt.want {
			t.Errorf("%s %s: %d, want %d", tt.method, tt.target, w.Code, tt.want)
		}
	}
	// Who may not look at outlets begins elsewhere.
	for who, to := range map[string]string{"auditor": "/zh/registry", "administrator": "/zh/keeping"} {
		if w := r.ask(who, http.MethodGet, "/zh/", nil); w.Code != http.StatusSeeOther || w.Header().Get("Location") != to {
			t.Errorf("%s: %d, leads to %q", who, w.Code, w.Header().Get("Location"))
		}
		if w := r.ask(who, http.MethodGet, to, nil); w.Code != http.StatusOK {
			t.Errorf("%s at %s: %d", who, to, w.Code)
		}
		if w := r.ask(who, http.MethodGet, "/zh/outlets/1", nil); w.Code != http.StatusForbidden {
			t.Errorf("%s at an outlet: %d", who, w.Code)
		}
	}
	// A keeper of a county changes what is in it, and imports no lists.
	keeper := "keeper@" + county
	for target, want := range map[string]int{"/zh/registry/outlets/1": 422, "/zh/registry/outlets/9": 403, "/zh/registry/outlets/import": 403, "/zh/recompute": 403, "/zh/webhooks": 403} {
		body := "why=x"
		if w := r.ask(keeper, http.MethodPost, target, strings.NewReader(body)); w.Code != want {
			t.Errorf("%s: %d, want %d", target, w.Code, want)
		}
	}
}
