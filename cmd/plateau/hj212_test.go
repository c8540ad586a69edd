package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plateau/hj212"
	"plateau/internal/testkit"
)

const sampleFrame = "##0101QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;CP=&&RtdInterval=30&&1C80"

// decodeWith runs plateau hj212 and returns what it printed.
func decodeWith(tb testing.TB, in string, args ...string) (code int, out, errOut string) {
	tb.Helper()
	var o, e bytes.Buffer
	code = cmdHJ212(args, stdio{In: strings.NewReader(in), Out: &o, Err: &e})
	return code, o.String(), e.String()
}

func TestHJ212Lines(t *testing.T) {
	t.Parallel()
	code, out, errOut := decodeWith(t, sampleFrame+"\r\n\nhello\n"+sampleFrame, "decode")
	if code != 0 || errOut != "" {
		t.Fatalf("exit %d, %s", code, errOut)
	}
	type answer struct {
		Line    int
		Valid   bool
		Reasons []string
		Params  map[string]string
	}
	var got []answer
	for line := range strings.Lines(out) {
		var a answer
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		got = append(got, a)
	}
	want := []answer{
		{Line: 1, Valid: true, Params: map[string]string{"RtdInterval": "30"}},
		{Line: 2, Reasons: []string{"malformed"}}, // every line has its answer, an empty one too
		{Line: 3, Reasons: []string{"malformed"}},
		{Line: 4, Valid: true, Params: map[string]string{"RtdInterval": "30"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHJ212Files(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var files []string
	for _, name := range []string{"a.txt", "b.txt"} { // the first does not end with a line end
		files = append(files, filepath.Join(dir, name))
		if err := os.WriteFile(files[len(files)-1], []byte(sampleFrame), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if code, out, errOut := decodeWith(t, "", append([]string{"decode"}, files...)...); code != 0 || strings.Count(out, `"line":1,"valid":true`) != 2 {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
	if code, out, _ := decodeWith(t, "", append([]string{"decode", "--stream"}, files...)...); code != 0 || strings.Count(out, "\n") != 2 {
		t.Errorf("exit %d, each file is a stream of its own: %s", code, out)
	}
}

func TestHJ212Stream(t *testing.T) {
	t.Parallel()
	const want = `{"frames":["` + sampleFrame + `"],"errors":["noise"],"pending_at_end":true}` + "\n"
	stream := "AT\r\n" + sampleFrame + "##01"
	if code, out, _ := decodeWith(t, stream, "decode", "--stream"); code != 0 || out != want {
		t.Errorf("exit %d: %s", code, out)
	}
	if code, out, _ := decodeWith(t, hex.EncodeToString([]byte(stream))+"\n", "decode", "--stream", "--hex"); code != 0 || out != want {
		t.Errorf("--hex, exit %d: %s", code, out)
	}
	odd := hj212.AppendFrame(nil, []byte("CP=&&\xFF\xFF\x01&&"))
	if code, out, _ := decodeWith(t, string(odd), "decode", "--stream"); code != 0 || !strings.Contains(out, `{"hex":"`) {
		t.Errorf("bytes that are no text, exit %d: %s", code, out)
	}
	key := []byte("0123456789abcdef")
	seg := "QN=20240520210700000;ST=31;CN=2011;PW=1;MN=M;Flag=9;CP=&&DataTime=20240520210600;a01011-Rtd=1.35&&"
	enc, err := hj212.AppendEncrypted(nil, []byte(seg), key)
	if err != nil {
		t.Fatal(err)
	}
	if code, out, _ := decodeWith(t, string(enc), "decode", "--stream", "--key-hex", hex.EncodeToString(key)); code != 0 || !strings.Contains(out, seg) {
		t.Errorf("encrypted, exit %d: %s", code, out)
	}
	if code, out, _ := decodeWith(t, string(enc), "decode", "--stream"); code != 0 || !strings.Contains(out, `"errors":["crc_mismatch"]`) {
		t.Errorf("encrypted, without the key, exit %d: %s", code, out)
	}
}

// TestHJ212Progress: an answer comes when its line has come, not at the end of the input.
func TestHJ212Progress(t *testing.T) {
	t.Parallel()
	in, feed := io.Pipe()
	answers, out := io.Pipe()
	done := make(chan int, 1)
	go func() {
		done <- cmdHJ212([]string{"decode"}, stdio{In: in, Out: out, Err: io.Discard})
		_ = out.Close() // of a pipe: never fails
	}()
	sc := bufio.NewScanner(answers)
	for range 2 {
		if _, err := io.WriteString(feed, sampleFrame+"\r\n"); err != nil {
			t.Fatal(err)
		}
		if !sc.Scan() || !strings.Contains(sc.Text(), `"valid":true`) {
			t.Fatalf("no answer to a line: %q %v", sc.Text(), sc.Err())
		}
	}
	_ = feed.Close()
	if sc.Scan() {
		t.Errorf("more than was asked: %s", sc.Text())
	}
	if code := <-done; code != 0 {
		t.Errorf("exit %d", code)
	}
}

// TestHJ212BadHex names file, line and remedy, and gives what came before.
func TestHJ212BadHex(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"2323\n232": "standard input, line 2 is not hexadecimal: 3 digits, and every byte takes two; see whether the line was cut off",
		"23\n2g\n":  "standard input, line 2 is not hexadecimal",
	} {
		code, out, errOut := decodeWith(t, in, "decode", "--stream", "--hex")
		if code != 1 || strings.Count(out, "\n") != 1 || !strings.Contains(errOut, want) {
			t.Errorf("%q: exit %d, %q, %q", in, code, out, errOut)
		}
	}
	if code, out, _ := decodeWith(t, "\n23 23\r\n", "decode", "--stream", "--hex"); code != 0 || strings.Count(out, "\n") != 2 {
		t.Errorf("an empty stream and one with blanks: exit %d, %q", code, out)
	}
}

func TestHJ212Usage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"encode"}, {"decode", "--hex"}, {"decode", "--key-hex", "12"}, {"decode", "--what"}} {
		if code, out, errOut := decodeWith(t, "", args...); code != 2 || out != "" || errOut == "" {
			t.Errorf("%v: exit %d, %q, %q", args, code, out, errOut)
		}
	}
	for _, args := range [][]string{{"--help"}, {"decode", "--help"}} {
		if code, out, _ := decodeWith(t, "", args...); code != 0 || !strings.Contains(out, "Example:") {
			t.Errorf("%v: exit %d, %q", args, code, out)
		}
	}
	if code, _, errOut := decodeWith(t, "", "decode", "/nonexistent"); code != 1 || errOut == "" {
		t.Errorf("a missing file: exit %d, %q", code, errOut)
	}
}

// TestSharedHJ212 runs the captured lines and streams through the command.
func TestSharedHJ212(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(testkit.Shared(t), "testdata", "hj212")
	files := map[string][]map[string]any{}
	for _, want := range objects(t, filepath.Join(dir, "decoded.jsonl")) {
		name := want["file"].(string)
		if files[name] == nil {
			code, out, errOut := decodeWith(t, "", "decode", filepath.Join(dir, name))
			if code != 0 {
				t.Fatalf("%s: exit %d, %s", name, code, errOut)
			}
			files[name] = parseObjects(t, out)
		}
		got := files[name][int(want["line"].(float64))-1]
		check := map[string]any{"line": want["line"], "valid": want["valid"]}
		if expect, ok := want["expect"].(map[string]any); ok {
			maps.Copy(check, expect)
		} else {
			check["reasons"] = want["reasons"]
		}
		for k, v := range check {
			g := got[k]
			if k == "notes" {
				v, g = ordered(v), ordered(g)
			}
			if diff := cmp.Diff(v, g); diff != "" {
				t.Errorf("%s:%v %s (-want +got):\n%s", name, want["line"], k, diff)
			}
		}
	}
	for _, want := range objects(t, filepath.Join(dir, "streams.jsonl")) {
		_, out, _ := decodeWith(t, want["bytes_hex"].(string), "decode", "--stream", "--hex")
		got := parseObjects(t, out)[0]
		for k, w := range map[string]string{"frames": "frames_out", "errors": "errors", "pending_at_end": "pending_at_end"} {
			if diff := cmp.Diff(want[w], got[k]); diff != "" {
				t.Errorf("%v %s (-want +got):\n%s", want["id"], k, diff)
			}
		}
	}
	for _, want := range objects(t, filepath.Join(dir, "sm4.jsonl")) {
		if frame, ok := want["encrypted_frame_hex"].(string); ok {
			_, out, _ := decodeWith(t, frame, "decode", "--stream", "--hex", "--key-hex", want["key_hex"].(string))
			if diff := cmp.Diff([]any{want["plain_frame"]}, parseObjects(t, out)[0]["frames"]); diff != "" {
				t.Errorf("%v (-want +got):\n%s", want["id"], diff)
			}
		}
	}
}

func ordered(v any) []string {
	out := []string{}
	for _, s := range v.([]any) {
		out = append(out, s.(string))
	}
	slices.Sort(out)
	return out
}

func objects(tb testing.TB, name string) []map[string]any {
	tb.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	return parseObjects(tb, string(b))
}

func parseObjects(tb testing.TB, text string) (list []map[string]any) {
	tb.Helper()
	sc := bufio.NewScanner(strings.NewReader(text))
	sc.Buffer(nil, 1<<22)
	for sc.Scan() {
		var m map[string]any
		if err := json.Unmarshal(sc.Bytes(), &m); err != nil {
			tb.Fatalf("%v in %.80s", err, sc.Text())
		}
		list = append(list, m)
	}
	return list
}
