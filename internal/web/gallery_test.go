package web

import (
	"bytes"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"plateau/internal/platform/i18n"
	"plateau/internal/web/chart"
)

// The gallery shows every component and drawing at once, on invented values.
// PLATEAU_GALLERY=DIR go test ./internal/web -run Gallery writes it as files,
// beside the built assets, to be looked at in a browser.
type gallery struct {
	Now     time.Time
	Span    time.Duration
	Tabs    []Tab
	Strip   []Tile
	Tiles   []Tile
	Day     chart.Day
	Minutes chart.Minutes
	Head    SortHead
	Rows    []galleryRow
	Pager   Pager
	Empty   Empty
	Map     chart.Map
	Heat    chart.Heat
	Fields  []Field
	States  []string
}

type galleryRow struct {
	Name, Area, State string
	Value, Limit      float64
	Bar               chart.Bar
	Spark             chart.Spark
}

func sampleDay() (chart.Day, chart.Minutes) {
	from := time.Date(2026, 11, 22, 9, 0, 0, 0, i18n.Zone)
	at := func(h, m int) time.Time { return from.Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute) }
	d := chart.Day{
		ID: "d1", Factor: "NOx", Unit: "mg/m³", Decimals: 1, From: from, To: at(24, 0), Step: time.Minute, Now: at(23, 30), Data: "#data",
		Limits: []chart.Limit{{From: from, To: at(15, 0), Value: 50}, {From: at(15, 0), To: at(24, 0), Value: 45}},
		Bands:  []chart.Band{{From: at(5, 30), To: at(5, 52), Flag: "C"}, {From: at(11, 40), To: at(12, 15), Flag: "M"}, {From: at(17, 30), To: at(18, 12), Flag: "B"}, {From: at(20, 0), To: at(20, 20), Flag: "D"}},
	}
	strip := chart.Minutes{Need: 45}
	for i := range 24 * 60 {
		v := 40 + 6*math.Sin(float64(i)/97) + 1.2*math.Sin(float64(i)*1.7)
		t := at(0, i)
		if t.After(at(22, 0)) {
			v += 24
		}
		if t.After(d.Now) {
			v = math.NaN()
		}
		for _, b := range d.Bands {
			if !t.Before(b.From) && t.Before(b.To) {
				v = math.NaN()
			}
		}
		d.Minutes = append(d.Minutes, v)
	}
	for h := range 24 {
		sum, n := 0.0, 0
		for _, v := range d.Minutes[h*60 : h*60+60] {
			if !math.IsNaN(v) {
				sum, n = sum+v, n+1
			}
		}
		d.Hours = append(d.Hours, chart.Hour{From: at(h, 0), Mean: sum / float64(n), Provisional: h == 23, Over: sum/float64(n) > 50, Selected: h == 22})
		strip.Hours = append(strip.Hours, chart.MinuteCell{From: at(h, 0), Valid: n, Short: n < 45 && h < 23, Over: h >= 22, Selected: h == 22, Href: "?hour=" + at(h, 0).Format("15")})
	}
	return d, strip
}

func sampleGallery(l *i18n.Localizer) *Page {
	day, strip := sampleDay()
	g := gallery{
		Now: day.Now, Span: 90 * time.Minute, Day: day, Minutes: strip, States: chart.States(),
		Tabs:  []Tab{{l.T("common.chart"), "#a", true}, {l.T("common.table"), "#b", false}},
		Empty: Empty{l.T("common.nothing"), "#x", l.T("common.add")}, Pager: Pager{Page: 2, Pages: 6, Rows: 300, Previous: "?page=1", Next: "?page=3", All: "?page=all"},
		Head: Table{Path: "/zh/outlets", Query: url.Values{}, Default: "-ratio"}.Head("ratio", l.T("nav.outlets"), ""),
		Heat: chart.Heat{From: day.From},
		Fields: []Field{
			{Name: "mn", Label: "MN", Hint: l.T("common.optional"), Value: "54010320", Optional: true},
			{Name: "limit", Label: l.T("chart.no_limit"), Error: l.T("err.invalid"), Value: "x", Input: "decimal", Width: "medium"},
			{Name: "kind", Label: l.T("common.filter"), Kind: "select", Options: []Option{{"a", l.T("common.all"), true}}},
			{Name: "text", Label: l.T("nav.frames"), Kind: "textarea", Rows: 3},
			{Name: "c", Label: l.T("common.yes"), Kind: "checkbox", Checked: true},
		},
	}
	for i, s := range chart.States() {
		g.Strip = append(g.Strip, Tile{State: s, Label: l.T("state." + s), Value: i18n.Number(i*7+5, 0), Note: "+2", Href: "?state=" + s})
		g.Tiles = append(g.Tiles, Tile{State: s, Label: "NOx", Value: "62.4", Unit: "/ 50", Href: "?factor=" + s, Current: i == 0})
		for k := range 3 {
			g.Map.Symbols = append(g.Map.Symbols, chart.Symbol{Lon: 91.1 + 0.15*float64(k) - float64(i)*0.8*float64(k%2), Lat: 29.65 + 0.1*float64(i*k), State: s, Name: "示例", Href: "#" + s})
		}
		g.Heat.Rows = append(g.Heat.Rows, chart.HeatRow{Name: "拉萨市", Lang: "zh", Percent: []float64{100, 99, 98, 88, 46, math.NaN(), 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100}})
	}
	g.Map.Labels = []chart.MapLabel{{Lon: 88.88, Lat: 29.27, Text: "日喀则", Lang: "zh", Count: "7"}}
	for i, name := range []string{"墨竹工卡示例啤酒厂废水", "革吉示例生活垃圾焚烧炉"} {
		r := galleryRow{name, "拉萨 · 墨竹工卡县", "exceed", 62.45, 50, chart.Bar{Value: 62.45, Limit: 50}, chart.Spark{Limit: 50, Decimals: 1}}
		for k := range 24 {
			r.Spark.Values = append(r.Spark.Values, 30+float64(k*k)/18)
		}
		if i == 1 {
			r.State, r.Value, r.Spark.Values[12] = "offline", math.NaN(), math.NaN()
			r.Bar.Value = math.NaN()
		}
		g.Rows = append(g.Rows, r)
	}
	return &Page{
		Lang: l.Lang(), Title: l.T("nav.overview"), Module: "overview", Wide: true, Path: "/", Data: g, Scripts: []string{"chart"},
		Crumbs: []Crumb{{l.T("nav.outlets"), "/outlets"}, {"拉萨市", ""}}, User: &User{Post: "值班员（示例）"}, Progress: &Progress{"30 × 24 h", 12, 30},
		Errors: []FieldError{{"limit", l.T("err.invalid")}}, Notices: []Notice{{"ok", l.T("common.updated", "clock", "08:30")}},
	}
}

func TestGallery(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/gallery.html")
	if err != nil {
		t.Fatal(err)
	}
	e := engine(t, map[string]string{"gallery.html": string(raw)})
	if missing := e.MissingKeys(); len(missing) > 0 {
		t.Errorf("missing keys: %v", missing)
	}
	hole := regexp.MustCompile(`\{[a-z_]+\}`)
	hex := regexp.MustCompile(`(fill|stroke|color|background)[=:"]+ ?#[0-9a-fA-F]{3,6}`)
	for _, lang := range i18n.Langs() {
		var b bytes.Buffer
		if err := e.Render(&b, "gallery.html", "", sampleGallery(e.Localizer(lang))); err != nil {
			t.Fatal(err)
		}
		html := b.String()
		if m := hole.FindString(html); m != "" {
			t.Errorf("%s: a hole was not filled: %s", lang, m)
		}
		if m := hex.FindString(html); m != "" {
			t.Errorf("%s: a colour outside the style sheet: %s", lang, m)
		}
		if bytes.Contains(b.Bytes(), []byte("NaN")) || bytes.Contains(b.Bytes(), []byte("ZgotmplZ")) {
			t.Errorf("%s: a missing value or unsafe text was printed", lang)
		}
		if dir := os.Getenv("PLATEAU_GALLERY"); dir != "" {
			writeGallery(t, dir, raw, lang)
		}
	}
}

func writeGallery(t *testing.T, dir string, raw []byte, lang i18n.Lang) {
	t.Helper()
	a, err := LoadAssets()
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(Options{Assets: a, Templates: engineFiles(raw), Links: []Link{{"overview", "/"}, {"outlets", "/outlets"}, {"devices", "/devices"}, {"frames", "/frames"}, {"registry", "/registry"}}, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := e.Render(&b, "gallery.html", "", sampleGallery(e.Localizer(lang))); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, string(lang)+".html"), b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}
