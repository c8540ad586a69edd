package app

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/notify"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/alarm"
	"plateau/internal/telemetry/events"
)

// postbox is a mail server that takes everything.
type postbox struct {
	mu    sync.Mutex
	mails []string
}

type posting struct{ *postbox }

func (p *postbox) NewSession(*smtp.Conn) (smtp.Session, error) { return posting{p}, nil }
func (posting) Reset()                                         {}
func (posting) Logout() error                                  { return nil }
func (posting) Mail(string, *smtp.MailOptions) error           { return nil }
func (posting) Rcpt(string, *smtp.RcptOptions) error           { return nil }

func (p posting) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mails = append(p.mails, string(b))
	return err
}

func (p *postbox) all() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.mails, "\n\n")
}

// TestNotifications: the whole program tells of an alarm by mail and on the page,
// in the transaction that writes it, and takes a test from the shell while it runs
// and when it does not.
func TestNotifications(t *testing.T) {
	t.Parallel()
	box := &postbox{}
	srv := smtp.NewServer(box)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = srv.Serve(l) }()
	defer srv.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	o := victimOptions(t.TempDir())
	o.Stdout, o.Stderr = io.Discard, io.Discard
	o.Flags["notify.smtp.host"], o.Flags["notify.smtp.port"], o.Flags["notify.smtp.tls"], o.Flags["notify.smtp.from"] = "127.0.0.1", port, "none", "plateau@example.org"
	o.Flags["http.url"] = "https://monitor.example.org"
	a, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Serve(ctx) }()
	end := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	defer end()
	const password = "river stone under ice"
	u, err := a.auth.CreateUser(ctx, auth.User{Login: "duty", Post: auth.Post{Zh: "值班员"}, Role: auth.Officer}, password)
	if err != nil {
		t.Fatal(err)
	}
	p := auth.Principal{ID: u.ID, Post: u.Post, Role: u.Role}
	if _, err := NotifyTest(ctx, o, NotifyOrder{To: "duty", Channel: "mail"}); err == nil || !strings.Contains(err.Error(), "no confirmed address") {
		t.Errorf("%v", err)
	}
	if _, err := NotifyTest(ctx, o, NotifyOrder{To: "nobody", Channel: "mail"}); err == nil || !strings.Contains(err.Error(), `no account "nobody"`) {
		t.Errorf("%v", err)
	}
	if _, err := a.notify.SetAddress(ctx, p, notify.Mail, "duty@example.org"); err != nil {
		t.Fatal(err)
	}
	var code string
	if err := a.db.QueryRow(ctx, `SELECT code FROM notify_addresses`).Scan(&code); err != nil {
		t.Fatal(err)
	}
	if err := a.notify.Confirm(ctx, p, notify.Mail, code); err != nil {
		t.Fatal(err)
	}
	set, err := a.notify.Settings(ctx, u.ID)
	if err != nil {
		t.Fatal(err)
	}
	set.Lang = "en"
	set.Modes[notify.Choice{Kind: "alarm_raised", Channel: notify.Mail}] = notify.Now
	if err := a.notify.SaveSettings(ctx, p, set); err != nil {
		t.Fatal(err)
	}
	now := a.now()
	e := alarm.Episode{ID: "a1", Outlet: telemetry.OutletID(7), Kind: alarm.Link, Severity: alarm.Act, Start: now.Add(-time.Hour), Opened: now}
	if err := a.db.Tx(ctx, func(tx *db.Tx) error { return a.alarmsChanged(ctx, tx, []alarm.Change{{After: &e}}) }); err != nil {
		t.Fatal(err)
	}
	if list, _, err := a.events.Since(ctx, 0, 10); err != nil || len(list) != 1 || list[0].Kind != events.AlarmRaised {
		t.Errorf("for programs: %+v, %v", list, err)
	}
	if d, err := NotifyTest(ctx, o, NotifyOrder{To: "duty", Channel: "mail"}); err != nil || d.State != notify.Sent {
		t.Errorf("%+v, %v", d, err)
	}
	deadline := time.Now().Add(2 * time.Minute) // what comes together is gathered for half a minute
	for !strings.Contains(box.all(), "https://monitor.example.org/en/alarms/a1") && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
	}
	for _, want := range []string{"https://monitor.example.org/en/alarms/a1", "This is a test of the notifications", "To: <duty@example.org>"} {
		if !strings.Contains(box.all(), want) {
			t.Errorf("no mail says %q:\n%s", want, box.all())
		}
	}
	// The top bar counts.
	secret, _, err := a.auth.SignIn(ctx, "duty", password, auth.Client{Address: "192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+a.httpAddr+"/en/alarms", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: auth.CookieName, Value: secret})
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil || !strings.Contains(string(body), "Notifications, 1 unread") {
		t.Errorf("%d, %v: the page counts no unread notification", res.StatusCode, err)
	}
	end()
	if d, err := NotifyTest(t.Context(), o, NotifyOrder{To: "duty", Channel: "mail"}); err != nil || d.State != notify.Sent {
		t.Errorf("without a server: %+v, %v", d, err)
	}
	o.Flags["notify.smtp.port"] = "1"
	if d, err := NotifyTest(t.Context(), o, NotifyOrder{To: "duty", Channel: "mail"}); err != nil || d.State != notify.Waiting || d.Fault == "" {
		t.Errorf("without a mail server: %+v, %v", d, err)
	}
}
