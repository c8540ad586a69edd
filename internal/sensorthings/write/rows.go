package write

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"plateau/internal/sensorthings"
)

// maxRows is the most observations that one CreateObservations takes.
const maxRows = 250_000

// Row is what became of one row of a data array.
type Row struct {
	ID    sensorthings.ID
	Fault string // why it was not stored; "" = it was
}

// group is one element of the request: a Datastream with its rows, of which
// those in [first, end) of the request are its own.
type group struct {
	datastream sensorthings.ID
	columns    []int // property of each component, or one of the two below
	first, end int
}

// Meanings of components beside the properties of an Observation.
const (
	unknownColumn = -1
	featureColumn = -2
)

// table is a CreateObservations request as it was read. Rows that cannot be
// stored have a fault already.
type table struct {
	groups []group
	rows   []Row
	obs    []sensorthings.Observation // one a row; Feature as asked for, 0 = the generated one
}

// CreateObservations stores the rows of a data array (clause 13.2) and tells of
// each what became of it, in order. A row that cannot be stored does not stop
// the others; all others are durable together. body is kept: what was stored
// refers to it.
func (w *Writer) CreateObservations(ctx context.Context, body []byte) ([]Row, error) {
	t, err := readTable(body, nil)
	if err != nil {
		return nil, err
	}
	if err = w.append(ctx, t); errors.Is(err, errRestless) {
		err = w.Update(ctx, func(s *Session) error { return s.keep(ctx, t) })
	}
	return t.rows, err
}

// append stores a table outside of a transaction.
func (w *Writer) append(ctx context.Context, t *table) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	// What was found first may be gone when the last is found, because the lock
	// is given up meanwhile; then all is known and found at once.
	for range 4 {
		generation := w.store.Generation()
		err := t.find(func(datastream, feature sensorthings.ID) (sensorthings.ID, error) {
			return w.find(ctx, datastream, feature)
		})
		switch {
		case err != nil:
			return err
		case w.store.Generation() != generation:
			continue
		}
		good := t.good()
		if len(good) == 0 {
			return nil
		}
		ids, err := w.store.Append(ctx, good)
		if err == nil {
			t.number(ids)
		}
		return err
	}
	return errRestless
}

// CreateObservations is that of Writer inside the session.
func (s *Session) CreateObservations(ctx context.Context, body []byte) ([]Row, error) {
	t, err := readTable(body, s.refs)
	if err != nil {
		return nil, err
	}
	return t.rows, s.keep(ctx, t)
}

func (s *Session) keep(ctx context.Context, t *table) error {
	err := t.find(func(datastream, feature sensorthings.ID) (sensorthings.ID, error) {
		if err := s.mayLink(ctx, nil, Ref{sensorthings.Datastreams, datastream}); err != nil {
			return 0, err
		}
		if feature != 0 {
			return feature, s.mayLink(ctx, nil, Ref{sensorthings.FeaturesOfInterest, feature})
		}
		return s.feature(ctx, nil, datastream)
	})
	if err != nil {
		return err
	}
	good := t.good()
	ids := make([]sensorthings.ID, len(good))
	for i := range good {
		if ids[i], err = s.tx.Observe(&good[i]); err != nil {
			return err
		}
	}
	t.number(ids)
	return nil
}

// find gives every row its feature, asking once for each Datastream and feature
// that follow each other. What is not there becomes the fault of its rows.
func (t *table) find(ask func(datastream, feature sensorthings.ID) (sensorthings.ID, error)) error {
	type pair struct{ datastream, feature sensorthings.ID }
	type answer struct {
		feature sensorthings.ID
		fault   string
	}
	known := map[pair]answer{}
	for g := range t.groups {
		var last pair
		var a answer
		for i := t.groups[g].first; i < t.groups[g].end; i++ {
			if t.rows[i].Fault != "" {
				continue
			}
			p := pair{t.groups[g].datastream, t.obs[i].Feature}
			if p != last {
				var ok bool
				if a, ok = known[p]; !ok {
					f, err := ask(p.datastream, p.feature)
					switch {
					case StatusOf(err) != 0:
						a.fault = err.Error()
					case err != nil:
						return err
					}
					a.feature = f
					known[p] = a
				}
				last = p
			}
			t.rows[i].ID, t.rows[i].Fault = a.feature, a.fault
		}
	}
	return nil
}

// good returns the observations of the rows without a fault; their feature is
// the one that find left.
func (t *table) good() []sensorthings.Observation {
	good := t.obs[:0]
	for i := range t.rows {
		if t.rows[i].Fault == "" {
			o := t.obs[i]
			o.Feature = t.rows[i].ID
			good = append(good, o)
		}
	}
	return good
}

func (t *table) number(ids []sensorthings.ID) {
	for i := range t.rows {
		if t.rows[i].Fault == "" {
			t.rows[i].ID, ids = ids[0], ids[1:]
		} else {
			t.rows[i].ID = 0
		}
	}
}

// readTable reads the request; what is wrong with one row is noted there, what
// is wrong around the rows is a *query.Error.
func readTable(body []byte, refs map[string]Ref) (*table, error) {
	body, ok := valid(body)
	if !ok || !isArray(body) {
		return nil, bad(nil, `the body is no JSON array of groups in UTF-8: [{"Datastream": {"@iot.id": 1}, "components": ["phenomenonTime", "result"], "dataArray": [["2016-01-01T04:00:00Z", 21.5]]}]`)
	}
	t := &table{}
	err := elements(body, func(i int, v []byte) error { return t.group(v, (*place)(nil).item("", i), refs) })
	return t, err
}

func (t *table) group(b []byte, p *place, refs map[string]Ref) error {
	if !isObject(b) {
		return bad(p, "is %s, write an object with Datastream, components and dataArray", kindOf(b))
	}
	var to, components, data []byte
	multi := false
	_ = members(b, func(name, v []byte) error {
		switch string(name) {
		case "Datastream":
			to = v
		case "components":
			components = v
		case "dataArray":
			data = v
		case "MultiDatastream":
			multi = true
		}
		return nil
	})
	switch {
	case multi && to == nil:
		return bad(p, "there are no MultiDatastreams here; give a Datastream for each of their results")
	case to == nil:
		return bad(p, "needs Datastream: {\"@iot.id\": …}")
	case !isArray(components):
		return bad(p, "needs components, an array of names such as [\"phenomenonTime\", \"result\"]")
	case !isArray(data):
		return bad(p, "needs dataArray, an array of rows")
	}
	id, linked, err := link(to, sensorthings.Datastreams, p.member("Datastream"), refs)
	if err != nil {
		return err
	}
	if !linked {
		return bad(p.member("Datastream"), "is no link; write {\"@iot.id\": …}")
	}
	g := group{datastream: id, first: len(t.rows)}
	if g.columns, err = columns(components, p.member("components")); err != nil {
		return err
	}
	err = elements(data, func(_ int, row []byte) error {
		if len(t.rows) == maxRows {
			return refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("more than %d rows in one request; send them in several", maxRows))
		}
		o := sensorthings.Observation{Datastream: id}
		fault := readRow(&o, g.columns, row)
		if len(t.rows) == cap(t.rows) { // the rest is probably as long as what is read
			more := min(len(data)/len(row)+16, maxRows)
			t.obs, t.rows = slices.Grow(t.obs, more), slices.Grow(t.rows, more)
		}
		t.obs = append(t.obs, o)
		t.rows = append(t.rows, Row{Fault: fault})
		return nil
	})
	g.end = len(t.rows)
	t.groups = append(t.groups, g)
	return err
}

// columns reads the names of the components.
func columns(b []byte, p *place) ([]int, error) {
	var out []int
	var have [parameters + 1]bool
	err := elements(b, func(_ int, v []byte) error {
		if !isText(v) {
			return bad(p, "holds %s, write names", kindOf(v))
		}
		c := unknownColumn
		switch name := unquote(v); name {
		case "FeatureOfInterest/id", "FeatureOfInterest/@iot.id":
			c = featureColumn
		default:
			for i, def := range sensorthings.Observations.Properties() {
				if def.Name == name {
					c, have[i] = i, true
				}
			}
		}
		out = append(out, c)
		return nil
	})
	if err == nil && (!have[phenomenonTime] || !have[result]) {
		err = bad(p, "lack phenomenonTime or result, which every row needs")
	}
	return out, err
}

var errStop = errors.New("stop")

// readRow reads one row; fault is what is wrong with it, "" when nothing is.
func readRow(o *sensorthings.Observation, columns []int, row []byte) (fault string) {
	if !isArray(row) {
		return "the row is " + kindOf(row) + ", write an array of values"
	}
	n := 0
	_ = elements(row, func(i int, v []byte) error {
		n++
		if i >= len(columns) {
			return nil
		}
		switch c := columns[i]; {
		case c == featureColumn:
			if isNull(v) {
				return nil
			}
			f, err := identifier(v, sensorthings.FeaturesOfInterest, nil, nil)
			if err != nil {
				fault = "FeatureOfInterest/id: " + err.Error()
				return errStop
			}
			o.Feature = f
		case c == unknownColumn:
		case c == phenomenonTime && isNull(v):
			fault = "phenomenonTime is null"
			return errStop
		default:
			if f := setObserved(o, c, v); f != "" {
				fault = sensorthings.Observations.Properties()[c].Name + " " + f
				return errStop
			}
		}
		return nil
	})
	if fault == "" && n != len(columns) {
		fault = fmt.Sprintf("the row has %d values, components names %d", n, len(columns))
	}
	return fault
}
