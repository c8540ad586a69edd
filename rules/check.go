package rules

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// Fault is something wrong in a file of rules, with what to do about it.
type Fault struct {
	File string
	Line int // 0 = the file as a whole
	Text string
}

func (f Fault) String() string {
	if f.Line == 0 {
		return f.File + ": " + f.Text
	}
	return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Text)
}

// Check reads the rule files, shapes, limits and worked cases of a folder as a
// new set would be read, and lists everything that is wrong. What the folder
// lacks is taken from the embedded set, so that one new file can be checked
// alone. The error is that of reading the folder.
func Check(folder fs.FS) ([]Fault, error) {
	texts, err := readFolder(folder)
	if err != nil {
		return nil, err
	}
	all, err := readFolder(files)
	if err != nil {
		return nil, err
	}
	maps.Copy(all, texts)
	var out []Fault
	add := func(file string, line int, format string, args ...any) {
		if _, ours := texts[file]; ours {
			out = append(out, Fault{file, line, fmt.Sprintf(format, args...)})
		}
	}
	shapes, err := ParseSchema(all[schemaFile])
	if err != nil {
		line := 0
		if at, ok := errors.AsType[toml.ParseError](err); ok {
			line = at.Position.Line
		}
		add(schemaFile, line, "%v", err)
	}
	type version struct {
		file string
		*Rule
	}
	byID := map[string][]version{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if path.Ext(name) != ".toml" || name == schemaFile {
			continue
		}
		r, faults := read(all[name])
		for _, f := range faults {
			add(name, f.line, "%s %s", f.key, f.text)
		}
		if len(faults) > 0 {
			continue
		}
		if base := idOf(name); base != r.ID {
			add(name, lineOf(all[name], "id"), "id is %s, but the file is named after %s; name it %s", r.ID, base, fileName(r))
		}
		shape, known := shapeOf(shapes, r.ID)
		if !known {
			add(name, lineOf(all[name], "id"), "%s has no entry in %s; add [%q] with subject, bo and params", r.ID, schemaFile, r.ID)
		} else {
			for _, m := range shape.misfit(r) {
				add(name, lineOf(all[name], m.param), "%s %s", m.param, m.text)
			}
			if strings.HasPrefix(r.ID, markFamily) {
				list, faults := r.marks()
				for _, m := range faults {
					add(name, markLine(all[name], m.param), "%s %s", m.param, m.text)
				}
				for _, m := range list {
					if _, known := all[m.Quota+".toml"]; m.Quota != "" && !known {
						add(name, markLine(all[name], "codes."+m.Code+".quota"), "codes.%s.quota is %q; write the id of a rule, such as mswi.quota60", m.Code, m.Quota)
					}
				}
			}
		}
		byID[r.ID] = append(byID[r.ID], version{name, r})
	}
	for _, list := range byID {
		slices.SortFunc(list, func(a, b version) int { return strings.Compare(a.EffectiveFrom, b.EffectiveFrom) })
		for i := 1; i < len(list); i++ {
			before, next := list[i-1], list[i]
			if text := succession(before.Rule, next.Rule); text != "" {
				file := next.file
				if _, ours := texts[file]; !ours {
					file = before.file
				}
				add(file, lineOf(all[file], "effective_from"), "%s; end version %d the day before %s (effective_to)", text, before.Version, next.EffectiveFrom)
			}
		}
	}
	if _, err := ParseLimits(all[limitFile]); err != nil {
		add(limitFile, 0, "%v", err)
	}
	if _, err := ParseCases(all[caseFile]); err != nil {
		add(caseFile, 0, "%v", err)
	}
	slices.SortStableFunc(out, func(a, b Fault) int { return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line) })
	return out, nil
}

func readFolder(folder fs.FS) (map[string][]byte, error) {
	out := map[string][]byte{}
	names, err := fs.Glob(folder, "*.toml")
	if err != nil {
		return nil, fmt.Errorf("list rule files: %w", err)
	}
	for _, name := range append(names, limitFile, caseFile) {
		text, err := fs.ReadFile(folder, name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, fmt.Errorf("read rule file: %w", err)
		default:
			out[name] = text
		}
	}
	return out, nil
}

// idOf is the rule that a file is named after: air.iaqi@2.toml holds air.iaqi.
func idOf(file string) string {
	base, _, _ := strings.Cut(strings.TrimSuffix(file, ".toml"), "@")
	return base
}

func fileName(r *Rule) string {
	if r.Version > 1 {
		return fmt.Sprintf("%s@%d.toml", r.ID, r.Version)
	}
	return r.ID + ".toml"
}

// lineOf finds the line in which a key, or one inside its tables, is given; 0
// when none is.
func lineOf(text []byte, key string) int {
	key, _, _ = strings.Cut(key, "[")
	keys := strings.FieldsFunc(key, func(r rune) bool { return r == '.' || r == '/' })
	for _, key := range slices.Backward(keys) {
		given := regexp.MustCompile(`(?m)^\s*(\[params\.)?"?` + regexp.QuoteMeta(key) + `"?\s*[=\]]`)
		if at := given.FindIndex(text); at != nil {
			return 1 + strings.Count(string(text[:at[1]]), "\n")
		}
	}
	return 0
}
