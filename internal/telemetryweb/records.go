package telemetryweb

import (
	"encoding/json"
	"strconv"
	"time"

	"plateau/internal/platform/errs"
	"plateau/internal/telemetry"
)

// recordKinds are the uploads that apiRecords gives, by the word in its address.
var recordKinds = map[string]telemetry.Kind{
	"realtime": telemetry.KindRealtime, "minute": telemetry.KindMinute, "hour": telemetry.KindHour, "day": telemetry.KindDay,
}

// maxRecordsSpan bounds one answer of the records interface.
const maxRecordsSpan = 31 * 24 * time.Hour

// apiRecords gives what an outlet reported between from (inclusive) and to
// (exclusive), by DataTime, in columns: the times, and for each factor and
// statistic its values and marks at those times. Numbers keep the digits they
// were sent with; null stands for nothing sent and for what is no number.
func (h *Handler) apiRecords(c *call) error {
	o, s, err := h.look(c, c.r.PathValue("id"))
	if err != nil {
		return err
	}
	kind := c.query("kind")
	if kind == "" {
		kind = "realtime"
	}
	k, ok := recordKinds[kind]
	if !ok {
		return errs.New(errs.Malformed, "api.bad_kind")
	}
	from, to, err := c.span(24 * time.Hour)
	if err != nil {
		return err
	}
	if to.Sub(from) > maxRecordsSpan {
		return errs.New(errs.Malformed, "api.long_span", "days", int(maxRecordsSpan/(24*time.Hour)))
	}
	var t columns
	if err := s.Records(k, ceilUnix(from), ceilUnix(to), func(r *telemetry.Record) bool {
		t.add(r)
		return true
	}); err != nil {
		return err
	}
	return c.json(t.json(o, kind, from, to, c.knownAt))
}

// ceilUnix is the first whole second at or after t: records have whole seconds.
func ceilUnix(t time.Time) int64 { return t.Add(time.Second - 1).Unix() }

// span reads the parameters from and to; without them it is the time before now.
func (c *call) span(before time.Duration) (from, to time.Time, err error) {
	if to, err = c.instant("to", c.now); err != nil {
		return from, to, err
	}
	from, err = c.instant("from", to.Add(-before))
	return from, to, err
}

// columns gathers records as columns, each already written as JSON items.
type columns struct {
	times []byte
	rows  int
	cols  []column
}

type column struct {
	code, suffix string
	values       []byte
	flags        []byte
	rows         int // written so far; the rows before it are null
}

// add appends one record. Records of an outlet mostly hold the same values in
// the same order, so a column is looked for first where it was in the last one.
func (t *columns) add(r *telemetry.Record) {
	t.times = strconv.AppendInt(comma(t.times), r.At, 10)
	for i := range r.Values {
		v := &r.Values[i]
		col := t.column(i, v.Code, v.Suffix)
		col.pad(t.rows)
		col.values = appendNumber(comma(col.values), v)
		col.flags = appendQuoted(comma(col.flags), v.Flag)
		col.rows = t.rows + 1
	}
	t.rows++
}

func (t *columns) column(guess int, code, suffix string) *column {
	if guess < len(t.cols) && t.cols[guess].code == code && t.cols[guess].suffix == suffix {
		return &t.cols[guess]
	}
	for i := range t.cols {
		if t.cols[i].code == code && t.cols[i].suffix == suffix {
			return &t.cols[i]
		}
	}
	t.cols = append(t.cols, column{code: code, suffix: suffix})
	return &t.cols[len(t.cols)-1]
}

func (c *column) pad(rows int) {
	for ; c.rows < rows; c.rows++ {
		c.values = append(comma(c.values), "null"...)
		c.flags = append(comma(c.flags), "null"...)
	}
}

func (t *columns) json(o *telemetry.Outlet, kind string, from, to, known time.Time) []byte {
	b := append([]byte(`{"outlet":`), strconv.FormatUint(uint64(o.ID), 10)...)
	b = append(append(b, `,"kind":`...), strconv.Quote(kind)...)
	b = append(from.UTC().AppendFormat(append(b, `,"from":"`...), time.RFC3339), '"')
	b = append(to.UTC().AppendFormat(append(b, `,"to":"`...), time.RFC3339), '"')
	if !known.IsZero() {
		b = append(known.UTC().AppendFormat(append(b, `,"known":"`...), time.RFC3339), '"')
	}
	b = append(append(append(b, `,"times":[`...), t.times...), `],"series":[`...)
	for i := range t.cols {
		col := &t.cols[i]
		col.pad(t.rows)
		if i > 0 {
			b = append(b, ',')
		}
		b = appendQuoted(append(b, `{"factor":`...), col.code)
		b = appendQuoted(append(b, `,"statistic":`...), col.suffix)
		b = appendQuoted(append(b, `,"unit":`...), unitOf(o, col.code))
		b = append(append(append(b, `,"values":[`...), col.values...), `],"flags":[`...)
		b = append(append(b, col.flags...), "]}"...)
	}
	return append(b, "]}\n"...)
}

func comma(b []byte) []byte {
	if len(b) > 0 {
		b = append(b, ',')
	}
	return b
}

// appendNumber writes the decimal as it was sent: every form that Decimal
// prints is a JSON number.
func appendNumber(b []byte, v *telemetry.Value) []byte {
	if !v.IsNum {
		return append(b, "null"...)
	}
	return v.Dec.Append(b)
}

func appendQuoted(b []byte, s string) []byte {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] >= 0x7f || s[i] == '"' || s[i] == '\\' {
			q, _ := json.Marshal(s) // a string always can be
			return append(b, q...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
