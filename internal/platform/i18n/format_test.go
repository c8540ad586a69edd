package i18n

import (
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestNumber(t *testing.T) {
	t.Parallel()
	v := 62.45
	for _, c := range []struct {
		in       any
		decimals int
		want     string
	}{
		{62.45, 1, "62.4"},
		{62.55, 1, "62.6"},
		{"62.4500001", 1, "62.5"},
		{0.125, 2, "0.12"},
		{0.135, 2, "0.14"},
		{"22940.125", 2, "22,940.12"},
		{2.5, 0, "2"},
		{3.5, 0, "4"},
		{9.96, 1, "10.0"},
		{-0.04, 1, "0.0"},
		{-1234567.0, 0, "-1,234,567"},
		{&v, 2, "62.45"},
		{(*float64)(nil), 2, Missing},
		{nil, 0, Missing},
		{math.NaN(), 1, Missing},
		{math.Inf(1), 1, Missing},
		{7, 0, "7"},
		{7, 2, "7.00"},
		{"<0.025", 3, Missing},
		{0.1, -1, "0.1"},
		{1e21, 0, "1,000,000,000,000,000,000,000"},
	} {
		if got := Number(c.in, c.decimals); got != c.want {
			t.Errorf("Number(%v, %d) = %s, want %s", c.in, c.decimals, got, c.want)
		}
	}
}

// TestHalfEvenAgainstBig compares with exact arithmetic: the result is the
// nearest multiple of 10^-d, and the even one of two equally near.
func TestHalfEvenAgainstBig(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`-?[0-9]{1,6}(\.[0-9]{1,6})?`).Draw(t, "s")
		d := rapid.IntRange(0, 5).Draw(t, "d")
		got := HalfEven(s, d)
		unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(d)), nil)
		exact, _ := new(big.Rat).SetString(s)
		rounded, ok := new(big.Rat).SetString(got)
		if !ok {
			t.Fatalf("HalfEven(%s, %d) = %s is no number", s, d, got)
		}
		steps := new(big.Rat).Mul(rounded, new(big.Rat).SetInt(unit))
		if !steps.IsInt() {
			t.Fatalf("HalfEven(%s, %d) = %s has too many decimals", s, d, got)
		}
		off := new(big.Rat).Sub(exact, rounded)
		off.Abs(off).Mul(off, new(big.Rat).SetInt(unit))
		switch off.Cmp(big.NewRat(1, 2)) {
		case 1:
			t.Fatalf("HalfEven(%s, %d) = %s is not the nearest", s, d, got)
		case 0:
			if steps.Num().Bit(0) == 1 {
				t.Fatalf("HalfEven(%s, %d) = %s is the odd neighbour", s, d, got)
			}
		}
		if _, frac, _ := strings.Cut(got, "."); len(frac) != d {
			t.Fatalf("HalfEven(%s, %d) = %s", s, d, got)
		}
	})
}

func TestParseNumber(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"༦༢.༤": "62.4", "６２．４": "62.4", "22,940.00": "22940.00", " 7 ": "7", "−3": "-3", "+5": "5"} {
		if got, ok := ParseNumber(in); !ok || got != want {
			t.Errorf("ParseNumber(%q) = %q, %t, want %q", in, got, ok, want)
		}
	}
	for _, in := range []string{"", "-", "1.", ".5", "1e5", "12a", "1.2.3"} {
		if got, ok := ParseNumber(in); ok {
			t.Errorf("ParseNumber(%q) took it as %q", in, got)
		}
	}
}

func TestLastDay(t *testing.T) {
	t.Parallel()
	for want, end := range map[string]time.Time{
		"":                 {},
		"2026-12-31":       time.Date(2027, 1, 1, 0, 0, 0, 0, Zone),
		"2026-11-23":       time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC),
		"2027-01-01 00:00": time.Date(2027, 1, 1, 0, 0, 0, 1000, Zone),
		"2026-11-23 08:30": time.Date(2026, 11, 23, 8, 30, 0, 0, Zone),
	} {
		if got := LastDay(end); got != want {
			t.Errorf("%s ends %q, want %q", end, got, want)
		}
	}
}

func TestParseStamp(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"2026-11-20 08:00":    "2026-11-20 08:00",
		" 2026-11-20T08:00 ":  "2026-11-20 08:00",
		"2026/11/20 08:00":    "2026-11-20 08:00",
		"2026/1/5 8:00":       "2026-01-05 08:00",
		"2026-11-20 08:00:59": "2026-11-20 08:00",
		"２０２６－１１－２０　０８：００":      "2026-11-20 08:00",
		"２０２６／１１／２０ ０８:００":      "2026-11-20 08:00",
		"༢༠༢༦-༡༡-༢༠ ༠༨:༠༠":      "2026-11-20 08:00",
		"2026年11月20日 08:00":     "2026-11-20 08:00",
		"2026年1月5日":             "2026-01-05 00:00",
		"2026-11-20":            "2026-11-20 00:00",
		"":                      "",
		"tomorrow":              "",
		"2026-11-31":            "",
		"2026-11-20 24:00":      "",
		"2026-11":               "",
		"20261120":              "",
		"2026-11-20 08:00+8:00": "",
	} {
		got, ok := ParseStamp(in)
		if ok != (want != "") || ok && Stamp(got) != want {
			t.Errorf("%q: %s, %v; want %q", in, Stamp(got), ok, want)
		}
	}
}

func TestDates(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 0, 30, 7, 0, time.UTC) // 08:30:07 on the pages' clock
	want := map[Lang]string{
		Zh: "2026年11月23日 周一 08:30",
		Bo: "སྤྱི་ལོ་2026 ཟླ་བ་བཅུ་གཅིག་པའི་ཚེས་23 གཟའ་ཟླ་བ། 08:30",
		En: "Mon 23 Nov 2026 08:30",
	}
	for lang, w := range want {
		if got := Default().For(lang).DateTime(at); got != w {
			t.Errorf("%s: %q, want %q", lang, got, w)
		}
	}
	if got := Default().For(Zh).DayMonth(at); got != "11月23日" {
		t.Errorf("day and month %q", got)
	}
	if Short(at) != "2026-11-23" || Clock(at) != "08:30" || Seconds(at) != "08:30:07" || Stamp(at) != "2026-11-23 08:30" {
		t.Errorf("short forms: %s %s %s %s", Short(at), Clock(at), Seconds(at), Stamp(at))
	}
	midnight := time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)
	if got := Hours(midnight.Add(-time.Hour), midnight); got != "23:00–24:00" {
		t.Errorf("last hour of the day: %s", got)
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	zh, en := Default().For(Zh), Default().For(En)
	for d, want := range map[time.Duration][2]string{
		90 * time.Minute:                 {"1 小时 30 分", "1 h 30 min"},
		2*time.Hour - time.Second:        {"1 小时 59 分", "1 h 59 min"},
		59 * time.Second:                 {"59 秒", "59 s"},
		0:                                {"0 秒", "0 s"},
		3 * time.Hour:                    {"3 小时", "3 h"},
		29*time.Hour + 5*time.Minute:     {"1 天 5 小时", "1 d 5 h"},
		48*time.Hour + time.Minute:       {"2 天", "2 d"},
		-(8*time.Minute + 3*time.Second): {"8 分", "8 min"},
		24*time.Hour - time.Nanosecond + time.Second: {"1 天", "1 d"},
	} {
		if got := zh.Duration(d); got != want[0] {
			t.Errorf("%v in zh: %s, want %s", d, got, want[0])
		}
		if got := en.Duration(d); got != want[1] {
			t.Errorf("%v in en: %s, want %s", d, got, want[1])
		}
	}
	now := time.Unix(1_800_000_000, 0)
	if got := en.Ago(now.Add(-8*time.Second), now); got != "8 s ago" {
		t.Errorf("ago: %s", got)
	}
	if got := en.Ago(now.Add(time.Hour), now); strings.Contains(got, "ago") {
		t.Errorf("a time to come is called %s", got)
	}
}
