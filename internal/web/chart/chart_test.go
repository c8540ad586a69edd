package chart

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"html/template"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plateau/internal/platform/i18n"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var (
	zh   = i18n.Default().For(i18n.Zh)
	en   = i18n.Default().For(i18n.En)
	from = time.Date(2026, 11, 22, 9, 0, 0, 0, i18n.Zone)
)

func golden(t *testing.T, name string, got template.HTML) {
	t.Helper()
	// A line per element makes a diff readable.
	text := strings.ReplaceAll(string(got), "><", ">\n<") + "\n"
	wellFormed(t, name, text)
	path := filepath.Join("testdata", name+".svg")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run with -update)", err)
	}
	if d := cmp.Diff(string(want), text); d != "" {
		t.Errorf("%s (-want +got):\n%s", name, d)
	}
}

func wellFormed(t *testing.T, name, text string) {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader("<x>" + text + "</x>"))
	dec.Entity = xml.HTMLEntity
	for {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%s is not well formed: %v", name, err)
		}
	}
}

func at(h, m int) time.Time {
	return from.Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute)
}

// day is a small chart with one of everything.
func day() Day {
	d := Day{
		ID: "x", Factor: "NOx <1>", Unit: "mg/m³", Decimals: 1, From: from, To: at(24, 0), Step: 30 * time.Minute, Now: at(23, 30), Data: "/zh/x.json?a=1&b=2",
		Limits: []Limit{{From: from, To: at(15, 0), Value: 50}, {From: at(15, 0), To: at(24, 0), Value: 45}},
		Bands:  []Band{{From: at(5, 30), To: at(5, 52), Flag: "C"}, {From: at(11, 40), To: at(12, 15), Flag: "M"}, {From: at(14, 0), To: at(14, 1), Flag: "F"}},
	}
	for i := range 47 {
		v := 30 + float64(i%7)
		if i > 10 && i < 15 || i == 30 || i == 32 {
			v = math.NaN()
		}
		d.Minutes = append(d.Minutes, v)
	}
	for h := range 24 {
		d.Hours = append(d.Hours, Hour{From: at(h, 0), Mean: 33 + float64(h%5), Provisional: h == 23, Selected: h == 22})
	}
	d.Hours[22].Mean, d.Hours[22].Over = 62.4, true
	d.Hours[6].Mean = math.NaN()
	return d
}

func TestGolden(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	golden(t, "day", day().SVG(zh))
	golden(t, "day-ph", Day{ID: "ph", Factor: "pH", From: from, To: at(24, 0), AxisFrom: 4, Hours: []Hour{{From: from, Mean: 7.2}}, Limits: []Limit{{From: from, To: at(24, 0), Value: 9}, {From: from, To: at(24, 0), Value: 6, Lower: true}}}.SVG(en))
	golden(t, "day-empty", Day{ID: "e", Factor: "COD", From: from, To: at(24, 0)}.SVG(en))
	golden(t, "spark", Spark{Values: []float64{1, 2, nan, 3, nan, 4, 5}, Limit: 4, Decimals: 1}.SVG(zh))
	golden(t, "spark-empty", Spark{Values: []float64{nan, nan}, Limit: nan}.SVG(zh))
	golden(t, "bar-over", Bar{Value: 62.4, Limit: 50}.SVG(zh))
	golden(t, "bar-under", Bar{Value: 20, Limit: 50}.SVG(zh))
	golden(t, "minutes", Minutes{Need: 45, Hours: []MinuteCell{
		{From: from, Valid: 60, Href: "?a&b"},
		{From: at(1, 0), Valid: 38, Short: true, Href: "?b"},
		{From: at(2, 0), Valid: 60, Over: true, Selected: true, Href: "?c"},
		{From: at(3, 0), Missing: true, Href: "?d"},
	}}.HTML(en))
	golden(t, "heat", Heat{From: from, Rows: []HeatRow{{Name: "拉萨市", Lang: "zh", Href: "/a", Percent: []float64{100, 89.6, 90, 46, nan}}, {Name: "B & C", Percent: []float64{1, 2, 3, 4, 5}}}}.HTML(en))
	golden(t, "map", Map{
		Base: "/assets/basemap.svg", Labels: []MapLabel{{Lon: 88.9, Lat: 29.3, Text: "日喀则", Lang: "zh", Count: "7"}},
		Symbols: []Symbol{
			{Lon: 91.1, Lat: 29.65, State: "warn", Name: "A", Href: "/1"},
			{Lon: 91.1, Lat: 29.65, State: "exceed", Name: "B <x>", Href: "/2"},
			{Lon: 90, Lat: 31, State: "normal", Name: "C", Href: "/3"},
			{Lon: 85, Lat: 31, State: "offline", Name: "D", Href: "/4"},
		},
	}.SVG(en))
}

func TestGapsStayGaps(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	d := Day{ID: "g", From: from, To: at(24, 0), Step: time.Hour, Minutes: []float64{1, 2, nan, 3, 4, nan, nan, 5}}
	svg := string(d.SVG(en))
	path := svg[strings.Index(svg, `class="minute" d="`):]
	path = path[len(`class="minute" d="`):]
	path = path[:strings.Index(path, `"`)]
	if got := strings.Count(path, "M"); got != 3 {
		t.Errorf("three runs are drawn as %d strokes: %s", got, path)
	}
	if strings.Contains(svg, "NaN") {
		t.Error("a missing value was drawn")
	}
}

func TestLimitChangeBreaksTheLine(t *testing.T) {
	t.Parallel()
	svg := string(day().SVG(zh))
	if got := strings.Count(svg, `class="limit"`); got != 4 { // two pieces in two variants
		t.Errorf("%d pieces, want 4", got)
	}
	for _, words := range []string{"限值 50", "限值 45"} {
		if !strings.Contains(svg, words) {
			t.Errorf("the line does not carry %q", words)
		}
	}
}

func TestFinding(t *testing.T) {
	t.Parallel()
	if got, want := day().finding(en), "NOx <1>: 1 hour over the limit, 62.4 mg/m³ (07:00–08:00)"; got != want {
		t.Errorf("finding %q, want %q", got, want)
	}
	if got, want := (Day{Factor: "COD"}).finding(en), "COD: no hour means"; got != want {
		t.Errorf("finding %q, want %q", got, want)
	}
}

func TestScale(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lo := rapid.Float64Range(-1000, 1000).Draw(t, "lo")
		hi := lo + rapid.Float64Range(1e-3, 1e5).Draw(t, "span")
		s := newScale(lo, hi, 20, 200)
		if n := len(s.ticks()); n < 2 || n > 8 {
			t.Fatalf("%d grid lines for %g..%g", n, lo, hi)
		}
		if s.lo > lo+1e-9 || s.hi < hi-1e-9 {
			t.Fatalf("%g..%g does not cover %g..%g", s.lo, s.hi, lo, hi)
		}
		if y := s.y(lo); y < 20-1e-6 || y > 200+1e-6 {
			t.Fatalf("y %g leaves the box", y)
		}
	})
}

// TestPen: relative moves lead to the rounded place of every point.
func TestPen(t *testing.T) {
	t.Parallel()
	var p pen
	for i := range 200 {
		p.to(float64(i)*0.337, 10+float64(i)*0.049)
	}
	if p.x != int(math.Round(199*3.37)) || p.y != int(math.Round(100+199*0.49)) {
		t.Errorf("the pen stands at %d, %d", p.x, p.y)
	}
	for in, want := range map[float64]string{0: "0", 0.04: "0", -0.3: "-.3", 0.5: ".5", 12: "12", -1.25: "-1.3", 3.14: "3.1"} {
		if got := px(in); got != want {
			t.Errorf("px(%g) = %s, want %s", in, got, want)
		}
	}
}

func TestNudge(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var in []placed
		for range rapid.IntRange(1, 30).Draw(t, "n") {
			p := placed{Symbol: Symbol{State: rapid.SampledFrom(States()[:4]).Draw(t, "state")}}
			p.x, p.y = rapid.Float64Range(100, 130).Draw(t, "x"), rapid.Float64Range(100, 130).Draw(t, "y")
			in = append(in, p)
		}
		out := nudge(in)
		if len(out) != len(in) {
			t.Fatalf("%d symbols became %d", len(in), len(out))
		}
		for i, a := range out {
			for _, b := range out[:i] {
				if math.Hypot(a.x-b.x, a.y-b.y) < symbolGap-1e-9 {
					t.Fatalf("two symbols are %.1f apart", math.Hypot(a.x-b.x, a.y-b.y))
				}
			}
		}
	})
}

// TestPlace: names of places stand clear of symbols and of each other while
// there is room.
func TestPlace(t *testing.T) {
	t.Parallel()
	labels := []MapLabel{
		{Lon: 91.1, Lat: 29.65, Text: "Lhasa", Count: "5"},
		{Lon: 91.2, Lat: 29.6, Text: "Shannan (Lhoka)", Count: "2"},
		{Lon: 91.1, Lat: 29.6, Text: "拉萨市"},
		{Lon: 78.4, Lat: 36.7, Text: "at the very corner"},
	}
	symbol := placed{Symbol: Symbol{State: "exceed"}}
	symbol.x, symbol.y = Project(91.1, 29.65)
	got := place(labels, []placed{symbol})
	for i, a := range got {
		half := a.width() / 2
		if a.x-half < 0 || a.x+half > MapWidth || a.y-labelAscent < 0 || a.y > MapHeight {
			t.Errorf("%s leaves the map at %.0f, %.0f", a.Text, a.x, a.y)
		}
		if math.Abs(a.x-symbol.x) < half && symbol.y > a.y-labelAscent && symbol.y < a.y {
			t.Errorf("%s covers the symbol", a.Text)
		}
		for _, b := range got[:i] {
			if math.Abs(a.x-b.x) < half+b.width()/2 && math.Abs(a.y-b.y) < labelHeight {
				t.Errorf("%s covers %s", a.Text, b.Text)
			}
		}
	}
}

// TestHoursApart: what was judged, what had too few minutes and what is not
// over are different lines; the letter of a mark stays beside the clock.
func TestHoursApart(t *testing.T) {
	t.Parallel()
	d := Day{ID: "w", From: from, To: at(24, 0), Now: at(23, 30), Bands: []Band{{From: at(23, 0), To: at(23, 30), Flag: "M"}}, Hours: []Hour{
		{From: at(1, 0), Mean: 1}, {From: at(2, 0), Mean: 2, Weak: true}, {From: at(23, 0), Mean: 3, Provisional: true},
	}}
	svg := string(d.SVG(en))
	for _, class := range []string{`class="hour"`, `class="hour weak"`, `class="hour open"`} {
		if strings.Count(svg, class) != 2 {
			t.Errorf("no line %s in both variants", class)
		}
	}
	x := d.xAxis(wideFrame)
	if near := px((x(at(23, 0)) + x(at(23, 30))) / 2); strings.Contains(svg, `class="letter" text-anchor="middle" x="`+near+`"`) {
		t.Error("the letter stands under the clock")
	}
}

func TestCrowdIsCounted(t *testing.T) {
	t.Parallel()
	var m Map
	for i := range 40 {
		area := []string{"540102", "540602"}[i%2]
		m.Symbols = append(m.Symbols, Symbol{Lon: 91, Lat: 30, State: []string{"suspect", "warn"}[i/39], Area: area, AreaName: area, AreaHref: "/o?area=" + area})
	}
	svg := string(m.SVG(en))
	wellFormed(t, "crowd", svg)
	if strings.Count(svg, "crowd") != 2 || !strings.Contains(svg, ">20</text>") || !strings.Contains(svg, "540102: 20 need action") {
		t.Errorf("counties are not counted: %s", svg)
	}
	if !strings.Contains(svg, `class="i-warn crowd"`) {
		t.Error("a county does not take the most pressing of its states")
	}
}

func TestProjectKeepsTheRegionInside(t *testing.T) {
	t.Parallel()
	for _, p := range [][2]float64{{78.39, 32}, {99.12, 29}, {92, 26.86}, {90, 36.48}} {
		x, y := Project(p[0], p[1])
		if x < 0 || x > MapWidth || y < 0 || y > MapHeight {
			t.Errorf("%v falls outside at %.0f, %.0f", p, x, y)
		}
	}
}

func TestZoomJSON(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(Zoom{From: time.Unix(1000, 0), Step: time.Minute, Series: []ZoomSeries{{Code: "a21002", Label: "NOx", Unit: "mg/m³", Decimals: 1, Limit: 50, Values: []float64{40.1, 40.25, math.NaN(), 39}}, {Code: "b", Limit: math.NaN()}}})
	want := `{"from":1000,"step":60,"series":[{"code":"a21002","label":"NOx","unit":"mg/m³","decimals":1,"limit":50,"d":[401,2,null,-13]},{"code":"b","label":"","unit":"","decimals":0,"limit":null,"d":[]}]}`
	if err != nil || string(got) != want {
		t.Errorf("%v\n got %s\nwant %s", err, got, want)
	}
}

func BenchmarkDay(b *testing.B) {
	d := day()
	d.Step, d.Minutes = time.Minute, make([]float64, 1440)
	for i := range d.Minutes {
		d.Minutes[i] = 40 + 5*math.Sin(float64(i)/50)
	}
	b.ReportAllocs()
	for b.Loop() {
		_ = d.SVG(zh)
	}
}
