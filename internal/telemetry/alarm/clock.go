package alarm

import "time"

const (
	hourSeconds = 3600
	daySeconds  = 86400
	beijing     = 8 * hourSeconds // the one clock of all stations, UTC+8
)

func mod(a, m int64) int64          { return (a%m + m) % m }
func hourStart(at int64) int64      { return at - mod(at, hourSeconds) }
func dayStart(at int64) int64       { return at - mod(at+beijing, daySeconds) }
func dateOf(at int64) string        { return time.Unix(at+beijing, 0).UTC().Format("2006-01-02") }
func instant(at int64) time.Time    { return time.Unix(at, 0).UTC() }
func seconds(d time.Duration) int64 { return int64(d / time.Second) }
