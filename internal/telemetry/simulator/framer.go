package simulator

import (
	"slices"
	"strconv"
	"time"

	"plateau/hj212"
	"plateau/internal/telemetry"
)

// maxSegment is the longest data segment of HJ 212 (2017 section 6.2); longer
// messages are split between factor groups (拆分包).
const maxSegment = 1024

// outFrame is a frame ready for the wire, without its CR LF.
type outFrame struct {
	raw []byte
	qn  int64 // ms since 1970; QN is this instant in UTC+8
}

// framer writes the frames of one logger. It is not safe for concurrent use.
type framer struct {
	p      *Plant
	pw, mn string
	st     string
	key    []byte // SM4 key; nil = plain
	items  []itemNames

	seg    []byte // scratch
	groups []int  // ends of the groups in cp
	cp     []byte
	out    []outFrame
}

// itemNames are the item prefixes of one factor, such as "a21026-Avg=".
type itemNames struct{ rtd, zsRtd, cou, min, avg, max, zsMin, zsAvg, zsMax, flag string }

func newFramer(p *Plant) *framer {
	f := &framer{p: p, pw: p.Device.Password, mn: p.Device.MN, st: p.prof.st}
	if p.Quirk == "st32" {
		f.st = "32"
	}
	if len(p.Device.Keys) > 0 {
		f.key = p.Device.Keys[0]
	}
	for i := range p.factors {
		w := p.factors[i].wire + "-"
		f.items = append(f.items, itemNames{
			w + "Rtd=", w + "ZsRtd=", w + "Cou=", w + "Min=", w + "Avg=", w + "Max=", w + "ZsMin=", w + "ZsAvg=", w + "ZsMax=", w + "Flag=",
		})
	}
	return f
}

// commandOf is the CN of a statistics record.
func commandOf(k telemetry.Kind) int {
	switch k {
	case telemetry.KindMinute:
		return 2051
	case telemetry.KindHour:
		return 2061
	case telemetry.KindDay:
		return 2031
	default:
		return 2011
	}
}

// record appends the frames of a statistics record to arena and returns them;
// the list is valid until the next call. start is the DataTime (start of the
// period), Unix seconds; sent is the instant of the upload in ms.
func (f *framer) record(arena []byte, k telemetry.Kind, start, sent int64, rf bool, w *window) ([]byte, []outFrame) {
	f.cp, f.groups = f.cp[:0], f.groups[:0]
	for i := range f.p.factors {
		f.statistics(i, k, w)
	}
	return f.finish(arena, commandOf(k), start, sent, rf)
}

// statistics writes one factor's group. Minutes carry means and marks only,
// which keeps a minute of eleven factors below half a kilobyte; hours and days
// carry all that HJ 212-2017 section 6.6.4 names.
func (f *framer) statistics(i int, k telemetry.Kind, w *window) {
	s, n, r := &f.p.factors[i], &f.items[i], w.read(f.p, i)
	full := k != telemetry.KindMinute
	b := f.cp
	if s.q == gasFlow || s.q == waterFlow {
		b = append(hj212.AppendDecimal(append(b, n.cou...), scaled(w.flow, 100), 2), ',')
	} else if full && s.q == conc && f.p.flow >= 0 {
		b = append(hj212.AppendDecimal(append(b, n.cou...), scaled(r.mass, 10000), 4), ',')
	}
	if r.has {
		if full {
			b = append(hj212.AppendDecimal(append(b, n.min...), r.min, s.dec), ',')
		}
		b = append(hj212.AppendDecimal(append(b, n.avg...), r.avg, s.dec), ',')
		if full {
			b = append(hj212.AppendDecimal(append(b, n.max...), r.max, s.dec), ',')
		}
		if r.folded {
			if full {
				b = append(hj212.AppendDecimal(append(b, n.zsMin...), r.zmin, s.dec), ',')
			}
			b = append(hj212.AppendDecimal(append(b, n.zsAvg...), r.zavg, s.dec), ',')
			if full {
				b = append(hj212.AppendDecimal(append(b, n.zsMax...), r.zmax, s.dec), ',')
			}
		}
	}
	b = append(append(b, n.flag...), r.flag)
	f.cp, f.groups = b, append(f.groups, len(b))
}

// realtime appends the frames of a 2011 upload.
func (f *framer) realtime(arena []byte, at, sent int64, rf bool, s *sample) ([]byte, []outFrame) {
	f.cp, f.groups = f.cp[:0], f.groups[:0]
	for i := range f.p.factors {
		spec, n := &f.p.factors[i], &f.items[i]
		b := f.cp
		if !s.none[i] {
			b = append(hj212.AppendDecimal(append(b, n.rtd...), s.v[i], spec.dec), ',')
			if s.fold && spec.q == conc {
				b = append(hj212.AppendDecimal(append(b, n.zsRtd...), s.zs[i], spec.dec), ',')
			}
		}
		b = append(append(b, n.flag...), s.flag[i])
		f.cp, f.groups = b, append(f.groups, len(b))
	}
	return f.finish(arena, 2011, at, sent, rf)
}

// equipment appends a 2021 (running state) or 2041 (hours run) upload; value
// gives the text for equipment n, from 1.
func (f *framer) equipment(arena []byte, cn int, at, sent int64, rf bool, value func(n int) string) ([]byte, []outFrame) {
	f.cp, f.groups = f.cp[:0], f.groups[:0]
	suffix := "-RS="
	if cn == 2041 {
		suffix = "-RT="
	}
	for n := 1; n <= f.p.prof.equipment; n++ {
		f.cp = append(strconv.AppendInt(append(f.cp, "SB"...), int64(n), 10), suffix...)
		f.cp = append(f.cp, value(n)...)
		f.groups = append(f.groups, len(f.cp))
	}
	return f.finish(arena, cn, at, sent, rf)
}

// runTimes appends the 2041 upload (hours run) of the local day that begins at
// start, Unix seconds.
func (f *framer) runTimes(arena []byte, s *schedule, start, sent int64, rf bool) ([]byte, []outFrame) {
	stood := slices.ContainsFunc(s.day(f.p.index, floorDiv(start+zone*3600, 86400)), func(e episode) bool { return e.role == stopped })
	return f.equipment(arena, 2041, start, sent, rf, func(n int) string {
		if stood {
			return "0.00"
		}
		return strconv.FormatFloat(23.5+float64(n)/10, 'f', 2, 64)
	})
}

// afterRecord (ms) is how long after a day's record the day's run times go.
const afterRecord = 40

// powerOn appends a 2081 upload.
func (f *framer) powerOn(arena []byte, at, restart, sent int64) ([]byte, []outFrame) {
	f.cp, f.groups = f.cp[:0], f.groups[:0]
	f.cp = hj212.AppendTime(append(f.cp, "RestartTime="...), time.Unix(restart, 0))
	f.groups = append(f.groups, len(f.cp))
	return f.finish(arena, 2081, at, sent, false)
}

// groupOf returns the n-th group of the CP under work.
func (f *framer) group(n int) []byte {
	if n == 0 {
		return f.cp[:f.groups[0]]
	}
	return f.cp[f.groups[n-1]:f.groups[n]]
}

// finish wraps the groups into as few frames as fit.
func (f *framer) finish(arena []byte, cn int, at, sent int64, rf bool) ([]byte, []outFrame) {
	f.out = f.out[:0]
	const overhead = 140 // header, DataTime and the ampersands
	if len(f.cp)+len(f.groups)+overhead <= maxSegment {
		return f.frame(arena, cn, at, sent, rf, 0, len(f.groups), 0, 0), f.out
	}
	return f.split(arena, cn, at, sent, rf, maxSegment-overhead), f.out
}

// split cuts between factor groups into packets of at most room bytes of CP.
// Every packet repeats DataTime and has a QN of its own (6.6 of the reference).
func (f *framer) split(arena []byte, cn int, at, sent int64, rf bool, room int) []byte {
	var cuts []int
	size := 0
	for i := range f.groups {
		n := len(f.group(i)) + 1
		if size+n > room && size > 0 {
			cuts, size = append(cuts, i), 0
		}
		size += n
	}
	cuts = append(cuts, len(f.groups))
	from := 0
	for k, to := range cuts {
		arena = f.frame(arena, cn, at, sent+int64(k), rf, from, to, k+1, len(cuts))
		from = to
	}
	return arena
}

// frame appends one frame with the groups [from, to); pnum 0 = not split.
func (f *framer) frame(arena []byte, cn int, at, sent int64, rf bool, from, to, pno, pnum int) []byte {
	start := len(arena)
	b := append(arena, "##0000"...)
	b = f.header(b, cn, sent, rf, pno, pnum)
	b = hj212.AppendTime(append(b, "CP=&&DataTime="...), time.Unix(at, 0))
	for i := from; i < to; i++ {
		b = append(append(b, ';'), f.group(i)...)
	}
	b = append(b, "&&"...)
	if f.key != nil {
		f.seg = append(f.seg[:0], b[start+6:]...)
		if enc, err := hj212.AppendEncrypted(b[:start], f.seg, f.key); err == nil {
			b = trimCRLF(enc)
			f.out = append(f.out, outFrame{b[start:len(b):len(b)], sent})
			return b
		}
	}
	b = closeFrame(b, start)
	if f.p.Quirk == "lowercrc" {
		for i := len(b) - 4; i < len(b); i++ {
			if b[i] >= 'A' {
				b[i] |= 0x20
			}
		}
	}
	f.out = append(f.out, outFrame{b[start:len(b):len(b)], sent})
	return b
}

// header appends the fields before CP in the order of the logger's version.
func (f *framer) header(b []byte, cn int, sent int64, rf bool, pno, pnum int) []byte {
	v := f.p.Version
	qn := v != 2005 || f.p.Quirk == "qn05"
	if qn && v != 2005 {
		b = append(hj212.AppendQN(append(b, "QN="...), time.UnixMilli(sent)), ';')
	}
	b = append(append(append(b, "ST="...), f.st...), ";CN="...)
	b = strconv.AppendInt(b, int64(cn), 10)
	if qn && v == 2005 { // 2005 puts QN after CN
		b = hj212.AppendQN(append(b, ";QN="...), time.UnixMilli(sent))
	}
	b = append(append(append(b, ";PW="...), f.pw...), ";MN="...)
	b = append(append(b, f.mn...), ';')
	if qn {
		flag := int64(f.versionBits()<<2 | 1)
		if pnum > 0 {
			flag |= 2
		}
		b = append(strconv.AppendInt(append(b, "Flag="...), flag, 10), ';')
	}
	if pnum > 0 {
		b = append(strconv.AppendInt(append(b, "PNUM="...), int64(pnum), 10), ";PNO="...)
		b = append(strconv.AppendInt(b, int64(pno), 10), ';')
	}
	if rf && v == 2025 {
		b = append(b, "RF=1;"...)
	}
	return b
}

func (f *framer) versionBits() int {
	switch {
	case f.p.Version == 2005:
		return 0
	case f.p.Version == 2025 || f.p.Quirk == "flag9":
		return 2
	}
	return 1
}

// wantsAck tells whether this logger's uploads ask for 9014.
func (f *framer) wantsAck() bool { return f.p.Version != 2005 || f.p.Quirk == "qn05" }

// closeFrame fills in the length at start+2 and appends the CRC.
func closeFrame(b []byte, start int) []byte {
	n := len(b) - start - 6
	b[start+2], b[start+3], b[start+4], b[start+5] = byte('0'+n/1000), byte('0'+n/100%10), byte('0'+n/10%10), byte('0'+n%10)
	return appendCRC(b, hj212.CRC16(b[start+6:]))
}

const hexDigits = "0123456789ABCDEF"

func appendCRC(b []byte, c uint16) []byte {
	return append(b, hexDigits[c>>12], hexDigits[c>>8&15], hexDigits[c>>4&15], hexDigits[c&15])
}

func trimCRLF(b []byte) []byte {
	for len(b) > 0 && (b[len(b)-1] == '\n' || b[len(b)-1] == '\r') {
		b = b[:len(b)-1]
	}
	return b
}
