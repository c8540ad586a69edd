package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/platform/notify"
	"plateau/internal/platform/outbound"
)

// sender is a channel that does as a test says.
type sender func(ctx context.Context, p *notify.Parcel) notify.Outcome

// Send implements notify.Sender.
func (s sender) Send(ctx context.Context, p *notify.Parcel) notify.Outcome { return s(ctx, p) }

// TestGivenUp: after Options.GiveUp and some tries, not before either.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, url string) {
		t.Helper()
		var tries atomic.Int64
		r := newRig(t, url, func(o *notify.Options) {
			o.GiveUp = time.Hour
			o.Senders[notify.Mail] = sender(func(context.Context, *notify.Parcel) notify.Outcome {
				tries.Add(1)
				return notify.Outcome{Status: 451, Fault: "try again"}
			})
		})
		p := r.account("in", "officer", "")
		r.confirmed(p, notify.Mail, "in@example.org", notify.Now)
		r.tell(message("a1"))
		for want := int64(1); want < 5; want++ { // the hour is over soon, the tries are not
			r.run(func() bool { return tries.Load() == want && r.only().Status == 451 })
			if d := r.only(); d.State != notify.Waiting {
				t.Fatalf("after %d tries: %+v", want, d)
			}
			r.pass(2 * time.Hour)
		}
		r.run(func() bool { return r.states()[notify.GivenUp] == 1 })
		if d := r.only(); d.Tries != 5 || d.Fault != "try again" || d.Ended.IsZero() {
			t.Errorf("%+v", d)
		}
		if st, err := r.Stats(t.Context()); err != nil || st.GivenUp != 1 || st.Retried != 4 || st.Waiting != 0 {
			t.Errorf("%+v, %v", st, err)
		}
	})
}

// TestClockJumps: forward nothing is given up that was hardly tried; back nothing
// waits for a time that was never right.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, url string) {
		t.Helper()
		var broken atomic.Bool
		broken.Store(true)
		var tries atomic.Int64
		r := newRig(t, url, func(o *notify.Options) {
			o.Senders[notify.Mail] = sender(func(context.Context, *notify.Parcel) notify.Outcome {
				tries.Add(1)
				if broken.Load() {
					return notify.Outcome{Fault: "no route"}
				}
				return notify.Outcome{Status: 250}
			})
		})
		p := r.account("in", "officer", "")
		r.confirmed(p, notify.Mail, "in@example.org", notify.Now)
		r.tell(message("a1"))
		r.run(func() bool { return tries.Load() >= 1 && r.only().Tries >= 1 && r.only().Fault != "" })
		r.pass(365 * 24 * time.Hour) // a year ahead
		before := tries.Load()
		r.run(func() bool { return tries.Load() > before })
		if d := r.only(); d.State != notify.Waiting && d.Tries < 5 {
			t.Fatalf("the jump gave it up: %+v", d)
		}
		r.tell(message("a2"))         // due in a year, by the wrong clock
		r.pass(-365 * 24 * time.Hour) // and back
		broken.Store(false)
		r.run(func() bool { s := r.states(); return s[notify.Waiting] == 0 && s[notify.Sent] >= 1 })
		// The one that was tried five times while the clock was wrong may be given up;
		// the other one was sent.
		if s := r.states(); s[notify.Sent]+s[notify.GivenUp] != 2 {
			t.Errorf("%v", s)
		}
	})
}

// TestFullDisk: nothing is sent that could not be taken in the database, and what
// went out when there was no room to note it is not sent again.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	var r *rig
	var sent atomic.Int64
	full := func(on bool) {
		text := `PRAGMA max_page_count = 1073741823`
		if on {
			text = `PRAGMA query_only = 1`
		} else if _, err := r.db.Exec(context.Background(), `PRAGMA query_only = 0`); err != nil {
			t.Error(err)
		}
		if _, err := r.db.Exec(context.Background(), text); err != nil {
			t.Error(err)
		}
	}
	r = newRig(t, filepath.Join(t.TempDir(), "x.db"), func(o *notify.Options) {
		o.Lease = time.Minute
		o.Senders[notify.Mail] = sender(func(context.Context, *notify.Parcel) notify.Outcome {
			sent.Add(1)
			full(true) // between sending and noting
			return notify.Outcome{Status: 250}
		})
	})
	p := r.account("in", "officer", "")
	r.confirmed(p, notify.Mail, "in@example.org", notify.Now)
	r.tell(message("a1"))
	r.run(func() bool { return sent.Load() == 1 })
	if d := r.only(); d.State != notify.Waiting || d.Tries != 1 {
		t.Errorf("%+v", d)
	}
	r.pass(2 * time.Minute) // the lease is over, and there is still no room
	looked := time.Now()
	r.run(func() bool { return time.Since(looked) > 200*time.Millisecond })
	if sent.Load() != 1 {
		t.Errorf("sent %d times while it could not be noted", sent.Load())
	}
	full(false)
	r.run(func() bool { return r.states()[notify.Sent] == 1 })
	if sent.Load() != 1 {
		t.Errorf("sent %d times", sent.Load())
	}
}

// TestFullDiskWhileTelling lets the database run out of pages at one point after
// another of an act that tells of itself: act and notifications are there together
// or not at all, and all of them once there is room again.
func TestFullDiskWhileTelling(t *testing.T) {
	t.Parallel()
	r := newRig(t, filepath.Join(t.TempDir(), "x.db"), func(o *notify.Options) { o.Senders[notify.Mail] = newFake() })
	for i := range 20 {
		r.confirmed(r.account(fmt.Sprint("in", i), "officer", ""), notify.Mail, "in@example.org", notify.Now)
	}
	ctx := t.Context()
	counts := func() (out [4]int) {
		t.Helper()
		for i, table := range []string{"counters", "notifications", "notify_deliveries", "notify_items"} {
			if err := r.db.QueryRow(ctx, `SELECT count(*) FROM `+table).Scan(&out[i]); err != nil {
				t.Fatal(err)
			}
		}
		return out
	}
	pages := func() (n int) {
		t.Helper()
		if err := r.db.QueryRow(ctx, `PRAGMA page_count`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	limit := func(n int) {
		t.Helper()
		if _, err := r.db.Exec(ctx, fmt.Sprint(`PRAGMA max_page_count = `, n)); err != nil {
			t.Fatal(err)
		}
	}
	act := func(n int) error {
		return r.db.Tx(ctx, func(tx *db.Tx) error {
			if _, err := tx.Exec(ctx, `INSERT INTO counters (name, value) VALUES ($1, 1)`, fmt.Sprint("act-", n)); err != nil {
				return err
			}
			return r.Tell(ctx, tx, []notify.Message{message(fmt.Sprint("a", n)), message(fmt.Sprint("b", n))})
		})
	}
	refused, acts, others := 0, 0, counts()[0]
	for round := range 3 {
		for room := 0; ; room++ {
			before := counts()
			limit(pages() + room)
			err := act(round)
			limit(1073741823)
			if err == nil {
				acts++
				break
			}
			refused++
			if got := counts(); got != before || !errs.Is(err, errs.Busy) {
				t.Errorf("room for %d pages: %v rows, %v before: %v", room, got, before, err)
			}
		}
		r.pass(time.Second)
	}
	if got := counts(); got != [4]int{others + acts, 40 * acts, 20 * acts, 40 * acts} || refused < 10 {
		t.Errorf("%v after %d acts, refused %d times", got, acts, refused)
	}
}

// TestSeveralServers: two services over one database hand each delivery over once.
func TestSeveralServers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, url string) {
		t.Helper()
		f := newFake()
		r := newRig(t, url, func(o *notify.Options) {
			o.Senders[notify.Mail] = f
			o.Collect = time.Nanosecond
		})
		p := r.account("in", "officer", "")
		r.confirmed(p, notify.Mail, "in@example.org", notify.Now)
		for i := range 30 {
			r.tell(message(fmt.Sprint("a", i)))
			r.pass(time.Second)
		}
		other, err := notify.New(r.o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = other.Run(ctx) })
		r.run(func() bool { return r.states()[notify.Sent] == 30 })
		stop()
		wg.Wait()
		seen := map[string]bool{}
		for _, p := range f.taken() {
			if seen[p.ID] {
				t.Errorf("%s was sent twice", p.ID)
			}
			seen[p.ID] = true
		}
		if len(seen) != 30 {
			t.Errorf("%d were sent", len(seen))
		}
	})
}

// TestGateway: a message is written into the gateway's template so that nothing
// in it is taken for more than text.
func TestGateway(t *testing.T) {
	t.Parallel()
	type got struct {
		body, path string
		header     http.Header
	}
	var mu sync.Mutex
	var last got
	status, answer, wait := 200, `{"ok":true}`, ""
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		last = got{string(b), r.URL.RequestURI(), r.Header}
		if wait != "" {
			w.Header().Set("Retry-After", wait)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	defer srv.Close()
	o := notify.SMSOptions{URL: srv.URL + "/send", Body: `{"to": "{to}", "text": "{text}", "n": 1}`, Headers: "Authorization: Bearer {secret}\nX-Kind: notice", Secret: `s"ecret`, Accept: `"ok":true`, Timeout: time.Second, Now: time.Now}
	g, err := notify.NewGateway(o)
	if err != nil {
		t.Fatal(err)
	}
	p := &notify.Parcel{ID: "d1", To: "+8613800000000", Short: "超标 \"a\" {to} \\ \n <b>&", Lang: i18n.Zh}
	if out := g.Send(t.Context(), p); out.Fault != "" || out.Status != 200 {
		t.Fatalf("%+v", out)
	}
	var in struct {
		To, Text string
		N        int
	}
	if err := json.Unmarshal([]byte(last.body), &in); err != nil || in.To != p.To || in.Text != p.Short || in.N != 1 {
		t.Errorf("%s: %+v, %v", last.body, in, err)
	}
	if h := last.header; h.Get("Authorization") != `Bearer s"ecret` || h.Get("Idempotency-Key") != "d1" || h.Get("X-Kind") != "notice" || h.Get("Content-Type") != "application/json" {
		t.Errorf("%v", last.header)
	}
	for _, tt := range []struct {
		status       int
		answer, wait string
		final        bool
	}{{200, `{"ok":false}`, "", false}, {429, "", "30", false}, {500, "", "", false}, {400, "", "", true}, {403, "", "", false}} {
		status, answer, wait = tt.status, tt.answer, tt.wait
		out := g.Send(t.Context(), p)
		if out.Fault == "" || out.Final != tt.final || out.Status != tt.status || tt.wait != "" && out.Wait != 30*time.Second {
			t.Errorf("%d: %+v", tt.status, out)
		}
	}
	status, answer, wait = 200, "", ""
	o.Headers, o.Body, o.Accept = "Content-Type: application/x-www-form-urlencoded", "to={to}&text={text}&key={secret}", ""
	if g, err = notify.NewGateway(o); err != nil {
		t.Fatal(err)
	}
	if out := g.Send(t.Context(), p); out.Fault != "" {
		t.Fatalf("%+v", out)
	}
	q, err := url.ParseQuery(last.body)
	if err != nil || q.Get("text") != p.Short || q.Get("to") != p.To || q.Get("key") != o.Secret || len(q) != 3 {
		t.Errorf("%s, %v", last.body, err)
	}
	for _, bad := range []func(o *notify.SMSOptions){
		func(o *notify.SMSOptions) { o.URL = "sms" },
		func(o *notify.SMSOptions) { o.Body = "to={to}" },
		func(o *notify.SMSOptions) { o.Headers = "no colon" },
		func(o *notify.SMSOptions) { o.Headers = "X-To: {to}" },
		func(o *notify.SMSOptions) { o.Headers = "Content-Type: text/xml" },
		func(o *notify.SMSOptions) { o.Headers, o.Body = "", `{"to": {to}, "text": "{text}"` },
	} {
		b := o
		bad(&b)
		if _, err := notify.NewGateway(b); err == nil || !strings.Contains(err.Error(), "notify.sms.") {
			t.Errorf("%+v: %v", b, err)
		}
	}
}

// TestHook: a request is signed, holds what is told, and goes to no private
// network.
func TestHook(t *testing.T) {
	t.Parallel()
	var secret outbound.Secret
	bodies := make(chan string, 10)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		var at int64
		_, _ = fmt.Sscan(r.Header.Get("Webhook-Timestamp"), &at)
		if r.Header.Get("Webhook-Signature") != outbound.Sign(secret, r.Header.Get("Webhook-Id"), time.Unix(at, 0), b) || secret == "" {
			t.Errorf("signature of %s", b)
		}
		bodies <- string(b)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer srv.Close()
	r := newRig(t, t.TempDir()+"/x.db", func(o *notify.Options) {
		o.Senders[notify.Webhook] = notify.NewHook(time.Second, true, time.Now)
	})
	p := r.account("in", "officer", "")
	r.confirmed(p, notify.Webhook, srv.URL, notify.Now)
	if err := r.db.QueryRow(t.Context(), `SELECT secret FROM notify_addresses`).Scan(&secret); err != nil {
		t.Fatal(err)
	}
	r.tell(message("a1"))
	r.run(func() bool { return r.states()[notify.Sent] == 1 })
	var in struct {
		ID            string
		Notifications []struct{ Kind, Text, Link string }
	}
	if err := json.Unmarshal([]byte(<-bodies), &in); err != nil || in.ID != r.only().ID || len(in.Notifications) != 1 || in.Notifications[0].Link != "https://example.org/p/zh/alarms/a1" {
		t.Errorf("%+v, %v", in, err)
	}
	guarded := notify.NewHook(time.Second, false, time.Now)
	if out := guarded.Send(t.Context(), &notify.Parcel{ID: "x", To: srv.URL, Secret: secret}); !strings.Contains(out.Fault, "private network") {
		t.Errorf("%+v", out)
	}
	if _, err := r.Test(t.Context(), p.ID, notify.Mail); err == nil {
		t.Error("a channel that is not there was tested")
	}
	if d, err := r.Test(t.Context(), p.ID, notify.Webhook); err != nil || d.State != notify.Sent || d.Purpose != "test" {
		t.Errorf("%+v, %v", d, err)
	}
	if d, err := r.Test(t.Context(), p.ID, notify.Page); err != nil || d.State != notify.Sent {
		t.Errorf("%+v, %v", d, err)
	}
}
