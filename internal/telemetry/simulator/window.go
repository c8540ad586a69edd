package simulator

import "math"

// marks in the order they are counted.
const markOrder = "NFMDCTBS"

// window gathers minutes into one statistics record (2051, 2061, 2031).
type window struct {
	minutes int // minutes the logger recorded
	stats   [maxFactors]stat
	flow    float64 // m3
}

type stat struct {
	sum, min, max    int64 // of normal minutes, × 10^decimals
	zsum, zmin, zmax int64
	n, zn            int
	anySum, anyZs    int64 // of all minutes with a value, for periods without a normal one
	anyN, anyZn      int
	mass             float64 // kg
	marks            [len(markOrder)]uint16
	anyMin, anyMax   int64
}

func (w *window) reset() { *w = window{} }

func (w *window) add(p *Plant, s *sample) {
	if !s.on {
		return
	}
	w.minutes++
	w.flow += s.flow
	for i := range p.factors {
		st := &w.stats[i]
		st.marks[markIndex(s.flag[i])]++
		if s.none[i] {
			continue
		}
		v := s.v[i]
		if st.anyN == 0 || v < st.anyMin {
			st.anyMin = v
		}
		if st.anyN == 0 || v > st.anyMax {
			st.anyMax = v
		}
		st.anySum += v
		st.anyN++
		st.mass += s.mass[i]
		folds := s.fold && p.factors[i].q == conc
		if folds {
			st.anyZs += s.zs[i]
			st.anyZn++
		}
		if s.flag[i] != 'N' {
			continue
		}
		if st.n == 0 || v < st.min {
			st.min = v
		}
		if st.n == 0 || v > st.max {
			st.max = v
		}
		st.sum += v
		st.n++
		if folds {
			z := s.zs[i]
			if st.zn == 0 || z < st.zmin {
				st.zmin = z
			}
			if st.zn == 0 || z > st.zmax {
				st.zmax = z
			}
			st.zsum += z
			st.zn++
		}
	}
}

// merge adds a shorter window, e.g. an hour to its day. What a day says is the
// mean of its minutes.
func (w *window) merge(p *Plant, o *window) {
	if o.minutes == 0 {
		return
	}
	w.minutes += o.minutes
	w.flow += o.flow
	for i := range p.factors {
		a, b := &w.stats[i], &o.stats[i]
		if b.anyN > 0 {
			if a.anyN == 0 || b.anyMin < a.anyMin {
				a.anyMin = b.anyMin
			}
			if a.anyN == 0 || b.anyMax > a.anyMax {
				a.anyMax = b.anyMax
			}
		}
		if b.n > 0 {
			if a.n == 0 || b.min < a.min {
				a.min = b.min
			}
			if a.n == 0 || b.max > a.max {
				a.max = b.max
			}
		}
		if b.zn > 0 {
			if a.zn == 0 || b.zmin < a.zmin {
				a.zmin = b.zmin
			}
			if a.zn == 0 || b.zmax > a.zmax {
				a.zmax = b.zmax
			}
		}
		a.sum, a.n = a.sum+b.sum, a.n+b.n
		a.zsum, a.zn = a.zsum+b.zsum, a.zn+b.zn
		a.anySum, a.anyN = a.anySum+b.anySum, a.anyN+b.anyN
		a.anyZs, a.anyZn = a.anyZs+b.anyZs, a.anyZn+b.anyZn
		a.mass += b.mass
		for k := range a.marks {
			a.marks[k] += b.marks[k]
		}
	}
}

// reading is one factor of a record, as sent.
type reading struct {
	avg, min, max    int64
	zavg, zmin, zmax int64
	has, folded      bool
	mass             float64 // kg
	flag             byte
}

// read gives the statistics of factor i. Its mark follows HJ 212-2017 table on
// data marks: waste gas is N with at least three quarters of normal minutes,
// water only when all are; else the commonest other mark.
func (w *window) read(p *Plant, i int) reading {
	st := &w.stats[i]
	r := reading{mass: st.mass, flag: st.mark(isGas(p))}
	if st.n > 0 {
		r.avg, r.min, r.max, r.has = divRound(st.sum, st.n), st.min, st.max, true
		if st.zn > 0 {
			r.zavg, r.zmin, r.zmax, r.folded = divRound(st.zsum, st.zn), st.zmin, st.zmax, true
		}
		return r
	}
	if st.anyN > 0 {
		r.avg, r.min, r.max, r.has = divRound(st.anySum, st.anyN), st.anyMin, st.anyMax, true
		if st.anyZn > 0 {
			r.zavg = divRound(st.anyZs, st.anyZn)
			r.zmin, r.zmax, r.folded = r.zavg, r.zavg, true
		}
	}
	return r
}

func (st *stat) mark(gas bool) byte {
	total, best := 0, 0
	for k, n := range st.marks {
		total += int(n)
		if k > 0 && n > 0 && (best == 0 || n > st.marks[best]) {
			best = k
		}
	}
	normal := int(st.marks[0])
	if best == 0 || gas && normal*4 >= total*3 {
		return 'N'
	}
	return markOrder[best]
}

func markIndex(flag byte) int {
	switch flag {
	case 'N':
		return 0
	case 'F':
		return 1
	case 'M':
		return 2
	case 'D':
		return 3
	case 'C':
		return 4
	case 'T':
		return 5
	case 'B':
		return 6
	}
	return 7
}

// divRound divides and rounds half to even (GB/T 8170).
func divRound(sum int64, n int) int64 {
	return int64(math.RoundToEven(float64(sum) / float64(n)))
}
