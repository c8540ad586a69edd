package outlets

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"plateau/hj212"
	"plateau/internal/sensorthings"
	"plateau/internal/telemetry"
)

// Encodings and types of the standard (clause 8.2, tables 7, 12 and 15).
const (
	geoJSON     = "application/geo+json"
	htmlPage    = "text/html"
	measurement = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
	// definitionOf begins the URI of a factor. HJ 212 gives its codes no address.
	definitionOf = "urn:x-hj212:factor:"
)

// Entity implements sensorthings.Reader.
func (r *reader) Entity(_ context.Context, s sensorthings.Set, id sensorthings.ID) (*sensorthings.Entity, error) {
	v, err := r.view()
	if err != nil {
		return nil, err
	}
	if e := v.entity(s, id); e != nil {
		return e, nil
	}
	return nil, sensorthings.ErrNotFound
}

// Entities implements sensorthings.Reader.
func (r *reader) Entities(ctx context.Context, s sensorthings.Set, after sensorthings.ID, fn func(*sensorthings.Entity) bool) error {
	v, err := r.view()
	if err != nil {
		return err
	}
	meter := sensorthings.MeterFrom(ctx)
	for _, id := range v.ids(s, after) {
		e := v.entity(s, id)
		if e == nil {
			if err := meter.Read(1); err != nil {
				return err
			}
			continue
		}
		if !fn(e) {
			break
		}
	}
	return ctx.Err()
}

// ids are the identifiers of a set behind one, ascending; some may not be the
// asker's to see.
func (v *view) ids(s sensorthings.Set, after sensorthings.ID) (ids []sensorthings.ID) {
	switch s {
	case sensorthings.Datastreams:
		for _, se := range v.list.all {
			if se.id > after {
				ids = append(ids, se.id)
			}
		}
	case sensorthings.ObservedProperties:
		for i := range v.list.properties {
			if id := firstProperty + sensorthings.ID(i); id > after {
				ids = append(ids, id)
			}
		}
	case sensorthings.Observations:
	default:
		for id := range v.snap.Outlets {
			if sensorthings.ID(id) > after {
				ids = append(ids, sensorthings.ID(id))
			}
		}
		slices.Sort(ids)
	}
	return ids
}

// Related implements sensorthings.Reader.
func (r *reader) Related(_ context.Context, s sensorthings.Set, id sensorthings.ID, relation string, fn func(sensorthings.ID) bool) error {
	v, err := r.view()
	if err != nil {
		return err
	}
	if v.entity(s, id) == nil {
		return nil
	}
	for _, other := range v.related(s, id, relation) {
		if !fn(other) {
			break
		}
	}
	return nil
}

func (v *view) related(s sensorthings.Set, id sensorthings.ID, relation string) []sensorthings.ID {
	rel, ok := s.Relation(relation)
	if !ok || !rel.Many {
		return nil
	}
	switch rel.To {
	case sensorthings.Datastreams:
		list := v.list.byOutlet[telemetry.OutletID(id)]
		if s == sensorthings.ObservedProperties {
			list = v.list.byProperty[id]
		}
		var ids []sensorthings.ID
		for _, se := range list {
			if v.outlet(sensorthings.ID(se.outlet)) != nil {
				ids = append(ids, se.id)
			}
		}
		return ids
	case sensorthings.Things, sensorthings.Locations, sensorthings.HistoricalLocations:
		if v.entity(rel.To, id) != nil { // all of an outlet have its number
			return []sensorthings.ID{id}
		}
	default:
	}
	return nil
}

// entity makes an entity that the asker sees, nil otherwise.
func (v *view) entity(s sensorthings.Set, id sensorthings.ID) *sensorthings.Entity {
	e := &sensorthings.Entity{Set: s, ID: id}
	switch s {
	case sensorthings.Datastreams:
		se, o := v.series(id)
		if se == nil {
			return nil
		}
		e.Properties = v.datastream(se, o)
		e.One = []sensorthings.ID{sensorthings.ID(o.ID), sensorthings.ID(o.ID), se.property}
		return e
	case sensorthings.ObservedProperties:
		if id < firstProperty || id >= firstProperty+sensorthings.ID(len(v.list.properties)) || !v.observed(id) {
			return nil
		}
		e.Properties = property(v.list.properties[id-firstProperty])
		return e
	case sensorthings.Observations:
		return nil
	default:
	}
	o := v.outlet(id)
	if o == nil {
		return nil
	}
	switch s {
	case sensorthings.Things:
		e.Properties = v.thing(o)
	case sensorthings.Sensors:
		e.Properties = v.sensor(o)
	case sensorthings.Locations, sensorthings.FeaturesOfInterest:
		e.Properties = v.place(o)
	case sensorthings.HistoricalLocations:
		if !o.Since.IsZero() && placed(o) {
			e.Properties, e.One = []json.RawMessage{raw(o.Since.UTC().Format(time.RFC3339))}, []sensorthings.ID{id}
		}
	default:
	}
	if e.Properties == nil {
		return nil
	}
	return e
}

// observed reports whether the asker sees an outlet that has the factor.
func (v *view) observed(property sensorthings.ID) bool {
	return slices.ContainsFunc(v.list.byProperty[property], func(se *series) bool { return v.outlet(sensorthings.ID(se.outlet)) != nil })
}

// fullName names an outlet with its enterprise: many have a stack no. 1.
func (v *view) fullName(o *telemetry.Outlet) telemetry.Name {
	n := o.Name
	e := v.snap.Enterprises[o.Enterprise]
	if e == nil {
		return n
	}
	return telemetry.Name{Zh: both(e.Name.Zh, n.Zh), Bo: both(e.Name.Bo, n.Bo), En: both(e.Name.En, n.En)}
}

func both(a, b string) string {
	if a == "" || b == "" {
		return ""
	}
	return a + " · " + b
}

func (v *view) thing(o *telemetry.Outlet) []json.RawMessage {
	name := v.fullName(o)
	props := object{{"names", named(name)}, {"kind", "outlet"}, {"medium", string(o.Medium)}, {"source_type", o.SourceType}, {"condition", o.Condition}, {"level", o.Level}, {"area", o.Area}}
	if a := v.snap.Areas[o.Area]; a != nil {
		props = append(props, member{"area_names", named(a.Name)})
	}
	if e := v.snap.Enterprises[o.Enterprise]; e != nil {
		props = append(props, member{"enterprise", object{{"id", e.ID}, {"names", named(e.Name)}, {"permit", e.Permit}}})
	}
	if !o.Since.IsZero() {
		props = append(props, member{"since", o.Since.UTC().Format(time.RFC3339)})
	}
	if o.Sample { // invented for the demonstration
		props = append(props, member{"sample", true})
	}
	props = append(props, member{"link", v.s.o.Link("/outlets/" + strconv.FormatUint(uint64(o.ID), 10))})
	return []json.RawMessage{raw(name.Zh), raw(describe(o)), raw(props)}
}

func describe(o *telemetry.Outlet) string {
	s := "HJ 212 outlet (" + string(o.Medium) + ")"
	if o.SourceType != "" {
		s += ": " + o.SourceType
	}
	return s
}

func (v *view) place(o *telemetry.Outlet) []json.RawMessage {
	if !placed(o) {
		return nil
	}
	return []json.RawMessage{
		raw(v.fullName(o).Zh), raw("Where the outlet is, WGS 84"), raw(geoJSON), point(o), raw(object{{"names", named(v.fullName(o))}, {"area", o.Area}}),
	}
}

func point(o *telemetry.Outlet) json.RawMessage {
	return raw(object{{"type", "Point"}, {"coordinates", [2]float64{o.Lon, o.Lat}}})
}

// sensor is the place of the loggers that serve an outlet: they are replaced,
// the series go on. Numbers of loggers stand there as on the outlet's page;
// passwords and keys do not.
func (v *view) sensor(o *telemetry.Outlet) []json.RawMessage {
	var loggers []object
	for _, d := range v.snap.DevicesOf(o.ID) {
		l := object{{"mn", d.MN}, {"from", d.From.UTC().Format(time.RFC3339)}}
		if !d.To.IsZero() {
			l = append(l, member{"to", d.To.UTC().Format(time.RFC3339)})
		}
		loggers = append(loggers, l)
	}
	props := object{{"protocol", "HJ 212"}}
	if loggers != nil {
		props = append(props, member{"loggers", loggers})
	}
	return []json.RawMessage{
		raw(v.fullName(o).Zh), raw("Data logger at the outlet, by HJ 212"), raw(htmlPage), raw(v.s.o.Link("/outlets/" + strconv.FormatUint(uint64(o.ID), 10) + "/devices")), raw(props),
	}
}

func property(code string) []json.RawMessage {
	f, _ := hj212.LookupFactor(code)
	name := factorName(code)
	props := object{{"code", code}, {"names", named(name)}, {"unit", telemetry.FactorUnit(code)}, {"medium", f.Medium}, {"formula", f.Formula}, {"cas", f.CAS}, {"code_2005", f.Old}, {"standard", f.Standard}}
	description := "Factor " + code + " of HJ 212"
	if name.En != "" {
		description += ": " + name.En
	}
	return []json.RawMessage{raw(name.Zh), raw(definitionOf + code), raw(description), raw(props)}
}

func (v *view) datastream(se *series, o *telemetry.Outlet) []json.RawMessage {
	outlet, factor, of := v.fullName(o), factorName(se.code), levelName(&se.key)
	names := telemetry.Name{Zh: both(both(outlet.Zh, factor.Zh), of.Zh), Bo: both(both(outlet.Bo, factor.Bo), of.Bo), En: both(both(outlet.En, factor.En), of.En)}
	props := object{{"names", named(names)}, {"level", se.level.String()}, {"factor", se.code}, {"statistic", se.suffix}, {"judged", se.level.judged()}}
	if se.suffix == suffixFolded {
		props = append(props, member{"reference_oxygen", true})
	}
	var area json.RawMessage
	if placed(o) {
		area = point(o)
	}
	return []json.RawMessage{
		raw(names.Zh), raw("HJ 212 " + of.En + " of factor " + se.code), raw(measurement), raw(unitOf(o, se.code)), area, nil, nil, raw(props),
	}
}
