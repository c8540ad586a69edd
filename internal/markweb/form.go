package markweb

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/mark"
	"plateau/internal/telemetry/quality"
	"plateau/internal/web"
	"plateau/internal/web/kit"
)

// formView is marking a period, or correcting a value: first what is asked, then
// what it would change with the declaration.
type formView struct {
	Outlet     word
	Intro      string
	Action     string
	Fields     []web.Field
	Factors    []web.Field // check boxes; none = all
	Checked    bool        // the effect is shown
	Effects    []string
	Examples   []example
	Totals     []string
	Late       string
	Quotas     []quotaLine
	Hidden     [][2]string
	Declare    web.Field
	Send, Back string
}

type example struct{ At, Factor, What, Old, New string }

func (h *Handler) newMark(c *call) error { return h.form(c, false, c.Query, nil) }

func (h *Handler) newCorrection(c *call) error { return h.form(c, true, c.Query, nil) }

func (h *Handler) addMark(c *call) error { return h.add(c, false) }

func (h *Handler) addCorrection(c *call) error { return h.add(c, true) }

func (h *Handler) add(c *call, correction bool) error {
	o, err := h.outlet(c)
	if err != nil {
		return err
	}
	in, err := input(o, correction, c.Form)
	if err != nil {
		return h.form(c, correction, c.Form, err)
	}
	in.Declared = c.Form("declared") != ""
	p, err := h.Marks.Submit(c.Ctx(), in, c.Who)
	if err != nil {
		return h.form(c, correction, c.Form, err)
	}
	done := "mark_waits"
	if p.State.InForce() {
		done = "mark_in_force"
	}
	return c.Done("/marks/"+p.Number, done)
}

// names are the fields that the second step carries on.
var names = []string{"code", "factor", "from", "to", "value", "cause", "evidence"}

// input reads what was entered; the error names the fields that are none.
func input(o *telemetry.Outlet, correction bool, value func(string) string) (mark.Input, error) {
	in := mark.Input{Outlet: o.ID, Cause: value("cause"), Evidence: value("evidence")}
	var wrong errs.Checks
	for name, t := range map[string]*time.Time{"from": &in.From, "to": &in.To} {
		at, ok := i18n.ParseStamp(value(name))
		wrong.Require(ok, name, "err.field.time")
		*t = at
	}
	if correction {
		in.Factors = []string{value("factor")}
		text, ok := i18n.ParseNumber(value("value"))
		v, err := strconv.ParseFloat(text, 64)
		wrong.Require(ok && err == nil, "value", "err.field.number")
		in.Value = &v
	} else {
		in.Ref = value("code")
		wrong.Require(in.Ref != "", "code", "err.field.mark_code")
		for i := range o.Factors {
			if code := o.Factors[i].Code; value("factor_"+code) != "" {
				in.Factors = append(in.Factors, code)
			}
		}
	}
	return in, wrong.Err()
}

// form shows the form, with the effect once it was asked for.
func (h *Handler) form(c *call, correction bool, value func(string) string, wrong error) error {
	o, err := h.outlet(c)
	if err != nil {
		return err
	}
	if !h.Marks.MaySet(c.Who, o) {
		return errs.New(errs.Forbidden, "problem.forbidden", "permission", c.L.T("permission.telemetry.mark"))
	}
	title, path := "marks.new", base(o)+"/marks/new"
	if correction {
		title, path = "marks.new_correction", base(o)+"/corrections/new"
	}
	v := &formView{Outlet: c.named(o.Name), Action: c.Path(path), Back: c.Path(base(o) + "/marks"), Intro: c.L.T(title + "_text")}
	if err := h.fields(c, o, correction, value, v); err != nil {
		return err
	}
	if v.Quotas, err = h.quotas(c, o, c.Now); err != nil {
		return err
	}
	v.Declare = c.Field("declared", "", false)
	v.Declare.Kind, v.Declare.Checked = "checkbox", value("declared") != ""
	if wrong == nil && value("check") != "" || c.R.Method == http.MethodPost {
		if late := h.effects(c, o, correction, value, v); wrong == nil {
			wrong = late
		}
	}
	p := &web.Page{Title: c.L.T(title), Crumbs: append(h.crumbs(c, o), web.Crumb{Text: c.L.T("marks.title"), Path: base(o) + "/marks"}), Data: v}
	fields := append(kit.Pointers(v.Fields), &v.Declare)
	status, err := c.Faults(wrong, p, fields...)
	if err != nil {
		return err
	}
	return c.Render(status, "mark_form.html", p)
}

func (h *Handler) fields(c *call, o *telemetry.Outlet, correction bool, value func(string) string, v *formView) error {
	text := func(name string, optional bool) web.Field { return c.Field(name, value(name), optional) }
	if correction {
		var options []web.Option
		for i := range o.Factors {
			code := o.Factors[i].Code
			options = append(options, web.Option{Value: code, Text: c.factor(code).Text + " " + unit(o, code)})
		}
		factor := c.Choose("factor", value("factor"), options...)
		number := text("value", false)
		number.Input, number.Width = "decimal", "short"
		v.Fields = []web.Field{factor, text("from", false), text("to", false), number, text("cause", false), text("evidence", true)}
		v.Fields[5].Label, v.Fields[5].Hint = c.L.T("marks.field_document"), c.L.T("marks.hint_document")
		return nil
	}
	codes, err := h.Marks.Codes(o, c.Now)
	if err != nil {
		return err
	}
	options := []web.Option{{Text: c.L.T("marks.choose")}}
	who := h.Marks.Source(c.Who, o)
	for _, m := range codes {
		if slices.Contains(m.By, who) {
			options = append(options, web.Option{Value: m.Ref(), Text: m.Name[string(c.Lang)] + " · " + c.L.T("marks.group_"+m.Group) + " · " + effect(c, m)})
		}
	}
	v.Fields = []web.Field{c.Choose("code", value("code"), options...), text("from", false), text("to", false), text("cause", true), text("evidence", true)}
	for i := range o.Factors {
		code := o.Factors[i].Code
		v.Factors = append(v.Factors, web.Field{Name: "factor_" + code, Label: c.factor(code).Text, Kind: "checkbox", Checked: value("factor_"+code) != ""})
	}
	return nil
}

// effects asks what the mark would change, and carries the answers on.
func (h *Handler) effects(c *call, o *telemetry.Outlet, correction bool, value func(string) string, v *formView) error {
	in, err := input(o, correction, value)
	if err != nil {
		return err
	}
	d, err := h.Marks.Preview(c.Ctx(), in, c.Who)
	if err != nil {
		return err
	}
	v.Checked, v.Send = true, c.L.T("marks.send")
	if correction {
		v.Send = c.L.T("marks.send_correction")
	}
	for _, n := range names {
		if x := value(n); x != "" {
			v.Hidden = append(v.Hidden, [2]string{n, x})
		}
	}
	for _, code := range in.Factors {
		if !correction {
			v.Hidden = append(v.Hidden, [2]string{"factor_" + code, "1"})
		}
	}
	v.Effects = changes(c, d.Sum)
	if len(d.Changed) == 0 {
		return nil
	}
	x := &d.Changed[0]
	for i := range x.Examples {
		e := &x.Examples[i]
		from := time.Unix(e.At, 0)
		l := example{At: i18n.Short(from), Factor: c.factor(e.Factor).Text, What: c.L.T("marks.what_" + e.What + map[bool]string{true: "", false: "_no"}[e.Appears]), Old: number(e.Old), New: number(e.New)}
		if e.Level == quality.LevelHour {
			l.At += " " + i18n.Hours(from, from.Add(time.Hour))
		}
		v.Examples = append(v.Examples, l)
	}
	for _, t := range x.Totals {
		v.Totals = append(v.Totals, c.L.T("marks.total", "factor", c.factor(t.Factor).Text, "old", i18n.Number(t.Old, 2), "new", i18n.Number(t.New, 2)))
	}
	return nil
}

func number(o quality.Opt) string {
	if !o.OK {
		return "—"
	}
	return i18n.Number(o.V, 2)
}

// changes puts what a mark changes into sentences.
func changes(c *call, x quality.Changes) (out []string) {
	for _, s := range []struct {
		key string
		n   int
	}{
		{"hours_not_valid", x.HoursNotValid},
		{"hours_valid", x.HoursValid},
		{"days_not_valid", x.DaysNotValid},
		{"days_valid", x.DaysValid},
		{"hours_not_over", x.HoursNotOver},
		{"hours_over", x.HoursOver},
		{"days_not_over", x.DaysNotOver},
		{"days_over", x.DaysOver},
		{"no_warnings", x.NoWarnings},
		{"warnings", x.Warnings},
		{"figures", x.Figures},
	} {
		if s.n > 0 {
			out = append(out, c.L.T("marks.change_"+s.key, "n", strconv.Itoa(s.n)))
		}
	}
	if len(out) == 0 {
		out = []string{c.L.T("marks.change_none")}
	}
	return out
}
