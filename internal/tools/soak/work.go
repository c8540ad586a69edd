package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"plateau/internal/telemetry/simulator"
	"plateau/internal/tools/server"
)

// work is the load, all of it at an even pace.
type work struct {
	s       *server.Server
	loggers int
	rate    float64

	frames, requests, observations, connections atomic.Int64
}

func (w *work) run(ctx context.Context) error {
	var wg sync.WaitGroup
	var errs [4]error
	for i, fn := range []func(context.Context) error{w.steady, w.comeAndGo, w.read, w.observe} {
		wg.Go(func() {
			if err := fn(ctx); err != nil && ctx.Err() == nil {
				errs[i] = err
			}
		})
	}
	wg.Wait()
	return errors.Join(errs[:]...)
}

func (w *work) dial(ctx context.Context, _ int) (net.Conn, error) {
	w.connections.Add(1)
	var d net.Dialer
	return d.DialContext(ctx, "tcp", w.s.HJ212)
}

// steady are the loggers that stay.
func (w *work) steady(ctx context.Context) error {
	t, err := simulator.OpenTrickle(ctx, simulator.TrickleOptions{Dial: w.dial, Conns: w.loggers, Now: time.Now})
	if err != nil {
		return err
	}
	defer t.Close()
	for ctx.Err() == nil {
		res, err := t.Run(ctx, w.rate, int64(w.rate*10))
		w.frames.Add(res.Acked)
		if err != nil {
			return err
		}
	}
	return nil
}

// comeAndGo are ten loggers that connect, send, and leave, over and over.
func (w *work) comeAndGo(ctx context.Context) error {
	start := time.Now().Add(-time.Hour)
	for n := 0; ctx.Err() == nil; n++ {
		t, err := simulator.OpenTrickle(ctx, simulator.TrickleOptions{Dial: w.dial, Conns: 10, Now: time.Now, Start: start.Add(time.Duration(n) * time.Second)})
		if err != nil {
			return err
		}
		res, err := t.Run(ctx, 20, 20)
		t.Close()
		w.frames.Add(res.Acked)
		if err != nil {
			return err
		}
	}
	return nil
}

// paths are pages and interfaces, asked in turns.
var paths = []string{
	"/zh/", "/en/outlets", "/zh/outlets/1", "/bo/outlets/2", "/zh/devices", "/zh/alarms", "/api/v1/outlets", "/api/v1/outlets/3/hours",
	"/api/v1/outlets/4/records", "/api/v1/alarms", "/zh/public", "/assets/none", "/healthz",
}

func (w *work) read(ctx context.Context) error {
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		path := paths[n%len(paths)]
		_, status, err := w.s.Get(ctx, path)
		switch {
		case err != nil:
			return err
		case status >= 500:
			return fmt.Errorf("%s: status %d", path, status)
		}
		w.requests.Add(1)
	}
}

// observe writes and reads observations.
func (w *work) observe(ctx context.Context) error {
	path, err := server.MakeDatastream(ctx, w.s, "soak")
	if err != nil {
		return err
	}
	t := time.NewTicker(50 * time.Millisecond)
	defer t.Stop()
	at := time.Now()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		at = at.Add(time.Second)
		body, err := json.Marshal(map[string]any{"phenomenonTime": at.UTC().Format(time.RFC3339), "result": float64(n % 100)})
		if err != nil {
			return err
		}
		if _, err := w.s.Ask(ctx, http.MethodPost, path+"/Observations", body, http.StatusCreated); err != nil {
			return err
		}
		w.observations.Add(1)
		if n%20 == 0 {
			if _, err := w.s.Ask(ctx, http.MethodGet, path+"/Observations?$top=100&$orderby=phenomenonTime%20desc", nil, http.StatusOK); err != nil {
				return err
			}
		}
	}
}
