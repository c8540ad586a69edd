package leadweb

import (
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry/lead"
	"plateau/internal/web"
)

type quietRow struct {
	What, Reason   string
	Where, Post    word
	From           time.Time
	Until, Ended   string
	Active         bool
	Action, Detail string
}

type quietView struct {
	Tabs []web.Tab
	Rows []quietRow
}

// sees of what is left out: that of outlets the reader may see, or of areas that are
// theirs.
func (c *call) seesQuiet(q *lead.Quiet) bool {
	if o := c.snap.Outlets[q.Outlet]; o != nil {
		return c.sees(o)
	}
	return c.seen.Contains(access.Object{Area: q.Area})
}

func (h *Handler) quiets(c *call) error {
	all, err := h.Leads.Quiets(c.Ctx())
	if err != nil {
		return err
	}
	v := &quietView{Tabs: c.tabs("quiet")}
	for i := range all {
		q := &all[i]
		if !c.seesQuiet(q) {
			continue
		}
		r := quietRow{
			What: c.L.T("lead.quiet_all"), Reason: q.Reason, Where: c.area(q.Area), Post: word{q.Post.In(string(c.Lang)), "zh"}, From: q.From, Until: i18n.LastDay(q.Until),
			Active: q.Active(c.Now), Action: c.Path("/leads/quiet/" + q.ID + "/end"),
		}
		if q.Detector != "" {
			r.What = c.title(q.Detector)
		}
		if o := c.snap.Outlets[q.Outlet]; o != nil {
			r.Where = c.outlet(o)
		}
		switch {
		case !q.Ended.IsZero():
			r.Ended = c.L.T("lead.quiet_ended", "at", i18n.Stamp(q.Ended))
		case !r.Active:
			r.Ended = c.L.T("lead.quiet_over")
		}
		v.Rows = append(v.Rows, r)
	}
	return c.Render(200, "lead_quiets.html", &web.Page{Title: c.L.T("lead.quiets"), Crumbs: c.Crumbs("lead.title", "/leads"), Wide: true, Data: v})
}

func (h *Handler) unquieten(c *call) error {
	all, err := h.Leads.Quiets(c.Ctx())
	if err != nil {
		return err
	}
	for i := range all {
		if q := &all[i]; q.ID == c.R.PathValue("id") && c.seesQuiet(q) {
			if err := h.Leads.Unquieten(c.Ctx(), q.ID, c.Who); err != nil {
				return err
			}
			return c.Done("/leads/quiet", "lead_unquiet")
		}
	}
	return errs.New(errs.NotFound, "err.not_found")
}
