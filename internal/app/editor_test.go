package app

import (
	"context"
	"io"
	"testing"
	"time"

	"plateau/hj212"
	"plateau/internal/platform/auth"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/store"
)

// TestAdoptedPassword: an adopted logger is held to the password it sent, also
// when the last thing that came of it was damaged.
func TestAdoptedPassword(t *testing.T) {
	t.Parallel()
	a, err := New(t.Context(), Options{
		Version: "test", Stdout: io.Discard, Stderr: io.Discard,
		Flags: map[string]string{"data": t.TempDir(), "http.addr": "127.0.0.1:0", "hj212.addr": "127.0.0.1:0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	const mn = "88888880000001"
	whole := hj212.AppendFrame(nil, []byte("QN=20261124080000000;ST=31;CN=9015;PW=secret;MN="+mn+";Flag=9;CP=&&&&"))
	whole = whole[:len(whole)-2]
	done := make(chan store.Result, 2)
	for _, f := range []*store.Frame{
		{Raw: whole, Verdict: telemetry.Quarantined, Reason: "unknown"},
		{Raw: whole[:len(whole)-3], Verdict: telemetry.Refused, Reason: hj212.LengthMismatch},
	} {
		f.MN, f.Received, f.Done = mn, time.Unix(1_795_000_000, 0), func(r store.Result) { done <- r }
		if err := a.store.Submit(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		if r := <-done; r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	e := &editor{a.registry, a.store}
	ctx := auth.With(context.Background(), auth.System)
	if err := e.Adopt(ctx, mn, 0, &telemetry.Outlet{Name: telemetry.Name{Zh: "一号"}, Medium: telemetry.Gas}, ""); err != nil {
		t.Fatal(err)
	}
	if d := a.registry.Snapshot().Devices[mn]; d == nil || d.Password != "secret" {
		t.Errorf("adopted as %+v", d)
	}
}
