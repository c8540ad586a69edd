package accountweb

import (
	"net/http"
	"strings"
	"time"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/web"
)

// looksRoutes tell people who looked at their data.
func looksRoutes() []route {
	return []route{
		{"GET", "/account/looks", signedIn, (*Handler).looks},
		{"GET", "/account/looks.csv", signedIn, (*Handler).looksCSV},
	}
}

// lookRow is what somebody else did with one's data: by post, not by name.
type lookRow struct {
	At                          time.Time
	Post, What, Why, OnBehalfOf string
	Said                        bool // the reason was given for this look
}

type looksView struct {
	Tabs          []web.Tab
	Rows          []lookRow
	Older, Newest string
	Printed       time.Time
	Post          string
}

// lookRow puts an entry into words.
func (h *Handler) lookRow(c *call, e *audit.Entry) (lookRow, error) {
	row := lookRow{At: e.At, Post: e.Post, What: c.did(e.Act)}
	switch reason := e.Reason(); {
	case reason.Why != "" && reason.Reference != "":
		row.Why, row.Said = c.L.T("looks.why_reference", "why", reason.Why, "reference", reason.Reference), true
	case reason.Why != "":
		row.Why, row.Said = reason.Why, true
	default:
		group, _, _ := strings.Cut(e.Act, ".")
		row.Why = c.L.T("looks.why_other")
		if key := "looks.why_" + group; c.L.Has(key) {
			row.Why = c.L.T(key)
		}
	}
	if e.OnBehalfOf != "" {
		row.OnBehalfOf = e.OnBehalfOf
		a, err := h.Auth.Account(c.Ctx(), e.OnBehalfOf)
		if err == nil {
			row.OnBehalfOf = a.Post.In(string(c.Lang))
		} else if !errs.Is(err, errs.NotFound) {
			return row, err
		}
	}
	return row, nil
}

func (h *Handler) looks(c *call) error {
	v := &looksView{Tabs: c.tabs("looks"), Printed: c.Now, Post: c.Who.Post.In(string(c.Lang))}
	f := audit.Filter{Subject: c.Who.ID, Others: true, Most: recordPage + 1}
	if at, ok := audit.ParseCursor(c.R.URL.Query().Get("before")); ok {
		f.Before, v.Newest = at, c.Path("/account/looks")
	}
	var entries []audit.Entry
	if err := audit.List(c.Ctx(), h.DB, f, func(e *audit.Entry) bool { entries = append(entries, *e); return true }); err != nil {
		return err
	}
	if len(entries) > recordPage {
		entries = entries[:recordPage]
		v.Older = c.Path("/account/looks") + "?before=" + entries[recordPage-1].Cursor().String()
	}
	for i := range entries {
		row, err := h.lookRow(c, &entries[i])
		if err != nil {
			return err
		}
		v.Rows = append(v.Rows, row)
	}
	return c.Render(http.StatusOK, "account_looks.html", &web.Page{Title: c.L.T("looks.title"), Crumbs: c.crumbs(), Data: v})
}

func (h *Handler) looksCSV(c *call) error {
	var entries []audit.Entry
	if err := audit.List(c.Ctx(), h.DB, audit.Filter{Subject: c.Who.ID, Others: true}, func(e *audit.Entry) bool { entries = append(entries, *e); return true }); err != nil {
		return err
	}
	rows := [][]string{
		{"at", "post", "act", "what", "why", "on_behalf_of"},
		{c.L.T("record.column_at"), c.L.T("record.column_post"), c.L.T("record.column_act"), c.L.T("looks.what"), c.L.T("looks.why"), c.L.T("record.column_on_behalf_of")},
	}
	for i := range entries {
		row, err := h.lookRow(c, &entries[i])
		if err != nil {
			return err
		}
		rows = append(rows, []string{row.At.In(i18n.Zone).Format(time.RFC3339), row.Post, entries[i].Act, row.What, row.Why, row.OnBehalfOf})
	}
	return c.table("looks", rows)
}
