package read

import (
	"errors"

	"plateau/internal/sensorthings"
)

// appendExpansion inlines one relation of an entity. What does not fit into the
// budget stays a link: a navigationLink of a relation to one, a nextLink of a
// relation to many.
func (e *env) appendExpansion(b []byte, x *expansion, it item, budget int) (_ []byte, used int, err error) {
	if x.relation.Many {
		return e.appendMany(b, x, it, budget)
	}
	name := x.relation.Name
	id := it.to(name)
	if id != 0 && budget <= 0 {
		return e.appendNavigation(b, it, name), 0, nil
	}
	b = member(b, name)
	if id == 0 {
		return append(b, "null"...), 0, nil
	}
	row, err := e.entity(x.relation.To, id)
	if errors.Is(err, sensorthings.ErrNotFound) {
		return append(b, "null"...), 0, nil
	}
	if err != nil {
		return b, 0, err
	}
	b, used, err = e.appendItem(b, x.shape, item{env: e, e: row.e}, budget-1)
	return b, used + 1, err
}

// appendMany inlines a relation to many: first the entities, then what they
// inline, each with an equal share of what is left, so that the last one is not
// left empty because the first had much.
func (e *env) appendMany(b []byte, x *expansion, it item, budget int) (_ []byte, used int, err error) {
	name := x.relation.Name
	l := listing{set: x.relation.To, parent: &link{it.set(), it.id(), x.relation}, o: x.options}
	if b, err = e.appendCount(b, name+"@iot.count", l); err != nil {
		return b, 0, err
	}
	pg, err := e.page(l, budget)
	if err != nil {
		return b, 0, err
	}
	used = len(pg.items)
	b = append(member(b, name), '[')
	for i, child := range pg.items {
		if i > 0 {
			b = append(b, ',')
		}
		var n int
		if b, n, err = e.appendItem(b, x.shape, child, (budget-used)/(len(pg.items)-i)); err != nil {
			return b, 0, err
		}
		used += n
	}
	b = append(b, ']')
	if pg.more {
		path := string(e.appendAddress(nil, it.set(), it.id())) + "/" + name
		b = AppendString(member(b, name+"@iot.nextLink"), nextLink(path, x.options, pg.next))
	}
	return b, used, nil
}
