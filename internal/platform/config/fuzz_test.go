package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plateau/internal/platform/config"
)

// FuzzFile reads any text as a configuration file: it is taken, or refused with
// an error that names the file.
func FuzzFile(f *testing.F) {
	f.Add("data = \"x\"\n[hj212]\nidle_timeout = \"2h\"\n")
	f.Add("[http]\naddr = 1\n")
	f.Add("[hj212]\nmax_connections = 99999999999999999999\n")
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "plateau.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, _, err := config.Load(config.Source{Defaults: config.Default(), File: path})
		switch {
		case err == nil && c.Data == "":
			t.Error("taken without a data folder")
		case err != nil && err.Error() == "":
			t.Error("refused without a word")
		case err != nil && strings.Contains(err.Error(), "runtime error"):
			t.Error(err)
		}
	})
}
