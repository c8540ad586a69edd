package casework

import (
	"testing"
)

// TestTracking: the worked numbers of the reference, numbers as people write them,
// and that one wrong digit, or two that changed places, are always noticed.
func TestTracking(t *testing.T) {
	t.Parallel()
	for digits, want := range map[string]string{"260123456789": "39", "260000000001": "56", "269999999999": "12"} {
		if got := withCheck(digits); got != digits+want {
			t.Errorf("%s: %s, want the check %s", digits, got, want)
		}
	}
	const right = "26012345678939"
	if w := Written(right); w != "26 0123 4567 89 39" {
		t.Errorf("written %q", w)
	}
	for _, s := range []string{right, "26 0123 4567 89 39", "26-0123-4567-89-39", "༢༦༠༡༢༣༤༥༦༧༨༩༣༩", "２６０１２３４５６７８９３９"} {
		if n, err := ParseTracking(s); err != nil || n != right {
			t.Errorf("%q: %s, %v", s, n, err)
		}
	}
	for i := range right {
		for d := byte('0'); d <= '9'; d++ {
			b := []byte(right)
			if b[i] == d {
				continue
			}
			b[i] = d
			if _, err := ParseTracking(string(b)); err == nil {
				t.Errorf("%s passes for %s", b, right)
			}
		}
		if b := []byte(right); i > 0 && b[i] != b[i-1] {
			b[i], b[i-1] = b[i-1], b[i]
			if _, err := ParseTracking(string(b)); err == nil {
				t.Errorf("%s passes for %s", b, right)
			}
		}
	}
	for _, s := range []string{"", "26", "2601234567893", "260123456789390", "26O12345678939"} {
		if _, err := ParseTracking(s); err == nil {
			t.Errorf("%q passes", s)
		}
	}
}

// TestChain: the worked hashes of the reference.
func TestChain(t *testing.T) {
	t.Parallel()
	const id = "01JC000000000000000000CASE"
	at := day("2026-06-01T02:03:04Z")
	first := Event{Case: id, Seq: 1, At: at, Actor: "user:7", Action: "create", To: "new", Payload: []byte(`{"note":"a"}`), Prev: genesis}
	if got := first.hash(); got != "c36f26083fc24f9046fc9223cfd39167c0db6c19611e0d81751d87f9844e0494" {
		t.Errorf("first: %s", got)
	}
	second := Event{Case: id, Seq: 2, At: day("2026-06-01T03:00:00Z"), Actor: "user:9", Action: "accept", From: "new", To: "accepted", Payload: []byte(`{}`), Prev: first.hash()}
	if got := second.hash(); got != "3cc96bfaf4334516585b6ebadc85c9dfb0992289fe771941a30d931199083858" {
		t.Errorf("second: %s", got)
	}
}

func TestParseSpan(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"2h", "4wh", "15wd", "30d"} {
		if x, err := ParseSpan(s); err != nil || x.String() != s {
			t.Errorf("%s: %v, %v", s, x, err)
		}
	}
	for _, s := range []string{"", "h", "0h", "-1d", "3", "3w", "3dh", "10001d", "1.5h"} {
		if x, err := ParseSpan(s); err == nil {
			t.Errorf("%q is %v", s, x)
		}
	}
}
