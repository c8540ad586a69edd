package simulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"plateau/hj212"
	"plateau/internal/telemetry"
)

// LoggerOptions sets how a logger runs. Addr and Now are needed.
type LoggerOptions struct {
	Addr string           // host to dial
	Now  func() time.Time // wall clock

	// Epoch is the simulated time when the logger starts; zero: the wall
	// clock's. Speed lets simulated time run faster; 0 means 1.
	Epoch time.Time
	Speed float64

	// Since: statistics records up to then are already at the host (History
	// sent them). Zero: the start.
	Since time.Time

	// Realtime and Minute override the outlet's intervals when above 0.
	Realtime time.Duration
	Minute   int

	// Faults switches on the faults of lines and loggers: wrong CRC,
	// duplicates, frames in pieces, chatter, dropped links, needless splits, and
	// minute records left out though they are kept.
	Faults bool

	// KeepRealtime re-sends 2011 uploads after a lost link too; real loggers
	// drop them, a counted trial must not.
	KeepRealtime bool

	// OverTime and ReCount (HJ 212-2017 section 6.5) until the host sets others
	// with 1000; 0: 10 s and 3.
	OverTime time.Duration
	ReCount  int

	// Backlog is the number of statistics records kept while there is no link;
	// the oldest go first. 0: 2,000.
	Backlog int

	// Drain is how long Run waits for the acks of what is under way after ctx
	// ends; 0: not at all.
	Drain time.Duration

	// GiveUp ends Run after that many links in a row without a single ack, or
	// five times as many when there were acks before: a host that answered may
	// be starting again. 0: never.
	GiveUp int

	Logger *slog.Logger

	// script, when not nil, is sent instead of what the plant gives; Run ends
	// when all of it was acked.
	script []*upload
}

// Stats counts what loggers did. Fields are safe for concurrent use.
type Stats struct {
	Connects, Sent, Acked, Resent, Unacked, Dropped, Commands, Refused atomic.Int64
}

// Logger is the device side of HJ 212 for one plant: it dials, uploads, waits
// for acks, re-sends, and answers. Use Run once.
type Logger struct {
	o     LoggerOptions
	p     *Plant
	sched *schedule
	stats *Stats
	start time.Time // wall
	shift int64     // ms: simulated minus wall time at the start

	f       *framer // writes plain frames; encryption comes at sending
	key     []byte
	walk    *walker
	deliver delivery
	live    *cursor

	queue   []*upload          // statistics waiting, by time
	replies []*upload          // answers to host requests under way
	pending map[string]*upload // sent, ack wanted, by QN
	lastQN  int64

	realtimeOn, stateOn bool
	realtimeEvery       time.Duration
	nextRealtime        int64 // ms
	nextState           int64 // ms
	minuteFrom          int64 // minute from which minuteEvery holds
	minuteEvery         int   // 0 = the outlet's own
	overTime            time.Duration
	reCount             int
	skew                map[string]time.Duration // what 1012 added to the clock of the logger ("") or an analyser
	kept                kept
	booted              bool
	sendings            uint64
	ackedHere           int64 // by this logger
}

// upload is a frame on its way to the host.
type upload struct {
	at       int64  // ms, simulated: when it is due
	qn       string // as in the frame
	plain    []byte // frame without CR LF, not encrypted
	data     bool   // a data command (encrypted when there is a key)
	keep     bool   // survives a lost link
	ack      bool   // wants 9014
	closing  bool   // a 9012: goes when all answers before it were acked
	resend   bool   // was due during an outage: RF=1
	tries    int
	deadline time.Time // wall
}

// Logger prepares the logger of the i-th plant. stats may be shared.
func (w *World) Logger(i int, o LoggerOptions, stats *Stats) *Logger {
	p := w.Plants[i]
	if o.Speed <= 0 {
		o.Speed = 1
	}
	if o.OverTime <= 0 {
		o.OverTime = 10 * time.Second
	}
	if o.ReCount <= 0 {
		o.ReCount = 3
	}
	if o.Backlog <= 0 {
		o.Backlog = 2000
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Logger{
		o: o, p: p, sched: w.sched, stats: stats, f: newFramer(p), pending: map[string]*upload{},
		realtimeOn: true, stateOn: true, overTime: o.OverTime, reCount: o.ReCount,
		deliver: delivery{p: p, sched: w.sched}, live: newCursor(p, w.sched),
		skew: map[string]time.Duration{}, kept: kept{},
	}
	l.key, l.f.key = l.f.key, nil
	l.realtimeEvery = o.Realtime
	if l.realtimeEvery <= 0 {
		l.realtimeEvery = time.Duration(p.Outlet.IntervalAt(o.Now()).Realtime) * time.Second
	}
	return l
}

// now is the simulated time in ms.
func (l *Logger) now() int64 {
	return l.start.UnixMilli() + l.shift + int64(float64(l.o.Now().Sub(l.start).Milliseconds())*l.o.Speed)
}

// wall turns a simulated span in ms into a wall-clock duration.
func (l *Logger) wall(ms int64) time.Duration {
	return time.Duration(float64(ms) / l.o.Speed * float64(time.Millisecond))
}

// Run plays the logger until ctx ends. It returns nil then.
func (l *Logger) Run(ctx context.Context) error {
	l.begin()
	wait := time.Second
	vain, acked := 0, int64(0)
	for ctx.Err() == nil {
		if until := l.outage(l.now()); until > 0 && l.o.script == nil {
			l.pause(ctx, l.wall(until-l.now()))
			continue
		}
		started := l.o.Now()
		err := l.connect(ctx)
		l.lost()
		if ctx.Err() != nil || errors.Is(err, errDone) {
			break
		}
		if l.ackedHere == acked {
			vain++
		} else {
			vain, acked = 0, l.ackedHere
		}
		patience := l.o.GiveUp
		if acked > 0 {
			patience *= 5
		}
		if patience > 0 && vain >= patience {
			break
		}
		l.o.Logger.DebugContext(ctx, "logger link lost", slog.String("mn", l.f.mn), slog.Any("error", err))
		if l.o.Now().Sub(started) > 20*time.Second {
			wait = time.Second
		}
		l.pause(ctx, wait/2+time.Duration(mix(l.p.seed^uint64(l.now()))%uint64(wait)))
		wait = min(wait*2, 30*time.Second)
	}
	for _, u := range l.queue {
		if u.tries > 0 || l.o.script != nil {
			l.stats.Unacked.Add(1)
		}
	}
	return nil
}

// begin sets the clock and takes up the records since o.Since.
func (l *Logger) begin() {
	l.start = l.o.Now()
	if !l.o.Epoch.IsZero() {
		l.shift = l.o.Epoch.UnixMilli() - l.start.UnixMilli()
	}
	if l.o.script != nil {
		l.queue, l.o.Backlog = l.o.script, len(l.o.script)
		return
	}
	if l.o.Since.IsZero() {
		l.o.Since = time.UnixMilli(l.now())
	}
	// A day before, as History does: what ended before midnight may be due, or
	// wait for the end of an outage, after it.
	l.walk = newWalker(l.p, l.sched, floorDiv(l.o.Since.Unix(), 60)-1440)
	l.walk.interval = l.minuteInterval
	step := max(1000, l.realtimeEvery.Milliseconds())
	// Each logger has a phase of its own, or all would speak in the same second.
	l.nextRealtime = l.now() + int64(l.p.seed%uint64(min(step, 30_000)))
	l.nextState = l.now() + 5000
}

// minuteInterval is what the host set with 1064, else what the registry says.
func (l *Logger) minuteInterval(minute int64) int {
	if l.minuteEvery > 0 && minute >= l.minuteFrom {
		return l.minuteEvery
	}
	if l.o.Minute > 0 {
		return l.o.Minute
	}
	return l.p.minuteInterval(minute)
}

// outage returns the end (ms) of the scheduled outage at now; 0 = none.
func (l *Logger) outage(now int64) int64 {
	e, to := l.sched.at(l.p.index, floorDiv(now, 60_000))
	switch e.role {
	case powerOff:
		l.booted = false // it will say 2081 again
		return to * 60_000
	case linkDown:
		return to * 60_000
	default:
		return 0
	}
}

func (l *Logger) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(max(d, time.Millisecond))
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// errOutage ends a session because the schedule says so; errDead because the
// host stopped answering (HJ 212-2017 section 6.5: the link is held unusable).
var (
	errOutage = errors.New("scheduled outage")
	errDead   = errors.New("no ack after all re-sends")
	errDrop   = errors.New("link dropped before the ack")
	errDone   = errors.New("all sent and acked")
)

func (l *Logger) connect(ctx context.Context) error {
	d := net.Dialer{Timeout: 10 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", l.o.Addr)
	if err != nil {
		return fmt.Errorf("dial host: %w", err)
	}
	defer conn.Close()
	l.stats.Connects.Add(1)
	read, cancel := context.WithCancel(context.WithoutCancel(ctx)) // acks are read while draining, too
	defer cancel()
	in := make(chan []byte, 16)
	failed := make(chan error, 1)
	go func() { failed <- l.receive(read, conn, in) }()
	return l.session(ctx, conn, in, failed)
}

// receive hands over the data segments that come in.
func (l *Logger) receive(ctx context.Context, conn net.Conn, in chan<- []byte) error {
	sc := hj212.NewScanner(hj212.ScanOptions{})
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		sc.Feed(buf[:n])
		for {
			ev, ok := sc.Next()
			if !ok {
				break
			}
			if ev.Err != nil {
				continue // a logger does not answer what it cannot read
			}
			select {
			case in <- append([]byte(nil), ev.Seg...):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
}

func (l *Logger) session(ctx context.Context, conn net.Conn, in <-chan []byte, failed <-chan error) error {
	var pkt hj212.Packet
	timer := time.NewTimer(0)
	defer timer.Stop()
	stop := ctx.Done()
	var drained <-chan time.Time // set when draining
	for {
		now := l.now()
		if l.o.script == nil && l.outage(now) > 0 {
			return errOutage
		}
		if l.o.script == nil && drained == nil {
			l.collect(now)
		}
		if err := l.pump(conn, now, drained == nil); err != nil {
			return err
		}
		if len(l.pending) == 0 && (drained != nil || l.o.script != nil && len(l.queue) == 0) {
			return errDone
		}
		timer.Reset(l.nextWake(now))
		select {
		case <-stop:
			if l.o.Drain <= 0 {
				return ctx.Err()
			}
			end := time.NewTimer(l.o.Drain)
			defer end.Stop()
			stop, drained = nil, end.C
		case <-drained:
			return ctx.Err()
		case err := <-failed:
			return err
		case seg := <-in:
			if err := pkt.Parse(seg); err != nil {
				continue
			}
			if err := l.take(conn, &pkt); err != nil {
				return err
			}
		case <-timer.C:
		}
	}
}

// collect takes up the records that ended, and the instants that have come.
func (l *Logger) collect(now int64) {
	l.walk.advance(floorDiv(now, 60_000), func(k telemetry.Kind, start, end int64, w *window) {
		at, late := l.deliver.at(l.p.due(k, end))
		if at <= l.o.Since.UnixMilli() || l.o.Faults && l.skips(k, start, end) {
			return
		}
		_, frames := l.f.record(nil, k, start, at, false, w)
		if k == telemetry.KindDay && l.p.prof.equipment > 0 {
			frames = slices.Clone(frames) // the framer's list is used again
			_, more := l.f.runTimes(nil, l.sched, start, at+afterRecord, false)
			frames = append(frames, more...)
		}
		for _, f := range frames {
			u := l.upload(f)
			u.at, u.keep, u.resend = at, true, late
			l.enqueue(u)
		}
	})
	if !l.booted {
		l.booted = true
		if l.p.Version != 2005 { // 2005 has no 2081
			_, frames := l.f.powerOn(nil, now/1000, now/1000-40, l.uniqueQN(now))
			l.sendNow(frames, now)
		}
	}
	if now >= l.nextRealtime {
		every := max(l.realtimeEvery.Milliseconds(), 1)
		missed := (now - l.nextRealtime) / every
		l.nextRealtime += (missed + 1) * every
		if l.realtimeOn && l.realtimeEvery > 0 {
			l.sendNow(l.realtime(now), now)
		}
	}
	if now >= l.nextState {
		l.nextState = (now/3600_000+1)*3600_000 + 10_000
		if l.stateOn && l.p.prof.equipment > 0 {
			_, frames := l.f.equipment(nil, 2021, now/1000, l.uniqueQN(now), false, l.running(now))
			l.sendNow(frames, now)
		}
	}
}

// skips reports that the record of [start, end), Unix seconds, is kept but not
// uploaded.
func (l *Logger) skips(k telemetry.Kind, start, end int64) bool {
	return k == telemetry.KindMinute && end-start == 60 && l.sched.skipping(l.p.index, floorDiv(start, 60), floorDiv(l.o.Since.Unix(), 60)-skipLength)
}

// realtime makes the 2011 upload of this instant.
func (l *Logger) realtime(now int64) []outFrame {
	var s sample
	l.live.at(floorDiv(now, 60_000), &s)
	if !s.on {
		return nil
	}
	_, frames := l.f.realtime(nil, now/1000, l.uniqueQN(now), false, &s)
	if l.o.Faults && l.chance(5, 257) { // some loggers split what would fit
		l.f.out = l.f.out[:0]
		l.f.split(nil, 2011, now/1000, l.uniqueQN(now), false, len(l.f.cp)/2)
		l.lastQN += int64(len(l.f.out))
		frames = l.f.out
	}
	return frames
}

// running gives the equipment states of 2021: 1 running, 0 off, 3 maintenance.
func (l *Logger) running(now int64) func(int) string {
	e, _ := l.sched.at(l.p.index, floorDiv(now, 60_000))
	return func(n int) string {
		switch {
		case e.role == stopped:
			return "0"
		case e.role == maintenance && n == 1:
			return "3"
		}
		return "1"
	}
}

// uniqueQN returns an instant not used before by this logger: QN names one
// exchange. It does not fall on the ms of a statistics record.
func (l *Logger) uniqueQN(ms int64) int64 {
	l.lastQN = max(ms, l.lastQN+1)
	return l.lastQN
}

// upload wraps a data frame.
func (l *Logger) upload(f outFrame) *upload {
	return &upload{qn: string(hj212.AppendQN(nil, time.UnixMilli(f.qn))), plain: f.raw, data: true, ack: l.f.wantsAck()}
}

func (l *Logger) sendNow(frames []outFrame, now int64) {
	for _, f := range frames {
		u := l.upload(f)
		u.at, u.keep = now, l.o.KeepRealtime
		l.enqueue(u)
	}
}

// enqueue keeps the queue in order of time and within its bound.
func (l *Logger) enqueue(u *upload) {
	i := len(l.queue)
	for i > 0 && l.queue[i-1].at > u.at {
		i--
	}
	l.queue = append(l.queue, nil)
	copy(l.queue[i+1:], l.queue[i:])
	l.queue[i] = u
	if n := len(l.queue) - l.o.Backlog; n > 0 {
		l.stats.Dropped.Add(int64(n))
		l.queue = append([]*upload(nil), l.queue[n:]...)
	}
}

// lost puts back what was not acked and forgets what loggers do not keep.
func (l *Logger) lost() {
	l.replies = nil
	for qn, u := range l.pending {
		delete(l.pending, qn)
		if u.keep {
			l.enqueue(u)
			continue
		}
		l.stats.Dropped.Add(1)
	}
	kept := l.queue[:0]
	for _, u := range l.queue {
		if u.keep {
			kept = append(kept, u)
		}
	}
	l.queue = kept
}

// sendWindow is how many uploads may wait for their ack at once.
const sendWindow = 8

// lateAfter (ms) is when an upload counts as re-sent history (RF=1).
const lateAfter = 120_000

// pump repeats what was not answered and, unless the logger is about to stop,
// sends what is due.
func (l *Logger) pump(conn net.Conn, now int64, fresh bool) error {
	for _, u := range l.pending {
		if l.o.Now().Before(u.deadline) {
			continue
		}
		if u.tries > l.reCount {
			return errDead
		}
		if err := l.send(conn, u); err != nil {
			return err
		}
	}
	for len(l.replies) > 0 && len(l.pending) < sendWindow {
		u := l.replies[0]
		if u.closing && len(l.pending) > 0 || l.underWay(u) {
			break
		}
		l.replies = l.replies[1:]
		if err := l.send(conn, u); err != nil {
			return err
		}
	}
	for fresh && len(l.queue) > 0 && len(l.pending) < sendWindow && l.queue[0].at <= now {
		u := l.queue[0]
		if l.underWay(u) {
			break
		}
		l.queue = l.queue[1:]
		if now-u.at > lateAfter {
			u.resend = true
		}
		if err := l.send(conn, u); err != nil {
			l.pending[u.qn] = u // lost() decides what becomes of it
			return err
		}
	}
	return nil
}

// underWay reports that a frame with the same QN waits for its ack: at high
// speed a real-time frame can fall on the instant of a record, and one ack
// would then stand for both.
func (l *Logger) underWay(u *upload) bool {
	_, busy := l.pending[u.qn]
	return u.ack && busy
}

// send writes an upload, with the faults that are switched on.
func (l *Logger) send(conn net.Conn, u *upload) error {
	raw, err := l.wire(u)
	if err != nil {
		return err
	}
	first := u.tries == 0
	u.tries++
	switch {
	case !first:
		l.stats.Resent.Add(1)
	case u.data || u.ack: // not what is said in a dialogue
		l.stats.Sent.Add(1)
	}
	if u.ack {
		u.deadline = l.o.Now().Add(l.overTime)
		l.pending[u.qn] = u
	}
	if l.o.Faults && first && u.ack {
		return l.sendFaulty(conn, raw)
	}
	_, err = conn.Write(append(raw, "\r\n"...))
	return err
}

// wire is the frame as it goes out: with RF where it is late and the version
// knows it, encrypted where the logger has a key and the command is data
// (HJ 212-2025).
func (l *Logger) wire(u *upload) ([]byte, error) {
	raw := append(make([]byte, 0, len(u.plain)+16), u.plain...)
	if u.resend && l.p.Version == 2025 {
		raw = markResent(raw)
	}
	if l.key == nil || !u.data {
		return raw, nil
	}
	enc, err := hj212.AppendEncrypted(nil, raw[6:len(raw)-4], l.key)
	if err != nil {
		return nil, fmt.Errorf("encrypt frame: %w", err)
	}
	return trimCRLF(enc), nil
}

// chance is true once in n sendings, at a place that depends on the logger.
func (l *Logger) chance(salt, n uint64) bool {
	return mix(l.p.seed^salt<<32^l.sendings)%n == 0
}

func (l *Logger) sendFaulty(conn net.Conn, raw []byte) error {
	l.sendings++
	raw = append(raw, "\r\n"...)
	switch {
	case l.chance(1, 211): // the CRC is wrong; the re-send will be right
		bad := append([]byte(nil), raw...)
		copy(bad[len(bad)-6:], "BAD0")
		raw = bad
	case l.chance(2, 173): // the same frame twice
		raw = append(raw, raw...)
	case l.chance(3, 97): // in pieces
		third := len(raw) / 3
		for _, piece := range [][]byte{raw[:1], raw[1:third]} {
			if _, err := conn.Write(piece); err != nil {
				return err
			}
		}
		raw = raw[third:]
	case l.chance(4, 307): // modem chatter before the frame
		raw = append([]byte("\r\n+CMTI: \"SM\",1\r\n"), raw...)
	case l.chance(6, 401): // the link breaks after the upload and before the ack
		if _, err := conn.Write(raw); err != nil {
			return err
		}
		return errDrop
	}
	_, err := conn.Write(raw)
	return err
}

// nextWake is how long the session may sleep.
func (l *Logger) nextWake(now int64) time.Duration {
	next := now + 3600_000
	if l.o.script == nil {
		next = min(l.nextState, (now/60_000+1)*60_000) // records and outages begin on minutes
	}
	if l.o.script == nil && l.realtimeOn && l.realtimeEvery > 0 {
		next = min(next, l.nextRealtime)
	}
	if len(l.queue) > 0 && len(l.pending) < sendWindow {
		next = min(next, l.queue[0].at)
	}
	d := l.wall(next - now)
	for _, u := range l.pending {
		d = min(d, u.deadline.Sub(l.o.Now()))
	}
	return max(d, time.Millisecond)
}

// acked notes the host's 9014 for an upload.
func (l *Logger) acked(qn string) {
	if _, ok := l.pending[qn]; ok {
		delete(l.pending, qn)
		l.stats.Acked.Add(1)
		l.ackedHere++
	}
}

// markResent inserts RF=1 before CP and mends length and CRC.
func markResent(raw []byte) []byte {
	const cp = ";CP=&&"
	for i := 6; i+len(cp) < len(raw); i++ {
		if string(raw[i:i+len(cp)]) == cp {
			seg := append([]byte(nil), raw[i:len(raw)-4]...)
			raw = append(append(raw[:i], ";RF=1"...), seg...)
			return closeFrame(raw, 0)
		}
	}
	return raw
}
