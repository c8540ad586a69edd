package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"plateau/internal/web/chart"
)

// tokens are the colours of the style sheet, light and dark, by name.
type tokens struct{ light, dark map[string]string }

var (
	tokenLine = regexp.MustCompile(`--([a-z0-9-]+):\s*(#[0-9a-f]{6})`)
	darkBlock = regexp.MustCompile(`(?s)prefers-color-scheme: dark.*`)
)

func readTokens(path string) (tokens, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return tokens{}, err
	}
	t := tokens{map[string]string{}, map[string]string{}}
	dark := darkBlock.FindString(string(raw))
	for _, m := range tokenLine.FindAllStringSubmatch(strings.TrimSuffix(string(raw), dark), -1) {
		t.light[m[1]] = m[2]
	}
	for _, m := range tokenLine.FindAllStringSubmatch(dark, -1) {
		t.dark[m[1]] = m[2]
	}
	if len(t.light) == 0 || len(t.dark) == 0 {
		return t, fmt.Errorf("%s: no colours found", path)
	}
	return t, nil
}

// style writes the rules of a stand-alone SVG file; an image does not see the
// variables of the page around it.
func (t tokens) style(rules string) string {
	fill := func(m map[string]string) string {
		return regexp.MustCompile(`var\(--([a-z0-9-]+)\)`).ReplaceAllStringFunc(rules, func(v string) string {
			return m[v[6:len(v)-1]]
		})
	}
	return "<style>" + fill(t.light) + "@media(prefers-color-scheme:dark){" + fill(t.dark) + "}</style>"
}

// mark is the sign of the program as the browser's tab shows it.
func mark(t tokens) []byte {
	return []byte(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="-3 -5 34 30">` + t.style(`path{fill:none;stroke:var(--accent);stroke-width:3;stroke-linejoin:round}`) +
		`<path d="M1 12.5 8.5 3l5 6.5L17 5l7 7.5"/><path d="M4 17.5c3-2.5 6-2.5 9 0s6 2.5 9 0"/></svg>` + "\n")
}

type point struct{ x, y float64 }

// tolerance of the simplification, in map units (a unit is about a pixel of
// the overview): what is dropped cannot be seen there.
const tolerance = 0.45

// baseMap draws land, lakes, rivers and borders, in this order.
func baseMap(root string, t tokens) ([]byte, error) {
	rings, err := prefectures(filepath.Join(root, "web", "node_modules", "echarts", "map", "json", "province", "xizang.json"))
	if err != nil {
		return nil, err
	}
	lakes, rivers, err := waters(filepath.Join(root, "internal", "telemetry", "simulator", "region", "waters.json"))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g">`, chart.MapWidth, chart.MapHeight)
	b.WriteString(t.style(`.l{fill:var(--land)}.k{fill:var(--water)}.r{fill:none;stroke:var(--river);stroke-linejoin:round;stroke-linecap:round}.b{fill:none;stroke:var(--edge);stroke-opacity:.55;stroke-width:.8}`))
	land := paths(rings, true)
	fmt.Fprintf(&b, `<path class="l" d="%s"/>`, land)
	fmt.Fprintf(&b, `<path class="k" d="%s"/>`, paths(lakes, true))
	ranks := make([]int, 0, len(rivers))
	for rank := range rivers {
		ranks = append(ranks, rank)
	}
	sort.Sort(sort.Reverse(sort.IntSlice(ranks)))
	for _, rank := range ranks {
		width := math.Max(0.7, 1.9-0.5*float64(rank))
		fmt.Fprintf(&b, `<path class="r" stroke-width="%.1f" d="%s"/>`, width, paths(rivers[rank], false))
	}
	fmt.Fprintf(&b, `<path class="b" d="%s"/></svg>`+"\n", land)
	return b.Bytes(), nil
}

// prefectures reads the outlines and turns them to WGS-84 map points.
func prefectures(path string) ([][]point, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("prefecture outlines: %w", err)
	}
	var doc struct {
		Features []struct {
			Geometry struct {
				Type        string
				Coordinates json.RawMessage
			}
		}
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("prefecture outlines: %w", err)
	}
	var rings [][]point
	for _, f := range doc.Features {
		var polygons [][][][2]float64
		if f.Geometry.Type == "Polygon" {
			var p [][][2]float64
			err = json.Unmarshal(f.Geometry.Coordinates, &p)
			polygons = append(polygons, p)
		} else {
			err = json.Unmarshal(f.Geometry.Coordinates, &polygons)
		}
		if err != nil {
			return nil, fmt.Errorf("prefecture outlines: %w", err)
		}
		for _, p := range polygons {
			for _, r := range p {
				ring := make([]point, len(r))
				for i, c := range r {
					ring[i].x, ring[i].y = chart.Project(wgs84(c[0], c[1]))
				}
				rings = append(rings, ring)
			}
		}
	}
	if len(rings) < 7 {
		return nil, fmt.Errorf("prefecture outlines: %d rings, want at least 7", len(rings))
	}
	return rings, nil
}

// waters reads lakes and, by rank, rivers, all in WGS-84.
func waters(path string) (lakes [][]point, rivers map[int][][]point, err error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("waters: %w", err)
	}
	var doc struct {
		Features []struct {
			Kind   string
			Rank   int
			Points [][2]float64
		}
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, nil, fmt.Errorf("waters: %w", err)
	}
	rivers = map[int][][]point{}
	for _, f := range doc.Features {
		line := make([]point, len(f.Points))
		for i, c := range f.Points {
			line[i].x, line[i].y = chart.Project(c[0], c[1])
		}
		switch f.Kind {
		case "lake":
			lakes = append(lakes, line)
		case "river":
			rivers[f.Rank] = append(rivers[f.Rank], line)
		default:
			return nil, nil, fmt.Errorf("waters: kind %q is neither river nor lake", f.Kind)
		}
	}
	return lakes, rivers, nil
}

// paths writes lines in relative moves of tenths; closed ones end with z.
func paths(lines [][]point, closed bool) string {
	var b strings.Builder
	round := func(v float64) int { return int(math.Round(v * 10)) }
	for _, line := range lines {
		line = simplify(line, tolerance)
		if closed && len(line) < 4 {
			continue // smaller than can be seen
		}
		var x, y int
		for i, p := range line {
			nx, ny := round(p.x), round(p.y)
			if i == 0 {
				b.WriteString("M" + tenth(nx) + " " + tenth(ny))
			} else if closed && i == len(line)-1 {
				break
			} else if nx != x || ny != y {
				dy := tenth(ny - y)
				b.WriteString("l" + tenth(nx-x))
				if dy[0] != '-' {
					b.WriteByte(' ')
				}
				b.WriteString(dy)
			}
			x, y = nx, ny
		}
		if closed {
			b.WriteByte('z')
		}
	}
	return b.String()
}

func tenth(n int) string {
	s := strconv.FormatFloat(float64(n)/10, 'f', -1, 64)
	return strings.Replace(s, "0.", ".", boolInt(strings.HasPrefix(strings.TrimPrefix(s, "-"), "0.")))
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// simplify is Douglas-Peucker: it keeps the ends and every point farther than
// tol from the line between its kept neighbours. A closed ring (first equals
// last) is cut at its farthest point first, else the line would be no line.
func simplify(line []point, tol float64) []point {
	if len(line) < 3 {
		return line
	}
	keep := make([]bool, len(line))
	keep[0], keep[len(line)-1] = true, true
	stack := [][2]int{{0, len(line) - 1}}
	for len(stack) > 0 {
		s := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		far, at := tol, -1
		for i := s[0] + 1; i < s[1]; i++ {
			if d := distance(line[i], line[s[0]], line[s[1]]); d > far {
				far, at = d, i
			}
		}
		if at >= 0 {
			keep[at] = true
			stack = append(stack, [2]int{s[0], at}, [2]int{at, s[1]})
		}
	}
	var out []point
	for i, k := range keep {
		if k {
			out = append(out, line[i])
		}
	}
	return out
}

// distance of p from the stretch a–b.
func distance(p, a, b point) float64 {
	dx, dy := b.x-a.x, b.y-a.y
	if dx == 0 && dy == 0 {
		return math.Hypot(p.x-a.x, p.y-a.y)
	}
	t := ((p.x-a.x)*dx + (p.y-a.y)*dy) / (dx*dx + dy*dy)
	t = math.Min(1, math.Max(0, t))
	return math.Hypot(p.x-a.x-t*dx, p.y-a.y-t*dy)
}
