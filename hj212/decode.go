package hj212

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
)

// DecodeOptions configure DecodeLine.
type DecodeOptions struct {
	Key []byte // SM4 key for encrypted frames, 16 bytes; nil = none
}

// Decoded is a frame as people and other programs want to see it. Valid tells
// whether the rest describes the frame or what is wrong with it.
type Decoded struct {
	Line  int  `json:"line,omitempty"`
	Valid bool `json:"valid"`

	Length      int                          `json:"length"`
	CRC         string                       `json:"crc"`
	CRCComputed string                       `json:"crc_computed"`
	CRCOK       bool                         `json:"crc_ok"`
	CRCCase     string                       `json:"crc_case"`
	Header      [][2]string                  `json:"header"`
	Groups      [][][2]string                `json:"groups"`
	Params      map[string]string            `json:"params"`
	Factors     map[string]map[string]string `json:"factors"`
	Version     *string                      `json:"version"`
	Ack         *bool                        `json:"ack"`
	Split       *bool                        `json:"split"`
	Notes       []string                     `json:"notes"`
	Encrypted   bool                         `json:"encrypted,omitempty"`

	Reasons []string `json:"reasons,omitempty"`
	Detail  string   `json:"detail,omitempty"`
	Offset  int      `json:"offset,omitempty"`
	Remedy  string   `json:"remedy,omitempty"` // what to do about the first reason
}

// MarshalJSON writes the fields that belong to a valid frame or to an invalid one.
func (d Decoded) MarshalJSON() ([]byte, error) {
	if d.Valid {
		type plain Decoded
		return marshalPlain(plain(d))
	}
	return marshalPlain(struct {
		Line    int      `json:"line,omitempty"`
		Valid   bool     `json:"valid"`
		Reasons []string `json:"reasons"`
		Detail  string   `json:"detail"`
		Offset  int      `json:"offset"`
		Remedy  string   `json:"remedy,omitempty"`
	}{d.Line, false, d.Reasons, d.Detail, d.Offset, d.Remedy})
}

// DecodeLine decodes one frame that stands alone, line end optional: its end
// is known, so every fault that applies is given, in the order found.
func DecodeLine(line []byte, o DecodeOptions) Decoded {
	line = bytes.TrimRight(line, "\r\n")
	f := judge(line)
	if plain := f.decrypt(o.Key); plain != nil {
		d := describe(plain, f.crcText)
		d.Encrypted = true
		return d
	}
	var p Packet
	if err := p.Parse(f.seg); err != nil && !f.headless && f.declared != 0 {
		e := err.(*Error) //nolint:errorlint // Parse fails with nothing else
		name := e.Name
		if name == MissingFields { // bytes were declared: what came is cut off
			name = CPNotClosed
		}
		f.add(name, e.Off+f.start, name)
	}
	if len(f.reasons) > 0 {
		return Decoded{Reasons: f.reasons, Detail: strings.Join(f.details, "; "), Offset: f.off, Remedy: remedies[f.reasons[0]]}
	}
	return describe(f.seg, f.crcText)
}

// finding is what can be said of a frame before its segment is read.
type finding struct {
	seg      []byte
	start    int  // of the segment in the line
	declared int  // length, -1 when it is no number
	headless bool // no "##": nothing else can be judged
	crc      uint16
	crcText  string
	reasons  []string
	details  []string
	off      int
}

func (f *finding) add(name string, off int, detail string) {
	if len(f.reasons) == 0 {
		f.off = off
	}
	f.reasons, f.details = append(f.reasons, name), append(f.details, detail)
}

// decrypt returns the plain segment when key opens it: where the CRC fails, or
// holds by chance (once in 256 frames) over bytes that are no text. The length
// may count the ciphertext or, where that is written as text, either form.
func (f *finding) decrypt(key []byte) []byte {
	if key == nil || f.crcText == "" || f.headless || len(f.reasons) == 0 && looksLikeText(f.seg) {
		return nil
	}
	for _, name := range f.reasons {
		if name != CRCMismatch && name != LengthMismatch {
			return nil
		}
	}
	plain, err := DecryptCP(f.seg, key)
	if err != nil || CRC16(plain) != f.crc || f.declared != len(f.seg) && f.declared != len(plain) || !looksLikeText(plain) {
		return nil
	}
	return plain
}

// judge checks head, length, structure and CRC of one line.
func judge(line []byte) finding {
	f := finding{start: 6, declared: -1}
	if !bytes.HasPrefix(line, []byte("##")) {
		f.headless = true
		detail := "does not begin with ##"
		if len(line) == 0 {
			detail = "the line is empty"
		}
		f.add(Malformed, 0, detail)
		return f
	}
	end := len(line)
	if crc, ok := hex4(line[min(end, max(6, end-4)):]); ok {
		end -= 4
		f.crc, f.crcText = crc, string(line[end:])
	}
	fits := func(from, to int) bool { // the CRC as sent is right for this part of the line
		return f.crcText != "" && from <= to && to <= end && f.crc == CRC16(line[from:to])
	}
	digits := 2
	for digits < min(end, 10) && line[digits] >= '0' && line[digits] <= '9' {
		digits++
	}
	switch {
	case digits == 6, digits > 6 && (fits(6, end) || !fits(digits, end)):
		f.declared = number(line[2:6])
	default: // with fewer digits, or more, the segment begins behind them unless the CRC says otherwise
		if !fits(6, end) {
			f.start = digits
			f.declared = number(line[2:digits])
		}
		f.add(LengthNotDigits, 2, LengthNotDigits)
	}
	real := end // of the segment: without a CRC, the closing && tells
	if f.crcText == "" {
		open := bytes.Index(line[f.start:], cpOpen)
		if i := bytes.LastIndex(line[f.start:], cpClose); open >= 0 && i >= open+len(cpOpen) {
			real = f.start + i + len(cpClose)
		}
	}
	right := fits(f.start, real) || f.declared >= 0 && fits(f.start, f.start+f.declared)
	switch {
	case f.start < real && line[f.start] == ';':
		f.add(StraySemicolon, f.start, StraySemicolon)
		body := real
		if line[body-1] == ';' {
			body--
		}
		right = right || fits(f.start, body) || fits(f.start+1, body) || fits(f.start+1, real)
		f.start++
		real = max(body, f.start)
	case f.crcText != "" && bytes.HasSuffix(line[f.start:real], []byte("&&;")) && !fits(f.start, real) &&
		(f.start+f.declared == real-1 || fits(f.start, real-1)): // only before the CRC
		real--
		f.add(StraySemicolon, real, StraySemicolon)
		right = right || fits(f.start, real)
	case f.declared == 0 && real == f.start:
		f.add(MissingFields, 2, MissingFields)
	case f.declared >= 0 && f.start+f.declared != real && (f.crcText != "" || f.start+f.declared != len(line)):
		f.add(LengthMismatch, 2, "length_mismatch(declared "+string(line[2:f.start])+", real "+itoa(real-f.start)+")")
	}
	f.seg = line[f.start:real]
	switch {
	case f.crcText == "":
		detail := CRCMissing
		if alt := CRCAlternatives(f.seg, line[real:]); alt != "" {
			detail += ", " + alt
		}
		f.add(CRCMissing, real, detail)
	case !right:
		f.add(CRCMismatch, end, "crc_mismatch("+crcDetail(f.seg, line[end:])+")")
	}
	return f
}

// describe gives the verbose view of a right segment.
func describe(seg []byte, crc string) Decoded {
	d := Decoded{
		Valid: true, Length: len(seg), CRC: crc, CRCOK: true, CRCCase: "upper",
		CRCComputed: string(appendHex16(nil, CRC16(seg))),
		Header:      [][2]string{}, Groups: [][][2]string{}, Params: map[string]string{},
		Factors: map[string]map[string]string{}, Notes: []string{},
	}
	var p Packet
	if p.Parse(seg) != nil {
		return d
	}
	if strings.ToUpper(crc) != crc {
		d.CRCCase = "lower"
	}
	d.header(&p)
	d.body(&p)
	if v, ack, split, ok := p.FlagBits(); ok {
		year := v.String()
		d.Version, d.Ack, d.Split = &year, &ack, &split
	}
	d.flagNotes(&p)
	if d.Length > 1024 {
		d.note("segment_over_1024")
	}
	if d.CRCCase == "lower" {
		d.note("crc_lowercase")
	}
	return d
}

// note adds a deviation by name, once.
func (d *Decoded) note(s string) {
	if !slices.Contains(d.Notes, s) {
		d.Notes = append(d.Notes, s)
	}
}

// header lists the fields as sent and notes what deviates.
func (d *Decoded) header(p *Packet) {
	h := p.Seg[:int(p.CP.Off)-len(cpOpen)]
	fields, stray := headerFields(h)
	seen := map[string]bool{}
	last, ordered := -1, true
	for _, f := range fields {
		name, value := Text(h[f.name[0]:f.name[1]]), Text(h[f.value[0]:f.value[1]])
		d.Header = append(d.Header, [2]string{name, value})
		exact := false
		for i, known := range headerNames {
			if !strings.EqualFold(name, known) {
				continue
			}
			exact = name == known
			seen[known] = true
			if i < last {
				ordered = false
			}
			last = i
			if value == "" && i < 6 {
				d.note("header_empty:" + name)
			}
		}
		if !exact {
			d.note("unknown_or_misspelt_header:" + name)
		}
	}
	for _, known := range headerNames[:6] {
		if !seen[known] {
			d.note("header_missing:" + known)
		}
	}
	if !ordered {
		d.note("header_order")
	}
	if stray {
		d.note("stray_separator_in_header")
	}
	if p.QN.Len > 0 && (p.QN.Len != 17 || !isDigits(p.Bytes(p.QN))) {
		d.note("qn_not_17_digits")
	}
	if p.ST.Len > 0 && (p.ST.Len != 2 || !isDigits(p.Bytes(p.ST))) {
		d.note("st_not_2_digits")
	}
}

// field is a header field by the places of its name and value.
type field struct{ name, value [2]int }

// headerFields splits a header at semicolons. A comma counts as a separator at
// the edge of a field or before another name=value; elsewhere it is data.
func headerFields(h []byte) (fields []field, stray bool) {
	h = bytes.TrimSuffix(h, []byte{';'}) // the one before CP
	for i := 0; i <= len(h); {
		j := i
		for j < len(h) && h[j] != ';' {
			j++
		}
		a, b := trim(h, i, j)
		i = j + 1
		for a < b && h[a] == ',' {
			stray = true
			a, b = trim(h, a+1, b)
		}
		for a < b && h[b-1] == ',' {
			stray = true
			a, b = trim(h, a, b-1)
		}
		if a == b {
			stray = stray || len(h) > 0
			continue
		}
		for a < b {
			end := b
			for k := a; k < b; k++ {
				if h[k] == ',' && startsField(h[k+1:b]) {
					end, stray = k, true
					break
				}
			}
			x, y := trim(h, a, end)
			if eq := bytes.IndexByte(h[x:y], '='); eq >= 0 {
				na, nb := trim(h, x, x+eq)
				va, vb := trim(h, x+eq+1, y)
				fields = append(fields, field{[2]int{na, nb}, [2]int{va, vb}})
			} else if x < y {
				fields = append(fields, field{[2]int{x, y}, [2]int{y, y}})
			}
			a = end + 1
		}
	}
	return fields, stray
}

// startsField reports whether b begins with name= or is empty up to the next comma.
func startsField(b []byte) bool {
	for i, c := range b {
		switch c {
		case '=':
			return i > 0
		case ',':
			return len(bytes.TrimSpace(b[:i])) == 0
		}
	}
	return false
}

// lists are the parameters that may stand several times.
func isList(name string) bool {
	return strings.EqualFold(name, "PolId") || strings.EqualFold(name, "CTime")
}

func isTimeParam(name string) bool {
	switch name {
	case "SystemTime", "RestartTime", "DataTime", "BeginTime", "EndTime", "AlarmTime":
		return true
	}
	return false
}

// body lists the items of CP and notes what deviates.
func (d *Decoded) body(p *Packet) {
	last := -1
	seen := map[string]bool{}
	for _, it := range p.Items {
		code, suffix, value := Text(p.Bytes(it.Code)), Text(p.Bytes(it.Suffix)), Text(p.Bytes(it.Value))
		name := code
		if it.Suffix.Off > 0 {
			name = code + "-" + suffix
		}
		if int(it.Group) != last {
			d.Groups = append(d.Groups, nil)
			last = int(it.Group)
		}
		g := &d.Groups[len(d.Groups)-1]
		*g = append(*g, [2]string{name, value})
		if seen[name] && !isList(name) {
			d.note("duplicate_key:" + name)
		}
		seen[name] = true
		if it.Suffix.Off == 0 {
			d.Params[name] = value
			if isTimeParam(name) && (it.Value.Len != 14 || !isDigits(p.Bytes(it.Value))) {
				d.note("time_not_14_digits:" + name)
			}
			continue
		}
		if d.Factors[code] == nil {
			d.Factors[code] = map[string]string{}
		}
		d.Factors[code][suffix] = value
	}
	body := p.Bytes(p.CP)
	if n := len(body); n > 0 && (body[n-1] == ';' || body[n-1] == ',') {
		d.note("trailing_separator")
	}
	if blanksOutsideLogs(body) {
		d.note("space_in_cp")
	}
}

// blanksOutsideLogs reports blanks around items, names or values.
func blanksOutsideLogs(body []byte) bool {
	edge := true // at the start of an item, name or value
	for i := 0; i < len(body); i++ {
		c := body[i]
		if c == '/' && i+1 < len(body) && body[i+1] == '/' {
			if n := bytes.Index(body[i+2:], []byte("//")); n >= 0 {
				i += 2 + n + 1
				edge = false
				continue
			}
		}
		switch c {
		case ';', ',', '=':
			edge = true
		case ' ', '\t', '\r', '\n': // isBlank
			rest := bytes.TrimLeft(body[i:], " \t\r\n")
			if edge || len(rest) == 0 || rest[0] == ';' || rest[0] == ',' || rest[0] == '=' {
				return true
			}
		default:
			edge = false
		}
	}
	return false
}

func (d *Decoded) flagNotes(p *Packet) {
	n := p.number(p.Flag)
	if n < 0 {
		return
	}
	switch split := n&2 != 0; {
	case split && p.PNUM.Off == 0:
		d.note("split_bit_without_pnum")
	case !split && p.PNUM.Off > 0:
		d.note("pnum_without_split_bit")
	}
}

// StreamResult is what a scanner found in a byte stream.
type StreamResult struct {
	Frames  []FrameText `json:"frames"`
	Errors  []string    `json:"errors"`
	Pending bool        `json:"pending_at_end"`
}

// FrameText prints a frame as text, or as {"hex":"…"} when it is none.
type FrameText []byte

// MarshalJSON implements the two forms.
func (f FrameText) MarshalJSON() ([]byte, error) {
	if s, ok := decodeText(f); ok {
		return marshalPlain(s)
	}
	return json.Marshal(map[string]string{"hex": strings.ToUpper(hex.EncodeToString(f))})
}

// marshalPlain keeps & < > as they are: frames are full of them.
func marshalPlain(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// ScanAll runs a whole stream through a scanner. Encrypted frames are given decrypted.
func ScanAll(stream []byte, o ScanOptions) StreamResult {
	s := NewScanner(o)
	r := StreamResult{Frames: []FrameText{}, Errors: []string{}}
	take := func(ev Event) {
		switch {
		case ev.Err != nil:
			r.Errors = append(r.Errors, ev.Err.Name)
		case ev.Encrypted:
			plain := AppendFrame(nil, ev.Seg)
			plain = append(plain[:len(plain)-6], ev.Raw[len(ev.Raw)-4:]...) // the CRC as sent
			r.Frames = append(r.Frames, plain)
		default:
			r.Frames = append(r.Frames, bytes.Clone(ev.Raw))
		}
	}
	s.Feed(stream)
	for ev, ok := s.Next(); ok; ev, ok = s.Next() {
		take(ev)
	}
	for ev, ok := s.Finish(); ok; ev, ok = s.Finish() {
		take(ev)
	}
	r.Pending = s.Pending()
	return r
}
