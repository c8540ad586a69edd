package telemetryweb

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/watch"
	"plateau/internal/web"
)

// What the list of all alarms of things looks at.
const (
	alarmsBack   = 7 * 24 * time.Hour
	alarmSeries  = 500
	alarmValues  = 5_000
	alarmPatient = 2 * time.Second
)

// thingAlarmsView lists the episodes of all things that clients made.
type thingAlarmsView struct {
	Now     time.Time
	Open    []episodeRow
	Ended   []episodeRow
	Watched int  // series with a rule that were looked at
	Cut     bool // there are more
}

func (h *Handler) thingAlarms(c *call) error {
	r, err := h.reader()
	if err != nil {
		return err
	}
	v := &thingAlarmsView{Now: c.now}
	begun := h.Now()
	var list []*sensorthings.Entity
	if err := r.Entities(c.ctx(), sensorthings.Datastreams, sensorthings.FirstClientID-1, func(e *sensorthings.Entity) bool {
		if rule, _ := watch.ParseRule(e.Get("properties")); rule.Any() {
			list = append(list, e)
		}
		return len(list) <= alarmSeries
	}); err != nil {
		return err
	}
	for _, e := range list {
		if v.Watched == alarmSeries || h.Now().Sub(begun) > alarmPatient {
			v.Cut = true
			break
		}
		v.Watched++
		if err := h.addEpisodes(c, r, e, v); err != nil {
			return err
		}
	}
	newest := func(a, b episodeRow) int { return b.began.Compare(a.began) }
	slices.SortStableFunc(v.Open, newest)
	slices.SortStableFunc(v.Ended, newest)
	return h.render(c, http.StatusOK, "thing_alarms.html", &web.Page{Title: c.l.T("things.alarms"), Module: "alarms", Crumbs: []web.Crumb{{Text: c.l.T("nav.alarms"), Path: "/alarms"}}, Wide: true, Data: v})
}

func (h *Handler) addEpisodes(c *call, r sensorthings.Reader, e *sensorthings.Entity, v *thingAlarmsView) error {
	s, back := seriesOf(e), c.now.Add(-alarmsBack)
	list, _, err := values(c.ctx(), r, e.ID, back, alarmValues)
	if err != nil {
		return err
	}
	thing := ""
	for _, p := range watch.Episodes(s.Rule, list, c.now) {
		if !p.Open() && p.End.Before(back) {
			continue
		}
		if thing == "" {
			t, err := r.Entity(c.ctx(), sensorthings.Things, e.To("Thing"))
			if err != nil {
				return err
			}
			thing = textOf(t, "name")
		}
		row := episodeWords(c, p, s.Unit)
		row.Thing, row.Series, row.began = thing, s.Name, p.Begin
		row.Href = c.path("/things/" + strconv.FormatInt(e.To("Thing"), 10))
		if p.Open() {
			v.Open = append(v.Open, row)
		} else {
			v.Ended = append(v.Ended, row)
		}
	}
	return nil
}
