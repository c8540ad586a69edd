package alarm

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/rules"
)

var update = flag.Bool("update", false, "rewrite the expected episodes of testdata")

// begin is 00:00 of a day on the clock of the stations.
var begin = time.Date(2026, 10, 1, 0, 0, 0, 0, time.FixedZone("", 8*3600))

// scene is a made-up history in the form of testdata/*.txt: lines of settings,
// then for each factor its hours, one word an hour:
//
//	50        valid, sixty minutes about 50
//	=50       valid, all minutes exactly 50
//	50/55     reported 55, recomputed 50
//	50#20     only 20 valid minutes, the rest missing; 50#20D the rest marked D
//	C M D T F the whole hour with this mark
//	x         no value of this factor, though the logger sent others
//	-         nothing at all
//	N*word    N times
type scene struct {
	in   Input
	out  *telemetry.Outlet
	rows map[int64]*quality.HourRow
	days []quality.DayRow
}

func num(s string) float64 {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		panic(err)
	}
	return v
}

func readScene(text string) *scene {
	s := &scene{rows: map[int64]*quality.HourRow{}, out: &telemetry.Outlet{ID: 7, Medium: telemetry.Gas, SourceType: "none"}}
	end := begin
	hour := func(n string) time.Time { return begin.Add(time.Duration(num(n) * float64(time.Hour))) }
	scan := bufio.NewScanner(strings.NewReader(text))
	for scan.Scan() {
		w := strings.Fields(scan.Text())
		if len(w) == 0 || strings.HasPrefix(w[0], "#") {
			continue
		}
		switch w[0] {
		case "medium":
			s.out.Medium = telemetry.Medium(w[1])
		case "interval":
			s.out.Intervals = []telemetry.Interval{{Realtime: int(num(w[1])), Minute: int(num(w[2]))}}
		case "limit": // limit FACTOR STATISTIC <= HI, or range LO HI
			l := telemetry.Limit{ID: w[1] + "." + w[2], Standard: "permit", EffectiveFrom: "2000-01-01", Factor: w[1], Statistic: w[2], Op: w[3], Certainty: "certain"}
			if w[3] == "range" {
				l.Lo, l.Hi = new(num(w[4])), new(num(w[5]))
			} else {
				l.Hi = new(num(w[4]))
			}
			if len(w) > 5 && w[3] != "range" {
				l.EffectiveTo = w[5]
			}
			s.out.Limits = append(s.out.Limits, l)
		case "range", "detection":
			f := s.factor(w[1])
			if w[0] == "detection" {
				f.DetectionLimit = new(num(w[2]))
			} else {
				f.RangeLo, f.RangeHi = new(num(w[2])), new(num(w[3]))
			}
		case "stop":
			s.out.Stops = append(s.out.Stops, telemetry.Stop{From: hour(w[1]), To: hour(w[2]), Reason: "test"})
		case "down":
			s.in.Down = append(s.in.Down, Span{hour(w[1]), hour(w[2])})
		case "outage":
			s.in.Links = append(s.in.Links, Outage{"live", Span{hour(w[1]), hour(w[2])}})
		case "day": // day FACTOR VALUES…
			s.factor(w[1])
			for i, v := range w[2:] {
				s.day(w[1], begin.AddDate(0, 0, i), v)
			}
		default:
			s.factor(w[0])
			at := begin
			for _, word := range w[1:] {
				n := 1
				if k, rest, ok := strings.Cut(word, "*"); ok {
					n, word = int(num(k)), rest
				}
				for range n {
					s.hour(w[0], at, word)
					at = at.Add(time.Hour)
				}
			}
			if at.After(end) {
				end = at
			}
		}
	}
	if n := len(s.days); n > 0 && instant(s.days[n-1].At+daySeconds).After(end) {
		end = instant(s.days[n-1].At + daySeconds)
	}
	book, err := NewRulebook(nil)
	if err != nil {
		panic(err)
	}
	s.in.Outlet, s.in.Rules, s.in.Now, s.in.First = s.out, book, end.Add(time.Hour), begin
	for _, r := range s.rows {
		s.in.Hours = append(s.in.Hours, *r)
	}
	s.in.Days = s.days
	// Limits are bound by the examiner: the rows carry them as the engine's do.
	exam := quality.NewExaminer(rules.Default(), nil, s.out, s.in.Hours)
	for i := range s.in.Hours {
		s.bind(exam, &s.in.Hours[i])
	}
	s.in.Exam = quality.NewExaminer(rules.Default(), nil, s.out, s.in.Hours)
	return s
}

// bind judges a row by the limits, as the engine does.
func (s *scene) bind(exam *quality.Examiner, r *quality.HourRow) {
	for _, b := range exam.Bounds(r.At) {
		f := r.Factor(b.Code)
		if f == nil {
			continue
		}
		f.Limit, f.Evidence = b.Hour, s.out.Medium == telemetry.Gas
		if f.Valid && !b.Hour.IsZero() && !exam.Stopped(r.At) {
			j := quality.JudgeExceed(f.Judged.V, b.Hour)
			f.Over, f.Times = j.Exceeds && !f.Exempt(), j.Times
		}
	}
}

func (s *scene) factor(code string) *telemetry.OutletFactor {
	for i := range s.out.Factors {
		if s.out.Factors[i].Code == code {
			return &s.out.Factors[i]
		}
	}
	s.out.Factors = append(s.out.Factors, telemetry.OutletFactor{Code: code, Order: len(s.out.Factors)})
	return &s.out.Factors[len(s.out.Factors)-1]
}

func (s *scene) day(code string, at time.Time, word string) {
	if word == "-" {
		return
	}
	f := quality.FactorDay{Code: code, NValid: 24, NExpected: 24, Valid: true, Mean: quality.Some(num(word)), Judged: quality.Some(num(word)), Evidence: s.out.Medium == telemetry.Water}
	for _, l := range s.out.Limits {
		if l.Factor == code && l.Statistic == "day" {
			f.Limit = quality.RefOf(&l)
		}
	}
	j := quality.JudgeExceed(f.Judged.V, f.Limit)
	f.Over, f.Times = j.Exceeds, j.Times
	s.days = append(s.days, quality.DayRow{Outlet: 7, At: at.Unix(), Factors: []quality.FactorDay{f}})
}

func (s *scene) hour(code string, at time.Time, word string) {
	if word == "-" {
		return
	}
	r := s.rows[at.Unix()]
	if r == nil {
		r = &quality.HourRow{Outlet: 7, At: at.Unix(), Source: quality.SourceMinute}
		s.rows[at.Unix()] = r
	}
	if word == "x" {
		return
	}
	f := quality.FactorHour{Code: code, Flag: "N", NSeen: 60, NValid: 60, NExpected: 60, Valid: true}
	if len(word) == 1 && strings.Contains("CMDTFB", word) {
		f.Flag, f.NValid, f.Valid = word, 0, false
		if word == "F" {
			f.NExpected = 0
		}
		r.Factors = append(r.Factors, f)
		return
	}
	if rest, ok := strings.CutSuffix(word, "!"); ok { // exempt by a mark
		word, f.Reasons = rest, []string{quality.ReasonExempt}
	}
	spread := 1.0
	if rest, ok := strings.CutPrefix(word, "="); ok {
		word, spread = rest, 0
	}
	if v, n, ok := strings.Cut(word, "#"); ok {
		word = v
		f.Flag, f.NSeen = "Md", int(num(strings.TrimRight(n, "CMDTB")))
		f.NValid, f.Valid = f.NSeen, f.NSeen >= 45
		if mark := strings.TrimLeft(n, "0123456789"); mark != "" {
			f.Flag, f.NSeen = mark, 60
		}
	}
	word, reported, differs := strings.Cut(word, "/")
	v := num(word)
	f.Mean, f.Min, f.Max = quality.Some(v), quality.Some(v-spread), quality.Some(v+spread)
	if differs {
		f.Reported, f.Mismatch, f.DiffPct = quality.Reported{Avg: quality.Some(num(reported)), Flag: "N", There: true}, true, quality.Some(100*(num(reported)-v)/v)
	}
	if f.Valid {
		f.Judged, f.Basis = quality.Some(v), quality.BasisMean
	}
	r.Factors = append(r.Factors, f)
}

// lines writes episodes as the golden files hold them.
func lines(list []Episode) string {
	var b strings.Builder
	at := func(t time.Time) string {
		if t.IsZero() {
			return "open"
		}
		return strconv.FormatFloat(t.Sub(begin).Hours(), 'f', -1, 64)
	}
	name := map[string]string{"live": "live"}
	for i := range list {
		name[list[i].ID] = fmt.Sprintf("%s:%s@%s", list[i].Kind, list[i].Factor, at(list[i].Start))
	}
	for i := range list {
		e := &list[i]
		what := e.Factor
		if what == "" {
			what = "[" + strings.Join(e.Factors, " ") + "]"
		}
		fmt.Fprintf(&b, "%s %s %s %s  %s..%s  known %s  n=%d", e.Kind, what, e.Statistic, e.Severity, at(e.Start), at(e.End), at(e.Opened), e.Count)
		if e.Max.OK {
			fmt.Fprintf(&b, " worst=%s@%s", quality.Num(e.Max.V), at(e.MaxAt))
		}
		if e.Times.OK {
			fmt.Fprintf(&b, " times=%.2f", e.Times.V)
		}
		say := func(name, v string) {
			if v != "" {
				fmt.Fprintf(&b, " %s=%s", name, v)
			}
		}
		say("limit", e.Limit.ID)
		say("quiet", e.Quiet)
		say("by", e.EndedBy)
		say("flags", strings.Join(e.Flags, ""))
		say("in", name[e.Parent])
		say("cause", strings.TrimPrefix(e.Cause.Key, "alarm.cause."))
		if e.Blank > 0 {
			fmt.Fprintf(&b, " blank=%d", e.Blank)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// TestEpisodes derives the episodes of made-up histories, a file a subject.
// Scenes are divided by lines of "== name"; what is expected stands behind "->".
func TestEpisodes(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenes: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		for _, part := range strings.Split("\n"+string(text), "\n== ")[1:] {
			name, rest, _ := strings.Cut(part, "\n")
			given, want, _ := strings.Cut(rest, "->\n")
			got := lines(Derive(readScene(given).in))
			fmt.Fprintf(&out, "== %s\n%s->\n%s\n", name, given, got)
			if !*update {
				if d := cmp.Diff(strings.TrimSpace(want), strings.TrimSpace(got)); d != "" {
					t.Errorf("%s, %s:\n%s", file, name, d)
				}
			}
		}
		if *update {
			if err := os.WriteFile(file, []byte(out.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}
