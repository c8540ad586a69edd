package chart

import (
	"strings"
	"testing"
)

func TestSpot(t *testing.T) {
	t.Parallel()
	at := func(lon, lat float64) string {
		return string(Spot{Base: "/base.svg", Lon: lon, Lat: lat, Name: `桥 "下"`}.SVG())
	}
	if got := at(91.1, 29.65); !strings.Contains(got, `aria-label="桥 &#34;下&#34;"`) || !strings.Contains(got, `viewBox="300.3 `) {
		t.Error(got)
	}
	if got := at(78.1, 36.7); !strings.Contains(got, `viewBox="0 0 155 86"`) { // a corner of the map
		t.Error(got)
	}
	for _, off := range [][2]float64{{0, 0}, {120, 30}, {91, 89}} {
		if got := at(off[0], off[1]); got != "" {
			t.Errorf("%v: %s", off, got)
		}
	}
}
