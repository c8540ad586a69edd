package alarm

import (
	"context"
	"fmt"
	"time"

	"plateau/internal/telemetry"
	"plateau/rules"
)

// Lister lists episodes; *Service is one.
type Lister interface {
	List(ctx context.Context, f Filter) ([]Episode, error)
}

// DaysOver counts the days of Beijing time on which the factor of an episode exceeded a
// limit of its outlet by a statistic that is evidence, of as many as the rule alarm.over
// looks at, that of now included.
func DaysOver(ctx context.Context, alarms Lister, set *rules.Set, e *Episode, now time.Time) (n, of int, err error) {
	rule, ok := set.At(Over.Rule(), dateOf(now.Unix()))
	if !ok {
		return 0, 0, fmt.Errorf("rule %s is missing: %w", Over.Rule(), rules.ErrInvalid)
	}
	looked, err := rule.Float("days")
	if err != nil {
		return 0, 0, err
	}
	of = int(looked)
	first := dayStart(now.Unix()) - int64(of-1)*daySeconds
	list, err := alarms.List(ctx, Filter{
		Outlets: []telemetry.OutletID{e.Outlet}, Kinds: []Kind{Over, Range}, Severity: Act, From: instant(first), To: now, Parts: true,
	})
	if err != nil {
		return 0, of, err
	}
	days := map[int64]bool{}
	for i := range list {
		if list[i].Factor != e.Factor {
			continue
		}
		for d := dayStart(max(first, list[i].Start.Unix())); d < list[i].Last.Unix(); d += daySeconds {
			days[d] = true
		}
	}
	return len(days), of, nil
}
