package casework

import (
	"slices"
	"strings"
	"testing"

	"plateau/internal/platform/auth"
)

// TestTerms: how texts are cut.
func TestTerms(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, terms, sought string }{
		{"岸边垃圾", "岸 边 岸边 垃 边垃 圾 垃圾", "岸边 边垃 垃圾"},
		{"水", "水", "水"},
		{"COD超标 ３ 次", "cod 超 标 超标 3 次", "cod 超标 3 次"},
		{"ཆུ་རགས་སྐྱོན་ཤོར།", "ཆུ རགས སྐྱོན ཤོར", "ཆུ རགས སྐྱོན ཤོར"},
		{"ཆུ་རགས༎ ཆུ་", "ཆུ རགས", "ཆུ རགས"},
		{"གྷ", "གྷ", "གྷ"}, // one character or two are the same
		{"Café, CAFÉ; cafe", "cafe", "cafe"},
		{"Straße 12-b", "straße 12 b", "straße 12 b"},
		{"༢༦ ཟླ་", "26 ཟླ", "26 ཟླ"},
		{"，。 —", "", ""},
		{"", "", ""},
	} {
		if got := strings.Join(terms(tt.text), " "); got != tt.terms {
			t.Errorf("%q is cut into %q, want %q", tt.text, got, tt.terms)
		}
		if got := strings.Join(sought(tt.text), " "); got != tt.sought {
			t.Errorf("%q looks for %q, want %q", tt.text, got, tt.sought)
		}
	}
	if got := terms("拉萨河", "拉萨"); len(got) != 5 {
		t.Errorf("terms twice: %v", got)
	}
	if got := sought(strings.Repeat("河湖", 50)); len(got) > mostSought {
		t.Errorf("%d terms of one query", len(got))
	}
	if got := terms(strings.Repeat("a", 500)); len(got) != 1 || len(got[0]) != maxTerm {
		t.Errorf("%v", got)
	}
}

// TestSearch: words in three languages find the same cases on both databases, all of
// a query's words count, and a number finds its case however it is written.
func TestSearch(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, url string) {
		t.Helper()
		r := newRig(t, url, Default())
		open := func(title, text, address string) *Case {
			o := report()
			o.Title, o.Text, o.Location.Address = title, text, address
			return r.opened(t, citizen, o)
		}
		a := open("堆龙河岸边垃圾", "桥下约有三立方米建筑垃圾", "和平桥下游200米")
		b := open("ཆུ་རགས་སྐྱོན་ཤོར།", "གཙང་པོའི་འགྲམ་དུ་གད་སྙིགས་འདུག", "")
		c := open("Sewage at the Old Bridge", "Grey water, since Monday; smells of Sulphur", "Rue du Café 12")
		name := map[string]string{a.ID: "a", b.ID: "b", c.ID: "c"}
		for _, tt := range []struct{ query, want string }{
			{"垃圾", "a"},
			{"建筑垃圾", "a"},
			{"桥", "a"},
			{"垃圾 桥", "a"},
			{"和平桥", "a"},
			{"200", "a"},
			{"河桥", ""},
			{"污水", ""},
			{"རགས", "b"},
			{"ཆུ་རགས་", "b"},
			{"གད་སྙིགས།", "b"},
			{"རགས་ཤོར", "b"},
			{"གཙང་པོ", ""},
			{"གཙང་པོའི", "b"},
			{"འཁྱགས", ""},
			{"sewage", "c"},
			{"SULPHUR bridge", "c"},
			{"cafe", "c"},
			{"CAFÉ 12", "c"},
			{"sew", ""},
			{"sewage 垃圾", ""},
			{a.TrackingNo, "a"},
			{Written(b.TrackingNo), "b"},
			{"  ", ""},
			{"。", ""},
		} {
			var got []string
			for _, p := range []auth.Principal{clerk, upper} {
				for _, id := range r.all(t, Filter{Query: tt.query, N: 1}, p) {
					got = append(got, name[id])
				}
			}
			want := strings.Repeat(tt.want, 2)
			if tt.query == "  " {
				want = "" // nothing that could be found
			}
			if strings.Join(got, "") != want {
				t.Errorf("%q finds %v, want %s", tt.query, got, want)
			}
		}
		for range 5 {
			open("同样的垃圾", "", "")
		}
		found := r.all(t, Filter{Query: "垃圾", N: 2}, clerk)
		if len(found) != 6 || !slices.IsSortedFunc(found, func(a, b string) int { return strings.Compare(b, a) }) {
			t.Errorf("found %d, the last opened first: %v", len(found), found)
		}
		if got := r.all(t, Filter{Query: "垃圾"}, other); len(got) != 0 {
			t.Errorf("somebody who sees no case finds %v", got)
		}
	})
}

// TestSearchTellsNothing: a case is not found by what some who see it may not read:
// instructions, reasons between offices, what was reported on the way.
func TestSearchTellsNothing(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, url string) {
		t.Helper()
		r := newRig(t, url, Default())
		c := r.opened(t, citizen, report())
		r.does(t, clerk, c.ID, "need_info", Input{Form: map[string]string{"question": "桥在何处"}})
		r.does(t, citizen, c.ID, "answer", Input{Form: map[string]string{"answer": "邻居扎西看见"}})
		r.does(t, clerk, c.ID, "hand_out", Input{Form: map[string]string{"unit": "water", "note": "内部意见"}})
		r.does(t, handler, c.ID, "accept", Input{})
		r.does(t, upper, c.ID, "supervise", Input{Form: map[string]string{"letter_no": "督字九号", "due": "2026-07-01"}})
		r.does(t, handler, c.ID, "report_done", Input{Form: map[string]string{"note": "夜里抽排"}, Attachments: photo})
		r.does(t, clerk, c.ID, "verify_ok", Input{Form: map[string]string{"summary": "河面干净"}})
		for query, want := range map[string]bool{"何处": true, "干净": true, "扎西": false, "内部": false, "督字": false, "抽排": false, "citizen": false} {
			for _, p := range []auth.Principal{clerk, handler, citizen} {
				if got := len(r.all(t, Filter{Query: query}, p)) == 1; got != want {
					t.Errorf("%s finds the case by %q: %t", p.ID, query, got)
				}
			}
		}
	})
}
