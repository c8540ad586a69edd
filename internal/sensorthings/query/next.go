package query

import (
	"strconv"
	"strings"
)

// Next returns the query of the link to the following page, percent-encoded and
// without "?": every option as it is, but $skip, or with a token $skiptoken in
// its place.
func (o *Options) Next(skip int64, token string) string {
	n := *o
	n.Skip, n.SkipToken = skip, token
	if token != "" {
		n.Skip = -1
	}
	return n.Encode()
}

// Encode returns the options as a query, percent-encoded and without "?".
func (o *Options) Encode() string {
	var b strings.Builder
	for _, r := range o.list() {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(r.Name)
		b.WriteByte('=')
		escape(&b, r.Value)
	}
	return b.String()
}

// list writes the options in the order of optionNames.
func (o *Options) list() []Raw {
	var out []Raw
	add := func(name, value string) { out = append(out, Raw{name, value}) }
	if o.Filter != nil {
		add("$filter", o.Filter.text)
	}
	if o.Count {
		add("$count", "true")
	}
	if o.OrderBy != nil {
		keys := make([]string, len(o.OrderBy))
		for i, k := range o.OrderBy {
			keys[i] = k.Key.text
			if k.Desc {
				keys[i] += " desc"
			}
		}
		add("$orderby", strings.Join(keys, ","))
	}
	if o.Skip >= 0 {
		add("$skip", strconv.FormatInt(o.Skip, 10))
	}
	if o.Top >= 0 {
		add("$top", strconv.FormatInt(o.Top, 10))
	}
	if o.Select != nil {
		names := make([]string, len(o.Select))
		for i, s := range o.Select {
			names[i] = strings.Join(append([]string{s.Name}, s.Path...), "/")
		}
		add("$select", strings.Join(names, ","))
	}
	if o.Expand != nil {
		add("$expand", expandText(o.Expand))
	}
	if o.ResultFormat != "" {
		add("$resultFormat", o.ResultFormat)
	}
	if o.SkipToken != "" {
		add("$skiptoken", o.SkipToken)
	}
	return out
}

func expandText(list []Expand) string {
	items := make([]string, len(list))
	for i, e := range list {
		items[i] = e.Relation.Name
		inner := e.Options.list()
		if len(inner) == 0 {
			continue
		}
		parts := make([]string, len(inner))
		for j, r := range inner {
			parts[j] = r.Name + "=" + r.Value
		}
		items[i] += "(" + strings.Join(parts, ";") + ")"
	}
	return strings.Join(items, ",")
}

// escape percent-encodes a value of a query. What is legal there and harmless
// stays readable; ";" and "+" are read differently by different programs.
func escape(b *strings.Builder, s string) {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~!$'()*,/:@=", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
}
