package hj212

import (
	"bytes"
	"crypto/cipher"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"sync"

	"github.com/emmansun/gmsm/sm4"
)

// ErrKey is returned when an SM4 key has not 16 bytes.
var ErrKey = errors.New("hj212: an SM4 key has 16 bytes")

// ciphers keeps the key schedules in use; a host has few keys for each logger.
var ciphers sync.Map // string(key) -> cipher.Block

func block(key []byte) (cipher.Block, error) {
	if len(key) != sm4.BlockSize {
		return nil, ErrKey
	}
	if c, ok := ciphers.Load(string(key)); ok {
		return c.(cipher.Block), nil // only blocks are stored
	}
	c, err := sm4.NewCipher(key)
	if err != nil {
		return nil, err
	}
	ciphers.Store(string(key), c)
	return c, nil
}

// cpBody returns the place of what stands between CP=&& and the final &&.
func cpBody(seg []byte) (from, to int, err error) {
	from = bytes.Index(seg, cpOpen)
	if from < 0 {
		return 0, 0, &Error{Name: CPNotClosed, Off: len(seg), Detail: "no CP=&&"}
	}
	from += len(cpOpen)
	to = len(seg) - len(cpClose)
	if to < from || !bytes.HasSuffix(seg, cpClose) {
		return 0, 0, &Error{Name: CPNotClosed, Off: len(seg)}
	}
	return from, to, nil
}

// EncryptCP encrypts the CP of a segment (HJ 212-2025): SM4, ECB, every full
// block; a tail shorter than 16 bytes stays plain, so the length stays.
func EncryptCP(seg, key []byte) ([]byte, error) {
	c, err := block(key)
	if err != nil {
		return nil, err
	}
	from, to, err := cpBody(seg)
	if err != nil {
		return nil, err
	}
	out := bytes.Clone(seg)
	for ; from+sm4.BlockSize <= to; from += sm4.BlockSize {
		c.Encrypt(out[from:], seg[from:])
	}
	return out, nil
}

// DecryptCP is the reverse of EncryptCP. It also takes the text form
// "{0xE4,0x3E,…}" that one printed example uses.
func DecryptCP(seg, key []byte) ([]byte, error) { return appendDecrypted(nil, seg, key) }

func appendDecrypted(dst, seg, key []byte) ([]byte, error) {
	c, err := block(key)
	if err != nil {
		return nil, err
	}
	from, to, err := cpBody(seg)
	if err != nil {
		return nil, err
	}
	body := seg[from:to]
	if hasBraces(seg) {
		if raw, ok := braced(body); ok {
			body = raw
		}
	}
	dst = append(dst, seg[:from]...)
	for ; len(body) >= sm4.BlockSize; body = body[sm4.BlockSize:] {
		var b [sm4.BlockSize]byte
		c.Decrypt(b[:], body)
		dst = append(dst, b[:]...)
	}
	dst = append(dst, body...)
	return append(dst, seg[to:]...), nil
}

// hasBraces reports whether the CP of seg begins like the text form of a ciphertext.
func hasBraces(seg []byte) bool {
	i := bytes.Index(seg, cpOpen)
	return i >= 0 && bytes.HasPrefix(seg[i+len(cpOpen):], []byte("{0x"))
}

// braced reads the text form of a ciphertext: "{0xE4,0x3E,…}", behind which the
// tail that is not encrypted may stand as it is.
func braced(body []byte) ([]byte, bool) {
	end := bytes.IndexByte(body, '}')
	if end < 0 {
		return nil, false
	}
	var out []byte
	for part := range bytes.SplitSeq(body[1:end], []byte{','}) {
		h, ok := bytes.CutPrefix(bytes.TrimSpace(part), []byte("0x"))
		var b [1]byte
		if !ok || len(h) != 2 {
			return nil, false
		}
		if _, err := hex.Decode(b[:], h); err != nil {
			return nil, false
		}
		out = append(out, b[0])
	}
	return append(out, body[end+1:]...), true
}

// AppendEncrypted appends a frame whose CP is encrypted; the CRC is that of
// the plain segment, as the standard of 2025 asks.
func AppendEncrypted(dst, seg, key []byte) ([]byte, error) {
	enc, err := EncryptCP(seg, key)
	if err != nil {
		return nil, err
	}
	return appendFrame(dst, enc, CRC16(seg)), nil
}

// printable reports that every byte of b is a printable ASCII character.
func printable(b []byte) bool {
	for len(b) >= 8 {
		w := binary.LittleEndian.Uint64(b)
		del := w ^ 0x7F*each01
		if (w|(w-' '*each01)|(del-each01)&^del)&high != 0 {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c < ' ' || c >= 0x7F {
			return false
		}
	}
	return true
}

// looksLikeText reports whether the CP of an accepted segment can be plain.
// Plain ASCII, the usual case, is decided without allocating.
func looksLikeText(seg []byte) bool {
	from, to, err := cpBody(seg)
	if err != nil {
		return true
	}
	if body := seg[from:to]; !printable(body) {
		_, ok := TextOK(body)
		return ok
	}
	return !hasBraces(seg)
}
