package hj212

import (
	"bytes"
	"strings"
	"testing"
)

const forwardSeg = "QN=20160801085857223;ST=32;CN=2011;PW=100000;MN=010000A8900016F000169DC0;Flag=5;CP=&&DataTime=20160801085857;w01018-Rtd=1.20,w01018-Flag=N&&"

func TestAppendForward(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, seg string
		f         Forward
		want      string // "" = refused
	}{
		{"as it came", forwardSeg, Forward{}, forwardSeg},
		{
			"another name", forwardSeg,
			Forward{MN: "88888880000001", ST: "31", PW: "654321", QN: "20200101000000000", Ack: true},
			"QN=20160801085857223;ST=31;CN=2011;PW=654321;MN=88888880000001;Flag=5;CP=&&DataTime=20160801085857;w01018-Rtd=1.20,w01018-Flag=N&&",
		},
		{
			"acknowledged from now on, another version", strings.Replace(forwardSeg, "Flag=5", "Flag=6;PNUM=2;PNO=1", 1),
			Forward{Ack: true, Version: V2025, Convert: true},
			"QN=20160801085857223;ST=32;CN=2011;PW=100000;MN=010000A8900016F000169DC0;Flag=11;PNUM=2;PNO=1;CP=&&DataTime=20160801085857;w01018-Rtd=1.20,w01018-Flag=N&&",
		},
		{
			"2005 without QN, PW and Flag", "ST=32;CN=2011;MN=88888880000001;CP=&&DataTime=20040516021400;001-Rtd=7&&",
			Forward{MN: "A1", PW: "1", QN: "20040516021401000", Ack: true},
			"QN=20040516021401000;ST=32;CN=2011;MN=A1;PW=1;Flag=1;CP=&&DataTime=20040516021400;001-Rtd=7&&",
		},
		{
			"empty fields have their place", "QN=;ST=32;CN=2011;PW=;MN=A;Flag=;CP=&&a-Rtd=1&&",
			Forward{PW: "1", QN: "20040516021401000", Ack: true},
			"QN=20040516021401000;ST=32;CN=2011;PW=1;MN=A;Flag=1;CP=&&a-Rtd=1&&",
		},
		{"a number inside CP is enough", "ST=32;CN=1011;MN=A;CP=&&QN=1;SystemTime=20040516021400&&", Forward{QN: "2"}, "ST=32;CN=1011;MN=A;CP=&&QN=1;SystemTime=20040516021400&&"},
		{"no MN", "ST=32;CN=2011;CP=&&&&", Forward{MN: "A"}, ""},
		{"a separator", forwardSeg, Forward{PW: "1;MN=2"}, ""},
		{"a line end", forwardSeg, Forward{MN: "1\r"}, ""},
		{"too long", "MN=A;CP=&&a=" + strings.Repeat("1", 9985) + "&&", Forward{MN: "AAAAAAAA"}, ""},
	} {
		var p Packet
		if err := p.Parse([]byte(tt.seg)); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		got, err := AppendForward([]byte("before"), &p, tt.f, nil)
		if tt.want == "" {
			if err == nil || string(got) != "before" {
				t.Errorf("%s: %s, %v", tt.name, got, err)
			}
			continue
		}
		if want := "before" + string(AppendFrame(nil, []byte(tt.want))); err != nil || string(got) != want {
			t.Errorf("%s: %v\n got %s\nwant %s", tt.name, err, got, want)
		}
	}
}

// TestForwardEncrypted: what HJ 212-2025 encrypts is encrypted, a heartbeat not.
func TestForwardEncrypted(t *testing.T) {
	t.Parallel()
	key := []byte("0123456789ABCDEF")
	for cn, encrypted := range map[string]bool{"2011": true, "9015": false, "3020": true, "3019": false} {
		var p Packet
		if err := p.Parse([]byte(strings.Replace(forwardSeg, "CN=2011", "CN="+cn, 1))); err != nil {
			t.Fatal(err)
		}
		got, err := AppendForward(nil, &p, Forward{MN: "A"}, key)
		if err != nil {
			t.Fatal(err)
		}
		s := NewScanner(ScanOptions{Keys: func([]byte) [][]byte { return [][]byte{key} }})
		s.Feed(got)
		ev, ok := s.Next()
		if !ok || ev.Err != nil || ev.Encrypted != encrypted || !bytes.Contains(ev.Seg, []byte("MN=A;")) || !bytes.Contains(ev.Seg, []byte("w01018-Rtd=1.20")) {
			t.Errorf("%s: %+v", cn, ev)
		}
	}
}

// FuzzForward: what goes on is a frame whose CP is that of the logger.
func FuzzForward(f *testing.F) {
	f.Add([]byte(forwardSeg), "A", "31", "1")
	f.Add([]byte("ST=32;CN=2011;CP=&&DataTime=20040516021400,001-Rtd=7&&"), "", "", "")
	f.Add([]byte("QN=1,MN=2;CP=&&a=//x;y//&&"), "B", "", "2")
	f.Fuzz(func(t *testing.T, seg []byte, mn, st, pw string) {
		var p, again Packet
		if p.Parse(seg) != nil {
			return
		}
		frame, err := AppendForward(nil, &p, Forward{MN: mn, ST: st, PW: pw, QN: "20200101000000000", Ack: true}, nil)
		if err != nil {
			return
		}
		got, err := Segment(frame)
		if err != nil {
			t.Fatalf("%q: %v", frame, err)
		}
		if err := again.Parse(got); err != nil {
			t.Fatalf("%q: %v", got, err)
		}
		if !bytes.Equal(p.Bytes(p.CP), again.Bytes(again.CP)) {
			t.Errorf("%q became %q", p.Bytes(p.CP), again.Bytes(again.CP))
		}
		if mn != "" && string(again.Bytes(again.MN)) != mn {
			t.Errorf("MN %q in %q", again.Bytes(again.MN), got)
		}
	})
}
