package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/errs"
)

// keyPrefix stands before the fingerprint of a service's key where a token has the
// hash of its secret, which is never that long.
const keyPrefix = "spki-sha256:"

// leastRSA is the least length of an RSA key, in bits.
const leastRSA = 2048

// Key is the public key by which a service shows who it is.
type Key struct {
	Fingerprint string    // SHA-256 of its SubjectPublicKeyInfo (RFC 5280 clause 4.1.2.7), base64
	Until       time.Time // end of the certificate it came in; zero = it came alone
}

// ParseKey reads a certificate or a public key in PEM, of a certificate chain the
// first one. What cannot be used is errs.Invalid about "key".
func ParseKey(text []byte) (Key, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return Key{}, errs.InvalidField("key", "err.auth.key_pem")
	}
	var public any
	var spki []byte
	var until time.Time
	var err error
	switch block.Type {
	case "CERTIFICATE":
		var cert *x509.Certificate
		if cert, err = x509.ParseCertificate(block.Bytes); err == nil {
			public, spki, until = cert.PublicKey, cert.RawSubjectPublicKeyInfo, cert.NotAfter
		}
	case "PUBLIC KEY":
		public, err = x509.ParsePKIXPublicKey(block.Bytes)
		spki = block.Bytes
	case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "OPENSSH PRIVATE KEY":
		return Key{}, errs.InvalidField("key", "err.auth.key_private")
	default:
		return Key{}, errs.InvalidField("key", "err.auth.key_pem")
	}
	if err != nil {
		return Key{}, errs.InvalidField("key", "err.auth.key_pem")
	}
	switch k := public.(type) {
	case *ecdsa.PublicKey, ed25519.PublicKey:
	case *rsa.PublicKey:
		if k.N.BitLen() < leastRSA {
			return Key{}, errs.InvalidField("key", "err.auth.key_short", "n", leastRSA)
		}
	default:
		return Key{}, errs.InvalidField("key", "err.auth.key_kind")
	}
	return Key{fingerprint(spki), until}, nil
}

func fingerprint(spki []byte) string {
	sum := sha256.Sum256(spki)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// ForPerson reports whether somebody signs in to the account; a service asks with
// a key of its own.
func (u User) ForPerson() bool { return access.Default().ForPerson(string(u.Role)) }

// AddKey lets a service ask with a key, of which only holds as for a token. Several
// keys may be good at once, so that one takes the place of another without a gap. A
// zero expires is the end of the certificate, or as late as the installation
// allows. It is errs.Conflict for an account that is no service's, and for a key
// that is, or was, of any account.
func (s *Service) AddKey(ctx context.Context, userID, label string, key Key, only access.Only, expires time.Time) (id string, err error) {
	u, err := s.userByID(ctx, userID)
	if err != nil {
		return "", err
	}
	if u.ForPerson() {
		return "", errs.New(errs.Conflict, "err.auth.key_person")
	}
	if !key.Until.IsZero() && !key.Until.After(s.now()) {
		return "", errs.InvalidField("key", "err.auth.key_over", "day", key.Until.UTC().Format(time.DateOnly))
	}
	if expires.IsZero() {
		expires = s.now().Add(s.most)
		if !key.Until.IsZero() && key.Until.Before(expires) {
			expires = key.Until
		}
	}
	id, err = s.addToken(ctx, u.ID, label, keyPrefix+key.Fingerprint, only, expires)
	if errs.Is(err, errs.Conflict) {
		return "", errs.Wrap(err, errs.Conflict, "err.auth.key_taken")
	}
	return id, err
}

// Certified returns which service asks with a certificate; the connection has
// shown that it holds the key. Nothing else in a certificate counts: who issued it,
// and what it says. errs.Unauthenticated names the fingerprint of a key that is
// unknown, over, revoked, or of a closed account.
func (s *Service) Certified(ctx context.Context, cert *x509.Certificate) (Principal, error) {
	f := fingerprint(cert.RawSubjectPublicKeyInfo)
	p, err := s.holder(ctx, keyPrefix+f)
	if errs.Is(err, errs.Unauthenticated) {
		return Principal{}, errs.New(errs.Unauthenticated, "err.auth.key", "fingerprint", f)
	}
	return p, err
}
