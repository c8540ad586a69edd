package entitystore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"plateau/internal/sensorthings"
)

// readings make what 50 instruments send: a minute apart, half of them some
// milliseconds off, one or two decimals that wander.
type readings struct {
	rng   *rand.Rand
	value []float64
	at    []int64
}

func newReadings(streams int) *readings {
	r := &readings{rng: rand.New(rand.NewPCG(1, 2)), value: make([]float64, streams), at: make([]int64, streams)}
	for i := range r.at {
		r.value[i], r.at[i] = 10+r.rng.Float64()*90, t0+int64(i)*1e6/4*1000/1000
		r.at[i] -= r.at[i] % 1000
	}
	return r
}

func (r *readings) next(i int, ds sensorthings.ID) sensorthings.Observation {
	r.value[i] += r.rng.NormFloat64() / 2
	at := r.at[i]
	r.at[i] += 60e6
	if i%2 == 1 {
		at += 1000 * r.rng.Int64N(40)
	}
	return observation(ds, at, fmt.Sprintf("%.*f", 1+i%2, r.value[i]))
}

func streams(tb testing.TB, s *Store, n int) (ids []sensorthings.ID) {
	tb.Helper()
	for range n {
		_, ds := stream(tb, s)
		ids = append(ids, ds)
	}
	return ids
}

// fill stores n observations, in arrays of one Datastream or one of each in turn.
func fill(tb testing.TB, s *Store, ds []sensorthings.ID, n, size int, mixed bool) {
	tb.Helper()
	r := newReadings(len(ds))
	batch := make([]sensorthings.Observation, 0, 1000)
	for k := 0; k < n; {
		batch = batch[:0]
		for range size {
			i := k / 1000 % len(ds)
			if mixed {
				i = k % len(ds)
			}
			batch = append(batch, r.next(i, ds[i]))
			k++
		}
		if _, err := s.Append(context.Background(), batch); err != nil {
			tb.Fatal(err)
		}
	}
}

// BenchmarkSingle makes one observation durable at a time, for 32 clients.
func BenchmarkSingle(b *testing.B) {
	s := open(b, b.TempDir(), Options{})
	ds := streams(b, s, 50)
	var n atomic.Int64
	b.SetParallelism(16) // times GOMAXPROCS = 2
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		r := newReadings(50)
		obs := make([]sensorthings.Observation, 1)
		for pb.Next() {
			i := int(n.Add(1)) % 50
			obs[0] = r.next(i, ds[i])
			if _, err := s.Append(context.Background(), obs); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "obs/s")
}

// BenchmarkArrays makes arrays of 1,000 observations durable, for 4 clients.
func BenchmarkArrays(b *testing.B) {
	s := open(b, b.TempDir(), Options{})
	ds := streams(b, s, 50)
	arrays := make([][]sensorthings.Observation, 50)
	r := newReadings(50)
	for i := range arrays {
		for range 1000 {
			arrays[i] = append(arrays[i], r.next(i, ds[i]))
		}
	}
	var n atomic.Int64
	b.SetParallelism(2)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			k := n.Add(1)
			batch := append([]sensorthings.Observation(nil), arrays[k%50]...)
			for i := range batch {
				batch[i].Phenomenon.Start += k / 50 * 60e9
				batch[i].Phenomenon.End = batch[i].Phenomenon.Start
			}
			if _, err := s.Append(context.Background(), batch); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "obs/s")
}

// BenchmarkRead reads from one Datastream that has a million observations.
func BenchmarkRead(b *testing.B) {
	s := open(b, b.TempDir(), Options{})
	ds := streams(b, s, 1)
	fill(b, s, ds, 1_000_000, 1000, false)
	if err := s.Compact(context.Background()); err != nil {
		b.Fatal(err)
	}
	newest := func(b *testing.B, n int) {
		b.Helper()
		for b.Loop() {
			left := n
			if err := s.Observations(context.Background(), all(ds[0], sensorthings.ByTimeDesc), func(*sensorthings.Observation) bool {
				left--
				return left > 0
			}); err != nil || left != 0 {
				b.Fatal(err, left)
			}
		}
	}
	b.Run("newest1000", func(b *testing.B) { newest(b, 1000) })
	b.Run("latest", func(b *testing.B) { newest(b, 1) })
	b.Run("latest2", func(b *testing.B) { newest(b, 2) })
	b.Run("id1000", func(b *testing.B) {
		for b.Loop() {
			left := 1000
			sc := all(ds[0], sensorthings.ByID)
			sc.After = &sensorthings.Mark{ID: rand.Int64N(990_000)}
			if err := s.Observations(context.Background(), sc, func(*sensorthings.Observation) bool {
				left--
				return left > 0
			}); err != nil || left != 0 {
				b.Fatal(err, left)
			}
		}
	})
	b.Run("one", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Observation(context.Background(), 1+rand.Int64N(1_000_000)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("delete", func(b *testing.B) { // the last one, a million times, which looks up the extremes
		for b.Loop() {
			b.StopTimer()
			id := add(b, s, observation(ds[0], t0*2, "1"))[0]
			b.StartTimer()
			update(b, s, func(x *Tx) error { return x.Delete(sensorthings.Observations, id) })
		}
	})
}

// BenchmarkDisk tells the bytes an observation takes once compacted, with all
// indices: of arrays of one Datastream, of arrays of one observation of each, and
// of single ones as 32 clients send them, some 16 in a commit.
func BenchmarkDisk(b *testing.B) {
	for _, c := range []struct {
		name    string
		size, n int
		mixed   bool
	}{{"arrays", 1000, 1_000_000, false}, {"mixed", 1000, 1_000_000, true}, {"singles", 16, 320_000, true}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				s := open(b, b.TempDir(), Options{NoSync: true})
				fill(b, s, streams(b, s, 50), c.n, c.size, c.mixed)
				if err := s.Compact(context.Background()); err != nil {
					b.Fatal(err)
				}
				t, err := s.use()
				if err != nil {
					b.Fatal(err)
				}
				m := t.DB.Metrics().Total()
				t.Release()
				b.ReportMetric(float64(m.TablesSize)/float64(c.n), "bytes/obs")
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
