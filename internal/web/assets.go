package web

import (
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed all:dist
var dist embed.FS

// ErrNotBuilt says that the program was compiled without its assets.
var ErrNotBuilt = errors.New("the browser files are not built in: run `make build`")

// AssetPath is where the built files are served.
const AssetPath = "/assets/"

// Assets are the built browser files with hashed names. A nil *Assets stands
// for tests without a build: names are left as they are.
type Assets struct {
	names map[string]string // app.css -> app-AB12CD34.css
	files map[string]asset  // by hashed name
}

type asset struct {
	kind       string
	plain, zip []byte
}

// LoadAssets reads the embedded files; ErrNotBuilt when there are none.
func LoadAssets() (*Assets, error) {
	return loadAssets(Sub(dist, "dist"))
}

func loadAssets(fsys fs.FS) (*Assets, error) {
	raw, err := fs.ReadFile(fsys, "manifest.json")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotBuilt
	}
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	a := &Assets{files: map[string]asset{}}
	if err := json.Unmarshal(raw, &a.names); err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	for _, hashed := range a.names {
		f := asset{kind: contentType(hashed)}
		if f.plain, err = fs.ReadFile(fsys, hashed); err != nil {
			return nil, fmt.Errorf("read asset: %w", err)
		}
		// Fonts are compressed in themselves and have no second file.
		if zip, err := fs.ReadFile(fsys, hashed+".gz"); err == nil {
			f.zip = zip
		}
		a.files[hashed] = f
	}
	return a, nil
}

func contentType(name string) string {
	switch path.Ext(name) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".woff2":
		return "font/woff2"
	case ".json":
		return "application/json"
	}
	return "application/octet-stream"
}

// Path returns the address of a built file by its plain name.
func (a *Assets) Path(name string) string {
	if a == nil {
		return AssetPath + name
	}
	if hashed, ok := a.names[name]; ok {
		return AssetPath + hashed
	}
	return AssetPath + name
}

// Inline returns a small built file as an address that holds it, for pages that
// must not ask for much; where nothing was built it is the plain address.
func (a *Assets) Inline(name string) template.URL {
	if !a.Has(name) {
		return template.URL(a.Path(name)) //nolint:gosec // our own file
	}
	f := a.files[a.names[name]]
	return template.URL("data:" + f.kind + ";base64," + base64.StdEncoding.EncodeToString(f.plain)) //nolint:gosec // our own file
}

// Has reports whether a file of that plain name was built.
func (a *Assets) Has(name string) bool {
	if a == nil {
		return false
	}
	_, ok := a.names[name]
	return ok
}

// Size returns the bytes of a built file as sent to a browser that takes gzip.
func (a *Assets) Size(name string) int {
	if a == nil {
		return 0
	}
	f := a.files[a.names[name]]
	if f.zip != nil {
		return len(f.zip)
	}
	return len(f.plain)
}

// ServeHTTP answers AssetPath + hashed name. The name changes with the content,
// so a browser may keep the file for ever.
func (a *Assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if a == nil {
		http.NotFound(w, r)
		return
	}
	f, ok := a.files[strings.TrimPrefix(r.URL.Path, AssetPath)]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	body := f.plain
	if f.zip != nil {
		h.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r) {
			h.Set("Content-Encoding", "gzip")
			body = f.zip
		}
	}
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(body)))
}

func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		coding, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if coding == "gzip" || coding == "*" {
			return strings.ReplaceAll(q, " ", "") != "q=0"
		}
	}
	return false
}
