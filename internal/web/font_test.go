package web

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"plateau/internal/platform/i18n"
)

// stackPattern cuts Tibetan text into stacks, as fonts/subset.py does.
var stackPattern = regexp.MustCompile(`[\x{0f40}-\x{0f6c}\x{0f88}-\x{0f8c}][\x{0f71}-\x{0f84}\x{0f86}\x{0f87}\x{0f8d}-\x{0fbc}\x{0f35}\x{0f37}\x{0f39}]*|[\x{0f00}-\x{0fff}]`)

// TestFontCoversCatalogue finds texts that were added after the font was made.
func TestFontCoversCatalogue(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("fonts/stacks.txt")
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for s := range strings.Lines(string(raw)) {
		have[strings.TrimSuffix(s, "\n")] = true
	}
	if len(have) < 500 {
		t.Fatalf("stacks.txt holds only %d stacks", len(have))
	}
	lacking := map[string]string{}
	check := func(where, text string) {
		for _, s := range stackPattern.FindAllString(text, -1) {
			if !have[s] {
				lacking[s] = where
			}
		}
	}
	i18n.Default().Texts(i18n.Bo, check)
	for _, name := range []string{"templates/_layout.html", "../telemetry/simulator/region/areas.csv", "../telemetry/simulator/region/waters.json", "../telemetry/simulator/region/outlets.csv"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		check(name, string(text))
	}
	for s, where := range lacking {
		t.Errorf("the font has no %s (%+q) of %s; run internal/web/fonts/subset.py", s, s, where)
	}
	if have["ྐྐྐ"] || have["xyz"] {
		t.Error("the list holds what no font has")
	}
}

func TestFontIsSmall(t *testing.T) {
	t.Parallel()
	font, err := os.ReadFile("fonts/noto-serif-tibetan-400.woff2")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(font, []byte("wOF2")) || len(font) > 72_000 {
		t.Errorf("font of %d bytes, want woff2 of at most 72,000", len(font))
	}
	licence, err := os.ReadFile("fonts/OFL.txt")
	if err != nil || !bytes.Contains(licence, []byte("SIL Open Font License")) {
		t.Errorf("the licence does not stand beside the font: %v", err)
	}
}
