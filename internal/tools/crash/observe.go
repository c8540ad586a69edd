package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"plateau/internal/tools/server"
)

// observer posts observations and notes which were created.
type observer struct {
	path string // of its Datastream; "" = none yet

	n     atomic.Int64
	mu    sync.Mutex
	acked map[int64]bool // results that were answered 201
}

const posters = 4

func (o *observer) begin(ctx context.Context, s *server.Server) (wait func() error) {
	if o.path == "" {
		path, err := server.MakeDatastream(ctx, s, "crash")
		if err != nil {
			return func() error { return err }
		}
		o.path, o.acked = path, map[int64]bool{}
	}
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	for range posters {
		wg.Go(func() {
			for ctx.Err() == nil {
				n := o.n.Add(1)
				body := fmt.Appendf(nil, `{"phenomenonTime":%q,"result":%d}`, time.Unix(1_700_000_000+n, 0).UTC().Format(time.RFC3339), n)
				got, status, err := s.Do(ctx, http.MethodPost, o.path+"/Observations", body)
				if err != nil {
					return // it was killed
				}
				if status != http.StatusCreated {
					err := fmt.Errorf("observation: status %d: %.300s", status, got)
					failed.Store(&err)
					return
				}
				o.mu.Lock()
				o.acked[n] = true
				o.mu.Unlock()
			}
		})
	}
	return func() error {
		wg.Wait()
		if e := failed.Load(); e != nil {
			return *e
		}
		return nil
	}
}

// check reads all observations and counts.
func (o *observer) check(ctx context.Context, s *server.Server, r *report) error {
	if o.path == "" {
		return nil
	}
	times := map[int64]int{}
	for next := o.path + "/Observations?$top=1000&$select=result&$orderby=phenomenonTime"; next != ""; {
		body, err := s.Ask(ctx, http.MethodGet, next, nil, http.StatusOK)
		if err != nil {
			return err
		}
		var page struct {
			Next  string `json:"@iot.nextLink"`
			Value []struct {
				Result float64 `json:"result"`
			} `json:"value"`
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return err
		}
		for _, v := range page.Value {
			times[int64(v.Result)]++
		}
		next = server.PathOf(page.Next)
	}
	r.ObservationsAcked = len(o.acked)
	for n := range o.acked {
		switch c := times[n]; {
		case c == 0:
			r.ObservationsLost++
		case c > 1:
			r.ObservationsTwice++
		}
	}
	return nil
}
