package main

import (
	"log/slog"
	"path/filepath"
	"strconv"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"plateau/internal/platform/disk"
)

// promStore keeps each value as a sample of a series of outlet and factor. It
// keeps neither the frames nor the marks.
type promStore struct {
	dir  string
	db   *tsdb.DB
	refs [writers]map[string]storage.SeriesRef
	opts *tsdb.Options
}

func openPrometheus(s settings) (peer, error) {
	p := &promStore{dir: filepath.Join(s.Dir, "prometheus"), opts: tsdb.DefaultOptions()}
	p.opts.RetentionDuration = int64(10 * 365 * 24 * time.Hour / time.Millisecond)
	for i := range p.refs {
		p.refs[i] = map[string]storage.SeriesRef{}
	}
	return p, p.open()
}

func (p *promStore) open() (err error) {
	p.db, err = tsdb.Open(p.dir, slog.New(slog.DiscardHandler), nil, p.opts, nil)
	return err
}

func (p *promStore) version() string { return moduleVersion("github.com/prometheus/prometheus") }

func (p *promStore) durable() string {
	return "what the system had written of its log, which is not synced with a commit"
}

func (p *promStore) write(part int, group []frame) error {
	a := p.db.Appender(background)
	for i := range group {
		f := &group[i]
		outlet := strconv.Itoa(f.outlet)
		for k := range f.values {
			v := &f.values[k]
			key := outlet + v.Code
			ref := p.refs[part][key]
			var set labels.Labels
			if ref == 0 {
				set = labels.FromStrings(labels.MetricName, v.Code, "outlet", outlet)
			}
			ref, err := a.Append(ref, set, f.at*1000, v.Dec.Float())
			if err != nil {
				_ = a.Rollback()
				return err
			}
			p.refs[part][key] = ref
		}
	}
	return a.Commit()
}

func (p *promStore) sync() error { return nil }

func (p *promStore) settle() (int64, error) {
	h := p.db.Head()
	if err := p.db.CompactHead(tsdb.NewRangeHead(h, h.MinTime(), h.MaxTime())); err != nil {
		return 0, err
	}
	if err := p.db.Close(); err != nil {
		return 0, err
	}
	if err := p.open(); err != nil {
		return 0, err
	}
	// Its log is kept for a while though the blocks hold all of it; the blocks are
	// what the readings cost.
	var size int64
	for _, b := range p.db.Blocks() {
		n, err := disk.Size(b.Dir())
		if err != nil {
			return 0, err
		}
		size += n
	}
	return size, nil
}

// read counts the samples in [from, to] of series that match; of each only the
// last when so asked.
func (p *promStore) read(from, to int64, last bool, m ...*labels.Matcher) (n int, err error) {
	q, err := p.db.Querier(from, to)
	if err != nil {
		return 0, err
	}
	defer func() { _ = q.Close() }()
	set := q.Select(background, false, nil, m...)
	var it chunkenc.Iterator
	for set.Next() {
		it = set.At().Iterator(it)
		found := 0
		for it.Next() == chunkenc.ValFloat {
			_, _ = it.At()
			found++
		}
		if err := it.Err(); err != nil {
			return 0, err
		}
		if last {
			found = min(found, 1)
		}
		n += found
	}
	return n, set.Err()
}

func (p *promStore) day(outlet int, from, to int64) (int, error) {
	return p.read(from*1000, to*1000-1, false, labels.MustNewMatcher(labels.MatchEqual, "outlet", strconv.Itoa(outlet)))
}

// latest looks back five minutes, as Prometheus does by default.
func (p *promStore) latest() (int, error) {
	_, end := p.span()
	return p.read(end-5*60_000, end, true, labels.MustNewMatcher(labels.MatchNotEqual, "outlet", ""))
}

func (p *promStore) span() (first, last int64) {
	for i, b := range p.db.Blocks() {
		if m := b.Meta(); i == 0 || m.MaxTime > last {
			first, last = m.MinTime, m.MaxTime
		}
	}
	return first, last
}

func (p *promStore) close() (float64, error) { return 0, p.db.Close() }
