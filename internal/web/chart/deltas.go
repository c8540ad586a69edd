package chart

import (
	"encoding/json"
	"math"
	"time"
)

// Zoom is the data of the zoomable chart, as its script reads it: times are
// From + i × Step, values are sent as whole steps of 10^-Decimals, each as the
// difference from the one before (half the bytes of plain numbers after gzip).
type Zoom struct {
	From   time.Time
	Step   time.Duration
	Series []ZoomSeries
}

// ZoomSeries is one line.
type ZoomSeries struct {
	Code     string
	Label    string
	Unit     string
	Decimals int
	Values   []float64 // NaN keeps a gap
	Limit    float64   // NaN: none
}

// MarshalJSON writes {"from":unix,"step":s,"series":[{"code","label","unit","decimals","limit","d":[…]}]};
// a gap is null and the next difference counts from the last value.
func (z Zoom) MarshalJSON() ([]byte, error) {
	type series struct {
		Code     string   `json:"code"`
		Label    string   `json:"label"`
		Unit     string   `json:"unit"`
		Decimals int      `json:"decimals"`
		Limit    *float64 `json:"limit"`
		D        []*int64 `json:"d"`
	}
	out := struct {
		From   int64    `json:"from"`
		Step   int64    `json:"step"`
		Series []series `json:"series"`
	}{From: z.From.Unix(), Step: int64(z.Step / time.Second), Series: []series{}}
	for _, s := range z.Series {
		o := series{Code: s.Code, Label: s.Label, Unit: s.Unit, Decimals: s.Decimals, D: make([]*int64, len(s.Values))}
		if num(s.Limit) {
			o.Limit = &s.Limit
		}
		last, unit := int64(0), math.Pow10(s.Decimals)
		for i, v := range s.Values {
			if !num(v) {
				continue
			}
			n := int64(math.Round(v * unit))
			d := n - last
			o.D[i], last = &d, n
		}
		out.Series = append(out.Series, o)
	}
	return json.Marshal(out)
}
