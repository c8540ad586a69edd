package backfill

import (
	"errors"
	"time"

	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/rules"
)

// RuleID names the rule that holds the parameters.
const RuleID = "backfill.request"

// Params are the parameters of rule backfill.request.
type Params struct {
	Window      time.Duration // records count when they come within
	LongMissing time.Duration // still missing after this is abnormal by itself
	Send        time.Duration // a logger sends a record within this of its period's end
	Wait        time.Duration // before the first request, for what comes by itself
	Retries     int
	NoDataTimes int
	Pause       time.Duration // before the second request, doubled each time
	PauseMax    time.Duration
	PerHour     int // requests to one logger
	AtOnce      int // loggers asked at the same time
	UnableAfter int // requests in a row without an answer
	UnableFor   time.Duration
	Grace       map[telemetry.Kind]time.Duration // after the end of a period
	Range       map[telemetry.Kind]time.Duration // of one request
}

// kinds are the records that are due, with their names in the rule.
var kinds = map[telemetry.Kind]string{telemetry.KindMinute: "minute", telemetry.KindHour: "hour", telemetry.KindDay: "day"}

// ParamsAt reads the rule in force at an instant.
func ParamsAt(set *rules.Set, at time.Time) (Params, error) {
	rule, ok := set.At(RuleID, at.In(i18n.Zone).Format(time.DateOnly))
	if !ok {
		return Params{}, rules.ErrInvalid
	}
	var err error
	num := func(name string) float64 {
		v, e := rule.Float(name)
		err = errors.Join(err, e)
		return v
	}
	span := func(name string, unit time.Duration) time.Duration { return time.Duration(num(name) * float64(unit)) }
	p := Params{
		Window: span("window_days", 24*time.Hour), LongMissing: span("long_missing_hours", time.Hour), Send: span("send_seconds", time.Second),
		Wait: span("wait_seconds", time.Second), Retries: int(num("retries")), NoDataTimes: int(num("no_data_times")),
		Pause: span("pause_minutes", time.Minute), PauseMax: span("pause_max_hours", time.Hour), PerHour: int(num("per_hour")), AtOnce: int(num("at_once")),
		UnableAfter: int(num("unable_after")), UnableFor: span("unable_hours", time.Hour),
		Grace: map[telemetry.Kind]time.Duration{}, Range: map[telemetry.Kind]time.Duration{},
	}
	for k, name := range kinds {
		grace, e1 := rule.TableFloat(rule.Table("grace_seconds"), name)
		most, e2 := rule.TableFloat(rule.Table("range_hours"), name)
		err = errors.Join(err, e1, e2)
		p.Grace[k], p.Range[k] = time.Duration(grace*float64(time.Second)), time.Duration(most*float64(time.Hour))
	}
	return p, err
}
