package telemetryweb

import (
	"net/http"
	"strings"
	"testing"
)

// TestWhoCanSee: an outlet's page says which roles reach it and for what, and why
// the reader does; the pages of the policy say it of a permission and its
// addresses.
func TestWhoCanSee(t *testing.T) {
	t.Parallel()
	r := newRig(t, 28)
	o := r.registry.snap.Outlets[1]
	county := r.registry.snap.Areas[o.Area].Name.En
	owner := r.registry.snap.Enterprises[o.Enterprise].Name.Zh
	chain := "Xizang / " + r.registry.snap.Areas[r.registry.snap.Areas[o.Area].Parent].Name.En + " / " + county
	for _, tt := range []struct {
		who, target     string
		status          int
		contains, lacks []string
	}{
		{"officer@" + o.Area, "/en/outlets/1/access", 200, []string{"You see it as duty officer: your area is " + county, "area: " + chain, "enterprise: " + owner, "maintenance company of an enterprise", "manage loggers", `href="/en/public/outlets/1"`}, []string{"whole region"}},
		{"officer", "/en/outlets/1/access", 200, []string{"You see it as duty officer: your area is the whole region"}, nil},
		{"enterprise", "/en/outlets/1/access", 200, []string{"You see it as enterprise: you are of " + owner, "registry keeper"}, []string{"your area"}},
		{"enterprise", "/en/outlets/9/access", 403, []string{"other enterprises or areas"}, []string{"duty officer"}},
		{"auditor", "/en/outlets/1/access", 403, nil, []string{"duty officer"}},
		{"officer", "/en/outlets/1", 200, []string{`href="/en/outlets/1/access"`}, nil},
		{"officer", "/en/policy", 200, []string{"look at outlets", "duty officer: the area of the post and all below it", "enterprise: the enterprise of the post", "the post names a county", "operator of the platform", `href="/en/policy/telemetry.view"`, "supervisor_county"}, nil},
		{"administrator", "/en/policy", 200, []string{"Who may do what"}, nil},
		{"enterprise", "/en/policy", 403, []string{"read who may do what"}, []string{"duty officer"}},
		{"officer", "/en/policy/telemetry.edit", 200, []string{"Who may change the registry", "registry keeper", "/{lang}/registry/{kind}/import"}, []string{"/{lang}/login", "duty officer"}},
		{"officer", "/en/policy/telemetry.webhooks", 200, []string{"the installation as a whole"}, nil},
		{"officer", "/en/policy/telemetry.nothing", 404, nil, nil},
		{"officer", "/en/policy/open", 404, nil, nil},
		{"officer", "/en/policy/routes", 200, []string{"/{lang}/login", "no sign-in needed", "/api/v1/outlets/{id}", `href="/en/policy/telemetry.devices"`}, nil},
	} {
		w := r.ask(tt.who, http.MethodGet, tt.target, nil)
		body := w.Body.String()
		if w.Code != tt.status {
			t.Errorf("%s at %s: %d, want %d", tt.who, tt.target, w.Code, tt.status)
		}
		for _, s := range tt.contains {
			if !strings.Contains(body, s) {
				t.Errorf("%s at %s: lacks %q", tt.who, tt.target, s)
			}
		}
		for _, s := range tt.lacks {
			if strings.Contains(body, s) {
				t.Errorf("%s at %s: says %q", tt.who, tt.target, s)
			}
		}
	}
}

// TestEffectOfNoOutlets: who sees no outlet, or those of a county only, gets no
// trial of a rule over all.
func TestEffectOfNoOutlets(t *testing.T) {
	t.Parallel()
	r := newRig(t, 28)
	trials := &fakeWhatIf{}
	r.WhatIf = trials
	const target = "/en/rules/cems.hour_mean/effect?version=1&from=2026-11-16&to=2026-11-22"
	for _, tt := range []struct {
		who  string
		want int
	}{{"auditor", 0}, {"officer@" + r.registry.snap.Outlets[1].Area, 1}, {"officer", 28}} {
		if w := r.ask(tt.who, http.MethodGet, target, nil); w.Code != http.StatusOK {
			t.Fatalf("%s: %d", tt.who, w.Code)
		}
		last := trials.asked[len(trials.asked)-1]
		if last.Outlets == nil || len(last.Outlets) != tt.want {
			t.Errorf("%s: tried over %v, want %d of them", tt.who, last.Outlets, tt.want)
		}
	}
}
