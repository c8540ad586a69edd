package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

// TestEverySettingIsDocumented: docs/configuration.md has a line for every
// setting, with its variable and default, none for others, and an example that
// is read.
func TestEverySettingIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	doc := string(text)
	c := Default()
	all := c.settings()
	for _, s := range all {
		if row := fmt.Sprintf("\n| `%s` | `%s` | `%s` | ", s.key, s.env(), s.text()); !strings.Contains(doc, row) {
			t.Errorf("docs/configuration.md lacks the line%s", row)
		}
	}
	if n := strings.Count(doc, "\n| `"); n != len(all) {
		t.Errorf("docs/configuration.md has %d lines of settings, there are %d", n, len(all))
	}
	for _, name := range notSettings {
		if !strings.Contains(doc, "`"+name+"`") {
			t.Errorf("docs/configuration.md does not tell %s", name)
		}
	}
	_, example, _ := strings.Cut(doc, "```toml\n")
	example, _, _ = strings.Cut(example, "```")
	meta, err := toml.Decode(example, &c)
	if err != nil || len(meta.Undecoded()) > 0 || len(meta.Keys()) == 0 {
		t.Errorf("the example cannot be read: %v, unknown keys %v", err, meta.Undecoded())
	}
	if err := c.Validate(); err != nil {
		t.Errorf("the example cannot be used: %v", err)
	}
}
