package publicweb

import (
	"encoding/xml"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry/quality"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestFeedGolden shows a whole feed; the file is reviewed when it changes.
func TestFeedGolden(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, lang := range i18n.Langs() {
		got := r.ask("/" + string(lang) + "/public/counties/540124/feed.atom").Body.String()
		got = strings.NewReplacer("><", ">\n<").Replace(got) + "\n"
		path := filepath.Join("testdata", "feed-"+string(lang)+".atom")
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), got); d != "" {
			t.Errorf("%s (-want +got):\n%s", path, d)
		}
	}
}

// TestFeedIsAtom holds feeds to what RFC 4287 requires (sections 4.1.1, 4.1.2).
func TestFeedIsAtom(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, to := range []string{"/zh/public/feed.atom", "/bo/public/counties/540124/feed.atom", "/en/public/counties/540127/feed.atom"} {
		w := r.ask(to)
		if kind := w.Header().Get("Content-Type"); kind != "application/atom+xml; charset=utf-8" {
			t.Errorf("%s: %s", to, kind)
		}
		var f atomFeed
		if err := xml.Unmarshal(w.Body.Bytes(), &f); err != nil {
			t.Fatalf("%s: %v", to, err)
		}
		if f.ID == "" || f.Title == "" || f.Author.Name == "" || len(f.Links) != 2 || f.Links[0].Rel != "self" || f.Links[0].Href != to {
			t.Errorf("%s: %+v", to, f)
		}
		updated, err := time.Parse(time.RFC3339, f.Updated)
		if err != nil {
			t.Errorf("%s: updated: %v", to, err)
		}
		if strings.Contains(to, "540124") != (len(f.Entries) > 0) && to != "/zh/public/feed.atom" {
			t.Errorf("%s: %d entries", to, len(f.Entries))
		}
		seen := map[string]bool{f.ID: true}
		for _, e := range f.Entries {
			at, err := time.Parse(time.RFC3339, e.Updated)
			if err != nil || at.After(updated) || at.After(testNow) {
				t.Errorf("%s: entry updated %s, feed %s: %v", to, e.Updated, f.Updated, err)
			}
			if seen[e.ID] || !strings.HasPrefix(e.ID, "urn:uuid:") || e.Title == "" || e.Summary == "" || len(e.Links) != 1 {
				t.Errorf("%s: %+v", to, e)
			}
			seen[e.ID] = true
		}
		// Later, the same things have the same names.
		later := newRig(t)
		later.now = later.now.Add(2 * time.Hour)
		var g atomFeed
		if err := xml.Unmarshal(later.ask(to).Body.Bytes(), &g); err != nil {
			t.Fatal(err)
		}
		kept := map[string]string{}
		for _, e := range g.Entries {
			kept[e.ID] = e.Updated
		}
		for _, e := range f.Entries {
			if kept[e.ID] != e.Updated {
				t.Errorf("%s: entry %s of %s is %q later", to, e.ID, e.Updated, kept[e.ID])
			}
		}
		if g.ID != f.ID {
			t.Errorf("%s: the feed changed its name", to)
		}
	}
	if !strings.Contains(r.page(t, "/bo/public/counties/540124"), `<link rel="alternate" type="application/atom+xml"`) {
		t.Error("the page of the county does not name its feed")
	}
}

// TestFollow: what is not valid neither ends a run nor begins one.
func TestFollow(t *testing.T) {
	t.Parallel()
	limit := quality.LimitRef{Op: "<=", Hi: quality.Some(50)}
	for _, tc := range []struct {
		parts string // o over, . within, - not valid
		want  string
	}{
		{"....", ""},
		{".oo.", "1+2e4"},
		{"oo", "c0+2"},
		{"--o--o.", "c2+2e7"},
		{".o--o.", "1+2e6"},
		{".o--", "1+1"},
		{"-o.o.", "c1+1e3 3+1e5"},
	} {
		var parts []part
		t0 := testNow.Truncate(24 * time.Hour)
		for i, r := range tc.parts {
			at := t0.Add(time.Duration(i) * time.Hour)
			parts = append(parts, part{at, at.Add(time.Hour), quality.Some(60), limit, r != '-', r == 'o'})
		}
		var got []string
		for _, e := range follow("x", "hour", parts) {
			s := map[bool]string{true: "c"}[e.cut] + string(rune('0'+int(e.from.Sub(t0).Hours()))) + "+" + string(rune('0'+e.n))
			if !e.over.IsZero() {
				s += "e" + string(rune('0'+int(e.over.Sub(t0).Hours())))
			}
			got = append(got, s)
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s: %v, want %s", tc.parts, got, tc.want)
		}
	}
}
