package outbound

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		tries  int
		chance float64
		want   time.Duration
	}{
		{1, 0, 5 * time.Second}, {2, 0, 10 * time.Second}, {3, 0.5, 15 * time.Second}, {30, 0, time.Hour}, {1000, 0.999999, 30 * time.Minute},
	} {
		if got := backoff(Shortest, tt.tries, tt.chance).Round(time.Second); got != tt.want {
			t.Errorf("%d: %s, want %s", tt.tries, got, tt.want)
		}
	}
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	for s, want := range map[string]time.Duration{"": 0, "30": 30 * time.Second, "99999999999": time.Hour, "-1": 0, "999999": time.Hour, "Mon, 23 Nov 2026 00:01:00 GMT": time.Minute, "Sun, 22 Nov 2026 00:01:00 GMT": 0, "x": 0} {
		if got := retryAfter(s, now); got != want {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
	}
}

// TestSign holds the signature against the example of the Standard Webhooks
// specification.
func TestSign(t *testing.T) {
	t.Parallel()
	got := Sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", slog.Any("secret", NewSecret()))
	if strings.Contains(b.String(), "whsec") {
		t.Error(fmt.Sprint("the log shows the secret: ", b.String()))
	}
}

func TestPublic(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1",
		"ff02::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "fec0::1",
	} {
		if Public(netip.MustParseAddr(s)) {
			t.Errorf("%s is taken for a public address", s)
		}
	}
	for _, s := range []string{"8.8.8.8", "2400:3200::1", "223.5.5.5"} {
		if !Public(netip.MustParseAddr(s)) {
			t.Errorf("%s is refused", s)
		}
	}
}
