package devicecheck

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"plateau/hj212"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/simulator"
)

// check runs the sample logger against the host, its frames changed by mutate
// on their way (nil: not at all; an empty result drops the frame).
func check(t *testing.T, mutate func(seg string) string) Report {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	to := l.Addr().String()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
	defer cancel()
	if mutate != nil {
		to = proxy(ctx, t, to, mutate)
	}
	w, err := simulator.NewWorld(simulator.WorldOptions{Calm: true})
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for w.Plants[i].Version != 2017 || w.Plants[i].Quirk != "" || w.Plants[i].Outlet.Medium != telemetry.Gas {
		i++
	}
	lg := w.Logger(i, simulator.LoggerOptions{Addr: to, Now: time.Now, Realtime: time.Second, OverTime: time.Second}, &simulator.Stats{})
	done := make(chan struct{})
	go func() { _ = lg.Run(ctx); close(done) }()
	overTime := time.Second
	if mutate == nil {
		overTime = 5 * time.Second // nothing is to be late: a busy machine is no fault of the logger
	}
	rep, err := Run(ctx, Options{Listener: l, For: 20 * time.Second, Wait: 10 * time.Second, OverTime: overTime, ReCount: 2, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	<-done
	return rep
}

// proxy stands between logger and host and changes what the logger sends.
func proxy(ctx context.Context, t *testing.T, to string, mutate func(string) string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	context.AfterFunc(ctx, func() { _ = l.Close() })
	var one sync.Mutex // mutate remembers
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			context.AfterFunc(ctx, func() { _, _ = in.Close(), out.Close() })
			go func() { _, _ = io.Copy(in, out) }()
			go func() { // a logger that dials again has two of these for a moment
				r := bufio.NewReader(in)
				for {
					line, err := r.ReadBytes('\n')
					if err != nil {
						return
					}
					seg, err := hj212.Segment(bytes.TrimSpace(line))
					if err != nil {
						continue
					}
					one.Lock()
					s := mutate(string(seg))
					one.Unlock()
					switch {
					case s == "":
					case strings.HasPrefix(s, "RAW"):
						_, _ = out.Write([]byte(s[3:] + "\r\n"))
					default:
						_, _ = out.Write(hj212.AppendFrame(nil, []byte(s)))
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

func TestSampleLoggerHolds(t *testing.T) {
	t.Parallel()
	rep := check(t, nil)
	for _, c := range rep.Clauses {
		if c.Status == Failed {
			t.Errorf("%s: %s: %s", c.ID, c.Detail, c.Frame)
		}
		if strings.Contains(c.Frame, "PW=1") {
			t.Errorf("%s shows a password", c.ID)
		}
	}
	if rep.Held < 20 {
		t.Errorf("only %d clauses held: %+v", rep.Held, rep.Clauses)
	}
}

// TestFaultsAreFound: each fault of a device is found under its clause.
func TestFaultsAreFound(t *testing.T) {
	t.Parallel()
	data := func(s string) bool { return strings.Contains(s, ";CN=2011;") }
	sent := map[string]bool{}
	for name, tc := range map[string]struct {
		clause string
		mutate func(string) string
	}{
		"wrong CRC": {"crc", func(s string) string {
			if data(s) {
				f := strings.TrimSpace(string(hj212.AppendFrame(nil, []byte(s))))
				return "RAW" + f[:len(f)-4] + "BAD1"
			}
			return s
		}},
		"another version": {"flag", func(s string) string {
			if strings.Contains(s, "CN=9012") {
				return strings.Replace(s, "Flag=4", "Flag=8", 1)
			}
			return s
		}},
		"unknown codes":  {"codes", func(s string) string { return strings.ReplaceAll(s, "a21026-", "q99999-") }},
		"no 9011":        {"cn1011", func(s string) string { return drop(s, "CN=9011") }},
		"no 9012":        {"cn1011", func(s string) string { return drop(s, "CN=9012") }},
		"no 9013":        {"cn2012", func(s string) string { return drop(s, "CN=9013") }},
		"takes anything": {"unknown", func(s string) string { return strings.Replace(s, "QnRtn=8", "QnRtn=1", 1) }},
		"any password":   {"password", func(s string) string { return strings.Replace(s, "QnRtn=3", "QnRtn=1", 1) }},
		"never again": {"resend", func(s string) string {
			if data(s) {
				if sent[s] {
					return ""
				}
				sent[s] = true
			}
			return s
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rep := check(t, tc.mutate)
			for _, c := range rep.Clauses {
				if c.ID == tc.clause && c.Status != Failed {
					t.Errorf("%s is %s", c.ID, c.Status)
				}
			}
		})
	}
}

func drop(s, part string) string {
	if strings.Contains(s, part) {
		return ""
	}
	return s
}
