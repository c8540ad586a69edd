package app

import (
	"context"

	"plateau/internal/platform/auth"
	"plateau/internal/telemetry/alarm"
)

// alarmBook lets the pages act on alarms in the name of who asks.
type alarmBook struct{ *alarm.Service }

// Acknowledge implements telemetryweb.Alarms.
func (b *alarmBook) Acknowledge(ctx context.Context, id, note string) error {
	return b.Service.Acknowledge(ctx, id, note, auth.From(ctx))
}

// TakeBack implements telemetryweb.Alarms.
func (b *alarmBook) TakeBack(ctx context.Context, id string) error {
	return b.Service.TakeBack(ctx, id, auth.From(ctx))
}

// CallFalse implements telemetryweb.Alarms.
func (b *alarmBook) CallFalse(ctx context.Context, id, reason string) error {
	return b.Service.CallFalse(ctx, id, reason, auth.From(ctx))
}

// CallTrue implements telemetryweb.Alarms.
func (b *alarmBook) CallTrue(ctx context.Context, id string) error {
	return b.Service.CallTrue(ctx, id, auth.From(ctx))
}
