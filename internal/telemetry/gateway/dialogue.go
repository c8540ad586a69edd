package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"plateau/hj212"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/store"
)

// How a dialogue can fail.
var (
	ErrNotConnected = errors.New("gateway: the logger is not connected")
	ErrBusy         = errors.New("gateway: a dialogue with the logger is under way")
	ErrNoAnswer     = errors.New("gateway: the logger did not answer the request")
	ErrUnfinished   = errors.New("gateway: the logger accepted the request but did not finish it")
	ErrRefused      = errors.New("gateway: the logger refused the request")
	ErrFailed       = errors.New("gateway: the logger could not execute the request")
	ErrNoData       = errors.New("gateway: the logger has no such data")
)

// Step is a stage of a dialogue.
type Step string

// Steps, in the order of clause 6.6.1.
const (
	StepSent     Step = "sent"
	StepResent   Step = "resent"
	StepAccepted Step = "accepted" // 9011; Code is QnRtn
	StepData     Step = "data"     // a frame of the asked command
	StepDone     Step = "done"     // 9012; Code is ExeRtn
	StepNoticed  Step = "noticed"  // 9013
)

// Event is one step as it happened.
type Event struct {
	Step     Step
	At       time.Time
	Code     int               // QnRtn or ExeRtn, -1 when missing
	DataTime time.Time         // of data; zero when there is none
	Locator  telemetry.Locator // of the device's frame in the journal; zero for ours
	Frame    []byte            // as sent or received, without line end
}

// Dialogue is a command of the host and what came of it.
type Dialogue struct {
	MN, QN         string
	Command        hj212.Command
	Version        hj212.Version
	Started, Ended time.Time
	Attempts       int // times the request was sent
	QnRtn, ExeRtn  int // -1 when none came
	Data           int // frames of data
	// Values are the parameters of returned settings and device information
	// (SystemTime, RtdInterval, i-codes, …), by the name sent; measurements are
	// in the store.
	Values map[string]string
	Events []Event // the first 200
}

const (
	maxEvents  = 200
	maxWaiting = 10_000 // replies not yet looked at
)

// reply is what a device's frame says in a dialogue.
type reply struct {
	step   Step
	code   int
	at     int64
	values map[string]string
}

type arrival struct {
	reply
	loc telemetry.Locator
	raw []byte
}

// exchange is a dialogue under way. The reading goroutine matches frames to it,
// the store's callbacks deliver them, Request follows.
type exchange struct {
	qn         string
	cn         int
	version    hj212.Version
	begin, end int64 // of the asked DataTimes; 0 = any
	announced  atomic.Bool

	mu   sync.Mutex
	got  []arrival
	wake chan struct{}
}

// acksAnnounced reports that the 9011 of a 2005 device asked for acks of what
// follows, which itself carries no Flag (HJ/T 212-2005).
func (x *exchange) acksAnnounced() bool { return x.announced.Load() }

// match tells whether a frame belongs to the dialogue. Acks name the request's
// number; data carry numbers of their own, so the command and the time must fit.
func (x *exchange) match(p *hj212.Packet, cn int, at int64) (reply, bool) {
	r := reply{code: -1, at: at}
	if p.IsAck() {
		ans := hj212.ReplyOf(p)
		if string(ans.QN) != x.qn {
			return r, false
		}
		r.code = ans.Code
		switch cn {
		case hj212.CNRequestAck:
			r.step = StepAccepted
			if v, wanted, _, ok := p.FlagBits(); ok && v == hj212.V2005 && wanted {
				x.announced.Store(true)
			}
		case hj212.CNResult:
			r.step = StepDone
		case hj212.CNNoticeAck:
			r.step = StepNoticed
		default:
			return r, false
		}
		return r, true
	}
	if cn != x.cn {
		return r, false
	}
	if x.begin != 0 && at != 0 && (at < x.begin || at > x.end) && string(p.RequestNumber()) != x.qn {
		return r, false
	}
	r.step = StepData
	if cn < 2000 || cn >= 3000 {
		r.values = map[string]string{}
		for i := range p.Items {
			it := &p.Items[i]
			name := string(p.Bytes(it.Code))
			if it.Suffix.Len > 0 {
				name += "-" + string(p.Bytes(it.Suffix))
			}
			if name != "QN" {
				r.values[name] = hj212.Text(p.Bytes(it.Value))
			}
		}
	}
	return r, true
}

// deliver is called when the frame is durable, or could not be stored.
func (x *exchange) deliver(r reply, raw []byte, res store.Result) {
	x.mu.Lock()
	if len(x.got) < maxWaiting {
		x.got = append(x.got, arrival{r, res.Locator, append([]byte(nil), raw...)})
	}
	x.mu.Unlock()
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

func (x *exchange) take() []arrival {
	x.mu.Lock()
	defer x.mu.Unlock()
	got := x.got
	x.got = nil
	return got
}

// Request sends a command to a logger on its live connection and follows the
// exchange to its end: the same frame is sent again up to ReCount times when no
// answer comes within OverTime; once the logger has answered, silence of
// OverTime ends the exchange (clause 6.6). Returned data are stored as any
// other. progress, when not nil, is called for each event, from the calling
// goroutine. One dialogue per logger runs at a time.
//
// It fails with one of the Err values above or the context's error; the
// Dialogue tells how far it came all the same. Before a change of password
// (1072) the registry must accept the new one too, else the logger's frames are
// quarantined.
func (g *Gateway) Request(ctx context.Context, mn string, cmd hj212.Command, progress func(Event)) (Dialogue, error) {
	d := Dialogue{MN: mn, Command: cmd, QnRtn: -1, ExeRtn: -1, Values: map[string]string{}, Started: g.o.Now()}
	src := g.sources.find(mn)
	dev := g.o.Registry.Snapshot().Devices[mn]
	if src == nil || dev == nil || src.live() == nil {
		return d, ErrNotConnected
	}
	d.QN, d.Version = g.nextQN(), src.speaks()
	x := &exchange{qn: d.QN, cn: cmd.CN, version: d.Version, wake: make(chan struct{}, 1)}
	x.begin, x.end = rangeOf(cmd)
	if !src.exchange.CompareAndSwap(nil, x) {
		return d, ErrBusy
	}
	defer src.exchange.Store(nil)
	frame, err := g.requestFrame(src, dev, cmd, d.QN)
	if err != nil {
		return d, err
	}
	note := func(e Event) {
		if len(d.Events) < maxEvents {
			d.Events = append(d.Events, e)
		}
		if progress != nil {
			progress(e)
		}
	}
	err = g.follow(ctx, src, x, frame, &d, note)
	d.Ended = g.o.Now()
	if err == nil && cmd.CN == 1012 && len(cmd.CP) == 1 { // not an analyser's: what was measured before says nothing now
		src.mu.Lock()
		src.offsetN = 0
		src.mu.Unlock()
	}
	if pw := newPassword(cmd); err == nil && pw != "" {
		src.mu.Lock()
		src.pw, src.pwAt = pw, d.Ended
		src.mu.Unlock()
	}
	return d, err
}

func (g *Gateway) requestFrame(src *source, dev *telemetry.Device, cmd hj212.Command, qn string) ([]byte, error) {
	src.mu.Lock()
	peer := hj212.Peer{Version: src.speaks(), ST: src.st, PW: src.pw, MN: src.mn}
	src.mu.Unlock()
	if !dev.Accepts([]byte(peer.PW)) || peer.PW == "" && dev.Password != "" {
		peer.PW = dev.Password
	}
	m := peer.Request(cmd, qn)
	frame, err := m.AppendTo(nil)
	if err != nil {
		return nil, fmt.Errorf("write command %d: %w", cmd.CN, err)
	}
	return frame, nil
}

// newPassword is what 1072 sets, "" for other commands.
func newPassword(cmd hj212.Command) string {
	if cmd.CN == 1072 && len(cmd.CP) == 1 && len(cmd.CP[0]) == 1 {
		return cmd.CP[0][0].Value
	}
	return ""
}

// follow runs the exchange; see Request.
func (g *Gateway) follow(ctx context.Context, src *source, x *exchange, frame []byte, d *Dialogue, note func(Event)) error {
	timer := time.NewTimer(g.o.OverTime)
	defer timer.Stop()
	send := func(step Step) error {
		c := src.live()
		if c == nil {
			return ErrNotConnected
		}
		c.send(frame)
		d.Attempts++
		note(Event{Step: step, At: g.o.Now(), Code: -1, Frame: frame[:len(frame)-2]})
		return nil
	}
	if err := send(StepSent); err != nil {
		return err
	}
	answered := false
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-x.wake:
			for _, a := range x.take() {
				answered = true
				if end, err := x.advance(d, a); end {
					note(a.event(g.o.Now()))
					return err
				}
				note(a.event(g.o.Now()))
			}
			timer.Reset(g.o.OverTime)
		case <-timer.C:
			switch {
			case answered:
				return ErrUnfinished
			case d.Attempts > g.o.ReCount:
				return ErrNoAnswer
			}
			if err := send(StepResent); err != nil {
				return err
			}
			timer.Reset(g.o.OverTime)
		}
	}
}

func (a arrival) event(now time.Time) Event {
	e := Event{Step: a.step, At: now, Code: a.code, Locator: a.loc, Frame: a.raw}
	if a.at != 0 {
		e.DataTime = time.Unix(a.at, 0).UTC()
	}
	return e
}

// advance takes one answer into the dialogue; end reports that it is over.
func (x *exchange) advance(d *Dialogue, a arrival) (end bool, err error) {
	switch a.step {
	case StepAccepted:
		d.QnRtn = a.code
		if a.code != hj212.QnReady {
			return true, fmt.Errorf("%w: QnRtn %d", ErrRefused, a.code)
		}
	case StepData:
		d.Data++
		maps.Copy(d.Values, a.values)
		// In 2005 a request that starts real-time or state uploads has no 9012.
		return x.version == hj212.V2005 && (x.cn == 2011 || x.cn == 2021), nil
	case StepDone:
		d.ExeRtn = a.code
		switch a.code {
		case hj212.ExeDone:
			return true, nil
		case hj212.ExeNoData:
			return true, ErrNoData
		}
		return true, fmt.Errorf("%w: ExeRtn %d", ErrFailed, a.code)
	case StepSent, StepResent: // ours, never an answer
	case StepNoticed:
		return true, nil
	}
	return false, nil
}

// rangeOf reads BeginTime and EndTime of a command, Unix seconds; zeros when it has none.
func rangeOf(cmd hj212.Command) (begin, end int64) {
	for _, g := range cmd.CP {
		for _, kv := range g {
			t, err := hj212.ParseTime([]byte(kv.Value))
			if err != nil {
				continue
			}
			switch {
			case strings.EqualFold(kv.Name, "BeginTime"):
				begin = t.Unix()
			case strings.EqualFold(kv.Name, "EndTime"):
				end = t.Unix()
			}
		}
	}
	if begin == 0 || end == 0 {
		return 0, 0
	}
	return begin, end
}

// firstLink runs the sequence of clause 6.7 in the background. Many loggers
// answer none of it; the first silence ends it.
func (g *Gateway) firstLink(ctx context.Context, id *identity) {
	iv := telemetry.Interval{}
	if id.outlet != nil {
		iv = id.outlet.IntervalAt(g.o.Now())
	}
	cmds := []hj212.Command{hj212.SetClock("", g.o.Now()), hj212.SetTimeouts(int(g.o.OverTime/time.Second), g.o.ReCount)}
	if iv.Realtime >= 30 {
		cmds = append(cmds, hj212.SetRealtimeInterval(iv.Realtime))
	}
	if iv.Minute > 0 && id.src.speaks() != hj212.V2005 {
		cmds = append(cmds, hj212.SetMinuteInterval(iv.Minute))
	}
	g.background(ctx, id.src.mn, ReasonFirstLink, cmds...)
}

// Reasons of commands that the gateway sends by itself.
const (
	ReasonFirstLink = "first_link"
	ReasonAsked     = "clock" // the logger asked for the time
)

// background runs commands one after the other, in a goroutine that ends with ctx.
func (g *Gateway) background(ctx context.Context, mn, reason string, cmds ...hj212.Command) {
	ask := g.o.Ask
	if ask == nil {
		ask = func(ctx context.Context, mn, _ string, cmd hj212.Command) error {
			_, err := g.Request(ctx, mn, cmd, nil)
			return err
		}
	}
	g.dialogues.Go(func() {
		for _, cmd := range cmds {
			err := ask(ctx, mn, reason, cmd)
			if err == nil || errors.Is(err, ErrRefused) || errors.Is(err, ErrFailed) {
				continue
			}
			g.log.InfoContext(ctx, "logger did not follow a command", slog.String("mn", mn), slog.Int("cn", cmd.CN), slog.String("error", err.Error()))
			return
		}
	})
}
