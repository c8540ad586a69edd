package leadweb

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry/figures"
	"plateau/internal/telemetry/lead"
	"plateau/internal/web"
	"plateau/rules"
)

type detectorRow struct {
	Title, Href, Sees, Media, Rate string
	Counts                         lead.Counts
}

type detectorsView struct {
	Tabs []web.Tab
	Rows []detectorRow
}

func (c *call) media(d *lead.Detector) string {
	words := make([]string, len(d.Media))
	for i, m := range d.Media {
		words[i] = c.L.T("lead.medium_" + string(m))
	}
	return strings.Join(words, ", ")
}

func (h *Handler) detectors(c *call) error {
	counts, err := h.Leads.Counts(c.Ctx(), c.sees)
	if err != nil {
		return err
	}
	v := &detectorsView{Tabs: c.tabs("detectors")}
	for _, d := range lead.Detectors() {
		r := detectorRow{Title: c.title(d.ID), Href: c.Path("/leads/detectors/" + d.ID), Sees: c.L.T("lead.detector." + d.ID + "_sees"), Media: c.media(d), Counts: counts[d.ID]}
		windows, hits := 0, 0
		for _, x := range lead.Rates() {
			if x.Detector == d.ID {
				windows, hits = windows+x.Windows, hits+x.Hits
			}
		}
		if windows > 0 {
			r.Rate = c.L.T("lead.rate_short", "hits", hits, "windows", windows)
		}
		v.Rows = append(v.Rows, r)
	}
	return c.Render(200, "lead_detectors.html", &web.Page{Title: c.L.T("lead.detectors"), Crumbs: c.Crumbs("lead.title", "/leads"), Wide: true, Data: v})
}

type thresholdRow struct {
	Name  word
	Value string
}

type versionRows struct {
	Title, Href string
	Rows        []thresholdRow
}

type rateRow struct {
	Series, Source          string
	Windows, Hits           int
	Percent, On, SeriesLang string
}

type detectorView struct {
	Tabs                          []web.Tab
	Sees, Tested, Media           string
	Source                        word
	Why, Next                     []string
	Versions                      []versionRows
	Rates                         []rateRow
	Counts                        lead.Counts
	LeadsHref, RuleHref, RuleName string
}

func (h *Handler) detector(c *call) error {
	d := lead.ByID(c.R.PathValue("id"))
	if d == nil {
		return errs.New(errs.NotFound, "err.not_found")
	}
	counts, err := h.Leads.Counts(c.Ctx(), c.sees)
	if err != nil {
		return err
	}
	v := &detectorView{
		Tabs: c.tabs("detectors"), Sees: c.L.T("lead.detector." + d.ID + "_sees"), Tested: c.L.T("lead.detector." + d.ID + "_tested"), Media: c.media(d),
		Why: c.words("lead.why.", d.Why), Next: c.words("lead.next.", d.Next), Counts: counts[d.ID], LeadsHref: c.Path("/leads") + "?detector=" + d.ID + "&state=all", RuleHref: c.Path("/rules/" + d.Rule()), RuleName: d.Rule(),
	}
	for _, r := range slices.Backward(h.Leads.Book().Versions(d)) {
		x := versionRows{Title: c.L.T("lead.in_force", "from", r.EffectiveFrom), Href: c.Path("/rules/" + r.ID + "?version=" + strconv.Itoa(r.Version))}
		if r.EffectiveTo != "" {
			x.Title = c.L.T("lead.in_force_to", "from", r.EffectiveFrom, "to", r.EffectiveTo)
		}
		for _, name := range slices.Sorted(maps.Keys(r.Params)) {
			value, err := r.Float(name)
			if err != nil {
				return err
			}
			p := rules.Default().Shape(r.ID).Params[name]
			text := figures.Trimmed(value, 4)
			if p.Unit != "" {
				text += map[bool]string{true: "", false: "\u00a0"}[p.Unit == "%"] + p.Unit
			}
			x.Rows = append(x.Rows, thresholdRow{c.paramWord(r.ID, name), text})
		}
		v.Versions = append(v.Versions, x)
		if v.Source.Text == "" {
			v.Source = word{r.Source, "en"}
			if c.Lang == i18n.Zh {
				v.Source = word{r.SourceZh, "zh"}
			}
		}
	}
	for _, x := range lead.Rates() {
		if x.Detector != d.ID {
			continue
		}
		for _, s := range lead.RealSeries {
			if s.ID == x.Series {
				v.Rates = append(v.Rates, rateRow{Series: s.Name, Source: s.Source, Windows: x.Windows, Hits: x.Hits, Percent: figures.Trimmed(100*float64(x.Hits)/float64(x.Windows), 1), On: x.On})
			}
		}
	}
	return c.Render(200, "lead_detector.html", &web.Page{Title: c.title(d.ID), Crumbs: c.Crumbs("lead.title", "/leads", "lead.detectors", "/leads/detectors"), Data: v})
}
