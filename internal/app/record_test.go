package app

import (
	"context"
	"testing"
	"time"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
)

// TestRetention: what the register of personal data says is erased is erased by the
// clock, and the record stays provable.
func TestRetention(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	o := victimOptions(t.TempDir())
	o.Stdout, o.Stderr, o.Now = t.Output(), t.Output(), func() time.Time { return at }
	a, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	ctx := audit.WithAddress(t.Context(), "192.0.2.1")
	if _, err := a.auth.CreateUser(ctx, auth.User{Login: "duty1", Post: auth.Post{Zh: "值班员"}, Role: auth.Officer}, "river stone under ice"); err != nil {
		t.Fatal(err)
	}
	addresses := func() (n int) {
		t.Helper()
		if err := audit.List(t.Context(), a.db, audit.Filter{}, func(e *audit.Entry) bool {
			if e.Address != "" {
				n++
			}
			return true
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, step := range []struct {
		days, want int
	}{{0, 1}, {183, 1}, {2, 0}} {
		at = at.AddDate(0, 0, step.days)
		stopped, cancel := context.WithCancel(t.Context())
		cancel() // the job does its work once and ends
		if err := a.expire(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := a.retain(stopped); err != nil {
			t.Fatal(err)
		}
		if n := addresses(); n != step.want {
			t.Errorf("%d addresses after %d days more, want %d", n, step.days, step.want)
		}
	}
	if r, err := audit.Verify(t.Context(), a.db); err != nil || !r.OK() {
		t.Errorf("%+v, %v", r, err)
	}
}
