package web

import (
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTable(t *testing.T) {
	t.Parallel()
	q, _ := url.ParseQuery("state=exceed&sort=-ratio&page=3")
	table := Table{Path: "/zh/outlets", Query: q, Default: "name", Swap: "list"}
	for _, c := range []struct {
		key  string
		want SortHead
	}{
		{"ratio", SortHead{Label: "x", Href: "/zh/outlets?sort=ratio&state=exceed", Aria: "descending", Swap: "list"}},
		{"name", SortHead{Label: "x", Href: "/zh/outlets?sort=name&state=exceed", Aria: "none", Swap: "list"}},
	} {
		if d := cmp.Diff(c.want, table.Head(c.key, "x", "")); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.key, d)
		}
	}
	if got := table.Without("state"); got != "/zh/outlets?sort=-ratio" {
		t.Errorf("without the filter: %s", got)
	}
	from, to, p := table.Cut(120, 50)
	if from != 100 || to != 120 || p.Pages != 3 || p.Next != "" || p.Previous != "/zh/outlets?page=2&sort=-ratio&state=exceed" {
		t.Errorf("last page: %d–%d %+v", from, to, p)
	}
	if q.Get("page") != "3" || q.Get("sort") != "-ratio" {
		t.Errorf("the query of the request was changed: %v", q)
	}
	for page, want := range map[string][2]int{"all": {0, 120}, "99": {100, 120}, "-1": {0, 50}, "x": {0, 50}, "": {0, 50}} {
		q := url.Values{"page": {page}}
		if from, to, _ := (Table{Query: q}).Cut(120, 0); from != want[0] || to != want[1] {
			t.Errorf("page %q: %d–%d, want %v", page, from, to, want)
		}
	}
	if from, to, p := (Table{}).Cut(0, 50); from != 0 || to != 0 || p.Pages != 1 {
		t.Errorf("empty list: %d–%d %+v", from, to, p)
	}
}
