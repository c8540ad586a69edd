package casework

import (
	"fmt"
	"slices"
)

// step is where cases of a version of a type stand, in a word of its own.
func stepOf(kind string, version int, state string) string {
	return fmt.Sprintf("%s.%d.%s", kind, version, state)
}

// leads reports whether an action takes a case on from a state: not one that every
// open state has, nor one that stays.
func (x *Action) leads(state string) bool {
	return x.To != "" && x.To != state && slices.Contains(x.From, state)
}

// Turn is who has to act in a state: unit alone where one of its actions leads on,
// reporter where the case waits for them, else the roles whose actions lead on. None
// for a closed state, and where only the program acts.
func (t *Type) Turn(state string) (roles []string) {
	st := t.State(state)
	if st == nil || !st.Open {
		return nil
	}
	for _, x := range t.Actions {
		if x.leads(state) {
			roles = append(roles, x.Roles...)
		}
	}
	roles = slices.DeleteFunc(roles, func(r string) bool { return r == RoleTimer })
	switch {
	case slices.Contains(roles, RoleUnit):
		return []string{RoleUnit}
	case st.Paused && slices.Contains(roles, RoleReporter):
		return []string{RoleReporter}
	}
	var out []string
	for _, r := range roles {
		if !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}

// verifiers are the roles that look at the work of others in a state: of actions with
// the guard four_eyes.
func (t *Type) verifiers(state string) (out []string) {
	for _, x := range t.Actions {
		if x.leads(state) && slices.Contains(x.Guards, "four_eyes") {
			out = append(out, x.Roles...)
		}
	}
	return out
}

// audited is the clock that runs while a case that was drawn by lot is to be looked at;
// "" when the type draws none.
func (t *Type) audited() string {
	for _, x := range t.Actions {
		for _, e := range x.Effects {
			if e.Name == "drawn" {
				return e.Arg
			}
		}
	}
	return ""
}

// auditors are the roles that look in a state at what was drawn.
func (t *Type) auditors(state string) (out []string) {
	clock := t.audited()
	for _, x := range t.Actions {
		if clock != "" && t.from(x, state) && slices.Contains(x.Effects, Effect{"stop_clock", clock}) {
			out = append(out, x.Roles...)
		}
	}
	return out
}

// depths are how many actions lead from the start to each state at the least.
func (t *Type) depths() map[string]int {
	out := map[string]int{t.Start: 0}
	for next := []string{t.Start}; len(next) > 0; {
		state := next[0]
		next = next[1:]
		for _, x := range t.Actions {
			if _, seen := out[x.To]; !seen && x.leads(state) {
				out[x.To] = out[state] + 1
				next = append(next, x.To)
			}
		}
	}
	return out
}

// returned reports whether a case came back to the state it is in: by an action that
// leads from a later state, which is no pause, to this earlier one.
func (t *Type) returned(c *Case) bool {
	if st := t.State(c.State); st == nil || !st.Open {
		return false
	}
	depths := t.depths()
	for _, x := range t.Actions {
		if x.To != c.State || c.Counts[x.Name] == 0 {
			continue
		}
		for _, from := range x.From {
			if st := t.State(from); st != nil && !st.Paused && x.leads(from) && depths[from] > depths[c.State] {
				return true
			}
		}
	}
	return false
}

// stepsOf are the steps of all versions of all types of which chosen holds, by role
// with its system ("rivers.office_clerk"), or unit and reporter.
func (t *Types) stepsOf(chosen func(*Type, string) []string) map[string][]string {
	out := map[string][]string{}
	for _, versions := range t.kinds {
		for _, x := range versions {
			for _, st := range x.States {
				for _, role := range chosen(x, st.Name) {
					if role != RoleUnit && role != RoleReporter && role != RoleTimer {
						role = x.System + "." + role
					}
					out[role] = append(out[role], stepOf(x.Kind, x.Version, st.Name))
				}
			}
		}
	}
	for role := range out {
		slices.Sort(out[role])
		out[role] = slices.Compact(out[role])
	}
	return out
}
