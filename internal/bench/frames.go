package bench

import (
	"fmt"
	"math/rand/v2"
	"time"

	"plateau/hj212"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/store"
)

var codes = [...]string{"a21026", "a21002", "a34013", "a19001", "a01011", "a01012", "a01013", "a01014", "a21005", "a00000"}

// logger walks one outlet's ten values at random, as a stack's values do.
type logger struct {
	mn     string
	values [len(codes)]float64
	rnd    *rand.Rand
}

func newLogger(i int) *logger {
	l := &logger{mn: fmt.Sprintf("%024X", 0xA0000000+i), rnd: rand.New(rand.NewPCG(uint64(i), 1))}
	for k := range l.values {
		l.values[k] = 5 + 20*l.rnd.Float64()*float64(k+1)
	}
	return l
}

// frame appends a ten-factor real-time upload without line end.
func (l *logger) frame(dst []byte, at time.Time) []byte { return l.upload(dst, at, "2011", "-Rtd=") }

// minute appends a ten-factor minute record without line end.
func (l *logger) minute(dst []byte, at time.Time) []byte { return l.upload(dst, at, "2051", "-Avg=") }

func (l *logger) upload(dst []byte, at time.Time, cn, suffix string) []byte {
	var buf [1024]byte
	seg := append(buf[:0], "QN="...)
	seg = hj212.AppendQN(seg, at.Add(137*time.Millisecond))
	seg = append(append(seg, ";ST=31;CN="...), cn...)
	seg = append(append(seg, ";PW=123456;MN="...), l.mn...)
	seg = append(seg, ";Flag=5;CP=&&DataTime="...)
	seg = hj212.AppendTime(seg, at)
	for k, c := range codes {
		l.values[k] *= 1 + 0.01*(l.rnd.Float64()-0.5)
		seg = append(append(append(seg, ';'), c...), suffix...)
		seg = hj212.AppendDecimal(seg, int64(l.values[k]*100), 2)
		seg = append(append(append(seg, ','), c...), "-Flag=N"...)
	}
	dst = hj212.AppendFrame(dst, append(seg, "&&"...))
	return dst[:len(dst)-2]
}

// decode does what the gateway does with an accepted frame.
func decode(p *hj212.Packet, outlet telemetry.OutletID, raw []byte, values []telemetry.Value, received time.Time) (*store.Frame, error) {
	seg, err := hj212.Segment(raw)
	if err != nil {
		return nil, err
	}
	if err := p.Parse(seg); err != nil {
		return nil, err
	}
	at, err := p.DataTime()
	if err != nil {
		return nil, err
	}
	return &store.Frame{
		MN: telemetry.Intern(p.Bytes(p.MN)), Outlet: outlet, Kind: telemetry.KindOf(p.Command()), At: at.Unix(), RF: p.Resent(),
		Received: received, Raw: raw, Verdict: telemetry.Stored, Values: telemetry.ValuesOf(p, values),
	}, nil
}
