package read

import "plateau/internal/sensorthings/query"

// Values of $resultFormat.
const (
	formatDataArray = "dataArray"
	formatGeoJSON   = "GeoJSON"
	formatCSV       = "CSV"
)

// chunk is how much is written at once.
const chunk = 32 << 10

// collection answers with a set.
func (e *env) collection(t target, p *query.Path, o *query.Options, out Output) error {
	l := listing{t.set, t.parent, o}
	path := e.base + p.String()
	sh := shapeOf(t.set, o)
	if p.Ref {
		sh = &shape{set: t.set, self: true}
	}
	switch o.ResultFormat {
	case formatDataArray:
		return e.dataArray(l, path, out)
	case formatGeoJSON, formatCSV:
		pg, err := e.page(l, e.limits.MaxPage)
		if err != nil {
			return err
		}
		next := ""
		if pg.more {
			next = nextLink(path, o, pg.next)
		}
		if o.ResultFormat == formatCSV {
			return e.csv(sh, pg, next, out)
		}
		return e.features(l, sh, pg, next, out)
	}
	return e.list(l, path, sh, out)
}

// list writes {"@iot.count": n, "value": [...], "@iot.nextLink": "..."}.
func (e *env) list(l listing, path string, sh *shape, out Output) error {
	b := make([]byte, 0, chunk+4096)
	b = append(b, '{')
	b, err := e.appendCount(b, "@iot.count", l)
	if err != nil {
		return err
	}
	b = append(member(b, "value"), '[')
	out.Begin(Head{Type: jsonType})
	w := &writer{out: out, b: b}
	var more bool
	var next position
	if sh.toMany() {
		more, next, err = e.listShared(l, sh, w)
	} else {
		left := e.limits.Inline
		more, next, err = e.walk(l, e.size(l.o), func(it item) error { return w.item(sh, it, &left, left, e.appendItem) })
	}
	if err != nil {
		return err
	}
	w.b = append(w.b, ']')
	if more {
		w.b = AppendString(member(w.b, "@iot.nextLink"), nextLink(path, l.o, next))
	}
	w.b = append(w.b, '}')
	return w.flush()
}

// listShared lists entities that inline many others: the page is read first, so
// that each gets its share of what may be inlined.
func (e *env) listShared(l listing, sh *shape, w *writer) (more bool, next position, err error) {
	pg, err := e.page(l, e.limits.MaxPage)
	left := e.limits.Inline
	for i, it := range pg.items {
		if err == nil {
			err = w.item(sh, it, &left, left/(len(pg.items)-i), e.appendItem)
		}
	}
	return pg.more, pg.next, err
}

// writer collects small pieces.
type writer struct {
	out  Output
	b    []byte
	some bool // an element was written
}

// item writes an element that may inline share entities of those left.
func (w *writer) item(sh *shape, it item, left *int, share int, appendTo func([]byte, *shape, item, int) ([]byte, int, error)) error {
	if w.some {
		w.b = append(w.b, ',')
	}
	w.some = true
	var used int
	var err error
	w.b, used, err = appendTo(w.b, sh, it, share)
	*left -= used
	if err != nil || len(w.b) < chunk {
		return err
	}
	return w.flush()
}

func (w *writer) flush() error {
	_, err := w.out.Write(w.b)
	w.b = w.b[:0]
	return err
}
