package read

import (
	"slices"
	"strconv"

	"plateau/internal/sensorthings"
)

// components are the columns of a data array without $select (clause 12).
var components = []string{"id", "phenomenonTime", "result", "resultTime", "resultQuality", "validTime", "parameters"}

// dataArray writes Observations as one group per Datastream, in the order in
// which they are first met.
func (e *env) dataArray(l listing, path string, out Output) error {
	columns := components
	if l.o.Select != nil {
		columns = nil
		for _, sel := range l.o.Select {
			name := sel.Name
			if name == "@iot.id" {
				name = "id"
			}
			if slices.Contains(components, name) && !slices.Contains(columns, name) {
				columns = append(columns, name)
			}
		}
	}
	head, err := e.appendCount([]byte{'{'}, "@iot.count", l)
	if err != nil {
		return err
	}
	var groups []*group
	byID := map[sensorthings.ID]*group{}
	more, next, err := e.walk(l, e.size(l.o), func(it item) error {
		g := byID[it.o.Datastream]
		if g == nil {
			g = &group{datastream: it.o.Datastream}
			byID[it.o.Datastream] = g
			groups = append(groups, g)
		}
		g.add(it, columns)
		return nil
	})
	if err != nil {
		return err
	}
	if more {
		head = AppendString(member(head, "@iot.nextLink"), nextLink(path, l.o, next))
	}
	out.Begin(Head{Type: jsonType})
	if _, err := out.Write(append(member(head, "value"), '[')); err != nil {
		return err
	}
	for i, g := range groups {
		var b []byte
		if i > 0 {
			b = append(b, ',')
		}
		b = e.appendAddress(append(b, `{"Datastream@iot.navigationLink":"`...), sensorthings.Datastreams, g.datastream)
		b = append(b, `","components":[`...)
		for c, name := range columns {
			if c > 0 {
				b = append(b, ',')
			}
			b = AppendString(b, name)
		}
		b = append(append(b, `],"dataArray":[`...), g.rows...)
		if _, err := out.Write(append(b, "]}"...)); err != nil {
			return err
		}
	}
	_, err = out.Write([]byte("]}"))
	return err
}

// group is the rows of one Datastream.
type group struct {
	datastream sensorthings.ID
	rows       []byte
}

func (g *group) add(it item, columns []string) {
	b := g.rows
	if len(b) > 0 {
		b = append(b, ',')
	}
	b = append(b, '[')
	for i, name := range columns {
		if i > 0 {
			b = append(b, ',')
		}
		if name == "id" {
			b = strconv.AppendInt(b, it.id(), 10)
			continue
		}
		var ok bool
		if b, ok = it.appendProperty(b, name); !ok {
			b = append(b, "null"...)
		}
	}
	g.rows = append(b, ']')
}
