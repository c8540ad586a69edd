package simulator

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"plateau/hj212"
)

// LoadOptions sets up a load on a host.
type LoadOptions struct {
	Addr     string
	Conns    int           // loggers, each with a connection and an MN of its own; default 1,000
	Frames   int64         // frames in all; 0: until Duration
	Duration time.Duration // 0: until Frames
	Window   int           // frames under way on a connection; default 32
	Factors  int           // values a frame; default 10, at most as many
	Password string        // default 123456
	Start    time.Time     // DataTime of the first frames; default 12 h before now. Each later one is a second on
	Now      func() time.Time
}

// LoadResult is what a load came to. Latency is from the write of a frame to
// the read of its ack, in the sense of the load generator.
type LoadResult struct {
	Conns               int
	Sent, Acked         int64
	Elapsed             time.Duration
	PerSecond           float64
	P50, P90, P99, Slow time.Duration // Slow: the slowest
}

// Load keeps a window of real-time frames under way on each connection and
// counts the acks. It is light, since it shares the machine with the host:
// frames are templates patched in place (QN, DataTime, digits of the values,
// CRC), one write carries a window, acks are walked by their length. It fails
// when connections cannot be made or break.
func Load(ctx context.Context, o LoadOptions) (LoadResult, error) {
	if o.Conns <= 0 {
		o.Conns = 1000
	}
	if o.Window <= 0 {
		o.Window = 32
	}
	if o.Factors <= 0 || o.Factors > len(loadFactors) {
		o.Factors = len(loadFactors)
	}
	if o.Password == "" {
		o.Password = "123456"
	}
	if o.Frames <= 0 && o.Duration <= 0 {
		return LoadResult{}, errors.New("load: give a number of frames or a duration")
	}
	if o.Start.IsZero() {
		o.Start = o.Now().Add(-12 * time.Hour).Truncate(time.Second)
	}
	conns, err := dialLoad(ctx, o)
	defer func() {
		for _, c := range conns {
			if c != nil {
				c.conn.Close()
			}
		}
	}()
	if err != nil {
		return LoadResult{}, err
	}
	begin := o.Now()
	if o.Duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.Duration)
		defer cancel()
	}
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	for i, c := range conns {
		quota := int64(1) << 62
		if o.Frames > 0 {
			quota = o.Frames / int64(o.Conns)
			if int64(i) < o.Frames%int64(o.Conns) {
				quota++
			}
		}
		wg.Go(func() {
			if err := c.run(ctx, quota); err != nil {
				failed.CompareAndSwap(nil, &err)
			}
		})
	}
	wg.Wait()
	res := LoadResult{Conns: o.Conns, Elapsed: o.Now().Sub(begin)}
	var h histogram
	for _, c := range conns {
		res.Sent += c.sent
		res.Acked += c.acked
		h.merge(&c.hist)
	}
	res.PerSecond = float64(res.Acked) / res.Elapsed.Seconds()
	res.P50, res.P90, res.P99, res.Slow = h.quantile(0.5), h.quantile(0.9), h.quantile(0.99), h.quantile(1)
	if e := failed.Load(); e != nil {
		return res, *e
	}
	return res, nil
}

// dialLoad opens all connections, some at a time.
func dialLoad(ctx context.Context, o LoadOptions) ([]*loadConn, error) {
	conns := make([]*loadConn, o.Conns)
	errs := make([]error, o.Conns)
	var wg sync.WaitGroup
	slots := make(chan struct{}, 64)
	for i := range conns {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			var d net.Dialer
			c, err := d.DialContext(ctx, "tcp", o.Addr)
			if err != nil {
				errs[i] = fmt.Errorf("load: connection %d: %w", i+1, err)
				return
			}
			conns[i] = newLoadConn(c, o, i)
		})
	}
	wg.Wait()
	return conns, errors.Join(errs...)
}

// loadFactors are the ten values of a frame, as of a stack under HJ 75-2017.
var loadFactors = []string{"a34013", "a21026", "a21002", "a21005", "a19001", "a01011", "a01012", "a01013", "a01014", "a00000"}

// LoadMN is the MN of the i-th connection of Load.
func LoadMN(i int) string { return fmt.Sprintf("10AD00000000%012X", i+1) }

// loadConn is one logger of the load.
type loadConn struct {
	conn        net.Conn
	now         func() time.Time
	start       int64 // Unix seconds of the first frame
	step        int64 // seconds from one frame to the next
	window      int
	template    []byte // a frame with CR LF
	qn, at, crc int    // where QN, DataTime and CRC stand
	values      []int  // where the last digits of the values stand
	chance      uint64

	out    []byte
	in     []byte
	filled int
	sentAt []int64 // ns of the write, by frame modulo window
	sent   int64
	acked  int64
	hist   histogram
}

func newLoadConn(c net.Conn, o LoadOptions, i int) *loadConn {
	l := &loadConn{conn: c, now: o.Now, start: o.Start.Unix(), step: 1, window: o.Window, chance: mix(uint64(i))}
	b := []byte("##0000QN=")
	l.qn = len(b)
	b = append(b, "20000101000000000;ST=31;CN=2011;PW="+o.Password+";MN="+LoadMN(i)+";Flag=5;CP=&&DataTime="...)
	l.at = len(b)
	b = append(b, "20000101000000"...)
	for k, f := range loadFactors[:o.Factors] {
		b = append(b, fmt.Sprintf(";%s-Rtd=%d.%03d", f, 5+k*7, 100)...)
		l.values = append(l.values, len(b)-3)
		b = append(b, ","+f+"-Flag=N"...)
	}
	b = closeFrame(append(b, "&&"...), 0)
	l.crc = len(b) - 4
	l.template = append(b, "\r\n"...)
	l.in = make([]byte, 16<<10)
	l.sentAt = make([]int64, o.Window)
	return l
}

// run keeps the window full until quota frames are acked or ctx ends; then it
// waits for the acks still under way.
func (l *loadConn) run(ctx context.Context, quota int64) error {
	for l.acked < l.sent || l.sent < quota && ctx.Err() == nil {
		// Refill by half windows: one write for many frames.
		if room := int64(l.window) - (l.sent - l.acked); l.sent < quota && ctx.Err() == nil && (room >= int64(l.window+1)/2) {
			if err := l.write(min(room, quota-l.sent)); err != nil {
				return fmt.Errorf("load: write: %w", err)
			}
		}
		if err := l.read(); err != nil {
			return fmt.Errorf("load: after %d of %d acks: %w", l.acked, l.sent, err)
		}
	}
	return nil
}

func (l *loadConn) write(n int64) error {
	l.out = l.out[:0]
	for k := range n {
		from := len(l.out)
		l.out = append(l.out, l.template...)
		l.patch(l.out[from:], l.start+l.sent+k)
	}
	at := l.now().UnixNano()
	for k := range n {
		l.sentAt[(l.sent+k)%int64(l.window)] = at
	}
	l.sent += n
	_, err := l.conn.Write(l.out)
	return err
}

// patch writes time, values and CRC into a copy of the template.
func (l *loadConn) patch(f []byte, sec int64) {
	hj212.AppendTime(f[l.at:l.at], time.Unix(sec, 0))
	copy(f[l.qn:], f[l.at:l.at+14])
	r := l.chance*6364136223846793005 + 1442695040888963407
	l.chance = r
	for _, v := range l.values {
		d := r & 1023
		r = bits.RotateLeft64(r, 11)
		f[v], f[v+1], f[v+2] = byte('0'+d/128), byte('0'+d/16%8), byte('0'+d%8)
	}
	appendCRC(f[l.crc:l.crc], hj212.CRC16(f[6:l.crc]))
}

// ackTimeout ends a load whose host stopped answering.
const ackTimeout = 30 * time.Second

// read takes what has come and counts the acks in it.
func (l *loadConn) read() error {
	if err := l.conn.SetReadDeadline(l.now().Add(ackTimeout)); err != nil {
		return err
	}
	n, err := l.conn.Read(l.in[l.filled:])
	if err != nil {
		return err
	}
	l.filled += n
	at := l.now().UnixNano()
	used := 0
	for {
		size, ns, ok := l.ack(l.in[used:l.filled], at)
		if !ok {
			break
		}
		used += size
		if ns > 0 {
			l.hist.add(ns)
		}
	}
	copy(l.in, l.in[used:l.filled])
	l.filled -= used
	if l.filled == len(l.in) {
		return errors.New("the host sends something else than acks")
	}
	return nil
}

// ack looks at one frame from the host. Its length field tells where it ends;
// CN=9014 in it makes it an ack, and its QN whose; ns is how long it took, 0
// where that is not known.
func (l *loadConn) ack(b []byte, at int64) (size int, ns int64, ok bool) {
	skip := 0
	for skip < len(b) && (b[skip] == '\r' || b[skip] == '\n') {
		skip++
	}
	b = b[skip:]
	if len(b) < 6 {
		return skip, 0, skip > 0
	}
	n := int(b[2]-'0')*1000 + int(b[3]-'0')*100 + int(b[4]-'0')*10 + int(b[5]-'0')
	if len(b) < 6+n+4 {
		return 0, 0, false
	}
	if f := b[6 : 6+n]; n > 40 && string(f[:3]) == "QN=" && string(f[21:33]) == "ST=91;CN=901" {
		sec, valid := secondsOf(f[3:17])
		if k := (sec - l.start) / l.step; valid && k >= 0 && k >= l.acked-int64(l.window) && k < l.sent {
			ns = max(1, at-l.sentAt[k%int64(l.window)])
		}
		l.acked++
	}
	return skip + 6 + n + 4, ns, true
}

// secondsOf reads the time stamp of a QN.
func secondsOf(b []byte) (int64, bool) {
	t, err := hj212.ParseTime(b)
	return t.Unix(), err == nil
}

// histogram counts durations in buckets of about 6 %.
type histogram [64 * 16]int64

func (h *histogram) add(ns int64) {
	ns = max(ns, 1)
	e := bits.Len64(uint64(ns)) - 1
	m := 0
	if e >= 4 {
		m = int(ns>>(e-4)) & 15
	}
	h[e*16+m]++
}

func (h *histogram) merge(o *histogram) {
	for i, n := range o {
		h[i] += n
	}
}

func (h *histogram) quantile(q float64) time.Duration {
	total := int64(0)
	for _, n := range h {
		total += n
	}
	want, seen := int64(q*float64(total)), int64(0)
	for i, n := range h {
		if seen += n; n > 0 && (seen >= want && seen > 0) {
			e, m := i/16, int64(i%16)
			if e < 4 {
				return time.Duration(int64(1) << e)
			}
			return time.Duration((16 + m) << (e - 4))
		}
	}
	return 0
}
