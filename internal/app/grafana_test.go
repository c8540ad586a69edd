package app

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"plateau/internal/testkit"
)

// sometimes are metrics that a server shows only when there is something to
// tell; they are held against what the collectors describe.
var sometimes = []string{
	"plateau_hj212_faults_total", "plateau_disk_growth_bytes_per_day", "plateau_disk_forecast_days", "plateau_backup_timestamp_seconds",
	"plateau_mqtt_connections", "plateau_mqtt_topics", "plateau_mqtt_sent_total", "plateau_mqtt_published_total", "plateau_mqtt_refused_total", "plateau_mqtt_slow_total",
	"plateau_mqtt_lost_total",
	"plateau_relay_frames_total", "plateau_relay_waiting_frames", "plateau_relay_lag_seconds", "plateau_relay_connected",
}

// TestGrafanaNames: every metric that the dashboard asks for is shown.
func TestGrafanaNames(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(testkit.Root(), "docs", "grafana", "plateau.json"))
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	a, end := serving(t, t.TempDir())
	defer end()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+a.httpAddr+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res.Status, err)
	}
	var described strings.Builder
	for _, c := range []prometheus.Collector{&collector{}, &keptMetrics{}, &toldMetrics{}, &relayMetrics{}} {
		ch := make(chan *prometheus.Desc, 100)
		c.Describe(ch)
		close(ch)
		for d := range ch {
			described.WriteString(d.String())
		}
	}
	names, asked := regexp.MustCompile(`\b(?:plateau|process|go)_[a-z0-9_]+`), 0
	for _, p := range board.Panels {
		for _, x := range p.Targets {
			found := names.FindAllString(x.Expr, -1)
			if len(found) == 0 {
				t.Errorf("%s asks for no metric: %s", p.Title, x.Expr)
			}
			for _, n := range found {
				asked++
				if slices.Contains(sometimes, n) && strings.Contains(described.String(), `"`+n+`"`) {
					continue
				}
				if !strings.Contains(string(shown), "\n# TYPE "+n+" ") {
					t.Errorf("%s: there is no metric %s", p.Title, n)
				}
			}
		}
	}
	if asked < 45 {
		t.Errorf("only %d metrics asked for", asked)
	}
}
