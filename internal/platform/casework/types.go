package casework

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"sync"

	"plateau/casetypes"
)

// ErrInvalid is what every fault of case types wraps.
var ErrInvalid = errors.New("invalid case type")

// Types are the case types there are, each in its versions. They do not change.
type Types struct {
	kinds map[string][]*Type // by version

	turns, checks, audits func() map[string][]string // steps by role: who has to act, who looks at the work of others, who at what was drawn
}

// Default are the types that come with the program.
var Default = sync.OnceValue(func() *Types {
	t, err := Load(casetypes.Files(), nil, "")
	if err != nil {
		panic(err) // the files are embedded, and a test reads them
	}
	return t
})

// Load reads every *.yaml of a folder, each named after kind and version:
// river_case.1.yaml, and over them those of the folder own of an installation, whose
// faults are told below dir. An own file may bring a version of its own, or end one of
// the first folder: there it may differ in effective_to and in words only, for cases
// stand on it. The error wraps ErrInvalid and names every fault with file, line and
// remedy, or is that of reading a folder.
func Load(folder, own fs.FS, dir string) (*Types, error) {
	var faults Faults
	t := &Types{kinds: map[string][]*Type{}}
	file := map[*Type]string{}
	read := func(folder fs.FS, dir string) error {
		names, err := fs.Glob(folder, "*.yaml")
		if err != nil {
			return fmt.Errorf("list case types: %w", err)
		}
		for _, name := range names {
			text, err := fs.ReadFile(folder, name)
			if err != nil {
				return fmt.Errorf("read case type: %w", err)
			}
			at := path.Join(dir, name)
			x, bad := Parse(at, text)
			if len(bad) > 0 {
				faults = append(faults, bad...)
				continue
			}
			if want := fmt.Sprintf("%s.%d.yaml", x.Kind, x.Version); name != want {
				faults = append(faults, Fault{at, 1, fmt.Sprintf("holds kind %s version %d; name the file %s", x.Kind, x.Version, want)})
				continue
			}
			file[x] = at
			i := slices.IndexFunc(t.kinds[x.Kind], func(b *Type) bool { return b.Version == x.Version })
			if i < 0 {
				t.kinds[x.Kind] = append(t.kinds[x.Kind], x)
				continue
			}
			if first := Diff(t.kinds[x.Kind][i], x); len(first) > 0 || x.From != t.kinds[x.Kind][i].From {
				what := "effective_from"
				if len(first) > 0 {
					what = first[0].What
				}
				faults = append(faults, Fault{at, 1, fmt.Sprintf("version %d comes with the program, and %s differs; cases stand on it, so change only effective_to here and put the rest into version %d", x.Version, what, x.Version+1)})
				continue
			}
			t.kinds[x.Kind][i] = x
		}
		return nil
	}
	if err := read(folder, ""); err != nil {
		return nil, err
	}
	if own != nil {
		if err := read(own, dir); err != nil {
			return nil, err
		}
	}
	for _, kind := range t.Kinds() {
		list := t.kinds[kind]
		slices.SortFunc(list, func(a, b *Type) int { return a.Version - b.Version })
		for i := 1; i < len(list); i++ {
			before, next := list[i-1], list[i]
			if before.To == "" || before.To >= next.From {
				faults = append(faults, Fault{file[next], 1, fmt.Sprintf("versions %d and %d are in force together; end version %d (effective_to) before version %d begins (effective_from)", before.Version, next.Version, before.Version, next.Version)})
			}
		}
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("%w:\n%s", ErrInvalid, faults)
	}
	t.turns = sync.OnceValue(func() map[string][]string { return t.stepsOf((*Type).Turn) })
	t.checks = sync.OnceValue(func() map[string][]string { return t.stepsOf((*Type).verifiers) })
	t.audits = sync.OnceValue(func() map[string][]string { return t.stepsOf((*Type).auditors) })
	return t, nil
}

// hasSystem reports whether some type is of a system.
func (t *Types) hasSystem(name string) bool {
	for _, versions := range t.kinds {
		for _, x := range versions {
			if x.System == name {
				return true
			}
		}
	}
	return false
}

// Kinds lists the kinds there are, in the order of the alphabet.
func (t *Types) Kinds() []string { return slices.Sorted(maps.Keys(t.kinds)) }

// InForce is the version of a kind that cases are opened with on a day (YYYY-MM-DD
// of Beijing time).
func (t *Types) InForce(kind, day string) (*Type, bool) {
	for _, x := range t.kinds[kind] {
		if x.From <= day && (x.To == "" || day <= x.To) {
			return x, true
		}
	}
	return nil, false
}

// Version is a version of a kind: an open case stays on the one it was opened with.
func (t *Types) Version(kind string, version int) (*Type, bool) {
	i := slices.IndexFunc(t.kinds[kind], func(x *Type) bool { return x.Version == version })
	if i < 0 {
		return nil, false
	}
	return t.kinds[kind][i], true
}
