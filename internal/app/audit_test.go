package app

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plateau/internal/platform/audit"
)

// TestAudited: what a person does over HTTP is in the record with post and
// address, in one chain that verifies, also while the server runs; what was
// refused is not.
func TestAudited(t *testing.T) {
	t.Parallel()
	dir, ctx := filepath.Join(t.TempDir(), "data"), t.Context()
	o := demoOptions(dir, io.Discard)
	a, err := New(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	serve, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- a.Serve(serve) }()
	token, err := a.operatorToken(ctx)
	if err != nil {
		t.Fatal(err)
	}
	post := func(path string, form url.Values, want int) {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+a.httpAddr+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", "Bearer "+token)
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if body, _ := io.ReadAll(res.Body); res.StatusCode != want {
			t.Fatalf("%s: %s\n%.2000s", path, res.Status, body)
		}
	}
	list := func(f audit.Filter) (out []audit.Entry) {
		t.Helper()
		if err := ListAudit(ctx, o, f, func(e *audit.Entry) error { out = append(out, *e); return nil }); err != nil {
			t.Fatal(err)
		}
		return out
	}
	post("/zh/registry/enterprises/new", url.Values{"name_zh": {""}}, http.StatusUnprocessableEntity)
	if got := list(audit.Filter{Act: "registry.create"}); len(got) != 0 {
		t.Errorf("a refused act has an entry: %+v", got)
	}
	post("/zh/registry/enterprises/new", url.Values{"name_zh": {"示例单位"}, "area": {"540102"}, "id": {"AUDITED"}}, http.StatusSeeOther)
	got := list(audit.Filter{Act: "registry.", Kind: "enterprise"})
	if len(got) != 1 || got[0].Address != "127.0.0.1" || got[0].Post == "" || got[0].Ref != "AUDITED" || !strings.Contains(got[0].Detail, `"rows":1`) {
		t.Fatalf("%+v", got)
	}
	all := list(audit.Filter{})
	if n := slices.IndexFunc(all, func(e audit.Entry) bool { return e.Act == "registry.load" && e.Who == "system" && e.Address == "" }); n < 0 {
		t.Errorf("the sample region's registry was loaded without an entry: %+v", all)
	}
	if r, err := VerifyAudit(ctx, o); err != nil || !r.OK() || len(r.Chains) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if err := EraseAudit(ctx, o, got[0].Chain, got[0].Seq, "test of the erasure"); err != nil {
		t.Fatal(err)
	}
	if r, err := VerifyAudit(ctx, o); err != nil || !r.OK() || r.Erased != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	// Who looked is told at the window, too, and that is a look of its own.
	users, err := Accounts(ctx, o, AccountsOrder{Act: "list"})
	if err != nil || len(users.Users) == 0 {
		t.Fatal(err)
	}
	id, acts := users.Users[0].ID, []string(nil)
	for range 2 {
		acts = nil
		if err := ListLooks(ctx, o, id, func(e *audit.Entry) error { acts = append(acts, e.Act); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if len(acts) < 3 || acts[0] != "account.looks" || acts[1] != "account.list" || acts[len(acts)-1] != "account.create" || Did(acts[1]) != "list of accounts looked at" {
		t.Errorf("%v", acts)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}
