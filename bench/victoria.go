package main

import (
	"errors"
	"flag"
	"path/filepath"
	"strconv"
	"time"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/prompb"
	"github.com/VictoriaMetrics/VictoriaMetrics/lib/storage"

	"plateau/internal/platform/disk"
)

// vmStore keeps each value as a sample of a series of outlet and factor. It keeps
// neither the frames nor the marks.
type vmStore struct {
	dir   string
	s     *storage.Storage
	end   int64 // ms
	names [writers]map[string][]byte
}

func openVictoria(s settings, last int64) (peer, error) {
	if err := flag.Set("loggerLevel", "ERROR"); err != nil {
		return nil, err
	}
	p := &vmStore{dir: filepath.Join(s.Dir, "victoria"), end: last * 1000}
	for i := range p.names {
		p.names[i] = map[string][]byte{}
	}
	p.open()
	return p, nil
}

func (p *vmStore) open() {
	p.s = storage.MustOpenStorage(p.dir, storage.OpenOptions{Retention: 10 * 365 * 24 * time.Hour})
}

func (p *vmStore) version() string {
	return moduleVersion("github.com/VictoriaMetrics/VictoriaMetrics")
}

func (p *vmStore) durable() string { return "without the last seconds: there is no log" }

func (p *vmStore) write(part int, group []frame) error {
	rows := make([]storage.MetricRow, 0, len(group)*len(codes))
	for i := range group {
		f := &group[i]
		outlet := strconv.Itoa(f.outlet)
		for k := range f.values {
			v := &f.values[k]
			key := outlet + v.Code
			name := p.names[part][key]
			if name == nil {
				name = storage.MarshalMetricNameRaw(nil, []prompb.Label{{Name: "__name__", Value: v.Code}, {Name: "outlet", Value: outlet}})
				p.names[part][key] = name
			}
			rows = append(rows, storage.MetricRow{MetricNameRaw: name, Timestamp: f.at * 1000, Value: v.Dec.Float()})
		}
	}
	p.s.AddRows(rows, 64)
	return nil
}

// sync waits for what is in memory to become searchable; it is not on disk yet.
func (p *vmStore) sync() error {
	p.s.DebugFlush()
	return nil
}

func (p *vmStore) settle() (int64, error) {
	if err := p.s.ForceMergePartitions(""); err != nil {
		return 0, err
	}
	p.s.MustClose()
	p.open()
	return disk.Size(p.dir)
}

func (p *vmStore) read(from, to int64, last bool, value string, regexp bool) (n int, err error) {
	tfs := storage.NewTagFilters()
	if err := tfs.Add([]byte("outlet"), []byte(value), false, regexp); err != nil {
		return 0, err
	}
	tr := storage.TimeRange{MinTimestamp: from, MaxTimestamp: to}
	var s storage.Search
	s.Init(nil, p.s, []*storage.TagFilters{tfs}, tr, 1e7, uint64(time.Now().Add(time.Hour).Unix()))
	defer s.MustClose()
	var (
		block      storage.Block
		times      []int64
		values     []float64
		name       string
		perSeries  int
		countSerie = func() {
			if last {
				perSeries = min(perSeries, 1)
			}
			n += perSeries
			perSeries = 0
		}
	)
	for s.NextMetricBlock() {
		if string(s.MetricBlockRef.MetricName) != name {
			countSerie()
			name = string(s.MetricBlockRef.MetricName)
		}
		s.MetricBlockRef.BlockRef.MustReadBlock(&block)
		if err := block.UnmarshalData(); err != nil {
			return 0, err
		}
		times, values = block.AppendRowsWithTimeRangeFilter(times[:0], values[:0], tr)
		perSeries += len(times)
	}
	countSerie()
	return n, s.Error()
}

func (p *vmStore) day(outlet int, from, to int64) (int, error) {
	return p.read(from*1000, to*1000-1, false, strconv.Itoa(outlet), false)
}

// latest looks back five minutes, as its query language does by default.
func (p *vmStore) latest() (int, error) { return p.read(p.end-5*60_000, p.end, true, ".+", true) }

func (p *vmStore) close() (float64, error) {
	if p.s == nil {
		return 0, errors.New("closed already")
	}
	p.s.MustClose()
	return 0, nil
}
