package hj212

import (
	"bytes"
	"errors"
	"io"
)

// DefaultLimit is the longest data segment a scanner takes, in bytes. The
// standard allows 1024; installed devices send more.
const DefaultLimit = 8192

// Tolerance says which faults of an installed device are forgiven.
type Tolerance struct {
	BadCRC    bool // accept a wrong CRC when the structure is right
	BadLength bool // accept a wrong length when the CRC is right
}

// ScanOptions configure a Scanner; the zero value is usable.
type ScanOptions struct {
	Limit    int                       // longest segment, bytes; 0 = DefaultLimit
	Keys     func(mn []byte) [][]byte  // SM4 keys of a logger, newest first; nil = none
	Tolerate func(mn []byte) Tolerance // faults forgiven a logger; nil = none
}

// Event is one thing found in the stream: a frame, or a fault.
type Event struct {
	Raw       []byte // the candidate as received, without line end; of noise a sample of its beginning; valid until the next Feed or Fill
	Seg       []byte // its data segment, decrypted; nil when there is a fault; valid until the next event
	Err       *Error // nil for an accepted frame
	Encrypted bool   // Seg was decrypted
	Tolerated string // name of the fault that was forgiven
}

// Scanner finds frames in a byte stream by their length, never by their line
// end, because ciphertext may hold any byte. What it reports does not depend
// on how the stream is cut into reads. Its buffer is bounded: at most one
// candidate and what one read brings.
//
// A frame that fails its CRC is judged when it is clear where it ends: when a
// line end or another frame's head follows, or when Finish or Idle says that
// nothing follows.
type Scanner struct {
	opt    ScanOptions
	buf    []byte
	pos    int  // start of what is not consumed
	full   bool // the last read filled buf
	noise  bool // inside a run of noise that has been reported
	silent bool // dropping up to the next ## without a report
	plain  []byte
	noiseN int64
	scan   int // where the search for a frame's true end has come to, relative to pos
}

// NewScanner makes a scanner.
func NewScanner(o ScanOptions) *Scanner {
	if o.Limit <= 0 {
		o.Limit = DefaultLimit
	}
	if o.Limit > 9999 {
		o.Limit = 9999
	}
	return &Scanner{opt: o}
}

// Feed adds bytes; they are copied.
func (s *Scanner) Feed(p []byte) {
	s.compact()
	s.buf = append(s.buf, p...)
}

// Fill adds what one Read of r brings, without another copy. Most loggers send a
// frame now and then, so the buffer begins small: there are as many of them as
// loggers. It grows where a read fills it, and where a frame needs it.
func (s *Scanner) Fill(r io.Reader) (int, error) {
	s.compact()
	const first, enough, room = 1 << 10, 8 << 10, 512
	if cap(s.buf)-len(s.buf) < room || s.full && cap(s.buf) < enough {
		grown := make([]byte, len(s.buf), max(2*cap(s.buf), first))
		copy(grown, s.buf)
		s.buf = grown
	}
	n, err := r.Read(s.buf[len(s.buf):cap(s.buf)])
	s.buf = s.buf[:len(s.buf)+n]
	s.full = len(s.buf) == cap(s.buf)
	return n, err
}

func (s *Scanner) compact() {
	if s.pos > 0 {
		n := copy(s.buf, s.buf[s.pos:])
		s.buf, s.pos = s.buf[:n], 0
	}
}

// Reset forgets what is not consumed, for bytes that do not follow those before;
// memory and the count of noise stay.
func (s *Scanner) Reset() {
	s.buf, s.pos = s.buf[:0], 0
	s.consume(0, false)
}

// Buffered returns the number of bytes not yet consumed.
func (s *Scanner) Buffered() int { return len(s.buf) - s.pos }

// Pending reports whether a part of a frame is waiting for the rest.
func (s *Scanner) Pending() bool { return s.Buffered() > 0 }

// NoiseBytes returns how many bytes were dropped as noise so far.
func (s *Scanner) NoiseBytes() int64 { return s.noiseN }

type mode uint8

const (
	more mode = iota // more bytes may follow
	eof              // nothing follows; what is incomplete stays pending
	idle             // nothing came for too long; what is incomplete is given up
)

// Next returns the next event; false means that it needs more bytes.
func (s *Scanner) Next() (Event, bool) { return s.next(more) }

// Finish is Next at the end of the stream: a candidate whose declared bytes
// are all there is judged though nothing follows it; call it until it returns
// false. A frame that is cut off stays pending.
func (s *Scanner) Finish() (Event, bool) { return s.next(eof) }

// Idle is Next after a silence: a part of a frame is reported as half_packet
// and the rest of the buffer is searched again; call it until it returns false.
func (s *Scanner) Idle() (Event, bool) { return s.next(idle) }

func (s *Scanner) next(m mode) (Event, bool) {
	for {
		if ev, ok := s.sync(m); ok {
			return ev, true
		}
		b := s.buf[s.pos:]
		if len(b) < 2 || b[0] != '#' || b[1] != '#' {
			return Event{}, false
		}
		if len(b) < 6 {
			if m == idle {
				return s.fault(HalfPacket, len(b), "only the head came", len(b), true), true
			}
			return Event{}, false
		}
		n := 0
		for _, c := range b[2:6] {
			if c < '0' || c > '9' {
				n = -1
				break
			}
			n = n*10 + int(c-'0')
		}
		switch {
		case n < 0: // "###" and false marks
			s.pos++
			if ev, ok := s.noiseByte(1); ok {
				return ev, true
			}
			continue
		case n == 0:
			return s.empty(b, m)
		case n > s.opt.Limit:
			ev := s.fault(Malformed, 2, "declared length over the limit", 1, false)
			ev.Raw = b[:6]
			return ev, true
		}
		need := 6 + n + 4
		if len(b) < need {
			if m == idle {
				ev := s.fault(HalfPacket, len(b), "the rest did not come", 2, true)
				ev.Raw = b
				return ev, true
			}
			return Event{}, false
		}
		if got, ok := hex4(b[6+n : need]); ok && got == CRC16(b[6:6+n]) {
			// One ciphertext in 256 passes the check as it stands.
			if s.opt.Keys != nil && !looksLikeText(b[6:6+n]) {
				if ev, ok := s.decrypted(b, n); ok {
					return ev, true
				}
			}
			return s.accept(b, n, ""), true
		}
		if ev, ok := s.decrypted(b, n); ok {
			return ev, true
		}
		if ev, ok := s.diagnose(b, n, m); ok {
			return ev, true
		}
		return Event{}, false
	}
}

// sync drops what stands before the next "##".
func (s *Scanner) sync(m mode) (Event, bool) {
	for s.pos < len(s.buf) {
		c := s.buf[s.pos]
		if c == '#' {
			if s.pos+1 == len(s.buf) {
				if m != idle {
					return Event{}, false // it may be the first half of a head
				}
			} else if s.buf[s.pos+1] == '#' {
				s.silent = false
				return Event{}, false
			}
		} else if c == '\r' || c == '\n' || c == 0 || c == ' ' {
			s.pos++ // the gap between two frames, or inside a run of noise
			continue
		}
		s.pos++
		if s.silent {
			continue
		}
		if ev, ok := s.noiseByte(1); ok {
			return ev, true
		}
	}
	return Event{}, false
}

// noiseByte counts noise and reports the first of a run.
func (s *Scanner) noiseByte(n int) (Event, bool) {
	s.noiseN += int64(n)
	if s.noise {
		return Event{}, false
	}
	s.noise = true
	sample := s.buf[s.pos-n:]
	sample = sample[:min(len(sample), 64)]
	if i := nextHead(sample); i > 0 {
		sample = sample[:i]
	}
	return Event{Raw: sample, Err: &Error{Name: Noise, Detail: quote(sample)}}, true
}

// consume ends the candidate after n bytes.
func (s *Scanner) consume(n int, silent bool) {
	s.pos += n
	s.noise, s.silent, s.scan = false, silent, 0
}

func (s *Scanner) fault(name string, off int, detail string, consume int, silent bool) Event {
	s.consume(consume, silent)
	return Event{Err: &Error{Name: name, Off: off, Detail: detail}}
}

func (s *Scanner) accept(b []byte, n int, tolerated string) Event {
	s.consume(6+n+4, false)
	return Event{Raw: b[:6+n+4], Seg: b[6 : 6+n], Tolerated: tolerated}
}

// empty handles a declared length of zero: the head and, when it is there, a CRC.
func (s *Scanner) empty(b []byte, m mode) (Event, bool) {
	k := 6
	for k < len(b) && k < 10 && hexVal[b[k]] < 16 {
		k++
	}
	if k == len(b) && k < 10 && m == more {
		return Event{}, false // the CRC may still come
	}
	if k < 10 {
		k = 6
	}
	ev := s.fault(MissingFields, 2, "the data segment is empty", k, false)
	ev.Raw = b[:k]
	return ev, true
}

// decrypted tries the logger's keys on a frame whose plain CRC fails.
func (s *Scanner) decrypted(b []byte, n int) (Event, bool) {
	if s.opt.Keys == nil {
		return Event{}, false
	}
	seg := b[6 : 6+n]
	got, ok := hex4(b[6+n : 6+n+4])
	if !ok {
		return Event{}, false
	}
	plain := s.opened(seg, got)
	if plain == nil {
		return Event{}, false
	}
	ev := s.accept(b, n, "")
	ev.Seg, ev.Encrypted = plain, true
	return ev, true
}

// opened decrypts seg by the first of its logger's keys whose result has the
// CRC want and reads as text; nil when there is none. With several keys, the
// CRC alone would let a wrong one through once in 256 frames.
func (s *Scanner) opened(seg []byte, want uint16) []byte {
	for _, key := range s.opt.Keys(headerValue(seg, "MN")) {
		plain, err := appendDecrypted(s.plain[:0], seg, key)
		if err != nil {
			continue
		}
		s.plain = plain
		if CRC16(plain) == want && looksLikeText(plain) {
			return plain
		}
	}
	return nil
}

// headerValue finds a header field in a segment that may be encrypted after CP=&&.
func headerValue(seg []byte, name string) []byte {
	if i := bytes.Index(seg, cpOpen); i >= 0 {
		seg = seg[:i]
	}
	for len(seg) > 0 {
		field, rest, _ := bytes.Cut(seg, []byte{';'})
		if len(field) > len(name) && field[len(name)] == '=' && string(field[:len(name)]) == name {
			return field[len(name)+1:]
		}
		seg = rest
	}
	return nil
}

// diagnose names the fault of a candidate whose CRC fails (the order is: true
// end elsewhere, declared end consistent, neither). It waits while the bytes
// at hand do not tell yet where the candidate ends. Every decision rests on
// bytes up to a fixed bound, so it does not depend on how the stream was cut.
func (s *Scanner) diagnose(b []byte, n int, m mode) (Event, bool) {
	need := 6 + n + 4
	_, hexEnd := hex4(b[need-4 : need])
	if len(b) == need && m == more && hexEnd {
		return Event{}, false // the next byte tells whether this is the end
	}
	lineEnd := hexEnd && (len(b) == need || b[need] == '\r' || b[need] == '\n')

	region, closed := b, m != more
	switch bound := 6 + s.opt.Limit + 10; {
	case lineEnd, hexEnd && b[need] == '#':
		region, closed = b[:need], true
	case len(b) >= bound:
		region, closed = b[:bound], true // a segment within the limit, and a head that begins before its end
	}
	head := nextHead(region[2:])
	if head >= 0 {
		head += 2
		region, closed = region[:head+2], true // with its ##: the frame before it may end one byte earlier, at "###"
	}
	if ev, ok := s.elsewhere(region, n, closed); ok {
		return ev, true
	}
	if !closed {
		return Event{}, false
	}
	seg := b[6 : 6+n]
	name, detail := Malformed, "neither length nor end fit"
	if alt := shortCRC(b[6:], n); alt != "" {
		detail = alt
	}
	if hexEnd && (lineEnd || b[need] == '#' || bytes.HasSuffix(seg, cpClose)) {
		name, detail = CRCMismatch, "another frame begins inside it"
		if head < 0 || head+6 > need { // else a chain of false heads would cost every byte a thousand times
			detail = crcDetail(seg, b[6+n:need])
		}
		if bytes.Contains(seg, cpOpen) && bytes.HasSuffix(seg, cpClose) && s.tolerance(headerValue(seg, "MN")).BadCRC {
			return s.accept(b, n, CRCMismatch), true
		}
	}
	raw := b[:min(need, len(region))]
	if head >= 0 {
		raw = raw[:min(need, head)]
	}
	size, silent := 2, true
	switch {
	case head >= 0 && head+6 <= need:
		size, silent = head, false
	case lineEnd:
		size, silent = need, false
	}
	ev := s.fault(name, 6+n, detail, size, silent)
	ev.Raw = raw
	return ev, true
}

// elsewhere looks for the candidate's true end, which its length misses.
func (s *Scanner) elsewhere(region []byte, n int, closed bool) (Event, bool) {
	end, plain := s.trueEnd(region, closed)
	switch {
	case end == 0:
		return Event{}, false
	case plain != nil && len(plain) == n: // the length counts the ciphertext, not its text form
		ev := s.accept(region, end-10, "")
		ev.Seg, ev.Encrypted = plain, true
		return ev, true
	case s.tolerance(headerValue(region[6:end-4], "MN")).BadLength:
		ev := s.accept(region, end-10, LengthMismatch)
		if plain != nil {
			ev.Seg, ev.Encrypted = plain, true
		}
		return ev, true
	}
	ev := s.fault(LengthMismatch, 2, "declared "+string(region[2:6])+", real "+itoa(end-10), end, false)
	ev.Raw = region[:end]
	return ev, true
}

func (s *Scanner) tolerance(mn []byte) Tolerance {
	if s.opt.Tolerate == nil {
		return Tolerance{}
	}
	return s.opt.Tolerate(mn)
}

// trueEnd searches "&&", four hex digits and an end (line end, head, or the
// end of a closed region) such that the CRC fits; it returns the offset behind
// the digits, 0 when there is none. plain is the decrypted segment when the CRC
// fits that of a ciphertext in its text form.
func (s *Scanner) trueEnd(b []byte, closed bool) (end int, plain []byte) {
	i := min(max(6, s.scan), len(b))
	for {
		k := bytes.Index(b[i:], cpClose)
		if k < 0 {
			s.scan = max(6, len(b)-1)
			return 0, nil
		}
		k += i
		end := k + 6
		if end+1 >= len(b) && !closed || end > len(b) {
			s.scan = k // its digits or what follows them may still come
			return 0, nil
		}
		i = k + 1
		got, ok := hex4(b[k+2:])
		if !ok || end < len(b) && !endsFrame(b[end:]) {
			continue
		}
		seg := b[6 : k+2]
		if got == CRC16(seg) {
			return end, nil
		}
		if s.opt.Keys != nil && hasBraces(seg) {
			if plain := s.opened(seg, got); plain != nil {
				return end, plain
			}
		}
	}
}

// endsFrame reports whether b begins with what may follow a frame: a line end or a head.
func endsFrame(b []byte) bool {
	return b[0] == '\r' || b[0] == '\n' || len(b) > 1 && b[0] == '#' && b[1] == '#'
}

// nextHead finds "##" and four digits; -1 when there is none.
func nextHead(b []byte) int {
	for i := 0; ; {
		k := bytes.Index(b[i:], []byte("##"))
		if k < 0 || i+k+6 > len(b) {
			return -1
		}
		i += k
		if isDigits(b[i+2 : i+6]) {
			return i
		}
		i++
	}
}

func isDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

func itoa(n int) string { return string(AppendDecimal(nil, int64(n), 0)) }

// shortCRC names the cause when fewer than four digits and a line end stand
// where the CRC of the segment b[:n] belongs.
func shortCRC(b []byte, n int) string {
	digits := n
	for digits < n+4 && hexVal[b[digits]] < 16 {
		digits++
	}
	if digits == n+4 || b[digits] != '\r' && b[digits] != '\n' {
		return ""
	}
	return CRCAlternatives(b[:n], b[n:digits])
}

// crcDetail tells the check as sent and as computed, and the likely cause.
func crcDetail(seg, got []byte) string {
	d := "frame " + string(got) + ", computed " + string(appendHex16(nil, CRC16(seg)))
	if alt := CRCAlternatives(seg, got); alt != "" {
		d += ", " + alt
	}
	return d
}

// ErrNoSegment is returned by Segment for bytes that are no frame.
var ErrNoSegment = errors.New("hj212: not one whole frame")

// Segment returns the data segment of one whole frame whose length and CRC
// are right (line end optional), else ErrNoSegment.
func Segment(frame []byte) ([]byte, error) {
	if len(frame) < 10 || frame[0] != '#' || frame[1] != '#' || !isDigits(frame[2:6]) {
		return nil, ErrNoSegment
	}
	n := two(frame[2:])*100 + two(frame[4:])
	if len(frame) < 10+n {
		return nil, ErrNoSegment
	}
	if got, ok := hex4(frame[6+n:]); !ok || got != CRC16(frame[6:6+n]) {
		return nil, ErrNoSegment
	}
	return frame[6 : 6+n], nil
}
