package peopleweb

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/platform/people"
	"plateau/internal/web"
	"plateau/internal/web/kit"
)

// holder is a line of who holds or held a post.
type holder struct {
	ID          string // of the appointment
	Title, Area word
	Href        string
	Login       string
	From, To    string
	By          string // post that appointed
	End         bool   // may be ended by the reader
	Deputies    []string
}

// postLine is a post of the list.
type postLine struct {
	Title, Organisation, Area word
	Href, Kind, Phone, To     string
	Holders                   []string
}

// look records that who asks sees who holds and held posts; call it before
// anything is shown.
func (h *Handler) look(c *call, act, post string, lists ...[]people.Holding) error {
	var seen []string
	for _, list := range lists {
		for i := range list {
			seen = append(seen, list[i].Account)
			for k := range list[i].Deputies {
				seen = append(seen, list[i].Deputies[k].Account)
			}
		}
	}
	slices.Sort(seen)
	return h.Auth.Look(c.Ctx(), act, "post", post, slices.Compact(seen), "")
}

type postsView struct {
	Tabs    []web.Tab
	Ask     []web.Field
	Asked   string // the question in words; "" = nothing was asked
	Holders []holder
	Posts   []postLine
	New     bool
}

func (h *Handler) holder(c *call, x *people.Holding) holder {
	var deputies []string
	for i := range x.Deputies {
		d := &x.Deputies[i]
		deputies = append(deputies, c.L.T("people.deputies", "login", d.Login, "until", i18n.LastDay(d.Ends())))
	}
	return holder{
		Deputies: deputies, ID: x.ID, Title: c.in(x.Of.Title), Area: h.area(c, x.Of.Area), Href: c.Path("/posts/" + x.Of.ID), Login: x.Login,
		From: i18n.Stamp(x.From), To: cmp.Or(i18n.LastDay(x.To), c.L.T("people.open")), By: x.ByPost,
	}
}

func (h *Handler) organisationNames(c *call) (map[string]word, error) {
	list, err := h.People.Organisations(c.Ctx())
	out := make(map[string]word, len(list))
	for _, o := range list {
		out[o.ID] = c.in(o.Name)
	}
	return out, err
}

// posts answers who held what on a day, and lists the posts.
func (h *Handler) posts(c *call) error {
	list, err := h.People.Posts(c.Ctx())
	if err != nil {
		return err
	}
	of, err := h.organisationNames(c)
	if err != nil {
		return err
	}
	day, area, post := dayOf(c.Query("day")), c.Query("area"), c.Query("post")
	asked := day != "" || area != "" || post != ""
	today := i18n.Short(c.Now)
	choices := []web.Option{{Text: c.L.T("people.any_post")}}
	for i := range list {
		choices = append(choices, web.Option{Value: list[i].ID, Text: c.in(list[i].Title).Text + " · " + of[list[i].Organisation].Text})
	}
	v := &postsView{Tabs: c.tabs("posts"), New: len(access.Default().Appoints(string(c.Who.Role))) > 0 && c.Holds(people.Manage)}
	v.Ask = []web.Field{c.Field("day", cmp.Or(day, today), false), c.Choose("area", area, h.areaOptions(c, c.L.T("people.any_area"), area)...), c.Choose("post", post, choices...)}
	p := &web.Page{Title: c.L.T("people.title"), Wide: true, Data: v}
	question, wrong := people.Question{Post: post, Area: area}.OnDay(cmp.Or(day, today))
	status, err := c.Faults(wrong, p, kit.Pointers(v.Ask)...)
	if err != nil {
		return err
	}
	var held []people.Holding
	if asked && wrong == nil {
		if held, err = h.People.On(c.Ctx(), question); err != nil {
			return err
		}
		v.Asked = c.L.T("people.asked", "day", i18n.Short(question.From))
		for i := range held {
			v.Holders = append(v.Holders, h.holder(c, &held[i]))
		}
	}
	now, err := h.People.On(c.Ctx(), people.Question{From: c.Now, To: c.Now.Add(time.Microsecond)})
	if err != nil {
		return err
	}
	if err := h.look(c, "post.list", "", held, now); err != nil {
		return err
	}
	holders := map[string][]string{}
	for i := range now {
		holders[now[i].Post] = append(holders[now[i].Post], now[i].Login)
	}
	for i := range list {
		x := &list[i]
		if x.To != "" && x.To < today {
			continue
		}
		v.Posts = append(v.Posts, postLine{
			Title: c.in(x.Title), Organisation: of[x.Organisation], Area: h.area(c, x.Area), Href: c.Path("/posts/" + x.ID), Kind: x.Kind, Phone: x.Phone, To: x.To,
			Holders: holders[x.ID],
		})
	}
	return c.Render(status, "posts.html", p)
}

type postView struct {
	Tabs                                     []web.Tab
	Title, Organisation, Area, Enterprise    word
	Kind, Phone, From, To                    string
	Several                                  bool
	Holders                                  []holder
	May                                      bool
	Appoint, Change                          []web.Field
	EndDay                                   web.Field
	AppointAction, ChangeAction, EndAction   string
	EndAppointment, OrganisationHref, PostID string
}

func (h *Handler) post(c *call) error { return h.postPage(c, "", nil) }

// postPage shows a post with its history; form is the one that was sent, with what
// was wrong in it.
func (h *Handler) postPage(c *call, form string, wrong error) error {
	x, err := h.People.Post(c.Ctx(), c.R.PathValue("id"))
	if err != nil {
		return err
	}
	o, err := h.People.Organisation(c.Ctx(), x.Organisation)
	if err != nil {
		return err
	}
	held, err := h.People.On(c.Ctx(), people.Question{Post: x.ID})
	if err != nil {
		return err
	}
	if err := h.look(c, "post.view", x.ID, held); err != nil {
		return err
	}
	base := "/posts/" + x.ID
	v := &postView{
		Tabs: c.tabs("posts"), Title: c.in(x.Title), Organisation: c.in(o.Name), OrganisationHref: c.Path("/organisations/" + o.ID), Area: h.area(c, x.Area), Kind: x.Kind, Phone: x.Phone,
		From: cmp.Or(x.From, c.L.T("people.ever")), To: cmp.Or(x.To, c.L.T("people.open")), Several: x.Several, May: h.People.MayAppoint(c.Who, x), PostID: x.ID,
		AppointAction: c.Path(base + "/appoint"), ChangeAction: c.Path(base), EndAction: c.Path(base + "/end"), EndAppointment: c.Path(base + "/end-appointment"),
	}
	if x.Enterprise != "" {
		v.Enterprise = word{x.Enterprise, string(c.Lang)}
		if n, ok := h.Names.EnterpriseName(x.Enterprise); ok {
			v.Enterprise = c.in(n)
		}
	}
	for i := range slices.Backward(held) {
		line := h.holder(c, &held[i])
		line.End = v.May && (held[i].To.IsZero() || held[i].To.After(c.Now))
		v.Holders = append(v.Holders, line)
	}
	v.Appoint = []web.Field{c.Field("account", "", false), c.Field("from", "", true), c.Field("to", "", true)}
	v.Change = append(c.names("title", x.Title), c.Field("phone", x.Phone, true))
	several := c.Field("several", "", true)
	several.Kind, several.Checked = "checkbox", x.Several
	v.Change = append(v.Change, several)
	v.EndDay = c.Field("end_to", i18n.Short(c.Now), false)
	p := &web.Page{Title: c.L.T("people.post_title", "title", v.Title.Text, "organisation", v.Organisation.Text), Crumbs: c.Crumbs("people.title", "/posts"), Data: v}
	var fields []*web.Field
	switch form {
	case "appoint":
		fields = kit.Pointers(v.Appoint)
	case "change":
		fields = kit.Pointers(v.Change)
	case "end":
		fields = []*web.Field{&v.EndDay}
	}
	for _, f := range fields {
		f.Value, f.Checked = c.Form(f.Name), c.Form(f.Name) != ""
	}
	status, err := c.Faults(wrong, p, fields...)
	if err != nil {
		return err
	}
	return c.Render(status, "post.html", p)
}

func (h *Handler) appoint(c *call) error {
	a := people.Appointment{Post: c.R.PathValue("id")}
	err := func() (err error) {
		if a.From, err = from("from", c.Form("from")); err != nil {
			return err
		}
		if a.To, err = until("to", c.Form("to")); err != nil {
			return err
		}
		u, err := h.Auth.UserByLogin(c.Ctx(), c.Form("account"))
		if err != nil && !errs.Is(err, errs.NotFound) {
			return err
		}
		a.Account = u.ID // "" is refused in the order of the other checks
		_, err = h.People.Appoint(c.Ctx(), a, c.Who)
		return err
	}()
	if err != nil {
		return h.postPage(c, "appoint", err)
	}
	return c.Done("/posts/"+a.Post, "appointed")
}

// endAppointment ends one of the post in the address, now.
func (h *Handler) endAppointment(c *call) error {
	held, err := h.People.On(c.Ctx(), people.Question{Post: c.R.PathValue("id")})
	if err != nil {
		return err
	}
	id := c.Form("id")
	if !slices.ContainsFunc(held, func(x people.Holding) bool { return x.ID == id }) {
		return errs.New(errs.NotFound, "err.not_found")
	}
	// One that has ended meanwhile is what was asked for.
	if err := h.People.End(c.Ctx(), id, time.Time{}, c.Who); err != nil && !errs.Is(err, errs.Conflict) {
		return err
	}
	return c.Done("/posts/"+c.R.PathValue("id"), "appointment_ended")
}

func (h *Handler) changePost(c *call) error {
	id := c.R.PathValue("id")
	if err := h.People.ChangePost(c.Ctx(), id, c.named("title"), c.Form("phone"), c.Form("several") != "", c.Who); err != nil {
		return h.postPage(c, "change", err)
	}
	return c.Done("/posts/"+id, "post_changed")
}

func (h *Handler) endPost(c *call) error {
	id := c.R.PathValue("id")
	if err := h.People.EndPost(c.Ctx(), id, dayOf(c.Form("end_to")), c.Who); err != nil {
		// The form to appoint has a "to", too.
		return h.postPage(c, "end", errs.Renamed(err, func(name string) string { return "end_" + name }))
	}
	return c.Done("/posts/"+id, "post_ended")
}

type formView struct {
	Tabs   []web.Tab
	Fields []web.Field
	Action string
	Button string
	Cancel string
	May    bool
	Posts  []postLine
	Of     string // an organisation: where its new post is added
}

func (h *Handler) newPost(c *call) error {
	return h.postForm(c, people.Post{Organisation: c.Query("organisation"), Area: c.Who.Area}, nil)
}

func (h *Handler) postForm(c *call, x people.Post, wrong error) error {
	list, err := h.People.Organisations(c.Ctx())
	if err != nil {
		return err
	}
	var of, kinds []web.Option
	for _, o := range list {
		of = append(of, web.Option{Value: o.ID, Text: c.in(o.Name).Text})
	}
	for _, k := range access.Default().Appoints(string(c.Who.Role)) {
		var roles []string
		for _, g := range access.Default().Account(k, "", "") {
			if g.Role != "platform.person" && g.Role != "platform.staff" {
				roles = append(roles, c.L.T("role."+g.Role))
			}
		}
		kinds = append(kinds, web.Option{Value: k, Text: k + " · " + strings.Join(roles, " + ")})
	}
	several := c.Field("several", "", true)
	several.Kind, several.Checked = "checkbox", x.Several
	v := &formView{Tabs: c.tabs("posts"), Action: c.Path("/posts/new"), Button: c.L.T("people.post_add"), Cancel: c.Path("/posts"), May: true}
	v.Fields = slices.Concat([]web.Field{c.Choose("organisation", x.Organisation, of...), c.Choose("kind", x.Kind, kinds...), c.Field("area", x.Area, true), c.Field("enterprise", x.Enterprise, true)},
		c.names("title", x.Title), []web.Field{c.Field("phone", x.Phone, true), several, c.Field("from", x.From, true), c.Field("to", x.To, true)})
	v.Fields[2].Hint = c.L.T("people.hint_area_code")
	p := &web.Page{Title: c.L.T("people.post_new"), Crumbs: c.Crumbs("people.title", "/posts"), Data: v}
	if len(of) == 0 {
		p.Notices = append(p.Notices, web.Notice{Kind: "warn", Text: c.L.T("people.first_organisation")})
	}
	status, err := c.Faults(wrong, p, kit.Pointers(v.Fields)...)
	if err != nil {
		return err
	}
	return c.Render(status, "people_form.html", p)
}

func (h *Handler) addPost(c *call) error {
	x := people.Post{
		Organisation: c.Form("organisation"), Kind: c.Form("kind"), Area: i18n.Digits(c.Form("area")), Enterprise: c.Form("enterprise"), Title: c.named("title"),
		Phone: i18n.Digits(c.Form("phone")), Several: c.Form("several") != "", From: dayOf(c.Form("from")), To: dayOf(c.Form("to")),
	}
	made, err := h.People.AddPost(c.Ctx(), x, c.Who)
	if err != nil {
		return h.postForm(c, x, err)
	}
	return c.Done("/posts/"+made.ID, "post_added")
}

type organisationLine struct {
	Name, Area     word
	Href, Kind     string
	Code, From, To string
}

type organisationsView struct {
	Tabs []web.Tab
	Rows []organisationLine
	New  bool
}

func (h *Handler) organisations(c *call) error {
	list, err := h.People.Organisations(c.Ctx())
	if err != nil {
		return err
	}
	v := &organisationsView{Tabs: c.tabs("organisations"), New: c.Holds(people.Manage)}
	for i := range list {
		o := &list[i]
		v.Rows = append(v.Rows, organisationLine{Name: c.in(o.Name), Area: h.area(c, o.Area), Href: c.Path("/organisations/" + o.ID), Kind: c.L.T("people.kind_" + o.Kind), Code: o.Code, From: o.From, To: o.To})
	}
	return c.Render(http.StatusOK, "organisations.html", &web.Page{Title: c.L.T("people.organisations"), Wide: true, Data: v})
}

// organisation shows one with its posts, or the form of a new one.
func (h *Handler) organisation(c *call) error {
	o := people.Organisation{Kind: people.Kinds[0], Area: c.Who.Area}
	if id := c.R.PathValue("id"); id != "" {
		var err error
		if o, err = h.People.Organisation(c.Ctx(), id); err != nil {
			return err
		}
	}
	return h.organisationPage(c, o, nil)
}

func (h *Handler) organisationPage(c *call, o people.Organisation, wrong error) error {
	v := &formView{Tabs: c.tabs("organisations"), Cancel: c.Path("/organisations"), Button: c.L.T("people.organisation_add"), Action: c.Path("/organisations/new")}
	title := c.L.T("people.organisation_new")
	if o.ID != "" {
		title, v.Button, v.Action = c.in(o.Name).Text, c.L.T("people.save"), c.Path("/organisations/"+o.ID)
		all, err := h.People.Posts(c.Ctx())
		if err != nil {
			return err
		}
		for i := range all {
			if x := &all[i]; x.Organisation == o.ID {
				v.Posts = append(v.Posts, postLine{Title: c.in(x.Title), Area: h.area(c, x.Area), Href: c.Path("/posts/" + x.ID), Kind: x.Kind, Phone: x.Phone, To: x.To})
			}
		}
	}
	v.May = h.People.MayKeep(c.Who, o.Area)
	if v.May && o.ID != "" {
		v.Of = c.Path("/posts/new") + "?organisation=" + o.ID
	}
	var kinds []web.Option
	for _, k := range people.Kinds {
		kinds = append(kinds, web.Option{Value: k, Text: c.L.T("people.kind_" + k)})
	}
	v.Fields = slices.Concat([]web.Field{c.Choose("kind", o.Kind, kinds...)}, c.names("name", o.Name),
		[]web.Field{c.Field("code", o.Code, true), c.Field("area", o.Area, true), c.Field("from", o.From, true), c.Field("to", o.To, true)})
	v.Fields[5].Hint = c.L.T("people.hint_area_code")
	p := &web.Page{Title: title, Crumbs: c.Crumbs("people.organisations", "/organisations"), Data: v}
	status, err := c.Faults(wrong, p, kit.Pointers(v.Fields)...)
	if err != nil {
		return err
	}
	return c.Render(status, "people_form.html", p)
}

func (h *Handler) putOrganisation(c *call) error {
	o := people.Organisation{
		ID: c.R.PathValue("id"), Kind: c.Form("kind"), Code: i18n.Digits(c.Form("code")), Name: c.named("name"), Area: i18n.Digits(c.Form("area")),
		From: dayOf(c.Form("from")), To: dayOf(c.Form("to")),
	}
	saved, err := h.People.PutOrganisation(c.Ctx(), o, c.Who)
	if err != nil {
		return h.organisationPage(c, o, err)
	}
	return c.Done("/organisations/"+saved.ID, "organisation_saved")
}
