package store

import (
	"bytes"
	"testing"
)

// FuzzGroup opens any bytes as a journal group, and what was sealed as what it was.
func FuzzGroup(f *testing.F) {
	sealed, _ := appendGroup(nil, bytes.Repeat([]byte("##0012"), 100), [hashLen]byte{})
	f.Add(sealed)
	f.Add(sealed[:len(sealed)-3])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, _, _ = openGroup(raw)
		value, want := appendGroup(nil, raw, [hashLen]byte{1})
		content, hash, err := openGroup(value)
		if err != nil || hash != want || !bytes.Equal(content, raw) {
			t.Errorf("%v: %x became %x", err, raw, content)
		}
	})
}
