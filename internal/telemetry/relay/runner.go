package relay

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"plateau/hj212"
	"plateau/internal/platform/outbound"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/store"
)

// Reasons why a frame is among the refused that no target gave.
const (
	ReasonSilent = "silent" // it answers other frames, this one never
	ReasonForm   = "form"   // it cannot be written in the name given
	ReasonSealed = "sealed" // no key that is known opens it
)

// Bounds of one target.
const (
	chunk      = 2000  // frames read at once
	maxHeld    = 8192  // frames of a lane in memory, and what the next group brings
	maxUnsaved = 10000 // refused frames that are not written down yet
	maxPast    = 64    // stretches; beyond, what came first is sent first
	quietFirst = time.Minute
)

var errSilent = errors.New("nothing is acknowledged")

// saved is what one write to the database takes.
type saved struct {
	progress progress
	refused  []Refused
	cleared  []telemetry.Locator // were sent again and taken
	freed    []string            // MNs the target answers again
	byHand   int                 // frames sent again by hand whose outcome is in it
}

// runner sends to one target. Its fields belong to the goroutine of run, but for
// those behind mu.
type runner struct {
	s     *Service
	t     Target
	names map[string]*Mapping
	match *matcher

	live, past, again *lane
	p                 progress // Live and the first stretch's From are those of the lanes
	marks             map[uint64][]byte
	liveIn, pastIn    chan []store.Group
	againIn           chan []*item
	endLive, endPast  context.CancelFunc
	callAgain         chan struct{} // rows may wait to be sent again
	seek, seeking     bool          // such rows are to be looked for, are being looked for
	soughtAt          time.Duration
	byHand            int // frames sent again by hand whose outcome is not written down
	savingHand        int // those that are being written
	feeders           sync.WaitGroup

	flight        map[string][]*item // by request number
	away, awayOld int                // frames under way, those of the past among them
	sent          []*item            // that nobody acknowledges, since the last flush
	parked        []*queue           // whose first frame has the request number of one that is under way
	tokens        float64
	filled        time.Duration
	heard         time.Duration // tick of the last answer on this connection
	quiet         map[string]*quiet

	unsaved saved
	dirty   bool
	saving  bool
	savedAt time.Duration
	results chan error
	stuck   bool // what was done last could not be written down

	mu      sync.Mutex
	state   State
	behind  int64
	counted uint64
	sum     sums
}

// quiet is a logger that a target says nothing about.
type quiet struct {
	until time.Duration
	tries int
}

// sums are counted for the hour that runs.
type sums struct{ acked, refused, resent int64 }

// State is how a target does at the moment.
type State struct {
	Connected bool
	Since     time.Time // of Connected
	Fault     string    // why there is no connection, or what keeps frames from going, in English
	Next      time.Time // when the connection is tried again; zero = at once
	LastAck   time.Time
	Oldest    time.Time // receipt of the first frame that waits; zero = nothing waits
	Behind    int64     // frames that wait
	Counting  bool      // Behind is not complete yet
	Catching  bool      // the past is being sent beside what arrives
	Flight    int       // frames under way
	Acked     int64     // since the start of the program, as the next ones
	Refused   int64
	Resent    int64
	Asked     int64 // requests of the target, all refused
	AskedLast int   // command of the last one
}

func (s *Service) newRunner(t *Target, names []Mapping, p progress) *runner {
	r := &runner{
		s: s, t: *t, names: map[string]*Mapping{}, match: newMatcher(t), p: p, marks: p.Done,
		live: newLane(p.Live), again: newLane(0), seek: true, callAgain: make(chan struct{}, 1), againIn: make(chan []*item, 1),
		flight: map[string][]*item{}, quiet: map[string]*quiet{}, results: make(chan error, 1), counted: p.Counted,
	}
	if p.Counted > 0 {
		r.behind = p.Behind
	}
	if r.marks == nil {
		r.marks = map[uint64][]byte{}
	}
	for i := range names {
		r.names[names[i].Of()] = &names[i]
	}
	r.state.Counting = p.Counted == 0
	return r
}

// goOn takes over what was counted before the target was begun anew.
func (r *runner) goOn(st State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state.LastAck, r.state.Acked, r.state.Refused, r.state.Resent, r.state.Asked, r.state.AskedLast = st.LastAck, st.Acked, st.Refused, st.Resent, st.Asked, st.AskedLast
}

// run sends until ctx ends, then writes down how far it came.
func (r *runner) run(ctx context.Context) {
	var beside sync.WaitGroup
	was := r.p.clone()
	beside.Go(func() { r.count(ctx, was) })
	r.feedLive(ctx)
	r.feedPast(ctx)
	tries := 0
	for ctx.Err() == nil {
		acked := r.State().Acked
		err := r.connect(ctx)
		if ctx.Err() != nil {
			break
		}
		if r.State().Acked > acked {
			tries = 0
		}
		tries++
		wait := min(outbound.Backoff(r.s.o.First, tries), r.s.o.Longest)
		r.mu.Lock()
		r.state.Connected, r.state.Since, r.state.Fault, r.state.Next = false, r.s.o.Now().UTC(), err.Error(), r.s.o.Now().UTC().Add(wait)
		r.mu.Unlock()
		r.s.o.Logger.WarnContext(ctx, "relay target not reached", slog.String("target", r.t.Name), slog.String("error", err.Error()), slog.Duration("wait", wait))
		r.pause(ctx, wait)
	}
	r.endLive()
	if r.endPast != nil {
		r.endPast()
	}
	r.feeders.Wait()
	beside.Wait()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if r.saving {
		r.noteSaved(<-r.results)
	}
	if err := r.s.save(end, &r.t, r.take()); err != nil {
		r.s.o.Logger.ErrorContext(end, "how far a relay target came was not written down; what was sent last goes out again", slog.String("target", r.t.Name), slog.Any("error", err))
	}
}

// pause waits before the next connection; what was found out is written down
// meanwhile.
func (r *runner) pause(ctx context.Context, wait time.Duration) {
	end := time.NewTimer(wait)
	defer end.Stop()
	again := time.NewTicker(max(r.s.o.SaveEvery, time.Millisecond))
	defer again.Stop()
	for {
		r.save(ctx)
		r.show()
		liveIn, pastIn := r.hungry()
		select {
		case <-ctx.Done():
			return
		case <-end.C:
			return
		case g := <-liveIn:
			r.add(r.live, g)
		case g := <-pastIn:
			r.add(r.past, g)
			r.passed(ctx)
		case err := <-r.results:
			r.noteSaved(err)
		case <-again.C:
			if !r.dirty && !r.saving {
				again.Stop()
			}
		}
	}
}

// feed reads the journal behind from up to last into a channel.
func (r *runner) feed(ctx context.Context, from, last uint64, out chan<- []store.Group) {
	for from < last {
		if last == math.MaxUint64 {
			if r.s.o.Journal.Wait(ctx, from) != nil {
				return
			}
		}
		groups, err := r.s.o.Journal.Read(ctx, from, last, chunk)
		if err != nil || len(groups) == 0 {
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				r.fault(fmt.Errorf("the journal cannot be read: %w", err))
			}
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return
			}
			continue
		}
		from = groups[len(groups)-1].Seq
		select {
		case out <- groups:
		case <-ctx.Done():
			return
		}
	}
}

func (r *runner) feedLive(ctx context.Context) {
	ctx, r.endLive = context.WithCancel(ctx)
	out := make(chan []store.Group, 1)
	r.liveIn = out
	from := r.live.at
	r.feeders.Go(func() { r.feed(ctx, from, math.MaxUint64, out) })
}

// feedPast goes on to the first stretch of the past, if there is one.
func (r *runner) feedPast(ctx context.Context) {
	if r.past != nil || len(r.p.Past) == 0 {
		return
	}
	ctx, r.endPast = context.WithCancel(ctx)
	out := make(chan []store.Group, 1)
	r.pastIn = out
	s := r.p.Past[0]
	r.past = newLane(s.From)
	r.feeders.Go(func() { r.feed(ctx, s.From, s.To, out) })
}

// passed drops a stretch of the past that is done.
func (r *runner) passed(ctx context.Context) {
	if r.past == nil || r.past.at < r.p.Past[0].To {
		return
	}
	r.endPast()
	r.past, r.pastIn, r.dirty = nil, nil, true
	r.p.Past = r.p.Past[1:]
	r.feedPast(ctx)
}

// add takes groups into a lane.
func (r *runner) add(l *lane, groups []store.Group) {
	r.match.see(r.s.o.Registry.Snapshot())
	for i := range groups {
		g := &groups[i]
		l.add(g, r.match, r.marks[g.Seq])
		delete(r.marks, g.Seq)
	}
	r.dirty = true
}

// stepAhead begins anew at the tail where what waits is old, and leaves what
// waits to the lane of the past: what happens now is told first.
func (r *runner) stepAhead(ctx context.Context) {
	j, tail := r.s.o.Journal, r.s.o.Journal.Tail()
	if r.live.at >= tail || len(r.p.Past) >= maxPast {
		return
	}
	first, err := j.Read(ctx, r.live.at, tail, 1)
	if err != nil || len(first) == 0 || len(first[0].Frames) == 0 || r.s.o.Now().Sub(first[0].Frames[0].Received) < r.s.o.LiveAge {
		return
	}
	r.endLive()
	r.live.partly(r.marks)
	s := stretch{r.live.at, tail}
	if n := len(r.p.Past); n > 0 && r.p.Past[n-1].To == s.From && (n > 1 || r.past == nil) { // the one being read keeps its end
		r.p.Past[n-1].To = s.To
	} else {
		r.p.Past = append(r.p.Past, s)
	}
	r.live, r.dirty = newLane(tail), true
	r.feedLive(ctx)
	r.feedPast(ctx)
}

// connect makes a connection and sends over it until it fails.
func (r *runner) connect(ctx context.Context) error {
	conn, err := r.s.dial(ctx, &r.t)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	r.stepAhead(ctx)
	r.mu.Lock()
	r.state.Connected, r.state.Since, r.state.Fault, r.state.Next = true, r.s.o.Now().UTC(), "", time.Time{}
	r.mu.Unlock()
	in := &inbox{wake: make(chan struct{}, 1)}
	ended := make(chan error, 1)
	go func() { ended <- in.listen(conn) }()
	err = r.session(ctx, conn, in, ended)
	_ = conn.Close()
	<-ended                //nolint:errcheck // why it ended is known
	_ = r.answers(in, nil) // what came before the end still counts
	r.drop()
	return err
}

// drop takes back what was under way: it goes out again.
func (r *runner) drop() {
	for _, list := range r.flight {
		for _, x := range list {
			x.q.back()
		}
	}
	for _, x := range r.sent {
		x.q.back()
	}
	clear(r.flight)
	r.sent, r.away, r.awayOld = nil, 0, 0
	for _, at := range r.quiet {
		at.until = min(at.until, r.s.tick()+quietFirst) // whoever was being tried
	}
	r.unpark()
}

// patient gives up writing to a target that takes nothing for so long.
type patient struct {
	net.Conn
	wait time.Duration
}

func (p patient) Write(b []byte) (int, error) {
	if err := p.SetWriteDeadline(wallClock().Add(p.wait)); err != nil {
		return 0, err
	}
	return p.Conn.Write(b)
}

// session sends over one connection until it fails or ctx ends.
func (r *runner) session(ctx context.Context, conn net.Conn, in *inbox, ended chan error) error {
	w := bufio.NewWriterSize(patient{conn, r.s.o.WriteWait}, 64<<10)
	r.heard, r.filled, r.tokens = 0, r.s.tick(), 1
	look := time.NewTicker(max(r.s.o.OverTime/20, 5*time.Millisecond))
	defer look.Stop()
	room := time.NewTimer(0)
	defer room.Stop()
	for {
		wait, err := r.send(w)
		if err != nil {
			return err
		}
		room.Reset(wait)
		r.save(ctx)
		r.seekAgain(ctx)
		r.show()
		liveIn, pastIn := r.hungry()
		select {
		case g := <-liveIn:
			r.add(r.live, g)
		case g := <-pastIn:
			r.add(r.past, g)
			r.passed(ctx)
		case list := <-r.againIn:
			r.seeking = false
			for _, x := range list {
				r.again.put(x)
			}
		case <-r.callAgain:
			r.seek = true
		case <-in.wake:
		case err := <-r.results:
			r.noteSaved(err)
		case <-look.C:
			if err := r.overdue(w); err != nil {
				return err
			}
		case <-room.C:
		case err := <-ended:
			ended <- err // for connect
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := r.answers(in, w); err != nil {
			return err
		}
		r.passed(ctx)
	}
}

// hungry are the channels of the lanes that have room.
func (r *runner) hungry() (live, past chan []store.Group) {
	if r.live.held < maxHeld {
		live = r.liveIn
	}
	if r.past != nil && r.past.held < maxHeld {
		past = r.pastIn
	}
	return live, past
}

// idle is how long a session sleeps where nothing happens.
const idle = time.Hour

// send writes what may go out now; wait is when there is room for more of the past.
func (r *runner) send(w *bufio.Writer) (wait time.Duration, err error) {
	wait = idle
	for !r.stuck && len(r.unsaved.refused) < maxUnsaved && r.away < r.t.Window {
		var q *queue
		q, wait = r.turn()
		if q == nil {
			break
		}
		x := q.take()
		if at := r.quiet[x.MN]; at != nil && x.g != nil {
			if r.s.tick() < at.until {
				r.refuse(x, ReasonSilent)
				continue
			}
			x.probe = true
			at.until = math.MaxInt64 // one at a time
		}
		if x.frame == nil {
			if reason := r.write(x); reason != "" {
				r.refuse(x, reason)
				continue
			}
		}
		if x.qn != "" && len(r.flight[x.qn]) > 0 && (x.old || r.flight[x.qn][0].old) {
			q.items, q.away = append([]*item{x}, q.items...), nil
			r.parked = append(r.parked, q)
			continue
		}
		if q.lane == r.past {
			r.tokens--
			r.awayOld++
		}
		r.away++
		x.out = true
		if _, err := w.Write(x.frame); err != nil {
			r.sent = append(r.sent, x) // drop takes it back
			return wait, err
		}
		if x.qn == "" {
			r.sent = append(r.sent, x)
			continue
		}
		x.sends, x.first = 1, r.s.tick()
		x.due = x.first + r.s.o.OverTime
		r.flight[x.qn] = append(r.flight[x.qn], x)
	}
	if err := w.Flush(); err != nil {
		return wait, err
	}
	if len(r.sent) > 0 {
		list := r.sent
		r.sent = nil
		for _, x := range list {
			r.done(x)
		}
		wait = 0
	}
	return wait, nil
}

// turn chooses whose frame goes out next: one that somebody sends again, one that
// has just arrived, else one of the past, for which its rate must allow it and
// which gets no more than half of the window. wait is when the rate allows one.
func (r *runner) turn() (q *queue, wait time.Duration) {
	if q := r.again.next(); q != nil {
		return q, idle
	}
	if q := r.live.next(); q != nil {
		return q, idle
	}
	if r.past == nil || len(r.past.ready) == 0 || r.awayOld >= max(r.t.Window/2, 1) {
		return nil, idle
	}
	now := r.s.tick()
	r.tokens = min(r.tokens+r.t.Rate*(now-r.filled).Seconds(), max(r.t.Rate/10, 1))
	r.filled = now
	if r.tokens < 1 {
		return nil, time.Duration((1-r.tokens)/r.t.Rate*float64(time.Second)) + time.Millisecond
	}
	return r.past.next(), idle
}

// write makes the frame as it goes on; the reason tells why it cannot.
func (r *runner) write(x *item) (reason string) {
	snap := r.s.o.Registry.Snapshot()
	seg, err := x.Segment(func(mn string) [][]byte { return keysOf(snap, mn) })
	if err != nil || seg == nil {
		if x.Sealed {
			return ReasonSealed
		}
		return ReasonForm
	}
	var p hj212.Packet
	if err := p.Parse(seg); err != nil {
		return ReasonForm
	}
	f, key := r.name(x)
	frame, err := hj212.AppendForward(nil, &p, f, key)
	if err != nil {
		return ReasonForm
	}
	v, wanted, _, _ := p.FlagBits()
	if f.Convert {
		v = f.Version
	}
	x.frame, x.cn, x.old = frame, p.Command(), v == hj212.V2005
	if x.mn = f.MN; x.mn == "" {
		x.mn = string(p.Bytes(p.MN))
	}
	x.qn = string(p.RequestNumber())
	if x.qn == "" {
		x.qn = f.QN
	}
	if !f.Ack && !wanted {
		x.qn = ""
	}
	return ""
}

// name is in whose name a frame goes on. The request number of a frame that has
// none is made of its receipt, so that it is the same whenever it is sent.
func (r *runner) name(x *item) (hj212.Forward, []byte) {
	v, convert := r.t.version()
	f := hj212.Forward{ST: r.t.ST, PW: string(r.t.PW), Ack: r.t.Ack, Version: v, Convert: convert}
	if r.t.Ack {
		f.QN = string(hj212.AppendQN(nil, x.Received))
	}
	key := r.t.Key.key()
	m := r.names[x.MN]
	if m == nil {
		m = r.names[(&Mapping{Outlet: x.Outlet}).Of()]
	}
	if m == nil {
		return f, key
	}
	f.MN = m.Theirs
	if m.ST != "" {
		f.ST = m.ST
	}
	if m.PW != "" {
		f.PW = string(m.PW)
	}
	if k := m.Key.key(); k != nil {
		key = k
	}
	return f, key
}

func keysOf(snap *telemetry.Snapshot, mn string) [][]byte {
	var keys [][]byte
	if d := snap.Devices[mn]; d != nil {
		keys = append(keys, d.Keys...)
	}
	for i := range snap.Past {
		if snap.Past[i].MN == mn {
			keys = append(keys, snap.Past[i].Keys...)
		}
	}
	return keys
}

// answers looks at what the target said; w is nil when the connection is gone.
func (r *runner) answers(in *inbox, w *bufio.Writer) error {
	list, replies, asked, last := in.empty(nil)
	for i := range list {
		r.answer(&list[i])
	}
	if len(list) > 0 {
		r.unpark()
	}
	if asked > 0 {
		r.mu.Lock()
		r.state.Asked += int64(asked)
		r.state.AskedLast = last
		r.mu.Unlock()
	}
	if len(replies) > 0 && w != nil {
		_, err := w.Write(replies)
		return err
	}
	return nil
}

func (r *runner) answer(a *answer) {
	list := r.flight[a.qn]
	i := slices.IndexFunc(list, func(x *item) bool {
		if a.mn != "" {
			return strings.EqualFold(a.mn, x.mn)
		}
		return a.of == 0 || a.of == x.cn
	})
	if i < 0 || a.begun {
		return // of something that was settled, or of nothing of ours
	}
	x := list[i]
	r.heard = r.s.tick()
	if a.later && x.sends <= r.s.o.ReCount {
		return // it is due again in its time
	}
	r.land(x)
	if at := r.quiet[x.MN]; at != nil { // it speaks of this logger after all
		delete(r.quiet, x.MN)
		r.unsaved.freed = append(r.unsaved.freed, x.MN)
	}
	if a.reason != "" {
		r.refuse(x, a.reason)
		return
	}
	r.mu.Lock()
	r.state.LastAck = r.s.o.Now().UTC()
	r.mu.Unlock()
	r.done(x)
}

// land takes a frame out of those under way.
func (r *runner) land(x *item) {
	list := r.flight[x.qn]
	if i := slices.Index(list, x); i >= 0 {
		list = slices.Delete(list, i, i+1)
	}
	if len(list) == 0 {
		delete(r.flight, x.qn)
	} else {
		r.flight[x.qn] = list
	}
}

// done settles a frame that was taken.
func (r *runner) done(x *item) {
	r.ended(x)
	r.mu.Lock()
	r.state.Acked++
	r.sum.acked++
	if x.g != nil {
		r.behind--
	}
	r.mu.Unlock()
	if x.g == nil {
		r.unsaved.cleared = append(r.unsaved.cleared, x.Locator)
		r.unsaved.byHand++
		r.byHand++
	}
	x.q.settle()
	r.dirty = true
}

// ended counts a frame no longer among those under way, where it was.
func (r *runner) ended(x *item) {
	if !x.out { // it was refused before it was sent
		return
	}
	x.out = false
	r.away--
	if x.q.lane == r.past {
		r.awayOld--
	}
}

// refuse settles a frame that goes among the refused.
func (r *runner) refuse(x *item, reason string) {
	r.ended(x)
	r.unsaved.refused = append(r.unsaved.refused, Refused{
		Locator: x.Locator, MN: x.MN, Outlet: x.Outlet, CN: cnOf(x), At: x.At, Received: x.Received, Reason: reason, Tries: x.tried + 1, RefusedAt: r.s.o.Now().UTC(),
	})
	r.mu.Lock()
	r.state.Refused++
	r.sum.refused++
	if x.g != nil {
		r.behind--
	}
	r.mu.Unlock()
	if x.g == nil {
		r.unsaved.byHand++
		r.byHand++
	}
	x.q.settle()
	r.dirty = true
}

func cnOf(x *item) int {
	if x.cn != 0 {
		return x.cn
	}
	for _, c := range commands {
		if c.kind == x.Kind {
			return c.cn
		}
	}
	return 0
}

func (r *runner) unpark() {
	for _, q := range r.parked {
		q.offer()
	}
	r.parked = r.parked[:0]
}

// overdue sends again what was not answered in time. What stays without an answer
// though others get one goes among the refused; where nothing is answered at all,
// the connection is of no use.
func (r *runner) overdue(w io.Writer) error {
	now := r.s.tick()
	for _, list := range r.flight {
		for _, x := range slices.Clone(list) {
			if now < x.due {
				continue
			}
			if x.sends <= r.s.o.ReCount && !x.probe {
				x.due = now + r.s.o.OverTime<<min(x.sends, 6)
				x.sends++
				r.mu.Lock()
				r.state.Resent++
				r.sum.resent++
				r.mu.Unlock()
				if _, err := w.Write(x.frame); err != nil {
					return err
				}
				continue
			}
			if r.heard <= x.first {
				return fmt.Errorf("%w: a frame was sent %d times in %s", errSilent, x.sends, (now - x.first).Round(time.Second))
			}
			r.land(x)
			at := r.quiet[x.MN]
			if at == nil {
				at = &quiet{}
				r.quiet[x.MN] = at
			}
			at.tries++
			at.until = now + outbound.Backoff(quietFirst, at.tries)
			r.refuse(x, ReasonSilent)
			r.unpark()
		}
	}
	return nil
}

// fault notes what keeps frames from going.
func (r *runner) fault(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state.Fault = err.Error()
}

// show publishes how the lanes stand.
func (r *runner) show() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state.Flight, r.state.Catching = r.away, len(r.p.Past) > 0
	r.state.Oldest = r.live.oldest
	if r.past != nil && !r.past.oldest.IsZero() {
		r.state.Oldest = r.past.oldest
	}
	if r.live.held == 0 && len(r.p.Past) == 0 && r.live.at == r.counted {
		r.behind = 0 // what was counted under another registry than it was sent by
	}
}

// State returns how the target does.
func (r *runner) State() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	st := r.state
	st.Behind = max(r.behind, 0)
	return st
}

// snapshot is how far the lanes have come.
func (r *runner) snapshot() progress {
	p := r.p.clone()
	p.Live, p.Done = r.live.at, map[uint64][]byte{}
	maps.Copy(p.Done, r.marks) // of groups that are not read yet
	r.live.partly(p.Done)
	if r.past != nil {
		p.Past[0].From = r.past.at
		r.past.partly(p.Done)
	}
	r.mu.Lock()
	p.Behind, p.Counted = r.behind, r.counted
	r.mu.Unlock()
	return p
}

// take is what is to be written down now.
func (r *runner) take() *saved {
	out := r.unsaved
	out.progress = r.snapshot()
	for i := range out.refused {
		x := &out.refused[i] // one of a logger that is answered again by now
		x.Again = x.Reason == ReasonSilent && r.quiet[x.MN] == nil
	}
	r.unsaved, r.dirty = saved{}, false
	return &out
}

// save writes down how far the target has come, beside what goes on.
func (r *runner) save(ctx context.Context) {
	now := r.s.tick()
	if r.saving || !r.dirty && !r.stuck || now-r.savedAt < r.s.o.SaveEvery && r.savedAt > 0 {
		return
	}
	r.saving, r.savedAt = true, now
	what := r.take()
	r.savingHand = what.byHand
	go func() {
		err := r.s.save(context.WithoutCancel(ctx), &r.t, what)
		if err != nil { // it comes with the next one
			err = &unsavedError{what, err}
		}
		r.results <- err
	}()
}

// unsavedError carries back what was not written.
type unsavedError struct {
	what *saved
	err  error
}

func (e *unsavedError) Error() string {
	return "how far it came cannot be written down: " + e.err.Error()
}

func (e *unsavedError) Unwrap() error { return e.err }

// noteSaved is told how a write went. Nothing goes out while none succeeds:
// otherwise ever more would go out twice.
func (r *runner) noteSaved(err error) {
	r.saving = false
	e, failed := errors.AsType[*unsavedError](err)
	if !failed {
		r.byHand -= r.savingHand
	}
	switch {
	case failed:
		r.unsaved.byHand += e.what.byHand
		r.unsaved.refused = append(e.what.refused, r.unsaved.refused...)
		r.unsaved.cleared = append(e.what.cleared, r.unsaved.cleared...)
		r.unsaved.freed = append(e.what.freed, r.unsaved.freed...)
		r.dirty, r.stuck = true, true
		r.fault(err)
	case r.stuck:
		r.stuck = false
		r.mu.Lock()
		r.state.Fault = ""
		r.mu.Unlock()
	}
	r.call()
}

// call has rows looked for that are to be sent again.
func (r *runner) call() {
	select {
	case r.callAgain <- struct{}{}:
	default:
	}
}

// seekAgain looks for frames that people send again, in the order they came in.
// It waits until what became of the former ones is written down: a row that was
// read before that would go out once more.
func (r *runner) seekAgain(ctx context.Context) {
	if now := r.s.tick(); now-r.soughtAt >= r.s.o.Look {
		r.seek, r.soughtAt = true, now
	}
	if !r.seek || r.seeking || r.again.held > 0 || r.byHand > 0 {
		return
	}
	r.seek, r.seeking = false, true
	r.feeders.Go(func() {
		rows, err := r.s.waitingAgain(ctx, r.t.ID) // where that fails they wait for the next time
		var list []*item
		for i := range rows {
			f, err := r.s.o.Journal.FrameAt(rows[i].Locator)
			if err != nil {
				r.fault(fmt.Errorf("the journal cannot be read: %w", err))
				break
			}
			list = append(list, &item{StoredFrame: f, tried: rows[i].Tries})
		}
		if err == nil && len(rows) == loadAtOnce {
			r.call() // there are more
		}
		r.againIn <- list // has room: one look at a time
	})
}

// count keeps how many frames wait, from what the journal says of them; p is how
// far the target had come when it began.
func (r *runner) count(ctx context.Context, p progress) {
	m := newMatcher(&r.t)
	r.mu.Lock()
	from := r.counted
	r.mu.Unlock()
	if from == 0 {
		tail := r.s.o.Journal.Tail()
		for _, s := range p.pending(tail) {
			if !r.tally(ctx, m, s, p.Done) {
				return
			}
		}
		from = tail
		r.mu.Lock()
		r.counted, r.state.Counting = max(from, 1), false
		r.mu.Unlock()
	}
	for r.s.o.Journal.Wait(ctx, from) == nil {
		to := r.s.o.Journal.Tail()
		if !r.tally(ctx, m, stretch{from, to}, nil) {
			return
		}
		from = to
		r.mu.Lock()
		r.counted = from
		r.mu.Unlock()
	}
}

// tally counts the wanted frames of a stretch but those that are done.
func (r *runner) tally(ctx context.Context, m *matcher, s stretch, done map[uint64][]byte) bool {
	for at := s.From; at < s.To; {
		m.see(r.s.o.Registry.Snapshot())
		n := int64(0)
		began := at
		err := r.s.o.Journal.Groups(at, func(g store.GroupMeta) bool {
			if g.Seq > s.To {
				return false
			}
			at = g.Seq
			for i := range g.Entries {
				e := &g.Entries[i]
				if m.wants(e.Outlet, e.Kind, e.Verdict) && !hasBit(done[g.Seq], i) {
					n++
				}
			}
			return at-began < 1000 && ctx.Err() == nil
		})
		r.mu.Lock()
		r.behind += n
		r.mu.Unlock()
		if err != nil || at == began {
			select { // the journal is not readable at the moment, which the lanes tell of
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
		if ctx.Err() != nil {
			return false
		}
	}
	return true
}
