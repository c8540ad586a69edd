package main

import "math"

// The ellipsoid of the published GCJ-02 offset (Krasovsky 1940).
const (
	axis   = 6378245.0
	eccent = 0.00669342162296594323
)

// wgs84 turns a GCJ-02 point into WGS-84. The offset is known only in the other
// direction, so the point is corrected until the offset leads back to it; three
// rounds reach a centimetre.
func wgs84(lon, lat float64) (float64, float64) {
	x, y := lon, lat
	for range 3 {
		gx, gy := gcj02(x, y)
		x, y = x+lon-gx, y+lat-gy
	}
	return x, y
}

// gcj02 applies the offset of a few hundred metres to a WGS-84 point.
func gcj02(lon, lat float64) (float64, float64) {
	x, y := lon-105, lat-35
	wave := func(v float64) float64 { return 20*math.Sin(6*v*math.Pi) + 20*math.Sin(2*v*math.Pi) }
	dLat := -100 + 2*x + 3*y + 0.2*y*y + 0.1*x*y + 0.2*math.Sqrt(math.Abs(x)) +
		(wave(x)+20*math.Sin(y*math.Pi)+40*math.Sin(y/3*math.Pi)+160*math.Sin(y/12*math.Pi)+320*math.Sin(y*math.Pi/30))*2/3
	dLon := 300 + x + 2*y + 0.1*x*x + 0.1*x*y + 0.1*math.Sqrt(math.Abs(x)) +
		(wave(x)+20*math.Sin(x*math.Pi)+40*math.Sin(x/3*math.Pi)+150*math.Sin(x/12*math.Pi)+300*math.Sin(x/30*math.Pi))*2/3
	rad := lat / 180 * math.Pi
	m := 1 - eccent*math.Sin(rad)*math.Sin(rad)
	dLat = dLat * 180 / (axis * (1 - eccent) / (m * math.Sqrt(m)) * math.Pi)
	dLon = dLon * 180 / (axis / math.Sqrt(m) * math.Cos(rad) * math.Pi)
	return lon + dLon, lat + dLat
}
