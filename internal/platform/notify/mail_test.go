package notify_test

import (
	"context"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"plateau/internal/platform/i18n"
	"plateau/internal/platform/notify"
)

func decoded(t *testing.T, l *letter) string {
	t.Helper()
	b, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(l.body)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestMailServer: one that asks for patience, refuses for good, breaks off before
// and after it took the mail, and is slow. Every mail arrives or is told to have
// been refused; a repeat is the same mail, to the byte, under one Message-ID.
func TestMailServer(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, url string) {
		t.Helper()
		s := newMailServer(t, true)
		s.user = "plateau"
		var mailer *notify.Mailer
		r := newRig(t, url, func(o *notify.Options) {
			options := s.options()
			options.User, options.Password, options.Timeout = "plateau", "secret", time.Second
			m, err := notify.NewMailer(options)
			if err != nil {
				t.Fatal(err)
			}
			mailer = m
			o.Senders[notify.Mail] = m
		})
		p := r.account("in", "officer", "")
		r.confirmed(p, notify.Mail, "duty.officer@example.org", notify.Now)
		s.rcpt = func(n int) error {
			if n <= 2 {
				return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "greylisted, try again"}
			}
			return nil
		}
		s.data = func(n int, _ letter, c *smtp.Conn) error {
			switch n {
			case 1: // taken, and the answer is lost
				return tear(c)
			case 2: // slow: the client gives up first
				time.Sleep(1500 * time.Millisecond)
			}
			return nil
		}
		r.tell(message("a1"))
		stop := make(chan struct{})
		defer close(stop)
		go func() { // time goes on while it waits for the next try
			for {
				select {
				case <-stop:
					return
				case <-time.After(5 * time.Millisecond):
					r.pass(time.Second)
				}
			}
		}()
		r.run(func() bool { return r.states()[notify.Sent] == 1 })
		got := s.got()
		if d := r.only(); d.Tries != 5 || d.Status != 250 || d.Fault != "" {
			t.Errorf("%+v", d)
		}
		if len(got) != 3 {
			t.Fatalf("the server was sent the mail %d times", len(got))
		}
		for i := range got {
			if got[i].raw != got[0].raw || got[i].id == "" || got[i].to != "duty.officer@example.org" {
				t.Errorf("a repeat differs:\n%s\n%s", got[i].raw, got[0].raw)
			}
		}
		h := got[0].header
		if h.Get("Auto-Submitted") != "auto-generated" || h.Get("Content-Language") != "zh-Hans" || !strings.HasSuffix(h.Get("Message-ID"), "@example.org>") || h.Get("User-Agent") != "" {
			t.Errorf("%v", h)
		}
		if subject, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject")); err != nil || subject != "超标：一号排口，自 2026-11-23 10:00 起" {
			t.Errorf("%q, %v", subject, err)
		}
		if text := decoded(t, &got[0]); !strings.Contains(text, "https://example.org/p/zh/alarms/a1") {
			t.Errorf("%s", text)
		}
		// Refused for good: said so, without the address.
		s.mu.Lock()
		s.rcpt = func(int) error {
			return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "<Duty.Officer@example.org>: no such user duty.officer here"}
		}
		s.mu.Unlock()
		r.tell(message("a2"))
		r.run(func() bool { return r.states()[notify.Failed] == 1 })
		list, _, _ := r.Deliveries(t.Context(), notify.DeliveryFilter{State: notify.Failed, Limit: 1})
		if d := list[0]; d.Tries != 1 || d.Status != 550 || !strings.Contains(d.Fault, "no such user") || strings.Contains(strings.ToLower(d.Fault), "duty") {
			t.Errorf("%+v", d)
		}
		// A server that no longer lets the program in is for the operator to mend.
		s.mu.Lock()
		s.user, s.rcpt = "somebody else", nil
		s.mu.Unlock()
		if o := mailer.Send(t.Context(), &notify.Parcel{ID: "x", To: "a@example.org", Lang: i18n.Zh}); o.Fault == "" || o.Final {
			t.Errorf("%+v", o)
		}
	})
}

// TestEncryption: a server without STARTTLS, or with a certificate of somebody
// else, gets neither password nor mail.
func TestEncryption(t *testing.T) {
	t.Parallel()
	plain, secure := newMailServer(t, false), newMailServer(t, true)
	for _, tt := range []struct {
		name   string
		s      *mailServer
		change func(o *notify.SMTPOptions)
		ok     bool
	}{
		{"in the clear, as asked for", plain, func(o *notify.SMTPOptions) { o.TLS = notify.TLSNone }, true},
		{"no STARTTLS", plain, func(o *notify.SMTPOptions) { o.TLS = notify.TLSStart }, false},
		{"STARTTLS", secure, func(*notify.SMTPOptions) {}, true},
		{"a certificate of nobody known", secure, func(o *notify.SMTPOptions) { o.Config = nil }, false},
		{"TLS where the server begins in the clear", secure, func(o *notify.SMTPOptions) { o.TLS = notify.TLSAll }, false},
	} {
		o := tt.s.options()
		tt.change(&o)
		m, err := notify.NewMailer(o)
		if err != nil {
			t.Fatal(err)
		}
		before := len(tt.s.got())
		out := m.Send(t.Context(), &notify.Parcel{ID: "x", At: start, To: "a@example.org", Subject: "s", Body: "b", Lang: i18n.Zh})
		if ok := out.Fault == "" && len(tt.s.got()) == before+1; ok != tt.ok || out.Final {
			t.Errorf("%s: %+v", tt.name, out)
		}
	}
	if _, err := notify.NewMailer(notify.SMTPOptions{Host: "x", Port: 25, From: "nobody"}); err == nil {
		t.Error("a sender that is none was taken")
	}
	// Nobody listens: a fault that passes.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := plain.options()
	o.Port = l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	m, err := notify.NewMailer(o)
	if err != nil {
		t.Fatal(err)
	}
	if out := m.Send(context.Background(), &notify.Parcel{ID: "x", To: "a@example.org", Lang: i18n.Zh}); out.Fault == "" || out.Final {
		t.Errorf("%+v", out)
	}
}

// TestHeaderInjection: what people enter as names makes no header, no line and no
// recipient of its own.
func TestHeaderInjection(t *testing.T) {
	t.Parallel()
	s := newMailServer(t, false)
	r := newRig(t, t.TempDir()+"/x.db", func(o *notify.Options) { o.Senders[notify.Mail] = s.mailer(t) })
	p := r.account("in", "officer", "")
	r.confirmed(p, notify.Mail, "in@example.org", notify.Now)
	for i, name := range []string{
		"x\r\nBcc: victim@example.org", "x\nSubject: y", "x\r\n\r\nbody", "x\u2028Bcc: v@example.org", "x\x00y", "=?utf-8?q?=0D=0ABcc:_v@example.org?=", "x\r\n.\r\nMAIL FROM:<a@b.c>", strings.Repeat("很长的名字", 60),
	} {
		m := message("n" + string(rune('a'+i)))
		m.Text.Words["outlet"] = notify.Word{Zh: name}
		r.tell(m)
		r.run(func() bool { return r.states()[notify.Sent] == i+1 })
		got := s.got()
		if len(got) != i+1 {
			t.Fatalf("%q: %d mails", name, len(got))
		}
		l := &got[i]
		if l.to != "in@example.org" || l.header.Get("Bcc") != "" || len(l.header["Subject"]) != 1 || len(l.header["To"]) != 1 {
			t.Errorf("%q: %v", name, l.header)
		}
		text := decoded(t, l)
		if lines := strings.Split(strings.SplitN(text, "\r\n\r\n", 2)[0], "\r\n"); len(lines) != 2 || !strings.HasPrefix(lines[1], "https://example.org/") {
			t.Errorf("%q makes lines of its own: %q", name, lines)
		}
	}
	for _, to := range []string{"a@example.org\r\nRCPT TO:<b@example.org>", "a@example.org,b@example.org", "a@example.org>\r\n"} {
		m := s.mailer(t)
		if out := m.Send(t.Context(), &notify.Parcel{ID: "x", To: to, Lang: i18n.Zh}); out.Fault == "" {
			t.Errorf("%q was sent", to)
		}
	}
}
