package app

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"plateau/hj212"
)

const (
	laneWait   = 30 * time.Second // how long the next acknowledgement, or room for the next frame, may take
	lanePause  = time.Second      // before another connection is tried
	laneVain   = 3                // connections in a row without an acknowledgement, then the lane gives up
	laneWindow = 8192             // frames that may wait for their acknowledgement
)

// lane carries frames over one connection. A connection that fails or falls
// silent is replaced, and what was not acknowledged goes out again: the store
// keeps nothing twice, so that neither a lost answer nor a lost frame leaves the
// history waiting or with a hole.
type lane struct {
	addr        string
	frames      <-chan []byte
	wait, pause time.Duration
	log         *slog.Logger

	mu      sync.Mutex
	waiting []sentFrame // for their acknowledgement, in the order sent
	acked   int
}

// sentFrame is a frame by what its acknowledgement names.
type sentFrame struct {
	qn  string // "" = none is wanted
	raw []byte
}

// wallClock is the clock of socket deadlines, which the system compares with
// real time whatever the program's clock says.
var wallClock = time.Now //nolint:forbidigo // see above

var errSilent = errors.New("nothing is acknowledged")

// run returns when frames is closed and all that came is acknowledged. It fails
// with the context's cause, or when several connections in a row brought nothing.
func (l *lane) run(ctx context.Context) error {
	for vain := 1; ; vain++ {
		before := l.ackedSoFar()
		err := l.connect(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		if l.ackedSoFar() > before {
			vain = 0
		}
		if vain >= laneVain {
			return fmt.Errorf("%d frames were not acknowledged: %w", l.open(), err)
		}
		l.log.WarnContext(ctx, "history is sent again over another connection", slog.Int("frames", l.open()), slog.String("error", err.Error()))
		select {
		case <-time.After(l.pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// connect sends over one connection: first what an earlier one left open.
func (l *lane) connect(ctx context.Context) error {
	d := net.Dialer{Timeout: l.wait}
	conn, err := d.DialContext(ctx, "tcp", l.addr)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	acks, ended := make(chan struct{}, 1), make(chan error, 1)
	go func() { ended <- l.listen(conn, acks) }()
	err = l.send(ctx, conn, acks, ended)
	if half, ok := conn.(*net.TCPConn); ok && err == nil {
		// The host closes when it has stored what wants no acknowledgement, too.
		_ = conn.SetReadDeadline(wallClock().Add(l.wait))
		_ = half.CloseWrite()
	} else {
		_ = conn.Close()
	}
	<-ended //nolint:errcheck // why it ended is known; what is read late must not count into the next connection
	stop()
	_ = conn.Close()
	return err
}

func (l *lane) send(ctx context.Context, conn net.Conn, acks <-chan struct{}, ended chan error) error {
	out := bufio.NewWriterSize(patient{conn, l.wait}, 1<<16)
	l.mu.Lock()
	again := slices.Clone(l.waiting)
	l.mu.Unlock()
	for i := range again {
		if err := write(out, again[i].raw); err != nil {
			return err
		}
	}
	silence := time.NewTimer(l.wait)
	defer silence.Stop()
	frames := l.frames
	for {
		open := l.open()
		if frames == nil && open == 0 {
			return out.Flush()
		}
		from := frames
		if open >= laneWindow {
			from = nil
		}
		if len(from) == 0 { // the peer must not wait for the rest of a frame
			if err := out.Flush(); err != nil {
				return err
			}
		}
		select {
		case f, ok := <-from:
			if !ok {
				frames = nil
				continue
			}
			if open == 0 {
				silence.Reset(l.wait)
			}
			if qn := wantsAck(f); qn != "" {
				l.mu.Lock()
				l.waiting = append(l.waiting, sentFrame{qn, f})
				l.mu.Unlock()
			}
			if err := write(out, f); err != nil {
				return err
			}
		case <-acks:
			silence.Reset(l.wait)
		case <-silence.C:
			if open > 0 {
				return fmt.Errorf("%w in %s", errSilent, l.wait)
			}
		case err := <-ended:
			ended <- err // for connect
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func write(out *bufio.Writer, frame []byte) error {
	_, err := out.Write(frame)
	if err == nil {
		_, err = out.WriteString("\r\n")
	}
	return err
}

// patient gives up writing to a peer that takes nothing for so long.
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

// listen takes acknowledgements until the connection ends; it always returns an
// error. What the host asks meanwhile is left unanswered.
func (l *lane) listen(r io.Reader, acks chan<- struct{}) error {
	s := hj212.NewScanner(hj212.ScanOptions{})
	var p hj212.Packet
	for {
		if _, err := s.Fill(r); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		for ev, ok := s.Next(); ok; ev, ok = s.Next() {
			if ev.Err != nil || p.Parse(ev.Seg) != nil || p.Command() != hj212.CNDataAck {
				continue
			}
			if l.confirm(string(p.RequestNumber())) {
				select {
				case acks <- struct{}{}:
				default:
				}
			}
		}
	}
}

// confirm takes the frame that an acknowledgement is of off the list: nearly
// always the first.
func (l *lane) confirm(qn string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.waiting, func(f sentFrame) bool { return f.qn == qn })
	if i < 0 {
		return false
	}
	l.acked++
	if i == 0 {
		l.waiting = l.waiting[1:]
	} else {
		l.waiting = slices.Delete(l.waiting, i, i+1)
	}
	return true
}

func (l *lane) open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting)
}

func (l *lane) ackedSoFar() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acked
}

// wantsAck is the request number that a frame's acknowledgement will name, ""
// when it asks for none. The header of an encrypted frame can be read all the
// same.
func wantsAck(frame []byte) string {
	var p hj212.Packet
	seg, err := hj212.Segment(frame)
	if err == nil && p.Parse(seg) == nil {
		if _, wanted, _, _ := p.FlagBits(); wanted {
			return string(p.RequestNumber())
		}
		return ""
	}
	_, rest, _ := bytes.Cut(frame, []byte("QN="))
	qn, _, _ := bytes.Cut(rest, []byte(";"))
	return string(qn)
}
