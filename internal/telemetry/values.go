package telemetry

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"plateau/hj212"
)

// Float returns the nearest float64; judging uses it only where the rule's
// tolerance allows.
func (d Decimal) Float() float64 {
	if d.Scale < 19 && d.Coef > -1<<53 && d.Coef < 1<<53 {
		return float64(d.Coef) / pow10[d.Scale] // one rounding: both operands are exact
	}
	f, _ := strconv.ParseFloat(d.String(), 64)
	return f
}

var pow10 = func() (t [19]float64) {
	for i := range t {
		t[i] = math.Pow10(i)
	}
	return t
}()

// String prints the decimal as it was sent.
func (d Decimal) String() string { return string(d.Append(nil)) }

// Append appends the decimal as it was sent.
func (d Decimal) Append(dst []byte) []byte { return hj212.AppendDecimal(dst, d.Coef, d.Scale) }

// Rat returns the exact value.
func (d Decimal) Rat() *big.Rat {
	den := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(d.Scale)), nil)
	return new(big.Rat).SetFrac(big.NewInt(d.Coef), den)
}

// Source returns the value's text as it was sent.
func (v *Value) Source() string {
	if v.Text != "" || !v.IsNum {
		return v.Text
	}
	return v.Dec.String()
}

// NewValue reads an item's text. Odd spellings of numbers ("+1.5", "007", a
// float printed with more than 18 digits) keep their text beside the number;
// anything else is kept as text.
func NewValue(code, suffix string, text []byte) Value {
	v := Value{Code: code, Suffix: suffix}
	if c, s, ok := hj212.ParseDecimal(text); ok {
		v.Dec, v.IsNum = Decimal{c, s}, true
		return v
	}
	v.Text = hj212.Text(text)
	t, neg := v.Text, false
	if t != "" && (t[0] == '+' || t[0] == '-') {
		t, neg = t[1:], t[0] == '-'
	}
	if strings.ContainsFunc(t, notDecimal) || strings.Count(t, ".") > 1 || t == "" || t == "." {
		return v // a second sign, words, a lone point
	}
	for len(t) > 1 && t[0] == '0' && t[1] != '.' {
		t = t[1:]
	}
	if t[0] == '.' {
		t = "0" + t
	}
	const most = 18 // digits that fit a number (HJ 212-2017 6.2.4); no instrument resolves more
	if point := strings.IndexByte(t, '.'); point > 0 && point <= most && len(t) > most+1 {
		t = t[:most+1]
	}
	t = strings.TrimSuffix(t, ".")
	if c, s, ok := hj212.ParseDecimal([]byte(t)); ok {
		if neg {
			c = -c
		}
		v.Dec, v.IsNum = Decimal{c, s}, true
	}
	return v
}

func notDecimal(r rune) bool { return r != '.' && (r < '0' || r > '9') }

// interned keeps one copy of each code, suffix and mark, so that records need
// no memory of their own for them. It is bounded: a device that sends ever new
// or very long names only loses the sharing.
var interned struct {
	// recent is looked at first: one slot for each hash, replaced without a lock.
	recent [1 << recentBits]atomic.Pointer[string]
	sync.RWMutex
	m map[string]string
}

const (
	recentBits     = 11
	maxInterned    = 1 << 16
	maxInternedLen = 64
)

// recentSlot hashes a name by its ends; names are short, and a clash only costs
// a look into the map.
func recentSlot(b []byte) uint64 {
	var x uint64
	switch n := len(b); {
	case n >= 8:
		x = binary.LittleEndian.Uint64(b) ^ bits.RotateLeft64(binary.LittleEndian.Uint64(b[n-8:]), 29)
	case n >= 4:
		x = uint64(binary.LittleEndian.Uint32(b)) | uint64(binary.LittleEndian.Uint32(b[n-4:]))<<32
	case n > 0:
		x = uint64(b[0]) | uint64(b[n/2])<<8 | uint64(b[n-1])<<16
	}
	return (x + uint64(len(b))) * 0x9E3779B97F4A7C15 >> (64 - recentBits)
}

// Intern returns b as a string, shared with earlier equal ones.
func Intern(b []byte) string {
	slot := &interned.recent[recentSlot(b)]
	if s := slot.Load(); s != nil && *s == string(b) {
		return *s
	}
	if len(b) > maxInternedLen {
		return string(b)
	}
	s := internInMap(b)
	slot.Store(&s)
	return s
}

func internInMap(b []byte) string {
	interned.RLock()
	s, ok := interned.m[string(b)]
	interned.RUnlock()
	if ok {
		return s
	}
	s = string(b)
	interned.Lock()
	defer interned.Unlock()
	if interned.m == nil {
		interned.m = make(map[string]string)
	}
	if len(interned.m) < maxInterned {
		interned.m[s] = s
	}
	return s
}

// ValuesOf appends the items of p to dst: one Value for each item that is
// neither a mark (-Flag) nor DataTime, with the mark of its factor; a mark
// without any value is a Value of its own, with the suffix Flag. A later
// item of the same name goes before an earlier one.
func ValuesOf(p *hj212.Packet, dst []Value) []Value {
	first := len(dst)
	late := false
	for i := range p.Items {
		it := &p.Items[i]
		code, suffix := p.Bytes(it.Code), p.Bytes(it.Suffix)
		if it.Suffix.Len == 0 {
			if string(code) == "DataTime" || len(code) == 0 {
				continue
			}
			if text, ok := commaDecimal(p, i); ok && len(dst) > first {
				v := &dst[len(dst)-1]
				*v = NewValue(v.Code, v.Suffix, text)
				continue
			}
		}
		c := Intern(code)
		if string(suffix) == "Flag" {
			mark := Intern(p.Bytes(it.Value))
			k := len(dst) - 1
			for ; k >= first && dst[k].Code == c; k-- {
				dst[k].Flag = mark
			}
			late = late || k == len(dst)-1 // the mark stands before or apart from its values
			continue
		}
		s := ""
		if len(suffix) > 0 {
			s = Intern(suffix)
		}
		dst = append(dst, NewValue(c, s, p.Bytes(it.Value)))
	}
	if late || apart(dst[first:]) {
		assignMarks(p, dst[first:])
		dst = bareMarks(p, dst, first)
	}
	return ofAnalyser(p, lastWins(dst, first), first)
}

// commaDecimal reports that item i is the tail of a number with a decimal
// comma, "a-Rtd=1,5": bare digits behind a value of the same group. It returns
// the whole as it was sent. Taking the 1 for the value would be wrong by far.
func commaDecimal(p *hj212.Packet, i int) ([]byte, bool) {
	if i == 0 || p.Items[i].Group != p.Items[i-1].Group {
		return nil, false
	}
	before, tail := &p.Items[i-1], p.Items[i].Code
	end := int(tail.Off) + int(tail.Len)
	if before.Suffix.Len == 0 || before.Value.Len == 0 || string(p.Bytes(before.Suffix)) == "Flag" || int(p.Items[i].Value.Off) != end {
		return nil, false // its value would begin behind an '='
	}
	for _, c := range p.Bytes(tail) {
		if c < '0' || c > '9' {
			return nil, false
		}
	}
	return p.Seg[before.Value.Off:end], true
}

// ofAnalyser puts the analyser that device information (3019, 3020 and their
// kind) speaks of before each name, "w01018/i12001": information of two
// analysers at one time is no revision of one another.
func ofAnalyser(p *hj212.Packet, vs []Value, first int) []Value {
	if cn := p.Command(); cn < 3000 || cn > 3999 {
		return vs
	}
	for i := first; i < len(vs); i++ {
		if vs[i].Suffix != "" || !strings.EqualFold(vs[i].Code, "PolId") {
			continue
		}
		pol := vs[i].Source()
		vs = append(vs[:i], vs[i+1:]...)
		for k := first; k < len(vs); k++ {
			if vs[k].Code != pol {
				vs[k].Code = Intern([]byte(pol + "/" + vs[k].Code))
			}
		}
		break
	}
	return vs
}

// bareMarks adds a value for each factor of which only the mark was sent
// (a stopped source, say), so that the mark is not lost.
func bareMarks(p *hj212.Packet, dst []Value, first int) []Value {
	for i := range p.Items {
		it := &p.Items[i]
		if string(p.Bytes(it.Suffix)) != "Flag" {
			continue
		}
		code, mark := p.Bytes(it.Code), p.Bytes(it.Value)
		alone := true
		for k := first; k < len(dst) && alone; k++ {
			alone = dst[k].Code != string(code)
		}
		if alone {
			v := NewValue(Intern(code), "Flag", mark)
			v.Flag = Intern(mark)
			dst = append(dst, v)
		}
	}
	return dst
}

// apart reports values of one code that do not stand together.
func apart(vs []Value) bool {
	for i := 2; i < len(vs); i++ {
		if vs[i].Code != vs[i-1].Code {
			for k := range i - 1 {
				if vs[k].Code == vs[i].Code {
					return true
				}
			}
		}
	}
	return false
}

// assignMarks gives every value the last mark of its code, wherever it stands.
func assignMarks(p *hj212.Packet, vs []Value) {
	for i := range p.Items {
		it := &p.Items[i]
		if string(p.Bytes(it.Suffix)) != "Flag" {
			continue
		}
		code, mark := p.Bytes(it.Code), Intern(p.Bytes(it.Value))
		for k := range vs {
			if vs[k].Code == string(code) {
				vs[k].Flag = mark
			}
		}
	}
}

// lastWins drops values that a later item of the same name replaces.
func lastWins(vs []Value, first int) []Value {
	for i := len(vs) - 1; i > first; i-- {
		for k := i - 1; k >= first; k-- {
			if vs[k].Code == vs[i].Code && vs[k].Suffix == vs[i].Suffix {
				vs[k] = vs[i]
				vs = append(vs[:i], vs[i+1:]...)
				break
			}
		}
	}
	return vs
}

// Find returns the value of a factor's statistic.
func (r *Record) Find(code, suffix string) (*Value, bool) {
	for i := range r.Values {
		if r.Values[i].Code == code && r.Values[i].Suffix == suffix {
			return &r.Values[i], true
		}
	}
	return nil, false
}
