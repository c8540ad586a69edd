package telemetryweb

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/sensorthings"
	"plateau/internal/web"
	"plateau/internal/web/chart"
)

// thingRow is a Thing in the list.
type thingRow struct {
	Name, Href, Place string
	Series            int
	Newest            string // name, value and unit of the newest
	At                time.Time
	State, Shape      string
}

// thingsView is the list of Things that clients made.
type thingsView struct {
	Now       time.Time
	Rows      []thingRow
	Any       bool // there is at least one, whatever the filter
	Text      string
	TextField web.Field
	Pager     web.Pager
	Map       chart.Map
	Example   string // how to make one
	Cut       bool
}

// thingExample makes a Thing with a watched series; TOKEN is the reader's own,
// and so is the address where the installation's is not set.
func (h *Handler) thingExample(r *http.Request) string {
	base := strings.TrimSuffix(h.BaseURL, "/")
	if base == "" {
		base = "http://" + r.Host
		if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
			base = "https://" + r.Host
		}
	}
	return `curl -H 'Authorization: Bearer TOKEN' -H 'Content-Type: application/json' ` + base + service + `/Things -d '{
  "name": "Greenhouse 1", "description": "Tomatoes",
  "Locations": [{"name": "Lhasa", "description": "Garden", "encodingType": "application/geo+json",
    "location": {"type": "Point", "coordinates": [91.1, 29.65]}}],
  "Datastreams": [{"name": "Air temperature", "description": "2 m above the soil",
    "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
    "unitOfMeasurement": {"name": "degree Celsius", "symbol": "°C", "definition": "ucum:Cel"},
    "properties": {"alarm": {"above": 35, "below": 5, "silentAfter": "PT2H"}},
    "Sensor": {"name": "Thermometer", "description": "Pt100", "encodingType": "text/html", "metadata": "https://example.org/pt100"},
    "ObservedProperty": {"name": "Air temperature", "definition": "https://example.org/air-temperature", "description": "Dry bulb"},
    "Observations": [{"result": 21.5}]}]}'`
}

func (h *Handler) thingList(c *call) error {
	r, err := h.reader()
	if err != nil {
		return err
	}
	v := &thingsView{Now: c.now, Text: c.query("q"), Example: h.thingExample(c.r)}
	list, cut, err := clientThings(c.ctx(), r, v.Text)
	if err != nil {
		return err
	}
	v.Cut = cut
	v.Any = len(list) > 0 || v.Text != ""
	table := web.Table{Path: c.path("/things"), Query: c.r.URL.Query(), Swap: "thing-list"}
	if c.query("page") == "all" {
		table.Query.Set("page", "1") // each row costs several reads
	}
	from, to, pager := table.Cut(len(list), 50)
	pager.All = ""
	v.Pager = pager
	for _, e := range list[from:to] {
		row, symbol, err := h.thingRow(c, r, e)
		if err != nil {
			return err
		}
		v.Rows = append(v.Rows, row)
		if x, y := chart.Project(symbol.Lon, symbol.Lat); symbol.Name != "" && x >= 0 && x <= chart.MapWidth && y >= 0 && y <= chart.MapHeight {
			v.Map.Symbols = append(v.Map.Symbols, symbol)
		}
	}
	v.TextField = web.Field{Name: "q", Kind: "search", Label: c.l.T("things.search"), Value: v.Text}
	return h.render(c, http.StatusOK, "things.html", &web.Page{Title: c.l.T("things.title"), Module: "outlets", Crumbs: []web.Crumb{{Text: c.l.T("nav.outlets"), Path: "/outlets"}}, Wide: true, Data: v})
}

// thingRow reads a Thing's row; the symbol has no name when its place is unknown.
func (h *Handler) thingRow(c *call, r sensorthings.Reader, e *sensorthings.Entity) (thingRow, chart.Symbol, error) {
	row := thingRow{Name: textOf(e, "name"), Href: c.path("/things/" + strconv.FormatInt(e.ID, 10)), State: "none"}
	place, lon, lat, ok, err := placeOf(c.ctx(), r, e.ID)
	if err != nil {
		return row, chart.Symbol{}, err
	}
	row.Place = place
	list, err := related(c.ctx(), r, sensorthings.Things, e.ID, "Datastreams", mostSeries)
	if err != nil {
		return row, chart.Symbol{}, err
	}
	row.Series = len(list)
	for _, d := range list {
		s, err := readSeries(c.ctx(), r, d, c.now)
		if err != nil {
			return row, chart.Symbol{}, err
		}
		if s.Value != "" && s.At.After(row.At) {
			row.At, row.Newest = s.At, s.Name+" "+s.Value
		}
		if slices.Index(stateOrder, s.State) < slices.Index(stateOrder, row.State) {
			row.State = s.State
		}
	}
	row.Shape = shapeOf(row.State)
	var symbol chart.Symbol
	if ok {
		symbol = chart.Symbol{Lon: lon, Lat: lat, State: row.Shape, Name: row.Name, Href: row.Href}
	}
	return row, symbol, nil
}
