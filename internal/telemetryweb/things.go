package telemetryweb

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/i18n"
	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
	"plateau/internal/sensorthings/watch"
)

// service is where SensorThings is served; exports of things lead there.
const service = "/sta/v1.1"

// What is read at most for one page: clients may make any number of things.
const (
	mostThings = 20_000
	mostSeries = 50     // of one thing
	mostValues = 20_000 // of one series
)

func thingRoutes() []route {
	return []route{
		{"GET", "/things", SeeThings, (*Handler).thingList},
		{"GET", "/things/alarms", SeeThings, (*Handler).thingAlarms},
		{"GET", "/things/{id}", SeeThings, (*Handler).thing},
	}
}

// reader is where things are read from. Without one there are none.
func (h *Handler) reader() (sensorthings.Reader, error) {
	if h.Things == nil {
		return nil, notFound()
	}
	return h.Things, nil
}

// hasThings reports that links to the pages of things lead somewhere.
func (h *Handler) hasThings(c *call) bool { return h.Things != nil && c.actor.May(SeeThings) }

// clientThings lists the Things that clients made whose name or description
// holds text, by name; cut says that there are more than are looked at.
func clientThings(ctx context.Context, r sensorthings.Reader, text string) (list []*sensorthings.Entity, cut bool, err error) {
	type named struct {
		name string
		e    *sensorthings.Entity
	}
	text = strings.ToLower(text)
	var found []named
	n := 0
	err = r.Entities(ctx, sensorthings.Things, sensorthings.FirstClientID-1, func(e *sensorthings.Entity) bool {
		if n++; n > mostThings {
			cut = true
			return false
		}
		name := textOf(e, "name") // once, not for each comparison
		if text == "" || strings.Contains(strings.ToLower(name+"\n"+textOf(e, "description")), text) {
			found = append(found, named{name, e})
		}
		return true
	})
	slices.SortStableFunc(found, func(a, b named) int { return cmp.Compare(a.name, b.name) })
	for _, f := range found {
		list = append(list, f.e)
	}
	return list, cut, err
}

// textOf is a property that is a JSON string.
func textOf(e *sensorthings.Entity, property string) string {
	s, _ := query.JSON(e.Get(property)).Keep().Str()
	return s
}

// related reads the entities at the end of a relation, at most n of them.
func related(ctx context.Context, r sensorthings.Reader, from sensorthings.Set, id sensorthings.ID, relation string, n int) ([]*sensorthings.Entity, error) {
	way, _ := from.Relation(relation)
	var ids []sensorthings.ID
	if err := r.Related(ctx, from, id, relation, func(x sensorthings.ID) bool {
		ids = append(ids, x)
		return len(ids) < n
	}); err != nil {
		return nil, err
	}
	var out []*sensorthings.Entity
	for _, x := range ids {
		e, err := r.Entity(ctx, way.To, x)
		if errors.Is(err, sensorthings.ErrNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// series is a Datastream with its newest Observation.
type series struct {
	Name      string
	Unit      string
	Rule      watch.Rule
	Malformed string // what is wrong with the rule, "" = nothing
	At        time.Time
	Value     string // the newest result as it was sent, numbers with their unit; "" = there is none
	State     string // above, below, silent, normal, unwatched, none
}

// seriesOf is a series by its Datastream alone, without an Observation.
func seriesOf(e *sensorthings.Entity) series {
	s := series{Name: textOf(e, "name"), State: "none"}
	var unit struct {
		Symbol string `json:"symbol"`
	}
	_ = json.Unmarshal(e.Get("unitOfMeasurement"), &unit) // a unit of another form has no symbol
	s.Unit = unit.Symbol
	var err error
	if s.Rule, err = watch.ParseRule(e.Get("properties")); err != nil {
		s.Malformed = err.Error()
	}
	return s
}

func readSeries(ctx context.Context, r sensorthings.Reader, e *sensorthings.Entity, now time.Time) (series, error) {
	s := seriesOf(e)
	scan := sensorthings.Scan{Datastream: e.ID, From: math.MinInt64, To: math.MaxInt64, Order: sensorthings.ByTimeDesc}
	err := r.Observations(ctx, scan, func(o *sensorthings.Observation) bool {
		s.At, s.Value = instant(o), resultText(o.Result)
		number, ok := query.JSON(o.Result).Float()
		if ok && s.Unit != "" {
			s.Value += " " + s.Unit
		}
		s.State = stateOf(s.Rule, s.At, number, ok, now)
		return false
	})
	return s, err
}

func instant(o *sensorthings.Observation) time.Time { return time.UnixMicro(o.Phenomenon.Start).UTC() }

func stateOf(r watch.Rule, at time.Time, value float64, number bool, now time.Time) string {
	switch {
	case r.SilentAfter > 0 && now.Sub(at) > r.SilentAfter:
		return "silent"
	case number && r.Above != nil && value > *r.Above:
		return "above"
	case number && r.Below != nil && value < *r.Below:
		return "below"
	case r.Any():
		return "normal"
	}
	return "unwatched"
}

// stateOrder orders states, the most pressing first.
var stateOrder = []string{"above", "below", "silent", "normal", "unwatched", "none"}

// shapeOf is the sign of a state. A threshold of a client is no limit of the
// law, so being beyond it is a warning.
func shapeOf(state string) string {
	switch state {
	case "above", "below":
		return "warn"
	case "silent":
		return "offline"
	case "none":
		return "stopped"
	}
	return "normal"
}

// resultText is a result as readers see it: numbers with the digits they came with.
func resultText(raw json.RawMessage) string {
	text := strings.TrimSpace(string(raw))
	if s, ok := query.JSON(raw).Keep().Str(); ok { // the row is used again
		text = s
	}
	const most = 60
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "…"
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil && !strings.ContainsAny(text, "eE") {
		text = i18n.Digits(text)
	}
	return text
}

// values reads a series from an instant on, in order of time, with the one value
// before it; cut says that older ones were left out.
func values(ctx context.Context, r sensorthings.Reader, id sensorthings.ID, from time.Time, most int) (list []watch.Value, cut bool, err error) {
	scan := sensorthings.Scan{Datastream: id, From: math.MinInt64, To: math.MaxInt64, Order: sensorthings.ByTimeDesc}
	err = r.Observations(ctx, scan, func(o *sensorthings.Observation) bool {
		v := watch.Value{At: instant(o)}
		f, ok := query.JSON(o.Result).Float()
		v.Value, v.Other = f, !ok
		list = append(list, v)
		cut = len(list) >= most
		return !cut && !v.At.Before(from)
	})
	slices.Reverse(list)
	return list, cut, err
}

// placeOf is the first Location of a Thing and where it is on the globe.
func placeOf(ctx context.Context, r sensorthings.Reader, thing sensorthings.ID) (name string, lon, lat float64, ok bool, err error) {
	list, err := related(ctx, r, sensorthings.Things, thing, "Locations", 4)
	for _, e := range list {
		if name == "" {
			name = textOf(e, "name")
		}
		if !ok {
			lon, lat, ok = position(e.Get("location"), 0)
		}
	}
	return name, lon, lat, ok, err
}

// position is the first position of GeoJSON.
func position(raw json.RawMessage, depth int) (lon, lat float64, ok bool) {
	var g struct {
		Geometry    json.RawMessage `json:"geometry"`
		Coordinates json.RawMessage `json:"coordinates"`
	}
	if depth > 8 || json.Unmarshal(raw, &g) != nil {
		return 0, 0, false
	}
	if len(g.Geometry) > 0 {
		return position(g.Geometry, depth+1)
	}
	for at := g.Coordinates; depth <= 8; depth++ {
		var pair []float64
		if json.Unmarshal(at, &pair) == nil {
			if len(pair) < 2 {
				return 0, 0, false
			}
			return pair[0], pair[1], true
		}
		var deeper []json.RawMessage
		if json.Unmarshal(at, &deeper) != nil || len(deeper) == 0 {
			return 0, 0, false
		}
		at = deeper[0]
	}
	return 0, 0, false
}
