package telemetryweb

import (
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"plateau/internal/platform/i18n"
	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/watch"
	"plateau/internal/web"
	"plateau/internal/web/chart"
)

// lookBack is how far episodes on a thing's page reach.
const lookBack = 30 * 24 * time.Hour

// thingView is one Thing with its series.
type thingView struct {
	Now         time.Time
	Description string
	Place       string
	Entity      string // address in SensorThings
	Tabs        []web.Tab
	Series      []seriesView
	More        bool // there are more series than are shown
}

// seriesView is one series on the page.
type seriesView struct {
	series
	ID       string
	Shape    string
	Entity   string
	Property string // name of the ObservedProperty
	Observed string // its address in SensorThings
	CSV      string
	JSON     string
	Watch    []string // the rule in words
	Chart    *chart.Extent
	Episodes []episodeRow
	Cut      bool // older values were left out
}

// episodeRow is an episode in words.
type episodeRow struct {
	Shape, Kind        string
	Begin, End, Lasted string
	Extreme            string
	Open               bool
	Thing, Series      string // in the list of all
	Href               string
	began              time.Time
}

func (h *Handler) thing(c *call) error {
	r, err := h.reader()
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(c.r.PathValue("id"), 10, 64)
	if err != nil || sensorthings.FromOutlets(sensorthings.Things, id) {
		return notFound()
	}
	e, err := r.Entity(c.ctx(), sensorthings.Things, id)
	if errors.Is(err, sensorthings.ErrNotFound) {
		return notFound()
	}
	if err != nil {
		return err
	}
	span, week := 24*time.Hour, c.query("span") == "week"
	if week {
		span = 7 * 24 * time.Hour
	}
	v := &thingView{Now: c.now, Description: textOf(e, "description"), Entity: entityPath(sensorthings.Things, id)}
	if v.Place, _, _, _, err = placeOf(c.ctx(), r, id); err != nil {
		return err
	}
	page := c.path("/things/" + strconv.FormatInt(id, 10))
	v.Tabs = []web.Tab{{Text: c.l.T("things.day"), Href: page, Current: !week}, {Text: c.l.T("things.week"), Href: page + "?span=week", Current: week}}
	list, err := related(c.ctx(), r, sensorthings.Things, id, "Datastreams", mostSeries)
	if err != nil {
		return err
	}
	v.More = len(list) == mostSeries
	for _, d := range list {
		s, err := h.seriesView(c, r, d, span)
		if err != nil {
			return err
		}
		v.Series = append(v.Series, s)
	}
	return h.render(c, http.StatusOK, "thing.html", &web.Page{Title: textOf(e, "name"), Module: "outlets", Crumbs: []web.Crumb{{Text: c.l.T("things.title"), Path: "/things"}}, Data: v})
}

func entityPath(s sensorthings.Set, id sensorthings.ID) string {
	return service + "/" + s.String() + "(" + strconv.FormatInt(id, 10) + ")"
}

func (h *Handler) seriesView(c *call, r sensorthings.Reader, d *sensorthings.Entity, span time.Duration) (seriesView, error) {
	s, err := readSeries(c.ctx(), r, d, c.now)
	if err != nil {
		return seriesView{}, err
	}
	v := seriesView{series: s, ID: strconv.FormatInt(d.ID, 10), Shape: shapeOf(s.State), Entity: entityPath(sensorthings.Datastreams, d.ID)}
	v.JSON = v.Entity + "/Observations?$orderby=phenomenonTime%20desc&$top=10000&$select=phenomenonTime,resultTime,result"
	v.CSV = v.JSON + "&$resultFormat=CSV"
	v.Observed = v.Entity + "/ObservedProperty"
	property, err := r.Entity(c.ctx(), sensorthings.ObservedProperties, d.To("ObservedProperty"))
	switch {
	case err == nil:
		v.Property = textOf(property, "name")
	case !errors.Is(err, sensorthings.ErrNotFound):
		return v, err
	}
	v.Watch = ruleWords(c, s.Rule, s.Unit)
	list, cut, err := values(c.ctx(), r, d.ID, c.now.Add(-max(lookBack, span)), mostValues)
	if err != nil {
		return v, err
	}
	v.Cut = cut
	v.Chart = seriesChart(c, s, list, span)
	if s.Rule.Any() {
		for _, e := range watch.Episodes(s.Rule, list, c.now) {
			v.Episodes = append(v.Episodes, episodeWords(c, e, s.Unit))
		}
	}
	return v, nil
}

func ruleWords(c *call, r watch.Rule, unit string) (out []string) {
	if r.Above != nil {
		out = append(out, c.l.T("things.watch_above", "value", withUnit(*r.Above, unit)))
	}
	if r.Below != nil {
		out = append(out, c.l.T("things.watch_below", "value", withUnit(*r.Below, unit)))
	}
	if r.SilentAfter > 0 {
		out = append(out, c.l.T("things.watch_silent", "time", c.l.Duration(r.SilentAfter)))
	}
	return out
}

func withUnit(f float64, unit string) string {
	text := i18n.Digits(strconv.FormatFloat(f, 'f', -1, 64))
	if unit != "" {
		text += " " + unit
	}
	return text
}

func episodeWords(c *call, e watch.Episode, unit string) episodeRow {
	row := episodeRow{Shape: shapeOf(string(e.Kind)), Kind: c.l.T("things.state_" + string(e.Kind)), Begin: i18n.Stamp(e.Begin), Open: e.Open()}
	end := e.End
	if e.Open() {
		end = c.now
	} else {
		row.End = i18n.Stamp(end)
	}
	row.Lasted = c.l.Duration(end.Sub(e.Begin))
	if e.Kind != watch.Silent {
		row.Extreme = withUnit(e.Extreme, unit)
	}
	return row
}

// chartSteps is how many steps a chart has at most.
const chartSteps = 288

// seriesChart draws means over steps that are at least as long as the usual time
// between two values; nil when there is nothing to draw.
func seriesChart(c *call, s series, list []watch.Value, span time.Duration) *chart.Extent {
	from := c.now.Add(-span)
	var shown []watch.Value
	for _, v := range list {
		if !v.Other && !v.At.Before(from) && !v.At.After(c.now) {
			shown = append(shown, v)
		}
	}
	if len(shown) == 0 {
		return nil
	}
	step := span / chartSteps
	if len(shown) > 1 {
		var gaps []time.Duration
		for i := 1; i < len(shown); i++ {
			gaps = append(gaps, shown[i].At.Sub(shown[i-1].At))
		}
		slices.Sort(gaps)
		step = min(max(step, gaps[len(gaps)/2]), span/4)
	}
	x := &chart.Extent{From: from, To: c.now, Step: step, Lo: math.NaN(), Hi: math.NaN(), Unit: s.Unit}
	if s.Rule.Below != nil {
		x.Lo = *s.Rule.Below
	}
	if s.Rule.Above != nil {
		x.Hi = *s.Rule.Above
	}
	lowest, highest := math.Inf(1), math.Inf(-1)
	bucket, sum, n := int64(-1), 0.0, 0.0
	flush := func() {
		if n > 0 {
			x.Values = append(x.Values, chart.ExtentValue{At: from.Add(time.Duration(bucket) * step), Value: sum / n})
		}
		sum, n = 0, 0
	}
	for _, v := range shown {
		if b := int64(v.At.Sub(from) / step); b != bucket {
			flush()
			bucket = b
		}
		sum, n = sum+v.Value, n+1
		lowest, highest = min(lowest, v.Value), max(highest, v.Value)
	}
	flush()
	if highest-lowest < 10 {
		x.Decimals = 2
	}
	x.Label = c.l.T("things.chart", "name", s.Name, "min", withUnit(lowest, s.Unit), "max", withUnit(highest, s.Unit))
	return x
}
