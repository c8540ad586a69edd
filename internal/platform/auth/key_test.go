package auth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"testing"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/errs"
	"plateau/internal/testkit"
)

// certified is a certificate that nobody issued, and its PEM.
func certified(t *testing.T, key crypto.Signer, until time.Time) (*x509.Certificate, []byte) {
	t.Helper()
	like := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: until.AddDate(-1, 0, 0), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, like, like, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestServiceKeys: a service is known by its keys, two at a time while one takes
// over from the other, until their time is over, they are revoked or the account is
// closed; no other way leads into its account, and no key into a person's.
func TestServiceKeys(t *testing.T) {
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			f, ctx := newFixture(t, database.URL(t)), t.Context()
			u, err := f.AddUser(ctx, auth.User{Login: "province", Post: auth.Post{Zh: "省平台"}, Role: "platform", Area: "540100"})
			if err != nil {
				t.Fatal(err)
			}
			old, oldPEM := certified(t, newKey(t), f.now().AddDate(0, 1, 0))
			renewed, renewedPEM := certified(t, newKey(t), f.now().AddDate(9, 0, 0))
			add := func(text []byte, until time.Time) (string, error) {
				key, err := auth.ParseKey(text)
				if err != nil {
					t.Fatal(err)
				}
				return f.AddKey(ctx, u.ID, "x", key, "read", until)
			}
			if _, err := f.Certified(ctx, old); !errs.Is(err, errs.Unauthenticated) {
				t.Errorf("a key that nobody added: %v", err)
			}
			oldID, err := add(oldPEM, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := add(oldPEM, time.Time{}); !errs.Is(err, errs.Conflict) {
				t.Errorf("the same key again: %v", err)
			}
			if _, err := add(renewedPEM, time.Time{}); err != nil {
				t.Fatal(err)
			}
			for _, cert := range []*x509.Certificate{old, renewed} {
				if p, err := f.Certified(ctx, cert); err != nil || p.ID != u.ID || p.Area != "540100" || !p.Token || p.Only != "read" {
					t.Errorf("%+v, %v", p, err)
				}
			}
			list, err := f.Tokens(ctx, u.ID)
			if err != nil || len(list) != 2 || list[0].Key == "" || list[0].Key == list[1].Key {
				t.Fatalf("%+v, %v", list, err)
			}
			for _, k := range list {
				if want := f.now().AddDate(0, 0, 365); k.ID != oldID && !k.Expires.Equal(want) {
					t.Errorf("ends %s, not with the longest life %s", k.Expires, want)
				} else if k.ID == oldID && !k.Expires.Equal(old.NotAfter) {
					t.Errorf("ends %s, not with the certificate %s", k.Expires, old.NotAfter)
				}
				if _, err := f.Bearer(ctx, k.Key); !errs.Is(err, errs.Unauthenticated) {
					t.Errorf("the fingerprint opens as a token: %v", err)
				}
				if _, err := f.Bearer(ctx, "spki-sha256:"+k.Key); !errs.Is(err, errs.Unauthenticated) {
					t.Errorf("the stored form opens as a token: %v", err)
				}
			}

			if err := f.RevokeToken(ctx, oldID); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Certified(ctx, old); !errs.Is(err, errs.Unauthenticated) {
				t.Errorf("a revoked key: %v", err)
			}
			if err := f.SetDisabled(ctx, u.ID, true); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Certified(ctx, renewed); !errs.Is(err, errs.Unauthenticated) {
				t.Errorf("of a closed account: %v", err)
			}
			if err := f.SetDisabled(ctx, u.ID, false); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Certified(ctx, renewed); err != nil {
				t.Errorf("of an account that was opened again: %v", err)
			}
			f.pass(365*24*time.Hour + time.Minute)
			if _, err := f.Certified(ctx, renewed); !errs.Is(err, errs.Unauthenticated) {
				t.Errorf("a key whose time is over: %v", err)
			}
			if _, err := add(oldPEM, time.Time{}); !errs.Is(err, errs.Invalid) {
				t.Errorf("a certificate that ran out: %v", err)
			}

			// No other way in, and no key for a person.
			if _, err := f.MakeLink(ctx, u.ID); !errs.Is(err, errs.Conflict) {
				t.Errorf("a link: %v", err)
			}
			if _, _, err := f.CreateToken(ctx, u.ID, "x", "", time.Time{}); !errs.Is(err, errs.Conflict) {
				t.Errorf("a token: %v", err)
			}
			if err := f.SetPassword(ctx, u.ID, "river stone under ice"); err != nil {
				t.Fatal(err)
			}
			if _, _, err := f.SignIn(ctx, "province", "river stone under ice", here); !errs.Is(err, errs.Unauthenticated) {
				t.Errorf("signed in: %v", err)
			}
			person, err := f.UserByLogin(ctx, "officer")
			if err != nil {
				t.Fatal(err)
			}
			_, text := certified(t, newKey(t), f.now().AddDate(0, 1, 0))
			key, err := auth.ParseKey(text)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.AddKey(ctx, person.ID, "x", key, "", time.Time{}); !errs.Is(err, errs.Conflict) {
				t.Errorf("a person's key: %v", err)
			}
		})
	}
}

// TestParseKey: a certificate and the public key in it are the same key; what is
// weak, private or no key is refused, and says why.
func TestParseKey(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	_, cert := certified(t, key, time.Date(2027, 11, 28, 0, 0, 0, 0, time.UTC))
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})
	a, err := auth.ParseKey(cert)
	if err != nil {
		t.Fatal(err)
	}
	b, err := auth.ParseKey(public)
	if err != nil || a.Fingerprint != b.Fingerprint || a.Until.IsZero() || !b.Until.IsZero() {
		t.Errorf("%+v and %+v, %v", a, b, err)
	}
	_, edPrivate, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed := certified(t, edPrivate, time.Now().AddDate(1, 0, 0))
	if _, err := auth.ParseKey(ed); err != nil {
		t.Error(err)
	}
	weak := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537}
	weakDER, err := x509.MarshalPKIXPublicKey(weak)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for want, text := range map[string][]byte{
		"err.auth.key_pem":     []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
		"err.auth.key_short":   pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: weakDER}),
		"err.auth.key_private": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	} {
		_, err := auth.ParseKey(text)
		if e, ok := errors.AsType[*errs.Error](err); !ok || len(e.Fields) != 1 || e.Fields[0].Key != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n"))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		key, err := auth.ParseKey(text)
		if (err == nil) != (len(key.Fingerprint) == 44) {
			t.Errorf("%+v, %v", key, err)
		}
	})
}
