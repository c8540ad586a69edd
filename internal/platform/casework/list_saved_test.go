package casework

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
)

// TestSaved: a filter is its owner's alone, has one name, and there are not too many.
func TestSaved(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, url string) {
		t.Helper()
		r, ctx := newRig(t, url, Default()), t.Context()
		accounts := auth.New(r.DB, r.now, auth.Options{Cost: auth.Cost{Time: 1, MemoryKiB: 64, Threads: 1}})
		var who [2]auth.Principal
		for i := range who {
			u, err := accounts.AddUser(ctx, auth.User{Login: fmt.Sprint("user", i), Role: "office_clerk", Post: auth.Post{Zh: "岗"}})
			if err != nil {
				t.Fatal(err)
			}
			who[i] = auth.Principal{ID: u.ID}
		}
		field := func(err error, name string) bool {
			e, ok := errors.AsType[*errs.Error](err)
			return ok && len(e.Fields) == 1 && e.Fields[0].Name == name
		}
		save := func(name, query string, by auth.Principal) {
			t.Helper()
			if err := r.Save(ctx, name, query, by); err != nil {
				t.Fatal(err)
			}
		}
		save(" 污水 ", "queue=open", who[0])
		save("污水", "queue=mine", who[0]) // takes its place
		save("污水", "queue=all", who[1])
		save("垃圾", "q=1", who[0])
		list, err := r.Saved(ctx, who[0])
		if err != nil || len(list) != 2 || list[0].Query+list[1].Query != "q=1queue=mine" && list[0].Query+list[1].Query != "queue=mineq=1" {
			t.Fatalf("%+v %v", list, err)
		}
		id := list[0].ID
		if err := r.Rename(ctx, id, "x", who[1]); !errs.Is(err, errs.NotFound) {
			t.Errorf("another one's is renamed: %v", err)
		}
		if err := r.Forget(ctx, id, who[1]); !errs.Is(err, errs.NotFound) {
			t.Errorf("another one's is dropped: %v", err)
		}
		if err := r.Rename(ctx, id, list[1].Name, who[0]); !field(err, "name") {
			t.Errorf("a name twice: %v", err)
		}
		for _, name := range []string{"", " ", strings.Repeat("名", maxSavedName+1)} {
			if err := r.Save(ctx, name, "", who[0]); !field(err, "name") {
				t.Errorf("%q is a name: %v", name, err)
			}
			if err := r.Rename(ctx, id, name, who[0]); !field(err, "name") {
				t.Errorf("%q is a name: %v", name, err)
			}
		}
		if err := r.Save(ctx, "x", strings.Repeat("q", maxSavedQuery+1), who[0]); !field(err, "query") {
			t.Errorf("a query too long: %v", err)
		}
		if err := r.Rename(ctx, id, "y", who[0]); err != nil {
			t.Error(err)
		}
		if err := r.Forget(ctx, id, who[0]); err != nil {
			t.Error(err)
		}
		for i := range maxSaved - 1 {
			save(fmt.Sprint(i), "", who[0])
		}
		if err := r.Save(ctx, "one more", "", who[0]); !field(err, "name") {
			t.Errorf("one more than there may be: %v", err)
		}
		save("0", "other", who[0]) // one that is there may change
	})
}
