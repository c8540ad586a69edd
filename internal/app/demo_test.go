package app

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plateau/internal/telemetry"
)

// demoOptions are those of plateau demo on free ports and generated series.
func demoOptions(dir string, out io.Writer) Options {
	return Options{
		Cost: cheap,
		Demo: true, Version: "test", Stdout: out, Stderr: io.Discard,
		Flags: map[string]string{"data": dir, "http.addr": "127.0.0.1:0", "hj212.addr": "127.0.0.1:0"},
	}
}

// TestDemoGoesOn starts a demonstration twice on one folder: the second goes on
// where the first ended, with the same sign-ins.
func TestDemoGoesOn(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	var signIns []string
	for start := range 2 {
		var out bytes.Buffer
		a, err := New(t.Context(), demoOptions(dir, &out))
		if err != nil {
			t.Fatal(err)
		}
		a.history = 2 * time.Hour
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		for i, want := range []string{"http: http://127.0.0.1:", "hj212: 127.0.0.1:", "operator token: ", "sign-in: "} {
			if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
				t.Fatalf("line %d does not begin with %q:\n%s", i+1, want, out.String())
			}
		}
		if start > 0 && strings.Join(lines[3:], "\n") != strings.Join(signIns, "\n") {
			t.Errorf("sign-ins %v, then %v", signIns, lines[3:])
		}
		signIns = lines[3:]
		if start > 0 {
			there := 0
			since := a.received(time.Now().Add(-a.history))
			for _, at := range since {
				if time.Since(at) < 70*time.Minute {
					there++
				}
			}
			if len(since) != len(a.world.Plants) || there < len(since)*2/3 {
				t.Errorf("of %d outlets %d of %d have their history", len(a.world.Plants), there, len(since))
			}
		}
		serveUntilReady(t, a)()
		if n := a.store.Stats().Frames; start > 0 && n > 2000 {
			t.Errorf("%d frames came again", n)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// serveUntilReady serves, and returns when /readyz says so, having said why not
// before; end ends it.
func serveUntilReady(t *testing.T, a *App) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Serve(ctx) }()
	waited := false
	for code := 0; code != http.StatusOK; time.Sleep(5 * time.Millisecond) {
		res, err := http.Get("http://" + a.httpAddr + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if code = res.StatusCode; code == http.StatusServiceUnavailable && strings.Contains(string(body), "history") {
			waited = true
		}
	}
	if !waited {
		t.Error("ready at once")
	}
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// TestReceivedSkipsStrangers: a logger that the registry knows otherwise than
// the sample does gets no history, or a start would wait for acks in vain.
func TestReceivedSkipsStrangers(t *testing.T) {
	t.Parallel()
	a, err := New(t.Context(), demoOptions(t.TempDir(), io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	from := time.Now().Add(-time.Hour)
	snap := a.registry.Snapshot()
	mn := a.world.Plants[0].Device.MN
	d := *snap.Devices[mn]
	d.Password = "000000"
	snap.Devices[mn] = &d
	since := a.received(from)
	if _, ok := since[mn]; ok || len(since) != len(a.world.Plants)-1 {
		t.Errorf("history for %d of %d loggers, that with another password among them: %v", len(since), len(a.world.Plants), ok)
	}
	if at := since[a.world.Plants[1].Device.MN]; !at.Equal(from) {
		t.Errorf("a fresh logger has history until %v", at)
	}
	if _, there := a.store.LastAt(a.world.Plants[1].Outlet.ID, telemetry.KindMinute); there {
		t.Error("a fresh folder has records")
	}
}

func TestWrongStarts(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	used := t.TempDir()
	a, err := New(t.Context(), demoOptions(used, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	with := func(key, value string) Options {
		o := demoOptions(t.TempDir(), io.Discard)
		o.Demo, o.Flags[key] = false, value
		return o
	}
	series := demoOptions(t.TempDir(), io.Discard)
	series.SeriesDir = filepath.Join(t.TempDir(), "none")
	empty := demoOptions(t.TempDir(), io.Discard)
	empty.SeriesDir = t.TempDir()
	for _, c := range []struct {
		name string
		o    Options
		want []string
	}{
		{"pages' port taken", with("http.addr", l.Addr().String()), []string{l.Addr().String(), "in use", "--http"}},
		{"loggers' port for datagrams taken", with("hj212.udp_addr", pc.LocalAddr().String()), []string{pc.LocalAddr().String(), "in use", "--hj212-udp"}},
		{"loggers' port taken", with("hj212.addr", l.Addr().String()), []string{l.Addr().String(), "in use", "--hj212"}},
		{"folder taken", with("data", used), []string{used, "in use", "--data"}},
		{"no such series", series, []string{"--series", series.SeriesDir, "leave --series out"}},
		{"series without a set", empty, []string{"--series", empty.SeriesDir, "cems"}},
	} {
		b, err := New(t.Context(), c.o)
		if err == nil {
			_ = b.Close()
			t.Errorf("%s: no error", c.name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v does not name %q", c.name, err, want)
			}
		}
	}
}

// TestDatagramPort: the address for datagrams is told after that for
// connections, when there is one.
func TestDatagramPort(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"", "127.0.0.1:0"} {
		var out bytes.Buffer
		a, err := New(t.Context(), Options{Version: "test", Stdout: &out, Stderr: io.Discard, Flags: map[string]string{
			"data": t.TempDir(), "http.addr": "127.0.0.1:0", "hj212.addr": "127.0.0.1:0", "hj212.udp_addr": addr,
		}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = a.Close() })
		want := "hj212: " + a.hjAddr + "\n"
		if addr != "" {
			want += "hj212-udp: " + a.udpAddr + "\n"
		}
		if got := out.String(); !strings.Contains(got, want+"first sign-in: ") || addr == "" && strings.Contains(got, "hj212-udp") {
			t.Errorf("with %q printed\n%s", addr, got)
		}
	}
}

func TestReachable(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{"[::]:80": "127.0.0.1:80", "0.0.0.0:80": "127.0.0.1:80", "10.1.2.3:80": "10.1.2.3:80", "[::1]:80": "[::1]:80"} {
		if got := reachable(addr); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}
