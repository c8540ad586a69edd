package read

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// cell is one scalar of an entity under its path: Thing/name,
// Observations/0/result. Empty objects and arrays are scalars too.
type cell struct {
	path string
	raw  json.RawMessage
}

// flat is an entity without its depth.
type flat struct {
	cells    []cell
	asCells  bool            // geometries are cells too
	geometry json.RawMessage // the first one met, nil = none
}

// geometries are the members of entities that may hold GeoJSON.
var geometries = []string{"location", "feature", "observedArea"}

// flatten takes an entity as appendItem wrote it apart. Links are left out, and
// unless asCells so are members that hold a geometry.
func flatten(entity []byte, asCells bool) (flat, error) {
	f := flat{asCells: asCells}
	err := f.split(entity, "", true)
	return f, err
}

// split takes one value apart; entity says that the members of an object may be
// those of an entity rather than of a property.
func (f *flat) split(raw json.RawMessage, path string, entity bool) error {
	empty := len(raw) == 2 && (raw[0] == '{' || raw[0] == '[')
	if len(raw) == 0 || raw[0] != '{' && raw[0] != '[' || empty {
		if !entity || !empty { // an expanded relation without entities says nothing
			f.cells = append(f.cells, cell{path, raw})
		}
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return err
	}
	for i := 0; dec.More(); i++ {
		name := strconv.Itoa(i)
		if raw[0] == '{' {
			t, err := dec.Token()
			if err != nil {
				return err
			}
			name, _ = t.(string)
		}
		var below json.RawMessage
		if err := dec.Decode(&below); err != nil {
			return err
		}
		if entity && raw[0] == '{' {
			if strings.HasSuffix(name, "Link") && strings.Contains(name, "@iot.") && name != "@iot.selfLink" || strings.HasSuffix(name, "@iot.count") {
				continue
			}
			if g := geometryOf(name, below); g != nil && !f.asCells {
				if f.geometry == nil {
					f.geometry = g
				}
				continue
			}
		}
		at := name
		if path != "" {
			at = path + "/" + name
		}
		// Members of properties are never entities, whatever their names.
		if err := f.split(below, at, entity && (raw[0] == '[' || name[0] >= 'A' && name[0] <= 'Z')); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

// geometryOf returns the geometry in a member of an entity, nil when it holds
// none: that of a Feature, or the value itself.
func geometryOf(name string, raw json.RawMessage) json.RawMessage {
	if !slices.Contains(geometries, name) || len(raw) == 0 || raw[0] != '{' {
		return nil
	}
	var g struct {
		Type        string          `json:"type"`
		Coordinates json.RawMessage `json:"coordinates"`
		Geometries  json.RawMessage `json:"geometries"`
		Geometry    json.RawMessage `json:"geometry"`
	}
	if err := json.Unmarshal(raw, &g); err != nil {
		return nil
	}
	switch {
	case g.Type == "Feature" && len(g.Geometry) > 0 && g.Geometry[0] == '{':
		return g.Geometry
	case g.Coordinates != nil || g.Type == "GeometryCollection" && g.Geometries != nil:
		return raw
	}
	return nil
}
