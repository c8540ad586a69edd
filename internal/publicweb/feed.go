package publicweb

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/figures"
	"plateau/internal/telemetry/quality"
	"plateau/internal/web"
)

// The feed is Atom (RFC 4287): one entry when an outlet's hours or days begin
// to break a limit, one when they no longer do. Only what is evidence counts;
// hours that merely warn make no entry.

// feedOf is the feed of a county, "" that of the whole region.
func feedOf(c *call, county string) *web.Crumb {
	if county == "" {
		return &web.Crumb{Text: c.l.T("public.feed_region"), Path: Home + "/feed.atom"}
	}
	return &web.Crumb{Text: c.l.T("public.feed_county", "county", c.area(county).Text), Path: countyPath(county) + "/feed.atom"}
}

type atomFeed struct {
	XMLName xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
	Lang    string      `xml:"xml:lang,attr"`
	ID      string      `xml:"id"`
	Title   string      `xml:"title"`
	Updated string      `xml:"updated"`
	Author  atomAuthor  `xml:"author"`
	Links   []atomLink  `xml:"link"`
	Rights  string      `xml:"rights,omitempty"`
	Entries []atomEntry `xml:"entry"`
}

type atomAuthor struct {
	Name string `xml:"name"`
}

type atomLink struct {
	Rel  string `xml:"rel,attr"`
	Type string `xml:"type,attr,omitempty"`
	Href string `xml:"href,attr"`
}

type atomEntry struct {
	ID        string     `xml:"id"`
	Title     string     `xml:"title"`
	Published string     `xml:"published"`
	Updated   string     `xml:"updated"`
	Links     []atomLink `xml:"link"`
	Summary   string     `xml:"summary"`

	at time.Time
}

// names is the name space of the feed's identifiers (RFC 9562, version 5).
var names = uuid.MustParse("6f3c9b0e-6c0f-4b8a-9e55-2d1f6a7f5e21")

// atomID names a thing for ever: the same thing has the same name in every
// answer and after every restart, whatever address the server is reached by.
func atomID(parts ...string) string {
	return "urn:uuid:" + uuid.NewSHA1(names, []byte(strings.Join(parts, "/"))).String()
}

// episode is a run of hours or days of one factor that break its limit.
type episode struct {
	code, level string
	from        time.Time
	first       time.Time // end of the first part: when it was known
	over        time.Time // end of the first valid part after it; zero = goes on
	value       quality.Opt
	worst       quality.Opt
	limit       quality.LimitRef
	n           int
	cut         bool // it had begun before what was read
}

// part is one hour or day as the feed sees it.
type part struct {
	at, end     time.Time
	value       quality.Opt
	limit       quality.LimitRef
	valid, over bool
}

// follow finds the runs of one factor. A part that is not valid neither ends a
// run nor lengthens it: nothing is known of it.
func follow(code, level string, parts []part) (out []*episode) {
	var run *episode
	before := false // something valid was seen before
	for _, p := range parts {
		switch {
		case !p.valid:
			continue
		case p.over && run == nil:
			run = &episode{code: code, level: level, from: p.at, first: p.end, value: p.value, worst: p.value, limit: p.limit, n: 1, cut: !before}
			out = append(out, run)
		case p.over:
			run.n++
			if figures.Below(p.value, p.limit) == (p.value.V < run.worst.V) {
				run.worst, run.limit = p.value, p.limit
			}
		case run != nil:
			run.over, run = p.end, nil
		}
		before = true
	}
	return out
}

func (h *Handler) feed(c *call) (*document, error) {
	code := c.r.PathValue("code")
	if code != "" && c.snap.Areas[code] == nil {
		return nil, notFound()
	}
	to := start(c.cut).AddDate(0, 0, 1)
	from := to.AddDate(0, 0, -c.policy.feed)
	self := feedOf(c, code)
	page := Home
	if code != "" {
		page = countyPath(code)
	}
	f := atomFeed{
		Lang: c.lang.Tag(), ID: atomID("feed", code, string(c.lang)), Title: self.Text, Author: atomAuthor{h.Publisher}, Rights: h.Licence,
		Links: []atomLink{{"self", "application/atom+xml", web.Path(c.lang, self.Path)}, {"alternate", "text/html", web.Path(c.lang, page)}},
	}
	if f.Author.Name == "" {
		f.Author.Name = c.l.T("app.name")
	}
	for _, id := range c.snap.Order {
		o := c.snap.Outlets[id]
		if o == nil || !c.placed(o) || code != "" && c.snap.Present(o.Area) != c.snap.Present(code) {
			continue
		}
		// A day more is read, so that a run that goes on is not taken for a new one at the edge.
		list, err := h.episodes(c, o, from.AddDate(0, 0, -1), to)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			f.Entries = append(f.Entries, c.entries(o, e, from)...)
		}
	}
	slices.SortStableFunc(f.Entries, func(a, b atomEntry) int { return b.at.Compare(a.at) })
	f.Entries = f.Entries[:min(len(f.Entries), c.policy.entries)]
	f.Updated = from.Format(time.RFC3339) // nothing happened since
	if len(f.Entries) > 0 {
		f.Updated = f.Entries[0].Updated
	}
	var b bytes.Buffer
	b.WriteString(xml.Header)
	if err := xml.NewEncoder(&b).Encode(f); err != nil {
		return nil, fmt.Errorf("write feed: %w", err)
	}
	return newDocument("application/atom+xml; charset=utf-8", c.lang.Tag(), b.Bytes()), nil
}

// episodes are the runs of an outlet between two days.
func (h *Handler) episodes(c *call, o *telemetry.Outlet, from, to time.Time) ([]*episode, error) {
	parts := map[string][]part{} // by level and factor
	if c.policy.publishes(quality.LevelHour) {
		rows, err := h.Quality.Hours(o.ID, from, to)
		if err != nil {
			return nil, err
		}
		for _, r := range c.hours(rows) {
			at := unix(r.At)
			for i := range r.Factors {
				if f := &r.Factors[i]; c.shows(o, f.Code, f.Limit) {
					v, _ := shown(f)
					parts["hour "+f.Code] = append(parts["hour "+f.Code], part{at, at.Add(time.Hour), v, f.Limit, f.Valid, f.Over && f.Evidence})
				}
			}
		}
	}
	if c.policy.publishes(quality.LevelDay) {
		rows, err := h.Quality.Days(o.ID, from, to)
		if err != nil {
			return nil, err
		}
		for _, r := range c.days(rows) {
			at := unix(r.At)
			for i := range r.Factors {
				if f := &r.Factors[i]; c.shows(o, f.Code, f.Limit) {
					v, _ := shownDay(f)
					parts["day "+f.Code] = append(parts["day "+f.Code], part{at, at.AddDate(0, 0, 1), v, f.Limit, f.Valid, f.Over && f.Evidence})
				}
			}
		}
	}
	var out []*episode
	for key, list := range parts {
		level, code, _ := strings.Cut(key, " ")
		out = append(out, follow(code, level, list)...)
	}
	slices.SortFunc(out, func(a, b *episode) int {
		return strings.Compare(a.from.Format(time.RFC3339)+a.level+a.code, b.from.Format(time.RFC3339)+b.level+b.code)
	})
	return out, nil
}

// entries tell the beginning and, when it is over, the end of a run. What an
// entry says does not change while the run goes on; its name is made of the
// instant it tells of.
func (c *call) entries(o *telemetry.Outlet, e *episode, from time.Time) (out []atomEntry) {
	name := c.outletName(o).Text
	if o.Sample {
		name = c.l.T("public.sample_name", "name", name)
	}
	add := func(kind, text string, at, of time.Time, value quality.Opt) {
		if at.Before(from) {
			return
		}
		args := []any{
			"name", name, "factor", c.factor(e.code).Text, "level", c.l.T("level." + e.level), "since", i18n.Stamp(e.from), "until", i18n.Stamp(e.over), "n", e.n,
			"value", withUnit(figures.Beside(value, e.code, e.limit), figures.UnitOf(o, e.code)), "limit", figures.Limit(e.limit),
		}
		stamp := at.In(i18n.Zone).Format(time.RFC3339)
		out = append(out, atomEntry{
			ID:    atomID("entry", o.Enterprise, strconv.FormatUint(uint64(o.ID), 10), e.code, e.level, of.UTC().Format(time.RFC3339), kind, string(c.lang)),
			Title: c.l.T("public.entry."+kind, args...), Summary: c.l.T("public.entry."+text, args...), Published: stamp, Updated: stamp, at: at,
			Links: []atomLink{{"alternate", "text/html", c.historyHref(o, dayOf(of), e.code)}},
		})
	}
	if !e.cut {
		add("begin", "begin_text", e.first, e.from, e.value)
	}
	switch {
	case e.over.IsZero():
	case e.cut:
		add("end", "end_cut_text", e.over, e.over, e.worst)
	default:
		add("end", "end_text", e.over, e.over, e.worst)
	}
	return out
}
