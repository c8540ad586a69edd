package app

import (
	"sync"
	"time"
)

// clock tells the time; everything that needs one is given it.
type clock = func() time.Time

// progress is how far the filling of the demonstration's history has come.
type progress struct {
	sync.Mutex
	active      bool
	done, total int64
}

// set tells that done of some total of frames are filled in.
func (p *progress) set(done, total int64) {
	p.Lock()
	defer p.Unlock()
	p.active, p.done, p.total = true, done, total
}

// add tells of n more frames.
func (p *progress) add(n int64) {
	p.Lock()
	defer p.Unlock()
	p.done += n
}

func (p *progress) end() {
	p.Lock()
	defer p.Unlock()
	p.active = false
}

// percent returns whether something is being filled in, and its share.
func (p *progress) percent() (active bool, percent int) {
	p.Lock()
	defer p.Unlock()
	if p.total > 0 {
		percent = int(min(99, 100*p.done/p.total))
	}
	return p.active, percent
}
