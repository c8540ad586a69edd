package hj212_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"plateau/hj212"
)

var tenCodes = []string{"a21026", "a21002", "a34013", "a19001", "a01011", "a01012", "a01013", "a01014", "a21005", "a00000"}

// tenFactors is a real-time upload of the usual size.
func tenFactors() []byte {
	var b strings.Builder
	b.WriteString("QN=20261123083000123;ST=31;CN=2011;PW=123456;MN=010000A8900016F000169DC0;Flag=5;CP=&&DataTime=20261123083000")
	for i, c := range tenCodes {
		fmt.Fprintf(&b, ";%s-Rtd=%d.%02d,%s-Flag=N", c, 10+i*7, i*9, c)
	}
	b.WriteString("&&")
	return []byte(b.String())
}

// tenStatistics is a minute upload with the statistics of ten factors.
func tenStatistics() []byte {
	var b strings.Builder
	b.WriteString("QN=20261123083000123;ST=31;CN=2051;PW=123456;MN=010000A8900016F000169DC0;Flag=5;CP=&&DataTime=20261123082000")
	for i, c := range tenCodes {
		fmt.Fprintf(&b, ";%s-Min=%d.%02d,%s-Avg=%d.%02d,%s-Max=%d.%02d,%s-Flag=N", c, 10+i*7, i*9, c, 11+i*7, i*8, c, 12+i*7, i*7, c)
	}
	b.WriteString("&&")
	return []byte(b.String())
}

// eachKind runs fn for both kinds of frame.
func eachKind(b *testing.B, fn func(b *testing.B, frame []byte, items int)) {
	b.Helper()
	for _, k := range []struct {
		name  string
		seg   []byte
		items int
	}{{"2011", tenFactors(), 21}, {"2051", tenStatistics(), 41}} {
		frame := hj212.AppendFrame(nil, k.seg)
		b.Run(k.name, func(b *testing.B) {
			b.SetBytes(int64(len(frame)))
			b.ReportAllocs()
			fn(b, frame, k.items)
		})
	}
}

func BenchmarkCRC(b *testing.B) {
	seg := tenFactors()
	b.SetBytes(int64(len(seg)))
	for b.Loop() {
		hj212.CRC16(seg)
	}
}

// BenchmarkParse is the whole decoding: length, CRC, header, and every item of
// CP split into code, suffix and value.
func BenchmarkParse(b *testing.B) {
	eachKind(b, func(b *testing.B, frame []byte, items int) {
		b.Helper()
		var p hj212.Packet
		for b.Loop() {
			seg, err := hj212.Segment(frame)
			if err != nil {
				b.Fatal(err)
			}
			if err := p.Parse(seg); err != nil || len(p.Items) != items {
				b.Fatal(err, len(p.Items))
			}
		}
	})
}

// BenchmarkParsePlain is what a straightforward parser does, byte by byte with
// a CRC table, to compare with.
func BenchmarkParsePlain(b *testing.B) {
	var table [256]uint16
	for i := range table {
		table[i] = plainStep(uint16(i))
	}
	eachKind(b, func(b *testing.B, frame []byte, items int) {
		b.Helper()
		type pair struct{ name, value []byte }
		type item struct{ name, suffix, value []byte }
		header, found := make([]pair, 0, 16), make([]item, 0, 64)
		for b.Loop() {
			seg := frame[6 : len(frame)-6]
			reg := uint16(0xFFFF)
			for _, c := range seg {
				reg = table[byte(reg>>8)^c]
			}
			header, found = header[:0], found[:0]
			cp := bytes.Index(seg, []byte("CP=&&"))
			for f := seg[:cp]; len(f) > 0; {
				field, rest, _ := bytes.Cut(f, []byte{';'})
				name, value, _ := bytes.Cut(field, []byte{'='})
				header = append(header, pair{name, value})
				f = rest
			}
			body := seg[cp+5 : len(seg)-2]
			start, dash, eq := 0, -1, -1
			for i := 0; i <= len(body); i++ {
				if i < len(body) && body[i] != ',' && body[i] != ';' {
					switch {
					case body[i] == '-' && eq < 0:
						dash = i
					case body[i] == '=' && eq < 0:
						eq = i
					}
					continue
				}
				it := item{name: body[start:eq], value: body[eq+1 : i]}
				if dash >= 0 {
					it.name, it.suffix = body[start:dash], body[dash+1:eq]
				}
				found = append(found, it)
				start, dash, eq = i+1, -1, -1
			}
			if reg == 1 || len(found) != items || len(header) != 6 {
				b.Fatal(len(found), len(header))
			}
		}
	})
}

func plainStep(r uint16) uint16 {
	for range 8 {
		lsb := r & 1
		r >>= 1
		if lsb == 1 {
			r ^= 0xA001
		}
	}
	return r
}

// BenchmarkScanner finds frames in a stream; with keys it also makes sure that
// what passes the CRC is text.
func BenchmarkScanner(b *testing.B) {
	for name, keys := range map[string]func([]byte) [][]byte{"plain": nil, "keys": func([]byte) [][]byte { return nil }} {
		b.Run(name, func(b *testing.B) {
			many := bytes.Repeat(hj212.AppendFrame(nil, tenFactors()), 100)
			b.SetBytes(int64(len(many)))
			b.ReportAllocs()
			s := hj212.NewScanner(hj212.ScanOptions{Keys: keys})
			for b.Loop() {
				s.Feed(many)
				n := 0
				for _, ok := s.Next(); ok; _, ok = s.Next() {
					n++
				}
				if n != 100 {
					b.Fatal(n)
				}
			}
		})
	}
}

// TestHotPathAllocatesNothing holds the promise of Parse, CRC16 and Scanner.
func TestHotPathAllocatesNothing(t *testing.T) {
	frame := hj212.AppendFrame(nil, tenStatistics())
	var p hj212.Packet
	s := hj212.NewScanner(hj212.ScanOptions{Keys: func([]byte) [][]byte { return nil }})
	got := testing.AllocsPerRun(100, func() {
		s.Feed(frame)
		ev, ok := s.Next()
		if !ok || ev.Err != nil || p.Parse(ev.Seg) != nil {
			t.Error("the frame was not accepted")
		}
		if _, err := p.DataTime(); err != nil {
			t.Error(err)
		}
	})
	if got != 0 {
		t.Errorf("%v allocations for a frame", got)
	}
}
