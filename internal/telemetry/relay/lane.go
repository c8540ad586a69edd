package relay

import (
	"time"

	"plateau/internal/telemetry/store"
)

// lane is frames to be sent in the order of their receipt: those of one logger
// wait for each other, those of different loggers do not.
type lane struct {
	at     uint64 // every group up to here is done
	groups []*group
	queues map[string]*queue // by our MN
	ready  []*queue          // whose first frame may be sent, in turn
	held   int               // frames in queues and under way
	oldest time.Time         // receipt of the first frame that is not done; zero = nothing waits
}

func newLane(at uint64) *lane { return &lane{at: at, queues: map[string]*queue{}} }

// group is a group of the journal with frames that are not done.
type group struct {
	seq      uint64
	left     int
	done     []byte // a bit for each frame
	received time.Time
}

// queue is the frames of one logger in a lane.
type queue struct {
	lane  *lane
	mn    string
	items []*item
	away  *item // the frame that is under way
	ready bool  // stands in lane.ready
}

// item is one frame on its way.
type item struct {
	store.StoredFrame
	g *group // nil = sent again by hand
	q *queue

	tried int // times it was refused before

	frame []byte // in the name it goes on in; nil = not made yet
	qn    string // that an acknowledgement names; "" = none is waited for
	mn    string // at the target
	cn    int
	old   bool // of 2005: acknowledgements name no MN

	out   bool // it counts among those under way
	sends int  // on this connection
	first time.Duration
	due   time.Duration // tick at which it is sent again
	probe bool          // of a logger that the target was silent about
}

// add takes the wanted frames of a group; done says which of them are done.
func (l *lane) add(g *store.Group, m *matcher, done []byte) {
	gr := &group{seq: g.Seq, done: done}
	for i := range g.Frames {
		f := &g.Frames[i]
		if !m.wants(f.Outlet, f.Kind, f.Verdict) || hasBit(done, i) {
			continue
		}
		if gr.left == 0 {
			gr.received = f.Received
		}
		gr.left++
		l.put(&item{StoredFrame: *f, g: gr})
	}
	switch {
	case gr.left > 0:
		l.groups = append(l.groups, gr)
	case len(l.groups) == 0:
		l.at = g.Seq
	default: // it is passed with the one before it
		l.groups = append(l.groups, gr)
	}
	l.look()
}

// put appends a frame to its logger's queue.
func (l *lane) put(x *item) {
	q := l.queues[x.MN]
	if q == nil {
		q = &queue{lane: l, mn: x.MN}
		l.queues[x.MN] = q
	}
	x.q = q
	q.items = append(q.items, x)
	l.held++
	q.offer()
}

// offer puts a queue among the ready ones where its first frame may be sent.
func (q *queue) offer() {
	if !q.ready && q.away == nil && len(q.items) > 0 {
		q.ready = true
		q.lane.ready = append(q.lane.ready, q)
	}
}

// next takes the queue whose turn it is; nil when none may send.
func (l *lane) next() *queue {
	if len(l.ready) == 0 {
		return nil
	}
	q := l.ready[0]
	l.ready = l.ready[1:]
	q.ready = false
	return q
}

// take makes the first frame of a queue the one that is under way.
func (q *queue) take() *item {
	q.away = q.items[0]
	q.items[0] = nil
	q.items = q.items[1:]
	return q.away
}

// back puts the frame that is under way to the front again: its connection is gone.
func (q *queue) back() {
	x := q.away
	if x == nil {
		return
	}
	x.out, x.sends, x.probe = false, 0, false
	q.away = nil
	q.items = append([]*item{x}, q.items...)
	q.offer()
}

// settle is told when the frame that is under way is done, however.
func (q *queue) settle() {
	x, l := q.away, q.lane
	q.away = nil
	l.held--
	if len(q.items) == 0 {
		delete(l.queues, q.mn)
	}
	q.offer()
	if x.g == nil {
		return
	}
	x.g.done = setBit(x.g.done, int(x.Index))
	x.g.left--
	l.look()
}

// look passes the groups that are done.
func (l *lane) look() {
	for len(l.groups) > 0 && l.groups[0].left == 0 {
		l.at = l.groups[0].seq
		l.groups[0] = nil
		l.groups = l.groups[1:]
	}
	l.oldest = time.Time{}
	if len(l.groups) > 0 {
		l.oldest = l.groups[0].received
	}
}

// partly adds the groups that are done in part to a list.
func (l *lane) partly(to map[uint64][]byte) {
	for _, g := range l.groups {
		if g.left == 0 || len(g.done) > 0 {
			to[g.seq] = append([]byte(nil), g.done...)
		}
	}
}
