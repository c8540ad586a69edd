package relay

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"plateau/hj212"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/telemetry/store"
	"plateau/internal/testkit"
)

const victimDir = "PLATEAU_TEST_RELAY_DIR"

// victim sends what is in a folder until it is killed.
func victim(dir string) {
	ctx := context.Background()
	check := func(err error) {
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	base, err := db.Open(ctx, filepath.Join(dir, "x.db"))
	check(err)
	s, err := store.Open(filepath.Join(dir, "store"), store.Options{CacheMB: 1, MemMB: 4})
	check(err)
	sealer, err := auth.OpenSealer(filepath.Join(dir, auth.KeyFile))
	check(err)
	r, err := New(Options{DB: base, Journal: s, Registry: outletsOf(8), Sealer: sealer, Now: time.Now, Private: true, First: time.Millisecond, Longest: 5 * time.Millisecond, SaveEvery: 10 * time.Millisecond})
	check(err)
	fmt.Println("ready")
	check(r.Run(ctx))
}

// TestKill kills the sender again and again while it sends: every frame arrives,
// in order, and what comes twice is what was acknowledged since the last write of
// how far it came.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	x := newPlatform(t, func(_ int, _ sent, p *hj212.Packet, _ net.Conn) []byte {
		time.Sleep(time.Millisecond)
		return takes(0, sent{}, p, nil)
	})
	base, err := db.Open(t.Context(), filepath.Join(dir, "x.db"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(filepath.Join(dir, "store"), store.Options{CacheMB: 1, MemMB: 4})
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := auth.OpenSealer(filepath.Join(dir, auth.KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	rounds, total := 8, 2000
	if testkit.Race {
		rounds, total = 3, 800
	}
	for n := range total / 8 {
		at := t0.Add(time.Duration(n-1000) * time.Minute)
		var frames []*store.Frame
		for i := 1; i <= 8; i++ {
			frames = append(frames, frameOf(t, i, 2011, at, at, ""))
		}
		put(t, s, frames...)
	}
	r, err := New(Options{DB: base, Journal: s, Registry: outletsOf(8), Sealer: sealer, Now: func() time.Time { return t0 }, Private: true})
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{Service: r, tb: t, base: base, store: s}
	target := d.to(x.addr, func(t *Target) { t.From = t0.AddDate(0, -1, 0) })
	tail := s.Tail()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	life := func(until func() bool) {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), victimDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		if !lines.Scan() || lines.Text() != "ready" {
			t.Fatalf("the sender says %q", lines.Text())
		}
		for end := time.Now().Add(60 * time.Second); !until() && time.Now().Before(end); time.Sleep(time.Millisecond) {
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	for k := 1; k <= rounds; k++ {
		life(func() bool { return len(x.received()) >= k*total/(rounds+1) })
	}
	done := func() bool {
		p, err := progressOf(t.Context(), base, target.ID)
		return err == nil && len(p.Past) == 0 && p.Live == tail
	}
	life(done)
	if !done() {
		t.Error("it did not come to the end")
	}
	got := x.received()
	if c := counted(got); len(c) != total {
		t.Errorf("%d frames came, want %d", len(c), total)
	}
	// In 10 ms and the time of a write some tens go out.
	if twice := len(got) - total; twice > rounds*300 {
		t.Errorf("%d of %d frames came again in %d lives", twice, total, rounds)
	} else {
		t.Logf("%d of %d frames came again in %d lives", twice, total, rounds)
	}
	inOrder(t, got)
	_ = base.Close()
}
