package read

import (
	"cmp"
	"math"
	"slices"

	"plateau/internal/sensorthings"
)

// timed reads by time, where an index orders by the start of the phenomenon and
// the identifier, but $orderby wants the end of a period between the two: what
// starts at one time is held back and put in order.
func (e *env) timed(p *plan, sc sensorthings.Scan, fn func(item) (bool, error)) error {
	g := &run{env: e, fn: fn, desc: p.order == byTimeDesc, after: p.after}
	if a := p.after; a != nil {
		// From the beginning of the run in which the last page ended.
		if g.desc && a.start < math.MaxInt64 {
			sc.To = min(sc.To, a.start+1)
		} else if !g.desc {
			sc.From = max(sc.From, a.start)
		}
	}
	if sc.From >= sc.To {
		return nil
	}
	if err := e.scan(p, sc, g.add); err != nil || g.stopped {
		return err
	}
	_, err := g.flush()
	return err
}

// runMax bounds what is held back. Runs are of one, mostly; in one that is
// longer, periods are in order within each part only.
const runMax = 10_000

// run is what starts at one time.
type run struct {
	env     *env
	fn      func(item) (bool, error)
	desc    bool
	after   *mark
	rows    []sensorthings.Observation // their memory is used again
	n       int
	periods bool
	stopped bool
}

// add takes the next row of a scan by time.
func (g *run) add(it item) (bool, error) {
	if g.n > 0 && (g.rows[0].Phenomenon.Start != it.o.Phenomenon.Start || g.n == runMax) {
		if more, err := g.flush(); err != nil || !more {
			g.stopped = true
			return false, err
		}
	}
	if g.n == len(g.rows) {
		g.rows = append(g.rows, sensorthings.Observation{})
	}
	to := &g.rows[g.n]
	result, quality, parameters := to.Result, to.Quality, to.Parameters
	*to = *it.o
	to.Result = again(result, it.o.Result)
	to.Quality = again(quality, it.o.Quality)
	to.Parameters = again(parameters, it.o.Parameters)
	g.periods = g.periods || !to.Phenomenon.Instant()
	g.n++
	return true, nil
}

// again copies JSON into memory that is free; nil stays nil.
func again(free, from []byte) []byte {
	if from == nil {
		return nil
	}
	return append(free[:0], from...)
}

// flush hands the run on, without what an earlier page had.
func (g *run) flush() (bool, error) {
	rows := g.rows[:g.n]
	if g.periods {
		slices.SortFunc(rows, func(a, b sensorthings.Observation) int { return g.compare(markOf(item{o: &a}), markOf(item{o: &b})) })
	}
	g.n, g.periods = 0, false
	for i := range rows {
		it := item{env: g.env, o: &rows[i]}
		if g.after != nil && g.compare(markOf(it), *g.after) <= 0 {
			continue
		}
		if more, err := g.fn(it); err != nil || !more {
			g.stopped = true
			return false, err
		}
	}
	return true, nil
}

func (g *run) compare(a, b mark) int {
	c := cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end), cmp.Compare(a.id, b.id))
	if g.desc {
		return -c
	}
	return c
}
