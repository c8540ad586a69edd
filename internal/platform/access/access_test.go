package access_test

import (
	"slices"
	"strings"
	"testing"

	"plateau/internal/platform/access"
	"plateau/internal/platform/i18n"
)

// tree is a tree of areas: child to parent.
type tree map[string]string

func (t tree) Within(code, above string) bool {
	for ; code != ""; code = t[code] {
		if code == above {
			return true
		}
	}
	return false
}

var areas = tree{"540121": "540100", "540122": "540100", "540221": "540200", "540100": "540000", "540200": "540000"}

func TestMay(t *testing.T) {
	t.Parallel()
	p := access.Default()
	in, out := access.Object{Area: "540121", Organisation: "E1"}, access.Object{Area: "540221", Organisation: "E2"}
	officer := func(area string) access.Grants { return access.Grants{{Role: "telemetry.officer", Area: area}} }
	for _, tt := range []struct {
		name   string
		grants access.Grants
		perm   access.Permission
		object access.Object
		want   bool
	}{
		{"nobody", nil, "telemetry.view", in, false},
		{"nobody, what is open", nil, access.Open, in, true},
		{"no permission", officer(""), "", in, false},
		{"an unknown one", officer(""), "telemetry.delete", in, false},
		{"without its system", officer(""), "view", in, false},
		{"an unknown role", access.Grants{{Role: "telemetry.king"}}, "telemetry.view", in, false},
		{"a role without its system", access.Grants{{Role: "officer"}}, "telemetry.view", in, false},
		{"rank in another system", access.Grants{{Role: "platform.operator"}}, "telemetry.view", in, false},
		{"all areas", officer(""), "telemetry.view", out, true},
		{"the very area", officer("540121"), "telemetry.view", in, true},
		{"above", officer("540100"), "telemetry.view", in, true},
		{"beside", officer("540122"), "telemetry.view", in, false},
		{"below", officer("540121"), "telemetry.view", access.Object{Area: "540100"}, false},
		{"the installation, for an area", officer("540000"), "telemetry.shifts", access.Object{}, false},
		{"the installation, for all", officer(""), "telemetry.shifts", access.Object{}, true},
		{"any reaches beyond the area", officer("540121"), "telemetry.rules", out, true},
		{"another organisation", access.Grants{{Role: "telemetry.enterprise", Organisation: "E1"}}, "telemetry.view", out, false},
		{"none of none", access.Grants{{Role: "telemetry.enterprise"}}, "telemetry.view", access.Object{Area: "540121"}, false},
		{"own, beyond the area", access.Grants{{Role: "telemetry.enterprise", Organisation: "E2", Area: "540100"}}, "telemetry.view", out, false},
		{"one of several grants", append(officer("540122"), access.Grant{Role: "telemetry.enterprise", Organisation: "E1"}), "telemetry.view", in, true},
	} {
		if got := p.May(tt.grants, tt.perm, tt.object, areas); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
		if tt.perm != access.Open && p.Scope(tt.grants, tt.perm, areas).Contains(tt.object) != tt.want {
			t.Errorf("%s: the scope of a list says otherwise", tt.name)
		}
	}
	if p.May(officer("540121"), "telemetry.view", in, nil) {
		t.Error("without a tree an area reaches something")
	}
	if s := p.Scope(access.Grants{{Role: "telemetry.enterprise", Organisation: "E1"}}, "telemetry.view", areas); s.Regional() || s.All() || s.None() {
		t.Error("an enterprise's scope is taken for an area's")
	}
	if p.Opens(officer("540121"), "telemetry.shifts") || !p.Opens(officer("540121"), "telemetry.view") || !p.Opens(officer(""), "telemetry.shifts") {
		t.Error("an address opens otherwise than what it is about")
	}
}

// TestWords: every permission and every role can be told in the three languages.
func TestWords(t *testing.T) {
	t.Parallel()
	p := access.Default()
	for _, sys := range p.Systems() {
		keys := []string{"policy.system_" + sys}
		for _, perm := range p.Permissions(sys) {
			keys = append(keys, "permission."+string(perm))
		}
		for _, role := range p.Roles(sys) {
			keys = append(keys, "role."+role)
			if level := p.SeatOf(role); level != "" {
				keys = append(keys, "policy.seat_"+level)
			}
			for _, perm := range p.Permissions(sys) {
				if r := p.Reach(role, perm); r != "" {
					keys = append(keys, "policy.reach_"+string(r))
				}
			}
		}
		for _, key := range keys {
			for _, lang := range i18n.Langs() {
				if !i18n.Default().Has(lang, key) {
					t.Errorf("%s has no %s", lang, key)
				}
			}
		}
	}
}

// TestAccounts: what the three kinds of account that there always were may do.
func TestAccounts(t *testing.T) {
	t.Parallel()
	p := access.Default()
	for _, tt := range []struct {
		kind string
		perm access.Permission
		want bool
	}{
		{"officer", "telemetry.devices", true},
		{"officer", "telemetry.edit", false},
		{"officer", "telemetry.write", false},
		{"enterprise", "telemetry.registry", false},
		{"enterprise", "telemetry.read", true},
		{"operator", "telemetry.edit", true},
		{"operator", "telemetry.write", true},
		{"operator", "platform.keeping", true},
		{"enterprise", "platform.policy", false},
		{"administrator", "platform.keeping", true},
		{"administrator", "telemetry.view", false},
		{"auditor", "telemetry.registry", true},
		{"auditor", "telemetry.view", false},
		{"office_clerk", "rivers.cases", true},
		{"office_clerk", "telemetry.view", false},
		{"officer", "rivers.cases", false},
		{"warden", "rivers.cases", true},
		{"warden", "platform.policy", false},
	} {
		if got := p.Opens(p.Account(tt.kind, "", "E1"), tt.perm); got != tt.want {
			t.Errorf("%s, %s: %v", tt.kind, tt.perm, got)
		}
	}
	if !p.NeedsOrganisation("maintainer") || p.NeedsOrganisation("officer") || p.Seat("supervisor_county") != "county" || p.Seat("officer") != "" || p.HasAccount("king") {
		t.Error("what an account must name")
	}
	if !p.MayAppoint("administrator", "officer") || p.MayAppoint("administrator", "operator") || p.MayAppoint("administrator", "administrator") || p.MayAppoint("officer", "officer") || p.MayAppoint("", "officer") || p.MayAppoint("operator", "king") || len(p.Appoints("operator")) != 17 {
		t.Error("who may appoint whom")
	}
	a, b := p.Account("officer", "1", ""), p.Account("officer", "2", "")
	if a.Key() == b.Key() || a.Key() != p.Account("officer", "1", "").Key() {
		t.Error("keys do not tell who may the same")
	}
}

func TestParseNamesLineAndRemedy(t *testing.T) {
	t.Parallel()
	const good = `[a.permissions]
see    = "object"
change = "object"
run    = "installation"

[a.roles.one]
see = "area"
run = "any"

[a.roles.two]
change = "organisation"

[b.permissions]
read = "object"

[b.roles.three]
read = "any"

[accounts]
x = ["a.one", "b.three"]

[appoints]
x = ["x"]
`
	if _, err := access.Parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, from, to, want string }{
		{"no TOML", `see    = "object"`, `see = `, "policy.toml:2: is no TOML"},
		{"not about anything", `see    = "object"`, `see = "outlet"`, `policy.toml:2: see is about outlet; write "object" or "installation"`},
		{"unknown permission", `see = "area"`, `look = "area"`, "policy.toml:7: look is no permission of a; it has change, run, see"},
		{"permission of another system", `see = "area"`, `read = "area"`, "policy.toml:7: role a.one names read, a permission of system b; a role belongs to one system: make a role of b that holds it"},
		{"the same, with its system", `see = "area"`, `"b.read" = "area"`, "policy.toml:7: role a.one names read, a permission of system b"},
		{"unknown reach", `see = "area"`, `see = "all"`, `policy.toml:7: see reaches all; write "area", "organisation" or "any"`},
		{"organisation of the installation", `run = "any"`, `run = "organisation"`, `policy.toml:8: run is about the installation, which is of no organisation; write "area" or "any"`},
		{"unknown part", `[a.roles.two]`, `[a.rolls.two]`, "policy.toml:10: rolls is no part of a system; it has permissions, roles, seats, apart"},
		{"nobody holds it", `run = "any"`, ``, "policy.toml:4: no role holds run; give it to one, or take it out"},
		{"role of nothing", `change = "organisation"`, ``, "policy.toml:10: role two may do nothing; give it a permission, or take it out"},
		{"system of nothing", `[b.permissions]`, `[b.permission]`, "policy.toml:13: system b has no permissions; list them under [b.permissions]"},
		{"editor and checker", `[accounts]`, "[a.apart]\nsee = \"run\"\n[accounts]", "policy.toml:7: role a.one may change (run) and check (see); make two roles of it"},
		{"apart from nothing", `[accounts]`, "[a.apart]\nsee = \"read\"\n[accounts]", "policy.toml:20: see = read names what is no permission of a"},
		{"seat of no role", `[accounts]`, "[a.seats]\nfour = \"county\"\n[accounts]", "policy.toml:20: four is no role of a; it has one, two"},
		{"seat at no level", `[accounts]`, "[a.seats]\none = \"street\"\n[accounts]", "policy.toml:20: one sits at street; write one of prefecture, county, township, village"},
		{"account of no role", `"b.three"]`, `"three"]`, "policy.toml:20: three is no role; write it with its system"},
		{"account of nothing", `x = ["a.one", "b.three"]`, `x = []`, "policy.toml:20: account x holds no roles; write a list of them"},
		{"appoints of nothing", `x = ["x"]`, `y = ["x"]`, "policy.toml:23: y is no kind of account; write one of x"},
		{"appoints to nothing", `x = ["x"]`, `x = ["y"]`, "policy.toml:23: y is no kind of account; write one of x"},
		{"appoints nobody", `x = ["x"]`, `x = []`, "policy.toml:23: x appoints nobody; write a list of kinds, or take it out"},
		{"no table", `[accounts]`, "accounts = 1\n[c]", "policy.toml"},
	} {
		text := strings.Replace(good, tt.from, tt.to, 1)
		_, err := access.Parse([]byte(text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	_, err := access.Parse([]byte(strings.NewReplacer(`"area"`, `"all"`, `see    = "object"`, `see = "thing"`).Replace(good)))
	if err == nil || strings.Count(err.Error(), "\n") < 1 || !slices.IsSorted(lineNumbers(err.Error())) {
		t.Errorf("all faults in order: %v", err)
	}
}

func lineNumbers(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		out = append(out, strings.Split(line, ":")[1])
	}
	return out
}

// BenchmarkScope asks for 50,000 objects, as a list of all outlets does.
func BenchmarkScope(b *testing.B) {
	g := access.Default().Account("officer", "540100", "")
	for b.Loop() {
		s, n := access.Default().Scope(g, "telemetry.view", areas), 0
		for range 50_000 {
			if s.Contains(access.Object{Area: "540121", Organisation: "E1"}) {
				n++
			}
		}
		if n != 50_000 {
			b.Fatal(n)
		}
	}
}
