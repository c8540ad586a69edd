package caseweb

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"plateau/internal/platform/casework"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/web"
	"plateau/internal/web/chart"
	"plateau/internal/web/kit"
)

// casePages are one case and what is done on it. The permission lets everybody with an
// account in; who does not see the case gets the answer of one that there is not.
func casePages() []kit.Route[*Handler, *call] {
	return []kit.Route[*Handler, *call]{
		kit.Get("/cases/{number}", Open, (*Handler).casePage),
		kit.Get("/cases/{number}/actions/{action}", Open, (*Handler).actPage),
		kit.Post("/cases/{number}/actions/{action}", Open, (*Handler).takeAction).Taking(formBytes),
		kit.Get("/cases/{number}/reporter", Open, (*Handler).reporterPage),
	}
}

// sight is a case with its type and how who asks stands to it.
type sight struct {
	*casework.Case
	a       *casework.Actor
	t       *casework.Type
	insider bool // works on it, for the authority or the organisation that must act
}

func (h *Handler) sight(c *call) (*sight, error) {
	x, a, err := h.Cases.Find(c.Ctx(), c.R.PathValue("number"), c.Who)
	if err != nil {
		return nil, err
	}
	s := &sight{Case: x, a: a, t: h.Cases.TypeOf(x)}
	if s.t == nil {
		return nil, errs.New(errs.Conflict, "err.case.no_type", "kind", x.Kind, "version", x.Version)
	}
	s.insider = a.Works(x) || a.Acts(x, []string{casework.RoleUnit})
	return s, nil
}

func (s *sight) path() string { return "/cases/" + s.TrackingNo }

// word is a text with its language.
type word struct{ Text, Lang string }

// word is a text in the reader's language, or in Chinese.
func (c *call) word(t casework.Text) word {
	switch {
	case c.Lang == i18n.Bo && t.Bo != "":
		return word{t.Bo, "bo"}
	case c.Lang == i18n.En && t.En != "":
		return word{t.En, "en"}
	}
	return word{t.Zh, "zh"}
}

func (c *call) own(text string) word { return word{text, string(c.Lang)} }

type caseView struct {
	Comment        *actView // nil: nobody comments on it any more
	Written, Track string
	State, Kind    word
	Category       word
	Severity       word
	Shape, Stands  string // of the deadline that ends first; "" = none runs
	Turn           turnView
	Events         []happened
	Whole          bool // the chain of its events holds
	Clocks         []clockLine
	Paused         time.Time
	PausedTo       string
	Opened, Since  time.Time
	Source, Area   word
	Address, Point string
	Spot           *chart.Spot
	Text, Lang     string
	Unit           word
	CoUnits        []word
	Supervise      int
	Escalation     int
	Parent, Merged *link
	Public         word // what the public page shows; none where it shows no state
	Listed         bool // its category is one that public pages show
	Summary        word
	Reporter       string // where who reported is told; "" = not to who asks
	Own            bool   // who asks reported it
	Version        int
	Type           string
	RuleSource     string
	Basis          []labelled
	Now            time.Time
}

type link struct{ Text, Href string }

type labelled struct {
	Label string
	Text  word
}

// turnView says whose turn it is, and what who asks may do.
type turnView struct {
	Yours   bool
	Who     word
	Due     time.Time
	Left    string
	Late    bool
	Acts    []actLine
	Refused []labelled // actions that are theirs, and why not now
}

type actLine struct {
	Text    word
	Href    string
	Primary bool
	Direct  bool // asks for nothing
	Key     string
}

type clockLine struct {
	Name                    word
	Span, Stands            string
	Due, Original, Met      time.Time
	Percent                 int
	Running, Late, Extended bool
	Provisional             bool
}

func (h *Handler) casePage(c *call) error {
	s, err := h.sight(c)
	if err != nil {
		return err
	}
	events, err := h.Cases.Events(c.Ctx(), s.ID)
	if err != nil {
		return err
	}
	v := h.caseView(c, s)
	_, broken := casework.Fold(events)
	v.Whole = broken == nil
	if v.Events, err = h.history(c, s, events); err != nil {
		return err
	}
	if len(v.Events) > 0 && h.Cases.CanTakeBack(s.Case, events, c.Who) {
		v.Events[0].Back = c.Path(s.path() + "/actions/" + casework.TakeBack)
	}
	if x := s.t.ActionIn(casework.Comment, s.State); x != nil {
		if v.Comment, err = h.actView(c, s, x); err != nil {
			return err
		}
	}
	p := &web.Page{Title: s.Title, Private: true, Data: v}
	return c.Render(http.StatusOK, "case.html", p)
}

func (h *Handler) caseView(c *call, s *sight) *caseView {
	x, t := s.Case, s.t
	v := &caseView{
		Written: casework.Written(x.TrackingNo), Track: c.Path("/track") + "?number=" + x.TrackingNo, Kind: c.word(t.Name), Opened: x.Created, Since: x.StateSince,
		Source: c.own(c.L.T("case.source." + x.Source)), Area: h.areaWord(c, x.Location.Area), Address: x.Location.Address, Text: x.Text, Lang: i18n.Lang(x.Lang).Tag(),
		Supervise: x.Supervise, Escalation: x.Escalation, Summary: c.word(x.Summary), Own: s.a.Reporter, Version: x.Events, Type: fmt.Sprintf("%s %d", t.Kind, t.Version), RuleSource: t.Source, Now: c.Now,
		Paused: x.Paused, PausedTo: x.PausedTo,
	}
	for _, k := range t.Categories {
		if k.Code == x.Category {
			v.Category, v.Listed = c.word(k.Name), k.Public
		}
	}
	for _, k := range t.Severities {
		if k.Level == x.Severity {
			v.Severity = c.word(k.Name)
		}
	}
	v.State = word{x.State, "en"}
	if st := t.State(x.State); st != nil {
		v.State = c.word(st.Label)
		if st.Public != "" {
			v.Public = v.State
		}
	}
	if l := x.Location; l.HasPoint {
		v.Point = i18n.Number(l.Lat, 5) + "°N " + i18n.Number(l.Lon, 5) + "°E"
		v.Spot = &chart.Spot{Lon: l.Lon, Lat: l.Lat, Name: c.L.T("case.map", "area", v.Area.Text, "point", v.Point)}
	}
	if x.OwnerUnit != "" {
		v.Unit = h.unitWord(c, x.OwnerUnit)
	}
	for _, u := range x.CoUnits {
		v.CoUnits = append(v.CoUnits, h.unitWord(c, u))
	}
	if s.a.Works(x) && !s.a.Reporter {
		v.Reporter = c.Path(s.path() + "/reporter")
	}
	v.Parent, v.Merged = h.caseLink(c, x.Parent), h.caseLink(c, x.MergedInto)
	for _, b := range []struct {
		key  string
		text casework.Text
	}{{"national", t.Basis.National}, {"default", t.Basis.Default}, {"region", t.Basis.Region}} {
		if b.text.Zh != "" {
			v.Basis = append(v.Basis, labelled{c.L.T("case.basis_" + b.key), c.word(b.text)})
		}
	}
	cal := h.Cases.Calendars(x.Location.Area)
	for i := range x.Deadlines {
		v.Clocks = append(v.Clocks, h.clockLine(c, s, &x.Deadlines[i], cal))
	}
	slices.SortStableFunc(v.Clocks, func(a, b clockLine) int { // what runs first, the soonest before
		if a.Running != b.Running {
			if a.Running {
				return -1
			}
			return 1
		}
		return a.Due.Compare(b.Due)
	})
	v.Turn = h.turn(c, s)
	if d := x.Due(); d != nil && t.State(x.State) != nil && t.State(x.State).Open {
		switch d.Standing(x, c.Now, cal).State {
		case "overdue":
			v.Shape, v.Stands = "exceed", c.L.T("case.late")
		case "soon":
			v.Shape, v.Stands = "warn", c.L.T("case.soon")
		case "paused":
			v.Shape, v.Stands = "stopped", c.L.T("case.paused")
		}
	}
	return v
}

// turn says whose turn it is in the state of a case, by when, and what who asks may do.
func (h *Handler) turn(c *call, s *sight) turnView {
	x, t := s.Case, s.t
	roles := t.Turn(x.State)
	v := turnView{Yours: len(roles) > 0 && s.a.Acts(x, roles)}
	switch {
	case len(roles) == 0:
	case roles[0] == casework.RoleUnit && x.OwnerUnit != "":
		v.Who = h.unitWord(c, x.OwnerUnit)
	case roles[0] == casework.RoleReporter:
		v.Who = c.own(c.L.T("case.who_reporter"))
	case roles[0] == casework.RoleUnit:
		v.Who = c.own(c.L.T("case.who_office", "area", h.areaWord(c, x.Location.Area).Text))
	default:
		v.Who = c.own(c.L.T("case.who_post", "role", c.L.T("role."+x.System+"."+roles[0]), "area", h.areaWord(c, x.Location.Area).Text))
	}
	d := x.Due()
	if st := t.State(x.State); st != nil && st.Clock != "" {
		if own := x.Deadline(st.Clock); own != nil && own.Running() {
			d = own
		}
	}
	if d != nil && len(roles) > 0 {
		v.Due = d.Due
		v.Left, v.Late = c.stands(x, d, h.Cases.Calendars(x.Location.Area))
	}
	for _, y := range t.Allowed(x, s.a) {
		if y.Name == casework.Comment {
			continue // has its form on the page
		}
		if key := h.Cases.Refusal(x, s.a, y); key != "" {
			v.Refused = append(v.Refused, labelled{c.L.T(key), c.word(y.Label)})
			continue
		}
		v.Acts = append(v.Acts, actLine{
			Text: c.word(y.Label), Href: c.Path(s.path() + "/actions/" + y.Name), Direct: y.Form == "" && !asksFiles(y), Key: newKey(),
			Primary: v.Yours && y.To != "" && y.To != x.State && s.a.Acts(x, intersect(y.Roles, roles)),
		})
	}
	slices.SortStableFunc(v.Acts, func(a, b actLine) int {
		if a.Primary == b.Primary {
			return 0
		}
		if a.Primary {
			return -1
		}
		return 1
	})
	return v
}

func intersect(a, b []string) (out []string) {
	for _, x := range a {
		if slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}

// asksFiles reports whether an action is refused without files.
func asksFiles(x *casework.Action) bool {
	return slices.Contains(x.Guards, "evidence") || slices.Contains(x.Guards, "before_and_after")
}

func (h *Handler) clockLine(c *call, s *sight, d *casework.Deadline, cal casework.Calendar) clockLine {
	l := clockLine{Due: d.Due, Original: d.Original, Met: d.Met, Running: d.Running(), Provisional: d.Provisional && d.Running(), Extended: !d.Due.Equal(d.Original)}
	l.Name = word{d.Clock, "en"}
	if k := s.t.Clock(d.Clock); k != nil {
		l.Name = c.word(k.Label)
	}
	l.Span = d.Span
	if span, err := casework.ParseSpan(d.Span); err == nil {
		l.Span = c.L.T("case.span_"+string(span.Unit), "n", span.N)
	}
	switch {
	case d.Dropped:
		l.Stands = c.L.T("case.dropped")
	case !d.Met.IsZero():
		l.Late = d.Met.After(d.Due)
		l.Stands = c.L.T("case.met", "time", i18n.Stamp(d.Met))
		if l.Late {
			l.Stands = c.L.T("case.met_late", "time", i18n.Stamp(d.Met))
		}
	default:
		l.Stands, l.Late = c.stands(s.Case, d, cal)
		if whole := d.Due.Sub(d.Started); whole > 0 {
			l.Percent = int(min(max(c.Now.Sub(d.Started)*100/whole, 0), 100))
		}
	}
	return l
}

// stands says in words how a deadline that runs stands.
func (c *call) stands(x *casework.Case, d *casework.Deadline, cal casework.Calendar) (text string, late bool) {
	st := d.Standing(x, c.Now, cal)
	days := d.Due.Sub(c.Now).Abs() >= 48*time.Hour
	switch st.State {
	case "paused":
		return c.L.T("case.stands_still", "n", st.RemainingWD), false
	case "overdue":
		if st.OverdueWD > 0 && days {
			return c.L.T("case.late_by", "n", st.OverdueWD), true
		}
		return c.L.T("case.late_for", "span", c.L.Duration(c.Now.Sub(d.Due))), true
	}
	if st.RemainingWD > 0 && days {
		return c.L.T("case.left", "n", st.RemainingWD), false
	}
	return c.L.T("case.left_for", "span", c.L.Duration(d.Due.Sub(c.Now))), false
}

func (h *Handler) areaWord(c *call, code string) word {
	if n, ok := h.AreaName(code); ok {
		return c.word(n)
	}
	return word{code, string(c.Lang)}
}

func (h *Handler) unitWord(c *call, id string) word {
	if h.UnitName != nil {
		if n, ok := h.UnitName(id); ok {
			return c.word(n)
		}
	}
	return c.own(c.L.T("case.unit_gone"))
}

// caseLink leads to another case: its number to who may see it, nothing to others.
func (h *Handler) caseLink(c *call, id string) *link {
	if id == "" {
		return nil
	}
	x, _, err := h.Cases.Get(c.Ctx(), id, c.Who)
	if err != nil {
		return nil
	}
	return &link{casework.Written(x.TrackingNo) + " " + x.Title, c.Path("/cases/" + x.TrackingNo)}
}

type reporterView struct {
	Written, Back string
	Login         string
	Post          word
	Contact       string // that they left; "" = none, or its time is over
	Through       bool   // the program opened it
	Anonymous     bool
}

// reporterPage tells who reported a case to who works on it for the authority. Each
// look is an entry in the record, which who reported can read.
func (h *Handler) reporterPage(c *call) error {
	s, err := h.sight(c)
	if err != nil {
		return err
	}
	if !s.a.Works(s.Case) && !s.a.Reporter {
		return errs.New(errs.NotFound, "err.not_found")
	}
	if err := h.Auth.Look(c.Ctx(), "case.reporter", "case", s.ID, []string{s.Reporter}, ""); err != nil {
		return err
	}
	v := &reporterView{Written: casework.Written(s.TrackingNo), Back: c.Path(s.path()), Anonymous: s.Reporter == "", Through: s.Reporter == "" && s.Source == "alarm"}
	if s.a.Works(s.Case) {
		if v.Contact, err = h.Cases.Contact(c.Ctx(), s.Case, c.Who); err != nil {
			return err
		}
	}
	if s.Reporter != "" {
		u, err := h.Auth.Account(c.Ctx(), s.Reporter)
		if err != nil && !errs.Is(err, errs.NotFound) {
			return err
		}
		v.Login, v.Post = u.Login, c.word(casework.Text(u.Post))
	}
	p := &web.Page{Title: c.L.T("case.reporter_title"), Private: true, Crumbs: []web.Crumb{{Text: v.Written, Path: s.path()}}, Data: v}
	return c.Render(http.StatusOK, "case_reporter.html", p)
}
