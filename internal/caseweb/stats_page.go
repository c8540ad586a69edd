package caseweb

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"slices"
	"strconv"

	"plateau/internal/platform/casework"
	"plateau/internal/platform/csvcell"
	"plateau/internal/platform/i18n"
	"plateau/internal/web"
	"plateau/internal/web/chart"
	"plateau/internal/web/kit"
)

// statsPages count cases.
func statsPages() []kit.Route[*Handler, *call] {
	return []kit.Route[*Handler, *call]{
		kit.Get("/cases/statistics", Open, (*Handler).statistics),
		kit.Get("/cases/statistics.csv", Open, (*Handler).statisticsCSV),
	}
}

// statLine is a line of a table of counts.
type statLine struct {
	casework.Counted
	Name  string
	Href  string // the open cases it counts; "" = none
	Share chart.Share
}

// statTime is how long cases took to a state.
type statTime struct {
	Kind, State string
	N           int
	Median, P90 string
	Days        chart.Share
}

type statsView struct {
	Tiles               []web.Tile
	Fields              []web.Field
	Bars                chart.Bars
	Months              []casework.Counted
	Areas, Kinds        []statLine
	Times               []statTime
	Narrowed, Anything  bool
	Clear, List, Export string
}

// statisticsFilter is what the address asks for: the last twelve months without it.
func (c *call) statisticsFilter() casework.StatisticsFilter {
	to := c.Now.In(i18n.Zone).Format("2006-01")
	from := c.Now.In(i18n.Zone).AddDate(0, 0, 1-c.Now.In(i18n.Zone).Day()).AddDate(0, -11, 0).Format("2006-01")
	return casework.StatisticsFilter{
		System: c.Query("system"), Kind: c.Query("kind"), Area: c.Query("area"), From: i18n.Digits(cmp.Or(c.Query("from"), from)), To: i18n.Digits(cmp.Or(c.Query("to"), to)),
	}
}

// lines name what was counted, those with the most open cases first.
func lines(list []casework.Counted, name, href func(string) string) (out []statLine) {
	most := 0
	for _, x := range list {
		most = max(most, x.Open)
	}
	for _, x := range list {
		out = append(out, statLine{x, name(x.Key), href(x.Key), chart.Share{Value: x.Open, Part: x.Overdue, Most: most}})
	}
	slices.SortStableFunc(out, func(a, b statLine) int { return cmp.Compare(b.Open, a.Open) })
	return out
}

// kind is a type of cases with its name in words.
func (h *Handler) kind(c *call, kind string) (*casework.Type, string) {
	t, ok := h.Cases.Types.InForce(kind, i18n.Short(c.Now))
	if !ok {
		return nil, kind
	}
	return t, in(t.Name, c.Lang)
}

// times names states, in the order of the types, and writes lengths of time.
func (h *Handler) times(c *call, list []casework.Took) (out []statTime) {
	most := 0
	for _, x := range list {
		most = max(most, x.P90Days)
	}
	order := map[string]int{}
	for _, x := range list {
		t, name := h.kind(c, x.Kind)
		y := statTime{
			Kind: name, State: x.State, N: x.N, Days: chart.Share{Value: x.P90Days, Part: 0, Most: most},
			Median: c.took(x.MedianDays, x.MedianHours), P90: c.took(x.P90Days, x.P90Hour),
		}
		if t != nil {
			if i := slices.IndexFunc(t.States, func(s *casework.State) bool { return s.Name == x.State }); i >= 0 {
				y.State = in(t.States[i].Label, c.Lang)
				order[y.Kind+"\x00"+y.State] = i
			}
		}
		out = append(out, y)
	}
	slices.SortStableFunc(out, func(a, b statTime) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(order[a.Kind+"\x00"+a.State], order[b.Kind+"\x00"+b.State]))
	})
	return out
}

// took writes a length of time: in working days, and in hours what took none.
func (c *call) took(days, hours int) string {
	if days == 0 {
		return c.L.T("casestats.hours", "n", hours)
	}
	return c.L.T("casestats.days", "n", days)
}

func (h *Handler) statistics(c *call) error {
	f := c.statisticsFilter()
	month := func(name, value string) web.Field {
		return web.Field{Name: name, Label: c.L.T("casestats.by_" + name), Value: value, Width: "short", Input: "numeric", Hint: c.L.T("casestats.hint_month")}
	}
	v := &statsView{List: c.Path("/cases"), Clear: c.Path("/cases/statistics"), Narrowed: c.R.URL.RawQuery != ""}
	if v.Export = c.Path("/cases/statistics.csv"); v.Narrowed {
		v.Export += "?" + c.R.URL.Query().Encode()
	}
	fields, err := h.narrowing(c)
	if err != nil {
		return err
	}
	for _, x := range fields {
		if x.Name == "system" || x.Name == "kind" || x.Name == "area" {
			v.Fields = append(v.Fields, x)
		}
	}
	v.Fields = append(v.Fields, month("from", f.From), month("to", f.To))
	p := &web.Page{Title: c.L.T("casestats.title"), Crumbs: c.Crumbs("caselist.title", "/cases"), Wide: true, Data: v}
	s, wrong := h.Cases.Statistics(c.Ctx(), f, c.Who)
	status, err := c.Faults(wrong, p, kit.Pointers(v.Fields)...)
	if err != nil {
		return err
	}
	v.Anything = s.Open+s.Opened+s.Closed+s.Reopens > 0
	list := func(name, value string) string {
		return c.Path("/cases") + "?queue=" + string(casework.AllOpen) + "&" + name + "=" + value
	}
	tile := func(key string, n int, href string) {
		v.Tiles = append(v.Tiles, web.Tile{Label: c.L.T("casestats." + key), Value: strconv.Itoa(n), Href: href})
	}
	tile("open", s.Open, c.Path("/cases")+"?queue="+string(casework.AllOpen))
	tile("overdue", s.Overdue, c.Path("/cases")+"?queue="+string(casework.Overdue))
	tile("soon", s.Soon, c.Path("/cases")+"?queue="+string(casework.Soon))
	tile("opened", s.Opened, "")
	tile("closed", s.Closed, "")
	tile("reopened", s.Reopens, "")
	v.Months = s.Months
	v.Bars = chart.Bars{Label: c.L.T("casestats.picture", "opened", s.Opened, "closed", s.Closed), Names: [2]string{c.L.T("casestats.opened"), c.L.T("casestats.closed")}}
	for _, m := range s.Months {
		v.Bars.Groups = append(v.Bars.Groups, chart.BarGroup{Name: m.Key, Values: [2]int{m.Opened, m.Closed}})
	}
	v.Areas = lines(s.Areas, func(code string) string { return h.place(code, c.Lang) }, func(code string) string { return list("area", code) })
	v.Kinds = lines(s.Kinds, func(kind string) string { _, name := h.kind(c, kind); return name }, func(kind string) string { return list("kind", kind) })
	v.Times = h.times(c, s.Times)
	return c.Render(status, "case_statistics.html", p)
}

// statisticsCSV holds the tables of the page, one behind the other.
func (h *Handler) statisticsCSV(c *call) error {
	s, err := h.Cases.Statistics(c.Ctx(), c.statisticsFilter(), c.Who)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString("\ufeff")
	w := csv.NewWriter(&b)
	rows := [][]string{{"table", "key", "name", "open", "overdue", "opened", "closed", "reopened", "n", "median_working_days", "p90_working_days", "median_hours", "p90_hours"}}
	count := func(table, name string, x *casework.Counted) {
		rows = append(rows, []string{table, csvcell.Safe(x.Key), csvcell.Safe(name), strconv.Itoa(x.Open), strconv.Itoa(x.Overdue), strconv.Itoa(x.Opened), strconv.Itoa(x.Closed), strconv.Itoa(x.Reopens), "", "", "", "", ""})
	}
	for i := range s.Months {
		x := &s.Months[i]
		rows = append(rows, []string{"month", x.Key, "", "", "", strconv.Itoa(x.Opened), strconv.Itoa(x.Closed), strconv.Itoa(x.Reopens), "", "", "", "", ""})
	}
	for i := range s.Areas {
		count("area", h.place(s.Areas[i].Key, c.Lang), &s.Areas[i])
	}
	for i := range s.Kinds {
		_, name := h.kind(c, s.Kinds[i].Key)
		count("kind", name, &s.Kinds[i])
	}
	for _, x := range s.Times {
		name := x.State
		if t, _ := h.kind(c, x.Kind); t != nil {
			if st := t.State(x.State); st != nil {
				name = in(st.Label, c.Lang)
			}
		}
		rows = append(rows, []string{"time", x.Kind + "." + x.State, csvcell.Safe(name), "", "", "", "", "", strconv.Itoa(x.N), strconv.Itoa(x.MedianDays), strconv.Itoa(x.P90Days), strconv.Itoa(x.MedianHours), strconv.Itoa(x.P90Hour)})
	}
	if err := w.WriteAll(rows); err != nil {
		return err
	}
	return c.send("text/csv; charset=utf-8", "csv", b.Bytes())
}
