package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"

	"plateau/internal/platform/httpd"
)

// ACMEDir is the folder inside the data folder for the account's key and the
// certificates that an authority gave.
const ACMEDir = "acme"

// openTLS returns nil where the program speaks plain HTTP.
func (a *App) openTLS() (*httpd.TLS, error) {
	t := a.c.HTTP.TLS
	if !t.On() {
		return nil, nil //nolint:nilnil // nothing is set
	}
	return httpd.OpenTLS(httpd.Certificates{
		Cert: t.Cert, Key: t.Key, Domains: t.Names(), Directory: t.ACMEDirectory, Roots: t.ACMERoots, Email: t.ACMEEmail,
		Folder: filepath.Join(a.c.Data, ACMEDir),
	}, a.log, a.now)
}

// openServices returns nil where no program asks with a key of its own.
func (a *App) openServices(handler http.Handler) (*httpd.Server, error) {
	s := a.c.Services
	if s.Addr == "" {
		return nil, nil //nolint:nilnil // nothing is set
	}
	own := a.tls
	if s.Cert != "" {
		var err error
		if own, err = httpd.OpenTLS(httpd.Certificates{Cert: s.Cert, Key: s.Key}, a.log, a.now); err != nil {
			return nil, fmt.Errorf("services: %w", err)
		}
	}
	return httpd.New(httpd.Options{Addr: s.Addr, Handler: handler, Logger: a.log, TLS: own.WithKeys()}), nil
}

// obtainCertificates asks for certificates before the first visitor does. One
// that is refused is asked for again with the next visitor.
func (a *App) obtainCertificates(ctx context.Context) error {
	if err := a.tls.Obtain(ctx, a.c.HTTP.TLS.Names()); err != nil {
		a.log.ErrorContext(ctx, "no certificate from the ACME server: it must reach this machine under the name, at port 443, or at port 80 with http.tls.plain_addr", slog.Any("error", err))
	}
	return nil
}
