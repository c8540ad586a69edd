package caseweb

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"plateau/internal/platform/casework"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/httpd"
	"plateau/internal/web"
	"plateau/internal/web/kit"
)

// picked is a case that was chosen from a list, as the reader saw it.
type picked struct {
	*casework.Case
	seen int // version
}

// outcome is what became of one case.
type outcome struct {
	Number, Href, Title, Lang string
	Done                      bool
	Text                      string
}

type manyView struct {
	Action, Value string
	Cases         []outcome
	Picks         []string
	Fields        []web.Field
	Key           string
	Acted         bool
	Said          string // how many were done
	To            string // address the form goes to
	Back          string // address of the list
}

// actOnMany takes one action on the cases that were chosen: asked first what it
// needs, then once for each, and what became of each is told. The answer is the page
// itself: sent again, each act is the repetition that its key makes it.
func (h *Handler) actOnMany(c *call) error {
	picks := c.R.PostForm["pick"]
	kind, name, _ := strings.Cut(c.Form("action"), ".")
	var wrong errs.Checks
	wrong.Require(len(picks) > 0, "pick", "err.case.pick")
	wrong.Require(len(picks) <= pageSize, "pick", "err.case.pick_many", "max", pageSize)
	wrong.Require(name != "", "action", "err.case.pick_action")
	if err := wrong.Err(); err != nil {
		return h.casesPage(c, err)
	}
	list, first, err := h.pickedCases(c, picks, kind, name)
	if err != nil {
		return err
	}
	repeated := c.Form("step") == "do" && c.Form("key") != "" // may have been done by now
	if first == nil || !first.now && !repeated {
		return h.casesPage(c, errs.InvalidField("action", "err.case.pick_none"))
	}
	v := &manyView{Action: in(first.label, c.Lang), Value: c.Form("action"), Picks: picks, Key: c.Form("key"), To: c.Path("/cases/act") + "?" + c.R.URL.RawQuery, Back: c.Path("/cases") + "?" + kept(c.R.URL.Query())}
	if v.Fields, err = h.manyFields(c, first.form); err != nil {
		return err
	}
	if !repeated {
		return h.askMany(c, v, list, nil)
	}
	var missing errs.Checks
	for _, f := range v.Fields {
		missing.Require(f.Optional || f.Value != "", f.Name, "err.field.required")
	}
	if err := missing.Err(); err != nil {
		return h.askMany(c, v, list, err)
	}
	form := map[string]string{}
	for _, f := range v.Fields {
		if f.Value != "" {
			form[strings.TrimPrefix(f.Name, formPrefix)] = f.Value
		}
	}
	sum := sumOf(v.Value, form)
	done := 0
	for _, x := range list {
		o := h.outcomeOf(c, x.Case)
		t := h.Cases.TypeOf(x.Case)
		switch {
		case t == nil || t.Kind != kind:
			o.Text = c.L.T("caselist.other_kind")
		default:
			y, _, err := h.Cases.Act(c.Ctx(), x.ID, name, casework.Input{Form: form}, c.Who, casework.Request{Key: v.Key + "." + x.ID, Sum: sum, Version: x.seen})
			if err != nil {
				o.Text = c.reason(err)
				break
			}
			o.Done = true
			done++
			if st := t.State(y.State); st != nil {
				o.Text = in(st.Label, c.Lang)
			}
		}
		v.Cases = append(v.Cases, o)
	}
	v.Acted, v.Said = true, c.L.T("caselist.acted", "n", done, "all", len(list))
	return c.Render(http.StatusOK, "case_many.html", &web.Page{Title: v.Action, Crumbs: c.Crumbs("caselist.title", "/cases"), Data: v})
}

// askMany shows what the action needs, and of which cases it will be taken.
func (h *Handler) askMany(c *call, v *manyView, list []picked, wrong error) error {
	v.Key = uuid.NewString()
	for _, x := range list {
		v.Cases = append(v.Cases, h.outcomeOf(c, x.Case))
	}
	p := &web.Page{Title: v.Action, Crumbs: c.Crumbs("caselist.title", "/cases"), Data: v}
	status, err := c.Faults(wrong, p, kit.Pointers(v.Fields)...)
	if err != nil {
		return err
	}
	return c.Render(status, "case_many.html", p)
}

// chosen is the action as the first of the cases has it.
type chosen struct {
	label casework.Text
	form  *casework.Form
	now   bool // the reader may take it on one of the cases as it stands
}

// pickedCases reads what was chosen; what the reader does not see is not there.
func (h *Handler) pickedCases(c *call, picks []string, kind, name string) (list []picked, first *chosen, err error) {
	for _, p := range slices.Compact(slices.Sorted(slices.Values(picks))) {
		id, seen, _ := strings.Cut(p, ":")
		version, err := strconv.Atoi(seen)
		if err != nil {
			return nil, nil, errs.New(errs.Malformed, "")
		}
		x, a, err := h.Cases.Get(c.Ctx(), id, c.Who)
		if err != nil {
			return nil, nil, err
		}
		list = append(list, picked{x, version})
		t := h.Cases.TypeOf(x)
		if first != nil && first.now || t == nil || t.Kind != kind {
			continue
		}
		allowed := t.Allowed(x, a)
		for _, y := range t.Actions {
			if y.Name == name && forMany(t, y) && (first == nil || slices.Contains(allowed, y)) {
				first = &chosen{y.Label, t.Form(y.Form), slices.Contains(allowed, y)}
			}
		}
	}
	return list, first, nil
}

// formPrefix keeps the fields of an action's form apart from those of the page.
const formPrefix = "f."

// manyFields are the questions of an action, with what was answered.
func (h *Handler) manyFields(c *call, form *casework.Form) (out []web.Field, err error) {
	if form == nil {
		return nil, nil
	}
	for _, q := range form.Fields {
		if q.Type == "units" && !q.Required { // is chosen on the page of each case
			continue
		}
		name := formPrefix + q.Name
		f := web.Field{Name: name, Label: in(q.Label, c.Lang), Value: c.Form(name), Optional: !q.Required, Width: "medium"}
		switch q.Type {
		case "long":
			f.Kind, f.Width, f.Rows = "textarea", "", 4
		case "choice":
			f.Kind = "select"
			for _, o := range q.Options {
				f.Options = append(f.Options, web.Option{Value: o.Value, Text: in(o.Label, c.Lang), Selected: o.Value == f.Value})
			}
		case "yes":
			f.Kind = "select"
			for _, v := range []string{"yes", "no"} {
				f.Options = append(f.Options, web.Option{Value: v, Text: c.L.T("common." + v), Selected: v == f.Value})
			}
		case "unit":
			f.Kind = "select"
			if h.Choices != nil {
				choices, err := h.Choices(c.Ctx())
				if err != nil {
					return nil, err
				}
				f.Options = c.options("common.none", f.Value, named(choices.Units, c.Lang))
			}
		case "date":
			f.Hint, f.Input = c.L.T("caselist.hint_date"), "numeric"
		case "number":
			f.Input = "decimal"
		}
		out = append(out, f)
	}
	return out, nil
}

func (h *Handler) outcomeOf(c *call, x *casework.Case) outcome {
	return outcome{Number: casework.Written(x.TrackingNo), Href: c.Path("/cases/" + x.TrackingNo), Title: x.Title, Lang: htmlLang(x.Lang)}
}

// reason is why an act was refused, in words.
func (c *call) reason(err error) string {
	if _, stale := casework.IsStale(err); stale {
		return c.L.T("err.case.stale")
	}
	if e, ok := errors.AsType[*errs.Error](err); ok && len(e.Fields) > 0 {
		var out []string
		for _, f := range e.Fields {
			out = append(out, c.L.T(f.Key, f.Args...))
		}
		return strings.Join(out, c.L.T("common.list_comma"))
	}
	d := httpd.Describe(c.R, err)
	return d.Detail
}

// sumOf tells one act from another one under the same key.
func sumOf(action string, form map[string]string) string {
	q := url.Values{}
	for _, k := range slices.Sorted(maps.Keys(form)) {
		q.Set(k, form[k])
	}
	text, _ := json.Marshal([]string{action, q.Encode()}) // strings cannot fail
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
