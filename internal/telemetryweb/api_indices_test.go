package telemetryweb

import (
	"maps"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
)

// section makes a section of surface water of an outlet.
func section(id telemetry.OutletID) func(s *telemetry.Snapshot) {
	return func(s *telemetry.Snapshot) {
		s.Outlets = maps.Clone(s.Outlets)
		o := *s.Outlets[id]
		o.Medium, o.Factors = telemetry.Surface, nil
		s.Outlets[id] = &o
	}
}

// waters has two days of a river: one whose ammonia is of class IV, and one of
// which nothing is valid.
type waters struct{ quality.Queries }

func (w *waters) Days(id telemetry.OutletID, _, _ time.Time) ([]quality.DayRow, error) {
	day := func(d int, valid bool) quality.DayRow {
		return quality.DayRow{Outlet: id, At: time.Date(2026, 11, d, 0, 0, 0, 0, i18n.Zone).Unix(), Factors: []quality.FactorDay{
			{Code: "w21003", Valid: valid, Mean: quality.Some(1.5)}, {Code: "w01009", Valid: valid, Mean: quality.Some(7.8)},
		}}
	}
	return []quality.DayRow{day(20, true), day(21, false)}, nil
}

func TestIndices(t *testing.T) {
	t.Parallel()
	r := apiRig(t, 9)
	r.registry.change(section(2))
	r.registry.change(section(9))
	r.Quality = &waters{r.quality}
	r.answers(t, []answer{
		{"officer", "/2/indices?fields=at,class,factors,over_class_3,main,rule_version", 200, `{"rows":[{"at":"2026-11-20","class":"IV","factors":{"w01009":"I","w21003":"IV"},"main":["w21003"],"over_class_3":{"w21003":0.5},"rule_version":1},` +
			`{"at":"2026-11-21","class":null,"factors":{},"main":[],"over_class_3":{},"rule_version":1}]}`},
		{"officer", "/2/indices?fields=aqi", 400, "aqi"},
		{"officer", "/2/indices?from=2024-01-01T00:00:00Z", 400, ""},
		{"officer", "/1/indices", 422, "outlet 1 is no section of surface water"},
		{"officer", "/9999/indices", 404, ""},
		{"enterprise", "/2/indices", 200, ""},
		{"enterprise", "/9/indices", 403, ""},
		{"", "/2/indices", 401, ""},
	})
}

// answer is what the interface says of an outlet to an actor.
type answer struct {
	actor, target string
	status        int
	says          string // part of it, in English
}

func (r *rig) answers(t *testing.T, list []answer) {
	t.Helper()
	for _, a := range list {
		w := r.ask(a.actor, "GET", "/api/v1/outlets"+a.target, nil, "Accept-Language", "en")
		if w.Code != a.status || !strings.Contains(w.Body.String(), a.says) {
			t.Errorf("%s at %s: %d, not %d with %q: %s", a.actor, a.target, w.Code, a.status, a.says, w.Body)
		}
	}
}
