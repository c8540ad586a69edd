package telemetryweb

import (
	"strconv"
	"time"

	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry/quality"
)

// layerView is one of the layers a value lies in: raw, reported, checked,
// derived, final. A higher one never overwrites a lower one.
type layerView struct {
	Title string
	Lines []string
	Codes string // digests that identify what it was made of
}

// layers puts the layers of a value into words.
func (c *call) layers(v *explainView, x quality.Explanation) []layerView {
	layer := func(name string, lines ...string) layerView {
		out := layerView{Title: c.l.T("layer." + name)}
		for _, l := range lines {
			if l != "" {
				out.Lines = append(out.Lines, l)
			}
		}
		return out
	}
	with := func(o quality.Opt) string { return figureFor(o, x.Factor, x.Limit) + " " + v.Unit }
	raw := c.l.T("value.no_frames")
	if n := len(x.Frames); n > 0 {
		first, last := x.Frames[0].Received, x.Frames[0].Received
		for i := range x.Frames {
			first, last = min(first, x.Frames[i].Received), max(last, x.Frames[i].Received)
		}
		raw = c.l.T("layer.raw_text", "n", n, "first", i18n.Stamp(time.UnixMicro(first)), "last", i18n.Stamp(time.UnixMicro(last)))
	}
	revised := ""
	if n := len(x.Revisions); n > 0 {
		revised = c.l.T("layer.revised", "n", n)
	}
	reported := c.l.T("layer.reported_none")
	if r := &x.Reported; r.There {
		reported = c.l.T("layer.reported_text", "value", with(r.Avg), "flag", r.Flag)
		if r.ZsAvg.OK {
			reported = c.l.T("layer.reported_folded", "value", with(r.Avg), "folded", with(r.ZsAvg), "flag", r.Flag)
		}
	}
	in := &x.Inputs
	key := "layer.not_valid"
	if x.Valid {
		key = "layer.valid"
	}
	counted := ""
	switch x.Level {
	case quality.LevelHour:
		counted = c.l.T("layer.minutes", "valid", in.Valid, "seen", in.Seen, "due", in.Expected)
	case quality.LevelDay:
		counted = c.l.T("layer.hours", "valid", in.Valid, "seen", in.Seen, "due", in.Expected)
	}
	rule := ""
	for _, s := range x.Steps {
		if s.Name == quality.StepValidity && s.Rule != "" {
			rule = s.Rule + " v" + strconv.Itoa(s.Version)
		}
	}
	checked := layer("checked", c.l.T(key), counted)
	checked.Codes = rule
	share := i18n.Missing
	if in.Expected > 0 {
		share = i18n.Number(100*float64(in.Seen)/float64(in.Expected), 0)
	}
	derived := layer("derived", c.l.T("layer.derived_none"))
	switch {
	case x.Recomputed.OK && counted != "":
		derived = layer("derived", c.l.T("layer.derived_text", "value", with(x.Recomputed), "n", in.Records, "percent", share))
	case counted == "":
		derived = layer("derived", c.l.T("layer.derived_single"))
	}
	derived.Codes = c.l.T("layer.digests", "rules", in.Rules, "outlet", in.Outlet, "inputs", in.Hash)
	basis := ""
	switch x.Basis {
	case quality.BasisReported, quality.BasisReportedFolded:
		basis = c.l.T("reason.judged_by_reported")
	case quality.BasisMean, quality.BasisFolded, quality.BasisValidated:
		basis = c.l.T("reason.judged_by_recomputed")
	case quality.BasisNone:
	}
	final := c.l.T("layer.final_none")
	if x.Value.OK && x.Valid {
		final = c.l.T("layer.final_text", "value", with(x.Value))
	}
	return []layerView{layer("raw", raw, revised), layer("reported", reported), checked, derived, layer("final", final, basis)}
}
