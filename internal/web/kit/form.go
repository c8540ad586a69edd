package kit

import (
	"errors"
	"net/http"

	"plateau/internal/platform/errs"
	"plateau/internal/web"
)

// Field is a text field with the words of the module: WORDS.field_NAME above it, and
// the hint WORDS.hint_NAME where the catalogue has one.
func (c *Call) Field(name, value string, optional bool) web.Field {
	f := web.Field{Name: name, Label: c.L.T(c.m.Words + ".field_" + name), Value: value, Width: "medium", Optional: optional}
	if key := c.m.Words + ".hint_" + name; c.L.Has(key) {
		f.Hint = c.L.T(key)
	}
	return f
}

// Choose is a Field to choose one of some options, with the current one chosen.
func (c *Call) Choose(name, current string, options ...web.Option) web.Field {
	f := c.Field(name, "", false)
	f.Kind = "select"
	for _, o := range options {
		o.Selected = o.Value == current
		f.Options = append(f.Options, o)
	}
	return f
}

// Crumbs lead back to pages above: pairs of the key of a page's title and its
// address, the highest first.
func (c *Call) Crumbs(pages ...string) []web.Crumb {
	var out []web.Crumb
	for i := 0; i+1 < len(pages); i += 2 {
		out = append(out, web.Crumb{Text: c.L.T(pages[i]), Path: pages[i+1]})
	}
	return out
}

// Pointers are the fields of a form for Faults.
func Pointers(fields []web.Field) []*web.Field {
	out := make([]*web.Field, len(fields))
	for i := range fields {
		out[i] = &fields[i]
	}
	return out
}

// Faults puts the sentences of a form's error beside their fields and into the
// page's summary. It returns the status to answer with, 200 for no error, or err
// when it is about no field.
func (c *Call) Faults(err error, p *web.Page, fields ...*web.Field) (int, error) {
	if err == nil {
		return http.StatusOK, nil
	}
	e, ok := errors.AsType[*errs.Error](err)
	if !ok || e.Kind != errs.Invalid || len(e.Fields) == 0 {
		return 0, err
	}
	for _, wrong := range e.Fields {
		text := c.L.T(wrong.Key, wrong.Args...)
		p.Errors = append(p.Errors, web.FieldError{Field: wrong.Name, Text: text})
		for _, f := range fields {
			if f.Name == wrong.Name {
				f.Error = text
			}
		}
	}
	return http.StatusUnprocessableEntity, nil
}
