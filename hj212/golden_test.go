package hj212_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plateau/hj212"
)

var update = flag.Bool("update", false, "write the golden files anew")

// read returns a file of testdata.
func read(tb testing.TB, name string) string {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// TestGoldenLines decodes the lines of testdata/lines.txt: frames that the
// encoder made, the published examples of 2025, and frames damaged by hand.
func TestGoldenLines(t *testing.T) {
	t.Parallel()
	var got bytes.Buffer
	for line := range strings.Lines(read(t, "lines.txt")) {
		if strings.HasPrefix(line, "# ") {
			continue
		}
		var out bytes.Buffer
		e := json.NewEncoder(&out)
		e.SetEscapeHTML(false)
		e.SetIndent("", " ")
		if err := e.Encode(hj212.DecodeLine([]byte(line), hj212.DecodeOptions{})); err != nil {
			t.Fatal(err)
		}
		got.WriteString(line)
		got.Write(compactLists(out.Bytes()))
		got.WriteByte('\n')
	}
	if *update {
		if err := os.WriteFile(filepath.Join("testdata", "lines.golden"), got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(read(t, "lines.golden"), got.String()); diff != "" {
		t.Errorf("-update writes it anew (-golden +got):\n%s", diff)
	}
}

// compactLists puts [name, value] pairs on one line.
func compactLists(b []byte) []byte {
	deep := regexp.MustCompile(`\n {2,}`)
	closing := regexp.MustCompile(`\n ([\]}])`)
	return closing.ReplaceAll(deep.ReplaceAll(b, []byte(" ")), []byte(" $1"))
}

// TestErrorSaysWhatToDo wants place, finding and remedy in one line.
func TestErrorSaysWhatToDo(t *testing.T) {
	t.Parallel()
	err := (&hj212.Packet{}).Parse([]byte("ST=32;CP=&&a=1"))
	if err == nil {
		t.Fatal("an open CP was accepted")
	}
	if got, want := err.Error(), "cp_not_closed at byte 14: no closing && (open CP with CP=&& and close it with &&)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
