package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Cost is the work of one password check.
type Cost struct {
	Time, MemoryKiB uint32
	Threads         uint8
}

// DefaultCost is the second set of RFC 9106 section 4 cut to 19 MiB and two
// passes, so that a small server can check several sign-ins at once.
var DefaultCost = Cost{Time: 2, MemoryKiB: 19 << 10, Threads: 1}

const (
	saltLen = 16
	keyLen  = 32
)

// hashPassword returns the PHC form of argon2id: $argon2id$v=19$m=…,t=…,p=…$salt$key.
func hashPassword(password string, c Cost) string {
	salt := make([]byte, saltLen)
	_, _ = rand.Read(salt) // never fails (crypto/rand)
	key := argon2.IDKey([]byte(password), salt, c.Time, c.MemoryKiB, c.Threads, keyLen)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, c.MemoryKiB, c.Time, c.Threads, b64.EncodeToString(salt), b64.EncodeToString(key))
}

// checkPassword reports whether password belongs to the PHC form. It takes the
// same time for any wrong password.
func checkPassword(phc, password string) bool {
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false
	}
	var version int
	var c Cost
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return false
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &c.MemoryKiB, &c.Time, &c.Threads); err != nil || c.Time == 0 || c.Threads == 0 {
		return false
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	key, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(key) != keyLen {
		return false
	}
	got := argon2.IDKey([]byte(password), salt, c.Time, c.MemoryKiB, c.Threads, keyLen)
	return subtle.ConstantTimeCompare(got, key) == 1
}

// secret returns a random text of 160 bits, safe in cookies and headers.
func secret() string { return strings.ToLower(rand.Text() + rand.Text()[:6]) }

// hashSecret is what is stored of a secret: random 160 bits need no salt.
func hashSecret(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}
