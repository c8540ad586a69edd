package supervise

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/alarm"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/store"
)

// Explainer tells how judged values came about; *quality.Engine is one.
type Explainer interface {
	Explain(outlet telemetry.OutletID, factor, level string, at time.Time) (quality.Explanation, error)
}

// Frames reads frames as received; *store.Store is one.
type Frames interface {
	FrameAt(loc telemetry.Locator) (store.StoredFrame, error)
}

// mostValues is how many values of an episode its document explains: the first ones, by
// which the case was opened.
const mostValues = 24

// Document is what an episode stood on when its case was opened, as a file.
type Document struct {
	Format  string             `json:"format"` // plateau.alarm.v1
	Made    time.Time          `json:"made"`
	Outlet  telemetry.OutletID `json:"outlet"`
	Episode alarm.Episode      `json:"episode"`
	Values  []Value            `json:"values"`
}

// Value is one judged value of an episode with how it came about.
type Value struct {
	Level    string        `json:"level"` // hour or day
	From     time.Time     `json:"from"`
	To       time.Time     `json:"to"`
	Value    *float64      `json:"value"`
	Unit     string        `json:"unit"`
	Valid    bool          `json:"valid"`
	Flag     string        `json:"flag"`
	Over     bool          `json:"over"`
	Evidence bool          `json:"evidence"` // it is the statistic that counts
	Standard string        `json:"standard,omitempty"`
	Steps    quality.Trace `json:"steps"`
	Frames   []Frame       `json:"frames"`
}

// Frame is a frame that a value was made of: where the journal holds it, and the SHA-256
// of its bytes.
type Frame struct {
	Locator  string    `json:"locator"`
	Received time.Time `json:"received,omitzero"`
	SHA256   string    `json:"sha256,omitempty"` // "" = it could not be read
}

// Describe makes the document of an episode: its values with the steps of their
// explanations, and the frames they were made of. A value without an explanation is left
// out.
func Describe(e *alarm.Episode, x Explainer, frames Frames, now time.Time) ([]byte, error) {
	d := Document{Format: "plateau.alarm.v1", Made: now.UTC(), Outlet: e.Outlet, Episode: *e, Values: []Value{}}
	level, step := quality.LevelHour, time.Hour
	if e.Statistic == quality.LevelDay {
		level, step = quality.LevelDay, 24*time.Hour
	}
	for at := e.Start; at.Before(e.Last) && len(d.Values) < mostValues; at = at.Add(step) {
		v, err := x.Explain(e.Outlet, e.Factor, level, at)
		if errors.Is(err, quality.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("explain a value of the alarm: %w", err)
		}
		d.Values = append(d.Values, value(&v, frames))
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", " ")
	enc.SetEscapeHTML(false)
	err := enc.Encode(&d)
	return b.Bytes(), err
}

func value(v *quality.Explanation, frames Frames) Value {
	out := Value{
		Level: v.Level, From: v.From.UTC(), To: v.To.UTC(), Unit: v.Unit, Valid: v.Valid, Flag: v.Flag, Over: v.Over, Evidence: v.Evidence, Standard: v.Standard, Steps: v.Steps, Frames: []Frame{},
	}
	if v.Value.OK {
		out.Value = &v.Value.V
	}
	for _, ref := range v.Frames {
		f := Frame{Locator: ref.Locator.String()}
		if stored, err := frames.FrameAt(ref.Locator); err == nil {
			sum := sha256.Sum256(stored.Raw)
			f.SHA256, f.Received = hex.EncodeToString(sum[:]), stored.Received.UTC()
		}
		out.Frames = append(out.Frames, f)
	}
	return out
}
