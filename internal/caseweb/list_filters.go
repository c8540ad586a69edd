package caseweb

import (
	"net/http"
	"net/url"

	"plateau/internal/platform/casework"
	"plateau/internal/platform/errs"
	"plateau/internal/web"
)

type savedView struct {
	Filters []casework.Saved
	Fields  map[string]web.Field // the name of each, by id
	Links   map[string]string    // the list of each, by id
	List    string               // address of the list
}

func (h *Handler) savedFilters(c *call) error { return h.filtersPage(c, "", nil) }

// filtersPage lists the filters of the reader; wrong is about the one of an id.
func (h *Handler) filtersPage(c *call, id string, wrong error) error {
	if wrong != nil && !errs.Is(wrong, errs.Invalid) {
		return wrong
	}
	list, err := h.Cases.Saved(c.Ctx(), c.Who)
	if err != nil {
		return err
	}
	v := &savedView{Filters: list, Fields: map[string]web.Field{}, Links: map[string]string{}, List: c.Path("/cases")}
	p := &web.Page{Title: c.L.T("caselist.filters"), Crumbs: c.Crumbs("caselist.title", "/cases"), Data: v}
	status := http.StatusOK
	if id == "" { // about one that is not kept yet
		if status, err = c.Faults(wrong, p); err != nil {
			return err
		}
	}
	for _, x := range list {
		v.Links[x.ID] = c.Path("/cases") + "?" + x.Query
		f := c.Field("name", x.Name, false)
		if x.ID == id {
			f.Value = c.Form("name")
			if status, err = c.Faults(wrong, p, &f); err != nil {
				return err
			}
			for i := range p.Errors {
				p.Errors[i].Field = "name-" + x.ID
			}
		}
		f.Name = "name-" + x.ID
		v.Fields[x.ID] = f
	}
	if wrong != nil && status == http.StatusOK { // about one that is not theirs
		return errs.New(errs.NotFound, "err.not_found")
	}
	return c.Render(status, "case_filters.html", p)
}

// saveFilter keeps the filter of the list that it was sent from.
func (h *Handler) saveFilter(c *call) error {
	q, err := url.ParseQuery(c.Form("query"))
	if err != nil {
		q = url.Values{}
	}
	if err := h.Cases.Save(c.Ctx(), c.Form("name"), kept(q), c.Who); err != nil {
		return h.filtersPage(c, "", err)
	}
	web.SetDone(c.W, "case_filter_saved", "name", c.Form("name"))
	return c.See("/cases?" + kept(q))
}

// changeFilter renames or drops a filter.
func (h *Handler) changeFilter(c *call) error {
	id := c.R.PathValue("id")
	if c.Form("act") == "drop" {
		if err := h.Cases.Forget(c.Ctx(), id, c.Who); err != nil {
			return err
		}
		return c.Done("/cases/filters", "case_filter_dropped")
	}
	if err := h.Cases.Rename(c.Ctx(), id, c.Form("name"), c.Who); err != nil {
		return h.filtersPage(c, id, err)
	}
	return c.Done("/cases/filters", "case_filter_renamed")
}
