package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ControlName is the socket in the data folder at which a running server takes
// orders from commands on the same machine. Who may open it may do so: the
// rights of the file are those of the data folder's owner.
const ControlName = "control.sock"

// maxOrder bounds an order; a list of all villages of a country fits.
const maxOrder = 256 << 20

// maxSocketPath is what fits into a socket address.
const maxSocketPath = 100

// order is what a command asks of the server: it runs until it is done or the
// command goes away. What it returns is the answer, as JSON.
type order func(ctx context.Context, q url.Values, progress func(done, total int64)) (any, error)

// controlLine is a line of the answer to an order.
type controlLine struct {
	Done   int64           `json:"done,omitempty"`
	Total  int64           `json:"total,omitempty"`
	Error  string          `json:"error,omitempty"`
	Answer json.RawMessage `json:"answer,omitempty"`
}

// listenControl opens the socket. A folder that can have none is only noted.
func (a *App) listenControl(ctx context.Context) {
	path := filepath.Join(a.c.Data, ControlName)
	_ = os.Remove(path) // of a server that was killed: the store's lock says there is no other
	name, done, err := socketPath(path)
	if err == nil {
		defer done()
		a.control, err = new(net.ListenConfig).Listen(ctx, "unix", name)
	}
	if err == nil {
		a.control.(*net.UnixListener).SetUnlinkOnClose(false) // its name may be a borrowed one
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		a.log.WarnContext(ctx, "no orders are taken while the server runs: backup works on the stopped server only", slog.String("file", path), slog.Any("error", err))
	}
}

// socketPath returns a name of path short enough for a socket address; done
// gives back what it needs meanwhile.
func socketPath(path string) (name string, done func(), err error) {
	if len(path) <= maxSocketPath {
		return path, func() {}, nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)), func() { _ = dir.Close() }, nil
}

// serveControl takes orders until ctx ends.
func (a *App) serveControl(ctx context.Context) error {
	if a.control == nil {
		<-ctx.Done()
		return nil
	}
	mux := http.NewServeMux()
	for name, o := range a.orders() {
		mux.HandleFunc("POST /"+name, func(w http.ResponseWriter, r *http.Request) { a.obey(ctx, w, r, name, o) })
	}
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }, ConnContext: withPeer}
	stop := context.AfterFunc(ctx, func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		_ = srv.Shutdown(end)
	})
	defer stop()
	err := srv.Serve(a.control)
	_ = os.Remove(filepath.Join(a.c.Data, ControlName))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// obey runs one order and writes its progress and its answer, one line each.
func (a *App) obey(ctx context.Context, w http.ResponseWriter, r *http.Request, name string, o order) {
	var mu sync.Mutex
	enc, out := json.NewEncoder(w), http.NewResponseController(w)
	say := func(l controlLine) {
		_ = enc.Encode(l) // the command may be gone; its context ends the order then
		_ = out.Flush()
	}
	told := a.now()
	progress := func(done, total int64) {
		mu.Lock()
		defer mu.Unlock()
		if now := a.now(); now.Sub(told) >= time.Second {
			told = now
			say(controlLine{Done: done, Total: total})
		}
	}
	began := a.now()
	r.Body = http.MaxBytesReader(w, r.Body, maxOrder)
	err := r.ParseForm()
	var answer any
	if err == nil {
		answer, err = o(r.Context(), r.Form, progress)
	}
	mu.Lock()
	defer mu.Unlock()
	if err != nil {
		a.log.WarnContext(ctx, "order failed", slog.String("order", name), slog.Any("error", err))
		say(controlLine{Error: err.Error()})
		return
	}
	text, err := json.Marshal(answer)
	if err != nil {
		say(controlLine{Error: err.Error()})
		return
	}
	a.log.InfoContext(ctx, "order done", slog.String("order", name), slog.Duration("took", a.now().Sub(began)))
	say(controlLine{Answer: text})
}

// errNoServer says that no server listens at a data folder's socket.
var errNoServer = errors.New("no server is running")

// command sends an order to the server of a data folder and reads its answer
// into answer. It returns errNoServer when none is running.
func command(ctx context.Context, data, name string, q url.Values, answer any, progress func(done, total int64)) error {
	path, done, err := socketPath(filepath.Join(data, ControlName))
	if errors.Is(err, fs.ErrNotExist) {
		return errNoServer
	}
	if err != nil {
		return err
	}
	defer done()
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}
	defer client.CloseIdleConnections()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://plateau/"+name, strings.NewReader(q.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := client.Do(r)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return errNoServer
	}
	if err != nil {
		return fmt.Errorf("ask the running server: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the running server does not know the order %q (%s); is it of another version?", name, res.Status)
	}
	for dec := json.NewDecoder(res.Body); ; {
		var l controlLine
		switch err := dec.Decode(&l); {
		case errors.Is(err, io.EOF):
			return errors.New("the server ended before it was done; nothing complete was left behind")
		case err != nil:
			return fmt.Errorf("read the server's answer: %w", err)
		case l.Error != "":
			return errors.New(l.Error)
		case l.Answer != nil:
			return json.Unmarshal(l.Answer, answer)
		case progress != nil:
			progress(l.Done, l.Total)
		}
	}
}
