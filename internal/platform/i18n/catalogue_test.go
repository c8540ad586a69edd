package i18n

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/testkit"
)

func load(t *testing.T, files map[string]string) (*Catalogue, error) {
	t.Helper()
	m := fstest.MapFS{}
	for name, text := range files {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return Load(fs.FS(m))
}

func TestLanguagesHoldTheSameKeys(t *testing.T) {
	t.Parallel()
	c := Default()
	zh := c.Keys(Zh)
	if len(zh) < 100 {
		t.Fatalf("only %d keys were read", len(zh))
	}
	for _, lang := range []Lang{Bo, En} {
		if d := cmp.Diff(zh, c.Keys(lang)); d != "" {
			t.Errorf("keys of zh (-) and %s (+) differ:\n%s", lang, d)
		}
	}
}

// TestErrorKeysExist finds sentences that the code names and no catalogue has.
func TestErrorKeysExist(t *testing.T) {
	t.Parallel()
	key := regexp.MustCompile(`"(err\.[a-z0-9_.]+[a-z0-9])"`)
	found := 0
	root := filepath.Join(testkit.Root(), "internal")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		raw, err := os.ReadFile(path)
		for _, m := range key.FindAllStringSubmatch(string(raw), -1) {
			found++
			if !Default().Has(Zh, m[1]) {
				t.Errorf("%s names %s, which is in no catalogue", path, m[1])
			}
		}
		return err
	})
	if err != nil || found < 20 {
		t.Fatalf("%d keys found in the code: %v", found, err)
	}
}

// TestHolesAgree holds translations to the same values; a sentence that lost
// its number would say something else.
func TestHolesAgree(t *testing.T) {
	t.Parallel()
	c := Default()
	for _, key := range c.Keys(Zh) {
		if strings.HasPrefix(key, "date.") {
			continue // a language takes the month by number or by name
		}
		want := c.Holes(Zh, key)
		for _, lang := range []Lang{Bo, En} {
			if d := cmp.Diff(want, c.Holes(lang, key)); d != "" {
				t.Errorf("%s: holes of zh (-) and %s (+) differ:\n%s", key, lang, d)
			}
		}
	}
}

func TestScriptOfTexts(t *testing.T) {
	t.Parallel()
	c := Default()
	for _, lang := range []Lang{Bo, En} {
		c.Texts(lang, func(key, text string) {
			for _, r := range text {
				if unicode.Is(unicode.Han, r) {
					t.Errorf("%s %s has Chinese in it: %q", lang, key, text)
					return
				}
				if lang == En && unicode.Is(unicode.Tibetan, r) {
					t.Errorf("%s %s has Tibetan in it: %q", lang, key, text)
					return
				}
				// Breaks come from tsheg and shad by themselves.
				if r == 0x0F0C || r == 0x200B || r >= 0x0F20 && r <= 0x0F33 {
					t.Errorf("%s %s holds %U, which is not used: %q", lang, key, r, text)
					return
				}
			}
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"twice", map[string]string{"zh/a.toml": "[x]\ny = \"1\"", "zh/b.toml": "[x]\ny = \"2\""}, "given twice"},
		{"number", map[string]string{"en/a.toml": "x = 3"}, "only texts"},
		{"open hole", map[string]string{"en/a.toml": `x = "a {n b"`}, "hole"},
		{"lone brace", map[string]string{"en/a.toml": `x = "a } b"`}, "lone }"},
		{"no TOML", map[string]string{"bo/a.toml": "x = "}, "bo/a.toml"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, err := load(t, c.files); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one about %q", err, c.want)
			}
		})
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	c, err := load(t, map[string]string{
		"zh/a.toml": "[a]\nrows = \"共 {n} 行\"\nonly = \"只有中文\"\nbrace = \"{{x}}\"",
		"en/a.toml": "[a]\nrows = \"{n} rows\"\nrows_one = \"{n} row\"",
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		lang Lang
		key  string
		args []any
		want string
		used Lang
	}{
		{En, "a.rows", []any{"n", 1}, "1 row", En},
		{En, "a.rows", []any{"n", 12345}, "12,345 rows", En},
		{Zh, "a.rows", []any{"n", 1}, "共 1 行", Zh},
		{En, "a.rows", nil, "{n} rows", En},
		{Bo, "a.rows", []any{"n", 2}, "共 2 行", Zh},
		{En, "a.only", nil, "只有中文", Zh},
		{En, "a.nowhere", nil, "a.nowhere", En},
		{Zh, "a.brace", nil, "{x}", Zh},
		{Zh, "a.rows", []any{"n", "<b>"}, "共 <b> 行", Zh},
	} {
		got, used := c.For(tc.lang).Text(tc.key, tc.args...)
		if got != tc.want || used != tc.used {
			t.Errorf("%s %s %v = %q in %s, want %q in %s", tc.lang, tc.key, tc.args, got, used, tc.want, tc.used)
		}
	}
}

func TestNegotiate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cookie, accept string
		want           Lang
	}{
		{"", "", Zh},
		{"en", "bo", En},
		{"fr", "bo", Bo},
		{"", "en-US,en;q=0.5", En},
		{"", "zh-CN;q=0.2, bo;q=0.9", Bo},
		{"", "de, fr", Zh},
		{"", "en;q=0", Zh},
		{"", "en;q=x, bo;q=0.1", Bo},
		{"", "*", Zh},
	} {
		if got := Negotiate(c.cookie, c.accept); got != c.want {
			t.Errorf("Negotiate(%q, %q) = %s, want %s", c.cookie, c.accept, got, c.want)
		}
	}
}
