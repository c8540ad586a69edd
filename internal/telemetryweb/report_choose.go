package telemetryweb

import (
	"net/http"
	"strconv"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/report"
	"plateau/internal/web"
)

// maxChoices is how many entries a list to choose from has at most; more are
// found through the lists of outlets and of the registry.
const maxChoices = 1000

type chooseView struct {
	Scopes     []web.Tab
	Scope      string
	WhomField  web.Field
	LevelField web.Field
	DateField  web.Field
	More       bool // there are further ones
	Any        bool
	Jobs       []jobLine // made in the background
	Shifts     bool      // the actor keeps shifts
	Area       string    // where completeness begins
}

// reports is where a report is chosen: of whom, over how long, when.
func (h *Handler) reports(c *call) error {
	v := &chooseView{Scope: c.query("scope")}
	offered := c.scopes()
	if v.Scope == "" {
		v.Scope = offered[0]
	}
	level := c.query("level")
	if level == "" {
		level = quality.LevelDay
	}
	date, id := i18n.Digits(c.query("date")), c.query("id")
	p := report.PeriodAt(level, c.now)
	if level == quality.LevelDay && date == "" { // the last whole one
		p = p.Previous()
	}
	var dateError string
	if date != "" {
		t, ok := dateIn(date)
		if p = report.PeriodAt(level, t); !ok || p.From.After(c.now) {
			dateError = c.l.T("report.date_error")
		} else if id != "" {
			return c.see(reportPath(v.Scope, id, p))
		}
	} else if id != "" {
		return c.see(reportPath(v.Scope, id, p))
	}
	for _, s := range offered {
		v.Scopes = append(v.Scopes, web.Tab{Text: c.l.T("report.scope_" + s), Href: c.path("/reports") + "?scope=" + s, Current: s == v.Scope})
	}
	choices := h.choices(c, v.Scope)
	if v.More = len(choices) > maxChoices; v.More {
		choices = choices[:maxChoices]
	}
	v.Any = len(choices) > 0
	for i := range choices {
		choices[i].Selected = choices[i].Value == id
	}
	v.WhomField = web.Field{Name: "id", Kind: "select", Label: c.l.T("report.scope_" + v.Scope), Options: choices}
	v.LevelField = web.Field{Name: "level", Kind: "select", Label: c.l.T("report.level"), Width: "short"}
	for _, l := range report.Levels {
		v.LevelField.Options = append(v.LevelField.Options, web.Option{Value: l, Text: c.l.T("report.level_" + l), Selected: l == level})
	}
	if date == "" {
		date = i18n.Short(p.From)
	}
	v.DateField = web.Field{Name: "date", Label: c.l.T("report.date"), Hint: c.l.T("report.date_hint"), Value: date, Error: dateError, Input: "numeric", Width: "medium"}
	v.Shifts, v.Area = c.actor.May(Shifts), h.topArea(c)
	var err error
	if v.Jobs, err = h.jobLines(c); err != nil {
		return err
	}
	page := &web.Page{Title: c.l.T("report.title"), Module: "reports", Data: v}
	status := http.StatusOK
	if dateError != "" {
		status = http.StatusUnprocessableEntity
		page.Errors = []web.FieldError{{Field: "date", Text: dateError}}
	}
	return h.render(c, status, "reports.html", page)
}

// scopes are those the actor may have reports of.
func (c *call) scopes() []string {
	if !c.seen.Regional() {
		return report.Scopes[:2]
	}
	return report.Scopes
}

// choices lists whom a report can be about.
func (h *Handler) choices(c *call, scope string) []web.Option {
	var out []web.Option
	switch scope {
	case report.ScopeOutlet:
		for _, id := range c.snap.Order {
			if o := c.snap.Outlets[id]; o != nil && c.sees(o) {
				out = append(out, web.Option{Value: strconv.Itoa(int(id)), Text: c.outletName(o).Text})
			}
		}
	case report.ScopeEnterprise:
		for _, id := range sortedKeys(c.snap.Enterprises) {
			if c.seesEnterprise(c.snap.Enterprises[id]) {
				out = append(out, web.Option{Value: id, Text: c.name(c.snap.Enterprises[id].Name).Text})
			}
		}
	case report.ScopeCounty, report.ScopeRegion:
		for _, code := range sortedKeys(c.snap.Areas) {
			if a := c.snap.Areas[code]; a.Number() <= 3 && (a.Level == "county") == (scope == report.ScopeCounty) && c.snap.Current(a) && c.seen.Contains(access.Object{Area: code}) {
				out = append(out, web.Option{Value: code, Text: c.name(a.Name).Text})
			}
		}
	}
	return out
}

// dateIn reads a day, a month or a year as people write them; the quarter is
// that of the day.
func dateIn(s string) (t time.Time, ok bool) {
	if t, ok = i18n.ParseStamp(s); ok {
		return t, true
	}
	for _, level := range report.Levels {
		if p, ok := report.ParsePeriod(level, s); ok {
			return p.From, true
		}
	}
	return t, false
}
