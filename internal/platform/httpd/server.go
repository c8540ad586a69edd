package httpd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Limits of a connection. A page of a weak link may take long to send, so the
// writing limit is generous; the reading limits keep slow senders from holding
// connections. A handler that streams longer moves its own deadline with
// http.ResponseController.
const (
	headerWait = 10 * time.Second
	readWait   = 2 * time.Minute
	writeWait  = 5 * time.Minute
	idleWait   = 2 * time.Minute
	maxHeader  = 32 << 10
	drainWait  = 10 * time.Second
)

// Options configure a Server.
type Options struct {
	Addr    string       // host:port; port 0 is chosen
	Handler http.Handler // already inside Wrap
	Logger  *slog.Logger
	Drain   time.Duration // longest wait for running requests when stopping; 10 s
	TLS     *TLS          // nil = plain HTTP
}

// Server is the HTTP server.
type Server struct {
	http     http.Server
	addr     string
	drain    time.Duration
	listener net.Listener
}

// New makes a server.
func New(o Options) *Server {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Drain <= 0 {
		o.Drain = drainWait
	}
	s := &Server{addr: o.Addr, drain: o.Drain, http: http.Server{
		Handler:           o.Handler,
		ReadHeaderTimeout: headerWait,
		ReadTimeout:       readWait,
		WriteTimeout:      writeWait,
		IdleTimeout:       idleWait,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug), // handshakes and broken peers
	}}
	if o.TLS != nil {
		s.http.TLSConfig = o.TLS.Config.Clone() // net/http adds its protocols to it, and several servers may have the same
	}
	return s
}

// Listen opens the port and returns its address. Requests wait until Serve.
func (s *Server) Listen() (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", s.addr)
	if err != nil {
		return "", fmt.Errorf("listen for http: %w", err)
	}
	s.listener = l
	return l.Addr().String(), nil
}

// Serve answers requests until ctx ends, then lets running ones finish for at
// most Options.Drain and closes the rest. Requests keep running when ctx ends;
// their own context ends with their connection.
func (s *Server) Serve(ctx context.Context) error {
	if s.listener == nil {
		return errors.New("httpd: Listen was not called")
	}
	done := make(chan error, 1)
	go func() {
		if s.http.TLSConfig != nil {
			done <- s.http.ServeTLS(s.listener, "", "")
			return
		}
		done <- s.http.Serve(s.listener)
	}()
	select {
	case err := <-done:
		return fmt.Errorf("serve http: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.drain)
	defer cancel()
	err := s.http.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	if served := <-done; err == nil && !errors.Is(served, http.ErrServerClosed) {
		err = served
	}
	if err != nil {
		return fmt.Errorf("stop http: %w", err)
	}
	return nil
}
