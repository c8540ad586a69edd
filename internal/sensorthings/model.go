package sensorthings

import "slices"

// Set is an entity set of the standard.
type Set uint8

// The entity sets. MultiDatastreams are left out, and so is their set in the
// service root.
const (
	Things Set = iota + 1
	Locations
	HistoricalLocations
	Datastreams
	Sensors
	ObservedProperties
	Observations
	FeaturesOfInterest
)

// Sets lists them in the order of the service root.
func Sets() []Set {
	return []Set{Things, Locations, HistoricalLocations, Datastreams, Sensors, ObservedProperties, Observations, FeaturesOfInterest}
}

// Kind is what a property may hold.
type Kind uint8

// Kinds of properties.
const (
	Text    Kind = iota + 1 // JSON string
	Object                  // JSON object
	Any                     // any JSON
	Instant                 // ISO 8601 instant, or null
	Period                  // start/end
	Moment                  // instant or period
	Geo                     // GeoJSON geometry or Feature, else any JSON
)

// HasMembers reports whether paths may go below a property of the kind.
func (k Kind) HasMembers() bool { return k == Object || k == Any || k == Geo }

// Property is one property of an entity set, in the order of the answer.
type Property struct {
	Name      string
	Kind      Kind
	Mandatory bool // asked for on creation (clause 8.2, tables)
	Computed  bool // made by the server; what a client sends is ignored
}

// Relation is one way out of an entity set.
type Relation struct {
	Name     string
	To       Set
	Many     bool
	Required bool   // needed to create the entity
	Inverse  string // name of the way back
}

type definition struct {
	name, one  string
	properties []Property
	relations  []Relation
}

var definitions = map[Set]definition{
	Things: {
		"Things", "Thing",
		[]Property{{"name", Text, true, false}, {"description", Text, true, false}, {"properties", Object, false, false}},
		[]Relation{{"Locations", Locations, true, false, "Things"}, {"HistoricalLocations", HistoricalLocations, true, false, "Thing"}, {"Datastreams", Datastreams, true, false, "Thing"}},
	},
	Locations: {
		"Locations", "Location",
		[]Property{{"name", Text, true, false}, {"description", Text, true, false}, {"encodingType", Text, true, false}, {"location", Geo, true, false}, {"properties", Object, false, false}},
		[]Relation{{"Things", Things, true, false, "Locations"}, {"HistoricalLocations", HistoricalLocations, true, false, "Locations"}},
	},
	HistoricalLocations: {
		"HistoricalLocations", "HistoricalLocation",
		[]Property{{"time", Instant, true, false}},
		[]Relation{{"Thing", Things, false, true, "HistoricalLocations"}, {"Locations", Locations, true, true, "HistoricalLocations"}},
	},
	Datastreams: {
		"Datastreams", "Datastream",
		[]Property{
			{"name", Text, true, false},
			{"description", Text, true, false},
			{"observationType", Text, true, false},
			{"unitOfMeasurement", Object, true, false},
			{"observedArea", Geo, false, true},
			{"phenomenonTime", Period, false, true},
			{"resultTime", Period, false, true},
			{"properties", Object, false, false},
		},
		[]Relation{{"Thing", Things, false, true, "Datastreams"}, {"Sensor", Sensors, false, true, "Datastreams"}, {"ObservedProperty", ObservedProperties, false, true, "Datastreams"}, {"Observations", Observations, true, false, "Datastream"}},
	},
	Sensors: {
		"Sensors", "Sensor",
		[]Property{{"name", Text, true, false}, {"description", Text, true, false}, {"encodingType", Text, true, false}, {"metadata", Any, true, false}, {"properties", Object, false, false}},
		[]Relation{{"Datastreams", Datastreams, true, false, "Sensor"}},
	},
	ObservedProperties: {
		"ObservedProperties", "ObservedProperty",
		[]Property{{"name", Text, true, false}, {"definition", Text, true, false}, {"description", Text, true, false}, {"properties", Object, false, false}},
		[]Relation{{"Datastreams", Datastreams, true, false, "ObservedProperty"}},
	},
	Observations: {
		"Observations", "Observation",
		[]Property{{"phenomenonTime", Moment, false, false}, {"result", Any, true, false}, {"resultTime", Instant, false, false}, {"resultQuality", Any, false, false}, {"validTime", Period, false, false}, {"parameters", Object, false, false}},
		[]Relation{{"Datastream", Datastreams, false, true, "Observations"}, {"FeatureOfInterest", FeaturesOfInterest, false, false, "Observations"}},
	},
	FeaturesOfInterest: {
		"FeaturesOfInterest", "FeatureOfInterest",
		[]Property{{"name", Text, true, false}, {"description", Text, true, false}, {"encodingType", Text, true, false}, {"feature", Geo, true, false}, {"properties", Object, false, false}},
		[]Relation{{"Observations", Observations, true, false, "FeatureOfInterest"}},
	},
}

// String is the name of the set in addresses, "" of none.
func (s Set) String() string { return definitions[s].name }

// One is the name of a single entity of the set.
func (s Set) One() string { return definitions[s].one }

// Properties lists the properties in the order of an answer.
func (s Set) Properties() []Property { return definitions[s].properties }

// Relations lists the ways out of the set.
func (s Set) Relations() []Relation { return definitions[s].relations }

// Property finds a property by name.
func (s Set) Property(name string) (Property, bool) {
	list := definitions[s].properties
	i := slices.IndexFunc(list, func(p Property) bool { return p.Name == name })
	if i < 0 {
		return Property{}, false
	}
	return list[i], true
}

// Relation finds a relation by name.
func (s Set) Relation(name string) (Relation, bool) {
	list := definitions[s].relations
	i := slices.IndexFunc(list, func(r Relation) bool { return r.Name == name })
	if i < 0 {
		return Relation{}, false
	}
	return list[i], true
}

// SetNamed finds a set by its name in addresses; names are case-sensitive.
func SetNamed(name string) (Set, bool) {
	for _, s := range Sets() {
		if definitions[s].name == name {
			return s, true
		}
	}
	return 0, false
}
