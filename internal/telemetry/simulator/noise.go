package simulator

import "math"

// mix is splitmix64's finaliser: a fast hash whose bits are good enough to
// stand for chance. Nothing here is a secret.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// unit maps a hash to [0, 1).
func unit(h uint64) float64 { return float64(h>>11) / (1 << 53) }

// gauss maps a hash to a nearly normal number (sum of four 16-bit uniforms,
// mean 0, variance 1, never beyond ±3.5).
func gauss(h uint64) float64 {
	s := float64(h&0xffff) + float64(h>>16&0xffff) + float64(h>>32&0xffff) + float64(h>>48)
	return (s/65536 - 2) * math.Sqrt(3)
}

// smooth is value noise: normal numbers at whole x, a blend between them that
// keeps the variance at 1.
func smooth(seed uint64, x float64) float64 {
	f := math.Floor(x)
	w := x - f
	w = w * w * (3 - 2*w)
	i := uint64(int64(f))
	a, b := gauss(mix(seed^i*0x9e3779b97f4a7c15)), gauss(mix(seed^(i+1)*0x9e3779b97f4a7c15))
	return (a*(1-w) + b*w) / math.Sqrt((1-w)*(1-w)+w*w)
}

// clamp limits v to [lo, hi].
func clamp(v, lo, hi float64) float64 { return math.Max(lo, math.Min(hi, v)) }
