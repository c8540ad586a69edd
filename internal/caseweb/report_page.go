package caseweb

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/casework"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/web"
	"plateau/internal/web/kit"
)

// reportPages are for everybody: whoever sees a problem may report it without an account.
func reportPages() []kit.Route[*Handler, *call] {
	return []kit.Route[*Handler, *call]{
		kit.Get("/report", access.Open, (*Handler).reportPage),
		kit.Post("/report", access.Open, (*Handler).reportStep),
		kit.Get("/report/done", access.Open, (*Handler).reported),
	}
}

// reportKind is the case that a report on the public page opens.
const reportKind = "river_case"

// Bounds of reports from one address: they cost people's time, not only the program's.
const (
	reports       = 10
	reportsWithin = time.Hour
)

// reportSteps are the questions, one a page, and the answers that each asks for.
var reportSteps = []struct {
	name   string
	fields []string
}{
	{"what", []string{"category"}},
	{"text", []string{"description"}},
	{"where", []string{"area", "address_text", "lat", "long"}},
	{"contact", []string{"contact"}},
	{"check", nil},
}

type reportView struct {
	Step, Key string
	N, Of     int
	Fields    []web.Field
	Point     []web.Field // where it is, for who knows the coordinates
	Hidden    []given
	Answers   []given
	Urgent    bool // of the most urgent kind: somebody should be called first
	First     bool
	Days      int // that a contact is kept after the case ended
}

// given is an answer of an earlier page.
type given struct{ Name, Label, Value, Step string }

// reportType is the type that reports are of; nil where this program has none in force.
func (h *Handler) reportType() *casework.Type {
	t, ok := h.Cases.Types.InForce(reportKind, i18n.Short(h.Now()))
	if !ok {
		return nil
	}
	return t
}

func (h *Handler) reportPage(c *call) error { return h.reportForm(c, 0, nil) }

// reportStep takes the answers of a page and shows the next one; at the end it opens the
// case. Answers go from page to page in the form: nothing is kept before it is sent, and
// none stands in an address.
func (h *Handler) reportStep(c *call) error {
	at := slices.IndexFunc(reportSteps, func(x struct {
		name   string
		fields []string
	},
	) bool {
		return x.name == c.Form("step")
	})
	if at < 0 {
		return errs.New(errs.Malformed, "")
	}
	if to, ok := strings.CutPrefix(c.Form("go"), "edit:"); ok {
		for i, x := range reportSteps {
			if x.name == to {
				return h.reportForm(c, i, nil)
			}
		}
		return errs.New(errs.Malformed, "")
	}
	if err := h.answered(c, at); err != nil {
		return h.reportForm(c, at, err)
	}
	if at < len(reportSteps)-1 {
		return h.reportForm(c, at+1, nil)
	}
	for i := range at { // what was sent without the pages before
		if err := h.answered(c, i); err != nil {
			return h.reportForm(c, i, err)
		}
	}
	return h.report(c, at)
}

// answered checks the answers of a page.
func (h *Handler) answered(c *call, at int) error {
	t := h.reportType()
	if t == nil {
		return errs.New(errs.NotFound, "err.not_found")
	}
	var bad errs.Checks
	switch reportSteps[at].name {
	case "what":
		bad.Require(slices.ContainsFunc(c.categories(t, true)[1:], func(o web.Option) bool { return o.Value == c.Form("category") }), "category", "err.case.report_category")
	case "text":
		n := len([]rune(c.Form("description")))
		bad.Require(n > 0, "description", "err.case.report_text")
		bad.Require(n <= maxReport, "description", "err.field.long", "max", maxReport)
	case "where":
		bad.Require(slices.ContainsFunc(h.areaOptions(c)[1:], func(o web.Option) bool { return o.Value == c.Form("area") }), "area", "err.case.report_area")
		bad.Require(len([]rune(c.Form("address_text"))) <= 200, "address_text", "err.field.long", "max", 200)
		if err := bad.Err(); err != nil {
			return err
		}
		_, err := c.location()
		return err
	case "contact":
		bad.Require(len([]rune(c.Form("contact"))) <= 200, "contact", "err.field.long", "max", 200)
	}
	return bad.Err()
}

// maxReport bounds a description, so that a form with all of them fits what a form may send.
const maxReport = 2000

func (h *Handler) reportForm(c *call, at int, wrong error) error {
	t := h.reportType()
	if t == nil {
		return errs.New(errs.NotFound, "err.not_found")
	}
	x := reportSteps[at]
	v := &reportView{Step: x.name, Key: c.Form("key"), N: at + 1, Of: len(reportSteps), First: at == 0, Days: h.ContactDays}
	if v.Key == "" {
		v.Key = newKey()
	}
	for _, k := range t.Categories {
		v.Urgent = v.Urgent || k.Code == c.Form("category") && k.Severity == 1
	}
	for _, step := range reportSteps {
		for _, name := range step.fields {
			value := c.Form(name)
			if step.name != x.name {
				v.Hidden = append(v.Hidden, given{Name: name, Value: value})
			}
			if value != "" {
				v.Answers = append(v.Answers, given{name, c.L.T("case.field_" + name), h.inWords(c, t, name, value), step.name})
			}
		}
	}
	switch x.name {
	case "what":
		v.Fields = []web.Field{c.Choose("category", c.Form("category"), c.categories(t, true)...)}
	case "text":
		f := c.Field("description", c.Form("description"), false)
		f.Kind, f.Width = "textarea", ""
		f.Hint = c.L.T("case.report_text_hint")
		v.Fields = []web.Field{f}
	case "where":
		address := c.Field("address_text", c.Form("address_text"), true)
		address.Width = ""
		v.Fields = []web.Field{c.Choose("area", c.Form("area"), h.areaOptions(c)...), address}
		v.Point = []web.Field{c.Field("lat", c.Form("lat"), true), c.Field("long", c.Form("long"), true)}
		for i := range v.Point {
			v.Point[i].Input = "decimal"
		}
	case "contact":
		f := c.Field("contact", c.Form("contact"), true)
		f.Width = ""
		v.Fields = []web.Field{f}
	}
	p := &web.Page{Title: c.L.T("case.report_" + x.name), Plain: true, Private: true, Data: v}
	fields := append(kit.Pointers(v.Fields), kit.Pointers(v.Point)...)
	status, err := c.Faults(errs.Renamed(wrong, placed), p, fields...)
	if err != nil {
		return err
	}
	return c.Render(status, "case_report.html", p)
}

// inWords is an answer as it is shown again.
func (h *Handler) inWords(c *call, t *casework.Type, name, value string) string {
	switch name {
	case "category":
		for _, k := range t.Categories {
			if k.Code == value {
				return c.word(k.Name).Text
			}
		}
	case "area":
		return h.areaWord(c, value).Text
	}
	return value
}

// report opens the case and leads to its number, its PIN and its link.
func (h *Handler) report(c *call, at int) error {
	t := h.reportType()
	l, err := c.location()
	if err != nil || t == nil {
		return h.reportForm(c, at, err)
	}
	if !h.looked.take("report "+h.From(c.R), reports, reportsWithin, c.Now) {
		return h.reportForm(c, at, errs.InvalidField("action", "err.case.reports"))
	}
	o := casework.Opening{
		Kind: t.Kind, Category: c.Form("category"), Text: c.Form("description"), Lang: string(c.Lang), Location: l, Source: "resident",
		Title: c.L.T("case.report_named", "category", h.inWords(c, t, "category", c.Form("category")), "area", h.areaWord(c, l.Area).Text),
	}
	var said strings.Builder
	for _, step := range reportSteps {
		for _, name := range step.fields {
			said.WriteString(name + "=" + c.Form(name) + "\n")
		}
	}
	sum := sha256.Sum256([]byte(said.String()))
	r := casework.Request{Key: c.Form("key"), Sum: hex.EncodeToString(sum[:])}
	if len(r.Key) > maxKey {
		return errs.New(errs.Malformed, "")
	}
	made, _, err := h.Cases.Report(c.Ctx(), o, c.Form("contact"), c.Who, r)
	if errs.Is(err, errs.Invalid) {
		return h.reportForm(c, at, err)
	}
	if err != nil {
		return err
	}
	return c.See("/report/done?number=" + made.TrackingNo + "&key=" + h.Cases.Link(made))
}

type reportedView struct{ Number, PIN, Link string }

// reported shows who came from the form what goes with their report. The address is the link
// itself, so that it can be opened again.
func (h *Handler) reported(c *call) error {
	x, err := h.find(c, c.Query("number"))
	if errs.Is(err, errs.Invalid) || err == nil && !h.Cases.IsLink(x, c.Query("key")) {
		return c.See("/track")
	}
	if err != nil {
		return err
	}
	v := &reportedView{Number: casework.Written(x.TrackingNo), PIN: h.Cases.PIN(x), Link: c.Path("/track") + "?number=" + x.TrackingNo + "&key=" + h.Cases.Link(x)}
	return c.Render(http.StatusOK, "case_report_done.html", &web.Page{Title: c.L.T("case.report_done"), Plain: true, Private: true, Data: v})
}
