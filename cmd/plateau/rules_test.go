package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"plateau/internal/testkit"
)

// evalWith runs plateau rules eval and returns what it printed.
func evalWith(in string, args ...string) (code int, out, errOut string) {
	var o, e bytes.Buffer
	code = cmdRules(append([]string{"eval"}, args...), stdio{In: strings.NewReader(in), Out: &o, Err: &e})
	return code, o.String(), e.String()
}

const foldLine = `{"id":"f","rule":"cems.fold_o2","input":{"conc":28,"o2_pct":8.5,"ref_o2_pct":6}}`

func TestRulesEval(t *testing.T) {
	t.Parallel()
	code, out, errOut := evalWith(foldLine + "\r\n\n  \nhello\n" + `{"id":2,"rule":"cems.fold_o2","input":{"o2_pct":8.5}}` + "\n" + foldLine)
	want := `{"id":"f","result":{"folded":33.6,"status":"ok"}}
{"id":null,"error":"the line is not a JSON object: invalid character 'h' looking for beginning of value, at byte 1"}
{"id":2,"error":"conc: missing; expected a number"}
{"id":"f","result":{"folded":33.6,"status":"ok"}}
`
	if code != 1 || out != want || !strings.Contains(errOut, "2 of 4 lines could not be answered") {
		t.Errorf("exit %d, %s\n%s", code, errOut, out)
	}
	if code, out, errOut := evalWith(foldLine); code != 0 || errOut != "" || strings.Count(out, "\n") != 1 {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
	if code, out, errOut := evalWith("\n"); code != 0 || out != "" || errOut != "" {
		t.Errorf("nothing asked: exit %d: %s%s", code, out, errOut)
	}
}

func TestRulesEvalDate(t *testing.T) {
	t.Parallel()
	const line = `{"id":1,"rule":"air.iaqi","input":{"item":"SO2_1h","conc":900}}`
	for date, want := range map[string]string{"2026-02-28": "null", "2026-03-01": "200"} {
		if code, out, _ := evalWith(line, "--date", date); code != 0 || out != `{"id":1,"result":{"iaqi":`+want+"}}\n" {
			t.Errorf("%s: exit %d: %s", date, code, out)
		}
	}
}

// TestRulesEvalLong: a line may hold years of hours.
func TestRulesEvalLong(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(`{"id":1,"rule":"cems.substitute_rate","input":{"kind":"other","alpha_pct":95,"consecutive_h":3,"anchor_h":100000,"history":[`)
	for h := range 100_000 {
		if h > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"h":%d,"valid":true,"kg_h":%d}`, h, 100_000-h)
	}
	b.WriteString("]}}\n")
	if code, out, errOut := evalWith(b.String() + foldLine); code != 0 || !strings.HasPrefix(out, `{"id":1,"result":{"window":180,"value":180,"status":"ok"}}`) || strings.Count(out, "\n") != 2 {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
}

// TestRulesEvalStreams: a line is answered when it is there, not when the input
// ends, also when the next one has begun.
func TestRulesEvalStreams(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in, feed := io.Pipe()
		answers, out := io.Pipe()
		done := make(chan int, 1)
		go func() {
			done <- cmdRules([]string{"eval", "--date", "2026-11-24"}, stdio{In: in, Out: out, Err: io.Discard})
			_ = out.Close()
		}()
		go func() {
			for range 3 {
				_, _ = io.WriteString(feed, foldLine+"\n"+foldLine[:20])
				time.Sleep(time.Hour)
				_, _ = io.WriteString(feed, foldLine[20:]+"\n")
			}
			_ = feed.Close()
		}()
		start := time.Now()
		sc := bufio.NewScanner(answers)
		for n := 0; sc.Scan(); n++ {
			if waited, want := time.Since(start), time.Duration((n+1)/2)*time.Hour; waited != want {
				t.Errorf("answer %d came after %v, want %v", n+1, waited, want)
			}
		}
		if code := <-done; code != 0 {
			t.Errorf("exit %d", code)
		}
	})
}

func rulesWith(args ...string) (code int, out, errOut string) {
	var o, e bytes.Buffer
	code = cmdRules(args, stdio{In: strings.NewReader(""), Out: &o, Err: &e})
	return code, o.String(), e.String()
}

func TestRulesCommands(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "cems.day_mean.toml"), []byte("id = 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"list", "--date", "2025-01-01"}, 0, "air.iaqi                  v1       2016-01-01  2026-03-01  certain"},
		{[]string{"show", "cems.day_mean"}, 0, "min_valid_hours  20 h"},
		{[]string{"show", "air.iaqi", "--date", "2020-01-01"}, 0, "HJ 633-2012 table 1"},
		{[]string{"show", "air.iaqi", "--date", "2000-01-01"}, 1, "is not in force on 2000-01-01; its first version is from 2016-01-01"},
		{[]string{"show", "nothing"}, 1, `no rule "nothing"`},
		{[]string{"show"}, 2, "something is missing"},
		{[]string{"diff", "air.iaqi"}, 0, "breakpoints/PM2.5_24h  0, 35, 75"},
		{[]string{"diff", "air.iaqi", "2", "1"}, 0, "v2 from 2026-03-01"},
		{[]string{"diff", "air.iaqi", "1", "9"}, 1, `air.iaqi has no version "9"`},
		{[]string{"diff", "air.iaqi", "1", "2", "3"}, 2, `unexpected "3"`},
		{[]string{"check", filepath.Join(testkit.Root(), "rules")}, 0, "worked cases agree"},
		{[]string{"check", folder}, 1, "cems.day_mean.toml:1: "},
		{[]string{"check", filepath.Join(folder, "none")}, 1, "is no folder"},
	} {
		code, out, errOut := rulesWith(c.args...)
		if code != c.code || !strings.Contains(out+errOut, c.want) {
			t.Errorf("%v: exit %d, want %d\n%s%s\nwant %s", c.args, code, c.code, out, errOut, c.want)
		}
	}
}
