package publicweb

import (
	"sync"
)

// document is an answer as it is sent to every reader.
type document struct {
	kind string // content type
	lang string // "" = none
	body []byte
	tag  string // entity tag
}

// maxKept bounds the answers kept; at some 30 KB each they take little.
const maxKept = 400

// cache keeps answers for as long as their slot lasts (a minute of one state of
// the registry). Whoever asks while an answer is being made waits for it: a
// thousand readers cost one drawing.
type cache struct {
	mu   sync.Mutex
	kept map[string]*kept
}

type kept struct {
	slot  slot
	ready chan struct{} // closed when doc or err is there
	doc   *document
	err   error
}

// slot tells for how long an answer holds.
type slot struct {
	minute   int64
	registry uint64
}

// get returns the answer kept under key, or makes it. Errors are not kept.
func (c *cache) get(key string, now slot, build func() (*document, error)) (*document, error) {
	c.mu.Lock()
	if k := c.kept[key]; k != nil && k.slot == now {
		c.mu.Unlock()
		<-k.ready
		return k.doc, k.err
	}
	k := &kept{slot: now, ready: make(chan struct{})}
	if c.kept == nil {
		c.kept = map[string]*kept{}
	}
	c.makeRoom(now)
	c.kept[key] = k
	c.mu.Unlock()
	done := false
	defer func() { // a build that panics must not leave the others waiting
		if !done || k.err != nil {
			c.mu.Lock()
			if c.kept[key] == k {
				delete(c.kept, key)
			}
			c.mu.Unlock()
		}
		if !done {
			k.err = errUnfinished
		}
		close(k.ready)
	}()
	k.doc, k.err = build()
	done = true
	return k.doc, k.err
}

// makeRoom drops what is over and, when that is not enough, anything.
func (c *cache) makeRoom(now slot) {
	if len(c.kept) < maxKept {
		return
	}
	for key, k := range c.kept {
		if k.slot != now {
			delete(c.kept, key)
		}
	}
	for key := range c.kept {
		if len(c.kept) < maxKept {
			return
		}
		delete(c.kept, key)
	}
}
