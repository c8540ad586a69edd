package errs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Kind is the class of a failure. The zero value is Internal.
type Kind uint8

// The kinds, with the HTTP status the edge gives them.
const (
	Internal        Kind = iota // 500, a fault of the program or its surroundings
	Invalid                     // 422, the input can be mended; see Error.Fields
	NotFound                    // 404
	Conflict                    // 409, the input is right but the present state forbids it
	Forbidden                   // 403, known person, not allowed
	Unauthenticated             // 401, no known person
	TooLarge                    // 413
	Busy                        // 503 or 429, try again later
	Malformed                   // 400, the request itself cannot be read
)

var kindNames = [...]string{"internal", "invalid", "not_found", "conflict", "forbidden", "unauthenticated", "too_large", "busy", "malformed"}

// String returns the kind's name in lower case with underscores, as in logs
// and in the "type" of problem documents.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "internal"
}

// Error is a classified failure. Key and Args (name, value pairs) are
// translated at the edge; Err is for the log only.
type Error struct {
	Kind   Kind
	Key    string // catalogue key of the sentence to show; "" = the kind's own sentence
	Args   []any  // name, value pairs for the holes of Key
	Fields []Field
	Err    error
}

// Field is one input to mend: which, and what to do about it.
type Field struct {
	Name string // the form's or document's field, such as "lon" or "factors.2.range_lo"
	Key  string // catalogue key of a sentence that says what to enter
	Args []any  // name, value pairs
}

// Error describes the failure for logs and the command line; it is not for pages.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Kind.String())
	if e.Key != "" {
		b.WriteString(" " + e.Key)
	}
	writeArgs(&b, e.Args)
	for i, f := range e.Fields {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		b.WriteString(sep + f.Name + " " + f.Key)
		writeArgs(&b, f.Args)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

func writeArgs(b *strings.Builder, args []any) {
	for i := 0; i+1 < len(args); i += 2 {
		fmt.Fprintf(b, " %v=%v", args[i], args[i+1])
	}
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// New returns an error of a kind with a sentence for people.
func New(k Kind, key string, args ...any) *Error { return &Error{Kind: k, Key: key, Args: args} }

// Wrap gives err a kind and a sentence; nil stays nil.
func Wrap(err error, k Kind, key string, args ...any) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: k, Key: key, Args: args, Err: err}
}

// InvalidField returns an Invalid error about one field.
func InvalidField(name, key string, args ...any) *Error {
	return &Error{Kind: Invalid, Key: "err.invalid", Fields: []Field{{Name: name, Key: key, Args: args}}}
}

// KindOf returns the kind of the outermost classified error in err's chain,
// Internal when there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// Is reports whether err is of kind k; a nil err is of none.
func Is(err error, k Kind) bool { return err != nil && KindOf(err) == k }

// Renamed is err with other names for the fields it is about, as they stand on a page
// where a name would come twice. An error about no field stays as it is.
func Renamed(err error, name func(string) string) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || len(e.Fields) == 0 {
		return err
	}
	out := *e
	out.Fields = slices.Clone(e.Fields)
	for i := range out.Fields {
		out.Fields[i].Name = name(out.Fields[i].Name)
	}
	return &out
}

// Checks collects faulty fields, so that a form tells all of them at once.
// The zero value is ready.
type Checks struct{ fields []Field }

// Add notes a faulty field.
func (c *Checks) Add(name, key string, args ...any) {
	c.fields = append(c.fields, Field{Name: name, Key: key, Args: args})
}

// Require notes field name when ok is false.
func (c *Checks) Require(ok bool, name, key string, args ...any) {
	if !ok {
		c.Add(name, key, args...)
	}
}

// Err returns an Invalid error with all fields noted, nil when there are none.
func (c *Checks) Err() error {
	if len(c.fields) == 0 {
		return nil
	}
	return &Error{Kind: Invalid, Key: "err.invalid", Fields: c.fields}
}
