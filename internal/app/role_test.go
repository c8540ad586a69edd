package app

import (
	"strings"
	"testing"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/people"
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

	end() // the same on the data folder
	do(RoleOrder{Act: "end", ID: second})
	if l := do(RoleOrder{Act: "list"}); len(l.Posts) != 1 || len(l.Holdings) != 0 {
		t.Errorf("%+v", l)
	}
	do(RoleOrder{Act: "appoint", Post: post.ID, Login: "one"})
	if l := do(RoleOrder{Act: "list"}); len(l.Holdings) != 1 || l.Holdings[0].Login != "one" {
		t.Errorf("%+v", l)
	}
}
