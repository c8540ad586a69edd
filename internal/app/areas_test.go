package app

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/telemetry"
)

const sampleAreas = `code,name_zh,level,parent,effective_from,effective_to,replaces
540000,区,1,,,,
542400,甲地区（示例）,2,540000,,2017-12-31,
540600,甲市（示例）,2,540000,2018-01-01,,542400
540621,二县（示例）,3,540600,,,
540700,乙市（示例）,2,540000,,,
540721,四县（示例）,3,540700,,,
`

// TestAreas: commands change areas of a running server through its socket, and
// those of a stopped one by themselves; a post with a former code goes on.
func TestAreas(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, end := serving(t, dir)
	defer end()
	o, ctx := Options{Flags: map[string]string{"data": dir}}, t.Context()
	do := func(order AreasOrder) AreasAnswer {
		t.Helper()
		out, err := Areas(ctx, o, order)
		if err != nil {
			t.Fatalf("%+v: %v", order, err)
		}
		return out
	}
	if r := do(AreasOrder{Act: "import", CSV: sampleAreas, DryRun: true}).Report; r.Applied || r.Added != 6 || len(r.News) != 6 || r.News[0].What != "added" {
		t.Fatalf("%+v", r)
	}
	if l := do(AreasOrder{Act: "list"}).Areas; len(l) != 0 {
		t.Fatalf("after a dry run: %+v", l)
	}
	if r := do(AreasOrder{Act: "import", CSV: sampleAreas}).Report; !r.Applied {
		t.Fatalf("%+v", r)
	}
	if l := do(AreasOrder{Act: "list", Under: "542400"}).Areas; len(l) != 2 || l[0].Code != "540600" {
		t.Errorf("below a former code: %+v", l)
	}
	if l := do(AreasOrder{Act: "list", Day: "2017-01-01", Under: "540600"}).Areas; len(l) != 2 || l[1].Code != "542400" {
		t.Errorf("of a former day: %+v", l)
	}
	if r := do(AreasOrder{Act: "import", CSV: "code,name_zh,level,parent\n54,x,9,\n"}).Report; r.Applied || len(r.Faults) != 1 || r.Faults[0] != "row 2 level: Enter a level from 1 (region) to 6 (group)" {
		t.Errorf("%+v", r)
	}
	for want, order := range map[string]AreasOrder{
		"is no day": {Act: "list", Day: "monday"}, `no area "1"`: {Act: "list", Under: "1"}, "Columns": {Act: "import", CSV: "id\n1\n"},
	} {
		if _, err := Areas(ctx, o, order); err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(want)) {
			t.Errorf("%+v: %v", order, err)
		}
	}

	a.seesByFormerCode(t)
	a.areaPages(t)

	end() // the same on the data folder
	csv := do(AreasOrder{Act: "export"}).CSV
	if r := do(AreasOrder{Act: "import", CSV: csv}).Report; r.Same != 7 || !r.Applied {
		t.Errorf("%+v", r)
	}
}

// seesByFormerCode asks as officers whose posts name codes of before and of now.
func (a *App) seesByFormerCode(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	if err := a.registry.Load(ctx, telemetry.LoadInput{
		Enterprises: []telemetry.Enterprise{{ID: "e", Name: telemetry.Name{Zh: "甲（示例）"}, Area: "540621", Sample: true}},
		Outlets: []telemetry.Outlet{
			{ID: 1, Enterprise: "e", Name: telemetry.Name{Zh: "一"}, Medium: telemetry.Gas, Area: "540621", Sample: true},
			{ID: 2, Enterprise: "e", Name: telemetry.Name{Zh: "二"}, Medium: telemetry.Gas, Area: "540721", Sample: true},
		},
	}, auth.System); err != nil {
		t.Fatal(err)
	}
	handler, err := a.handler()
	if err != nil {
		t.Fatal(err)
	}
	for area, want := range map[string][2]int{"542400": {200, 403}, "540600": {200, 403}, "540700": {403, 200}, "540000": {200, 200}} {
		u, err := a.auth.CreateUser(ctx, auth.User{Login: "of" + area, Post: auth.Post{Zh: "值班员"}, Role: auth.Officer, Area: area}, "long enough")
		if err != nil {
			t.Fatal(err)
		}
		token, _, err := a.auth.CreateToken(ctx, u.ID, "x", "", time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		for i, path := range []string{"/zh/outlets/1", "/zh/outlets/2"} {
			if w := asked(t, handler, token, http.MethodGet, path, nil); w.Code != want[i] {
				t.Errorf("a post of %s, %s: %d, want %d", area, path, w.Code, want[i])
			}
		}
	}
}

func asked(t *testing.T, handler http.Handler, token, method, path string, form url.Values) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}

// areaPages looks at the list and brings a new version in by the page.
func (a *App) areaPages(t *testing.T) {
	t.Helper()
	token, err := a.auth.OperatorToken(t.Context(), "x", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	handler, err := a.handler()
	if err != nil {
		t.Fatal(err)
	}
	says := func(w *httptest.ResponseRecorder, code int, texts ...string) {
		t.Helper()
		if w.Code != code {
			t.Fatalf("%d: %.2000s", w.Code, w.Body)
		}
		for _, s := range texts {
			if !strings.Contains(w.Body.String(), s) {
				t.Errorf("the page does not say %q: %.6000s", s, w.Body)
			}
		}
	}
	says(asked(t, handler, token, http.MethodGet, "/en/registry/areas", nil), 200, "2 prefecture", "542400", "2017-12-31", "/en/registry/areas/import")
	says(asked(t, handler, token, http.MethodGet, "/en/registry/areas.csv", nil), 200, "540600,甲市（示例）,,,2,540000,2018-01-01,,542400", "Level")
	list := "code,name_zh,effective_from\n540700,乙州（示例）,2020-01-01\n"
	says(asked(t, handler, token, http.MethodPost, "/en/registry/areas/import", url.Values{"text": {list}, "dry": {"1"}}), 200, "renamed", "乙州（示例）", "ends", "2019-12-31")
	says(asked(t, handler, token, http.MethodPost, "/en/registry/areas/import", url.Values{"text": {"code,name_zh,level\n540799,x,7\n"}}), 422, "Enter a level from 1 (region) to 6 (group)")
	if len(a.registry.Snapshot().Versions("540700")) != 1 {
		t.Error("a look through changed something")
	}
	if w := asked(t, handler, token, http.MethodPost, "/en/registry/areas/import", url.Values{"text": {list}, "save": {"1"}}); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/en/registry/areas" {
		t.Errorf("%d %s", w.Code, w.Header().Get("Location"))
	}
	if v := a.registry.Snapshot().Versions("540700"); len(v) != 2 || v[0].To != "2019-12-31" {
		t.Errorf("%+v", v)
	}
}
