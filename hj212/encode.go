package hj212

import (
	"fmt"
	"strconv"
	"strings"
)

// KV is one name=value of CP.
type KV struct{ Name, Value string }

// Group is the items of one factor, written with commas between them.
type Group []KV

// Message is a data segment to be written. Empty fields are left out, but CP
// is always there.
type Message struct {
	QN, ST, CN, PW, MN string
	Flag               int // -1 = left out, as in most of 2005
	PNUM, PNO          int // 0 = left out
	RF                 bool
	CP                 []Group
	// Order2005 writes ST;CN;QN;PW;MN;PNO;PNUM, as uploads of 2005 do.
	Order2005 bool
	// EmptyIdentity writes PW= and MN= though they are empty (activation in 2025).
	EmptyIdentity bool
}

// AppendSegment appends the data segment. It fails when a value holds a
// separator that would be read as structure.
func (m *Message) AppendSegment(dst []byte) ([]byte, error) {
	put := func(name, value string) {
		if value != "" {
			dst = append(append(append(append(dst, name...), '='), value...), ';')
		}
	}
	num := func(name string, n int) {
		if n > 0 {
			put(name, strconv.Itoa(n))
		}
	}
	for _, v := range [...]string{m.QN, m.ST, m.CN, m.PW, m.MN} {
		if strings.ContainsAny(v, ";,&=\r\n") {
			return nil, fmt.Errorf("hj212: header value %q holds a separator", v)
		}
	}
	if !m.Order2005 {
		put("QN", m.QN)
	}
	put("ST", m.ST)
	put("CN", m.CN)
	if m.Order2005 {
		put("QN", m.QN)
	}
	if m.EmptyIdentity && m.PW == "" {
		dst = append(dst, "PW=;"...)
	}
	put("PW", m.PW)
	if m.EmptyIdentity && m.MN == "" {
		dst = append(dst, "MN=;"...)
	}
	put("MN", m.MN)
	if m.Flag >= 0 {
		put("Flag", strconv.Itoa(m.Flag))
	}
	if m.Order2005 {
		num("PNO", m.PNO)
		num("PNUM", m.PNUM)
	} else {
		num("PNUM", m.PNUM)
		num("PNO", m.PNO)
	}
	if m.RF {
		put("RF", "1")
	}
	dst = append(dst, cpOpen...)
	for i, g := range m.CP {
		if i > 0 {
			dst = append(dst, ';')
		}
		for j, kv := range g {
			if j > 0 {
				dst = append(dst, ',')
			}
			if err := checkItem(kv); err != nil {
				return nil, err
			}
			dst = append(append(append(dst, kv.Name...), '='), kv.Value...)
		}
	}
	return append(dst, cpClose...), nil
}

func checkItem(kv KV) error {
	if kv.Name == "" || strings.ContainsAny(kv.Name, ";,=&\r\n ") || strings.Contains(kv.Name, "//") {
		return fmt.Errorf("hj212: item name %q", kv.Name)
	}
	v := kv.Value
	if len(v) >= 4 && strings.HasPrefix(v, "//") && strings.HasSuffix(v, "//") && !strings.Contains(v[2:len(v)-2], "//") {
		return nil
	}
	if strings.ContainsAny(v, ";,\r\n") || strings.Contains(v, "&&") || strings.Contains(v, "//") || strings.HasSuffix(v, "&") {
		return fmt.Errorf("hj212: value of %s holds a separator; write a log as //text//", kv.Name)
	}
	return nil
}

// AppendTo appends the whole frame with its line end. A segment longer than
// 9999 bytes does not fit the length field: Split it before.
func (m *Message) AppendTo(dst []byte) ([]byte, error) {
	seg, err := m.AppendSegment(nil)
	if err != nil {
		return nil, err
	}
	if len(seg) > 9999 {
		return nil, fmt.Errorf("hj212: segment of %d bytes does not fit a frame; split it", len(seg))
	}
	return AppendFrame(dst, seg), nil
}

// AppendFrame appends ##, length, segment, CRC and line end.
func AppendFrame(dst, seg []byte) []byte { return appendFrame(dst, seg, CRC16(seg)) }

func appendFrame(dst, seg []byte, crc uint16) []byte {
	n := len(seg)
	dst = append(dst, '#', '#', byte('0'+n/1000%10), byte('0'+n/100%10), byte('0'+n/10%10), byte('0'+n%10))
	dst = append(dst, seg...)
	return append(appendHex16(dst, crc), '\r', '\n')
}

// Split cuts a message between groups into packets whose segments have at most
// limit bytes (section 6.2.4: 1024). Each part repeats DataTime, carries PNUM and
// PNO, and sets bit 1 of Flag; qn gives each its own QN. A message that fits
// comes back alone and unchanged. One group that is too long stays whole.
func (m *Message) Split(limit int, qn func(part int) string) []Message {
	seg, err := m.AppendSegment(nil)
	if err != nil || len(seg) <= limit {
		return []Message{*m}
	}
	var lead Group
	groups := m.CP
	if len(groups) > 0 && len(groups[0]) == 1 && groups[0][0].Name == "DataTime" {
		lead, groups = groups[0], groups[1:]
	}
	head := *m
	head.CP, head.PNUM, head.PNO, head.Flag = nil, 9999, 9999, 255
	if lead != nil {
		head.CP = []Group{lead}
	}
	base, err := head.AppendSegment(nil)
	if err != nil {
		return []Message{*m}
	}
	var parts []Message
	size := limit + 1
	for _, g := range groups {
		n := 1
		for _, kv := range g {
			n += len(kv.Name) + len(kv.Value) + 2
		}
		if size+n > limit {
			part := *m
			part.CP = nil
			if lead != nil {
				part.CP = []Group{lead}
			}
			parts = append(parts, part)
			size = len(base)
		}
		last := &parts[len(parts)-1]
		last.CP = append(last.CP, g)
		size += n
	}
	if len(parts) < 2 {
		return []Message{*m}
	}
	for i := range parts {
		parts[i].PNUM, parts[i].PNO = len(parts), i+1
		if m.Flag >= 0 {
			parts[i].Flag = m.Flag | 2
		}
		if qn != nil {
			parts[i].QN = qn(i + 1)
		}
	}
	return parts
}

// MessageOf turns a parsed packet back into a message, for encoding again.
func MessageOf(p *Packet) Message {
	str := func(s Span) string { return string(p.Bytes(s)) }
	m := Message{QN: str(p.QN), ST: str(p.ST), CN: str(p.CN), PW: str(p.PW), MN: str(p.MN), Flag: p.number(p.Flag), RF: p.Resent()}
	pno, pnum := p.Part()
	m.PNO, m.PNUM = max(pno, 0), max(pnum, 0)
	last := -1
	for _, it := range p.Items {
		name := str(it.Code)
		if it.Suffix.Off > 0 {
			name += "-" + str(it.Suffix)
		}
		if int(it.Group) != last {
			m.CP = append(m.CP, nil)
			last = int(it.Group)
		}
		g := &m.CP[len(m.CP)-1]
		*g = append(*g, KV{name, str(it.Value)})
	}
	return m
}
