package casework

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Change is what one version of a type has otherwise than another, words aside.
type Change struct {
	What     string // such as "state paused", "action pause from handling"
	Old, New string // what it is in either; "" = it is not there
}

// Diff is what next has otherwise than before: what is gone first, then what is
// new, then what is changed, each in the order of its type.
func Diff(before, next *Type) []Change {
	was, is := before.parts(), next.parts()
	var gone, added, changed []Change
	for _, p := range was {
		i := slices.IndexFunc(is, func(x Change) bool { return x.What == p.What })
		switch {
		case i < 0:
			gone = append(gone, Change{p.What, p.New, ""})
		case is[i].New != p.New:
			changed = append(changed, Change{p.What, p.New, is[i].New})
		}
	}
	for _, p := range is {
		if !slices.ContainsFunc(was, func(x Change) bool { return x.What == p.What }) {
			added = append(added, p)
		}
	}
	return slices.Concat(gone, added, changed)
}

// parts are what a type is made of, each in one line of New.
func (t *Type) parts() []Change {
	out := []Change{{"start", "", t.Start}, {"system", "", t.System}}
	add := func(what string, words ...string) {
		words = slices.DeleteFunc(words, func(w string) bool { return w == "" })
		out = append(out, Change{what, "", cmp.Or(strings.Join(words, ", "), "there")})
	}
	for _, s := range t.States {
		add("state "+s.Name, either(s.Open, "open", "not open"), either(s.Paused, "paused", ""), word("clock", s.Clock), word("public", s.Public))
	}
	for _, a := range t.Actions {
		var effects []string
		for _, e := range a.Effects {
			effects = append(effects, e.Name+either(e.Arg != "", ":"+e.Arg, ""))
		}
		for _, from := range either(len(a.From) > 0, a.From, []string{"nothing"}) {
			add("action "+a.Name+" from "+from, word("to", cmp.Or(a.To, "the same")), list("by", a.Roles), word("form", a.Form), list("guards", a.Guards), list("effects", effects))
		}
	}
	for _, c := range t.Clocks {
		var spans []string
		for _, s := range t.Severities {
			if x, ok := c.Spans[s.Level]; ok {
				spans = append(spans, fmt.Sprintf("%d %d%s", s.Level, x.N, x.Unit))
			}
		}
		add("clock "+c.Name, spans...)
	}
	for _, f := range t.Forms {
		for _, x := range f.Fields {
			var options []string
			for _, o := range x.Options {
				options = append(options, o.Value)
			}
			add("field "+f.Name+"."+x.Name, x.Type, either(x.Required, "required", ""), list("options", options), either(x.Max > 0, "at most "+strconv.Itoa(x.Max), ""),
				either(x.Reporter, "shown to the reporter", ""), either(x.Public, "public", ""))
		}
	}
	for _, s := range t.Severities {
		add("severity " + strconv.Itoa(s.Level))
	}
	for _, c := range t.Categories {
		add("category "+c.Code, "severity "+strconv.Itoa(c.Severity), either(c.Public, "public", ""))
	}
	for i, s := range t.Ladder {
		at := fmt.Sprintf("after %d%s", s.After.N, s.After.Unit)
		if s.Percent > 0 {
			at = fmt.Sprintf("at %d %%", s.Percent)
		}
		add("step "+strconv.Itoa(i+1)+" of the ladder", at, "tell "+s.Tell, either(s.Level > 0, "level +"+strconv.Itoa(s.Level), ""))
	}
	return out
}

func either[T any](is bool, yes, no T) T {
	if is {
		return yes
	}
	return no
}

func word(name, value string) string { return either(value != "", name+" "+value, "") }

func list(name string, values []string) string { return word(name, strings.Join(values, " ")) }
