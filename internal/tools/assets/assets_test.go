package main

import (
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"plateau/internal/testkit"
)

// TestGCJ02 holds the offset to a pair known from published conversions
// (Beijing, Tiananmen, to a few metres) and the inverse to its own forward step.
func TestGCJ02(t *testing.T) {
	t.Parallel()
	lon, lat := gcj02(116.39129, 39.90733)
	if math.Abs(lon-116.39753) > 1e-4 || math.Abs(lat-39.90873) > 1e-4 {
		t.Errorf("offset leads to %.5f, %.5f", lon, lat)
	}
	for _, p := range [][2]float64{{78.4, 32.5}, {91.13, 29.66}, {99.1, 28}, {90, 36.4}} {
		x, y := wgs84(p[0], p[1])
		gx, gy := gcj02(x, y)
		if math.Abs(gx-p[0]) > 1e-7 || math.Abs(gy-p[1]) > 1e-7 {
			t.Errorf("%v comes back as %.8f, %.8f", p, gx, gy)
		}
		if d := math.Hypot((x-p[0])*95, (y-p[1])*111); d < 0.05 || d > 1 {
			t.Errorf("%v is moved by %.2f km", p, d)
		}
	}
}

func TestSimplify(t *testing.T) {
	t.Parallel()
	var line []point
	for i := range 101 {
		line = append(line, point{float64(i), 0.3 * math.Sin(float64(i))})
	}
	line[50].y = 20
	got := simplify(line, 0.5)
	if len(got) < 4 || len(got) > 30 || got[0] != line[0] || got[len(got)-1] != line[100] {
		t.Errorf("kept %v", got)
	}
	// Nothing dropped lies farther than the tolerance from what is left.
	for _, p := range line {
		least := math.Inf(1)
		for i := range got[1:] {
			least = math.Min(least, distance(p, got[i], got[i+1]))
		}
		if least > 0.5 {
			t.Errorf("%v is %.2f away from the simplified line", p, least)
		}
	}
	ring := []point{{0, 0}, {10, 0}, {10, 10}, {0, 10}, {0, 0}}
	if got := simplify(ring, 0.5); len(got) != 5 {
		t.Errorf("a square lost its corners: %v", got)
	}
}

func TestTenth(t *testing.T) {
	t.Parallel()
	for in, want := range map[int]string{0: "0", 5: ".5", -5: "-.5", 10: "1", 105: "10.5", -205: "-20.5", 300: "30"} {
		if got := tenth(in); got != want {
			t.Errorf("tenth(%d) = %s, want %s", in, got, want)
		}
	}
}

// TestLockNamesNoHost: the lock file pins versions and checksums, and leaves
// the registry to the machine that builds.
func TestLockNamesNoHost(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join(testkit.Root(), "web", "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	lock := string(raw)
	if strings.Contains(lock, `"resolved"`) {
		t.Error("package-lock.json names download addresses")
	}
	if n := strings.Count(lock, `"integrity"`); n < 4 {
		t.Errorf("only %d packages are pinned by checksum", n)
	}
	pkg, err := os.ReadFile(filepath.Join(testkit.Root(), "web", "package.json"))
	if err != nil {
		t.Fatal(err)
	}
	if m := regexp.MustCompile(`"[~^][0-9][^"]*"`).FindString(string(pkg)); m != "" {
		t.Errorf("package.json lets %s float", m)
	}
}

func TestBaseMap(t *testing.T) {
	t.Parallel()
	root := testkit.Root()
	if _, err := os.Stat(filepath.Join(root, "web", "node_modules", "echarts")); err != nil {
		t.Skip("the browser packages are not installed: make assets")
	}
	tok, err := readTokens(filepath.Join(root, "internal", "web", "css", "tokens.css"))
	if err != nil {
		t.Fatal(err)
	}
	svg, err := baseMap(root, tok)
	if err != nil {
		t.Fatal(err)
	}
	for _, class := range []string{`class="l"`, `class="k"`, `class="r"`, `class="b"`, "prefers-color-scheme:dark"} {
		if !strings.Contains(string(svg), class) {
			t.Errorf("the map lacks %s", class)
		}
	}
	if strings.Contains(string(svg), "var(--") || strings.Contains(string(svg), "NaN") {
		t.Error("a colour or a number was not filled in")
	}
	if len(svg) > 64<<10 {
		t.Errorf("base map of %d bytes", len(svg))
	}
}
