package telemetryweb

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/errs"
	"plateau/internal/telemetry/events"
	"plateau/internal/telemetry/webhook"
	"plateau/internal/web"
)

// Webhooks keeps who is told of events; *webhook.Service is one. Errors are of
// the kinds it names.
type Webhooks interface {
	List(ctx context.Context) ([]webhook.Hook, error)
	Get(ctx context.Context, id string) (webhook.Hook, error)
	Add(ctx context.Context, h webhook.Hook) (webhook.Hook, error)
	Change(ctx context.Context, id string, version int64, edit func(h *webhook.Hook)) (webhook.Hook, error)
	Delete(ctx context.Context, id string, version int64) error
	Test(ctx context.Context, id string) (webhook.Delivery, error)
	Deliveries(ctx context.Context, id string) ([]webhook.Delivery, error)
}

func webhookRoutes() []route {
	return []route{
		{"GET", "/webhooks", Hooks, (*Handler).webhooks},
		{"POST", "/webhooks", Hooks, (*Handler).webhookAdd},
		{"GET", "/webhooks/{id}", Hooks, (*Handler).webhook},
		{"POST", "/webhooks/{id}", Hooks, (*Handler).webhookAct},
	}
}

// webhookRow is a subscription in words.
type webhookRow struct {
	Href, URL   string
	Note        string
	What        string
	Shape       string
	State       string
	Next        time.Time // of a failed one; zero = at once
	GivenUp     int
	Paused      bool
	Version     int64
	Secret      string
	ByPost      string
	Updated     time.Time
	Kinds, Whom string
}

type webhookForm struct {
	URL, Areas, Outlets, Note web.Field
	Kinds                     []web.Option
	KindsError                string
}

type deliveryLine struct {
	At      time.Time
	Kind    string
	Try     int
	Status  int
	Took    string
	Shape   string
	Outcome string
	Fault   string
}

type webhooksView struct {
	Tabs []web.Tab
	Rows []webhookRow
	Form webhookForm
}

type webhookView struct {
	Row  webhookRow
	Form webhookForm
	Log  []deliveryLine
}

func (h *Handler) webhooks(c *call) error { return h.webhooksPage(c, http.StatusOK, nil) }

func (h *Handler) webhooksPage(c *call, status int, wrong error) error {
	if h.Webhooks == nil {
		return notFound()
	}
	list, err := h.Webhooks.List(c.ctx())
	if err != nil {
		return err
	}
	v := &webhooksView{Tabs: c.registryTabs("webhooks")}
	for i := range list {
		v.Rows = append(v.Rows, c.webhookRow(&list[i]))
	}
	p := &web.Page{Title: c.l.T("webhook.title"), Module: "registry", Crumbs: registryCrumbs(c, ""), Data: v}
	in, _ := c.webhookInput() // wrong has what could not be read
	v.Form = c.webhookForm(in, wrong, p)
	return h.render(c, status, "webhooks.html", p)
}

// webhookInput is what a form says of a subscription; errs.Invalid names the
// outlets that are no numbers.
func (c *call) webhookInput() (webhook.Hook, error) {
	form := c.r.PostForm
	in := webhook.Hook{URL: strings.TrimSpace(form.Get("url")), Note: strings.TrimSpace(form.Get("note")), Areas: listed(form.Get("areas")), ByPost: c.actor.Post}
	for _, k := range form["kinds"] {
		in.Kinds = append(in.Kinds, events.Kind(k))
	}
	if len(in.Kinds) == len(events.Kinds()) { // all, later ones too
		in.Kinds = nil
	}
	var bad errs.Checks
	for _, s := range listed(form.Get("outlets")) {
		if id, ok := parseOutletID(s); ok {
			in.Outlets = append(in.Outlets, id)
		} else {
			bad.Add("outlets", "webhook.err.outlet", "value", s)
		}
	}
	return in, bad.Err()
}

// listed reads entries with blanks, commas or new lines between them.
func listed(s string) []string {
	out := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" ,，、;；\t\r\n", r) })
	if len(out) == 0 {
		return nil
	}
	return out
}

// webhookForm makes the fields; wrong is what a save said: then lists stand as
// they were typed.
func (c *call) webhookForm(in webhook.Hook, wrong error, p *web.Page) webhookForm {
	faults := map[string]string{}
	if e, ok := errors.AsType[*errs.Error](wrong); ok {
		for _, f := range e.Fields {
			faults[f.Name] = c.l.T(f.Key, f.Args...)
			p.Errors = append(p.Errors, web.FieldError{Field: f.Name, Text: faults[f.Name]})
		}
	}
	var outlets []string
	for _, o := range in.Outlets {
		outlets = append(outlets, strconv.FormatUint(uint64(o), 10))
	}
	areasText, outletsText := strings.Join(in.Areas, " "), strings.Join(outlets, " ")
	if wrong != nil {
		areasText, outletsText = c.r.PostForm.Get("areas"), c.r.PostForm.Get("outlets")
	}
	f := webhookForm{
		URL:     web.Field{Name: "url", Label: c.l.T("webhook.url"), Hint: c.l.T("webhook.url_hint"), Value: in.URL, Error: faults["url"]},
		Areas:   web.Field{Name: "areas", Label: c.l.T("webhook.areas"), Hint: c.l.T("webhook.areas_hint"), Value: areasText, Error: faults["areas"], Optional: true, Width: "medium"},
		Outlets: web.Field{Name: "outlets", Label: c.l.T("webhook.outlets"), Hint: c.l.T("webhook.outlets_hint"), Value: outletsText, Error: faults["outlets"], Optional: true, Width: "medium"},
		Note:    web.Field{Name: "note", Label: c.l.T("webhook.note"), Value: in.Note, Error: faults["note"], Optional: true}, KindsError: faults["kinds"],
	}
	for _, k := range events.Kinds() {
		f.Kinds = append(f.Kinds, web.Option{Value: string(k), Text: c.eventKind(string(k)), Selected: len(in.Kinds) == 0 || slices.Contains(in.Kinds, k)})
	}
	return f
}

// eventKind words a kind of events, such as alarm.raised.
func (c *call) eventKind(k string) string {
	if key := "webhook.kind_" + strings.ReplaceAll(k, ".", "_"); c.l.Has(key) {
		return c.l.T(key)
	}
	return k
}

func (c *call) webhookRow(h *webhook.Hook) webhookRow {
	r := webhookRow{
		Href: c.path("/webhooks/" + h.ID), URL: shortURL(h.URL), Note: h.Note, Next: h.NextTry, GivenUp: h.GivenUp, Paused: h.Paused, Version: h.Version,
		Secret: string(h.Secret), ByPost: h.ByPost, Updated: h.Updated, Kinds: c.l.T("webhook.all_kinds"), Whom: c.l.T("webhook.everywhere"),
	}
	if len(h.Kinds) > 0 {
		var words []string
		for _, k := range h.Kinds {
			words = append(words, c.eventKind(string(k)))
		}
		r.Kinds = strings.Join(words, " · ")
	}
	var whom []string
	for _, a := range h.Areas {
		whom = append(whom, c.area(a).Text)
	}
	for _, id := range h.Outlets {
		if o := c.snap.Outlets[id]; o != nil {
			whom = append(whom, c.outletName(o).Text)
		}
	}
	if len(whom) > 0 {
		r.Whom = strings.Join(whom, " · ")
	}
	switch {
	case h.Paused:
		r.Shape, r.State = "stopped", c.l.T("webhook.state_paused")
	case h.Tries > 0:
		r.Shape, r.State = "warn", c.l.T("webhook.state_failing", "n", h.Tries)
	case h.GivenUp > 0:
		r.Shape, r.State = "exceed", c.l.T("webhook.state_given_up", "n", h.GivenUp)
	default:
		r.Shape, r.State = "normal", c.l.T("webhook.state_ok")
	}
	return r
}

// shortURL leaves the query out of an address: receivers put secrets there.
func shortURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.RawQuery == "" {
		return s
	}
	u.RawQuery = ""
	return u.String() + "?…"
}

func (h *Handler) webhookAdd(c *call) error {
	if h.Webhooks == nil {
		return notFound()
	}
	in, err := c.webhookInput()
	var made webhook.Hook
	if err == nil {
		made, err = h.Webhooks.Add(c.ctx(), in)
	}
	if errs.Is(err, errs.Invalid) {
		return h.webhooksPage(c, http.StatusUnprocessableEntity, err)
	}
	if err != nil {
		return err
	}
	return c.done("/webhooks/"+made.ID, "webhook_added")
}

func (h *Handler) webhook(c *call) error { return h.webhookPage(c, http.StatusOK, nil) }

func (h *Handler) webhookPage(c *call, status int, wrong error) error {
	if h.Webhooks == nil {
		return notFound()
	}
	hook, err := h.Webhooks.Get(c.ctx(), c.r.PathValue("id"))
	if err != nil {
		return err
	}
	sent, err := h.Webhooks.Deliveries(c.ctx(), hook.ID)
	if err != nil {
		return err
	}
	v := &webhookView{Row: c.webhookRow(&hook)}
	for i := range sent {
		d := &sent[i]
		l := deliveryLine{At: d.At, Kind: c.eventKind(d.Kind), Try: d.Try, Status: d.Status, Took: d.Took.Round(time.Millisecond).String(), Fault: d.Fault, Outcome: c.l.T("webhook.outcome_" + d.Outcome)}
		l.Shape = map[string]string{webhook.Done: "normal", webhook.Retry: "warn"}[d.Outcome]
		if l.Shape == "" {
			l.Shape = "exceed"
		}
		if d.Event == "" && d.Outcome == webhook.Retry { // a test is not tried again
			l.Outcome = c.l.T("webhook.outcome_failed")
		}
		v.Log = append(v.Log, l)
	}
	if wrong != nil {
		hook, _ = c.webhookInput() // wrong has what could not be read
	}
	p := &web.Page{
		Title: c.l.T("webhook.one"), Module: "registry", Data: v,
		Crumbs: append(registryCrumbs(c, ""), web.Crumb{Text: c.l.T("webhook.title"), Path: "/webhooks"}),
	}
	v.Form = c.webhookForm(hook, wrong, p)
	return h.render(c, status, "webhook.html", p)
}

// webhookAct does what a button of the page says.
func (h *Handler) webhookAct(c *call) error {
	if h.Webhooks == nil {
		return notFound()
	}
	id := c.r.PathValue("id")
	version, err := strconv.ParseInt("0"+c.r.PostForm.Get("version"), 10, 64)
	if err != nil {
		return errs.Wrap(err, errs.Malformed, "")
	}
	pause := func(on bool) error {
		_, err := h.Webhooks.Change(c.ctx(), id, 0, func(w *webhook.Hook) { w.Paused, w.ByPost = on, c.actor.Post })
		return err
	}
	switch c.r.PostForm.Get("act") {
	case "test":
		d, err := h.Webhooks.Test(c.ctx(), id)
		if err != nil {
			return err
		}
		if d.Outcome != webhook.Done {
			return c.done("/webhooks/"+id, "webhook_test_failed")
		}
		return c.done("/webhooks/"+id, "webhook_tested", "status", d.Status)
	case "pause":
		if err := pause(true); err != nil {
			return err
		}
		return c.done("/webhooks/"+id, "webhook_paused")
	case "resume":
		if err := pause(false); err != nil {
			return err
		}
		return c.done("/webhooks/"+id, "webhook_resumed")
	case "delete":
		if err := h.Webhooks.Delete(c.ctx(), id, 0); err != nil {
			return err
		}
		return c.done("/webhooks", "webhook_deleted")
	case "save":
		in, err := c.webhookInput()
		if err == nil {
			_, err = h.Webhooks.Change(c.ctx(), id, version, func(w *webhook.Hook) {
				w.URL, w.Kinds, w.Areas, w.Outlets, w.Note, w.ByPost = in.URL, in.Kinds, in.Areas, in.Outlets, in.Note, in.ByPost
			})
		}
		if errs.Is(err, errs.Invalid) {
			return h.webhookPage(c, http.StatusUnprocessableEntity, err)
		}
		if err != nil {
			return err
		}
		return c.done("/webhooks/"+id, "webhook_saved")
	}
	return errs.New(errs.Malformed, "")
}
