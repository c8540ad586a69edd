package sensorthingsweb

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/read"
	"plateau/internal/sensorthings/sensorthingstest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// noon is the time of all tests.
func noon() time.Time { return time.Date(2016, 1, 1, 12, 0, 0, 0, time.UTC) }

func handlerOver(r sensorthings.Reader, l read.Limits) *Handler {
	return New(Deps{Open: true, Reader: func(*http.Request) sensorthings.Reader { return r }, ExternalURL: "http://host", Limits: l, Now: noon})
}

// ask sends a request to what is behind the service root; target is a raw path
// and query, blanks allowed.
func ask(tb testing.TB, h http.Handler, method, target string) *httptest.ResponseRecorder {
	tb.Helper()
	r := request(method, target)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// request is one as net/http would hand it over.
func request(method, target string) *http.Request {
	r := httptest.NewRequest(method, "/", nil)
	path, query, _ := strings.Cut(strings.ReplaceAll(target, " ", "%20"), "?")
	u, err := r.URL.Parse(Root + path)
	if err != nil || u.EscapedPath() != Root+path {
		u = r.URL
		u.Path, u.RawPath = Root+path, ""
	}
	u.RawQuery = query
	r.URL = u
	return r
}

// TestRead replays testdata/read: one file per requirement, requests and the
// answers to them. What stands there was compared with the standard by hand.
func TestRead(t *testing.T) {
	t.Parallel()
	const root = "testdata/read"
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name := strings.TrimSuffix(filepath.ToSlash(strings.TrimPrefix(path, root+"/")), ".txt")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			replay(t, path)
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func replay(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	h := handlerOver(sensorthingstest.World(), read.Limits{})
	var out bytes.Buffer
	requests := 0
	for line := range strings.Lines(string(text)) {
		method, target, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch method {
		case "#":
			out.WriteString(line)
		case http.MethodGet, http.MethodHead, http.MethodOptions:
			requests++
			out.WriteString(line)
			out.WriteString(shown(ask(t, h, method, target)))
		}
	}
	if requests == 0 {
		t.Fatal("no requests")
	}
	if *update {
		if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(text), out.String()); diff != "" {
		t.Errorf("answers differ (-want +got):\n%s", diff)
	}
}

// shown writes an answer for a golden file, JSON with line breaks.
func shown(w *httptest.ResponseRecorder) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d %s\n", w.Code, w.Header().Get("Content-Type"))
	if link := w.Header().Get("Link"); link != "" {
		fmt.Fprintf(&b, "Link: %s\n", link)
	}
	body := w.Body.Bytes()
	if strings.Contains(w.Header().Get("Content-Type"), "json") && json.Valid(body) {
		_ = json.Indent(&b, body, "", " ") // valid as seen above
	} else {
		b.WriteString(strings.ReplaceAll(string(body), "\r\n", "\\r\\n\n"))
	}
	return strings.TrimRight(b.String(), "\n") + "\n\n"
}
