package gateway

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plateau/hj212"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/store"
	"plateau/internal/testkit"
)

// step is one frame of an annex example.
type step struct {
	From  string `json:"from"`
	CN    string `json:"cn"`
	Frame string `json:"frame"`
}

type example struct {
	Standard  string `json:"standard"`
	Example   string `json:"example"`
	Initiator string `json:"initiator"`
	Steps     []step `json:"steps"`
}

// examples reads the dialogues of annex C (2005 and 2017).
func examples(t *testing.T) []example {
	t.Helper()
	f, err := os.Open(filepath.Join(testkit.Shared(t), "testdata", "hj212", "dialogues.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []example
	for in := bufio.NewScanner(f); in.Scan(); {
		var e example
		if err := json.Unmarshal(in.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

func segment(t *testing.T, frame string) string {
	t.Helper()
	seg, err := hj212.Segment([]byte(frame))
	if err != nil {
		t.Fatalf("%s: %v", frame, err)
	}
	return string(seg)
}

func packet(t *testing.T, seg string) *hj212.Packet {
	t.Helper()
	var p hj212.Packet
	if err := p.Parse([]byte(seg)); err != nil {
		t.Fatalf("%s: %v", seg, err)
	}
	return &p
}

// TestAnnex plays the device's side of every example; the gateway must say
// what the host says there. Where the host begins, its request is made from
// the parameters of the example.
func TestAnnex(t *testing.T) {
	t.Parallel()
	all := examples(t)
	if len(all) != 57 {
		t.Fatalf("%d examples", len(all))
	}
	const mn2005 = "88888880000001"
	for _, ex := range all {
		t.Run(ex.Standard+" "+ex.Example, func(t *testing.T) {
			t.Parallel()
			host := "host"
			p := packet(t, segment(t, ex.Steps[0].Frame))
			mn := string(p.Bytes(p.MN))
			s := newSite(t, newRegistry(&telemetry.Device{MN: mn, Password: string(p.Bytes(p.PW))}), func(o *Options, so *store.Options) {
				o.ClockPast = 100 * 365 * 24 * time.Hour
			})
			s.clock.ns.Store(hostTime(t, string(p.Bytes(p.QN))).UnixNano()) // QN and SystemTime of the host come from its clock
			d := s.dial()
			if ex.Initiator == "device" {
				for _, st := range ex.Steps {
					if st.From == host {
						d.expect(segment(t, st.Frame))
					} else {
						d.send(segment(t, st.Frame))
					}
				}
				return
			}
			// The gateway learns version and ST of a logger from what it sends.
			hello := fmt.Sprintf("QN=1;ST=32;CN=9015;PW=%s;MN=%s;Flag=5;CP=&&&&", p.Bytes(p.PW), mn)
			if mn == mn2005 {
				hello = fmt.Sprintf("ST=32;CN=2072;PW=%s;MN=%s;Flag=1;CP=&&QN=1;AlarmTime=20040516010101;101-Ala=1.1&&", p.Bytes(p.PW), mn)
			}
			d.send(hello)
			d.next()
			type outcome struct {
				d   Dialogue
				err error
			}
			done := make(chan outcome, 1)
			cmd := hj212.Command{CN: p.Command(), CP: hj212.MessageOf(p).CP}
			go func() {
				dlg, err := s.g.Request(context.Background(), mn, cmd, nil)
				done <- outcome{dlg, err}
			}()
			data := 0
			for _, st := range ex.Steps {
				switch st.From {
				case host:
					if diff := cmp.Diff(segment(t, st.Frame), d.next()); diff != "" {
						t.Fatalf("host: %s", diff)
					}
				default:
					d.send(segment(t, st.Frame))
					if !strings.HasPrefix(st.CN, "90") {
						data++
					}
				}
			}
			out := <-done
			if out.err != nil || out.d.Data != data || out.d.Attempts != 1 {
				t.Errorf("dialogue: %v, data %d of %d, attempts %d", out.err, out.d.Data, data, out.d.Attempts)
			}
			for v := range strings.FieldsSeq(s.verdicts(mn)) {
				if v != "stored" {
					t.Errorf("verdicts %q", s.verdicts(mn))
				}
			}
		})
	}
}

// hostTime is the instant of a request number.
func hostTime(t *testing.T, qn string) time.Time {
	t.Helper()
	if len(qn) != 17 {
		return t0
	}
	at, err := hj212.ParseTime([]byte(qn[:14]))
	if err != nil {
		t.Fatal(err)
	}
	var ms int
	if _, err := fmt.Sscanf(qn[14:], "%d", &ms); err != nil {
		t.Fatal(err)
	}
	return at.Add(time.Duration(ms) * time.Millisecond)
}

// talk is a logger at the other end of a dialogue.
type talk struct {
	*peer
	s    *site
	done chan struct{}
	d    Dialogue
	err  error
}

func startTalk(t *testing.T, s *site, cmd hj212.Command) *talk {
	t.Helper()
	k := &talk{peer: s.dial(), s: s, done: make(chan struct{})}
	k.send(realtime(mnA, 0, "1"))
	k.expect(ackOf(realtime(mnA, 0, "1")))
	go func() {
		defer close(k.done)
		k.d, k.err = s.g.Request(context.Background(), mnA, cmd, nil)
	}()
	return k
}

func (k *talk) ack(cn int, qn, cp string) string {
	return fmt.Sprintf("QN=%s;ST=91;CN=%d;PW=123456;MN=%s;Flag=4;CP=&&%s&&", qn, cn, mnA, cp)
}

func (k *talk) request() (seg, qn string) {
	k.t.Helper()
	seg = k.next()
	var p hj212.Packet
	if err := p.Parse([]byte(seg)); err != nil {
		k.t.Fatal(err)
	}
	return seg, string(p.Bytes(p.QN))
}

func TestRequestResends(t *testing.T) {
	t.Parallel()
	s := newSite(t, newRegistry(device(mnA)), func(o *Options, _ *store.Options) { o.OverTime, o.ReCount = 50*time.Millisecond, 2 })
	k := startTalk(t, s, hj212.GetRealtimeInterval())
	first, _ := k.request()
	for range 2 {
		if again, _ := k.request(); again != first {
			t.Errorf("resent %s instead of %s", again, first)
		}
	}
	<-k.done
	if !errors.Is(k.err, ErrNoAnswer) || k.d.Attempts != 3 {
		t.Errorf("%v after %d attempts", k.err, k.d.Attempts)
	}
	k.marker(mnA, 1)
}

func TestRequestSteps(t *testing.T) {
	t.Parallel()
	s := newSite(t, newRegistry(device(mnA)), nil)
	k := startTalk(t, s, hj212.History(hj212.V2017, 2061, t0.Add(-3*time.Hour), t0.Add(-time.Hour)))
	_, qn := k.request()
	if _, err := s.g.Request(t.Context(), mnA, hj212.GetClock(""), nil); !errors.Is(err, ErrBusy) {
		t.Errorf("second dialogue: %v", err)
	}
	hour := func(n int) string {
		at := t0.Add(time.Duration(-n) * time.Hour)
		return fmt.Sprintf("QN=202611241800%05d;ST=31;CN=2061;PW=123456;MN=%s;Flag=5;CP=&&DataTime=%s;a21026-Avg=%d.0,a21026-Flag=N&&", n, mnA, hj212.AppendTime(nil, at), n)
	}
	k.send(k.ack(9011, "20000101000000000", "QnRtn=2"), k.ack(9011, qn, "QnRtn=1"), hour(3), realtime(mnA, 1, "2"), hour(9), hour(2), k.ack(9012, qn, "ExeRtn=1"))
	k.expect(ackOf(hour(3)), ackOf(realtime(mnA, 1, "2")), ackOf(hour(9)), ackOf(hour(2)))
	<-k.done
	var steps []string
	for _, e := range k.d.Events {
		steps = append(steps, fmt.Sprintf("%s %d", e.Step, e.Code))
		if e.Step != StepSent {
			if f, err := s.store.FrameAt(e.Locator); err != nil || string(f.Raw) != string(e.Frame) {
				t.Errorf("%s: the journal has another frame: %v", e.Step, err)
			}
		}
	}
	want := []string{"sent -1", "accepted 1", "data -1", "data -1", "done 1"} // hour(9) is an upload of its own
	if diff := cmp.Diff(want, steps); diff != "" || k.err != nil || k.d.QnRtn != 1 || k.d.ExeRtn != 1 {
		t.Errorf("%v %s", k.err, diff)
	}
	n := 0
	if err := s.store.Records(1, telemetry.KindHour, 0, 1<<40, func(*telemetry.Record) bool { n++; return true }); err != nil || n != 3 {
		t.Errorf("%d hours stored, %v", n, err)
	}
}

func TestRequestEnds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		answers []string // CN and CP
		want    error
		values  map[string]string
	}{
		{name: "refused", answers: []string{"9011 QnRtn=3"}, want: ErrRefused},
		{name: "failed", answers: []string{"9011 QnRtn=1", "9012 ExeRtn=5"}, want: ErrFailed},
		{name: "no data", answers: []string{"9011 QnRtn=1", "9012 ExeRtn=100"}, want: ErrNoData},
		{name: "unfinished", answers: []string{"9011 QnRtn=1"}, want: ErrUnfinished},
		{name: "no 9011", answers: []string{"1061 RtdInterval=30", "9012 ExeRtn=1"}, values: map[string]string{"RtdInterval": "30"}},
		{name: "values", answers: []string{"9011 QnRtn=1", "1061 RtdInterval=45", "9012 ExeRtn=1"}, values: map[string]string{"RtdInterval": "45"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, newRegistry(device(mnA)), func(o *Options, _ *store.Options) { o.OverTime = 300 * time.Millisecond })
			k := startTalk(t, s, hj212.GetRealtimeInterval())
			_, qn := k.request()
			for _, a := range c.answers {
				cn, cp, _ := strings.Cut(a, " ")
				var n int
				_, _ = fmt.Sscan(cn, &n)
				k.send(k.ack(n, qn, cp))
			}
			<-k.done
			if !errors.Is(k.err, c.want) {
				t.Errorf("ended with %v", k.err)
			}
			if c.values != nil {
				if diff := cmp.Diff(c.values, k.d.Values); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestRequestNotConnected(t *testing.T) {
	t.Parallel()
	s := newSite(t, newRegistry(device(mnA)), nil)
	if _, err := s.g.Request(t.Context(), mnA, hj212.GetClock(""), nil); !errors.Is(err, ErrNotConnected) {
		t.Errorf("never connected: %v", err)
	}
	p := s.dial()
	p.marker(mnA, 1)
	_ = p.nc.Close()
	s.until("not connected", func() bool { d, _ := s.g.Device(mnA); return !d.Connected })
	if _, err := s.g.Request(t.Context(), mnA, hj212.GetClock(""), nil); !errors.Is(err, ErrNotConnected) {
		t.Errorf("gone: %v", err)
	}
}

// TestClockAskedFor: a logger that asks for the time (1013) is answered and then
// given it, unless this is a trial.
func TestClockAskedFor(t *testing.T) {
	t.Parallel()
	ask := "QN=1;ST=31;CN=1013;PW=123456;MN=" + mnA + ";Flag=5;CP=&&PolId=a21026&&"
	for _, trial := range []bool{false, true} {
		s := newSite(t, newRegistry(device(mnA)), func(o *Options, _ *store.Options) { o.AdoptUnknown = trial })
		k := &talk{peer: s.dial(), s: s}
		k.send(ask)
		k.expect("QN=1;ST=91;CN=9013;PW=123456;MN=" + mnA + ";Flag=4;CP=&&&&")
		if trial {
			k.marker(mnA, 1)
			continue
		}
		seg, qn := k.request()
		if !strings.HasSuffix(seg, ";ST=31;CN=1012;PW=123456;MN="+mnA+";Flag=5;CP=&&PolId=a21026;SystemTime=20261124180000&&") {
			t.Errorf("no time was given: %s", seg)
		}
		k.send(k.ack(9011, qn, "QnRtn=1"), k.ack(9012, qn, "ExeRtn=1"))
		s.until("the end of the dialogue", func() bool { d, _ := s.g.Device(mnA); return !d.InDialogue })
	}
}

// TestFirstLink: the sequence of clause 6.7, once a connection, and the clock
// when the logger asks for it.
func TestFirstLink(t *testing.T) {
	t.Parallel()
	s := newSite(t, newRegistry(device(mnA)), func(o *Options, _ *store.Options) { o.FirstLink = true })
	k := &talk{peer: s.dial(), s: s}
	k.send("QN=1;ST=31;CN=9015;PW=123456;MN=" + mnA + ";Flag=5;CP=&&&&")
	var got []string
	serve := func(n int) {
		for len(got) < n {
			seg, qn := k.request()
			if strings.Contains(seg, "ST=91") {
				continue
			}
			_, rest, _ := strings.Cut(seg, ";CN=")
			cn, _, _ := strings.Cut(rest, ";")
			_, cp, _ := strings.Cut(seg, "CP=")
			got = append(got, cn+" "+cp)
			k.send(k.ack(9011, qn, "QnRtn=1"), k.ack(9012, qn, "ExeRtn=1"))
		}
	}
	serve(4)
	s.until("the end of the sequence", func() bool { d, _ := s.g.Device(mnA); return !d.InDialogue })
	k.send("QN=2;ST=31;CN=1013;PW=123456;MN=" + mnA + ";Flag=5;CP=&&PolId=a21026&&")
	serve(5)
	want := []string{
		"1012 &&SystemTime=20261124180000&&", "1000 &&OverTime=2;ReCount=3&&", "1062 &&RtdInterval=60&&", "1064 &&MinInterval=10&&",
		"1012 &&PolId=a21026;SystemTime=20261124180000&&",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
