package webhook

import (
	"context"
	"sync/atomic"
)

// Stats are counters since the start, and how subscriptions stand now.
type Stats struct {
	Done, Retried, GivenUp int64 // deliveries, by what became of them
	Dropped                int64 // events that were no longer kept when their turn came

	Waiting int64 // events that the subscription furthest behind has yet to look at; paused ones do not count
	Failing int   // subscriptions whose last try failed and that are not paused
	Paused  int
}

type counters struct{ done, retried, givenUp, dropped atomic.Int64 }

// took counts a delivery.
func (c *counters) took(outcome string) {
	switch outcome {
	case Done:
		c.done.Add(1)
	case GaveUp:
		c.givenUp.Add(1)
	default:
		c.retried.Add(1)
	}
}

// Stats returns the counters.
func (s *Service) Stats(ctx context.Context) (Stats, error) {
	out := Stats{Done: s.count.done.Load(), Retried: s.count.retried.Load(), GivenUp: s.count.givenUp.Load(), Dropped: s.count.dropped.Load()}
	hooks, err := s.List(ctx)
	if err != nil {
		return out, err
	}
	_, last, err := s.o.Log.Bounds(ctx)
	if err != nil {
		return out, err
	}
	for i := range hooks {
		h := &hooks[i]
		if h.Paused {
			out.Paused++
			continue
		}
		out.Waiting = max(out.Waiting, last-h.Next)
		if h.Tries > 0 {
			out.Failing++
		}
	}
	return out, nil
}
