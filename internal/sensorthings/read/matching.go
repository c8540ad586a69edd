package read

import (
	"context"
	"fmt"
	"math"
	"net/http"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/query"
)

// Matching returns the identifiers of what $filter leaves of a set, for a
// deletion; other options and a missing $filter are refused, and so is more than
// most. Errors are those of Answer.
func (s *Service) Matching(ctx context.Context, q Request, most int) (sensorthings.Set, []sensorthings.ID, error) {
	e, done := s.begin(ctx, q)
	defer done()
	t, err := e.resolve(q.Path)
	if err != nil {
		return 0, nil, err
	}
	o, err := query.ParseOptions(t.set, q.Query, s.now())
	if err != nil {
		return 0, nil, err
	}
	if !t.many || o.Filter == nil {
		return 0, nil, fault(http.StatusMethodNotAllowed, "", "a set is only deleted from with a $filter that says what to delete, like Datastreams(1)/Observations?$filter=phenomenonTime lt 2020-01-01T00:00:00Z")
	}
	if len(o.Raw) != 1 {
		return 0, nil, fault(http.StatusBadRequest, "", "a deletion takes $filter and no other option")
	}
	p, err := e.plan(listing{t.set, t.parent, o})
	if err != nil {
		return 0, nil, err
	}
	var ids []sensorthings.ID
	err = e.each(p, math.MaxInt64, func(it item) (bool, error) {
		if len(ids) == most {
			return false, fault(http.StatusBadRequest, "$filter", fmt.Sprintf("more than %d entities match; narrow it, by phenomenonTime for example, and delete in steps", most))
		}
		ids = append(ids, it.id())
		return true, nil
	})
	return t.set, ids, err
}
