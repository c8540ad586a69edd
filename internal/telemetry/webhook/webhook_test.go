package webhook_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/events"
	"plateau/internal/telemetry/webhook"
	"plateau/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

type fixed struct{}

func (fixed) Snapshot() *telemetry.Snapshot {
	return &telemetry.Snapshot{
		Areas:   map[string]*telemetry.Area{"540000": {Code: "540000"}, "540100": {Code: "540100", Parent: "540000"}, "540102": {Code: "540102", Parent: "540100"}},
		Outlets: map[telemetry.OutletID]*telemetry.Outlet{7: {ID: 7, Area: "540102"}, 8: {ID: 8}},
	}
}

// receiver is a real server that behaves as a test says; it checks signatures.
type receiver struct {
	t      *testing.T
	secret string
	mu     sync.Mutex
	got    []string // kinds of the events it took, in order
	asked  int
	answer func(n int, w http.ResponseWriter, r *http.Request) int // of request n; 0 = it answered itself
}

func (s *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // cut
	}
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(s.secret, "whsec_"))
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), body)
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); r.Header.Get("webhook-signature") != want {
		s.t.Errorf("signature %q, want %q", r.Header.Get("webhook-signature"), want)
	}
	var e struct {
		ID   string
		Link string
		Kind string
	}
	if err := json.Unmarshal(body, &e); err != nil || e.ID != r.Header.Get("webhook-id") || !strings.HasPrefix(e.Link, "https://example.org/") {
		s.t.Errorf("body %s, %v", body, err)
	}
	s.mu.Lock()
	s.asked++
	n := s.asked
	s.mu.Unlock()
	status := http.StatusNoContent
	if s.answer != nil {
		status = s.answer(n, w, r)
	}
	if status == 0 {
		return
	}
	if status < 300 {
		s.mu.Lock()
		s.got = append(s.got, e.Kind)
		s.mu.Unlock()
	}
	w.WriteHeader(status)
}

func (s *receiver) taken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

type bench struct {
	*webhook.Service
	t    *testing.T
	base *db.DB
	log  *events.Log
	o    webhook.Options
}

func newBench(t *testing.T, url string, change func(o *webhook.Options)) *bench {
	t.Helper()
	base, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = base.Close() })
	log, err := events.New(events.Options{DB: base, Registry: fixed{}, Now: time.Now, Poll: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, base: base, log: log, o: webhook.Options{
		DB: base, Log: log, Registry: fixed{}, Now: time.Now, BaseURL: "https://example.org/", Private: true, Timeout: 2 * time.Second, First: 20 * time.Millisecond, GiveUp: time.Hour,
	}}
	if change != nil {
		change(&b.o)
	}
	b.restart()
	return b
}

// restart makes a new service over the same database.
func (b *bench) restart() {
	b.t.Helper()
	s, err := webhook.New(b.o)
	if err != nil {
		b.t.Fatal(err)
	}
	b.Service = s
}

// run delivers until ok says so, then stops as a program that ends.
func (b *bench) run(ok func() bool) {
	b.t.Helper()
	ctx, stop := context.WithTimeout(b.t.Context(), time.Minute)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	for !ok() {
		if ctx.Err() != nil {
			b.t.Error("it took too long")
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	stop()
	if err := <-done; err != nil {
		b.t.Error(err)
	}
}

func (b *bench) happen(list ...events.Event) {
	b.t.Helper()
	if err := b.base.Tx(b.t.Context(), func(tx *db.Tx) error { return b.log.Append(b.t.Context(), tx, list) }); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) hook(url string, edit func(h *webhook.Hook)) (webhook.Hook, string) {
	b.t.Helper()
	h := webhook.Hook{URL: url}
	if edit != nil {
		edit(&h)
	}
	h, err := b.Add(b.t.Context(), h)
	if err != nil {
		b.t.Fatal(err)
	}
	return h, string(h.Secret)
}

func event(kind events.Kind, outlet telemetry.OutletID, area string) events.Event {
	return events.Event{Kind: kind, Outlet: outlet, Area: area, Path: "/outlets/7"}
}

func each(t *testing.T, fn func(t *testing.T, url string)) {
	t.Helper()
	for _, d := range testkit.Databases() {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			fn(t, d.URL(t))
		})
	}
}

// numbered are events of which the order can be seen.
func numbered(from, to int) (out []events.Event) {
	for i := from; i < to; i++ {
		out = append(out, event(events.Kind(fmt.Sprintf("alarm.%02d", i)), 7, "540102"))
	}
	return out
}

// TestReceiverThatFails: it answers 500, hangs, breaks the connection, asks for
// patience, and takes the rest: everything arrives, in order, across a restart
// of the sender.
func TestReceiverThatFails(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, url string) {
		t.Helper()
		b := newBench(t, url, nil)
		rec := &receiver{t: t, answer: func(n int, w http.ResponseWriter, r *http.Request) int {
			switch n {
			case 2:
				return http.StatusInternalServerError
			case 3: // hangs
				select {
				case <-r.Context().Done():
				case <-time.After(5 * time.Second):
				}
				return 0
			case 4: // breaks off
				c, _, err := http.NewResponseController(w).Hijack()
				if err == nil {
					_ = c.Close()
				}
				return 0
			case 5:
				w.Header().Set("Location", "http://127.0.0.1:1/")
				return http.StatusFound
			}
			return http.StatusNoContent
		}}
		srv := httptest.NewServer(rec)
		defer srv.Close()
		b.happen(numbered(90, 92)...) // before it was made: not told
		var h webhook.Hook
		h, rec.secret = b.hook(srv.URL+"/hook?token=1", nil)
		b.happen(numbered(0, 3)...)
		b.run(func() bool { return len(rec.taken()) >= 2 })
		b.happen(numbered(3, 6)...)
		b.restart()
		b.run(func() bool { now, _ := b.Get(t.Context(), h.ID); return now.Next == 8 })
		got := rec.taken()
		// At least once: the one that was under way at the restart may come twice.
		if u := slices.Compact(slices.Clone(got)); !slices.Equal(u, []string{"alarm.00", "alarm.01", "alarm.02", "alarm.03", "alarm.04", "alarm.05"}) {
			t.Errorf("%v", got)
		}
		log, err := b.Deliveries(t.Context(), h.ID)
		if err != nil {
			t.Fatal(err)
		}
		var faults []string
		for _, d := range log {
			if d.Outcome == webhook.Retry {
				faults = append(faults, d.Fault)
			}
		}
		slices.Reverse(faults)
		if len(faults) < 4 || faults[0] != "answered 500 Internal Server Error" || !strings.Contains(strings.Join(faults, ";"), "redirects are not followed") {
			t.Errorf("%q", faults)
		}
		if now, _ := b.Get(t.Context(), h.ID); now.Tries != 0 || now.GivenUp != 0 || !now.NextTry.IsZero() {
			t.Errorf("%+v", now)
		}
	})
}

func TestReceiverRestarts(t *testing.T) {
	t.Parallel()
	b := newBench(t, t.TempDir()+"/x.db", nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close() // nobody listens
	h, secret := b.hook("http://"+addr, nil)
	b.happen(numbered(0, 2)...)
	b.run(func() bool { now, _ := b.Get(t.Context(), h.ID); return now.Tries >= 2 })
	if now, _ := b.Get(t.Context(), h.ID); now.NextTry.IsZero() || now.FirstTry.IsZero() {
		t.Errorf("%+v", now)
	}
	if st, err := b.Stats(t.Context()); err != nil || st.Retried < 2 || st.Done != 0 || st.Failing != 1 || st.Waiting != 2 {
		t.Errorf("%+v, %v", st, err)
	}
	if l, err = net.Listen("tcp", addr); err != nil {
		t.Fatal(err)
	}
	rec := &receiver{t: t, secret: secret}
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: rec}}
	srv.Start()
	defer srv.Close()
	b.restart()
	b.run(func() bool { return len(rec.taken()) == 2 })
}

func TestGivenUpAndOthersGoOn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, url string) {
		t.Helper()
		b := newBench(t, url, func(o *webhook.Options) { o.GiveUp, o.Workers = 60*time.Millisecond, 2 })
		bad := &receiver{t: t, answer: func(int, http.ResponseWriter, *http.Request) int { return http.StatusBadGateway }}
		good := &receiver{t: t}
		for _, r := range []*receiver{bad, good} {
			srv := httptest.NewServer(r)
			defer srv.Close()
			h, secret := b.hook(srv.URL, nil)
			r.secret = secret
			_ = h
		}
		b.happen(numbered(0, 2)...)
		list, err := b.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		b.run(func() bool {
			now, _ := b.Get(t.Context(), list[0].ID)
			return now.GivenUp == 2 && len(good.taken()) == 2
		})
		now, _ := b.Get(t.Context(), list[0].ID)
		if now.Next != 2 || now.Tries != 0 {
			t.Errorf("%+v", now)
		}
		log, _ := b.Deliveries(t.Context(), now.ID)
		if len(log) == 0 || log[0].Outcome != webhook.GaveUp || log[0].Status != 502 {
			t.Errorf("%+v", log)
		}
		if st, err := b.Stats(t.Context()); err != nil || st.GivenUp != 2 || st.Done < 2 || st.Failing+st.Paused != 0 {
			t.Errorf("%+v, %v", st, err)
		}
	})
}

func TestGoneIsPaused(t *testing.T) {
	t.Parallel()
	b := newBench(t, t.TempDir()+"/x.db", nil)
	rec := &receiver{t: t, answer: func(int, http.ResponseWriter, *http.Request) int { return http.StatusGone }}
	srv := httptest.NewServer(rec)
	defer srv.Close()
	h, secret := b.hook(srv.URL, nil)
	rec.secret = secret
	b.happen(numbered(0, 1)...)
	b.run(func() bool { now, _ := b.Get(t.Context(), h.ID); return now.Paused })
	if st, err := b.Stats(t.Context()); err != nil || st.Paused != 1 || st.Waiting != 0 {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestChosenEvents(t *testing.T) {
	t.Parallel()
	b := newBench(t, t.TempDir()+"/x.db", nil)
	rec := &receiver{t: t}
	srv := httptest.NewServer(rec)
	defer srv.Close()
	h, secret := b.hook(srv.URL, func(h *webhook.Hook) {
		h.Kinds = []events.Kind{events.AlarmRaised, events.OutletState}
		h.Areas, h.Outlets = []string{"540100"}, []telemetry.OutletID{8}
	})
	rec.secret = secret
	b.happen(
		event(events.AlarmRaised, 7, "540102"), // below the area
		event(events.AlarmEnded, 7, "540102"),  // another kind
		event(events.AlarmRaised, 9, "540201"), // elsewhere
		event(events.OutletState, 8, "540201"), // the outlet itself
	)
	b.run(func() bool { now, _ := b.Get(t.Context(), h.ID); return now.Next == 4 })
	if got := rec.taken(); !slices.Equal(got, []string{"alarm.raised", "outlet.state"}) {
		t.Errorf("%v", got)
	}
	// Paused: nothing goes out, nothing is lost.
	if _, err := b.Change(t.Context(), h.ID, h.Version, func(h *webhook.Hook) { h.Paused = true }); err != nil {
		t.Fatal(err)
	}
	b.happen(event(events.AlarmRaised, 7, "540102"))
	b.run(func() bool { time.Sleep(100 * time.Millisecond); return true })
	if len(rec.taken()) != 2 {
		t.Error("a paused one was told")
	}
	if _, err := b.Change(t.Context(), h.ID, h.Version, func(h *webhook.Hook) { h.Paused = false }); !errs.Is(err, errs.Conflict) {
		t.Errorf("an old version was taken: %v", err)
	}
	if _, err := b.Change(t.Context(), h.ID, 0, func(h *webhook.Hook) { h.Paused = false }); err != nil {
		t.Fatal(err)
	}
	b.run(func() bool { return len(rec.taken()) == 3 })
	d, err := b.Test(t.Context(), h.ID)
	if err != nil || d.Outcome != webhook.Done || d.Status != http.StatusNoContent {
		t.Errorf("%+v, %v", d, err)
	}
	if err := b.Delete(t.Context(), h.ID, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Get(t.Context(), h.ID); !errs.Is(err, errs.NotFound) {
		t.Error(err)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, t.TempDir()+"/x.db", func(o *webhook.Options) { o.Private = false })
	for _, tt := range []struct {
		name  string
		hook  webhook.Hook
		field string
	}{
		{"no address", webhook.Hook{}, "url"},
		{"another scheme", webhook.Hook{URL: "ftp://example.org/"}, "url"},
		{"plain http", webhook.Hook{URL: "http://example.org/"}, "url"},
		{"a password in it", webhook.Hook{URL: "https://u:p@example.org/"}, "url"},
		{"this machine", webhook.Hook{URL: "https://127.0.0.1/"}, "url"},
		{"this machine, IPv6", webhook.Hook{URL: "https://[::ffff:127.0.0.1]/"}, "url"},
		{"a cloud's metadata", webhook.Hook{URL: "https://169.254.169.254/latest"}, "url"},
		{"kind", webhook.Hook{URL: "https://example.org/", Kinds: []events.Kind{"x"}}, "kinds"},
		{"area", webhook.Hook{URL: "https://example.org/", Areas: []string{"1"}}, "areas"},
		{"outlet", webhook.Hook{URL: "https://example.org/", Outlets: []telemetry.OutletID{99}}, "outlets"},
		{"secret", webhook.Hook{URL: "https://example.org/", Secret: "whsec_eA=="}, "secret"},
	} {
		_, err := b.Add(t.Context(), tt.hook)
		if e, ok := errFields(err); !ok || e != tt.field {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	// A name that resolves to this machine is refused where it is dialled.
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was reached") }))
	defer srv.Close()
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	h, _ := b.hook("https://localhost:"+port+"/", nil)
	d, err := b.Test(t.Context(), h.ID)
	if err != nil || d.Outcome == webhook.Done || !strings.Contains(d.Fault, "private network") {
		t.Errorf("%+v, %v", d, err)
	}
}

func errFields(err error) (string, bool) {
	e, ok := errors.AsType[*errs.Error](err)
	if !ok || len(e.Fields) == 0 {
		return "", false
	}
	return e.Fields[0].Name, true
}
