package web

import (
	"io/fs"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

type rgb [3]float64 // linear light, 0..1

func linear(v float64) float64 {
	if v <= 0.04045 {
		return v / 12.92
	}
	return math.Pow((v+0.055)/1.055, 2.4)
}

func readTokens(t *testing.T) (light, dark map[string]rgb) {
	t.Helper()
	raw, err := os.ReadFile("css/tokens.css")
	if err != nil {
		t.Fatal(err)
	}
	head, tail, ok := strings.Cut(string(raw), "prefers-color-scheme: dark")
	if !ok {
		t.Fatal("no dark colours")
	}
	parse := func(text string) map[string]rgb {
		m := map[string]rgb{}
		for _, g := range regexp.MustCompile(`--([a-z0-9-]+): (#[0-9a-f]{6})`).FindAllStringSubmatch(text, -1) {
			var c rgb
			for i := range c {
				n, err := strconv.ParseUint(g[2][1+2*i:3+2*i], 16, 8)
				if err != nil {
					t.Fatal(err)
				}
				c[i] = linear(float64(n) / 255)
			}
			m[g[1]] = c
		}
		return m
	}
	light, dark = parse(head), parse(tail)
	for name := range light {
		if _, ok := dark[name]; !ok {
			t.Errorf("%s has no dark value", name)
		}
	}
	if len(light) < 25 {
		t.Fatalf("only %d colours were read", len(light))
	}
	return light, dark
}

// contrast is the ratio of WCAG 2.2.
func contrast(a, b rgb) float64 {
	lum := func(c rgb) float64 { return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2] + 0.05 }
	x, y := lum(a), lum(b)
	return math.Max(x, y) / math.Min(x, y)
}

func TestContrast(t *testing.T) {
	t.Parallel()
	light, dark := readTokens(t)
	for mode, m := range map[string]map[string]rgb{"light": light, "dark": dark} {
		want := func(fore, back string, least float64) {
			t.Helper()
			if got := contrast(m[fore], m[back]); got < least {
				t.Errorf("%s: %s on %s is %.2f, want %.1f", mode, fore, back, got, least)
			}
		}
		for _, back := range []string{"paper", "bg", "sunk"} {
			for _, text := range []string{"ink", "ink2", "ink3", "accent", "exceed"} {
				want(text, back, 4.5)
			}
		}
		for _, back := range []string{"paper", "bg"} {
			for _, shape := range []string{"exceed", "warn", "suspect", "offline", "maint", "stopped", "normal", "edge"} {
				want(shape, back, 3.0)
			}
		}
		for _, soft := range []string{"soft-exceed", "soft-warn", "soft-ok", "soft-accent"} {
			want("ink", soft, 7)
			want("ink2", soft, 4.5)
		}
		want("accent", "soft-accent", 4.5)
		want("bad-ink", "bad", 7)
		want("paper", "accent", 4.5) // words on the primary button
		want("ink2", "land", 4.5)
	}
}

// machado holds the matrices of Machado, Oliveira and Fernandes (2009) for
// full deficiency, on linear light.
var machado = map[string][9]float64{
	"protan": {0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998},
	"deutan": {0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881},
	"tritan": {1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.303900},
}

func mul(m [9]float64, c rgb) rgb {
	var o rgb
	for i := range o {
		o[i] = math.Min(1, math.Max(0, m[3*i]*c[0]+m[3*i+1]*c[1]+m[3*i+2]*c[2]))
	}
	return o
}

// oklab turns linear light into the OKLab space (Ottosson 2020).
func oklab(c rgb) rgb {
	l := math.Cbrt(0.4122214708*c[0] + 0.5363325363*c[1] + 0.0514459929*c[2])
	m := math.Cbrt(0.2119034982*c[0] + 0.6806995451*c[1] + 0.1073969566*c[2])
	s := math.Cbrt(0.0883024619*c[0] + 0.2817188376*c[1] + 0.6299787005*c[2])
	return rgb{
		0.2104542553*l + 0.7936177850*m - 0.0040720468*s,
		1.9779984951*l - 2.4285922050*m + 0.4505937099*s,
		0.0259040371*l + 0.7827717662*m - 0.8086757660*s,
	}
}

func apart(a, b rgb) float64 {
	x, y := oklab(a), oklab(b)
	return 100 * math.Sqrt((x[0]-y[0])*(x[0]-y[0])+(x[1]-y[1])*(x[1]-y[1])+(x[2]-y[2])*(x[2]-y[2]))
}

// TestColourBlind keeps the four states that need action apart for readers who
// do not see red, green or blue. 9 of 100 is what the chosen set reaches in
// light and 7 in dark (early warning and suspect, tritan); a set of equal
// lightness had 1. Shape and word stand beside every colour.
func TestColourBlind(t *testing.T) {
	t.Parallel()
	light, dark := readTokens(t)
	states := []string{"exceed", "warn", "suspect", "offline"}
	for mode, m := range map[string]map[string]rgb{"light": light, "dark": dark} {
		floor := 9.0
		if mode == "dark" {
			floor = 7
		}
		for kind, matrix := range machado {
			least, pair := math.Inf(1), ""
			for i, a := range states {
				for _, b := range states[:i] {
					if d := apart(mul(matrix, m[a]), mul(matrix, m[b])); d < least {
						least, pair = d, a+"–"+b
					}
				}
			}
			t.Logf("%s %s: least distance %.1f (%s)", mode, kind, least, pair)
			if least < floor {
				t.Errorf("%s %s: %s are only %.1f apart", mode, kind, pair, least)
			}
		}
	}
}

// TestNoColourOutsideTokens: components take their colours from the tokens.
func TestNoColourOutsideTokens(t *testing.T) {
	t.Parallel()
	hex := regexp.MustCompile(`#[0-9a-fA-F]{3,8}\b`)
	css, err := os.ReadFile("css/app.css")
	if err != nil {
		t.Fatal(err)
	}
	screen, _, _ := strings.Cut(string(css), "@media print") // paper is black on white
	if m := hex.FindAllString(screen, -1); len(m) > 0 {
		t.Errorf("app.css has colours of its own: %v", m)
	}
	value := regexp.MustCompile(`(fill|stroke|color|background|style)\s*[=:]\s*"?[^"]*#[0-9a-fA-F]{3,8}`)
	for _, dir := range []string{"templates", "../telemetryweb/templates"} {
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			raw, err := fs.ReadFile(os.DirFS(dir), name)
			if m := value.FindString(string(raw)); m != "" {
				t.Errorf("%s/%s: %s", dir, name, m)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
