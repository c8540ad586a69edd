package dialogue

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"plateau/hj212"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/gateway"
	"plateau/internal/telemetry/store"
	"plateau/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

const testMN = "5401032026110000000000A1"

var operator = auth.Principal{ID: "u1", Post: auth.Post{Zh: "系统管理员（示例）"}, Role: auth.Operator}

// site is the host: gateway, registry and dialogues over real sockets and a
// real database, which survive what is killed.
type site struct {
	t        *testing.T
	url, dir string
	db       *db.DB
	store    *store.Store
	registry *telemetry.Registry
	gateway  *gateway.Gateway
	asks     *Service
	addr     string
	ahead    atomic.Int64 // of the wall clock
	cancel   context.CancelFunc
	served   chan error
}

func (s *site) now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

func newSite(t *testing.T, url string) *site {
	t.Helper()
	s := &site{t: t, url: url, dir: t.TempDir()}
	s.start()
	ctx := t.Context()
	must(t, s.registry.PutArea(ctx, telemetry.Area{Code: "540000", Level: "province", Name: telemetry.Name{Zh: "西藏自治区"}}, operator))
	if _, err := s.registry.CreateEnterprise(ctx, telemetry.Enterprise{ID: "e1", Name: telemetry.Name{Zh: "企业（示例）"}, Area: "540000"}, operator); err != nil {
		t.Fatal(err)
	}
	id, err := s.registry.CreateOutlet(ctx, telemetry.Outlet{Enterprise: "e1", Name: telemetry.Name{Zh: "排口（示例）"}, Medium: telemetry.Gas, Area: "540000"}, operator)
	must(t, err)
	_, err = s.registry.Adopt(ctx, testMN, telemetry.AdoptInput{Outlet: id, Password: "123456"}, operator)
	must(t, err)
	t.Cleanup(s.stop)
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *site) start() {
	s.t.Helper()
	var err error
	ctx := context.Background()
	s.db, err = db.Open(ctx, s.url)
	must(s.t, err)
	s.store, err = store.Open(s.dir, store.Options{Now: s.now, CacheMB: 1})
	must(s.t, err)
	s.registry, err = telemetry.Open(ctx, s.db, s.now)
	must(s.t, err)
	s.gateway, err = gateway.New(gateway.Options{Addr: "127.0.0.1:0", Store: s.store, Registry: s.registry, Now: s.now, OverTime: 300 * time.Millisecond, ReCount: 1, DrainWait: time.Second})
	must(s.t, err)
	s.addr, err = s.gateway.Listen()
	must(s.t, err)
	s.asks, err = New(ctx, Options{DB: s.db, Gateway: s.gateway, Registry: s.registry, Now: s.now})
	must(s.t, err)
	ctx, s.cancel = context.WithCancel(ctx)
	s.served = make(chan error, 1)
	go func() { s.served <- s.gateway.Serve(ctx) }()
}

func (s *site) stop() {
	s.cancel()
	if err := <-s.served; err != nil {
		s.t.Error(err)
	}
	s.asks.Close()
	s.registry.Close()
	_ = s.store.Close()
	_ = s.db.Close()
}

// logger is the device's end of a connection.
type logger struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	pw   string
	n    int
}

func (s *site) dial(pw string) *logger {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	must(s.t, err)
	s.t.Cleanup(func() { _ = conn.Close() })
	return &logger{t: s.t, conn: conn, in: bufio.NewReader(conn), pw: pw}
}

// upload sends a real-time frame and reports whether it was acknowledged.
func (l *logger) upload(at time.Time) bool {
	l.t.Helper()
	l.n++
	qn := string(hj212.AppendQN(nil, at.Add(time.Duration(l.n)*time.Millisecond)))
	l.write(fmt.Sprintf("QN=%s;ST=31;CN=2011;PW=%s;MN=%s;Flag=5;CP=&&DataTime=%s;a21026-Rtd=1.%d,a21026-Flag=N&&", qn, l.pw, testMN, qn[:14], l.n))
	for {
		p := l.read(2 * time.Second)
		if p == nil {
			return false
		}
		if p.Command() == 9014 && string(p.RequestNumber()) == qn {
			return true
		}
	}
}

func (l *logger) write(seg string) {
	l.t.Helper()
	if _, err := l.conn.Write(hj212.AppendFrame(nil, []byte(seg))); err != nil {
		l.t.Fatal(err)
	}
}

// read returns the next frame of the host, nil when none comes in time.
func (l *logger) read(wait time.Duration) *hj212.Packet {
	l.t.Helper()
	_ = l.conn.SetReadDeadline(time.Now().Add(wait))
	line, err := l.in.ReadBytes('\n')
	if err != nil {
		return nil
	}
	seg, err := hj212.Segment([]byte(strings.TrimSpace(string(line))))
	must(l.t, err)
	p := &hj212.Packet{}
	must(l.t, p.Parse(append([]byte(nil), seg...)))
	return p
}

// request waits for a request of the host.
func (l *logger) request(cn int) *hj212.Packet {
	l.t.Helper()
	for range 10 {
		if p := l.read(3 * time.Second); p != nil && p.Command() == cn {
			return p
		}
	}
	l.t.Fatalf("no request %d came", cn)
	return nil
}

func (l *logger) answer(p *hj212.Packet, cn int, item string) {
	l.t.Helper()
	l.write(fmt.Sprintf("QN=%s;ST=91;CN=%d;PW=%s;MN=%s;Flag=4;CP=&&%s&&", p.RequestNumber(), cn, l.pw, testMN, item))
}

// change begins to set the password 654321.
func (s *site) change() chan Record {
	const pw = "654321"
	done := make(chan Record, 1)
	go func() {
		rec, _ := s.asks.Do(s.t.Context(), Order{MN: testMN, Act: "set_password", Command: hj212.SetPassword(hj212.V2017, pw), Secret: pw, Origin: FromPage, By: operator})
		done <- rec
	}()
	return done
}

func (s *site) device() *telemetry.Device { return s.registry.Snapshot().Devices[testMN] }

func databases(t *testing.T, fn func(t *testing.T, url string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); fn(t, filepath.Join(t.TempDir(), "p.db")) })
	t.Run("postgres", func(t *testing.T) { t.Parallel(); fn(t, testkit.Postgres(t)) })
}

// TestPasswordChanged: the registry learns the new password only when the
// logger has answered success, and what the logger had ready before still
// comes in.
func TestPasswordChanged(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, url string) {
		t.Helper()
		s := newSite(t, url)
		l := s.dial("123456")
		if !l.upload(s.now()) {
			t.Fatal("not let in")
		}
		done := s.change()
		p := l.request(1072)
		if d := s.device(); d.Password != "123456" || d.PasswordOther != "654321" {
			t.Fatalf("before the answer: %q and %q", d.Password, d.PasswordOther)
		}
		l.answer(p, 9011, "QnRtn=1")
		l.answer(p, 9012, "ExeRtn=1")
		if rec := <-done; rec.Outcome != Done {
			t.Fatalf("%+v", rec)
		}
		if d := s.device(); d.Password != "654321" || d.PasswordOther != "123456" {
			t.Fatalf("after it: %q and %q", d.Password, d.PasswordOther)
		}
		if !l.upload(s.now().Add(-time.Hour)) {
			t.Error("what was ready before is refused")
		}
		l.pw = "654321"
		if !l.upload(s.now()) {
			t.Error("the new password is refused")
		}
		s.asks.SettlePasswords(t.Context())
		if d := s.device(); d.Password != "654321" {
			t.Errorf("an old frame undid the change: %q", d.Password)
		}
		// The next request goes out with the new one.
		asked := make(chan Record, 1)
		go func() {
			rec, _ := s.asks.Do(context.Background(), Order{MN: testMN, Act: "get_clock", Command: hj212.GetClock(""), By: operator})
			asked <- rec
		}()
		p = l.request(1011)
		if string(p.Bytes(p.PW)) != "654321" {
			t.Errorf("asked with %q", p.Bytes(p.PW))
		}
		l.answer(p, 9011, "QnRtn=2")
		<-asked
		s.ahead.Store(int64(50 * time.Hour))
		l.upload(s.now())
		s.asks.SettlePasswords(t.Context())
		if d := s.device(); d.PasswordOther != "" {
			t.Error("the old password is accepted for ever")
		}
		l.pw = "123456"
		if l.upload(s.now()) {
			t.Error("the old password is let in two days later")
		}
		log, err := s.asks.List(t.Context(), testMN, 10)
		if err != nil || len(log) != 2 || strings.Contains(fmt.Sprintf("%+v", log), "654321") || strings.Contains(fmt.Sprintf("%+v", log), "123456") {
			t.Errorf("the log tells a password: %+v, %v", log, err)
		}
	})
}

// TestPasswordUnknown: without a result both passwords hold until a frame
// shows which one the logger uses, whichever it is.
func TestPasswordUnknown(t *testing.T) {
	t.Parallel()
	for _, uses := range []string{"123456", "654321"} {
		t.Run(uses, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, filepath.Join(t.TempDir(), "p.db"))
			l := s.dial("123456")
			l.upload(s.now())
			done := s.change()
			p := l.request(1072)
			l.answer(p, 9011, "QnRtn=1")
			_ = l.conn.Close() // the link is torn before the result
			if rec := <-done; rec.Outcome != Unfinished && rec.Outcome != NotConnected {
				t.Fatalf("%+v", rec)
			}
			if d := s.device(); d.Password != "123456" || d.PasswordOther != "654321" {
				t.Fatalf("%q and %q", d.Password, d.PasswordOther)
			}
			l = s.dial(uses)
			if !l.upload(s.now()) {
				t.Fatalf("locked out with %s", uses)
			}
			s.asks.SettlePasswords(t.Context())
			if d := s.device(); d.Password != uses || d.PasswordOther == "" {
				t.Errorf("%q and %q", d.Password, d.PasswordOther)
			}
		})
	}
}

// TestPasswordRefused: a logger that says no goes on as before, and the new
// password opens nothing.
func TestPasswordRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t, filepath.Join(t.TempDir(), "p.db"))
	l := s.dial("123456")
	l.upload(s.now())
	done := s.change()
	l.answer(l.request(1072), 9011, "QnRtn=2")
	if rec := <-done; rec.Outcome != Refused {
		t.Fatalf("%+v", rec)
	}
	if d := s.device(); d.Password != "123456" || d.PasswordOther != "" {
		t.Errorf("%q and %q", d.Password, d.PasswordOther)
	}
	if s.dial("654321").upload(s.now()) {
		t.Error("the refused password is let in")
	}
}

// TestRefusalWithOwnPassword: a logger that does not know our password says so
// with its own, which is not the registered one; the dialogue hears it.
func TestRefusalWithOwnPassword(t *testing.T) {
	t.Parallel()
	s := newSite(t, filepath.Join(t.TempDir(), "p.db"))
	l := s.dial("123456")
	l.upload(s.now())
	done := make(chan Record, 1)
	go func() {
		rec, _ := s.asks.Do(t.Context(), Order{MN: testMN, Act: "get_clock", Command: hj212.GetClock(""), By: operator})
		done <- rec
	}()
	p := l.request(1011)
	l.pw = "999999"
	l.answer(p, 9011, "QnRtn=3")
	if rec := <-done; rec.Outcome != Refused || rec.QnRtn != 3 {
		t.Errorf("%+v", rec)
	}
}

// TestKilledInTheMiddle: the program is killed after the request went out and
// before its result. What it leaves on the disk is taken as it is at that very
// moment; the program that starts on it knows that something was asked, lets
// the logger in with either password, and settles on the one it uses.
func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	for _, uses := range []string{"123456", "654321"} {
		t.Run(uses, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := newSite(t, filepath.Join(dir, "p.db"))
			l := s.dial("123456")
			l.upload(s.now())
			done := s.change()
			l.request(1072)
			left := &site{t: t, url: filepath.Join(t.TempDir(), "p.db"), dir: t.TempDir()}
			for _, part := range []string{"", "-wal"} {
				body, err := os.ReadFile(s.url + part)
				must(t, err)
				must(t, os.WriteFile(left.url+part, body, 0o600))
			}
			<-done
			left.start()
			t.Cleanup(left.stop)
			log, err := left.asks.List(t.Context(), testMN, 5)
			if err != nil || len(log) != 1 || log[0].Outcome != Broken || log[0].Act != "set_password" {
				t.Fatalf("%+v, %v", log, err)
			}
			l = left.dial(uses)
			if !l.upload(left.now()) {
				t.Fatal("locked out after the restart")
			}
			left.asks.SettlePasswords(t.Context())
			if d := left.device(); d.Password != uses {
				t.Errorf("not settled: %q and %q", d.Password, d.PasswordOther)
			}
		})
	}
}

func TestOneDialogueAtATime(t *testing.T) {
	t.Parallel()
	s := newSite(t, filepath.Join(t.TempDir(), "p.db"))
	l := s.dial("123456")
	l.upload(s.now())
	order := Order{MN: testMN, Act: "get_clock", Command: hj212.GetClock(""), Origin: FromAPI, By: operator, Key: "k"}
	first, again, err := s.asks.Start(t.Context(), order)
	if err != nil || again || first.Outcome != Running {
		t.Fatalf("%+v %t %v", first, again, err)
	}
	other := order
	other.Key = "other"
	if _, _, err := s.asks.Start(t.Context(), other); !errs.Is(err, errs.Conflict) {
		t.Errorf("a second one: %v", err)
	}
	p := l.request(1011)
	l.answer(p, 9011, "QnRtn=1")
	l.write("QN=20261124100000000;ST=31;CN=1011;PW=123456;MN=" + testMN + ";Flag=4;CP=&&SystemTime=20261124100000&&")
	l.answer(p, 9012, "ExeRtn=1")
	for range 100 {
		rec, err := s.asks.Get(t.Context(), first.ID)
		must(t, err)
		if rec.Over() {
			if rec.Outcome != Done || rec.Values["SystemTime"] != "20261124100000" || len(rec.Steps) != 4 || rec.Steps[1].Frame == "" || rec.By != "系统管理员（示例）" {
				t.Errorf("%+v", rec)
			}
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	same, again, err := s.asks.Start(t.Context(), order)
	if err != nil || !again || same.ID != first.ID {
		t.Errorf("the same key: %+v %t %v", same, again, err)
	}
	if _, _, err := s.asks.Start(t.Context(), Order{MN: "none", By: operator}); !errs.Is(err, errs.NotFound) {
		t.Errorf("an unknown logger: %v", err)
	}
}
