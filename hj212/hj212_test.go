package hj212_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plateau/hj212"
)

// The vectors of the standards: annex A of 2017 and of 2025, and plain inputs
// computed by the printed listing.
func TestCRCVectors(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]uint16{
		"": 0xFFFF, "\x00": 0x4040, "123456789": 0x2F80,
		"QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;CP=&&RtdInterval=30&&": 0x1C80,
		"QN=20240601085857223;ST=32;CN=1011;PW=123456;MN=010000A8900016F000169DC0;Flag=9;CP=&&&&":               0x2200,
	} {
		if got := hj212.CRC16([]byte(in)); got != want {
			t.Errorf("CRC16(%q) = %04X, want %04X", in, got, want)
		}
	}
}

// plainCRC is the listing of the standard, one bit at a time.
func plainCRC(b []byte) uint16 {
	reg := uint16(0xFFFF)
	for _, c := range b {
		reg = reg>>8 ^ uint16(c)
		for range 8 {
			lsb := reg & 1
			reg >>= 1
			if lsb == 1 {
				reg ^= 0xA001
			}
		}
	}
	return reg
}

func TestCRCEqualsListing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "bytes")
		if got, want := hj212.CRC16(b), plainCRC(b); got != want {
			t.Fatalf("CRC16(%x) = %04X, listing %04X", b, got, want)
		}
	})
}

func TestCRCAlternatives(t *testing.T) {
	t.Parallel()
	seg := []byte("QN=1;CP=&&a=1&&") // its CRC has a leading zero or not; the table says what is sent
	want := hj212.CRC16(seg)
	for _, c := range []struct{ got, cause string }{
		{fmt.Sprintf("%02X%02X", want&0xFF, want>>8), "bytes swapped"},
		{"0000", "constant placeholder"},
		{"12AB", "another algorithm or byte order"},
		{"zz", ""},
	} {
		if got := hj212.CRCAlternatives(seg, []byte(c.got)); got != c.cause {
			t.Errorf("%s: %q, want %q", c.got, got, c.cause)
		}
	}
}

func TestScannerFaults(t *testing.T) {
	t.Parallel()
	good := string(hj212.AppendFrame(nil, []byte("QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=M1;Flag=5;CP=&&RtdInterval=30&&")))
	bare := strings.TrimSuffix(good, "\r\n")
	long := strings.Replace(good, "##0079", "##0090", 1)
	short := strings.Replace(good, "##0079", "##0060", 1)
	if long == good || short == good {
		t.Fatalf("the length of the sample is not 79: %s", good)
	}
	bad := strings.Replace(good, "=30", "=31", 1)
	for name, c := range map[string]struct {
		in     string
		frames int
		errors []string
		rest   bool
	}{
		"nothing":                {"", 0, nil, false},
		"only gaps":              {"\r\n \x00\n", 0, nil, false},
		"probe of several lines": {"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + good, 1, []string{"noise"}, false},
		"probe between frames":   {good + "AT\r\nOK\r\n" + good, 2, []string{"noise"}, false},
		"one more hash":          {"#" + good, 1, []string{"noise"}, false},
		"false mark":             {"##12x" + good, 1, []string{"noise"}, false},
		"length too long":        {long + good, 1, []string{"length_mismatch"}, false},
		"length too short":       {short + good, 1, []string{"length_mismatch"}, false},
		"length too long, ###":   {strings.TrimSuffix(long, "\r\n") + "#" + good, 1, []string{"length_mismatch", "noise"}, false},
		"short, at the end":      {short, 0, []string{"length_mismatch"}, false},
		"wrong CRC":              {bad + good, 1, []string{"crc_mismatch"}, false},
		"wrong CRC, no line end": {strings.TrimSuffix(bad, "\r\n") + good, 1, []string{"crc_mismatch"}, false},
		"empty segment":          {"##0000FFFF\r\n" + good, 1, []string{"missing_fields"}, false},
		"over the limit":         {"##9999QN=1;\r\n" + good, 1, []string{"malformed", "noise"}, false},
		"no end that fits":       {"##0010abcdefghijklmnop\r\n" + good, 1, []string{"malformed"}, false},
		"head inside":            {"##0500QN=1;ST=32" + good + strings.Repeat(good, 6), 7, []string{"malformed"}, false},
		"cut off":                {good + bare[:40], 1, nil, true},
		"hash at the end":        {good + "#", 1, nil, true},
		"sticky, no line ends":   {bare + bare + bare, 3, nil, false},
	} {
		r := hj212.ScanAll([]byte(c.in), hj212.ScanOptions{})
		if len(r.Frames) != c.frames || strings.Join(r.Errors, " ") != strings.Join(c.errors, " ") || r.Pending != c.rest {
			t.Errorf("%s: %d frames, errors %v, pending %v; want %d, %v, %v", name, len(r.Frames), r.Errors, r.Pending, c.frames, c.errors, c.rest)
		}
		for cut := range c.in {
			checkCut(t, []byte(c.in), cut, r)
		}
	}
}

// TestScannerNamesDroppedZero: the likely cause is named in a stream, too.
func TestScannerNamesDroppedZero(t *testing.T) {
	t.Parallel()
	var seg []byte
	for n := 0; seg == nil || hj212.CRC16(seg)>>12 != 0; n++ {
		seg = fmt.Appendf(nil, "QN=%d;CP=&&a=1&&", n)
	}
	frame := fmt.Sprintf("##%04d%s%X\r\n", len(seg), seg, hj212.CRC16(seg))
	s := hj212.NewScanner(hj212.ScanOptions{})
	s.Feed([]byte(frame + string(hj212.AppendFrame(nil, seg))))
	ev, ok := s.Next()
	if !ok || ev.Err == nil || ev.Err.Name != hj212.Malformed || ev.Err.Detail != "leading zeros dropped" {
		t.Errorf("%q: %v", frame, ev.Err)
	}
	if ev, ok = s.Next(); !ok || ev.Err != nil {
		t.Errorf("the frame behind it: %v %v", ok, ev.Err)
	}
	if d := hj212.DecodeLine([]byte(frame), hj212.DecodeOptions{}); d.Detail != "crc_missing, leading zeros dropped" {
		t.Errorf("as a line: %q", d.Detail)
	}
}

// TestScannerFalseHeads: of a chain of heads each is a candidate of thousands of
// bytes; no cause is looked for in what another head has cut short.
func TestScannerFalseHeads(t *testing.T) {
	s := hj212.NewScanner(hj212.ScanOptions{})
	s.Feed(bytes.Repeat([]byte("##8000"), 3000))
	faults := 0
	for ev, ok := s.Next(); ok; ev, ok = s.Next() {
		if ev.Err == nil || ev.Err.Name != hj212.CRCMismatch || ev.Err.Detail != "another frame begins inside it" || string(ev.Raw) != "##8000" {
			t.Fatalf("%v %.20s", ev.Err, ev.Raw)
		}
		faults++
	}
	if faults < 1600 {
		t.Errorf("%d faults", faults)
	}
}

func TestScannerIdle(t *testing.T) {
	t.Parallel()
	good := string(hj212.AppendFrame(nil, []byte("ST=32;CN=2011;PW=1;MN=M1;CP=&&a=1&&")))
	s := hj212.NewScanner(hj212.ScanOptions{})
	s.Feed([]byte("##0900QN=1;ST=32;" + good[:len(good)-2])) // the link was cut inside the first frame, then the logger began anew
	if ev, ok := s.Next(); ok {
		t.Fatalf("reported %v before the timer fired", ev.Err)
	}
	var got []string
	for ev, ok := s.Idle(); ok; ev, ok = s.Idle() {
		if ev.Err != nil {
			got = append(got, ev.Err.Name)
		} else {
			got = append(got, "frame")
		}
	}
	if diff := cmp.Diff([]string{"half_packet", "frame"}, got); diff != "" || s.Pending() {
		t.Errorf("pending %v (-want +got):\n%s", s.Pending(), diff)
	}
}

func TestScannerTolerance(t *testing.T) {
	t.Parallel()
	good := string(hj212.AppendFrame(nil, []byte("ST=32;CN=2011;PW=1;MN=M1;CP=&&a-Rtd=1&&")))
	for name, c := range map[string]struct {
		in        string
		tol       hj212.Tolerance
		tolerated string
	}{
		"length": {"##0030" + good[6:], hj212.Tolerance{BadLength: true}, hj212.LengthMismatch},
		"crc":    {good[:len(good)-6] + "1234\r\n", hj212.Tolerance{BadCRC: true}, hj212.CRCMismatch},
	} {
		for _, on := range []bool{false, true} {
			s := hj212.NewScanner(hj212.ScanOptions{Tolerate: func(mn []byte) hj212.Tolerance {
				if on && string(mn) == "M1" {
					return c.tol
				}
				return hj212.Tolerance{}
			}})
			s.Feed([]byte(c.in))
			ev, ok := s.Next()
			if !ok || (ev.Err == nil) != on || on && (ev.Tolerated != c.tolerated || string(ev.Seg) != good[6:len(good)-6]) {
				t.Errorf("%s tolerated %v: %v %v %q", name, on, ok, ev.Err, ev.Seg)
			}
		}
	}
}

func TestParseOddities(t *testing.T) {
	t.Parallel()
	var p hj212.Packet
	seg := "FLAG=5;ST=32,QN=20160801085857223;CN=3020;MN=x;CP=&& DataTime = 20160801085857 ;;i11001-Info=//a;b,c=&&d//, w01018-Rtd=-1.5,;&&"
	if err := p.Parse([]byte(seg)); err != nil {
		t.Fatal(err)
	}
	var items []string
	for _, it := range p.Items {
		items = append(items, fmt.Sprintf("%s|%s|%s", p.Bytes(it.Code), p.Bytes(it.Suffix), p.Bytes(it.Value)))
	}
	if diff := cmp.Diff([]string{"DataTime||20160801085857", "i11001|Info|//a;b,c=&&d//", "w01018|Rtd|-1.5"}, items); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
	if v, ack, split, ok := p.FlagBits(); v != hj212.V2017 || !ack || split || !ok || string(p.Bytes(p.QN)) != "20160801085857223" {
		t.Errorf("flag %v %v %v %v, QN %s", v, ack, split, ok, p.Bytes(p.QN))
	}
	at, err := p.DataTime()
	if err != nil || !at.Equal(time.Date(2016, 8, 1, 0, 58, 57, 0, time.UTC)) {
		t.Errorf("DataTime %v, %v", at, err)
	}
	for in, name := range map[string]string{"": hj212.MissingFields, "QN=1;ST=2": hj212.CPNotClosed, "ST=32;CP=&a=1&": hj212.CPNotClosed, "CP=&&a=1": hj212.CPNotClosed} {
		if err := p.Parse([]byte(in)); !errors.Is(err, &hj212.Error{Name: name}) {
			t.Errorf("%q: %v, want %s", in, err, name)
		}
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "unix"), 0).UTC()
		got, err := hj212.ParseTime(hj212.AppendTime(nil, want))
		if err != nil || !got.Equal(want) {
			t.Fatalf("%v became %v, %v", want, got, err)
		}
	})
	for _, bad := range []string{"", "2016080108585", "20161301085857", "20160230085857", "20160801245857", "2016-08-01 085", "20160801085857000"} {
		if at, err := hj212.ParseTime([]byte(bad)); err == nil {
			t.Errorf("%q was read as %v", bad, at)
		}
	}
}

func TestDecimals(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`-?[0-9]{0,12}(\.[0-9]{0,6})?`).Draw(t, "text")
		coef, scale, ok := hj212.ParseDecimal([]byte(s))
		if ok && string(hj212.AppendDecimal(nil, coef, scale)) != s {
			t.Fatalf("%q was printed as %s", s, hj212.AppendDecimal(nil, coef, scale))
		}
	})
	for s, want := range map[string]bool{"0": true, "0.00": true, "-1.50": true, "12.30": true, "007": false, "+1": false, ".5": false, "5.": false, "": false, "-": false, "1e3": false, "1,5": false, "-0.0": false, "1234567890123456789": false} {
		if _, _, ok := hj212.ParseDecimal([]byte(s)); ok != want {
			t.Errorf("%q: %v, want %v", s, ok, want)
		}
	}
}

func TestSplitAndAssemble(t *testing.T) {
	t.Parallel()
	m := hj212.Message{QN: "20160801085857223", ST: "31", CN: "2051", PW: "123456", MN: "010000A8900016F000169DC0", Flag: 5, CP: []hj212.Group{{{Name: "DataTime", Value: "20160801084000"}}}}
	for i := range 80 {
		c := fmt.Sprintf("a%05d", i)
		m.CP = append(m.CP, hj212.Group{{Name: c + "-Avg", Value: "12.5"}, {Name: c + "-Flag", Value: "N"}})
	}
	parts := m.Split(1024, func(n int) string { return fmt.Sprintf("20160801085857%03d", 300+n) })
	var a hj212.Assembler
	now := time.Unix(0, 0)
	groups := 0
	rand.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	for i := range parts {
		seg, err := parts[i].AppendSegment(nil)
		if err != nil || len(seg) > 1024 {
			t.Fatalf("part of %d bytes, %v", len(seg), err)
		}
		var p hj212.Packet
		if err := p.Parse(seg); err != nil {
			t.Fatal(err)
		}
		if at, err := p.DataTime(); err != nil || at.IsZero() {
			t.Fatalf("a part has no DataTime of its own: %s", seg)
		}
		groups += len(parts[i].CP) - 1
		pr, ok := a.Add(&p, now)
		if !ok || pr.Complete != (i == len(parts)-1) {
			t.Errorf("part %d of %d: %+v %v", i+1, len(parts), pr, ok)
		}
		if i == 0 {
			if again, _ := a.Add(&p, now); !again.Duplicate {
				t.Error("a repeat was not recognised")
			}
		}
	}
	if groups != 80 || len(parts) < 3 {
		t.Errorf("%d groups in %d parts", groups, len(parts))
	}
	seg, _ := parts[0].AppendSegment(nil)
	var p hj212.Packet
	_ = p.Parse(seg)
	if pr, _ := a.Add(&p, now); !pr.Duplicate || pr.Complete {
		t.Errorf("a repeat after the last part: %+v", pr)
	}
	if late := a.Incomplete(now.Add(time.Hour)); len(late) != 0 {
		t.Errorf("a complete message was given up: %+v", late)
	}
	a.Add(&p, now)
	if late := a.Incomplete(now.Add(99 * time.Second)); len(late) != 0 {
		t.Errorf("given up too early: %+v", late)
	}
	if late := a.Incomplete(now.Add(100 * time.Second)); len(late) != 1 || late[0].Got != 1 || late[0].Of != len(parts) {
		t.Errorf("not given up: %+v", late)
	}
}

// TestCommands makes the printed requests from their parameters.
func TestCommands(t *testing.T) {
	t.Parallel()
	at := time.Date(2016, 8, 1, 8, 58, 57, 0, hj212.Zone)
	for want, c := range map[string]hj212.Command{
		"CN=1000 OverTime=5;ReCount=3":                   hj212.SetTimeouts(5, 3),
		"CN=1011 PolId=w01018":                           hj212.GetClock("w01018"),
		"CN=1012 PolId=w01018;SystemTime=20160801085857": hj212.SetClock("w01018", at),
		"CN=1061 ":               hj212.GetRealtimeInterval(),
		"CN=1062 RtdInterval=30": hj212.SetRealtimeInterval(30),
		"CN=1063 ":               hj212.GetMinuteInterval(),
		"CN=1064 MinInterval=10": hj212.SetMinuteInterval(10),
		"CN=1072 NewPW=654321":   hj212.SetPassword(hj212.V2017, "654321"),
		"CN=1072 PW=654321":      hj212.SetPassword(hj212.V2005, "654321"),
		"CN=2051 BeginTime=20160801085857;EndTime=20160801085857": hj212.History(hj212.V2017, 2051, at, at),
		"CN=2051 BeginTime=20160801085857,EndTime=20160801085857": hj212.History(hj212.V2005, 2051, at, at),
		"CN=3011 PolId=w01018":                                 hj212.OnAnalyser(hj212.V2017, 3011, "w01018"),
		"CN=3011 PolID=101":                                    hj212.OnAnalyser(hj212.V2005, 3011, "101"),
		"CN=3020 PolId=w01018;InfoId=i12001":                   hj212.GetInfo("w01018", "i12001"),
		"CN=3021 PolId=w01018;InfoId=i13004;i13004-Info=168.0": hj212.SetParameter("w01018", "i13004", "168.0"),
	} {
		m := hj212.Peer{Version: hj212.V2017, ST: "32", PW: "123456", MN: "010000A8900016F000169DC0"}.Request(c, "20160801085857223")
		seg, err := m.AppendSegment(nil)
		if err != nil {
			t.Fatal(err)
		}
		cn, cp, _ := strings.Cut(want, " ")
		full := "QN=20160801085857223;ST=32;" + cn + ";PW=123456;MN=010000A8900016F000169DC0;Flag=5;CP=&&" + cp + "&&"
		if string(seg) != full {
			t.Errorf("\n got %s\nwant %s", seg, full)
		}
	}
}

func TestAckRules(t *testing.T) {
	t.Parallel()
	for seg, want := range map[string]string{
		"QN=1;ST=31;CN=2011;PW=p;MN=m;Flag=5;CP=&&&&":              "QN=1;ST=91;CN=9014;PW=p;MN=m;Flag=4;CP=&&&&",
		"QN=1;ST=31;CN=2011;PW=p;MN=m;Flag=9;CP=&&&&":              "QN=1;ST=91;CN=9014;PW=p;MN=m;Flag=8;CP=&&&&",
		"QN=1;ST=31;CN=2011;PW=p;MN=m;Flag=4;CP=&&&&":              "",
		"QN=1;ST=31;CN=2011;PW=p;MN=m;CP=&&&&":                     "",
		"ST=31;CN=2011;PW=p;MN=m;Flag=5;CP=&&&&":                   "",
		"QN=1;ST=91;CN=9011;PW=p;MN=m;Flag=5;CP=&&QnRtn=1&&":       "",
		"QN=1;ST=21;CN=9015;PW=p;MN=m;Flag=9;CP=&&&&":              "QN=1;ST=91;CN=9013;PW=p;MN=m;Flag=8;CP=&&&&",
		"QN=1;ST=21;CN=9021;PW=p;MN=m;Flag=5;CP=&&&&":              "QN=1;ST=91;CN=9014;PW=p;MN=m;Flag=4;CP=&&&&",
		"QN=1;ST=21;CN=3999;PW=p;MN=m;Flag=5;CP=&&&&":              "QN=1;ST=91;CN=9014;PW=p;MN=m;Flag=4;CP=&&&&",
		"QN=1;ST=21;CN=1999;PW=p;MN=m;Flag=5;CP=&&&&":              "QN=1;ST=91;CN=9013;PW=p;MN=m;Flag=4;CP=&&&&",
		"QN=1;ST=21;CN=8013;PW=p;MN=m;Flag=5;CP=&&&&":              "",
		"QN=1;ST=32;CN=2051;PW=p;MN=m;Flag=1;CP=&&&&":              "ST=91;CN=9014;CP=&&QN=1;CN=2051&&",
		"QN=1;ST=32;CN=2051;PW=p;MN=m;Flag=3;PNUM=2;PNO=1;CP=&&&&": "ST=91;CN=9014;CP=&&QN=1;CN=2051;PNO=1;PNUM=2;&&",
		"QN=1;ST=32;CN=2072;PW=p;MN=m;CP=&&&&":                     "ST=91;CN=9013;PW=p;MN=m;CP=&&QN=1&&",
		"ST=32;CN=2072;PW=p;MN=m;CP=&&&&":                          "",
		"QN=1;ST=32;CN=1001;PW=;MN=;Flag=9;CP=&&i23005-Info=x&&":   "QN=1;ST=91;CN=9013;PW=;MN=;Flag=8;CP=&&&&",
		"QN=1;ST=32;CN=2072;PW=p;MN=m;Flag=1;CP=&&&&":              "ST=91;CN=9013;PW=p;MN=m;CP=&&QN=1&&",
	} {
		var p hj212.Packet
		if err := p.Parse([]byte(seg)); err != nil {
			t.Fatal(err)
		}
		frame, ok := hj212.AppendAck(nil, &p)
		got := ""
		if ok {
			s, err := hj212.Segment(frame)
			if err != nil {
				t.Fatal(err)
			}
			got = string(s)
		}
		if got != want {
			t.Errorf("%s\n got %q\nwant %q", seg, got, want)
		}
	}
}

func TestFactors(t *testing.T) {
	t.Parallel()
	for code, name := range map[string]string{
		"w01018": "化学需氧量", "011": "化学需氧量(CODcr)", "a21026": "二氧化硫", "e10102": "进水口流量",
		"i33315": "炉膛内上部焚烧温度", "I33400": "生产负荷",
	} {
		f, ok := hj212.LookupFactor(code)
		if !ok || f.NameZh != name {
			t.Errorf("%s: %v %q, want %q", code, ok, f.NameZh, name)
		}
	}
	if n := len(hj212.Factors()); n < 400 {
		t.Errorf("only %d factors", n)
	}
	if dust, ph := mustFactor(t, "01"), mustFactor(t, "001"); dust.Code == ph.Code {
		t.Error("01 (dust) and 001 (pH) are the same")
	}
}

func mustFactor(t *testing.T, code string) hj212.Factor {
	t.Helper()
	f, ok := hj212.LookupFactor(code)
	if !ok {
		t.Fatalf("no factor %s", code)
	}
	return f
}

func TestText(t *testing.T) {
	t.Parallel()
	gbk := []byte{0xB8, 0xDF, 0xD4, 0xAD} // 高原
	for in, want := range map[string]string{"高原": "高原", string(gbk): "高原", "abc": "abc"} {
		if got, ok := hj212.TextOK([]byte(in)); !ok || got != want {
			t.Errorf("%x: %q %v", in, got, ok)
		}
	}
	for _, in := range []string{"\xE4\x3E\x15\x9A\xCF\x01", "a\x80", "\xB8\xDF\x80\xB0\xB1", "\xFF\xFF", "\xB8"} { // 0x80 begins no character of GBK
		if s, ok := hj212.TextOK([]byte(in)); ok {
			t.Errorf("%x was read as %q", in, s)
		}
	}
	if s, ok := hj212.TextOK([]byte("\xA2\xE3\x81\x80")); !ok || s != "€亐" {
		t.Errorf("0x80 as a second byte: %q %v", s, ok)
	}
}

// message draws a message as a logger might send it.
func message(t *rapid.T) hj212.Message {
	id := rapid.StringMatching(`[A-Za-z0-9_]{1,10}`)
	m := hj212.Message{
		QN: rapid.StringMatching(`[0-9]{17}`).Draw(t, "qn"), ST: rapid.SampledFrom([]string{"21", "31", "32", "91"}).Draw(t, "st"),
		CN: rapid.SampledFrom([]string{"2011", "2051", "2061", "3020"}).Draw(t, "cn"), PW: id.Draw(t, "pw"), MN: id.Draw(t, "mn"),
		Flag: rapid.IntRange(-1, 11).Draw(t, "flag"), RF: rapid.Bool().Draw(t, "rf"),
		Order2005: rapid.Bool().Draw(t, "order"),
	}
	if rapid.Bool().Draw(t, "split") {
		m.PNUM, m.PNO = rapid.IntRange(1, 9).Draw(t, "pnum"), rapid.IntRange(1, 9).Draw(t, "pno")
	}
	value := rapid.OneOf(rapid.StringMatching(`-?[0-9]{1,5}(\.[0-9]{1,3})?`), rapid.StringMatching(`//[a-z;,=& ]{0,12}[a-z]//`), rapid.Just("高原"), rapid.Just(""))
	for range rapid.IntRange(0, 6).Draw(t, "groups") {
		var g hj212.Group
		for range rapid.IntRange(1, 4).Draw(t, "items") {
			name := id.Draw(t, "code")
			if rapid.Bool().Draw(t, "factor") {
				name += "-" + id.Draw(t, "suffix")
			}
			g = append(g, hj212.KV{Name: name, Value: value.Draw(t, "value")})
		}
		m.CP = append(m.CP, g)
	}
	return m
}

// TestRoundTrip: decode ∘ encode is the identity.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, roundTrip)
}

func roundTrip(t *rapid.T) {
	m := message(t)
	frame, err := m.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	r := hj212.ScanAll(frame, hj212.ScanOptions{})
	if len(r.Frames) != 1 || len(r.Errors) != 0 || r.Pending {
		t.Fatalf("%q scanned to %+v", frame, r)
	}
	seg, err := hj212.Segment(r.Frames[0])
	if err != nil {
		t.Fatal(err)
	}
	var p hj212.Packet
	if err := p.Parse(seg); err != nil {
		t.Fatal(err)
	}
	got := hj212.MessageOf(&p)
	got.Order2005 = m.Order2005
	if diff := cmp.Diff(m, got); diff != "" {
		t.Fatalf("%q (-sent +read):\n%s", frame, diff)
	}
}

func FuzzRoundTrip(f *testing.F) {
	f.Add(make([]byte, 1024))
	f.Add(bytes.Repeat([]byte{1, 200, 31, 7, 254}, 400))
	f.Fuzz(rapid.MakeFuzz(roundTrip))
}

func FuzzScanner(f *testing.F) {
	good := hj212.AppendFrame(nil, []byte("QN=20160801085857223;ST=32;CN=2011;PW=1;MN=M1;Flag=5;CP=&&DataTime=20160801085857;a-Rtd=1&&"))
	f.Add([]byte("##0010abc"), uint16(3))
	f.Add(append(bytes.Clone(good), good...), uint16(50))
	f.Add([]byte("##0030"+string(good[6:])+"GET /\r\n##0000FFFF##9999"), uint16(9))
	f.Add([]byte("##0012aa&&1C80##0001"), uint16(12))
	f.Fuzz(func(t *testing.T, raw []byte, cut uint16) {
		want := scanPlainly(raw, 200)
		cuts := []int{1 + int(cut%97), 1 + int(cut/97)}
		if diff := cmp.Diff(want, scanInPieces(raw, 200, cuts)); diff != "" {
			t.Fatalf("%q in pieces of %v (-plain +scanner):\n%s", raw, cuts, diff)
		}
		s := hj212.NewScanner(hj212.ScanOptions{Limit: 200, Keys: func([]byte) [][]byte { return [][]byte{make([]byte, 16)} }})
		s.Feed(raw)
		for _, ok := s.Next(); ok; _, ok = s.Next() {
			continue
		}
		if s.Buffered() > 6+200+10+6 {
			t.Fatalf("%d bytes wait for more", s.Buffered())
		}
		for _, ok := s.Idle(); ok; _, ok = s.Idle() {
			continue
		}
		if s.Pending() {
			t.Fatalf("%d bytes stay after the timer fired", s.Buffered())
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("QN=1;ST=32;CN=2011;CP=&&DataTime=20160801085857;w01018-Rtd=1.0,w01018-Flag=N&&"))
	f.Add([]byte("CP=&&-=;,=//a;//&&"))
	f.Add([]byte(",;=;CP=&&=1,a-=2,-b=3&&x&&"))
	f.Fuzz(func(t *testing.T, seg []byte) {
		checkItems(t, seg)
		hj212.DecodeLine(hj212.AppendFrame(nil, seg), hj212.DecodeOptions{})
	})
}

func FuzzDecodeLine(f *testing.F) {
	f.Add([]byte("##0022QN=1;CN=1;CP=&&a=1&&ABCD"))
	f.Add([]byte("##12;x;1234"))
	f.Fuzz(func(t *testing.T, line []byte) {
		d := hj212.DecodeLine(line, hj212.DecodeOptions{Key: make([]byte, 16)})
		if d.Valid == (len(d.Reasons) > 0) {
			t.Fatalf("valid %v with reasons %v", d.Valid, d.Reasons)
		}
	})
}
