package bench

import (
	"bytes"
	"errors"
	"time"

	"plateau/hj212"
)

var errItems = errors.New("bench: a frame was not split into its items")

// parseOnce runs fn over the frames for about a third of a second, GB/s.
func parseOnce(c *Config, frames [][]byte, size int, fn func([]byte) int) (float64, error) {
	const span = 300 * time.Millisecond
	began := c.Now()
	n := 0
	for c.Now().Sub(began) < span {
		for range 20 {
			for _, f := range frames {
				if fn(f) != 2*len(codes)+1 {
					return 0, errItems
				}
			}
		}
		n += 20
	}
	return float64(n) * float64(size) / c.Now().Sub(began).Seconds() / 1e9, nil
}

var packet hj212.Packet

func parseFrame(f []byte) int {
	seg, err := hj212.Segment(f)
	if err != nil || packet.Parse(seg) != nil {
		return 0
	}
	return len(packet.Items)
}

type plainItem struct{ name, suffix, value []byte }

var (
	plainItems []plainItem
	plainTable = func() (t [256]uint16) {
		for i := range t {
			r := uint16(i)
			for range 8 {
				lsb := r & 1
				r >>= 1
				if lsb == 1 {
					r ^= 0xA001
				}
			}
			t[i] = r
		}
		return t
	}()
)

// parsePlain is what a straightforward parser does, to compare with.
func parsePlain(f []byte) int {
	seg := f[6 : len(f)-4]
	reg := uint16(0xFFFF)
	for _, c := range seg {
		reg = plainTable[byte(reg>>8)^c]
	}
	cp := bytes.Index(seg, []byte("CP=&&"))
	if cp < 0 || reg == 1 {
		return 0
	}
	plainItems = plainItems[:0]
	for body := seg[cp+5 : len(seg)-2]; len(body) > 0; {
		n := bytes.IndexAny(body, ",;")
		if n < 0 {
			n = len(body)
		}
		name, value, _ := bytes.Cut(body[:n], []byte("="))
		var suffix []byte
		if d := bytes.LastIndexByte(name, '-'); d >= 0 {
			name, suffix = name[:d], name[d+1:]
		}
		plainItems = append(plainItems, plainItem{name, suffix, value})
		body = body[min(n+1, len(body)):]
	}
	return len(plainItems)
}
