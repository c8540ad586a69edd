package mark

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

var (
	keeper     = auth.Principal{ID: "u0", Post: auth.Post{Zh: "台账管理员（示例）"}, Role: "keeper"}
	enterprise = auth.Principal{ID: "u1", Post: auth.Post{Zh: "企业环保专员（示例）"}, Role: "enterprise", Enterprise: "e1"}
	other      = auth.Principal{ID: "u2", Post: auth.Post{Zh: "另一企业（示例）"}, Role: "enterprise", Enterprise: "e2"}
	county     = auth.Principal{ID: "u3", Post: auth.Post{Zh: "县监管员（示例）"}, Role: "supervisor_county", Area: "540102"}
	elsewhere  = auth.Principal{ID: "u4", Post: auth.Post{Zh: "邻县监管员（示例）"}, Role: "supervisor_county", Area: "540103"}
)

// asked is a judge that notes what it was asked.
type asked struct{ marks []telemetry.Mark }

func (a *asked) WhatIf(_ context.Context, w quality.WhatIf) (*quality.Difference, error) {
	var o telemetry.Outlet
	w.Trial.Outlet(&o)
	a.marks = o.Marks
	return &quality.Difference{From: w.From, To: w.To}, nil
}

func (a *asked) QuotaUse(telemetry.OutletID, string, time.Time) (quality.QuotaUse, error) {
	return quality.QuotaUse{Used: 12, Hours: 60}, nil
}

type fixture struct {
	*Service
	reg   *telemetry.Registry
	judge *asked
	db    *db.DB
	id    telemetry.OutletID
	mu    sync.Mutex
	at    time.Time
}

func (f *fixture) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at
}

func (f *fixture) set(t time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = t
}

// beijing is a time of November 2026 there.
func beijing(day, hour, minute int) time.Time {
	return time.Date(2026, 11, day, hour, minute, 0, 0, time.FixedZone("", 8*3600))
}

func newFixture(t *testing.T, url string) *fixture {
	t.Helper()
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{db: d, at: beijing(21, 9, 0), judge: &asked{}}
	if f.reg, err = telemetry.Open(t.Context(), d, f.now); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.reg.Close()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range []telemetry.Area{{Code: "540000", Level: "province"}, {Code: "540100", Parent: "540000", Level: "prefecture"}, {Code: "540102", Parent: "540100", Level: "county"}, {Code: "540103", Parent: "540100", Level: "county"}} {
		a.Name = telemetry.Name{Zh: "示例" + a.Code}
		must(f.reg.PutArea(t.Context(), a, keeper))
	}
	_, err = f.reg.CreateEnterprise(t.Context(), telemetry.Enterprise{ID: "e1", Name: telemetry.Name{Zh: "示例企业"}, Area: "540102"}, keeper)
	must(err)
	f.id, err = f.reg.CreateOutlet(t.Context(), telemetry.Outlet{
		Enterprise: "e1", Name: telemetry.Name{Zh: "1号炉（示例）"}, Medium: telemetry.Gas, SourceType: "municipal waste incinerator", Area: "540102",
		Factors: []telemetry.OutletFactor{{Code: "a34013"}, {Code: "a21005"}},
	}, keeper)
	must(err)
	f.Service = New(Options{DB: d, Registry: f.reg, Judge: f.judge, Now: f.now})
	return f
}

func (f *fixture) outlet() *telemetry.Outlet { return f.reg.Snapshot().Outlets[f.id] }

func (f *fixture) calibration(from, to time.Time) Input {
	return Input{Outlet: f.id, Ref: "mark.device/calibration", Factors: []string{"a21005"}, From: from, To: to, Cause: "月度校准", Declared: true}
}

func onBoth(t *testing.T, fn func(t *testing.T, f *fixture)) {
	t.Helper()
	t.Parallel()
	for _, database := range testkit.Databases() {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			fn(t, newFixture(t, database.URL(t)))
		})
	}
}

// wants checks kind, field and key of an error.
func wants(t *testing.T, what string, err error, kind errs.Kind, field, key string) {
	t.Helper()
	e, ok := errors.AsType[*errs.Error](err)
	if !ok || e.Kind != kind {
		t.Errorf("%s: %v", what, err)
		return
	}
	if field != "" && !slices.ContainsFunc(e.Fields, func(f errs.Field) bool { return f.Name == field && f.Key == key }) {
		t.Errorf("%s: %+v, want %s %s", what, e.Fields, field, key)
	}
}

// TestInTimeAndReviewed: what comes in time is in force at once; the regulator
// sends it back, which takes it out; mended it waits for the regulator, who
// accepts it; every step is an event and in the record of acts.
func TestInTimeAndReviewed(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		t.Helper()
		ctx := t.Context()
		p, err := f.Submit(ctx, f.calibration(beijing(20, 8, 0), beijing(20, 9, 30)), enterprise)
		if err != nil {
			t.Fatal(err)
		}
		if o := f.outlet(); p.State != Accepted || p.Late || p.Source != ByEnterprise || len(o.Marks) != 1 || o.Marks[0].Number != p.Number || o.Marks[0].Flag != "C" || o.Marks[0].Kind != "calibration" || o.Marks[0].Effect != "invalid" {
			t.Fatalf("%+v\n%+v", p, o.Marks)
		}
		wants(t, "a reason", f.Decide(ctx, p.Number, ActReturn, " ", county), errs.Invalid, "note", "err.field.required")
		if err := f.Decide(ctx, p.Number, ActReturn, "请补充校准记录", county); err != nil {
			t.Fatal(err)
		}
		if o := f.outlet(); o.Marks != nil {
			t.Errorf("returned, and in force: %+v", o.Marks)
		}
		if err := f.Resubmit(ctx, p.Number, "月度校准", "校准记录 2026-11（示例）", "", enterprise); err != nil {
			t.Fatal(err)
		}
		if p, err = f.Paper(ctx, p.Number); err != nil || p.State != Submitted || f.outlet().Marks != nil {
			t.Errorf("submitted again: %+v, %v", p, err)
		}
		if err := f.Decide(ctx, p.Number, ActAccept, "", county); err != nil {
			t.Fatal(err)
		}
		if p, _ = f.Paper(ctx, p.Number); p.State != Final || p.Decided.IsZero() || len(f.outlet().Marks) != 1 {
			t.Errorf("accepted: %+v", p)
		}
		wants(t, "after the end", f.Withdraw(ctx, p.Number, "", enterprise), errs.Conflict, "", "")
		if err := f.Decide(ctx, p.Number, ActFalse, "校准记录不实", county); err != nil {
			t.Fatal(err)
		}
		events, err := f.Events(ctx, p.Number)
		var got []string
		for i, e := range events {
			if e.Seq != i+1 || e.Post == "" {
				t.Errorf("event %+v", e)
			}
			got = append(got, string(e.Act)+":"+string(e.To)+":"+e.By)
		}
		want := "draft:draft:u1 submit:submitted:u1 accept:accepted:system return:returned:u3 submit:submitted:u1 accept:final:u3 false:false:u3"
		if err != nil || strings.Join(got, " ") != want || f.outlet().Marks != nil {
			t.Errorf("events %v, %v", got, err)
		}
		var n int
		if err := f.db.QueryRow(ctx, `SELECT count(*) FROM audit_entries WHERE system = 'telemetry' AND act LIKE 'mark.%'`).Scan(&n); err != nil || n != 5 {
			t.Errorf("%d entries in the record, %v", n, err)
		}
	})
}

// TestLateMark: after noon of the next day a mark waits without effect.
func TestLateMark(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		t.Helper()
		ctx := t.Context()
		f.set(beijing(21, 12, 0))
		if p, err := f.Submit(ctx, f.calibration(beijing(20, 23, 0), beijing(21, 0, 0)), enterprise); err != nil || p.Late {
			t.Errorf("at noon: %+v, %v", p, err)
		}
		f.set(beijing(21, 12, 1))
		p, err := f.Submit(ctx, f.calibration(beijing(20, 8, 0), beijing(20, 9, 0)), enterprise)
		if err != nil || !p.Late || p.State != Submitted || len(f.outlet().Marks) != 1 {
			t.Fatalf("a minute later: %+v, %v", p, err)
		}
		if p, err := f.Submit(ctx, f.calibration(beijing(21, 0, 0), beijing(21, 1, 0)), enterprise); err != nil || p.Late {
			t.Errorf("of today: %+v, %v", p, err)
		}
		queue, err := f.InState(ctx, Submitted, 10)
		if err != nil || len(queue) != 1 || queue[0].Number != p.Number {
			t.Errorf("queue %+v, %v", queue, err)
		}
		if err := f.Decide(ctx, p.Number, ActAccept, "", county); err != nil || len(f.outlet().Marks) != 3 {
			t.Errorf("accepted: %v, %+v", err, f.outlet().Marks)
		}
	})
}

// TestMarkRefused: who may not, what does not fit, and where to move the end.
func TestMarkRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		t.Helper()
		ctx := t.Context()
		submit := func(in Input, by auth.Principal) error {
			_, err := f.Submit(ctx, in, by)
			return err
		}
		good := f.calibration(beijing(20, 8, 0), beijing(20, 9, 0))
		startup := Input{Outlet: f.id, Ref: "mark.mswi/startup", From: beijing(20, 1, 0), To: beijing(20, 3, 0), Declared: true}
		if err := submit(startup, enterprise); err != nil {
			t.Fatal(err)
		}
		wants(t, "another enterprise", submit(good, other), errs.Forbidden, "", "")
		wants(t, "another county", f.Decide(ctx, "M000001", ActReturn, "x", elsewhere), errs.Forbidden, "", "")
		wants(t, "the enterprise decides itself", f.Decide(ctx, "M000001", ActAccept, "", enterprise), errs.Forbidden, "", "")
		wants(t, "no such mark", f.Withdraw(ctx, "M999999", "", enterprise), errs.NotFound, "", "")
		for _, c := range []struct {
			name       string
			change     func(*Input)
			field, key string
		}{
			{"not declared", func(in *Input) { in.Declared = false }, "declared", "err.field.mark_declared"},
			{"to come", func(in *Input) { in.To = beijing(21, 9, 1) }, "to", "err.field.mark_future"},
			{"backwards", func(in *Input) { in.To = in.From }, "to", "err.field.after"},
			{"no such mark", func(in *Input) { in.Ref = "mark.power/connection" }, "code", "err.field.mark_code"},
			{"no such factor", func(in *Input) { in.Factors = []string{"a99999"} }, "factors", "err.field.unknown"},
			{"evidence", func(in *Input) { in.Ref = "mark.device/fault" }, "evidence", "err.field.mark_evidence"},
			{"a state of some factors", func(in *Input) { in.Ref = "mark.mswi/shutdown" }, "factors", "err.field.mark_all"},
			{"two states", func(in *Input) {
				in.Ref, in.Factors, in.From, in.To = "mark.mswi/shutdown", nil, beijing(20, 2, 0), beijing(20, 4, 0)
			}, "from", "err.field.mark_there"},
			{"long", func(in *Input) { in.Cause = strings.Repeat("长", 401) }, "cause", "err.field.long"},
		} {
			in := good
			in.Factors = slices.Clone(good.Factors)
			c.change(&in)
			wants(t, c.name, submit(in, enterprise), errs.Invalid, c.field, c.key)
		}
		if o := f.outlet(); len(o.Marks) != 1 {
			t.Errorf("refused and there: %+v", o.Marks)
		}
		if _, err := f.Preview(ctx, good, enterprise); err != nil || len(f.judge.marks) != 1 || f.judge.marks[0].Code != "calibration" {
			t.Errorf("asked what it would change: %+v, %v", f.judge.marks, err)
		}
		p, err := f.Submit(ctx, good, county)
		if err != nil || p.State != Final || p.Source != ByRegulator {
			t.Errorf("by the regulator: %+v, %v", p, err)
		}
		list, err := f.Counters(f.outlet(), f.now())
		if err != nil || len(list) != 3 || list[0].Used != 12 || list[2].Rule != "mark.device" || list[2].Hours != 30 || !list[2].Quarter {
			t.Errorf("counters %+v, %v", list, err)
		}
	})
}

// TestCorrectionTimers: in force within ten days, restored by the sweep when its
// document is not there on the tenth of the next month.
func TestCorrectionTimers(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		t.Helper()
		ctx := t.Context()
		v := 12.5
		in := Input{Outlet: f.id, Factors: []string{"a21005"}, From: beijing(12, 9, 0), To: beijing(12, 11, 0), Value: &v, Cause: "参比方法人工监测", Declared: true}
		p, err := f.Submit(ctx, in, enterprise)
		if err != nil || p.State != Accepted || p.Number[0] != 'K' || !p.DocumentDue.Equal(time.Date(2026, 12, 11, 0, 0, 0, 0, beijing(1, 0, 0).Location())) {
			t.Fatalf("%+v, %v", p, err)
		}
		if o := f.outlet(); len(o.Corrections) != 1 || o.Corrections[0].Value != 12.5 {
			t.Errorf("%+v", o.Corrections)
		}
		in.From, in.To = beijing(11, 8, 0), beijing(11, 9, 0)
		late, err := f.Submit(ctx, in, enterprise)
		if err != nil || !late.Late || late.State != Submitted {
			t.Errorf("after ten days: %+v, %v", late, err)
		}
		in.From, in.To = beijing(13, 8, 0), beijing(13, 9, 0)
		kept, err := f.Submit(ctx, in, enterprise)
		if err != nil {
			t.Fatal(err)
		}
		wants(t, "an empty document", f.Document(ctx, kept.Number, " ", enterprise), errs.Invalid, "evidence", "err.field.required")
		if err := f.Document(ctx, kept.Number, "手工监测报告 7 号（示例）", enterprise); err != nil {
			t.Fatal(err)
		}
		wants(t, "twice", f.Document(ctx, kept.Number, "x", enterprise), errs.Conflict, "", "")
		in.From, in.To = beijing(14, 8, 30), beijing(14, 9, 30)
		_, err = f.Submit(ctx, in, enterprise)
		wants(t, "half hours", err, errs.Invalid, "from", "err.field.hour")
		f.set(time.Date(2026, 12, 10, 15, 59, 0, 0, time.UTC))
		if n, err := f.Sweep(ctx); n != 0 || err != nil {
			t.Errorf("before its time: %d, %v", n, err)
		}
		f.set(time.Date(2026, 12, 10, 16, 0, 0, 0, time.UTC))
		if n, err := f.Sweep(ctx); n != 1 || err != nil {
			t.Fatalf("restored %d, %v", n, err)
		}
		if o := f.outlet(); len(o.Corrections) != 1 || o.Corrections[0].Number != kept.Number {
			t.Errorf("in force: %+v", o.Corrections)
		}
		events, err := f.Events(ctx, p.Number)
		if last := events[len(events)-1]; err != nil || last.Act != ActRestore || last.To != Restored || last.By != "system" {
			t.Errorf("events %+v, %v", events, err)
		}
		if n, err := f.Sweep(ctx); n != 0 || err != nil {
			t.Errorf("again: %d, %v", n, err)
		}
	})
}
