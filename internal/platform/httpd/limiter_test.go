package httpd_test

import (
	"testing"
	"time"

	"plateau/internal/platform/httpd"
)

func TestLimiter(t *testing.T) {
	t.Parallel()
	if httpd.NewLimiter(0, 5, time.Now) != nil {
		t.Error("a rate of 0 bounds something")
	}
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	l := httpd.NewLimiter(2, 4, func() time.Time { return now })
	take := func(key string) (int, time.Duration, bool) { return l.Take(key) }
	for want := 3; want >= 0; want-- {
		if left, _, ok := take("a"); !ok || left != want {
			t.Fatalf("left %d, %v; want %d", left, ok, want)
		}
	}
	if left, wait, ok := take("a"); ok || left != 0 || wait != 500*time.Millisecond {
		t.Errorf("an empty bucket: %d, %s, %v", left, wait, ok)
	}
	if _, _, ok := take("b"); !ok {
		t.Error("keys share a bucket")
	}
	now = now.Add(-time.Hour) // a clock that is set back gives nothing and takes nothing
	if _, _, ok := take("a"); ok {
		t.Error("a token came from nowhere")
	}
	now = now.Add(2 * time.Hour)
	if left, _, ok := take("a"); !ok || left != 3 {
		t.Errorf("a full bucket holds %d", left+1)
	}
	// More than there is may be taken at once, and has to be waited for, also
	// where full buckets are forgotten meanwhile.
	if left, wait, ok := l.TakeN("a", 203); !ok || left != 0 || wait != 102*time.Second {
		t.Errorf("203 of 3: %d, %s, %v", left, wait, ok)
	}
	now = now.Add(100 * time.Second)
	if _, wait, ok := take("a"); ok || wait != 500*time.Millisecond {
		t.Errorf("after 100 s: %s, %v", wait, ok)
	}
	now = now.Add(500 * time.Millisecond)
	if _, _, ok := take("a"); !ok {
		t.Error("the token that was waited for is not there")
	}
}
