//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"plateau/internal/testkit"
)

// samplePhoto is a picture that no camera took, as a file.
func samplePhoto(t *testing.T) string {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 640, 480))
	for y := range 480 {
		for x := range 640 {
			m.Set(x, y, color.RGBA{uint8(x / 3), uint8(y / 2), 120, 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "sample.jpg")
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestFromExceedanceToClosing is the whole way of an exceedance: the outlet of the
// sample enterprise was over its limit, a case is open, the enterprise acknowledges,
// gives the cause and answers with a photo at 390 px, the county verifies and closes,
// and residents read how it ended. On each page of the enterprise axe finds nothing and
// nothing scrolls sideways.
func TestFromExceedanceToClosing(t *testing.T) {
	t.Parallel()
	axe, err := os.ReadFile(filepath.Join(testkit.Root(), "web", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatalf("axe-core is not installed (make assets): %v", err)
	}
	enterprise := tab(t)
	if err := chromedp.Do(enterprise, chromedp.EmulateViewport(390, 844)); err != nil {
		t.Fatal(err)
	}
	picture := func(ctx context.Context, name string) {
		t.Helper()
		if os.Getenv("PLATEAU_PICTURES") == "" {
			return
		}
		shot, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(testkit.Root(), "docs", "pictures", name+".png"), shot, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	seen := func(name string) {
		t.Helper()
		look(enterprise, t, "zh")
		var found []fault
		if err := json.Unmarshal([]byte(eval[string](enterprise, t, string(axe)+";"+runAxe)), &found); err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			t.Errorf("%s: axe %s (%s): %s", name, f.ID, f.Help, strings.Join(f.Nodes[:min(2, len(f.Nodes))], "\n  "))
		}
		picture(enterprise, name)
	}
	set := func(ctx context.Context, field, value string) {
		t.Helper()
		eval[bool](ctx, t, fmt.Sprintf(`(() => { document.getElementById(%q).value = %q; return true })()`, field, value))
	}
	state := func(ctx context.Context, want string) {
		t.Helper()
		if got := text(ctx, t, "main"); !strings.Contains(got, want) {
			t.Fatalf("the page does not say %s: %s", want, got)
		}
	}

	signIn(enterprise, t, "plant")
	open(enterprise, t, "/zh/cases")
	const one = `^/zh/cases/\d{14}$`
	for end := time.Now().Add(2 * time.Minute); eval[int](enterprise, t, `[...document.querySelectorAll("main a")].filter(a => /^\/zh\/cases\/\d{14}$/.test(a.pathname)).length`) == 0; {
		if time.Now().After(end) {
			t.Fatalf("no case is open: %s", text(enterprise, t, "main"))
		}
		time.Sleep(time.Second)
		open(enterprise, t, "/zh/cases")
	}
	seen("tour-1-inbox")
	page := follow(enterprise, t, "main", one)
	number := regexp.MustCompile(`\d{14}`).FindString(page)
	state(enterprise, "已下发")
	seen("tour-2-case")
	act := func(ctx context.Context, action string, fields ...string) {
		t.Helper()
		open(ctx, t, page+"/actions/"+action)
		for i := 0; i+1 < len(fields); i += 2 {
			set(ctx, "f_"+fields[i], fields[i+1])
		}
		press(ctx, t, "#action button.primary")
		if at := eval[string](ctx, t, `location.pathname`); at != page {
			t.Fatalf("%s leads to %s: %s", action, at, text(ctx, t, "main"))
		}
	}
	act(enterprise, "acknowledge")
	act(enterprise, "give_cause", "cause", "喷氨泵跳停（示例）")
	open(enterprise, t, page+"/actions/answer")
	set(enterprise, "f_answer", "已切换备用泵（示例）")
	if err := chromedp.Do(enterprise, chromedp.SetUploadFiles("#action input[type=file]", []string{samplePhoto(t)})); err != nil {
		t.Fatal(err)
	}
	seen("tour-3-answer")
	press(enterprise, t, "#action button.primary")
	state(enterprise, "已反馈")
	if n := eval[int](enterprise, t, `(async () => { const i = document.querySelector("main ul.files img"); if (!i) return 0; i.loading = "eager"; await i.decode(); return i.naturalWidth })()`); n == 0 {
		t.Error("the photo is not shown in the history")
	}
	seen("tour-4-answered")
	if href := eval[string](enterprise, t, `document.querySelector("main ul.files a").getAttribute("href")`); !strings.Contains(href, "/files/") {
		t.Errorf("the photo leads to %s", href)
	}

	county := tab(t)
	signIn(county, t, "county")
	open(county, t, page)
	picture(county, "tour-5-county")
	act(county, "accept", "finding", "excess", "note", "现场核实（示例）")
	state(county, "已核查")
	act(county, "close", "summary", "已整改，排放恢复达标（示例）")
	state(county, "已办结")

	resident := tab(t)
	open(resident, t, "/zh/track?number="+number)
	state(resident, "已办结")
	state(resident, "已整改，排放恢复达标（示例）")
	picture(resident, "tour-6-track")
}
