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
	Raw          []Raw      // the options that were given, decoded
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
