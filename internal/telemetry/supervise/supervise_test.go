package supervise_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/casework"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/alarm"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/store"
	"plateau/internal/telemetry/supervise"
	"plateau/internal/testkit"
	"plateau/rules"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

var start = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

var snapshot = &telemetry.Snapshot{
	Areas:       map[string]*telemetry.Area{"540000": {Code: "540000"}, "540100": {Code: "540100", Parent: "540000"}, "540121": {Code: "540121", Parent: "540100"}},
	Enterprises: map[string]*telemetry.Enterprise{"E1": {ID: "E1", Name: telemetry.Name{Zh: "甲厂", En: "Plant A"}, Area: "540121"}},
	Outlets: map[telemetry.OutletID]*telemetry.Outlet{
		7: {ID: 7, Area: "540121", Enterprise: "E1", Name: telemetry.Name{Zh: strings.Repeat("一号", 200), En: "No. 1"}, Lon: 91, Lat: 30},
	},
}

type fixed struct{}

func (fixed) Snapshot() *telemetry.Snapshot { return snapshot }

// places are the areas and organisations of the snapshot.
type places struct{}

func (places) Within(code, above string) bool { return snapshot.Within(code, above) }
func (places) HasArea(code string) bool       { return snapshot.Areas[code] != nil }
func (places) Codes() []string                { return []string{"540000", "540100", "540121"} }
func (places) Unit(id string) (string, bool)  { return "540121", id == "E1" }

// weeks count every day as a working one.
type weeks struct{}

func (weeks) Due(at time.Time, s casework.Span) (time.Time, bool) {
	if s.Unit == casework.Hours || s.Unit == casework.WorkingHours {
		return at.Add(time.Duration(s.N) * time.Hour), false
	}
	return at.AddDate(0, 0, s.N), false
}
func (weeks) WorkingDays(from, to time.Time) int { return int(to.Sub(from).Hours() / 24) }

// book is the alarms as they stand, and tells of changes as alarm.Service does.
type book struct {
	mu   sync.Mutex
	list map[string]alarm.Episode
}

func (b *book) Get(_ context.Context, id string) (alarm.Episode, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.list[id]
	if !ok {
		return e, errs.New(errs.NotFound, "")
	}
	return e, nil
}

func (b *book) List(_ context.Context, f alarm.Filter) (out []alarm.Episode, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.list {
		if f.Open == nil || e.Open() == *f.Open {
			out = append(out, e)
		}
	}
	return out, nil
}

type rig struct {
	*supervise.Service
	t     *testing.T
	db    *db.DB
	cases *casework.Service
	book  *book

	mu sync.Mutex
	at time.Time
}

func (r *rig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at
}

func newRig(t *testing.T, url string) *rig {
	t.Helper()
	r := &rig{t: t, at: start.Add(2 * time.Hour), book: &book{list: map[string]alarm.Episode{}}}
	r.open(url)
	return r
}

// open starts the services, as a program does that begins anew.
func (r *rig) open(url string) {
	r.t.Helper()
	d, err := db.Open(r.t.Context(), url)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = d.Close() })
	r.db = d
	if r.cases, err = casework.New(r.t.Context(), casework.Options{
		DB: d, Types: casework.Default(), Calendars: func(string) casework.Calendar { return weeks{} }, Places: places{}, Now: r.now,
		Units: func(_ context.Context, p auth.Principal) ([]string, error) { return []string{p.Enterprise}, nil },
		Added: func(ctx context.Context, tx *db.Tx, t *casework.Type, c *casework.Case, e *casework.Event) error {
			return r.Added(ctx, tx, t, c, e)
		},
	}); err != nil {
		r.t.Fatal(err)
	}
	if r.Service, err = supervise.New(supervise.Options{DB: d, Cases: r.cases, Registry: fixed{}, Now: r.now, Every: time.Millisecond, BaseURL: "https://x.example"}); err != nil {
		r.t.Fatal(err)
	}
}

// change makes episodes what is given; nil takes one away.
func (r *rig) change(list ...alarm.Change) {
	r.t.Helper()
	if err := r.db.Tx(r.t.Context(), func(tx *db.Tx) error { return r.Alarms(r.t.Context(), tx, list) }); err != nil {
		r.t.Fatal(err)
	}
}

// set stores an episode as it is now.
func (r *rig) set(list ...alarm.Episode) {
	r.t.Helper()
	var changes []alarm.Change
	r.book.mu.Lock()
	for _, e := range list {
		c := alarm.Change{After: &e}
		if old, ok := r.book.list[e.ID]; ok {
			c.Before = &old
		}
		r.book.list[e.ID] = e
		changes = append(changes, c)
	}
	r.book.mu.Unlock()
	r.change(changes...)
}

// drop takes the episode a1 away, and stores others in its place.
func (r *rig) drop(list ...alarm.Episode) {
	const id = "a1"
	r.t.Helper()
	r.book.mu.Lock()
	old := r.book.list[id]
	delete(r.book.list, id)
	r.book.mu.Unlock()
	r.change(alarm.Change{Before: &old})
	r.set(list...)
}

// settle runs until there is nothing to look at.
func (r *rig) settle() {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx, r.book) }()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		var n int
		if err := r.db.QueryRow(r.t.Context(), `SELECT count(*) FROM supervised WHERE look = 1`).Scan(&n); err != nil {
			r.t.Fatal(err)
		}
		if n == 0 {
			break
		}
		if time.Now().After(deadline) {
			r.t.Fatal("it does not settle")
		}
	}
	cancel()
	if err := <-done; err != nil {
		r.t.Fatal(err)
	}
}

// all are the cases of a kind.
func (r *rig) all(kind string) (out []*casework.Case) {
	r.t.Helper()
	list, _, err := r.cases.List(r.t.Context(), casework.Filter{Kind: kind}, region)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, x := range list {
		if same, err := r.cases.Rebuild(r.t.Context(), x.ID); err != nil || !same {
			r.t.Fatalf("a case is not what its events make of it: %v", err)
		}
		out = append(out, x.Case)
	}
	return out
}

// news are what a case was told.
func (r *rig) news(c *casework.Case) (out []string) {
	r.t.Helper()
	events, err := r.cases.Events(r.t.Context(), c.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range events {
		if e.Action == casework.News {
			out = append(out, strings.TrimSpace(e.Body.Form["what"]+" "+e.Body.Form["alarm"]))
		}
	}
	return out
}

func (r *rig) acts(by auth.Principal, c *casework.Case, action string, form map[string]string, files ...string) {
	r.t.Helper()
	if _, _, err := r.cases.Act(r.t.Context(), c.ID, action, casework.Input{Form: form, Attachments: files}, by, casework.Request{}); err != nil {
		r.t.Fatalf("%s: %v", action, err)
	}
}

func who(id string, role auth.Role, area, enterprise string) auth.Principal {
	return auth.Principal{ID: id, Login: id, Post: auth.Post{Zh: id}, Role: role, Area: area, Enterprise: enterprise}
}

var (
	region  = who("region", "supervisor_region", "", "")
	county  = who("county", "supervisor_county", "540121", "")
	plant   = who("plant", auth.Business, "", "E1")
	officer = who("officer", auth.Officer, "540121", "")
	keeper  = who("keeper", "keeper", "", "")
	photo   = strings.Repeat("a", 64)
)

func each(t *testing.T, fn func(t *testing.T, r *rig, url string)) {
	t.Helper()
	for _, d := range testkit.Databases() {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			url := d.URL(t)
			fn(t, newRig(t, url), url)
		})
	}
}

func number(v float64) quality.Opt { return quality.Opt{V: v, OK: true} }

var over = alarm.Episode{
	ID: "a1", Outlet: 7, Kind: alarm.Over, Factor: "a21002", Statistic: "hour", Severity: alarm.Act, Start: start, Opened: start.Add(time.Hour), Last: start.Add(time.Hour), Count: 1,
	Max: number(81.5), Times: number(0.63), Limit: quality.LimitRef{ID: "L", Op: "<=", Hi: number(50), Statistic: "hour"},
}

func with(fn func(e *alarm.Episode)) alarm.Episode {
	e := over
	fn(&e)
	return e
}

// TestOneCase: an exceedance that is evidence has one case, at the enterprise at once,
// with what a message must contain; whoever looks at it, and how often.
func TestOneCase(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig, url string) {
		t.Helper()
		r.set(over)
		other, err := supervise.New(supervise.Options{DB: r.db, Cases: r.cases, Registry: fixed{}, Now: r.now, Every: time.Millisecond, BaseURL: "https://x.example"})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 3 { // as other servers on the database do
			wg.Go(func() { _ = other.Run(ctx, r.book) })
		}
		r.settle()
		cancel()
		wg.Wait()
		r.open(url) // and after another start
		for i := range 3 {
			r.set(with(func(e *alarm.Episode) { e.Count, e.Last = i, start.Add(time.Duration(i)*time.Hour) }))
			r.settle()
		}
		list := r.all(supervise.Supervision)
		if len(list) != 1 {
			t.Fatalf("%d cases", len(list))
		}
		c := list[0]
		if c.State != "issued" || c.OwnerUnit != "E1" || c.Location.Area != "540121" || c.Source != "alarm" || c.Subject != (casework.Subject{Kind: "alarm", ID: "a1"}) || c.Reporter != "" {
			t.Errorf("%+v", c)
		}
		if a, f := c.Deadline("acknowledge"), c.Deadline("finish"); a == nil || !a.Due.Equal(start.Add(4*time.Hour)) || f == nil || !f.Running() {
			t.Errorf("%+v", c.Deadlines)
		}
		events, err := r.cases.Events(t.Context(), c.ID)
		if err != nil || len(events) != 1 || events[0].Actor != "service" || !slices.Equal(events[0].Body.Tell, []string{"unit", "office"}) {
			t.Fatalf("%+v, %v", events, err)
		}
		f := events[0].Body.Form
		want := map[string]string{"factor": "NOx", "statistic": "小时均值", "value": "81.5", "limit": "50", "times_over": "0.63", "days_over": "1", "link": "https://x.example/zh/alarms/a1"}
		for k, v := range want {
			if f[k] != v {
				t.Errorf("%s is %q, want %q", k, f[k], v)
			}
		}
		if n := len([]rune(f["outlet"])); n != 200 || !strings.HasPrefix(f["outlet"], "甲厂") {
			t.Errorf("%d, %s", n, f["outlet"])
		}
		if _, _, err := r.cases.Get(t.Context(), c.ID, plant); err != nil {
			t.Errorf("the enterprise does not see it: %v", err)
		}
		if _, _, err := r.cases.Get(t.Context(), c.ID, who("b", auth.Business, "", "E2")); !errs.Is(err, errs.NotFound) {
			t.Errorf("another enterprise sees it: %v", err)
		}
	})
}

// TestWhatOpens: which alarms open a case by themselves.
func TestWhatOpens(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig, _ string) {
		t.Helper()
		for i, tt := range []struct {
			name string
			e    alarm.Episode
			want bool
		}{
			{"evidence", over, true},
			{"a warning", with(func(e *alarm.Episode) { e.Severity = alarm.Warn }), false},
			{"missing data", with(func(e *alarm.Episode) { e.Kind = alarm.Missing }), false},
			{"a part of another one", with(func(e *alarm.Episode) { e.Parent = "x" }), false},
			{"kept quiet", with(func(e *alarm.Episode) { e.Quiet = alarm.QuietStop }), false},
			{"withdrawn", with(func(e *alarm.Episode) { e.Withdrawn = start }), false},
			{"called false before anybody looked", with(func(e *alarm.Episode) { e.False = alarm.Note{By: "x", At: start} }), false},
			{"over for an hour", with(func(e *alarm.Episode) { e.End = start.Add(time.Hour) }), true},
			{"over for longer than the rule says", with(func(e *alarm.Episode) { e.End = start.Add(-23 * time.Hour) }), false},
			{"a range", with(func(e *alarm.Episode) {
				e.Kind, e.Times, e.Max, e.Limit = alarm.Range, quality.Opt{}, number(5), quality.LimitRef{Op: "range", Lo: number(6), Hi: number(9)}
			}), true},
		} {
			tt.e.ID = tt.name
			before := len(r.all(supervise.Supervision))
			r.set(tt.e)
			r.settle()
			if got := len(r.all(supervise.Supervision)) - before; (got == 1) != tt.want {
				t.Errorf("%d %s: %d cases", i, tt.name, got)
			}
		}
	})
}

// TestSurvey: what was open before anybody noted alarms has a case after the start.
func TestSurvey(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig, _ string) {
		t.Helper()
		r.book.list["a1"] = over
		r.book.list["a2"] = with(func(e *alarm.Episode) { e.ID, e.Severity = "a2", alarm.Warn })
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if err := r.Run(ctx, r.book); err != nil {
			t.Fatal(err)
		}
		r.settle()
		if n := len(r.all(supervise.Supervision)); n != 1 {
			t.Errorf("%d cases", n)
		}
	})
}

// TestNews: what becomes of an alarm is said in its case, which stays as it is.
func TestNews(t *testing.T) {
	t.Parallel()
	falsely := alarm.Note{By: "x", At: start}
	later := func(id string, fn func(e *alarm.Episode)) alarm.Episode {
		return with(func(e *alarm.Episode) {
			e.ID, e.Last = id, start.Add(3*time.Hour)
			if fn != nil {
				fn(e)
			}
		})
	}
	for _, tt := range []struct {
		name  string
		steps []func(r *rig)
		want  string
	}{
		{"nothing new", []func(r *rig){func(r *rig) { r.set(with(func(e *alarm.Episode) { e.Count = 9 })) }}, ""},
		{"ended and going on", []func(r *rig){
			func(r *rig) { r.set(with(func(e *alarm.Episode) { e.End = start.Add(time.Hour) })) },
			func(r *rig) { r.set(over) },
		}, "ended, resumed"},
		{"false, and not", []func(r *rig){
			func(r *rig) { r.set(with(func(e *alarm.Episode) { e.False = falsely })) },
			func(r *rig) { r.set(over) },
		}, "called_false, called_true"},
		{"withdrawn", []func(r *rig){func(r *rig) { r.set(with(func(e *alarm.Episode) { e.Withdrawn = start })) }}, "withdrawn"},
		{"gone", []func(r *rig){func(r *rig) { r.drop() }}, "withdrawn"},
		{"derived anew under the same id", []func(r *rig){func(r *rig) { r.drop(over) }}, ""},
		{"joined to a new one", []func(r *rig){func(r *rig) { r.drop(later("a2", nil)) }}, "joined a2"},
		{"joined and ended", []func(r *rig){
			func(r *rig) { r.drop(later("a2", nil)) },
			func(r *rig) { r.set(later("a2", func(e *alarm.Episode) { e.End = e.Last })) },
		}, "joined a2, ended"},
		{"a part of another one", []func(r *rig){func(r *rig) {
			r.set(later("a2", func(e *alarm.Episode) { e.Factor, e.Factors = "", []string{"a21002", "a21026"} }), with(func(e *alarm.Episode) { e.Parent = "a2" }))
		}}, "joined a2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, r *rig, _ string) {
				t.Helper()
				r.set(over)
				r.settle()
				for _, step := range tt.steps {
					step(r)
					r.settle()
				}
				list := r.all(supervise.Supervision)
				if len(list) != 1 && tt.name != "a part of another one" {
					t.Fatalf("%d cases", len(list))
				}
				for _, c := range list {
					if c.Subject.ID != "a1" {
						continue
					}
					if got := strings.Join(r.news(c), ", "); got != tt.want || c.State != "issued" {
						t.Errorf("%s: %q, want %q", c.State, got, tt.want)
					}
				}
			})
		})
	}
}

// TestNothingHalf: when the transaction of the alarm is lost, so is the case; when the
// case cannot be opened, it is once it can.
func TestNothingHalf(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig, _ string) {
		t.Helper()
		lost := errors.New("lost")
		err := r.db.Tx(t.Context(), func(tx *db.Tx) error {
			if err := r.Alarms(t.Context(), tx, []alarm.Change{{After: &over}}); err != nil {
				return err
			}
			return lost
		})
		if !errors.Is(err, lost) {
			t.Fatal(err)
		}
		r.settle()
		if n := len(r.all(supervise.Supervision)); n != 0 {
			t.Fatalf("%d cases of an alarm that there is not", n)
		}
		added := r.cases.Added
		r.cases.Added = func(context.Context, *db.Tx, *casework.Type, *casework.Case, *casework.Event) error { return lost }
		r.set(over)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		_ = r.Run(ctx, r.book)
		cancel()
		if n := len(r.all(supervise.Supervision)); n != 0 {
			t.Fatalf("%d cases that nobody could be told of", n)
		}
		r.cases.Added = added
		r.settle()
		if n := len(r.all(supervise.Supervision)); n != 1 {
			t.Fatalf("%d cases", n)
		}
	})
}

// TestAfter: an excess that the county found to be real goes to the regulator, once; one
// that was none does not, but by an officer's hand.
func TestAfter(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig, _ string) {
		t.Helper()
		for _, finding := range []string{"excess", "not_excess"} {
			r.set(with(func(e *alarm.Episode) { e.ID = finding }))
			r.settle()
			var c *casework.Case
			for _, x := range r.all(supervise.Supervision) {
				if x.Subject.ID == finding {
					c = x
				}
			}
			r.acts(plant, c, "acknowledge", nil)
			r.acts(plant, c, "answer", map[string]string{"answer": "x"}, photo)
			r.settle()
			if n := len(r.all(supervise.Investigation)); finding == "excess" && n != 0 {
				t.Fatalf("%d investigations before the verification", n)
			}
			r.acts(county, c, "accept", map[string]string{"finding": finding})
			r.settle()
			r.acts(county, c, "close", map[string]string{"summary": "x"})
			r.settle()
			list := r.all(supervise.Investigation)
			if len(list) != 1 || list[0].Parent == "" || list[0].OwnerUnit != "" || list[0].State != "opened" {
				t.Fatalf("%s: %+v", finding, list)
			}
			if _, _, err := r.cases.Get(t.Context(), list[0].ID, plant); !errs.Is(err, errs.NotFound) {
				t.Errorf("the enterprise sees the investigation: %v", err)
			}
		}
		if _, err := r.Investigate(t.Context(), "excess", "x", officer); !errs.Is(err, errs.Conflict) {
			t.Errorf("a second one: %v", err)
		}
		if _, err := r.Investigate(t.Context(), "not_excess", " ", officer); !errs.Is(err, errs.Invalid) {
			t.Errorf("without a reason: %v", err)
		}
		if _, err := r.Investigate(t.Context(), "not_excess", "x", plant); !errs.Is(err, errs.Forbidden) {
			t.Errorf("by the enterprise: %v", err)
		}
		if _, err := r.Investigate(t.Context(), "none", "x", officer); !errs.Is(err, errs.NotFound) {
			t.Errorf("without a supervision: %v", err)
		}
		if _, err := r.Investigate(t.Context(), "not_excess", "x", officer); err != nil {
			t.Error(err)
		}
		if n := len(r.all(supervise.Investigation)); n != 2 {
			t.Errorf("%d investigations", n)
		}
	})
}

// TestByHand: an officer opens the case of a warning; nobody opens a second one.
func TestByHand(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rig, _ string) {
		t.Helper()
		warn := with(func(e *alarm.Episode) { e.Severity = alarm.Warn })
		missing := with(func(e *alarm.Episode) { e.ID, e.Kind = "m1", alarm.Missing })
		r.set(warn, missing)
		r.settle()
		of := func(by auth.Principal) supervise.Of {
			t.Helper()
			of, err := r.Of(t.Context(), &warn, by)
			if err != nil {
				t.Fatal(err)
			}
			return of
		}
		if x := of(officer); x.Class != supervise.Before || x.Supervision != nil || !x.CanOpen || x.CanInvestigate {
			t.Errorf("%+v", x)
		}
		if of(plant).CanOpen || of(keeper).CanOpen || of(who("far", auth.Officer, "540200", "")).CanOpen {
			t.Error("who may not open is offered to")
		}
		if _, err := r.Open(t.Context(), r.book, "m1", "", officer); !errs.Is(err, errs.Invalid) {
			t.Errorf("of missing data: %v", err)
		}
		if _, err := r.Open(t.Context(), r.book, "a1", "", keeper); !errs.Is(err, errs.Forbidden) {
			t.Errorf("by who may not: %v", err)
		}
		c, err := r.Open(t.Context(), r.book, "a1", "请核查", officer)
		if err != nil || c.State != "issued" {
			t.Fatal(err)
		}
		if _, err := r.Open(t.Context(), r.book, "a1", "", officer); !errs.Is(err, errs.Conflict) {
			t.Errorf("a second one: %v", err)
		}
		r.set(with(func(e *alarm.Episode) { e.Count = 3 })) // it has become evidence
		r.settle()
		if x := of(officer); x.Supervision == nil || x.Supervision.ID != c.ID || x.CanOpen || !x.CanInvestigate {
			t.Errorf("%+v", x)
		}
		if n := len(r.all(supervise.Supervision)); n != 1 {
			t.Errorf("%d cases", n)
		}
	})
}

// explained is an engine that explains every hour but the second.
type explained struct{}

func (explained) Explain(outlet telemetry.OutletID, factor, level string, at time.Time) (quality.Explanation, error) {
	if at.Equal(start.Add(time.Hour)) {
		return quality.Explanation{}, quality.ErrNotFound
	}
	return quality.Explanation{
		Outlet: outlet, Factor: factor, Level: level, From: at, To: at.Add(time.Hour), Value: number(81.5), Valid: true, Over: true, Evidence: true,
		Steps: quality.Trace{{Name: "limit", Rule: "limit.select", Formula: "81.5 > 50"}}, Frames: []quality.FrameRef{{Locator: telemetry.Locator{Seq: 7, Index: 1}}, {Locator: telemetry.Locator{Seq: 8}}},
	}, nil
}

func (explained) FrameAt(loc telemetry.Locator) (store.StoredFrame, error) {
	if loc.Seq == 8 {
		return store.StoredFrame{}, errors.New("it is lost")
	}
	return store.StoredFrame{Locator: loc, Raw: []byte("##0000"), Received: start}, nil
}

// TestEvidence: what an exceedance stands on is a file of its case, with the steps of
// each value and its frames; when it cannot be kept, the case is opened without.
func TestEvidence(t *testing.T) {
	t.Parallel()
	text, err := supervise.Describe(new(with(func(e *alarm.Episode) { e.Last = start.Add(40 * time.Hour) })), explained{}, explained{}, start)
	if err != nil {
		t.Fatal(err)
	}
	var d supervise.Document
	if err := json.Unmarshal(text, &d); err != nil || d.Format != "plateau.alarm.v1" || d.Episode.ID != "a1" || len(d.Values) != 24 {
		t.Fatalf("%v: %s", err, text)
	}
	v := d.Values[0]
	sum := sha256.Sum256([]byte("##0000"))
	if *v.Value != 81.5 || !v.Evidence || len(v.Steps) != 1 || v.Steps[0].Formula != "81.5 > 50" || v.Frames[0] != (supervise.Frame{Locator: "7-1", Received: start, SHA256: hex.EncodeToString(sum[:])}) || v.Frames[1] != (supervise.Frame{Locator: "8-0"}) {
		t.Errorf("%+v", v)
	}
	if d.Values[1].From != start.Add(2*time.Hour) {
		t.Errorf("%+v", d.Values[1])
	}
	each(t, func(t *testing.T, r *rig, _ string) {
		t.Helper()
		fail := false
		s, err := supervise.New(supervise.Options{DB: r.db, Cases: r.cases, Registry: fixed{}, Now: r.now, Every: time.Millisecond, Evidence: func(_ context.Context, e *alarm.Episode) (string, error) {
			if fail {
				return "", errors.New("the disk is full")
			}
			return strings.Repeat("b", 64), nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		r.Service = s
		r.set(over)
		r.settle()
		fail = true
		r.set(with(func(e *alarm.Episode) { e.ID = "a2" }))
		r.settle()
		for _, c := range r.all(supervise.Supervision) {
			events, err := r.cases.Events(t.Context(), c.ID)
			if err != nil || len(events[0].Body.Attachments) != map[string]int{"a1": 1, "a2": 0}[c.Subject.ID] {
				t.Errorf("%s: %v, %v", c.Subject.ID, events[0].Body.Attachments, err)
			}
		}
	})
}

// TestClassesAreChecked: a rule that names what there is not, or one thing twice, stops
// the start.
func TestClassesAreChecked(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(testkit.Root() + "/rules/supervise.class.toml")
	if err != nil {
		t.Fatal(err)
	}
	d, err := db.Open(t.Context(), testkit.Databases()[0].URL(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	for name, change := range map[string][2]string{
		"unknown kind":     {`"over:act"`, `"overr"`},
		"unknown severity": {`"over:act"`, `"over:red"`},
		"twice":            {`"over:act"`, `"link"`},
	} {
		set, err := rules.Load(fstest.MapFS{
			"supervise.class.toml": {Data: []byte(strings.Replace(string(text), change[0], change[1], 1))}, "limits.csv": {Data: limits(t)},
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = supervise.New(supervise.Options{DB: d, Cases: &casework.Service{}, Registry: fixed{}, Now: time.Now, Rules: set})
		if !errors.Is(err, rules.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func limits(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile(testkit.Root() + "/rules/limits.csv")
	if err != nil {
		t.Fatal(err)
	}
	return b
}
