package simulator

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"plateau/hj212"
	"plateau/internal/telemetry"
)

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

// text is a parameter of the request; how the versions and the standard's
// misprints write capitals does not matter.
func (r *request) text(name string) string { v, _ := r.p.Param(name); return string(v) }

// info is the value of an i-code.
func (r *request) info(code string) string {
	for i := range r.p.Items {
		if it := &r.p.Items[i]; string(r.p.Bytes(it.Code)) == code && string(r.p.Bytes(it.Suffix)) == "Info" {
			return string(r.p.Bytes(it.Value))
		}
	}
	return ""
}

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
		if code = hj212.QnBadCommand; l.p.Version == 2005 { // which has no such reason
			code = hj212.QnRefused
		}
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
	done := l.execute(r)
	if done == hj212.ExeConditions && l.p.Version == 2005 {
		done = hj212.ExeFailed
	}
	frame, err := encode(r.dev.Result(p, done))
	if err != nil {
		return err
	}
	l.replies = append(l.replies, &upload{plain: frame, closing: true})
	return nil
}

// knows tells which requests this logger's version has (reference 7.1 to 7.3).
func (l *Logger) knows(cn int) bool {
	v := l.p.Version
	switch cn {
	case 1000, 1011, 1012, 1061, 1062, 1072, 2011, 2021, 2031, 2041, 2051, 2061, 3011, 3012, 3013:
		return true
	case 1001, 1021, 1022, 1031, 1032, 1041, 1042, 2071:
		return v == 2005
	case 1063, 1064, 3018, 3019, 3020, 3021:
		return v != 2005
	case 3014:
		return v != 2025
	case 3015, 3016, 3017:
		return v == 2017
	case 1002, 1014, 2013, 2062, 3022, 3024:
		return v == 2025
	}
	return false
}

// execute carries a request out, queues its data, and returns ExeRtn.
func (l *Logger) execute(r *request) int {
	switch r.cn {
	case 2011:
		l.realtimeOn = true
	case 2021:
		l.stateOn = true
	case 2031, 2051, 2061:
		return l.sendHistory(r, map[int]telemetry.Kind{2031: telemetry.KindDay, 2051: telemetry.KindMinute, 2061: telemetry.KindHour}[r.cn])
	case 2041:
		return l.sendRunTimes(r)
	case 2013, 2062, 2071: // it keeps none of those
		return hj212.ExeNoData
	default:
		if r.cn >= 3000 {
			return l.control(r)
		}
		return l.configure(r)
	}
	return hj212.ExeDone
}

// configure carries out the requests 1000 to 1072 about the logger itself.
func (l *Logger) configure(r *request) int {
	switch r.cn {
	case 1000:
		return l.setTimeouts(r)
	case 1002:
		return l.setMN(r)
	case 1011, 1012:
		return l.clock(r)
	case 1014:
		key := r.text("NewSK")
		if len(key) != 16 {
			return hj212.ExeConditions
		}
		l.key = []byte(key)
	case 1061:
		l.answer(r, hj212.KV{Name: "RtdInterval", Value: strconv.Itoa(int(l.realtimeEvery.Seconds()))})
	case 1062:
		n, err := strconv.Atoi(r.text("RtdInterval"))
		if err != nil || n < 30 || n > 3600 {
			return hj212.ExeConditions
		}
		l.realtimeEvery = time.Duration(n) * time.Second
		l.nextRealtime = l.now() + l.realtimeEvery.Milliseconds()
	case 1063:
		every := l.minuteEvery // as set, though it comes into force with the hour
		if every == 0 {
			every = l.minuteInterval(l.walk.next)
		}
		l.answer(r, hj212.KV{Name: "MinInterval", Value: strconv.Itoa(every)})
	case 1064:
		n, err := strconv.Atoi(r.text("MinInterval"))
		if err != nil || n < 1 || n > 30 || 60%n != 0 {
			return hj212.ExeConditions
		}
		l.minuteEvery, l.minuteFrom = n, (l.walk.next/60+1)*60
	case 1072:
		return l.setPassword(r)
	default:
		return l.configure2005(r)
	}
	return hj212.ExeDone
}

// clock gets or sets the clock of the logger, or, with PolId, of an analyser.
func (l *Logger) clock(r *request) int {
	pol := r.text("PolId")
	if pol != "" && !l.measures(pol) {
		return hj212.ExeConditions
	}
	if r.cn == 1012 {
		t, err := hj212.ParseTime([]byte(r.text("SystemTime")))
		if err != nil {
			return hj212.ExeConditions
		}
		l.skew[pol] = t.Sub(time.UnixMilli(l.now()))
		return hj212.ExeDone
	}
	var items []hj212.KV
	if pol != "" {
		items = append(items, hj212.KV{Name: "PolId", Value: pol})
	}
	l.answer(r, append(items, hj212.KV{Name: "SystemTime", Value: l.stamp(l.skew[pol])})...)
	return hj212.ExeDone
}

// measures tells whether a factor, by its code on the wire, is one of the logger's.
func (l *Logger) measures(pol string) bool {
	return slices.ContainsFunc(l.p.factors, func(f plantFactor) bool { return f.wire == pol })
}

func (l *Logger) setTimeouts(r *request) int {
	over, err := strconv.Atoi(r.text("OverTime"))
	count, err2 := strconv.Atoi(r.text("ReCount"))
	if err != nil || err2 != nil || over < 1 || over > 99 || count < 1 || count > 99 {
		return hj212.ExeConditions
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
		return hj212.ExeConditions
	}
	l.f.pw = pw
	return hj212.ExeDone
}

// setMN takes the code that the host assigned (2025, field i23005).
func (l *Logger) setMN(r *request) int {
	mn := r.info("i23005")
	if len(mn) != 24 {
		return hj212.ExeConditions
	}
	l.f.mn = mn
	return hj212.ExeDone
}

// maxAnswer and maxRange bound the records and the time of one history request.
const (
	maxAnswer = 5000
	maxRange  = 400 * 24 * time.Hour
)

// sendHistory queues the records of [BeginTime, EndTime], both inclusive.
func (l *Logger) sendHistory(r *request, kind telemetry.Kind) int {
	begin, err1 := hj212.ParseTime([]byte(r.text("BeginTime")))
	end, err2 := hj212.ParseTime([]byte(r.text("EndTime")))
	if err1 != nil || err2 != nil || end.Before(begin) || end.Sub(begin) > maxRange {
		return hj212.ExeConditions
	}
	if len(l.p.factors) == 0 { // a playlist is all it has
		return hj212.ExeNoData
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

// sendRunTimes answers 2041 with the hours that the equipment ran on each day
// that begins in [BeginTime, EndTime] and has ended.
func (l *Logger) sendRunTimes(r *request) int {
	begin, err1 := hj212.ParseTime([]byte(r.text("BeginTime")))
	end, err2 := hj212.ParseTime([]byte(r.text("EndTime")))
	if err1 != nil || err2 != nil || end.Before(begin) || end.Sub(begin) > maxRange {
		return hj212.ExeConditions
	}
	if l.p.prof.equipment == 0 {
		return hj212.ExeNoData
	}
	const length = 86400
	first := floorDiv(begin.Unix()+zone*3600+length-1, length)
	last := floorDiv(min(end.Unix(), l.now()/1000-length)+zone*3600, length)
	for day := first; day <= last; day++ {
		_, frames := l.f.runTimes(nil, l.sched, day*length-zone*3600, l.uniqueQN(l.now()), false)
		for _, f := range frames {
			l.replies = append(l.replies, l.upload(f))
		}
	}
	if last < first {
		return hj212.ExeNoData
	}
	return hj212.ExeDone
}

// answer queues a data frame that returns parameters.
func (l *Logger) answer(r *request, items ...hj212.KV) {
	groups := make([]hj212.Group, 0, len(items))
	for _, kv := range items {
		groups = append(groups, hj212.Group{kv})
	}
	l.answerGroups(r, groups...)
}

func (l *Logger) answerGroups(r *request, groups ...hj212.Group) {
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
