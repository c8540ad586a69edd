package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"plateau/hj212"
	"plateau/internal/telemetry"
)

var codes = [...]string{"a21026", "a21002", "a34013", "a19001", "a01011", "a01012", "a01013", "a01014", "a21005", "a00000"}

// interval is the distance of an outlet's frames.
const interval = 30 * time.Second

// frame is a decoded frame; all peers are given the same.
type frame struct {
	mn     string
	outlet int // from 1
	at     int64
	raw    []byte
	kind   telemetry.Kind
	values []telemetry.Value
}

// makeFrames makes all frames of a run beforehand, in order of time: ten values
// of each outlet walk at random, as those of a stack do.
func makeFrames(s settings) (raws [][]byte, first, last int64) {
	type logger struct {
		mn     string
		values [len(codes)]float64
		rnd    *rand.Rand
	}
	loggers := make([]logger, s.Outlets)
	for i := range loggers {
		loggers[i] = logger{mn: fmt.Sprintf("%024X", 0xA0000000+i), rnd: rand.New(rand.NewPCG(uint64(i), 1))}
		for k := range codes {
			loggers[i].values[k] = 5 + 20*loggers[i].rnd.Float64()*float64(k+1)
		}
	}
	end := time.Now().Truncate(time.Minute)
	at := end.Add(-time.Duration((s.Frames+s.Outlets-1)/s.Outlets) * interval)
	first = at.Unix()
	var buf []byte
	for i := range s.Frames {
		l := &loggers[i%s.Outlets]
		if i > 0 && i%s.Outlets == 0 {
			at = at.Add(interval)
		}
		buf = hj212.AppendQN(append(buf[:0], "QN="...), at.Add(137*time.Millisecond))
		buf = append(append(buf, ";ST=31;CN=2011;PW=123456;MN="...), l.mn...)
		buf = hj212.AppendTime(append(buf, ";Flag=5;CP=&&DataTime="...), at)
		for k, c := range codes {
			l.values[k] *= 1 + 0.01*(l.rnd.Float64()-0.5)
			buf = append(append(append(buf, ';'), c...), "-Rtd="...)
			buf = hj212.AppendDecimal(buf, int64(l.values[k]*100), 2)
			buf = append(append(append(buf, ','), c...), "-Flag=N"...)
		}
		raw := hj212.AppendFrame(make([]byte, 0, len(buf)+32), append(buf, "&&"...))
		raws = append(raws, raw[:len(raw)-2])
	}
	return raws, first, at.Unix()
}

// decode reads a frame with its check sum, as the gateway does.
func decode(p *hj212.Packet, i int, s settings, raw []byte) (frame, error) {
	seg, err := hj212.Segment(raw)
	if err != nil {
		return frame{}, err
	}
	if err := p.Parse(seg); err != nil {
		return frame{}, err
	}
	at, err := p.DataTime()
	if err != nil {
		return frame{}, err
	}
	return frame{
		mn: telemetry.Intern(p.Bytes(p.MN)), outlet: i%s.Outlets + 1, at: at.Unix(), raw: raw,
		kind: telemetry.KindOf(p.Command()), values: telemetry.ValuesOf(p, nil),
	}, nil
}
