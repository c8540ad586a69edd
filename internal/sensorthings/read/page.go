package read

import (
	"math"
	"net/http"
	"strconv"
	"strings"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
)

// listing is a set to be listed: all of it, or what is behind an entity.
type listing struct {
	set    sensorthings.Set
	parent *link
	o      *query.Options
}

// page is part of a listing.
type page struct {
	items []item
	more  bool
	next  position
}

// position is where the next page begins: behind a place in an order that an
// index has, or after a number of entities.
type position struct {
	order order
	mark  mark
	skip  int64
}

// mark is a place in an order: behind an entity.
type mark struct {
	id         sensorthings.ID
	start, end int64 // of the phenomenon; orders by time only
}

// size is how many entities a page may hold.
func (e *env) size(o *query.Options) int {
	if o.Top < 0 {
		return e.limits.Page
	}
	return int(min(o.Top, int64(e.limits.MaxPage)))
}

// page reads one page of at most limit entities and keeps it.
func (e *env) page(l listing, limit int) (page, error) {
	var p page
	var err error
	p.more, p.next, err = e.walk(l, max(0, min(limit, e.size(l.o))), func(it item) error {
		p.items = append(p.items, it.keep())
		return nil
	})
	return p, err
}

// walk calls fn with the entities of one page. One more than fits decides
// whether there is a next page; fn may use the item during the call only.
func (e *env) walk(l listing, size int, fn func(item) error) (more bool, next position, err error) {
	p, err := e.plan(l)
	if err != nil {
		return false, next, err
	}
	if l.o.Top == 0 {
		return false, next, nil // a link would lead in circles
	}
	skip := int64(0)
	if p.after == nil { // one more than the page must not overflow
		skip = min(max(0, l.o.Skip), math.MaxInt64-int64(size)-1)
	}
	n, skipped := 0, int64(0)
	next = position{order: p.order, skip: skip + int64(size)}
	if p.after != nil {
		next.mark = *p.after // of a page without room
	}
	err = e.each(p, skip+int64(size)+1, func(it item) (bool, error) {
		if skipped < skip {
			skipped++
			return true, nil
		}
		if n == size {
			more = true
			return false, nil
		}
		n++
		if p.order != bySort {
			next.mark = markOf(it)
		}
		return true, fn(it)
	})
	if more && size == 0 && p.after == nil {
		next.order = bySort // nothing was shown yet: no place to go on from
	}
	return more, next, err
}

func markOf(it item) mark {
	if it.o != nil {
		return mark{it.o.ID, it.o.Phenomenon.Start, it.o.Phenomenon.End}
	}
	return mark{id: it.e.ID}
}

// nextLink is the address of the next page: the same options, and where it
// begins. All of it is in the query, because some clients keep only that.
func nextLink(path string, o *query.Options, next position) string {
	if next.order == bySort {
		return path + "?" + o.Next(next.skip, "")
	}
	return path + "?" + o.Next(-1, next.token())
}

// token writes the mark: "id", by time "start.id" or, of a period,
// "start.id.end".
func (p position) token() string {
	b := []byte{}
	if p.order == byTime || p.order == byTimeDesc {
		b = append(strconv.AppendInt(b, p.mark.start, 10), '.')
	}
	b = strconv.AppendInt(b, p.mark.id, 10)
	if p.mark.end != p.mark.start && (p.order == byTime || p.order == byTimeDesc) {
		b = strconv.AppendInt(append(b, '.'), p.mark.end, 10)
	}
	return string(b)
}

// parseToken reads what token wrote; it must be of the same order.
func parseToken(token string, o order) (*mark, error) {
	parts := strings.Split(token, ".")
	numbers := make([]int64, len(parts))
	bad := o == bySort || len(parts) > 3
	for i, part := range parts {
		var err error
		numbers[i], err = strconv.ParseInt(part, 10, 64)
		bad = bad || err != nil
	}
	timely := o == byTime || o == byTimeDesc
	if bad || timely != (len(parts) > 1) {
		return nil, fault(http.StatusBadRequest, "$skiptoken", "this is not one of this server's, or of another request; start again without it")
	}
	if !timely {
		return &mark{id: numbers[0]}, nil
	}
	m := &mark{start: numbers[0], id: numbers[1], end: numbers[0]}
	if len(parts) > 2 {
		m.end = numbers[2]
	}
	return m, nil
}
