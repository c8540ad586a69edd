package httpd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// Certificates say by which certificates the server proves its name: files, or
// an authority that speaks ACME (RFC 8555). The zero value is plain HTTP.
type Certificates struct {
	Cert, Key string // PEM files: the chain, the server's own first, and its key

	Domains   []string // names that certificates are asked for by ACME
	Directory string   // address of the ACME server
	Roots     string   // PEM file: what the ACME server is trusted by; "" = the system's roots
	Email     string   // whom the authority tells of trouble; "" = nobody
	Folder    string   // where the account's key and the certificates are kept
}

// On reports whether the server speaks TLS.
func (c Certificates) On() bool { return c.Cert != "" || len(c.Domains) > 0 }

// TLS is how the server speaks TLS, and what is asked of it over plain HTTP.
type TLS struct {
	Config *tls.Config
	acme   *autocert.Manager // nil = files
}

// acmeWait bounds one request to the ACME server.
const acmeWait = 30 * time.Second

// OpenTLS reads what c names. The error tells the file.
func OpenTLS(c Certificates, log *slog.Logger, now func() time.Time) (*TLS, error) {
	if c.Cert != "" {
		f := &certFile{cert: c.Cert, key: c.Key, log: log, now: now}
		if err := f.load(); err != nil {
			return nil, err
		}
		return &TLS{Config: &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: f.get}}, nil
	}
	client := &http.Client{Timeout: acmeWait}
	if c.Roots != "" {
		pem, err := os.ReadFile(c.Roots)
		if err != nil {
			return nil, fmt.Errorf("roots of the ACME server: %w", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("roots of the ACME server: %s has no certificate; it must be a PEM file", c.Roots)
		}
		client.Transport = &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	}
	ours := autocert.HostWhitelist(c.Domains...)
	m := &autocert.Manager{
		Prompt:     autocert.AcceptTOS, // whoever sets the domains has said so in the settings
		Cache:      autocert.DirCache(c.Folder),
		HostPolicy: func(ctx context.Context, host string) error { return ours(ctx, withoutPort(host)) }, // an authority of one's own may ask at another port than 80
		Client:     &acme.Client{DirectoryURL: c.Directory, HTTPClient: client, UserAgent: "plateau"},
		Email:      c.Email,
	}
	config := m.TLSConfig()
	config.MinVersion = tls.VersionTLS12
	get := config.GetCertificate
	config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		cert, err := get(hello)
		if err != nil && slices.Contains(c.Domains, hello.ServerName) { // the browser only sees a broken handshake
			log.WarnContext(hello.Context(), "no certificate for a visitor", slog.String("name", hello.ServerName), slog.Any("error", err))
		}
		return cert, err
	}
	return &TLS{Config: config, acme: m}, nil
}

// WithKeys is the same for programs that show who they are by a key: the handshake
// asks for a certificate and has them prove that they hold its key. Whose it is,
// is asked later; so it matters not who issued it.
func (t *TLS) WithKeys() *TLS {
	config := t.Config.Clone()
	config.ClientAuth = tls.RequireAnyClientCert
	return &TLS{Config: config}
}

// Plain is what answers over plain HTTP beside a server that speaks TLS: reading
// is sent on to the same address there, other requests are refused, for what they
// carry has gone over the line in the clear already. It also answers the ACME
// server's questions. base is the address people use, "" = that of the request.
func (t *TLS) Plain(base string) http.Handler {
	onward := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.Error(w, "This address is for reading on over https only; send the request there.", http.StatusBadRequest)
			return
		}
		to := url.URL{Scheme: "https", Host: withoutPort(r.Host), Path: r.URL.Path, RawQuery: r.URL.RawQuery}
		if u, err := url.Parse(base); err == nil && u.Host != "" {
			to.Host = u.Host
		}
		http.Redirect(w, r, to.String(), http.StatusMovedPermanently)
	})
	if t.acme != nil {
		return t.acme.HTTPHandler(onward)
	}
	return onward
}

func withoutPort(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return host
}

// certFile is a certificate in files, read again when they change: whoever
// renews it only has to put the new files there.
type certFile struct {
	cert, key string
	log       *slog.Logger
	now       func() time.Time

	mu      sync.Mutex
	have    *tls.Certificate
	changed [2]time.Time // of the two files
	looked  time.Time
}

// lookEvery is how often the files are looked at.
const lookEvery = 10 * time.Second

func (f *certFile) load() error {
	changed, err := f.times()
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return fmt.Errorf("certificate %s with key %s: %w", f.cert, f.key, err)
	}
	if f.now().After(pair.Leaf.NotAfter) {
		return fmt.Errorf("certificate %s has run out on %s; put a renewed one there", f.cert, pair.Leaf.NotAfter.UTC().Format(time.DateOnly))
	}
	f.have, f.changed, f.looked = &pair, changed, f.now()
	return nil
}

func (f *certFile) times() (out [2]time.Time, err error) {
	for i, name := range []string{f.cert, f.key} {
		info, err := os.Stat(name)
		if err != nil {
			return out, fmt.Errorf("certificate: %w", err)
		}
		out[i] = info.ModTime()
	}
	return out, nil
}

func (f *certFile) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if now.Sub(f.looked) < lookEvery && !now.Before(f.looked) {
		return f.have, nil
	}
	f.looked = now
	changed, err := f.times()
	if err == nil && changed == f.changed {
		return f.have, nil
	}
	if err == nil {
		err = f.load()
	}
	if err != nil { // half written, or a key of another one: the old pair still serves
		f.log.ErrorContext(hello.Context(), "the renewed certificate cannot be used; the one before it goes on", slog.Any("error", err))
	} else {
		f.log.InfoContext(hello.Context(), "certificate renewed", slog.Time("until", f.have.Leaf.NotAfter))
	}
	return f.have, nil
}

// Obtain gets the certificate of each domain before anybody asks for it, so that
// what is wrong shows in the log at the start; it goes on when one fails.
func (t *TLS) Obtain(ctx context.Context, domains []string) error {
	if t.acme == nil {
		return nil
	}
	var errs []error
	for _, d := range domains {
		hello := &tls.ClientHelloInfo{
			ServerName: d, SupportedVersions: []uint16{tls.VersionTLS13},
			SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256}, SupportedCurves: []tls.CurveID{tls.CurveP256},
			CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
		}
		if _, err := t.acme.GetCertificate(hello); err != nil {
			errs = append(errs, fmt.Errorf("certificate for %s: %w", d, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}
