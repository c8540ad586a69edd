package outlets

import (
	"encoding/json"
	"math"
	"strconv"
	"time"

	"plateau/internal/platform/i18n"
	"plateau/internal/sensorthings"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
)

const (
	hourSeconds = 3600
	daySeconds  = 24 * hourSeconds
	micro       = 1_000_000
)

// idOf is the identifier of the observation of a Datastream at an instant (Unix
// seconds); instants without one are left out: before 1970, after 2106.
func idOf(datastream sensorthings.ID, at int64) sensorthings.ID { return datastream<<32 | at }

func identified(at int64) bool { return at >= 0 && at < 1<<32 }

// writer makes observations of one Datastream; what it returns is reused.
type writer struct {
	s    *Source
	se   *series
	o    *telemetry.Outlet
	code string // as the registry has it; pages are found by it

	rule    []byte // as JSON, of day ruleDay
	ruleDay int64
	obs     sensorthings.Observation
	buf     []byte
}

func (s *Source) writer(se *series, o *telemetry.Outlet) *writer {
	w := &writer{s: s, se: se, o: o, code: se.code, ruleDay: math.MinInt64}
	for i := range o.Factors {
		if quality.Code2017(o.Factors[i].Code) == se.code {
			w.code = o.Factors[i].Code
			break
		}
	}
	w.obs.Datastream = se.id
	if placed(o) {
		w.obs.Feature = sensorthings.ID(o.ID)
	}
	return w
}

// record makes the observation of a real-time or minute record, nil when the
// record has no such figure.
func (w *writer) record(r *telemetry.Record) (*sensorthings.Observation, error) {
	var v *telemetry.Value
	for i := range r.Values {
		if r.Values[i].Suffix == w.se.suffix {
			v = &r.Values[i]
		}
	}
	if v == nil || !identified(r.At) {
		return nil, nil //nolint:nilnil // no such figure is no fault
	}
	o := &w.obs
	o.ID, o.Phenomenon = idOf(w.se.id, r.At), sensorthings.Span{Start: r.At * micro, End: r.At * micro}
	if w.se.level == minute {
		o.Phenomenon.End += int64(max(1, w.o.IntervalAt(time.Unix(r.At, 0)).Minute)) * 60 * micro
	}
	o.ResultTime, o.HasResultTime = r.Received, true
	valid := v.IsNum && (v.Flag == "N" || v.Flag == "" && w.o.MissingFlagIsN)
	if err := w.cite(r.At); err != nil {
		return nil, err
	}
	w.begin()
	if valid {
		w.buf = v.Dec.Append(w.buf)
	} else {
		w.buf = append(w.buf, "null"...)
	}
	quality := w.next(&o.Result)
	w.quality(validity(valid, v.IsNum || v.Text != ""), v.Flag, r.At)
	if n := len(r.Parts); n > 0 {
		w.buf = append(append(append(w.buf, `,"frame":"`...), r.Parts[n-1].String()...), '"')
	}
	if !valid {
		w.buf = append(w.buf, `,"sent":`...)
		w.value(v)
	}
	if r.Revised {
		w.buf = append(w.buf, `,"revised":true`...)
	}
	if r.RF {
		w.buf = append(w.buf, `,"resent":true`...)
	}
	w.buf = append(w.buf, '}')
	rest := w.nextFrom(&o.Quality, quality)
	if len(r.Values) > 1 {
		sep := byte('{')
		for i := range r.Values {
			if x := &r.Values[i]; x != v {
				w.buf = append(w.buf, sep)
				w.buf = append(appendText(w.buf, x.Suffix), ':')
				w.value(x)
				sep = ','
			}
		}
		w.buf = append(w.buf, '}')
	}
	w.nextFrom(&o.Parameters, rest)
	return o, nil
}

// value writes a value as it was sent: a number with its digits, else a text.
func (w *writer) value(v *telemetry.Value) {
	switch {
	case v.IsNum:
		w.buf = v.Dec.Append(w.buf)
	case v.Text != "":
		w.buf = appendText(w.buf, v.Text)
	default:
		w.buf = append(w.buf, "null"...)
	}
}

func validity(valid, there bool) string {
	switch {
	case valid:
		return "valid"
	case there:
		return "invalid"
	}
	return "missing"
}

// hour makes the observation of a judged hour, nil when it has no such figure.
func (w *writer) hour(at int64, row *quality.HourRow, f *quality.FactorHour) (*sensorthings.Observation, error) {
	if f == nil || !identified(at) || w.se.suffix == suffixFolded && !hourFolded(f) {
		return nil, nil //nolint:nilnil // no such figure is no fault
	}
	mean, folded := f.Shown()
	return w.judged(judgement{
		at: at, to: at + hourSeconds, mean: mean, folded: folded, hasFolded: hourFolded(f), valid: f.Valid, seen: f.NSeen, nValid: f.NValid, expected: f.NExpected,
		flag: f.Flag, basis: f.Basis, limit: f.Limit, over: f.Over, evidence: f.Evidence, judged: f.Judged.OK, times: f.Times, revised: row.Revised, rules: row.Rules,
	})
}

// day makes the observation of a judged day, nil when it has no such figure.
func (w *writer) day(at int64, row *quality.DayRow, f *quality.FactorDay) (*sensorthings.Observation, error) {
	if f == nil || !identified(at) || w.se.suffix == suffixFolded && !dayFolded(f) {
		return nil, nil //nolint:nilnil // no such figure is no fault
	}
	mean, folded := f.Shown()
	return w.judged(judgement{
		at: at, to: at + daySeconds, mean: mean, folded: folded, hasFolded: dayFolded(f), valid: f.Valid, seen: f.NSeen, nValid: f.NValid, expected: f.NExpected,
		basis: f.Basis, limit: f.Limit, over: f.Over, evidence: f.Evidence, judged: f.Judged.OK, times: f.Times, revised: row.Revised, rules: row.Rules,
	})
}

// judgement is what hours and days have in common.
type judgement struct {
	at, to                 int64
	mean, folded, times    quality.Opt
	hasFolded, valid       bool
	seen, nValid, expected int
	flag, rules            string
	basis                  quality.Basis
	limit                  quality.LimitRef
	over, evidence, judged bool
	revised                bool
}

func (w *writer) judged(j judgement) (*sensorthings.Observation, error) {
	o := &w.obs
	o.ID, o.Phenomenon = idOf(w.se.id, j.at), sensorthings.Span{Start: j.at * micro, End: j.to * micro}
	if err := w.cite(j.at); err != nil {
		return nil, err
	}
	figure := j.mean
	if w.se.suffix == suffixFolded {
		figure = j.folded
	}
	w.begin()
	w.opt(quality.Opt{V: figure.V, OK: figure.OK && j.valid})
	from := w.next(&o.Result)
	w.quality(validity(j.valid && figure.OK, j.seen > 0), j.flag, j.at)
	if figure.OK && !j.valid {
		w.buf = append(w.buf, `,"so_far":`...)
		w.opt(figure)
	}
	if j.rules != "" {
		w.buf = append(appendText(append(w.buf, `,"rules":`...), j.rules), '}')
	} else {
		w.buf = append(w.buf, '}')
	}
	from = w.nextFrom(&o.Quality, from)
	w.buf = append(w.buf, `{"n_seen":`...)
	w.buf = strconv.AppendInt(w.buf, int64(j.seen), 10)
	w.buf = append(w.buf, `,"n_valid":`...)
	w.buf = strconv.AppendInt(w.buf, int64(j.nValid), 10)
	w.buf = append(w.buf, `,"n_expected":`...)
	w.buf = strconv.AppendInt(w.buf, int64(j.expected), 10)
	if j.revised {
		w.buf = append(w.buf, `,"revised":true`...)
	}
	onFolded := j.hasFolded
	switch j.basis {
	case quality.BasisFolded, quality.BasisReportedFolded:
		onFolded = true
	case quality.BasisMean, quality.BasisReported:
		onFolded = false
	case quality.BasisNone, quality.BasisValidated:
	}
	if !j.limit.IsZero() && onFolded == (w.se.suffix == suffixFolded) {
		w.verdict(&j)
	}
	w.buf = append(w.buf, '}')
	w.nextFrom(&o.Parameters, from)
	return o, nil
}

func (w *writer) verdict(j *judgement) {
	l := &j.limit
	w.buf = append(w.buf, `,"limit":{"id":`...)
	w.buf = appendText(w.buf, l.ID)
	w.buf = append(w.buf, `,"op":`...)
	w.buf = appendText(w.buf, l.Op)
	w.buf = append(w.buf, `,"statistic":`...)
	w.buf = appendText(w.buf, l.Statistic)
	if l.Lo.OK {
		w.buf = append(w.buf, `,"lo":`...)
		w.opt(l.Lo)
	}
	if l.Hi.OK {
		w.buf = append(w.buf, `,"hi":`...)
		w.opt(l.Hi)
	}
	verdict := "complies"
	switch {
	case !j.valid || !j.judged:
		verdict = "not_judged"
	case j.over && j.evidence:
		verdict = "exceeds"
	case j.over:
		verdict = "warns"
	}
	w.buf = append(append(append(w.buf, `},"verdict":"`...), verdict...), '"')
	if j.basis != quality.BasisNone {
		w.buf = appendText(append(w.buf, `,"basis":`...), string(j.basis))
	}
	if j.times.OK {
		w.buf = append(w.buf, `,"times":`...)
		w.opt(j.times)
	}
}

func (w *writer) opt(v quality.Opt) {
	if !v.OK || math.IsInf(v.V, 0) || math.IsNaN(v.V) {
		w.buf = append(w.buf, "null"...)
		return
	}
	w.buf = strconv.AppendFloat(w.buf, v.V, 'f', -1, 64)
}

// cite reads the rule of validity, once a day of the scan.
func (w *writer) cite(at int64) error {
	if d := quality.DayStart(at); d != w.ruleDay {
		r, err := w.s.o.Quality.ValidityRule(w.o, w.se.level.String(), at)
		if err != nil {
			return err
		}
		w.ruleDay = d
		w.rule = appendText(append(w.rule[:0], `{"id":`...), r.ID)
		w.rule = strconv.AppendInt(append(w.rule, `,"version":`...), int64(r.Version), 10)
		w.rule = append(appendText(append(w.rule, `,"hash":`...), r.Hash), '}')
	}
	return nil
}

// quality begins the object; what follows closes it.
func (w *writer) quality(validity, flag string, at int64) {
	w.buf = append(append(append(w.buf, `{"validity":"`...), validity...), '"')
	if w.se.level != day { // a day has no mark
		w.buf = appendText(append(w.buf, `,"flag":`...), flag)
	}
	w.buf = append(append(w.buf, `,"rule":`...), w.rule...)
	w.buf = appendText(append(w.buf, `,"link":`...), w.s.o.Link(w.page(at)))
}

// valueForms is how the pages of values write their time, by level.
var valueForms = [...]string{"", "20060102150405", "200601021504", "2006010215", "20060102"}

// page is the address that explains a value.
func (w *writer) page(at int64) string {
	b := make([]byte, 0, 64)
	b = strconv.AppendUint(append(b, "/values/"...), uint64(w.o.ID), 10)
	b = append(append(append(b, '-'), w.code...), '-')
	b = append(append(b, w.se.level.String()...), '-')
	return string(time.Unix(at, 0).In(i18n.Zone).AppendFormat(b, valueForms[w.se.level]))
}

// begin, next and nextFrom cut the buffer into the members of an observation.
func (w *writer) begin() { w.buf = w.buf[:0] }

func (w *writer) next(to *json.RawMessage) int { return w.nextFrom(to, 0) }

func (w *writer) nextFrom(to *json.RawMessage, from int) int {
	if *to = w.buf[from:len(w.buf):len(w.buf)]; len(*to) == 0 {
		*to = nil
	}
	return len(w.buf)
}

// appendText writes a JSON string.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x7F {
			text, _ := json.Marshal(s) //nolint:errchkjson // a string
			return append(b, text...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
