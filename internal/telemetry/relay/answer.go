package relay

import (
	"errors"
	"io"
	"strconv"
	"sync"

	"plateau/hj212"
)

// answer is what a target says of a frame.
type answer struct {
	cn     int // 9011, 9012, 9013, 9014
	qn, mn string
	of     int    // command it names (2005); 0 = none
	reason string // "" = taken; else why not, as "qn_3" or "exe_2"
	later  bool   // not taken yet: send it again
	begun  bool   // it tells that more comes, and nothing of the frame
}

// answerOf reads an acknowledgement.
func answerOf(p *hj212.Packet) answer {
	a := answer{cn: p.Command(), qn: string(p.RequestNumber()), mn: string(p.Bytes(p.MN))}
	if b, ok := p.Param("CN"); ok {
		a.of, _ = strconv.Atoi(string(b))
	}
	code := func(name string) int {
		b, ok := p.Param(name)
		if !ok {
			return 0
		}
		n, err := strconv.Atoi(string(b))
		if err != nil {
			return 0
		}
		return n
	}
	// A host answers data with 9014 alone. Some say with 9011 or 9012, or with a
	// code inside 9014, what was wrong with them (section 6.6.4).
	qn, exe := code("QnRtn"), code("ExeRtn")
	switch {
	case exe == hj212.ExeTimeout, exe == hj212.ExeBusy, qn == hj212.QnBadCRC:
		a.later = true
		fallthrough
	case exe > hj212.ExeDone, qn > hj212.QnReady:
		if exe > hj212.ExeDone {
			a.reason = "exe_" + strconv.Itoa(exe)
		} else {
			a.reason = "qn_" + strconv.Itoa(qn)
		}
	case a.cn == hj212.CNRequestAck:
		a.begun = true
	}
	return a
}

// refusal is what a target gets that asks something of a logger: nothing is
// passed on. ok is false for what has no answer.
func refusalOf(p *hj212.Packet) (frame []byte, ok bool) {
	v, _, _, known := p.FlagBits()
	if !known {
		v = hj212.V2017
	}
	if len(p.RequestNumber()) == 0 {
		return nil, false
	}
	l := hj212.Logger{Version: v, PW: string(p.Bytes(p.PW)), MN: string(p.Bytes(p.MN))}
	m := l.Ready(p, hj212.QnRefused, 0)
	if hj212.IsNotice(p.Command()) { // a notice can only be taken note of
		m = l.Noticed(p)
	}
	frame, err := m.AppendTo(nil)
	return frame, err == nil
}

// inbox is what came from a target and was not looked at yet.
type inbox struct {
	mu      sync.Mutex
	answers []answer
	replies []byte // to what it asked
	asked   int
	last    int // command that it asked last
	wake    chan struct{}
}

const (
	maxAnswers = 1 << 16  // unread ones; a target that sends more is not read on
	maxReplies = 64 << 10 // bytes; what is asked beyond stays without an answer
	maxGarbage = 64 << 10 // bytes in a row without a frame
)

var errGarbage = errors.New("too many bytes without a frame came back")

// listen reads what a target says until the connection ends; it always returns
// an error.
func (in *inbox) listen(r io.Reader) error {
	s := hj212.NewScanner(hj212.ScanOptions{})
	var p hj212.Packet
	dull := 0
	for {
		n, err := s.Fill(r)
		dull += n
		for ev, ok := s.Next(); ok; ev, ok = s.Next() {
			if ev.Err != nil || p.Parse(ev.Seg) != nil {
				continue
			}
			dull = 0
			in.take(&p)
		}
		if dull > maxGarbage {
			err = errGarbage
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		select {
		case in.wake <- struct{}{}:
		default:
		}
	}
}

func (in *inbox) take(p *hj212.Packet) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if p.IsAck() {
		if len(in.answers) < maxAnswers { // more than that answers nothing of ours
			in.answers = append(in.answers, answerOf(p))
		}
		return
	}
	in.asked++
	in.last = p.Command()
	if frame, ok := refusalOf(p); ok && len(in.replies)+len(frame) <= maxReplies {
		in.replies = append(in.replies, frame...)
	}
}

// empty takes what is there; buf is reused.
func (in *inbox) empty(buf []answer) (answers []answer, replies []byte, asked, last int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	answers, in.answers = in.answers, buf[:0]
	replies, asked, last = in.replies, in.asked, in.last
	in.replies, in.asked = nil, 0
	return answers, replies, asked, last
}
