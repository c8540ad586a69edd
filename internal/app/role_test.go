package app

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/people"
	"plateau/internal/telemetry"
)

// TestRoles: commands appoint in a running server through its socket, and in a
// stopped one by themselves.
func TestRoles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, end := serving(t, dir)
	defer end()
	o, ctx := Options{Flags: map[string]string{"data": dir}}, t.Context()
	do := func(order RoleOrder) RoleAnswer {
		t.Helper()
		out, err := Roles(ctx, o, order)
		if err != nil {
			t.Fatalf("%+v: %v", order, err)
		}
		return out
	}
	refused := func(want string, order RoleOrder) {
		t.Helper()
		if _, err := Roles(ctx, o, order); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", order, err, want)
		}
	}
	if _, err := Areas(ctx, o, AreasOrder{Act: "import", CSV: sampleAreas}); err != nil {
		t.Fatal(err)
	}
	for _, login := range []string{"one", "two"} {
		if _, err := Accounts(ctx, o, AccountsOrder{Act: "add", Login: login, Post: "本人", Role: "person"}); err != nil {
			t.Fatal(err)
		}
	}
	office, err := a.people.PutOrganisation(ctx, people.Organisation{Kind: "authority", Name: auth.Post{Zh: "示例局"}, Area: "540600"}, auth.System)
	if err != nil {
		t.Fatal(err)
	}
	post, err := a.people.AddPost(ctx, people.Post{Organisation: office.ID, Kind: "officer", Area: "540621", Title: auth.Post{Zh: "值班岗"}}, auth.System)
	if err != nil {
		t.Fatal(err)
	}
	first := do(RoleOrder{Act: "appoint", Post: post.ID, Login: "one", From: "2026-01-01", To: "2026-03-31"}).ID
	second := do(RoleOrder{Act: "appoint", Post: post.ID, Login: "two", From: "2026-04-01"}).ID
	for day, want := range map[string]string{"2026-03-31": "one", "2026-04-01": "two", "2025-12-31": ""} {
		for _, order := range []RoleOrder{{Act: "who", Post: post.ID, Day: day}, {Act: "who", Area: "540621", Day: day}} {
			got := ""
			for _, h := range do(order).Holdings {
				got += h.Login
			}
			if got != want {
				t.Errorf("%+v: %q, want %q", order, got, want)
			}
		}
	}
	if h := do(RoleOrder{Act: "who", Area: "540721", Day: "2026-05-01"}).Holdings; len(h) != 0 {
		t.Errorf("of another county: %+v", h)
	}
	if l := do(RoleOrder{Act: "list", Area: "540621"}); len(l.Posts) != 1 || l.Organisations[office.ID] != "示例局" || len(l.Holdings) != 1 || l.Holdings[0].ID != second {
		t.Errorf("%+v", l)
	}
	refused("is held in that time", RoleOrder{Act: "appoint", Post: post.ID, Login: "one"})
	refused(`no account "three"`, RoleOrder{Act: "appoint", Post: post.ID, Login: "three"})
	refused(`no post "x"`, RoleOrder{Act: "appoint", Post: "x", Login: "one"})
	refused(`no area "1"`, RoleOrder{Act: "list", Area: "1"})
	refused("is no day", RoleOrder{Act: "appoint", Post: post.ID, Login: "one", From: "monday"})
	refused("day: Enter a date", RoleOrder{Act: "who", Day: "monday"})
	refused("ends by then already", RoleOrder{Act: "end", ID: first})
	refused(`no appointment "x"`, RoleOrder{Act: "end", ID: "x"})
	refused("unknown order", RoleOrder{Act: "burn"})

	a.actsByPost(t, do, post)
	end() // the same on the data folder
	if _, err := Roles(ctx, o, RoleOrder{Act: "end", ID: second}); err == nil {
		t.Error("ended twice")
	}
	if l := do(RoleOrder{Act: "list"}); len(l.Posts) != 1 || len(l.Holdings) != 0 {
		t.Errorf("%+v", l)
	}
	do(RoleOrder{Act: "appoint", Post: post.ID, Login: "one"})
	if l := do(RoleOrder{Act: "list"}); len(l.Holdings) != 1 || l.Holdings[0].Login != "one" {
		t.Errorf("%+v", l)
	}
}

// actsByPost: what the holder of a post may do comes from it, through the handlers of
// the whole program, and ends with it; a deputy's acts say for whom.
func (a *App) actsByPost(t *testing.T, do func(RoleOrder) RoleAnswer, post people.Post) {
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
	token := func(login string) (string, string) {
		u, err := a.auth.UserByLogin(ctx, login)
		if err != nil {
			t.Fatal(err)
		}
		token, _, err := a.auth.CreateToken(ctx, u.ID, "x", "", time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		return token, u.ID
	}
	opens := func(what, token string, one, two int) {
		t.Helper()
		for i, want := range []int{one, two} {
			path := []string{"/zh/outlets/1", "/zh/outlets/2"}[i]
			if w := asked(t, handler, token, http.MethodGet, path, nil); w.Code != want {
				t.Errorf("%s: %s answers %d, want %d", what, path, w.Code, want)
			}
		}
	}
	one, _ := token("one")
	two, holder := token("two")
	opens("holds the post no more", one, 403, 403)
	opens("holds the post", two, 200, 403)
	if w := asked(t, handler, one, http.MethodGet, "/zh/", nil); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/zh/account/posts" {
		t.Errorf("where somebody without a post is led: %d %s", w.Code, w.Header().Get("Location"))
	}

	// A deputy: only in a session or a token that has chosen it.
	appointment := do(RoleOrder{Act: "who", Post: post.ID, Day: a.now().Format(time.DateOnly)}).Holdings[0].ID
	delegation := do(RoleOrder{Act: "delegate", ID: appointment, Login: "one", To: a.now().AddDate(0, 0, 3).Format(time.DateOnly)}).ID
	opens("a token that has not chosen it", one, 403, 403)
	u, _ := a.auth.UserByLogin(ctx, "one")
	chosen, _, err := a.auth.CreateToken(auth.With(ctx, auth.Principal{ID: u.ID, Acting: delegation}), u.ID, "x", "", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	opens("a deputy", chosen, 200, 403)
	p, err := a.auth.Bearer(ctx, chosen)
	if err != nil || p.OnBehalfOf != holder {
		t.Fatalf("%+v %v", p, err)
	}
	if e := p.Entry(a.now(), "telemetry", "x", "", ""); e.OnBehalfOf != holder || e.Post != "值班岗" || e.Who != u.ID {
		t.Errorf("%+v", e)
	}
	do(RoleOrder{Act: "withdraw", ID: delegation})
	opens("a deputy no more", chosen, 401, 401)
	do(RoleOrder{Act: "end", ID: appointment})
	opens("the post is over", two, 403, 403)
	n := 0
	if err := audit.List(ctx, a.db, audit.Filter{Kind: "post", Ref: post.ID}, func(e *audit.Entry) bool {
		if e.Who == "system" {
			n++
		}
		return true
	}); err != nil || n != 6 { // post, two appointments, delegation and its end, end
		t.Errorf("%d entries: %v", n, err)
	}
}
