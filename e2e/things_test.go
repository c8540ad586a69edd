//go:build e2e

package e2e

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// greenhouse is a thing whose only value is beyond its bound.
const greenhouse = `{"name": "温室 1", "description": "番茄",
  "Locations": [{"name": "拉萨", "description": "-", "encodingType": "application/geo+json", "location": {"type": "Point", "coordinates": [91.1, 29.65]}}],
  "Datastreams": [{"name": "气温", "description": "-", "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
    "unitOfMeasurement": {"name": "degree Celsius", "symbol": "°C", "definition": "ucum:Cel"},
    "properties": {"alarm": {"above": 35, "below": "x", "silentAfter": "PT2H"}},
    "Sensor": {"name": "S", "description": "-", "encodingType": "text/html", "metadata": "https://example.org/s"},
    "ObservedProperty": {"name": "气温", "definition": "https://example.org/t", "description": "-"},
    "Observations": [{"result": 36.5}]}]}`

// thingPlaces makes a thing and returns its page.
func thingPlaces(ctx context.Context, t *testing.T, pattern string) []string {
	t.Helper()
	if pattern != "/things/{id}" {
		return []string{pattern}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, demo.http+"/sta/v1.1/Things", strings.NewReader(greenhouse))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+demo.token)
	r.Header.Set("Content-Type", "application/json")
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	to, err := url.Parse(w.Header.Get("Location"))
	if err != nil || w.StatusCode != http.StatusCreated {
		t.Fatalf("a thing cannot be made: %s %v", w.Status, err)
	}
	_, id, _ := strings.Cut(to.Path, "Things(")
	return []string{"/things/" + strings.TrimSuffix(id, ")"), "/things/" + strings.TrimSuffix(id, ")") + "?span=week"}
}
