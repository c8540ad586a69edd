package accountweb

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/people"
)

// appointed makes a post of a kind that an account holds from now on.
func (r *rig) appointed(t *testing.T, login, kind, title string) people.Appointment {
	t.Helper()
	office, err := r.people.PutOrganisation(t.Context(), people.Organisation{Kind: "authority", Name: auth.Post{Zh: "示例局"}}, auth.System)
	if err != nil {
		t.Fatal(err)
	}
	post, err := r.people.AddPost(t.Context(), people.Post{Organisation: office.ID, Kind: kind, Title: auth.Post{Zh: title}}, auth.System)
	if err != nil {
		t.Fatal(err)
	}
	u, err := r.UserByLogin(t.Context(), login)
	if err != nil {
		t.Fatal(err)
	}
	a, err := r.people.Appoint(t.Context(), people.Appointment{Post: post.ID, Account: u.ID}, auth.System)
	if err != nil {
		t.Fatal(err)
	}
	r.pass(time.Second)
	return a
}

var hiddenID = regexp.MustCompile(`name="id" value="([0-9a-f-]*)"`)

// idBeside finds the id of the form that stands in the row of a text.
func idBeside(t *testing.T, body, text string) string {
	t.Helper()
	for row := range strings.SplitSeq(body, "<tr") {
		if strings.Contains(row, text) {
			if m := hiddenID.FindStringSubmatch(row); m != nil {
				return m[1]
			}
		}
	}
	t.Fatalf("no form beside %q: %s", text, body)
	return ""
}

// TestSwitch: somebody with several posts acts in the first, and switches.
func TestSwitch(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.signedIn(t, "officer")
	b.page("/en/account/posts", "Duty officer (sample)", "acting now")
	r.appointed(t, "officer", "officer", "第一岗")
	second := r.appointed(t, "officer", "auditor", "第二岗")
	body := b.page("/zh/account/posts", "第一岗", "第二岗", "当前岗位")
	if !strings.Contains(body[:strings.Index(body, "<main")], "第一岗") {
		t.Error("the top bar does not show the post somebody acts in")
	}
	b.post("/zh/account/posts", "/zh/account/posts", "id", idBeside(t, body, "第二岗"))
	body = b.page("/zh/account/posts", "已切换至此岗位。")
	if !strings.Contains(body[:strings.Index(body, "<main")], "第二岗") {
		t.Error("the top bar does not show the other post")
	}
	// Another browser of the account stays where it was, other accounts have nothing of it.
	if body := r.signedIn(t, "officer").page("/zh/account/posts"); !strings.Contains(body[:strings.Index(body, "<main")], "第一岗") {
		t.Error("another session switched, too")
	}
	thief := r.signedIn(t, "enterprise")
	thief.post("/zh/account/posts", "/zh/account/posts", "id", second.ID)
	body = thief.page("/zh/account/posts", "您已不能以该岗位行事")
	if strings.Contains(body, "第二岗") {
		t.Error("somebody acts in another one's post")
	}
	if err := r.people.End(t.Context(), second.ID, time.Time{}, auth.System); err != nil {
		t.Fatal(err)
	}
	if body := b.page("/zh/account/posts"); !strings.Contains(body[:strings.Index(body, "<main")], "第一岗") || strings.Contains(body, "第二岗") {
		t.Error("an appointment that ended is still acted in")
	}
}

// TestDelegate gives a post until a day through the pages; either takes it back.
func TestDelegate(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	held := r.appointed(t, "officer", "officer", "值班岗")
	holder, deputy := r.signedIn(t, "officer"), r.signedIn(t, "operator")
	holder.page("/en/account/posts", "Delegate", "in your name")
	const to = "/en/account/posts/delegate"
	holder.refused(422, to, "Enter the last day", "post", held.ID, "account", "operator")
	holder.refused(422, to, "Enter a date", "post", held.ID, "account", "operator", "to", "soon")
	holder.refused(422, to, "There is no open account", "post", held.ID, "account", "zz", "to", "2026-11-30")
	holder.refused(422, to, "choose somebody else", "post", held.ID, "account", "officer", "to", "2026-11-30")
	if w := deputy.ask(http.MethodPost, to, "post", held.ID, "account", "enterprise", "to", "2026-11-30"); w.Code != http.StatusNotFound {
		t.Errorf("somebody else delegates the post: %d", w.Code)
	}
	holder.post(to, "/en/account/posts", "post", held.ID, "account", "operator", "to", "2026/11/30")
	holder.page("/en/account/posts", "The post was delegated.", "operator", "2026-11-30")
	body := deputy.page("/en/account/posts", "Operator (sample)", "officer", "2026-11-30")
	id := idBeside(t, body, "Act in it")
	deputy.post("/en/account/posts", "/en/account/posts", "id", id)
	body = deputy.page("/en/account/posts", "You act in this post now.")
	if !strings.Contains(body[:strings.Index(body, "<main")], "值班岗") {
		t.Error("the top bar does not show the delegated post")
	}
	deputy.post("/en/account/posts", "/en/account/posts", "id", "") // back to their own
	if w := r.signedIn(t, "enterprise").ask(http.MethodPost, "/en/account/posts/withdraw", "id", id); w.Code != http.StatusNotFound {
		t.Errorf("withdrawn by anybody: %d", w.Code)
	}
	deputy.post("/en/account/posts", "/en/account/posts", "id", id)
	holder.post("/en/account/posts/withdraw", "/en/account/posts", "id", id)
	holder.page("/en/account/posts", "The delegation was ended.")
	if body := deputy.page("/en/account/posts"); strings.Contains(body, "值班岗") {
		t.Error("a delegation that was withdrawn still shows")
	}
	holder.post("/en/account/posts/withdraw", "/en/account/posts", "id", id) // twice is once

	// Long after the sign-in, delegating asks for the password again.
	r.pass(auth.ProofLife + time.Second)
	holder.post(to, "/en/account/confirm?next=%2Fen%2Faccount%2Fposts", "post", held.ID, "account", "operator", "to", "2026-11-30")
}
