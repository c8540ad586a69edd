package sensorthingsweb

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/read"
	"plateau/internal/sensorthings/sensorthingstest"
)

// timeless is a network whose Datastreams do not tell what time they span, as
// those of outlets do not; it counts the scans for it.
type timeless struct {
	sensorthings.Reader
	scans int
}

func (t *timeless) strip(e *sensorthings.Entity) *sensorthings.Entity {
	c := *e
	c.Properties = slices.Clone(e.Properties)
	for i, p := range e.Set.Properties() {
		if p.Computed && i < len(c.Properties) {
			c.Properties[i] = nil
		}
	}
	return &c
}

func (t *timeless) Entity(ctx context.Context, s sensorthings.Set, id sensorthings.ID) (*sensorthings.Entity, error) {
	e, err := t.Reader.Entity(ctx, s, id)
	if err != nil {
		return nil, err
	}
	return t.strip(e), nil
}

func (t *timeless) Entities(ctx context.Context, s sensorthings.Set, after sensorthings.ID, fn func(*sensorthings.Entity) bool) error {
	return t.Reader.Entities(ctx, s, after, func(e *sensorthings.Entity) bool { return fn(t.strip(e)) })
}

func (t *timeless) Observations(ctx context.Context, sc sensorthings.Scan, fn func(*sensorthings.Observation) bool) error {
	t.scans++
	return t.Reader.Observations(ctx, sc, fn)
}

// TestTimeOfOutletsDatastreams is datamodel/datastream/properties: the time of
// all observations is told, filtered and sorted by, and costs nothing where
// nobody asks for it.
func TestTimeOfOutletsDatastreams(t *testing.T) {
	t.Parallel()
	r := &timeless{Reader: sensorthingstest.World()}
	h := handlerOver(r, read.Limits{})
	const span = "2016-01-01T00:00:00Z/2016-01-01T09:00:00Z"
	for _, tt := range []struct {
		ask  string
		code int
		want string
	}{
		{"/Datastreams(1)", http.StatusOK, `"phenomenonTime":"` + span + `"`},
		{"/Datastreams(1)/phenomenonTime/$value", http.StatusOK, span},
		{"/Datastreams(3)/phenomenonTime", http.StatusNoContent, ""},
		{"/Datastreams?$select=id,phenomenonTime", http.StatusOK, `{"@iot.id":1,"phenomenonTime":"` + span + `"}`},
		{"/Datastreams?$filter=phenomenonTime ge 2016-01-01T00:00:00Z&$select=id", http.StatusOK, `"value":[{"@iot.id":1},{"@iot.id":2}]`},
		{"/Datastreams?$orderby=phenomenonTime desc&$select=id", http.StatusOK, `"value":[{"@iot.id":1},{"@iot.id":2},{"@iot.id":3}]`},
		{"/Things(1)?$expand=Datastreams($select=phenomenonTime)&$select=id", http.StatusOK, span},
	} {
		w := ask(t, h, http.MethodGet, tt.ask)
		if w.Code != tt.code || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: %d %s, want %d %s", tt.ask, w.Code, w.Body, tt.code, tt.want)
		}
	}
	r.scans = 0
	ask(t, h, http.MethodGet, "/Datastreams?$select=id,name&$filter=name ne 'x'")
	if r.scans != 0 {
		t.Errorf("%d scans over observations for names", r.scans)
	}
}
