package casework

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const pothole = `kind: pothole
version: 1
effective_to: 2026-06-30
start: new
states:
  new:     {open: true, clock: triage}
  looked:  {open: true}
  waiting: {open: true, paused: true}
  done:    {open: false}
actions:
  look:  {from: [new], to: looked, roles: [office_clerk], effects: [set_deadline:handle]}
  wait:  {from: [looked], to: waiting, roles: [office_clerk]}
  close: {from: [looked, waiting], to: done, roles: [office_clerk]}
clocks:
  triage: {all: 1wd}
  handle: {all: 10wd}
`

// pothole2 has another name for the state looked, no clock handle, and one of its own.
const pothole2 = `kind: pothole
version: 2
effective_from: 2026-07-01
start: new
states:
  new:     {open: true, clock: triage}
  repair:  {open: true, clock: mend}
  done:    {open: false}
actions:
  look:  {from: [new], to: repair, roles: [office_clerk]}
  close: {from: [repair], to: done, roles: [office_clerk]}
clocks:
  triage: {all: 2wd}
  mend:   {all: 5wd}
`

func potholes(t *testing.T, second string) *Types {
	t.Helper()
	types, err := Load(fstest.MapFS{"pothole.1.yaml": {Data: []byte(pothole)}, "pothole.2.yaml": {Data: []byte(second)}}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	return types
}

// TestMove: open cases go on with another version only as a whole, each with an event;
// what was promised stays, what the new version lacks ends.
func TestMove(t *testing.T) {
	t.Parallel()
	types := potholes(t, pothole2)
	next, _ := types.Version("pothole", 2)
	eachDatabase(t, func(t *testing.T, url string) {
		t.Helper()
		r, ctx := newRig(t, url, types), t.Context()
		o := Opening{Kind: "pothole", Title: "坑", Source: "hotline", Location: Location{Area: "540121"}}
		fresh := r.opened(t, clerk, o)
		looked := r.does(t, clerk, r.opened(t, clerk, o).ID, "look", Input{})
		waits := r.does(t, clerk, r.does(t, clerk, r.opened(t, clerk, o).ID, "look", Input{}).ID, "wait", Input{})
		closed := r.does(t, clerk, r.does(t, clerk, r.opened(t, clerk, o).ID, "look", Input{}).ID, "close", Input{})
		r.pass(24 * time.Hour)

		m := Moving{Kind: "pothole", From: 1, To: 2}
		got, err := r.Preview(ctx, m, next)
		if err != nil {
			t.Fatal(err)
		}
		lacks := func(state string) string {
			return "version 2 has no state " + state + "; name the one they go on in"
		}
		if d := cmp.Diff([]Moved{
			{State: "new", To: "new", Cases: 1},
			{State: "looked", Cases: 1, Stuck: lacks("looked")},
			{State: "waiting", Cases: 1, Stuck: lacks("waiting")},
		}, got); d != "" {
			t.Error(d)
		}
		m.States = map[string]string{"looked": "repair"}
		if n, err := r.Move(ctx, m); err == nil || n != 0 || !strings.Contains(err.Error(), "no case was moved") {
			t.Fatalf("%d, %v", n, err)
		}
		for _, c := range []*Case{fresh, looked, waits} {
			if x, err := r.load(ctx, r.DB, `id = $1`, c.ID); err != nil || x.Version != 1 || x.Events != c.Events {
				t.Errorf("a refused move left %+v, %v", x, err)
			}
		}
		m.States["waiting"] = "repair"
		if got, err = r.Preview(ctx, m, next); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]Moved{
			{State: "new", To: "new", Cases: 1},
			{State: "looked", To: "repair", Cases: 1, Dropped: []string{"handle"}, Started: []string{"mend"}},
			{State: "waiting", To: "repair", Cases: 1, Dropped: []string{"handle"}, Started: []string{"mend"}},
		}, got); d != "" {
			t.Error(d)
		}
		if n, err := r.Move(ctx, m); err != nil || n != 3 {
			t.Fatalf("%d, %v", n, err)
		}
		for _, c := range []*Case{fresh, looked, waits} {
			x, err := r.load(ctx, r.DB, `id = $1`, c.ID)
			if err != nil || x.Version != 2 || !x.Paused.IsZero() {
				t.Fatalf("%+v, %v", x, err)
			}
			r.holds(t, x)
			if c == fresh {
				if !x.Deadlines[0].Due.Equal(c.Deadlines[0].Due) {
					t.Errorf("what was promised moved from %s to %s", c.Deadlines[0].Due, x.Deadlines[0].Due)
				}
				r.does(t, clerk, x.ID, "look", Input{})
				continue
			}
			if d := x.Deadline("handle"); !d.Dropped {
				t.Errorf("a deadline that the version lacks still runs: %+v", d)
			}
			if d := x.Deadline("mend"); d == nil || !d.Running() || !d.Started.Equal(r.now()) {
				t.Errorf("%+v", d)
			}
			r.does(t, clerk, x.ID, "close", Input{})
		}
		if x, err := r.load(ctx, r.DB, `id = $1`, closed.ID); err != nil || x.Version != 1 {
			t.Errorf("a closed case moved: %+v, %v", x, err)
		}
		if n, err := r.Move(ctx, m); err != nil || n != 0 {
			t.Errorf("again: %d, %v", n, err)
		}
		for name, bad := range map[string]Moving{
			"version 9":      {Kind: "pothole", From: 9, To: 2},
			"no version 7":   {Kind: "pothole", From: 1, To: 7},
			"no state gone":  {Kind: "pothole", From: 1, To: 2, States: map[string]string{"gone": "new"}},
			"no state never": {Kind: "pothole", From: 1, To: 2, States: map[string]string{"new": "never"}},
			"name another":   {Kind: "pothole", From: 2, To: 2},
		} {
			if _, err := r.Move(ctx, bad); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestOwnTypes: an installation ends a version of the program and brings the next; it
// cannot change one that cases stand on.
func TestOwnTypes(t *testing.T) {
	t.Parallel()
	program := fstest.MapFS{"pothole.1.yaml": {Data: []byte(strings.Replace(pothole, "effective_to: 2026-06-30\n", "", 1))}}
	types, err := Load(program, fstest.MapFS{"pothole.1.yaml": {Data: []byte(pothole)}, "pothole.2.yaml": {Data: []byte(pothole2)}}, "own")
	if err != nil {
		t.Fatal(err)
	}
	for day, want := range map[string]int{"2026-06-30": 1, "2026-07-01": 2} {
		if x, ok := types.InForce("pothole", day); !ok || x.Version != want {
			t.Errorf("%s: %+v", day, x)
		}
	}
	for want, own := range map[string]string{
		"own/pothole.1.yaml:1: version 1 comes with the program, and clock triage differs; cases stand on it, so change only effective_to here and put the rest into version 2":   strings.Replace(pothole, "triage: {all: 1wd}", "triage: {all: 9wd}", 1),
		"own/pothole.1.yaml:1: version 1 comes with the program, and effective_from differs; cases stand on it, so change only effective_to here and put the rest into version 2": strings.Replace(pothole, "effective_to", "effective_from: 2026-01-01\neffective_to", 1),
		"own/pothole.1.yaml:13: actions.close.roles: clerk is no role of rivers":                                                                                                  strings.Replace(pothole, "to: done, roles: [office_clerk]", "to: done, roles: [clerk]", 1),
	} {
		if _, err := Load(program, fstest.MapFS{"pothole.1.yaml": {Data: []byte(own)}}, "own"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
