package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// tellManager tells a service manager (systemd, where it asks for it) that the
// program answers, and goes on telling while it does: a program that hangs is
// started anew. It asks its own port, for that is what people do.
func (a *App) tellManager(ctx context.Context) error {
	told, err := daemon.SdNotify(false, daemon.SdNotifyReady)
	if err != nil {
		a.log.WarnContext(ctx, "the service manager cannot be told that the program runs", slog.Any("error", err))
	}
	if !told {
		return nil
	}
	defer func() { _, _ = daemon.SdNotify(false, daemon.SdNotifyStopping) }()
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every == 0 {
		<-ctx.Done()
		return err
	}
	client := &http.Client{Timeout: every / 4, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // its own port, whatever name its certificate is for
	}}
	tick := time.NewTicker(every / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := a.answers(ctx, client); err != nil {
			a.log.ErrorContext(ctx, "the program does not answer itself; unless that ends, the service manager starts it anew", slog.Any("error", err))
			continue
		}
		if _, err := daemon.SdNotify(false, daemon.SdNotifyWatchdog); err != nil {
			a.log.WarnContext(ctx, "the service manager cannot be told that the program runs", slog.Any("error", err))
		}
	}
}

func (a *App) answers(ctx context.Context, client *http.Client) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.here()+"/healthz", nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(r)
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		return nil // it answers, though without a certificate for this address or none yet: starting anew would bring none
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d", resp.StatusCode)
	}
	return err
}
