package quality

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"plateau/internal/telemetry"
)

// Tables of the derived layer in the store.
const (
	TableHour byte = 'h'
	TableDay  byte = 'd'
)

// codecVersion is the first byte of every row; another version is not read
// but computed again.
const codecVersion = 3

// ErrRow marks a derived row that cannot be read; it is computed again.
var ErrRow = errors.New("derived row unreadable")

// The form: version, then fields in order. Numbers are 0 for missing, 1 with a
// zigzag varint of ten-thousandths where that is exact, 2 with 8 bytes. Texts
// are length and bytes. Equal rows have equal bytes.

func appendOpt(b []byte, o Opt) []byte {
	if !o.OK {
		return append(b, 0)
	}
	if r := math.Round(o.V * 1e4); math.Abs(r) < 1<<40 && r/1e4 == o.V {
		return binary.AppendVarint(append(b, 1), int64(r))
	}
	return binary.BigEndian.AppendUint64(append(b, 2), math.Float64bits(o.V))
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendTexts(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendText(b, s)
	}
	return b
}

func bits(flags ...bool) byte {
	var x byte
	for i, f := range flags {
		if f {
			x |= 1 << i
		}
	}
	return x
}

func appendReported(b []byte, r *Reported) []byte {
	if !r.There {
		return append(b, 0)
	}
	b = appendText(append(b, 1), r.Flag)
	for _, o := range []Opt{r.Avg, r.ZsAvg, r.Min, r.Max, r.Cou} {
		b = appendOpt(b, o)
	}
	return b
}

func appendLimit(b []byte, l *LimitRef) []byte {
	if l.IsZero() {
		return append(b, 0)
	}
	b = appendText(append(b, 1), l.ID)
	b = appendText(b, l.Op)
	b = appendText(b, l.Statistic)
	return appendOpt(appendOpt(b, l.Lo), l.Hi)
}

// AppendHour appends the bytes of a row; outlet and time are in its key.
func AppendHour(b []byte, r *HourRow) []byte {
	b = append(b, codecVersion, byte(r.Source), bits(r.Stopped, r.Revised))
	b = appendText(b, r.Rules)
	b = appendOpt(append(b, byte(r.FlowBy)), r.Flow)
	b = binary.AppendUvarint(b, uint64(len(r.Factors)))
	for i := range r.Factors {
		f := &r.Factors[i]
		b = appendText(b, f.Code)
		b = appendText(b, f.Flag)
		b = append(b, byte(f.NSeen), byte(f.NValid), byte(f.NExpected), bits(f.Valid, f.Over, f.Evidence, f.Mismatch, f.InTime)|byte(f.Parts)<<5)
		for _, o := range []Opt{f.Mean, f.Min, f.Max, f.Cou, f.Folded, f.Wet, f.Rate, f.Judged, f.Times, f.DiffPct} {
			b = appendOpt(b, o)
		}
		b = appendText(b, string(f.Fold))
		b = appendText(b, string(f.Basis))
		b = appendReported(b, &f.Reported)
		b = appendLimit(b, &f.Limit)
		b = appendTexts(b, f.Reasons)
	}
	return b
}

// AppendDay appends the bytes of a row.
func AppendDay(b []byte, r *DayRow) []byte {
	b = append(b, codecVersion, bits(r.Revised))
	b = appendText(b, r.Rules)
	b = appendOpt(append(b, byte(r.FlowBy)), r.Flow)
	b = binary.AppendUvarint(b, uint64(len(r.Factors)))
	for i := range r.Factors {
		f := &r.Factors[i]
		b = appendText(b, f.Code)
		b = append(b, byte(f.NSeen), byte(f.NValid), byte(f.NExpected), bits(f.Valid, f.Over, f.Evidence, f.Mismatch))
		for _, o := range []Opt{f.Mean, f.Min, f.Max, f.Folded, f.Flow, f.Total, f.Judged, f.Times, f.DiffPct} {
			b = appendOpt(b, o)
		}
		b = appendText(b, string(f.Basis))
		b = appendReported(b, &f.Reported)
		b = appendLimit(b, &f.Limit)
		b = appendTexts(b, f.Reasons)
	}
	return b
}

// cutter reads fields; after the first fault it returns zero values.
type cutter struct {
	b   []byte
	bad bool
}

func (c *cutter) byte() byte {
	if len(c.b) == 0 {
		c.bad = true
		return 0
	}
	x := c.b[0]
	c.b = c.b[1:]
	return x
}

func (c *cutter) count() int {
	n, k := binary.Uvarint(c.b)
	if k <= 0 || n > uint64(len(c.b)) { // every counted thing takes a byte at least
		c.bad, c.b = true, nil
		return 0
	}
	c.b = c.b[k:]
	return int(n)
}

func (c *cutter) text() string {
	n := c.count()
	if n > len(c.b) {
		c.bad, c.b = true, nil
		return ""
	}
	s := telemetry.Intern(c.b[:n])
	c.b = c.b[n:]
	return s
}

func (c *cutter) opt() Opt {
	switch c.byte() {
	case 1:
		v, k := binary.Varint(c.b)
		if k <= 0 {
			c.bad, c.b = true, nil
			return Opt{}
		}
		c.b = c.b[k:]
		return Some(float64(v) / 1e4)
	case 2:
		if len(c.b) < 8 {
			c.bad, c.b = true, nil
			return Opt{}
		}
		v := math.Float64frombits(binary.BigEndian.Uint64(c.b))
		c.b = c.b[8:]
		return Some(v)
	}
	return Opt{}
}

func (c *cutter) texts() []string {
	n := c.count()
	if n == 0 {
		return nil
	}
	out := make([]string, 0, n)
	for range n {
		out = append(out, c.text())
	}
	return out
}

func (c *cutter) reported() (r Reported) {
	if c.byte() == 0 {
		return r
	}
	r.There, r.Flag = true, c.text()
	for _, p := range []*Opt{&r.Avg, &r.ZsAvg, &r.Min, &r.Max, &r.Cou} {
		*p = c.opt()
	}
	return r
}

func (c *cutter) limit() (l LimitRef) {
	if c.byte() == 0 {
		return l
	}
	l.ID, l.Op, l.Statistic = c.text(), c.text(), c.text()
	l.Lo, l.Hi = c.opt(), c.opt()
	return l
}

func (c *cutter) done() error {
	if c.bad || len(c.b) > 0 {
		return ErrRow
	}
	return nil
}

// ReadHour reads a row; outlet and at come from its key. Faults are ErrRow.
func ReadHour(outlet telemetry.OutletID, at int64, b []byte) (HourRow, error) {
	var r HourRow
	err := readHourInto(&r, outlet, at, b)
	return r, err
}

// readHourInto is ReadHour into a row whose factors are used again.
func readHourInto(r *HourRow, outlet telemetry.OutletID, at int64, b []byte) error {
	*r = HourRow{Outlet: outlet, At: at, Factors: r.Factors[:0]}
	c := &cutter{b: b}
	if v := c.byte(); v != codecVersion {
		return fmt.Errorf("version %d: %w", v, ErrRow)
	}
	c.hourHead(r)
	n := c.count()
	r.Factors = slices.Grow(r.Factors, n)[:n]
	for i := range r.Factors {
		c.hourFactor(&r.Factors[i])
	}
	return c.done()
}

// sourceOf is the Source of an hour's row.
func sourceOf(row []byte) Source {
	if len(row) < 2 {
		return SourceNone
	}
	return Source(row[1])
}

func (c *cutter) hourHead(r *HourRow) {
	r.Source = Source(c.byte())
	x := c.byte()
	r.Stopped, r.Revised = x&1 != 0, x&2 != 0
	r.Rules = c.text()
	r.FlowBy = FlowSource(c.byte())
	r.Flow = c.opt()
}

func (c *cutter) hourFactor(f *FactorHour) {
	f.Code, f.Flag = c.text(), c.text()
	f.NSeen, f.NValid, f.NExpected = int(c.byte()), int(c.byte()), int(c.byte())
	x := c.byte()
	f.Valid, f.Over, f.Evidence, f.Mismatch, f.InTime = x&1 != 0, x&2 != 0, x&4 != 0, x&8 != 0, x&16 != 0
	f.Parts = int(x >> 5)
	for _, p := range []*Opt{&f.Mean, &f.Min, &f.Max, &f.Cou, &f.Folded, &f.Wet, &f.Rate, &f.Judged, &f.Times, &f.DiffPct} {
		*p = c.opt()
	}
	f.Fold, f.Basis = FoldStatus(c.text()), Basis(c.text())
	f.Reported, f.Limit, f.Reasons = c.reported(), c.limit(), c.texts()
}

// rulesOf cuts the digest of the rules out of a row; nil where it cannot be read.
func rulesOf(table byte, row []byte) []byte {
	head := 3 // version, source, flags
	if table == TableDay {
		head = 2
	}
	if len(row) < head || row[0] != codecVersion {
		return nil
	}
	c := cutter{b: row[head:]}
	n := c.count()
	return c.b[:min(n, len(c.b))]
}

// ReadDay reads a row; faults are ErrRow.
func ReadDay(outlet telemetry.OutletID, at int64, b []byte) (DayRow, error) {
	r := DayRow{Outlet: outlet, At: at}
	c := &cutter{b: b}
	if v := c.byte(); v != codecVersion {
		return r, fmt.Errorf("version %d: %w", v, ErrRow)
	}
	c.dayHead(&r)
	r.Factors = make([]FactorDay, c.count())
	for i := range r.Factors {
		c.dayFactor(&r.Factors[i])
	}
	return r, c.done()
}

func (c *cutter) dayHead(r *DayRow) {
	r.Revised = c.byte()&1 != 0
	r.Rules = c.text()
	r.FlowBy = FlowSource(c.byte())
	r.Flow = c.opt()
}

func (c *cutter) dayFactor(f *FactorDay) {
	f.Code = c.text()
	f.NSeen, f.NValid, f.NExpected = int(c.byte()), int(c.byte()), int(c.byte())
	x := c.byte()
	f.Valid, f.Over, f.Evidence, f.Mismatch = x&1 != 0, x&2 != 0, x&4 != 0, x&8 != 0
	for _, p := range []*Opt{&f.Mean, &f.Min, &f.Max, &f.Folded, &f.Flow, &f.Total, &f.Judged, &f.Times, &f.DiffPct} {
		*p = c.opt()
	}
	f.Basis = Basis(c.text())
	f.Reported, f.Limit, f.Reasons = c.reported(), c.limit(), c.texts()
}
