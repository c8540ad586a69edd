package access_test

import (
	"strings"
	"testing"

	"plateau/internal/platform/access"
)

// TestNarrow: words leave of what is held what they name, and add nothing.
func TestNarrow(t *testing.T) {
	t.Parallel()
	p := access.Default()
	in := access.Object{Area: "540121"}
	for _, tt := range []struct {
		kind, words string
		perm        access.Permission
		want        bool
	}{
		{"operator", "", "telemetry.edit", true},
		{"operator", "telemetry", "telemetry.edit", true},
		{"operator", "telemetry", "platform.keeping", false},
		{"operator", "telemetry.view telemetry.alarms", "telemetry.alarms", true},
		{"operator", "telemetry.view telemetry.alarms", "telemetry.devices", false},
		{"operator", "read", "telemetry.view", true},
		{"operator", "read", "platform.keeping", true},
		{"operator", "read", "telemetry.edit", false},
		{"operator", "read", "telemetry.alarms", false},
		{"operator", "read telemetry.write", "telemetry.write", true},
		{"officer", "telemetry", "telemetry.edit", false},
		{"officer", "telemetry.edit", "telemetry.edit", false},
		{"officer", "telemetry.edit", "telemetry.view", false},
	} {
		only, err := p.Narrow(strings.Fields(tt.words))
		if err != nil {
			t.Fatal(err)
		}
		all := p.Account(tt.kind, "", "")
		g := all.Narrowed(only)
		object := in
		if p.OfInstallation(tt.perm) {
			object = access.Object{}
		}
		if got := p.May(g, tt.perm, object, areas); got != tt.want || p.Opens(g, tt.perm) != tt.want {
			t.Errorf("%s, only %q: %s is %v", tt.kind, tt.words, tt.perm, got)
		}
		if (g.Key() == all.Key()) != (only == "") || len(all) == 0 || all[0].Only != "" {
			t.Errorf("%s, only %q: key %q, before %q", tt.kind, tt.words, g.Key(), all.Key())
		}
	}
	for _, word := range []string{"write", "telemetry.delete", "open", "", "Telemetry"} {
		if only, err := p.Narrow([]string{"read", word}); err == nil {
			t.Errorf("%q was taken: %q", word, only)
		}
	}
	if only, err := p.Narrow([]string{"telemetry.view", "read", "telemetry.view"}); err != nil || only != "read telemetry.view" {
		t.Errorf("%q, %v", only, err)
	}
	for _, perm := range []access.Permission{"telemetry.edit", "telemetry.devices", "telemetry.alarms", "telemetry.write", "telemetry.shifts", "telemetry.webhooks", "platform.account"} {
		if p.May(p.Account("operator", "", "").Narrowed(access.Reading), perm, access.Object{}, areas) {
			t.Errorf("%s counts as reading", perm)
		}
	}
}
