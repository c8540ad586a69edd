package hj212

import "encoding/binary"

// The register keeps only its high byte between two steps (section 6.2.1 and
// its listing: the register is shifted right by eight before the byte is mixed
// in), so the state is eight bits and one step is a table look-up. The step is
// linear over GF(2), so the effect of a byte k steps later is a table as well.
// Eight steps are the identity: bytes that stand a multiple of eight apart act
// alike and may be added (XOR) before any look-up. The check therefore runs at
// the speed of reading words, and it does not notice when two bytes that stand
// eight apart change places.
var (
	crcTable [256]uint16
	// crcAhead[k][b] is the high byte that b leaves behind after k steps.
	crcAhead [8][256]byte
)

func init() {
	for i := range crcTable {
		r := uint16(i)
		for range 8 {
			lsb := r & 1
			r >>= 1
			if lsb == 1 {
				r ^= 0xA001
			}
		}
		crcTable[i] = r
	}
	for i := range 256 {
		b := byte(i)
		for k := range crcAhead {
			crcAhead[k][i] = b
			b = byte(crcTable[b] >> 8)
		}
		if b != byte(i) {
			panic("hj212: eight steps of the CRC are not the identity")
		}
	}
}

// CRC16 computes the check of a data segment by the algorithm that HJ 212
// prints. It is not CRC-16/MODBUS. At most 256 different results exist, so it
// must never serve as an identity.
func CRC16(seg []byte) uint16 {
	if len(seg) == 0 {
		return 0xFFFF
	}
	last := len(seg) - 1
	p := seg[:last]
	if len(p) < 8 {
		h := byte(0xFF)
		for _, b := range p {
			h = crcAhead[1][b^h]
		}
		return crcTable[seg[last]^h]
	}
	// The odd bytes at the beginning are the end of a first word; the state at
	// the start, 0xFF, is added to the first byte.
	sum := uint64(0xFF)
	if odd := len(p) % 8; odd > 0 {
		sum = (binary.LittleEndian.Uint64(p) ^ 0xFF) << (64 - 8*odd)
		p = p[odd:]
	}
	for len(p) >= 32 {
		q := (*[32]byte)(p)
		sum ^= binary.LittleEndian.Uint64(q[:]) ^ binary.LittleEndian.Uint64(q[8:]) ^
			binary.LittleEndian.Uint64(q[16:]) ^ binary.LittleEndian.Uint64(q[24:])
		p = p[32:]
	}
	for len(p) >= 8 {
		sum ^= binary.LittleEndian.Uint64(p)
		p = p[8:]
	}
	h := byte(sum) ^ crcAhead[7][byte(sum>>8)] ^ crcAhead[6][byte(sum>>16)] ^ crcAhead[5][byte(sum>>24)] ^
		crcAhead[4][byte(sum>>32)] ^ crcAhead[3][byte(sum>>40)] ^ crcAhead[2][byte(sum>>48)] ^ crcAhead[1][byte(sum>>56)]
	return crcTable[seg[last]^h]
}

// crcModbus is CRC-16/MODBUS, which some devices send instead.
func crcModbus(seg []byte) uint16 {
	r := uint16(0xFFFF)
	for _, b := range seg {
		r ^= uint16(b)
		for range 8 {
			lsb := r & 1
			r >>= 1
			if lsb == 1 {
				r ^= 0xA001
			}
		}
	}
	return r
}

const upperHex = "0123456789ABCDEF"

func appendHex16(dst []byte, v uint16) []byte {
	return append(dst, upperHex[v>>12], upperHex[v>>8&15], upperHex[v>>4&15], upperHex[v&15])
}

// hexVal maps a hexadecimal digit of either case to its value, others to 0xFF.
var hexVal = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xFF
	}
	for i := range 10 {
		t['0'+i] = byte(i)
	}
	for i := range 6 {
		t['A'+i], t['a'+i] = byte(10+i), byte(10+i)
	}
	return t
}()

// hex4 reads four hexadecimal digits.
func hex4(b []byte) (v uint16, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	a, c, d, e := hexVal[b[0]], hexVal[b[1]], hexVal[b[2]], hexVal[b[3]]
	return uint16(a)<<12 | uint16(c)<<8 | uint16(d)<<4 | uint16(e), a|c|d|e < 16
}

// CRCAlternatives names the likely cause when the check got (as sent) does not
// fit seg: another algorithm, swapped bytes, a dropped zero, a placeholder.
// It returns "" when none is recognised.
func CRCAlternatives(seg, got []byte) string {
	want := CRC16(seg)
	v, ok := hex4(got)
	if !ok {
		if len(got) > 0 && len(got) < 4 {
			short := appendHex16(nil, want)
			for len(short) > 1 && short[0] == '0' {
				short = short[1:]
			}
			if equalFold(short, got) {
				return "leading zeros dropped"
			}
		}
		return ""
	}
	switch modbus := crcModbus(seg); v {
	case modbus:
		return "equals plain CRC-16/MODBUS"
	case modbus<<8 | modbus>>8:
		return "equals CRC-16/MODBUS with its bytes swapped"
	case want<<8 | want>>8:
		return "bytes swapped"
	}
	switch v {
	case 0x0000, 0xFFFF, 0x1234, 0x1111:
		return "constant placeholder"
	}
	switch v & 0xFF {
	case 0x00, 0x01, 0x40, 0x41, 0x80, 0x81, 0xC0, 0xC1:
		return ""
	}
	// The algorithm of the standard never ends in such a low byte.
	return "another algorithm or byte order"
}

func equalFold(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := a[i], b[i]
		if x >= 'a' && x <= 'z' {
			x -= 32
		}
		if y >= 'a' && y <= 'z' {
			y -= 32
		}
		if x != y {
			return false
		}
	}
	return true
}
