package hj212

import (
	"strconv"
	"time"
)

// Numbers of the acknowledgements (section 6.4).
const (
	CNRequestAck = 9011 // device: request received, QnRtn
	CNResult     = 9012 // device: executed, ExeRtn
	CNNoticeAck  = 9013 // either side
	CNDataAck    = 9014 // either side, the host in practice
)

// QnRtn (of 9011) and ExeRtn (of 9012), section 6.6.4. HJ/T 212-2005 knows
// QnRtn 1 to 3 and ExeRtn 1, 2 and 100 only.
const (
	QnReady       = 1
	QnRefused     = 2
	QnBadPassword = 3
	QnBadMN       = 4
	QnBadST       = 5
	QnBadFlag     = 6
	QnBadQN       = 7
	QnBadCommand  = 8
	QnBadCRC      = 9
	QnUnknown     = 100

	ExeDone       = 1
	ExeFailed     = 2 // the cause is unknown
	ExeConditions = 3 // the conditions of the command are wrong
	ExeTimeout    = 4 // the logger did not reach the analyser in time
	ExeBusy       = 5
	ExeFault      = 6 // of the system
	ExeNoData     = 100
)

// alarmEvent is the one notice that a device sends in 2005.
const alarmEvent = 2072

// RequestNumber returns the QN of a packet: in the header, or, as 2005 writes
// it in acks and returned parameters, inside CP.
func (p *Packet) RequestNumber() []byte {
	if p.QN.Len > 0 {
		return p.Bytes(p.QN)
	}
	qn, _ := p.Param("QN")
	return qn
}

// IsAck reports an acknowledgement; those are never answered, whatever their
// Flag or ST says.
func (p *Packet) IsAck() bool {
	switch p.Command() {
	case CNRequestAck, CNResult, CNNoticeAck, CNDataAck:
		return true
	}
	return false
}

// ackCommand tells which acknowledgement a device's frame asks for: 9014 for
// data, 9013 for notices, 0 for none.
func ackCommand(cn int) int {
	switch {
	case cn == 9015, cn == alarmEvent: // 9015 is the heartbeat
		return CNNoticeAck
	case cn == 9021, cn >= 2000 && cn < 4000:
		return CNDataAck
	case cn == 1011, cn == 1021, cn == 1031, cn == 1041, cn == 1061, cn == 1063: // returned parameters are data
		return CNDataAck
	case cn >= 1000 && cn < 2000:
		return CNNoticeAck
	}
	return 0
}

// AppendAck appends the frame by which a host answers p: 9014 or 9013 with p's
// QN, PW and MN byte for byte, in the version p uses (section 6.2 and, for
// 2005, its form with the number inside CP). ok is false when nothing is to be
// answered: acks, unknown commands, no ack wanted, or no QN to name. The alarm
// event of 2005 is a notice, which is always answered, and carries no Flag.
func AppendAck(dst []byte, p *Packet) (frame []byte, ok bool) {
	v, wanted, _, _ := p.FlagBits()
	if p.Flag.Len == 0 && p.Command() == alarmEvent {
		wanted = true
	}
	if !wanted || p.IsAck() {
		return dst, false
	}
	return appendAck(dst, p, v)
}

// AppendAck2005 answers data of 2005 that carry no Flag but whose acks were
// announced by the Flag of the device's 9011 (1, or 3 with packet numbers), and
// the 9012 that closes such an exchange.
func AppendAck2005(dst []byte, p *Packet) (frame []byte, ok bool) {
	if p.Command() == CNResult {
		return append2005(dst, CNDataAck, p)
	}
	if p.IsAck() {
		return dst, false
	}
	return appendAck(dst, p, V2005)
}

func appendAck(dst []byte, p *Packet, v Version) ([]byte, bool) {
	cn := ackCommand(p.Command())
	if cn == 0 {
		return dst, false
	}
	if v == V2005 {
		return append2005(dst, cn, p)
	}
	if p.QN.Len == 0 {
		return dst, false
	}
	var buf [256]byte
	seg := append(buf[:0], "QN="...)
	seg = append(seg, p.Bytes(p.QN)...)
	seg = append(seg, ";ST=91;CN="...)
	seg = strconv.AppendInt(seg, int64(cn), 10)
	seg = append(append(seg, ";PW="...), p.Bytes(p.PW)...)
	seg = append(append(seg, ";MN="...), p.Bytes(p.MN)...)
	seg = append(seg, ";Flag="...)
	seg = strconv.AppendInt(seg, int64(v)<<2, 10)
	seg = append(seg, ";CP=&&&&"...)
	return AppendFrame(dst, seg), true
}

// append2005 writes 9013 and 9014 in the form of HJ/T 212-2005.
func append2005(dst []byte, cn int, p *Packet) ([]byte, bool) {
	qn := p.RequestNumber()
	if len(qn) == 0 {
		return dst, false
	}
	seg := append([]byte("ST=91;CN="), itoa(cn)...)
	if cn == CNNoticeAck {
		seg = append(append(seg, ";PW="...), p.Bytes(p.PW)...)
		seg = append(append(seg, ";MN="...), p.Bytes(p.MN)...)
		seg = append(append(seg, ";CP=&&QN="...), qn...)
		return AppendFrame(dst, append(seg, cpClose...)), true
	}
	seg = append(append(seg, ";CP=&&QN="...), qn...)
	seg = append(append(seg, ";CN="...), p.Bytes(p.CN)...)
	if pno, pnum := p.Part(); pno >= 0 && pnum >= 0 {
		seg = append(seg, ";PNO="+itoa(pno)+";PNUM="+itoa(pnum)+";"...)
	}
	return AppendFrame(dst, append(seg, cpClose...)), true
}

// Command is a request or notice of the host: its number and parameters.
type Command struct {
	CN int
	CP []Group
}

func one(name, value string) Group { return Group{{name, value}} }

// The commands of the host follow (section 6.7 and table 9). Times are written
// in UTC+8. Ranges are those of the standard; the builders write what they get.

// SetTimeouts is 1000: after how many seconds without an answer a frame is sent
// again, and how many times; both 1..99.
func SetTimeouts(overTime, reCount int) Command {
	return Command{1000, []Group{one("OverTime", strconv.Itoa(overTime)), one("ReCount", strconv.Itoa(reCount))}}
}

// GetClock asks for the clock (1011) of an analyser, or of the logger itself when pol is empty.
func GetClock(pol string) Command { return Command{1011, polGroups(pol)} }

// SetClock sets the clock (1012).
func SetClock(pol string, t time.Time) Command {
	return Command{1012, append(polGroups(pol), one("SystemTime", string(AppendTime(nil, t))))}
}

// GetRealtimeInterval is 1061.
func GetRealtimeInterval() Command { return Command{1061, nil} }

// SetRealtimeInterval is 1062; seconds 30..3600.
func SetRealtimeInterval(seconds int) Command {
	return Command{1062, []Group{one("RtdInterval", strconv.Itoa(seconds))}}
}

// GetMinuteInterval is 1063 (2017 and later).
func GetMinuteInterval() Command { return Command{1063, nil} }

// SetMinuteInterval is 1064 (2017 and later); minutes, a divisor of 60 up to 30.
func SetMinuteInterval(minutes int) Command {
	return Command{1064, []Group{one("MinInterval", strconv.Itoa(minutes))}}
}

// SetPassword is 1072; 2005 names the parameter PW.
func SetPassword(v Version, pw string) Command {
	name := "NewPW"
	if v == V2005 {
		name = "PW"
	}
	return Command{1072, []Group{one(name, pw)}}
}

// History asks for records by DataTime, both ends included: cn is 2031, 2041,
// 2051, 2061 or, in 2005, 2071. 2005 writes a comma between the times.
func History(v Version, cn int, begin, end time.Time) Command {
	b, e := KV{"BeginTime", string(AppendTime(nil, begin))}, KV{"EndTime", string(AppendTime(nil, end))}
	if v == V2005 {
		return Command{cn, []Group{{b, e}}}
	}
	return Command{cn, []Group{{b}, {e}}}
}

// Plain is a command without parameters: 2011, 2012, 2021, 2022, 3015, …
func Plain(cn int) Command { return Command{cn, nil} }

// OnAnalyser is a command for one analyser: 3011 to 3014, 3017 to 3019, 3022, 3024.
// 2005 writes PolID in its control commands.
func OnAnalyser(v Version, cn int, pol string) Command {
	if v == V2005 {
		return Command{cn, []Group{one("PolID", pol)}}
	}
	return Command{cn, polGroups(pol)}
}

// GetInfo is 3020: the state or parameter info (an i-code) of an analyser.
func GetInfo(pol, info string) Command {
	return Command{3020, []Group{one("PolId", pol), one("InfoId", info)}}
}

// SetParameter is 3021: the parameter info (an i-code) of an analyser.
func SetParameter(pol, info, value string) Command {
	return Command{3021, []Group{one("PolId", pol), one("InfoId", info), one(info+"-Info", value)}}
}

func polGroups(pol string) []Group {
	if pol == "" {
		return nil
	}
	return []Group{one("PolId", pol)}
}

// Peer is the other side of a dialogue as the host knows it.
type Peer struct {
	Version    Version
	ST, PW, MN string
}

// Request makes the host's frame for c (section 6.4.1); qn (17 digits) names the exchange. Requests want
// an answer: Flag 3 in 2005 (which has no packet numbers all the same), 5 in
// 2017, 9 in 2025. The notice 2022 of 2005 carries no Flag.
func (peer Peer) Request(c Command, qn string) Message {
	m := Message{QN: qn, ST: peer.ST, CN: strconv.Itoa(c.CN), PW: peer.PW, MN: peer.MN, Flag: int(peer.Version)<<2 | 1, CP: c.CP}
	if peer.Version == V2005 {
		m.Flag = 3
		if c.CN == 2022 || c.CN == 2012 {
			m.Flag = -1
		}
	}
	return m
}

// IsNotice reports whether the host's command is a notice, answered by 9013 only.
func IsNotice(cn int) bool { return cn == 2012 || cn == 2022 }

// Reply is a device's answer in a dialogue.
type Reply struct {
	CN   int    // 9011, 9012, 9013, or the command of returned data
	QN   []byte // of the request for acks; data may carry their own
	Code int    // QnRtn of 9011, ExeRtn of 9012; -1 when missing
}

// ReplyOf reads an answer of a device.
func ReplyOf(p *Packet) Reply {
	r := Reply{CN: p.Command(), QN: p.RequestNumber(), Code: -1}
	var name string
	switch r.CN {
	case CNRequestAck:
		name = "QnRtn"
	case CNResult:
		name = "ExeRtn"
	default:
		return r
	}
	if b, ok := p.Param(name); ok {
		if n, err := strconv.Atoi(string(b)); err == nil {
			r.Code = n
		}
	}
	return r
}

// Logger writes the device's side of a dialogue.
type Logger struct {
	Version    Version
	ST, PW, MN string
}

// Check decides the QnRtn of a request: password and MN as known, else ready.
// 2005 knows no other reasons than a wrong password and a plain refusal.
func (l Logger) Check(p *Packet) int {
	code := l.check(p)
	if l.Version == V2005 && code > QnBadPassword {
		return QnRefused
	}
	return code
}

func (l Logger) check(p *Packet) int {
	switch {
	case string(p.Bytes(p.PW)) != l.PW:
		return QnBadPassword
	case string(p.Bytes(p.MN)) != l.MN:
		return QnBadMN
	case p.QN.Len == 0:
		return QnBadQN
	}
	return QnReady
}

// Ready makes the 9011 for a request. flag2005 announces, in 2005 only, what
// follows: 0 no acks wanted, 1 acks, 3 acks and packet numbers.
func (l Logger) Ready(p *Packet, qnRtn, flag2005 int) Message {
	m := l.answer(p, CNRequestAck, KV{"QnRtn", strconv.Itoa(qnRtn)})
	if l.Version == V2005 {
		m.Flag = flag2005
	}
	return m
}

// Result makes the 9012 that closes a request.
func (l Logger) Result(p *Packet, exeRtn int) Message {
	return l.answer(p, CNResult, KV{"ExeRtn", strconv.Itoa(exeRtn)})
}

// Noticed makes the 9013 for a notice.
func (l Logger) Noticed(p *Packet) Message { return l.answer(p, CNNoticeAck) }

func (l Logger) answer(p *Packet, cn int, items ...KV) Message {
	qn := string(p.RequestNumber())
	m := Message{ST: "91", CN: strconv.Itoa(cn), PW: l.PW, MN: l.MN, Flag: int(l.Version) << 2}
	if l.Version == V2005 {
		m.Flag = -1
		m.CP = append(m.CP, one("QN", qn))
	} else {
		m.QN = qn
	}
	for _, kv := range items {
		m.CP = append(m.CP, Group{kv})
	}
	return m
}

// Data makes a frame of returned or uploaded data. In 2005, parameters returned
// for a request carry the request's number inside CP; give it in request.
func (l Logger) Data(cn int, qn string, ackWanted bool, request *Packet, cp ...Group) Message {
	m := Message{QN: qn, ST: l.ST, CN: strconv.Itoa(cn), PW: l.PW, MN: l.MN, Flag: int(l.Version) << 2, CP: cp}
	if ackWanted {
		m.Flag |= 1
	}
	if l.Version == V2005 {
		m.Order2005 = true
		if !ackWanted {
			m.Flag = -1
		}
		if request != nil && cn < 2000 {
			m.CP = append([]Group{one("QN", string(request.RequestNumber()))}, cp...)
		}
	}
	return m
}
