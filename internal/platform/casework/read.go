package casework

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"plateau/internal/platform/near"
)

// read reads the parts of a type, those first that others name.
func (r *reader) read(root *yaml.Node) {
	if root.Kind != yaml.MappingNode {
		r.is(root, yaml.MappingNode, "the file", "kind, version, start, states and actions, each with a colon")
		return
	}
	keys := r.keyed(root, "the type", "kind", "version", "system", "effective_from", "effective_to", "name", "source", "basis",
		"start", "severities", "categories", "states", "actions", "clocks", "forms", "ladder", "take_back")
	for _, must := range []string{"kind", "version", "start", "states", "actions"} {
		if keys[must].value == nil {
			r.add(root.Line, "%s is missing; add it", must)
		}
	}
	t := r.t
	t.Kind = r.text(keys["kind"], "kind")
	if t.Kind != "" {
		r.name(entry{t.Kind, keys["kind"].value.Line, nil}, "kind")
	}
	t.Version = r.number(keys["version"], "version", 1, 1_000_000)
	r.systemOf(keys["system"])
	t.From, t.To = r.day(keys["effective_from"], "effective_from"), r.day(keys["effective_to"], "effective_to")
	if t.From != "" && t.To != "" && t.To < t.From {
		r.add(keys["effective_to"].line, "effective_to is %s, before effective_from %s; write a later day, or leave it out", t.To, t.From)
	}
	t.Name = r.label(keys["name"], "name", t.Kind)
	t.Source = r.text(keys["source"], "source")
	r.basis(keys["basis"])
	r.severities(keys["severities"])
	r.categories(keys["categories"])
	r.readClocks(keys["clocks"])
	r.readForms(keys["forms"])
	r.readStates(keys["states"])
	r.startLine = keys["start"].line
	t.Start = r.text(keys["start"], "start")
	r.actions(keys["actions"])
	r.ladder(keys["ladder"])
	r.takeBack(keys["take_back"])
}

// takeBack reads how long a step can be taken back: minutes, 0m for never.
func (r *reader) takeBack(e entry) {
	v := r.text(e, "take_back")
	if v == "" {
		return
	}
	n, err := strconv.Atoi(strings.TrimSuffix(v, "m"))
	if err != nil || !strings.HasSuffix(v, "m") || n < 0 || n > maxTakeBack {
		r.add(e.line, "take_back is %q; write minutes from 0m, which is never, to %dm", v, maxTakeBack)
		return
	}
	if r.t.TakeBack = time.Duration(n) * time.Minute; n == 0 {
		r.t.TakeBack = -1
	}
}

// maxTakeBack bounds the minutes in which a step can be taken back: later, people have
// acted on it.
const maxTakeBack = 60

func (r *reader) basis(e entry) {
	if e.value == nil {
		return
	}
	keys := r.keyed(e.value, "basis", "national", "default", "region")
	r.t.Basis = Basis{
		National: r.label(keys["national"], "basis.national", ""), Default: r.label(keys["default"], "basis.default", ""),
		Region: r.label(keys["region"], "basis.region", ""),
	}
}

func (r *reader) severities(e entry) {
	if e.value == nil {
		r.t.Severities = []Severity{
			{1, Text{"紧急", "ཛ་དྲག", "urgent"}},
			{2, Text{"严重", "ཚབས་ཆེན།", "serious"}},
			{3, Text{"一般", "སྤྱིར་བཏང་།", "normal"}},
			{4, Text{"轻微", "ཆུང་བ།", "minor"}},
		}
	}
	for _, x := range r.entries(e.value, "severities", "{1: {label: …}}") {
		level, ok := r.level(x, "severities")
		if !ok {
			continue
		}
		keys := r.keyed(x.value, "severities."+x.key, "label")
		r.t.Severities = append(r.t.Severities, Severity{level, r.label(keys["label"], "severities."+x.key+".label", x.key)})
	}
	slices.SortFunc(r.t.Severities, func(a, b Severity) int { return a.Level - b.Level })
	for _, s := range r.t.Severities {
		r.levels[s.Level] = true
	}
}

// level reads a key that is a severity.
func (r *reader) level(x entry, what string) (int, bool) {
	n, err := strconv.Atoi(x.key)
	if err != nil || n < 1 || n > maxSeverity || x.key != strconv.Itoa(n) {
		r.add(x.line, "%s: %q is no severity; write a number from 1, the most urgent, to %d", what, x.key, maxSeverity)
		return 0, false
	}
	return n, true
}

// known says that a severity is one of the type.
func (r *reader) known(level, line int, what string) bool {
	if r.levels[level] {
		return true
	}
	var all []string
	for _, s := range r.t.Severities {
		all = append(all, strconv.Itoa(s.Level))
	}
	r.add(line, "%s: there is no severity %d; write one of %s, or add it to severities", what, level, strings.Join(all, ", "))
	return false
}

func (r *reader) categories(e entry) {
	for _, x := range r.entries(e.value, "categories", "{NAME: {label: …}}") {
		what := "categories." + x.key
		if !r.name(x, "categories") {
			continue
		}
		keys := r.keyed(x.value, what, "label", "severity", "public")
		c := Category{Code: x.key, Name: r.label(keys["label"], what+".label", x.key), Public: r.flag(keys["public"], what+".public")}
		if s := keys["severity"]; s.value != nil {
			if c.Severity = r.number(s, what+".severity", 1, maxSeverity); c.Severity > 0 {
				r.known(c.Severity, s.line, what+".severity")
			}
		} else if n := len(r.t.Severities); n > 0 {
			c.Severity = r.t.Severities[n-1].Level // the least urgent, until somebody says more
		}
		r.t.Categories = append(r.t.Categories, c)
	}
}

func (r *reader) readClocks(e entry) {
	for _, x := range r.entries(e.value, "clocks", "{NAME: {all: 10wd}}") {
		what := "clocks." + x.key
		if !r.name(x, "clocks") {
			continue
		}
		c := &Clock{Name: x.key, Spans: map[int]Span{}}
		keys := r.keyed(x.value, what, "label", "spans", "all")
		c.Label = r.label(keys["label"], what+".label", x.key)
		spans := r.entries(keys["spans"].value, what+".spans", "{1: 2h, 2: 1wd}")
		if all := keys["all"]; all.value != nil {
			spans = append([]entry{all}, spans...)
		}
		if len(spans) == 0 && x.value.Kind == yaml.MappingNode {
			r.add(x.line, "%s has no time; write {all: 10wd}, or spans by severity such as {1: 2h, 2: 1wd}", what)
		}
		slices.SortStableFunc(spans, func(a, b entry) int { // a severity's own span wins over that for all
			return boolInt(b.key == "all") - boolInt(a.key == "all")
		})
		for _, s := range spans {
			at := what + ".spans." + s.key
			if s.key == "all" {
				if span, ok := r.span(s, what+".all", 1); ok {
					for level := range r.levels {
						c.Spans[level] = span
					}
				}
				continue
			}
			level, ok := r.level(s, what+".spans")
			span, ok2 := r.span(s, at, 1)
			if ok && r.known(level, s.line, what+".spans") && ok2 {
				c.Spans[level] = span
			}
		}
		r.t.Clocks = append(r.t.Clocks, c)
		r.clocks[x.key], r.lines[c] = c, x.line
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (r *reader) readForms(e entry) {
	r.anyForm = e.value == nil
	for _, x := range r.entries(e.value, "forms", "{NAME: {FIELD: {type: text}}}") {
		what := "forms." + x.key
		if !r.name(x, "forms") {
			continue
		}
		f := &Form{Name: x.key}
		fields := r.entries(x.value, what, "{FIELD: {type: text}}")
		if len(fields) == 0 && x.value.Kind == yaml.MappingNode {
			r.add(x.line, "%s asks for nothing; add a field, or take the form out", what)
		}
		for _, y := range fields {
			if r.name(y, what) {
				f.Fields = append(f.Fields, r.field(y, what+"."+y.key))
			}
		}
		r.t.Forms = append(r.t.Forms, f)
		r.forms[x.key] = f
	}
}

func (r *reader) field(x entry, what string) Field {
	keys := r.keyed(x.value, what, "label", "type", "required", "options", "max", "reporter", "public")
	f := Field{
		Name: x.key, Type: r.oneOf(keys["type"], what+".type", fieldTypes), Required: r.flag(keys["required"], what+".required"),
		Max: r.number(keys["max"], what+".max", 1, maxChars), Reporter: r.flag(keys["reporter"], what+".reporter"),
		Public: r.flag(keys["public"], what+".public"), Label: r.label(keys["label"], what+".label", x.key),
	}
	if keys["type"].value == nil && x.value.Kind == yaml.MappingNode {
		r.add(x.line, "%s has no type; write one of %s", what, strings.Join(fieldTypes, ", "))
	}
	options := r.entries(keys["options"].value, what+".options", "{VALUE: {label: …}}")
	switch {
	case f.Type == "choice" && len(options) == 0 && (keys["options"].value == nil || keys["options"].value.Kind == yaml.MappingNode):
		r.add(x.line, "%s is a choice of nothing; add options such as {yes: {label: {zh: 是}}}", what)
	case f.Type != "" && f.Type != "choice" && keys["options"].value != nil:
		r.add(keys["options"].line, "%s.options: only a choice has options; write type: choice, or take them out", what)
	}
	if f.Type != "" && f.Type != "text" && f.Type != "long" && keys["max"].value != nil {
		r.add(keys["max"].line, "%s.max: only text and long have a length; take it out", what)
	}
	for _, o := range options {
		if !valueForm.MatchString(o.key) {
			r.add(o.line, "%s.options: %q is no value; write up to 40 of a to z, 0 to 9 and _", what, o.key)
		} else {
			inner := what + ".options." + o.key
			f.Options = append(f.Options, Option{o.key, r.label(r.keyed(o.value, inner, "label")["label"], inner+".label", o.key)})
		}
	}
	return f
}

func (r *reader) readStates(e entry) {
	for _, x := range r.entries(e.value, "states", "{NAME: {open: true}}") {
		what := "states." + x.key
		if !r.name(x, "states") {
			continue
		}
		keys := r.keyed(x.value, what, "open", "public", "clock", "paused", "label")
		s := &State{
			Name: x.key, Open: r.flag(keys["open"], what+".open"), Public: r.text(keys["public"], what+".public"),
			Clock: r.clock(keys["clock"], what+".clock"), Paused: r.flag(keys["paused"], what+".paused"),
			Label: r.label(keys["label"], what+".label", x.key),
		}
		r.clockUsed[s.Clock] = true
		if keys["open"].value == nil && x.value.Kind == yaml.MappingNode {
			r.add(x.line, "%s does not say whether it is open; add open: true or open: false", what)
		}
		if s.Public != "" {
			r.name(entry{s.Public, keys["public"].line, nil}, what+".public")
		}
		r.t.States = append(r.t.States, s)
		r.states[x.key], r.lines[s] = s, x.line
	}
	if e.value != nil && e.value.Kind == yaml.MappingNode && len(r.t.States) == 0 {
		r.add(e.line, "states are missing; add one such as {new: {open: true}}")
	}
}

// clock reads the name of a clock.
func (r *reader) clock(e entry, what string) string {
	v := r.text(e, what)
	if v == "" {
		return ""
	}
	return r.clockNamed(v, e.value.Line, what)
}

// clockNamed is the clock that a word names, or most likely means.
func (r *reader) clockNamed(v string, line int, what string) string {
	if r.clocks[v] != nil {
		return v
	}
	var known []string
	for _, c := range r.t.Clocks {
		known = append(known, c.Name)
	}
	return r.unknown(v, line, what, "clock", "clocks", known)
}

// unknown tells of a name that is none of the type, and what it most likely means:
// what follows from the slip is not told again.
func (r *reader) unknown(v string, line int, what, kind, section string, known []string) string {
	remedy := "add it to " + section
	if len(known) > 0 {
		remedy = instead(v, known) + ", or " + remedy
	}
	r.add(line, "%s: there is no %s %s; %s", what, kind, v, remedy)
	return near.Of(v, known)
}
