package hj212_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plateau/hj212"
	"plateau/internal/testkit"
)

// The functions of this file say the same as the package in the plainest way,
// over a whole input and without care for speed. They are what the fast code
// is compared with.

var (
	headPattern = regexp.MustCompile(`##[0-9]{4}`)
	hexPattern  = regexp.MustCompile(`^[0-9A-Fa-f]{4}$`)
)

// scanPlainly is the framing algorithm over a stream that has ended.
func scanPlainly(b []byte, limit int) hj212.StreamResult {
	r := hj212.StreamResult{Frames: []hj212.FrameText{}, Errors: []string{}}
	inNoise, silent := false, false
	noise := func() {
		if !inNoise && !silent {
			r.Errors = append(r.Errors, hj212.Noise)
			inNoise = true
		}
		b = b[1:]
	}
	fault := func(name string, consume int, quiet bool) {
		r.Errors = append(r.Errors, name)
		b, inNoise, silent = b[consume:], false, quiet
	}
	crcFits := func(seg, c []byte) bool {
		return hexPattern.Match(c) && strings.EqualFold(string(c), fmt.Sprintf("%04X", plainCRC(seg)))
	}
	for len(b) > 0 {
		switch {
		case !bytes.HasPrefix(b, []byte("##")):
			if len(b) == 1 && b[0] == '#' {
				r.Pending = true
				return r
			}
			if strings.ContainsRune("\r\n\x00 ", rune(b[0])) {
				b = b[1:]
			} else {
				noise()
			}
			continue
		case len(b) < 6:
			r.Pending = true
			return r
		}
		silent = false
		if !headPattern.Match(b[:6]) {
			noise()
			continue
		}
		n, _ := strconv.Atoi(string(b[2:6])) // the pattern has digits only
		need := 6 + n + 4
		if n == 0 {
			if len(b) < 10 || !hexPattern.Match(b[6:10]) {
				need = 6
			}
			fault(hj212.MissingFields, need, false)
			continue
		}
		if n > limit {
			fault(hj212.Malformed, 1, false)
			continue
		}
		if len(b) < need {
			r.Pending = true
			return r
		}
		c := b[6+n : need]
		if crcFits(b[6:6+n], c) {
			r.Frames = append(r.Frames, b[:need])
			b, inNoise = b[need:], false
			continue
		}
		ended := len(b) == need || strings.ContainsRune("\r\n#", rune(b[need]))
		region := b[:min(len(b), 6+limit+10)]
		if hexPattern.Match(c) && ended {
			region = b[:need]
		}
		head := 0
		if at := headPattern.FindIndex(region[2:]); at != nil {
			head = 2 + at[0]
			region = region[:head+2]
		}
		if end := trueEndPlainly(region, crcFits); end > 0 {
			fault(hj212.LengthMismatch, end, false)
			continue
		}
		name := hj212.Malformed
		if hexPattern.Match(c) && (ended || bytes.HasSuffix(b[:6+n], []byte("&&"))) {
			name = hj212.CRCMismatch
		}
		switch {
		case head > 0 && head+6 <= need:
			fault(name, head, false)
		case hexPattern.Match(c) && (len(b) == need || b[need] == '\r' || b[need] == '\n'):
			fault(name, need, false)
		default:
			fault(name, 2, true)
		}
	}
	return r
}

func trueEndPlainly(region []byte, crcFits func(seg, c []byte) bool) int {
	for end := 12; end <= len(region); end++ {
		if string(region[end-6:end-4]) != "&&" || !crcFits(region[6:end-4], region[end-4:end]) {
			continue
		}
		rest := region[end:]
		if len(rest) == 0 || rest[0] == '\r' || rest[0] == '\n' || bytes.HasPrefix(rest, []byte("##")) {
			return end
		}
	}
	return 0
}

// damagedStream draws frames, damaged frames and what else comes over a line.
func damagedStream(t *rapid.T) []byte {
	var b []byte
	for range rapid.IntRange(1, 6).Draw(t, "pieces") {
		m := hj212.Message{ST: "32", CN: "2011", MN: "M1", Flag: 5, CP: []hj212.Group{{{Name: "a-Rtd", Value: rapid.StringMatching(`[0-9#&]{0,30}[0-9]`).Draw(t, "value")}}}}
		frame, err := m.AppendTo(nil)
		if err != nil {
			frame = hj212.AppendFrame(nil, []byte("ST=32;CP=&&"))
		}
		frame = frame[:len(frame)-rapid.IntRange(0, 2).Draw(t, "line end")]
		switch rapid.IntRange(0, 5).Draw(t, "damage") {
		case 0:
			i := rapid.IntRange(0, len(frame)-1).Draw(t, "at")
			frame[i] = rapid.SampledFrom([]byte("#&0179aF;\r\n\x00 x\xE4")).Draw(t, "byte")
		case 1:
			i := rapid.IntRange(0, len(frame)-1).Draw(t, "at")
			frame = append(frame[:i], frame[min(len(frame), i+rapid.IntRange(1, 9).Draw(t, "lost")):]...)
		case 2:
			copy(frame[2:6], rapid.StringMatching(`0[01][0-9]{2}`).Draw(t, "length"))
		case 3:
			frame = []byte(rapid.SampledFrom([]string{"##", "#", "###", "##0000", "##0000FFFF", "##0010", "##9999", "AT\r\nOK\r\n", "&&", "&&12AB", "\r\n", "GET / HTTP/1.1\r\n\r\n", "##0004&&&&", "x"}).Draw(t, "piece"))
		}
		b = append(b, frame...)
	}
	return b
}

// TestScannerEqualsAlgorithm compares the scanner, fed in arbitrary pieces,
// with the algorithm as it is written down.
func TestScannerEqualsAlgorithm(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		raw := damagedStream(t)
		limit := rapid.SampledFrom([]int{20, 60, 8192}).Draw(t, "limit")
		want := scanPlainly(raw, limit)
		cuts := rapid.SliceOfN(rapid.IntRange(1, 40), 1, 8).Draw(t, "cuts")
		if diff := differences(want, scanInPieces(raw, limit, cuts)); diff != "" {
			t.Fatalf("%q, limit %d, cuts %v (-plain +scanner):\n%s", raw, limit, cuts, diff)
		}
	})
}

// TestScannerEqualsAlgorithmMore does the same many times with cheap random
// streams made of the pieces that matter.
func TestScannerEqualsAlgorithmMore(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	good := hj212.AppendFrame(nil, []byte("CP=&&a=1&&"))
	pieces := [][]byte{good, good[:len(good)-2], good[6:], good[:9], []byte("##0010"), []byte("##0011"), []byte("##0021"), []byte("#"), []byte("&&"), []byte("&&12AB"), []byte("12AB"), []byte("\r\n"), []byte("x"), []byte(" "), []byte("##0000"), []byte("FFFF")}
	n := 200_000
	if testing.Short() || testkit.Race { // which has nothing to see here: nothing runs side by side
		n = 10_000
	}
	for range n {
		var raw []byte
		for range 1 + r.IntN(7) {
			raw = append(raw, pieces[r.IntN(len(pieces))]...)
		}
		limit := []int{10, 25, 8192}[r.IntN(3)]
		want := scanPlainly(raw, limit)
		cuts := []int{1 + r.IntN(12), 1 + r.IntN(12), 1 + r.IntN(12)}
		if diff := differences(want, scanInPieces(raw, limit, cuts)); diff != "" {
			t.Fatalf("%q, limit %d, cuts %v (-plain +scanner):\n%s", raw, limit, cuts, diff)
		}
	}
}

// differences is cmp.Diff, which is not asked where nothing differs: it is many
// times dearer, and these tests compare hundreds of thousands of times.
func differences(want, got any) string {
	if reflect.DeepEqual(want, got) {
		return ""
	}
	return cmp.Diff(want, got)
}

// scanInPieces feeds raw in pieces of the given sizes, over and over.
func scanInPieces(raw []byte, limit int, sizes []int) hj212.StreamResult {
	s := hj212.NewScanner(hj212.ScanOptions{Limit: limit})
	r := hj212.StreamResult{Frames: []hj212.FrameText{}, Errors: []string{}}
	take := func(ev hj212.Event) {
		if ev.Err != nil {
			r.Errors = append(r.Errors, ev.Err.Name)
		} else {
			r.Frames = append(r.Frames, bytes.Clone(ev.Raw))
		}
	}
	for i := 0; len(raw) > 0; i++ {
		n := min(len(raw), sizes[i%len(sizes)])
		s.Feed(raw[:n])
		raw = raw[n:]
		for ev, ok := s.Next(); ok; ev, ok = s.Next() {
			take(ev)
		}
	}
	for ev, ok := s.Finish(); ok; ev, ok = s.Finish() {
		take(ev)
	}
	r.Pending = s.Pending()
	return r
}

// itemsPlainly splits a CP at separators: name and suffix at the last '-',
// value at the first '='. What stands in //…// is hidden behind 'x' first.
func itemsPlainly(cp string) (items []string) {
	hidden := []byte(cp)
	for i := 0; i < len(cp); i++ {
		if !strings.HasPrefix(cp[i:], "//") {
			continue
		}
		if n := strings.Index(cp[i+2:], "//"); n >= 0 {
			for k := i; k < i+2+n+2; k++ {
				hidden[k] = 'x'
			}
			i += 2 + n + 1
		}
	}
	group, start := 0, 0
	for i := 0; i <= len(cp); i++ {
		if i < len(cp) && hidden[i] != ',' && hidden[i] != ';' {
			continue
		}
		text, shape := cp[start:i], string(hidden[start:i])
		start = i + 1
		if strings.TrimFunc(text, blank) != "" {
			name, value := text, ""
			if eq := strings.IndexByte(shape, '='); eq >= 0 {
				name, value, shape = text[:eq], text[eq+1:], shape[:eq]
			}
			code, suffix, dashed := name, "", false
			if d := strings.LastIndexByte(shape, '-'); d >= 0 {
				code, suffix, dashed = name[:d], name[d+1:], true
			}
			code = strings.TrimLeftFunc(code, blank)
			suffix = strings.TrimRightFunc(suffix, blank)
			if !dashed {
				code = strings.TrimRightFunc(code, blank)
			}
			items = append(items, fmt.Sprintf("%d|%s|%v|%s|%s", group, code, dashed, suffix, strings.TrimFunc(value, blank)))
		}
		if i < len(cp) && hidden[i] == ';' {
			group++
		}
	}
	return items
}

func blank(r rune) bool { return strings.ContainsRune(" \t\r\n", r) }

// checkItems compares Parse with itemsPlainly.
func checkItems(tb testing.TB, seg []byte) {
	tb.Helper()
	var p hj212.Packet
	if p.Parse(seg) != nil {
		return
	}
	var got []string
	for _, it := range p.Items {
		got = append(got, fmt.Sprintf("%d|%s|%v|%s|%s", it.Group, p.Bytes(it.Code), it.Suffix.Off > 0, p.Bytes(it.Suffix), p.Bytes(it.Value)))
	}
	if diff := differences(itemsPlainly(string(p.Bytes(p.CP))), got); diff != "" {
		tb.Fatalf("%q (-plain +parsed):\n%s", seg, diff)
	}
}

// TestParseEqualsGrammar compares the parser with the grammar of CP.
func TestParseEqualsGrammar(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	pieces := []string{"=", "-", ",", ";", "/", "//", " ", "a", "DataTime", "w01018-Rtd=1.50", "12345678", "\xB8\xDF", "&", "\x00", "i11001-Info=//a,b//"}
	n := 200_000
	if testing.Short() || testkit.Race { // which has nothing to see here: nothing runs side by side
		n = 10_000
	}
	for range n {
		seg := []byte("ST=32;CP=&&")
		many := 12
		if r.IntN(50) == 0 { // beyond what is marked at once
			many = 1000
		}
		for range r.IntN(many) {
			seg = append(seg, pieces[r.IntN(len(pieces))]...)
		}
		checkItems(t, append(seg, "&&"...))
	}
}

// TestHeaderEqualsGrammar compares the header with a plain reading: the first
// '=' ends the name, the last field of an exact name counts, a misspelt one
// where there was none before.
func TestHeaderEqualsGrammar(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	pieces := []string{"QN=1;", "ST=32;", "CN=2011;", "PW=;", "MN=a-b;", "Flag=5;", "PNUM=2;PNO=1;", "RF=1;", "mn=x;", "MN=;", " ST=31;", "CN=2051 ;", "X=1;", "=", ";", "CP=;", "XCP=&", "QN=2=3;", "\xB8\xDF"}
	n := 100_000
	if testing.Short() || testkit.Race { // which has nothing to see here: nothing runs side by side
		n = 10_000
	}
	for range n {
		var h string
		for range r.IntN(9) {
			h += pieces[r.IntN(len(pieces))]
		}
		var p hj212.Packet
		if err := p.Parse([]byte(h + "CP=&&a=1&&")); err != nil {
			t.Fatal(err)
		}
		checkFailed(t, h+"CP=&&a=1")
		h, _, _ = strings.Cut(h+"CP=&&", "CP=&&")
		want := map[string]string{}
		for field := range strings.SplitSeq(h, ";") {
			name, value, ok := strings.Cut(field, "=")
			if name = strings.TrimFunc(name, blank); !ok {
				continue
			}
			if name == "mn" {
				if want["MN"] != "" {
					continue
				}
				name = "MN"
			}
			want[name] = strings.TrimFunc(value, blank)
		}
		for name, s := range map[string]hj212.Span{"QN": p.QN, "ST": p.ST, "CN": p.CN, "PW": p.PW, "MN": p.MN, "Flag": p.Flag, "PNUM": p.PNUM, "PNO": p.PNO, "RF": p.RF} {
			if got := string(p.Bytes(s)); got != want[name] {
				t.Fatalf("%q: %s is %q, want %q", h, name, got, want[name])
			}
		}
	}
}

// checkFailed makes sure that nothing is left of a segment that is refused.
func checkFailed(tb testing.TB, seg string) {
	tb.Helper()
	var p hj212.Packet
	if err := p.Parse([]byte(seg)); err == nil {
		tb.Fatalf("%q was taken", seg)
	}
	if p.QN.Len+p.ST.Len+p.CN.Len+p.PW.Len+p.MN.Len+p.Flag.Len+p.CP.Len > 0 || len(p.Items) > 0 {
		tb.Fatalf("%q was refused, and yet fields are set: %+v", seg, p)
	}
}
