package query

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"plateau/internal/sensorthings"
)

const maxSteps = 24

// ParsePath reads an escaped resource path behind the service root, such as
// "/Things(1)/Datastreams". The error is an *Error: 404 for what is not there,
// 400 for what cannot be read.
func ParsePath(escaped string) (*Path, error) {
	if len(escaped) > maxText {
		return nil, fault(-1, "the path is longer than %d bytes", maxText)
	}
	text, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, fault(-1, "the path is not percent-encoded rightly")
	}
	parts, err := splitPath(text)
	if err != nil {
		return nil, err
	}
	p := &Path{}
	for i, part := range parts {
		last := i == len(parts)-1
		switch {
		case p.Value || p.Ref:
			return nil, missing("nothing follows %s", parts[i-1])
		case last && part == "$ref":
			if len(p.Steps) == 0 || p.Property != nil {
				return nil, missing("$ref stands behind a set or an entity")
			}
			p.Ref = true
		case last && part == "$value":
			if p.Property == nil {
				return nil, missing("$value stands behind a property")
			}
			p.Value = true
		case p.Property != nil:
			p.Property = append(p.Property, part)
		default:
			if err := p.step(part); err != nil {
				return nil, err
			}
		}
	}
	if n := len(p.Property); n > 1 {
		last := p.Steps[len(p.Steps)-1]
		if d, ok := last.Set.Property(p.Property[0]); !ok || !d.Kind.HasMembers() {
			return nil, missing("%s has no members", p.Property[0])
		}
	}
	return p, nil
}

// splitPath cuts at "/" outside of quotes. A single one at the end is left out.
func splitPath(s string) ([]string, error) {
	s = strings.TrimPrefix(s, "/")
	if s == "" {
		return nil, nil
	}
	s = strings.TrimSuffix(s, "/")
	var parts []string
	quoted, from := false, 0
	for i := range len(s) {
		switch s[i] {
		case '\'':
			if quoted || inKey(s[from:i]) {
				quoted = !quoted
			}
		case '/':
			if !quoted {
				parts = append(parts, s[from:i])
				from = i + 1
			}
		}
	}
	if quoted {
		return nil, fault(-1, "a quote in the path is not closed")
	}
	parts = append(parts, s[from:])
	if len(parts) > maxSteps {
		return nil, fault(-1, "the path has more than %d steps", maxSteps)
	}
	if slices.Contains(parts, "") {
		return nil, missing("the path has an empty step")
	}
	return parts, nil
}

// inKey reports that a quote after s begins or goes on in a key: Things('a”b').
func inKey(s string) bool { return strings.HasSuffix(s, "(") || strings.HasSuffix(s, "'") }

// step reads one set, relation or property.
func (p *Path) step(part string) error {
	name, key, keyed := strings.Cut(part, "(")
	if keyed {
		if !strings.HasSuffix(key, ")") {
			return fault(-1, "%q: the key does not end in \")\"", shorten(part))
		}
		key = key[:len(key)-1]
	}
	var s Step
	if len(p.Steps) == 0 {
		set, ok := sensorthings.SetNamed(name)
		if !ok {
			var names []string
			for _, s := range sensorthings.Sets() {
				names = append(names, s.String())
			}
			return missing("there is no %q here%s", shorten(name), hint(name, names))
		}
		s = Step{Set: set, Many: true}
	} else {
		last := p.Steps[len(p.Steps)-1]
		r, ok := last.Set.Relation(name)
		switch {
		case last.Many:
			return missing("%s is a set: name one of it, as in %s(1)/%s", last.Set, last.Set, shorten(name))
		case !ok:
			return p.property(last.Set, part)
		}
		s = Step{Relation: r, Set: r.To, Many: r.Many}
	}
	if keyed {
		if !s.Many {
			return missing("%s is a single entity and takes no key", name)
		}
		id, err := parseKey(key)
		if err != nil {
			return err
		}
		s.Many, s.Keyed, s.Key = false, true, id
	}
	p.Steps = append(p.Steps, s)
	return nil
}

func (p *Path) property(set sensorthings.Set, name string) error {
	if name == "id" {
		name = "@iot.id"
	}
	if _, ok := set.Property(name); !ok && name != "@iot.id" {
		return missing("%s have no property or relation %q%s", set, shorten(name), hint(name, namesOf(set)))
	}
	p.Property = []string{name}
	return nil
}

// parseKey reads an identifier. Texts are keys of other servers: none is here.
func parseKey(key string) (sensorthings.ID, error) {
	key = strings.TrimSpace(key)
	if len(key) >= 2 && key[0] == '\'' && key[len(key)-1] == '\'' {
		return 0, missing("there is no entity %s: identifiers are whole numbers", shorten(key))
	}
	id, err := strconv.ParseInt(key, 10, 64)
	if err == nil {
		return id, nil
	}
	if n := strings.TrimPrefix(key, "-"); n != "" && strings.Trim(n, "0123456789") == "" {
		return 0, missing("there is no entity %s", shorten(key))
	}
	return 0, fault(-1, "%q is no identifier: they are whole numbers, as in Things(1)", shorten(key))
}

func missing(format string, args ...any) *Error {
	e := fault(-1, format, args...)
	e.Status = 404
	return e
}

// String writes the path unescaped, such as "/Things(1)/Datastreams/$ref".
func (p *Path) String() string {
	var b strings.Builder
	for i, s := range p.Steps {
		b.WriteByte('/')
		if i == 0 {
			b.WriteString(s.Set.String())
		} else {
			b.WriteString(s.Relation.Name)
		}
		if s.Keyed {
			b.WriteString("(" + strconv.FormatInt(s.Key, 10) + ")")
		}
	}
	for _, m := range p.Property {
		b.WriteString("/" + m)
	}
	switch {
	case p.Value:
		b.WriteString("/$value")
	case p.Ref:
		b.WriteString("/$ref")
	}
	return b.String()
}
