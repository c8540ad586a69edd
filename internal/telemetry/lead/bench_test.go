package lead

import (
	"testing"

	"plateau/internal/telemetry/quality"
)

// BenchmarkMonth reads and looks at a month of 300 outlets with eight factors each,
// in pairs of one enterprise, on one core: rows are decoded from the bytes they are
// stored as.
func BenchmarkMonth(b *testing.B) {
	const outlets, distinct = 300, 20
	type stored struct {
		at int64
		v  []byte
	}
	var months [distinct][]stored
	var plants [distinct]*plant
	for i := range distinct {
		plants[i] = stack(uint64(i))
		steadyClock(plants[i])
		for k := range plants[i].in.Hours {
			row := &plants[i].in.Hours[k]
			months[i] = append(months[i], stored{row.At, quality.AppendHour(nil, row)})
		}
	}
	read := func(i int) *Input {
		x := plants[i%distinct].in
		in := &Input{Outlet: x.Outlet, From: x.From, To: x.To, Clock: x.Clock, Hours: make([]quality.HourRow, 0, len(x.Hours))}
		for _, s := range months[i%distinct] {
			row, err := quality.ReadHour(x.Outlet.ID, s.at, s.v)
			if err != nil {
				b.Fatal(err)
			}
			in.Hours = append(in.Hours, row)
		}
		return in
	}
	book := book(b)
	for b.Loop() {
		for i := range outlets {
			in := read(i)
			if i%2 == 0 {
				o := *in.Outlet
				o.ID = 9
				peer := read(i + 1)
				peer.Outlet = &o
				in.Peers = []*Input{peer}
			}
			book.Look(in)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/month_of_300")
}
