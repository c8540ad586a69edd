package hj212_test

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plateau/hj212"
	"plateau/internal/testkit"
)

// readLines returns the lines of a file of captured frames.
func readLines(tb testing.TB, name string) []string {
	tb.Helper()
	f, err := os.Open(filepath.Join(testkit.Shared(tb), "testdata", "hj212", name))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	var lines []string
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		lines = append(lines, sc.Text())
	}
	if err := sc.Err(); err != nil || len(lines) == 0 {
		tb.Fatalf("%s: %d lines, %v", name, len(lines), err)
	}
	return lines
}

func decodeInto[T any](tb testing.TB, line string) T {
	tb.Helper()
	var v T
	if err := json.Unmarshal([]byte(line), &v); err != nil {
		tb.Fatalf("%v in %.80s", err, line)
	}
	return v
}

// TestSharedDecoded compares every given field of every captured frame.
func TestSharedDecoded(t *testing.T) {
	t.Parallel()
	type want struct {
		File    string
		Line    int
		Valid   bool
		Expect  map[string]any
		Reasons []string
	}
	files := map[string][]string{}
	n := 0
	for _, line := range readLines(t, "decoded.jsonl") {
		w := decodeInto[want](t, line)
		if files[w.File] == nil {
			files[w.File] = readLines(t, w.File)
		}
		frame := files[w.File][w.Line-1]
		out, err := json.Marshal(hj212.DecodeLine([]byte(frame), hj212.DecodeOptions{}))
		if err != nil {
			t.Fatal(err)
		}
		got := decodeInto[map[string]any](t, string(out))
		if got["valid"] != w.Valid {
			t.Errorf("%s:%d valid %v, want %v: %s", w.File, w.Line, got["valid"], w.Valid, out)
			continue
		}
		if !w.Valid {
			reasons := []string{}
			for _, r := range got["reasons"].([]any) {
				reasons = append(reasons, r.(string))
			}
			if diff := cmp.Diff(w.Reasons, reasons); diff != "" {
				t.Errorf("%s:%d reasons (-want +got):\n%s", w.File, w.Line, diff)
			}
		}
		for k, v := range w.Expect {
			g := got[k]
			if k == "notes" {
				v, g = sorted(v), sorted(g)
			}
			if diff := cmp.Diff(v, g); diff != "" {
				t.Errorf("%s:%d %s (-want +got):\n%s", w.File, w.Line, k, diff)
			}
		}
		n++
	}
	t.Logf("%d frames compared", n)
}

func sorted(v any) []string {
	out := []string{}
	for _, s := range v.([]any) {
		out = append(out, s.(string))
	}
	slices.Sort(out)
	return out
}

// TestSharedStreams feeds every stream whole and cut at every place.
func TestSharedStreams(t *testing.T) {
	t.Parallel()
	type stream struct {
		ID        string
		BytesHex  string   `json:"bytes_hex"`
		FramesOut []string `json:"frames_out"`
		Errors    []string
		Pending   bool `json:"pending_at_end"`
	}
	for _, line := range readLines(t, "streams.jsonl") {
		w := decodeInto[stream](t, line)
		raw, err := hex.DecodeString(w.BytesHex)
		if err != nil {
			t.Fatal(err)
		}
		r := hj212.ScanAll(raw, hj212.ScanOptions{})
		var frames []string
		for _, f := range r.Frames {
			frames = append(frames, string(f))
		}
		if diff := cmp.Diff(w.FramesOut, frames); diff != "" {
			t.Errorf("%s frames (-want +got):\n%s", w.ID, diff)
		}
		if diff := cmp.Diff(w.Errors, r.Errors); diff != "" {
			t.Errorf("%s errors (-want +got):\n%s", w.ID, diff)
		}
		if r.Pending != w.Pending {
			t.Errorf("%s pending %v, want %v", w.ID, r.Pending, w.Pending)
		}
		for cut := range raw {
			checkCut(t, raw, cut, r)
		}
	}
}

// checkCut scans raw in two reads and wants what one read gave.
func checkCut(tb testing.TB, raw []byte, cut int, want hj212.StreamResult) {
	tb.Helper()
	s := hj212.NewScanner(hj212.ScanOptions{})
	got := hj212.StreamResult{Frames: []hj212.FrameText{}, Errors: []string{}}
	take := func(ev hj212.Event) {
		if ev.Err != nil {
			got.Errors = append(got.Errors, ev.Err.Name)
		} else {
			got.Frames = append(got.Frames, slices.Clone(ev.Raw))
		}
	}
	for _, part := range [][]byte{raw[:cut], raw[cut:]} {
		s.Feed(part)
		for ev, ok := s.Next(); ok; ev, ok = s.Next() {
			take(ev)
		}
	}
	for ev, ok := s.Finish(); ok; ev, ok = s.Finish() {
		take(ev)
	}
	got.Pending = s.Pending()
	if diff := differences(want, got); diff != "" {
		tb.Fatalf("cut at %d of %q (-whole +cut):\n%s", cut, raw, diff)
	}
}

// TestSharedSM4 checks the published ciphertext, both ways.
func TestSharedSM4(t *testing.T) {
	t.Parallel()
	type vector struct {
		ID, KeyHex, PlainCP, CipherCPHex, PlainFrame, EncryptedFrameHex string
	}
	for _, line := range readLines(t, "sm4.jsonl") {
		raw := decodeInto[map[string]any](t, line)
		str := func(k string) string { s, _ := raw[k].(string); return s }
		w := vector{str("id"), str("key_hex"), str("plain_cp"), str("cipher_cp_hex"), str("plain_frame"), str("encrypted_frame_hex")}
		key, err := hex.DecodeString(w.KeyHex)
		if err != nil {
			t.Fatal(err)
		}
		if w.PlainCP == "" { // the cipher's own vector is one block of any bytes
			block, err := hex.DecodeString(str("plain_hex"))
			if err != nil || len(block) == 0 {
				t.Fatalf("%s has neither CP nor block: %v", w.ID, err)
			}
			w.PlainCP, w.CipherCPHex = string(block), str("cipher_hex")
		}
		seg := []byte("CP=&&" + w.PlainCP + "&&")
		enc, err := hj212.EncryptCP(seg, key)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.ToUpper(hex.EncodeToString(enc[5 : len(enc)-2])); got != strings.ToUpper(w.CipherCPHex) {
			t.Errorf("%s encrypts to %s, want %s", w.ID, got, w.CipherCPHex)
		}
		dec, err := hj212.DecryptCP(enc, key)
		if err != nil || string(dec) != string(seg) {
			t.Errorf("%s decrypts to %q, %v", w.ID, dec, err)
		}
		if w.EncryptedFrameHex == "" {
			continue
		}
		frame, err := hex.DecodeString(w.EncryptedFrameHex)
		if err != nil {
			t.Fatal(err)
		}
		keys := func([]byte) [][]byte { return [][]byte{make([]byte, 16), key} }
		r := hj212.ScanAll(frame, hj212.ScanOptions{Keys: keys})
		if len(r.Frames) != 1 || string(r.Frames[0]) != w.PlainFrame {
			t.Errorf("%s scanned to %q, errors %v", w.ID, r.Frames, r.Errors)
		}
	}
}
