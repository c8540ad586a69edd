package supervise

import (
	"context"
	"slices"
	"time"

	"plateau/internal/platform/casework"
	"plateau/internal/platform/db"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/alarm"
)

// Public is the case of an exceedance with the episode it is about.
type Public struct {
	Case    *casework.Case
	State   casework.Text // label of the state it is in
	Open    bool
	Episode alarm.Episode
}

// OfOutlet returns the supervisions of an outlet that outsiders may read of, the latest
// first: those that are open, and those closed since an instant. One whose alarm is no
// more is left out.
func (s *Service) OfOutlet(ctx context.Context, alarms Alarms, outlet telemetry.OutletID, since time.Time) (out []Public, err error) {
	list, err := read(ctx, s.o.DB, `outlet = $1 AND case_ref <> ''`, int64(outlet))
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, r := range slices.Backward(list) { // of several alarms with one case the latest
		if seen[r.Case] {
			continue
		}
		e, err := get(ctx, alarms, r.Alarm)
		if err != nil {
			return nil, err
		}
		if e == nil || !e.Shown() {
			continue
		}
		seen[r.Case] = true
		var c *casework.Case
		if err := s.o.DB.View(ctx, func(tx *db.Tx) error { c, err = s.o.Cases.In(ctx, tx, r.Case); return err }); err != nil {
			return nil, err
		}
		t := s.o.Cases.TypeOf(c)
		if t == nil {
			continue
		}
		st := t.State(c.State)
		if st == nil || st.Public == "" || !st.Open && c.StateSince.Before(since) {
			continue
		}
		out = append(out, Public{Case: c, State: st.Label, Open: st.Open, Episode: *e})
	}
	return out, nil
}
