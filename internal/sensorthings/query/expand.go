package query

import (
	"slices"
	"strings"

	"plateau/internal/sensorthings"
)

// innerOptions are those that may stand in the parentheses of $expand.
var innerOptions = []string{"$filter", "$count", "$orderby", "$skip", "$top", "$select", "$expand"}

// expand reads text[from:to], a list of A, A/B, A(options), A/B(options). Items
// with the same first step become one. Places in errors count from the beginning
// of text.
func (b *optionParser) expand(set sensorthings.Set, text string, from, to int) ([]Expand, error) {
	var out []Expand
	err := b.expandInto(set, &out, text, from, to)
	return out, err
}

func (b *optionParser) expandInto(set sensorthings.Set, list *[]Expand, text string, from, to int) error {
	b.depth++
	defer func() { b.depth-- }()
	if b.depth > maxExpandDepth {
		return fault(from, "nested deeper than %d levels", maxExpandDepth)
	}
	for pos := from; ; {
		end, err := until(text, pos, to, ',')
		if err != nil {
			return err
		}
		if err := b.item(set, list, text, pos, end); err != nil {
			return err
		}
		if end == to {
			return nil
		}
		pos = end + 1
	}
}

// item reads one item into the list of a level.
func (b *optionParser) item(set sensorthings.Set, list *[]Expand, text string, from, to int) error {
	from, to = trimmed(text, from, to)
	path, inner := text[from:to], -1
	if i := strings.IndexByte(path, '('); i >= 0 {
		if path[len(path)-1] != ')' {
			return fault(to, "expected \",\" behind the parentheses")
		}
		inner = from + i
		path = strings.TrimRight(path[:i], " \t")
	}
	at := from
	for n, name := range strings.Split(path, "/") {
		if n > maxExpandDepth {
			return fault(at, "nested deeper than %d levels", maxExpandDepth)
		}
		r, ok := set.Relation(name)
		if !ok {
			return fault(at, "%s have no relation %q%s", set, shorten(name), hint(name, relationsOf(set)))
		}
		i := slices.IndexFunc(*list, func(e Expand) bool { return e.Relation.Name == name })
		if i < 0 {
			if b.expands++; b.expands > maxExpands {
				return fault(at, "more than %d relations: ask in several requests", maxExpands)
			}
			i = len(*list)
			*list = append(*list, Expand{r, none()})
		}
		e := &(*list)[i]
		set, list, at = r.To, &e.Options.Expand, at+len(name)+1
		if inner >= 0 && at > from+len(path) {
			return b.inner(set, &e.Options, text, inner+1, to-1)
		}
	}
	return nil
}

// inner reads options separated by ";" into o.
func (b *optionParser) inner(set sensorthings.Set, o *Options, text string, from, to int) error {
	for pos := from; pos <= to; {
		end, err := until(text, pos, to, ';')
		if err != nil {
			return err
		}
		start, stop := trimmed(text, pos, end)
		pos = end + 1
		if start == stop {
			continue // "()" and a ";" at the end
		}
		name, value, ok := strings.Cut(text[start:stop], "=")
		name = strings.TrimSpace(name)
		switch {
		case !ok || !strings.HasPrefix(name, "$"):
			return fault(start, "expected $option=value, found %q", shorten(text[start:stop]))
		case slices.Contains(optionNames, name) && !slices.Contains(innerOptions, name):
			return fault(start, "%s does not go into $expand", name)
		}
		at := stop - len(value)
		if name == "$expand" { // also beside A/B of the same request: merged, not doubled
			if err := b.expandInto(set, &o.Expand, text, at, stop); err != nil {
				return err
			}
			continue
		}
		if err := b.option(set, o, name, strings.TrimSpace(value)); err != nil {
			return within(name, at+len(value)-len(strings.TrimLeft(value, " \t\r\n")), err)
		}
	}
	return nil
}

// until finds the separator outside of quotes and parentheses, or to.
func until(text string, from, to int, separator byte) (int, error) {
	depth, quoted, opened := 0, false, from
	for i := from; i < to; i++ {
		switch c := text[i]; {
		case c == '\'':
			quoted = !quoted
			if quoted && depth == 0 {
				opened = i
			}
		case quoted:
		case c == '(':
			if depth++; depth == 1 {
				opened = i
			}
		case c == ')':
			if depth--; depth < 0 {
				return 0, fault(i, "\")\" without \"(\"")
			}
		case c == separator && depth == 0:
			return i, nil
		}
	}
	if quoted || depth > 0 {
		return 0, fault(opened, "a quote or parenthesis is not closed")
	}
	return to, nil
}

// trimmed leaves blanks at both ends out.
func trimmed(text string, from, to int) (int, int) {
	for from < to && isBlank(text[from]) {
		from++
	}
	for to > from && isBlank(text[to-1]) {
		to--
	}
	return from, to
}
