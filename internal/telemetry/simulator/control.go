package simulator

import (
	"strconv"
	"strings"

	"plateau/hj212"
)

// kept is what the host set and may ask for again; names are of the logger's own.
type kept map[string]string

// or returns the value kept under name, else what a fresh logger has.
func (k kept) or(name, fresh string) string {
	if v, ok := k[name]; ok {
		return v
	}
	return fresh
}

// configure2005 carries out the requests that only HJ/T 212-2005 has: alarm
// limits, address of the host, times of alarm and report.
func (l *Logger) configure2005(r *request) int {
	switch r.cn {
	case 1001:
		return l.keep("WarnTime", r.text("WarnTime"))
	case 1021, 1022:
		return l.alarmLimits(r)
	case 1031:
		l.answer(r, hj212.KV{Name: "AlarmTarget", Value: l.kept.or("AlarmTarget", l.o.Addr)})
	case 1032: // the standard's field table calls it ReportTarget
		if r.text("AlarmTarget") == "" {
			return l.keep("AlarmTarget", r.text("ReportTarget"))
		}
		return l.keep("AlarmTarget", r.text("AlarmTarget"))
	case 1041:
		l.answer(r, hj212.KV{Name: "ReportTime", Value: l.kept.or("ReportTime", "0100")})
	case 1042:
		return l.keep("ReportTime", r.text("ReportTime"))
	}
	return hj212.ExeDone
}

// keep takes a setting.
func (l *Logger) keep(name, v string) int {
	if v == "" {
		return hj212.ExeConditions
	}
	l.kept[name] = v
	return hj212.ExeDone
}

// alarmLimits gets (1021, a list of PolId) or sets (1022, a list of pairs) the
// alarm limits of factors.
func (l *Logger) alarmLimits(r *request) int {
	var out []hj212.Group
	n := 0
	for i := range r.p.Items {
		it := &r.p.Items[i]
		code, suffix, value := string(r.p.Bytes(it.Code)), string(r.p.Bytes(it.Suffix)), string(r.p.Bytes(it.Value))
		switch {
		case r.cn == 1021 && strings.EqualFold(code, "PolId"):
			if !l.measures(value) {
				return hj212.ExeConditions
			}
			low, up := value+"-LowValue", value+"-UpValue"
			out = append(out, hj212.Group{{Name: low, Value: l.kept.or(low, "0")}, {Name: up, Value: l.kept.or(up, l.upper(value))}})
		case r.cn == 1022 && (suffix == "LowValue" || suffix == "UpValue"):
			if _, err := strconv.ParseFloat(value, 64); err != nil || !l.measures(code) {
				return hj212.ExeConditions
			}
			l.kept[code+"-"+suffix] = value
		default:
			continue
		}
		n++
	}
	if n == 0 {
		return hj212.ExeConditions
	}
	if r.cn == 1021 {
		l.answerGroups(r, out...)
	}
	return hj212.ExeDone
}

// upper is the alarm limit of a fresh logger: the factor's limit, else its range.
func (l *Logger) upper(wire string) string {
	for i := range l.p.factors {
		if f := &l.p.factors[i]; f.wire == wire {
			if f.limit > 0 {
				return strconv.FormatFloat(f.limit, 'f', -1, 64)
			}
			return strconv.FormatFloat(f.hi, 'f', -1, 64)
		}
	}
	return ""
}

// control carries out the requests 3011 to 3024 about an analyser or sampler.
func (l *Logger) control(r *request) int {
	pol := r.text("PolId")
	if r.cn == 3015 { // the one without PolId
		n, _ := strconv.Atoi(l.kept.or("vase", "0"))
		l.kept["vase"] = strconv.Itoa(n%99 + 1) // bottles 1..99, taken in turn
		l.answer(r, hj212.KV{Name: "DataTime", Value: l.stamp(0)}, hj212.KV{Name: "VaseNo", Value: l.kept["vase"]})
		return hj212.ExeDone
	}
	if !l.measures(pol) {
		return hj212.ExeConditions
	}
	about := hj212.KV{Name: "PolId", Value: pol}
	switch r.cn {
	case 3016:
		start, hours := r.text("CstartTime"), r.text("Ctime")
		if n, err := strconv.Atoi(hours); err != nil || n < 1 || n > 24 || len(start) != 6 {
			return hj212.ExeConditions
		}
		l.kept["start "+pol], l.kept["hours "+pol] = start, hours
	case 3017:
		l.answer(r, about, hj212.KV{Name: "CstartTime", Value: l.kept.or("start "+pol, "000000")}, hj212.KV{Name: "Ctime", Value: l.kept.or("hours "+pol, "2")})
	case 3018:
		l.answer(r, about, hj212.KV{Name: "Stime", Value: "40"})
	case 3019:
		l.answer(r, about, hj212.KV{Name: pol + "-SN", Value: serialNumber(l.f.mn, pol)})
	case 3020, 3021:
		return l.info(r, pol)
	}
	return hj212.ExeDone // 3011 to 3014, 3022, 3024: done as told, nothing to return
}

// info returns (3020) a log, state or parameter of an analyser, or sets (3021)
// a parameter. The third character of an i-code tells which: 1, 2, 3.
func (l *Logger) info(r *request, pol string) int {
	code := r.text("InfoId")
	if len(code) != 6 || code[0] != 'i' {
		return hj212.ExeConditions
	}
	name := pol + " " + code
	if r.cn == 3021 {
		if code[2] != '3' {
			return hj212.ExeConditions
		}
		return l.keep(name, r.info(code))
	}
	fresh := "168.0"
	switch code[2] {
	case '1': // text between // and //
		fresh = "//analyser started, self-test passed//"
	case '2': // running
		fresh = "0"
	}
	l.answer(r, hj212.KV{Name: "DataTime", Value: l.stamp(0)}, hj212.KV{Name: "PolId", Value: pol}, hj212.KV{Name: code + "-Info", Value: l.kept.or(name, fresh)})
	return hj212.ExeDone
}

// serialNumber makes the 24 hexadecimal digits of an analyser's identity.
func serialNumber(mn, pol string) string {
	h := mix(hashText(mn + pol))
	const digits = 24
	b := make([]byte, digits)
	for i := range b {
		if i%16 == 0 {
			h = mix(h)
		}
		b[i] = hexDigits[h>>(4*(i%16))&15]
	}
	return string(b)
}
