package entitystore

import (
	"sync"

	"plateau/internal/sensorthings"
)

// maxWaiting is how many changes wait for one subscriber.
const maxWaiting = 1 << 16

type subscribers struct {
	sync.RWMutex
	list []*subscriber
}

type subscriber struct {
	sync.Mutex
	more    sync.Cond
	waiting [][]sensorthings.Change
	count   int
	lost    int
	closed  bool
}

// Subscribe calls fn with what was made durable, in order, until stop is called.
// A subscriber that falls behind by more than 65,536 changes loses some; lost
// tells how many, in a call of its own. Of what a cascade removes, entities are
// told one by one, observations are not.
func (s *Store) Subscribe(fn func(changes []sensorthings.Change, lost int)) (stop func()) {
	sub := &subscriber{}
	sub.more.L = sub
	s.subscribers.Lock()
	s.subscribers.list = append(s.subscribers.list, sub)
	s.subscribers.Unlock()
	go sub.run(fn)
	return func() {
		s.subscribers.Lock()
		defer s.subscribers.Unlock()
		for i, other := range s.subscribers.list {
			if other == sub {
				s.subscribers.list = append(s.subscribers.list[:i:i], s.subscribers.list[i+1:]...)
				break
			}
		}
		sub.close()
	}
}

func (s *subscriber) run(fn func([]sensorthings.Change, int)) {
	for {
		s.Lock()
		for len(s.waiting) == 0 && s.lost == 0 && !s.closed {
			s.more.Wait()
		}
		if s.closed {
			s.Unlock()
			return
		}
		lists, lost := s.waiting, s.lost
		s.waiting, s.count, s.lost = nil, 0, 0
		s.Unlock()
		// What was lost came behind what waited.
		for _, changes := range lists {
			fn(changes, 0)
		}
		if lost > 0 {
			fn(nil, lost)
		}
	}
}

func (s *subscriber) put(changes []sensorthings.Change) {
	s.Lock()
	defer s.Unlock()
	if s.count+len(changes) > maxWaiting && s.count > 0 || s.lost > 0 {
		s.lost += len(changes)
	} else {
		s.waiting, s.count = append(s.waiting, changes), s.count+len(changes)
	}
	s.more.Signal()
}

func (s *subscriber) close() {
	s.Lock()
	defer s.Unlock()
	s.closed = true
	s.more.Signal()
}

func (s *subscribers) close() {
	s.Lock()
	defer s.Unlock()
	for _, sub := range s.list {
		sub.close()
	}
	s.list = nil
}

func (s *subscribers) none() bool {
	s.RLock()
	defer s.RUnlock()
	return len(s.list) == 0
}

func (s *subscribers) publish(changes []sensorthings.Change) {
	if len(changes) == 0 {
		return
	}
	s.RLock()
	defer s.RUnlock()
	for _, sub := range s.list {
		sub.put(changes)
	}
}

// publishObservations tells of new observations; copies are made only for someone.
func (s *Store) publishObservations(obs []sensorthings.Observation, ids []sensorthings.ID) {
	if s.subscribers.none() {
		return
	}
	own := append([]sensorthings.Observation(nil), obs...)
	changes := make([]sensorthings.Change, len(own))
	for i := range own {
		own[i].ID = ids[i]
		changes[i] = sensorthings.Change{Set: sensorthings.Observations, ID: ids[i], What: sensorthings.Created, Observation: &own[i]}
	}
	s.subscribers.publish(changes)
}
