package query

import (
	"strings"
	"sync"
	"time"

	"plateau/internal/sensorthings"
)

// Filter is a compiled $filter. It is safe for concurrent use.
type Filter struct {
	text   string
	when   condition
	pool   *sync.Pool
	bounds Bounds
}

// Expr is a compiled expression of $orderby. It is safe for concurrent use.
type Expr struct {
	text string
	n    node
	pool *sync.Pool
}

// parseFilter compiles a decoded $filter for entities of set. now is what the
// function now() answers, for all rows alike.
func parseFilter(set sensorthings.Set, text string, now time.Time) (*Filter, error) {
	p, err := newParser(set, text, now)
	if err != nil {
		return nil, err
	}
	x, err := p.or()
	if err != nil {
		return nil, err
	}
	if err := p.end(); err != nil {
		return nil, err
	}
	if _, err := truthOf(x); err != nil {
		return nil, err
	}
	when, err := p.scope.place(x, 0)
	if err != nil {
		return nil, err
	}
	return &Filter{strings.TrimSpace(text), when, newPool(len(p.scope.vars)), boundsOf(x)}, nil
}

// parseKey reads one key of $orderby up to a comma, "asc", "desc" or the end.
func (p *parser) parseKey() (Order, error) {
	from := p.tok.at
	x, err := p.or()
	if err != nil {
		return Order{}, err
	}
	if x.many != 0 {
		return Order{}, fault(x.at, "a relation to many gives several values to sort by: sort by the entity's own properties or over relations to one")
	}
	out := Order{Key: &Expr{strings.TrimSpace(p.text[from:p.tok.at]), x.n, nil}}
	if x.path != nil && x.path.relations == "" {
		out.Simple = x.path.property
	}
	return out, nil
}

// end makes sure that nothing follows.
func (p *parser) end() error {
	if p.tok.kind == tokEnd {
		return nil
	}
	if lower := strings.ToLower(p.tok.text); p.tok.kind == tokName && lower != p.tok.text &&
		(operators[lower] != 0 || lower == "and" || lower == "or" || lower == "in") {
		return fault(p.tok.at, "%q is written in lower case: %s", p.tok.text, lower)
	}
	return fault(p.tok.at, "expected an operator such as eq, and, or the end, found %s", p.found())
}

func newPool(slots int) *sync.Pool {
	return &sync.Pool{New: func() any { return &env{slots: make([]slot, slots)} }}
}

// start takes an env for a row; done gives it back.
func start(pool *sync.Pool, r Row) *env {
	e := pool.Get().(*env) //nolint:forcetypeassert // the pool holds nothing else
	clear(e.slots)
	e.slots[0] = slot{r, true}
	return e
}

func done(pool *sync.Pool, e *env) {
	clear(e.slots)
	clear(e.args[:cap(e.args)])
	e.args = e.args[:0]
	pool.Put(e)
}

// Match reports whether the filter is true of a row; unknown is not true. An
// error is one of the Row's.
func (f *Filter) Match(r Row) (bool, error) {
	e := start(f.pool, r)
	t, err := f.when.truth(e)
	done(f.pool, e)
	return t == yes && err == nil, err
}

// String returns the filter as it was written.
func (f *Filter) String() string { return f.text }

// Eval computes the expression for a row. An error is one of the Row's.
func (e *Expr) Eval(r Row) (Value, error) {
	work := start(e.pool, r)
	v, err := e.n.eval(work)
	done(e.pool, work)
	return v, err
}

// String returns the expression as it was written.
func (e *Expr) String() string { return e.text }
