package telemetryweb

import (
	"math"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/internal/web"
	"plateau/internal/web/chart"
)

// stateTile is a count of the state strip.
type stateTile struct {
	State  string
	N      int
	Change string
	Href   string
}

// group is the part of the table that one state fills.
type group struct {
	State, Title string
	N            int
	Rows         []row
	More         int
	MoreHref     string
}

// lostHour is an hour that will not be valid, or may not.
type lostHour struct {
	Name   word
	Href   string
	Factor word
	Valid  string
	Text   string
	Lost   bool
}

// overviewView is what the overview shows.
type overviewView struct {
	Now, Latest time.Time
	Total, Need int
	Tiles       []stateTile
	Groups      []group
	Filter      filter
	FilterText  string
	AreaField   web.Field
	MediumField web.Field
	TextField   web.Field
	Map         chart.Map
	Lost        []lostHour
	LostRange   string
	Heat        chart.Heat
	Legend      []string
	exported
	Alarms string // the open ones, in a sentence; "" = not known
}

type actionState struct {
	state quality.State
	rows  int
}

// actionStates are the states that need somebody, most pressing first, with the
// rows shown of each; what is more is one link away. The numbers keep the page
// within its element budget.
var actionStates = []actionState{{quality.Exceed, 16}, {quality.Warn, 10}, {quality.Suspect, 5}, {quality.Offline, 5}}

func (h *Handler) overviewAlias(c *call) error {
	to := "/"
	if q := c.r.URL.RawQuery; q != "" {
		to += "?" + q
	}
	return c.see(to)
}

func (h *Handler) overview(c *call) error {
	f := c.filter()
	list, err := h.states(c, f)
	if err != nil {
		return err
	}
	if _, format := cutFormat(path.Base(c.r.URL.Path)); format != "" {
		list = slices.Clone(list)
		list = slices.DeleteFunc(list, func(s quality.StateResult) bool { return f.State != "" && s.State.String() != f.State })
		e := h.exportRows(c, list, f)
		e.Name = "overview"
		return e.send(c, format)
	}
	v := h.overviewView(c, list, f)
	title := c.l.T("overview.title")
	if !c.actor.May(Shifts) { // hands no shift over
		title = c.l.T("nav.overview")
	}
	return h.render(c, http.StatusOK, "overview.html", &web.Page{Title: title, Module: "overview", Wide: true, Data: v})
}

func (h *Handler) overviewView(c *call, list []quality.StateResult, f filter) *overviewView {
	v := &overviewView{Now: c.now, Total: len(list), Filter: f, FilterText: f.words(c), exported: exported{c.path("/overview"), c.r.URL.RawQuery}}
	h.strip(c, v, list)
	for _, a := range actionStates {
		if f.State != "" && f.State != a.state.String() {
			continue
		}
		v.Groups = append(v.Groups, h.group(c, list, a.state, a.rows)...)
	}
	for _, s := range list {
		if s.Seen > 0 {
			if t := time.Unix(s.Seen, 0); t.After(v.Latest) {
				v.Latest = t
			}
		}
	}
	v.TextField = web.Field{Name: "q", Kind: "search", Label: c.l.T("outlets.search"), Value: f.Text}
	v.AreaField = web.Field{Name: "area", Kind: "select", Label: c.l.T("outlets.area"), Options: c.areaOptions(f.Area)}
	v.MediumField = web.Field{Name: "medium", Kind: "select", Label: c.l.T("outlets.medium"), Options: c.mediumOptions(f.Medium)}
	v.Map = h.mapOf(c, list)
	v.Legend = chart.States()
	h.lost(c, v, list)
	if n, err := h.openAlarms(c); err == nil { // else the states above are what matters
		v.Alarms = c.alarmAnswer(n)
	}
	v.Heat = h.heat(c)
	return v
}

// strip counts the states and compares them with 24 hours ago; the comparison
// is of the whole region, so a filtered or partial view goes without.
func (h *Handler) strip(c *call, v *overviewView, list []quality.StateResult) {
	now := countsOf(list)
	before, known := h.Quality.CountsBefore(c.now)
	f := v.Filter
	f.State = ""
	known = known && !f.Any() && c.seen.All()
	for _, s := range quality.AllStates {
		t := stateTile{State: s.String(), N: now[s], Href: c.with("/outlets", "state", s.String())}
		if known {
			switch d := now[s] - before[s]; {
			case d > 0:
				t.Change = c.l.T("overview.change", "d", "+"+strconv.Itoa(d))
			case d < 0:
				t.Change = c.l.T("overview.change", "d", "−"+strconv.Itoa(-d))
			default:
				t.Change = c.l.T("overview.same")
			}
		}
		v.Tiles = append(v.Tiles, t)
	}
	for _, a := range actionStates {
		v.Need += now[a.state]
	}
}

// with is an address with the present filter and one value more.
func (c *call) with(path, name, value string) string {
	q := url.Values{}
	for k, v := range c.r.URL.Query() {
		if k == "q" || k == "area" || k == "medium" || k == "state" {
			q[k] = v
		}
	}
	q.Set(name, value)
	return c.path(path) + "?" + q.Encode()
}

func (h *Handler) group(c *call, list []quality.StateResult, state quality.State, limit int) []group {
	var of []quality.StateResult
	for _, s := range list {
		if s.State == state {
			of = append(of, s)
		}
	}
	if len(of) == 0 {
		return nil
	}
	slices.SortStableFunc(of, byUrgency)
	g := group{State: state.String(), Title: c.l.T("overview.group."+state.String(), "n", len(of)), N: len(of)}
	for _, s := range of[:min(limit, len(of))] {
		g.Rows = append(g.Rows, h.row(c, s, true))
	}
	if g.More = len(of) - len(g.Rows); g.More > 0 {
		g.MoreHref = c.with("/outlets", "state", g.State)
	}
	return []group{g}
}

func (h *Handler) mapOf(c *call, list []quality.StateResult) chart.Map {
	var m chart.Map
	type sum struct {
		lon, lat float64
		n, need  int
	}
	sums := map[string]*sum{}
	for _, s := range list {
		o := c.snap.Outlets[s.Outlet]
		if o.Lon == 0 && o.Lat == 0 {
			continue
		}
		m.Symbols = append(m.Symbols, chart.Symbol{
			Lon: o.Lon, Lat: o.Lat, State: s.State.String(), Name: c.outletName(o).Text, Href: c.path(outletPath(o.ID)),
			Area: o.Area, AreaName: c.area(o.Area).Text, AreaHref: c.path("/outlets") + "?area=" + url.QueryEscape(o.Area),
		})
		pref := c.snap.Prefecture(o.Area)
		a := sums[pref]
		if a == nil {
			a = &sum{}
			sums[pref] = a
		}
		a.lon, a.lat, a.n = a.lon+o.Lon, a.lat+o.Lat, a.n+1
		if needsSomebody(s.State) {
			a.need++
		}
	}
	for _, code := range sortedKeys(sums) {
		a, name := sums[code], c.area(code)
		lab := chart.MapLabel{Lon: a.lon / float64(a.n), Lat: a.lat/float64(a.n) + 0.45, Text: name.Text, Lang: name.Lang}
		if a.need > 0 {
			lab.Count = strconv.Itoa(a.need)
		}
		m.Labels = append(m.Labels, lab)
	}
	return m
}

func needsSomebody(s quality.State) bool {
	return slices.ContainsFunc(actionStates, func(a actionState) bool { return a.state == s })
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// maxLost is how many hours the card of lost hours names.
const maxLost = 6

func (h *Handler) lost(c *call, v *overviewView, list []quality.StateResult) {
	forecasts, err := h.Quality.Forecasts(c.now)
	if err != nil {
		return // the card stays empty; the states above are what matters
	}
	shown := map[telemetry.OutletID]bool{}
	for _, s := range list {
		shown[s.Outlet] = true
	}
	hour := c.now.Truncate(time.Hour)
	v.LostRange = i18n.Hours(hour, hour.Add(time.Hour))
	for _, f := range forecasts {
		o := c.snap.Outlets[f.Outlet]
		if o == nil || !shown[f.Outlet] || !f.Lost && !f.AtRisk {
			continue
		}
		l := lostHour{
			Name: c.outletName(o), Factor: c.factor(f.Code), Lost: f.Lost, Href: c.path(outletPath(o.ID)) + "?factor=" + url.QueryEscape(f.Code),
			Valid: c.l.T("overview.valid_of", "n", f.NValid, "all", f.Elapsed),
			Text:  c.l.T("overview.still_missing", "n", f.Missing, "left", f.Possible),
		}
		if f.Lost {
			l.Text = c.l.T("overview.is_lost", "n", f.Missing)
		}
		if v.Lost = append(v.Lost, l); len(v.Lost) == maxLost {
			return
		}
	}
}

// heat sums the completeness of counties to prefectures.
func (h *Handler) heat(c *call) chart.Heat {
	cells := h.Quality.Completeness(c.now)
	from := c.now.Truncate(time.Hour).Add(-23 * time.Hour)
	mine := map[string]bool{}
	for _, o := range c.snap.Outlets {
		if c.sees(o) {
			mine[o.Area] = true
		}
	}
	seen, due := map[string]*[24]int{}, map[string]*[24]int{}
	for county, row := range cells {
		if !mine[county] {
			continue
		}
		p := c.snap.Prefecture(county)
		if seen[p] == nil {
			seen[p], due[p] = new([24]int), new([24]int)
		}
		for _, cell := range row {
			if i := int((cell.Hour - from.Unix()) / 3600); i >= 0 && i < 24 {
				seen[p][i] += cell.Seen
				due[p][i] += cell.Expected
			}
		}
	}
	heat := chart.Heat{From: from}
	for _, p := range sortedKeys(seen) {
		name := c.area(p)
		if name.Text == "" { // outlets that were adopted in a hurry
			name = word{c.l.T("overview.no_area"), string(c.lang)}
		}
		r := chart.HeatRow{Name: name.Text, Lang: name.Lang, Percent: make([]float64, 24)}
		for i := range r.Percent {
			r.Percent[i] = math.NaN()
			if due[p][i] > 0 {
				r.Percent[i] = 100 * float64(seen[p][i]) / float64(due[p][i])
			}
		}
		heat.Rows = append(heat.Rows, r)
	}
	return heat
}

func (c *call) areaOptions(current string) []web.Option {
	out := []web.Option{{Text: c.l.T("outlets.all_areas"), Selected: current == ""}}
	for _, code := range sortedKeys(c.snap.Areas) {
		a := c.snap.Areas[code]
		if a.Level == "prefecture" && c.snap.Current(a) || a.Code == current {
			out = append(out, web.Option{Value: code, Text: c.name(a.Name).Text, Selected: code == current})
		}
	}
	return out
}

func (c *call) mediumOptions(current string) []web.Option {
	out := []web.Option{{Text: c.l.T("outlets.all_media"), Selected: current == ""}}
	for _, m := range []telemetry.Medium{telemetry.Gas, telemetry.Water, telemetry.Surface} {
		out = append(out, web.Option{Value: string(m), Text: c.l.T("medium." + string(m)), Selected: strings.EqualFold(string(m), current)})
	}
	return out
}
