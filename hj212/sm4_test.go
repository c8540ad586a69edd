package hj212_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"plateau/hj212"
)

var (
	sm4Key = []byte("0123456789abcdef")
	sm4Seg = []byte("QN=20240520210700000;ST=31;CN=2011;PW=123456;MN=M1;Flag=9;CP=&&DataTime=20240520210600;a01011-Rtd=1.35,a01011-Flag=N&&")
)

// textForm writes a ciphertext as the printed example does. With split, the
// tail that is not encrypted stands behind the braces as it is.
func textForm(cp []byte, split bool) string {
	tail := 0
	if split {
		tail = len(cp) % 16
	}
	parts := make([]string, 0, len(cp))
	for _, b := range cp[:len(cp)-tail] {
		parts = append(parts, fmt.Sprintf("0x%02X", b))
	}
	return "{" + strings.Join(parts, ",") + "}" + string(cp[len(cp)-tail:])
}

func TestEncryptedForms(t *testing.T) {
	t.Parallel()
	enc, err := hj212.EncryptCP(sm4Seg, sm4Key)
	if err != nil {
		t.Fatal(err)
	}
	head, cp := string(enc[:bytes.Index(enc, []byte("CP=&&"))+5]), enc[bytes.Index(enc, []byte("CP=&&"))+5:len(enc)-2]
	crc := fmt.Sprintf("%04X", hj212.CRC16(sm4Seg))
	raw := fmt.Sprintf("##%04d%s%s", len(enc), enc, crc)
	text := head + textForm(cp, false) + "&&"
	split := head + textForm(cp, true) + "&&"
	keys := func(mn []byte) [][]byte {
		if string(mn) != "M1" {
			return nil
		}
		return [][]byte{[]byte("another key 16 b"), sm4Key} // the newest first; the frame is older
	}
	for name, frame := range map[string]string{
		"raw":                             raw,
		"text, its length":                fmt.Sprintf("##%04d%s%s", len(text), text, crc),
		"text, the ciphertext's length":   fmt.Sprintf("##%04d%s%s", len(enc), text, crc),
		"text with the tail behind":       fmt.Sprintf("##%04d%s%s", len(split), split, crc),
		"the same, the plain text length": fmt.Sprintf("##%04d%s%s", len(enc), split, crc),
	} {
		stream := frame + "\r\n" + raw
		for cut := range stream {
			s := hj212.NewScanner(hj212.ScanOptions{Keys: keys})
			n := 0
			for _, part := range []string{stream[:cut], stream[cut:]} {
				s.Feed([]byte(part))
				for ev, ok := s.Next(); ok; ev, ok = s.Next() {
					if ev.Err != nil || !ev.Encrypted || !bytes.Equal(ev.Seg, sm4Seg) {
						t.Fatalf("%s, cut at %d: %v, %q", name, cut, ev.Err, ev.Seg)
					}
					n++
				}
			}
			if n != 2 || s.Pending() {
				t.Fatalf("%s, cut at %d: %d frames, pending %v", name, cut, n, s.Pending())
			}
		}
		if d := hj212.DecodeLine([]byte(frame), hj212.DecodeOptions{Key: sm4Key}); !d.Valid || !d.Encrypted || d.Params["DataTime"] != "20240520210600" {
			t.Errorf("%s as a line: %+v", name, d)
		}
		if d := hj212.DecodeLine([]byte(frame), hj212.DecodeOptions{Key: []byte("another key 16 b")}); d.Valid {
			t.Errorf("%s was opened by another key: %+v", name, d)
		}
	}
}

// TestCiphertextThatPassesTheCheck: one ciphertext in 256 has the CRC of its
// plain text; it must be decrypted all the same.
func TestCiphertextThatPassesTheCheck(t *testing.T) {
	t.Parallel()
	for n := range 100_000 {
		seg := fmt.Appendf(nil, "QN=20240520210700000;ST=31;CN=2011;PW=123456;MN=M1;Flag=9;CP=&&DataTime=%014d;a01011-Rtd=1.35&&", n)
		enc, err := hj212.EncryptCP(seg, sm4Key)
		if err != nil {
			t.Fatal(err)
		}
		if hj212.CRC16(enc) != hj212.CRC16(seg) {
			continue
		}
		frame, err := hj212.AppendEncrypted(nil, seg, sm4Key)
		if err != nil {
			t.Fatal(err)
		}
		s := hj212.NewScanner(hj212.ScanOptions{Keys: func([]byte) [][]byte { return [][]byte{sm4Key} }})
		s.Feed(frame)
		if ev, ok := s.Next(); !ok || !ev.Encrypted || !bytes.Equal(ev.Seg, seg) {
			t.Errorf("scanned to %q, %v", ev.Seg, ev.Err)
		}
		if d := hj212.DecodeLine(frame, hj212.DecodeOptions{Key: sm4Key}); !d.Encrypted {
			t.Errorf("as a line: %+v", d)
		}
		return
	}
	t.Fatal("no such ciphertext among 100,000")
}

func TestSM4Errors(t *testing.T) {
	t.Parallel()
	if _, err := hj212.EncryptCP(sm4Seg, []byte("short")); !errors.Is(err, hj212.ErrKey) {
		t.Errorf("a short key: %v", err)
	}
	if _, err := hj212.DecryptCP([]byte("ST=32"), sm4Key); !errors.Is(err, &hj212.Error{Name: hj212.CPNotClosed}) {
		t.Errorf("no CP: %v", err)
	}
	if _, err := hj212.DecryptCP([]byte("CP=&&a"), sm4Key); !errors.Is(err, &hj212.Error{Name: hj212.CPNotClosed}) {
		t.Errorf("open CP: %v", err)
	}
}
