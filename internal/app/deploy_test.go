package app

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/testkit"
)

// running starts the whole program and ends it with the test.
func running(t *testing.T, o Options) *App {
	t.Helper()
	a, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- a.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// trusting is a browser that knows a certificate; it follows nothing by itself.
func trusting(t *testing.T, cert string) *http.Client {
	t.Helper()
	text, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatalf("no certificate in %s", cert)
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// reply is an answer that was read to its end.
type reply struct {
	status, proto int
	header        http.Header
	cookies       []*http.Cookie
	body          string
}

func ask(t *testing.T, client *http.Client, method, target, body string, header ...string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.ProtoMajor, resp.Header, resp.Cookies(), string(text)}
}

const samplePassword = "river stone under ice"

// signedIn signs the first operator in and returns the answer.
func signedIn(t *testing.T, client *http.Client, base string) reply {
	t.Helper()
	got := ask(t, client, http.MethodPost, base+"/en/login", url.Values{"name": {"admin"}, "password": {samplePassword}}.Encode())
	if got.status != http.StatusSeeOther || len(got.cookies) == 0 {
		t.Fatalf("signing in: %d", got.status)
	}
	return got
}

// TestOwnTLS: the program speaks https by certificate files, tells its addresses
// so, gives cookies for https only, and sends plain http on.
func TestOwnTLS(t *testing.T) {
	t.Parallel()
	cert, key := testkit.Certificate(t, t.TempDir(), "server", 1, time.Now().Add(24*time.Hour))
	var out bytes.Buffer
	o := victimOptions(t.TempDir())
	o.Stdout, o.Stderr = &out, io.Discard
	o.Flags["http.tls.cert"], o.Flags["http.tls.key"], o.Flags["http.tls.plain_addr"] = cert, key, "127.0.0.1:0"
	o.Flags["hj212.adopt_unknown"] = "false"
	a := running(t, o)
	for _, want := range []string{"http: https://" + a.httpAddr, "plain http: http://" + a.plainAddr, "first sign-in: https://" + a.httpAddr} {
		if !strings.Contains(out.String(), want+"\n") && !strings.Contains(out.String(), want+"/") {
			t.Errorf("%q is not printed:\n%s", want, out.String())
		}
	}
	if err := a.auth.SpendLink(t.Context(), a.firstKey, samplePassword); err != nil {
		t.Fatal(err)
	}
	client := trusting(t, cert)
	got := signedIn(t, client, "https://"+a.httpAddr)
	if c := got.cookies[0]; !c.Secure || !c.HttpOnly || c.Name != "__Host-"+auth.CookieName {
		t.Errorf("cookie %s", c.Raw)
	}
	if got.proto != 2 || got.header.Get("Strict-Transport-Security") == "" {
		t.Errorf("HTTP/%d, %v", got.proto, got.header)
	}
	got = ask(t, client, http.MethodGet, "http://"+a.plainAddr+"/en/public?x=1", "")
	if to := got.header.Get("Location"); to != "https://127.0.0.1/en/public?x=1" {
		t.Errorf("plain http leads to %q", to)
	}
	if got = ask(t, client, http.MethodPost, "http://"+a.plainAddr+"/en/login", "name=admin"); got.status != http.StatusBadRequest {
		t.Errorf("a form over plain http: %d", got.status)
	}
}

// TestBehindNginx runs a real nginx with the example in deploy before the program:
// links and cookies are for https, tries to sign in are counted by the visitor's
// address whatever the visitor claims, exports come through as they are written,
// and the operator's figures do not go out.
func TestBehindNginx(t *testing.T) {
	t.Parallel()
	bin, err := exec.LookPath("nginx")
	if err != nil { // the folder is not on everybody's path
		bin, err = exec.LookPath("/usr/sbin/nginx")
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("nginx is not installed: apt-get install nginx-light")
	}
	dir := t.TempDir()
	cert, key := testkit.Certificate(t, dir, "server", 1, time.Now().Add(24*time.Hour))
	ports := make([]string, 2)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ports[i] = l.Addr().String()
		_ = l.Close()
	}
	o := victimOptions(t.TempDir())
	o.Stdout, o.Stderr = io.Discard, io.Discard
	o.Flags["http.proxies"], o.Flags["http.url"], o.Flags["hj212.adopt_unknown"] = "127.0.0.1", "https://"+ports[1], "false"
	a := running(t, o)
	example, err := os.ReadFile(filepath.Join(testkit.Root(), "deploy", "nginx.conf"))
	if err != nil {
		t.Fatal(err)
	}
	server := string(example)
	for _, change := range [][2]string{
		{"listen 80;", "listen " + ports[0] + ";"},
		{"listen 443 ssl", "listen " + ports[1] + " ssl"},
		{"/etc/ssl/plateau/fullchain.pem", cert},
		{"/etc/ssl/plateau/privkey.pem", key},
		{"http://127.0.0.1:8080", "http://" + a.httpAddr},
		{"allow 127.0.0.1;", ""}, // the test's visitor is on this machine
	} {
		if !strings.Contains(server, change[0]) {
			t.Fatalf("the example has no %q any more", change[0])
		}
		server = strings.ReplaceAll(server, change[0], change[1])
	}
	conf := filepath.Join(dir, "nginx.conf")
	text := "user root;\nworker_processes 1;\nerror_log stderr warn;\npid " + dir + "/pid;\nevents {}\nhttp {\naccess_log off;\nclient_body_temp_path " + dir + "/b;\nproxy_temp_path " + dir + "/p;\nfastcgi_temp_path " + dir + "/f;\nuwsgi_temp_path " + dir + "/u;\nscgi_temp_path " + dir + "/s;\n" + server + "}\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), bin, "-e", "stderr", "-c", conf, "-g", "daemon off;")
	var log bytes.Buffer
	cmd.Stderr = &log
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // ends its worker too
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	for range 100 {
		conn, err := net.DialTimeout("tcp", ports[1], time.Second)
		if err == nil {
			_ = conn.Close()
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	base, client := "https://"+ports[1], trusting(t, cert)
	if err := a.auth.SpendLink(t.Context(), a.firstKey, samplePassword); err != nil {
		t.Fatal(err)
	}
	got := signedIn(t, client, base)
	if c := got.cookies[0]; !c.Secure {
		t.Errorf("cookie %s", c.Raw)
	}
	if strict := got.header.Values("Strict-Transport-Security"); len(strict) != 1 {
		t.Errorf("strict transport %v", strict)
	}
	cookie := got.cookies[0].Name + "=" + got.cookies[0].Value
	if got := ask(t, client, http.MethodGet, base+"/en/account/sessions", "", "Cookie", cookie, "X-Forwarded-For", "203.0.113.9"); !strings.Contains(got.body, "127.0.0.1") || strings.Contains(got.body, "203.0.113.9") {
		t.Error("the visitor's address is not what nginx saw")
	}
	if got := ask(t, client, http.MethodGet, base+"/sta/v1.1", "", "Cookie", cookie); !strings.Contains(got.body, base+"/sta/v1.1/Things") {
		t.Errorf("SensorThings links elsewhere: %d %.300s", got.status, got.body)
	}
	if got := ask(t, client, http.MethodGet, base+"/metrics", ""); got.status != http.StatusForbidden {
		t.Errorf("figures for everybody: %d", got.status)
	}
	if got := ask(t, client, http.MethodGet, "http://"+ports[0]+"/en/public", ""); got.status != http.StatusPermanentRedirect || !strings.HasPrefix(got.header.Get("Location"), "https://") {
		t.Errorf("plain http: %d to %q", got.status, got.header.Get("Location"))
	}
	// The last try of this address that is counted, whoever it says it is.
	for range 6 {
		got = ask(t, client, http.MethodPost, base+"/en/login", "name=admin&password=wrong-as-can-be", "X-Forwarded-For", "203.0.113."+time.Now().Format("05"))
	}
	if got.status != http.StatusTooManyRequests {
		t.Errorf("the sixth wrong try: %d", got.status)
	}
	if t.Failed() {
		t.Log(log.String())
	}
}

// TestServiceFile: systemd reads the unit without complaint and counts it as well
// locked in.
func TestServiceFile(t *testing.T) {
	t.Parallel()
	bin, err := exec.LookPath("systemd-analyze")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("systemd-analyze is not installed: apt-get install systemd")
	}
	text, err := os.ReadFile(filepath.Join(testkit.Root(), "deploy", "plateau.service"))
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "plateau.service")
	if err := os.WriteFile(unit, bytes.ReplaceAll(text, []byte("/usr/local/bin/plateau"), []byte(self)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"verify", "--man=no", "--recursive-errors=no", unit}, {"security", "--offline=true", "--threshold=20", "--no-pager", unit}} {
		out, err := exec.CommandContext(t.Context(), bin, args...).CombinedOutput()
		if err != nil || args[0] == "verify" && len(bytes.TrimSpace(out)) > 0 {
			t.Errorf("systemd-analyze %s: %v\n%s", args[0], err, out)
		}
	}
}

// TestServiceManager: the program says that it runs, goes on saying so, and says
// that it stops, in the words of systemd.
func TestServiceManager(t *testing.T) {
	pc, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	t.Setenv("NOTIFY_SOCKET", pc.LocalAddr().String())
	t.Setenv("WATCHDOG_USEC", "400000")
	o := victimOptions(t.TempDir())
	o.Stdout, o.Stderr = io.Discard, io.Discard
	heard := make(chan string, 100)
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := pc.Read(b)
			if err != nil {
				close(heard)
				return
			}
			heard <- string(b[:n])
		}
	}()
	t.Run("runs", func(t *testing.T) {
		running(t, o)
		for _, want := range []string{"READY=1", "WATCHDOG=1", "WATCHDOG=1"} {
			if got := <-heard; got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
	})
	for got := range heard {
		if got == "STOPPING=1" {
			return
		}
		if got != "WATCHDOG=1" {
			t.Fatalf("%q at the end", got)
		}
	}
}
