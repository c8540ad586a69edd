package web

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"
)

func TestAssetsNotBuilt(t *testing.T) {
	t.Parallel()
	_, err := loadAssets(fstest.MapFS{".gitkeep": &fstest.MapFile{}})
	if !errors.Is(err, ErrNotBuilt) {
		t.Fatalf("error %v, want ErrNotBuilt", err)
	}
}

func TestAssetsServe(t *testing.T) {
	t.Parallel()
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, _ = w.Write([]byte("body{}"))
	_ = w.Close()
	a, err := loadAssets(fstest.MapFS{
		"manifest.json":        &fstest.MapFile{Data: []byte(`{"app.css":"app-ABCDEFGH.css"}`)},
		"app-ABCDEFGH.css":     &fstest.MapFile{Data: []byte("body{}")},
		"app-ABCDEFGH.css.gz":  &fstest.MapFile{Data: zipped.Bytes()},
		"secret-not-listed.js": &fstest.MapFile{Data: []byte("x")},
	})
	if err != nil {
		t.Fatal(err)
	}
	get := func(path, accept string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Accept-Encoding", accept)
		rec := httptest.NewRecorder()
		a.ServeHTTP(rec, r)
		return rec
	}
	plain := get(a.Path("app.css"), "")
	if plain.Code != http.StatusOK || plain.Body.String() != "body{}" || plain.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" {
		t.Errorf("plain: %d %q %v", plain.Code, plain.Body, plain.Header())
	}
	z := get(a.Path("app.css"), "gzip")
	r, err := gzip.NewReader(z.Body)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(r); err != nil || string(body) != "body{}" || z.Header().Get("Content-Encoding") != "gzip" {
		t.Errorf("compressed: %q %v %v", body, err, z.Header())
	}
	if q0 := get(a.Path("app.css"), "gzip;q=0"); q0.Header().Get("Content-Encoding") != "" {
		t.Error("a reader who refuses gzip got it")
	}
	for _, path := range []string{"/assets/app.css", "/assets/secret-not-listed.js", "/assets/../go.mod", "/assets/"} {
		if got := get(path, ""); got.Code != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", path, got.Code)
		}
	}
}

// TestBudgets holds the built files to their sizes (bytes as sent).
func TestBudgets(t *testing.T) {
	t.Parallel()
	a, err := LoadAssets()
	if errors.Is(err, ErrNotBuilt) {
		t.Skip("the browser files are not built: make assets")
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, most := range map[string]int{"app.css": 12 << 10, "app.js": 4 << 10, "chart.js": 26 << 10, "passkey.js": 1 << 10, "chart.css": 2 << 10, "basemap.svg": 17 << 10, "mark.svg": 1 << 10} {
		if !a.Has(name) {
			t.Errorf("%s was not built", name)
		}
		if got := a.Size(name); got > most {
			t.Errorf("%s is %d bytes, at most %d are allowed", name, got, most)
		}
	}
}
