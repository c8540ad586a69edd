package hj212

import (
	"bytes"
	"time"
)

// Version is the protocol version in bits 7 to 2 of Flag.
type Version uint8

// Protocol versions. Surface-water stations have sent the bits of 2025 since
// 2018, so the bits alone do not prove a 2025 device.
const (
	V2005 Version = 0
	V2017 Version = 1
	V2025 Version = 2
)

// String returns the year.
func (v Version) String() string {
	switch v {
	case V2005:
		return "2005"
	case V2017:
		return "2017"
	case V2025:
		return "2025"
	}
	return "unknown"
}

// Span is a part of a segment: Off bytes from its start, Len bytes long.
type Span struct{ Off, Len uint16 }

// Item is one name=value of CP. Suffix is the zero Span for a parameter of the
// message such as DataTime, whose Code is the whole name; the suffix of a name
// that ends in '-' is empty but has its place.
type Item struct {
	Code, Suffix, Value Span
	Group               uint16 // counts the ';' before it
}

// Packet is a parsed data segment. It points into the segment and allocates
// nothing when reused; the zero value is ready.
type Packet struct {
	Seg                                         []byte
	QN, ST, CN, PW, MN, Flag, PNUM, PNO, RF, CP Span // CP is what stands between CP=&& and the final &&
	Items                                       []Item
}

var (
	cpOpen  = []byte("CP=&&")
	cpClose = []byte("&&")
)

// MaxSegment is the longest segment that Parse takes; spans are 16 bits wide.
const MaxSegment = 1<<16 - 1

// Parse reads a data segment. It fails with *Error when the segment is empty
// (missing_fields), holds no CP=&&…&& (cp_not_closed) or is longer than
// MaxSegment (malformed). Missing or odd header fields are no error.
func (p *Packet) Parse(seg []byte) error {
	p.reset(seg)
	if len(seg) > MaxSegment {
		return &Error{Name: Malformed, Off: MaxSegment, Detail: "segment too long"}
	}
	var m marks
	m.set(seg, 0)
	cp := p.usualHeader(&m)
	usual := cp >= 0
	if !usual {
		p.reset(seg)
		cp = bytes.Index(seg, cpOpen)
	}
	if cp < 0 {
		if i := bytes.Index(seg, cpOpen[:3]); i >= 0 {
			return &Error{Name: CPNotClosed, Off: i, Detail: "CP does not begin with &&"}
		}
		if len(seg) == 0 {
			return &Error{Name: MissingFields, Detail: "the data segment is empty"}
		}
		return &Error{Name: CPNotClosed, Off: len(seg), Detail: "no CP=&&"}
	}
	start := cp + len(cpOpen)
	end := len(seg) - 2
	if end < start || seg[end] != '&' || seg[end+1] != '&' {
		i := bytes.LastIndex(seg[start:], cpClose)
		if i < 0 {
			p.reset(seg)
			return &Error{Name: CPNotClosed, Off: len(seg), Detail: "no closing &&"}
		}
		end = start + i
	}
	p.CP = Span{uint16(start), uint16(end - start)}
	if !usual {
		p.header(seg[:cp])
	}
	if bytes.IndexByte(seg[start:end], '/') >= 0 && bytes.Contains(seg[start:end], []byte("//")) {
		p.itemsWithLogs(start, end)
	} else {
		p.items(&m, start, end)
	}
	return nil
}

func (p *Packet) reset(seg []byte) { *p = Packet{Seg: seg, Items: p.Items[:0]} }

// usualHeader takes a header whose fields have exact names and values without
// blanks or marks, in whatever order, and returns where CP=&& begins. It
// gives up with -1 at anything else.
func (p *Packet) usualHeader(m *marks) int {
	seg := p.Seg
	for i := 0; i < m.to; {
		w := m.at(i)
		eq := i + first(w)
		w &= w - 1
		end := i + first(w)
		if w == 0 || end-eq < 2 || seg[eq] != '=' {
			return -1
		}
		name := seg[i:eq]
		if string(name) == "CP" && seg[eq+1] == '&' && seg[eq+2] == '&' {
			return i
		}
		f := p.exactField(name)
		if f == nil || seg[end] != ';' || !m.plain && min(seg[eq+1], seg[end-1]) <= ' ' {
			return -1
		}
		*f = Span{uint16(eq + 1), uint16(end - eq - 1)}
		i = end + 1
	}
	return -1
}

// header splits name=value pairs; empty items are passed over.
func (p *Packet) header(h []byte) {
	if bytes.IndexByte(h, ',') >= 0 { // errata of the printed examples: a comma where a semicolon belongs
		fields, _ := headerFields(h)
		for _, f := range fields {
			p.set(h, f.name[0], f.name[1], f.value[0], f.value[1])
		}
		return
	}
	for i := 0; i < len(h); {
		j := bytes.IndexByte(h[i:], ';')
		if j < 0 {
			j = len(h)
		} else {
			j += i
		}
		a, b := trim(h, i, j)
		i = j + 1
		for eq := a; eq < b; eq++ { // names are short
			if h[eq] == '=' {
				na, nb := trim(h, a, eq)
				va, vb := trim(h, eq+1, b)
				p.set(h, na, nb, va, vb)
				break
			}
		}
	}
}

func (p *Packet) set(h []byte, na, nb, va, vb int) {
	if f := p.field(h[na:nb]); f != nil {
		*f = Span{uint16(va), uint16(vb - va)}
	}
}

// field finds the place of a header field: by its exact name, else whatever the case.
func (p *Packet) field(name []byte) *Span {
	if f := p.exactField(name); f != nil {
		return f
	}
	for i, known := range headerNames {
		if equalFold(name, []byte(known)) {
			f := [...]*Span{&p.QN, &p.ST, &p.CN, &p.PW, &p.MN, &p.Flag, &p.PNUM, &p.PNO, &p.RF}[i]
			if f.Len == 0 { // an exact name goes before a misspelt one
				return f
			}
			return nil
		}
	}
	return nil
}

// exactField finds the place of a header field by its exact name, else nil.
func (p *Packet) exactField(name []byte) *Span {
	switch string(name) {
	case "QN":
		return &p.QN
	case "ST":
		return &p.ST
	case "CN":
		return &p.CN
	case "PW":
		return &p.PW
	case "MN":
		return &p.MN
	case "Flag":
		return &p.Flag
	case "PNUM":
		return &p.PNUM
	case "PNO":
		return &p.PNO
	case "RF":
		return &p.RF
	}
	return nil
}

// headerNames in canonical order (section 6.2.2).
var headerNames = [...]string{"QN", "ST", "CN", "PW", "MN", "Flag", "PNUM", "PNO", "RF"}

// trim takes the blanks off both ends of b[i:j].
func trim(b []byte, i, j int) (int, int) {
	for i < j && isBlank(b[i]) {
		i++
	}
	for i < j && isBlank(b[j-1]) {
		j--
	}
	return i, j
}

// isBlank reports what may stand around names and values without belonging to
// them. Other control characters are kept: they are what was sent.
func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// Bytes returns what s points to.
func (p *Packet) Bytes(s Span) []byte {
	return p.Seg[s.Off : uint32(s.Off)+uint32(s.Len) : uint32(s.Off)+uint32(s.Len)]
}

// number reads a span of decimal digits; -1 when it is empty or something else.
func (p *Packet) number(s Span) int { return number(p.Bytes(s)) }

// number reads up to eight decimal digits; -1 when b is empty or something else.
func number(b []byte) int {
	if len(b) == 0 || len(b) > 8 {
		return -1
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// Command returns CN as a number, -1 when it is missing or not numeric.
func (p *Packet) Command() int { return p.number(p.CN) }

// Part returns PNO and PNUM, -1 where missing or not numeric.
func (p *Packet) Part() (pno, pnum int) { return p.number(p.PNO), p.number(p.PNUM) }

// FlagBits reads Flag (section 6.3): version, whether an acknowledgement is
// wanted, whether PNUM and PNO are there. ok is false without a numeric Flag
// or when the version is unknown; the bits are given as far as they go.
func (p *Packet) FlagBits() (v Version, ack, split, ok bool) {
	n := p.number(p.Flag)
	if n < 0 || n > 255 {
		return 0, false, false, false
	}
	v = Version(n >> 2)
	return v, n&1 != 0, n&2 != 0, v <= V2025
}

// Resent reports RF=1 (2025).
func (p *Packet) Resent() bool { return p.number(p.RF) == 1 }

// Param returns the value of an item without suffix: the last of that exact
// name, else the last whose name differs in case only.
func (p *Packet) Param(name string) ([]byte, bool) {
	fold := -1
	for i := len(p.Items) - 1; i >= 0; i-- {
		it := &p.Items[i]
		if it.Suffix.Off != 0 || int(it.Code.Len) != len(name) {
			continue
		}
		code := p.Bytes(it.Code)
		if string(code) == name {
			return p.Bytes(it.Value), true
		}
		if fold < 0 && equalFold(code, []byte(name)) {
			fold = i
		}
	}
	if fold >= 0 {
		return p.Bytes(p.Items[fold].Value), true
	}
	return nil, false
}

// DataTime returns the DataTime of CP as UTC. It fails with *Error
// time_not_14_digits when it is missing or has another form.
func (p *Packet) DataTime() (time.Time, error) {
	b, ok := p.Param("DataTime")
	if !ok {
		return time.Time{}, &Error{Name: BadTime, Off: int(p.CP.Off), Detail: "no DataTime"}
	}
	t, err := ParseTime(b)
	if err != nil {
		off := int(p.CP.Off)
		if len(b) > 0 {
			off = bytes.Index(p.Seg, b)
		}
		return time.Time{}, &Error{Name: BadTime, Off: off, Detail: "DataTime is " + quote(b)}
	}
	return t, nil
}
