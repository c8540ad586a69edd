package telemetryweb

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/errs"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/alarm"
	"plateau/internal/telemetry/quality"
)

func init() {
	examples["/outlets/{id}/alarms"], examples["/alarms/{id}"] = "/outlets/1/alarms", "/alarms/over1"
}

// fakeAlarms keeps episodes in memory; who acts is always the officer.
type fakeAlarms struct {
	list []alarm.Episode
	log  []alarm.Entry
}

var officerNote = alarm.Note{By: "u-officer", Post: alarm.Post{Zh: "值班员（示例）", En: "Duty officer (sample)"}, At: testNow}

func newAlarms() *fakeAlarms {
	hour := testNow.Truncate(time.Hour)
	over := alarm.Episode{
		ID: "over1", Outlet: 1, Factor: "a21002", Kind: alarm.Over, Statistic: "hour", Severity: alarm.Act, Start: hour.Add(-3 * time.Hour), Opened: hour.Add(-2 * time.Hour),
		Last: hour, Count: 3, Max: quality.Some(62.36), MaxAt: hour.Add(-time.Hour), Folded: true, Times: quality.Some(0.2472), Limit: testLimit,
		Rule: "alarm.over", Version: 1, Cause: quality.Text{Key: "alarm.cause.over"},
	}
	warn := over
	warn.ID, warn.Outlet, warn.Severity, warn.Parent = "warn4", 4, alarm.Warn, ""
	missing := alarm.Episode{
		ID: "missing3", Outlet: 3, Factors: []string{"a21002", "a21026"}, Kind: alarm.Missing, Statistic: "hour", Severity: alarm.Warn, Start: hour.Add(-5 * time.Hour), Opened: hour.Add(-4 * time.Hour),
		Last: hour.Add(-3 * time.Hour), End: hour.Add(-3 * time.Hour), EndedBy: alarm.EndGood, Count: 2, Max: quality.Some(20), MaxAt: hour.Add(-5 * time.Hour), Rule: "alarm.missing", Version: 1,
		Cause: quality.Text{Key: "alarm.cause.few_minutes", Args: map[string]string{"need": "45", "flag": "D"}}, Flags: []string{"D"},
		Stops: []alarm.Span{{From: time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)}},
	}
	part := missing
	part.ID, part.Factor, part.Factors, part.Parent = "part3", "a21002", nil, "missing3"
	quiet := missing
	quiet.ID, quiet.Quiet, quiet.Flags = "quiet3", alarm.QuietMaintenance, []string{"C"}
	return &fakeAlarms{list: []alarm.Episode{over, warn, missing, part, quiet}}
}

func (f *fakeAlarms) List(_ context.Context, q alarm.Filter) ([]alarm.Episode, error) {
	var out []alarm.Episode
	for _, e := range f.list {
		if (e.Quiet != "") != q.Quiet || e.Parent != "" && !q.Parts || q.Open != nil && *q.Open != e.Open() || q.Acked != nil && *q.Acked != e.Ack.Done() ||
			q.Severity != "" && e.Severity != q.Severity || len(q.Kinds) > 0 && !slices.Contains(q.Kinds, e.Kind) ||
			q.Outlets != nil && !slices.Contains(q.Outlets, e.Outlet) || q.Sees != nil && !q.Sees(e.Outlet) ||
			!q.To.IsZero() && !e.Start.Before(q.To) || !q.From.IsZero() && !e.Open() && e.End.Before(q.From) {
			continue
		}
		out = append(out, e)
	}
	return out, nil
}

func (f *fakeAlarms) find(id string) (*alarm.Episode, error) {
	for i := range f.list {
		if f.list[i].ID == id {
			return &f.list[i], nil
		}
	}
	return &alarm.Episode{}, errs.New(errs.NotFound, "")
}

func (f *fakeAlarms) Get(_ context.Context, id string) (alarm.Episode, error) {
	e, err := f.find(id)
	return *e, err
}

func (f *fakeAlarms) Parts(_ context.Context, id string) (out []alarm.Episode, err error) {
	for _, e := range f.list {
		if e.Parent == id {
			out = append(out, e)
		}
	}
	return out, nil
}

func (f *fakeAlarms) History(_ context.Context, id string) (out []alarm.Entry, err error) {
	for _, e := range f.log {
		if e.Alarm == id {
			out = append(out, e)
		}
	}
	return out, nil
}

func (f *fakeAlarms) act(id, action, note string, change func(e *alarm.Episode)) error {
	e, err := f.find(id)
	if err != nil {
		return err
	}
	change(e)
	f.log = append(f.log, alarm.Entry{Alarm: id, At: testNow, By: "u-officer", Post: officerNote.Post, Action: action, Note: note})
	return nil
}

func (f *fakeAlarms) Acknowledge(_ context.Context, id, note string) error {
	return f.act(id, "ack", note, func(e *alarm.Episode) { e.Ack = officerNote })
}

func (f *fakeAlarms) TakeBack(_ context.Context, id string) error {
	return f.act(id, "unack", "", func(e *alarm.Episode) { e.Ack = alarm.Note{} })
}

func (f *fakeAlarms) CallFalse(_ context.Context, id, reason string) error {
	if reason == "" {
		return errs.InvalidField("reason", "alarm.err.reason")
	}
	return f.act(id, "false", reason, func(e *alarm.Episode) { e.False = officerNote })
}

func (f *fakeAlarms) CallTrue(_ context.Context, id string) error {
	return f.act(id, "unfalse", "", func(e *alarm.Episode) { e.False = alarm.Note{} })
}

func TestAlarmPages(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, role, method, path, form string
		status                         int
		has, lacks                     []string
	}{
		{"the answer comes first", "officer", "GET", "/en/alarms", "", 200, []string{"1 open that needs someone; early warnings: 1", "hour mean of NOx up to 62.4 mg/m³, limit 50: 0.25 times over", "/en/alarms/over1"}, []string{"missing3", "quiet3"}},
		{"closed ones", "officer", "GET", "/zh/alarms?state=closed", "", 200, []string{"missing3", "小时有效分钟数最少 20 个，需 45 个"}, []string{"over1", "part3"}},
		{"suppressed ones say why", "officer", "GET", "/zh/alarms?state=suppressed", "", 200, []string{"quiet3", "未发出：维护或校准"}, []string{"over1", "missing3"}},
		{"by kind and outlet", "officer", "GET", "/en/alarms?state=all&kind=missing&outlet=3", "", 200, []string{"missing3", `href="/en/alarms.csv?state=all&amp;kind=missing&amp;outlet=3"`}, []string{"over1"}},
		{"a filter that leaves nothing", "officer", "GET", "/en/alarms?kind=flat&q=nobody", "", 200, []string{"Nothing matches", "nobody"}, []string{"over1"}},
		{"a kind that is none", "officer", "GET", "/en/alarms?kind=odd", "", 400, []string{"is no choice"}, nil},
		{"a date that is none", "officer", "GET", "/en/alarms?from=yesterday", "", 400, []string{"2026-11-23"}, nil},
		{"an enterprise sees its own", "enterprise", "GET", "/en/alarms", "", 200, []string{"over1", "1 open that needs someone"}, []string{"warn4", "early warnings"}},
		{"but not another's", "enterprise", "GET", "/en/alarms/warn4", "", 403, nil, []string{"62.4"}},
		{"one alarm", "officer", "GET", "/en/alarms/over1", "", 200, []string{`href="/en/rules/alarm.over?version=1">alarm.over v1`, "62.4 mg/m³", "Over the limit: NOx", "Exceedance days", "1 of the last 30 days", "0.25", "/en/values/1-a21002-hour-2026112307", "Acknowledge", "not yet"}, nil},
		{"one with parts and a stop", "operator", "GET", "/en/alarms/missing3", "", 200, []string{"NOx, SO₂", "Belongs to it: 1", "part3", "D fault", "/en/registry/stops/3:"}, nil},
		{"a part leads to the whole", "officer", "GET", "/en/alarms/part3", "", 200, []string{"/en/alarms/missing3"}, nil},
		{"an enterprise may not acknowledge", "enterprise", "GET", "/en/alarms/over1", "", 200, nil, []string{`value="ack"`}},
		{"nor by sending the form", "enterprise", "POST", "/en/alarms/over1", "action=ack", 403, []string{"take note of alarms"}, nil},
		{"nobody", "", "GET", "/en/alarms", "", 303, nil, nil},
		{"no such alarm", "officer", "GET", "/en/alarms/none", "", 404, nil, nil},
		{"no such act", "officer", "POST", "/en/alarms/over1", "action=delete", 400, nil, nil},
		{"a false alarm needs a reason", "officer", "POST", "/en/alarms/over1", "action=false&reason=", 422, []string{"Error:", "Write why it was a false alarm", `href="#reason"`}, nil},
		{"the outlet's tab", "officer", "GET", "/en/outlets/3/alarms", "", 200, []string{"Open: 0", "missing3", "quiet3"}, nil},
		{"as a table", "officer", "GET", "/en/alarms.csv?state=all", "", 200, []string{"alarm,outlet,name", "over1,1,", "62.36"}, []string{"quiet3"}},
		{"for programs", "officer", "GET", "/api/v1/alarms?kind=over", "", 200, []string{`"alarm":"over1"`, `"times_over":0.2472`}, nil},
		{"refused to programs of nobody", "", "GET", "/api/v1/alarms", "", 401, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 6)
			w := r.ask(tt.role, tt.method, tt.path, strings.NewReader(tt.form))
			if w.Code != tt.status {
				t.Fatalf("status %d, want %d: %s", w.Code, tt.status, w.Body)
			}
			for _, s := range tt.has {
				if !strings.Contains(w.Body.String(), s) {
					t.Errorf("lacks %q:\n%s", s, w.Body)
				}
			}
			for _, s := range tt.lacks {
				if strings.Contains(w.Body.String(), s) {
					t.Errorf("has %q", s)
				}
			}
		})
	}
}

// TestAlarmActs: what somebody did is said afterwards, and only what one noted
// oneself is offered for taking back.
func TestAlarmActs(t *testing.T) {
	t.Parallel()
	r := newRig(t, 6)
	post := func(form url.Values) {
		t.Helper()
		if w := r.ask("officer", "POST", "/en/alarms/over1", strings.NewReader(form.Encode())); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/en/alarms/over1" {
			t.Fatalf("%v: %d %s", form, w.Code, w.Header().Get("Location"))
		}
	}
	post(url.Values{"action": {"ack"}, "note": {"called the plant"}})
	page := r.ask("officer", "GET", "/en/alarms/over1", nil).Body.String()
	for _, want := range []string{"noted by Duty officer (sample)", "called the plant", `value="unack"`} {
		if !strings.Contains(page, want) {
			t.Errorf("after acknowledging: lacks %q", want)
		}
	}
	if other := r.ask("operator", "GET", "/en/alarms/over1", nil).Body.String(); strings.Contains(other, `value="unack"`) || strings.Contains(other, `value="ack"`) {
		t.Error("somebody else is offered to take it back")
	}
	post(url.Values{"action": {"unack"}})
	post(url.Values{"action": {"false"}, "reason": {"being serviced"}})
	if page := r.ask("officer", "GET", "/en/alarms/over1", nil).Body.String(); !strings.Contains(page, "called false by") || !strings.Contains(page, "being serviced") || !strings.Contains(page, `value="ack"`) {
		t.Errorf("after calling it false:\n%s", page)
	}
}

// TestAlarmsSort: every column sorts both ways, and pages do not lose the filter.
func TestAlarmsSort(t *testing.T) {
	t.Parallel()
	r := newRig(t, 6)
	base := r.alarms.list[0]
	for i := range 120 {
		e := base
		e.ID, e.Outlet, e.Start = "more"+string(rune('a'+i%26))+string(rune('a'+i/26)), telemetry.OutletID(1+i%6), base.Start.Add(time.Duration(-i)*time.Hour)
		r.alarms.list = append(r.alarms.list, e)
	}
	for _, sort := range []string{"", "urgency", "-urgency", "outlet", "-outlet", "times", "-times", "start", "-start"} {
		w := r.ask("officer", "GET", "/en/alarms?kind=over&sort="+sort+"&page=2", nil)
		if w.Code != 200 || !strings.Contains(w.Body.String(), "Page 2 of 3") || !strings.Contains(w.Body.String(), "kind=over&amp;page=3") {
			t.Errorf("sort %q: %d", sort, w.Code)
		}
	}
}
