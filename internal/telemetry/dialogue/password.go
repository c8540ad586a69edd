package dialogue

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/telemetry/gateway"
)

// A password is changed so that a logger is never locked out, whatever happens
// in between: first the registry takes frames with either password (written
// before the request goes out), then the logger is told. Success makes the new
// one the password; the old one stays accepted for a while, because what the
// logger had ready still carries it. A refusal ends the acceptance of the new
// one. When no result came, both stay accepted until a frame shows which one
// the logger uses; the same after a crash.

// keepOld is how long the second password stays accepted after a frame has shown
// which one holds.
const keepOld = 24 * time.Hour

// learnPassword is called at the end of a change.
func (s *Service) learnPassword(ctx context.Context, o Order, d gateway.Dialogue, err error) error {
	switch {
	case err == nil:
		return s.o.Registry.SettlePassword(ctx, o.MN, o.Secret, o.By)
	case d.Attempts == 0, errors.Is(err, gateway.ErrRefused), errors.Is(err, gateway.ErrFailed):
		// It was not sent, or the logger says that it did not do it.
		if dev := s.o.Registry.Snapshot().Devices[o.MN]; dev != nil && dev.PasswordOther == o.Secret {
			return s.o.Registry.DropPassword(ctx, o.MN, o.By)
		}
	}
	return nil
}

// WatchPasswords settles, until ctx ends, which of two passwords each logger
// uses whose change ended without a result.
func (s *Service) WatchPasswords(ctx context.Context, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		s.SettlePasswords(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// SettlePasswords looks once at all loggers with two passwords.
func (s *Service) SettlePasswords(ctx context.Context) {
	for mn, d := range s.o.Registry.Snapshot().Devices {
		if d.PasswordOther == "" {
			continue
		}
		s.mu.Lock()
		busy := s.runs[mn] != nil
		s.mu.Unlock()
		st, ok := s.o.Gateway.Device(mn)
		if busy || !ok || st.Password == "" || !st.PasswordAt.After(d.PasswordSince) {
			continue
		}
		var err error
		switch {
		case st.Password == d.PasswordOther:
			err = s.o.Registry.SettlePassword(ctx, mn, st.Password, auth.System)
		case st.Password == d.Password && s.o.Now().Sub(d.PasswordSince) > keepOld && st.PasswordAt.Sub(d.PasswordSince) > keepOld:
			err = s.o.Registry.DropPassword(ctx, mn, auth.System)
		}
		if err != nil {
			s.o.Logger.WarnContext(ctx, "password of a logger not settled", slog.String("mn", mn), slog.String("error", err.Error()))
		}
	}
}
