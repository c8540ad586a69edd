package casework

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

func (r *reader) stateNames() []string {
	var out []string
	for _, s := range r.t.States {
		out = append(out, s.Name)
	}
	return out
}

// actions reads them; one that differs by the state is a list of variants.
func (r *reader) actions(e entry) {
	for _, x := range r.entries(e.value, "actions", "{NAME: {from, to, roles}}") {
		what := "actions." + x.key
		if !r.name(x, "actions") {
			continue
		}
		if slices.Contains(reserved, x.key) {
			r.add(x.line, "actions.%s: the program itself writes events of this name; write another one", x.key)
			continue
		}
		if x.value.Kind != yaml.SequenceNode {
			r.action(x, what)
			continue
		}
		if len(x.value.Content) == 0 {
			r.add(x.line, "%s is an empty list; write {from, to, roles}", what)
		}
		for _, n := range x.value.Content {
			r.action(entry{x.key, n.Line, n}, what)
		}
	}
	if e.value != nil && e.value.Kind == yaml.MappingNode && len(r.t.Actions) == 0 {
		r.add(e.line, "actions are missing; add one such as {close: {from: [new], to: closed, roles: [office_clerk]}}")
	}
}

func (r *reader) action(x entry, what string) {
	keys := r.keyed(x.value, what, "from", "to", "roles", "form", "guards", "effects", "label")
	a := &Action{Name: x.key, Label: r.label(keys["label"], what+".label", x.key)}
	r.lines[a] = x.line
	for _, f := range r.words(keys["from"], what+".from") {
		if f.key != AnyOpen && r.states[f.key] == nil {
			f.key = r.unknown(f.key, f.line, what+".from", "state", "states", append(r.stateNames(), AnyOpen))
		}
		if f.key != "" {
			a.From = append(a.From, f.key)
		}
	}
	if slices.Contains(a.From, AnyOpen) && len(a.From) > 1 {
		r.add(keys["from"].line, "%s.from: %s stands alone; take the other states out, or write all states out", what, AnyOpen)
	}
	if keys["to"].value != nil {
		if a.To = r.text(keys["to"], what+".to"); a.To != "" && r.states[a.To] == nil {
			a.To = r.unknown(a.To, keys["to"].value.Line, what+".to", "state", "states", r.stateNames())
		}
	} else if from := keys["from"].value; x.value.Kind == yaml.MappingNode && (from == nil || len(from.Content) == 0) {
		r.add(x.line, "%s has neither from nor to; write to which state it leads, and from which if it does not open a case", what)
	}
	r.rolesOf(a, keys["roles"], x, what)
	if form := keys["form"]; form.value != nil {
		a.Form = r.form(r.text(form, what+".form"), form.value.Line, what+".form")
	}
	for _, g := range r.words(keys["guards"], what+".guards") {
		if !slices.Contains(guardNames, g.key) {
			r.add(g.line, "%s.guards: %s is no guard; %s", what, g.key, instead(g.key, guardNames))
			continue
		}
		a.Guards = append(a.Guards, g.key)
	}
	for _, f := range r.words(keys["effects"], what+".effects") {
		r.effect(a, f, what+".effects")
	}
	r.t.Actions = append(r.t.Actions, a)
}

func (r *reader) rolesOf(a *Action, e, x entry, what string) {
	for _, role := range r.words(e, what+".roles") {
		known := r.roles()
		if r.system != "" && !slices.Contains(known, role.key) {
			r.add(role.line, "%s.roles: %s is no role of %s; %s", what, role.key, r.system, instead(role.key, known))
			continue
		}
		a.Roles = append(a.Roles, role.key)
	}
	empty := e.value != nil && e.value.Kind == yaml.SequenceNode && len(e.value.Content) == 0
	if empty || e.value == nil && x.value.Kind == yaml.MappingNode {
		r.add(x.line, "%s has no roles; write who takes it, such as [office_clerk]", what)
	}
}

// form is the form of a name. In a file without forms each that is named asks for a
// note.
func (r *reader) form(name string, line int, what string) string {
	if name == "" || r.forms[name] != nil {
		return name
	}
	if !r.anyForm {
		var known []string
		for _, f := range r.t.Forms {
			known = append(known, f.Name)
		}
		return r.unknown(name, line, what, "form", "forms", known)
	}
	if !r.name(entry{name, line, nil}, what) {
		return ""
	}
	f := &Form{Name: name, Fields: []Field{{Name: "note", Type: "long", Label: Text{"说明", "འགྲེལ་བཤད།", "note"}}}}
	r.t.Forms = append(r.t.Forms, f)
	r.forms[name] = f
	return name
}

// effect reads one such as set_deadline:handle.
func (r *reader) effect(a *Action, f entry, what string) {
	name, arg, has := strings.Cut(f.key, ":")
	want, known := effectArgs[name]
	if !known {
		r.add(f.line, "%s: %s is no effect; %s", what, name, instead(name, Effects()))
		return
	}
	what += "." + name
	switch {
	case want == noArg:
		if has {
			r.add(f.line, "%s: nothing follows %s; take :%s out", what, name, arg)
		}
	case arg == "":
		r.add(f.line, "%s: something must follow; write %s:%s", what, name, map[argument]string{clockArg: "CLOCK", whomArg: "WHOM", nameArg: "NAME", percentArg: "PERCENT"}[want])
	case want == clockArg:
		if arg = r.clockNamed(arg, f.line, what); slices.Contains(starting, name) {
			r.clockUsed[arg] = true
		}
	case want == whomArg && !slices.Contains(whoms, arg):
		r.add(f.line, "%s: %s is nobody to name; %s", what, arg, instead(arg, whoms))
	case want == nameArg:
		r.name(entry{arg, f.line, nil}, what)
	case want == percentArg:
		if n, err := strconv.Atoi(arg); err != nil || n < 1 || n > 100 {
			r.add(f.line, "%s is %q; write a whole number from 1 to 100", what, arg)
		}
	}
	a.Effects = append(a.Effects, Effect{name, arg})
}

// ladder reads the steps of escalation, which go up.
func (r *reader) ladder(e entry) {
	if e.value == nil || !r.is(e.value, yaml.SequenceNode, "ladder", "a list such as [{percent: 80, tell: assignee}]") {
		return
	}
	var before *Step
	for i, n := range e.value.Content {
		what := "ladder." + strconv.Itoa(i+1)
		keys := r.keyed(n, what, "percent", "after", "tell", "level")
		s := Step{
			Percent: r.number(keys["percent"], what+".percent", 1, 100), Tell: r.oneOf(keys["tell"], what+".tell", whoms),
			Level: r.number(keys["level"], what+".level", 0, maxSeverity),
		}
		s.After, _ = r.span(keys["after"], what+".after", 0)
		if n.Kind == yaml.MappingNode {
			if (keys["percent"].value == nil) == (keys["after"].value == nil) {
				r.add(n.Line, "%s: write either percent (of the time, before it is due) or after (past the due time, such as 2wd)", what)
			}
			if keys["tell"].value == nil {
				r.add(n.Line, "%s tells nobody; write tell: and one of %s", what, strings.Join(whoms, ", "))
			}
		}
		if before != nil && (s.Percent > 0 && (before.Percent == 0 || s.Percent <= before.Percent) ||
			s.Percent == 0 && before.Percent == 0 && s.After.Unit == before.After.Unit && s.After.N <= before.After.N) {
			r.add(n.Line, "%s comes no later than the step before it; put the steps in the order of time", what)
		}
		r.t.Ladder = append(r.t.Ladder, s)
		before = &r.t.Ladder[len(r.t.Ladder)-1]
	}
}
