package devicecheck

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"time"

	"plateau/hj212"
)

// Status is how a clause fared.
type Status string

// Statuses.
const (
	Held    Status = "held"
	Failed  Status = "failed"
	Untried Status = "untried"
)

// Clause is one line of the report.
type Clause struct {
	ID     string `json:"id"`
	Zh     string `json:"zh"`
	En     string `json:"en"`
	Status Status `json:"status"`
	Detail string `json:"detail,omitempty"` // what was found, in English
	Frame  string `json:"frame,omitempty"`  // the frame that shows it, passwords masked
}

// Report is the outcome of a run.
type Report struct {
	MN      string   `json:"mn"`
	Version string   `json:"version"`
	Frames  int      `json:"frames"`
	Clauses []Clause `json:"clauses"`
	Held    int      `json:"held"`
	Failed  int      `json:"failed"`
	Untried int      `json:"untried"`
}

// Options say how a device is checked.
type Options struct {
	Listener net.Listener  // the device dials it; the caller closes it
	Password string        // "" = what the device uses
	For      time.Duration // longest run, from the first frame
	Wait     time.Duration // longest wait for the device to dial and send
	OverTime time.Duration // of requests
	ReCount  int           // resends that a device may be owed
	Now      func() time.Time
}

// ErrNoDevice says that no device sent a valid frame in time.
var ErrNoDevice = errors.New("no device sent a valid frame")

var clauses = []Clause{
	{ID: "form", Zh: "帧结构与长度字段", En: "frame form and length field"},
	{ID: "crc", Zh: "CRC 校验", En: "CRC"},
	{ID: "size", Zh: "数据段不超过 1024 字节", En: "data segment of at most 1024 bytes"},
	{ID: "qn", Zh: "QN 为 17 位时间且不重复", En: "QN of 17 digits, unique"},
	{ID: "flag", Zh: "Flag 版本位一致", En: "version bits of Flag agree"},
	{ID: "identity", Zh: "MN 与 PW 每帧相同", En: "MN and PW the same in every frame"},
	{ID: "split", Zh: "拆分包 PNUM 与 PNO", En: "PNUM and PNO of split packets"},
	{ID: "codes", Zh: "因子编码为标准所列", En: "factor codes are those of the standard"},
	{ID: "datatime", Zh: "DataTime 与时钟和周期相符", En: "DataTime agrees with clock and period"},
	{ID: "resend", Zh: "未得 9014 时以同一 QN 重发", En: "sent again with the same QN while 9014 is withheld"},
	{ID: "cn1011", Zh: "1011 提取时间", En: "1011 read clock"},
	{ID: "cn1012", Zh: "1012 设置时间", En: "1012 set clock"},
	{ID: "cn1061", Zh: "1061 提取实时间隔", En: "1061 read real-time interval"},
	{ID: "cn1062", Zh: "1062 设置实时间隔并读回", En: "1062 set real-time interval, read back"},
	{ID: "cn1063", Zh: "1063 提取分钟间隔", En: "1063 read minute interval"},
	{ID: "cn1000", Zh: "1000 设置超时与重发", En: "1000 set timeout and resends"},
	{ID: "cn2051", Zh: "2051 补要分钟数据，两端都含", En: "2051 minute history, both ends included"},
	{ID: "cn2061", Zh: "2061 补要小时数据", En: "2061 hour history"},
	{ID: "cn2012", Zh: "2012 停止实时数据应答 9013", En: "2012 stop real-time data, answered by 9013"},
	{ID: "cn2011", Zh: "2011 重新开启实时数据", En: "2011 start real-time data again"},
	{ID: "unknown", Zh: "未知命令以 QnRtn 拒绝", En: "unknown command refused by QnRtn"},
	{ID: "password", Zh: "密码错误以 QnRtn=3 拒绝", En: "wrong password refused by QnRtn 3"},
}

type frame struct {
	raw []byte
	seg []byte
	pkt *hj212.Packet
	err *hj212.Error
	at  time.Time
}

type checker struct {
	o      Options
	conn   net.Conn
	in     chan frame
	report Report
	byID   map[string]*Clause
	peer   hj212.Peer
	seen   map[string][]byte // QN -> segment
	held   *frame            // whose ack is withheld
	heldAt time.Time
	last   int64
}

// Run checks the first device that dials.
func Run(ctx context.Context, o Options) (Report, error) {
	c := &checker{o: o, byID: map[string]*Clause{}, seen: map[string][]byte{}, in: make(chan frame, 64)}
	c.report.Clauses = append([]Clause(nil), clauses...)
	for i := range c.report.Clauses {
		c.report.Clauses[i].Status = Untried
		c.byID[c.report.Clauses[i].ID] = &c.report.Clauses[i]
	}
	ctx, cancel := context.WithTimeout(ctx, o.Wait+o.For)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = o.Listener.Close() })
	defer stop()
	conn, err := o.Listener.Accept()
	if err != nil {
		return c.report, fmt.Errorf("%w: %w", ErrNoDevice, err)
	}
	defer conn.Close()
	c.conn = conn
	go c.receive(ctx)
	first, cancelFirst := context.WithTimeout(ctx, o.Wait)
	defer cancelFirst()
	for c.peer.MN == "" {
		f, ok := c.next(first)
		if !ok {
			return c.report, ErrNoDevice
		}
		c.look(f)
	}
	run, cancelRun := context.WithTimeout(ctx, o.For)
	defer cancelRun()
	c.script(run)
	return c.finish(), nil
}

func (c *checker) receive(ctx context.Context) {
	defer close(c.in)
	s := hj212.NewScanner(hj212.ScanOptions{})
	for {
		_, err := s.Fill(c.conn)
		for ev, ok := s.Next(); ok; ev, ok = s.Next() {
			f := frame{raw: bytes.Clone(ev.Raw), err: ev.Err, at: c.o.Now()}
			if ev.Err == nil {
				p := &hj212.Packet{}
				f.seg = bytes.Clone(ev.Seg)
				if perr := p.Parse(f.seg); perr != nil {
					f.err = &hj212.Error{Name: hj212.Malformed, Detail: perr.Error()}
				} else {
					f.pkt = p
				}
			}
			select {
			case c.in <- f:
			case <-ctx.Done():
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (c *checker) next(ctx context.Context) (frame, bool) {
	select {
	case f, ok := <-c.in:
		return f, ok
	case <-ctx.Done():
		return frame{}, false
	}
}

// fail notes that a clause did not hold; the first finding stays.
func (c *checker) fail(id, detail string, raw []byte) {
	if k := c.byID[id]; k.Status != Failed {
		k.Status, k.Detail, k.Frame = Failed, detail, masked(raw)
	}
}

func (c *checker) hold(id, detail string) {
	if k := c.byID[id]; k.Status == Untried {
		k.Status, k.Detail = Held, detail
	}
}

// look checks what holds for every frame, and answers it.
func (c *checker) look(f frame) {
	if f.err != nil {
		switch f.err.Name {
		case hj212.Noise:
		case hj212.CRCMismatch:
			c.fail("crc", f.err.Error(), f.raw)
		default:
			c.fail("form", f.err.Error(), f.raw)
		}
		return
	}
	p := f.pkt
	c.report.Frames++
	c.hold("form", "")
	c.hold("crc", "")
	if n := len(f.seg); n > 1024 {
		c.fail("size", fmt.Sprintf("%d bytes", n), f.raw)
	} else {
		c.hold("size", "")
	}
	v, wanted, _, hasFlag := p.FlagBits()
	if c.peer.MN == "" && !p.IsAck() {
		c.peer = hj212.Peer{Version: v, ST: string(p.Bytes(p.ST)), PW: string(p.Bytes(p.PW)), MN: string(p.Bytes(p.MN))}
		if c.o.Password != "" && c.peer.PW != c.o.Password {
			c.fail("identity", "the password is not the one expected", f.raw)
		}
		c.report.MN, c.report.Version = c.peer.MN, v.String()
	}
	if hasFlag {
		if v != c.peer.Version {
			c.fail("flag", fmt.Sprintf("version %s, before %s", v, c.peer.Version), f.raw)
		} else {
			c.hold("flag", v.String())
		}
	}
	if string(p.Bytes(p.MN)) != c.peer.MN || string(p.Bytes(p.PW)) != c.peer.PW {
		c.fail("identity", "another MN or PW than before", f.raw)
	} else {
		c.hold("identity", "")
	}
	if !p.IsAck() {
		c.lookData(f, p, wanted)
	}
}

func (c *checker) lookData(f frame, p *hj212.Packet, wanted bool) {
	qn := string(p.RequestNumber())
	again := false
	if p.QN.Len > 0 {
		before, known := c.seen[qn]
		switch {
		case known && !bytes.Equal(before, f.seg):
			c.fail("qn", "QN "+qn+" names two different frames", f.raw)
		case known:
			again = true
		default:
			if _, err := hj212.ParseQN([]byte(qn)); err != nil {
				c.fail("qn", "QN "+qn+" is no time of 17 digits", f.raw)
			} else {
				c.hold("qn", "")
			}
		}
		c.seen[qn] = f.seg
	}
	if p.PNUM.Len > 0 {
		if no, num := p.Part(); no < 1 || no > num {
			c.fail("split", fmt.Sprintf("packet %d of %d", no, num), f.raw)
		} else {
			c.hold("split", "")
		}
	}
	for i := range p.Items {
		it := &p.Items[i]
		code := string(p.Bytes(it.Code))
		if it.Suffix.Len == 0 || len(code) > 1 && code[:2] == "SB" {
			continue
		}
		if _, ok := hj212.LookupFactor(code); !ok {
			c.fail("codes", "unknown code "+code, f.raw)
		} else {
			c.hold("codes", "")
		}
	}
	c.lookTime(f, p)
	// One answer is withheld, to see whether the frame comes again.
	if wanted && c.held == nil && p.Command() == 2011 {
		c.held, c.heldAt = &f, f.at
		return
	}
	if again && c.held != nil && string(c.held.pkt.RequestNumber()) == qn {
		c.hold("resend", fmt.Sprintf("after %s", f.at.Sub(c.heldAt).Round(time.Second)))
	}
	if ack, ok := hj212.AppendAck(nil, p); ok {
		_, _ = c.conn.Write(ack)
	}
}

// lookTime checks DataTime: real-time data of now, statistics on their period.
func (c *checker) lookTime(f frame, p *hj212.Packet) {
	cn := p.Command()
	if cn != 2011 && cn != 2051 && cn != 2061 {
		return
	}
	t, err := p.DataTime()
	switch {
	case err != nil:
		c.fail("datatime", "no DataTime that can be read", f.raw)
	case cn == 2011 && f.at.Sub(t).Abs() > 5*time.Minute:
		c.fail("datatime", "real-time data are "+f.at.Sub(t).Round(time.Second).String()+" off", f.raw)
	case cn == 2051 && t.Unix()%60 != 0, cn == 2061 && t.Unix()%3600 != 0:
		c.fail("datatime", "does not begin a period", f.raw)
	case t.Sub(f.at) > 5*time.Minute:
		c.fail("datatime", "lies in the future", f.raw)
	default:
		c.hold("datatime", "")
	}
}

// exchange is what came of one request.
type exchange struct {
	accepted, done bool
	qnRtn, exeRtn  int
	noticed        bool
	data           []*hj212.Packet
	last           []byte
}

// ask sends a command and follows its exchange to the end.
func (c *checker) ask(ctx context.Context, cmd hj212.Command, pw string) exchange {
	ms := max(c.o.Now().UnixMilli(), c.last+1)
	c.last = ms
	qn := string(hj212.AppendQN(nil, time.UnixMilli(ms)))
	peer := c.peer
	if pw != "" {
		peer.PW = pw
	}
	x := exchange{qnRtn: -1, exeRtn: -1}
	m := peer.Request(cmd, qn)
	out, err := m.AppendTo(nil)
	if err != nil {
		return x
	}
	if _, err := c.conn.Write(out); err != nil {
		return x
	}
	x.last = out
	for {
		wait, cancel := context.WithTimeout(ctx, c.o.OverTime)
		f, ok := c.next(wait)
		cancel()
		if !ok {
			return x
		}
		c.look(f)
		if f.pkt == nil {
			continue
		}
		r := hj212.ReplyOf(f.pkt)
		mine := string(r.QN) == qn
		switch {
		case r.CN == hj212.CNRequestAck && mine:
			x.accepted, x.qnRtn, x.last = true, r.Code, f.raw
			if r.Code != hj212.QnReady {
				return x
			}
		case r.CN == hj212.CNResult && mine:
			x.done, x.exeRtn, x.last = true, r.Code, f.raw
			return x
		case r.CN == hj212.CNNoticeAck && mine:
			x.noticed, x.last = true, f.raw
			return x
		case r.CN == cmd.CN:
			x.data = append(x.data, f.pkt)
		}
	}
}

// settled notes how a request ended and reports whether it was carried out.
func (c *checker) settled(id string, x exchange) bool {
	switch {
	case !x.accepted:
		c.fail(id, "no 9011 came", x.last)
	case x.qnRtn != hj212.QnReady:
		c.fail(id, "refused with QnRtn "+strconv.Itoa(x.qnRtn), x.last)
	case !x.done:
		c.fail(id, "no 9012 came", x.last)
	case x.exeRtn != hj212.ExeDone && x.exeRtn != hj212.ExeNoData:
		c.fail(id, "ExeRtn "+strconv.Itoa(x.exeRtn), x.last)
	default:
		return true
	}
	return false
}

// param looks for a parameter in the data of an exchange.
func (c *checker) param(id string, x exchange, name string) (string, bool) {
	if !c.settled(id, x) {
		return "", false
	}
	for _, p := range x.data {
		if v, ok := p.Param(name); ok {
			return string(v), true
		}
	}
	c.fail(id, name+" was not returned", x.last)
	return "", false
}

// firstData is how long real-time data are waited for before anything is
// asked; loggers send them every half minute unless told otherwise.
const firstData = 40 * time.Second

func (c *checker) script(ctx context.Context) {
	early, cancel := context.WithTimeout(ctx, min(firstData, c.o.For/3))
	defer cancel()
	for c.held == nil {
		f, ok := c.next(early)
		if !ok {
			break
		}
		c.look(f)
	}
	old := c.peer.Version == hj212.V2005
	if v, ok := c.param("cn1011", c.ask(ctx, hj212.GetClock(""), ""), "SystemTime"); ok {
		if t, err := hj212.ParseTime([]byte(v)); err != nil {
			c.fail("cn1011", "SystemTime "+v+" cannot be read", nil)
		} else {
			c.hold("cn1011", "clock is off by "+t.Sub(c.o.Now()).Round(time.Second).String())
		}
	}
	simple := func(id string, cmd hj212.Command) {
		if c.settled(id, c.ask(ctx, cmd, "")) {
			c.hold(id, "")
		}
	}
	simple("cn1012", hj212.SetClock("", c.o.Now()))
	if v, ok := c.param("cn1061", c.ask(ctx, hj212.GetRealtimeInterval(), ""), "RtdInterval"); ok {
		c.hold("cn1061", v+" s")
		n, _ := strconv.Atoi(v)
		n = min(max(n, 30), 3600) // what the standard allows
		if c.settled("cn1062", c.ask(ctx, hj212.SetRealtimeInterval(n), "")) {
			if back, _ := c.param("cn1062", c.ask(ctx, hj212.GetRealtimeInterval(), ""), "RtdInterval"); back == strconv.Itoa(n) {
				c.hold("cn1062", "")
			} else {
				c.fail("cn1062", fmt.Sprintf("set %d, read back %s", n, back), nil)
			}
		}
	}
	if !old {
		if v, ok := c.param("cn1063", c.ask(ctx, hj212.GetMinuteInterval(), ""), "MinInterval"); ok {
			c.hold("cn1063", v+" min")
		}
	}
	simple("cn1000", hj212.SetTimeouts(max(int(c.o.OverTime/time.Second), 1), max(c.o.ReCount, 1)))
	c.history(ctx, "cn2051", 2051, time.Hour)
	c.history(ctx, "cn2061", 2061, 3*time.Hour)
	if x := c.ask(ctx, hj212.Plain(2012), ""); x.noticed {
		c.hold("cn2012", "")
	} else {
		c.fail("cn2012", "no 9013 came", x.last)
	}
	if x := c.ask(ctx, hj212.Plain(2011), ""); x.done || x.accepted && old {
		c.hold("cn2011", "")
	} else {
		c.settled("cn2011", x)
	}
	if x := c.ask(ctx, hj212.Plain(1099), ""); x.qnRtn > hj212.QnReady {
		c.hold("unknown", "QnRtn "+strconv.Itoa(x.qnRtn))
	} else {
		c.fail("unknown", "command 1099 was not refused", x.last)
	}
	if x := c.ask(ctx, hj212.GetClock(""), "zzzzzz"); x.qnRtn == hj212.QnBadPassword {
		c.hold("password", "")
	} else {
		c.fail("password", "QnRtn "+strconv.Itoa(x.qnRtn), x.last)
	}
	c.awaitResend(ctx)
}

// history asks for a range and then for its last record alone: both ends count.
func (c *checker) history(ctx context.Context, id string, cn int, span time.Duration) {
	end := c.o.Now().Truncate(time.Hour)
	x := c.ask(ctx, hj212.History(c.peer.Version, cn, end.Add(-span), end), "")
	if !c.settled(id, x) {
		return
	}
	if len(x.data) == 0 {
		c.byID[id].Detail = "the device says that it has no data of that range"
		return
	}
	last, err := x.data[len(x.data)-1].DataTime()
	for _, p := range x.data {
		t, e := p.DataTime()
		if e != nil || t.Before(end.Add(-span)) || t.After(end) {
			c.fail(id, "data outside the range asked for", x.last)
			return
		}
	}
	if err != nil {
		return
	}
	one := c.ask(ctx, hj212.History(c.peer.Version, cn, last, last), "")
	if c.settled(id, one) && len(one.data) == 0 {
		c.fail(id, "a range of one record brought none: its ends are left out", one.last)
		return
	}
	c.hold(id, strconv.Itoa(len(x.data))+" frames")
}

// awaitResend waits for the frame whose acknowledgement was withheld.
func (c *checker) awaitResend(ctx context.Context) {
	own := c.o.OverTime
	if c.byID["cn1000"].Status != Held { // then it goes by the standard's
		own = max(own, 10*time.Second)
	}
	for c.byID["resend"].Status == Untried {
		f, ok := c.next(ctx)
		if !ok {
			break
		}
		c.look(f)
		if c.held != nil && c.o.Now().Sub(c.heldAt) > time.Duration(c.o.ReCount+2)*own {
			break
		}
	}
	if c.held != nil && c.byID["resend"].Status == Untried {
		c.fail("resend", "it was not sent again", c.held.raw)
	}
}

func (c *checker) finish() Report {
	for _, k := range c.report.Clauses {
		switch k.Status {
		case Held:
			c.report.Held++
		case Failed:
			c.report.Failed++
		default:
			c.report.Untried++
		}
	}
	return c.report
}

var secret = regexp.MustCompile(`(^|[;&,0-9])((?:PW|NewPW)=)[^;&,]*`)

// masked is a frame without its passwords.
func masked(raw []byte) string {
	return secret.ReplaceAllString(hj212.Text(bytes.TrimSpace(raw)), "${1}${2}******")
}
