package quality

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"plateau/internal/telemetry"
)

// inputKinds are the kinds of records that a value of a level is derived from.
var inputKinds = map[string][]telemetry.Kind{
	LevelHour:     {telemetry.KindHour, telemetry.KindMinute},
	LevelDay:      {telemetry.KindDay, telemetry.KindHour, telemetry.KindMinute},
	LevelMinute:   {telemetry.KindMinute},
	LevelRealtime: {telemetry.KindRealtime},
}

// inputs counts and hashes the records of the period. The hash is SHA-256 over
// a line for each value: kind, DataTime, name, mark and the number as it was
// sent, in order of kind, time and name; it does not depend on the order of
// arrival nor on how a record was split into frames.
func (x *explainer) inputs() error {
	out := &x.out.Inputs
	kinds := inputKinds[x.out.Level]
	from, to := x.out.From.Unix(), x.out.To.Unix()
	switch {
	case x.out.Level == LevelMinute || x.out.Level == LevelRealtime:
		to = from + 1 // the record itself
	case x.realtime:
		kinds = append(slices.Clone(kinds), telemetry.KindRealtime)
	}
	h := sha256.New()
	var lines []string
	for _, k := range kinds {
		err := x.b.src.Records(x.o.ID, k, from, to, func(r *telemetry.Record) bool {
			out.Records++
			lines = lines[:0]
			for i := range r.Values {
				v := &r.Values[i]
				lines = append(lines, fmt.Sprintf("%d %d %s-%s %s %s\n", k, r.At, v.Code, v.Suffix, v.Flag, v.Source()))
			}
			slices.Sort(lines)
			for _, l := range lines {
				h.Write([]byte(l))
			}
			return true
		})
		if err != nil {
			return fmt.Errorf("read inputs: %w", err)
		}
	}
	out.Hash = hex.EncodeToString(h.Sum(nil)[:8])
	out.Rules = x.b.plans(dayStart(from)).p.digest
	own, err := basisOf(x.o, nil, nil)
	if err != nil {
		return err
	}
	if len(own) > basisHalf { // no rules were asked for: what follows are its marks
		sum := sha256.Sum256(own)
		own = sum[:]
	}
	out.Outlet = hex.EncodeToString(own[:8])
	return nil
}
