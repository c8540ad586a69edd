package query

import (
	"plateau/internal/sensorthings"
)

// Error is a fault of a request: what is wrong, and where.
type Error struct {
	Status  int    // HTTP status: 400, 404, 501
	Option  string // "$filter", "" = the path
	At      int    // position in the option's text, from 0; -1 = none
	Message string // English, names the place and the remedy
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Path is a parsed resource path behind the service root.
type Path struct {
	Steps    []Step   // empty = the service root
	Property []string // members behind the entity: {"unitOfMeasurement", "name"}
	Value    bool     // ends in /$value
	Ref      bool     // ends in /$ref
}

// Step is one step of a path: Things, Things(1), Datastream.
type Step struct {
	Relation sensorthings.Relation // zero for the first step
	Set      sensorthings.Set
	Many     bool // a set, not one entity
	Keyed    bool
	Key      sensorthings.ID
}

// Options are the $-options of one set or one expanded relation.
type Options struct {
	Filter       *Filter // nil = none
	OrderBy      []Order
	Top, Skip    int64 // -1 = not given
	Count        bool
	Select       []Selected // nil = everything
	Expand       []Expand   // merged by relation, in order of first mention
	ResultFormat string     // "" = JSON, "dataArray", "GeoJSON", "CSV"
	SkipToken    string     // of the server's own next links
	Raw          []Raw      // the options as they came, decoded, for next links
}

// Raw is an option as it came.
type Raw struct{ Name, Value string }

// Selected is one item of $select: a property path or a relation.
type Selected struct {
	Name     string // "@iot.id" also for "id"
	Path     []string
	Relation bool
}

// Expand is one relation to inline.
type Expand struct {
	Relation sensorthings.Relation
	Options  Options
}

// Order is one key of $orderby.
type Order struct {
	Key  *Expr
	Desc bool
	// Simple is set when the key is a property or the identifier of the entity
	// itself: "result", "phenomenonTime", "@iot.id".
	Simple string
}

// Row is an entity as an expression sees it.
type Row interface {
	// ID is the identifier.
	ID() sensorthings.ID
	// Property returns a property's value; Null when it is not set.
	Property(name string) (Value, error)
	// One follows a relation to one; nil when there is none.
	One(r sensorthings.Relation) (Row, error)
	// Many follows a relation to many, until fn returns false.
	Many(r sensorthings.Relation, fn func(Row) (bool, error)) error
}

// Bounds are conditions that every matching row fulfils: an index may use them
// to pass over the others. The zero value excludes nothing.
type Bounds struct {
	ID       *sensorthings.ID           // the identifier itself
	Parent   map[string]sensorthings.ID // relation name → identifier: Datastream/id eq 1, Thing/@iot.id eq 1
	From, To *int64                     // phenomenonTime starts in [From, To), Unix microseconds
	Never    bool                       // nothing can match
}

// Filter is a compiled $filter.
type Filter struct{ e *Expr }

// Expr is a compiled expression of $filter or $orderby.
type Expr struct{}

// Value is a value of an expression: null, boolean, number, text, instant,
// period, geometry or other JSON.
type Value struct{}

// ParsePath reads an escaped resource path behind the service root, such as
// "/Things(1)/Datastreams". The error is an *Error.
func ParsePath(escaped string) (*Path, error) { panic("not written yet") }

// ParseOptions reads the raw query of a request for entities of set; ";" in it
// separates nothing outside of parentheses. The error is an *Error.
func ParseOptions(set sensorthings.Set, rawQuery string) (*Options, error) {
	panic("not written yet")
}

// ParseFilter compiles a decoded $filter.
func ParseFilter(set sensorthings.Set, text string) (*Filter, error) { panic("not written yet") }

// Match reports whether the filter is true of a row; unknown is not true.
func (f *Filter) Match(r Row) (bool, error) { panic("not written yet") }

// Bounds returns what every matching row fulfils.
func (f *Filter) Bounds() Bounds { panic("not written yet") }

// Eval computes the expression for a row.
func (e *Expr) Eval(r Row) (Value, error) { panic("not written yet") }

// Null is the missing value.
func Null() Value { panic("not written yet") }

// JSON is a property's value as it is stored: scalars become typed values,
// GeoJSON stays usable by geo functions, other JSON by member paths.
func JSON(raw []byte) Value { panic("not written yet") }

// Number, Text and Time make values of their kind; Time of an instant or period.
func Number(f float64) Value { panic("not written yet") }

// Text makes a text value.
func Text(s string) Value { panic("not written yet") }

// Time makes an instant or a period.
func Time(s sensorthings.Span) Value { panic("not written yet") }

// Compare orders values for $orderby: null < boolean < number < text < others,
// periods by start, then end.
func Compare(a, b Value) int { panic("not written yet") }

// ParseSpan reads an ISO 8601 instant or period with zone as clients write them
// (Z, +02:00, -0700, any fraction).
func ParseSpan(text string) (sensorthings.Span, error) { panic("not written yet") }

// FormatSpan writes an instant or period in UTC with Z, without needless zeros
// in the fraction.
func FormatSpan(s sensorthings.Span) string { panic("not written yet") }
