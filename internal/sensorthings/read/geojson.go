package read

import "strconv"

const geoJSONType = "application/geo+json"

// features writes a page as a FeatureCollection (RFC 7946).
func (e *env) features(l listing, sh *shape, pg page, next string, out Output) error {
	b, err := e.appendCount([]byte(`{"type":"FeatureCollection"`), "@iot.count", l)
	if err != nil {
		return err
	}
	if next != "" {
		b = AppendString(member(b, "@iot.nextLink"), next)
	}
	out.Begin(Head{Type: geoJSONType})
	w := &writer{out: out, b: append(member(b, "features"), '[')}
	left := e.limits.Inline
	for i, it := range pg.items {
		if err := w.item(sh, it, &left, left/(len(pg.items)-i), e.appendFeature); err != nil {
			return err
		}
	}
	w.b = append(w.b, "]}"...)
	return w.flush()
}

// oneFeature writes one entity as a Feature.
func (e *env) oneFeature(it item, sh *shape, out Output) error {
	b, _, err := e.appendFeature(nil, sh, it, e.limits.Inline)
	if err != nil {
		return err
	}
	out.Begin(Head{Type: geoJSONType, Single: true})
	_, err = out.Write(b)
	return err
}

func (e *env) appendFeature(b []byte, sh *shape, it item, budget int) (_ []byte, used int, err error) {
	entity, used, err := e.appendItem(nil, sh, it, budget)
	if err != nil {
		return b, 0, err
	}
	f, err := flatten(entity, false)
	if err != nil {
		return b, 0, err
	}
	b = strconv.AppendInt(append(b, `{"type":"Feature","id":`...), it.id(), 10)
	b = append(b, `,"geometry":`...)
	if f.geometry == nil {
		b = append(b, "null"...)
	}
	b = append(append(b, f.geometry...), `,"properties":{`...)
	for i, c := range f.cells {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(AppendString(b, c.path), ':')
		b = append(b, c.raw...)
	}
	return append(b, "}}"...), used, nil
}
