package sensorthingstest

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sort"
	"sync/atomic"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
)

// Memory is a sensorthings.Reader over maps. Fill it first, then read: it has no
// lock. Reads counts what readers were handed.
type Memory struct {
	sets  map[sensorthings.Set]map[sensorthings.ID]*sensorthings.Entity
	pairs map[pair]map[sensorthings.ID]bool // of relations of many to many
	obs   map[sensorthings.ID][]sensorthings.Observation
	all   map[sensorthings.ID]*sensorthings.Observation
	sums  map[sensorthings.ID]sensorthings.Summary

	Reads atomic.Int64
}

type pair struct {
	set      sensorthings.Set
	id       sensorthings.ID
	relation string
}

// New returns an empty one.
func New() *Memory {
	m := &Memory{
		sets:  map[sensorthings.Set]map[sensorthings.ID]*sensorthings.Entity{},
		pairs: map[pair]map[sensorthings.ID]bool{},
		obs:   map[sensorthings.ID][]sensorthings.Observation{},
		all:   map[sensorthings.ID]*sensorthings.Observation{},
		sums:  map[sensorthings.ID]sensorthings.Summary{},
	}
	for _, s := range sensorthings.Sets() {
		m.sets[s] = map[sensorthings.ID]*sensorthings.Entity{}
	}
	return m
}

// Add puts an entity in. Properties are by name, as JSON; one leads to the
// entities of the single relations, in the order of Set.Relations.
func (m *Memory) Add(s sensorthings.Set, id sensorthings.ID, properties map[string]string, one ...sensorthings.ID) {
	e := &sensorthings.Entity{Set: s, ID: id, One: one}
	for _, p := range s.Properties() {
		var raw json.RawMessage
		if text, ok := properties[p.Name]; ok {
			raw = json.RawMessage(text)
		}
		e.Properties = append(e.Properties, raw)
	}
	m.sets[s][id] = e
}

// Link puts a pair of a relation of many to many in, both ways.
func (m *Memory) Link(s sensorthings.Set, id sensorthings.ID, relation string, other sensorthings.ID) {
	r, _ := s.Relation(relation)
	for _, p := range []struct {
		pair
		to sensorthings.ID
	}{{pair{s, id, relation}, other}, {pair{r.To, other, r.Inverse}, id}} {
		if m.pairs[p.pair] == nil {
			m.pairs[p.pair] = map[sensorthings.ID]bool{}
		}
		m.pairs[p.pair][p.to] = true
	}
}

// Observe puts observations in.
func (m *Memory) Observe(list ...sensorthings.Observation) {
	touched := map[sensorthings.ID]bool{}
	for _, o := range list {
		m.obs[o.Datastream] = append(m.obs[o.Datastream], o)
		touched[o.Datastream] = true
	}
	for ds := range touched {
		slices.SortFunc(m.obs[ds], compare)
		m.sums[ds] = sum(m.obs[ds])
		for i := range m.obs[ds] {
			m.all[m.obs[ds][i].ID] = &m.obs[ds][i]
		}
	}
}

func compare(a, b sensorthings.Observation) int {
	return cmp.Or(cmp.Compare(a.Phenomenon.Start, b.Phenomenon.Start), cmp.Compare(a.ID, b.ID))
}

// Entity implements sensorthings.Reader.
func (m *Memory) Entity(_ context.Context, s sensorthings.Set, id sensorthings.ID) (*sensorthings.Entity, error) {
	m.Reads.Add(1)
	e := m.sets[s][id]
	if e == nil {
		return nil, sensorthings.ErrNotFound
	}
	return m.computed(e), nil
}

// computed fills in what a Datastream's observations say.
func (m *Memory) computed(e *sensorthings.Entity) *sensorthings.Entity {
	if e.Set != sensorthings.Datastreams {
		return e
	}
	sum := m.sums[e.ID]
	c := *e
	c.Properties = slices.Clone(e.Properties)
	for i, p := range e.Set.Properties() {
		switch {
		case p.Name == "phenomenonTime" && sum.Count > 0:
			c.Properties[i] = json.RawMessage(`"` + query.FormatSpan(sum.Phenomenon) + `"`)
		case p.Name == "resultTime" && sum.HasResult:
			c.Properties[i] = json.RawMessage(`"` + query.FormatSpan(sum.Result) + `"`)
		}
	}
	return &c
}

// Entities implements sensorthings.Reader.
func (m *Memory) Entities(ctx context.Context, s sensorthings.Set, after sensorthings.ID, fn func(*sensorthings.Entity) bool) error {
	for _, id := range slices.Sorted(maps.Keys(m.sets[s])) {
		if id <= after {
			continue
		}
		e, err := m.Entity(ctx, s, id)
		if err != nil {
			return err
		}
		if !fn(e) {
			return nil
		}
	}
	return nil
}

// Related implements sensorthings.Reader.
func (m *Memory) Related(_ context.Context, s sensorthings.Set, id sensorthings.ID, relation string, fn func(sensorthings.ID) bool) error {
	r, _ := s.Relation(relation)
	ids := slices.Collect(maps.Keys(m.pairs[pair{s, id, relation}]))
	if back, ok := r.To.Relation(r.Inverse); ok && !back.Many {
		for other, e := range m.sets[r.To] {
			if e.To(back.Name) == id {
				ids = append(ids, other)
			}
		}
	}
	slices.Sort(ids)
	for _, other := range ids {
		m.Reads.Add(1)
		if !fn(other) {
			break
		}
	}
	return nil
}

// Observation implements sensorthings.Reader.
func (m *Memory) Observation(_ context.Context, id sensorthings.ID) (*sensorthings.Observation, error) {
	m.Reads.Add(1)
	o := m.all[id]
	if o == nil {
		return nil, sensorthings.ErrNotFound
	}
	c := *o
	return &c, nil
}

// Observations implements sensorthings.Reader. The Observation handed out is
// overwritten afterwards, so that whoever keeps one is found out.
func (m *Memory) Observations(ctx context.Context, sc sensorthings.Scan, fn func(*sensorthings.Observation) bool) error {
	list := m.obs[sc.Datastream]
	if sc.Datastream == 0 || sc.Order == sensorthings.ByID || sc.Order == sensorthings.ByIDDesc {
		list = m.byID(sc.Datastream)
	}
	desc := sc.Order == sensorthings.ByIDDesc || sc.Order == sensorthings.ByTimeDesc
	byTime := sc.Order == sensorthings.ByTime || sc.Order == sensorthings.ByTimeDesc
	behind := func(o *sensorthings.Observation) bool {
		c := cmp.Compare(o.ID, sc.After.ID)
		if byTime {
			c = compare(*o, sensorthings.Observation{ID: sc.After.ID, Phenomenon: sensorthings.Span{Start: sc.After.Start}})
		}
		return c > 0 && !desc || c < 0 && desc
	}
	from, to := 0, len(list)
	if byTime {
		from = sort.Search(len(list), func(i int) bool { return list[i].Phenomenon.Start >= sc.From })
		to = sort.Search(len(list), func(i int) bool { return list[i].Phenomenon.Start >= sc.To })
	}
	if sc.After != nil {
		at := from + sort.Search(max(0, to-from), func(i int) bool { return behind(&list[from+i]) != desc })
		if desc {
			to = at
		} else {
			from = at
		}
	}
	var result []byte
	for i := range max(0, to-from) {
		o := list[from+i]
		if desc {
			o = list[to-1-i]
		}
		if o.Phenomenon.Start < sc.From || o.Phenomenon.Start >= sc.To || sc.Feature != 0 && o.Feature != sc.Feature {
			if err := sensorthings.MeterFrom(ctx).Read(1); err != nil {
				return err
			}
			continue
		}
		m.Reads.Add(1)
		result = append(result[:0], o.Result...)
		o.Result = result
		more := fn(&o)
		for i := range result {
			result[i] = '!'
		}
		if !more {
			return nil
		}
	}
	return nil
}

func (m *Memory) byID(datastream sensorthings.ID) (list []sensorthings.Observation) {
	for id, l := range m.obs {
		if datastream == 0 || id == datastream {
			list = append(list, l...)
		}
	}
	slices.SortFunc(list, func(a, b sensorthings.Observation) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// Summary implements sensorthings.Reader.
func (m *Memory) Summary(_ context.Context, datastream sensorthings.ID) (sensorthings.Summary, error) {
	m.Reads.Add(1)
	return m.sums[datastream], nil
}

func sum(list []sensorthings.Observation) (sum sensorthings.Summary) {
	for _, o := range list {
		if sum.Count == 0 {
			sum.Phenomenon = o.Phenomenon
		}
		sum.Count++
		sum.Phenomenon.Start, sum.Phenomenon.End = min(sum.Phenomenon.Start, o.Phenomenon.Start), max(sum.Phenomenon.End, o.Phenomenon.End)
		if !o.HasResultTime {
			continue
		}
		if !sum.HasResult {
			sum.Result, sum.HasResult = sensorthings.Span{Start: o.ResultTime, End: o.ResultTime}, true
		}
		sum.Result.Start, sum.Result.End = min(sum.Result.Start, o.ResultTime), max(sum.Result.End, o.ResultTime)
	}
	return sum
}
