package rules

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

const head = `id = "x.y"
version = 1
effective_from = "2020-01-01"
source = "a standard"
source_zh = "某标准"
certainty = "certain"
title = {zh = "甲", en = "A"}
`

func TestParse(t *testing.T) {
	t.Parallel()
	good := head + "[params]\nn = 3\nf = 1.5\nlist = [\"a\", \"b\"]\n"
	r, err := Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := r.Float("n"); n != 3 || err != nil {
		t.Errorf("n = %v, %v", n, err)
	}
	if l, err := r.Texts("list"); !slices.Equal(l, []string{"a", "b"}) || err != nil {
		t.Errorf("list = %v, %v", l, err)
	}
	if _, err := r.Float("list"); !errors.Is(err, ErrInvalid) {
		t.Errorf("a list read as a number: %v", err)
	}
	for name, text := range map[string]string{
		"misspelt key":      good + "[extra]\na = 1\n",
		"no params":         head,
		"bad date":          strings.Replace(good, "2020-01-01", "2020-13-01", 1),
		"no version":        strings.Replace(good, "version = 1\n", "", 1),
		"upper-case id":     strings.Replace(good, "x.y", "X.y", 1),
		"no source":         strings.Replace(good, `source = "a standard"`, "", 1),
		"no Chinese source": strings.Replace(good, `source_zh = "某标准"`, "", 1),
		"odd certainty":     strings.Replace(good, `"certain"`, `"sure"`, 1),
		"title not zh":      strings.Replace(good, `zh = "甲", `, "", 1),
		"ends too early":    strings.Replace(good, "source", "effective_to = \"2019-01-01\"\nsource", 1),
		"no TOML":           "}{",
	} {
		if _, err := Parse([]byte(text)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: accepted (%v)", name, err)
		}
	}
}

func TestLoadVersions(t *testing.T) {
	t.Parallel()
	limits, err := files.ReadFile("limits.csv")
	if err != nil {
		t.Fatal(err)
	}
	old := strings.Replace(head, "source", "effective_to = \"2022-12-31\"\nsource", 1) + "[params]\nn = 1\n"
	next := strings.NewReplacer("2020-01-01", "2023-01-01", "version = 1", "version = 2").Replace(head) + "[params]\nn = 2\n"
	s, err := Load(fstest.MapFS{"x.y.toml": {Data: []byte(old)}, "x.y@2.toml": {Data: []byte(next)}, "limits.csv": {Data: limits}})
	if err != nil {
		t.Fatal(err)
	}
	for date, want := range map[string]int{"2019-01-01": 1, "2020-01-01": 1, "2022-12-31": 1, "2023-01-01": 2, "2030-01-01": 2} {
		if r, _ := s.At("x.y", date); r.Version != want {
			t.Errorf("on %s version %d is in force, want %d", date, r.Version, want)
		}
	}
	if s.Digest("2022-12-31") == s.Digest("2023-01-01") {
		t.Error("the digest does not show the change of a rule")
	}
	if s.Digest("2023-01-01") != s.Digest("2026-01-01") {
		t.Error("the digest changes without a change of rules")
	}
	both := strings.Replace(next, "2023-01-01", "2022-06-01", 1)
	if _, err := Load(fstest.MapFS{"x.y.toml": {Data: []byte(old)}, "x.y@2.toml": {Data: []byte(both)}, "limits.csv": {Data: limits}}); !errors.Is(err, ErrInvalid) {
		t.Errorf("two versions in force together were accepted: %v", err)
	}
	gap := strings.Replace(next, "2023-01-01", "2023-01-02", 1)
	if _, err := Load(fstest.MapFS{"x.y.toml": {Data: []byte(old)}, "x.y@2.toml": {Data: []byte(gap)}, "limits.csv": {Data: limits}}); !errors.Is(err, ErrInvalid) {
		t.Errorf("a day without a version was accepted: %v", err)
	}
	ended, err := Load(fstest.MapFS{"x.y.toml": {Data: []byte(old)}, "limits.csv": {Data: limits}})
	if err != nil {
		t.Fatal(err)
	}
	if r, ok := ended.At("x.y", "2022-12-31"); !ok || r.Version != 1 {
		t.Error("the rule does not hold on its last day")
	}
	if r, ok := ended.At("x.y", "2023-01-01"); ok {
		t.Errorf("version %d holds after its end", r.Version)
	}
	if p := s.Periods(); len(p) != 3 || s.Period(p[0]) != "" || s.Digest(p[0]) != s.Digest(p[1]) || s.Digest(p[1]) == s.Digest(p[2]) {
		t.Errorf("periods %v", p)
	}
}

func TestDefault(t *testing.T) {
	t.Parallel()
	s := Default()
	if n := len(s.IDs()); n < 15 {
		t.Errorf("only %d rules embedded", n)
	}
	for _, id := range s.IDs() {
		for _, r := range s.Versions(id) {
			if len(r.Hash) != 12 {
				t.Errorf("%s has hash %q", id, r.Hash)
			}
		}
	}
	if n := len(s.Limits().All()); n != 481 {
		t.Errorf("%d limits, want 481", n)
	}
}

func TestFindLimit(t *testing.T) {
	t.Parallel()
	all := Default().Limits()
	const general, sewage = "general (表1)", "municipal sewage works outlet"
	for _, c := range []struct {
		name string
		q    Query
		want float64 // upper bound; 0 = none
		o2   float64
	}{
		{"turbine NOx", Query{SourceType: "natural-gas turbine", Level: general, Conditions: []string{"all"}, Factor: "a21002", Statistic: "hour", Date: "2026-11-24"}, 50, 15},
		{"before the standard", Query{SourceType: "natural-gas turbine", Level: general, Factor: "a21002", Statistic: "hour", Date: "2011-12-31"}, 0, 0},
		{"no such statistic", Query{SourceType: "natural-gas turbine", Level: general, Factor: "a21002", Statistic: "day", Date: "2026-11-24"}, 0, 0},
		{"coal boiler in use", Query{SourceType: "coal-fired boiler (<= 65 t/h)", Level: "existing (表1)", Conditions: []string{"in use"}, Factor: "a21026", Statistic: "hour", Date: "2026-11-24"}, 400, 9},
		{"cooler without oxygen", Query{SourceType: "dryer, drying mill, coal mill, clinker cooler", Level: general, Conditions: []string{"all"}, Factor: "a34013", Statistic: "hour", Date: "2026-11-24"}, 30, 0},
		{"phosphorus of a new works", Query{SourceType: sewage, Level: "1A", Conditions: []string{"built from 2006-01-01"}, Factor: "w21011", Statistic: "day", Date: "2026-11-24"}, 0.5, 0},
		{"phosphorus of an old works", Query{SourceType: sewage, Level: "1A", Conditions: []string{"built before 2006-01-01"}, Factor: "w21011", Statistic: "day", Date: "2026-11-24"}, 1, 0},
		{"river phosphorus", Query{SourceType: "surface water", Level: "III", Conditions: []string{"river"}, Factor: "w21011", Statistic: "evaluation", Date: "2026-11-24"}, 0.2, 0},
		{"conflicting figure", Query{SourceType: "ambient air", Level: "grade 2", Factor: "a21026", Statistic: "year", Date: "2031-06-01"}, 0, 0},
		{"pH by the day, formerly", Query{SourceType: sewage, Level: "1A", Factor: "w01001", Statistic: "day", Date: "2026-02-28"}, 9, 0},
		{"pH by the day, now", Query{SourceType: sewage, Level: "1A", Factor: "w01001", Statistic: "day", Date: "2026-03-01"}, 0, 0},
		{"pH single value, now", Query{SourceType: sewage, Level: "1A", Factor: "w01001", Statistic: "instantaneous", Date: "2026-03-01"}, 9, 0},
	} {
		l, ok := all.Find(c.q)
		if ok != (c.want != 0) || ok && *l.Hi != c.want {
			t.Errorf("%s: found %+v, %v; want %v", c.name, l, ok, c.want)
			continue
		}
		if ok && (l.RefO2 != nil) != (c.o2 != 0) || l.RefO2 != nil && *l.RefO2 != c.o2 {
			t.Errorf("%s: reference oxygen %v, want %v", c.name, l.RefO2, c.o2)
		}
		if by, _ := all.ByID(l.ID); ok && by.ID != l.ID {
			t.Errorf("%s: not found by its id", c.name)
		}
	}
}

func TestParseLimitsRefuses(t *testing.T) {
	t.Parallel()
	const cols = "id,standard,effective_from,effective_to,source_type,condition,level,factor,statistic,op,lo,hi,unit,ref_o2,note,certainty\n"
	for name, text := range map[string]string{
		"other columns":  "a,b\n",
		"id twice":       cols + "a,S,2020-01-01,,t,,,f,hour,<=,,1,mg/m3,,,certain\na,S,2020-01-01,,t,,,f,hour,<=,,1,mg/m3,,,certain\n",
		"bound missing":  cols + "a,S,2020-01-01,,t,,,f,hour,<=,,,mg/m3,,,certain\n",
		"range reversed": cols + "a,S,2020-01-01,,t,,,f,hour,range,9,6,1,,,certain\n",
		"no number":      cols + "a,S,2020-01-01,,t,,,f,hour,<=,,x,mg/m3,,,certain\n",
		"no date":        cols + "a,S,,,t,,,f,hour,<=,,1,mg/m3,,,certain\n",
		"odd operator":   cols + "a,S,2020-01-01,,t,,,f,hour,<,,1,mg/m3,,,certain\n",
	} {
		if _, err := ParseLimits([]byte(text)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: accepted (%v)", name, err)
		}
	}
}

// TestWith: a trial's version holds on every day, and only in the trial.
func TestWith(t *testing.T) {
	t.Parallel()
	s := Default()
	now := s.Versions("cems.hour_mean")[0]
	next := *now
	next.Version, next.EffectiveFrom, next.EffectiveTo, next.Hash = now.Version+1, "2030-01-01", "2031-01-01", "0123456789ab"
	with := s.With(&next)
	for _, date := range []string{"2001-01-01", "2026-11-23", "2040-01-01"} {
		if r, ok := with.At("cems.hour_mean", date); !ok || r.Version != next.Version {
			t.Errorf("%s: %+v", date, r)
		}
		if with.Digest(date) == s.Digest(date) {
			t.Errorf("%s: the digest is the same", date)
		}
	}
	if r, _ := s.At("cems.hour_mean", "2040-01-01"); r != now {
		t.Error("the set itself has changed")
	}
	if len(with.IDs()) != len(s.IDs()) || with.Limits() != s.Limits() {
		t.Error("the trial lacks something")
	}
}
