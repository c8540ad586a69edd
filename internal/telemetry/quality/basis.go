package quality

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"

	"plateau/internal/telemetry"
	"plateau/rules"
)

// tableBasis holds, a row an outlet, what its hours and days were judged by
// besides their records. It is written together with them, so that a change of
// the registry or of the rules is carried through even when the program was
// killed or replaced in between.
const tableBasis byte = 'b'

const (
	basisHalf = 12            // bytes of the hash of the outlet, and of that of the rules
	basisHead = 2 * basisHalf // what follows are its marks, see mark.go
)

// basisOf condenses what an outlet is judged by: all of the registry that the
// judgement looks at, the national limits for its source type, and the rules.
func basisOf(o *telemetry.Outlet, standards, ruleset []byte) ([]byte, error) {
	type outlet struct {
		Medium, SourceType, Condition, Level string
		MissingFlagIsN                       bool
		Factors                              []telemetry.OutletFactor
		Intervals                            []telemetry.Interval
		Setups                               []telemetry.Setup
		Stops                                [][2]int64
		Limits                               []telemetry.Limit
		Standards                            []byte
	}
	x := outlet{
		Medium: string(o.Medium), SourceType: o.SourceType, Condition: o.Condition, Level: o.Level, MissingFlagIsN: o.MissingFlagIsN,
		Factors: o.Factors, Limits: o.Limits, Setups: o.Setups, Standards: standards,
	}
	for _, iv := range o.Intervals {
		iv.From = iv.From.UTC()
		x.Intervals = append(x.Intervals, iv)
	}
	for _, s := range o.Stops { // who declared it and why judges nothing
		x.Stops = append(x.Stops, [2]int64{s.From.Unix(), s.To.Unix()})
	}
	text, err := json.Marshal(x)
	if err != nil {
		return nil, fmt.Errorf("write down outlet %d: %w", o.ID, err)
	}
	sum := sha256.Sum256(text)
	marked, err := marksBasis(o)
	if err != nil {
		return nil, err
	}
	return append(append(sum[:basisHalf:basisHalf], ruleset...), marked...), nil
}

// ruleBasis condenses all versions of all rules.
func ruleBasis(set *rules.Set) []byte {
	h := sha256.New()
	for _, date := range set.Periods() {
		fmt.Fprintln(h, set.Period(date), set.Digest(date))
	}
	return h.Sum(nil)[:basisHalf]
}

// registryChanged finds the outlets whose hours were judged by something else
// than what the registry and the rules say now.
func (e *Engine) registryChanged(ctx context.Context, snap *telemetry.Snapshot) error {
	old := e.known
	if old != nil && old.Version == snap.Version {
		return nil
	}
	var changed []telemetry.OutletID
	standards := map[string][]byte{} // hash of the national limits by source type
	src := e.limitSource(snap)
	all := old == nil || !sameLimits(old.Limits, snap.Limits)
	for id, o := range snap.Outlets {
		if !all && old.Outlets[id] == o {
			continue
		}
		std, ok := standards[o.SourceType]
		if !ok {
			text, err := json.Marshal(src.standards.Of(o.SourceType))
			if err != nil {
				return fmt.Errorf("write down limits of %q: %w", o.SourceType, err)
			}
			sum := sha256.Sum256(text)
			std = sum[:]
			standards[o.SourceType] = std
		}
		b, err := basisOf(o, std, e.ruleBasis)
		if err != nil {
			return err
		}
		// What waits already is begun anew, also when the change was taken back:
		// some of its hours may have been judged meanwhile.
		waits := e.pending[id]
		if waits == nil && bytes.Equal(b, e.basis[id]) || bytes.Equal(b, waits) {
			continue
		}
		e.mu.Lock()
		e.pending[id] = b
		e.mu.Unlock()
		changed = append(changed, id)
	}
	slices.Sort(changed)
	if err := e.requeue(ctx, snap, changed); err != nil {
		return err
	}
	e.known = snap
	return nil
}

// sameLimits looks at the lists' identity: a changed list is a new one.
func sameLimits(a, b []telemetry.Limit) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// Bounds of all DataTimes, Unix seconds.
const firstTime, lastTime = 0, 1 << 40

// loadBasis reads an outlet's basis row.
func (e *Engine) loadBasis(id telemetry.OutletID) error {
	err := e.o.Store.Derived(tableBasis, id, 0, 1, func(_ int64, v []byte) bool {
		e.basis[id] = bytes.Clone(v)
		return true
	})
	if err != nil {
		return fmt.Errorf("load basis of outlet %d: %w", id, err)
	}
	return nil
}
