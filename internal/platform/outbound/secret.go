package outbound

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Secret signs requests: whsec_ and 24 to 64 bytes in base64. It is kept out of
// logs.
type Secret string

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue("(secret)") }

const secretPrefix = "whsec_"

// NewSecret makes a secret of 32 random bytes.
func NewSecret() Secret {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return Secret(secretPrefix + base64.StdEncoding.EncodeToString(b))
}

// Valid reports whether a secret has the form of one.
func (s Secret) Valid() bool {
	_, ok := s.key()
	return ok
}

func (s Secret) key() ([]byte, bool) {
	text, ok := strings.CutPrefix(string(s), secretPrefix)
	if !ok {
		return nil, false
	}
	key, err := base64.StdEncoding.DecodeString(text)
	return key, err == nil && len(key) >= 24 && len(key) <= 64
}

// Sign is the header webhook-signature of a body: v1 and the HMAC-SHA256 over
// "id.timestamp.body" in base64; "" for a secret that is none.
func Sign(s Secret, id string, at time.Time, body []byte) string {
	key, ok := s.key()
	if !ok {
		return ""
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.", id, at.Unix())
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

const maxURL = 2000

// CheckURL returns the catalogue key of what is wrong with an address that
// somebody entered, "" when nothing is. With private, plain http and addresses
// of private networks may be told.
func CheckURL(s string, private bool) string {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || len(s) > maxURL || u.User != nil || u.Fragment != "":
		return "webhook.err.url"
	case private:
		return ""
	case u.Scheme != "https":
		return "webhook.err.https"
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !Public(ip) {
		return "webhook.err.private"
	}
	return ""
}
