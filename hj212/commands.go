package hj212

import (
	"strconv"
	"time"
)

// SetSampling is 3016 (2017): sampling from start (hhmmss) every hours, 1..24.
func SetSampling(pol, start string, hours int) Command {
	return Command{3016, []Group{one("PolId", pol), one("CstartTime", start), one("CTime", strconv.Itoa(hours))}}
}

// GetLog is 3020 for a log (an i-code) between two instants, both included.
func GetLog(pol, info string, begin, end time.Time) Command {
	c := GetInfo(pol, info)
	c.CP = append(c.CP, one("BeginTime", string(AppendTime(nil, begin))), one("EndTime", string(AppendTime(nil, end))))
	return c
}

// Commands that only HJ/T 212-2005 has.

// SetWarnTime2005 is 1001: the time after which a value over the limit is an alarm.
func SetWarnTime2005(n int) Command {
	return Command{1001, []Group{one("WarnTime", strconv.Itoa(n))}}
}

// GetLimits2005 is 1021: the alarm limits of the factors given.
func GetLimits2005(pols ...string) Command {
	c := Command{CN: 1021}
	for _, pol := range pols {
		c.CP = append(c.CP, one("PolId", pol))
	}
	return c
}

// Limit2005 is an alarm limit; the values are decimal texts.
type Limit2005 struct{ Pol, Low, Up string }

// SetLimits2005 is 1022.
func SetLimits2005(limits ...Limit2005) Command {
	c := Command{CN: 1022}
	for _, l := range limits {
		c.CP = append(c.CP, Group{{l.Pol + "-LowValue", l.Low}, {l.Pol + "-UpValue", l.Up}})
	}
	return c
}

// SetTarget2005 is 1032: where the logger reports to.
func SetTarget2005(address string) Command {
	return Command{1032, []Group{one("AlarmTarget", address)}}
}

// SetReportTime2005 is 1042: the time of the daily report, hhmm.
func SetReportTime2005(hhmm string) Command {
	return Command{1042, []Group{one("ReportTime", hhmm)}}
}

// SetSampling2005 is 3014: the hours of the day, as two digits, at which to sample.
func SetSampling2005(pol string, hours ...string) Command {
	g := one("PolID", pol)
	for _, h := range hours {
		g = append(g, KV{"CTime", h})
	}
	return Command{3014, []Group{g}}
}

// Commands that came with HJ 212-2025 (known from implementations, not from its text).

// SetMN is 1002: it gives an activated logger the code to use as MN.
func SetMN(mn string) Command { return Command{1002, []Group{one("i23005-Info", mn)}} }

// SetKey is 1014: a new SM4 key of 16 characters, made at the instant given.
func SetKey(created time.Time, key string) Command {
	return Command{1014, []Group{{{"SKCreateTime", string(AppendQN(nil, created))}, {"NewSK", key}}}}
}

// Calibrate is 3011 with its type: the zero point, or the span.
func Calibrate(pol string, span bool) Command {
	kind := "0"
	if span {
		kind = "1"
	}
	return Command{3011, []Group{{{"PolId", pol}, {"CalibrationType", kind}}}}
}
