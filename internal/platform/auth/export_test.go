package auth

// Computed is how many passwords were hashed or checked.
func (s *Service) Computed() int64 { return s.hasher.computed.Load() }

// Occupy takes all turns of the hasher until the returned function is called.
func (s *Service) Occupy() (release func()) {
	n := cap(s.hasher.turns)
	for range n {
		s.hasher.queue <- struct{}{}
		s.hasher.turns <- struct{}{}
	}
	return func() {
		for range n {
			<-s.hasher.turns
			<-s.hasher.queue
		}
	}
}
