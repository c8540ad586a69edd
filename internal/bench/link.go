package bench

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// link carries many connections over one socket, so that the loggers can be in
// another process than the gateway though no file is open for each of them. A
// message on it is the number of a connection, a length, and so many bytes; the
// length 0 opens a connection that is new and ends one that is known. What has
// come for a connection waits in memory until it is read; there is no bound,
// because the load is known.
type link struct {
	nc     net.Conn
	accept func(*memConn) // nil: nothing is opened from the other side

	out   sync.Mutex
	mu    sync.Mutex
	conns map[uint32]*memConn
}

const linkHead = 6

func newLink(nc net.Conn, accept func(*memConn)) *link {
	return &link{nc: nc, accept: accept, conns: map[uint32]*memConn{}}
}

// open makes a connection.
func (l *link) open(id uint32) (*memConn, error) {
	c := l.add(id)
	return c, l.send(id, nil)
}

func (l *link) add(id uint32) *memConn {
	c := &memConn{l: l, id: id}
	c.more.L = &c.mu
	l.mu.Lock()
	l.conns[id] = c
	l.mu.Unlock()
	return c
}

// run takes messages until the socket ends, and with it all connections.
func (l *link) run() error {
	in := bufio.NewReaderSize(l.nc, 64<<10)
	for {
		var head [linkHead]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			l.mu.Lock()
			defer l.mu.Unlock()
			for _, c := range l.conns {
				c.end()
			}
			if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		id, n := binary.BigEndian.Uint32(head[:]), int(binary.BigEndian.Uint16(head[4:]))
		l.mu.Lock()
		c := l.conns[id]
		l.mu.Unlock()
		switch {
		case c == nil && n == 0 && l.accept != nil:
			l.accept(l.add(id))
		case c == nil: // ended here already
			if _, err := in.Discard(n); err != nil {
				return err
			}
		case n == 0:
			l.drop(id)
			c.end()
		default:
			if err := c.take(in, n); err != nil {
				return err
			}
		}
	}
}

func (l *link) drop(id uint32) {
	l.mu.Lock()
	delete(l.conns, id)
	l.mu.Unlock()
}

// send writes one message at once, as one write of a socket of its own would be.
func (l *link) send(id uint32, p []byte) error {
	var buf [1024]byte
	b := binary.BigEndian.AppendUint32(buf[:0], id)
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(p))), p...)
	l.out.Lock()
	defer l.out.Unlock()
	_, err := l.nc.Write(b)
	return err
}

// memConn is one connection of a link.
type memConn struct {
	l  *link
	id uint32

	mu       sync.Mutex
	more     sync.Cond
	buf      []byte
	ended    bool
	expired  bool
	deadline time.Time
	timer    *time.Timer
}

func (c *memConn) take(in io.Reader, n int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	from := len(c.buf)
	c.buf = append(c.buf, make([]byte, n)...)
	if _, err := io.ReadFull(in, c.buf[from:]); err != nil {
		return err
	}
	c.more.Signal()
	return nil
}

func (c *memConn) end() {
	c.mu.Lock()
	c.ended = true
	c.more.Broadcast()
	c.mu.Unlock()
}

// Read implements net.Conn.
func (c *memConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.buf) == 0 && !c.ended && !c.expired {
		c.more.Wait()
	}
	switch {
	case c.expired:
		return 0, os.ErrDeadlineExceeded
	case len(c.buf) == 0:
		return 0, io.EOF
	}
	n := copy(p, c.buf)
	if c.buf = c.buf[n:]; len(c.buf) == 0 {
		c.buf = nil
	}
	return n, nil
}

// Write implements net.Conn.
func (c *memConn) Write(p []byte) (int, error) {
	for n := 0; n < len(p); {
		part := p[n:min(len(p), n+1<<15)]
		if err := c.l.send(c.id, part); err != nil {
			return n, err
		}
		n += len(part)
	}
	return len(p), nil
}

// Close implements net.Conn.
func (c *memConn) Close() error {
	c.mu.Lock()
	again := c.ended
	c.ended = true
	if c.timer != nil {
		c.timer.Stop()
	}
	c.more.Broadcast()
	c.mu.Unlock()
	if again {
		return nil
	}
	c.l.drop(c.id)
	return c.l.send(c.id, nil)
}

// SetReadDeadline implements net.Conn.
func (c *memConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline, c.expired = t, false
	wait := time.Until(t)
	switch {
	case t.IsZero():
		if c.timer != nil {
			c.timer.Stop()
		}
	case wait <= 0:
		c.expired = true
		c.more.Broadcast()
	case c.timer == nil:
		c.timer = time.AfterFunc(wait, c.expire)
	default:
		c.timer.Reset(wait)
	}
	return nil
}

func (c *memConn) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.deadline.IsZero() && time.Until(c.deadline) <= 0 { // else it was moved meanwhile
		c.expired = true
		c.more.Broadcast()
	}
}

// SetWriteDeadline implements net.Conn; the other process always reads.
func (c *memConn) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline implements net.Conn.
func (c *memConn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// LocalAddr implements net.Conn.
func (c *memConn) LocalAddr() net.Addr { return c.l.nc.LocalAddr() }

// RemoteAddr implements net.Conn with an address that tells connections apart.
func (c *memConn) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(10, byte(c.id>>16), byte(c.id>>8), byte(c.id)), Port: 9212}
}

// linkListener hands out the connections that come over links.
type linkListener struct {
	sock  net.Listener
	conns chan *memConn
	done  chan struct{}
	once  sync.Once
}

func newLinkListener(sock net.Listener) *linkListener {
	l := &linkListener{sock: sock, conns: make(chan *memConn, 64), done: make(chan struct{})}
	go func() {
		for {
			nc, err := sock.Accept()
			if err != nil {
				return
			}
			go func() {
				_ = newLink(nc, func(c *memConn) { l.conns <- c }).run()
			}()
		}
	}()
	return l
}

// Accept implements net.Listener.
func (l *linkListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *linkListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.sock.Close()
}

// Addr implements net.Listener.
func (l *linkListener) Addr() net.Addr { return l.sock.Addr() }
