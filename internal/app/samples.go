package app

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
	stawrite "plateau/internal/sensorthings/write"
)

// sampleDays is how many days of observations the sample Things have, one an hour.
const sampleDays = 5

// sampleSeries is one Datastream of a sample Thing: a daily curve around a mean.
type sampleSeries struct {
	name, symbol, unit, property string
	mean, swing, least           float64
	digits                       int
}

type sampleThing struct {
	name, what string
	lon, lat   float64
	series     []sampleSeries
}

// sampleThings are what clients of a demonstration might have made: nothing of
// it is measured, and each says so.
var sampleThings = []sampleThing{
	{"水质断面甲（示例）", "River section A (sample): generated values", 94.3612, 29.6487, []sampleSeries{
		{"水温", "°C", "degree Celsius", "water temperature", 8.5, 2.1, 0, 1}, {"溶解氧", "mg/L", "milligram per litre", "dissolved oxygen", 9.2, 0.6, 0, 2}, {"氨氮", "mg/L", "milligram per litre", "ammonia nitrogen", 0.18, 0.06, 0.02, 3},
	}},
	{"水质断面乙（示例）", "River section B (sample): generated values", 94.4471, 29.5713, []sampleSeries{
		{"水温", "°C", "degree Celsius", "water temperature", 9.1, 2.4, 0, 1}, {"浊度", "NTU", "nephelometric turbidity unit", "turbidity", 14, 6, 1, 1},
	}},
	{"温室（示例）", "Greenhouse (sample): generated values", 94.3429, 29.6655, []sampleSeries{
		{"气温", "°C", "degree Celsius", "air temperature", 22, 7, 5, 1}, {"空气湿度", "%", "percent", "relative humidity", 68, 14, 20, 0}, {"土壤含水率", "%", "percent", "soil moisture", 31, 2, 10, 1},
	}},
	{"气象站（示例）", "Weather station (sample): generated values", 94.3388, 29.6502, []sampleSeries{
		{"气温", "°C", "degree Celsius", "air temperature", 11, 6, -20, 1}, {"风速", "m/s", "metre per second", "wind speed", 2.4, 1.8, 0, 1}, {"气压", "hPa", "hectopascal", "air pressure", 707, 2, 690, 1},
	}},
}

// sampleEntities makes the sample Things of a demonstration, unless its folder
// has Things of clients already.
func (a *App) sampleEntities(ctx context.Context) error {
	some := false
	err := a.entities.Entities(ctx, sensorthings.Things, 0, func(*sensorthings.Entity) bool { some = true; return false })
	if err != nil || some {
		return err
	}
	path, err := query.ParsePath("/Things")
	if err != nil {
		return err
	}
	to := a.now().UTC().Truncate(time.Hour)
	return a.writer.Update(ctx, func(s *stawrite.Session) error {
		for i := range sampleThings {
			body, err := json.Marshal(sampleThings[i].body(i, to))
			if err != nil {
				return err
			}
			if _, err := s.Post(ctx, path, body); err != nil {
				return fmt.Errorf("make the sample %s: %w", sampleThings[i].name, err)
			}
		}
		return nil
	})
}

type object = map[string]any

// body is the Thing with everything inside of it, as a client would post it.
func (t *sampleThing) body(seed int, to time.Time) object {
	streams := []object{}
	for j, series := range t.series {
		streams = append(streams, object{
			"name": t.name + " " + series.name, "description": series.property + " (sample)",
			"observationType":   "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
			"unitOfMeasurement": object{"name": series.unit, "symbol": series.symbol, "definition": nil},
			"Sensor":            object{"name": series.name + "（示例）", "description": "generated values, no sensor", "encodingType": "text/plain", "metadata": "sample"},
			"ObservedProperty":  object{"name": series.name, "description": series.property, "definition": "urn:plateau:sample:" + strconv.Itoa(seed*10+j)},
			"properties":        object{"sample": true},
			"Observations":      series.observations(seed*10+j, to),
		})
	}
	return object{
		"name": t.name, "description": t.what, "properties": object{"sample": true},
		"Locations": []object{{
			"name": t.name, "description": "sample", "encodingType": "application/geo+json",
			"location": object{"type": "Point", "coordinates": []float64{t.lon, t.lat}},
		}},
		"Datastreams": streams,
	}
}

// observations are the same for the same hour, wherever the demonstration runs.
func (s *sampleSeries) observations(seed int, to time.Time) []object {
	list := make([]object, 0, sampleDays*24)
	for at := to.Add(-sampleDays * 24 * time.Hour); at.Before(to); at = at.Add(time.Hour) {
		hour := float64(at.Unix() / 3600)
		v := s.mean + s.swing*(math.Sin((hour-3)*math.Pi/12)+0.3*math.Sin(hour*0.71+float64(seed)))
		list = append(list, object{
			"phenomenonTime": at.Format(time.RFC3339), "resultTime": at.Format(time.RFC3339),
			"result": json.RawMessage(strconv.FormatFloat(max(v, s.least), 'f', s.digits, 64)),
		})
	}
	return list
}
