package app

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"plateau/hj212"
	"plateau/internal/telemetry/relay"
)

// TestRelayServed: a frame of a logger goes on to a platform, one of a logger that
// it does not know is refused; commands and metrics tell of both.
func TestRelayServed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := victimOptions(dir)
	o.Stdout, o.Stderr = io.Discard, io.Discard
	o.Flags["relay.allow_private"] = "true"
	a, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Serve(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go receiveSamples(t.Context(), l, "010000A8900016F000169DC1", slog.New(slog.DiscardHandler))
	target, err := a.relays.Add(t.Context(), relay.Target{Name: "p", Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, Ack: true, Rate: 10, Window: 8})
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", a.hjAddr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	now := string(hj212.AppendTime(nil, time.Now()))
	for _, mn := range []string{"010000A8900016F000169DC0", "010000A8900016F000169DC1"} {
		if _, err := c.Write(hj212.AppendFrame(nil, []byte("QN="+now+"000;ST=31;CN=2011;PW=123456;MN="+mn+";Flag=5;CP=&&DataTime="+now+";a21026-Rtd=1.5,a21026-Flag=N&&"))); err != nil {
			t.Fatal(err)
		}
	}
	flags := Options{Flags: map[string]string{"data": dir}}
	var line RelayLine
	for end := time.Now().Add(time.Minute); line.Kept != 1 || line.Acked != 1; time.Sleep(20 * time.Millisecond) {
		out, err := Relay(t.Context(), flags, RelayOrder{Act: "list"})
		if err != nil || len(out.List) != 1 {
			t.Fatalf("%+v, %v", out, err)
		}
		if line = out.List[0]; time.Now().After(end) {
			t.Fatalf("%+v", line)
		}
	}
	if line.Name != "p" || line.State != "connected" || line.Waiting != 0 || line.Refused != 1 || line.LastAck.IsZero() {
		t.Errorf("%+v", line)
	}
	if out, err := Relay(t.Context(), flags, RelayOrder{Act: "test", Name: "p"}); err != nil || out.Took <= 0 {
		t.Errorf("%+v, %v", out, err)
	}
	if _, err := Relay(t.Context(), flags, RelayOrder{Act: "test", Name: "q"}); err == nil || !strings.Contains(err.Error(), `no platform "q"`) {
		t.Error(err)
	}
	res, err := http.Get("http://" + a.httpAddr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	of := `{id="` + target.ID + `",`
	for _, want := range []string{
		"plateau_relay_frames_total" + of + `outcome="acknowledged",target="p"} 1`, "plateau_relay_frames_total" + of + `outcome="refused",target="p"} 1`,
		"plateau_relay_connected" + of + `target="p"} 1`, "plateau_relay_waiting_frames" + of + `target="p"} 0`, "plateau_relay_paused" + of + `target="p"} 0`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s", want)
		}
	}
}
