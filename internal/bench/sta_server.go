package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"plateau/internal/app"
)

// staServer is the program under measurement.
type staServer struct {
	addr, token string
	stop        func() error
}

var (
	httpLine  = regexp.MustCompile(`(?m)^http: http://(\S+)$`)
	tokenLine = regexp.MustCompile(`(?m)^operator token: (\S+)$`)
)

// startSTA starts the program as for a trial, which prints a token.
func startSTA(ctx context.Context, c *Config, dir string) (*staServer, error) {
	var printed syncBuffer
	s := &staServer{}
	if c.Program == "" {
		a, err := app.New(ctx, app.Options{
			Flags:  map[string]string{"data": dir, "http.addr": "127.0.0.1:0", "hj212.addr": "127.0.0.1:0", "hj212.adopt_unknown": "true", "sensorthings.rate": "0"},
			Stdout: &printed, Stderr: io.Discard, Now: c.Now,
		})
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithCancel(ctx)
		served := make(chan error, 1)
		go func() { served <- a.Serve(ctx) }()
		s.stop = func() error {
			cancel()
			return errors.Join(<-served, a.Close())
		}
	} else {
		cmd := exec.CommandContext(ctx, c.Program, "serve", "--data", dir, "--http", "127.0.0.1:0", "--hj212", "127.0.0.1:0", "--adopt-unknown")
		cmd.Env = append(os.Environ(), "PLATEAU_SENSORTHINGS_RATE=0")
		cmd.Stdout, cmd.Cancel = &printed, func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		if err := cmd.Start(); err != nil {
			return nil, fmt.Errorf("start the server: %w", err)
		}
		s.stop = func() error {
			return errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Wait())
		}
	}
	for range 600 {
		if a, t := httpLine.FindSubmatch(printed.bytes()), tokenLine.FindSubmatch(printed.bytes()); a != nil && t != nil {
			s.addr, s.token = string(a[1]), string(t[1])
			return s, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), s.stop())
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil, errors.Join(fmt.Errorf("bench: the server printed no address and token: %q", printed.bytes()), s.stop())
}

// syncBuffer is a buffer that one writes and another reads.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) bytes() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.b.Bytes())
}

// staConn is one keep-alive connection. It speaks as little HTTP as it can,
// because it shares the processor with what it measures.
type staConn struct {
	c    net.Conn
	r    *bufio.Reader
	head string
	buf  []byte
	body []byte
}

func (s *staServer) dial(ctx context.Context) (*staConn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return nil, err
	}
	return &staConn{c: c, r: bufio.NewReaderSize(c, 64<<10), head: "\r\nHost: " + s.addr + "\r\nAuthorization: Bearer " + s.token + "\r\nContent-Type: application/json\r\nContent-Length: "}, nil
}

func (k *staConn) close() { _ = k.c.Close() }

// ask sends a request and returns the body of the answer, which holds until the
// next one.
func (k *staConn) ask(method, path string, body []byte, want int) ([]byte, error) {
	b := append(append(append(append(k.buf[:0], method...), " /sta/v1.1"...), path...), " HTTP/1.1"...)
	b = strconv.AppendInt(append(b, k.head...), int64(len(body)), 10)
	k.buf = append(append(b, "\r\n\r\n"...), body...)
	if _, err := k.c.Write(k.buf); err != nil {
		return nil, err
	}
	status, length := 0, -1
	for first := true; ; first = false {
		line, err := k.r.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case first:
			f := strings.Fields(string(line))
			if len(f) < 2 {
				return nil, fmt.Errorf("bench: status line %q", line)
			}
			status, _ = strconv.Atoi(f[1])
		case len(line) > 15 && strings.EqualFold(string(line[:15]), "content-length:"):
			length, _ = strconv.Atoi(strings.TrimSpace(string(line[15:])))
		}
		if len(line) == 0 {
			break
		}
	}
	var err error
	if k.body, err = k.readBody(k.body[:0], length); err != nil {
		return nil, err
	}
	if status != want {
		return nil, fmt.Errorf("bench: %s %s: status %d: %.300s", method, path, status, k.body)
	}
	return k.body, nil
}

// readBody reads a body of a length, or one in chunks where that is below 0.
func (k *staConn) readBody(b []byte, length int) ([]byte, error) {
	more := func(n int) error {
		at := len(b)
		b = append(b, make([]byte, n)...)
		_, err := io.ReadFull(k.r, b[at:])
		return err
	}
	if length >= 0 {
		err := more(length)
		return b, err
	}
	for {
		line, err := k.r.ReadSlice('\n')
		if err != nil {
			return b, err
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(line)), 16, 32)
		if err != nil {
			return b, fmt.Errorf("bench: length of a chunk: %w", err)
		}
		if err := more(int(n) + 2); err != nil {
			return b, err
		}
		b = b[:len(b)-2]
		if n == 0 {
			return b, nil
		}
	}
}
