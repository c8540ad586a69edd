package telemetryweb

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/hj212"
	"plateau/internal/platform/access"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/archive"
	"plateau/internal/telemetry/figures"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/store"
	"plateau/internal/web"
)

// explainView is a value with the five steps it came about by.
type explainView struct {
	ID        string
	Href      string
	Name      word
	Factor    word
	Code      string
	State     string
	Value     string
	Unit      string
	Level     string
	Range     string
	Valid     bool
	Running   bool
	Over      bool
	Times     string
	Limit     string
	Standard  string
	Verdict   string
	Frame     *frameRef
	Frames    []frameRef
	More      int
	Revisions []frameRef
	Steps     []stepView
	Hours     []hourLine
	Layers    []layerView
	Known     *knownView
	exported
}

// frameRef points to a frame page.
type frameRef struct {
	Href     string
	Kind     string
	At       time.Time
	Received time.Time
	RF       bool
	Items    string
	Bytes    int
	Pieces   []piece
	Opened   bool // it came encrypted; Pieces are decrypted
}

// piece is a stretch of a raw frame; Used ones are what the value was made of.
type piece struct {
	Text string
	Used bool
}

type stepView struct {
	Name    string // frame, validity, conversion, limit, verdict
	Title   string
	Rule    string // id and version
	Href    string // of the rule as it was then
	Clause  word
	Formula string
	Inputs  []inputView
	Result  string
	Notes   []string
}

// inputView is a figure or a word a step was made of.
type inputView struct {
	Name, Value word
	Unit        string
}

// maxFrames is how many frames an explanation lists; the rest is counted.
const maxFrames = 12

func (h *Handler) value(c *call) error {
	id, format := cutFormat(c.r.PathValue("id"))
	outlet, factor, level, at, ok := parseValueID(id)
	if !ok {
		return notFound()
	}
	o, s, err := h.look(c, strconv.Itoa(int(outlet)))
	if err != nil {
		return err
	}
	x, err := s.Explain(factor, level, at)
	if missing(err) {
		return notFound()
	}
	if err != nil {
		return err
	}
	v := h.explain(c, o, x)
	v.Known, v.Layers = c.knownForm(), c.layers(v, x)
	v.exported = exported{c.path("/values/" + v.ID), c.keepQuery()}
	if format != "" {
		e := export{Name: "value-" + id, About: h.about(c, id), Codes: []string{"step", "rule", "clause", "formula", "result", "notes"}}
		e.words(c)
		for _, s := range v.Steps {
			e.add(s.Name, s.Rule, s.Clause.Text, s.Formula, s.Result, strings.Join(s.Notes, " "))
		}
		return e.send(c, format)
	}
	title := c.l.T("value.title", "name", v.Name.Text, "factor", v.Factor.Text, "range", v.Range)
	return h.render(c, http.StatusOK, "value.html", &web.Page{
		Title: title, Module: "outlets", Crumbs: append(h.crumbs(c, o), web.Crumb{Text: v.Name.Text, Path: outletPath(o.ID)}), Data: v,
	})
}

func (h *Handler) explain(c *call, o *telemetry.Outlet, x quality.Explanation) *explainView {
	v := &explainView{
		ID: valueID(o.ID, x.Factor, x.Level, x.From), Name: c.outletName(o), Factor: c.factor(x.Factor), Code: x.Factor, Value: figureFor(x.Value, x.Factor, x.Limit),
		Unit: unit(x.Unit), Valid: x.Valid, Running: x.Running, Over: x.Over, Limit: limitText(x.Limit), Standard: x.Standard, State: "normal",
	}
	v.Href = c.keep(c.path("/values/" + v.ID))
	folded := x.Basis == quality.BasisFolded || x.Basis == quality.BasisReportedFolded
	v.Level = c.levelText(x.Level, folded)
	switch x.Level {
	case quality.LevelDay:
		v.Range = i18n.Short(x.From)
	case quality.LevelHour:
		v.Range = i18n.Short(x.From) + " " + i18n.Hours(x.From, x.To)
	default:
		v.Range = i18n.Short(x.From) + " " + i18n.Seconds(x.From)
	}
	h.verdict(c, v, x)
	v.Frames, v.More = h.refs(c, x.Frames)
	v.Revisions, _ = h.refs(c, x.Revisions)
	if len(x.Frames) > 0 {
		v.Frame = h.firstFrame(c, x)
	}
	for _, s := range x.Steps {
		h.nameMark(c, &s)
		v.Steps = append(v.Steps, c.step(s, v.Unit))
	}
	for i := range x.Hours {
		f := &x.Hours[i]
		if i >= len(x.HourStarts) {
			break
		}
		from := time.Unix(x.HourStarts[i], 0)
		line := hourLine{From: from, To: from.Add(time.Hour), Value: figureFor(shown(f), x.Factor, f.Limit), Valid: f.NValid, Flag: f.Flag, State: figures.Broken(f.Over, f.Evidence), Short: !f.Valid}
		if f.Mean.OK {
			line.Href = c.keep(c.path("/values/" + valueID(o.ID, x.Factor, quality.LevelHour, from)))
		}
		v.Hours = append(v.Hours, line)
	}
	return v
}

// nameMark puts the name of a mark in the place of its code.
func (h *Handler) nameMark(c *call, s *quality.Step) {
	i := slices.IndexFunc(s.Inputs, func(in quality.Input) bool { return in.Name == "mark_code" })
	if i < 0 {
		return
	}
	for _, r := range h.ruleSet().Versions(s.Rule) {
		codes, err := r.Marks()
		if err != nil || r.Version != s.Version {
			continue
		}
		for _, m := range codes {
			if m.Code == s.Inputs[i].Value {
				s.Inputs[i].Value = m.Name[string(c.lang)]
			}
		}
	}
}

// step puts a step into words. What a step has nothing to say about keeps its
// place, but no rule: nothing was applied.
func (c *call) step(s quality.Step, unitOfValue string) stepView {
	v := stepView{Name: s.Name, Title: c.l.T("step." + s.Name), Formula: s.Formula, Result: c.result(s)}
	if s.Rule != "" && s.Result != string(quality.FoldNotRequired) {
		v.Rule = s.Rule + " v" + strconv.Itoa(s.Version)
		v.Href = c.path("/rules/" + s.Rule + "?version=" + strconv.Itoa(s.Version))
		v.Clause = word{s.Clause, "en"}
		if s.ClauseZh == "" {
			v.Clause.Lang = ""
		} else if c.lang != i18n.En {
			v.Clause = word{s.ClauseZh, "zh"}
		}
	}
	if s.Name == quality.StepVerdict && s.Formula != "" {
		s.Inputs = nil // the formula holds them
	}
	for _, in := range s.Inputs {
		if x, ok := c.input(in, unitOfValue); ok {
			v.Inputs = append(v.Inputs, x)
		}
	}
	for _, n := range s.Notes {
		v.Notes = append(v.Notes, c.reason(n))
	}
	return v
}

// result says what came of a step; a formula that ends in it says it already.
func (c *call) result(s quality.Step) string {
	switch s.Name {
	case quality.StepFrame:
		if s.Result == "" || s.Result == "0" {
			return ""
		}
		return c.l.T("result.frames", "n", s.Result)
	case quality.StepLimit:
		return "" // the first of the inputs
	}
	if slices.ContainsFunc(s.Notes, func(n quality.Text) bool { return n.Key == "reason."+s.Result }) {
		return "" // the note says it
	}
	if key := "result." + s.Result; c.l.Has(key) {
		return c.l.T(key)
	}
	if key := "flag." + s.Result; c.l.Has(key) {
		return c.l.T("result.flag", "flag", s.Result+" "+c.l.T(key))
	}
	if s.Result == "" || s.Result == string(quality.FoldNotRequired) || strings.HasSuffix(s.Formula, s.Result) || c.l.Has("reason.fold_"+s.Result) {
		return ""
	}
	return s.Result
}

// input names what went into a step; ok is false for what goes without saying.
func (c *call) input(in quality.Input, unitOfValue string) (v inputView, ok bool) {
	v = inputView{Value: word{in.Value, string(c.lang)}, Unit: unit(in.Unit)}
	here := func(key string) word { return word{c.l.T(key), string(c.lang)} }
	if flag, is := strings.CutPrefix(in.Name, "minutes "); is {
		if key := "flag." + flag; c.l.Has(key) {
			flag += " " + c.l.T(key)
		}
		v.Name = word{c.l.T("input.minutes", "flag", flag), string(c.lang)}
		v.Unit = c.l.T("input.minute_unit")
		return v, true
	}
	v.Name = word{in.Name, "en"}
	if key := "input." + in.Name; c.l.Has(key) {
		v.Name = here(key)
	}
	switch in.Name {
	case "C", "mean", "value":
		v.Unit = unitOfValue
	case "n_valid", "n_expected":
		v.Unit = c.l.T("input.hour_unit")
	case "statistic":
		if key := "statistic." + in.Value; c.l.Has(key) {
			v.Value = here(key)
		}
	case "source_type":
		if key := "source_type." + slug(in.Value); c.l.Has(key) {
			v.Value = here(key)
		} else {
			v.Value.Lang = "en"
		}
	case "certainty":
		if key := "certainty." + slug(in.Value); c.l.Has(key) {
			v.Value = here(key)
		}
		return v, in.Value != "verified" && in.Value != "certain"
	case "level":
		v.Value = c.limitLevel(in.Value)
	case "condition":
		v.Value = c.limitCondition(in.Value)
		return v, in.Value != "all"
	case "note":
		v.Value.Lang = "en"
		return v, in.Value != "all"
	}
	return v, true
}

// slug makes the end of a catalogue key of a word of a rule file.
func slug(s string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r == ' ' || r == '-':
			return '_'
		}
		return -1
	}, s), "_")
}

// verdict puts the first line of the page: over or not, by how much.
func (h *Handler) verdict(c *call, v *explainView, x quality.Explanation) {
	switch {
	case x.Over && x.Evidence && figures.Below(x.Value, x.Limit):
		v.State, v.Verdict = "exceed", c.l.T("value.under")
	case x.Over && x.Evidence:
		v.State, v.Verdict = "exceed", c.l.T("value.over")
	case x.Over && figures.Below(x.Value, x.Limit):
		v.State, v.Verdict = "warn", c.l.T("value.under_warning")
	case x.Over:
		v.State, v.Verdict = "warn", c.l.T("value.over_warning")
	case x.Exempt:
		v.Verdict = c.l.T("value.exempt")
	case x.Limit.IsZero():
		v.Verdict = c.l.T("value.no_limit")
	case !x.Valid && x.Running && x.Value.OK && quality.JudgeExceed(x.Value.V, x.Limit).Exceeds:
		v.State, v.Verdict = "warn", c.l.T("value.running_over")
		if figures.Below(x.Value, x.Limit) {
			v.Verdict = c.l.T("value.running_under")
		}
	case !x.Valid && x.Running:
		v.Verdict = c.l.T("value.running")
	case !x.Valid:
		v.State, v.Verdict = "offline", c.l.T("value.not_valid")
	default:
		v.Verdict = c.l.T("value.within")
	}
	if x.Over && x.Times.OK { // only upper limits have a multiple
		v.Times = i18n.Number(x.Times.V, 2)
		v.Verdict = c.l.T("value.over_times", "times", v.Times)
		if !x.Evidence {
			v.Verdict = c.l.T("value.over_times_warning", "times", v.Times)
		}
	}
}

func (h *Handler) refs(c *call, list []quality.FrameRef) (out []frameRef, more int) {
	for _, f := range list {
		if len(out) == maxFrames {
			return out, len(list) - maxFrames
		}
		r := frameRef{Href: c.path("/frames/" + f.Locator.String()), Kind: c.l.T("kind." + strconv.Itoa(int(f.Kind))), At: time.Unix(f.At, 0), RF: f.RF}
		if f.Received > 0 {
			r.Received = time.UnixMicro(f.Received)
		}
		var items []string
		for i := range f.Items {
			it := &f.Items[i]
			name := it.Code
			if it.Suffix != "" {
				name += "-" + it.Suffix
			}
			items = append(items, name+"="+it.Source())
		}
		r.Items = strings.Join(items, ", ")
		out = append(out, r)
	}
	return out, 0
}

// firstFrame shows the frame the value stands in, the used items marked.
func (h *Handler) firstFrame(c *call, x quality.Explanation) *frameRef {
	list, _ := h.refs(c, x.Frames[:1])
	f := &list[0]
	sf, err := h.Journal.FrameAt(x.Frames[0].Locator)
	if err != nil {
		return f // the page tells what it knows; the link says that the frame is not there
	}
	codes := []string{x.Factor}
	for _, s := range x.Steps {
		if s.Name == quality.StepConversion && s.Formula != "" {
			codes = append(codes, "a19001")
		}
	}
	key := c.keyOf(&sf)
	f.Received, f.Bytes, f.Opened, f.Pieces = sf.Received, len(sf.Raw), key != nil, pieces(opened(sf.Raw, key), codes)
	return f
}

// usedSuffixes are the statistics a judged value may be made of.
var usedSuffixes = []string{"Avg", "ZsAvg", "Rtd", "ZsRtd", "Flag", "Cou"}

// pieces cuts a raw frame at its items; the password is masked, because whoever
// reads a value need not know how its logger signs in.
func pieces(raw []byte, codes []string) []piece {
	text := hj212.Text(raw)
	var out []piece
	add := func(s string, used bool) {
		if n := len(out); n > 0 && out[n-1].Used == used {
			out[n-1].Text += s
			return
		}
		out = append(out, piece{s, used})
	}
	start := 0
	flush := func(end int) {
		item, tail := text[start:end], ""
		// The first item stands behind CP=&&, the last before && and the CRC.
		if i := strings.Index(item, "=&&"); i >= 0 {
			add(item[:i+3], false)
			item = item[i+3:]
		}
		if i := strings.Index(item, "&&"); i >= 0 {
			item, tail = item[:i], item[i:]
		}
		name, _, has := strings.Cut(item, "=")
		code, suffix, _ := strings.Cut(name, "-")
		used := has && (name == "DataTime" || slices.Contains(codes, code) && slices.Contains(usedSuffixes, suffix))
		add(item, used)
		if tail != "" {
			add(tail, false)
		}
	}
	text = maskPassword(text)
	for i := range len(text) {
		if text[i] == ';' || text[i] == ',' {
			flush(i)
			add(text[i:i+1], false)
			start = i + 1
		}
	}
	flush(len(text))
	return out
}

// brief leaves out the long stretches of a cut frame that were not used, but
// for its head and its end.
func brief(in []piece) []piece {
	out := slices.Clone(in)
	for i, p := range out {
		if p.Used || i == 0 || len(p.Text) < 24 {
			continue
		}
		end := p.Text[len(p.Text)-1:]
		if i == len(out)-1 {
			end = p.Text[max(1, strings.LastIndex(p.Text, "&&")):]
		}
		out[i].Text = p.Text[:1] + "…" + end
	}
	return out
}

// maskPassword hides the value of PW (and of a changed one) in a frame.
func maskPassword(s string) string {
	for _, name := range []string{"PW=", "NewPW="} {
		for from := 0; ; {
			i := strings.Index(s[from:], name)
			if i < 0 {
				break
			}
			i += from
			start := i + len(name)
			if i > 0 && !strings.ContainsRune(";,&0123456789", rune(s[i-1])) {
				from = start
				continue
			}
			end := strings.IndexAny(s[start:], ";,&")
			if end < 0 {
				end = len(s) - start
			}
			s = s[:start] + strings.Repeat("·", min(end, 6)) + s[start+end:]
			from = start
		}
	}
	return s
}

// frameView is a received frame on its own page.
type frameView struct {
	Locator  string
	MN       string
	MNHref   string
	Outlet   word
	Href     string
	Received time.Time
	At       time.Time
	Verdict  string
	Hash     string
	Bytes    int
	Decoded  decodedView
}

func (h *Handler) frame(c *call) error {
	loc, err := store.ParseLocator(c.r.PathValue("locator"))
	if err != nil {
		return notFound()
	}
	f, err := h.Journal.FrameAt(loc)
	if errors.Is(err, archive.ErrUnreachable) {
		return &errs.Error{Kind: errs.Busy, Key: "keeping.unreachable", Args: []any{"frame", loc.String()}, Err: err}
	}
	if err != nil {
		return notFound()
	}
	o := c.snap.Outlets[f.Outlet]
	if (o == nil || !c.sees(o)) && !c.scope(Frames).Contains(c.frameOf(o, f.MN)) {
		return refused(c.l, Frames)
	}
	v := &frameView{
		Locator: loc.String(), MN: f.MN, Received: f.Received, Verdict: c.verdictText(f.Verdict, f.Reason), Hash: hexShort(f.Hash[:]), Bytes: len(f.Raw),
		Decoded: c.decode(f.Raw, c.keyOf(&f)),
	}
	if f.At != 0 {
		v.At = time.Unix(f.At, 0)
	}
	if o != nil {
		v.Outlet, v.Href = c.outletName(o), c.path(outletPath(o.ID))
	}
	if f.MN != "" && c.scope(Devices).Contains(c.logger(f.MN)) {
		v.MNHref = c.path("/devices/" + f.MN)
	}
	p := &web.Page{Title: c.l.T("frame.title", "id", v.Locator), Module: "devices", Data: v}
	if o != nil {
		p.Module, p.Crumbs = "outlets", append(h.crumbs(c, o), web.Crumb{Text: v.Outlet.Text, Path: outletPath(o.ID)})
	}
	return h.render(c, http.StatusOK, "frame.html", p)
}

// frameOf is what decides who may see a frame: its outlet, or its logger where it
// is of none.
func (c *call) frameOf(o *telemetry.Outlet, mn string) access.Object {
	if o == nil {
		return c.logger(mn)
	}
	return ObjectOf(o)
}

func (c *call) verdictText(v telemetry.Verdict, reason string) string {
	name := v.Text("")
	name = strings.TrimSuffix(name, ":")
	text := c.l.T("verdict." + name)
	if reason != "" {
		for _, key := range []string{"fault." + reason, "knock." + reason} {
			if c.l.Has(key) {
				reason = c.l.T(key)
				break
			}
		}
		text = c.l.T("verdict.because", "verdict", text, "reason", reason)
	}
	return text
}

func hexShort(b []byte) string {
	const digits = "0123456789abcdef"
	out := make([]byte, 0, 16)
	for _, x := range b[:min(8, len(b))] {
		out = append(out, digits[x>>4], digits[x&15])
	}
	return string(out)
}
