package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

func main() {
	if err := build("."); err != nil {
		fmt.Fprintln(os.Stderr, "assets:", err)
		os.Exit(1)
	}
}

// build reads the sources below root and writes internal/web/dist.
func build(root string) error {
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		return errors.New("run this from the root of the repository")
	}
	if _, err := os.Stat(filepath.Join(root, "web", "node_modules", "uplot")); err != nil {
		return errors.New("the browser packages are missing: run `make build`")
	}
	files, err := bundle(root)
	if err != nil {
		return err
	}
	tokens, err := readTokens(filepath.Join(root, "internal", "web", "css", "tokens.css"))
	if err != nil {
		return err
	}
	base, err := baseMap(root, tokens)
	if err != nil {
		return err
	}
	files["basemap.svg"] = hashed("basemap", ".svg", base)
	files["mark.svg"] = hashed("mark", ".svg", mark(tokens))
	return write(filepath.Join(root, "internal", "web", "dist"), files)
}

// file is a finished file under its hashed name.
type file struct {
	name string
	body []byte
}

func hashed(stem, ext string, body []byte) file {
	sum := sha256.Sum256(body)
	return file{stem + "-" + base32.StdEncoding.EncodeToString(sum[:5]) + ext, body}
}

var hashedName = regexp.MustCompile(`^(.+)-[A-Z0-9]{8}(\.[a-z0-9]+)$`)

// bundle runs esbuild over the style sheets and scripts; fonts that the style
// sheet names come along.
func bundle(root string) (map[string]file, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	in := func(parts ...string) string { return filepath.Join(append([]string{abs}, parts...)...) }
	result := api.Build(api.BuildOptions{
		EntryPoints:       []string{in("internal", "web", "css", "app.css"), in("web", "src", "app.js"), in("web", "src", "chart.js"), in("web", "src", "passkey.js"), in("web", "src", "sheet", "chart.css")},
		Outdir:            in("out"),
		EntryNames:        "[name]-[hash]",
		AssetNames:        "[name]-[hash]",
		NodePaths:         []string{in("web", "node_modules")},
		Bundle:            true,
		Format:            api.FormatESModule,
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		LegalComments:     api.LegalCommentsInline,
		// Office computers are old; what these lack is lowered or refused here.
		Target:   api.ES2020,
		Engines:  []api.Engine{{Name: api.EngineChrome, Version: "88"}, {Name: api.EngineFirefox, Version: "85"}, {Name: api.EngineSafari, Version: "15"}},
		Loader:   map[string]api.Loader{".woff2": api.LoaderFile},
		LogLevel: api.LogLevelSilent,
	})
	if len(result.Errors) > 0 {
		return nil, fmt.Errorf("bundle: %s", result.Errors[0].Text)
	}
	files := map[string]file{}
	for _, out := range result.OutputFiles {
		name := filepath.Base(out.Path)
		m := hashedName.FindStringSubmatch(name)
		if m == nil {
			return nil, fmt.Errorf("bundle: unexpected output %s", name)
		}
		files[m[1]+m[2]] = file{name, out.Contents}
	}
	return files, nil
}

// write empties dist and writes the files, their compressed copies and the
// manifest; the manifest comes last, so a broken run is seen as not built.
func write(dist string, files map[string]file) error {
	old, err := filepath.Glob(filepath.Join(dist, "[^.]*"))
	if err != nil {
		return err
	}
	for _, f := range old {
		if err := os.Remove(f); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(dist, 0o755); err != nil {
		return err
	}
	manifest := map[string]string{}
	for name, f := range files {
		manifest[name] = f.name
		if err := os.WriteFile(filepath.Join(dist, f.name), f.body, 0o644); err != nil {
			return err
		}
		if strings.HasSuffix(name, ".woff2") {
			continue // compressed in itself
		}
		var zip bytes.Buffer
		w, err := gzip.NewWriterLevel(&zip, gzip.BestCompression)
		if err != nil {
			return err
		}
		if _, err := w.Write(f.body); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dist, f.name+".gz"), zip.Bytes(), 0o644); err != nil {
			return err
		}
	}
	raw, err := json.MarshalIndent(manifest, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dist, "manifest.json"), append(raw, '\n'), 0o644)
}
