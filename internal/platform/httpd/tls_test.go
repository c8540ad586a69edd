package httpd_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	pebbledb "github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"

	"plateau/internal/platform/httpd"
	"plateau/internal/testkit"
)

func write(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// served runs a server over what certs say and returns its address.
func served(t *testing.T, o httpd.Options) string {
	t.Helper()
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	s := httpd.New(o)
	addr, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return addr
}

var page = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the page") })

// logs is a log that a test looks into.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.b.String(), text)
}

// shown returns the serial number of the certificate that addr shows.
func shown(t *testing.T, addr string, config *tls.Config) int64 {
	t.Helper()
	conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// TestRenewedFiles: new files are taken up by the running server; files that do
// not fit together are told and the pair before them goes on.
func TestRenewedFiles(t *testing.T) {
	t.Parallel()
	dir, begin := t.TempDir(), time.Now()
	var ahead atomic.Int64
	now := func() time.Time { return begin.Add(time.Duration(ahead.Load())) }
	cert, key := testkit.Certificate(t, dir, "server", 1, begin.Add(24*time.Hour))
	l := &logs{}
	at, err := httpd.OpenTLS(httpd.Certificates{Cert: cert, Key: key}, slog.New(slog.NewTextHandler(l, nil)), now)
	if err != nil {
		t.Fatal(err)
	}
	addr := served(t, httpd.Options{Handler: page, TLS: at})
	anybody := &tls.Config{InsecureSkipVerify: true}
	if n := shown(t, addr, anybody); n != 1 {
		t.Errorf("certificate %d is shown first", n)
	}
	later := func(names ...string) {
		for _, n := range names {
			if err := os.Chtimes(n, begin, begin.Add(time.Duration(ahead.Load())+time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		ahead.Add(int64(time.Minute))
	}
	other, _ := testkit.Certificate(t, dir, "other", 2, begin.Add(24*time.Hour))
	text, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	write(t, cert, text) // without its key
	later(cert)
	if n := shown(t, addr, anybody); n != 1 || !l.has("the one before it goes on") {
		t.Errorf("certificate %d is shown when the new one lacks its key", n)
	}
	testkit.Certificate(t, dir, "server", 3, begin.Add(72*time.Hour))
	later(cert, key)
	if n := shown(t, addr, anybody); n != 3 || !l.has("certificate renewed") {
		t.Errorf("certificate %d is shown after the renewal", n)
	}
	if _, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}}).DialContext(t.Context(), "tcp", addr); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
}

// TestUnusableFiles: what cannot serve is refused at the start, by its file.
func TestUnusableFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := testkit.Certificate(t, dir, "good", 1, time.Now().Add(time.Hour))
	old, oldKey := testkit.Certificate(t, dir, "old", 2, time.Now().Add(-time.Hour))
	empty := filepath.Join(dir, "empty")
	write(t, empty, nil)
	for _, c := range []struct {
		certs httpd.Certificates
		want  string
	}{
		{httpd.Certificates{Cert: filepath.Join(dir, "absent"), Key: key}, "absent: no such file"},
		{httpd.Certificates{Cert: cert, Key: oldKey}, "private key does not match"},
		{httpd.Certificates{Cert: old, Key: oldKey}, "has run out on"},
		{httpd.Certificates{Domains: []string{"plateau.test"}, Roots: empty}, "has no certificate; it must be a PEM file"},
	} {
		if _, err := httpd.OpenTLS(c.certs, slog.New(slog.DiscardHandler), time.Now); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.certs, err, c.want)
		}
	}
}

// TestPlain: reading over plain HTTP is sent on, a form or a token is not taken.
func TestPlain(t *testing.T) {
	t.Parallel()
	cert, key := testkit.Certificate(t, t.TempDir(), "server", 1, time.Now().Add(time.Hour))
	at, err := httpd.OpenTLS(httpd.Certificates{Cert: cert, Key: key}, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ method, base, target, want string }{
		{"GET", "", "http://plateau.test:80/public?lang=bo", "https://plateau.test/public?lang=bo"},
		{"GET", "https://plateau.test:8443", "http://10.0.0.7//elsewhere.test/x", "https://plateau.test:8443//elsewhere.test/x"},
		{"HEAD", "", "http://plateau.test/", "https://plateau.test/"},
		{"POST", "", "http://plateau.test/sign-in", ""},
	} {
		w := httptest.NewRecorder()
		at.Plain(c.base).ServeHTTP(w, httptest.NewRequest(c.method, c.target, nil))
		if got := w.Header().Get("Location"); got != c.want || c.want == "" && w.Code != http.StatusBadRequest {
			t.Errorf("%s %s: %d %q, want %q", c.method, c.target, w.Code, got, c.want)
		}
	}
}

// TestStrictTransport: who came over TLS once comes over TLS for a year; a
// program behind a proxy leaves that to the proxy.
func TestStrictTransport(t *testing.T) {
	t.Parallel()
	h := httpd.Wrap(page, &httpd.Edge{}, slog.New(slog.DiscardHandler), time.Now)
	for _, target := range []string{"https://plateau.test/", "http://plateau.test/"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
		if got := w.Header().Get("Strict-Transport-Security"); (got == "max-age=31536000; includeSubDomains") != strings.HasPrefix(target, "https:") {
			t.Errorf("%s: %q", target, got)
		}
	}
}

// authority is an ACME server that finds every name on this machine, and asks at
// the given ports.
func authority(t *testing.T, httpPort, tlsPort int) (directory, rootFile string, pool *x509.CertPool) {
	t.Helper()
	names := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg)
		m.SetReply(q)
		if q.Question[0].Qtype == dns.TypeA {
			m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}, A: net.IPv4(127, 0, 0, 1)})
		}
		_ = w.WriteMsg(m)
	})
	var lc net.ListenConfig
	asks, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	resolver := &dns.Server{Listener: asks, Handler: names}
	go func() { _ = resolver.ActivateAndServe() }()
	t.Cleanup(func() { _ = resolver.Shutdown() })

	quiet := log.New(io.Discard, "", 0)
	db := pebbledb.NewMemoryStore()
	c := ca.New(quiet, db, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {Description: "default"}})
	v := va.New(quiet, httpPort, tlsPort, true, asks.Addr().String(), db)
	front := wfe.New(quiet, db, v, c, []string{"ca.test"}, true, false, 1, 1)
	s := httptest.NewTLSServer(front.Handler())
	t.Cleanup(s.Close)
	rootFile = filepath.Join(t.TempDir(), "roots.pem")
	write(t, rootFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	pool = x509.NewCertPool()
	if !pool.AppendCertsFromPEM(c.GetRootCert(0).PEM()) {
		t.Fatal("no root")
	}
	return s.URL + wfe.DirectoryPath, rootFile, pool
}

// freePort is a port that nobody listens at now.
func freePort(t *testing.T) int {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// TestACME gets a certificate from a real ACME server, asked over TLS and over
// plain HTTP, and serves with it; a later start takes the kept one, though the
// authority is gone.
func TestACME(t *testing.T) {
	t.Parallel()
	const name = "plateau.test"
	for _, how := range []string{"over TLS", "over plain HTTP"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			port, plain, closed := freePort(t), freePort(t), freePort(t)
			asked := port
			if how != "over TLS" { // the authority does not get through there
				asked = closed
			}
			directory, roots, pool := authority(t, plain, asked)
			certs := httpd.Certificates{Domains: []string{name}, Directory: directory, Roots: roots, Folder: filepath.Join(t.TempDir(), "acme")}
			l := &logs{}
			at, err := httpd.OpenTLS(certs, slog.New(slog.NewTextHandler(l, nil)), time.Now)
			if err != nil {
				t.Fatal(err)
			}
			served(t, httpd.Options{Addr: fmt.Sprintf("127.0.0.1:%d", port), Handler: page, TLS: at})
			if how != "over TLS" {
				served(t, httpd.Options{Addr: fmt.Sprintf("127.0.0.1:%d", plain), Handler: at.Plain("")})
			}
			if err := at.Obtain(t.Context(), certs.Domains); err != nil {
				t.Fatal(err)
			}
			visit := func(at *httpd.TLS) {
				addr := served(t, httpd.Options{Handler: page, TLS: at})
				client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: name}}}
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+addr, nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if text, err := io.ReadAll(resp.Body); err != nil || string(text) != "the page" {
					t.Errorf("%q, %v", text, err)
				}
				client.CloseIdleConnections()
			}
			visit(at)
			if _, err := (&tls.Dialer{Config: &tls.Config{RootCAs: pool, ServerName: "other.test"}}).DialContext(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
				t.Error("a certificate for a name that is not ours")
			}
			if l.has("other.test") {
				t.Error("the log tells of every name that somebody tries")
			}
			certs.Directory = "https://127.0.0.1:1/"
			again, err := httpd.OpenTLS(certs, slog.New(slog.DiscardHandler), time.Now)
			if err != nil {
				t.Fatal(err)
			}
			if err := again.Obtain(t.Context(), certs.Domains); err != nil {
				t.Errorf("with the certificate kept: %v", err)
			}
			visit(again)
		})
	}
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		directory, roots, _ := authority(t, freePort(t), freePort(t)) // it reaches nobody
		at, err := httpd.OpenTLS(httpd.Certificates{Domains: []string{name}, Directory: directory, Roots: roots, Folder: t.TempDir()}, slog.New(slog.DiscardHandler), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		if err := at.Obtain(t.Context(), []string{name}); err == nil || !strings.Contains(err.Error(), "certificate for "+name) {
			t.Errorf("%v", err)
		}
	})
}
