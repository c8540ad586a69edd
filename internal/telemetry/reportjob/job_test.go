package reportjob_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/report"
	"plateau/internal/telemetry/reportjob"
	"plateau/internal/testkit"
	"plateau/rules"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

// rows gives every outlet 12.5 kg in a year; gate, where given, is asked before
// each.
type rows struct{ gate func() error }

func (r rows) Hours(telemetry.OutletID, time.Time, time.Time) ([]quality.HourRow, error) {
	return nil, nil
}

func (r rows) Days(telemetry.OutletID, time.Time, time.Time) ([]quality.DayRow, error) {
	return nil, nil
}

func (r rows) Period(_ context.Context, id telemetry.OutletID, level string, at time.Time) (quality.PeriodRow, error) {
	if r.gate != nil {
		if err := r.gate(); err != nil {
			return quality.PeriodRow{}, err
		}
	}
	return quality.PeriodRow{Outlet: id, Level: level, Rules: "0123456789abcdef", Factors: []quality.PeriodFactor{{Code: "a21002", Measured: quality.Some(12.5), Total: quality.Some(12.5)}}}, nil
}

func registry(n int) *telemetry.Snapshot {
	s := &telemetry.Snapshot{
		Areas:   map[string]*telemetry.Area{"540100": {Code: "540100", Level: "prefecture"}, "540102": {Code: "540102", Parent: "540100", Level: "county"}},
		Outlets: map[telemetry.OutletID]*telemetry.Outlet{}, Enterprises: map[string]*telemetry.Enterprise{},
	}
	for i := range n {
		id := telemetry.OutletID(i + 1)
		s.Outlets[id] = &telemetry.Outlet{ID: id, Medium: telemetry.Gas, Area: "540102", Factors: []telemetry.OutletFactor{{Code: "a21002"}}}
		s.Order = append(s.Order, id)
	}
	return s
}

type rig struct {
	*reportjob.Service
	db    *db.DB
	dir   string
	slept int
	mu    sync.Mutex
	now   time.Time
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(time.Millisecond)
	return r.now
}

func newRig(t *testing.T, d *db.DB, dir string, gate func() error) *rig {
	t.Helper()
	r := &rig{db: d, dir: dir, now: time.Date(2026, 11, 23, 8, 30, 0, 0, i18n.Zone)}
	snap := registry(5)
	s, err := reportjob.New(reportjob.Options{
		DB: d, Dir: dir, Registry: func() *telemetry.Snapshot { return snap }, Rules: rules.Default(), Now: r.clock, Logger: slog.New(slog.DiscardHandler),
		Rows: func(_ context.Context, _ time.Time, list []*telemetry.Outlet) (report.Rows, []*telemetry.Outlet, error) {
			return rows{gate}, list, nil
		},
		Sleep: func(_ context.Context, d time.Duration) {
			if d > 0 {
				r.mu.Lock()
				r.slept++
				r.mu.Unlock()
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Service = s
	return r
}

func each(t *testing.T, fn func(t *testing.T, d *db.DB)) {
	t.Helper()
	for _, k := range testkit.Databases() {
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			d, err := db.Open(t.Context(), k.URL(t))
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			fn(t, d)
		})
	}
}

var year = reportjob.Subject{Scope: report.ScopeRegion, Ref: "540100", Level: quality.LevelYear, Period: "2026"}

func wait(t *testing.T, r *rig, id string, want reportjob.State) reportjob.Job {
	t.Helper()
	for range 500 {
		j, err := r.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if j.State == want {
			return j
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("job %s did not become %s", id, want)
	return reportjob.Job{}
}

func run(t *testing.T, r *rig) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
	}
}

func TestMade(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *db.DB) {
		t.Helper()
		r := newRig(t, d, t.TempDir(), nil)
		stop := run(t, r)
		defer stop()
		j, err := r.Request(t.Context(), year, "u1", "值班员（示例）")
		if err != nil {
			t.Fatal(err)
		}
		j = wait(t, r, j.ID, reportjob.Done)
		if j.Done != 5 || j.Total != 5 || j.Bytes == 0 || j.Finished.Before(j.Started) {
			t.Errorf("finished job %+v", j)
		}
		list, err := r.Result(&j)
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Entries) != 5 || len(list.Sums) != 1 || list.Sums[0].Total != quality.Some(62.5) {
			t.Errorf("result %+v", list)
		}
		if r.slept == 0 {
			t.Error("the work did not rest")
		}
		last, ok, err := r.Last(t.Context(), year)
		if err != nil || !ok || last.ID != j.ID {
			t.Errorf("last %+v, %t, %v", last, ok, err)
		}
	})
}

func TestOneEachAndCancel(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *db.DB) {
		t.Helper()
		release := make(chan struct{})
		r := newRig(t, d, t.TempDir(), func() error { <-release; return nil })
		j, err := r.Request(t.Context(), year, "u1", "p")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Request(t.Context(), year, "u1", "p"); !errs.Is(err, errs.Conflict) {
			t.Errorf("a second one at once: %v", err)
		}
		other, err := r.Request(t.Context(), year, "u2", "q")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Request(t.Context(), reportjob.Subject{Scope: report.ScopeRegion, Ref: "999999", Level: quality.LevelYear, Period: "2026"}, "u3", "q"); !errs.Is(err, errs.NotFound) {
			t.Errorf("of nowhere: %v", err)
		}
		stop := run(t, r)
		wait(t, r, j.ID, reportjob.Running)
		if err := r.Cancel(t.Context(), j.ID, "u2"); !errs.Is(err, errs.Forbidden) {
			t.Errorf("somebody else's was cancelled: %v", err)
		}
		if err := r.Cancel(t.Context(), j.ID, "u1"); err != nil {
			t.Fatal(err)
		}
		close(release)
		wait(t, r, other.ID, reportjob.Done)
		if got := wait(t, r, j.ID, reportjob.Cancelled); got.Bytes != 0 {
			t.Errorf("cancelled job %+v", got)
		}
		if err := r.Cancel(t.Context(), j.ID, "u1"); !errs.Is(err, errs.Conflict) {
			t.Errorf("cancelled twice: %v", err)
		}
		stop()
	})
}

func TestRestart(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *db.DB) {
		t.Helper()
		dir := t.TempDir()
		ctx, end := context.WithCancel(context.Background())
		begun := make(chan struct{}, 10)
		r := newRig(t, d, dir, func() error { begun <- struct{}{}; <-ctx.Done(); return ctx.Err() })
		j, err := r.Request(t.Context(), year, "u1", "p")
		if err != nil {
			t.Fatal(err)
		}
		running, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- r.Run(running) }()
		<-begun
		cancel() // the program ends in the middle of the first outlet
		end()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
		if got, _ := r.Get(t.Context(), j.ID); got.State != reportjob.Running {
			t.Fatalf("after the end of the program the job is %s", got.State)
		}
		if err := os.WriteFile(filepath.Join(dir, j.ID+".json.gz.part"), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		again := newRig(t, d, dir, nil)
		stop := run(t, again)
		defer stop()
		wait(t, again, j.ID, reportjob.Done)
	})
}

func TestFailedAndSwept(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *db.DB) {
		t.Helper()
		fail := true
		r := newRig(t, d, t.TempDir(), func() error {
			if fail {
				return errors.New("the store is gone")
			}
			return nil
		})
		stop := run(t, r)
		j, err := r.Request(t.Context(), year, "u1", "p")
		if err != nil {
			t.Fatal(err)
		}
		if j = wait(t, r, j.ID, reportjob.Failed); j.Failure != "report.job_failed" {
			t.Errorf("failed job %+v", j)
		}
		if _, err := r.Result(&j); !errs.Is(err, errs.NotFound) {
			t.Errorf("result of a failed job: %v", err)
		}
		stop()
		fail = false
		stop = run(t, r)
		j, err = r.Request(t.Context(), year, "u1", "p")
		if err != nil {
			t.Fatal(err)
		}
		wait(t, r, j.ID, reportjob.Done)
		stop()
		r.mu.Lock()
		r.now = r.now.AddDate(0, 0, 8)
		r.mu.Unlock()
		stop = run(t, r) // looks through the files first
		defer stop()
		wait(t, r, j.ID, reportjob.Expired)
		left := []string{""}
		for range 500 { // the file goes after the row says so
			if left, _ = filepath.Glob(filepath.Join(r.dir, "*")); len(left) == 0 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if len(left) != 0 {
			t.Errorf("files are left: %s", strconv.Quote(left[0]))
		}
	})
}
