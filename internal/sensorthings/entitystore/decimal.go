package entitystore

import "strconv"

// maxDigits keeps a coefficient and its scale in one 64-bit number.
const (
	maxDigits = 17
	maxScale  = 7
)

// parseDecimal reads a JSON number without exponent whose text formatDecimal
// gives again, byte for byte.
func parseDecimal(b []byte) (coefficient int64, scale uint, ok bool) {
	i, negative := 0, false
	if len(b) > 0 && b[0] == '-' {
		i, negative = 1, true
	}
	start, digits, point := i, 0, -1
	for ; i < len(b); i++ {
		switch c := b[i]; {
		case c >= '0' && c <= '9':
			if digits++; digits > maxDigits {
				return 0, 0, false
			}
			coefficient = coefficient*10 + int64(c-'0')
		case c == '.' && point < 0 && i > start:
			point = i
		default:
			return 0, 0, false
		}
	}
	whole := len(b) - start
	if point >= 0 {
		whole = point - start
		scale = uint(len(b) - point - 1)
		if scale == 0 || scale > maxScale {
			return 0, 0, false
		}
	}
	switch {
	case digits == 0, whole > 1 && b[start] == '0', negative && coefficient == 0:
		return 0, 0, false
	case negative:
		coefficient = -coefficient
	}
	return coefficient, scale, true
}

func formatDecimal(dst []byte, coefficient int64, scale uint) []byte {
	if scale == 0 {
		return strconv.AppendInt(dst, coefficient, 10)
	}
	if coefficient < 0 {
		dst, coefficient = append(dst, '-'), -coefficient
	}
	var buf [24]byte
	text := strconv.AppendInt(buf[:0], coefficient, 10)
	for n := int(scale) + 1 - len(text); n > 0; n-- {
		text = append(text, 0)
		copy(text[1:], text)
		text[0] = '0'
	}
	cut := len(text) - int(scale)
	return append(append(append(dst, text[:cut]...), '.'), text[cut:]...)
}

func zigzag(v int64) uint64   { return uint64(v)<<1 ^ uint64(v>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }
