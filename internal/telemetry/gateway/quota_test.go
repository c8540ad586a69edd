package gateway

import (
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestBucket holds the bucket against what a token bucket promises: in any
// span, no more than the burst and the rate times the span.
func TestBucket(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		perSecond, burst := rapid.IntRange(1, 1000).Draw(t, "rate"), rapid.IntRange(1, 100).Draw(t, "burst")
		var b bucket
		b.set(Rate{float64(perSecond), burst})
		now, start, passed := int64(1e18), int64(1e18), 0
		for range 200 {
			now += rapid.Int64Range(0, int64(20*time.Millisecond)).Draw(t, "pause")
			if b.allow(now) {
				passed++
			}
		}
		limit := float64(burst) + float64(perSecond)*float64(now-start)/1e9
		if float64(passed) > limit+1 {
			t.Fatalf("%d passed, at most %.1f may", passed, limit)
		}
		if passed < min(200, burst) {
			t.Fatalf("%d passed, a burst of %d must", passed, burst)
		}
		// Reserving never refuses: it says how long to wait, and then there is room.
		wait := b.reserve(now)
		if wait < 0 || wait > time.Duration(float64(time.Second)/float64(perSecond))+time.Nanosecond {
			t.Fatalf("wait of %v for one frame at %d/s", wait, perSecond)
		}
	})
	var none bucket
	none.set(Rate{PerSecond: -1})
	if !none.allow(1) || none.reserve(1) != 0 {
		t.Error("a lifted quota holds somebody up")
	}
}

// TestEvidenceNames: whoever invents names cannot make the store remember them
// all, and those known go on.
func TestEvidenceNames(t *testing.T) {
	t.Parallel()
	var e evidence
	e.init(false)
	kept := 0
	for n := range 50_000 {
		var conn bucket // a connection for each: only the names can be the bound
		conn.set(evidencePerConn)
		if e.allow(strconv.Itoa(n), &conn, 1e9+int64(n)*10e6) {
			kept++
		}
	}
	if kept < 5000 || kept > 5060 {
		t.Errorf("%d names kept", kept)
	}
	var conn bucket
	if !e.allow("7", &conn, 1e12) {
		t.Error("a known name was held up")
	}
}

func TestMNOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ raw, want string }{
		{"##0139QN=1;ST=31;CN=2011;PW=1;MN=" + mnA + ";Flag=5;CP=&&", mnA},
		{"##0010MN=A-b_1;CP", "A-b_1"},
		{"##0010ST=31;MN=a.b:1/x;CP", "a.b:1/x"},
		{"##0139ST=31;MN=1&&,2;Flag=5", ""},           // two fields in one
		{"##0139ST=31;MN=" + mnA, ""},                 // cut off
		{"##0139ST=31;MN=;Flag=5", ""},                // empty
		{"##0139ST=31;MN=a\x01b;Flag=5", ""},          // damaged
		{"##0139ST=31;CMN=1;Flag=5", ""},              // another field
		{"##0139ST=31;XMN=1;MN=2;Flag=5", "2"},        // the field after another
		{"##0139;MN=" + string(make([]byte, 99)), ""}, // no text
		{"", ""},
	} {
		if got := mnOf([]byte(c.raw)); got != c.want {
			t.Errorf("%q: %q", c.raw, got)
		}
	}
}
