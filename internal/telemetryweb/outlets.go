package telemetryweb

import (
	"cmp"
	"net/http"
	"path"
	"slices"
	"time"

	"plateau/internal/telemetry/quality"
	"plateau/internal/web"
)

// outletsView is the list of outlets.
type outletsView struct {
	Now         time.Time
	Rows        []row
	Total       int
	Filter      filter
	FilterText  string
	StateField  web.Field
	AreaField   web.Field
	MediumField web.Field
	TextField   web.Field
	Table       web.Table
	Heads       []web.SortHead
	Pager       web.Pager
	Things      bool // there are pages of what clients made
	exported
}

func (h *Handler) outlets(c *call) error {
	f := c.filter()
	list, err := h.states(c, f)
	if err != nil {
		return err
	}
	if f.State != "" {
		list = slices.DeleteFunc(slices.Clone(list), func(s quality.StateResult) bool { return s.State.String() != f.State })
	}
	v := &outletsView{Now: c.now, Filter: f, FilterText: f.words(c), Total: len(list), exported: exported{c.path("/outlets"), c.r.URL.RawQuery}}
	v.Things = h.hasThings(c)
	base, format := cutFormat(path.Base(c.r.URL.Path))
	v.Table = web.Table{Path: c.path("/" + base), Query: c.r.URL.Query(), Default: "state", Swap: "outlet-list"}
	list = h.sortOutlets(c, list, v.Table)
	if format != "" {
		e := h.exportRows(c, list, f)
		return e.send(c, format)
	}
	from, to, pager := v.Table.Cut(len(list), 50)
	v.Pager = pager
	for _, s := range list[from:to] {
		v.Rows = append(v.Rows, h.row(c, s, true))
	}
	for _, col := range []struct{ key, word, class string }{{"name", "name", ""}, {"state", "state", ""}, {"factor", "factor", ""}, {"ratio", "value", "num"}} {
		v.Heads = append(v.Heads, v.Table.Head(col.key, c.l.T("outlets.col_"+col.word), col.class))
	}
	v.TextField = web.Field{Name: "q", Kind: "search", Label: c.l.T("outlets.search"), Value: f.Text}
	v.AreaField = web.Field{Name: "area", Kind: "select", Label: c.l.T("outlets.area"), Options: c.areaOptions(f.Area)}
	v.MediumField = web.Field{Name: "medium", Kind: "select", Label: c.l.T("outlets.medium"), Options: c.mediumOptions(f.Medium)}
	v.StateField = web.Field{Name: "state", Kind: "select", Label: c.l.T("outlets.state"), Options: []web.Option{{Text: c.l.T("outlets.all_states"), Selected: f.State == ""}}}
	for _, s := range quality.AllStates {
		v.StateField.Options = append(v.StateField.Options, web.Option{Value: s.String(), Text: c.l.T("state." + s.String()), Selected: f.State == s.String()})
	}
	return h.render(c, http.StatusOK, "outlets.html", &web.Page{Title: c.l.T("outlets.title"), Module: "outlets", Wide: true, Data: v})
}

// sortOutlets orders by the column of the address; equal ones keep the
// registry's order.
func (h *Handler) sortOutlets(c *call, list []quality.StateResult, t web.Table) []quality.StateResult {
	key, desc := t.Sort()
	compare := func(a, b quality.StateResult) int {
		switch key {
		case "name":
			return cmp.Compare(c.outletName(c.snap.Outlets[a.Outlet]).Text, c.outletName(c.snap.Outlets[b.Outlet]).Text)
		case "factor":
			return cmp.Compare(a.Factor, b.Factor)
		case "ratio":
			return cmp.Compare(times(a), times(b))
		default: // by state in the order of the strip
			return cmp.Or(cmp.Compare(slices.Index(quality.AllStates, a.State), slices.Index(quality.AllStates, b.State)), byUrgency(a, b))
		}
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b quality.StateResult) int {
		if desc {
			return compare(b, a)
		}
		return compare(a, b)
	})
	return list
}
