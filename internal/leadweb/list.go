package leadweb

import (
	"cmp"
	"encoding/csv"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/csvcell"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/lead"
	"plateau/internal/web"
)

// row is a lead of the list.
type row struct {
	Title, Sentence, Href string
	Outlet, Area          word
	When, Month           string
	Percent, State        string
}

type listView struct {
	Tabs    []web.Tab
	Answer  string
	Fields  []web.Field
	Rows    []row
	Pager   web.Pager
	Words   string // the filter; "" = none
	Path    string
	Export  string
	Outlets string // how many were looked at
}

// filter reads the filter of the address.
func (c *call) filter() lead.Filter {
	f := lead.Filter{Outlets: c.sees, Outlet: outletID(c.Query("outlet")), Area: c.Query("area"), Detector: c.Query("detector"), State: c.Query("state")}
	if !slices.Contains(lead.ListStates, f.State) {
		f.State = ""
	}
	return f
}

// fields are the controls of the filter, and the filter in words.
func (c *call) fields(f lead.Filter) (fields []web.Field, words string) {
	areas := []web.Option{{Text: c.L.T("lead.any_area")}}
	codes := map[string]bool{}
	outlets := []web.Option{{Text: c.L.T("lead.any_outlet")}}
	for _, id := range c.snap.Order {
		o := c.snap.Outlets[id]
		if o == nil || !c.sees(o) {
			continue
		}
		if f.Area == "" || c.snap.Within(o.Area, f.Area) {
			outlets = append(outlets, web.Option{Value: strconv.Itoa(int(id)), Text: c.outlet(o).Text})
		}
		for code := o.Area; code != "" && !codes[code]; {
			codes[code] = true
			a := c.snap.Areas[code]
			if a == nil {
				break
			}
			code = a.Parent
		}
	}
	for _, code := range sortedKeys(codes) {
		areas = append(areas, web.Option{Value: code, Text: c.area(code).Text})
	}
	kinds := []web.Option{{Text: c.L.T("lead.any_detector")}}
	for _, d := range lead.Detectors() {
		kinds = append(kinds, web.Option{Value: d.ID, Text: c.title(d.ID)})
	}
	var states []web.Option
	for _, s := range lead.ListStates {
		states = append(states, web.Option{Value: s, Text: c.L.T("lead.state_" + s)})
	}
	fields = []web.Field{
		c.Choose("area", f.Area, areas...), c.Choose("outlet", c.Query("outlet"), outlets...),
		c.Choose("detector", f.Detector, kinds...), c.Choose("state", cmp.Or(f.State, "open"), states...),
	}
	for i, on := range []bool{f.Area != "", f.Outlet != 0, f.Detector != "", f.State != "" && f.State != "open"} {
		if !on {
			continue
		}
		for _, o := range fields[i].Options {
			if o.Selected {
				words += map[bool]string{true: ", "}[words != ""] + o.Text
			}
		}
	}
	return fields, words
}

func sortedKeys(m map[string]bool) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func (h *Handler) row(c *call, l *lead.Lead) row {
	o := c.snap.Outlets[l.Outlet]
	return row{
		Title: c.title(l.Detector), Sentence: c.sentence(l, o), Href: c.Path("/leads/" + l.ID), Outlet: c.outlet(o), Area: c.area(o.Area),
		When: c.span(l.From, l.To), Month: l.Month, Percent: percent(l.Rank), State: c.L.T("lead.state_" + state(l)),
	}
}

func (h *Handler) list(c *call) error {
	f := c.filter()
	all, err := h.Leads.List(c.Ctx(), f)
	if err != nil {
		return err
	}
	v := &listView{Tabs: c.tabs("leads"), Path: c.Path("/leads"), Answer: c.L.T("lead.answer", "n", len(all))}
	v.Fields, v.Words = c.fields(f)
	query := c.R.URL.Query()
	from, to, pager := web.Table{Path: v.Path, Query: query}.Cut(len(all), 0)
	v.Pager = pager
	for i := range all[from:to] {
		v.Rows = append(v.Rows, h.row(c, &all[from+i]))
	}
	v.Export = c.Path("/leads.csv") + "?" + url.Values{"area": {f.Area}, "outlet": {c.Query("outlet")}, "detector": {f.Detector}, "state": {f.State}}.Encode()
	if len(all) == 0 {
		n, _, err := h.Leads.Progress(c.Ctx())
		if err != nil {
			return err
		}
		v.Outlets = strconv.Itoa(n)
	}
	return c.Render(200, "leads.html", &web.Page{Title: c.L.T("lead.title"), Wide: true, Data: v})
}

// file is the filtered list with every figure, for other programs.
func (h *Handler) file(c *call) error {
	all, err := h.Leads.List(c.Ctx(), c.filter())
	if err != nil {
		return err
	}
	c.W.Header().Set("Content-Type", "text/csv; charset=utf-8")
	c.W.Header().Set("Content-Disposition", `attachment; filename="leads-`+i18n.Short(c.Now)+`.csv"`)
	if _, err := c.W.Write([]byte("\ufeff")); err != nil {
		return err
	}
	out := csv.NewWriter(c.W)
	_ = out.Write([]string{"id", "detector", "rule_version", "rule_hash", "outlet", "outlet_name", "area", "month", "factor", "compared_factor", "compared_outlet", "from", "to", "strength", "rank", "state", "case_no", "found_at", "changed_at", "vanished_at", "figures", "sentence"})
	stamp := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.In(i18n.Zone).Format(time.RFC3339)
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	id := func(o telemetry.OutletID) string {
		if o == 0 {
			return ""
		}
		return strconv.Itoa(int(o))
	}
	for i := range all {
		l := &all[i]
		o := c.snap.Outlets[l.Outlet]
		figs := make([]string, len(l.Figures))
		for k, f := range l.Figures {
			figs[k] = f.Key + "=" + number(f.Value)
		}
		_ = out.Write([]string{
			l.ID, l.Detector, strconv.Itoa(l.Version), l.Hash, id(l.Outlet), csvcell.Safe(c.outlet(o).Text), o.Area, l.Month, l.Factor, l.Other, id(l.Peer),
			stamp(time.Unix(l.From, 0)), stamp(time.Unix(l.To, 0)), number(l.Score), number(l.Rank), state(l), l.CaseNo, stamp(l.Found), stamp(l.Changed), stamp(l.Vanished), strings.Join(figs, "; "), csvcell.Safe(c.sentence(l, o)),
		})
	}
	out.Flush()
	return out.Error()
}
