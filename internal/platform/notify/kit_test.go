package notify_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/mail"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"plateau/internal/platform/access"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/notify"
	"plateau/internal/testkit"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(victimURL); url != "" {
		err := victim(url, os.Getenv(victimMail))
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(testkit.Main(m))
}

// start is a Monday morning on the clock of the installation.
var start = time.Date(2026, 11, 23, 2, 0, 7, 0, time.UTC) // 10:00:07

// tree is two counties.
type tree struct{}

func (tree) Within(code, above string) bool { return strings.HasPrefix(code, above) }

var kinds = []notify.Kind{{Name: "alarm_raised", Permission: "telemetry.view"}, {Name: "alarm_warning", Permission: "telemetry.view"}}

func message(key string) notify.Message {
	return notify.Message{
		Key: key, Kind: "alarm_raised", Urgent: true, Path: "/alarms/" + key, About: access.Object{Area: "540121", Organisation: "E1"},
		Text: notify.Word{Key: "notify.text.alarm_raised", Words: map[string]notify.Word{
			"what": {Key: "alarm.kind.over"}, "outlet": {Zh: "一号排口", En: "Stack 1"}, "since": {At: start.Unix()},
		}},
	}
}

func open(t *testing.T, url string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func people(ctx context.Context, q db.Querier) (out []notify.Account, err error) {
	list, err := auth.OpenAccounts(ctx, q)
	for i := range list {
		out = append(out, notify.Account{ID: list[i].ID, Grants: list[i].Grants()})
	}
	return out, err
}

// rig is notifications over a database with accounts, at a clock of its own.
type rig struct {
	*notify.Service
	t    *testing.T
	db   *db.DB
	auth *auth.Service
	o    notify.Options

	mu sync.Mutex
	at time.Time
}

func (r *rig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = r.at.Add(d)
}

func newRig(t *testing.T, url string, change func(o *notify.Options)) *rig {
	t.Helper()
	r := &rig{t: t, db: open(t, url), at: start}
	r.auth = auth.New(r.db, r.now, auth.Options{})
	r.o = notify.Options{
		DB: r.db, Kinds: kinds, Accounts: people, Areas: func() access.Areas { return tree{} }, Now: r.now, BaseURL: "https://example.org/p/", Collect: -1,
		Private: true, Poll: 5 * time.Millisecond, First: time.Millisecond, Senders: map[notify.Channel]notify.Sender{},
	}
	if change != nil {
		change(&r.o)
	}
	r.restart()
	return r
}

// restart makes a new service over the same database, as another process has one.
func (r *rig) restart() {
	r.t.Helper()
	s, err := notify.New(r.o)
	if err != nil {
		r.t.Fatal(err)
	}
	r.Service = s
}

func (r *rig) account(login, role, area string) auth.Principal {
	r.t.Helper()
	u := auth.User{Login: login, Post: auth.Post{Zh: login}, Role: auth.Role(role), Area: area}
	if access.Default().NeedsOrganisation(role) {
		u.Enterprise = "E1"
	}
	u, err := r.auth.AddUser(r.t.Context(), u)
	if err != nil {
		r.t.Fatal(err)
	}
	return auth.Principal{ID: u.ID, Login: u.Login, Post: u.Post, Role: u.Role, Area: u.Area, Enterprise: u.Enterprise}
}

// confirmed gives an account a confirmed address for a channel, and lets all kinds
// go there.
func (r *rig) confirmed(p auth.Principal, c notify.Channel, address string, mode notify.Mode) {
	r.t.Helper()
	ctx := r.t.Context()
	if _, err := r.SetAddress(ctx, p, c, address); err != nil {
		r.t.Fatal(err)
	}
	var code string
	if err := r.db.QueryRow(ctx, `SELECT code FROM notify_addresses WHERE user_id = $1 AND channel = $2`, p.ID, string(c)).Scan(&code); err != nil {
		r.t.Fatal(err)
	}
	if err := r.Confirm(ctx, p, c, code); err != nil {
		r.t.Fatal(err)
	}
	set, err := r.Settings(ctx, p.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, k := range kinds {
		set.Modes[notify.Choice{Kind: k.Name, Channel: c}] = mode
	}
	if err := r.SaveSettings(ctx, p, set); err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.db.Exec(ctx, `DELETE FROM notify_deliveries WHERE purpose = 'code'`); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) tell(list ...notify.Message) {
	r.t.Helper()
	if err := r.db.Tx(r.t.Context(), func(tx *db.Tx) error { return r.Tell(r.t.Context(), tx, list) }); err != nil {
		r.t.Fatal(err)
	}
}

// run delivers until ok says so.
func (r *rig) run(ok func() bool) {
	r.t.Helper()
	ctx, stop := context.WithTimeout(r.t.Context(), time.Minute)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	for !ok() {
		if ctx.Err() != nil {
			list, _, _ := r.Deliveries(r.t.Context(), notify.DeliveryFilter{Limit: 10})
			r.t.Errorf("it took too long: %+v", list)
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	stop()
	if err := <-done; err != nil {
		r.t.Error(err)
	}
}

// states counts deliveries by state.
func (r *rig) states() map[string]int {
	r.t.Helper()
	list, _, err := r.Deliveries(r.t.Context(), notify.DeliveryFilter{Limit: 1000})
	if err != nil {
		r.t.Fatal(err)
	}
	out := map[string]int{}
	for i := range list {
		out[list[i].State]++
	}
	return out
}

func (r *rig) only() notify.Delivery {
	r.t.Helper()
	list, n, err := r.Deliveries(r.t.Context(), notify.DeliveryFilter{Limit: 10})
	if err != nil || n != 1 {
		r.t.Fatalf("%d deliveries, %v: %+v", n, err, list)
	}
	return list[0]
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

// letter is a mail as the server got it.
type letter struct {
	to, id string
	header mail.Header
	body   string
	raw    string
}

// mailServer is a real SMTP server that behaves as a test says.
type mailServer struct {
	*smtp.Server
	addr string
	tls  *tls.Config // of clients

	mu      sync.Mutex
	letters []letter // taken or not
	tries   int
	// rcpt and data are asked at each recipient and each mail; nil = taken.
	rcpt func(n int) error
	data func(n int, l letter, c *smtp.Conn) error
	user string // "" = no sign-in
}

// newMailServer makes one; secure gives it a certificate.
func newMailServer(t *testing.T, secure bool) *mailServer {
	t.Helper()
	s := &mailServer{}
	s.Server = smtp.NewServer(s)
	s.Domain, s.AllowInsecureAuth, s.ErrorLog = "localhost", false, quiet{}
	if secure {
		s.TLSConfig, s.tls = certificate(t)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return s
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

func (s *mailServer) NewSession(c *smtp.Conn) (smtp.Session, error) { return &session{s: s, c: c}, nil }

func (s *mailServer) got() []letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.letters)
}

func (s *mailServer) options() notify.SMTPOptions {
	host, port, _ := net.SplitHostPort(s.addr)
	n, _ := strconv.Atoi(port)
	o := notify.SMTPOptions{Host: host, Port: n, TLS: notify.TLSNone, From: "Plateau <plateau@example.org>", Timeout: 2 * time.Second}
	if s.tls != nil {
		o.TLS, o.Config = notify.TLSStart, s.tls
	}
	return o
}

func (s *mailServer) mailer(t *testing.T) *notify.Mailer {
	t.Helper()
	m, err := notify.NewMailer(s.options())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

type session struct {
	s  *mailServer
	c  *smtp.Conn
	to string
	in bool
}

func (x *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (x *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != x.s.user || password != "secret" {
			return smtp.ErrAuthFailed
		}
		x.in = true
		return nil
	}), nil
}

func (x *session) Reset()        { x.to = "" }
func (x *session) Logout() error { return nil }

func (x *session) Mail(string, *smtp.MailOptions) error {
	if x.s.user != "" && !x.in {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (x *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	x.to = to
	x.s.mu.Lock()
	x.s.tries++
	n, ask := x.s.tries, x.s.rcpt
	x.s.mu.Unlock()
	if ask != nil {
		return ask(n)
	}
	return nil
}

func (x *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m, err := mail.ReadMessage(strings.NewReader(string(raw)))
	if err != nil {
		return err
	}
	body, err := io.ReadAll(m.Body)
	if err != nil {
		return err
	}
	l := letter{to: x.to, id: m.Header.Get("Message-ID"), header: m.Header, body: string(body), raw: string(raw)}
	x.s.mu.Lock()
	x.s.letters = append(x.s.letters, l)
	n, ask := len(x.s.letters), x.s.data
	x.s.mu.Unlock()
	if ask != nil {
		return ask(n, l, x.c)
	}
	return nil
}

var errTorn = errors.New("torn")

// tear breaks the connection off without an answer.
func tear(c *smtp.Conn) error {
	if tcp, ok := c.Conn().(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Conn().Close()
	return errTorn
}

// certificate makes one for 127.0.0.1, for server and clients.
func certificate(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	raw, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{raw}, PrivateKey: key}}, MinVersion: tls.VersionTLS12},
		&tls.Config{RootCAs: pool, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
}
