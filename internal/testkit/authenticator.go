package testkit

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"testing"

	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
)

// Authenticator is a device with one passkey, that answers questions of
// navigator.credentials as a browser sends them on.
type Authenticator struct {
	Origin   string // of the page in the browser
	Count    uint32 // of signatures; 0 = it does not count
	Careless bool   // it does not make sure who holds it

	id, user []byte
	host     string
	key      *ecdsa.PrivateKey
}

// Flags of authenticator data, WebAuthn section 6.1.
const (
	userPresent  = 1
	userVerified = 4
	attested     = 64
)

type deviceQuestion struct {
	Challenge string
	RP        struct{ ID string }
	User      struct{ ID string }
}

func (a *Authenticator) client(t *testing.T, kind, options string) (q deviceQuestion, clientData []byte) {
	t.Helper()
	if err := json.Unmarshal([]byte(options), &q); err != nil {
		t.Fatalf("%s: %v", options, err)
	}
	clientData, err := json.Marshal(map[string]any{"type": kind, "challenge": q.Challenge, "origin": a.Origin, "crossOrigin": false})
	if err != nil {
		t.Fatal(err)
	}
	return q, clientData
}

func (a *Authenticator) data(flags byte) []byte {
	hash := sha256.Sum256([]byte(a.host))
	if !a.Careless {
		flags |= userVerified
	}
	return binary.BigEndian.AppendUint32(append(hash[:], flags|userPresent), a.Count)
}

// Create makes a new passkey in the device and returns the answer.
func (a *Authenticator) Create(t *testing.T, options string) string {
	t.Helper()
	q, clientData := a.client(t, "webauthn.create", options)
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	a.id = make([]byte, 32)
	_, _ = rand.Read(a.id)
	a.host = q.RP.ID
	if a.user, err = base64.RawURLEncoding.DecodeString(q.User.ID); err != nil {
		t.Fatal(err)
	}
	point, err := a.key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		t.Fatal(err)
	}
	public := webauthncose.EC2PublicKeyData{Curve: int64(webauthncose.P256), XCoord: point[1:33], YCoord: point[33:]}
	public.KeyType, public.Algorithm = int64(webauthncose.EllipticKey), int64(webauthncose.AlgES256)
	cose, err := webauthncbor.Marshal(public)
	if err != nil {
		t.Fatal(err)
	}
	data := append(a.data(attested), make([]byte, 16)...) // of no model
	data = binary.BigEndian.AppendUint16(data, uint16(len(a.id)))
	data = append(append(data, a.id...), cose...)
	object, err := webauthncbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": data})
	if err != nil {
		t.Fatal(err)
	}
	return a.answer(t, map[string]any{"clientDataJSON": text64(clientData), "attestationObject": text64(object), "transports": []string{"internal"}})
}

// Get signs with the passkey and returns the answer.
func (a *Authenticator) Get(t *testing.T, options string) string {
	t.Helper()
	_, clientData := a.client(t, "webauthn.get", options)
	data := a.data(0)
	hash := sha256.Sum256(clientData)
	digest := sha256.Sum256(append(append([]byte{}, data...), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, a.key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return a.answer(t, map[string]any{"clientDataJSON": text64(clientData), "authenticatorData": text64(data), "signature": text64(signature), "userHandle": text64(a.user)})
}

func (a *Authenticator) answer(t *testing.T, response map[string]any) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"id": text64(a.id), "rawId": text64(a.id), "type": "public-key", "response": response, "clientExtensionResults": map[string]any{}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func text64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
