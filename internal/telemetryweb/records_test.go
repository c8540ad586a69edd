package telemetryweb

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/telemetry"
)

// TestRecordsColumns: digits stay as sent, what is missing or no number is null,
// and every column is as long as the times.
func TestRecordsColumns(t *testing.T) {
	t.Parallel()
	val := func(code, suffix, text, flag string) telemetry.Value {
		v := telemetry.NewValue(code, suffix, []byte(text))
		v.Flag = flag
		return v
	}
	var cols columns
	for i, values := range [][]telemetry.Value{
		{val("a21026", "Rtd", "12.30", "N"), val("a19001", "Rtd", "-0.5", "")},
		{val("a21026", "Rtd", "NaN", "D")},
		{val("x\"1", "Rtd", "+007", "N"), val("a21026", "Rtd", "0", "N")},
	} {
		cols.add(&telemetry.Record{At: int64(100 + i), Values: values})
	}
	from := time.Unix(100, 0)
	got := string(cols.json(&telemetry.Outlet{ID: 7}, "realtime", from, from.Add(time.Minute), time.Time{}))
	want := `{"outlet":7,"kind":"realtime","from":"1970-01-01T00:01:40Z","to":"1970-01-01T00:02:40Z","times":[100,101,102],"series":[` +
		`{"factor":"a21026","statistic":"Rtd","unit":"mg/m³","values":[12.30,null,0],"flags":["N","D","N"]},` +
		`{"factor":"a19001","statistic":"Rtd","unit":"%","values":[-0.5,null,null],"flags":["",null,null]},` +
		`{"factor":"x\"1","statistic":"Rtd","unit":"","values":[null,null,7],"flags":[null,null,"N"]}]}` + "\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !json.Valid([]byte(got)) {
		t.Error("no JSON")
	}
}

func TestRecordsInterface(t *testing.T) {
	t.Parallel()
	r := newRig(t, 4)
	const span = "from=2026-11-23T08:00:00%2B08:00&to=2026-11-23T00:10:00.5Z"
	for _, tt := range []struct {
		role, query string
		status      int
		holds       string
	}{
		{"officer", span, 200, `"times":[1795392000,1795392060,`},
		{"enterprise", span, 200, `"factor":"a21002"`},
		{"officer", "kind=hour&" + span, 200, `"times":[],"series":[]`},
		{"", span, 401, "unauthenticated"},
		{"officer", "kind=2011", 400, "realtime"},
		{"officer", "from=yesterday", 400, "from"},
		{"officer", "to=23.11.2026", 400, "to"},
		{"officer", "from=2026-01-01T00:00:00Z&to=2026-03-01T00:00:00Z", 400, "31"},
	} {
		w := r.ask(tt.role, http.MethodGet, "/api/v1/outlets/1/records?"+tt.query, nil)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.holds) {
			t.Errorf("%s %s: status %d, want %d with %s in\n%.300s", tt.role, tt.query, w.Code, tt.status, tt.holds, w.Body)
		}
	}
	if w := r.ask("enterprise", http.MethodGet, "/api/v1/outlets/3/records?"+span, nil); w.Code != http.StatusForbidden {
		t.Errorf("an enterprise reads another's records: status %d", w.Code)
	}
	if w := r.ask("officer", http.MethodGet, "/api/v1/outlets/99/records", nil); w.Code != http.StatusNotFound {
		t.Errorf("no such outlet: status %d", w.Code)
	}
	// to is exclusive, and half a second over ten past lets the record of ten past in.
	w := r.ask("officer", http.MethodGet, "/api/v1/outlets/1/records?"+span, nil)
	var answer struct{ Times []int64 }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || len(answer.Times) != 11 {
		t.Errorf("%d times, want 11; %v", len(answer.Times), err)
	}
}
