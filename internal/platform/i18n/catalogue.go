package i18n

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/BurntSushi/toml"
)

//go:embed locales
var embedded embed.FS

// oneSuffix marks the form of a message for n = 1.
const oneSuffix = "_one"

// Catalogue is the merged, immutable set of messages.
type Catalogue struct {
	messages map[Lang]map[string]message
}

// message is a text cut at its holes: lit[0] hole[0] lit[1] … lit[n].
type message struct {
	lits  []string
	holes []string
}

// Default returns the embedded catalogue, read once.
var Default = sync.OnceValue(func() *Catalogue {
	sub, err := fs.Sub(embedded, "locales")
	if err != nil {
		panic(err)
	}
	c, err := Load(sub)
	if err != nil {
		// The files are part of the program and a test reads them: a fault here is ours.
		panic(err)
	}
	return c
})

// Load reads LANG/*.toml of every given file system and merges them. Errors
// name the file; a key given twice in one language is an error.
func Load(systems ...fs.FS) (*Catalogue, error) {
	c := &Catalogue{messages: map[Lang]map[string]message{}}
	var errs []error
	for _, lang := range Langs() {
		c.messages[lang] = map[string]message{}
		for _, fsys := range systems {
			names, err := fs.Glob(fsys, path.Join(string(lang), "*.toml"))
			if err != nil {
				return nil, fmt.Errorf("list catalogue files: %w", err)
			}
			for _, name := range names {
				if err := c.add(fsys, name, lang); err != nil {
					errs = append(errs, err)
				}
			}
		}
	}
	return c, errors.Join(errs...)
}

func (c *Catalogue) add(fsys fs.FS, name string, lang Lang) error {
	raw, err := fs.ReadFile(fsys, name)
	if err != nil {
		return fmt.Errorf("read catalogue: %w", err)
	}
	var tree map[string]any
	if _, err := toml.Decode(string(raw), &tree); err != nil {
		return fmt.Errorf("catalogue %s: %w", name, err)
	}
	return c.flatten(name, lang, "", tree)
}

func (c *Catalogue) flatten(name string, lang Lang, prefix string, tree map[string]any) error {
	for k, v := range tree {
		key := prefix + k
		switch v := v.(type) {
		case map[string]any:
			if err := c.flatten(name, lang, key+".", v); err != nil {
				return err
			}
		case string:
			if _, twice := c.messages[lang][key]; twice {
				return fmt.Errorf("catalogue %s: key %s is given twice in %s", name, key, lang)
			}
			m, err := parse(v)
			if err != nil {
				return fmt.Errorf("catalogue %s: key %s: %w", name, key, err)
			}
			c.messages[lang][key] = m
		default:
			return fmt.Errorf("catalogue %s: key %s is a %T; only texts are allowed", name, key, v)
		}
	}
	return nil
}

// parse cuts a text at its holes. A brace that opens none is written twice.
func parse(text string) (message, error) {
	var m message
	var lit strings.Builder
	for i := 0; i < len(text); i++ {
		switch ch := text[i]; {
		case (ch == '{' || ch == '}') && i+1 < len(text) && text[i+1] == ch:
			lit.WriteByte(ch)
			i++
		case ch == '{':
			end := strings.IndexByte(text[i:], '}')
			if end < 2 {
				return m, fmt.Errorf("hole at byte %d is empty or not closed", i)
			}
			m.lits = append(m.lits, lit.String())
			lit.Reset()
			m.holes = append(m.holes, text[i+1:i+end])
			i += end
		case ch == '}':
			return m, fmt.Errorf("lone } at byte %d; write it twice", i)
		default:
			lit.WriteByte(ch)
		}
	}
	m.lits = append(m.lits, lit.String())
	return m, nil
}

// Has reports whether lang itself holds key.
func (c *Catalogue) Has(lang Lang, key string) bool {
	_, ok := c.messages[lang][key]
	return ok
}

// Keys returns the keys of a language, sorted, without the _one forms.
func (c *Catalogue) Keys(lang Lang) []string {
	keys := slices.Sorted(maps.Keys(c.messages[lang]))
	return slices.DeleteFunc(keys, func(k string) bool { return strings.HasSuffix(k, oneSuffix) })
}

// Holes returns the names of the holes of a message, sorted, each once.
func (c *Catalogue) Holes(lang Lang, key string) []string {
	holes := slices.Sorted(slices.Values(c.messages[lang][key].holes))
	return slices.Compact(holes)
}

// Texts calls f with every text of a language without its holes; the Tibetan
// font is made and checked from it.
func (c *Catalogue) Texts(lang Lang, f func(key, text string)) {
	for _, key := range slices.Sorted(maps.Keys(c.messages[lang])) {
		f(key, strings.Join(c.messages[lang][key].lits, "\n"))
	}
}

// For returns the localizer of a language.
func (c *Catalogue) For(lang Lang) *Localizer {
	return &Localizer{c: c, lang: lang}
}
