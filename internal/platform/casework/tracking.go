package casework

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"strings"
	"time"

	"plateau/internal/platform/errs"
)

// Tracking makes a tracking number: two digits of the year, ten random ones, two
// that check them (ISO/IEC 7064, MOD 97-10). Nobody can count cases by them.
func Tracking(at time.Time) string {
	n, _ := rand.Int(rand.Reader, big.NewInt(10_000_000_000))
	return withCheck(fmt.Sprintf("%02d%010d", at.Year()%100, n))
}

func withCheck(digits string) string { return digits + fmt.Sprintf("%02d", 98-mod97(digits+"00")) }

func mod97(digits string) (rest int) {
	for _, d := range digits {
		rest = (rest*10 + int(d-'0')) % 97
	}
	return rest
}

// ParseTracking reads a tracking number as people write it: with spaces or hyphens,
// in full-width or Tibetan digits. A number that was mistyped is errs.Invalid about
// "number", without a look at any case.
func ParseTracking(s string) (string, error) {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case r >= 0x0F20 && r <= 0x0F29: // Tibetan
			b.WriteRune('0' + r - 0x0F20)
		case r >= 0xFF10 && r <= 0xFF19: // full width
			b.WriteRune('0' + r - 0xFF10)
		case r == ' ' || r == '-' || r == 0x3000 || r == 0xA0 || r == 0x0F0B:
		default:
			return "", errs.InvalidField("number", "err.case.mistyped")
		}
	}
	if n := b.String(); len(n) == 14 && mod97(n) == 1 {
		return n, nil
	}
	return "", errs.InvalidField("number", "err.case.mistyped")
}

// Written is a tracking number in groups, for reading aloud and typing.
func Written(n string) string {
	if len(n) != 14 {
		return n
	}
	return n[:2] + " " + n[2:6] + " " + n[6:10] + " " + n[10:12] + " " + n[12:]
}
