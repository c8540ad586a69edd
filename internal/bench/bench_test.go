package bench

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"plateau/internal/app"
	"plateau/internal/testkit"
)

// TestMain lets the test binary serve as the parts of Connections.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[2] == PartCommand {
		if err := ConnectionsPart(context.Background(), os.Args[3:], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		if err := serve(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(testkit.Main(m))
}

// serve is the program as Start calls it.
func serve(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	flags := map[string]string{}
	for i := 0; i+1 < len(args); i += 2 {
		flags[map[string]string{"--data": "data", "--http": "http.addr", "--hj212": "hj212.addr"}[args[i]]] = args[i+1]
	}
	return app.Run(ctx, app.Options{Flags: flags, Stdout: os.Stdout, Stderr: os.Stderr})
}

// notUnderRace leaves out what only grows or starts servers, whose own packages
// are watched by the race detector; the other tests of this file stay under it.
func notUnderRace(t *testing.T) {
	t.Helper()
	if testkit.Race {
		t.Skip("takes many times as long under the race detector; make unit runs it without")
	}
}

func TestStartSmall(t *testing.T) {
	t.Parallel()
	notUnderRace(t)
	var told strings.Builder
	r, err := Start(t.Context(), Config{Dir: t.TempDir(), Runs: 1, Outlets: 5, Days: 2, Program: os.Args[0], Log: &told})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"start_to_ready_first", "start_to_ready", "start_to_ready_unread", "backup_to_copy", "restore_to_copy", "restore_files_to_copy"} {
		if r.Figures[name].Median <= 0 {
			t.Errorf("%s: %+v", name, r.Figures[name])
		}
	}
	if !strings.Contains(told.String(), "filled in") || !strings.Contains(told.String(), "run 1 of 1") {
		t.Errorf("told %q", told.String())
	}
}

func TestConnectionsSmall(t *testing.T) {
	t.Parallel()
	r, err := Connections(t.Context(), Config{Dir: t.TempDir(), Runs: 1, Conns: 60, Rate: 200, Seconds: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tcp_acknowledged_p99", "tcp_memory", "tcp_cores", "judged_acknowledged_p50"} {
		if r.Figures[name].Median <= 0 {
			t.Errorf("%s: %+v", name, r.Figures[name])
		}
	}
}

func TestIngestSmall(t *testing.T) {
	t.Parallel()
	r, err := Ingest(t.Context(), Config{Dir: t.TempDir(), Runs: 1, Frames: 20_000, Outlets: 100}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Figures["journal_and_series"].Median <= 0 || r.Figures["disk_per_reading"].Median <= 0 {
		t.Errorf("%+v", r)
	}
}

func TestJudgeSmall(t *testing.T) {
	t.Parallel()
	r, err := Judge(t.Context(), Config{Dir: t.TempDir(), Runs: 1, Outlets: 50, Rate: 2000, Seconds: 1})
	if err != nil {
		t.Fatal(err)
	}
	if r.Figures["judged_alone"].Median <= 0 || r.Figures["cpu_per_million_frames"].Median <= 0 || r.Figures["behind_beside_most"].Median <= 0 {
		t.Errorf("%+v", r)
	}
	var table strings.Builder
	if err := r.Table(&table); err != nil || strings.Count(table.String(), "\n") < len(r.Figures)+2 || !strings.Contains(table.String(), "judged_alone") {
		t.Errorf("%v, table:\n%s", err, table.String())
	}
}

func TestRecomputeSmall(t *testing.T) {
	t.Parallel()
	r, err := Recompute(t.Context(), Config{Dir: t.TempDir(), Runs: 2, Outlets: 20, Rate: 200, Seconds: 1, Days: 3})
	if err != nil {
		t.Fatal(err)
	}
	if r.Figures["all_outlets"].Median <= 0 || r.Figures["all_outlets"].Runs != 2 || r.Figures["month_of_one_outlet"].Median <= 0 || r.Figures["acknowledged_p99_beside"].Median <= 0 {
		t.Errorf("%+v", r)
	}
}

func TestGrowthSmall(t *testing.T) {
	t.Parallel()
	notUnderRace(t)
	dir := t.TempDir()
	r, err := Growth(t.Context(), Config{Dir: t.TempDir(), Runs: 1, Frames: 5000, Outlets: 10, Rate: 500, Seconds: 1, Days: 30, Plots: dir})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"outlets_01000_frame", "history_030_day", "readers_32_ack_p99"} {
		if r.Figures[name].Median <= 0 {
			t.Errorf("%s: %+v", name, r.Figures[name])
		}
	}
	plots, err := filepath.Glob(filepath.Join(dir, "growth-*.svg"))
	if err != nil || len(plots) != 3 {
		t.Fatalf("%v, %v", plots, err)
	}
	for _, p := range plots {
		b, err := os.ReadFile(p)
		if err != nil || xml.Unmarshal(b, new(struct{})) != nil || bytes.Contains(b, []byte("NaN")) || bytes.Count(b, []byte("<path")) < 5 {
			t.Errorf("%s: %v\n%s", p, err, b)
		}
	}
}

// TestGrowthDay grows over a single day and few frames: the shortest there is.
func TestGrowthDay(t *testing.T) {
	t.Parallel()
	c := Config{Dir: t.TempDir(), Runs: 1, Frames: 100, Outlets: 3, Rate: 100, Seconds: 1, Days: 1}
	c.defaults()
	r := newReport("growth")
	for _, part := range []func(context.Context, *Config, *Report) (Plot, error){growOutlets, growHistory} {
		p, err := part(t.Context(), &c, &r)
		if err != nil {
			t.Fatal(err)
		}
		if svg := p.SVG(); bytes.Contains(svg, []byte("NaN")) {
			t.Errorf("%s", svg)
		}
	}
	if r.Figures["outlets_00020_frame"].Runs != 1 || r.Figures["history_001_day"].Median <= 0 {
		t.Errorf("%+v", r)
	}
}

func BenchmarkJudge(b *testing.B) {
	for b.Loop() {
		r, err := Judge(b.Context(), Config{Dir: b.TempDir(), Runs: 1, Seconds: 5})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(r.Figures["judged_alone"].Median, "frames/s")
		b.ReportMetric(r.Figures["cores_for_judging_beside"].Median, "cores")
	}
}

func BenchmarkRecompute(b *testing.B) {
	for b.Loop() {
		r, err := Recompute(b.Context(), Config{Dir: b.TempDir(), Runs: 1, Seconds: 3, Days: 10})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(r.Figures["all_outlets"].Median, "s/10days")
		b.ReportMetric(r.Figures["month_of_one_outlet"].Median*1000, "ms/month")
	}
}

func BenchmarkIngest(b *testing.B) {
	for b.Loop() {
		r, err := Ingest(b.Context(), Config{Dir: b.TempDir(), Runs: 1, Frames: 500_000}, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(r.Figures["journal_and_series"].Median, "frames/s")
		b.ReportMetric(r.Figures["disk_per_reading"].Median, "B/reading")
	}
}

func TestSTASmall(t *testing.T) {
	t.Parallel()
	r, err := STA(t.Context(), Config{Dir: t.TempDir(), Runs: 1, Seconds: 1, History: 20_000})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"single_post", "single_post_p99", "data_array_1000_rows", "data_array_10000_rows", "newest_1000_of_a_datastream", "latest_of_a_datastream", "disk_per_observation"} {
		if r.Figures[name].Median <= 0 {
			t.Errorf("%s: %+v", name, r.Figures[name])
		}
	}
}

// TestCasesSmall measures a few cases on both databases: every figure is there.
func TestCasesSmall(t *testing.T) {
	t.Parallel()
	notUnderRace(t)
	for _, d := range testkit.Databases() {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			c := Config{Cases: 2000, Runs: 1, Dir: t.TempDir()}
			name := "sqlite"
			if url := d.URL(t); strings.HasPrefix(url, "postgres") {
				c.Database, name = url, "postgres"
			}
			r, err := Cases(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			for _, what := range []string{"inbox_list_county", "inbox_counts_unit", "all_by_change_region", "search_common_county", "statistics_prefecture", "action", "sweep_none_due", "sweep_1000_due"} {
				if f, ok := r.Figures[name+"_"+what]; !ok || f.Median <= 0 {
					t.Errorf("%s: %+v", what, f)
				}
			}
		})
	}
}

func TestRelaySmall(t *testing.T) {
	t.Parallel()
	notUnderRace(t)
	r, err := Relay(t.Context(), Config{Dir: t.TempDir(), Runs: 1, Frames: 2000, Outlets: 50})
	if err != nil {
		t.Fatal(err)
	}
	if r.Figures["relayed_and_acknowledged"].Median <= 0 || r.Figures["came_twice"].Median != 0 {
		t.Errorf("%+v", r.Figures)
	}
}
