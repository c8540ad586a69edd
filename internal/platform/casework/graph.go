package casework

import (
	"slices"
)

// leaves are the states in which an action can be taken.
func (r *reader) leaves(a *Action) []*State {
	var out []*State
	for _, s := range r.t.States {
		if slices.Contains(a.From, s.Name) || s.Open && slices.Contains(a.From, AnyOpen) {
			out = append(out, s)
		}
	}
	return out
}

// graph checks what states, actions and clocks are together.
func (r *reader) graph() {
	t := r.t
	if t.Start != "" && r.states[t.Start] == nil {
		t.Start = r.unknown(t.Start, r.startLine, "start", "state", "states", r.stateNames())
	}
	r.reachable()
	r.exits()
	r.twice()
	for _, a := range t.Actions {
		r.timer(a)
	}
	for _, c := range t.Clocks {
		if !r.clockUsed[c.Name] {
			r.add(r.lines[c], "clocks.%s is started by no state and no effect; name it in a state (clock: %s) or an effect (set_deadline:%s), or take it out", c.Name, c.Name, c.Name)
		}
	}
}

// reachable wants a way from the start, or from an action that opens a case, to
// every state.
func (r *reader) reachable() {
	if r.t.Start == "" {
		return // told already
	}
	seen := map[string]bool{r.t.Start: true}
	for _, a := range r.t.Actions {
		if len(a.From) == 0 {
			seen[a.To] = true
		}
	}
	for grown := true; grown; {
		grown = false
		for _, a := range r.t.Actions {
			if a.To == "" || seen[a.To] {
				continue
			}
			if slices.ContainsFunc(r.leaves(a), func(s *State) bool { return seen[s.Name] }) {
				seen[a.To], grown = true, true
			}
		}
	}
	for _, s := range r.t.States {
		if !seen[s.Name] {
			r.add(r.lines[s], "states.%s is never reached from %s; add an action that leads to it, or take it out", s.Name, r.t.Start)
		}
	}
}

// exits wants an action from every open state to another one.
func (r *reader) exits() {
	out := map[string]bool{}
	for _, a := range r.t.Actions {
		for _, s := range r.leaves(a) {
			out[s.Name] = out[s.Name] || a.To != "" && a.To != s.Name
		}
	}
	for _, s := range r.t.States {
		if s.Open && !out[s.Name] {
			r.add(r.lines[s], "states.%s is open and nothing leads out of it; add an action from it to another state, or write open: false", s.Name)
		}
	}
}

// twice tells of a state from which two actions of one name lead.
func (r *reader) twice() {
	type key struct{ action, state string }
	first := map[key]int{}
	for _, a := range r.t.Actions {
		var from []string
		for _, s := range r.leaves(a) {
			from = append(from, s.Name)
		}
		if len(a.From) == 0 {
			from = []string{""} // opens a case
		}
		for _, s := range from {
			k := key{a.Name, s}
			switch line := first[k]; {
			case line == 0:
				first[k] = r.lines[a]
			case s == "":
				r.add(r.lines[a], "actions.%s opens a case here and on line %d; keep one, or give it another name", a.Name, line)
			default:
				r.add(r.lines[a], "actions.%s leads from %s here and on line %d; a state and an action have one next state: keep one, or give it another name", a.Name, s, line)
			}
		}
	}
}

// timer wants a time for what the program does by itself.
func (r *reader) timer(a *Action) {
	if !slices.Contains(a.Roles, RoleTimer) {
		return
	}
	if len(a.From) == 0 {
		r.add(r.lines[a], "actions.%s opens a case by timer, and no clock runs before there is one; take timer out of its roles", a.Name)
		return
	}
	if f := r.forms[a.Form]; f != nil {
		for _, x := range f.Fields {
			if x.Required {
				r.add(r.lines[a], "actions.%s is taken by timer, which answers nothing, but %s of form %s is required; make it optional, or take timer out of its roles", a.Name, x.Name, f.Name)
			}
		}
	}
	open := slices.Contains(a.From, AnyOpen)
	timed := false
	for _, s := range r.leaves(a) {
		has := s.Clock != "" || s.Paused
		timed = timed || has
		if !has && !open {
			r.add(r.lines[a], "actions.%s is taken by timer, but no clock runs in %s; give the state a clock, or take timer out of its roles", a.Name, s.Name)
		}
	}
	if open && !timed {
		r.add(r.lines[a], "actions.%s is taken by timer, but no clock runs in any open state; give one a clock, or take timer out of its roles", a.Name)
	}
}
