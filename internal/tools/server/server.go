// Package server runs the program as a child process, for the harnesses that
// kill it or watch it for long. It owns the process and nothing of what is in
// its folder.
package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Server is a running child.
type Server struct {
	HTTP, HJ212, Token string // http://HOST:PORT, HOST:PORT, operator's token
	cmd                *exec.Cmd
	out                io.Reader
	killed             atomic.Bool
	began              time.Time
	log                tail
	ended              chan struct{}
	err                error
}

// Start runs "bin serve" on a folder with free ports, unknown loggers let in and
// no limit of requests to SensorThings, and returns when it has printed its addresses.
func Start(ctx context.Context, bin, data string) (*Server, error) {
	s, err := Launch(ctx, bin, data)
	if err != nil {
		return nil, err
	}
	return s, s.Announced(20 * time.Second)
}

// Launch is Start without waiting for anything; Announced must be called.
func Launch(ctx context.Context, bin, data string) (*Server, error) {
	s := &Server{began: time.Now(), ended: make(chan struct{})}
	s.cmd = exec.CommandContext(ctx, bin, "serve", "--data", data, "--http", "127.0.0.1:0", "--hj212", "127.0.0.1:0", "--adopt-unknown")
	s.cmd.Env = append(os.Environ(), "PLATEAU_LOG_LEVEL=warn", "PLATEAU_SENSORTHINGS_RATE=0")
	s.cmd.Stderr = &s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.out = out
	return s, s.cmd.Start()
}

// Announced waits for the lines with its addresses.
func (s *Server) Announced(atMost time.Duration) error {
	late := time.AfterFunc(atMost, s.KillSoon)
	in := bufio.NewScanner(s.out)
	for s.Token == "" && in.Scan() {
		for name, to := range map[string]*string{"http: ": &s.HTTP, "hj212: ": &s.HJ212, "operator token: ": &s.Token} {
			if v, ok := strings.CutPrefix(in.Text(), name); ok {
				*to = v
			}
		}
	}
	late.Stop()
	go func() {
		_, _ = io.Copy(io.Discard, s.out)
		s.err = s.cmd.Wait()
		close(s.ended)
	}()
	if s.Token == "" {
		<-s.ended
		return fmt.Errorf("the server did not start: %w: %s", errors.Join(s.err, errors.New("no addresses")), s.log.String())
	}
	return nil
}

// PID is the number of the process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Log is the end of what it wrote to standard error.
func (s *Server) Log() string { return s.log.String() }

// Ready waits until the server says that it is ready, and returns the time
// since its start. A server that does not become ready is killed.
func (s *Server) Ready(ctx context.Context, atMost time.Duration) (took time.Duration, err error) {
	defer func() {
		if err != nil {
			s.Kill()
		}
	}()
	for {
		body, status, err := s.Get(ctx, "/readyz")
		if err == nil && status == http.StatusOK {
			return time.Since(s.began), nil
		}
		select {
		case <-s.ended:
			return 0, errors.Join(errors.New("the server ended: "+s.log.String()), s.err)
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
		if time.Since(s.began) > atMost {
			return 0, errors.Join(fmt.Errorf("not ready after %s: status %d: %s", atMost, status, body), err)
		}
	}
}

// Get asks with the operator's token.
func (s *Server) Get(ctx context.Context, path string) (body []byte, status int, err error) {
	return s.Do(ctx, http.MethodGet, path, nil)
}

// Do sends a request with the operator's token; a body is JSON.
func (s *Server) Do(ctx context.Context, method, path string, body []byte) ([]byte, int, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.HTTP+path, bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Authorization", "Bearer "+s.Token)
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = res.Body.Close() }()
	got, err := io.ReadAll(res.Body)
	return got, res.StatusCode, err
}

// Ask is Do of which another status than want is an error.
func (s *Server) Ask(ctx context.Context, method, path string, body []byte, want int) ([]byte, error) {
	got, status, err := s.Do(ctx, method, path, body)
	if err == nil && status != want {
		err = fmt.Errorf("status %d: %.300s", status, got)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return got, nil
}

// KillSoon ends the process at once (SIGKILL) and waits for nothing.
func (s *Server) KillSoon() {
	s.killed.Store(true)
	_ = s.cmd.Process.Kill()
}

// Killed reports whether it was killed here.
func (s *Server) Killed() bool { return s.killed.Load() }

// Kill ends the process at once and waits for its end.
func (s *Server) Kill() {
	s.KillSoon()
	<-s.ended
}

// Stop ends it as an operator does (SIGTERM).
func (s *Server) Stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-s.ended:
		return s.err
	case <-time.After(time.Minute):
		s.Kill()
		return errors.New("the server did not stop within a minute")
	}
}

// tail keeps the last bytes written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.b = append(t.b, p...); len(t.b) > 8192 {
		t.b = append(t.b[:0], t.b[len(t.b)-4096:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}
