package simulator

import (
	"fmt"
	"net"
	"strconv"
	"time"

	"plateau/hj212"
	"plateau/internal/telemetry"
)

// ExeRtn values beside those of hj212 (HJ 212-2017, table "return codes").
const exeCondition = 3 // the conditions of the command are wrong

// take handles one frame of the host.
func (l *Logger) take(conn net.Conn, p *hj212.Packet) error {
	switch p.Command() {
	case hj212.CNDataAck, hj212.CNNoticeAck:
		l.acked(string(p.RequestNumber()))
		return nil
	case hj212.CNRequestAck, hj212.CNResult:
		return nil // a logger asks nothing that is answered so
	}
	l.stats.Commands.Add(1)
	return l.command(conn, p)
}

// request is a host command being answered.
type request struct {
	cn  int
	p   *hj212.Packet
	dev hj212.Logger // as of the request: acks of a password change still carry the old one
}

func (r *request) text(name string) string { v, _ := r.p.Param(name); return string(v) }

// command answers a request (9011, data, 9012) or a notice (9013).
func (l *Logger) command(conn net.Conn, p *hj212.Packet) error {
	r := &request{cn: p.Command(), p: p, dev: hj212.Logger{Version: hj212.Version(l.f.versionBits()), ST: l.f.st, PW: l.f.pw, MN: l.f.mn}}
	if hj212.IsNotice(r.cn) { // stop real-time data, stop states
		if r.cn == 2012 {
			l.realtimeOn = false
		} else {
			l.stateOn = false
		}
		return l.say(conn, r.dev.Noticed(p))
	}
	code := r.dev.Check(p)
	if code == hj212.QnReady && !l.knows(r.cn) {
		code = hj212.QnBadCommand
	}
	if code != hj212.QnReady {
		l.stats.Refused.Add(1)
		return l.say(conn, r.dev.Ready(p, code, 0))
	}
	announce := 0 // 2005: whether the data that follow want acks
	if l.f.wantsAck() {
		announce = 1
	}
	if err := l.say(conn, r.dev.Ready(p, hj212.QnReady, announce)); err != nil {
		return err
	}
	frame, err := encode(r.dev.Result(p, l.execute(r)))
	if err != nil {
		return err
	}
	l.replies = append(l.replies, &upload{plain: frame, closing: true})
	return nil
}

// knows tells which requests this logger's version has (reference 7.1 to 7.3).
func (l *Logger) knows(cn int) bool {
	switch cn {
	case 1000, 1011, 1012, 1061, 1062, 1072, 2011, 2021, 2031, 2041, 2051, 2061, 3011, 3012, 3013:
		return true
	case 1063, 1064, 3015, 3019, 3020, 3021:
		return l.p.Version != 2005
	case 1014:
		return l.p.Version == 2025
	}
	return false
}

// execute carries a request out, queues its data, and returns ExeRtn.
func (l *Logger) execute(r *request) int {
	switch r.cn {
	case 1000:
		return l.setTimeouts(r)
	case 1011:
		l.answer(r, hj212.KV{Name: "SystemTime", Value: l.stamp(l.skew)})
	case 1012:
		t, err := hj212.ParseTime([]byte(r.text("SystemTime")))
		if err != nil {
			return exeCondition
		}
		l.skew = t.Sub(time.UnixMilli(l.now()))
	case 1014:
		key := r.text("NewSK")
		if len(key) != 16 {
			return exeCondition
		}
		l.key = []byte(key)
	case 1061:
		l.answer(r, hj212.KV{Name: "RtdInterval", Value: strconv.Itoa(int(l.realtimeEvery.Seconds()))})
	case 1062:
		n, err := strconv.Atoi(r.text("RtdInterval"))
		if err != nil || n < 30 || n > 3600 {
			return exeCondition
		}
		l.realtimeEvery = time.Duration(n) * time.Second
		l.nextRealtime = l.now() + l.realtimeEvery.Milliseconds()
	case 1063:
		l.answer(r, hj212.KV{Name: "MinInterval", Value: strconv.Itoa(l.minuteInterval(l.walk.next))})
	case 1064:
		n, err := strconv.Atoi(r.text("MinInterval"))
		if err != nil || n < 1 || n > 30 || 60%n != 0 {
			return exeCondition
		}
		l.minuteEvery, l.minuteFrom = n, (l.walk.next/60+1)*60
	case 1072:
		return l.setPassword(r)
	case 2011:
		l.realtimeOn = true
	case 2021:
		l.stateOn = true
	case 2031, 2051, 2061:
		return l.sendHistory(r, map[int]telemetry.Kind{2031: telemetry.KindDay, 2051: telemetry.KindMinute, 2061: telemetry.KindHour}[r.cn])
	case 2041:
		return l.sendRunTimes(r)
	case 3015:
		l.answer(r, hj212.KV{Name: "DataTime", Value: l.stamp(0)}, hj212.KV{Name: "VaseNo", Value: "1"})
	case 3019:
		pol := r.text("PolId")
		l.answer(r, hj212.KV{Name: "PolId", Value: pol}, hj212.KV{Name: pol + "-SN", Value: serialNumber(l.f.mn, pol)})
	case 3020:
		return l.sendInfo(r)
	}
	return hj212.ExeDone // 3011, 3012, 3013, 3021: done as told, nothing to return
}

func (l *Logger) setTimeouts(r *request) int {
	over, err := strconv.Atoi(r.text("OverTime"))
	if err != nil {
		over, err = strconv.Atoi(r.text("Overtime")) // the standard's own misprint
	}
	count, err2 := strconv.Atoi(r.text("ReCount"))
	if err != nil || err2 != nil || over < 1 || over > 99 || count < 1 || count > 99 {
		return exeCondition
	}
	l.overTime, l.reCount = time.Duration(over)*time.Second, count
	return hj212.ExeDone
}

func (l *Logger) setPassword(r *request) int {
	pw := r.text("NewPW")
	if l.p.Version == 2005 {
		pw = r.text("PW")
	}
	if len(pw) != 6 {
		return exeCondition
	}
	l.f.pw = pw
	return hj212.ExeDone
}

// maxAnswer bounds the records of one history request.
const maxAnswer = 5000

// sendHistory queues the records of [BeginTime, EndTime], both inclusive.
func (l *Logger) sendHistory(r *request, kind telemetry.Kind) int {
	begin, err1 := hj212.ParseTime([]byte(r.text("BeginTime")))
	end, err2 := hj212.ParseTime([]byte(r.text("EndTime")))
	if err1 != nil || err2 != nil || end.Before(begin) || end.Sub(begin) > 40*24*time.Hour {
		return exeCondition
	}
	w := newWalker(l.p, l.sched, floorDiv(begin.Unix(), 60))
	w.interval = l.minuteInterval
	n := 0
	last := min(floorDiv(l.now(), 60_000), floorDiv(end.Unix(), 60)+1440+1)
	w.advance(last, func(k telemetry.Kind, start, _ int64, win *window) {
		if k != kind || start < begin.Unix() || start > end.Unix() || n >= maxAnswer {
			return
		}
		n++
		_, frames := l.f.record(nil, k, start, l.uniqueQN(l.now()), false, win)
		l.lastQN += int64(len(frames))
		for _, f := range frames {
			l.replies = append(l.replies, l.upload(f))
		}
	})
	if n == 0 {
		return hj212.ExeNoData
	}
	return hj212.ExeDone
}

// sendRunTimes answers 2041 with the hours that the equipment ran on each day.
func (l *Logger) sendRunTimes(r *request) int {
	begin, err1 := hj212.ParseTime([]byte(r.text("BeginTime")))
	end, err2 := hj212.ParseTime([]byte(r.text("EndTime")))
	if err1 != nil || err2 != nil || end.Before(begin) || end.Sub(begin) > 400*24*time.Hour {
		return exeCondition
	}
	if l.p.prof.equipment == 0 {
		return hj212.ExeNoData
	}
	for t := begin; !t.After(end) && t.UnixMilli() < l.now(); t = t.AddDate(0, 0, 1) {
		day := floorDiv(t.Unix()+zone*3600, 86400)
		_, frames := l.f.equipment(nil, 2041, day*86400-zone*3600, l.uniqueQN(l.now()), func(n int) string {
			for _, e := range l.sched.day(l.p.index, day) {
				if e.role == stopped {
					return "0.00"
				}
			}
			return strconv.FormatFloat(23.5+float64(n)/10, 'f', 2, 64)
		})
		for _, f := range frames {
			l.replies = append(l.replies, l.upload(f))
		}
	}
	return hj212.ExeDone
}

// sendInfo answers 3020: logs, state and parameters of an analyser.
func (l *Logger) sendInfo(r *request) int {
	pol, info := r.text("PolId"), r.text("InfoId")
	var value string
	switch {
	case len(info) != 6 || info[0] != 'i':
		return exeCondition
	case info[2] == '1': // a log: text between // and //
		value = "//analyser started, self-test passed//"
	case info[2] == '2': // a state: 0 running
		value = "0"
	default:
		value = "168.0"
	}
	l.answer(r, hj212.KV{Name: "DataTime", Value: l.stamp(0)}, hj212.KV{Name: "PolId", Value: pol}, hj212.KV{Name: info + "-Info", Value: value})
	return hj212.ExeDone
}

// answer queues a data frame that returns parameters.
func (l *Logger) answer(r *request, items ...hj212.KV) {
	groups := make([]hj212.Group, 0, len(items))
	for _, kv := range items {
		groups = append(groups, hj212.Group{kv})
	}
	qn := "" // 2005 has only the request's number, inside CP
	if l.p.Version != 2005 {
		qn = string(hj212.AppendQN(nil, time.UnixMilli(l.uniqueQN(l.now()))))
	}
	frame, err := encode(r.dev.Data(r.cn, qn, false, r.p, groups...))
	if err != nil { // a parameter that the host sent cannot stand in a frame
		return
	}
	l.replies = append(l.replies, &upload{plain: frame})
}

func (l *Logger) stamp(add time.Duration) string {
	return string(hj212.AppendTime(nil, time.UnixMilli(l.now()).Add(add)))
}

// encode writes a message as a frame without CR LF.
func encode(m hj212.Message) ([]byte, error) {
	b, err := m.AppendTo(nil)
	if err != nil {
		return nil, fmt.Errorf("encode answer %s: %w", m.CN, err)
	}
	return trimCRLF(b), nil
}

func (l *Logger) say(conn net.Conn, m hj212.Message) error {
	raw, err := encode(m)
	if err != nil {
		return err
	}
	_, err = conn.Write(append(raw, "\r\n"...))
	return err
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
