package auth

import (
	"time"

	"plateau/internal/platform/audit"
)

// Entry begins the audit entry of an act of p in a system, such as "telemetry".
func (p Principal) Entry(at time.Time, system, act, kind, ref string) audit.Entry {
	return audit.Entry{At: at, Who: p.ID, Post: p.Post.Zh, OnBehalfOf: p.OnBehalfOf, System: system, Act: act, Kind: kind, Ref: ref}
}
