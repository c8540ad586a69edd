package quality

import (
	"slices"
	"testing"
)

// TestKeptRows: rows stay in order, are replaced, taken away, and dropped up to
// a floor; what is put in may be used again by who put it.
func TestKeptRows(t *testing.T) {
	t.Parallel()
	var k keptRows
	row := []byte{0}
	for _, at := range []int64{5, 1, 9, 3, 5, 7} {
		row[0]++
		k = k.put(at, row)
	}
	row[0] = 99
	k = k.put(7, nil).put(8, nil)
	var order []int64
	for _, r := range k {
		order = append(order, r.at)
	}
	if !slices.Equal(order, []int64{1, 3, 5, 9}) || k.at(5)[0] != 5 || k.at(9)[0] != 3 || k.at(7) != nil {
		t.Errorf("%v, at 5 %v, at 9 %v", order, k.at(5), k.at(9))
	}
	if k = k.until(3); len(k) != 2 || k[0].at != 5 {
		t.Errorf("after 3: %v", k)
	}
	if k = k.until(6); len(k) != 1 || k[0].at != 9 {
		t.Errorf("after 6: %v", k)
	}
}

// TestOnce: a row is read once for who asks for it twice, also one that is not there.
func TestOnce(t *testing.T) {
	t.Parallel()
	asked := 0
	read := once(func(at int64) *int64 {
		if asked++; at < 0 {
			return nil
		}
		return &at
	})
	for range 3 {
		if *read(4) != 4 || read(-1) != nil {
			t.Error("wrong row")
		}
	}
	if asked != 2 {
		t.Errorf("read %d times", asked)
	}
}
