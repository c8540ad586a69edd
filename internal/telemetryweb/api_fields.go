package telemetryweb

import (
	"reflect"
	"strings"

	"plateau/internal/platform/errs"
	"plateau/internal/platform/openapi"
)

// pick is a choice of fields: what stands below each name that was asked for;
// nothing below it = all of it.
type pick map[string]pick

// pick reads the parameter fields; nil = all. A name that the answer does not
// have is errs.Malformed.
func (c *call) pick() (pick, error) {
	text := c.query("fields")
	if text == "" || c.op == nil {
		return nil, nil //nolint:nilnil // nothing is left out
	}
	p := pick{}
	for name := range strings.SplitSeq(text, ",") {
		at, t := p, itemType(c.op)
		for part := range strings.SplitSeq(strings.TrimSpace(name), ".") {
			var ok bool
			if t, ok = below(t, part); !ok {
				return nil, errs.New(errs.Malformed, "api.field", "field", strings.TrimSpace(name))
			}
			if at[part] == nil {
				at[part] = pick{}
			}
			at = at[part]
		}
	}
	return p, nil
}

// itemType is the type that fields are chosen of.
func itemType(o *op) reflect.Type {
	if o.items == "" {
		if o.Answer == nil {
			return reflect.TypeOf(o.Lines)
		}
		return reflect.TypeOf(o.Answer)
	}
	t, _ := below(reflect.TypeOf(o.Answer), o.items)
	return t
}

// below finds the type of a member; what has no fixed members has any.
func below(t reflect.Type, name string) (reflect.Type, bool) {
	for t != nil && (t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8) {
		t = t.Elem()
	}
	switch {
	case t == nil || t.Kind() == reflect.Interface || t.Kind() == reflect.Slice:
		return nil, true
	case t.Kind() == reflect.Map:
		return t.Elem(), true
	case t.Kind() != reflect.Struct:
		return nil, false
	}
	for f := range openapi.Fields(t) {
		if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag == name {
			return f.Type, true
		}
	}
	return nil, false
}

// of cuts a decoded document down.
func (p pick) of(v any) any {
	if len(p) == 0 {
		return v
	}
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = p.of(v[i])
		}
	case map[string]any:
		for name := range v {
			if sub, ok := p[name]; ok {
				v[name] = sub.of(v[name])
			} else {
				delete(v, name)
			}
		}
	}
	return v
}
