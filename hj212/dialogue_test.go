package hj212_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plateau/hj212"
)

type step struct{ From, Frame string }

type dialogue struct {
	Standard, Example string
	Steps             []step
}

// TestDialogues plays the printed dialogues.
func TestDialogues(t *testing.T) {
	t.Parallel()
	var dialogues []dialogue
	for line := range strings.Lines(read(t, "dialogues.txt")) {
		f := strings.SplitN(strings.TrimSpace(line), " ", 4)
		if f[0] == "#" {
			continue
		}
		if n := len(dialogues); n == 0 || dialogues[n-1].Standard != f[0] || dialogues[n-1].Example != f[1] {
			dialogues = append(dialogues, dialogue{Standard: f[0], Example: f[1]})
		}
		d := &dialogues[len(dialogues)-1]
		d.Steps = append(d.Steps, step{f[2], f[3]})
	}
	playDialogues(t, dialogues)
}

// TestSharedDialogues plays those of the shared test data.
func TestSharedDialogues(t *testing.T) {
	t.Parallel()
	var dialogues []dialogue
	for _, line := range readLines(t, "dialogues.jsonl") {
		dialogues = append(dialogues, decodeInto[dialogue](t, line))
	}
	playDialogues(t, dialogues)
}

// playDialogues makes every frame of every dialogue: the host's from what the
// device sent, the device's from what the host sent.
func playDialogues(t *testing.T, dialogues []dialogue) {
	t.Helper()
	acks, requests, uploads := 0, 0, 0
	for _, d := range dialogues {
		var request, lastDevice *hj212.Packet
		announced := false // 2005: the device's 9011 announced acks
		for _, st := range d.Steps {
			seg, err := hj212.Segment([]byte(st.Frame))
			if err != nil {
				t.Fatalf("%s %s: %v", d.Standard, d.Example, err)
			}
			p := new(hj212.Packet)
			if err := p.Parse(seg); err != nil {
				t.Fatalf("%s %s: %v", d.Standard, d.Example, err)
			}
			name := d.Standard + " " + d.Example + " " + str(p, p.CN)
			var got []byte
			switch {
			case st.From == "host" && p.IsAck():
				var ok bool
				if got, ok = hj212.AppendAck(nil, lastDevice); !ok && announced {
					got, ok = hj212.AppendAck2005(nil, lastDevice)
				}
				if !ok {
					t.Errorf("%s: nothing to answer to %q", name, lastDevice.Seg)
				}
				acks++
			case st.From == "device" && p.IsAck():
				l := hj212.Logger{Version: version(d.Standard), ST: "32", PW: string(request.Bytes(request.PW)), MN: string(request.Bytes(request.MN))}
				var m hj212.Message
				switch p.Command() {
				case hj212.CNRequestAck:
					flag := 0
					if b := string(p.Bytes(p.Flag)); b == "1" || b == "3" {
						flag, announced = int(b[0]-'0'), true
					}
					m = l.Ready(request, l.Check(request), flag)
				case hj212.CNResult:
					m = l.Result(request, hj212.ExeDone)
				default:
					m = l.Noticed(request)
				}
				if got, err = m.AppendTo(nil); err != nil {
					t.Fatal(err)
				}
				acks++
			case st.From == "host":
				c, known := commandOf(version(d.Standard), p)
				if !known {
					t.Fatalf("%s: no builder makes %q", name, p.Seg)
				}
				m := hj212.Peer{Version: version(d.Standard), ST: str(p, p.ST), PW: str(p, p.PW), MN: str(p, p.MN)}.Request(c, str(p, p.QN))
				if got, err = m.AppendTo(nil); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				requests++
			default:
				l := hj212.Logger{Version: version(d.Standard), ST: str(p, p.ST), PW: str(p, p.PW), MN: str(p, p.MN)}
				_, wanted, _, _ := p.FlagBits()
				data := hj212.MessageOf(p).CP
				if len(data) > 0 && data[0][0].Name == "QN" {
					data = data[1:] // the logger names the request by itself
				}
				m := l.Data(p.Command(), str(p, p.QN), wanted, request, data...)
				if pno, pnum := p.Part(); pnum > 0 {
					m.PNO, m.PNUM = pno, pnum
					if m.Flag >= 0 {
						m.Flag |= 2
					}
				}
				if got, err = m.AppendTo(nil); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				uploads++
			}
			if string(got) != st.Frame+"\r\n" {
				t.Errorf("%s:\n got %q\nwant %q", name, got, st.Frame)
			}
			if st.From == "host" && !p.IsAck() {
				request = p
			}
			if st.From == "device" {
				lastDevice = p
			}
		}
	}
	if acks < 100 || requests < 40 || uploads < 30 {
		t.Errorf("only %d acknowledgements, %d requests, %d uploads were made", acks, requests, uploads)
	}
}

// TestCommands2025 makes the requests that came with 2025.
func TestCommands2025(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 6, 1, 8, 58, 57, 223e6, hj212.Zone)
	for want, c := range map[string]hj212.Command{
		"1002;i23005-Info=ABCDEFGHIJKLMNOPQRSTUVWX":                  hj212.SetMN("ABCDEFGHIJKLMNOPQRSTUVWX"),
		"1014;SKCreateTime=20240601085857223,NewSK=0123456789abcdef": hj212.SetKey(at, "0123456789abcdef"),
		"2013;BeginTime=20240601085857;EndTime=20240601085857":       hj212.History(hj212.V2025, 2013, at, at),
		"2062;BeginTime=20240601085857;EndTime=20240601085857":       hj212.History(hj212.V2025, 2062, at, at),
		"3011;PolId=w01018,CalibrationType=0":                        hj212.Calibrate("w01018", false),
		"3011;PolId=w01018,CalibrationType=1":                        hj212.Calibrate("w01018", true),
		"3022;PolId=w01018":                                          hj212.OnAnalyser(hj212.V2025, 3022, "w01018"),
		"3024;PolId=w01018":                                          hj212.OnAnalyser(hj212.V2025, 3024, "w01018"),
	} {
		m := hj212.Peer{Version: hj212.V2025, ST: "32", PW: "1", MN: "M"}.Request(c, "20240601085857223")
		cn, cp, _ := strings.Cut(want, ";")
		seg, err := m.AppendSegment(nil)
		if full := "QN=20240601085857223;ST=32;CN=" + cn + ";PW=1;MN=M;Flag=9;CP=&&" + cp + "&&"; err != nil || string(seg) != full {
			t.Errorf("\n got %s, %v\nwant %s", seg, err, full)
		}
		var p hj212.Packet
		if err := p.Parse(seg); err != nil {
			t.Fatal(err)
		}
		if again, ok := commandOf(hj212.V2025, &p); !ok || cmp.Diff(c, again) != "" {
			t.Errorf("%s is read as %+v", seg, again)
		}
	}
}

// TestActivation: a logger without an MN names itself, and is answered (2025).
func TestActivation(t *testing.T) {
	t.Parallel()
	m := hj212.Logger{Version: hj212.V2025, ST: "31"}.Data(1001, "20240601085857223", true, nil, hj212.Group{{Name: "i23005-Info", Value: "A1"}})
	m.EmptyIdentity = true
	seg, err := m.AppendSegment(nil)
	if want := "QN=20240601085857223;ST=31;CN=1001;PW=;MN=;Flag=9;CP=&&i23005-Info=A1&&"; err != nil || string(seg) != want {
		t.Fatalf("\n got %s, %v\nwant %s", seg, err, want)
	}
	var p hj212.Packet
	if err := p.Parse(seg); err != nil {
		t.Fatal(err)
	}
	frame, ok := hj212.AppendAck(nil, &p)
	ack, err := hj212.Segment(frame)
	if want := "QN=20240601085857223;ST=91;CN=9013;PW=;MN=;Flag=8;CP=&&&&"; !ok || err != nil || string(ack) != want {
		t.Errorf("\n got %s, %v %v\nwant %s", ack, ok, err, want)
	}
}

// TestSharedRequests2025 makes the host's frames of 2025 anew, byte for byte.
func TestSharedRequests2025(t *testing.T) {
	t.Parallel()
	n := 0
	for _, frame := range readLines(t, "derived-2025.txt") {
		seg, err := hj212.Segment([]byte(frame))
		if err != nil {
			t.Fatal(err)
		}
		var p hj212.Packet
		if err := p.Parse(seg); err != nil {
			t.Fatal(err)
		}
		c, ok := commandOf(hj212.V2025, &p)
		if _, data := p.Param("DataTime"); data || !ok {
			continue // of a device, or an acknowledgement
		}
		n++
		m := hj212.Peer{Version: hj212.V2025, ST: str(&p, p.ST), PW: str(&p, p.PW), MN: str(&p, p.MN)}.Request(c, str(&p, p.QN))
		if got, err := m.AppendTo(nil); err != nil || string(got) != frame+"\r\n" {
			t.Errorf("\n got %q, %v\nwant %q", got, err, frame)
		}
	}
	if n < 20 {
		t.Errorf("only %d requests", n)
	}
}

func str(p *hj212.Packet, s hj212.Span) string { return string(p.Bytes(s)) }

// commandOf makes a request anew from the values it carries, by the builder an
// application would call.
func commandOf(v hj212.Version, p *hj212.Packet) (hj212.Command, bool) {
	param := func(name string) string { b, _ := p.Param(name); return string(b) }
	number := func(name string) int { n, _ := strconv.Atoi(param(name)); return n }
	at := func(name string) time.Time { t, _ := hj212.ParseTime([]byte(param(name))); return t }
	pol := param("PolId")
	switch cn := p.Command(); cn {
	case 1000:
		return hj212.SetTimeouts(number("OverTime"), number("ReCount")), true
	case 1001:
		return hj212.SetWarnTime2005(number("WarnTime")), true
	case 1011:
		return hj212.GetClock(pol), true
	case 1012:
		return hj212.SetClock(pol, at("SystemTime")), true
	case 1021, 3014:
		var values []string
		for _, it := range p.Items {
			values = append(values, str(p, it.Value))
		}
		if cn == 1021 {
			return hj212.GetLimits2005(values...), true
		}
		if v != hj212.V2005 {
			return hj212.OnAnalyser(v, cn, pol), true
		}
		return hj212.SetSampling2005(values[0], values[1:]...), true
	case 1022:
		var limits []hj212.Limit2005
		for i := 0; i+1 < len(p.Items); i += 2 {
			limits = append(limits, hj212.Limit2005{Pol: str(p, p.Items[i].Code), Low: str(p, p.Items[i].Value), Up: str(p, p.Items[i+1].Value)})
		}
		return hj212.SetLimits2005(limits...), true
	case 1032:
		return hj212.SetTarget2005(param("AlarmTarget")), true
	case 1042:
		return hj212.SetReportTime2005(param("ReportTime")), true
	case 1061:
		return hj212.GetRealtimeInterval(), true
	case 1062:
		return hj212.SetRealtimeInterval(number("RtdInterval")), true
	case 1063:
		return hj212.GetMinuteInterval(), true
	case 1064:
		return hj212.SetMinuteInterval(number("MinInterval")), true
	case 1072:
		return hj212.SetPassword(v, param("PW")+param("NewPW")), true
	case 1031, 1041, 2011, 2012, 2021, 2022, 3015:
		return hj212.Plain(cn), true
	case 2013, 2031, 2041, 2051, 2061, 2062, 2071:
		return hj212.History(v, cn, at("BeginTime"), at("EndTime")), true
	case 1002:
		return hj212.SetMN(str(p, p.Items[0].Value)), true
	case 1014:
		created, _ := time.ParseInLocation("20060102150405.000", param("SKCreateTime")[:14]+"."+param("SKCreateTime")[14:], hj212.Zone)
		return hj212.SetKey(created, param("NewSK")), true
	case 3011, 3012, 3013, 3017, 3018, 3019, 3022, 3024:
		if kind := param("CalibrationType"); kind != "" {
			return hj212.Calibrate(pol, kind == "1"), true
		}
		return hj212.OnAnalyser(v, cn, pol), true
	case 3016:
		return hj212.SetSampling(pol, param("CstartTime"), number("CTime")), true
	case 3020:
		if param("BeginTime") != "" {
			return hj212.GetLog(pol, param("InfoId"), at("BeginTime"), at("EndTime")), true
		}
		return hj212.GetInfo(pol, param("InfoId")), true
	case 3021:
		info := param("InfoId")
		for _, it := range p.Items {
			if str(p, it.Code) == info {
				return hj212.SetParameter(pol, info, str(p, it.Value)), true
			}
		}
	}
	return hj212.Command{}, false
}

func version(year string) hj212.Version {
	switch year {
	case "2005":
		return hj212.V2005
	case "2025":
		return hj212.V2025
	}
	return hj212.V2017
}
