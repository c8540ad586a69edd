package notify

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	netmail "net/mail"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
)

// How a connection to a mail server is encrypted.
const (
	TLSStart = "starttls" // begun in the clear, refused without STARTTLS
	TLSAll   = "tls"      // from the first byte on
	TLSNone  = "none"
)

// SMTPOptions describe the mail server of the installation.
type SMTPOptions struct {
	Host     string
	Port     int
	TLS      string // TLSStart, TLSAll, TLSNone
	User     string // "" = no sign-in
	Password string
	From     string // "Plateau <plateau@example.org>" or the address alone
	Timeout  time.Duration
	Config   *tls.Config // nil = the certificates of the system
}

// Mailer hands mails to a mail server. A connection is made for each.
type Mailer struct {
	o      SMTPOptions
	from   *netmail.Address
	domain string
}

// NewMailer checks the options.
func NewMailer(o SMTPOptions) (*Mailer, error) {
	from, err := netmail.ParseAddress(o.From)
	if err != nil || !ValidMail(from.Address) {
		return nil, errors.New("notify.smtp.from is no mail address; write it like plateau@example.org")
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	m := &Mailer{o: o, from: from, domain: domain}
	_, err = m.client()
	return m, err
}

func (m *Mailer) client() (*mail.Client, error) {
	opts := []mail.Option{mail.WithPort(m.o.Port), mail.WithTimeout(m.o.Timeout), mail.WithHELO(m.domain), mail.WithoutNoop()}
	switch m.o.TLS {
	case TLSAll:
		opts = append(opts, mail.WithSSL())
	case TLSNone:
		opts = append(opts, mail.WithTLSPolicy(mail.NoTLS))
	default:
		opts = append(opts, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if m.o.Config != nil {
		opts = append(opts, mail.WithTLSConfig(m.o.Config))
	}
	if m.o.User != "" {
		opts = append(opts, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(m.o.User), mail.WithPassword(m.o.Password))
	}
	c, err := mail.NewClient(m.o.Host, opts...)
	if err != nil {
		return nil, fmt.Errorf("notify.smtp: %w", err)
	}
	return c, nil
}

// message writes a parcel as a mail. Date and Message-ID are those of the
// delivery, so that a repeat is the same mail and can be told as one.
func (m *Mailer) message(p *Parcel) (*mail.Msg, error) {
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	msg.FromMailAddress(m.from)
	if err := msg.To(p.To); err != nil {
		return nil, err
	}
	msg.Subject(oneLine(p.Subject))
	msg.SetMessageIDWithValue(p.ID + "@" + m.domain)
	msg.SetDateWithValue(p.At)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no answer by a machine, please
	msg.SetGenHeader("X-Auto-Response-Suppress", "All")
	msg.SetGenHeader("Content-Language", p.Lang.Tag())
	msg.SetBodyString(mail.TypeTextPlain, p.Body)
	return msg, nil
}

// Send implements Sender.
func (m *Mailer) Send(ctx context.Context, p *Parcel) Outcome {
	msg, err := m.message(p)
	if err != nil {
		return Outcome{Fault: err.Error(), Final: true}
	}
	c, err := m.client()
	if err != nil {
		return Outcome{Fault: err.Error()}
	}
	ctx, cancel := context.WithTimeout(ctx, m.o.Timeout)
	defer cancel()
	if err := c.DialWithContext(ctx); err != nil {
		return Outcome{Fault: "mail server: " + err.Error()}
	}
	err = c.Send(msg)
	_ = c.Close() // what was taken is taken, however the server says goodbye
	if msg.IsDelivered() {
		return Outcome{Status: 250}
	}
	out := Outcome{Fault: "mail server: " + cmp.Or(fmt.Sprint(err), "did not take the mail")}
	if e, ok := errors.AsType[*mail.SendError](err); ok {
		out.Status = e.ErrorCode()
		// Refused for this recipient or for what it says. That the sender is not
		// let in is for the operator to mend; the mail waits for that.
		aboutMail := e.Reason == mail.ErrSMTPRcptTo || e.Reason == mail.ErrSMTPData || e.Reason == mail.ErrSMTPDataClose
		out.Final = aboutMail && out.Status >= 500 && out.Status != 530
	}
	return out
}
