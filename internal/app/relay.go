package app

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"

	"plateau/internal/platform/auth"
	"plateau/internal/telemetry/relay"
)

// openRelay makes the service that sends frames on to higher platforms.
func (a *App) openRelay(_ context.Context, sealer *auth.Sealer) (err error) {
	o := relay.Options{DB: a.db, Journal: a.store, Registry: a.registry, Sealer: sealer, Now: a.now, Logger: a.log, Private: a.c.Relay.AllowPrivate}
	if file := a.c.Relay.CAFile; file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("relay.ca_file: %w", err)
		}
		o.Roots = x509.NewCertPool()
		if !o.Roots.AppendCertsFromPEM(text) {
			return fmt.Errorf("relay.ca_file: %s holds no certificate; name a PEM file", file)
		}
	}
	a.relays, err = relay.New(o)
	return err
}
