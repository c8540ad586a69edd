package telemetryweb

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"plateau/internal/platform/casework"
	"plateau/internal/platform/errs"
	"plateau/internal/telemetry/alarm"
	"plateau/internal/telemetry/supervise"
)

// fakeSupervision is what of alarms has cases.
type fakeSupervision struct {
	of   supervise.Of
	did  string
	fail error
}

func (f *fakeSupervision) Of(context.Context, *alarm.Episode) (supervise.Of, error) { return f.of, nil }

func (f *fakeSupervision) Open(_ context.Context, id, note string) error {
	f.did = "open " + id + " " + note
	return f.fail
}

func (f *fakeSupervision) Investigate(_ context.Context, id, reason string) error {
	f.did = "investigate " + id + " " + reason
	return f.fail
}

func TestAlarmCases(t *testing.T) {
	t.Parallel()
	c := &casework.Case{TrackingNo: "26012345678939", Kind: supervise.Supervision, Version: 1, State: "issued"}
	inquiry := &casework.Case{TrackingNo: "26112345678912", Kind: supervise.Investigation, Version: 1, State: "opened"}
	for _, tt := range []struct {
		name, role, form string
		of               supervise.Of
		fail             error
		status           int
		did              string
		has, lacks       []string
	}{
		{"a case", "officer", "", supervise.Of{Class: supervise.During, Supervision: c, States: map[string]casework.Text{supervise.Supervision: {Zh: "已下发", En: "issued"}}}, nil, 200, "", []string{"26 0123 4567 89 39", "issued", "with a copy to the county"}, []string{`value="case"`, `value="investigate"`}},
		{"an investigation", "officer", "", supervise.Of{Supervision: c, Investigation: inquiry}, nil, 200, "", []string{"26 1123 4567 89 12", "Investigation"}, nil},
		{"none, one may open one", "officer", "", supervise.Of{Class: supervise.Before, CanOpen: true}, nil, 200, "", []string{"It has no case", `value="case"`, "need not answer"}, nil},
		{"none, who may not take note of alarms", "enterprise", "", supervise.Of{CanOpen: true}, nil, 200, "", []string{"It has no case"}, []string{`value="case"`}},
		{"one may investigate", "officer", "", supervise.Of{Supervision: c, CanInvestigate: true}, nil, 200, "", []string{`value="investigate"`}, nil},
		{"opened", "officer", "action=case&case_note=look", supervise.Of{}, nil, 303, "open over1 look", nil, nil},
		{"not by an enterprise", "enterprise", "action=case", supervise.Of{}, nil, 403, "", nil, nil},
		{"opened already", "officer", "action=case", supervise.Of{}, errs.New(errs.Conflict, "err.supervise.open"), 409, "open over1 ", []string{"this alarm has a case"}, nil},
		{"investigated", "officer", "action=investigate&case_reason=why", supervise.Of{}, nil, 303, "investigate over1 why", nil, nil},
		{"without a reason", "officer", "action=investigate", supervise.Of{Supervision: c, CanInvestigate: true}, errs.InvalidField("reason", "err.field.required"), 422, "investigate over1 ", []string{`name="case_reason"`, "aria-invalid"}, nil},
	} {
		r := newRig(t, 4)
		f := &fakeSupervision{of: tt.of, fail: tt.fail}
		r.Supervision = f
		method := http.MethodGet
		if tt.form != "" {
			method = http.MethodPost
		}
		w := r.ask(tt.role, method, "/en/alarms/over1", strings.NewReader(tt.form), "Content-Type", "application/x-www-form-urlencoded")
		body := w.Body.String()
		if w.Code != tt.status || f.did != tt.did {
			t.Errorf("%s: %d, %q", tt.name, w.Code, f.did)
		}
		for _, s := range tt.has {
			if !strings.Contains(body, s) {
				t.Errorf("%s: lacks %q", tt.name, s)
			}
		}
		for _, s := range tt.lacks {
			if strings.Contains(body, s) {
				t.Errorf("%s: has %q", tt.name, s)
			}
		}
	}
}
