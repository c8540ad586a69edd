package caseweb

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/xuri/excelize/v2"

	"plateau/internal/platform/casework"
	"plateau/internal/platform/csvcell"
	"plateau/internal/platform/i18n"
)

// mostExported bounds what one export holds; what was left out is said in it.
const mostExported = 10_000

// sheet is a list of cases for other programs.
type sheet struct {
	words []string
	rows  [][]any
	more  bool // there are more than were exported
}

// codes name the columns of an export.
var codes = []string{"number", "title", "system", "kind", "category", "state", "open", "severity", "area", "area_name", "unit", "turn", "opened", "changed", "due", "due_state", "supervise_level", "lat", "long"}

// whole reads all cases of the list that an address asks for.
func (h *Handler) whole(c *call) (list []casework.Listed, more bool, err error) {
	f := c.caseFilter()
	f.N, f.After = 500, ""
	for {
		page, next, err := h.Cases.List(c.Ctx(), f, c.Who)
		if err != nil {
			return nil, false, err
		}
		list = append(list, page...)
		if f.After = next; next == "" {
			return list, false, nil
		}
		if len(list) >= mostExported {
			return list, true, nil
		}
	}
}

func iso(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(i18n.Zone).Format(time.RFC3339)
}

func (h *Handler) sheet(c *call) (s sheet, err error) {
	list, more, err := h.whole(c)
	if err != nil {
		return s, err
	}
	s.more = more
	for _, code := range codes {
		s.words = append(s.words, c.L.T("caselist.col_"+code))
	}
	for _, x := range list {
		r := h.caseRow(c, x)
		category, open, standing := x.Category, false, ""
		if t := h.Cases.TypeOf(x.Case); t != nil {
			for _, k := range t.Categories {
				if k.Code == x.Category {
					category = in(k.Name, c.Lang)
				}
			}
			if st := t.State(x.State); st != nil {
				open = st.Open
			}
		}
		if d := x.Due(); d != nil && open {
			standing = d.Standing(x.Case, c.Now, h.Cases.Calendars(x.Location.Area)).State
		}
		var lat, long any
		if x.Location.HasPoint {
			lat, long = x.Location.Lat, x.Location.Lon
		}
		unit := ""
		if x.OwnerUnit != "" {
			unit = h.unit(x.OwnerUnit, c.Lang)
		}
		s.rows = append(s.rows, []any{
			x.TrackingNo, x.Title, x.System, x.Kind, category, r.State, strconv.FormatBool(open), x.Severity, x.Location.Area, r.Place, unit, r.Turn, iso(x.Created), iso(x.Updated), iso(r.Due), standing, x.Supervise, lat, long,
		})
	}
	return s, nil
}

// send answers with a file of the list.
func (c *call) send(kind, ending string, body []byte) error {
	w := c.W.Header()
	w.Set("Content-Type", kind)
	w.Set("Cache-Control", "private, no-cache")
	w.Set("X-Content-Type-Options", "nosniff")
	w.Set("Content-Disposition", `attachment; filename="cases-`+c.Now.In(i18n.Zone).Format("20060102-1504")+"."+ending+`"`)
	_, _ = c.W.Write(body) // the reader may be gone
	return nil
}

func (h *Handler) casesCSV(c *call) error {
	s, err := h.sheet(c)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString("\ufeff") // as spreadsheet programs want it
	w := csv.NewWriter(&b)
	rows := [][]string{codes, s.words}
	for _, r := range s.rows {
		line := make([]string, len(r))
		for i, cell := range r {
			switch v := cell.(type) {
			case nil:
			case string:
				line[i] = csvcell.Safe(v)
			case float64:
				line[i] = strconv.FormatFloat(v, 'f', -1, 64)
			default:
				line[i] = fmt.Sprint(v)
			}
		}
		rows = append(rows, line)
	}
	if s.more {
		rows = append(rows, []string{c.L.T("caselist.cut", "n", len(s.rows))})
	}
	if err := w.WriteAll(rows); err != nil {
		return err
	}
	return c.send("text/csv; charset=utf-8", "csv", b.Bytes())
}

func (h *Handler) casesXLSX(c *call) error {
	s, err := h.sheet(c)
	if err != nil {
		return err
	}
	f := excelize.NewFile()
	defer func() { _ = f.Close() }() // in memory only
	const name = "data"
	if err := f.SetSheetName("Sheet1", name); err != nil {
		return err
	}
	head, words := make([]any, len(codes)), make([]any, len(codes))
	for i := range codes {
		head[i], words[i] = codes[i], s.words[i]
	}
	rows := append([][]any{head, words}, s.rows...)
	if s.more {
		rows = append(rows, []any{c.L.T("caselist.cut", "n", len(s.rows))})
	}
	for i, r := range rows {
		if err := f.SetSheetRow(name, "A"+strconv.Itoa(i+1), &r); err != nil {
			return err
		}
	}
	if err := f.SetPanes(name, &excelize.Panes{Freeze: true, YSplit: 2, TopLeftCell: "A3", ActivePane: "bottomLeft"}); err != nil {
		return err
	}
	var b bytes.Buffer
	if _, err := f.WriteTo(&b); err != nil {
		return err
	}
	return c.send("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx", b.Bytes())
}

type geoFeature struct {
	Type       string         `json:"type"`
	ID         string         `json:"id"`
	Geometry   geoPoint       `json:"geometry"`
	Properties map[string]any `json:"properties"`
}

type geoPoint struct {
	Type        string     `json:"type"`
	Coordinates [2]float64 `json:"coordinates"` // longitude, latitude (RFC 7946, 3.1.1)
}

// casesGeoJSON holds the cases of a list that have a point (RFC 7946).
func (h *Handler) casesGeoJSON(c *call) error {
	s, err := h.sheet(c)
	if err != nil {
		return err
	}
	features := []geoFeature{}
	for _, r := range s.rows {
		p := map[string]any{}
		for i, code := range codes {
			p[code] = r[i]
		}
		lat, ok := p["lat"].(float64)
		long, also := p["long"].(float64)
		if !ok || !also {
			continue
		}
		delete(p, "lat")
		delete(p, "long")
		number, _ := r[0].(string)
		features = append(features, geoFeature{"Feature", number, geoPoint{"Point", [2]float64{round(long), round(lat)}}, p})
	}
	body, err := json.Marshal(map[string]any{"type": "FeatureCollection", "features": features, "truncated": s.more, "without_point": len(s.rows) - len(features)})
	if err != nil {
		return err
	}
	return c.send("application/geo+json", "geojson", body)
}

// round keeps the seven decimals that RFC 7946 (11.2) calls enough.
func round(degrees float64) float64 { return math.Round(degrees*1e7) / 1e7 }
