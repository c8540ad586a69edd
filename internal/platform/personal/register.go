package personal

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/BurntSushi/toml"
)

//go:embed personal.toml
var text []byte

// Default is the register that comes with the program.
var Default = sync.OnceValue(func() *Register {
	r, err := Parse(text)
	if err != nil {
		panic(err) // the file is embedded, and a test reads it
	}
	return r
})

// Register is which personal data the program keeps. It does not change.
type Register struct {
	LookedThrough string `toml:"looked_through"` // YYYY-MM-DD
	Basis         map[string]Basis
	Kinds         []Kind              `toml:"kind"`
	None          map[string][]string // columns that are not personal, by table
	Held          []Held
}

// Basis is a provision that something is kept by.
type Basis struct {
	Law, Article string
	Verified     bool // somebody compared it with the text in force
}

// Kind is a kind of personal data.
type Kind struct {
	ID      string
	Columns []string // table.column, or table.* for all of a table
	Basis   []string // keys of Register.Basis
	SeenBy  []string `toml:"seen_by"` // permissions; "self", "nobody"
	Days    int      // after so many it is erased; 0 = the words of the kind say when
}

// Life is after what time data of a kind is erased; it panics for a kind without
// one, which is a fault of the program.
func (r *Register) Life(kind string) time.Duration {
	for _, k := range r.Kinds {
		if k.ID == kind && k.Days > 0 {
			return time.Duration(k.Days) * 24 * time.Hour
		}
	}
	panic("personal: no days are set for " + kind)
}

// Of is the kind that a column belongs to, "" when it is not personal; false when
// it is not declared.
func (r *Register) Of(table, column string) (kind string, declared bool) {
	for _, k := range r.Kinds {
		if slices.Contains(k.Columns, table+"."+column) || slices.Contains(k.Columns, table+".*") {
			return k.ID, true
		}
	}
	return "", slices.Contains(r.None[table], column)
}

// Parse reads a register strictly. The error names every fault.
func Parse(text []byte) (*Register, error) {
	var r Register
	meta, err := toml.Decode(string(text), &r)
	if err != nil {
		return nil, fmt.Errorf("personal.toml: %w", err)
	}
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("personal.toml: "+format, args...))
	}
	for _, key := range meta.Undecoded() {
		fault("%s means nothing", key)
	}
	if _, err := time.Parse(time.DateOnly, r.LookedThrough); err != nil {
		fault("looked_through: %w", err)
	}
	seen := map[string]string{}
	for _, k := range r.Kinds {
		if k.ID == "" || len(k.Basis) == 0 || len(k.SeenBy) == 0 || len(k.Columns) == 0 || k.Days < 0 {
			fault("kind %q: id, basis, seen_by and columns must be there", k.ID)
		}
		for _, b := range k.Basis {
			if r.Basis[b].Law == "" {
				fault("kind %s: basis %s is not under [basis]", k.ID, b)
			}
		}
		for _, c := range k.Columns {
			table, column, _ := strings.Cut(c, ".")
			if other := seen[c]; other != "" {
				fault("%s is of %s and of %s", c, other, k.ID)
			}
			seen[c] = k.ID
			if slices.Contains(r.None[table], column) || column == "*" && r.None[table] != nil {
				fault("%s is of %s and not personal", c, k.ID)
			}
		}
	}
	return &r, errors.Join(faults...)
}
