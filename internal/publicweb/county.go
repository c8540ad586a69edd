package publicweb

import (
	"slices"
	"strings"
	"time"

	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/quality"
	"plateau/internal/web"
	"plateau/internal/web/chart"
)

// countyLine is a county in the list of the first page.
type countyLine struct {
	Name  word
	Href  string
	State string
	Text  string
}

// Shape is the drawing that goes with the state.
func (l countyLine) Shape() string { return finding{State: l.State}.Shape() }

type prefecture struct {
	Name     word
	ID       string
	Counties []countyLine
}

type homeView struct {
	Sum         summary
	Prefectures []prefecture
	Map         chart.Map
	Cut         time.Time
	Publisher   string
}

// findings are those of all outlets, by county.
func (h *Handler) findings(c *call) (map[string][]finding, error) {
	states, err := h.statesAt(c)
	if err != nil {
		return nil, err
	}
	out := map[string][]finding{}
	for _, s := range states {
		if o := c.snap.Outlets[s.Outlet]; o != nil && c.placed(o) {
			code := c.snap.Present(o.Area)
			out[code] = append(out[code], c.finding(s))
		}
	}
	return out, nil
}

func (h *Handler) home(c *call) (*document, error) {
	by, err := h.findings(c)
	if err != nil {
		return nil, err
	}
	v := &homeView{Cut: c.cut, Publisher: h.Publisher}
	var all []finding
	codes := make([]string, 0, len(by))
	for code := range by {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	places := map[string]*place{}
	for _, code := range codes {
		list := by[code]
		all = append(all, list...)
		sum := c.sum(list)
		pref := c.snap.Prefecture(code)
		if n := len(v.Prefectures); n == 0 || v.Prefectures[n-1].ID != pref {
			v.Prefectures = append(v.Prefectures, prefecture{ID: pref, Name: c.area(pref)})
		}
		p := &v.Prefectures[len(v.Prefectures)-1]
		name := c.area(code)
		p.Counties = append(p.Counties, countyLine{Name: name, Href: countyPath(code), State: sum.State, Text: c.countyLine(sum, list)})
		symbol := chart.Symbol{State: finding{State: sum.State}.Shape(), Name: name.Text, Href: web.Path(c.lang, countyPath(code)), Area: code}
		at := middle(list)
		if at.n == 0 {
			continue
		}
		symbol.Lon, symbol.Lat = at.lon/at.n, at.lat/at.n
		v.Map.Symbols = append(v.Map.Symbols, symbol)
		if places[pref] == nil {
			places[pref] = &place{}
		}
		places[pref].add(at)
	}
	for _, p := range v.Prefectures {
		if at := places[p.ID]; at != nil {
			v.Map.Labels = append(v.Map.Labels, chart.MapLabel{Lon: at.lon / at.n, Lat: at.lat/at.n + 0.45, Text: p.Name.Text, Lang: p.Name.Lang})
		}
	}
	v.Map.Crowd = len(v.Map.Symbols) + 1 // every county is one link, however many are in need
	v.Sum = c.sum(all)
	return h.render(c, "public_home.html", &web.Page{Title: c.l.T("public.title"), Module: "public", Feed: feedOf(c, ""), Data: v})
}

// place sums positions.
type place struct{ lon, lat, n float64 }

func (p *place) add(o place) { p.lon, p.lat, p.n = p.lon+o.lon, p.lat+o.lat, p.n+o.n }

func middle(list []finding) (p place) {
	for _, f := range list {
		if o := f.Outlet; o.Lon != 0 || o.Lat != 0 {
			p.add(place{o.Lon, o.Lat, 1})
		}
	}
	return p
}

// countyLine is the short sentence of a county: how many of its places are in
// the state that its shape shows. Nothing is said of the others, least of all
// that they are not over a limit: of some of them nobody knows.
func (c *call) countyLine(s summary, list []finding) string {
	if s.N == s.All {
		return c.l.T("public.line.within", "n", s.All)
	}
	n := 0
	for _, f := range list {
		if f.State == s.State {
			n++
		}
	}
	return c.l.T("public.line."+s.State, "n", n, "all", s.All)
}

type countyView struct {
	Code      string
	Name      word
	Sum       summary
	Rivers    []riverSection
	Outlets   []finding
	Cut       time.Time
	Feed      string
	Files     []fileLink
	Licence   string
	Publisher string
}

func (h *Handler) county(c *call) (*document, error) {
	code := c.r.PathValue("code")
	area := c.snap.Areas[code]
	by, err := h.findings(c)
	if err != nil {
		return nil, err
	}
	list := by[c.snap.Present(code)]
	if area == nil && len(list) == 0 {
		return nil, notFound()
	}
	v := &countyView{Code: code, Name: c.area(code), Sum: c.sum(list), Cut: c.cut, Publisher: h.Publisher}
	for _, f := range list {
		if f.Outlet.Medium == telemetry.Surface {
			r, err := h.section(c, f)
			if err != nil {
				return nil, err
			}
			v.Rivers = append(v.Rivers, r)
		} else {
			v.Outlets = append(v.Outlets, f)
		}
	}
	slices.SortStableFunc(v.Outlets, byUrgency)
	v.Feed = feedOf(c, code).Path
	if len(list) > 0 && strings.Trim(code, "0123456789") == "" {
		v.Files, v.Licence = c.files("county", code, c.cut), h.Licence
	}
	crumbs := []web.Crumb{{Text: c.l.T("public.home"), Path: Home}}
	return h.render(c, "public_county.html", &web.Page{
		Title: c.l.T("public.county_title", "county", v.Name.Text), Module: "public", Crumbs: crumbs, Feed: feedOf(c, code), Data: v,
	})
}

// riverSection is a section of a river with its class of water.
type riverSection struct {
	finding
	Class string // a sentence
	Note  string // of what, and when
}

// section tells the class of a section by the newest day that has one.
func (h *Handler) section(c *call, f finding) (riverSection, error) {
	r := riverSection{finding: f, Class: c.l.T("public.class_none", "n", c.policy.classes)}
	if !c.policy.publishes(quality.LevelDay) {
		return r, nil
	}
	today := start(c.cut)
	days, err := h.Quality.Days(f.Outlet.ID, today.AddDate(0, 0, -c.policy.classes), today)
	if err != nil {
		return r, err
	}
	for i := range slices.Backward(days) {
		class, factors, err := c.waterClass(h.Rules, f.Outlet, &days[i])
		if err != nil {
			return r, err
		}
		if class != "" {
			r.Class = c.l.T("public.class." + class)
			r.Note = c.l.T("public.class_note", "date", i18n.Short(unix(days[i].At)), "n", factors)
			return r, nil
		}
	}
	return r, nil
}
