package read

import (
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
	mark  sensorthings.Mark
	skip  int64
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
	if p.after == nil {
		skip = max(0, l.o.Skip)
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

func markOf(it item) sensorthings.Mark {
	if it.o != nil {
		return sensorthings.Mark{Start: it.o.Phenomenon.Start, ID: it.o.ID}
	}
	return sensorthings.Mark{ID: it.e.ID}
}

// nextLink is the address of the next page: the same options, and where it
// begins. All of it is in the query, because some clients keep only that.
func nextLink(path string, o *query.Options, next position) string {
	if next.order == bySort {
		return path + "?" + o.Next(next.skip, "")
	}
	return path + "?" + o.Next(-1, next.token())
}

func (p position) token() string {
	id := strconv.FormatInt(p.mark.ID, 10)
	if p.order == byTime || p.order == byTimeDesc {
		return strconv.FormatInt(p.mark.Start, 10) + "." + id
	}
	return id
}

// parseToken reads what token wrote; it must be of the same order.
func parseToken(token string, o order) (*sensorthings.Mark, error) {
	bad := fault(http.StatusBadRequest, "$skiptoken", "this is not one of this server's, or of another request; start again without it")
	var m sensorthings.Mark
	var err error
	if o == byTime || o == byTimeDesc {
		start, id, ok := strings.Cut(token, ".")
		if !ok {
			return nil, bad
		}
		if m.Start, err = strconv.ParseInt(start, 10, 64); err != nil {
			return nil, bad
		}
		token = id
	}
	if m.ID, err = strconv.ParseInt(token, 10, 64); err != nil || o == bySort {
		return nil, bad
	}
	return &m, nil
}
