package lead

import (
	"slices"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
)

const (
	hourSeconds = 3600
	daySeconds  = 86400
	beijing     = 8 * hourSeconds // the one clock of all stations
)

// Input is what the detectors look at: one outlet in a window. Rows are in order
// of time and inside the window.
type Input struct {
	Outlet   *telemetry.Outlet
	From, To int64 // Unix seconds, half-open
	Hours    []quality.HourRow
	Days     []quality.DayRow
	Clock    []Offset // how the clock of the logger stood
	// Peers are other outlets of the same enterprise; their hours alone are used.
	Peers []*Input

	aside  []string // codes of parameters, by rule lead.common
	byCode map[string][]point
	load   map[int64]float64
	loaded bool
}

// Offset is how far a logger's clock was off at an instant; positive is fast.
type Offset struct {
	At      int64   // Unix seconds
	Seconds float64 // off
}

// Span is a stretch of time, half-open, Unix seconds.
type Span struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// Figure is a number that led to a lead. Key names its words, lead.figure.KEY.
type Figure struct {
	Key   string  `json:"key"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit,omitempty"`
	// Against is the threshold it was held against; Op says how: ">=", "<=", "".
	Op      string  `json:"op,omitempty"`
	Against float64 `json:"against,omitempty"`
}

// Hit is what a detector found.
type Hit struct {
	Factor string `json:"factor"`          // code it shows in; "" = the whole outlet
	Other  string `json:"other,omitempty"` // code it was compared with
	// Peer is the outlet that moves with this one.
	Peer telemetry.OutletID `json:"peer,omitempty"`
	// Spans are where it shows, in order of time; at most maxSpans, the longest.
	Spans   []Span   `json:"spans"`
	From    int64    `json:"from"` // of the first span
	To      int64    `json:"to"`   // of the last one
	Figures []Figure `json:"figures"`
	// Score tells how far the evidence lies beyond the thresholds, from 0 to below
	// 1; see strength.
	Score float64 `json:"score"`
}

// Figure finds a figure by its key.
func (h *Hit) Figure(key string) (Figure, bool) {
	i := slices.IndexFunc(h.Figures, func(f Figure) bool { return f.Key == key })
	if i < 0 {
		return Figure{}, false
	}
	return h.Figures[i], true
}

// maxSpans bounds what is kept and drawn of a lead.
const maxSpans = 60

// Detector is one way to look.
type Detector struct {
	ID    string // its rule is "lead."+ID, its words lead.detector.ID.*
	Media []telemetry.Medium
	// Why lists innocent explanations (words lead.why.*), the most common first;
	// Next, what to look at (words lead.next.*).
	Why, Next []string
	// find returns what it found; looked is false where the window lacks what the
	// detector needs, so that nothing can be said.
	find func(in *Input, p *params) (hits []Hit, looked bool)
}

// Rule is the id of the detector's rule.
func (d *Detector) Rule() string { return "lead." + d.ID }

// Detectors are all detectors in the order of the pages.
func Detectors() []*Detector { return detectors }

// ByID finds a detector, nil when there is none.
func ByID(id string) *Detector {
	for _, d := range detectors {
		if d.ID == id {
			return d
		}
	}
	return nil
}

var (
	gasOnly = []telemetry.Medium{telemetry.Gas}
	wetOnly = []telemetry.Medium{telemetry.Water, telemetry.Surface}
	outfall = []telemetry.Medium{telemetry.Gas, telemetry.Water}
	every   = []telemetry.Medium{telemetry.Gas, telemetry.Water, telemetry.Surface}
)

var detectors = []*Detector{
	{ID: "near_limit", Media: outfall, Why: []string{"set_point", "steady"}, Next: []string{"minutes", "dosing", "manual"}, find: nearLimit},
	{ID: "marks_over", Media: outfall, Why: []string{"plan", "upset", "few"}, Next: []string{"journal", "minutes", "video"}, find: marksOver},
	{ID: "gaps_over", Media: outfall, Why: []string{"power", "link", "few"}, Next: []string{"backfill", "power_log", "minutes"}, find: gapsOver},
	{ID: "calibration_night", Media: outfall, Why: []string{"schedule", "shift"}, Next: []string{"journal", "video"}, find: calibrationNight},
	{ID: "folding", Media: gasOnly, Why: []string{"ref_oxygen", "rounding", "other_mean"}, Next: []string{"settings", "explain"}, find: folding},
	{ID: "reported", Media: outfall, Why: []string{"other_mean", "lost_minutes", "rounding"}, Next: []string{"settings", "explain"}, find: reported},
	{ID: "thin_means", Media: outfall, Why: []string{"lost_minutes", "link"}, Next: []string{"backfill", "settings"}, find: thinMeans},
	{ID: "low_variation", Media: outfall, Why: []string{"steady", "wide_range", "damping"}, Next: []string{"span_gas", "minutes", "manual"}, find: lowVariation},
	{ID: "flat_top", Media: every, Why: []string{"over_range", "cap"}, Next: []string{"range", "minutes", "manual"}, find: flatTop},
	{ID: "jump_then_flat", Media: outfall, Why: []string{"process_change", "hold"}, Next: []string{"minutes", "journal", "video"}, find: jumpThenFlat},
	{ID: "too_smooth", Media: every, Why: []string{"damping", "filled"}, Next: []string{"minutes", "settings"}, find: tooSmooth},
	{ID: "periodic", Media: every, Why: []string{"batch", "damping"}, Next: []string{"process", "minutes"}, find: periodic},
	{ID: "copied_hours", Media: every, Why: []string{"resent", "rounding"}, Next: []string{"frames", "minutes"}, find: copiedHours},
	{ID: "joint_jump", Media: gasOnly, Why: []string{"restart", "leak", "power"}, Next: []string{"probe", "video", "minutes"}, find: jointJump},
	{ID: "day_night", Media: outfall, Why: []string{"shift", "process_change"}, Next: []string{"process", "power_log", "manual"}, find: dayNight},
	{ID: "moving_together", Media: outfall, Why: []string{"one_source", "one_analyser"}, Next: []string{"registry", "frames"}, find: movingTogether},
	{ID: "oxygen_stopped", Media: gasOnly, Why: []string{"leak", "restart"}, Next: []string{"probe", "manual", "process"}, find: oxygenStopped},
	{ID: "slow_gas", Media: gasOnly, Why: []string{"wide_range", "low_load"}, Next: []string{"probe", "process", "manual"}, find: slowGas},
	{ID: "no_flow", Media: gasOnly, Why: []string{"lost_minutes", "restart"}, Next: []string{"probe", "settings"}, find: noFlow},
	{ID: "nh3_over_tn", Media: wetOnly, Why: []string{"two_samples", "tolerance"}, Next: []string{"span_gas", "manual"}, find: nh3OverTN},
	{ID: "cod_under_bod", Media: wetOnly, Why: []string{"two_samples", "tolerance"}, Next: []string{"span_gas", "manual"}, find: codUnderBOD},
	{ID: "clock", Media: every, Why: []string{"battery", "link"}, Next: []string{"clock_set", "frames"}, find: clockOff},
}

// Found is what one detector said of one window.
type Found struct {
	Detector *Detector
	Version  int    // of its rule
	Hash     string // of its rule
	Looked   bool
	Hits     []Hit
}

// Look runs every detector for the outlet's medium by the rules in force on the
// window's last day.
func (b *Rulebook) Look(in *Input) []Found {
	var out []Found
	date := dateOf(in.To - 1)
	in.aside = b.common(date).aside
	for _, d := range detectors {
		if !slices.Contains(d.Media, in.Outlet.Medium) {
			continue
		}
		p := b.at(d, date)
		if p == nil {
			continue // ended without a successor
		}
		f := Found{Detector: d, Version: p.rule.Version, Hash: p.rule.Hash}
		f.Hits, f.Looked = d.find(in, p)
		for i := range f.Hits {
			f.Hits[i].bound()
		}
		out = append(out, f)
	}
	return out
}

// bound joins spans that touch, keeps the longest and sets the ends.
func (h *Hit) bound() {
	slices.SortFunc(h.Spans, func(a, b Span) int { return int(a.From - b.From) })
	joined := h.Spans[:0]
	for _, s := range h.Spans {
		if n := len(joined); n > 0 && s.From <= joined[n-1].To {
			joined[n-1].To = max(joined[n-1].To, s.To)
			continue
		}
		joined = append(joined, s)
	}
	if len(joined) > 0 {
		h.From, h.To = joined[0].From, joined[len(joined)-1].To
	}
	if len(joined) > maxSpans {
		slices.SortStableFunc(joined, func(a, b Span) int { return int((b.To - b.From) - (a.To - a.From)) })
		joined = joined[:maxSpans]
		slices.SortFunc(joined, func(a, b Span) int { return int(a.From - b.From) })
	}
	h.Spans = joined
}

// strength tells from 0 to below 1 how far evidence lies beyond its thresholds:
// each ratio is a measure over the threshold it had to reach. The weakest of the
// conditions decides, since a lead is only as good as that: just reached is 0,
// twice is a half, five times is 0.8.
func strength(ratios ...float64) float64 {
	weakest := slices.Min(ratios)
	if weakest <= 1 {
		return 0
	}
	return 1 - 1/weakest
}

// hour is the span of the hour that begins at.
func hour(at int64) Span { return Span{at, at + hourSeconds} }
